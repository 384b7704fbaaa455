"""The exchange's backend over HTTP: it acts on an allow and on nothing else, whatever Holdback answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import httpx
import msgspec
import pytest
from tests.exchange.till import ADDRESS, BITCOIN, HELD, WITHDRAWAL, Till

from holdback.client import Holdback, Patience, action_digest
from holdback.exchange.app import BODY_MAX, Exchange
from holdback.exchange.backend import Backend
from holdback.exchange.signer import Signer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

REASON: Final = {"code": "destination_new", "text": "New destinations wait.", "satisfied_by": ["time"]}
STEP_UP: Final = {
    "decision": "step_up",
    "reasons": [REASON],
    "challenge": {"id": "s9", "accept": [["password", "totp"]], "expires_at": "2030-01-01T00:00:00Z"},
}
HOLD: Final = {"decision": "hold", "reasons": [REASON], "hold": {"id": "x9", "release_at": "2030-01-01T00:00:00Z"}}
DENY: Final = {"decision": "deny", "reasons": [REASON]}
SIGNED_IN: Final = {
    "decision": "allow",
    "reasons": [],
    "session": {"token": "alices-new-token", "expires_at": "2030-01-01T00:00:00Z"},
}
ALIVE: Final[dict[str, Any]] = {"decision": "allow", "reasons": []}
ENDED: Final[dict[str, Any]] = {"decision": "deny", "reasons": [{"code": "session_ended", "text": "Sign in again."}]}
HOUR_S: Final = 3600
ORDER: Final = {"asset": "BTC", "amount": "0.25", "network": "bitcoin", "address": ADDRESS}


class Scene:
    """The exchange, and a Holdback that answers as it is told (`answers`, by action) and notes what it is `asked`."""

    def __init__(self, path: Path) -> None:
        """Start with Alice signed in and everything else denied."""
        self.till = Till(path)
        self.answers: dict[str, Any] = {}
        self.session = ALIVE
        self.stands: dict[str, object] = {}
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        http = httpx.Client(transport=httpx.MockTransport(self._holdback))
        holdback = Holdback("http://holdback.test", "key", http=http, patience=Patience(tries=1))
        self.signer = Signer(self.till.books, holdback, clock=lambda: self.till.now)
        backend = Backend(holdback, self.signer, self.till.books, clock=lambda: self.till.now)
        app = Exchange(backend, self.signer, self.till.books).app()
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://exchange.test")
        self.till.books.keep_session("alices-token", "alice", self.till.now + HOUR_S)
        self.http.headers["authorization"] = "Bearer alices-token"

    def allow(self, action: dict[str, object] = WITHDRAWAL, **other: object) -> dict[str, object]:
        """An allow with a receipt for this action."""
        return {"decision": "allow", "reasons": [], "id": "x9", "receipt": self.till.receipt(action, **other)}

    @staticmethod
    def digest(action: dict[str, object]) -> bytes:
        """What a receipt of Alice's for this action names."""
        return action_digest("alice", action)

    def _holdback(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/accounts/alice":
            return httpx.Response(200, json=self.stands)
        if request.method == "GET":
            return httpx.Response(200, content=msgspec.json.encode(self.till.keys.jwks()))
        asked = json.loads(request.content)
        if asked.get("dry_run"):
            assert asked["action"] == "session.end"
            assert asked["actor"]["kind"] == "owner"
            return httpx.Response(200, json=self.session) if self.session else httpx.Response(503)
        self.asked.append(asked)
        self.keys.append(request.headers["idempotency-key"])
        answer = self.answers.get(asked.get("action", "sign_in"), DENY)
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """The exchange with a Holdback that answers as told."""
    scene = Scene(tmp_path / "books.db")
    async with scene.http:
        yield scene


async def test_an_allow_pays_and_is_settled(scene: Scene) -> None:
    """An allowed withdrawal is paid, and Holdback is told under which reference."""
    scene.answers = {"exit.request": scene.allow()}

    answer = await scene.http.post("/withdraw", json=ORDER)

    assert answer.status_code == 200
    assert answer.json()["decision"] == "allow"
    assert answer.json()["payment"]["amount"] == "0.25000000"
    assert "receipt" not in answer.json()
    assert scene.till.books.balances("alice")["BTC"] == HELD["BTC"] - BITCOIN // 4
    assert scene.asked[-1] == {
        "action": "exit.settle",
        "which": "x9",
        "reference": "alice/7",
        "actor": {"kind": "platform"},
    }


async def test_holdback_hears_all_that_was_seen(scene: Scene) -> None:
    """The session, the proofs and where a request came from reach Holdback as they were sent."""
    proofs = [{"kind": "totp", "response": "123456"}]

    seen = {"x-device": "alices-phone", "user-agent": "curl/8"}
    await scene.http.post("/withdraw", json=ORDER | {"challenge": "s9", "proofs": proofs}, headers=seen)

    assert scene.asked == [
        {
            **WITHDRAWAL,
            "actor": {"kind": "owner", "session": "alices-token"},
            "context": {"ip": "127.0.0.1", "user_agent": "curl/8", "device": "alices-phone"},
            "challenge": "s9",
            "proofs": proofs,
        }
    ]


async def test_a_devices_proof_is_passed_on_unread(scene: Scene) -> None:
    """What the customer's device signed reaches Holdback with the method and address that it was signed for."""
    scene.answers = {"sign_in": SIGNED_IN}
    headers = {"dpop": "signed"}
    await scene.http.post("/sign-in", json={"name": "alice@example.org"}, headers=headers)
    await scene.http.post("/withdraw?x=1", json=ORDER, headers=headers)

    signed_in, withdrawn = scene.asked
    assert signed_in["dpop"] == "signed"
    assert withdrawn["actor"] == {"kind": "owner", "session": "alices-token", "dpop": "signed"}
    for asked, path in ((signed_in, "/sign-in"), (withdrawn, "/withdraw")):
        assert (asked["context"]["method"], asked["context"]["url"]) == ("POST", f"http://exchange.test{path}")


@pytest.mark.parametrize("answered", [STEP_UP, HOLD, DENY])
async def test_anything_but_an_allow_pays_nothing(scene: Scene, answered: dict[str, object]) -> None:
    """A step-up, a hold and a denial move nothing and come through with their reasons."""
    scene.answers = {"exit.request": answered}

    answer = await scene.http.post("/withdraw", json=ORDER)

    assert answer.json()["decision"] == answered["decision"]
    assert answer.json()["reasons"][0]["code"] == "destination_new"
    assert answer.json()["payment"] is None
    assert scene.till.untouched()


async def test_a_step_up_says_what_to_prove(scene: Scene) -> None:
    """A customer is told which proofs are wanted, and by which challenge to send them."""
    scene.answers = {"exit.request": STEP_UP}

    answer = await scene.http.post("/withdraw", json=ORDER)

    assert answer.json()["challenge"]["id"] == "s9"
    assert answer.json()["challenge"]["accept"] == [["password", "totp"]]


BROKEN: Final = {
    "no answer": httpx.Response(503),
    "a problem": httpx.Response(400, json={"title": "Bad", "status": 400, "pointer": "/amount"}),
    "nonsense": httpx.Response(200, content=b"yes"),
    "a decision of tomorrow": httpx.Response(200, json={"decision": "probably", "reasons": []}),
    "an allow without its reasons": httpx.Response(200, json={"decision": "allow", "receipt": "x"}),
    "an allow with no receipt": {"decision": "allow", "reasons": []},
    "an allow with a false receipt": {"decision": "allow", "reasons": [], "receipt": "a.b.c"},
}


async def test_a_challenge_that_took_too_long(scene: Scene) -> None:
    """A customer whose confirmation came too late is told to ask again, and nothing moves."""
    said = {"type": "urn:holdback:problem:challenge", "title": "Not open", "detail": "Ask again.", "status": 409}
    scene.answers = {"exit.request": httpx.Response(409, json=said)}

    answer = await scene.http.post("/withdraw", json=ORDER | {"challenge": "s9"})

    assert (answer.status_code, answer.json()) == (409, {"error": "ask_again", "detail": "Ask again."})
    assert scene.till.untouched()


@pytest.mark.parametrize("name", BROKEN)
async def test_whatever_is_in_doubt_pays_nothing(scene: Scene, name: str) -> None:
    """No answer, a wrong one or an unprovable one moves nothing."""
    scene.answers = {"exit.request": BROKEN[name]}

    answer = await scene.http.post("/withdraw", json=ORDER)

    assert answer.status_code < 500 or answer.status_code in {502, 503}
    assert answer.json().get("payment") is None
    assert scene.till.untouched()


async def test_a_held_order_is_paid_as_it_was_asked(scene: Scene) -> None:
    """The receipt of a released order pays the order that was held, once, and then nothing waits any more."""
    scene.answers = {"exit.request": HOLD, "exit.release": HOLD}
    await scene.http.post("/withdraw", json=ORDER)
    assert list((await scene.http.get("/account")).json()["held"]) == ["x9"]

    assert (await scene.http.post("/release/x9")).json()["decision"] == "hold"
    scene.answers = {"exit.release": scene.allow()}
    released = await scene.http.post("/release/x9")

    assert released.json()["payment"]["amount"] == "0.25000000"
    assert (await scene.http.get("/account")).json()["held"] == {}
    assert (await scene.http.post("/release/x9")).status_code == 404
    assert scene.till.books.balances("alice")["BTC"] == HELD["BTC"] - BITCOIN // 4


async def test_a_request_sent_twice_pays_once(scene: Scene) -> None:
    """A backend that died after paying and is asked again, under the same key, answers with the payment it made."""
    scene.answers = {"exit.request": scene.allow(), "exit.settle": httpx.Response(503)}

    answers = [await scene.http.post("/withdraw", json=ORDER, headers={"idempotency-key": "k"}) for _ in range(2)]

    assert answers[0].json() == answers[1].json()
    assert len(scene.till.books.payments("alice")) == 1


async def test_customers_keys_never_meet(scene: Scene) -> None:
    """Two customers who choose one idempotency key ask two questions."""
    scene.till.books.keep_session("bobs-token", "bob", scene.till.now + HOUR_S)

    for token in ("alices-token", "bobs-token", "alices-token"):
        headers = {"authorization": f"Bearer {token}", "idempotency-key": "1"}
        await scene.http.post("/withdraw", json=ORDER, headers=headers)

    assert scene.keys[0] == scene.keys[2] != scene.keys[1]


async def test_a_session_is_only_had_from_holdback(scene: Scene) -> None:
    """Signing in makes a session when Holdback allows it and the name is a customer's, and not otherwise."""
    stranger = {"authorization": "Bearer alices-new-token"}
    assert (await scene.http.get("/account", headers=stranger)).status_code == 401

    assert (await scene.http.post("/sign-in", json={"name": "alice@example.org"})).json()["decision"] == "deny"
    scene.answers = {"sign_in": SIGNED_IN}
    answer = await scene.http.post("/sign-in", json={"name": "Alice@Example.org"})

    assert answer.json()["session"]["token"] == "alices-new-token"
    assert (await scene.http.get("/account", headers=stranger)).json()["account"] == "alice"


@pytest.mark.parametrize(("method", "path"), [("GET", "/account"), ("POST", "/release/x9")])
async def test_an_ended_session_reads_and_releases_nothing(scene: Scene, method: str, path: str) -> None:
    """After a customer signed out everywhere a stolen session neither reads nor asks for anything here."""
    scene.answers = {"exit.request": HOLD, "exit.release": scene.allow()}
    await scene.http.post("/withdraw", json=ORDER)
    scene.session = ENDED

    answer = await scene.http.request(method, path)

    assert (answer.status_code, answer.json()["error"]) == (401, "not_signed_in")
    assert scene.till.untouched()
    scene.session = ALIVE
    assert (await scene.http.get("/account")).status_code == 401


async def test_a_session_that_cannot_be_asked_about_shows_nothing(scene: Scene) -> None:
    """While Holdback gives no answer nobody's account is shown, and nobody is signed out by that."""
    scene.session = {}
    assert (await scene.http.get("/account")).status_code == 503

    scene.session = ALIVE
    assert (await scene.http.get("/account")).status_code == 200


async def test_a_denial_for_its_end_ends_a_session(scene: Scene) -> None:
    """A session that Holdback calls ended, whatever was asked with it, is not known here any more."""
    scene.answers = {"account.freeze": ENDED}

    answer = await scene.http.post("/security", json={"action": {"action": "account.freeze"}})

    assert answer.json()["decision"] == "deny"
    assert (await scene.http.post("/withdraw", json=ORDER)).status_code == 401


async def test_sessions_end_by_time(scene: Scene) -> None:
    """A session counts here no longer than Holdback said that it would."""
    scene.till.now += HOUR_S

    assert (await scene.http.post("/withdraw", json=ORDER)).status_code == 401
    assert scene.asked == []


async def test_no_session_reaches_nothing(scene: Scene) -> None:
    """Without a session of this exchange Holdback is not even asked."""
    for path, body in (("/withdraw", ORDER), ("/security", {"action": {"action": "account.freeze"}})):
        answer = await scene.http.post(path, json=body, headers={"authorization": "Bearer guessed"})
        assert (answer.status_code, answer.json()["error"]) == (401, "not_signed_in")

    assert scene.asked == []


async def test_security_is_no_back_door_to_money(scene: Scene) -> None:
    """What pays cannot be asked for where the security settings are."""
    scene.answers = {"exit.request": scene.allow()}

    answer = await scene.http.post("/security", json={"action": WITHDRAWAL})

    assert answer.status_code == 400
    assert scene.till.untouched()


BAD: Final = {
    "no JSON": b"{",
    "no object": b"[]",
    "bad UTF-8": b'{"asset": "\xff"}',
    "a number for an amount": json.dumps(ORDER | {"amount": 1}).encode(),
    "a negative amount": json.dumps(ORDER | {"amount": "-1"}).encode(),
    "an amount of nothing": json.dumps(ORDER | {"amount": "0"}).encode(),
    "not a number": json.dumps(ORDER | {"amount": "NaN"}).encode(),
    "an unknown field": json.dumps(ORDER | {"receipt": "mine"}).encode(),
    "a missing field": b"{}",
    "too much": b" " * (BODY_MAX + 1),
}


@pytest.mark.parametrize("name", BAD)
async def test_bad_input_is_a_clear_no(scene: Scene, name: str) -> None:
    """A malformed order gets a 4xx with a sentence, and nobody is asked."""
    answer = await scene.http.post("/withdraw", content=BAD[name])

    assert 400 <= answer.status_code < 500
    assert answer.json()["detail"]
    assert scene.asked == []


async def test_the_signers_own_door_refuses_too(scene: Scene) -> None:
    """Whoever speaks to the signer directly is told why his receipt pays nothing."""
    for receipt, why in (("a.b.c", "ReceiptForged"), (scene.till.receipt(account="bob"), "ReceiptMismatch")):
        asked = {"account": "alice", "action": WITHDRAWAL, "receipt": receipt}
        answer = await scene.http.post("/signer/pay", json=asked)
        assert (answer.status_code, answer.json()["why"]) == (403, why)
    assert scene.till.untouched()

    paid = {"account": "alice", "action": WITHDRAWAL, "receipt": scene.till.receipt()}
    assert (await scene.http.post("/signer/pay", json=paid)).json()["paid"] is True
    assert (await scene.http.post("/signer/pay", json=paid)).json()["why"] == "ReceiptUsed"


async def test_value_sent_inside_names_the_customer(scene: Scene) -> None:
    """A transfer and a P2P sale are exits like any other, and name whom they pay."""
    scene.till.books.open_account("bob", "bob@example.org", {})
    for path, kind in (("/transfer", "internal_transfer"), ("/sell", "p2p_sale")):
        action: dict[str, object] = {"action": "exit.request", "kind": kind, "asset": "BTC", "amount": "1"}
        action |= {"counterparty": "bob"}
        digest = action_digest("alice", action)
        scene.answers = {"exit.request": scene.allow(action, id=kind, action_digest=digest)}
        answer = await scene.http.post(path, json={"asset": "BTC", "amount": "1", "to": "bob"})
        assert answer.json()["payment"]["payee"] == "bob"

    assert scene.till.books.balances("bob") == {"BTC": 2 * BITCOIN}


SALE: Final[dict[str, object]] = {
    "action": "exit.request",
    "kind": "p2p_sale",
    "asset": "BTC",
    "amount": "1",
    "counterparty": "bob",
}


async def test_a_sale_is_paid_by_its_seller_alone(scene: Scene) -> None:
    """The buyer says that he paid, which the platform passes on; the seller asks as himself, with his proofs."""
    scene.answers = {"exit.request": HOLD, "exit.settle": {"decision": "allow", "reasons": []}}
    scene.till.books.open_account("bob", "bob@example.org", {})
    scene.till.books.keep_session("bobs-token", "bob", scene.till.now + HOUR_S)
    bob = {"authorization": "Bearer bobs-token"}
    await scene.http.post("/sell", json={"asset": "BTC", "amount": "1", "to": "bob"})
    assert (await scene.http.post("/bought/alice/x9")).status_code == 404

    assert (await scene.http.post("/bought/alice/x9", headers=bob)).json()["decision"] == "allow"
    said = scene.asked[-1]
    assert (said["action"], said["stage"], said["actor"]) == ("exit.settle", "paid", {"kind": "platform"})

    scene.answers = {"exit.release": STEP_UP}
    assert (await scene.http.post("/sold/x9", json={})).json()["challenge"]["id"] == "s9"
    digest = action_digest("alice", SALE)
    scene.answers = {"exit.release": scene.allow(SALE, action_digest=digest)}
    proofs = [{"kind": "totp", "response": "123456"}]
    handed = await scene.http.post("/sold/x9", json={"challenge": "s9", "proofs": proofs})

    assert handed.json()["payment"]["payee"] == "bob"
    released = next(one for one in reversed(scene.asked) if one["action"] == "exit.release")
    assert (released["actor"]["kind"], released["proofs"]) == ("owner", proofs)
    assert (await scene.http.post("/sold/x9", json={})).status_code == 404


async def test_who_asks_is_no_part_of_an_action(scene: Scene) -> None:
    """An action that names another actor is refused as badly written, and never asked."""
    action = {"action": "account.freeze", "actor": {"kind": "platform"}}
    said = await scene.http.post("/security", json={"action": action})
    assert (said.status_code, said.json()["error"]) == (400, "bad_request")
    assert scene.asked == []


async def test_only_a_sale_is_handed_over(scene: Scene) -> None:
    """What else waits is the platform's to release, and nobody pays for it."""
    scene.answers = {"exit.request": HOLD}
    await scene.http.post("/withdraw", json=ORDER)

    assert (await scene.http.post("/sold/x9", json={})).status_code == 404
    assert (await scene.http.post("/bought/alice/x9")).status_code == 404
