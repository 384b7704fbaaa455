"""The exchange's own books: customers, balances, orders and payments, in one SQLite file.

The ids of consumed receipts are in the same file on purpose: a payment and the id that paid for it are one transaction.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from holdback.client import CREATE_RECEIPTS_SQL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PLACES: Final = 8
"""Decimal places of every asset here; balances are integers of its smallest unit."""

UNITS_MOST: Final = 2**63 - 1
"""What SQLite keeps as a whole number; beyond it would be a rounded one."""

WAIT_S: Final = 10.0
"""How long a transaction waits for the one before it."""

TABLES: Final = """
CREATE TABLE IF NOT EXISTS customers (account text PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS sessions (token blob PRIMARY KEY, account text NOT NULL, ends_at real NOT NULL);
CREATE TABLE IF NOT EXISTS balances (
    account text NOT NULL, asset text NOT NULL, units integer NOT NULL CHECK (units >= 0), PRIMARY KEY (account, asset)
);
CREATE TABLE IF NOT EXISTS held (
    hold text NOT NULL, account text NOT NULL, action text NOT NULL, PRIMARY KEY (account, hold)
);
CREATE TABLE IF NOT EXISTS payments (
    receipt text PRIMARY KEY, account text NOT NULL, kind text NOT NULL, asset text NOT NULL, units integer NOT NULL,
    payee text NOT NULL
);
CREATE TABLE IF NOT EXISTS quotes (pair text PRIMARY KEY, price integer NOT NULL, desk integer NOT NULL);
CREATE TABLE IF NOT EXISTS offers (
    id text NOT NULL, account text NOT NULL, pair text NOT NULL, side text NOT NULL, price integer NOT NULL,
    units integer NOT NULL CHECK (units >= 0), PRIMARY KEY (account, id)
);
CREATE TABLE IF NOT EXISTS fills (
    id text NOT NULL, account text NOT NULL, pair text NOT NULL, side text NOT NULL, price integer NOT NULL,
    units integer NOT NULL, counterparty text NOT NULL
);
CREATE TABLE IF NOT EXISTS buyers (account text PRIMARY KEY, asset text NOT NULL, pays text NOT NULL);
"""


class NotCovered(Exception):
    """The account holds less than it was to pay."""


class Payment(NamedTuple):
    """Value that moved: `units` of the asset's smallest unit, paid for by the receipt of this id."""

    receipt: str
    account: str
    kind: str
    asset: str
    units: int
    payee: str


class Buyer(NamedTuple):
    """A customer who wants to buy an asset from another, and how he `pays` for it, outside this exchange."""

    account: str
    asset: str
    pays: str


class Books:
    """One SQLite file. Each transaction has a connection of its own, so any thread may call anything."""

    def __init__(self, path: Path) -> None:
        """Open the file, and make its tables if it is new."""
        self.path = path
        with closing(self._connect()) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(TABLES + CREATE_RECEIPTS_SQL)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, one at a time, durable at the end of the block."""
        with closing(self._connect()) as db:
            db.execute("BEGIN IMMEDIATE")
            yield db
            # A connection that is closed before this has changed nothing.
            db.execute("COMMIT")

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=WAIT_S, isolation_level=None)
        db.execute("PRAGMA synchronous = FULL")
        return db

    def open_account(self, account: str, name: str, balances: Mapping[str, int]) -> None:
        """Take in a customer with what he deposited, in units."""
        with self.transaction() as db:
            db.execute("INSERT INTO customers (account, name) VALUES (?, ?)", (account, name.casefold()))
            for asset, units in balances.items():
                credit(db, account, asset, units)

    def account_named(self, name: str) -> str | None:
        """The account with this sign-in name."""
        return self._one("SELECT account FROM customers WHERE name = ?", name.strip().casefold())

    def name_of(self, account: str) -> str | None:
        """The sign-in name of an account."""
        return self._one("SELECT name FROM customers WHERE account = ?", account)

    def keep_session(self, token: str, account: str, ends_at: float) -> None:
        """Remember whose session this is, until `ends_at` at most. Holdback alone says whether it still counts."""
        with self.transaction() as db:
            db.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?)", (_hash(token), account, ends_at))

    def account_in(self, token: str, now: float) -> str | None:
        """Whose session this is, unless it has ended."""
        return self._one("SELECT account FROM sessions WHERE token = ? AND ends_at > ?", _hash(token), now)

    def forget_session(self, token: str) -> None:
        """Drop a session that Holdback says has ended."""
        with self.transaction() as db:
            db.execute("DELETE FROM sessions WHERE token = ?", (_hash(token),))

    def balances(self, account: str) -> dict[str, int]:
        """What an account holds, in units by asset."""
        with self.transaction() as db:
            rows = db.execute("SELECT asset, units FROM balances WHERE account = ? ORDER BY asset", (account,))
            return dict(rows.fetchall())

    def payments(self, account: str) -> list[Payment]:
        """What was paid out, oldest first."""
        with self.transaction() as db:
            rows = db.execute("SELECT * FROM payments WHERE account = ? ORDER BY rowid", (account,))
            return [Payment(*row) for row in rows]

    def paid_by(self, jws: str) -> Payment | None:
        """The payment that this very receipt paid for."""
        query = "SELECT payments.* FROM payments JOIN holdback_receipts ON receipt = jti WHERE jws = ?"
        with self.transaction() as db:
            row = db.execute(query, (jws,)).fetchone()
        return Payment(*row) if row else None

    def keep_held(self, account: str, hold: str, action: Mapping[str, object]) -> None:
        """Keep an order that must wait, field by field as it was asked: its receipt will name exactly that."""
        with self.transaction() as db:
            db.execute("INSERT OR REPLACE INTO held VALUES (?, ?, ?)", (hold, account, json.dumps(action)))

    def held(self, account: str) -> dict[str, dict[str, object]]:
        """The orders that wait, by the id of their hold."""
        with self.transaction() as db:
            rows = db.execute("SELECT hold, action FROM held WHERE account = ?", (account,)).fetchall()
        return {hold: json.loads(action) for hold, action in rows}

    def forget_held(self, account: str, hold: str) -> None:
        """Drop an order that no longer waits."""
        with self.transaction() as db:
            db.execute("DELETE FROM held WHERE account = ? AND hold = ?", (account, hold))

    def quote(self, pair: str, price: int, *, desk: bool) -> None:
        """Say what one of a pair's first asset costs, in units of the second, and whether the exchange trades at it."""
        with self.transaction() as db:
            db.execute("INSERT OR REPLACE INTO quotes VALUES (?, ?, ?)", (pair, price, desk))

    def wants(self, buyer: Buyer) -> None:
        """Note what a customer wants to buy."""
        with self.transaction() as db:
            db.execute("INSERT OR REPLACE INTO buyers VALUES (?, ?, ?)", buyer)

    def buyers(self) -> list[Buyer]:
        """Who wants to buy from other customers."""
        with self.transaction() as db:
            return [Buyer(*row) for row in db.execute("SELECT * FROM buyers ORDER BY account")]

    def _one(self, query: str, *values: str | bytes | float) -> str | None:
        with self.transaction() as db:
            row = db.execute(query, values).fetchone()
        return row[0] if row else None


def is_customer(db: sqlite3.Connection, account: str) -> bool:
    """Whether somebody has this account: value is never put where nobody is."""
    return db.execute("SELECT 1 FROM customers WHERE account = ?", (account,)).fetchone() is not None


def credit(db: sqlite3.Connection, account: str, asset: str, units: int) -> None:
    """Add to a balance."""
    db.execute(
        "INSERT INTO balances (account, asset, units) VALUES (?, ?, ?)"
        " ON CONFLICT (account, asset) DO UPDATE SET units = units + excluded.units",
        (account, asset, units),
    )


def debit(db: sqlite3.Connection, account: str, asset: str, units: int) -> None:
    """Take from a balance. Raises NotCovered, and then changes nothing."""
    if units > UNITS_MOST:
        raise NotCovered(f"nobody holds so much {asset}")
    took = db.execute(
        "UPDATE balances SET units = units - ? WHERE account = ? AND asset = ? AND units >= ?",
        (units, account, asset, units),
    )
    if took.rowcount != 1:
        raise NotCovered(f"the account holds less {asset} than that")


def write_payment(db: sqlite3.Connection, payment: Payment) -> None:
    """Note what was paid."""
    db.execute("INSERT INTO payments VALUES (?, ?, ?, ?, ?, ?)", payment)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
