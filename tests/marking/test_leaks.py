"""Leaked files: read within bounds, refused with their line, and traced by `holdback trace-leak`."""

from __future__ import annotations

import csv
import json
import random
from typing import TYPE_CHECKING, Final

import msgspec
import pytest
from tests.marking.test_marking import READERS, customers, export, leaked

from holdback import cli, leaks
from holdback.marking import marked
from holdback.sealing import MasterKeys

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Trace = Callable[..., tuple[int, str, str]]

RING: Final = MasterKeys.new_setting()
KEY: Final = MasterKeys.parse(RING).mark_keys()[1]


def read(path: Path, *pairs: str) -> list[dict[str, str]]:
    """All rows."""
    return list(leaks.rows(path, leaks.renamed(pairs)))


@pytest.fixture
def trace(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Trace:
    """The command: its status, what it printed, and what it complained of."""

    def run(path: Path, *options: str, ring: str = RING) -> tuple[int, str, str]:
        exports = path.with_name("exports.json")
        exports.write_bytes(msgspec.json.encode([export(reader) for reader in READERS]))
        monkeypatch.setenv("HOLDBACK_MASTER_KEYS", ring)
        words = ["trace-leak", str(path), "--exports", str(exports), *options]
        status = int(str(cli.app(words, result_action="return_value")))
        told = capsys.readouterr()
        return status, told.out, "".join(told.err.splitlines())

    return run


@pytest.mark.parametrize("separator", leaks.SEPARATORS)
def test_lists_with_any_usual_separator_are_read(tmp_path: Path, separator: str) -> None:
    """The first line tells the separator and the columns, a byte order mark aside; renamed ones get their own names."""
    path = tmp_path / "leak.csv"
    path.write_text(f"\ufeffid{separator}wert\nanna{separator} 5.0\n", encoding="utf-8")
    assert read(path, "worth=wert") == [{"id": "anna", "worth": "5.0"}]


def test_json_lines_keep_their_numbers_as_written(tmp_path: Path) -> None:
    """A zero at the end of a number is part of the mark, so it is not lost on reading; what is no cell is left out."""
    path = tmp_path / "leak.jsonl"
    path.write_text('{"id": "anna", "worth": 5.10, "tags": ["x"], "gone": null}\n\n{"id": 7}\n')
    assert read(path) == [{"id": "anna", "worth": "5.10"}, {"id": "7"}]


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    """Nothing at all has no columns."""
    path = tmp_path / "leak.csv"
    path.write_text("")
    with pytest.raises(leaks.BadLeak, match="name the columns"):
        read(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,b\n1,\xff\n", "line 2 is not UTF-8"),
        (b"a,b\n1,\0\n", "line 2 holds a zero byte"),
        (b"a,b\n" + b"x" * (leaks.LINE_MOST + 1), "line 2 is longer"),
        (b"a,a\n1,2\n", "names a column twice"),
        (",".join(map(str, range(2_000))).encode(), "1 to 1000"),
        (b'a,b\n"' + b"x\n" * 100_000, "field larger than"),
        (b'{"a": 1}\n{"a": \n', "line 2 is not JSON"),
        (b'{"a": 1}\n[1]\n', "line 2 is not an object"),
        (b'{"a": ' + b"[" * 100_000, "line 1 is not JSON"),
    ],
    ids=["encoding", "binary", "long", "twice", "wide", "open quote", "cut", "no object", "deep"],
)
def test_what_is_no_list_is_refused_with_its_line(tmp_path: Path, content: bytes, said: str) -> None:
    """A damaged or hostile file is an error that says where and what, never a crash."""
    path = tmp_path / "leak"
    path.write_bytes(content)
    with pytest.raises(leaks.BadLeak, match=said):
        read(path)


def test_endless_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a largest number of rows and a largest file of records."""
    path = tmp_path / "leak.csv"
    path.write_text("a\n1\n2\n3\n")
    monkeypatch.setattr(leaks, "ROWS_MOST", 2)
    with pytest.raises(leaks.BadLeak, match="more than 2 lines"):
        read(path)
    monkeypatch.setattr(leaks, "EXPORTS_MOST", 2)
    with pytest.raises(leaks.BadLeak, match="export records"):
        leaks.exports_of(path)


@pytest.mark.parametrize("pair", ["a", "a=", "=b", "x=c"])
def test_renaming_must_name_both(pair: str) -> None:
    """A column's two names are written exported=leaked, each leaked one once."""
    with pytest.raises(leaks.BadLeak, match="exported=leaked"):
        leaks.renamed(["y=c", pair])


def test_the_command_names_the_reader(tmp_path: Path, trace: Trace) -> None:
    """`holdback trace-leak FILE --json` names the reader with score and bound, status 0."""
    chance = random.Random("command")
    rows = leaked(chance, marked(customers(chance), export("reader-42"), KEY))
    path = tmp_path / "leak.csv"
    with path.open("w", newline="") as target:
        writer = csv.DictWriter(target, ["seen_at", "saldo", "status"], extrasaction="ignore", delimiter=";")
        writer.writeheader()
        writer.writerows({**row, "saldo": row["btc"]} for row in rows)
    status, shown, _ = trace(path, "--column", "btc=saldo", "--json")
    told = json.loads(shown)
    assert [one["reader"] for one in told["named"]] == ["reader-42"]
    assert told["named"][0]["false_accusation"] < 1e-6
    assert (status, told["rows"], told["readers"]) == (0, 700, 200)


def test_the_command_says_nobody(tmp_path: Path, trace: Trace) -> None:
    """Without `--json` it is a sentence; nobody is status 1."""
    path = tmp_path / "leak.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in customers(random.Random("nobody"), 50)))
    status, shown, _ = trace(path)
    assert status == 1
    assert shown.startswith("Nobody is named.")


def test_the_command_says_what_it_cannot_use(tmp_path: Path, trace: Trace) -> None:
    """A file or a ring that cannot be used is one line and status 2."""
    path = tmp_path / "leak.csv"
    path.write_text("a,a\n")
    for (status, _, complaint), said in (
        (trace(path), "names a column twice"),
        (trace(path, ring=""), "HOLDBACK_MASTER_KEYS"),
        (trace(path, ring=MasterKeys.new_setting(2)), "master key 1"),
        (trace(path, "--column", "x"), "exported=leaked"),
    ):
        assert status == 2
        assert said in complaint
