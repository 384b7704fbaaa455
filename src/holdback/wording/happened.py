"""What happened, a sentence for each event, for those who may read the account.

Personal fields reach it through `opened`, shortened so that a glance over a shoulder tells little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from holdback.core import events as ev
from holdback.core import inside
from holdback.core.events import (
    ChangeKind,
    Ending,
    Lane,
    Setting,
    Severity,
)
from holdback.core.rules.address import OPENED_KINDS
from holdback.core.rules.staff import LEGAL_REQUEST
from holdback.core.state import Vault
from holdback.wording.asked import Known, setting_text, traded_text
from holdback.wording.words import (
    KINDS,
    WHO,
    begun_text,
    beneficiary_text,
    capital,
    day_text,
    evidence_text,
    key_text,
    masked,
    money,
    network_text,
    program,
    quoted,
    shortened,
    together,
)

if TYPE_CHECKING:
    from holdback.core.events import AnyEvent
    from holdback.core.state import Head
    from holdback.wording.words import Opened


def event_line(  # noqa: C901 - one case for each subject
    event: AnyEvent, opened: Opened, head: Head | None = None, decided: ev.Decided | None = None
) -> str:
    """What happened, in a sentence or two.

    `head` (a later one will do) and `decided`, the entry's first event, name more of what the event has only ids of.
    """
    known = Known(opened, head, decided)
    if isinstance(event, ev.MemberEvent):
        return _member_line(event)
    if isinstance(event, ev.LegalEvent):
        return _legal_line(event)
    match event:
        case ev.Decided():
            return f"{capital(WHO[event.actor.kind])} asked {event.action}: {event.decision}."
        case ev.AccountImported() | ev.Frozen() | ev.Unfrozen() | ev.EquityStated():
            return _account_line(event, known)
        case ev.ValueReceived() | ev.ValueRecalled() | ev.ValueReturned():
            return _inside_line(event)
        case (
            ev.SessionStarted()
            | ev.SessionSeen()
            | ev.SessionEnded()
            | ev.SessionMisused()
            | ev.DeviceProofSpent()
            | ev.DeviceMet()
            | ev.DeviceSeen()
            | ev.DeviceDisowned()
        ):
            return _session_line(event, known)
        case ev.SignInScored() | ev.PlaceSeen():
            return _score_line(event)
        case (
            ev.AuthenticatorBound()
            | ev.AuthenticatorConfirmed()
            | ev.AuthenticatorSuspended()
            | ev.AuthenticatorReinstated()
            | ev.AuthenticatorRemoved()
            | ev.AuthenticatorRecycled()
            | ev.SecretReplaced()
            | ev.CredentialRehashed()
        ):
            return _authenticator_line(event, known)
        case (
            ev.ProofUsed()
            | ev.ProofFailed()
            | ev.SignInsFailed()
            | ev.ChallengeIssued()
            | ev.ChallengeClosed()
            | ev.AuthenticatorAsked()
        ):
            return _proof_line(event, known)
        case ev.ContactAdded() | ev.ContactAsked() | ev.ContactConfirmed() | ev.ContactRemoved() | ev.ContactRecycled():
            return _contact_line(event, known)
        case ev.AddressAdded() | ev.AddressRenewed() | ev.AddressRemoved():
            return _address_line(event, known)
        case ev.SettingChanged() | ev.VaultChanged() | ev.ChangeAsked() | ev.ChangeCancelled() | ev.ChangeDone():
            return _change_line(event, known)
        case ev.ExitEvent() | ev.ExitSettled():
            return _exit_line(event, known)
        case (
            ev.CoolOffStarted()
            | ev.NoticeDue()
            | ev.NoticeFolded()
            | ev.NoticeAccepted()
            | ev.NoticeFailed()
            | ev.WaitMoved()
        ):
            return _notice_line(event, known)
        case ev.IncidentReported() | ev.IncidentNoted() | ev.IncidentClosed():
            return _incident_line(event, known)
        case ev.TicketOpened() | ev.TicketClosed() | ev.LookedUp():
            return _read_line(event)
        case ev.ApiKeyEvent() | ev.ApiKeysStopped():
            return _key_line(event, known)
        case ev.TradeEvent():
            return _trade_line(event)
        case ev.AgencyProposed() | ev.AgencyEntered() | ev.AgencyRemoved():
            return _agency_line(event, known)
        case ev.BreakerTripped() | ev.BreakerResetAsked() | ev.BreakerReset():
            return _breaker_line(event)
        case (
            ev.RecoveryOpened()
            | ev.RecoveryAsked()
            | ev.RecoveryShown()
            | ev.RecoveryMissed()
            | ev.RecoveryDoubted()
            | ev.RecoveryClosed()
            | ev.RecoveryReviewed()
            | ev.RecoveryContested()
            | ev.RecoveryEnded()
            | ev.RecoveryFinished()
            | ev.RecoveryReminded()
            | ev.EvidenceBurned()
        ):
            return _recovery_line(event, known)
        case _:
            assert_never(event)


def _inside_line(event: ev.ValueReceived | ev.ValueRecalled | ev.ValueReturned) -> str:
    """What moved between customers here."""
    worth = money(event.micro_usd)
    match event:
        case ev.ValueReceived():
            return f"{worth} came from another customer; it may leave from {day_text(event.until)}."
        case ev.ValueRecalled():
            when = begun_text(event.received_at)
            return f"{worth} that came from another customer on {when} go back: two members of staff decided it."
        case ev.ValueReturned():
            return f"{worth} went back to the customer they came from, says the platform."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _account_line(event: ev.AccountImported | ev.Frozen | ev.Unfrozen | ev.EquityStated, known: Known) -> str:
    match event:
        case ev.AccountImported():
            return "The account came under Holdback's protection."
        case ev.Frozen():
            by_link = f"the link in a notice to {known.contact(event.by.contact)}"
            how = by_link if event.by.contact else WHO[event.by.kind]
            return f"The account was frozen by {how}. Everything that waited was stopped."
        case ev.Unfrozen():
            return "The account was unfrozen." + (" The freeze was said to be a mistake." if event.mistaken else "")
        case ev.EquityStated():
            return f"The platform said that the account holds {money(event.micro_usd)}."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


_SessionEvent = (
    ev.SessionStarted
    | ev.SessionSeen
    | ev.SessionEnded
    | ev.SessionMisused
    | ev.DeviceProofSpent
    | ev.DeviceMet
    | ev.DeviceSeen
    | ev.DeviceDisowned
)


def _session_line(event: _SessionEvent, known: Known) -> str:
    match event:
        case ev.SessionStarted():
            return f"Signed in with {together(event.proved)}, until {day_text(event.until)} at the latest."
        case ev.SessionSeen():
            return "The session was used." + (" The password was proved again." if event.password else "")
        case ev.SessionEnded():
            return "A session was ended."
        case ev.SessionMisused():
            return "Your session was used without the key of the device that signed in. It was refused."
        case ev.DeviceProofSpent():
            return "The device's key signed a request."
        case ev.DeviceMet():
            agent = known.opened(event.user_agent) if event.user_agent else ""
            return f"Signed in from a new device: {program(agent)}."
        case ev.DeviceSeen():
            return "Signed in from a known device."
        case ev.DeviceDisowned():
            return "A device was disowned: it was signed out, and whenever it signs in again it is told as a new one."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _score_line(event: ev.SignInScored | ev.PlaceSeen) -> str:
    """A score with each term's share, in nats: more than 0 is unlike the owner."""
    if isinstance(event, ev.PlaceSeen):
        return "Where it came from will be learnt if nobody stops the account meanwhile."
    shares = [f"{_of(term)} {_nats(term.centinats)}" for term in event.terms]
    asked = " One more proof was asked for." if event.raised else ""
    cooled = " It was so unlike the owner that payments cool off." if event.cools else ""
    return f"The sign-in was compared with those before: {_nats(event.centinats)} ({', '.join(shares)}).{asked}{cooled}"


def _of(term: ev.ScoreTerm) -> str:
    return f"{term.feature} ({term.about})" if term.about else term.feature


def _nats(centinats: int) -> str:
    return f"{'-' if centinats < 0 else '+'}{abs(centinats) // 100}.{abs(centinats) % 100:02}"


_AuthenticatorEvent = (
    ev.AuthenticatorBound
    | ev.AuthenticatorConfirmed
    | ev.AuthenticatorSuspended
    | ev.AuthenticatorReinstated
    | ev.AuthenticatorRemoved
    | ev.AuthenticatorRecycled
    | ev.SecretReplaced
    | ev.CredentialRehashed
)


def _authenticator_line(event: _AuthenticatorEvent, known: Known) -> str:
    name = known.authenticator(event.authenticator)
    match event:
        case ev.AuthenticatorBound():
            state = "added" if event.confirmed else "set up, and not confirmed yet"
            counts = f"It counts for money from {day_text(event.until)} at the earliest."
            return f"A way of confirming was {state}: {KINDS[event.kind]} ({event.authenticator}). {counts}"
        case ev.AuthenticatorConfirmed():
            counts = f"It counts for money from {day_text(event.until)} at the earliest."
            return f"A new way of confirming works: {name}. {counts}"
        case ev.AuthenticatorSuspended(lost=True):
            stronger = "It is stronger than what the recovery showed, so it was not removed, and can be reinstated"
            return f"A way of confirming was suspended, for a recovery says that it is lost: {name}. {stronger}."
        case ev.AuthenticatorSuspended():
            return f"A way of confirming was suspended, and proves nothing now: {name}."
        case ev.AuthenticatorReinstated():
            return f"A suspended way of confirming was reinstated: {name}."
        case ev.AuthenticatorRemoved():
            return f"A way of confirming was removed: {name}."
        case ev.AuthenticatorRecycled():
            lives = "Its number or mailbox was reported as given to someone else"
            return f"A way of confirming proves nothing any more: {name}. {lives}, and no code is sent there."
        case ev.SecretReplaced():
            counts = f"It counts for money from {day_text(event.until)} at the earliest."
            return f"A secret was replaced: {name}. {counts}"
        case ev.CredentialRehashed():
            return f"The same secret is kept under a stronger hash: {name}."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


_ProofEvent = (
    ev.ProofUsed | ev.ProofFailed | ev.SignInsFailed | ev.ChallengeIssued | ev.ChallengeClosed | ev.AuthenticatorAsked
)


def _proof_line(event: _ProofEvent, known: Known) -> str:
    match event:
        case ev.AuthenticatorAsked():
            return f"A code was sent: {known.authenticator(event.authenticator)}."
        case ev.ProofUsed():
            return f"A proof was used: {known.authenticator(event.authenticator)}."
        case ev.ProofFailed():
            return f"A wrong or used proof was shown: {together(event.kinds) or KINDS['contact_code']}."
        case ev.SignInsFailed():
            tries = "one sign-in" if event.failures == 1 else f"{event.failures} sign-ins"
            places = {0: "", 1: ", from one network"}.get(event.networks, f", from at least {event.networks} networks")
            return f"Between {begun_text(event.first_at)} and {begun_text(event.last_at)} {tries} failed{places}."
        case ev.ChallengeIssued():
            ways = " or ".join(together(kinds) for kinds in event.accept)
            sent = f" A code went to {known.contact(event.contact)}." if event.contact else ""
            return f"More proof was asked for: {ways}.{sent}"
        case ev.ChallengeClosed():
            return "The request for proof was closed."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


_ContactEvent = ev.ContactAdded | ev.ContactAsked | ev.ContactConfirmed | ev.ContactRemoved | ev.ContactRecycled


def _contact_line(event: _ContactEvent, known: Known) -> str:
    name = known.contact(event.contact)
    match event:
        case ev.ContactAdded():
            shown = masked(event.channel, known.opened(event.address))
            return f"A contact was named: {shown}, {event.channel.value} ({event.contact})."
        case ev.ContactAsked():
            return f"A fresh code was sent to a contact: {name}."
        case ev.ContactConfirmed():
            if not event.wait_ms:
                return f"A contact was confirmed again, and may freeze: {name}."
            return f"A contact was confirmed: {name}. It counts in full from {day_text(event.until)} at the earliest."
        case ev.ContactRemoved():
            until = day_text(event.told_until)
            return f"A contact was removed: {name}. It is told of news, and can freeze, until {until}."
        case ev.ContactRecycled():
            return f"A contact was reported as given to someone else: {name}. Nothing is sent there any more."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _address_line(event: ev.AddressAdded | ev.AddressRenewed | ev.AddressRemoved, known: Known) -> str:
    match event:
        case ev.AddressAdded():
            where = shortened(known.opened(event.address)) if event.address else "to anyone"
            who = f"{quoted(known.opened(event.label))}, {event.network} {where}"
            return f"A beneficiary was added: {who}. It can be paid from {day_text(event.until)} at the earliest."
        case ev.AddressRenewed():
            until = begun_text(event.until)
            return f"A beneficiary was confirmed again until {until}: {beneficiary_text(event.beneficiary)}."
        case ev.AddressRemoved():
            return f"A beneficiary was removed: {beneficiary_text(event.beneficiary)}."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


_ChangeEvent = ev.SettingChanged | ev.VaultChanged | ev.ChangeAsked | ev.ChangeCancelled | ev.ChangeDone


def _change_line(event: _ChangeEvent, known: Known) -> str:
    match event:
        case ev.SettingChanged():
            return f"A setting changed: {setting_text(event.setting, event.value)}."
        case ev.VaultChanged():
            return f"The vault changed: {_vault(Vault(event.percent, event.hours, event.approver), known)}."
        case ev.ChangeAsked():
            when = f"It takes effect on {day_text(event.until)} at the earliest, unless it is stopped."
            return f"Less protection was asked for: {_wanted(event, known)} ({event.change}). {when}"
        case ev.ChangeCancelled():
            return f"A request for less protection was stopped ({event.change})."
        case ev.ChangeDone():
            return f"The wait of a request for less protection is over ({event.change})."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _wanted(event: ev.ChangeAsked, known: Known) -> str:
    match event.kind:
        case ChangeKind.SET:
            return f"change {setting_text(Setting(event.subject), event.value)}"
        case ChangeKind.REMOVE_AUTHENTICATOR:
            return f"remove {known.authenticator(event.subject)}"
        case ChangeKind.REINSTATE_AUTHENTICATOR:
            return f"reinstate {known.authenticator(event.subject)}"
        case ChangeKind.REMOVE_CONTACT:
            return f"remove {known.contact(event.subject)}"
        case ChangeKind.RESUME_API_KEY:
            return f"let the suspended {known.api_key(event.subject)} work again"
        case ChangeKind.OPEN_TRADING:
            return f"open again to trading: {traded_text(event.subject)}"
        case ChangeKind.UNFREEZE:
            return "unfreeze the account"
        case ChangeKind.VAULT:
            return f"change the vault: {_vault(Vault.unpacked(event.value, event.subject), known)}"
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event.kind)


def _vault(vault: Vault, known: Known) -> str:
    if not vault.percent:
        return "none"
    approver = f", and need a code from {known.contact(vault.approver)}" if vault.approver else ""
    return f"{vault.percent} % wait {vault.hours} hours{approver}"


_ExitEvent = (
    ev.ExitAllowed
    | ev.ExitHeld
    | ev.ExitMoved
    | ev.ExitApproved
    | ev.ExitCancelled
    | ev.ExitSettled
    | ev.ExitReconciled
    | ev.ExitReturnAsked
    | ev.ExitReturned
    | ev.ExitCleared
    | ev.ExitExceeded
    | ev.ValueSent
    | ev.ExitLocked
    | ev.ExitPaid
    | ev.ExitDisputed
    | ev.ExitRuled
)


def _exit_line(event: _ExitEvent, known: Known) -> str:
    match event:
        case ev.ExitAllowed():
            asked = known.payment() or event.payable
            amount = f"{asked.amount} {asked.asset}, " if asked else ""
            where = "to an own account" if event.lane is Lane.OWN else _towards(event.beneficiary, known, event.payable)
            who = " by two of the staff" if event.by else ""
            return f"Payment {event.exit} was let go{who}: {event.kind} of {amount}{money(event.micro_usd)} {where}."
        case ev.ExitHeld() | ev.ExitMoved() | ev.ExitApproved():
            return _waiting_line(event, known)
        case ev.ExitCancelled():
            why = " by two of the staff" if event.by else ""
            why = ": nobody is paid any more at the address that it would have gone to" if event.listed else why
            return f"The waiting payment {event.exit} was stopped{why}."
        case ev.ExitLocked() | ev.ExitPaid() | ev.ExitDisputed() | ev.ExitRuled():
            return _sale_line(event)
        case ev.ExitSettled():
            final = "moved back" if event.returned else "final"
            return f"{capital(_sent_text(event.exit))} is {final}, says the platform: {quoted(event.reference)}."
        case ev.ValueSent() | ev.ExitReturnAsked() | ev.ExitReturned():
            return _sent_line(event)
        case ev.ExitCleared() | ev.ExitExceeded():
            return _card_line(event)
        case ev.ExitReconciled():
            what = "move to an own account" if event.lane is Lane.OWN else "payment"
            return f"A {what} from before a restore was counted again: {money(event.micro_usd)}."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _card_line(event: ev.ExitCleared | ev.ExitExceeded) -> str:
    if isinstance(event, ev.ExitExceeded):
        return f"Card payment {event.exit} was charged {money(event.micro_usd)} more than was set aside for it."
    back = f"; {money(event.refund_micro_usd)} more were set aside and are free" if event.refund_micro_usd else ""
    return f"Card payment {event.exit} was charged: {money(event.charged_micro_usd)}{back}."


def _sent_text(name: str) -> str:
    """What went to another customer: a payment, or by its own name what a trade gave away."""
    return f"what was lost by a trade ({name})" if inside.by_trade(name) else f"payment {name}"


def _sent_line(event: ev.ValueSent | ev.ExitReturnAsked | ev.ExitReturned) -> str:
    what = _sent_text(event.exit)
    match event:
        case ev.ExitReturnAsked():
            return f"A member of staff wants {what} to come back; a second one must want the same."
        case ev.ExitReturned():
            return f"{capital(what)} comes back, {money(event.micro_usd)}: two members of staff decided it."
        case ev.ValueSent():
            worth = money(event.micro_usd)
            there = f"{worth} stay there until {day_text(event.until)} at least"
            if not event.order:
                return f"Payment {event.exit} arrived with another customer: {there}."
            if not event.reported:
                return f"The order {event.order} may give {worth} away to another customer ({event.exit})."
            return f"The order {event.order} gave something away to another customer ({event.exit}): {there}."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _waiting_line(event: ev.ExitHeld | ev.ExitMoved | ev.ExitApproved, known: Known) -> str:
    match event:
        case ev.ExitHeld():
            worth = f"{event.amount} {event.asset}, {money(event.micro_usd)} {_towards(event.beneficiary, known)}"
            until = f"{day_text(event.until)} at the earliest"
            if event.unconfirmed:
                until = f"its owner confirms again whom it pays, and until {until}"
            return f"Payment {event.exit} waits until {until}: {event.kind} of {worth}."
        case ev.ExitMoved(unconfirmed=True):
            return f"The waiting payment {event.exit} waits until its owner confirms again whom it pays."
        case ev.ExitMoved():
            return f"The waiting payment {event.exit} must wait longer, until {day_text(event.until)}."
        case ev.ExitApproved():
            return f"The waiting payment {event.exit} may reach into the vault, says {known.contact(event.contact)}."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _sale_line(event: ev.ExitLocked | ev.ExitPaid | ev.ExitDisputed | ev.ExitRuled) -> str:
    sale = f"The sale {event.exit}"
    match event:
        case ev.ExitLocked():
            worth = f"{event.amount} {event.asset}, {money(event.micro_usd)}"
            return f"{sale} of {worth} is locked for its buyer, who has until {day_text(event.until)} to pay."
        case ev.ExitPaid():
            return f"{sale} was paid by its buyer, says the platform: {quoted(event.reference)}."
        case ev.ExitDisputed():
            return f"{sale} was stopped after its buyer had paid, so it is disputed: two of the staff decide."
        case ev.ExitRuled():
            goes = "goes to its buyer" if event.to_buyer else "is given back"
            return f"{sale} {goes}, says one of the staff; a second one must say the same."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def unsaid_text(payments: int, micro_usd: int) -> str:
    """What a key paid since the last of its payments that its owner was told of at once; "" if that is nothing."""
    if not payments:
        return ""
    many = "1 payment" if payments == 1 else f"{payments} payments"
    return f"Not told of at once since the last notice of what this key paid: {many}, worth {money(micro_usd)} in all."


def _towards(beneficiary: str, known: Known, payable: ev.Payable | None = None) -> str:
    """Who is paid, from the request if this is its entry, or what is known of it since, else by the entry's name."""
    asked = known.payment()
    target = (asked.address or asked.counterparty) if asked else payable.destination if payable else None
    by = beneficiary.partition(".")[0]
    if target is not None:
        return f"to {shortened(known.opened(target))} by {by}"
    if payable is not None and payable.counterparty:
        return f"to {shortened(payable.counterparty)} by {by}"
    return f"by {beneficiary}" if beneficiary in OPENED_KINDS else f"to {beneficiary_text(beneficiary)}"


_NoticeEvent = ev.CoolOffStarted | ev.NoticeDue | ev.NoticeFolded | ev.NoticeAccepted | ev.NoticeFailed | ev.WaitMoved


def _notice_line(event: _NoticeEvent, known: Known) -> str:
    match event:
        case ev.CoolOffStarted():
            senior, others = day_text(event.senior_until), day_text(event.others_until)
            spared = " (usual amounts excepted)" if event.severity is Severity.MILD else ""
            until = f"to long-known beneficiaries{spared} until {senior}, to others until {others}"
            return f"Payments cool off after {event.cause}: {until}, at the earliest."
        case ev.NoticeDue():
            return f"The owner is told ({event.cause}) at {len(event.contacts)} contacts."
        case ev.NoticeFolded():
            return f"The same news again ({event.cause}) was counted, not sent."
        case ev.NoticeAccepted():
            return f"A notice was accepted for delivery to {known.contact(event.contact)}."
        case ev.NoticeFailed():
            return f"A notice could not be delivered to {known.contact(event.contact)}."
        case ev.WaitMoved():
            kind = event.about.kind.replace("_", " ")
            named = f"{kind} {beneficiary_text(event.about.id)}"
            return f"The owner was told, so a wait runs from here until {day_text(event.until)}: {named}."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


_ENDED: Final[dict[Ending, str]] = {
    Ending.VETOED: "A recovery of the account was ended by one of its contacts.",
    Ending.CANCELLED: "A recovery of the account was ended by someone signed in, with full proof.",
    Ending.REJECTED: "A recovery of the account was rejected by a reviewer.",
    Ending.REPLACED: "A recovery of the account that showed nothing was replaced by another.",
    Ending.EXPIRED: "A recovery of the account ended by itself, for nobody went on with it.",
    Ending.WITHDRAWN: "A recovery of the account was given up by whoever had opened it.",
}


def _asker_text(asker: ev.Asker | None, shown: tuple[str, ...], known: Known) -> str:
    """Who had asked for a recovery that came to nothing, from where and with what, and what he had shown."""
    if asker is None:
        return ""
    if asker.staff:
        who = f"a member of staff, for ticket {asker.ticket}"
    else:
        given = (("from", asker.ip), ("with", asker.user_agent))
        texts = {word: known.opened(one) for word, one in given if one is not None}
        where = network_text(texts.get("from", ""))
        who = f"from {where}" if where else "from a network that is not known"
        who += f" ({asker.country})" if asker.country else ""
        who += f", with {program(texts['with'])}" if "with" in texts else ""
    pieces = ", ".join(evidence_text(kind) for kind in shown) or "nothing"
    return f" It was asked for on {begun_text(asker.at)}, {who}. Shown for it: {pieces}."


def _recovery_line(event: ev.RecoveryEvent | ev.EvidenceBurned, known: Known) -> str:
    match event:
        case ev.RecoveryOpened():
            says = "A member of staff was told by someone" if event.asker and event.asker.staff else "Someone says"
            return f"{says} that they are the owner and lost what they sign in with: {together(event.lost)}."
        case ev.RecoveryAsked():
            towards = f"A code for a recovery was sent to {known.contact(event.contact)}."
            return towards if event.contact else "A passkey was asked for in a recovery."
        case ev.RecoveryShown():
            return f"In a recovery this was shown: {evidence_text(event.evidence)}."
        case ev.RecoveryMissed():
            return f"In a recovery this was wrong: {evidence_text(event.evidence)}."
        case ev.RecoveryDoubted():
            return f"In a recovery this did not pass, so that reviewers must approve: {evidence_text(event.evidence)}."
        case ev.RecoveryClosed():
            until = day_text(event.until)
            return f"A recovery waits. From {until} whoever opened it may choose a new password, unless you object."
        case ev.RecoveryReviewed():
            return f"A reviewer {'approved' if event.approved else 'rejected'} a recovery of the account."
        case ev.RecoveryContested():
            return f"{capital(WHO[event.by.kind])} objected to a recovery. Its wait is twice as long from now on."
        case ev.EvidenceBurned():
            kinds = ", ".join(evidence_text(kind) for kind in event.kinds)
            return f"In recoveries of this account this proves nothing before {day_text(event.until)}: {kinds}."
        case _:
            return _outcome_line(event, known)


def _outcome_line(event: ev.RecoveryEnded | ev.RecoveryReminded | ev.RecoveryFinished, known: Known) -> str:
    """What became of a recovery, or that nothing did yet."""
    match event:
        case ev.RecoveryEnded():
            return f"{_ENDED[event.how]}{_asker_text(event.asker, event.shown, known)}"
        case ev.RecoveryReminded():
            until = day_text(event.until)
            if event.waits:
                return f"A recovery still waits. From {until} whoever opened it may take over, unless you object."
            return f"A recovery is still open, and waits for whoever opened it. It ends by itself on {until}."
        case ev.RecoveryFinished():
            return f"The account was recovered by a new password. Until {day_text(event.weak_until)} it does little."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _incident_line(event: ev.IncidentReported | ev.IncidentNoted | ev.IncidentClosed, known: Known) -> str:
    match event:
        case ev.IncidentReported():
            who = capital(WHO[event.by.kind])
            return f"{who} reported a robbery ({event.incident}), in these words: {quoted(known.opened(event.story))}."
        case ev.IncidentNoted():
            return f"Something was added to the case {event.incident}: {quoted(known.opened(event.note))}."
        case ev.IncidentClosed():
            who = f"{event.by} of the staff" if event.by else "someone signed in, with full proof"
            return f"The case {event.incident} was closed by {who}."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _read_line(event: ev.TicketOpened | ev.TicketClosed | ev.LookedUp) -> str:
    match event:
        case ev.TicketOpened():
            return f"The help desk opened ticket {event.ticket}: for it staff may read this account."
        case ev.TicketClosed():
            return f"The help desk closed ticket {event.ticket}: nobody reads this account for it any more."
        case ev.LookedUp():
            if event.fields == (LEGAL_REQUEST,):
                return f"The legal request ({event.ticket}) was read by {event.member} of the staff."
            how = "as it is" if event.revealed else "masked"
            return f"Seen by {event.member} of the staff, ticket {event.ticket}: {', '.join(event.fields)} ({how})."


def _legal_line(event: ev.LegalEvent) -> str:
    """What authorities asked, in words: which one, by which basis, and what came of it."""
    name = event.request
    match event:
        case ev.LegalReceived():
            wants = f"asks for {_listed(event.fields)}" if event.fields else "orders that payments stop"
            refused = (
                f" It also named what its basis does not reach: {_listed(event.refused)}." if event.refused else ""
            )
            return (
                f"A legal request ({name}) of {quoted(event.agency)} came in and {wants}, by {_basis(event)}.{refused}"
            )
        case ev.LegalCalledBack():
            return f"The authority was rung at the registry's number and confirmed the legal request ({name})."
        case ev.LegalApproved():
            return f"A member of staff approved the legal request ({name})."
        case ev.LegalRejected():
            if not event.forged:
                return f"A legal request about you ({name}) was turned down. Nothing was disclosed."
            waits = f"Recoveries of the account wait twice as long until {day_text(event.targeted_until)}."
            return f"Somebody handed in forged papers about you ({name}). Nothing was disclosed. {waits}"
        case ev.LegalDisclosed():
            told = f"Disclosed to {quoted(event.agency)}, by {_basis(event)} ({name}): {_listed(event.fields)}."
            return f"{told} Your data was sealed for that authority, and proof of what it was is kept."
        case ev.LegalTold():
            told = (
                f"On {begun_text(event.disclosed_at)} {_listed(event.fields)} was disclosed to {quoted(event.agency)}"
            )
            return f"{told}, by {_basis(event)} ({name}). A secrecy order hid that until now."
        case ev.LegalFrozen():
            return f"By order of {quoted(event.agency)} ({name}) no payment leaves until {day_text(event.until)}."
        case ev.LegalThawAsked():
            return f"A member of staff wants the authority's order ({name}) ended early. A second one must agree."
        case ev.LegalThawed():
            return f"The authority's order ({name}) was ended early, by two members of staff."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _member_line(event: ev.MemberEvent) -> str:
    match event:
        case ev.MemberProposed():
            who = capital(event.by or "the operator")
            return f"{who} wants you in the staff: {', '.join(event.roles)}. A second person decides."
        case ev.MemberEnrolled():
            by = " and ".join(one or "the operator" for one in event.by)
            return f"You are of the staff ({', '.join(event.roles)}), by {by}."
        case ev.MemberRetired():
            return f"You left the staff, by {event.by}. Every session ended."
        case ev.MemberFlagged():
            return f"Somebody must ask what this person read, and why ({event.why}: {event.ones} of {event.reads})."
        case ev.ColleagueJudged():
            return f"You had a word in who {event.account} is to us, of the staff or the registry."
        case ev.CustomerRead():
            return f"You read a customer for ticket {event.ticket}."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _basis(event: ev.LegalReceived | ev.LegalDisclosed | ev.LegalTold) -> str:
    return event.basis.replace("_", " ")


def _listed(fields: tuple[str, ...]) -> str:
    return ", ".join(quoted(one.replace("_", " "))[1:-1] for one in fields)


def _trade_line(event: ev.AnyTradeEvent) -> str:
    match event:
        case ev.OrderAllowed():
            lost = event.drain.micro_usd
            given = f" It may give away {money(lost)}." if lost else ""
            return f"An order was let through: {event.side} {event.pair} for {money(event.notional_micro_usd)}.{given}"
        case ev.OrderReported():
            misled = " It was to reduce risk and did not." if event.misled else ""
            return f"The platform told what became of the order {event.order}.{misled}"
        case ev.LeaseGranted():
            most = money(event.micro_usd)
            return f"For a moment the platform may let orders of {event.pair} give away {most} without asking."
        case ev.LeaseSettled():
            return f"Of that, {money(event.refund_micro_usd)} was not used ({event.lease})."
        case ev.TradingAlerted():
            return f"Orders of the last day were {money(event.micro_usd)} worse than the market."
        case ev.TradingClosed():
            names = [f"pair {event.pair}", *([f"counterparty {event.counterparty}"] if event.counterparty else [])]
            closed = together([traded_text(name) for name in names])
            return f"An order far worse than the market was refused. Closed to your trading: {closed}."
        case ev.TradingOpened():
            return f"Open to your trading again: {traded_text(event.subject)}."
        case ev.ProceedsSeen():
            return f"Another customer lost {money(event.micro_usd)} to this account by trading."
        case ev.ProceedsHeld():
            return f"Several customers lost {money(event.micro_usd)} to this account within an hour. That stays here."
        case ev.Tied():
            return _tied_line(event)
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _tied_line(event: ev.Tied) -> str:
    what = "Where a deposit came from" if event.funds else "A device or an address of this account"
    if event.counts:
        return f"{what} was noted, for accounts that share it."
    return f"{what} is shared by so many that it says nothing."


def _key_line(event: ev.AnyKeyEvent | ev.ApiKeysStopped, known: Known) -> str:
    if isinstance(event, ev.ApiKeysStopped):
        keys = [known.api_key(key).removeprefix("API key ") for key in event.keys]
        many = f"{len(keys)} API key{'s' if len(keys) > 1 else ''}"
        return f"Suspended: {many}, {together(keys)}, which somebody else may have made or know."
    key = known.api_key(event.api_key)
    match event:
        case ev.ApiKeyCreated():
            scopes = together([scope.value for scope in event.scopes])
            whence = f"from {len(event.networks)} networks" if event.networks else "from anywhere"
            name = quoted(known.opened(event.label))
            usable = f"It can be used {begun_text(event.until)}."
            return f"An API key was made, {name} ({event.api_key}): to {scopes}, {whence}. {usable}"
        case ev.ApiKeySigned():
            return f"A request was signed with the {key}."
        case ev.ApiKeyWoken():
            return f"The {key} is used again after a long time, confirmed by a proof."
        case ev.ApiKeySuspended():
            return f"The {key} was suspended."
        case ev.ApiKeyResumed():
            return f"The suspended {key} works again."
        case ev.ApiKeyRevoked():
            key = key_text(event.api_key, event.label, known.opened)
            ended = f"The {key} was revoked{', for it had leaked' if event.leaked else ''}."
            more = unsaid_text(event.unsaid, event.unsaid_micro_usd)
            return f"{ended} {more}" if more else ended
        case ev.ApiKeyWarned():
            when = day_text(event.lapses_at)
            return f"The {key} stops trading on {when}, for it may be used from anywhere."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _breaker_line(event: ev.BreakerTripped | ev.BreakerResetAsked | ev.BreakerReset) -> str:
    match event:
        case ev.BreakerTripped():
            scope = event.scope.replace("_", " ")
            left, limit = (f"${one // 1_000_000:,}" for one in (event.micro_usd, event.limit_micro_usd))
            return f"The circuit breaker tripped: {left} left within an hour ({scope}), more than {limit}."
        case ev.BreakerResetAsked():
            return f"The circuit breaker is to be reset, asks {event.by}; a second person must ask the same."
        case ev.BreakerReset():
            return f"The circuit breaker was reset by {' and '.join(event.by)}."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _agency_line(event: ev.AgencyProposed | ev.AgencyEntered | ev.AgencyRemoved, known: Known) -> str:
    match event:
        case ev.AgencyProposed():
            return f"An agency is to stand in the registry, asks {event.by}: {quoted(known.opened(event.name))}."
        case ev.AgencyEntered():
            who = f"{len(event.officers)} officers, {len(event.certificates)} certificates, {_listed(event.domains)}"
            return (
                f"The agency stands in the registry from {day_text(event.until)}, by {' and '.join(event.by)}: {who}."
            )
        case ev.AgencyRemoved():
            if event.waiting:
                return f"What was to stand in the registry of the agency was taken back by {event.by}."
            return f"The agency was taken out of the registry by {event.by}."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)
