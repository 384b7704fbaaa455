"""The other side of each channel: a real server on this machine that keeps what it accepts and obeys a mood."""

from __future__ import annotations

import asyncio
import base64
import email
import socket
from dataclasses import dataclass, field
from email import policy
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

import msgspec
import uvicorn
from aiosmtpd.smtp import SMTP, AuthResult
from standardwebhooks import Webhook
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from holdback.channels.apprise import AppriseSender
from holdback.channels.sms_gateway import SmsGateway
from holdback.channels.smtp import SmtpSender
from holdback.channels.webhook import WebhookSender
from holdback.core.events import Channel

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator
    from email.message import EmailMessage

    from aiosmtpd.smtp import Envelope, LoginPassword, Session
    from starlette.requests import Request

    from holdback.ports import Sender

HOST: Final = "127.0.0.1"
SECRET: Final = "whsec_" + base64.b64encode(bytes(range(32))).decode()
WORDS: Final = "no such user alice@example.com, and here is what you wrote"
"""What a refusing server says; none of it may be kept."""


@dataclass
class Arrived:
    """A message as the other side got it. `raw` is what that kind of server has of it."""

    id: str
    to: list[str]
    subject: str
    text: str
    raw: Any


@dataclass
class Far:
    """Another system. `mood` is accept, refuse, unavailable, hang or hang_up; `tried` counts what reached it.

    `address` is where its reader is reached. Some systems are told no subject or id, some never say a final no, and
    some are given a text without the white space at its end.
    """

    mood: str = "accept"
    address: str = "alice@example.com"
    subjects: bool = True
    ids: bool = True
    finals: bool = True
    trims: bool = False
    accepted: list[Arrived] = field(default_factory=list)
    tried: int = 0
    connections: int = 0
    port: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    never: asyncio.Event = field(default_factory=asyncio.Event)

    def sender(self, deadline_s: float = 10) -> Sender:
        """A sender that speaks to it."""
        raise NotImplementedError

    def whole(self, text: str) -> str:
        """A text as it arrives there."""
        return text.rstrip() if self.trims else text

    async def start(self) -> None:
        """Listen on a port of its own."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Go away."""
        raise NotImplementedError


@dataclass
class FarRelay(Far):
    """A mail relay. `replies` may name an answer for a command, such as `{"RCPT": "450 later"}`."""

    replies: dict[str, str] = field(default_factory=dict)
    starttls: ssl.SSLContext | None = None
    tls: ssl.SSLContext | None = None
    users: dict[bytes, bytes] = field(default_factory=dict)
    talks: list[SMTP] = field(default_factory=list)
    server: asyncio.Server | None = None

    def sender(self, deadline_s: float = 10) -> SmtpSender:
        """See Far."""
        return self.smtp(deadline_s=deadline_s)

    def smtp(self, **given: Any) -> SmtpSender:  # noqa: ANN401 - settings of a sender
        """A sender with other settings."""
        settings = {"tls": "none", "user": "", "password": "", "sender": "Example <security@example.com>"}
        return SmtpSender(HOST, self.port, **(settings | given))

    async def start(self) -> None:
        """See Far."""
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(self._talk, HOST, 0, ssl=self.tls)
        self.port = self.server.sockets[0].getsockname()[1]

    def _talk(self) -> SMTP:
        self.connections += 1
        authenticator = self._authenticate if self.users else None
        talk = SMTP(
            self,
            hostname="relay.example",
            enable_SMTPUTF8=True,
            tls_context=self.starttls,
            require_starttls=self.starttls is not None,
            authenticator=authenticator,
            auth_required=bool(self.users),
            loop=asyncio.get_running_loop(),
        )
        self.talks.append(talk)
        return talk

    def _authenticate(self, *asked: Any) -> AuthResult:  # noqa: ANN401 - server, session, envelope, kind, what was shown
        given: LoginPassword = asked[-1]
        return AuthResult(success=self.users.get(given.login) == given.password, handled=False)

    async def handle_MAIL(self, *asked: Any) -> str:  # noqa: ANN401, N802 - aiosmtpd's name, with too many arguments
        """Take a sender: server, session, envelope, address, options."""
        _, _, envelope, address, options = asked
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self.replies.get("MAIL", "250 OK")

    async def handle_RCPT(self, *asked: Any) -> str:  # noqa: ANN401, N802 - aiosmtpd's name, with too many arguments
        """Take a recipient: server, session, envelope, address, options."""
        _, _, envelope, address, _ = asked
        reply = self.replies.get("RCPT", "250 OK")
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - as aiosmtpd has it
        """Take a mail, or do what the mood says."""
        self.tried += 1
        self.reached.set()
        if self.mood == "hang":
            await self.never.wait()
        if self.mood == "hang_up":
            _abort(server.transport)
            return ""
        if self.mood != "accept":
            return f"{550 if self.mood == 'refuse' else 451} {WORDS}"
        content = envelope.original_content or b""
        mail: EmailMessage = email.message_from_bytes(content, policy=policy.default)
        text = mail.get_content().replace("\r\n", "\n")
        self.accepted.append(Arrived(str(mail["Message-ID"]), envelope.rcpt_tos, str(mail["Subject"]), text, mail))
        return "250 OK"

    def hang_up(self) -> None:
        """Close what is open, as relays do with connections that idle."""
        for talk in self.talks:
            _abort(talk.transport)

    async def stop(self) -> None:
        """See Far."""
        assert self.server is not None
        self.never.set()
        self.server.close()
        self.hang_up()
        await self.server.wait_closed()


def _abort(transport: asyncio.BaseTransport | None) -> None:
    """Break a connection off."""
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()


class _Server(uvicorn.Server):
    """A server that says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


@dataclass
class FarHook(Far):
    """A platform's webhook. `status` is what a refusal or an acceptance says; `location` makes it a redirect."""

    status: dict[str, int] = field(default_factory=lambda: {"accept": 204, "refuse": 410, "unavailable": 503})
    location: str = ""
    tls: tuple[str, str] | None = None
    body: list[bytes] = field(default_factory=list)
    body_hangs: bool = False
    running: asyncio.Task[None] | None = None
    server: _Server | None = None

    def sender(self, deadline_s: float = 10) -> WebhookSender:
        """See Far."""
        return WebhookSender(f"http://{HOST}:{self.port}/notices", SECRET, channel=Channel.PUSH, deadline_s=deadline_s)

    async def start(self) -> None:
        """See Far."""
        routes = [Route("/{path:path}", self._posted, methods=["POST", "PUT", "GET"])]
        bound = socket.create_server((HOST, 0))
        self.port = bound.getsockname()[1]
        app = Starlette(routes=routes)
        config = uvicorn.Config(app, log_config=None, lifespan="off", access_log=False, timeout_graceful_shutdown=1)
        if self.tls is not None:
            config.ssl_certfile, config.ssl_keyfile = self.tls
        self.server = _Server(config)
        self.running = asyncio.create_task(self.server.serve(sockets=[bound]))
        await self.server.up.wait()

    async def _posted(self, request: Request) -> Response:
        self.tried += 1
        content = await request.body()
        self.reached.set()
        if self.mood == "hang":
            await self.never.wait()
        if self.mood == "hang_up":
            assert self.server is not None
            for connection in list(self.server.server_state.connections):
                _abort(connection.transport)
            return Response()
        if self.mood == "accept":
            self.accepted.append(self._kept(request, content))
        headers = {"location": self.location} if self.location else {}
        return StreamingResponse(self._said(), self.status[self.mood], headers)

    def _kept(self, request: Request, content: bytes) -> Arrived:
        """What a request that is accepted says."""
        message = Webhook(SECRET).verify(content, dict(request.headers))
        data = message["data"]
        return Arrived(request.headers["webhook-id"], [data["to"]], data["subject"], data["text"], message)

    async def _said(self) -> AsyncIterator[bytes]:
        if self.mood != "accept":
            yield WORDS.encode()
        for chunk in self.body:
            yield chunk
        if self.body_hangs:
            await self.never.wait()

    async def stop(self) -> None:
        """See Far."""
        assert self.server is not None
        assert self.running is not None
        # Its own way out waits a fifth of a second each time.
        self.never.set()
        for server in self.server.servers:
            server.close()
        for connection in list(self.server.server_state.connections):
            _abort(connection.transport)
        await asyncio.gather(*self.server.server_state.tasks, return_exceptions=True)
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)


@dataclass
class FarGateway(FarHook):
    """A text gateway. What arrived is kept as the request and what stood in its body."""

    address: str = "+4915112345678"
    subjects: bool = False

    def sender(self, deadline_s: float = 10) -> SmsGateway:  # type: ignore[override] # another channel over the same server
        """See Far."""
        return self.gateway(deadline_s=deadline_s)

    def gateway(self, path: str = "/messages", **given: Any) -> SmsGateway:  # noqa: ANN401 - settings of a sender
        """A sender with other settings."""
        body = '{"reader": ["{to}"], "body": "{text}", "reference": "{id}", "kind": 7}'
        settings = {"body": body, "refused": "410"} | given
        return SmsGateway(f"{'https' if self.tls else 'http'}://{HOST}:{self.port}{path}", **settings)

    def _kept(self, request: Request, content: bytes) -> Arrived:
        if content[:1] == b"{":
            said = msgspec.json.decode(content)
            return Arrived(said["reference"], said["reader"], "", said["body"], (request, said))
        pairs = parse_qsl(content.decode(), keep_blank_values=True, strict_parsing=True)
        said = dict(pairs)
        return Arrived(said.get("Id", ""), [said["To"]], "", said["Body"], (request, pairs))


@dataclass
class FarApprise(FarHook):
    """Whatever an apprise URL leads to: here its own JSON, for texts."""

    address: str = "+4915112345678"
    subjects: bool = False
    ids: bool = False
    finals: bool = False
    trims: bool = True

    def sender(self, deadline_s: float = 10) -> AppriseSender:  # type: ignore[override] # as above
        """See Far."""
        return self.apprise(deadline_s=deadline_s)

    def apprise(self, rest: str = "/{to}?cto=1&rto=1", **given: Any) -> AppriseSender:  # noqa: ANN401 - settings of a sender
        """A sender with other settings."""
        return AppriseSender(f"json://{HOST}:{self.port}{rest}", **({"channel": Channel.SMS} | given))

    def _kept(self, request: Request, content: bytes) -> Arrived:
        said = msgspec.json.decode(content)
        return Arrived("", [request.url.path.strip("/")], said["title"], said["message"], said)
