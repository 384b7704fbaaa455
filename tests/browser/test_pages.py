"""Signing in, paying and looking after sessions, in a real browser against real servers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.browser.person import Person
    from tests.browser.platform_house import House

    Seat = Callable[..., Awaitable[Person]]

pytestmark = pytest.mark.asyncio(loop_scope="session")

USUAL = "0.05"
NEW_ADDRESS = "bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3"


async def test_a_payment_is_confirmed_as_it_is_shown(house: House, at_a_browser: Seat) -> None:
    """A payment shows its amount and address where it is confirmed, and is not made when that is left."""
    owner, person = house.somebody(), await at_a_browser(house)
    await person.sign_in(owner)

    await person.order(USUAL, owner.wallet)
    await expect(person.dialog).to_contain_text(f"{USUAL} BTC")
    await expect(person.dialog).to_contain_text(owner.wallet)
    await person.dialog.get_by_role("button", name="Cancel").click()
    await person.told("Not confirmed, so nothing was done")
    assert house.paid(owner) == []

    await person.page.get_by_role("button", name="Pay", exact=True).click()
    await person.dialog.get_by_label("Code of your authenticator app").fill("000000")
    await person.dialog.get_by_role("button", name="Confirm").click()
    await expect(person.dialog.get_by_role("alert")).to_contain_text("wrong")
    await person.prove(owner)
    await person.told("Paid")
    assert house.paid(owner) == [f"{USUAL} to {owner.wallet}"]


async def test_an_unlike_sign_in_is_told_in_one_sentence(house: House, at_a_browser: Seat) -> None:
    """Who signs in unlike himself is asked for one more code in one sentence, which says nothing of what was unlike."""
    elsewhere = "Mozilla/5.0 (Android 14; Mobile; rv:128.0) Gecko/128.0 Firefox/128.0"
    owner, person = house.somebody_from_abroad(), await at_a_browser(house, user_agent=elsewhere)
    await person.name_himself(owner)
    await person.prove(owner)

    await expect(person.dialog.get_by_label("Code that we sent you")).to_be_visible()
    await expect(person.dialog.get_by_role("alert")).to_have_text(
        "This sign-in is unlike those before it. Confirm it by the code that was sent to a contact."
    )


async def test_a_held_payment_waits_in_sight(house: House, at_a_browser: Seat) -> None:
    """A payment to a new address is held, says why and until when, and can be stopped."""
    owner, person = house.somebody(), await at_a_browser(house)
    await person.sign_in(owner)

    await person.order("0.5", NEW_ADDRESS)
    await person.prove(owner)
    await person.told("This waits", "It goes on at")
    assert await person.page.get_by_role("status").locator("[data-code=destination_new]").count() == 1

    await person.page.get_by_role("region", name="Waiting").get_by_role("button", name="Stop it").click()
    await person.told("It is stopped")
    await expect(person.page.get_by_role("region", name="Waiting")).to_be_hidden()
    assert house.standing(owner)["holds"] == 0


async def test_sessions_are_listed_and_ended(house: House, at_a_browser: Seat) -> None:
    """An owner sees where he is signed in, and whoever he signs out is asked to sign in."""
    owner, here, there = house.somebody(), await at_a_browser(house), await at_a_browser(house)
    await here.sign_in(owner)
    await there.sign_in(owner)

    await here.open("sessions")
    listed = here.page.get_by_role("list", name="Open sessions").get_by_role("listitem")
    await expect(listed.filter(has_text="This browser")).to_have_count(1)
    for left in range(await listed.count() - 1, 0, -1):
        await listed.get_by_role("button", name="Sign it out").first.click()
        await expect(listed).to_have_count(left)
    await here.told("That session has ended")

    await there.open("sessions")
    await there.page.wait_for_url("**/sign-in.html")
    await here.page.get_by_role("button", name="Sign out", exact=True).click()
    await here.page.wait_for_url("**/sign-in.html")
    assert house.standing(owner)["sessions"] == []
    assert await here.context.cookies() == []


async def test_a_dead_line_is_said(house: House, at_a_browser: Seat) -> None:
    """Without a connection the page says so and goes on when it is back."""
    person = await at_a_browser(house)
    await person.open("sign-in")
    await person.context.route("**/sign-in", lambda route: route.abort())

    await person.page.get_by_label("E-mail address").fill("nobody@example.org")
    await person.page.get_by_role("button", name="Continue").click()
    await person.told("There is no connection")

    await person.context.unroute("**/sign-in")
    await person.page.get_by_role("button", name="Continue").click()
    await expect(person.dialog).to_be_visible()
    person.forgive(re.compile("ERR_FAILED"))
