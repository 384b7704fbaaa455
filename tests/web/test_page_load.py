"""Readers of pages take no room from owners who stop something, and none takes all that there is for readers."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from tests.web.browsing import Browser
from tests.web.platform_side import Web

from holdback.views import Views
from holdback.web import pages
from holdback.web.center.robbery import timeline

if TYPE_CHECKING:
    from holdback.views import HoldsPage, IncidentForm


@pytest.mark.parametrize("bound", [{"READERS": 1}, {"OWN_READERS": 1, "OWN_WAITING": 0}], ids=["all", "one session"])
async def test_readers_are_shed_in_words_and_a_freeze_is_not(
    web: Web, monkeypatch: pytest.MonkeyPatch, bound: dict[str, int]
) -> None:
    """Who finds no place to read is told in words when to come back, and freezes from there: that needs none."""
    for name, most in bound.items():
        monkeypatch.setattr(pages, name, most)
    await Browser(web).sign_in()
    bounded = Web(web.service, web.clock)
    bounded.http.cookies = web.http.cookies
    browser = Browser(bounded)
    reading, go_on, holds = asyncio.Event(), asyncio.Event(), Views.holds

    async def slowly(views: Views, account: str, after: int, limit: int) -> HoldsPage | None:
        reading.set()
        await go_on.wait()
        return await holds(views, account, after, limit)

    monkeypatch.setattr(Views, "holds", slowly)
    first = asyncio.create_task(browser.get("/holds"))
    await reading.wait()

    shed = await browser.get("/limits")
    found = dict(re.findall(r'name="(action|_word|_key)" value="([^"]+)"', shed.text))
    frozen = await browser.post("/ask", found)
    go_on.set()

    assert (shed.status_code, shed.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert int(shed.headers["retry-after"]) >= 1
    assert 'data-status="503"' in shed.text
    assert 'data-decision="allow"' in frozen.text
    assert (await first).status_code == 200
    assert (await browser.get("/limits")).status_code == 200


async def test_a_page_works_out_no_more_of_a_story_than_it_shows(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a long story the page reads what it shows; the file has all of it."""
    await browser.sign_in()
    word, asked = await browser.word(), list[int]()
    await browser.post("/ask", {"action": "incident.report", "story": "x", "_word": word})

    async def counted(account: str, case: IncidentForm, log: object, most: int = -1) -> object:
        asked.append(most)
        return await timeline(account, case, log, most if most > 0 else 10)  # type: ignore[arg-type] # it is the log

    monkeypatch.setattr("holdback.web.center.robbery.timeline", counted)
    await browser.get("/robbed")
    await browser.get("/robbed/story.txt")

    assert asked == [pages.PAGE, -1]
