"""How a customer's state is kept: encoded, numbered, and under a keyed MAC that is checked at every load (law 9).

The MAC of a head covers version, account, number and link of the last entry, encoded state and wrapped key; that of a
part covers account, kind, name and body. A row that was edited by hand, or moved to another account, raises Tampered.
What is not noticed at load, an older part row put back in place of a newer one, is found by `holdback verify`.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from holdback.core.events import ENCODER, stored_decoder
from holdback.core.profile import Profile
from holdback.core.state import STATE_VERSION, Beneficiary, Credential, Customer, Device, Head, Part, PartKey, Program
from holdback.core.trade_meter import TradeMeter
from holdback.ports import PartRow, Snapshot, Wanted

if TYPE_CHECKING:
    from holdback.core.events import Instant
    from holdback.ports import Store
    from holdback.sealing import CustomerKey, MasterKeys


class Tampered(Exception):
    """A stored row does not carry the MAC that Holdback would have written. Nothing is decided on it."""


class NewerState(Exception):
    """The snapshot was written by a newer program; this one would drop its fields, so it refuses."""


_HEAD: Final = stored_decoder(Head)
_PARTS: Final[dict[str, Any]] = {
    "beneficiary": stored_decoder(Beneficiary),
    "device": stored_decoder(Device),
    "credential": stored_decoder(Credential),
    "profile": stored_decoder(Profile),
    "api_key": stored_decoder(Program),
    "trading": stored_decoder(TradeMeter),
}


KEYS_KEPT: Final = 50_000
"""How many opened keys of customers are kept in memory."""


HEADS_KEPT: Final = 500
"""How many checked and decoded heads are kept: each question reads its customer twice, before and under the lock."""


class Snapshots:
    """Reads and writes a customer's rows with one ring of master keys."""

    def __init__(self, masters: MasterKeys) -> None:
        """Check and write MACs with these keys."""
        self._masters = masters
        self._keys: OrderedDict[tuple[str, bytes], CustomerKey] = OrderedDict()
        self._heads: OrderedDict[str, tuple[Snapshot, Head]] = OrderedDict()

    def key_of(self, account: str, wrapped: bytes) -> CustomerKey:
        """A customer's key, opened once and kept while it is among the last opened.

        An import that is not committed leaves a key that is nobody's, so the account's name alone does not find it.
        """
        key = self._keys.get((account, wrapped))
        if key is None:
            key = self._keys[account, wrapped] = self._masters.unwrap(wrapped)
            if len(self._keys) > KEYS_KEPT:
                self._keys.popitem(last=False)
        return key

    def head(self, row: Snapshot) -> Head:
        """The head of a row. Raises Tampered or NewerState.

        A row that is byte for byte the one that was checked last is as good as checked.
        """
        kept = self._heads.get(row.account)
        if kept is not None and kept[0] == row:
            return kept[1]
        head = self.checked(row)
        self._heads[row.account] = row, head
        if len(self._heads) > HEADS_KEPT:
            self._heads.popitem(last=False)
        return head

    def checked(self, row: Snapshot) -> Head:
        """The head of a row, checked and decoded anew however lately it was. Raises Tampered or NewerState."""
        if row.version > STATE_VERSION:
            raise NewerState(row.account)
        good = self._masters.check_snapshot(row.version, row.account, row.seq, row.link, row.head, row.key, row.mac)
        if not good:
            raise Tampered(row.account)
        head = _HEAD.decode(row.head)
        if head.seq != row.seq or head.account != row.account:
            raise Tampered(row.account)
        return head

    def part(self, row: PartRow) -> Part:
        """The part of a row. Raises Tampered."""
        if not self._masters.check_part(row.account, row.kind, row.name, row.body, row.mac):
            raise Tampered(row.account)
        part: Part = _PARTS[row.kind].decode(row.body)
        return part

    def credential(self, row: PartRow) -> Credential:
        """The credential of a row. Raises Tampered."""
        part = self.part(row)
        if not isinstance(part, Credential):
            raise Tampered(row.account)
        return part

    def customer(self, row: Snapshot, parts: list[PartRow]) -> Customer:
        """A customer with those parts that were loaded."""
        return Customer(self.head(row), {(one.kind, one.name): self.part(one) for one in parts})

    def row(self, head: Head, link: bytes, key: bytes) -> Snapshot:
        """The row that keeps a head after the entry with this link; the head before it is not wanted any more."""
        self._heads.pop(head.account, None)
        body = ENCODER.encode(head)
        mac = self._masters.snapshot_mac(STATE_VERSION, head.account, head.seq, link, body, key)
        return Snapshot(head.account, STATE_VERSION, head.seq, link, body, mac, key)

    def part_row(self, account: str, key: PartKey, part: Part) -> PartRow:
        """The row that keeps a part."""
        kind, name = key
        body = ENCODER.encode(part)
        alike = part.address.alike if isinstance(part, Beneficiary) and part.address else b""
        return PartRow(account, kind, name, alike, body, self._masters.part_mac(account, kind, name, body))


class Seen(NamedTuple):
    """A customer as read without a lock, for those who only look."""

    row: Snapshot
    head: Head
    key: CustomerKey
    now: Instant


async def seen(store: Store, snapshots: Snapshots, account: str) -> Seen | None:
    """Read a customer; a sub-account's id reads its family. None if there is none. Raises Tampered."""
    main, _, sub = account.partition(".")
    loaded = await store.read([Wanted(main)])
    row = loaded.snapshots.get(main)
    if row is None:
        return None
    head = snapshots.head(row)
    if sub and sub not in head.sub_accounts:
        return None
    return Seen(row, head, snapshots.key_of(main, row.key), max(loaded.now, head.at))
