"""Value that moved inside the platform: the marks it leaves at whoever received it, and what stops its sender.

The hold follows the money (law 3). A mark remembers from whom and in which hour, for what the sender does *later*
counts as well: a severe cool-off, a freeze or a contest before the short wait is over makes it the long one. The
receiver's stream never hears of that. It is read when he asks next, by keys under which each stop was written down in
the transaction that brought it. The sender's own stream keeps what he sent as long as the mark may wait, for two of the
staff can give it back until then.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from holdback.core import events as ev
from holdback.core.events import HOUR, Instant, Lane, Role, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MARKS_KEPT: Final = 64
"""Marks that name their sender: an hour of a sender each. The smallest beyond go without a name, and wait longer."""


SENT_KEPT: Final = 64
"""What somebody sent inside and can have back; of more the smallest are forgotten, and stay where they are."""

GIVEN_BACK_KEPT: Final = 64
"""Reports whose loss was moved back, the last ones: told again, they give nothing back again."""

FILL_BYTES: Final = 16

RETURNS: Final = frozenset({Role.TREASURER, Role.INVESTIGATOR})
"""Roles that give back what was sent, two people together."""


class Received(msgspec.Struct, frozen=True, array_like=True):
    """Value that came from inside the platform: it may not exit before `until`.

    `sender` is from whom, and `since` the hour in which. If he is stopped in between, it stays until `stopped_until`;
    a mark without a sender has no longer wait than its own. So much of it is on its way back: `recalled_micro_usd`.
    """

    micro_usd: int
    until: Instant
    sender: str = ""
    since: Instant = 0
    stopped_until: Instant = 0
    recalled_micro_usd: int = 0

    @property
    def over_at(self) -> Instant:
        """When it says nothing more, whatever became of its sender."""
        return max(self.until, self.stopped_until)

    @property
    def in_question(self) -> bool:
        """Whether it depends on its sender how long it waits."""
        return self.stopped_until > self.until

    def ends_at(self, stops: Mapping[str, Iterable[Instant]]) -> Instant:
        """Until when it stays, by the hours in which senders were stopped; one who was not read counts as stopped."""
        if not self.in_question:
            return self.until
        found = stops.get(self.sender)
        stopped = found is None or any(self.since <= at < self.until for at in found)
        return self.stopped_until if stopped else self.until


def marked(marks: tuple[Received, ...], event: ev.ValueReceived) -> tuple[Received, ...]:
    """The marks that still say something, and the new one; of one sender, hour and wait there is one.

    Instants are whole hours, so those without a sender are never many. Of those with one the smallest lose it, and wait
    the longer of their two waits: what is forgotten is forgotten against the account.
    """
    kept = {_place(one): one for one in marks if one.over_at > event.at}
    if event.late_micro_usd:
        kept = {_place(one): one for one in _not_yet_come(tuple(kept.values()), event)}
    since = event.at // HOUR * HOUR if event.sender else 0
    _add(kept, Received(event.micro_usd, event.until, event.sender, since, event.stopped_until))
    named = [one for one in kept.values() if one.sender]
    for one in sorted(named, key=_weight)[: max(0, len(named) - MARKS_KEPT)]:
        del kept[_place(one)]
        _add(kept, Received(one.micro_usd, one.over_at))
    return tuple(kept.values())


def _not_yet_come(marks: tuple[Received, ...], event: ev.ValueReceived) -> list[Received]:
    """The marks without what was said to come earlier and did not; what is on its way back is no part of that."""
    place, left = (event.sender, event.late_at // HOUR * HOUR, event.late_until), []
    found = event.late_micro_usd
    for one in marks:
        here = (one.sender, one.since, one.until) == place
        some = min(found, one.micro_usd - one.recalled_micro_usd) if here else 0
        found -= some
        if some < one.micro_usd:
            left.append(replace(one, micro_usd=one.micro_usd - some))
    return left


def _place(one: Received) -> tuple[str, Instant, Instant, Instant]:
    return one.sender, one.since, one.until, one.stopped_until


def _add(kept: dict[tuple[str, Instant, Instant, Instant], Received], one: Received) -> None:
    before = kept.get(_place(one))
    kept[_place(one)] = one if before is None else replace(before, micro_usd=before.micro_usd + one.micro_usd)


def recalled(marks: tuple[Received, ...], event: ev.ValueRecalled | ev.ValueReturned) -> tuple[Received, ...]:
    """The marks after so much was given back: noted first, and gone once it was moved."""
    found, left = event.micro_usd, []
    for one in marks:
        some = 0
        if (one.sender, one.since, one.until) == (event.sender, event.received_at // HOUR * HOUR, event.until):
            back = isinstance(event, ev.ValueReturned)
            some = min(found, one.recalled_micro_usd if back else one.micro_usd - one.recalled_micro_usd)
        found -= some
        if isinstance(event, ev.ValueRecalled):
            left.append(replace(one, recalled_micro_usd=one.recalled_micro_usd + some))
        elif some < one.micro_usd:
            kept, waits = one.recalled_micro_usd - some, one.micro_usd - some
            left.append(replace(one, micro_usd=waits, recalled_micro_usd=kept))
    return tuple(left)


def _weight(one: Received) -> tuple[int, Instant]:
    return one.micro_usd, one.since


def in_question(marks: Iterable[Received]) -> tuple[str, ...]:
    """The senders on whom it depends how long something waits."""
    return tuple(sorted({one.sender for one in marks if one.in_question}))


def stops(event: ev.AnyEvent) -> bool:
    """Whether an event in a sender's stream keeps what he sent before it: a freeze, a severe cool-off, a contest."""
    if isinstance(event, ev.CoolOffStarted):
        return event.severity is Severity.SEVERE
    return isinstance(event, _STOPS)


_STOPS: Final = (ev.Frozen, ev.LegalFrozen, ev.RecoveryContested)


def stop_key(account: str) -> bytes:
    """Under which key the hours are kept in which an account was stopped.

    Of account ids, which are no secret, and so of no master key: a rotation must not lose a stop.
    """
    return hashlib.sha256(b"stopped\n" + account.encode()).digest()


def trade_name(seq: int) -> str:
    """Under which name stands what an order gave away, by the entry that says so; no exit is called like it."""
    return f"t{seq}"


def by_trade(name: str) -> bool:
    """Whether a name is of something that an order gave away."""
    return name.startswith("t")


class Sent(msgspec.Struct, frozen=True, array_like=True):
    """What went to another customer at `at`, and what it drew; see `events.ValueSent`.

    `stopped`: its sender was stopped since, while it waited. `returned_at` is when two people gave it back, 0 if they
    did not; from then on it is kept until the platform has moved it. `drawn_at` is 0 if it drew as it left. `order` is
    by which it was given away, "" if it was sent; what only may have been is not `reported`, and nobody gives it back.
    `fill` is by which its report is known again.
    """

    counterparty: str
    at: Instant
    micro_usd: int
    until: Instant
    stopped_until: Instant
    lane: Lane
    drawn_micro_usd: int
    usual_micro_usd: int
    stranger: str = ""
    stopped: bool = False
    returned_at: Instant = 0
    drawn_at: Instant = 0
    order: str = ""
    reported: bool = True
    fill: bytes = b""
    first_at: Instant = 0

    @property
    def named_at(self) -> Instant:
        """The instant that its return is named by: when it was let go first, however often that was said since."""
        return self.first_at or self.at

    def lasts(self, at: Instant) -> bool:
        """Whether it may still be given back, or was and is not moved yet."""
        return at < self.stopped_until or bool(self.returned_at)


def fill_mark(order: str, counterparty: str, what: str) -> bytes:
    """By what the report of a fill is known again; `what` is its name, or how much it was."""
    return hashlib.sha256(f"fill\n{order}\n{counterparty}\n{what}".encode()).digest()[:FILL_BYTES]


def lasting(sent: dict[str, Sent], at: Instant) -> dict[str, Sent]:
    """What was sent, without what is over: the very same where nothing is."""
    if all(one.lasts(at) for one in sent.values()):
        return sent
    return {name: one for name, one in sent.items() if one.lasts(at)}


def with_sent(sent: Mapping[str, Sent], event: ev.ValueSent) -> dict[str, Sent]:
    """What may still be given back, and the new one; the smallest are forgotten first.

    Never what was given back and is not moved yet: its receipt may be asked for again.
    """
    kept = {name: one for name, one in sent.items() if one.lasts(event.at)}
    before = sent.get(event.exit)
    new = Sent(
        event.counterparty,
        event.at,
        event.micro_usd,
        event.until,
        event.stopped_until,
        event.lane,
        event.drawn_micro_usd,
        event.usual_micro_usd,
        event.stranger,
        event.stopped or (before is not None and before.stopped),
        drawn_at=event.drawn_at,
        order=event.order,
        reported=event.reported,
        fill=event.fill,
        first_at=before.named_at if before is not None else 0,
    )
    largest = sorted(kept, key=lambda name: (bool(kept[name].returned_at), kept[name].micro_usd), reverse=True)
    names = set(largest[: SENT_KEPT - 1])
    if any(one.returned_at for name, one in kept.items() if name not in names):
        return kept
    return {name: one for name, one in kept.items() if name in names} | {event.exit: new}


def told(sent: Mapping[str, Sent], event: ev.OrderReported) -> dict[str, Sent]:
    """What was sent, after it was told what became of an order: so much of it did arrive, or nothing."""
    kept = {}
    for name, one in sent.items():
        if one.reported or (one.order, one.at) != (event.order, event.placed_at):
            kept[name] = one
        elif event.arrived_micro_usd:
            some = event.arrived_micro_usd
            kept[name] = replace(one, micro_usd=some, drawn_micro_usd=some, reported=True, fill=event.fill)
    return kept


def was_told(sent: Mapping[str, Sent], given_back: Iterable[bytes], fill: bytes, now: Instant) -> bool:
    """Whether it is known of a fill that it arrived, or went back: told again, it did not arrive again."""
    return fill in given_back or any(one.fill == fill and one.lasts(now) for one in sent.values())


def moved_back(given_back: tuple[bytes, ...], one: Sent) -> tuple[bytes, ...]:
    """The reports of which nothing comes back any more, after this was moved."""
    if not one.fill:
        return given_back
    return (*(fill for fill in given_back if fill != one.fill), one.fill)[-GIVEN_BACK_KEPT:]


def stopped(sent: Mapping[str, Sent], at: Instant) -> dict[str, Sent]:
    """What was sent, after its sender was stopped."""
    return {name: replace(one, stopped=True) if at < one.until else one for name, one in sent.items()}


def still_held(marks: Iterable[Received], sender: str, sent: Sent, floor_micro_usd: int, now: Instant) -> int:
    """How much of what was sent its receiver still has to leave where it is, and nobody gave back before.

    A mark below the floor held nothing, so that nothing of it need be there any more.
    """
    place = sender, sent.at // HOUR * HOUR, sent.until
    found = [one for one in marks if (one.sender, one.since, one.until) == place and one.over_at > now]
    return sum(one.micro_usd - one.recalled_micro_usd for one in found if one.micro_usd >= floor_micro_usd)
