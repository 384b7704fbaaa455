"""Reads what strangers wrote in a process of its own: bounded in memory, time and words, and ended with what it read.

One process for one thing to read, started when it is wanted. Papers are few (a legal request has some, and there are a
handful a day), so the second that an interpreter needs to start is cheap; and nothing that one stranger wrote can stay
in a process and be there when the next one's is read. What the process may do is `confined.py`'s subject.

A process that dies, hangs, floods or babbles is a fact about what it read, told as `Silenced`. That none could be
started is no such fact: `ReaderUnavailable`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from holdback.evidence.confined import FRAME_BYTES, OUT_OF_MEMORY, READY
from holdback.ports import ReaderUnavailable

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Mapping

MIB: Final = 1024 * 1024
DEADLINE, CPU, MEMORY, FLOOD, CRASHED = "deadline", "cpu", "memory", "flood", "crashed"
"""Why a process fell silent: no answer in time, its share of the processor spent, of memory, too long an answer, or an
end of any other kind. One that a signal ended is named by it: `signal:SIGSEGV`."""
SLOW: Final = frozenset({DEADLINE, CPU})


class Bounds(NamedTuple):
    """What one process gets: address space, processor time, its longest answer, and time by the clock.

    `start_s` is until it is ready, `answer_s` until it has answered. `at_once` run together, `waiting_most` wait.
    """

    memory_bytes: int = 512 * MIB
    cpu_s: int = 10
    answer_bytes: int = 64 * 1024
    start_s: float = 60.0
    answer_s: float = 30.0
    at_once: int = 2
    waiting_most: int = 16


class Silenced(Exception):
    """The process gave no answer. `why` is one of this module's words, `slow` whether it only took too long."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
        self.slow = why in SLOW


class Talk:
    """A conversation with one process: what is said to it, and its answers."""

    def __init__(self, process: Process, bounds: Bounds) -> None:
        self._process, self._bounds = process, bounds
        self._hears, self._says = _pipes(process)

    async def say(self, words: bytes) -> bytes:
        """Say something and hear the answer. Raises Silenced if there is none."""
        try:
            async with asyncio.timeout(self._bounds.answer_s):
                self._hears.write(len(words).to_bytes(FRAME_BYTES, "big"))
                self._hears.write(words)
                # One that died while it was spoken to says by its end why it did.
                with suppress(ConnectionError):
                    await self._hears.drain()
                size = int.from_bytes(await self._says.readexactly(FRAME_BYTES), "big")
                if size > self._bounds.answer_bytes:
                    raise Silenced(FLOOD)
                return await self._says.readexactly(size)
        except TimeoutError:
            raise Silenced(DEADLINE) from None
        except (asyncio.IncompleteReadError, ConnectionError):
            raise Silenced(await self._cause()) from None

    async def _cause(self) -> str:
        """Why a process ended that closed its end of the pipe. One that goes on after that is not waited for."""
        try:
            async with asyncio.timeout(self._bounds.answer_s):
                code = await self._process.wait()
        except TimeoutError:
            return DEADLINE
        if code == -signal.SIGXCPU:
            return CPU
        if code < 0:
            return f"signal:{signal.Signals(-code).name}"
        return MEMORY if code == OUT_OF_MEMORY else CRASHED


class Cell:
    """Starts a program, a module that calls `confined.serve`, once for each conversation.

    Example: `async with Cell("holdback.evidence.document_reading").talk() as talk: answer = await talk.say(job)`.
    """

    def __init__(self, program: str, bounds: Bounds | None = None, *, environ: Mapping[str, str] | None = None) -> None:
        """Start nothing yet. `environ` is all that the program finds of one, beside where modules are."""
        self._program, self._bounds, self._environ = program, bounds or Bounds(), environ or {}
        self._seats = asyncio.Semaphore(self._bounds.at_once)
        self._waiting = 0

    @asynccontextmanager
    async def talk(self) -> AsyncIterator[Talk]:
        """A conversation with a new process, which ends with it. Raises ReaderUnavailable if there can be none now."""
        if self._waiting >= self._bounds.at_once + self._bounds.waiting_most:
            raise ReaderUnavailable("too much waits to be read")
        self._waiting += 1
        try:
            async with self._seats:
                process = await self._start()
                try:
                    await self._ready(process)
                    yield Talk(process, self._bounds)
                finally:
                    await asyncio.shield(_end(process))
        finally:
            self._waiting -= 1

    async def _start(self) -> Process:
        """Start the program with nothing of ours: no settings, no secrets, no open files, no place in our terminal."""
        limits = (str(self._bounds.memory_bytes), str(self._bounds.cpu_s))
        try:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                *("-P", "-s", "-B", "-X", "utf8", "-m", self._program, *limits),
                env={**self._environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)},
                cwd="/",
                start_new_session=True,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
        except OSError as error:
            raise ReaderUnavailable(f"the process that reads does not start: {error.strerror}") from None

    async def _ready(self, process: Process) -> None:
        """Wait until the process has bound itself. Nothing of the paper has been said to it before."""
        try:
            async with asyncio.timeout(self._bounds.start_s):
                ready = await _pipes(process)[1].read(len(READY))
        except TimeoutError:
            ready = b""
        if ready != READY:
            raise ReaderUnavailable("the process that reads does not come up")


def _pipes(process: Process) -> tuple[StreamWriter, StreamReader]:
    """Where to speak to a process and where to hear it, which were asked for when it was started."""
    if process.stdin is None or process.stdout is None:
        raise ReaderUnavailable("the process that reads has no ears")
    return process.stdin, process.stdout


async def _end(process: Process) -> None:
    """End a process whatever it is doing, and take in what it had said, so that nothing of it stays."""
    with suppress(ProcessLookupError):
        process.kill()
    hears, says = _pipes(process)
    hears.close()
    while await says.read(MIB):
        pass
    await process.wait()
