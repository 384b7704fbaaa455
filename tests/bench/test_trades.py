"""The bench of trades: its days repeat themselves, and its figures are what it saw."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

from holdback import wiring
from holdback.bench import trades
from holdback.bench.books import CRASH, QUIET, books

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_books_repeat_themselves() -> None:
    """The same seed makes the same day, and a crash swings more than a quiet one."""
    first, again = (books(QUIET, random.Random(1)) for _ in range(2))
    assert first == again
    crash = books(CRASH, random.Random(1))
    assert crash[0].half_range_ppm[-1] > 4 * first[0].half_range_ppm[-1]


def test_thieves_are_bounded() -> None:
    """No victim loses more than the thirty days' window bears, whatever his thief knows."""
    policy, chance = wiring.load_policy("default"), random.Random(7)
    day = books(QUIET, chance)
    lost = [trades.robbed(policy, day, chance, careful=careful) for careful in (True, False) for _ in range(4)]
    assert 0 < max(lost) <= policy.trades.raw_month_percent


def test_figures_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bench leaves its figures and their picture beside each other."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trades, "DAYS_QUICK", 12)
    monkeypatch.setattr(trades, "VICTIMS_QUICK", 2)
    found = trades.measure("sqlite", True, lambda _step: None)  # noqa: FBT003 - as every bench
    assert json.loads((tmp_path / trades.FIGURES).read_text())["seed"] == found["seed"]
    assert (tmp_path / trades.PLOT).read_text().startswith("<svg")
