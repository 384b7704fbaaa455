"""The demo's mailbox: what codes and links lie in it is for browsers of this machine that came by its own name."""

from __future__ import annotations

import socket
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import httpx
import pytest

from holdback.demo.mailbox import BODY_MOST, Letter, Mailbox

if TYPE_CHECKING:
    from collections.abc import Iterator


def free_port() -> int:
    """A port that nobody has."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A mailbox with a code in it."""
    with Mailbox(free_port(), free_port(), "whsec_c2VjcmV0IG9mIHRoaXMgdGVzdCBvbmx5") as opened:
        opened.letters.add(Letter("mail", "carol@example.com", "Your code", "It is 123456."))
        yield opened


def test_a_foreign_page_reads_no_letter(mailbox: Mailbox) -> None:
    """By a name that somebody else's page gave this machine (DNS rebinding) nothing is shown."""
    port = mailbox.url.rpartition(":")[2]
    with httpx.Client(trust_env=False) as browser:
        for name in ("127.0.0.1", "localhost"):
            assert "123456" in browser.get(mailbox.url, headers={"host": f"{name}:{port}"}).text
        for name in ("evil.example", "127.0.0.1.evil.example", ""):
            said = browser.get(mailbox.url, headers={"host": f"{name}:{port}"})
            assert (said.status_code, said.text) == (HTTPStatus.BAD_REQUEST, "")


def test_a_message_has_a_size(mailbox: Mailbox) -> None:
    """What says that it is endless, or is not said how long, is not waited for."""
    for length in (str(BODY_MOST + 1), "9" * 30, "-1", "many"):
        with closing(HTTPConnection(mailbox.url.removeprefix("http://"), timeout=5)) as caller:
            caller.putrequest("POST", "/messages")
            caller.putheader("Content-Length", length)
            caller.endheaders()
            assert caller.getresponse().status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
