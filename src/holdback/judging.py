"""One transaction's worth of customers: questions are judged against them in order, and what must be written piles up.

A `Unit` lives inside one transaction of `service.Service._commit`. It touches no store: it is given what was loaded,
and gives back what to write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from holdback import dpop
from holdback.agencies import answered, in_force, letter, meant, planned
from holdback.answers import LeaseForm, SessionForm, answer_body, answer_form, shown_before
from holdback.core import decide
from holdback.core import events as ev
from holdback.core.breaker import COUNTED, Flow, flow_of
from holdback.core.decision import Allow, Deny, MarketFact, PriceFact, Reason, StepUp
from holdback.core.events import DAY, ENCODER, HOUR, ActorKind, AuthenticatorKind, StreamKind
from holdback.core.evidence import SIGNATURE
from holdback.core.hold_life import news
from holdback.core.inside import stops
from holdback.core.ledger import GENESIS, Entry, link
from holdback.core.rules.api_key import ApiKeyCreate
from holdback.core.rules.clusters import are_kin, meets, ties_of
from holdback.core.rules.elsewhere import ADDRESS
from holdback.core.rules.exit import ExitCancel
from holdback.core.rules.legal import LegalFreezeOrder, LegalReceive, LegalRelease, agency_fact, agency_of, spoke
from holdback.core.rules.recovery import RecoveryOpen
from holdback.core.rules.returning import still_held
from holdback.core.rules.session import SessionStart
from holdback.core.rules.staff import StaffLookUp
from holdback.core.staffing import attending
from holdback.core.state import NOBODY, Customer
from holdback.core.waiting import is_unchanged, items
from holdback.look_up import seen
from holdback.pair_index import PairIndex
from holdback.ports import (
    Answer,
    DeskRow,
    FlowRow,
    NoticeRow,
    PartRow,
    Price,
    StoreUnavailable,
    Wanted,
    WebhookRow,
    Writes,
)
from holdback.receipts import RETURNED, Receipt
from holdback.sharing import (
    Meeting,
    facts_of,
    lists_of,
    losses_of,
    lost_lately,
    sighted,
    stop_of,
    stopped_lately,
)
from holdback.signing import Called
from holdback.wording.asked import asked_line
from holdback.wording.words import instant_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdback.agencies import Grant, Packed
    from holdback.ahead import Reading
    from holdback.answers import AnswerForm, ChallengeForm
    from holdback.core.decide import Advance
    from holdback.core.decision import AgencyFact, Facts, SenderFact, SharedFact, StaffFact
    from holdback.core.events import AnyEvent, Instant
    from holdback.core.policy import Policy
    from holdback.core.rules.asking import Request
    from holdback.core.state import Head
    from holdback.papers import Papers
    from holdback.ports import Envelopes, FaceCheck, Loaded, Sighting, Snapshot
    from holdback.receipts import ReceiptKeys
    from holdback.sealing import CustomerKey, MasterKeys
    from holdback.signing import Holder, Signing
    from holdback.snapshots import Snapshots
    from holdback.watching import Canaries


class KeyReused(Exception):
    """This idempotency key was used before, with another body."""


class ChallengeRefused(Exception):
    """The challenge that a question names is unknown, expired or another action's, as `reason` says."""

    def __init__(self, reason: Reason) -> None:
        """Say why."""
        super().__init__(reason.value)
        self.reason = reason


CHALLENGE: Final = frozenset({Reason.CHALLENGE_UNKNOWN, Reason.CHALLENGE_EXPIRED, Reason.CHALLENGE_OTHER_ACTION})
"""Refusals of the question itself rather than of what it asks for: outside they are problems, and leave no trace."""


class Asked(NamedTuple):
    """A question ready to be judged. `shown` and `token` reach the owner once, with the answer.

    `answer_to` is the caller, the idempotency key and the question's digest, None if the answer need not be kept.
    `new_key` and `sign_in_name` come with an import. `sent` are notices that this question reports as sent. `ahead` is
    what was read of `wanted` already, if it was all of it. `holder` is who asks, for passkeys that may sign.
    `outside` is what a sign-in calls its challenge, whose own name never leaves. `first` is who of the staff asked the
    same before. `package` is what would be disclosed. `senders` are those whose stops are among what was loaded,
    and `ties` those of which it is loaded who lost something by them.
    `receiver` is the account that the action names, of the customer `request.counterparty`.
    """

    request: Request
    facts: Facts
    wanted: tuple[Wanted, ...]
    dry_run: bool = False
    answer_to: tuple[str, str, bytes] | None = None
    shown: Mapping[str, object] = {}
    token: str = ""
    asset: str = ""
    pair: str = ""
    new_key: bytes = b""
    sign_in_name: bytes = b""
    sent: tuple[str, ...] = ()
    ahead: Reading | None = None
    holder: Holder | None = None
    outside: str = ""
    first: str = ""
    package: Packed | None = None
    senders: tuple[str, ...] = ()
    ties: tuple[bytes, ...] = ()
    receiver: str = ""

    @property
    def leans_on_others(self) -> bool:
        """Whether it is judged by streams that it does not write: whoever writes those meanwhile must wait."""
        return self.request.actor.kind in {ActorKind.STAFF, ActorKind.AGENCY}


class Tools(NamedTuple):
    """What every unit needs: policy, keys, and the issuer that receipts name.

    Without `papers` none is read here, without `envelopes` nothing is disclosed, without `faces` no face is looked at.
    `tells_platform`: this process posts to the platform's webhook what becomes of holds, and so writes it down.
    """

    policy: Policy
    masters: MasterKeys
    snapshots: Snapshots
    receipts: ReceiptKeys
    issuer: str
    signing: Signing
    canaries: Canaries
    papers: Papers | None = None
    envelopes: Envelopes | None = None
    faces: FaceCheck | None = None
    tells_platform: bool = False


class _Standing(NamedTuple):
    """A customer as it stands inside the unit, the number it was loaded with (0: it did not exist), and its new row."""

    customer: Customer
    link: bytes
    key: bytes
    loaded_seq: int
    row: Snapshot | None = None


class Unit:
    """Judges questions against loaded customers. Not safe to share; made anew for each transaction."""

    def __init__(self, tools: Tools, loaded: Loaded, second_source: Instant, lately: Sequence[Sighting] = ()) -> None:
        """Take what was loaded; `second_source` is the time by the other clock, as of now.

        `lately` are sightings that others wrote since something may have been loaded.
        """
        self._tools = tools
        self._lately = lately
        self._loaded = loaded
        self._tolerance_ms = tools.policy.signals.clock_tolerance_s * 1000
        self._second_source = second_source
        self._clock_agrees = abs(loaded.now - second_source) <= self._tolerance_ms
        self._standing: dict[str, _Standing] = {}
        self._entries: list[Entry] = []
        self._parts: list[PartRow] = []
        self._notices: list[NoticeRow] = []
        self._answers: dict[tuple[str, str], Answer] = dict(loaded.answers)
        self._new_answers: list[Answer] = []
        self._names: list[tuple[bytes, str]] = []
        self._sent: list[str] = []
        self._sightings: list[Sighting] = []
        self._waiting: list[tuple[tuple[str, str, str], DeskRow | None]] = []
        self._webhooks: list[WebhookRow] = []
        self._flows: list[tuple[Instant, Flow]] = []
        self._tripped_at: list[Instant] = []

    def judge(self, asked: Asked) -> bytes:
        """The answer to one question, as JSON.

        Raises KeyReused, ChallengeRefused or snapshots.Tampered, and then writes nothing.
        """
        standing, lengths = dict(self._standing), [len(one) for one in self._piles]
        try:
            return self._judged(asked)
        except Exception:
            self._standing = standing
            for pile, length in zip(self._piles, lengths, strict=True):
                del pile[length:]
            raise

    @property
    def _piles(self) -> tuple[list[Any], ...]:
        written = self._entries, self._parts, self._notices, self._new_answers, self._names
        return *written, self._sent, self._waiting, self._webhooks, self._sightings, self._flows, self._tripped_at

    def _judged(self, asked: Asked) -> bytes:
        main = asked.request.account.partition(".")[0]
        standing = self._stand(main)
        if asked.answer_to is not None:
            kept = self._kept(asked.answer_to, main, standing.key or asked.new_key)
            if kept is not None:
                return kept
        if asked.new_key and standing.key and not asked.sign_in_name:
            # Sealed under a key that was made for a stream there was not yet; an import would be denied in any case.
            raise StoreUnavailable("two began this stream at the same moment")
        now = self._now(standing.customer)
        facts = self._facts(asked, now)
        step = decide.advance(standing.customer, asked.request, facts, self._tools.policy, now)
        if isinstance(step.decision, Deny) and step.decision.findings[0].code in CHALLENGE:
            raise ChallengeRefused(Reason(step.decision.findings[0].code))
        if asked.dry_run:
            return answer_body(self._form(asked, step, standing), {})
        if step.events:
            if asked.request.shared and meets(standing.customer, step.events):
                self._sightings += sighted(asked.request.shared, Meeting(main, now // DAY), self._loaded)
            standing = self._write(main, standing, step, asked, now)
            if step.elsewhere and asked.request.counterparty:
                self._elsewhere(asked.request.counterparty, step.elsewhere, now)
            if facts.staff is not None and asked.request.actor.key != main:
                self._attended(step, asked.request, facts, now)
        self._sent += asked.sent
        form, once = self._answer(asked, step, standing, now)
        body = answer_body(form, once)
        if asked.answer_to is not None and standing.key:
            kept = answer_body(form, shown_before(once)) if isinstance(asked.request.action, ApiKeyCreate) else body
            self._keep(asked.answer_to, main, standing.key, kept, now)
        return body

    def writes(self) -> Writes:
        """Everything that the judged questions made necessary."""
        return Writes(
            self._entries,
            [(one.loaded_seq, one.row) for one in self._standing.values() if one.row is not None],
            self._parts,
            self._notices,
            self._new_answers,
            self._names,
            self._sent,
            *self._desk(),
            sightings=self._sightings,
            webhooks=self._webhooks,
            flows=self._flowed(),
            tripped_at=self._tripped_at,
            as_of=self._loaded.now,
        )

    @property
    def _is_told(self) -> bool:
        """Whether news of holds is written down: somebody posts it, this process or another one lately."""
        said_at, now = self._loaded.hooked_at, self._loaded.now
        return self._tools.tells_platform or (said_at > 0 and said_at + TOLD_FOR_MS > now)

    def _flowed(self) -> list[FlowRow]:
        """What left in this transaction that the circuit breaker counts: a row an instant, which nobody else writes."""
        totals: dict[Instant, Flow] = {}
        for at, flow in self._flows:
            totals[at] = totals.get(at, Flow()).plus(flow)
        return [FlowRow(at, *total) for at, total in totals.items() if any(total)]

    def _desk(self) -> tuple[list[DeskRow], list[tuple[str, str, str]]]:
        """What changed of what waits for people: rows to put there, and those that are gone."""
        last = dict(self._waiting)
        return [row for row in last.values() if row is not None], [key for key, row in last.items() if row is None]

    def _put_on_desk(self, account: str, before: Head | None, head: Head) -> None:
        """Note what one entry changed of what waits: rows new or other than they were, and None for those gone."""
        if is_unchanged(before, head):
            return
        rows = desk_rows(account, head, self._tools.policy)
        old = desk_rows(account, before, self._tools.policy) if before is not None else []
        self._waiting += [(row[:3], row) for row in rows if row not in old]
        kept = {row[:3] for row in rows}
        self._waiting += [(row[:3], None) for row in old if row[:3] not in kept]

    def _now(self, customer: Customer) -> Instant:
        """The database's time, never earlier than the customer's last event (another replica may be a moment ahead)."""
        return max(self._loaded.now, customer.head.at if customer.head else 0)

    def _stand(self, account: str) -> _Standing:
        standing = self._standing.get(account)
        if standing is None:
            row = self._loaded.snapshots.get(account)
            if row is None:
                return _Standing(NOBODY, GENESIS, b"", 0)
            customer = self._tools.snapshots.customer(row, self._loaded.parts.get(account, []))
            standing = self._standing[account] = _Standing(customer, row.link, row.key, row.seq)
        return standing

    def _kept(self, answer_to: tuple[str, str, bytes], account: str, wrapped: bytes) -> bytes | None:
        caller, key, digest = answer_to
        kept = self._answers.get((caller, key))
        if kept is None:
            return None
        sealing = self._tools.snapshots.key_of(account, wrapped)
        if kept.body_digest != kept_digest(sealing, digest):
            raise KeyReused(key)
        return sealing.open_bytes(kept.answer, field="answer")

    def _keep(self, answer_to: tuple[str, str, bytes], account: str, wrapped: bytes, body: bytes, now: Instant) -> None:
        caller, key, digest = answer_to
        sealing = self._tools.snapshots.key_of(account, wrapped)
        answer = Answer(caller, key, kept_digest(sealing, digest), sealing.seal_bytes(body, field="answer"), now)
        self._answers[caller, key] = answer
        self._new_answers.append(answer)

    def _facts(self, asked: Asked, now: Instant) -> Facts:
        price = self._price(asked.asset)
        market = self._market(asked.pair) if asked.pair else None
        other = asked.request.counterparty
        shared, dust_day = self._shared(asked, now)
        payable = any(one.kind == ADDRESS for one in shared)
        staff = self._staff(asked, now) if asked.request.actor.kind is ActorKind.STAFF else None
        agrees = self._clock_agrees and now - self._loaded.now <= self._tolerance_ms
        return msgspec.structs.replace(
            asked.facts,
            price=PriceFact(price.asset, price.micro_usd, price.at) if price else None,
            market=market,
            clock_agrees=agrees,
            ahead_ms=0 if agrees else max(0, self._second_source - now),
            reconciling=self._loaded.reconciling,
            tripped_at=self._loaded.tripped_at,
            looked_at=self._loaded.looked_at,
            counterparty_known=bool(other) and _receives(self._stand(other).customer.head, asked.receiver),
            staff=staff,
            agency=self._agency(asked, now),
            package=self._package(asked, now),
            shared=shared,
            lists=lists_of(asked.request.shared, self._loaded, self._tools.masters.ids) if payable else (),
            dust_day=dust_day,
            senders=self._senders(asked, now) if asked.senders else (),
            still_held_micro_usd=self._still_held(asked, now) if staff is not None else 0,
            **self._cluster(asked, now),
        )

    def _cluster(self, asked: Asked, now: Instant) -> dict[str, Any]:
        """What others gained who share a tie with this account, and what it shares with whom an order names."""
        trades = self._tools.policy.trades
        if asked.ties:
            longest_h = trades.victims_proceeds_h + -(-trades.victims_m // 60) + 1  # windows are of full hours
            since = now // HOUR * HOUR - longest_h * HOUR
            return {"losses": lost_lately(asked.ties, self._loaded, [*self._lately, *self._sightings], since)}
        other = self._stand(asked.request.counterparty).customer.head if asked.pair else None
        own = self._subject(asked)
        if other is None or own is None or not other.ties:
            return {}
        policy = self._tools.policy
        return {"counterparty_ties": ties_of(other, policy, now), "kin": are_kin(own, other, policy, now)}

    def _price(self, name: str) -> Price | None:
        """What the feed said of an asset or pair. Nothing if that is of a time to come: the clock went back since."""
        row = self._loaded.prices.get(name)
        return row if row is not None and row.at <= self._loaded.now + self._tolerance_ms else None

    def _market(self, pair: str) -> MarketFact:
        """What the feed knows of a pair and of its two assets; what it does not know is 0."""
        row = self._price(pair)
        index = PairIndex.of(row) if row is not None else PairIndex(pair, "", 0)
        base, quote = (self._price(asset) or Price(asset, 0, 0) for asset in pair.split("/"))
        known = index.reference, index.half_range_ppm, index.at
        return MarketFact(pair, *known, quote.micro_usd, quote.at, base.micro_usd, base.at, index.storm_ppm)

    def _shared(self, asked: Asked, now: Instant) -> tuple[tuple[SharedFact, ...], int]:
        """What other accounts have to do with what this is about, those of this batch too."""
        shared, account = asked.request.shared, asked.request.account.partition(".")[0]
        if not shared:
            return (), 0
        window_d = self._tools.policy.shared.address_window_d
        new = [*self._lately, *self._sightings]
        return facts_of(shared, Meeting(account, now // DAY), self._loaded, new, window_d)

    def _agency(self, asked: Asked, now: Instant) -> AgencyFact | None:
        """What the registry says of the agency that is asked for, by the agency's own stream."""
        action, head = asked.request.action, self._subject(asked)
        name = agency_of(action, head)
        if not name:
            return None
        said = answered(self._tools.masters, action, head, now)
        return agency_fact(name, self._stand(name).customer.head, now, answered=said)

    def _senders(self, asked: Asked, now: Instant) -> tuple[SenderFact, ...]:
        """When those were stopped from whom value came that still waits, or may have to."""
        longest_h = self._tools.policy.outflow.received_from_cooling_h + 1  # waits end at full hours
        since = now // HOUR * HOUR - longest_h * HOUR
        return stopped_lately(asked.senders, self._loaded, [*self._lately, *self._sightings], since)

    def _still_held(self, asked: Asked, now: Instant) -> int:
        """How much of what an exit sent still waits where it went, by the receiver's own stream."""
        action, other = asked.request.action, asked.request.counterparty
        if not isinstance(action, ExitCancel) or not other:
            return 0
        receiver = self._stand(other).customer.head
        return still_held(self._subject(asked), action.which, receiver, self._tools.policy, now)

    def _package(self, asked: Asked, now: Instant) -> bytes:
        """The digest of what would be disclosed; nothing if that was made for anything but what is disclosed now."""
        made = asked.package
        return made.digest if made is not None and made.grant == self._meant(asked, now) else b""

    def _meant(self, asked: Asked, now: Instant) -> Grant | None:
        action, head = asked.request.action, self._subject(asked)
        if not isinstance(action, LegalRelease):
            return None
        return meant(action, head, in_force(self._stand(agency_of(action, head)).customer.head, now), now)

    def to_disclose(self, asked: Asked) -> Grant | None:
        """What a question would disclose if there were a package; None if the core would refuse it in any case."""
        customer = self._stand(asked.request.account.partition(".")[0]).customer
        now = self._now(customer)
        grant = self._meant(asked, now)
        if grant is None:
            return None
        facts = self._facts(asked._replace(package=planned(grant)), now)
        step = decide.advance(customer, asked.request, facts, self._tools.policy, now)
        return grant if any(isinstance(one, ev.LegalDisclosed) for one in step.events) else None

    def _subject(self, asked: Asked) -> Head | None:
        return self._stand(asked.request.account.partition(".")[0]).customer.head

    def _staff(self, asked: Asked, now: Instant) -> StaffFact:
        """Who of the staff asks, by the member's own stream."""
        actor, subject = asked.request.actor, asked.request.account.partition(".")[0]
        canary = self._tools.canaries.chosen(subject)
        own, about, first = (self._stand(one).customer.head for one in (actor.key, subject, asked.first))
        clerks = [self._stand(one).customer.head for one in spoke(asked.request.action, about)]
        heads = (own, about, first)
        return attending(actor, heads, asked.facts.device, self._tools.policy, now, canary=canary, clerks=clerks)

    def _write(self, account: str, standing: _Standing, step: Advance, asked: Asked, now: Instant) -> _Standing:
        wrapped = standing.key or asked.new_key
        if asked.sign_in_name and not standing.key:
            self._names.append((asked.sign_in_name, account))
        return self._append(account, standing._replace(key=wrapped), step, now)

    def _append(self, account: str, standing: _Standing, step: Advance, now: Instant) -> _Standing:
        """Add one entry to a customer's chain, and the rows that keep the customer after it, while they are at hand."""
        customer = step.customer
        if customer.head is None:  # pragma: no cover - what happens, happens to somebody
            return standing
        snapshots, seq = self._tools.snapshots, customer.head.seq
        body = ENCODER.encode(step.events)
        chained = link(account, seq, standing.link, body)
        self._entries.append(Entry(account, seq, body, chained))
        for event in step.events:
            if isinstance(event, ev.NoticeDue):
                self._notices += [
                    NoticeRow(
                        f"{account}/{event.notice}/{contact}", account, seq, event.notice, contact, event.due_at or now
                    )
                    for contact in event.contacts
                ]
            elif stops(event):
                self._sightings.append(stop_of(account, event.at))
            elif isinstance(event, COUNTED):
                # What a restore forgot left when it did: counted as of today, a reconciliation would trip the breaker.
                left_at = event.paid_at if isinstance(event, ev.ExitReconciled) else self._loaded.now
                self._flows.append((left_at, flow_of(standing.customer, event, self._tools.policy)))
            elif isinstance(event, ev.BreakerTripped | ev.BreakerReset):
                self._tripped_at.append(event.at if isinstance(event, ev.BreakerTripped) else 0)
        before = standing.customer.parts
        for key, part in customer.parts.items():
            if before.get(key) is not part:
                self._parts.append(snapshots.part_row(account, key, part))
        self._put_on_desk(account, standing.customer.head, customer.head)
        if self._is_told and standing.customer.head is not None:
            self._webhooks += webhook_rows(standing.customer.head, customer.head, now, chained)
        row = snapshots.row(customer.head, chained, standing.key)
        after = self._standing[account] = _Standing(customer, chained, standing.key, standing.loaded_seq, row)
        return after

    def _elsewhere(self, account: str, events: tuple[AnyEvent, ...], now: Instant) -> None:
        """What a transfer causes in its receiver's stream, in the same transaction."""
        standing = self._stand(account)
        at = max(now, self._now(standing.customer))
        after = self._append(account, standing, decide.receive(standing.customer, events, self._tools.policy, at), at)
        for event in events:
            if isinstance(event, ev.ProceedsSeen) and after.customer.head is not None:
                self._sightings += losses_of(after.customer.head, event.victim, at)

    def _attended(self, step: Advance, request: Request, facts: Facts, now: Instant) -> None:
        """What one of the staff did, in his own stream, in the same transaction."""
        standing = self._stand(request.actor.key)
        at = max(now, self._now(standing.customer))
        attended = decide.attend(standing.customer, step, request, facts, self._tools.policy, at)
        if attended.events:
            self._append(request.actor.key, standing, attended, at)

    def _answer(
        self, asked: Asked, step: Advance, standing: _Standing, now: Instant
    ) -> tuple[AnswerForm, dict[str, object]]:
        """The answer, and what of it is shown once."""
        form = self._form(asked, step, standing)
        once: dict[str, object] = {}
        if isinstance(step.decision, StepUp) and form.challenge is not None:
            once["challenge"] = self._to_sign(asked, step, form.challenge, now)
        if isinstance(step.decision, Allow) and standing.customer.head is not None:
            once["receipt"] = self._receipt(asked, step, standing, now)
            if asked.token and asked.facts.link is None:
                until = self._token_until(asked, step.customer.head, now)
                once["session"] = SessionForm(asked.token, instant_text(until), dpop.token_text(asked.token))
            if isinstance(asked.request.action, StaffLookUp):
                once["customer"] = self._seen(asked.request.action, standing, now)
            once |= self._for_agency(asked, step, now) | _leased(step)
            if asked.shown:
                once["enrolment"] = {"authenticator": step.decision.id, **asked.shown}
        return form, once

    def _for_agency(self, asked: Asked, step: Advance, now: Instant) -> dict[str, object]:
        """What only an agency opens: the letter with its phrase as a request comes in, the package as it is granted."""
        action, request = asked.request.action, asked.request
        if isinstance(action, LegalReceive | LegalFreezeOrder) and isinstance(step.decision, Allow):
            name = agency_of(action, None)
            entry = in_force(self._stand(name).customer.head, now)
            about = request.account.partition(".")[0], (step.decision.id, now), action.agency
            return {"letter": letter(self._tools.masters, self._tools.envelopes, *about, entry)}
        made = asked.package
        if made is None or not any(isinstance(one, ev.LegalDisclosed) for one in step.events):
            return {}
        return {"package": made.form()}

    def _seen(self, action: StaffLookUp, standing: _Standing, now: Instant) -> dict[str, object]:
        head = standing.customer.head
        assert head is not None  # noqa: S101 - nobody is read who does not exist
        opened = self._tools.snapshots.key_of(head.account, standing.key).open
        return seen(action, head, opened, self._tools.policy, now)

    def _token_until(self, asked: Asked, head: Head | None, now: Instant) -> Instant:
        """When a new token ends at the latest: a session's, or that of a recovery in which nothing more is done."""
        if isinstance(asked.request.action, RecoveryOpen) or head is None:
            return now + self._tools.policy.recovery.expires_d * DAY
        return head.sessions[asked.facts.token].until

    def _form(self, asked: Asked, step: Advance, standing: _Standing) -> AnswerForm:
        """The answer, with what its owner would confirm in words if more proof is asked for."""
        said = ""
        if isinstance(step.decision, StepUp):
            key = self._tools.snapshots.key_of(asked.request.account.partition(".")[0], standing.key)
            said = asked_line(asked.request.action, key.open, standing.customer)
        decision = step.decision
        if isinstance(decision, StepUp) and asked.outside:
            decision = msgspec.structs.replace(decision, challenge=asked.outside)
        return answer_form(decision, self._tools.policy.digest, standing.link, said)

    def _to_sign(self, asked: Asked, step: Advance, form: ChallengeForm, now: Instant) -> ChallengeForm:
        """The challenge, with what a browser needs if a passkey may answer it, or a wallet if an address's key may.

        At a sign-in nobody has proved anything yet, so passkeys that a browser finds by itself are not named.
        """
        decision, head = step.decision, step.customer.head
        assert isinstance(decision, StepUp)  # noqa: S101 - the only answer with a challenge
        if head is not None and (SIGNATURE,) in decision.accept:
            message = self._tools.signing.address_message(head, decision.challenge)
            return msgspec.structs.replace(form, message=message)
        wanted = any(AuthenticatorKind.PASSKEY in kinds for kinds in decision.accept)
        if asked.holder is None or not wanted:
            return form
        times = (now, decision.expires_at)
        named = not isinstance(asked.request.action, SessionStart)
        digest = asked.facts.digest
        called = Called(decision.challenge, asked.outside)
        request = self._tools.signing.request(asked.holder, called, digest, times, named=named)
        return msgspec.structs.replace(form, **request) if request else form

    def _receipt(self, asked: Asked, step: Advance, standing: _Standing, now: Instant) -> str:
        """A receipt for the exact action; for a released exit, for the action that asked for it.

        The id names account, entry and the start of its link: a restored store may write other entries of that number.
        Of an exit it names the exit and when it was asked for, so that all its receipts are one.
        """
        paid = next((one for one in step.events if isinstance(one, ev.ExitAllowed)), None)
        seq = standing.customer.head.seq if standing.customer.head else 0
        account = paid.account if paid else asked.request.account
        once = paid.receipt if paid else f"{account.partition('.')[0]}/{seq}/{standing.link[:4].hex()}"
        receipt = Receipt(
            issuer=self._tools.issuer,
            account=account,
            action_digest=paid.digest if paid else asked.facts.digest,
            decision="allow",
            policy=self._tools.policy.digest,
            head=standing.link,
            issued_at=now // 1000,
            expires_at=now // 1000 + RECEIPT_S,
            id=once,
            kind=paid.kind if paid else "",
            usd=_usd(paid.micro_usd) if paid else "",
            to=asked.request.counterparty if paid and step.elsewhere else "",
            seq=seq,
        )
        return self._tools.receipts.sign(_given_back(receipt, asked, standing.customer.head))


def _given_back(receipt: Receipt, asked: Asked, head: Head | None) -> Receipt:
    """The receipt that value goes back to who sent it, if that is what two of the staff asked for.

    It is named by the exit and its instant, so that it is the same one however often it is asked for, and whatever
    store is restored meanwhile: the signer consumes it once.
    """
    action = asked.request.action
    sent = head.sent.get(action.which) if head is not None and isinstance(action, ExitCancel) else None
    if sent is None or head is None or not sent.returned_at or not isinstance(action, ExitCancel):
        return receipt
    name = f"{head.account}/{action.which}/{sent.named_at}"
    return msgspec.structs.replace(receipt, id=name, kind=RETURNED, usd=_usd(sent.micro_usd), to=sent.counterparty)


def _usd(micro_usd: int) -> str:
    return f"{micro_usd // 1_000_000}.{micro_usd % 1_000_000:06}"


def _leased(step: Advance) -> dict[str, object]:
    """A lease that was just granted."""
    granted = next((one for one in step.events if isinstance(one, ev.LeaseGranted)), None)
    if granted is None:
        return {}
    usd, quote = _usd(granted.micro_usd), _usd(granted.terms.quote_micro_usd)
    seconds, until = (granted.until - granted.at) // 1000, instant_text(granted.until)
    return {"lease": LeaseForm(granted.pair, usd, seconds, until, granted.terms.reference, quote)}


def _receives(head: Head | None, account: str) -> bool:
    """Whether this is a customer, who has the sub-account if one is named."""
    sub_account = account.partition(".")[2]
    return _is_customer(head) and (not sub_account or (head is not None and sub_account in head.sub_accounts))


def _is_customer(head: Head | None) -> bool:
    return head is not None and head.stream is StreamKind.CUSTOMER


def desk_rows(account: str, head: Head, policy: Policy) -> list[DeskRow]:
    """What waits of one account, as its rows are kept."""
    return [
        DeskRow(account, one.kind, one.id, one.opened_at, one.due_at, one.wake_at, one.waits_for.value, one.role)
        for one in items(head, policy)
    ]


def webhook_rows(before: Head, after: Head, now: Instant, chained: bytes) -> list[WebhookRow]:
    """What the platform is told of one entry, as its rows are kept; `place` goes on from entry to entry.

    The id names the start of the entry's link: a restored store may write other entries of that number, and a receiver
    passes over an id that it knows.
    """
    return [
        WebhookRow(
            f"{after.account}/{after.seq}/{chained[:4].hex()}-{number}",
            after.account,
            after.seq * NEWS_MOST + number,
            one.kind.value,
            one.which,
            one.until,
            one.due_at,
        )
        for number, one in enumerate(news(before, after, now))
    ]


TOLD_FOR_MS: Final = 7 * DAY
"""For so long after the last server with an endpoint stopped, news is written down by all others: longer than any
outage, and yet a platform that took to polling has no endless pile of it."""

NEWS_MOST = 1_000
"""More than one entry can cause: two for each hold, of which `bounds.waiting_exits` wait at most, and a few more."""


def kept_digest(sealing: CustomerKey, digest: bytes) -> bytes:
    """A question's digest as it is kept: under the customer's key, for the body may hold a password to be guessed.

    Not under a master key: a question asked again after a rotation is still the same one.
    """
    return sealing.mac(digest.hex(), field="question")


RECEIPT_S = 60
"""How long a receipt may wait for the signer, in seconds (design section 6)."""
