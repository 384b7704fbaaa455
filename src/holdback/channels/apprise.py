"""Whatever apprise can reach (an extra): texts and pushes by one of its URLs, which the operator writes.

A customer gives nothing but the contact that stands for `{to}`, of a few harmless characters, behind the host: an
apprise URL can name any machine, file or secret, so it never comes from outside. What a message says is plain text to
apprise; it attaches nothing, reads no configuration and fills no template.

Apprise says yes or no and never why, so nothing it says refuses a notice for good; and as its URLs may lead back to the
platform, what goes this way starts no wait (law 5). It works in threads of its own pool, whose number is bounded. One
that is given up on ends when its service does; until then the next may have to wait, and are given up on in turn.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from apprise import Apprise, AppriseAsset, NotifyFormat, PersistentStoreMode

from holdback import spelling
from holdback.channels.loopback import is_this_machine
from holdback.core.events import Channel
from holdback.ports import ChannelRefused, ChannelUnavailable

if TYPE_CHECKING:
    from apprise import NotifyBase

    from holdback.ports import Message

DEADLINE_S: Final = 20.0
"""The most that one message may take, all told."""
TEXT_MOST: Final = 16_000
SAMPLES: Final = {Channel.SMS: "+15550100000", Channel.PUSH: "sample"}
"""A contact of each channel, to try a URL with at the start."""

_PUSH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,255}")


class AppriseSender:
    """Sends notices of one channel by an apprise URL.

    Example: `AppriseSender("twilio://SID:TOKEN@+15550100/{to}", channel=Channel.SMS)`.
    """

    def __init__(self, url: str, *, channel: Channel, deadline_s: float = DEADLINE_S) -> None:
        """Connects to nothing yet. Raises ValueError on a URL apprise cannot use, or would use unprotected.

        The error shows nothing of the URL, for it holds secrets.
        """
        if channel not in SAMPLES:
            raise ValueError("apprise sends texts and pushes")
        self.channel = channel
        self._url, self._deadline_s = url, deadline_s
        self._asset = AppriseAsset(
            storage_mode=PersistentStoreMode.MEMORY,
            service_timeout=deadline_s,
            allow_templates=False,
            http_redirects=False,
        )
        # Its plugins name recipients in what they log, and the library beneath them names URLs.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        scheme, host = _checked(url)
        service = self._service(SAMPLES[channel])
        if service is None:
            raise ValueError("must be one that apprise knows")
        if not _with_tls(service):
            raise ValueError("must lead to a service that knows TLS, not to a screen or a log")
        if not is_this_machine(host) and not (scheme in _with_tls(service) and service.verify_certificate):
            raise ValueError("must be of a scheme with TLS whose certificate is verified, but for this machine")
        if service.redirects:
            raise ValueError("must not follow redirects")

    async def send(self, message: Message) -> None:
        """Hand over one message. Raises ChannelUnavailable, or ChannelRefused for what is no contact."""
        to = self._contact(message)
        if len(message.text) > TEXT_MOST:
            raise ChannelRefused("the message is too long")
        service = self._service(to)
        if service is None:
            raise ChannelUnavailable("apprise does not take the URL")
        text = message.text.encode(errors="replace").decode()
        title = "" if self.channel is Channel.SMS else _line(message.subject)
        way = Apprise(service, asset=self._asset)
        try:
            async with asyncio.timeout(self._deadline_s):
                sent = await way.async_notify(body=text, title=title, body_format=NotifyFormat.TEXT)
        except Exception as error:  # noqa: BLE001 - of whatever library a plugin of apprise uses
            raise ChannelUnavailable(f"apprise did not send: {type(error).__name__}") from None
        if not sent:
            raise ChannelUnavailable("apprise did not send")

    def _contact(self, message: Message) -> str:
        if self.channel is Channel.PUSH and _PUSH.fullmatch(message.to):
            return message.to
        try:
            if self.channel is Channel.SMS:
                return spelling.contact(Channel.SMS, message.to).text
        except ValueError:
            pass
        raise ChannelRefused("the contact is none that this channel could reach")

    def _service(self, to: str) -> NotifyBase | None:
        """The one service of the URL, for one reader; apprise reads several out of a list, but not so."""
        found: NotifyBase | None = Apprise.instantiate(self._url.replace("{to}", quote(to, safe="")), asset=self._asset)
        return found

    async def close(self) -> None:
        """Nothing is kept open."""


def _checked(url: str) -> tuple[str, str]:
    """Scheme and host of a URL that leaves open `{to}` and nothing before it. Raises ValueError."""
    try:
        parsed = urlsplit(url)
        host = parsed.hostname or ""
    except ValueError:
        raise ValueError("must be a URL") from None
    if "{to}" not in url or "{" in url.replace("{to}", "") or "{to}" in parsed.scheme + parsed.netloc:
        raise ValueError("must hold {to} behind its host, and no other place")
    return parsed.scheme, host


def _with_tls(service: Any) -> tuple[str, ...]:  # noqa: ANN401 - its own types know only the plugin that has none
    """Schemes of the service that speak TLS."""
    known: str | tuple[str, ...] | None = service.secure_protocol
    return (known,) if isinstance(known, str) else tuple(known or ())


def _line(subject: str) -> str:
    return " ".join(subject.encode(errors="replace").decode().split())
