"""Coming back: whose case it is, what counts, how long it takes, who may object, and what it leaves (law 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from tests.core.histories import (
    BACKUP_CODE,
    PASSKEY,
    PASSWORD,
    PLATFORM,
    POLICY,
    SYSTEM,
    TOTP,
    Account,
    bitcoin,
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
from tests.core.recoveries import STAFF, Claimant, attested, reviewed

from holdback.core import events as ev
from holdback.core.decision import Allow, Context, EvidenceFact, Hold, Proof, Reason, Seen, StaffFact, StepUp
from holdback.core.events import DAY, HOUR, MINUTE, Actor, ActorKind, Channel, Ending, Lane
from holdback.core.evidence import BURNABLE, EVIDENCE, JUDGED, EvidenceClass, Path
from holdback.core.rules.account import AccountFreeze
from holdback.core.rules.address import AddressRemove
from holdback.core.rules.authenticator import (
    AuthenticatorBind,
    AuthenticatorConfirm,
    AuthenticatorReinstate,
    AuthenticatorSuspend,
)
from holdback.core.rules.contact import ContactAdd, ContactConfirm, ContactRemove
from holdback.core.rules.exit import ExitRelease
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
from holdback.core.rules.session import SessionEndAll, SessionStart
from holdback.core.rules.setting import LimitSet, LockSet
from holdback.core.rules.staff import TicketOpen

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdback.core.decision import Decision
    from holdback.core.events import AuthenticatorKind
    from holdback.core.state import Recovery

PROOFS = ("a1-1", "a1-2")
MAIL, TEXT = Actor(ActorKind.LINK, contact="c1-1"), Actor(ActorKind.LINK, contact="c1-2")


def lost(*kinds: AuthenticatorKind, **opened: Any) -> tuple[Account, Claimant, bytes]:  # noqa: ANN401 - as in `open`
    """A senior account with mail and a telephone, its owner's session, and someone who opened a recovery.

    Its owner's picture counts after a day: nobody's tests are to be about months.
    """
    held = kinds or (PASSWORD, TOTP, BACKUP_CODE)
    policy = policy_with(**{"face.reference_age_d": 1})
    account, session = grown(
        *held, policy=opened.pop("policy", policy), contacts=(Channel.EMAIL, Channel.SMS), **opened
    )
    one = Claimant(account)
    assert isinstance(one.opens(), Allow)
    return account, one, session


def case_of(account: Account) -> Recovery:
    """The recovery that is under way."""
    assert account.head.recovery is not None
    return account.head.recovery


def wrote(account: Account, kind: type[ev.Event]) -> list[ev.Event]:
    """What the last answer wrote of one kind."""
    return [event for event in account.last_events() if type(event) is kind]


# Opening


def test_opening_starts_no_clock_and_tells_everyone() -> None:
    """Whoever says that he lost everything has shown nothing: nothing runs, and each contact is told at once."""
    account, _, _ = lost()
    assert case_of(account).wait is None
    (notice,) = wrote(account, ev.NoticeDue)
    assert isinstance(notice, ev.NoticeDue)
    assert (notice.cause, notice.severity.value, set(notice.contacts)) == (
        "recovery.opened",
        "severe",
        {"c1-1", "c1-2"},
    )


def test_one_at_a_time_and_not_too_often() -> None:
    """Openings that show nothing neither pile up nor follow each other faster than the policy says."""
    account, one, _ = lost()
    thief = Claimant(account)
    assert codes(thief.opens()) == [Reason.TOO_MANY]
    account.wait(hours=1)
    assert isinstance(thief.opens(), Allow)
    assert [event.how for event in wrote(account, ev.RecoveryEnded) if isinstance(event, ev.RecoveryEnded)] == [
        Ending.REPLACED
    ]
    assert codes(one.shows("totp")) == [Reason.NOT_FOUND]


def test_nobody_replaces_what_rests_on_proof() -> None:
    """A recovery that shows something held is replaced by none, and ends by itself 30 days after its last step."""
    account, one, _ = lost()
    one.shows("totp")
    account.wait(days=29)
    assert codes(Claimant(account).opens()) == [Reason.ALREADY_EXISTS]
    account.wait(days=1)
    assert codes(one.shows("backup_code")) == [Reason.NOT_FOUND]
    assert isinstance(Claimant(account).opens(), Allow)


def test_only_its_opener_goes_on_with_it() -> None:
    """Whoever reads the owner's mailbox cannot finish the owner's own recovery: it goes by a token."""
    account, one, session = lost()
    one.shows("totp")
    for by in (Actor(ActorKind.OWNER), Actor(ActorKind.OWNER, b"\1" * 16), Actor(ActorKind.OWNER, session)):
        thief = Claimant(account)
        thief.by = by
        assert codes(thief.shows("backup_code")) == [Reason.NOT_FOUND]
        assert codes(thief.finishes()) == [Reason.NOT_FOUND]


# Evidence


def test_every_kind_has_a_class_and_third_parties_cannot_be_known() -> None:
    """What counts is one table; what an independent third party says can never be burned."""
    assert set(EVIDENCE) - BURNABLE == {kind for kind, one in EVIDENCE.items() if one is EvidenceClass.THIRD_PARTY}
    assert {kind for kind, one in EVIDENCE.items() if one is EvidenceClass.MINOR} <= JUDGED


@pytest.mark.parametrize("kind", sorted(JUDGED))
def test_what_nobody_judged_does_not_count(kind: str) -> None:
    """Law 8: evidence without a verdict is not evaluated, and a verdict on something else is none."""
    account, one, _ = lost()
    assert codes(one.shows(kind)) == [Reason.EVIDENCE_NOT_EVALUATED]
    account.evidence = EvidenceFact("nothing", right=True, judged_by="a provider")
    assert codes(one.shows(kind)) == [Reason.EVIDENCE_NOT_EVALUATED]
    assert codes(one.judged(kind, right=False)) == [Reason.EVIDENCE_WRONG]
    assert isinstance(one.judged(kind), Allow)
    assert codes(one.judged(kind)) == [Reason.ALREADY_EXISTS]


def test_two_things_held_close_the_evidence() -> None:
    """A TOTP and a backup code, both older than the case: 24 h from when the owner was told, and nobody reviews."""
    account, one, _ = lost()
    one.shows("totp")
    answer = one.shows("backup_code")
    assert isinstance(answer, Allow)
    assert answer.usable_from == account.now + 24 * HOUR
    assert case_of(account).path == Path.TWO_POSSESSIONS
    assert codes(one.shows("contact_code")) == [Reason.EVIDENCE_CLOSED]
    account.wait(hours=100)
    assert codes(one.finishes()) == [Reason.NOTICE_UNDELIVERED]
    account.deliver()
    account.wait(hours=23.9)
    waits = one.finishes()
    assert codes(waits) == [Reason.RECOVERY_WAITS]
    assert waits.findings[0].until == account.now + 6 * MINUTE
    account.wait(minutes=6)
    assert isinstance(one.finishes(), Allow)


def test_a_proof_serves_once() -> None:
    """A code that was shown before, and one made for something else, are wrong, and count as tries."""
    account, one, _ = lost()
    code = account.proof("a1-2")
    for bad in (replace(code, digest=b"other"), replace(code, right=False), account.wrong("a1-3")):
        assert codes(one.shows("totp", bad)) == [Reason.EVIDENCE_WRONG]
    assert isinstance(one.shows("totp", code), Allow)
    assert len(account.head.recovery_missed) == 3


def test_what_cannot_be_guessed_leaves_no_trace() -> None:
    """Wrong backup codes, devices and verdicts fill neither the log nor the day's tries."""
    account, one, _ = lost()
    before = len(account.entries)
    for _ in range(40):
        assert codes(one.shows("backup_code", account.wrong("a1-3"))) == [Reason.EVIDENCE_WRONG]
    assert codes(one.judged("id_document", right=False)) == [Reason.EVIDENCE_WRONG]
    assert (len(account.entries), account.head.recovery_missed) == (before, ())


def test_a_face_counts_only_against_an_old_reference() -> None:
    """A face check proves nothing without a picture that was there 30 days before the case was opened."""
    for days, answer in ((29, Reason.EVIDENCE_TOO_NEW), (31, None)):
        account = Account()
        account.open(PASSWORD, TOTP, contacts=(Channel.EMAIL, Channel.SMS))
        account.deliver()
        account.wait(days=days)
        one = Claimant(account)
        assert isinstance(one.opens(), Allow)
        assert codes(one.judged("face"))[:1] == ([answer] if answer else [Reason.EVIDENCE_REQUIRED])
    account = Account()
    account.open(PASSWORD, TOTP, contacts=(Channel.EMAIL, Channel.SMS), face=False)
    account.wait(days=400)
    one = Claimant(account)
    one.opens()
    assert codes(one.judged("face")) == [Reason.EVIDENCE_TOO_NEW]


def test_a_false_face_leaves_the_case_to_reviewers() -> None:
    """Two things held need nobody, unless a face check failed: then two reviewers must approve, told once."""
    account, one, _ = lost()
    assert codes(one.judged("face", right=False)) == [Reason.EVIDENCE_WRONG]
    (doubt,) = wrote(account, ev.RecoveryDoubted)
    assert (doubt.evidence, doubt.judged_by) == ("face", "a provider")  # type: ignore[attr-defined] # `wrote` says so
    before = len(account.entries)
    assert codes(one.judged("face", right=False)) == [Reason.EVIDENCE_WRONG]
    assert len(account.entries) == before
    assert isinstance(one.judged("face"), Allow)
    one.shows("totp")
    one.shows("backup_code")
    assert case_of(account).path == Path.TWO_POSSESSIONS
    one.finishes()
    account.deliver()
    account.wait(days=4)
    assert codes(one.finishes()) == [Reason.REVIEW_REQUIRED]
    for member in ("rita", "ron"):
        reviewed(account, member)
    account.wait(minutes=3)
    assert isinstance(one.finishes(), Allow)


def test_a_doubt_is_not_laundered() -> None:
    """Whoever was found out does not close his case and open another: for as long as a case may last it is doubted."""
    account, one, _ = lost()
    one.judged("face", right=False)
    account.wait(hours=25)
    one.opens()
    assert case_of(account).doubted
    account.wait(days=31)
    one.opens()
    assert not case_of(account).doubted


def test_a_late_objection_is_in_time() -> None:
    """Whenever somebody objects, the wait that follows begins then: a case that lies ripe is not finished over it."""
    account, one, _ = lost()
    one.shows("totp")
    one.shows("backup_code")
    account.settle(days=4)
    assert isinstance(account.ask(RecoveryContest(), MAIL), Allow)
    assert codes(one.finishes()) == [Reason.RECOVERY_WAITS]
    account.settle(days=1)
    assert isinstance(one.finishes(), Allow)


def test_asking_for_codes_keeps_no_case_alive() -> None:
    """Whoever only asks has made no step: his case ends by itself, and one that shows codes is replaced in time."""
    account, one, _ = lost()
    one.shows("contact_code")
    last_at = case_of(account).last_at
    for _ in range(2):
        account.wait(hours=13)
        account.ask(RecoveryFinish(sealed("x")), one.by)
    assert case_of(account).last_at == last_at
    assert isinstance(one.opens(), Allow)


def test_a_trys_path_blocks_nobody() -> None:
    """A first try to finish, by a mailed code and nothing else, does not keep the owner from opening his own."""
    account, one, _ = lost()
    one.finishes()
    assert case_of(account).path == Path.NO_POSSESSION
    account.wait(hours=25)
    assert isinstance(one.opens(), Allow)


def test_one_word_of_staff_does_not_silence_the_owner() -> None:
    """What rests on two codes is ended by a senior contact, whatever else somebody says that he saw."""
    account, one, _ = lost()
    attested(account, "bank_round_trip")
    one.shows("contact_code")
    account.wait(minutes=4)
    one.shows("contact_code", channel=Channel.SMS)
    account.wait(minutes=4)
    one.finishes()
    assert case_of(account).path == Path.CODES
    account.ask(RecoveryContest(), MAIL)
    assert account.head.recovery is None


@pytest.mark.parametrize("spoilt", ["burned", "suspended"])
def test_what_was_shown_must_go_on_being_good(spoilt: str) -> None:
    """What is burned or suspended after it was shown finishes nothing, and its opener may begin again."""
    account, one, session = lost()
    one.shows("totp")
    one.shows("backup_code")
    if spoilt == "burned":
        account.ask(EvidenceBurn(("totp",), "leak"), PLATFORM)
    else:
        account.ask(AuthenticatorSuspend("a1-2"), session)
    account.settle(days=5)
    assert codes(one.finishes()) == [Reason.EVIDENCE_BURNED]
    assert isinstance(account.ask(RecoveryCancel(), one.by), Allow)


def test_what_staff_find_false_is_a_doubt() -> None:
    """A member of staff who says that a document is wrong is heard, whoever says otherwise afterwards."""
    account, _, _ = lost()
    for _ in range(2):
        assert isinstance(attested(account, "id_document", right=False), Allow)
        assert case_of(account).doubted
        assert sum(isinstance(one, ev.RecoveryDoubted) for one in account.log) == 1


def test_guesses_are_few_a_day() -> None:
    """Five wrong pieces use up a day's guesses in every case; what cannot be guessed is taken all the same."""
    account, one, _ = lost()
    for _ in range(5):
        assert codes(one.shows("totp", account.wrong("a1-2"))) == [Reason.EVIDENCE_WRONG]
    account.wait(hours=2)
    assert isinstance(one.opens(), Allow)
    for kind in ("totp", "contact_code"):
        assert codes(one.shows(kind)) == [Reason.TOO_MANY]
    assert codes(one.finishes()) == [Reason.TOO_MANY]
    assert isinstance(one.shows("backup_code"), Allow)
    account.wait(hours=22)
    assert isinstance(one.shows("totp"), Allow)


def test_what_shows_codes_only_is_replaced_after_a_day() -> None:
    """Whoever reads a mailbox cannot keep the owner's own recovery from being opened for longer than a day."""
    account, one, _ = lost()
    one.shows("contact_code")
    account.wait(hours=23)
    assert codes(Claimant(account).opens()) == [Reason.TOO_MANY]
    account.wait(hours=1)
    assert isinstance(Claimant(account).opens(), Allow)


@pytest.mark.parametrize("spoil", ["new", "suspended", "removed"])
def test_only_what_predates_the_case_counts(spoil: str) -> None:
    """What was bound a moment ago, or is suspended because it was stolen, proves nothing in a recovery."""
    account, session = grown(PASSWORD, TOTP, contacts=(Channel.EMAIL, Channel.SMS))
    if spoil == "new":
        account.ask(AuthenticatorBind(BACKUP_CODE, sealed("s")), session, *PROOFS)
        account.settle(days=2)
    elif spoil == "suspended":
        account.ask(AuthenticatorSuspend("a1-2"), session)
    one = Claimant(account)
    one.opens()
    account.settle(days=4)
    kind = {"new": "backup_code", "suspended": "totp", "removed": "passkey"}[spoil]
    wanted = Reason.EVIDENCE_TOO_NEW if spoil == "removed" else Reason.EVIDENCE_WRONG
    assert codes(one.shows(kind)) == [wanted]


def test_a_passkey_signs_for_the_recovery() -> None:
    """A passkey answers a challenge of its own, once, and is something held."""
    account, one, _ = lost(PASSWORD, TOTP, PASSKEY)
    first = account.ask(RecoveryEvidence("passkey"), one.by)
    assert isinstance(first, StepUp)
    assert first.accept == (("passkey",),)
    assert isinstance(account.ask(RecoveryEvidence("passkey"), one.by, "a1-3", challenge=first.challenge), Allow)
    assert first.challenge not in account.head.challenges
    assert case_of(account).shown[0].source == "a1-3"


def test_a_known_device_is_something_held() -> None:
    """The key of a device that counted as the owner's before the case proves; a stranger's and none do not."""
    account = Account()
    account.device_key = b"laptop"
    session = grow(account, PASSWORD, TOTP, contacts=(Channel.EMAIL, Channel.SMS))
    assert session
    one = Claimant(account)
    one.opens()
    assert isinstance(one.shows("device"), Allow)
    assert case_of(account).shown[0].evidence == "device"
    again, other, _ = lost()
    assert codes(other.shows("device")) == [Reason.EVIDENCE_WRONG]
    action = RecoveryEvidence("device")
    assert codes(again.ask(action, other.by, context=Context())) == [Reason.EVIDENCE_WRONG]
    again.device_key = b"thief"
    assert codes(again.ask(action, other.by, context=Context("burner"))) == [Reason.EVIDENCE_WRONG]


def test_codes_go_to_an_old_contact_and_no_faster_than_others() -> None:
    """A stranger can send to no mailbox more than once in two minutes and ten times an hour."""
    account, one, _ = lost()
    action = RecoveryEvidence("contact_code", Channel.EMAIL)
    first = account.ask(action, one.by)
    assert isinstance(first, StepUp)
    assert account.head.challenges[first.challenge].contact == "c1-1"
    assert codes(account.ask(action, one.by)) == [Reason.TOO_MANY]
    for _ in range(9):
        account.wait(minutes=2)
        assert isinstance(account.ask(action, one.by), StepUp)
    account.wait(minutes=2)
    assert codes(account.ask(action, one.by)) == [Reason.TOO_MANY]
    assert len([key for key, one in account.head.challenges.items() if one.until > account.now]) == 1
    assert codes(account.ask(RecoveryEvidence("contact_code", Channel.PUSH), one.by)) == [Reason.BAD_FIELD]


def test_a_code_counts_for_its_challenge_alone() -> None:
    """Without the challenge it was sent for, or for another contact's, a code is wrong."""
    account, one, _ = lost()
    action = RecoveryEvidence("contact_code")
    first = account.ask(action, one.by)
    assert isinstance(first, StepUp)
    assert codes(account.ask(action, one.by, "c1-1")) == [Reason.EVIDENCE_WRONG]
    assert codes(account.ask(action, one.by, "c1-2", challenge=first.challenge)) == [Reason.EVIDENCE_WRONG]
    stale = replace(account.proof("c1-1"), digest=b"other")
    assert codes(account.ask(action, one.by, stale, challenge=first.challenge)) == [Reason.EVIDENCE_WRONG]
    assert isinstance(account.ask(action, one.by, "c1-1", challenge=first.challenge), Allow)


def test_no_code_goes_to_a_new_contact() -> None:
    """A contact that a thief added is not asked, though it is the only one on its channel."""
    account, session = grown(PASSWORD, TOTP, contacts=(Channel.EMAIL,))
    answer = account.ask(ContactAdd(Channel.SMS, sealed("thief's")), session, *PROOFS)
    assert isinstance(answer, Allow)
    account.ask(ContactConfirm(answer.id), session, answer.id)
    account.settle(days=1)
    one = Claimant(account)
    one.opens()
    account.settle(days=4)
    assert codes(one.shows("contact_code", channel=Channel.SMS)) == [Reason.EVIDENCE_TOO_NEW]


# The ways


def with_totp(one: Claimant) -> None:
    """One thing held."""
    one.shows("totp")


def with_codes(one: Claimant) -> None:
    """A mailed and a texted code."""
    one.shows("contact_code")
    one.account.wait(minutes=3)
    one.shows("contact_code", channel=Channel.SMS)


def with_papers(one: Claimant) -> None:
    """What a thief of data brings."""
    one.judged("face")
    one.judged("id_document")
    one.shows("contact_code")


def with_signature(one: Claimant) -> None:
    """The key of an address that was used for long, which a recovery since then may rest on."""
    one.account.pay("1", "home", one.account.sign_in())
    one.account.wait(days=40)
    one.opens()
    one.signs()


@pytest.mark.parametrize(
    ("shows", "equity", "path", "hours"),
    [
        (with_totp, "1000", Path.ONE_POSSESSION, 72),
        (with_codes, "1000", Path.CODES, 24),
        (with_papers, "1000", Path.NO_POSSESSION, 168),
        (with_signature, "1000", Path.NO_POSSESSION, 168),
        (with_signature, "200000", Path.NO_POSSESSION, 336),
    ],
)
def test_less_proof_waits_longer(shows: Callable[[Claimant], None], equity: str, path: Path, hours: int) -> None:
    """The first try to finish closes the evidence and fixes the wait, by one table."""
    account, one, _ = lost(equity=equity)
    shows(one)
    account.wait(minutes=3)
    assert kind_of(one.finishes()) == "deny"
    case = case_of(account)
    assert case.wait is not None
    assert (case.path, case.wait.length_ms) == (path, hours * HOUR)


def test_papers_codes_and_reviewers_never_finish() -> None:
    """Incident A: a face, a document and a mailed code, approved by two reviewers, wait for ever."""
    account, one, _ = lost()
    with_papers(one)
    for member in ("rita", "ron"):
        assert isinstance(reviewed(account, member), Allow)
    account.settle(days=20)
    assert codes(one.finishes()) == [Reason.EVIDENCE_REQUIRED]


def test_one_thing_held_needs_two_reviewers() -> None:
    """A stolen telephone's TOTP finishes nothing before two different reviewers approved and 72 h are over."""
    account, one, _ = lost()
    with_totp(one)
    one.finishes()
    account.settle(days=4)
    assert codes(one.finishes()) == [Reason.REVIEW_REQUIRED]
    reviewed(account, "rita")
    assert codes(reviewed(account, "rita")) == [Reason.ALREADY_EXISTS]
    account.wait(minutes=3)
    assert codes(one.finishes()) == [Reason.REVIEW_REQUIRED]
    reviewed(account, "ron")
    account.wait(minutes=3)
    assert isinstance(one.finishes(), Allow)


def test_a_third_party_opens_the_last_way() -> None:
    """Law 7: who holds nothing comes back by an independent third party's word, two reviewers and a week."""
    account, one, _ = lost(equity="1000")
    with_signature(one)
    for member in ("rita", "ron"):
        reviewed(account, member)
    account.settle(days=7)
    assert isinstance(one.finishes(), Allow)


def test_in_person_needs_no_contact() -> None:
    """Whoever came in person finishes though no old contact is left."""
    account, one, _ = lost(equity="1000")
    one.judged("in_person")
    for member in ("rita", "ron"):
        reviewed(account, member)
    account.settle(days=7)
    assert isinstance(account.ask(RecoveryFinish(sealed("anew")), one.by), Allow)


def test_without_an_old_contact_only_in_person() -> None:
    """A finish asks for a code to a contact that predates the case; where there is none it says what would do."""
    account, _ = grown(
        PASSWORD, TOTP, BACKUP_CODE, policy=policy_with(**{"notices.independent": ["sms"]}), contacts=(Channel.SMS,)
    )
    one = Claimant(account)
    one.opens()
    account.state = replace(account.head, contacts={})
    assert codes(one.finishes()) == [Reason.NO_SENIOR_CONTACT]


def test_a_wrong_code_finishes_nothing() -> None:
    """A wrong code at the end counts as wrong evidence."""
    account, one, _ = lost()
    assert codes(one.finishes(account.wrong("c1-1"))) == [Reason.EVIDENCE_WRONG]
    assert case_of(account).path == ""


# Reviewers


def test_reviewers_are_drawn_and_not_involved() -> None:
    """Support, a reviewer who was not drawn and one who lately read the customer judge nothing."""
    account, one, _ = lost()
    with_totp(one)
    assert codes(reviewed(account, "rita", "approve", "support")) == [Reason.NOT_DRAWN]
    assert codes(reviewed(account, "rudy")) == [Reason.NOT_DRAWN]
    assert codes(reviewed(account, "rita", involved=True)) == [Reason.NOT_DRAWN]
    account.staff = None
    assert case_of(account).approved == ()


def test_nobody_speaks_of_another_case() -> None:
    """A verdict, or what was seen, of a case that another took the place of is of no case; of this one it counts."""
    account, one, _ = lost()
    with_totp(one)
    account.staff = StaffFact("rita", ("reviewer",), involved=False)
    by = replace(STAFF, key="rita")
    assert codes(account.ask(RecoveryReview("approve", sealed("x"), "r999"), by)) == [Reason.NOT_FOUND]
    answer = account.ask(RecoveryReview("approve", sealed("x"), case_of(account).id), by)
    assert isinstance(answer, Allow)
    account, _, _ = lost()
    account.staff, by = StaffFact("sue", ("support",), involved=False), replace(STAFF, key="sue")
    seen = RecoveryEvidence("in_person", verdict="right")
    assert codes(account.ask(replace(seen, which="r999"), by)) == [Reason.NOT_FOUND]
    assert isinstance(account.ask(replace(seen, which=case_of(account).id), by), Allow)


def test_one_rejection_ends_it() -> None:
    """A drawn reviewer who says no ends the case, and the owner is told; then there is nothing to judge."""
    account, one, _ = lost()
    with_totp(one)
    assert isinstance(reviewed(account, "rita", "reject"), Allow)
    assert account.head.recovery is None
    assert [event.how for event in wrote(account, ev.RecoveryEnded) if isinstance(event, ev.RecoveryEnded)] == [
        Ending.REJECTED
    ]
    assert codes(reviewed(account, "ron")) == [Reason.NOT_FOUND]


# Objections


@pytest.mark.parametrize("by", [MAIL, TEXT])
def test_an_old_contact_ends_it(by: Actor) -> None:
    """Any contact that predates the case stops what rests on documents or on one thing held."""
    account, one, _ = lost()
    with_totp(one)
    assert isinstance(account.ask(RecoveryContest(), by), Allow)
    assert account.head.recovery is None
    assert codes(account.ask(RecoveryContest(), by)) == [Reason.NOT_FOUND]


def test_the_stop_objects_too() -> None:
    """Law 5: the one click of a notice freezes and ends the recovery with it."""
    account, one, _ = lost()
    with_papers(one)
    account.ask(AccountFreeze(), MAIL)
    assert account.head.recovery is None
    assert account.head.frozen_at


def test_a_mailbox_cannot_block_for_ever() -> None:
    """Against two things held, or a third party's word, an objection only doubles the wait, once."""
    account, one, session = lost()
    one.shows("totp")
    one.shows("backup_code")
    account.deliver()
    ends = case_of(account).wait
    assert ends is not None
    for by in (MAIL, TEXT, session, MAIL):
        assert isinstance(account.ask(RecoveryContest(), by), Allow)
    wait = case_of(account).wait
    assert wait is not None
    assert (wait.length_ms, wait.until) == (48 * HOUR, ends.until + 24 * HOUR)
    account.settle(days=2)
    assert isinstance(one.finishes(), Allow)


def test_an_early_objection_counts_later() -> None:
    """Law 10: a session's objection contests, and doubles the wait though none ran yet."""
    account, one, session = lost()
    account.ask(RecoveryContest(), session)
    assert case_of(account).contested
    one.shows("totp")
    assert codes(one.finishes()) == [Reason.REVIEW_REQUIRED]
    wait = case_of(account).wait
    assert wait is not None
    assert wait.length_ms == 144 * HOUR


def test_a_new_contact_only_contests() -> None:
    """Law 10: what came after the case ends nothing, and one that was never confirmed has no say."""
    account, session = grown(PASSWORD, TOTP)
    answer = account.ask(ContactAdd(Channel.SMS, sealed("new")), session, *PROOFS)
    assert isinstance(answer, Allow)
    one = Claimant(account)
    one.opens()
    by = Actor(ActorKind.LINK, contact=answer.id)
    assert codes(account.ask(RecoveryContest(), by)) == [Reason.FREEZE_RIGHT_LOST]
    account.ask(ContactConfirm(answer.id), session, answer.id)
    assert isinstance(account.ask(RecoveryContest(), by), Allow)
    assert case_of(account).contested


def test_a_replaced_contact_still_objects() -> None:
    """Law 5: for thirty days a contact that was replaced can end a recovery."""
    account, session = grown(PASSWORD, TOTP, contacts=(Channel.EMAIL, Channel.SMS))
    account.ask(ContactRemove("c1-1"), session, *PROOFS)
    account.settle(days=4)
    one = Claimant(account)
    one.opens()
    assert account.head.contacts["c1-1"].removed
    account.ask(RecoveryContest(), MAIL)
    assert account.head.recovery is None


def test_full_proof_cancels() -> None:
    """The owner, signed in, ends any recovery by his strongest senior proof."""
    account, one, session = lost()
    one.shows("totp")
    one.shows("backup_code")
    assert isinstance(account.ask(RecoveryCancel(), session), StepUp)
    assert isinstance(account.ask(RecoveryCancel(), session, *PROOFS), Allow)
    assert account.head.recovery is None
    assert codes(account.ask(RecoveryCancel(), session, *PROOFS)) == [Reason.NOT_FOUND]


# Afterwards


def recovered(*kinds: AuthenticatorKind) -> tuple[Account, Claimant]:
    """An account that was recovered by two things held, a moment ago."""
    account, one, _ = lost(*kinds)
    one.shows("totp")
    one.shows("backup_code")
    account.settle(days=1)
    assert isinstance(one.finishes(), Allow)
    return account, one


def test_what_was_lost_is_gone_and_the_password_is_new() -> None:
    """Only what the case names is removed, every session ends, and exits cool as after the severest change."""
    account, _ = recovered()
    held = {key: one.kind for key, one in account.head.authenticators.items()}
    assert held == {"a1-1": PASSWORD, "a1-3": BACKUP_CODE}
    assert account.head.authenticators["a1-1"].epoch == 2
    assert not account.head.sessions
    assert account.head.recovery is None
    cool = [one for one in account.head.cool_offs.values() if one.cause == "recovery.finished"]
    assert [(one.senior.length_ms, one.others.length_ms) for one in cool] == [(24 * HOUR, 72 * HOUR)]


def came_back(*lost_kinds: AuthenticatorKind, shown: tuple[str, ...], reviewers: tuple[str, ...] = ()) -> Account:
    """Somebody showed two things of four and came back; what he called lost is these kinds."""
    account, _ = grown(PASSWORD, TOTP, BACKUP_CODE, PASSKEY)
    one = Claimant(account)
    one.opens(*lost_kinds)
    for kind in shown:
        one.shows(kind)
    for member in reviewers:
        reviewed(account, member)
    account.settle(days=1)
    assert isinstance(one.finishes(), Allow)
    account.deliver()
    return account


@pytest.mark.parametrize(
    ("shown", "reviewers", "suspended"),
    [
        (("totp", "backup_code"), (), {"a1-4"}),
        (("passkey", "totp"), (), set()),
        (("totp", "backup_code"), ("rita", "ron"), set()),
        (("totp", "backup_code"), ("rita",), {"a1-4"}),
    ],
)
def test_what_is_stronger_than_all_shown_is_suspended(
    shown: tuple[str, ...], reviewers: tuple[str, ...], suspended: set[str]
) -> None:
    """Law 2: where no two reviewers approved, nothing weaker removes something stronger; its owner is told."""
    account = came_back(PASSWORD, PASSKEY, TOTP, shown=shown, reviewers=reviewers)
    assert {key for key, one in account.head.authenticators.items() if one.suspended} == suspended
    assert {one.kind for one in account.head.authenticators.values()} == (
        {PASSWORD, BACKUP_CODE, PASSKEY} if suspended else {PASSWORD, BACKUP_CODE}
    )
    told = [one.cause for one in account.log if isinstance(one, ev.NoticeDue)]
    assert ("authenticator.suspended" in told) is bool(suspended)


def test_what_is_suspended_bars_money_and_nobody() -> None:
    """Who came back signs in and binds what is as strong, and moves money once that is senior, not before."""
    account = came_back(PASSWORD, PASSKEY, shown=("totp", "backup_code"))
    account.wait(days=4)
    session = account.sign_in("a1-1", "a1-2")
    assert codes(account.pay("1", "home", session, "a1-1", "a1-2")) == [Reason.AUTHENTICATOR_SUSPENDED]
    bound = account.ask(AuthenticatorBind(PASSKEY, sealed("another")), session, "a1-1", "a1-2")
    assert isinstance(bound, Allow)
    confirmed = account.ask(AuthenticatorConfirm(bound.id, sealed("another")), session, bound.id)
    assert isinstance(confirmed, Allow)
    account.settle(days=4)
    session = account.sign_in(bound.id)
    assert isinstance(account.pay("1", "home", session, bound.id), Allow)


def test_whoever_still_has_it_reinstates_it() -> None:
    """What a recovery suspended comes back by itself alone, and by nothing weaker; then it is as it was."""
    account = came_back(PASSWORD, PASSKEY, shown=("totp", "backup_code"))
    account.wait(days=4)
    session = account.sign_in("a1-1", "a1-2")
    assert isinstance(account.ask(AuthenticatorReinstate("a1-4"), session, "a1-1", "a1-2"), StepUp)
    assert isinstance(account.ask(AuthenticatorReinstate("a1-4"), session, "a1-4"), Hold)
    account.settle(days=8)
    account.ask(AccountFreeze(), session)
    one = account.head.authenticators["a1-4"]
    assert (one.suspended, one.lost) == (False, False)


def test_codes_replace_the_password_alone() -> None:
    """A mailbox and a telephone remove nothing, and every exit cools for 72 h."""
    account, one, _ = lost()
    with_codes(one)
    account.wait(minutes=3)
    one.finishes()
    account.settle(days=1)
    assert isinstance(one.finishes(), Allow)
    assert {one.kind for one in account.head.authenticators.values()} == {PASSWORD, TOTP, BACKUP_CODE}
    cool = [one for one in account.head.cool_offs.values() if one.cause == "recovery.finished"]
    assert [(one.senior.length_ms, one.others.length_ms) for one in cool] == [(72 * HOUR, 72 * HOUR)]


def test_an_account_without_a_password_gets_one() -> None:
    """Who had passkeys alone signs in by the new password."""
    account, _ = recovered(TOTP, BACKUP_CODE)
    (password,) = [one for one in account.head.authenticators.values() if one.kind is PASSWORD]
    assert password.confirmed


def test_for_a_day_it_can_be_read_stopped_and_secured() -> None:
    """The weak session: whatever loosens or spends is refused for 24 h, stopping and binding are not."""
    account, _ = recovered()
    session = account.sign_in()
    assert codes(account.pay("5", "home", session)) == [Reason.RECOVERED_LATELY]
    assert codes(account.ask(ContactAdd(Channel.EMAIL, sealed("m")), session, "a1-1", "a1-3")) == [
        Reason.RECOVERED_LATELY
    ]
    assert isinstance(account.ask(AuthenticatorBind(TOTP, sealed("t")), session, "a1-1", "a1-3"), Allow)
    assert isinstance(account.ask(AccountFreeze(), session), Allow)
    assert isinstance(account.ask(SessionEndAll(), session), Allow)
    account.wait(hours=24)
    session = account.sign_in()
    assert Reason.RECOVERED_LATELY not in codes(account.ask(LockSet(5), session, "a1-1", "a1-3"))


# What others know


def test_what_is_known_proves_nothing_and_doubles_the_waits() -> None:
    """Law 7: burned evidence is refused for its time, and what was disclosed makes every recovery slower."""
    account, _ = grown(PASSWORD, TOTP, BACKUP_CODE, contacts=(Channel.EMAIL, Channel.SMS))
    assert isinstance(account.ask(EvidenceBurn(("face", "totp"), "leak"), PLATFORM), Allow)
    account.ask(EvidenceBurn(("totp",), "leak"), PLATFORM)
    one = Claimant(account)
    one.opens()
    refused = one.shows("totp")
    assert codes(refused) == [Reason.EVIDENCE_BURNED]
    assert refused.findings[0].until == account.now + 365 * DAY
    assert codes(one.judged("face")) == [Reason.EVIDENCE_BURNED]
    one.shows("backup_code")
    account.wait(minutes=3)
    one.finishes()
    wait = case_of(account).wait
    assert wait is not None
    assert wait.length_ms == 144 * HOUR


def test_a_burn_never_closes_the_last_way() -> None:
    """Third parties' words cannot be burned, whoever asks."""
    account, session = grown(PASSWORD, TOTP)
    for kind in ("in_person", "nonsense"):
        assert codes(account.ask(EvidenceBurn((kind,), "owner"), session, *PROOFS)) == [Reason.BAD_FIELD]


def test_whoever_is_in_a_session_burns_by_full_proof() -> None:
    """A stolen cookie cannot make its owner's way back longer."""
    account, session = grown(PASSWORD, TOTP)
    assert isinstance(account.ask(EvidenceBurn(("face",), "owner"), session), StepUp)
    assert isinstance(account.ask(EvidenceBurn(("face",), "owner"), session, *PROOFS), Allow)


def test_a_sign_in_is_not_a_recovery() -> None:
    """The token of a recovery signs nobody in."""
    account, one, _ = lost()
    assert codes(account.pay("5", "home", one.by.session)) == [Reason.SESSION_ENDED]
    assert isinstance(account.ask(SessionStart(), Actor(ActorKind.OWNER)), StepUp)


# Evidence judged by people and by keys


def test_staff_say_what_they_saw() -> None:
    """A person who came, a document, a payment from the owner's bank: support or a reviewer says if it is right."""
    account, _, _ = lost()
    for kind, role in (("id_document", "support"), ("in_person", "reviewer"), ("bank_round_trip", "support")):
        assert isinstance(attested(account, kind, role), Allow)
        (shown,) = wrote(account, ev.RecoveryShown)
        assert isinstance(shown, ev.RecoveryShown)
        assert (shown.evidence, shown.judged_by) == (kind, "sue")
    assert codes(attested(account, "in_person")) == [Reason.ALREADY_EXISTS]


def test_what_staff_found_wrong_is_kept_and_shows_nothing() -> None:
    """A verdict that something is wrong is taken, counts as no guess, and leaves the case as it was."""
    account, _, _ = lost()
    answer = attested(account, "in_person", right=False)
    assert isinstance(answer, Allow)
    assert codes(answer) == [Reason.EVIDENCE_WRONG]
    assert case_of(account).shown == ()
    assert account.head.recovery_missed == ()
    assert account.decided().action == "recovery.evidence"


@pytest.mark.parametrize(
    ("roles", "member", "involved"),
    [(("legal",), "sue", False), (("support",), "sue", True), (("support", "reviewer"), "rita", False)],
)
def test_who_judges_the_whole_attests_to_no_part(roles: tuple[str, ...], member: str, *, involved: bool) -> None:
    """Nobody drawn to review the case, involved in it or in another role says what he saw."""
    account, _, _ = lost()
    answer = attested(account, "in_person", *roles, member=member, involved=involved)
    assert codes(answer) == [Reason.NOT_ENTITLED]
    account.staff = None
    assert codes(account.ask(RecoveryEvidence("in_person", verdict="right"), STAFF)) == [Reason.SESSION_REQUIRED]


@pytest.mark.parametrize(
    ("action", "by_staff", "about"),
    [
        (RecoveryEvidence("in_person", verdict="right"), False, "verdict"),
        (RecoveryEvidence("in_person"), True, "verdict"),
        (RecoveryEvidence("face", verdict="right"), True, "kind"),
        (RecoveryEvidence("contact_code", Channel.PUSH, verdict="right"), True, "channel"),
        (RecoveryEvidence("address_signature"), False, "address"),
        (RecoveryEvidence("address_signature", address=destination("home")), False, "network"),
        (RecoveryEvidence("totp", address=destination("home")), False, "address"),
        (RecoveryEvidence("totp", network="bitcoin"), False, "network"),
    ],
)
def test_a_piece_of_evidence_has_its_own_fields(action: RecoveryEvidence, about: str, *, by_staff: bool) -> None:
    """A verdict is the staff's to give, an address belongs to a signature, and no field stands where it is idle."""
    account, one, _ = lost()
    account.staff = StaffFact("sue", ("support",), involved=False)
    (finding,) = account.ask(action, replace(STAFF, key="sue") if by_staff else one.by).findings
    assert (finding.code, finding.about) == (Reason.BAD_FIELD, about)


def test_no_verdict_without_a_case() -> None:
    """There is nothing to say of somebody who never asked to come back."""
    account, _ = grown(PASSWORD, TOTP)
    assert codes(attested(account, "in_person")) == [Reason.NOT_FOUND]


def long_held(*kinds: AuthenticatorKind) -> tuple[Account, Claimant]:
    """An account whose address `home` was paid for long, and someone who opened a recovery."""
    account, session = grown(*(kinds or (PASSWORD, TOTP, BACKUP_CODE)))
    assert isinstance(account.pay("1", "home", session), Allow)
    account.wait(days=40)
    one = Claimant(account)
    assert isinstance(one.opens(), Allow)
    return account, one


def test_the_key_of_a_long_used_address_signs() -> None:
    """Whose key signs a challenge's message for an address that was long-standing before the case, has shown so."""
    account, one = long_held()
    assert isinstance(one.signs(), Allow)
    (piece,) = case_of(account).shown
    assert (piece.evidence, piece.source) == ("address_signature", bitcoin("home"))
    assert not account.head.challenges


@pytest.mark.parametrize(("paid", "days", "counts"), [("", 90, False), ("home", 29, False), ("home", 30, True)])
def test_an_address_that_is_not_paid_is_not_used(paid: str, days: int, *, counts: bool) -> None:
    """However old an entry is, its key shows something only if it was first paid a month before the case."""
    account, _ = grown(PASSWORD, TOTP, BACKUP_CODE)
    account.wait(days=60)
    assert isinstance(account.pay("1", paid or "elsewhere", account.sign_in()), Allow)
    account.wait(days=days)
    assert isinstance(account.pay("1", "home", account.sign_in()), Allow)  # too late to say anything, or not the first
    one = Claimant(account)
    one.opens()
    assert isinstance(one.signs(), Allow) is counts


def test_who_enters_an_address_again_begins_again() -> None:
    """What was paid to an address before it was taken out of the book says nothing of who entered it anew."""
    account, session = grown(PASSWORD, TOTP, BACKUP_CODE)
    account.pay("1", "home", session)
    assert account.beneficiary(bitcoin("home")).paid_at == account.now
    account.ask(AddressRemove("bitcoin", destination("home")), session)
    account.add("home", session)
    assert account.beneficiary(bitcoin("home")).paid_at == 0
    account.settle(days=60)
    one = Claimant(account)
    one.opens()
    assert codes(one.signs()) == [Reason.EVIDENCE_WRONG]


def test_a_signature_tells_nobody_what_the_book_holds() -> None:
    """A message is given to sign whatever address is named; wrong keys, new and unknown addresses are all wrong."""
    account, one = long_held()
    account.add("new", account.sign_in())
    account.settle(days=4)
    assert codes(one.signs(right=False)) == [Reason.EVIDENCE_WRONG]
    for text, by in (("home", "thief's"), ("new", ""), ("nowhere", "")):
        account.wait(minutes=3)
        assert codes(one.signs(text, by=by)) == [Reason.EVIDENCE_WRONG]
    action = RecoveryEvidence("address_signature", network="bitcoin", address=destination("home"))
    account.wait(minutes=3)
    first = account.ask(action, one.by)
    assert isinstance(first, StepUp)
    other = Proof("address_signature", bitcoin("home"), 0, 0, b"another action", 0, right=True)
    assert codes(account.ask(action, one.by, other, challenge=first.challenge)) == [Reason.EVIDENCE_WRONG]


# Instead of the account


def paying(*kinds: AuthenticatorKind) -> tuple[Account, Claimant]:
    """A recovery by two things held whose wait is over, of an account that pays `home` for long."""
    account, one = long_held(*kinds)
    one.shows("totp")
    one.shows("backup_code")
    account.settle(days=1)
    return account, one


def test_an_owner_may_be_paid_instead() -> None:
    """A payment to an address of old, after the wait: no new password, no session, and every authenticator stays."""
    account, one = paying()
    before = account.head.authenticators
    answer = one.evacuates("10")
    assert isinstance(answer, Allow)
    (gone,) = wrote(account, ev.ExitAllowed)
    assert isinstance(gone, ev.ExitAllowed)
    assert (gone.beneficiary, gone.lane) == (bitcoin("home"), Lane.LONG_STANDING)
    assert (account.head.authenticators, account.head.weak_until) == (before, 0)
    assert not [event for event in account.last_events() if isinstance(event, ev.SessionStarted)]
    account.wait(minutes=3)
    assert isinstance(one.evacuates("10"), Allow)
    account.wait(minutes=3)
    assert isinstance(one.finishes(), Allow)


def test_a_payment_waits_as_long_as_the_account_would() -> None:
    """Before the wait is over nothing is paid, whoever may be paid."""
    account, one = long_held()
    one.shows("totp")
    one.shows("backup_code")
    account.settle(days=0.9)
    assert codes(one.evacuates()) == [Reason.RECOVERY_WAITS]


def test_only_who_was_senior_before_is_paid() -> None:
    """A stranger, an entry made since, and one that is senior by now but was not then: none is paid."""
    account, _ = long_standing(PASSWORD, TOTP, BACKUP_CODE)
    account.add("made just before", account.sign_in())
    account.wait(hours=1)
    one = Claimant(account)
    one.opens()
    one.shows("totp")
    one.shows("backup_code")
    account.settle(days=5)
    for text in ("made just before", "nowhere"):
        assert codes(one.evacuates(text=text)) == [Reason.SENIOR_BENEFICIARY_REQUIRED]
        account.wait(minutes=3)


def test_a_payment_over_the_budget_is_held_and_its_asker_no_witness() -> None:
    """Law 3: what is more than the lane holds waits like any exit; then the platform lets it go, though unconfirmed."""
    account, one = paying()
    answer = one.evacuates("150000")
    assert codes(answer) == [Reason.OVER_BUDGET]
    held = account.head.exits[held_id(answer)]
    assert held.asked_with == (account.head.contacts["c1-1"].address.mac,)
    account.settle(days=1)
    assert isinstance(account.ask(ExitRelease(held_id(answer)), PLATFORM), Allow)


def held_payment() -> tuple[Account, Claimant, str]:
    """A recovery that asked for a payment which waits, and the id of that."""
    account, one = paying()
    return account, one, held_id(one.evacuates("150000"))


def test_a_payment_does_not_outlive_its_recovery() -> None:
    """However a recovery comes to nothing, in the same entry whatever waits to be paid by its word is stopped."""

    def cancelled(account: Account, _one: Claimant) -> None:
        account.ask(RecoveryCancel(), account.any_session(), *PROOFS)

    def withdrawn(account: Account, one: Claimant) -> None:
        account.ask(RecoveryCancel(), one.by)

    def rejected(account: Account, _one: Claimant) -> None:
        reviewed(account, "rita", "reject")

    def expired(account: Account, _one: Claimant) -> None:
        account.wait(days=31)
        account.ask(RecoveryRemind(), SYSTEM)

    def replaced(account: Account, _one: Claimant) -> None:
        account.wait(days=31)
        Claimant(account).opens()

    for ends in (cancelled, withdrawn, rejected, expired, replaced):
        account, one, which = held_payment()
        own = held_id(account.pay("150000", "nowhere", account.any_session(), *PROOFS))
        ends(account, one)
        assert wrote(account, ev.RecoveryEnded), ends
        assert wrote(account, ev.ExitCancelled) == [ev.ExitCancelled(account.now, which)]
        assert set(account.head.exits) == {own}


def test_a_veto_stops_what_waits() -> None:
    """A senior contact that ends a recovery ends its payments with it; the owner's stop names each of them once."""
    for stops in (False, True):
        account, _ = long_held()
        one = Claimant(account)
        account.wait(hours=25)
        one.opens()
        one.shows("totp")
        for member in ("rita", "ron"):
            reviewed(account, member)
        account.settle(days=3)
        which = held_id(one.evacuates("150000"))
        account.ask(AccountFreeze() if stops else RecoveryContest(), MAIL)
        assert wrote(account, ev.ExitCancelled) == [ev.ExitCancelled(account.now, which)]
        assert wrote(account, ev.RecoveryEnded)


def test_an_objection_holds_what_waits() -> None:
    """Who contests a recovery after a payment was asked for holds it for as long as the account would wait."""
    account, _, which = held_payment()
    account.ask(RecoveryContest(), MAIL)
    until = account.now + DAY
    assert wrote(account, ev.ExitMoved) == [ev.ExitMoved(account.now, which, until)]
    account.deliver()
    account.wait(hours=23.9)
    assert Reason.NOT_YET_DUE in codes(account.ask(ExitRelease(which), PLATFORM))
    account.wait(hours=0.2)
    assert isinstance(account.ask(ExitRelease(which), PLATFORM), Allow)


def test_the_stop_says_once_what_it_stops() -> None:
    """A freeze that contests a recovery stops its payments, and does not speak of them a second time."""
    account, _, which = held_payment()
    account.ask(AccountFreeze(), MAIL)
    assert wrote(account, ev.RecoveryContested)
    assert wrote(account, ev.ExitCancelled) == [ev.ExitCancelled(account.now, which)]
    assert not wrote(account, ev.ExitMoved)


def test_a_payment_rests_on_what_its_recovery_rests_on() -> None:
    """What is suspended or burned after a payment was asked for pays nothing, nor does a case that ran out."""
    account, _, which = held_payment()
    account.settle(days=1)
    account.ask(EvidenceBurn(("totp",), "leak"), PLATFORM)
    assert codes(account.ask(ExitRelease(which), PLATFORM)) == [Reason.EVIDENCE_BURNED]
    account, _, which = held_payment()
    account.settle(days=30)
    assert codes(account.ask(ExitRelease(which), PLATFORM)) == [Reason.NOT_FOUND]


def test_what_was_asked_before_a_finish_is_paid_after_it() -> None:
    """Whoever was let in may be paid what he asked for before: the case is over, and came to something."""
    account, one, which = held_payment()
    account.wait(minutes=3)
    assert isinstance(one.finishes(), Allow)
    account.settle(days=4)
    assert isinstance(account.ask(ExitRelease(which), PLATFORM), Allow)


def test_a_recovery_confirms_whom_it_pays_and_no_sooner() -> None:
    """An entry that nobody confirmed for long is renewed by a recovery's payment as it goes, not as it is asked for."""
    account, _ = long_standing(PASSWORD, TOTP, BACKUP_CODE, equity="1000")
    account.wait(days=POLICY.book.verified_d)
    one = Claimant(account)
    one.opens()
    one.shows("totp")
    one.shows("backup_code")
    account.settle(days=1)
    before = account.beneficiary(bitcoin("home")).verified_until
    assert before < account.now
    which = held_id(one.evacuates("150000"))
    assert account.beneficiary(bitcoin("home")).verified_until == before
    account.settle(days=1)
    assert isinstance(account.ask(ExitRelease(which), PLATFORM), Allow)
    assert account.beneficiary(bitcoin("home")).verified_until == account.now + POLICY.book.verified_d * DAY


def test_the_owners_own_limit_holds() -> None:
    """A limit that the owner set bounds what a recovery pays, too."""
    account, _ = long_standing(PASSWORD, TOTP, BACKUP_CODE)
    account.ask(LimitSet("5"), account.any_session(), *PROOFS)
    one = Claimant(account)
    one.opens()
    one.shows("totp")
    one.shows("backup_code")
    account.settle(days=1)
    assert codes(one.evacuates("10")) == [Reason.OVER_OWN_LIMIT]


def test_codes_alone_are_paid_nothing() -> None:
    """A mailbox and a telephone replace the password and do nothing else."""
    account, one = long_held()
    with_codes(one)
    account.wait(minutes=3)
    one.evacuates()
    account.settle(days=2)
    assert codes(one.evacuates()) == [Reason.EVIDENCE_REQUIRED]


@pytest.mark.parametrize("kind", ["internal_transfer", "card", "sweep", "unheard_of"])
def test_only_an_address_is_paid(kind: str) -> None:
    """Doors that lead to other customers, to strangers or nowhere are no way to safety."""
    _, one = paying()
    reason = Reason.EXIT_KIND_CLOSED if kind == "unheard_of" else Reason.BAD_FIELD
    assert codes(one.evacuates(kind=kind)) == [reason]


@pytest.mark.parametrize(
    ("fields", "about"),
    [
        ({"password": sealed("p")}, "password"),
        ({"asset": None}, "asset"),
        ({"amount": None}, "amount"),
        ({"address": None}, "address"),
        ({"address": None, "asset": None, "amount": None, "network": None}, "password"),
    ],
)
def test_an_account_or_a_payment(fields: dict[str, Any], about: str) -> None:
    """A finish asks for one of the two, whole, and for nothing beside."""
    _, one = paying()
    (finding,) = one.evacuates(**fields).findings
    assert (finding.code, finding.about) == (Reason.BAD_FIELD, about)


def test_who_came_in_person_is_paid_without_a_code() -> None:
    """Where no contact is left that could be asked, whoever came in person is paid, and no contact took part."""
    account, _ = long_standing(PASSWORD, TOTP, BACKUP_CODE, equity="1000")
    one = Claimant(account)
    one.opens()
    attested(account, "in_person")
    for member in ("rita", "ron"):
        reviewed(account, member)
    account.settle(days=7)
    answer = one.evacuates("150000")
    assert account.head.exits[held_id(answer)].asked_with == ()


# What is told


def test_whoever_opened_it_gives_it_up() -> None:
    """A recovery's own token ends it without further proof; a session or another's token does not."""
    account, one, session = lost()
    assert codes(account.ask(RecoveryCancel(), Actor(ActorKind.OWNER, b"\1" * 16))) == [Reason.SESSION_ENDED]
    assert isinstance(account.ask(RecoveryCancel(), session), StepUp)
    assert isinstance(account.ask(RecoveryCancel(), one.by), Allow)
    (ended,) = wrote(account, ev.RecoveryEnded)
    assert isinstance(ended, ev.RecoveryEnded)
    assert ended.how is Ending.WITHDRAWN
    assert codes(account.ask(RecoveryCancel(), one.by)) == [Reason.SESSION_ENDED]


def test_the_owner_is_told_who_asked_and_how() -> None:
    """However a recovery comes to nothing, its end carries who had asked, from where, with what, and what he showed."""
    account, _ = grown(PASSWORD, TOTP, BACKUP_CODE)
    account.seen = Seen(country="NL")
    one = Claimant(account)
    context = Context(ip=sealed("192.0.2.7"), user_agent=sealed("Firefox"))
    account.tokens += 1
    account.ask(RecoveryOpen((PASSWORD,)), Actor(ActorKind.OWNER), context=context)
    one.by = Actor(ActorKind.OWNER, account.token(account.tokens))
    one.shows("totp")
    opened_at = case_of(account).opened_at
    reviewed(account, "rita", "reject")
    (ended,) = wrote(account, ev.RecoveryEnded)
    assert isinstance(ended, ev.RecoveryEnded)
    assert ended.asker == ev.Asker(opened_at, sealed("192.0.2.7"), sealed("Firefox"), "NL")
    assert ended.shown == ("totp",)
    (notice,) = [one for one in wrote(account, ev.NoticeDue) if isinstance(one, ev.NoticeDue)][-1:]
    assert (notice.cause, set(notice.contacts)) == ("recovery.ended", {"c1-1", "c1-2"})


def test_what_ended_by_itself_is_told_as_such() -> None:
    """A recovery that nobody went on with is expired, not replaced, when the next one is opened."""
    account, _, _ = lost()
    account.wait(days=30)
    assert isinstance(Claimant(account).opens(), Allow)
    (ended,) = wrote(account, ev.RecoveryEnded)
    assert isinstance(ended, ev.RecoveryEnded)
    assert ended.how is Ending.EXPIRED


# Reminders


def reminded(account: Account) -> list[tuple[float, bool]]:
    """When everybody was told once more: days since the first entry, and whether a wait ran then."""
    told = [one for one in account.log if isinstance(one, ev.RecoveryReminded)]
    return [((one.at - told[0].at) / DAY, one.waits) for one in told]


def every_hour(account: Account, days: int) -> None:
    """Holdback looks every hour whether something is to be told."""
    for _ in range(days * 24):
        account.wait(hours=1)
        account.ask(RecoveryRemind(), SYSTEM)


def test_a_wait_is_told_half_way_and_a_day_before_its_end() -> None:
    """Of 72 hours everybody is told after 36 and after 48, and then again while it waits for whoever opened it."""
    account, one, _ = lost()
    one.shows("totp")
    one.finishes()
    began = account.now
    account.deliver()
    every_hour(account, 4)
    told = [one for one in account.log if isinstance(one, ev.RecoveryReminded)]
    assert [((one.at - began) / HOUR, one.waits) for one in told] == [(36, True), (48, True)]
    every_hour(account, 9)
    last = [one for one in account.log if isinstance(one, ev.RecoveryReminded)][2:]
    assert [((one.at - began) / DAY, one.waits) for one in last] == [(10, False)]


def test_a_short_wait_is_told_once() -> None:
    """A day before the end of a day's wait is its beginning, of which everybody was told already."""
    account, one, _ = lost()
    one.shows("totp")
    one.shows("backup_code")
    account.deliver()
    every_hour(account, 2)
    assert reminded(account) == [(0, True)]


def test_what_waits_for_its_opener_is_told_until_it_expires() -> None:
    """Every seven days without a step everybody is told, and at thirty that it is over; then nothing more is."""
    account, _, _ = lost()
    every_hour(account, 31)
    assert reminded(account) == [(0, False), (7, False), (14, False), (21, False)]
    assert account.head.recovery is None
    assert codes(account.ask(RecoveryRemind(), SYSTEM)) == [Reason.NOT_FOUND]


def test_an_untold_wait_is_not_told_of_again() -> None:
    """While nobody could be told of the wait itself it does not run, and there is nothing to be reminded of."""
    account, one, _ = lost()
    one.shows("totp")
    one.finishes()
    every_hour(account, 20)
    assert reminded(account) == []
    account.wait(days=20)
    account.ask(RecoveryRemind(), SYSTEM)
    assert account.head.recovery is None


# Opened by staff


def opened_by_staff(account: Account, *roles: str, ticket: str = "t-1", reason: str = "called") -> Decision:
    """A member of staff asks for an owner who cannot."""
    account.staff = StaffFact("rita", roles or ("support",), involved=False)
    account.ask(TicketOpen("t-1"), SYSTEM)
    account.tokens += 1
    why = sealed(reason) if reason else None
    return account.ask(RecoveryOpen((PASSWORD, TOTP), ticket, why), replace(STAFF, key="rita"))


def test_staff_open_and_the_owner_goes_on() -> None:
    """What a recovery goes on with that staff opened is sent to an old contact, and who opened it is not drawn."""
    account, _ = grown(PASSWORD, TOTP, BACKUP_CODE)
    assert isinstance(opened_by_staff(account), Allow)
    (opened,) = wrote(account, ev.RecoveryOpened)
    assert isinstance(opened, ev.RecoveryOpened)
    assert (opened.contact, opened.drawn) == ("c1-1", ("ron",))
    assert opened.asker == ev.Asker(account.now, staff="rita", ticket="t-1")
    sent = [one for one in wrote(account, ev.NoticeDue) if isinstance(one, ev.NoticeDue)]
    assert [(one.cause, one.contacts) for one in sent] == [
        (ev.RECOVERY_LINK, ("c1-1",)),
        ("recovery.opened", ("c1-1", "c1-2")),
    ]
    one = Claimant(account)
    one.by = Actor(ActorKind.OWNER, account.token(account.tokens))
    assert isinstance(one.shows("totp"), Allow)
    assert codes(attested(account, "in_person", member="rita")) == [Reason.NOT_ENTITLED]


def test_staff_open_for_a_ticket_with_a_reason() -> None:
    """Support alone asks for an owner, never without a ticket and a reason; an owner has neither."""
    account, _ = grown(PASSWORD, TOTP)
    assert codes(opened_by_staff(account, "reviewer")) == [Reason.NOT_ENTITLED]
    for ticket in ("", "t-2"):
        assert codes(opened_by_staff(account, ticket=ticket)) == [Reason.TICKET_REQUIRED]
    assert codes(opened_by_staff(account, reason="")) == [Reason.BAD_FIELD]
    for action in (RecoveryOpen((PASSWORD,), "t-1"), RecoveryOpen((PASSWORD,), "", sealed("why"))):
        assert codes(account.ask(action, Actor(ActorKind.OWNER))) == [Reason.BAD_FIELD]
    account.staff = None
    assert codes(account.ask(RecoveryOpen((PASSWORD,), "t-1", sealed("w")), STAFF)) == [Reason.SESSION_REQUIRED]


def test_without_an_old_contact_staff_open_nothing() -> None:
    """Law 6: staff can be given nothing to pass on, so where no old contact is left the owner must come himself."""
    account, _ = grown(PASSWORD, TOTP)
    account.state = replace(account.head, contacts={})
    assert codes(opened_by_staff(account)) == [Reason.NO_SENIOR_CONTACT]
