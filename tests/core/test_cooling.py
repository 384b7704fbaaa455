"""Law 4: what a cool-off closes, for whom, and until when."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.core.histories import START, sealed

from holdback.core.cooling import ends_at, obstacles
from holdback.core.decision import Reason
from holdback.core.events import HOUR, Instant, Severity
from holdback.core.state import CoolOff, Head, Wait

MILD, SEVERE = Severity.MILD, Severity.SEVERE


def at(hours: float) -> Instant:
    """So many hours after the start."""
    return START + int(hours * HOUR)


def cooling(severity: Severity, *, heard: bool = True, start: float = 0) -> Head:
    """An account with one cool-off of the default lengths."""
    senior = Wait(24 * HOUR, at(start + 24), heard=heard)
    others = Wait(72 * HOUR, at(start + 72), heard=heard)
    one = CoolOff("password", severity, at(start), senior, others)
    return Head("alice", sealed("alice"), START, (), cool_offs={"1": one})


TABLE = [
    (SEVERE, True, True, 24),
    (SEVERE, True, False, 24),
    (SEVERE, False, True, 72),
    (SEVERE, False, False, 72),
    (MILD, True, True, 0),
    (MILD, True, False, 24),
    (MILD, False, True, 72),
    (MILD, False, False, 72),
]
IDS = [f"{row[0]}, {'senior' if row[1] else 'other'}, {'usual' if row[2] else 'unusual'}" for row in TABLE]


@pytest.mark.parametrize(("severity", "senior", "usual", "hours"), TABLE, ids=IDS)
@pytest.mark.parametrize("now", [0, 23.99, 24, 71.99, 72, 1000])
def test_the_cool_off_table(severity: Severity, *, senior: bool, usual: bool, hours: float, now: float) -> None:
    """Severe: 24 h for senior beneficiaries, 72 h for others; mild: the same, but usual amounts to senior ones pass."""
    found = obstacles(cooling(severity), senior=senior, usual=usual, now=at(now))
    if now < hours:
        (one,) = found
        assert (one.code, one.until, one.about) == (Reason.COOLING_OFF, at(hours), "password")
        assert one.satisfied_by == ("time",)
    else:
        assert found == []


@pytest.mark.parametrize(("severity", "senior", "usual", "_hours"), TABLE, ids=IDS)
@pytest.mark.parametrize("now", [0, 23, 80, 1000])
def test_nothing_passes_before_the_owner_was_told(
    severity: Severity, *, senior: bool, usual: bool, _hours: float, now: float
) -> None:
    """Law 5: a change the owner was not told of closes every exit, as if he were told this instant."""
    (one,) = obstacles(cooling(severity, heard=False), senior=senior, usual=usual, now=at(now))
    assert (one.code, one.about) == (Reason.NOTICE_UNDELIVERED, "password")
    assert one.until == at(now + (24 if senior else 72))


def test_each_cool_off_has_its_own_finding() -> None:
    """Whoever is told why sees every cause."""
    both = {"1": cooling(MILD).cool_offs["1"], "2": cooling(SEVERE, start=5).cool_offs["1"]}
    head = replace(cooling(MILD), cool_offs=both)
    assert [one.until for one in obstacles(head, senior=False, usual=False, now=at(6))] == [at(72), at(77)]


@pytest.mark.parametrize(
    ("heads", "now", "ends"),
    [
        ([], 0, None),
        ([cooling(MILD)], 71, 72),
        ([cooling(MILD)], 72, None),
        ([cooling(MILD), cooling(SEVERE, start=5)], 60, 77),
        ([cooling(MILD), cooling(SEVERE, start=5)], 73, 77),
        ([cooling(MILD, heard=False)], 1000, 72),
        ([cooling(MILD, heard=False), cooling(MILD, start=990)], 1000, 1062),
    ],
    ids=[
        "none",
        "runs",
        "over",
        "the later one",
        "only the later one",
        "not told of",
        "not told of, and one that runs",
    ],
)
def test_when_the_last_one_ends(heads: list[Head], now: float, ends: float | None) -> None:
    """The last running cool-off decides for all beneficiaries; one the owner was not told of runs still."""
    cool_offs = {str(place): one.cool_offs["1"] for place, one in enumerate(heads)}
    head = replace(cooling(MILD), cool_offs=cool_offs)
    assert ends_at(head, at(now)) == (None if ends is None else at(ends))
