"""What other sites, planted cookies and names full of markup cannot do to a customer at the Security Center.

Each attack is also run with its fence taken away, and then works: else these tests would prove nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from tests.web.browsing import FROM_HERE, HOME, PAGES
from tests.web.platform_side import OTHER, PASSWORD, TOTP

from holdback.web import dressing
from holdback.web.pages import Site
from holdback.web.visitors import Visitors

if TYPE_CHECKING:
    from tests.web.browsing import Browser
    from tests.web.platform_side import Web

ELSEWHERE: Final = "https://evil.example"
MARKUP: Final = "<img src=x onerror=alert(1)>"


async def frozen(web: Web) -> bool:
    """Whether the account was stopped."""
    return (await web.get("/v1/accounts/alice")).json()["freeze"] is not None


@pytest.mark.parametrize("fenced", [True, False])
@pytest.mark.parametrize(
    ("headers", "knows_word"),
    [
        ({"Origin": ELSEWHERE, "Sec-Fetch-Site": "cross-site"}, True),
        ({"Origin": "null", "Sec-Fetch-Site": "cross-site"}, True),
        ({"Origin": "http://other.holdback.test", "Sec-Fetch-Site": "same-site"}, True),
        ({}, True),
        (FROM_HERE, False),
    ],
)
async def test_other_sites_ask_for_nothing(  # noqa: PLR0913 - the fence, and what an attacker has
    web: Web,
    browser: Browser,
    monkeypatch: pytest.MonkeyPatch,
    headers: dict[str, str],
    *,
    knows_word: bool,
    fenced: bool,
) -> None:
    """A form counts only from a page of this origin, with the word of this session (OWASP, CSRF)."""
    await browser.sign_in()
    fields = {"action": "account.freeze"} | ({"_word": await browser.word()} if knows_word else {})
    if not fenced:
        monkeypatch.setattr(Site, "is_own", lambda *_: True)

    await browser.post("/ask", fields, headers)

    assert await frozen(web) is not fenced


@pytest.mark.parametrize("fenced", [True, False])
async def test_no_other_site_signs_a_browser_in(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, *, fenced: bool
) -> None:
    """A foreign page cannot sign a customer in to the thief's own account, where he would enter what is his."""
    if not fenced:
        monkeypatch.setattr(Visitors, "is_from_here", lambda *_: True)
    foreign = {"Origin": ELSEWHERE, "Sec-Fetch-Site": "cross-site"}

    asked = await browser.post("/sign-in", {"name": "alice@example.com"}, foreign)

    assert ("_challenge" in asked.text) is not fenced


async def test_no_page_can_be_framed(browser: Browser) -> None:
    """Each page, read or refused, forbids frames, foreign content and sniffing, and is kept by no cache."""
    await browser.sign_in()
    for page in (*PAGES, "/sign-in", "/nowhere"):
        answer = await browser.get(page)
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "back",
    [
        ELSEWHERE,
        "//evil.example",
        "/\\evil.example",
        "/center//evil.example",
        "/center/..//evil.example",
        "/center@evil.example",
        "/centerevil",
        "/center/\r\nSet-Cookie: center=x",
        "javascript:alert(1)",
        "",
    ],
)
async def test_nobody_is_sent_elsewhere(browser: Browser, back: str) -> None:
    """Whatever a form says where to go on, it is a page of ours (OWASP, unvalidated redirects)."""
    answer = await browser.post("/language", {"language": "zh", "back": back})

    assert answer.headers["location"] == HOME
    assert [one.partition("=")[0] for one in answer.headers.get_list("set-cookie")] == ["language"]


async def test_a_planted_language_is_no_header(browser: Browser) -> None:
    """What is kept in a cookie cannot end it and begin another header or attribute."""
    answer = await browser.post("/language", {"language": "a; Domain=x\r\nX: y", "back": HOME})

    assert "x-" not in {name[:2] for name in answer.headers if name in {"x", "x: y"}}
    assert "Domain" not in answer.headers["set-cookie"].partition(";")[2]


@pytest.mark.parametrize("fenced", [True, False])
async def test_names_stay_names(web: Web, browser: Browser, monkeypatch: pytest.MonkeyPatch, *, fenced: bool) -> None:
    """An address' label, a device's name and a user agent full of markup are shown as they are, on every page."""
    if not fenced:
        for tongue in dressing.TONGUES.values():
            monkeypatch.setattr(tongue._pages, "autoescape", False)  # noqa: SLF001 - the fence itself
            monkeypatch.setattr(tongue._pages, "cache", None)  # noqa: SLF001 - templates made with it
    await web.post(
        "/v1/sign-ins",
        {
            "name": "alice@example.com",
            "proofs": web.proofs(),
            "context": {"device": MARKUP, "user_agent": f"Mozilla/5.0 {MARKUP}", "ip": "192.0.2.9"},
        },
    )
    await browser.sign_in(user_agent=MARKUP)
    added = {"action": "address.add", "name": MARKUP, "network": "bitcoin", "address": OTHER}
    answer = await web.act(added, web.owner(), proofs=web.proofs())
    assert answer.json()["decision"] == "allow"

    texts = [(await browser.get(page)).text for page in PAGES]

    assert any("&lt;img src=x" in text for text in texts) is fenced
    assert any("<img src=x" in text for text in texts) is not fenced


async def test_a_planted_session_is_never_filled(web: Web, browser: Browser) -> None:
    """Signing in makes a new session, whatever cookie a thief planted before; the planted one stays worth nothing."""
    planted = "alice:" + "A" * 43
    web.http.cookies.set("center", planted, domain="holdback.test", path="/")

    await browser.sign_in()

    kept = next(one.value for one in web.http.cookies.jar if one.name == "center" and one.domain.startswith("holdback"))
    assert kept != planted
    web.http.cookies.clear()
    web.http.cookies.set("center", planted, domain="holdback.test", path="/")
    assert (await browser.get()).headers["location"] == f"{HOME}/sign-in"


async def test_a_session_of_one_reads_nobody_else(web: Web, browser: Browser) -> None:
    """The account in the cookie is no claim: it must be the one that the session was given for."""
    await web.enrol("bob", "bob@example.com", "bob@example.com")
    await browser.sign_in()
    token = browser.cookie.partition(":")[2]
    web.http.cookies.clear()
    web.http.cookies.set("center", f"bob:{token}", domain="holdback.test", path="/")

    assert (await browser.get()).headers["location"] == f"{HOME}/sign-in"


async def test_the_cookie_is_out_of_reach(browser: Browser) -> None:
    """No script reads the session, and no other site's request carries it."""
    answer = await browser.sign_in()

    flags = answer.headers["set-cookie"]
    assert "HttpOnly" in flags
    assert "SameSite=Strict" in flags
    assert "Path=/" in flags


def test_over_tls_the_cookie_is_bound_to_the_host(web: Web) -> None:
    """With TLS the cookie's name has browsers refuse one that a neighbouring host plants (RFC 6265bis)."""
    name, _, rest = (
        Visitors(web.service, "https://security.example", HOME, "center").kept("alice", "t")[1].partition(b"=")
    )
    assert name == b"__Host-center"
    assert rest.startswith(b"alice:t; ")
    assert b"Secure" in rest
    assert b"Domain" not in rest


@pytest.mark.parametrize("planted", ['x={"a":1}', "x=\xe9", "x=" + "y" * 8_000, 'a="', "center", "=center=bob:t"])
async def test_no_neighbours_cookie_signs_anybody_out(web: Web, browser: Browser, planted: str) -> None:
    """Whatever other hosts of the platform leave in a browser, and however long, the session beside it is read."""
    await browser.sign_in()
    kept = f"center={browser.cookie}"
    web.http.cookies.clear()

    for both in (f"{planted}; {kept}", f"{kept}; {planted}"):
        answer = await web.http.get(HOME, headers={b"Cookie": both.encode("latin-1")})
        assert answer.status_code == 200, both


async def test_a_form_is_asked_once_from_wherever_it_is_sent(web: Web, browser: Browser) -> None:
    """A form that is sent again from another network or program brings the same answer; another form its own."""
    await browser.sign_in()
    form = {"action": "limit.set", "usd_per_day": "100", "_key": "page", "_word": await browser.word()}
    first = await browser.post("/ask", form)
    seen = (await web.get("/v1/accounts/alice")).json()["seq"]

    again = await browser.post("/ask", form, FROM_HERE | {"User-Agent": "another"})
    other = await browser.post("/ask", form | {"usd_per_day": "none"})

    assert [one.text.count("data-trouble") for one in (first, again, other)] == [0, 0, 0]
    assert (await web.get("/v1/accounts/alice")).json()["seq"] == seen + 1


async def test_no_secret_is_on_a_page(browser: Browser) -> None:
    """Neither the session's token nor a secret of an authenticator stands in any page."""
    await browser.sign_in()
    token = browser.cookie.partition(":")[2]
    assert token

    for page in PAGES:
        text = (await browser.get(page)).text
        assert token not in text
        assert PASSWORD not in text
        assert TOTP not in text
