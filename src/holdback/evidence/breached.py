"""Passwords that thieves know: a small list that is always used, and a compact file made of a large published one.

The file is a header of 32 bytes and then, in ascending order, the first 8 bytes of the SHA-1 of each password:

    0   8  magic, `HBPWDS` and two line ends
    8   2  version, 1
    10  2  bytes of a digest that are kept, 8
    12  4  zero
    16  8  how many digests follow
    24  8  the first 8 bytes of the SHA-256 of the 24 before

Numbers are big-endian. It is looked into where it lies (`mmap`, binary search): a look into a
billion reads some thirty pages. Such a file refuses one in 18 billion of the passwords that are not in it.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import re
import struct
import unicodedata
from array import array
from contextlib import suppress
from importlib import resources
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MAGIC: Final = b"HBPWDS\r\n"
VERSION: Final = 1
WIDTH: Final = 8
_HEADER: Final = struct.Struct(">8sHHIQ")
_CHECK_BYTES: Final = 8
HEADER_BYTES: Final = _HEADER.size + _CHECK_BYTES

LINE_MOST: Final = 4096
"""Bytes of a line that is read; longer ones are no passwords."""
PLAIN_MOST: Final = 20_000_000
"""Lines of a plain list, which is sorted in memory, 8 bytes a line: at most 320 MB, with two forms of each."""
AT_A_TIME: Final = 65_536
"""Digests between two writes, and between two reports of progress."""
SAMPLES: Final = 1024
"""Places at which a file's order is looked at when it is opened; the importer looked at all of them."""

_HASH_LINE: Final = re.compile(rb"([0-9A-Fa-f]{40})(?::[0-9]{1,12})?\Z")


class BadList(ValueError):
    """A file that is not what it must be. The message says what is wrong, and in which line if there are lines."""


class Progress(NamedTuple):
    """How far an import has come: bytes of the source that were read, and passwords in them."""

    read: int
    passwords: int


class Breached:
    """An open file of breached passwords. Safe to use from many threads.

    Example: `"password1" in Breached(Path("breached.hb"))`.
    """

    def __init__(self, path: Path) -> None:
        """Open a file and check that it is whole. Raises BadList, or OSError where there is none."""
        with path.open("rb") as source:
            size = os.fstat(source.fileno()).st_size
            self._count = _counted(source.read(HEADER_BYTES), size)
            self._map = mmap.mmap(source.fileno(), size, access=mmap.ACCESS_READ)
        step = max(1, self._count // SAMPLES)
        sampled = [self._digest(place) for place in range(0, self._count, step)]
        if any(earlier >= later for earlier, later in pairwise(sampled)):
            raise BadList("its digests are not in order; import the list again")

    def __len__(self) -> int:
        return self._count

    def __contains__(self, password: str) -> bool:
        wanted = digest(password)
        low, high = 0, self._count
        while low < high:
            middle = (low + high) // 2
            if self._digest(middle) < wanted:
                low = middle + 1
            else:
                high = middle
        return low < self._count and self._digest(low) == wanted

    def _digest(self, place: int) -> bytes:
        at = HEADER_BYTES + place * WIDTH
        return self._map[at : at + WIDTH]


def digest(password: str) -> bytes:
    """What is kept of a password: enough to know it again."""
    return hashlib.sha1(password.encode(errors="surrogatepass"), usedforsecurity=False).digest()[:WIDTH]


def shipped() -> frozenset[str]:
    """The small list that is always used, without case."""
    text = (resources.files("holdback") / "evidence" / "known_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


def _counted(header: bytes, size: int) -> int:
    """How many digests a file says it has, which must be as many as fit. Raises BadList."""
    if header[: len(MAGIC)] != MAGIC:
        raise BadList("it is no file of breached passwords; `holdback passwords import` makes one of a list")
    if len(header) < HEADER_BYTES or header[_HEADER.size :] != _check(header[: _HEADER.size]):
        raise BadList("its header is damaged; import the list again")
    _, version, width, _, count = _HEADER.unpack_from(header)
    if (version, width) != (VERSION, WIDTH):
        raise BadList("another version of Holdback made it; import the list again")
    if size != HEADER_BYTES + count * WIDTH:
        raise BadList("it is cut off or has something behind it; import the list again")
    return int(count)


def _check(header: bytes) -> bytes:
    return hashlib.sha256(header).digest()[:_CHECK_BYTES]


def compile_list(
    source: Path, target: Path, *, plain: bool = False, report: Callable[[Progress], object] = lambda _: None
) -> int:
    """Make `target` of a published list, and say how many passwords it has.

    A list of SHA-1 lines (`HASH:COUNT`, as Have I Been Pwned publishes them) must be in the order of its hashes, and
    is read in memory that does not grow with it; a `plain` list of passwords, one a line in UTF-8, may be in any order
    and have up to `PLAIN_MOST` lines. The target appears whole or not at all. Raises BadList, or OSError.
    """
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    try:
        count = _written(part, _plain(source, report) if plain else _hashes(source, report))
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_directory(target.parent)
    return count


def _written(part: Path, digests: Iterator[bytes]) -> int:
    """Write digests that come in order, and the header last: what is cut off has none."""
    count, waiting = 0, bytearray()
    with part.open("xb") as out:
        out.write(bytes(HEADER_BYTES))
        for one in digests:
            waiting += one
            count += 1
            if len(waiting) >= AT_A_TIME * WIDTH:
                out.write(waiting)
                waiting.clear()
        out.write(waiting)
        if not count:
            raise BadList("there is no password in it")
        header = _HEADER.pack(MAGIC, VERSION, WIDTH, 0, count)
        out.seek(0)
        out.write(header + _check(header))
        out.flush()
        os.fsync(out.fileno())
    return count


def _sync_directory(directory: Path) -> None:
    """Make a new name outlast a loss of power, where directories can be synced."""
    with suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _lines(source: Path, report: Callable[[Progress], object]) -> Iterator[tuple[int, bytes]]:
    """The lines of a file with their numbers, without their ends; empty ones are passed over."""
    read = number = 0
    with source.open("rb") as lines:
        for number, line in enumerate(iter(lambda: lines.readline(LINE_MOST + 2), b""), 1):
            read += len(line)
            if number % AT_A_TIME == 0:
                report(Progress(read, number))
            text = line.rstrip(b"\r\n")
            if len(text) > LINE_MOST:
                raise BadList(f"line {number} has more than {LINE_MOST} bytes: this is no list of passwords")
            if text:
                yield number, text.removeprefix(b"\xef\xbb\xbf") if number == 1 else text
    report(Progress(read, number))


def _hashes(source: Path, report: Callable[[Progress], object]) -> Iterator[bytes]:
    """The digests of a list of hashes, each once."""
    last = b""
    for number, line in _lines(source, report):
        found = _HASH_LINE.match(line)
        if found is None:
            raise BadList(
                f"line {number} is not a SHA-1 in 40 hex digits with or without `:COUNT`; is it a list of plain "
                "passwords, or of NTLM hashes?"
            )
        one = bytes.fromhex(found[1].decode())[:WIDTH]
        if one < last:
            raise BadList(f"line {number} is out of order: get the list that is ordered by hash, or sort it")
        if one != last:
            last = one
            yield one


def _plain(source: Path, report: Callable[[Progress], object]) -> Iterator[bytes]:
    """The digests of a list of passwords, each as it stands and in the form in which passwords are compared."""
    found = [array("Q") for _ in range(256)]
    for number, line in _lines(source, report):
        if number > PLAIN_MOST:
            raise BadList(f"it has more than {PLAIN_MOST} lines: get the same list as hashes ordered by hash")
        try:
            typed = line.decode()
        except UnicodeDecodeError:
            raise BadList(f"line {number} is not UTF-8") from None
        for one in forms(typed):
            made = digest(one)
            found[made[0]].append(int.from_bytes(made, "big"))
    for first in found:
        for number in sorted(set(first)):
            yield number.to_bytes(WIDTH, "big")


def forms(password: str) -> dict[str, None]:
    """A password in its normal form (NFKC) and as it was typed, which other lists may have hashed."""
    return dict.fromkeys((unicodedata.normalize("NFKC", password), password))
