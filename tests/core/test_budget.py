"""Law 3: the budget every exit draws on: lanes, sliding windows, habit, lowest equity, value received inside."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.core.histories import POLICY, START, USD, policy_with, sealed

from holdback.core import budget
from holdback.core import events as ev
from holdback.core.events import DAY, HOUR, MINUTE, Instant, Lane
from holdback.core.inside import Received
from holdback.core.state import Customer, Head, Meter, evolve

EMPTY = Head("alice", sealed("alice"), START, ())


def let_go(head: Head, at: Instant, usd: int, lane: Lane = Lane.OTHERS, *, priced: bool = True) -> Head:
    """An exit of so much at that instant."""
    micro = usd * USD
    gone = ev.ExitAllowed(at, f"x{at}", "withdrawal", "b", lane, micro, b"", "alice", micro if priced else 0)
    after = evolve(Customer(head, {}), gone).head
    assert after is not None
    return after


def spending(*exits: tuple[Instant, int], lane: Lane = Lane.OTHERS) -> Head:
    """An account with these exits."""
    head = EMPTY
    for at, usd in exits:
        head = let_go(head, at, usd, lane)
    return head


@pytest.mark.parametrize(
    ("ago", "day", "month"),
    [
        (0, 5, 5),
        (24 * HOUR, 5, 5),
        (24 * HOUR + 59 * MINUTE, 5, 5),
        (25 * HOUR, 0, 5),
        (30 * DAY, 0, 5),
        (30 * DAY + 23 * HOUR, 0, 5),
        (31 * DAY, 0, 0),
    ],
    ids=["now", "24 h", "partly in 24 h", "25 h", "30 d", "partly in 30 d", "31 d"],
)
def test_windows_slide(ago: int, day: int, month: int) -> None:
    """A window counts what left in the last 24 h or 30 d; an hour or day that is partly in it counts in full."""
    now = START + 100 * DAY + 23 * HOUR + 59 * MINUTE
    assert budget.drawn(spending((now - ago, 5)), Lane.OTHERS, now) == (day * USD, month * USD)


def test_lanes_are_apart_and_the_total_has_all() -> None:
    """Each exit draws on its lane and on the total; what was over budget on the total alone, a sweep on nothing."""
    head = EMPTY
    for place, lane in enumerate((Lane.LONG_STANDING, Lane.OTHERS, Lane.INSTANT, Lane.NONE, Lane.OWN)):
        head = let_go(head, START + place, 10**place, lane)
    found = {lane: budget.drawn(head, lane, START + 10)[0] // USD for lane in Lane}
    assert found == {
        Lane.LONG_STANDING: 1,
        Lane.OTHERS: 10,
        Lane.INSTANT: 100,
        Lane.NONE: 0,
        Lane.OWN: 0,
        Lane.TOTAL: 1111,
    }


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ([], 0),
        ([100], 0),
        ([100, 100], 0),
        ([100, 300, 200], 300),
        ([*range(1, 21)], 19),
        ([*range(1, 41)], 38),
        ([7] * 60, 7),
    ],
    ids=["none", "one day", "two days", "three days", "twenty", "forty", "sixty"],
)
def test_habit_is_the_95_percent_quantile_of_days(days: list[int], expected: int) -> None:
    """The usual outflow of a day is the nearest-rank 95 % quantile of days with outflow, from three days on."""
    head = spending(*((START + place * DAY, usd) for place, usd in enumerate(days)))
    now = START + 70 * DAY
    assert budget.habit(head, POLICY, now) == expected * USD
    assert budget.usual(head, POLICY, now) == expected * USD * 150 // 100


@pytest.mark.parametrize(("hours", "counts"), [(0, False), (71, False), (72, True)], ids=["just over", "71 h", "72 h"])
def test_young_days_shape_no_habit(hours: int, counts: bool) -> None:  # noqa: FBT001 - a column
    """A day counts once it ended 72 h ago, so that what a thief does today is not usual tomorrow."""
    head = spending((START, 1), (START + DAY, 1), (START + 2 * DAY, 1000))
    now = START + 3 * DAY + hours * HOUR
    assert budget.habit(head, POLICY, now) == (1000 * USD if counts else 0)


def test_old_days_shape_no_habit() -> None:
    """A habit is of the last year."""
    head = spending((START, 1), (START + DAY, 1), (START + 2 * DAY, 1))
    assert budget.habit(head, POLICY, START + 300 * DAY) == USD
    assert budget.habit(head, POLICY, START + 369 * DAY) == 0


def test_a_day_of_many_exits_is_one_day() -> None:
    """Exits of a day add up; the quantile is of days, not of exits."""
    head = spending(*((START + hour * HOUR, 10) for hour in range(24)), (START + DAY, 1), (START + 2 * DAY, 1))
    assert budget.habit(head, POLICY, START + 10 * DAY) == 240 * USD


@pytest.mark.parametrize("lane", [Lane.NONE, Lane.OWN], ids=str)
def test_what_was_over_budget_makes_no_habit(lane: Lane) -> None:
    """A hold that was waited out, or a sweep, does not widen the budget for the next exit."""
    head = spending(*((START + place * DAY, 10**6) for place in range(5)), lane=lane)
    assert head.habit == {}


def test_what_only_the_platform_priced_makes_no_habit() -> None:
    """Law 6: the platform's word shapes no habit; neither does a receipt counted after a restore."""
    head = let_go(EMPTY, START, 10**6, priced=False)
    after = evolve(Customer(head, {}), ev.ExitReconciled(START, "r", Lane.OTHERS, 5)).head
    assert after is not None
    assert after.habit == {}
    assert budget.drawn(after, Lane.OTHERS, START)[0] == 10**6 * USD + 5


def stated(*claims: tuple[int, int]) -> Head:
    """An account whose platform said so much of its equity on these days."""
    head = EMPTY
    for day, usd in claims:
        after = evolve(Customer(head, {}), ev.EquityStated(START + day * DAY, usd * USD)).head
        assert after is not None
        head = after
    return head


@pytest.mark.parametrize(
    ("claims", "day", "lowest"),
    [
        ([], 0, 0),
        ([(0, 100)], 0, 100),
        ([(0, 100)], 300, 100),
        ([(0, 100), (1, 50), (2, 900)], 2, 50),
        ([(0, 100), (1, 50), (2, 900)], 31, 50),
        ([(0, 100), (1, 50), (2, 900)], 32, 50),
        ([(0, 100), (1, 50), (2, 900)], 33, 900),
        ([(0, 100), (40, 900)], 40, 100),
        ([(0, 100), (40, 900)], 70, 100),
        ([(0, 100), (40, 900)], 71, 900),
        ([(0, 5), (40, 100), (80, 900)], 80, 100),
        ([(0, 100), (0, 40), (0, 70)], 0, 40),
    ],
    ids=[
        "never said",
        "said today",
        "said long ago",
        "the lowest of three",
        "a month later",
        "still in force when the month began",
        "a month and a day",
        "a claim after silence",
        "30 days after it",
        "31 days after it",
        "only what was in force last",
        "the lowest of a day",
    ],
)
def test_equity_counts_at_its_lowest(claims: list[tuple[int, int]], day: int, lowest: int) -> None:
    """Law 6: a higher claim counts only after it stood for 30 days, whoever makes it; a lower one counts at once."""
    assert budget.lowest_equity(stated(*claims), START + day * DAY) == lowest * USD


def room(head: Head, lane: Lane, now: Instant, **policy: object) -> tuple[int, int | None]:
    """What is left of a lane, in USD."""
    chosen = policy_with(**policy) if policy else POLICY
    left = budget.room(head, lane, budget.usual(head, chosen, now), chosen, now)
    return left.day // USD, None if left.month is None else left.month // USD


RICH = stated((0, 10_000))


@pytest.mark.parametrize(
    ("exits", "lane", "left"),
    [
        ([], Lane.LONG_STANDING, (100_000, None)),
        ([(Lane.LONG_STANDING, 30_000)], Lane.LONG_STANDING, (70_000, None)),
        ([(Lane.OTHERS, 30_000), (Lane.NONE, 10**6)], Lane.LONG_STANDING, (100_000, None)),
        ([], Lane.OTHERS, (500, 2000)),
        ([(Lane.OTHERS, 100), (Lane.INSTANT, 50)], Lane.OTHERS, (350, 1850)),
        ([(Lane.LONG_STANDING, 100)], Lane.OTHERS, (500, 2000)),
        ([], Lane.INSTANT, (100, 2000)),
        ([(Lane.INSTANT, 60)], Lane.INSTANT, (40, 1940)),
        ([(Lane.OTHERS, 450)], Lane.INSTANT, (50, 1550)),
        ([(Lane.OTHERS, 600)], Lane.OTHERS, (-100, 1400)),
    ],
    ids=lambda one: str(one).replace(" ", ""),
)
def test_what_is_left_of_a_lane(exits: list[tuple[Lane, int]], lane: Lane, left: tuple[int, int | None]) -> None:
    """Long-standing: $100,000 a day; others: 5 % of equity a day, 20 % in 30 days; instant: $100 of the others' day."""
    head = RICH
    for drawn, usd in exits:
        head = let_go(head, START, usd, drawn)
    assert room(head, lane, START) == left


def test_a_habit_widens_every_lane() -> None:
    """Each limit is the larger of its own number and 1.5 times the account's habit."""
    head = RICH
    for place in range(3):
        head = let_go(head, START + place * DAY, 200_000, Lane.LONG_STANDING)
    now = START + 10 * DAY
    assert room(head, Lane.LONG_STANDING, now) == (300_000, None)
    assert room(head, Lane.OTHERS, now) == (300_000, 300_000)
    assert room(head, Lane.INSTANT, now) == (100, 300_000)


@pytest.mark.parametrize(
    ("left", "usd", "fits"),
    [
        (budget.Room(100, None), 100, True),
        (budget.Room(100, None), 101, False),
        (budget.Room(100, 100), 100, True),
        (budget.Room(100, 99), 100, False),
        (budget.Room(-1, 5), 0, False),
    ],
    ids=["the day's rest", "more than the day", "both", "more than the month", "overdrawn"],
)
def test_room_holds(left: budget.Room, usd: int, fits: bool) -> None:  # noqa: FBT001 - a column
    """An amount fits if it fits into both windows."""
    assert left.holds(usd) is fits


def test_value_received_inside_waits() -> None:
    """Law 3: what came from another account may not exit; what left meanwhile may have been the account's own part."""
    now = START + 5 * DAY
    assert budget.received_until(RICH, 10**12, POLICY, now) is None
    received = tuple(Received(usd * USD, until) for usd, until in ((700, now + DAY), (150, now + HOUR), (999, now)))
    head = replace(RICH, received=received)

    def waits(after: Head, usd: int) -> int | None:
        """How many hours an exit of so much waits."""
        until = budget.received_until(after, usd * USD, POLICY, now)
        return None if until is None else (until - now) // HOUR

    assert [waits(head, usd) for usd in (9150, 9151, 9300, 9301)] == [None, 1, 1, 24]
    for gone in (let_go(head, now, 250, Lane.NONE), let_go(head, now - 2 * DAY, 250)):
        assert [waits(gone, usd) for usd in (8900, 8901)] == [None, 1]
    assert waits(let_go(head, now - 4 * DAY, 250), 9150) is None
    assert [waits(let_go(head, now, 20_000), usd) for usd in (0, 1)] == [None, 24]
    assert budget.received_until(head, None, POLICY, now) == now + DAY
    assert budget.received_until(head, None, POLICY, now + DAY) is None


@pytest.mark.parametrize(
    ("dust", "equity", "waits"),
    [
        ([1], 0, None),
        ([1], 1000, None),
        ([99 * USD], 0, None),
        ([50 * USD, 49 * USD, USD - 1], 0, None),
        ([50 * USD, 50 * USD], 0, 1),
        ([100 * USD], 0, 1),
        ([100 * USD, 1], 0, 1),
        ([1, 100 * USD], 0, 2),
        ([100 * USD], 1000, None),
        ([901 * USD], 1000, 1),
    ],
    ids=str,
)
def test_dust_holds_nothing(dust: list[int], equity: int, waits: int | None) -> None:
    """Below the floor what was sent stops no exit, from it on no more than itself; unless equity was never stated."""
    now = START + 5 * DAY
    received = tuple(Received(micro, now + place * HOUR) for place, micro in enumerate(dust, start=1))
    head = replace(stated((0, equity)) if equity else EMPTY, received=received)
    until = budget.received_until(head, 100 * USD, POLICY, now)
    assert until == (None if waits is None else now + waits * HOUR)


def test_meters_forget_what_no_window_reaches() -> None:
    """The head stays small: hours and days that no window reaches are dropped at the next exit."""
    head = spending((START, 1), (START + 60 * DAY, 2))
    hours, days = START // HOUR + 60 * 24, START // DAY + 60
    assert head.meters[Lane.OTHERS] == Meter({hours: 2 * USD}, {days: 2 * USD})
