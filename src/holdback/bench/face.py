"""What the face check accepts: of which attack how much, how many live faces it turns away, and what a check costs.

Portraits are relit by a light model (`relit.py` says what is in it and what is not), so this measures the check against
the model, not against your customers or your thieves. Every trial has its own portrait, room, camera, motion, network
and order of colours, from one seed.

The species with a limit must be refused by the colours alone, as if the face were always the right one. The two
without are stated because nothing here stops them.
"""

from __future__ import annotations

import asyncio
import importlib
import multiprocessing
import os
import resource
from concurrent.futures import ProcessPoolExecutor, as_completed
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from holdback.bench.portraits import portraits
from holdback.evidence.cell import Cell
from holdback.evidence.face import BOUNDS, SAME_THREAD
from holdback.evidence.face_models import models

if TYPE_CHECKING:
    from collections.abc import Callable

LIMITED: Final = ("static", "other_nonce", "late_relay", "whole_tint")
"""Attacks of which one in a hundred may be accepted at most."""
STATED: Final = ("face_tint", "swap_over_live")
LIVE: Final = ("live",)
SEED: Final = 20_261


class Outcome(NamedTuple):
    """What became of one trial: whether the colours were accepted, the face too, and why not."""

    species: str
    colours: bool
    face: bool
    why: str


class _Plan(NamedTuple):
    each: int
    timed: int


FULL: Final = _Plan(300, 60)
QUICK: Final = _Plan(30, 12)


def measure(_store: str, quick: bool, tell: Callable[[str], None]) -> dict[str, object]:  # noqa: FBT001 - the bench's one switch
    """Run the bench. Raises NoPortraits, or ModuleNotFoundError without the extra `face`."""
    plan = QUICK if quick else FULL
    found = models()
    faces = portraits(tell)
    # Only once it is known that the libraries of the extra are there. This process runs none of them.
    trials: Any = importlib.import_module("holdback.bench.face_trials")
    outcomes: list[Outcome] = []
    pieces = [
        (species, list(range(start, min(start + 10, plan.each))))
        for start in range(0, plan.each, 10)
        for species in (*LIMITED, *STATED, *LIVE)
    ]
    workers = min(os.cpu_count() or 1, 8)
    forked = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, forked, trials.prepare, (found, faces)) as pool:
        jobs = pool.submit(trials.sample_jobs, SEED).result()
        tell(f"timing {plan.timed} checks, each in a process of its own")
        # From a process that is small itself: what is told of a child's memory is never less than its parent's.
        with ProcessPoolExecutor(1, forked) as small:
            times, memory, cpu_s = small.submit(_timed, jobs, plan.timed).result()
        waiting = [pool.submit(trials.tried, species, numbers, SEED) for species, numbers in pieces]
        for done, one in enumerate(as_completed(waiting), 1):
            outcomes += one.result()
            if done % 7 == 0 or done == len(pieces):
                tell(f"{len(outcomes)} of {plan.each * 7} trials")
        filmed_s = pool.submit(trials.filmed_s, SEED).result()
    return _figures(plan, outcomes, (times, memory, cpu_s), filmed_s)


def _timed(jobs: list[bytes], count: int) -> tuple[list[float], float, float]:
    """How long each check takes from its last picture to its result, its process's start with it.

    With it the memory and the processor time of one, which other programs on the machine change less.
    """
    cell = Cell("holdback.evidence.face_reading", BOUNDS, environ=SAME_THREAD)

    async def looked_at(job: bytes) -> float:
        began = perf_counter()
        async with cell.talk() as talk:
            msgspec.msgpack.decode(await talk.say(job))
        return perf_counter() - began

    async def all_of_them() -> list[float]:
        return [await looked_at(jobs[place % len(jobs)]) for place in range(count)]

    times = asyncio.run(all_of_them())
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return times, used.ru_maxrss / 1024, (used.ru_utime + used.ru_stime) / count


def _figures(
    plan: _Plan, outcomes: list[Outcome], cost: tuple[list[float], float, float], filmed_s: float
) -> dict[str, object]:
    times, memory_mb, cpu_s = cost
    of = {species: [one for one in outcomes if one.species == species] for species in (*LIMITED, *STATED, *LIVE)}
    times.sort()
    live = of["live"]
    p95 = times[min(len(times) * 95 // 100, len(times) - 1)]
    return {
        "each": plan.each,
        "accepted_percent": {name: _percent(of[name], lambda one: one.colours) for name in LIMITED},
        "accepted_upper_percent": {name: _upper(of[name]) for name in LIMITED},
        "stated_percent": {
            "face_tint": _percent(of["face_tint"], lambda one: one.colours),
            "swap_over_live": _percent(of["swap_over_live"], lambda one: one.colours and one.face),
            "swap_over_live_matches": _percent(of["swap_over_live"], lambda one: one.face),
        },
        "live_rejected_percent": _percent(live, lambda one: not one.colours),
        "live_rejected_why": sorted({one.why for one in live if not one.colours}),
        "live_not_matched_percent": _percent(live, lambda one: one.colours and not one.face),
        "p50_s": round(times[len(times) // 2], 2),
        "p95_s": round(p95, 2),
        "cpu_s": round(cpu_s, 2),
        "memory_mb": round(memory_mb),
        "timed": len(times),
        "ratio": round(filmed_s / times[len(times) // 2], 1),
        "ratio_is": "seconds of film looked at in a second",
    }


def _percent(outcomes: list[Outcome], counts: Callable[[Outcome], bool]) -> float:
    return round(100 * sum(counts(one) for one in outcomes) / len(outcomes), 2)


def _upper(outcomes: list[Outcome]) -> float:
    """The share of which as few as these would be accepted in one run of twenty (Clopper and Pearson 1934)."""
    tried, accepted = len(outcomes), sum(one.colours for one in outcomes)
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        chance, term = 0.0, (1 - middle) ** tried
        for hits in range(accepted + 1):
            chance += term
            term *= (tried - hits) / (hits + 1) * middle / max(1 - middle, 1e-12)
        low, high = (middle, high) if chance > 0.05 else (low, middle)  # noqa: PLR2004 - one in twenty
    return round(100 * high, 2)
