"""Devices at the Security Center: where one is signed in, what is not one's own, and signing out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect
from tests.browser.center import DESK, EVERY_WAY, PHONE, PLAIN_DESK, Visit, named

if TYPE_CHECKING:
    from tests.browser.center import Seat, Seen
    from tests.browser.platform_house import House

pytestmark = pytest.mark.asyncio(loop_scope="session")

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.mark.parametrize("seen", EVERY_WAY, ids=named)
async def test_whoever_leaves_is_signed_out(house: House, at_a_browser: Seat, seen: Seen) -> None:
    """One button on every page signs out: the session is over, the cookie gone, and the way back asks who it is."""
    visit = await Visit.of(at_a_browser, house, house.somebody(), seen)
    before = len(house.standing(visit.owner)["sessions"])

    await visit.go("/limits")
    await visit.tap("Sign out")

    await expect(visit.page.get_by_text(visit.say("You are signed out."))).to_be_visible()
    assert len(house.standing(visit.owner)["sessions"]) == before - 1
    await visit.go("/limits")
    await expect(visit.heading("Sign in")).to_be_visible()


async def test_a_stranger_is_seen_and_stopped(house: House, at_a_browser: Seat) -> None:
    """Each session shows its program, place and time; "not me" signs that device out for good and freezes."""
    owner = house.somebody()
    stranger = await at_a_browser(house, user_agent=FIREFOX, **DESK.profile)
    there = Visit(stranger, owner, DESK.language)
    await there.sign_in()
    here = await Visit.of(at_a_browser, house, owner, PHONE)

    await here.go("/sessions")
    mine = here.page.get_by_role("listitem").filter(has_text=here.say("This one"))
    await expect(mine).to_have_count(1)
    await expect(mine.get_by_role("button", name=here.say("Not me: sign it out and freeze"))).to_have_count(0)
    theirs = here.page.get_by_role("list", name=here.say("Signed in now")).get_by_role("listitem")
    theirs = theirs.filter(has_text="Firefox on Windows")
    await expect(theirs).to_contain_text("127.0.0.1")
    await theirs.get_by_role("button", name=here.say("Not me: sign it out and freeze")).click()

    await here.told("allow")
    standing = house.standing(owner)
    assert standing["freeze"]["by"] == "owner"
    await there.go("")
    await expect(there.heading("Sign in")).to_be_visible()
    await here.go("/sessions")
    known = here.page.get_by_role("list", name=here.say("Devices that signed in")).get_by_role("listitem")
    await expect(known.filter(has_text="Firefox on Windows")).to_contain_text("is not yours")


async def test_whoever_was_signed_out_comes_back(house: House, at_a_browser: Seat) -> None:
    """When a session is over, what is asked is not done, a page says so, and signing in leads back to what was read."""
    owner = house.somebody()
    here, there = await Visit.of(at_a_browser, house, owner), await Visit.of(at_a_browser, house, owner, PLAIN_DESK)
    await there.go("/sessions")
    await there.tap("Sign out everywhere")
    await expect(there.page.get_by_text("You are signed out.")).to_be_visible()

    await here.tap("Freeze everything")
    await expect(here.page.get_by_text("was not done")).to_be_visible()
    assert house.standing(owner)["freeze"] is None
    await here.go("/contacts")
    await here.name_himself()
    await here.prove()
    await here.page.wait_for_url("**/center/contacts")
    await expect(here.heading("Where we reach you")).to_be_visible()
