"""The connections of a PostgreSQL store: a few, each used by one at a time and kept for the next.

The driver has a pool of its own, which starts a task and sets three timers each time a connection changes hands: more
steps than all else that a statement costs.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

IDLE_S: Final = 300
"""How long a connection may lie unused and still be trusted: what stands in between forgets the idle ones unsaid."""


class Connections:
    """At most `most` connections at a time, made by `connect` when they are first wanted."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], most: int, wait_s: float) -> None:
        """Connect to nothing yet."""
        self._connect = connect
        self._most = most
        self._wait_s = wait_s
        self._places = asyncio.Semaphore(most)
        self._idle: list[tuple[float, Connection]] = []

    async def take(self) -> Connection:
        """A connection, the one that was used last if it can be. Raises TimeoutError if none comes free in time."""
        if self._places.locked():
            async with asyncio.timeout(self._wait_s):
                await self._places.acquire()
        else:
            await self._places.acquire()
        try:
            trusted = asyncio.get_running_loop().time() - IDLE_S
            while self._idle:
                since, connection = self._idle.pop()
                if since >= trusted and not connection.is_closed():
                    return connection
                connection.terminate()
            return await self._connect()
        except BaseException:
            self._places.release()
            raise

    def give_back(self, connection: Connection, *, sound: bool) -> None:
        """Keep a connection for the next, unless it is closed, or may be in the midst of something."""
        if sound and not connection.is_closed() and not connection.is_in_transaction():
            self._idle.append((asyncio.get_running_loop().time(), connection))
        else:
            connection.terminate()
        self._places.release()

    async def close(self) -> None:
        """Close them all, once nobody uses any."""
        for _ in range(self._most):
            await self._places.acquire()
        idle, self._idle = self._idle, []
        try:
            for _, connection in idle:
                await connection.close()
        finally:
            for _ in range(self._most):
                self._places.release()
