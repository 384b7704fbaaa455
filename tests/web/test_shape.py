"""Every bad request gets a clear answer of one shape, and changes nothing."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest
from tests.web.platform_side import HOME, PLATFORM, Web, is_problem

from holdback.web import problems
from holdback.web.problems import KINDS, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

ACTIONS: Final = "/v1/accounts/alice/actions"
OWNER: Final = {"kind": "owner", "session": "0" * 64}


def action(**fields: object) -> bytes:
    """A withdrawal, with some fields changed; a field of None is left out."""
    whole: dict[str, object] = {
        "action": "exit.request",
        "kind": "withdrawal",
        "asset": "BTC",
        "amount": "0.25",
        "address": HOME,
        "network": "bitcoin",
        "actor": OWNER,
    }
    return json.dumps({name: value for name, value in (whole | fields).items() if value is not None}).encode()


class Bad(NamedTuple):
    """A request that must be refused, and the problem it must be refused with."""

    kind: Kind
    body: bytes = b""
    pointer: str | None = None
    method: str = "POST"
    path: str = ACTIONS
    headers: Mapping[str, str] = MappingProxyType({})


def bad(pointer: str, **fields: object) -> Bad:
    """A withdrawal that is wrong at one place."""
    return Bad(problems.BAD_REQUEST, action(**fields), pointer)


MAILBOX: Final = {"channel": "email", "address": "alice@example.com"}
NUMBER: Final = {"channel": "sms", "address": "+15550100042"}


def contact(channel: str, address: str) -> Bad:
    """A contact that nothing could be sent to."""
    asked = {"action": "contact.add", "channel": channel, "address": address, "actor": OWNER}
    return Bad(problems.BAD_REQUEST, json.dumps(asked).encode(), "/address")


def imported(pointer: str, **fields: object) -> Bad:
    """An import that is wrong at one place."""
    whole = {"action": "account.import", "name": "bob", "actor": PLATFORM, "contacts": [MAILBOX], "authenticators": []}
    return Bad(problems.BAD_REQUEST, json.dumps(whole | fields).encode(), pointer)


DEEP: Final = b'{"a":' * 20_000 + b"1" + b"}" * 20_000

BAD: Final[dict[str, Bad]] = {
    "wrong type": bad("/amount", amount=5),
    "unknown field": bad("/colour", colour="red"),
    "unknown field that needs escaping": bad("/a~1b~0c", **{"a/b~c": 1}),
    "missing field": bad("/asset", asset=None),
    "unknown action": bad("/action", action="exit.everything"),
    "empty device proof": bad("/actor/dpop", actor=OWNER | {"dpop": ""}),
    "overlong device proof": bad("/actor/dpop", actor=OWNER | {"dpop": "x" * 2_049}),
    "device proof of nobody's": bad("/actor/dpop", actor=PLATFORM | {"dpop": "x"}),
    "device proof for no method": bad("/context/method", actor=OWNER | {"dpop": "x"}, context={"url": "https://a.b/"}),
    "device proof for no route": bad("/context/url", actor=OWNER | {"dpop": "x"}, context={"method": "POST"}),
    "address that is none": bad("/context/ip", context={"ip": "999.1"}),
    "address with a port": bad("/context/ip", context={"ip": "203.0.113.7:443"}),
    "two addresses": bad("/context/ip", context={"ip": "203.0.113.7, 10.0.0.1"}),
    "sign-in from an address that is none": Bad(
        problems.BAD_REQUEST, b'{"name":"a","context":{"ip":"localhost"}}', "/context/ip", path="/v1/sign-ins"
    ),
    "method that no device used": bad("/context/method", context={"method": "post it"}),
    "device to disown": Bad(
        problems.BAD_REQUEST,
        json.dumps({"action": "account.freeze", "actor": OWNER, "disown": "a b"}).encode(),
        "/disown",
    ),
    "no action": bad("/action", action=None),
    "action that is no name": bad("/action", action={"a": 1}),
    "internal action": bad("/action", action="notice.outcome"),
    "negative amount": bad("/amount", amount="-1"),
    "amount with an exponent": bad("/amount", amount="1e3"),
    "absurd amount": bad("/amount", amount="9" * 40),
    "amount with a line break": bad("/amount", amount="1.5\n"),
    "amount in other digits": bad("/amount", amount="\u0661"),
    "amount that is infinite": bad("/amount", amount="Infinity"),
    "negative limit": bad(
        "/usd_per_day",
        action="limit.set",
        usd_per_day="-5",
        **dict.fromkeys(("kind", "asset", "amount", "address", "network")),
    ),
    "contact that is no mailbox": contact("email", "alice"),
    "contact that is no international number": contact("sms", "555 0100"),
    "second contact that is no number": imported("/contacts/1/address", contacts=[MAILBOX, {**NUMBER, "address": "1"}]),
    "authenticator that is no mailbox": imported(
        "/authenticators/0/address", authenticators=[{"kind": "email", "address": "@"}]
    ),
    "NUL in a name": bad("/address", address="bc1\x00"),
    "overlong field": bad("/address", address="b" * 513),
    "no actor": bad("/actor", actor=None),
    "actor that is no object": bad("/actor", actor="owner"),
    "actor of no kind": bad("/actor/kind", actor={}),
    "unknown kind of actor": bad("/actor/kind", actor={"kind": "root"}),
    "staff who says no name": bad("/actor/member", actor={"kind": "staff"}),
    "agency by platform key": bad("/actor/kind", actor={"kind": "agency"}),
    "the system itself by platform key": bad("/actor/kind", actor={"kind": "system"}),
    "API key by platform key": bad("/actor", actor={"kind": "api_key"}),
    "forged link": bad(
        "/actor/token",
        action="account.freeze",
        actor={"kind": "link", "token": "AAAA"},
        **dict.fromkeys(("kind", "asset", "amount", "address", "network")),
    ),
    "proof of an unknown kind": bad("/proofs/0/kind", proofs=[{"kind": "oath", "response": "1"}]),
    "proofs that are no list": bad("/proofs", proofs={"kind": "totp"}),
    "too many proofs": bad("/proofs", proofs=[{"kind": "totp", "response": "1"}] * 9),
    "challenge that is none": bad("/challenge", challenge="a b"),
    "dry_run that is no flag": bad("/dry_run", dry_run="yes"),
    "equity that is a number": bad("/context/equity_usd", context={"equity_usd": 5}),
    "kind that is a list": bad(
        "/kind", action="authenticator.bind", kind=[], **dict.fromkeys(("asset", "amount", "address", "network"))
    ),
    "secret that is sent": bad(
        "/secret",
        action="authenticator.bind",
        kind="totp",
        secret="x",
        **dict.fromkeys(("asset", "amount", "address", "network")),
    ),
    "number beyond all bounds": Bad(problems.BAD_REQUEST, action()[:-1] + b',"x":' + b"9" * 5_000 + b"}", ""),
    "huge float": Bad(problems.BAD_REQUEST, action()[:-1] + b',"x":1e999}', ""),
    "NaN": Bad(problems.BAD_REQUEST, action()[:-1] + b',"usd":NaN}', ""),
    "Infinity": Bad(problems.BAD_REQUEST, action()[:-1] + b',"usd":Infinity}', ""),
    "bad UTF-8": Bad(problems.BAD_REQUEST, b'{"action":"\xff\xfe"}', ""),
    "lone surrogate": Bad(problems.BAD_REQUEST, rb'{"action":"\ud800"}', ""),
    "byte order mark": Bad(problems.BAD_REQUEST, b"\xef\xbb\xbf" + action(), ""),
    "not JSON": Bad(problems.BAD_REQUEST, b"<action/>", ""),
    "empty body": Bad(problems.BAD_REQUEST, b"", ""),
    "cut off": Bad(problems.BAD_REQUEST, action()[:-5], ""),
    "two bodies": Bad(problems.BAD_REQUEST, action() * 2, ""),
    "no object": Bad(problems.BAD_REQUEST, b"[]", ""),
    "deep nesting": Bad(problems.TOO_LARGE, DEEP),
    "deep nesting within the limit": Bad(problems.BAD_REQUEST, b"[" * 60_000, ""),
    "ten megabytes": Bad(problems.TOO_LARGE, b'{"a":"' + b"a" * 10_000_000 + b'"}'),
    "no content type": Bad(problems.MEDIA_TYPE, action(), headers={"Content-Type": ""}),
    "form": Bad(problems.MEDIA_TYPE, action(), headers={"Content-Type": "application/x-www-form-urlencoded"}),
    "other charset": Bad(problems.MEDIA_TYPE, action(), headers={"Content-Type": "application/json; charset=utf-16"}),
    "no idempotency key": Bad(problems.IDEMPOTENCY_KEY, action(), headers={"Idempotency-Key": ""}),
    "overlong idempotency key": Bad(problems.IDEMPOTENCY_KEY, action(), headers={"Idempotency-Key": "k" * 129}),
    "blank in an idempotency key": Bad(problems.IDEMPOTENCY_KEY, action(), headers={"Idempotency-Key": "a b"}),
    "sign-in without a name": Bad(problems.BAD_REQUEST, b"{}", "/name", path="/v1/sign-ins"),
    "sign-in with an actor": Bad(
        problems.BAD_REQUEST, b'{"name":"a","actor":{"kind":"platform"}}', "/actor", path="/v1/sign-ins"
    ),
    "sign-in as another action": Bad(
        problems.BAD_REQUEST, b'{"name":"a","action":"account.freeze"}', "/action", path="/v1/sign-ins"
    ),
    "account that can be none": Bad(problems.UNKNOWN_ACCOUNT, action(), path="/v1/accounts/al%20ice/actions"),
    "account with a line break": Bad(problems.UNKNOWN_ACCOUNT, action(), path="/v1/accounts/alice%0A/actions"),
    "unknown route": Bad(problems.UNKNOWN_ROUTE, action(), path="/v2/accounts/alice/actions"),
    "slash in an account": Bad(problems.UNKNOWN_ROUTE, action(), path="/v1/accounts/al%2Fice/actions"),
    "slash at the end": Bad(problems.UNKNOWN_ROUTE, action(), path=ACTIONS + "/"),
    "wrong method": Bad(problems.METHOD, method="DELETE"),
    "method that is none": Bad(problems.METHOD, method="BREW"),
    "reading what is asked": Bad(problems.METHOD, method="GET"),
}


async def refused(web: Web, case: Bad) -> httpx.Response:
    """Send a bad request."""
    headers = {"Content-Type": "application/json"} | web.fresh() | web.key("ask") | dict(case.headers)
    sent = {name: value for name, value in headers.items() if value}
    return await web.http.request(case.method, case.path, content=case.body, headers=sent)


@pytest.mark.parametrize("name", BAD)
async def test_each_bad_request_is_refused(empty: Web, name: str) -> None:
    """A request that is not well-formed is refused with its own problem and pointer, and changes nothing."""
    await empty.enrol()
    before = await empty.dump()

    response = await refused(empty, BAD[name])

    assert is_problem(response, BAD[name].kind, BAD[name].pointer), response.text
    assert await empty.dump() == before


def test_problems_are_distinct() -> None:
    """Each problem has a name of its own, and only those that are the server's own fault may be tried again."""
    names = [kind.name for kind in KINDS]

    assert len(set(names)) == len(names)
    assert [kind.name for kind in KINDS if kind.retryable != (kind.status == 503)] == []
    assert {kind for kind in vars(problems).values() if isinstance(kind, Kind)} == set(KINDS)


async def test_a_method_that_is_not_known_names_those_that_are(empty: Web) -> None:
    """Status 405 comes with the methods that the path does know."""
    response = await refused(empty, BAD["wrong method"])

    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize(
    "path", ["/healthz", "/openapi.json", "/.well-known/jwks.json", "/metrics", "/freeze", "/nowhere", "/v1/prices"]
)
async def test_every_answer_carries_the_security_headers(empty: Web, path: str) -> None:
    """No answer is stored, sniffed, framed, or told to others as a referrer."""
    headers = (await empty.http.get(path)).headers

    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


async def test_the_last_of_two_members_counts(web: Web) -> None:
    """Of a member that occurs twice the last one is understood, and the answer is about that."""
    body = action(
        action="exit.cancel",
        which="x1",
        actor=PLATFORM,
        **dict.fromkeys(("kind", "asset", "amount", "address", "network")),
    )
    twice = body.replace(b'"which": "x1"', b'"which": "x1", "which": 5')

    response = await web.post(ACTIONS, twice)

    assert is_problem(response, problems.BAD_REQUEST, "/which")


async def test_no_problem_says_a_secret_back(web: Web) -> None:
    """What was sent in the wrong place or shape is not repeated, for problems end in logs."""
    secret = "hunter2-hunter2"
    bodies = [
        action(action=secret),
        action(actor={"kind": secret}),
        action(actor={"kind": "link", "token": secret}),
        action(proofs=[{"kind": "password", "response": [secret]}]),
        action(proofs=[{"kind": secret, "response": secret}]),
        action(challenge=secret + " "),
        b'{"action":"password.change","password":["' + secret.encode() + b'"],"actor":{"kind":"owner"}}',
        b'{"action":"' + secret.encode() + b'"',
    ]

    for body in bodies:
        response = await web.post(ACTIONS, body)
        assert response.status_code == 400
        assert secret not in response.text


@pytest.mark.parametrize("path", ["/healthz", "/openapi.json"])
async def test_head_is_answered_like_get(empty: Web, path: str) -> None:
    """A probe may ask for the head of whatever can be read."""
    head, whole = await empty.http.head(path), await empty.http.get(path)

    assert (head.status_code, head.headers) == (whole.status_code, whole.headers)
