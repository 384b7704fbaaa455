"""Benchmarks: one file each, each printing a ratio to something known, because bare numbers belong to one machine."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
from rich.console import Console

from holdback.bench import book, decide, face, pages, risk, signin, staff, trades
from holdback.bench.portraits import NoPortraits
from holdback.bench.rba import NotTheDataSet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BENCHES: Final[dict[str, Callable[[str, bool, Callable[[str], None]], dict[str, object]]]] = {
    "book": book.measure,
    "decide": decide.measure,
    "face": face.measure,
    "pages": pages.measure,
    "risk": risk.measure,
    "signin": signin.measure,
    "staff": staff.measure,
    "trades": trades.measure,
}
"""Each bench takes the store's name, whether to be quick, and whom to tell how far it is; it gives one JSON object."""


def run(name: str, *, store: str, quick: bool, json: bool, rba: Path | None = None) -> int:
    """Run one bench and print its figures. The status is 0 if it could be run at all: figures pass no judgement.

    `rba` is a file of the public data set for `risk`, in place of its own sign-ins.
    """
    err = Console(stderr=True)
    bench = BENCHES.get(name)
    if bench is None or store not in {"sqlite", "postgres"}:
        err.print(
            f"[red]there is no bench {name} on {store}; benches: {', '.join(BENCHES)}; stores: sqlite, postgres[/]"
        )
        return 2
    if rba is not None:
        bench = partial(risk.measure, file=rba)
    try:
        found = bench(store, quick, lambda step: err.print(f"[dim]{step}[/]", highlight=False))
    except (NoPortraits, ModuleNotFoundError) as error:
        err.print(f"[red]{error}[/]", highlight=False)
        return 2
    except NotTheDataSet as error:
        err.print(f"[red]{rba}: {error}[/]", markup=True, highlight=False)
        return 2
    if json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    else:
        out = Console()
        for key, value in found.items():
            out.print(f"{key:>24}  {value}", highlight=False)
    return 0
