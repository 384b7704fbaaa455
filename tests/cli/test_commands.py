"""The command line by itself: what its help shows, and what it says where a store, a setting or a file is missing."""

from __future__ import annotations

import os
import shlex
import socket
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from rich.console import Console

from holdback import cli, timeline
from holdback.receipts import ReceiptKeys
from holdback.sealing import MasterKeys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cyclopts import App

PLAYBOOKS: Final = Path(__file__).parents[2] / "playbooks"


def run(*words: str) -> int:
    """One command; the status it ends with."""
    return int(str(cli.app(words, result_action="return_value")))


def ended(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The same as a program, which tells of what an operator can mend in a line."""
    monkeypatch.setattr("sys.argv", ["holdback", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return int(str(end.value.code))


def commands(app: App = cli.app, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command."""
    for name in app:
        if name.startswith("-"):
            continue
        if app[name].default_command is None:
            yield from commands(app[name], (*before, name))
        else:
            yield (*before, name)


def examples(text: str) -> list[list[str]]:
    """The command lines under a help's examples, in words, from `holdback` on."""
    lines = text.partition("Examples:")[2].splitlines()
    split = [shlex.split(line.replace("$(date +%F)", "today"), comments=True) for line in lines if "holdback " in line]
    return [words[words.index("holdback") + 1 :] for words in split]


def plain(words: list[str]) -> list[str]:
    """Without what only a shell reads."""
    return words[: words.index(">")] if ">" in words else words


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a database may be made; the environment names it, and keys."""
    file = tmp_path / "holdback.db"
    monkeypatch.setenv("HOLDBACK_STORE", f"sqlite:{file}")
    monkeypatch.setenv("HOLDBACK_MASTER_KEYS", MasterKeys.new_setting(1))
    monkeypatch.setenv("HOLDBACK_RECEIPT_KEYS", ReceiptKeys.generate().to_json())
    return file


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_each_help_ends_with_examples(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command's help shows examples of it, each of which the command line takes."""
    monkeypatch.setenv("COLUMNS", "160")
    cli.app([*words, "--help"], result_action="return_value")
    shown = examples(capsys.readouterr().out)
    assert shown
    for example in shown:
        assert tuple(example[: len(words)]) == words
        cli.app.parse_args(plain(example), exit_on_error=False, print_error=False)
        stories = [word for word in example if word.startswith("playbooks/")]
        assert all(list(PLAYBOOKS.glob(story.removeprefix("playbooks/"))) for story in stories)


@pytest.mark.parametrize(
    "words",
    [
        ("verify",),
        ("explain", "alice"),
        ("keys", "list"),
        ("keys", "add", "backend", "--scope", "ask"),
        ("dead-letters", "list"),
        ("backup", "copy.hb"),
    ],
    ids=" ".join,
)
def test_a_wrong_path_is_no_empty_store(
    words: tuple[str, ...], place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command that works on what is there makes no database, and says that there is none."""
    monkeypatch.chdir(place.parent)
    assert ended(monkeypatch, *words) == 2
    assert f"HOLDBACK_STORE: there is no database {place}" in capsys.readouterr().err
    assert list(place.parent.iterdir()) == []


def test_a_breaker_that_never_tripped_says_so(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever looks why the circuit breaker tripped learns that it never did, not that there is no such account."""
    monkeypatch.chdir(place.parent)
    run("migrate")
    for account, said in (("system-breaker", "the circuit breaker never tripped"), ("alice", "there is no account")):
        capsys.readouterr()
        assert run("explain", account) == 1
        assert said in capsys.readouterr().err


LOOKS: Final = [("explain", "alice"), ("verify",), ("keys", "list"), ("dead-letters", "list"), ("backup", "copy.hb")]


@pytest.mark.parametrize("words", LOOKS, ids=" ".join)
def test_only_migrate_and_serve_change_a_schema(
    words: tuple[str, ...], place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command that looks at a database of an older or newer program says so, and leaves its schema as it is."""
    monkeypatch.chdir(place.parent)
    run("migrate")
    capsys.readouterr()
    for change, said in (
        ("DELETE FROM schema_version WHERE version > 1", "the schema has version 1, this program needs"),
        ("INSERT INTO schema_version (version, oldest_reader) VALUES (99, 98)", "upgrade"),
        ("DROP TABLE schema_version", "the schema is missing: run `holdback migrate`"),
    ):
        with closing(sqlite3.connect(place)) as database:
            database.execute(change)
            database.commit()
            before = database.execute("SELECT * FROM sqlite_schema").fetchall()
        assert ended(monkeypatch, *words) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line
        assert "HOLDBACK_STORE" in line
        with closing(sqlite3.connect(place)) as database:
            assert database.execute("SELECT * FROM sqlite_schema").fetchall() == before


@pytest.mark.parametrize("words", [*LOOKS, ("restore", "copy.hb")], ids=" ".join)
def test_an_empty_postgresql_stays_empty(
    words: tuple[str, ...],
    place: Path,
    postgres_dsn: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """On PostgreSQL no command but `migrate` and `serve` makes a schema, for a wrong name may be another database."""
    monkeypatch.chdir(place.parent)
    run("migrate")
    run("backup", "copy.hb") if words[0] == "restore" else None
    capsys.readouterr()
    monkeypatch.setenv("HOLDBACK_STORE", postgres_dsn)
    for _ in range(2):
        assert ended(monkeypatch, *words) == 2
        assert "the schema is missing: run `holdback migrate`" in capsys.readouterr().err
    assert run("migrate") == 0


def test_a_platform_key_is_never_replaced(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that was given, to a live key or a retired one, is refused: who has that key would be locked out."""
    add = ("keys", "add", "backend", "--scope", "ask")
    assert place.parent.exists()
    assert (run("migrate"), run(*add)) == (0, 0)
    assert run(*add) == 1
    assert run("keys", "retire", "backend") == 0
    assert run(*add) == 1
    assert "there is a platform key backend" in capsys.readouterr().err


def test_a_back_up_replaces_none_and_is_for_its_owner(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only its owner may read a back-up, none is written over another, and its records are counted as when restored."""
    copy = place.with_name("copy.hb")
    run("migrate")
    run("keys", "add", "backend", "--scope", "ask")
    capsys.readouterr()
    assert run("backup", str(copy)) == 0
    written = capsys.readouterr().out.split()[0]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    before = copy.read_bytes()
    assert run("backup", str(copy)) == 2
    assert "is there already" in capsys.readouterr().err
    assert copy.read_bytes() == before

    with pytest.MonkeyPatch.context() as elsewhere:
        elsewhere.setenv("HOLDBACK_STORE", f"sqlite:{place.with_name('restored.db')}")
        assert run("restore", str(copy)) == 0
    assert capsys.readouterr().out.split()[0] == written


def test_a_server_says_in_a_line_what_is_wrong(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server that cannot start for a wrong setting names it, and ends before it serves."""
    assert not place.exists()
    monkeypatch.setenv("HOLDBACK_MASTER_KEYS", "nonsense")
    assert ended(monkeypatch, "serve") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("holdback: HOLDBACK_MASTER_KEYS: ")


@pytest.mark.parametrize(
    ("words", "setting", "value", "named"),
    [
        ((), "STORE", "postgresql://127.0.0.1:1/x", "HOLDBACK_STORE"),
        ((), "PUBLIC_URL", "https://id.example", "HOLDBACK_PUBLIC_URL"),
        (("--host", "0.0.0.0"), "ISSUER", "x", "--host"),  # noqa: S104 - it is refused
        (("--host", "id.example"), "ISSUER", "x", "--host"),
    ],
)
def test_only_a_trial_is_ahead(  # noqa: PLR0913, PLR0917 - what a case is, and pytest's own
    words: tuple[str, ...],
    setting: str,
    value: str,
    named: str,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A server believes that it is later on this machine only, with a file as its store, and nothing is opened else."""
    monkeypatch.setenv(f"HOLDBACK_{setting}", value)
    assert ended(monkeypatch, "serve", "--ahead", "73h", *words) == 2
    assert named in capsys.readouterr().err
    assert not place.exists()


@pytest.mark.parametrize("ahead", ["73", "0h", "-1h", "745h", "4d", "1.5h", "9999h"])
def test_a_trial_is_so_many_hours_ahead(
    ahead: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hours, up to a month of them, and nothing that could be read in two ways."""
    assert ended(monkeypatch, "serve", f"--ahead={ahead}") == 2
    assert "hours, such as 73h" in capsys.readouterr().err
    assert not place.exists()


def test_a_server_says_once_what_is_odd_about_it(place: Path, tmp_path: Path) -> None:
    """Links that lead to this machine, and a time that is not, are said as it starts."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        mail = {"HOLDBACK_SMTP_HOST": "mail.example", "HOLDBACK_MAIL_FROM": "security@example.com"}
        command = [sys.executable, "-m", "holdback", "serve", "--port", port, "--ahead", "73h"]
        ended = subprocess.run(
            command, env={**os.environ, **mail}, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
        )
    assert ended.returncode, "the port was taken"
    assert ended.stderr.count('"event":"public_url.loopback"') == 1
    assert ended.stderr.count('"event":"trial.ahead"') == 1
    assert "believes that it is 73h later" in ended.stderr
    assert place.exists()


@pytest.mark.parametrize(
    ("setting", "value"),
    [("HOLDBACK_PUBLIC_URL", "ftp://id.example"), ("HOLDBACK_STORE", "postgresql://127.0.0.1:1/x")],
)
def test_what_is_wrong_is_named(
    setting: str, value: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A database that cannot be reached, and an address that no link could begin with, are told by their setting."""
    assert not place.exists()
    monkeypatch.setenv(setting, value)
    assert ended(monkeypatch, "migrate") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert setting in line


def test_a_history_is_whole_on_a_narrow_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """No instant and no asker is cut short, however narrow the terminal is."""
    line = timeline.Line(1, "2026-11-21T17:08:16.144Z", "platform", "account.import", "allow", ["why " * 40], [], "")
    Console(width=80).print(timeline.render([line]))
    shown = capsys.readouterr().out
    assert all(part in shown for part in ("2026-11-21", "17:08:16.144Z", "platform", "account.import"))


def test_an_account_that_was_never_here_is_not_called_damaged(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that nothing in the store knows fails its verification, in words that allow for a typing error."""
    assert place.parent.exists()
    run("migrate")
    assert run("verify", "nobody") == 1
    assert "nobody entry 0: no row names it: it was never here" in capsys.readouterr().err


def test_no_stories_are_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    """A run of no stories is refused, for a pattern that matches nothing would else pass for stories that hold."""
    assert run("play") == 2
    assert "name the stories" in capsys.readouterr().err


def test_a_file_that_is_missing_is_named(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is said of a file begins with its name, and shows no number of an error."""
    assert not place.exists()
    assert ended(monkeypatch, "restore", "nosuch.hb") == 2
    assert capsys.readouterr().err.strip() == "holdback: nosuch.hb: No such file or directory"


def listed(tmp_path: Path, text: str, version: str = "1") -> int:
    """Take a list in."""
    file = tmp_path / "list.csv"
    file.write_text(text)
    return run("lists", "import", str(file), "--name", "ofac", "--version", version)


def test_a_list_is_taken_in_and_shown(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A list counts its addresses and what it left out, and is shown; a required one that is not there ends with 1."""
    run("migrate")
    address = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
    policy = tmp_path / "ours.toml"
    policy.write_text('extends = "default"\nname = "ours"\n[lists]\nrequired = ["ofac"]\n')
    monkeypatch.setenv("HOLDBACK_POLICY", str(policy))
    assert run("lists", "show") == 1
    assert "missing" in capsys.readouterr().out
    assert listed(tmp_path, f"network,address\nbitcoin,{address}\n,{address.upper()}\nmonero,{'4' * 95}\n") == 0
    told = capsys.readouterr().out
    assert "ofac, version 1: 1 addresses, 1 left out." in told
    assert "as line 4 does" in told
    assert run("lists", "show") == 0
    shown = capsys.readouterr().out
    assert "ofac" in shown
    assert address not in shown
    for bad, wrong in (
        ("", "the first line"),
        ("a,b\n1,2\n", "must name the columns"),
        (f"address,network\n{address},tron\n", "line 2"),
    ):
        assert listed(tmp_path, bad, "2") == 2
        assert wrong in capsys.readouterr().err
    assert address.encode() not in place.read_bytes()


def test_a_list_is_shown_as_json(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Programs read the same."""
    assert place.parent == tmp_path
    run("migrate")
    assert run("lists", "show", "--json") == 0
    assert capsys.readouterr().out.endswith('{"lists":[]}\n')
    file = tmp_path / "list.csv"
    file.write_text("address\nbc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq\n")
    assert run("lists", "import", str(file), "--name", "own", "--version", "7", "--json") == 0
    assert '"entries":1,"left_out":0,"left_out_lines":[]' in capsys.readouterr().out
