"""Who belongs to the staff: the streams whose ids say so, read from the store. There is no other list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from holdback.core.events import STREAM_PREFIX, StreamKind
from holdback.ports import Wanted
from holdback.snapshots import NewerState, Tampered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from holdback.core.state import Head
    from holdback.ports import Snapshot, Store
    from holdback.snapshots import Snapshots

AT_ONCE: Final = 200
"""Members read in one query."""


async def rows(store: Store) -> AsyncIterator[Snapshot]:
    """The rows of all members there ever were, retired and proposed ones too. Raises StoreUnavailable."""
    prefix = after = STREAM_PREFIX[StreamKind.STAFF]
    while names := [name for name in await store.accounts(after, AT_ONCE) if name.startswith(prefix)]:
        loaded = await store.read([Wanted(name) for name in names])
        for row in loaded.snapshots.values():
            yield row
        after = names[-1]


async def roster(store: Store, snapshots: Snapshots) -> list[Head]:
    """Their heads. Raises StoreUnavailable or Tampered."""
    return [snapshots.head(row) async for row in rows(store)]


def believed(snapshots: Snapshots, row: Snapshot) -> Head | None:
    """A row's head for who only looks; None if it was altered behind us, or is of a newer program."""
    try:
        return snapshots.head(row)
    except (Tampered, NewerState, msgspec.DecodeError):
        return None
