"""What a platform is told of holds, worked out from two heads alone."""

from __future__ import annotations

from msgspec.structs import replace
from tests.core.histories import START, grown

from holdback.core.disclosure import FREEZE_ORDER
from holdback.core.events import HOUR
from holdback.core.hold_life import News, Told, is_due, news
from holdback.core.state import Head, HeldExit, LegalRequest, Wait

NOW = START + 300 * HOUR
UNTIL = NOW + 24 * HOUR


def held(*, heard: bool = True, until: int = UNTIL) -> HeldExit:
    """An exit that waits."""
    wait = Wait(24 * HOUR, until, heard=heard)
    return HeldExit("withdrawal", "b", "bitcoin", "BTC", "1", 1, b"", "alice", (), "", NOW, wait, until)


def head(**given: object) -> Head:
    """A customer of long standing, with this besides."""
    account, _ = grown()
    return replace(account.head, **given)


def test_nothing_is_told_of_most() -> None:
    """What changes neither a hold nor a stop is no news."""
    one = head(exits={"x1": held()})
    assert news(one, replace(one, failures=3), NOW) == ()
    assert news(one, replace(one, exits=dict(one.exits)), NOW) == ()


def test_a_hold_is_told_and_its_time_announced() -> None:
    """A hold is told at once, and its time when it comes; one of which nobody was told yet has no time."""
    was = head()
    assert news(was, replace(was, exits={"x1": held()}), NOW) == (
        News(Told.HELD, "x1", UNTIL, NOW),
        News(Told.RELEASABLE, "x1", UNTIL, UNTIL),
    )
    untold = replace(was, exits={"x1": held(heard=False)})
    assert news(was, untold, NOW) == (News(Told.HELD, "x1", 0, NOW),)
    assert news(untold, replace(untold, exits={"x1": held()}), NOW) == (
        News(Told.MOVED, "x1", UNTIL, NOW),
        News(Told.RELEASABLE, "x1", UNTIL, UNTIL),
    )


def test_a_hold_ends_one_way_or_the_other() -> None:
    """Whether value left or was kept back is told apart."""
    one = head(exits={"x1": held(), "x2": held()})
    gone = replace(one, exits={}, allowed=one.allowed | {"x1": NOW})
    assert news(one, gone, NOW) == (News(Told.RELEASED, "x1", 0, NOW), News(Told.CANCELLED, "x2", 0, NOW))


def test_a_freeze_stops_the_clock() -> None:
    """A freeze is told with every hold it stops; its end brings each its time again, at the earliest now."""
    one = head(exits={"x1": held(until=NOW - 1)})
    frozen = replace(one, frozen_at=NOW)
    assert news(one, frozen, NOW) == (News(Told.FROZEN, "", 0, NOW), News(Told.MOVED, "x1", 0, NOW))
    assert news(frozen, one, NOW) == (
        News(Told.UNFROZEN, "", 0, NOW),
        News(Told.MOVED, "x1", NOW - 1, NOW),
        News(Told.RELEASABLE, "x1", NOW - 1, NOW),
    )
    assert news(one, replace(frozen, failures=1, frozen_at=NOW + 1), NOW)[0].kind is Told.FROZEN
    assert news(frozen, replace(frozen, frozen_at=NOW + 1), NOW) == ()


def test_an_order_moves_what_waits() -> None:
    """An authority's order is told with its end, and holds are due no earlier than that."""
    one = head(exits={"x1": held(until=NOW - 1)})
    order = LegalRequest(
        NOW, "agency-x", FREEZE_ORDER, (), "", registered=True, signed=True, expires_at=NOW, frozen_until=NOW + HOUR
    )
    ordered = replace(one, legal={"l1": order})
    assert news(one, ordered, NOW) == (
        News(Told.ORDERED, "", NOW + HOUR, NOW),
        News(Told.MOVED, "x1", NOW + HOUR, NOW),
        News(Told.RELEASABLE, "x1", NOW + HOUR, NOW + HOUR),
    )
    assert [item.kind for item in news(ordered, one, NOW)] == [Told.ORDER_ENDED, Told.MOVED, Told.RELEASABLE]


def test_a_recovery_is_told() -> None:
    """That a recovery was finished is told with how long the account then does little."""
    one = head()
    assert news(one, replace(one, weak_until=UNTIL), NOW) == (News(Told.RECOVERED, "", UNTIL, NOW),)


def test_what_waits_for_its_owner_has_no_time() -> None:
    """A hold to an entry that its owner must confirm again names no time before he did, and then its own."""
    was = head()
    unsure = replace(was, exits={"x1": replace(held(), unconfirmed=True)})
    assert news(was, unsure, NOW) == (News(Told.HELD, "x1", 0, NOW),)
    assert news(unsure, replace(unsure, exits={"x1": held()}), NOW) == (
        News(Told.MOVED, "x1", UNTIL, NOW),
        News(Told.RELEASABLE, "x1", UNTIL, UNTIL),
    )
    assert not is_due(unsure, "x1", UNTIL, UNTIL)


def test_what_was_written_beforehand_is_looked_at_again() -> None:
    """A hold that went, moved or was stopped meanwhile may not be released at the time that was said."""
    one = head(exits={"x1": held()})
    assert is_due(one, "x1", UNTIL, UNTIL)
    assert not is_due(one, "x2", UNTIL, UNTIL)
    assert not is_due(one, "x1", UNTIL - 1, UNTIL)
    assert not is_due(replace(one, frozen_at=NOW), "x1", UNTIL, UNTIL)
    assert not is_due(replace(one, exits={"x1": held(heard=False)}), "x1", UNTIL, UNTIL)


def test_an_order_that_runs_out_by_its_date_frees_the_hold() -> None:
    """Nobody writes anything when an order's date has passed: the message that names that instant is the only one."""
    was = head(exits={"x1": held()})
    ends = UNTIL + HOUR
    order = LegalRequest(
        NOW, "agency-x", FREEZE_ORDER, (), "", registered=True, signed=True, expires_at=NOW, frozen_until=ends
    )
    ordered = replace(was, legal={"l1": order})
    assert News(Told.RELEASABLE, "x1", ends, ends) in news(was, ordered, NOW)
    assert not is_due(ordered, "x1", UNTIL, UNTIL)
    assert is_due(ordered, "x1", ends, ends)
