"""What accounts share, and under which keys: by keyed hashes it is known in how many of them something was met.

Rows of (key, account, day) are all that is kept (`ports.Sighting`). From them a fact is made that goes into the event
of the decision that used it; it holds numbers and no account.

That an account was stopped is kept likewise, by the hour, for those who received value from it (`core/inside.py`), and
who lost something to accounts that have a device or an address in common (`core/rules/clusters.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from holdback.core.decision import ListFact, LossFact, SenderFact, SharedFact
from holdback.core.events import DAY, HOUR
from holdback.core.inside import stop_key
from holdback.core.rules.asking import SharedKey
from holdback.core.rules.clusters import DEVICE, SOURCE
from holdback.core.rules.elsewhere import ADDRESS, DUST
from holdback.core.ties import loss_key
from holdback.ports import SIGHTINGS_MOST, Sighting
from holdback.sealing import skeleton

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from holdback.core.events import Instant
    from holdback.core.policy import Policy
    from holdback.core.state import Head
    from holdback.ports import ListRow, Loaded, Sightings
    from holdback.sealing import MasterKeys

LISTED: Final = "listed"
"""What the addresses of lists are hashed as, in one spelling, whichever network they are on."""


def address_keys(masters: MasterKeys, compared: str) -> SharedKey:
    """By what an address, in the spelling that it is compared by, is known to all accounts, and on lists."""
    return SharedKey(ADDRESS, masters.lookup_hashes(LISTED, compared))


def dust_keys(masters: MasterKeys, account: str, compared: str) -> SharedKey:
    """By what addresses that look like this one are known to have sent dust to an account."""
    return SharedKey(DUST, masters.lookup_hashes(DUST, f"{account}\n{skeleton(compared)}"))


def device_keys(masters: MasterKeys, device: str) -> SharedKey:
    """By what a device is known to all accounts."""
    return SharedKey(DEVICE, masters.lookup_hashes(DEVICE, device))


def source_keys(masters: MasterKeys, compared: str) -> SharedKey:
    """By what an address that deposits come from is known to all accounts; other than as one that is paid."""
    return SharedKey(SOURCE, masters.lookup_hashes(SOURCE, compared))


class Meeting(NamedTuple):
    """Who meets something, and on which day."""

    account: str
    day: int


def facts_of(
    shared: Sequence[SharedKey], meeting: Meeting, loaded: Loaded, new: Sequence[Sighting], window_d: int
) -> tuple[tuple[SharedFact, ...], int]:
    """What is known of each of these, and the last day of dust, with what the batch itself saw (`new`)."""
    facts, dust_day, today = [], 0, meeting.day
    for one in shared:
        rows = [*_rows(one, loaded.sightings), *(row for row in new if row.key in one.keys)]
        first = min([*(loaded.sightings[key].first_day for key in one.keys if key in loaded.sightings), today])
        if one.kind == DUST:
            dust_day = max((row.day for row in rows), default=0)
            continue
        days: dict[int, set[str]] = {}
        for row in rows:
            days.setdefault(row.day, set()).add(row.account)
        most = max((len(_within(days, day, window_d)) for day in days), default=0)
        joined = len({*_within(days, today, window_d), meeting.account})
        key = next((key for key in reversed(one.keys) if key in loaded.sightings), one.keys[0])
        ever = len({meeting.account, *(row.account for row in rows)})
        facts.append(SharedFact(one.kind, first, most, max(most, joined), key, ever))
    return tuple(facts), dust_day


def lists_of(shared: Sequence[SharedKey], loaded: Loaded, readable: frozenset[int]) -> tuple[ListFact, ...]:
    """All lists there are, and which this destination is on.

    One whose addresses are hashed under a key that is in the ring no more says nothing, and so is not there.
    """
    hits = {name for one in shared for key in one.keys for name in loaded.listed.get(key, ())}
    return tuple(ListFact(one.name, one.version, one.at, one.name in hits) for one in _usable(loaded.lists, readable))


def sighted(shared: Sequence[SharedKey], meeting: Meeting, loaded: Loaded) -> list[Sighting]:
    """The rows that say that this account has to do with it today; none where as many as count say so already."""
    found = []
    for one in shared:
        rows = _rows(one, loaded.sightings)
        full = len(rows) >= SIGHTINGS_MOST and all(row.day == meeting.day for row in rows)
        if one.kind != DUST and not full and not any((row.account, row.day) == meeting for row in rows):
            found.append(Sighting(one.keys[0], *meeting))
    return found


def stop_of(account: str, at: Instant) -> Sighting:
    """The row that says that an account was stopped in this hour."""
    return Sighting(stop_key(account), account, at // HOUR)


def stopped_lately(
    senders: Iterable[str], loaded: Loaded, new: Sequence[Sighting], since: Instant
) -> tuple[SenderFact, ...]:
    """In which hours each of these was stopped since then, with what the batch itself saw (`new`).

    Somebody of whom as many rows are given as ever are, all of them of that time, was perhaps stopped in more hours: of
    him nothing is said.
    """
    facts = []
    for sender in senders:
        key = stop_key(sender)
        kept = loaded.sightings[key].rows if key in loaded.sightings else ()
        if len(kept) >= SIGHTINGS_MOST and all(one.day * HOUR >= since for one in kept):
            continue
        hours = {one.day for one in (*kept, *(one for one in new if one.key == key))}
        facts.append(SenderFact(sender, tuple(hour * HOUR for hour in sorted(hours) if hour * HOUR >= since)))
    return tuple(facts)


def kept_since(policy: Policy, now: Instant) -> Instant:
    """What was seen before this is looked at by nobody any more, and goes. Stops and losses may stay longer."""
    longest_h = max(policy.outflow.received_from_cooling_h, 2 * policy.trades.victims_proceeds_h) + 1
    return now - max(policy.shared.kept_d * DAY, longest_h * HOUR)


def losses_of(gainer: Head, victim: str, at: Instant) -> list[Sighting]:
    """The rows by which the cluster of who gained learns that somebody lost something to it in this hour."""
    return [Sighting(loss_key(tie), victim, at // HOUR) for tie in gainer.ties]


def lost_lately(ties: Iterable[bytes], loaded: Loaded, new: Sequence[Sighting], since: Instant) -> tuple[LossFact, ...]:
    """Who lost something since then to accounts with each of these ties, and how many those are, the batch included.

    Where as many losses are given as ever are, all of them of that time, there were perhaps more: of such a tie nothing
    is said.
    """

    def rows(key: bytes) -> list[Sighting]:
        kept = loaded.sightings[key].rows if key in loaded.sightings else ()
        return [*kept, *(one for one in new if one.key == key)]

    facts = []
    for tie in ties:
        lost = {(one.account, one.day * HOUR) for one in rows(loss_key(tie))}
        lately = tuple(sorted(one for one in lost if one[1] >= since))
        if len(lost) < SIGHTINGS_MOST or len(lately) < len(lost):
            facts.append(LossFact(tie, len({one.account for one in rows(tie)}), lately))
    return tuple(facts)


def _rows(one: SharedKey, sightings: Mapping[bytes, Sightings]) -> list[Sighting]:
    return [row for key in one.keys if key in sightings for row in sightings[key].rows]


def _within(days: Mapping[int, set[str]], last: int, window_d: int) -> set[str]:
    """The accounts of so many days, of which this is the last."""
    return {name for day in range(last - window_d + 1, last + 1) for name in days.get(day, ())}


def _usable(lists: Iterable[ListRow], readable: frozenset[int]) -> Iterable[ListRow]:
    return (one for one in lists if one.key_id in readable)
