"""Coming back after everything was lost: evidence, a wait in which others may object, and a new password (law 7).

A case belongs to whoever opened it, by a token that only they were given. Nothing in here lets anybody of the staff
choose a secret, and nothing shortens a wait that was announced. What an owner in possession of the account, or of a
contact that predates the case, says against it counts for more than what was shown for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec.structs import replace

from holdback.core import devices
from holdback.core import events as ev
from holdback.core.assurance import CLASS, CONTACT_CODE, Level, holder_of, spent
from holdback.core.decision import Allow, EvidenceFact, Reason, StepUp, why
from holdback.core.events import (
    DAY,
    HOUR,
    MINUTE,
    ActorKind,
    AnyEvent,
    AuthenticatorKind,
    Channel,
    Destination,
    Ending,
    Finding,
    Role,
    Sealed,
)
from holdback.core.evidence import (
    BURNABLE,
    BY_STAFF,
    DOUBTED,
    EVIDENCE,
    GUESSABLE,
    JUDGED,
    SIGNATURE,
    WAYS,
    EvidenceClass,
    Path,
    is_burned,
    is_enrolled,
    next_word,
    of_class,
    path_of,
    predates,
    wait_ms,
)
from holdback.core.rules import password
from holdback.core.rules.address import beneficiary_name
from holdback.core.rules.asking import (
    OWNER,
    OWNER_OR_LINK,
    OWNER_OR_STAFF,
    OWNER_PLATFORM_OR_STAFF,
    STAFF,
    SYSTEM,
    Action,
    Amount,
    Case,
    Id,
    Money,
    Network,
    Request,
    Rule,
    Ruling,
    denied,
    tightened,
)
from holdback.core.rules.exit import Asset, ExitRequest, Kind, evacuate, request_parts
from holdback.core.rules.standing import lacking, standing
from holdback.core.seniority import beneficiary_is_long_used, contact_is_senior
from holdback.core.staffing import lacks_role
from holdback.core.state import Shown
from holdback.core.texting import texted_again_at

if TYPE_CHECKING:
    from holdback.core.decision import Proof
    from holdback.core.events import Instant
    from holdback.core.state import Head, PartKey, Recovery


class RecoveryOpen(Action, frozen=True, tag="recovery.open"):
    """Say that you are the owner and what you lost. Starts no clock; every contact is told.

    Staff ask for an owner who cannot, for a ticket and with a reason: what it goes on with is sent to an old contact.
    """

    lost: Annotated[tuple[AuthenticatorKind, ...], msgspec.Meta(min_length=1, max_length=6)]
    ticket: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{0,64}\Z")] = ""
    reason: Sealed | None = None


class RecoveryEvidence(Action, frozen=True, tag="recovery.evidence"):
    """Show one piece of evidence. Codes go to the oldest contact on `channel`; push passes through the platform.

    `address` and `network` name the address whose key signs the challenge's message. `verdict` is what a member of
    staff says of what was shown to him: of a person who came, of a document, of a payment from the owner's bank.
    `which` is the case that is meant; another that took its place meanwhile is refused.
    """

    kind: Literal[
        "totp",
        "passkey",
        "backup_code",
        "device",
        "contact_code",
        "bank_round_trip",
        "address_signature",
        "in_person",
        "face",
        "id_document",
    ]
    channel: Channel = Channel.EMAIL
    network: Network | None = None
    address: Destination | None = None
    verdict: Literal["right", "wrong"] | None = None
    which: Id | None = None


class RecoveryReview(Action, frozen=True, tag="recovery.review"):
    """A drawn reviewer's verdict, with a reason. One rejection ends the case.

    `which` is the case that he read; another that took its place meanwhile is refused.
    """

    verdict: Literal["approve", "reject"]
    reason: Sealed
    which: Id | None = None


class RecoveryContest(Action, frozen=True, tag="recovery.contest"):
    """Object to a recovery, by a session or the link in a notice. Costs no proof."""


class RecoveryCancel(Action, frozen=True, tag="recovery.cancel"):
    """End a recovery: by the strongest senior proof, whatever was shown for it, or as the one who opened it."""


class RecoveryFinish(Action, frozen=True, tag="recovery.finish"):
    """Choose a new password once the wait is over. A code to a contact that predates the case is asked for.

    With an `address` nothing is handed over: instead of the account, so much is paid to a beneficiary that was senior
    before the case was opened, as an exit is, and the case stays open.
    """

    password: Sealed | None = None
    address: Destination | None = None
    network: Network | None = None
    kind: Kind | None = None
    asset: Asset | None = None
    amount: Amount | None = None
    usd: Money | None = None
    memo: Sealed | None = None


class EvidenceBurn(Action, frozen=True, tag="evidence.burn"):
    """Say that others know these kinds of evidence; they prove nothing for this account for a long time."""

    kinds: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=16)]
    cause: Literal["leak", "owner", "unexplained_read"]


class RecoveryRemind(Action, frozen=True, tag="recovery.remind"):
    """Tell everybody once more of a recovery that is under way, or that it expired. Holdback itself asks it."""


def _openable(case: Case, action: RecoveryOpen) -> Finding | None:
    """One at a time. What shows less is replaced sooner, so that nobody blocks another by opening first.

    Each opening rings at every contact, so they keep a distance that a stranger cannot shorten.
    """
    by_staff = case.request.actor.kind is ActorKind.STAFF
    refusal = _may_ask_for_owner(case, action) if by_staff else None
    if refusal is not None:
        return refusal
    if not by_staff and (action.ticket or action.reason is not None):
        return why(Reason.BAD_FIELD, about="ticket")
    numbers, old = case.policy.recovery, case.recovery
    if old is not None and (old.path == Path.CODES or _rests_on_proof(case, old)):
        until = old.last_at + numbers.expires_d * DAY
        return why(Reason.ALREADY_EXISTS, "recovery.contest", until=until, about="recovery")
    free_at = (old.opened_at if old is not None else case.head.recovery_ended_at) + numbers.reopen_m * MINUTE
    if old is not None and old.shown:
        free_at = old.last_at + numbers.replaced_h * HOUR
    return why(Reason.TOO_MANY, "time", until=free_at, about="recoveries") if case.now < free_at else None


def _may_ask_for_owner(case: Case, action: RecoveryOpen) -> Finding | None:
    """Support asks, for a ticket, with a reason, and only where an old contact is left to send the way on to."""
    refusal = lacks_role(case.facts, Role.SUPPORT)
    if refusal is not None or action.reason is None:
        return refusal or why(Reason.BAD_FIELD, about="reason")
    if case.head.tickets.get(action.ticket, 0) <= case.now:
        return why(Reason.TICKET_REQUIRED, "ticket", about="ticket")
    contact = _old_contact(case, case.now, *case.policy.notices.independent)
    lacking = contact is None or case.facts.link is None
    return why(Reason.NO_SENIOR_CONTACT, "recovery.open", about="recovery") if lacking else None


def _rests_on_proof(case: Case, recovery: Recovery) -> bool:
    """Whether something was shown that a thief of data and mailboxes does not have, and that still says so."""
    shown = standing(case, recovery)
    return bool(of_class(shown, EvidenceClass.POSSESSION) or of_class(shown, EvidenceClass.THIRD_PARTY))


def _open(case: Case, action: RecoveryOpen) -> Ruling:
    """Whoever of the staff asked for it is not drawn to judge it, and does not see its token."""
    name, lost = f"r{case.seq}", tuple(dict.fromkeys(action.lost))
    events: list[AnyEvent] = []
    if case.head.recovery is not None:
        events += _ended(case, case.head.recovery, Ending.REPLACED if case.recovery else Ending.EXPIRED)
    asker, contact, link = _asker(case, action), "", None
    if asker.staff:
        contact, link = _old_contact(case, case.now, *case.policy.notices.independent) or "", case.facts.link
    drawn = tuple(member for member in case.facts.drawn if member != asker.staff)
    doubted_until = case.head.doubted_at + case.policy.recovery.expires_d * DAY if case.head.doubted_at else 0
    doubted = case.now < doubted_until  # else whoever was found out would close his case and open another
    events.append(ev.RecoveryOpened(case.now, name, lost, case.facts.token, drawn, asker, contact, link, doubted))
    return Ruling(Allow((why(Reason.EVIDENCE_REQUIRED, "recovery.evidence"),), name), tuple(events))


def _asker(case: Case, action: RecoveryOpen) -> ev.Asker:
    """Who asks, as far as is known: the owner is told of it if it comes to nothing."""
    context, seen, staff = case.request.context, case.facts.seen, case.facts.staff
    if case.request.actor.kind is ActorKind.STAFF and staff is not None:
        return ev.Asker(case.now, staff=staff.member, ticket=action.ticket)
    return ev.Asker(case.now, context.ip, context.user_agent, seen.country if seen is not None else "")


def _ended(case: Case, recovery: Recovery, how: Ending) -> list[AnyEvent]:
    """The end of a case that came to nothing, and with it of every payment that waits by its word."""
    shown = tuple(one.evidence for one in recovery.shown)
    ended = ev.RecoveryEnded(case.now, recovery.id, case.request.actor, how, recovery.asker, shown)
    return [ended, *(ev.ExitCancelled(case.now, key) for key in _payments(case, recovery))]


def _payments(case: Case, recovery: Recovery) -> list[str]:
    """The exits that wait because this case asked for them."""
    return [key for key, held in case.head.exits.items() if held.recovery == recovery.id]


def _mine(case: Case, _action: Action) -> Finding | None:
    """A case goes on only for whoever opened it."""
    return None if case.opened_it else why(Reason.NOT_FOUND, "recovery.open", about="recovery")


def _recovery(case: Case) -> Recovery:
    recovery = case.recovery
    assert recovery is not None  # noqa: S101 - every rule that gets here objects without one
    return recovery


def _kind(action: RecoveryEvidence) -> str:
    return f"{action.channel}_code" if action.kind == CONTACT_CODE else action.kind


def _showable(case: Case, action: RecoveryEvidence) -> Finding | None:
    kind = _kind(action)
    fault = _judgeable(case, action) if case.request.actor.kind is ActorKind.STAFF else _mine(case, action)
    unfit = _unfit_field(case, action)
    if fault is not None or unfit:
        return fault or why(Reason.BAD_FIELD, about=unfit)
    recovery = _recovery(case)
    if _is_another(recovery, action):
        return why(Reason.NOT_FOUND, about="which")
    if recovery.path:
        return why(Reason.EVIDENCE_CLOSED, "recovery.finish", about="evidence")
    if is_burned(case.head, kind, case.now):
        return why(Reason.EVIDENCE_BURNED, "recovery.evidence", until=case.head.burned[kind], about=kind)
    spent_tries = _spent_tries(case) if kind in GUESSABLE else None
    if spent_tries is not None:
        return spent_tries
    if any(one.evidence == kind for one in recovery.shown):
        return why(Reason.ALREADY_EXISTS, about=kind)
    if kind in JUDGED and _judgement(case, action) is None:
        return why(Reason.EVIDENCE_NOT_EVALUATED, about=kind)
    if kind == DOUBTED and not is_enrolled(case.head, recovery, case.policy):
        return why(Reason.EVIDENCE_TOO_NEW, about=kind)
    return None


def _unfit_field(case: Case, action: RecoveryEvidence) -> str:
    """The field that is missing, or does not belong to this kind or to whoever asks; "" if all fit."""
    by_staff = case.request.actor.kind is ActorKind.STAFF
    if _kind(action) not in EVIDENCE:
        return "channel"
    if by_staff and action.kind not in BY_STAFF:
        return "kind"
    if by_staff is (action.verdict is None):
        return "verdict"
    signed = action.kind == SIGNATURE
    if signed is (action.address is None):
        return "address"
    return "network" if signed is (action.network is None) else ""


def _judgeable(case: Case, _action: RecoveryEvidence) -> Finding | None:
    """Support and reviewers say what they saw; never who judges the whole, asked for it, or is involved."""
    recovery, staff = case.recovery, case.facts.staff
    if recovery is None:
        return why(Reason.NOT_FOUND, about="recovery")
    refusal = lacks_role(case.facts, Role.SUPPORT, Role.REVIEWER)
    if refusal is not None or staff is None:
        return refusal
    asked = recovery.asker is not None and recovery.asker.staff == staff.member
    if asked or staff.involved or staff.member in recovery.drawn:
        return why(Reason.NOT_ENTITLED, Role.SUPPORT, Role.REVIEWER, about="involved")
    return None


def _judgement(case: Case, action: RecoveryEvidence) -> EvidenceFact | None:
    """What somebody outside says of a piece of evidence: a member of staff, or a provider; None if nobody did."""
    staff, kind = case.facts.staff, _kind(action)
    if case.request.actor.kind is ActorKind.STAFF and staff is not None:
        return EvidenceFact(kind, action.verdict == "right", staff.member)
    fact = case.facts.evidence
    return fact if fact is not None and fact.kind == kind else None


def _evidence(case: Case, action: RecoveryEvidence) -> Ruling:
    """Right evidence is kept, wrong evidence counted; the second possession proof closes the evidence at once."""
    kind = _kind(action)
    if action.kind == CONTACT_CODE:
        contact = _old_contact(case, _recovery(case).opened_at, action.channel)
        if contact is None:
            return denied(why(Reason.EVIDENCE_TOO_NEW, about=kind))
        return _by_code(case, kind, contact)
    if kind == SIGNATURE:
        return _by_signature(case, action)
    if kind in JUDGED:
        fact = _judgement(case, action)
        if fact is None or not fact.right:
            return _found_wrong(case, kind, fact)
        return _shown(case, kind, kind, kind.encode(), judged_by=fact.judged_by)
    return _by_device(case) if kind == "device" else _by_authenticator(case, kind)


def _found_wrong(case: Case, kind: str, fact: EvidenceFact | None) -> Ruling:
    """A verdict that something is wrong: of the staff it is what they were asked for, so it is taken and kept."""
    by_staff = case.request.actor.kind is ActorKind.STAFF
    doubt = _doubted(case, fact) if fact is not None and (kind == DOUBTED or by_staff) else None
    if doubt is not None and by_staff:
        told = Allow((why(Reason.EVIDENCE_WRONG, "recovery.review", about=kind),), _recovery(case).id)
        return Ruling(told, () if _recovery(case).doubted else doubt.events)
    return doubt if doubt is not None and not _recovery(case).doubted else _missed(case, kind)


def _by_signature(case: Case, action: RecoveryEvidence) -> Ruling:
    """The key of an address that was paid for long when the case was opened signs the message of a challenge.

    What the book holds is told to nobody before: whichever address is named, a message is given to sign.
    """
    challenge = case.head.challenges.get(case.request.challenge)
    if challenge is None:
        return _ask(case, (SIGNATURE,), "")
    name = beneficiary_name(action.network or "", action.address)
    entry = case.customer.beneficiary(name)
    signed = [
        one
        for one in case.facts.proofs
        if one.kind == SIGNATURE and one.right and one.authenticator == name and one.digest == case.facts.digest
    ]
    opened_at = _recovery(case).opened_at
    if entry is None or not signed or not beneficiary_is_long_used(case.head, entry, case.policy, opened_at):
        return _missed(case, SIGNATURE)
    return _shown(case, SIGNATURE, name, name.encode(), ev.ChallengeClosed(case.now, case.request.challenge))


def _by_device(case: Case) -> Ruling:
    """The key of a device that counted as the owner's before the case."""
    signed, device = case.facts.device, case.request.context.device
    known = devices.is_known(case.customer, device, case.policy, _recovery(case).opened_at)
    if signed is None or signed.wrong or not known:
        return _missed(case, "device")
    return _shown(case, "device", device, signed.thumbprint)


def _by_authenticator(case: Case, kind: str) -> Ruling:
    recovery, head = _recovery(case), case.head
    good = {
        name
        for name, one in head.authenticators.items()
        if one.kind == kind and not one.suspended and predates(head, recovery.opened_at, one)
    }
    challenge = head.challenges.get(case.request.challenge)
    if kind == AuthenticatorKind.PASSKEY and challenge is None:
        return _ask(case, (kind,), "") if good else denied(why(Reason.EVIDENCE_TOO_NEW, about=kind))
    for proof in case.facts.proofs:
        fits = proof.kind == kind and proof.right and proof.digest == case.facts.digest
        if fits and proof.authenticator in good and not spent(head, proof):
            used: list[AnyEvent] = [ev.ProofUsed(case.now, proof.authenticator, proof.counter, proof.backed_up)]
            used += [ev.ChallengeClosed(case.now, case.request.challenge)] if challenge is not None else []
            holder = head.authenticators[proof.authenticator].holder
            return _shown(case, kind, proof.authenticator, holder, *used)
    return _missed(case, kind)


def _old_contact(case: Case, opened_at: Instant, *channels: Channel) -> str | None:
    """The oldest contact on a channel that predates the case, is unchanged, and can be told."""
    for key, one in case.head.contacts.items():
        if one.channel in channels and not one.removed and predates(case.head, opened_at, one):
            return key
    return None


def _by_code(case: Case, kind: str, contact: str) -> Ruling:
    proof = _code(case, contact)
    if proof is None and not case.facts.proofs:
        return _ask(case, (CONTACT_CODE,), contact)
    if proof is None:
        return _missed(case, kind)
    holder = case.head.contacts[contact].address.mac
    return _shown(case, kind, contact, holder, ev.ChallengeClosed(case.now, case.request.challenge))


def _code(case: Case, contact: str) -> Proof | None:
    """The right code that was sent to a contact for the challenge that is named."""
    challenge = case.head.challenges.get(case.request.challenge)
    if challenge is None or challenge.contact != contact:
        return None
    for proof in case.facts.proofs:
        fits = proof.kind == CONTACT_CODE and proof.authenticator == contact and proof.right
        if fits and proof.digest == case.facts.digest:
            return proof
    return None


def _ask(case: Case, kinds: tuple[str, ...], contact: str) -> Ruling:
    """A challenge, made anew each time; strangers make nobody's telephone ring more often than the policy says."""
    recovery, limits = _recovery(case), case.policy.step_up
    lately = [at for at in recovery.asked_at if at > case.now - HOUR]
    again_at = max((at + limits.code_again_m * MINUTE for at in lately), default=0)
    if len(lately) >= limits.codes_per_h:
        again_at = max(again_at, lately[0] + HOUR)
    if contact and case.head.contacts[contact].channel is Channel.SMS:
        again_at = max(again_at, texted_again_at(case.head, case.policy, case.now, stranger=True))
    if case.now < again_at:
        return denied(why(Reason.TOO_MANY, "time", until=again_at, about="codes"))
    key, until = f"s{case.seq}", case.now + limits.challenge_m * MINUTE
    closed: list[AnyEvent] = [
        ev.ChallengeClosed(case.now, old)
        for old, one in case.head.challenges.items()
        if one.digest == case.facts.digest or one.until <= case.now
    ]
    issued = ev.ChallengeIssued(case.now, key, case.facts.digest, (kinds,), until, contact)
    asked = ev.RecoveryAsked(case.now, recovery.id, key, contact)
    decision = StepUp((why(Reason.PROOF_REQUIRED, *kinds, until=until),), key, (kinds,), until)
    return Ruling(decision, (*closed, issued, asked))


def _shown(case: Case, kind: str, source: str, holder: bytes, *used: AnyEvent, judged_by: str = "") -> Ruling:
    recovery = _recovery(case)
    piece = ev.RecoveryShown(case.now, recovery.id, kind, source, holder, judged_by)
    shown = (*recovery.shown, Shown(kind, source, holder))
    if path_of(shown) is not Path.TWO_POSSESSIONS:
        return Ruling(Allow((why(Reason.EVIDENCE_REQUIRED, "recovery.evidence", "recovery.finish"),)), (*used, piece))
    closed = _closing(case, shown)
    waits = why(Reason.RECOVERY_WAITS, "time", until=closed.until)
    return Ruling(Allow((waits,), usable_from=closed.until), (*used, piece, closed))


def _missed(case: Case, kind: str) -> Ruling:
    """Wrong evidence. A guess is told, and counts against everybody's; what cannot be guessed leaves no trace.

    Else whoever opened a case could fill the log, or use up what the owner needs.
    """
    wrong = denied(why(Reason.EVIDENCE_WRONG, "recovery.evidence", about=kind))
    missed = ev.RecoveryMissed(case.now, _recovery(case).id, kind)
    return replace(wrong, events=(missed,)) if kind in GUESSABLE or kind == CONTACT_CODE else wrong


def _doubted(case: Case, fact: EvidenceFact) -> Ruling:
    """Evidence that did not pass where that says something: told once a case, and nothing goes without people then."""
    doubt = ev.RecoveryDoubted(case.now, _recovery(case).id, fact.kind, fact.judged_by)
    return replace(denied(why(Reason.EVIDENCE_WRONG, "recovery.evidence", about=fact.kind)), events=(doubt,))


def _spent_tries(case: Case) -> Finding | None:
    """Why nothing that can be guessed is taken now: a day's wrong evidence, in whatever case, has used up its tries.

    A stranger may use them up. What cannot be guessed is taken all the same.
    """
    lately = [at for at in case.head.recovery_missed if at > case.now - DAY]
    most = case.policy.recovery.missed_max
    return why(Reason.TOO_MANY, "time", until=lately[-most] + DAY, about="tries") if len(lately) >= most else None


def _closing(case: Case, shown: tuple[Shown, ...]) -> ev.RecoveryClosed:
    """Evidence closes: its path and its wait are fixed, as an instant."""
    recovery, path = _recovery(case), path_of(shown)
    wait = wait_ms(case.head, path, case.policy, case.now, contested=recovery.contested)
    return ev.RecoveryClosed(case.now, recovery.id, path, wait, case.now + wait)


def _is_another(recovery: Recovery, action: RecoveryEvidence | RecoveryReview) -> bool:
    """Whether a case is not the one that was meant: anybody may open one in the place of another."""
    return action.which not in {None, recovery.id}


def _reviewable(case: Case, action: RecoveryReview) -> Finding | None:
    """Only who was drawn, in that role, and never whoever is involved."""
    recovery, staff = case.recovery, case.facts.staff
    if recovery is None or _is_another(recovery, action):
        return why(Reason.NOT_FOUND, about="recovery" if recovery is None else "which")
    if staff is None or Role.REVIEWER not in staff.roles or staff.member not in recovery.drawn or staff.involved:
        return why(Reason.NOT_DRAWN, Role.REVIEWER)
    return why(Reason.ALREADY_EXISTS, about="review") if staff.member in recovery.approved else None


def _review(case: Case, action: RecoveryReview) -> Ruling:
    recovery, staff = _recovery(case), case.facts.staff
    assert staff is not None  # noqa: S101 - `_reviewable` objects without
    approved = action.verdict == "approve"
    events: list[AnyEvent] = [] if recovery.path else [_closing(case, recovery.shown)]
    events.append(ev.RecoveryReviewed(case.now, recovery.id, staff.member, approved))
    if not approved:
        events += _ended(case, recovery, Ending.REJECTED)
        return tightened(*events, id=recovery.id)
    return Ruling(Allow((why(Reason.RECOVERY_WAITS, "time"),), recovery.id), tuple(events))


def objections(case: Case) -> list[AnyEvent]:
    """What it does to a recovery that its owner objects, by a session, a link or the stop itself.

    A contact that is senior ends it, unless it rests on two things held, or on a third party's word where nothing else
    would do: else whoever reads a mailbox could block the owner for ever. Anyone else contests: the first time doubles
    the wait (law 10), also of payments that were asked for and still wait.
    """
    recovery, actor = case.recovery, case.request.actor
    if recovery is None:
        return []
    contact = case.head.contacts.get(actor.contact) if actor.kind is ActorKind.LINK else None
    senior = contact is not None and contact_is_senior(case.head, contact, recovery.opened_at)
    path = path_of(recovery.shown)
    third = WAYS[path].third_party and bool(of_class(recovery.shown, EvidenceClass.THIRD_PARTY))
    if senior and path is not Path.TWO_POSSESSIONS and not third:
        return _ended(case, recovery, Ending.VETOED)
    if recovery.contested:
        return []
    wait = recovery.wait
    # A wait that is over was nobody's time to object in: one that follows an objection begins with it.
    length, until = (wait.length_ms * 2, max(case.now, wait.until) + wait.length_ms) if wait is not None else (0, 0)
    moved = [ev.ExitMoved(case.now, key, until) for key in _payments(case, recovery)]
    return [ev.RecoveryContested(case.now, recovery.id, actor, length, until), *moved]


def _contestable(case: Case, _action: Action) -> Finding | None:
    if case.recovery is None:
        return why(Reason.NOT_FOUND, about="recovery")
    if case.request.actor.kind is not ActorKind.LINK:
        return None
    contact = case.head.contacts.get(case.request.actor.contact)
    told = contact is not None and contact.confirmed and not contact.recycled
    return None if told else why(Reason.FREEZE_RIGHT_LOST, "contact.confirm")


def _contest(case: Case, _action: RecoveryContest) -> Ruling:
    return tightened(*objections(case))


def _cancellable(case: Case, _action: RecoveryCancel) -> Finding | None:
    return why(Reason.NOT_FOUND, about="recovery") if case.recovery is None else None


def _cancelling(case: Case, _action: RecoveryCancel) -> Level:
    """Whoever opened it takes his own word back; anybody else ends it by full proof."""
    return Level.NONE if case.opened_it else Level.CHANGE


def _cancel(case: Case, _action: RecoveryCancel) -> Ruling:
    how = Ending.WITHDRAWN if case.opened_it else Ending.CANCELLED
    return tightened(*_ended(case, _recovery(case), how))


def _remind(case: Case, _action: RecoveryRemind) -> Ruling:
    """What is due now is told, whenever it is asked; nothing else is."""
    recovery = case.head.recovery
    if recovery is None:
        return denied(why(Reason.NOT_FOUND, about="recovery"))
    due_at = next_word(recovery, case.policy)
    if case.now < due_at:
        return denied(why(Reason.NOT_YET_DUE, "time", until=due_at, about="recovery"))
    if case.recovery is None:
        return Ruling(Allow((why(Reason.NO_HARM),), recovery.id), tuple(_ended(case, recovery, Ending.EXPIRED)))
    wait = recovery.wait
    waits = wait is not None and case.now < wait.until
    until = wait.until if wait is not None and waits else recovery.last_at + case.policy.recovery.expires_d * DAY
    return Ruling(
        Allow((why(Reason.NO_HARM),), recovery.id), (ev.RecoveryReminded(case.now, recovery.id, waits, until),)
    )


def payment(action: RecoveryFinish) -> ExitRequest | None:
    """What is to be paid instead of handing the account over; None if that is not what is asked."""
    if action.address is None or action.asset is None or action.amount is None:
        return None
    return ExitRequest(
        action.kind or "withdrawal", action.asset, action.amount, action.usd, action.address, action.network
    )


def _finishable(case: Case, action: RecoveryFinish) -> Finding | None:
    """A password, or a whole payment, and nothing beside."""
    mine = _mine(case, action)
    if mine is not None:
        return mine
    if payment(action) is not None:
        return why(Reason.BAD_FIELD, about="password") if action.password is not None else None
    needed = {"address": action.address, "asset": action.asset, "amount": action.amount}
    if any(one is not None for one in (*needed.values(), action.network, action.kind, action.usd)):
        return why(Reason.BAD_FIELD, about=next(name for name, one in needed.items() if one is None))
    return why(Reason.BAD_FIELD, about="password") if action.password is None else None


def _finish(case: Case, action: RecoveryFinish) -> Ruling:
    """The first try fixes the wait; the last one replaces the password, and removes or suspends what was lost."""
    recovery = _recovery(case)
    used: list[AnyEvent] = []
    if not any(one.evidence == "in_person" for one in recovery.shown):
        contact = _old_contact(case, recovery.opened_at, *case.policy.notices.independent)
        if contact is None:
            return denied(why(Reason.NO_SENIOR_CONTACT, "recovery.evidence", about="in_person"))
        spent_tries = _spent_tries(case)
        if spent_tries is not None:
            return denied(spent_tries)
        if _code(case, contact) is None:
            return _missed(case, CONTACT_CODE) if case.facts.proofs else _ask(case, (CONTACT_CODE,), contact)
        used.append(ev.ChallengeClosed(case.now, case.request.challenge))
    if not recovery.path:
        closed = _closing(case, standing(case, recovery))
        first = lacking(case, recovery, Path(closed.path)) or why(Reason.RECOVERY_WAITS, "time", until=closed.until)
        return replace(denied(first), events=(*used, closed))
    refusal = lacking(case, recovery, Path(recovery.path)) or _waiting(case)
    if refusal is not None:
        return replace(denied(refusal), events=tuple(used))
    return _finished(case, action.password, used) if action.password is not None else _evacuated(case, action, used)


def _evacuated(case: Case, action: RecoveryFinish, used: list[AnyEvent]) -> Ruling:
    """Two codes replace the password and nothing else; whatever is more may ask to be paid."""
    recovery, asked = _recovery(case), payment(action)
    assert asked is not None  # noqa: S101 - `_finishable` objects without
    if recovery.path == Path.CODES:
        ruling = denied(why(Reason.EVIDENCE_REQUIRED, "recovery.evidence", about="address"))
    else:
        asked_with = tuple(holder_of(case.head, one) for one in case.facts.proofs if used and one.kind == CONTACT_CODE)
        ruling = evacuate(case, asked, recovery, asked_with)
    return replace(ruling, events=(*used, *ruling.events))


def _waiting(case: Case) -> Finding | None:
    wait = _recovery(case).wait
    assert wait is not None  # noqa: S101 - a path has one
    if not wait.heard:
        return why(Reason.NOTICE_UNDELIVERED, "notice.delivery", until=wait.hoped(case.now), about="recovery")
    return why(Reason.RECOVERY_WAITS, "time", until=wait.until) if case.now < wait.until else None


def _finished(case: Case, chosen: Sealed, used: list[AnyEvent]) -> Ruling:
    recovery, numbers = _recovery(case), case.policy.recovery
    codes = recovery.path == Path.CODES
    ripens = case.policy.waits.authenticator_senior_h * HOUR
    until = case.now + ripens
    lost = () if codes else recovery.lost
    gone = [
        ev.AuthenticatorSuspended(case.now, name, lost=True)
        if _outranks(case, one.kind)
        else ev.AuthenticatorRemoved(case.now, name)
        for name, one in case.head.authenticators.items()
        if one.kind in lost and one.kind is not AuthenticatorKind.PASSWORD
    ]
    new: AnyEvent | None = password.chosen(case, chosen)
    if new is None:
        name, kind = f"a{case.seq}", AuthenticatorKind.PASSWORD
        new = ev.AuthenticatorBound(case.now, name, kind, name.encode(), chosen, True, ripens, until)  # noqa: FBT003 - confirmed, as the event's order has it
    cools = numbers.codes_cool_h * HOUR if codes else 0
    weak = case.now + numbers.weak_h * HOUR
    done = ev.RecoveryFinished(case.now, recovery.id, recovery.path, weak, cools)
    findings = (why(Reason.RECOVERED_LATELY, "session.start", until=weak),)
    return Ruling(Allow(findings, recovery.id, until), (*used, *gone, new, done))


def _outranks(case: Case, kind: AuthenticatorKind) -> bool:
    """Whether a kind is stronger than all that was shown, and no reviewers said that it may go (law 2)."""
    recovery = _recovery(case)
    if len(recovery.approved) >= case.policy.recovery.reviewers:
        return False
    shown = {one.evidence for one in standing(case, recovery)}
    return CLASS[kind] > max((CLASS[one] for one in AuthenticatorKind if one in shown), default=0)


def _burnable(case: Case, action: EvidenceBurn) -> Finding | None:
    """Of the staff whoever asks after reads may say what one of them came to know without a reason."""
    if case.request.actor.kind is ActorKind.STAFF:
        refusal = lacks_role(case.facts, Role.INVESTIGATOR)
        if refusal is not None:
            return refusal
    if (action.cause == "unexplained_read") != (case.request.actor.kind is ActorKind.STAFF):
        return why(Reason.BAD_FIELD, about="cause")
    return None if BURNABLE.issuperset(action.kinds) else why(Reason.BAD_FIELD, *sorted(BURNABLE), about="kinds")


def _burning(case: Case, _action: EvidenceBurn) -> Level:
    """A platform or an investigator who learnt of a leak shows nothing; whoever is in a session proves himself."""
    return Level.CHANGE if case.request.actor.kind is ActorKind.OWNER else Level.NONE


def _burn(case: Case, action: EvidenceBurn) -> Ruling:
    until = case.now + case.policy.recovery.burned_d * DAY
    return tightened(ev.EvidenceBurned(case.now, tuple(dict.fromkeys(action.kinds)), action.cause, until))


def _shown_parts(request: Request, action: RecoveryEvidence, _peek: Head | None) -> tuple[PartKey, ...]:
    if action.kind == SIGNATURE and action.network is not None:
        return (("beneficiary", beneficiary_name(action.network, action.address)),)
    return (("device", request.context.device),) if action.kind == "device" and request.context.device else ()


def _paid_parts(request: Request, action: RecoveryFinish, peek: Head | None) -> tuple[PartKey, ...]:
    asked = payment(action)
    return request_parts(request, asked, peek) if asked is not None else ()


RULES: dict[type[Action], Rule] = {
    RecoveryOpen: Rule(OWNER_OR_STAFF, _open, objection=_openable, anonymous=True),
    RecoveryEvidence: Rule(OWNER_OR_STAFF, _evidence, objection=_showable, parts=_shown_parts, anonymous=True),
    RecoveryReview: Rule(STAFF, _review, objection=_reviewable),
    RecoveryContest: Rule(OWNER_OR_LINK, _contest, objection=_contestable, loosens=False),
    RecoveryCancel: Rule(OWNER, _cancel, level=_cancelling, objection=_cancellable, loosens=False, by_opener=True),
    RecoveryRemind: Rule(SYSTEM, _remind),
    RecoveryFinish: Rule(OWNER, _finish, objection=_finishable, parts=_paid_parts, anonymous=True),
    EvidenceBurn: Rule(OWNER_PLATFORM_OR_STAFF, _burn, level=_burning, objection=_burnable, loosens=False),
}
