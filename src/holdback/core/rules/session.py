"""Signing in and out. A new device is a mild change: it cools what a stranger could drain (law 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from holdback.core import devices
from holdback.core import events as ev
from holdback.core.assurance import Level
from holdback.core.decision import Allow, Reason, why
from holdback.core.events import HOUR, MINUTE, AnyEvent, AuthenticatorKind, Finding
from holdback.core.rules.asking import OWNER, Action, Case, Request, Rule, Ruling, always, tightened

if TYPE_CHECKING:
    from holdback.core.state import Head, PartKey


class SessionStart(Action, frozen=True, tag="session.start"):
    """Sign in, by the strongest class of authenticator the account holds. A device's key that signs this is bound."""


class SessionEnd(Action, frozen=True, tag="session.end"):
    """Sign out: `which` is a session's public id, the asker's own if left out."""

    which: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")] | None = None


class SessionEndAll(Action, frozen=True, tag="session.end_all"):
    """Sign out everywhere, the asker included."""


def session_id(token: bytes) -> str:
    """The public id of a session: its token's hash."""
    return token.hex()


def _device(request: Request, _action: SessionStart, _peek: Head | None) -> tuple[PartKey, ...]:
    return (("device", request.context.device),) if request.context.device else ()


def _room(case: Case, _action: SessionStart) -> Finding | None:
    alive = [one for one in case.head.sessions.values() if one.ends_at() > case.now]
    return why(Reason.TOO_MANY, "session.end_all", about="sessions") if _full(case, len(alive)) else None


def _full(case: Case, alive: int) -> bool:
    return alive >= case.policy.sessions.open_max


def _start(case: Case, _action: SessionStart) -> Ruling:
    """A device that is not named counts as a new one each time: a missing signal never loosens (law 8)."""
    device = case.request.context.device
    quiet = devices.is_quiet(case.head, case.now)
    limits = case.policy.sessions
    until = case.now + limits.absolute_h * HOUR
    proved = tuple(AuthenticatorKind(proof.kind) for proof in case.proved)
    key = case.facts.device.thumbprint if case.facts.device else b""
    started = ev.SessionStarted(case.now, case.facts.token, device, proved, until, limits.idle_m * MINUTE, key)
    met: AnyEvent = ev.DeviceMet(case.now, device, case.request.context.user_agent, quiet)
    if devices.was_met(case.customer, device):
        known = devices.is_known(case.customer, device, case.policy, case.now)
        met = ev.DeviceSeen(case.now, device, quiet, known)
    return Ruling(Allow((why(Reason.PROVED),), session_id(case.facts.token)), (started, met))


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
        OWNER, _start, level=always(Level.SIGN_IN), objection=_room, parts=_device, loosens=False, anonymous=True
    ),
    SessionEnd: Rule(OWNER, _end, objection=_mine, loosens=False),
    SessionEndAll: Rule(OWNER, _end_all, loosens=False),
}
