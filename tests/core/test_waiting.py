"""The desk: what waits for whom, worked out from a head alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.core.histories import BACKUP_CODE, PASSWORD, POLICY, TOTP, Account, grown, sealed
from tests.core.recoveries import Claimant, attested, reviewed

from holdback.core.disclosure import EMERGENCY
from holdback.core.events import DAY, HOUR, Role, Sealed
from holdback.core.rules.incident import IncidentClose, IncidentReport
from holdback.core.state import Agency, AgencyEntry, Breaker, Head, LegalRequest, Member, Proposal
from holdback.core.waiting import For, Item, is_over, is_unchanged, items

if TYPE_CHECKING:
    from collections.abc import Callable


def opened() -> tuple[Account, Claimant]:
    """A senior account, and a recovery that was opened a moment ago."""
    account, _ = grown(PASSWORD, TOTP, BACKUP_CODE)
    one = Claimant(account)
    one.opens()
    return account, one


def item(account: Account) -> Item:
    """The one thing that waits."""
    (only,) = items(account.head, POLICY)
    return only


def doubted(one: Claimant) -> object:
    """A face check failed: reviewers judge whatever else was shown."""
    recovery = one.account.head.recovery
    assert recovery is not None
    one.account.state = replace(one.account.head, recovery=replace(recovery, doubted=True))
    return one


def test_nothing_waits_for_most() -> None:
    """An account in which nothing is under way has nothing on the desk."""
    account, _ = grown()
    assert items(account.head, POLICY) == ()


@pytest.mark.parametrize(
    ("shows", "waits_for", "role"),
    [
        (lambda one: one, For.EVIDENCE, "support"),
        (lambda one: attested(one.account, "in_person"), For.REVIEW, "reviewer"),
        (lambda one: one.shows("totp"), For.REVIEW, "reviewer"),
        (lambda one: (one.shows("totp"), one.shows("backup_code")), For.TIME, ""),
        (lambda one: (one.shows("totp"), doubted(one), one.shows("backup_code")), For.REVIEW, "reviewer"),
    ],
    ids=["nothing", "a word", "one thing", "two things", "two things and a doubt"],
)
def test_a_recovery_waits_for_what_its_way_lacks(
    shows: Callable[[Claimant], object], waits_for: For, role: str
) -> None:
    """Somebody's word first where nothing is held, then reviewers, and then time alone."""
    account, one = opened()
    shows(one)
    assert (item(account).waits_for, item(account).role, item(account).kind) == (waits_for, role, "recovery")


def test_reviewed_it_waits_for_its_time_and_then_its_end() -> None:
    """With both approvals the wait is what is left; until its owner was told, only that the case may expire."""
    account, one = opened()
    one.shows("totp")
    for member in ("rita", "ron"):
        assert item(account).waits_for is For.REVIEW
        reviewed(account, member)
    assert (item(account).waits_for, item(account).due_at) == (For.TIME, account.now + 30 * DAY)
    account.deliver()
    assert item(account).due_at == account.now + 72 * HOUR
    assert item(account).wake_at == account.now + 36 * HOUR


def test_codes_wait_for_whoever_opened_it() -> None:
    """Two codes need nobody: what is missing is that their holder says he is done."""
    account, one = opened()
    one.shows("contact_code")
    account.wait(minutes=3)
    one.shows("contact_code", channel=account.head.contacts["c1-2"].channel)
    assert (item(account).waits_for, item(account).role) == (For.EVIDENCE, "")


def test_a_robbery_waits_for_an_investigator() -> None:
    """A reported incident is on the desk until it is closed."""
    account, session = grown()
    account.ask(IncidentReport(sealed("all gone")), session)
    waiting = item(account)
    assert (waiting.kind, waiting.role, waiting.waits_for, waiting.due_at) == (
        "incident",
        "investigator",
        For.ANSWER,
        account.now,
    )
    account.ask(IncidentClose(), session, *account.head.authenticators)
    assert items(account.head, POLICY) == ()


def with_request(**fields: object) -> Head:
    """A head with one legal request."""
    request = LegalRequest(1, "bka", "court_order", ("name",), "sue", True, True, 9)  # noqa: FBT003 - in the struct's order
    return Head("alice", Sealed(bytes(16), b""), 0, (), legal={"l1": replace(request, **fields)})


@pytest.mark.parametrize(
    ("fields", "waits_for"),
    [
        ({}, For.CALL_BACK),
        ({"called_by": "lea"}, For.APPROVAL),
        ({"called_by": "lea", "approved": ("lea",)}, For.APPROVAL),
        ({"called_by": "lea", "approved": ("lea", "max")}, For.RELEASE),
        ({"called_by": "lea", "approved": ("lea",), "basis": EMERGENCY}, For.RELEASE),
        ({"frozen_until": 99, "thaw_by": "max"}, For.APPROVAL),
    ],
)
def test_a_legal_request_waits_for_its_next_hand(fields: dict[str, object], waits_for: For) -> None:
    """The agency is rung back, then enough people approve, then one of them carries it out."""
    (waiting,) = items(with_request(**fields), POLICY)
    assert (waiting.kind, waiting.role, waiting.waits_for) == ("legal", "legal", waits_for)


def test_an_order_in_force_waits_for_nobody() -> None:
    """What stops exits until its date is no work to be done."""
    assert items(with_request(frozen_until=99), POLICY) == ()


def test_a_member_to_be_waits_for_a_second_person() -> None:
    """What one of the staff asked for is on the desk of those who may confirm it."""
    head = Head("staff-cy", Sealed(bytes(16), b""), 0, (), member=Member(proposal=Proposal(b"d", "ann", 5)))
    (waiting,) = items(head, POLICY)
    assert (waiting.kind, waiting.role, waiting.opened_at) == ("staff", Role.POLICY, 5)
    assert waiting.due_at == 5 + POLICY.staff.proposed_d * DAY
    assert items(replace(head, member=Member()), POLICY) == ()


def test_an_agencys_new_entry_is_seen_before_it_counts() -> None:
    """While it waits it is on the desk of those who handle requests and of the auditors, and then it is over."""
    entry = AgencyEntry((), "age1", (), (), from_at=99, entered_at=5)
    head = Head("agency-tax", Sealed(bytes(16), b""), 0, (), agency=Agency(entry, entry))
    found = items(head, POLICY)
    assert [(one.kind, one.role, one.waits_for) for one in found] == [
        ("agency", "legal", For.TIME),
        ("agency", "auditor", For.TIME),
    ]
    assert {(one.opened_at, one.due_at, one.wake_at) for one in found} == {(5, 99, 99)}
    assert [is_over("agency", 99, at) for at in (98, 99)] == [False, True]
    assert not is_over("legal", 99, 100)
    assert items(replace(head, agency=Agency(entry)), POLICY) == ()


def test_an_agency_to_be_waits_for_a_second_person() -> None:
    """What one of the staff asked for is on the desk of those who may confirm it, as long as they may."""
    head = Head("agency-tax", Sealed(bytes(16), b""), 0, (), agency=Agency(proposal=Proposal(b"d", "ann", 5)))
    (waiting,) = items(head, POLICY)
    assert (waiting.kind, waiting.role, waiting.waits_for) == ("agency", Role.POLICY, For.APPROVAL)
    assert waiting.due_at == waiting.wake_at == 5 + POLICY.staff.proposed_d * DAY


def test_what_did_not_change_is_not_looked_at() -> None:
    """Only a change of what the desk is made of makes it anew: a sign-in does not, an opening does."""
    account, _ = grown()
    before = account.head
    assert is_unchanged(before, before)
    assert not is_unchanged(None, before)
    account.sign_in()
    assert is_unchanged(before, account.head)
    Claimant(account).opens()
    assert not is_unchanged(before, account.head)
    for changed in (
        replace(before, legal={}),
        replace(before, member=Member()),
        replace(before, agency=Agency()),
        replace(before, breaker=Breaker()),
        replace(before, returning={}),
        replace(before, exits={}),
    ):
        assert not is_unchanged(before, changed)


def test_what_waits_for_its_time_alone_is_on_no_desk() -> None:
    """A held payment that nobody disputes needs nobody of the staff."""
    account, session = grown()
    account.pay("900000", "home", session)
    assert account.head.exits
    assert items(account.head, POLICY) == ()
