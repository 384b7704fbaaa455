"""Rows to write, as short to name as the tests that use them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdback.core.ledger import Entry
from holdback.ports import Answer, NoticeRow, PartRow, Snapshot, Wanted, Writes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdback.ports import Loaded, Store


def snapshot(account: str, seq: int, head: bytes = b"head") -> Snapshot:
    """A head after entry `seq`."""
    return Snapshot(account, 1, seq, bytes([seq % 256]) * 32, head, b"mac" * 8, b"key" * 20)


def entry(account: str, seq: int, body: bytes = b"body") -> Entry:
    """One entry."""
    return Entry(account, seq, body, bytes([seq % 256]) * 32)


def part(account: str, name: str, body: bytes = b"body", alike: bytes = b"", kind: str = "beneficiary") -> PartRow:
    """One part."""
    return PartRow(account, kind, name, alike, body, b"mac" * 5)


def notice(id_: str, due_at: int, account: str = "a") -> NoticeRow:
    """A notice that was never tried."""
    return NoticeRow(id_, account, 1, f"ntc_{id_}", f"con_{id_}", due_at)


def answer(key: str, at: int = 1, caller: str = "platform") -> Answer:
    """What was answered to a key."""
    return Answer(caller, key, b"digest" * 5, b"answer to " + key.encode(), at)


def step(account: str, seq: int, head: bytes = b"head", **rows: Any) -> Writes:  # noqa: ANN401 - what else is written
    """Bring an account from the seq before to `seq`; 1 creates it."""
    return Writes(entries=[entry(account, seq)], snapshots=[(seq - 1, snapshot(account, seq, head))], **rows)


def of(*accounts: str) -> list[Wanted]:
    """What a transaction that changes these accounts loads."""
    return [Wanted(account) for account in accounts]


async def put(store: Store, *writes: Writes) -> None:
    """Write in a transaction of its own."""
    async with store.transaction() as transaction:
        for some in writes:
            await transaction.write(some)


async def load(store: Store, wanted: Sequence[Wanted]) -> Loaded:
    """Load in a transaction of its own."""
    async with store.transaction() as transaction:
        return await transaction.load(wanted)
