"""What a proof would confirm, in words: on the page where the owner compares, and in the message with a code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from holdback.core.events import (
    Setting,
    stored_decoder,
)
from holdback.core.rules.account import AccountUnfreeze
from holdback.core.rules.address import AddressAdd, AddressRenew
from holdback.core.rules.api_key import ApiKeyCreate, ApiKeySuspend
from holdback.core.rules.authenticator import AuthenticatorBind, AuthenticatorReinstate, AuthenticatorRemove
from holdback.core.rules.contact import ContactAdd, ContactRemove, ContactReportRecycled
from holdback.core.rules.exit import ExitRelease, ExitRequest
from holdback.core.rules.incident import IncidentClose
from holdback.core.rules.order import OrderPlace
from holdback.core.rules.password import PasswordChange
from holdback.core.rules.recovery import EvidenceBurn, RecoveryCancel, RecoveryEvidence, RecoveryFinish, payment
from holdback.core.rules.session import SessionStart
from holdback.core.rules.setting import AllowlistSet, LimitSet, LockSet, VaultSet, wanted
from holdback.core.trading import EVERY_PAIR
from holdback.wording.words import (
    KINDS,
    beneficiary_text,
    capital,
    exact,
    key_text,
    masked,
    money,
    quoted,
    shortened,
    together,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdback.core import events as ev
    from holdback.core.events import Channel
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

    def api_key(self, name: str) -> str:
        """An API key by its owner's own words and its id."""
        one = self.head.api_keys.get(name) if self.head else None
        return key_text(name, one.label if one else None, self.opened)

    def contact(self, name: str) -> str:
        """A contact by masked address and id."""
        one = self.head.contacts.get(name) if self.head else None
        return f"{masked(one.channel, self.opened(one.address))} ({name})" if one else f"contact {name}"

    def payment(self) -> ExitRequest | None:
        """The request to pay that caused this, if one did."""
        if self.decided is None:
            return None
        if self.decided.action == "recovery.finish":
            return payment(_RECOVERY_FINISH.decode(self.decided.request))
        return _EXIT_REQUEST.decode(self.decided.request) if self.decided.action == "exit.request" else None

    def released(self) -> str:
        """The id of the waiting payment that this asks to let go, empty if it asks for something else."""
        asked = self.decided if self.decided and self.decided.action == "exit.release" else None
        return _EXIT_RELEASE.decode(asked.request).which if asked else ""


_EXIT_REQUEST: Final = stored_decoder(ExitRequest)

_EXIT_RELEASE: Final = stored_decoder(ExitRelease)
_RECOVERY_FINISH: Final = stored_decoder(RecoveryFinish)

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
    | VaultSet
    | LimitSet
    | RecoveryEvidence
    | RecoveryCancel
    | RecoveryFinish
    | EvidenceBurn
    | IncidentClose
    | ApiKeyCreate
    | ApiKeySuspend
    | OrderPlace
)
"""Every action that may ask for proof."""

_CONFIRMED: Final[msgspec.msgpack.Decoder[_Confirmed]] = stored_decoder(_Confirmed)  # type: ignore[arg-type] # a union


class _Places(NamedTuple):
    """How places are written: in full where the owner compares them, shortened where others may read along."""

    destination: Callable[[str], str]
    contact: Callable[[Channel, str], str]


_EXACT: Final = _Places(exact, lambda _channel, text: exact(text))
_SHORTENED: Final = _Places(shortened, masked)


def asked_line(action: Action, opened: Opened = str, customer: Customer | None = None) -> str:
    """What the owner confirms by proving, in words: amount and address in full, for this is where he compares them.

    `customer` has the parts that the action names. What needs no proof has no line.
    """
    words = _words(action, Known(opened, customer.head if customer else None, None), _EXACT, customer)
    return f"{capital(words)}." if words else ""


def confirmed_text(known: Known) -> str:
    """The same for a message with a code, as part of a sentence: `send 0.25 BTC to bc1qar0s...wf5mdq by bitcoin`.

    Whoever is asked for a code on the telephone reads here what it would do.
    """
    try:
        asked = _CONFIRMED.decode(known.decided.request if known.decided else b"")
    except msgspec.DecodeError:
        return "confirm something that was asked of your account"
    return _words(asked, known, _SHORTENED)


def _words(action: Action, known: Known, places: _Places, customer: Customer | None = None) -> str:
    """What a proof of this action does; "" for one that needs none."""
    match action:
        case ExitRequest():
            target = action.address or action.counterparty
            where = f" to {places.destination(known.opened(target))}" if target else ""
            network = f" by {action.network}" if action.network else ""
            return f"send {action.amount} {quoted(action.asset)[1:-1]}{where}{network} ({action.kind})"
        case ExitRelease():
            return _release(action.which, known, places, customer)
        case AddressAdd():
            name = quoted(known.opened(action.name))
            return f"add to the address book as {name}: {_entry(action, known, places)}"
        case AddressRenew():
            return f"confirm again in the address book: {_entry(action, known, places)}"
        case SessionStart() | PasswordChange() | AccountUnfreeze():
            return _PLAIN[type(action)]
        case RecoveryFinish() if (asked := payment(action)) is not None:
            return f"{_words(asked, known, places)}, out of an account that is being recovered"
        case RecoveryEvidence() | RecoveryCancel() | RecoveryFinish() | EvidenceBurn() | IncidentClose():
            return _PLAIN[type(action)]
        case LimitSet(trades=str(subject)):
            return f"open again to trading: {traded_text(subject)}"
        case AllowlistSet() | LockSet() | LimitSet():
            return f"change a setting: {setting_text(*wanted(action))}"
        case VaultSet():
            hours = f" for {action.hours} hours" if action.hours else ""
            return f"change the vault: lock {action.share} %{hours}"
        case _:
            return _guard(action, known, places)


_PLAIN: Final[dict[type[Action], str]] = {
    SessionStart: "sign in",
    PasswordChange: "change the password",
    AccountUnfreeze: "unfreeze the account",
    RecoveryEvidence: "show that you are the owner of an account that is to be recovered",
    RecoveryCancel: "end the recovery of your account",
    RecoveryFinish: "finish the recovery of your account by a new password",
    EvidenceBurn: "say that others know what would prove that you are the owner",
    IncidentClose: "close the case of your robbery",
}
"""What needs no more words than its name."""


def _guard(action: Action, known: Known, places: _Places) -> str:
    """What changes who may confirm and who is told."""
    match action:
        case AuthenticatorBind():
            return f"add a way of confirming: {KINDS[action.kind]}"
        case AuthenticatorRemove():
            return f"remove a way of confirming: {known.authenticator(action.authenticator)}"
        case AuthenticatorReinstate():
            return f"reinstate a way of confirming: {known.authenticator(action.authenticator)}"
        case ContactAdd():
            where = places.contact(action.channel, known.opened(action.address))
            return f"add a contact for notices ({action.channel}): {where}"
        case ContactRemove():
            return f"remove a contact for notices: {known.contact(action.contact)}"
        case ContactReportRecycled():
            name = known.contact(action.contact) if action.contact else known.authenticator(action.authenticator or "")
            return f"report that this belongs to someone else now: {name}"
        case ApiKeyCreate():
            whence = f"from {together([known.opened(one) for one in action.ip_allowlist])}"
            scopes = together([scope.value for scope in action.scopes])
            return f"make an API key to {scopes}, {whence if action.ip_allowlist else 'from anywhere'}"
        case OrderPlace():
            worst = f"at {action.price} each at the worst"
            return f"{action.side} {action.amount} of {action.pair}, {worst}, with an API key that slept"
        case ApiKeySuspend(on=False):
            return f"let the suspended {known.api_key(action.key)} work again"
        case _:
            return ""


def _entry(action: AddressAdd | AddressRenew, known: Known, places: _Places) -> str:
    where = places.destination(known.opened(action.address)) if action.address else "any receiver"
    return f"{where} by {action.network}"


def _release(which: str, known: Known, places: _Places, customer: Customer | None) -> str:
    held = known.head.exits.get(which) if known.head else None
    if held is None:
        return f"let a waiting payment go now ({which})"
    if held.lock is not None:
        return f"hand {held.amount} {held.asset} to the buyer, because the money for it is there ({which})"
    entry = customer.beneficiary(held.beneficiary) if customer else None
    where = places.destination(known.opened(entry.address)) if entry and entry.address else ""
    where = where or beneficiary_text(held.beneficiary)
    return f"let a waiting payment go now: {held.amount} {held.asset} to {where} by {held.network} ({which})"


_SETTINGS: Final = {
    Setting.ALLOWLIST: "paying only addresses in the book",
    Setting.LOCK_HOURS: "the settings lock (hours)",
    Setting.LIMIT_MICRO_USD: "the daily limit",
}


def traded_text(subject: str) -> str:
    """What may be closed to trading: a pair, all of them, or somebody."""
    kind, _, name = subject.partition(" ")
    if kind == "counterparty":
        return f"the counterparty {name}"
    return "all pairs" if name == EVERY_PAIR else f"the pair {name}"


def setting_text(setting: Setting, value: int) -> str:
    """A setting with its value."""
    if setting is Setting.ALLOWLIST:
        return f"{_SETTINGS[setting]}: {'on' if value else 'off'}"
    if setting is Setting.LIMIT_MICRO_USD:
        return f"{_SETTINGS[setting]}: {'none' if value < 0 else money(value)}"
    return f"{_SETTINGS[setting]}: {value}"


def waiting_payment(known: Known) -> str:
    """The payment that an early release lets go, with what it is worth if that is known."""
    name = known.released()
    held = known.head.exits.get(name) if known.head else None
    if held is None:
        return f"the waiting payment {name}" if name else "a waiting payment"
    return f"the waiting payment {name} of {held.amount} {held.asset}, {money(held.micro_usd)},"
