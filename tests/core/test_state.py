"""Folding events into the state: what each one changes, what is kept and what is forgotten."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace
from tests.core.histories import START, grown, sealed

from holdback.core import events as ev
from holdback.core.cooling import obstacles
from holdback.core.events import (
    DAY,
    ENCODER,
    HOUR,
    About,
    Actor,
    ActorKind,
    AuthenticatorKind,
    ChangeKind,
    Channel,
    Lane,
    Setting,
    Severity,
    stored_decoder,
)
from holdback.core.inside import MARKS_KEPT, Received, stops
from holdback.core.rules.api_key import ApiKeyCreate
from holdback.core.seniority import ripe_at
from holdback.core.state import (
    COOL_OFFS_APART,
    EXITS_KEPT,
    FREEZES_KEPT,
    HABIT_DAYS_KEPT,
    NOBODY,
    STATE_VERSION,
    Beneficiary,
    Credential,
    Customer,
    Device,
    Freeze,
    Head,
    Part,
    PartKey,
    Wait,
    evolve,
)

OWNER = Actor(ActorKind.OWNER)
IMPORTED = ev.AccountImported(START, "alice", sealed("alice"), ("savings",), 5)
LATER = START + HOUR


def folded(*events: ev.AnyEvent, start: Customer | None = None) -> Customer:
    """An imported account after these events."""
    customer = start or evolve(NOBODY, IMPORTED)
    for event in events:
        customer = evolve(customer, event)
    return customer


def head(*events: ev.AnyEvent) -> Head:
    """Its head."""
    found = folded(*events).head
    assert found is not None
    return found


def parts(*events: ev.AnyEvent) -> dict[PartKey, Part]:
    """Its parts."""
    return folded(*events).parts


def decided(at: int) -> ev.Decided:
    """An answered question."""
    return ev.Decided(at, "session.end", "alice", OWNER, "allow", (), b"", b"", b"", b"")


def bound(
    name: str = "a1", kind: AuthenticatorKind = AuthenticatorKind.TOTP, **fields: object
) -> ev.AuthenticatorBound:
    """A confirmed authenticator."""
    event = ev.AuthenticatorBound(START, name, kind, b"h", sealed("s"), confirmed=True, wait_ms=9, until=START + 9)
    return replace(event, **fields)


def contact(name: str = "c1", **fields: object) -> ev.ContactAdded:
    """A confirmed contact."""
    event = ev.ContactAdded(START, name, Channel.EMAIL, sealed(name), confirmed=True, wait_ms=9, until=START + 9)
    return replace(event, **fields)


def added(name: str = "b1", at: int = START) -> ev.AddressAdded:
    """A beneficiary."""
    return ev.AddressAdded(at, name, sealed(name), "bitcoin", None, 9, at + 9, OWNER, "laptop", "a1")


def held(name: str = "x1") -> ev.ExitHeld:
    """An exit that waits nine milliseconds."""
    return ev.ExitHeld(
        START, name, "withdrawal", "b1", "bitcoin", "USD", "5", 5, b"d", "alice", (b"h",), "", 9, START + 5
    )


def asked(name: str = "ch1") -> ev.ChangeAsked:
    """A loosening that waits nine milliseconds."""
    return ev.ChangeAsked(START, name, ChangeKind.SET, "allowlist", 0, 9, START + 9)


def cooled(name: str = "k1", at: int = START) -> ev.CoolOffStarted:
    """A cool-off of five and nine milliseconds."""
    return ev.CoolOffStarted(at, name, "device.met", Severity.MILD, 5, at + 5, 9, at + 9)


def gone(name: str, at: int, micro_usd: int = 1, lane: Lane = Lane.OTHERS) -> ev.ExitAllowed:
    """An exit that was let go."""
    return ev.ExitAllowed(at, name, "withdrawal", "b1", lane, micro_usd, b"", "alice", micro_usd)


def due(*about: About, name: str = "n1", at: int = START) -> ev.NoticeDue:
    """A notice that these things wait for."""
    return ev.NoticeDue(at, name, "exit.held", Severity.MILD, ("c1",), about)


def test_nothing_is_true_before_the_import() -> None:
    """An event before the import changes nothing; the import begins at number 1 with what the platform said."""
    assert evolve(NOBODY, decided(START)) is NOBODY
    born = evolve(NOBODY, IMPORTED)
    assert born.head == Head("alice", sealed("alice"), START, ("savings",), at=START, seq=1, equity={20_000: 5})
    assert born.parts == {}


def test_each_entry_counts() -> None:
    """Each decision moves the number and the instant of the last entry."""
    after = head(decided(START + 1), decided(START + 2))
    assert (after.seq, after.at) == (3, START + 2)


@pytest.mark.parametrize(
    "event",
    [
        ev.ExitSettled(START, "x1", "ref"),
        ev.NoticeFolded(START, "cause"),
        ev.NoticeFailed(START, "n1", "c1"),
        ev.AddressRenewed(START, "nobody", START),
        ev.AddressRemoved(START, "nobody"),
        ev.DeviceSeen(START, "unknown"),
        ev.DeviceMet(START, "", None),
        ev.NoticeAccepted(START, "unknown", "c1"),
        ev.ChangeCancelled(START, "unknown"),
        ev.ChangeDone(START, "unknown"),
        ev.ExitCancelled(START, "unknown"),
        ev.SessionEnded(START, b"unknown"),
        ev.ChallengeClosed(START, "unknown"),
        ev.WaitMoved(START, About("beneficiary", "unknown"), START),
        ev.WaitMoved(START, About("cool_off", "unknown"), START),
        ev.WaitMoved(START, About("change", "unknown"), START),
        ev.WaitMoved(START, About("exit", "unknown"), START),
        ev.WaitMoved(START, About("authenticator", "unknown"), START),
        ev.WaitMoved(START, About("contact", "unknown"), START),
        ev.WaitMoved(START, About("something", "unknown"), START),
    ],
    ids=lambda event: f"{type(event).__name__}-{getattr(event, 'about', '')}"[:60],
)
def test_what_is_gone_or_elsewhere_is_left_alone(event: ev.AnyEvent) -> None:
    """An event about something that is not there, or is no part of the state, changes nothing."""
    before = folded()
    assert evolve(before, event) == before


class TestSessions:
    """Sessions in the head."""

    STARTED = ev.SessionStarted(START, b"s1", "laptop", (AuthenticatorKind.PASSWORD,), START + DAY, HOUR)

    def test_a_session_ends_by_idling_or_at_its_end(self) -> None:
        """It counts until it idled too long, or until its absolute end, whichever is first."""
        session = head(self.STARTED).sessions[b"s1"]
        assert session.ends_at() == START + HOUR
        assert replace(session, seen_at=START + DAY - 5).ends_at() == START + DAY

    def test_it_remembers_when_the_password_was_proved(self) -> None:
        """Only a sign-in or a use that proved the password is as fresh as that."""
        without = replace(self.STARTED, proved=(AuthenticatorKind.PASSKEY,))
        seen, again = ev.SessionSeen(LATER, b"s1"), ev.SessionSeen(LATER + 1, b"s1", password=True)
        assert head(without).sessions[b"s1"].password_at == 0
        assert head(self.STARTED).sessions[b"s1"].password_at == START
        after = head(self.STARTED, seen).sessions[b"s1"]
        assert (after.seen_at, after.password_at) == (LATER, START)
        after = head(self.STARTED, seen, again).sessions[b"s1"]
        assert (after.seen_at, after.password_at) == (LATER + 1, LATER + 1)

    def test_ended_ones_are_forgotten(self) -> None:
        """A session that ended, or that ran out before another started, is dropped."""
        second = replace(self.STARTED, session=b"s2", at=LATER)
        assert set(head(self.STARTED, second).sessions) == {b"s2"}
        third = replace(second, at=LATER - 1)
        assert set(head(self.STARTED, third).sessions) == {b"s1", b"s2"}
        assert set(head(self.STARTED, third, ev.SessionEnded(LATER, b"s1")).sessions) == {b"s2"}


class TestAuthenticators:
    """Authenticators in the head, their secrets in parts."""

    def test_binding_replaces_only_what_it_names(self) -> None:
        """An unfinished attempt of the same kind is replaced; the secret is a part."""
        first = bound("a1", confirmed=False)
        second = bound("a2", replaces=("a1",), credential=None)
        assert set(head(first, second).authenticators) == {"a2"}
        assert parts(first, second) == {("credential", "a1"): Credential(sealed("s"), 1)}

    def test_confirming_starts_the_wait(self) -> None:
        """Its wait starts when it is confirmed, and it was held since it was bound."""
        confirmed = ev.AuthenticatorConfirmed(LATER, "a1", 7, LATER + 7)
        one = head(bound(confirmed=False), confirmed).authenticators["a1"]
        assert one.confirmed
        assert one.ripens == Wait(7, LATER + 7, heard=True)
        assert (one.bound_at, one.held_since) == (START, START)

    def test_suspending_keeps_it(self) -> None:
        """A suspended authenticator stays, marked; reinstating unmarks it; removing takes it away."""
        suspended = ev.AuthenticatorSuspended(START, "a1")
        assert head(bound(), suspended).authenticators["a1"].suspended
        assert not head(bound(), suspended, ev.AuthenticatorReinstated(START, "a1")).authenticators["a1"].suspended
        assert head(bound(), ev.AuthenticatorRemoved(START, "a1")).authenticators == {}

    def test_a_new_secret_is_a_new_epoch(self) -> None:
        """Replacing the secret starts its wait anew, forgets what was used, and keeps since when it is held."""
        used = ev.ProofUsed(START, "a1", 77)
        new = ev.SecretReplaced(LATER, "a1", sealed("new"), 2, 7, LATER + 7)
        one = head(bound(), used, new).authenticators["a1"]
        assert (one.epoch, one.counter, one.used) == (2, 0, 0)
        assert (one.bound_at, one.held_since, one.ripens.until) == (LATER, START, LATER + 7)
        assert parts(bound(), used, new)["credential", "a1"] == Credential(sealed("new"), 2)

    def test_a_stronger_hash_is_no_change(self) -> None:
        """The same secret hashed anew replaces the credential's part, and nothing of the authenticator."""
        rehashed = ev.CredentialRehashed(LATER, "a1", sealed("again"), 1)
        assert head(bound(), rehashed) == head(bound())
        assert parts(bound(), rehashed)["credential", "a1"] == Credential(sealed("again"), 1)

    def test_a_proof_is_spent(self) -> None:
        """A TOTP step is spent with all before it, a backup code alone; either ends the count of failures."""
        failed = ev.ProofFailed(START, ("totp",))
        after = head(bound(), failed, ev.ProofUsed(START, "a1", 9), ev.ProofUsed(START, "a1", 5))
        assert (after.authenticators["a1"].counter, after.failures) == (9, 0)
        codes = bound(kind=AuthenticatorKind.BACKUP_CODE)
        one = head(codes, ev.ProofUsed(START, "a1", 2), ev.ProofUsed(START, "a1", 0)).authenticators["a1"]
        assert (one.used, one.counter) == (0b101, 0)

    def test_failures_are_counted(self) -> None:
        """A failure counts for the account, and for the challenge it answered if that is open."""
        challenge = ev.ChallengeIssued(START, "s1", b"d", (("totp",),), LATER)
        answered, other = ev.ProofFailed(START + 5, ("totp",), "s1"), ev.ProofFailed(START + 6, ("totp",), "gone")
        after = head(challenge, answered, other)
        assert (after.failures, after.failed_at, after.challenges["s1"].tries) == (2, START + 6, 1)

    def test_challenges_are_forgotten(self) -> None:
        """A challenge goes when it is closed, or when another is issued after it ran out."""
        first = ev.ChallengeIssued(START, "s1", b"d", (), LATER)
        second = ev.ChallengeIssued(LATER, "s2", b"d", (), LATER + 1, "c1")
        assert set(head(first, second).challenges) == {"s2"}
        assert set(head(first, replace(second, at=LATER - 1)).challenges) == {"s1", "s2"}
        assert head(first, ev.ChallengeClosed(START, "s1")).challenges == {}


class TestContacts:
    """Contacts in the head."""

    def test_a_replaced_one_is_kept_for_its_time(self) -> None:
        """It is kept while it is still told, and dropped at the next change of contacts after that."""
        removed = ev.ContactRemoved(START, "c1", LATER)
        other = contact("c2", at=LATER - 1)
        kept = head(contact(), removed, other).contacts
        assert (kept["c1"].removed, kept["c1"].told_until) == (True, LATER)
        assert set(head(contact(), removed, replace(other, at=LATER)).contacts) == {"c2"}

    def test_confirming_starts_the_wait_once(self) -> None:
        """A first confirmation starts the wait; a later one only gives back the right to freeze."""
        first = ev.ContactConfirmed(LATER, "c1", 7, LATER + 7)
        new = head(contact(confirmed=False), first).contacts["c1"]
        assert (new.confirmed, new.ripens) == (True, Wait(7, LATER + 7, heard=True))
        assert head(contact(), replace(first, wait_ms=0)).contacts["c1"].ripens.until == START + 9

    def test_a_fresh_code_is_remembered(self) -> None:
        """When a code was last sent is known, so that nobody is flooded."""
        assert head(contact(), ev.ContactAsked(LATER, "c1")).contacts["c1"].asked_at == LATER

    def test_a_recycled_one_is_marked(self) -> None:
        """A contact that was given to someone else stays, and is never used."""
        assert head(contact(), ev.ContactRecycled(START, "c1")).contacts["c1"].recycled


class TestFreezes:
    """The owner's stop."""

    LINK = Actor(ActorKind.LINK, contact="c1")

    def test_pressing_again_lengthens_one_freeze(self) -> None:
        """A freeze is one time: pressed first, pressed last, thawed."""
        first, again = ev.Frozen(START, self.LINK), ev.Frozen(LATER, OWNER)
        frozen = head(first, again)
        assert (frozen.frozen_at, frozen.frozen_by, frozen.freezes) == (START, self.LINK, (Freeze(START, LATER),))
        thawed = head(first, again, ev.Unfrozen(LATER + 1, mistaken=False))
        assert (thawed.frozen_at, thawed.frozen_by) == (0, None)
        assert thawed.freezes == (Freeze(START, LATER, LATER + 1),)

    @pytest.mark.parametrize(
        ("by", "mistaken", "lost"),
        [
            (LINK, True, True),
            (LINK, False, False),
            (OWNER, True, False),
            (Actor(ActorKind.LINK, contact="x"), True, False),
        ],
        ids=["mistaken", "rightly", "the owner's own", "by a contact that is gone"],
    )
    def test_a_mistaken_freeze_costs_its_contact_the_right(self, by: Actor, *, mistaken: bool, lost: bool) -> None:
        """Law 10: only the contact that froze wrongly loses the right."""
        events = (contact(), ev.Frozen(START, by), ev.Unfrozen(LATER, mistaken=mistaken))
        assert head(*events).contacts["c1"].lost_freeze is lost

    def test_the_right_returns_with_a_confirmation(self) -> None:
        """A contact that is confirmed again may freeze again."""
        lost = (contact(), ev.Frozen(START, self.LINK), ev.Unfrozen(LATER, mistaken=True))
        assert not head(*lost, ev.ContactConfirmed(LATER, "c1", 0, LATER)).contacts["c1"].lost_freeze

    def test_the_last_ones_are_kept(self) -> None:
        """Freezes are bounded; each needs a thaw with senior proof in between."""
        events: list[ev.AnyEvent] = []
        for place in range(FREEZES_KEPT + 5):
            events += [ev.Frozen(START + 2 * place, OWNER), ev.Unfrozen(START + 2 * place + 1, mistaken=False)]
        assert len(head(*events).freezes) == FREEZES_KEPT


class TestExits:
    """Held and allowed exits."""

    def test_a_hold_keeps_what_was_said(self) -> None:
        """Its own wait and the instant that was said are apart, and what was said never moves earlier."""
        one = head(held()).exits["x1"]
        assert one.wait == Wait(9, START + 9, heard=True)
        assert one.said_until == START + 5
        assert head(held(), ev.ExitMoved(START, "x1", START + 4)).exits["x1"].said_until == START + 5
        assert head(held(), ev.ExitMoved(START, "x1", START + 6)).exits["x1"].said_until == START + 6

    def test_it_ends_once(self) -> None:
        """An exit that was let go or cancelled waits no more."""
        assert head(held(), ev.ExitCancelled(START, "x1")).exits == {}
        after = head(held(), gone("x1", LATER))
        assert (after.exits, after.allowed) == ({}, {"x1": LATER})

    def test_the_last_ones_are_known(self) -> None:
        """The newest exits and reconciled receipts are known by name, so that they settle and count once."""
        many = [gone(f"x{place}", START) for place in range(EXITS_KEPT)]
        after = head(*many, ev.ExitReconciled(LATER, "receipt", Lane.OTHERS, 5))
        assert len(after.allowed) == EXITS_KEPT
        assert list(after.allowed)[-1] == "receipt"
        assert "x0" not in after.allowed

    def test_habit_is_of_the_last_days(self) -> None:
        """Days with outflow are kept up to a number, oldest dropped."""
        after = head(*(gone(f"x{day}", START + day * DAY) for day in range(HABIT_DAYS_KEPT + 9)))
        assert len(after.habit) == HABIT_DAYS_KEPT
        assert min(after.habit) == START // DAY + 9


def test_received_value_is_forgotten_when_ripe() -> None:
    """What may exit again is dropped when more comes."""
    after = head(ev.ValueReceived(START, 5, LATER), ev.ValueReceived(LATER - 1, 6, LATER + 1))
    assert [one.micro_usd for one in after.received] == [5, 6]
    after = head(ev.ValueReceived(START, 5, LATER), ev.ValueReceived(LATER, 6, LATER + 1))
    assert [one.micro_usd for one in after.received] == [6]


def test_received_value_that_ripens_together_is_one_mark() -> None:
    """However often somebody sends, there is one mark for each instant at which something ripens."""
    after = head(*(ev.ValueReceived(START + at, 5, LATER + at % 2) for at in range(100)))
    assert after.received == (Received(250, LATER), Received(250, LATER + 1))


def test_a_mark_names_its_sender_and_hour() -> None:
    """What one sends within an hour is one mark, which is kept as long as it may ever wait."""
    first, longest = START + HOUR + 1, START + 9 * HOUR
    after = head(
        ev.ValueReceived(first, 5, LATER + HOUR, "bob", longest),
        ev.ValueReceived(first + 1, 6, LATER + HOUR, "bob", longest),
        ev.ValueReceived(first + HOUR, 7, LATER + 2 * HOUR, "bob", longest + HOUR),
        ev.ValueReceived(first + HOUR, 8, LATER + 2 * HOUR, "carol", longest + HOUR),
    )
    hour = START + HOUR
    assert after.received == (
        Received(11, LATER + HOUR, "bob", hour, longest),
        Received(7, LATER + 2 * HOUR, "bob", hour + HOUR, longest + HOUR),
        Received(8, LATER + 2 * HOUR, "carol", hour + HOUR, longest + HOUR),
    )
    assert after.received[0].over_at == longest


def test_marks_that_name_senders_are_few() -> None:
    """Of too many the smallest lose their names, and wait the longer time: nothing is lost by it."""
    many = [ev.ValueReceived(START, size, LATER, f"s{size}", LATER + HOUR) for size in range(1, MARKS_KEPT + 4)]
    after = head(*many)
    named = [one for one in after.received if one.sender]
    assert len(named) == MARKS_KEPT
    assert [one for one in after.received if not one.sender] == [Received(1 + 2 + 3, LATER + HOUR)]


@pytest.mark.parametrize(
    ("event", "stopping"),
    [
        (ev.Frozen(START, OWNER), True),
        (ev.CoolOffStarted(START, "c", "password", ev.Severity.SEVERE, 1, 1, 1, 1), True),
        (ev.CoolOffStarted(START, "c", "device", ev.Severity.MILD, 1, 1, 1, 1), False),
        (ev.LegalFrozen(START, "l1", "staff-lea", LATER), True),
        (ev.RecoveryContested(START, "r1", OWNER, 1, LATER), True),
        (ev.Unfrozen(START, mistaken=False), False),
    ],
)
def test_what_stops_what_was_sent(event: ev.AnyEvent, *, stopping: bool) -> None:
    """A freeze, a severe cool-off and a contest keep what was sent before; a mild cool-off does not."""
    assert stops(event) is stopping


def test_settings_have_a_loosest_value() -> None:
    """A setting that was never set is at its loosest; a change is what it says."""
    assert {one: head().setting(one) for one in Setting} == {
        Setting.ALLOWLIST: 0,
        Setting.LOCK_HOURS: 0,
        Setting.LIMIT_MICRO_USD: -1,
    }
    assert head(ev.SettingChanged(START, Setting.LIMIT_MICRO_USD, 7)).setting(Setting.LIMIT_MICRO_USD) == 7


def cooling(name: str, hours: float, *, told: bool = True, cause: str = "device.met") -> list[ev.AnyEvent]:
    """A mild cool-off of the default lengths, so many hours after the start, and whether its notice was accepted."""
    at = START + int(hours * HOUR)
    started = ev.CoolOffStarted(at, name, cause, Severity.MILD, DAY, at + DAY, 3 * DAY, at + 3 * DAY)
    about, notice = About("cool_off", name), f"notice of {name}"
    unheard: list[ev.AnyEvent] = [started, due(about, name=notice, at=at)]
    heard = (ev.NoticeAccepted(at, notice, "c1"), ev.WaitMoved(at, about, at + 3 * DAY, at + DAY))
    return [*unheard, *heard] if told else unheard


def an_hour_apart(number: int, *, untold: tuple[int, ...] = (), apart: bool = False) -> Head:
    """So many cool-offs `k0`, `k1`... an hour apart, of one cause or each of its own."""
    events: list[ev.AnyEvent] = []
    for place in range(number):
        cause = f"cause {place}" if apart else "device.met"
        events += cooling(f"k{place}", place, told=place not in untold, cause=cause)
    return head(*events)


class TestManyCoolOffs:
    """Cool-offs of one cause are merged before they fill the head, and nothing ends or ripens earlier by it."""

    def test_the_fifth_takes_in_the_fourth(self) -> None:
        """It counts from the start of the one it takes in, and ends at its own."""
        assert list(an_hour_apart(COOL_OFFS_APART).cool_offs) == ["k0", "k1", "k2", "k3"]
        after = an_hour_apart(COOL_OFFS_APART + 5).cool_offs
        assert list(after) == ["k0", "k1", "k2", "k8"]
        merged = after["k8"]
        assert merged.started_at == START + 3 * HOUR
        assert merged.others.until == START + 8 * HOUR + 3 * DAY
        assert merged.senior.until == START + 8 * HOUR + DAY

    def test_its_start_moves_on(self) -> None:
        """Those before it run out, and the next ones are apart again: nothing stays junior for good."""
        head = an_hour_apart(400)
        assert min(one.started_at for one in head.cool_offs.values()) >= START + (399 - 2 * 72) * HOUR

    @pytest.mark.parametrize("number", [4, 5, 9, 90])
    def test_nothing_ripens_earlier(self, number: int) -> None:
        """Law 4: whenever something was made, it ripens no earlier than if each cool-off were kept."""
        merged, kept = an_hour_apart(number), an_hour_apart(number, apart=True)
        assert len(merged.cool_offs) == COOL_OFFS_APART
        assert len(kept.cool_offs) >= min(number, 72)
        now = START + (number - 1) * HOUR
        assert obstacles(merged, senior=False, usual=True, now=now)[-1] == replace(
            obstacles(kept, senior=False, usual=True, now=now)[-1], about="device.met"
        )
        for since in range(START, now + 1, HOUR // 2):
            made = Wait(0, since, heard=True)
            assert max(ripe_at(merged, since, made) or 0, now) >= (ripe_at(kept, since, made) or 0)

    def test_one_that_nobody_was_told_of_is_never_taken_in(self) -> None:
        """Law 5: it stands until its own notice is accepted, however many come after it."""
        after = an_hour_apart(COOL_OFFS_APART + 9, untold=(3, 5))
        assert {"k3", "k5"} < set(after.cool_offs)
        assert [one.about[0].id for one in after.unheard.values()] == ["k3", "k5"]
        assert len(after.cool_offs) == COOL_OFFS_APART + 2

    def test_only_what_says_less_is_taken_in(self) -> None:
        """Nothing of another cause or severity, and nothing that ends later for anyone, as under an older policy."""
        (started, *_) = cooling("new", 9)
        assert isinstance(started, ev.CoolOffStarted)
        first = [one for place in range(COOL_OFFS_APART) for one in cooling(f"k{place}", place)]
        others = (
            replace(started, cause="authenticator.bound"),
            replace(started, severity=Severity.SEVERE),
            replace(started, others_until=START + 3 * DAY - 1),
            replace(started, senior_until=START + DAY - 1),
        )
        assert [len(head(*first, one).cool_offs) for one in (started, *others)] == [4, 5, 5, 5, 5]


class TestWaits:
    """Cool-offs, notices, and waits that run once the owner was told."""

    def test_past_cool_offs_are_forgotten(self) -> None:
        """A cool-off goes when another starts after it ended; one the owner was not told of stays."""
        second = cooled("k2", START + 9)
        assert set(head(cooled(), second).cool_offs) == {"k2"}
        assert set(head(cooled(), replace(second, at=START + 8)).cool_offs) == {"k1", "k2"}
        assert set(head(cooled(), due(About("cool_off", "k1")), second).cool_offs) == {"k1", "k2"}
        assert head(cooled()).changed_at == START

    WAITING = (asked(), held(), bound(), contact(), cooled(), added())
    ABOUT = (
        About("change", "ch1"),
        About("exit", "x1"),
        About("authenticator", "a1"),
        About("contact", "c1"),
        About("cool_off", "k1"),
        About("beneficiary", "b1"),
    )

    def waits(self, *events: ev.AnyEvent) -> dict[str, Wait]:
        """The wait of everything that waits."""
        customer = folded(*self.WAITING, *events)
        assert customer.head is not None
        entry = customer.beneficiary("b1")
        assert entry is not None
        return {
            "change": customer.head.changes["ch1"].wait,
            "exit": customer.head.exits["x1"].wait,
            "authenticator": customer.head.authenticators["a1"].ripens,
            "contact": customer.head.contacts["c1"].ripens,
            "cool_off": customer.head.cool_offs["k1"].others,
            "beneficiary": entry.ripens,
        }

    @pytest.mark.parametrize("about", ABOUT, ids=lambda one: one.kind)
    def test_a_notice_stops_the_wait_until_it_is_accepted(self, about: About) -> None:
        """Law 5: what a notice is about waits to be heard of, then runs to the instant that was said, never earlier."""
        assert not self.waits(due(about))[about.kind].heard
        assert [one.heard for kind, one in self.waits(due(about)).items() if kind != about.kind] == [True] * 5
        moved = self.waits(due(about), ev.WaitMoved(LATER, about, LATER + 9, LATER + 5))[about.kind]
        assert moved == Wait(9, LATER + 9, heard=True)
        early = self.waits(due(about), ev.WaitMoved(START, about, START + 1, START + 1))[about.kind]
        assert early == Wait(9, START + 9, heard=True)

    def test_a_cool_off_moves_for_both(self) -> None:
        """A cool-off runs for senior and for other beneficiaries, each to its own instant."""
        about = About("cool_off", "k1")
        one = head(cooled(), due(about), ev.WaitMoved(LATER, about, LATER + 9, LATER + 5)).cool_offs["k1"]
        assert (one.senior.until, one.others.until) == (LATER + 5, LATER + 9)

    def test_a_moved_exit_is_said_to_end_later(self) -> None:
        """What was said of a held exit moves with its wait."""
        about = About("exit", "x1")
        after = head(held(), due(about), ev.WaitMoved(LATER, about, LATER + 9)).exits["x1"]
        assert after.said_until == LATER + 9

    def test_only_the_newest_notice_of_a_thing_counts(self) -> None:
        """A newer notice about the same thing takes it over; an older one with nothing left is forgotten."""
        both = due(About("exit", "x1"), About("cool_off", "k1"))
        newer = due(About("exit", "x1"), name="n2")
        unheard = head(held(), cooled(), both, newer).unheard
        assert {key: one.about for key, one in unheard.items()} == {
            "n1": (About("cool_off", "k1"),),
            "n2": (About("exit", "x1"),),
        }
        assert set(head(held(), due(About("exit", "x1")), newer).unheard) == {"n2"}

    def test_news_that_nothing_waits_for_is_only_remembered(self) -> None:
        """A notice nothing depends on leaves no trace but when its cause was last told."""
        after = head(due())
        assert (after.unheard, after.folded) == ({}, {"exit.held": START})
        assert head(due(About("exit", "x1")), ev.NoticeAccepted(START, "n1", "c1")).unheard == {}


class TestParts:
    """Beneficiaries and devices."""

    def test_a_beneficiary_has_its_provenance(self) -> None:
        """Who entered it, when, from which device and with which authenticator is kept (incident G)."""
        entry = folded(added()).beneficiary("b1")
        assert entry == Beneficiary(
            sealed("b1"), "bitcoin", None, START, Wait(9, START + 9, heard=True), START, OWNER, "laptop", "a1"
        )

    def test_renewing_keeps_its_seniority(self) -> None:
        """Its verification runs longer, never shorter, and its wait is as it was."""
        renewed = folded(added(), ev.AddressRenewed(LATER, "b1", LATER + 5), ev.AddressRenewed(LATER, "b1", LATER))
        entry = renewed.beneficiary("b1")
        assert entry is not None
        assert (entry.verified_until, entry.ripens, entry.added_at) == (
            LATER + 5,
            Wait(9, START + 9, heard=True),
            START,
        )

    def test_a_removed_one_is_not_in_the_book(self) -> None:
        """Its row stays, its entry is gone, and adding it again waits anew."""
        removed = ev.AddressRemoved(START, "b1")
        assert folded(added(), removed).beneficiary("b1") is None
        again = folded(added(), removed, added(at=LATER)).beneficiary("b1")
        assert again is not None
        assert (again.added_at, again.removed) == (LATER, False)

    def test_other_parts_are_no_beneficiaries(self) -> None:
        """Asking for a beneficiary finds no other part, and nothing that was not loaded."""
        device = Device(START, START, None)
        assert Customer(None, {("beneficiary", "b1"): device}).beneficiary("b1") is None
        assert folded().beneficiary("b1") is None

    def test_a_device_is_met_and_seen(self) -> None:
        """A device has a first and a last time; one without a name is never kept."""
        after = parts(ev.DeviceMet(START, "laptop", sealed("agent")), ev.DeviceSeen(LATER, "laptop"))
        assert after == {("device", "laptop"): Device(START, LATER, sealed("agent"))}
        assert parts(ev.DeviceMet(START, "", None)) == {}

    def test_what_a_key_signed_makes_no_part(self) -> None:
        """A part that was not loaded is not invented by a signature."""
        account, session = grown()
        made = ApiKeyCreate(sealed("bot"), (ev.Scope.TRADE,), secret=sealed("key"))
        account.ask(made, session, "a1-1", "a1-2")
        (key,) = account.head.api_keys
        signed = ev.ApiKeySigned(account.now, key, 1, awake=False)
        assert evolve(Customer(account.head, {}), signed).parts == {}


def test_the_state_is_stored_and_read_back() -> None:
    """Head and parts of a grown account survive storage; a head written before a field existed still reads."""
    account, _ = grown()
    assert stored_decoder(Head).decode(ENCODER.encode(account.head)) == account.head
    for part in account.parts.values():
        assert stored_decoder(type(part)).decode(ENCODER.encode(part)) == part
    old = msgspec.msgpack.encode(["alice", sealed("alice").packed, START, []])
    assert stored_decoder(Head).decode(old) == Head("alice", sealed("alice"), START, ())
    assert STATE_VERSION == 5
