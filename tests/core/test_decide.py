"""The one door: who may ask what, the guards before every rule, challenges, and what an entry is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.core.everything import EVERY
from tests.core.histories import (
    PASSWORD,
    PLATFORM,
    START,
    SYSTEM,
    TOTP,
    USD,
    Account,
    bitcoin,
    codes,
    destination,
    grown,
    held_id,
    kind_of,
    policy_with,
    sealed,
)

from holdback.core import decide
from holdback.core import events as ev
from holdback.core.assurance import Level
from holdback.core.decide import PLANNED, RULES, NotAvailable, action_name, needs
from holdback.core.decision import Context, Reason, StaffFact, StepUp, ranked, why
from holdback.core.events import HOUR, MINUTE, Actor, ActorKind, Channel, Role, Scope, StreamKind
from holdback.core.rules.account import (
    AccountFreeze,
    AccountImport,
    AccountUnfreeze,
    ImportedAuthenticator,
    ImportedContact,
)
from holdback.core.rules.address import AddressAdd, AddressRemove, AddressRenew
from holdback.core.rules.api_key import ApiKeyCreate, ApiKeyLeaked, ApiKeyRevoke, ApiKeySuspend
from holdback.core.rules.asking import Case
from holdback.core.rules.authenticator import (
    AuthenticatorBind,
    AuthenticatorConfirm,
    AuthenticatorReinstate,
    AuthenticatorRemove,
    AuthenticatorSuspend,
)
from holdback.core.rules.change import ChangeCancel
from holdback.core.rules.contact import ContactAdd, ContactConfirm, ContactRemove, ContactReportRecycled
from holdback.core.rules.deposit import DepositReceive
from holdback.core.rules.exit import ExitCancel, ExitReconcile, ExitRelease, ExitRequest, ExitSettle
from holdback.core.rules.incident import IncidentClose, IncidentNote, IncidentReport
from holdback.core.rules.legal import (
    LegalApprove,
    LegalCallBack,
    LegalFreezeOrder,
    LegalReceive,
    LegalReject,
    LegalRelease,
)
from holdback.core.rules.notice import NoticeOutcome
from holdback.core.rules.order import OrderLease, OrderPlace, OrderReport
from holdback.core.rules.password import PasswordChange
from holdback.core.rules.recovery import (
    EvidenceBurn,
    RecoveryCancel,
    RecoveryContest,
    RecoveryEvidence,
    RecoveryFinish,
    RecoveryOpen,
    RecoveryRemind,
    RecoveryReview,
)
from holdback.core.rules.session import SessionEnd, SessionEndAll, SessionFailures, SessionStart
from holdback.core.rules.setting import AllowlistSet, LimitSet, LockSet, VaultSet
from holdback.core.rules.staff import StaffEnrol, StaffFlag, StaffLookUp, StaffRetire, TicketClose, TicketOpen
from holdback.core.state import NOBODY, PROFILE, Agency, Breaker, Customer, Head, Member

if TYPE_CHECKING:
    from holdback.core.rules.asking import Action

HOME = destination("home")
IMPORT = AccountImport(
    sealed("alice"), (ImportedAuthenticator(PASSWORD),), (ImportedContact(Channel.EMAIL, sealed("mail")),)
)
OWNER_ONLY, BOTH = {ActorKind.OWNER}, {ActorKind.OWNER, ActorKind.PLATFORM}

WHO: list[tuple[Action, set[ActorKind]]] = [
    (IMPORT, {ActorKind.PLATFORM}),
    (AccountFreeze(), {ActorKind.OWNER, ActorKind.LINK}),
    (AccountUnfreeze(), OWNER_ONLY),
    (SessionStart(), OWNER_ONLY),
    (SessionFailures(START, 1, 1, START, START), {ActorKind.SYSTEM}),
    (SessionEnd(), OWNER_ONLY),
    (SessionEndAll(), OWNER_ONLY),
    (PasswordChange(sealed("new")), OWNER_ONLY),
    (AuthenticatorBind(TOTP, sealed("new")), OWNER_ONLY),
    (AuthenticatorConfirm("a1-1"), OWNER_ONLY),
    (AuthenticatorRemove("a1-2"), OWNER_ONLY),
    (AuthenticatorSuspend("a1-2"), OWNER_ONLY),
    (AuthenticatorReinstate("a1-2"), OWNER_ONLY),
    (ContactAdd(Channel.EMAIL, sealed("new")), OWNER_ONLY),
    (ContactConfirm("c1-1"), OWNER_ONLY),
    (ContactRemove("c1-1"), OWNER_ONLY),
    (ContactReportRecycled("c1-1"), BOTH),
    (AddressAdd(sealed("new"), "bitcoin", destination("new")), OWNER_ONLY),
    (AddressRenew("bitcoin", HOME), OWNER_ONLY),
    (AddressRemove("bitcoin", HOME), OWNER_ONLY),
    (AllowlistSet(on=True), OWNER_ONLY),
    (LockSet(24), OWNER_ONLY),
    (LimitSet("5"), OWNER_ONLY),
    (VaultSet(50), OWNER_ONLY),
    (ChangeCancel("ch1"), OWNER_ONLY),
    (ApiKeyCreate(sealed("bot"), (Scope.TRADE,), secret=sealed("key")), OWNER_ONLY),
    (ApiKeySuspend("k1"), OWNER_ONLY),
    (ApiKeyRevoke(), OWNER_ONLY),
    (ApiKeyLeaked("k1"), {ActorKind.SYSTEM}),
    (OrderPlace("o1", "BTC/USDT", "buy", "1", "1"), {ActorKind.OWNER, ActorKind.API_KEY}),
    (OrderLease("BTC/USDT"), {ActorKind.OWNER, ActorKind.API_KEY}),
    (OrderReport("o1", "BTC/USDT", "buy", "1", "1"), {ActorKind.PLATFORM}),
    (ExitRequest("withdrawal", "USD", "1", address=HOME, network="bitcoin"), {ActorKind.OWNER, ActorKind.API_KEY}),
    (ExitCancel("x1"), BOTH | {ActorKind.API_KEY, ActorKind.STAFF}),
    (ExitRelease("x1"), BOTH | {ActorKind.STAFF}),
    (ExitSettle("x1", "ref"), {ActorKind.PLATFORM}),
    (ExitReconcile("receipt", "1"), {ActorKind.SYSTEM}),
    (DepositReceive(), {ActorKind.SYSTEM}),
    (NoticeOutcome("1-0", "c1-1", accepted=True), {ActorKind.SYSTEM}),
    (RecoveryOpen((PASSWORD, TOTP)), {ActorKind.OWNER, ActorKind.STAFF}),
    (RecoveryEvidence("face"), {ActorKind.OWNER, ActorKind.STAFF}),
    (RecoveryReview("approve", sealed("seen")), {ActorKind.STAFF}),
    (RecoveryContest(), {ActorKind.OWNER, ActorKind.LINK}),
    (RecoveryCancel(), OWNER_ONLY),
    (RecoveryFinish(sealed("new")), OWNER_ONLY),
    (StaffEnrol((Role.SUPPORT,), sealed("sue"), sealed("key"), sealed("mail")), {ActorKind.STAFF, ActorKind.SYSTEM}),
    (StaffRetire(), {ActorKind.STAFF}),
    (StaffLookUp("t-1", ("email",), sealed("asked")), {ActorKind.STAFF}),
    (StaffFlag("rich", ("staff-sue",), 1, 9, 20, 100), {ActorKind.SYSTEM}),
    (TicketOpen("t-1"), {ActorKind.SYSTEM}),
    (TicketClose("t-1"), {ActorKind.SYSTEM}),
    (EvidenceBurn(("face",), "leak"), {*BOTH, ActorKind.STAFF}),
    (RecoveryRemind(), {ActorKind.SYSTEM}),
    (IncidentReport(sealed("all gone")), {ActorKind.OWNER, ActorKind.LINK}),
    (IncidentNote(sealed("at noon")), {ActorKind.OWNER, ActorKind.LINK, ActorKind.STAFF}),
    (IncidentClose(), {ActorKind.OWNER, ActorKind.STAFF}),
    (LegalReceive("police", ("email",), "court_order"), {ActorKind.AGENCY, ActorKind.STAFF}),
    (LegalFreezeOrder("police", 30), {ActorKind.AGENCY, ActorKind.STAFF}),
    (LegalCallBack(confirmed=True), {ActorKind.STAFF}),
    (LegalApprove(), {ActorKind.STAFF}),
    (LegalRelease(), {ActorKind.STAFF}),
    (LegalReject(forged=True), {ActorKind.STAFF}),
    (EVERY["agency.add"], {ActorKind.STAFF}),
    (EVERY["agency.remove"], {ActorKind.STAFF}),
    (EVERY["breaker.trip"], {ActorKind.SYSTEM}),
    (EVERY["breaker.reset"], {ActorKind.STAFF}),
]
NAMES = [action_name(action) for action, _ in WHO]


def test_every_action_is_in_the_table() -> None:
    """The table of who may ask what names every action there is, once."""
    assert {type(action) for action, _ in WHO} == set(RULES)
    assert len(WHO) == len(RULES)
    assert not PLANNED & set(NAMES)


def of_its_kind(action: Action) -> tuple[Account, bytes]:
    """A stream in which the action can be asked, and its owner's session."""
    account, session = grown()
    if StreamKind.AGENCY in RULES[type(action)].streams:
        account.state = replace(account.head, agency=Agency())
    elif StreamKind.BREAKER in RULES[type(action)].streams:
        account.state = replace(account.head, breaker=Breaker())
    elif StreamKind.CUSTOMER not in RULES[type(action)].streams:
        account.state = replace(account.head, member=Member((Role.SUPPORT,)))
    return account, session


@pytest.mark.parametrize("kind", ActorKind, ids=str)
@pytest.mark.parametrize(("action", "may"), WHO, ids=NAMES)
def test_who_may_ask_what(action: Action, may: set[ActorKind], kind: ActorKind) -> None:
    """Law 6: an actor that is not entitled is refused whatever else is true of the request, its proofs included."""
    account, session = of_its_kind(action)
    actor = Actor(kind, session if kind is ActorKind.OWNER else b"", "c1-1" if kind is ActorKind.LINK else "")
    answer = account.ask(action, actor, "a1-1", "a1-2")
    refused = codes(answer) == [Reason.NOT_ENTITLED]
    assert refused is (kind not in may)
    if refused:
        assert kind_of(answer) == "deny"
        assert answer.findings[0].satisfied_by == tuple(sorted(may))
        # A key that there is not is nobody's, and whoever names one leaves no trace.
        written = set() if kind is ActorKind.API_KEY else {ev.Decided}
        assert {type(one) for one in account.last_events()} == written


BY_SESSION = [action for action, may in WHO if ActorKind.OWNER in may and not RULES[type(action)].anonymous]


@pytest.mark.parametrize("action", BY_SESSION, ids=action_name)
def test_an_owner_needs_a_live_session(action: Action) -> None:
    """All an owner can do without a session is to start one."""
    account, session = grown()
    assert codes(account.ask(action, b"", "a1-1", "a1-2")) == [Reason.SESSION_REQUIRED]
    assert codes(account.ask(action, b"stranger", "a1-1", "a1-2")) == [Reason.SESSION_ENDED]
    account.wait(minutes=60)
    assert codes(account.ask(action, session, "a1-1", "a1-2")) == [Reason.SESSION_ENDED]


LOOSENS = {
    "account.import",
    "account.unfreeze",
    "password.change",
    "authenticator.bind",
    "authenticator.confirm",
    "authenticator.remove",
    "authenticator.reinstate",
    "contact.add",
    "contact.confirm",
    "contact.remove",
    "address.add",
    "address.renew",
    "api_key.create",
    "order.lease",
    "exit.request",
    "exit.release",
    "recovery.open",
    "recovery.evidence",
    "recovery.review",
    "recovery.finish",
    "recovery.remind",
    "incident.close",
    "staff.enrol",
    "staff.look_up",
    "ticket.open",
    "legal.receive",
    "legal.freeze_order",
    "legal.call_back",
    "legal.approve",
    "legal.release",
    "agency.add",
    "breaker.reset",
}


@pytest.mark.parametrize(("action", "may"), WHO, ids=NAMES)
def test_a_doubtful_clock_loosens_nothing(action: Action, may: set[ActorKind]) -> None:
    """Law 8: while two clocks disagree nothing that could loosen is even asked; stopping and tightening go on."""
    account, session = of_its_kind(action)
    account.clock_agrees = False
    account.staff = StaffFact("sue", ("policy",), involved=False)
    kind = ActorKind.OWNER if ActorKind.OWNER in may else min(may)
    answer = account.ask(action, Actor(kind, session if kind is ActorKind.OWNER else b"", key="sue"), "a1-1", "a1-2")
    assert (codes(answer) == [Reason.CLOCK_UNCERTAIN]) is (action_name(action) in LOOSENS)


def test_a_doubtful_clock_lets_no_setting_loosen() -> None:
    """Law 8: a tighter setting is taken at once, a looser one not even asked for, and none comes due."""
    account, session = grown()
    account.ask(AllowlistSet(on=True), session, "a1-1", "a1-2")
    account.ask(AllowlistSet(on=False), session, "a1-1", "a1-2")
    account.settle()
    account.clock_agrees = False
    session = account.sign_in()
    assert len(account.head.changes) == 1
    assert kind_of(account.ask(LimitSet("5"), session, "a1-1", "a1-2")) == "allow"
    assert codes(account.ask(LimitSet("6"), session, "a1-1", "a1-2")) == [Reason.CLOCK_UNCERTAIN]
    account.clock_agrees = True
    account.ask(SessionEnd(), session)
    assert account.head.changes == {}


class TestAccounts:
    """Which account is meant."""

    def test_only_an_import_meets_an_account_that_does_not_exist(self) -> None:
        """Anything else is refused and writes nothing, by whomever it is asked."""
        account = Account()
        for actor in (PLATFORM, SYSTEM, Actor(ActorKind.OWNER)):
            assert codes(account.ask(AccountFreeze(), actor)) == [Reason.UNKNOWN_ACCOUNT]
        assert codes(account.ask(IMPORT, Actor(ActorKind.OWNER))) == [Reason.UNKNOWN_ACCOUNT]
        assert account.log == []
        assert account.ask(IMPORT).findings[0].code == Reason.RIPENS_LATER

    def test_it_is_imported_once(self) -> None:
        """An account that exists is not imported again."""
        account, _ = grown()
        assert codes(account.ask(IMPORT)) == [Reason.ALREADY_EXISTS]

    @pytest.mark.parametrize(
        ("name", "known"),
        [("alice", True), ("alice.savings", True), ("alice.other", False), ("savings", False), ("bob", False)],
    )
    def test_a_family_is_one_account(self, name: str, *, known: bool) -> None:
        """The main account and its sub-accounts are asked for as one; no other name is."""
        account, session = grown(subs=("savings",))
        answer = account.ask(SessionEnd(), session, account=name)
        assert (codes(answer) == [Reason.UNKNOWN_ACCOUNT]) is not known


@pytest.mark.parametrize("name", sorted(PLANNED))
def test_what_is_planned_is_not_available(name: str) -> None:
    """An action of the catalogue whose subject does not exist yet is refused by name."""
    account, session = grown()
    answer = account.ask(NotAvailable(name), session)
    assert (kind_of(answer), codes(answer)) == ("deny", [Reason.NOT_AVAILABLE])
    assert account.decided().action == name


class TestFailures:
    """Wrong proofs slow the next ones down, and stop at the largest number (NIST SP 800-63B-4 section 3.2.2)."""

    @staticmethod
    def failed(times: int) -> tuple[Account, bytes]:
        """An account on which so many proofs failed in a row, just now."""
        account, session = grown()
        account.state = replace(account.head, failures=times, failed_at=account.now)
        return account, session

    @pytest.mark.parametrize(
        ("times", "seconds"), [(4, 0), (5, 2), (6, 4), (7, 8), (15, 2048), (16, 3600), (50, 3600), (99, 3600)]
    )
    def test_the_pause_doubles(self, times: int, seconds: int) -> None:
        """From the fifth on each failure doubles the pause, up to an hour; until then right proofs are refused, too."""
        account, session = self.failed(times)
        if seconds:
            account.now += seconds * 1000 - 1
            answer = account.pay("1", "home", session)
            assert codes(answer) == [Reason.TOO_MANY_FAILURES]
            assert answer.findings[0].until == account.now + 1
            account.now += 1
        session = account.any_session()
        assert kind_of(account.pay("1", "home", session)) == "allow"
        assert account.head.failures == 0

    def test_at_a_hundred_there_is_one_try_a_day(self) -> None:
        """Nobody is locked out for good; asking without proofs, and freezing, go on meanwhile."""
        account, session = self.failed(100)
        failed_at = account.now
        account.wait(minutes=50)
        answer = account.pay("1", "home", session)
        assert codes(answer) == [Reason.TOO_MANY_FAILURES]
        assert answer.findings[0].until == failed_at + 24 * HOUR
        assert kind_of(account.ask(LockSet(5), session)) == "step_up"
        account.now = failed_at + 24 * HOUR
        assert kind_of(account.ask(LockSet(5), account.any_session(), "a1-1", "a1-2")) == "allow"
        assert account.head.failures == 0
        account, session = self.failed(100)
        assert kind_of(account.ask(AccountFreeze(), session)) == "allow"

    def test_strangers_delay_no_session(self) -> None:
        """A sign-in is slowed by what was counted outside, never by failures in a session, and adds none to them."""
        account, session = self.failed(100)
        assert kind_of(account.ask(SessionStart(), Actor(ActorKind.OWNER), "a1-1", "a1-2")) == "allow"
        account, session = grown()
        before = account.everything()
        for _ in range(200):
            answer = account.ask(SessionStart(), Actor(ActorKind.OWNER), account.wrong("a1-1"), account.wrong("a1-2"))
            assert codes(answer) == [Reason.PROOF_WRONG, Reason.PROOF_REQUIRED]
            assert account.last_events() == ()
        assert account.everything() == before
        assert kind_of(account.pay("1", "home", session)) == "allow"

    def test_what_strangers_tried_is_told_once_a_window(self) -> None:
        """Failed sign-ins of a window are one event and one quiet notice; telling them again changes nothing."""
        account, _ = grown()
        told = SessionFailures(account.now, 7, 3, account.now - 60_000, account.now - 1)
        for _ in range(2):
            assert kind_of(account.ask(told, Actor(ActorKind.SYSTEM))) == "allow"
        failed = [one for one in account.log if isinstance(one, ev.SignInsFailed)]
        assert failed == [ev.SignInsFailed(account.now, account.now, 7, 3, account.now - 60_000, account.now - 1)]
        assert [one.severity for one in account.log if isinstance(one, ev.NoticeDue)][-1] is ev.Severity.INFO
        for number in range(20):
            account.ask(replace(told, window_at=number), Actor(ActorKind.SYSTEM))
        assert account.head.failed_windows == tuple(range(4, 20))

    @pytest.mark.parametrize(
        "name", ["account.freeze", "session.end", "change.cancel", "exit.cancel", "address.remove"]
    )
    def test_what_needs_no_proof_is_never_slowed(self, name: str) -> None:
        """Proofs and challenges beside what only tightens are not looked at: nothing stands in a freeze's way."""
        account, session = self.failed(100)
        action = next(action for action, _ in WHO if action_name(action) == name)
        answer = account.ask(action, session, account.wrong("a1-2"), challenge="unknown")
        assert not {Reason.TOO_MANY_FAILURES, Reason.CHALLENGE_UNKNOWN} & set(codes(answer))
        assert account.head.failures == 100

    def test_failures_are_counted_and_told(self) -> None:
        """Each wrong or replayed proof counts once a request, whatever the number of proofs, and the owner is told."""
        account, session = grown()
        account.ask(LockSet(5), session, account.wrong("a1-1"), account.wrong("a1-2"))
        assert account.head.failures == 1
        account.ask(LockSet(5), session, account.wrong("a1-2"))
        assert account.head.failures == 2
        told = [one for one in account.log if isinstance(one, ev.NoticeDue) and one.cause == "proof.failed"]
        folded = [one for one in account.log if isinstance(one, ev.NoticeFolded) and one.cause == "proof.failed"]
        assert (len(told), len(folded)) == (1, 1)

    def test_too_little_is_no_failure(self) -> None:
        """Showing nothing, or something right but too weak, is a step-up and no failure."""
        account, session = grown()
        account.ask(LockSet(5), session)
        account.ask(LockSet(5), session, "a1-1")
        assert account.head.failures == 0


class TestChallenges:
    """A step-up is for one action, for a while, for a few tries."""

    ACTION = LockSet(24)

    def test_it_is_answered_by_the_same_action(self) -> None:
        """The same call with the challenge and the proofs resumes it, and it is closed."""
        account, session = grown()
        first = account.ask(self.ACTION, session)
        assert isinstance(first, StepUp)
        assert (first.challenge, first.expires_at) == ("s9", account.now + 10 * MINUTE)
        assert first.findings[0].satisfied_by == ("password+totp",)
        answer = account.ask(self.ACTION, session, "a1-1", "a1-2", challenge=first.challenge)
        assert kind_of(answer) == "allow"
        assert account.head.challenges == {}

    def test_asking_again_is_the_same_challenge(self) -> None:
        """While it is open the same action is answered with it; another action has its own."""
        account, session = grown()
        first, again = account.ask(self.ACTION, session), account.ask(self.ACTION, session)
        other = account.ask(LockSet(25), session)
        assert isinstance(first, StepUp)
        assert isinstance(again, StepUp)
        assert isinstance(other, StepUp)
        assert first.challenge == again.challenge != other.challenge

    @pytest.mark.parametrize(
        ("minutes", "which", "action", "code"),
        [
            (0, "s9", LockSet(25), Reason.CHALLENGE_OTHER_ACTION),
            (0, "nothing", LockSet(24), Reason.CHALLENGE_UNKNOWN),
            (10, "s9", LockSet(24), Reason.CHALLENGE_EXPIRED),
            (10, "s9", LockSet(25), Reason.CHALLENGE_EXPIRED),
        ],
        ids=["another action", "unknown", "expired", "expired, another action"],
    )
    def test_it_serves_nothing_else(self, minutes: int, which: str, action: Action, code: Reason) -> None:
        """Another action, another challenge or one that ran out is refused, right proofs or not."""
        account, session = grown()
        account.ask(self.ACTION, session)
        account.wait(minutes=minutes)
        answer = account.ask(action, session, "a1-1", "a1-2", challenge=which)
        assert (kind_of(answer), codes(answer)) == ("deny", [code])

    def test_an_expired_one_is_replaced(self) -> None:
        """After ten minutes the same action gets a new challenge."""
        account, session = grown()
        account.ask(self.ACTION, session)
        account.wait(minutes=10)
        again = account.ask(self.ACTION, session)
        assert isinstance(again, StepUp)
        assert again.challenge == "s10"

    def test_it_is_closed_after_five_tries(self) -> None:
        """The fifth wrong answer closes it, and a new one is issued."""
        account, session = grown()
        first = account.ask(self.ACTION, session)
        assert isinstance(first, StepUp)
        names = []
        for _ in range(5):
            answer = account.ask(self.ACTION, session, account.wrong("a1-2"), challenge=first.challenge)
            assert isinstance(answer, StepUp)
            names.append(answer.challenge)
        assert names == ["s9"] * 4 + ["s14"]
        assert set(account.head.challenges) == {"s14"}

    def test_only_so_many_are_open(self) -> None:
        """A ninth closes the oldest that still runs."""
        account, session = grown()
        for hours in range(1, 10):
            account.ask(LockSet(hours), session)
        assert len(account.head.challenges) == 8
        assert "s9" not in account.head.challenges


class TestEntries:
    """What an entry is made of."""

    def test_it_can_be_asked_again(self) -> None:
        """The decision carries the exact action, its facts, its policy and its reasons (law 9)."""
        account, session = grown()
        account.ask(LockSet(24), session, "a1-1", "a1-2", context=Context(device="phone", ip=sealed("192.0.2.1")))
        written = account.decided()
        assert (written.action, written.account, written.decision) == ("lock.set", "alice", "allow")
        assert (written.policy, written.at) == (account.policy.digest, account.now)
        assert (written.device, written.ip) == ("phone", sealed("192.0.2.1"))
        assert written.findings[0].code == Reason.TIGHTENING
        assert b"lock.set" in written.request
        assert len(written.digest) == 32

    def test_a_session_is_seen_at_most_once_a_minute(self) -> None:
        """Use postpones idling out, and is not written more often than it matters."""
        account, session = grown()
        for minutes, seen in ((0.5, 0), (0.5, 1), (0.9, 1), (50, 2), (59, 3)):
            account.wait(minutes=minutes)
            account.ask(ChangeCancel("nothing"), session)
            assert sum(isinstance(one, ev.SessionSeen) for one in account.log[-40:]) == seen
        account.wait(minutes=61)
        account.ask(ChangeCancel("nothing"), session)
        assert not any(isinstance(one, ev.SessionSeen) for one in account.last_events())

    @pytest.mark.parametrize(
        ("first", "then", "written"),
        [(None, 900, True), (900, 900, False), (900, 901, False), (900, 899, True)],
        ids=["first of the day", "the same", "more", "less"],
    )
    def test_equity_is_written_when_it_matters(self, first: int | None, then: int, *, written: bool) -> None:
        """What the platform says of equity is written once a day, and again when it is lower."""
        account, session = grown()
        account.ask(ChangeCancel("nothing"), session, context=Context(equity_micro_usd=first))
        account.ask(ChangeCancel("nothing"), session, context=Context(equity_micro_usd=then))
        assert any(isinstance(one, ev.EquityStated) for one in account.last_events()) is written

    def test_a_lower_equity_tightens_the_very_request(self) -> None:
        """Law 6: what the request itself says of equity counts for it."""
        account, session = grown()
        account.add("mule", session)
        account.settle()
        session = account.sign_in()
        account.deliver()
        poor = Context(equity_micro_usd=1000 * USD)
        assert codes(account.pay("60", "mule", session, context=poor)) == [Reason.OVER_BUDGET]

    def test_what_came_due_is_done_first(self) -> None:
        """A loosening whose wait is over is carried out before the question is judged, in the same entry."""
        account, session = grown()
        account.ask(AllowlistSet(on=True), session, "a1-1", "a1-2")
        account.ask(AllowlistSet(on=False), session, "a1-1", "a1-2")
        account.settle()
        account.ask(AllowlistSet(on=False), account.sign_in(), "a1-1", "a1-2")
        assert not any(isinstance(one, ev.ChangeAsked) for one in account.last_events())
        done = [one for one in account.log if isinstance(one, ev.ChangeDone | ev.SettingChanged)]
        assert [type(one).__name__ for one in done] == [
            "SettingChanged",
            "ChangeDone",
            "SettingChanged",
            "SettingChanged",
        ]

    def test_the_same_arguments_give_the_same_entry(self) -> None:
        """Deciding is pure."""
        account, session = grown()
        request = account.request(LockSet(24), session)
        facts = account.facts(request, ("a1-1", "a1-2"))
        first = decide.advance(account.everything(), request, facts, account.policy, account.now)
        assert first == decide.advance(account.everything(), request, facts, account.policy, account.now)
        assert account.everything() == Customer(account.state, account.parts)

    def test_what_is_received_is_one_entry(self) -> None:
        """What a transfer causes in its receiver's stream is an entry of its own, asked by nobody."""
        account, _ = grown()
        seq = account.head.seq
        account.received((ev.ValueReceived(account.now, 5, account.now + HOUR),))
        assert account.head.seq == seq + 1
        assert account.decided().action == "value.receive"
        assert account.decided().actor.kind is ActorKind.SYSTEM
        assert [one.micro_usd for one in account.head.received] == [5]
        nowhere = decide.receive(NOBODY, (), account.policy, START)
        assert nowhere.customer == NOBODY


class TestRoom:
    """A head stays small: so many cool-offs and untold things, and no more."""

    SMALL = policy_with(**{"bounds.cool_offs": 3, "bounds.unheard": 100})
    QUIET = policy_with(**{"bounds.cool_offs": 100, "bounds.unheard": 3})

    def test_too_many_cool_offs(self) -> None:
        """What would start one more is refused until one is over; what starts none, or tightens, goes on."""
        account, session = grown(policy=self.SMALL)
        for number in range(3):
            account.sign_in(device=f"device {number}")
        change = PasswordChange(sealed("new"))
        answer = account.ask(change, session, "a1-1", "a1-2")
        assert (codes(answer), answer.findings[0].about) == ([Reason.TOO_MANY], "cool_offs")
        assert codes(account.ask(ContactRemove("c1-1"), session, "a1-1", "a1-2")) == [Reason.TOO_MANY]
        assert kind_of(account.ask(LockSet(24), session, "a1-1", "a1-2")) == "allow"
        assert kind_of(account.ask(ContactReportRecycled("c1-1"), PLATFORM)) == "allow"
        account.deliver()
        account.wait(days=4)
        session = account.sign_in()
        assert kind_of(account.ask(change, session, "a1-1", "a1-2")) == "allow"

    def test_too_much_untold(self) -> None:
        """What would wait to be heard of is refused until the owner was told of something."""
        account, session = grown(policy=self.QUIET)
        for number in range(3):
            account.add(f"place {number}", session)
        action = AddressAdd(sealed("x"), "bitcoin", destination("x"))
        assert codes(account.ask(action, session, "a1-1", "a1-2")) == [Reason.TOO_MANY]
        assert kind_of(account.ask(LockSet(24), session, "a1-1", "a1-2")) == "allow"
        assert kind_of(account.ask(AccountFreeze(), session)) == "allow"
        account.deliver()
        assert kind_of(account.ask(action, session, "a1-1", "a1-2")) == "allow"


class TestNeeds:
    """What an action wants loaded."""

    def test_an_exit_wants_every_reading_of_its_destination(self) -> None:
        """The policy decides which network a kind is on, so each is asked for, and so are the opened kinds."""
        account, session = grown()
        action = ExitRequest("withdrawal", "BTC", "1", address=HOME, network="bitcoin", counterparty=destination("bob"))
        found = needs(account.request(action, session, counterparty="bob"), account.state)
        assert set(found.parts) == {
            ("beneficiary", bitcoin("home")),
            ("beneficiary", f"bank.{HOME.name}"),
            ("beneficiary", f"internal.{destination('bob').name}"),
            ("beneficiary", "p2p"),
            ("beneficiary", "card"),
        }
        assert (found.asset, found.counterparty, found.alike) == ("BTC", "bob", b"")
        bare = needs(account.request(ExitRequest("card", "USD", "1"), session), account.state)
        assert set(bare.parts) == {("beneficiary", "p2p"), ("beneficiary", "card")}

    def test_a_release_wants_what_was_held(self) -> None:
        """The held exit names its beneficiary, asset and counterparty; without the head nothing is known."""
        account, session = grown()
        held = held_id(account.pay("900000", "home", session))
        request = account.request(ExitRelease(held), PLATFORM)
        assert needs(request, account.state) == decide.Needs((("beneficiary", bitcoin("home")),), b"", "USD", "")
        assert needs(request, None) == decide.Needs((), b"", "", "")
        unknown = account.request(ExitRelease("x999"), PLATFORM)
        assert needs(unknown, account.state) == decide.Needs((), b"", "", "")

    def test_an_address_wants_its_look_alikes(self) -> None:
        """Adding one asks for entries that look like it; opening a kind for none."""
        account, session = grown()
        add = AddressAdd(sealed("x"), "bitcoin", HOME)
        assert needs(account.request(add, session), account.state).alike == HOME.alike
        kind = AddressAdd(sealed("x"), "p2p")
        assert needs(account.request(kind, session), account.state) == decide.Needs(
            (("beneficiary", "p2p"),), b"", "", ""
        )

    def test_others_want_what_they_name(self) -> None:
        """A sign-in wants device and profile, a confirmation its credential, an outcome what waits, others nothing."""
        account, session = grown()

        def parts(action: Action, device: str = "") -> set[tuple[str, str]]:
            request = account.request(action, session, context=Context(device=device))
            return set(needs(request, account.state).parts)

        about = (ev.About("beneficiary", "b"), ev.About("exit", "x1"))
        assert parts(SessionStart(), "laptop") == {PROFILE, ("device", "laptop")}
        assert parts(SessionStart()) == {PROFILE}
        assert parts(AuthenticatorConfirm("a7")) == {("credential", "a7")}
        assert parts(NoticeOutcome("n", "c", accepted=True, about=about)) == {("beneficiary", "b")}
        assert parts(LockSet(5)) == set()
        assert parts(NotAvailable("breaker.reset")) == set()


def test_reasons_are_told_in_their_order() -> None:
    """The first finding is the one to tell: reasons stand in their order of precedence."""
    shuffled = [why(reason) for reason in reversed(Reason)]
    assert [one.code for one in ranked(shuffled)] == list(Reason)


def test_every_level_is_asked_for_by_something() -> None:
    """No level of proof exists that no action asks for."""
    account, session = grown()
    asked = set()
    for action, _ in WHO:
        for actor in (PLATFORM, Actor(ActorKind.OWNER, session)):
            request = account.request(action, actor)
            case = Case(account.head, account.everything(), request, account.facts(request), account.policy, START)
            asked.add(RULES[type(action)].level(case, action))
    assert asked == set(Level)
    assert isinstance(account.state, Head)
