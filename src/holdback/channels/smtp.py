"""Mail by SMTP. A relay's 250 after the message is what counts as accepted for delivery (RFC 5321 section 6.1)."""

from __future__ import annotations

import asyncio
import hashlib
from email.message import EmailMessage
from email.utils import formatdate
from typing import TYPE_CHECKING, Final

import aiosmtplib

from holdback.core.events import Channel
from holdback.ports import ChannelRefused, ChannelUnavailable

if TYPE_CHECKING:
    from holdback.ports import Message

TIMEOUT_S: Final = 20.0
REFUSED_FROM: Final = 500
"""Replies from here on are final (RFC 5321 section 4.2.1)."""


class SmtpSender:
    """Sends notices through one relay, a connection each.

    Example: `SmtpSender("mail.example", 587, tls="starttls", user="", password="", sender="security@example.com")`.
    """

    channel = Channel.EMAIL

    def __init__(self, host: str, port: int, *, tls: str, user: str, password: str, sender: str) -> None:  # noqa: PLR0913 - what a relay wants
        """`tls` is starttls, tls or none. Connects to nothing yet."""
        self._host, self._port, self._tls = host, port, tls
        self._user, self._password, self._sender = user or None, password or None, sender

    async def send(self, message: Message) -> None:
        """Hand over one message. Raises ChannelUnavailable or ChannelRefused."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await aiosmtplib.send(
                    self._mail(message),
                    hostname=self._host,
                    port=self._port,
                    use_tls=self._tls == "tls",
                    start_tls=self._tls == "starttls",
                    username=self._user,
                    password=self._password,
                    timeout=TIMEOUT_S,
                )
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _refusal(max((one.code for one in error.recipients), default=0)) from None
        except aiosmtplib.SMTPResponseException as error:
            raise _refusal(error.code) from None
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise ChannelUnavailable(f"the mail relay did not answer: {type(error).__name__}") from None

    def _mail(self, message: Message) -> EmailMessage:
        """The mail. One id at each retry, so that a mailbox may drop repeats; marked as automatic (RFC 3834)."""
        mail = EmailMessage()
        try:
            mail["From"], mail["To"], mail["Subject"] = self._sender, message.to, message.subject
        except ValueError:
            raise ChannelRefused("the address or subject cannot stand in a mail") from None
        domain = self._sender.rpartition("@")[2] or "holdback.invalid"
        mail["Message-ID"] = f"<{hashlib.sha256(message.id.encode()).hexdigest()[:32]}@{domain}>"
        mail["Date"] = formatdate()
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text)
        return mail

    async def close(self) -> None:
        """Nothing is kept open."""


def _refusal(code: int) -> Exception:
    """What a relay's reply means: the text of it is left out, for it may repeat the address."""
    if code >= REFUSED_FROM:
        return ChannelRefused(f"the mail relay refused with {code}")
    return ChannelUnavailable(f"the mail relay put it off with {code}")
