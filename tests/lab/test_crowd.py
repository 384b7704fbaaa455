"""A crowd: the same story in many accounts of one platform, under one circuit breaker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.lab.telling import THIEF, policy, step, told

from holdback.lab.playbooks import PlaybookError

if TYPE_CHECKING:
    from holdback.lab.report import StoryResult

RICH = """
[account]
opened = "-400d"
equity_usd = 2_000_000
authenticators = ["password", "totp"]
contacts = ["email"]

[[account.devices]]
name = "laptop"
first_seen = "-300d"
"""
MALWARE = '[attacker]\nholds = ["own_device"]\n'
PAY = 'kind = "withdrawal", usd = 60_000, address = "drop {n}"'
ENTERED = step("0m", "attacker", "address.add", fields='name = "drop {n}", network = "bitcoin"')
TAKEN = step("73h", "attacker", "exit.request", fields=PAY)


def crowd(accounts: int, every: str, usual: int = 0) -> str:
    """The table, as TOML."""
    return f'[crowd]\naccounts = {accounts}\nevery = "{every}"\nusual_usd_per_h = {usual}\n'


def robbed(*parts: str) -> StoryResult:
    """A story of accounts that malware empties."""
    return told(MALWARE, ENTERED, TAKEN, *parts, '[expect]\nhorizon = "4d"', account=RICH)


def decided(story: StoryResult, what: str = "exit.request") -> list[str]:
    """What was answered to each, in order."""
    return [row.decision for row in story.steps if row.what.startswith(what)]


def test_one_account_trips_nothing() -> None:
    """Without a crowd there is no breaker, and what an account's own limits allow goes."""
    assert decided(robbed()) == ["allow"]


def test_what_leaves_all_accounts_counts_together() -> None:
    """The first ones go until the limit of a cold start is passed, then each is held; the sum is of all accounts."""
    story = robbed(crowd(8, "1m"))
    assert decided(story) == ["allow"] * 5 + ["hold"] * 3
    assert story.measures["stolen_usd"] == 5 * 60_000
    assert [row.at for row in story.steps] == sorted(row.at for row in story.steps)


def test_what_left_an_hour_ago_counts_no_more() -> None:
    """The same thefts, spread so that no hour sees five of them, trip nothing: accounts' budgets are what is left."""
    assert decided(robbed(crowd(6, "20m"))) == ["allow"] * 6


def test_an_address_that_all_enter_is_held_by_itself() -> None:
    """One address for all of them is held for each, and before the breaker sees anything; one for two is not."""
    one = [part.replace(" {n}", "") for part in (ENTERED, TAKEN)]
    few = told(MALWARE, *one, crowd(2, "1m"), '[expect]\nhorizon = "4d"', account=RICH)
    assert decided(few) == ["allow"] * 2
    many = told(MALWARE, *one, crowd(8, "1m"), '[expect]\nhorizon = "4d"', account=RICH)
    assert {row.reasons[0] for row in many.steps if row.what.startswith("exit.request")} == {"destination_shared"}
    assert many.measures["stolen_usd"] == 0


def test_an_address_that_is_old_here_is_nobodys_mule() -> None:
    """An address that the platform has known for long is paid by as many as want to."""
    book = '[[account.address_book]]\nname = "exchange"\nnetwork = "bitcoin"\nadded = "-200d"\nlast_used = "-9d"\n'
    pays = step("0m", "owner", "exit.request", fields='kind = "withdrawal", usd = 5_000, address = "exchange"')
    story = told(THIEF, pays, crowd(8, "1m"), '[expect]\nhorizon = "1h"', account=RICH + book)
    assert decided(story) == ["allow"] * 8


def test_a_known_past_moves_the_limit() -> None:
    """On a platform from which much leaves every hour the same thefts are no news."""
    assert decided(robbed(crowd(8, "1m", 70_000))) == ["allow"] * 5 + ["hold"] * 3
    assert decided(robbed(crowd(8, "1m", 150_000))) == ["allow"] * 8


def test_two_people_reset_it_and_it_counts_anew() -> None:
    """The treasurer alone, even twice, ends nothing; with the investigator it ends, and it is counted anew."""
    again = step("73h30m", "attacker", "exit.request", fields=PAY.replace("60_000", "20_000"))
    staff = [step(f"73h{at}m", by, "breaker.reset") for at, by in ((20, "treasurer"), (21, "treasurer"))]
    last = step("73h22m", "investigator", "breaker.reset")
    held, open_ = robbed(crowd(6, "1m"), *staff, again), robbed(crowd(6, "1m"), *staff, last, again)
    assert decided(held, "breaker") == ["hold", "hold"]
    assert decided(open_, "breaker") == ["hold", "hold", "allow"]
    assert decided(held, "exit.request withdrawal 20,000") == ["hold"] * 6
    assert "allow" in decided(open_, "exit.request withdrawal 20,000")


def test_another_role_may_not() -> None:
    """Support does not end it."""
    assert decided(robbed(crowd(6, "1m"), step("74h", "support", "breaker.reset")), "breaker") == ["deny"]


def test_a_breaker_wants_a_crowd() -> None:
    """A story of one account that speaks of the breaker is refused, as is a crowd of one."""
    with pytest.raises(PlaybookError, match=r"step 3 \(breaker.reset\).*crowd"):
        robbed(step("74h", "treasurer", "breaker.reset"))
    with pytest.raises(PlaybookError, match="crowd"):
        robbed(crowd(1, "1m"))


def test_every_measure_but_the_theft_is_the_worst_one() -> None:
    """An owner who waits longest, and the fewest notices that one of them got, are what is counted."""
    wish = step("0m", "owner", "exit.request", fields=PAY)
    story = told(THIEF, wish, crowd(3, "1m"), '[expect]\nhorizon = "1h"', account=RICH)
    assert story.measures["owner_delayed_hours"] == pytest.approx(1)
    assert story.measures["stolen_usd"] == 0


def test_another_policys_breaker_is_played() -> None:
    """The breaker is that of the policy that the story is played under."""
    deaf = policy("deaf", breaker={"cold_usd_per_h": 10_000_000})
    story = told(MALWARE, ENTERED, TAKEN, crowd(8, "1m"), '[expect]\nhorizon = "4d"', account=RICH, under=deaf)
    assert decided(story) == ["allow"] * 8
