"""What follows from what happened: one exhaustive table of notices, cool-offs and directions (laws 1, 4 and 5).

Rules return causes; `consequences` reads these tables, and nothing else ever writes a notice or a cool-off. Effects
written by hand at each call site are how other systems came to forget one route of six.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from holdback.core import events as ev
from holdback.core.events import HOUR, MINUTE, About, AuthenticatorKind, ChangeKind, Lane, Setting, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdback.core.events import AnyEvent, Instant
    from holdback.core.policy import Policy
    from holdback.core.state import Contact, Head


class Direction(StrEnum):
    """Law 1: tightening takes effect now, loosening waits, neutral changes no protection."""

    TIGHTENING = "tightening"
    LOOSENING = "loosening"
    NEUTRAL = "neutral"


class Ends(StrEnum):
    """Which sessions an event ends: none, all but the one that asked for it, or those of the device it names."""

    NONE = "none"
    OTHERS = "others"
    DEVICES = "devices"


class Effect(msgspec.Struct, frozen=True):
    """What one kind of event does: how loudly it is announced (None = not at all), and what it cools (None = nothing).

    `about` names the kind of thing whose wait runs only once the owner was told, `ends` the sessions that end with it.
    `stops_keys`: it says that somebody else was in, who may have made API keys or read their secrets.
    """

    direction: Direction
    notice: Severity | None = None
    cools: Severity | None = None
    about: str = ""
    ends: Ends = Ends.NONE
    stops_keys: bool = False


_SILENT: Final = Effect(Direction.NEUTRAL)
_TIGHTER: Final = Effect(Direction.TIGHTENING, Severity.INFO)
_SEVERE_CHANGE: Final = Effect(Direction.LOOSENING, Severity.SEVERE, Severity.SEVERE)
_SEVERE_NEWS: Final = Effect(Direction.NEUTRAL, Severity.SEVERE, Severity.SEVERE)

EFFECTS: Final[dict[type[ev.Event], Effect]] = {
    ev.Decided: _SILENT,
    ev.AccountImported: Effect(Direction.TIGHTENING, Severity.INFO),
    ev.Frozen: Effect(Direction.TIGHTENING, Severity.SEVERE),
    ev.Unfrozen: Effect(Direction.LOOSENING, Severity.SEVERE),
    ev.SessionStarted: _SILENT,
    ev.SessionSeen: _SILENT,
    ev.SessionEnded: _SILENT,
    ev.SessionMisused: Effect(Direction.NEUTRAL, Severity.SEVERE, Severity.MILD),
    ev.DeviceProofSpent: _SILENT,
    ev.DeviceMet: Effect(Direction.NEUTRAL, Severity.MILD, Severity.MILD),
    ev.DeviceSeen: _SILENT,
    ev.DeviceDisowned: Effect(Direction.TIGHTENING, Severity.SEVERE, Severity.SEVERE, ends=Ends.DEVICES),
    ev.SignInScored: _SEVERE_NEWS,
    ev.PlaceSeen: _SILENT,
    ev.AuthenticatorBound: Effect(Direction.NEUTRAL, Severity.MILD, Severity.MILD, "authenticator"),
    ev.AuthenticatorConfirmed: Effect(Direction.NEUTRAL, Severity.MILD, Severity.MILD, "authenticator"),
    ev.AuthenticatorSuspended: Effect(Direction.TIGHTENING, Severity.SEVERE, ends=Ends.OTHERS),
    ev.AuthenticatorReinstated: Effect(Direction.LOOSENING, Severity.SEVERE, Severity.MILD),
    ev.AuthenticatorRemoved: replace(_SEVERE_CHANGE, ends=Ends.OTHERS),
    ev.AuthenticatorRecycled: Effect(Direction.TIGHTENING, Severity.SEVERE, Severity.SEVERE, ends=Ends.OTHERS),
    ev.AuthenticatorAsked: _SILENT,
    ev.SecretReplaced: Effect(Direction.NEUTRAL, Severity.SEVERE, Severity.SEVERE, "authenticator", Ends.OTHERS),
    ev.ProofUsed: _SILENT,
    ev.ProofFailed: Effect(Direction.NEUTRAL, Severity.INFO),
    ev.SignInsFailed: Effect(Direction.NEUTRAL, Severity.INFO),
    ev.ChallengeIssued: _SILENT,
    ev.ChallengeClosed: _SILENT,
    ev.ContactAdded: _SILENT,
    ev.ContactAsked: _SILENT,
    ev.ContactConfirmed: Effect(Direction.NEUTRAL, Severity.SEVERE, Severity.SEVERE, "contact"),
    ev.ContactRemoved: _SEVERE_CHANGE,
    ev.ContactRecycled: Effect(Direction.TIGHTENING, Severity.SEVERE, Severity.SEVERE),
    ev.AddressAdded: Effect(Direction.LOOSENING, Severity.MILD, None, "beneficiary"),
    ev.AddressRenewed: _SILENT,
    ev.AddressRemoved: _TIGHTER,
    ev.SettingChanged: _TIGHTER,
    ev.VaultChanged: _TIGHTER,
    ev.ChangeAsked: Effect(Direction.LOOSENING, Severity.SEVERE, None, "change"),
    ev.ChangeCancelled: _TIGHTER,
    ev.ChangeDone: _SILENT,
    ev.ExitAllowed: Effect(Direction.NEUTRAL, Severity.INFO),
    ev.ExitHeld: Effect(Direction.NEUTRAL, Severity.MILD, None, "exit"),
    ev.ExitMoved: _SILENT,
    ev.ExitApproved: Effect(Direction.NEUTRAL, Severity.INFO),
    ev.ExitCancelled: _TIGHTER,
    ev.ExitSettled: _SILENT,
    ev.ExitReconciled: _SILENT,
    ev.ValueSent: _SILENT,
    ev.ExitReturnAsked: _SILENT,
    ev.ExitReturned: Effect(Direction.NEUTRAL, Severity.SEVERE),
    ev.ExitCleared: _SILENT,
    ev.ExitExceeded: Effect(Direction.NEUTRAL, Severity.MILD),
    ev.ExitLocked: Effect(Direction.NEUTRAL, Severity.INFO),
    ev.ExitPaid: Effect(Direction.NEUTRAL, Severity.INFO),
    ev.ExitDisputed: Effect(Direction.TIGHTENING, Severity.MILD),
    ev.ExitRuled: _SILENT,
    ev.ValueReceived: _SILENT,
    ev.ValueRecalled: Effect(Direction.TIGHTENING, Severity.SEVERE),
    ev.ValueReturned: _SILENT,
    ev.EquityStated: _SILENT,
    ev.CoolOffStarted: _SILENT,
    ev.NoticeDue: _SILENT,
    ev.NoticeFolded: _SILENT,
    ev.NoticeAccepted: _SILENT,
    ev.NoticeFailed: _SILENT,
    ev.WaitMoved: _SILENT,
    ev.CredentialRehashed: _SILENT,
    ev.RecoveryOpened: Effect(Direction.NEUTRAL, Severity.SEVERE),
    ev.RecoveryAsked: _SILENT,
    ev.RecoveryShown: Effect(Direction.NEUTRAL, Severity.INFO),
    ev.RecoveryMissed: Effect(Direction.NEUTRAL, Severity.INFO),
    ev.RecoveryDoubted: Effect(Direction.TIGHTENING, Severity.MILD),
    ev.RecoveryClosed: Effect(Direction.LOOSENING, Severity.SEVERE, None, "recovery"),
    ev.RecoveryReviewed: Effect(Direction.NEUTRAL, Severity.MILD),
    ev.RecoveryContested: Effect(Direction.TIGHTENING, Severity.SEVERE),
    ev.RecoveryEnded: Effect(Direction.TIGHTENING, Severity.SEVERE),
    ev.RecoveryFinished: replace(_SEVERE_CHANGE, ends=Ends.OTHERS, stops_keys=True),
    ev.RecoveryReminded: Effect(Direction.NEUTRAL, Severity.SEVERE),
    ev.EvidenceBurned: Effect(Direction.TIGHTENING, Severity.SEVERE),
    ev.IncidentReported: Effect(Direction.TIGHTENING, Severity.SEVERE),
    ev.IncidentNoted: _SILENT,
    ev.IncidentClosed: Effect(Direction.NEUTRAL, Severity.SEVERE),
    ev.MemberProposed: _SILENT,
    ev.MemberEnrolled: Effect(Direction.LOOSENING, Severity.SEVERE),
    ev.MemberRetired: Effect(Direction.TIGHTENING, Severity.SEVERE),
    ev.MemberFlagged: _SILENT,
    ev.ColleagueJudged: _SILENT,
    ev.CustomerRead: _SILENT,
    ev.TicketOpened: _SILENT,
    ev.TicketClosed: _SILENT,
    ev.LookedUp: _SILENT,
    ev.AgencyProposed: _SILENT,
    ev.AgencyEntered: _SILENT,
    ev.AgencyRemoved: _SILENT,
    ev.BreakerTripped: Effect(Direction.TIGHTENING),
    ev.BreakerResetAsked: _SILENT,
    ev.BreakerReset: _SILENT,
    ev.LegalReceived: _SILENT,
    ev.LegalCalledBack: _SILENT,
    ev.LegalApproved: _SILENT,
    ev.LegalRejected: Effect(Direction.TIGHTENING, Severity.MILD),
    ev.LegalDisclosed: Effect(Direction.NEUTRAL, Severity.SEVERE),
    ev.LegalFrozen: Effect(Direction.TIGHTENING, Severity.SEVERE),
    ev.LegalThawAsked: _SILENT,
    ev.LegalThawed: Effect(Direction.LOOSENING, Severity.SEVERE),
    ev.LegalTold: Effect(Direction.NEUTRAL, Severity.SEVERE),
    ev.ApiKeyCreated: Effect(Direction.LOOSENING, Severity.SEVERE, None, "api_key"),
    ev.ApiKeySigned: _SILENT,
    ev.ApiKeyWoken: Effect(Direction.NEUTRAL, Severity.MILD),
    ev.ApiKeySuspended: Effect(Direction.TIGHTENING, Severity.MILD),
    ev.ApiKeyResumed: Effect(Direction.LOOSENING, Severity.SEVERE),
    ev.ApiKeyRevoked: Effect(Direction.TIGHTENING, Severity.MILD),
    ev.ApiKeyWarned: Effect(Direction.NEUTRAL, Severity.MILD),
    ev.ApiKeysStopped: Effect(Direction.TIGHTENING, Severity.MILD),
    ev.OrderAllowed: _SILENT,
    ev.OrderReported: _SILENT,
    ev.LeaseGranted: _SILENT,
    ev.LeaseSettled: _SILENT,
    ev.TradingAlerted: Effect(Direction.NEUTRAL, Severity.MILD),
    ev.TradingClosed: Effect(Direction.TIGHTENING, Severity.SEVERE),
    ev.TradingOpened: Effect(Direction.LOOSENING, Severity.SEVERE),
    ev.ProceedsSeen: _SILENT,
    ev.ProceedsHeld: _SILENT,
    ev.Tied: _SILENT,
}
"""Every event there is: its direction, notice and cool-off, the sessions it ends, and whether API keys stop with it."""


class Loosening(NamedTuple):
    """How one loosening waits: the policy's wait (hours), what asking for it cools, and what it is called."""

    wait: str
    cools: Severity | None


CHANGES: Final[dict[ChangeKind, Loosening]] = {
    ChangeKind.SET: Loosening("waits.loosen_setting_h", None),
    ChangeKind.REMOVE_AUTHENTICATOR: Loosening("waits.remove_authenticator_h", Severity.SEVERE),
    ChangeKind.REINSTATE_AUTHENTICATOR: Loosening("waits.reinstate_authenticator_h", None),
    ChangeKind.REMOVE_CONTACT: Loosening("waits.remove_contact_h", Severity.SEVERE),
    ChangeKind.RESUME_API_KEY: Loosening("waits.loosen_setting_h", None),
    ChangeKind.OPEN_TRADING: Loosening("waits.loosen_setting_h", None),
    ChangeKind.UNFREEZE: Loosening("waits.unfreeze_h", None),
    ChangeKind.VAULT: Loosening("waits.loosen_setting_h", None),
}
"""Every loosening that an owner can ask for; `SettingChanged` and the others follow when its wait is over."""


def is_tighter(setting: Setting, old: int, new: int) -> bool:
    """Whether a setting's new value protects at least as much as its old one.

    A limit of -1 is none, the loosest; otherwise less is tighter. For the allowlist and the lock, more is tighter.
    """
    if setting is Setting.LIMIT_MICRO_USD:
        return old == new or (new >= 0 and (old < 0 or new < old))
    return new >= old


def loosening_wait(head: Head, kind: ChangeKind, policy: Policy, now: Instant) -> Instant:
    """How long a loosening waits, in ms: the policy's wait, or the owner's own lock if that is longer.

    A vault is not opened sooner than it could be emptied.
    """
    hours = policy.number(CHANGES[kind].wait)
    if kind is ChangeKind.UNFREEZE and head.changed_at + policy.waits.recent_change_h * HOUR > now:
        hours = policy.waits.unfreeze_after_change_h
    if kind is ChangeKind.VAULT and head.vault is not None:
        hours = max(hours, head.vault.hours)
    return max(hours, head.setting(Setting.LOCK_HOURS)) * HOUR


def consequences(  # noqa: PLR0913 - what was, what is, what happened, and who asked for it
    before: Head | None,
    after: Head,
    caused: Sequence[AnyEvent],
    policy: Policy,
    prefix: str,
    *,
    asking: bytes = b"",
) -> list[AnyEvent]:
    """The notices, cool-offs and ends of sessions that follow from `caused`; `prefix` makes ids unique in the stream.

    `asking` is the session that asked for it, empty for what came due by itself: then nobody's session is spared, for
    whoever's request found it due may be the thief. `before` is None where a stream begins, whose own news is told and
    whose contents are not: nothing senior exists yet that could have been told, and everything in it waits as new (law
    6).
    """
    found: list[AnyEvent] = []
    ended: dict[bytes, AnyEvent] = {}
    for event in caused:
        if before is None and not isinstance(event, ev.AccountImported | ev.MemberEnrolled):
            continue
        effect = effect_of(event)
        if effect is _SILENT and type(event) not in _ASKS_FOR_CODE:
            continue
        number = f"{prefix}{len(found)}"
        about = (About(effect.about, getattr(event, effect.about)),) if effect.about else ()
        if effect.cools is not None:
            found.append(_cool_off(number, event, effect.cools, policy))
            about = (*about, About("cool_off", number))
        cause, sent_to = _code_for(event) if type(event) in _ASKS_FOR_CODE else ("", "")
        if sent_to:
            found.append(ev.NoticeDue(event.at, f"{number}-code", cause, Severity.INFO, (sent_to,), ()))
        sent = _sent_to(event, after) if effect.notice is not None else ()
        if effect.notice is not None and (sent or not isinstance(event, ev.LegalTold)):
            folded = _pressed_again(event, before, policy) or _repeats(event, effect, about, (before, after), policy)
            payment, due_at = _payment(event, after), _told_at(event)
            if folded and payment is not None and after.api_keys[payment.key].sums_up_at <= event.at + MINUTE:
                folded, due_at = False, event.at + policy.notices.fold_m * MINUTE
            found.append(
                ev.NoticeFolded(event.at, tag_of(event), payment)
                if folded
                else ev.NoticeDue(event.at, number, tag_of(event), effect.notice, sent, about, due_at, payment)
            )
        if effect.ends is not Ends.NONE:
            ended |= {key: ev.SessionEnded(event.at, key) for key in _ended(event, after, asking)}
    return [*found, *ended.values()] if ended else found


def _sent_to(event: AnyEvent, after: Head) -> tuple[str, ...]:
    """Who is told of an event: everybody, but of a secrecy that is over only those who have no notice of their own."""
    everybody = told(after, event.at)
    if not isinstance(event, ev.LegalTold):
        return everybody
    return tuple(one for one in everybody if one not in event.known)


def _ended(event: AnyEvent, after: Head, asking: bytes) -> list[bytes]:
    """The sessions that end with an event."""
    if isinstance(event, ev.DeviceDisowned):
        return [key for key, session in after.sessions.items() if session.device == event.device]
    return [key for key in after.sessions if key != asking]


SECRECY: Final = frozenset({ev.LegalDisclosed, ev.LegalRejected, ev.EvidenceBurned})
"""What a secrecy order may hide for its time: that a disclosure was asked for or made, and what it burned."""


def _told_at(event: AnyEvent) -> Instant:
    """When the notice of an event goes out at the earliest, 0 for at once."""
    return event.told_at if isinstance(event, ev.LegalDisclosed | ev.LegalRejected | ev.EvidenceBurned) else 0


_DEPENDS: Final = frozenset(
    {
        ev.Frozen,
        ev.AuthenticatorBound,
        ev.SignInScored,
        ev.ContactConfirmed,
        ev.ChangeAsked,
        ev.LegalRejected,
        ev.ApiKeyCreated,
        ev.ApiKeyRevoked,
    }
)


def effect_of(event: AnyEvent) -> Effect:
    """The table's row, with the events whose effect depends on what they carry."""
    effect = EFFECTS[type(event)]
    if type(event) not in _DEPENDS:
        return effect
    if isinstance(event, ev.Frozen):
        return replace(effect, stops_keys=event.robbed)
    if isinstance(event, ev.AuthenticatorBound) and not event.confirmed:
        return _SILENT
    if isinstance(event, ev.SignInScored) and not event.cools:
        return _SILENT
    if isinstance(event, ev.ContactConfirmed) and not event.wait_ms:
        return _TIGHTER
    if isinstance(event, ev.ChangeAsked):
        return replace(effect, cools=CHANGES[event.kind].cools)
    if isinstance(event, ev.ApiKeyCreated) and ev.Scope.WITHDRAW in event.scopes:
        return replace(effect, cools=Severity.MILD)
    severe = (isinstance(event, ev.LegalRejected) and event.forged) or (
        isinstance(event, ev.ApiKeyRevoked) and event.leaked
    )
    if severe:
        return replace(effect, notice=Severity.SEVERE)
    return effect


def stopped_keys(after: Head, caused: Sequence[AnyEvent]) -> list[AnyEvent]:
    """What happens to API keys once it is said that somebody else was in: all are suspended, whoever made them.

    With them ends what waits because one asked for it, and the wait of one that was to go on. Each goes on as ever: by
    its owner's proof, and after its wait.
    """
    at = next((event.at for event in caused if effect_of(event).stops_keys), None)
    if at is None:
        return []
    alive = tuple(name for name, key in after.api_keys.items() if not key.suspended)
    stopped: list[AnyEvent] = [ev.ApiKeysStopped(at, alive)] if alive else []
    resuming = (name for name, one in after.changes.items() if one.kind is ChangeKind.RESUME_API_KEY)
    stopped += [ev.ChangeCancelled(at, name) for name in resuming]
    asked = [(name, held) for name, held in after.exits.items() if held.key]
    return [*stopped, *(one for name, held in asked for one in held.stopped(name, at))]


def _cool_off(number: str, event: AnyEvent, severity: Severity, policy: Policy) -> ev.CoolOffStarted:
    hours = policy.cool_offs
    senior_ms = (hours.senior_h if severity is Severity.SEVERE else hours.mild_senior_h) * HOUR
    if isinstance(event, ev.RecoveryFinished):
        senior_ms = max(senior_ms, event.cools_ms)
    others_ms = hours.others_h * HOUR
    return ev.CoolOffStarted(
        event.at, number, tag_of(event), severity, senior_ms, event.at + senior_ms, others_ms, event.at + others_ms
    )


_ASKS_FOR_CODE: Final = frozenset(
    {
        ev.ContactAdded,
        ev.ContactAsked,
        ev.ChallengeIssued,
        ev.AuthenticatorBound,
        ev.AuthenticatorAsked,
        ev.RecoveryOpened,
    }
)


def _code_for(event: AnyEvent) -> tuple[str, str]:
    """What a code is called and the one contact, or restricted authenticator, it must be sent to, if this asks so."""
    match event:
        case ev.ContactAdded(confirmed=False) | ev.ContactAsked() | ev.ChallengeIssued():
            return ev.CONTACT_CODE, event.contact
        case ev.AuthenticatorBound(confirmed=False, kind=AuthenticatorKind.SMS | AuthenticatorKind.EMAIL):
            return ev.AUTHENTICATOR_CODE, event.authenticator
        case ev.AuthenticatorAsked():
            return ev.AUTHENTICATOR_CODE, event.authenticator
        case ev.RecoveryOpened():
            return ev.RECOVERY_LINK, event.contact
        case _:
            return "", ""


def _repeats(
    event: AnyEvent, effect: Effect, about: tuple[About, ...], heads: tuple[Head | None, Head], policy: Policy
) -> bool:
    """Repeats of quiet news are folded together; never severe ones, those a wait depends on, or value that leaves.

    Nor what is set aside for a buyer, and that he has paid: each is the owner's last moment to stop it. What an API key
    pays by itself is a repeat if it goes to the same receiver, is worth no more than the payment that its owner was
    told of last, and with all that went unsaid since is worth no more than what that notice told. The next one says
    how much that was, and the first repeat has one made that sums up and goes out in any case.
    What is charged beyond a card payment is one until it has doubled.
    That an exit was let go once more, for its receipt was not spent, is no such news: a platform may ask every minute.
    """
    before, after = heads
    paid = _payment(event, after)
    if paid is not None:
        told, told_at = after.api_keys[paid.key].told, after.api_keys[paid.key].told_at
        if told is None or told.payee != paid.payee or told.micro_usd < paid.micro_usd:
            return False
        within = paid.more_micro_usd + paid.micro_usd <= told.micro_usd + told.more_micro_usd
        return within and event.at < told_at + policy.notices.fold_m * MINUTE
    if isinstance(event, ev.ExitExceeded):
        card = before.cards.get(event.exit) if before is not None else None
        return card is not None and not card.is_news(event.micro_usd)
    again = isinstance(event, ev.ExitAllowed) and before is not None and event.exit in before.unpaid
    leaves = isinstance(event, ev.ExitAllowed) and event.lane is not Lane.OWN and not again
    if effect.notice is not Severity.INFO or about or leaves or isinstance(event, ev.ExitLocked | ev.ExitPaid):
        return False
    last = after.folded.get(tag_of(event))
    return last is not None and event.at < last + policy.notices.fold_m * MINUTE


def _payment(event: AnyEvent, after: Head) -> ev.Payment | None:
    """What an API key paid by itself, and what unsaid; None if this is nothing of the kind."""
    if not isinstance(event, ev.ExitAllowed) or not event.key or event.lane is Lane.OWN:
        return None
    key, payee = after.api_keys[event.key], f"{event.beneficiary} {event.stranger}"
    return ev.Payment(event.key, payee, event.micro_usd, key.unsaid, key.unsaid_micro_usd)


def _pressed_again(event: AnyEvent, before: Head | None, policy: Policy) -> bool:
    """Whether the stop was pressed again soon, with nothing left that it could stop: the one severe news that folds.

    The press itself counts, for it disputes what was still waiting. But nobody learns anything from it, and each of a
    hundred presses of one link would be a message to every contact.
    """
    if not isinstance(event, ev.Frozen) or before is None or not before.frozen_at or before.changes:
        return False
    if any(one.may_be_stopped for one in before.exits.values()):
        return False
    return event.at < before.freezes[-1].pressed_at + policy.notices.fold_m * MINUTE


def told(head: Head, now: Instant) -> tuple[str, ...]:
    """Every contact that gets notices: confirmed ones, and replaced ones for their time; never a recycled one."""
    return tuple(key for key, contact in head.contacts.items() if _is_told(contact, now))


def _is_told(contact: Contact, now: Instant) -> bool:
    return contact.confirmed and not contact.recycled and (not contact.removed or contact.told_until > now)


def tag_of(event: AnyEvent) -> str:
    """The event's name in the log."""
    tag = type(event).__struct_config__.tag
    return str(tag)
