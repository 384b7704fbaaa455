"""Mail by SMTP. A relay's 250 after the message is what counts as accepted for delivery (RFC 5321 section 6.1).

Only what a relay says of the recipient or the message can refuse a notice for good. That it knows no such user, wants
another password or dislikes the sender is for the operator to mend: notices wait for that, they are not dropped.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate
from typing import TYPE_CHECKING, Final

import aiosmtplib

from holdback.channels.loopback import is_this_machine
from holdback.channels.setting import BadSetting
from holdback.core.events import Channel
from holdback.ports import ChannelRefused, ChannelUnavailable

if TYPE_CHECKING:
    import ssl

    from holdback.ports import Message

DEADLINE_S: Final = 20.0
"""The most that one message may take, all told: well under the outbox's lease, so that no second taker sends it too."""
IDLE_MOST: Final = 16
"""Connections that are kept for the next message; a mass of severe news should not pay a handshake a mail."""
REFUSED_FROM: Final = 500
"""Replies from here on are final (RFC 5321 section 4.2.1)."""

_ATOM: Final = r"[^\s@<>(),;:\\\"\[\]\x00-\x20\x7f-\x9f\ud800-\udfff]"
_MAILBOX: Final = re.compile(rf"{_ATOM}{{1,64}}@{_ATOM}{{1,255}}")
"""One mailbox and nothing else: no list, no comment, no quoted local part, no line break."""
_NAMED: Final = re.compile(r"\s*\"?([^<>\"]*?)\"?\s*<([^<>]*)>\s*")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


class SmtpSender:
    """Sends notices through one relay, over connections that are kept while they are good.

    Example: `SmtpSender("mail.example", 587, tls="starttls", user="", password="", sender="security@example.com")`.
    """

    channel = Channel.EMAIL

    def __init__(  # noqa: PLR0913 - what a relay wants
        self,
        host: str,
        port: int,
        *,
        tls: str,
        user: str,
        password: str,
        sender: str,
        tls_context: ssl.SSLContext | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        """`tls` is starttls, tls or none; `sender` a mailbox, with or without a name. Connects to nothing yet.

        Raises BadSetting on a sender that is no mailbox, and on sending unprotected to another machine: a notice holds
        a freeze link and may hold a code.
        """
        named = _NAMED.fullmatch(sender)
        name, mailbox = named.groups() if named else ("", sender)
        if not _MAILBOX.fullmatch(mailbox):
            raise BadSetting("sender", "must be the mailbox that notices come from, such as security@example.com")
        if tls not in {"starttls", "tls"} and not is_this_machine(host):
            raise BadSetting("tls", "mail without TLS goes to this machine only")
        self._host, self._port, self._tls, self._tls_context = host, port, tls, tls_context
        self._user, self._password = user or None, password or None
        self._from = _address(mailbox, _CONTROLS.sub(" ", name))
        self._deadline_s = deadline_s
        self._idle: list[aiosmtplib.SMTP] = []

    async def send(self, message: Message) -> None:
        """Hand over one message. Raises ChannelUnavailable or ChannelRefused."""
        mail = self._mail(message)
        try:
            async with asyncio.timeout(self._deadline_s):
                await self._handed_over(mail, message.to)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise _failure(error) from None
        except ValueError:
            raise ChannelRefused("the contact is no mailbox that can be sent to") from None

    async def _handed_over(self, mail: EmailMessage, to: str) -> None:
        """Over a kept connection, or if that was closed meanwhile over a new one: the message's id tells repeats."""
        while self._idle:
            try:
                await self._over(self._idle.pop(), mail, to)
            except aiosmtplib.SMTPServerDisconnected:
                continue
            return
        client = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            # Its own default looks this machine up in the DNS, and the event loop waits for that.
            local_hostname=self._from.domain,
            use_tls=self._tls == "tls",
            start_tls=self._tls == "starttls",
            tls_context=self._tls_context,
            username=self._user,
            password=self._password,
            timeout=self._deadline_s,
        )
        try:
            await client.connect()
        except BaseException:
            client.close()
            raise
        await self._over(client, mail, to)

    async def _over(self, client: aiosmtplib.SMTP, mail: EmailMessage, to: str) -> None:
        """Keep the connection if it is known where it stands: the relay took the message, or refused it by a reply."""
        good = False
        try:
            await client.send_message(mail, sender=self._from.addr_spec, recipients=[to])
            good = True
        except (aiosmtplib.SMTPResponseException, aiosmtplib.SMTPRecipientsRefused):
            good = client.is_connected
            raise
        finally:
            if good and len(self._idle) < IDLE_MOST:
                self._idle.append(client)
            else:
                client.close()

    def _mail(self, message: Message) -> EmailMessage:
        """The mail. One id at each retry, so that a mailbox may drop repeats; marked as automatic (RFC 3834)."""
        if not _MAILBOX.fullmatch(message.to):
            raise ChannelRefused("the contact is not a mailbox")
        mail = EmailMessage()
        mail["From"] = self._from
        mail["To"] = _address(message.to)
        # A subject is worth less than its notice: what cannot stand in a header is dropped, not the mail.
        mail["Subject"] = _CONTROLS.sub(" ", message.subject)
        mail["Message-ID"] = f"<{hashlib.sha256(message.id.encode()).hexdigest()[:32]}@{self._from.domain}>"
        mail["Date"] = formatdate()
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text.encode(errors="replace").decode())
        return mail

    async def close(self) -> None:
        """Close kept connections."""
        for client in self._idle:
            client.close()
        self._idle.clear()


def _address(mailbox: str, name: str = "") -> Address:
    """Quotes what needs quoting: mailboxes exist that the grammar does not know, such as `a..b@example.com`."""
    local, _, domain = mailbox.rpartition("@")
    return Address(name, local, domain)


def _failure(error: Exception) -> Exception:
    """What went wrong, as the port says it. A relay's own words are left out, for they may repeat the address."""
    match error:
        case aiosmtplib.SMTPRecipientsRefused():
            code = max((one.code for one in error.recipients), default=0)
        case aiosmtplib.SMTPDataError():
            code = error.code
        case aiosmtplib.SMTPResponseException():
            return ChannelUnavailable(f"the mail relay wants something else: {type(error).__name__} {error.code}")
        case _:
            return ChannelUnavailable(f"the mail relay did not answer: {type(error).__name__}")
    if code >= REFUSED_FROM:
        return ChannelRefused(f"the mail relay refused with {code}")
    return ChannelUnavailable(f"the mail relay put it off with {code}")
