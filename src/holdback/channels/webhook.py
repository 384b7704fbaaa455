"""Signed webhooks (Standard Webhooks 1.0): how push, and texts that the platform sends, reach its systems.

They pass through the platform, so no wait starts by them unless a policy says that their channel is independent.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import httpx
import msgspec
from standardwebhooks import Webhook

from holdback.ports import ChannelRefused, ChannelUnavailable

if TYPE_CHECKING:
    from holdback.core.events import Channel
    from holdback.ports import Message

TIMEOUT_S: Final = 10.0
ACCEPTED: Final = range(200, 300)
LATER: Final = frozenset({408, 425, 429})
FINAL: Final = range(400, 500)


class WebhookSender:
    """Posts notices of one channel to the platform.

    Example: `WebhookSender("https://platform.example/notices", "whsec_...", channel=Channel.PUSH)`.
    """

    def __init__(self, url: str, secret: str, *, channel: Channel) -> None:
        """Raises ValueError on a secret that is not one."""
        self.channel = channel
        self._url = url
        self._webhook = Webhook(secret)
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False)

    async def send(self, message: Message) -> None:
        """Post one message. Only a 2xx is acceptance; a redirect would carry it elsewhere and is refused."""
        body = msgspec.json.encode(
            {
                "type": f"notice.{self.channel.value}",
                "timestamp": datetime.now(UTC).isoformat(),
                "data": {
                    "to": message.to,
                    "subject": message.subject,
                    "text": message.text,
                    "freeze_url": message.freeze_url,
                    **message.data,
                },
            }
        ).decode()
        now = datetime.now(UTC)
        headers = {
            "webhook-id": message.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._webhook.sign(message.id, now, body),
            "content-type": "application/json",
        }
        try:
            async with self._client.stream("POST", self._url, content=body, headers=headers) as answer:
                status = answer.status_code
        except httpx.HTTPError as error:
            raise ChannelUnavailable(f"the webhook did not answer: {type(error).__name__}") from None
        if status in ACCEPTED:
            return
        if status in LATER or status not in FINAL:
            raise ChannelUnavailable(f"the webhook answered {status}")
        raise ChannelRefused(f"the webhook answered {status}")

    async def close(self) -> None:
        """Close kept connections."""
        await self._client.aclose()
