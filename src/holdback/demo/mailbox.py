"""Where the owners are told: a mail server that keeps what it gets, a text message gateway, and a page to read both.

The gateway is a receiver of signed webhooks as a platform would run one (Standard Webhooks).
"""

from __future__ import annotations

import html
import re
import threading
from email import message_from_bytes, policy
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from aiosmtpd.controller import Controller
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from holdback.demo.processes import HOST, HOSTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiosmtpd.smtp import SMTP, Envelope, Session

BODY_MOST: Final = 64 * 1024
PATIENCE_S: Final = 15.0
"""How long a letter may take to arrive before the story counts it as missing."""

_URL: Final = re.compile(r"https?://[^\s<>\"]+")
_CODE: Final = re.compile(r"\b[0-9]{6,8}\b")
_FREEZE: Final = re.compile(r"https?://[^\s<>\"]+/freeze\?t=[\w-]+")


class Letter(NamedTuple):
    """A mail or text message as it arrived. `kind` says what it tells of, where the message says so to a machine."""

    channel: str
    to: str
    subject: str
    text: str
    kind: str = ""

    @property
    def code(self) -> str:
        """The code that it brings, or nothing."""
        found = _CODE.search(self.text)
        return found[0] if found and not self.freeze_url else ""

    @property
    def freeze_url(self) -> str:
        """Its freeze link, or nothing."""
        found = _FREEZE.search(self.text)
        return found[0] if found else ""


class Letters:
    """Everything that arrived, in order. Safe to use from any thread."""

    def __init__(self) -> None:
        """Start empty."""
        self._all: list[Letter] = []
        self._changed = threading.Condition()

    def add(self, letter: Letter) -> None:
        """Let one arrive."""
        with self._changed:
            self._all.append(letter)
            self._changed.notify_all()

    def to(self, *addresses: str) -> list[Letter]:
        """What arrived at these addresses; at all of them, if none is named."""
        with self._changed:
            return [letter for letter in self._all if letter.to in addresses or not addresses]

    def wait(self, after: int, fits: Callable[[Letter], bool]) -> Letter | None:
        """The first letter behind the first `after` that fits, as soon as it is there; None if it does not come."""
        with self._changed:
            return self._changed.wait_for(lambda: next(filter(fits, self._all[after:]), None), PATIENCE_S)

    def several(self, count: int, fits: Callable[[Letter], bool]) -> bool:
        """Whether so many letters that fit arrive in time."""
        with self._changed:
            return self._changed.wait_for(lambda: len(list(filter(fits, self._all))) >= count, PATIENCE_S)

    def __len__(self) -> int:
        """How many arrived."""
        with self._changed:
            return len(self._all)


class _MailServer:
    """What aiosmtpd asks for each mail."""

    def __init__(self, letters: Letters) -> None:
        self._letters = letters

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        message = message_from_bytes(envelope.original_content or b"", policy=policy.default)
        body = message.get_body(("plain",))
        text = body.get_content() if body else ""
        for address in envelope.rcpt_tos:
            self._letters.add(Letter("mail", address, str(message["subject"]), text))
        return "250 kept"


class _Gateway(BaseHTTPRequestHandler):
    """Takes text messages in, and shows everything on one page."""

    letters: Letters
    webhook: Webhook

    def do_GET(self) -> None:
        """Show what arrived, newest first, to browsers of this machine: codes and links are among it."""
        if self.headers.get("host", "").rpartition(":")[0] not in HOSTS:
            self._answer(HTTPStatus.BAD_REQUEST)
            return
        page = _page(self.letters.to()).encode()
        self._answer(HTTPStatus.OK, page)

    def do_POST(self) -> None:
        """Take a message in, if it is signed by who may send some."""
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length[:9]) > BODY_MOST:
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        body = self.rfile.read(int(length))
        try:
            message = self.webhook.verify(body, dict(self.headers.items()))
        except WebhookVerificationError:
            self._answer(HTTPStatus.UNAUTHORIZED)
            return
        self.letters.add(_text_message(message))
        self._answer(HTTPStatus.NO_CONTENT)

    def _answer(self, status: HTTPStatus, page: bytes = b"") -> None:
        self.send_response(status)
        if page:
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        """Keep the terminal for the story."""


def _text_message(message: dict[str, Any]) -> Letter:
    data = message.get("data", message)
    return Letter("text message", data["to"], data.get("subject", ""), data["text"], data.get("kind", ""))


def _page(letters: list[Letter]) -> str:
    shown = "".join(
        f"<article><h2>{html.escape(one.subject)}</h2><p>{one.channel} to {html.escape(one.to)}</p>"
        f"<pre>{_linked(one.text)}</pre></article>"
        for one in reversed(letters)
    )
    style = "body{max-width:44rem;margin:2rem auto;font:1rem/1.5 system-ui}pre{white-space:pre-wrap}"
    return f"<!doctype html><html lang=en><meta charset=utf-8><title>Mailbox</title><style>{style}</style>{shown}"


def _linked(text: str) -> str:
    """The text for a page, its links alive."""
    pieces, end = [], 0
    for found in _URL.finditer(text):
        url = html.escape(found[0])
        pieces += [html.escape(text[end : found.start()]), f'<a href="{url}">{url}</a>']
        end = found.end()
    return "".join(pieces) + html.escape(text[end:])


class Mailbox:
    """The mail server and the gateway, in threads of this process, while the context lasts."""

    def __init__(self, smtp_port: int, web_port: int, webhook_secret: str) -> None:
        """Prepare to listen on these ports."""
        self.letters = Letters()
        self.url = f"http://{HOST}:{web_port}"
        self._smtp = Controller(_MailServer(self.letters), hostname=HOST, port=smtp_port)
        kept = {"letters": self.letters, "webhook": Webhook(webhook_secret)}
        self._web = ThreadingHTTPServer((HOST, web_port), type("Gateway", (_Gateway,), kept))
        self._serving = threading.Thread(target=self._web.serve_forever, name="gateway")

    def __enter__(self) -> Self:
        """Start listening."""
        self._smtp.start()
        self._serving.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and wait until everything has stopped."""
        self._web.shutdown()
        self._serving.join()
        self._web.server_close()
        self._smtp.stop()
