"""Real server processes, `holdback serve` as an operator runs it, and the platform's backend that asks them."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import httpx
import msgspec
from tests.service.house import Hands, settings

from holdback.core.events import HOUR, MINUTE
from holdback.web.keys import Scope, issued

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.contracts.conftest import Place

    from holdback.core.events import Instant
    from holdback.ports import Store

DEADLINE_S: Final = 60
GLANCE_S: Final = 0.05
TRIES: Final = 40


def now() -> Instant:
    """What time it is, as the servers see it."""
    return int(time.time() * 1000)


def before_now(hours: int) -> Hands:
    """A clock to live a past of so many hours by, and some minutes more, so that codes shown then are not shown now."""
    return Hands(now() - hours * HOUR - 5 * MINUTE)


async def admitted(store: Store) -> str:
    """A platform key that may ask, put into the store; its text."""
    text, row = issued("backend", [Scope.ASK], os.urandom(32), now())
    await store.put_key(row)
    return text


class Said(NamedTuple):
    """One question and the bytes it was answered with; empty while nobody answered."""

    account: str
    key: str
    body: bytes
    answer: bytes = b""

    @property
    def decision(self) -> str:
        """What was decided."""
        return str(msgspec.json.decode(self.answer)["decision"])


class Server:
    """One `holdback serve`, reached as the platform's backend reaches it."""

    def __init__(self, process: Process, url: str, key: str) -> None:
        self.process = process
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        self.http = httpx.AsyncClient(base_url=url, headers=headers, limits=limits, timeout=DEADLINE_S)

    async def once(self, said: Said) -> Said:
        """Ask once. Raises httpx.HTTPError if nobody answers, or if the answer is that nobody can just now."""
        path, headers = f"/v1/accounts/{said.account}/actions", {"idempotency-key": said.key}
        reply = await self.http.post(path, content=said.body, headers=headers)
        if reply.status_code != 503:
            assert reply.status_code == 200, reply.text
        reply.raise_for_status()
        return said._replace(answer=reply.content)

    async def ask(self, said: Said) -> Said:
        """Ask until somebody answers; always under the same key."""
        for _ in range(TRIES):
            with suppress(httpx.HTTPStatusError):
                return await self.once(said)
        raise AssertionError("never answered")


def question(account: str, key: str, body: dict[str, Any]) -> Said:
    """A question that nobody answered yet."""
    return Said(account, key, msgspec.json.encode(body))


@asynccontextmanager
async def serving(place: Place, key: str, log: Path) -> AsyncIterator[Server]:
    """A server on a store, from when it answers; killed at the end if it still runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    wired = settings()
    environment = {
        **os.environ,
        "HOLDBACK_STORE": place.at if place.kind == "postgres" else f"sqlite:{place.at}",
        "HOLDBACK_MASTER_KEYS": wired.master_keys,
        "HOLDBACK_RECEIPT_KEYS": wired.receipt_keys,
    }
    with log.open("ab") as sink:
        command = [sys.executable, "-m", "holdback", "serve", "--port", str(port)]
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=sink, stderr=sink)
    server = Server(process, f"http://127.0.0.1:{port}", key)
    try:
        await _up(server)
        yield server
    finally:
        await server.http.aclose()
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _up(server: Server) -> None:
    ended = asyncio.ensure_future(server.process.wait())
    async with asyncio.timeout(DEADLINE_S):
        while True:
            with suppress(httpx.TransportError):
                if (await server.http.get("/healthz")).is_success:
                    return
            done, _ = await asyncio.wait([ended], timeout=GLANCE_S)
            assert not done, "the server ended by itself"
