"""The public form of an answer: what `POST /v1/accounts/{account}/actions` returns and the idempotency record keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from holdback.core.decision import Allow, Deny, Hold, Reason, StepUp
from holdback.wording.reasons import sentence
from holdback.wording.words import instant_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdback.core.decision import Decision
    from holdback.core.events import Finding


class ReasonForm(msgspec.Struct, frozen=True):
    """One reason: its code, a public sentence, what would satisfy it, until when it stands, what it is about."""

    code: str
    text: str
    satisfied_by: tuple[str, ...]
    until: str | None
    about: str


class HoldForm(msgspec.Struct, frozen=True):
    """What waits, and when it goes on if it is not stopped; null while that cannot be known."""

    id: str
    release_at: str | None


class ChallengeForm(msgspec.Struct, frozen=True):
    """What to prove: any one of `accept`, all its kinds together, before `expires_at`.

    `text` says what is confirmed by it, to show beside it. Where a passkey is accepted, `passkey` is what a browser's
    `PublicKeyCredential.parseRequestOptionsFromJSON` takes; its challenge is the SHA-256 of five lines: `holdback
    passkey 1`, the customer's id, this challenge's `id`, the action's digest in hex, and `nonce`. Where the key of an
    address is to sign, `message` is what it signs.
    """

    id: str
    accept: tuple[tuple[str, ...], ...]
    expires_at: str
    text: str = ""
    nonce: str | None = None
    passkey: dict[str, Any] | None = None
    message: str | None = None


class SessionForm(msgspec.Struct, frozen=True):
    """A new session's token, shown once, and when it ends at the latest; `recovery.open` gives one for that alone.

    `ath` is the token's digest for the claim of that name (RFC 9449), which is no secret.
    """

    token: str
    expires_at: str
    ath: str


class LeaseForm(msgspec.Struct, frozen=True):
    """What a caller may let orders of a pair give away by itself, for so many seconds from when it asked."""

    pair: str
    usd: str
    seconds: int
    until: str
    reference: str
    quote_usd: str


class AnswerForm(msgspec.Struct, frozen=True):
    """An answer. `decision` is allow, step_up, hold or deny; all four come with status 200.

    `id` names what an allowed action made, `usable_from` when it may be used, `customer` what a look-up shows.
    `receipt` is a compact JWS for the platform's signer. `policy` and `head` (hex) say under which policy and after
    which entry of the chain this was decided; a sign-in that proved nothing has no `head`. Of legal requests, `letter`
    is to be passed on to the agency, and `package` holds what was disclosed to it; only the agency opens either.
    """

    decision: str
    reasons: tuple[ReasonForm, ...]
    id: str | None = None
    usable_from: str | None = None
    hold: HoldForm | None = None
    challenge: ChallengeForm | None = None
    receipt: str | None = None
    session: SessionForm | None = None
    enrolment: dict[str, Any] | None = None
    customer: dict[str, Any] | None = None
    letter: str | None = None
    package: dict[str, Any] | None = None
    lease: LeaseForm | None = None
    policy: str = ""
    head: str = ""


def reason_form(finding: Finding) -> ReasonForm:
    """The public form of a finding."""
    until = instant_text(finding.until) if finding.until is not None else None
    return ReasonForm(finding.code, sentence(Reason(finding.code)), finding.satisfied_by, until, finding.about)


def answer_form(decision: Decision, policy: bytes, head: bytes, asked: str = "") -> AnswerForm:
    """The public form of a decision, without what is shown only once. `asked` says what a step-up would confirm."""
    reasons = tuple(map(reason_form, decision.findings))
    made, usable_from, hold, challenge = None, None, None, None
    match decision:
        case Allow():
            made = decision.id or None
            usable_from = instant_text(decision.usable_from) if decision.usable_from is not None else None
        case StepUp():
            challenge = ChallengeForm(
                decision.challenge, decision.accept, instant_text(decision.expires_at), str(asked)
            )
        case Hold():
            release_at = instant_text(decision.release_at) if decision.release_at is not None else None
            hold = HoldForm(decision.id, release_at)
        case Deny():
            pass
    name = str(type(decision).__struct_config__.tag)
    return AnswerForm(name, reasons, made, usable_from, hold, challenge, policy=policy.hex(), head=head.hex())


def shown_before(once: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of what was shown once, where a secret is among it that nobody is to be shown again."""
    enrolment = once.get("enrolment")
    if not enrolment:
        return dict(once)
    return {**once, "enrolment": {**enrolment, "secret": None, "text": SHOWN_BEFORE}}


SHOWN_BEFORE: Final = (
    "The secret was shown once, with the first answer. If it did not arrive, revoke this key and make another."
)


def answer_body(form: AnswerForm, once: Mapping[str, Any]) -> bytes:
    """The JSON of an answer with what is shown once: receipt, session, enrolment, a look-up."""
    return msgspec.json.encode(msgspec.structs.replace(form, **once) if once else form)
