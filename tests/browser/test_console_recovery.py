"""Judging a recovery at the console: who was drawn reads it side by side, and two of them approve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import Page
    from tests.browser.desk_house import DeskHouse
    from tests.browser.person import Person

    Seat = Callable[..., Awaitable[Person]]

pytestmark = pytest.mark.asyncio(loop_scope="session")

PHONE = {"width": 390, "height": 844}
CHECKS = ("the evidence,", "what others know,", "how unlike", "what changed lately,", "the history,")


async def reads(page: Page, house: DeskHouse, account: str) -> None:
    """Open the case from the queue, and read it."""
    await page.goto(house.console)
    await page.get_by_role("row").filter(has_text=account).get_by_role("link", name="Recovery").click()
    await page.get_by_role("button", name="Read the case").click()
    await expect(page.get_by_role("heading", name="Claimed evidence")).to_be_visible()


async def judges(page: Page, verdict: str, why: str, *ticks: str) -> None:
    """Tick what was looked at, and give a verdict."""
    for one in ticks:
        await page.get_by_role("checkbox", name=one).check()
    await page.get_by_label("Why").fill(why)
    await page.get_by_role("radio", name=verdict).check()
    await page.get_by_role("button", name="Give my verdict").click()


async def test_two_who_were_drawn_approve(desk_house: DeskHouse, at_the_desk: Seat) -> None:
    """Support says whom it saw; both drawn reviewers read the case, tick all they looked at, say why and approve."""
    house, owner = desk_house, desk_house.somebody()
    opening = {"action": "recovery.open", "lost": ["password", "totp"], "actor": {"kind": "owner"}}
    opened = house.asks(owner.account, opening | {"context": {"ip": "198.51.100.77", "user_agent": "rented"}})
    assert opened["decision"] == "allow", opened
    sue = await at_the_desk(house, "staff-sue")
    await sue.page.get_by_role("row").filter(has_text=owner.account).get_by_role("link", name="Recovery").click()
    await sue.page.get_by_label("The owner came in person").check()
    await sue.page.get_by_label("It is right").check()
    await sue.page.get_by_role("button", name="Say so").click()
    await expect(sue.page.get_by_role("status")).to_contain_text("Done")

    rex, roy = await at_the_desk(house, "staff-rex"), await at_the_desk(house, "staff-roy", viewport=PHONE)
    for one in (rex, roy):
        page = one.page
        await reads(page, house, owner.account)
        for heading in ("What others know", "How unlike the owner", "What changed lately", "History"):
            await expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
        await expect(page.locator("main")).to_contain_text("coming in person")
        await expect(page.get_by_text("Browser", exact=True)).to_be_visible()
        assert owner.email not in await page.inner_text("body")
        await judges(page, "Approve", "I compared the dates and know why she lost it", *CHECKS[:4])
        await expect(page.get_by_role("alert")).to_contain_text("Tick everything before you approve")
        await reads(page, house, owner.account)
        await judges(page, "Approve", "I compared the dates and know why she lost it", *CHECKS)
        await expect(page.get_by_role("status")).to_contain_text("Done")
        assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert house.standing(owner)["recovery"]["approvals"] == len((rex, roy))


async def test_a_verdict_wants_a_reason(desk_house: DeskHouse, at_the_desk: Seat) -> None:
    """A verdict without words is not asked, even of whoever takes the page's own check away; one no ends the case."""
    house, owner = desk_house, desk_house.somebody()
    house.asks(owner.account, {"action": "recovery.open", "lost": ["password"], "actor": {"kind": "owner"}})
    rex = await at_the_desk(house, "staff-rex")
    await rex.page.goto(f"{house.console}/recovery/{owner.account}/{house.standing(owner)['recovery']['id']}")
    await rex.page.get_by_role("button", name="Read the case").click()
    await rex.page.get_by_label("Why").evaluate("(one) => one.removeAttribute('required')")
    await judges(rex.page, "Reject", " ")
    await expect(rex.page.get_by_role("alert")).to_contain_text("Write a reason")
    assert house.standing(owner)["recovery"] is not None
    await rex.page.goto(f"{house.console}/recovery/{owner.account}/{house.standing(owner)['recovery']['id']}")
    await rex.page.get_by_role("button", name="Read the case").click()
    await judges(rex.page, "Reject", "nothing was shown, and the browser is one of a rented server")
    await expect(rex.page.get_by_role("status")).to_contain_text("Done")
    assert house.standing(owner)["recovery"] is None
