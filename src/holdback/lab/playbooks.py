"""A playbook: one story in TOML, read strictly.

What a story may say is listed here once: its tables as structs, and the fields of each action in `ACTIONS`. Whatever
else it says is an error that names the file, the step and the key, so that a typing mistake never weakens a test.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar

import msgspec

from holdback.core.events import DAY, HOUR, AuthenticatorKind, Channel, Role
from holdback.lab.durations import Ago, Never, Span, parsed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

T = TypeVar("T")


class PlaybookError(ValueError):
    """A story that cannot be played. The message names the file, the step and the key."""


Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Memo = Annotated[str, msgspec.Meta(max_length=128)]
"""What stands beside an address that serves many; none if it is empty."""
Usd = Annotated[float, msgspec.Meta(ge=0, le=10**12)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Scope = Literal["read", "trade", "withdraw"]
Capability = Literal[
    "password",
    "totp",
    "passkey",
    "sms",
    "email",
    "backup_code",
    "session_cookie",
    "own_device",
    "stolen_phone",
    "api_key",
    "kyc_file",
    "face_swap",
    "forged_legal_request",
    "insider_support",
    "insider_reviewer",
    "insider_legal",
    "platform_key",
    "tricked_owner",
]
Person = Literal[
    "attacker",
    "owner",
    "support",
    "reviewer_1",
    "reviewer_2",
    "legal_1",
    "legal_2",
    "treasurer",
    "investigator",
    "agency",
    "platform",
]
ExitKind = Literal[
    "withdrawal",
    "fiat_payout",
    "internal_transfer",
    "p2p_sale",
    "gift",
    "card",
    "redemption",
    "sweep",
    "convert",
    "lending",
    "staking",
    "margin_collateral",
    "options",
    "collectibles",
]
"""The exits every platform knows, and those that a platform may add; the policy says which are open."""


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of everything in a story: a key that is not here is an error."""


class BookEntry(Table, frozen=True):
    """A destination in the address book at t0. One on `p2p` or `card` opens that kind."""

    name: Name
    network: Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9_-]{0,31}$")]
    added: Ago
    last_used: Ago | None = None
    verified: Ago | None = None
    memo: Memo = ""


class Device(Table, frozen=True):
    """A device the owner has signed in from."""

    name: Name
    first_seen: Ago
    country: str = ""
    asn: int = 0


class ApiKey(Table, frozen=True):
    """A key of the owner's."""

    name: Name
    created: Ago
    last_used: Ago | None = None
    scopes: tuple[Scope, ...] = ()
    ip_allowlist: tuple[str, ...] = ()


class Account(Table, frozen=True):
    """What is simply true at t0."""

    opened: Ago
    equity_usd: Usd
    authenticators: Annotated[tuple[AuthenticatorKind, ...], msgspec.Meta(min_length=1)]
    contacts: Annotated[tuple[Channel, ...], msgspec.Meta(min_length=1)]
    sub_accounts: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0
    allowlist: bool = False
    lock_hours: Annotated[int, msgspec.Meta(ge=0, le=720)] | None = None
    usual_withdrawal_usd: Usd | None = None
    usual_every: Span = Span(30 * DAY)
    address_book: tuple[BookEntry, ...] = ()
    devices: tuple[Device, ...] = ()
    api_keys: tuple[ApiKey, ...] = ()


class Elsewhere(Table, frozen=True):
    """What others have to do with an address from `at` on: how many entered it, its list, whether it sent dust."""

    name: Name
    network: Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9_-]{0,31}$")]
    at: Span = Span(0)
    accounts: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 0
    list: Annotated[str, msgspec.Meta(max_length=32)] = ""
    dust: bool = False


class Arrival(Table, frozen=True):
    """What another customer of the platform sends to the account at `at`, and when he is stopped, if he ever is.

    `by_trade`: somebody who has just signed in to his account, which was `opened` then, trades it away. `to` is who
    gains it, if that is not the account of the story, but one from the same device.
    """

    sender: Name
    usd: Annotated[float, msgspec.Meta(gt=0, le=1e9)]
    at: Span = Span(0)
    stopped: Span | None = None
    by_trade: bool = False
    opened: Ago = Ago(-400 * DAY)
    to: Name | None = None


class Crowd(Table, frozen=True):
    """The same story in many accounts of one platform, each `every` later than the one before.

    Of the weeks before it is known that `usual_usd_per_h` left in each hour to new destinations, and as much from
    accounts that had changed; 0 if nothing is known.
    """

    accounts: Annotated[int, msgspec.Meta(ge=2, le=200)]
    every: Span = Span(0)
    usual_usd_per_h: Usd = 0


class Attacker(Table, frozen=True):
    """What the thief can do, and where he does it from."""

    holds: frozenset[Capability] = frozenset()
    country: str = ""
    asn: int = 0
    device: Name = ""


class Owner(Table, frozen=True):
    """What the owner reads, how soon he reacts, and where he is. `reacts_after` is -1 for never."""

    reads: tuple[Channel, ...] = ()
    reacts_after: Never = Never(-1)
    country: str | None = None
    asn: int | None = None
    device: Name | None = None


class Repeat(Table, frozen=True):
    """The step happens `times` times, the first included, `every` so often."""

    times: Annotated[int, msgspec.Meta(ge=1, le=100_000)]
    every: Span


class Fields(Table, frozen=True):
    """Base of what a step's `with` may hold; by itself, nothing."""


class Kind(Fields, frozen=True):
    """An authenticator by its kind."""

    kind: AuthenticatorKind


class NewContact(Fields, frozen=True):
    """A contact to name."""

    channel: Channel
    address: Name


class WhichContact(Fields, frozen=True):
    """A contact by channel: the original one, or the newest."""

    channel: Channel
    contact: Literal["original", "newest"] = "original"


class Destination(Fields, frozen=True):
    """An entry of the address book."""

    name: Name
    network: Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9_-]{0,31}$")]
    memo: Memo = ""


class On(Fields, frozen=True):
    """Allowlist mode."""

    on: bool


class Hours(Fields, frozen=True):
    """The owner's own lock."""

    hours: Annotated[int, msgspec.Meta(ge=0, le=720)]


class DailyLimit(Fields, frozen=True):
    """The owner's own limit."""

    usd_per_day: Usd | None = None
    trades: str | None = None


class Share(Fields, frozen=True):
    """How much the vault locks, as a part of 1 or in percent, for how long, and the contact whose code it needs."""

    share: Annotated[float, msgspec.Meta(ge=0, le=100)]
    hours: Annotated[int, msgspec.Meta(ge=24, le=720)] | None = None
    approver: Channel | None = None


class Which(Fields, frozen=True):
    """Something an earlier step made: that step's `id`, or `last`."""

    which: Name


class Settled(Fields, frozen=True):
    """What the platform says of an exit that an earlier step made: that its buyer paid, or that it is final."""

    which: Name
    stage: Literal["paid", "final"] = "final"


class Frozen(Fields, frozen=True):
    """What to stop."""

    scope: str = "all"


class Exit(Fields, frozen=True):
    """Value that wants to leave."""

    kind: ExitKind
    usd: Usd
    address: Name | None = None
    counterparty: Name | None = None
    memo: Memo = ""


class NewKey(Fields, frozen=True):
    """An API key to make."""

    name: Name
    scopes: tuple[Scope, ...] = ()
    ip_allowlist: tuple[str, ...] = ()


class WhichKey(Fields, frozen=True):
    """An API key by its name."""

    name: Name


class Order(Fields, frozen=True):
    """A trade; `premium` says how much worse than the reference price it is."""

    pair: Name
    side: Literal["buy", "sell"]
    usd: Usd
    premium: float = 0
    counterparty: str = ""
    leverage: float = 1
    reduces: bool = False


class Lost(Fields, frozen=True):
    """What a recovery is to replace."""

    lost: tuple[AuthenticatorKind, ...]


class Evidence(Fields, frozen=True):
    """One piece of evidence in a recovery."""

    kind: Literal[
        "face",
        "id_document",
        "backup_code",
        "contact_code",
        "totp",
        "passkey",
        "device",
        "bank_round_trip",
        "address_signature",
        "in_person",
    ]
    channel: Channel = Channel.EMAIL


class Verdict(Fields, frozen=True):
    """What a reviewer says."""

    verdict: Literal["approve", "reject"]


class Papers(Fields, frozen=True):
    """A legal request."""

    agency: Literal["registered", "unknown"]
    fields: tuple[str, ...]
    signed: bool = False
    legal_basis: Literal["court_order", "production_order", "subpoena", "emergency"] = "court_order"


class Confirmed(Fields, frozen=True):
    """What the agency said on the telephone."""

    confirmed: bool


class FreezeOrder(Fields, frozen=True):
    """An authority's order to stop an account."""

    agency: Literal["registered", "unknown"]
    signed: bool = False


class LookUp(Fields, frozen=True):
    """What a member of staff wants to read, and for which ticket."""

    fields: tuple[Literal["name", "email", "phone", "balance", "authenticators", "contacts", "cases"], ...]
    ticket: str | None = None


class Burnt(Fields, frozen=True):
    """Evidence that proves nothing from here on."""

    kinds: tuple[str, ...]
    cause: str = ""


class Told(Fields, frozen=True):
    """What someone says happened."""

    story: str = ""


class Roles(Fields, frozen=True):
    """What a member of staff may do."""

    roles: tuple[Role, ...] = ()


class Officers(Fields, frozen=True):
    """An agency, and who speaks for it."""

    agency: str = ""
    officers: tuple[str, ...] = ()


ACTIONS: Final[dict[str, type[Fields]]] = {
    "account.import": Fields,
    "account.freeze": Frozen,
    "account.unfreeze": Fields,
    "session.start": Fields,
    "session.end": Fields,
    "session.end_all": Fields,
    "password.change": Fields,
    "authenticator.bind": Kind,
    "authenticator.confirm": Kind,
    "authenticator.remove": Kind,
    "authenticator.suspend": Kind,
    "authenticator.reinstate": Kind,
    "contact.add": NewContact,
    "contact.confirm": WhichContact,
    "contact.remove": WhichContact,
    "contact.report_recycled": WhichContact,
    "address.add": Destination,
    "address.renew": Destination,
    "address.remove": Destination,
    "allowlist.set": On,
    "lock.set": Hours,
    "limit.set": DailyLimit,
    "vault.set": Share,
    "change.cancel": Which,
    "exit.request": Exit,
    "exit.cancel": Which,
    "exit.release": Which,
    "exit.settle": Settled,
    "api_key.create": NewKey,
    "api_key.suspend": WhichKey,
    "api_key.revoke": WhichKey,
    "order.place": Order,
    "order.report": Order,
    "recovery.open": Lost,
    "recovery.evidence": Evidence,
    "recovery.review": Verdict,
    "recovery.contest": Fields,
    "recovery.cancel": Fields,
    "recovery.finish": Fields,
    "legal.receive": Papers,
    "legal.call_back": Confirmed,
    "legal.approve": Fields,
    "legal.release": Fields,
    "legal.reject": Fields,
    "legal.freeze_order": FreezeOrder,
    "staff.look_up": LookUp,
    "staff.enrol": Roles,
    "staff.retire": Roles,
    "agency.add": Officers,
    "agency.remove": Officers,
    "evidence.burn": Burnt,
    "incident.report": Told,
    "incident.note": Told,
    "incident.close": Fields,
    "policy.publish": Fields,
    "breaker.reset": Fields,
}
"""Every action a step can do, and what its `with` may hold."""


class Step(Table, frozen=True, rename={"fields": "with"}):
    """One thing that someone does."""

    at: Span
    by: Person
    do: str
    fields: Any = Fields()
    via: Name | None = None
    account: Name = "main"
    id: Name | None = None
    repeat: Repeat = Repeat(1, Span(0))
    want: Literal["allow", "step_up", "hold", "deny", "failed"] | None = None

    @property
    def last_at(self) -> int:
        """When it happens for the last time."""
        return self.at + (self.repeat.times - 1) * self.repeat.every


class Bounds(Table, frozen=True):
    """A number's least and greatest value."""

    min: float | None = None
    max: float | None = None


Bound = float | Bounds


class Expect(Table, frozen=True):
    """What must have come of it, under the default policy."""

    stolen_usd: Bound | None = None
    notices_before_first_exit: Bound | None = None
    channels_noticed: Bound | None = None
    owner_delayed_hours: Bound | None = None
    owner_step_ups: Bound | None = None
    horizon: Span | None = None


class Playbook(msgspec.Struct, frozen=True):
    """A story that can be played."""

    file: str
    id: str
    title: str
    source: str
    techniques: tuple[str, ...]
    account: Account
    attacker: Attacker
    owner: Owner
    steps: tuple[Step, ...]
    expect: Expect
    elsewhere: tuple[Elsewhere, ...] = ()
    crowd: Crowd | None = None
    received: tuple[Arrival, ...] = ()

    @property
    def horizon(self) -> int:
        """How long the story runs, in ms from t0."""
        if self.expect.horizon is not None:
            return self.expect.horizon
        last = max((step.last_at for step in self.steps), default=0)
        return last + (self.crowd.every * (self.crowd.accounts - 1) if self.crowd else 0) + 14 * DAY


class _Page(Table, frozen=True):
    id: Name
    title: Name
    account: Any
    source: str = ""
    techniques: tuple[str, ...] = ()
    attacker: Any = {}
    owner: Any = {}
    step: tuple[Any, ...] = ()
    expect: Any = {}
    elsewhere: tuple[Elsewhere, ...] = ()
    crowd: Crowd | None = None
    received: tuple[Arrival, ...] = ()


def read(path: Path) -> Playbook:
    """Read a story from a file. Raises PlaybookError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlaybookError(f"{path}: {error}") from error
    return parse(text, str(path))


def parse(text: str, file: str) -> Playbook:
    """Read a story; `file` is what errors call it. Raises PlaybookError."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PlaybookError(f"{file}: {error}") from error
    page = _converted(data, _Page, file)
    story = Playbook(
        file=file,
        id=page.id,
        title=page.title,
        source=page.source,
        techniques=page.techniques,
        account=_converted(page.account, Account, f"{file}: account"),
        attacker=_converted(page.attacker, Attacker, f"{file}: attacker"),
        owner=_converted(page.owner, Owner, f"{file}: owner"),
        steps=tuple(_step(one, f"{file}: step {number}") for number, one in enumerate(page.step, start=1)),
        expect=_converted(page.expect, Expect, f"{file}: expect"),
        elsewhere=page.elsewhere,
        crowd=page.crowd,
        received=page.received,
    )
    for problem in _contradictions(story):
        raise PlaybookError(f"{file}: {problem}")
    return story


def _step(data: object, where: str) -> Step:
    step = _converted(data, Step, where)
    kind = ACTIONS.get(step.do)
    if kind is None:
        raise PlaybookError(f"{where}: `do`: there is no action `{step.do}`")
    given = data.get("with", {}) if isinstance(data, dict) else {}
    return msgspec.structs.replace(step, fields=_converted(given, kind, f"{where} ({step.do}): with"))


_PLACE: Final = re.compile(r"^(?P<detail>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_NAMED: Final = re.compile(r"(unknown|required) field `(.*)`$")


def _converted(data: object, kind: type[T], where: str) -> T:
    """Make a table of decoded TOML. Raises PlaybookError naming the key."""
    try:
        return msgspec.convert(data, kind, dec_hook=_hook)
    except msgspec.ValidationError as error:
        found = _PLACE.match(str(error))
        detail, path = (found["detail"], found["path"] or "") if found else (str(error), "")
        named = _NAMED.search(detail)
        if named:
            path += f".{named[2]}"
            detail = "unknown key" if named[1] == "unknown" else "missing"
        key = path.removeprefix(".")
        raise PlaybookError(f"{where}: `{key}`: {detail}" if key else f"{where}: {detail}") from None


def _hook(kind: type, value: object) -> int:
    duration: int = kind(parsed(kind, value))
    return duration


def _contradictions(story: Playbook) -> Iterator[str]:
    """What is well-formed and yet cannot be played."""
    yield from _history_contradictions(story.account)
    devices = {device.name for device in story.account.devices}
    if story.attacker.device not in {"", "new", *devices}:
        yield f"attacker: `device`: the owner has no device `{story.attacker.device}`"
    accounts = {"main", *(f"sub-{number}" for number in range(1, story.account.sub_accounts + 1))}
    keys = {key.name for key in story.account.api_keys}
    keys |= {step.fields.name for step in story.steps if isinstance(step.fields, NewKey)}
    for one in story.received:
        if one.to is not None and not one.by_trade:
            yield f"received from `{one.sender}`: `to`: only what is lost by a trade goes to another account"
    ids: set[str] = {"last"}
    for number, step in enumerate(story.steps, start=1):
        where = f"step {number} ({step.do})"
        if step.account not in accounts:
            yield f"{where}: `account`: there is no account `{step.account}`"
        if step.via is not None and step.via not in keys:
            yield f"{where}: `via`: there is no API key `{step.via}`"
        if isinstance(step.fields, Which) and step.fields.which not in ids:
            yield f"{where}: `with.which`: no earlier step has the id `{step.fields.which}`"
        if isinstance(step.fields, Exit) and step.fields.address and step.fields.counterparty:
            yield f"{where}: `with.counterparty`: an exit goes to an address or to a counterparty"
        if step.do == "breaker.reset" and story.crowd is None:
            yield f"{where}: `do`: one account has no circuit breaker; say `[crowd]`"
        if step.id in ids:
            yield f"{where}: `id`: `{step.id}` is taken"
        ids |= {step.id} if step.id else set()


def _history_contradictions(account: Account) -> Iterator[str]:
    starts: Mapping[str, int] = {
        **{f"address_book `{one.name}`: `added`": one.added for one in account.address_book},
        **{f"address_book `{one.name}`: `last_used`": one.last_used or 0 for one in account.address_book},
        **{f"devices `{one.name}`: `first_seen`": one.first_seen for one in account.devices},
        **{f"api_keys `{one.name}`: `created`": one.created for one in account.api_keys},
    }
    for key, start in starts.items():
        if start < account.opened:
            yield f"account: {key}: before the account was opened"
    if account.usual_withdrawal_usd is not None and account.usual_every < HOUR:
        yield "account: `usual_every`: less than an hour is no habit"
    for one in account.address_book:
        if one.last_used is not None and one.last_used < one.added:
            yield f"account: address_book `{one.name}`: `last_used`: before it was added"
        if one.verified is not None and one.verified < one.added:
            yield f"account: address_book `{one.name}`: `verified`: before it was added"
