"""What the numbers of a policy mean: said beside each in the default policy's file, and nowhere else."""

from __future__ import annotations

import msgspec
import pytest

from holdback import meanings, wiring
from holdback.core.policy import Policy, flat

DEFAULT = wiring.load_policy("default")
TEXT = wiring.policy_text("default")
KNOWN = meanings.meanings(TEXT)
KEYS = [key for key in flat(msgspec.to_builtins(DEFAULT)) if key not in {"name", "digest"}]


@pytest.mark.parametrize("key", [key for key in KEYS if not key.startswith("networks.")])
def test_every_number_has_a_meaning_and_a_source(key: str) -> None:
    """Whoever adds a number says beside it what it means, and it or its table names what it rests on."""
    assert len(KNOWN[key].text) > 1
    assert KNOWN[key].sources


def test_nothing_is_said_of_what_there_is_not() -> None:
    """A comment that outlived its number would mislead: each is of a key or a table."""
    tables = {key.partition(".")[0] for key in KEYS}
    assert set(KNOWN) <= {*KEYS, *tables}
    assert tables <= set(KNOWN)


def test_numbers_are_told_whole_and_in_the_order_of_the_file() -> None:
    """What the page shows is every key once, with its value, unit and meaning, as the file has them."""
    tables = meanings.told(DEFAULT, DEFAULT, TEXT)
    shown = {one.key: one for table in tables for one in table.numbers}
    assert sorted(shown) == sorted(KEYS)
    assert [table.name for table in tables][:3] == ["waits", "cool_offs", "outflow"]
    wait = shown["waits.address_h"]
    assert (wait.value, wait.unit, wait.way) == ("72", "hours", "")
    assert wait.meaning == "A new beneficiary can be paid after this"
    assert wait.sources == ("law 10", "incident I", "incident G")
    assert shown["networks.tron"].value == "family base58check, versions 65"
    assert shown["networks.tron"].meaning == KNOWN["networks"].text
    assert (shown["breaker.cold_usd_per_h"].value, shown["breaker.cold_usd_per_h"].unit) == ("250,000", "USD an hour")


def test_what_differs_from_the_default_says_which_way() -> None:
    """A number that is looser or tighter than the default is marked so, beside what the default has."""
    data = msgspec.to_builtins(DEFAULT)
    data["waits"]["vault_h"] = 200
    data["breaker"]["cold_usd_per_h"] = 400_000
    data["exits"]["lending"] = "bank"
    del data["digest"]
    told = meanings.told(Policy.parse(data), DEFAULT, TEXT)
    ways = {one.key: (one.way, one.default) for table in told for one in table.numbers if one.way}
    assert ways == {
        "waits.vault_h": ("tighter", "168"),
        "breaker.cold_usd_per_h": ("looser", "250,000"),
        "exits.lending": ("looser", ""),
    }


def test_comments_are_read_as_toml_has_them() -> None:
    """A sign within a string begins no comment, one may go on for lines, and a blank line ends it."""
    text = (
        '[a] # one [law 1]\nb = "x # y" # two, and\n    # three [RFC 1; law 2]\nc = 1\n    # four\n\n# of nobody\n[d]\n'
    )
    assert meanings.meanings(text) == {
        "a": meanings.Meaning("One", ("law 1",)),
        "a.b": meanings.Meaning("Two, and three", ("RFC 1", "law 2")),
        "a.c": meanings.Meaning("Four", ("law 1",)),
        "d": meanings.Meaning("", ()),
    }


@pytest.mark.parametrize(
    ("key", "unit"),
    [("waits.vault_h", "hours"), ("face.width_px_min", "pixels"), ("staff.reads_per_h", "an hour"), ("a.victims", "")],
)
def test_a_unit_is_read_from_the_end_of_a_name(key: str, unit: str) -> None:
    """Names carry their unit last, and people read it in words."""
    assert meanings.unit(key) == unit
