"""A program in a cell that reads many mutations of one paper, as the reader of papers reads one."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from holdback.evidence.confined import serve
from holdback.evidence.document import Job
from holdback.evidence.document_reading import load_all, read
from holdback.ports import PaperOutcome

if TYPE_CHECKING:
    from collections.abc import Callable

TOKENS: Final = (
    b"<<",
    b">>",
    b"[",
    b"]",
    b"obj",
    b"R",
    b"stream",
    b"endobj",
    b"null",
    b"-1",
    b"99999999999",
    b"(",
    b"<",
    b"%",
)


class Batch(msgspec.Struct, frozen=True):
    """A paper to mutate, once for each seed, and what to read it with."""

    job: Job
    seeds: tuple[int, ...]


class Tally(msgspec.Struct, frozen=True):
    """How often each outcome came, the longest processor time of one, and seeds whose paper passed but for its hole."""

    outcomes: dict[str, int]
    slowest_s: float
    forged: tuple[int, ...]


def mutated(paper: bytes, seed: int) -> bytes:
    """One to eight changes: bytes, runs taken out, doubled or moved, words of the format, numbers, the end cut off."""
    chance = random.Random(seed)
    made = bytearray(paper)
    for _ in range(chance.randint(1, 8)):
        at, size = chance.randrange(len(made)), chance.randint(1, 64)
        kind = chance.randrange(7)
        if kind == 0:
            made[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            made[at : at + size] = chance.randbytes(size)
        elif kind == 2:
            del made[at : at + size]
        elif kind == 3:
            made[at:at] = made[at : at + size] * chance.randint(1, 4)
        elif kind == 4:
            made[at:at] = chance.choice(TOKENS)
        elif kind == 5:
            digits = [place for place in range(len(made)) if 48 <= made[place] <= 57]
            made[chance.choice(digits)] = chance.randint(48, 57)
        else:
            del made[-size:]
        made = made or bytearray(paper)
    return bytes(made)


def forged(paper: bytes, other: bytes) -> bool:
    """Whether another paper differs from one outside of the hole that its signature stands in."""
    before = paper.index(b"/Contents <") + len(b"/Contents ")
    after = paper.index(b">", before) + 1
    return len(paper) != len(other) or paper[:before] != other[:before] or paper[after:] != other[after:]


def main() -> None:
    """Read a batch."""
    load_all()
    loop = asyncio.new_event_loop()

    def converse(words: bytes, ask: Callable[[bytes], bytes]) -> bytes:  # noqa: ARG001 - it asks nothing back
        batch = msgspec.msgpack.decode(words, type=Batch)
        outcomes: Counter[str] = Counter()
        slowest, passed = 0.0, []
        for seed in batch.seeds:
            paper = mutated(batch.job.paper, seed)
            began = time.process_time()
            outcome = read(msgspec.structs.replace(batch.job, paper=paper), loop).outcome
            slowest = max(slowest, time.process_time() - began)
            outcomes[outcome] += 1
            if outcome is PaperOutcome.SIGNED_TRUSTED and forged(batch.job.paper, paper):
                passed.append(seed)
        return msgspec.msgpack.encode(Tally(dict(outcomes), slowest, tuple(passed)))

    serve(converse)


if __name__ == "__main__":
    main()
