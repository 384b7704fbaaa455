"""What parallel password sign-ins do to decisions: their p99 with and without, in one run on one server.

Decisions come at a fixed rate, a tenth of what the server can do, so that one that waits is seen waiting. Quiet and
flooded stretches take turns, so that a machine that changes pace changes it for both. Sign-ins are by names of nobody:
they cost what a wrong password for a customer does (tests/service/test_sign_in_timing.py), and no pause spares it.
"""

from __future__ import annotations

import asyncio
import math
import secrets
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from holdback import wiring
from holdback.bench.decide import Run, Size, asked_of, environment, prepared, server_on
from holdback.bench.postgres import throwaway_cluster

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdback.bench.load import Seen

SIGN_INS: Final = 50
"""How many sign-ins there are at any time of a flooded stretch."""
CONNECTIONS: Final = 32
SHARE: Final = 0.1
"""Of what the server can do, how much is asked of it."""
LEAD_S: Final = 1.0
"""The flood begins this much before the decisions that are measured, and ends as much after them."""


class _Plan(NamedTuple):
    """How many accounts, how many pairs of stretches, and how long each stretch is."""

    accounts: int
    pairs: int
    stretch_s: float


FULL: Final = _Plan(20_000, 5, 10)
QUICK: Final = _Plan(2_000, 3, 4)


def measure(store: str, quick: bool, tell: Callable[[str], None]) -> dict[str, object]:  # noqa: FBT001 - the bench's one switch
    """Run the bench on one store."""
    plan = QUICK if quick else FULL
    size = Size(plan.accounts, 0, 0, 0)
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="holdback-bench-")))
        cluster = stack.enter_context(throwaway_cluster()) if store == "postgres" else None
        url = cluster.create_database("bench") if cluster else f"sqlite:{place / 'bench.db'}"
        settings = wiring.settings_from(environment(url))
        asyncio.run(prepared(settings, wiring.tools(settings), size, tell))
        key = asked_of(url, settings, "keys", "add", "bench", "--scope", "ask")
        port = stack.enter_context(server_on(url, settings, place))
        pool = stack.enter_context(ThreadPoolExecutor(1))
        run = Run(port, key, size)
        tell("warming up")
        full = run.load(3, CONNECTIONS, 0)
        rate = SHARE * sum(full.decisions.values()) / full.seconds
        quiet, flooded, floods = [], [], []
        for number in range(plan.pairs):
            tell(f"stretches {number + 1} of {plan.pairs}, at {rate:.0f} decisions a second")
            quiet.append(run.load(plan.stretch_s, CONNECTIONS, rate))
            strangers = Run(port, key, size)
            strangers.name = secrets.token_hex(4)
            flood = pool.submit(strangers.load, plan.stretch_s + 2 * LEAD_S, SIGN_INS, 0, sign_ins=True)
            time.sleep(LEAD_S)
            flooded.append(run.load(plan.stretch_s, CONNECTIONS, rate))
            floods.append(flood.result())
    return _figures(store, quiet, flooded, floods)


def _figures(store: str, quiet: list[Seen], flooded: list[Seen], floods: list[Seen]) -> dict[str, object]:
    before, during, signing = (_latencies(runs) for runs in (quiet, flooded, floods))
    return {
        "store": store,
        "p99_quiet_ms": _percentile(before, 99),
        "p99_flooded_ms": _percentile(during, 99),
        "ratio": round(_percentile(during, 99) / _percentile(before, 99), 2),
        "p50_quiet_ms": _percentile(before, 50),
        "p50_flooded_ms": _percentile(during, 50),
        "decisions": [len(before), len(during)],
        "sign_ins": SIGN_INS,
        "sign_ins_per_s": round(len(signing) / sum(one.seconds for one in floods), 1),
        "sign_in_p50_ms": _percentile(signing, 50),
        "sign_in_decisions": {kind: sum(one.decisions.get(kind, 0) for one in floods) for kind in ("step_up", "deny")},
        "failures": sum(one.failures for one in (*quiet, *flooded, *floods)),
    }


def _latencies(runs: list[Seen]) -> list[float]:
    return sorted(latency for run in runs for latency in run.latencies_ms)


def _percentile(ordered: list[float], percent: int) -> float:
    return ordered[len(ordered) * percent // 100] if ordered else math.inf
