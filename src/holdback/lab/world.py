"""The world of a story: customers in memory, a clock that is set, and the one way to ask the core something.

It stands where the service, the store and the outbox stand in earnest, and does as they do: it loads what `needs`
names and nothing else, keeps what `advance` returns, hands a transfer's other half to its receiver, and reports every
notice as accepted at once.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec.structs import replace

from holdback.core import decide
from holdback.core import events as ev
from holdback.core.decision import (
    AgencyFact,
    Context,
    Decision,
    DeviceProof,
    EvidenceFact,
    Facts,
    KeyFact,
    ListFact,
    LossFact,
    MarketFact,
    PaperFact,
    PriceFact,
    Proof,
    SenderFact,
    SharedFact,
    StaffFact,
)
from holdback.core.events import ALIKE_BYTES, DAY, ENCODER, HOUR, ActorKind, Destination, Instant
from holdback.core.inside import stops
from holdback.core.policy import MICRO
from holdback.core.rules.account import AccountFreeze, AccountImport, ImportedAuthenticator, ImportedContact
from holdback.core.rules.asking import Request
from holdback.core.rules.clusters import DEVICE
from holdback.core.rules.elsewhere import ADDRESS
from holdback.core.rules.exit import ExitCancel, ExitRelease, ExitSettle
from holdback.core.rules.notice import NoticeOutcome
from holdback.core.rules.returning import still_held
from holdback.core.rules.session import SessionStart
from holdback.core.rules.staff import TicketOpen
from holdback.core.state import NOBODY, Beneficiary, Customer, Head, Part, PartKey
from holdback.lab.sealing import fake_sealed

if TYPE_CHECKING:
    from holdback.core.policy import Policy
    from holdback.lab.shared import Shared

CUSTOMER: Final = "customer"
"""The main account of every story."""

SYSTEM: Final = ev.Actor(ActorKind.SYSTEM)
PLATFORM: Final = ev.Actor(ActorKind.PLATFORM)

TOKEN_BYTES: Final = 16

_NO_CONTEXT: Final = Context()

_SAME_DEVICE: Final = b"the device of the siblings"
"""By what a device is known that the story's account has in common with its siblings, if it has any."""


class Entry(NamedTuple):
    """One answered question. `cause` is the person whose doing it is, whoever carried it out."""

    at: Instant
    account: str
    cause: str
    decision: Decision
    events: tuple[ev.AnyEvent, ...]


class Delivery(NamedTuple):
    """A notice that arrived at a contact of the story's customer."""

    at: Instant
    notice: ev.NoticeDue
    contact: str
    cause: str


class Judged(NamedTuple):
    """What others say to a question: of evidence, who asks, who was drawn, an agency; what a device or key signed."""

    evidence: EvidenceFact | None = None
    staff: StaffFact | None = None
    drawn: tuple[str, ...] = ()
    device: DeviceProof | None = None
    agency: AgencyFact | None = None
    paper: PaperFact | None = None
    package: bytes = b""
    api_key: KeyFact | None = None


class Known(NamedTuple):
    """What is known of a destination beyond the story's account, from an instant on."""

    place: Destination
    at: Instant
    accounts: int
    list: str
    dust: bool


class World:
    """Everything that persists while a story runs. Example: `World(policy, now)`."""

    def __init__(self, policy: Policy, now: Instant, shared: Shared | None = None, place: int = 0) -> None:
        """Start empty, at an instant. `shared` is what a crowd shares, if this is the account at a place of one."""
        self.policy = policy
        self.shared = shared
        self._place = place
        self.now = now
        self.customers: dict[str, Customer] = {}
        self.entries: list[Entry] = []
        self.deliveries: list[Delivery] = []
        self.elsewhere: tuple[Known, ...] = ()
        self.siblings: frozenset[str] = frozenset()
        self._lost: list[tuple[str, Instant]] = []
        self._asked = 0

    @property
    def head(self) -> Head:
        """The state of the story's customer, who exists."""
        head = self.story_customer
        if head is None:
            msg = "the story's customer was never imported"
            raise LookupError(msg)
        return head

    @property
    def story_customer(self) -> Head | None:
        """The same, or None before the import."""
        customer = self.customers.get(CUSTOMER)
        return customer.head if customer else None

    @property
    def asked_first(self) -> str:
        """Who of the staff asked first for the circuit breaker to be reset, "" if nobody did."""
        head = self.shared.stream.head if self.shared is not None else None
        first = head.breaker.proposal if head is not None and head.breaker is not None else None
        return first.by if first is not None else ""

    @property
    def parts(self) -> dict[PartKey, Part]:
        """All part rows of the story's customer."""
        return self.customers[CUSTOMER].parts

    def digest(self, request: Request) -> bytes:
        """The name of the exact action, which proofs are made for."""
        return hashlib.sha256(request.account.encode() + b"\n" + ENCODER.encode(request.action)).digest()

    def ask(
        self, request: Request, cause: str, proofs: tuple[Proof, ...] = (), judged: Judged | None = None
    ) -> Decision:
        """Put one question to the core, keep what follows from it, and deliver its notices."""
        name = request.account.partition(".")[0]
        of_breaker = self.shared if name == ev.BREAKER else None
        customer = self.customers.get(name, NOBODY) if of_breaker is None else of_breaker.stream
        wanted = decide.needs(request, customer.head)
        if isinstance(request.action, ExitRelease | ExitCancel | ExitSettle):
            request = replace(request, counterparty=wanted.counterparty)
        self._asked += 1
        facts = Facts(
            digest=self.digest(request),
            proofs=proofs,
            price=PriceFact(wanted.asset, MICRO, self.now) if wanted.asset else None,
            market=_market(wanted.pair, self.now) if wanted.pair else None,
            clock_agrees=True,
            counterparty_known=wanted.counterparty in self.customers,
            token=hashlib.sha256(f"session:{self._asked}".encode()).digest()[:TOKEN_BYTES],
            tripped_at=self.shared.tripped_at if self.shared is not None else 0,
            looked_at=self.now,
            **(judged._asdict() if judged is not None else {}),
            senders=tuple(SenderFact(one, self._stopped(one)) for one in wanted.senders),
            still_held_micro_usd=self._still_held(request, customer.head, wanted.counterparty),
            losses=tuple(LossFact(one, 1 + len(self.siblings), tuple(self._lost)) for one in wanted.ties),
            **self._known(request, customer.head),
        )
        answer = decide.advance(_loaded(customer, wanted), request, facts, self.policy, self.now)
        after = Customer(answer.customer.head, customer.parts | answer.customer.parts)
        if of_breaker is not None:
            of_breaker.stream = after
        else:
            self.customers[name] = after
        if self.shared is not None:
            self._shares(request, customer, answer.events)
        if answer.elsewhere and wanted.counterparty:  # the staff of a story have no streams
            self._hand_over(wanted.counterparty, answer.elsewhere)
        self.entries.append(Entry(self.now, name, cause, answer.decision, answer.events))
        self._deliver(name, answer.events, cause)
        return answer.decision

    def receives(self, name: str, micro_usd: int) -> None:
        """Let another customer send the story's customer something: a transfer like any, of somebody who is well."""
        self.know(name)
        outflow, hour = self.policy.outflow, -(-self.now // HOUR)
        until, longest = (hour + outflow.received_h) * HOUR, (hour + outflow.received_from_cooling_h) * HOUR
        self._hand_over(CUSTOMER, (ev.ValueReceived(self.now, micro_usd, until, name, longest),))

    def stop(self, name: str) -> None:
        """Let another customer freeze his account."""
        contact = next(iter(self._head_of(name).contacts))
        link = ev.Actor(ActorKind.LINK, contact=contact)
        self.ask(Request(AccountFreeze(), name, link, _NO_CONTEXT), name)

    def _head_of(self, name: str) -> Head:
        head = self.customers[name].head
        assert head is not None  # noqa: S101 - whoever is here was imported
        return head

    def _still_held(self, request: Request, head: Head | None, counterparty: str) -> int:
        """How much of what an exit sent still waits where it went."""
        if not isinstance(request.action, ExitCancel) or counterparty not in self.customers:
            return 0
        return still_held(head, request.action.which, self._head_of(counterparty), self.policy, self.now)

    def _stopped(self, account: str) -> tuple[Instant, ...]:
        """When an account was stopped."""
        said = (event for entry in self.entries if entry.account == account for event in entry.events)
        return tuple(event.at // HOUR * HOUR for event in said if stops(event))

    def _known(self, request: Request, head: Head | None) -> dict[str, Any]:
        """What others have to do with the destination that an action has, or the held exit that it is about."""
        action = request.action
        if isinstance(action, SessionStart) and request.account == CUSTOMER and self.siblings:
            many = 1 + len(self.siblings)
            return {"shared": (SharedFact(DEVICE, self.now // DAY, many, many, _SAME_DEVICE, many),)}
        held = head.to_release(action.which) if head is not None and isinstance(action, ExitRelease) else None
        place = held.destination if held is not None else getattr(action, "address", None)
        if not isinstance(place, Destination):
            return {}
        said = [one for one in self.elsewhere if one.at <= self.now]
        met = self.shared.known(place.mac, self._place, self.now) if self.shared is not None else ()
        same = [one for one in said if one.place.mac == place.mac or one.place.mac[:ALIKE_BYTES] == place.place]
        return {
            "shared": (
                *(SharedFact(ADDRESS, one.at // DAY, one.accounts, one.accounts + 1) for one in same if one.accounts),
                *met,
            ),
            "lists": tuple(ListFact(one.list, "the story's", one.at, listed=True) for one in same if one.list),
            "dust_day": max((one.at // DAY for one in said if one.dust and one.place.alike == place.alike), default=0),
        }

    def _shares(self, request: Request, before: Customer, events: tuple[ev.AnyEvent, ...]) -> None:
        """Let the rest of the crowd know what left, and which address was entered, or is paid unknown as it is."""
        if self.shared is None:
            return
        self.shared.left(before, events, self.now)
        place = getattr(request.action, "address", None)
        meets = any(
            isinstance(one, ev.AddressAdded)
            or (isinstance(one, ev.ExitHeld | ev.ExitAllowed) and before.beneficiary(one.beneficiary) is None)
            for one in events
        )
        if isinstance(place, Destination) and meets:
            self.shared.met(place.mac, self._place, self.now)

    def tick(self, cause: str) -> None:
        """Let time take effect: any question carries out what is due, and this one does nothing else."""
        self.ask(Request(NoticeOutcome("none", "none", accepted=True), CUSTOMER, SYSTEM, _NO_CONTEXT), cause)

    def ticket(self, name: str) -> None:
        """Let the help desk open a ticket of the story's customer."""
        self.ask(Request(TicketOpen(name), CUSTOMER, SYSTEM, _NO_CONTEXT), "platform")

    def know(self, name: str) -> None:
        """Make sure that another customer of the platform exists, so that a transfer has a stream to arrive in."""
        if name in self.customers:
            return
        imported = AccountImport(
            name=fake_sealed(name),
            authenticators=(ImportedAuthenticator(ev.AuthenticatorKind.PASSWORD, fake_sealed(f"{name}:password")),),
            contacts=(ImportedContact(ev.Channel.EMAIL, fake_sealed(f"{name}@example.org")),),
        )
        self.ask(Request(imported, name, PLATFORM, _NO_CONTEXT), "platform")

    def _hand_over(self, name: str, events: tuple[ev.AnyEvent, ...]) -> None:
        customer = self.customers[name]
        received = decide.receive(customer, events, self.policy, self.now)
        self._lost += ((one.victim, one.at // HOUR * HOUR) for one in events if isinstance(one, ev.ProceedsSeen))
        self.customers[name] = Customer(received.customer.head, customer.parts | received.customer.parts)

    def _deliver(self, name: str, events: tuple[ev.AnyEvent, ...], cause: str) -> None:
        for notice in events:
            if not isinstance(notice, ev.NoticeDue):
                continue
            for contact in notice.contacts:
                if name == CUSTOMER:
                    self.deliveries.append(Delivery(self.now, notice, contact, cause))
                accepted = NoticeOutcome(notice.notice, contact, accepted=True, about=notice.about)
                self.ask(Request(accepted, name, SYSTEM, _NO_CONTEXT), cause)


LIQUID: Final = frozenset({"BTC/USDT", "ETH/USDT"})
"""Pairs that are traded much in every story; all others are thin."""

_HALF_RANGE_PPM: Final = {True: 200, False: 10_000}
"""How far prices of a liquid pair, and of a thin one, usually swing within a minute."""


def _market(pair: str, now: Instant) -> MarketFact:
    """Any pair as the feed has it: everything is worth a dollar."""
    return MarketFact(pair, "1", _HALF_RANGE_PPM[pair in LIQUID], now, MICRO, now, MICRO, now)


def _loaded(customer: Customer, wanted: decide.Needs) -> Customer:
    """The part rows a store would load: those named, and entries of the book that look like the one to be added."""
    parts = {key: customer.parts[key] for key in wanted.parts if key in customer.parts}
    for key, part in customer.parts.items():
        alike = isinstance(part, Beneficiary) and part.address is not None and part.address.alike == wanted.alike
        if wanted.alike and alike:
            parts[key] = part
    return Customer(customer.head, parts)
