"""The bench of the watch: its offices repeat themselves, and its figures tell misses first."""

from __future__ import annotations

from typing import Final

import pytest

from holdback.bench import staff
from holdback.bench.office import CANARY, MOLES, Office
from holdback.bench.staff import Found
from holdback.watching import Case, Read, Why

GOOD: Final = {kind: [Found(20, 40, Why.RICH)] * 9 + [Found(400, 900, None)] for kind in MOLES}
FALSE: Final = Case(Why.CANARY, ("ann",), "support", 0, 0)
QUIET: Final[list[list[Case]]] = [[FALSE], []] * 2


def test_the_made_up_office_repeats_itself() -> None:
    """The same seed makes the same days in order of time, and another seed others."""
    first, again, other = (Office(seed) for seed in (1, 1, 2))
    days = [[one.day(day) for day in range(9)] for one in (first, again, other)]
    assert days[0] == days[1] != days[2]
    for day in days[0]:
        assert [look.at for look in day] == sorted(look.at for look in day)


@pytest.mark.parametrize("kind", MOLES)
def test_a_mole_does_what_its_kind_says(kind: str) -> None:
    """What a mole does for himself is told apart, and only such reads lie where canaries are."""
    office = Office(3)
    office.turn(kind)
    own = [look.event for day in range(60) for look in office.day(day) if look.own]
    assert own
    reads = [one for one in own if isinstance(one, Read)]
    assert bool(reads) is (kind != "pair")
    assert all(one.decile == 10 for one in reads if kind in {"rich", "careful", "covered"})
    assert all(one.caused is (kind == "covered") for one in reads if kind in {"rich", "careful", "covered"})


def test_figures_tell_what_was_missed_first() -> None:
    """A mole found too late, or a quarter with two false cases, is a miss by name."""
    told = staff.figures(QUIET, 1_000, GOOD)
    assert next(iter(told)) == "misses"
    assert told["misses"] == []
    assert told["false_cases_a_quarter"] == 0.5
    assert told["canary_alarms_a_quarter_if_customers_lived_on_them"] == 1_000 * CANARY / 4
    late = GOOD | {"rich": [Found(116, 400, Why.CANARY)] * 10}
    missed = staff.figures([[FALSE, FALSE], *QUIET], 0, late)
    assert missed["misses"] == ["rich: 0.0 within 115, wanted 0.9", "1 quarters had over 1 false case in the office"]
    assert missed["false_cases_a_quarter_of_one_person_most"] == 2


def test_nobody_found_is_told() -> None:
    """A kind of mole that is never found has no median."""
    found = staff.figures(QUIET, 0, GOOD | {"pair": [Found(400, 1, None)] * 3})["moles"]
    assert isinstance(found, dict)
    assert (found["pair"]["median"], found["pair"]["never"]) == (None, 3)
