"""The exchange towards browsers: a cookie that only its own pages can use, and pages that run no other code."""

from __future__ import annotations

import re
from importlib import resources
from typing import TYPE_CHECKING, Final

import httpx
import pytest
from tests.exchange.test_exchange import ORDER, SIGNED_IN, Scene

from holdback.client import session_id
from holdback.exchange.app import Exchange
from holdback.exchange.backend import Backend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

HERE: Final = {"origin": "http://exchange.test"}
PAGES: Final = resources.files("holdback.client") / "pages"


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """The exchange before anybody has signed in, with a Holdback that lets everybody in."""
    scene = Scene(tmp_path / "books.db")
    del scene.http.headers["authorization"]
    scene.answers = {"sign_in": SIGNED_IN}
    async with scene.http:
        yield scene


async def sign_in(http: httpx.AsyncClient, **headers: str) -> httpx.Response:
    """Sign in as a page does."""
    return await http.post("/sign-in", json={"name": "alice@example.org", "cookie": True}, headers=headers)


async def test_the_token_goes_into_the_cookie_only(scene: Scene) -> None:
    """A page is told whose session it has and not by what; no other site has the cookie sent, no script reads it."""
    answer = await sign_in(scene.http, **HERE)

    assert answer.json()["account"] == "alice"
    assert "alices-new-token" not in answer.text
    kept = answer.headers["set-cookie"].lower()
    assert kept.startswith("session=alices-new-token; httponly; max-age=")
    assert "samesite=strict" in kept
    assert "secure" not in kept
    assert (await scene.http.get("/account")).json()["account"] == "alice"


async def test_over_tls_the_cookie_is_this_hosts_alone(scene: Scene) -> None:
    """Where browsers come by TLS the cookie is secure and bears the prefix that no neighbouring host can set."""
    backend = Backend(scene.signer._holdback, scene.signer, scene.till.books)  # noqa: SLF001 - the scene's own client
    app = Exchange(backend, scene.signer, scene.till.books, origin="https://exchange.test").app()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://inside.test") as http:
        answer = await sign_in(http, origin="https://exchange.test")

    assert answer.headers["set-cookie"].startswith("__Host-session=")
    assert {"Secure", "Path=/"} <= set(answer.headers["set-cookie"].split("; "))


STRANGERS: Final[dict[str, dict[str, str]]] = {
    "another site": {"origin": "https://thief.example"},
    "another port": {"origin": "http://exchange.test:81"},
    "no origin": {},
    "a hidden origin": {"origin": "null"},
    "a neighbour": HERE | {"sec-fetch-site": "same-site"},
}


@pytest.mark.parametrize("who", STRANGERS)
async def test_only_a_page_of_this_origin_asks_with_the_cookie(scene: Scene, who: str) -> None:
    """Whatever else sends the cookie along asks for nothing, and no session is put upon a browser from elsewhere."""
    refused = await sign_in(scene.http, **STRANGERS[who])
    assert (refused.status_code, refused.json()["error"]) == (403, "other_origin")
    await sign_in(scene.http, **HERE)
    scene.asked.clear()

    for path in ("/withdraw", "/transfer", "/sell", "/security", "/release/x", "/sold/x", "/sign-out"):
        answer = await scene.http.post(path, json=ORDER, headers=STRANGERS[who])
        assert (answer.status_code, answer.json()["error"]) == (403, "other_origin")
    assert scene.asked == []


async def test_signing_out_drops_the_cookie(scene: Scene) -> None:
    """Whoever signs out leaves nothing in the browser, and Holdback ends the session."""
    await sign_in(scene.http, **HERE)
    scene.answers = {"session.end": {"decision": "allow", "reasons": []}}

    answer = await scene.http.post("/sign-out", json={}, headers=HERE)

    assert answer.json()["decision"] == "allow"
    assert "max-age=0" in answer.headers["set-cookie"].lower()
    assert scene.asked[-1]["action"] == "session.end"
    assert dict(scene.http.cookies) == {}


async def test_pages_hold_no_code_and_take_none_from_elsewhere() -> None:
    """No page has a script, style or handler in it, and none names another host: the strictest policy fits them."""
    pages = {file.name: file.read_text() for file in PAGES.iterdir()}
    assert {
        "sign-in.html",
        "pay.html",
        "passkey.html",
        "authenticator.html",
        "sessions.html",
        "style.css",
    } <= pages.keys()

    for name, text in pages.items():
        assert not re.search(r"https?:|//[a-z]|@import|\beval\b|innerHTML|new Function", text.replace("// ", "")), name
        if name.endswith(".html"):
            assert not re.search(r"<script(?![^>]* src=)|<style| style=| on[a-z]+=", text), name
            used = re.findall(r' (?:src|href)="([^"#:]+)"', text)
            assert set(used) <= pages.keys(), name


async def test_every_file_is_served(scene: Scene) -> None:
    """The page set is served as it is packaged, asked for anew each time, and `/` leads to the shop window."""
    for file in PAGES.iterdir():
        answer = await scene.http.get(f"/pages/{file.name}")
        assert answer.content == file.read_bytes()
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["content-type"].partition(";")[0] in {"text/html", "text/css", "text/javascript"}

    assert (await scene.http.get("/")).headers["location"] == "/shop"
    assert (await scene.http.get("/pages/../app.py")).status_code == 404
    assert (await scene.http.get("/account")).headers["cache-control"] == "no-store"


async def test_a_page_shows_which_session_is_its_own(scene: Scene) -> None:
    """An owner is shown where he is signed in, his own session marked, and nothing that only the platform may know."""
    await sign_in(scene.http, **HERE)
    mine = session_id("alices-new-token")
    scene.stands = {"name": "alice@example.org", "head": "00", "sessions": [{"id": mine}, {"id": "0" * 32}]}

    shown = (await scene.http.get("/security")).json()

    assert shown["sessions"] == [{"id": mine, "mine": True}, {"id": "0" * 32, "mine": False}]
    assert "head" not in shown
    assert "name" not in shown


async def test_a_copied_cookie_that_only_reads_is_told_of_too(scene: Scene) -> None:
    """A dry run tells nobody: what is refused for want of the device's key is asked in earnest, so the owner hears."""
    await sign_in(scene.http, **HERE)
    scene.asked.clear()
    refusal: dict[str, object] = {
        "code": "device_key_required",
        "text": "",
        "satisfied_by": [],
        "until": None,
        "about": "",
    }
    scene.session = {"decision": "deny", "reasons": [refusal]}

    for path in ("/account", "/security"):
        assert (await scene.http.get(path)).status_code == 401

    assert [one["action"] for one in scene.asked] == ["session.end"] * 2
    scene.session = {"decision": "deny", "reasons": [refusal | {"code": "session_ended"}]}
    assert (await scene.http.get("/account")).status_code == 401
    assert len(scene.asked) == 2


async def test_a_stopped_order_waits_no_more(scene: Scene) -> None:
    """An order that its owner stops at Holdback is dropped here too; what pays goes through other doors."""
    await sign_in(scene.http, **HERE)
    scene.till.books.keep_held("alice", "x9", {"action": "exit.request"})
    scene.answers["exit.cancel"] = {"decision": "allow", "reasons": []}

    await scene.http.post("/security", json={"action": {"action": "exit.cancel", "which": "x9"}}, headers=HERE)
    paying = await scene.http.post("/security", json={"action": {"action": "exit.request"}}, headers=HERE)

    assert scene.till.books.held("alice") == {}
    assert (paying.status_code, paying.json()["error"]) == (400, "not_here")
