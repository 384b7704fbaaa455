"""Back-ups: one file of records that either store can be filled from, and the reconciling that must follow.

A restored store has forgotten its last moments, while the signer may have paid on receipts from them. So it starts with
every exit held, until the signer's receipts were shown to it: those the log does not know draw on the budget again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from holdback import audit
from holdback.core.events import ExitReconciled, decode_events
from holdback.core.rules.exit import ExitReconcile
from holdback.ports import Wanted
from holdback.receipts import RETURNED, ReceiptForged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from holdback.ports import Store
    from holdback.service import Service

MAGIC = b"holdback-backup-1\n"
LENGTH_BYTES = 4
RECORD_MOST = 1 << 26
FRAME = 2
"""The first record and the last: they say of which format the others are, and that none is missing."""


class NotABackup(ValueError):
    """The file is not a back-up, or is cut short. Nothing was restored from it."""


async def save(store: Store, file: BinaryIO, progress: Callable[[int], None]) -> int:
    """Write everything in the store to a file; how many records, as `restore` counts them. `progress` hears of each."""
    file.write(MAGIC)
    count = 0
    async for record in store.dump():
        file.write(len(record).to_bytes(LENGTH_BYTES) + record)
        count += 1
        progress(count)
    return count - FRAME


async def restore(store: Store, file: BinaryIO, progress: Callable[[int], None]) -> int:
    """Fill an empty store from a file and hold every exit; how many records. Raises NotABackup."""
    if file.read(len(MAGIC)) != MAGIC:
        raise NotABackup("this is not a Holdback back-up")
    return await store.fill(_records(file, progress))


async def _records(file: BinaryIO, progress: Callable[[int], None]) -> AsyncIterator[bytes]:
    count = 0
    while prefix := file.read(LENGTH_BYTES):
        length = int.from_bytes(prefix)
        record = file.read(length) if length <= RECORD_MOST else b""
        if len(prefix) < LENGTH_BYTES or len(record) < length:
            raise NotABackup("the back-up is cut short")
        count += 1
        progress(count)
        yield record


class Reconciled(NamedTuple):
    """What the signer's receipts told a restored store."""

    known: int
    forgotten: int
    unknown_accounts: int
    forged: int


async def reconcile(service: Service, receipts: Iterable[str]) -> Reconciled:
    """Show the signer's receipts to the store: what it forgot draws again on its account's budget, once however often.

    What somebody here received is marked in his stream again, and a sweep draws nothing, as when they were allowed.

    Exits are let go again only by `Store.set_reconciling`, which the operator decides on after reading the outcome.
    """
    known = forgotten = unknown = forged = 0
    counted: dict[str, set[str]] = {}
    for jws in receipts:
        try:
            receipt = service.tools.receipts.read(jws.strip())
        except ReceiptForged:
            forged += 1
            continue
        if receipt.kind == RETURNED:
            # Nothing left by it; its id is the exit's own, so that the signer moves nothing back a second time.
            known += 1
            continue
        main = receipt.id.partition("/")[0]
        if main not in (await service.store.read([Wanted(main)])).snapshots:
            unknown += 1
            continue
        if main not in counted:
            counted[main] = await _counted(service.store, main)
        entry = await service.store.entries(main, receipt.seq - 1, 1)
        if receipt.id in counted[main] or (entry and entry[0].link == receipt.head):
            known += 1
        elif receipt.usd:
            counted_again = ExitReconcile(receipt.id, receipt.usd, receipt.kind, receipt.issued_at * 1000)
            await service.record(main, counted_again, counterparty=receipt.to)
            counted[main].add(receipt.id)
            forgotten += 1
    return Reconciled(known, forgotten, unknown, forged)


async def _counted(store: Store, account: str) -> set[str]:
    """The receipts that were counted again before; the state remembers only the last of them."""
    entries = await audit.stream(store, account)
    events = [event for entry in entries for event in decode_events(entry.body)]
    return {event.receipt for event in events if isinstance(event, ExitReconciled)}
