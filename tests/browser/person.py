"""A person at a browser: looks for labels and buttons as people and screen readers do, and waits for what he sees."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from playwright.async_api import expect

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, CDPSession, ConsoleMessage, Locator, Page, Request
    from tests.browser.platform_house import House

    from holdback.demo.cast import Customer

PATIENCE_MS: Final = 15_000
AUTHENTICATOR: Final = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
"""A platform authenticator with a fingerprint reader, on which the right finger lies."""

OWN: Final = {"localhost", "127.0.0.1"}

REFUSED: Final = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")
"""What Chromium's console says of every refusal; the page says it too."""


class Person:
    """Somebody at a browser profile. `troubles` are errors of pages: there must be none."""

    def __init__(self, house: House, context: BrowserContext, page: Page) -> None:
        """Sit down."""
        self.house = house
        self.context = context
        self.page = page
        self.troubles: list[str] = []
        self.stopped: list[str] = []
        context.set_default_timeout(PATIENCE_MS)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        context.on("request", self._asked)

    async def watch(self) -> None:
        """Have each page tell what its content security policy stopped."""
        await self.context.expose_function("stopped", self._was_stopped)
        await self.context.add_init_script(
            "addEventListener('securitypolicyviolation', (event) => stopped(event.effectiveDirective))"
        )

    def _was_stopped(self, what: str) -> None:
        self.stopped.append(what)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not REFUSED.match(message.text):
            self.troubles.append(message.text)

    def _asked(self, request: Request) -> None:
        """Whatever a page loads or calls must be this machine's, or somebody else hears of its reader."""
        where = urlsplit(request.url)
        if where.scheme in {"http", "https", "ws", "wss"} and where.hostname not in OWN:
            self.troubles.append(f"a request left for {where.hostname}")

    def forgive(self, trouble: re.Pattern[str] | None) -> None:
        """Take back troubles that the test itself made; all of them if none is named."""
        self.troubles = [one for one in self.troubles if trouble is not None and not trouble.search(one)]

    async def with_passkeys(self) -> CDPSession:
        """Give the device an authenticator for passkeys."""
        session = await self.context.new_cdp_session(self.page)
        await session.send("WebAuthn.enable")
        made = await session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        self.authenticator: str = made["authenticatorId"]
        return session

    async def open(self, name: str) -> None:
        """Go to a page."""
        await self.page.goto(f"/pages/{name}.html")

    @property
    def dialog(self) -> Locator:
        """The step-up that is open."""
        return self.page.get_by_role("dialog")

    async def sign_in(self, customer: Customer) -> None:
        """Sign in with password and code."""
        await self.name_himself(customer)
        await self.prove(customer)
        await self.signed_in()

    async def name_himself(self, customer: Customer) -> None:
        """Say who he is."""
        await self.open("sign-in")
        await self.page.get_by_label("E-mail address").fill(customer.email)
        await self.page.get_by_role("button", name="Continue").click()
        await expect(self.dialog).to_be_visible(timeout=PATIENCE_MS)

    async def prove(self, customer: Customer) -> None:
        """Fill in what the dialog wants, and confirm."""
        await expect(self.dialog).to_be_visible(timeout=PATIENCE_MS)
        password = self.dialog.get_by_label("Password")
        if await password.count():
            await password.fill(customer.password)
        code = self.dialog.get_by_label("Code of your authenticator app")
        if await code.count():
            await code.fill(self.house.code(customer))
        await self.dialog.get_by_role("button", name="Confirm").click()

    async def signed_in(self) -> None:
        """Wait until he is."""
        await self.page.wait_for_url("**/pay.html")
        await expect(self.page.locator("#balances")).to_contain_text("BTC", timeout=PATIENCE_MS)

    async def order(self, amount: str, address: str) -> None:
        """Fill in a payment and press the button."""
        await self.page.get_by_label("Amount").fill(amount)
        await self.page.get_by_label("Address", exact=True).fill(address)
        await self.page.get_by_role("button", name="Pay", exact=True).click()

    async def told(self, *texts: str) -> None:
        """Wait until the page says this."""
        for text in texts:
            await expect(self.page.get_by_role("status")).to_contain_text(text, timeout=PATIENCE_MS)

    async def read(self, path: str) -> dict[str, Any]:
        """What the exchange answers a script on this page that only reads; a refusal as its status and code."""
        script = """async (path) => {
          const { read } = await import("/pages/holdback.js");
          return read(path).catch((error) => ({ status: error.status, error: error.code }));
        }"""
        answer: dict[str, Any] = await self.page.evaluate(script, path)
        return answer

    async def ask(self, path: str, action: dict[str, Any], body: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the exchange answers a script on this page that uses the SDK; a refusal as its status and code."""
        script = """async ([path, action, body]) => {
          const { ask } = await import("/pages/holdback.js");
          const left = { prove: () => null, body: body ?? { action } };
          return ask(path, action, left).catch((error) => ({ status: error.status, error: error.code }));
        }"""
        answer: dict[str, Any] = await self.page.evaluate(script, [path, action, body])
        return answer
