"""After a robbery at the Security Center: everything stops, and what happened can be taken along."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect
from tests.browser.center import DESK, PHONE, PLAIN_DESK, Visit, named

from holdback.web.dressing import ENGLISH

if TYPE_CHECKING:
    from tests.browser.center import Seat, Seen
    from tests.browser.platform_house import House

pytestmark = pytest.mark.asyncio(loop_scope="session")

STORY = "Somebody called, said he was from support,\nand had me read a code to him."


@pytest.mark.parametrize("seen", [DESK, PLAIN_DESK], ids=named)
async def test_a_robbery_is_reported_and_told(house: House, at_a_browser: Seat, seen: Seen) -> None:
    """One form stops everything and opens a case with its timeline, what to do next, and files to take along."""
    visit = await Visit.of(at_a_browser, house, house.somebody(), seen)
    await visit.go("/robbed")
    await visit.page.get_by_label(visit.say("What happened, in your words")).fill(STORY)
    await visit.tap("Freeze everything and report it")
    await visit.told("allow")
    assert house.standing(visit.owner)["freeze"] is not None

    await visit.go("")
    await expect(visit.heading("Your report of a robbery is open")).to_be_visible()
    await visit.page.get_by_role("link", name=visit.say("See what happened, and what to do next")).click()
    await expect(visit.heading("What to do next")).to_be_visible()
    await expect(visit.page.locator(".entries > li").first).to_be_visible()
    await visit.page.get_by_label(visit.say("Add what you remember")).fill("It was a man.")
    await visit.tap("Add it")
    await visit.told("allow")

    await visit.go("/robbed")
    for link, read in (("As JSON", in_json), ("Take the timeline along as text", in_text)):
        async with visit.page.expect_download() as loading:
            await visit.page.get_by_role("link", name=visit.say(link)).click()
        read((await asyncio.to_thread((await (await loading.value).path()).read_bytes)).decode())


def in_json(text: str) -> None:
    """For programs it names each entry with its link."""
    story = json.loads(text)
    assert all(len(one["link"]) == 64 for one in story["timeline"])
    assert [one["entry"] for one in story["timeline"]] == sorted(one["entry"] for one in story["timeline"])


def in_text(text: str) -> None:
    """For people it tells the same."""
    assert "chain " in text
    assert "reported" in text


async def test_nobody_looked_is_said(house: House, at_a_browser: Seat) -> None:
    """Whoever was never looked at reads that, and what would stand there."""
    visit = await Visit.of(at_a_browser, house, house.somebody(), PHONE)
    await visit.page.get_by_role("link", name="Who looked").click()
    await expect(visit.page.get_by_text("Nobody looked")).to_be_visible()


async def test_the_phrase_is_that_of_the_mails(house: House, at_a_browser: Seat) -> None:
    """Every signed-in page carries the phrase that mails carry; the sign-in does not, before one is known or after."""
    owner, mark = house.somebody(), len(house.mailbox.letters)
    visit = Visit(await at_a_browser(house, **PHONE.profile), owner, ENGLISH)
    await visit.go("/sign-in")
    await expect(visit.page.locator(".phrase")).to_have_count(0)
    await visit.name_himself()
    await expect(visit.page.get_by_label("Password")).to_be_visible()
    await expect(visit.page.locator(".phrase")).to_have_count(0)

    await visit.prove()
    phrase = await visit.page.locator(".phrase strong").inner_text()
    await visit.go("/book")
    await expect(visit.page.locator(".phrase")).to_contain_text(phrase)
    letter = house.letter(mark, lambda one: one.to == owner.email)
    assert f"Your phrase: {phrase}." in letter.text
