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
    from holdback.ports import Answer, PartRow, Price, Snapshot

GOOD_FOR_S: Final = 0.25
"""How old a reading may be that something is judged by: waits are counted from its clock."""


class Reading(NamedTuple):
    """What a read found.

    `clock` is the second source of time just after it, `at` the event loop's time in seconds just before.
    """

    loaded: Loaded
    clock: Instant
    at: float


def narrowed(reading: Reading, asked: Wanted, wanted: Sequence[Wanted]) -> Reading | None:
    """Exactly what a load of `wanted` would give, out of a reading of `asked`; None if it might lack any of it."""
    loaded = reading.loaded
    want, *others = wanted
    whole = want.account in loaded.whole or not (want.parts or want.alike)
    if others or not whole or want.answer != asked.answer or not set(want.assets) <= set(asked.assets):
        return None
    rows = [row for row in loaded.parts.get(want.account, ()) if _is_wanted(row, want)]
    return reading._replace(
        loaded=Loaded(
            loaded.now,
            {account: row for account, row in ((want.account, loaded.snapshots.get(want.account)),) if row},
            {want.account: rows} if rows else {},
            {asset: loaded.prices[asset] for asset in want.assets if asset in loaded.prices},
            {key: loaded.answers[key] for key in (want.answer,) if key in loaded.answers and key is not None},
            loaded.reconciling,
        )
    )


def _is_wanted(row: PartRow, want: Wanted) -> bool:
    return (row.kind, row.name) in want.parts or bool(want.alike and row.alike == want.alike)


def merged(readings: Iterable[Reading]) -> Reading:
    """One reading out of several, no two of which saw different states of one customer.

    The newest time counts, and how far the two sources were apart at the worst.
    """
    snapshots: dict[str, Snapshot] = {}
    parts: dict[str, dict[tuple[str, str], PartRow]] = {}
    prices: dict[str, Price] = {}
    answers: dict[tuple[str, str], Answer] = {}
    newest, apart, reconciling = None, 0, False
    for reading in readings:
        loaded = reading.loaded
        snapshots |= loaded.snapshots
        for account, rows in loaded.parts.items():
            parts.setdefault(account, {}).update(((row.kind, row.name), row) for row in rows)
        for asset, price in loaded.prices.items():
            if asset not in prices or prices[asset].at < price.at:
                prices[asset] = price
        answers |= loaded.answers
        reconciling |= loaded.reconciling
        apart = max(apart, reading.clock - loaded.now, key=abs)
        if newest is None or newest.loaded.now < loaded.now:
            newest = reading
    if newest is None:
        raise ValueError("there is nothing to merge")
    listed = {account: list(rows.values()) for account, rows in parts.items()}
    everything = Loaded(newest.loaded.now, snapshots, listed, prices, answers, reconciling)
    return newest._replace(loaded=everything, clock=everything.now + apart)
