"""The circuit breaker: what counts, how much is too much, what is held then, and that two people end it."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.core.histories import (
    PLATFORM,
    POLICY,
    START,
    SYSTEM,
    USD,
    Account,
    codes,
    destination,
    grown,
    kind_of,
    sealed,
)
from tests.core.members import Colleague

from holdback.core import events as ev
from holdback.core.breaker import Flow, flow_of, is_changed, is_new, limits, over
from holdback.core.decision import Allow, Hold, Reason
from holdback.core.events import DAY, HOUR, Lane, Role
from holdback.core.rules.account import AccountFreeze
from holdback.core.rules.address import AddressAdd
from holdback.core.rules.breaker import BreakerReset, BreakerTrip
from holdback.core.rules.exit import ExitRelease, ExitRequest
from holdback.core.state import NOBODY, Breaker, Customer
from holdback.core.waiting import For, is_unchanged, items

if TYPE_CHECKING:
    from holdback.core.decision import Decision

PROOFS = ("a1-1", "a1-2")
TRIP = BreakerTrip("new_destinations", 600_000 * USD, 250_000 * USD, sealed("breaker"))
RULES = POLICY.breaker
WEEK_H = 24 * 7


def breaker() -> Account:
    """The breaker's stream, tripped a moment ago."""
    one = Account(name=ev.BREAKER)
    assert isinstance(one.ask(TRIP, SYSTEM), Allow)
    return one


def pair(role: Role = Role.TREASURER, other: Role = Role.INVESTIGATOR) -> tuple[Colleague, Colleague]:
    """Two who may reset it, each known to the other."""
    ann, bo = Colleague("ann", role), Colleague("bo", other)
    ann.first, bo.first = bo, ann
    return ann, bo


def stands(one: Account) -> Breaker:
    """How it stands."""
    assert one.head.breaker is not None
    return one.head.breaker


# Who trips and resets it


def test_two_reset_it() -> None:
    """One person's word is kept and lets nothing go; that of a second one does, and the stream says whose they were."""
    one, (ann, bo) = breaker(), pair()
    for _ in range(2):
        assert codes(ann.asks(one, BreakerReset())) == [Reason.SECOND_PERSON_REQUIRED]
        assert stands(one).tripped_at
    assert isinstance(bo.asks(one, BreakerReset()), Allow)
    assert stands(one) == Breaker(0, None, one.now)
    reset = next(event for event in one.log if isinstance(event, ev.BreakerReset))
    assert reset.by == ("staff-ann", "staff-bo")
    assert codes(ann.asks(one, BreakerReset())) == [Reason.NOT_FOUND]
    assert isinstance(one.ask(TRIP, SYSTEM), Allow), "it trips again"


def test_only_who_may_resets_it() -> None:
    """Neither another role nor one who left may, nor a first word that is too old."""
    one, (ann, bo) = breaker(), pair()
    assert codes(Colleague("sue", Role.SUPPORT).asks(one, BreakerReset())) == [Reason.NOT_ENTITLED]
    ann.asks(one, BreakerReset())
    ann.stream.state = replace(ann.stream.head, frozen_at=one.now)
    assert isinstance(bo.asks(one, BreakerReset()), Hold), "who spoke first can speak no more"
    ann.stream.state = replace(ann.stream.head, frozen_at=0)
    one.wait(days=POLICY.staff.proposed_d)
    ann.stream.now = one.now
    ann.signs_in()
    assert isinstance(ann.asks(one, BreakerReset()), Hold)
    assert stands(one).tripped_at


def test_a_tripped_one_does_not_trip() -> None:
    """It trips once until it is reset, in its own stream and no other."""
    one = breaker()
    assert codes(one.ask(TRIP, SYSTEM)) == [Reason.ALREADY_EXISTS]
    assert codes(Account(name="system-other").ask(TRIP, SYSTEM)) == [Reason.BAD_FIELD]
    account, _ = grown()
    assert codes(account.ask(TRIP, SYSTEM)) == [Reason.NOT_ENTITLED]


def test_it_stands_on_the_desk() -> None:
    """While it is tripped everybody sees it who may reset it, and is_unchanged says so."""
    one, (ann, bo) = breaker(), pair()
    before = one.head
    assert {(item.role, item.waits_for) for item in items(before, POLICY)} == {
        (Role.INVESTIGATOR, For.APPROVAL),
        (Role.TREASURER, For.APPROVAL),
    }
    ann.asks(one, BreakerReset())
    bo.asks(one, BreakerReset())
    assert items(one.head, POLICY) == ()
    assert not is_unchanged(before, one.head)


# What it holds


def tripped() -> tuple[Account, bytes]:
    """A senior account on a platform whose breaker tripped."""
    account, _ = grown()
    account.wait(days=8)
    account.tripped_at = account.now
    return account, account.sign_in()


def test_old_destinations_of_quiet_accounts_go() -> None:
    """Tripped or not, who pays himself out to where he always does is held by nothing new."""
    account, session = tripped()
    assert isinstance(account.pay("5000", "home", session, *PROOFS), Allow)


def reasons(decision: Decision) -> list[str]:
    """What stands against it."""
    return [one.code for one in decision.findings]


def test_new_destinations_wait_above_a_size() -> None:
    """A payment to a new destination waits, with its own reason and an instant, and goes once it was reset."""
    account, session = tripped()
    small = account.pay("90", "stranger", session, *PROOFS)
    assert Reason.BREAKER_TRIPPED not in reasons(small)
    large = account.pay("5000", "stranger", session, *PROOFS)
    assert isinstance(large, Hold)
    found = next(one for one in large.findings if one.code == Reason.BREAKER_TRIPPED)
    assert found.until == account.now + RULES.hold_h * HOUR
    account.settle(days=5)
    again = account.ask(ExitRelease(large.id), PLATFORM)
    assert reasons(again) == [Reason.BREAKER_TRIPPED]
    account.tripped_at = 0
    account.wait(hours=RULES.hold_h)
    assert isinstance(account.ask(ExitRelease(large.id), PLATFORM), Allow)


@pytest.mark.parametrize("kind", ["p2p_sale", "card"])
def test_strangers_wait_however_long_their_kind_was_open(kind: str) -> None:
    """Where anybody may be paid each is new: a kind that was opened long ago makes nobody known."""
    account, session = grown()
    for network in ("p2p", "card"):
        account.ask(AddressAdd(sealed(network), network), session, *PROOFS)
    account.settle(days=12)
    session, wish = account.sign_in(), ExitRequest(kind, "USD", "500", counterparty=destination("bob"))
    asked = partial(account.ask, wish, session, *PROOFS, counterparty="bob")
    assert Reason.BREAKER_TRIPPED not in reasons(asked())
    payer, network = Customer(account.head, account.parts), POLICY.exits[kind]
    assert not is_new(payer.beneficiary(network), POLICY, account.now)
    assert flow_of(payer, replace(gone(network, 500, account.now), stranger="bob"), POLICY) == Flow(500 * USD, 0)
    account.tripped_at = account.now
    assert Reason.BREAKER_TRIPPED in reasons(asked())


def test_who_pays_himself_inside_trips_nothing() -> None:
    """A transfer to another customer here counts where the account changed, and never as a new destination."""
    account, _ = grown()
    payer = Customer(account.head, account.parts)
    quiet = account.head.changed_at + RULES.changed_h * HOUR
    inside = f"internal.{destination('bob').name}"
    assert flow_of(payer, gone(inside, 5, quiet), POLICY) == Flow()
    assert flow_of(payer, gone(inside, 5, quiet - 1), POLICY) == Flow(0, 5 * USD)


def test_what_nobody_watches_waits_as_if_it_had_tripped() -> None:
    """Once nobody looked for so long as the policy says the same exits wait, until one does and an hour is over."""
    account, session = tripped()
    account.tripped_at = 0
    old = RULES.look_age_s * 1000
    never = account.unseen_ms = account.now
    assert Reason.BREAKER_UNWATCHED not in reasons(account.pay("90", "stranger", session, *PROOFS))
    for account.unseen_ms, waits in (
        (old, False),
        (old + 1, True),
        (-old, False),
        (-old - 1, True),
        (never, True),
    ):
        answer = account.pay("5000", "stranger", session, *PROOFS)
        assert (Reason.BREAKER_UNWATCHED in reasons(answer)) == waits
        assert isinstance(account.pay("100", "home", session, *PROOFS), Allow)
    held = account.pay("5000", "stranger", session, *PROOFS)
    assert isinstance(held, Hold)
    found = next(one for one in held.findings if one.code == Reason.BREAKER_UNWATCHED)
    assert found.until == account.now + RULES.unwatched_h * HOUR
    account.settle(days=5)
    account.unseen_ms = old + 1
    again = account.ask(ExitRelease(held.id), PLATFORM)
    assert reasons(again) == [Reason.BREAKER_UNWATCHED]
    account.tripped_at, account.unseen_ms = account.now, old + 1
    assert reasons(account.ask(ExitRelease(held.id), PLATFORM)) == [Reason.BREAKER_TRIPPED, Reason.NOT_YET_DUE]
    account.tripped_at, account.unseen_ms = 0, 0
    account.wait(hours=RULES.hold_h)
    assert isinstance(account.ask(ExitRelease(held.id), PLATFORM), Allow)


def test_changed_accounts_wait_above_a_size() -> None:
    """What leaves an account that changed lately waits as well, to whomever it goes."""
    account, _ = tripped()
    account.sign_in(device="phone")
    account.deliver()
    account.wait(hours=25)
    session = account.sign_in(device="phone")
    answer = account.pay("5000", "home", session, *PROOFS)
    assert Reason.BREAKER_TRIPPED in reasons(answer)


def test_a_freeze_comes_first() -> None:
    """The owner's stop is told before the platform's."""
    account, session = tripped()
    account.ask(AccountFreeze(), session)
    assert codes(account.pay("5000", "stranger", session, *PROOFS)) == [Reason.FROZEN]
    assert kind_of(account.pay("5", "home", session, *PROOFS)) == "deny"


# What counts


def gone(to: str, usd: int, at: int, lane: Lane = Lane.OTHERS) -> ev.ExitAllowed:
    """An exit that was let go."""
    return ev.ExitAllowed(at, "x1", "withdrawal", to, lane, usd * USD, b"", "alice", 0, False)  # noqa: FBT003 - the event's own


def test_what_counts() -> None:
    """An exit counts by whom it pays and by what happened to the account; a sweep, and what nobody did, for nothing."""
    account, _ = grown()
    (home,) = [name for kind, name in account.parts if kind == "beneficiary"]
    payer = Customer(account.head, account.parts)
    entry = payer.beneficiary(home)
    quiet = account.head.changed_at + RULES.changed_h * HOUR
    later = max(quiet, account.now + RULES.new_d * DAY)
    assert is_new(entry, POLICY, account.now)
    assert is_new(None, POLICY, later)
    assert not is_new(entry, POLICY, later)
    assert is_changed(account.head, POLICY, quiet - 1)
    assert not is_changed(account.head, POLICY, quiet)
    assert not is_changed(replace(account.head, changed_at=0), POLICY, 1)
    assert flow_of(payer, gone(home, 5, later), POLICY) == Flow()
    assert flow_of(payer, gone("stranger", 5, later), POLICY) == Flow(5 * USD, 0)
    assert flow_of(payer, gone(home, 5, quiet - 1), POLICY).changed_micro_usd == 5 * USD
    assert flow_of(payer, gone("stranger", 5, later, Lane.OWN), POLICY) == Flow()
    assert flow_of(NOBODY, gone("stranger", 5, later), POLICY) == Flow()


def test_what_trades_give_away_counts_after_a_change() -> None:
    """What an order gives away beyond tolerance counts where the account changed lately, and a report what it adds."""
    account, _ = grown()
    payer = Customer(account.head, account.parts)
    terms, drain = ev.Terms("1", 0, 100, USD, USD), ev.Drain(9 * USD, 5 * USD, 7 * USD, 3 * USD)
    quiet = account.head.changed_at + RULES.changed_h * HOUR
    for at, counts in ((quiet - 1, Flow(0, 5 * USD)), (quiet, Flow())):
        placed = ev.OrderAllowed(at, "o1", "alice", "A/B", "buy", drain, terms, 0, 100, reduces=False, liquid=True)
        assert flow_of(payer, placed, POLICY) == counts
        assert flow_of(payer, ev.OrderReported(at, "o1", at, ev.Drain(), drain), POLICY) == counts
        assert flow_of(payer, ev.OrderReported(at, "o1", at, drain, ev.Drain()), POLICY) == Flow()


def test_what_a_restore_forgot_counts() -> None:
    """A receipt that is counted again counts as to somebody new, but inside and for a sweep, by when it was given."""
    account, _ = grown()
    payer = Customer(account.head, account.parts)
    quiet = account.head.changed_at + RULES.changed_h * HOUR
    forgotten = ev.ExitReconciled(account.now + 90 * DAY, "r", Lane.OTHERS, 5 * USD, "withdrawal", quiet)
    assert flow_of(payer, forgotten, POLICY) == Flow(5 * USD, 0)
    assert flow_of(payer, replace(forgotten, kind=""), POLICY) == Flow(5 * USD, 0)
    assert flow_of(payer, replace(forgotten, kind="p2p_sale"), POLICY) == Flow(5 * USD, 0)
    assert flow_of(payer, replace(forgotten, kind="gift"), POLICY) == Flow()
    assert flow_of(payer, replace(forgotten, paid_at=quiet - 1), POLICY) == Flow(5 * USD, 5 * USD)
    assert flow_of(payer, replace(forgotten, kind="gift", paid_at=quiet - 1), POLICY) == Flow(0, 5 * USD)
    assert flow_of(payer, replace(forgotten, kind="sweep", lane=Lane.OWN), POLICY) == Flow()


def test_which_is_over() -> None:
    """What is over its limit is named; what just reaches it is not."""
    most = Flow(10, 10)
    assert over(Flow(10, 10), most) is None
    assert over(Flow(11, 12), most) == ("new_destinations", 11, 10)
    assert over(Flow(1, 12), most) == ("changed_accounts", 12, 10)


# How much is too much


def usual(weeks: int, seed: int, *, median_usd: float = 60_000) -> tuple[dict[int, Flow], int]:
    """Outflow of an ordinary platform: a tide by the hour of the day, a weekend, and noise that is never even."""
    chance, hours = random.Random(seed), {}
    first = START // HOUR
    for hour in range(first, first + weeks * WEEK_H):
        tide = 1 + 0.7 * (8 <= hour % 24 <= 20) - 0.4 * (hour // 24 % 7 >= 5)
        hours[hour] = Flow(*(int(median_usd * tide * chance.lognormvariate(0, 0.35)) * USD for _ in range(2)))
    return hours, first + weeks * WEEK_H


def test_a_cold_start_has_a_declared_limit() -> None:
    """While too few weeks are known the limit is the one that the policy declares, also of an empty platform."""
    cold = RULES.cold_usd_per_h * USD
    assert limits({}, START, RULES) == Flow(cold, cold)
    hours, end = usual(RULES.weeks_min - 1, 1)
    assert limits(hours, end * HOUR, RULES) == Flow(cold, cold)
    hours, end = usual(RULES.weeks_min, 1)
    assert limits(hours, end * HOUR, RULES) != Flow(cold, cold)


def test_a_quiet_platform_has_a_floor() -> None:
    """Where next to nothing leaves, the limit is not next to nothing."""
    floor = RULES.least_usd_per_h * USD
    assert limits({START // HOUR: Flow(1, 1)}, START + 10 * WEEK_H * HOUR, RULES) == Flow(floor, floor)


@pytest.mark.parametrize("seed", range(5))
def test_ordinary_weeks_do_not_trip_it(seed: int) -> None:
    """Over half a year of ordinary hours, seeded, it trips in fewer than one of a thousand."""
    hours, end = usual(26, seed)
    alarms = 0
    checked = range(end - 18 * WEEK_H, end)
    for hour in checked:
        before = {key: value for key, value in hours.items() if hour - 9 * WEEK_H <= key < hour}
        alarms += over(hours[hour], limits(before, hour * HOUR, RULES)) is not None
    assert alarms / len(checked) < 0.001


def test_a_week_of_thieves_hardly_moves_it() -> None:
    """Limits are of the middle: one week in which a hundred times as much left raises none by half."""
    hours, end = usual(8, 7)
    clean = limits(hours, end * HOUR, RULES)
    robbed = hours | {hour: Flow(hours[hour][0] * 100, hours[hour][1]) for hour in range(end - WEEK_H, end)}
    assert limits(robbed, end * HOUR, RULES).new_micro_usd < clean.new_micro_usd * 1.5


def test_the_limit_follows_the_hour_of_the_week() -> None:
    """A busy noon allows more than the night before it."""
    hours, end = usual(8, 3, median_usd=1_000_000)
    night, noon = (end // 24 * 24 + 2), (end // 24 * 24 + 13)
    assert limits(hours, noon * HOUR, RULES).new_micro_usd > 1.3 * limits(hours, night * HOUR, RULES).new_micro_usd


def test_flows_add_up() -> None:
    """What left to new destinations and from changed accounts is added apart."""
    assert Flow(1, 2).plus(Flow(3, 4)) == Flow(4, 6)
