"""Importing lists of addresses that nobody is paid at: the operator's own, and those that authorities publish.

A list is a table with a column `address` and, if it says so, `network` and `memo`. Of each address a keyed hash of its
one spelling is kept, and nothing else: an address that is on a list is on it for every network that it could be used
on, and for every memo unless its line does. What is written as no listed network writes addresses could not be paid
anyway; it is left out, and its lines are named.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from holdback.addresses import BadMemo, normal, normals
from holdback.core.events import DAY
from holdback.core.policy import LIST_NAME
from holdback.ports import ListRow
from holdback.sharing import LISTED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    from holdback.core.events import Instant
    from holdback.core.policy import Network
    from holdback.judging import Tools
    from holdback.ports import Store

BATCH: Final = 2_000
"""Rows that are handed to the store at once."""
NAMED_MOST: Final = 1_000
"""The most lines left out that are named; of more, so many."""

_NAME: Final = re.compile(LIST_NAME)
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:+/-]{0,63}")


class BadTable(ValueError):
    """A list that cannot be used. The old one stays."""


class Imported(NamedTuple):
    """A list as it counts from now on, how many lines were left out, and which: the first of them."""

    row: ListRow
    left_out: int
    lines: tuple[int, ...]


class Standing(NamedTuple):
    """How a list stands; `fault` is why it counts for nothing, "" if it does."""

    name: str
    version: str
    at: Instant
    entries: int
    required: bool
    fault: str


async def standing(store: Store, tools: Tools) -> list[Standing]:
    """Every list there is or must be, in order of their names."""
    policy, now = tools.policy.lists, (await store.read([])).now
    there = {row.name: row for row in await store.lists()}
    found = []
    for name in sorted({*there, *policy.required}):
        row, fault = there.get(name), ""
        if row is None:
            fault = "missing"
        elif row.key_id not in tools.masters.ids:
            fault = "hashed under a key that is gone: import it again"
        elif now >= row.at + policy.age_d * DAY:
            fault = "too old"
        shown = (row.version, row.at, row.entries) if row is not None else ("", 0, 0)
        found.append(Standing(name, *shown, name in policy.required, fault))
    return found


class Importing:
    """One import. Example: `await Importing(store, tools).take("ofac", "2026-11-21", leaks.numbered(path))`."""

    def __init__(self, store: Store, tools: Tools) -> None:
        """Hash with the keys of `tools`, and read addresses as its policy's networks write them."""
        self._store = store
        self._masters = tools.masters
        self._networks: Mapping[str, Network] = tools.policy.networks
        self._read = self._left_out = 0
        self._lines: list[int] = []

    async def take(self, name: str, version: str, lines: Iterable[tuple[int, Mapping[str, str]]]) -> Imported:
        """Put a list in place of the one of its name. Raises BadTable, and what `lines` raises; the old one stays.

        Each line comes with its number; blank ones are passed over.
        """
        if not _NAME.fullmatch(name):
            raise BadTable("a list's name is 1 to 32 small letters, digits, `.`, `_` or `-`")
        if not _VERSION.fullmatch(version):
            raise BadTable("a list's version is 1 to 64 letters, digits, spaces or `._:+/-`")
        wanted = ListRow(name, version, 0, self._masters.current_id, 0)
        row = await self._store.put_list(wanted, self._batches(lines))
        return Imported(row, self._left_out, tuple(self._lines))

    async def _batches(self, lines: Iterable[tuple[int, Mapping[str, str]]]) -> AsyncIterator[Sequence[bytes]]:
        batch: list[bytes] = []
        for number, cells in lines:
            batch += self._keys(number, cells) if any(cells.values()) else ()
            if len(batch) >= BATCH:
                yield batch
                batch = []
        if batch:
            yield batch
        if self._read == self._left_out:
            raise BadTable("it holds no address of a network that is listed here; nothing was changed")

    def _keys(self, number: int, cells: Mapping[str, str]) -> list[bytes]:
        self._read += 1
        if "address" not in cells:
            raise BadTable(f"line {number} has no `address`: the first line must name the columns, one of them that")
        try:
            found = self._spelled(*((cells.get(name) or "").strip() for name in ("address", "network", "memo")))
        except BadMemo as error:
            raise BadTable(f"line {number}: the memo {error}") from None
        except ValueError as error:
            raise BadTable(f"line {number}: the address {error}") from None
        if not found:
            self._left_out += 1
            self._lines += [number] if len(self._lines) < NAMED_MOST else []
        return [self._masters.lookup_hash(LISTED, one) for one in sorted(found)]

    def _spelled(self, address: str, network: str, memo: str) -> frozenset[str]:
        """In every spelling that it is compared by. One that is wrong for the network it is said to be on stops all.

        A label that the policy does not know says nothing: authorities write tickers, XBT or ETH, and the address may
        be payable here for all that.
        """
        listed = self._networks.get(network.lower())
        if listed is not None:
            normal(listed, address)
        return normals(self._networks.values() if listed is None else [listed], address, memo)
