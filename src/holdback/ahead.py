"""What was read of a customer before its batch began, and whether the batch may judge by it.

Every question reads its customer once anyway, to unseal and to verify. Judging by that reading spares a second one,
and is as safe: a commit without locks is refused if the head has moved since (ports.Transaction).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from holdback.ports import Loaded, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from holdback.core.events import Instant
    from holdback.ports import Answer, ListRow, PartRow, Price, Sightings, Snapshot

GOOD_FOR_S: Final = 0.25
"""How old a reading may be that something is judged by: waits are counted from its clock."""


class Reading(NamedTuple):
    """What a read found.

    `clock` is the second source of time just after it, `at` the event loop's time in seconds just before.
    """

    loaded: Loaded
    clock: Instant
    at: float


def suffices(reading: Reading, asked: Wanted, wanted: Sequence[Wanted]) -> bool:
    """Whether a reading of `asked` found a customer, and holds all else that a load of `wanted` would give."""
    want, *others = wanted
    loaded = reading.loaded
    whole = want.account in loaded.whole or not (want.parts or want.alike)
    if others or not whole or want.account not in loaded.snapshots:
        return False
    same = want.answer == asked.answer and set(want.shared) <= set(asked.shared)
    return same and set(want.assets) <= set(asked.assets)


def merged(wanted: Iterable[tuple[Reading, Wanted]]) -> Reading:
    """One reading of exactly what is wanted, each out of its own; no two show different states of one customer.

    The newest time counts, and how far the two sources were apart at the worst.
    """
    snapshots: dict[str, Snapshot] = {}
    parts: dict[str, dict[tuple[str, str], PartRow]] = {}
    prices: dict[str, Price] = {}
    answers: dict[tuple[str, str], Answer] = {}
    sightings: dict[bytes, Sightings] = {}
    listed: dict[bytes, tuple[str, ...]] = {}
    lists: tuple[ListRow, ...] = ()
    readings: dict[int, Reading] = {}
    for reading, want in wanted:
        readings[id(reading)] = reading
        loaded, account = reading.loaded, want.account
        if account in loaded.snapshots:
            snapshots[account] = loaded.snapshots[account]
        for row in loaded.parts.get(account, ()):
            if (row.kind, row.name) in want.parts or (want.alike and row.alike == want.alike):
                parts.setdefault(account, {})[row.kind, row.name] = row
        for asset in want.assets:
            price = loaded.prices.get(asset)
            if price is not None and (asset not in prices or prices[asset].at < price.at):
                prices[asset] = price
        if want.answer is not None and want.answer in loaded.answers:
            answers[want.answer] = loaded.answers[want.answer]
        for key in want.shared:
            seen = loaded.sightings.get(key)
            if seen is not None and (key not in sightings or _knows_more(seen, sightings[key])):
                sightings[key] = seen
            if key in loaded.listed:
                listed[key] = loaded.listed[key]
        lists = loaded.lists or lists
    newest = max(readings.values(), key=_time)
    apart = max((one.clock - one.loaded.now for one in readings.values()), key=abs)
    reconciling = any(one.loaded.reconciling for one in readings.values())
    grouped = {account: list(rows.values()) for account, rows in parts.items()}
    tripped_at = max(one.loaded.tripped_at for one in readings.values())
    hooked_at = max(one.loaded.hooked_at for one in readings.values())
    looked_at = min(one.loaded.looked_at for one in readings.values())
    common = (reconciling, frozenset[str](), sightings, listed, lists, tripped_at, hooked_at, looked_at)
    everything = Loaded(newest.loaded.now, snapshots, grouped, prices, answers, *common)
    return Reading(everything, everything.now + apart, newest.at)


def _knows_more(one: Sightings, other: Sightings) -> bool:
    """Rows are added, and only old ones go, so of two readings the later has more of them, or newer ones."""
    return (one.rows[0].day, len(one.rows)) > (other.rows[0].day, len(other.rows))


def _time(reading: Reading) -> Instant:
    return reading.loaded.now
