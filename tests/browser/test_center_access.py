"""Every page of the Security Center can be read by everybody, in both languages, and keeps to itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect
from tests.browser import walking
from tests.browser.test_center import signed_in

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.browser.person import Person
    from tests.browser.platform_house import House

    Seat = Callable[..., Awaitable[Person]]

pytestmark = pytest.mark.asyncio(loop_scope="session")

FEWEST = 10
"""Pages that a walk must at least find, or it was no walk."""


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_nobody_is_kept_out(house: House, at_a_browser: Seat, language: str) -> None:
    """On a phone and a desktop, light and dark, no page has a grave fault by axe-core, or is wider than the screen."""
    person = await at_a_browser(house)
    page = await signed_in(person, house.somebody())
    await page.locator(f"footer button[value={language}]").click()
    await expect(page.locator("html")).to_have_attribute("lang", language)

    found = {address: await walking.faults(page) async for address in walking.pages(page, f"{house.center}/center")}

    assert {address: faults for address, faults in found.items() if faults} == {}
    assert len(found) >= FEWEST


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
async def test_nobody_is_kept_out_before_or_by_a_mail(house: House, at_a_browser: Seat, locale: str) -> None:
    """The same of what is seen without a session: the sign-in, what it asks for, and the page behind a freeze link."""
    owner, person = house.somebody(), await at_a_browser(house, locale=locale)
    page, found = person.page, {}
    await page.goto(f"{house.center}/center/sign-in")
    found["sign-in"] = await walking.faults(page)
    await page.locator("input[name=name]").fill(owner.email)
    await page.locator("main form button").first.click()
    await expect(page.locator("input[type=password]")).to_be_visible()
    found["proofs"] = await walking.faults(page)
    await page.locator("input[type=password]").fill(owner.password)
    await page.locator("input[autocomplete=one-time-code]").first.fill(house.code(owner))
    await page.locator("main form button").first.click()
    await expect(page.locator("nav").first).to_be_visible()
    letter = house.letter(0, lambda one: one.to == owner.email and bool(one.freeze_url))
    await page.goto(letter.freeze_url)
    found["freeze link"] = await walking.faults(page)

    assert {shown: faults for shown, faults in found.items() if faults} == {}
