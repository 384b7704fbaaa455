"""Histories: accounts driven through the core as the service drives it, with every fact made up by hand.

`Account` loads only the parts that `needs` names, keeps the log, and hands over notices when told to. Everything a
thief or an owner does in these tests goes through `Account.ask`.
"""

from __future__ import annotations

import hashlib
import tomllib
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from holdback.core import decide, ledger
from holdback.core import events as ev
from holdback.core.assurance import CONTACT_CODE
from holdback.core.decision import (
    AgencyFact,
    Allow,
    Context,
    Decision,
    DeviceProof,
    EvidenceFact,
    Facts,
    Hold,
    KeyFact,
    ListFact,
    LossFact,
    MarketFact,
    PaperFact,
    PriceFact,
    Proof,
    Seen,
    SenderFact,
    SharedFact,
    StaffFact,
    StepUp,
)
from holdback.core.events import DAY, ENCODER, HOUR, MINUTE, Actor, ActorKind, AuthenticatorKind, Channel
from holdback.core.policy import Policy
from holdback.core.rules.account import AccountImport, ImportedAuthenticator, ImportedBeneficiary, ImportedContact
from holdback.core.rules.address import AddressAdd
from holdback.core.rules.asking import Request
from holdback.core.rules.deposit import DepositReceive
from holdback.core.rules.exit import ExitRelease, ExitRequest
from holdback.core.rules.notice import NoticeOutcome
from holdback.core.rules.recovery import RecoveryEvidence, RecoveryOpen
from holdback.core.rules.session import SessionStart
from holdback.core.state import NOBODY, Beneficiary, Customer, Head, Part, PartKey, evolve
from holdback.spelling import parted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdback.core.events import AnyEvent, Instant
    from holdback.core.rules.asking import Action

DEFAULT: Final[dict[str, Any]] = tomllib.loads(files("holdback").joinpath("policies/default.toml").read_text())
POLICY: Final = Policy.parse(DEFAULT)

START: Final = 20_000 * DAY
"""Midnight of a day in 2024; nothing happens before it."""

USD: Final = 1_000_000
OFAC: Final = ListFact("ofac", "1", START + 10_000 * DAY)
"""A list that is never too old, and names nobody."""
"""Micro-USD in a USD."""

PLATFORM: Final = Actor(ActorKind.PLATFORM)
SYSTEM: Final = Actor(ActorKind.SYSTEM)

PASSWORD, TOTP, PASSKEY, SMS, EMAIL, BACKUP_CODE = (
    AuthenticatorKind.PASSWORD,
    AuthenticatorKind.TOTP,
    AuthenticatorKind.PASSKEY,
    AuthenticatorKind.SMS,
    AuthenticatorKind.EMAIL,
    AuthenticatorKind.BACKUP_CODE,
)


def policy_with(**changed: object) -> Policy:
    """The default policy with some dotted keys changed: `policy_with(**{"waits.address_h": 96})`."""
    data = {key: dict(value) if isinstance(value, dict) else value for key, value in DEFAULT.items()}
    for key, value in changed.items():
        section, _, field = key.partition(".")
        if field:
            data[section][field] = value
        else:
            data[section] = value
    return Policy.parse(data)


def sealed(text: str) -> ev.Sealed:
    """A personal field; equal texts have equal hashes."""
    return ev.Sealed(hashlib.sha256(text.encode()).digest()[: ev.MAC_BYTES], text.encode())


def destination(text: str, looks_like: str = "") -> ev.Destination:
    """A destination of value, `place?memo=...` with a memo; `looks_like` gives it the looks of another one."""
    place, memo = parted(text)
    alike = hashlib.sha256(b"looks" + (looks_like or place).encode()).digest()[: ev.ALIKE_BYTES]
    alike += hashlib.sha256(place.encode()).digest()[: ev.ALIKE_BYTES] if memo else b""
    return ev.Destination(hashlib.sha256(text.encode()).digest()[: ev.MAC_BYTES], text.encode(), alike)


def bitcoin(text: str) -> str:
    """The part name of an address on the network that most tests use."""
    return f"bitcoin.{destination(text).name}"


class Account:
    """One customer, asked through `advance` with only those parts loaded that `needs` names.

    Example: `account = Account(); account.open(); token = account.sign_in(); account.pay("100", "home", token)`.
    """

    def __init__(self, policy: Policy = POLICY, name: str = "alice") -> None:
        """An account that does not exist before `open`."""
        self.policy = policy
        self.name = name
        self.now: Instant = START
        self.state: Head | None = None
        self.parts: dict[PartKey, Part] = {}
        self.log: list[AnyEvent] = []
        self.entries: list[ledger.Entry] = []
        self.last: decide.Advance | None = None
        self.clock_agrees = True
        self.ahead_ms = 0
        self.seen: Seen | None = None
        self.reconciling = False
        self.tripped_at = 0
        self.unseen_ms = 0
        self.tries = 0
        self.prices: dict[str, int] = {"USD": USD, "BTC": 50_000 * USD}
        self.price_age_ms = 0
        self.counter = 0
        self.tokens = 0
        self.device_key = b""
        self.evidence: EvidenceFact | None = None
        self.staff: StaffFact | None = None
        self.drawn: tuple[str, ...] = ("rita", "ron")
        self.agency: AgencyFact | None = None
        self.paper: PaperFact | None = None
        self.package = b""
        self.key_fact: dict[str, Any] = {}
        self.market: dict[str, Any] | None = {}
        self.shared: tuple[SharedFact, ...] = ()
        self.lists: tuple[ListFact, ...] = (OFAC,)
        self.dust_day = 0
        self.stopped: dict[str, tuple[Instant, ...]] = {}
        self.unread: frozenset[str] = frozenset()
        self.still_held = 0
        self.from_device: tuple[SharedFact, ...] = ()
        self.funded_from: tuple[SharedFact, ...] = ()
        self.counterparty_ties: tuple[bytes, ...] = ()
        self.kin = False
        self.losses: dict[bytes, LossFact | None] = {}

    # What is true

    @property
    def head(self) -> Head:
        """The head of an account that exists."""
        assert self.state is not None
        return self.state

    @property
    def link(self) -> bytes:
        """The link of the last entry."""
        return self.entries[-1].link if self.entries else ledger.GENESIS

    def everything(self) -> Customer:
        """The customer with every part there is, as a fold of the log keeps it."""
        return Customer(self.state, self.parts)

    def loaded(self, needs: decide.Needs) -> Customer:
        """The customer as the store loads it: the head, the parts asked for by name, and the look-alikes."""
        named = {key: self.parts[key] for key in needs.parts if key in self.parts}
        alike = {
            key: part
            for key, part in self.parts.items()
            if isinstance(part, Beneficiary) and part.address is not None and part.address.alike == needs.alike
        }
        return Customer(self.state, named | alike)

    def beneficiary(self, name: str) -> Beneficiary:
        """A beneficiary's part row, live or removed."""
        part = self.parts["beneficiary", name]
        assert isinstance(part, Beneficiary)
        return part

    def contact_named(self, channel: Channel) -> str:
        """The first contact on a channel."""
        return next(key for key, one in self.head.contacts.items() if one.channel is channel)

    def last_events(self) -> tuple[AnyEvent, ...]:
        """What the last answer wrote."""
        assert self.last is not None
        return self.last.events

    def decided(self) -> ev.Decided:
        """The last entry's decision."""
        return [one for one in self.log if isinstance(one, ev.Decided)][-1]

    def any_session(self) -> bytes:
        """A session that is alive: the newest, or a new one."""
        alive = [key for key, one in self.head.sessions.items() if self.now < one.ends_at()]
        return alive[-1] if alive else self.sign_in()

    def undelivered(self) -> list[ev.NoticeDue]:
        """Notices that waits depend on and that no senior contact accepted yet."""
        return [one for one in self.log if isinstance(one, ev.NoticeDue) and one.notice in self.head.unheard]

    # What happens

    def wait(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> None:
        """Let time pass."""
        self.now += int(days * DAY + hours * HOUR + minutes * MINUTE + seconds * 1000)

    def facts(self, request: Request, proofs: Iterable[Proof | str] = (), *, known: bool = True) -> Facts:
        """The facts of a request. Proofs that are only named, or carry no digest, are made to fit the action."""
        digest = hashlib.sha256(request.account.encode() + ENCODER.encode(request.action)).digest()
        asset = decide.needs(request, self.state).asset
        price = None
        if asset in self.prices:
            price = PriceFact(asset, self.prices[asset], self.now - self.price_age_ms)
        return Facts(
            digest=digest,
            proofs=tuple(fitting(self.proof(one), digest, self.now) for one in proofs),
            price=price,
            clock_agrees=self.clock_agrees,
            ahead_ms=0 if self.clock_agrees else self.ahead_ms,
            reconciling=self.reconciling,
            tripped_at=self.tripped_at,
            looked_at=self.now - self.unseen_ms,
            counterparty_known=known and bool(request.counterparty),
            token=self.token(self.tokens) if isinstance(request.action, SessionStart | RecoveryOpen) else b"",
            tries=self.tries,
            device=self.signed() if self.device_key and request.actor.kind is ActorKind.OWNER else None,
            seen=self.seen if isinstance(request.action, SessionStart | RecoveryOpen) else None,
            evidence=self.evidence if isinstance(request.action, RecoveryEvidence) else None,
            staff=self.staff if request.actor.kind is ActorKind.STAFF else None,
            drawn=self.drawn if isinstance(request.action, RecoveryOpen) else (),
            agency=self.agency,
            paper=self.paper,
            package=self.package,
            senders=self.senders_of(request),
            still_held_micro_usd=self.still_held if request.actor.kind is ActorKind.STAFF else 0,
            link=self.link_of(request),
            api_key=self.key_signed(request),
            market=self.market_of(request),
            counterparty_ties=self.counterparty_ties if request.counterparty else (),
            kin=self.kin and bool(request.counterparty),
            losses=self.losses_of(request),
            **self.elsewhere_known(request.action),
        )

    def senders_of(self, request: Request) -> tuple[SenderFact, ...]:
        """When those were stopped from whom value came, but for whoever cannot be read."""
        return tuple(
            SenderFact(one, tuple(dict.fromkeys(at // HOUR * HOUR for at in self.stopped.get(one, ()))))
            for one in decide.needs(request, self.state).senders
            if one not in self.unread
        )

    def losses_of(self, request: Request) -> tuple[LossFact, ...]:
        """What is known of each tie: nothing but what `losses` says, and not even that if it says None."""
        asked = {tie: self.losses.get(tie, LossFact(tie, 1)) for tie in decide.needs(request, self.state).ties}
        return tuple(one for one in asked.values() if one is not None)

    def market_of(self, request: Request) -> MarketFact | None:
        """What the feed knows of the pair that an order names: a dollar each, but for what `market` says otherwise."""
        pair = decide.needs(request, self.state).pair
        if not pair or self.market is None:
            return None
        usual = MarketFact(pair, "1", 200, self.now, USD, self.now, USD, self.now)
        return replace(usual, **self.market)

    def key_signed(self, request: Request) -> KeyFact | None:
        """What an API key signs, rightly but for what `key_fact` says otherwise."""
        if request.actor.kind is not ActorKind.API_KEY:
            return None
        self.counter += 1
        return replace(KeyFact(right=True, nonce=self.counter, at=self.now, listed=True), **self.key_fact)

    def elsewhere_known(self, action: Action) -> dict[str, Any]:
        """What is known of a destination beyond the account, for actions that have one outside of the platform."""
        if isinstance(action, SessionStart):
            return {"shared": self.from_device}
        if isinstance(action, DepositReceive):
            return {"shared": self.funded_from}
        held = self.head.to_release(action.which) if self.state and isinstance(action, ExitRelease) else None
        if held is None and getattr(action, "address", None) is None:
            return {}
        return {"shared": self.shared, "lists": self.lists, "dust_day": self.dust_day}

    def link_of(self, request: Request) -> ev.Sealed | None:
        """The token itself, sealed, of a recovery that staff opens."""
        by_staff = request.actor.kind is ActorKind.STAFF
        return sealed(f"token {self.tokens}") if by_staff and isinstance(request.action, RecoveryOpen) else None

    def signed(self, **wrong: Any) -> DeviceProof:  # noqa: ANN401 - DeviceProof's own
        """A fresh proof by `device_key`, which signs whatever an owner asks while it is set."""
        self.counter += 1
        return replace(DeviceProof(self.device_key, self.counter.to_bytes(8), self.now), **wrong)

    def proof(self, named: Proof | str) -> Proof:
        """A right proof by an authenticator or, for a contact's id, by the code sent to it. A proof stays as it is."""
        if isinstance(named, Proof):
            return named
        self.counter += 1
        if named in self.head.authenticators:
            one = self.head.authenticators[named]
            code = one.used.bit_length() if one.kind is BACKUP_CODE else self.counter
            return Proof(one.kind.value, named, one.epoch, code, b"", self.now, right=True)
        return Proof(CONTACT_CODE, named, 1, 0, b"", self.now, right=True)

    def wrong(self, name: str) -> Proof:
        """A proof by an authenticator or contact that does not fit its credential."""
        return replace(self.proof(name), right=False)

    def token(self, number: int) -> bytes:
        """The hash of the session token that was made as the n-th."""
        return hashlib.sha256(f"{self.name} {number}".encode()).digest()[:16]

    def request(self, action: Action, actor: Actor | bytes, **fields: Any) -> Request:  # noqa: ANN401 - Request's own
        """A request as the service makes it; `actor` may be the token of an owner's session."""
        by = Actor(ActorKind.OWNER, actor) if isinstance(actor, bytes) else actor
        return replace(Request(action, self.name, by, Context()), **fields)

    def ask(
        self,
        action: Action,
        actor: Actor | bytes = PLATFORM,
        *proofs: Proof | str,
        known: bool = True,
        **fields: Any,  # noqa: ANN401 - Request's own
    ) -> Decision:
        """Ask, and keep what the answer writes. `actor` may be the token of an owner's session.

        A passkey signs a challenge, so one is asked for first if it is named without.
        """
        asked = self.request(action, actor, **fields)
        if not asked.challenge and any(self.is_passkey(one) for one in proofs):
            first = self.submit(asked, self.facts(asked, known=known))
            if isinstance(first, Allow | Hold):
                return first
            asked = replace(asked, challenge=first.challenge) if isinstance(first, StepUp) else asked
        return self.submit(asked, self.facts(asked, proofs, known=known))

    def is_passkey(self, named: Proof | str) -> bool:
        """Whether a proof is by a passkey that counts."""
        name = named.authenticator if isinstance(named, Proof) else named
        one = self.head.authenticators.get(name) if self.state else None
        return one is not None and one.kind is PASSKEY and one.confirmed

    def submit(self, asked: Request, facts: Facts) -> Decision:
        """Ask with facts made beforehand, and keep what the answer writes."""
        customer = self.loaded(decide.needs(asked, self.state))
        step = decide.advance(customer, asked, facts, self.policy, self.now)
        if step.events:
            self.keep(step)
        self.last = step
        return step.decision

    def keep(self, step: decide.Advance) -> None:
        """Append an entry and take over the state after it."""
        body = ENCODER.encode(step.events)
        head = step.customer.head
        assert head is not None
        self.entries.append(ledger.Entry(self.name, head.seq, body, ledger.link(self.name, head.seq, self.link, body)))
        self.log.extend(step.events)
        self.state = head
        self.parts = {**self.parts, **step.customer.parts}

    def received(self, events: tuple[AnyEvent, ...]) -> None:
        """Take over what a transfer from another account causes here."""
        self.keep(decide.receive(Customer(self.state, {}), events, self.policy, self.now))

    def refold(self) -> Customer:
        """The customer, folded anew from the whole log."""
        customer = NOBODY
        for event in self.log:
            customer = evolve(customer, event)
        return customer

    # What is often done

    def open(
        self,
        *kinds: AuthenticatorKind,
        contacts: tuple[Channel, ...] = (Channel.EMAIL, Channel.SMS),
        equity: str = "1000000",
        book: tuple[ImportedBeneficiary, ...] = (),
        subs: tuple[str, ...] = (),
        face: bool = True,
    ) -> Decision:
        """Import it with these authenticators (password and totp if none are named): `a1-1`, `a1-2`..."""
        action = AccountImport(
            name=sealed(self.name),
            authenticators=tuple(
                ImportedAuthenticator(kind, sealed(f"{self.name} {kind}"), self.mailbox(kind))
                for kind in kinds or (PASSWORD, TOTP)
            ),
            contacts=tuple(ImportedContact(channel, sealed(f"{self.name} {channel}")) for channel in contacts),
            sub_accounts=subs,
            equity_usd=equity,
            address_book=book,
            face=sealed(f"{self.name} face") if face else None,
        )
        return self.ask(action)

    def mailbox(self, kind: AuthenticatorKind) -> ev.Sealed | None:
        """Where codes of a kind are sent: the contact of the same channel."""
        return sealed(f"{self.name} {kind}") if kind in {SMS, EMAIL} else None

    def deliver(self, contact: str = "") -> None:
        """Let every undelivered notice be accepted: at each of its contacts, or at one only."""
        for notice in self.undelivered():
            for one in [contact] if contact else notice.contacts:
                self.outcome(notice, one)

    def outcome(self, notice: ev.NoticeDue, contact: str, *, accepted: bool = True) -> Decision:
        """Report what became of one notice at one contact."""
        return self.ask(NoticeOutcome(notice.notice, contact, accepted, notice.about), SYSTEM)

    def sign_in(self, *proofs: Proof | str, device: str = "laptop") -> bytes:
        """A new session, by these proofs or by every authenticator held, and by the code that is asked for besides."""
        self.tokens += 1
        shown = proofs or tuple(self.head.authenticators)
        token = self.token(self.tokens)
        answer = self.ask(SessionStart(), Actor(ActorKind.OWNER), *shown, context=Context(device=device))
        if isinstance(answer, StepUp) and CONTACT_CODE in answer.accept[0]:
            shown = (*shown, self.head.challenges[answer.challenge].contact)
            context = Context(device=device)
            answer = self.ask(
                SessionStart(), Actor(ActorKind.OWNER), *shown, context=context, challenge=answer.challenge
            )
        assert isinstance(answer, Allow), answer
        return token

    def settle(self, days: float = 4) -> None:
        """Deliver everything and let the waits run out."""
        self.deliver()
        self.wait(days=days)

    def add(self, text: str, session: bytes, *proofs: str) -> str:
        """Enter an address into the book and return its part name."""
        action = AddressAdd(sealed(f"my {text}"), "bitcoin", destination(text))
        answer = self.ask(action, session, *(proofs or tuple(self.head.authenticators)))
        assert isinstance(answer, Allow), answer
        return answer.id

    def pay(self, usd: str, text: str, session: bytes, *proofs: str | Proof, **request: Any) -> Decision:  # noqa: ANN401 - as in `ask`
        """Ask to withdraw to an address, by these proofs or by every authenticator held."""
        action = ExitRequest("withdrawal", "USD", usd, address=destination(text), network="bitcoin")
        return self.ask(action, session, *(proofs or tuple(self.head.authenticators)), **request)


def grow(account: Account, *kinds: AuthenticatorKind, **opened: Any) -> bytes:  # noqa: ANN401 - as in `open`
    """Open it, make authenticators, contacts, device and the address `home` senior, and sign its owner in."""
    account.open(*kinds, **opened)
    account.add("home", account.sign_in())
    account.settle(days=5)
    return account.sign_in()


def grown(*kinds: AuthenticatorKind, policy: Policy = POLICY, **opened: Any) -> tuple[Account, bytes]:  # noqa: ANN401 - as in `open`
    """An account whose authenticators, contacts, device and address `home` are senior, and its owner's session."""
    account = Account(policy)
    return account, grow(account, *kinds, **opened)


def long_standing(*kinds: AuthenticatorKind, policy: Policy = POLICY, **opened: Any) -> tuple[Account, bytes]:  # noqa: ANN401 - as in `open`
    """The same 40 days later, so that `home` is long-standing."""
    account, _ = grown(*kinds, policy=policy, **opened)
    account.wait(days=40)
    return account, account.sign_in()


def fitting(proof: Proof, digest: bytes, now: Instant) -> Proof:
    """The proof, made for this action unless it says that it was made for another."""
    return replace(proof, digest=proof.digest or digest, at=now)


def codes(decision: Decision) -> list[str]:
    """The reason codes of a decision, in order."""
    return [finding.code for finding in decision.findings]


def kind_of(decision: Decision) -> str:
    """The decision's name, as in the log."""
    return str(type(decision).__struct_config__.tag)


def held_id(decision: Decision) -> str:
    """The id of what a hold holds."""
    assert isinstance(decision, Hold), decision
    return decision.id
