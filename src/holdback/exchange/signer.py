"""The wallet signer: the only code that lets value leave, and it does so only against a receipt.

It believes nobody, the exchange's own backend least of all. Whoever holds the backend, its database password and its
platform key still cannot pay a coin out, for none of these makes a receipt. It works offline: all it wants of Holdback
are the public keys, fetched now and then.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from holdback.client import consume
from holdback.exchange.books import PLACES, Payment, credit, debit, is_customer, write_payment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from holdback.client import Holdback
    from holdback.exchange.books import Books

OUTSIDE: Final = frozenset({"withdrawal"})
"""Kinds that pay an address outside."""

INSIDE: Final = frozenset({"internal_transfer", "p2p_sale"})
"""Kinds that pay another customer of this exchange."""

_AMOUNT: Final = re.compile(rf"([0-9]{{1,10}})(?:\.([0-9]{{1,{PLACES}}}))?")


class NotPayable(ValueError):
    """This is no order that the signer could carry out, whoever allowed it."""


class _Order(NamedTuple):
    kind: str
    asset: str
    units: int
    payee: str


class Signer:
    """Pays what receipts say and nothing else. Example: `Signer(books, holdback).pay(account, action, receipt)`."""

    def __init__(self, books: Books, holdback: Holdback, clock: Callable[[], float] = time.time) -> None:
        """Pay out of these books; `clock` gives seconds since the epoch."""
        self._books = books
        self._holdback = holdback
        self._clock = clock

    def pay(self, account: str, action: Mapping[str, object], receipt: str) -> Payment:
        """Carry out exactly this action of this account, once.

        Raises ReceiptRefused, NotPayable or NotCovered, and then nothing has moved. The receipt's id is spent in the
        transaction that moves the value: a crash leaves both or neither, and of two callers one is refused.
        """
        verified = self._holdback.verify_receipt(receipt, account=account, action=action, now=self._clock())
        order = _order(action)
        payment = Payment(verified.id, account, order.kind, order.asset, order.units, order.payee)
        with self._books.transaction() as db:
            consume(verified, db, now=self._clock())
            debit(db, account, order.asset, order.units)
            if order.kind in INSIDE:
                if not is_customer(db, order.payee):
                    raise NotPayable("nobody here has the account that is to be paid")
                credit(db, order.payee, order.asset, order.units)
            write_payment(db, payment)
        return payment


def units(amount: str) -> int:
    """Smallest units of a decimal string. Raises NotPayable on what is none, is zero or has too many places."""
    found = _AMOUNT.fullmatch(amount)
    smallest = int(found[1] + (found[2] or "").ljust(PLACES, "0")) if found else 0
    if smallest <= 0:
        raise NotPayable(f"an amount is a positive decimal number of at most {PLACES} places")
    return smallest


def decimal(amount: int) -> str:
    """Smallest units as a decimal string."""
    whole, part = divmod(amount, 10**PLACES)
    return f"{whole}.{part:0{PLACES}}"


def _order(action: Mapping[str, object]) -> _Order:
    """What an action asks to pay. A receipt for anything but an exit, say for a sign-in, pays nothing."""
    if action.get("action") != "exit.request":
        raise NotPayable("only a receipt for `exit.request` pays")
    kind, asset, amount = action.get("kind"), action.get("asset"), action.get("amount")
    payee = action.get("counterparty") if kind in INSIDE else action.get("address")
    if kind not in OUTSIDE | INSIDE:
        raise NotPayable("this signer does not pay exits of that kind")
    if not (isinstance(asset, str) and isinstance(amount, str) and isinstance(payee, str)):
        raise NotPayable("asset, amount and whom to pay must be given, as strings")
    memo = action.get("memo")
    if memo is not None and (kind in INSIDE or not isinstance(memo, str)):
        raise NotPayable("a memo goes with an address, as a string")
    return _Order(kind, asset, units(amount), f"{payee}?memo={memo}" if memo else payee)
