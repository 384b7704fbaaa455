"""The Security Center: its pages in a real browser, with and without scripts, wide and narrow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import Page
    from tests.browser.person import Person
    from tests.browser.platform_house import House

    from holdback.demo.cast import Customer

    Seat = Callable[..., Awaitable[Person]]

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def signed_in(person: Person, owner: Customer) -> Page:
    """Sign in to the Security Center with password and code."""
    page, house = person.page, person.house
    await page.goto(f"{house.center}/center")
    await page.get_by_label("Name or e-mail").fill(owner.email)
    await page.get_by_role("button", name="Continue").click()
    await page.get_by_label("Password").fill(owner.password)
    await page.get_by_label("Code of your authenticator app").fill(house.code(owner))
    await page.get_by_role("button", name="Confirm", exact=True).click()
    await expect(page.get_by_role("heading", name="Check-up")).to_be_visible()
    return page


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
async def test_everything_is_frozen_in_one_tap(house: House, at_a_browser: Seat, scripts: bool) -> None:  # noqa: FBT001 - one of two
    """Whoever is signed in freezes from any page with one button, with scripts and without."""
    owner, person = house.somebody(), await at_a_browser(house, java_script_enabled=scripts)
    page = await signed_in(person, owner)
    await page.get_by_role("link", name="Activity").click()
    await expect(page.get_by_role("heading", name="Activity")).to_be_visible()
    await page.get_by_role("button", name="Freeze everything").click()
    await expect(page.get_by_role("status")).to_contain_text("Done")
    await page.get_by_role("link", name=re.compile("check-up")).click()
    await expect(page.get_by_role("status")).to_contain_text("Your account is frozen")
    assert house.standing(owner)["freeze"]["by"] == "owner"


async def test_a_passkey_is_made_and_then_signs_in(house: House, at_a_browser: Seat) -> None:
    """A customer adds a passkey with what he has, and it is offered first at the next sign-in."""
    owner, person = house.somebody(), await at_a_browser(house)
    await person.with_passkeys()
    page = await signed_in(person, owner)
    await page.get_by_role("link", name="Proofs").click()
    await page.get_by_role("button", name="Make a passkey", exact=True).click()
    await page.get_by_label("Password").fill(owner.password)
    await page.get_by_label("Code of your authenticator app").fill(house.code(owner))
    await page.get_by_role("button", name="Confirm", exact=True).click()
    await page.get_by_role("button", name="Make it on this device").click()
    await expect(page.get_by_role("status")).to_contain_text("Done")
    await page.context.clear_cookies()
    await page.goto(f"{house.center}/center")
    await page.get_by_label("Name or e-mail").fill(owner.email)
    await page.get_by_role("button", name="Continue").click()
    await page.get_by_role("button", name="Confirm with your passkey").click()
    await expect(page.get_by_role("heading", name="Check-up")).to_be_visible()
