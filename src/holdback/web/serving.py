"""Running the server: the API, and the outbox beside it, in one or several processes.

uvicorn's own access log stays off: it would write query strings, and a freeze link's token stands in one.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

import msgspec
import structlog
import uvicorn
from starlette.routing import Router
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.supervisors import Multiprocess

from holdback import wiring
from holdback.breaker_watch import BreakerWatch
from holdback.core.events import HOUR
from holdback.judging import TOLD_FOR_MS
from holdback.looking import once
from holdback.reader_watch import ReaderWatch
from holdback.web import api
from holdback.webhooks import Webhooks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from holdback.outbox import Outbox
    from holdback.service import Service
    from holdback.wiring import Settings

log = structlog.get_logger()

HEAD_BYTES: Final = 32 * 1024
"""The longest request line and headers that are read; a header of 64 KiB is nobody's."""

COLLECT_AFTER: Final = 50_000
"""New objects before the collector looks at the young ones; its default of 700 is a few decisions."""

TURN_S: Final = 0.0005
"""How long a thread may keep the interpreter from the loop; Python's default is ten times that. How hard a password is
to guess is worked out in a thread in pure Python, beside which a turn of the loop took 8 ms with the default, not 2."""

DRAIN_S: Final = 10
"""How long requests may go on after the server was told to stop."""

FAILED: Final = 3
"""Exit status of a server that never started."""


class BoundedHeads(HttpToolsProtocol):
    """uvicorn's fast protocol, which by itself reads a head of any length into memory."""

    def on_message_begin(self) -> None:
        """Start counting."""
        self.head_left: int | None = HEAD_BYTES
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Stop counting: what follows is the body, which the application bounds."""
        self.head_left = None
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Give up on a head that is still not complete after so much."""
        super().data_received(data)
        left = getattr(self, "head_left", None)
        if left is not None and not self.transport.is_closing():
            self.head_left = left - len(data)
            if self.head_left < 0:
                self.send_400_response("The head of the request is too long.")


def server(settings: Settings, ahead_ms: int = 0) -> Router:
    """An ASGI application that opens its store when it starts; then notices go out and readers are watched.

    `ahead_ms` is how much later it believes that it is.
    """

    @asynccontextmanager
    async def lifespan(_router: object) -> AsyncIterator[None]:
        _calm_collector()
        sys.setswitchinterval(TURN_S)
        async with wiring.running(settings, ahead_ms=ahead_ms) as (service, outbox):
            if wiring.breached(settings) is None:
                log.warning(
                    "passwords.no_breached_list", setting="HOLDBACK_BREACHED_PASSWORDS", used="built-in list only"
                )
            await service.warm()
            watch = BreakerWatch(service)
            await once(watch.look, "breaker")  # before the first exit, which would be held if nobody had looked
            people = api.People(settings.center_url, settings.console_url)
            router.routes.extend(api.routes(service, telling=_telling(settings, outbox), people=people))
            stop = asyncio.Event()
            working = {
                asyncio.create_task(outbox.run(stop), name="outbox"),
                asyncio.create_task(ReaderWatch(service).run(stop), name="readers"),
            }
            working.add(asyncio.create_task(watch.run(stop), name="breaker"))
            hook = wiring.hook(settings)
            if hook is None:
                await _warn_of_another(service)
            else:
                working.add(asyncio.create_task(Webhooks(service, hook).run(stop), name="webhooks"))
            for task in working:
                task.add_done_callback(_say_why)
            try:
                yield
            finally:
                stop.set()
                await asyncio.gather(*working)
                if hook is not None:
                    await hook.close()

    router = Router(lifespan=lifespan, redirect_slashes=False, default=api.nowhere)
    return router


async def _warn_of_another(service: Service) -> None:
    """Another server tells the platform of holds: that this one does not may be an oversight."""
    loaded = await service.store.read([])
    if loaded.hooked_at + TOLD_FOR_MS > loaded.now:
        log.warning("webhooks.set_elsewhere", setting="HOLDBACK_HOLD_WEBHOOK_URL", used="the other server's endpoint")


def _telling(settings: Settings, outbox: Outbox) -> api.Telling:
    if outbox.has_channel:
        return api.Telling.DOES
    return api.Telling.OTHERS_DO if settings.channels else api.Telling.CANNOT


def _calm_collector() -> None:
    """Look for cycles seldom and never among what the program began with: decisions make many objects and no cycles."""
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 50)


def _say_why(task: asyncio.Task[None]) -> None:
    """An outbox that ends by itself leaves owners untold: `/readyz` says so soon, and the log why."""
    if not task.cancelled() and task.exception() is not None:
        log.error("task.died", task=task.get_name(), error=type(task.exception()).__name__)


def server_from_environment() -> Router:
    """The same, for a worker process."""
    settings = wiring.settings_from(os.environ)
    log_as_json(settings.log_level)
    return server(settings)


def log_as_json(level: str) -> None:
    """One JSON object a line on standard error, written by msgspec; lines below the level cost nothing."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=lambda line, **_: msgspec.json.encode(line)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )


def configured(settings: Settings, *, host: str, port: int, workers: int = 1, ahead_ms: int = 0) -> uvicorn.Config:
    """How uvicorn is to serve: in this process, or in `workers` processes that read the environment themselves."""
    several = workers > 1
    proxies = wiring.trusted_proxies(settings)
    return uvicorn.Config(
        "holdback.web.serving:server_from_environment" if several else server(settings, ahead_ms),
        factory=several,
        host=host,
        port=port,
        workers=workers,
        loop="uvloop",
        http=BoundedHeads,
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        timeout_graceful_shutdown=DRAIN_S,
    )


def serve(settings: Settings, *, host: str, port: int, workers: int = 1, ahead_ms: int = 0) -> int:
    """Serve until stopped; the process's exit status. `settings` are those of the environment, which workers read.

    `ahead_ms` is how much later the server is to believe that it is, for trials. Raises SettingError.
    """
    if ahead_ms:
        wiring.must_be_a_trial(settings, host)
    if workers > 1 and settings.store.startswith("sqlite:"):
        raise wiring.SettingError("HOLDBACK_STORE: more than one worker needs PostgreSQL")
    log_as_json(settings.log_level)
    if wiring.links_lead_nowhere(settings):
        log.warning("public_url.loopback", setting="HOLDBACK_PUBLIC_URL", url=settings.public_url)
    if settings.center_url.startswith("https:") and not settings.trusted_proxies:
        log.warning("proxy.unnamed", setting="HOLDBACK_TRUSTED_PROXIES", meaning="all customers seem to call from it")
    if ahead_ms:
        log.warning("trial.ahead", hours=ahead_ms // HOUR, meaning="every wait seems over; its receipts pay nothing")
    config = configured(settings, host=host, port=port, workers=workers, ahead_ms=ahead_ms)
    running = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):
        if workers > 1:
            Multiprocess(config, sockets=[config.bind_socket()]).run()
            return 0
        running.run()
    return 0 if running.started else FAILED
