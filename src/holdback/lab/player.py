"""Plays stories: the cast acts on the stage at its times, the owner reacts to what he sees, and it is counted."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from holdback.core import events as ev
from holdback.core.decision import Allow, Decision, Hold
from holdback.core.events import MINUTE, AuthenticatorKind
from holdback.core.policy import MICRO
from holdback.core.rules.account import AccountFreeze
from holdback.core.rules.change import ChangeCancel
from holdback.lab.durations import spoken
from holdback.lab.history import History
from holdback.lab.measures import CODES, Measures, misses
from holdback.lab.moves import Move, Moves, address_text, confirming
from holdback.lab.people import ATTACKER, OWNER
from holdback.lab.playbooks import Exit, Kind, NewKey, Order, Which, read
from holdback.lab.report import StepResult, StoryResult
from holdback.lab.sealing import fake_destination
from holdback.lab.stage import HeldKey, Stage
from holdback.lab.timeline import LAST, Timeline
from holdback.lab.world import CUSTOMER, Known

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from holdback.core.policy import Policy
    from holdback.lab.playbooks import Playbook, Step
    from holdback.lab.world import Delivery

T0: Final = 1_780_315_200_000
"""When every story begins: noon UTC of 1 June 2026. Nothing depends on the day."""

_KEEP_ALIVE: Final = 45 * MINUTE
"""How often a thief uses a stolen session, so that it does not idle out before it must end."""


def play(paths: Iterable[Path], policy: Policy) -> list[StoryResult]:
    """Play the stories in these files. Raises PlaybookError for the first that cannot be played."""
    stories = [read(path) for path in paths]
    return [play_story(story, policy) for story in stories]


def play_story(story: Playbook, policy: Policy) -> StoryResult:
    """Play one story from its past to its horizon. Raises PlaybookError if its past cannot have been."""
    return _Play(story, policy).result()


class _Play:
    """One story while it runs."""

    def __init__(self, story: Playbook, policy: Policy) -> None:
        self._story = story
        self._stage = Stage(story, policy, T0 + story.account.opened)
        self._world = self._stage.world
        self._world.elsewhere = tuple(
            Known(fake_destination(address_text(one.name, one.network)), T0 + one.at, one.accounts, one.list, one.dust)
            for one in story.elsewhere
        )
        self._people = self._stage.people
        self._moves = Moves(story, policy, self._world, self._people)
        self._timeline = Timeline(self._stage)
        self._measures = Measures(story)
        self._steps: list[StepResult] = []
        self._others: list[StepResult] = []
        self._made: dict[str, str] = {}
        self._equity = round(story.account.equity_usd * MICRO)
        self._entries_read = 0
        self._deliveries_read = 0
        self._reacted_at = -1

    def result(self) -> StoryResult:
        """Let it all happen, and count."""
        History(self._stage, self._moves, self._timeline, T0).enact()
        self._stage.step_ups = 0
        began = self._entries_read = len(self._world.entries)
        self._deliveries_read = len(self._world.deliveries)
        self._timeline.released = self._released
        self._timeline.acted = self._absorb
        self._plan()
        end = T0 + self._story.horizon
        self._timeline.run(end)
        contacts = {key: one.channel for key, one in self._world.head.contacts.items()}
        own = [entry for entry in self._world.entries[began:] if entry.account == CUSTOMER]
        counted = self._measures.counted(own, self._people, contacts, end)
        counted["owner_step_ups"] = self._stage.step_ups
        return StoryResult(
            id=self._story.id,
            title=self._story.title,
            file=self._story.file,
            policy=self._world.policy.name,
            steps=tuple(self._steps),
            others=tuple(self._others),
            measures=counted,
            not_available=self._not_available(),
            misses=(*self._unwanted(), *misses(self._story.expect, counted)),
        )

    def _plan(self) -> None:
        for number, step in enumerate(self._story.steps, start=1):
            for turn in range(step.repeat.times):
                at = T0 + step.at + turn * step.repeat.every
                self._timeline.plan(at, number, partial(self._step, number, step))
        if self._people.has("session_cookie"):
            self._timeline.plan(T0 + _KEEP_ALIVE, LAST, self._keep_alive)

    def _keep_alive(self) -> None:
        if self._people.live in self._world.head.sessions:
            self._stage.touch(ATTACKER, self._people.live)
            self._timeline.plan(self._world.now + _KEEP_ALIVE, LAST, self._keep_alive)

    def _unwanted(self) -> Iterable[str]:
        for one in self._steps:
            if one.missed:
                got = f"{one.decision} ({', '.join(one.reasons)})"
                yield f"step {one.number}, {one.what}, at {spoken(one.at)}: wanted {one.want}, got {got}"
        for number, step in enumerate(self._story.steps, start=1):
            if step.last_at > self._story.horizon:
                yield f"step {number}, {step.do}: was not played to its end before the horizon"

    def _not_available(self) -> tuple[str, ...]:
        """What the story needs and the core cannot judge yet."""
        asked = [one.what.split()[0] for one in self._steps if "not_available" in one.reasons]
        return tuple(dict.fromkeys(asked))

    def _step(self, number: int, step: Step) -> None:
        move = self._moves.of(step)
        decision = self._ask(step, move)
        self._note(step, move, decision)
        self._steps.append(self._row(number, step.by, _words(step), decision, step.want))

    def _ask(self, step: Step, move: Move) -> Decision:
        if move.proof is not None and step.via is None:
            return self._stage.shown(step.by, move.action, *move.proof)
        return self._stage.ask(step.by, move.action, account=step.account, via=step.via, counterparty=move.counterparty)

    def _note(self, step: Step, move: Move, decision: Decision) -> None:
        """Remember what the step made, for later steps, for who holds what, and for the count."""
        name = decision.id if isinstance(decision, Allow | Hold) else ""
        refused = not name
        if not refused:
            self._moves.made(step, name, waits=isinstance(decision, Hold))
            self._timeline.caused(name, step.by)
            self._made.setdefault(name, _words(step))
        if isinstance(step.fields, Exit) and not (refused and _wanted(step, decision)):
            self._measures.asked(step, name or f"refused {len(self._steps)}", self._world.now)
        if isinstance(step.fields, Order) and isinstance(decision, Allow):
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
        self._others.append(self._row(0, "platform", f"exit.release {asked}", decision))

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
                if isinstance(event, ev.ExitAllowed) and event.kind != "sweep":
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
        self._others.append(self._row(0, OWNER, "account.freeze by link", decision))
        if not isinstance(decision, Allow):
            decision = self._stage.ask(OWNER, AccountFreeze())
            self._others.append(self._row(0, OWNER, "account.freeze", decision))
        for change in tuple(self._world.head.changes):
            if self._timeline.causes.get(change) != OWNER:
                decision = self._stage.ask(OWNER, ChangeCancel(change))
                self._others.append(self._row(0, OWNER, f"change.cancel {self._made.get(change, '')}", decision))


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
