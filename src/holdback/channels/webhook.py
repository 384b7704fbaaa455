"""Signed webhooks (Standard Webhooks 1.0): how push, texts by the platform and news of holds reach its systems.

They pass through the platform, so no wait starts by them unless a policy says that their channel is independent.
"""

from __future__ import annotations

import asyncio
import binascii
import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import httpx
import msgspec
from standardwebhooks import Webhook

from holdback.channels.loopback import is_this_machine
from holdback.channels.setting import BadSetting
from holdback.ports import ChannelRefused, ChannelUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdback.core.events import Channel
    from holdback.ports import Message

DEADLINE_S: Final = 10.0
"""The most that one message may take, all told: a time-out for each read would never end with a server that drips."""
BODY_BYTES_MOST: Final = 64 * 1024
"""Of what is posted."""
PASSED_OVER_MOST: Final = 16 * 1024
"""Bytes of an answer's body, of which nothing is used."""
ACCEPTED: Final = range(200, 300)
FINAL: Final = range(300, 500)
LATER: Final = frozenset({408, 425, 429})
SECRET_BYTES_LEAST: Final = 16
SECRETS_MOST: Final = 2
"""Secrets at a time: the one that is used, and the one before it while receivers change over."""


class SignedPost:
    """Posts signed messages to one place. With several secrets, the current one first, each signs every message.

    Example: `await SignedPost("https://platform.example/hooks", ["whsec_..."]).post("msg_1", b"{}")`.
    """

    def __init__(self, url: str, secrets: Sequence[str], *, deadline_s: float = DEADLINE_S) -> None:
        """Connects to nothing yet. Raises BadSetting on a weak secret, or a URL that is neither https nor loopback."""
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL:
            raise BadSetting("url", "must be a URL") from None
        if parsed.scheme != "https" and not (parsed.scheme == "http" and is_this_machine(parsed.host)):
            raise BadSetting("url", "must be https, but for this machine")
        if not 1 <= len(secrets) <= SECRETS_MOST:
            raise BadSetting(
                "secret", f"must be one secret, or {SECRETS_MOST} separated by a space while one is changed"
            )
        self._url = parsed
        self._webhooks = [_webhook(secret) for secret in secrets]
        self._deadline_s = deadline_s
        # What the environment says of proxies is not for notices.
        self._client = httpx.AsyncClient(timeout=deadline_s, follow_redirects=False, trust_env=False)

    async def post(self, id: str, body: str) -> None:  # noqa: A002 - as the header is called
        """See ports.Hook. Only a 2xx is acceptance; a redirect would carry it elsewhere and is refused."""
        now = datetime.now(UTC)
        # One id at each retry. A hash, as ids go into logs and must not hold the dots that signatures are made with.
        name = f"msg_{hashlib.sha256(id.encode()).hexdigest()[:32]}"
        headers = {
            "webhook-id": name,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(one.sign(name, now, body) for one in self._webhooks),
            "content-type": "application/json",
        }
        status = 0
        try:
            async with (
                asyncio.timeout(self._deadline_s),
                self._client.stream("POST", self._url, content=body, headers=headers) as answer,
            ):
                status = answer.status_code
                await _passed_over(answer)
        except (httpx.HTTPError, OSError, TimeoutError) as error:
            if not status:
                raise ChannelUnavailable(f"the webhook did not answer: {type(error).__name__}") from None
        if status in ACCEPTED:
            return
        if status in LATER or status not in FINAL:
            raise ChannelUnavailable(f"the webhook answered {status}")
        raise ChannelRefused(f"the webhook answered {status}")

    async def close(self) -> None:
        """Close kept connections."""
        await self._client.aclose()


class WebhookSender:
    """Posts notices of one channel to the platform.

    Example: `WebhookSender("https://platform.example/notices", "whsec_...", channel=Channel.PUSH)`.
    """

    def __init__(self, url: str, secret: str, *, channel: Channel, deadline_s: float = DEADLINE_S) -> None:
        """As SignedPost."""
        self.channel = channel
        self._post = SignedPost(url, [secret], deadline_s=deadline_s)

    async def send(self, message: Message) -> None:
        """Post one message."""
        await self._post.post(message.id, self._body(message, datetime.now(UTC)))

    def _body(self, message: Message, now: datetime) -> str:
        data = message.data | {
            "channel": self.channel.value,
            "to": message.to,
            "subject": message.subject,
            "text": message.text,
            "freeze_url": message.freeze_url,
        }
        whole = {"type": f"notice.{self.channel.value}", "timestamp": now.isoformat(), "data": data}
        try:
            body = msgspec.json.encode(whole)
        except UnicodeEncodeError:
            raise ChannelRefused("the message is no text") from None
        if len(body) > BODY_BYTES_MOST:
            raise ChannelRefused("the message is too long")
        return body.decode()

    async def close(self) -> None:
        """Close kept connections."""
        await self._post.close()


async def _passed_over(answer: httpx.Response) -> None:
    """Read past a short body, so that the connection serves again; a long one is not worth it."""
    passed = 0
    async for chunk in answer.aiter_raw():
        passed += len(chunk)
        if passed > PASSED_OVER_MOST:
            return


def _webhook(secret: str) -> Webhook:
    try:
        # The library pads for itself, and drops what is no base64 without a word.
        key = binascii.a2b_base64(secret.removeprefix("whsec_") + "==", strict_mode=False)
    except binascii.Error:
        raise BadSetting("secret", "must be whsec_ and base64") from None
    if len(key) < SECRET_BYTES_LEAST:
        raise BadSetting("secret", f"must be whsec_ and base64 of at least {SECRET_BYTES_LEAST} bytes")
    return Webhook(key)
