"""What a proof would confirm, in words: on the page where the owner compares, and in the message with a code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, assert_never

import msgspec

from holdback.core.events import (
    Setting,
    stored_decoder,
)
from holdback.core.rules.account import AccountUnfreeze
from holdback.core.rules.address import AddressAdd, AddressRenew
from holdback.core.rules.asking import micro_usd
from holdback.core.rules.authenticator import AuthenticatorBind, AuthenticatorReinstate, AuthenticatorRemove
from holdback.core.rules.contact import ContactAdd, ContactRemove, ContactReportRecycled
from holdback.core.rules.exit import ExitRelease, ExitRequest
from holdback.core.rules.incident import IncidentClose
from holdback.core.rules.password import PasswordChange
from holdback.core.rules.recovery import EvidenceBurn, RecoveryCancel, RecoveryEvidence, RecoveryFinish
from holdback.core.rules.session import SessionStart
from holdback.core.rules.setting import AllowlistSet, LimitSet, LockSet, wanted
from holdback.wording.words import KINDS, beneficiary_text, capital, exact, masked, money, quoted, shortened

if TYPE_CHECKING:
    from holdback.core import events as ev
    from holdback.core.rules.asking import Action
    from holdback.core.state import Customer, Head
    from holdback.wording.words import Opened


class Known(NamedTuple):
    """What names things of which an event knows the id alone. Both `head` and `decided` may be missing."""

    opened: Opened
    head: Head | None
    decided: ev.Decided | None

    def authenticator(self, name: str) -> str:
        """An authenticator by kind and id."""
        one = self.head.authenticators.get(name) if self.head else None
        return f"{KINDS[one.kind]} ({name})" if one else f"authenticator {name}"

    def contact(self, name: str) -> str:
        """A contact by masked address and id."""
        one = self.head.contacts.get(name) if self.head else None
        return f"{masked(one.channel, self.opened(one.address))} ({name})" if one else f"contact {name}"

    def payment(self) -> ExitRequest | None:
        """The request to pay that caused this, if one did."""
        asked = self.decided if self.decided and self.decided.action == "exit.request" else None
        return _EXIT_REQUEST.decode(asked.request) if asked else None

    def released(self) -> str:
        """The id of the waiting payment that this asks to let go, empty if it asks for something else."""
        asked = self.decided if self.decided and self.decided.action == "exit.release" else None
        return _EXIT_RELEASE.decode(asked.request).which if asked else ""

    def beneficiary(self, asked: AddressAdd | AddressRenew) -> str:
        """An entry of the book, as a request names it."""
        where = shortened(self.opened(asked.address)) if asked.address else "to anyone"
        return f"{asked.network} {where}"


_EXIT_REQUEST: Final = stored_decoder(ExitRequest)

_EXIT_RELEASE: Final = stored_decoder(ExitRelease)

_Confirmed = (
    SessionStart
    | ExitRequest
    | ExitRelease
    | AddressAdd
    | AddressRenew
    | AuthenticatorBind
    | AuthenticatorRemove
    | AuthenticatorReinstate
    | ContactAdd
    | ContactRemove
    | ContactReportRecycled
    | PasswordChange
    | AccountUnfreeze
    | AllowlistSet
    | LockSet
    | LimitSet
    | RecoveryEvidence
    | RecoveryCancel
    | RecoveryFinish
    | EvidenceBurn
    | IncidentClose
)
"""Every action that may ask for proof."""

_CONFIRMED: Final[msgspec.msgpack.Decoder[_Confirmed]] = stored_decoder(_Confirmed)  # type: ignore[arg-type] # a union


def confirmed_text(known: Known) -> str:
    """What a proof confirms, in words that name amount and address: `pay 0.25 BTC to bc1qar0s...wf5mdq by bitcoin`.

    Whoever is asked for a code on the telephone reads here what it would do.
    """
    try:
        asked = _CONFIRMED.decode(known.decided.request if known.decided else b"")
    except msgspec.DecodeError:
        return "confirm something that was asked of your account"
    match asked:
        case SessionStart():
            return "sign in"
        case ExitRequest():
            towards = asked.address or asked.counterparty
            whom = f"to {shortened(known.opened(towards))} by {asked.network or asked.kind}" if towards else "to anyone"
            return f"pay {asked.amount} {quoted(asked.asset)[1:-1]} {whom}"
        case ExitRelease():
            return f"let {waiting_payment(known)} leave before its time"
        case AddressAdd():
            return f"add the beneficiary {quoted(known.opened(asked.name))}, {known.beneficiary(asked)}"
        case AddressRenew():
            return f"confirm a beneficiary again: {known.beneficiary(asked)}"
        case PasswordChange():
            return "replace the password"
        case AccountUnfreeze():
            return "unfreeze the account"
        case AllowlistSet() | LockSet() | LimitSet():
            return f"change {_setting_wanted(asked)}"
        case RecoveryEvidence() | RecoveryCancel() | RecoveryFinish() | EvidenceBurn() | IncidentClose():
            return _RECOVERING[type(asked)]
        case _:
            return _guard_wanted(asked, known)


_RECOVERING: Final[dict[type[Action], str]] = {
    RecoveryEvidence: "show that you are the owner of an account that is to be recovered",
    RecoveryCancel: "end the recovery of your account",
    RecoveryFinish: "finish the recovery of your account by a new password",
    EvidenceBurn: "say that others know what would prove that you are the owner",
    IncidentClose: "close the case of your robbery",
}


def _guard_wanted(
    asked: AuthenticatorBind
    | AuthenticatorRemove
    | AuthenticatorReinstate
    | ContactAdd
    | ContactRemove
    | ContactReportRecycled,
    known: Known,
) -> str:
    match asked:
        case AuthenticatorBind():
            return f"add a way of confirming: {KINDS[asked.kind]}"
        case AuthenticatorRemove():
            return f"remove {known.authenticator(asked.authenticator)}"
        case AuthenticatorReinstate():
            return f"reinstate {known.authenticator(asked.authenticator)}"
        case ContactAdd():
            return f"add the contact {masked(asked.channel, known.opened(asked.address))}"
        case ContactRemove():
            return f"remove the contact {known.contact(asked.contact)}"
        case ContactReportRecycled():
            given = known.contact(asked.contact) if asked.contact else known.authenticator(asked.authenticator or "")
            return f"report as given to someone else: {given}"
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(asked)


def _setting_wanted(asked: AllowlistSet | LockSet | LimitSet) -> str:
    match asked:
        case AllowlistSet():
            return setting_text(Setting.ALLOWLIST, int(asked.on))
        case LockSet():
            return setting_text(Setting.LOCK_HOURS, asked.hours)
        case LimitSet():
            limit = -1 if asked.usd_per_day is None else micro_usd(asked.usd_per_day)
            return setting_text(Setting.LIMIT_MICRO_USD, limit)
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(asked)


_SETTINGS: Final = {
    Setting.ALLOWLIST: "paying only addresses in the book",
    Setting.LOCK_HOURS: "the settings lock (hours)",
    Setting.LIMIT_MICRO_USD: "the daily limit",
}


def setting_text(setting: Setting, value: int) -> str:
    """A setting with its value."""
    if setting is Setting.ALLOWLIST:
        return f"{_SETTINGS[setting]}: {'on' if value else 'off'}"
    if setting is Setting.LIMIT_MICRO_USD:
        return f"{_SETTINGS[setting]}: {'none' if value < 0 else money(value)}"
    return f"{_SETTINGS[setting]}: {value}"


def asked_line(action: Action, opened: Opened = str, customer: Customer | None = None) -> str:
    """What the owner confirms by proving, in words: amount and address in full, for this is where he compares them.

    `customer` has the parts that the action names. What needs no proof has no line.
    """
    known = Known(opened, customer.head if customer else None, None)
    match action:
        case SessionStart():
            return "Sign in."
        case ExitRequest():
            target = action.address or action.counterparty
            where = f" to {exact(opened(target))}" if target else ""
            network = f" by {action.network}" if action.network else ""
            return f"Send {action.amount} {action.asset}{where}{network} ({action.kind})."
        case ExitRelease():
            return _release_asked(action.which, known, customer)
        case AddressAdd():
            where = exact(opened(action.address)) if action.address else "any receiver"
            return f"Add to the address book as {quoted(opened(action.name))}: {where} by {action.network}."
        case AddressRenew():
            where = exact(opened(action.address)) if action.address else "any receiver"
            return f"Confirm again in the address book: {where} by {action.network}."
        case _:
            return _change_asked(action, known)


def _change_asked(action: Action, known: Known) -> str:
    """What changes the account and moves no value."""
    match action:
        case AuthenticatorBind():
            return f"Add a way of confirming: {KINDS[action.kind]}."
        case AuthenticatorRemove():
            return f"Remove a way of confirming: {known.authenticator(action.authenticator)}."
        case AuthenticatorReinstate():
            return f"Reinstate a way of confirming: {known.authenticator(action.authenticator)}."
        case ContactAdd():
            return f"Add a contact for notices ({action.channel}): {exact(known.opened(action.address))}."
        case ContactRemove():
            return f"Remove a contact for notices: {known.contact(action.contact)}."
        case ContactReportRecycled():
            name = known.contact(action.contact) if action.contact else known.authenticator(action.authenticator or "")
            return f"Report that this belongs to someone else now: {name}."
        case AllowlistSet() | LockSet() | LimitSet():
            return f"Change a setting: {setting_text(*wanted(action))}."
        case PasswordChange():
            return "Change the password."
        case AccountUnfreeze():
            return "Unfreeze the account."
        case RecoveryEvidence() | RecoveryCancel() | RecoveryFinish() | EvidenceBurn() | IncidentClose():
            return f"{capital(_RECOVERING[type(action)])}."
        case _:
            return ""


def _release_asked(which: str, known: Known, customer: Customer | None) -> str:
    held = known.head.exits.get(which) if known.head else None
    if held is None or customer is None:
        return f"Let a waiting payment go now ({which})."
    entry = customer.beneficiary(held.beneficiary)
    where = exact(known.opened(entry.address)) if entry and entry.address else beneficiary_text(held.beneficiary)
    return f"Let a waiting payment go now: {held.amount} {held.asset} to {where} by {held.network} ({which})."


def waiting_payment(known: Known) -> str:
    """The payment that an early release lets go, with what it is worth if that is known."""
    name = known.released()
    held = known.head.exits.get(name) if known.head else None
    if held is None:
        return f"the waiting payment {name}" if name else "a waiting payment"
    return f"the waiting payment {name} of {held.amount} {held.asset}, {money(held.micro_usd)},"
