"""A slow, obvious twin of `decide`, for the subjects that move money or protection.

It is written from the laws, the policy file and what the core's docstrings promise, and answers from the whole history
(`past.py`): the decision, its reasons, its instants, which proofs would do, and which lane an exit would draw on. Where
the core keeps running totals the twin adds single exits up again; where the core folds, the twin reads from the start.
"""

from __future__ import annotations

import hashlib
import math
from fractions import Fraction
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from tests.core.past import STRENGTH, Entered, Past, Waiting, crowd_h

from holdback.core import events as ev
from holdback.core.decision import Reason
from holdback.core.events import (
    DAY,
    HOUR,
    MINUTE,
    ActorKind,
    AnyEvent,
    AuthenticatorKind,
    ChangeKind,
    Channel,
    Instant,
    Lane,
    Setting,
)
from holdback.core.rules.account import AccountFreeze, AccountUnfreeze
from holdback.core.rules.address import AddressAdd, AddressRemove, AddressRenew
from holdback.core.rules.api_key import ApiKeyCreate, ApiKeyRevoke, ApiKeySuspend
from holdback.core.rules.authenticator import (
    AuthenticatorBind,
    AuthenticatorConfirm,
    AuthenticatorReinstate,
    AuthenticatorRemove,
    AuthenticatorSuspend,
)
from holdback.core.rules.change import ChangeCancel
from holdback.core.rules.contact import ContactAdd, ContactConfirm, ContactRemove, ContactReportRecycled
from holdback.core.rules.exit import ExitCancel, ExitRelease, ExitRequest
from holdback.core.rules.order import OrderLease, OrderPlace, OrderReport
from holdback.core.rules.password import PasswordChange
from holdback.core.rules.recovery import RecoveryFinish
from holdback.core.rules.session import SessionEnd, SessionEndAll, SessionStart
from holdback.core.rules.setting import AllowlistSet, LimitSet, LockSet, VaultSet

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.core.past import Authenticator, Entry, Sale

    from holdback.core.decision import Facts, Proof
    from holdback.core.policy import Policy
    from holdback.core.rules.asking import Action, Request

ALLOW, STEP_UP, HOLD, DENY = "allow", "step_up", "hold", "deny"

SIGN_IN, CHANGE, REINSTATE, MONEY, EARLY = "sign_in", "change", "reinstate", "money", "early"


class Traded(NamedTuple):
    """What an order draws as it is asked for or told of, and what its report gives back of that.

    `terms` is what it is compared with as it is asked for; `closes` says that its pair closes, and `misled` that it
    did not reduce risk though it had said so. `arrived` is how much of what was reserved was lost to whoever was named,
    and `mark` what stays at the other side: how much, until when, until when at the longest, and whether robbed. `lost`
    is what a report adds to what may be given back: how much, how much of it was drawn and when (0: now), and its mark.
    """

    drawn: ev.Drain = ev.Drain()
    refund: ev.Drain = ev.Drain()
    terms: ev.Terms | None = None
    closes: bool = False
    misled: bool = False
    arrived: int = 0
    mark: tuple[int, Instant, Instant, bool] | None = None
    lost: tuple[int, int, Instant, bytes] | None = None


class Answer(NamedTuple):
    """What the twin says. `until` is a hold's release_at, what is new's usable_from, or a challenge's expiry.

    `leased` is what a caller may let orders give away by itself, in micro-USD.
    """

    kind: str
    reasons: frozenset[str]
    until: Instant | None = None
    accept: frozenset[frozenset[str]] = frozenset()
    lane: Lane | None = None
    own_wait: int | None = None
    leased: int | None = None
    traded: Traded | None = None


def allow(reason: Reason, until: Instant | None = None, lane: Lane | None = None) -> Answer:
    """Go ahead."""
    return Answer(ALLOW, frozenset({reason.value}), until, lane=lane)


class Refused(Exception):
    """No, for this reason."""

    def __init__(self, reason: Reason) -> None:
        """The first reason in order of precedence."""
        super().__init__(reason)
        self.reason = reason


ORDER: Final = list(Reason)


def refuse(*applying: tuple[bool, Reason]) -> None:
    """Refuse for the first reason, in order of precedence, among those that apply."""
    reasons = [reason for applies, reason in applying if applies]
    if reasons:
        raise Refused(min(reasons, key=ORDER.index))


NONCES: Final = 64
"""How many signed requests of one key may overtake each other."""

OWNER: Final = {ActorKind.OWNER}
WHO: Final[dict[type[Action], set[ActorKind]]] = {
    AccountFreeze: {ActorKind.OWNER, ActorKind.LINK},
    ContactReportRecycled: {ActorKind.OWNER, ActorKind.PLATFORM},
    ExitRequest: {ActorKind.OWNER, ActorKind.API_KEY},
    ExitCancel: {ActorKind.OWNER, ActorKind.API_KEY, ActorKind.PLATFORM, ActorKind.STAFF},
    OrderPlace: {ActorKind.OWNER, ActorKind.API_KEY},
    OrderLease: {ActorKind.OWNER, ActorKind.API_KEY},
    OrderReport: {ActorKind.PLATFORM},
    ExitRelease: {ActorKind.OWNER, ActorKind.PLATFORM, ActorKind.STAFF},
}
"""Who may ask, where it is not the owner alone."""

STOPS_ONLY: Final = (
    AccountFreeze,
    SessionStart,
    SessionEnd,
    SessionEndAll,
    AllowlistSet,
    LockSet,
    LimitSet,
    VaultSet,
    AuthenticatorSuspend,
    ApiKeySuspend,
    ApiKeyRevoke,
    ContactReportRecycled,
    AddressRemove,
    ChangeCancel,
    ExitCancel,
    OrderPlace,
    OrderReport,
)
"""What may be asked even while the clock is in doubt (law 8)."""

PROVES_NOTHING: Final = (
    AccountFreeze,
    SessionEnd,
    SessionEndAll,
    AuthenticatorSuspend,
    ApiKeyRevoke,
    AddressRemove,
    ChangeCancel,
    ExitCancel,
)
"""What tightens and asks for no proof, so that none shown beside it can stand in its way (law 1)."""


class Twin:
    """Answers as `decide` should. Example: `twin.answer(request, facts, now)`, then `twin.heard(entry)`."""

    def __init__(self, policy: Policy) -> None:
        """A twin that knows of nothing yet."""
        self.policy = policy
        self.entries: list[Entry] = []
        self.counted: dict[int, bool] = {}

    def heard(self, entry: Entry) -> None:
        """Append what happened."""
        self.entries.append(entry)

    def past(self) -> Past:
        """The history up to now."""
        return Past(list(self.entries), self.policy, self.counted)

    def answer(self, request: Request, facts: Facts, now: Instant) -> Answer | None:
        """What should be answered; None for actions that are not the twin's subject."""
        judge = RULES.get(type(request.action))
        if judge is None or not self.entries:
            return None
        past = self.past()
        if isinstance(request.action, ExitRequest | ExitRelease | RecoveryFinish):
            past = past.then(tuple(kept_of_a_cluster(past, facts, now)))
        if facts.clock_agrees:
            past = past.then(tuple(due(past, now)))
        case = Case(past, request, facts, now)
        try:
            case.pass_guards()
            return judge(case)
        except Refused as refusal:
            return Answer(DENY, frozenset({refusal.reason.value}))


def kept_of_a_cluster(past: Past, facts: Facts, now: Instant) -> list[AnyEvent]:
    """Law 3: what victims gave stays, if so many gave to the account and others of its cluster within the window.

    Windows are of whole clock hours. Where a tie was not read it stays as if, once its first wait is over.
    """
    trades, seen, ties = past.policy.trades, past.victims, past.ties(now)
    mine = [one for one in seen if one.micro_usd and one.at > now - trades.victims_proceeds_h * HOUR]
    read = {one.tie: one for one in facts.losses}
    own = {(one.victim, one.at - one.at % HOUR) for one in seen}
    few = [read[tie] for tie in ties if tie in read and read[tie].accounts <= trades.cluster_accounts]
    lost = {pair for one in few for pair in one.lost} - own
    ends: set[Instant] = set()
    for hour in {one.at - one.at % HOUR for one in mine}:
        for begin in {at for _, at in own | lost}:
            end = begin + math.ceil(trades.victims_m / 60) * HOUR
            within = {(name, at) for name, at in own | lost if begin <= at <= end}
            if begin <= hour <= end and len({name for name, _ in within}) >= trades.victims and within & lost:
                ends.add(max(at for _, at in within))
    if set(ties) - set(read):
        ends |= {one.at - one.at % HOUR for one in mine if one.at <= now - trades.proceeds_h * HOUR}
    if not ends:
        return []
    total = sum(one.micro_usd for one in mine)
    until = max(ends) + HOUR + trades.victims_proceeds_h * HOUR
    return [ev.ProceedsHeld(now, total), ev.ValueReceived(now, total, until)]


def due(past: Past, now: Instant) -> list[AnyEvent]:
    """Law 1: loosenings whose wait is over take effect by themselves; under a freeze only the unfreezing does.

    Sales whose buyers have not paid in time are called off.
    """
    ready = []
    for key, change in past.changes.items():
        ends = change.waiting.ends()
        if ends is not None and ends <= now:
            ready.append((ends, key))
    events: list[AnyEvent] = []
    for _, key in sorted(ready, key=lambda one: one[0]):
        change = past.changes[key]
        if past.then(tuple(events)).is_frozen and change.kind is not ChangeKind.UNFREEZE:
            continue
        events.append(ev.ChangeDone(now, key))
        events += carried_out(past.then(tuple(events)), change.kind, change.subject, change.value, now)
    return [*events, *(ev.ExitCancelled(now, name) for name in past.lapsed_sales(now))]


def carried_out(past: Past, kind: ChangeKind, subject: str, value: int, now: Instant) -> list[AnyEvent]:
    """What a loosening does when its time has come; nothing, if what it was about is gone or is now the last one."""
    match kind:
        case ChangeKind.SET:
            return [ev.SettingChanged(now, Setting(subject), value)]
        case ChangeKind.REMOVE_AUTHENTICATOR if subject in past.authenticators:
            return [ev.AuthenticatorRemoved(now, subject)] if other_senior(past, subject, now) else []
        case ChangeKind.REINSTATE_AUTHENTICATOR if subject in past.authenticators:
            return [ev.AuthenticatorReinstated(now, subject)]
        case ChangeKind.REMOVE_CONTACT if subject in past.contacts:
            return [ev.ContactRemoved(now, subject, 0)] if another_contact(past, subject) else []
        case ChangeKind.OPEN_TRADING if subject in past.closed:
            return [ev.TradingOpened(now, subject)]
        case ChangeKind.VAULT if past.vault is not None:
            return [ev.VaultChanged(now, value % 1000, value // 1000, subject)]
        case ChangeKind.UNFREEZE if past.is_frozen:
            return [ev.Unfrozen(now, bool(value))]
        case _:
            return []


def other_senior(past: Past, name: str, now: Instant) -> bool:
    """Whether something other than this one, besides the password, is senior and may be used, and is not used up."""
    return any(
        one.confirmed and not one.suspended and not one.recycled and past.ripe(one.waiting, now)
        for key, one in past.authenticators.items()
        if key != name and one.kind is not AuthenticatorKind.PASSWORD
        if one.kind is not AuthenticatorKind.BACKUP_CODE or len(one.codes) < 10
    )


def another_contact(past: Past, name: str) -> bool:
    """Whether someone outside the platform's systems, besides this one, could still be told."""
    return any(
        one.channel in past.policy.notices.independent and one.confirmed and one.told_until is None and not one.recycled
        for key, one in past.contacts.items()
        if key != name
    )


class Case:
    """One question, and what is known when it is asked."""

    def __init__(self, past: Past, request: Request, facts: Facts, now: Instant) -> None:
        """Take them."""
        self.past, self.request, self.facts, self.now = past, request, facts, now
        self.policy = past.policy
        self.by_owner = request.actor.kind is ActorKind.OWNER
        session = past.sessions.get(request.actor.session)
        self.session = session if session is not None and now < session.ends() else None

    # Before any rule

    def pass_guards(self) -> None:
        """What every action must pass first."""
        imported = next(one for _, one in self.past.events() if isinstance(one, ev.AccountImported))
        family = {imported.account, *(f"{imported.account}.{sub}" for sub in imported.sub_accounts)}
        action = type(self.request.action)
        anonymous = not self.by_owner or action is SessionStart
        challenge = self.past.challenges.get(self.request.challenge)
        named = bool(self.request.challenge)
        refuse(
            (self.request.account not in family, Reason.UNKNOWN_ACCOUNT),
            (self.request.actor.kind not in WHO.get(action, OWNER), Reason.NOT_ENTITLED),
            (not anonymous and not self.request.actor.session, Reason.SESSION_REQUIRED),
            *self._absent(),
            (not anonymous and self.session is None, Reason.SESSION_ENDED),
            *self._key_faults(signs_in=self.by_owner and anonymous),
        )
        self._refuse_program()
        refuse(
            *self._staff_faults(),
            (not self.facts.clock_agrees and action not in STOPS_ONLY, Reason.CLOCK_UNCERTAIN),
        )
        if action in PROVES_NOTHING:
            refuse((not anonymous and self._too_many_proofs(), Reason.TOO_MANY))
            return
        refuse(
            (
                bool(self.facts.proofs) and action is not SessionStart and self._must_pause(),
                Reason.TOO_MANY_FAILURES,
            ),
            (named and challenge is None, Reason.CHALLENGE_UNKNOWN),
            (challenge is not None and challenge.until <= self.now, Reason.CHALLENGE_EXPIRED),
            (
                challenge is not None and (challenge.digest, challenge.key) != (self.facts.digest, self.key),
                Reason.CHALLENGE_OTHER_ACTION,
            ),
        )
        refuse((not anonymous and self._too_many_proofs(), Reason.TOO_MANY))
        spared = action in {*STOPS_ONLY, AuthenticatorBind, AuthenticatorConfirm} or not self.by_owner
        refuse((not spared and self.now < self.past.weak_until, Reason.RECOVERED_LATELY))

    def _key_faults(self, *, signs_in: bool) -> list[tuple[bool, Reason]]:
        """A session that began with a device's key is asked by that key alone, by a fresh proof each time."""
        required, proof = self.policy.sessions.device_key == "required", self.facts.device
        bound = self.session is not None and bool(self.session.key) and not signs_in
        if not bound and not signs_in:
            return [(required and self.by_owner, Reason.DEVICE_KEY_REQUIRED)]
        if proof is None:
            return [(required or bound, Reason.DEVICE_KEY_REQUIRED)]
        oldest = self.now - self.policy.sessions.proof_s * 1000
        newest = self.now + self.policy.signals.clock_tolerance_s * 1000
        wrong = bool(proof.wrong) or not oldest <= proof.at <= newest
        if self.session is not None and bound:
            used = any(proof.id == one.proof for _, one in self.past.signed)
            wrong = wrong or proof.thumbprint != self.session.key or used
        return [(wrong, Reason.DEVICE_KEY_WRONG)]

    def _refuse_program(self) -> None:
        """A key that works signs each request anew, and none too soon but to stop; from its networks, what it may."""
        if self.request.actor.kind is not ActorKind.API_KEY:
            return
        key, signed = self.past.programs.get(self.request.actor.key), self.facts.api_key
        if key is None or signed is None or not signed.right:
            raise Refused(Reason.API_KEY_WRONG)
        limits = self.policy.api_keys
        low = len(key.nonces) >= NONCES and signed.nonce < sorted(key.nonces)[-NONCES]
        late = abs(self.now - signed.at) > limits.signed_s * 1000
        trades = isinstance(self.request.action, OrderPlace | OrderLease)
        may = signed.listed and (ev.Scope.TRADE if trades else ev.Scope.WITHDRAW) in key.made.scopes
        ripe = self.past.ripe(key.waiting, self.now)
        over = key.made.expires_at <= self.now
        refuse((late or low or signed.nonce in key.nonces, Reason.API_KEY_REPLAYED))
        refuse((key.suspended or over, Reason.API_KEY_SUSPENDED))
        heard = trades or (may and ripe and self._stops()) or not key.too_fast(self.policy, self.now)
        refuse((not heard, Reason.TOO_MANY))
        refuse((not may, Reason.API_KEY_SCOPE), (not ripe, Reason.API_KEY_NEW))

    def _stops(self) -> bool:
        """Whether it is asked to stop what can be stopped."""
        action = self.request.action
        if not isinstance(action, ExitCancel) or self.asleep:
            return False
        sale = self.past.sales.get(action.which)
        return action.which in self.past.held or (sale is not None and not sale.disputed)

    def _staff_faults(self) -> list[tuple[bool, Reason]]:
        """Whoever asks as one of the staff is one, in a session of his own."""
        if self.request.actor.kind is not ActorKind.STAFF:
            return []
        staff = self.facts.staff
        if staff is None or staff.member != self.request.actor.key:
            return [(True, Reason.SESSION_REQUIRED)]
        return [(True, Reason(staff.fault))] if staff.fault else []

    @property
    def key(self) -> str:
        """The API key that asks, "" if none does."""
        return self.request.actor.key if self.request.actor.kind is ActorKind.API_KEY else ""

    @property
    def by_key(self) -> bool:
        """Whether a key asks that needs no more than its signature."""
        return self.request.actor.kind is ActorKind.API_KEY and not self.asleep

    @property
    def asleep(self) -> bool:
        """Whether a key asks that nobody used for too long."""
        key = self.past.programs.get(self.request.actor.key)
        return key is not None and key.asleep(self.policy, self.now)

    @property
    def by_staff(self) -> bool:
        """Whether one of the staff asks."""
        return self.request.actor.kind is ActorKind.STAFF

    def _absent(self) -> list[tuple[bool, Reason]]:
        """Why whoever asks as one of the staff is none, in a session of his own."""
        staff = self.facts.staff
        if staff is None or staff.member != self.request.actor.key:
            return [(self.by_staff, Reason.SESSION_REQUIRED)]
        return [(self.by_staff, Reason(staff.fault))] if staff.fault else []

    def _too_many_proofs(self) -> bool:
        """Only so many proofs are remembered at once, and what could not be remembered could be shown twice."""
        if self.session is None or not self.session.key:
            return False
        alive = [one for at, one in self.past.signed if one.until >= self.now]
        return len(alive) >= self.policy.bounds.device_proofs

    def _must_pause(self) -> bool:
        """Each failure beyond the first few doubles the pause; at the largest number there is one long one."""
        limits, (count, last) = self.policy.step_up, self.past.failures
        if count < limits.failures_before_delay:
            return False
        doubled = limits.failures_delay_s * 2 ** (count - limits.failures_before_delay)
        pause_s = min(doubled, limits.failures_delay_max_s)
        if count >= limits.failures_max:
            pause_s = limits.failures_spent_h * 3600
        return bool(self.now < last + pause_s * 1000)

    # Law 2

    def prove(self, level: str, contact: str = "") -> list[Proof] | Answer:
        """The proofs that suffice, or the step-up that asks for them. Refuses where nothing held could suffice.

        A code to the contact, if one is named, is among them.
        """
        usable = self._usable(level)
        kinds = {one.kind for one in usable.values()}
        passwords = {
            key: one
            for key, one in self.past.authenticators.items()
            if one.kind is AuthenticatorKind.PASSWORD and one.confirmed
        }
        proved = self.session.password if self.session else 0
        fresh = self.now < proved + self.policy.step_up.password_fresh_m * MINUTE
        beside = bool(passwords) and not (level == MONEY and fresh)
        accept = set()
        for kind in kinds:
            alone = kind in {AuthenticatorKind.PASSKEY, AuthenticatorKind.PASSWORD} or not beside
            wanted = {kind.value} if alone else {kind.value, "password"}
            accept.add(frozenset(wanted | {"contact_code"} if level == EARLY else wanted))
        for together in accept:
            shown = self._shown(together, {*usable, *passwords}, contact)
            if shown is not None:
                return shown
        return self._step_up(frozenset(accept), contact)

    def _usable(self, level: str) -> dict[str, Authenticator]:
        """What may be shown: nothing weaker than the strongest that is senior, and where it matters senior itself.

        While nothing is senior, what was held first sets the bar. What lives where someone else reads proves nothing,
        and sets the bar for money alone; so does what a recovery suspended, but for reinstating it.
        """
        money = level in {MONEY, EARLY}
        confirmed = {
            key: one
            for key, one in self.past.authenticators.items()
            if one.confirmed and (money or not (one.recycled or (one.lost and level != REINSTATE)))
        }
        senior = {key: one for key, one in confirmed.items() if self.past.ripe(one.waiting, self.now)}
        refuse((money and not senior, Reason.NO_SENIOR_AUTHENTICATOR))
        first = min((one.since for one in confirmed.values()), default=0)
        setting_it = senior or {key: one for key, one in confirmed.items() if one.since == first}
        floor = max((STRENGTH[one.kind] for one in setting_it.values()), default=0)
        counting = confirmed if level == SIGN_IN or not senior else senior
        strong = {key: one for key, one in counting.items() if STRENGTH[one.kind] >= floor and not one.recycled}
        refuse((money and not strong, Reason.NO_SENIOR_AUTHENTICATOR))
        passwords = [one for one in confirmed.values() if one.kind is AuthenticatorKind.PASSWORD]
        if level == EARLY and passwords and not any(one in senior.values() for one in passwords):
            strong = {key: one for key, one in strong.items() if one.kind is AuthenticatorKind.PASSKEY}
            refuse((not strong, Reason.NO_SENIOR_AUTHENTICATOR))
        usable = {key: one for key, one in strong.items() if level == REINSTATE or not one.suspended}
        refuse((not usable, Reason.AUTHENTICATOR_SUSPENDED))
        return usable

    def _shown(self, wanted: frozenset[str], usable: set[str], contact: str) -> list[Proof] | None:
        """One good proof of each wanted kind, resting on as many different holders; a code of the contact asked now."""
        chosen: dict[bytes, Proof] = {}
        for kind in wanted:
            for proof in self.facts.proofs:
                counts = proof.authenticator in ({contact} if kind == "contact_code" else usable)
                if proof.kind == kind and counts and self._good(proof):
                    chosen[self.holder(proof)] = proof
                    break
        return list(chosen.values()) if len(chosen) == len(wanted) else None

    def holder(self, proof: Proof) -> bytes:
        """What a proof rests on."""
        if proof.kind == "contact_code":
            return self.past.contacts[proof.authenticator].address
        return self.past.authenticators[proof.authenticator].holder

    def _good(self, proof: Proof) -> bool:
        if not proof.right or proof.digest != self.facts.digest:
            return False
        if proof.kind == "contact_code":
            challenge = self.past.challenges.get(self.request.challenge)
            return challenge is not None and proof.authenticator == challenge.contact
        if proof.kind == "passkey" and self.request.challenge not in self.past.challenges:
            return False
        return not self._spent(proof)

    def _spent(self, proof: Proof) -> bool:
        """Used before, or made for a secret that was replaced since."""
        one = self.past.authenticators.get(proof.authenticator)
        if one is None:
            return False
        if one.kind is AuthenticatorKind.BACKUP_CODE:
            return proof.epoch != one.epoch or proof.counter in one.codes or proof.counter >= 64
        counts = one.kind is AuthenticatorKind.TOTP or proof.counter > 0 or one.counter > 0
        counts = counts and one.kind in {AuthenticatorKind.TOTP, AuthenticatorKind.PASSKEY}
        return proof.epoch != one.epoch or (counts and proof.counter <= one.counter)

    def _step_up(self, accept: frozenset[frozenset[str]], contact: str) -> Answer:
        """Ask for proof, in the challenge that is open for this action or in a new one."""
        replayed = any(one.right and self._spent(one) for one in self.facts.proofs)
        wrong = any(not one.right for one in self.facts.proofs)
        reasons = {Reason.PROOF_REQUIRED.value}
        if replayed or wrong:
            cloned = any(one.kind == "passkey" and one.right and self._spent(one) for one in self.facts.proofs)
            said = Reason.AUTHENTICATOR_CLONED if cloned else Reason.PROOF_REPLAYED
            reasons.add((said if replayed else Reason.PROOF_WRONG).value)
        open_ones = [
            one
            for one in self.past.challenges.values()
            if (one.digest, one.key) == (self.facts.digest, self.key)
            and one.until > self.now
            and contact in {"", one.contact}
        ]
        signs_in = type(self.request.action) is SessionStart
        until = self.now - (self.now % MINUTE if signs_in else 0) + self.policy.step_up.challenge_m * MINUTE
        if open_ones and self._tries(open_ones[0]) + (replayed or wrong) < self.policy.step_up.challenge_tries:
            until = open_ones[0].until
        else:
            by_text = contact and self.past.contacts[contact].channel is Channel.SMS
            refuse((bool(by_text) and not self.may_text(), Reason.TOO_MANY))
        return Answer(STEP_UP, frozenset(reasons), until, accept)

    def may_text(self) -> bool:
        """Whether the hour has not seen as many texts to numbers of the account as it may."""
        return self.past.texts_since(self.now - HOUR) < self.policy.step_up.codes_per_h

    def _tries(self, challenge: ev.ChallengeIssued) -> int:
        """How often a wrong proof was shown in answer to a challenge."""
        failed = [event for _, event in self.past.events() if isinstance(event, ev.ProofFailed)]
        return sum(one.challenge == challenge.challenge for one in failed)

    # Law 1

    def ask_loosening(self, kind: ChangeKind, subject: str, value: int, hours: int) -> Answer:
        """A loosening waits, never shorter than the owner's own lock; asking again tells of the wait that runs."""
        refuse((not self.facts.clock_agrees, Reason.CLOCK_UNCERTAIN))
        reasons = frozenset({Reason.LOOSENING_WAITS.value})
        for change in self.past.changes.values():
            same = change.value == value or kind is ChangeKind.UNFREEZE
            if (change.kind, change.subject) == (kind, subject) and same:
                told = change.waiting.ends()
                until = change.waiting.since + change.waiting.length
                return Answer(HOLD, reasons, until if told is None else told)
        refuse((len(self.past.changes) >= self.policy.bounds.waiting_changes, Reason.TOO_MANY))
        wait = max(hours, self.past.settings[Setting.LOCK_HOURS]) * HOUR
        return Answer(HOLD, reasons, self.now + wait)

    def ripens(self, hours: int) -> Answer:
        """Something new counts after its wait, if the owner is told now."""
        return allow(Reason.RIPENS_LATER, self.now + hours * HOUR)


# Each action. A rule refuses what no proof could mend, asks for proof, then answers.


def session_start(case: Case) -> Answer:
    """Sign in, by the strongest class held; what of the account is in the way is told to those who proved."""
    proofs = case.prove(SIGN_IN)
    if isinstance(proofs, Answer):
        return proofs
    alive = [one for one in case.past.sessions.values() if one.ends() > case.now]
    refuse((len(alive) >= case.policy.sessions.open_max, Reason.TOO_MANY))
    return allow(Reason.PROVED)


def session_end(case: Case) -> Answer:
    """Signing out costs nothing."""
    action = case.request.action
    assert isinstance(action, SessionEnd)
    which = case.request.actor.session if action.which is None else bytes.fromhex(action.which)
    refuse((which not in case.past.sessions, Reason.NOT_FOUND))
    return allow(Reason.TIGHTENING)


def session_end_all(_case: Case) -> Answer:
    """Signing out costs nothing."""
    return allow(Reason.TIGHTENING)


def password_change(case: Case) -> Answer:
    """A new password counts for money when it is senior."""
    kinds = [one.kind for one in case.past.authenticators.values()]
    refuse((AuthenticatorKind.PASSWORD not in kinds, Reason.NOT_FOUND))
    proofs = case.prove(CHANGE)
    return proofs if isinstance(proofs, Answer) else case.ripens(case.policy.waits.authenticator_senior_h)


def authenticator_bind(case: Case) -> Answer:
    """Binding asks for the strongest class held."""
    action = case.request.action
    assert isinstance(action, AuthenticatorBind)
    full = len(case.past.authenticators) >= case.policy.bounds.authenticators
    by_code = action.kind in {AuthenticatorKind.SMS, AuthenticatorKind.EMAIL}
    unfit = action.kind is AuthenticatorKind.PASSWORD or by_code != (action.address is not None)
    refuse((unfit, Reason.BAD_FIELD), (full, Reason.TOO_MANY))
    proofs = case.prove(CHANGE)
    if isinstance(proofs, Answer):
        return proofs
    refuse((action.secret is None and action.address is None, Reason.NOT_AVAILABLE))
    for one in case.past.authenticators.values() if by_code else ():
        if one.kind is action.kind and not one.recycled:
            just_sent = not one.confirmed and case.now < one.since + case.policy.step_up.code_again_m * MINUTE
            refuse((just_sent, Reason.TOO_MANY))
            there = action.address is not None and one.holder == action.address.mac
            refuse((one.confirmed and there, Reason.ALREADY_EXISTS))
    refuse((action.kind is AuthenticatorKind.SMS and not case.may_text(), Reason.TOO_MANY))
    return case.ripens(case.policy.waits.authenticator_senior_h)


def authenticator_confirm(case: Case) -> Answer:
    """A newly bound authenticator shows that it works."""
    action = case.request.action
    assert isinstance(action, AuthenticatorConfirm)
    one = case.past.authenticators.get(action.authenticator)
    refuse((one is None or one.confirmed or one.recycled, Reason.NOT_FOUND))
    proofs = case.facts.proofs
    right = any(
        proof.right and proof.authenticator == action.authenticator and proof.digest == case.facts.digest
        for proof in proofs
    )
    right = right and (one is None or one.kind is not AuthenticatorKind.PASSKEY or action.secret is not None)
    refuse((not proofs, Reason.PROOF_REQUIRED), (bool(proofs) and not right, Reason.PROOF_WRONG))
    return case.ripens(case.policy.waits.authenticator_senior_h)


def authenticator_remove(case: Case) -> Answer:
    """The password stays, so does the last senior one, and nothing weaker removes something stronger."""
    action = case.request.action
    assert isinstance(action, AuthenticatorRemove)
    one = case.past.authenticators.get(action.authenticator)
    if one is None:
        raise Refused(Reason.NOT_FOUND)
    last = one.kind is AuthenticatorKind.PASSWORD or not other_senior(case.past, action.authenticator, case.now)
    refuse((last, Reason.LAST_ONE))
    proofs = case.prove(CHANGE)
    if isinstance(proofs, Answer):
        return proofs
    shown = max(STRENGTH[AuthenticatorKind(proof.kind)] for proof in proofs)
    weaker = case.past.ripe(one.waiting, case.now) and one.confirmed and shown < STRENGTH[one.kind]
    refuse((weaker, Reason.WEAKER_AUTHENTICATOR))
    hours = case.policy.waits.remove_authenticator_h
    return case.ask_loosening(ChangeKind.REMOVE_AUTHENTICATOR, action.authenticator, 0, hours)


def authenticator_suspend(case: Case) -> Answer:
    """Suspending is free."""
    action = case.request.action
    assert isinstance(action, AuthenticatorSuspend)
    one = case.past.authenticators.get(action.authenticator)
    is_password = one is not None and one.kind is AuthenticatorKind.PASSWORD
    refuse((one is None, Reason.NOT_FOUND), (is_password, Reason.BAD_FIELD))
    return allow(Reason.TIGHTENING)


def authenticator_reinstate(case: Case) -> Answer:
    """What was suspended proves again after a wait."""
    action = case.request.action
    assert isinstance(action, AuthenticatorReinstate)
    one = case.past.authenticators.get(action.authenticator)
    refuse((one is None or not one.suspended or one.recycled, Reason.NOT_FOUND))
    proofs = case.prove(REINSTATE)
    if isinstance(proofs, Answer):
        return proofs
    hours = case.policy.waits.reinstate_authenticator_h
    return case.ask_loosening(ChangeKind.REINSTATE_AUTHENTICATOR, action.authenticator, 0, hours)


def contact_add(case: Case) -> Answer:
    """A new contact counts for nothing until it is confirmed; naming one again sends it a fresh code."""
    action = case.request.action
    assert isinstance(action, ContactAdd)
    live = [one for one in case.past.contacts.values() if one.told_until is None]
    refuse((len(live) >= case.policy.bounds.contacts, Reason.TOO_MANY))
    proofs = case.prove(CHANGE)
    if isinstance(proofs, Answer):
        return proofs
    just_texted = action.channel is Channel.SMS and any(
        one.channel is Channel.SMS
        and not one.confirmed
        and case.now < one.code_at + case.policy.step_up.code_again_m * MINUTE
        for one in case.past.contacts.values()
    )
    just_texted = just_texted or (action.channel is Channel.SMS and not case.may_text())
    for one in live:
        if (one.channel, one.address) == (action.channel, action.address.mac) and not one.recycled:
            just_sent = case.now < one.code_at + case.policy.step_up.code_again_m * MINUTE
            refuse(
                (one.confirmed and not one.lost_freeze, Reason.ALREADY_EXISTS),
                (just_sent or just_texted, Reason.TOO_MANY),
            )
            return allow(Reason.RIPENS_LATER)
    refuse((just_texted, Reason.TOO_MANY))
    return case.ripens(case.policy.waits.contact_senior_h)


def known_contact(case: Case, name: str) -> None:
    """Refuse a contact that is not there, or not any more."""
    one = case.past.contacts.get(name)
    refuse((one is None or one.told_until is not None or one.recycled, Reason.NOT_FOUND))


def contact_confirm(case: Case) -> Answer:
    """The code that was sent there is all that is asked."""
    action = case.request.action
    assert isinstance(action, ContactConfirm)
    known_contact(case, action.contact)
    shown = [
        proof
        for proof in case.facts.proofs
        if (proof.kind, proof.authenticator, proof.digest) == ("contact_code", action.contact, case.facts.digest)
    ]
    right = any(one.right for one in shown)
    refuse((not shown, Reason.PROOF_REQUIRED), (bool(shown) and not right, Reason.PROOF_WRONG))
    if case.past.contacts[action.contact].confirmed:
        return allow(Reason.PROVED)
    return case.ripens(case.policy.waits.contact_senior_h)


def contact_remove(case: Case) -> Answer:
    """Someone must remain who can be told."""
    action = case.request.action
    assert isinstance(action, ContactRemove)
    known_contact(case, action.contact)
    refuse((not another_contact(case.past, action.contact), Reason.LAST_ONE))
    proofs = case.prove(CHANGE)
    if isinstance(proofs, Answer):
        return proofs
    return case.ask_loosening(ChangeKind.REMOVE_CONTACT, action.contact, 0, case.policy.waits.remove_contact_h)


def contact_report_recycled(case: Case) -> Answer:
    """The platform may say so at once; whoever merely holds a session must prove more, for it silences the owner."""
    action = case.request.action
    assert isinstance(action, ContactReportRecycled)
    refuse(((action.contact is None) == (action.authenticator is None), Reason.BAD_FIELD))
    if action.contact is not None:
        known_contact(case, action.contact)
    if action.authenticator is not None:
        one = case.past.authenticators.get(action.authenticator)
        by_code = one is not None and one.kind in {AuthenticatorKind.SMS, AuthenticatorKind.EMAIL}
        refuse((one is None or one.recycled, Reason.NOT_FOUND), (not by_code, Reason.BAD_FIELD))
    if case.by_owner:
        proofs = case.prove(CHANGE)
        if isinstance(proofs, Answer):
            return proofs
    return allow(Reason.TIGHTENING)


def address_key(action: AddressAdd | AddressRenew | AddressRemove) -> str:
    """The name of a beneficiary in the book."""
    return action.network if action.address is None else f"{action.network}.{action.address.mac.hex()}"


def address_add(case: Case) -> Answer:
    """A new beneficiary waits; one that looks like another is refused."""
    action = case.request.action
    assert isinstance(action, AddressAdd)
    badly_named = (action.network in {"p2p", "card"}) != (action.address is None)
    refuse((badly_named, Reason.BAD_FIELD), (network_closed(case, action.network), Reason.NETWORK_CLOSED))
    proofs = case.prove(CHANGE)
    if isinstance(proofs, Answer):
        return proofs
    refuse((address_key(action) in case.past.book, Reason.ALREADY_EXISTS), on_a_list(case))
    for one in case.past.book.values():
        if one.address is not None and action.address is not None:
            alike = one.address.alike == action.address.alike and one.address.place != action.address.place
            refuse((alike, Reason.LOOK_ALIKE))
    refuse(like_dust(case), list_missing(case, "deny"))
    crowd = crowd_h(case.policy, case.facts, case.now, joining=True)
    if crowd:
        return allow(Reason.DESTINATION_SHARED, case.now + max(crowd, newness_h(case)) * HOUR)
    return case.ripens(newness_h(case))


def on_a_list(case: Case) -> tuple[bool, Reason]:
    """Nobody is paid who is on a list."""
    return any(one.listed for one in case.facts.lists), Reason.DESTINATION_LISTED


def list_missing(case: Case, outcome: str) -> tuple[bool, Reason]:
    """A list that must be there and young, and is not, where the policy wants this of it."""
    lists = case.policy.lists
    for name in lists.required:
        there = [one for one in case.facts.lists if one.name == name and one.at + lists.age_d * DAY > case.now]
        if not there and lists.missing == outcome:
            return True, Reason.LIST_MISSING
    return False, Reason.LIST_MISSING


OUTSIDE: Final = {"*", "bank"}
"""Where a beneficiary is elsewhere than on this platform."""


def bars(case: Case, network: str | None, *, known: bool) -> list[tuple[bool, Reason]]:
    """Who cannot be paid, in the order of reasons."""
    missing, reason = list_missing(case, "deny")
    return [
        on_a_list(case),
        like_dust(case, known=known),
        (network in {"internal", "p2p"} and not case.facts.counterparty_known, Reason.COUNTERPARTY_UNKNOWN),
        (bool(case.past.settings[Setting.ALLOWLIST]) and not known, Reason.NOT_ON_ALLOWLIST),
        (missing and network in OUTSIDE, reason),
    ]


def like_dust(case: Case, *, known: bool = False) -> tuple[bool, Reason]:
    """A small deposit came lately from an address that looks like this one, which is not in the book."""
    day = case.facts.dust_day
    dusty = day > 0 and case.now < (day + case.policy.book.dust_d) * DAY
    return dusty and not known, Reason.LOOK_ALIKE_DEPOSIT


def network_closed(case: Case, network: str | None) -> bool:
    """Whether nobody could say what an address there is: all that are none of the kinds' own must be listed."""
    return network not in {None, "bank", "internal", "p2p", "card", "own", "*", *case.policy.networks}


def newness_h(case: Case) -> int:
    """Someone new is paid after the policy's wait, or the owner's own lock if that is longer."""
    return max(case.policy.waits.address_h, case.past.settings[Setting.LOCK_HOURS])


def address_renew(case: Case) -> Answer:
    """Confirming again takes senior proof and keeps the seniority."""
    action = case.request.action
    assert isinstance(action, AddressRenew)
    proofs = case.prove(MONEY)
    if isinstance(proofs, Answer):
        return proofs
    refuse((address_key(action) not in case.past.book, Reason.NOT_FOUND))
    return allow(Reason.PROVED)


def address_remove(case: Case) -> Answer:
    """Removing one is free."""
    action = case.request.action
    assert isinstance(action, AddressRemove)
    refuse((address_key(action) not in case.past.book, Reason.NOT_FOUND))
    return allow(Reason.TIGHTENING)


def micro(text: str) -> int:
    """Micro-units of a decimal string."""
    return int(Fraction(text) * 1_000_000)


def setting_change(case: Case) -> Answer:
    """Tighter is now, looser waits."""
    asked = case.request.action
    opens = asked.trades if isinstance(asked, LimitSet) else None
    refuse((opens is not None and opens not in case.past.closed, Reason.NOT_FOUND))
    proofs = case.prove(CHANGE)
    if isinstance(proofs, Answer):
        return proofs
    if opens is not None:
        return case.ask_loosening(ChangeKind.OPEN_TRADING, opens, 0, case.policy.waits.loosen_setting_h)
    settings = case.past.settings
    match asked:
        case AllowlistSet(on=on):
            setting, value = Setting.ALLOWLIST, int(on)
            looser = value < settings[setting]
        case LockSet(hours=hours):
            setting, value = Setting.LOCK_HOURS, hours
            looser = value < settings[setting]
        case LimitSet(usd_per_day=limit):
            setting, value = Setting.LIMIT_MICRO_USD, -1 if limit is None else micro(str(limit))
            as_number = {True: math.inf, False: settings[setting]}[settings[setting] < 0]
            looser = (math.inf if limit is None else value) > as_number
        case _:
            raise AssertionError
    if looser:
        return case.ask_loosening(ChangeKind.SET, setting.value, value, case.policy.waits.loosen_setting_h)
    return allow(Reason.TIGHTENING)


def vault_set(case: Case) -> Answer:
    """A vault that keeps as much in every way is now, any other waits as long as the one there is."""
    action = case.request.action
    assert isinstance(action, VaultSet)
    old = case.past.vault
    percent, hours, approver = (old.percent, old.hours, old.approver) if old else (0, case.policy.waits.vault_h, "")
    named = approver if action.approver is None else action.approver
    unfit = named not in {"", approver} and not may_approve(case, named, ())
    refuse((unfit, Reason.NO_SENIOR_CONTACT))
    proofs = case.prove(CHANGE)
    if isinstance(proofs, Answer):
        return proofs
    wanted = (action.share, action.hours or hours, named) if action.share else (0, 0, "")
    less = wanted[0] < percent or wanted[1] < hours or approver not in {"", wanted[2]}
    if old is not None and less:
        value = wanted[1] * 1000 + wanted[0]
        wait = max(case.policy.waits.loosen_setting_h, hours)
        return case.ask_loosening(ChangeKind.VAULT, wanted[2], value, wait)
    return allow(Reason.TIGHTENING)


def may_approve(case: Case, name: str, took_part: tuple[bytes, ...]) -> bool:
    """A contact of long standing, told outside of the platform, on which nothing rests that anybody proves with."""
    one = case.past.contacts.get(name)
    if one is None or not one.confirmed or one.recycled or one.told_until is not None:
        return False
    rests = {*took_part, *(other.holder for other in case.past.authenticators.values())}
    apart = one.channel in case.policy.notices.independent and one.address not in rests
    return apart and case.past.ripe(one.waiting, case.now)


def reaches_into_vault(case: Case, value: int, *, priced: bool) -> bool:
    """Whether more would have left in 30 days than is free; what nobody can price reaches everywhere."""
    vault, past = case.past.vault, case.past
    if vault is None or not priced:
        return vault is not None
    equity = past.lowest_equity(case.now, case.request.context.equity_micro_usd)
    left = past.drawn(COUNTED, case.now, 30 * DAY, DAY)
    return left + value > equity - Fraction(equity * vault.percent, 100)


def vaulted(case: Case, asked: Exit) -> list[tuple[Reason, Instant | None]]:
    """The vault's own wait runs from the telling and is skipped by nobody; its approver must have said so too."""
    vault = case.past.vault
    assert vault is not None
    began = case.now
    if asked.waited is not None and asked.waited.told is not None:
        began = max(asked.waited.since, asked.waited.told)
    until = began + vault.hours * HOUR
    against: list[tuple[Reason, Instant | None]] = [(Reason.IN_VAULT, until)] if case.now < until else []
    if vault.approver and not asked.approved:
        against.append((Reason.VAULT_APPROVAL, None))
    return against


def change_cancel(case: Case) -> Answer:
    """Stopping a loosening is free."""
    action = case.request.action
    assert isinstance(action, ChangeCancel)
    refuse((action.which not in case.past.changes, Reason.NOT_FOUND))
    return allow(Reason.TIGHTENING)


def freeze(case: Case) -> Answer:
    """Freezing is free, by session or by the link of a contact that is the owner's as far as anyone knows."""
    one = case.past.contacts.get(case.request.actor.contact)
    may = one is not None and one.confirmed and not one.recycled and not one.lost_freeze
    refuse((not case.by_owner and not may, Reason.FREEZE_RIGHT_LOST))
    return allow(Reason.TIGHTENING)


def unfreeze(case: Case) -> Answer:
    """Unfreezing takes senior proof and a wait, a longer one if anything changed lately."""
    action = case.request.action
    assert isinstance(action, AccountUnfreeze)
    refuse((not case.past.is_frozen, Reason.NOT_FOUND))
    proofs = case.prove(MONEY)
    if isinstance(proofs, Answer):
        return proofs
    waits = case.policy.waits
    lately = any(one.senior.since + waits.recent_change_h * HOUR > case.now for one in case.past.cool_offs)
    hours = waits.unfreeze_after_change_h if lately else waits.unfreeze_h
    return case.ask_loosening(ChangeKind.UNFREEZE, "account", int(action.mistaken), hours)


# Exits


class Weighed(NamedTuple):
    """What stands against an exit (reason and until when), the lane it draws on, and how long it must wait itself."""

    against: list[tuple[Reason, Instant | None]]
    lane: Lane
    own_wait: int

    def until(self) -> Instant | None:
        """When all of it is over; None if that cannot be known."""
        ends = [until for _, until in self.against if until is not None]
        return max(ends) if len(ends) == len(self.against) else None

    @property
    def reasons(self) -> frozenset[str]:
        """The codes."""
        return frozenset(reason.value for reason, _ in self.against)


class Exit(NamedTuple):
    """An exit to weigh. `waited` is the wait that a held one has had; `early` says that its owner ends it now.

    `counts_at` is when a password that was replaced lately, and now shown, is senior. `by_key`: nobody proved more.
    `drawn` is what a locked sale has drawn on: its own waits and the vault are behind it. `again`: it was let go, and
    nobody shows anything for it any more.
    """

    beneficiary: str
    value: int
    priced: bool
    waited: Waiting | None = None
    early: bool = False
    counts_at: Instant | None = None
    by_key: bool = False
    approved: bool = False
    network: str | None = "*"
    drawn: Lane | None = None
    again: bool = False


BILLION: Final = 10**9 * 1_000_000


def with_margin(case: Case, micro_usd: int) -> int:
    """What is set aside for a card payment of so much."""
    more = Fraction(100 + case.policy.outflow.card_margin_percent, 100)
    return min(math.ceil(micro_usd * more), BILLION)


def value_of(case: Case, asset: str, amount: str, said: int) -> tuple[int, bool]:
    """Law 3: at Holdback's own price, never less than was said; and whether that price is good.

    A billion dollars is the most that is booked, and beyond it no price is good.
    """
    price = case.facts.price
    if price is None or price.asset != asset:
        return min(said, BILLION), False
    worth = max(said, math.ceil(Fraction(amount) * price.micro_usd))
    fresh = case.now - price.at <= case.policy.signals.price_age_m * MINUTE
    return min(worth, BILLION), fresh and worth <= BILLION


def weigh(case: Case, asked: Exit) -> Weighed:
    """Everything that stands against an exit."""
    past, now, policy = case.past, case.now, case.policy
    entry = past.book.get(asked.beneficiary)
    ripe = entry is not None and past.ripe(entry.waiting, now)
    senior = ripe and asked.beneficiary not in {"p2p", "card"}
    against = [*cooling(case, asked, senior=senior), *tripped(case, asked, entry)]
    if case.facts.reconciling:
        against.append((Reason.RECONCILING, None))
    proved_now = (asked.waited is None or case.by_owner) and not asked.by_key and not asked.again
    if entry is not None and entry.verified <= now and not proved_now:
        against.append((Reason.VERIFICATION_EXPIRED, None))
    shared, crowd = crowded(case, asked)
    against += [*unlisted(case, asked), *shared]
    lane, own_wait = Lane.OTHERS, 0
    if senior and entry is not None:
        since = past.undisputed_at(entry.waiting)
        if since is not None and since + policy.outflow.long_standing_d * DAY <= now:
            lane = Lane.LONG_STANDING
    if not ripe:
        instant = asked.priced and not asked.by_key and not shared and asked.drawn in {None, Lane.INSTANT}
        if instant and past.cooling_until(now) is None and fits(case, Lane.INSTANT, asked.value):
            lane = Lane.INSTANT
        elif entry is not None:
            against.append((Reason.DESTINATION_NEW, past.ripe_at(entry.waiting) or entry.waiting.hoped(now)))
        else:
            own_wait = max(newness_h(case) * HOUR, crowd)
            against += still_waits(case, asked, newness_h(case) * HOUR, Reason.DESTINATION_NEW)
    if not asked.priced or not fits(case, lane, asked.value):
        lane = Lane.NONE
        hours = policy.outflow.over_budget_senior_h if senior else policy.outflow.over_budget_others_h
        own_wait = max(own_wait, hours * HOUR)
        reason = Reason.OVER_BUDGET if asked.priced else Reason.PRICE_UNKNOWN
        against += still_waits(case, asked, hours * HOUR, reason)
    if asked.drawn is None and past.vault is not None and reaches_into_vault(case, asked.value, priced=asked.priced):
        own_wait = max(own_wait, past.vault.hours * HOUR)
        against += vaulted(case, asked)
    if asked.counts_at is not None and not (senior and is_usual(case, asked)):
        own_wait = max(own_wait, asked.counts_at - now)
        against.append((Reason.NO_SENIOR_AUTHENTICATOR, asked.counts_at))
    return Weighed([*against, *received_lately(case, asked)], lane, own_wait)


def unlisted(case: Case, asked: Exit) -> list[tuple[Reason, Instant | None]]:
    """A list that must be there and is not, for whoever is outside of the platform."""
    missing, reason = list_missing(case, "hold")
    return [(reason, None)] if missing and asked.network in OUTSIDE else []


def crowded(case: Case, asked: Exit) -> tuple[list[tuple[Reason, Instant | None]], int]:
    """What many others that pay the same new address mean for this one, and how long a stranger's exit waits by it."""
    entry = case.past.book.get(asked.beneficiary)
    crowd = crowd_h(case.policy, case.facts, case.now, joining=entry is None) * HOUR
    if crowd and entry is None:
        return still_waits(case, asked, crowd, Reason.DESTINATION_SHARED), crowd
    until = entry.waiting.since + crowd if entry is not None else 0
    return [(Reason.DESTINATION_SHARED, until)] if crowd and case.now < until else [], 0


def is_usual(case: Case, asked: Exit) -> bool:
    """Law 4: whether the account's own habit covers this and all that left today."""
    return asked.priced and case.past.drawn(COUNTED, case.now) + asked.value <= case.past.usual(case.now)


def tripped(case: Case, asked: Exit, entry: Entered | None) -> list[tuple[Reason, Instant | None]]:
    """The circuit breaker holds what goes to strangers and new entries or leaves changed accounts, above a size.

    So it does while nobody looked lately.
    """
    rules, past, now = case.policy.breaker, case.past, case.now
    new = asked.beneficiary in {"p2p", "card"} or entry is None or now < entry.waiting.since + rules.new_d * DAY
    changed = any(now < one.senior.since + rules.changed_h * HOUR for one in past.cool_offs)
    small = asked.priced and past.drawn(COUNTED, now) + asked.value <= rules.hold_above_usd * 1_000_000
    if small or not (new or changed):
        return []
    seen = case.facts.looked_at - rules.look_age_s * 1000 <= now <= case.facts.looked_at + rules.look_age_s * 1000
    if case.facts.tripped_at:
        return [(Reason.BREAKER_TRIPPED, now + rules.hold_h * HOUR)]
    return [] if seen else [(Reason.BREAKER_UNWATCHED, now + rules.unwatched_h * HOUR)]


def counts_at(case: Case, proofs: list[Proof]) -> Instant | None:
    """Law 10: when the password that an authenticator needs beside it is senior; None if it is, or none is needed."""
    if any(proof.kind == "passkey" for proof in proofs):
        return None
    for one in case.past.authenticators.values():
        if one.kind is AuthenticatorKind.PASSWORD and not case.past.ripe(one.waiting, case.now):
            unknown = max(one.waiting.hoped(case.now), case.now + one.waiting.length)
            return case.past.ripe_at(one.waiting) or unknown
    return None


def cooling(case: Case, asked: Exit, *, senior: bool) -> list[tuple[Reason, Instant | None]]:
    """Law 4 and law 5: what still cools it, and what the owner was not told of."""
    against: list[tuple[Reason, Instant | None]] = []
    usual = is_usual(case, asked)
    for closed in case.past.cool_offs:
        waiting = closed.senior if senior else closed.others
        ends = waiting.ends()
        if ends is None:
            against.append((Reason.NOTICE_UNDELIVERED, case.now + waiting.length))
        elif case.now < ends and not (closed.severity == "mild" and senior and usual):
            against.append((Reason.COOLING_OFF, ends))
    return against


def still_waits(case: Case, asked: Exit, length: int, reason: Reason) -> list[tuple[Reason, Instant | None]]:
    """A wait of the exit itself, counted from when it was held (and told)."""
    if asked.early:
        return []
    if asked.waited is None:
        return [(reason, case.now + length)]
    until = asked.waited.since + asked.waited.length if asked.waited.told is None else asked.waited.ends()
    assert until is not None
    until += max(0, length - asked.waited.length)
    return [(reason, until)] if case.now < until else []


def fits(case: Case, lane: Lane, value: int) -> bool:
    """Law 3: whether a lane still has room for this much, in every window it has."""
    past, now, outflow = case.past, case.now, case.policy.outflow
    usual = past.usual(now)
    if lane is Lane.LONG_STANDING:
        limit = max(outflow.long_standing_day_usd * 1_000_000, usual)
        return past.drawn({Lane.LONG_STANDING}, now) + value <= limit
    equity = past.lowest_equity(now, case.request.context.equity_micro_usd)
    both = {Lane.OTHERS, Lane.INSTANT}
    day = max(equity * outflow.others_day_percent // 100, usual)
    month = max(equity * outflow.others_month_percent // 100, usual)
    good = past.drawn(both, now) + value <= day and past.drawn(both, now, 30 * DAY, DAY) + value <= month
    small = past.drawn({Lane.INSTANT}, now) + value <= outflow.instant_day_usd * 1_000_000
    return good and (small or lane is not Lane.INSTANT)


def received_lately(case: Case, asked: Exit) -> list[tuple[Reason, Instant | None]]:
    """Law 3: what came from inside may not exit for a while, and what left meanwhile may have been the rest.

    It waits until the first instant at which so much has ripened that this may go, all else as it is now.
    """
    past, now, outflow = case.past, case.now, case.policy.outflow
    equity = past.lowest_equity(now, case.request.context.equity_micro_usd)
    left = past.drawn(COUNTED, now, outflow.received_from_cooling_h * HOUR, DAY)
    ends = [(stays_until(case, one), left) for one, left in past.waits]
    for instant in sorted({now, *(until for until, _ in ends if until > now)}):
        there = [micro_usd for until, micro_usd in ends if until > instant]
        waiting = sum(there)
        counts = bool(there) and waiting >= outflow.received_floor_usd * 1_000_000
        free = max(0, equity - left - waiting)
        if not counts or (asked.priced and asked.value <= free):
            return [] if instant == now else [(Reason.RECEIVED_LATELY, instant)]
    raise AssertionError


def stays_until(case: Case, one: ev.ValueReceived) -> Instant:
    """Law 3: longer, if its sender was stopped in the hour in which it came or later, while it waited; or is unread."""
    read = {fact.sender: fact.stopped_at for fact in case.facts.senders}
    if one.stopped_until <= one.until:
        return one.until
    came = one.at - one.at % HOUR
    stopped = one.sender not in read or any(came <= at < one.until for at in read[one.sender])
    return one.stopped_until if stopped else one.until


COUNTED: Final = set(Lane) - {Lane.OWN}
"""Law 3: moves between accounts of the same owner draw nothing; everything else left."""


def refuse_by_value(case: Case, value: int, stranger: str = "", *, priced: bool) -> None:
    """The owner's own limit, and a stranger's cap, which need a price; and a policy that will not do without one."""
    limit = case.past.settings[Setting.LIMIT_MICRO_USD]
    limited = limit >= 0
    cap = case.policy.outflow.stranger_day_usd * 1_000_000
    refuse(
        (not priced and (limited or bool(stranger) or case.policy.signals.price == "deny"), Reason.PRICE_UNKNOWN),
        (priced and limited and case.past.drawn(COUNTED, case.now) + value > limit, Reason.OVER_OWN_LIMIT),
        (priced and bool(stranger) and case.past.paid_to(stranger, case.now) + value > cap, Reason.STRANGER_CAP),
    )


def beneficiary_of(action: ExitRequest, network: str) -> str:
    """Who is paid, as the book names it."""
    if network in {"p2p", "card"}:
        return network
    target = action.counterparty if network == "internal" else action.address
    assert target is not None
    return f"{action.network if network == '*' else network}.{target.mac.hex()}"


def names_destination(action: ExitRequest, network: str) -> bool:
    """Whether it says where the value goes, and nothing beside."""
    if network in {"own", "internal", "p2p", "card"}:
        return action.counterparty is not None and action.address is None and action.network is None
    if action.counterparty is not None or action.address is None:
        return False
    return network != "*" or action.network not in {None, "own", "internal", "p2p", "card", "bank"}


def exit_request(case: Case) -> Answer:
    """Value may leave, waits, or stays."""
    action = case.request.action
    assert isinstance(action, ExitRequest)
    network = case.policy.exits.get(action.kind)
    refuse(
        (network is None, Reason.EXIT_KIND_CLOSED),
        (case.past.is_frozen, Reason.FROZEN),
        (case.past.ordered(case.now), Reason.UNDER_ORDER),
    )
    assert network is not None
    named = names_destination(action, network)
    if network == "own":
        return sweep_request(case, named=named)
    inside = network in {"internal", "p2p"}
    itself = inside and case.request.counterparty == case.request.account.partition(".")[0]
    listed = named and beneficiary_of(action, network) in case.past.book
    refuse(
        (not named or itself or not Fraction(action.amount), Reason.BAD_FIELD),
        (network == "*" and network_closed(case, action.network), Reason.NETWORK_CLOSED),
        (no_place(case), Reason.TOO_MANY),
    )
    value, priced = value_of(case, action.asset, action.amount, 0 if action.usd is None else micro(action.usd))
    value = with_margin(case, value) if network == "card" else value
    exit_ = Exit(beneficiary_of(action, network), value, priced, by_key=True, network=network)
    alone = case.by_key and not needs_owner(case, exit_)
    proofs = [] if alone else case.prove(MONEY)
    if isinstance(proofs, Answer):
        return proofs
    refuse(*bars(case, network, known=listed))
    to = action.counterparty.mac.hex()[:16] if network in {"p2p", "card"} and action.counterparty else ""
    refuse_by_value(case, value, to, priced=priced)
    shown = None if alone else counts_at(case, proofs)
    weighed = weigh(case, exit_._replace(counts_at=shown, by_key=alone))
    if weighed.against:
        return Answer(HOLD, weighed.reasons, weighed.until(), own_wait=weighed.own_wait)
    said = Reason.INSTANT_LANE if weighed.lane is Lane.INSTANT else Reason.PROVED
    return locked(weighed.lane) if network == "p2p" else allow(said, lane=weighed.lane)


def sweep_request(case: Case, *, named: bool) -> Answer:
    """A sweep, which a key that slept asks for with proof."""
    action = case.request.action
    assert isinstance(action, ExitRequest)
    asked_anew = case.prove(MONEY) if case.asleep else []
    if isinstance(asked_anew, Answer):
        return asked_anew
    refuse((not named or not Fraction(action.amount), Reason.BAD_FIELD))
    return sweep(case)


def no_place(case: Case) -> bool:
    """Whether as much waits as may, or a key asks and half of that was asked for by keys."""
    keys = [*(one.asked.key for one in case.past.held.values()), *(one.asked.key for one in case.past.sales.values())]
    most, by_key = case.policy.bounds.waiting_exits, case.request.actor.kind is ActorKind.API_KEY
    return len(keys) >= most or (by_key and sum(map(bool, keys)) >= most // 2)


def needs_owner(case: Case, asked: Exit) -> bool:
    """What no key may let go alone: for someone who is not senior in the book, for strangers, or over budget."""
    entry = case.past.book.get(asked.beneficiary)
    program = case.past.programs.get(case.request.actor.key)
    unnamed = program is None or asked.beneficiary not in program.made.beneficiaries
    if case.by_key and asked.beneficiary in {"p2p", "card"} and unnamed:
        return True
    return entry is None or not case.past.ripe(entry.waiting, case.now) or weigh(case, asked).lane is Lane.NONE


def sweep(case: Case) -> Answer:
    """Between accounts of one customer: gated, drawn on nothing, shut in a cool-off."""
    imported = next(one for _, one in case.past.events() if isinstance(one, ev.AccountImported))
    own = {"main", imported.account, *imported.sub_accounts}
    refuse(
        (case.request.counterparty not in own, Reason.BAD_FIELD),
        (case.facts.reconciling, Reason.RECONCILING),
        (case.past.cooling_until(case.now) is not None, Reason.COOL_OFF_CLOSES),
    )
    return allow(Reason.NO_HARM, lane=Lane.OWN)


def evacuate(case: Case, opened_at: Instant) -> Answer:
    """What a finished recovery asks to be paid: as any exit is, to whom was senior before it was opened.

    It is the recovery that confirms the entry: that nobody did for long does not stand against it.
    """
    action = case.request.action
    assert isinstance(action, RecoveryFinish)
    assert action.address is not None
    assert action.asset is not None
    assert action.amount is not None
    name = f"{action.network}.{action.address.mac.hex()}"
    entry = case.past.book.get(name)
    senior = entry is not None and case.past.ripe(entry.waiting, opened_at) and case.past.ripe(entry.waiting, case.now)
    try:
        refuse(
            (case.past.is_frozen, Reason.FROZEN),
            (network_closed(case, action.network), Reason.NETWORK_CLOSED),
            (len(case.past.held) + len(case.past.sales) >= case.policy.bounds.waiting_exits, Reason.TOO_MANY),
            (not senior, Reason.SENIOR_BENEFICIARY_REQUIRED),
        )
        refuse(on_a_list(case), list_missing(case, "deny"))
        value, priced = value_of(case, action.asset, action.amount, 0)
        refuse_by_value(case, value, priced=priced)
    except Refused as refusal:
        return Answer(DENY, frozenset({refusal.reason.value}))
    weighed = unless_unconfirmed(weigh(case, Exit(name, value, priced)))
    if weighed.against:
        return Answer(HOLD, weighed.reasons, weighed.until(), own_wait=weighed.own_wait)
    return allow(Reason.PROVED, lane=weighed.lane)


def unless_unconfirmed(weighed: Weighed) -> Weighed:
    """A recovery confirms whom it pays: that nobody else did for long stands against nothing."""
    return weighed._replace(against=[one for one in weighed.against if one[0] is not Reason.VERIFICATION_EXPIRED])


def locked(lane: Lane) -> Answer:
    """A sale is set aside, and nothing goes."""
    return Answer(HOLD, frozenset({Reason.SALE_LOCKED.value}), lane=lane)


def exit_cancel(case: Case) -> Answer:
    """Stopping an exit is free; what a buyer has paid for is disputed by it, and then two of the staff decide."""
    action = case.request.action
    assert isinstance(action, ExitCancel)
    sale = case.past.sales.get(action.which)
    if case.by_staff and sale is None and action.which not in case.past.held:
        return give_back(case, action.which)
    refuse((action.which not in case.past.held and sale is None, Reason.NOT_FOUND))
    refuse((case.asleep, Reason.API_KEY_SUSPENDED))
    refuse_on_a_sale(case, sale)
    if sale is not None and case.by_staff:
        return second_word(case, sale, to_buyer=False) or allow(Reason.PROVED)
    if sale is not None and sale.paid:
        return Answer(HOLD, frozenset({Reason.SALE_DISPUTED.value}))
    return allow(Reason.TIGHTENING)


def refuse_on_a_sale(case: Case, sale: Sale | None) -> None:
    """Of a disputed sale two of the staff alone have a say, who read nothing of the customer; and of nothing else."""
    disputed, staff = sale is not None and sale.disputed, case.facts.staff
    may = staff is not None and not staff.involved and bool({"treasurer", "investigator"} & set(staff.roles))
    refuse(
        (case.by_staff and not (disputed and may), Reason.NOT_ENTITLED),
        (disputed and not case.by_staff, Reason.SALE_DISPUTED),
        (case.by_staff and not case.facts.clock_agrees, Reason.CLOCK_UNCERTAIN),
    )


def second_word(case: Case, sale: Sale, *, to_buyer: bool) -> Answer | None:
    """One of the staff alone decides nothing: another one must have said the same of it last, and lately."""
    staff, said = case.facts.staff, sale.word
    assert staff is not None
    agreed = said is not None and said.to_buyer is to_buyer and said.digest == case.facts.digest
    lately = said is not None and case.now < said.at + case.policy.staff.proposed_d * DAY
    if said is not None and agreed and lately and said.by == staff.first != staff.member:
        return None
    return Answer(HOLD, frozenset({Reason.SECOND_PERSON_REQUIRED.value}))


def sale_release(case: Case, sale: Sale, which: str) -> Answer:
    """A locked sale goes by its owner's strongest proof, weighed as if it had drawn nothing; a disputed one by two."""
    asked, network = sale.asked, case.policy.exits.get(sale.asked.kind)
    refuse_on_a_sale(case, sale)
    refuse(
        (not case.by_owner and not case.by_staff, Reason.SALE_LOCKED),
        (case.past.is_frozen and not case.by_staff, Reason.FROZEN),
        (case.past.ordered(case.now), Reason.UNDER_ORDER),
        *bars(case, network, known=asked.beneficiary in case.past.book),
    )
    if case.by_staff:
        return second_word(case, sale, to_buyer=True) or allow(Reason.PROVED, lane=asked.lane)
    proofs = case.prove(MONEY)
    if isinstance(proofs, Answer):
        return proofs
    undrawn = case.past.then((ev.ExitCancelled(case.now, which),))
    before = Case(undrawn, case.request, case.facts, case.now)
    refuse_by_value(before, asked.micro_usd, asked.stranger, priced=True)
    shown = counts_at(case, proofs)
    exit_ = Exit(asked.beneficiary, asked.micro_usd, priced=True, early=True, counts_at=shown)
    weighed = weigh(before, exit_._replace(network=network, drawn=asked.lane))
    if weighed.against:
        return Answer(HOLD, weighed.reasons)
    return allow(Reason.PROVED, lane=asked.lane)


def give_back(case: Case, which: str) -> Answer:
    """Two of the staff give back what was sent inside, while it waits there and if its sender was stopped since."""
    staff, past, now = case.facts.staff, case.past, case.now
    assert staff is not None
    refuse((not {"treasurer", "investigator"} & set(staff.roles), Reason.NOT_ENTITLED))
    refuse((not case.facts.clock_agrees, Reason.CLOCK_UNCERTAIN))
    sent = past.sent.get(which)
    if sent is None or (now >= sent.event.stopped_until and not sent.returned):
        raise Refused(Reason.NOT_FOUND)
    refuse((case.facts.reconciling, Reason.RECONCILING))
    if sent.returned:
        return allow(Reason.NO_HARM)
    refuse((not sent.stopped, Reason.SENDER_NOT_STOPPED))
    refuse((sent.micro_usd is None or case.facts.still_held_micro_usd < sent.micro_usd, Reason.NOTHING_HELD))
    asked = [one for _, one in past.events() if isinstance(one, ev.ExitReturnAsked) and one.exit == which]
    same = bool(asked) and asked[-1].digest == case.facts.digest
    fresh = bool(asked) and now < asked[-1].at + case.policy.staff.proposed_d * DAY
    if same and fresh and staff.first == asked[-1].by != staff.member:
        return allow(Reason.PROVED)
    return Answer(HOLD, frozenset({Reason.SECOND_PERSON_REQUIRED.value}))


def witness(case: Case, held: ev.ExitHeld) -> str:
    """Law 10: the first senior contact that took no part in asking, if there is one."""
    took_part = {*held.asked_with, *(one.holder for one in case.past.authenticators.values())}
    for name, one in case.past.contacts.items():
        there = one.confirmed and not one.recycled and one.told_until is None
        apart = one.channel in case.policy.notices.independent and one.address not in took_part
        if there and apart and case.past.ripe(one.waiting, case.now):
            return name
    return ""


def exit_release(case: Case) -> Answer:
    """What is held and what is locked go by rules of their own."""
    action = case.request.action
    assert isinstance(action, ExitRelease)
    sale = case.past.sales.get(action.which)
    if sale is not None:
        return sale_release(case, sale, action.which)
    held = action.which in case.past.held
    return held_release(case, action.which) if held else paid_again(case, action.which)


def paid_again(case: Case, which: str) -> Answer:
    """What was let go and is not paid goes once more, weighed as if it had drawn nothing; the platform alone asks."""
    past, now = case.past, case.now
    refuse((which in past.settled, Reason.ALREADY_SETTLED))
    if which not in past.unpaid or past.unpaid[which].payable.until <= now:
        raise Refused(Reason.NOT_FOUND)
    refuse((case.request.actor.kind is not ActorKind.PLATFORM, Reason.NOT_ENTITLED))
    event, asked, waited = past.unpaid[which]
    ruled, sold, network = bool(event.by), event.kind == "p2p_sale", case.policy.exits.get(event.kind)
    refuse_what_stopped(case, event.kind, asked.key, asked.recovery, ruled=ruled)
    refuse(*bars(case, network, known=event.beneficiary in past.book))
    if ruled:
        return allow(Reason.PROVED, lane=event.lane)
    before = Case(past.undrawn(which), case.request, case.facts, now)
    value, priced = held_value(case, (asked.asset, asked.amount, event.micro_usd), network)
    value, priced = (event.micro_usd, True) if sold else (value, priced)
    refuse_by_value(before, value, event.stranger, priced=priced)
    exit_ = Exit(event.beneficiary, value, priced, waited, approved=asked.approved, network=network, again=True)
    weighed = weigh(before, exit_._replace(early=asked.early, drawn=event.lane if sold else None))
    if asked.recovery:
        weighed = unless_unconfirmed(weighed)
    if asked.key and not asked.confirmed and needs_owner(before, exit_):
        weighed = weighed._replace(against=[*weighed.against, (Reason.PROOF_REQUIRED, None)])
    if weighed.against:
        return Answer(HOLD, weighed.reasons, weighed.until())
    return allow(Reason.PROVED, lane=event.lane)


def held_release(case: Case, which: str) -> Answer:
    """Law 10: by the platform at its time, by the owner earlier if he shows enough; weighed anew either way."""
    refuse_on_a_sale(case, None)
    held, waiting, said, approved = case.past.held[which]
    network = case.policy.exits.get(held.kind)
    refuse_what_stopped(case, held.kind, held.key, held.recovery)
    listed = on_a_list(case)
    if not listed[0]:
        refuse(*bars(case, network, known=held.beneficiary in case.past.book))
    value, priced = held_value(case, (held.asset, held.amount, held.micro_usd), network)
    vault, reaches = case.past.vault, reaches_into_vault(case, value, priced=priced)
    approver = vault.approver if vault is not None and reaches and not approved else ""
    if case.by_owner:
        refuse((bool(approver) and not may_approve(case, approver, held.asked_with), Reason.NO_SENIOR_CONTACT))
        if not approver:
            may_end_early(case, held)
        proofs = case.prove(EARLY, approver or witness(case, held))
        if isinstance(proofs, Answer):
            return proofs
    refuse(listed)
    refuse_by_value(case, value, held.stranger, priced=priced)
    early, approved = case.by_owner and not approver, approved or case.by_owner
    exit_ = Exit(held.beneficiary, value, priced, waiting, early=early, approved=approved, network=network)
    weighed = weigh(case, exit_)
    if held.recovery:
        weighed = unless_unconfirmed(weighed)
    if not early:
        weighed = not_yet(case, waiting, said, weighed)
        if held.key and not held.asked_with and not approved and needs_owner(case, exit_):
            weighed = weighed._replace(against=[*weighed.against, (Reason.PROOF_REQUIRED, None)])
    if weighed.against:
        people = {Reason.VAULT_APPROVAL, Reason.PROOF_REQUIRED, Reason.VERIFICATION_EXPIRED}
        unsaid = bool({one.value for one in people} & weighed.reasons)
        return Answer(HOLD, weighed.reasons, None if unsaid else weighed.until() or said)
    return locked(weighed.lane) if network == "p2p" else allow(Reason.PROVED, lane=weighed.lane)


def held_value(case: Case, held: tuple[str, str, int], network: str | None) -> tuple[int, bool]:
    """Law 3: what it is worth now, never less than when it was asked for; of a card payment with its margin."""
    value, priced = value_of(case, *held)
    if network != "card" or not priced:
        return value, priced
    return max(value, with_margin(case, value_of(case, *held[:2], 0)[0])), priced


def refuse_what_stopped(case: Case, kind: str, key: str, recovery: str, *, ruled: bool = False) -> None:
    """What ends or stops an exit that was asked for earlier; two of the staff rule frozen or not."""
    refuse((case.policy.exits.get(kind) is None, Reason.EXIT_KIND_CLOSED))
    refuse(
        (bool(key) and not case.past.may_go_on(key) and not ruled, Reason.API_KEY_SUSPENDED),
        (case.past.is_frozen and not ruled, Reason.FROZEN),
        (case.past.ordered(case.now), Reason.UNDER_ORDER),
        (case.past.lapsed(recovery, case.now), Reason.NOT_FOUND),
        (case.past.is_undone(recovery, case.now), Reason.EVIDENCE_BURNED),
    )


def not_yet(case: Case, waiting: Waiting, said: Instant, weighed: Weighed) -> Weighed:
    """A hold ends when that was said, and the owner told of it, even if its cause is gone (laws 5 and 10)."""
    late: list[tuple[Reason, Instant | None]] = []
    if waiting.told is None:
        late = [(Reason.NOTICE_UNDELIVERED, max(said, case.now + waiting.length))]
    elif case.now < said:
        late = [(Reason.NOT_YET_DUE, said)]
    return weighed._replace(against=[*weighed.against, *late])


def may_end_early(case: Case, held: ev.ExitHeld) -> None:
    """For a senior beneficiary, in no cool-off, with a senior contact that took no part in asking."""
    entry = case.past.book.get(held.beneficiary)
    senior = entry is not None and case.past.ripe(entry.waiting, case.now)
    refuse(
        (not senior, Reason.SENIOR_BENEFICIARY_REQUIRED),
        (not witness(case, held), Reason.NO_SENIOR_CONTACT),
    )
    unpriced = Exit(held.beneficiary, 0, priced=False)
    for reason, _ in cooling(case, unpriced, senior=True):
        raise Refused(reason)


def api_key_create(case: Case) -> Answer:
    """A key is made with the strongest proof, and waits."""
    refuse((len(case.past.programs) >= case.policy.bounds.api_keys, Reason.TOO_MANY))
    proofs = case.prove(CHANGE)
    if isinstance(proofs, Answer):
        return proofs
    return case.ripens(max(case.policy.api_keys.ripens_h, case.past.settings[Setting.LOCK_HOURS]))


def api_key_suspend(case: Case) -> Answer:
    """Stopping costs nothing; going on waits."""
    action = case.request.action
    assert isinstance(action, ApiKeySuspend)
    refuse((action.key not in case.past.programs, Reason.NOT_FOUND))
    if action.on:
        return allow(Reason.TIGHTENING)
    proofs = case.prove(CHANGE)
    if isinstance(proofs, Answer):
        return proofs
    refuse((not case.past.programs[action.key].suspended, Reason.NOT_FOUND))
    return case.ask_loosening(ChangeKind.RESUME_API_KEY, action.key, 0, case.policy.waits.loosen_setting_h)


def api_key_revoke(case: Case) -> Answer:
    """Ending costs nothing."""
    action = case.request.action
    assert isinstance(action, ApiKeyRevoke)
    refuse((action.key is not None and action.key not in case.past.programs, Reason.NOT_FOUND))
    return allow(Reason.TIGHTENING)


def fresh_price(case: Case, micro_usd: int, at: Instant) -> int:
    """A price of the feed; 0 if it is too old."""
    return micro_usd if case.now - at <= case.policy.signals.price_age_m * MINUTE else 0


def order_terms(case: Case) -> ev.Terms | None:
    """What an order is compared with: the worse of index and platform's word, and what a unit of either asset is worth.

    None if nobody can say what the order is worth.
    """
    action, market, trades = case.request.action, case.facts.market, case.policy.trades
    assert isinstance(action, OrderPlace | OrderLease | OrderReport)
    side, claimed = "buy" if isinstance(action, OrderLease) else action.side, getattr(action, "reference", None)
    if market is None:
        return None
    reference = ""
    if market.reference and market.pair == action.pair and case.now - market.at <= trades.index_age_s * 1000:
        said = [market.reference, *([claimed] if claimed is not None and Fraction(claimed) else [])]
        reference = min(said, key=Fraction) if side == "buy" else max(said, key=Fraction)
    base = fresh_price(case, market.base_micro_usd, market.base_at)
    quote = fresh_price(case, market.quote_micro_usd, market.quote_at)
    if not quote and base and reference:
        quote = math.ceil(base / Fraction(reference))
    if not quote or (not reference and side == "sell" and not base):
        return None
    swing = (market.half_range_ppm, market.storm_ppm) if reference else (0, 0)
    tolerance, storm = (min(trades.tolerance_factor * one, trades.tolerance_max_ppm) for one in swing)
    return ev.Terms(reference, tolerance, order_weight(case, market.half_range_ppm), quote, base, storm)


def order_weight(case: Case, half_range: int) -> int:
    """What is odd about an order, in percent of its weight."""
    past, now, trades = case.past, case.now, case.policy.trades
    action = case.request.action
    assert isinstance(action, OrderPlace | OrderLease | OrderReport)
    allowed = [one for _, one in past.events() if isinstance(one, ev.OrderAllowed)]
    first = min((one.at for one in allowed if one.pair == action.pair), default=now)
    begins = (now - HOUR) // (5 * MINUTE) * 5 * MINUTE
    sold = sum(one.notional_micro_usd for one in allowed if one.liquid and one.side == "sell" and one.at >= begins)
    equity = trading_equity(case)
    weight = 100
    weight += trades.pair_weight_percent if first > now - trades.pair_known_h * HOUR else 0
    weight += trades.thin_weight_percent if half_range > trades.thin_ppm else 0
    weight += trades.liquidated_weight_percent if sold * 100 > equity * trades.liquidated_percent else 0
    weight += trades.session_weight_percent if case.session is not None and is_fresh(case) else 0
    weight += trades.key_weight_percent if case.session is None and is_fresh(case) else 0
    return weight + (trades.cooling_weight_percent if past.cooling_until(now) is not None else 0)


def is_fresh(case: Case) -> bool:
    """Whether the session that asks is young, or its key was made or woken lately; the platform's word is neither."""
    if case.request.actor.kind is ActorKind.API_KEY:
        name, lately = case.request.actor.key, case.now - case.policy.trades.key_woke_h * HOUR
        waiting = case.past.programs[name].waiting
        woken = [one.at for _, one in case.past.events() if isinstance(one, ev.ApiKeyWoken) and one.api_key == name]
        return case.asleep or max(waiting.ends() or 0, *woken, 0) > lately
    if case.session is None:
        return False
    return case.now < case.past.started(case.request.actor.session) + case.policy.trades.session_m * MINUTE


def own_leverage(case: Case) -> Fraction:
    """The most leverage of the last 90 days but the last three."""
    newest = (case.now - case.policy.trades.leverage_quiet_h * HOUR) // DAY * DAY
    allowed = [one for _, one in case.past.events() if isinstance(one, ev.OrderAllowed)]
    used = [one.leverage_percent for one in allowed if case.now // DAY * DAY - 90 * DAY <= one.at < newest]
    return Fraction(max(used, default=100), 100)


def order_place(case: Case) -> Answer:
    """Law 3: an order goes if what it gives away beside the market fits every window and the one budget."""
    action, past, now = case.request.action, case.past, case.now
    assert isinstance(action, OrderPlace)
    misled = [one.at for _, one in past.events() if isinstance(one, ev.OrderReported) and one.misled]
    doubted = bool(misled) and now < misled[-1] + case.policy.trades.doubted_h * HOUR
    claimed = sum(one.reduces for one in past.orders.values())
    reduces, other = action.reduces and not doubted and claimed < 32, case.request.counterparty
    severe = any(one.severity == "severe" and (one.others.ends() or now + 1) > now for one in past.cool_offs)
    closed = {"pair *", f"pair {action.pair}", f"counterparty {other}"} & past.closed
    closed |= {"the cluster"} if past.closed_ties & set(case.facts.counterparty_ties) else set()
    refuse(
        (action.order in past.orders, Reason.ALREADY_EXISTS),
        (past.is_frozen and not reduces, Reason.FROZEN),
        (past.ordered(now) and not reduces, Reason.UNDER_ORDER),
        (not all(Fraction(one) for one in (action.price, action.amount, action.leverage)), Reason.BAD_FIELD),
        (now < past.weak_until and not reduces, Reason.RECOVERED_LATELY),
        (bool(closed) and not reduces, Reason.TRADING_CLOSED),
        (
            not reduces and (is_fresh(case) or severe) and Fraction(action.leverage) > own_leverage(case),
            Reason.LEVERAGE_CLOSED,
        ),
    )
    if case.asleep:
        proofs = case.prove(MONEY)
        if isinstance(proofs, Answer):
            return proofs
    terms = order_terms(case)
    refuse((terms is None, Reason.PRICE_UNKNOWN))
    assert terms is not None
    terms, drain, worth = measured(case, terms)
    refuse((max(worth, drain.weighed_micro_usd) > BILLION, Reason.BAD_FIELD))
    if drain.gap_micro_usd:
        refuse((bool(closed), Reason.TRADING_CLOSED))
        refuse_drain(case, drain, blind=not terms.reference)
    return allow(Reason.NO_HARM)._replace(traded=Traded(drain, terms=terms, mark=order_mark(case, drain)))


def measured(case: Case, terms: ev.Terms) -> tuple[ev.Terms, ev.Drain, int]:
    """What an order gives away by its terms; a wild market explains nothing more once its week is used up."""
    before = case.past.traded("storm_micro_usd", case.now, 7 * DAY, DAY)
    most = trading_equity(case) * case.policy.trades.storm_week_percent // 100
    drain, worth = order_drain(case, terms)
    if before + drain.storm_micro_usd > most and drain.storm_micro_usd:
        terms = msgspec.structs.replace(terms, storm_ppm=0)
        drain, worth = order_drain(case, terms)
    return terms, drain, worth


def order_drain(case: Case, terms: ev.Terms) -> tuple[ev.Drain, int]:
    """What a fill gives away: its gap to the reference, less the tolerance, weighed by what is odd; and its worth."""
    action = case.request.action
    assert isinstance(action, OrderPlace | OrderReport)
    price, amount, quote = Fraction(action.price), Fraction(action.amount), terms.quote_micro_usd
    reference = Fraction(terms.reference or 0)
    worth = math.ceil(max(price, reference) * amount * quote)
    if terms.reference:
        gap = max(Fraction(0), price - reference if action.side == "buy" else reference - price)
        raw, at_market = math.ceil(gap * amount * quote), reference * amount * quote
        given = max(0, raw - math.floor(Fraction(terms.tolerance_ppm, 10**6) * at_market))
        storm = min(raw, math.floor(Fraction(terms.storm_ppm, 10**6) * at_market))
    else:
        given = raw = max(math.ceil(price * amount * quote), math.ceil(amount * terms.base_micro_usd))
        storm = 0
    weighed = math.ceil(Fraction(given * terms.weight_percent, 100))
    return ev.Drain(raw - storm, given, weighed, storm), worth


def order_mark(case: Case, drain: ev.Drain) -> tuple[int, Instant, Instant, bool] | None:
    """Law 3: what another customer gained stays there, for longer from whoever is stopped; and whether he is robbed."""
    past, now, policy, other = case.past, case.now, case.policy, case.request.counterparty
    first = next(one for _, one in past.events() if isinstance(one, ev.AccountImported))
    if not drain.micro_usd or not case.facts.counterparty_known or other in {"", first.account}:
        return None
    full = math.ceil(Fraction(now, HOUR)) * HOUR
    longest = full + policy.outflow.received_from_cooling_h * HOUR
    cools = past.cooling_until(now) is not None
    until = longest if past.is_frozen or cools else full + policy.trades.proceeds_h * HOUR
    alarms = {"trading.alerted", "trading.closed"}
    told = any(
        isinstance(one, ev.NoticeDue) and one.cause in alarms and one.at > now - HOUR for _, one in past.events()
    )
    aged = first.at <= now - policy.trades.victim_aged_d * DAY
    robbed = aged and (is_fresh(case) or told or cools) and not case.facts.kin
    return drain.gap_micro_usd, until, longest, robbed


def order_report(case: Case) -> Answer:
    """Law 3: a report corrects what an order drew; what it gives back is the order's own, and not much a day.

    What was matched is measured by the terms of then and of now, and the worse counts.
    """
    action, past, trades = case.request.action, case.past, case.policy.trades
    assert isinstance(action, OrderReport)
    placed = past.orders.get(action.order)
    refuse((placed is not None and (placed.pair, placed.side) != (action.pair, action.side), Reason.BAD_FIELD))
    terms = order_terms(case)
    found = [] if terms is None else [measured(case, terms)[1:]]
    if placed is not None:
        lately = case.now < placed.at + trades.order_s * 1000
        blind = terms is None or not terms.reference
        then = order_drain(case, placed.terms)
        found = [then] if blind and lately else found if blind else [then, *found]
    if not found:
        return allow(Reason.PRICE_UNKNOWN)._replace(traded=Traded(closes=True))
    drain, worth = max(found, key=lambda one: one[0].gap_micro_usd)
    refuse((max(worth, drain.weighed_micro_usd) > BILLION, Reason.BAD_FIELD))
    reserved = placed.drain if placed is not None else ev.Drain()
    named = placed is not None and placed.counterparty == case.request.counterparty
    extra = beyond(drain, reserved)
    mark = order_mark(case, extra if named else drain)
    return allow(Reason.NO_HARM)._replace(
        traded=Traded(
            extra,
            report_refund(case, beyond(reserved, drain)),
            closes=bool(extra.raw_micro_usd) and is_too_much(case, extra),
            misled=placed is not None and placed.reduces and not action.reduced and Fraction(action.amount) > 0,
            arrived=min(drain.micro_usd, reserved.micro_usd) if named else 0,
            mark=mark,
            lost=None if mark is None or not mark[0] else report_lost(case, placed, mark[0], drain, reserved),
        )
    )


def report_lost(
    case: Case, placed: ev.OrderAllowed | None, held: int, drain: ev.Drain, reserved: ev.Drain
) -> tuple[int, int, Instant, bytes] | None:
    """Laws 3 and 6: each fill of an order may come back once; told again, named alike or else of one size, it is one.

    What was drawn for somebody else as the order was asked for is undrawn there, and nothing that was drawn beyond it.
    """
    action, other = case.request.action, case.request.counterparty
    assert isinstance(action, OrderReport)
    what = action.fill or f"{int(Fraction(action.amount) * 10**18)} units"
    fill = hashlib.sha256(f"fill\n{action.order}\n{other}\n{what}".encode()).digest()[:16]
    if placed is None:
        again = case.past.was_told(fill, case.now)
        return None if again else (min(held, drain.micro_usd), min(held, drain.micro_usd), 0, fill)
    if placed.counterparty == other:
        extra = min(held, beyond(drain, reserved).micro_usd)
        return extra, extra, 0, fill
    return min(held, drain.micro_usd), min(held, drain.micro_usd, reserved.micro_usd), placed.at, fill


DRAINS: Final = ("raw_micro_usd", "micro_usd", "weighed_micro_usd", "storm_micro_usd")


def beyond(one: ev.Drain, other: ev.Drain) -> ev.Drain:
    """By how much one gives away more than another, by each measure."""
    return ev.Drain(*(max(0, getattr(one, name) - getattr(other, name)) for name in DRAINS))


def report_refund(case: Case, less: ev.Drain) -> ev.Drain:
    """Law 6: reports of today and yesterday give back a share of the equity at most, and nothing in doubt (law 8)."""
    today = case.now // DAY * DAY
    told = [one for _, one in case.past.events() if isinstance(one, ev.OrderReported) and one.at >= today - DAY]
    late = [one for _, one in case.past.events() if isinstance(one, ev.LeaseSettled) and not one.prompt]
    given = sum(one.refund.gap_micro_usd for one in told)
    given += sum(one.refund_micro_usd for one in late if one.at >= today - DAY)
    room = max(0, trading_equity(case) * case.policy.trades.refunds_day_percent // 100 - given)
    if not less.gap_micro_usd or not case.facts.clock_agrees:
        return ev.Drain()
    share = min(Fraction(1), Fraction(room, less.gap_micro_usd))
    return ev.Drain(*(math.floor(getattr(less, name) * share) for name in DRAINS))


def trading_equity(case: Case) -> int:
    """The lowest equity of the days that windows of trades are a part of."""
    return case.past.lowest_equity(case.now, case.request.context.equity_micro_usd, case.policy.trades.equity_d)


def is_too_much(case: Case, drain: ev.Drain) -> bool:
    """Whether a window bears so much no more, to the bucket."""
    past, now, trades = case.past, case.now, case.policy.trades
    equity, five = trading_equity(case), 5 * MINUTE
    windows = (
        ("weighed_micro_usd", HOUR, five, trades.hour_percent),
        ("raw_micro_usd", HOUR, five, trades.raw_hour_percent),
        ("raw_micro_usd", DAY, HOUR, trades.raw_day_percent),
        ("raw_micro_usd", 7 * DAY, DAY, trades.raw_week_percent),
        ("raw_micro_usd", 30 * DAY, DAY, trades.raw_month_percent),
    )
    return any(
        past.traded(name, now, span, unit) + getattr(drain, name) > equity * percent // 100
        for name, span, unit, percent in windows
    )


def refuse_drain(case: Case, drain: ev.Drain, *, blind: bool) -> None:
    """Every window that bounds it, to the bucket, and the owner's own limit."""
    past, now = case.past, case.now
    limit = past.settings[Setting.LIMIT_MICRO_USD]
    own = limit >= 0 and past.drawn(COUNTED, now) + drain.micro_usd > limit
    refuse((not case.facts.clock_agrees, Reason.CLOCK_UNCERTAIN))
    refuse((case.facts.reconciling, Reason.RECONCILING))
    refuse((is_too_much(case, drain), Reason.PRICE_UNKNOWN if blind else Reason.OVER_TRADE_LIMIT))
    refuse((own, Reason.OVER_OWN_LIMIT))
    refuse((bool(drain.micro_usd) and not fits(case, Lane.OTHERS, drain.micro_usd), Reason.OVER_BUDGET))
    refuse((bool(drain.micro_usd) and reaches_into_vault(case, drain.micro_usd, priced=True), Reason.IN_VAULT))


def order_lease(case: Case) -> Answer:
    """Law 3: a tenth of what every window and the budget still bear, for orders about which nothing is odd."""
    action, past, now, trades = case.request.action, case.past, case.now, case.policy.trades
    assert isinstance(action, OrderLease)
    earlier = past.leases.get(action.settles or "")
    early = earlier is not None and now < earlier.at + trades.lease_s * 1000 - EARLY_MS
    refuse((past.is_frozen, Reason.FROZEN))
    refuse((past.ordered(now), Reason.UNDER_ORDER))
    refuse((bool({"pair *", f"pair {action.pair}"} & past.closed), Reason.TRADING_CLOSED))
    refuse((early, Reason.NOT_YET_DUE))
    someone = any(one.startswith("counterparty") for one in past.closed)
    refuse((case.asleep or case.facts.reconciling or someone, Reason.ORDER_BY_ORDER))
    terms, market = order_terms(case), case.facts.market
    refuse((terms is None or not terms.reference, Reason.PRICE_UNKNOWN))
    assert market is not None
    refuse((order_weight(case, market.half_range_ppm) != 100, Reason.ORDER_BY_ORDER))
    amount = most_given_away(case) * trades.lease_percent // 100
    refuse((not amount, Reason.OVER_TRADE_LIMIT))
    return allow(Reason.NO_HARM)._replace(leased=amount)


EARLY_MS: Final = 500
"""How much sooner than its end a lease may be settled, for whoever asked began to count before it was granted."""


def most_given_away(case: Case) -> int:
    """The most that one order could give away now: found by trying, not by subtracting."""

    def bears(micro_usd: int) -> bool:
        try:
            refuse_drain(case, ev.Drain(micro_usd, micro_usd, micro_usd), blind=False)
        except Refused:
            return False
        return True

    most, beyond = 0, 1
    while bears(beyond):
        most, beyond = beyond, beyond * 2
    while beyond - most > 1:
        middle = (most + beyond) // 2
        most, beyond = (middle, beyond) if bears(middle) else (most, middle)
    return most


RULES: Final[dict[type[Action], Callable[[Case], Answer]]] = {
    OrderPlace: order_place,
    OrderLease: order_lease,
    OrderReport: order_report,
    ApiKeyCreate: api_key_create,
    ApiKeySuspend: api_key_suspend,
    ApiKeyRevoke: api_key_revoke,
    SessionStart: session_start,
    SessionEnd: session_end,
    SessionEndAll: session_end_all,
    PasswordChange: password_change,
    AuthenticatorBind: authenticator_bind,
    AuthenticatorConfirm: authenticator_confirm,
    AuthenticatorRemove: authenticator_remove,
    AuthenticatorSuspend: authenticator_suspend,
    AuthenticatorReinstate: authenticator_reinstate,
    ContactAdd: contact_add,
    ContactConfirm: contact_confirm,
    ContactRemove: contact_remove,
    ContactReportRecycled: contact_report_recycled,
    AddressAdd: address_add,
    AddressRenew: address_renew,
    AddressRemove: address_remove,
    AllowlistSet: setting_change,
    LockSet: setting_change,
    LimitSet: setting_change,
    VaultSet: vault_set,
    ChangeCancel: change_cancel,
    AccountFreeze: freeze,
    AccountUnfreeze: unfreeze,
    ExitRequest: exit_request,
    ExitCancel: exit_cancel,
    ExitRelease: exit_release,
}
