"""Ties: a device that an account signed in from, an address that it pays or is paid from. So several may be one's.

A tie is kept by its keyed hash, which says nothing of what it is. What was lost to an account is written down under its
ties too, in the transaction that writes the loss itself, so that the others of its cluster learn of it when they ask
next; none of their streams is touched.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from holdback.core.events import Instant

if TYPE_CHECKING:
    from holdback.core import events as ev

TIES_KEPT: Final = 8
"""The ties of an account that were met last; a cluster reaches no further than these, and one hop.

So many of what it did itself, and so many of where its deposits came from: a deposit never pushes out a device.
"""


class Tie(msgspec.Struct, frozen=True, array_like=True):
    """Since when an account has a tie, and when it met it last. `funds`: it is where a deposit came from."""

    since: Instant
    at: Instant
    funds: bool = False


def met(ties: dict[bytes, Tie], event: ev.Tied) -> dict[bytes, Tie]:
    """The ties after something was met, the one met last at the end; without it, if it turned out to join nobody."""
    others = {key: one for key, one in ties.items() if key != event.key}
    if not event.counts:
        return others
    known = ties.get(event.key, Tie(event.at, event.at, event.funds))
    alike = [key for key, one in others.items() if one.funds == event.funds]
    gone = set(alike[: max(0, len(alike) - TIES_KEPT + 1)])
    kept = {key: one for key, one in others.items() if key not in gone}
    return kept | {event.key: replace(known, at=event.at)}


def loss_key(tie: bytes) -> bytes:
    """Under which key it is kept who lost something to an account with this tie. A tie is no word to be guessed."""
    return hashlib.sha256(b"lost\n" + tie).digest()
