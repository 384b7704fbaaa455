"""A customer at the Security Center: on a phone or at a desk, in a language, with scripts or without."""

from __future__ import annotations

import asyncio
import secrets
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import httpx
import pytest
from playwright.async_api import expect

from holdback.demo.past import BROWSER
from holdback.web.dressing import TONGUES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import Locator, Page
    from tests.browser.person import Person
    from tests.browser.platform_house import House

    from holdback.demo.cast import Customer

    Seat = Callable[..., Awaitable[Person]]

COOKIE: Final = "center"
LOOKS_MOST: Final = 60


class Seen(NamedTuple):
    """How somebody looks at pages."""

    language: str
    width: int
    scripts: bool

    @property
    def profile(self) -> dict[str, Any]:
        """The same for a browser."""
        locale = {"en": "en-GB", "zh": "zh-CN"}[self.language]
        size = {"width": self.width, "height": 800}
        return {"locale": locale, "viewport": size, "java_script_enabled": self.scripts}


PHONE: Final = Seen("en", 390, scripts=True)
DESK: Final = Seen("zh", 1280, scripts=True)
PLAIN_PHONE: Final = Seen("zh", 390, scripts=False)
PLAIN_DESK: Final = Seen("en", 1280, scripts=False)
EVERY_WAY: Final = (PHONE, DESK, PLAIN_PHONE, PLAIN_DESK)
"""Each language, each width, with scripts and without: every two of them together somewhere."""


def named(one: Seen) -> str:
    """A test's name for it."""
    return f"{one.language}-{one.width}-{'scripts' if one.scripts else 'plain'}"


class Visit:
    """A visit of one customer. What is said on pages is named by its English, whatever language they speak."""

    def __init__(self, person: Person, owner: Customer, language: str) -> None:
        self.person = person
        self.page: Page = person.page
        self.owner = owner
        self.house: House = person.house
        self.token = ""
        self._tongue = TONGUES[language]

    @classmethod
    async def of(cls, seat: Seat, house: House, owner: Customer, seen: Seen = PHONE) -> Self:
        """Sit down and sign in with password and code."""
        visit = cls(await seat(house, **seen.profile), owner, seen.language)
        await visit.sign_in()
        return visit

    def say(self, sentence: str, **values: str) -> str:
        """A sentence of the pages in the visitor's language."""
        said = self._tongue.say(sentence)
        return said % values if values else said

    async def sign_in(self) -> None:
        """Sign in with password and code, from wherever that leads."""
        page = self.page
        await page.goto(f"{self.house.center}/center")
        await self.name_himself()
        await self.prove()
        await expect(self.heading("Check-up")).to_be_visible()

    async def name_himself(self) -> None:
        """Say who he is."""
        await self.page.get_by_label(self.say("Name or e-mail")).fill(self.owner.email)
        await self.tap("Continue")

    async def prove(self) -> None:
        """Show what is asked: a code of the authenticator app, and the password if it was not shown lately."""
        await self.page.get_by_label(self.say("Code of your authenticator app")).fill(await self.code())
        password = self.page.get_by_label(self.say("Password"), exact=True)
        if await password.count():
            await password.fill(self.owner.password)
        await self.tap("Confirm")

    async def code(self) -> str:
        """A code of the authenticator app, waited for as people do who need a third one within a minute."""
        pause = threading.Event()
        while not self.house.shows_code(self.owner):
            await asyncio.to_thread(pause.wait, 0.2)
        return self.house.code(self.owner)

    async def go(self, path: str) -> None:
        """Go to a page by its address."""
        await self.page.goto(f"{self.house.center}/center{path}")

    async def looks_until_told(self, path: str, place: Locator) -> None:
        """Look at a page until it has this: a wait has its instant once its notice was accepted."""
        for _ in range(LOOKS_MOST):
            await self.go(path)
            if await place.count():
                return
        pytest.fail("the owner was not told")

    def button(self, name: str) -> Locator:
        """A button by its words."""
        return self.page.get_by_role("button", name=self.say(name), exact=True)

    def heading(self, name: str) -> Locator:
        """A heading by its words."""
        return self.page.get_by_role("heading", name=self.say(name), exact=True)

    async def tap(self, name: str) -> None:
        """Press a button, the first of that name."""
        await self.button(name).first.click()

    async def told(self, decision: str) -> None:
        """Wait for the answer to what was asked."""
        await expect(self.page.locator(f"[data-decision={decision}]")).to_be_visible()

    @classmethod
    async def at_home(cls, seat: Seat, house: House, owner: Customer, seen: Seen = PHONE) -> Self:
        """Sit down in a session that the platform began on the device the owner has always had."""
        visit = cls(await seat(house, **seen.profile), owner, seen.language)
        proofs = [{"kind": "password", "response": owner.password}, {"kind": "totp", "response": house.code(owner)}]
        said = visit.ask_by_platform({"action": "session.start", "proofs": proofs})
        visit.token = said["session"]["token"]
        cookie = {"name": COOKIE, "value": f"{owner.account}:{visit.token}", "url": house.center}
        await visit.person.context.add_cookies([cookie])  # type: ignore[list-item] # as Playwright takes them
        return visit

    def ask_by_platform(self, action: dict[str, Any]) -> dict[str, Any]:
        """What the platform is answered that asks for something in his session, with a code if one is wanted."""
        actor = {"kind": "owner"} | ({"session": self.token} if self.token else {})
        context = {"ip": self.owner.home, "device": self.owner.device, "user_agent": BROWSER}
        body = action | {"actor": actor, "context": context}
        said = self._posted(body)
        if said["challenge"] is None:
            return said
        proof = {"kind": "totp", "response": self.house.code(self.owner)}
        return self._posted(body | {"proofs": [proof], "challenge": said["challenge"]["id"]})

    def begin_by_platform(self, book: list[dict[str, str]]) -> None:
        """Become a customer as of now, with an address book."""
        owner = self.owner
        said = self._posted(
            {
                "action": "account.import",
                "actor": {"kind": "platform"},
                "name": owner.email,
                "authenticators": [
                    {"kind": "password", "secret": owner.password},
                    {"kind": "totp", "secret": owner.authenticator.secret},
                ],
                "contacts": [{"channel": "email", "address": owner.email}],
                "address_book": book,
            }
        )
        assert said["decision"] == "allow", said

    def _posted(self, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.house.platform_key}", "Idempotency-Key": secrets.token_hex(8)}
        url = f"{self.house.holdback}/v1/accounts/{self.owner.account}/actions"
        answer = httpx.post(url, json=body, headers=headers, trust_env=False)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found
