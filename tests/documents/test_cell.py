"""The process that reads what strangers wrote is really bounded, and what becomes of it is told and nothing more."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from holdback.evidence.cell import CPU, CRASHED, DEADLINE, FLOOD, MEMORY, MIB, Bounds, Cell, Silenced
from holdback.ports import ReaderUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM: Final = "tests.documents.hostile"


def processes() -> set[str]:
    """Every process that this one has started and that is not taken in."""
    found: set[str] = set()
    for thread in Path(f"/proc/{os.getpid()}/task").iterdir():
        # A thread may end while it is looked at.
        with suppress(FileNotFoundError, ProcessLookupError):
            found.update((thread / "children").read_text().split())
    return found


@pytest.fixture(autouse=True)
def _none_is_left() -> Iterator[None]:
    """No process outlives its conversation."""
    before = processes()
    yield
    assert processes() <= before


async def asked(cell: Cell, deed: str) -> bytes:
    """What a program answers that is told to do something."""
    async with cell.talk() as talk:
        return await talk.say(deed.encode())


async def told(deed: str, bounds: Bounds | None = None) -> bytes:
    """The same of a cell of its own."""
    return await asked(Cell(PROGRAM, bounds), deed)


async def test_it_answers() -> None:
    """A conversation is words and their answer, as often as there is one."""
    assert await told("answer") == b"an answer"
    async with Cell(PROGRAM).talk() as talk:
        assert await talk.say(b"ask") == b"a question"
        assert await talk.say(b"this") == b"heard this"


@pytest.mark.parametrize("deed", ["read a file", "connect", "write a file"])
async def test_it_opens_nothing(deed: str) -> None:
    """The process can open no file and no connection."""
    assert (await told(deed)).startswith(b"refused")


async def test_it_is_told_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process gets none of the server's environment, in which secrets are."""
    monkeypatch.setenv("HOLDBACK_MASTER_KEYS", "a secret")

    names = set((await told("environment")).decode().split())

    assert names <= {"PYTHONPATH", "LC_CTYPE"}


async def test_memory_is_bounded() -> None:
    """A stream that inflates to gigabytes ends the process at its bound, and that is told."""
    with pytest.raises(Silenced) as silenced:
        await told("inflate", Bounds(memory_bytes=256 * MIB))

    assert (silenced.value.why, silenced.value.slow) == (MEMORY, False)


async def test_processor_time_is_bounded() -> None:
    """A process that computes for ever is ended by the system, and that is told as slow."""
    with pytest.raises(Silenced) as silenced:
        await told("spin", Bounds(cpu_s=1, answer_s=300.0))

    assert (silenced.value.why, silenced.value.slow) == (CPU, True)


async def test_time_is_bounded() -> None:
    """A process that waits for ever is ended by the clock, and that is told as slow."""
    with pytest.raises(Silenced) as silenced:
        await told("hang", Bounds(answer_s=0.2))

    assert (silenced.value.why, silenced.value.slow) == (DEADLINE, True)


@pytest.mark.parametrize(("deed", "why"), [("fall", "signal:SIGSEGV"), ("raise", CRASHED), ("flood", FLOOD)])
async def test_an_end_is_told(deed: str, why: str) -> None:
    """A process that falls, breaks or says too much is told by what it did."""
    with pytest.raises(Silenced) as silenced:
        await told(deed)

    assert (silenced.value.why, silenced.value.slow) == (why, False)


async def test_a_program_that_does_not_start_says_nothing_of_a_paper() -> None:
    """Where no process comes up, that is told as ours and not as the paper's."""
    with pytest.raises(ReaderUnavailable):
        async with Cell("holdback.evidence.none").talk():
            pass


async def test_few_run_and_few_wait() -> None:
    """No more run together than the bound says, and one more than may wait is sent away."""
    cell = Cell(PROGRAM, Bounds(at_once=1, waiting_most=1))
    async with cell.talk() as talk:
        waiting = asyncio.create_task(asked(cell, "answer"))
        await asyncio.sleep(0)
        with pytest.raises(ReaderUnavailable):
            await asked(cell, "answer")
        assert await talk.say(b"answer") == b"an answer"
        assert not waiting.done()

    assert await waiting == b"an answer"


@pytest.mark.parametrize("patience_s", [0.0, 0.01, 0.5])
async def test_who_goes_away_leaves_nothing(patience_s: float) -> None:
    """A reader that is cancelled, while its process starts or later, ends its process and frees its place."""
    cell = Cell(PROGRAM, Bounds(at_once=1))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(patience_s):
            await asked(cell, "spin")

    assert await asked(cell, "answer") == b"an answer"
