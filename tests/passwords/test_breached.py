"""The operator's list of breached passwords: how it is made, what is refused, and how it is looked into."""

from __future__ import annotations

import asyncio
import hashlib
import io
import sys
from typing import TYPE_CHECKING

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from holdback import cli, wiring
from holdback.evidence import breached
from holdback.evidence.breached import HEADER_BYTES, WIDTH, BadList, Breached, Progress, compile_list, digest
from holdback.evidence.password import Passwords
from holdback.receipts import ReceiptKeys
from holdback.sealing import MasterKeys
from holdback.web import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
KNOWN = ["plover tangent oboe", "correct horse battery staple", "sésame ouvre-toi"]
LINE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\ufeff"), min_size=1, max_size=40)


def sha1(password: str) -> str:
    """A password as the published lists name it."""
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


def hashes(passwords: Iterable[str]) -> str:
    """A list of hashes in their order, as it is published."""
    return "".join(f"{one}:{number}\r\n" for number, one in enumerate(sorted({sha1(one) for one in passwords}), 1))


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Breached]:
    """Makes a file of a list and opens it."""

    def make(text: str, *, plain: bool = False) -> Breached:
        source, target = tmp_path / "list.txt", tmp_path / "breached.hb"
        source.write_bytes(text.encode())
        count = compile_list(source, target, plain=plain)
        found = Breached(target)
        assert len(found) == count
        return found

    return make


@given(st.sets(LINE, min_size=1, max_size=60), st.lists(LINE, max_size=20), st.booleans())
def test_it_is_a_set(
    tmp_path_factory: pytest.TempPathFactory,
    listed: set[str],
    others: list[str],
    plain: bool,  # noqa: FBT001 - hypothesis chooses it
) -> None:
    """Exactly what was on the list is in the file, of hashes as of passwords in any order."""
    directory = tmp_path_factory.mktemp("lists")
    source, target = directory / "list.txt", directory / "breached.hb"
    source.write_bytes("\n".join(listed).encode() if plain else hashes(listed).encode())
    compile_list(source, target, plain=plain)
    file = Breached(target)
    expected = set(listed)
    if plain:
        expected = {form for one in listed for form in breached.forms(one)}
    assert all(one in file for one in expected)
    assert [one for one in others if (one in file) != (one in expected)] == []


def test_a_hash_counts_once(made: Callable[..., Breached]) -> None:
    """A hash that is listed twice, in either case and with or without its count, is kept once."""
    one = sha1(KNOWN[0])
    file = made(f"{one}:3\n{one.lower()}\n")
    assert len(file) == 1
    assert KNOWN[0] in file
    assert KNOWN[1] not in file


def test_either_form_of_a_password(made: Callable[..., Breached]) -> None:
    """A plain list's password is known however its letters were composed, and whatever ends its lines."""
    file = made("\ufeffse\u0301same ouvre-toi\r\n\r\nplover tangent oboe", plain=True)
    assert KNOWN[2] in file
    assert "se\u0301same ouvre-toi" in file
    assert KNOWN[0] in file


def test_the_size_of_a_file(made: Callable[..., Breached], tmp_path: Path) -> None:
    """A password costs eight bytes, beside a header of 32."""
    made(hashes(KNOWN))
    assert (tmp_path / "breached.hb").stat().st_size == HEADER_BYTES + WIDTH * len(KNOWN) == 32 + 24


def test_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An import says how many bytes it has read, to the last one."""
    monkeypatch.setattr(breached, "AT_A_TIME", 2)
    source = tmp_path / "list.txt"
    source.write_text(hashes(KNOWN))
    told: list[Progress] = []
    compile_list(source, tmp_path / "breached.hb", report=told.append)
    assert [one.passwords for one in told] == [2, 3]
    assert told[-1].read == source.stat().st_size


ONE, TWO = sorted(sha1(one) for one in KNOWN[:2])
UNFIT = {
    "unsorted": (f"{TWO}:1\n{ONE}:1\n", "line 2 is out of order"),
    "plain": ("password\n", "line 1 is not a SHA-1"),
    "ntlm": ("0CB6948805F797BF2A82807973B89537:5\n", "NTLM"),
    "cut off in a line": (f"{ONE}:1\n{TWO[:17]}", "line 2 is not a SHA-1"),
    "no count": (f"{ONE}:many\n", "line 1 is not a SHA-1"),
    "empty": ("", "no password in it"),
    "no line ends": ("x" * 10_000, "more than 4096 bytes"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_unfit_lists(name: str, tmp_path: Path) -> None:
    """A list that is not what it must be is refused, saying where, and what was there before stays as it was."""
    text, said = UNFIT[name]
    source, target = tmp_path / "list.txt", tmp_path / "breached.hb"
    source.write_text(hashes(KNOWN))
    compile_list(source, target)
    before = target.read_bytes()
    source.write_text(text)
    with pytest.raises(BadList, match=said):
        compile_list(source, target)
    assert target.read_bytes() == before
    assert sorted(one.name for one in tmp_path.iterdir()) == ["breached.hb", "list.txt"]


def test_unfit_plain_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain list that is no text, or longer than what may be sorted in memory, is refused."""
    source, target = tmp_path / "list.txt", tmp_path / "breached.hb"
    source.write_bytes(b"good enough\n\xff\xfe\n")
    with pytest.raises(BadList, match="line 2 is not UTF-8"):
        compile_list(source, target, plain=True)
    monkeypatch.setattr(breached, "PLAIN_MOST", 2)
    source.write_text("one\ntwo\nthree\n")
    with pytest.raises(BadList, match="more than 2 lines"):
        compile_list(source, target, plain=True)
    assert not target.exists()


def test_a_stopped_import_leaves_nothing(tmp_path: Path) -> None:
    """An import that is interrupted leaves neither the file nor a part of it."""
    source, target = tmp_path / "list.txt", tmp_path / "breached.hb"
    source.write_text(hashes(KNOWN))

    def stop(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compile_list(source, target, report=stop)
    assert [one.name for one in tmp_path.iterdir()] == ["list.txt"]


DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "truncated": (lambda whole: whole[:-1], "cut off"),
    "cut in the header": (lambda whole: whole[:20], "header is damaged"),
    "longer": (lambda whole: whole + b"x", "cut off or has something behind"),
    "foreign": (lambda _: b"SQLite format 3\x00" * 9, "no file of breached passwords"),
    "empty": (lambda _: b"", "no file of breached passwords"),
    "other count": (lambda whole: whole[:23] + b"\x02" + whole[24:], "header is damaged"),
    "unsorted": (lambda whole: whole[:32] + whole[40:48] + whole[32:40] + whole[48:], "not in order"),
    "newer": (lambda whole: reheaded(whole, version=2), "another version"),
    "wider": (lambda whole: reheaded(whole, width=9), "another version"),
}


def reheaded(whole: bytes, *, version: int = 1, width: int = 8) -> bytes:
    """A file with another header that fits its checksum."""
    header = whole[:8] + version.to_bytes(2, "big") + width.to_bytes(2, "big") + whole[12:24]
    return header + hashlib.sha256(header).digest()[:8] + whole[32:]


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_files(name: str, made: Callable[..., Breached], tmp_path: Path) -> None:
    """A file that is not whole, not in order or not ours is refused when it is opened, and no server starts with it."""
    made(hashes(KNOWN))
    file = tmp_path / "breached.hb"
    damage, said = DAMAGE[name]
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(BadList, match=said):
        Breached(file)
    with pytest.raises(wiring.SettingError, match="HOLDBACK_BREACHED_PASSWORDS") as refused:
        wiring.passwords(wiring.Settings(breached_passwords=str(file)))
    assert said in str(refused.value)


async def test_a_breached_password_is_refused(made: Callable[..., Breached]) -> None:
    """What the operator's list knows cannot be chosen, in whichever form it is typed; the next best can."""
    passwords = Passwords(threads=1, hasher=CHEAP, breached=made(hashes(KNOWN)))
    for typed in (*KNOWN, "se\u0301same ouvre-toi"):
        with pytest.raises(ValueError, match="thieves try first"):
            await passwords.judge(typed, characters_min=8, strength_min=3, about=())
    await passwords.judge(KNOWN[0] + "!", characters_min=8, strength_min=3, about=())


def test_the_digest_is_that_of_the_published_lists() -> None:
    """What is kept of a password are the first bytes of the SHA-1 that others publish."""
    assert digest("password").hex() == "5baa61e4c9b93f3f"


@pytest.mark.parametrize("named", ["", "missing.hb"])
async def test_no_list(named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the operator's file a server starts with the shipped list alone, and its log says so."""
    file = str(tmp_path / named) if named else ""
    settings = wiring.Settings(
        store=f"sqlite:{tmp_path / 'x.db'}",
        breached_passwords=file,
        master_keys=MasterKeys.new_setting(1),
        receipt_keys=ReceiptKeys.generate().to_json(),
    )
    assert wiring.breached(settings) is None
    with pytest.raises(ValueError, match="thieves try first"):
        await wiring.passwords(settings).judge("password123", characters_min=8, strength_min=3, about=())
    router = serving.server(settings)
    async with router.lifespan_context(router):
        pass
    assert "passwords.no_breached_list" in capsys.readouterr().out


async def command(*words: str) -> int:
    """Run a command of `holdback passwords`; the status it ends with."""
    return int(str(await asyncio.to_thread(cli.app, ["passwords", *words], result_action="return_value")))


async def test_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An operator imports a list and asks about passwords, which are typed and never shown."""
    source, target = tmp_path / "list.txt", tmp_path / "breached.hb"
    source.write_text(hashes(KNOWN))
    assert await command("import", str(source), "--output", str(target)) == 0
    assert "3 passwords" in " ".join(capsys.readouterr().out.split())
    monkeypatch.setenv("HOLDBACK_BREACHED_PASSWORDS", str(target))
    for typed, status, said in (
        (KNOWN[0], 1, "thieves try first"),
        ("short", 1, "8 to 256 characters"),
        ("zebra1999", 1, "too easy"),
        (KNOWN[0] + "!", 0, "could be chosen"),
    ):
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed + "\n"))
        assert await command("check") == status
        answer = " ".join(capsys.readouterr().out.split())
        assert said in answer
        assert typed not in answer


async def test_commands_that_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A list or file that is not what it must be ends a command with 2, naming it, and a password is never read."""
    source = tmp_path / "list.txt"
    source.write_text("password\n")
    assert await command("import", str(source), "--output", str(tmp_path / "x.hb")) == 2
    assert "line 1" in " ".join(capsys.readouterr().err.split())
    monkeypatch.setattr(sys, "stdin", None)
    assert await command("check", "--breached", str(source)) == 2
    assert "no file of breached passwords" in " ".join(capsys.readouterr().err.split())
