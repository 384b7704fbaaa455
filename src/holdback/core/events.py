"""What happened: the frozen vocabulary of a customer's stream.

The stored form of an event is its tag followed by its fields in order. Therefore: never reorder or delete a field,
add new ones at the end with a default, and never reuse a tag. A meaning that changes is a new class with a new tag.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, TypeVar

import msgspec

Instant = int
"""Milliseconds since the Unix epoch, UTC."""

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

T = TypeVar("T")

MAC_BYTES: Final = 16
ALIKE_BYTES: Final = 8


class Sealed:
    """A personal field as the core sees it: a keyed hash to compare, and a box only the customer's key opens.

    `mac` is 16 bytes, equal for equal plaintexts of one customer. `alike` is 8 bytes, equal for destinations that
    people confuse (empty for other fields), and 8 more of the address alone where a memo belongs to it. `box` is the
    ciphertext; it is never compared, for it differs at each sealing. All three are kept as they are stored, in
    `packed`, for most fields that are read are only written again.
    """

    __slots__ = ("packed",)

    def __init__(self, mac: bytes, box: bytes, alike: bytes = b"") -> None:
        """Hold a hash, a ciphertext and, for destinations, a hash of what the eye compares."""
        self.packed = bytes((len(alike),)) + alike + mac + box
        """One byte string: length of `alike`, `alike`, `mac`, `box`."""

    def __eq__(self, other: object) -> bool:
        """Compare the stored form; use `mac` to ask whether two plaintexts agree."""
        return isinstance(other, Sealed) and self.packed == other.packed

    def __hash__(self) -> int:
        """Hash by the keyed hash, which equal values share."""
        return hash(self.mac)

    def __repr__(self) -> str:
        """Show nothing that could end in a log but the first bytes of the hash."""
        return f"Sealed({self.mac[:4].hex()}...)"

    @property
    def mac(self) -> bytes:
        """The keyed hash of the text."""
        start = 1 + self.packed[0]
        return self.packed[start : start + MAC_BYTES]

    @property
    def edges(self) -> bytes:
        """All hashes but `mac`, as they are stored."""
        return self.packed[1 : 1 + self.packed[0]]

    @property
    def alike(self) -> bytes:
        """The keyed hash of what the eye compares, empty but for destinations."""
        return self.edges[:ALIKE_BYTES]

    @property
    def place(self) -> bytes:
        """What one address is known by, whichever memo goes with it."""
        return self.edges[ALIKE_BYTES:] or self.mac[:ALIKE_BYTES]

    @property
    def box(self) -> bytes:
        """The ciphertext."""
        return self.packed[1 + self.packed[0] + MAC_BYTES :]

    @property
    def name(self) -> str:
        """The hash as text, to name a part row by."""
        return self.mac.hex()

    @classmethod
    def unpacked(cls, data: bytes) -> Sealed:
        """Undo `packed`. Raises ValueError on a string too short to be one."""
        if not data or len(data) < 1 + data[0] + MAC_BYTES:
            msg = "too short for a sealed field"
            raise ValueError(msg)
        sealed = cls.__new__(cls)
        sealed.packed = data
        return sealed


class Destination(Sealed):
    """A sealed destination of value, whose `alike` is set."""

    __slots__ = ()


class AuthenticatorKind(StrEnum):
    """What a customer can prove with (NIST SP 800-63B-4 section 3)."""

    PASSWORD = "password"
    TOTP = "totp"
    PASSKEY = "passkey"
    SMS = "sms"
    EMAIL = "email"
    BACKUP_CODE = "backup_code"


class Channel(StrEnum):
    """A way to reach the owner. `push` passes through the platform's own app, the others do not."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"


class ActorKind(StrEnum):
    """Who asks, as proved to Holdback itself (law 6)."""

    OWNER = "owner"
    LINK = "link"
    API_KEY = "api_key"
    STAFF = "staff"
    AGENCY = "agency"
    PLATFORM = "platform"
    SYSTEM = "system"


class StreamKind(StrEnum):
    """Whose stream it is: all are accounts with authenticators, contacts and sessions under the same rules."""

    CUSTOMER = "customer"
    STAFF = "staff"
    AGENCY = "agency"
    BREAKER = "breaker"


BREAKER: Final = "system-breaker"
"""The one stream of its kind: when the circuit breaker tripped, and who reset it."""


class Scope(StrEnum):
    """What an API key may do. To read is the platform's to allow: Holdback is not asked."""

    READ = "read"
    TRADE = "trade"
    WITHDRAW = "withdraw"


STREAM_PREFIX: Final = {StreamKind.STAFF: "staff-", StreamKind.AGENCY: "agency-", StreamKind.BREAKER: "system-"}
"""How the ids of streams that are no customer's begin, so that they stand together and no customer is taken for one."""


class Role(StrEnum):
    """What a member of staff is there for; `core/staffing.py` says which of them are kept apart."""

    SUPPORT = "support"
    REVIEWER = "reviewer"
    LEGAL = "legal"
    INVESTIGATOR = "investigator"
    TREASURER = "treasurer"
    POLICY = "policy"
    AUDITOR = "auditor"


class Severity(StrEnum):
    """How loudly a change is announced and what it cools (law 4)."""

    INFO = "info"
    MILD = "mild"
    SEVERE = "severe"


class Setting(StrEnum):
    """What an owner can set; `SETTINGS` in effects.py says which way is tighter."""

    ALLOWLIST = "allowlist"
    LOCK_HOURS = "lock_hours"
    LIMIT_MICRO_USD = "limit_micro_usd"


class ChangeKind(StrEnum):
    """A loosening that waits (law 1)."""

    SET = "set"
    REMOVE_AUTHENTICATOR = "remove_authenticator"
    REINSTATE_AUTHENTICATOR = "reinstate_authenticator"
    REMOVE_CONTACT = "remove_contact"
    UNFREEZE = "unfreeze"
    RESUME_API_KEY = "resume_api_key"
    VAULT = "vault"
    OPEN_TRADING = "open_trading"


class Ending(StrEnum):
    """How a recovery ended without effect."""

    VETOED = "vetoed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    REPLACED = "replaced"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class Lane(StrEnum):
    """Which outflow meter an exit draws on (law 3).

    `total` counts every exit beside its lane, for the owner's own limit; `none` draws on no other budget, `own`
    (between accounts of one owner) on nothing at all.
    """

    LONG_STANDING = "long_standing"
    OTHERS = "others"
    INSTANT = "instant"
    NONE = "none"
    OWN = "own"
    TOTAL = "total"


class About(msgspec.Struct, frozen=True, array_like=True):
    """Names one thing that waits.

    `kind` is change, exit, authenticator, contact, beneficiary, cool_off, recovery or api_key.
    """

    kind: str
    id: str


class Actor(msgspec.Struct, frozen=True, array_like=True):
    """Who asked: `session` is the hash of the session's token, `contact` the contact whose link was pressed.

    `key` names the API key, or the member of staff whose session it is.
    """

    kind: ActorKind
    session: bytes = b""
    contact: str = ""
    key: str = ""


class Finding(msgspec.Struct, frozen=True, array_like=True):
    """One reason of a decision: its code, what would satisfy it, until when it stands, and what it is about."""

    code: str
    satisfied_by: tuple[str, ...] = ()
    until: Instant | None = None
    about: str = ""


class Event(msgspec.Struct, frozen=True, array_like=True):
    """Base of all events. `at` is the instant of the decision that caused it."""

    at: Instant


class Decided(Event, frozen=True, array_like=True, tag="decided"):
    """A question was answered. `request` and `facts` are enough to ask it again of another policy.

    `request` is the action with personal fields sealed and `facts` what was known, both as MessagePack; `digest` is the
    SHA-256 of the exact action; `policy` the first 16 bytes of the policy's SHA-256.
    """

    action: str
    account: str
    actor: Actor
    decision: str
    findings: tuple[Finding, ...]
    digest: bytes
    policy: bytes
    request: bytes
    facts: bytes
    device: str = ""
    ip: Sealed | None = None


class AccountImported(Event, frozen=True, array_like=True, tag="account.imported"):
    """A platform's customer came under Holdback's protection.

    `face` is a picture of the owner, if the platform had one: what a face check compares with.
    """

    account: str
    name: Sealed
    sub_accounts: tuple[str, ...]
    equity_micro_usd: int
    face: Sealed | None = None


class Frozen(Event, frozen=True, array_like=True, tag="account.frozen"):
    """The owner's stop was pressed. Everything that waited is stopped with it.

    `robbed`: whoever pressed it said that somebody else was in, by disowning a device or reporting a robbery.
    """

    by: Actor
    robbed: bool = False


class Unfrozen(Event, frozen=True, array_like=True, tag="account.unfrozen"):
    """The stop was taken off after its wait. `mistaken` costs the freezing contact its right to freeze (law 10)."""

    mistaken: bool


class SessionStarted(Event, frozen=True, array_like=True, tag="session.started"):
    """Someone signed in with `proved` kinds; the session ends at `until` or earlier by idling `idle_ms`.

    `key` is the thumbprint of the device's key that must sign whatever the session asks, empty if none must.

    `network` is a keyed hash of the network it came from, empty if none was named.
    """

    session: bytes
    device: str
    proved: tuple[AuthenticatorKind, ...]
    until: Instant
    idle_ms: int
    key: bytes = b""
    network: bytes = b""


class SessionSeen(Event, frozen=True, array_like=True, tag="session.seen"):
    """A session was used, which postpones its idling out; `password` says that it proved the password again."""

    session: bytes
    password: bool = False


class SessionEnded(Event, frozen=True, array_like=True, tag="session.ended"):
    """A session stopped counting."""

    session: bytes


class SessionMisused(Event, frozen=True, array_like=True, tag="session.misused"):
    """Someone showed a session's token without its device's key, for the first time in the session's life."""

    session: bytes


class DeviceProofSpent(Event, frozen=True, array_like=True, tag="device.proof_spent"):
    """The session's device signed a request. This proof, of which `proof` is a hash, serves no other until `until`."""

    session: bytes
    proof: bytes
    until: Instant


class DeviceMet(Event, frozen=True, array_like=True, tag="device.met"):
    """A device signed in for the first time, or again after its owner disowned it; `quiet` as in `DeviceSeen`."""

    device: str
    user_agent: Sealed | None
    quiet: bool = False


class DeviceSeen(Event, frozen=True, array_like=True, tag="device.seen"):
    """A device signed in that did so before. `quiet` says that nothing was disputed that day, so that it earns trust.

    `known` says that it had earned enough by then to count as the owner's.
    """

    device: str
    quiet: bool = False
    known: bool = False


class DeviceDisowned(Event, frozen=True, array_like=True, tag="device.disowned"):
    """The owner said that a device is a stranger's: it is never known again. Empty for those without a name."""

    device: str


class ScoreTerm(msgspec.Struct, frozen=True, array_like=True):
    """One feature's share of a score in hundredths of a nat, more than 0 if unlike the owner; `about` is what of it."""

    feature: str
    centinats: int
    about: str = ""


class SignInScored(Event, frozen=True, array_like=True, tag="session.scored"):
    """A sign-in that proved itself was compared with those before it.

    `raised` says that it was asked for one more proof, `cools` that it got in and yet cools exits.
    """

    centinats: int
    terms: tuple[ScoreTerm, ...]
    raised: bool
    cools: bool


class PlaceSeen(Event, frozen=True, array_like=True, tag="session.place_seen"):
    """A sign-in to be learnt once it was quiet for `quiet_ms`: keyed hashes of where from and with what, 0 for unknown.

    `familiar` is how well the device was known then, a place in `core.profile.DEVICES`. The owner's stop, pressed
    or to disown a device, lasted from `doubt_began_at` to `doubted_at`; `half_life_ms` is how fast what is learnt
    fades.
    """

    values: tuple[int, ...]
    familiar: int
    quiet_ms: int
    half_life_ms: int
    doubted_at: Instant
    doubt_began_at: Instant = 0


class AuthenticatorBound(Event, frozen=True, array_like=True, tag="authenticator.bound"):
    """An authenticator was bound; it counts for money from `until` on, once `confirmed` (law 10).

    `holder` is equal for authenticators that live in one mailbox or on one phone number, and `credential` of such is
    that address; `replaces` names earlier attempts at the same that nothing ever confirmed; `counter` is how
    often a passkey says it had been used before.
    """

    authenticator: str
    kind: AuthenticatorKind
    holder: bytes
    credential: Sealed | None
    confirmed: bool
    wait_ms: int
    until: Instant
    replaces: tuple[str, ...] = ()
    counter: int = 0


class AuthenticatorConfirmed(Event, frozen=True, array_like=True, tag="authenticator.confirmed"):
    """The owner showed that a newly bound authenticator works; its wait starts here.

    `credential` is what a passkey made by being registered, in place of what its binding kept.
    """

    authenticator: str
    wait_ms: int
    until: Instant
    credential: Sealed | None = None


class AuthenticatorSuspended(Event, frozen=True, array_like=True, tag="authenticator.suspended"):
    """It proves nothing from here on, yet still counts for law 2.

    `lost` by the word of a recovery that showed less than it: then it bars nobody from coming in, and money alone.
    """

    authenticator: str
    lost: bool = False


class AuthenticatorReinstated(Event, frozen=True, array_like=True, tag="authenticator.reinstated"):
    """A suspended authenticator proves again."""

    authenticator: str


class AuthenticatorRemoved(Event, frozen=True, array_like=True, tag="authenticator.removed"):
    """An authenticator is gone."""

    authenticator: str


class AuthenticatorRecycled(Event, frozen=True, array_like=True, tag="authenticator.recycled"):
    """The number or mailbox it lives on was given to someone else: it proves nothing again, and gets no code."""

    authenticator: str


class AuthenticatorAsked(Event, frozen=True, array_like=True, tag="authenticator.asked"):
    """A code went to the number or mailbox an authenticator lives on. It answers this challenge, and nothing else."""

    authenticator: str
    challenge: str


class SecretReplaced(Event, frozen=True, array_like=True, tag="authenticator.secret_replaced"):
    """A secret was replaced by its holder; proofs made for an earlier `epoch` no longer count."""

    authenticator: str
    credential: Sealed
    epoch: int
    wait_ms: int
    until: Instant


class CredentialRehashed(Event, frozen=True, array_like=True, tag="authenticator.rehashed"):
    """The same secret is kept under a stronger hash from here on: nothing about what it proves has changed."""

    authenticator: str
    credential: Sealed
    epoch: int


class ProofUsed(Event, frozen=True, array_like=True, tag="proof.used"):
    """A proof was spent.

    `counter` is the TOTP time step, the number of the backup code or the passkey's signature counter, else 0.
    `backed_up` says that the passkey is kept in more places than one, as its device states at each use.
    """

    authenticator: str
    counter: int
    backed_up: bool = False


class ProofFailed(Event, frozen=True, array_like=True, tag="proof.failed"):
    """A wrong or spent proof was shown, in answer to `challenge` if there was one."""

    kinds: tuple[str, ...]
    challenge: str = ""


class SignInsFailed(Event, frozen=True, array_like=True, tag="session.failed"):
    """Sign-ins failed in one window of time: how many, from at least how many networks, between which instants."""

    window_at: Instant
    failures: int
    networks: int
    first_at: Instant
    last_at: Instant


class ChallengeIssued(Event, frozen=True, array_like=True, tag="challenge.issued"):
    """More proof was asked for, for the one action with this digest; `key` is the API key that asked, if one did."""

    challenge: str
    digest: bytes
    accept: tuple[tuple[str, ...], ...]
    until: Instant
    contact: str = ""
    key: str = ""


class ChallengeClosed(Event, frozen=True, array_like=True, tag="challenge.closed"):
    """A challenge was answered or tried too often."""

    challenge: str


class ContactAdded(Event, frozen=True, array_like=True, tag="contact.added"):
    """A contact was named. It gets notices once `confirmed`, and is senior from `until` on."""

    contact: str
    channel: Channel
    address: Sealed
    confirmed: bool
    wait_ms: int
    until: Instant


class ContactAsked(Event, frozen=True, array_like=True, tag="contact.asked"):
    """A fresh code was sent to a contact that must be confirmed, again or for the first time."""

    contact: str


class ContactConfirmed(Event, frozen=True, array_like=True, tag="contact.confirmed"):
    """Whoever asked can read what is sent there: its wait starts here; with `wait_ms` 0 it had been confirmed before.

    Either way a lost right to freeze returns.
    """

    contact: str
    wait_ms: int
    until: Instant


class ContactRemoved(Event, frozen=True, array_like=True, tag="contact.removed"):
    """A contact was replaced. It goes on getting freeze-only notices until `told_until` (law 5)."""

    contact: str
    told_until: Instant


class ContactRecycled(Event, frozen=True, array_like=True, tag="contact.recycled"):
    """The number or mailbox was reported as given to someone else: nothing is sent there any more."""

    contact: str


class AddressAdded(Event, frozen=True, array_like=True, tag="address.added"):
    """A beneficiary entered the book, with who, when, session, device and proof (incident G)."""

    beneficiary: str
    label: Sealed
    network: str
    address: Sealed | None
    wait_ms: int
    until: Instant
    actor: Actor
    device: str
    authenticator: str


class AddressRenewed(Event, frozen=True, array_like=True, tag="address.renewed"):
    """The owner confirmed a beneficiary again by a senior proof; its verification runs until `until`."""

    beneficiary: str
    until: Instant


class AddressRemoved(Event, frozen=True, array_like=True, tag="address.removed"):
    """A beneficiary left the book."""

    beneficiary: str


class ApiKeyEvent(Event, frozen=True, array_like=True):
    """Base of what happens to an API key, by its id."""

    api_key: str


class ApiKeyCreated(ApiKeyEvent, frozen=True, array_like=True, tag="api_key.created"):
    """A program may ask for `account` (a customer's main one: for the family) with a key, after its wait.

    `secret` is what its requests are checked with; `networks` are whence it may ask, none for anywhere. `pairs` and
    `beneficiaries` (part names) are all that it may trade and pay, each none for any.
    """

    account: str
    label: Sealed
    scopes: tuple[Scope, ...]
    secret: Sealed
    networks: tuple[Sealed, ...]
    pairs: tuple[str, ...]
    beneficiaries: tuple[str, ...]
    wait_ms: int
    until: Instant
    expires_at: Instant


class ApiKeySigned(ApiKeyEvent, frozen=True, array_like=True, tag="api_key.signed"):
    """A key signed a request, which serves no other. `awake`: it was not asleep, so that this counts as its use.

    `paced_until` is until when what it asked has to last; 0 leaves that as it was.
    """

    nonce: int
    awake: bool
    paced_until: Instant = 0


class ApiKeyWoken(ApiKeyEvent, frozen=True, array_like=True, tag="api_key.woken"):
    """The owner proved that a key which had slept is used again by him (Binance, 7 March 2018)."""


class ApiKeySuspended(ApiKeyEvent, frozen=True, array_like=True, tag="api_key.suspended"):
    """A key proves nothing for now."""


class ApiKeyResumed(ApiKeyEvent, frozen=True, array_like=True, tag="api_key.resumed"):
    """A suspended key proves again, after the wait of that."""


class ApiKeyRevoked(ApiKeyEvent, frozen=True, array_like=True, tag="api_key.revoked"):
    """A key is no more; `leaked` if it stood on a list of leaked ones. `label` is what its owner called it.

    `unsaid` is how many of its payments, worth `unsaid_micro_usd` in all, were folded since a notice told of one.
    """

    leaked: bool = False
    label: Sealed | None = None
    unsaid: int = 0
    unsaid_micro_usd: int = 0


class ApiKeyWarned(ApiKeyEvent, frozen=True, array_like=True, tag="api_key.warned"):
    """A key that may ask from anywhere stops trading at `lapses_at`; the owner was told so often."""

    lapses_at: Instant
    warned: int


class ApiKeysStopped(Event, frozen=True, array_like=True, tag="api_key.stopped"):
    """Every API key was suspended at once, for what happened says that somebody else was in."""

    keys: tuple[str, ...]


class Drain(msgspec.Struct, frozen=True, array_like=True):
    """What a trade gives away, in micro-USD: before tolerance, after it, and that weighed by how odd the trade is.

    `storm_micro_usd` is what a market explains that is wilder than usual. It is not in `raw_micro_usd`.
    """

    raw_micro_usd: int = 0
    micro_usd: int = 0
    weighed_micro_usd: int = 0
    storm_micro_usd: int = 0

    @property
    def gap_micro_usd(self) -> int:
        """All of it: what is worse than the reference, whatever explains it."""
        return self.raw_micro_usd + self.storm_micro_usd


class Terms(msgspec.Struct, frozen=True, array_like=True):
    """What a fill is compared with: prices as they were known when the order was asked for.

    `reference` is a decimal, "" without an outside index; `base_micro_usd` is 0 where no fresh price was known.
    `storm_ppm` is how much more than on ordinary days a market as wild as this one explains.
    """

    reference: str
    tolerance_ppm: int
    weight_percent: int
    quote_micro_usd: int
    base_micro_usd: int
    storm_ppm: int = 0


class TradeEvent(Event, frozen=True, array_like=True):
    """Base of what orders cause."""


class OrderAllowed(TradeEvent, frozen=True, array_like=True, tag="order.allowed"):
    """An order may be matched. What it can give away at the worst is drawn from here on.

    `notional_micro_usd` is what it is worth, `leverage_percent` 100 for none, `liquid` that the pair is traded much.
    """

    order: str
    account: str
    pair: str
    side: str
    drain: Drain
    terms: Terms
    notional_micro_usd: int
    leverage_percent: int
    reduces: bool
    liquid: bool
    counterparty: str = ""


class OrderReported(TradeEvent, frozen=True, array_like=True, tag="order.reported"):
    """What became of an order: `refund` is drawn no more where it was at `placed_at`, `extra` is drawn now.

    `misled` says that it had claimed to reduce risk and did not. `arrived_micro_usd` is how much of what was drawn as
    it was placed arrived with whoever was named then. By `fill` it is known again if it is told twice.
    """

    order: str
    placed_at: Instant
    refund: Drain
    extra: Drain
    misled: bool = False
    arrived_micro_usd: int = 0
    fill: bytes = b""


class LeaseGranted(TradeEvent, frozen=True, array_like=True, tag="lease.granted"):
    """A caller may let orders of a pair give away so much by itself until then; all of it is drawn from here on."""

    lease: str
    account: str
    pair: str
    micro_usd: int
    terms: Terms
    until: Instant


class LeaseSettled(TradeEvent, frozen=True, array_like=True, tag="lease.settled"):
    """A lease is over: what was not used of it is drawn no more where it was, once.

    `prompt` is one that was settled as soon as it ended: what it gives back is not counted as a report's.
    """

    lease: str
    granted_at: Instant
    refund_micro_usd: int
    prompt: bool = False


class TradingAlerted(TradeEvent, frozen=True, array_like=True, tag="trading.alerted"):
    """Trades of 24 h gave away so much that the owner is told."""

    micro_usd: int


class TradingClosed(TradeEvent, frozen=True, array_like=True, tag="trading.closed"):
    """An order would have given away more than may be: pair and counterparty stay closed until the owner opens them.

    `pair` is `*` for all of them, `counterparty` empty if nobody was named; `ties` are his, for whoever shares one.
    """

    pair: str
    counterparty: str = ""
    ties: tuple[bytes, ...] = ()


class TradingOpened(TradeEvent, frozen=True, array_like=True, tag="trading.opened"):
    """The owner opened again what was closed, a pair or a counterparty as `core.trading.closed_as` names it."""

    subject: str


class ProceedsSeen(TradeEvent, frozen=True, array_like=True, tag="trading.proceeds_seen"):
    """Somebody whose account looks taken over gave this much away to this customer by trading."""

    victim: str
    micro_usd: int


class ProceedsHeld(TradeEvent, frozen=True, array_like=True, tag="trading.proceeds_held"):
    """Several such within an hour: what they gave away stays inside for longer."""

    micro_usd: int


class Tied(TradeEvent, frozen=True, array_like=True, tag="trading.tied"):
    """The account met something by which others may be known too: a device, an address. `key` is its keyed hash.

    Without `counts` so many accounts met it that it joins none of them. `funds`: a deposit came from that address.
    """

    key: bytes
    counts: bool = True
    funds: bool = False


class SettingChanged(Event, frozen=True, array_like=True, tag="setting.changed"):
    """A setting has this value from here on. For `allowlist` 0 or 1; a limit of -1 means none."""

    setting: Setting
    value: int


class VaultChanged(Event, frozen=True, array_like=True, tag="vault.changed"):
    """So many percent of what the account owns wait `hours` before they leave; 0 percent are no vault.

    `approver` is the contact whose code they need as well, "" for none.
    """

    percent: int
    hours: int
    approver: str


class ChangeAsked(Event, frozen=True, array_like=True, tag="change.asked"):
    """A loosening waits until `until`; `subject` is the setting, authenticator or contact, `value` what it becomes."""

    change: str
    kind: ChangeKind
    subject: str
    value: int
    wait_ms: int
    until: Instant


class ChangeCancelled(Event, frozen=True, array_like=True, tag="change.cancelled"):
    """A waiting loosening was stopped."""

    change: str


class ChangeDone(Event, frozen=True, array_like=True, tag="change.done"):
    """A waiting loosening's time came; the events that follow carry it out."""

    change: str


class ExitEvent(Event, frozen=True, array_like=True):
    """What moves an exit, or draws as one."""


def receipt_id(account: str, which: str, asked_at: Instant) -> str:
    """The id of every receipt by which an exit may be paid: one, however often it is let go.

    It is the exit's own, whatever store is restored meanwhile: one that forgot the payment gives no other.
    """
    return f"{account.partition('.')[0]}/{which}@{asked_at}"


class Payable(msgspec.Struct, frozen=True, array_like=True):
    """By what an exit that was let go is judged once more if nobody spent its receipt: as it was asked at `asked_at`.

    A fresh receipt may be asked for until `until`. `wait_ms` is the wait of its own that it had, over at
    `waited_until`, which is 0 if it never waited; `early`: its owner ended that. `approved` is the word of the vault's
    approver, and `confirmed` says that its owner proved that he wants it, not only a key.
    """

    asset: str
    amount: str
    network: str
    counterparty: str
    destination: Destination | None
    key: str
    recovery: str
    asked_at: Instant
    until: Instant
    wait_ms: int = 0
    waited_until: Instant = 0
    early: bool = False
    approved: bool = False
    confirmed: bool = False


class ExitAllowed(ExitEvent, frozen=True, array_like=True, tag="exit.allowed"):
    """Value may leave. It drew `micro_usd` on `lane`: `none` if it was held as over budget, `own` for sweeps.

    `usual_micro_usd` is the part that may shape the account's habit: Holdback's own price of it, 0 if it had none.
    `first` says that nothing went to this entry of the book before. `stranger` tells who was paid where anybody may be,
    on an opened kind, from others; it is empty elsewhere. `drawn_at` is when all of it was drawn, for a sale that was
    locked before; 0 is now. `by` are the two of the staff who gave it to the buyer of a disputed sale.

    Of a card payment `margin_micro_usd` is set aside beyond what was authorised, until `cleared_until`.
    `key` is the API key that let it go by its signature alone.

    `payable` is None for what draws nothing. An exit that is let go once more, for its receipt was not spent, is as if
    it had not been before: what it drew then is drawn now in its place.
    """

    exit: str
    kind: str
    beneficiary: str
    lane: Lane
    micro_usd: int
    digest: bytes
    account: str
    usual_micro_usd: int = 0
    first: bool = False
    stranger: str = ""
    drawn_at: Instant = 0
    by: tuple[str, ...] = ()
    margin_micro_usd: int = 0
    cleared_until: Instant = 0
    key: str = ""
    payable: Payable | None = None

    @property
    def receipt(self) -> str:
        """The id of its receipts."""
        return receipt_id(self.account, self.exit, self.payable.asked_at if self.payable is not None else self.at)


class ExitHeld(ExitEvent, frozen=True, array_like=True, tag="exit.held"):
    """An exit waits until `until`, and `wait_ms` of it only count once the owner was told.

    `recovery` is the case that asked for it instead of the account, "" if the account did. `destination` is who is paid
    outside of the platform. `stranger` is as in `ExitAllowed`. `key` is the API key that asked for it, "" if none did.
    `unconfirmed`: it waits for no time alone, but until its owner confirms again whom it pays.
    """

    exit: str
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
    wait_ms: int
    until: Instant
    recovery: str = ""
    destination: Destination | None = None
    stranger: str = ""
    key: str = ""
    unconfirmed: bool = False


class ExitMoved(ExitEvent, frozen=True, array_like=True, tag="exit.moved"):
    """A held exit must wait until a later instant than was said before; `unconfirmed` is as in `ExitHeld`."""

    exit: str
    until: Instant
    unconfirmed: bool = False


class ExitApproved(ExitEvent, frozen=True, array_like=True, tag="exit.approved"):
    """The vault's approver let a held exit reach into it; it waits as before."""

    exit: str
    contact: str


class ExitCancelled(ExitEvent, frozen=True, array_like=True, tag="exit.cancelled"):
    """An exit that waited, or was locked, will not happen; `by` are the two of the staff who gave a sale back.

    What a lock has drawn is given back where it was drawn. `listed`: whom it would have paid was listed meanwhile.
    """

    exit: str
    by: tuple[str, ...] = ()
    listed: bool = False


class ExitLocked(ExitEvent, frozen=True, array_like=True, tag="exit.locked"):
    """What a P2P sale sells is set aside until `until`, and drawn: from here on its owner's proof alone lets it go.

    It was asked for just now, or was held until now under the same id. `usual_micro_usd` and `stranger` are as in
    `ExitAllowed`, `key` as in `ExitHeld`.
    """

    exit: str
    kind: str
    beneficiary: str
    lane: Lane
    micro_usd: int
    asset: str
    amount: str
    digest: bytes
    account: str
    counterparty: str
    asked_with: tuple[bytes, ...]
    until: Instant
    usual_micro_usd: int
    stranger: str
    key: str


class ExitPaid(ExitEvent, frozen=True, array_like=True, tag="exit.paid"):
    """The platform says that the buyer of a locked sale paid; `reference` is its own name for that."""

    exit: str
    reference: str


class ExitDisputed(ExitEvent, frozen=True, array_like=True, tag="exit.disputed"):
    """A sale whose buyer has paid was stopped: it goes neither way before two of the staff say so."""

    exit: str


class ExitRuled(ExitEvent, frozen=True, array_like=True, tag="exit.ruled"):
    """One of the staff says how a disputed sale ends: for the buyer, or not. A second one must say the same."""

    exit: str
    digest: bytes
    by: str
    to_buyer: bool


class ExitSettled(Event, frozen=True, array_like=True, tag="exit.settled"):
    """The platform says that an allowed exit is final; `reference` is its own name for the payment.

    `returned`: that it has moved back what two of the staff gave back.
    """

    exit: str
    reference: str
    returned: bool = False


class ValueSent(ExitEvent, frozen=True, array_like=True, tag="value.sent"):
    """What an exit drew arrived with another customer: worth `micro_usd`, it waits there and may be given back.

    `until` and `stopped_until` are the waits of the receiver's mark. `lane`, `drawn_micro_usd`, `usual_micro_usd` and
    `stranger` are what the exit drew and on what, `drawn_at` when, as its `ExitAllowed` has them. With `order` it is
    what that one gave away by a bad trade, `exit` a name for it alone; `reported` is false while it only may have.
    `stopped` is true if the sender's own stop was on already as this became known. `fill` is by which the report is
    known again that told of it.
    """

    exit: str
    counterparty: str
    micro_usd: int
    until: Instant
    stopped_until: Instant
    lane: Lane
    drawn_micro_usd: int
    usual_micro_usd: int
    stranger: str = ""
    drawn_at: Instant = 0
    order: str = ""
    reported: bool = True
    stopped: bool = False
    fill: bytes = b""


class ExitReturnAsked(ExitEvent, frozen=True, array_like=True, tag="exit.return_asked"):
    """One of the staff asks that what an exit sent goes back to its sender; a second person must ask the same."""

    exit: str
    digest: bytes
    by: str


class ExitReturned(ExitEvent, frozen=True, array_like=True, tag="exit.returned"):
    """Two of the staff give back what an exit sent inside: what it drew is undrawn, where it was drawn.

    `left_at` is when it left, if that was not when it was drawn.
    """

    exit: str
    counterparty: str
    micro_usd: int
    by: tuple[str, ...]
    drawn_at: Instant
    lane: Lane
    drawn_micro_usd: int
    usual_micro_usd: int
    stranger: str = ""
    left_at: Instant = 0


class ExitCleared(ExitEvent, frozen=True, array_like=True, tag="exit.cleared"):
    """A card payment was charged: of what was set aside beyond it, `refund_micro_usd` is drawn no more where it was."""

    exit: str
    charged_micro_usd: int
    refund_micro_usd: int
    drawn_at: Instant
    lane: Lane
    stranger: str = ""


class ExitExceeded(ExitEvent, frozen=True, array_like=True, tag="exit.exceeded"):
    """A card payment was charged so much more than was set aside for it, or after its time; that is drawn now."""

    exit: str
    micro_usd: int
    stranger: str = ""


class ExitReconciled(ExitEvent, frozen=True, array_like=True, tag="exit.reconciled"):
    """A receipt from before a restore was shown by the signer and draws again on the budget.

    `kind` is the exit's, "" if the receipt is too old to say, and `paid_at` when the receipt was given.
    `exit` is the one that it paid, if that waits here still, or was let go and not paid, as far as is known.
    """

    receipt: str
    lane: Lane
    micro_usd: int
    kind: str = ""
    paid_at: Instant = 0
    exit: str = ""


class ValueReceived(Event, frozen=True, array_like=True, tag="value.received"):
    """Value came from another account inside the platform and may not exit before `until` (law 3).

    `sender` is from whom, "" if it came from several. If he is stopped meanwhile, it stays until `stopped_until`.
    `late_micro_usd` of it was said to come at `late_at` already, to wait until `late_until`, and comes only now.
    """

    micro_usd: int
    until: Instant
    sender: str = ""
    stopped_until: Instant = 0
    late_micro_usd: int = 0
    late_at: Instant = 0
    late_until: Instant = 0


class ValueRecalled(Event, frozen=True, array_like=True, tag="value.recalled"):
    """Two of the staff give back what `sender` sent at `received_at`, and what waits until `until`, or longer.

    The mark stays until the platform has moved the value.
    """

    micro_usd: int
    sender: str
    received_at: Instant
    until: Instant


class ValueReturned(Event, frozen=True, array_like=True, tag="value.returned"):
    """The platform has moved back what was recalled: the mark of it is gone."""

    micro_usd: int
    sender: str
    received_at: Instant
    until: Instant


class EquityStated(Event, frozen=True, array_like=True, tag="equity.stated"):
    """The platform said what the family owns; only the lowest of 30 days counts."""

    micro_usd: int


class CoolOffStarted(Event, frozen=True, array_like=True, tag="cool_off.started"):
    """Exits cool: to senior beneficiaries until `senior_until`, to others until `others_until` (law 4).

    After a mild cause senior beneficiaries at usual amounts stay open.
    """

    cool_off: str
    cause: str
    severity: Severity
    senior_ms: int
    senior_until: Instant
    others_ms: int
    others_until: Instant


RECOVERY_LINK: Final = "recovery.link"
"""The cause of a notice that brings an old contact what a recovery goes on with that staff opened."""
CONTACT_CODE: Final = "contact.code"
"""The cause of a notice that brings a contact a code."""
AUTHENTICATOR_CODE: Final = "authenticator.code"
"""The same for a restricted authenticator: its id stands where those of contacts do, and nobody else gets it."""


class Payment(msgspec.Struct, frozen=True, array_like=True):
    """What an API key paid to whom: repeats of it are measured by that.

    `more` is how many of its payments, worth `more_micro_usd` in all, were folded since a notice told of one.
    """

    key: str
    payee: str
    micro_usd: int
    more: int = 0
    more_micro_usd: int = 0


class NoticeDue(Event, frozen=True, array_like=True, tag="notice.due"):
    """The owner must be told, at each of `contacts`; the waits of `about` run once a senior one accepted it (law 5).

    It goes out at once, or from `due_at` on if a secrecy order says so, or to sum up what an API key pays: `payment` is
    set if one of those is told of.
    """

    notice: str
    cause: str
    severity: Severity
    contacts: tuple[str, ...]
    about: tuple[About, ...]
    due_at: Instant = 0
    payment: Payment | None = None


class NoticeFolded(Event, frozen=True, array_like=True, tag="notice.folded"):
    """The same quiet news again within the fold window: counted, not sent. `payment` is as in a notice."""

    cause: str
    payment: Payment | None = None


class NoticeAccepted(Event, frozen=True, array_like=True, tag="notice.accepted"):
    """A channel accepted the notice for delivery to this contact."""

    notice: str
    contact: str


class NoticeFailed(Event, frozen=True, array_like=True, tag="notice.failed"):
    """All tries to deliver the notice to this contact failed."""

    notice: str
    contact: str


class WaitMoved(Event, frozen=True, array_like=True, tag="wait.moved"):
    """A wait runs from here, for the owner has been told; it ends at `until`, never earlier than said before.

    For a cool-off `until` is for other beneficiaries and `senior_until` for senior ones.
    """

    about: About
    until: Instant
    senior_until: Instant = 0


class Asker(msgspec.Struct, frozen=True, array_like=True):
    """Who asked for a recovery, as far as it was known when he did: from where, with what, and since when.

    `staff` is who of the staff asked for him, for `ticket`; of these the origin is not kept.
    """

    at: Instant
    ip: Sealed | None = None
    user_agent: Sealed | None = None
    country: str = ""
    staff: str = ""
    ticket: str = ""


class RecoveryOpened(Event, frozen=True, array_like=True, tag="recovery.opened"):
    """Someone says that they are the owner and lost `lost`. `drawn` are the reviewers that chance chose.

    `token` is the hash of what only whoever opened it was given: nobody goes on with another's recovery. If staff
    opened it, that is sent to `contact`, sealed as `link`, and none of them ever sees it. `doubted` if evidence in an
    earlier one was found to be false lately.
    """

    recovery: str
    lost: tuple[AuthenticatorKind, ...]
    token: bytes
    drawn: tuple[str, ...]
    asker: Asker | None = None
    contact: str = ""
    link: Sealed | None = None
    doubted: bool = False


class RecoveryAsked(Event, frozen=True, array_like=True, tag="recovery.asked"):
    """A proof was asked for in a recovery that answers a challenge: a code to `contact`, or a passkey's signature."""

    recovery: str
    challenge: str
    contact: str = ""


class RecoveryShown(Event, frozen=True, array_like=True, tag="recovery.shown"):
    """A piece of evidence was shown and is right. `source` is the authenticator, contact or device it rests on.

    `judged_by` is who or what outside said so, empty for what proves itself.
    """

    recovery: str
    evidence: str
    source: str
    holder: bytes
    judged_by: str = ""


class RecoveryMissed(Event, frozen=True, array_like=True, tag="recovery.missed"):
    """A piece of evidence was wrong. Of what can be guessed only so many are taken a day, in whatever recovery."""

    recovery: str
    evidence: str


class RecoveryDoubted(Event, frozen=True, array_like=True, tag="recovery.doubted"):
    """Evidence was judged to be false, or left to people, as `judged_by` says. From here on reviewers must approve."""

    recovery: str
    evidence: str
    judged_by: str


class RecoveryClosed(Event, frozen=True, array_like=True, tag="recovery.closed"):
    """The evidence is closed: it went by `path`, and may be finished from `until` on, `wait_ms` after this was told."""

    recovery: str
    path: str
    wait_ms: int
    until: Instant


class RecoveryReviewed(Event, frozen=True, array_like=True, tag="recovery.reviewed"):
    """A drawn reviewer gave a verdict."""

    recovery: str
    reviewer: str
    approved: bool


class RecoveryContested(Event, frozen=True, array_like=True, tag="recovery.contested"):
    """Someone with a session or a contact objected, and could not end it. The first objection doubles the wait."""

    recovery: str
    by: Actor
    wait_ms: int
    until: Instant


class RecoveryEnded(Event, frozen=True, array_like=True, tag="recovery.ended"):
    """A recovery ended without effect, by whoever objected, judged or opened another.

    The owner is told of `asker`, who had opened it, and of what he had `shown`.
    """

    recovery: str
    by: Actor
    how: Ending
    asker: Asker | None = None
    shown: tuple[str, ...] = ()


class RecoveryFinished(Event, frozen=True, array_like=True, tag="recovery.finished"):
    """A recovery's time came, and whoever holds its token and a contact chose a new password.

    Until `weak_until` the account may be read, stopped and given new authenticators, and nothing else. `cools_ms` is
    how long exits to senior beneficiaries cool, where that is longer than after other severe changes.
    """

    recovery: str
    path: str
    weak_until: Instant
    cools_ms: int = 0


class RecoveryReminded(Event, frozen=True, array_like=True, tag="recovery.reminded"):
    """Everybody is told once more of a recovery: of its wait, or that it waits for whoever opened it.

    `until` is when the wait, or else the recovery, ends by itself.
    """

    recovery: str
    waits: bool
    until: Instant


RecoveryEvent = (
    RecoveryOpened
    | RecoveryAsked
    | RecoveryShown
    | RecoveryMissed
    | RecoveryDoubted
    | RecoveryClosed
    | RecoveryReviewed
    | RecoveryContested
    | RecoveryEnded
    | RecoveryFinished
    | RecoveryReminded
)
"""What happens to one recovery."""


class EvidenceBurned(Event, frozen=True, array_like=True, tag="evidence.burned"):
    """These kinds of evidence became known to others: in this account's recoveries they prove nothing before `until`.

    `cause` is legal, leak, unexplained_read or owner. The owner is told at once, or at `told_at` if it is not 0.
    """

    kinds: tuple[str, ...]
    cause: str
    until: Instant
    told_at: Instant = 0


class IncidentReported(Event, frozen=True, array_like=True, tag="incident.reported"):
    """The owner said that the account was robbed, and what happened as far as he knows. It was frozen with it."""

    incident: str
    by: Actor
    story: Sealed


class IncidentNoted(Event, frozen=True, array_like=True, tag="incident.noted"):
    """Something was added to an incident that was reported before."""

    incident: str
    by: Actor
    note: Sealed


class IncidentClosed(Event, frozen=True, array_like=True, tag="incident.closed"):
    """The owner said, with full proof, that nothing more is to be found out; an investigator, of a colleague."""

    incident: str
    by: str = ""


class MemberProposed(Event, frozen=True, array_like=True, tag="staff.proposed"):
    """Someone of the staff asked that `account` be a member with these roles; a second person must ask the same.

    The first proposal begins the stream. `digest` names exactly what was asked, `by` who asked it.
    """

    account: str
    name: Sealed
    roles: tuple[Role, ...]
    digest: bytes
    by: str


class MemberEnrolled(Event, frozen=True, array_like=True, tag="staff.enrolled"):
    """A member of staff has these roles from here on, by whom: two people, or one where roles only fell away."""

    roles: tuple[Role, ...]
    by: tuple[str, ...]


class MemberRetired(Event, frozen=True, array_like=True, tag="staff.retired"):
    """A member of staff left, for good: the stream stays for those who look back."""

    by: str


class CustomerRead(Event, frozen=True, array_like=True, tag="staff.read"):
    """In the reader's stream: a customer was read for `ticket`, with what comparing readers needs (`watching.py`).

    `decile` is how rich the customer is by the policy's lines, 10 the richest.
    """

    account: str
    ticket: str
    decile: int
    canary: bool


class ColleagueJudged(Event, frozen=True, array_like=True, tag="staff.judged"):
    """In the stream of whoever asked: he had a word in who belongs to the staff or the registry, about `account`."""

    account: str


class MemberFlagged(Event, frozen=True, array_like=True, tag="staff.flagged"):
    """A comparison with peers, or a canary, says that somebody must ask this member. `why` is `watching.Why`'s.

    `ones` of `reads` since `since_at`; a peer's mean is `usual_permille`. `names` are all whom it is about. `incident`
    is the case that it belongs to, opened by it if there was none.
    """

    why: str
    names: tuple[str, ...]
    since_at: Instant
    ones: int
    reads: int
    usual_permille: int
    incident: str


class TicketOpened(Event, frozen=True, array_like=True, tag="ticket.opened"):
    """The platform's help desk says that this customer has something to be helped with; staff may read for it."""

    ticket: str
    until: Instant


class TicketClosed(Event, frozen=True, array_like=True, tag="ticket.closed"):
    """The help desk is done with it: nobody reads for it any more."""

    ticket: str


class LookedUp(Event, frozen=True, array_like=True, tag="staff.looked_up"):
    """In the customer's stream: a member of staff read these fields for a ticket. `revealed` means not masked.

    `involved` is false for a reviewer who read what he was drawn to judge, and for whoever read a legal request itself.
    Of a secret one the owner is told at `told_at`.
    """

    member: str
    ticket: str
    fields: tuple[str, ...]
    revealed: bool
    involved: bool
    told_at: Instant = 0


class LegalReceived(Event, frozen=True, array_like=True, tag="legal.received"):
    """An authority's request about this customer came in. Nothing was disclosed or stopped by that.

    `fields` are those that its legal basis reaches, `refused` the others. `entered_by` is the member of staff who
    entered it, empty if it came as a paper; `signed` says that the paper is signed as the registry says. It lapses at
    `expires_at`. `told_at` is when the owner is told at the earliest, 0 for at once; `freeze_ms` is how long a freeze
    order is to last, 0 for a disclosure. `paper` is the digest of what was handed in. Until `spent_until` the signing
    that `mark` names vouches for no other request.
    """

    request: str
    agency: str
    basis: str
    fields: tuple[str, ...]
    refused: tuple[str, ...]
    entered_by: str
    registered: bool
    signed: bool
    paper: bytes
    expires_at: Instant
    told_at: Instant = 0
    freeze_ms: int = 0
    mark: bytes = b""
    spent_until: Instant = 0


class LegalCalledBack(Event, frozen=True, array_like=True, tag="legal.called_back"):
    """A member of staff rang the agency at the registry's number, and `officer` confirmed the request."""

    request: str
    by: str
    officer: str
    told_at: Instant = 0


class LegalApproved(Event, frozen=True, array_like=True, tag="legal.approved"):
    """A member of staff approved a legal request."""

    request: str
    by: str
    told_at: Instant = 0


class LegalRejected(Event, frozen=True, array_like=True, tag="legal.rejected"):
    """A legal request was turned down; nothing came of it.

    A forged one marks the account: somebody is after it, and its recoveries wait twice as long until `targeted_until`.
    """

    request: str
    by: str
    forged: bool
    targeted_until: Instant = 0
    told_at: Instant = 0


class LegalDisclosed(Event, frozen=True, array_like=True, tag="legal.disclosed"):
    """These fields were disclosed to an agency. `package` is the digest of the sealed package, kept as proof."""

    request: str
    agency: str
    basis: str
    fields: tuple[str, ...]
    by: str
    package: bytes
    told_at: Instant = 0


class LegalTold(Event, frozen=True, array_like=True, tag="legal.told"):
    """The secrecy of a disclosure is over: contacts that came since are told of it, `known` by its own notice."""

    request: str
    agency: str
    basis: str
    fields: tuple[str, ...]
    disclosed_at: Instant
    known: tuple[str, ...]


class LegalFrozen(Event, frozen=True, array_like=True, tag="legal.frozen"):
    """An authority's order stops every exit until `until`. It is no freeze of the owner's."""

    request: str
    agency: str
    until: Instant


class LegalThawAsked(Event, frozen=True, array_like=True, tag="legal.thaw_asked"):
    """A member of staff wants an authority's order ended before its date; a second one must want it too."""

    request: str
    by: str


class LegalThawed(Event, frozen=True, array_like=True, tag="legal.thawed"):
    """An authority's order was ended before its date, by two members of staff."""

    request: str
    by: str


class Officer(msgspec.Struct, frozen=True, array_like=True):
    """Somebody who answers for an agency, and the number he is rung at."""

    id: str
    name: Sealed
    number: Sealed


class AgencyProposed(Event, frozen=True, array_like=True, tag="agency.proposed"):
    """Someone of the staff asked that `account` stand in the registry so; a second person must ask the very same.

    The first proposal begins the stream. `digest` names exactly what was asked, `by` who asked it.
    """

    account: str
    name: Sealed
    digest: bytes
    by: str


class AgencyEntered(Event, frozen=True, array_like=True, tag="agency.entered"):
    """An agency stands in the registry so, from `until` on, by two people. Before that the entry before it counts."""

    officers: tuple[Officer, ...]
    recipient: str
    domains: tuple[str, ...]
    certificates: tuple[bytes, ...]
    by: tuple[str, ...]
    until: Instant


class AgencyRemoved(Event, frozen=True, array_like=True, tag="agency.removed"):
    """An agency was taken out of the registry, or of it only what did not count yet (`waiting`)."""

    by: str
    waiting: bool = False


class BreakerTripped(Event, frozen=True, array_like=True, tag="breaker.tripped"):
    """More left in an hour than may (`scope` says which outflow): exits above a size are held on the whole platform.

    The first one begins the stream; `name` is what it is called there.
    """

    name: Sealed
    scope: str
    micro_usd: int
    limit_micro_usd: int


class BreakerResetAsked(Event, frozen=True, array_like=True, tag="breaker.reset_asked"):
    """Someone of the staff asked that exits go again; a second person must ask the same."""

    digest: bytes
    by: str


class BreakerReset(Event, frozen=True, array_like=True, tag="breaker.reset"):
    """Exits go again, by two people."""

    by: tuple[str, ...]


LegalEvent = (
    LegalReceived
    | LegalCalledBack
    | LegalApproved
    | LegalRejected
    | LegalDisclosed
    | LegalFrozen
    | LegalThawAsked
    | LegalThawed
    | LegalTold
)
"""What happens to one legal request."""


MemberEvent = MemberProposed | MemberEnrolled | MemberRetired | MemberFlagged | CustomerRead | ColleagueJudged
"""What stands in the stream of one of the staff alone."""

AnyKeyEvent = (
    ApiKeyCreated | ApiKeySigned | ApiKeyWoken | ApiKeySuspended | ApiKeyResumed | ApiKeyRevoked | ApiKeyWarned
)
"""What happens to an API key."""

AnyTradeEvent = (
    OrderAllowed
    | OrderReported
    | LeaseGranted
    | LeaseSettled
    | TradingAlerted
    | TradingClosed
    | TradingOpened
    | ProceedsSeen
    | ProceedsHeld
    | Tied
)
"""What happens to what an account may trade away."""

AnyEvent = (
    Decided
    | AccountImported
    | Frozen
    | Unfrozen
    | SessionStarted
    | SessionSeen
    | SessionEnded
    | SessionMisused
    | DeviceProofSpent
    | DeviceMet
    | DeviceSeen
    | DeviceDisowned
    | AuthenticatorBound
    | AuthenticatorConfirmed
    | AuthenticatorSuspended
    | AuthenticatorReinstated
    | AuthenticatorRemoved
    | SecretReplaced
    | ProofUsed
    | ProofFailed
    | ChallengeIssued
    | ChallengeClosed
    | ContactAdded
    | ContactAsked
    | ContactConfirmed
    | ContactRemoved
    | ContactRecycled
    | AddressAdded
    | AddressRenewed
    | AddressRemoved
    | SettingChanged
    | VaultChanged
    | ChangeAsked
    | ChangeCancelled
    | ChangeDone
    | ExitAllowed
    | ExitHeld
    | ExitMoved
    | ExitApproved
    | ExitCancelled
    | ExitSettled
    | ExitReconciled
    | ExitLocked
    | ExitPaid
    | ExitDisputed
    | ExitRuled
    | ValueReceived
    | EquityStated
    | CoolOffStarted
    | NoticeDue
    | NoticeFolded
    | NoticeAccepted
    | NoticeFailed
    | WaitMoved
    | CredentialRehashed
    | SignInScored
    | PlaceSeen
    | AuthenticatorRecycled
    | AuthenticatorAsked
    | SignInsFailed
    | RecoveryOpened
    | RecoveryAsked
    | RecoveryShown
    | RecoveryMissed
    | RecoveryDoubted
    | RecoveryClosed
    | RecoveryReviewed
    | RecoveryContested
    | RecoveryEnded
    | RecoveryFinished
    | EvidenceBurned
    | IncidentReported
    | IncidentNoted
    | IncidentClosed
    | MemberProposed
    | MemberEnrolled
    | MemberRetired
    | MemberFlagged
    | ColleagueJudged
    | CustomerRead
    | TicketOpened
    | TicketClosed
    | LookedUp
    | LegalReceived
    | LegalCalledBack
    | LegalApproved
    | LegalRejected
    | LegalDisclosed
    | LegalFrozen
    | LegalThawAsked
    | LegalThawed
    | RecoveryReminded
    | AgencyProposed
    | AgencyEntered
    | AgencyRemoved
    | LegalTold
    | ApiKeyCreated
    | ApiKeySigned
    | ApiKeyWoken
    | ApiKeySuspended
    | ApiKeyResumed
    | ApiKeyRevoked
    | ApiKeyWarned
    | ApiKeysStopped
    | OrderAllowed
    | OrderReported
    | LeaseGranted
    | LeaseSettled
    | TradingAlerted
    | TradingClosed
    | TradingOpened
    | ProceedsSeen
    | ProceedsHeld
    | BreakerTripped
    | BreakerResetAsked
    | BreakerReset
    | ValueSent
    | ExitReturnAsked
    | ExitReturned
    | ExitCleared
    | ExitExceeded
    | ValueRecalled
    | ValueReturned
    | Tied
)


def _pack(value: object) -> bytes:
    if isinstance(value, Sealed):
        return value.packed
    msg = f"cannot store a {type(value).__name__}"
    raise TypeError(msg)


def _unpack(expected: type, value: Any) -> Sealed:  # noqa: ANN401 - msgspec hands over whatever was decoded
    if issubclass(expected, Sealed):
        return expected.unpacked(value)
    msg = f"cannot load a {expected.__name__}"
    raise TypeError(msg)


ENCODER: Final = msgspec.msgpack.Encoder(enc_hook=_pack)
"""Writes events, snapshots and parts."""

_EVENTS: Final = msgspec.msgpack.Decoder(tuple[AnyEvent, ...], dec_hook=_unpack)


def decode_events(body: bytes) -> tuple[AnyEvent, ...]:
    """Read one entry's events. Raises msgspec.DecodeError on anything but what `ENCODER` wrote."""
    return _EVENTS.decode(body)


def stored_decoder(kind: type[T]) -> msgspec.msgpack.Decoder[T]:
    """A decoder for one stored type whose sealed fields are read back."""
    return msgspec.msgpack.Decoder(kind, dec_hook=_unpack)
