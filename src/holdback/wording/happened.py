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
from holdback.wording.said import capital, listed, said, sentences, term
from holdback.wording.words import (
    KINDS,
    WHO,
    begun_text,
    beneficiary_text,
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
            who = capital(WHO[event.actor.kind])
            return said("{who} asked {action}: {decision}.", who=who, action=event.action, decision=event.decision)
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
            until = day_text(event.until)
            return said("{worth} came from another customer; it may leave from {until}.", worth=worth, until=until)
        case ev.ValueRecalled():
            return said(
                "{worth} that came from another customer on {when} go back: two members of staff decided it.",
                worth=worth,
                when=begun_text(event.received_at),
            )
        case ev.ValueReturned():
            return said("{worth} went back to the customer they came from, says the platform.", worth=worth)
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _account_line(event: ev.AccountImported | ev.Frozen | ev.Unfrozen | ev.EquityStated, known: Known) -> str:
    match event:
        case ev.AccountImported():
            return said("The account came under Holdback's protection.")
        case ev.Frozen():
            by_link = said("the link in a notice to {contact}", contact=known.contact(event.by.contact))
            how = by_link if event.by.contact else WHO[event.by.kind]
            return said("The account was frozen by {how}. Everything that waited was stopped.", how=how)
        case ev.Unfrozen():
            mistake = said("The freeze was said to be a mistake.") if event.mistaken else ""
            return sentences(said("The account was unfrozen."), mistake)
        case ev.EquityStated():
            return said("The platform said that the account holds {worth}.", worth=money(event.micro_usd))
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
            proofs, until = together(event.proved), day_text(event.until)
            return said("Signed in with {proofs}, until {until} at the latest.", proofs=proofs, until=until)
        case ev.SessionSeen():
            again = said("The password was proved again.") if event.password else ""
            return sentences(said("The session was used."), again)
        case ev.SessionEnded():
            return said("A session was ended.")
        case ev.SessionMisused():
            return said("Your session was used without the key of the device that signed in. It was refused.")
        case ev.DeviceProofSpent():
            return said("The device's key signed a request.")
        case ev.DeviceMet():
            agent = known.opened(event.user_agent) if event.user_agent else ""
            return said("Signed in from a new device: {program}.", program=program(agent))
        case ev.DeviceSeen():
            return said("Signed in from a known device.")
        case ev.DeviceDisowned():
            return said(
                "A device was disowned: it was signed out, and whenever it signs in again it is told as a new one."
            )
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _score_line(event: ev.SignInScored | ev.PlaceSeen) -> str:
    """A score with each term's share, in nats: more than 0 is unlike the owner."""
    if isinstance(event, ev.PlaceSeen):
        return said("Where it came from will be learnt if nobody stops the account meanwhile.")
    shares = listed(f"{_of(term)} {_nats(term.centinats)}" for term in event.terms)
    score = _nats(event.centinats)
    compared = said("The sign-in was compared with those before: {score} ({shares}).", score=score, shares=shares)
    asked = said("One more proof was asked for.") if event.raised else ""
    cooled = said("It was so unlike the owner that payments cool off.") if event.cools else ""
    return sentences(compared, asked, cooled)


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
            name = said("{kind} ({name})", kind=KINDS[event.kind], name=event.authenticator)
            if event.confirmed:
                return sentences(said("A way of confirming was added: {name}.", name=name), _counts(event.until))
            unconfirmed = said("A way of confirming was set up, and not confirmed yet: {name}.", name=name)
            return sentences(unconfirmed, _counts(event.until))
        case ev.AuthenticatorConfirmed():
            return sentences(said("A new way of confirming works: {name}.", name=name), _counts(event.until))
        case ev.AuthenticatorSuspended(lost=True):
            return sentences(
                said("A way of confirming was suspended, for a recovery says that it is lost: {name}.", name=name),
                said("It is stronger than what the recovery showed, so it was not removed, and can be reinstated."),
            )
        case ev.AuthenticatorSuspended():
            return said("A way of confirming was suspended, and proves nothing now: {name}.", name=name)
        case ev.AuthenticatorReinstated():
            return said("A suspended way of confirming was reinstated: {name}.", name=name)
        case ev.AuthenticatorRemoved():
            return said("A way of confirming was removed: {name}.", name=name)
        case ev.AuthenticatorRecycled():
            return sentences(
                said("A way of confirming proves nothing any more: {name}.", name=name),
                said("Its number or mailbox was reported as given to someone else, and no code is sent there."),
            )
        case ev.SecretReplaced():
            return sentences(said("A secret was replaced: {name}.", name=name), _counts(event.until))
        case ev.CredentialRehashed():
            return said("The same secret is kept under a stronger hash: {name}.", name=name)
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _counts(until: ev.Instant) -> str:
    return said("It counts for money from {until} at the earliest.", until=day_text(until))


_ProofEvent = (
    ev.ProofUsed | ev.ProofFailed | ev.SignInsFailed | ev.ChallengeIssued | ev.ChallengeClosed | ev.AuthenticatorAsked
)


def _proof_line(event: _ProofEvent, known: Known) -> str:
    match event:
        case ev.AuthenticatorAsked():
            return said("A code was sent: {name}.", name=known.authenticator(event.authenticator))
        case ev.ProofUsed():
            return said("A proof was used: {name}.", name=known.authenticator(event.authenticator))
        case ev.ProofFailed():
            kinds = together(event.kinds) or KINDS["contact_code"]
            return said("A wrong or used proof was shown: {kinds}.", kinds=kinds)
        case ev.SignInsFailed():
            return _failed_line(event)
        case ev.ChallengeIssued():
            ways = listed((together(kinds) for kinds in event.accept), " or ")
            sent = said("A code went to {contact}.", contact=known.contact(event.contact)) if event.contact else ""
            return sentences(said("More proof was asked for: {ways}.", ways=ways), sent)
        case ev.ChallengeClosed():
            return said("The request for proof was closed.")
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _failed_line(event: ev.SignInsFailed) -> str:
    tries, places = said("one sign-in"), ""
    if event.failures != 1:
        tries = said("{count} sign-ins", count=event.failures)
    if event.networks:
        places = said(", from at least {count} networks", count=event.networks)
    if event.networks == 1:
        places = said(", from one network")
    return said(
        "Between {first} and {last} {tries} failed{places}.",
        first=begun_text(event.first_at),
        last=begun_text(event.last_at),
        tries=tries,
        places=places,
    )


_ContactEvent = ev.ContactAdded | ev.ContactAsked | ev.ContactConfirmed | ev.ContactRemoved | ev.ContactRecycled


def _contact_line(event: _ContactEvent, known: Known) -> str:
    name = known.contact(event.contact)
    match event:
        case ev.ContactAdded():
            shown = masked(event.channel, known.opened(event.address))
            channel = term(event.channel.value)
            return said(
                "A contact was named: {shown}, {channel} ({name}).", shown=shown, channel=channel, name=event.contact
            )
        case ev.ContactAsked():
            return said("A fresh code was sent to a contact: {name}.", name=name)
        case ev.ContactConfirmed():
            if not event.wait_ms:
                return said("A contact was confirmed again, and may freeze: {name}.", name=name)
            counts = said("It counts in full from {until} at the earliest.", until=day_text(event.until))
            return sentences(said("A contact was confirmed: {name}.", name=name), counts)
        case ev.ContactRemoved():
            until = day_text(event.told_until)
            stays = said("It is told of news, and can freeze, until {until}.", until=until)
            return sentences(said("A contact was removed: {name}.", name=name), stays)
        case ev.ContactRecycled():
            return said(
                "A contact was reported as given to someone else: {name}. Nothing is sent there any more.", name=name
            )
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _address_line(event: ev.AddressAdded | ev.AddressRenewed | ev.AddressRemoved, known: Known) -> str:
    match event:
        case ev.AddressAdded():
            return said(
                "A beneficiary was added: {name}, {network} {where}. It can be paid from {until} at the earliest.",
                name=quoted(known.opened(event.label)),
                network=term(event.network),
                where=shortened(known.opened(event.address)) if event.address else said("to anyone"),
                until=day_text(event.until),
            )
        case ev.AddressRenewed():
            until, name = begun_text(event.until), beneficiary_text(event.beneficiary)
            return said("A beneficiary was confirmed again until {until}: {name}.", until=until, name=name)
        case ev.AddressRemoved():
            return said("A beneficiary was removed: {name}.", name=beneficiary_text(event.beneficiary))
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


_ChangeEvent = ev.SettingChanged | ev.VaultChanged | ev.ChangeAsked | ev.ChangeCancelled | ev.ChangeDone


def _change_line(event: _ChangeEvent, known: Known) -> str:
    match event:
        case ev.SettingChanged():
            return said("A setting changed: {setting}.", setting=setting_text(event.setting, event.value))
        case ev.VaultChanged():
            vault = _vault(Vault(event.percent, event.hours, event.approver), known)
            return said("The vault changed: {vault}.", vault=vault)
        case ev.ChangeAsked():
            return said(
                "Less protection was asked for: {wanted} ({change}). "
                "It takes effect on {until} at the earliest, unless it is stopped.",
                wanted=_wanted(event, known),
                change=event.change,
                until=day_text(event.until),
            )
        case ev.ChangeCancelled():
            return said("A request for less protection was stopped ({change}).", change=event.change)
        case ev.ChangeDone():
            return said("The wait of a request for less protection is over ({change}).", change=event.change)
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _wanted(event: ev.ChangeAsked, known: Known) -> str:
    match event.kind:
        case ChangeKind.SET:
            return said("change {setting}", setting=setting_text(Setting(event.subject), event.value))
        case ChangeKind.REMOVE_AUTHENTICATOR:
            return said("remove {name}", name=known.authenticator(event.subject))
        case ChangeKind.REINSTATE_AUTHENTICATOR:
            return said("reinstate {name}", name=known.authenticator(event.subject))
        case ChangeKind.REMOVE_CONTACT:
            return said("remove {name}", name=known.contact(event.subject))
        case ChangeKind.RESUME_API_KEY:
            return said("let the suspended {key} work again", key=known.api_key(event.subject))
        case ChangeKind.OPEN_TRADING:
            return said("open again to trading: {subject}", subject=traded_text(event.subject))
        case ChangeKind.UNFREEZE:
            return said("unfreeze the account")
        case ChangeKind.VAULT:
            vault = _vault(Vault.unpacked(event.value, event.subject), known)
            return said("change the vault: {vault}", vault=vault)
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event.kind)


def _vault(vault: Vault, known: Known) -> str:
    if not vault.percent:
        return said("none")
    waits = said("{percent} % wait {hours} hours", percent=vault.percent, hours=vault.hours)
    if not vault.approver:
        return waits
    return said("{waits}, and need a code from {contact}", waits=waits, contact=known.contact(vault.approver))


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
            return _allowed_line(event, known)
        case ev.ExitHeld() | ev.ExitMoved() | ev.ExitApproved():
            return _waiting_line(event, known)
        case ev.ExitCancelled():
            why = said(" by two of the staff") if event.by else ""
            if event.listed:
                why = said(": nobody is paid any more at the address that it would have gone to")
            return said("The waiting payment {exit} was stopped{why}.", exit=event.exit, why=why)
        case ev.ExitLocked() | ev.ExitPaid() | ev.ExitDisputed() | ev.ExitRuled():
            return _sale_line(event)
        case ev.ExitSettled():
            what, reference = capital(_sent_text(event.exit)), quoted(event.reference)
            if event.returned:
                return said("{what} is moved back, says the platform: {reference}.", what=what, reference=reference)
            return said("{what} is final, says the platform: {reference}.", what=what, reference=reference)
        case ev.ValueSent() | ev.ExitReturnAsked() | ev.ExitReturned():
            return _sent_line(event)
        case ev.ExitCleared() | ev.ExitExceeded():
            return _card_line(event)
        case ev.ExitReconciled():
            worth = money(event.micro_usd)
            if event.lane is Lane.OWN:
                return said("A move to an own account from before a restore was counted again: {worth}.", worth=worth)
            return said("A payment from before a restore was counted again: {worth}.", worth=worth)
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _allowed_line(event: ev.ExitAllowed, known: Known) -> str:
    asked = known.payment() or event.payable
    own = event.lane is Lane.OWN
    return said(
        "Payment {exit} was let go{who}: {kind} of {amount}{worth} {where}.",
        exit=event.exit,
        who=said(" by two of the staff") if event.by else "",
        kind=term(event.kind),
        amount=said("{amount} {asset}, ", amount=asked.amount, asset=asked.asset) if asked else "",
        worth=money(event.micro_usd),
        where=said("to an own account") if own else _towards(event.beneficiary, known, event.payable),
    )


def _card_line(event: ev.ExitCleared | ev.ExitExceeded) -> str:
    if isinstance(event, ev.ExitExceeded):
        worth = money(event.micro_usd)
        return said(
            "Card payment {exit} was charged {worth} more than was set aside for it.", exit=event.exit, worth=worth
        )
    back, rest = "", money(event.refund_micro_usd)
    if event.refund_micro_usd:
        back = said("; {rest} more were set aside and are free", rest=rest)
    worth = money(event.charged_micro_usd)
    return said("Card payment {exit} was charged: {worth}{back}.", exit=event.exit, worth=worth, back=back)


def _sent_text(name: str) -> str:
    """What went to another customer: a payment, or by its own name what a trade gave away."""
    if inside.by_trade(name):
        return said("what was lost by a trade ({name})", name=name)
    return said("payment {name}", name=name)


def _sent_line(event: ev.ValueSent | ev.ExitReturnAsked | ev.ExitReturned) -> str:
    what = _sent_text(event.exit)
    match event:
        case ev.ExitReturnAsked():
            return said("A member of staff wants {what} to come back; a second one must want the same.", what=what)
        case ev.ExitReturned():
            worth = money(event.micro_usd)
            return said("{what} comes back, {worth}: two members of staff decided it.", what=capital(what), worth=worth)
        case ev.ValueSent():
            worth = money(event.micro_usd)
            there = said("{worth} stay there until {until} at least", worth=worth, until=day_text(event.until))
            if not event.order:
                return said("Payment {exit} arrived with another customer: {there}.", exit=event.exit, there=there)
            if not event.reported:
                return said(
                    "The order {order} may give {worth} away to another customer ({exit}).",
                    order=event.order,
                    worth=worth,
                    exit=event.exit,
                )
            return said(
                "The order {order} gave something away to another customer ({exit}): {there}.",
                order=event.order,
                exit=event.exit,
                there=there,
            )
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _waiting_line(event: ev.ExitHeld | ev.ExitMoved | ev.ExitApproved, known: Known) -> str:
    match event:
        case ev.ExitHeld():
            until = said("{until} at the earliest", until=day_text(event.until))
            if event.unconfirmed:
                until = said("its owner confirms again whom it pays, and until {until}", until=until)
            return said(
                "Payment {exit} waits until {until}: {kind} of {amount} {asset}, {worth} {where}.",
                exit=event.exit,
                until=until,
                kind=term(event.kind),
                amount=event.amount,
                asset=event.asset,
                worth=money(event.micro_usd),
                where=_towards(event.beneficiary, known),
            )
        case ev.ExitMoved(unconfirmed=True):
            return said(
                "The waiting payment {exit} waits until its owner confirms again whom it pays.", exit=event.exit
            )
        case ev.ExitMoved():
            until = day_text(event.until)
            return said("The waiting payment {exit} must wait longer, until {until}.", exit=event.exit, until=until)
        case ev.ExitApproved():
            who = known.contact(event.contact)
            return said("The waiting payment {exit} may reach into the vault, says {who}.", exit=event.exit, who=who)
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _sale_line(event: ev.ExitLocked | ev.ExitPaid | ev.ExitDisputed | ev.ExitRuled) -> str:
    sale = said("The sale {exit}", exit=event.exit)
    match event:
        case ev.ExitLocked():
            return said(
                "{sale} of {amount} {asset}, {worth} is locked for its buyer, who has until {until} to pay.",
                sale=sale,
                amount=event.amount,
                asset=event.asset,
                worth=money(event.micro_usd),
                until=day_text(event.until),
            )
        case ev.ExitPaid():
            reference = quoted(event.reference)
            return said("{sale} was paid by its buyer, says the platform: {reference}.", sale=sale, reference=reference)
        case ev.ExitDisputed():
            return said(
                "{sale} was stopped after its buyer had paid, so it is disputed: two of the staff decide.", sale=sale
            )
        case ev.ExitRuled():
            if event.to_buyer:
                return said(
                    "{sale} goes to its buyer, says one of the staff; a second one must say the same.", sale=sale
                )
            return said("{sale} is given back, says one of the staff; a second one must say the same.", sale=sale)
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def unsaid_text(payments: int, micro_usd: int) -> str:
    """What a key paid since the last of its payments that its owner was told of at once; "" if that is nothing."""
    if not payments:
        return ""
    many = said("1 payment") if payments == 1 else said("{count} payments", count=payments)
    return said(
        "Not told of at once since the last notice of what this key paid: {many}, worth {worth} in all.",
        many=many,
        worth=money(micro_usd),
    )


def _towards(beneficiary: str, known: Known, payable: ev.Payable | None = None) -> str:
    """Who is paid, from the request if this is its entry, or what is known of it since, else by the entry's name."""
    asked = known.payment()
    target = (asked.address or asked.counterparty) if asked else payable.destination if payable else None
    by = term(beneficiary.partition(".")[0])
    if target is not None:
        return said("to {whom} by {network}", whom=shortened(known.opened(target)), network=by)
    if payable is not None and payable.counterparty:
        return said("to {whom} by {network}", whom=shortened(payable.counterparty), network=by)
    if beneficiary in OPENED_KINDS:
        return said("by {network}", network=term(beneficiary))
    return said("to {whom}", whom=beneficiary_text(beneficiary))


_NoticeEvent = ev.CoolOffStarted | ev.NoticeDue | ev.NoticeFolded | ev.NoticeAccepted | ev.NoticeFailed | ev.WaitMoved


def _notice_line(event: _NoticeEvent, known: Known) -> str:
    match event:
        case ev.CoolOffStarted():
            return said(
                "Payments cool off after {cause}: "
                "to long-known beneficiaries{spared} until {senior}, to others until {others}, at the earliest.",
                cause=term(event.cause),
                spared=said(" (usual amounts excepted)") if event.severity is Severity.MILD else "",
                senior=day_text(event.senior_until),
                others=day_text(event.others_until),
            )
        case ev.NoticeDue():
            count = len(event.contacts)
            return said("The owner is told ({cause}) at {count} contacts.", cause=term(event.cause), count=count)
        case ev.NoticeFolded():
            return said("The same news again ({cause}) was counted, not sent.", cause=term(event.cause))
        case ev.NoticeAccepted():
            return said("A notice was accepted for delivery to {contact}.", contact=known.contact(event.contact))
        case ev.NoticeFailed():
            return said("A notice could not be delivered to {contact}.", contact=known.contact(event.contact))
        case ev.WaitMoved():
            return said(
                "The owner was told, so a wait runs from here until {until}: {kind} {name}.",
                until=day_text(event.until),
                kind=term(event.about.kind.replace("_", " ")),
                name=beneficiary_text(event.about.id),
            )
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


_ENDED: Final[dict[Ending, str]] = {
    Ending.VETOED: said("A recovery of the account was ended by one of its contacts."),
    Ending.CANCELLED: said("A recovery of the account was ended by someone signed in, with full proof."),
    Ending.REJECTED: said("A recovery of the account was rejected by a reviewer."),
    Ending.REPLACED: said("A recovery of the account that showed nothing was replaced by another."),
    Ending.EXPIRED: said("A recovery of the account ended by itself, for nobody went on with it."),
    Ending.WITHDRAWN: said("A recovery of the account was given up by whoever had opened it."),
}


def _asker_text(asker: ev.Asker | None, shown: tuple[str, ...], known: Known) -> str:
    """Who had asked for a recovery that came to nothing, from where and with what, and what he had shown."""
    if asker is None:
        return ""
    if asker.staff:
        who = said("a member of staff, for ticket {ticket}", ticket=asker.ticket)
    else:
        given = (("from", asker.ip), ("with", asker.user_agent))
        texts = {word: known.opened(one) for word, one in given if one is not None}
        where = network_text(texts.get("from", ""))
        who = said("from {network}", network=where) if where else said("from a network that is not known")
        if asker.country:
            who = said("{who} ({country})", who=who, country=asker.country)
        if "with" in texts:
            who = said("{who}, with {program}", who=who, program=program(texts["with"]))
    return said(
        "It was asked for on {when}, {who}. Shown for it: {pieces}.",
        when=begun_text(asker.at),
        who=who,
        pieces=listed(map(evidence_text, shown)) or said("nothing"),
    )


def _recovery_line(event: ev.RecoveryEvent | ev.EvidenceBurned, known: Known) -> str:
    match event:
        case ev.RecoveryOpened():
            lost = together(event.lost)
            if event.asker and event.asker.staff:
                return said(
                    "A member of staff was told by someone that they are the owner and lost what they sign in with: "
                    "{lost}.",
                    lost=lost,
                )
            return said("Someone says that they are the owner and lost what they sign in with: {lost}.", lost=lost)
        case ev.RecoveryAsked():
            if not event.contact:
                return said("A passkey was asked for in a recovery.")
            return said("A code for a recovery was sent to {contact}.", contact=known.contact(event.contact))
        case ev.RecoveryShown() | ev.RecoveryMissed() | ev.RecoveryDoubted():
            return _evidence_line(event)
        case ev.RecoveryClosed():
            until = day_text(event.until)
            return said(
                "A recovery waits. From {until} whoever opened it may choose a new password, unless you object.",
                until=until,
            )
        case ev.RecoveryReviewed():
            approved = said("A reviewer approved a recovery of the account.")
            return approved if event.approved else said("A reviewer rejected a recovery of the account.")
        case ev.RecoveryContested():
            who = capital(WHO[event.by.kind])
            return said("{who} objected to a recovery. Its wait is twice as long from now on.", who=who)
        case ev.EvidenceBurned():
            return said(
                "In recoveries of this account this proves nothing before {until}: {kinds}.",
                until=day_text(event.until),
                kinds=listed(map(evidence_text, event.kinds)),
            )
        case _:
            return _outcome_line(event, known)


def _evidence_line(event: ev.RecoveryShown | ev.RecoveryMissed | ev.RecoveryDoubted) -> str:
    evidence = evidence_text(event.evidence)
    match event:
        case ev.RecoveryShown():
            return said("In a recovery this was shown: {evidence}.", evidence=evidence)
        case ev.RecoveryMissed():
            return said("In a recovery this was wrong: {evidence}.", evidence=evidence)
        case ev.RecoveryDoubted():
            return said(
                "In a recovery this did not pass, so that reviewers must approve: {evidence}.", evidence=evidence
            )
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _outcome_line(event: ev.RecoveryEnded | ev.RecoveryReminded | ev.RecoveryFinished, known: Known) -> str:
    """What became of a recovery, or that nothing did yet."""
    match event:
        case ev.RecoveryEnded():
            return sentences(_ENDED[event.how], _asker_text(event.asker, event.shown, known))
        case ev.RecoveryReminded():
            until = day_text(event.until)
            if event.waits:
                return said(
                    "A recovery still waits. From {until} whoever opened it may take over, unless you object.",
                    until=until,
                )
            return said(
                "A recovery is still open, and waits for whoever opened it. It ends by itself on {until}.", until=until
            )
        case ev.RecoveryFinished():
            until = day_text(event.weak_until)
            return said("The account was recovered by a new password. Until {until} it does little.", until=until)
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _incident_line(event: ev.IncidentReported | ev.IncidentNoted | ev.IncidentClosed, known: Known) -> str:
    match event:
        case ev.IncidentReported():
            who = capital(WHO[event.by.kind])
            return said(
                "{who} reported a robbery ({case}), in these words: {words}.",
                who=who,
                case=event.incident,
                words=quoted(known.opened(event.story)),
            )
        case ev.IncidentNoted():
            words = quoted(known.opened(event.note))
            return said("Something was added to the case {case}: {words}.", case=event.incident, words=words)
        case ev.IncidentClosed():
            who = said("someone signed in, with full proof")
            if event.by:
                who = said("{member} of the staff", member=event.by)
            return said("The case {case} was closed by {who}.", case=event.incident, who=who)
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _read_line(event: ev.TicketOpened | ev.TicketClosed | ev.LookedUp) -> str:
    match event:
        case ev.TicketOpened():
            return said(
                "The help desk opened ticket {ticket}: for it staff may read this account.", ticket=event.ticket
            )
        case ev.TicketClosed():
            return said(
                "The help desk closed ticket {ticket}: nobody reads this account for it any more.", ticket=event.ticket
            )
        case ev.LookedUp():
            if event.fields == (LEGAL_REQUEST,):
                who = event.member
                return said("The legal request ({name}) was read by {who} of the staff.", name=event.ticket, who=who)
            return said(
                "Seen by {who} of the staff, ticket {ticket}: {fields} ({how}).",
                who=event.member,
                ticket=event.ticket,
                fields=listed(map(term, event.fields)),
                how=said("as it is") if event.revealed else said("masked"),
            )


def _legal_line(event: ev.LegalEvent) -> str:
    """What authorities asked, in words: which one, by which basis, and what came of it."""
    name = event.request
    match event:
        case ev.LegalReceived():
            return _received_line(event)
        case ev.LegalCalledBack():
            return said(
                "The authority was rung at the registry's number and confirmed the legal request ({name}).", name=name
            )
        case ev.LegalApproved():
            return said("A member of staff approved the legal request ({name}).", name=name)
        case ev.LegalRejected():
            if not event.forged:
                return said("A legal request about you ({name}) was turned down. Nothing was disclosed.", name=name)
            return said(
                "Somebody handed in forged papers about you ({name}). Nothing was disclosed. "
                "Recoveries of the account wait twice as long until {until}.",
                name=name,
                until=day_text(event.targeted_until),
            )
        case ev.LegalDisclosed() | ev.LegalTold():
            return _disclosed_line(event)
        case ev.LegalFrozen():
            return said(
                "By order of {agency} ({name}) no payment leaves until {until}.",
                agency=quoted(event.agency),
                name=name,
                until=day_text(event.until),
            )
        case ev.LegalThawAsked():
            return said(
                "A member of staff wants the authority's order ({name}) ended early. A second one must agree.",
                name=name,
            )
        case ev.LegalThawed():
            return said("The authority's order ({name}) was ended early, by two members of staff.", name=name)
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _disclosed_line(event: ev.LegalDisclosed | ev.LegalTold) -> str:
    match event:
        case ev.LegalDisclosed():
            return said(
                "Disclosed to {agency}, by {basis} ({name}): {fields}. "
                "Your data was sealed for that authority, and proof of what it was is kept.",
                agency=quoted(event.agency),
                basis=_basis(event),
                name=event.request,
                fields=_fields_text(event.fields),
            )
        case ev.LegalTold():
            return said(
                "On {when} {fields} was disclosed to {agency}, by {basis} ({name}). "
                "A secrecy order hid that until now.",
                when=begun_text(event.disclosed_at),
                fields=_fields_text(event.fields),
                agency=quoted(event.agency),
                basis=_basis(event),
                name=event.request,
            )
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _received_line(event: ev.LegalReceived) -> str:
    wants, refused = said("orders that payments stop"), ""
    if event.fields:
        wants = said("asks for {fields}", fields=_fields_text(event.fields))
    if event.refused:
        refused = said("It also named what its basis does not reach: {fields}.", fields=_fields_text(event.refused))
    came = said(
        "A legal request ({name}) of {agency} came in and {wants}, by {basis}.",
        name=event.request,
        agency=quoted(event.agency),
        wants=wants,
        basis=_basis(event),
    )
    return sentences(came, refused)


def _member_line(event: ev.MemberEvent) -> str:
    match event:
        case ev.MemberProposed():
            who, roles = capital(event.by or said("the operator")), _roles(event.roles)
            return said("{who} wants you in the staff: {roles}. A second person decides.", who=who, roles=roles)
        case ev.MemberEnrolled():
            by = listed((one or said("the operator") for one in event.by), " and ")
            return said("You are of the staff ({roles}), by {by}.", roles=_roles(event.roles), by=by)
        case ev.MemberRetired():
            return said("You left the staff, by {by}. Every session ended.", by=event.by)
        case ev.MemberFlagged():
            return said(
                "Somebody must ask what this person read, and why ({why}: {ones} of {reads}).",
                why=event.why,
                ones=event.ones,
                reads=event.reads,
            )
        case ev.ColleagueJudged():
            return said(
                "You had a word in who {account} is to us, of the staff or the registry.", account=event.account
            )
        case ev.CustomerRead():
            return said("You read a customer for ticket {ticket}.", ticket=event.ticket)
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _basis(event: ev.LegalReceived | ev.LegalDisclosed | ev.LegalTold) -> str:
    return term(event.basis.replace("_", " "))


def _fields_text(fields: tuple[str, ...]) -> str:
    return listed(term(quoted(one.replace("_", " "))[1:-1]) for one in fields)


def _roles(roles: tuple[ev.Role, ...]) -> str:
    return listed(term(role.value) for role in roles)


def _trade_line(event: ev.AnyTradeEvent) -> str:
    match event:
        case ev.OrderAllowed():
            return _order_line(event)
        case ev.OrderReported():
            misled = said("It was to reduce risk and did not.") if event.misled else ""
            return sentences(said("The platform told what became of the order {order}.", order=event.order), misled)
        case ev.LeaseGranted():
            return said(
                "For a moment the platform may let orders of {pair} give away {worth} without asking.",
                pair=event.pair,
                worth=money(event.micro_usd),
            )
        case ev.LeaseSettled():
            worth = money(event.refund_micro_usd)
            return said("Of that, {worth} was not used ({lease}).", worth=worth, lease=event.lease)
        case ev.TradingAlerted():
            return said("Orders of the last day were {worth} worse than the market.", worth=money(event.micro_usd))
        case ev.TradingClosed():
            names = [f"pair {event.pair}", *([f"counterparty {event.counterparty}"] if event.counterparty else [])]
            closed = listed(map(traded_text, names), " and ")
            return said(
                "An order far worse than the market was refused. Closed to your trading: {closed}.", closed=closed
            )
        case ev.TradingOpened():
            return said("Open to your trading again: {subject}.", subject=traded_text(event.subject))
        case ev.ProceedsSeen():
            return said("Another customer lost {worth} to this account by trading.", worth=money(event.micro_usd))
        case ev.ProceedsHeld():
            worth = money(event.micro_usd)
            return said("Several customers lost {worth} to this account within an hour. That stays here.", worth=worth)
        case ev.Tied():
            return _tied_line(event)
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _order_line(event: ev.OrderAllowed) -> str:
    worth, lost = money(event.notional_micro_usd), event.drain.micro_usd
    let = said(
        "An order was let through: {side} {pair} for {worth}.", side=term(event.side), pair=event.pair, worth=worth
    )
    return sentences(let, said("It may give away {worth}.", worth=money(lost)) if lost else "")


def _tied_line(event: ev.Tied) -> str:
    what = said("Where a deposit came from") if event.funds else said("A device or an address of this account")
    if event.counts:
        return said("{what} was noted, for accounts that share it.", what=what)
    return said("{what} is shared by so many that it says nothing.", what=what)


def _key_line(event: ev.AnyKeyEvent | ev.ApiKeysStopped, known: Known) -> str:
    if isinstance(event, ev.ApiKeysStopped):
        count, names = len(event.keys), listed(map(known.api_key_name, event.keys), " and ")
        many = said("{count} API keys", count=count) if count > 1 else said("{count} API key", count=count)
        return said("Suspended: {many}, {names}, which somebody else may have made or know.", many=many, names=names)
    key = known.api_key(event.api_key)
    match event:
        case ev.ApiKeyCreated():
            return _key_made_line(event, known)
        case ev.ApiKeySigned():
            return said("A request was signed with the {key}.", key=key)
        case ev.ApiKeyWoken():
            return said("The {key} is used again after a long time, confirmed by a proof.", key=key)
        case ev.ApiKeySuspended():
            return said("The {key} was suspended.", key=key)
        case ev.ApiKeyResumed():
            return said("The suspended {key} works again.", key=key)
        case ev.ApiKeyRevoked():
            key = key_text(event.api_key, event.label, known.opened)
            ended = said("The {key} was revoked.", key=key)
            if event.leaked:
                ended = said("The {key} was revoked, for it had leaked.", key=key)
            return sentences(ended, unsaid_text(event.unsaid, event.unsaid_micro_usd))
        case ev.ApiKeyWarned():
            when = day_text(event.lapses_at)
            return said("The {key} stops trading on {when}, for it may be used from anywhere.", key=key, when=when)
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _key_made_line(event: ev.ApiKeyCreated, known: Known) -> str:
    whence = said("from anywhere")
    if event.networks:
        whence = said("from {count} networks", count=len(event.networks))
    return said(
        "An API key was made, {name} ({key}): to {scopes}, {whence}. It can be used {usable}.",
        name=quoted(known.opened(event.label)),
        key=event.api_key,
        scopes=together([scope.value for scope in event.scopes]),
        whence=whence,
        usable=begun_text(event.until),
    )


def _breaker_line(event: ev.BreakerTripped | ev.BreakerResetAsked | ev.BreakerReset) -> str:
    match event:
        case ev.BreakerTripped():
            left, limit = (f"${one // 1_000_000:,}" for one in (event.micro_usd, event.limit_micro_usd))
            return said(
                "The circuit breaker tripped: {left} left within an hour ({scope}), more than {limit}.",
                left=left,
                scope=term(event.scope.replace("_", " ")),
                limit=limit,
            )
        case ev.BreakerResetAsked():
            return said(
                "The circuit breaker is to be reset, asks {by}; a second person must ask the same.", by=event.by
            )
        case ev.BreakerReset():
            return said("The circuit breaker was reset by {by}.", by=listed(event.by, " and "))
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _agency_line(event: ev.AgencyProposed | ev.AgencyEntered | ev.AgencyRemoved, known: Known) -> str:
    match event:
        case ev.AgencyProposed():
            name = quoted(known.opened(event.name))
            return said("An agency is to stand in the registry, asks {by}: {name}.", by=event.by, name=name)
        case ev.AgencyEntered():
            return said(
                "The agency stands in the registry from {until}, by {by}: "
                "{officers} officers, {certificates} certificates, {domains}.",
                until=day_text(event.until),
                by=listed(event.by, " and "),
                officers=len(event.officers),
                certificates=len(event.certificates),
                domains=listed(quoted(one.replace("_", " "))[1:-1] for one in event.domains),
            )
        case ev.AgencyRemoved():
            if event.waiting:
                return said("What was to stand in the registry of the agency was taken back by {by}.", by=event.by)
            return said("The agency was taken out of the registry by {by}.", by=event.by)
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)
