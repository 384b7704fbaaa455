"""The receiving half of webhooks (Standard Webhooks 1.0): whether Holdback said this, lately."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from holdback.client.errors import WebhookRefused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TOLERANCE_S: Final = 300
"""How far the time of a message may be off: what is older may be a copy that somebody kept."""
_SIGNATURES_MOST: Final = 8
_BODY_MOST: Final = 64 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Webhook:
    """A verified message. `id` is the same each time it is sent: keep it, and pass over one that was handled.

    `kind` is such as `exit.releasable`. `exit` is the hold it is about, "" if it is about the account; `until` says
    from when it may be released, or how long the stop lasts, None where nobody can know. It is news and no permission:
    only a receipt lets value leave.
    """

    id: str
    kind: str
    at: datetime
    account: str
    exit: str
    until: datetime | None


class _Data(msgspec.Struct, frozen=True):
    account: str = ""
    exit: str = ""
    until: datetime | None = None


class _Body(msgspec.Struct, frozen=True):
    type: str
    timestamp: datetime
    data: _Data


_BODIES: Final = msgspec.json.Decoder(_Body)


def verify_webhook(
    body: bytes, headers: Mapping[str, str], *, secrets: Sequence[str], now: float, tolerance: float = TOLERANCE_S
) -> Webhook:
    """Return a message only if it was signed with one of the secrets, within `tolerance` seconds of `now`.

    `body` is what came, byte for byte; `secrets` are `whsec_...`, two of them while one is being changed. `now` is in
    seconds since the epoch. Raises WebhookRefused, or ValueError for a secret that is none.
    """
    keys = [_key(secret) for secret in secrets]
    given = {name.lower(): value for name, value in headers.items()}
    name, time, shown = (given.get(f"webhook-{one}", "") for one in ("id", "timestamp", "signature"))
    if not name or not time.isascii() or not time.isdecimal() or len(time) > 12 or len(body) > _BODY_MOST:  # noqa: PLR2004 - as Unix times are for long
        raise WebhookRefused("this is no signed message")
    if not (name.isascii() and shown.isascii()):
        raise WebhookRefused("this is no signed message")
    signed = f"{name}.{time}.".encode() + body
    made = [base64.b64encode(hmac.digest(key, signed, hashlib.sha256)) for key in keys]
    signatures = [one[3:].encode() for one in shown.split(" ")[:_SIGNATURES_MOST] if one.startswith("v1,")]
    # Each is compared with each, whatever was found before: how long it takes tells nothing.
    if not sum(hmac.compare_digest(one, other) for one in made for other in signatures):
        raise WebhookRefused("the signature is not Holdback's")
    # Written so that a `now` that is not a number is refused as well.
    if not abs(now - int(time)) <= tolerance:
        raise WebhookRefused("the message is too old, or from the future")
    try:
        read = _BODIES.decode(body)
    except msgspec.DecodeError:
        raise WebhookRefused("this cannot be read") from None
    data = read.data
    return Webhook(id=name, kind=read.type, at=read.timestamp, account=data.account, exit=data.exit, until=data.until)


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise ValueError("a secret is whsec_ and base64")
    return key
