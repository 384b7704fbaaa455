"""Vault and limits at the Security Center: tighter counts at once, looser says from when before it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect
from tests.browser.center import DESK, PHONE, PLAIN_PHONE, Visit, named

if TYPE_CHECKING:
    from playwright.async_api import Locator
    from tests.browser.center import Seat, Seen
    from tests.browser.platform_house import House

pytestmark = pytest.mark.asyncio(loop_scope="session")


def section(visit: Visit, name: str) -> Locator:
    """One of the cards."""
    return visit.page.get_by_role("region", name=visit.say(name), exact=True)


@pytest.mark.parametrize("seen", [DESK, PLAIN_PHONE], ids=named)
async def test_looser_says_from_when_before_it_is_asked(house: House, at_a_browser: Seat, seen: Seen) -> None:
    """A vault is set at once; the page says from when less of it would count, and asking for less waits till then."""
    visit = await Visit.of(at_a_browser, house, house.somebody(), seen)
    await visit.go("/limits")
    await section(visit, "Vault").get_by_label(visit.say("Share in percent")).fill("40")
    await visit.tap("Set the vault")
    await visit.prove()
    await visit.told("allow")

    await visit.go("/limits")
    share = section(visit, "Vault").get_by_label(visit.say("Share in percent"))
    looser = section(visit, "Vault").locator("[data-when=looser]")
    await expect(looser.locator("time")).to_be_visible()
    if seen.scripts:
        await share.fill("80")
        await expect(looser).to_be_hidden()
    await share.fill("10")
    await expect(looser).to_be_visible()
    said = await looser.locator("time").get_attribute("datetime")
    await visit.tap("Set the vault")
    await visit.prove()
    await visit.told("hold")
    until = await visit.page.locator("[data-decision=hold] time").first.get_attribute("datetime")
    assert said is not None
    assert until is not None
    assert until[:13] == said[:13]  # the same hour: some seconds passed in between

    await visit.go("/limits")
    await section(visit, "Vault").get_by_role("button", name=visit.say("Stop it")).click()
    await visit.told("allow")
    assert house.standing(visit.owner)["settings"]["vault"]["share"] == 40
    assert house.standing(visit.owner)["changes"] == []


async def test_a_limit_is_pushed(house: House, at_a_browser: Seat) -> None:
    """The limit for a day is typed or pushed, counts at once, and to take it off waits."""
    visit = await Visit.of(at_a_browser, house, house.somebody(), PHONE)
    await visit.go("/limits")
    await visit.page.get_by_label("The same, to be pushed").press("ArrowRight")
    await expect(visit.page.get_by_label("USD in 24 hours")).to_have_value("2000")
    await visit.tap("Set the limit")
    await visit.prove()
    await visit.told("allow")
    assert house.standing(visit.owner)["settings"]["limit_usd_per_day"] == "2000"

    await visit.go("/limits")
    await visit.tap("Take it off, after a wait")
    await visit.prove()
    await visit.told("hold")
    await visit.go("")
    await expect(visit.page.locator(".change")).to_contain_text("The limit for a day will be taken off.")


@pytest.mark.parametrize("seen", [PLAIN_PHONE], ids=named)
async def test_a_wait_of_ones_own_lengthens_all(house: House, at_a_browser: Seat, seen: Seen) -> None:
    """A longer wait of one's own counts at once, for every loosening."""
    visit = await Visit.of(at_a_browser, house, house.somebody(), seen)
    before = house.standing(visit.owner)["loosens_at"]["set"]
    await visit.go("/limits")
    await visit.page.get_by_label(visit.say("Hours, at most 720")).fill("240")
    await visit.tap("Set the wait")
    await visit.prove()
    await visit.told("allow")
    standing = house.standing(visit.owner)
    assert standing["settings"]["lock_hours"] == 240
    assert standing["loosens_at"]["set"] > before
