"""Marks in exports: what is marked still means the same, and a leaked list names its reader and nobody else."""

from __future__ import annotations

import random
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdback.marking import (
    Export,
    Fraction,
    KeyMissing,
    Label,
    Millisecond,
    Trace,
    Traced,
    Trailing,
    marked,
)
from holdback.sealing import MasterKeys

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from holdback.marking import Kind

KEYS: Final = MasterKeys({1: bytes(range(32))}).mark_keys()
COLUMNS: Final[dict[str, Kind]] = {
    "status": Label((("verified", "Verified"), ("pending", "Pending"), ("closed", "Closed"))),
    "seen_at": Millisecond(),
    "worth_usd": Fraction(2),
    "btc": Trailing(),
}
READERS: Final = [f"reader-{number}" for number in range(200)]
ROWS: Final = 1_000
MOST: Final = 1e-6


def export(reader: str, columns: dict[str, Kind] | None = None, canaries: tuple[str, ...] = ()) -> Export:
    """What is kept of an export."""
    return Export(reader, 1, "account", COLUMNS if columns is None else columns, canaries)


def customers(chance: random.Random, count: int = ROWS) -> list[dict[str, str]]:
    """Made-up customers as a list would show them."""
    return [
        {
            "account": f"cus_{chance.randrange(16**8):08x}",
            "mail": f"{chance.randrange(10**6)}@example.com",
            "status": chance.choice(["verified", "verified", "pending", "closed"]),
            "seen_at": f"2026-{chance.randrange(1, 13):02}-{chance.randrange(1, 28):02}"
            f"T{chance.randrange(24):02}:{chance.randrange(60):02}:{chance.randrange(60):02}+00:00",
            "worth_usd": f"{chance.lognormvariate(7, 2):.2f}",
            "btc": f"{chance.expovariate(3):.6f}",
        }
        for _ in range(count)
    ]


def leaked(chance: random.Random, rows: Iterable[dict[str, str]], kept: float = 0.7) -> list[dict[str, str]]:
    """A list with rows removed and in another order."""
    left = list(rows)
    return chance.sample(left, int(len(left) * kept))


def traced(rows: Iterable[Mapping[str, str]], *exports: Export) -> Traced:
    """Who is named, out of all readers or these exports."""
    trace = Trace(exports or [export(reader) for reader in READERS], KEYS, MOST)
    for row in rows:
        trace.add(row)
    return trace.result()


def names(found: Traced) -> list[str]:
    """Only the names."""
    return [one.reader for one in found.named]


@pytest.mark.parametrize("column", [*COLUMNS, None])
def test_a_leaked_list_names_its_reader(column: str | None) -> None:
    """Of 1,000 rows with 30 % removed and reordered, 100 of 100 seeded runs name the right one of 200 readers alone."""
    columns = COLUMNS if column is None else {column: COLUMNS[column]}
    exports = [export(reader, columns) for reader in READERS]
    runs = 100 if column is None else 5
    wrong = []
    for seed in range(runs):
        chance = random.Random(f"leak {seed}")
        reader = chance.choice(READERS)
        list_ = leaked(chance, marked(customers(chance), export(reader, columns), KEYS[1]))
        if names(traced(list_, *exports)) != [reader]:
            wrong.append(seed)
    assert wrong == []


def test_a_foreign_list_names_nobody() -> None:
    """A list that was never marked, or was marked under another key, names nobody in 100 of 100 seeded runs."""
    other = MasterKeys({1: bytes(32)}).mark_keys()[1]
    named = []
    for seed in range(100):
        chance = random.Random(f"foreign {seed}")
        rows = customers(chance)
        if seed % 2:
            rows = list(marked(rows, export("reader-7"), other))
        named += names(traced(leaked(chance, rows)))
    assert named == []


def test_lists_alike_but_for_their_reader_name_nobody() -> None:
    """Somebody whose copy is not among those compared is not mistaken for anybody else."""
    chance = random.Random("absent")
    rows = leaked(chance, marked(customers(chance), export("somebody else"), KEYS[1]))
    assert names(traced(rows)) == []


def test_two_readers_together_are_both_named() -> None:
    """Whoever mixes his copy with another's, row by row or cell by cell, is named with him, and nobody else is."""
    for seed in range(10):
        chance = random.Random(f"mixed {seed}")
        rows = customers(chance)
        two = chance.sample(READERS, 2)
        copies = [list(marked(rows, export(reader), KEYS[1])) for reader in two]
        by_row = [chance.choice(pair) for pair in zip(*copies, strict=True)]
        by_cell = [{column: chance.choice(pair)[column] for column in pair[0]} for pair in zip(*copies, strict=True)]
        both = [row for pair in zip(*copies, strict=True) for row in pair]
        for mixed in (by_row, by_cell, both):
            assert sorted(names(traced(leaked(chance, mixed)))) == sorted(two)


def test_what_a_list_has_lost_does_not_matter() -> None:
    """Without ids, with one marked column left, or among as many rows from elsewhere, a list still names its reader."""
    chance = random.Random("lost")
    rows = leaked(chance, marked(customers(chance), export("reader-3"), KEYS[1]))
    for kept in (("seen_at", "worth_usd"), ("btc",), ("account", "status")):
        assert names(traced({column: row[column] for column in kept} for row in rows)) == ["reader-3"]
    assert names(traced([*rows, *customers(chance)])) == ["reader-3"]


def test_few_rows_name_nobody() -> None:
    """Too little to tell is said to be so, and an empty list is no error."""
    chance = random.Random("few")
    rows = list(marked(customers(chance, 4), export("reader-3"), KEYS[1]))
    assert names(traced(rows)) == []
    found = traced([])
    assert (found.named, found.rows, found.places) == ((), 0, 0)
    assert "Nobody is named" in found.sentence()


def test_canary_rows_tell_alone() -> None:
    """A list typed anew, with nothing but ids left, names its reader by the canaries that are in it."""
    chance = random.Random("canaries")
    canaries = customers(chance, 160)
    records = [export(reader, canaries=tuple(row["account"] for row in canaries)) for reader in READERS]
    rows = list(marked(customers(chance), records[11], KEYS[1], canaries))
    assert len(rows) > ROWS
    ids = [{"account": row["account"]} for row in leaked(chance, rows)]
    assert names(traced(ids, *records)) == ["reader-11"]


def test_the_bound_holds_over_many_lists() -> None:
    """Where one list in ten may name somebody innocent, no more than that do."""
    exports = [export(reader, {"seen_at": Millisecond()}) for reader in READERS[:20]]
    wrong = 0
    for seed in range(200):
        trace = Trace(exports, KEYS, 0.1)
        for row in customers(random.Random(f"bound {seed}"), 60):
            trace.add(row)
        wrong += bool(trace.result().named)
    assert wrong <= 20


def test_copies_of_one_reader_are_alike() -> None:
    """Whoever exports twice gets the same cells, so that two copies of his own tell him nothing."""
    rows = customers(random.Random("twice"), 50)
    assert list(marked(rows, export("ann"), KEYS[1])) == list(marked(reversed(rows), export("ann"), KEYS[1]))[::-1]
    assert list(marked(rows, export("ann"), KEYS[1])) != list(marked(rows, export("bob"), KEYS[1]))


@given(
    st.decimals(-(10**9), 10**9, places=4).map(lambda one: f"{one:f}"),
    st.datetimes(timezones=st.timezones()).map(lambda at: at.isoformat()),
    st.sampled_from(["verified", "Pending", "unknown"]),
)
def test_what_is_marked_means_the_same(number: str, at: str, status: str) -> None:
    """Numbers keep their value, estimates their declared decimals, instants their second, labels their word."""
    (row,) = marked(
        [{"account": "a", "status": status, "seen_at": at, "worth_usd": number, "btc": number}],
        export("ann"),
        KEYS[1],
    )
    assert Decimal(row["btc"]) == Decimal(number)
    cent = Decimal("0.01")
    cut = Decimal(number).quantize(cent, ROUND_DOWN)
    assert Decimal(row["worth_usd"]).quantize(cent, ROUND_DOWN) == Decimal(row["worth_usd"]).quantize(cent) == cut
    before, after = datetime.fromisoformat(at), datetime.fromisoformat(row["seen_at"])
    assert before.replace(microsecond=0) == after.replace(microsecond=0)
    assert row["status"].casefold() == status.casefold()
    assert row["account"] == "a"


@pytest.mark.parametrize("text", ["", "n/a", "1e5", "1,5", "2026-01-01T00:00:00", "9999-12-31T23:59:59-10:00"])
def test_other_cells_stay_as_they_are(text: str) -> None:
    """What is not of its column's kind is neither marked nor read, an instant of no known zone included."""
    row = {"account": "a", "status": text, "seen_at": text, "worth_usd": text, "btc": text}
    assert list(marked([row], export("ann"), KEYS[1])) == [row]
    assert traced([row]).places == 0


def test_marks_outlive_a_rotation_while_their_key_is_kept() -> None:
    """A list marked under an older key of the ring names its reader; one that has left it is said to be missing."""
    chance = random.Random("rotated")
    rows = leaked(chance, marked(customers(chance), export("reader-5"), KEYS[1]))
    ring = MasterKeys({2: bytes(32), 1: bytes(range(32))}).mark_keys()
    newer = [Export(reader, 2, "account", COLUMNS) for reader in READERS[:9]]
    trace = Trace([*newer, *map(export, READERS[:9])], ring, MOST)
    for row in rows:
        trace.add(row)
    assert names(trace.result()) == ["reader-5"]
    with pytest.raises(KeyMissing, match="master key 1"):
        Trace([export("ann")], MasterKeys({2: bytes(32)}).mark_keys(), MOST)
