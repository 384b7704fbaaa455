"""How a customer stands, for pages and APIs: read without a lock, MAC and chain checked, nothing written.

Personal fields are opened, for whoever may read is shown them; contacts are masked, for a thief in a session would
learn where the owner is told. Secrets and their hashes are never shown. Instants are RFC 3339 in UTC, money is decimal
strings.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

import msgspec

from holdback import audit, spelling
from holdback.answers import ReasonForm, reason_form
from holdback.core import budget, programs, seniority
from holdback.core import events as ev
from holdback.core.effects import loosening_wait
from holdback.core.events import DAY, Channel, Instant, Lane, Sealed, Setting
from holdback.core.evidence import live
from holdback.core.policy import MICRO
from holdback.core.rules import change as changes
from holdback.core.rules import sale
from holdback.core.rules.exit import against_early_end
from holdback.core.state import Beneficiary, Customer, Device, Vault, evolve
from holdback.ports import Wanted
from holdback.sealing import SealBroken
from holdback.secrecy import uncovered
from holdback.snapshots import seen
from holdback.wording.notices import phrase
from holdback.wording.words import instant_text, masked, program

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from holdback.core.policy import Policy
    from holdback.core.state import (
        AgencyEntry,
        ApiKey,
        Authenticator,
        Change,
        Contact,
        Head,
        HeldExit,
        Lock,
        Part,
        PartKey,
    )
    from holdback.sealing import CustomerKey
    from holdback.service import Service
    from holdback.snapshots import Seen

LARGEST: Final = 200
"""The most items of a page."""
BOOKS_KEPT: Final = 32
"""How many customers' books are kept in their order: a long one is read whole to be sorted, once for all its pages."""


class AuthenticatorForm(msgspec.Struct, frozen=True):
    """Something the customer proves with. It counts for money and changes from `senior_from` on, if that is known."""

    id: str
    kind: str
    since: str
    confirmed: bool
    suspended: bool
    recycled: bool
    senior: bool
    senior_from: str | None


class ContactForm(msgspec.Struct, frozen=True):
    """Where notices go, masked. `may_freeze` is false for one whose freeze turned out to be a mistake."""

    id: str
    channel: str
    address: str
    confirmed: bool
    removed: bool
    recycled: bool
    may_freeze: bool
    senior: bool
    senior_from: str | None


class OpenSessionForm(msgspec.Struct, frozen=True):
    """A session that counts, by its public id, to be ended by; `device` is empty where none was named.

    `bound` says that its device's key must sign what it asks, `misused_at` when someone without that key first tried.
    """

    id: str
    device: str
    started_at: str
    seen_at: str
    ends_at: str
    bound: bool
    misused_at: str | None


class VaultForm(msgspec.Struct, frozen=True):
    """The share in percent that waits longer, how long, and the contact whose code it needs as well, if any."""

    share: int
    hours: int
    approver: str | None


class SettingsForm(msgspec.Struct, frozen=True):
    """What the owner set."""

    allowlist: bool
    lock_hours: int
    limit_usd_per_day: str | None
    vault: VaultForm | None = None


class ChangeForm(msgspec.Struct, frozen=True):
    """A loosening that waits, in force from `effective_at` unless cancelled; null until the owner could be told."""

    id: str
    kind: str
    subject: str
    value: str | None
    asked_at: str
    effective_at: str | None


class FreezeForm(msgspec.Struct, frozen=True):
    """The owner's stop, and who pressed it: `contact` is the one whose link was used."""

    since: str
    by: str
    contact: str | None


class CoolOffForm(msgspec.Struct, frozen=True):
    """What a change closed, and until when; null while the owner could not be told of it."""

    id: str
    cause: str
    severity: str
    since: str
    senior_until: str | None
    others_until: str | None


class LaneForm(msgspec.Struct, frozen=True):
    """What may still leave without a hold, in 24 h and in 30 days (null = no limit of its own)."""

    day_usd: str
    month_usd: str | None


class BudgetForm(msgspec.Struct, frozen=True):
    """What is left of each lane (law 3), and of the owner's own limit."""

    long_standing: LaneForm
    others: LaneForm
    instant: LaneForm
    own_limit_usd: str | None


class ApiKeyForm(msgspec.Struct, frozen=True):
    """An API key, and for a Security Center what is amiss with it: dormant, or from anywhere and soon not to trade.

    `account` is what it may ask for, with those below it. `trades_until` is null for one that trades till it expires.
    `name` is what its owner calls it.
    """

    id: str
    account: str
    scopes: tuple[str, ...]
    created_at: str
    usable_from: str | None
    expires_at: str
    listed: bool
    suspended: bool
    dormant: bool
    used_at: str | None
    trades_until: str | None
    name: str | None = None


class RecoveryForm(msgspec.Struct, frozen=True):
    """A recovery that is under way: what was shown for it, and which way it goes once its evidence is closed.

    `finish_at` is null before that, and while its owner could not be told. `doubted`: something shown did not pass, and
    reviewers must approve.
    """

    id: str
    opened_at: str
    lost: tuple[str, ...]
    shown: tuple[str, ...]
    approvals: int
    path: str | None
    finish_at: str | None
    contested: bool
    expires_at: str
    doubted: bool = False


class IncidentForm(msgspec.Struct, frozen=True):
    """A robbery that was reported and not closed; its timeline are the account's events."""

    id: str
    opened_at: str
    last_at: str
    notes: int


class OrderForm(msgspec.Struct, frozen=True):
    """An authority's order that stops every exit until its date. The owner's own freeze is another thing."""

    request: str
    agency: str
    since: str
    until: str


class OfficerForm(msgspec.Struct, frozen=True):
    """Somebody who answers for an agency, and the number that he is rung at."""

    id: str
    name: str | None
    number: str | None


class AgencyForm(msgspec.Struct, frozen=True):
    """How an agency stands in the registry from an instant on."""

    officers: tuple[OfficerForm, ...]
    recipient: str
    domains: tuple[str, ...]
    certificates: tuple[str, ...]
    in_force_from: str


class AccountForm(msgspec.Struct, frozen=True):
    """How an account stands at `at`, loosenings included whose time has come. `head` is the link of entry `seq`.

    `loosens_at` says of each kind of loosening when it would take effect if it were asked for now.
    """

    account: str
    name: str | None
    sub_accounts: tuple[str, ...]
    opened_at: str
    at: str
    seq: int
    head: str
    policy: str
    freeze: FreezeForm | None
    authenticators: tuple[AuthenticatorForm, ...]
    contacts: tuple[ContactForm, ...]
    sessions: tuple[OpenSessionForm, ...]
    settings: SettingsForm
    changes: tuple[ChangeForm, ...]
    cool_offs: tuple[CoolOffForm, ...]
    holds: int
    budget: BudgetForm
    recovery: RecoveryForm | None
    burned: dict[str, str]
    incident: IncidentForm | None
    orders: tuple[OrderForm, ...]
    targeted_until: str | None
    agency: AgencyForm | None
    agency_waiting: AgencyForm | None
    api_keys: tuple[ApiKeyForm, ...] = ()
    closed_to_trading: tuple[str, ...] = ()
    loosens_at: dict[str, str] = {}


class SaleForm(msgspec.Struct, frozen=True):
    """A P2P sale that is set aside for its buyer: `locked` until he must have paid, `paid`, or `disputed`."""

    state: str
    until: str | None


class HeldForm(msgspec.Struct, frozen=True):
    """An exit that waits, and where it would go. `release_at` is null until the owner could be told of it.

    A `sale` that is locked waits for its buyer and its owner instead, and has no such time. `reasons` are why it was
    held when it was asked for; `not_early` is why its owner cannot end the wait before its time, null if he can.
    """

    id: str
    account: str
    kind: str
    asset: str
    amount: str
    usd: str
    beneficiary: str
    address: str | None
    counterparty: str | None
    asked_at: str
    release_at: str | None
    memo: str | None
    sale: SaleForm | None = None
    reasons: tuple[ReasonForm, ...] = ()
    not_early: ReasonForm | None = None


class HoldsPage(msgspec.Struct, frozen=True):
    """Exits that wait, oldest first; `next` is the cursor of the page after this one."""

    items: tuple[HeldForm, ...]
    next: str | None


class BeneficiaryForm(msgspec.Struct, frozen=True):
    """Somebody in the address book. Paid freely from `usable_from` on, and until `verified_until` without a new proof.

    `by` is who entered it, `device` on which device, `program` what ran there in words of ours, and `proof` the kind of
    authenticator that was shown last for it; each is empty where it is not known. `address` is null for a kind that was
    opened for strangers.
    """

    name: str | None
    network: str
    address: str | None
    added_at: str
    usable_from: str | None
    senior: bool
    verified_until: str
    by: str
    device: str
    paid: bool
    program: str = ""
    proof: str = ""
    memo: str | None = None


class BookPage(msgspec.Struct, frozen=True):
    """Beneficiaries in the book, those entered last first; `next` is the cursor of the page after this one."""

    items: tuple[BeneficiaryForm, ...]
    next: str | None


class EntryForm(msgspec.Struct, frozen=True):
    """One entry of the log: its number, its link in the chain, and what happened, each with its name in `event`."""

    seq: int
    link: str
    events: tuple[dict[str, Any], ...]


class EventsPage(msgspec.Struct, frozen=True):
    """Entries of the log, oldest first; `next` is the cursor of the page after this one."""

    items: tuple[EntryForm, ...]
    next: str | None


class Peek(msgspec.Struct, frozen=True, array_like=True):
    """Of a stored `Beneficiary` what a book is sorted by."""

    label: msgspec.Raw
    network: msgspec.Raw
    address: msgspec.Raw
    added_at: Instant
    ripens: msgspec.Raw
    verified_until: msgspec.Raw
    actor: msgspec.Raw
    device: msgspec.Raw
    authenticator: msgspec.Raw
    removed: bool = False


_PEEKED: Final = ev.stored_decoder(Peek)


class Views:
    """The read side of one service.

    Example: `await Views(service).account("alice")` is None if there is no such account.
    """

    def __init__(self, service: Service) -> None:
        """Read what the service writes."""
        self._store = service.store
        self._tools = service.tools
        self._books: OrderedDict[str, tuple[bytes, tuple[str, ...]]] = OrderedDict()

    async def account(self, account: str) -> AccountForm | None:
        """How an account stands; a sub-account's id shows its family. None if it does not exist."""
        seen = await self._seen(account)
        if seen is None:
            return None
        policy, now = self._tools.policy, seen.now
        head = _as_of(seen.head, policy, now)
        return AccountForm(
            account=head.account,
            name=_opened(seen.key, head.name),
            sub_accounts=head.sub_accounts,
            opened_at=instant_text(head.opened_at),
            at=instant_text(now),
            seq=seen.row.seq,
            head=seen.row.link.hex(),
            policy=policy.name,
            freeze=_freeze(head),
            authenticators=tuple(_authenticator(head, name, one, now) for name, one in head.authenticators.items()),
            contacts=tuple(_contact(head, name, one, seen.key, now) for name, one in head.contacts.items()),
            sessions=_sessions(head, now),
            settings=_settings(head),
            changes=tuple(_change(name, one) for name, one in head.changes.items()),
            cool_offs=_cool_offs(head, now),
            holds=len(head.exits),
            budget=_budget(head, policy, now),
            recovery=_recovery(head, policy, now),
            burned=_burned(head, now),
            incident=_incident(head),
            orders=_orders(head, now),
            targeted_until=instant_text(head.targeted_until) if head.targeted_until > now else None,
            agency=_entry(head.agency.in_force(now) if head.agency else None, seen.key),
            agency_waiting=_entry(_waiting(head, now), seen.key),
            api_keys=tuple(_api_key(head, name, one, seen.key, policy, now) for name, one in head.api_keys.items()),
            closed_to_trading=tuple(head.closed),
            loosens_at={
                kind.value: instant_text(now + loosening_wait(head, kind, policy, now)) for kind in ev.ChangeKind
            },
        )

    async def holds(self, account: str, after: int, limit: int) -> HoldsPage | None:
        """Exits that wait, asked for after entry `after`. None if the account does not exist."""
        seen = await self._seen(account)
        if seen is None:
            return None
        seen = seen._replace(head=_as_of(seen.head, self._tools.policy, seen.now))
        waiting = sorted((_asked_in(name), name) for name in seen.head.exits)
        later = [one for one in waiting if one[0] > after]
        page = later[: min(limit, LARGEST)]
        standing = await self._paid(seen, [seen.head.exits[name] for _, name in page])
        items = await asyncio.gather(*(self._held(seen, standing, seq, name) for seq, name in page))
        return HoldsPage(tuple(items), str(page[-1][0]) if len(later) > len(page) else None)

    async def book(self, account: str, after: int, limit: int) -> BookPage | None:
        """The address book from place `after` on. None if the account does not exist. Raises Tampered."""
        seen = await self._seen(account)
        if seen is None:
            return None
        names = await self._entries(seen)
        size = min(limit, LARGEST)
        page = [("beneficiary", name) for name in names[after : after + size]]
        found = await self._parts(seen, *page)
        entries = [one for key in page if isinstance(one := found.get(key), Beneficiary) and not one.removed]
        devices = await self._parts(seen, *(("device", one.device) for one in entries))
        items = [_beneficiary(seen, one, devices) for one in entries]
        return BookPage(tuple(items), str(after + size) if len(names) > after + size else None)

    async def _entries(self, seen: Seen) -> tuple[str, ...]:
        """The names of a book's entries, the newest first, kept until the account's next entry in the log.

        Only what is shown is checked: whoever alters a row that none of this shows could as well take it away.
        """
        account, link = seen.head.account, seen.row.link
        kept = self._books.get(account)
        if kept is None or kept[0] != link:
            rows = [one for one in await self._store.parts(account) if one.kind == "beneficiary"]
            peeked = [(_PEEKED.decode(one.body), one.name) for one in rows]
            live = sorted(((peek.added_at, name) for peek, name in peeked if not peek.removed), reverse=True)
            kept = self._books[account] = link, tuple(name for _, name in live)
            if len(self._books) > BOOKS_KEPT:
                self._books.popitem(last=False)
        return kept[1]

    async def events(self, account: str, after: int, limit: int) -> EventsPage | None:
        """Entries of the log after number `after`. None if the account does not exist. Raises Tampered."""
        seen = await self._seen(account)
        if seen is None:
            return None
        size = min(limit, LARGEST)
        first = max(after, 0)
        # One entry before, to check the chain from, and one behind, to know whether there is more.
        entries = await self._store.entries(seen.head.account, max(first - 1, 0), size + (2 if first else 1))
        audit.check_links(seen.row, entries)
        found = [entry for entry in entries if entry.seq > first]
        page = found[:size]
        told_of = [(one, uncovered(one, self._tools.policy, seen.now)) for one in page]
        items = [EntryForm(one.seq, one.link.hex(), told(events, seen.key)) for one, events in told_of if events]
        return EventsPage(tuple(items), str(page[-1].seq) if len(found) > size else None)

    async def _seen(self, account: str) -> Seen | None:
        return await seen(self._store, self._tools.snapshots, account)

    async def phrase(self, account: str) -> str:
        """The owner's anti-phishing phrase, which notices carry too; "" if the account does not exist."""
        seen = await self._seen(account)
        return str(phrase(seen.key.phrase_seed())) if seen is not None else ""

    async def entry_named(self, account: str, name: str) -> BeneficiaryForm | None:
        """The entry of the book whose part has this name. None if there is none. Raises Tampered."""
        seen = await self._seen(account)
        if seen is None:
            return None
        found = Customer(seen.head, await self._parts(seen, ("beneficiary", name))).beneficiary(name)
        if found is None:
            return None
        return _beneficiary(seen, found, await self._parts(seen, ("device", found.device)))

    async def _parts(self, seen: Seen, *keys: PartKey) -> dict[PartKey, Part]:
        """These parts, checked. Raises Tampered."""
        account = seen.head.account
        loaded = await self._store.read([Wanted(account, tuple(dict.fromkeys(keys)))])
        return {(one.kind, one.name): self._tools.snapshots.part(one) for one in loaded.parts.get(account, ())}

    async def _paid(self, seen: Seen, held: Iterable[HeldExit]) -> Customer:
        """The customer with those whom these exits would pay."""
        return Customer(seen.head, await self._parts(seen, *(("beneficiary", one.beneficiary) for one in held)))

    async def _held(self, seen: Seen, standing: Customer, seq: int, name: str) -> HeldForm:
        held = seen.head.exits[name]
        asked = await self._asked(seen, seq, held)
        request = told((asked,), seen.key)[0]["request"] if asked is not None else {}
        early = against_early_end(standing, held, self._tools.policy, seen.now)
        return HeldForm(
            id=name,
            account=held.account,
            kind=held.kind,
            asset=held.asset,
            amount=held.amount,
            usd=_usd(held.micro_usd),
            beneficiary=held.beneficiary,
            address=request.get("address"),
            counterparty=held.counterparty or None,
            asked_at=instant_text(held.asked_at),
            release_at=_release_at(held),
            memo=request.get("memo"),
            sale=_sale(held.lock),
            reasons=tuple(reason_form(one) for one in asked.findings) if asked is not None else (),
            not_early=reason_form(early) if early is not None else None,
        )

    async def _asked(self, seen: Seen, seq: int, held: HeldExit) -> ev.Decided | None:
        """The question that asked for a held exit, which says where it would go and why it waits."""
        for entry in await self._store.entries(seen.head.account, seq - 1, 1):
            decided = ev.decode_events(entry.body)[0]
            if isinstance(decided, ev.Decided) and decided.digest == held.digest:
                return decided
        return None


def _release_at(held: HeldExit) -> str | None:
    """When a hold may be released; None while nobody knows, or it waits for somebody and not for a time."""
    waits_for_time = held.wait.heard and held.lock is None and not held.unconfirmed
    return instant_text(held.said_until) if waits_for_time else None


def _sale(lock: Lock | None) -> SaleForm | None:
    if lock is None:
        return None
    state = "disputed" if lock.disputed_at else "paid" if lock.paid_at else "locked"
    return SaleForm(state, instant_text(lock.until) if state == "locked" else None)


def _as_of(head: Head, policy: Policy, now: Instant) -> Head:
    """The head with those loosenings carried out, and sales called off, that the next decision will find due."""
    customer = Customer(head, {})
    for event in (*changes.due(head, policy, now), *sale.lapsed(head, now)):
        customer = evolve(customer, event)
    return customer.head or head


def _instant(at: Instant | None) -> str | None:
    return None if at is None else instant_text(at)


def _usd(micro_usd: int) -> str:
    """Micro-USD as a decimal string without needless zeros, never below zero."""
    whole, part = divmod(max(micro_usd, 0), MICRO)
    return f"{whole}.{part:06d}".rstrip("0").rstrip(".")


def _freeze(head: Head) -> FreezeForm | None:
    if not head.frozen_at:
        return None
    by = head.frozen_by
    return FreezeForm(instant_text(head.frozen_at), by.kind.value if by else "", by.contact or None if by else None)


def _authenticator(head: Head, name: str, one: Authenticator, now: Instant) -> AuthenticatorForm:
    return AuthenticatorForm(
        id=name,
        kind=one.kind.value,
        since=instant_text(one.bound_at),
        confirmed=one.confirmed,
        suspended=one.suspended,
        recycled=one.recycled,
        senior=seniority.authenticator_is_senior(head, one, now),
        senior_from=_instant(seniority.ripe_at(head, one.bound_at, one.ripens)) if one.confirmed else None,
    )


def _contact(head: Head, name: str, one: Contact, key: CustomerKey, now: Instant) -> ContactForm:
    return ContactForm(
        id=name,
        channel=one.channel.value,
        address=masked(one.channel, _opened(key, one.address) or ""),
        confirmed=one.confirmed,
        removed=one.removed,
        recycled=one.recycled,
        may_freeze=one.confirmed and not one.recycled and not one.lost_freeze,
        senior=seniority.contact_is_senior(head, one, now),
        senior_from=_instant(seniority.ripe_at(head, one.added_at, one.ripens)) if one.confirmed else None,
    )


def _sessions(head: Head, now: Instant) -> tuple[OpenSessionForm, ...]:
    return tuple(
        OpenSessionForm(
            token.hex(),
            one.device,
            instant_text(one.started_at),
            instant_text(one.seen_at),
            instant_text(one.ends_at()),
            bool(one.key),
            instant_text(one.misused_at) if one.misused_at else None,
        )
        for token, one in head.sessions.items()
        if one.ends_at() > now
    )


def _settings(head: Head) -> SettingsForm:
    limit = head.setting(Setting.LIMIT_MICRO_USD)
    return SettingsForm(
        bool(head.setting(Setting.ALLOWLIST)),
        head.setting(Setting.LOCK_HOURS),
        None if limit < 0 else _usd(limit),
        _vault(head.vault) if head.vault is not None else None,
    )


def _api_key(  # noqa: PLR0913, PLR0917 - one key, of whom, under which rules
    head: Head, name: str, one: ApiKey, key: CustomerKey, policy: Policy, now: Instant
) -> ApiKeyForm:
    return ApiKeyForm(
        id=name,
        account=one.account,
        scopes=tuple(scope.value for scope in one.scopes),
        created_at=instant_text(one.created_at),
        usable_from=_instant(seniority.ripe_at(head, one.created_at, one.ripens)),
        expires_at=instant_text(one.expires_at),
        listed=one.listed,
        suspended=one.suspended,
        dormant=programs.is_asleep(one, policy, now),
        used_at=instant_text(one.used_at) if one.used_at else None,
        trades_until=_instant(programs.lapses_at(one, policy)),
        name=_opened(key, one.label) if one.label is not None else None,
    )


def _vault(vault: Vault) -> VaultForm:
    return VaultForm(vault.percent, vault.hours, vault.approver or None)


def _change(name: str, one: Change) -> ChangeForm:
    value = None
    if one.subject == Setting.LIMIT_MICRO_USD:
        value = None if one.value < 0 else _usd(one.value)
    elif one.kind is ev.ChangeKind.VAULT:
        vault = Vault.unpacked(one.value, one.subject)
        value = f"{vault.percent} % for {vault.hours} h" if vault.percent else None
    elif one.kind is ev.ChangeKind.SET:
        value = str(one.value)
    effective = instant_text(one.wait.until) if one.wait.heard else None
    return ChangeForm(name, one.kind.value, one.subject, value, instant_text(one.asked_at), effective)


def _cool_offs(head: Head, now: Instant) -> tuple[CoolOffForm, ...]:
    return tuple(
        CoolOffForm(
            id=name,
            cause=one.cause,
            severity=one.severity.value,
            since=instant_text(one.started_at),
            senior_until=instant_text(one.senior.until) if one.senior.heard else None,
            others_until=instant_text(one.others.until) if one.others.heard else None,
        )
        for name, one in head.cool_offs.items()
        if not one.others.heard or max(one.others.until, one.senior.until) > now
    )


def _budget(head: Head, policy: Policy, now: Instant) -> BudgetForm:
    own = budget.usual(head, policy, now)
    lanes = {}
    for lane in (Lane.LONG_STANDING, Lane.OTHERS, Lane.INSTANT):
        room = budget.room(head, lane, own, policy, now)
        lanes[lane] = LaneForm(_usd(room.day), None if room.month is None else _usd(room.month))
    limit = head.setting(Setting.LIMIT_MICRO_USD)
    day, _ = budget.drawn(head, Lane.TOTAL, now)
    left = None if limit < 0 else _usd(limit - day)
    return BudgetForm(lanes[Lane.LONG_STANDING], lanes[Lane.OTHERS], lanes[Lane.INSTANT], left)


def _burned(head: Head, now: Instant) -> dict[str, str]:
    """Evidence that proves nothing, and until when; not what a secrecy order would be told by."""
    hushed = head.hushed
    return {kind: instant_text(one) for kind, one in head.burned.items() if one > now and hushed.get(kind, 0) <= now}


def _incident(head: Head) -> IncidentForm | None:
    case = head.incident
    if case is None:
        return None
    return IncidentForm(case.id, instant_text(case.opened_at), instant_text(case.last_at), case.notes)


def _orders(head: Head, now: Instant) -> tuple[OrderForm, ...]:
    return tuple(
        OrderForm(name, one.agency, instant_text(one.frozen_until - one.freeze_ms), instant_text(one.frozen_until))
        for name, one in head.legal.items()
        if now < one.frozen_until
    )


def _waiting(head: Head, now: Instant) -> AgencyEntry | None:
    waiting = head.agency.waiting if head.agency is not None else None
    return waiting if waiting is not None and waiting.from_at > now else None


def _entry(entry: AgencyEntry | None, key: CustomerKey) -> AgencyForm | None:
    if entry is None:
        return None
    return AgencyForm(
        tuple(OfficerForm(one.id, _opened(key, one.name), _opened(key, one.number)) for one in entry.officers),
        entry.recipient,
        entry.domains,
        tuple(one.hex() for one in entry.certificates),
        instant_text(entry.from_at),
    )


def _recovery(head: Head, policy: Policy, now: Instant) -> RecoveryForm | None:
    case = live(head, policy, now)
    if case is None:
        return None
    return RecoveryForm(
        case.id,
        instant_text(case.opened_at),
        tuple(kind.value for kind in case.lost),
        tuple(one.evidence for one in case.shown),
        len(case.approved),
        case.path or None,
        instant_text(case.wait.until) if case.wait and case.wait.heard else None,
        case.contested,
        instant_text(case.last_at + policy.recovery.expires_d * DAY),
        case.doubted,
    )


def _beneficiary(seen: Seen, one: Beneficiary, parts: Mapping[PartKey, Part]) -> BeneficiaryForm:
    device = parts.get(("device", one.device))
    proof = seen.head.authenticators.get(one.authenticator)
    agent = device.user_agent if isinstance(device, Device) else None
    address, memo = spelling.parted(_opened(seen.key, one.address) or "") if one.address is not None else (None, None)
    return BeneficiaryForm(
        name=_opened(seen.key, one.label),
        network=one.network,
        address=address,
        added_at=instant_text(one.added_at),
        usable_from=_instant(seniority.ripe_at(seen.head, one.added_at, one.ripens)),
        senior=seniority.beneficiary_is_senior(seen.head, one, seen.now),
        verified_until=instant_text(one.verified_until),
        by=one.actor.kind.value,
        device=one.device,
        paid=bool(one.paid_at),
        program=program(_opened(seen.key, agent) or "") if agent is not None else "",
        proof=proof.kind.value if proof is not None else "",
        memo=memo or None,
    )


def _asked_in(exit_id: str) -> int:
    """The entry that a held exit was asked in, which its id names."""
    return int(exit_id.removeprefix("x"))


SECRETS: Final = frozenset(
    {
        "credential",
        "secret",
        "password",
        "facts",
        "holder",
        "asked_with",
        "token",
        "reason",
        "passkey",
        "email",
        "phrase",
        "link",
        "canary",
        "decile",
        "face",
        "victim",
        "sender",
    }
)
"""Fields of events and actions that are shown to nobody: secrets, their hashes, what proofs rest on, staff's words, and
which accounts are there to see who reads them, or are on the other side of a trade."""

UNTOLD: Final = (ev.MemberFlagged,)
"""What a stream's own log does not show: whoever is asked after is not told by it."""


def told(events: Iterable[ev.AnyEvent], key: CustomerKey) -> tuple[dict[str, Any], ...]:
    """Events for display."""
    return tuple(_event(event, key) for event in events if not isinstance(event, UNTOLD))


def _event(event: ev.AnyEvent, key: CustomerKey) -> dict[str, Any]:
    shown = {"event": str(type(event).__struct_config__.tag)} | _fields(event, key)
    if isinstance(event, ev.Decided):
        shown["request"] = _mapping(msgspec.msgpack.decode(event.request), key)
    return shown


def _fields(struct: msgspec.Struct, key: CustomerKey) -> dict[str, Any]:
    return _mapping({name: getattr(struct, name) for name in struct.__struct_fields__}, key)


def _mapping(fields: Mapping[str, Any], key: CustomerKey) -> dict[str, Any]:
    shown = dict(_shown(name, value, key) for name, value in fields.items() if name not in SECRETS)
    for name in shown.keys() & {"address", "destination"}:
        if isinstance(shown[name], str) and spelling.MEMO in shown[name]:
            shown[name], shown["memo"] = spelling.parted(shown[name])
    return shown


def _shown(name: str, value: Any, key: CustomerKey) -> tuple[str, Any]:  # noqa: ANN401 - a field of any event
    """A field's name and value as JSON has them."""
    if isinstance(value, int) and not isinstance(value, bool):
        if name in {"at", "until"} or name.endswith(("_at", "_until")):
            return name, instant_text(value) if value else None
        if name.endswith("micro_usd"):
            return name.removesuffix("micro_usd") + "usd", _usd(value)
    return name, _plain(name, value, key)


def _plain(name: str, value: Any, key: CustomerKey) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, bytes) and name in STORED_SEALED:
        value = Sealed.unpacked(value)
    if isinstance(value, Sealed):
        text = _opened(key, value)
        is_contact = name == "address" and not value.alike
        return masked(Channel.EMAIL if "@" in text else Channel.SMS, text) if text and is_contact else text
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, msgspec.Struct):
        return _fields(value, key)
    if isinstance(value, dict):
        return _mapping(value, key)
    if isinstance(value, list | tuple):
        return [_plain(name, one, key) for one in value]
    return value


STORED_SEALED: Final = frozenset(
    {"name", "address", "memo", "counterparty", "destination", "story", "note", "number", "ip_allowlist"}
)
"""Sealed fields of actions, which a stored question holds as bytes; their secrets are in `SECRETS`."""


def _opened(key: CustomerKey, sealed: Sealed) -> str | None:
    """What was sealed; None if it cannot be opened any more."""
    try:
        return key.open(sealed)
    except SealBroken:
        return None
