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
    TOTP,
    Account,
    codes,
    grow,
    grown,
    kind_of,
    policy_with,
    sealed,
)
from tests.core.recoveries import Claimant, reviewed

from holdback.core import events as ev
from holdback.core.decision import Allow, Context, EvidenceFact, Reason, StepUp
from holdback.core.events import DAY, HOUR, MINUTE, Actor, ActorKind, Channel, Ending
from holdback.core.evidence import BURNABLE, EVIDENCE, JUDGED, EvidenceClass, Path
from holdback.core.rules.account import AccountFreeze
from holdback.core.rules.authenticator import AuthenticatorBind, AuthenticatorSuspend
from holdback.core.rules.contact import ContactAdd, ContactConfirm, ContactRemove
from holdback.core.rules.recovery import (
    EvidenceBurn,
    RecoveryCancel,
    RecoveryContest,
    RecoveryEvidence,
    RecoveryFinish,
)
from holdback.core.rules.session import SessionEndAll, SessionStart
from holdback.core.rules.setting import LockSet

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdback.core.events import AuthenticatorKind
    from holdback.core.state import Recovery

PROOFS = ("a1-1", "a1-2")
MAIL, TEXT = Actor(ActorKind.LINK, contact="c1-1"), Actor(ActorKind.LINK, contact="c1-2")


def lost(*kinds: AuthenticatorKind, **opened: Any) -> tuple[Account, Claimant, bytes]:  # noqa: ANN401 - as in `open`
    """A senior account with mail and a telephone, its owner's session, and someone who opened a recovery."""
    held = kinds or (PASSWORD, TOTP, BACKUP_CODE)
    account, session = grown(*held, contacts=(Channel.EMAIL, Channel.SMS), **opened)
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
    assert codes(one.judged("face", right=False)) == [Reason.EVIDENCE_WRONG]
    assert (len(account.entries), account.head.recovery_missed) == (before, ())


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
    """The key of an address that was used for long."""
    one.judged("address_signature")


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
