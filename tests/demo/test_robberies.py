"""Robberies that visitors play: each on a victim of its own, so many at a time, each step once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest

from holdback.demo.cast import Victim, victims
from holdback.demo.incidents import INCIDENTS, House
from holdback.demo.mailbox import Letters
from holdback.demo.robberies import KEPT_MOST, Happened, NobodyLeft, Robberies

if TYPE_CHECKING:
    from holdback.exchange.books import Books


def closed(_request: httpx.Request) -> httpx.Response:
    """An exchange that refuses everything."""
    return httpx.Response(200, json={"decision": "deny", "reasons": [{"code": "frozen", "text": "Frozen."}]})


def robberies(count: int) -> Robberies:
    """So many people to rob, at a closed exchange."""
    http = httpx.Client(base_url="http://exchange.test", transport=httpx.MockTransport(closed))
    house = House(http, http, Letters(), cast("Books", None), "key")
    return Robberies(house, [Victim(one, "session", "k1", "secret") for one in victims(count)])


def test_nobody_is_robbed_twice() -> None:
    """Each play has a victim of its own, and ends where nobody is left."""
    plays = robberies(2)

    robbed = [plays.begin("copied-cookie").robbery.owner.account for _ in range(2)]

    assert len(set(robbed)) == 2
    assert plays.left == 0
    with pytest.raises(NobodyLeft):
        plays.begin("copied-cookie")


def test_an_unknown_incident_robs_nobody() -> None:
    """A name that no incident has costs no victim."""
    plays = robberies(1)

    with pytest.raises(KeyError):
        plays.begin("armed")

    assert plays.left == 1


def test_the_oldest_is_forgotten() -> None:
    """So many plays are kept, the latest."""
    plays = robberies(KEPT_MOST + 2)

    names = [plays.begin("copied-cookie").id for _ in range(KEPT_MOST + 2)]

    assert [plays.named(name) is None for name in names] == [True, True, *[False] * KEPT_MOST]


def test_a_step_is_played_once() -> None:
    """A step that was played, and one that is not due, are not played; what came of each is kept."""
    play = robberies(1).begin("copied-cookie")

    for place in (1, 0, 0, 7):
        play.play(place)

    assert [one.kind for one in play.happened] == ["deny"]
    assert play.ahead is INCIDENTS["copied-cookie"].steps[1]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"decision": "hold", "reasons": [], "hold": {"release_at": "2030-01-01T00:00:00Z"}}, "hold"),
        ({"pressed": False}, "trouble"),
        ({"error": "unreachable", "detail": "no answer"}, "trouble"),
        ({}, "trouble"),
    ],
)
def test_trouble_is_no_decision(answer: dict[str, Any], kind: str) -> None:
    """Where no decision came, a step says that it did not work, and never that the thief was stopped."""
    assert Happened.of(INCIDENTS["copied-cookie"].steps[0], answer).kind == kind
