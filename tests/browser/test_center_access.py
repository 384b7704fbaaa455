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
