"""What the stores share: how a batch is put in order before it is written, and the record format of a back-up.

A back-up is a series of MessagePack records `[kind, row]`. The first is a `Header`, the last an `End` with the number
of rows and the SHA-256 of all records before it, so that one cut short or altered by accident is refused. It proves
nothing against someone who means it: the rows' own MACs and chains do that.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from holdback.core.events import (
    DAY,
    HOUR,
    Instant,
)
from holdback.core.ledger import Entry
from holdback.ports import (
    HOURS_FROM,
    SMALL_BOOK,
    Answer,
    Conflict,
    KeyRow,
    ListedRow,
    ListRow,
    NoticeRow,
    PartRow,
    Price,
    Sighting,
    Sightings,
    Snapshot,
    Wanted,
    WebhookRow,
    Writes,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FORMAT: Final = 2
"""The back-up format this program writes, and the newest it reads. A row that gains a field, or a new kind, is one."""

ALIKE_LIMIT: Final = 8
"""The most look-alikes one request is given (ports.Wanted)."""


class Plan(NamedTuple):
    """What a batch of requests wants loaded, without repeats; accounts in the order their locks are taken."""

    accounts: list[str]
    parts: list[tuple[str, str, str]]
    alikes: list[tuple[str, bytes]]
    assets: list[str]
    answers: list[tuple[str, str]]
    whole: list[str]
    shared: list[bytes]


def plan(wanted: Sequence[Wanted]) -> Plan:
    """Gather a batch's wishes."""
    return Plan(
        accounts=sorted({w.account for w in wanted}),
        parts=list({(w.account, kind, name): None for w in wanted for kind, name in w.parts}),
        alikes=list({(w.account, w.alike): None for w in wanted if w.alike}),
        assets=list({asset: None for w in wanted for asset in w.assets}),
        answers=list({w.answer: None for w in wanted if w.answer}),
        whole=sorted({w.account for w in wanted if w.whole}),
        shared=sorted({key for w in wanted for key in w.shared}),
    )


def seen(rows: Iterable[Sighting], firsts: Mapping[bytes, int]) -> dict[bytes, Sightings]:
    """The sightings of each key, given the newest first and the first day of each."""
    found: dict[bytes, list[Sighting]] = {}
    for row in rows:
        found.setdefault(row.key, []).append(row)
    return {key: Sightings(firsts[key], tuple(rows)) for key, rows in found.items()}


def ages(before: Instant) -> tuple[tuple[int, int], tuple[int, int]]:
    """From which day, and which hour, up to which sightings are of before an instant."""
    return (0, min(before // DAY, HOURS_FROM)), (HOURS_FROM, before // HOUR)


def named(rows: Iterable[tuple[bytes, str]]) -> dict[bytes, tuple[str, ...]]:
    """The lists that each key is on."""
    found: dict[bytes, list[str]] = {}
    for key, name in rows:
        found.setdefault(key, []).append(name)
    return {key: tuple(sorted(names)) for key, names in found.items()}


def grouped(rows: Iterable[PartRow]) -> dict[str, list[PartRow]]:
    """Part rows by account, each once, although a row may be found both by name and by look."""
    found: dict[str, dict[tuple[str, str], PartRow]] = {}
    for row in rows:
        found.setdefault(row.account, {})[row.kind, row.name] = row
    return {account: list(parts.values()) for account, parts in found.items()}


def small_books(asked: Iterable[str], rows: Iterable[PartRow]) -> frozenset[str]:
    """The accounts of which all parts are among the rows: one more than a small book holds was asked for."""
    counted = Counter(map(attrgetter("account"), rows))
    return frozenset(account for account in asked if counted[account] <= SMALL_BOOK)


def settled(writes: Writes) -> Writes:
    """One row per key, in the one order in which all writers take unique keys, so that none wait for each other.

    Raises Conflict if two heads of one account don't follow each other, ValueError for a part without its snapshot.
    """
    heads: dict[str, tuple[int, Snapshot]] = {}
    for expected, snapshot in writes.snapshots:
        before = heads.get(snapshot.account)
        if before is not None and before[1].seq != expected:
            raise Conflict("two heads of one account in one batch do not follow each other")
        heads[snapshot.account] = (before[0] if before else expected, snapshot)
    parts = {(part.account, part.kind, part.name): part for part in writes.parts}
    if not heads.keys() >= {account for account, _, _ in parts}:
        raise ValueError("a part is written without its account's snapshot")
    sent = set(writes.sent)
    desk = {(row.account, row.kind, row.id): row for row in writes.desk}
    return Writes(
        entries=sorted(writes.entries),
        snapshots=[heads[account] for account in sorted(heads)],
        parts=[parts[key] for key in sorted(parts)],
        # One statement does not see what it inserts, so it would not delete it either.
        notices=sorted(one for one in writes.notices if one.id not in sent),
        answers=sorted(writes.answers),
        names=sorted(set(writes.names)),
        sent=sorted(sent),
        desk=[desk[key] for key in sorted(desk)],
        off_desk=sorted(set(writes.off_desk) - desk.keys()),
        webhooks=sorted(writes.webhooks),
        sightings=sorted(set(writes.sightings)),
        flows=writes.flows,
        tripped_at=writes.tripped_at,
        as_of=writes.as_of,
    )


def newest_prices(prices: Iterable[Price]) -> list[Price]:
    """The newest price of each asset, in order of asset."""
    newest: dict[str, Price] = {}
    for price in prices:
        if price.asset not in newest or newest[price.asset].at <= price.at:
            newest[price.asset] = price
    return [newest[asset] for asset in sorted(newest)]


class Header(NamedTuple):
    """The first record; `at` is when the copy was made."""

    format: int
    at: Instant


class End(NamedTuple):
    """The last record."""

    rows: int
    sha256: bytes


class Name(NamedTuple):
    """A sign-in name's lookup hash and its account."""

    name: bytes
    account: str


class Letter(NamedTuple):
    """A notice as it is kept: `dead_at` is when it was given up."""

    notice: NoticeRow
    dead_at: Instant | None


class Hook(NamedTuple):
    """A message to the platform as it is kept: when it is tried next, and when it was given up."""

    message: WebhookRow
    try_at: Instant
    dead_at: Instant | None


Row = Snapshot | Entry | PartRow | Letter | Answer | Name | Price | KeyRow | Hook | ListRow | ListedRow | Sighting

KINDS: Final[dict[str, type[Row]]] = {
    "customer": Snapshot,
    "entry": Entry,
    "part": PartRow,
    "letter": Letter,
    "answer": Answer,
    "name": Name,
    "price": Price,
    "key": KeyRow,
    "hook": Hook,
    "list": ListRow,
    "listed": ListedRow,
    "sighting": Sighting,
}
"""The kinds of rows, in the order in which they are dumped."""

_NAMES: Final[dict[type, str]] = {row: name for name, row in KINDS.items()} | {Header: "holdback", End: "end"}
_RECORD: Final = msgspec.msgpack.Decoder(tuple[str, msgspec.Raw])
_ROWS: Final[dict[str, msgspec.msgpack.Decoder[Any]]] = {
    name: msgspec.msgpack.Decoder(row) for row, name in _NAMES.items()
}


class Packer:
    """Writes records. Call `pack` with a Header, then each row, and keep what `end` returns too."""

    def __init__(self) -> None:
        """Begin with nothing packed."""
        self._sha256 = hashlib.sha256()
        self._rows = 0
        self._encoder = msgspec.msgpack.Encoder()

    def pack(self, row: Header | Row) -> bytes:
        """One record."""
        record = self._encoder.encode((_NAMES[type(row)], row))
        self._sha256.update(record)
        self._rows += not isinstance(row, Header)
        return record

    def end(self) -> bytes:
        """The last record."""
        return self._encoder.encode((_NAMES[End], End(self._rows, self._sha256.digest())))


class Unpacker:
    """Reads records in the order they were packed. All methods raise ValueError on what is not a whole back-up."""

    def __init__(self) -> None:
        """Begin before the header."""
        self._sha256 = hashlib.sha256()
        self._begun = False
        self._ended = False
        self.rows = 0

    def unpack(self, record: bytes) -> Row | None:
        """The row a record holds; None at the beginning and the end."""
        if self._ended:
            raise ValueError("there is a record after the end of the back-up")
        try:
            kind, raw = _RECORD.decode(record)
            row = _ROWS[kind].decode(raw)
        except (msgspec.DecodeError, KeyError) as error:
            raise ValueError(f"record {self.rows + 1} is none of a back-up this program can read") from error
        if isinstance(row, Header) == self._begun:
            raise ValueError("the back-up does not begin with its one header")
        return self._taken(row, record)

    def _taken(self, row: Header | Row | End, record: bytes) -> Row | None:
        if isinstance(row, End):
            if row != End(self.rows, self._sha256.digest()):
                raise ValueError("the back-up's rows are not those that its end counts")
            self._ended = True
            return None
        self._begun = True
        self._sha256.update(record)
        if isinstance(row, Header):
            if row.format > FORMAT:
                raise ValueError(f"the back-up has format {row.format}, this program reads up to {FORMAT}")
            return None
        self.rows += 1
        return row

    def finish(self) -> int:
        """How many rows there were."""
        if not self._ended:
            raise ValueError("the back-up is cut short")
        return self.rows
