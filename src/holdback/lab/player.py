"""Plays stories: the cast acts on the stage at its times, the owner reacts to what he sees, and it is counted."""

from __future__ import annotations

import heapq
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from holdback.core import events as ev
from holdback.core.decision import Allow, Decision, Hold, Reason
from holdback.core.events import MINUTE, AuthenticatorKind
from holdback.core.policy import MICRO
from holdback.core.rules.account import AccountFreeze
from holdback.core.rules.change import ChangeCancel
from holdback.core.rules.exit import ExitRelease, ExitSettle
from holdback.lab.durations import spoken
from holdback.lab.history import History
from holdback.lab.measures import CODES, Measures, misses
from holdback.lab.moves import Move, Moves, address_text, confirming
from holdback.lab.people import ATTACKER, OWNER
from holdback.lab.playbooks import Destination, Exit, Fields, Kind, NewKey, PlaybookError, Settled, Which, read
from holdback.lab.report import StepResult, StoryResult
from holdback.lab.robbed import give_away
from holdback.lab.sealing import fake_destination
from holdback.lab.shared import Shared
from holdback.lab.stage import HeldKey, Stage
from holdback.lab.timeline import FIRST, LAST, Timeline
from holdback.lab.world import CUSTOMER, Known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from holdback.core.events import Instant
    from holdback.core.policy import Policy
    from holdback.lab.playbooks import Arrival, Playbook, Step
    from holdback.lab.world import Delivery

T0: Final = 1_780_315_200_000
"""When every story begins: noon UTC of 1 June 2026. Nothing depends on the day."""

ONCE: Final = frozenset({"breaker.reset"})
"""What is about the platform, not an account: in a crowd it is done once, by the clock of the first account."""

PLATFORM: Final = "platform"

_KEEP_ALIVE: Final = 45 * MINUTE
"""How often a thief uses a stolen session, so that it does not idle out before it must end."""


def play(paths: Iterable[Path], policy: Policy) -> list[StoryResult]:
    """Play the stories in these files. Raises PlaybookError for the first that cannot be played."""
    stories = [read(path) for path in paths]
    return [play_story(story, policy) for story in stories]


def play_story(story: Playbook, policy: Policy) -> StoryResult:
    """Play one story from its past to its horizon. Raises PlaybookError if its past cannot have been."""
    crowd = story.crowd
    shared = Shared(policy, T0, crowd.usual_usd_per_h) if crowd else None
    plays = [_Play(story, policy, place, shared) for place in range(crowd.accounts if crowd else 1)]
    for one in plays:
        one.begin()
    _together(plays, T0 + story.horizon)
    counted = _counted([one.counted() for one in plays])
    return StoryResult(
        id=story.id,
        title=story.title,
        file=story.file,
        policy=policy.name,
        steps=tuple(sorted((row for one in plays for row in one.steps), key=lambda row: row.at)),
        others=tuple(sorted((row for one in plays for row in one.others), key=lambda row: row.at)),
        measures=counted,
        not_available=tuple(dict.fromkeys(name for one in plays for name in one.not_available())),
        misses=(*(miss for one in plays for miss in one.unwanted()), *misses(story.expect, counted)),
    )


def _together(plays: list[_Play], end: Instant) -> None:
    """Let everything happen in its order, whichever account it happens in; among equals, as they began."""
    order = [(at, place) for place, one in enumerate(plays) if (at := one.next_at()) <= end]
    heapq.heapify(order)
    while order:
        _, place = heapq.heappop(order)
        plays[place].go_on()
        if (at := plays[place].next_at()) <= end:
            heapq.heappush(order, (at, place))
    for one in plays:
        one.end(end)


def _counted(each: list[dict[str, float]]) -> dict[str, float]:
    """The counts of all accounts together: what was stolen from all, and of the rest the worst that one of them saw."""
    worst: dict[str, Callable[[list[float]], float]] = {
        "stolen_usd": sum,
        "owner_delayed_hours": max,
        "owner_step_ups": max,
    }
    return {name: worst.get(name, min)([one[name] for one in each]) for name in each[0]}


class _Play:
    """One story while it runs, in one account; in a crowd, in the account at this place."""

    def __init__(self, story: Playbook, policy: Policy, place: int, shared: Shared | None) -> None:
        self._what = {number: _words(step) for number, step in enumerate(story.steps, start=1)}
        story = _numbered(story, place + 1) if story.crowd else story
        self._story = story
        self._place = place
        self._later = place * story.crowd.every if story.crowd else 0
        self._stage = Stage(story, policy, T0 + story.account.opened, shared, place)
        self._world = self._stage.world
        self._world.elsewhere = tuple(
            Known(fake_destination(address_text(one.name, one.network)), T0 + one.at, one.accounts, one.list, one.dust)
            for one in story.elsewhere
        )
        self._world.siblings = frozenset(f"other-{one.to}" for one in story.received if one.to is not None)
        self._people = self._stage.people
        self._moves = Moves(story, policy, self._world, self._people)
        self._timeline = Timeline(self._stage)
        self._measures = Measures(story)
        self.steps: list[StepResult] = []
        self.others: list[StepResult] = []
        self._made: dict[str, str] = {}
        self._equity = round(story.account.equity_usd * MICRO)
        self._began = self._entries_read = 0
        self._let_go: set[str] = set()
        self._deliveries_read = 0
        self._reacted_at = -1

    def begin(self) -> None:
        """Let the past happen, and plan the story."""
        History(self._stage, self._moves, self._timeline, T0).enact()
        self._stage.step_ups = 0
        self._began = self._entries_read = len(self._world.entries)
        self._deliveries_read = len(self._world.deliveries)
        self._timeline.released = self._released
        self._timeline.acted = self._absorb
        self._plan()

    def next_at(self) -> float:
        """When something happens next."""
        upcoming = self._timeline.upcoming()
        return inf if upcoming is None else upcoming.at

    def go_on(self) -> None:
        """Let happen what happens next."""
        if (upcoming := self._timeline.upcoming()) is not None:
            self._timeline.go_on(upcoming)

    def end(self, at: Instant) -> None:
        """Nothing more happens until then."""
        self._timeline.run(at)

    def counted(self) -> dict[str, float]:
        """What came of it."""
        end = self._world.now
        contacts = {key: one.channel for key, one in self._world.head.contacts.items()}
        own = [entry for entry in self._world.entries[self._began :] if entry.account == CUSTOMER]
        counted = self._measures.counted(own, self._people, contacts, end)
        return {**counted, "owner_step_ups": self._stage.step_ups}

    def _plan(self) -> None:
        for one in self._story.received:
            name = f"other-{one.sender}"
            arrives = partial(self._world.receives, name, round(one.usd * MICRO))
            if one.by_trade:
                arrives = partial(self._loses, name, one)
            self._timeline.plan(T0 + self._later + one.at, FIRST, arrives)
            if one.stopped is not None:
                self._timeline.plan(T0 + self._later + one.stopped, FIRST, partial(self._world.stop, name))
        for number, step in enumerate(self._story.steps, start=1):
            if step.do in ONCE and self._place:
                continue
            for turn in range(step.repeat.times):
                at = T0 + self._later + step.at + turn * step.repeat.every
                self._timeline.plan(at, number, partial(self._step, number, step))
        if self._people.has("session_cookie"):
            self._timeline.plan(T0 + _KEEP_ALIVE, LAST, self._keep_alive)

    def _loses(self, name: str, one: Arrival) -> None:
        """Somebody else's money is traded away."""
        gainer = CUSTOMER if one.to is None else f"other-{one.to}"
        decision = give_away(self._world, name, one.usd, gainer, T0 + one.opened)
        if not isinstance(decision, Allow):
            reasons = ", ".join(finding.code for finding in decision.findings)
            msg = f"{self._story.file}: received from `{one.sender}`: the trade was refused: {reasons}"
            raise PlaybookError(msg)

    def _keep_alive(self) -> None:
        if self._people.live in self._world.head.sessions:
            self._stage.touch(ATTACKER, self._people.live)
            self._timeline.plan(self._world.now + _KEEP_ALIVE, LAST, self._keep_alive)

    def unwanted(self) -> Iterable[str]:
        """Where the answers are not what the story wants."""
        for one in self.steps:
            if one.missed:
                got = f"{one.decision} ({', '.join(one.reasons)})"
                yield f"step {one.number}, {one.what}, at {spoken(one.at)}: wanted {one.want}, got {got}"
        for number, step in enumerate(self._story.steps, start=1):
            if step.last_at + self._later > self._story.horizon:
                yield f"step {number}, {step.do}: was not played to its end before the horizon"

    def not_available(self) -> tuple[str, ...]:
        """What the story needs and the core cannot judge yet."""
        asked = [one.what.split()[0] for one in self.steps if "not_available" in one.reasons]
        return tuple(dict.fromkeys(asked))

    def _step(self, number: int, step: Step) -> None:
        move = self._moves.of(step)
        decision = self._ask(step, move)
        self._note(number, step, move, decision)
        decision = self._handed_over(step.by, decision)
        self.steps.append(self._row(number, step.by, self._what[number], decision, step.want))

    def _handed_over(self, person: str, decision: Decision) -> Decision:
        """A locked sale is paid by its buyer and handed over at once by whoever made it, if he can.

        A story that says of any exit what the platform says of it tells of this itself.
        """
        told = any(isinstance(step.fields, Settled) for step in self._story.steps)
        locked = isinstance(decision, Hold) and decision.findings[0].code == Reason.SALE_LOCKED
        if told or not locked or not isinstance(decision, Hold):
            return decision
        self._stage.by_platform(person, ExitSettle(decision.id, "the buyer's payment", "paid"))
        return self._stage.ask(person, ExitRelease(decision.id))

    def _ask(self, step: Step, move: Move) -> Decision:
        if move.proof is not None and step.via is None:
            return self._stage.shown(step.by, move.action, *move.proof)
        if isinstance(move.action, ExitSettle) and step.by == PLATFORM:
            return self._stage.by_platform(self._timeline.causes.get(move.action.which, step.by), move.action)
        return self._stage.ask(step.by, move.action, account=step.account, via=step.via, counterparty=move.counterparty)

    def _note(self, number: int, step: Step, move: Move, decision: Decision) -> None:
        """Remember what the step made, for later steps, for who holds what, and for the count."""
        name = decision.id if isinstance(decision, Allow | Hold) else ""
        refused = not name
        if not refused:
            self._moves.made(step, name, waits=isinstance(decision, Hold))
            self._timeline.caused(name, step.by)
            self._made.setdefault(name, self._what[number])
        if isinstance(step.fields, Exit) and not (refused and _wanted(step, decision)):
            self._measures.asked(step, name or f"refused {len(self.steps)}", self._world.now)
        if step.do == "order.place" and isinstance(decision, Allow):
            self._measures.traded(step)
        if isinstance(step.fields, Which) and step.do == "exit.cancel" and step.by == OWNER and not refused:
            self._measures.given_up(name, self._world.now)
        if isinstance(decision, Allow):
            self._note_secret(step, move, name)

    def _note_secret(self, step: Step, move: Move, name: str) -> None:
        if step.do == "password.change":
            self._people.replaced(name, step.by)
        elif step.do == "recovery.finish":
            held = self._world.head.authenticators
            chosen = next(key for key, one in held.items() if one.kind is AuthenticatorKind.PASSWORD)
            self._people.replaced(chosen, step.by)
        elif isinstance(step.fields, NewKey):
            self._stage.keys[step.fields.name] = HeldKey(name, step.by, bool(step.fields.ip_allowlist))
        elif step.do == "contact.add":
            self._people.added(name, step.by)
        elif step.do == "authenticator.bind" and isinstance(step.fields, Kind):
            self._people.bound(name, step.fields.kind, step.by, move.address)
            self._confirm(step.by, step.fields.kind, name)

    def _confirm(self, person: str, kind: AuthenticatorKind, name: str) -> None:
        """Binding ends with showing that the new one works, unless the story tells of that itself."""
        told = any(step.do == "authenticator.confirm" for step in self._story.steps)
        if not told and not self._world.head.authenticators[name].confirmed:
            self._stage.shown(person, confirming(name, kind), kind.value, name)

    def _released(self, name: str, decision: Decision) -> None:
        asked = self._made.get(name, "of the past").removeprefix("exit.request ")
        handed = self._handed_over(self._timeline.causes.get(name, OWNER), decision)
        self.others.append(self._row(0, "platform", f"exit.release {asked}", handed))

    def _row(self, number: int, who: str, what: str, decision: Decision, want: str | None = None) -> StepResult:
        until = _until(decision)
        return StepResult(
            at=self._world.now - T0,
            number=number,
            who=who,
            what=what,
            decision=_name(decision),
            reasons=tuple(dict.fromkeys(finding.code for finding in decision.findings)),
            until=None if until is None else until - T0,
            want=want,
            missed=want is not None and not _is(decision, want),
        )

    def _absorb(self) -> None:
        """Let the platform state what the family still owns, and the owner notice what he sees."""
        for entry in self._world.entries[self._entries_read :]:
            for event in entry.events:
                again = isinstance(event, ev.ExitAllowed) and event.exit in self._let_go
                if isinstance(event, ev.ExitAllowed) and event.kind != "sweep" and not again:
                    self._let_go.add(event.exit)
                    self._equity = max(0, self._equity - event.micro_usd)
                    self._stage.stated(self._equity)
        self._entries_read = len(self._world.entries)
        for delivery in self._world.deliveries[self._deliveries_read :]:
            if self._alarms(delivery):
                at = delivery.at + self._story.owner.reacts_after
                self._timeline.plan(at, LAST, partial(self._react, delivery))
        self._deliveries_read = len(self._world.deliveries)

    def _alarms(self, delivery: Delivery) -> bool:
        """Whether the owner sees this notice, neither caused nor expects it, and is one who reacts."""
        reacts = self._story.owner.reacts_after >= 0 and not self._people.has("tricked_owner")
        recovery = self._world.head.recovery
        own = recovery is not None and recovery.token == self._people.recovery(OWNER)
        expected = own and delivery.notice.cause.startswith("recovery.")
        news = delivery.cause != OWNER and delivery.notice.cause not in CODES and not expected
        if not reacts or not news:
            return False
        return self._people.sees(delivery.contact, self._world.head.contacts[delivery.contact].channel)

    def _react(self, delivery: Delivery) -> None:
        """Press the freeze link, or freeze signed in if that link may not; then cancel what still waits."""
        if self._world.head.frozen_at or delivery.at <= self._reacted_at:
            return
        self._reacted_at = self._world.now
        decision = self._stage.by_link(OWNER, AccountFreeze(), delivery.contact)
        self.others.append(self._row(0, OWNER, "account.freeze by link", decision))
        if not isinstance(decision, Allow):
            decision = self._stage.ask(OWNER, AccountFreeze())
            self.others.append(self._row(0, OWNER, "account.freeze", decision))
        for change in tuple(self._world.head.changes):
            if self._timeline.causes.get(change) != OWNER:
                decision = self._stage.ask(OWNER, ChangeCancel(change))
                self.others.append(self._row(0, OWNER, f"change.cancel {self._made.get(change, '')}", decision))


def _numbered(story: Playbook, number: int) -> Playbook:
    """The story as it happens in one account of a crowd: `{n}` in the name of a place is the account's number."""

    def named(fields: Fields) -> Fields:
        if isinstance(fields, Destination):
            return replace(fields, name=fields.name.replace("{n}", str(number)))
        if isinstance(fields, Exit) and fields.address is not None:
            return replace(fields, address=fields.address.replace("{n}", str(number)))
        return fields

    book = tuple(replace(one, name=one.name.replace("{n}", str(number))) for one in story.account.address_book)
    steps = tuple(replace(step, fields=named(step.fields)) for step in story.steps)
    return replace(story, account=replace(story.account, address_book=book), steps=steps)


def _wanted(step: Step, decision: Decision) -> bool:
    """Whether the story itself wants this answer: an exit it wants refused keeps nobody waiting."""
    return step.want is not None and _is(decision, step.want)


def _is(decision: Decision, want: str) -> bool:
    return not isinstance(decision, Allow) if want == "failed" else _name(decision) == want


def _name(decision: Decision) -> str:
    return str(type(decision).__struct_config__.tag)


def _until(decision: Decision) -> int | None:
    if isinstance(decision, Allow):
        return decision.usable_from
    if isinstance(decision, Hold):
        return decision.release_at
    return decision.findings[0].until


def _words(step: Step) -> str:
    """The action and what matters of its fields, in one line."""
    values = [getattr(step.fields, name) for name in step.fields.__struct_fields__]
    texts = [text for value in values if (text := _word(value))]
    on = [step.account] if step.account != "main" else []
    via = [f"via {step.via}"] if step.via else []
    return " ".join([step.do, *texts, *on, *via])


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:,.0f}" if value == int(value) else f"{value:,}"
    return str(value) if isinstance(value, str | int) else ""
