"""What people read when something does not work: words in their language and never a program's error."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest
from tests.web.browsing import HOME

from holdback.core.events import DAY
from holdback.ports import StoreUnavailable

if TYPE_CHECKING:
    from tests.web.browsing import Browser
    from tests.web.platform_side import Web

READER: Final = {"Accept": "text/html,application/xhtml+xml", "Accept-Language": "zh"}
FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{HOME}/nowhere", 404),
        (f"{HOME}/sign-out", 405),
        (f"{HOME}/language", 405),
        (f"{HOME}/recover/nowhere", 404),
        ("/face?account=alice", 400),
    ],
)
async def test_a_wrong_address_is_said_in_words(web: Web, path: str, status: int) -> None:
    """An address that no page has, or that only forms are sent to, is a page for a browser, in its language."""
    answer = await web.http.get(path, headers=READER)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert '<html lang="zh">' in answer.text


@pytest.mark.parametrize(("path", "body"), [("/freeze", b"x" * 100_000), ("/face", b"account=&token=")])
async def test_a_form_that_cannot_be_taken_is_said_in_words(web: Web, path: str, body: bytes) -> None:
    """So is a form of a mail's link or of a face check that is too large, or lacks what it must have."""
    answer = await web.http.post(path, content=body, headers=READER | FORM)
    program = await web.http.post(path, content=body, headers=FORM)

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert program.headers["content-type"] == "application/problem+json"
    assert 400 <= answer.status_code == program.status_code < 500


async def test_a_link_that_cannot_be_followed_now_says_when(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who presses a freeze link while nothing can be decided is told that it may not be frozen, and to press again."""

    async def gone(*_: object) -> None:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(web.service.store, "read", gone)
    token = web.service.tools.masters.link_token("alice", "n1", "c1-1", "freeze", web.clock.at + DAY)
    answer = await web.http.get("/freeze", params={"t": token}, headers=READER)

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "暂时无法应答" in answer.text


async def test_signing_out_is_never_refused(web: Web, browser: Browser) -> None:
    """A browser forgets its session when its reader wants that, though the device's key that signs for it is gone."""
    await browser.sign_in()
    fields = {"_word": await browser.word(), "_dpop": "of-another-key"}

    answer = await browser.post("/sign-out", fields)

    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert (await web.http.get(answer.headers["location"])).text.count('role="status"') == 1


async def test_a_face_check_says_for_whom_it_is(web: Web) -> None:
    """Any site can send a browser here with a thief's key: the page names the account, and says when to stop."""
    page = await web.http.post("/face", data={"account": "alice", "token": "t"})

    assert "for the recovery of the account alice. If you did not open that recovery yourself, stop here" in page.text


@pytest.mark.parametrize(
    ("fields", "wrong", "kept"),
    [
        ({"action": "address.add", "name": "Bob", "network": "bitcoin", "address": "bc1qmistyped"}, "address", "Bob"),
        ({"action": "contact.add", "channel": "email", "address": "bob.example.com"}, "address", "bob.example.com"),
        ({"action": "limit.set", "usd_per_day": "a lot"}, "usd_per_day", "a lot"),
        ({"action": "incident.report", "story": "x" * 4_000}, "story", "x" * 4_000),
        ({"action": "api_key.create", "name": "bot", "scopes": "read", "ip_allowlist": "x"}, "ip_allowlist", "bot"),
        ({"action": "evidence.burn", "cause": "owner"}, "kinds", ""),
    ],
)
async def test_what_was_typed_is_kept_and_what_is_wrong_is_named(
    browser: Browser, fields: dict[str, str], wrong: str, kept: str
) -> None:
    """A form that cannot be read comes back with what was typed, and says which field to look at again."""
    await browser.sign_in()

    answer = await browser.post("/ask", fields | {"_word": await browser.word()})

    assert f'data-field="{wrong}"' in answer.text
    assert kept in answer.text
    assert all(f'name="{name}"' in answer.text for name in fields)


@pytest.mark.parametrize("action", ["incident.report", "incident.note"])
async def test_a_robbery_is_never_too_long_to_tell(browser: Browser, action: str) -> None:
    """Whatever a field of a report takes is taken: nobody's account stays open because he wrote much."""
    await browser.sign_in()
    word, name = await browser.word(), "story" if action == "incident.report" else "note"
    if action == "incident.note":
        await browser.post("/ask", {"action": "incident.report", "story": "x", "_word": word})
    found = re.search(rf'name="{name}"[^>]* maxlength="([0-9]+)"', (await browser.get("/robbed")).text)
    assert found is not None

    answer = await browser.post("/ask", {"action": action, name: "x" * int(found.group(1)), "_word": word})

    assert 'data-decision="allow"' in answer.text
