"""The hash chain: what it notices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from holdback.core.ledger import GENESIS, LINK_BYTES, Entry, link, verify

if TYPE_CHECKING:
    from collections.abc import Callable


def stream(*bodies: bytes, account: str = "alice") -> list[Entry]:
    """A chain of these bodies."""
    entries: list[Entry] = []
    for seq, body in enumerate(bodies, start=1):
        before = entries[-1].link if entries else GENESIS
        entries.append(Entry(account, seq, body, link(account, seq, before, body)))
    return entries


GOOD = stream(b"one", b"two", b"three")


def test_a_whole_chain_holds() -> None:
    """Entries that follow each other up to the head verify; so does an empty stream from nothing."""
    assert verify("alice", GOOD, 3, GOOD[-1].link) is None
    assert verify("alice", [], 0, GENESIS) is None
    assert all(len(entry.link) == LINK_BYTES for entry in GOOD)


def altered(entries: list[Entry], place: int, **fields: object) -> list[Entry]:
    """The chain with one entry changed."""
    return [entry._replace(**fields) if index == place else entry for index, entry in enumerate(entries)]  # type: ignore[arg-type]  # made-up fields


@pytest.mark.parametrize(
    ("change", "seq", "why"),
    [
        (lambda: altered(GOOD, 1, body=b"2wo"), 2, "entry 2 was altered"),
        (lambda: altered(GOOD, 0, link=bytes(32)), 1, "entry 1 was altered"),
        (lambda: [GOOD[0], GOOD[2]], 2, "entry 2 is missing"),
        (lambda: GOOD[1:], 1, "entry 1 is missing"),
        (lambda: [GOOD[1], GOOD[0], GOOD[2]], 1, "entry 1 is missing"),
        (lambda: stream(b"one", b"two", b"three", account="bob"), 1, "entry 1 was altered"),
        (lambda: GOOD[:2], 3, "the head counts 3 entries, the log has 2"),
        (lambda: stream(b"one", b"two", b"three", b"four"), 5, "the head counts 3 entries, the log has 4"),
        (lambda: stream(b"one", b"two", b"3hree"), 3, "the head names another link than the last entry"),
    ],
    ids=[
        "a body was edited",
        "a link was edited",
        "one in the middle is gone",
        "the first is gone",
        "two changed places",
        "another account's",
        "the tail is gone",
        "one was appended",
        "the tail was replaced",
    ],
)
def test_every_change_is_noticed(change: Callable[[], list[Entry]], seq: int, why: str) -> None:
    """An edited, missing, moved or added entry is named by its number (law 9)."""
    found = verify("alice", change(), 3, GOOD[-1].link)
    assert found is not None
    assert (found.seq, found.why) == (seq, why)


def test_account_names_cannot_be_shifted_into_bodies() -> None:
    """The account's length is part of what is hashed, so that no two entries share a link by their bytes alone."""
    assert link("ab", 1, GENESIS, b"c") != link("a", 1, GENESIS, b"bc")
