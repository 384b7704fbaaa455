"""The freeze link: whoever looks at it changes nothing, whoever presses it stops everything."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.web.platform_side import HOME, Web, is_problem

from holdback.core.events import DAY, NoticeDue, decode_events
from holdback.web import problems

if TYPE_CHECKING:
    import httpx

MAIL_CONTACT: Final = "c1-1"
FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


def token(web: Web, account: str = "alice", purpose: str = "freeze", contact: str = MAIL_CONTACT) -> str:
    """What a notice's link carries, good for a day."""
    return web.service.tools.masters.link_token(account, "n1", contact, purpose, web.clock.at + DAY)


async def press(web: Web, text: str) -> httpx.Response:
    """Press the page's button."""
    return await web.http.post("/freeze", content=f"t={text}", headers=FORM)


async def frozen(web: Web) -> dict[str, Any] | None:
    """How the account's freeze stands."""
    freeze: dict[str, Any] | None = (await web.get("/v1/accounts/alice")).json()["freeze"]
    return freeze


async def test_looking_at_the_link_freezes_nothing(web: Web) -> None:
    """GET shows what would happen and a form, so that a mail scanner that follows links stops nobody's account."""
    link = token(web)
    before = await web.dump()

    page = await web.http.get("/freeze", params={"t": link})

    assert page.status_code == 200
    assert 'method="post" action="/freeze"' in page.text
    assert link in page.text
    assert "script" not in page.text
    assert await web.dump() == before


async def test_pressing_the_link_freezes(web: Web) -> None:
    """POST freezes at once without a sign-in, and says by whose link."""
    page = await press(web, token(web))

    assert (page.status_code, "is frozen" in page.text) == (200, True)
    freeze = await frozen(web)
    assert freeze is not None
    assert (freeze["by"], freeze["contact"]) == ("link", MAIL_CONTACT)
    pay = {
        "action": "exit.request",
        "kind": "withdrawal",
        "asset": "BTC",
        "amount": "0.01",
        "address": HOME,
        "network": "bitcoin",
    }
    answer = (await web.act(pay, web.owner(), proofs=web.proofs())).json()
    assert (answer["decision"], answer["reasons"][0]["code"]) == ("deny", "frozen")


async def test_pressing_twice_does_no_harm(web: Web) -> None:
    """A link that is pressed again answers the same page, and the account stays frozen since the first time."""
    link = token(web)
    first = await press(web, link)
    since = await frozen(web)
    web.clock.at += 60_000

    again = await press(web, link)

    assert (again.status_code, again.text) == (first.status_code, first.text)
    assert await frozen(web) == since


@pytest.mark.parametrize("why", ["empty", "forged", "altered", "overlong", "expired", "purpose", "unknown account"])
async def test_a_link_that_does_not_work_says_no_more_than_that(web: Web, why: str) -> None:
    """Forged, expired and orphaned links all get one page, looked at or pressed, and freeze nothing."""
    links = {
        "empty": "",
        "forged": base64.urlsafe_b64encode(b"\x01" * 92).decode(),
        "altered": token(web)[:-4] + "AAAA",
        "overlong": "A" * 5_000,
        "expired": token(web),
        "purpose": token(web, purpose="unsubscribe"),
        "unknown account": token(web, account="nobody"),
    }
    if why == "expired":
        web.clock.at += DAY
    before = await web.dump()

    looked = await web.http.get("/freeze", params={"t": links[why]})
    pressed = await press(web, links[why])

    nothing = await web.http.get("/freeze")
    assert {looked.status_code, pressed.status_code, nothing.status_code} == {410}
    assert looked.text == pressed.text == nothing.text
    assert await web.dump() == before


@pytest.mark.parametrize("query", ["t=a&t=b", "t=%FF", "x=1", "t=a&" + "&".join("abcdefghi")])
async def test_a_query_that_cannot_be_read_is_a_link_that_does_not_work(web: Web, query: str) -> None:
    """However broken a link arrives, its reader gets the page and not an error."""
    page = await web.http.get(f"/freeze?{query}")

    assert page.status_code == 410


@pytest.mark.parametrize("body", [b"", b"t", b"t=%FF", b"t=\xff", b"a=1&b=2&c=3&d=4&e=5"])
async def test_a_form_that_cannot_be_read_is_a_link_that_does_not_work(web: Web, body: bytes) -> None:
    """However broken a form arrives, its reader gets the page and not an error."""
    page = await web.http.post("/freeze", content=body, headers=FORM)

    assert page.status_code == 410


async def test_the_page_takes_forms_only(web: Web) -> None:
    """Another media type than a form's is refused like everywhere."""
    response = await web.http.post("/freeze", json={"t": token(web)})

    assert is_problem(response, problems.MEDIA_TYPE)


async def test_the_link_itself_may_be_posted_to(web: Web) -> None:
    """A POST to the link with no body freezes, as one types it with curl; a body that names no type does not."""
    typed = await web.http.post("/freeze", params={"t": token(web)}, content=b"t=x")
    assert is_problem(typed, problems.MEDIA_TYPE)
    assert await frozen(web) is None
    forged = await web.http.post("/freeze", params={"t": "x"})
    assert (forged.status_code, await frozen(web)) == (410, None)

    pressed = await web.http.post("/freeze", params={"t": token(web)})

    assert pressed.status_code == 200
    assert await frozen(web) is not None


async def test_a_contact_that_froze_wrongly_is_told_so(web: Web) -> None:
    """A contact that lost its right to freeze is told why its link does nothing."""
    await press(web, token(web))
    unfreeze = {"action": "account.unfreeze", "mistaken": True}
    held = (await web.act(unfreeze, web.owner(), proofs=web.proofs())).json()
    assert held["decision"] == "hold"
    await web.settle(5)
    await web.sign_in()
    assert await frozen(web) is None

    page = await press(web, token(web))

    assert page.status_code == 200
    assert "was not frozen" in page.text
    assert await frozen(web) is None


async def test_the_page_admits_its_own_style_and_nothing_else(web: Web) -> None:
    """The content security policy names the page's one style by its hash, and no script, image or frame at all."""
    page = await web.http.get("/freeze", params={"t": token(web)})

    style = re.search(r"<style>(.*)</style>", page.text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = page.headers["content-security-policy"]
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"


async def test_the_page_escapes_what_it_shows(web: Web) -> None:
    """Nothing that comes with a link becomes markup."""
    attack = '"><script>alert(1)</script>'

    page = await web.http.get("/freeze", params={"t": attack})

    assert attack not in html.unescape(page.text)


async def signed_in_with(web: Web, device: str) -> list[str]:
    """Sign in with a device, and give the links of the notices that this causes."""
    body = {"name": "alice@example.com", "proofs": web.proofs(), "context": {"device": device} if device else {}}
    answer = (await web.post("/v1/sign-ins", body)).json()
    assert answer["decision"] == "allow", answer
    entries = await web.service.store.entries("alice", 0, 1_000)
    due = [one for one in decode_events(entries[-1].body) if isinstance(one, NoticeDue)]
    masters = web.service.tools.masters
    return [masters.link_token("alice", one.notice, MAIL_CONTACT, "freeze", web.clock.at + DAY) for one in due]


async def sessions(web: Web) -> list[str]:
    """The devices that are signed in."""
    return [one["device"] for one in (await web.get("/v1/accounts/alice")).json()["sessions"]]


@pytest.mark.parametrize("device", ["a stranger's", ""])
async def test_this_was_not_me(web: Web, device: str) -> None:
    """The link in the notice of a new device signs it out and freezes; signing in again, it is new again."""
    before = await sessions(web)
    (link,) = await signed_in_with(web, device)
    assert len(await sessions(web)) == len(before) + 1

    looked = await web.http.get("/freeze", params={"t": link})
    assert "Was this not you?" in looked.text
    assert await frozen(web) is None
    pressed = await press(web, link)

    assert "The device was signed out" in pressed.text
    assert await frozen(web) is not None
    assert await sessions(web) == before
    web.clock.at += DAY
    assert len(await signed_in_with(web, device)) == 1


async def test_other_news_disowns_nothing(web: Web) -> None:
    """A link in any other notice freezes, and leaves every session as it is."""
    before = await sessions(web)
    for notice in ("n1", "999-0", "1-0", "1-d0"):
        link = web.service.tools.masters.link_token("alice", notice, MAIL_CONTACT, "freeze", web.clock.at + DAY)
        assert "Freeze your account?" in (await web.http.get("/freeze", params={"t": link})).text
        await press(web, link)
    assert await sessions(web) == before


async def test_the_link_speaks_the_readers_language(web: Web) -> None:
    """Whoever presses a link is in a hurry and reads his own language, whatever comes of it."""
    chinese = {"Accept-Language": "zh-CN,zh;q=0.9"}
    link = token(web)
    asks = await web.http.get("/freeze", params={"t": link}, headers=chinese)
    assert 'lang="zh"' in asks.text
    assert "立即冻结我的账户" in asks.text
    done = await web.http.post("/freeze", content=f"t={link}", headers=FORM | chinese)
    gone = await web.http.get("/freeze", params={"t": "x"}, headers=chinese)
    lost = await web.http.post("/freeze", content=f"t={token(web, contact='c1-9')}", headers=FORM | chinese)
    for page in (asks, done, gone, lost):
        assert (
            re.findall(r"[A-Za-z]{3,} [a-z]{2,}", re.sub(r"<style.*?</style>|<[^>]+>", "", page.text, flags=re.DOTALL))
            == []
        )
