"""The one door to the core: `needs` says what an action wants loaded, `advance` answers it.

`advance` carries out loosenings that have come due, judges the action by its guards in order and then by its
subject's rule, adds the consequences, and folds everything into the next state. It is pure: the same arguments give
the same entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from holdback.core import devices, inside, programs
from holdback.core import events as ev
from holdback.core.assurance import (
    CONTACT_CODE,
    RESTRICTED,
    Demand,
    Level,
    answering,
    demand,
    satisfying,
    spent,
)
from holdback.core.attempts import Tally, slowed_down
from holdback.core.decision import Allow, Decision, Deny, Reason, StepUp, why
from holdback.core.disclosure import told_now
from holdback.core.effects import Direction, consequences, effect_of, stopped_keys
from holdback.core.events import (
    DAY,
    ENCODER,
    HOUR,
    MINUTE,
    ActorKind,
    AnyEvent,
    AuthenticatorKind,
    Channel,
    Finding,
    Instant,
    StreamKind,
)
from holdback.core.rules import (
    account,
    address,
    agency,
    api_key,
    authenticator,
    breaker,
    change,
    clusters,
    contact,
    deposit,
    incident,
    legal,
    notice,
    order,
    password,
    recovery,
    sale,
    session,
    setting,
    staff,
)
from holdback.core.rules import exit as exits
from holdback.core.rules.asking import Action, Case, Doubt, Request, Rule, Ruling, denied
from holdback.core.staffing import absent
from holdback.core.state import Customer, Head, PartKey, evolve, is_past
from holdback.core.texting import texted_again_at, texts_left
from holdback.core.ties import loss_key
from holdback.core.trading import held_proceeds

if TYPE_CHECKING:
    from holdback.core.decision import Facts, Proof
    from holdback.core.policy import Policy
    from holdback.core.state import Session

RULES: Final[dict[type[Action], Rule]] = {
    **account.RULES,
    **session.RULES,
    **password.RULES,
    **authenticator.RULES,
    **contact.RULES,
    **address.RULES,
    **setting.RULES,
    **change.RULES,
    **exits.RULES,
    **notice.RULES,
    **recovery.RULES,
    **incident.RULES,
    **staff.RULES,
    **legal.RULES,
    **agency.RULES,
    **breaker.RULES,
    **api_key.RULES,
    **order.RULES,
    **deposit.RULES,
}
"""Every action that exists, and how it is judged."""


class NotAvailable(Action, frozen=True, tag="not_available"):
    """An action of the catalogue whose subject does not exist yet."""

    name: str


PLANNED: Final = frozenset(
    {
        "policy.publish",
    }
)
"""Names of the catalogue that are answered `deny` with `not_available` for now."""


def action_name(action: Action) -> str:
    """The public name of an action, `subject.verb`."""
    if isinstance(action, NotAvailable):
        return action.name
    return str(type(action).__struct_config__.tag)


class Needs(NamedTuple):
    """What must be loaded before an action is judged; `alike` asks for beneficiaries that look like the one named.

    `counterparty` and `member` are streams that are read and may be written as well: one of them at most is named.
    `first` is one that is read only: who asked first for what a second one of the staff asks now.
    `shared` are keys of what other accounts may have to do with, too.
    `senders` are those whose stops are wanted, and `ties` those of which it is wanted who lost something to accounts
    that have them; both are kept under keys that are among `shared`.
    `agency` is a stream that is read, and so are `spoke`: who of the staff had a word before in a legal request. `pair`
    asks for what is known of a pair, and for the prices of its two assets.
    """

    parts: tuple[PartKey, ...]
    alike: bytes
    asset: str
    counterparty: str
    member: str = ""
    first: str = ""
    agency: str = ""
    spoke: tuple[str, ...] = ()
    pair: str = ""
    shared: tuple[bytes, ...] = ()
    senders: tuple[str, ...] = ()
    ties: tuple[bytes, ...] = ()


def needs(request: Request, peek: Head | None) -> Needs:
    """The parts and facts an action wants. `peek` is the head read without a lock, for rules that say they need it."""
    action = request.action
    rule = RULES.get(type(action))
    parts = rule.parts(request, action, peek) if rule else ()
    if request.actor.kind is ActorKind.API_KEY:
        parts = (*parts, ("api_key", request.actor.key))
    alike = action.address.alike if isinstance(action, address.AddressAdd) and action.address else b""
    asset, counterparty, pair = "", "", ""
    if isinstance(action, order.OrderPlace | order.OrderReport | order.OrderLease):
        counterparty, pair = request.counterparty, action.pair
    elif isinstance(action, exits.ExitRequest):
        asset, counterparty = action.asset, request.counterparty
    elif isinstance(action, recovery.RecoveryFinish):
        asset = action.asset or ""
    elif isinstance(action, exits.ExitRelease):
        held = peek.to_release(action.which) if peek else None
        asset, counterparty = (held.asset, held.counterparty) if held else ("", "")
    elif isinstance(action, exits.ExitCancel | exits.ExitSettle):
        counterparty = _gives_back(request, action, peek)
    member = request.actor.key if request.actor.kind is ActorKind.STAFF else ""
    others = _first(action, peek), legal.agency_of(action, peek), legal.spoke(action, peek)
    senders = inside.in_question(peek.received) if asset and peek is not None and peek.received else ()
    ties = clusters.ties_in_question(peek) if asset and peek is not None and peek.victims else ()
    shared = (*(key for one in request.shared for key in one.keys), *(inside.stop_key(one) for one in senders))
    shared += (*ties, *(loss_key(one) for one in ties))
    return Needs(parts, alike, asset, counterparty, member, *others, pair, shared, senders, ties)


def _gives_back(request: Request, action: exits.ExitCancel | exits.ExitSettle, peek: Head | None) -> str:
    """Who received what two of the staff give back, or what the platform then has moved."""
    sent = peek.sent.get(action.which) if peek is not None else None
    by_staff = request.actor.kind is ActorKind.STAFF
    return sent.counterparty if sent is not None and (by_staff or sent.returned_at) else ""


def _first(action: Action, peek: Head | None) -> str:
    """Who asked first for what a second one of the staff must ask as well."""
    if peek is None:
        return ""
    of_member = peek.member.proposal if isinstance(action, staff.StaffEnrol) and peek.member else None
    of_agency = peek.agency.proposal if isinstance(action, agency.AgencyAdd) and peek.agency else None
    of_breaker = peek.breaker.proposal if isinstance(action, breaker.BreakerReset) and peek.breaker else None
    held = peek.exits.get(action.which) if isinstance(action, exits.ExitRelease | exits.ExitCancel) else None
    of_sale = held.lock.proposal if held is not None and held.lock is not None else None
    of_return = peek.returning.get(action.which) if isinstance(action, exits.ExitCancel) else None
    first = of_member or of_agency or of_breaker or of_sale or of_return
    return first.by if first is not None else ""


class Advance(msgspec.Struct, frozen=True):
    """An answer and everything it writes: this customer's entry, the state after it, the counterparty's events."""

    decision: Decision
    events: tuple[AnyEvent, ...]
    customer: Customer
    elsewhere: tuple[AnyEvent, ...]


def advance(customer: Customer, request: Request, facts: Facts, policy: Policy, now: Instant) -> Advance:
    """Answer one request. `now` is never earlier than the head's last event; the caller sees to that."""
    due: list[AnyEvent] = []
    asking = _asking(customer.head, request, now)
    fault = _key_fault(customer, asking, request, facts, policy, now)
    beat = _heartbeat(customer.head, request, facts, policy, now, used=asking if fault is None else None)
    beat += _signed(customer, request, facts, policy, now) if fault is None else []
    beat += _joint(customer.head, request, facts, policy, now)
    current = customer
    for event in beat:
        current = evolve(current, event)
    if customer.head is not None and facts.clock_agrees and _may_be_due(customer.head):
        due = [*change.due(customer.head, policy, now), *told_now(customer.head, now)]
        due += [*programs.warnings(customer.head, policy, now), *sale.lapsed(customer.head, now)]
        current, due = _with_consequences(current, due, policy, f"{customer.head.seq + 1}-d")
    ruling = _judge(current, request, facts, policy, now, key_fault=fault)
    if _leaves_no_trace(request, ruling, fault):
        return Advance(ruling.decision, (), customer, ())
    caused = list(ruling.events)
    if facts.shared:
        caused += clusters.ties_met(current, facts, caused, policy, now)
    prefix = f"{current.head.seq + 1}-" if current.head else "1-"
    after, caused = _with_consequences(current, caused, policy, prefix, request.actor.session)
    decided = _decided(request, facts, policy, ruling.decision, now)
    if after.head is None:
        return Advance(ruling.decision, (), after, ())
    if customer.head is not None:
        after = evolve(after, decided)
    return Advance(ruling.decision, (decided, *beat, *due, *caused), after, ruling.elsewhere)


def _joint(head: Head | None, request: Request, facts: Facts, policy: Policy, now: Instant) -> list[AnyEvent]:
    """What a cluster gained from victims stays, as soon as one of its accounts asks to let value leave."""
    leaves = isinstance(request.action, exits.ExitRequest | exits.ExitRelease | recovery.RecoveryFinish)
    if head is None or not head.victims or not leaves:
        return []
    return clusters.joint_proceeds(head, facts, policy, now)


def _may_be_due(head: Head) -> bool:
    """Whether anything there could be due, which it seldom is: most questions find nothing to look through."""
    return bool(head.changes or head.untold or head.api_keys or head.exits)


QUIET: Final = (recovery.RecoveryRemind, deposit.DepositReceive)
"""What the system itself asks, and writes nothing of where it is no news."""


def _leaves_no_trace(request: Request, ruling: Ruling, fault: Finding | None) -> bool:
    """Whether nobody proved anything and nothing follows: such sign-ins are counted outside, and told as one.

    Else any stranger could fill an account's log, and see its head move. Nor does a reminder that is not due, or a
    deposit from where others came. Of a program that did not show a key that works, or asks too often, nothing is
    written, whichever refusal comes first: it may be in a loop.
    """
    if isinstance(request.action, QUIET) and request.actor.kind is ActorKind.SYSTEM:
        return isinstance(ruling.decision, Deny)
    if request.actor.kind is ActorKind.API_KEY:
        return fault is not None
    rule = RULES.get(type(request.action))
    anonymous = rule is not None and rule.anonymous and request.actor.kind is ActorKind.OWNER
    return anonymous and not ruling.events and not isinstance(ruling.decision, Allow)


def receive(customer: Customer, events: tuple[AnyEvent, ...], policy: Policy, now: Instant) -> Advance:
    """What a transfer causes in its receiver's stream. The receiver is asked nothing and can refuse nothing."""
    actor = ev.Actor(ActorKind.SYSTEM)
    name = customer.head.account if customer.head else ""
    decided = ev.Decided(now, "value.receive", name, actor, "allow", (), b"", policy.digest, b"", b"")
    after = evolve(customer, decided)
    after, told = _with_consequences(after, list(events), policy, f"{after.head.seq if after.head else 1}-r")
    held = held_proceeds(after.head, policy, now) if after.head is not None and after.head.victims else []
    for event in held:
        after = evolve(after, event)
    return Advance(Deny(()), (decided, *told, *held), after, ())


def attend(  # noqa: PLR0913, PLR0917 - the arguments of `advance`, its answer, and whose stream
    member: Customer, asked: Advance, request: Request, facts: Facts, policy: Policy, now: Instant
) -> Advance:
    """What it leaves in the stream of a member of staff that he asked about another account: that he did, and how.

    Nothing if it was not him. What he does about himself he asks as any owner does. What goes to a customer whom the
    question names is that customer's.
    """
    if member.head is None or facts.staff is None:
        return Advance(asked.decision, (), member, ())
    if facts.staff.fault:
        return _misused(member, asked, request, facts, policy, now)
    used = member.head.sessions.get(request.actor.session)
    beat = _heartbeat(member.head, request, facts, policy, now, used=used)
    own = () if request.counterparty else asked.elsewhere  # what goes to whoever received something is his
    events = (_decided(request, facts, policy, asked.decision, now), *beat, *own)
    after = member
    for event in events:
        after = evolve(after, event)
    return Advance(asked.decision, events, after, ())


def _misused(  # noqa: PLR0913, PLR0917 - as `attend`
    member: Customer, asked: Advance, request: Request, facts: Facts, policy: Policy, now: Instant
) -> Advance:
    """Whoever shows a member's session without its key misuses it; the member is told, once in its life."""
    head = member.head
    session = head.sessions.get(request.actor.session) if head is not None else None
    keyless = facts.staff is not None and facts.staff.fault in {Reason.DEVICE_KEY_REQUIRED, Reason.DEVICE_KEY_WRONG}
    if head is None or session is None or not keyless or session.misused_at:
        return Advance(asked.decision, (), member, ())
    misused = ev.SessionMisused(now, request.actor.session)
    after, events = _with_consequences(member, [misused], policy, f"{head.seq + 1}-m")
    decided = _decided(request, facts, policy, asked.decision, now)
    return Advance(asked.decision, (decided, *events), evolve(after, decided), ())


def _with_consequences(
    customer: Customer, caused: list[AnyEvent], policy: Policy, prefix: str, asking: bytes = b""
) -> tuple[Customer, list[AnyEvent]]:
    after = customer
    for event in caused:
        after = evolve(after, event)
    if after.head is None or not caused:
        return after, caused
    head = after.head
    if head.api_keys:
        stopped = stopped_keys(head, caused)
        for event in stopped:
            after = evolve(after, event)
        caused = [*caused, *stopped]
    follows = consequences(customer.head, after.head or head, caused, policy, prefix, asking=asking)
    for event in follows:
        after = evolve(after, event)
    return after, [*caused, *follows]


def _decided(request: Request, facts: Facts, policy: Policy, decision: Decision, now: Instant) -> ev.Decided:
    return ev.Decided(
        at=now,
        action=action_name(request.action),
        account=request.account,
        actor=request.actor,
        decision=str(type(decision).__struct_config__.tag),
        findings=decision.findings,
        digest=facts.digest,
        policy=policy.digest,
        request=ENCODER.encode(request.action),
        facts=ENCODER.encode(facts),
        device=request.context.device,
        ip=request.context.ip,
    )


SESSION_SEEN_MS: Final = MINUTE
"""How stale a session's last use or last password may be in the state; a write a request would buy nothing."""


def _asking(head: Head | None, request: Request, now: Instant) -> Session | None:
    """The session that asks, if it still counts and it is a session that asks: a sign-in is asked by none."""
    rule = RULES.get(type(request.action))
    if head is None or request.actor.kind is not ActorKind.OWNER or (rule is not None and rule.anonymous):
        return None
    session = head.sessions.get(request.actor.session)
    return session if session is not None and now < session.ends_at() else None


def _signed(customer: Customer, request: Request, facts: Facts, policy: Policy, now: Instant) -> list[AnyEvent]:
    """That an API key signed the request; what it signed is spent whatever is then decided.

    What a key may not ask is no use of it: whoever goes on asking for that does not keep it awake.
    """
    head, key = customer.head, programs.asking(customer.head, request.actor)
    if head is None or key is None or facts.api_key is None:
        return []
    rule = RULES.get(type(request.action))
    asked = request.account, rule.scope if rule is not None else None
    barred = programs.barred(head, key, *asked, facts.api_key, policy, now)
    awake = barred is None and not programs.is_asleep(key, policy, now)
    free = _stops_exit(customer, request, facts, policy, now)
    paced_until = 0 if free else programs.paced(key, asked[1], policy, now)
    return [ev.ApiKeySigned(now, request.actor.key, facts.api_key.nonce, awake, paced_until)]


def _stops_exit(customer: Customer, request: Request, facts: Facts, policy: Policy, now: Instant) -> bool:
    """Whether a key asks to stop an exit that then is stopped, which no pace may delay (law 1).

    It fills no log, for each exit was asked for, and ends but once; what stops nothing counts.
    """
    if not isinstance(request.action, exits.ExitCancel):
        return False
    ruling = _judge(customer, request, facts, policy, now, key_fault=None)
    return any(isinstance(one, ev.ExitCancelled | ev.ExitDisputed) for one in ruling.events)


def _key_fault(  # noqa: PLR0913, PLR0917 - the arguments of `advance`, and the session that asks
    customer: Customer, session: Session | None, request: Request, facts: Facts, policy: Policy, now: Instant
) -> Finding | None:
    """What is wrong with how a device's key, or an API key, was shown; None if nothing is, or nobody shows one.

    It is judged by the state before anything else happens, for a proof that served is spent from then on.
    """
    head = customer.head
    if head is None:
        return None
    if request.actor.kind is ActorKind.API_KEY:
        return _program_fault(customer, request, facts, policy, now)
    if session is None:
        rule = RULES.get(type(request.action))
        if request.actor.kind is not ActorKind.OWNER or rule is None or not rule.anonymous:
            return None
    return devices.key_fault(head, session, facts.device, policy, now)


def _program_fault(customer: Customer, request: Request, facts: Facts, policy: Policy, now: Instant) -> Finding | None:
    """Why a program is not listened to, and nothing of it written: it signed nothing, is stopped, or asks too often."""
    key = programs.asking(customer.head, request.actor)
    fault = programs.unproved(customer, request.actor, facts, policy, now)
    if fault is not None or key is None or customer.head is None:
        return fault
    if key.suspended and _goes_on(customer.head, request.actor.key, facts, policy, now):
        key = replace(key, suspended=False)
    rule = RULES.get(type(request.action))
    fault = programs.stopped(key, now) or programs.too_fast(key, rule.scope if rule is not None else None, policy, now)
    fast = fault is not None and fault.code == Reason.TOO_MANY
    return None if fast and _stops_exit(customer, request, facts, policy, now) else fault


def _goes_on(head: Head, key: str, facts: Facts, policy: Policy, now: Instant) -> bool:
    """Whether a suspended key works again with this very request, for its wait is over."""
    due = change.due(head, policy, now) if facts.clock_agrees else []
    return any(isinstance(one, ev.ApiKeyResumed) and one.api_key == key for one in due)


def _heartbeat(  # noqa: PLR0913 - the arguments of `advance`, and what it found out from them
    head: Head | None, request: Request, facts: Facts, policy: Policy, now: Instant, *, used: Session | None
) -> list[AnyEvent]:
    """What any request tells by itself: that its session is in use, and what the platform says the family owns.

    `used` is None if whoever asks lacks the session's key. A proof of the key is spent whatever is then decided.
    """
    if head is None:
        return []
    events: list[AnyEvent] = []
    if used is not None:
        if used.seen_at + SESSION_SEEN_MS <= now:
            events.append(ev.SessionSeen(now, request.actor.session))
        if used.key and facts.device is not None and devices.has_room_for_proof(head, policy, now):
            until = facts.device.at + policy.sessions.proof_s * 1000
            events.append(ev.DeviceProofSpent(now, request.actor.session, facts.device.id, until))
    said = request.context.equity_micro_usd if head.stream is StreamKind.CUSTOMER else None
    if said is not None and said < head.equity.get(now // DAY, said + 1):
        events.append(ev.EquityStated(now, said))
    return events


def _judge(  # noqa: PLR0913 - the arguments of `advance`, and what it found out from them
    customer: Customer, request: Request, facts: Facts, policy: Policy, now: Instant, *, key_fault: Finding | None
) -> Ruling:
    action = request.action
    if customer.head is None:
        rule = RULES.get(type(action))
        if rule is not None and rule.begins is not None and request.actor.kind in rule.actors:
            return rule.begins(request, action, facts, policy, now)
        return denied(why(Reason.UNKNOWN_ACCOUNT, "account.import", about="account"))
    rule = RULES.get(type(action))
    if rule is None:
        return denied(why(Reason.NOT_AVAILABLE, about="action"))
    case = Case(customer.head, customer, request, facts, policy, now, key_fault=key_fault)
    for guard in GUARDS:
        refusal = guard(case, rule)
        if refusal is not None:
            return Ruling(Deny((refusal,)), _alarm(case, rule) if guard is _shows_key else ())
    objection = rule.objection(case, action)
    if objection is not None:
        return denied(objection)
    level = rule.level(case, action)
    ruling = rule.ruling(case, action) if level is Level.NONE else _proved(case, rule, action, level)
    return (
        ruling
        if _has_room(case, ruling)
        else denied(why(Reason.TOO_MANY, "time", "notice.delivery", about="cool_offs"))
    )


def _entitled(case: Case, rule: Rule) -> Finding | None:
    main, named = case.head.account, case.request.account
    if named != main and named not in {f"{main}.{sub}" for sub in case.head.sub_accounts}:
        return why(Reason.UNKNOWN_ACCOUNT, about="account")
    if case.head.stream not in rule.streams:
        return why(Reason.NOT_ENTITLED, about="account")
    return None if case.request.actor.kind in rule.actors else why(Reason.NOT_ENTITLED, *sorted(rule.actors))


def _staff_attends(case: Case, _rule: Rule) -> Finding | None:
    """Whoever asks as one of the staff must be one, in a session of his own; nothing said means that he is not."""
    if case.request.actor.kind is not ActorKind.STAFF:
        return None
    return absent(case.request.actor, case.facts)


def _key_may(case: Case, rule: Rule) -> Finding | None:
    """An API key that signed must be one that may ask this now."""
    key = programs.asking(case.head, case.request.actor)
    if key is None:
        return None
    return programs.barred(case.head, key, case.request.account, rule.scope, case.facts.api_key, case.policy, case.now)


def _signed_in(case: Case, rule: Rule) -> Finding | None:
    if case.request.actor.kind is not ActorKind.OWNER or rule.anonymous:
        return None
    if rule.by_opener and case.opened_it:
        return None
    if not case.request.actor.session:
        return why(Reason.SESSION_REQUIRED, "session.start")
    return None if case.session is not None else why(Reason.SESSION_ENDED, "session.start")


def _shows_key(case: Case, _rule: Rule) -> Finding | None:
    return case.key_fault


def _alarm(case: Case, rule: Rule) -> tuple[AnyEvent, ...]:
    """Whoever shows a bound session without its key misuses it. Told once in its life: nobody may flood its owner."""
    session = case.session
    if rule.anonymous or session is None or not session.key or session.misused_at:
        return ()
    return (ev.SessionMisused(case.now, case.request.actor.session),)


def _clock_agrees(case: Case, rule: Rule) -> Finding | None:
    in_doubt = rule.loosens and not case.facts.clock_agrees
    return why(Reason.CLOCK_UNCERTAIN, "operator.clock") if in_doubt else None


def _not_too_many_failures(case: Case, rule: Rule) -> Finding | None:
    """Wrong proofs slow the next ones down; an action that needs none, a freeze above all, is never slowed.

    Sign-ins are slowed before they come here, by failures of their own origin: what strangers do delays no session.
    """
    if not case.head.failures or not case.facts.proofs or rule.proofless or rule.anonymous:
        return None
    return slowed_down(Tally(case.head.failures, case.head.failed_at), case.policy, case.now)


def _challenge_fits(case: Case, rule: Rule) -> Finding | None:
    if not case.request.challenge or rule.proofless:
        return None
    challenge = case.head.challenges.get(case.request.challenge)
    if challenge is None:
        return why(Reason.CHALLENGE_UNKNOWN, about="challenge")
    if challenge.until <= case.now:
        return why(Reason.CHALLENGE_EXPIRED, until=challenge.until, about="challenge")
    same = challenge.digest == case.facts.digest and challenge.key == _key_asking(case)
    return None if same else why(Reason.CHALLENGE_OTHER_ACTION, about="challenge")


def _proof_was_kept(case: Case, rule: Rule) -> Finding | None:
    """A proof that there was no room to remember serves nothing, or it could serve twice."""
    proof = case.facts.device
    if proof is None or rule.anonymous or proof.id in case.head.device_proofs:
        return None
    session = case.session
    if session is None or not session.key:
        return None
    return why(Reason.TOO_MANY, "time", until=min(case.head.device_proofs.values()) + 1, about="device_proofs")


def _not_just_recovered(case: Case, rule: Rule) -> Finding | None:
    """Soon after a recovery whoever signs in may read, stop things and bind new authenticators, and nothing else."""
    spared = not rule.loosens or rule.restores or rule.anonymous or case.request.actor.kind is not ActorKind.OWNER
    if spared or case.now >= case.head.weak_until:
        return None
    return why(Reason.RECOVERED_LATELY, "time", until=case.head.weak_until)


GUARDS: Final = (
    _entitled,
    _staff_attends,
    _signed_in,
    _shows_key,
    _key_may,
    _clock_agrees,
    _not_too_many_failures,
    _challenge_fits,
    _proof_was_kept,
    _not_just_recovered,
)
"""What every action passes first, in the order of `Reason`."""


def _has_room(case: Case, ruling: Ruling) -> bool:
    """Whether the head can keep another cool-off and another thing that waits to be heard of.

    Tightening always may: it is the owner's way out.
    """
    bounds, head = case.policy.bounds, case.head
    if len(head.cool_offs) < bounds.cool_offs and len(head.unheard) < bounds.unheard:
        return True
    running = [one for one in head.cool_offs.values() if not is_past(one, case.now)]
    effects = [effect_of(event) for event in ruling.events]
    loose = [one for one in effects if one.direction is not Direction.TIGHTENING]
    if len(running) >= bounds.cool_offs and any(one.cools for one in loose):
        return False
    return len(head.unheard) < bounds.unheard or not any(one.about or one.cools for one in loose)


def _proved(case: Case, rule: Rule, action: Any, level: Level) -> Ruling:  # noqa: ANN401 - the rule's own action
    """Ask the rule if the proofs suffice; else ask for them, or say why none could.

    A code counts if it was sent to the contact that is asked now: whom it is may change while a challenge is open.
    """
    wanted = demand(case.head, level, case.session, case.policy, case.now)
    if wanted.refusal is not None:
        return denied(wanted.refusal)
    open_challenge = case.head.challenges.get(case.request.challenge)
    sent_to = open_challenge.contact if open_challenge else ""
    shown = answering(case.facts.proofs, challenged=open_challenge is not None)
    asked_of = _contact_asked(case, action) if level is Level.EARLY_RELEASE else ""
    proofs = satisfying(case.head, wanted, shown, case.facts.digest, sent_to)
    if proofs is None or (asked_of and sent_to != asked_of):
        return _step_up(case, wanted, asked_of)
    doubt = rule.doubts(replace(case, proved=proofs), action)
    if doubt is not None:
        wanted = replace(wanted, accept=tuple((*kinds, CONTACT_CODE) for kinds in wanted.accept))
        proofs = satisfying(case.head, wanted, case.facts.proofs, case.facts.digest, sent_to)
        if proofs is None or sent_to != doubt.contact:
            return _step_up(case, wanted, doubt.contact, doubt)
    ruling = rule.ruling(replace(case, proved=proofs), action)
    used: list[AnyEvent] = [
        ev.ProofUsed(case.now, one.authenticator, one.counter, one.backed_up) for one in _spendable(proofs)
    ]
    if open_challenge is not None:
        used.append(ev.ChallengeClosed(case.now, case.request.challenge))
    if not rule.anonymous and any(one.kind == AuthenticatorKind.PASSWORD for one in proofs):
        used += _password_shown(case, ruling)
    if case.asleep:
        used.append(ev.ApiKeyWoken(case.now, case.request.actor.key))
    used += _rehashed(case, proofs)
    return Ruling(ruling.decision, (*used, *ruling.events), ruling.elsewhere)


def _rehashed(case: Case, proofs: tuple[Proof, ...]) -> list[AnyEvent]:
    """Secrets that are kept under a stronger hash from now on: of the epoch that was proved, and of no other."""
    return [
        ev.CredentialRehashed(case.now, one.authenticator, one.renewed, one.epoch)
        for one in proofs
        if one.renewed is not None
    ]


def _password_shown(case: Case, ruling: Ruling) -> list[AnyEvent]:
    """That the session proved the password now, unless the ruling ends a session."""
    ends = any(isinstance(event, ev.SessionEnded) for event in ruling.events)
    session = case.session
    if session is None or ends or session.password_at + SESSION_SEEN_MS > case.now:
        return []
    return [ev.SessionSeen(case.now, case.request.actor.session, password=True)]


def _spendable(proofs: tuple[Proof, ...]) -> list[Proof]:
    """The proofs worth an event: a password beside another is spent by nothing, a contact's code with its challenge."""
    own = [one for one in proofs if one.kind != CONTACT_CODE]
    return [one for one in own if one.kind != AuthenticatorKind.PASSWORD] or own


CHALLENGED: Final = RESTRICTED | {AuthenticatorKind.PASSKEY}
"""Kinds whose proof answers something that was made for it: a signature's challenge, a code that was sent."""


def _step_up(case: Case, wanted: Demand, sent_to: str, doubt: Doubt | None = None) -> Ruling:
    """Ask for proof: the challenge that is already open for this very action and contact, or a new one.

    One whose code goes to a contact takes the place of any other for the action: there is one way on at a time. A
    sign-in that needs no code and none of `CHALLENGED` has no challenge of its own, and its failures are counted
    outside; not those of whoever proved all that is held and lacks the contact's code.
    """
    failed, events = _failed(case)
    anonymous = RULES[type(case.request.action)].anonymous
    if anonymous and doubt is None:
        events = []
    findings, told = (doubt.findings, doubt.events) if doubt is not None else ((), ())
    key, until = _open_challenge(case, sent_to)
    tries = case.head.challenges[key].tries + len(failed) if key else 0
    if key and tries >= case.policy.step_up.challenge_tries:
        events.append(ev.ChallengeClosed(case.now, key))
        key = ""
    texts = texts_left(case.head, case.policy, case.now)
    if not key and sent_to and case.head.contacts[sent_to].channel is Channel.SMS:
        if not texts:
            again_at = texted_again_at(case.head, case.policy, case.now)
            too_many = why(Reason.TOO_MANY, "time", until=again_at, about="codes")
            return Ruling(Deny((too_many,)), (*events, *told))
        texts -= 1
    made = sent_to or not CHALLENGED.isdisjoint(kind for kinds in wanted.accept for kind in kinds)
    if not key and anonymous and not made:
        until = _expires(case)
    elif not key:
        key, until = f"s{case.seq}", _expires(case)
        events += _superseded(case, sent_to) or _oldest_closed(case)
        asked = case.facts.digest, wanted.accept, until, sent_to, _key_asking(case)
        events.append(ev.ChallengeIssued(case.now, key, *asked))
    events += _codes_sent(case, wanted, key, texts)
    required = why(Reason.PROOF_REQUIRED, *("+".join(kinds) for kinds in wanted.accept), until=until)
    return Ruling(StepUp((*failed, required, *findings), key, wanted.accept, until), (*events, *told))


def _expires(case: Case) -> Instant:
    """When a challenge that is made now ends; a sign-in's at a full minute, as the name does that it is given outside.

    Else a stranger who asks twice within a minute would see the end of one, and that the name is somebody's.
    """
    anonymous = RULES[type(case.request.action)].anonymous
    made_at = case.now - case.now % MINUTE if anonymous else case.now
    return made_at + case.policy.step_up.challenge_m * MINUTE


def _codes_sent(case: Case, wanted: Demand, key: str, texts: int) -> list[AnyEvent]:
    """Codes to the restricted authenticators that a challenge takes, unless one was just sent or is being shown.

    No more than `texts` of them go by text.

    Only whoever has a session, or has shown the password, makes a telephone ring: to strangers it costs money, and the
    owner his attention (toll fraud, prompt bombing).
    """
    proved = case.session is not None or any(
        one.right and one.kind == AuthenticatorKind.PASSWORD and not spent(case.head, one) for one in case.facts.proofs
    )
    held = {name: case.head.authenticators[name] for name in wanted.usable}
    if not proved and any(one.kind is AuthenticatorKind.PASSWORD for one in held.values()):
        return []
    limits, shown = case.policy.step_up, {one.kind for one in case.facts.proofs}
    known = case.head.challenges.get(key)
    found: list[AnyEvent] = []
    for name in sorted(held):
        one = held[name]
        just = known is not None and case.now < known.codes_at.get(name, 0) + limits.code_again_m * MINUTE
        by_text = one.kind is AuthenticatorKind.SMS
        left = texts if by_text else limits.codes_per_h - sum(at > case.now - HOUR for at in one.codes_at)
        if one.kind in RESTRICTED and one.kind not in shown and not just and left > 0:
            found.append(ev.AuthenticatorAsked(case.now, name, key))
            texts -= by_text
    return found


def _failed(case: Case) -> tuple[list[Finding], list[AnyEvent]]:
    """What was wrong with the proofs shown: nothing if none was, or if they were only too weak."""
    replayed = [one for one in case.facts.proofs if one.right and spent(case.head, one)]
    wrong = [one for one in case.facts.proofs if not one.right]
    if not replayed and not wrong:
        return [], []
    reason = Reason.PROOF_REPLAYED if replayed else Reason.PROOF_WRONG
    if any(one.kind == AuthenticatorKind.PASSKEY for one in replayed):
        reason = Reason.AUTHENTICATOR_CLONED
    kinds = tuple(dict.fromkeys(one.kind for one in (*replayed, *wrong)))
    return [why(reason, *kinds, about="proofs")], [ev.ProofFailed(case.now, kinds, case.request.challenge)]


def _open_challenge(case: Case, sent_to: str) -> tuple[str, Instant]:
    for key, challenge in case.head.challenges.items():
        fits = (not sent_to or challenge.contact == sent_to) and challenge.key == _key_asking(case)
        if challenge.digest == case.facts.digest and challenge.until > case.now and fits:
            return key, challenge.until
    return "", 0


def _superseded(case: Case, sent_to: str) -> list[AnyEvent]:
    """The end of the challenges for this action whose code, if any, goes elsewhere."""
    return [
        ev.ChallengeClosed(case.now, key)
        for key, challenge in case.head.challenges.items()
        if sent_to and challenge.digest == case.facts.digest and challenge.contact != sent_to
    ]


def _key_asking(case: Case) -> str:
    """The API key that asks, "" if none does."""
    return case.request.actor.key if case.request.actor.kind is ActorKind.API_KEY else ""


def _oldest_closed(case: Case) -> list[AnyEvent]:
    """The end of what makes room for one more. Each key has its own: whoever stole one closes none of the owner's."""
    asking, policy = _key_asking(case), case.policy
    open_ones = {name: one for name, one in case.head.challenges.items() if one.key == asking}
    alive = [name for name, one in open_ones.items() if one.until > case.now]
    most = policy.api_keys.challenges_open if asking else policy.step_up.challenges_open
    surplus = len(alive) - most + 1
    return [ev.ChallengeClosed(case.now, key) for key in alive[: max(surplus, 0)]]


def _contact_asked(case: Case, action: exits.ExitRelease) -> str:
    return exits.confirming(case, case.head.exits[action.which])
