"""Recoveries for whoever cannot sign in: what strangers learn, whose forms count, and what cookies and names carry."""

from __future__ import annotations

import re
import time
from base64 import urlsafe_b64encode
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.documents.papers import CLERK, NOW, authority, blank, hand, signed
from tests.web.browsing import FROM_HERE, HOME, Browser
from tests.web.platform_side import TOTP

from holdback import claims
from holdback.core import events as ev
from holdback.core.events import DAY, HOUR, MINUTE
from holdback.evidence.document import Documents
from holdback.papers import Papers, TooOften
from holdback.web.center.recovery import Recoveries
from holdback.web.pages import Site
from holdback.web.visitors import Visitors

if TYPE_CHECKING:
    import httpx
    from tests.web.platform_side import Web

ALICE: Final = "alice@example.com"
NOBODY: Final = "nobody@example.com"
ELSEWHERE: Final = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
LEVEL_S: Final = 0.15
MARKUP: Final = "<img src=x onerror=alert(1)>"


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer strangers at once: of the time that they are made to wait one test asks."""
    monkeypatch.setattr(claims, "LEVEL_S", 0.0)
    monkeypatch.setattr(claims, "READ_LEVEL_S", 0.0)


class Claimant(Browser):
    """Somebody at a browser who cannot sign in."""

    token = ""

    async def opens(self, name: str, key: str = "k", lost: str = "password", **headers: str) -> httpx.Response:
        """Open a recovery, and keep the key that is shown."""
        self.web.http.cookies.clear()
        fields = {"name": name, "_key": key, "lost": lost}
        answer = await self.post("/recover", fields, FROM_HERE | headers)
        found = re.search(r"data-token>([0-9a-f ]+)<", answer.text)
        self.token = found.group(1).replace(" ", "") if found else ""
        return answer

    async def case_word(self) -> str:
        """The word of the case's pages."""
        found = re.search(r'name="_word" value="([^"]+)"', (await self.get("/recover/case")).text)
        assert found is not None
        return found.group(1)

    async def shows(self, kind: str, **fields: str) -> httpx.Response:
        """Show one thing."""
        given = {name.replace("proof_", "_proof."): value for name, value in fields.items()}
        sent = {"kind": kind, "_word": await self.case_word()} | given
        return await self.post("/recover/show", sent)

    async def hands_in(self, body: bytes, name: str, word: str | None = None, **headers: str) -> httpx.Response:
        """Hand a file in, as browsers do."""
        fields = {"_word": await self.case_word() if word is None else word}
        path = f"{HOME}/recover/paper"
        return await self.web.http.post(
            path, data=fields, files={"paper": (name, body, "application/pdf")}, headers=FROM_HERE | headers
        )


@pytest.fixture
def person(web: Web) -> Claimant:
    """Nobody that is known."""
    return Claimant(web)


def plain(answer: httpx.Response, name: str) -> str:
    """A page without what is different at each look: keys, words, names and times."""
    text = re.sub(re.escape(name), "NAME", f"{answer.status_code} {answer.text}", flags=re.IGNORECASE)
    for pattern in (
        r'name="(_word|_key|_challenge)" value="[^"]*"',
        r"data-token>[^<]*<",
        r"<time[^>]*>[^<]*</time>",
    ):
        text = re.sub(pattern, "…", text)
    return text


async def sent_codes(person: Claimant) -> list[httpx.Response]:
    """Have codes sent to every kind of contact, and show wrong ones."""
    pages = []
    for channel in ("email", "sms", "email", "push"):
        sent = await person.shows("contact_code", channel=channel)
        wrong = {"channel": channel, "proof_contact_code": "00000000"}
        pages += [sent, await person.shows("contact_code", **wrong, _challenge="x")]
        found = re.search(r'name="_challenge" value="([^"]*)"', sent.text)
        if found is not None:
            pages.append(await person.shows("contact_code", **wrong, _challenge=found[1]))
    return pages


async def journey(person: Claimant, name: str) -> list[str]:
    """Everything that a stranger can do with a name, and what he is answered each time."""
    pages: list[httpx.Response] = [await person.opens(name, key=f"first {name}", lost="password")]
    first = person.token
    pages += [await person.get("/recover/case"), *await sent_codes(person)]
    for _ in range(7):
        person.web.clock.at += MINUTE
        pages.append(await person.shows("totp", proof_totp="000000"))
    pages += [
        await person.shows("backup_code", proof_backup_code="aaaa-bbbb"),
        await person.shows("passkey"),
        await person.shows("address_signature", network="bitcoin", address="bc1q"),
        await person.shows("in_person"),
        await person.shows("face"),
        await person.shows("nonsense"),
        await person.get("/recover/finish"),
        await person.get("/recover/face"),
        await person.post("/recover/finish", {"password": "x" * 20, "_word": await person.case_word()}),
        await person.hands_in(b"no paper at all", "x.pdf"),
        await person.opens(name, key=f"second {name}"),
        await person.post("/recover/key", {"name": name, "token": first}),
        await person.post("/recover/key", {"name": name, "token": "0" * 64}),
    ]
    person.web.clock.at += HOUR
    pages += [await person.opens(name, key=f"third {name}"), await person.get("/recover/case")]
    pages.append(await person.post("/recover/key", {"name": name, "token": first}))
    await person.post("/recover/key", {"name": name, "token": person.token})
    pages.append(await person.post("/recover/stop", {"_word": await person.case_word()}))
    pages.append(await person.post("/recover/key", {"name": name, "token": person.token}))
    pages.append(await person.opens(name, key=f"fourth {name}"))
    person.web.clock.at += HOUR
    pages += [await person.opens(f"  {name.upper()} ", key=f"fifth {name}"), await person.get("/recover/case")]
    return [plain(one, name) for one in pages]


async def test_names_of_nobody_answer_alike(web: Web, person: Claimant) -> None:
    """Whatever a stranger does with a name, each page says the same whether or not anybody has it."""
    began = web.clock.at
    alices = await journey(person, ALICE)
    web.clock.at = began
    others = await journey(person, NOBODY)
    assert [place for place, pair in enumerate(zip(alices, others, strict=True)) if pair[0] != pair[1]] == []
    assert sum('data-trouble="under_way"' in one for one in alices) == 2
    assert sum('data-trouble="over"' in one for one in alices) == 3
    assert sum('data-trouble="withdrawn"' in one for one in alices) == 1
    assert "200 " in alices[0]
    assert await happened(web, ev.RecoveryOpened)


async def happened(web: Web, kind: type[ev.Event]) -> list[Any]:
    """The events of a kind in alice's stream."""
    found = await web.service.store.entries("alice", 0, 1_000)
    return [event for one in found for event in ev.decode_events(one.body) if isinstance(event, kind)]


async def test_without_the_words_alike_they_differ(person: Claimant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above sees something: told everything from the start, a stranger would tell the two apart."""
    await person.opens(ALICE)
    alike = await person.shows("totp", proof_totp="000000")
    monkeypatch.setattr(claims.Claims, "_as_to_strangers", lambda _self, said, *_rest: said)
    told = await person.shows("contact_code", channel="push")
    sent = await person.shows("contact_code", channel="email")
    assert 'data-trouble="nothing"' in alike.text
    assert 'data-trouble="nothing"' in told.text
    assert "Type the code" in sent.text


async def test_a_key_of_nobodys_keeps_what_was_said(person: Claimant) -> None:
    """A case that leads nowhere remembers what was called lost, at every server with the same keys."""
    await person.opens(NOBODY, lost="passkey")
    page = " ".join((await person.get("/recover/case")).text.split())
    assert "You said that you lost: Passkey" in page
    await person.opens(NOBODY, key="again")
    fresh = claims.Claims(person.web.service)
    person.web.clock.at += HOUR
    await person.opens(NOBODY, key="later", lost="sms")
    found = await fresh.at(NOBODY, person.token)
    assert found is not None
    assert found.lost == ("sms",)
    assert await fresh.at("other@example.com", person.token) is None


async def test_the_time_tells_nothing(person: Claimant, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked with a name takes as long for a customer's as for nobody's."""
    monkeypatch.setattr(claims, "LEVEL_S", LEVEL_S)
    taken: dict[str, list[float]] = {ALICE: [], NOBODY: []}
    for round_ in range(3):
        for name, times in taken.items():
            began = time.perf_counter()
            await person.opens(name, key=f"{round_}")
            times.append(time.perf_counter() - began)
            word = await person.case_word()
            began = time.perf_counter()
            await person.post("/recover/show", {"kind": "totp", "_proof.totp": "000000", "_word": word})
            times.append(time.perf_counter() - began)
        person.web.clock.at += HOUR
    one, other = (median(times) for times in taken.values())
    assert abs(one - other) < LEVEL_S / 2
    assert min(min(times) for times in taken.values()) >= LEVEL_S


@pytest.mark.parametrize("more", [{"_device": "x" * 600}, {"_proof.totp": "x" * 9_000}, {"_challenge": "!"}])
async def test_no_field_tells_who_exists(person: Claimant, more: dict[str, str]) -> None:
    """Whatever a form carries beside what these pages put there, a customer's name is answered as nobody's is."""
    shown = []
    for name in (ALICE, NOBODY):
        answer = await person.post("/recover", {"name": name, "lost": "password", "_key": "k"} | more)
        shown.append((answer.status_code, "data-token" in answer.text))

    assert shown == [(200, True)] * 2


def test_over_tls_the_key_is_bound_to_the_host(web: Web) -> None:
    """No neighbouring host plants a thief's case, in which an owner would then show what he has (RFC 6265bis)."""
    pages = Recoveries(web.service, Site(web.service, "https://security.example", HOME, "center"))
    name, *flags = pages._kept(ALICE, "t")[1].decode().split("; ")  # noqa: SLF001 - what browsers over TLS are given
    assert name.startswith("__Host-recovery=")
    assert {"Path=/", "Secure", "HttpOnly", "SameSite=Strict"} == set(flags)


async def test_pressed_twice_it_opens_once(web: Web, person: Claimant) -> None:
    """The same form sent again brings the same key, for a customer and for nobody."""
    for name in (ALICE, NOBODY):
        await person.opens(name, key="once")
        first = person.token
        await person.opens(name, key="once")
        assert person.token == first != ""
    assert len(await happened(web, ev.RecoveryOpened)) == 1


@pytest.mark.parametrize("headers", [ELSEWHERE, {"Origin": "null"}, {}])
async def test_no_other_site_opens_or_goes_on(web: Web, person: Claimant, headers: dict[str, str]) -> None:
    """Forms of these pages count from this origin only, though nobody is signed in; and of a case with its word."""
    await person.post("/recover", {"name": ALICE, "lost": "password", "_key": "k"}, headers)
    assert not await happened(web, ev.RecoveryOpened)
    await person.opens(ALICE)
    word = await person.case_word()
    assert (
        "set-cookie" not in (await person.post("/recover/key", {"name": ALICE, "token": person.token}, headers)).headers
    )
    await person.post("/recover/stop", {"_word": word}, headers)
    await person.post("/recover/stop", {"_word": "0" * 64})
    await person.post("/recover/show", {"kind": "contact_code", "channel": "email"})
    assert not await happened(web, ev.RecoveryEnded)
    assert not await happened(web, ev.RecoveryAsked)
    assert 'data-trouble="foreign"' in (await person.hands_in(blank(), "a.pdf", word="0" * 64)).text
    assert 'data-trouble="foreign"' in (await person.hands_in(blank(), "a.pdf", **ELSEWHERE)).text


async def test_without_the_fence_another_site_opens(
    web: Web, person: Claimant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above sees something: without the look at the origin the same form opens a recovery."""
    monkeypatch.setattr(Visitors, "is_from_here", lambda *_: True)
    await person.post("/recover", {"name": ALICE, "lost": "password", "_key": "k"}, ELSEWHERE)
    assert await happened(web, ev.RecoveryOpened)


async def test_forms_without_a_body_do_nothing(web: Web, person: Claimant) -> None:
    """A form that carries nothing carries no word either."""
    await person.opens(ALICE)
    for path in ("stop", "show", "finish", "leave"):
        answer = await web.http.post(f"{HOME}/recover/{path}", content=b"", headers=ELSEWHERE)
        assert "set-cookie" not in answer.headers
    assert not await happened(web, ev.RecoveryEnded)


async def test_the_key_is_kept_where_no_script_and_no_other_site_reads(person: Claimant) -> None:
    """The cookie is of its own name, for these pages, out of reach of scripts and other sites; it can be dropped."""
    answer = await person.opens(ALICE)
    cookie = answer.headers["set-cookie"]
    name, *flags = cookie.split("; ")
    assert name.partition("=")[0].endswith("recovery")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(flags)
    assert not any(one.startswith("Max-Age") for one in flags)
    assert person.token not in str(answer.url)
    assert person.token not in (await person.get("/recover/case")).text
    gone = await person.post("/recover/leave", {"_word": await person.case_word()})
    assert "Max-Age=0" in gone.headers["set-cookie"]
    assert (await person.get("/recover/case")).headers["location"] == "/center/recover/key"


@pytest.mark.parametrize("cookie", ["", ":", "x", "!!!:abc", "/w:abc", urlsafe_b64encode(b"\xff\xfe").decode() + ":a"])
async def test_cookies_that_cannot_be_read_lead_to_the_key(person: Claimant, cookie: str) -> None:
    """Whatever stands in the cookie, the page asks for the key or says that there is no case."""
    answer = await person.web.http.get(
        f"{HOME}/recover/case", headers={"Cookie": f"recovery={cookie}; __Host-recovery={cookie}"}
    )
    assert answer.status_code in {200, 303}
    assert "data-kind" not in answer.text


async def test_names_of_files_and_people_are_text(web: Web, person: Claimant) -> None:
    """Markup in a name, or in the name of a file, is shown and never run."""
    web.service.tools = web.service.tools._replace(
        papers=Papers(web.service.tools.masters, Documents([authority().pem]))
    )
    await person.opens(MARKUP)
    pages = [await person.get("/recover/case"), await person.hands_in(blank(), MARKUP)]
    pages += [await person.post("/recover/key", {"name": MARKUP, "token": "0"}), await person.opens(MARKUP, key="b")]
    for page in pages:
        assert MARKUP not in page.text
        assert "&lt;img" in page.text


async def test_a_paper_is_read_and_forgotten(web: Web, person: Claimant) -> None:
    """Whoever signed a paper is named; one that says nothing names nobody; nothing of either is kept."""
    court = authority()
    web.service.tools = web.service.tools._replace(papers=Papers(web.service.tools.masters, Documents([court.pem])))
    web.clock.at = NOW
    await person.opens(ALICE)
    before = await web.dump()
    good = await person.hands_in(signed(blank(), hand(court)), "letter.pdf")
    assert CLERK in good.text
    assert "letter.pdf" in good.text
    bad = await person.hands_in(blank(), "letter.pdf")
    assert "Nothing in it shows who made it" in bad.text
    for body in (b"", b"hello"):
        assert CLERK not in (await person.hands_in(body, "x.pdf")).text
    assert [one for one in await web.dump() if b"letter.pdf" in one or CLERK.encode() in one] == []
    assert len(await web.dump()) == len(before)
    many = [(await person.hands_in(blank(), "x.pdf")).status_code for _ in range(claims.PAPERS_PER_H)]
    assert many[-1] == 429


@pytest.mark.parametrize("network", ["203.0.113.{}", "2001:db8:7::{}"])
async def test_floods_are_turned_away(person: Claimant, monkeypatch: pytest.MonkeyPatch, network: str) -> None:
    """One network, and no single address, opens so many in an hour, and is told when to come back, whosever name."""
    monkeypatch.setattr(claims, "OPENED_PER_H", 2)
    fresh = claims.Claims(person.web.service)
    for host, name in enumerate(("a@example.com", "b@example.com")):
        assert await fresh.opened(name, ("password",), {}, "k", network.format(host))
    for host, name in enumerate((ALICE, NOBODY)):
        with pytest.raises(TooOften):
            await fresh.opened(name, ("password",), {}, "k", network.format(2 + host))
    assert await fresh.opened(NOBODY, ("password",), {}, "k", "198.51.100.9")


async def test_what_is_missing_is_said(person: Claimant) -> None:
    """Without anything lost, or with something that cannot be lost, the form comes back and says so."""
    assert 'data-trouble="nothing_lost"' in (await person.opens(ALICE, lost="")).text
    assert 'data-trouble="nothing_lost"' in (await person.opens(ALICE, lost="car")).text
    assert 'data-trouble="foreign"' in (await person.opens("")).text
    assert 'data-trouble="foreign"' in (await person.opens("x" * 300)).text


async def test_once_something_counts_everything_is_told(web: Web, person: Claimant) -> None:
    """A right code opens the other ways, and the page says what was shown, what it waits for, and until when."""
    web.clock.at += 30 * DAY
    await person.opens(ALICE)
    assert 'data-kind="passkey"' not in (await person.get("/recover/case")).text
    went = await person.shows("totp", proof_totp=f"{TOTP}:900000")
    assert went.headers["location"] == "/center/recover/case"
    page = (await person.get("/recover/case")).text
    assert 'data-way="one_possession"' in page
    assert 'data-waits="review"' in page
    assert re.search(r"data-place>1<", page)
    for kind in ("passkey", "address_signature", "backup_code", "email_code"):
        assert f'data-kind="{kind}"' in page
    assert 'data-kind="totp"' not in page
    finish = await person.get("/recover/finish")
    assert "Begin the wait" in finish.text
    begun = await person.post(
        "/recover/finish", {"password": "copper meadow seventeen lanterns", "_word": await person.case_word()}
    )
    assert "Type the code" in begun.text
    assert "copper meadow" not in begun.text
    short = await person.post("/recover/finish", {"password": "short", "_word": await person.case_word()})
    assert 'data-trouble="refused"' in short.text
    chinese = await person.post(
        "/recover/finish",
        {"password": "short", "_word": await person.case_word()},
        FROM_HERE | {"Accept-Language": "zh"},
    )
    assert "无法使用此密码" in chinese.text
    assert "a password" not in chinese.text


async def test_a_key_that_support_had_sent_goes_on(web: Web, person: Claimant) -> None:
    """A key typed in with spaces and capitals, as people copy it, opens the case in this browser."""
    await person.opens(ALICE)
    token = person.token
    web.http.cookies.clear()
    spaced = " ".join(token[place : place + 8] for place in range(0, 64, 8)).upper()
    went = await person.post("/recover/key", {"name": f" {ALICE} ", "token": spaced})
    assert went.headers["location"] == "/center/recover/case"
    assert "Your recovery" in (await person.get("/recover/case")).text


async def test_the_owner_sees_it_and_objects(web: Web, person: Claimant) -> None:
    """The check-up says that a recovery is under way; its page says who asks, and one form doubles the wait."""
    await person.sign_in()
    assert "Nobody is trying" in (await person.get("/recovery")).text
    kept = dict(web.http.cookies)
    await person.opens(ALICE, **{"User-Agent": MARKUP})
    web.http.cookies.clear()
    web.http.cookies.update(kept)
    assert "data-recovery" in (await person.get("")).text
    page = (await person.get("/recovery")).text
    assert "127.0.0.1" in page
    assert "Open a recovery of the account" in page
    assert MARKUP not in page
    answer = await person.post("/ask", {"action": "recovery.contest", "_word": await person.word()})
    assert 'data-decision="allow"' in answer.text
    (objection,) = await happened(web, ev.RecoveryContested)
    assert objection.by.kind == "owner"
    assert "data-contested" in (await person.get("/recovery")).text


async def test_the_owner_says_what_others_know(web: Web, person: Claimant) -> None:
    """Burning takes the strongest proof, and is shown on the page until it ends."""
    await person.sign_in()
    fields = {"action": "evidence.burn", "cause": "owner", "kinds": "face", "_word": await person.word()}
    asked = await person.post("/ask", fields)
    challenge = re.search(r'name="_challenge" value="([^"]+)"', asked.text)
    assert challenge is not None, asked.text
    proofs = {f"_proof.{one['kind']}": one["response"] for one in web.proofs()}
    done = await person.post("/ask", fields | {"_challenge": challenge.group(1)} | proofs)
    assert 'data-decision="allow"' in done.text
    assert "Your face: counts for nothing until" in (await person.get("/recovery")).text
