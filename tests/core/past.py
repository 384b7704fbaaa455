"""What a history says: every answer is found by reading the whole list of entries again, from the first to the last.

This is the slow half of the twin. It keeps no balance, no meter and no flag, and of the events the core writes it
believes only what happened (bound, added, asked, allowed, frozen...), never what the core concluded from it: cool-offs
are found from the changes that cause them, waits from the instants and outcomes of notices, budgets from single exits.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from holdback.core import events as ev
from holdback.core.decision import Facts
from holdback.core.events import (
    DAY,
    HOUR,
    MINUTE,
    AnyEvent,
    AuthenticatorKind,
    ChangeKind,
    Channel,
    Instant,
    Lane,
    stored_decoder,
)

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from holdback.core.policy import Policy

Entry = tuple[AnyEvent, ...]

STRENGTH: Final = {
    AuthenticatorKind.PASSWORD: 0,
    AuthenticatorKind.EMAIL: 1,
    AuthenticatorKind.SMS: 2,
    AuthenticatorKind.TOTP: 3,
    AuthenticatorKind.BACKUP_CODE: 3,
    AuthenticatorKind.PASSKEY: 4,
}
"""Law 2: passkey > totp, backup_code > sms > email, with password beside them, never instead."""

MILD, SEVERE = "mild", "severe"

MANY_ALIKE: Final = 4
"""Cool-offs of one cause that are told apart while they run."""

CONTACT_EVENTS: Final = (ev.ContactAdded, ev.ContactAsked, ev.ContactConfirmed, ev.ContactRemoved, ev.ContactRecycled)

FACTS: Final = ev.stored_decoder(Facts)

HELD_KINDS: Final = {"totp", "backup_code", "passkey", "device"}

STEPS: Final = (
    ev.RecoveryOpened,
    ev.RecoveryShown,
    ev.RecoveryDoubted,
    ev.RecoveryClosed,
    ev.RecoveryReviewed,
    ev.RecoveryContested,
)
"""What keeps a recovery alive."""

CONFIRMS_ENTRY: Final = (ev.AddressRenewed, ev.ExitAllowed, ev.ExitHeld)
"""What confirms a beneficiary again, if it was proved; entering it confirmed it first."""


def crowd_h(policy: Policy, facts: Facts, now: Instant, *, joining: bool) -> int:
    """How long an address waits that many entered or paid within days while it was new; 0 if it is none."""
    for one in facts.shared:
        days = now // DAY - one.first_day
        count = one.joined if joining else one.accounts
        if one.kind == "address" and days < policy.shared.address_new_d and count >= policy.shared.address_accounts:
            return policy.shared.address_wait_h
    return 0


class Waiting(NamedTuple):
    """Something that waits: made at `since`, for `length`, and told to the owner at `told` (None: not yet)."""

    since: Instant
    length: int
    told: Instant | None

    def ends(self) -> Instant | None:
        """Law 5: a wait runs only once a notice was accepted."""
        return None if self.told is None else max(self.since, self.told) + self.length

    def hoped(self, now: Instant) -> Instant:
        """When it would end if the owner were told now."""
        ends = self.ends()
        return now + self.length if ends is None else ends


@dataclass
class Authenticator:
    """An authenticator, as the events up to now describe it."""

    kind: AuthenticatorKind
    holder: bytes
    since: Instant
    waiting: Waiting
    confirmed: bool
    epoch: int = 1
    counter: int = 0
    codes: set[int] = field(default_factory=set)
    suspended: bool = False
    recycled: bool = False
    lost: bool = False


@dataclass
class Contact:
    """A contact, as the events up to now describe it."""

    channel: Channel
    address: bytes
    waiting: Waiting
    confirmed: bool
    code_at: Instant
    told_until: Instant | None = None
    recycled: bool = False
    lost_freeze: bool = False


@dataclass
class Session:
    """A session, as the events up to now describe it."""

    device: str
    until: Instant
    idle: int
    seen: Instant
    password: Instant
    key: bytes = b""

    def ends(self) -> Instant:
        """When it stops counting."""
        return min(self.until, self.seen + self.idle)


NO_USE: Final = {"api_key_suspended", "api_key_scope", "api_key_new", "not_entitled"}
"""Refusals of what a key may not ask at all."""


@dataclass
class Program:
    """An API key, as the events up to now describe it."""

    made: ev.ApiKeyCreated
    waiting: Waiting
    used: Instant = 0
    nonces: set[int] = field(default_factory=set)
    suspended: bool = False
    asked: list[Instant] = field(default_factory=list)

    def too_fast(self, policy: Policy, now: Instant) -> bool:
        """Whether it has asked so often, but for what it has made up for since, that it must wait to ask again."""
        each, owed, last = HOUR // policy.api_keys.asks_per_h, 0, 0
        for at in self.asked:
            owed, last = max(0, owed - (at - last)) + each, at
        return max(0, owed - (now - last)) + each > HOUR

    def asleep(self, policy: Policy, now: Instant) -> bool:
        """Whether nobody used it for too long since it could be used."""
        usable = self.waiting.ends() or self.waiting.since + self.waiting.length
        return now > max(self.used, usable) + policy.api_keys.dormant_d * DAY


class Sent(NamedTuple):
    """What went to another customer: whether its sender was stopped while it waited, and whether it was given back.

    `micro_usd` is what arrived: None of what an order only may have given away. `fill` is the mark of who said so.
    """

    event: ev.ValueSent
    stopped: bool
    returned: bool
    micro_usd: int | None
    fill: bytes = b""

    def lasts(self, now: Instant) -> bool:
        """Whether it may be given back, or was and did not move yet."""
        return self.returned or now < self.event.stopped_until


class Stop(NamedTuple):
    """A time in which the owner's stop was on: pressed first and last, and taken off (None: not yet)."""

    pressed: Instant
    last_pressed: Instant
    thawed: Instant | None


class Entered(NamedTuple):
    """A beneficiary in the book, confirmed by senior proof up to `verified`."""

    address: ev.Sealed | None
    waiting: Waiting
    verified: Instant


class Pending(NamedTuple):
    """A loosening that was asked for, and is neither done nor cancelled."""

    kind: ChangeKind
    subject: str
    value: int
    waiting: Waiting


class Closed(NamedTuple):
    """What a change closes: exits to senior beneficiaries and to others, unless spared (law 4).

    `began` is earlier than the change if it took in another, and `told_in` the entry in which the owner was told.
    """

    cause: object
    severity: str
    senior: Waiting
    others: Waiting
    began: Instant
    told_in: int

    def took_in(self, older: Closed, number: int) -> bool:
        """Whether this one, of entry `number`, leaves nothing to say for an older one that still runs."""
        ends, before = older.others.ends(), older.senior.ends()
        if older.told_in >= number or ends is None or before is None or max(ends, before) <= self.others.since:
            return False
        alike = (older.cause, older.severity) == (self.cause, self.severity)
        longer = ends <= self.others.since + self.others.length and before <= self.senior.since + self.senior.length
        return alike and longer


class HeldExit(NamedTuple):
    """An exit that waits: what was asked, its own part of the wait, and the instant its owner was told.

    `approved`: the vault's approver let it.
    """

    asked: ev.ExitHeld
    waiting: Waiting
    said: Instant
    approved: bool = False


class Sale(NamedTuple):
    """A P2P sale that was locked and is not over: as it was held before, if it was, and what was said of it since."""

    asked: ev.ExitLocked
    held: HeldExit | None
    paid: bool = False
    disputed: bool = False
    word: ev.ExitRuled | None = None


class Gone(NamedTuple):
    """An exit that was let go and is not paid, as it went last, and the wait that it had before it went first."""

    event: ev.ExitAllowed
    payable: ev.Payable
    waited: Waiting | None


class Draw(NamedTuple):
    """One exit that was allowed, at its exact instant."""

    at: Instant
    lane: Lane
    micro_usd: int
    own_micro_usd: int


class Past:
    """A customer's history so far, under one policy."""

    def __init__(self, entries: Sequence[Entry], policy: Policy, counted: dict[int, bool]) -> None:
        """`counted` remembers which reports of delivery counted, by entry; that depends on earlier entries only."""
        self.entries = entries
        self.policy = policy
        self.counted = counted

    def then(self, entry: Entry) -> Past:
        """The same history with one more entry."""
        return Past([*self.entries, entry], self.policy, self.counted)

    def events(self) -> Iterator[tuple[int, AnyEvent]]:
        """Every event with the number of its entry."""
        for number, entry in enumerate(self.entries):
            for event in entry:
                yield number, event

    # Being told

    @cached_property
    def reports(self) -> list[tuple[int, Instant, str, str, int]]:
        """Each report that a notice was accepted: entry, instant, notice, contact, and how late it was elsewhere."""
        found = []
        for number, event in self.events():
            if isinstance(event, ev.Decided) and event.action == "notice.outcome":
                said: dict[str, Any] = msgspec.msgpack.decode(event.request)
                if said["accepted"]:
                    ahead = FACTS.decode(event.facts).ahead_ms
                    found.append((number, event.at, said["notice"], said["contact"], ahead))
        return found

    def told(self, number: int, event: AnyEvent) -> Instant | None:
        """When a senior contact first accepted the notice of an event in entry `number`; imports need none."""
        entry = self.entries[number]
        if any(isinstance(one, ev.AccountImported) for one in entry):
            return event.at
        alike = [one for one in entry if type(one) is type(event)]
        place = next(index for index, one in enumerate(alike) if one is event)
        return self.told_as(number, type(event).__struct_config__.tag, place)

    def told_as(self, number: int, cause: object, place: int = 0) -> Instant | None:
        """When a senior contact first accepted the n-th notice of this cause in entry `number`."""
        return self.accepted(number, cause, place)[1]

    def accepted(self, number: int, cause: object, place: int = 0) -> tuple[int, Instant | None]:
        """The entry in which that was reported, and when; far in the future and never, if it was not."""
        entry = self.entries[number]
        notices = [one.notice for one in entry if isinstance(one, ev.NoticeDue) and one.cause == cause]
        for reported, at, notice, contact, ahead in self.reports:
            if notices[place : place + 1] == [notice] and reported > number and self.counts(reported, contact, at):
                return reported, at + ahead
        return sys.maxsize, None

    def counts(self, number: int, contact: str, at: Instant) -> bool:
        """Whether acceptance there, in entry `number`, told the owner: judged by what was before it."""
        if number not in self.counted:
            before = Past(self.entries[:number], self.policy, self.counted)
            self.counted[number] = before.would_tell(contact, at)
        return self.counted[number]

    def would_tell(self, contact: str, now: Instant) -> bool:
        """Law 5: a senior contact outside the platform's systems; any confirmed one while none ever was senior."""
        one = self.contacts.get(contact)
        if one is None or one.channel not in self.policy.notices.independent or not one.confirmed or one.recycled:
            return False
        if one.told_until is not None and one.told_until <= now:
            return False
        anyone_senior = any(self.ripe(other.waiting, now) for other in self.contacts.values() if other.confirmed)
        return self.ripe(one.waiting, now) or not anyone_senior

    # Law 10

    def ripe_at(self, waiting: Waiting) -> Instant | None:
        """When something new becomes senior: told, waited out, undisputed, and outside each cool-off it was made in."""
        until = self.undisputed_at(waiting)
        for closed in self.cool_offs:
            ends = closed.others.ends()
            if until is None or (closed.began <= waiting.since and ends is None):
                return None
            if ends is not None and closed.began <= waiting.since < ends:
                until = max(until, ends)
        return until

    def undisputed_at(self, waiting: Waiting) -> Instant | None:
        """When its own wait is over; the owner's stop disputes what still waited, which waits again from the thaw.

        What is disputed was made before the stop was last pressed, and still waited when it was pressed first.
        """
        until = waiting.ends()
        for stop in self.stops:
            if until is not None and waiting.since <= stop.last_pressed and stop.pressed < until:
                until = None if stop.thawed is None else max(until, stop.thawed + waiting.length)
        return until

    def ripe(self, waiting: Waiting, now: Instant) -> bool:
        """Whether it is senior now."""
        until = self.ripe_at(waiting)
        return until is not None and until <= now

    @cached_property
    def stops(self) -> list[Stop]:
        """The times in which the owner's stop was on."""
        found: list[Stop] = []
        for _, event in self.events():
            if isinstance(event, ev.Frozen):
                again = bool(found) and found[-1].thawed is None
                first = found.pop().pressed if again else event.at
                found.append(Stop(first, event.at, None))
            elif isinstance(event, ev.Unfrozen):
                found.append(found.pop()._replace(thawed=event.at))
        return found

    @cached_property
    def weak_until(self) -> Instant:
        """Until when little may be asked, for the account was recovered lately."""
        return max((one.weak_until for _, one in self.events() if isinstance(one, ev.RecoveryFinished)), default=0)

    @property
    def is_frozen(self) -> bool:
        """Whether the owner's stop is on."""
        return bool(self.stops) and self.stops[-1].thawed is None

    def ordered(self, now: Instant) -> bool:
        """Whether an authority's order stops exits: none that two members of staff took off, or whose date is past."""
        orders: dict[str, Instant] = {}
        for _, event in self.events():
            if isinstance(event, ev.LegalFrozen):
                orders[event.request] = event.until
            elif isinstance(event, ev.LegalThawed):
                del orders[event.request]
        return any(now < until for until in orders.values())

    # Who can prove, who can be told

    @cached_property
    def authenticators(self) -> dict[str, Authenticator]:
        """Those the account holds."""
        held: dict[str, Authenticator] = {}
        length = self.policy.waits.authenticator_senior_h * HOUR
        for number, event in self.events():
            match event:
                case ev.AuthenticatorBound():
                    told = self.told(number, event) if event.confirmed else None
                    waiting = Waiting(event.at, length, told)
                    held[event.authenticator] = Authenticator(
                        event.kind, event.holder, event.at, waiting, event.confirmed, counter=event.counter
                    )
                    for name in event.replaces:
                        del held[name]
                case ev.AuthenticatorConfirmed():
                    one = held[event.authenticator]
                    one.confirmed = True
                    one.waiting = Waiting(one.since, length, self.told(number, event))
                case ev.AuthenticatorSuspended():
                    held[event.authenticator].suspended = True
                    held[event.authenticator].lost = event.lost
                case ev.AuthenticatorReinstated():
                    held[event.authenticator].suspended = False
                    held[event.authenticator].lost = False
                case ev.AuthenticatorRecycled():
                    held[event.authenticator].recycled = True
                case ev.AuthenticatorRemoved():
                    del held[event.authenticator]
                case ev.SecretReplaced():
                    one = held[event.authenticator]
                    one.epoch, one.counter, one.codes = event.epoch, 0, set()
                    one.waiting = Waiting(event.at, length, self.told(number, event))
                case ev.ProofUsed():
                    one = held[event.authenticator]
                    one.codes.add(event.counter)
                    one.counter = max(one.counter, event.counter)
        return held

    @cached_property
    def programs(self) -> dict[str, Program]:
        """API keys that were made and not revoked; one is used by what it signs awake, from where it may."""
        found: dict[str, Program] = {}
        lock = 0
        for number, event in self.events():
            match event:
                case ev.SettingChanged(setting=ev.Setting.LOCK_HOURS):
                    lock = event.value
                case ev.ApiKeyCreated():
                    length = max(self.policy.api_keys.ripens_h, lock) * HOUR
                    found[event.api_key] = Program(event, Waiting(event.at, length, self.told(number, event)))
                case ev.Decided() if event.actor.kind is ev.ActorKind.API_KEY and event.actor.key in found:
                    one, signed = found[event.actor.key], FACTS.decode(event.facts).api_key
                    assert signed is not None
                    one.nonces.add(signed.nonce)
                    one.asked += [event.at][: not self.is_free(number, event)]
                    refused = {found.code for found in event.findings[:1]} & NO_USE
                    if signed.listed and not refused and not one.asleep(self.policy, event.at):
                        one.used = event.at
                case ev.ApiKeyWoken():
                    found[event.api_key].used = event.at
                case ev.ApiKeySuspended():
                    found[event.api_key].suspended = True
                case ev.ApiKeyResumed():
                    found[event.api_key].suspended = False
                case ev.ApiKeyRevoked():
                    del found[event.api_key]
                case ev.RecoveryFinished() | ev.Frozen(robbed=True):
                    for one in found.values():
                        one.suspended = True
        return found

    def may_go_on(self, name: str) -> bool:
        """Whether a key was neither revoked nor suspended."""
        return name in self.programs and not self.programs[name].suspended

    @cached_property
    def contacts(self) -> dict[str, Contact]:
        """Those the account has, and replaced ones; once those are told no more, the next change forgets them."""
        found: dict[str, Contact] = {}
        length = self.policy.waits.contact_senior_h * HOUR
        frozen_by: str | None = None
        for number, event in self.events():
            if isinstance(event, CONTACT_EVENTS):
                found = {key: one for key, one in found.items() if (one.told_until or event.at + 1) > event.at}
            match event:
                case ev.ContactAdded():
                    told = self.told(number, event) if event.confirmed else None
                    waiting = Waiting(event.at, length, told)
                    found[event.contact] = Contact(event.channel, event.address.mac, waiting, event.confirmed, event.at)
                case ev.ContactAsked():
                    found[event.contact].code_at = event.at
                case ev.ContactConfirmed():
                    one = found[event.contact]
                    if not one.confirmed:
                        one.waiting = Waiting(one.waiting.since, length, self.told(number, event))
                    one.confirmed, one.lost_freeze = True, False
                case ev.ContactRemoved():
                    found[event.contact].told_until = event.at + self.policy.notices.replaced_contact_d * DAY
                case ev.ContactRecycled():
                    found[event.contact].recycled = True
                case ev.Frozen():
                    frozen_by = event.by.contact if frozen_by is None else frozen_by
                case ev.Unfrozen():
                    if event.mistaken and frozen_by in found:
                        found[frozen_by].lost_freeze = True
                    frozen_by = None
        return found

    @cached_property
    def sessions(self) -> dict[bytes, Session]:
        """Those that were started and not ended; the ones that ran out are forgotten at the next start."""
        found: dict[bytes, Session] = {}
        for number, event in self.events():
            match event:
                case ev.SessionStarted():
                    found = {key: one for key, one in found.items() if one.ends() > event.at}
                    proved = event.at if AuthenticatorKind.PASSWORD in event.proved else 0
                    until = event.at + self.policy.sessions.absolute_h * HOUR
                    idle = self.policy.sessions.idle_m * MINUTE
                    found[event.session] = Session(event.device, until, idle, event.at, proved, event.key)
                case ev.SessionSeen():
                    one = found[event.session]
                    one.seen = event.at
                    one.password = event.at if event.password else one.password
                case ev.SessionEnded() if self.asked_in(number) in {"session.end", "session.end_all"}:
                    del found[event.session]
                case ev.AuthenticatorRemoved():
                    found = {}
                case ev.SecretReplaced() | ev.AuthenticatorSuspended() | ev.AuthenticatorRecycled():
                    found = {key: one for key, one in found.items() if key == self.asker_in(number)}
                case ev.DeviceDisowned():
                    found = {key: one for key, one in found.items() if one.device != event.device}
        return found

    def asked_in(self, number: int) -> str:
        """The action that an entry answers."""
        decided = self.entries[number][0]
        return decided.action if isinstance(decided, ev.Decided) else ""

    def is_free(self, number: int, asked: ev.Decided) -> bool:
        """Whether what a key asked counts for nothing: an order, or to stop what then was stopped."""
        if asked.action != "exit.cancel":
            return asked.action in {"order.place", "order.lease"}
        which = msgspec.msgpack.decode(asked.request)["which"]
        stopped = [one for one in self.entries[number] if isinstance(one, ev.ExitCancelled | ev.ExitDisputed)]
        return any(one.exit == which for one in stopped)

    def asker_in(self, number: int) -> bytes:
        """The session that asked in an entry."""
        decided = self.entries[number][0]
        return decided.actor.session if isinstance(decided, ev.Decided) else b""

    @cached_property
    def signed(self) -> list[tuple[Instant, ev.DeviceProofSpent]]:
        """Every proof of a device's key that served, and when."""
        return [(one.at, one) for _, one in self.events() if isinstance(one, ev.DeviceProofSpent)]

    # Law 4

    @cached_property
    def cool_offs(self) -> list[Closed]:
        """What changes closed, where the fifth and later ones of a kind have taken in the one before."""
        found: list[Closed] = []
        for number, new in self.closings:
            alike = [one for one in found if new.took_in(one, number)]
            if len(alike) >= MANY_ALIKE:
                found.remove(alike[-1])
                found.append(new._replace(began=alike[-1].began))
            else:
                found.append(new)
        return found

    @cached_property
    def closings(self) -> list[tuple[int, Closed]]:
        """What every takeover-relevant change closed, by whichever route it was made, with the number of its entry."""
        found = []
        known: set[str] = set()
        for number, event in self.events():
            severity, told = self._closes(number, event, known)
            if severity and number > 0:
                hours = self.policy.cool_offs
                senior = Waiting(event.at, (hours.senior_h if severity == SEVERE else hours.mild_senior_h) * HOUR, told)
                others = Waiting(event.at, hours.others_h * HOUR, told)
                told_in = self.told_in(number, event)
                found.append((number, Closed(type(event), severity, senior, others, event.at, told_in)))
        return found

    def told_in(self, number: int, event: AnyEvent) -> int:
        """The entry in which the owner was told of a change."""
        if isinstance(event, ev.SessionStarted):
            return self.accepted(number, "device.met")[0]
        alike = [one for one in self.entries[number] if type(one) is type(event)]
        place = next(index for index, one in enumerate(alike) if one is event)
        return self.accepted(number, type(event).__struct_config__.tag, place)[0]

    def _closes(self, number: int, event: AnyEvent, known: set[str]) -> tuple[str, Instant | None]:
        """How severe a change this is ("" if none), and when the owner was told.

        `known` are the devices and contacts met before: a contact that is confirmed again is no change.
        """
        match event:
            case ev.SessionStarted():
                new = event.device not in known - {"", *self.disowned(number)}
                known.add(event.device)
                return (MILD, self.told_as(number, "device.met")) if new else ("", None)
            case ev.SessionMisused():
                return MILD, self.told(number, event)
            case ev.DeviceDisowned():
                return SEVERE, self.told(number, event)
            case ev.AuthenticatorBound(confirmed=True) | ev.AuthenticatorConfirmed() | ev.AuthenticatorReinstated():
                return MILD, self.told(number, event)
            case ev.ContactRecycled() | ev.AuthenticatorRecycled():
                return SEVERE, self.told(number, event)
            case ev.SecretReplaced() | ev.AuthenticatorRemoved() | ev.ContactRemoved():
                return SEVERE, self.told(number, event)
            case ev.ContactConfirmed() if event.contact not in known:
                known.add(event.contact)
                return SEVERE, self.told(number, event)
            case ev.ContactAdded(confirmed=True):
                known.add(event.contact)
                return "", None
            case ev.ApiKeyCreated() if ev.Scope.WITHDRAW in event.scopes:
                return MILD, self.told(number, event)
            case ev.ChangeAsked(kind=ChangeKind.REMOVE_AUTHENTICATOR | ChangeKind.REMOVE_CONTACT):
                return SEVERE, self.told(number, event)
            case _:
                return "", None

    def disowned(self, number: int) -> set[str]:
        """Devices that their owner had disowned before an entry: none of them is ever known again."""
        return {one.device for place, one in self.events() if place < number and isinstance(one, ev.DeviceDisowned)}

    def cooling_until(self, now: Instant) -> Instant | None:
        """When the last cool-off that still runs ends for all; None if none does."""
        ends = [closed.others for closed in self.cool_offs]
        running = [one.hoped(now) for one in ends if one.ends() is None or one.hoped(now) > now]
        return max(running, default=None)

    # The book, the settings and what waits

    @cached_property
    def book(self) -> dict[str, Entered]:
        """Beneficiaries that are in it now."""
        found: dict[str, Entered] = {}
        lock = 0
        for number, event in self.events():
            if isinstance(event, ev.SettingChanged) and event.setting is ev.Setting.LOCK_HOURS:
                lock = event.value
            elif isinstance(event, ev.AddressAdded):
                crowd = crowd_h(self.policy, self.facts_in(number), event.at, joining=True)
                length = max(self.policy.waits.address_h, lock, crowd) * HOUR
                waiting = Waiting(event.at, length, self.told(number, event))
                found[event.beneficiary] = Entered(event.address, waiting, event.at)
            elif isinstance(event, ev.AddressRemoved):
                del found[event.beneficiary]
            elif isinstance(event, CONFIRMS_ENTRY) and event.beneficiary in found and self.confirms(number, event):
                until = event.at + self.policy.book.verified_d * DAY
                found[event.beneficiary] = found[event.beneficiary]._replace(verified=until)
        return found

    def facts_in(self, number: int) -> Facts:
        """What the decision of an entry went by; nothing where it was an import."""
        decided = self.entries[number][0]
        if not isinstance(decided, ev.Decided) or not decided.facts:
            return Facts(b"")
        return stored_decoder(Facts).decode(decided.facts)

    def confirms(self, number: int, event: ev.AddressRenewed | ev.ExitAllowed | ev.ExitHeld) -> bool:
        """Whether somebody proved something in an entry, or a recovery's payment went."""
        by_recovery = {one.exit for _, one in self.events() if isinstance(one, ev.ExitHeld) and one.recovery}
        paid = isinstance(event, ev.ExitAllowed) and (
            event.exit in by_recovery or self.asked_in(number) == "recovery.finish"
        )
        return paid or self.proved(number)

    # Recoveries

    def lapsed(self, recovery: str, now: Instant) -> bool:
        """Whether a recovery is under way that nobody went on with for as long as it may last."""
        last = [one.at for _, one in self.events() if isinstance(one, STEPS) and one.recovery == recovery]
        return bool(last) and not self.is_over(recovery) and now >= last[-1] + self.policy.recovery.expires_d * DAY

    def is_over(self, recovery: str) -> bool:
        """Whether it ended, or was finished."""
        over = (ev.RecoveryEnded, ev.RecoveryFinished)
        return any(isinstance(one, over) and one.recovery == recovery for _, one in self.events())

    def is_undone(self, recovery: str, now: Instant) -> bool:
        """Whether so much of what was shown counts no more that it would go another way today."""
        closed = [one for _, one in self.events() if isinstance(one, ev.RecoveryClosed) and one.recovery == recovery]
        if not closed or self.is_over(recovery):
            return False
        shown = [one for _, one in self.events() if isinstance(one, ev.RecoveryShown) and one.recovery == recovery]
        left = [one for one in shown if self.still_counts(one, now)]
        return len(left) < len(shown) and way_of(left) != closed[-1].path

    def still_counts(self, one: ev.RecoveryShown, now: Instant) -> bool:
        """Whether others do not know it, and what it rests on is neither suspended nor gone."""
        burns = [burn for _, burn in self.events() if isinstance(burn, ev.EvidenceBurned)]
        known = any(one.evidence in burn.kinds and burn.at <= now < burn.until for burn in burns)
        authenticator, contact = self.authenticators.get(one.source), self.contacts.get(one.source)
        if one.evidence in {str(kind) for kind in STRENGTH}:
            there = authenticator is not None and not (authenticator.suspended or authenticator.recycled)
        else:
            there = contact is None or (contact.told_until is None and not contact.recycled)
        return there and not known

    def proved(self, number: int) -> bool:
        """Whether somebody proved something in an entry."""
        return any(isinstance(one, ev.ProofUsed) for one in self.entries[number])

    @cached_property
    def settings(self) -> dict[ev.Setting, int]:
        """Their values; a limit of -1 is none."""
        found = {ev.Setting.ALLOWLIST: 0, ev.Setting.LOCK_HOURS: 0, ev.Setting.LIMIT_MICRO_USD: -1}
        for _, event in self.events():
            if isinstance(event, ev.SettingChanged):
                found[event.setting] = event.value
        return found

    @cached_property
    def vault(self) -> ev.VaultChanged | None:
        """What the owner locked last, if anything is."""
        said = [one for _, one in self.events() if isinstance(one, ev.VaultChanged)]
        return said[-1] if said and said[-1].percent else None

    @cached_property
    def changes(self) -> dict[str, Pending]:
        """Loosenings that wait."""
        found: dict[str, Pending] = {}
        for number, event in self.events():
            match event:
                case ev.ChangeAsked():
                    waiting = Waiting(event.at, event.wait_ms, self.told(number, event))
                    found[event.change] = Pending(event.kind, event.subject, event.value, waiting)
                case ev.ChangeCancelled() | ev.ChangeDone():
                    del found[event.change]
        return found

    @cached_property
    def held(self) -> dict[str, HeldExit]:
        """Exits that wait."""
        found: dict[str, HeldExit] = {}
        for number, event in self.events():
            if isinstance(event, ev.ExitHeld):
                waiting = Waiting(event.at, event.wait_ms, self.told(number, event))
                found[event.exit] = HeldExit(
                    event, waiting, max(event.until, event.at + event.wait_ms, waiting.ends() or 0)
                )
            elif isinstance(event, ev.ExitMoved):
                one = found[event.exit]
                found[event.exit] = one._replace(said=max(one.said, event.until))
            elif isinstance(event, ev.ExitApproved):
                found[event.exit] = found[event.exit]._replace(approved=True)
            elif isinstance(event, ev.ExitAllowed | ev.ExitCancelled | ev.ExitLocked | ev.ExitReconciled):
                found.pop(event.exit, None)
        return found

    @cached_property
    def unpaid(self) -> dict[str, Gone]:
        """The last sixteen exits that were let go and are not paid, as far as anybody said."""
        found: dict[str, Gone] = {}
        bought: set[str] = set()
        for number, event in self.events():
            stopped = self.stopped_by(event, found) - bought
            found = {name: one for name, one in found.items() if name not in stopped}
            if isinstance(event, ev.ExitPaid):
                bought.add(event.exit)
            elif isinstance(event, ev.ExitAllowed) and event.payable is not None:
                before = found.pop(event.exit, None)
                held = Past(self.entries[:number], self.policy, self.counted).held.get(event.exit)
                waited = before.waited if before is not None else held.waiting if held is not None else None
                found = {name: one for name, one in found.items() if one.payable.until > event.at}
                found[event.exit] = Gone(event, event.payable, waited)
                found = dict(list(found.items())[-16:])
            elif isinstance(event, ev.ExitSettled | ev.ExitReturned | ev.ExitReconciled):
                found.pop(event.exit, None)
        return found

    @staticmethod
    def stopped_by(event: ev.AnyEvent, unpaid: dict[str, Gone]) -> set[str]:
        """Of what was let go and is not paid, what an event stops: what it would stop if it still waited."""
        if isinstance(event, ev.Frozen):
            return set(unpaid)
        if isinstance(event, ev.AddressRemoved):
            return {name for name, one in unpaid.items() if one.event.beneficiary == event.beneficiary}
        if isinstance(event, ev.RecoveryEnded | ev.RecoveryContested):
            return {name for name, one in unpaid.items() if one.payable.recovery == event.recovery}
        if isinstance(event, ev.ApiKeySuspended | ev.ApiKeyRevoked):
            return {name for name, one in unpaid.items() if one.payable.key == event.api_key}
        if isinstance(event, ev.ApiKeysStopped):
            return {name for name, one in unpaid.items() if one.payable.key in event.keys}
        return set()

    @property
    def settled(self) -> set[str]:
        """Exits that are paid, as somebody said."""
        allowed = {one.exit for _, one in self.events() if isinstance(one, ev.ExitAllowed | ev.ExitReconciled)}
        allowed |= {one.receipt for _, one in self.events() if isinstance(one, ev.ExitReconciled)}
        paid = (one.exit for _, one in self.events() if isinstance(one, ev.ExitSettled | ev.ExitReconciled))
        return {name for name in paid if name in allowed}

    def undrawn(self, which: str) -> Past:
        """The same history, in which an exit that was let go drew nothing."""
        entries = [
            tuple(
                replace(one, micro_usd=0, usual_micro_usd=0)
                if isinstance(one, ev.ExitAllowed) and one.exit == which
                else one
                for one in entry
            )
            for entry in self.entries
        ]
        sold = [one for _, one in self.events() if isinstance(one, ev.ExitLocked) and one.exit == which]
        return Past([*entries, *((ev.ExitCancelled(one.at, which),) for one in sold)], self.policy, self.counted)

    @cached_property
    def sales(self) -> dict[str, Sale]:
        """P2P sales that are set aside for their buyers."""
        found: dict[str, Sale] = {}
        for number, event in self.events():
            match event:
                case ev.ExitLocked():
                    before = Past(self.entries[:number], self.policy, self.counted)
                    found[event.exit] = Sale(event, before.held.get(event.exit))
                case ev.ExitPaid():
                    found[event.exit] = found[event.exit]._replace(paid=True)
                case ev.ExitDisputed():
                    found[event.exit] = found[event.exit]._replace(disputed=True)
                case ev.ExitRuled():
                    found[event.exit] = found[event.exit]._replace(word=event)
                case ev.ExitAllowed() | ev.ExitCancelled() | ev.ExitReconciled():
                    found.pop(event.exit, None)
                case _:
                    pass
        return found

    def lapsed_sales(self, now: Instant) -> list[str]:
        """Sales whose buyers have not paid in time."""
        longest = self.policy.outflow.sale_lock_h * HOUR
        return [name for name, sale in self.sales.items() if not sale.paid and sale.asked.at + longest <= now]

    @cached_property
    def locked(self) -> list[ev.ExitLocked]:
        """What was set aside for buyers, and not given back."""
        found: dict[str, ev.ExitLocked] = {}
        for _, event in self.events():
            if isinstance(event, ev.ExitLocked):
                found[event.exit] = event
            elif isinstance(event, ev.ExitCancelled | ev.ExitReconciled):
                found.pop(event.exit, None)
        return list(found.values())

    # Law 3

    @cached_property
    def draws(self) -> list[Draw]:
        """Every exit that was allowed, in order; one that was allowed again drew then, and not before."""
        found = []
        last = {one.exit: one for _, one in self.events() if isinstance(one, ev.ExitAllowed)}
        again = {one.exit for _, one in self.events() if isinstance(one, ev.ExitReconciled)}
        for _, event in self.events():
            if isinstance(event, ev.ExitAllowed) and last[event.exit] is event and event.exit not in again:
                now = 0 if event.drawn_at else event.micro_usd
                found.append(Draw(event.at, event.lane, now, event.usual_micro_usd))
            elif isinstance(event, ev.ExitReconciled):
                found.append(Draw(event.at, event.lane, event.micro_usd, 0))
            elif isinstance(event, ev.ExitReturned):
                found.append(Draw(event.drawn_at, event.lane, -event.drawn_micro_usd, 0))
                found.append(Draw(event.left_at or event.drawn_at, event.lane, 0, -event.usual_micro_usd))
            elif isinstance(event, ev.ExitCleared):
                found.append(Draw(event.drawn_at, event.lane, -event.refund_micro_usd, 0))
            elif isinstance(event, ev.ExitExceeded):
                found.append(Draw(event.at, Lane.OTHERS, event.micro_usd, 0))
        found += [Draw(one.at, one.lane, one.micro_usd, 0) for one in self.locked]
        return [*found, *(Draw(at, Lane.OTHERS, drain.micro_usd, 0) for at, drain in self.given_away)]

    @cached_property
    def given_away(self) -> list[tuple[Instant, ev.Drain]]:
        """What every order gives away at the most, at its exact instant; what a report gives back counts against it."""
        found: list[tuple[Instant, ev.Drain]] = []
        for _, event in self.events():
            if isinstance(event, ev.OrderAllowed):
                found.append((event.at, event.drain))
            elif isinstance(event, ev.LeaseGranted):
                found.append((event.at, ev.Drain(event.micro_usd, event.micro_usd, event.micro_usd)))
            elif isinstance(event, ev.LeaseSettled):
                unused = -event.refund_micro_usd
                found.append((event.granted_at, ev.Drain(unused, unused, unused)))
            elif isinstance(event, ev.OrderReported):
                back = event.refund
                less = ev.Drain(-back.raw_micro_usd, -back.micro_usd, -back.weighed_micro_usd, -back.storm_micro_usd)
                found += [(event.placed_at, less), (event.at, event.extra)]
        return found

    def traded(self, field: str, now: Instant, span: int, unit: int) -> int:
        """What orders gave away in a window; a bucket that is partly in it counts in full."""
        begins = (now - span) // unit * unit
        return sum(int(getattr(drain, field)) for at, drain in self.given_away if at >= begins)

    @cached_property
    def orders(self) -> dict[str, ev.OrderAllowed]:
        """Orders that may still be reported: 64, of which those go first that are not to reduce risk."""
        found: dict[str, ev.OrderAllowed] = {}
        for _, event in self.events():
            if isinstance(event, ev.OrderAllowed):
                if len(found) == 64:
                    found.pop([*[name for name, one in found.items() if not one.reduces], *found][0])
                found[event.order] = event
            elif isinstance(event, ev.OrderReported):
                found.pop(event.order, None)
        return found

    @property
    def leases(self) -> dict[str, ev.LeaseGranted]:
        """The last leases that were not settled."""
        found: dict[str, ev.LeaseGranted] = {}
        for _, event in self.events():
            if isinstance(event, ev.LeaseGranted):
                found = dict([*list(found.items())[-7:], (event.lease, event)])
            elif isinstance(event, ev.LeaseSettled):
                found.pop(event.lease, None)
        return found

    @cached_property
    def closed(self) -> set[str]:
        """Pairs and counterparties that may not be traded."""
        found: set[str] = set()
        for _, event in self.events():
            if isinstance(event, ev.TradingClosed):
                found |= {f"pair {event.pair}"} | (
                    {f"counterparty {event.counterparty}"} if event.counterparty else set()
                )
            elif isinstance(event, ev.TradingOpened):
                found.discard(event.subject)
        return found

    @property
    def closed_ties(self) -> set[bytes]:
        """Ties of the counterparties that may not be traded with."""
        found: dict[str, tuple[bytes, ...]] = {}
        for _, event in self.events():
            if isinstance(event, ev.TradingClosed) and event.counterparty and event.ties:
                found[f"counterparty {event.counterparty}"] = event.ties
            elif isinstance(event, ev.TradingOpened):
                found.pop(event.subject, None)
        return {tie for ties in found.values() for tie in ties}

    def ties(self, now: Instant) -> list[bytes]:
        """The last eight ties, and the last eight of where deposits came from, but for those not met for long."""
        found: list[tuple[bytes, Instant]] = []
        for funds in (False, True):
            last: dict[bytes, Instant] = {}
            for _, event in self.events():
                if isinstance(event, ev.Tied) and event.funds is funds:
                    last.pop(event.key, None)
                    last |= {event.key: event.at} if event.counts else {}
                    last = dict(list(last.items())[-8:])
            found += last.items()
        return [tie for tie, at in found if now < at + self.policy.trades.cluster_d * DAY]

    @property
    def victims(self) -> list[ev.ProceedsSeen]:
        """The last 32 who looked robbed and gave something to this account; with 0 what is held already."""
        found: list[ev.ProceedsSeen] = []
        for _, event in self.events():
            if isinstance(event, ev.ProceedsSeen):
                found.append(event)
            elif isinstance(event, ev.ProceedsHeld):
                found = [ev.ProceedsSeen(one.at, one.victim, 0) for one in found]
        return found[-32:]

    def started(self, session: bytes) -> Instant:
        """When a session began."""
        return next(
            one.at
            for _, one in reversed(list(self.events()))
            if isinstance(one, ev.SessionStarted) and one.session == session
        )

    def drawn(self, lanes: Container[Lane], now: Instant, span: int = DAY, unit: int = HOUR) -> int:
        """Micro-USD drawn in the last 24 h (or another span); an hour (or day) that is partly in it counts in full."""
        begins = (now - span) // unit * unit
        return sum(one.micro_usd for one in self.draws if one.lane in lanes and one.at >= begins)

    def paid_to(self, stranger: str, now: Instant) -> int:
        """Micro-USD that went to one stranger in the last 24 h; an hour that is partly in it counts in full."""
        begins = (now - DAY) // HOUR * HOUR
        back = [one for _, one in self.events() if isinstance(one, ev.ExitReturned)]
        last = {one.exit: one for _, one in self.events() if isinstance(one, ev.ExitAllowed)}
        gone = [one for one in last.values() if not one.drawn_at]
        both = [(one.stranger, one.at, one.micro_usd) for one in gone]
        both += [(one.stranger, one.at, one.micro_usd) for one in self.locked]
        both += [(one.stranger, one.drawn_at, -one.drawn_micro_usd) for one in back]
        charged = [one for _, one in self.events()]
        both += [
            (one.stranger, one.drawn_at, -one.refund_micro_usd) for one in charged if isinstance(one, ev.ExitCleared)
        ]
        both += [(one.stranger, one.at, one.micro_usd) for one in charged if isinstance(one, ev.ExitExceeded)]
        return sum(micro_usd for name, at, micro_usd in both if name == stranger and at >= begins)

    def lowest_equity(self, now: Instant, said: int | None = None, days: int = 30) -> int:
        """The lowest that was in force on any day since so many days ago, with what the request itself says."""
        begins = (now - days * DAY) // DAY * DAY
        stated = [(one.at, one.equity_micro_usd) for _, one in self.events() if isinstance(one, ev.AccountImported)]
        stated += [(one.at, one.micro_usd) for _, one in self.events() if isinstance(one, ev.EquityStated)]
        before = [value for at, value in stated if at < begins][-1:]
        within = [value for at, value in stated if at >= begins]
        return min([*before, *within, *([] if said is None else [said])])

    def usual(self, now: Instant) -> int:
        """1.5 times the 95 % quantile of a year's days with outflow, sweeps aside, that ended 72 h ago or earlier."""
        outflow = self.policy.outflow
        days: dict[int, int] = {}
        quiet = now - outflow.usual_quiet_h * HOUR
        for one in self.draws:
            ended = (one.at // DAY + 1) * DAY
            counts = ended <= quiet and one.at // DAY >= quiet // DAY - 365
            if one.lane not in {Lane.NONE, Lane.OWN} and one.own_micro_usd and counts:
                days[one.at // DAY] = days.get(one.at // DAY, 0) + one.own_micro_usd
        if len(days) < outflow.usual_days_min:
            return 0
        rank = math.ceil(Fraction(outflow.usual_quantile_percent, 100) * len(days))
        return sorted(days.values())[rank - 1] * outflow.usual_factor_percent // 100

    @cached_property
    def came(self) -> list[ev.ValueReceived]:
        """What came from inside the platform."""
        return [one for _, one in self.events() if isinstance(one, ev.ValueReceived)]

    @cached_property
    def waits(self) -> list[tuple[ev.ValueReceived, int]]:
        """The same, and how much of it the platform has not moved back to who sent it."""
        found = [(one, one.micro_usd) for one in self.came]
        late = [one for one in self.came if one.late_micro_usd]
        gone = [ev.ValueReturned(one.at, one.late_micro_usd, one.sender, one.late_at, one.late_until) for one in late]
        gone += [one for _, one in self.events() if isinstance(one, ev.ValueReturned)]
        for back in gone:
            left = back.micro_usd
            for place, (one, there) in enumerate(found):
                same = (one.sender, one.until, one.at // HOUR) == (back.sender, back.until, back.received_at // HOUR)
                some = min(left, there) if same else 0
                found[place] = (one, there - some)
                left -= some
        return found

    @cached_property
    def sent(self) -> dict[str, Sent]:
        """What went to other customers, and may be given back or is on its way."""
        return self.sent_and_moved[0]

    @cached_property
    def sent_and_moved(self) -> tuple[dict[str, Sent], list[bytes]]:
        """The same, and the marks of reports of which something was moved back, newest last."""
        found: dict[str, Sent] = {}
        moved: list[bytes] = []
        for _, event in self.events():
            if isinstance(event, ev.ValueSent):
                found = {name: one for name, one in found.items() if one.lasts(event.at)}
                arrived = event.micro_usd if event.reported else None
                stopped = event.stopped
                found[event.exit] = Sent(event, stopped, returned=False, micro_usd=arrived, fill=event.fill)
            elif isinstance(event, ev.OrderReported):
                found = self.after_report(found, event)
            elif isinstance(event, ev.ExitReturned):
                found[event.exit] = found[event.exit]._replace(returned=True)
            elif isinstance(event, ev.ExitSettled) and event.returned:
                fill = found.pop(event.exit).fill
                moved = [*(one for one in moved if one != fill), *([fill] if fill else [])][-64:]
            elif self.is_stop(event):
                found = {
                    name: one._replace(stopped=one.stopped or event.at < one.event.until) for name, one in found.items()
                }
        return found, moved

    def was_told(self, fill: bytes, now: Instant) -> bool:
        """Whether a report of this mark is known already to have told of a loss that may come, or came, back."""
        found, moved = self.sent_and_moved
        return fill in moved or fill in {one.fill for one in found.values() if one.lasts(now)}

    @staticmethod
    def after_report(sent: dict[str, Sent], report: ev.OrderReported) -> dict[str, Sent]:
        """What a report says of what was asked for arrived, and nothing else of it did."""
        asked = {
            name
            for name, one in sent.items()
            if one.micro_usd is None and (one.event.order, one.event.at) == (report.order, report.placed_at)
        }
        arrived = report.arrived_micro_usd
        kept = {name: one for name, one in sent.items() if name not in asked or arrived}
        told = {name: one._replace(micro_usd=arrived, fill=report.fill) for name, one in kept.items() if name in asked}
        return kept | told

    @staticmethod
    def is_stop(event: AnyEvent) -> bool:
        """Whether what was sent before stays longer where it went."""
        severe = isinstance(event, ev.CoolOffStarted) and event.severity is ev.Severity.SEVERE
        return severe or isinstance(event, ev.Frozen | ev.LegalFrozen | ev.RecoveryContested)

    @cached_property
    def keeps_what_was_sent(self) -> tuple[Instant, ...]:
        """When the account was stopped, so that what it sent before stays longer where it went."""
        return tuple(one.at for _, one in self.events() if self.is_stop(one))

    # Proofs and challenges

    @cached_property
    def failures(self) -> tuple[int, Instant]:
        """How many proofs failed since the last one that served, and when the last did."""
        count, last = 0, 0
        for _, event in self.events():
            if isinstance(event, ev.ProofFailed):
                count, last = count + 1, event.at
            elif isinstance(event, ev.ProofUsed):
                count = 0
        return count, last

    def texts_since(self, since: Instant) -> int:
        """How many codes were sent to numbers after an instant, by whichever route."""
        numbers: set[str] = set()
        sent = 0
        for _, event in self.events():
            match event:
                case ev.ContactAdded(channel=Channel.SMS):
                    numbers.add(event.contact)
                    sent += not event.confirmed and event.at > since
                case ev.AuthenticatorBound(kind=ev.AuthenticatorKind.SMS):
                    numbers.add(event.authenticator)
                    sent += not event.confirmed and event.at > since
                case ev.ContactAsked() | ev.ChallengeIssued():
                    sent += event.contact in numbers and event.at > since
                case ev.AuthenticatorAsked():
                    sent += event.authenticator in numbers and event.at > since
                case _:
                    pass
        return sent

    @cached_property
    def challenges(self) -> dict[str, ev.ChallengeIssued]:
        """Challenges that are open; those that ran out are forgotten when the next one is issued."""
        found: dict[str, ev.ChallengeIssued] = {}
        for _, event in self.events():
            if isinstance(event, ev.ChallengeIssued):
                found = {key: one for key, one in found.items() if one.until > event.at}
                found[event.challenge] = event
            elif isinstance(event, ev.ChallengeClosed):
                found.pop(event.challenge, None)
        return found


def way_of(shown: list[ev.RecoveryShown]) -> str:
    """The issue's table: which way this evidence opens."""
    held = {one.holder for one in shown if one.evidence in HELD_KINDS}
    if held:
        return "two_possessions" if len(held) > 1 else "one_possession"
    both = {"email_code", "sms_code"} <= {one.evidence for one in shown}
    return "codes" if both else "no_possession"
