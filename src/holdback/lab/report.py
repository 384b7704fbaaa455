"""What came of stories, for people as a table and for machines as one JSON object."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

import msgspec
from rich.console import Group
from rich.table import Table
from rich.text import Text

from holdback.lab.durations import spoken

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType


class StepResult(msgspec.Struct, frozen=True):
    """What was answered to one thing someone did. Times are milliseconds from t0.

    `number` is the step's place in the story, 0 for what the platform and the owner did by themselves. `reasons` are
    the answer's codes, the most important first. `missed` says that the story wanted another answer.
    """

    at: int
    number: int
    who: str
    what: str
    decision: str
    reasons: tuple[str, ...]
    until: int | None
    want: str | None = None
    missed: bool = False


class StoryResult(msgspec.Struct, frozen=True):
    """How a story went. `steps` are the story's own, in order; `others` what the platform and the owner did besides.

    `not_available` names the actions of the story that Holdback cannot judge yet.
    """

    id: str
    title: str
    file: str
    policy: str
    steps: tuple[StepResult, ...]
    others: tuple[StepResult, ...]
    measures: dict[str, float]
    misses: tuple[str, ...]
    not_available: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether everything came out as the story says."""
        return not self.misses


def exit_code(results: Sequence[StoryResult]) -> int:
    """0 if every story passed, else 1."""
    return 0 if all(one.passed for one in results) else 1


def to_json(results: Sequence[StoryResult]) -> str:
    """All results as one JSON object."""
    stories = [{"passed": one.passed, **msgspec.structs.asdict(one)} for one in results]
    body = {"passed": exit_code(results) == 0, "stories": stories}
    return msgspec.json.format(msgspec.json.encode(body)).decode()


_COLOURS: Final = {"allow": "green", "step_up": "yellow", "hold": "yellow", "deny": "red"}


def render(results: Sequence[StoryResult]) -> RenderableType:
    """All results as tables, each with its verdict under it."""
    return Group(*(part for result in results for part in _story(result)))


def _story(result: StoryResult) -> Iterator[RenderableType]:
    table = Table(title=f"{result.id}: {result.title}", title_justify="left", title_style="bold")
    for heading in ("at", "who", "what", "decision", "why", "until"):
        table.add_column(heading, justify="right" if heading in {"at", "until"} else "left")
    rows = sorted([*result.others, *result.steps], key=lambda row: row.at)
    for _, alike in groupby(rows, key=_sameness):
        same = list(alike)
        table.add_row(*_cells(same[0], same[-1], len(same)))
    yield table
    measures = ", ".join(f"{name} {value:g}" for name, value in result.measures.items())
    yield Text(measures)
    for miss in result.misses:
        yield Text(f"missed: {miss}", style="red")
    if result.not_available:
        yield Text(f"cannot be judged yet: {', '.join(result.not_available)}", style="yellow")
    yield Text(f"{'passed' if result.passed else 'MISSED'} under policy {result.policy}\n", style="bold")


def _sameness(row: StepResult) -> tuple[object, ...]:
    return (row.number, row.who, row.what, row.decision, row.reasons, row.missed)


def _cells(first: StepResult, last: StepResult, times: int) -> tuple[str | Text, ...]:
    """One row; repetitions that were answered alike share it."""
    at = spoken(first.at) if times == 1 else f"{spoken(first.at)} ... {spoken(last.at)}"
    what = first.what if times == 1 else f"{first.what} ({times} times)"
    wanted = f" (wanted {first.want})" if first.missed else ""
    decision = Text(first.decision + wanted, style="bold red" if first.missed else _COLOURS[first.decision])
    until = "" if last.until is None else spoken(last.until)
    return at, first.who, what, decision, ", ".join(first.reasons), until
