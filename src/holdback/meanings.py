"""What each number of a policy means, in one sentence, and why it is what it is.

The default policy says both beside the number, in the comment that ends in its sources in brackets; there is no other
place. A comment goes on in lines of its own, and what is said of a table stands for each of its keys that says nothing.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from holdback.core.policy import flat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdback.core.policy import Policy

UNITS: Final = (
    ("_usd_per_h", "USD an hour"),
    ("_usd", "USD"),
    ("_per_day", "a day"),
    ("_per_h", "an hour"),
    ("_percent", "%"),
    ("_percent_min", "%"),
    ("_percent_most", "%"),
    ("_permille", "‰"),
    ("_ppm", "in a million"),
    ("_px_min", "pixels"),
    ("_bytes", "bytes"),
    ("_centinats", "hundredths of a nat"),
    ("_centi", "hundredths"),
    ("_ms", "ms"),
    ("_ms_most", "ms"),
    ("_s", "seconds"),
    ("_m", "minutes"),
    ("_h", "hours"),
    ("_d", "days"),
)
"""How a key's end says its unit; the first that fits."""

_SOURCE: Final = re.compile(r"\s*\[([^\]]+)\]")
_HEADER: Final = re.compile(r"\[(\w+)\]\s*(?:#\s*(.*))?")
_FURTHER: Final = re.compile(r"\s*#\s?(.*)")


class Meaning(NamedTuple):
    """A sentence, and what it rests on: laws of the design, standards, incidents."""

    text: str
    sources: tuple[str, ...]


class Number(msgspec.Struct, frozen=True):
    """One entry of a policy: its value as people read it, its meaning, and whether it is looser than the default.

    `way` is looser, tighter or other where it differs from the default policy's `default`, and "" where it does not.
    """

    key: str
    value: str
    unit: str
    meaning: str
    sources: tuple[str, ...]
    default: str
    way: str


class Table(msgspec.Struct, frozen=True):
    """One table of a policy, and what it is about."""

    name: str
    about: str
    numbers: tuple[Number, ...]


def told(policy: Policy, default: Policy, text: str) -> list[Table]:
    """Every number of a policy with its meaning. `text` is the default policy's file."""
    known, differing = meanings(text), {one.key: one for one in policy.differences(default)}
    values = flat(msgspec.to_builtins(policy))
    found: dict[str, list[Number]] = {}
    # In the file's order, for what is said of one number may begin with "the same"; then what only this policy has.
    for key in dict.fromkeys((*(one for one in known if one in values), *values)):
        table, _, name = key.partition(".")
        if name:
            meaning, way = known.get(key) or known[table], differing.get(key)
            before, leans = (_value(way.before), way.way) if way is not None else ("", "")
            told_of = meaning.text, meaning.sources, before, leans
            found.setdefault(table, []).append(Number(key, _value(values[key]), unit(key), *told_of))
    return [Table(name, known[name].text, tuple(numbers)) for name, numbers in found.items()]


def unit(key: str) -> str:
    """What a key's value is counted in; "" where that needs no saying."""
    return next((said for end, said in UNITS if key.endswith(end)), "")


def meanings(text: str) -> dict[str, Meaning]:
    """What the comments of a policy's file say of each table and of each dotted key."""
    said: dict[str, str] = {}
    for key, comment in _comments(text):
        said[key] = f"{said[key]} {comment}" if key in said else comment
    found: dict[str, Meaning] = {}
    for key, comment in said.items():
        sources = tuple(one.strip() for group in _SOURCE.findall(comment) for one in group.split(";"))
        table = found.get(key.partition(".")[0])
        words = _SOURCE.sub("", comment).strip()
        found[key] = Meaning(words[:1].upper() + words[1:], sources or (table.sources if table is not None else ()))
    return found


def _comments(text: str) -> Iterator[tuple[str, str]]:
    """Each line's comment, with the table or key that it is said of."""
    table = about = ""
    for line in text.splitlines():
        if header := _HEADER.fullmatch(line):
            table = about = header[1]
            yield about, header[2] or ""
        elif further := _FURTHER.fullmatch(line):
            if about:
                yield about, further[1].strip()
        elif "=" in line and table:
            about = f"{table}.{line.partition('=')[0].strip()}"
            if comment := _behind(line):
                yield about, comment
        else:
            about = ""


def _behind(line: str) -> str:
    """What stands behind a value: the first `#` before which the line is whole begins a comment."""
    for found in re.finditer("#", line):
        try:
            tomllib.loads(line[: found.start()])
        except tomllib.TOMLDecodeError:
            continue
        return line[found.end() :].strip()
    return ""


def _value(value: object) -> str:
    """A value as people read it."""
    if isinstance(value, bool) or value is None:
        return "" if value is None else str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, dict):
        said = {name: one for name, one in value.items() if one or isinstance(one, int)}
        return ", ".join(f"{name} {_value(one)}" for name, one in said.items() if (name, one) != ("size_bytes", 0))
    if isinstance(value, list | tuple):
        return ", ".join(_value(one) for one in value) or "none"
    return str(value)
