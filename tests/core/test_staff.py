"""The staff: who becomes one, what they may read, and what it leaves behind."""

from __future__ import annotations

from typing import TypeVar

import pytest
from msgspec.structs import replace
from tests.core.histories import (
    PASSKEY,
    PASSWORD,
    PLATFORM,
    SYSTEM,
    TOTP,
    Account,
    codes,
    grow,
    grown,
    kind_of,
    policy_with,
    sealed,
)
from tests.core.members import Colleague, enrolment
from tests.core.recoveries import Claimant

from holdback.core import events as ev
from holdback.core.decision import Allow, Hold, Reason
from holdback.core.events import DAY, HOUR, MINUTE, Actor, ActorKind, Role
from holdback.core.rules.account import AccountFreeze, AccountImport, ImportedAuthenticator, ImportedContact
from holdback.core.rules.authenticator import AuthenticatorBind
from holdback.core.rules.exit import ExitRequest
from holdback.core.rules.incident import IncidentClose, IncidentNote, IncidentReport
from holdback.core.rules.recovery import EvidenceBurn, RecoveryReview
from holdback.core.rules.session import SessionStart
from holdback.core.rules.staff import StaffEnrol, StaffFlag, StaffLookUp, StaffRetire, TicketClose, TicketOpen
from holdback.core.staffing import capped_until, fit_together, is_about, may_judge
from holdback.core.state import Incident

E = TypeVar("E", bound=ev.Event)

LOOK = StaffLookUp("t-1", ("email", "balance"), sealed("asked for help"))


def pair() -> tuple[Colleague, Colleague]:
    """Two who say who belongs to the staff, each after the other."""
    ann, bo = Colleague("ann", Role.POLICY), Colleague("bo", Role.POLICY)
    ann.first, bo.first = bo, ann
    return ann, bo


def helped() -> tuple[Account, bytes]:
    """A customer with an open ticket, and his session."""
    account, session = grown()
    account.ask(TicketOpen("t-1"), SYSTEM)
    return account, session


def of(kind: type[E], account: Account) -> list[E]:
    """What happened of a kind."""
    return [one for one in account.log if isinstance(one, kind)]


def roles_of(stream: Account) -> tuple[Role, ...]:
    """What a member is."""
    assert stream.head.member is not None
    return stream.head.member.roles


def test_two_people_make_a_member() -> None:
    """One person's word begins a stream and gives no role; the same words of a second one do."""
    ann, bo = pair()
    new = Account(name="staff-cy")
    assert isinstance(ann.asks(new, enrolment(Role.SUPPORT)), Hold)
    assert roles_of(new) == ()
    assert isinstance(ann.asks(new, enrolment(Role.SUPPORT)), Hold), "twice the same person is one"
    assert isinstance(bo.asks(new, enrolment(Role.SUPPORT, Role.INVESTIGATOR)), Hold), "other words are another wish"
    answer = ann.asks(new, enrolment(Role.SUPPORT, Role.INVESTIGATOR))
    assert isinstance(answer, Allow)
    assert answer.usable_from == new.now + 72 * HOUR
    assert roles_of(new) == (Role.SUPPORT, Role.INVESTIGATOR)
    assert [one.kind for one in new.head.authenticators.values()] == [PASSKEY]
    (made,) = of(ev.MemberEnrolled, new)
    assert made.by == ("staff-bo", "staff-ann")
    assert new.refold().head == new.head


def test_a_proposal_does_not_lie_about_for_ever() -> None:
    """A second person who comes too late is a first one."""
    ann, bo = pair()
    new = Account(name="staff-cy")
    ann.asks(new, enrolment(Role.SUPPORT))
    new.wait(days=7)
    bo.stream.now = new.now
    bo.signs_in()
    assert isinstance(bo.asks(new, enrolment(Role.SUPPORT)), Hold)


def test_the_operator_installs_the_first_ones() -> None:
    """Without a stream the system makes a member by itself; with one it has nothing more to say."""
    new = Account(name="staff-cy")
    assert isinstance(new.ask(enrolment(Role.POLICY), SYSTEM), Allow)
    assert codes(new.ask(StaffEnrol((Role.LEGAL,)), SYSTEM)) == [Reason.ALREADY_EXISTS]
    assert codes(Account(name="staff-dee").ask(enrolment(Role.POLICY), PLATFORM)) == [Reason.UNKNOWN_ACCOUNT]


@pytest.mark.parametrize(
    ("name", "asked", "reason"),
    [
        ("cy", enrolment(Role.SUPPORT), Reason.BAD_FIELD),
        ("staff-cy", StaffEnrol((Role.SUPPORT,), sealed("cy")), Reason.BAD_FIELD),
        ("staff-cy", enrolment(Role.SUPPORT, Role.REVIEWER), Reason.BAD_FIELD),
        ("staff-cy", enrolment(Role.SUPPORT, Role.SUPPORT), Reason.BAD_FIELD),
    ],
    ids=["id", "half", "apart", "twice"],
)
def test_who_cannot_be_a_member(name: str, asked: StaffEnrol, reason: Reason) -> None:
    """A member's id says so, he comes with a passkey and a mailbox, and holds no two roles that are kept apart."""
    assert codes(Account(name=name).ask(asked, SYSTEM)) == [reason]


def test_only_the_policy_role_enrols_and_nobody_himself() -> None:
    """Others begin nothing, an unknown one neither; and one's own roles are others' to give."""
    ann, bo = pair()
    helper = Colleague("sue", Role.SUPPORT)
    new = Account(name="staff-cy")
    assert codes(helper.asks(new, enrolment(Role.SUPPORT))) == [Reason.NOT_ENTITLED]
    ann.stream.wait(hours=1)
    assert codes(ann.asks(new, enrolment(Role.SUPPORT))) == [Reason.SESSION_ENDED]
    unknown = Actor(ActorKind.STAFF, key="staff-x")
    assert codes(new.ask(enrolment(Role.SUPPORT), unknown)) == [Reason.SESSION_REQUIRED]
    assert new.state is None
    ann.signs_in()
    assert codes(ann.asks(ann.stream, StaffEnrol((Role.POLICY, Role.INVESTIGATOR)))) == [Reason.NOT_ENTITLED]
    bo.stream.now = ann.stream.now
    bo.signs_in()
    helper.stream.now = ann.stream.now
    helper.signs_in()
    assert codes(helper.asks(bo.stream, StaffRetire())) == [Reason.NOT_ENTITLED]


def test_roles_grow_by_two_and_shrink_by_one() -> None:
    """A member's new role takes two people, and less takes one."""
    ann, bo = pair()
    helper = Colleague("sue", Role.SUPPORT)
    more = StaffEnrol((Role.SUPPORT, Role.INVESTIGATOR))
    assert isinstance(ann.asks(helper.stream, more), Hold)
    assert isinstance(bo.asks(helper.stream, more), Allow)
    assert roles_of(helper.stream) == (Role.SUPPORT, Role.INVESTIGATOR)
    assert isinstance(ann.asks(helper.stream, StaffEnrol((Role.SUPPORT,))), Allow)
    assert roles_of(helper.stream) == (Role.SUPPORT,)
    assert codes(ann.asks(helper.stream, enrolment(Role.LEGAL))) == [Reason.BAD_FIELD]
    assert codes(ann.asks(helper.stream, StaffEnrol((Role.SUPPORT,)))) == [Reason.ALREADY_EXISTS]


def test_leaving_is_at_once_and_for_good() -> None:
    """One person retires a member: no session, no role, no way back, and no sign-in."""
    ann, bo = pair()
    answer = ann.asks(bo.stream, StaffRetire())
    assert isinstance(answer, Allow)
    assert bo.stream.head.sessions == {}
    assert codes(ann.asks(bo.stream, StaffRetire())) == [Reason.NOT_FOUND]
    assert codes(ann.asks(bo.stream, enrolment(Role.POLICY))) == [Reason.ALREADY_EXISTS]
    context = Actor(ActorKind.OWNER)
    assert Reason.NOT_ENTITLED in codes(bo.stream.ask(SessionStart(), context))


def test_a_member_signs_in_by_a_ripe_passkey_and_a_device_key() -> None:
    """A new passkey waits like any other, a session is short, and a device without a key starts none."""
    new = Account(name="staff-cy")
    new.ask(enrolment(Role.SUPPORT), SYSTEM)
    owner = Actor(ActorKind.OWNER)
    assert codes(new.ask(SessionStart(), owner)) == [Reason.DEVICE_KEY_REQUIRED]
    new.device_key = b"k" * 32
    assert codes(new.ask(SessionStart(), owner)) == [Reason.NO_SENIOR_AUTHENTICATOR]
    new.settle()
    session = new.sign_in()
    assert new.head.sessions[session].ends_at() == new.now + 30 * MINUTE
    assert codes(new.ask(AuthenticatorBind(TOTP, sealed("t")), session)) == [Reason.BAD_FIELD]


def test_staff_and_customers_do_not_mix() -> None:
    """No member has a balance, no customer is a member, and no customer's id looks like a member's."""
    ann = Colleague("ann", Role.POLICY)
    exit_ = ExitRequest("withdrawal", "USD", "1", address=None)
    assert codes(ann.stream.ask(exit_, ann.session)) == [Reason.NOT_ENTITLED]
    account, _ = grown()
    assert codes(ann.asks(account, StaffRetire())) == [Reason.NOT_ENTITLED]
    own = ImportedAuthenticator(PASSWORD, sealed("p"))
    imported = AccountImport(sealed("x"), (own,), (ImportedContact(ev.Channel.EMAIL, sealed("m")),))
    assert codes(Account(name="staff-x").ask(imported)) == [Reason.BAD_FIELD]


def test_reading_leaves_a_line_on_both_sides() -> None:
    """For an open ticket a customer is read; his log says by whom and why, the reader's says whom and how rich."""
    account, _ = helped()
    sue = Colleague("sue", Role.SUPPORT, at=account.now)
    sue.canary = True
    assert isinstance(sue.asks(account, LOOK), Allow)
    (seen,) = of(ev.LookedUp, account)
    assert (seen.member, seen.ticket, seen.fields, seen.revealed) == ("staff-sue", "t-1", ("email", "balance"), False)
    (read,) = of(ev.CustomerRead, sue.stream)
    assert (read.account, read.ticket, read.decile, read.canary) == ("alice", "t-1", 10, True)
    assert sue.stream.head.member is not None
    assert sue.stream.head.member.read_at == (account.now,)
    assert sue.stream.refold().head == sue.stream.head
    assert sue.fact(account, sue.stream.signed()).involved
    account.wait(days=30)
    sue.stream.now = account.now
    sue.signs_in()
    assert not sue.fact(account, sue.stream.signed()).involved


def test_no_ticket_no_read() -> None:
    """A ticket that is closed, expired, another's or none opens nothing, and what is denied is in both logs too."""
    account, _ = helped()
    sue = Colleague("sue", Role.SUPPORT, at=account.now)
    assert codes(sue.asks(account, replace(LOOK, ticket="t-2"))) == [Reason.TICKET_REQUIRED]
    account.ask(TicketClose("t-1"), SYSTEM)
    assert codes(sue.asks(account, LOOK)) == [Reason.TICKET_REQUIRED]
    assert of(ev.CustomerRead, sue.stream) == []
    assert [one.action for one in of(ev.Decided, sue.stream)][-2:] == ["staff.look_up"] * 2
    account.ask(TicketOpen("t-1"), SYSTEM)
    account.wait(days=30)
    sue.stream.now = account.now
    sue.signs_in()
    assert codes(sue.asks(account, LOOK)) == [Reason.TICKET_REQUIRED]


def test_a_case_is_a_reason_to_read() -> None:
    """What is open in Holdback itself is as good as a ticket; who reads what he was drawn to judge stays impartial."""
    account, session = grown()
    account.ask(IncidentReport(sealed("all gone")), session)
    assert account.head.incident is not None
    eve = Colleague("eve", Role.INVESTIGATOR, at=account.now)
    look = replace(LOOK, ticket=account.head.incident.id)
    assert isinstance(eve.asks(account, look), Allow)
    account.drawn = ("staff-rita", "staff-ron")
    Claimant(account).opens(PASSWORD)
    assert account.head.recovery is not None
    rita = Colleague("rita", Role.REVIEWER, at=account.now)
    look = replace(LOOK, ticket=account.head.recovery.id)
    assert codes(eve.asks(account, look)) == [Reason.TICKET_REQUIRED], "anybody opens a recovery"
    assert isinstance(rita.asks(account, look), Allow)
    assert "staff-rita" not in account.head.readers
    judged = replace(look, fields=("recovery",))
    assert isinstance(rita.asks(account, judged), Allow)
    assert codes(eve.asks(account, replace(judged, ticket=account.head.incident.id))) == [Reason.NOT_DRAWN]
    assert isinstance(rita.asks(account, RecoveryReview("approve", sealed("right"))), Allow)
    assert isinstance(rita.asks(account, replace(LOOK, ticket=account.head.incident.id)), Allow)
    assert "staff-rita" in account.head.readers


def test_one_field_at_a_time_is_revealed() -> None:
    """What is not masked is read one by one."""
    account, _ = helped()
    sue = Colleague("sue", Role.SUPPORT, at=account.now)
    assert codes(sue.asks(account, replace(LOOK, reveal=True))) == [Reason.BAD_FIELD]
    assert isinstance(sue.asks(account, replace(LOOK, fields=("email",), reveal=True)), Allow)


def test_readers_have_a_role() -> None:
    """An auditor or a treasurer reads no customer."""
    account, _ = helped()
    sue = Colleague("tom", Role.TREASURER, at=account.now)
    assert codes(sue.asks(account, LOOK)) == [Reason.NOT_ENTITLED]
    assert not fit_together(frozenset({Role.AUDITOR, Role.LEGAL}))
    assert fit_together(frozenset({Role.AUDITOR}))


def test_caps_are_sliding_windows() -> None:
    """The 31st read of an hour waits until the window has room; the customer's stream says no to it."""
    account, _ = helped()
    sue = Colleague("sue", Role.SUPPORT, at=account.now)
    for _ in range(30):
        assert isinstance(sue.asks(account, LOOK), Allow)
        account.wait(minutes=0.5)
    answer = sue.asks(account, LOOK)
    assert codes(answer) == [Reason.TOO_MANY]
    rules = account.policy.staff
    hour = [MINUTE * minute for minute in range(rules.reads_per_h)]
    assert capped_until(hour[1:], 40 * MINUTE, rules) == 0
    assert capped_until(hour, 40 * MINUTE, rules) == HOUR
    assert capped_until(hour, HOUR, rules) == 0
    few = replace(rules, reads_per_day=60)
    day = [HOUR // 4 * place for place in range(60)]
    assert capped_until(day, 15 * HOUR, few) == DAY
    assert capped_until(day, DAY, few) == 0


def test_whoever_is_not_there_asks_nothing() -> None:
    """Frozen, signed out, without the key, with a spent proof or as somebody else: no member of staff."""
    account, _ = helped()
    sue = Colleague("sue", Role.SUPPORT, at=account.now)
    assert codes(sue.asks(account, LOOK, thumbprint=b"x" * 32)) == [Reason.DEVICE_KEY_WRONG]
    spent = sue.stream.signed()
    assert isinstance(sue.asks(account, LOOK, id=spent.id), Allow)
    assert codes(sue.asks(account, LOOK, id=spent.id)) == [Reason.DEVICE_KEY_WRONG]
    before = len(sue.stream.log)
    assert codes(account.ask(LOOK, replace(sue.actor, session=b""))) == [Reason.SESSION_REQUIRED]
    account.staff = sue.fact(account, sue.stream.signed())
    assert codes(account.ask(LOOK, replace(sue.actor, key="staff-tom"))) == [Reason.SESSION_REQUIRED]
    sue.session = b""
    assert codes(sue.asks(account, LOOK)) == [Reason.SESSION_REQUIRED]
    sue.session = b"nobody's"
    assert codes(sue.asks(account, LOOK)) == [Reason.SESSION_ENDED]
    sue.signs_in()
    sue.stream.ask(AccountFreeze(), sue.session)
    assert codes(sue.asks(account, LOOK)) == [Reason.FROZEN]
    assert len(of(ev.CustomerRead, sue.stream)) == 1
    assert len(sue.stream.log) > before
    nobody = Colleague("nobody")
    nobody.session = b"s"
    assert codes(nobody.asks(account, LOOK)) == [Reason.NOT_ENTITLED]


def test_the_help_desk_forgets_the_oldest_ticket() -> None:
    """A desk that opens more than can be kept loses the one that would end first."""
    policy = policy_with(**{"bounds.tickets": 2})
    account = Account(policy)
    grow(account)
    for name in ("t-1", "t-2", "t-2", "t-3"):
        assert kind_of(account.ask(TicketOpen(name), SYSTEM)) == "allow"
        account.wait(minutes=1)
    assert list(account.head.tickets) == ["t-2", "t-3"]
    assert account.refold().head == account.head


def test_a_flag_opens_a_case_that_an_investigator_closes() -> None:
    """What a comparison said opens one case in the member's stream; he does not end it, and saying it twice is once."""
    sue, eve = Colleague("sue", Role.INVESTIGATOR), Colleague("eve", Role.INVESTIGATOR)
    flag = StaffFlag("rich", ("staff-sue",), 1, 9, 20, 100)
    for flagged in (flag, flag, replace(flag, why="peek")):
        sue.stream.ask(flagged, SYSTEM)
    assert [(one.why, one.incident) for one in of(ev.MemberFlagged, sue.stream)] == [("rich", "i4"), ("peek", "i4")]
    note = IncidentNote(sealed("a desk of its own"))
    assert codes(sue.asks(sue.stream, note)) == [Reason.NOT_ENTITLED]
    assert codes(sue.stream.ask(note, sue.session)) == [Reason.NOT_ENTITLED]
    assert isinstance(eve.asks(sue.stream, note), Allow)
    assert isinstance(eve.asks(sue.stream, IncidentClose()), Allow)
    assert sue.stream.head.incident is None
    assert sue.stream.refold().head == sue.stream.head


def test_a_case_concerns_whom_it_names() -> None:
    """A member's stream is about himself, and about everybody whom a case in it names; about others it is not."""
    sue = Colleague("sue", Role.SUPPORT)
    names = ("staff-sue", "staff-pat", "staff-eve")
    assert [is_about(sue.stream.head, one) for one in names] == [True, False, False]
    sue.stream.ask(StaffFlag("pair", ("staff-pat", "staff-sue"), 1, 9, 20, 100), SYSTEM)
    assert [is_about(sue.stream.head, one) for one in names] == [True, True, False]


def test_an_investigator_notes_and_the_owner_closes() -> None:
    """In a customer's own case staff say what they found; that all is well says the owner alone."""
    account, session = grown(policy=policy_with(**{"bounds.incident_notes": 4}))
    account.ask(IncidentReport(sealed("all gone")), session)
    eve = Colleague("eve", Role.INVESTIGATOR, at=account.now)
    sue = Colleague("sue", Role.SUPPORT, at=account.now)
    note = IncidentNote(sealed("paid to a known thief"))
    assert codes(sue.asks(account, note)) == [Reason.NOT_ENTITLED]
    assert isinstance(eve.asks(account, note), Allow)
    assert codes(eve.asks(account, IncidentClose())) == [Reason.NOT_ENTITLED]
    assert isinstance(eve.asks(account, note), Allow)
    assert codes(eve.asks(account, note)) == [Reason.TOO_MANY]


def test_an_investigator_burns_what_was_read_without_reason() -> None:
    """What one of the staff came to know proves nothing any more; only who asks after reads says so."""
    account, _ = grown()
    eve, sue = (
        Colleague(name, role, at=account.now) for name, role in (("eve", Role.INVESTIGATOR), ("sue", Role.SUPPORT))
    )
    burn = EvidenceBurn(("face",), "unexplained_read")
    assert codes(sue.asks(account, burn)) == [Reason.NOT_ENTITLED]
    assert codes(eve.asks(account, replace(burn, cause="leak"))) == [Reason.BAD_FIELD]
    assert isinstance(eve.asks(account, burn), Allow)
    assert "face" in account.head.burned


def test_whoever_judges_recoveries_can_act_and_is_asked_nothing() -> None:
    """Drawn to judge is a reviewer, neither stopped nor under question, who can still prove that he is it."""
    rita = Colleague("rita", Role.REVIEWER).stream
    head, now = rita.head, rita.now
    (name, one), *_ = head.authenticators.items()
    assert may_judge(head, now)
    for changed in (
        replace(head, member=None),
        replace(head, frozen_at=1),
        replace(head, incident=Incident("r1", 1, 1)),
        replace(head, authenticators={name: replace(one, suspended=True)}),
        replace(head, authenticators={}),
    ):
        assert not may_judge(changed, now)
    assert not may_judge(Colleague("sue", Role.SUPPORT).stream.head, now)
