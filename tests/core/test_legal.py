"""Legal requests: no paper alone, no person alone, the narrowest fields, the owner told, what was seen burned."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from msgspec.structs import replace
from tests.core.authorities import (
    POLICE,
    SIGNED,
    UNSIGNED,
    Office,
    approved,
    disclosed,
    ordered,
)
from tests.core.histories import Account, codes, destination, grown, kind_of, policy_with, sealed
from tests.core.recoveries import Claimant

from holdback.core import events as ev
from holdback.core.decision import Allow, Hold, PaperFact, Reason
from holdback.core.disclosure import EMERGENCY, GIVES_AWAY, NEVER, REACHES, given_away, reached
from holdback.core.effects import EFFECTS, SECRECY
from holdback.core.events import DAY, HOUR, Actor, ActorKind, Channel
from holdback.core.evidence import BURNABLE
from holdback.core.rules.account import AccountFreeze, AccountUnfreeze
from holdback.core.rules.address import AddressAdd
from holdback.core.rules.contact import ContactAdd, ContactConfirm
from holdback.core.rules.exit import ExitRelease
from holdback.core.rules.legal import LegalReceive, LegalReject
from holdback.core.rules.recovery import EvidenceBurn
from holdback.core.rules.staff import StaffLookUp

PROOFS = ("a1-1", "a1-2")


def begun(**changed: int) -> tuple[Account, Office]:
    """A grown account, and an office that has done nothing."""
    account, _ = grown(policy=policy_with(**{f"legal.{key}": value for key, value in changed.items()}))
    return account, Office(account)


def notices(account: Account, cause: str) -> list[ev.NoticeDue]:
    """What is to be told of a cause."""
    return [one for one in account.log if isinstance(one, ev.NoticeDue) and one.cause == cause]


def happened(account: Account, kind: type[ev.Event]) -> list[Any]:
    """All events of a kind."""
    return [one for one in account.log if isinstance(one, kind)]


# What may be disclosed at all


def test_no_basis_reaches_a_secret() -> None:
    """Secrets are in no table, and every basis reaches only what can be disclosed."""
    for fields in REACHES.values():
        assert fields <= set(GIVES_AWAY)
        assert not fields & set(NEVER)
    assert REACHES["court_order"] == set(GIVES_AWAY)
    for basis in ("subpoena", "production_order", EMERGENCY):
        assert REACHES[basis] < REACHES["court_order"]


def test_what_is_given_away_can_be_burned() -> None:
    """A file gives away the document and the face in it, an address its codes; nothing gives a third party's word."""
    assert given_away(("kyc_file", "email", "phone", "balance")) == ("face", "id_document", "email_code", "sms_code")
    assert set(given_away(tuple(GIVES_AWAY))) <= BURNABLE


def test_fields_are_judged_one_by_one() -> None:
    """What the basis reaches goes on, each once; all else is refused."""
    assert reached("subpoena", ("email", "balance", "email", "password")) == (("email",), ("balance", "password"))


def test_what_is_wider_is_refused_field_by_field() -> None:
    """The request goes on with what its basis reaches, and names what it does not."""
    account, office = begun()
    answer = office.receives("email", "balance", "session_tokens", basis="subpoena")
    assert isinstance(answer, Allow)
    assert [one.about for one in answer.findings if one.code == Reason.FIELD_REFUSED] == ["balance", "session_tokens"]
    (received,) = happened(account, ev.LegalReceived)
    assert (received.fields, received.refused) == (("email",), ("balance", "session_tokens"))
    refused = office.receives("session_tokens", "password")
    assert codes(refused) == [Reason.FIELD_REFUSED]
    assert len(happened(account, ev.LegalReceived)) == 1


# What comes in


def test_receiving_discloses_and_tells_nothing() -> None:
    """A paper by itself changes nothing: no notice, no freeze, nothing burned."""
    account, office = begun()
    before = account.head
    office.receives()
    office.orders()
    assert not [one for one in account.last_events() if isinstance(one, ev.NoticeDue)]
    assert (account.head.burned, account.head.frozen_at) == (before.burned, 0)
    assert kind_of(account.pay("5", "home", account.any_session())) == "allow"


@pytest.mark.parametrize(
    ("paper", "signed"),
    [
        (SIGNED, True),
        (PaperFact(b"p", "valid", domain="police.example", mark=b"m"), True),
        (PaperFact(b"p", "signed_trusted", b"another's", mark=b"m"), False),
        (PaperFact(b"p", "valid", domain="police.example.evil", mark=b"m"), False),
        (PaperFact(b"p", "valid", domain="police.example"), False),
        (UNSIGNED, False),
        (None, False),
    ],
    ids=["certificate", "mail", "another's certificate", "another domain", "no date", "unsigned", "no paper"],
)
def test_a_signature_counts_if_the_registry_has_its_signer(paper: PaperFact | None, signed: bool) -> None:  # noqa: FBT001 - a column
    """A whole, trusted signature of somebody else's, or none, is not the agency's."""
    account, office = begun()
    office.paper = paper
    office.receives()
    assert account.head.legal.popitem()[1].signed is signed


def test_an_empty_registry_entry_vouches_for_nothing() -> None:
    """An agency without certificates and domains does not sign every paper that has neither."""
    account, office = begun()
    office.police, office.paper = replace(POLICE, certificates=(b"",), domains=("",)), UNSIGNED
    office.receives()
    assert not account.head.legal.popitem()[1].signed


@pytest.mark.parametrize(
    ("age_ms", "signed"),
    [(14 * DAY, False), (14 * DAY - 1, True), (0, True), (-30_000, True), (-30_001, False)],
    ids=["too old", "old", "new", "of a clock that is fast", "from the future"],
)
def test_a_signature_vouches_while_it_is_new(age_ms: int, signed: bool) -> None:  # noqa: FBT001 - a column
    """A mail server's key signs for years: what was signed long ago, or tomorrow, says nothing of today's request."""
    account, office = begun()
    assert account.policy.signals.clock_tolerance_s == 30
    office.paper = replace(SIGNED, signed_at=account.now - age_ms)
    office.receives()
    assert account.head.legal.popitem()[1].signed is signed


def test_a_paper_vouches_once() -> None:
    """The same signing under a second id is refused, also when the first request is over, and by whoever enters it."""
    account, office = begun()
    office.paper = replace(SIGNED, signed_at=account.now)
    office.receives(request="one")
    for refused in (office.receives(request="two"), office.orders(), office.receives(by="ella")):
        assert codes(refused) == [Reason.ALREADY_EXISTS]
        assert refused.findings[0].about == "document"
    office.rejects("lena")
    assert codes(office.receives(request="one")) == [Reason.ALREADY_EXISTS]
    office.paper = replace(office.paper, mark=b"another")
    assert isinstance(office.receives(request="two"), Allow)
    account.wait(days=14)
    office.paper = replace(office.paper, mark=b"a third", signed_at=account.now)
    office.receives()
    assert list(account.head.papers) == [b"a third"]


def test_an_unsigned_paper_is_no_vouching_that_could_be_spent() -> None:
    """What vouches for nothing is not remembered: a stranger's copy uses up no agency's own paper."""
    account, office = begun()
    office.knows_nobody()
    office.paper = replace(SIGNED, signed_at=account.now)
    office.receives()
    assert not account.head.papers
    office.police = POLICE
    assert isinstance(office.receives(), Allow)


def test_there_is_room_for_so_many_papers() -> None:
    """What is remembered is bounded, and what has no room is refused: a paper that is forgotten would vouch again."""
    policy = policy_with(**{"bounds.papers": 1})
    account, _ = grown(policy=policy)
    office = Office(account)
    office.receives()
    refused = office.receives()
    assert codes(refused) == [Reason.TOO_MANY]
    assert refused.findings[0].until == account.now + 14 * DAY
    office.paper = UNSIGNED
    assert isinstance(office.receives(), Allow)


def test_staff_enter_requests_in_their_role_only() -> None:
    """A form is filled in by the legal desk; the log keeps who did."""
    account, office = begun()
    assert codes(office.ask(LegalReceive("police", ("email",), "court_order"), "sue", "support")) == [
        Reason.NOT_ENTITLED
    ]
    office.receives(by="lena")
    assert happened(account, ev.LegalReceived)[0].entered_by == "lena"


def test_one_id_names_one_request() -> None:
    """A request that names several customers has one id in each stream; it cannot come in twice."""
    account, office = begun()
    answer = office.receives(request="case-7")
    assert isinstance(answer, Allow)
    assert answer.id == "case-7"
    assert codes(office.receives(request="case-7")) == [Reason.ALREADY_EXISTS]
    assert list(account.head.legal) == ["case-7"]


def test_strangers_papers_do_not_crowd_out_signed_ones() -> None:
    """So many of each: whoever floods with papers that nothing vouches for stops no lawful request."""
    account, office = begun(open_max=2)
    office.paper = UNSIGNED
    for _ in range(2):
        assert isinstance(office.receives(), Allow)
    assert codes(office.receives()) == [Reason.TOO_MANY]
    office.paper = SIGNED
    assert isinstance(office.receives(), Allow)
    assert isinstance(office.receives(by="lena"), Allow)
    assert codes(office.receives()) == [Reason.TOO_MANY]
    account.wait(days=31)
    assert isinstance(office.receives(), Allow)
    assert len(account.head.legal) == 1


def test_what_is_too_long_is_refused() -> None:
    """No order hides anything for more than 90 days, or stops exits for longer than the policy says."""
    _, office = begun()
    assert codes(office.receives(secret_d=91)) == [Reason.BAD_FIELD]
    assert codes(office.orders(days=181)) == [Reason.BAD_FIELD]
    assert isinstance(office.receives(secret_d=90), Allow)


# The call back


def test_who_says_no_on_the_telephone_unmasks_a_forgery() -> None:
    """The agency knows nothing of it: the request is over, and the account is marked and its owner told."""
    account, office = begun()
    office.receives(secret_d=30)
    answer = office.calls_back(confirmed=False)
    assert isinstance(answer, Allow)
    assert not account.head.legal
    assert account.head.targeted_until == account.now + 90 * DAY
    (notice,) = notices(account, "legal.rejected")
    assert (notice.severity, notice.due_at) == (ev.Severity.SEVERE, 0)
    assert codes(office.releases("lena")) == [Reason.NOT_FOUND]


def test_a_confirmation_needs_the_registry() -> None:
    """Its number, one of its officers, and the phrase that only the agency could read."""
    _, office = begun()
    office.receives()
    office.knows_nobody()
    assert codes(office.calls_back()) == [Reason.AGENCY_UNKNOWN]
    office.police = POLICE
    assert codes(office.calls_back(officer="o9")) == [Reason.NOT_FOUND]
    office.hears_no_phrase()
    assert codes(office.calls_back()) == [Reason.PHRASE_WRONG]
    office.police = POLICE
    assert isinstance(office.calls_back(), Allow)
    assert codes(office.calls_back("luc")) == [Reason.ALREADY_EXISTS]


@pytest.mark.parametrize("fact", [replace(POLICE, registered=False), replace(POLICE, agency="tax")], ids=str)
def test_only_this_agencys_entry_counts(fact: Any) -> None:  # noqa: ANN401 - an AgencyFact
    """An entry that is not in force, or another agency's, is none."""
    account, office = begun()
    office.police = fact
    office.receives()
    assert not account.head.legal.copy().popitem()[1].registered
    assert codes(office.calls_back()) == [Reason.AGENCY_UNKNOWN]


# Who may say yes


def test_nobody_does_it_alone() -> None:
    """Two approve, neither of whom entered it; the caller-back may be one, and one of them may release."""
    account, office = begun()
    office.receives(by="ella")
    assert codes(office.calls_back("ella")) == [Reason.SAME_PERSON]
    assert codes(office.approves("lena")) == [Reason.CALL_BACK_REQUIRED]
    office.calls_back("lena")
    assert codes(office.approves("ella")) == [Reason.SAME_PERSON]
    assert isinstance(office.approves("lena"), Allow)
    assert codes(office.approves("lena")) == [Reason.ALREADY_EXISTS]
    account.wait(hours=5)
    assert codes(office.releases("lena")) == [Reason.APPROVAL_REQUIRED]
    assert isinstance(office.approves("luc"), Allow)
    assert codes(office.releases("ella")) == [Reason.SAME_PERSON]
    assert isinstance(office.releases("lena"), Allow)


def test_who_lately_read_the_customer_stands_aside() -> None:
    """A peek before a yes is how a bought clerk would work."""
    account, office = begun()
    office.receives()
    office.calls_back()
    assert codes(office.approves("lena", involved=True)) == [Reason.SAME_PERSON]
    office = approved(account)
    account.wait(hours=5)
    assert codes(office.releases("liv", involved=True)) == [Reason.SAME_PERSON]


def test_the_words_of_who_left_count_no_more() -> None:
    """Whoever rang or approved and is retired or suspended since did neither: somebody else does it again."""
    account, _ = begun()
    office = approved(account)
    account.wait(hours=5)
    office.leaves("luc")
    assert codes(office.releases("lena")) == [Reason.APPROVAL_REQUIRED]
    office.approves("liv")
    office.leaves("lena", "luc")
    assert codes(office.releases("liv")) == [Reason.CALL_BACK_REQUIRED]
    assert isinstance(office.calls_back("liv"), Allow)
    assert codes(office.releases("liv")) == [Reason.APPROVAL_REQUIRED]
    office.leaves("lena")
    assert isinstance(office.releases("liv"), Allow)
    assert [one.by for one in happened(account, ev.LegalCalledBack)] == ["lena", "liv"]


def test_one_who_left_ends_no_order() -> None:
    """An order ends early by two who are there: the wish of somebody who left is nobody's first half."""
    account, _ = begun()
    office = ordered(account)
    assert isinstance(office.rejects("lena"), Hold)
    office.leaves("lena")
    assert isinstance(office.rejects("luc"), Hold)
    assert account.head.legal.copy().popitem()[1].thaw_by == "luc"
    assert isinstance(office.rejects("luc"), Hold)
    assert isinstance(office.rejects("liv"), Allow)


def test_who_lately_read_the_customer_ends_no_order() -> None:
    """Who entered an order, or peeked at whom it stops, has no part in letting the money go."""
    _, office = begun()
    office.orders(by="ella")
    office.calls_back()
    for one in ("lena", "luc"):
        office.approves(one)
    office.releases("luc")
    assert codes(office.rejects("lena", involved=True)) == [Reason.SAME_PERSON]
    assert codes(office.rejects("ella")) == [Reason.SAME_PERSON]
    assert isinstance(office.rejects("lena"), Hold)
    assert codes(office.rejects("luc", involved=True)) == [Reason.SAME_PERSON]
    assert isinstance(office.rejects("luc"), Allow)


def test_other_roles_do_nothing() -> None:
    """A reviewer, support, or somebody Holdback could not verify takes no step."""
    account, office = begun()
    office.receives()
    for role in ("reviewer", "support"):
        account.wait(minutes=1)
        assert codes(office.ask(LegalReject(forged=False), "sue", role)) == [Reason.NOT_ENTITLED]


def reads_request(office: Office, which: str, *more: str, role: str = "legal") -> Any:  # noqa: ANN401 - a Decision
    """Somebody of the staff reads a request itself."""
    fields: Any = ("legal_request", *more)
    return office.ask(StaffLookUp(which, fields, sealed("to decide")), "lena", role)


@pytest.mark.parametrize("role", ["legal", "auditor"])
def test_who_decides_about_a_request_may_read_it(role: str) -> None:
    """A secret one too, with a line in the log that is as secret, and nobody is partial by it."""
    account, office = begun()
    office.receives(request="one", secret_d=30)
    told_at = account.head.legal["one"].told_at
    assert isinstance(reads_request(office, "one", role=role), Allow)
    (read,) = happened(account, ev.LookedUp)
    assert (read.member, read.ticket, read.involved, read.told_at) == ("lena", "one", False, told_at)
    assert "lena" not in account.head.readers
    office.orders(request="two")
    assert isinstance(reads_request(office, "two", role=role), Allow)
    assert happened(account, ev.LookedUp)[-1].told_at == 0


def test_nobody_else_reads_a_request() -> None:
    """It takes the role, the id of one that is there, and nothing else is read with it."""
    _, office = begun()
    office.receives(request="one")
    for role in ("support", "reviewer", "investigator", "policy"):
        assert codes(reads_request(office, "one", role=role)) == [Reason.NOT_ENTITLED]
    assert codes(reads_request(office, "two")) == [Reason.TICKET_REQUIRED]
    assert codes(reads_request(office, "one", "email")) == [Reason.BAD_FIELD]
    asked = StaffLookUp("one", ("email",), sealed("with the request"))
    assert codes(office.ask(asked, "lena")) == [Reason.TICKET_REQUIRED]


def test_a_secret_disclosure_is_read_until_it_is_told() -> None:
    """What was disclosed in secret can be audited until its owner knows, and then stands in his log."""
    account, _ = begun()
    office = approved(account, secret_d=30, request="one")
    account.wait(hours=5)
    office.releases("luc")
    assert isinstance(reads_request(office, "one", role="auditor"), Allow)
    account.wait(days=30)
    assert codes(reads_request(office, "one", role="auditor")) == [Reason.TICKET_REQUIRED]


def test_unsigned_papers_are_not_granted() -> None:
    """A paper that nothing vouches for needs a signature; what staff entered from a letter needs none."""
    account, office = begun()
    office.paper = UNSIGNED
    office.receives()
    office.calls_back()
    assert codes(office.approves("lena")) == [Reason.PAPER_UNSIGNED]
    office.rejects("lena")
    office.receives(by="ella")
    office.calls_back()
    assert isinstance(office.approves("lena"), Allow)
    assert not account.head.targeted_until


def test_an_agency_that_left_the_registry_is_granted_nothing() -> None:
    """The entry must be in force when somebody says yes, and when it is carried out."""
    account, office = begun()
    office.receives()
    office.calls_back()
    office.knows_nobody()
    assert codes(office.approves("lena")) == [Reason.AGENCY_UNKNOWN]
    office.police = POLICE
    office.approves("lena")
    office.approves("luc")
    account.wait(hours=5)
    office.knows_nobody()
    assert codes(office.releases("luc")) == [Reason.AGENCY_UNKNOWN]


def test_haste_is_never_single_handed() -> None:
    """Danger to life: no wait and one approval less, yet the approver is neither who called nor who entered it."""
    _, office = begun()
    office.paper = UNSIGNED
    office.receives("name", "phone", "kyc_file", basis=EMERGENCY)
    office.calls_back("lena")
    assert codes(office.approves("lena")) == [Reason.SAME_PERSON]
    assert codes(office.releases("lena")) == [Reason.APPROVAL_REQUIRED]
    office.approves("luc")
    assert isinstance(office.releases("lena"), Allow)


def test_others_wait_for_a_second_look() -> None:
    """What is not about life is disclosed a few hours after it came, and not before."""
    account, _ = begun()
    office = approved(account)
    received_at = account.now
    refused = office.releases("luc")
    assert codes(refused) == [Reason.NOT_YET_DUE]
    assert refused.findings[0].until == received_at + 4 * HOUR
    account.wait(hours=4)
    assert isinstance(office.releases("luc"), Allow)


def test_nothing_goes_out_unsealed() -> None:
    """Without a package that only the agency can open nothing is disclosed."""
    account, _ = begun()
    office = approved(account)
    account.wait(hours=5)
    office.package = b""
    assert codes(office.releases("luc")) == [Reason.PACKAGE_MISSING]


def test_requests_lapse() -> None:
    """Nobody carries out what was approved long ago."""
    account, _ = begun()
    office = approved(account)
    account.wait(days=30)
    assert codes(office.releases("luc")) == [Reason.NOT_FOUND]


def test_the_latest_is_meant_unless_one_is_named() -> None:
    """With two open, a step is about the latest."""
    account, office = begun()
    office.receives(request="first")
    office.receives(request="second")
    office.calls_back()
    assert not account.head.legal["first"].called_by
    assert account.head.legal["second"].called_by == "lena"


# What a disclosure does


def test_a_disclosure_is_told_proved_and_burned() -> None:
    """The owner hears at once, the digest of the package is kept, and what was given away proves nothing."""
    account, _ = begun()
    disclosed(account)
    (event,) = happened(account, ev.LegalDisclosed)
    assert event.fields == ("email", "phone", "kyc_file", "balance")
    assert event.package
    (burned,) = happened(account, ev.EvidenceBurned)
    assert (burned.kinds, burned.cause) == (("email_code", "sms_code", "face", "id_document"), "legal")
    for cause in ("legal.disclosed", "evidence.burned"):
        (notice,) = notices(account, cause)
        assert (notice.severity, notice.due_at) == (ev.Severity.SEVERE, 0)
    assert codes(Claimant(account).opens()) == [Reason.EVIDENCE_REQUIRED]


def test_what_gives_nothing_away_burns_nothing() -> None:
    """A balance proves nobody."""
    account, _ = begun()
    disclosed(account, "balance")
    assert not account.head.burned


def test_a_secrecy_order_hides_this_and_only_until_its_date() -> None:
    """What was disclosed is burned at once and told at the date; a recovery in between is told as ever."""
    account, _ = begun()
    asked_at = account.now
    disclosed(account, secret_d=30)
    told_at = asked_at + 30 * DAY
    assert happened(account, ev.LegalDisclosed)[0].told_at == told_at
    assert [one.due_at for one in notices(account, "legal.disclosed")] == [told_at]
    assert [one.due_at for one in notices(account, "evidence.burned")] == [told_at]
    assert set(account.head.hushed) == set(account.head.burned)
    Claimant(account).opens()
    account.ask(AddressAdd(sealed("new"), "bitcoin", destination("new")), account.any_session(), *PROOFS)
    assert {one.due_at for one in notices(account, "recovery.opened") + notices(account, "address.added")} == {0}


def test_secrecy_that_ran_out_hides_nothing() -> None:
    """The order's days count from the paper: released after them, the owner is told at once."""
    account, _ = begun()
    office = approved(account, secret_d=1)
    account.wait(hours=24)
    office.releases("luc")
    assert [one.due_at for one in notices(account, "legal.disclosed")] == [0]


def test_only_disclosures_can_be_hidden() -> None:
    """Law 5: nothing else that happens to an account can be told later, but that the request was read."""
    hidden = {kind for kind in get_args(ev.AnyEvent) if "told_at" in kind.__struct_fields__}
    steps: set[type[ev.AnyEvent]] = {ev.LegalReceived, ev.LegalCalledBack, ev.LegalApproved, ev.LookedUp}
    assert hidden - steps == SECRECY
    assert all(EFFECTS[one].notice is None for one in steps), "there is no notice of these"


def test_contacts_that_came_meanwhile_are_told_at_the_end() -> None:
    """Whoever has a notice waiting is told by it alone; a contact confirmed since is told when the date has come."""
    account, _ = begun()
    disclosed(account, "balance", secret_d=30)
    named = account.ask(ContactAdd(Channel.EMAIL, sealed("new")), account.any_session(), *PROOFS)
    assert isinstance(named, Allow)
    account.ask(ContactConfirm(named.id), account.any_session(), named.id)
    account.settle(days=28)
    assert not happened(account, ev.LegalTold)
    account.wait(days=4)
    account.sign_in()
    assert [one.contacts for one in notices(account, "legal.told")] == [(named.id,)]
    assert not account.head.untold
    account.sign_in()
    assert len(happened(account, ev.LegalTold)) == 1


def test_who_was_told_by_a_notice_is_told_once() -> None:
    """With the same contacts as before there is nobody left to tell, and the log says that the secrecy is over."""
    account, _ = begun()
    disclosed(account, "balance", secret_d=1)
    disclosed(account, "name", secret_d=2)
    assert [one.known for one in account.head.untold.values()] == [("c1-1", "c1-2")] * 2
    account.settle(days=4)
    account.sign_in()
    assert not notices(account, "legal.told")
    assert [one.fields for one in happened(account, ev.LegalTold)] == [("balance",), ("name",)]


def test_only_so_many_disclosures_wait_to_be_told() -> None:
    """The oldest is left to its own notice, which waits for its date anyhow."""
    account, _ = begun()
    for number in range(17):
        disclosed(account, "balance", secret_d=30, request=f"r{number}")
    assert len(account.head.untold) == 16
    assert "r0" not in account.head.untold


def test_what_is_hushed_is_what_the_owner_does_not_know() -> None:
    """What was burned openly before stays known; an open burn later uncovers it; dates that passed are forgotten."""
    account, _ = begun()
    account.ask(EvidenceBurn(("face",), "leak"), Actor(ActorKind.PLATFORM))
    disclosed(account, "kyc_file", secret_d=30)
    assert set(account.head.hushed) == {"id_document"}
    disclosed(account, "kyc_file", "email", secret_d=60)
    assert set(account.head.hushed) == {"id_document", "email_code"}
    account.ask(EvidenceBurn(("id_document",), "leak"), Actor(ActorKind.PLATFORM))
    assert set(account.head.hushed) == {"email_code"}
    account.wait(days=61)
    account.ask(EvidenceBurn(("face",), "leak"), Actor(ActorKind.PLATFORM))
    assert not account.head.hushed


# What a no does


@pytest.mark.parametrize("forged", [True, False])
def test_a_no_is_told(forged: bool) -> None:  # noqa: FBT001 - a column
    """One says no: a forgery marks the account and is told at once, any other no keeps the order's secrecy."""
    account, office = begun()
    office.receives(secret_d=30)
    assert isinstance(office.rejects("lena", forged=forged), Allow)
    (notice,) = notices(account, "legal.rejected")
    assert bool(account.head.targeted_until) is forged
    assert (notice.severity is ev.Severity.SEVERE) is forged
    assert notice.due_at == (0 if forged else account.now + 30 * DAY)


def test_a_targeted_account_recovers_slowly() -> None:
    """One thing held takes 72 h; while somebody is after the account 144 h, and never more for two reasons."""
    waits = []
    for forge, burn in ((False, False), (True, False), (True, True)):
        account, office = begun()
        account.wait(days=4)
        office.receives()
        if forge:
            office.calls_back(confirmed=False)
        if burn:
            account.ask(EvidenceBurn(("face",), "leak"), Actor(ActorKind.PLATFORM))
        one = Claimant(account)
        one.opens()
        one.shows("totp")
        one.finishes()
        (closed,) = happened(account, ev.RecoveryClosed)
        waits.append(closed.wait_ms)
    assert waits == [72 * HOUR, 144 * HOUR, 144 * HOUR]


# Orders that stop exits


def test_an_order_stops_exits_and_says_what_it_is() -> None:
    """Called back and approved like all requests, it stops what leaves until its date, and is told at once."""
    account, session = grown()
    held = account.pay("900000", "home", session)
    assert isinstance(held, Hold)
    ordered(account, days=30)
    until = account.now + 30 * DAY
    refused = account.pay("5", "home", account.any_session())
    assert codes(refused) == [Reason.UNDER_ORDER]
    assert refused.findings[0].until == until
    assert codes(account.ask(ExitRelease(held.id))) == [Reason.UNDER_ORDER]
    assert not account.head.frozen_at
    assert [one.due_at for one in notices(account, "legal.frozen")] == [0]
    account.deliver()
    account.wait(days=30)
    assert kind_of(account.pay("5", "home", account.any_session())) == "allow"


def test_the_owner_does_not_take_an_order_off() -> None:
    """His own freeze and unfreezing are his; the order stands."""
    account, session = grown()
    ordered(account)
    account.ask(AccountFreeze(), session)
    account.ask(AccountUnfreeze(), account.any_session(), *PROOFS)
    account.settle(days=5)
    session = account.sign_in()
    assert not account.head.frozen_at
    assert codes(account.pay("5", "home", session)) == [Reason.UNDER_ORDER]


def test_two_end_an_order_early() -> None:
    """The first waits for a second; the same person twice is one, and so is a doubtful clock none."""
    account, office = begun()
    ordered(account)
    for _ in range(2):
        first = office.rejects("lena")
        assert isinstance(first, Hold)
        assert first.release_at is None
    assert len(happened(account, ev.LegalThawAsked)) == 1
    account.clock_agrees = False
    assert codes(office.rejects("luc")) == [Reason.CLOCK_UNCERTAIN]
    account.clock_agrees = True
    assert isinstance(office.rejects("luc"), Allow)
    assert notices(account, "legal.thawed")
    assert not account.head.targeted_until
    assert kind_of(account.pay("5", "home", account.any_session())) == "allow"


def test_a_forged_order_marks_the_account_when_it_ends() -> None:
    """Found out afterwards, it is ended by two like all others, and told as the forgery that it was."""
    account, office = begun()
    ordered(account)
    office.rejects("lena", forged=True)
    assert not notices(account, "legal.rejected")
    office.rejects("luc", forged=True)
    assert account.head.targeted_until
    assert notices(account, "legal.rejected")


def test_an_order_in_force_is_not_done_again() -> None:
    """It is neither approved nor released twice, and never extended by that."""
    account, office = begun()
    ordered(account)
    for answer in (office.approves("liv"), office.releases("luc"), office.calls_back()):
        assert codes(answer) == [Reason.ALREADY_EXISTS]


def test_papers_carry_no_field_of_a_person() -> None:
    """What the log keeps of a request are names of fields, an agency and digests."""
    account, _ = begun()
    disclosed(account)
    written = [one for one in account.log if isinstance(one, ev.LegalEvent)]
    assert written
    for event in written:
        assert not any(isinstance(getattr(event, name), ev.Sealed) for name in event.__struct_fields__)
