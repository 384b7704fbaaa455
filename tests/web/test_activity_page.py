"""The page of an account's activity: filtered, paged, in the reader's language, and with what proves each entry."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest
from tests.web.browsing import PAGES

from holdback import wiring
from holdback.activity import Kind
from holdback.addresses import invented
from holdback.core.rules.staff import TicketOpen
from holdback.views import Views
from holdback.web.pages import PAGE

if TYPE_CHECKING:
    from tests.web.browsing import Browser
    from tests.web.platform_side import Web

NETWORK: Final = wiring.load_policy("default").networks["bitcoin"]
CHINESE: Final = {"Accept-Language": "zh-CN"}


def main_of(page: str) -> str:
    """The page without what all pages share."""
    return page.partition("<main")[2].partition("</main>")[0]


def titles(page: str) -> list[str]:
    """What the entries are called."""
    return re.findall(r"<h2>([^<]*)</h2>\n<p><small>", page)


async def asked_often(browser: Browser, times: int) -> None:
    """Ask for a longer wait, so often: each is an entry of the log."""
    word = await browser.word()
    for number in range(times):
        form = {"action": "lock.set", "hours": str(100 + number), "_word": word}
        assert (await browser.post("/ask", form)).status_code == 200


async def test_every_kind_is_a_page_of_its_own(web: Web, browser: Browser) -> None:
    """A filter is a link that says which one is on; what fits it is shown, an empty one says what would stand there."""
    await browser.sign_in()
    await asked_often(browser, 2)
    for kind in Kind:
        page = main_of((await browser.get(f"/activity?kind={kind}")).text)
        assert f'<a href="?kind={kind}" aria-current="page">' in page
        assert page.count("aria-current") == 1
        assert titles(page) or 'class="note"' in page
    assert "Set how long loosening waits" in titles(main_of((await browser.get("/activity?kind=settings")).text))[0]
    assert "Sign in: done" in titles(main_of((await browser.get("/activity?kind=sign-ins")).text))
    assert "Nobody has looked at this account" in (await browser.get("/activity?kind=readers")).text
    await web.service.record("alice", TicketOpen("t-1"))
    assert "Open a ticket" in (await browser.get("/activity?kind=readers")).text


async def test_an_unknown_kind_shows_everything(browser: Browser) -> None:
    """A link from elsewhere that names no kind of ours shows the beginning of everything."""
    await browser.sign_in()
    page = main_of((await browser.get("/activity?kind=nonsense&cursor=x")).text)
    assert '<a href="?kind=all" aria-current="page">' in page
    assert titles(page)
    assert "nonsense" not in page


async def test_long_lists_are_paged_and_keep_their_filter(browser: Browser) -> None:
    """25 entries at a time; the next page goes on with the same filter, where the last one ended, to the beginning."""
    await browser.sign_in()
    await asked_often(browser, PAGE + 5)
    seen: list[str] = []
    sizes: list[int] = []
    path = "/activity?kind=settings"
    while path:
        page = main_of((await browser.get(path)).text)
        found = re.findall(r'id="entry-(\d+)"', page)
        seen, sizes = seen + found, [*sizes, len(found)]
        link = re.search(r'class="button" href="([^"]+)"', page)
        path = f"/activity{link.group(1).replace('&amp;', '&')}" if link else ""
    assert sizes[0] == PAGE
    assert len(seen) == len(set(seen)) >= PAGE + 5
    assert seen == sorted(seen, key=int, reverse=True)


async def test_each_entry_shows_what_proves_it(web: Web, browser: Browser) -> None:
    """The link of an entry and the one before it stand there, as the platform reads them, with how to check them."""
    await browser.sign_in()
    page = main_of((await browser.get("/activity")).text).replace("<wbr>", "")
    events = await Views(web.service).events("alice", 0, 200)
    assert events is not None
    links = {one.seq: one.link for one in events.items}
    for number, shown in re.findall(r'id="entry-(\d+)"(.*?)</li>\n', page, re.DOTALL):
        assert f"<code>{links[int(number)]}</code>" in shown
        assert f"<code>{links.get(int(number) - 1, '0' * 64)}</code>" in shown
    assert "holdback verify alice" in page


@pytest.mark.parametrize("path", ["/activity", "/activity?kind=sign-ins"])
async def test_the_log_is_read_in_chinese(browser: Browser, path: str) -> None:
    """Nothing of an entry is left in English, with the dates of the language."""
    browser.web.http.headers.update(CHINESE)
    await browser.sign_in()
    page = main_of((await browser.get(path)).text)
    shown = re.sub(r"<code.*?</code>|<[^>]+>", " ", page)
    assert re.search(r"登录\W已完成", shown)
    assert re.search(r"\d{4}年\d+月\d+日 \d\d:\d\d UTC", shown)
    assert re.findall(r"\b(?!bitcoin)[A-Za-z]{2,} [a-z]{2,}", shown) == []


async def test_what_is_confirmed_is_asked_in_chinese(browser: Browser) -> None:
    """Beside the proofs stands what they would do in the page's language; a reason for a refusal, too."""
    browser.web.http.headers.update(CHINESE)
    await browser.sign_in()
    form = {"action": "lock.set", "hours": "0", "_word": await browser.word()}
    page = main_of((await browser.post("/ask", form)).text)
    assert re.search(r"更改设置\W设置锁定时间", page)
    refused = await browser.post("/ask", {"action": "exit.cancel", "which": "x1", "_word": form["_word"]})
    assert "没有这个名称的内容。请检查现有内容。" in refused.text


async def test_no_page_is_left_in_english(browser: Browser) -> None:
    """Who reads Chinese finds no English on any page, of what waits, was asked, was refused or happened."""
    browser.web.http.headers.update(CHINESE)
    await browser.sign_in()
    word = await browser.word()
    asked = [
        {"action": "lock.set", "hours": "100"},
        {"action": "lock.set", "hours": "0"},
        {"action": "vault.set", "share": "40", "hours": "240"},
        {"action": "allowlist.set", "on": "true"},
        {"action": "contact.add", "channel": "email", "address": "x@y.example"},
        {"action": "exit.cancel", "which": "x1"},
        {"action": "incident.report", "story": "aa"},
    ]
    answers = [await browser.post("/ask", form | {"_word": word}) for form in asked]
    for answer in (*answers, *[await browser.get(page) for page in PAGES]):
        assert answer.status_code == 200
        shown = re.sub(r"<code.*?</code>|<select.*?</select>|<[^>]+>", " ", main_of(answer.text), flags=re.DOTALL)
        assert re.findall(r"\b(?!bitcoin)[A-Za-z]{2,} [a-z]{2,}", shown) == [], answer.url


async def test_where_somebody_was_entered_is_said_in_chinese(web: Web, browser: Browser) -> None:
    """The book says on which program an entry was made, in words of ours and in the reader's language."""
    context = {"device": "telephone", "user_agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0) Safari/604.1"}
    body = {"name": "alice@example.com", "proofs": web.proofs(), "context": context}
    session = (await web.post("/v1/sign-ins", body)).json()["session"]["token"]
    add = {"action": "address.add", "name": "rent", "network": "bitcoin", "address": invented(NETWORK, "rent")}
    actor = {"kind": "owner", "session": session}
    said = (await web.act(add | {"context": {"device": "telephone"}}, actor, proofs=web.proofs())).json()
    assert said["decision"] == "allow", said
    browser.web.http.headers.update(CHINESE)
    await browser.sign_in()
    assert "iPhone 上的 Safari" in (await browser.get("/book")).text
