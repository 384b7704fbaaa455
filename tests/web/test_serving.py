"""The server around the API: what uvicorn must not do, and what starts and ends with it."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import msgspec
import pytest
import ua_parser
import uvicorn
from structlog.testing import capture_logs

from holdback import wiring
from holdback.evidence import browser
from holdback.receipts import ReceiptKeys
from holdback.sealing import MasterKeys
from holdback.web import serving as serving_module
from holdback.web.serving import HEAD_BYTES, configured, serve, server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

    from holdback.wiring import Settings

OPENING: Final = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
READY: Final = OPENING.replace(b"healthz", b"readyz") + b"Connection: close\r\n\r\n"


async def test_what_looks_sign_ins_up_is_there_at_the_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody's first sign-in loads what tells browsers and networks apart, which would stop the loop meanwhile."""
    monkeypatch.delitem(vars(ua_parser), "parser", raising=False)
    monkeypatch.delitem(sys.modules, "iporigin", raising=False)
    browser._program.cache_clear()  # noqa: SLF001 - what an earlier test asked is remembered
    router = server(settings)
    async with router.lifespan_context(router):
        assert "parser" in vars(ua_parser)
        assert ("iporigin" in sys.modules) == (find_spec("iporigin") is not None)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A server on SQLite that is meant to send no mail."""
    return wiring.Settings(
        store=f"sqlite:{tmp_path / 'holdback.db'}",
        master_keys=MasterKeys.new_setting(),
        receipt_keys=ReceiptKeys.generate().to_json(),
        channels="none",
    )


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[int]:
    """The server on a free port of this machine; gives the port."""
    running = uvicorn.Server(configured(settings, host="127.0.0.1", port=0))
    serving_task = asyncio.create_task(running.serve())
    while not running.started:
        assert not serving_task.done()
        await asyncio.sleep(0)
    try:
        yield running.servers[0].sockets[0].getsockname()[1]
    finally:
        running.should_exit = True
        await serving_task


async def exchanged(port: int, *sent: bytes) -> bytes:
    """What the server answers to some bytes before it closes the connection; nothing if it hangs up on them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for data in sent:
            writer.write(data)
            await writer.drain()
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_the_server_opens_its_store_and_closes_it(settings: Settings, tmp_path: Path) -> None:
    """A server on an empty machine brings its schema up, answers, and leaves nothing open behind."""
    async with serving(settings) as port:
        answer = await exchanged(port, READY)

    assert answer.startswith(b"HTTP/1.1 200")
    assert b'{"status":"ready"' in answer
    assert b"server:" not in answer.lower().split(b"\r\n\r\n")[0]
    assert [entry.name for entry in os.scandir(tmp_path)] == ["holdback.db"]


async def test_a_server_that_can_tell_nobody_is_not_ready(settings: Settings) -> None:
    """With no channel nothing ripens, so a server is never ready unless the settings say that it is meant so."""
    with capture_logs() as lines:
        async with serving(msgspec.structs.replace(settings, channels="")) as port:
            answer = await exchanged(port, READY)

    assert answer.startswith(b"HTTP/1.1 503")
    assert b"urn:holdback:problem:not-ready" in answer
    assert "HOLDBACK_CHANNELS" in next(line["why"] for line in lines if line["event"] == "notices.not_ready")


async def test_a_server_with_a_channel_is_ready(settings: Settings) -> None:
    """One channel is enough to be ready, and the word that there is none beside it is refused."""
    mail = msgspec.structs.replace(settings, smtp_host="127.0.0.1", smtp_tls="none", mail_from="security@x.example")
    async with serving(msgspec.structs.replace(mail, channels="")) as port:
        assert (await exchanged(port, READY)).startswith(b"HTTP/1.1 200")
    with pytest.raises(wiring.SettingError, match="HOLDBACK_CHANNELS"):
        wiring.senders(mail)


async def test_a_server_without_the_endpoint_of_another_says_so(settings: Settings) -> None:
    """Whoever does not tell the platform of holds while another server lately did may have been set up wrongly."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    telling = msgspec.structs.replace(settings, hold_webhook_url="http://127.0.0.1:9/holds", hold_webhook_secret=secret)
    warned = []
    for one in (settings, telling, settings):
        with capture_logs() as lines:
            router = server(one)
            async with router.lifespan_context(router):
                await asyncio.sleep(0)
        warned.append("webhooks.set_elsewhere" in {line["event"] for line in lines})
    assert warned == [False, False, True]


@pytest.mark.parametrize(
    ("url", "mails", "warned"),
    [
        ("http://127.0.0.1:8400", True, True),
        ("http://localhost:8400/x", True, True),
        ("http://[::1]:8400", True, True),
        ("http://127.0.0.1:8400", False, False),
        ("https://id.example", True, False),
    ],
)
def test_freeze_links_that_lead_nowhere_are_known(settings: Settings, url: str, *, mails: bool, warned: bool) -> None:
    """A server that sends links to this machine to owners elsewhere can know that nobody could follow them."""
    given = msgspec.structs.replace(settings, public_url=url, smtp_host="mail.example" if mails else "")
    assert wiring.links_lead_nowhere(given) == warned


@pytest.mark.parametrize("start", [b"", b"X-Long: "], ids=["many headers", "one header"])
async def test_a_head_without_end_is_cut_off(settings: Settings, start: bytes) -> None:
    """A request whose head is too long is refused while it comes, and is not kept in memory."""
    chunk = b"a" * 1_000 if start else b"X-Some: " + b"a" * 990 + b"\r\n"

    async with serving(settings) as port:
        answer = await exchanged(port, OPENING + start, *[chunk] * (HEAD_BYTES // 1_000 + 2))

    assert answer.startswith(b"HTTP/1.1 400") or not answer


async def test_a_long_body_is_no_long_head(settings: Settings) -> None:
    """A body beyond the head's limit, in one piece with the head or in many, is the application's to judge."""
    body = b"a" * (HEAD_BYTES * 2)
    head = b"POST /v1/sign-ins HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(
        body
    )

    async with serving(settings) as port:
        whole = await exchanged(port, head + body)
        pieces = await exchanged(port, head, body[:HEAD_BYTES], body[HEAD_BYTES:])

    assert whole.startswith(b"HTTP/1.1 401")
    assert pieces.startswith(b"HTTP/1.1 401")


@pytest.mark.parametrize("line", [b"GET /\xff HTTP/1.1", b"nonsense", b"GET / HTTP/9.9", b"GET /healthz\x00 HTTP/1.1"])
async def test_what_is_no_request_is_refused(settings: Settings, line: bytes) -> None:
    """Bytes that are no HTTP get status 400 and the end of the connection."""
    async with serving(settings) as port:
        answer = await exchanged(port, line + b"\r\nHost: localhost\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400")


def test_one_file_has_one_process(settings: Settings) -> None:
    """Several workers on SQLite are refused before anything starts."""
    with pytest.raises(wiring.SettingError, match="PostgreSQL"):
        serve(settings, host="127.0.0.1", port=0, workers=2)


def test_nothing_that_was_asked_for_is_logged_by_the_server(settings: Settings) -> None:
    """The server's own access log stays off, for a freeze link's token stands in its query."""
    config = configured(settings, host="127.0.0.1", port=0)

    assert not config.access_log
    assert not config.server_header


async def said_caller(scope: Scope, _receive: Receive, send: Send) -> None:
    """An application that says who it thinks has called."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["client"][0].encode()})


@pytest.mark.parametrize(
    ("proxies", "forwarded", "caller"),
    [
        ("", "203.0.113.9", "127.0.0.1"),
        ("10.0.0.0/8", "203.0.113.9", "127.0.0.1"),
        ("127.0.0.0/8", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.0/8", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("127.0.0.0/8 203.0.113.9/32", "198.51.100.1, 203.0.113.9", "198.51.100.1"),
    ],
)
async def test_only_named_proxies_say_who_calls(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, proxies: str, forwarded: str, caller: str
) -> None:
    """Where a browser calls from is the connection's word, or that of a proxy which the operator named."""
    monkeypatch.setattr(serving_module, "server", lambda *_: said_caller)
    asked = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: %s\r\n\r\n" % forwarded.encode()

    async with serving(msgspec.structs.replace(settings, trusted_proxies=proxies)) as port:
        answer = await exchanged(port, asked)

    assert caller.encode() in answer.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("proxies", ["*", "0.0.0.0/0", "::/0", "proxy.example", "10.0.0.1/8"])
def test_nobody_trusts_everybody(settings: Settings, proxies: str) -> None:
    """A network of everybody, or what is no network, is refused by name before the server starts."""
    with pytest.raises(wiring.SettingError, match="HOLDBACK_TRUSTED_PROXIES"):
        configured(msgspec.structs.replace(settings, trusted_proxies=proxies), host="127.0.0.1", port=0)
