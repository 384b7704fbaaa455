"""What follows from what happened: one table for every event, every setting's direction, every loosening's wait."""

from __future__ import annotations

import typing

import msgspec
import pytest
from msgspec.structs import replace
from tests.core.histories import DEFAULT, POLICY, START, sealed

from holdback.core import events as ev
from holdback.core.effects import (
    CHANGES,
    EFFECTS,
    Direction,
    Effect,
    consequences,
    effect_of,
    is_tighter,
    loosening_wait,
    told,
)
from holdback.core.events import DAY, HOUR, MINUTE, Actor, ActorKind, ChangeKind, Channel, Lane, Setting, Severity
from holdback.core.state import Contact, Freeze, Head, HeldExit, Wait

EVENTS = typing.get_args(ev.AnyEvent)
OWNER = Actor(ActorKind.OWNER)


def head(**fields: object) -> Head:
    """A head with one confirmed contact."""
    mail = Contact(Channel.EMAIL, sealed("mail"), START, Wait(0, START, heard=True), confirmed=True)
    return replace(Head("alice", sealed("alice"), START, (), contacts={"c1": mail}), **fields)


def test_every_event_has_one_row() -> None:
    """Every event there is has exactly one row, so that no route is forgotten."""
    assert set(EFFECTS) == set(EVENTS)
    assert len(EFFECTS) == len(EVENTS)


@pytest.mark.parametrize("kind", EFFECTS, ids=lambda kind: kind.__struct_config__.tag)
def test_what_loosens_or_cools_is_announced(kind: type[ev.Event]) -> None:
    """Laws 1, 4 and 5: nothing loosens, cools or waits without a notice; what cools severely is told severely."""
    effect = EFFECTS[kind]
    if effect.direction is Direction.LOOSENING or effect.cools is not None or effect.about:
        assert effect.notice is not None
        assert effect.notice is not Severity.INFO
    if effect.cools is Severity.SEVERE:
        assert effect.notice is Severity.SEVERE
    assert not effect.about or effect.about in kind.__struct_fields__


@pytest.mark.parametrize(
    ("kind", "cools"),
    [
        (ev.DeviceMet, Severity.MILD),
        (ev.SessionMisused, Severity.MILD),
        (ev.DeviceDisowned, Severity.SEVERE),
        (ev.AuthenticatorBound, Severity.MILD),
        (ev.AuthenticatorConfirmed, Severity.MILD),
        (ev.AuthenticatorReinstated, Severity.MILD),
        (ev.AuthenticatorRemoved, Severity.SEVERE),
        (ev.SecretReplaced, Severity.SEVERE),
        (ev.ContactConfirmed, Severity.SEVERE),
        (ev.ContactRemoved, Severity.SEVERE),
        (ev.ContactRecycled, Severity.SEVERE),
        (ev.SignInScored, Severity.SEVERE),
        (ev.AuthenticatorRecycled, Severity.SEVERE),
        (ev.RecoveryFinished, Severity.SEVERE),
    ],
    ids=lambda one: getattr(one, "__name__", one),
)
def test_every_takeover_relevant_change_cools(kind: type[ev.Event], cools: Severity) -> None:
    """Law 4: a new device or authenticator cools mildly, a replaced or removed secret or contact severely."""
    assert EFFECTS[kind].cools is cools


def test_nothing_else_cools() -> None:
    """What changes nothing a thief could use leaves exits as they are."""
    assert {kind.__name__ for kind, effect in EFFECTS.items() if effect.cools} == {
        "SessionMisused",
        "DeviceMet",
        "DeviceDisowned",
        "AuthenticatorBound",
        "AuthenticatorConfirmed",
        "AuthenticatorReinstated",
        "AuthenticatorRemoved",
        "SecretReplaced",
        "RecoveryFinished",
        "ContactConfirmed",
        "ContactRemoved",
        "ContactRecycled",
        "SignInScored",
        "AuthenticatorRecycled",
    }


SETTINGS = [
    (Setting.ALLOWLIST, 0, 1, True),
    (Setting.ALLOWLIST, 1, 1, True),
    (Setting.ALLOWLIST, 0, 0, True),
    (Setting.ALLOWLIST, 1, 0, False),
    (Setting.LOCK_HOURS, 0, 24, True),
    (Setting.LOCK_HOURS, 24, 24, True),
    (Setting.LOCK_HOURS, 24, 23, False),
    (Setting.LIMIT_MICRO_USD, -1, 0, True),
    (Setting.LIMIT_MICRO_USD, -1, 500, True),
    (Setting.LIMIT_MICRO_USD, -1, -1, True),
    (Setting.LIMIT_MICRO_USD, 500, 499, True),
    (Setting.LIMIT_MICRO_USD, 500, 500, True),
    (Setting.LIMIT_MICRO_USD, 500, 501, False),
    (Setting.LIMIT_MICRO_USD, 500, -1, False),
    (Setting.LIMIT_MICRO_USD, 0, -1, False),
]


@pytest.mark.parametrize(("setting", "old", "new", "tighter"), SETTINGS, ids=str)
def test_which_way_is_tighter(setting: Setting, old: int, new: int, tighter: bool) -> None:  # noqa: FBT001 - a column
    """Law 1: more allowlist and lock, less limit is tighter; no limit is the loosest; the same is no loosening."""
    assert is_tighter(setting, old, new) is tighter


@pytest.mark.parametrize("kind", ChangeKind, ids=str)
def test_every_loosening_waits_as_its_number_says(kind: ChangeKind) -> None:
    """Law 1: each loosening has a wait in the policy, at least as long as the owner's own lock."""
    hours = DEFAULT["waits"][CHANGES[kind].wait.removeprefix("waits.")]
    assert loosening_wait(head(), kind, POLICY, START) == hours * HOUR
    locked = head(settings={Setting.LOCK_HOURS: 700})
    assert loosening_wait(locked, kind, POLICY, START) == 700 * HOUR
    assert loosening_wait(head(settings={Setting.LOCK_HOURS: 1}), kind, POLICY, START) == hours * HOUR


@pytest.mark.parametrize(
    ("changed_hours_ago", "hours"), [(0, 72), (71, 72), (72, 24), (1000, 24)], ids=lambda one: f"{one} h"
)
def test_a_changed_account_thaws_later(changed_hours_ago: int, hours: int) -> None:
    """Unfreezing waits 24 h, 72 h if anything takeover-relevant changed in the last 72 h; other waits stay."""
    changed = head(changed_at=START)
    now = START + changed_hours_ago * HOUR
    assert loosening_wait(changed, ChangeKind.UNFREEZE, POLICY, now) == hours * HOUR
    assert loosening_wait(changed, ChangeKind.SET, POLICY, now) == 72 * HOUR


def follow(before: Head, *caused: ev.AnyEvent, after: Head | None = None) -> list[ev.AnyEvent]:
    """What follows from these events."""
    return consequences(before, after or before, caused, POLICY, "7-")


def test_a_severe_change_cools_and_is_told_about_itself_and_its_cool_off() -> None:
    """Laws 4 and 5: the notice names what waits for it: the thing itself and its cool-off, each with its length."""
    caused = ev.SecretReplaced(START, "a1", sealed("new"), 2, 72 * HOUR, START + 72 * HOUR)
    cool, notice = follow(head(), caused)
    assert cool == ev.CoolOffStarted(
        START,
        "7-0",
        "authenticator.secret_replaced",
        Severity.SEVERE,
        24 * HOUR,
        START + DAY,
        72 * HOUR,
        START + 3 * DAY,
    )
    about = (ev.About("authenticator", "a1"), ev.About("cool_off", "7-0"))
    assert notice == ev.NoticeDue(START, "7-0", "authenticator.secret_replaced", Severity.SEVERE, ("c1",), about)


def test_a_mild_change_cools_for_the_mild_time() -> None:
    """Law 4: after a mild change each kind of beneficiary cools for its own time."""
    cool, _ = follow(head(), ev.DeviceMet(START, "phone", None))
    assert isinstance(cool, ev.CoolOffStarted)
    assert (cool.severity, cool.senior_ms, cool.others_ms) == (Severity.MILD, 24 * HOUR, 72 * HOUR)


@pytest.mark.parametrize(
    ("kind", "cools"),
    [
        (ChangeKind.SET, None),
        (ChangeKind.VAULT, None),
        (ChangeKind.UNFREEZE, None),
        (ChangeKind.REINSTATE_AUTHENTICATOR, None),
        (ChangeKind.REMOVE_AUTHENTICATOR, Severity.SEVERE),
        (ChangeKind.REMOVE_CONTACT, Severity.SEVERE),
    ],
    ids=str,
)
def test_asking_for_a_removal_cools_already(kind: ChangeKind, cools: Severity | None) -> None:
    """Whoever asks to remove a guard closes exits by asking; every loosening is told severely and waits to be heard."""
    asked = ev.ChangeAsked(START, "ch7", kind, "a1", 0, 72 * HOUR, START + 3 * DAY)
    *cooled, notice = follow(head(), asked)
    assert [one.severity for one in cooled if isinstance(one, ev.CoolOffStarted)] == ([cools] if cools else [])
    assert isinstance(notice, ev.NoticeDue)
    assert notice.severity is Severity.SEVERE
    assert notice.about[0] == ev.About("change", "ch7")


def bound(*, confirmed: bool) -> ev.AuthenticatorBound:
    """A new authenticator."""
    kind = ev.AuthenticatorKind.TOTP
    return ev.AuthenticatorBound(START, "a7", kind, b"a7", sealed("s"), confirmed, 72 * HOUR, START + 3 * DAY)


def test_what_nothing_confirmed_is_silent() -> None:
    """An authenticator that was not yet confirmed neither cools nor is told; a confirmed one is."""
    assert follow(head(), bound(confirmed=False)) == []
    assert [type(one) for one in follow(head(), bound(confirmed=True))] == [ev.CoolOffStarted, ev.NoticeDue]


@pytest.mark.parametrize("cools", [True, False])
def test_a_sign_in_cools_only_where_its_score_says_so(*, cools: bool) -> None:
    """Most sign-ins are scored without anybody hearing of it; one far from the owner's is news, and cools."""
    found = follow(head(), ev.SignInScored(START, 900, (), raised=True, cools=cools))
    assert [type(one) for one in found] == ([ev.CoolOffStarted, ev.NoticeDue] if cools else [])


def test_a_contact_confirmed_again_is_only_told() -> None:
    """A contact that was confirmed before opens nothing and so cools nothing."""
    again, first = ev.ContactConfirmed(START, "c1", 0, START), ev.ContactConfirmed(START, "c7", 5, START)
    assert effect_of(again) == Effect(Direction.TIGHTENING, Severity.INFO)
    assert [type(one) for one in follow(head(), again)] == [ev.NoticeDue]
    assert [type(one) for one in follow(head(), first)] == [ev.CoolOffStarted, ev.NoticeDue]


def test_codes_go_to_the_contact_alone() -> None:
    """A code is sent to the contact that must show it back, and nothing waits for its delivery."""
    added = ev.ContactAdded(START, "c7", Channel.SMS, sealed("number"), confirmed=False, wait_ms=1, until=START)
    asked = ev.ContactAsked(START, "c8")
    challenge = ev.ChallengeIssued(START, "s7", b"", (), START, "c9")
    silent = ev.ChallengeIssued(START, "s8", b"", (), START)
    sent = follow(head(), added, asked, challenge, silent)
    assert [(one.notice, one.cause, one.contacts, one.about) for one in sent if isinstance(one, ev.NoticeDue)] == [
        ("7-0-code", "contact.code", ("c7",), ()),
        ("7-1-code", "contact.code", ("c8",), ()),
        ("7-2-code", "contact.code", ("c9",), ()),
    ]


@pytest.mark.parametrize("kind", [ev.AuthenticatorKind.SMS, ev.AuthenticatorKind.EMAIL])
def test_codes_go_to_the_authenticator_alone(kind: ev.AuthenticatorKind) -> None:
    """A code that an authenticator must show goes where it lives, and to no contact."""
    new = msgspec.structs.replace(bound(confirmed=False), kind=kind)
    sent = follow(head(), new, ev.AuthenticatorAsked(START, "a8", "s8"))
    assert [(one.notice, one.cause, one.contacts, one.about) for one in sent if isinstance(one, ev.NoticeDue)] == [
        ("7-0-code", "authenticator.code", ("a7",), ()),
        ("7-1-code", "authenticator.code", ("a8",), ()),
    ]


def test_imported_contacts_get_no_code() -> None:
    """A contact that came confirmed is sent no code."""
    added = ev.ContactAdded(START, "c7", Channel.SMS, sealed("number"), confirmed=True, wait_ms=1, until=START)
    assert follow(head(), added) == []


def test_an_import_is_told_once_and_its_contents_are_not() -> None:
    """An import's own news is told; what it brought waits as new without a notice, for nobody senior could be told."""
    imported = ev.AccountImported(START, "alice", sealed("alice"), (), 0)
    found = consequences(None, head(), [imported, bound(confirmed=True)], POLICY, "1-")
    assert [(one.cause, one.contacts) for one in found if isinstance(one, ev.NoticeDue)] == [
        ("account.imported", ("c1",))
    ]
    assert len(found) == 1


@pytest.mark.parametrize(("minutes", "sent"), [(0, False), (14, False), (15, True), (600, True)], ids=str)
def test_quiet_repeats_are_folded(minutes: int, sent: bool) -> None:  # noqa: FBT001 - a column
    """Law 5: the same quiet news within 15 minutes is counted, not sent."""
    before = head(folded={"address.removed": START})
    (found,) = follow(before, ev.AddressRemoved(START + minutes * MINUTE, "b"))
    assert isinstance(found, ev.NoticeDue if sent else ev.NoticeFolded)


def test_severe_news_and_what_waits_is_never_folded() -> None:
    """Law 5: severe repeats are all sent, and so is what a wait depends on."""
    causes = ("account.frozen", "address.added", "exit.held", "device.met")
    before = head(folded=dict.fromkeys(causes, START))
    frozen = ev.Frozen(START, OWNER)
    added = ev.AddressAdded(START, "b", sealed("b"), "bitcoin", None, 5, START, OWNER, "", "a1")
    assert all(isinstance(one, ev.NoticeDue) for one in follow(before, frozen, added))


def test_a_second_press_is_folded_only_if_nothing_was_left_to_stop() -> None:
    """Whoever presses a stop again is told so again while something still waits, and not for each press without."""
    wait = Wait(0, START, heard=True)
    fields = ("withdrawal", "b", "bitcoin", "BTC", "1", 5, b"", "alice", (), "", START, wait, START)
    frozen = {"frozen_at": START, "freezes": (Freeze(START, START),)}
    for waiting, kind in (({}, ev.NoticeFolded), ({"x1": HeldExit(*fields)}, ev.NoticeDue)):
        (found,) = follow(head(exits=waiting, **frozen), ev.Frozen(START + MINUTE, OWNER))
        assert isinstance(found, kind)


@pytest.mark.parametrize(("lane", "sent"), [(lane, lane is not Lane.OWN) for lane in Lane], ids=str)
def test_value_that_leaves_is_always_told(lane: Lane, *, sent: bool) -> None:
    """Each exit has a notice of its own, however many leave; only moves within the family are folded."""
    gone = ev.ExitAllowed(START, "x7", "withdrawal", "b", lane, 5, b"", "alice", 5)
    (found,) = follow(head(folded={"exit.allowed": START}), gone)
    assert isinstance(found, ev.NoticeDue) is sent


def test_ids_are_unique_within_an_entry() -> None:
    """Two causes in one entry give different cool-offs and notices."""
    found = follow(head(), ev.AuthenticatorRemoved(START, "a1"), ev.ContactRemoved(START, "c2", START + DAY))
    notices = [one.notice for one in found if isinstance(one, ev.NoticeDue)]
    cool_offs = [one.cool_off for one in found if isinstance(one, ev.CoolOffStarted)]
    assert len(set(notices)) == len(set(cool_offs)) == 2


@pytest.mark.parametrize(
    ("fields", "is_told"),
    [
        ({}, True),
        ({"confirmed": False}, False),
        ({"recycled": True}, False),
        ({"removed": True, "told_until": START + 1}, True),
        ({"removed": True, "told_until": START}, False),
        ({"removed": True, "told_until": START + 1, "recycled": True}, False),
    ],
    ids=[
        "live",
        "not confirmed",
        "given to someone else",
        "replaced lately",
        "replaced long ago",
        "replaced, recycled",
    ],
)
def test_who_is_told(fields: dict[str, object], is_told: bool) -> None:  # noqa: FBT001 - a column
    """Law 5: every confirmed contact, a replaced one for its time, a recycled one never."""
    before = head()
    contact = replace(before.contacts["c1"], **fields)
    assert told(replace(before, contacts={"c1": contact}), START) == (("c1",) if is_told else ())
