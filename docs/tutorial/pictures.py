# ruff: noqa: INP001 - a script, run by its path and no part of the package
"""Take the pictures of `ten-minutes.md`: set the demo's stage, do what the tutorial says, and photograph it.

`.venv/bin/python docs/tutorial/pictures.py [DIRECTORY]`; without one the pictures beside this file are made anew.
Wants Debian's package `chromium`. `tests/tutorial/test_pictures.py` does the same into a directory of its own.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from playwright.async_api import async_playwright
from rich.console import Console

from holdback.demo import theatre
from holdback.demo.cast import victims
from holdback.demo.incidents import INCIDENTS
from holdback.demo.past import BROWSER
from holdback.demo.processes import choose_ports

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

    from holdback.demo.theatre import Stage

HERE: Final = Path(__file__).parent / "pictures"
PATIENCE_MS: Final = 60_000
NEW_ADDRESS: Final = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
ROBBED: Final = 2
PHONE: Final = (390, 760)
DESK: Final = (1000, 720)
SWITCHES: Final = ("--disable-gpu", "--no-sandbox", "--hide-scrollbars")
"""Root may run it: it meets no pages but ours."""

AUTHENTICATOR: Final = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


class Visitor:
    """Somebody who follows the tutorial, with a camera."""

    def __init__(self, browser: Browser, stage: Stage, album: Path) -> None:
        """Take pictures into `album`."""
        self._browser, self._stage, self._album = browser, stage, album
        self._used = ""

    def place(self, name: str) -> str:
        """Where the demo says that this is."""
        return next(one.url for one in self._stage.places if one.name == name)

    async def open(self, address: str, size: tuple[int, int]) -> Page:
        """A window of this size."""
        width, height = size
        context = await self._browser.new_context(viewport={"width": width, "height": height}, user_agent=BROWSER)
        context.set_default_timeout(PATIENCE_MS)
        page = await context.new_page()
        await page.goto(address)
        return page

    async def picture(self, page: Page, name: str) -> None:
        """What the window shows now."""
        await page.evaluate("document.activeElement?.blur()")
        await page.screenshot(path=self._album / f"{name}.png", animations="disabled")

    async def follow(self) -> None:
        """The whole tutorial."""
        phone = await self.open(self.place("Your phone"), PHONE)
        shop = await self.pay(phone)
        await self.wait(shop, phone)
        await self.stop(phone)
        await self.rob()
        await self.be_staff()

    async def code(self, phone: Page) -> str:
        """A code that was not used yet: the next one, which is taken already, once the last one shown is over."""
        following = phone.locator("strong").first
        while True:
            shown = str(await following.text_content()).replace(" ", "")
            if shown != self._used:
                self._used = shown
                return shown
            left = int(str(await phone.locator("[data-left]").get_attribute("data-left")))
            await phone.wait_for_timeout(left * 1000)
            await phone.reload()

    async def prove(self, page: Page, phone: Page, *, password: bool) -> None:
        """Confirm with what is asked for."""
        if password:
            await page.get_by_label("Password").fill(self._stage.scene.cast.carol.password)
        await page.get_by_label("Code of your authenticator app").fill(await self.code(phone))
        await page.get_by_role("button", name="Confirm", exact=True).click()

    async def pay(self, phone: Page) -> Page:
        """Sign in at the exchange."""
        await self.picture(phone, "phone")
        shop = await self.open(self.place("Exchange"), DESK)
        await shop.get_by_label("E-mail address").fill(self._stage.scene.cast.carol.email)
        await shop.get_by_role("button", name="Continue").click()
        await self.prove(shop, phone, password=True)
        await shop.get_by_role("heading", name="Balances").wait_for()
        return shop

    async def wait(self, shop: Page, phone: Page) -> None:
        """Withdraw to somebody new: it waits, and the telephone is told."""
        await shop.get_by_role("link", name="Withdraw").first.click()
        await shop.get_by_label("Amount of BTC").fill("0.5")
        await shop.get_by_label("Bitcoin address").fill(NEW_ADDRESS)
        await shop.get_by_role("button", name="Withdraw").click()
        await self.prove(shop, phone, password=False)
        await shop.get_by_role("status").wait_for()
        await self.picture(shop, "waits")
        told = phone.get_by_text("A payment from your account waits").first
        while not await told.count():
            await phone.reload()
        await told.scroll_into_view_if_needed()
        await self.picture(phone, "told")

    async def stop(self, phone: Page) -> None:
        """Stop it in the Security Center."""
        center = await self.open(self.place("Security Center"), DESK)
        await center.get_by_label("Name or e-mail").fill(self._stage.scene.cast.carol.email)
        await center.get_by_role("button", name="Continue").click()
        await self.prove(center, phone, password=True)
        await center.get_by_role("heading", name="Check-up").wait_for()
        await self.picture(center, "check-up")
        await center.get_by_role("link", name="Waiting payments").click()
        await center.get_by_role("heading", name="Waiting payments").wait_for()
        await self.picture(center, "holds")
        await center.locator("form:has(input[value='exit.cancel']) button").click()
        await center.get_by_role("status").wait_for()
        await center.get_by_role("link", name="Activity").click()
        await center.get_by_role("heading", name="Activity").wait_for()
        await self.picture(center, "activity")

    async def rob(self) -> None:
        """Play the thief, and freeze by the link on the owner's telephone."""
        page = await self.open(self.place("Play the thief"), DESK)
        title = INCIDENTS["copied-cookie"].title
        await page.get_by_role("button", name=f"Play: {title}").click()
        while not await page.locator("[data-happened=hold]").count():
            steps = await page.locator("[data-happened]").count()
            await page.get_by_role("button", name="Do it").click()
            await page.locator("[data-happened]").nth(steps).wait_for()
        await page.locator("[data-happened=hold]").scroll_into_view_if_needed()
        await self.picture(page, "thief")
        async with page.context.expect_page() as opening:
            await page.locator(".phone").get_by_role("link", name="Freeze my account").first.click()
        link = await opening.value
        await link.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        await link.get_by_role("button", name="Freeze my account now").wait_for()
        await self.picture(link, "freeze")
        await link.get_by_role("button", name="Freeze my account now").click()
        await link.get_by_role("heading", name="Your account is frozen").wait_for()
        await page.get_by_role("button", name="Play all").click()
        await page.get_by_role("heading", name="It is over").wait_for()
        await self.picture(page, "over")

    async def be_staff(self) -> None:
        """Become a member of staff, and look at what leaves the platform."""
        page = await self.open(f"{self.place('Staff console')}/enrol", DESK)
        devices = await page.context.new_cdp_session(page)
        await devices.send("WebAuthn.enable")
        await devices.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        await page.get_by_label("The id that you will have").fill("staff-you")
        await page.get_by_role("button", name="Continue").click()
        await page.get_by_role("button", name="Make it on this device").click()
        text = await page.get_by_label("To hand over").input_value()
        await page.goto(self.place("Let yourself in"))
        await page.get_by_label("What you do").select_option("auditor")
        await page.get_by_label("What the page shows to hand over").fill(text)
        await page.get_by_role("button", name="Let me in").click()
        await page.get_by_role("status").wait_for()
        await page.goto(f"{self.place('Staff console')}/sign-in")
        await page.get_by_label("Your id").fill("staff-you")
        await page.get_by_role("button", name="Continue").click()
        await page.get_by_role("button", name="Confirm with your passkey").click()
        await page.get_by_role("link", name="Circuit breaker").click()
        await page.get_by_role("heading", name="Circuit breaker").wait_for()
        await page.locator("canvas").wait_for()
        await self.picture(page, "console")


async def take(album: Path) -> None:
    """Take every picture into `album`. Raises Playwright's errors where a page is not as the tutorial says."""
    program = shutil.which("chromium")
    if program is None:
        raise SystemExit("install Debian's package `chromium`")
    with ExitStack() as stack:
        place = Path(stack.enter_context(TemporaryDirectory(prefix="holdback-pictures-")))
        given = stack, Console(stderr=True), place, choose_ports(0), victims(ROBBED)
        stage = await asyncio.to_thread(theatre.set_stage, *given)
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=program, args=list(SWITCHES))
            await Visitor(browser, stage, album).follow()
            await browser.close()


if __name__ == "__main__":
    chosen = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    chosen.mkdir(parents=True, exist_ok=True)
    asyncio.run(take(chosen))
