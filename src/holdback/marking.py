"""Marks in exports: each reader's copy is written a little differently, so that a leaked list names who had it.

A cell is written in one of two ways that mean the same (`Label`, `Trailing`, `Fraction`, `Millisecond`); canary rows
are in or not. Which way is a code word of the reader, from a key; two exports of one reader are written alike, so
that nobody can lay his own side by side. The code is that of Tardos (STOC 2003) with the symmetric score of Skoric,
Katzenbeisser and Celik (Designs, Codes and Cryptography 46 (2008) 137-166): each place has a secret bias, the same for
all readers, so that readers who mix their copies still have more in common with the mixture than others do.

A place is named by column and by the meaning of the cell itself, or for a label by the row's id. So order, rows or
columns that are missing and rows from elsewhere do not matter; cells that do not read as they were written are passed
over.

**Who is named.** Given the leaked list, an innocent reader's score is a sum of independent terms whose distribution is
known exactly, for his code word has nothing to do with the list (Furon and Desoubeaux, "Tardos codes for real", WIFS
2014). Chernoff's inequality bounds how often it would be as high; times the number of readers compared it is the chance
that anybody innocent is named, whatever the list holds. Below the policy's `false_accusations_ppm` the reader is named.

Pure: keys are arguments (`MasterKeys.mark_keys`), and chance comes from them.
"""

from __future__ import annotations

import heapq
import hmac
import re
from datetime import UTC, datetime
from math import asin, exp, log, pi, sin, sqrt
from struct import unpack
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cryptography.hazmat.primitives.ciphers import CipherContext

CUTOFF: Final = 0.01
"""No bias is nearer to 0 or 1: enough against a handful of readers together, and short lists still tell."""
PLACES_MOST: Final = 20_000
"""More places are not looked at: these, drawn by key, say enough, and a file of any size fits."""
TILTS: Final = tuple(0.02 * 1.4**step for step in range(16))
"""Where Chernoff's bound is tried, from 0.02 to 3; each alone would be valid."""
LOG_LEAST: Final = -300.0
"""Bounds below this are as good as it, and would be told as nothing at all."""
ROW: Final = ""
"""The column of what is a row itself: whether a canary is in the list."""
_PLAIN: Final = re.compile(r"-?\d{1,30}(?:\.\d{1,30})?")


class Label(msgspec.Struct, frozen=True, tag="label"):
    """One of a few words, each with a second spelling that means the same. Needs the row's id to be told."""

    spellings: tuple[tuple[str, str], ...]
    anchored = False

    def read(self, text: str) -> tuple[str, bool] | None:
        """The first spelling, and whether it was the second one."""
        for pair in self.spellings:
            if text in pair:
                return pair[0], text == pair[1]
        return None

    def write(self, meaning: str, digit: int) -> str:
        """The word, spelt one way or the other."""
        return next(pair for pair in self.spellings if pair[0] == meaning)[digit % 2]


class Trailing(msgspec.Struct, frozen=True, tag="trailing"):
    """An exact number, with or without a zero at its end: its value is not touched. A spreadsheet wipes it out."""

    anchored = True

    def read(self, text: str) -> tuple[str, bool] | None:
        """The number without its zeros, and whether it ended in one."""
        if not _PLAIN.fullmatch(text):
            return None
        whole, point, digits = text.partition(".")
        bare = digits.rstrip("0")
        return whole + ("." + bare if bare else ""), bool(point) and len(digits) > len(bare)

    def write(self, meaning: str, digit: int) -> str:
        """The number, with a zero or without."""
        if not digit % 2:
            return meaning
        return meaning + ("0" if "." in meaning else ".0")


class Fraction(msgspec.Struct, frozen=True, tag="fraction"):
    """An estimate (a valuation, say) of which so many decimals mean something; two more are written.

    They are under 50, so that rounding and cutting off both give the estimate. Never for an amount that is exact.
    """

    places: Annotated[int, msgspec.Meta(ge=0, le=18)]
    anchored = True

    def read(self, text: str) -> tuple[str, bool] | None:
        """The estimate, and whether the last decimal is odd."""
        if not _PLAIN.fullmatch(text):
            return None
        whole, _, digits = text.partition(".")
        # A spreadsheet drops zeros at the end; what stood behind the decimals that mean something is cut off.
        digits = digits.ljust(self.places + 2, "0")
        kept = digits[: self.places]
        return whole + ("." + kept if kept else ""), int(digits[self.places + 1]) % 2 == 1

    def write(self, meaning: str, digit: int) -> str:
        """The estimate with two decimals more, of which the last is odd or even."""
        return meaning + ("" if "." in meaning else ".") + f"{digit % 50:02}"


class Millisecond(msgspec.Struct, frozen=True, tag="millisecond"):
    """An instant in ISO 8601 of which the whole second means something; milliseconds are written."""

    anchored = True

    def read(self, text: str) -> tuple[str, bool] | None:
        """The second, in UTC, and whether the milliseconds are odd."""
        try:
            at = datetime.fromisoformat(text)
            if at.tzinfo is None:  # of which nobody knows what it means
                return None
            at = at.astimezone(UTC)
        except (ValueError, OverflowError):
            return None
        return at.isoformat(timespec="seconds").removesuffix("+00:00"), at.microsecond // 1000 % 2 == 1

    def write(self, meaning: str, digit: int) -> str:
        """The instant in UTC with milliseconds."""
        return f"{meaning}.{digit % 1000:03}Z"


Kind = Label | Trailing | Fraction | Millisecond


class Export(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is kept of an export: who had it, the id of the master key, which columns were marked how, and the canaries.

    `canaries` are the ids of all canary rows that could have been in it; those that were are part of the mark.
    """

    reader: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    key: Annotated[int, msgspec.Meta(ge=1, le=255)]
    row_id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    columns: dict[str, Kind]
    canaries: tuple[str, ...] = ()
    id: str = ""


class Suspect(NamedTuple):
    """A reader, his score (0 expected of the innocent, spread 1), and the bound of anybody innocent having as much."""

    reader: str
    score: float
    false_accusation: float


class KeyMissing(ValueError):
    """An export was marked by a master key that is not in the ring."""


class Traced(NamedTuple):
    """What a list said: who is named, most likely first; who came nearest; how many places of how many rows told it."""

    named: tuple[Suspect, ...]
    nearest: Suspect | None
    readers: int
    rows: int
    places: int

    def told(self) -> dict[str, object]:
        """The same for machines."""
        shown = [one._asdict() for one in self.named]
        nearest = self.nearest._asdict() if self.nearest else None
        return {"named": shown, "nearest": nearest, "readers": self.readers, "rows": self.rows, "places": self.places}

    def sentence(self) -> str:
        """The same for people."""
        whole = f"{self.rows} rows, {self.places} marked places, {self.readers} readers compared."
        if not self.named:
            return f"Nobody is named. {whole}"
        lines = [
            f"{one.reader}: score {one.score:.1f}; somebody innocent would be named in fewer than "
            f"{one.false_accusation:.1g} of such lists"
            for one in self.named
        ]
        together = "\nSeveral are named: they put their copies together, or one had them all." if len(lines) > 1 else ""
        return "\n".join(lines) + f"{together}\n{whole}"


class _Place(NamedTuple):
    """Where the list says something: its name, the secret bias, and what it says."""

    name: bytes
    bias: float
    second: bool


class Code:
    """Every reader's code word under one key. Example: `Code(masters.mark_keys()[1])`."""

    def __init__(self, key: bytes) -> None:
        """Derive the key of the biases from that of the marks."""
        self._key = key
        self._biases = hmac.digest(key, b"bias", "sha256")

    def name(self, column: str, anchor: str) -> bytes:
        """A place's name: 32 bytes that also order the places by key."""
        return hmac.digest(self._biases, _framed(column, anchor), "sha256")

    def bias(self, name: bytes) -> float:
        """How many readers have the second way here: arcsine-distributed, as Tardos found best."""
        edge = asin(sqrt(CUTOFF))
        return sin(edge + (pi / 2 - 2 * edge) * int.from_bytes(name[:8]) / 2**64) ** 2

    def reader(self, reader: str) -> CipherContext:
        """A reader's own code word: a block cipher under his key, which gives each place a number."""
        key = hmac.digest(self._key, _framed("reader", reader), "sha256")
        # One block a place, each place once: the cipher serves as a keyed function, and hides no text.
        return Cipher(AES(key), ECB()).encryptor()  # noqa: S305 - see above

    def drawn(self, reader: CipherContext, names: bytes) -> tuple[int, ...]:
        """What is drawn for the reader at places whose names, 16 bytes of each, stand one after another."""
        return unpack(">" + "Q8x" * (len(names) // 16), reader.update(names))

    def digit(self, reader: CipherContext, name: bytes) -> int:
        """A number from 0 to 999 that is odd where the reader has the second way.

        Its other digits are the same for all readers, so that only a bit tells two copies apart.
        """
        (drawn,) = self.drawn(reader, name[:16])
        return name[16] * 2 + (drawn < self.bias(name) * 2**64)


def marked(
    rows: Iterable[Mapping[str, str]], export: Export, key: bytes, canaries: Iterable[Mapping[str, str]] = ()
) -> Iterator[dict[str, str]]:
    """The rows as this reader is to have them: every meaning as it was, and the canaries that are his at the end.

    Shuffle or sort them afterwards; never put canaries into what an agency or a court is given. Cells that are not
    of their column's kind stay as they are.
    """
    code = Code(key)
    reader = code.reader(export.reader)
    for row in rows:
        yield _row(row, export, code, reader)
    for row in canaries:
        if code.digit(reader, code.name(ROW, row[export.row_id])) % 2:
            yield _row(row, export, code, reader)


def _row(row: Mapping[str, str], export: Export, code: Code, reader: CipherContext) -> dict[str, str]:
    written = dict(row)
    for column, kind in export.columns.items():
        told = kind.read(row.get(column, ""))
        anchor = _anchor(kind, told, row, export)
        if told is not None and anchor is not None:
            written[column] = kind.write(told[0], code.digit(reader, code.name(column, anchor)))
    return written


def _anchor(kind: Kind, told: tuple[str, bool] | None, row: Mapping[str, str], export: Export) -> str | None:
    """What names the place of a cell: its own meaning, or the row's id; None if the list has lost it."""
    return row.get(export.row_id) if told is None or not kind.anchored else told[0]


class Trace:
    """Reads a list row by row, in bounded memory, and says who had it. Example: `Trace(exports, keys, 1e-6)`."""

    def __init__(self, exports: Sequence[Export], keys: Mapping[int, bytes], most: float) -> None:
        """Compare with these exports; `most` is how often anybody innocent may be named. Raises KeyMissing."""
        self.most, self.rows = most, 0
        self._forms: dict[bytes, _Form] = {}
        for export in exports:
            if export.key not in keys:
                raise KeyMissing(f"an export of {export.reader} was marked by master key {export.key}, not in the ring")
            form = msgspec.msgpack.encode((export.key, export.row_id, sorted(export.columns.items())))
            found = self._forms.setdefault(form, _Form(export, Code(keys[export.key])))
            found.readers.add(export.reader)
            found.canaries.update(export.canaries)

    def add(self, row: Mapping[str, str]) -> None:
        """Take one row into account."""
        self.rows += 1
        for form in self._forms.values():
            form.add(row)

    def result(self) -> Traced:
        """Who had it, as far as the rows so far tell."""
        compared = sum(len(form.readers) for form in self._forms.values())
        suspects = [one for form in self._forms.values() for one in form.suspects(compared)]
        suspects.sort(key=lambda one: (one.false_accusation, -one.score))
        named: dict[str, Suspect] = {}
        for one in suspects:
            if one.false_accusation <= self.most:
                named.setdefault(one.reader, one)
        places = max((len(form.places()) for form in self._forms.values()), default=0)
        nearest = suspects[0] if suspects else None
        return Traced(tuple(named.values()), nearest, len({one.reader for one in suspects}), self.rows, places)


class _Form:
    """Exports that were marked alike: the same key, row id and columns."""

    def __init__(self, export: Export, code: Code) -> None:
        self.export, self.code = export, code
        self.readers: set[str] = set()
        self.canaries: set[str] = set()
        self._told: dict[bytes, bool | None] = {}
        self._kept: list[bytes] = []

    def add(self, row: Mapping[str, str]) -> None:
        """Note what the row's cells say; a place that says both is dropped, for it fits everybody."""
        for column, kind in self.export.columns.items():
            told = kind.read(row.get(column, ""))
            anchor = _anchor(kind, told, row, self.export)
            if told is not None and anchor is not None:
                self._note(self.code.name(column, anchor), second=told[1])
        if row.get(self.export.row_id) in self.canaries:
            self._note(self.code.name(ROW, row[self.export.row_id]), second=True)

    def _note(self, name: bytes, *, second: bool) -> None:
        """Keep the places whose names come last when read backwards: a draw by key, whatever order rows come in."""
        if name in self._told:
            if self._told[name] is not second:
                self._told[name] = None
            return
        # The bias comes from the first bytes, the draw from the last: the one must not lean on the other.
        entry = name[::-1]
        if len(self._kept) < PLACES_MOST:
            heapq.heappush(self._kept, entry)
        elif entry > self._kept[0]:
            del self._told[heapq.heappushpop(self._kept, entry)[::-1]]
        else:
            return
        self._told[name] = second

    def places(self) -> list[_Place]:
        """What the list says, place by place."""
        return [_Place(name, self.code.bias(name), second) for name, second in self._told.items() if second is not None]

    def suspects(self, compared: int) -> list[Suspect]:
        """Every reader with his score and its bound."""
        places = self.places()
        names = b"".join([place.name[:16] for place in places])
        scores = [_scores(place) for place in places]
        both = [(place.bias, *pair) for place, pair in zip(places, scores, strict=True)]
        bounds = [(tilt, sum([_moment(*one, tilt) for one in both])) for tilt in TILTS]
        told = [(bias * 2**64, first, second) for bias, first, second in both]
        found = []
        for reader in sorted(self.readers):
            drawn = self.code.drawn(self.code.reader(reader), names)
            ways = zip(drawn, told, strict=True)
            score = sum([second if one < edge else first for one, (edge, first, second) in ways])
            rare = min([0.0, *(moment - tilt * score for tilt, moment in bounds)])
            bound = min(1.0, compared * exp(max(rare, LOG_LEAST)))
            found.append(Suspect(reader, score / sqrt(max(len(places), 1)), bound))
        return found


def _scores(place: _Place) -> tuple[float, float]:
    """What a place says of a reader who has the first or the second way there: agreeing on what is rare counts most.

    Mean 0 and variance 1 for the innocent.
    """
    first, second = -sqrt(place.bias / (1 - place.bias)), sqrt((1 - place.bias) / place.bias)
    return (first, second) if place.second else (-first, -second)


def _moment(bias: float, first: float, second: float, tilt: float) -> float:
    """The logarithm of the mean of exp(tilt * score) over innocent readers."""
    return log((1 - bias) * exp(tilt * first) + bias * exp(tilt * second))


def _framed(*fields: str) -> bytes:
    """Fields one after another, each behind its length, so that no two lists of fields give the same bytes."""
    return b"".join(len(one.encode()).to_bytes(4) + one.encode() for one in fields)
