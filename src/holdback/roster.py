"""Who belongs to the staff: the streams whose ids say so, read from the store. There is no other list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdback.core.events import STREAM_PREFIX, StreamKind
from holdback.ports import Wanted

if TYPE_CHECKING:
    from holdback.core.state import Head
    from holdback.ports import Store
    from holdback.snapshots import Snapshots

AT_ONCE: Final = 200
"""Members read in one query."""


async def roster(store: Store, snapshots: Snapshots) -> list[Head]:
    """The heads of all members there ever were, retired and proposed ones too. Raises StoreUnavailable or Tampered."""
    prefix, after = STREAM_PREFIX[StreamKind.STAFF], STREAM_PREFIX[StreamKind.STAFF]
    found: list[Head] = []
    while True:
        names = [name for name in await store.accounts(after, AT_ONCE) if name.startswith(prefix)]
        if not names:
            return found
        loaded = await store.read([Wanted(name) for name in names])
        found += [snapshots.head(row) for row in loaded.snapshots.values()]
        after = names[-1]
