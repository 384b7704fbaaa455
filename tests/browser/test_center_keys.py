"""API keys at the Security Center: made with limits, shown once, and stopped in one press."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect
from tests.browser.center import DESK, PLAIN_PHONE, Visit, named

if TYPE_CHECKING:
    from tests.browser.center import Seat, Seen
    from tests.browser.platform_house import House

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("seen", [DESK, PLAIN_PHONE], ids=named)
async def test_a_key_is_made_and_stopped(house: House, at_a_browser: Seat, seen: Seen) -> None:
    """A key is made for what is ticked, its secret shown once, its marks say what is amiss, and one press stops it."""
    visit = await Visit.of(at_a_browser, house, house.somebody(), seen)
    await visit.go("/keys")
    await visit.page.get_by_label(visit.say("Name"), exact=True).fill("market maker")
    await visit.page.get_by_label(visit.say("Read"), exact=True).check()
    await visit.page.get_by_label(visit.say("Trade"), exact=True).check()
    await visit.page.get_by_label(visit.say("Pairs it may trade, one a line, such as BTC/USD; none for any")).fill(
        "BTC/USD"
    )
    await visit.page.get_by_label(visit.say("Days it is good for, at most 3650")).fill("30")
    await visit.tap("Make the key")
    await visit.prove()
    await expect(visit.heading("Keep this. It is shown once.")).to_be_visible()
    shown = await visit.page.locator(".secret").all_inner_texts()
    assert any(len(one.strip()) > 20 for one in shown), shown

    await visit.go("/keys")
    later = await visit.page.locator("main").inner_text()
    assert not any(one.strip() in later for one in shown if len(one.strip()) > 20)
    made = visit.page.locator("main > .cards > li")
    await expect(made).to_contain_text("market maker")
    await expect(made).to_contain_text(visit.say("It may be used from anywhere."))
    await expect(made).to_contain_text(visit.say("Never used"))
    await visit.tap("Suspend")
    await visit.told("allow")

    await visit.go("/keys")
    await expect(made).to_contain_text(visit.say("It is suspended."))
    await visit.tap("Revoke")
    await visit.told("allow")
    await visit.go("/keys")
    await expect(made).to_have_count(0)
