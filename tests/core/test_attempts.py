"""Pauses after failures: how they grow, where they end, and what a policy may not say of them."""

from __future__ import annotations

import pytest
from tests.core.histories import POLICY, START, Account, grow, policy_with

from holdback.core import events as ev
from holdback.core.attempts import Tally, network_slowed_down, slowed_down
from holdback.core.decision import Context
from holdback.core.events import HOUR, Actor, ActorKind
from holdback.core.policy import PolicyError
from holdback.core.rules.session import SessionStart
from holdback.core.state import NETWORKS_KEPT


@pytest.mark.parametrize(
    ("failures", "own_s", "network_s"),
    [
        (0, 0, 0),
        (4, 0, 0),
        (5, 2, 0),
        (19, 3600, 0),
        (20, 3600, 2),
        (21, 3600, 4),
        (99, 3600, 3600),
        (100, 86400, 3600),
    ],
)
def test_pauses(failures: int, own_s: int, network_s: int) -> None:
    """Of one account they double from the fifth failure on up to an hour, then a day; of a network from the 20th on."""
    tally = Tally(failures, START)
    for slowed, seconds in ((slowed_down, own_s), (network_slowed_down, network_s)):
        until = START + seconds * 1000
        assert slowed(tally, POLICY, until) is None
        if seconds:
            found = slowed(tally, POLICY, until - 1)
            assert found is not None
            assert (found.until, found.satisfied_by) == (until, ("time",))


def test_a_year_of_guessing() -> None:
    """Trying whenever it is allowed gives a hundred tries in a row, and then one a day."""
    tally, now, tries = Tally(), START, 0
    while now < START + 365 * 24 * HOUR:
        pause = slowed_down(tally, POLICY, now)
        if pause is None:
            tally, tries = Tally(tally.failures + 1, now), tries + 1
        else:
            now = pause.until or now
    assert 100 + 355 <= tries <= 100 + 365


@pytest.mark.parametrize(
    "numbers",
    [
        {"step_up.failures_delay_max_s": 24 * 3600 + 1},
        {"step_up.failures_forget_d": 99},
        {"step_up.failures_spent_h": 23},
    ],
)
def test_no_policy_gives_more_tries(numbers: dict[str, int]) -> None:
    """To have used up all tries, or to be forgotten, must not be quicker than to wait."""
    with pytest.raises(PolicyError, match=r"failures_(delay_max_s|forget_d|spent_h)"):
        policy_with(**numbers)


def test_networks_are_kept() -> None:
    """The networks that sign-ins last came from are known, a few of them; a sign-in from nowhere adds none."""
    account = Account()
    grow(account)
    for number in (*range(12), 5):
        account.now += 1
        context = Context(device="laptop", network=bytes((number,)))
        account.tokens += 1
        account.ask(SessionStart(), Actor(ActorKind.OWNER), "a1-1", "a1-2", context=context)
    assert len(account.head.networks) == NETWORKS_KEPT
    assert list(account.head.networks) == [bytes((number,)) for number in (4, 6, 7, 8, 9, 10, 11, 5)]
    assert account.refold().head == account.head
    assert not any(isinstance(one, ev.SignInsFailed) for one in account.log)
