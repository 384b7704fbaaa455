"""Platform keys at the door: `Authorization: Bearer hb_<id>_<secret>`, kept as the SHA-256 of the secret.

A key proves which backend asks, and nothing about a customer or a member of staff (law 6).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from holdback.ports import KeyRow
from holdback.web.problems import FORBIDDEN, UNAUTHENTICATED, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from holdback.core.events import Instant
    from holdback.ports import Store

KEPT_S: Final = 5.0
"""How long keys are believed before they are read again: a key retired elsewhere works no longer than this."""

SECRET_BYTES: Final = 32

_BEARER: Final = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +hb_([A-Za-z0-9-]{1,32})_([A-Za-z0-9_-]{16,128})")
_NOBODY: Final = hashlib.sha256(b"").digest()
_CHALLENGE: Final = ((b"www-authenticate", b'Bearer realm="holdback"'),)


class Scope(StrEnum):
    """What a platform key may do."""

    ASK = "ask"
    READ = "read"
    FEED = "feed"
    TICKETS = "tickets"


def issued(key_id: str, scopes: Iterable[Scope], secret: bytes, now: Instant) -> tuple[str, KeyRow]:
    """A new key as its holder must send it, shown once, and the row to keep of it.

    `secret` is `SECRET_BYTES` of chance. Raises ValueError on an id that could not be read back.
    """
    text = f"hb_{key_id}_{secret.hex()}"
    read_back = _BEARER.fullmatch(b"Bearer " + text.encode())
    if len(secret) < SECRET_BYTES or read_back is None or read_back[1] != key_id.encode():
        raise ValueError("a key's id is 1 to 32 letters, digits or hyphens, and its secret 32 bytes of chance")
    digest = hashlib.sha256(secret.hex().encode()).digest()
    return text, KeyRow(key_id, digest, tuple(scope.value for scope in scopes), now)


class Keys:
    """The store's platform keys, read again when they are older than `KEPT_S`."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        """Read nothing yet. `clock` counts seconds and never goes back."""
        self._store = store
        self._clock = clock
        self._rows: dict[bytes, KeyRow] = {}
        self._stale_at = -1.0
        self._reading = asyncio.Lock()

    async def holder(self, authorization: bytes | None, scope: Scope) -> str:
        """The id of the key in an Authorization header. Raises Problem unless it is live and has the scope."""
        shown = _BEARER.fullmatch(authorization or b"")
        if shown is None:
            raise Problem(UNAUTHENTICATED, headers=_CHALLENGE)
        if self._clock() >= self._stale_at:
            await self._read()
        row = self._rows.get(shown[1])
        right = hmac.compare_digest(hashlib.sha256(shown[2]).digest(), row.digest if row else _NOBODY)
        if row is None or not right or row.retired_at:
            raise Problem(UNAUTHENTICATED, headers=_CHALLENGE)
        if scope not in row.scopes:
            raise Problem(FORBIDDEN, f"this needs a platform key with the scope `{scope}`")
        return row.id

    async def _read(self) -> None:
        """Read the keys once, however many wait for them."""
        async with self._reading:
            if self._clock() >= self._stale_at:
                self._rows = {row.id.encode(): row for row in await self._store.keys()}
                self._stale_at = self._clock() + KEPT_S
