"""Signing in and out. A new device is a mild change: it cools what a stranger could drain (law 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from holdback.core import devices
from holdback.core import events as ev
from holdback.core.assurance import CONTACT_CODE, Level, holder_of, senior_contact
from holdback.core.decision import Allow, Reason, why
from holdback.core.events import DAY, HOUR, MINUTE, AnyEvent, AuthenticatorKind, Finding, Instant
from holdback.core.profile import DEVICES, LEVELS, caught_up
from holdback.core.risk import Circumstances, Score, score
from holdback.core.rules.asking import (
    EVERYBODY,
    OWNER,
    SYSTEM,
    Action,
    Case,
    Doubt,
    Request,
    Rule,
    Ruling,
    denied,
    tightened,
)
from holdback.core.state import PROFILE

if TYPE_CHECKING:
    from holdback.core.state import Head, PartKey


class SessionStart(Action, frozen=True, tag="session.start"):
    """Sign in, by the strongest class of authenticator the account holds. A device's key that signs this is bound."""


class SessionEnd(Action, frozen=True, tag="session.end"):
    """Sign out: `which` is a session's public id, the asker's own if left out."""

    which: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")] | None = None


class SessionEndAll(Action, frozen=True, tag="session.end_all"):
    """Sign out everywhere, the asker included."""


class SessionFailures(Action, frozen=True, tag="session.failures"):
    """So many sign-ins failed in the window that began then. Only the system says so, once a window."""

    window_at: Instant
    failures: int
    networks: int
    first_at: Instant
    last_at: Instant


def session_id(token: bytes) -> str:
    """The public id of a session: its token's hash."""
    return token.hex()


def _wanted(request: Request, _action: SessionStart, _peek: Head | None) -> tuple[PartKey, ...]:
    return (PROFILE, ("device", request.context.device)) if request.context.device else (PROFILE,)


def _asked_of(case: Case, _action: SessionStart) -> Level:
    """Of the staff what money asks for: a passkey that has ripened, for a session is all that they act by."""
    return Level.SIGN_IN if case.head.member is None else Level.MONEY


def _may_come(case: Case, _action: SessionStart) -> Finding | None:
    """Whoever is not yet, or no longer, of the staff has nothing to sign in to."""
    member = case.head.member
    return why(Reason.NOT_ENTITLED, about="account") if member is not None and not member.roles else None


def _lasts(case: Case) -> tuple[Instant, int]:
    """When a session that starts now ends, and after how long unused: one of the staff's is short either way."""
    limits = case.policy.sessions
    if case.head.member is not None:
        whole = case.policy.staff.session_m * MINUTE
        return case.now + whole, whole
    return case.now + limits.absolute_h * HOUR, limits.idle_m * MINUTE


def _start(case: Case, _action: SessionStart) -> Ruling:
    """A device that is not named counts as a new one each time: a missing signal never loosens (law 8).

    That there is no room is said after the proof: before it, nothing of an account shows.
    """
    alive = [one for one in case.head.sessions.values() if one.ends_at() > case.now]
    if len(alive) >= case.policy.sessions.open_max:
        return denied(why(Reason.TOO_MANY, "session.end_all", about="sessions"))
    device = case.request.context.device
    quiet = devices.is_quiet(case.head, case.now)
    proved = tuple(AuthenticatorKind(proof.kind) for proof in case.proved if proof.kind != CONTACT_CODE)
    key = case.facts.device.thumbprint if case.facts.device else b""
    ends, network = _lasts(case), case.request.context.network
    started = ev.SessionStarted(case.now, case.facts.token, device, proved, *ends, key, network)
    met: AnyEvent = ev.DeviceMet(case.now, device, case.request.context.user_agent, quiet)
    if devices.was_met(case.customer, device):
        known = devices.is_known(case.customer, device, case.policy, case.now)
        met = ev.DeviceSeen(case.now, device, quiet, known)
    scored = _scored(case)
    asked_nobody = scored is not None and scored.raises(case.policy.risk) and _second_contact(case) is None
    findings = (why(Reason.PROVED), *(_unlike(scored) if scored is not None and asked_nobody else ()))
    return Ruling(Allow(findings, session_id(case.facts.token)), (started, met, *_learns(case, scored)))


def _learns(case: Case, scored: Score | None) -> tuple[AnyEvent, ...]:
    """What is kept of a sign-in that got in: its score, and what it looked like, to be learnt when it was quiet."""
    seen, risk = case.facts.seen, case.policy.risk
    if scored is None or seen is None:
        return ()
    unknown = (0,) * len(LEVELS)
    values = (*seen.address, *seen.browser)
    since, until = _doubted(case)
    half_life_ms, quiet_ms = risk.half_life_d * DAY, risk.quiet_d * DAY
    return (
        ev.SignInScored(case.now, scored.total, scored.terms, scored.raises(risk), scored.cools(risk)),
        ev.PlaceSeen(
            case.now,
            values if len(values) == len(unknown) else unknown,
            _familiar(case),
            quiet_ms,
            half_life_ms,
            until,
            since,
        ),
    )


def _doubts(case: Case, _action: SessionStart) -> Doubt | None:
    """Ask whoever signs in unlike the owner for a code sent to a senior contact that took no part so far.

    Where there is no such contact nothing more can be asked; the answer says so, and money has its own proofs.
    """
    scored, contact = _scored(case), _second_contact(case)
    if contact is None:
        return None
    if scored is None:
        unsaid = (why(Reason.UNLIKE_OWNER, CONTACT_CODE), why(Reason.RISK_MISSING, about="place"))
        return Doubt(contact, unsaid) if case.policy.signals.place == "step_up" else None
    if not scored.raises(case.policy.risk):
        return None
    told = ev.SignInScored(case.now, scored.total, scored.terms, raised=True, cools=False)
    return Doubt(contact, _unlike(scored), (told,))


def _unlike(scored: Score) -> tuple[Finding, ...]:
    """The reasons of a score: that it is one, and each term that speaks against the owner, the largest first."""
    against = [Reason(f"risk_{term.feature}") for term in scored.terms if term.centinats > 0]
    return (why(Reason.UNLIKE_OWNER, CONTACT_CODE), *(why(one) for one in dict.fromkeys(against)))


def _scored(case: Case) -> Score | None:
    """How unlike the owner this sign-in is; None if nothing was said of where it comes from."""
    seen, risk, head = case.facts.seen, case.policy.risk, case.head
    if seen is None:
        return None
    since, until = _doubted(case)
    profile = caught_up(case.customer.profile, case.now, until, risk.half_life_d * DAY, since)
    tries = max(head.failures, case.facts.tries)
    bound = [head.authenticators[one.authenticator].bound_at for one in case.proved if one.kind != CONTACT_CODE]
    return score(profile, Circumstances(case.now, seen, _familiar(case), tries, max(bound)), risk)


def _doubted(case: Case) -> tuple[Instant, Instant]:
    """From when to when the owner's stops lasted that ended since the last sign-in, which looked at those before it.

    Who says that a device is a stranger's presses it with that. Whoever signs in while one lasts may be the thief.
    """
    last_at = case.customer.profile.last_at
    stops = [(one.frozen_at, one.thawed_at or case.now) for one in case.head.freezes]
    lately = [stop for stop in stops if stop[1] >= last_at]
    return (lately[0][0], lately[-1][1]) if lately else (0, 0)


def _familiar(case: Case) -> int:
    """How well the device is known, as a place in `DEVICES`; one that is not named counts as new."""
    device = case.request.context.device
    if devices.is_known(case.customer, device, case.policy, case.now):
        return DEVICES.index("trusted")
    return DEVICES.index("known" if devices.was_met(case.customer, device) else "new")


def _second_contact(case: Case) -> str | None:
    """A senior contact that rests on nothing that was shown: a mailbox is one factor, however often it is asked."""
    asking = frozenset(holder_of(case.head, one) for one in case.proved if one.kind != CONTACT_CODE)
    return senior_contact(case.head, asking, case.policy, case.now)


def _failures(case: Case, action: SessionFailures) -> Ruling:
    """Whoever counted may die between telling and forgetting, and tell again: the second time changes nothing."""
    harmless = Allow((why(Reason.NO_HARM),))
    if action.window_at in case.head.failed_windows:
        return Ruling(harmless)
    failed = ev.SignInsFailed(
        case.now, action.window_at, action.failures, action.networks, action.first_at, action.last_at
    )
    return Ruling(harmless, (failed,))


def _mine(case: Case, action: SessionEnd) -> Finding | None:
    return None if _which(case, action) in case.head.sessions else why(Reason.NOT_FOUND, about="which")


def _which(case: Case, action: SessionEnd) -> bytes:
    return case.request.actor.session if action.which is None else bytes.fromhex(action.which)


def _end(case: Case, action: SessionEnd) -> Ruling:
    return tightened(ev.SessionEnded(case.now, _which(case, action)))


def _end_all(case: Case, _action: SessionEndAll) -> Ruling:
    return tightened(*(ev.SessionEnded(case.now, key) for key in case.head.sessions))


RULES: dict[type[Action], Rule] = {
    SessionStart: Rule(
        OWNER,
        _start,
        level=_asked_of,
        objection=_may_come,
        parts=_wanted,
        loosens=False,
        anonymous=True,
        doubts=_doubts,
        streams=EVERYBODY,
    ),
    SessionEnd: Rule(OWNER, _end, objection=_mine, loosens=False, streams=EVERYBODY),
    SessionEndAll: Rule(OWNER, _end_all, loosens=False, streams=EVERYBODY),
    SessionFailures: Rule(SYSTEM, _failures, loosens=False, streams=EVERYBODY),
}
