"""Revoking API keys that stand on a leaked list: every line is looked at before the first key is touched."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from holdback.core.rules.api_key import ApiKeyLeaked
from holdback.ports import Wanted
from holdback.snapshots import Tampered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from holdback.service import Service

LINES_MOST: Final = 1_000_000
"""A list longer than this is another file."""
_LINE: Final = re.compile(r"([A-Za-z0-9_-]{1,64}):(k[0-9]{1,18})")


class BadList(ValueError):
    """The file is no list of keys; the message names the line."""


class Revoked(NamedTuple):
    """How many keys were revoked, and how many lines named none that there is (any more).

    `failed` are the accounts that could not be read, each once: what was altered is answered by nobody.
    """

    revoked: int
    unknown: int
    failed: tuple[str, ...] = ()


class _Said(msgspec.Struct):
    decision: str


def keys_of(lines: Iterable[str]) -> list[tuple[str, str]]:
    """Account and key of each line `account:key`, each once. Blank lines and those with `#` say nothing.

    Raises BadList.
    """
    found: dict[tuple[str, str], None] = {}
    for number, line in enumerate(lines, start=1):
        if number > LINES_MOST:
            raise BadList(f"line {number}: a list has at most {LINES_MOST:,} lines")
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        named = _LINE.fullmatch(text)
        if named is None:
            raise BadList(f"line {number}: must be a customer and a key, such as alice:k12")
        found[named[1], named[2]] = None
    return list(found)


async def revoke(service: Service, keys: Iterable[tuple[str, str]], done: Callable[[int], None]) -> Revoked:
    """Revoke each, and tell its owner; `done` is told after each how many were looked at.

    It may be run again after it was cut off: a key that is gone is one that is unknown. An account that was altered in
    the store does not keep the others' keys alive. Raises StoreUnavailable.
    """
    revoked = unknown = 0
    failed: dict[str, None] = {}
    for number, (account, key) in enumerate(keys, start=1):
        try:
            gone = await _revoked(service, account, key)
            revoked, unknown = revoked + gone, unknown + (not gone)
        except Tampered:
            failed[account] = None
        done(number)
    return Revoked(revoked, unknown, tuple(failed))


async def _revoked(service: Service, account: str, key: str) -> bool:
    """Whether there was such a key, which there is no more. Raises Tampered, StoreUnavailable."""
    loaded = await service.store.read([Wanted(account)])
    row = loaded.snapshots.get(account)
    if row is None or key not in service.tools.snapshots.head(row).api_keys:
        return False
    answer = await service.record(account, ApiKeyLeaked(key))
    return msgspec.json.decode(answer, type=_Said).decision == "allow"
