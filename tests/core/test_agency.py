"""The registry: two enter an agency and wait, one takes it out, and papers are compared with what is in force."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.core.everything import EVERY
from tests.core.histories import Account, codes, grown, kind_of, policy_with, sealed
from tests.core.members import Colleague

from holdback.core import events as ev
from holdback.core.decide import needs
from holdback.core.decision import Allow, Hold, Reason
from holdback.core.events import DAY, HOUR, Actor, ActorKind, Role, StreamKind
from holdback.core.rules.agency import AgencyAdd, AgencyOfficer, AgencyRemove
from holdback.core.rules.legal import LegalApprove, LegalReceive, agency_fact, named
from holdback.core.state import Agency

OFFICER = AgencyOfficer("o1", sealed("Dana"), sealed("+15550100"))
ENTRY = AgencyAdd(sealed("Police"), (OFFICER,), "age1" + "q" * 58, ("police.example",), ("c" * 64,))


def pair() -> tuple[Colleague, Colleague]:
    """Two who may say who stands in the registry, each known to the other."""
    ann, bo = Colleague("ann", Role.POLICY), Colleague("bo", Role.POLICY)
    ann.first, bo.first = bo, ann
    return ann, bo


def police() -> Account:
    """An agency that nobody entered yet."""
    return Account(name="agency-police")


def entered(entry: AgencyAdd = ENTRY) -> tuple[Account, Colleague, Colleague]:
    """The same, entered by two a moment ago."""
    ann, bo = pair()
    made = police()
    ann.asks(made, entry)
    assert isinstance(bo.asks(made, entry), Allow)
    return made, ann, bo


def fact(agency: Account) -> Any:  # noqa: ANN401 - an AgencyFact
    """What the registry says of it now."""
    return agency_fact("agency-police", agency.state, agency.now, answered=True)


def test_two_enter_an_agency_and_it_waits() -> None:
    """One person's word begins a stream; the same of a second one enters it, and it counts after 72 h."""
    ann, bo = pair()
    made = police()
    for _ in range(2):
        assert isinstance(ann.asks(made, ENTRY), Hold)
    assert not fact(made).registered
    assert isinstance(bo.asks(made, replace(ENTRY, recipient="age1" + "p" * 58)), Hold), "other words, another wish"
    assert isinstance(bo.asks(made, ENTRY), Hold), "the other wish took its place"
    answer = ann.asks(made, ENTRY)
    assert isinstance(answer, Allow)
    assert answer.usable_from == made.now + 72 * HOUR
    assert made.head.stream is StreamKind.AGENCY
    made.wait(hours=71)
    assert not fact(made).registered
    made.wait(hours=1)
    assert (fact(made).registered, fact(made).officers, fact(made).domains) == (True, ("o1",), ("police.example",))
    assert fact(made).certificates == (bytes.fromhex("c" * 64),)
    (event,) = [one for one in made.log if isinstance(one, ev.AgencyEntered)]
    assert event.by == ("staff-bo", "staff-ann")


def test_a_proposal_grows_old() -> None:
    """What nobody confirmed within its days is no wish any more."""
    ann, bo = pair()
    made = police()
    ann.asks(made, ENTRY)
    made.wait(days=8)
    bo.stream.now = made.now
    bo.signs_in()
    assert isinstance(bo.asks(made, ENTRY), Hold)


def test_who_asked_first_must_still_be_one_who_may() -> None:
    """A proposal of somebody who lost the role, or of whom nothing is known, is nobody's second half."""
    ann, bo = pair()
    made = police()
    ann.asks(made, ENTRY)
    bo.first = None
    assert isinstance(bo.asks(made, ENTRY), Hold)


def test_the_old_entry_counts_until_the_new_one_does() -> None:
    """A changed number or key waits like a new one, so that nobody swaps it for the paper in his hand."""
    made, ann, bo = entered()
    made.wait(hours=72)
    other = replace(ENTRY, officers=(replace(OFFICER, id="o2"),))
    for one in (ann, bo):
        one.stream.now = made.now
        one.signs_in()
        one.asks(made, other)
    assert fact(made).officers == ("o1",)
    made.wait(hours=72)
    assert fact(made).officers == ("o2",)


def test_one_takes_it_out_at_once() -> None:
    """Nothing is granted to an agency that one of the policy or legal staff took out; twice is once."""
    made, ann, _ = entered()
    lena = Colleague("lena", Role.LEGAL)
    assert isinstance(lena.asks(made, AgencyRemove()), Allow)
    made.wait(hours=72)
    assert not fact(made).registered
    ann.stream.now = made.now
    ann.signs_in()
    assert codes(ann.asks(made, AgencyRemove())) == [Reason.NOT_FOUND]


@pytest.mark.parametrize("role", [Role.POLICY, Role.LEGAL])
def test_one_takes_back_what_waits(role: Role) -> None:
    """What does not count yet goes by one person's word, and what is in force stays."""
    made, ann, bo = entered()
    zoe = Colleague("zoe", role)
    assert isinstance(zoe.asks(made, AgencyRemove(waiting=True)), Allow)
    assert made.head.agency == Agency()
    assert codes(zoe.asks(made, AgencyRemove(waiting=True))) == [Reason.NOT_FOUND]
    for one in (ann, bo):
        one.asks(made, ENTRY)
    made.wait(hours=72)
    other = replace(ENTRY, officers=(replace(OFFICER, id="o2"),))
    for one in (zoe, ann, bo):
        one.stream.now = made.now
        one.signs_in()
    assert codes(zoe.asks(made, AgencyRemove(waiting=True))) == [Reason.NOT_FOUND], "it is in force"
    for one in (ann, bo):
        one.asks(made, other)
    assert isinstance(zoe.asks(made, AgencyRemove(waiting=True)), Allow)
    made.wait(hours=72)
    assert fact(made).officers == ("o1",)


def test_one_takes_back_what_one_asked_for() -> None:
    """A proposal is taken back, and what a second person then asks is a first word."""
    ann, bo = pair()
    made = police()
    ann.asks(made, ENTRY)
    assert isinstance(bo.asks(made, AgencyRemove(waiting=True)), Allow)
    assert isinstance(bo.asks(made, ENTRY), Hold)
    assert isinstance(bo.asks(made, AgencyRemove()), Allow)
    assert codes(bo.asks(made, AgencyRemove())) == [Reason.NOT_FOUND]


def test_who_handles_requests_enters_nobody() -> None:
    """The legal desk, support, and a policy member without a session: none of them begins or changes an entry."""
    lena, made = Colleague("lena", Role.LEGAL), police()
    assert codes(lena.asks(made, ENTRY)) == [Reason.NOT_ENTITLED]
    nobody = Colleague("nan")
    nobody.session = b""
    assert kind_of(nobody.asks(made, ENTRY)) == "deny"
    assert kind_of(made.ask(ENTRY, Actor(ActorKind.STAFF, key="staff-ann"))) == "deny"
    assert made.state is None
    known, *_ = entered()
    assert codes(lena.asks(known, ENTRY)) == [Reason.NOT_ENTITLED]


def test_an_entry_is_no_customers() -> None:
    """An agency has an id of its own kind, and neither a customer nor a member becomes one."""
    ann, bo = pair()
    for name in ("police", "agency-police.sub"):
        assert codes(ann.asks(Account(name=name), ENTRY)) == [Reason.BAD_FIELD]
    alice, _ = grown()
    assert codes(ann.asks(alice, ENTRY)) == [Reason.NOT_ENTITLED]
    assert codes(ann.asks(bo.stream, ENTRY)) == [Reason.NOT_ENTITLED]
    made, *_ = entered()
    assert codes(made.ask(EVERY["account.freeze"], Actor(ActorKind.OWNER, b"x"))) == [Reason.NOT_ENTITLED]


def test_officers_are_told_apart() -> None:
    """Two officers of one id are one too many, as it begins and later."""
    ann, _ = pair()
    twice = replace(ENTRY, officers=(OFFICER, OFFICER))
    assert codes(ann.asks(police(), twice)) == [Reason.BAD_FIELD]
    made, ann, _ = entered()
    assert codes(ann.asks(made, twice)) == [Reason.BAD_FIELD]


@pytest.mark.parametrize("name", ["agency-police", ""])
def test_what_is_needed_names_the_agency(name: str) -> None:
    """A step loads the stream of the agency whose request it is about, and none if there is no request."""
    account, _ = grown()
    wish = LegalReceive("police", ("email",), "court_order")
    staff = Actor(ActorKind.STAFF, key="staff-lena")
    assert needs(account.request(wish, Actor(ActorKind.AGENCY)), account.state).agency == "agency-police"
    if name:
        account.ask(wish, Actor(ActorKind.AGENCY))
    assert needs(account.request(LegalApprove(), staff), account.state).agency == name
    assert needs(account.request(LegalApprove("other"), staff), account.state).agency == ""
    assert needs(account.request(LegalApprove(), staff), None).agency == ""


def test_an_agency_nobody_entered_vouches_for_nothing() -> None:
    """Without a stream, or with one that no second person confirmed, it is not registered."""
    assert not agency_fact("agency-tax", None, 0, answered=True).registered
    account, _ = grown()
    assert not agency_fact("agency-tax", account.state, account.now, answered=True).registered


def test_what_lapsed_is_not_meant() -> None:
    """With the last request lapsed, a step that names none is about none."""
    account, _ = grown(policy=policy_with(**{"legal.expires_d": 5, "legal.paper_d": 5}))
    account.ask(LegalReceive("police", ("email",), "court_order", request="one"), Actor(ActorKind.AGENCY))
    assert named(account.head, "", account.now) is not None
    assert named(account.head, "", account.now + 5 * DAY) is None
    assert named(account.head, "two", account.now) is None
