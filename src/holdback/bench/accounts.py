"""Accounts for benchmarks: one lived through the real core, then copied under other names, keys and seals.

The copies are real customers to every check (own wrapped key, own sealed fields, own MACs); only their chain begins
with the head they are given. Living a year through the core for each of 100,000 would take longer than the bench.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import pyotp

from holdback.core.decide import advance
from holdback.core.decision import Context, Facts, PriceFact, Proof
from holdback.core.events import (
    DAY,
    ENCODER,
    HOUR,
    Actor,
    ActorKind,
    AuthenticatorKind,
    Channel,
    Destination,
    NoticeDue,
    Sealed,
)
from holdback.core.rules.account import AccountImport, ImportedAuthenticator, ImportedContact
from holdback.core.rules.address import AddressAdd
from holdback.core.rules.asking import Request
from holdback.core.rules.exit import ExitRequest
from holdback.core.rules.notice import NoticeOutcome
from holdback.core.rules.session import SessionStart
from holdback.core.state import NOBODY, STATE_VERSION, Customer
from holdback.intake import token_hash
from holdback.ports import PartRow, Price, Snapshot, Writes

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdback.core.events import Instant
    from holdback.core.policy import Policy
    from holdback.core.rules.asking import Action
    from holdback.judging import Tools
    from holdback.ports import Store
    from holdback.sealing import CustomerKey

ADDRESS: Final = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
SECRET: Final = pyotp.random_base32(32)
NAME: Final = "u0000000"
PRICE: Final = 60_000_000_000
"""Micro-USD for a whole coin."""
CHUNK: Final = 500
"""Accounts written in one transaction."""


class Model(NamedTuple):
    """The account that was lived, and the key its fields are sealed under."""

    customer: Customer
    key: CustomerKey


def lived(tools: Tools, now: Instant) -> Model:
    """An account with a year behind it: an old beneficiary, thirteen payments, three devices, a session of now."""
    key = tools.masters.unwrap(tools.masters.new_key())
    life = _Life(key, tools.policy, now - 400 * DAY)
    contacts = [(Channel.EMAIL, "owner-0000000@example.com"), (Channel.SMS, "+4915100000000")]
    life.ask(
        AccountImport(
            key.seal(NAME),
            (
                ImportedAuthenticator(AuthenticatorKind.PASSWORD, key.seal("x" * 97)),
                ImportedAuthenticator(AuthenticatorKind.TOTP, key.seal(base64.b32decode(SECRET).hex())),
            ),
            tuple(ImportedContact(channel, key.seal(address)) for channel, address in contacts),
            equity_usd="40000",
        ),
        platform=True,
    )
    life.at += 80 * HOUR
    life.ask(SessionStart(), session=_session(NAME))
    life.ask(AddressAdd(key.seal("cold"), "bitcoin", key.seal_destination(ADDRESS)), session=_session(NAME))
    for _ in range(13):
        life.at += 29 * DAY
        life.ask(SessionStart(), session=_session(NAME))
        payment = ExitRequest("withdrawal", "BTC", "0.02", None, key.seal_destination(ADDRESS), "bitcoin")
        life.ask(payment, session=_session(NAME))
    life.at = now
    life.ask(SessionStart(), session=_session(NAME))
    return Model(life.customer, key)


class _Life:
    """A customer's steps through the core, each with right proofs, each notice accepted at once."""

    def __init__(self, key: CustomerKey, policy: Policy, at: Instant) -> None:
        self.key, self.policy, self.at = key, policy, at
        self.customer = NOBODY
        self.counter = 0

    def ask(self, action: Action, *, session: bytes = b"", platform: bool = False) -> None:
        self.counter += 1
        proofs = (
            Proof("password", "a1-1", 1, 0, b"d", self.at, right=True),
            Proof("totp", "a1-2", 1, self.counter, b"d", self.at, right=True),
        )
        facts = Facts(
            b"d", proofs, PriceFact("BTC", PRICE, self.at), clock_agrees=True, token=session, looked_at=self.at
        )
        actor = Actor(ActorKind.PLATFORM) if platform else Actor(ActorKind.OWNER, session=session)
        context = Context(_device(self.key, NAME), self.key.seal("203.0.113.7"), self.key.seal("Bench/1.0"))
        found = advance(self.customer, Request(action, NAME, actor, context), facts, self.policy, self.at)
        self.customer = found.customer
        for event in found.events:
            if isinstance(event, NoticeDue):
                for contact in event.contacts:
                    self._accept(event, contact)

    def _accept(self, due: NoticeDue, contact: str) -> None:
        outcome = NoticeOutcome(due.notice, contact, accepted=True, about=due.about)
        request = Request(outcome, NAME, Actor(ActorKind.SYSTEM), Context())
        self.customer = advance(self.customer, request, Facts(b"", clock_agrees=True), self.policy, self.at).customer


def _session(account: str) -> bytes:
    return token_hash(f"session-{account}")


def _device(key: CustomerKey, account: str) -> str:
    return key.mac(f"device-{account}", field="device").hex()


def _sealed_fields(value: object) -> list[Sealed]:
    """Every sealed field inside a head or part."""
    if isinstance(value, Sealed):
        return [value]
    if isinstance(value, msgspec.Struct):
        return [found for name in value.__struct_fields__ for found in _sealed_fields(getattr(value, name))]
    if isinstance(value, dict):
        return [found for one in value.values() for found in _sealed_fields(one)]
    if isinstance(value, (tuple, list)):
        return [found for one in value for found in _sealed_fields(one)]
    return []


class Copier:
    """Makes rows of other accounts out of the model's, by replacing what is personal, byte for byte of one length."""

    def __init__(self, tools: Tools, model: Model) -> None:
        """Find everything in the model that must differ in a copy."""
        assert model.customer.head is not None  # noqa: S101 - it was lived, so it exists
        self.tools, self.model = tools, model
        self.head = ENCODER.encode(model.customer.head)
        self.seq = model.customer.head.seq
        self.version = STATE_VERSION
        self.parts = [(kind, name, ENCODER.encode(part), part) for (kind, name), part in model.customer.parts.items()]
        found = _sealed_fields(model.customer.head) + _sealed_fields([part for *_, part in self.parts])
        self.fields = {one.packed: (one, model.key.open(one)) for one in found}

    def copy(self, number: int) -> tuple[Snapshot, list[PartRow]]:
        """The rows of one account."""
        account, masters = f"u{number:07}", self.tools.masters
        wrapped = masters.new_key()
        key = masters.unwrap(wrapped)
        swaps = self._swaps(account, key)
        head = _swapped(self.head, swaps)
        link = hashlib.sha256(account.encode()).digest()
        mac = masters.snapshot_mac(self.version, account, self.seq, link, head, wrapped)
        parts = []
        for kind, name, body, _part in self.parts:
            new_name, new_body = _swapped(name.encode(), swaps).decode(), _swapped(body, swaps)
            alike = self._alike(kind, key)
            parts.append(
                PartRow(account, kind, new_name, alike, new_body, masters.part_mac(account, kind, new_name, new_body))
            )
        return Snapshot(account, self.version, self.seq, link, head, mac, wrapped), parts

    def _alike(self, kind: str, key: CustomerKey) -> bytes:
        return key.seal_destination(ADDRESS).alike if kind == "beneficiary" else b""

    def _swaps(self, account: str, key: CustomerKey) -> list[tuple[bytes, bytes]]:
        swaps = [
            (NAME.encode(), account.encode()),
            (_session(NAME), _session(account)),
            (_device(self.model.key, NAME).encode(), _device(key, account).encode()),
        ]
        for packed, (old, text) in self.fields.items():
            new = key.seal_destination(text) if isinstance(old, Destination) else key.seal(text)
            swaps += [(packed, new.packed), (old.mac, new.mac), (old.name.encode(), new.name.encode())]
        return swaps


def _swapped(data: bytes, swaps: list[tuple[bytes, bytes]]) -> bytes:
    for old, new in swaps:
        data = data.replace(old, new)
    return data


async def fill(store: Store, tools: Tools, count: int, tell: Callable[[int], None]) -> Model:
    """Put `count` accounts into an empty store, and a price for the asset they pay in."""
    now = (await store.read([])).now
    model = lived(tools, now)
    copier = Copier(tools, model)
    for first in range(0, count, CHUNK):
        copies = [copier.copy(number) for number in range(first, min(first + CHUNK, count))]
        rows = Writes(snapshots=[(0, one) for one, _ in copies], parts=[part for _, parts in copies for part in parts])
        async with store.transaction() as transaction:
            await transaction.write(rows)
        tell(first + len(copies))
    await store.put_prices([Price("BTC", PRICE, (await store.read([])).now)])
    return model
