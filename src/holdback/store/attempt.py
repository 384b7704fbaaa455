"""A transaction that locks nothing: what it loads is a snapshot, and what it writes is kept back until its end.

Then everything is written at once, and refused as a whole if anybody else was first. Both stores have it, for it costs
each the fewest steps: PostgreSQL one round trip, SQLite one visit to the thread that writes.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from holdback.ports import Writes
from holdback.store.records import settled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from holdback.ports import Loaded, Wanted


class Attempt:
    """See ports.Transaction. `read` reads without locks; `commit` makes rows durable, or raises and keeps none."""

    def __init__(
        self, read: Callable[[Sequence[Wanted]], Awaitable[Loaded]], commit: Callable[[Writes], Awaitable[None]]
    ) -> None:
        """Begin nothing: there is nothing to end either if nothing is written."""
        self._read = read
        self._commit = commit
        self._writes = Writes()
        self._failed: Exception | None = None

    async def load(self, wanted: Sequence[Wanted]) -> Loaded:
        """See ports.Transaction."""
        with self._noting_failure():
            return await self._read(wanted)

    async def write(self, writes: Writes) -> None:
        """See ports.Transaction."""
        with self._noting_failure():
            both = zip(self._writes[:-1], writes[:-1], strict=True)
            joined = Writes._make([*([*before, *more] for before, more in both), max(self._writes.as_of, writes.as_of)])
            self._writes = settled(joined)

    async def end(self) -> None:
        """Commit what was written. Raises what failed before, also where the block has swallowed it."""
        if self._failed is not None:
            raise self._failed
        if not self._writes.empty:
            await self._commit(self._writes)

    @contextmanager
    def _noting_failure(self) -> Iterator[None]:
        if self._failed is not None:
            raise self._failed
        try:
            yield
        except Exception as error:
            self._failed = error
            raise
