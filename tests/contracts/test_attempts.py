"""Counting attempts: every store counts each once, however many replicas count at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from holdback.ports import Attempts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.contracts.conftest import Opener

    from holdback.core.events import Instant
    from holdback.ports import Store

    Count = Callable[[Instant, Mapping[bytes, Attempts]], list[Attempts]]

NOW = 1_000_000


def more(*keys: bytes, until: Instant = NOW + 50, account: str = "") -> Count:
    """Add one to each of these rows."""

    def count(now: Instant, rows: Mapping[bytes, Attempts]) -> list[Attempts]:
        found = [rows.get(key, Attempts(key, 0, now, 0, 0)) for key in keys]
        return [
            one._replace(failures=one.failures + 1, failed_at=now, until=until, networks=5, account=account)
            for one in found
        ]

    return count


async def rows(store: Store, *keys: bytes) -> dict[bytes, Attempts]:
    """What is kept under these keys."""
    seen: dict[bytes, Attempts] = {}

    def look(_: Instant, found: Mapping[bytes, Attempts]) -> list[Attempts]:
        seen.update(found)
        return []

    await store.count_attempts(keys, look)
    return seen


async def test_what_was_counted_is_kept(opened: Opener) -> None:
    """A row comes back as it was returned, one that is not there is not handed over, and looking makes none."""
    store = await opened(lambda: NOW)
    await store.count_attempts([b"a", b"b"], more(b"a"))
    assert await rows(store, b"a", b"b") == {b"a": Attempts(b"a", 1, NOW, NOW, NOW + 50, 5)}
    assert await rows(store, b"b") == {}
    await store.count_attempts([b"a"], lambda _, found: [found[b"a"]._replace(failures=0)])
    assert await rows(store, b"a") == {}


async def test_replicas_count_together(opened: Opener) -> None:
    """Of many that count under one key at once each sees what those before it kept, also when there was no row yet."""
    stores = [await opened(lambda: NOW) for _ in range(2)]
    keys = [b"x", b"y"]
    await asyncio.gather(*(store.count_attempts(keys, more(*keys)) for store in stores for _ in range(20)))
    assert [one.failures for one in (await rows(stores[0], *keys)).values()] == [40, 40]


async def test_a_count_that_fails_keeps_nothing(opened: Opener) -> None:
    """What the caller's own function raises ends the transaction."""
    store = await opened(lambda: NOW)

    def fails(_now: Instant, _rows: Mapping[bytes, Attempts]) -> list[Attempts]:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        await store.count_attempts([b"a"], fails)
    assert await rows(store, b"a") == {}


async def test_what_is_due_and_what_is_forgotten(opened: Opener) -> None:
    """Rows of an account are due from their instant on and never forgotten; all others are forgotten from then on."""
    at = [NOW]
    store = await opened(lambda: at[0])
    await store.count_attempts([b"a"], more(b"a", until=NOW + 20, account="alice"))
    await store.count_attempts([b"b"], more(b"b", until=NOW + 10, account="bob"))
    await store.count_attempts([b"n"], more(b"n", until=NOW + 10))
    assert await store.attempts_due(9) == []
    assert await store.forget_attempts() == 0
    at[0] = NOW + 20
    assert [one.account for one in await store.attempts_due(9)] == ["bob", "alice"]
    assert [one.account for one in await store.attempts_due(1)] == ["bob"]
    assert await store.forget_attempts() == 1
    assert set(await rows(store, b"a", b"b", b"n")) == {b"a", b"b"}
