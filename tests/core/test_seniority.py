"""Law 10: when something new becomes senior, and what keeps it junior."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.core.histories import POLICY, START, TOTP, Account, codes, grown, kind_of, sealed

from holdback.core.events import DAY, HOUR, Actor, ActorKind, AuthenticatorKind, Channel, Instant, Severity
from holdback.core.rules.account import AccountFreeze, AccountUnfreeze
from holdback.core.rules.authenticator import AuthenticatorBind, AuthenticatorConfirm
from holdback.core.seniority import (
    authenticator_is_senior,
    beneficiary_is_long_standing,
    beneficiary_is_senior,
    contact_is_senior,
    is_ripe,
    ripe_at,
    undisputed_at,
)
from holdback.core.state import Authenticator, Beneficiary, Contact, CoolOff, Freeze, Head, Wait

WAIT = Wait(72 * HOUR, START + 72 * HOUR, heard=True)
UNHEARD = replace(WAIT, heard=False)
EMPTY = Head("alice", sealed("alice"), START, ())


def at(hours: float) -> Instant:
    """So many hours after the start."""
    return START + int(hours * HOUR)


def cool_off(start: float, end: float, *, heard: bool = True) -> CoolOff:
    """A cool-off of others between two hours."""
    others = Wait(72 * HOUR, at(end), heard=heard)
    return CoolOff("device.met", Severity.MILD, at(start), others, others)


def freeze(pressed: float, again: float, thawed: float | None) -> Freeze:
    """The owner's stop."""
    return Freeze(at(pressed), at(again), at(thawed) if thawed is not None else 0)


@pytest.mark.parametrize(
    ("wait", "freezes", "cool_offs", "ripe"),
    [
        (WAIT, (), (), 72),
        (UNHEARD, (), (), None),
        (WAIT, (freeze(10, 10, None),), (), None),
        (WAIT, (freeze(0, 0, None),), (), None),
        (WAIT, (freeze(-1, -1, 20),), (), 72),
        (WAIT, (freeze(-1, 5, None),), (), None),
        (WAIT, (freeze(-1, 5, 20),), (), 92),
        (WAIT, (freeze(10, 10, 20),), (), 92),
        (WAIT, (freeze(71, 71, 200),), (), 272),
        (WAIT, (freeze(72, 72, None),), (), 72),
        (WAIT, (freeze(71, 73, None),), (), None),
        (WAIT, (freeze(10, 10, 20), freeze(80, 80, None)), (), None),
        (WAIT, (freeze(10, 10, 20), freeze(80, 80, 90)), (), 162),
        (WAIT, (freeze(10, 10, 20), freeze(93, 93, None)), (), 92),
        (WAIT, (), (cool_off(-10, 62),), 72),
        (WAIT, (), (cool_off(-10, 90),), 90),
        (WAIT, (), (cool_off(0, 90),), 90),
        (WAIT, (), (cool_off(1, 90),), 72),
        (WAIT, (), (cool_off(-80, 0),), 72),
        (WAIT, (), (cool_off(-10, 62, heard=False),), None),
        (WAIT, (), (cool_off(-100, -28, heard=False),), None),
        (WAIT, (), (cool_off(1, 73, heard=False),), 72),
        (WAIT, (freeze(10, 10, 30),), (cool_off(-10, 90),), 102),
        (WAIT, (), (cool_off(-5, 80), cool_off(-10, 90), cool_off(-9, 70)), 90),
    ],
    ids=[
        "its own wait",
        "not told",
        "frozen while it waits",
        "frozen when it was made",
        "frozen before, not pressed again",
        "made in a freeze, pressed again",
        "made in a freeze, pressed again, thawed",
        "thawed: waits anew",
        "disputed in the last hour",
        "frozen once it was senior",
        "pressed again once it would have been senior",
        "frozen again while it waits anew",
        "frozen twice, thawed twice",
        "frozen again once it was senior after all",
        "cool-off ends first",
        "made inside a longer cool-off",
        "made with the cool-off",
        "cool-off began later",
        "cool-off was over",
        "inside a cool-off not told of",
        "inside an old cool-off not told of",
        "before a cool-off not told of",
        "a freeze and a cool-off",
        "the longest cool-off counts",
    ],
)
def test_when_something_new_ripens(
    wait: Wait, freezes: tuple[Freeze, ...], cool_offs: tuple[CoolOff, ...], ripe: float | None
) -> None:
    """It is senior after its wait, told, undisputed, and outside every cool-off it was made in (laws 4, 5 and 10)."""
    head = replace(EMPTY, freezes=freezes, cool_offs={str(place): one for place, one in enumerate(cool_offs)})
    assert ripe_at(head, START, wait) == (None if ripe is None else at(ripe))
    for hours in (0, 72, 90, 500):
        assert is_ripe(head, START, wait, at(hours)) is (ripe is not None and hours >= ripe)


def test_cool_offs_do_not_move_what_is_long_standing() -> None:
    """Only the wait and freezes count toward being long-standing, for cool-offs are forgotten once they are over."""
    inside = replace(EMPTY, cool_offs={"1": cool_off(-10, 900)})
    assert undisputed_at(inside, START, WAIT) == at(72)


@pytest.mark.parametrize(
    ("days", "heard", "senior", "long_standing"),
    [
        (2, True, False, False),
        (3, True, True, False),
        (32, True, True, False),
        (33, True, True, True),
        (400, False, False, False),
    ],
    ids=["junior", "senior", "a month old", "long-standing", "old, not told"],
)
def test_beneficiaries_grow_old(days: int, heard: bool, senior: bool, long_standing: bool) -> None:  # noqa: FBT001 - columns of the table
    """A beneficiary is senior after 72 h and long-standing after 30 days more (law 3)."""
    wait = replace(WAIT, heard=heard)
    actor = Actor(ActorKind.OWNER)
    entry = Beneficiary(sealed("x"), "bitcoin", None, START, wait, START, actor, "", "a1")
    now = START + days * DAY
    assert beneficiary_is_senior(EMPTY, entry, now) is senior
    assert beneficiary_is_long_standing(EMPTY, entry, POLICY, now) is long_standing
    cooling = replace(EMPTY, cool_offs={"1": cool_off(-1, 10_000)})
    assert beneficiary_is_long_standing(cooling, entry, POLICY, now) is False


@pytest.mark.parametrize(
    ("fields", "senior"),
    [
        ({}, True),
        ({"confirmed": False}, False),
        ({"suspended": True}, True),
        ({"ripens": UNHEARD}, False),
        ({"ripens": Wait(1, START + 30 * DAY, heard=True)}, False),
    ],
    ids=["told and waited", "never confirmed", "suspended", "not told", "too new"],
)
def test_when_an_authenticator_is_senior(fields: dict[str, object], senior: bool) -> None:  # noqa: FBT001 - a column
    """It counts for money and changes once confirmed and ripe; a suspended one still counts for law 2."""
    one = replace(Authenticator(AuthenticatorKind.TOTP, b"a1", START, WAIT, confirmed=True), **fields)
    assert authenticator_is_senior(EMPTY, one, at(100)) is senior


@pytest.mark.parametrize(
    ("fields", "senior"),
    [
        ({}, True),
        ({"confirmed": False}, False),
        ({"recycled": True}, False),
        ({"ripens": UNHEARD}, False),
        ({"removed": True, "told_until": at(101)}, True),
        ({"removed": True, "told_until": at(100)}, False),
    ],
    ids=["told and waited", "never confirmed", "recycled", "not told", "replaced lately", "replaced long ago"],
)
def test_when_a_contact_is_senior(fields: dict[str, object], senior: bool) -> None:  # noqa: FBT001 - a column
    """A notice accepted there starts waits: of a replaced contact for its time, of a recycled one never."""
    contact = replace(Contact(Channel.EMAIL, sealed("mail"), START, WAIT, confirmed=True), **fields)
    assert contact_is_senior(EMPTY, contact, at(100)) is senior


def bind_second(account: Account, session: bytes) -> str:
    """A thief with everything binds an authenticator of his own, and the owner is told."""
    name = account.ask(AuthenticatorBind(TOTP, sealed("thief")), session, "a1-1", "a1-2").id  # type: ignore[union-attr]  # an allowed one has an id
    account.ask(AuthenticatorConfirm(name), session, name)
    account.deliver()
    return name


@pytest.mark.parametrize("hours", [3, 60, 200])
def test_freezing_again_never_ends_a_dispute(hours: int) -> None:
    """What a freeze disputes stays junior, however often a thief presses the stop again (it costs him nothing)."""
    account, session = grown()
    name = bind_second(account, session)
    account.wait(hours=70)
    account.ask(AccountFreeze(), Actor(ActorKind.LINK, contact="c1-1"))
    account.wait(hours=hours)
    thief = account.sign_in("a1-1", name)
    account.ask(AccountFreeze(), thief)
    refused = account.ask(AccountUnfreeze(), thief, "a1-1", name)
    assert kind_of(refused) == "step_up"
    assert codes(account.ask(AccountUnfreeze(), thief, "a1-1", "a1-2")) == ["loosening_waits"]


def test_what_is_made_in_a_freeze_is_disputed_by_pressing_again() -> None:
    """A notice that comes during a freeze has a link, and pressing it disputes what the notice is about."""
    account, session = grown()
    account.ask(AccountFreeze(), Actor(ActorKind.LINK, contact="c1-1"))
    account.wait(minutes=10)
    name = bind_second(account, session)
    account.wait(hours=2)
    account.ask(AccountFreeze(), Actor(ActorKind.LINK, contact="c1-1"))
    account.wait(days=30)
    one = account.head.authenticators[name]
    assert not authenticator_is_senior(account.head, one, account.now)
