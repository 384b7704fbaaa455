"""What is true: a customer's state, and `evolve`, which folds one event into it.

A *head* of a few kB is loaded for every decision; *parts* (beneficiaries, devices, credentials) are loaded by name.
Both are folds of the stream, take no policy, and may be thrown away and rebuilt. Stored form: fields in order, so
fields are only ever added at the end with a default, and `STATE_VERSION` grows when a reader of the old form would
lose something.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, TypeVar, assert_never

import msgspec
from msgspec.structs import replace

from holdback.core import events as ev
from holdback.core.events import DAY, HOUR, About, Channel, Instant, Lane, Sealed, Setting
from holdback.core.inside import Received, Sent, lasting, marked, moved_back, recalled, stopped, stops, told, with_sent
from holdback.core.profile import EMPTY, Profile, caught_up, signed_in
from holdback.core.ties import Tie, met
from holdback.core.trade_meter import UNUSED, TradeMeter, less, traded

if TYPE_CHECKING:
    from collections.abc import Callable

_K = TypeVar("_K")
_V = TypeVar("_V")

STATE_VERSION: Final = 5

HABIT_DAYS_KEPT: Final = 64
EXITS_KEPT: Final = 64
CARDS_KEPT: Final = 64
UNPAID_KEPT: Final = 16
"""Exits of which a fresh receipt may be asked for, the last of them."""
STRANGERS_KEPT: Final = 64
"""How many strangers one customer pays in a day."""
FREEZES_KEPT: Final = 64
NETWORKS_KEPT: Final = 8
WINDOWS_KEPT: Final = 16
FLAGS_KEPT: Final = 32
READERS_KEPT: Final = 64
"""The last of the staff who read a customer. Whoever is forgotten read him before so many others did."""
UNTOLD_KEPT: Final = 16
VICTIMS_KEPT: Final = 32
NONCES_KEPT: Final = 64
"""How many requests of one key may overtake each other."""
DISCLOSED: Final = "legal.disclosed"
"""The cause of the notice of a disclosure."""
COOL_OFFS_APART: Final = 4
"""Cool-offs of one cause and severity, told of, that are kept apart; one more takes in the newest of them."""


class Wait(msgspec.Struct, frozen=True, array_like=True):
    """A wait of `length_ms` that ends at `until`, and does not run before the owner was told (`heard`)."""

    length_ms: int
    until: Instant
    heard: bool

    def moved(self, until: Instant) -> Wait:
        """Heard now, and never earlier than was said before."""
        return Wait(self.length_ms, max(self.until, until), heard=True)

    def hoped(self, now: Instant) -> Instant:
        """When it ends, if the owner is told by now."""
        return self.until if self.heard else max(self.until, now + self.length_ms)


class Authenticator(msgspec.Struct, frozen=True, array_like=True):
    """Something the customer proves with. Its secret is a credential part of the same name.

    `bound_at` is when its present secret came, `held_since` when it was first bound. A `recycled` one lives where
    someone else reads: it proves nothing again. `codes_at` says when codes were sent there in the last hour.
    `backed_up` is what a passkey's device said of it last. One that is `lost` a recovery suspended that showed less.
    """

    kind: ev.AuthenticatorKind
    holder: bytes
    bound_at: Instant
    ripens: Wait
    confirmed: bool
    epoch: int = 1
    counter: int = 0
    used: int = 0
    suspended: bool = False
    held_since: Instant = 0
    recycled: bool = False
    codes_at: tuple[Instant, ...] = ()
    backed_up: bool = False
    lost: bool = False


class Contact(msgspec.Struct, frozen=True, array_like=True):
    """Where notices go. A removed one is kept until `told_until`, a recycled one is kept and never used."""

    channel: Channel
    address: Sealed
    added_at: Instant
    ripens: Wait
    confirmed: bool
    removed: bool = False
    told_until: Instant = 0
    recycled: bool = False
    lost_freeze: bool = False
    asked_at: Instant = 0


class Session(msgspec.Struct, frozen=True, array_like=True):
    """A sign-in that still counts.

    `key` is the thumbprint of the device's key that must sign what it asks, empty if none must, and `misused_at` is
    when someone without that key first showed its token.
    """

    device: str
    started_at: Instant
    seen_at: Instant
    until: Instant
    idle_ms: int
    password_at: Instant
    key: bytes = b""
    misused_at: Instant = 0

    def ends_at(self) -> Instant:
        """When it stops counting by itself."""
        return min(self.until, self.seen_at + self.idle_ms)


class Change(msgspec.Struct, frozen=True, array_like=True):
    """A loosening that waits."""

    kind: ev.ChangeKind
    subject: str
    value: int
    asked_at: Instant
    wait: Wait


class Proposal(msgspec.Struct, frozen=True, array_like=True):
    """What one of the staff asked for and a second one did not confirm yet."""

    digest: bytes
    by: str
    at: Instant


class Lock(msgspec.Struct, frozen=True, array_like=True):
    """What a P2P sale has set aside since `at`: drawn on `lane`, for its owner alone to let go.

    It ends by itself at `until` unless the buyer has paid by then, which the platform says at `paid_at`. From
    `disputed_at` on two of the staff decide; `proposal` is what the first of them said.
    """

    at: Instant
    lane: Lane
    until: Instant
    usual_micro_usd: int = 0
    paid_at: Instant = 0
    disputed_at: Instant = 0
    proposal: Proposal | None = None


class HeldExit(msgspec.Struct, frozen=True, array_like=True):
    """An exit that waits. `wait` is its own part of the wait; cool-offs and ripening are looked up again at release.

    One that a `recovery` asked for goes only while that case stands, or once it was finished. `approved`: by the
    vault's approver. `destination` is who is paid outside of the platform, to be looked for on lists again. What was
    asked for by an API `key` ends with it. A sale with a `lock` waits for its buyer and its owner, and for no time any
    more. `unconfirmed`: time alone does not end it, but that its owner confirms again whom it pays.
    """

    kind: str
    beneficiary: str
    network: str
    asset: str
    amount: str
    micro_usd: int
    digest: bytes
    account: str
    asked_with: tuple[bytes, ...]
    counterparty: str
    asked_at: Instant
    wait: Wait
    said_until: Instant
    recovery: str = ""
    approved: bool = False
    destination: ev.Destination | None = None
    stranger: str = ""
    key: str = ""
    lock: Lock | None = None
    unconfirmed: bool = False

    @property
    def may_be_stopped(self) -> bool:
        """Whether a stop would change anything: of a sale that is disputed already it does not."""
        return self.lock is None or not self.lock.disputed_at

    def stopped(self, name: str, now: Instant) -> list[ev.ExitCancelled | ev.ExitDisputed]:
        """What a stop makes of it: its end, or a dispute once a buyer has paid; of a dispute nothing."""
        if self.lock is None or not self.lock.paid_at:
            return [ev.ExitCancelled(now, name)]
        return [] if self.lock.disputed_at else [ev.ExitDisputed(now, name)]


class Unpaid(msgspec.Struct, frozen=True, array_like=True):
    """An exit that was let go at `at`, and of which nobody has said that it is paid: what a fresh receipt is given by.

    `asked` is `ExitAllowed.payable`, and the other fields are as there; `ruled` says that two of the staff gave it to
    the buyer of a sale, `paid` that the buyer has paid.
    """

    at: Instant
    kind: str
    beneficiary: str
    lane: Lane
    micro_usd: int
    digest: bytes
    account: str
    usual_micro_usd: int
    stranger: str
    drawn_at: Instant
    ruled: bool
    asked: ev.Payable
    paid: bool = False

    @property
    def asset(self) -> str:
        """What was to leave."""
        return self.asked.asset

    @property
    def amount(self) -> str:
        """How much of it."""
        return self.asked.amount

    @property
    def counterparty(self) -> str:
        """The customer here who was to receive it, "" if it was to leave the platform."""
        return self.asked.counterparty

    @property
    def network(self) -> str:
        """The network that was named."""
        return self.asked.network

    @property
    def destination(self) -> ev.Destination | None:
        """Who was to be paid outside of the platform."""
        return self.asked.destination

    @property
    def wait(self) -> Wait | None:
        """The wait of its own that it had; None if it had none."""
        until = self.asked.waited_until
        return Wait(self.asked.wait_ms, until, heard=True) if until else None


class Vault(msgspec.Struct, frozen=True, array_like=True):
    """So many percent of what the account owns wait `hours` before they leave, and need a code sent to `approver`."""

    percent: int
    hours: int
    approver: str = ""

    @property
    def packed(self) -> int:
        """All but the approver in one number, as a waiting change keeps it."""
        return self.hours * 1_000 + self.percent

    @classmethod
    def unpacked(cls, value: int, approver: str) -> Vault:
        """Undo `packed`."""
        hours, percent = divmod(value, 1_000)
        return cls(percent, hours, approver)

    def keeps(self, other: Vault | None) -> bool:
        """Whether this protects at least as much as another, or none, in every way."""
        if other is None:
            return True
        same = other.approver in {"", self.approver}
        return same and self.percent >= other.percent and self.hours >= other.hours


class CoolOff(msgspec.Struct, frozen=True, array_like=True):
    """What a change closed: exits to senior beneficiaries and to others, each for its own wait."""

    cause: str
    severity: ev.Severity
    started_at: Instant
    senior: Wait
    others: Wait


class Challenge(msgspec.Struct, frozen=True, array_like=True):
    """An open step-up, for the one action with this digest.

    `codes_at` says to which restricted authenticators codes were sent for it, and when last: that one is good. `key` is
    the API key that was asked for more.
    """

    digest: bytes
    accept: tuple[tuple[str, ...], ...]
    until: Instant
    tries: int = 0
    contact: str = ""
    codes_at: dict[str, Instant] = {}
    key: str = ""


class Meter(msgspec.Struct, frozen=True, array_like=True):
    """Micro-USD drawn on a lane, by hour and by day since the epoch."""

    hours: dict[int, int]
    days: dict[int, int]


class Unheard(msgspec.Struct, frozen=True, array_like=True):
    """A notice that no senior contact has accepted yet, and what waits for it."""

    due_at: Instant
    about: tuple[About, ...]


class Authorised(msgspec.Struct, frozen=True, array_like=True):
    """A card payment that was let go and may be charged until then, once: what is drawn for it, margin included.

    `exceeded_micro_usd` was charged beyond it in all, `told_micro_usd` of that is what its owner was told of last, and
    `said` marks the platform's name for the last charge.
    """

    at: Instant
    until: Instant
    lane: Lane
    micro_usd: int
    margin_micro_usd: int
    stranger: str
    charged: bool = False
    exceeded_micro_usd: int = 0
    told_micro_usd: int = 0
    said: bytes = b""

    def is_news(self, more: int) -> bool:
        """Whether its owner is told of so much more: each time it has doubled, so that cents cannot bury anything."""
        return self.exceeded_micro_usd + more >= 2 * self.told_micro_usd


class Freeze(msgspec.Struct, frozen=True, array_like=True):
    """A time in which the owner had everything stopped, pressed again or not; `thawed_at` is 0 while it lasts."""

    frozen_at: Instant
    pressed_at: Instant
    thawed_at: Instant = 0


class Shown(msgspec.Struct, frozen=True, array_like=True):
    """A piece of evidence that was right: what it is, and the authenticator, contact or device it rests on."""

    evidence: str
    source: str
    holder: bytes


class Recovery(msgspec.Struct, frozen=True, array_like=True):
    """A recovery case. `path` is "" while evidence may be shown, and `wait` runs once there is a path.

    `token` is the hash of what whoever opened it must show. `drawn` are its reviewers, `approved` those that said yes;
    `asked_at` says when codes were sent for it in the last hour. `asker` is who opened it, as far as is known, and
    `reminded_at` when everybody was told of it once more.
    `doubted`: reviewers must approve, whatever was shown.
    """

    id: str
    opened_at: Instant
    token: bytes
    lost: tuple[ev.AuthenticatorKind, ...]
    drawn: tuple[str, ...]
    last_at: Instant
    shown: tuple[Shown, ...] = ()
    approved: tuple[str, ...] = ()
    path: str = ""
    wait: Wait | None = None
    contested: bool = False
    asked_at: tuple[Instant, ...] = ()
    asker: ev.Asker | None = None
    reminded_at: Instant = 0
    doubted: bool = False


class Victim(msgspec.Struct, frozen=True, array_like=True):
    """Somebody whose account looks taken over, and what he gave away to this customer: 0 once that is held."""

    account: str
    at: Instant
    micro_usd: int


class Incident(msgspec.Struct, frozen=True, array_like=True):
    """A robbery that the owner reported and did not close yet, with the instant and number of what was added last.

    Of a case about members of staff, `names` are all of them.
    """

    id: str
    opened_at: Instant
    last_at: Instant
    notes: int = 0
    names: tuple[str, ...] = ()


class Member(msgspec.Struct, frozen=True, array_like=True):
    """A member of staff: no roles before two people enrolled him. `read_at` are his reads of customers in a day.

    `flags` are why, and since when, comparisons spoke against him last, `acted_at` his words about colleagues in a day.
    """

    roles: tuple[ev.Role, ...] = ()
    proposal: Proposal | None = None
    retired_at: Instant = 0
    read_at: tuple[Instant, ...] = ()
    flags: tuple[tuple[str, Instant], ...] = ()
    acted_at: tuple[Instant, ...] = ()


class Untold(msgspec.Struct, frozen=True, array_like=True):
    """A disclosure under a secrecy order until `told_at`; the contacts in `known` have a notice that waits for it."""

    agency: str
    basis: str
    fields: tuple[str, ...]
    disclosed_at: Instant
    told_at: Instant
    known: tuple[str, ...] = ()


class AgencyEntry(msgspec.Struct, frozen=True, array_like=True):
    """How an agency stands in the registry, from `from_at` on, as was said at `entered_at`."""

    officers: tuple[ev.Officer, ...]
    recipient: str
    domains: tuple[str, ...]
    certificates: tuple[bytes, ...]
    from_at: Instant
    entered_at: Instant = 0


class Breaker(msgspec.Struct, frozen=True, array_like=True):
    """The circuit breaker: since when it holds exits (0: it does not), what one person asked, when it was reset."""

    tripped_at: Instant = 0
    proposal: Proposal | None = None
    reset_at: Instant = 0


class Agency(msgspec.Struct, frozen=True, array_like=True):
    """An agency: its entry, the one that waits, and what one person asked and a second one did not confirm yet."""

    entry: AgencyEntry | None = None
    waiting: AgencyEntry | None = None
    proposal: Proposal | None = None

    def in_force(self, now: Instant) -> AgencyEntry | None:
        """The entry that counts now."""
        return self.waiting if self.waiting is not None and self.waiting.from_at <= now else self.entry


class LegalRequest(msgspec.Struct, frozen=True, array_like=True):
    """A legal request that is open, or a freeze order in force (`frozen_until` is not 0).

    `signed` says that its paper is signed as the registry says. `called_by` rang the agency back, `approved` are those
    who approved; `thaw_by` is who wants an order ended before its date.
    """

    received_at: Instant
    agency: str
    basis: str
    fields: tuple[str, ...]
    entered_by: str
    registered: bool
    signed: bool
    expires_at: Instant
    told_at: Instant = 0
    freeze_ms: int = 0
    called_by: str = ""
    approved: tuple[str, ...] = ()
    frozen_until: Instant = 0
    thaw_by: str = ""

    def ends_at(self) -> Instant:
        """When it lapses by itself: an order in force at its date, whatever is open at its own."""
        return self.frozen_until or self.expires_at


class ApiKey(msgspec.Struct, frozen=True, array_like=True):
    """How an API key stands. What its requests are checked with is a part of the same name.

    `listed`: it may ask from its own networks only. `used_at` is when it last asked awake, `warned` how often the owner
    was told that it will stop trading, `woken_at` when he last let it go on after a sleep. `label` is what he calls it.
    Until `paced_until` what it asked has to last. `told` is the last payment of its own that he was told of at once,
    `unsaid` how many went since, worth `unsaid_micro_usd` in all; a notice that sums them up goes out at `sums_up_at`.
    """

    account: str
    scopes: tuple[ev.Scope, ...]
    created_at: Instant
    ripens: Wait
    expires_at: Instant
    listed: bool
    suspended: bool = False
    used_at: Instant = 0
    warned: int = 0
    woken_at: Instant = 0
    label: Sealed | None = None
    paced_until: Instant = 0
    told: ev.Payment | None = None
    told_at: Instant = 0
    unsaid: int = 0
    unsaid_micro_usd: int = 0
    sums_up_at: Instant = 0

    def paying(self, event: ev.NoticeDue | ev.NoticeFolded, payment: ev.Payment) -> ApiKey:
        """The key after a payment that is told of at once, or else only by what is told next or sums it up."""
        due_at = event.due_at if isinstance(event, ev.NoticeDue) else self.sums_up_at
        if isinstance(event, ev.NoticeDue) and not due_at:
            return replace(self, told=payment, told_at=event.at, unsaid=0, unsaid_micro_usd=0)
        worth = self.unsaid_micro_usd + payment.micro_usd
        return replace(self, unsaid=self.unsaid + 1, unsaid_micro_usd=worth, sums_up_at=due_at)


class Head(msgspec.Struct, frozen=True, array_like=True):
    """What every decision about a customer needs.

    `face_at` is when a picture of the owner came to be compared with, 0 if there is none.
    `texted_at` says when codes went by text in the last hour, `tickets` until when they are open, `readers` when a
    member of staff last read the customer, `drawn` who was drawn last for a recovery, and `drawn_at` when first.
    `member` is set if this is one of the staff's stream. Until `targeted_until` somebody who forged papers is after the
    account. `hushed` are the kinds of evidence that are burned and of which the owner is told only then. `agency` is
    set if this is an agency's stream. `untold` are disclosures whose secrecy is not over. `doubted_at` is when
    evidence in a recovery was last found to be false, `legal_latest` the legal request that came last, open or not, and
    `recovery_opened_at` when the last recovery was opened, over or not. `api_keys` are those that were not revoked.
    `closed` are the pairs and counterparties that may not be traded, and since when; `victims` are those who lately
    gave something away to this customer by trading. `sent` is what went to other customers and waits there still,
    `returning` of which exits one of the staff asked that they be given back. `ties` are what others may be known by as
    well, and `closed_ties` those of the counterparties that are closed. `unpaid` are exits that were let go and may get
    a fresh receipt, `settled` says by hashes under which names the platform settled those in `allowed`. `given_back`
    are the marks of reports whose loss was moved back.
    """

    account: str
    name: Sealed
    opened_at: Instant
    sub_accounts: tuple[str, ...]
    at: Instant = 0
    seq: int = 0
    authenticators: dict[str, Authenticator] = {}
    contacts: dict[str, Contact] = {}
    sessions: dict[bytes, Session] = {}
    settings: dict[Setting, int] = {}
    changes: dict[str, Change] = {}
    exits: dict[str, HeldExit] = {}
    allowed: dict[str, Instant] = {}
    cool_offs: dict[str, CoolOff] = {}
    unheard: dict[str, Unheard] = {}
    challenges: dict[str, Challenge] = {}
    failures: int = 0
    failed_at: Instant = 0
    frozen_at: Instant = 0
    frozen_by: ev.Actor | None = None
    freezes: tuple[Freeze, ...] = ()
    changed_at: Instant = 0
    meters: dict[Lane, Meter] = {}
    habit: dict[int, int] = {}
    equity: dict[int, int] = {}
    received: tuple[Received, ...] = ()
    folded: dict[str, Instant] = {}
    device_proofs: dict[bytes, Instant] = {}
    networks: dict[bytes, Instant] = {}
    failed_windows: tuple[Instant, ...] = ()
    recovery: Recovery | None = None
    recovery_ended_at: Instant = 0
    weak_until: Instant = 0
    recovery_missed: tuple[Instant, ...] = ()
    burned: dict[str, Instant] = {}
    incident: Incident | None = None
    texted_at: tuple[Instant, ...] = ()
    member: Member | None = None
    tickets: dict[str, Instant] = {}
    readers: dict[str, Instant] = {}
    legal: dict[str, LegalRequest] = {}
    targeted_until: Instant = 0
    hushed: dict[str, Instant] = {}
    face_at: Instant = 0
    drawn: tuple[str, ...] = ()
    drawn_at: Instant = 0
    agency: Agency | None = None
    untold: dict[str, Untold] = {}
    doubted_at: Instant = 0
    legal_latest: str = ""
    recovery_opened_at: Instant = 0
    papers: dict[bytes, Instant] = {}
    api_keys: dict[str, ApiKey] = {}
    vault: Vault | None = None
    closed: dict[str, Instant] = {}
    victims: tuple[Victim, ...] = ()
    strangers: dict[str, dict[int, int]] = {}
    breaker: Breaker | None = None
    sent: dict[str, Sent] = {}
    returning: dict[str, Proposal] = {}
    ties: dict[bytes, Tie] = {}
    closed_ties: dict[str, tuple[bytes, ...]] = {}
    cards: dict[str, Authorised] = {}
    unpaid: dict[str, Unpaid] = {}
    settled: dict[str, bytes] = {}
    given_back: tuple[bytes, ...] = ()

    @property
    def stream(self) -> ev.StreamKind:
        """Whose stream this is."""
        if self.agency is not None:
            return ev.StreamKind.AGENCY
        if self.breaker is not None:
            return ev.StreamKind.BREAKER
        return ev.StreamKind.CUSTOMER if self.member is None else ev.StreamKind.STAFF

    def to_release(self, which: str) -> HeldExit | Unpaid | None:
        """What `exit.release` is about: an exit that waits, or one that was let go and is not paid."""
        return self.exits.get(which) or self.unpaid.get(which)

    def setting(self, setting: Setting) -> int:
        """A setting's value; its loosest one if it was never set."""
        return self.settings.get(setting, SETTING_UNSET[setting])


SETTING_UNSET: Final = {Setting.ALLOWLIST: 0, Setting.LOCK_HOURS: 0, Setting.LIMIT_MICRO_USD: -1}


class Beneficiary(msgspec.Struct, frozen=True, array_like=True):
    """Someone value may go to: an address, bank account, counterparty, or an opened kind, with its provenance.

    `paid_at` is when an exit to it was first allowed, 0 if none was since it was entered.
    """

    label: Sealed
    network: str
    address: Sealed | None
    added_at: Instant
    ripens: Wait
    verified_until: Instant
    actor: ev.Actor
    device: str
    authenticator: str
    removed: bool = False
    paid_at: Instant = 0


class Device(msgspec.Struct, frozen=True, array_like=True):
    """A device that signed in: by its key, or by the platform's name for it.

    `days` are the distinct quiet days on which it did, the last of them at `counted_at`. Once its owner has disowned
    it, it stays so.
    """

    first_at: Instant
    last_at: Instant
    user_agent: Sealed | None
    days: int = 0
    counted_at: Instant = 0
    disowned_at: Instant = 0


class Credential(msgspec.Struct, frozen=True, array_like=True):
    """The sealed secret of an authenticator."""

    secret: Sealed
    epoch: int


class Program(msgspec.Struct, frozen=True, array_like=True):
    """What the requests of an API key are checked with, and how far it reaches; see `events.ApiKeyCreated`.

    `nonces` are the highest that it used, rising. Of one that was revoked nothing is left, not even its secret: whoever
    asks with it is told what he is told who names a key that never was.
    """

    label: Sealed | None
    secret: Sealed | None
    networks: tuple[Sealed, ...]
    pairs: tuple[str, ...]
    beneficiaries: tuple[str, ...]
    nonces: tuple[int, ...] = ()


Part = Beneficiary | Device | Credential | Profile | Program | TradeMeter
PartKey = tuple[str, str]
"""Kind (`beneficiary`, `device`, `credential`, `profile`, `api_key`, `trading`) and name of a part."""

PROFILE: Final = ("profile", "sign_in")
"""The one part that says what an account's sign-ins look like."""

METER: Final = ("trading", "meter")
"""The one part that says what an account traded lately."""


REVOKED: Final = Program(None, None, (), (), ())
"""What is left of a key that was revoked. It needs nothing of the part to be loaded: all keys end in one call."""


class Customer(msgspec.Struct, frozen=True):
    """The aggregate: a head, None before the import, and those parts that were loaded."""

    head: Head | None
    parts: dict[PartKey, Part]

    def beneficiary(self, name: str) -> Beneficiary | None:
        """A loaded beneficiary that is still in the book."""
        part = self.parts.get(("beneficiary", name))
        return part if isinstance(part, Beneficiary) and not part.removed else None

    def program(self, name: str) -> Program | None:
        """What the requests of an API key are checked with, if it was loaded and not revoked."""
        part = self.parts.get(("api_key", name))
        return part if isinstance(part, Program) and part.secret is not None else None

    @property
    def profile(self) -> Profile:
        """What the account's sign-ins look like; empty if it was not loaded or there is none."""
        part = self.parts.get(PROFILE)
        return part if isinstance(part, Profile) else EMPTY

    @property
    def meter(self) -> TradeMeter:
        """What the account traded lately; nothing if that was not loaded or there is none."""
        part = self.parts.get(METER)
        return part if isinstance(part, TradeMeter) else UNUSED


NOBODY: Final = Customer(None, {})


def evolve(customer: Customer, event: ev.AnyEvent) -> Customer:
    """The customer after an event. Total over histories that `decide` wrote; pure."""
    if customer.head is None:
        return _begun(customer, event)
    kind = type(event)
    head = customer.head if kind in _LEAVES_HEAD else _head(customer.head, event)
    if head.sent and (kind is ev.Decided or stops(event)):
        head = _lasting(head, event)
    return Customer(head, _parts(customer.parts, event) if kind in _TOUCHES_PARTS else customer.parts)


def _lasting(head: Head, event: ev.AnyEvent) -> Head:
    """What was sent, without what is over: each decision looks, or it would lie there until something is sent again."""
    sent = lasting(head.sent, event.at)
    if stops(event):
        sent = stopped(sent, event.at)
    return head if sent is head.sent else replace(head, sent=sent)


def _begun(nobody: Customer, event: ev.AnyEvent) -> Customer:
    """The customer, member of staff or agency that an event begins; nobody still, if it begins none."""
    match event:
        case ev.AccountImported():
            equity = _lowest({}, event.at, event.equity_micro_usd)
            born = Head(event.account, event.name, event.at, event.sub_accounts, at=event.at, seq=1, equity=equity)
            return Customer(replace(born, face_at=event.at) if event.face is not None else born, {})
        case ev.MemberProposed():
            return Customer(_staffed(Head(event.account, event.name, event.at, (), at=event.at, seq=1), event), {})
        case ev.AgencyProposed():
            return Customer(_registered(Head(event.account, event.name, event.at, (), at=event.at, seq=1), event), {})
        case ev.BreakerTripped():
            return Customer(_broken(Head(ev.BREAKER, event.name, event.at, (), at=event.at, seq=1), event), {})
        case _:
            return nobody


_LEAVES_HEAD: Final = frozenset({ev.DeviceSeen, ev.SignInScored, ev.PlaceSeen})
"""Frequent events that change no head: looked up before the cases below, which say so too."""


def _head(head: Head, event: ev.AnyEvent) -> Head:  # noqa: C901 - one case for each kind of event
    """The head after an event; cases stand in the order of how often they happen, for each costs the ones before it."""
    match event:
        case ev.Decided():
            return replace(head, at=event.at, seq=head.seq + 1)
        case ev.ProofUsed() | ev.ProofFailed() | ev.ChallengeIssued() | ev.ChallengeClosed() | ev.AuthenticatorAsked():
            return _proofs(head, event)
        case ev.ExitEvent():
            return _exits(head, event)
        case ev.TradeEvent():
            return _trading(head, event)
        case ev.CoolOffStarted() | ev.NoticeDue() | ev.NoticeFolded() | ev.NoticeAccepted() | ev.WaitMoved():
            return _waits(head, event)
        case (
            ev.DeviceMet()
            | ev.DeviceSeen()
            | ev.DeviceDisowned()
            | ev.SignInScored()
            | ev.PlaceSeen()
            | ev.AddressAdded()
            | ev.NoticeFailed()
            | ev.AccountImported()
            | ev.CredentialRehashed()
        ):
            return head
        case ev.AddressRenewed():
            return _confirmed(head, event.beneficiary)
        case ev.AddressRemoved():
            return _payable(head, lambda one: one.beneficiary != event.beneficiary)
        case ev.DeviceProofSpent():
            alive = {key: until for key, until in head.device_proofs.items() if until >= event.at}
            return replace(head, device_proofs=alive | {event.proof: event.until})
        case ev.SessionStarted() | ev.SessionSeen() | ev.SessionEnded() | ev.SessionMisused():
            return _signed_in(replace(head, sessions=_sessions(head.sessions, event)), event)
        case ev.SignInsFailed():
            return replace(head, failed_windows=(*head.failed_windows, event.window_at)[-WINDOWS_KEPT:])
        case ev.ValueReceived() | ev.EquityStated() | ev.ValueRecalled() | ev.ValueReturned():
            return _value(head, event)
        case ev.ExitSettled():
            return _settled(head, event)
        case ev.Frozen() | ev.Unfrozen():
            return _stopped(head, event)
        case ev.SettingChanged() | ev.VaultChanged() | ev.ChangeAsked() | ev.ChangeCancelled() | ev.ChangeDone():
            return _settings(head, event)
        case (
            ev.AuthenticatorBound()
            | ev.AuthenticatorConfirmed()
            | ev.AuthenticatorSuspended()
            | ev.AuthenticatorReinstated()
            | ev.AuthenticatorRemoved()
            | ev.AuthenticatorRecycled()
            | ev.SecretReplaced()
        ):
            return replace(head, authenticators=_authenticators(head.authenticators, event))
        case ev.ContactAdded() | ev.ContactAsked() | ev.ContactConfirmed() | ev.ContactRemoved() | ev.ContactRecycled():
            return replace(head, contacts=_contacts(head.contacts, event))
        case (
            ev.RecoveryOpened()
            | ev.RecoveryAsked()
            | ev.RecoveryShown()
            | ev.RecoveryMissed()
            | ev.RecoveryDoubted()
            | ev.RecoveryClosed()
            | ev.RecoveryReviewed()
            | ev.RecoveryContested()
            | ev.RecoveryEnded()
            | ev.RecoveryFinished()
            | ev.RecoveryReminded()
        ):
            return _recovering(head, event)
        case ev.EvidenceBurned():
            longer = {kind: max(head.burned.get(kind, 0), event.until) for kind in event.kinds}
            return replace(head, burned=head.burned | longer, hushed=_hushed(head, event))
        case ev.IncidentReported() | ev.IncidentNoted() | ev.IncidentClosed():
            return replace(head, incident=_incident(head.incident, event))
        case ev.MemberProposed() | ev.MemberEnrolled() | ev.MemberRetired() | ev.CustomerRead() | ev.ColleagueJudged():
            return _staffed(head, event)
        case ev.MemberFlagged():
            return _flagged(head, event)
        case ev.TicketOpened() | ev.TicketClosed() | ev.LookedUp():
            return _helped(head, event)
        case (
            ev.LegalReceived()
            | ev.LegalCalledBack()
            | ev.LegalApproved()
            | ev.LegalRejected()
            | ev.LegalDisclosed()
            | ev.LegalFrozen()
            | ev.LegalThawAsked()
            | ev.LegalThawed()
            | ev.LegalTold()
        ):
            return _legal(head, event)
        case ev.AgencyProposed() | ev.AgencyEntered() | ev.AgencyRemoved():
            return _registered(head, event)
        case ev.BreakerTripped() | ev.BreakerResetAsked() | ev.BreakerReset():
            return _broken(head, event)
        case ev.ApiKeyEvent() | ev.ApiKeysStopped():
            return _programs(head, event)
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _incident(
    known: Incident | None, event: ev.IncidentReported | ev.IncidentNoted | ev.IncidentClosed
) -> Incident | None:
    """The robbery that is under way after an event."""
    match event:
        case ev.IncidentReported():
            return Incident(event.incident, event.at, event.at)
        case ev.IncidentNoted() if known is not None:
            return replace(known, last_at=event.at, notes=known.notes + 1)
        case _:
            return None


def _broken(head: Head, event: ev.BreakerTripped | ev.BreakerResetAsked | ev.BreakerReset) -> Head:
    breaker = head.breaker or Breaker()
    match event:
        case ev.BreakerTripped():
            breaker = Breaker(event.at, None, breaker.reset_at)
        case ev.BreakerResetAsked():
            breaker = replace(breaker, proposal=Proposal(event.digest, event.by, event.at))
        case ev.BreakerReset():
            breaker = Breaker(0, None, event.at)
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)
    return replace(head, breaker=breaker)


def _staffed(
    head: Head,
    event: ev.MemberProposed | ev.MemberEnrolled | ev.MemberRetired | ev.CustomerRead | ev.ColleagueJudged,
) -> Head:
    member = head.member or Member()
    match event:
        case ev.MemberProposed():
            member = replace(member, proposal=Proposal(event.digest, event.by, event.at))
        case ev.MemberEnrolled():
            member = replace(member, roles=event.roles, proposal=None)
        case ev.MemberRetired():
            member = replace(member, roles=(), proposal=None, retired_at=event.at)
        case ev.CustomerRead():
            lately = tuple(at for at in member.read_at if at > event.at - DAY)
            member = replace(member, read_at=(*lately, event.at))
        case ev.ColleagueJudged():
            lately = tuple(at for at in member.acted_at if at > event.at - DAY)
            member = replace(member, acted_at=(*lately, event.at))
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)
    return replace(head, member=member)


def _flagged(head: Head, event: ev.MemberFlagged) -> Head:
    member = head.member or Member()
    flags = (*member.flags, (event.why, event.since_at))[-FLAGS_KEPT:]
    case = head.incident or Incident(event.incident, event.at, event.at)
    case = replace(case, names=tuple(sorted({*case.names, *event.names})))
    return replace(head, member=replace(member, flags=flags), incident=case)


def _helped(head: Head, event: ev.TicketOpened | ev.TicketClosed | ev.LookedUp) -> Head:
    match event:
        case ev.TicketOpened():
            tickets = {key: until for key, until in head.tickets.items() if until > event.at}
            return replace(head, tickets=tickets | {event.ticket: event.until})
        case ev.TicketClosed():
            return replace(head, tickets=_without(head.tickets, event.ticket))
        case ev.LookedUp():
            if not event.involved:
                return head
            readers = _without(head.readers, event.member) | {event.member: event.at}
            return replace(head, readers=dict(list(readers.items())[-READERS_KEPT:]))
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _legal(head: Head, event: ev.LegalEvent) -> Head:
    if isinstance(event, ev.LegalReceived):
        alive = {key: one for key, one in head.legal.items() if event.at < one.ends_at()}
        papers = {mark: until for mark, until in head.papers.items() if event.at < until}
        if event.spent_until:
            papers[event.mark] = event.spent_until
        legal = alive | {event.request: _received(event)}
        return replace(head, legal=legal, legal_latest=event.request, papers=papers)
    if isinstance(event, ev.LegalRejected | ev.LegalDisclosed | ev.LegalThawed):
        until = event.targeted_until if isinstance(event, ev.LegalRejected) else 0
        rest = _without(head.legal, event.request)
        return replace(_disclosed(head, event), legal=rest, targeted_until=max(head.targeted_until, until))
    if isinstance(event, ev.LegalTold):
        return replace(head, untold=_without(head.untold, event.request))
    old = head.legal[event.request]
    match event:
        case ev.LegalCalledBack():
            new = replace(old, called_by=event.by)
        case ev.LegalApproved():
            new = replace(old, approved=(*old.approved, event.by))
        case ev.LegalFrozen():
            new = replace(old, frozen_until=event.until)
        case ev.LegalThawAsked():
            new = replace(old, thaw_by=event.by)
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)
    return replace(head, legal=head.legal | {event.request: new})


def _disclosed(head: Head, event: ev.LegalEvent) -> Head:
    if not isinstance(event, ev.LegalDisclosed) or not event.told_at:
        return head
    new = Untold(event.agency, event.basis, event.fields, event.at, event.told_at)
    return replace(head, untold=dict([*head.untold.items(), (event.request, new)][-UNTOLD_KEPT:]))


def _to_be_told(head: Head, event: ev.NoticeDue) -> Head:
    """Who has a notice of the last disclosure that waits for its date."""
    if not event.due_at or event.cause != DISCLOSED or not head.untold:
        return head
    last = next(reversed(head.untold))
    return replace(head, untold=head.untold | {last: replace(head.untold[last], known=event.contacts)})


def _registered(head: Head, event: ev.AgencyProposed | ev.AgencyEntered | ev.AgencyRemoved) -> Head:
    agency = head.agency or Agency()
    match event:
        case ev.AgencyProposed():
            agency = replace(agency, proposal=Proposal(event.digest, event.by, event.at))
        case ev.AgencyEntered():
            said = event.officers, event.recipient, event.domains, event.certificates
            new = AgencyEntry(*said, event.until, event.at)
            agency = Agency(agency.in_force(event.at), new)
        case ev.AgencyRemoved():
            agency = Agency(agency.in_force(event.at)) if event.waiting else Agency()
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)
    return replace(head, agency=agency)


def _hushed(head: Head, event: ev.EvidenceBurned) -> dict[str, Instant]:
    """What the owner is not told of yet; never what he knows already."""
    kept = {kind: at for kind, at in head.hushed.items() if at > event.at}
    if not event.told_at:
        return {kind: at for kind, at in kept.items() if kind not in event.kinds}
    known = {kind for kind, until in head.burned.items() if until > event.at and kind not in kept}
    return kept | {kind: max(kept.get(kind, 0), event.told_at) for kind in event.kinds if kind not in known}


def _received(event: ev.LegalReceived) -> LegalRequest:
    return LegalRequest(
        received_at=event.at,
        agency=event.agency,
        basis=event.basis,
        fields=event.fields,
        entered_by=event.entered_by,
        registered=event.registered,
        signed=event.signed,
        expires_at=event.expires_at,
        told_at=event.told_at,
        freeze_ms=event.freeze_ms,
    )


def _recovering(head: Head, event: ev.RecoveryEvent) -> Head:
    if isinstance(event, ev.RecoveryOpened):
        drawn, asker = event.drawn, event.asker
        opened = Recovery(event.recovery, event.at, event.token, event.lost, drawn, event.at, asker=asker)
        opened = replace(opened, doubted=event.doubted)
        drawn_at = head.drawn_at if set(event.drawn) & set(head.drawn) else event.at
        return replace(head, recovery=opened, recovery_opened_at=event.at, drawn=event.drawn, drawn_at=drawn_at)
    if isinstance(event, ev.RecoveryEnded | ev.RecoveryContested):
        head = _payable(head, lambda one: one.asked.recovery != event.recovery)
    case = head.recovery
    if isinstance(event, ev.RecoveryFinished):
        return replace(head, recovery=None, recovery_ended_at=event.at, weak_until=event.weak_until)
    if isinstance(event, ev.RecoveryEnded) or case is None:
        return replace(head, recovery=None, recovery_ended_at=event.at)
    if isinstance(event, ev.RecoveryReminded):
        return replace(head, recovery=replace(case, reminded_at=event.at))
    if isinstance(event, ev.RecoveryMissed):
        lately = tuple(at for at in head.recovery_missed if at > event.at - DAY)
        return replace(head, recovery_missed=(*lately, event.at))
    if isinstance(event, ev.RecoveryAsked):  # whoever only asks for codes does not keep his case alive by it
        return replace(head, recovery=_case(case, event))
    doubted_at = event.at if isinstance(event, ev.RecoveryDoubted) else head.doubted_at
    return replace(head, recovery=replace(_case(case, event), last_at=event.at), doubted_at=doubted_at)


def _case(
    case: Recovery,
    event: ev.RecoveryAsked
    | ev.RecoveryShown
    | ev.RecoveryDoubted
    | ev.RecoveryClosed
    | ev.RecoveryReviewed
    | ev.RecoveryContested,
) -> Recovery:
    match event:
        case ev.RecoveryAsked():
            lately = tuple(at for at in case.asked_at if at > event.at - HOUR)
            return replace(case, asked_at=(*lately, event.at))
        case ev.RecoveryShown():
            return replace(case, shown=(*case.shown, Shown(event.evidence, event.source, event.holder)))
        case ev.RecoveryDoubted():
            return replace(case, doubted=True)
        case ev.RecoveryClosed():
            return replace(case, path=event.path, wait=Wait(event.wait_ms, event.until, heard=True))
        case ev.RecoveryReviewed():
            return replace(case, approved=(*case.approved, event.reviewer)) if event.approved else case
        case ev.RecoveryContested():
            longer = replace(case.wait, length_ms=event.wait_ms, until=event.until) if case.wait else None
            return replace(case, contested=True, wait=longer)
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


_SessionEvent = ev.SessionStarted | ev.SessionSeen | ev.SessionEnded | ev.SessionMisused


def _sessions(sessions: dict[bytes, Session], event: _SessionEvent) -> dict[bytes, Session]:
    if isinstance(event, ev.SessionStarted):
        alive = {key: session for key, session in sessions.items() if session.ends_at() > event.at}
        proved = event.at if ev.AuthenticatorKind.PASSWORD in event.proved else 0
        alive[event.session] = Session(event.device, event.at, event.at, event.until, event.idle_ms, proved, event.key)
        return alive
    if isinstance(event, ev.SessionEnded):
        return _without(sessions, event.session)
    session = sessions[event.session]
    if isinstance(event, ev.SessionMisused):
        return sessions | {event.session: replace(session, misused_at=event.at)}
    proved = event.at if event.password else session.password_at
    return sessions | {event.session: replace(session, seen_at=event.at, password_at=proved)}


def _signed_in(head: Head, event: _SessionEvent) -> Head:
    """Keep the networks that sign-ins last came from."""
    if not isinstance(event, ev.SessionStarted) or not event.network:
        return head
    networks = _without(head.networks, event.network) | {event.network: event.at}
    surplus = len(networks) - NETWORKS_KEPT
    return replace(head, networks=dict(list(networks.items())[max(surplus, 0) :]))


_AuthenticatorEvent = (
    ev.AuthenticatorBound
    | ev.AuthenticatorConfirmed
    | ev.AuthenticatorSuspended
    | ev.AuthenticatorReinstated
    | ev.AuthenticatorRemoved
    | ev.AuthenticatorRecycled
    | ev.SecretReplaced
)


def _authenticators(held: dict[str, Authenticator], event: _AuthenticatorEvent) -> dict[str, Authenticator]:
    key = event.authenticator
    match event:
        case ev.AuthenticatorBound():
            ripens = Wait(event.wait_ms, event.until, heard=True)
            new = Authenticator(
                event.kind,
                event.holder,
                event.at,
                ripens,
                event.confirmed,
                counter=event.counter,
                held_since=event.at,
            )
            held = {name: one for name, one in held.items() if name not in event.replaces}
        case ev.AuthenticatorConfirmed():
            new = replace(held[key], confirmed=True, ripens=Wait(event.wait_ms, event.until, heard=True))
        case ev.AuthenticatorSuspended():
            new = replace(held[key], suspended=True, lost=event.lost)
        case ev.AuthenticatorReinstated():
            new = replace(held[key], suspended=False, lost=False)
        case ev.AuthenticatorRemoved():
            return _without(held, key)
        case ev.AuthenticatorRecycled():
            new = replace(held[key], recycled=True)
        case ev.SecretReplaced():
            ripens = Wait(event.wait_ms, event.until, heard=True)
            new = replace(held[key], epoch=event.epoch, bound_at=event.at, ripens=ripens, counter=0, used=0)
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)
    return held | {key: new}


def _api_keys(held: dict[str, ApiKey], event: ev.AnyKeyEvent | ev.ApiKeysStopped) -> dict[str, ApiKey]:
    if isinstance(event, ev.ApiKeysStopped):
        return held | {name: replace(held[name], suspended=True) for name in event.keys}
    name = event.api_key
    match event:
        case ev.ApiKeyCreated():
            ripens, listed = Wait(event.wait_ms, event.until, heard=True), bool(event.networks)
            new = ApiKey(event.account, event.scopes, event.at, ripens, event.expires_at, listed, label=event.label)
        case ev.ApiKeySigned():
            one = held[name]
            used_at = event.at if event.awake else one.used_at
            new = replace(one, used_at=used_at, paced_until=event.paced_until or one.paced_until)
        case ev.ApiKeyWoken():
            new = replace(held[name], used_at=event.at, woken_at=event.at)
        case ev.ApiKeySuspended():
            new = replace(held[name], suspended=True)
        case ev.ApiKeyResumed():
            new = replace(held[name], suspended=False)
        case ev.ApiKeyRevoked():
            return _without(held, name)
        case ev.ApiKeyWarned():
            new = replace(held[name], warned=event.warned)
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)
    return held | {name: new}


_ContactEvent = ev.ContactAdded | ev.ContactAsked | ev.ContactConfirmed | ev.ContactRemoved | ev.ContactRecycled


def _contacts(contacts: dict[str, Contact], event: _ContactEvent) -> dict[str, Contact]:
    kept = {key: one for key, one in contacts.items() if not one.removed or one.told_until > event.at}
    key = event.contact
    match event:
        case ev.ContactAdded():
            ripens = Wait(event.wait_ms, event.until, heard=True)
            new = Contact(event.channel, event.address, event.at, ripens, event.confirmed, asked_at=event.at)
            return kept | {key: new}
        case ev.ContactAsked():
            return kept | {key: replace(kept[key], asked_at=event.at)}
        case ev.ContactConfirmed():
            old = kept[key]
            ripens = Wait(event.wait_ms, event.until, heard=True) if event.wait_ms else old.ripens
            return kept | {key: replace(old, confirmed=True, ripens=ripens, lost_freeze=False)}
        case ev.ContactRemoved():
            return kept | {key: replace(kept[key], removed=True, told_until=event.told_until)}
        case ev.ContactRecycled():
            return kept | {key: replace(kept[key], recycled=True)}
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


_ProofEvent = ev.ProofUsed | ev.ProofFailed | ev.ChallengeIssued | ev.ChallengeClosed | ev.AuthenticatorAsked


def _proofs(head: Head, event: _ProofEvent) -> Head:
    match event:
        case ev.ProofUsed():
            old = head.authenticators[event.authenticator]
            if old.kind is ev.AuthenticatorKind.BACKUP_CODE:
                new = replace(old, used=old.used | 1 << event.counter)
            else:
                new = replace(old, counter=max(old.counter, event.counter), backed_up=event.backed_up)
            return replace(head, authenticators=head.authenticators | {event.authenticator: new}, failures=0)
        case ev.ProofFailed():
            challenges = head.challenges
            if event.challenge in challenges:
                tried = challenges[event.challenge]
                challenges = challenges | {event.challenge: replace(tried, tries=tried.tries + 1)}
            return replace(head, failures=head.failures + 1, failed_at=event.at, challenges=challenges)
        case ev.ChallengeIssued():
            alive = {key: one for key, one in head.challenges.items() if one.until > event.at}
            challenge = Challenge(event.digest, event.accept, event.until, 0, event.contact, key=event.key)
            return replace(head, challenges=alive | {event.challenge: challenge})
        case ev.ChallengeClosed():
            return replace(head, challenges=_without(head.challenges, event.challenge))
        case ev.AuthenticatorAsked():
            key, one = event.authenticator, head.authenticators[event.authenticator]
            lately = tuple(at for at in one.codes_at if at > event.at - HOUR)
            asked = replace(one, codes_at=(*lately, event.at))
            open_one = head.challenges[event.challenge]
            waits = replace(open_one, codes_at=open_one.codes_at | {key: event.at})
            challenges = head.challenges | {event.challenge: waits}
            return replace(head, authenticators=head.authenticators | {key: asked}, challenges=challenges)
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _stopped(head: Head, event: ev.Frozen | ev.Unfrozen) -> Head:
    if isinstance(event, ev.Frozen):
        # Else what a thief had let go, and nobody paid yet, would go at the thaw.
        head = _payable(head, lambda _: False)
        if head.frozen_at:
            pressed = replace(head.freezes[-1], pressed_at=event.at)
            return replace(head, freezes=(*head.freezes[:-1], pressed))
        freezes = (*head.freezes, Freeze(event.at, event.at))[-FREEZES_KEPT:]
        return replace(head, frozen_at=event.at, frozen_by=event.by, freezes=freezes)
    contacts = head.contacts
    by = head.frozen_by.contact if head.frozen_by else ""
    if event.mistaken and by in contacts:
        contacts = contacts | {by: replace(contacts[by], lost_freeze=True)}
    freezes = (*head.freezes[:-1], replace(head.freezes[-1], thawed_at=event.at))
    return replace(head, frozen_at=0, frozen_by=None, freezes=freezes, contacts=contacts)


_SettingEvent = ev.SettingChanged | ev.VaultChanged | ev.ChangeAsked | ev.ChangeCancelled | ev.ChangeDone


def _settings(head: Head, event: _SettingEvent) -> Head:
    match event:
        case ev.SettingChanged():
            return replace(head, settings=head.settings | {event.setting: event.value})
        case ev.ChangeAsked():
            wait = Wait(event.wait_ms, event.until, heard=True)
            change = Change(event.kind, event.subject, event.value, event.at, wait)
            return replace(head, changes=head.changes | {event.change: change})
        case ev.VaultChanged():
            vault = Vault(event.percent, event.hours, event.approver) if event.percent else None
            return replace(head, vault=vault)
        case ev.ChangeCancelled() | ev.ChangeDone():
            return replace(head, changes=_without(head.changes, event.change))
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


_ExitEvent = (
    ev.ExitAllowed
    | ev.ExitHeld
    | ev.ExitMoved
    | ev.ExitApproved
    | ev.ExitCancelled
    | ev.ExitReconciled
    | ev.ValueSent
    | ev.ExitReturnAsked
    | ev.ExitReturned
    | ev.ExitCleared
    | ev.ExitExceeded
    | ev.ExitLocked
    | ev.ExitPaid
    | ev.ExitDisputed
    | ev.ExitRuled
)


def _held(event: ev.ExitHeld) -> HeldExit:
    return HeldExit(
        kind=event.kind,
        beneficiary=event.beneficiary,
        network=event.network,
        asset=event.asset,
        amount=event.amount,
        micro_usd=event.micro_usd,
        digest=event.digest,
        account=event.account,
        asked_with=event.asked_with,
        counterparty=event.counterparty,
        asked_at=event.at,
        wait=Wait(event.wait_ms, event.at + event.wait_ms, heard=True),
        said_until=event.until,
        recovery=event.recovery,
        destination=event.destination,
        stranger=event.stranger,
        key=event.key,
        unconfirmed=event.unconfirmed,
    )


def _confirmed(head: Head, beneficiary: str) -> Head:
    """What waited for its owner to confirm whom it pays waits for its time alone."""
    waited = {
        name: replace(one, unconfirmed=False)
        for name, one in head.exits.items()
        if one.unconfirmed and one.beneficiary == beneficiary
    }
    return replace(head, exits=head.exits | waited) if waited else head


def _exits(head: Head, event: _ExitEvent) -> Head:
    match event:
        case ev.ExitAllowed():
            return _let_go(head, event)
        case ev.ExitReconciled():
            return _reconciled(head, event)
        case ev.ExitHeld():
            return replace(head, exits=head.exits | {event.exit: _held(event)})
        case ev.ExitMoved():
            old = head.exits[event.exit]
            new = replace(old, said_until=max(old.said_until, event.until), unconfirmed=event.unconfirmed)
            return replace(head, exits=head.exits | {event.exit: new})
        case ev.ExitApproved():
            approved = replace(head.exits[event.exit], approved=True)
            return replace(head, exits=head.exits | {event.exit: approved})
        case ev.ExitCancelled():
            held = head.exits.get(event.exit)
            given = head if held is None else without_draw(head, held)
            return replace(given, exits=_without(head.exits, event.exit))
        case ev.ValueSent():
            return replace(head, sent=with_sent(head.sent, event))
        case ev.ExitReturnAsked():
            asked = {name: one for name, one in head.returning.items() if name in head.sent}
            return replace(head, returning=asked | {event.exit: Proposal(event.digest, event.by, event.at)})
        case ev.ExitReturned():
            return _undrawn(head, event)
        case ev.ExitCleared() | ev.ExitExceeded():
            return _charged(head, event)
        case ev.ExitLocked() | ev.ExitPaid() | ev.ExitDisputed() | ev.ExitRuled():
            return _selling(head, event)
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _let_go(head: Head, event: ev.ExitAllowed) -> Head:
    """What was let go draws now, unless it was drawn as it was locked; what was let go before, and not paid, once.

    A card payment may be charged yet.
    """
    before, sale = head.unpaid.get(event.exit), head.exits.get(event.exit)
    if before is not None:
        head = _without_habit(head, before) if event.drawn_at else without_payment(head, before)
    paid = before.paid if before is not None else sale is not None and sale.lock is not None and bool(sale.lock.paid_at)
    allowed, exits = _kept(head.allowed, event.exit, event.at), _without(head.exits, event.exit)
    meters, habit = _drawn(head, event.lane, event.micro_usd, event.usual_micro_usd, event.at)
    head = replace(head, exits=exits, allowed=allowed, habit=habit, unpaid=_unpaid(head.unpaid, event, paid=paid))
    if event.drawn_at:
        return head
    strangers = _strangers(head.strangers, event.stranger, event.micro_usd, event.at)
    cards = _authorised(head.cards, event) if event.cleared_until else head.cards
    return replace(head, meters=meters, strangers=strangers, cards=cards)


def _programs(head: Head, event: ev.AnyKeyEvent | ev.ApiKeysStopped) -> Head:
    head = replace(head, api_keys=_api_keys(head.api_keys, event))
    match event:
        case ev.ApiKeysStopped():
            return _payable(head, lambda one: one.asked.key not in event.keys)
        case ev.ApiKeySuspended() | ev.ApiKeyRevoked():
            return _payable(head, lambda one: one.asked.key != event.api_key)
        case _:
            return head


def _payable(head: Head, still: Callable[[Unpaid], bool]) -> Head:
    """The head in which fresh receipts are given for no other exits: what stops one that waits stops these as well.

    What they drew stays drawn, for their receipts may have been spent. Whose buyer has paid is not robbed by it.
    """
    unpaid = {name: one for name, one in head.unpaid.items() if one.paid or still(one)}
    return head if len(unpaid) == len(head.unpaid) else replace(head, unpaid=unpaid)


def _reconciled(head: Head, event: ev.ExitReconciled) -> Head:
    """What the signer paid draws, once; what is known here of that exit is over, under no name of the platform's."""
    held, unpaid = head.exits.get(event.exit), head.unpaid.get(event.exit)
    head = head if held is None else without_draw(head, held)
    head = head if unpaid is None else without_payment(head, unpaid)
    meters, habit = _drawn(head, event.lane, event.micro_usd, 0, event.at)
    head = replace(head, allowed=_kept(head.allowed, event.receipt, event.at), meters=meters, habit=habit)
    stranger = unpaid.stranger if unpaid is not None else held.stranger if held is not None else ""
    head = replace(head, strangers=_strangers(head.strangers, stranger, event.micro_usd, event.at))
    if held is None and unpaid is None:
        return head
    return replace(
        head,
        exits=_without(head.exits, event.exit),
        unpaid=_without(head.unpaid, event.exit),
        cards=_without(head.cards, event.exit),
        allowed=_kept(head.allowed, event.exit, event.at),
        settled=head.settled | {event.exit: b""},
    )


def _unpaid(unpaid: dict[str, Unpaid], event: ev.ExitAllowed, *, paid: bool) -> dict[str, Unpaid]:
    """The last exits of which a fresh receipt may be asked for, newest last."""
    if event.payable is None:
        return unpaid
    kept = [(name, one) for name, one in unpaid.items() if name != event.exit and one.asked.until > event.at]
    new = Unpaid(
        at=event.at,
        kind=event.kind,
        beneficiary=event.beneficiary,
        lane=event.lane,
        micro_usd=event.micro_usd,
        digest=event.digest,
        account=event.account,
        usual_micro_usd=event.usual_micro_usd,
        stranger=event.stranger,
        drawn_at=event.drawn_at,
        ruled=bool(event.by),
        asked=event.payable,
        paid=paid,
    )
    return dict([*kept[1 - UNPAID_KEPT :], (event.exit, new)])


def without_payment(head: Head, gone: Unpaid) -> Head:
    """The head as if an exit that was let go had not been: nothing is drawn for it, and it shapes no habit."""
    return _given_back(_without_habit(head, gone), gone.lane, gone.micro_usd, gone.drawn_at or gone.at, gone.stranger)


def _without_habit(head: Head, gone: Unpaid) -> Head:
    usual = 0 if gone.lane is Lane.NONE else gone.usual_micro_usd
    return replace(head, habit=less(head.habit, gone.at // DAY, usual))


def _undrawn(head: Head, event: ev.ExitReturned) -> Head:
    """What was given back was never drawn: it is taken out of the hours and days in which it was, and of the habit."""
    head = replace(head, unpaid=_without(head.unpaid, event.exit))
    sent = head.sent | {event.exit: replace(head.sent[event.exit], returned_at=event.at)}
    usual = 0 if event.lane is Lane.NONE else event.usual_micro_usd
    habit = less(head.habit, (event.left_at or event.drawn_at) // DAY, usual)
    head = replace(head, sent=sent, returning=_without(head.returning, event.exit), habit=habit)
    return _given_back(head, event.lane, event.drawn_micro_usd, event.drawn_at, event.stranger)


def _authorised(cards: dict[str, Authorised], event: ev.ExitAllowed) -> dict[str, Authorised]:
    """The card payments that may be charged against what is set aside, newest last, and no more than so many."""
    new = Authorised(event.at, event.cleared_until, event.lane, event.micro_usd, event.margin_micro_usd, event.stranger)
    kept = [(name, one) for name, one in cards.items() if name != event.exit and one.until > event.at]
    return dict([*kept[1 - CARDS_KEPT :], (event.exit, new)])


def _charged(head: Head, event: ev.ExitCleared | ev.ExitExceeded) -> Head:
    """Less is drawn where it was drawn, more is drawn now; what was set aside for a charge serves once."""
    kept = head.cards.get(event.exit)
    if isinstance(event, ev.ExitCleared):
        head = replace(head, cards=head.cards | {event.exit: replace(head.cards[event.exit], charged=True)})
        return _given_back(head, event.lane, event.refund_micro_usd, event.drawn_at, event.stranger)
    meters, _ = _drawn(head, Lane.OTHERS, event.micro_usd, 0, event.at)
    strangers = _strangers(head.strangers, event.stranger, event.micro_usd, event.at)
    head = replace(head, meters=meters, strangers=strangers)
    if kept is None:
        return head
    exceeded = kept.exceeded_micro_usd + event.micro_usd
    told = exceeded if kept.is_news(event.micro_usd) else kept.told_micro_usd
    return replace(
        head, cards=head.cards | {event.exit: replace(kept, exceeded_micro_usd=exceeded, told_micro_usd=told)}
    )


def _settled(head: Head, event: ev.ExitSettled) -> Head:
    """What the platform says is final gets no further receipt, and keeps its name; what it has moved back is over."""
    settled = {name: mark for name, mark in head.settled.items() if name in head.allowed and name != event.exit}
    settled |= {event.exit: reference_mark(event.reference)} if event.exit in head.allowed else {}
    cards, charged = head.cards, head.cards.get(event.exit)
    if charged is not None:
        cards = cards | {event.exit: replace(charged, said=reference_mark(event.reference))}
    head = replace(head, unpaid=_without(head.unpaid, event.exit), settled=settled, cards=cards)
    if not event.returned:
        return head
    given_back = moved_back(head.given_back, head.sent[event.exit])
    return replace(head, sent=_without(head.sent, event.exit), given_back=given_back)


def reference_mark(reference: str) -> bytes:
    """By what the platform's name for a payment is known again."""
    return hashlib.sha256(reference.encode()).digest()[:MARK_BYTES]


MARK_BYTES: Final = 16


_SaleEvent = ev.ExitLocked | ev.ExitPaid | ev.ExitDisputed | ev.ExitRuled


def _selling(head: Head, event: _SaleEvent) -> Head:
    if not isinstance(event, ev.ExitLocked):
        sale = head.exits[event.exit]
        return replace(head, exits=head.exits | {event.exit: replace(sale, lock=_moved(sale.lock, event))})
    meters, _ = _drawn(head, event.lane, event.micro_usd, 0, event.at)
    strangers = _strangers(head.strangers, event.stranger, event.micro_usd, event.at)
    exits = head.exits | {event.exit: _locked(head.exits.get(event.exit), event)}
    return replace(head, exits=exits, meters=meters, strangers=strangers)


def _locked(held: HeldExit | None, event: ev.ExitLocked) -> HeldExit:
    """The sale that waits for its buyer: what was held until now, or what was asked for just now."""
    lock = Lock(event.at, event.lane, event.until, event.usual_micro_usd)
    if held is not None:
        return replace(held, micro_usd=event.micro_usd, lock=lock)
    return HeldExit(
        kind=event.kind,
        beneficiary=event.beneficiary,
        network="",
        asset=event.asset,
        amount=event.amount,
        micro_usd=event.micro_usd,
        digest=event.digest,
        account=event.account,
        asked_with=event.asked_with,
        counterparty=event.counterparty,
        asked_at=event.at,
        wait=Wait(0, event.at, heard=True),
        said_until=event.at,
        stranger=event.stranger,
        key=event.key,
        lock=lock,
    )


def _moved(lock: Lock | None, event: ev.ExitPaid | ev.ExitDisputed | ev.ExitRuled) -> Lock | None:
    if lock is None:  # pragma: no cover - no rule says any of this of an exit that is not locked
        return None
    match event:
        case ev.ExitPaid():
            return replace(lock, paid_at=event.at)
        case ev.ExitDisputed():
            return replace(lock, disputed_at=event.at)
        case ev.ExitRuled():
            return replace(lock, proposal=Proposal(event.digest, event.by, event.at))
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def without_draw(head: Head, held: HeldExit) -> Head:
    """The head as if a lock had drawn nothing: it is given back where it was drawn, and nowhere else."""
    if held.lock is None:
        return head
    return _given_back(head, held.lock.lane, held.micro_usd, held.lock.at, held.stranger)


def _given_back(head: Head, lane: Lane, micro_usd: int, drawn_at: Instant, stranger: str = "") -> Head:
    """The head with so much less drawn where it was drawn, and on the cap of whoever was to be paid."""
    lanes = {Lane.TOTAL} if lane is Lane.NONE else {Lane.TOTAL, lane}
    meters = head.meters | {one: _less(head.meters[one], micro_usd, drawn_at) for one in lanes}
    paid = head.strangers.get(stranger)
    if paid is None:
        return replace(head, meters=meters)
    return replace(head, meters=meters, strangers=head.strangers | {stranger: less(paid, drawn_at // HOUR, micro_usd)})


def _trading(head: Head, event: ev.AnyTradeEvent) -> Head:
    match event:
        case ev.OrderAllowed() | ev.OrderReported():
            return _traded(head, event)
        case ev.LeaseGranted():
            return _with_drain(head, event.micro_usd, event.at)
        case ev.LeaseSettled():
            return _without_drain(head, event.refund_micro_usd, event.granted_at)
        case ev.TradingAlerted():
            return head
        case ev.TradingClosed():
            other = f"counterparty {event.counterparty}" if event.counterparty else ""
            named = [f"pair {event.pair}", *([other] if other else [])]
            tied = head.closed_ties | ({other: event.ties} if other and event.ties else {})
            return replace(head, closed=head.closed | dict.fromkeys(named, event.at), closed_ties=tied)
        case ev.TradingOpened():
            tied = _without(head.closed_ties, event.subject)
            return replace(head, closed=_without(head.closed, event.subject), closed_ties=tied)
        case ev.Tied():
            return replace(head, ties=met(head.ties, event))
        case ev.ProceedsSeen() | ev.ProceedsHeld():
            return replace(head, victims=_victims(head.victims, event))
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _traded(head: Head, event: ev.OrderAllowed | ev.OrderReported) -> Head:
    """What trades give away is outflow to others; what a report gives back, it gives back where it was drawn."""
    if isinstance(event, ev.OrderAllowed):
        return _with_drain(head, event.drain.micro_usd, event.at)
    if head.sent:
        head = replace(head, sent=told(head.sent, event))
    head = _without_drain(head, event.refund.micro_usd, event.placed_at)
    return _with_drain(head, event.extra.micro_usd, event.at)


def _without_drain(head: Head, micro_usd: int, drawn_at: Instant) -> Head:
    return _given_back(head, Lane.OTHERS, micro_usd, drawn_at) if micro_usd else head


def _with_drain(head: Head, micro_usd: int, at: Instant) -> Head:
    return replace(head, meters=_drawn(head, Lane.OTHERS, micro_usd, 0, at)[0]) if micro_usd else head


def _less(meter: Meter, micro_usd: int, drawn_at: Instant) -> Meter:
    return Meter(less(meter.hours, drawn_at // HOUR, micro_usd), less(meter.days, drawn_at // DAY, micro_usd))


def _victims(victims: tuple[Victim, ...], event: ev.ProceedsSeen | ev.ProceedsHeld) -> tuple[Victim, ...]:
    """The last of them; what is held already is not held again."""
    if isinstance(event, ev.ProceedsHeld):
        return tuple(replace(one, micro_usd=0) for one in victims)
    return (*victims[1 - VICTIMS_KEPT :], Victim(event.victim, event.at, event.micro_usd))


def _kept(allowed: dict[str, Instant], name: str, at: Instant) -> dict[str, Instant]:
    """The last exits that were let go, newest last."""
    others = _without(allowed, name)
    kept = others if len(others) < EXITS_KEPT else dict(list(others.items())[1 - EXITS_KEPT :])
    return kept | {name: at}


def _drawn(
    head: Head, lane: Lane, micro_usd: int, usual_micro_usd: int, at: Instant
) -> tuple[dict[Lane, Meter], dict[int, int]]:
    """The meters and the habit after a draw. What Holdback could not price, or was over budget, makes no habit."""
    if lane is Lane.OWN:
        return head.meters, head.habit
    meters = dict(head.meters)
    for one in (Lane.TOTAL,) if lane is Lane.NONE else (Lane.TOTAL, lane):
        meters[one] = _metered(meters.get(one), micro_usd, at)
    habit = head.habit
    if lane is Lane.NONE or not usual_micro_usd:
        return meters, habit
    if at // DAY not in habit and len(habit) >= HABIT_DAYS_KEPT:
        habit = dict(list(habit.items())[1 - HABIT_DAYS_KEPT :])
    return meters, habit | {at // DAY: habit.get(at // DAY, 0) + usual_micro_usd}


def _strangers(
    paid: dict[str, dict[int, int]], stranger: str, micro_usd: int, at: Instant
) -> dict[str, dict[int, int]]:
    """What each stranger was paid in the last day, by the hour; whoever was paid nothing in it is forgotten."""
    if not stranger:
        return paid
    hour = at // HOUR
    lately = {name: _since(hours, hour - 24) for name, hours in paid.items()}
    mine = lately.get(stranger, {})
    mine[hour] = mine.get(hour, 0) + micro_usd
    return {name: hours for name, hours in lately.items() if hours} | {stranger: mine}


def _metered(meter: Meter | None, micro_usd: int, at: Instant) -> Meter:
    hour, day = at // HOUR, at // DAY
    hours = _since(meter.hours, hour - 24) if meter else {}
    days = _since(meter.days, day - 30) if meter else {}
    hours[hour] = hours.get(hour, 0) + micro_usd
    days[day] = days.get(day, 0) + micro_usd
    return Meter(hours, days)


def _since(counted: dict[int, int], first: int) -> dict[int, int]:
    """A copy without what is older than `first`. Keys were added in order of time, so the first is the oldest."""
    if not counted or next(iter(counted)) >= first:
        return dict(counted)
    return {key: value for key, value in counted.items() if key >= first}


_ValueEvent = ev.ValueReceived | ev.EquityStated | ev.ValueRecalled | ev.ValueReturned


def _value(head: Head, event: _ValueEvent) -> Head:
    if isinstance(event, ev.EquityStated):
        return replace(head, equity=_lowest(head.equity, event.at, event.micro_usd))
    if isinstance(event, ev.ValueRecalled | ev.ValueReturned):
        return replace(head, received=recalled(head.received, event))
    return replace(head, received=marked(head.received, event))


def _lowest(equity: dict[int, int], at: Instant, micro_usd: int) -> dict[int, int]:
    """Keep 31 days and what was in force when they began: a claim counts for as long as it stood."""
    today = at // DAY
    kept = {day: value for day, value in equity.items() if day >= today - 30}
    older = max((day for day in equity if day < today - 30), default=None)
    if older is not None:
        kept[older] = equity[older]
    kept[today] = min(kept.get(today, micro_usd), micro_usd)
    return kept


_CODES: Final = frozenset({ev.CONTACT_CODE, ev.AUTHENTICATOR_CODE})
"""Causes of notices that carry a code, and may go by text."""

_WaitEvent = ev.CoolOffStarted | ev.NoticeDue | ev.NoticeFolded | ev.NoticeAccepted | ev.WaitMoved


def _waits(head: Head, event: _WaitEvent) -> Head:
    match event:
        case ev.CoolOffStarted():
            return replace(head, cool_offs=_cooled(head.cool_offs, event), changed_at=event.at)
        case ev.NoticeDue():
            head = replace(_to_be_told(head, event), folded=head.folded | {event.cause: event.at})
            if event.cause in _CODES and _is_number(head, event.contacts[0]):
                lately = tuple(at for at in head.texted_at if at > event.at - HOUR)
                head = replace(head, texted_at=(*lately, event.at))
            head = _paying(head, event)
            if not event.about:
                return head
            unheard = _superseded(head.unheard, event.about) | {event.notice: Unheard(event.at, event.about)}
            for about in event.about:
                head = _with_wait(head, about, lambda wait: replace(wait, heard=False))
            return replace(head, unheard=unheard)
        case ev.NoticeFolded():
            return _paying(head, event)
        case ev.NoticeAccepted():
            return replace(head, unheard=_without(head.unheard, event.notice))
        case ev.WaitMoved():
            if event.about.kind == "cool_off" and event.about.id in head.cool_offs:
                old = head.cool_offs[event.about.id]
                new = replace(old, senior=old.senior.moved(event.senior_until), others=old.others.moved(event.until))
                return replace(head, cool_offs=head.cool_offs | {event.about.id: new})
            return _with_wait(head, event.about, lambda wait: wait.moved(event.until))
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _paying(head: Head, event: ev.NoticeDue | ev.NoticeFolded) -> Head:
    if event.payment is None:
        return head
    key = head.api_keys[event.payment.key].paying(event, event.payment)
    return replace(head, api_keys=head.api_keys | {event.payment.key: key})


def _is_number(head: Head, sent_to: str) -> bool:
    """Whether what a code goes to, a contact or an authenticator, is reached by text."""
    if sent_to in head.contacts:
        return head.contacts[sent_to].channel is Channel.SMS
    return head.authenticators[sent_to].kind is ev.AuthenticatorKind.SMS


def _cooled(cool_offs: dict[str, CoolOff], event: ev.CoolOffStarted) -> dict[str, CoolOff]:
    """The running cool-offs and the new one.

    Many of one cause (a platform that names no device, a thief who tries to fill the head) are merged, or the next
    sign-in would find no room. The new one takes in the newest that may be: one the owner was told of, for an untold
    one stands until its own notice is accepted; and one that ends no later for anyone. It counts from that one's start,
    so that what was made in between ripens in neither. As the ones before it run out, that start moves on.
    """
    alive = {key: one for key, one in cool_offs.items() if not is_past(one, event.at)}
    senior = Wait(event.senior_ms, event.senior_until, heard=True)
    others = Wait(event.others_ms, event.others_until, heard=True)
    new = CoolOff(event.cause, event.severity, event.at, senior, others)
    taken_in = [key for key, one in alive.items() if _outlasts(new, one)]
    if len(taken_in) >= COOL_OFFS_APART:
        new = replace(new, started_at=alive.pop(taken_in[-1]).started_at)
    return alive | {event.cool_off: new}


def _outlasts(new: CoolOff, old: CoolOff) -> bool:
    """Whether a new cool-off says all that an older one still says."""
    alike = (old.cause, old.severity) == (new.cause, new.severity) and old.others.heard
    return alike and old.others.until <= new.others.until and old.senior.until <= new.senior.until


def _with_wait(head: Head, about: About, change: Callable[[Wait], Wait]) -> Head:
    """Apply `change` to the wait of a thing in the head; things that are gone or live in parts are left alone."""
    match about.kind:
        case "change" if about.id in head.changes:
            old = head.changes[about.id]
            return replace(head, changes=head.changes | {about.id: replace(old, wait=change(old.wait))})
        case "exit" if about.id in head.exits:
            held = head.exits[about.id]
            wait = change(held.wait)
            moved = replace(held, wait=wait, said_until=max(held.said_until, wait.until))
            return replace(head, exits=head.exits | {about.id: moved})
        case "authenticator" if about.id in head.authenticators:
            one = head.authenticators[about.id]
            new = replace(one, ripens=change(one.ripens))
            return replace(head, authenticators=head.authenticators | {about.id: new})
        case "contact" if about.id in head.contacts:
            contact = head.contacts[about.id]
            ripened = replace(contact, ripens=change(contact.ripens))
            return replace(head, contacts=head.contacts | {about.id: ripened})
        case "api_key" if about.id in head.api_keys:
            program = head.api_keys[about.id]
            readied = replace(program, ripens=change(program.ripens))
            return replace(head, api_keys=head.api_keys | {about.id: readied})
        case "recovery" if head.recovery is not None and head.recovery.id == about.id and head.recovery.wait:
            case = head.recovery
            return replace(head, recovery=replace(case, wait=change(head.recovery.wait)))
        case "cool_off" if about.id in head.cool_offs:
            cool = head.cool_offs[about.id]
            cooled = replace(cool, senior=change(cool.senior), others=change(cool.others))
            return replace(head, cool_offs=head.cool_offs | {about.id: cooled})
        case _:
            return head


def _superseded(unheard: dict[str, Unheard], about: tuple[About, ...]) -> dict[str, Unheard]:
    """What older notices still say: nothing about things that a newer one is about."""
    left = {
        key: replace(one, about=tuple(thing for thing in one.about if thing not in about))
        for key, one in unheard.items()
    }
    return {key: one for key, one in left.items() if one.about}


def is_past(cool_off: CoolOff, at: Instant) -> bool:
    """Whether a cool-off closes nothing any more."""
    return cool_off.others.heard and max(cool_off.others.until, cool_off.senior.until) <= at


_TOUCHES_PARTS: Final = frozenset(
    {
        ev.AddressAdded,
        ev.AddressRenewed,
        ev.AddressRemoved,
        ev.ExitAllowed,
        ev.DeviceMet,
        ev.DeviceSeen,
        ev.DeviceDisowned,
        ev.PlaceSeen,
        ev.AuthenticatorBound,
        ev.AuthenticatorConfirmed,
        ev.SecretReplaced,
        ev.CredentialRehashed,
        ev.ApiKeyCreated,
        ev.ApiKeySigned,
        ev.ApiKeyRevoked,
        ev.OrderAllowed,
        ev.OrderReported,
        ev.LeaseGranted,
        ev.LeaseSettled,
        ev.NoticeDue,
        ev.WaitMoved,
    }
)


def _parts(parts: dict[PartKey, Part], event: ev.AnyEvent) -> dict[PartKey, Part]:
    match event:
        case ev.NoticeDue():
            return _told(parts, event.about, lambda wait: replace(wait, heard=False)) if event.about else parts
        case ev.AddressAdded() | ev.AddressRenewed() | ev.AddressRemoved():
            key = ("beneficiary", event.beneficiary)
            return _replaced(parts, key, _beneficiary(parts.get(key), event))
        case ev.ExitAllowed(first=True):
            key = ("beneficiary", event.beneficiary)
            entry = parts.get(key)
            return parts | {key: replace(entry, paid_at=event.at)} if isinstance(entry, Beneficiary) else parts
        case ev.DeviceMet() | ev.DeviceSeen() | ev.DeviceDisowned() if event.device:
            key = ("device", event.device)
            return _replaced(parts, key, _device(parts.get(key), event))
        case ev.PlaceSeen():
            return parts | {PROFILE: _profile(parts.get(PROFILE), event)}
        case ev.AuthenticatorBound() | ev.AuthenticatorConfirmed() if event.credential is not None:
            return parts | {("credential", event.authenticator): Credential(event.credential, 1)}
        case ev.SecretReplaced() | ev.CredentialRehashed():
            return parts | {("credential", event.authenticator): Credential(event.credential, event.epoch)}
        case ev.ApiKeyCreated() | ev.ApiKeySigned():
            key = ("api_key", event.api_key)
            return _replaced(parts, key, _program(parts.get(key), event))
        case ev.ApiKeyRevoked():
            return parts | {("api_key", event.api_key): REVOKED}
        case ev.OrderAllowed() | ev.OrderReported() | ev.LeaseGranted() | ev.LeaseSettled():
            old = parts.get(METER)
            return parts | {METER: traded(old if isinstance(old, TradeMeter) else UNUSED, event)}
        case ev.WaitMoved():
            return _told(parts, (event.about,), lambda wait: wait.moved(event.until))
        case _:
            return parts


def _device(part: Part | None, event: ev.DeviceMet | ev.DeviceSeen | ev.DeviceDisowned) -> Device | None:
    """The device after a sign-in; a day that was quiet counts once."""
    old = part if isinstance(part, Device) else None
    if isinstance(event, ev.DeviceDisowned):
        return replace(old, disowned_at=event.at) if old is not None else None
    if isinstance(event, ev.DeviceMet):
        new = Device(event.at, event.at, event.user_agent, disowned_at=old.disowned_at if old else 0)
    elif old is not None:
        new = replace(old, last_at=event.at)
    else:
        return None
    counted = new.days and new.counted_at // DAY == event.at // DAY
    return new if counted or not event.quiet else replace(new, days=new.days + 1, counted_at=event.at)


def _profile(part: Part | None, event: ev.PlaceSeen) -> Profile:
    profile = part if isinstance(part, Profile) else EMPTY
    learnt = caught_up(profile, event.at, event.doubted_at, event.half_life_ms, event.doubt_began_at)
    return signed_in(learnt, event.at, event.values, event.familiar, event.quiet_ms)


def _beneficiary(
    part: Part | None, event: ev.AddressAdded | ev.AddressRenewed | ev.AddressRemoved
) -> Beneficiary | None:
    if isinstance(event, ev.AddressAdded):
        return Beneficiary(
            label=event.label,
            network=event.network,
            address=event.address,
            added_at=event.at,
            ripens=Wait(event.wait_ms, event.until, heard=True),
            verified_until=event.at,
            actor=event.actor,
            device=event.device,
            authenticator=event.authenticator,
        )
    if not isinstance(part, Beneficiary):
        return None
    if isinstance(event, ev.AddressRenewed):
        return replace(part, verified_until=max(part.verified_until, event.until))
    return replace(part, removed=True)


def _program(part: Part | None, event: ev.ApiKeyCreated | ev.ApiKeySigned) -> Program | None:
    """The key's part; of its nonces only the highest are kept, and lower ones count as used."""
    if isinstance(event, ev.ApiKeyCreated):
        return Program(event.label, event.secret, event.networks, event.pairs, event.beneficiaries)
    if not isinstance(part, Program):
        return None
    return replace(part, nonces=tuple(sorted((*part.nonces, event.nonce))[-NONCES_KEPT:]))


def _told(parts: dict[PartKey, Part], about: tuple[About, ...], change: Callable[[Wait], Wait]) -> dict[PartKey, Part]:
    for one in about:
        part = parts.get((one.kind, one.id))
        if isinstance(part, Beneficiary):
            parts = parts | {(one.kind, one.id): replace(part, ripens=change(part.ripens))}
    return parts


def _replaced(parts: dict[PartKey, Part], key: PartKey, part: Part | None) -> dict[PartKey, Part]:
    return parts if part is None else parts | {key: part}


def _without(items: dict[_K, _V], key: _K) -> dict[_K, _V]:
    return {name: value for name, value in items.items() if name != key}
