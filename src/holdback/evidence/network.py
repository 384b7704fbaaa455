"""Where a network address is: country and network by the operator's own databases, and what kind of network it is.

Holdback ships no database: every packaged one is stale or may not be passed on. A database is any in MaxMind's format
with a country or an autonomous system in its records, as MaxMind, DB-IP and IPinfo lay them out. One that is missing,
broken or older than the policy believes is not asked, and the fact names why it could not be had. Coordinates are
never looked at, so nobody can be said to have travelled impossibly far because some were missing.

A look-up reads a mapped file and takes microseconds; nothing asks the network.
"""

from __future__ import annotations

import importlib
import ipaddress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import maxminddb

from holdback.core.events import DAY
from holdback.ports import Whence

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from holdback.core.events import Instant

UNSET, BROKEN, STALE, UNLISTED, MALFORMED = "unset", "broken", "stale", "unlisted", "malformed"
"""Why a fact could not be had: no database, none that can be read, too old, not in it, no address at all."""

_KINDS: Final = {"hosting": "hosting", "cdn": "hosting", "bot": "hosting", "vpn": "vpn", "tor": "tor"}
"""iporigin's kinds as the policy's; all others are unlisted."""


class _Opened(NamedTuple):
    """A database with the stamp of the file it was read from, and when it was built, in ms."""

    stamp: tuple[int, int]
    reader: maxminddb.Reader
    built_at: Instant


class _Database:
    """One file, opened at the first question and again when it was replaced."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._opened: _Opened | None = None

    def record(self, address: str, now: Instant, age_ms: int) -> tuple[dict[str, Any], str]:
        """The record of an address and "", or nothing and why."""
        if self._path is None:
            return {}, UNSET
        try:
            opened = self._current(self._path)
            if now - opened.built_at > age_ms:
                return {}, STALE
            found = opened.reader.get(address)
        except (OSError, ValueError, maxminddb.InvalidDatabaseError):
            return {}, BROKEN
        return (found, "") if isinstance(found, dict) else ({}, UNLISTED)

    def _current(self, path: Path) -> _Opened:
        status = path.stat()
        stamp = (status.st_mtime_ns, status.st_size)
        if self._opened is None or self._opened.stamp != stamp:
            reader = maxminddb.open_database(path)
            self._opened = _Opened(stamp, reader, reader.metadata().build_epoch * 1000)
        return self._opened


class Networks:
    """Looks addresses up. Databases older than `age_d` days are not believed.

    Example: `Networks(Path("country.mmdb"), Path("asn.mmdb"), age_d=45).whence("192.0.2.1", now)`.
    """

    def __init__(self, country: Path | None, asn: Path | None, *, age_d: int) -> None:
        """Open nothing yet. Kinds of network are told only where the extra `network` (iporigin) is installed."""
        self._country, self._asn = _Database(country), _Database(asn)
        self._age_ms = age_d * DAY
        self._origins = _Origins(self._age_ms)

    def whence(self, address: str, now: Instant) -> Whence:
        """What is known of an address, and the name and reason of each fact that is not."""
        parsed = _parsed(address)
        if parsed is None:
            return Whence((), "", 0, "", (f"address:{MALFORMED}",))
        text = str(parsed)
        record, no_country = self._country.record(text, now, self._age_ms)
        country = _country(record)
        record, no_asn = self._asn.record(text, now, self._age_ms)
        asn = _asn(record)
        origin, no_origin = self._origins.kind(text, now)
        reasons = {
            "country": "" if country else no_country or UNLISTED,
            "asn": "" if asn else no_asn or UNLISTED,
            "origin": no_origin,
        }
        missing = tuple(f"{name}:{reason}" for name, reason in reasons.items() if reason)
        return Whence(_blocks(parsed), country, asn, origin, missing)


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address, out of its IPv6 form where it is an IPv4 one; None if it is none."""
    try:
        address = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _blocks(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> tuple[str, str]:
    """The network around an address, and the address: a /24 and itself, or a /48 and the /64 that one home has.

    The last half of an IPv6 address changes every day by itself (RFC 8981) and tells nothing.
    """
    wide, narrow = (24, 32) if address.version == 4 else (48, 64)  # noqa: PLR2004 - the version's own number
    networks = (ipaddress.ip_network((address, bits), strict=False) for bits in (wide, narrow))
    first, second = (str(one) for one in networks)
    return first, second


def _country(record: dict[str, Any]) -> str:
    """An ISO 3166 code, as MaxMind and DB-IP (`country.iso_code`) or IPinfo (`country_code`, `country`) write it."""
    named = record.get("country")
    code = named.get("iso_code") if isinstance(named, dict) else record.get("country_code", named)
    two = isinstance(code, str) and len(code) == 2 and code.isascii() and code.isalpha()  # noqa: PLR2004 - ISO 3166 alpha-2
    return str(code).upper() if two else ""


def _asn(record: dict[str, Any]) -> int:
    """An autonomous system's number, as MaxMind and DB-IP (a number) or IPinfo (`AS64500`) write it."""
    number = record.get("autonomous_system_number", record.get("asn"))
    digits = str(number).upper().removeprefix("AS")
    return int(digits) if digits.isascii() and digits.isdecimal() and int(digits) < 2**32 else 0


class _Origins:
    """What iporigin says, if it is there and not too old."""

    def __init__(self, age_ms: int) -> None:
        self._age_ms = age_ms
        self._found: tuple[Callable[[str], Any], Instant] | None = None
        self._looked = False

    def kind(self, address: str, now: Instant) -> tuple[str, str]:
        """The kind of network and "", or nothing and why."""
        if not self._looked:
            self._found, self._looked = _iporigin(), True
        if self._found is None:
            return "", UNSET
        classify, built_at = self._found
        if now - built_at > self._age_ms:
            return "", STALE
        return _KINDS.get(classify(address).kind, "unlisted"), ""


def _iporigin() -> tuple[Callable[[str], Any], Instant] | None:
    """How to classify, and when what it goes by was built; None without the extra."""
    try:
        module = importlib.import_module("iporigin")
        return module.classify, int(module.dataset_info()["built_at"]) * 1000
    except (ImportError, OSError, ValueError):
        return None
