"""Reading lists that came from anywhere, as rows of text: CSV with its usual separators, or JSON lines.

Whoever leaked the file made it, so everything is bounded: a line, a row's cells, the file's rows. Nothing in it is ever
run, followed or opened.
"""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Final

import msgspec

from holdback.marking import Export

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

LINE_MOST: Final = 256 * 1024
CELLS_MOST: Final = 1_000
ROWS_MOST: Final = 20_000_000
EXPORTS_MOST: Final = 64 * 1024 * 1024
SEPARATORS: Final = (",", ";", "\t", "|")
TOLD_EVERY: Final = 1_000


class BadLeak(ValueError):
    """A file that cannot be read as a list. The message says which line, and what is wrong with it."""


def exports_of(path: Path) -> list[Export]:
    """The export records of a JSON file. Raises BadLeak."""
    if path.stat().st_size > EXPORTS_MOST:
        raise BadLeak(f"{path}: more than {EXPORTS_MOST // 1024 // 1024} MiB of export records")
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Export])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadLeak(f"{path}: not a list of export records: {error}") from error


def renamed(pairs: Iterable[str]) -> dict[str, str]:
    """The exported name of each leaked column, of pairs `exported=leaked`. Raises BadLeak."""
    names: dict[str, str] = {}
    for pair in pairs:
        exported, equals, leaked = pair.partition("=")
        if not equals or not exported or not leaked or leaked in names:
            raise BadLeak(f"`{pair}` is not exported=leaked, or names a leaked column twice")
        names[leaked] = exported
    return names


def rows(
    path: Path, names: Mapping[str, str], report: Callable[[int], None] = lambda _read: None
) -> Iterator[dict[str, str]]:
    """The rows of a file under the names that the export had (`names` of `renamed`). Raises BadLeak.

    `report` is told every now and then how many bytes were read.
    """
    for _, row in numbered(path, report):
        yield {names.get(column, column): cell for column, cell in row.items()}


def numbered(path: Path, report: Callable[[int], None] = lambda _read: None) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a file, each with the line that it ends on. Raises BadLeak; `report` as above."""
    with path.open("rb") as source:
        lines = _lines(source, report)
        first = next(lines, "")
        found = _json(first, lines) if first.lstrip().startswith("{") else _csv(first, lines)
        for number, row in enumerate(found, start=1):
            if number > ROWS_MOST:
                raise BadLeak(f"{path}: more than {ROWS_MOST:,} lines; split the file")
            yield row


def _lines(source: BinaryIO, report: Callable[[int], None]) -> Iterator[str]:
    read, number = 0, 0
    while line := source.readline(LINE_MOST + 1):
        number += 1
        read += len(line)
        if len(line) > LINE_MOST:
            raise BadLeak(f"line {number} is longer than {LINE_MOST // 1024} KiB")
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise BadLeak(f"line {number} is not UTF-8; convert the file first") from None
        if "\0" in text:
            raise BadLeak(f"line {number} holds a zero byte: this is no text")
        if not number % TOLD_EVERY:
            report(read)
        yield text
    report(read)


def _csv(first: str, lines: Iterator[str]) -> Iterator[tuple[int, dict[str, str]]]:
    separator = max(SEPARATORS, key=first.count)

    def every() -> Iterator[str]:
        yield first
        yield from lines

    reader = csv.reader(every(), delimiter=separator)
    try:
        columns = [one.strip() for one in next(reader, [])]
        if not any(columns) or len(columns) > CELLS_MOST:
            raise BadLeak(f"the first line must name the columns, 1 to {CELLS_MOST} of them")
        if len(set(columns)) < len(columns):
            raise BadLeak("the first line names a column twice")
        for cells in reader:
            yield reader.line_num, {column: cell.strip() for column, cell in zip(columns, cells, strict=False)}
    except csv.Error as error:
        raise BadLeak(f"line {reader.line_num}: {error}") from error


def _json(first: str, lines: Iterator[str]) -> Iterator[tuple[int, dict[str, str]]]:
    number, line = 1, first
    while line:
        if line.strip():
            yield number, _object(number, line)
        number, line = number + 1, next(lines, "")


def _object(number: int, line: str) -> dict[str, str]:
    """One line's object, its numbers as they were written."""
    try:
        row = json.loads(line, parse_float=str, parse_int=str)
    except (ValueError, RecursionError) as error:
        raise BadLeak(f"line {number} is not JSON: {error}") from error
    if not isinstance(row, dict) or len(row) > CELLS_MOST:
        raise BadLeak(f"line {number} is not an object of at most {CELLS_MOST} fields")
    return {column: cell for column, cell in row.items() if isinstance(cell, str)}
