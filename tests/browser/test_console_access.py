"""Every page of the console can be read by everybody who may, on a phone and a desktop, light and dark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect
from tests.browser import walking
from tests.browser.test_console_legal import entered

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.browser.desk_house import DeskHouse
    from tests.browser.person import Person

    Seat = Callable[..., Awaitable[Person]]

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("member", ["staff-ann", "staff-lea", "staff-tom", "staff-aud"])
async def test_nobody_is_kept_out(desk_house: DeskHouse, at_the_desk: Seat, member: str) -> None:
    """No page that a role opens has a grave fault by axe-core, or is wider than the screen."""
    person = await at_the_desk(desk_house, member)
    page = person.page
    found = {address: await walking.faults(page) async for address in walking.pages(page, desk_house.console)}
    assert {address: faults for address, faults in found.items() if faults} == {}
    assert len(found) >= len(("queue", "who I am"))


async def test_what_is_read_can_be_read(desk_house: DeskHouse, at_the_desk: Seat) -> None:
    """The same of what is shown only after a look-up: a case side by side, and the steps of a legal request."""
    house, owner = desk_house, desk_house.somebody()
    opening = {"action": "recovery.open", "lost": ["password"], "actor": {"kind": "owner"}}
    opened = house.asks(owner.account, opening | {"context": {"ip": "198.51.100.77", "user_agent": "rented"}})
    rex, lea, leo = [await at_the_desk(house, f"staff-{name}") for name in ("rex", "lea", "leo")]
    await rex.page.goto(f"{house.console}/recovery/{owner.account}/{opened['id']}")
    await rex.page.get_by_role("button", name="Read the case").click()
    await expect(rex.page.get_by_role("heading", name="Claimed evidence")).to_be_visible()
    await entered(lea.page, house, owner.account, 30)
    await leo.page.goto(house.console)
    await leo.page.get_by_role("row").filter(has_text=owner.account).get_by_role("link", name="Legal request").click()
    await leo.page.get_by_role("button", name="Read the request").click()
    await expect(leo.page.get_by_role("heading", name="3. Ring the agency back")).to_be_visible()
    for one in (rex, leo):
        assert await walking.faults(one.page) == []
