"""Two sources of time: where they disagree nothing loosens or is released, and time never runs back (law 8)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.service.house import STEP, STRANGER, Customer, Hands, House, settled

from holdback.client.errors import ReceiptExpired
from holdback.client.receipts import Keys, verify_receipt
from holdback.core import events as ev
from holdback.core.events import DAY, HOUR, MINUTE
from holdback.ports import Price

if TYPE_CHECKING:
    from holdback.ports import Store

USD = 1_000_000
OFF = 31_000
"""One second more than the default policy tolerates."""


@pytest.fixture
def second() -> Hands:
    """The second source, which another hand moves."""
    return Hands()


def together(clock: Hands, second: Hands, at: int) -> None:
    """Both sources say this."""
    clock.at = second.at = at


async def two_sources(store: Store, clock: Hands, second: Hands) -> tuple[House, Customer]:
    """A house with a customer in it, and both sources agreeing for now."""
    house = House(store, clock, second=second)
    (alice,) = await settled(House(store, clock), "alice")
    together(clock, second, clock.at)
    alice.house = house
    return house, alice


@pytest.mark.parametrize("off", [OFF, -OFF, 10 * DAY, -10 * DAY])
async def test_nothing_loosens(store: Store, clock: Hands, second: Hands, off: int) -> None:
    """While the sources disagree, either way, no exit goes, no loosening is taken on, and the reason says why."""
    house, alice = await two_sources(store, clock, second)
    fresh = alice.proofs()
    second.at = clock.at + off

    refused = [
        alice.withdrawal(1, proofs=fresh),
        alice.body("address.add", proofs=fresh, name="new", network="bitcoin", address=STRANGER),
        alice.body("contact.remove", proofs=fresh, contact="c1-2"),
        alice.body("limit.set", proofs=fresh, usd_per_day=None),
    ]
    tightened = alice.body("limit.set", proofs=fresh, usd_per_day="10")
    assert [(await alice.ask(one))["reasons"][0]["code"] for one in refused[:3]] == ["clock_uncertain"] * 3
    assert (await alice.ask(tightened))["decision"] == "allow"
    again = refused[3] | {"proofs": alice.proofs()}
    second.at = clock.at + off
    looser = await alice.ask(again)
    assert (looser["decision"], looser["reasons"][0]["code"]) == ("deny", "clock_uncertain")
    assert (await alice.ask(alice.body("account.freeze")))["decision"] == "allow"
    assert await house.happened("alice", ev.ExitAllowed) == []
    assert await house.faults("alice") == []


async def test_nothing_is_released(store: Store, clock: Hands, second: Hands) -> None:
    """What waits does not go, nor come into force, by a clock that runs ahead of the other."""
    house, alice = await two_sources(store, clock, second)
    together(clock, second, clock.at + 30_000)
    held = await alice.ask(alice.withdrawal(90_000, proofs=alice.proofs(alice.code())))
    together(clock, second, clock.at + 30_000)
    tight = await alice.ask(alice.body("limit.set", proofs=alice.proofs(alice.code()), usd_per_day="100000"))
    together(clock, second, clock.at + 30_000)
    loose = await alice.ask(alice.body("limit.set", proofs=alice.proofs(alice.code()), usd_per_day="200000"))
    assert [one["decision"] for one in (held, tight, loose)] == ["hold", "allow", "hold"]
    await house.deliver()
    release = {"action": "exit.release", "which": held["hold"]["id"], "actor": {"kind": "platform"}}

    clock.at += 100 * HOUR
    assert (await alice.ask(release))["reasons"][0]["code"] == "clock_uncertain"
    await alice.ask({"action": "exit.cancel", "which": "none", "actor": {"kind": "platform"}})
    assert await house.happened("alice", ev.ChangeDone) == []
    assert await house.happened("alice", ev.ExitAllowed) == []

    together(clock, second, clock.at)
    await house.priced()
    released = await alice.ask(release)
    assert await house.happened("alice", ev.ChangeDone) != []
    assert released["decision"] == "allow", released


async def test_no_wait_ends_early_by_a_clock_that_lagged(store: Store, clock: Hands, second: Hands) -> None:
    """A notice that is accepted while the database's clock lags starts its wait at the later of the two times."""
    house, alice = await two_sources(store, clock, second)
    together(clock, second, clock.at + 30_000)
    body = alice.body("address.add", proofs=alice.proofs(alice.code()), name="new", network="bitcoin", address=STRANGER)
    assert (await alice.ask(body))["decision"] == "allow"
    second.at = clock.at + 6 * HOUR
    await house.deliver()
    (moved,) = [one for one in await house.happened("alice", ev.WaitMoved) if one.at == clock.at]
    assert moved.until == second.at + 72 * HOUR
    together(clock, second, second.at)
    assert await house.faults("alice") == []


async def test_time_never_runs_back(store: Store, clock: Hands, second: Hands) -> None:
    """When the database's clock is set back, entries keep the last time they had, and what loosens waits for it."""
    house, alice = await two_sources(store, clock, second)
    at = clock.at

    together(clock, second, at - 20 * MINUTE)
    assert (await alice.ask(alice.withdrawal(1)))["reasons"][0]["code"] == "clock_uncertain"
    assert (await alice.ask(alice.body("limit.set", usd_per_day="10")))["decision"] == "step_up"
    together(clock, second, at - 1_000)
    assert (await alice.ask(alice.withdrawal(1)))["decision"] == "step_up"

    said = [one.at for one in await house.happened("alice", ev.Decided)]
    assert said == sorted(said)
    assert said[-3:] == [at, at, at]
    assert await house.faults("alice") == []


async def test_a_store_that_was_ahead_pays_nobody(store: Store, clock: Hands, second: Hands) -> None:
    """A server that believes it is later pays nothing: no signer takes its receipt, and no server loosens after it."""
    house, alice = await two_sources(store, clock, second)
    true, ahead = clock.at, 73 * HOUR
    asked = alice.body("address.add", proofs=alice.proofs(), name="new", network="bitcoin", address=STRANGER)
    assert (await alice.ask(asked))["decision"] == "allow"
    await house.deliver()
    together(clock, second, true + ahead)
    await alice.sign_in(alice.code())
    await house.deliver()
    await house.priced()
    body = alice.withdrawal(5_000, to=STRANGER, proofs=alice.proofs())
    together(clock, second, clock.at)
    paid = await alice.ask(body)
    assert paid["decision"] == "allow", paid
    keys = Keys.parse(msgspec.json.encode(house.service.tools.receipts.jwks()))
    sent = {name: value for name, value in body.items() if name not in {"actor", "context", "proofs"}}
    check = partial(verify_receipt, paid["receipt"], issuer="holdback", account="alice", action=sent, keys=keys)
    check(now=clock.at / 1000)
    with pytest.raises(ReceiptExpired):
        check(now=true / 1000, leeway=60)

    together(clock, second, true + HOUR)
    again = alice.withdrawal(5_000, to=STRANGER, proofs=alice.proofs(str(alice.code())))
    assert [one["code"] for one in (await alice.ask(again))["reasons"]] == ["clock_uncertain"]
    assert (await alice.ask(alice.body("account.freeze")))["decision"] == "allow"


async def test_a_price_of_a_time_to_come_is_none(store: Store, clock: Hands, second: Hands) -> None:
    """Where the clock went back since the feed spoke, nobody knows a price: exits wait, whatever was said."""
    _, alice = await two_sources(store, clock, second)
    proofs = alice.proofs()
    together(clock, second, clock.at)
    await store.put_prices([Price("USDT", USD, clock.at + OFF)])
    answer = await alice.ask(alice.withdrawal(1, proofs=proofs))
    assert [one["code"] for one in answer["reasons"]] == ["price_unknown"]
    together(clock, second, clock.at + STEP)
    assert (await alice.ask(alice.withdrawal(1, proofs=alice.proofs(alice.code()))))["decision"] == "allow"
