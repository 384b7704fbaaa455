"""Reading the log back: does it hold together, and what does it say (law 9).

`check` folds a customer's whole stream again and compares every byte with what is stored; `timeline` reads it entry
by entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from holdback.core import events as ev
from holdback.core import ledger
from holdback.core.events import ENCODER, decode_events
from holdback.core.state import NOBODY, evolve
from holdback.ports import Wanted
from holdback.snapshots import NewerState, Snapshots, Tampered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from holdback.core.events import AnyEvent
    from holdback.core.ledger import Entry
    from holdback.core.state import Customer
    from holdback.ports import PartRow, Snapshot, Store

PAGE: Final = 500
"""Entries read at a time."""
TRIES: Final = 3
"""So often a stream that grows while it is checked is looked at."""


class Fault(NamedTuple):
    """One thing that does not hold, in a customer's rows; `seq` is the entry it shows at, 0 for the head as a whole."""

    account: str
    seq: int
    why: str


async def stream(store: Store, account: str) -> list[Entry]:
    """All entries of a customer, in order."""
    found: list[Entry] = []
    while page := await store.entries(account, found[-1].seq if found else 0, PAGE):
        found += page
    return found


async def accounts(store: Store) -> AsyncIterator[str]:
    """All account ids, in order."""
    after = ""
    while page := await store.accounts(after, PAGE):
        for account in page:
            yield account
        after = page[-1]


async def check(store: Store, snapshots: Snapshots, account: str, heads: dict[int, bytes] | None = None) -> list[Fault]:
    """Everything that is wrong with a customer's rows; an empty list if nothing is.

    `heads` are chain heads that left the house, by entry number: from receipts, or from the owner's own notices. A tail
    that was deleted together with its snapshot shows only against them.
    """
    loaded = await store.read([Wanted(account)])
    row = loaded.snapshots.get(account)
    entries = await stream(store, account)
    if row is None:
        gone = "the head is missing" if entries else "no row names it: it was never here, or all of it is gone"
        return [Fault(account, 0, gone)]
    faults = [
        Fault(account, seq, "a receipt or notice names another entry here, or one that is gone")
        for seq, known in sorted((heads or {}).items())
        if not (0 < seq <= len(entries) and entries[seq - 1].link == known)
    ]
    broken = ledger.verify(account, entries, row.seq, row.link)
    if broken is not None:
        return [*faults, Fault(account, broken.seq, broken.why)]
    try:
        folded = _folded(entries)
    except Exception:  # noqa: BLE001 - whoever forged a whole chain chose what its events break
        return [*faults, Fault(account, 0, "the log cannot be read")]
    return faults + _compared(snapshots, row, folded, await store.parts(account))


class Checked(NamedTuple):
    """What a check of a stream's end found: so many of its entries were looked at, of so many."""

    entries: int
    of: int
    faults: list[Fault]


async def check_end(store: Store, snapshots: Snapshots, account: str, most: int) -> Checked | None:
    """Check no more than so many entries, the last ones, with the head they lead to; None if there is no such stream.

    A stream that is no longer is checked as a whole, state and all. One that grows meanwhile is looked at again.
    """
    found = None
    for _ in range(TRIES):
        row = (await store.read([Wanted(account)])).snapshots.get(account)
        if row is None:
            return None
        if row.seq <= most:
            found = Checked(row.seq, row.seq, await check(store, snapshots, account))
        else:
            found = Checked(most, row.seq, await _end_faults(store, snapshots, row, row.seq - most))
        after = (await store.read([Wanted(account)])).snapshots.get(account)
        if not found.faults or (after is not None and after.seq == row.seq):
            break
    return found


async def _end_faults(store: Store, snapshots: Snapshots, row: Snapshot, after: int) -> list[Fault]:
    """What is wrong behind an entry whose own link is believed: it is what the next one is held against."""
    account, before, place = row.account, b"", after - 1
    while place < row.seq:
        page = await store.entries(account, place, min(PAGE, row.seq - place))
        for entry in page:
            place += 1
            if entry.seq != place:
                return [Fault(account, place, f"entry {place} is missing")]
            if before and ledger.link(account, entry.seq, before, entry.body) != entry.link:
                return [Fault(account, place, f"entry {place} was altered")]
            before = entry.link
        if not page:
            return [Fault(account, place + 1, f"entry {place + 1} is missing")]
    if before != row.link:
        return [Fault(account, row.seq, "the head names another link than the last entry")]
    try:
        snapshots.head(row)
    except (Tampered, NewerState, msgspec.DecodeError):
        return [Fault(account, 0, "the state was altered")]
    return []


def _folded(entries: list[Entry]) -> Customer:
    customer = NOBODY
    for entry in entries:
        for event in decode_events(entry.body):
            customer = evolve(customer, event)
    return customer


def _compared(snapshots: Snapshots, row: Snapshot, folded: Customer, parts: list[PartRow]) -> list[Fault]:
    """Compare what is stored with what the log says, row by row."""
    account, faults = row.account, []
    try:
        snapshots.head(row)
        if folded.head is None or row.head != ENCODER.encode(folded.head):
            faults.append(Fault(account, row.seq, "the state is not what the log says"))
    except (Tampered, NewerState, msgspec.DecodeError):
        faults.append(Fault(account, 0, "the state was altered"))
    stored = {(part.kind, part.name): part for part in parts}
    for key in stored.keys() | folded.parts.keys():
        faults += _compared_part(snapshots, account, key, stored.get(key), folded)
    return faults


def _compared_part(
    snapshots: Snapshots, account: str, key: tuple[str, str], row: PartRow | None, folded: Customer
) -> list[Fault]:
    name = f"{key[0]} {key[1]}"
    expected = folded.parts.get(key)
    if row is None or expected is None:
        return [Fault(account, 0, f"the part {name} is {'missing' if row is None else 'not in the log'}")]
    try:
        snapshots.part(row)
    except Tampered:
        return [Fault(account, 0, f"the part {name} was altered")]
    written = snapshots.part_row(account, key, expected)
    same = (row.alike, row.body) == (written.alike, written.body)
    return [] if same else [Fault(account, 0, f"the part {name} is not what the log says")]


class Told(NamedTuple):
    """One entry of a customer's stream: the decision that wrote it, and what followed."""

    entry: Entry
    decided: ev.Decided
    events: tuple[AnyEvent, ...]


def check_links(row: Snapshot, entries: list[Entry]) -> None:
    """Refuse a stretch of a log whose entries do not follow each other or lead to another head. Raises Tampered."""
    before = ledger.GENESIS if entries and entries[0].seq == 1 else None
    for entry in entries:
        if before is not None and ledger.link(entry.account, entry.seq, before, entry.body) != entry.link:
            raise Tampered(entry.account)
        if entry.seq == row.seq and entry.link != row.link:
            raise Tampered(entry.account)
        before = entry.link


async def timeline(store: Store, account: str, after: int, limit: int) -> list[Told]:
    """Entries after a number, at most `limit`, each with its decision first."""
    told = []
    for entry in await store.entries(account, after, limit):
        decided, *events = decode_events(entry.body)
        if isinstance(decided, ev.Decided):
            told.append(Told(entry, decided, tuple(events)))
    return told
