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
from holdback.wording.said import capital, said, term
from holdback.wording.words import (
    KINDS,
    beneficiary_text,
    exact,
    key_name,
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
    from holdback.core.events import Channel, Sealed
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
        if one is None:
            return said("authenticator {name}", name=name)
        return said("{kind} ({name})", kind=KINDS[one.kind], name=name)

    def api_key(self, name: str) -> str:
        """An API key by its owner's own words and its id."""
        return key_text(name, self._label(name), self.opened)

    def api_key_name(self, name: str) -> str:
        """The same where it is clear that it is a key."""
        return key_name(name, self._label(name), self.opened)

    def _label(self, name: str) -> Sealed | None:
        one = self.head.api_keys.get(name) if self.head else None
        return one.label if one else None

    def contact(self, name: str) -> str:
        """A contact by masked address and id."""
        one = self.head.contacts.get(name) if self.head else None
        if one is None:
            return said("contact {name}", name=name)
        return said("{shown} ({name})", shown=masked(one.channel, self.opened(one.address)), name=name)

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
    return said("{words}.", words=capital(words)) if words else ""


def asked_again(request: bytes, opened: Opened, customer: Customer | None) -> str:
    """The same line, of an action as the log keeps it; "" if that asks for no proof."""
    try:
        return asked_line(_CONFIRMED.decode(request), opened, customer)
    except msgspec.DecodeError:
        return ""


def confirmed_text(known: Known) -> str:
    """The same for a message with a code, as part of a sentence: `send 0.25 BTC to bc1qar0s...wf5mdq by bitcoin`.

    Whoever is asked for a code on the telephone reads here what it would do.
    """
    try:
        asked = _CONFIRMED.decode(known.decided.request if known.decided else b"")
    except msgspec.DecodeError:
        return said("confirm something that was asked of your account")
    return _words(asked, known, _SHORTENED)


def _words(action: Action, known: Known, places: _Places, customer: Customer | None = None) -> str:
    """What a proof of this action does; "" for one that needs none."""
    match action:
        case ExitRequest():
            return _sending(action, known, places)
        case ExitRelease():
            return _release(action.which, known, places, customer)
        case AddressAdd():
            name, entry = quoted(known.opened(action.name)), _entry(action, known, places)
            return said("add to the address book as {name}: {entry}", name=name, entry=entry)
        case AddressRenew():
            return said("confirm again in the address book: {entry}", entry=_entry(action, known, places))
        case SessionStart() | PasswordChange() | AccountUnfreeze():
            return _PLAIN[type(action)]
        case RecoveryFinish() if (asked := payment(action)) is not None:
            does = _words(asked, known, places)
            return said("{does}, out of an account that is being recovered", does=does)
        case RecoveryEvidence() | RecoveryCancel() | RecoveryFinish() | EvidenceBurn() | IncidentClose():
            return _PLAIN[type(action)]
        case LimitSet(trades=str(subject)):
            return said("open again to trading: {subject}", subject=traded_text(subject))
        case AllowlistSet() | LockSet() | LimitSet():
            return said("change a setting: {setting}", setting=setting_text(*wanted(action)))
        case VaultSet():
            if not action.hours:
                return said("change the vault: lock {share} %", share=action.share)
            return said("change the vault: lock {share} % for {hours} hours", share=action.share, hours=action.hours)
        case _:
            return _guard(action, known, places)


_PLAIN: Final[dict[type[Action], str]] = {
    SessionStart: said("sign in"),
    PasswordChange: said("change the password"),
    AccountUnfreeze: said("unfreeze the account"),
    RecoveryEvidence: said("show that you are the owner of an account that is to be recovered"),
    RecoveryCancel: said("end the recovery of your account"),
    RecoveryFinish: said("finish the recovery of your account by a new password"),
    EvidenceBurn: said("say that others know what would prove that you are the owner"),
    IncidentClose: said("close the case of your robbery"),
}
"""What needs no more words than its name."""


def _guard(action: Action, known: Known, places: _Places) -> str:
    """What changes who may confirm and who is told."""
    match action:
        case AuthenticatorBind():
            return said("add a way of confirming: {kind}", kind=KINDS[action.kind])
        case AuthenticatorRemove():
            return said("remove a way of confirming: {name}", name=known.authenticator(action.authenticator))
        case AuthenticatorReinstate():
            return said("reinstate a way of confirming: {name}", name=known.authenticator(action.authenticator))
        case ContactAdd():
            where = places.contact(action.channel, known.opened(action.address))
            return said(
                "add a contact for notices ({channel}): {where}", channel=term(action.channel.value), where=where
            )
        case ContactRemove():
            return said("remove a contact for notices: {name}", name=known.contact(action.contact))
        case ContactReportRecycled():
            name = known.contact(action.contact) if action.contact else known.authenticator(action.authenticator or "")
            return said("report that this belongs to someone else now: {name}", name=name)
        case ApiKeyCreate():
            whence, scopes = said("from anywhere"), together([scope.value for scope in action.scopes])
            if action.ip_allowlist:
                whence = said("from {networks}", networks=together([known.opened(one) for one in action.ip_allowlist]))
            return said("make an API key to {scopes}, {whence}", scopes=scopes, whence=whence)
        case OrderPlace():
            return said(
                "{side} {amount} of {pair}, at {price} each at the worst, with an API key that slept",
                side=term(action.side),
                amount=action.amount,
                pair=action.pair,
                price=action.price,
            )
        case ApiKeySuspend(on=False):
            return said("let the suspended {key} work again", key=known.api_key(action.key))
        case _:
            return ""


def _entry(action: AddressAdd | AddressRenew, known: Known, places: _Places) -> str:
    where = places.destination(known.opened(action.address)) if action.address else said("any receiver")
    return said("{where} by {network}", where=where, network=term(action.network))


def _sending(action: ExitRequest, known: Known, places: _Places) -> str:
    target = action.address or action.counterparty
    where = said(" to {whom}", whom=places.destination(known.opened(target))) if target else ""
    return said(
        "send {amount} {asset}{where}{network} ({kind})",
        amount=action.amount,
        asset=quoted(action.asset)[1:-1],
        where=where,
        network=said(" by {network}", network=term(action.network)) if action.network else "",
        kind=term(action.kind),
    )


def _release(which: str, known: Known, places: _Places, customer: Customer | None) -> str:
    held = known.head.exits.get(which) if known.head else None
    if held is None:
        return said("let a waiting payment go now ({which})", which=which)
    if held.lock is not None:
        return said(
            "hand {amount} {asset} to the buyer, because the money for it is there ({which})",
            amount=held.amount,
            asset=held.asset,
            which=which,
        )
    entry = customer.beneficiary(held.beneficiary) if customer else None
    where = places.destination(known.opened(entry.address)) if entry and entry.address else ""
    where = where or beneficiary_text(held.beneficiary)
    return said(
        "let a waiting payment go now: {amount} {asset} to {where} by {network} ({which})",
        amount=held.amount,
        asset=held.asset,
        where=where,
        network=term(held.network),
        which=which,
    )


_SETTINGS: Final = {
    Setting.ALLOWLIST: said("paying only addresses in the book"),
    Setting.LOCK_HOURS: said("the settings lock (hours)"),
    Setting.LIMIT_MICRO_USD: said("the daily limit"),
}


def traded_text(subject: str) -> str:
    """What may be closed to trading: a pair, all of them, or somebody."""
    kind, _, name = subject.partition(" ")
    if kind == "counterparty":
        return said("the counterparty {name}", name=name)
    return said("all pairs") if name == EVERY_PAIR else said("the pair {name}", name=name)


def setting_text(setting: Setting, value: int) -> str:
    """A setting with its value."""
    shown: object = value
    if setting is Setting.ALLOWLIST:
        shown = said("on") if value else said("off")
    if setting is Setting.LIMIT_MICRO_USD:
        shown = said("none") if value < 0 else money(value)
    return said("{setting}: {value}", setting=_SETTINGS[setting], value=shown)


def waiting_payment(known: Known) -> str:
    """The payment that an early release lets go, with what it is worth if that is known."""
    name = known.released()
    held = known.head.exits.get(name) if known.head else None
    if held is None:
        return said("the waiting payment {name}", name=name) if name else said("a waiting payment")
    return said(
        "the waiting payment {name} of {amount} {asset}, {worth},",
        name=name,
        amount=held.amount,
        asset=held.asset,
        worth=money(held.micro_usd),
    )
