"""How the circuit breaker stands, and what left hour by hour: what people are shown is what decisions went by."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from tests.service.house import House
from tests.service.office import WITH_PASSKEYS, staffed

from holdback.breaker_watch import BreakerWatch
from holdback.core import events as ev
from holdback.core.breaker import WEEK, Flow
from holdback.core.events import DAY, HOUR, Role
from holdback.core.policy import MICRO
from holdback.outflows import Outflows, ScopeForm
from holdback.ports import FlowRow, Writes
from holdback.wording.words import instant_text

if TYPE_CHECKING:
    from tests.service.house import Hands

    from holdback.ports import Store


@pytest.fixture
def house(store: Store, clock: Hands) -> House:
    """A house in which passkeys work."""
    return House(store, clock, given=WITH_PASSKEYS)


async def left(house: House, *rows: FlowRow) -> None:
    """Let the platform have a past."""
    async with house.store.transaction() as transaction:
        await transaction.write(Writes(flows=list(rows)))


async def test_it_says_how_it_stands(house: House) -> None:
    """Unwatched, closed and tripped are told apart; who asked a reset is named while that counts."""
    house.is_watched = False
    shown = Outflows(house.service)
    assert (await shown.standing()).state == "unwatched"
    watch = BreakerWatch(house.service)
    await watch.look()
    stands = await shown.standing()
    cold = str(house.service.tools.policy.breaker.cold_usd_per_h)
    assert (stands.state, stands.looked_at) == ("closed", instant_text(house.clock.at))
    assert stands.scopes == (ScopeForm("new_destinations", "0", cold), ScopeForm("changed_accounts", "0", cold))
    await left(house, FlowRow(house.clock.at, 10**12 + 1, 5))
    assert (await watch.look()).tripped_at
    tripped_at = instant_text(house.clock.at)
    stands = await shown.standing()
    assert (stands.state, stands.tripped_at, stands.asked_by) == ("tripped", tripped_at, None)
    assert stands.scopes[0] == ScopeForm("new_destinations", str(10**6 + 1), cold)
    tim, ira = await staffed(house, tim=Role.TREASURER, ira=Role.INVESTIGATOR)
    await tim.asks(ev.BREAKER, "breaker.reset")
    stands = await shown.standing()
    assert (stands.state, stands.asked_by, stands.asked_at) == ("tripped", tim.account, instant_text(house.clock.at))
    house.clock.at += house.service.tools.policy.staff.proposed_d * DAY
    assert (await shown.standing()).asked_by is None
    for one in (tim, ira):
        await one.signs_in()
        await one.asks(ev.BREAKER, "breaker.reset")
    await watch.look()
    stands = await shown.standing()
    assert (stands.state, stands.tripped_at, stands.reset_at) == ("closed", None, instant_text(house.clock.at))


async def test_hours_are_shown_with_the_limits_that_were_in_force(house: House) -> None:
    """The limit beside each past hour is the one that the watch had in it, and the sums are what it added up."""
    chance, begins = random.Random(7), house.clock.at - house.clock.at % HOUR
    rows = [
        FlowRow(begins - 10 * WEEK + hour * HOUR, *(int(120_000 * MICRO * chance.lognormvariate(0, 0.5)),) * 2)
        for hour in range(10 * 168)
    ]
    await left(house, *rows)
    house.clock.at = begins
    sums = {row.at: Flow(*row[1:]) for row in rows}
    had = {}
    for _ in range(26):
        seen = await BreakerWatch(house.service).look()
        assert not seen.tripped_at
        had[house.clock.at] = seen.most
        house.clock.at += HOUR
    house.clock.at -= HOUR
    series = await Outflows(house.service).series(1)
    assert [one.at for one in series] == [instant_text(house.clock.at - (23 - place) * HOUR) for place in range(24)]
    for place, one in enumerate(series):
        at = house.clock.at - (23 - place) * HOUR
        flow, most = sums.get(at, Flow()), had[at]
        assert (one.new_usd, one.changed_usd) == tuple(str(-(-value // MICRO)) for value in flow)
        assert (one.new_limit_usd, one.changed_limit_usd) == tuple(str(-(-value // MICRO)) for value in most)
    assert any(one.new_limit_usd != series[0].new_limit_usd for one in series)


async def test_an_empty_past_is_a_row_of_zeros(house: House) -> None:
    """A platform that has paid nothing yet is shown every hour, beside the limit of the first weeks."""
    series = await Outflows(house.service).series(7)
    assert len(series) == 7 * 24
    cold = str(house.service.tools.policy.breaker.cold_usd_per_h)
    assert {(one.new_usd, one.new_limit_usd, one.changed_usd, one.changed_limit_usd) for one in series} == {
        ("0", cold, "0", cold)
    }
