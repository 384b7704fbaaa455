"""What Holdback needs of the world: contracts, in words. Adapters live in store/, channels/ and evidence/.

Everything stored is bytes that the service has sealed, encoded and MACed; a store keeps and returns them, and is
trusted for durability and mutual exclusion only. SECURITY.md says what a hostile one could do.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import msgspec

from holdback.core.events import Instant  # noqa: TC001 - msgspec reads the rows' annotations when a back-up is restored

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from holdback.core.events import AuthenticatorKind, Channel
    from holdback.core.ledger import Entry


class Conflict(Exception):
    """Another transaction came first (a new account, a used idempotency key, a moved head). Load again and retry."""


class StoreUnavailable(Exception):
    """The store cannot be reached or refuses work. Nothing is known to be written; the caller may retry.

    It is also what a commit raises whose outcome is unknown: retry under the same idempotency key, and the answer that
    may have been stored comes back.
    """


class NewerDatabase(Exception):
    """A newer program wrote the database and admits none as old as this one. Retrying cannot help: upgrade."""


class Snapshot(NamedTuple):
    """A customer's head row: `head` is the encoded state after entry `seq`, whose link is `link`.

    `mac` covers all the rest; `key` is the customer's data key, wrapped by a master key.
    """

    account: str
    version: int
    seq: int
    link: bytes
    head: bytes
    mac: bytes
    key: bytes


class PartRow(NamedTuple):
    """A part of a customer's state that is loaded by name: a beneficiary, device or credential.

    `alike` is empty, or equal for parts that people confuse. `mac` covers account, kind, name and body.
    """

    account: str
    kind: str
    name: str
    alike: bytes
    body: bytes
    mac: bytes


class Answer(NamedTuple):
    """What was answered to an idempotency key of a caller, for a body with this SHA-256."""

    caller: str
    key: str
    body_digest: bytes
    answer: bytes
    at: Instant


class Price(NamedTuple):
    """Micro-USD for one whole unit of an asset, as the operator's feed said at `at`.

    A pair (`BTC/USDT`) is kept among them: of it `detail` has the reference and the half-ranges lately, as
    `pair_index.PairIndex` writes them, and `micro_usd` is 0.
    """

    asset: str
    micro_usd: int
    at: Instant
    detail: str = ""


class NoticeRow(NamedTuple):
    """One notice to one contact, waiting to be sent. `seq` is the entry that caused it; `tries` counts failed sends."""

    id: str
    account: str
    seq: int
    notice: str
    contact: str
    due_at: Instant
    tries: int = 0
    error: str = ""


class KeyRow(NamedTuple):
    """A platform key: `digest` is the SHA-256 of its secret, `scopes` what it may do, `retired_at` 0 while live."""

    id: str
    digest: bytes
    scopes: tuple[str, ...]
    created_at: Instant
    retired_at: Instant = 0


class Attempts(NamedTuple):
    """Failures counted under one key, which is a keyed hash: of whose, of which origin, of which window.

    `since` is when counting began, `failed_at` when the last one was, `networks` a set of bits. A row with an `account`
    is to be told in that customer's stream once `until` has come; one without is of no use from then on.
    """

    key: bytes
    failures: int
    since: Instant
    failed_at: Instant
    until: Instant
    networks: int = 0
    account: str = ""


class Sighting(NamedTuple):
    """That an account had to do with something that others may meet as well (an address, a device), on a day.

    `key` is a keyed hash of what it is, and `day` counts from the epoch. Rows are only ever added, until they are old.
    Of stops and losses, which others are to learn of soon, `key` is of the account or tie and `day` counts hours.
    """

    key: bytes
    account: str
    day: int


class Sightings(NamedTuple):
    """The newest sightings of one key, at most `SIGHTINGS_MOST`, and the day of the first that is kept."""

    first_day: int
    rows: tuple[Sighting, ...]


class ListRow(NamedTuple):
    """A list of addresses that nobody is paid at: the operator's own, or an authority's, as it was imported last.

    `version` is the operator's word for it, `key_id` the master key under which its addresses are hashed.
    """

    name: str
    version: str
    at: Instant
    key_id: int
    entries: int


class ListedRow(NamedTuple):
    """An address on a list, by its keyed hash."""

    key: bytes
    list: str


class DeskRow(NamedTuple):
    """One thing that waits, as `core.waiting.Item` has it, of one account. Staff see it: nothing personal in it."""

    account: str
    kind: str
    id: str
    opened_at: Instant
    due_at: Instant
    wake_at: Instant
    waits_for: str
    role: str

    @property
    def place(self) -> tuple[Instant, str, str, str]:
        """Where it stands in the order of the desk: the oldest first."""
        return self.opened_at, self.account, self.kind, self.id


class WebhookRow(NamedTuple):
    """One message to the platform (`core.hold_life.News`), to be posted from `due_at` on; nothing personal in it.

    `id` is the same at each try. An account's messages go in order of `due_at`, then `place`. `which` is the held exit,
    `until` the instant that is told; `tries` counts failed posts.
    """

    id: str
    account: str
    place: int
    kind: str
    which: str
    until: Instant
    due_at: Instant
    tries: int = 0
    error: str = ""


class FlowRow(NamedTuple):
    """What left, as `core.breaker.Flow` counts it: of one transaction, or folded, of the hour that begins at `at`."""

    at: Instant
    new_micro_usd: int
    changed_micro_usd: int


class Wanted(NamedTuple):
    """What one request needs loaded. `alike` asks for beneficiaries that look like the one named, at most 8.

    `whole` asks for all parts of the customer if they are few (`SMALL_BOOK`), so that nothing must be asked for twice.
    `shared` are keys of what several customers may meet: their sightings, the lists they are on, and all lists there
    are. It is a customer's wish, though not about him, so that it comes with the one load.
    """

    account: str
    parts: tuple[tuple[str, str], ...] = ()
    alike: bytes = b""
    assets: tuple[str, ...] = ()
    answer: tuple[str, str] | None = None
    whole: bool = False
    shared: tuple[bytes, ...] = ()


SIGHTINGS_MOST: Final = 64
"""The most sightings of a key that are given: more are as good as so many."""

HOURS_FROM: Final = 100_000
"""From here on `Sighting.day` counts hours: as days it would be in the year 2243, as hours it was in 1981."""

SMALL_BOOK: Final = 16
"""The most parts that a customer is read with as a whole."""


class Loaded(NamedTuple):
    """What a load found; what does not exist is absent. `now` is the database's clock.

    `parts` holds, an account, the rows asked for by name or by `alike`. `reconciling` is true from a restore until
    the signer's receipts were reconciled, `tripped_at` since when the circuit breaker holds exits (0: it does not),
    `hooked_at` when a server that tells the platform of holds last said so and `looked_at` when one last added up what
    leaves (0: none ever did). Of the accounts in `whole` every part there is was given. `sightings` and `listed` (the
    names of lists) are by key, `lists` all there are; both are empty if nothing shared was asked for.
    """

    now: Instant
    snapshots: dict[str, Snapshot]
    parts: dict[str, list[PartRow]]
    prices: dict[str, Price]
    answers: dict[tuple[str, str], Answer]
    reconciling: bool
    whole: frozenset[str] = frozenset()
    sightings: Mapping[bytes, Sightings] = MappingProxyType({})
    listed: Mapping[bytes, tuple[str, ...]] = MappingProxyType({})
    lists: tuple[ListRow, ...] = ()
    tripped_at: Instant = 0
    hooked_at: Instant = 0
    looked_at: Instant = 0


class Writes(NamedTuple):
    """What one transaction makes durable, all or nothing.

    `snapshots` pairs each new head with the seq it replaces (0 = the account must not exist yet). `names` are lookup
    hashes of sign-in names; one name has one account for good. `sent` are ids of notices that need no more sending;
    those already gone are passed over. Of two rows for one part the later counts, and two heads of one account must
    follow each other. `desk` are things that wait, new or changed, and `off_desk` those that do no more, by account,
    kind and id; one named in both stays. `webhooks` are messages to the platform, `flows` what left, and the last of
    `tripped_at` is how the circuit breaker stands from then on. A sighting that there is already is passed over.
    Whoever writes a part writes its account's snapshot too: a moved seq is how a transaction that waited for a lock
    learns that what it had read is old. `as_of` is the database's time by which it was judged.
    """

    entries: Sequence[Entry] = ()
    snapshots: Sequence[tuple[int, Snapshot]] = ()
    parts: Sequence[PartRow] = ()
    notices: Sequence[NoticeRow] = ()
    answers: Sequence[Answer] = ()
    names: Sequence[tuple[bytes, str]] = ()
    sent: Sequence[str] = ()
    desk: Sequence[DeskRow] = ()
    off_desk: Sequence[tuple[str, str, str]] = ()
    webhooks: Sequence[WebhookRow] = ()
    sightings: Sequence[Sighting] = ()
    flows: Sequence[FlowRow] = ()
    tripped_at: Sequence[Instant] = ()
    as_of: Instant = 0

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not any(self[:-1])


STALE_MS: Final = 5_000
"""How much later than `Writes.as_of` a transaction without locks may still commit."""


class Transaction(Protocol):
    """One atomic unit of work, committed when its context ends without an exception.

    After `load` returned, nobody else can change the customers it named until the context ends. Locks are taken in
    account order, so two transactions never wait for each other: load all that will be written, once. An account that
    does not exist yet is not locked: the second to create it gets a Conflict. After `load` or `write` raised, nothing
    of the transaction is kept, whatever the block does next. When the context has ended without an exception,
    everything written is durable: it survives the loss of the process and of the machine's power.

    One begun without locks may let others in between: it ends in a Conflict if a head that it writes has moved since
    `load`, or if it comes to its end later than `STALE_MS` after `as_of`, for waits are counted from there. Also what
    `write` would raise may come at the end. What it only reads is one snapshot.
    """

    async def load(self, wanted: Sequence[Wanted]) -> Loaded:
        """Lock and read the customers named, with parts, prices and stored answers, in one round trip.

        Raises NewerDatabase if a program with a schema this one does not know has closed it to older ones.
        """

    async def write(self, writes: Writes) -> None:
        """Write everything.

        Raises Conflict when a head moved, an account, entry or notice exists, a name belongs to another account, or a
        key was used; ValueError for a part without its account's snapshot.
        """


class Store(Protocol):
    """A durable store of customers. All methods may raise StoreUnavailable. Use each object in one event loop.

    Safe to call from many tasks of one event loop, and from many processes on one database.
    """

    async def migrate(self) -> int:
        """Bring the schema to this program's version and return the version it then has.

        That is a higher one where a newer program migrated before, as in a rolling upgrade. Raises NewerDatabase if
        that program admits none as old as this one. Safe to call from several processes at once.
        """

    async def check_schema(self) -> None:
        """Return if the schema is one this program works with; raises StoreUnavailable or NewerDatabase if not.

        Unlike `ready` it asks for no durable write, so that what only reads may run on a standby.
        """

    async def ready(self) -> None:
        """Return if a transaction could be made durable now; raises StoreUnavailable or NewerDatabase if not."""

    def transaction(self, *, locks: bool = True) -> AbstractAsyncContextManager[Transaction]:
        """Begin; commit at the end of the block, roll back on an exception. Without `locks` it may meet a Conflict."""

    async def read(self, wanted: Sequence[Wanted]) -> Loaded:
        """Read without locking, as one snapshot.

        Something may be decided by it only if a later commit is refused where a head has moved since.
        """

    async def account_of(self, name: bytes) -> str | None:
        """The account with this sign-in name's lookup hash."""

    async def accounts(self, after: str, limit: int) -> list[str]:
        """Account ids in order, those greater than `after`."""

    async def entries(self, account: str, after: int, limit: int) -> list[Entry]:
        """A stream's entries in order, those with seq greater than `after`."""

    async def parts(self, account: str) -> list[PartRow]:
        """All parts of one customer."""

    async def claim(self, limit: int, lease_ms: int) -> list[NoticeRow]:
        """Take notices that are due, oldest first, hidden from other takers for `lease_ms`.

        Never dropped: a taker that dies leaves them to the next. `due_at` is what it was.
        """

    async def postpone(self, id: str, due_at: Instant, error: str) -> None:  # noqa: A002 - the row's own name
        """Count a failed try of a notice, end its lease and make it due again at `due_at`."""

    async def bury(self, id: str, error: str) -> None:  # noqa: A002 - the row's own name
        """Move a notice to the dead letters, counting a failed try."""

    async def dead_letters(self, limit: int) -> list[NoticeRow]:
        """Notices given up, newest first."""

    async def revive(self, id: str) -> bool:  # noqa: A002 - the row's own name
        """Make a dead letter due again now, with no failed tries. False if there is none of that id."""

    async def claim_webhooks(self, limit: int, lease_ms: int) -> list[WebhookRow]:
        """Take messages to the platform that are due, hidden from other takers for `lease_ms`.

        Of each account only the first that is neither sent nor a dead letter, so that they arrive in order: a message
        whose `due_at` has not come yet is behind all others. A taker that dies leaves them to the next.
        """

    async def webhook_sent(self, id: str) -> None:  # noqa: A002 - the row's own name
        """Forget a message that was accepted, or is no longer so."""

    async def postpone_webhook(self, id: str, try_at: Instant, error: str) -> None:  # noqa: A002 - the row's own name
        """Count a failed post, end its lease and try again at `try_at`; its place in the order stays."""

    async def bury_webhook(self, id: str, error: str) -> None:  # noqa: A002 - the row's own name
        """Move a message to the dead letters, counting a failed post; the account's later ones go on."""

    async def dead_webhooks(self, limit: int) -> list[WebhookRow]:
        """Messages given up, newest first."""

    async def revive_webhook(self, id: str) -> bool:  # noqa: A002 - the row's own name
        """Make a dead message due again now, with no failed tries. False if there is none of that id."""

    async def webhook_backlog(self) -> tuple[int, Instant]:
        """How many messages are due (dead ones apart), and since when the oldest has been (0 if none is)."""

    async def say_hooked(self) -> None:
        """Say now that somebody posts messages to the platform: every later load tells when that was."""

    async def say_looked(self) -> None:
        """Say that what leaves was added up now: every later load tells when that was, even if the clock went back."""

    async def flows(self, since: Instant) -> list[FlowRow]:
        """What left since an instant, in no order."""

    async def flow_sums(self, since: Instant, step_ms: int) -> list[FlowRow]:
        """What left since an instant, in order, added up over steps of so many ms since the epoch; none without any."""

    async def fold_flows(self, since: Instant, before: Instant) -> None:
        """Add up what left in each hour between two instants. Nothing is counted twice, whoever does it when."""

    async def forget_flows(self, before: Instant) -> None:
        """Delete what left before an instant."""

    async def desk(self, role: str, after: tuple[Instant, str, str, str], limit: int) -> list[DeskRow]:
        """What waits for this role, or for anything if it is "", in order from behind a place."""

    async def ahead(self, row: DeskRow) -> int:
        """How many things of its kind that wait for the same stand before it."""

    async def desk_due(self, limit: int) -> list[DeskRow]:
        """Things of which something is to be told now, the longest overdue first."""

    async def backlog(self) -> tuple[int, Instant]:
        """How many notices wait (dead letters apart), and since when the oldest has been due (0 if none is)."""

    async def put_prices(self, prices: Sequence[Price]) -> None:
        """Keep the newest price of each asset; an older one than is kept changes nothing."""

    async def put_sightings(self, sightings: Sequence[Sighting]) -> None:
        """Add what outsiders report to have been seen. What there is already is passed over."""

    async def forget_sightings(self, before: Instant, limit: int) -> int:
        """Delete at most so many of the sightings from days, or hours, that ended before an instant; how many."""

    async def put_list(self, row: ListRow, keys: AsyncIterator[Sequence[bytes]]) -> ListRow:
        """Import a list, in place of that of the same name if there is one; `entries` and `at` are found out here.

        Until it is whole the old one counts, and from then on the new one. Two imports of one list at a time: the later
        to end counts, whole. If `keys` raises, the old list stays.
        """

    async def lists(self) -> list[ListRow]:
        """All lists, in order of their names."""

    async def keys(self) -> list[KeyRow]:
        """All platform keys."""

    async def put_key(self, key: KeyRow) -> None:
        """Add or replace a platform key by id."""

    async def count_attempts(
        self,
        keys: Sequence[bytes],
        count: Callable[[Instant, Mapping[bytes, Attempts]], Sequence[Attempts]],
    ) -> None:
        """Lock the rows of these keys, hand those there are to `count` with the time, and keep what it returns.

        One transaction: of two that name one key the later sees what the earlier kept. `count` is quick and pure, is
        called once if nothing fails, and returns rows of these keys only; one without failures is deleted.
        """

    async def attempts_due(self, limit: int) -> list[Attempts]:
        """Rows that are to be told now, oldest first."""

    async def forget_attempts(self) -> int:
        """Delete rows that are of no use any more; how many."""

    async def forget_answers(self, before: Instant) -> int:
        """Delete stored answers from before an instant (48 h old); how many."""

    def dump(self) -> AsyncIterator[bytes]:
        """One consistent copy of everything as a series of records, for a back-up. Use with `async for`.

        The records are the same for every kind of store. Each is to be kept whole and in order; leases are left out.
        """

    async def fill(self, records: AsyncIterator[bytes]) -> int:
        """Fill an empty, migrated store from `dump`'s records, mark it as reconciling, and say how many rows.

        All or nothing. Raises ValueError if the store is not empty, or if a record is of a newer format, missing or
        altered.
        """

    async def set_reconciling(self, on: bool) -> None:  # noqa: FBT001 - the port's one flag
        """Hold every exit, or let exits go again."""

    async def close(self) -> None:
        """Give back connections and threads."""


class Clock(Protocol):
    """The second source of time, beside the database's clock."""

    def now(self) -> Instant:
        """This machine's idea of the time."""


class Entropy(Protocol):
    """The only source of chance."""

    def token(self, size: int) -> bytes:
        """`size` unpredictable bytes."""


class Message(msgspec.Struct, frozen=True):
    """What a channel sends. `id` is the same at each retry, so that a receiver can drop repeats."""

    id: str
    to: str
    subject: str
    text: str
    freeze_url: str
    data: dict[str, str]


class ChannelUnavailable(Exception):
    """The channel did not accept the message now; trying again may help."""


class ChannelRefused(Exception):
    """The channel will never accept this message (no such mailbox)."""


class Sender(Protocol):
    """One way to reach people (`channel`).

    `send` returns only when the next system has accepted the message for delivery, which is what starts waits (law 5).
    It is called again with the same message id after an unclear failure. Trusted with the text and the freeze link.
    """

    channel: Channel

    async def send(self, message: Message) -> None:
        """Hand over one message. Raises ChannelUnavailable or ChannelRefused."""

    async def close(self) -> None:
        """Give back connections."""


class Hook(Protocol):
    """Where the platform is told of holds. Trusted with ids, kinds and instants."""

    async def post(self, id: str, body: str) -> None:  # noqa: A002 - as the header is called
        """Hand over one message, whose id is the same at each try. Raises ChannelUnavailable or ChannelRefused."""

    async def close(self) -> None:
        """Give back connections."""


class Whence(NamedTuple):
    """What is known of a network address: the network around it and itself, and what databases say.

    `missing` names each fact that could not be had and why, `country:stale`. `origin` is one of `core.risk.ORIGINS`.
    """

    blocks: tuple[str, ...]
    country: str
    asn: int
    origin: str
    missing: tuple[str, ...]


class Networks(Protocol):
    """Knows where addresses are. Asks nobody over a network, and answers within microseconds; never raises."""

    def whence(self, address: str, now: Instant) -> Whence:
        """Look an address up. One that is none is a missing fact."""


class Browsers(Protocol):
    """Knows programs by their user agents. Trusted with nothing: anybody may send any."""

    def program(self, user_agent: str) -> tuple[str, str, str]:
        """System, family with major version, and the whole; "" for what it does not tell."""


class Enrolment(NamedTuple):
    """A new secret: `credential` is what Holdback keeps (sealed), `shown` what the owner is shown once."""

    credential: str
    shown: dict[str, object]


class KeyProof(NamedTuple):
    """What a right response by a passkey says: its counter, whether it is kept in more places than one.

    `credential` is what to keep of it, if it was registered just now.
    """

    counter: int
    backed_up: bool
    credential: str = ""


class PasskeyCeremonies(Protocol):
    """Registers passkeys and verifies what they sign, always with user verification.

    `held` are kept credentials of one customer. A response that is malformed, or is for another page, challenge or
    passkey, gives None and never raises.
    """

    def creation(self, user: bytes, name: str, held: Sequence[str], now: Instant) -> Enrolment:
        """Begin a registration: what to keep until it is confirmed, and creation options for the browser."""

    def registered(self, begun: str, response: str, held: Sequence[str], now: Instant) -> KeyProof | None:
        """What a browser's registration made, if it answers what was begun and is none of those held."""

    def request(self, challenge: bytes, held: Sequence[str], timeout_ms: int, *, named: bool) -> dict[str, Any]:
        """Request options for the browser.

        Unless `named`, passkeys that it finds by itself are not named, and others by nothing but their ids.
        """

    def proved(self, credential: str, response: str, challenges: Sequence[bytes]) -> KeyProof | None:
        """What a browser's assertion says, if this passkey signed one of the challenges.

        Whether the counter has grown is the core's to say.
        """

    def imported(self, given: str) -> str:
        """A credential of a passkey that was registered elsewhere. Raises ValueError on an unfit one."""


class Verifier(Protocol):
    """Checks one kind of proof against a kept credential. Comparisons take the same time for any input."""

    kind: AuthenticatorKind

    async def verify(self, credential: str, response: str, now: Instant) -> int | None:
        """The counter the proof spends (0 if its kind has none), or None if the response is wrong.

        The counter is the TOTP time step or the backup code's index; whether it was spent already is the
        core's to say.
        """

    async def waste(self, response: str) -> None:
        """Spend the work of checking a response on nobody, so that an unknown name costs what a known one does."""

    async def enrol(self, given: str, label: str) -> Enrolment:
        """Make a credential of what the owner gave (a password), or of chance. Raises ValueError on an unfit one."""


class PasswordVerifier(Verifier, Protocol):
    """The verifier of the one secret that people choose themselves."""

    async def judge(self, chosen: str, *, characters_min: int, strength_min: int, about: Sequence[str]) -> None:
        """Refuse what its owner should not choose (short, guessed early, known to thieves) with a ValueError.

        Its message repeats nothing of the password. `about` is what a stranger would guess of the owner first. Raises
        TimeoutError if too many checks wait already.
        """

    async def renewed(self, credential: str, response: str) -> str | None:
        """A stronger credential for a response that was just verified, None if the kept one is as good as new ones."""


class AddressSignatures(Protocol):
    """Says whether the key of an address signed a text. Asks nobody, answers within milliseconds, and never raises.

    Trusted with nothing: which addresses are the customer's, and which text was to be signed, is not its business.
    """

    def signed(self, address: str, text: str, signature: str) -> bool:
        """Whether this signature of this text was made by the key of this address."""


class ReaderUnavailable(Exception):
    """Papers cannot be read now: too many wait, or the process for it does not start. Nothing is known of the paper."""


class PaperOutcome(StrEnum):
    """What a signed paper proves: with `signed_trusted` who signed it, with all others nothing."""

    SIGNED_TRUSTED = "signed_trusted"
    """Intact, by a certificate under a trust root that is valid now, over the file from its first byte to its last."""
    UNTRUSTED_ROOT = "untrusted_root"
    """As it was signed, by somebody for whom no trust root vouches."""
    EXPIRED = "expired"
    """A certificate of the chain is not valid now: expired, or not yet."""
    UNFIT_CERTIFICATE = "unfit_certificate"
    """The chain ends at a trust root, but it or the algorithms are not for signing papers, or too weak."""
    ALTERED = "altered"
    """What was signed is not what is there."""
    UPDATED_AFTER_SIGNING = "updated_after_signing"
    """The signature is right for a part; something in the file is not covered by it."""
    UNSIGNED = "unsigned"
    ENCRYPTED = "encrypted"
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    """Not to be read, or the process that read it died of it."""
    TOO_SLOW = "too_slow"


class PaperFinding(NamedTuple):
    """What a paper's check found. `digest` is the file's SHA-256 ("" if it was too large to be looked at).

    Who signed is a claim unless the outcome is `signed_trusted`: two names as a person reads them; the certificate's
    serial number and SHA-256 in hexadecimal, by which a program tells signers apart. `signed_at` is a claim always, 0
    if none is made. `why` tells more of the outcome in one word; `missing` names each fact not asked for, and why.
    `mark` tells this signing from any other, however its bytes are written.
    """

    outcome: PaperOutcome
    why: str = ""
    digest: str = ""
    subject: str = ""
    issuer: str = ""
    serial: str = ""
    certificate: str = ""
    signed_at: Instant = 0
    missing: tuple[str, ...] = ()
    mark: str = ""


class Documents(Protocol):
    """Checks the signature of a PDF that a stranger sent. Executes nothing in it and asks nobody over a network.

    Whatever the bytes are, the answer is a finding, within bounded time and memory; a hostile paper costs its reader's
    process and no more. Papers are read a few at a time. The same paper gives the same outcome at the same `now`,
    except where it is too slow.
    """

    async def check(self, paper: bytes, now: Instant) -> PaperFinding:
        """Check one paper as of `now`. Raises ReaderUnavailable, after which the caller may retry."""


class MailOutcome(StrEnum):
    """What a mail's DKIM signatures prove: with `valid` that a domain sent it as it is, with all others nothing.

    Of several signatures the best one counts.
    """

    VALID = "valid"
    INVALID = "invalid"
    """No signature fits the mail, or covers what it must: its From header and its whole body."""
    UNSIGNED = "unsigned"
    NO_KEY = "no_key"
    """The domain publishes no key for the signature, none that counts, or could not be asked."""
    WEAK_KEY = "weak_key"
    """An RSA key of less than 1024 bits, or SHA-1 (RFC 8301)."""
    MALFORMED = "malformed"
    """Not to be read, or of a shape in which a reader is shown what is not signed, or the process died of it."""
    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"


class MailFinding(NamedTuple):
    """What a mail's check found. `digest` is its SHA-256 ("" if it was too large to be looked at).

    `sender` is the domain of its From header, `domain` the one that signed. They are `aligned` if they are the same or
    the sender's lies under it; a `valid` mail that is not aligned says nothing of its sender. Headers that are not
    among `signed_headers` are anybody's. `signed_at` is a claim, 0 if none is made; `why` tells more in one word.
    `mark` tells this signing from any other, however the rest of the mail is changed.
    """

    outcome: MailOutcome
    why: str = ""
    digest: str = ""
    sender: str = ""
    domain: str = ""
    selector: str = ""
    aligned: bool = False
    signed_headers: tuple[str, ...] = ()
    signed_at: Instant = 0
    mark: str = ""


class Mails(Protocol):
    """Checks the DKIM signatures of a raw mail (RFC 5322), under the same promises as `Documents`.

    It asks for the keys that the mail names, at most five, through `TextRecords` and no other way.
    """

    async def check(self, mail: bytes, now: Instant) -> MailFinding:
        """Check one mail as of `now`. Raises ReaderUnavailable, after which the caller may retry."""


class Envelopes(Protocol):
    """Seals what only an agency may read, for the key that stands in the registry. Pure but for its own chance."""

    def fits(self, recipient: str) -> bool:
        """Whether this is a key that can be sealed for."""

    def seal(self, recipient: str, data: bytes) -> str:
        """The data as text that only the holder of the key opens. Raises ValueError on a key that does not fit."""


class RecordsUnavailable(Exception):
    """Nobody could be asked for a record. It may be there, or not."""


class TextRecords(Protocol):
    """TXT records of the name system. Trusted with the keys of mails; told which mails are being checked."""

    async def txt(self, name: str) -> tuple[bytes, ...]:
        """All TXT records of a full name, the pieces of each joined, () if it has none. Raises RecordsUnavailable."""


class FaceUnavailable(Exception):
    """Nobody can look at faces now. Nothing is known of this one; the caller may retry with the same state."""


class FaceRefused(Exception):
    """What a page sent does not belong to the check: too late, out of turn, not what was committed to. Begin anew."""


class FaceVerdict(StrEnum):
    """What one way of looking says. Only `pass` speaks for somebody; `not_evaluated` speaks neither for nor against."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    UNSURE = "unsure"
    """A person decides."""
    NOT_EVALUATED = "not_evaluated"


class CaptureAssurance(StrEnum):
    """What is known of how the pictures came to be."""

    ATTESTED = "attested"
    """By hardware, to Holdback itself. No provider there is says this yet."""
    VENDOR_SDK = "vendor_sdk"
    UNATTESTED = "unattested"
    """A page said that a camera saw this. Any program can."""


class FaceFinding(NamedTuple):
    """What one way of looking found. `score` is raw, on `scale`, and was held against `threshold`.

    `method` and `version` name what looked. `why` tells more in one word, `late` or `blurred`.
    """

    verdict: FaceVerdict = FaceVerdict.NOT_EVALUATED
    score: float = 0.0
    scale: str = ""
    threshold: float = 0.0
    method: str = ""
    version: str = ""
    why: str = ""


class FaceResult(NamedTuple):
    """What a check found.

    Whose face it is (`match`); whether it is one (`pad`: presentation attack); whether it answered what was asked of
    it at that time (`challenge`); whether the pictures were put in place of a camera's (`injection`). What was not
    looked at is not evaluated. It is evidence and never authority: docs/explanation/face.md says what it cannot stop.
    """

    match: FaceFinding = FaceFinding()
    pad: FaceFinding = FaceFinding()
    challenge: FaceFinding = FaceFinding()
    injection: FaceFinding = FaceFinding()
    capture_assurance: CaptureAssurance = CaptureAssurance.UNATTESTED

    @property
    def verdict(self) -> FaceVerdict:
        """All in one: one `fail` is a failure, and a pass needs the right face *and* an answer in time."""
        said = [self.match.verdict, self.pad.verdict, self.challenge.verdict, self.injection.verdict]
        for worst in (FaceVerdict.FAIL, FaceVerdict.UNSURE):
            if worst in said:
                return worst
        right = self.match.verdict is self.challenge.verdict is FaceVerdict.PASS
        return FaceVerdict.PASS if right else FaceVerdict.NOT_EVALUATED


class FaceGiven(NamedTuple):
    """What a page gives at a step: digests (SHA-256) of the pictures taken so far, or at the end the pictures (JPEG).

    `shown_ms` is when the page showed what it was told, `times_ms` when each picture was taken, both since the first
    was shown, by the page's clock.
    """

    shown_ms: tuple[int, ...] = ()
    times_ms: tuple[int, ...] = ()
    digests: tuple[bytes, ...] = ()
    pictures: tuple[bytes, ...] = ()


class FaceStep(NamedTuple):
    """Where a check stands. `state` is the caller's to keep sealed and to hand in once; `shown` is the page's to know.

    `done`: the page has nothing more to do, and `fetch` will have a result.
    """

    state: bytes
    shown: dict[str, Any]
    done: bool = False


class FaceCheck(Protocol):
    """Looks whether the person before a camera is whom a picture shows, and is there now.

    It keeps nothing: all that a check knows is in `state`, which grows with no input and holds no picture. The caller
    keeps it secret from the page and from itself, and hands each one in at most once, for who can go back a step knows
    what comes next; only the last, which tells nothing more, may come again after a failure, and gives the same.
    `reference` is a picture (JPEG or PNG) of who it should be, b"" if there is none: then no finding says `pass` of
    `match`. Nothing raises but what is named, whatever is handed in, within bounded time and memory. No exception,
    `shown` or finding repeats what was sent, and none says more of a face than its scores.
    """

    name: str
    """What stands in events and records, such as `embedded`."""

    async def start(self, now: Instant, *, gentle: bool) -> FaceStep:
        """Begin. `gentle`: for eyes that quick changes hurt. Raises FaceUnavailable."""

    async def ingest(self, state: bytes, given: FaceGiven, reference: bytes, now: Instant) -> FaceStep:
        """Take what a page gives. Raises FaceRefused, which ends the check, or FaceUnavailable."""

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> str | None:
        """The vendor's name of a check of which a message says that there is news; None for a message of others.

        A hint to `fetch`, and no more: nothing in a message is believed. Compared in constant time, over raw bytes.
        """

    async def fetch(self, state: bytes, reference: bytes, now: Instant) -> FaceResult | None:
        """The result, None while there is none. Asked again it is the same. Raises FaceUnavailable or FaceRefused."""

    async def close(self) -> None:
        """Give back connections."""
