"""What Holdback answers: Allow, StepUp, Hold or Deny. Fields this client does not know are passed over."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import msgspec

from holdback.client.errors import NotUnderstood

if TYPE_CHECKING:
    from holdback.client.calls import Call

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A moment, with its zone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """Why: a stable `code`, a public sentence, what would satisfy it, until when it stands, and what it is about."""

    code: str
    text: str = ""
    satisfied_by: tuple[str, ...] = ()
    until: Instant | None = None
    about: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Challenge:
    """What to prove: any one of `accept`, all its kinds together, before `expires_at`.

    `text` says what the owner confirms by it, for the page to show. `passkey` is what the browser's
    `PublicKeyCredential.parseRequestOptionsFromJSON` takes, if a passkey is accepted, and `nonce` what its challenge
    was made with.
    """

    id: str
    accept: tuple[tuple[str, ...], ...]
    expires_at: Instant
    text: str = ""
    nonce: str | None = None
    passkey: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """A new session: `token` is the owner's and shown once, `expires_at` when it ends at the latest.

    `ath` names the token without giving it away: the owner's page puts it into the proofs that its device signs.
    """

    token: str = field(repr=False)
    expires_at: Instant
    ath: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Enrolment:
    """A new authenticator, and what its owner is shown once to set it up.

    `passkey` is what the browser's `PublicKeyCredential.parseCreationOptionsFromJSON` takes. Of an API key the `secret`
    comes with the first answer alone: asked again under the same idempotency key it is None, and `text` says so.
    """

    authenticator: str
    otpauth_uri: str | None = field(default=None, repr=False)
    codes: tuple[str, ...] = field(default=(), repr=False)
    secret: str | None = field(default=None, repr=False)
    qr_svg: str | None = field(default=None, repr=False)
    passkey: dict[str, Any] | None = None
    text: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What all decisions share: reasons, most important first, and under which policy and chain head (hex)."""

    reasons: tuple[Reason, ...]
    policy: str
    head: str

    def __bool__(self) -> NoReturn:
        """Refuse to be taken for a yes, as `if holdback.ask(...)` would take a Deny."""
        raise TypeError("a decision is neither true nor false; compare its type")


@dataclass(frozen=True, kw_only=True, slots=True)
class Allow(Answer):
    """Go ahead. `receipt` is what the signer wants to see before value moves; None on a dry run.

    `id` names what was made, and `usable_from` says when, if it must ripen first. Of `session` and `enrolment` there is
    one where the action makes one.
    """

    id: str | None
    usable_from: datetime | None
    receipt: str | None = field(repr=False)
    session: Session | None
    enrolment: Enrolment | None


@dataclass(frozen=True, kw_only=True, slots=True)
class StepUp(Answer):
    """Prove more now. `Holdback.resume` asks the same question again, with proofs."""

    challenge: Challenge
    call: Call = field(repr=False, compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold(Answer):
    """Wait. `id` names what waits; `release_at` is when it goes on unless stopped, None while that is not known."""

    id: str
    release_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Deny(Answer):
    """No. The first reason says why, what would satisfy it and until when."""


Decision = Allow | StepUp | Hold | Deny


class _Held(msgspec.Struct, frozen=True):
    id: str
    release_at: Instant | None = None


class _Wire(msgspec.Struct, frozen=True):
    """The answer's body (design section 5)."""

    decision: str
    reasons: tuple[Reason, ...]
    id: str | None = None
    usable_from: Instant | None = None
    hold: _Held | None = None
    challenge: Challenge | None = None
    receipt: str | None = None
    session: Session | None = None
    enrolment: Enrolment | None = None
    policy: str = ""
    head: str = ""


_WIRE: Final = msgspec.json.Decoder(_Wire)


def decision(body: bytes, call: Call) -> Decision:
    """Read the answer to a call. Raises NotUnderstood on anything but one of the four decisions, complete."""
    try:
        wire = _WIRE.decode(body)
    except ValueError as error:
        raise NotUnderstood(f"this is no decision: {error}") from None
    match wire:
        case _Wire(decision="allow"):
            return Allow(
                reasons=wire.reasons,
                policy=wire.policy,
                head=wire.head,
                id=wire.id,
                usable_from=wire.usable_from,
                receipt=wire.receipt,
                session=wire.session,
                enrolment=wire.enrolment,
            )
        case _Wire(decision="step_up", challenge=Challenge() as challenge):
            return StepUp(reasons=wire.reasons, policy=wire.policy, head=wire.head, challenge=challenge, call=call)
        case _Wire(decision="hold", hold=_Held(id=held, release_at=release_at)):
            return Hold(reasons=wire.reasons, policy=wire.policy, head=wire.head, id=held, release_at=release_at)
        case _Wire(decision="deny"):
            return Deny(reasons=wire.reasons, policy=wire.policy, head=wire.head)
        case _:
            raise NotUnderstood(f"`{wire.decision[:32]}` is no decision this client knows, or lacks what belongs to it")
