"""A leaked copy of the desk tells whose it was, with nothing kept of who read it."""

from __future__ import annotations

import random

from holdback.desk import DeskForm, DeskPage, export_of, marked_page
from holdback.marking import Trace
from holdback.sealing import MasterKeys
from holdback.wording.words import instant_text

KEYS = MasterKeys({1: bytes(range(32))}).mark_keys()
START = 1_700_000_000_000


def copy(reader: str, rows: int) -> list[dict[str, str]]:
    """What a reader has of so many recoveries."""
    chance = random.Random(7)
    forms = []
    for number in range(rows):
        at = START + number * 61_000 + chance.randrange(1_000)
        due = at + 259_200_000 + chance.randrange(90_000)
        forms.append(
            DeskForm(f"c{number}", "recovery", f"r{number}", instant_text(at), instant_text(due), "review", "reviewer")
        )
    page = marked_page(DeskPage(tuple(forms), None), reader, KEYS)
    return [{"id": one.id, "opened_at": one.opened_at, "due_at": one.due_at} for one in page.items]


def test_a_leaked_desk_is_traced() -> None:
    """Of 1,000 rows, 30 % gone and the rest mixed, the one reader of twenty is named; of a stranger's, nobody."""
    readers = [f"staff-{number}" for number in range(20)]
    exports = [export_of(reader, key) for reader in readers for key in KEYS]
    rows = copy("staff-7", 1_000)
    random.Random(1).shuffle(rows)
    tracing, other = Trace(exports, KEYS, 1e-6), Trace(exports, KEYS, 1e-6)
    for row in rows[:700]:
        tracing.add(row)
    for row in copy("somebody else", 1_000):
        other.add(row)
    assert [one.reader for one in tracing.result().named] == ["staff-7"]
    assert other.result().named == ()


def test_every_second_is_as_it_was() -> None:
    """What a page says to the second is the same for everybody."""
    seen = {tuple(row["opened_at"][:19] for row in copy(f"staff-{number}", 20)) for number in range(3)}
    assert len(seen) == 1
