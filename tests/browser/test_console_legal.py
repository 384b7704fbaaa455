"""The legal desk at the console: a paper goes through its steps, each offered to whoever may take it."""

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


async def entered(page: Page, house: DeskHouse, account: str, days: int) -> str:
    """Enter an order that came on paper; the words that only the police reads."""
    await page.get_by_role("link", name="Legal requests").click()
    form = page.locator("section", has=page.get_by_role("heading", name="An order to stop"))
    await form.get_by_label("Customer's account").fill(account)
    await form.get_by_label("Agency").fill("police")
    await form.get_by_label("For how many days").fill(str(days))
    await form.get_by_role("button", name="Enter the order").click()
    letter = await page.get_by_label("Letter to the agency").input_value()
    return house.reads(letter).rpartition(": ")[2].strip()


async def reads(page: Page, house: DeskHouse, account: str) -> None:
    """Read the request from the queue."""
    await page.goto(house.console)
    await page.get_by_role("row").filter(has_text=account).get_by_role("link", name="Legal request").click()
    await page.get_by_role("button", name="Read the request").click()
    await expect(page.get_by_role("heading", name="1. Received")).to_be_visible()


async def test_an_order_goes_through_its_steps(desk_house: DeskHouse, at_the_desk: Seat) -> None:
    """Who entered it takes no step; a second rings back by the words, two approve, and one of them stops the exits."""
    house, owner = desk_house, desk_house.somebody()
    lea, leo = await at_the_desk(house, "staff-lea"), await at_the_desk(house, "staff-leo", viewport=PHONE)
    words = await entered(lea.page, house, owner.account, 30)

    await reads(lea.page, house, owner.account)
    await expect(lea.page.get_by_text("Somebody else of the role legal does this")).to_be_visible()
    await expect(lea.page.get_by_role("button", name="They sent it")).to_have_count(0)

    await reads(leo.page, house, owner.account)
    await expect(leo.page.get_by_role("link", name="+15550100199")).to_be_visible()
    await leo.page.get_by_label("The words that were read to me").fill("amber otter lantern amber otter lantern")
    await leo.page.get_by_role("button", name="They sent it").click()
    await expect(leo.page.get_by_role("status")).to_contain_text("Not allowed")
    await reads(leo.page, house, owner.account)
    await leo.page.get_by_label("The words that were read to me").fill(words)
    await leo.page.get_by_role("button", name="They sent it").click()
    await expect(leo.page.get_by_role("status")).to_contain_text("Done")

    lis = await at_the_desk(house, "staff-lis")
    for one in (leo, lis):
        await reads(one.page, house, owner.account)
        await one.page.get_by_role("button", name="I approve it").click()
        await expect(one.page.get_by_role("status")).to_contain_text("Done")
    await reads(leo.page, house, owner.account)
    assert not await leo.page.evaluate("document.documentElement.scrollWidth > innerWidth")
    await leo.page.get_by_role("button", name="Carry it out").click()
    await expect(leo.page.get_by_role("status")).to_contain_text("Done")
    (order,) = house.standing(owner)["orders"]
    assert order["agency"] == "police"


async def test_a_request_for_data_ends_in_a_sealed_package(desk_house: DeskHouse, at_the_desk: Seat) -> None:
    """A disclosure waits its hours, and what comes out is a package that only the agency opens."""
    house, owner = desk_house, desk_house.somebody()
    lea, leo = await at_the_desk(house, "staff-lea"), await at_the_desk(house, "staff-leo")
    page = lea.page
    await page.get_by_role("link", name="Legal requests").click()
    form = page.locator("section", has=page.get_by_role("heading", name="A request for data"))
    await form.get_by_label("Customer's account").fill(owner.account)
    await form.get_by_label("Agency").fill("police")
    await form.get_by_label("Legal basis").select_option("court_order")
    await form.get_by_label("e-mail address").check()
    await form.get_by_role("button", name="Enter the request").click()
    words = house.reads(await page.get_by_label("Letter to the agency").input_value()).rpartition(": ")[2].strip()
    await reads(leo.page, house, owner.account)
    await leo.page.get_by_label("The words that were read to me").fill(words)
    await leo.page.get_by_role("button", name="They sent it").click()
    await expect(leo.page.get_by_role("status")).to_contain_text("Done")
    lis = await at_the_desk(house, "staff-lis")
    for one in (leo, lis):
        await reads(one.page, house, owner.account)
        await one.page.get_by_role("button", name="I approve it").click()
        await expect(one.page.get_by_role("status")).to_contain_text("Done")
    await reads(lis.page, house, owner.account)
    await lis.page.get_by_role("button", name="Carry it out").click()
    await expect(lis.page.get_by_role("status")).to_contain_text("Not allowed")

    house.let_pass(5)
    leo = await at_the_desk(house, "staff-leo")
    await reads(leo.page, house, owner.account)
    await leo.page.get_by_role("button", name="Carry it out").click()
    package = await leo.page.get_by_label("Package for the agency").input_value()
    assert owner.email in house.reads(package)
    assert "police/" in await leo.page.get_by_label("Record to keep").input_value()


async def test_a_forgery_is_rejected_by_one(desk_house: DeskHouse, at_the_desk: Seat) -> None:
    """If the agency knows nothing of it, one person says so, and the account is marked."""
    house, owner = desk_house, desk_house.somebody()
    lea, leo = await at_the_desk(house, "staff-lea"), await at_the_desk(house, "staff-leo")
    await entered(lea.page, house, owner.account, 30)
    await reads(leo.page, house, owner.account)
    await leo.page.get_by_role("button", name="They know nothing of it").click()
    await expect(leo.page.get_by_role("status")).to_contain_text("Done")
    assert house.standing(owner)["targeted_until"]
