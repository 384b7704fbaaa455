"""Messages to the platform in a store: written with their heads, each account's in order, never dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.contracts.rows import put, step

from holdback.ports import Conflict, Wanted, WebhookRow, Writes

if TYPE_CHECKING:
    from tests.contracts.conftest import Opener

    from holdback.ports import Store

LEASE_MS = 10


class Hands:
    """A clock that is moved by hand."""

    def __init__(self, at: int = 50) -> None:
        self.at = at

    def now(self) -> int:
        """What time it is."""
        return self.at


def row(account: str, place: int, due_at: int = 50, *, kind: str = "exit.held") -> WebhookRow:
    """A message that was never tried."""
    return WebhookRow(f"{account}/{place}", account, place, kind, "x1", 99, due_at)


async def test_an_accounts_messages_go_in_order(opened: Opener) -> None:
    """Of each account only the first message that is left is given out, also while another has it in hand."""
    store = await opened(lambda: 50)
    rows = [row("a", 2), row("a", 1), row("b", 7), row("a", 3, 49)]
    await put(store, Writes(webhooks=rows))
    assert await store.webhook_backlog() == (4, 49)
    assert await store.claim_webhooks(9, LEASE_MS) == [rows[3], rows[2]]
    assert await store.claim_webhooks(9, LEASE_MS) == []
    await store.webhook_sent("a/3")
    assert await store.claim_webhooks(9, LEASE_MS) == [rows[1]]
    await store.webhook_sent("a/1")
    assert await store.claim_webhooks(9, LEASE_MS) == [rows[0]]


async def test_what_is_due_later_holds_nobody_up(opened: Opener) -> None:
    """A message that was written beforehand waits for its time behind all that are due before it."""
    clock = Hands(50)
    store = await opened(clock.now)
    await put(store, Writes(webhooks=[row("a", 1, 80), row("a", 2, 60)]))
    assert await store.claim_webhooks(9, LEASE_MS) == []
    assert await store.webhook_backlog() == (0, 0)
    clock.at = 60
    assert [one.place for one in await store.claim_webhooks(9, LEASE_MS)] == [2]
    await store.webhook_sent("a/2")
    clock.at = 80
    assert [one.place for one in await store.claim_webhooks(9, LEASE_MS)] == [1]


async def test_a_taker_that_dies_leaves_it_to_the_next(opened: Opener) -> None:
    """A lease ends by itself; a failed try counts, keeps its place, and comes again at its time."""
    clock = Hands(50)
    store = await opened(clock.now)
    await put(store, Writes(webhooks=[row("a", 1), row("a", 2)]))
    assert len(await store.claim_webhooks(9, LEASE_MS)) == 1
    clock.at += LEASE_MS
    assert [one.id for one in await store.claim_webhooks(9, LEASE_MS)] == ["a/1"]
    await store.postpone_webhook("a/1", 70, "busy")
    assert await store.claim_webhooks(9, LEASE_MS) == []
    clock.at = 70
    assert await store.claim_webhooks(9, LEASE_MS) == [row("a", 1)._replace(tries=1, error="busy")]


async def test_a_dead_message_lets_the_others_pass(opened: Opener) -> None:
    """What is given up is shown, holds up nobody, and can be revived, with its place in the order."""
    store = await opened(lambda: 50)
    await put(store, Writes(webhooks=[row("a", 1), row("a", 2)]))
    await store.bury_webhook("a/1", "gone")
    assert await store.dead_webhooks(9) == [row("a", 1)._replace(tries=1, error="gone")]
    assert [one.id for one in await store.claim_webhooks(9, 0)] == ["a/2"]
    assert not await store.revive_webhook("a/2")
    assert await store.revive_webhook("a/1")
    assert [one.tries for one in await store.claim_webhooks(9, 0)] == [0]
    assert await store.dead_webhooks(9) == []


async def test_it_stands_and_falls_with_its_head(store: Store) -> None:
    """What a refused transaction would have told is not there, and no message is written twice."""
    await put(store, step("a", 1, webhooks=[row("a", 1, 1)]))
    for refused in (step("a", 1, webhooks=[row("a", 2, 1)]), step("a", 2, webhooks=[row("a", 1, 1)])):
        with pytest.raises(Conflict):
            await put(store, refused)
    assert [one.id for one in await store.claim_webhooks(9, 0)] == ["a/1"]


async def test_all_read_that_somebody_posts(opened: Opener) -> None:
    """When it was last said that messages are posted is read with every load, by every process, and goes never back."""
    clock = Hands(50)
    one, other = await opened(clock.now), await opened(clock.now)
    assert (await one.read([])).hooked_at == 0
    await one.say_hooked()
    for clock.at, said in ((60, 50), (70, 50)):
        assert (await other.read([Wanted("a")])).hooked_at == said
        async with other.transaction() as transaction:
            assert (await transaction.load([Wanted("a")])).hooked_at == said
    await other.say_hooked()
    clock.at = 20
    await one.say_hooked()
    assert (await one.read([])).hooked_at == 70
