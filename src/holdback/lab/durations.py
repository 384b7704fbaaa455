"""Durations as stories write them: `90s`, `15m`, `26h`, `3d` and sums such as `24h5m`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from holdback.core.events import DAY, HOUR, MINUTE

if TYPE_CHECKING:
    from holdback.core.events import Instant

_UNITS: Final = {"d": DAY, "h": HOUR, "m": MINUTE, "s": 1000}
_SPAN: Final = re.compile(r"([0-9]+[dhms])+")
_TERM: Final = re.compile(r"([0-9]+)([dhms])")


class Span(int):
    """Milliseconds from t0 on, or between two things; never negative."""

    __slots__ = ()


class Ago(int):
    """Milliseconds from t0, written `-3d`; never positive."""

    __slots__ = ()


class Never(int):
    """A `Span`, or -1 where the story says `never`."""

    __slots__ = ()


def parsed(kind: type, text: object) -> int:
    """Read one duration. Raises ValueError saying what was expected."""
    if not isinstance(text, str):
        msg = 'expected a duration in quotes, such as "15m"'
        raise ValueError(msg)  # noqa: TRY004 - msgspec adds the key's path to a ValueError
    if kind is Never and text == "never":
        return -1
    bare = text.removeprefix("-") if kind is Ago else text
    if not _SPAN.fullmatch(bare) or (kind is Ago and bare == text and _length(bare)):
        example = "-300d" if kind is Ago else "24h5m"
        msg = f"`{text}` is not a duration such as `{example}`"
        raise ValueError(msg)
    return -_length(bare) if kind is Ago else _length(bare)


def _length(text: str) -> int:
    return sum(int(number) * _UNITS[unit] for number, unit in _TERM.findall(text))


def spoken(ms: Instant) -> str:
    """A duration as stories write it, to the second: `1d2h5m`, `-25d`, `0m`."""
    rest, words = abs(ms) // 1000, ""
    for unit, length in _UNITS.items():
        number, rest = divmod(rest, length // 1000)
        words += f"{number}{unit}" if number else ""
    return ("-" if ms < 0 and words else "") + (words or "0m")
