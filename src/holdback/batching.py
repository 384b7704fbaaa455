"""Batch-first: what arrives while one unit of work is in flight forms the next one (design section 6).

No timer holds anything back: the first job starts at once, and under load batches grow by themselves until `largest`.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

J = TypeVar("J")
R = TypeVar("R")


class Overloaded(Exception):
    """More work waits than could be done in time; come back in `retry_after_s` seconds."""

    retry_after_s = 1


class Job(Generic[J, R]):
    """One unit of somebody's work, and its outcome. Exactly one of `done` and `failed` takes effect.

    Giving up waiting for the outcome does not stop the work: it only leaves nobody to answer.
    """

    __slots__ = ("outcome", "work")

    def __init__(self, work: J) -> None:
        """Wrap the work; call inside a running event loop."""
        self.work = work
        self.outcome: asyncio.Future[R] = asyncio.get_running_loop().create_future()

    def done(self, result: R) -> None:
        """Answer whoever waits, if they still do."""
        if not self.outcome.done():
            self.outcome.set_result(result)

    def failed(self, error: Exception) -> None:
        """Fail whoever waits, if they still do."""
        if not self.outcome.done():
            self.outcome.set_exception(error)


class Batcher(Generic[J, R]):
    """Runs jobs in batches, at most `lanes` batches at a time, `largest` jobs each, `waiting` jobs in the queue.

    `run` must settle every job of its batch; one it leaves unsettled fails with its exception. `batches` and `jobs`
    count what was begun.

    Example: `await Batcher(run, largest=64).submit(work)`.
    """

    def __init__(
        self, run: Callable[[list[Job[J, R]]], Awaitable[None]], *, largest: int, lanes: int = 1, waiting: int = 2_000
    ) -> None:
        """Start nothing yet: lanes run while there is work."""
        self._run = run
        self._largest = largest
        self._lanes = lanes
        self._waiting = waiting
        self._queue: list[Job[J, R]] = []
        self.batches = 0
        self.jobs = 0
        self._running: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """How many jobs wait for a batch."""
        return len(self._queue)

    async def submit(self, work: J) -> R:
        """Do one job in some batch. Raises Overloaded at once when the queue is full, else what it failed with."""
        if len(self._queue) >= self._waiting:
            raise Overloaded
        job: Job[J, R] = Job(work)
        self._queue.append(job)
        if len(self._running) < self._lanes:
            lane = asyncio.create_task(self._lane())
            self._running.add(lane)
            lane.add_done_callback(self._running.discard)
        return await job.outcome

    async def _lane(self) -> None:
        while self._queue:
            batch, self._queue = self._queue[: self._largest], self._queue[self._largest :]
            self.batches += 1
            self.jobs += len(batch)
            try:
                await self._run(batch)
            except Exception as error:  # noqa: BLE001 - whatever it was belongs to those who wait for it
                for job in batch:
                    job.failed(error)
        # In the same step as it found the queue empty: who submits next must not count on a lane that looks no more.
        lane = asyncio.current_task()
        if lane is not None:
            self._running.discard(lane)

    async def drained(self) -> None:
        """Wait until nothing runs any more."""
        while self._running:
            await asyncio.wait(self._running)


@dataclass
class _Turn:
    """What of one is done at once: the places there are, and how many have or want one."""

    places: asyncio.Semaphore
    under_way: int = 0


class Turns:
    """Few places for each, so that none takes up everybody's. Example: `async with turns.one_of("alice"):`."""

    def __init__(self, at_once: int, most: int) -> None:
        """So many at a time of each; `most` with those that wait for their turn."""
        self._at_once, self._most = at_once, most
        self._turns: dict[str, _Turn] = {}

    @asynccontextmanager
    async def one_of(self, whose: str) -> AsyncIterator[None]:
        """A place among those of one. Raises Overloaded if too many wait for one."""
        turn = self._turns.setdefault(whose, _Turn(asyncio.Semaphore(self._at_once)))
        if turn.under_way >= self._most:
            raise Overloaded
        turn.under_way += 1
        try:
            async with turn.places:
                yield
        finally:
            turn.under_way -= 1
            if not turn.under_way:
                del self._turns[whose]
