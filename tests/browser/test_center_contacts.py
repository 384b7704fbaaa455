"""Contacts at the Security Center: added, confirmed by what arrives there, removed after a wait, or given away."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect
from tests.browser.center import DESK, PLAIN_PHONE, Visit, named

if TYPE_CHECKING:
    from playwright.async_api import Locator
    from tests.browser.center import Seat, Seen
    from tests.browser.platform_house import House

pytestmark = pytest.mark.asyncio(loop_scope="session")

CODE = re.compile(r"Your code: (\S+)")


def cards(visit: Visit) -> Locator:
    """The contacts."""
    return visit.page.locator("main > .cards > li")


@pytest.mark.parametrize("seen", [DESK, PLAIN_PHONE], ids=named)
async def test_a_contact_counts_once_its_code_was_shown(house: House, at_a_browser: Seat, seen: Seen) -> None:
    """A new contact is sent a code, is confirmed by it, says from when it counts, and that its links freeze."""
    visit = await Visit.of(at_a_browser, house, house.somebody(), seen)
    mark, address = len(house.mailbox.letters), f"second-{visit.owner.account}@example.net"
    await visit.go("/contacts")
    await visit.page.get_by_label(visit.say("Address or number")).fill(address)
    await visit.tap("Add")
    await visit.prove()
    await visit.told("allow")
    sent = CODE.search(house.letter(mark, lambda one: one.to == address).text)
    assert sent is not None

    await visit.go("/contacts")
    added = cards(visit).filter(has_text="s***@example.net")
    await expect(added).to_contain_text(visit.say("Not confirmed yet. Show the code that was sent there."))
    await added.get_by_label(visit.say("Code that we sent there")).fill(sent.group(1))
    await visit.tap("Confirm")
    await visit.told("allow")

    await visit.looks_until_told("/contacts", added.locator("time"))
    await expect(added).to_contain_text(visit.say("Its links freeze the account."))


@pytest.mark.parametrize("seen", [DESK, PLAIN_PHONE], ids=named)
async def test_a_number_that_was_given_away_is_reported(house: House, at_a_browser: Seat, seen: Seen) -> None:
    """A contact that somebody else has now is told nothing more, and what lives there proves nothing any more."""
    visit = await Visit.of(at_a_browser, house, house.somebody(), seen)
    await visit.go("/contacts")
    number = cards(visit).filter(has=visit.page.get_by_role("heading", name=re.compile(r"^\*\*\*\d")))
    await number.get_by_role("button", name=visit.say("This is not mine any more")).click()
    await visit.prove()
    await visit.told("allow")

    await visit.go("/contacts")
    await expect(
        cards(visit).filter(has_text=visit.say("Reported as given away: nothing is sent there."))
    ).to_have_count(1)
    await visit.go("/authenticators")
    shown = visit.page.get_by_text(visit.say("Its number or mailbox was given away: it proves nothing."))
    await expect(shown).to_be_visible()


async def test_a_contact_goes_after_a_wait(house: House, at_a_browser: Seat) -> None:
    """To remove a contact waits, which stands on the page with what stops it."""
    visit = await Visit.of(at_a_browser, house, house.somebody(), DESK)
    await visit.go("/contacts")
    number = cards(visit).filter(has=visit.page.get_by_role("heading", name=re.compile(r"^\*\*\*\d")))
    await number.get_by_role("button", name=visit.say("Remove, after a wait")).click()
    await visit.prove()
    await visit.told("hold")

    await visit.go("/contacts")
    await expect(visit.page.locator(".change")).to_have_count(1)
    await visit.tap("Stop it")
    await visit.told("allow")
    assert house.standing(visit.owner)["changes"] == []
