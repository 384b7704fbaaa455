"""Ways of confirming at the Security Center: suspended in one press, removed after a wait that can be stopped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyotp
import pytest
from playwright.async_api import expect
from tests.browser.center import DESK, EVERY_WAY, PHONE, PLAIN_DESK, PLAIN_PHONE, Visit, named

if TYPE_CHECKING:
    from playwright.async_api import Locator
    from tests.browser.center import Seat, Seen
    from tests.browser.platform_house import House

pytestmark = pytest.mark.asyncio(loop_scope="session")


def card(visit: Visit, kind: str) -> Locator:
    """The card of a way of confirming that one has."""
    heading = visit.page.get_by_role("heading", name=visit.say(kind), level=2)
    return visit.page.get_by_role("listitem").filter(has=heading)


@pytest.mark.parametrize("seen", EVERY_WAY, ids=named)
async def test_one_press_suspends(house: House, at_a_browser: Seat, seen: Seen) -> None:
    """A way of confirming is suspended by one press, without proof; to use it again waits, and that can be stopped."""
    visit = await Visit.of(at_a_browser, house, house.somebody(), seen)
    await visit.go("/authenticators")
    await expect(card(visit, "Authenticator app")).to_contain_text(visit.say("It counts for everything."))
    await card(visit, "Text message").get_by_role("button", name=visit.say("Suspend"), exact=True).click()
    await visit.told("allow")

    await visit.go("/authenticators")
    await expect(card(visit, "Text message")).to_contain_text(visit.say("Suspended: it proves nothing."))
    await visit.tap("Use it again, after a wait")
    await visit.prove()
    await visit.told("hold")
    await visit.go("/authenticators")
    await expect(visit.button("Use it again, after a wait")).to_have_count(0)
    await visit.tap("Stop it")
    await visit.told("allow")
    assert house.standing(visit.owner)["changes"] == []


@pytest.mark.parametrize("seen", [PLAIN_DESK, DESK], ids=named)
async def test_an_app_is_added_by_its_picture(house: House, at_a_browser: Seat, seen: Seen) -> None:
    """A new authenticator app reads a picture, or the text below it, and is confirmed by a code of its own."""
    visit = await Visit.of(at_a_browser, house, house.somebody(), seen)
    await visit.go("/authenticators")
    await visit.tap("Add the app")
    await visit.prove()
    await expect(visit.page.locator("img.qr")).to_be_visible()
    secret = await visit.page.locator("code").first.inner_text()

    await visit.page.get_by_label(visit.say("Code of your authenticator app")).fill(pyotp.TOTP(secret).now())
    await visit.tap("Confirm")

    await visit.told("allow")
    kinds = [one["kind"] for one in house.standing(visit.owner)["authenticators"] if one["confirmed"]]
    assert kinds.count("totp") == 2


@pytest.mark.parametrize("seen", [PHONE, PLAIN_PHONE], ids=named)
async def test_backup_codes_are_shown_once(house: House, at_a_browser: Seat, seen: Seen) -> None:
    """Backup codes are shown to be written down, and never again."""
    visit = await Visit.of(at_a_browser, house, house.somebody(), seen)
    await visit.go("/authenticators")
    await visit.tap("Make the codes")
    await visit.prove()

    await expect(visit.heading("Keep this. It is shown once.")).to_be_visible()
    codes = await visit.page.locator(".secret code").all_inner_texts()
    assert len({one for one in codes if re.search(r"\w{4}", one)}) > 1
    await visit.go("/authenticators")
    await expect(card(visit, "Backup codes")).to_be_visible()
    assert codes[0] not in await visit.page.content()


async def test_taking_one_away_waits(house: House, at_a_browser: Seat) -> None:
    """To remove a way of confirming says from when on before it is asked, and after it, with what stops it."""
    visit = await Visit.of(at_a_browser, house, house.somebody(), PHONE)
    await visit.go("/authenticators")
    await expect(visit.page.locator("small").filter(has_text="asked for now, until").locator("time")).to_be_visible()

    await card(visit, "Text message").get_by_role("button", name=visit.say("Remove, after a wait")).click()
    await visit.prove()
    await visit.told("hold")

    await visit.go("")
    await expect(visit.page.locator(".change")).to_contain_text("A way of confirming will be removed: Text message.")
    await visit.tap("Stop it")
    await visit.told("allow")
    assert house.standing(visit.owner)["changes"] == []
