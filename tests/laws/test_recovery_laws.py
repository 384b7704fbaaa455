"""Recoveries under random histories: a thief with any evidence, bought staff, an owner who objects or sleeps.

The oracle is the log: whether a finish may be allowed is worked out anew from every entry, by the table of the issue
and not by the core's own state. It must agree with the core on every try, both ways.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.core import twin
from tests.core.histories import (
    BACKUP_CODE,
    PASSKEY,
    PASSWORD,
    PLATFORM,
    SYSTEM,
    TOTP,
    destination,
    grow,
    kind_of,
    policy_with,
    sealed,
)
from tests.core.past import STRENGTH
from tests.core.recoveries import Claimant, attested, reviewed
from tests.core.watched import Watched

from holdback.core import events as ev
from holdback.core.events import DAY, HOUR, Actor, ActorKind, Channel, Ending
from holdback.core.rules.account import AccountFreeze
from holdback.core.rules.address import AddressAdd
from holdback.core.rules.exit import ExitRelease
from holdback.core.rules.recovery import (
    EvidenceBurn,
    RecoveryCancel,
    RecoveryContest,
    RecoveryFinish,
    RecoveryRemind,
)

if TYPE_CHECKING:
    from holdback.core.decision import Decision
    from holdback.core.events import Instant

ROOMY: Final = policy_with(
    **{
        "bounds.cool_offs": 10_000,
        "bounds.unheard": 10_000,
        "step_up.code_again_m": 1,
        "step_up.codes_per_h": 9_999,
        "face.reference_age_d": 1,
        "recovery.missed_max": 32,
    }
)
"""How often codes are sent, and how much fits into a head, is tested elsewhere."""

HELD: Final = {"totp", "backup_code", "passkey", "device"}
REACHED: Final = {"email_code", "sms_code"}
THIRD: Final = {"bank_round_trip", "address_signature", "in_person"}
JUDGED: Final = ("face", "id_document", "bank_round_trip", "in_person")
WAYS: Final = (
    ("totp", "backup_code"),
    ("passkey", "totp"),
    ("backup_code",),
    ("email_code", "sms_code"),
    ("face", "id_document", "email_code"),
    ("address_signature",),
    ("in_person", "face"),
)
HOURS: Final = {"two": 24, "one": 72, "codes": 24, "none": 168, "none, rich": 336}
"""The issue's table of waits, said once more."""


LATEST: Final = st.sampled_from(("last", "last", "last", "thief"))
"""Who goes on with a recovery: nearly always whoever opened it."""


class Case:
    """A recovery as its log tells it."""

    def __init__(self, opened: ev.RecoveryOpened) -> None:
        """It was opened, and nothing was shown."""
        self.opened = opened
        self.shown: dict[str, ev.RecoveryShown] = {}
        self.approved: set[str] = set()
        self.closed_at: Instant | None = None
        self.told_at: Instant | None = None
        self.contested: list[Instant] = []
        self.doubted = opened.doubted
        self.over = False
        self.last_at = opened.at

    def way(self, *, rich: bool, known: frozenset[str] = frozenset()) -> str:
        """Which row of the table applies, from what was shown and is not among the kinds that others know."""
        shown = {kind: one for kind, one in self.shown.items() if kind not in known}
        held = [one for kind, one in shown.items() if kind in HELD]
        if len({one.holder for one in held}) >= 2:
            return "two"
        if held:
            return "one"
        if set(shown) >= REACHED:
            return "codes"
        return "none, rich" if rich else "none"


class Recoveries(RuleBasedStateMachine):
    """One account that a thief says he lost, and its owner."""

    def __init__(self) -> None:
        """Before anybody acts."""
        super().__init__()
        self.account = Watched(ROOMY)
        self.thief = self.owner = self.last = Claimant(self.account)
        self.rich = False

    @initialize(rich=st.booleans(), paid=st.sampled_from((True, True, False)))
    def begin(self, *, rich: bool, paid: bool) -> None:
        """A grown account of someone with little or much, who paid his address long ago or never."""
        self.rich = rich
        kinds = (PASSWORD, TOTP, BACKUP_CODE, PASSKEY)
        session = grow(self.account, *kinds, contacts=(Channel.EMAIL, Channel.SMS), equity="200000" if rich else "1000")
        if paid:
            self.account.pay("1", "home", session)
        self.account.wait(days=40)
        self.thief, self.owner = Claimant(self.account), Claimant(self.account)
        self.last = self.owner

    def claimant(self, who: str) -> Claimant:
        """The thief, the owner, or whoever opened a recovery last."""
        return {"thief": self.thief, "owner": self.owner}.get(who, self.last)

    # What happens

    @rule(hours=st.sampled_from((0, 1, 24, 72, 720)), told=st.booleans())
    def time_passes(self, hours: int, *, told: bool) -> None:
        """Time passes, with or without the owner being told first."""
        if told:
            self.account.deliver()
        self.account.wait(hours=hours, minutes=2)

    @rule(who=st.sampled_from(("thief", "thief", "owner")))
    def opens(self, who: str) -> None:
        """Somebody says that he is the owner."""
        one = self.claimant(who)
        if kind_of(one.opens()) == "allow":
            self.last = one

    @rule(
        who=st.sampled_from(("thief", "owner")),
        shown=st.sampled_from(WAYS),
        reviewers=st.sampled_from(((), ("rita",), ("rita", "ron"), ("rita", "ron"), ("rita", "rudy"))),
    )
    def goes_one_way(self, who: str, shown: tuple[str, ...], reviewers: tuple[str, ...]) -> None:
        """Somebody opens a recovery a day after the last one, shows what opens one way, and is reviewed."""
        self.account.wait(hours=25)
        one = self.claimant(who)
        if kind_of(one.opens(PASSWORD, PASSKEY)) == "allow":
            self.last = one
        for kind in shown:
            if kind in JUDGED:
                one.judged(kind)
            elif kind == "address_signature":
                one.signs()
            else:
                channel = Channel.SMS if kind == "sms_code" else Channel.EMAIL
                one.shows("contact_code" if kind in REACHED else kind, channel=channel)
            self.account.wait(minutes=2)
        for member in reviewers:
            reviewed(self.account, member)

    @rule(
        who=st.sampled_from(("last", "last", "last", "thief")),
        hours=st.sampled_from((23, 24, 48, 71, 72, 144, 168, 336)),
        usd=st.sampled_from(("", "40", "150000")),
    )
    def comes_back(self, who: str, hours: int, usd: str) -> None:
        """Somebody tries, the owner is told, and he comes back about when the wait ends, for the account or money."""
        self.finishes(who)
        self.account.deliver()
        self.account.wait(hours=hours)
        if usd:
            self.evacuates(who, usd, "home")
        else:
            self.finishes(who)

    @rule(
        who=st.sampled_from(("last", "last", "thief", "owner")),
        kind=st.sampled_from(("totp", "backup_code", "passkey", "contact_code", "address_signature", *JUDGED)),
        channel=st.sampled_from((Channel.EMAIL, Channel.SMS)),
        right=st.sampled_from((True, True, True, False)),
    )
    def shows(self, who: str, kind: str, channel: Channel, *, right: bool) -> None:
        """Somebody shows evidence, most of it right."""
        one = self.claimant(who)
        if kind in JUDGED:
            one.judged(kind, right=right)
        elif kind == "address_signature":
            one.signs(right=right)
        elif right:
            one.shows(kind, channel=channel)
        elif kind != "contact_code":
            one.shows(kind, self.account.wrong({"totp": "a1-2", "backup_code": "a1-3", "passkey": "a1-4"}[kind]))
        self.account.wait(minutes=2)

    @rule(member=st.sampled_from(("rita", "ron", "rudy")), verdict=st.sampled_from(("approve", "approve", "reject")))
    def reviews(self, member: str, verdict: str) -> None:
        """A reviewer, drawn or not, bought or not, gives a verdict."""
        reviewed(self.account, member, verdict)

    @rule(by=st.sampled_from(("c1-1", "c1-2", "session")), freezes=st.booleans())
    def objects(self, by: str, *, freezes: bool) -> None:
        """A contact's link or a session objects, or presses the stop."""
        if by == "session":
            actor = Actor(ActorKind.OWNER, self.account.any_session())
        else:
            actor = Actor(ActorKind.LINK, contact=by)
        self.account.ask(AccountFreeze() if freezes else RecoveryContest(), actor)

    @precondition(lambda self: self.account.head.recovery is not None)
    @rule()
    def cancels(self) -> None:
        """The owner ends it with full proof."""
        self.account.ask(RecoveryCancel(), self.account.any_session(), *self.account.head.authenticators)

    @rule(kinds=st.frozensets(st.sampled_from(("face", "totp", "email_code")), min_size=1))
    def others_know(self, kinds: frozenset[str]) -> None:
        """The platform learns of a leak."""
        self.account.ask(EvidenceBurn(tuple(sorted(kinds)), "leak"), Actor(ActorKind.PLATFORM))

    @rule(who=LATEST)
    def finishes(self, who: str) -> None:
        """Somebody tries to finish; the core and the log must agree on whether it may be."""
        one = self.claimant(who)
        case = self.live_case()
        mine = case is not None and case.opened.token == one.by.session
        may = mine and case is not None and self.may_finish(case)
        answer: Decision = one.finishes()
        assert (kind_of(answer) == "allow") is may, (answer, vars(case) if case else None)
        self.account.wait(minutes=2)

    @rule(
        who=LATEST,
        usd=st.sampled_from(("10", "40", "5000")),
        to=st.sampled_from(("home", "home", "away", "nowhere")),
    )
    def evacuates(self, who: str, usd: str, to: str) -> None:
        """Somebody asks for a payment instead: the log says whether he may, and the twin what an exit would come to."""
        one, case = self.claimant(who), self.live_case()
        may = case is not None and case.opened.token == one.by.session and self.may_finish(case)
        asked = RecoveryFinish(address=destination(to), network="bitcoin", asset="USD", amount=usd)
        request = self.account.request(asked, one.by)
        paid = twin.Case(self.account.twin.past(), request, self.account.facts(request), self.account.now)
        answer = one.evacuates(usd, to)
        if may and case is not None and self.way_at(case, self.account.now) != "codes":
            self.account.check_twin(twin.evacuate(paid, case.opened.at), answer)
        else:
            assert kind_of(answer) == "deny", answer
        self.account.wait(minutes=2)

    @rule(hours=st.sampled_from((0, 24, 72)))
    def is_paid(self, hours: int) -> None:
        """The platform comes back for every payment that waits; the twin says which may go."""
        self.account.deliver()
        self.account.wait(hours=hours)
        for key in list(self.account.head.exits):
            self.account.ask(ExitRelease(key), PLATFORM)

    @rule(days=st.sampled_from((1, 5)))
    def a_beneficiary_is_added(self, days: int) -> None:
        """The owner, or whoever signed in, enters one more beneficiary, and days go by."""
        action = AddressAdd(sealed("mine"), "bitcoin", destination("away"))
        self.account.ask(action, self.account.any_session(), *self.account.head.authenticators)
        self.account.deliver()
        self.account.wait(days=days)

    @rule(
        kind=st.sampled_from(("bank_round_trip", "in_person", "id_document", "face")),
        member=st.sampled_from(("sue", "sue", "rita", "rudy")),
        role=st.sampled_from(("support", "reviewer", "legal")),
        right=st.sampled_from((True, True, False)),
        involved=st.sampled_from((False, False, True)),
    )
    def staff_says(self, kind: str, member: str, role: str, *, right: bool, involved: bool) -> None:
        """Somebody of the staff says what he saw: only who neither judges the whole nor is involved is heard."""
        case, before = self.live_case(), len(self.account.log)
        attested(self.account, kind, role, member=member, right=right, involved=involved)
        shown = any(isinstance(one, ev.RecoveryShown) for one in self.account.log[before:])
        heard = role != "legal" and not involved and kind != "face" and case is not None
        assert not shown or (heard and right and case is not None and member not in case.opened.drawn)

    @rule(who=LATEST)
    def gives_up(self, who: str) -> None:
        """Whoever opened it takes it back, and nobody else without proof."""
        case, one = self.live_case(), self.claimant(who)
        mine = case is not None and case.opened.token == one.by.session
        assert (kind_of(self.account.ask(RecoveryCancel(), one.by)) == "allow") is mine

    @rule()
    def is_reminded(self) -> None:
        """Holdback tells everybody once more, if it is time; what expired is over, and its owner told by whom."""
        before, cases = len(self.account.log), self.cases()
        self.account.ask(RecoveryRemind(), SYSTEM)
        told = [one for one in self.account.log[before:] if isinstance(one, ev.RecoveryEnded)]
        assert all(one.how is Ending.EXPIRED and one.asker is not None for one in told)
        assert not told or cases[-1].last_at + 30 * DAY <= self.account.now

    # What the log says

    def cases(self) -> list[Case]:
        """Every recovery there was, read from the first entry on."""
        cases: list[Case] = []
        notices: dict[str, Case] = {}
        for event in self.account.log:
            if isinstance(event, ev.RecoveryOpened):
                cases.append(Case(event))
            if isinstance(event, ev.NoticeDue) and any(one.kind == "recovery" for one in event.about):
                notices[event.notice] = cases[-1]
            if isinstance(event, ev.NoticeAccepted) and event.notice in notices:
                notices[event.notice].told_at = event.at
            if cases:
                self.read(cases[-1], event)
        return cases

    @staticmethod
    def read(case: Case, event: ev.AnyEvent) -> None:
        """Take one event into the case it is about."""
        match event:
            case ev.RecoveryShown():
                case.shown[event.evidence] = event
            case ev.RecoveryClosed():
                case.closed_at = event.at
            case ev.RecoveryReviewed(approved=True):
                case.approved.add(event.reviewer)
            case ev.RecoveryContested():
                case.contested.append(event.at)
            case ev.RecoveryEnded() | ev.RecoveryFinished():
                case.over = True
            case ev.RecoveryDoubted():
                case.doubted = True
            case _:
                return
        case.last_at = event.at

    def live_case(self) -> Case | None:
        """The recovery that is under way: not over, and its last step not 30 days ago."""
        cases = self.cases()
        alive = bool(cases) and not cases[-1].over and self.account.now < cases[-1].last_at + 30 * DAY
        return cases[-1] if alive else None

    def may_finish(self, case: Case) -> bool:
        """The table: what was shown, who approved, and that the owner was told long enough ago."""
        if case.closed_at is None or case.told_at is None:
            return False
        way = self.way_at(case, case.closed_at)
        if self.way_at(case, self.account.now) != way:
            return False
        if way.startswith("none") and not THIRD & set(case.shown):
            return False
        if (case.doubted or way not in {"two", "codes"}) and len(case.approved & set(case.opened.drawn)) < 2:
            return False
        hours = HOURS[way] * (2 if self.was_known(case.closed_at) else 1)
        return self.account.now >= self.ends(case, hours * HOUR)

    def ends(self, case: Case, wait: int) -> Instant:
        """When its wait is over: counted from when the owner was told, and once more as long if it was contested."""
        assert case.closed_at is not None
        assert case.told_at is not None
        before = [at for at in case.contested if at <= case.closed_at]
        if before:
            return max(case.closed_at, case.told_at) + 2 * wait
        untold = [at for at in case.contested if at <= case.told_at]
        if untold:
            return case.told_at + 2 * wait
        over = case.told_at + wait
        return max(over, case.contested[0]) + wait if case.contested else over

    def way_at(self, case: Case, at: Instant) -> str:
        """Which row applies by what others did not know at an instant."""
        burns = [one for one in self.account.log if isinstance(one, ev.EvidenceBurned) and one.at <= at < one.until]
        return case.way(rich=self.rich, known=frozenset(kind for one in burns for kind in one.kinds))

    def was_known(self, at: Instant) -> bool:
        """Whether anything about the account was known to others when the evidence closed."""
        return any(isinstance(one, ev.EvidenceBurned) and one.at <= at < one.until for one in self.account.log)

    def payments_obey(self) -> None:
        """No payment outlives the recovery that asked for it, or an objection's wait, whoever comes back for it."""
        asked: dict[str, ev.ExitHeld] = {}
        over: set[str] = set()
        objected: dict[str, Instant] = {}
        for one in self.account.log:
            match one:
                case ev.ExitHeld() if one.recovery:
                    asked[one.exit] = one
                case ev.RecoveryEnded():
                    over.add(one.recovery)
                case ev.RecoveryContested():
                    objected[one.recovery] = one.at
                case ev.ExitAllowed() if one.exit in asked:
                    case = asked[one.exit].recovery
                    assert case not in over
                    assert one.at >= objected.get(case, 0) + 24 * HOUR
                case _:
                    pass
        waiting = {held.recovery for held in self.account.head.exits.values()}
        assert waiting.isdisjoint(over)

    def signatures_rest_on_payments(self) -> None:
        """The key of an address shows something only if the address was first paid a month before the case."""
        paid: dict[str, Instant] = {}
        opened_at = 0
        for one in self.account.log:
            match one:
                case ev.ExitAllowed():
                    paid.setdefault(one.beneficiary, one.at)
                case ev.RecoveryOpened():
                    opened_at = one.at
                case ev.RecoveryShown(evidence="address_signature"):
                    assert paid[one.source] + 30 * DAY <= opened_at
                case _:
                    pass

    def nothing_weaker_removed(self) -> None:
        """Law 2: a finish that no two people approved removed nothing stronger than what was shown for it."""
        kinds = {one.authenticator: one.kind for one in self.account.log if isinstance(one, ev.AuthenticatorBound)}
        approved: set[str] = set()
        shown: set[str] = set()
        removed: set[int] = set()
        for one in self.account.log:
            match one:
                case ev.RecoveryOpened():
                    approved, shown, removed = set(), set(), set()
                case ev.RecoveryReviewed(approved=True):
                    approved.add(one.reviewer)
                case ev.RecoveryShown():
                    shown.add(one.evidence)
                case ev.AuthenticatorRemoved():
                    removed.add(STRENGTH[kinds[one.authenticator]])
                case ev.RecoveryFinished() if len(approved) < 2:
                    assert max(removed, default=0) <= max(STRENGTH[kind] for kind in STRENGTH if kind in shown)
                case _:
                    pass

    def teardown(self) -> None:
        """Nobody without proof ever came in, whoever was bought, and the stream holds."""
        self.signatures_rest_on_payments()
        self.nothing_weaker_removed()
        self.payments_obey()
        for case in self.cases():
            finished = [one for one in self.account.log if isinstance(one, ev.RecoveryFinished)]
            if case.opened.recovery in {one.recovery for one in finished}:
                assert set(case.shown) & (HELD | THIRD | REACHED)
                assert case.told_at is not None
        if self.account.entries:
            self.account.check_stream()


TestRecoveries = Recoveries.TestCase
TestRecoveries.settings = settings(
    max_examples=2 * settings().max_examples, stateful_step_count=40, suppress_health_check=list(HealthCheck)
)
