"""The hash chain of a customer's stream: each entry names the one before it.

An entry's link is SHA-256 over the account, its number, the link before it and its stored body. The body holds sealed
fields only, so the chain still verifies after a customer's key is erased (design section 6).
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

LINK_BYTES: Final = 32
GENESIS: Final = bytes(LINK_BYTES)
"""What the first entry of a stream points to."""


class Entry(NamedTuple):
    """One stored entry: `seq` counts from 1, `body` is what `events.ENCODER` wrote."""

    account: str
    seq: int
    body: bytes
    link: bytes


class Break(NamedTuple):
    """The first place where a chain does not hold, and why."""

    seq: int
    why: str


def link(account: str, seq: int, before: bytes, body: bytes) -> bytes:
    """The link of an entry: 32 bytes."""
    name = account.encode()
    return hashlib.sha256(b"holdback-entry-1" + len(name).to_bytes(2) + name + seq.to_bytes(8) + before + body).digest()


def verify(account: str, entries: list[Entry], head_seq: int, head_link: bytes) -> Break | None:
    """Check a whole stream against its head. None if it holds."""
    before = GENESIS
    for expected, entry in enumerate(entries, start=1):
        if entry.seq != expected:
            return Break(expected, f"entry {expected} is missing")
        if link(account, entry.seq, before, entry.body) != entry.link:
            return Break(expected, f"entry {expected} was altered")
        before = entry.link
    if len(entries) != head_seq:
        return Break(len(entries) + 1, f"the head counts {head_seq} entries, the log has {len(entries)}")
    if before != head_link:
        return Break(head_seq, "the head names another link than the last entry")
    return None
