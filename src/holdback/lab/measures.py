"""What is counted in a story: money, notices and the owner's trouble; and where that is not what was expected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from holdback.core import events as ev
from holdback.core.events import HOUR, Instant
from holdback.core.inside import by_trade
from holdback.core.policy import MICRO
from holdback.lab.people import OWNER
from holdback.lab.playbooks import Bounds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from holdback.core.events import Channel
    from holdback.lab.people import People
    from holdback.lab.playbooks import Bound, Exit, Expect, Playbook, Step
    from holdback.lab.world import Entry

CODES: Final = frozenset({ev.CONTACT_CODE, ev.AUTHENTICATOR_CODE})
"""The cause of messages that carry a code: they tell the owner nothing."""

MEASURES: Final = (
    "stolen_usd",
    "notices_before_first_exit",
    "channels_noticed",
    "owner_delayed_hours",
    "owner_step_ups",
)


class _Asked(msgspec.Struct):
    """An exit someone asked for; `over_at` is when it was paid, or given up by the owner himself."""

    usd: float
    honest: bool
    stolen: bool
    asked_at: Instant
    over_at: Instant | None = None


class Measures:
    """The counts of one story, kept as its exits are asked for."""

    def __init__(self, story: Playbook) -> None:
        """Count for this story."""
        self._tricked = "tricked_owner" in story.attacker.holds
        self._book = {(entry.name, entry.memo) for entry in story.account.address_book}
        self._exits: dict[str, _Asked] = {}
        self._lost_in_trades = 0.0

    def asked(self, step: Step, name: str, at: Instant) -> None:
        """Note an exit that was asked for; `name` is its id, or anything new if it was refused."""
        wish: Exit = step.fields
        honest = step.by == OWNER and not self._tricked
        listed = (wish.address or wish.counterparty, wish.memo) in self._book
        stolen = not honest and not listed and wish.kind != "sweep"
        self._exits[name] = _Asked(wish.usd, honest, stolen, at)

    def given_up(self, name: str, at: Instant) -> None:
        """Note that the owner himself cancelled an exit: it keeps him waiting no longer."""
        if name in self._exits and self._exits[name].over_at is None:
            self._exits[name].over_at = at

    def traded(self, step: Step) -> None:
        """Note an order that was allowed."""
        if step.by != OWNER or self._tricked:
            self._lost_in_trades += step.fields.premium * step.fields.usd

    def counted(
        self, entries: Sequence[Entry], people: People, channels: dict[str, Channel], end: Instant
    ) -> dict[str, float]:
        """Everything but step-ups, over what happened from t0 to the end. `channels` are the contacts' own."""
        stolen, first = self._lost_in_trades, len(entries)
        gone: set[str] = set()
        for place, entry in enumerate(entries):
            for event in entry.events:
                if isinstance(event, ev.ExitReturned) and by_trade(event.exit):
                    stolen -= event.micro_usd / MICRO
                if isinstance(event, ev.ExitReturned) and event.exit in self._exits:
                    stolen -= self._exits[event.exit].usd if self._exits[event.exit].stolen else 0
                if not isinstance(event, ev.ExitAllowed) or event.exit not in self._exits:
                    continue
                exit_ = self._exits[event.exit]
                if event.exit in gone:
                    continue  # a fresh receipt of the same exit
                gone.add(event.exit)
                exit_.over_at = entry.at
                if not exit_.honest and event.kind != "sweep":
                    first = min(first, place)
                stolen += exit_.usd if exit_.stolen else 0
        until = entries[first].at if first < len(entries) else end
        notices = [one for entry in entries[:first] for one in _notices(entry) if one.due_at <= until]
        reached = {key for notice in notices for key in notice.contacts if not people.is_tapped(key, channels[key])}
        waits = [(one.over_at or end) - one.asked_at for one in self._exits.values() if one.honest]
        return {
            "stolen_usd": stolen,
            "notices_before_first_exit": len(notices),
            "channels_noticed": len({channels[key] for key in reached}),
            "owner_delayed_hours": max(waits, default=0) / HOUR,
        }


def _notices(entry: Entry) -> Iterator[ev.NoticeDue]:
    return (one for one in entry.events if isinstance(one, ev.NoticeDue) and one.cause not in CODES)


def misses(expect: Expect, counted: dict[str, float]) -> list[str]:
    """Every measure that is not what the story expects."""
    found = []
    for name in MEASURES:
        bound: Bound | None = getattr(expect, name)
        if bound is not None and not _within(bound, counted[name]):
            found.append(f"{name} is {counted[name]:g}, expected {_spoken(bound)}")
    return found


def _within(bound: Bound, number: float) -> bool:
    if isinstance(bound, Bounds):
        return (bound.min is None or number >= bound.min) and (bound.max is None or number <= bound.max)
    return number == bound


def _spoken(bound: Bound) -> str:
    if not isinstance(bound, Bounds):
        return f"{bound:g}"
    words = [f"at least {bound.min:g}"] if bound.min is not None else []
    words += [f"at most {bound.max:g}"] if bound.max is not None else []
    return " and ".join(words) or "anything"
