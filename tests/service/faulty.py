"""A store and a mailbox in which one step goes wrong once, before or after it took effect."""

from __future__ import annotations

from contextlib import asynccontextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

from holdback.ports import Conflict, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from holdback.core.events import Instant
    from holdback.ports import Loaded, NoticeRow, Store, Transaction, Wanted, Writes


class Step(StrEnum):
    """What a service or an outbox waits for, in the order in which it does."""

    READ = "read"
    BEGIN = "begin"
    LOAD = "load"
    WRITE = "write"
    COMMIT = "commit"
    CLAIM = "claim"
    SEND = "send"
    POSTPONE = "postpone"
    BURY = "bury"


class Fault(StrEnum):
    """`FAILED`: nothing happened. `PERSISTED`: it happened, and the caller saw an error all the same."""

    FAILED = "failed"
    PERSISTED = "failed but persisted"


class Trap:
    """Lets the next use of a step fail, once. `sprung` counts how often it did.

    `meanwhile` is done once, before the next use of its step: what another process or an intruder does just then.
    While it is `crowded`, whoever takes no locks always meets somebody who was first.
    """

    def __init__(self) -> None:
        self._set: tuple[Step, Fault] | None = None
        self._error: Exception = StoreUnavailable()
        self._spared = 0
        self._meanwhile: tuple[Step, Callable[[], Awaitable[None]]] | None = None
        self.sprung = 0
        self.crowded = False

    def set(self, step: Step, fault: Fault, error: Exception | None = None, *, after: int = 0) -> None:
        """Wait for a step, to raise this there, or `after` so many of its kind."""
        self._set = (step, fault)
        self._spared = after
        self._error = error or StoreUnavailable(f"{step}: {fault}")

    def meanwhile(self, step: Step, work: Callable[[], Awaitable[None]]) -> None:
        """Wait for a step, to do this before it."""
        self._meanwhile = (step, work)

    def disarm(self) -> bool:
        """Wait no more; whether the step never came."""
        waiting, self._set = self._set is not None, None
        return waiting

    def check(self, step: Step, fault: Fault) -> None:
        """Raise if this is what was waited for."""
        if self._set == (step, fault):
            self._spared -= 1
            if self._spared >= 0:
                return
            self._set = None
            self.sprung += 1
            raise self._error

    async def around(self, step: Step, work: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401 - whatever the work gives
        """Do the work of a step, or fail before or after it."""
        if self._meanwhile is not None and self._meanwhile[0] is step:
            (_, other), self._meanwhile = self._meanwhile, None
            await other()
        self.check(step, Fault.FAILED)
        result = await work()
        self.check(step, Fault.PERSISTED)
        return result


class FaultyTransaction:
    """A transaction whose steps may fail."""

    def __init__(self, inner: Transaction, trap: Trap) -> None:
        self._inner = inner
        self._trap = trap

    async def load(self, wanted: Sequence[Wanted]) -> Loaded:
        """See ports.Transaction."""
        loaded: Loaded = await self._trap.around(Step.LOAD, lambda: self._inner.load(wanted))
        return loaded

    async def write(self, writes: Writes) -> None:
        """See ports.Transaction."""
        await self._trap.around(Step.WRITE, lambda: self._inner.write(writes))


class FaultyStore:
    """A real store whose durable steps may fail; everything else is the real one's."""

    def __init__(self, inner: Store, trap: Trap) -> None:
        self._inner = inner
        self._trap = trap

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the real store has
        """All that cannot fail here."""
        return getattr(self._inner, name)

    @asynccontextmanager
    async def transaction(self, *, locks: bool = True) -> AsyncGenerator[FaultyTransaction]:
        """See ports.Store. A commit that failed without effect is rolled back, as its store would do."""
        if self._trap.crowded and not locks:
            raise Conflict("somebody was first")
        self._trap.check(Step.BEGIN, Fault.FAILED)
        async with self._inner.transaction(locks=locks) as transaction:
            self._trap.check(Step.BEGIN, Fault.PERSISTED)
            yield FaultyTransaction(transaction, self._trap)
            self._trap.check(Step.COMMIT, Fault.FAILED)
        self._trap.check(Step.COMMIT, Fault.PERSISTED)

    async def read(self, wanted: Sequence[Wanted]) -> Loaded:
        """See ports.Store."""
        loaded: Loaded = await self._trap.around(Step.READ, lambda: self._inner.read(wanted))
        return loaded

    async def claim(self, limit: int, lease_ms: int) -> list[NoticeRow]:
        """See ports.Store."""
        rows: list[NoticeRow] = await self._trap.around(Step.CLAIM, lambda: self._inner.claim(limit, lease_ms))
        return rows

    async def postpone(self, id: str, due_at: Instant, error: str) -> None:  # noqa: A002 - the port's own word
        """See ports.Store."""
        await self._trap.around(Step.POSTPONE, lambda: self._inner.postpone(id, due_at, error))

    async def bury(self, id: str, error: str) -> None:  # noqa: A002 - the port's own word
        """See ports.Store."""
        await self._trap.around(Step.BURY, lambda: self._inner.bury(id, error))


def faulty(store: Store, trap: Trap) -> Store:
    """A store with a trap in it."""
    return cast("Store", FaultyStore(store, trap))
