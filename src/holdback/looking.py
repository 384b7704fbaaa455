"""Doing something again and again until the server stops, whatever befalls one turn."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from holdback.batching import Overloaded
from holdback.ports import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = structlog.get_logger()


async def again(look: Callable[[], Awaitable[object]], stop: asyncio.Event, every_s: float, what: str) -> None:
    """Look until `stop` is set; a failure is logged under `what`, and the next turn is another try."""
    while not stop.is_set():
        await once(look, what)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every_s)


async def once(look: Callable[[], Awaitable[object]], what: str) -> None:
    """Look; a failure is logged under `what`."""
    try:
        await look()
    except (StoreUnavailable, Overloaded, TimeoutError):
        log.warning("look.store_unavailable", of=what)
    except Exception as error:  # noqa: BLE001 - a watch that ends for a fault of one row would watch nobody
        log.error("look.failed", of=what, error=type(error).__name__)  # noqa: TRY400 - the row's words are nobody's
