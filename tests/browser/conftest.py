"""What browser tests share: one Chromium, one house, and a person at a browser of his own for each test."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

import pytest_asyncio
from playwright.async_api import async_playwright
from tests.browser.desk_house import DeskHouse
from tests.browser.person import Person
from tests.browser.platform_house import House

from holdback.demo.past import BROWSER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import pytest
    from playwright.async_api import Browser

SWITCHES: Final = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
)
"""Nothing but this machine is spoken to, and root may run it (it meets no pages but ours)."""


STREETS: Final = 45
"""Of three customers each: as many as all these tests together meet, should one worker run them all."""


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """The system's browser, without a window."""
    program = shutil.which("chromium")
    assert program is not None, "install Debian's package `chromium`"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(SWITCHES))
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A Holdback and an exchange, started when the first test asks for them."""
    async with House(tmp_path_factory.mktemp("house"), streets=STREETS) as house:
        yield house


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def desk_house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DeskHouse]:
    """The same with members of staff."""
    async with DeskHouse(tmp_path_factory.mktemp("desk"), streets=3) as house:
        yield house


@pytest_asyncio.fixture(loop_scope="session")
async def at_the_desk(at_a_browser: Callable[..., Awaitable[Person]]) -> Callable[..., Awaitable[Person]]:
    """Seats members of staff, each at a browser of his own, signed in."""

    async def seat(house: DeskHouse, member: str, **profile: object) -> Person:
        person = await at_a_browser(house, **profile)
        await house.holds_key(person, member)
        await house.sign_in(person, member)
        return person

    return seat


@pytest_asyncio.fixture(loop_scope="session")
async def at_a_browser(chromium: Browser) -> AsyncIterator[Callable[..., Awaitable[Person]]]:
    """Seats people, each at a browser profile of his own; afterwards nothing may have gone wrong on any page."""
    seated: list[Person] = []

    async def seat(house: House, **profile: object) -> Person:
        seen = {"user_agent": BROWSER, "locale": "en-GB"} | profile  # as before, unless the test says otherwise
        context = await chromium.new_context(base_url=house.exchange, **seen)  # type: ignore[arg-type]  # as Playwright takes them
        person = Person(house, context, await context.new_page())
        await person.watch()
        seated.append(person)
        return person

    yield seat
    for person in seated:
        await person.context.close()
    assert [trouble for person in seated for trouble in person.troubles] == []
