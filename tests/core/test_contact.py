"""Contacts: where the owner is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.core.histories import (
    EMAIL,
    PASSWORD,
    PLATFORM,
    SMS,
    TOTP,
    Account,
    codes,
    fitting,
    grown,
    kind_of,
    policy_with,
    sealed,
)

from holdback.core import events as ev
from holdback.core.decision import Allow, Reason
from holdback.core.events import DAY, Actor, ActorKind, Channel
from holdback.core.rules.account import AccountFreeze, AccountUnfreeze
from holdback.core.rules.contact import ContactAdd, ContactConfirm, ContactRemove, ContactReportRecycled
from holdback.core.seniority import contact_is_senior

if TYPE_CHECKING:
    from holdback.core.decision import Proof

PROOFS = ("a1-1", "a1-2")
NEW = ContactAdd(Channel.SMS, sealed("new number"))


def named(account: Account, session: bytes, action: ContactAdd = NEW) -> str:
    """Name a contact and return its id."""
    answer = account.ask(action, session, *PROOFS)
    assert isinstance(answer, Allow), answer
    return answer.id


class TestAdd:
    """Naming a new one."""

    def test_it_counts_for_nothing_until_it_is_confirmed(self) -> None:
        """Its code is sent there and nothing else is; it is told nothing and can start no wait."""
        account, session = grown()
        answer = account.ask(NEW, session, *PROOFS)
        assert isinstance(answer, Allow)
        assert (codes(answer), answer.usable_from) == ([Reason.RIPENS_LATER], account.now + 3 * DAY)
        sent = [one for one in account.last_events() if isinstance(one, ev.NoticeDue)]
        assert [(one.cause, one.contacts) for one in sent] == [("contact.code", (answer.id,))]
        account.add("mule", session)
        assert account.undelivered()[0].contacts == ("c1-1", "c1-2")
        account.deliver(answer.id)
        assert account.undelivered()

    def test_one_that_is_confirmed_is_not_named_again(self) -> None:
        """A live contact exists; the same address on another channel is another contact."""
        account, session = grown()
        again = ContactAdd(Channel.EMAIL, sealed("alice email"))
        assert codes(account.ask(again, session, *PROOFS)) == [Reason.ALREADY_EXISTS]
        other = ContactAdd(Channel.SMS, sealed("alice email"))
        assert kind_of(account.ask(other, session, *PROOFS)) == "allow"

    @pytest.mark.parametrize(("minutes", "again"), [(0, False), (1.9, False), (2, True)])
    def test_a_fresh_code_is_sent_when_it_is_named_again(self, minutes: float, *, again: bool) -> None:
        """Naming one that waits to be confirmed sends a fresh code there, at most every two minutes."""
        account, session = grown()
        name = named(account, session)
        account.wait(minutes=minutes)
        answer = account.ask(NEW, session, *PROOFS)
        assert (kind_of(answer) == "allow") is again
        assert len(account.head.contacts) == 3
        if again:
            assert isinstance(answer, Allow)
            assert (answer.id, answer.usable_from) == (name, None)
            assert [one.cause for one in account.last_events() if isinstance(one, ev.NoticeDue)] == ["contact.code"]
        else:
            assert (codes(answer), answer.findings[0].about) == ([Reason.TOO_MANY], "codes")

    def test_one_number_after_another_is_texted_no_faster_than_one(self) -> None:
        """Whoever names many numbers has a code sent to one of them every two minutes; a mailbox costs nobody money."""
        account, session = grown()
        first = named(account, session)
        other = ContactAdd(Channel.SMS, sealed("another number"))
        answer = account.ask(other, session, *PROOFS)
        assert (codes(answer), answer.findings[0].about) == ([Reason.TOO_MANY], "codes")
        named(account, session, ContactAdd(Channel.EMAIL, sealed("new mailbox")))
        account.wait(minutes=2)
        named(account, session, other)
        again = account.ask(NEW, session, *PROOFS)
        assert (codes(again), again.findings[0].about) == ([Reason.TOO_MANY], "codes")
        account.wait(minutes=2)
        assert named(account, session) == first

    def test_a_contact_that_was_given_away_may_be_named_anew(self) -> None:
        """A recycled or removed contact is another one from the one that is named now."""
        account, session = grown()
        account.ask(ContactReportRecycled("c1-2"), PLATFORM)
        assert named(account, session, ContactAdd(Channel.SMS, sealed("alice sms"))) not in {"c1-1", "c1-2"}

    def test_there_are_only_so_many(self) -> None:
        """Live contacts are bounded."""
        account, session = grown(policy=policy_with(**{"bounds.contacts": 2}))
        answer = account.ask(NEW, session, *PROOFS)
        assert (codes(answer), answer.findings[0].about) == ([Reason.TOO_MANY], "contacts")


class TestConfirm:
    """Showing the code that was sent there."""

    def test_its_wait_starts_there(self) -> None:
        """The right code confirms it, cools exits severely, and starts the wait once a senior contact was told."""
        account, session = grown()
        name = named(account, session)
        account.wait(minutes=5)
        answer = account.ask(ContactConfirm(name), session, name)
        assert isinstance(answer, Allow)
        assert (codes(answer), answer.usable_from) == ([Reason.RIPENS_LATER], account.now + 3 * DAY)
        assert codes(account.pay("5", "home", session)) == [Reason.NOTICE_UNDELIVERED]
        account.deliver(name)
        assert account.undelivered()
        account.deliver("c1-1")
        account.wait(days=3)
        assert contact_is_senior(account.head, account.head.contacts[name], account.now)

    @pytest.mark.parametrize(
        ("shown", "code", "failed"),
        [
            ("nothing", Reason.PROOF_REQUIRED, 0),
            ("another contact's", Reason.PROOF_REQUIRED, 0),
            ("an authenticator's", Reason.PROOF_REQUIRED, 0),
            ("of another action", Reason.PROOF_REQUIRED, 0),
            ("wrong", Reason.PROOF_WRONG, 1),
        ],
    )
    def test_nothing_else_confirms(self, shown: str, code: Reason, failed: int) -> None:
        """Only the code that was sent to it, shown for this; a wrong one is counted."""
        account, session = grown()
        name = named(account, session)
        proofs: dict[str, list[Proof]] = {
            "nothing": [],
            "another contact's": [account.proof("c1-1")],
            "an authenticator's": [account.proof("a1-2")],
            "of another action": [fitting(account.proof(name), b"other", account.now)],
            "wrong": [account.wrong(name)],
        }
        answer = account.ask(ContactConfirm(name), session, *proofs[shown])
        assert (kind_of(answer), codes(answer)) == ("deny", [code])
        assert (account.head.failures, account.head.contacts[name].confirmed) == (failed, False)

    def test_confirming_a_senior_one_again_changes_nothing_but_its_right_to_freeze(self) -> None:
        """It stays senior, opens nothing and so cools nothing."""
        account, session = grown()
        assert codes(account.ask(ContactConfirm("c1-1"), session, "c1-1")) == [Reason.PROVED]
        assert contact_is_senior(account.head, account.head.contacts["c1-1"], account.now)
        assert kind_of(account.pay("5", "home", session)) == "allow"

    def test_a_lost_right_is_confirmed_by_a_fresh_code(self) -> None:
        """Naming a contact that froze wrongly sends it the code that gives its right back."""
        account, session = grown()
        link = Actor(ActorKind.LINK, contact="c1-1")
        account.ask(AccountFreeze(), link)
        account.ask(AccountUnfreeze(mistaken=True), session, "a1-2")
        account.settle()
        session = account.sign_in()
        assert named(account, session, ContactAdd(Channel.EMAIL, sealed("alice email"))) == "c1-1"
        account.ask(ContactConfirm("c1-1"), session, "c1-1")
        assert kind_of(account.ask(AccountFreeze(), link)) == "allow"


UNKNOWN = [
    ContactConfirm("nobody"),
    ContactRemove("nobody"),
    ContactReportRecycled("nobody"),
]


@pytest.mark.parametrize("action", UNKNOWN, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("state", ["unknown", "removed", "recycled"])
def test_a_contact_that_is_gone_is_not_found(action: ContactConfirm, state: str) -> None:
    """Nothing can be done with a contact that is not there, was replaced, or was given to someone else."""
    account, session = grown(contacts=(Channel.EMAIL, Channel.SMS, Channel.EMAIL))
    if state == "removed":
        account.ask(ContactRemove("c1-2"), session, *PROOFS)
        account.settle()
        session = account.sign_in()
    if state == "recycled":
        account.ask(ContactReportRecycled("c1-2"), PLATFORM)
    asked = type(action)("nobody" if state == "unknown" else "c1-2")
    assert codes(account.ask(asked, session, *PROOFS)) == [Reason.NOT_FOUND]


class TestRemove:
    """Taking one away."""

    @pytest.mark.parametrize(
        ("others", "fine"),
        [((), False), ((Channel.PUSH,), False), ((Channel.SMS,), True), ((Channel.PUSH, Channel.EMAIL), True)],
        ids=["no other", "only the platform's own", "a number", "a mailbox"],
    )
    def test_someone_must_be_left_to_tell(self, others: tuple[Channel, ...], *, fine: bool) -> None:
        """Law 5: the last contact outside the platform's own systems stays."""
        account, session = grown(contacts=(Channel.EMAIL, *others))
        answer = account.ask(ContactRemove("c1-1"), session, *PROOFS)
        assert (kind_of(answer) == "hold") is fine
        assert fine or codes(answer) == [Reason.LAST_ONE]

    @pytest.mark.parametrize("state", ["not confirmed", "recycled"])
    def test_one_that_cannot_be_told_is_nobody(self, state: str) -> None:
        """A contact that was never confirmed, or was given away, is not left to tell."""
        account, session = grown()
        if state == "recycled":
            account.ask(ContactReportRecycled("c1-2"), PLATFORM)
        else:
            account, session = grown(contacts=(Channel.EMAIL,))
            named(account, session)
        assert codes(account.ask(ContactRemove("c1-1"), session, *PROOFS)) == [Reason.LAST_ONE]


class TestRecycled:
    """Saying that a number or mailbox was given to someone else."""

    def test_nothing_is_sent_there_again(self) -> None:
        """It gets no notices, starts no waits, and what rests on it proves nothing."""
        account, session = grown(PASSWORD, TOTP, SMS, EMAIL)
        account.ask(ContactReportRecycled("c1-2"), PLATFORM)
        assert account.undelivered()[0].contacts == ("c1-1",)
        held = account.head.authenticators
        assert [one.recycled for one in held.values()] == [False, False, True, False]
        account.deliver("c1-2")
        assert account.undelivered()
        assert session not in account.head.sessions
        session = account.sign_in("a1-1", "a1-2")
        assert set(codes(account.pay("5", "home", session, "a1-1", "a1-2"))) == {Reason.NOTICE_UNDELIVERED}

    def test_the_platform_says_so_at_once(self) -> None:
        """It quarantines without proof, while the clock is in doubt, too."""
        account, _ = grown()
        account.clock_agrees = False
        answer = account.ask(ContactReportRecycled("c1-2"), PLATFORM)
        assert (kind_of(answer), codes(answer)) == ("allow", [Reason.TIGHTENING])

    def test_a_session_must_prove_more(self) -> None:
        """Whoever holds a session could silence the owner this way, and so proves as for any change."""
        account, session = grown()
        assert kind_of(account.ask(ContactReportRecycled("c1-2"), session)) == "step_up"
        assert kind_of(account.ask(ContactReportRecycled("c1-2"), session, *PROOFS)) == "allow"

    def test_all_that_is_on_it_goes_with_it(self) -> None:
        """A replaced contact that is still told goes too, and nothing is reported twice."""
        account, session = grown(PASSWORD, TOTP, SMS)
        account.ask(ContactRemove("c1-2"), session, *PROOFS)
        account.settle()
        account.ask(ContactReportRecycled(authenticator="a1-3"), PLATFORM)
        assert account.head.contacts["c1-2"].recycled
        assert codes(account.ask(ContactReportRecycled(authenticator="a1-3"), PLATFORM)) == [Reason.NOT_FOUND]

    def test_a_contact_that_is_told_no_more_is_left_alone(self) -> None:
        """It is about to be forgotten anyway."""
        account, session = grown(PASSWORD, TOTP, SMS)
        account.ask(ContactRemove("c1-2"), session, *PROOFS)
        account.settle()
        account.sign_in()
        account.settle(days=31)
        answer = account.ask(ContactReportRecycled(authenticator="a1-3"), PLATFORM)
        assert kind_of(answer) == "allow"
        assert not any(isinstance(one, ev.ContactRecycled) for one in account.last_events())

    @pytest.mark.parametrize(
        ("action", "reason", "about"),
        [
            (ContactReportRecycled(), Reason.BAD_FIELD, "contact"),
            (ContactReportRecycled("c1-1", "a1-3"), Reason.BAD_FIELD, "contact"),
            (ContactReportRecycled(authenticator="nobody"), Reason.NOT_FOUND, "authenticator"),
            (ContactReportRecycled(authenticator="a1-2"), Reason.BAD_FIELD, "authenticator"),
        ],
        ids=str,
    )
    def test_one_number_or_mailbox_is_named(self, action: ContactReportRecycled, reason: Reason, about: str) -> None:
        """By a contact or by an authenticator that lives there."""
        account, _ = grown(PASSWORD, TOTP, SMS)
        answer = account.ask(action, PLATFORM)
        assert (codes(answer), answer.findings[0].about) == ([reason], about)
