"""Every way value leaves: one rule, one budget, one set of obstacles."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.core.histories import (
    DEFAULT,
    PLATFORM,
    SYSTEM,
    USD,
    Account,
    codes,
    destination,
    grow,
    grown,
    held_id,
    kind_of,
    long_standing,
    policy_with,
    sealed,
)

from holdback.core import decide
from holdback.core import events as ev
from holdback.core.decision import Allow, Context, Decision, Hold, PriceFact, Reason, StepUp
from holdback.core.events import DAY, HOUR, MINUTE, Actor, ActorKind, Channel, Lane, Scope
from holdback.core.inside import stop_key
from holdback.core.rules.account import AccountFreeze
from holdback.core.rules.address import AddressAdd, AddressRemove, AddressRenew
from holdback.core.rules.api_key import ApiKeyCreate
from holdback.core.rules.asking import MOST_MICRO_USD, Case
from holdback.core.rules.authenticator import AuthenticatorSuspend
from holdback.core.rules.contact import ContactReportRecycled
from holdback.core.rules.exit import (
    ExitCancel,
    ExitReconcile,
    ExitRelease,
    ExitRequest,
    ExitSettle,
    value_of,
)
from holdback.core.rules.order import OrderLease
from holdback.core.rules.session import SessionEnd
from holdback.core.rules.setting import AllowlistSet, LimitSet
from holdback.core.state import STRANGERS_KEPT, Customer

PROOFS = ("a1-1", "a1-2")
HOME = destination("home")
BOB = destination("bob")


def gone(account: Account) -> ev.ExitAllowed:
    """The exit that the last answer let go."""
    (found,) = (one for one in account.last_events() if isinstance(one, ev.ExitAllowed))
    return found


def release(account: Account, which: str, **fields: Any) -> Decision:  # noqa: ANN401 - as in `ask`
    """The platform comes back for a held exit."""
    return account.ask(ExitRelease(which), PLATFORM, **fields)


class TestDoor:
    """What no proof could mend."""

    @pytest.mark.parametrize(
        ("fields", "code", "about"),
        [
            ({"kind": "lending"}, Reason.EXIT_KIND_CLOSED, "kind"),
            ({"amount": "0"}, Reason.BAD_FIELD, "amount"),
            ({"amount": "0.000"}, Reason.BAD_FIELD, "amount"),
            ({"address": None}, Reason.BAD_FIELD, "address"),
            ({"network": None}, Reason.BAD_FIELD, "network"),
            ({"kind": "fiat_payout", "address": None}, Reason.BAD_FIELD, "address"),
            ({"kind": "redemption", "address": None}, Reason.BAD_FIELD, "address"),
            ({"kind": "internal_transfer"}, Reason.BAD_FIELD, "counterparty"),
            ({"kind": "gift"}, Reason.BAD_FIELD, "counterparty"),
            ({"kind": "p2p_sale"}, Reason.BAD_FIELD, "counterparty"),
            ({"kind": "card"}, Reason.BAD_FIELD, "counterparty"),
            ({"kind": "sweep"}, Reason.BAD_FIELD, "counterparty"),
            ({"kind": "sweep", "amount": "0"}, Reason.BAD_FIELD, "amount"),
            ({"counterparty": BOB}, Reason.BAD_FIELD, "counterparty"),
            ({"kind": "fiat_payout", "counterparty": BOB}, Reason.BAD_FIELD, "counterparty"),
            ({"network": "bank"}, Reason.BAD_FIELD, "network"),
            ({"network": "p2p"}, Reason.BAD_FIELD, "network"),
            ({"network": "own"}, Reason.BAD_FIELD, "network"),
            ({"network": "moonchain"}, Reason.NETWORK_CLOSED, "network"),
            ({"kind": "gift", "counterparty": BOB}, Reason.BAD_FIELD, "address"),
            ({"kind": "gift", "counterparty": BOB, "address": None}, Reason.BAD_FIELD, "network"),
            ({"kind": "card", "counterparty": BOB}, Reason.BAD_FIELD, "address"),
            ({"kind": "sweep", "counterparty": BOB}, Reason.BAD_FIELD, "address"),
        ],
        ids=str,
    )
    def test_what_cannot_be(self, fields: dict[str, object], code: Reason, about: str) -> None:
        """A kind that is not listed is closed; each listed one says how much goes where, and nothing beside."""
        account, session = grown()
        asked = {"kind": "withdrawal", "asset": "USD", "amount": "10", "address": HOME, "network": "bitcoin"} | fields
        answer = account.ask(ExitRequest(**asked), session, "a1-2")  # type: ignore[arg-type]  # some are left out
        assert (kind_of(answer), codes(answer), answer.findings[0].about) == ("deny", [code], about)

    @pytest.mark.parametrize(
        ("counterparty", "known", "code"),
        [
            ("alice", True, Reason.BAD_FIELD),
            ("bob", False, Reason.COUNTERPARTY_UNKNOWN),
            ("", False, Reason.COUNTERPARTY_UNKNOWN),
        ],
    )
    def test_inside_the_platform_someone_else_must_be_known(
        self, counterparty: str, *, known: bool, code: Reason
    ) -> None:
        """A transfer to oneself, or to nobody Holdback knows, is refused."""
        account, session = grown()
        action = ExitRequest("internal_transfer", "USD", "10", counterparty=BOB)
        answer = account.ask(action, session, "a1-2", counterparty=counterparty, known=known)
        assert codes(answer) == [code]

    def test_the_allowlist_shuts_out_strangers(self) -> None:
        """With allowlist mode on only what is in the book is paid, ripe or instant."""
        account, session = grown()
        account.ask(AllowlistSet(on=True), session, *PROOFS)
        account.add("new", session)
        assert codes(account.pay("1", "stranger", session)) == [Reason.NOT_ON_ALLOWLIST]
        assert codes(account.pay("1", "new", session)) == [Reason.INSTANT_LANE]
        assert codes(account.pay("1", "home", session)) == [Reason.PROVED]

    def test_only_so_many_wait(self) -> None:
        """The number of held exits is bounded."""
        account, session = grown(policy=policy_with(**{"bounds.waiting_exits": 2}))
        for _ in range(2):
            account.pay("900000", "home", session)
        answer = account.pay("1", "home", session)
        assert (codes(answer), answer.findings[0].about) == ([Reason.TOO_MANY], "exits")


class TestKinds:
    """Each kind finds its beneficiary, draws on its lane and tells its counterparty."""

    BOOK = (("bank", HOME), ("internal", BOB), ("p2p", None), ("card", None))

    def account(self) -> tuple[Account, bytes]:
        """An account whose book has one of each, long-standing."""
        account = Account()
        session = grow(account, subs=("savings",))
        for network, target in self.BOOK:
            account.ask(AddressAdd(sealed(network), network, target), session, *PROOFS)
        account.settle(days=40)
        return account, account.sign_in()

    @pytest.mark.parametrize(
        ("kind", "fields", "beneficiary", "lane", "tells"),
        [
            ("withdrawal", {"address": HOME, "network": "bitcoin"}, "bitcoin.", Lane.LONG_STANDING, False),
            ("fiat_payout", {"address": HOME}, "bank.", Lane.LONG_STANDING, False),
            ("fiat_payout", {"address": HOME, "network": "sepa"}, "bank.", Lane.LONG_STANDING, False),
            ("redemption", {"address": HOME}, "bank.", Lane.LONG_STANDING, False),
            ("internal_transfer", {"counterparty": BOB}, "internal.", Lane.LONG_STANDING, True),
            ("gift", {"counterparty": BOB}, "internal.", Lane.LONG_STANDING, True),
            ("card", {"counterparty": destination("shop")}, "card", Lane.OTHERS, False),
        ],
        ids=["withdrawal", "payout", "payout by a network", "redemption", "transfer", "gift", "card"],
    )
    def test_it_goes(
        self, kind: str, fields: dict[str, ev.Destination], beneficiary: str, lane: Lane, *, tells: bool
    ) -> None:
        """Strangers on an opened kind are never long-standing; a customer inside learns what he received."""
        account, session = self.account()
        action = ExitRequest(kind, "USD", "10", **fields)  # type: ignore[arg-type]  # fields that a kind needs
        answer = account.ask(action, session, "a1-2", counterparty="bob")
        assert codes(answer) == [Reason.PROVED], answer
        assert gone(account).lane is lane
        assert gone(account).beneficiary.startswith(beneficiary)
        assert account.last is not None
        waits = account.now + 24 * HOUR, "alice", account.now + 72 * HOUR
        received = (ev.ValueReceived(account.now, 10 * USD, *waits),)
        assert account.last.elsewhere == (received if tells else ())

    def test_a_cooling_sender_passes_its_wait_on(self) -> None:
        """Law 3: value from a sender that cools stays inside for 72 h."""
        account, session = self.account()
        for day in range(3):
            account.ask(
                ExitRequest("gift", "USD", "100", counterparty=BOB), account.sign_in(), "a1-2", counterparty="bob"
            )
            account.wait(days=1 + day)
        account.wait(days=4)
        session = account.sign_in(device="phone")
        account.deliver()
        answer = account.ask(ExitRequest("gift", "USD", "100", counterparty=BOB), session, "a1-2", counterparty="bob")
        assert kind_of(answer) == "allow"
        assert account.last is not None
        until = account.now + 72 * HOUR
        assert account.last.elsewhere == (ev.ValueReceived(account.now, 100 * USD, until, "alice", until),)

    @pytest.mark.parametrize("kind", ["p2p_sale", "gift", "internal_transfer"])
    def test_who_receives_inside_must_be_known(self, kind: str) -> None:
        """Law 8: value that arrives with another customer is not let go before that customer is known, at no point."""
        account, session = self.account()
        action = ExitRequest(kind, "USD", "10", counterparty=BOB)
        assert codes(account.ask(action, session, "a1-2")) == [Reason.COUNTERPARTY_UNKNOWN]
        assert codes(account.ask(action, session, "a1-2", counterparty="alice")) == [Reason.BAD_FIELD]
        account.policy = policy_with(**{"outflow.stranger_day_usd": 10**6})
        large = replace(action, amount="900000")
        which = held_id(account.ask(large, session, "a1-2", counterparty="bob"))
        account.settle(days=4)
        assert codes(release(account, which)) == [Reason.COUNTERPARTY_UNKNOWN]
        assert kind_of(release(account, which, counterparty="bob")) == GRANTED.get(kind, "allow")


GRANTED = {"p2p_sale": "hold"}
"""What is answered once nothing stands against an exit: a sale is locked."""


@pytest.mark.parametrize("kind", ["p2p_sale", "card"])
class TestStrangers:
    """Where anybody may be paid, nobody is paid much: each so much a day, whichever way it goes."""

    def account(self, **policy: object) -> tuple[Account, bytes]:
        """An account of a million that opened both kinds long ago, with room for many sales, and for long."""
        roomy = {"bounds.waiting_exits": 100, "outflow.sale_lock_h": 48, "outflow.card_margin_percent": 0}
        account = Account(policy_with(**policy | roomy))
        session = grow(account)
        for network in ("p2p", "card"):
            account.ask(AddressAdd(sealed(network), network), session, *PROOFS)
        account.settle(days=40)
        return account, account.sign_in()

    def sell(self, account: Account, kind: str, usd: str, to: str, session: bytes) -> Decision:
        """Pay a stranger."""
        action = ExitRequest(kind, "USD", usd, counterparty=destination(to))
        return account.ask(action, session, *PROOFS, counterparty=to)

    def test_each_is_capped_in_any_day(self, kind: str) -> None:
        """All that one of them got in 24 h counts together; another one is another, and a day later there is room."""
        account, session = self.account()
        for usd, to, code in (
            ("6000", "mule", Reason.PROVED),
            ("4000.01", "mule", Reason.STRANGER_CAP),
            ("4000", "mule", Reason.PROVED),
            ("0.01", "mule", Reason.STRANGER_CAP),
            ("10000", "other", Reason.PROVED),
        ):
            answer = self.sell(account, kind, usd, to, session)
            granted = Reason.SALE_LOCKED if kind == "p2p_sale" else Reason.PROVED
            assert codes(answer) == [granted if code is Reason.PROVED else code], usd
        account.wait(hours=24)
        assert codes(self.sell(account, kind, "1", "mule", account.sign_in())) == [Reason.STRANGER_CAP]
        account.wait(hours=1)
        assert kind_of(self.sell(account, kind, "10000", "mule", account.sign_in())) == GRANTED.get(kind, "allow")
        assert len(account.head.strangers) == 1

    def test_the_kind_is_no_way_round(self, kind: str) -> None:
        """What one was paid by the one kind counts for the other."""
        account, session = self.account()
        assert kind_of(self.sell(account, "card", "9000", "mule", session)) == "allow"
        assert codes(self.sell(account, kind, "1001", "mule", session)) == [Reason.STRANGER_CAP]

    def test_holding_is_no_way_round(self, kind: str) -> None:
        """Two that each fit were held: the second is refused as it would go."""
        account, session = self.account(**{"outflow.others_day_percent": 0})
        first, second = (held_id(self.sell(account, kind, "9000", "mule", session)) for _ in range(2))
        account.settle(days=4)
        assert kind_of(release(account, first, counterparty="mule")) == GRANTED.get(kind, "allow")
        assert codes(release(account, second, counterparty="mule")) == [Reason.STRANGER_CAP]
        account.wait(hours=25)
        assert kind_of(release(account, second, counterparty="mule")) == GRANTED.get(kind, "allow")

    def test_without_a_price_nobody_is_paid(self, kind: str) -> None:
        """Law 8: what nobody can price would fit under any cap."""
        account, session = self.account()
        account.prices.clear()
        assert codes(self.sell(account, kind, "1", "mule", session)) == [Reason.PRICE_UNKNOWN]

    def test_there_are_only_so_many(self, kind: str) -> None:
        """The state keeps so many strangers of a day, and one more is refused until one of them is forgotten."""
        account, session = self.account()
        for number in range(STRANGERS_KEPT):
            assert kind_of(self.sell(account, kind, "1", f"shop {number}", session)) == GRANTED.get(kind, "allow")
        answer = self.sell(account, kind, "1", "one more", session)
        assert (codes(answer), answer.findings[0].about) == ([Reason.TOO_MANY], "strangers")
        assert kind_of(self.sell(account, kind, "1", "shop 9", session)) == GRANTED.get(kind, "allow")
        account.wait(hours=25)
        assert kind_of(self.sell(account, kind, "1", "one more", account.sign_in())) == GRANTED.get(kind, "allow")


class TestSweep:
    """Moves between accounts of one owner: gated, drawing nothing."""

    @pytest.mark.parametrize("to", ["main", "alice", "savings"])
    def test_it_draws_nothing_and_needs_no_proof(self, to: str) -> None:
        """It passes the gate by session alone, and no budget, limit or habit feels it."""
        account, session = grown(subs=("savings",))
        account.ask(LimitSet("5"), session, *PROOFS)
        before = account.head.meters
        answer = account.ask(
            ExitRequest("sweep", "USD", "900000", counterparty=destination(to)), session, counterparty=to
        )
        assert (kind_of(answer), codes(answer)) == ("allow", [Reason.NO_HARM])
        assert (account.head.meters, account.head.habit) == (before, {})
        assert kind_of(account.pay("5", "home", session)) == "allow"

    def test_only_within_the_family(self) -> None:
        """To anyone else it is no sweep."""
        account, session = grown(subs=("savings",))
        action = ExitRequest("sweep", "USD", "1", counterparty=BOB)
        assert codes(account.ask(action, session, counterparty="bob")) == [Reason.BAD_FIELD]

    def test_a_cool_off_shuts_it(self) -> None:
        """In a cool-off nothing is gathered in one place either (Gemini/IRA 2022)."""
        account, _ = grown(subs=("savings",))
        session = account.sign_in(device="burner")
        account.deliver()
        action = ExitRequest("sweep", "USD", "1", counterparty=destination("main"))
        answer = account.ask(action, session, counterparty="main")
        assert (codes(answer), answer.findings[0].until) == ([Reason.COOL_OFF_CLOSES], account.now + 72 * HOUR)

    def test_a_restored_store_shuts_it(self) -> None:
        """Until receipts are reconciled nothing is moved within the family either."""
        account, session = grown(subs=("savings",))
        account.reconciling = True
        action = ExitRequest("sweep", "USD", "1", counterparty=destination("main"))
        assert codes(account.ask(action, session, counterparty="main")) == [Reason.RECONCILING]


class TestLanes:
    """Where an exit goes decides which budget it draws on."""

    def test_instant(self) -> None:
        """By senior proof $100 a day in all go to beneficiaries that still wait, and no more."""
        account, session = grown()
        account.add("new", session)
        assert codes(account.pay("60", "new", session)) == [Reason.INSTANT_LANE]
        assert codes(account.pay("40", "stranger", session)) == [Reason.INSTANT_LANE]
        assert gone(account).lane is Lane.INSTANT
        assert codes(account.pay("1", "new", session)) == [Reason.DESTINATION_NEW]

    def test_instant_is_shut_in_any_cool_off(self) -> None:
        """In a cool-off even a dollar to someone new waits for it."""
        account, _ = grown()
        session = account.sign_in(device="phone")
        account.deliver()
        assert set(codes(account.pay("1", "stranger", session))) == {Reason.COOLING_OFF, Reason.DESTINATION_NEW}

    def test_instant_needs_a_price(self) -> None:
        """What Holdback cannot price is not small."""
        account, session = grown()
        account.prices.clear()
        assert Reason.PRICE_UNKNOWN in codes(account.pay("1", "stranger", session))

    @pytest.mark.parametrize(
        ("usd", "days", "codes_", "hours"),
        [
            ("50000", 0, [Reason.PROVED], 0),
            ("50000.000001", 0, [Reason.OVER_BUDGET], 24),
            ("100000", 40, [Reason.PROVED], 0),
            ("100000.000001", 40, [Reason.OVER_BUDGET], 24),
        ],
        ids=["5 % to a senior", "more", "$100,000 to a long-standing", "more than that"],
    )
    def test_above_the_budget_it_is_held(self, usd: str, days: int, codes_: list[str], hours: int) -> None:
        """An exit above the budget to a senior beneficiary is held for 24 h, and then draws nothing."""
        account, _ = grown()
        account.wait(days=days)
        session = account.sign_in()
        answer = account.pay(usd, "home", session)
        assert codes(answer) == codes_
        if isinstance(answer, Hold):
            assert answer.release_at == account.now + hours * HOUR
            account.deliver()
            account.wait(hours=hours)
            assert kind_of(release(account, answer.id)) == "allow"
            assert gone(account).lane is Lane.NONE

    def test_to_a_stranger_it_waits_longer(self) -> None:
        """To someone who is not in the book it is held for 72 h, however much or little above $100."""
        account, session = grown()
        small, large = account.pay("101", "stranger", session), account.pay("900000", "stranger", session)
        assert codes(small) == [Reason.DESTINATION_NEW]
        assert codes(large) == [Reason.DESTINATION_NEW, Reason.OVER_BUDGET]
        for answer in (small, large):
            assert isinstance(answer, Hold)
            assert answer.release_at == account.now + 72 * HOUR
        account.settle(days=3)
        assert kind_of(release(account, held_id(small))) == "allow"
        assert gone(account).lane is Lane.OTHERS
        assert kind_of(release(account, held_id(large))) == "allow"
        assert gone(account).lane is Lane.NONE

    def test_a_beneficiary_whose_notice_is_out_is_said_to_ripen_if_it_came_now(self) -> None:
        """The instant of a new beneficiary's ripening moves with the acceptance of its notice."""
        account, session = grown()
        account.add("new", session)
        account.wait(minutes=30)
        answer = account.pay("101", "new", session)
        assert isinstance(answer, Hold)
        assert answer.release_at == account.now + 72 * HOUR

    def test_a_beneficiary_whose_notice_was_accepted_ripens_when_that_was_said(self) -> None:
        """An exit to it is held until its wait is over, not from the asking on."""
        account, session = grown()
        name = account.add("new", session)
        account.deliver()
        account.wait(minutes=30)
        answer = account.pay("101", "new", session)
        assert isinstance(answer, Hold)
        assert answer.release_at == account.beneficiary(name).ripens.until < account.now + 72 * HOUR

    def test_usual_amounts_pass_a_mild_cool_off(self) -> None:
        """After a new device 1.5 x the habit a day goes on to senior beneficiaries, all exits of the day together."""
        account, _ = long_standing()
        for _ in range(3):
            account.pay("1000", "home", account.sign_in())
            account.wait(days=1.1)
        account.wait(days=4)
        session = account.sign_in(device="phone")
        account.deliver()
        assert kind_of(account.pay("1000", "home", session)) == "allow"
        assert kind_of(account.pay("500", "home", session)) == "allow"
        assert codes(account.pay("1", "home", session)) == [Reason.COOLING_OFF]


class TestWhatASessionLearns:
    """A session alone, which a thief may have stolen, learns neither who is a customer nor whom the account may pay."""

    GIFT = ExitRequest("gift", "USD", "1", counterparty=destination("bob"))
    OUT = ExitRequest("withdrawal", "USD", "1", address=destination("stranger"), network="bitcoin")

    @pytest.mark.parametrize(
        ("action", "known", "allowlist", "reason"),
        [
            (GIFT, False, False, Reason.COUNTERPARTY_UNKNOWN),
            (GIFT, True, True, Reason.NOT_ON_ALLOWLIST),
            (GIFT, False, True, Reason.COUNTERPARTY_UNKNOWN),
            (OUT, False, True, Reason.NOT_ON_ALLOWLIST),
        ],
    )
    def test_it_is_told_after_proof(self, action: ExitRequest, *, known: bool, allowlist: bool, reason: Reason) -> None:
        """Without proof the answer is the same step-up as ever; proof is then spent once, and nothing else written."""
        account, session = grown()
        if allowlist:
            account.ask(AllowlistSet(on=True), session, *PROOFS)
        first = account.ask(action, session, counterparty="bob", known=known)
        assert isinstance(first, StepUp)
        assert codes(first) == [Reason.PROOF_REQUIRED]
        proof = replace(account.proof("a1-2"), digest=account.facts(account.request(action, session)).digest)
        answer = account.ask(action, session, proof, counterparty="bob", known=known, challenge=first.challenge)
        assert codes(answer) == [reason]
        written = [type(one) for one in account.last_events()]
        assert written == [ev.Decided, ev.ProofUsed, ev.ChallengeClosed]
        again = account.ask(action, session, proof, counterparty="bob", known=known)
        assert codes(again) == [Reason.PROOF_REPLAYED, Reason.PROOF_REQUIRED]


class TestReceived:
    """Law 3: what came from inside the platform stays inside for a while."""

    def test_it_does_not_exit_before_its_time(self) -> None:
        """Only what the account had before may leave, and what leaves is taken off that."""
        account, session = long_standing(equity="1000")
        until = account.now + DAY
        account.received((ev.ValueReceived(account.now, 400 * USD, until),))
        assert kind_of(account.pay("600", "home", session)) == "allow"
        answer = account.pay("1", "home", session)
        assert (codes(answer), answer.findings[0].until) == ([Reason.RECEIVED_LATELY], until)
        account.deliver()
        account.wait(days=1)
        assert kind_of(release(account, held_id(answer))) == "allow"

    @pytest.mark.parametrize(("stopped_h", "waits_h"), [(None, 24), (-1, 24), (0, 72), (23, 72), (24, 24)], ids=str)
    def test_a_stop_of_the_sender_keeps_it(self, stopped_h: int | None, waits_h: int) -> None:
        """Whoever is stopped in the hour in which he sent, or before the wait is over, keeps it there for 72 h."""
        account, session = long_standing(equity="1000")
        came = account.now
        account.received((ev.ValueReceived(came, 400 * USD, came + DAY, "mallory", came + 3 * DAY),))
        account.stopped = {} if stopped_h is None else {"mallory": (came + stopped_h * HOUR,)}
        answer = account.pay("900", "home", session)
        assert (codes(answer), answer.findings[0].until) == ([Reason.RECEIVED_LATELY], came + waits_h * HOUR)
        account.deliver()
        account.now = came + waits_h * HOUR - 1
        assert Reason.RECEIVED_LATELY in codes(release(account, held_id(answer)))
        account.now += 1
        assert kind_of(release(account, held_id(answer))) == "allow"
        assert b"mallory" in account.decided().facts

    def test_a_stop_is_read_again_at_release(self) -> None:
        """A hold that was to end after 24 h goes on to 72 h if the sender is stopped meanwhile."""
        account, session = long_standing(equity="1000")
        came = account.now
        account.received((ev.ValueReceived(came, 400 * USD, came + DAY, "mallory", came + 3 * DAY),))
        which = held_id(account.pay("900", "home", session))
        account.deliver()
        account.now, account.stopped = came + DAY, {"mallory": (came + 20 * HOUR,)}
        answer = release(account, which)
        assert (codes(answer), answer.findings[0].until) == ([Reason.RECEIVED_LATELY], came + 3 * DAY)

    def test_a_sender_that_cannot_be_read_counts_as_stopped(self) -> None:
        """Law 8: without a word on the sender the longer wait counts, also once the shorter one is over."""
        account, _ = long_standing(equity="1000")
        came = account.now
        account.received((ev.ValueReceived(came, 400 * USD, came + DAY, "mallory", came + 3 * DAY),))
        account.unread = frozenset({"mallory"})
        for hours in (0, 24, 71):
            account.now = came + hours * HOUR
            session = account.sign_in()
            assert account.pay("900", "home", session).findings[-1].until == came + 3 * DAY

    def test_nobody_is_asked_about_who_sent_nothing(self) -> None:
        """Of an account that received nothing, or nothing in question, no other one is read."""
        account, session = long_standing(equity="1000")
        asked = account.request(ExitRequest("withdrawal", "USD", "1", address=HOME, network="bitcoin"), session)
        assert decide.needs(asked, account.head).senders == ()
        longest = account.now + 3 * DAY
        account.received((ev.ValueReceived(account.now, USD, longest, "mallory", longest),))
        assert decide.needs(asked, account.head).senders == ()
        account.received((ev.ValueReceived(account.now, USD, longest - DAY, "mallory", longest),))
        needs = decide.needs(asked, account.head)
        assert (needs.senders, needs.shared) == (("mallory",), (stop_key("mallory"),))
        assert decide.needs(account.request(ExitCancel("x"), session), account.head).senders == ()

    def test_dust_delays_nothing(self) -> None:
        """A stranger's cent holds nobody's exits, and later dust postpones no end."""
        account, session = long_standing(equity="0")
        account.received((ev.ValueReceived(account.now, 1, account.now + 3 * DAY),))
        assert kind_of(account.pay("100000", "home", session)) == "allow"
        until = account.now + DAY
        account.received((ev.ValueReceived(account.now, 100 * USD, until),))
        assert account.pay("1", "home", session).findings[-1].until == until

    def test_many_sendings_are_one_mark_an_hour(self) -> None:
        """Waits end at full hours, so the receiver's head does not grow with the number of transfers."""
        account, session = grown()
        account.wait(minutes=1)
        action = ExitRequest("internal_transfer", "USD", "1", counterparty=destination("bob"))
        marks = set()
        for _ in range(6):
            account.ask(action, session, *PROOFS, counterparty="bob")
            assert account.last is not None
            (mark,) = account.last.elsewhere
            assert isinstance(mark, ev.ValueReceived)
            assert account.now + DAY <= mark.until < account.now + DAY + HOUR
            marks.add(mark.until)
            account.wait(minutes=9)
        assert len(marks) == 1

    def test_what_has_no_price_marks_the_receiver_still(self) -> None:
        """Unknown is not nothing: value that nobody can price waits as much as the floor does, or what was said."""
        account, session = grown()
        account.prices.clear()
        for said, marked in ((None, 100), ("99", 100), ("101", 101)):
            action = ExitRequest("internal_transfer", "USD", "1", said, counterparty=destination("bob"))
            which = held_id(account.ask(action, session, *PROOFS, counterparty="bob"))
            account.settle(days=4)
            assert kind_of(account.ask(ExitRelease(which), PLATFORM, counterparty="bob")) == "allow"
            assert account.last is not None
            assert [one.micro_usd for one in account.last.elsewhere if isinstance(one, ev.ValueReceived)] == [
                marked * USD
            ]
            session = account.sign_in()

    def test_without_a_price_nothing_leaves_beside_it(self) -> None:
        """What cannot be priced may be the very value that was received."""
        account, session = long_standing(equity="1000")
        account.received((ev.ValueReceived(account.now, 400 * USD, account.now + DAY),))
        account.prices.clear()
        assert set(codes(account.pay("1", "home", session))) == {Reason.PRICE_UNKNOWN, Reason.RECEIVED_LATELY}


class TestValue:
    """Law 6: Holdback's own price; the platform's word may only tighten."""

    @pytest.mark.parametrize(
        ("amount", "price", "stated", "worth", "own"),
        [
            ("2", 3 * USD, 0, 6 * USD, 6 * USD),
            ("2", 3 * USD, 7 * USD, 7 * USD, 6 * USD),
            ("2", 3 * USD, 5 * USD, 6 * USD, 6 * USD),
            ("0.000000000000000001", 3, 0, 1, 1),
            ("2", None, 5 * USD, 5 * USD, None),
            ("2", None, 0, 0, None),
            ("1", MOST_MICRO_USD, 0, MOST_MICRO_USD, MOST_MICRO_USD),
            ("2", MOST_MICRO_USD, 0, MOST_MICRO_USD, None),
            ("1", 1, MOST_MICRO_USD + 1, MOST_MICRO_USD, None),
            ("1", None, MOST_MICRO_USD + 1, MOST_MICRO_USD, None),
        ],
        ids=[
            "priced",
            "said more",
            "said less",
            "rounded up",
            "no price, a word",
            "nothing",
            "most",
            "beyond",
            "said beyond",
            "only said",
        ],
    )
    def test_what_an_amount_is_worth(
        self, amount: str, price: int | None, stated: int, worth: int, own: int | None
    ) -> None:
        """The larger of price and word counts against budgets; the price alone shapes habit; both up to a billion."""
        account, session = grown()
        request = account.request(SessionEnd(), session)
        facts = account.facts(request)
        if price is not None:
            facts = replace(facts, price=PriceFact("X", price, account.now))
        case = Case(account.head, Customer(account.head, {}), request, facts, account.policy, account.now)
        value = value_of(case, "X", amount, stated)
        assert (value.micro_usd, value.own_micro_usd, value.priced) == (worth, own, own is not None)

    @pytest.mark.parametrize(("minutes", "good"), [(0, True), (15, True), (15.1, False)])
    def test_a_price_has_an_age(self, minutes: float, *, good: bool) -> None:
        """A price older than 15 minutes is none: the exit is held as over budget."""
        account, session = grown()
        account.price_age_ms = int(minutes * MINUTE)
        assert codes(account.pay("10", "home", session)) == [Reason.PROVED if good else Reason.PRICE_UNKNOWN]

    def test_a_price_of_something_else_is_none(self) -> None:
        """Only a price of the very asset counts."""
        account, session = grown()
        action = ExitRequest("withdrawal", "DOGE", "1", address=HOME, network="bitcoin")
        assert codes(account.ask(action, session, "a1-2")) == [Reason.PRICE_UNKNOWN]

    def test_without_a_price_the_policy_decides(self) -> None:
        """A policy may say that what cannot be priced is refused, at the asking and at the release."""
        account, session = grown(policy=policy_with(**{"signals.price": "deny"}))
        held = held_id(account.pay("900000", "home", session))
        account.prices.clear()
        answer = account.pay("10", "home", session)
        assert (kind_of(answer), codes(answer)) == ("deny", [Reason.PRICE_UNKNOWN])
        account.settle(days=2)
        assert kind_of(release(account, held)) == "deny"

    def test_a_limit_needs_a_price(self) -> None:
        """The owner's own limit cannot be kept without a price, so nothing passes it."""
        account, session = grown()
        account.ask(LimitSet("100"), session, *PROOFS)
        account.prices.clear()
        assert codes(account.pay("1", "home", session)) == [Reason.PRICE_UNKNOWN]

    @pytest.mark.parametrize(("usd", "fine"), [("60", True), ("60.000001", False)])
    def test_the_owners_limit(self, usd: str, *, fine: bool) -> None:
        """No more than the limit leaves in 24 h, over all exits; a held exit is refused at its release, too."""
        account, session = grown()
        held = held_id(account.pay("900000", "home", session))
        account.ask(LimitSet("100"), session, *PROOFS)
        account.pay("40", "home", session)
        answer = account.pay(usd, "home", session)
        assert codes(answer) == [Reason.PROVED if fine else Reason.OVER_OWN_LIMIT]
        assert codes(release(account, held)) == [Reason.OVER_OWN_LIMIT]
        if not fine:
            assert answer.findings[0].until == account.now + DAY

    def test_the_platforms_word_never_loosens(self) -> None:
        """Law 6: many exits the platform called large do not make large ones usual."""
        account, _ = long_standing(equity="1000")
        account.add("mule", account.sign_in())
        account.settle()
        for _ in range(4):
            action = ExitRequest("withdrawal", "USD", "1", "100000", HOME, "bitcoin")
            assert kind_of(account.ask(action, account.sign_in(), "a1-1", "a1-2")) == "allow"
            account.wait(days=1.1)
        account.wait(days=4)
        answer = account.pay("60", "mule", account.sign_in(), context=Context(equity_micro_usd=10**12))
        assert codes(answer) == [Reason.OVER_BUDGET]


class TestRelease:
    """A hold ends at the instant that was said, or early as law 10 allows."""

    def held(self, usd: str = "900000", *kinds: ev.AuthenticatorKind) -> tuple[Account, bytes, str]:
        """An account with an exit held for 24 h."""
        account, session = grown(*kinds)
        return account, session, held_id(account.pay(usd, "home", session))

    def test_it_is_due_when_that_was_said(self) -> None:
        """The platform may release it at its instant and not before, though its cause be gone."""
        account, _, which = self.held()
        account.deliver()
        account.wait(hours=23.9)
        answer = release(account, which)
        assert set(codes(answer)) == {Reason.OVER_BUDGET, Reason.NOT_YET_DUE}
        account.wait(hours=0.1)
        assert codes(release(account, which)) == [Reason.PROVED]

    def test_it_waits_for_its_owner_to_confirm_whom_it_pays(self) -> None:
        """Incident G: time alone does not end a hold to an entry that expired, so that none is named until he did."""
        account, _, which = self.held()
        account.add("other", account.sign_in())
        account.deliver()
        account.wait(days=31)
        answer = release(account, which)
        assert isinstance(answer, Hold)
        assert (codes(answer), answer.release_at) == ([Reason.VERIFICATION_EXPIRED], None)
        assert account.head.exits[which].unconfirmed
        for entry in ("other", "home"):
            assert account.head.exits[which].unconfirmed
            account.ask(AddressRenew("bitcoin", destination(entry)), account.sign_in(), *PROOFS)
        assert not account.head.exits[which].unconfirmed
        assert codes(release(account, which)) == [Reason.PROVED]

    def test_a_hold_says_from_the_start_that_somebody_must_confirm(self) -> None:
        """What a key asks for, to an entry that expired, is noted and told as waiting for its owner."""
        account, session = grown()
        scopes = (Scope.TRADE, Scope.WITHDRAW)
        made = ApiKeyCreate(sealed("bot"), scopes, (sealed("203.0.113.7"),), secret=sealed("key"))
        key = getattr(account.ask(made, session, *PROOFS), "id", "")
        account.settle(days=4)
        actor = Actor(ActorKind.API_KEY, key=key)
        for days in range(0, 40, 8):
            account.wait(days=8 if days else 0)
            account.ask(OrderLease("BTC/USD"), actor)
        action = ExitRequest("withdrawal", "USD", "90", address=HOME, network="bitcoin")
        account.ask(action, actor)
        (held,) = (one for one in account.last_events() if isinstance(one, ev.ExitHeld))
        assert held.unconfirmed

    def test_a_price_that_comes_does_not_end_it(self) -> None:
        """What was held without a price waits for its time with one, too."""
        account, session = grown()
        account.prices.clear()
        which = held_id(account.pay("10", "home", session))
        account.deliver()
        account.prices["USD"] = USD
        answer = release(account, which)
        assert isinstance(answer, Hold)
        assert codes(answer) == [Reason.NOT_YET_DUE]
        account.wait(hours=24)
        assert kind_of(release(account, which)) == "allow"

    def test_it_does_not_run_untold(self) -> None:
        """Law 5: the wait of an exit runs only once the owner was told of it."""
        account, _, which = self.held()
        account.wait(days=10)
        answer = release(account, which)
        assert isinstance(answer, Hold)
        assert codes(answer) == [Reason.NOTICE_UNDELIVERED]
        assert answer.release_at == account.now + 24 * HOUR
        account.deliver()
        account.wait(hours=24)
        assert kind_of(release(account, which)) == "allow"

    def test_it_is_weighed_again(self) -> None:
        """A cool-off that began meanwhile holds it on, and the later instant is written."""
        account, _, which = self.held()
        account.deliver()
        account.wait(hours=24)
        account.sign_in(device="burner")
        account.deliver()
        answer = release(account, which)
        assert isinstance(answer, Hold)
        assert codes(answer) == [Reason.COOLING_OFF]
        assert account.head.exits[which].said_until == answer.release_at == account.now + 24 * HOUR
        account.wait(hours=24)
        assert kind_of(release(account, which)) == "allow"

    def test_a_longer_wait_counts_from_the_same_start(self) -> None:
        """What must wait longer than was said at first waits the rest, not anew."""
        account, session = grown()
        account.sign_in(device="burner")
        account.deliver()
        which = held_id(account.pay("40000", "home", session))
        account.deliver()
        account.wait(hours=20)
        account.any_session()
        asked_at = account.head.exits[which].asked_at
        account.ask(SessionEnd(), account.any_session(), context=Context(equity_micro_usd=1000 * USD))
        account.wait(hours=3)
        answer = release(account, which)
        assert Reason.OVER_BUDGET in codes(answer)
        assert isinstance(answer, Hold)
        assert answer.release_at == asked_at + 24 * HOUR

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ("kind closed", Reason.EXIT_KIND_CLOSED),
            ("allowlist", Reason.NOT_ON_ALLOWLIST),
            ("counterparty", Reason.COUNTERPARTY_UNKNOWN),
            ("unknown", Reason.NOT_FOUND),
        ],
    )
    def test_what_stops_it(self, change: str, code: Reason) -> None:
        """A door that closed meanwhile, an allowlist without it, or a counterparty nobody knows stops it at the end."""
        account, session = grown()
        action = ExitRequest("internal_transfer", "USD", "900000", counterparty=BOB)
        which = held_id(account.ask(action, session, "a1-2", counterparty="bob"))
        account.deliver()
        if change == "kind closed":
            account.policy = policy_with(exits={"withdrawal": "*"})
        if change == "allowlist":
            account.ask(AllowlistSet(on=True), session, *PROOFS)
        account.wait(days=4)
        known = change != "counterparty"
        asked = "x999" if change == "unknown" else which
        assert codes(release(account, asked, counterparty="bob", known=known)) == [code]

    def test_a_freeze_stops_it(self) -> None:
        """A freeze cancels what waits, and what is held after it cannot be."""
        account, session, which = self.held()
        held = account.head.exits
        account.ask(AccountFreeze(), session)
        assert codes(release(account, which)) == [Reason.NOT_FOUND]
        account.state = replace(account.head, exits=held)
        assert codes(release(account, which)) == [Reason.FROZEN]

    def test_a_restored_store_releases_nothing(self) -> None:
        """After a restore exits are held until receipts are reconciled, asked and held ones alike."""
        account, session, which = self.held()
        account.settle(days=2)
        account.reconciling = True
        answer = release(account, which)
        assert isinstance(answer, Hold)
        assert (codes(answer), answer.release_at) == ([Reason.RECONCILING], account.head.exits[which].said_until)
        session = account.sign_in()
        asked = account.pay("5", "home", session)
        assert isinstance(asked, Hold)
        assert (codes(asked), asked.release_at) == ([Reason.RECONCILING], None)

    def test_cancelling_is_free(self) -> None:
        """Owner and platform stop a held exit by no proof."""
        for actor in ("owner", "platform"):
            account, session, which = self.held()
            answer = account.ask(ExitCancel(which), session if actor == "owner" else PLATFORM)
            assert (kind_of(answer), codes(answer)) == ("allow", [Reason.TIGHTENING])
            assert codes(account.ask(ExitCancel(which), PLATFORM)) == [Reason.NOT_FOUND]


class TestEarlyRelease:
    """Law 10: a hold ends early only by a senior authenticator and a senior contact, for a senior beneficiary."""

    def held(self, to: str = "home", **opened: Any) -> tuple[Account, bytes, ExitRelease]:  # noqa: ANN401 - as in `open`
        """An exit that waits."""
        account, session = grown(**opened)
        return account, session, ExitRelease(held_id(account.pay("900000", to, session)))

    def test_a_senior_contact_that_took_no_part_ends_it(self) -> None:
        """Proofs and the code that was sent to such a contact let it go at once; it draws nothing."""
        account, session, action = self.held()
        first = account.ask(action, session, *PROOFS)
        assert isinstance(first, StepUp)
        assert first.accept == (("password", "totp", "contact_code"),)
        contact = account.head.challenges[first.challenge].contact
        assert contact == "c1-1"
        sent = [one for one in account.last_events() if isinstance(one, ev.NoticeDue)]
        assert [(one.cause, one.contacts) for one in sent] == [("contact.code", ("c1-1",))]
        answer = account.ask(action, session, *PROOFS, contact, challenge=first.challenge)
        assert codes(answer) == [Reason.PROVED]
        assert gone(account).lane is Lane.NONE

    @pytest.mark.parametrize("shown", ["no code", "another contact's code", "a wrong code", "no challenge"])
    def test_nothing_less_does(self, shown: str) -> None:
        """Without the very code that was sent it goes on waiting."""
        account, session, action = self.held()
        first = account.ask(action, session, *PROOFS)
        assert isinstance(first, StepUp)
        code = {
            "no code": (),
            "another contact's code": (account.proof("c1-2"),),
            "a wrong code": (account.wrong("c1-1"),),
            "no challenge": (account.proof("c1-1"),),
        }[shown]
        challenge = "" if shown == "no challenge" else first.challenge
        assert kind_of(account.ask(action, session, *PROOFS, *code, challenge=challenge)) == "step_up"

    def test_only_for_a_senior_beneficiary(self) -> None:
        """To a stranger, or to someone who left the book, nothing is let go early."""
        account, session, action = self.held("stranger")
        assert codes(account.ask(action, session, *PROOFS)) == [Reason.SENIOR_BENEFICIARY_REQUIRED]
        account, session = grown()
        account.add("new", session)
        action = ExitRelease(held_id(account.pay("900000", "new", session)))
        assert codes(account.ask(action, session, *PROOFS)) == [Reason.SENIOR_BENEFICIARY_REQUIRED]

    def test_never_inside_a_cool_off(self) -> None:
        """What a change closed stays closed, told of or not."""
        account, session, action = self.held()
        account.sign_in(device="burner")
        assert codes(account.ask(action, session, *PROOFS)) == [Reason.NOTICE_UNDELIVERED]
        account.deliver()
        assert codes(account.ask(action, session, *PROOFS)) == [Reason.COOLING_OFF]

    @pytest.mark.parametrize("channels", [(Channel.EMAIL, Channel.PUSH), (Channel.EMAIL, Channel.SMS)], ids=str)
    def test_the_witness_must_be_senior_and_outside(self, channels: tuple[Channel, ...]) -> None:
        """A contact within the platform's systems, one given away, or a junior one witnesses nothing."""
        account, session, action = self.held(contacts=channels)
        for name in list(account.head.contacts):
            if channels[1] is Channel.SMS or name == "c1-1":
                account.ask(ContactReportRecycled(name), PLATFORM)
        answer = account.ask(action, session, *PROOFS)
        assert codes(answer) == [Reason.NO_SENIOR_CONTACT]

    def test_what_else_stands_against_it_stands(self) -> None:
        """An early release skips the exit's own wait alone."""
        account, session, action = self.held()
        account.received((ev.ValueReceived(account.now, 900_000 * USD, account.now + DAY),))
        first = account.ask(action, session, *PROOFS)
        assert isinstance(first, StepUp)
        answer = account.ask(action, session, *PROOFS, "c1-1", challenge=first.challenge)
        assert codes(answer) == [Reason.RECEIVED_LATELY]

    def test_suspended_proofs_do_not_count(self) -> None:
        """The strongest senior authenticator must be one that proves."""
        account, session, action = self.held()
        account.ask(AuthenticatorSuspend("a1-2"), session)
        assert codes(account.ask(action, session, *PROOFS)) == [Reason.AUTHENTICATOR_SUSPENDED]


class TestAfterwards:
    """What follows an exit."""

    def test_it_settles_once_it_went(self) -> None:
        """The platform says that an allowed exit is final; of any other there is nothing to say."""
        account, session = grown()
        answer = account.pay("5", "home", session)
        assert isinstance(answer, Allow)
        assert codes(account.ask(ExitSettle(answer.id, "tx"), PLATFORM)) == [Reason.NO_HARM]
        assert codes(account.ask(ExitSettle("x999", "tx"), PLATFORM)) == [Reason.NOT_FOUND]

    def test_a_forgotten_receipt_counts_once(self) -> None:
        """A receipt the restored store had forgotten draws again, and a second time nothing."""
        account, session = grown()
        account.ask(ExitReconcile("receipt", "49995"), SYSTEM)
        assert codes(account.ask(ExitReconcile("receipt", "49995"), SYSTEM)) == [Reason.NO_HARM]
        assert codes(account.pay("5", "home", session)) == [Reason.PROVED]
        assert codes(account.pay("5", "home", session)) == [Reason.OVER_BUDGET]

    @pytest.mark.parametrize(
        ("kind", "known", "lane", "marked"),
        [
            ("internal_transfer", True, Lane.OTHERS, True),
            ("internal_transfer", False, Lane.OTHERS, False),
            ("p2p_sale", True, Lane.OTHERS, True),
            ("withdrawal", True, Lane.OTHERS, False),
            ("closed_since", True, Lane.OTHERS, False),
            ("", True, Lane.OTHERS, False),
            ("sweep", True, Lane.OWN, False),
        ],
    )
    def test_what_a_forgotten_receipt_did(self, kind: str, *, known: bool, lane: Lane, marked: bool) -> None:
        """A forgotten sweep draws nothing; what a customer here received is marked for as long as marks ever last."""
        account, _ = grown()
        account.ask(ExitReconcile("receipt", "900", kind), SYSTEM, counterparty="bob", known=known)
        assert [one.lane for one in account.last_events() if isinstance(one, ev.ExitReconciled)] == [lane]
        hours = account.policy.outflow.received_from_cooling_h
        until = (-(-account.now // HOUR) + hours) * HOUR
        marks = (ev.ValueReceived(account.now, 900 * USD, until, "alice", until),) if marked else ()
        assert account.last is not None
        assert account.last.elsewhere == marks


def test_removing_the_beneficiary_stops_what_waits_for_it() -> None:
    """An exit never goes to an entry that left the book while it waited."""
    account, session = grown()
    which = held_id(account.pay("900000", "home", session))
    account.ask(AddressRemove("bitcoin", HOME), session)
    assert which not in account.head.exits


def test_every_listed_kind_is_tested() -> None:
    """The doors of the default policy are those these tests know."""
    assert set(DEFAULT["exits"]) == {
        "withdrawal",
        "fiat_payout",
        "redemption",
        "internal_transfer",
        "gift",
        "p2p_sale",
        "card",
        "sweep",
    }
