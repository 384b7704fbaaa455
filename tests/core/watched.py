"""An account on which every law is checked at every step, whoever asks and whatever is asked.

`Watched.submit` asks the core and the twin, and then holds the answer, what was written and the state after it against
the laws of the design. Each check is a function whose docstring is the law; none of them knows how the core works.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec.structs import replace
from tests.core.histories import POLICY, USD, Account, kind_of
from tests.core.past import STRENGTH, Past
from tests.core.twin import Answer, Traded, Twin

from holdback.core import decide, ledger
from holdback.core import events as ev
from holdback.core.decision import Allow, Context, Deny, Hold, Reason, StepUp
from holdback.core.events import DAY, ENCODER, HOUR, MINUTE, AnyEvent, ChangeKind, Lane, decode_events, stored_decoder
from holdback.core.inside import MARKS_KEPT
from holdback.core.profile import Profile
from holdback.core.rules.account import AccountFreeze, AccountUnfreeze
from holdback.core.rules.address import AddressAdd, AddressRenew
from holdback.core.rules.exit import ExitRelease, ExitRequest
from holdback.core.rules.incident import IncidentReport
from holdback.core.rules.recovery import RecoveryEvidence, RecoveryFinish
from holdback.core.rules.session import SessionStart
from holdback.core.seniority import ripe_at
from holdback.core.state import NOBODY, Beneficiary, Credential, Customer, Device, Head, Program, evolve
from holdback.core.trade_meter import TradeMeter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.core.past import Authenticator, HeldExit

    from holdback.core.decision import Decision, Facts
    from holdback.core.events import Instant
    from holdback.core.policy import Policy
    from holdback.core.rules.asking import Request
    from holdback.core.state import Wait

HEAD: Final = stored_decoder(Head)
PARTS: Final = {one: stored_decoder(one) for one in (Beneficiary, Device, Credential, Profile, Program, TradeMeter)}

LOOSENINGS: Final = (
    ev.ExitAllowed,
    ev.ExitLocked,
    ev.ExitHeld,
    ev.ChangeAsked,
    ev.ChangeDone,
    ev.Unfrozen,
    ev.AuthenticatorBound,
    ev.AuthenticatorConfirmed,
    ev.AuthenticatorReinstated,
    ev.AuthenticatorRemoved,
    ev.SecretReplaced,
    ev.ContactAdded,
    ev.ContactConfirmed,
    ev.ContactRemoved,
    ev.AddressAdded,
    ev.AddressRenewed,
    ev.LegalDisclosed,
    ev.LegalThawed,
    ev.ExitReturned,
)
"""What law 8 forbids while the clock is in doubt."""

CHANGES_NOTHING: Final = (
    ev.Decided,
    ev.ProofFailed,
    ev.ProofUsed,
    ev.ChallengeIssued,
    ev.ChallengeClosed,
    ev.AuthenticatorAsked,
    ev.SessionSeen,
    ev.DeviceProofSpent,
    ev.EquityStated,
    ev.NoticeDue,
    ev.NoticeFolded,
    ev.CredentialRehashed,
    ev.LegalTold,
    ev.ApiKeySigned,
    ev.ApiKeyWoken,
    ev.ApiKeyWarned,
    ev.TradingClosed,
    ev.ProceedsHeld,
    ev.ValueReceived,
    ev.LeaseSettled,
)
"""What may be written beside a refusal: it was asked, tried and counted, and what tightens by itself."""


class Step(NamedTuple):
    """One step: what was known before, what was asked and answered, what was written, what is known after."""

    before: Customer
    past: Past
    request: Request
    facts: Facts
    advance: decide.Advance
    after: Customer
    now: Instant
    stopped: Mapping[str, tuple[Instant, ...]] = {}

    @property
    def decision(self) -> Decision:
        """The answer."""
        return self.advance.decision

    @property
    def events(self) -> tuple[AnyEvent, ...]:
        """What was written."""
        return self.advance.events

    @property
    def exits(self) -> list[ev.ExitAllowed]:
        """Exits that left the family."""
        return [one for one in self.events if isinstance(one, ev.ExitAllowed) and one.lane is not Lane.OWN]

    @property
    def waits(self) -> list[tuple[ev.ValueReceived, int]]:
        """What came from inside the platform, or is held as if it had, until after this step."""
        return [*self.past.waits, *((one, one.micro_usd) for one in self.events if isinstance(one, ev.ValueReceived))]

    @property
    def drawn(self) -> list[ev.ExitAllowed | ev.ExitLocked]:
        """What left the family, or was set aside to leave it, and draws on its budget now."""
        return [one for one in self.leaving if not self.drew_before(one)]

    @property
    def leaving(self) -> list[ev.ExitAllowed | ev.ExitLocked]:
        """What left the family, or was set aside to leave it."""
        return [*self.exits, *self.locks]

    @property
    def locks(self) -> list[ev.ExitLocked]:
        """Sales that were set aside for a buyer."""
        return [one for one in self.events if isinstance(one, ev.ExitLocked)]

    @staticmethod
    def drew_before(gone: ev.ExitAllowed | ev.ExitLocked) -> bool:
        """Whether an exit drew when it was locked, and draws no more as it goes."""
        return isinstance(gone, ev.ExitAllowed) and bool(gone.drawn_at)

    @property
    def called_off(self) -> Past:
        """What was known, without the sales whose time was up as this was asked, and what goes once more."""
        over = [one for one in self.events if isinstance(one, ev.ExitCancelled)]
        lapsed = self.past.lapsed_sales(self.now)
        past = self.past.then(tuple(one for one in over if one.exit in lapsed))
        for one in self.exits:
            past = past.undrawn(one.exit) if one.exit in self.past.unpaid else past
        return past

    def was_held(self, gone: ev.ExitAllowed | ev.ExitLocked) -> HeldExit | None:
        """How an exit was held before it went or was locked, if it was; before it went first, if it goes once more."""
        again = self.past.unpaid.get(gone.exit)
        if again is not None:
            went = [n for n, one in self.past.events() if isinstance(one, ev.ExitAllowed) and one.exit == gone.exit]
            first = went[0]
            return Past(self.past.entries[:first], self.past.policy, self.past.counted).held.get(gone.exit)
        sale = self.past.sales.get(gone.exit)
        return sale.held if sale is not None else self.past.held.get(gone.exit)

    @property
    def carries_out(self) -> bool:
        """Whether a loosening came due in this step, before the question was judged."""
        return any(isinstance(one, ev.ChangeDone) for one in self.events)


def by_two_of_the_staff(gone: ev.ExitAllowed | ev.ExitLocked) -> bool:
    """Whether it went to a buyer who had paid, because two of the staff said so."""
    return isinstance(gone, ev.ExitAllowed) and bool(gone.by)


def exits_obey_the_cool_off_table(step: Step) -> None:
    """Laws 4 and 5: no exit in a cool-off, none before the owner was told of every change before it."""
    for gone in step.leaving:
        if by_two_of_the_staff(gone):
            continue
        entry = step.past.book.get(gone.beneficiary)
        senior = entry is not None and step.past.ripe(entry.waiting, step.now) and "." in gone.beneficiary
        for _, closed in step.past.closings:
            ends = (closed.senior if senior else closed.others).ends()
            assert ends is not None, "an exit before the owner was told of a change"
            spared = closed.severity == "mild" and senior
            assert ends <= step.now or spared, "an exit inside a cool-off"


def exits_wait_for_their_beneficiary(step: Step) -> None:
    """Law 10: beyond the instant lane, a beneficiary is paid when it is ripe, or after a stranger's wait."""
    for gone in step.leaving:
        entry = step.past.book.get(gone.beneficiary)
        held = step.was_held(gone)
        if (
            by_two_of_the_staff(gone)
            or gone.lane is Lane.INSTANT
            or (entry is not None and step.past.ripe(entry.waiting, step.now))
        ):
            continue
        assert entry is None, "a junior beneficiary was paid"
        assert held is not None, "a stranger was paid at once"
        assert held.waiting.told is not None
        assert held.waiting.told + step.past.policy.waits.address_h * 3_600_000 <= step.now


def budgets_hold_in_every_window(step: Step) -> None:
    """Law 3: in no sliding 24 h or 30 d, to the millisecond, was more drawn on a lane than it allows."""
    outflow, past = step.past.policy.outflow, step.called_off
    for gone in step.drawn:
        day = {lane: window(past, lane, gone, DAY) for lane in Lane}
        month = {lane: window(past, lane, gone, 30 * DAY) for lane in Lane}
        usual = step.past.usual(step.now)
        equity = step.past.lowest_equity(step.now, step.request.context.equity_micro_usd)
        others, others_month = day[Lane.OTHERS] + day[Lane.INSTANT], month[Lane.OTHERS] + month[Lane.INSTANT]
        if gone.lane is Lane.LONG_STANDING:
            assert day[gone.lane] <= max(outflow.long_standing_day_usd * USD, usual)
        elif gone.lane is not Lane.NONE:
            assert others <= max(equity * outflow.others_day_percent // 100, usual)
            assert others_month <= max(equity * outflow.others_month_percent // 100, usual)
            assert day[Lane.INSTANT] <= outflow.instant_day_usd * USD or gone.lane is Lane.OTHERS


def window(past: Past, lane: Lane, gone: ev.ExitAllowed | ev.ExitLocked, span: int) -> int:
    """What was drawn on a lane in the time up to an exit, that exit included."""
    drawn = sum(one.micro_usd for one in past.draws if one.lane is lane and gone.at - span < one.at)
    return drawn + (gone.micro_usd if gone.lane is lane else 0)


def trades_hold_in_every_window(step: Step) -> None:
    """Law 3: to the millisecond, trades never give away more than their windows bear, nor than the one budget does."""
    trades, outflow = step.past.policy.trades, step.past.policy.outflow
    for gone in (one for one in step.events if isinstance(one, ev.OrderAllowed) and one.drain.gap_micro_usd):
        said = step.request.context.equity_micro_usd
        equity, month = (step.past.lowest_equity(step.now, said, days) for days in (trades.equity_d, 30))

        def given(field: str, span: int, gone: ev.OrderAllowed = gone) -> int:
            lately = sum(int(getattr(drain, field)) for at, drain in step.past.given_away if gone.at - span < at)
            return lately + int(getattr(gone.drain, field))

        hour, day = 3_600_000, DAY
        assert given("weighed_micro_usd", hour) <= equity * trades.hour_percent // 100
        assert given("raw_micro_usd", hour) <= equity * trades.raw_hour_percent // 100
        assert given("raw_micro_usd", day) <= equity * trades.raw_day_percent // 100
        assert given("raw_micro_usd", 7 * day) <= equity * trades.raw_week_percent // 100
        assert given("storm_micro_usd", 7 * day) <= equity * trades.storm_week_percent // 100
        assert given("raw_micro_usd", 30 * day) <= equity * trades.raw_month_percent // 100
        others = sum(
            one.micro_usd
            for one in step.past.draws
            if one.lane in {Lane.OTHERS, Lane.INSTANT} and gone.at - day < one.at
        )
        most = max(month * outflow.others_day_percent // 100, step.past.usual(step.now))
        assert not gone.drain.micro_usd or others + gone.drain.micro_usd <= most


def reports_give_back_what_was_reserved(step: Step) -> None:
    """Laws 3 and 6: a report gives back no more than its own order reserved, once, and only so much in two days."""
    for told in (one for one in step.events if isinstance(one, ev.OrderReported)):
        asked = [one for _, one in step.past.events() if isinstance(one, ev.OrderAllowed) and one.order == told.order]
        before = [one for _, one in step.past.events() if isinstance(one, ev.OrderReported) and one.order == told.order]
        own = [one for one in asked if one.at == told.placed_at and one.at not in {other.placed_at for other in before}]
        reserved = own[-1].drain if own else ev.Drain()
        for name in ("raw_micro_usd", "micro_usd", "weighed_micro_usd", "storm_micro_usd"):
            assert 0 <= getattr(told.refund, name) <= getattr(reserved, name), "more than was reserved"
        assert told.arrived_micro_usd <= reserved.micro_usd
        equity = step.past.lowest_equity(
            step.now, step.request.context.equity_micro_usd, step.past.policy.trades.equity_d
        )
        lately = [one for _, one in step.past.events() if isinstance(one, ev.OrderReported) and one.at > step.now - DAY]
        back = sum(one.refund.gap_micro_usd for one in (*lately, told))
        most = equity * step.past.policy.trades.refunds_day_percent // 100
        assert not told.refund.gap_micro_usd or back <= most, "reports gave back more than a day bears"


def closed_pairs_are_not_traded(step: Step) -> None:
    """Law 3: what was closed stays closed until its owner opened it, and that waited.

    But for what reduces risk and gives nothing away (law 5).
    """
    for gone in (one for one in step.events if isinstance(one, ev.OrderAllowed)):
        if gone.reduces and not gone.drain.gap_micro_usd:
            continue
        assert not {"pair *", f"pair {gone.pair}"} & step.past.closed or step.carries_out
    for opened in (one for one in step.events if isinstance(one, ev.TradingOpened)):
        asked = [one for one in step.past.changes.values() if one.subject == opened.subject]
        assert any((one.waiting.ends() or step.now + 1) <= step.now for one in asked)


def unproved_exits_go_to_verified_entries(step: Step) -> None:
    """Incident G: what nobody proves in this very request goes to no entry whose verification has expired.

    A recovery at its end is such a proof: by evidence, a wait, and a code sent for this payment.
    """
    proved = any(isinstance(one, ev.ProofUsed) for one in step.events)
    proved = proved or isinstance(step.request.action, RecoveryFinish)
    for gone in step.exits:
        entry = step.past.book.get(gone.beneficiary)
        ruled = proved or by_two_of_the_staff(gone)
        assert ruled or entry is None or entry.verified > step.now, "an unverified beneficiary was paid"


def received_value_stays(step: Step) -> None:
    """Law 3: after every exit what came from inside and still waits is there, but for less than the floor.

    It waits for 72 h, if whoever sent it was stopped before its 24 h were over, whenever the receiver asks.
    """
    outflow = step.past.policy.outflow
    waiting = sum(
        left
        for one, left in step.waits
        if one.until > step.now
        or (one.stopped_until > step.now and any(one.at <= at < one.until for at in step.stopped.get(one.sender, ())))
    )
    if waiting < max(1, outflow.received_floor_usd * USD):
        return
    for gone in step.leaving:
        if by_two_of_the_staff(gone):
            continue
        since = step.now - outflow.received_from_cooling_h * 3_600_000
        before = step.called_off.then((ev.ExitCancelled(step.now, gone.exit),))
        left = sum(one.micro_usd for one in before.draws if since < one.at and one.lane is not Lane.OWN)
        equity = step.past.lowest_equity(step.now, step.request.context.equity_micro_usd)
        assert not gone.micro_usd or left + gone.micro_usd + waiting <= equity, "received value left"


def received_marks_are_few(step: Step) -> None:
    """What waits is kept in so many marks that name a sender, and one an hour; nothing of it is lost."""
    if step.after.head is not None:
        kept = [one for one in step.after.head.received if one.over_at > step.now]
        assert sum(not one.sender for one in kept) <= step.past.policy.outflow.received_from_cooling_h + 1
        assert len(kept) <= step.past.policy.outflow.received_from_cooling_h + 1 + MARKS_KEPT
        there = (left for one, left in step.waits if max(one.until, one.stopped_until) > step.now)
        assert sum(one.micro_usd for one in kept) == sum(there)


def nothing_is_given_back_twice(step: Step) -> None:
    """Laws 3 and 6: two people give back what was sent, once, while it is held, and as much as was drawn."""
    for back in (one for one in step.events if isinstance(one, ev.ExitReturned)):
        if step.past.sent[back.exit].event.order:
            trades_are_given_back(step, back)
            continue
        gone = [one for _, one in step.past.events() if isinstance(one, ev.ExitAllowed) and one.exit == back.exit][-1:]
        before = [one for _, one in step.past.events() if isinstance(one, ev.ExitReturned) and one.exit == back.exit]
        assert not before, "given back twice"
        assert [(one.at, one.lane, one.micro_usd) for one in gone] == [(back.drawn_at, back.lane, back.drawn_micro_usd)]
        assert len(set(back.by)) == 2, "given back by one person"
        assert step.facts.still_held_micro_usd >= back.micro_usd, "more than is held"
        kept = step.past.keeps_what_was_sent
        assert any(back.drawn_at <= at for at in kept), "given back though its sender never stopped"
        assert back.at < gone[0].at + 73 * HOUR, "given back after its wait"


def trades_are_given_back(step: Step, back: ev.ExitReturned) -> None:
    """Of what trades gave away no more comes back than was told to have been matched and arrived, once."""
    sent, kept = step.past.sent[back.exit], step.past.keeps_what_was_sent
    before = [one for _, one in step.past.events() if isinstance(one, ev.ExitReturned) and one.exit == back.exit]
    assert not before, "given back twice"
    assert len(set(back.by)) == 2, "given back by one person"
    assert sent.micro_usd == back.micro_usd <= step.facts.still_held_micro_usd
    assert back.drawn_micro_usd <= back.micro_usd
    fills_come_back_once(step, back, sent.event.order)
    assert sent.event.stopped or any(sent.event.at <= at for at in kept), "given back though its sender never stopped"
    assert back.at < sent.event.at + 73 * HOUR, "given back after its wait"


def fills_come_back_once(step: Step, back: ev.ExitReturned, order: str) -> None:
    """However often an order is told of, one fill comes back once, and no more is undrawn than was drawn."""
    events, reserved = [one for _, one in step.past.events()], {}
    told = [one for one in events if isinstance(one, ev.OrderReported) and one.order == order]
    asked = [one for one in events if isinstance(one, ev.OrderAllowed) and one.order == order]
    for one in asked:
        reserved[next((place for place, it in enumerate(told) if it.placed_at == one.at), -1)] = one.drain.micro_usd
    sent = [one for one in events if isinstance(one, ev.ValueSent) and one.order == order]
    said = {one.exit: one.fill or next(it.fill for it in told if it.placed_at == one.at) for one in sent if told}
    mark, gone = said[back.exit], [one for one in events if isinstance(one, ev.ExitReturned) and one.exit in said]
    came = back.micro_usd + sum(one.micro_usd for one in gone if said[one.exit] == mark)
    most = [reserved.get(place, 0) + one.extra.micro_usd for place, one in enumerate(told) if one.fill == mark]
    assert came <= max(most), "one fill came back twice"
    undrawn = back.drawn_micro_usd + sum(one.drawn_micro_usd for one in gone) + sum(it.refund.micro_usd for it in told)
    drawn = sum(one.drain.micro_usd for one in asked) + sum(one.extra.micro_usd for one in told)
    assert undrawn <= drawn, "more came back than was drawn"


def over_budget_exits_were_held(step: Step) -> None:
    """Law 3: an exit that drew on no budget had been held, never only stepped up."""
    for gone in step.leaving:
        assert gone.lane is not Lane.NONE or step.was_held(gone) is not None


def sales_go_by_their_owners_proof(step: Step) -> None:
    """Law 3: a P2P sale is locked first, and goes as it was locked: by its owner's proof, or by two once disputed."""
    for gone in (one for one in step.exits if one.kind == "p2p_sale"):
        if gone.exit in step.past.unpaid:
            continue  # it went so before (`what_is_paid_again_is_the_same`)
        sale = step.past.sales[gone.exit]
        asked = sale.asked
        assert (gone.lane, gone.micro_usd, gone.drawn_at) == (asked.lane, asked.micro_usd, asked.at)
        if gone.by:
            assert sale.disputed
            assert len(set(gone.by)) > 1
            continue
        used = [step.past.authenticators[one.authenticator] for one in step.events if isinstance(one, ev.ProofUsed)]
        best = max(STRENGTH[one.kind] for one in set_the_bar(step, judged(step)))
        assert step.request.actor.kind is ev.ActorKind.OWNER
        assert not sale.disputed
        assert any(STRENGTH[one.kind] >= best and step.past.ripe(one.waiting, step.now) for one in used)


def what_is_paid_again_is_the_same(step: Step) -> None:
    """One exit is paid once: whoever asks again gets the same receipt, for the same, and never once it is settled."""
    for gone in (one for one in step.events if isinstance(one, ev.ExitAllowed)):
        before = [one for _, one in step.past.events() if isinstance(one, ev.ExitAllowed) and one.exit == gone.exit]
        for one in before:
            assert (one.receipt, one.digest, one.account) == (gone.receipt, gone.digest, gone.account)
            assert (one.beneficiary, one.kind) == (gone.beneficiary, gone.kind)
            assert gone.micro_usd >= one.micro_usd
        over = (ev.ExitSettled, ev.ExitReturned, *((ev.Frozen,) if gone.kind != "p2p_sale" else ()))
        since = [one for _, one in step.past.events() if isinstance(one, over)]
        assert not before or not any(
            (isinstance(one, ev.Frozen) and one.at > before[-1].at) or getattr(one, "exit", "") == gone.exit
            for one in since
        ), "paid after it was over"
        assert not before or step.request.actor.kind is ev.ActorKind.PLATFORM


def what_was_paid_for_is_not_taken_back(step: Step) -> None:
    """A stop or a cancelling gives back what no buyer has paid for; what one has two of the staff give back."""
    for over in (one for one in step.events if isinstance(one, ev.ExitCancelled) and one.exit in step.past.sales):
        sale = step.past.sales[over.exit]
        assert not sale.paid or (sale.disputed and len(set(over.by)) > 1)


def holds_end_as_said(step: Step) -> None:
    """Law 10: a hold ends at the instant that was said, or early by a senior authenticator and a senior contact."""
    released = isinstance(step.request.action, ExitRelease) and step.request.action.which in step.past.held
    if not isinstance(step.request.action, ExitRelease) or not released or not (step.exits or step.locks):
        return
    held = step.past.held[step.request.action.which]
    if step.request.actor.kind is ev.ActorKind.PLATFORM:
        assert held.said <= step.now
        assert held.waiting.told is not None
        return
    challenge = step.past.challenges[step.request.challenge]
    witness = step.past.contacts[challenge.contact]
    assert step.past.ripe(witness.waiting, step.now)
    assert witness.address not in held.asked.asked_with


def nothing_leaves_a_frozen_account(step: Step) -> None:
    """Law 5: under the owner's stop nothing leaves, not even to his own accounts, and no loosening comes due.

    But to a buyer who had paid before, once two of the staff have said so.
    """
    if not step.past.is_frozen:
        return
    done = [step.past.changes[one.change].kind for one in step.events if isinstance(one, ev.ChangeDone)]
    assert not done or done[0] is ChangeKind.UNFREEZE
    thawed = any(isinstance(one, ev.Unfrozen) for one in step.events)
    left = [one for one in step.events if isinstance(one, ev.ExitAllowed | ev.ExitLocked)]
    assert thawed or all(by_two_of_the_staff(one) for one in left)


def nothing_leaves_under_an_order(step: Step) -> None:
    """Law 6: while an authority's order stands nothing leaves, and the owner alone does not take it off."""
    if step.past.ordered(step.now):
        assert not any(isinstance(one, ev.ExitAllowed) for one in step.events)
    if step.request.actor.kind is not ev.ActorKind.STAFF:
        assert not any(isinstance(one, ev.LegalThawed) for one in step.events)


MONEY_AND_CHANGES: Final = frozenset(
    {
        "exit.request",
        "account.unfreeze",
        "address.add",
        "address.renew",
        "allowlist.set",
        "lock.set",
        "limit.set",
        "vault.set",
        "password.change",
        "authenticator.bind",
        "authenticator.remove",
        "contact.add",
        "contact.remove",
    }
)


FOR_MONEY: Final = frozenset({"exit.request", "exit.release", "account.unfreeze", "address.renew"})


def set_the_bar(step: Step, past: Past) -> list[Authenticator]:
    """What is senior; what was given away sets the bar for money alone, or its owner could never come back in."""
    money = decide.action_name(step.request.action) in FOR_MONEY
    return [
        one
        for one in past.authenticators.values()
        if one.confirmed and past.ripe(one.waiting, step.now) and (money or not one.recycled)
    ]


def nothing_given_away_counts(step: Step) -> None:
    """A number or mailbox that was given to someone else proves nothing again, and nothing is sent there after."""
    gone = {key for key, one in step.past.authenticators.items() if one.recycled}
    gone |= {key for key, one in step.past.contacts.items() if one.recycled}
    for event in step.events:
        if isinstance(event, ev.ProofUsed | ev.AuthenticatorAsked | ev.AuthenticatorConfirmed):
            assert event.authenticator not in gone
        if isinstance(event, ev.NoticeDue):
            assert not gone.intersection(event.contacts)
        if isinstance(event, ev.ContactRecycled):
            gone.add(event.contact)
        if isinstance(event, ev.AuthenticatorRecycled):
            gone.add(event.authenticator)


def codes_are_no_bell_for_strangers(step: Step) -> None:
    """A code is sent to whoever has a session or showed the password, and not too often."""
    past = judged(step)
    asked = [one for one in step.events if isinstance(one, ev.AuthenticatorAsked)]
    held = [one.kind for one in past.authenticators.values() if one.confirmed]
    session = past.sessions.get(step.request.actor.session)
    shown = any(one.right and one.kind == "password" for one in step.facts.proofs)
    signed_in = session is not None and step.now < session.ends()
    assert not asked or signed_in or shown or ev.AuthenticatorKind.PASSWORD not in held
    for event in asked:
        assert past.authenticators[event.authenticator].kind in {ev.AuthenticatorKind.SMS, ev.AuthenticatorKind.EMAIL}
        lately = [
            one.at
            for _, one in past.events()
            if isinstance(one, ev.AuthenticatorAsked) and one.authenticator == event.authenticator
            if one.at > step.now - HOUR
        ]
        assert len(lately) < past.policy.step_up.codes_per_h
    assert step.past.then(step.events).texts_since(step.now - HOUR) <= past.policy.step_up.codes_per_h


def nothing_junior_approves(step: Step) -> None:
    """Laws 2 and 10: what is approved was approved by the strongest senior class; nothing junior or weaker did it."""
    if decide.action_name(step.request.action) not in MONEY_AND_CHANGES or not isinstance(step.decision, Allow | Hold):
        return
    if any(isinstance(one, ev.ExitAllowed) and one.lane is Lane.OWN for one in step.events):
        return
    past = judged(step)
    senior = set_the_bar(step, past)
    used = [past.authenticators[one.authenticator] for one in step.events if isinstance(one, ev.ProofUsed)]
    if step.request.actor.kind is ev.ActorKind.API_KEY and not used:
        key = past.programs[step.request.actor.key]
        assert past.ripe(key.waiting, step.now), "approved by a junior key"
        assert not key.asleep(past.policy, step.now), "approved by a key that slept"
        assert not any(one.lane is Lane.INSTANT for one in step.exits), "a key is no proof for the instant lane"
        return
    assert used, "approved by nobody"
    if not senior:
        assert not step.exits
        assert not isinstance(step.request.action, ExitRequest | AccountUnfreeze)
        return
    best = max(STRENGTH[one.kind] for one in senior)
    assert any(one in senior and not one.suspended and STRENGTH[one.kind] >= best for one in used)


def what_a_stopped_key_asked_for_stays(step: Step) -> None:
    """Whoever stops a key stops what it asked for."""
    head = step.after.head
    assert head is not None
    alive = {name for name, key in head.api_keys.items() if not key.suspended}
    waiting = [held for held in head.exits.values() if held.may_be_stopped]
    assert {held.key for held in waiting} <= {"", *alive}, "a stopped key's exit waits on"


def whoever_was_robbed_has_no_key_that_works(step: Step) -> None:
    """Law 10: once somebody else is said to have been in, or a recovery let somebody in, no key goes on by itself."""
    action, head = step.request.action, step.after.head
    assert head is not None
    said = isinstance(action, IncidentReport) or (isinstance(action, AccountFreeze) and action.disown is not None)
    if isinstance(step.decision, Allow) and (said or any(isinstance(one, ev.RecoveryFinished) for one in step.events)):
        assert all(key.suspended for key in head.api_keys.values()), "a key works on"
        assert not any(one.kind is ev.ChangeKind.RESUME_API_KEY for one in head.changes.values())


def a_key_takes_no_place_of_others(step: Step) -> None:
    """Law 5: what a key asks closes no challenge of its owner's, or of another key, and keeps few open."""
    actor, before, after = step.request.actor, step.before.head, step.after.head
    if actor.kind is not ev.ActorKind.API_KEY or not actor.key or before is None or after is None:
        return  # whoever names no key asks nothing; what has no key's name is the owner's
    closed = [before.challenges[one.challenge] for one in step.events if isinstance(one, ev.ChallengeClosed)]
    assert {one.key for one in closed} <= {actor.key}, "a key closed what somebody else opened"
    mine = [one for one in after.challenges.values() if one.key == actor.key and one.until > step.now]
    assert len(mine) <= step.past.policy.api_keys.challenges_open


def a_key_alone_keeps_to_the_book_and_the_budget(step: Step) -> None:
    """Law 3: what no owner proved goes to senior entries of the book, and draws on a budget that has room for it."""
    proved = any(isinstance(one, ev.ProofUsed | ev.ExitApproved) for one in step.events)
    for gone in step.exits:
        held = step.past.held.get(gone.exit)
        by_key = bool(held.asked.key) if held is not None else step.request.actor.kind is ev.ActorKind.API_KEY
        if held is not None:
            proved = proved or held.approved or bool(held.asked.asked_with)
        if by_key and not proved and gone.lane is not Lane.OWN:
            entry = judged(step).book.get(gone.beneficiary)
            assert gone.lane in {Lane.OTHERS, Lane.LONG_STANDING}, "a key alone drew on no budget"
            assert entry is not None, "a key alone paid a stranger"
            assert step.past.ripe(entry.waiting, step.now), "a key alone paid a junior entry"


def what_a_key_pays_is_said(step: Step) -> None:
    """Law 5: what a key paid unsaid is worth no more than what was told last, is said next, and is summed up soon."""
    ended = [one for one in step.events if isinstance(one, ev.ApiKeyRevoked)]
    for key in {one.key for one in step.exits if one.key} | {one.api_key for one in ended}:
        told, unsaid, sums_up_at, gone = -1, list[int](), 0, list[ev.ExitAllowed]()
        exits = set[str]()
        for event in (*(one for _, one in step.past.events()), *step.events):
            match event:
                case ev.ExitAllowed() if event.key == key and event.lane is not Lane.OWN and event.exit not in exits:
                    gone.append(event)
                    exits.add(event.exit)
                case ev.NoticeDue(due_at=0, payment=ev.Payment(key=by) as paid) if by == key:
                    assert (paid.more, paid.more_micro_usd) == (len(unsaid), sum(unsaid)), "unsaid for ever"
                    told, unsaid = gone.pop().micro_usd + sum(unsaid), []
                case ev.NoticeDue(payment=ev.Payment(key=by)) | ev.NoticeFolded(payment=ev.Payment(key=by)) if (
                    by == key
                ):
                    unsaid.append(gone.pop().micro_usd)
                    sums_up_at = event.due_at if isinstance(event, ev.NoticeDue) else sums_up_at
                    assert sum(unsaid) <= told, "more unsaid than was told"
                    assert event.at + MINUTE < sums_up_at, "nothing sums it up"
        assert not gone, "a payment of which nothing is told"
        said = [(one.unsaid, one.unsaid_micro_usd) for one in ended if one.api_key == key]
        assert said in ([], [(len(unsaid), sum(unsaid))]), "unsaid for ever"


def no_junior_password_lets_money_go(step: Step) -> None:
    """Law 10: a password replaced lately is half of no proof, but for usual amounts to senior beneficiaries (law 4)."""
    past = judged(step)
    used = [past.authenticators[one.authenticator].kind for one in step.events if isinstance(one, ev.ProofUsed)]
    passwords = [one for one in past.authenticators.values() if one.kind is ev.AuthenticatorKind.PASSWORD]
    if not used or ev.AuthenticatorKind.PASSKEY in used or all(past.ripe(one.waiting, step.now) for one in passwords):
        return
    for gone in step.exits:
        entry = past.book.get(gone.beneficiary)
        assert entry is not None, "a stranger was paid by a junior password"
        assert past.ripe(entry.waiting, step.now), "a junior beneficiary was paid by a junior password"
        assert isinstance(step.request.action, ExitRequest), "a hold ended early by a junior password"
        assert past.drawn(set(Lane) - {Lane.OWN}, step.now) + gone.micro_usd <= past.usual(step.now)


def judged(step: Step) -> Past:
    """The history the question was judged by: loosenings that came due before it are done."""
    if not step.carries_out:
        return step.past
    done = []
    for event in step.events[1:]:
        if isinstance(event, ev.ProofUsed):
            break
        done.append(event)
    return step.past.then(tuple(done))


def step_ups_never_ask_for_less(step: Step) -> None:
    """Law 2: each alternative of a step-up holds something of the strongest senior class, recoveries aside.

    A sign-in that leaves no trace may have been judged by what came due with it, which was not written: there the twin,
    which knows what is due, watches alone.
    """
    if not isinstance(step.decision, StepUp) or isinstance(step.request.action, RecoveryEvidence | RecoveryFinish):
        return
    if not step.events:
        return
    past = judged(step)
    senior = set_the_bar(step, past)
    best = max((STRENGTH[one.kind] for one in senior), default=0)
    for alternative in step.decision.accept:
        assert max(STRENGTH[ev.AuthenticatorKind(kind)] for kind in alternative if kind != "contact_code") >= best


def guards_go_only_by_their_wait(step: Step) -> None:
    """Law 1: an authenticator or contact goes or changes only after an asked, told and waited-for change."""
    before, after = step.before.head, step.after.head
    if before is None or after is None:
        return
    removed = {one.authenticator for one in step.events if isinstance(one, ev.AuthenticatorRemoved)}
    for name, authenticator in before.authenticators.items():
        gone = name not in after.authenticators or after.authenticators[name].kind is not authenticator.kind
        assert not gone or name in removed or not authenticator.confirmed, "an authenticator vanished"
    for name, contact in before.contacts.items():
        if name in after.contacts:
            assert after.contacts[name].address == contact.address, "a contact was replaced in place"
        else:
            assert contact.removed, "a contact vanished"
            assert contact.told_until <= step.now
    for event in step.events:
        if isinstance(event, ev.ChangeDone):
            ends = step.past.changes[event.change].waiting.ends()
            assert ends is not None, "a loosening the owner was not told of"
            assert ends <= step.now, "a loosening came early"


def nothing_weaker_removes(step: Step) -> None:
    """Law 2: a weaker authenticator never asks for the removal of a stronger senior one."""
    for event in step.events:
        if isinstance(event, ev.ChangeAsked) and event.kind is ChangeKind.REMOVE_AUTHENTICATOR:
            past = judged(step)
            target = past.authenticators[event.subject]
            used = [past.authenticators[one.authenticator] for one in step.events if isinstance(one, ev.ProofUsed)]
            strength = max(STRENGTH[one.kind] for one in used)
            assert strength >= STRENGTH[target.kind] or not past.ripe(target.waiting, step.now)


def denials_change_nothing(step: Step) -> None:
    """A refusal changes nothing but what counts the try, or closes evidence of a recovery, or a pair."""
    if isinstance(step.decision, Deny) and not step.carries_out:
        alarm = any(isinstance(one, ev.SessionMisused) for one in step.events)
        recovering = isinstance(step.request.action, RecoveryEvidence | RecoveryFinish)
        allowed = (*CHANGES_NOTHING, *((ev.SessionMisused, ev.CoolOffStarted) if alarm else ()))
        allowed += (ev.RecoveryMissed, ev.RecoveryClosed, ev.RecoveryEnded) if recovering else ()
        lapsed = bool(step.past.lapsed_sales(step.now))
        listed = isinstance(step.request.action, ExitRelease) and why_denied(step) == Reason.DESTINATION_LISTED
        lapsed = lapsed or listed
        allowed += (ev.ExitCancelled,) if lapsed else ()
        causes = {
            "proof.failed",
            "legal.told",
            "api_key.woken",
            "api_key.warned",
            "trading.closed",
            *({"session.misused"} if alarm else ()),
            *({"exit.cancelled"} if lapsed else ()),
        }
        causes |= {"recovery.missed", "recovery.closed", "recovery.ended"} if recovering else set()
        assert all(isinstance(one, allowed) for one in step.events)
        assert all(one.cause in causes for one in step.events if isinstance(one, ev.NoticeDue))
        assert not step.advance.elsewhere


def why_denied(step: Step) -> str:
    """The reason that is told."""
    return step.decision.findings[0].code


def a_session_alone_learns_of_no_one(step: Step) -> None:
    """Who is in the book, and who is a customer here, is told only to sufficient proof, or to a key that signed."""
    by_key = step.request.actor.kind is ev.ActorKind.API_KEY
    telling = not by_key and isinstance(step.request.action, AddressAdd | AddressRenew | ExitRequest)
    if telling and not any(isinstance(one, ev.ProofUsed) for one in step.events):
        assert not {finding.code for finding in step.decision.findings} & TELLING


TELLING: Final = {
    "already_exists",
    "not_found",
    "look_alike",
    "counterparty_unknown",
    "not_on_allowlist",
}
"""Reasons that say who is in somebody's book, or a customer of the platform."""


def a_copied_token_is_worth_nothing(step: Step) -> None:
    """A session that began with a device's key does nothing without it, stays asleep, and its owner hears of it."""
    session = judged(step).sessions.get(step.request.actor.session)
    asks = step.request.actor.kind is ev.ActorKind.OWNER and not isinstance(step.request.action, SessionStart)
    if not asks or session is None or not session.key or step.now >= session.ends():
        return
    proof = step.facts.device
    if proof is not None and not proof.wrong and proof.thumbprint == session.key:
        return
    assert isinstance(step.decision, Deny)
    assert not any(isinstance(one, ev.SessionSeen | ev.SessionEnded | ev.DeviceProofSpent) for one in step.events)
    told = [one for _, one in step.past.events() if isinstance(one, ev.SessionMisused)]
    told += [one for one in step.events if isinstance(one, ev.SessionMisused)]
    of_another_account = step.decision.findings[0].code == Reason.UNKNOWN_ACCOUNT
    assert of_another_account or [one.session for one in told].count(step.request.actor.session) == 1


def a_doubtful_clock_loosens_nothing(step: Step) -> None:
    """Law 8: while two clocks disagree nothing loosens, nothing new is made, and nothing is released."""
    if not step.facts.clock_agrees:
        assert not any(isinstance(one, LOOSENINGS) for one in step.events)


def freezing_always_works(step: Step) -> None:
    """Law 5: a live contact's link freezes, whatever the clock, the proofs or the state; only a lost right refuses."""
    if isinstance(step.request.action, AccountFreeze) and step.request.actor.kind is ev.ActorKind.LINK:
        contact = judged(step).contacts.get(step.request.actor.contact)
        live = contact is not None and contact.confirmed and not contact.recycled and not contact.lost_freeze
        assert isinstance(step.decision, Allow) or not live


def waits_never_move_earlier(step: Step) -> None:
    """Law 1: no recorded wait ever moves earlier, for nobody; nor does one that freezes and cool-offs made longer."""
    before, after = instants(step.before), instants(step.after)
    for key, until in before.items():
        over = key[-1] == "ripe" and until <= step.now
        assert over or after.get(key, until) >= until, key


def instants(customer: Customer) -> dict[tuple[str, ...], Instant]:
    """Every recorded instant that something waits for, named so that a thing made anew is another thing."""
    if customer.head is None:
        return {}
    head = customer.head
    found: dict[tuple[str, ...], Instant] = {}
    for name, authenticator in head.authenticators.items():
        found |= both(head, ("authenticator", name), authenticator.bound_at, authenticator.ripens)
    for name, contact in head.contacts.items():
        found |= both(head, ("contact", name), contact.added_at, contact.ripens)
    for key, part in customer.parts.items():
        if isinstance(part, Beneficiary):
            found |= both(head, key, part.added_at, part.ripens)
    for name, change in head.changes.items():
        found["change", name] = change.wait.until
    for name, held in head.exits.items():
        found["exit", name] = held.wait.until
        found["exit said", name] = held.said_until
        if held.lock is not None:
            found["exit lock", name] = held.lock.until
    for name, cool_off in head.cool_offs.items():
        found["cool_off senior", name] = cool_off.senior.until
        found["cool_off others", name] = cool_off.others.until
    return found


def both(head: Head, key: tuple[str, str], since: Instant, wait: Wait) -> dict[tuple[str, ...], Instant]:
    """What is recorded of something that ripens, and when it does after freezes and cool-offs, if that is known."""
    name = (*key, str(since))
    ripe = ripe_at(head, since, wait)
    return {name: wait.until} if ripe is None else {name: wait.until, (*name, "ripe"): ripe}


def claims_never_loosen(step: Step) -> None:
    """Law 6: what the platform claims of price and equity may tighten a decision, never loosen it."""
    action = step.request.action
    claims = step.request.context.equity_micro_usd is not None
    if isinstance(action, ExitRequest) and action.usd is not None:
        action, claims = replace(action, usd=None), True
    if claims:
        silent = replace(step.request, action=action, context=Context(device=step.request.context.device))
        without = decide.advance(step.before, silent, step.facts, step.past.policy, step.now).decision
        assert looseness(step.decision) <= looseness(without)


def looseness(decision: Decision) -> tuple[int, int]:
    """How much a decision lets happen: what it is, then for holds how soon; nobody knows when is never by itself.

    A sale that is locked is nearly gone.
    """
    rank = {"allow": 4, "step_up": 2, "hold": 1, "deny": 0}[kind_of(decision)]
    rank = 3 if any(one.code == Reason.SALE_LOCKED for one in decision.findings) and rank == 1 else rank
    soon = -(decision.release_at or 2**60) if isinstance(decision, Hold) else 0
    return rank, soon


def a_stronger_hash_is_no_change(step: Step) -> None:
    """Laws 4 and 10: only proof that sufficed has its hash replaced, and no age, wait or epoch moves by it."""
    before, after = step.before.head, step.after.head
    rehashed = [one for one in step.events if isinstance(one, ev.CredentialRehashed)]
    if (
        not rehashed
        or before is None
        or after is None
        or any(isinstance(one, ev.SecretReplaced) for one in step.events)
    ):
        return
    assert any(isinstance(one, ev.ProofUsed) for one in step.events), "kept anew without proof"
    for event in rehashed:
        old, new = before.authenticators[event.authenticator], after.authenticators[event.authenticator]
        assert (old.epoch, old.bound_at, old.held_since) == (new.epoch, new.bound_at, new.held_since)
        assert old.ripens == new.ripens
        kept = step.after.parts["credential", event.authenticator]
        assert kept == Credential(event.credential, new.epoch)
        assert not any(one.cause == "authenticator.rehashed" for one in step.events if isinstance(one, ev.NoticeDue))


def stored_forms_round_trip(step: Step) -> None:
    """Law 9: what is stored reads back as what it was: events, head and parts."""
    assert decode_events(ENCODER.encode(step.events)) == step.events
    assert HEAD.decode(ENCODER.encode(step.after.head)) == step.after.head
    for key, part in step.after.parts.items():
        if step.before.parts.get(key) is not part:
            assert PARTS[type(part)].decode(ENCODER.encode(part)) == part


LAWS: Final[tuple[Callable[[Step], None], ...]] = (
    exits_obey_the_cool_off_table,
    exits_wait_for_their_beneficiary,
    budgets_hold_in_every_window,
    trades_hold_in_every_window,
    closed_pairs_are_not_traded,
    reports_give_back_what_was_reserved,
    unproved_exits_go_to_verified_entries,
    received_value_stays,
    received_marks_are_few,
    nothing_is_given_back_twice,
    over_budget_exits_were_held,
    sales_go_by_their_owners_proof,
    what_is_paid_again_is_the_same,
    what_was_paid_for_is_not_taken_back,
    holds_end_as_said,
    nothing_leaves_a_frozen_account,
    nothing_leaves_under_an_order,
    nothing_junior_approves,
    nothing_given_away_counts,
    codes_are_no_bell_for_strangers,
    what_a_stopped_key_asked_for_stays,
    whoever_was_robbed_has_no_key_that_works,
    a_key_takes_no_place_of_others,
    a_key_alone_keeps_to_the_book_and_the_budget,
    what_a_key_pays_is_said,
    no_junior_password_lets_money_go,
    step_ups_never_ask_for_less,
    guards_go_only_by_their_wait,
    nothing_weaker_removes,
    denials_change_nothing,
    a_copied_token_is_worth_nothing,
    a_session_alone_learns_of_no_one,
    a_doubtful_clock_loosens_nothing,
    freezing_always_works,
    waits_never_move_earlier,
    claims_never_loosen,
    a_stronger_hash_is_no_change,
    stored_forms_round_trip,
)


def traded_by(step: decide.Advance) -> Traded:
    """What an answer about an order draws, gives back, closes and marks."""
    marks = [one for one in step.elsewhere if isinstance(one, ev.ValueReceived)]
    robbed = any(isinstance(one, ev.ProceedsSeen) for one in step.elsewhere)
    mark = (marks[0].micro_usd, marks[0].until, marks[0].stopped_until, robbed) if marks else None
    closes = any(isinstance(one, ev.TradingClosed) for one in step.events)
    for one in step.events:
        if isinstance(one, ev.OrderAllowed):
            return Traded(one.drain, terms=one.terms, mark=mark)
        if isinstance(one, ev.OrderReported):
            sent = [one for one in step.events if isinstance(one, ev.ValueSent)]
            lost = [(one.micro_usd, one.drawn_micro_usd, one.drawn_at, one.fill) for one in sent]
            told = Traded(one.extra, one.refund, None, closes, one.misled, one.arrived_micro_usd, mark)
            return told._replace(lost=lost[0] if lost else None)
    return Traded(closes=closes)


class Watched(Account):
    """An account that holds every answer against the laws and the twin."""

    def __init__(self, policy: Policy = POLICY, name: str = "alice") -> None:
        """An account that does not exist before `open`."""
        super().__init__(policy, name)
        self.twin = Twin(policy)
        self.folded = NOBODY
        self.elsewhere: tuple[tuple[AnyEvent, ...], str] = ((), "")

    def clone(self) -> Watched:
        """The same account, to go on from here without changing this one."""
        other = Watched(self.policy, self.name)
        for name in (
            "now",
            "state",
            "folded",
            "clock_agrees",
            "ahead_ms",
            "reconciling",
            "tripped_at",
            "unseen_ms",
            "price_age_ms",
            "counter",
            "tokens",
            "device_key",
            "market",
            "shared",
            "lists",
            "dust_day",
            "unread",
            "from_device",
            "funded_from",
            "counterparty_ties",
            "kin",
            "losses",
        ):
            setattr(other, name, getattr(self, name))
        other.parts, other.prices = dict(self.parts), dict(self.prices)
        other.log, other.entries = list(self.log), list(self.entries)
        other.twin.entries, other.twin.counted = list(self.twin.entries), dict(self.twin.counted)
        return other

    def submit(self, asked: Request, facts: Facts) -> Decision:
        """Ask, and check everything."""
        expected = self.twin.answer(asked, facts, self.now)
        before, past = self.everything(), self.twin.past()
        decision = super().submit(asked, facts)
        assert self.last is not None
        whole = decide.advance(before, asked, facts, self.policy, self.now)
        assert (whole.decision, whole.events) == (decision, self.last.events), "what `needs` names is not enough"
        self.check_twin(expected, decision)
        if past.entries:
            step = Step(before, past, asked, facts, self.last, self.everything(), self.now, dict(self.stopped))
            for law in LAWS:
                law(step)
        self.elsewhere = (self.last.elsewhere, asked.counterparty)
        return decision

    def check_twin(self, expected: Answer | None, decision: Decision) -> None:
        """The slow twin says the same."""
        if expected is None:
            return
        assert self.last is not None
        drew = (ev.ExitAllowed, ev.ExitLocked)
        lane = next((one.lane for one in self.last.events if isinstance(one, drew)), None)
        own = next((one.wait_ms for one in self.last.events if isinstance(one, ev.ExitHeld)), None)
        reasons = frozenset(finding.code for finding in decision.findings)
        until, accept = None, frozenset[frozenset[str]]()
        match decision:
            case Allow():
                until = decision.usable_from
            case Hold():
                until = decision.release_at
            case StepUp():
                until, accept = decision.expires_at, frozenset(frozenset(one) for one in decision.accept)
        leased = next((one.micro_usd for one in self.last.events if isinstance(one, ev.LeaseGranted)), None)
        traded = traded_by(self.last) if expected.traded is not None else None
        said = Answer(kind_of(decision), reasons, until, accept, lane, own, leased, traded)
        assert said == expected, f"core: {said}\ntwin: {expected}"

    def keep(self, step: decide.Advance) -> None:
        """Take over an entry, and check that folding it gives the same state."""
        super().keep(step)
        self.twin.heard(step.events)
        for event in step.events:
            self.folded = evolve(self.folded, event)
        assert self.folded == self.everything(), "the fold of the log is not the snapshot"

    def check_stream(self) -> None:
        """Law 9: the chain verifies, and the stored log folds into the state."""
        assert ledger.verify(self.name, self.entries, self.head.seq, self.link) is None
        customer = NOBODY
        for entry in self.entries:
            for event in decode_events(entry.body):
                customer = evolve(customer, event)
        assert customer == self.everything()
