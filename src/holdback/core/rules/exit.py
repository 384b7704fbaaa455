"""Every way value leaves: one rule, one budget, one set of obstacles, whatever the kind (laws 3, 4 and 8).

An exit is weighed the same way when it is asked for and when its hold ends: `weigh` lists what stands against it.
Asking needs the strongest senior proof first, so that nobody without it learns or fills anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec.structs import replace

from holdback.core import breaker, budget, cooling
from holdback.core import events as ev
from holdback.core.assurance import CONTACT_CODE, Level, half_counts_at, holder_of, may_approve, witness
from holdback.core.decision import Allow, Deny, Hold, Reason, ranked, why
from holdback.core.disclosure import ordered_until
from holdback.core.doors import DOORS, NAMING
from holdback.core.events import (
    DAY,
    HOUR,
    MINUTE,
    ActorKind,
    Destination,
    Finding,
    Instant,
    Lane,
    Scope,
    Sealed,
    Setting,
)
from holdback.core.policy import MICRO
from holdback.core.programs import asking
from holdback.core.rules import card, returning, sale
from holdback.core.rules.address import OPENED_KINDS, beneficiary_name, network_closed, newness_ms
from holdback.core.rules.asking import (
    AMOUNT_UNIT,
    MOST_MICRO_USD,
    OWNER_KEY_PLATFORM_OR_STAFF,
    OWNER_OR_KEY,
    OWNER_PLATFORM_OR_STAFF,
    PLATFORM,
    SYSTEM,
    Action,
    Amount,
    Case,
    Id,
    Money,
    Network,
    Request,
    Rule,
    Ruling,
    denied,
    micro_usd,
    tightened,
    units,
)
from holdback.core.rules.elsewhere import crowd_wait_ms, like_dust, list_missing, on_a_list
from holdback.core.rules.standing import unfounded
from holdback.core.seniority import beneficiary_is_long_standing, beneficiary_is_senior, ripe_at
from holdback.core.staffing import RULES_ON_SALES
from holdback.core.state import (
    STRANGERS_KEPT,
    Beneficiary,
    Head,
    HeldExit,
    Lock,
    PartKey,
    Recovery,
    Unpaid,
    Vault,
    Wait,
    reference_mark,
    without_draw,
    without_payment,
)

if TYPE_CHECKING:
    from holdback.core.inside import Sent
    from holdback.core.policy import Policy
    from holdback.core.state import Customer

Kind = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,31}\Z")]
Asset = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,32}\Z")]


RECEIVED_INSIDE = frozenset({"internal", "p2p"})
"""Networks whose beneficiary is another customer here, in whose stream the value arrives."""

OUTSIDE = frozenset({"*", "bank"})
"""Networks whose beneficiary is elsewhere, and may be on a list."""

NAMED_BY_KIND = frozenset({"bank", "internal", "p2p", "card", "own"})
"""Networks that a kind stands for; an address of its own choosing is on none of them."""


class ExitRequest(Action, frozen=True, tag="exit.request"):
    """Ask to let value leave. `usd` is the platform's own estimate, which may only tighten (law 6).

    `address` and `network` name the destination of withdrawals and payouts, `counterparty` a customer of the platform,
    or for a sweep the own account (`main` or a sub-account's id). `memo` is read into `address` as it comes in, so that
    no rule can take two memos of one address for one beneficiary.
    """

    kind: Kind
    asset: Asset
    amount: Amount
    usd: Money | None = None
    address: Destination | None = None
    network: Network | None = None
    counterparty: Destination | None = None
    memo: Sealed | None = None


class ExitCancel(Action, frozen=True, tag="exit.cancel"):
    """Stop an exit that waits: `which` is the id its hold was answered with.

    A sale whose buyer has paid becomes disputed by it. Two of the staff, each asking once, call off a disputed sale, or
    give back what an exit sent to another customer here, or what an order gave away to him, as long as it waits there.
    """

    which: Id


class ExitRelease(Action, frozen=True, tag="exit.release"):
    """Let a held exit go. By the platform at its time, with no new proof; by the owner earlier, as law 10 allows.

    A P2P sale is locked by it, and then goes by its owner's strongest proof alone; a disputed one by two of the staff.
    Of an exit that was let go and whose receipt was not spent the platform gets a fresh receipt, of the same id, until
    it says by `exit.settle` that it is paid.
    """

    which: Id


class ExitSettle(Action, frozen=True, tag="exit.settle"):
    """Say that an allowed exit is final, or with the stage `paid` that the buyer of a locked sale has paid.

    `reference` is the platform's name for the payment, and of one exit there is one. Of an exit that was given back
    `final` says that the value has been moved back. `usd` is what a card payment was charged with in the end; say it of
    nothing else.
    """

    which: Id
    reference: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    stage: Literal["paid", "final"] = "final"
    usd: Money | None = None


class ExitReconcile(Action, frozen=True, tag="exit.reconcile"):
    """Count a receipt that the signer honoured and a restored store had forgotten, here and where it was received.

    It was given at `issued_at`, an instant in milliseconds.
    """

    receipt: Annotated[str, msgspec.Meta(min_length=1, max_length=160)]
    usd: Money
    kind: str = ""
    issued_at: int = 0


class Asked(msgspec.Struct, frozen=True):
    """What is to be weighed: a new request, or a held exit with the wait of its own that it has had.

    `vault_wait` is the same even where an early release skips `wait`, and `approved` what the vault's approver said.
    `drawn` is the lane that a locked sale has drawn on: it is out of the vault, and weighed as if it had not.
    """

    beneficiary: str
    value: Value
    network: str
    wait: Wait | None = None
    vault_wait: Wait | None = None
    approved: bool = False
    drawn: Lane | None = None


OUTWAITED_MS = 2**53
"""A wait longer than any policy asks for: what an early release puts in place of the exit's own."""


class Weighed(msgspec.Struct, frozen=True):
    """What stands against an exit now, the lane it would draw on, and how long a wait of its own it needs (ms)."""

    findings: tuple[Finding, ...]
    lane: Lane
    wait_ms: int


def destination(action: ExitRequest, network: str) -> str:
    """The beneficiary's part name: an opened kind for strangers, `own` for a sweep, else who is paid."""
    if network in OPENED_KINDS or network == "own":
        return network
    target = action.counterparty if network == "internal" else action.address
    return beneficiary_name(action.network or network if network == "*" else network, target)


def request_parts(_request: Request, action: ExitRequest, _peek: Head | None) -> tuple[PartKey, ...]:
    """Both readings of the destination are asked for, for the policy that tells them apart is not known here."""
    networks = {"bank", action.network or "bank"}
    names = {beneficiary_name(network, action.address) for network in networks} if action.address else set()
    if action.counterparty:
        names.add(beneficiary_name("internal", action.counterparty))
    return (*(("beneficiary", name) for name in sorted(names)), ("beneficiary", "p2p"), ("beneficiary", "card"))


class Value(msgspec.Struct, frozen=True):
    """What an amount is worth, in micro-USD.

    `micro_usd` is Holdback's own price or the platform's word, whichever is more, and counts against every budget.
    `own_micro_usd` is Holdback's alone and shapes the account's habit; it is None without a fresh price (law 6).
    """

    micro_usd: int
    own_micro_usd: int | None

    @property
    def priced(self) -> bool:
        """Whether Holdback itself knows what this is worth."""
        return self.own_micro_usd is not None


def value_of(case: Case, asset: str, amount: str, stated: int) -> Value:
    """Price an amount. `stated` is the platform's word in micro-USD, 0 if it said nothing.

    Without a fresh price the platform's word is used for the books only: the exit is treated as over budget (law 8). So
    is one that would be worth more than anybody owns: the books could not hold many of it.
    """
    price = case.facts.price
    if price is None or price.asset != asset:
        return Value(min(stated, MOST_MICRO_USD), None)
    own = -(-units(amount) * price.micro_usd // AMOUNT_UNIT)
    fresh = case.now - price.at <= case.policy.signals.price_age_m * MINUTE
    worth = max(own, stated)
    return Value(min(worth, MOST_MICRO_USD), own if fresh and worth <= MOST_MICRO_USD else None)


def _asked_value(case: Case, action: ExitRequest) -> Value:
    """What an exit is asked for, in a card's case with its margin."""
    value = value_of(case, action.asset, action.amount, 0 if action.usd is None else micro_usd(action.usd))
    if case.policy.exits[action.kind] != card.NETWORK:
        return value
    return replace(value, micro_usd=min(card.with_margin(value.micro_usd, case.policy), MOST_MICRO_USD))


def _held_value(case: Case, held: HeldExit | Unpaid) -> Value:
    """What a held exit is worth now, and never less than when it was asked for; a card's margin is in that."""
    value = value_of(case, held.asset, held.amount, held.micro_usd)
    if case.policy.exits.get(held.kind) != card.NETWORK or value.own_micro_usd is None:
        return value
    dearer = card.with_margin(value.own_micro_usd, case.policy)
    return replace(value, micro_usd=min(max(value.micro_usd, dearer), MOST_MICRO_USD))


def weigh(case: Case, asked: Asked) -> Weighed:
    """Everything that stands against an exit now (laws 3, 4, 5, 8 and 10).

    An opened kind ripens like any entry, yet who is paid there is a stranger: never senior, never long-standing. An
    entry that senior proof has not confirmed for `book.verified_d` is paid only with such proof, which renews it; so
    does the proof that asks for an exit which is then held. One that is asked for with a junior password waits until
    that is senior, but for what a mild change would spare, too: usual amounts to senior beneficiaries (law 4 gives them
    a day after a secret was replaced).
    """
    head, policy, now = case.head, case.policy, case.now
    entry = case.customer.beneficiary(asked.beneficiary)
    ripe = entry is not None and beneficiary_is_senior(head, entry, now)
    senior = ripe and asked.beneficiary not in OPENED_KINDS
    own = budget.usual(head, policy, now)
    today, _ = budget.drawn(head, Lane.TOTAL, now)
    usual = asked.value.priced and today + asked.value.micro_usd <= own
    findings = cooling.obstacles(head, senior=senior, usual=usual, now=now)
    if case.facts.reconciling:
        findings.append(why(Reason.RECONCILING, "operator.reconcile"))
    findings += _broken(case, asked, entry, today)
    if entry is not None and entry.verified_until <= now and not case.proved:
        findings.append(why(Reason.VERIFICATION_EXPIRED, "address.renew", about="address"))
    if asked.network in OUTSIDE and (missing := list_missing(case, "hold")) is not None:
        findings.append(missing)
    crowded = _crowded(case, asked, entry)
    findings += crowded
    instant = not ripe and not crowded and _fits_instantly(case, asked, own)
    wait_ms, lane = 0, Lane.INSTANT if instant else Lane.OTHERS
    if senior and entry is not None and beneficiary_is_long_standing(head, entry, policy, now):
        lane = Lane.LONG_STANDING
    if not ripe and not instant:
        newness = newness_ms(head.setting(Setting.LOCK_HOURS), policy)
        wait_ms = 0 if entry is not None else max(newness, crowd_wait_ms(case, joining=True))
        findings += _newness(case, asked, entry, newness)
    if not (asked.value.priced and budget.room(head, lane, own, policy, now).holds(asked.value.micro_usd)):
        lane = Lane.NONE
        hours = policy.outflow.over_budget_senior_h if senior else policy.outflow.over_budget_others_h
        wait_ms = max(wait_ms, hours * HOUR)
        reason = Reason.OVER_BUDGET if asked.value.priced else Reason.PRICE_UNKNOWN
        findings += _own_wait(case, asked, hours * HOUR, reason)
    if asked.drawn is None and budget.in_vault(head, asked.value.micro_usd if asked.value.priced else None, now):
        wait_ms = max(wait_ms, _vault(head).hours * HOUR)
        findings += _vaulted(case, asked)
    half = None if senior and usual else half_counts_at(head, case.proved, now)
    if half is not None:
        wait_ms = max(wait_ms, half - now)
        findings.append(why(Reason.NO_SENIOR_AUTHENTICATOR, "time", until=half, about="password"))
    return Weighed(ranked(findings + _received_lately(case, asked)), lane, wait_ms)


def _vault(head: Head) -> Vault:
    return head.vault or Vault(0, 0)


def _vaulted(case: Case, asked: Asked) -> list[Finding]:
    """The vault's wait, which nobody shortens, and its approver's word."""
    vault, wait = _vault(case.head), asked.vault_wait
    length_ms = vault.hours * HOUR
    until = case.now + length_ms
    if wait is not None:
        until = wait.hoped(case.now) - wait.length_ms + length_ms
    found = [why(Reason.IN_VAULT, "time", until=until)] if case.now < until else []
    if vault.approver and not asked.approved:
        found.append(why(Reason.VAULT_APPROVAL, "exit.release", about="approver"))
    return found


def awaits_approval(case: Case, held: HeldExit) -> bool:
    """Whether a held exit reaches into a vault whose approver did not let it yet."""
    if held.approved or not _vault(case.head).approver:
        return False
    value = _held_value(case, held)
    return budget.in_vault(case.head, value.micro_usd if value.priced else None, case.now)


def confirming(case: Case, held: HeldExit) -> str:
    """The contact whose code the owner's release needs: the vault's approver, as long as he is asked for, or any."""
    if awaits_approval(case, held):
        return _vault(case.head).approver
    return witness(case.head, held, case.policy, case.now) or ""


def _crowded(case: Case, asked: Asked, entry: Beneficiary | None) -> list[Finding]:
    """The wait for an address of many: of an entry since it was entered, of a stranger since he was to be paid first.

    Whoever entered it before it had many waits as long as the last of them, from his own time on.
    """
    wait_ms = crowd_wait_ms(case, joining=entry is None)
    if not wait_ms:
        return []
    if entry is None:
        return _own_wait(case, asked, wait_ms, Reason.DESTINATION_SHARED)
    until = entry.added_at + wait_ms
    return [why(Reason.DESTINATION_SHARED, "time", until=until)] if case.now < until else []


def _broken(case: Case, asked: Asked, entry: Beneficiary | None, today: int) -> list[Finding]:
    """What the tripped circuit breaker holds: the kinds of exit that it counts, above what an account may take a day.

    It holds the same while nobody looked for long: what nobody sees would never trip it (law 8).

    Transfers to new customers here wait as well, though they count only where the account changed: once thieves are at
    work, what goes inside is on its way out.
    When two people have reset it nobody knows, so the instant is a guess, said anew at each release.
    """
    rules = case.policy.breaker
    known = None if asked.beneficiary in OPENED_KINDS else entry
    counted = breaker.is_new(known, case.policy, case.now) or breaker.is_changed(case.head, case.policy, case.now)
    small = asked.value.priced and today + asked.value.micro_usd <= rules.hold_above_usd * MICRO
    if small or not counted:
        return []
    if case.facts.tripped_at:
        return [why(Reason.BREAKER_TRIPPED, "breaker.reset", "time", until=case.now + rules.hold_h * HOUR)]
    if breaker.is_watched(case.facts.looked_at, case.policy, case.now):
        return []
    return [why(Reason.BREAKER_UNWATCHED, "time", until=case.now + rules.unwatched_h * HOUR)]


def _fits_instantly(case: Case, asked: Asked, own: int) -> bool:
    """Whether the small lane for beneficiaries that still wait is open: to proof, in no cool-off, with room left."""
    by_key = case.request.actor.kind is ActorKind.API_KEY and not case.proved
    if asked.drawn not in {None, Lane.INSTANT}:
        return False
    if by_key or not asked.value.priced or cooling.ends_at(case.head, case.now) is not None:
        return False
    return budget.room(case.head, Lane.INSTANT, own, case.policy, case.now).holds(asked.value.micro_usd)


def _newness(case: Case, asked: Asked, entry: Beneficiary | None, wait_ms: int) -> list[Finding]:
    if entry is None:
        return _own_wait(case, asked, wait_ms, Reason.DESTINATION_NEW)
    until = ripe_at(case.head, entry.added_at, entry.ripens)
    return [why(Reason.DESTINATION_NEW, "time", until=entry.ripens.hoped(case.now) if until is None else until)]


def _own_wait(case: Case, asked: Asked, length_ms: int, reason: Reason) -> list[Finding]:
    """A wait of the exit itself: met once it ran that long. A longer one than was said counts from the same start."""
    if asked.wait is None:
        return [why(reason, "time", until=case.now + length_ms)]
    until = asked.wait.until + max(0, length_ms - asked.wait.length_ms)
    return [why(reason, "time", until=until)] if case.now < until else []


def _received_lately(case: Case, asked: Asked) -> list[Finding]:
    if not case.head.received:
        return []
    amount = asked.value.micro_usd if asked.value.priced else None
    until = budget.received_until(case.head, amount, case.policy, case.now, case.facts.senders)
    return [] if until is None else [why(Reason.RECEIVED_LATELY, "time", until=until)]


def _refused_by_value(case: Case, value: Value, stranger: str = "") -> Finding | None:
    """What a price decides before anything waits: the owner's limit, a stranger's cap, and a policy that wants one."""
    limit = case.head.setting(Setting.LIMIT_MICRO_USD)
    if not value.priced and (limit >= 0 or stranger or case.policy.signals.price == "deny"):
        return why(Reason.PRICE_UNKNOWN, "operator.prices", about="asset")
    day, _ = budget.drawn(case.head, Lane.TOTAL, case.now)
    if 0 <= limit < day + value.micro_usd:
        return why(Reason.OVER_OWN_LIMIT, "limit.set", until=case.now + DAY)
    return _capped(case, value, stranger) if stranger else None


def _capped(case: Case, value: Value, stranger: str) -> Finding | None:
    """An opened kind pays anybody, so nobody much: each stranger so much a day, and not too many of them."""
    paid = budget.paid_lately(case.head, stranger, case.now)
    if paid + value.micro_usd > case.policy.outflow.stranger_day_usd * MICRO:
        return why(Reason.STRANGER_CAP, "time", until=case.now + DAY, about="counterparty")
    if stranger in case.head.strangers:
        return None
    others = sum(budget.paid_lately(case.head, name, case.now) > 0 for name in case.head.strangers)
    return why(Reason.TOO_MANY, "time", until=case.now + DAY, about="strangers") if others >= STRANGERS_KEPT else None


def stranger_of(action: ExitRequest, network: str) -> str:
    """Who is paid where anybody may be, as the cap knows him; "" elsewhere."""
    return action.counterparty.name[:16] if network in OPENED_KINDS and action.counterparty is not None else ""


def _door(case: Case, action: ExitRequest) -> Finding | None:
    """What no proof could mend, and what whoever holds a session may know: a closed kind, a freeze, an unfit field.

    Whom the account may pay, and who is a customer here, is told only after proof (`_barred`).
    """
    network = case.policy.exits.get(action.kind)
    if network is None:
        return why(Reason.EXIT_KIND_CLOSED, about="kind")
    stopped = _stopped(case)
    if stopped is not None:
        return stopped
    unfit = _unfit_field(action, network)
    if unfit:
        return why(Reason.BAD_FIELD, about=unfit)
    closed = network_closed(action.network, case.policy) if network == "*" else None
    if closed is not None:
        return closed
    program = case.customer.program(case.request.actor.key)
    if program is not None and program.beneficiaries and destination(action, network) not in program.beneficiaries:
        return why(Reason.API_KEY_SCOPE, "api_key.create", about="addresses")
    if network == "own":
        return _sweep_door(case)
    if network in RECEIVED_INSIDE and case.request.counterparty == case.head.account:
        return why(Reason.BAD_FIELD, about="counterparty")
    return None if _has_place(case) else why(Reason.TOO_MANY, "exit.cancel", about="exits")


def _has_place(case: Case) -> bool:
    """Whether another exit may wait; what keys ask for fills half of the places at most, and leaves the owner his."""
    room, exits = case.policy.bounds.waiting_exits, case.head.exits
    by_keys = sum(bool(one.key) for one in exits.values())
    return len(exits) < room and (case.request.actor.kind is not ActorKind.API_KEY or by_keys < room // 2)


def _stopped(case: Case, *, ruled: bool = False) -> Finding | None:
    """The owner's stop, or an authority's: the one does not take the other off.

    What two of the staff rule of a sale whose buyer has paid his own stop does not keep from him.
    """
    if case.head.frozen_at and not ruled:
        return why(Reason.FROZEN, "account.unfreeze")
    ordered = ordered_until(case.head, case.now)
    return why(Reason.UNDER_ORDER, "time", until=ordered) if ordered else None


def _unfit_field(action: ExitRequest, network: str) -> str:
    """The field that is missing, absurd, or does not belong to this kind; "" if all fit.

    A receipt names the whole action, so nothing may stand in it that was not weighed.
    """
    if not units(action.amount):
        return "amount"
    door = DOORS[network]
    given = {name for name in NAMING if getattr(action, name) is not None}
    unfit = (given ^ set(door.fields)) - set(door.optional)
    if unfit or network != "*":
        return next((name for name in NAMING if name in unfit), "")
    return "network" if action.network in NAMED_BY_KIND else ""


def _barred(case: Case, network: str, beneficiary: str) -> Finding | None:
    """Who cannot be paid: a listed or copied address, no customer here, or a stranger while only the book may be."""
    known = case.customer.beneficiary(beneficiary) is not None
    unfit = on_a_list(case) or (None if known else like_dust(case))
    if unfit is not None:
        return unfit
    if network in RECEIVED_INSIDE and not case.facts.counterparty_known:
        return why(Reason.COUNTERPARTY_UNKNOWN, about="counterparty")
    if not known and case.head.setting(Setting.ALLOWLIST):
        return why(Reason.NOT_ON_ALLOWLIST, "address.add", about="address")
    return list_missing(case, "deny") if network in OUTSIDE else None


def _sweep_door(case: Case) -> Finding | None:
    """Between accounts of one customer: nothing is drawn, but a cool-off shuts it (Gemini/IRA 2022)."""
    if case.request.counterparty not in {"main", case.head.account, *case.head.sub_accounts}:
        return why(Reason.BAD_FIELD, about="counterparty")
    until = cooling.ends_at(case.head, case.now)
    if until is not None:
        return why(Reason.COOL_OFF_CLOSES, "time", until=until, about="kind")
    return why(Reason.RECONCILING, "operator.reconcile") if case.facts.reconciling else None


def _proof(case: Case, action: ExitRequest) -> Level:
    """A key that is awake moves alone what its owner would not have to wait for; beyond that he proves it is he."""
    network = case.policy.exits[action.kind]
    if case.request.actor.kind is not ActorKind.API_KEY:
        return Level.NONE if network == "own" else Level.MONEY
    return Level.MONEY if case.asleep or (network != "own" and _beyond_key(case, action, network)) else Level.NONE


def _beyond_key(case: Case, action: ExitRequest, network: str) -> bool:
    """Whether this is more than a key may ask for alone; strangers are, unless its owner named their kind for it."""
    program = case.customer.program(case.request.actor.key)
    name = destination(action, network)
    if network in OPENED_KINDS and (program is None or name not in program.beneficiaries):
        return True
    return _needs_owner(case, name, weigh(case, Asked(name, _asked_value(case, action), network)))


def _needs_owner(case: Case, beneficiary: str, weighed: Weighed) -> bool:
    """Whether an exit is over budget, unpriced, or for whom the book does not know, or not for long enough."""
    entry = case.customer.beneficiary(beneficiary)
    return weighed.lane is Lane.NONE or entry is None or not beneficiary_is_senior(case.head, entry, case.now)


def _request(case: Case, action: ExitRequest) -> Ruling:
    network = case.policy.exits[action.kind]
    if network == "own":
        return _sweep(case, action)
    name = destination(action, network)
    value = _asked_value(case, action)
    stranger = stranger_of(action, network)
    refusal = _barred(case, network, name) or _refused_by_value(case, value, stranger)
    if refusal is not None:
        return denied(refusal)
    weighed = weigh(case, Asked(name, value, network))
    held = _held_event(case, action, name, value, weighed)
    if weighed.findings:
        return _hold(weighed, held, *_renewed(case, name))
    if network == sale.NETWORK:
        ruling = sale.lock(case, held.exit, held, weighed.lane, (value.micro_usd, value.own_micro_usd or 0))
        return replace(ruling, events=(*ruling.events, *_renewed(case, name)))
    reason = Reason.INSTANT_LANE if weighed.lane is Lane.INSTANT else Reason.PROVED
    ruling = _let_go(case, _paid_at_once(case, held), weighed.lane, value, network)
    return Ruling(Allow((why(reason),), held.exit), (*ruling.events, *_renewed(case, name)), ruling.elsewhere)


class Paid(msgspec.Struct, frozen=True):
    """Which exit is let go: its id and kind, who is paid, and account and digest of the action that asked for it.

    `stranger` is who is paid on an opened kind; `drawn_at`, `by` and `payable` are as in `events.ExitAllowed`.
    """

    exit: str
    kind: str
    beneficiary: str
    digest: bytes
    account: str
    stranger: str = ""
    drawn_at: Instant = 0
    by: tuple[str, ...] = ()
    payable: ev.Payable | None = None


def _payable_as(case: Case, held: ev.ExitHeld | HeldExit, asked_at: Instant) -> ev.Payable:
    """What a fresh receipt of it is given by, of an exit that was asked for then and had no wait."""
    return ev.Payable(
        asset=held.asset,
        amount=held.amount,
        network=held.network,
        counterparty=held.counterparty,
        destination=held.destination,
        key=held.key,
        recovery=held.recovery,
        asked_at=asked_at,
        until=case.now + case.policy.outflow.receipt_again_h * HOUR,
        confirmed=bool(case.proved),
    )


def _paid_as(which: str, held: ev.ExitHeld | HeldExit, payable: ev.Payable) -> Paid:
    return Paid(which, held.kind, held.beneficiary, held.digest, held.account, stranger=held.stranger, payable=payable)


def _paid_at_once(case: Case, held: ev.ExitHeld) -> Paid:
    """What goes as it is asked for, by `held`, what it would have been held as."""
    return _paid_as(held.exit, held, _payable_as(case, held, case.now))


def _paid_after_wait(case: Case, which: str, held: HeldExit, *, early: bool = False, approved: bool = False) -> Paid:
    """What goes after it was held; `early`, if its owner ends its own wait."""
    payable = _payable_as(case, held, held.asked_at)
    waited = replace(
        payable,
        wait_ms=held.wait.length_ms,
        waited_until=held.wait.until,
        early=early,
        approved=approved,
        confirmed=bool(held.asked_with or approved or payable.confirmed),
    )
    return _paid_as(which, held, waited)


def _let_go(case: Case, paid: Paid, lane: Lane, value: Value, network: str) -> Ruling:
    usual, entry = value.own_micro_usd or 0, case.customer.beneficiary(paid.beneficiary)
    first, stranger = entry is not None and not entry.paid_at, paid.stranger
    by_card = network == card.NETWORK
    gone = ev.ExitAllowed(
        case.now,
        paid.exit,
        paid.kind,
        paid.beneficiary,
        lane,
        value.micro_usd,
        paid.digest,
        paid.account,
        usual,
        first,
        stranger,
        paid.drawn_at,
        paid.by,
        card.margin_of(value.micro_usd, case.policy) if by_card else 0,
        case.now + case.policy.outflow.card_cleared_d * DAY if by_card else 0,
        _alone(case),
        payable=paid.payable,
    )
    marks = _received(case, network, value, case.head.sent.get(paid.exit))
    drawn = lane, value.micro_usd, usual, stranger, paid.drawn_at
    sent = (
        ev.ValueSent(
            case.now, paid.exit, case.request.counterparty, one.micro_usd, one.until, one.stopped_until, *drawn
        )
        for one in marks
    )
    return Ruling(Allow((why(Reason.PROVED),), paid.exit), (gone, *sent), marks)


def _alone(case: Case) -> str:
    """The API key that lets something go by its signature alone, "" if more was proved, or none asks."""
    actor = case.request.actor
    return actor.key if actor.kind is ActorKind.API_KEY and not case.proved else ""


def _sweep(case: Case, action: ExitRequest) -> Ruling:
    value = _asked_value(case, action)
    paid = Paid(f"x{case.seq}", action.kind, "own", case.facts.digest, case.request.account)
    ruling = _let_go(case, paid, Lane.OWN, value, "own")
    return replace(ruling, decision=Allow((why(Reason.NO_HARM),), paid.exit))


def _renewed(case: Case, name: str, recovery: str = "") -> tuple[ev.AddressRenewed, ...]:
    """A payment confirmed by senior proof, or by a recovery, renews its beneficiary; one by key or less does not."""
    if not (case.proved or recovery) or case.customer.beneficiary(name) is None:
        return ()
    return (ev.AddressRenewed(case.now, name, case.now + case.policy.book.verified_d * DAY),)


def _received(
    case: Case, network: str, value: Value, sent: Sent | None = None, *, forgotten: bool = False
) -> tuple[ev.ValueReceived, ...]:
    """What the counterparty's stream learns: value from a cooling sender stays inside longer (law 3).

    From one who is stopped later it may, which is read when the counterparty asks to let value leave. What was `sent`
    before, and did not arrive for its receipt was not spent, arrives now: it leaves one mark, that of a stopped sender
    if he was stopped since.

    Waits end at full hours, so that however often someone sends, the receiver keeps one mark an hour. What Holdback
    cannot price is never less than the floor from which marks count: unknown is not nothing (law 8).
    """
    if network not in RECEIVED_INSIDE:
        return ()
    outflow = case.policy.outflow
    stopped = bool(case.head.frozen_at) or cooling.ends_at(case.head, case.now) is not None
    stopped = stopped or (sent is not None and sent.stopped)
    longest = (-(-case.now // HOUR) + outflow.received_from_cooling_h) * HOUR
    until = longest if forgotten or stopped else (-(-case.now // HOUR) + outflow.received_h) * HOUR
    worth = value.micro_usd if value.priced else max(value.micro_usd, outflow.received_floor_usd * MICRO)
    late = (sent.micro_usd, sent.at, sent.until) if sent is not None else (0, 0, 0)
    return (ev.ValueReceived(case.now, worth, until, case.head.account, longest, *late),)


def _release_at(findings: tuple[Finding, ...]) -> Instant | None:
    untils = [finding.until for finding in findings if finding.until is not None]
    return max(untils) if len(untils) == len(findings) else None


def evacuate(case: Case, action: ExitRequest, recovery: Recovery, asked_with: tuple[bytes, ...]) -> Ruling:
    """What a recovery asks to be paid instead of the account: to who was senior before it was opened, and no one else.

    Everything stands against it that stands against any exit. Only that nobody confirmed the entry for long does not,
    for it is what the recovery itself shows: the payment renews the entry when it goes, and not before.
    """
    refusal = _door(case, action)  # also of kinds that pay no address: it names no counterparty
    if refusal is not None:
        return denied(refusal)
    network = case.policy.exits[action.kind]
    name = destination(action, network)
    entry = case.customer.beneficiary(name)
    old = entry is not None and beneficiary_is_senior(case.head, entry, recovery.opened_at)
    if entry is None or not old or not beneficiary_is_senior(case.head, entry, case.now):
        return denied(why(Reason.SENIOR_BENEFICIARY_REQUIRED, about="address"))
    value = _asked_value(case, action)
    refusal = on_a_list(case) or list_missing(case, "deny") or _refused_by_value(case, value)
    if refusal is not None:
        return denied(refusal)
    weighed = _confirmed_by(recovery.id, weigh(case, Asked(name, value, network)))
    held = replace(_held_event(case, action, name, value, weighed), asked_with=asked_with, recovery=recovery.id)
    if weighed.findings:
        return _hold(weighed, held)
    ruling = _let_go(case, _paid_at_once(case, held), weighed.lane, value, network)
    return replace(ruling, events=(*ruling.events, *_renewed(case, name, recovery.id)))


def _confirmed_by(recovery: str, weighed: Weighed) -> Weighed:
    """What stands against an exit that a recovery asked for: not that nobody confirmed the entry for long."""
    if not recovery:
        return weighed
    against = tuple(one for one in weighed.findings if one.code != Reason.VERIFICATION_EXPIRED)
    return replace(weighed, findings=against)


def _hold(weighed: Weighed, held: ev.ExitHeld, *events: ev.AnyEvent) -> Ruling:
    return Ruling(Hold(weighed.findings, held.exit, _release_at(weighed.findings)), (held, *events))


def _held_event(case: Case, action: ExitRequest, name: str, value: Value, weighed: Weighed) -> ev.ExitHeld:
    until = max((one.until for one in weighed.findings if one.until is not None), default=case.now)
    return ev.ExitHeld(
        at=case.now,
        exit=f"x{case.seq}",
        kind=action.kind,
        beneficiary=name,
        network=action.network or "",
        asset=action.asset,
        amount=action.amount,
        micro_usd=value.micro_usd,
        digest=case.facts.digest,
        account=case.request.account,
        asked_with=tuple(holder_of(case.head, proof) for proof in case.proved),
        counterparty=case.request.counterparty,
        wait_ms=weighed.wait_ms,
        until=until,
        destination=action.address,
        stranger=stranger_of(action, case.policy.exits[action.kind]),
        key=case.request.actor.key if case.request.actor.kind is ActorKind.API_KEY else "",
        unconfirmed=_is_unconfirmed(weighed.findings),
    )


def _is_unconfirmed(findings: tuple[Finding, ...]) -> bool:
    """Whether an exit waits until its owner confirms again whom it pays, however long that takes."""
    return any(one.code == Reason.VERIFICATION_EXPIRED for one in findings)


def _held_parts(_request: Request, action: ExitRelease, peek: Head | None) -> tuple[PartKey, ...]:
    held = peek.to_release(action.which) if peek else None
    return (("beneficiary", held.beneficiary),) if held else ()


def _held(case: Case, action: ExitCancel | ExitRelease) -> Finding | None:
    held, releases = case.head.exits.get(action.which), isinstance(action, ExitRelease)
    if held is None and not releases and case.request.actor.kind is ActorKind.STAFF:
        return returning.objection(case, action.which)
    if held is None:
        return _payable(case, action.which) if releases else why(Reason.NOT_FOUND, about="which")
    barred = _beyond_reach(case, held) or sale.barred(case, held, releases=releases)
    return _releasable(case, held) if releases and barred is None else barred


def _beyond_reach(case: Case, held: HeldExit) -> Finding | None:
    """What a key may not even stop: what is of another account than its own. One that slept stops nothing."""
    key = asking(case.head, case.request.actor)
    if key is not None and key.account not in {case.head.account, held.account}:
        return why(Reason.API_KEY_SCOPE, about="account")
    return why(Reason.API_KEY_SUSPENDED, about="dormant") if case.asleep else None


def _releasable(case: Case, held: HeldExit) -> Finding | None:
    network = case.policy.exits.get(held.kind)
    if network is None:
        return why(Reason.EXIT_KIND_CLOSED, about="kind")
    by = case.request.actor.kind
    ruled = by is ActorKind.STAFF
    stopped = _stopped_since(case, held.key, held.recovery, ruled=ruled)
    if stopped is not None:
        return stopped
    barred = _barred(case, network, held.beneficiary)
    if barred is not None and barred.code == Reason.DESTINATION_LISTED and held.lock is None:
        barred = None  # it ends by that, which an objection cannot say (`_release`)
    if barred is not None or held.lock is not None or by is not ActorKind.OWNER:
        return barred
    return _approvable(case, held) if awaits_approval(case, held) else _early(case, held)


def _stopped_since(case: Case, key: str, recovery: str, *, ruled: bool) -> Finding | None:
    """What stops an exit that was asked for earlier: its key's end, a freeze or order, or that its recovery is none."""
    stops = (None if ruled else _key_stopped(case, key), _stopped(case, ruled=ruled), unfounded(case, recovery))
    stopped = ranked([one for one in stops if one is not None])
    return stopped[0] if stopped else None


def _payable(case: Case, which: str) -> Finding | None:
    """Why there is no fresh receipt for what was let go: it is paid, or stopped since, or its time is over.

    The platform alone asks for one, for nobody else pays.
    """
    if which in case.head.settled and which in case.head.allowed:
        return why(Reason.ALREADY_SETTLED, about="which")
    unpaid = case.head.unpaid.get(which)
    if unpaid is None or unpaid.asked.until <= case.now:
        return why(Reason.NOT_FOUND, about="which")
    if case.request.actor.kind is not ActorKind.PLATFORM:
        return why(Reason.NOT_ENTITLED, ActorKind.PLATFORM, about="which")
    network = case.policy.exits.get(unpaid.kind)
    if network is None:
        return why(Reason.EXIT_KIND_CLOSED, about="kind")
    stopped = _stopped_since(case, unpaid.asked.key, unpaid.asked.recovery, ruled=unpaid.ruled)
    return stopped or _barred(case, network, unpaid.beneficiary)


def _key_stopped(case: Case, name: str) -> Finding | None:
    """What a key asked for that was stopped since; stopping it cancels what waits, but not what was let go."""
    key = case.head.api_keys.get(name)
    if not name or (key is not None and not key.suspended):
        return None
    return why(Reason.API_KEY_SUSPENDED, "exit.cancel", about="which")


def _approvable(case: Case, held: HeldExit) -> Finding | None:
    able = may_approve(case.head, _vault(case.head).approver, held, case.policy, case.now)
    return None if able else why(Reason.NO_SENIOR_CONTACT, "vault.set", about="approver")


def _early(case: Case, held: HeldExit) -> Finding | None:
    return against_early_end(case.customer, held, case.policy, case.now)


def against_early_end(customer: Customer, held: HeldExit, policy: Policy, now: Instant) -> Finding | None:
    """A hold ends early only for a senior beneficiary, with a senior witness, and never inside a cool-off (law 10).

    Its beneficiary's part must be loaded.
    """
    head, entry = customer.head, customer.beneficiary(held.beneficiary)
    if head is None or entry is None or not beneficiary_is_senior(head, entry, now):
        return why(Reason.SENIOR_BENEFICIARY_REQUIRED, "time", until=held.said_until)
    if witness(head, held, policy, now) is None:
        return why(Reason.NO_SENIOR_CONTACT, "contact.add", "time", until=held.said_until)
    cool = cooling.obstacles(head, senior=True, usual=False, now=now)
    return cool[0] if cool else None


def _release_level(case: Case, action: ExitRelease) -> Level:
    if case.request.actor.kind is not ActorKind.OWNER:
        return Level.NONE
    held = case.head.exits.get(action.which)
    return Level.MONEY if held is not None and held.lock is not None else Level.EARLY_RELEASE


def _release(case: Case, action: ExitRelease) -> Ruling:
    """Weigh again. What waited as over budget draws nothing now; the owner's early release skips that wait alone.

    As long as the vault's approver is asked for, the owner's release brings his word, and skips nothing. It is his word
    only if the code that was shown is one that was sent to him.
    """
    held = case.head.exits.get(action.which)
    if held is None:
        return _again(case, action.which, case.head.unpaid[action.which])
    if held.lock is not None:
        return _sell(case, action.which, held, held.lock)
    listed = on_a_list(case)
    if listed is not None:
        return Ruling(Deny((listed,)), (ev.ExitCancelled(case.now, action.which, listed=True),))
    awaits, approver = awaits_approval(case, held), _vault(case.head).approver
    approving = awaits and any((one.kind, one.authenticator) == (CONTACT_CODE, approver) for one in case.proved)
    early = case.request.actor.kind is ActorKind.OWNER and not awaits
    value = _held_value(case, held)
    refusal = _refused_by_value(case, value, held.stranger)
    if refusal is not None:
        return denied(refusal)
    wait = Wait(OUTWAITED_MS, case.now, heard=True) if early else held.wait
    asked = Asked(held.beneficiary, value, case.policy.exits[held.kind], wait, held.wait, held.approved or approving)
    weighed = _confirmed_by(held.recovery, weigh(case, asked))
    said = (ev.ExitApproved(case.now, action.which, approver),) if approving else ()
    own = () if early else (*_not_yet(case, held), *_unconfirmed(case, held, weighed))
    findings = ranked([*weighed.findings, *own])
    if findings:
        until = _release_at(findings) or held.said_until
        answer = Hold(findings, action.which, None if any(one.code in PEOPLE for one in findings) else until)
        return Ruling(answer, (*said, ev.ExitMoved(case.now, action.which, until, _is_unconfirmed(findings))))
    if asked.network == sale.NETWORK:
        ruling = sale.lock(case, action.which, held, weighed.lane, (value.micro_usd, value.own_micro_usd or 0))
    else:
        paid = _paid_after_wait(case, action.which, held, early=early, approved=asked.approved)
        ruling = _let_go(case, paid, weighed.lane, value, asked.network)
    return replace(ruling, events=(*said, *ruling.events, *_renewed(case, held.beneficiary, held.recovery)))


PEOPLE = frozenset({Reason.VAULT_APPROVAL, Reason.PROOF_REQUIRED, Reason.VERIFICATION_EXPIRED})
"""What time alone does not mend: somebody has to say something, so that no instant can be named."""


def _again(case: Case, which: str, unpaid: Unpaid) -> Ruling:
    """A fresh receipt for what was let go and not paid: weighed as if it had not been, drawn now instead of then.

    A later draw on the same lane is never a looser one, so that this needs no faith in whoever says that it was not
    paid; and its receipts have one id, so that they pay once. What time has made of it stands against it: no wait
    begins here. What two of the staff ruled is not weighed again, and a sale is worth what was agreed.
    """
    asked, network = unpaid.asked, case.policy.exits[unpaid.kind]
    before, sold = replace(case, head=without_payment(case.head, unpaid)), network == sale.NETWORK
    value = Value(unpaid.micro_usd, unpaid.usual_micro_usd)
    if not sold:
        value = _held_value(case, unpaid)
    drawn = unpaid.lane if sold else None
    if not unpaid.ruled:
        refusal = _refused_by_value(before, value, unpaid.stranger)
        if refusal is not None:
            return denied(refusal)
        wait = Wait(OUTWAITED_MS, case.now, heard=True) if asked.early else unpaid.wait
        weighed = weigh(before, Asked(unpaid.beneficiary, value, network, wait, unpaid.wait, asked.approved, drawn))
        findings = (*_confirmed_by(asked.recovery, weighed).findings, *_unconfirmed_again(before, unpaid, weighed))
        if findings:
            return Ruling(Hold(ranked([*findings]), which, _release_at(findings)))
    paid = Paid(
        which,
        unpaid.kind,
        unpaid.beneficiary,
        unpaid.digest,
        unpaid.account,
        unpaid.stranger,
        unpaid.drawn_at,
        payable=asked,
    )
    return _let_go(case, paid, unpaid.lane, value, network)


def _unconfirmed_again(case: Case, unpaid: Unpaid, weighed: Weighed) -> list[Finding]:
    """What only a key asked for, and is more by now than a key lets go: its owner asks for it himself."""
    asked = unpaid.asked
    if not asked.key or asked.confirmed or not _needs_owner(case, unpaid.beneficiary, weighed):
        return []
    return [why(Reason.PROOF_REQUIRED, "exit.request", about="which")]


def _sell(case: Case, which: str, held: HeldExit, lock: Lock) -> Ruling:
    """Hand a locked sale to its buyer: by the owner's proof, weighed again as if it had drawn nothing; or by two.

    It is worth what it was worth when its price was agreed, and its own waits were had before it was locked. What two
    of the staff rule is not weighed again: the buyer has paid, and they know what stands against it.
    """
    value, network = Value(held.micro_usd, lock.usual_micro_usd), case.policy.exits[held.kind]
    paid = replace(_paid_after_wait(case, which, held, early=True), drawn_at=lock.at)
    if case.request.actor.kind is ActorKind.STAFF:
        said = sale.word(case, which, held, to_buyer=True)
        return said if isinstance(said, Ruling) else _let_go(case, replace(paid, by=said), lock.lane, value, network)
    before = replace(case, head=without_draw(case.head, held))
    refusal = _refused_by_value(before, value, held.stranger)
    if refusal is not None:
        return denied(refusal)
    had = Wait(OUTWAITED_MS, case.now, heard=True)
    weighed = weigh(before, Asked(held.beneficiary, value, network, had, drawn=lock.lane))
    if weighed.findings:
        return Ruling(Hold(weighed.findings, which, None))
    ruling = _let_go(case, paid, lock.lane, value, network)
    return replace(ruling, events=(*ruling.events, *_renewed(case, held.beneficiary)))


def _not_yet(case: Case, held: HeldExit) -> list[Finding]:
    """A hold ends at the instant that was said, not when its reason happens to go away (law 10)."""
    if not held.wait.heard:
        until = max(held.said_until, case.now + held.wait.length_ms)
        return [why(Reason.NOTICE_UNDELIVERED, "notice.delivery", until=until, about="exit.held")]
    return [why(Reason.NOT_YET_DUE, "time", until=held.said_until)] if case.now < held.said_until else []


def _unconfirmed(case: Case, held: HeldExit, weighed: Weighed) -> list[Finding]:
    """What only a key asked for, and is more than a key lets go by now: it goes by its owner's proof, or not at all.

    It was less when it was asked for. Several that a cool-off held at once fit the budget one by one, and not together.
    """
    confirmed = held.asked_with or held.approved or case.proved
    if not held.key or confirmed or not _needs_owner(case, held.beneficiary, weighed):
        return []
    return [why(Reason.PROOF_REQUIRED, "exit.release", "exit.cancel", about="which")]


def _cancel(case: Case, action: ExitCancel) -> Ruling:
    """Stop it. What a buyer has paid for nobody takes back alone: it becomes disputed."""
    held = case.head.exits.get(action.which)
    if held is None:
        return returning.give_back(case, action.which)
    if case.request.actor.kind is ActorKind.STAFF:
        said = sale.word(case, action.which, held, to_buyer=False)
        if isinstance(said, Ruling):
            return said
        return Ruling(Allow((why(Reason.PROVED),), action.which), (ev.ExitCancelled(case.now, action.which, said),))
    stopped = held.stopped(action.which, case.now)
    if any(isinstance(one, ev.ExitDisputed) for one in stopped):
        waits = why(Reason.SALE_DISPUTED, *sorted(RULES_ON_SALES), about="which")
        return Ruling(Hold((waits,), action.which, None), tuple(stopped))
    return tightened(*stopped, id=action.which)


def _was_allowed(case: Case, action: ExitSettle) -> Finding | None:
    if action.stage == "paid":
        return sale.payable(case.head, action.which) if action.usd is None else why(Reason.BAD_FIELD, about="usd")
    if action.usd is not None:
        held = action.which in case.head.exits
        return _not_allowed(case, action.which) if held else card.chargeable(case, action.which, micro_usd(action.usd))
    settled, sent = case.head.settled.get(action.which), case.head.sent.get(action.which)
    if sent is not None and sent.returned_at:
        return None
    if action.which not in case.head.allowed:
        return _not_allowed(case, action.which)
    if not settled or settled == reference_mark(action.reference):
        return None
    return why(Reason.ALREADY_SETTLED, about="reference")


def _not_allowed(case: Case, which: str) -> Finding:
    """Why what was not let go cannot be final: it waits, is locked or disputed, or there is nothing of that name."""
    held = case.head.exits.get(which)
    if held is None:
        return why(Reason.NOT_FOUND, about="which")
    if held.lock is None:
        return why(Reason.STILL_HELD, "exit.release", about="which")
    disputed = bool(held.lock.disputed_at)
    rulers = sorted(RULES_ON_SALES) if disputed else ["owner"]
    return why(Reason.SALE_DISPUTED if disputed else Reason.SALE_LOCKED, *rulers, about="which")


def _settle(case: Case, action: ExitSettle) -> Ruling:
    """Note that it is final; said again, with the same name, it is no news."""
    allowed = Allow((why(Reason.NO_HARM),), action.which)
    if action.usd is not None:
        return card.charged(case, action.which, micro_usd(action.usd), action.reference)
    if action.stage == "final":
        moved = returning.moved(case, action.which)
        if case.head.settled.get(action.which) and not moved:
            return Ruling(allowed)
        return Ruling(allowed, (ev.ExitSettled(case.now, action.which, action.reference, bool(moved)),), moved)
    lock = case.head.exits[action.which].lock
    said = lock is not None and bool(lock.paid_at)
    return Ruling(allowed, () if said else (ev.ExitPaid(case.now, action.which, action.reference),))


def _reconcile(case: Case, action: ExitReconcile) -> Ruling:
    """Draw again, but not for a sweep, and mark again who received it inside (law 3).

    Whether the sender was cooling, and whether anybody knew a price, was forgotten too: the mark is the heavier one.
    An exit that waits here still is paid, and neither let go nor given back.
    """
    head = case.head
    if action.receipt in head.allowed:
        return Ruling(Allow((why(Reason.NO_HARM),)))
    asked = {name: one.asked_at for name, one in head.exits.items()}
    asked |= {name: one.asked.asked_at for name, one in head.unpaid.items()}
    named = [name for name, at in asked.items() if ev.receipt_id(head.account, name, at) == action.receipt]
    network = case.policy.exits.get(action.kind, "*")
    worth = micro_usd(action.usd)
    lane, paid_at = Lane.OWN if network == "own" else Lane.OTHERS, min(action.issued_at or case.now, case.now)
    counted = ev.ExitReconciled(case.now, action.receipt, lane, worth, action.kind, paid_at, *named)
    received = _received(case, network, Value(worth, None), forgotten=True) if case.facts.counterparty_known else ()
    return Ruling(Allow((why(Reason.TIGHTENING),)), (counted,), received)


RULES: dict[type[Action], Rule] = {
    ExitRequest: Rule(OWNER_OR_KEY, _request, level=_proof, objection=_door, parts=request_parts, scope=Scope.WITHDRAW),
    ExitCancel: Rule(OWNER_KEY_PLATFORM_OR_STAFF, _cancel, objection=_held, loosens=False, scope=Scope.WITHDRAW),
    ExitRelease: Rule(
        OWNER_PLATFORM_OR_STAFF, _release, level=_release_level, objection=_held, parts=_held_parts, peeks=True
    ),
    ExitSettle: Rule(PLATFORM, _settle, objection=_was_allowed, loosens=False),
    ExitReconcile: Rule(SYSTEM, _reconcile, loosens=False),
}
