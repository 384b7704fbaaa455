"""What a customer's program does to ask with an API key: it signs the exact action, and the platform passes that on."""

from __future__ import annotations

import base64
import hmac
from typing import TYPE_CHECKING

from holdback.client.digest import action_digest
from holdback.client.receipts import ISSUER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def by_secret(secret: str) -> Callable[[bytes], bytes]:
    """How a program signs that was shown a secret as its key was made: HMAC-SHA-256."""

    def sign(text: bytes) -> bytes:
        return hmac.digest(secret.encode(), text, "sha256")

    return sign


def signed_actor(  # noqa: PLR0913 - what is signed, and by what
    account: str,
    action: Mapping[str, object],
    *,
    key: str,
    sign: Callable[[bytes], bytes],
    timestamp: int,
    nonce: int,
    dry_run: bool = False,
    issuer: str = ISSUER,
) -> dict[str, object]:
    """The `actor` of a request asked with an API key. Raises NotCanonical.

    `timestamp` is in milliseconds since the epoch. `nonce` is below 2^53 and serves once; let it rise (the time in
    microseconds will do), for of the lower ones only those near the last are still told apart. `sign` is `by_secret` of
    the key's secret, or the `sign` of an Ed25519 private key whose public half made the key. `dry_run` must be what the
    request says, and `issuer` what the Holdback that is asked calls itself. Example:

        actor = signed_actor("alice", action, key="k12", sign=by_secret(secret), timestamp=now_ms, nonce=now_us)
    """
    digest = action_digest(account, action)
    how = "dry_run" if dry_run else "ask"
    lines = ("holdback api key 2", issuer, account, key, timestamp, nonce, how, digest.hex())
    text = "\n".join(map(str, lines)).encode()
    signature = base64.urlsafe_b64encode(sign(text)).rstrip(b"=").decode()
    return {"kind": "api_key", "key": key, "timestamp": timestamp, "nonce": nonce, "signature": signature}
