"""What a platform is told of an account's holds and of what stops its exits: the difference of two heads.

No rule names it at a call site, so no route can forget it: whatever moved the head moved it here too. That a hold's
time has come is a message that is written beforehand; whether it is still true is asked again when it is due
(`is_due`), so that no timer has to fire for anything to be safe.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from holdback.core.disclosure import ordered_until

if TYPE_CHECKING:
    from holdback.core.events import Instant
    from holdback.core.state import Head, HeldExit, Lock


class Told(StrEnum):
    """What happened; the name stands in messages to platforms, so it never changes."""

    HELD = "exit.held"
    MOVED = "exit.moved"
    RELEASABLE = "exit.releasable"
    """The time has come that was said: the platform may ask for `exit.release`, which decides again."""
    LOCKED = "exit.locked"
    """A P2P sale is set aside for its buyer until the instant that is told: it may be matched, and said to be paid."""
    DISPUTED = "exit.disputed"
    """Its buyer has paid and it was stopped: two of the staff decide."""
    RELEASED = "exit.released"
    CANCELLED = "exit.cancelled"
    RETURNED = "exit.returned"
    """Two of the staff gave back what an exit had sent: move it, by the receipt, and say so by `exit.settle`."""
    FROZEN = "account.frozen"
    UNFROZEN = "account.unfrozen"
    ORDERED = "account.ordered"
    """An authority's order stops exits until the instant that is told, or until `ORDER_ENDED`."""
    ORDER_ENDED = "account.order_ended"
    RECOVERED = "account.recovered"
    """A recovery was finished: until the instant that is told the account does next to nothing."""


class News(NamedTuple):
    """One thing to tell from `due_at` on, about an exit or, with `which` empty, about the account.

    `until` is when the exit may be released or the stop ends, 0 if that cannot be known yet.
    """

    kind: Told
    which: str
    until: Instant
    due_at: Instant


def news(before: Head, after: Head, now: Instant) -> tuple[News, ...]:
    """What changed from one head to the next, in the order in which it is to be told."""
    if _is_unchanged(before, after):
        return ()
    found = [News(kind, "", until, now) for kind, until in _stops(before, after, now)]
    for name, sent in after.sent.items():
        if sent.returned_at and name in before.sent and not before.sent[name].returned_at:
            found.append(News(Told.RETURNED, name, 0, now))
    for name in (one for one in before.exits if one not in after.exits):
        kind = Told.RELEASED if name in after.allowed else Told.CANCELLED
        found.append(News(kind, name, 0, now))
    for name, held in after.exits.items():
        until, old = released_at(after, held, now), before.exits.get(name)
        if held.lock is not None:
            found += _sale(name, held.lock, old.lock if old is not None else None, now)
            continue
        if old is not None and released_at(before, old, now) == until:
            continue
        found.append(News(Told.HELD if old is None else Told.MOVED, name, until, now))
        if until:
            found.append(News(Told.RELEASABLE, name, until, max(until, now)))
    return tuple(found)


def released_at(head: Head, held: HeldExit, now: Instant) -> Instant:
    """When a hold may be released as things stand, 0 if nobody can know: nobody was told yet, or the owner froze.

    A locked sale is its owner's to release, and no time's; one to an entry that nobody confirmed for long waits until
    somebody does.
    """
    if head.frozen_at or not held.wait.heard or held.lock is not None or held.unconfirmed:
        return 0
    return max(held.said_until, ordered_until(head, now))


def _sale(name: str, lock: Lock, old: Lock | None, now: Instant) -> list[News]:
    """What becomes of a P2P sale before it is released or cancelled."""
    if lock.disputed_at:
        return [News(Told.DISPUTED, name, 0, now)] if old is None or not old.disputed_at else []
    return [News(Told.LOCKED, name, lock.until, now)] if old is None else []


def is_due(head: Head, which: str, until: Instant, now: Instant) -> bool:
    """Whether a hold may be released, now that the time has come that was said.

    It may by then have been possible for a while: an order that ran out by its date, or was taken back, leaves the
    earlier time. A later time has a message of its own.
    """
    held = head.exits.get(which)
    return held is not None and held.lock is None and 0 < released_at(head, held, now) <= until


def _is_unchanged(before: Head, after: Head) -> bool:
    """Whether nothing that is told has changed: the usual case, seen without a comparison."""
    same = before.exits is after.exits and before.legal is after.legal and before.sent is after.sent
    return same and before.frozen_at == after.frozen_at and before.weak_until == after.weak_until


def _stops(before: Head, after: Head, now: Instant) -> list[tuple[Told, Instant]]:
    """What stops or frees all exits of the account."""
    found: list[tuple[Told, Instant]] = []
    if bool(before.frozen_at) != bool(after.frozen_at):
        found.append((Told.FROZEN if after.frozen_at else Told.UNFROZEN, 0))
    ordered = ordered_until(after, now)
    if ordered != ordered_until(before, now):
        found.append((Told.ORDERED if ordered else Told.ORDER_ENDED, ordered))
    if after.weak_until > before.weak_until:
        found.append((Told.RECOVERED, after.weak_until))
    return found
