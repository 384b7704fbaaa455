"""The exchange's market: quoted prices, offers that rest, and orders that are matched against both.

A trade is a way out, too, so an order is matched only against a receipt for exactly that order, as the signer pays only
against one: the receipt's id is spent in the transaction that moves what is traded.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from holdback.client import consume
from holdback.exchange.books import PLACES, credit, debit
from holdback.exchange.signer import NotPayable, units

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping

    from holdback.client import Holdback, Receipt
    from holdback.exchange.books import Books

ONE: Final = 10**PLACES
SIDES: Final = {"buy": "sell", "sell": "buy"}
"""Each side, and the one it is matched with."""

DESK: Final = ""
"""The exchange itself, which makes the market of the pairs that it quotes with a `desk`."""


class Quote(NamedTuple):
    """What one of a pair's first asset costs, in smallest units of the second; the `desk` trades at it, or does not."""

    pair: str
    price: int
    desk: bool


class Fill(NamedTuple):
    """A part of an order that was matched: `order` of `account`, against `counterparty` (the desk, if it is empty)."""

    order: str
    account: str
    pair: str
    side: str
    price: int
    amount: int
    counterparty: str
    number: int


class _Order(NamedTuple):
    order: str
    pair: str
    side: str
    price: int
    amount: int

    @property
    def assets(self) -> tuple[str, str]:
        first, _, second = self.pair.partition("/")
        return first, second


class _Offer(NamedTuple):
    order: str
    account: str
    price: int
    left: int


class Market:
    """Matches what receipts say, nothing else. Example: `Market(books, holdback).match(account, action, receipt)`."""

    def __init__(self, books: Books, holdback: Holdback, clock: Callable[[], float] = time.time) -> None:
        """Trade in these books; `clock` gives seconds since the epoch."""
        self._books = books
        self._holdback = holdback
        self._clock = clock

    def match(self, account: str, action: Mapping[str, object], receipt: str, *, rests: bool = False) -> list[Fill]:
        """Match exactly this order of this account, once; what cannot be matched now `rests`, or lapses.

        Raises ReceiptRefused, NotPayable or NotCovered, and then nothing has moved. Each fill against a customer is
        listed twice: as his and as the other's.
        """
        verified = self._holdback.verify_receipt(receipt, account=account, action=action, now=self._clock())
        return self._matched(account, _order(action), verified, rests=rests)

    def _matched(self, account: str, order: _Order, receipt: Receipt, *, rests: bool) -> list[Fill]:
        found: list[Fill] = []
        with self._books.transaction() as db:
            consume(receipt, db, now=self._clock())
            left = order.amount
            for offer in _offers(db, account, order):
                amount = min(left, offer.left)
                if amount:
                    found += _trade(db, account, order, offer, amount)
                    left -= amount
            if left and rests:
                _rest(db, account, order, left)
        return found

    def fills(self, account: str, order: str = "") -> list[Fill]:
        """What was matched of an account's order, or of all of them, oldest first."""
        query = "SELECT *, rowid FROM fills WHERE account = ? AND (id = ? OR ? = '') ORDER BY rowid"
        with self._books.transaction() as db:
            return [Fill(*row) for row in db.execute(query, (account, order, order))]

    def withdraw(self, account: str, order: str) -> bool:
        """Take back what rests of an order; whether anything did."""
        with self._books.transaction() as db:
            row = db.execute(
                "DELETE FROM offers WHERE account = ? AND id = ? RETURNING pair, side, price, units", (account, order)
            ).fetchone()
            if row is not None:
                pair, side, price, left = row
                credit(db, account, *_reserved(_Order(order, pair, side, price, left), left))
        return row is not None

    def quotes(self) -> list[Quote]:
        """What is quoted, by pair."""
        with self._books.transaction() as db:
            rows = db.execute("SELECT pair, price, desk FROM quotes ORDER BY pair").fetchall()
        return [Quote(pair, price, bool(desk)) for pair, price, desk in rows]


def worth(amount: int, price: int) -> int:
    """What an amount costs at a price, in smallest units, rounded up."""
    return -(-amount * price // ONE)


def _paid(order: _Order, offer: _Offer, amount: int) -> int:
    """What changes hands for a part of an order: no more than is there, however many parts it comes in.

    A resting bid set aside what all of it costs, so a part takes what is then set aside no more. The desk rounds down.
    """
    if order.side == "buy":
        return worth(amount, offer.price)
    if offer.account == DESK:
        return amount * offer.price // ONE
    return worth(offer.left, offer.price) - worth(offer.left - amount, offer.price)


def _order(action: Mapping[str, object]) -> _Order:
    """What an action asks to trade. Raises NotPayable."""
    given = [action.get(name) for name in ("order", "pair", "side", "price", "amount")]
    order, pair, side, price, amount = (one if isinstance(one, str) else "" for one in given)
    if action.get("action") != "order.place" or side not in SIDES or not order or "/" not in pair:
        raise NotPayable("an order has a name, a pair and a side, `buy` or `sell`")
    return _Order(order, pair, side, units(price), units(amount))


def _offers(db: sqlite3.Connection, account: str, order: _Order) -> list[_Offer]:
    """What an order may be matched with, the best price first: other customers' offers, and the desk's quote."""
    fits, best = ("price <= ?", "price") if order.side == "buy" else ("price >= ?", "price DESC")
    query = f"SELECT id, account, price, units FROM offers WHERE pair = ? AND side = ? AND account <> ? AND {fits} ORDER BY {best}, rowid"  # noqa: S608, E501 - both parts are words of ours
    found = [_Offer(*row) for row in db.execute(query, (order.pair, SIDES[order.side], account, order.price))]
    quoted = db.execute(f"SELECT price FROM quotes WHERE desk AND pair = ? AND {fits}", (order.pair, order.price))  # noqa: S608 - a word of ours
    found += [_Offer("", DESK, price, order.amount) for (price,) in quoted]
    return sorted(found, key=lambda one: one.price, reverse=order.side == "sell")


def _trade(db: sqlite3.Connection, account: str, order: _Order, offer: _Offer, amount: int) -> list[Fill]:
    """Move what is traded. A resting offer was paid in as it was made."""
    first, second = order.assets
    gives, takes = (second, _paid(order, offer, amount)), (first, amount)
    if order.side == "sell":
        gives, takes = takes, gives
    debit(db, account, *gives)
    credit(db, account, *takes)
    fills = [_written(db, Fill(order.order, account, order.pair, order.side, offer.price, amount, offer.account, 0))]
    if offer.account != DESK:
        credit(db, offer.account, *gives)
        db.execute("UPDATE offers SET units = units - ? WHERE id = ? AND account = ?", (amount, *offer[:2]))
        db.execute("DELETE FROM offers WHERE units = 0")
        other = Fill(offer.order, offer.account, order.pair, SIDES[order.side], offer.price, amount, account, 0)
        fills.append(_written(db, other))
    return fills


def _written(db: sqlite3.Connection, fill: Fill) -> Fill:
    row = db.execute("INSERT INTO fills VALUES (?, ?, ?, ?, ?, ?, ?)", fill[:-1])
    return fill._replace(number=row.lastrowid or 0)


def _reserved(order: _Order, left: int) -> tuple[str, int]:
    """What is set aside for an offer."""
    first, second = order.assets
    return (first, left) if order.side == "sell" else (second, worth(left, order.price))


def _rest(db: sqlite3.Connection, account: str, order: _Order, left: int) -> None:
    if db.execute("SELECT 1 FROM offers WHERE account = ? AND id = ?", (account, order.order)).fetchone():
        raise NotPayable("an order of that name rests already")
    debit(db, account, *_reserved(order, left))
    row = (order.order, account, order.pair, order.side, order.price, left)
    db.execute("INSERT INTO offers VALUES (?, ?, ?, ?, ?, ?)", row)
