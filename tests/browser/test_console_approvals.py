"""Approvals at the console: a second person sees what was asked, word for word, and asks the very same."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.browser.desk_house import DeskHouse
    from tests.browser.person import Person

    Seat = Callable[..., Awaitable[Person]]

pytestmark = pytest.mark.asyncio(loop_scope="session")

PHONE = {"width": 390, "height": 844}


async def test_two_let_a_newcomer_in(desk_house: DeskHouse, at_a_browser: Seat, at_the_desk: Seat) -> None:
    """A newcomer makes a passkey; one asks for him and cannot confirm it himself; another sees all of it and does."""
    house, newcomer = desk_house, await at_a_browser(desk_house)
    await newcomer.with_passkeys()
    await newcomer.page.goto(f"{house.console}/enrol")
    await newcomer.page.get_by_label("The id that you will have").fill("staff-nia")
    await newcomer.page.get_by_role("button", name="Continue").click()
    await newcomer.page.get_by_role("button", name="Make it on this device").click()
    text = await newcomer.page.get_by_label("To hand over").input_value()

    ann, ben = await at_the_desk(house, "staff-ann"), await at_the_desk(house, "staff-ben", viewport=PHONE)
    await ann.page.get_by_role("link", name="Approvals").click()
    await ann.page.get_by_text("Ask it as the first person").click()
    await ann.page.get_by_label("Id of the member").first.fill("staff-nia")
    await ann.page.get_by_role("checkbox", name="support").check()
    await ann.page.get_by_label("Name").fill("Nia Newcomer")
    await ann.page.get_by_label("Mailbox").fill("nia@desk.example")
    await ann.page.get_by_label("The text that the newcomer handed over").fill(text)
    await ann.page.get_by_role("button", name="Ask it").click()
    await expect(ann.page.get_by_role("status")).to_contain_text("A second person is needed")
    await ann.page.get_by_role("link", name="Go on").click()
    await ann.page.get_by_role("row").filter(has_text="staff-nia").get_by_role("link").click()
    await expect(ann.page.get_by_text("You asked this. Somebody else must ask the same.")).to_be_visible()
    await expect(ann.page.get_by_role("button", name="Ask the very same")).to_have_count(0)

    page = ben.page
    await page.goto(house.console)
    await page.get_by_role("row").filter(has_text="staff-nia").get_by_role("link", name="New member").click()
    main = page.locator("main")
    for said in ("staff-ann asked this", "support", "Nia Newcomer", "nia@desk.example"):
        await expect(main).to_contain_text(said)
    assert hashlib.sha256(text.encode()).hexdigest() in (await main.inner_text()).replace(" ", "")
    assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    await page.get_by_role("button", name="Ask the very same").click()
    await expect(page.get_by_role("status")).to_contain_text("Done")
    await page.goto(f"{house.console}/approvals/staff/staff-nia/proposal")
    await expect(page.get_by_role("heading", name="This does not wait any more")).to_be_visible()


async def test_a_refusal_is_said_in_words(desk_house: DeskHouse, at_the_desk: Seat) -> None:
    """What the core refuses is shown with its reason, and roles that one person never holds are refused."""
    ann = await at_the_desk(desk_house, "staff-ann")
    page = ann.page
    await page.get_by_role("link", name="Approvals").click()
    await page.get_by_text("Ask it as the first person").click()
    await page.get_by_label("Id of the member").first.fill("staff-sue")
    await page.get_by_role("checkbox", name="support").check()
    await page.get_by_role("checkbox", name="reviewer").check()
    await page.get_by_role("button", name="Ask it").click()
    await expect(page.get_by_role("status")).to_contain_text("Not allowed")
    await expect(page.locator("[data-code=bad_field]")).to_be_visible()
