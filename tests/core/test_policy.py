"""The policy: what a file may say, which numbers must keep their order, and how two policies compare."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.core.histories import DEFAULT, POLICY, policy_with

from holdback.core.policy import RELATIONS, PolicyError


def numbers() -> list[str]:
    """Every dotted key of the default policy whose value is a number."""
    sections = {name: value for name, value in DEFAULT.items() if isinstance(value, dict) and name != "exits"}
    return [
        f"{name}.{key}"
        for name, section in sections.items()
        for key, value in section.items()
        if isinstance(value, int)
    ]


def test_the_default_policy_loads() -> None:
    """The shipped policy keeps every relation, and says what its file says."""
    assert POLICY.name == "default"
    assert {key: POLICY.number(key) for key in numbers()} == {
        key: DEFAULT[key.split(".")[0]][key.split(".")[1]] for key in numbers()
    }


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("waits.typo_h", 1, "typo_h"),
        ("waits.address_h", 0, "address_h"),
        ("waits.address_h", "72", "address_h"),
        ("waits.address_h", 1.5, "address_h"),
        ("waits.address_h", 24 * 366 + 1, "address_h"),
        ("outflow.others_day_percent", -1, "others_day_percent"),
        ("outflow.others_day_percent", 1001, "others_day_percent"),
        ("outflow.usual_quantile_percent", 101, "usual_quantile_percent"),
        ("outflow.usual_quantile_percent", 0, "usual_quantile_percent"),
        ("outflow.instant_day_usd", 10**12 + 1, "instant_day_usd"),
        ("step_up.failures_max", 101, "failures_max"),
        ("sessions.absolute_h", 25, "absolute_h"),
        ("sessions.idle_m", 61, "idle_m"),
        ("signals.price", "allow", "price"),
        ("notices.independent", ["pigeon"], "independent"),
        ("notices.independent", [], "independent"),
        ("notices.independent", ["push"], "independent"),
        ("notices.independent", ["email", "push"], "independent"),
        ("notices.fold_m", 61, "fold_m"),
        ("notices.replaced_contact_d", 2, "remove_contact_h"),
        ("signals.price_age_m", 24 * 60 + 1, "price_age_m"),
        ("signals.clock_tolerance_s", 301, "clock_tolerance_s"),
        ("exits.card", "moon", "moon"),
        ("exits.lending", "own", "lending"),
        ("exits.sweep", "bank", "sweep"),
        ("bounds.contacts", 10_001, "contacts"),
        ("passwords.characters_min", 7, "characters_min"),
        ("passwords.characters_alone_min", 14, "characters_alone_min"),
        ("passwords.characters_alone_min", 65, "characters_alone_min"),
        ("passwords.strength_min", 0, "strength_min"),
        ("passwords.strength_min", 5, "strength_min"),
        ("name", "", "name"),
    ],
    ids=str,
)
def test_what_cannot_be_obeyed_is_refused(key: str, value: Any, said: str) -> None:  # noqa: ANN401 - any TOML value
    """A number that is unknown, of another type or out of bounds is refused, naming the key."""
    with pytest.raises(PolicyError, match=said):
        policy_with(**{key: value})


def test_a_missing_key_is_refused() -> None:
    """No number has a silent default."""
    with pytest.raises(PolicyError, match="waits"):
        policy_with(waits={})


@pytest.mark.parametrize(("smaller", "larger", "why"), RELATIONS, ids=lambda one: str(one).replace(" ", "-"))
def test_relations_are_kept(smaller: str, larger: str, why: str) -> None:
    """Each pair of numbers that a law orders is refused out of order, naming both keys and saying why."""
    value = POLICY.number(larger) + 1
    message = f"`{smaller}` is {value}, more than `{larger}` = {value - 1}: {why}"
    with pytest.raises(PolicyError, match=re.escape(message)):
        policy_with(**in_order({smaller: value}, but=larger))


def test_the_relations_are_those_the_laws_need() -> None:
    """Nothing made in a cool-off ripens inside it, whatever a file says: every ripening outlasts every cool-off."""
    ordered = {(smaller, larger) for smaller, larger, _ in RELATIONS}
    for ripening in ("waits.address_h", "waits.authenticator_senior_h", "waits.contact_senior_h"):
        assert ("cool_offs.others_h", ripening) in ordered


def test_number_names_what_is_no_number() -> None:
    """Asking for a key that holds no number is an error that names it."""
    with pytest.raises(PolicyError, match=r"signals\.price"):
        POLICY.number("signals.price")


@pytest.mark.parametrize("key", numbers())
def test_the_digest_names_the_policy(key: str) -> None:
    """Two policies that differ in any number have different digests; what a file claims as its digest is ignored."""
    changed = policy_with(**one_more(key))
    assert changed.digest != POLICY.digest
    assert policy_with(digest="AAAA").digest == POLICY.digest
    assert len(POLICY.digest) == 16


def one_more(key: str) -> dict[str, int]:
    """A change of one number by one, and of those that must stay in order with it."""
    at_most = {
        "sessions.absolute_h",
        "sessions.idle_m",
        "step_up.failures_max",
        "trades.lease_percent",
        "trades.lease_s",
    }
    capped = key in at_most
    return {key: POLICY.number(key) - 1} if capped else in_order({key: POLICY.number(key) + 1})


def in_order(changed: dict[str, int], but: str = "") -> dict[str, int]:
    """The change, with every number but one raised that must not be less than another."""
    changed = dict(changed)
    for smaller, larger, _ in RELATIONS * 4:
        least = changed.get(smaller, POLICY.number(smaller))
        if larger != but and least > changed.get(larger, POLICY.number(larger)):
            changed[larger] = least
    return changed


@pytest.mark.parametrize(
    ("changed", "way"),
    [
        ({"waits.loosen_setting_h": 96}, "tighter"),
        ({"outflow.over_budget_senior_h": 48}, "tighter"),
        ({"outflow.instant_day_usd": 101}, "looser"),
        ({"outflow.instant_day_usd": 99}, "tighter"),
        ({"step_up.failures_max": 99}, "tighter"),
        ({"cool_offs.mild_senior_h": 12}, "looser"),
        ({"notices.fold_m": 16}, "looser"),
        ({"notices.replaced_contact_d": 31}, "other"),
        ({"notices.independent": ["email"]}, "other"),
        ({"bounds.contacts": 9}, "other"),
        ({"sessions.open_max": 9}, "other"),
        ({"signals.price": "deny"}, "other"),
        ({"sessions.device_key": "required"}, "tighter"),
        ({"sessions.proof_s": 90}, "looser"),
        ({"breaker.hold_above_usd": 101}, "looser"),
        ({"breaker.look_age_s": 61}, "looser"),
        ({"breaker.unwatched_h": 2}, "tighter"),
        ({"devices.known_days": 1}, "looser"),
        ({"risk.step_up_centinats": 451}, "looser"),
        ({"risk.cool_off_centinats": 1_099}, "tighter"),
        ({"risk.prior_centi": 101}, "other"),
        ({"staff.reads_per_h": 31}, "looser"),
        ({"api_keys.asks_per_h": 61}, "looser"),
        ({"api_keys.challenges_open": 3}, "other"),
        ({"staff.canary_permille": 21}, "tighter"),
        ({"staff.caution_percent": 171}, "other"),
        ({"exits.lending": "bank"}, "looser"),
        ({"exits.card": "p2p"}, "other"),
    ],
    ids=str,
)
def test_differences_say_which_way(changed: dict[str, Any], way: str) -> None:
    """A changed key is looser, tighter or neither, and reported with both values."""
    other = policy_with(**changed)
    ((key, value),) = changed.items()
    (found,) = other.differences(POLICY)
    assert (found.key, found.way) == (key, way)
    assert found.after == (tuple(value) if isinstance(value, list) else value) or found.after == value


def test_closing_an_exit_is_tighter() -> None:
    """A kind that is no longer listed is a door that closed; a policy does not differ from itself."""
    closed = policy_with(exits={key: value for key, value in DEFAULT["exits"].items() if key != "card"})
    assert [(one.key, one.way) for one in closed.differences(POLICY)] == [("exits.card", "tighter")]
    assert POLICY.differences(POLICY) == []
    assert policy_with(name="other").differences(POLICY) == []


def test_the_lines_of_wealth_rise() -> None:
    """Deciles that do not rise would call nobody rich, or everybody."""
    with pytest.raises(PolicyError, match="decile_usd"):
        policy_with(**{"staff.decile_usd": [9, 8, 7, 6, 5, 4, 3, 2, 1]})


@pytest.mark.parametrize(
    ("name", "network", "wrong"),
    [
        ("bank", {"family": "evm"}, "is not the name of a network"),
        ("Bitcoin", {"family": "evm"}, "is not the name of a network"),
        ("new", {"family": "segwit"}, "it must say hrp"),
        ("new", {"family": "evm", "hrp": "bc"}, "it must say nothing else"),
        ("new", {"family": "pattern", "pattern": "a*"}, "only one may come more or less often"),
        ("new", {"family": "pattern", "pattern": "(a|b){3}"}, "only one may come more or less often"),
        ("new", {"family": "pattern", "pattern": "[a]{1,9}[a]{1,9}b"}, "only one may come more or less often"),
        ("new", {"family": "pattern", "pattern": "[z-a]{9}"}, "only one may come more or less often"),
        ("new", {"family": "pattern", "pattern": "a{9,3}"}, "only one may come more or less often"),
        ("new", {"family": "pattern", "pattern": "a."}, "only one may come more or less often"),
    ],
)
def test_a_network_that_nobody_could_read_is_refused(name: str, network: dict[str, str], wrong: str) -> None:
    """A family lacks nothing and says nothing beside, and a pattern is one that is matched in time with the text."""
    with pytest.raises(PolicyError, match=wrong):
        policy_with(networks=DEFAULT["networks"] | {name: network})


def test_a_network_that_is_opened_is_looser() -> None:
    """A network more is one way out more; one less is tighter, and one that is read otherwise neither."""
    less = {name: one for name, one in DEFAULT["networks"].items() if name != "tron"}
    other = DEFAULT["networks"] | {"tron": {"family": "evm"}}
    assert [one.way for one in POLICY.differences(policy_with(networks=less))] == ["looser"]
    assert [one.way for one in policy_with(networks=less).differences(POLICY)] == ["tighter"]
    assert [one.way for one in policy_with(networks=other).differences(POLICY)] == ["other"]


@pytest.mark.parametrize("days", [[3, 14], [91, 3]])
def test_keys_warn_in_order_and_in_time(days: list[int]) -> None:
    """The first warning comes the longest before a key stops trading, and after it was made."""
    with pytest.raises(PolicyError, match="warned_d"):
        policy_with(**{"api_keys.warned_d": days})
