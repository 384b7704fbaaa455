"""How the lab seals: openly. A stand-in for the service's keyed sealing that needs no keys and repeats itself."""

from __future__ import annotations

import hashlib

from holdback.core.events import ALIKE_BYTES, MAC_BYTES, Destination, Sealed
from holdback.sealing import skeleton
from holdback.spelling import parted


def _digest(text: str) -> bytes:
    return hashlib.sha256(f"lab:{text}".encode()).digest()


def fake_sealed(text: str) -> Sealed:
    """A personal field as the core sees it, with its plaintext in the box."""
    return Sealed(_digest(text)[:MAC_BYTES], text.encode())


def fake_destination(text: str) -> Destination:
    """A destination as the core sees it; two that begin and end alike look alike, whatever their memos."""
    place, memo = parted(text)
    alike = _digest(f"alike:{skeleton(place)}")[:ALIKE_BYTES] + (_digest(place)[:ALIKE_BYTES] if memo else b"")
    return Destination(_digest(text)[:MAC_BYTES], text.encode(), alike)
