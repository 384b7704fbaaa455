"""The platform is told what becomes of holds: messages that were written with the events, posted in order (law 8).

At least once, never dropped: a message is claimed for a while, posted, and forgotten only when it was accepted. Whoever
dies in between leaves it to the next, which posts it again under the same id. What fails for good becomes a dead letter
that an operator can see and revive. Nothing is decided by any of it: who misses a message finds the hold by polling.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from holdback.core.events import HOUR, MINUTE
from holdback.core.hold_life import Told, is_due
from holdback.ports import ChannelRefused, ChannelUnavailable, StoreUnavailable, Wanted
from holdback.wording.words import instant_text

if TYPE_CHECKING:
    from holdback.ports import Hook, WebhookRow
    from holdback.service import Service

log = structlog.get_logger()

LEASE_MS: Final = MINUTE
BACK_OFF_MS: Final = (5_000, 30_000, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR)
"""How long to wait after each failed try; after the last one the message is a dead letter. About a day in all.

A refusal is tried again as well: a platform that answers 404 for an hour has a fault, and not a wish to miss a hold.
"""
AT_ONCE: Final = 16
"""Messages in flight at a time, each of another account."""
POLL_S: Final = 1.0
"""How often it is asked whether something has come due."""
SAID_EVERY_S: Final = 3_600.0
"""How often it is said in the store that somebody tells the platform; `judging.TOLD_FOR_MS` is much longer."""
TEST: Final = "webhook.test"
"""The kind of the message by which an operator tries an endpoint."""


class Webhooks:
    """Tells one platform. Example: `await Webhooks(service, SignedPost(url, secrets)).run(stop)`."""

    def __init__(self, service: Service, hook: Hook) -> None:
        """Post to this hook what the service's store has."""
        self._service = service
        self._store = service.store
        self._hook = hook
        self._said_at = -SAID_EVERY_S

    async def say_hooked(self) -> None:
        """Say in the store, now and then, that there is an endpoint: other processes write news for it as well."""
        if monotonic() - self._said_at >= SAID_EVERY_S:
            await self._store.say_hooked()
            self._said_at = monotonic()

    async def run(self, stop: asyncio.Event, poll_s: float = POLL_S) -> None:
        """Post until `stop` is set: soon when this process wrote something, else every `poll_s` seconds."""
        while not stop.is_set():
            self._service.hooked.clear()
            taken = 0
            try:
                await self.say_hooked()
                taken = await self.post_due()
            except StoreUnavailable:
                log.warning("webhooks.store_unavailable")
            except Exception as error:  # noqa: BLE001 - nobody would begin again to tell the platform anything
                log.error("webhooks.failed", error=type(error).__name__)  # noqa: TRY400 - the row's words are nobody's
            if not taken:
                await _either(self._service.hooked, stop, poll_s)

    async def post_due(self, limit: int = AT_ONCE) -> int:
        """Post what is due now, the first message of each account; how many were taken in hand."""
        rows = await self._store.claim_webhooks(limit, LEASE_MS)
        async with asyncio.TaskGroup() as group:
            for row in rows:
                group.create_task(self._deliver(row))
        return len(rows)

    async def _deliver(self, row: WebhookRow) -> None:
        """Take one message as far as it goes. What goes wrong with it is its own: the others go out all the same."""
        try:
            await self._tried(row)
        except StoreUnavailable:
            # Its lease ends by itself, and then it is taken again.
            log.warning("webhooks.store_unavailable", message=row.id)
        except Exception as error:  # noqa: BLE001 - it would end the others in flight, and nobody begins again
            log.error("webhooks.failed", message=row.id, error=type(error).__name__)  # noqa: TRY400 - as above
            with suppress(StoreUnavailable):
                await self._try_later(row, type(error).__name__)

    async def _tried(self, row: WebhookRow) -> None:
        try:
            if await self._is_still_so(row):
                await self._hook.post(row.id, body(row))
        except (ChannelUnavailable, ChannelRefused) as error:
            await self._try_later(row, str(error))
        else:
            await self._store.webhook_sent(row.id)

    async def _is_still_so(self, row: WebhookRow) -> bool:
        """Whether a message is to go: one that was written beforehand only if the hold stands as it stood then."""
        if row.kind != Told.RELEASABLE:
            return True
        loaded = await self._store.read([Wanted(row.account)])
        head = self._service.tools.snapshots.head(loaded.snapshots[row.account])
        return is_due(head, row.which, row.until, max(loaded.now, head.at))

    async def _try_later(self, row: WebhookRow, error: str) -> None:
        if row.tries >= len(BACK_OFF_MS):
            log.error("webhooks.dead_letter", message=row.id, error=error[:200])
            await self._store.bury_webhook(row.id, error[:200])
            return
        now = (await self._store.read([Wanted("")])).now
        await self._store.postpone_webhook(row.id, now + BACK_OFF_MS[row.tries], error[:200])


def body(row: WebhookRow) -> str:
    """What is posted: the same bytes at each try. Ids, a kind and instants, never anything personal."""
    data: dict[str, str | None] = {"account": row.account}
    if row.which:
        data["exit"] = row.which
    data["until"] = instant_text(row.until) if row.until else None
    return msgspec.json.encode({"type": row.kind, "timestamp": instant_text(row.due_at), "data": data}).decode()


async def post_test(hook: Hook, name: str, now: int) -> None:
    """Post a message that tells of nothing. Raises ChannelUnavailable or ChannelRefused."""
    await hook.post(name, msgspec.json.encode({"type": TEST, "timestamp": instant_text(now), "data": {}}).decode())


async def _either(one: asyncio.Event, other: asyncio.Event, timeout_s: float) -> None:
    """Wait for either event, or for the time to pass."""
    waiters = [asyncio.ensure_future(event.wait()) for event in (one, other)]
    await asyncio.wait(waiters, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    for waiter in waiters:
        waiter.cancel()
