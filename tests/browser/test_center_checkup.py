"""The check-up: what is amiss stands first, and each next step is one press away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect
from tests.browser.center import DESK, EVERY_WAY, PLAIN_PHONE, Visit, named

from holdback.web.center.checkup import STEPS_SHOWN

if TYPE_CHECKING:
    from tests.browser.center import Seat, Seen
    from tests.browser.platform_house import House

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("seen", [DESK, PLAIN_PHONE], ids=named)
async def test_a_step_is_one_press_away(house: House, at_a_browser: Seat, seen: Seen) -> None:
    """The score comes with three steps; pressing one asks for just that, and the score has grown after it."""
    visit = await Visit.of(at_a_browser, house, house.somebody(), seen)
    steps = (
        visit.page.get_by_role("list").filter(has=visit.page.get_by_role("heading", level=3)).get_by_role("listitem")
    )
    await expect(steps).to_have_count(STEPS_SHOWN)
    before = int(await visit.page.locator(".figure strong").inner_text())

    await visit.tap("Turn it on")
    await visit.prove()
    await visit.told("allow")

    await visit.go("")
    after = int(await visit.page.locator(".figure strong").inner_text())
    assert after > before
    assert house.standing(visit.owner)["settings"]["allowlist"] is True


@pytest.mark.parametrize("seen", EVERY_WAY, ids=named)
async def test_what_is_amiss_stands_first(house: House, at_a_browser: Seat, seen: Seen) -> None:
    """A freeze and what is about to be taken away stand before the score, with their instants and what stops them."""
    visit = await Visit.of(at_a_browser, house, house.somebody(), seen)
    await visit.go("/authenticators")
    await visit.tap("Suspend")
    await visit.told("allow")
    await visit.go("/contacts")
    await visit.tap("Freeze everything")
    await visit.told("allow")

    await visit.go("")
    await expect(visit.heading("Your account is frozen")).to_be_visible()
    frozen = visit.page.locator("section.note.wait")
    score = visit.page.locator("section.score")
    assert (await box(frozen))["y"] < (await box(score))["y"]
    await expect(frozen.locator("time")).to_have_count(2)
    await expect(visit.page.get_by_text(visit.say("Frozen"), exact=True)).to_be_visible()


async def box(place: object) -> dict[str, float]:
    """Where something stands on the page."""
    found = await place.bounding_box()  # type: ignore[attr-defined] # a locator
    assert found is not None
    return dict(found)
