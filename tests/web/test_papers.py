"""Handing papers in over HTTP: what was found comes back with a token, and nothing of the paper stays behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.documents import mails
from tests.documents.papers import CLERK, NOW, authority, blank, hand, signed
from tests.web.platform_side import is_problem

from holdback.evidence.document import Documents
from holdback.evidence.mail import Mails
from holdback.papers import GOOD_FOR_MS, Papers
from holdback.web import papers, problems

if TYPE_CHECKING:
    import httpx
    from tests.web.platform_side import Web

PDF: Final = "application/pdf"
MAIL: Final = "message/rfc822"


@pytest.fixture
def desk(empty: Web) -> Web:
    """An API that trusts a court's root and knows its mail server's key."""
    court = authority()
    published = mails.Published({mails.RECORD: (mails.record(),)})
    reads = Papers(empty.service.tools.masters, Documents([court.pem]), Mails(published))
    empty.service.tools = empty.service.tools._replace(papers=reads)
    empty.clock.at = NOW
    empty.order = signed(blank(), hand(court))  # type: ignore[attr-defined] # a paper for these tests
    return empty


async def handed(web: Web, body: bytes, kind: str = PDF, **headers: str) -> httpx.Response:
    """Hand something in."""
    path = "/v1/papers/mail" if kind == MAIL else "/v1/papers/pdf"
    sent = {"Content-Type": kind} | web.key("ask") | headers
    return await web.http.post(path, content=body, headers=sent)


def reads(web: Web) -> Papers:
    """What reads there."""
    found = web.service.tools.papers
    assert found is not None
    return found


async def test_a_signed_pdf_is_known_by_its_token(desk: Web) -> None:
    """The answer says who signed, and the token what was found, to this server and to nobody else."""
    answer = await handed(desk, desk.order)  # type: ignore[attr-defined] # as above
    said: dict[str, Any] = answer.json()
    assert said["outcome"] == "signed_trusted"
    assert CLERK in said["signer"]
    fact = reads(desk).fact(said["document"], NOW)
    assert fact is not None
    assert (fact.digest.hex(), len(fact.certificate)) == (said["digest"], 32)


async def test_a_signed_mail_is_known_by_its_domain(desk: Web) -> None:
    """Of a mail it is the domain that signed for its own sender."""
    said = (await handed(desk, mails.signed(), MAIL)).json()
    assert (said["outcome"], said["signer"]) == ("valid", mails.DOMAIN)
    fact = reads(desk).fact(said["document"], NOW)
    assert fact is not None
    assert (fact.domain, fact.certificate) == (mails.DOMAIN, b"")


async def test_what_proves_nothing_names_nobody(desk: Web) -> None:
    """An unsigned paper and a mail that was altered come back with their outcome, and with no signer."""
    for body, kind, outcome in (
        (blank(), PDF, "unsigned"),
        (b"no paper at all", PDF, "malformed"),
        (mails.signed().replace(b"1042.", b"1043."), MAIL, "invalid"),
    ):
        said = (await handed(desk, body, kind)).json()
        assert (said["outcome"], said["signer"]) == (outcome, "")
        fact = reads(desk).fact(said["document"], NOW)
        assert fact is not None
        assert (fact.certificate, fact.domain) == (b"", "")


async def test_without_trust_roots_nothing_is_read(empty: Web) -> None:
    """A deployment that was given no roots says so, and asks nobody for anything."""
    assert is_problem(await handed(empty, blank()), problems.UNREADABLE)
    empty.service.tools = empty.service.tools._replace(papers=Papers(empty.service.tools.masters))
    for kind in (PDF, MAIL):
        assert is_problem(await handed(empty, blank(), kind), problems.UNREADABLE)


async def test_limits_of_their_own(desk: Web) -> None:
    """Papers may be larger than questions, up to their own limit, and are of their own media type."""
    large = blank() + b"%" * 200_000
    assert (await handed(desk, large)).status_code == 200
    assert is_problem(await handed(desk, b"%PDF" * (6 * 1024 * 1024)), problems.TOO_LARGE)
    path = "/v1/papers/pdf"
    wrong = await desk.http.post(path, content=b"{}", headers={"Content-Type": "application/json"} | desk.key("ask"))
    assert is_problem(wrong, problems.MEDIA_TYPE)
    assert is_problem(await desk.http.post(path, content=blank(), headers=desk.key("ask")), problems.MEDIA_TYPE)
    assert is_problem(await desk.http.post(path, content=blank(), headers=desk.key("read")), problems.FORBIDDEN)


async def test_a_flood_of_papers_is_turned_away_unread(desk: Web) -> None:
    """More papers than there are places get an answer at once, before their bodies are taken in."""
    gate = asyncio.Event()

    class Slow:
        async def check(self, _paper: bytes, _now: int) -> Any:  # noqa: ANN401 - never comes to it
            await gate.wait()
            raise AssertionError

    masters = desk.service.tools.masters
    desk.service.tools = desk.service.tools._replace(papers=Papers(masters, Slow()))
    waiting = [asyncio.create_task(handed(desk, blank())) for _ in range(papers.AT_ONCE)]
    for _ in range(1000):
        await asyncio.sleep(0)
    assert is_problem(await handed(desk, blank()), problems.OVERLOADED)
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_token_cannot_be_made_up_and_grows_old(desk: Web) -> None:
    """Another purpose's, an altered one, one from the future or a day old says nothing; none is no paper."""
    said = (await handed(desk, mails.signed(), MAIL)).json()
    token, masters = said["document"], desk.service.tools.masters
    assert reads(desk).fact("", NOW) is None
    for document, at in (
        (token[:-2] + "AA", NOW),
        ("AAAA", NOW),
        ("not base64!", NOW),
        (masters.token("paper", b"\xc1"), NOW),
        (masters.token("other", b"\x90"), NOW),
    ):
        with pytest.raises(ValueError, match="is not what was answered"):
            reads(desk).fact(document, at)
    for at in (NOW - 1, NOW + GOOD_FOR_MS):
        with pytest.raises(ValueError, match="too old"):
            reads(desk).fact(token, at)
    assert reads(desk).fact(token, NOW + GOOD_FOR_MS - 1) is not None


async def test_a_key_that_hands_in_too_much_is_told_when_to_come_back(desk: Web) -> None:
    """Papers and what is asked as an agency count together; what staff enter does not."""
    most = desk.service.tools.policy.legal.papers_per_h
    key = desk.key("ask")
    caller = key["Authorization"].split("_")[1]
    for _ in range(most - 1):
        desk.service.handed_in(caller)
    assert (await handed(desk, desk.order)).status_code == 200  # type: ignore[attr-defined] # as above
    refused = await handed(desk, desk.order)  # type: ignore[attr-defined] # as above
    assert is_problem(refused, problems.TOO_OFTEN)
    assert 3500 < int(refused.headers["retry-after"]) <= 3600
    body = {"action": "legal.freeze_order", "actor": {"kind": "agency"}, "agency": "police", "days": 3}
    asked = await desk.http.post("/v1/accounts/alice/actions", json=body, headers=desk.fresh() | key)
    assert is_problem(asked, problems.TOO_OFTEN)
