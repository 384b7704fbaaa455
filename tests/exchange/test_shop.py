"""The shop window's forms, without a browser: what is asked in whose name, and what is not asked at all."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.exchange.test_browsers import HERE, STRANGERS
from tests.exchange.test_exchange import DENY, ENDED, HOLD, HOUR_S, SIGNED_IN, STEP_UP, Scene
from tests.exchange.till import BITCOIN, HELD, WITHDRAWAL

from holdback.addresses import segwit
from holdback.exchange.deposits import deposit_address
from holdback.exchange.shop import BODY_MAX, FIELDS_MOST

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

FORM: Final[dict[str, Any]] = {name: str(value) for name, value in WITHDRAWAL.items()}
ASK: Final = "/shop/ask"


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """The exchange with Alice's cookie in a browser."""
    scene = Scene(tmp_path / "books.db")
    del scene.http.headers["authorization"]
    scene.http.cookies.set("session", "alices-token")
    scene.http.headers.update(HERE)
    async with scene.http:
        yield scene


async def test_a_form_asks_for_exactly_what_it_says(scene: Scene) -> None:
    """The action is the form's own fields; proofs, challenge and the device's signature go beside it."""
    beside = {"_proof.totp": "123456", "_challenge": "s9", "_dpop": "signed", "_key": "k1"}

    await scene.http.post(ASK, data=FORM | beside)

    (asked,) = scene.asked
    assert {name: asked[name] for name in WITHDRAWAL} == WITHDRAWAL
    assert asked["proofs"] == [{"kind": "totp", "response": "123456"}]
    assert (asked["challenge"], asked["actor"]["dpop"]) == ("s9", "signed")
    assert (asked["context"]["method"], asked["context"]["url"]) == ("POST", f"http://exchange.test{ASK}")
    assert not [name for name in asked if name.startswith("_")]


async def test_a_form_sent_twice_is_one_question(scene: Scene) -> None:
    """A form's own key is the question's, so that a second press of the button counts for nothing."""
    for _ in range(2):
        await scene.http.post(ASK, data=FORM | {"_key": "k1"})

    assert len(set(scene.keys)) == 1


@pytest.mark.parametrize(
    ("answered", "told"),
    [
        (DENY, "Refused: nothing was sent"),
        (HOLD, "This withdrawal waits"),
        (STEP_UP, "Confirm that it is you"),
    ],
)
async def test_nothing_is_paid_but_for_an_allow(scene: Scene, answered: dict[str, Any], told: str) -> None:
    """Whatever else is answered is said, with its reason, and moves nothing."""
    scene.answers = {"exit.request": answered}

    page = await scene.http.post(ASK, data=FORM)

    assert told in page.text
    assert "New destinations wait." in page.text
    assert scene.till.untouched()


async def test_an_allow_pays(scene: Scene) -> None:
    """An allowed withdrawal is paid and shown as sent; its receipt is shown to nobody."""
    allow = scene.allow()
    scene.answers = {"exit.request": allow}

    page = await scene.http.post(ASK, data=FORM)

    assert "Sent" in page.text
    assert str(allow["receipt"]) not in page.text
    assert scene.till.books.balances("alice")["BTC"] == HELD["BTC"] - BITCOIN // 4


@pytest.mark.parametrize("who", STRANGERS)
async def test_no_other_site_has_a_form_sent(scene: Scene, who: str) -> None:
    """A form that no page of this origin sent is not read, signed in or not."""
    if "origin" not in STRANGERS[who]:
        del scene.http.headers["origin"]

    for path in (ASK, "/shop/sign-in"):
        answer = await scene.http.post(path, data=FORM | {"name": "alice@example.org"}, headers=STRANGERS[who])
        assert answer.status_code == 403

    assert scene.asked == []


@pytest.mark.parametrize(
    "form",
    [
        {"action": "exit.request", "kind": "internal_transfer", "asset": "BTC", "amount": "1", "counterparty": "bob"},
        {"action": "account.unfreeze"},
        {"action": "exit.release"},
        {},
        FORM | {"amount": "-1"},
        FORM | {"amount": "1e3"},
        FORM | {"amount": "9"},
        FORM | {"asset": "GOLD"},
        FORM | {"amount": ["0.1", "0.2"]},
        FORM | {"address": "x" * BODY_MAX},
        {f"f{number}": "1" for number in range(FIELDS_MOST + 1)},
    ],
)
async def test_what_is_no_form_of_ours_is_not_asked(scene: Scene, form: dict[str, Any]) -> None:
    """An action that no page asks, an unfit amount or a form that cannot be read is refused before anybody is asked."""
    answer = await scene.http.post(ASK, data=form)

    assert answer.status_code == 400
    assert "That did not work" in answer.text
    assert scene.asked == []


async def test_whoever_is_not_signed_in_is_led_to_the_sign_in(scene: Scene) -> None:
    """Without a session, or with one that ended, every page and form leads to the sign-in."""
    scene.session = ENDED
    ways = ("", "/deposit", "/withdraw", "/sell", "/trade")
    assert {(await scene.http.get(f"/shop{way}")).headers["location"] for way in ways} == {"/shop/sign-in"}

    scene.http.cookies.clear()
    assert (await scene.http.post(ASK, data=FORM)).headers["location"] == "/shop/sign-in"
    assert (await scene.http.get("/shop")).headers["location"] == "/shop/sign-in"


async def test_signing_in_keeps_the_token_in_the_cookie(scene: Scene) -> None:
    """A sign-in by form puts the session into a cookie that no script reads, and the browser has a name of its own."""
    scene.http.cookies.clear()
    scene.answers = {"sign_in": SIGNED_IN}
    first = await scene.http.get("/shop/sign-in")
    assert "device=" in first.headers["set-cookie"]

    answer = await scene.http.post("/shop/sign-in", data={"name": "alice@example.org"})

    assert answer.headers["location"] == "/shop"
    assert answer.headers["set-cookie"].lower().startswith("session=alices-new-token; httponly;")
    device = scene.asked[-1]["context"]["device"]
    assert device
    assert device not in first.headers["set-cookie"]


async def test_what_a_customer_is_told_is_text(scene: Scene) -> None:
    """What comes from outside is shown as it is written and never run."""
    evil = "<script>alert(1)</script>"
    scene.answers = {"exit.request": DENY | {"reasons": [{"code": "x", "text": evil, "satisfied_by": []}]}}

    page = await scene.http.post(ASK, data=FORM | {"address": evil})

    assert evil not in page.text
    assert "&lt;script&gt;" in page.text
    assert "unsafe" not in page.headers["content-security-policy"]


ORDER: Final[dict[str, Any]] = {"order": "o1", "pair": "BTC/USDT", "side": "sell", "price": "100", "amount": "1"}


async def test_a_program_trades_by_what_it_signed(scene: Scene) -> None:
    """An order that a program signed is asked in the key's name, matched on an allow, and told of as matched."""
    scene.till.books.quote("BTC/USDT", 100 * BITCOIN, desk=True)
    action: dict[str, object] = {"action": "order.place", **ORDER}
    scene.answers = {"order.place": scene.allow(action, action_digest=scene.digest(action))}
    signed = {"account": "alice", "key": "k1", "timestamp": 1, "nonce": 1, "signature": "s"}

    answer = (await scene.http.post("/orders", json=ORDER | {"signed": signed})).json()

    placed, reported = scene.asked
    assert placed["actor"] == {"kind": "api_key", "key": "k1", "timestamp": 1, "nonce": 1, "signature": "s"}
    assert (reported["action"], reported["amount"], reported["actor"]) == (
        "order.report",
        "1.00000000",
        {"kind": "platform"},
    )
    assert answer["fills"] == [{"price": "100.00000000", "amount": "1.00000000", "counterparty": ""}]
    assert scene.till.books.balances("alice")["USDT"] == HELD["USDT"] + 100 * BITCOIN


async def test_an_order_that_lapsed_is_told_of(scene: Scene) -> None:
    """What was set aside for an order that nobody met is given back by a report that says so."""
    scene.till.books.quote("BTC/USDT", 100 * BITCOIN, desk=True)
    dear = ORDER | {"price": "200"}
    action: dict[str, Any] = {"action": "order.place", **dear}
    scene.answers = {"order.place": scene.allow(action, action_digest=scene.digest(action))}

    page = await scene.http.post(ASK, data=action)

    assert "nobody trades at that price" in page.text
    assert (scene.asked[-1]["action"], scene.asked[-1]["amount"]) == ("order.report", "0")
    assert scene.till.books.balances("alice") == HELD


async def test_an_order_that_is_not_allowed_is_not_matched(scene: Scene) -> None:
    """A refused order changes no balance and is not reported."""
    scene.till.books.quote("BTC/USDT", 100 * BITCOIN, desk=True)

    await scene.http.post("/orders", json=ORDER)

    assert [one["action"] for one in scene.asked] == ["order.place"]
    assert scene.till.untouched()


async def test_only_its_owner_takes_an_offer_back(scene: Scene) -> None:
    """An offer that rests is taken back by the account that made it, and by nobody else."""
    action: dict[str, object] = {"action": "order.place", **ORDER}
    scene.answers = {"order.place": scene.allow(action, action_digest=scene.digest(action))}
    await scene.http.post("/orders", json=ORDER | {"rests": True})
    scene.till.books.keep_session("bobs-token", "bob", scene.till.now + HOUR_S)

    bobs = await scene.http.post("/orders/o1/take-back", headers={"authorization": "Bearer bobs-token"})
    own = await scene.http.post("/orders/o1/take-back")

    assert (bobs.json(), own.json()) == ({"taken_back": False}, {"taken_back": True})
    assert scene.till.books.balances("alice") == HELD


def test_a_deposit_address_is_one() -> None:
    """Each account has an address of its own that can be read, and it is none of the network that has value."""
    found = {deposit_address(account) for account in ("alice", "bob", "carol")}

    assert len(found) == 3
    assert all(one.startswith("tb1q") for one in found)
    program = hashlib.sha256(b"deposits of alice").digest()[:20]
    assert deposit_address("alice", "bc") == segwit("bc", 0, program)
