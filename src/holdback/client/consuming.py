"""Consuming receipts: one id moves value once, in the very transaction that moves it.

Create the table with `CREATE_RECEIPTS_SQL` in the database that records payments (SQLite or PostgreSQL). Rows must stay
for as long as Holdback may give a receipt of the same id again (`outflow.receipt_again_h`, a week), and best for good:
after a restore Holdback learns from them what was paid.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, LiteralString, Protocol, runtime_checkable

from holdback.client.errors import ReceiptExpired, ReceiptUsed

if TYPE_CHECKING:
    from holdback.client.receipts import Receipt

CREATE_RECEIPTS_SQL: Final = """\
CREATE TABLE IF NOT EXISTS holdback_receipts (
    jti     text   NOT NULL PRIMARY KEY,
    exp     bigint NOT NULL,
    account text   NOT NULL,
    jws     text   NOT NULL
)"""
"""The table of consumed receipts: one-time id, expiry in seconds since the epoch, account, the receipt as it came."""

_INSERT: Final = "INSERT INTO holdback_receipts (jti, exp, account, jws) VALUES "
_ONCE: Final = " ON CONFLICT (jti) DO NOTHING"
_QUERIES: Final[dict[str, LiteralString]] = {
    "qmark": _INSERT + "(?, ?, ?, ?)" + _ONCE,
    "format": _INSERT + "(%s, %s, %s, %s)" + _ONCE,
    "pyformat": _INSERT + "(%s, %s, %s, %s)" + _ONCE,
}
_ASYNCPG_QUERY: Final = _INSERT + "($1, $2, $3, $4)" + _ONCE


class Cursor(Protocol):
    """What is used of a DB-API cursor (PEP 249)."""

    @property
    def rowcount(self) -> int:
        """How many rows the last statement wrote."""

    def execute(self, query: LiteralString, parameters: tuple[str | int, ...], /) -> object:
        """Run one statement."""


@runtime_checkable
class Connection(Protocol):
    """What is used of a DB-API connection (PEP 249)."""

    def cursor(self) -> Cursor:
        """A new cursor."""


class AsyncpgConnection(Protocol):
    """What is used of an asyncpg connection."""

    def is_in_transaction(self) -> bool:
        """Whether a transaction is open."""

    async def execute(self, query: str, *args: object) -> str:
        """Run one statement and return its status."""


def consume(
    receipt: Receipt, target: Connection | Cursor, *, now: float, leeway: float = 0, paramstyle: str | None = None
) -> None:
    """Spend a receipt's id inside the caller's own transaction; commit it together with the payment.

    `target` is a connection or cursor of sqlite3, psycopg, or another DB-API driver over SQLite or PostgreSQL; for one
    that is wrapped, say its `paramstyle` ("qmark", "format" or "pyformat"). If the transaction is rolled back, so is
    this. Of two transactions that consume one id at once, one gets ReceiptUsed or the driver's own error; so does every
    later one. Raises ReceiptUsed, ReceiptExpired, TypeError for a driver it does not know. `now` and `leeway` are
    seconds, as for `verify_receipt`.
    """
    _check(receipt, now, leeway)
    query = _QUERIES.get(paramstyle or _paramstyle(target))
    if query is None:
        raise TypeError("this driver's paramstyle is not known; pass paramstyle=")
    cursor = target.cursor() if isinstance(target, Connection) else target
    cursor.execute(query, (receipt.id, receipt.expires_at, receipt.account, receipt.jws))
    if cursor.rowcount != 1:
        raise ReceiptUsed("value has moved for this receipt before")


async def consume_async(receipt: Receipt, connection: AsyncpgConnection, *, now: float, leeway: float = 0) -> None:
    """As `consume`, with a connection of asyncpg. Raises RuntimeError outside of a transaction."""
    _check(receipt, now, leeway)
    if not connection.is_in_transaction():
        raise RuntimeError("consume a receipt in the transaction that moves the value")
    status = await connection.execute(_ASYNCPG_QUERY, receipt.id, receipt.expires_at, receipt.account, receipt.jws)
    if status != "INSERT 0 1":
        raise ReceiptUsed("value has moved for this receipt before")


def _check(receipt: Receipt, now: float, leeway: float) -> None:
    """Refuse again what expired between verifying and consuming."""
    if not now < receipt.expires_at + leeway:
        raise ReceiptExpired("the receipt expired before it was consumed")


def _paramstyle(target: object) -> str:
    """How the module that made this object writes parameters (PEP 249)."""
    for kind in type(target).__mro__:
        style = getattr(sys.modules.get(kind.__module__.partition(".")[0]), "paramstyle", None)
        if isinstance(style, str):
            return style
    return ""
