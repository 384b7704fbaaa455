"""Codes by text cost money: all numbers of an account together get so many an hour, whichever route asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.core.histories import EMAIL, PASSWORD, SMS, Account, codes, grown, held_id, kind_of, policy_with, sealed
from tests.core.recoveries import Claimant
from tests.core.test_risk import AWAY, enter, regular

from holdback.core import events as ev
from holdback.core.decision import Allow, Reason, StepUp
from holdback.core.events import HOUR, MINUTE, Channel
from holdback.core.rules.authenticator import AuthenticatorBind
from holdback.core.rules.contact import ContactAdd, ContactConfirm
from holdback.core.rules.exit import ExitRelease
from holdback.core.rules.recovery import RecoveryEvidence
from holdback.core.rules.setting import LockSet

if TYPE_CHECKING:
    from holdback.core.decision import Decision

PROOFS = ("a1-1", "a1-2")


def texts(account: Account) -> int:
    """How many codes the last answer sends by text."""
    numbers = {key for key, one in account.head.contacts.items() if one.channel is Channel.SMS}
    numbers |= {key for key, one in account.head.authenticators.items() if one.kind is SMS}
    due = [one for one in account.last_events() if isinstance(one, ev.NoticeDue) and one.cause.endswith(".code")]
    return sum(one.contacts[0] in numbers for one in due)


def too_many(answer: Decision) -> ev.Instant | None:
    """Until when no more codes go, as a refusal says."""
    assert (codes(answer), answer.findings[0].about) == ([Reason.TOO_MANY], "codes")
    return answer.findings[0].until


def names(account: Account, session: bytes, text: str) -> Decision:
    """Name a new number as a contact."""
    return account.ask(ContactAdd(Channel.SMS, sealed(text)), session, *PROOFS)


def binds(account: Account, session: bytes, text: str) -> Decision:
    """Bind a new number."""
    return account.ask(AuthenticatorBind(SMS, address=sealed(text)), session, *PROOFS)


def used_up(account: Account, session: bytes, texted: int = 10) -> None:
    """So many texts went at one instant, each for another step-up."""
    for hours in range(1, texted + 1):
        account.ask(LockSet(hours), session)
        assert texts(account) == 1


def test_ever_other_numbers_get_no_more_than_one() -> None:
    """Contacts and authenticators draw on one count of ten an hour, and the next goes an hour after the first."""
    account, session = grown()
    began, sent = account.now, 0
    for number in range(5):
        sent += isinstance(binds(account, session, f"bound {number}"), Allow)
        sent += isinstance(names(account, session, f"named {number}"), Allow)
        account.wait(minutes=2)
    assert sent == 10
    for asked in (binds(account, session, "more"), names(account, session, "more"), names(account, session, "named 1")):
        assert too_many(asked) == began + HOUR
    assert isinstance(account.ask(ContactAdd(Channel.EMAIL, sealed("mailbox")), session, *PROOFS), Allow)
    assert isinstance(account.ask(AuthenticatorBind(EMAIL, address=sealed("mailbox")), session, *PROOFS), Allow)
    account.wait(hours=1, minutes=-10)
    assert isinstance(binds(account, account.any_session(), "more"), Allow)
    assert account.head.texted_at[0] == began + 2 * MINUTE


def test_step_ups_count_too() -> None:
    """What was sent to confirm actions leaves nothing for new numbers, though the proofs be right."""
    account, session = grown(PASSWORD, SMS)
    used_up(account, session)
    assert too_many(names(account, session, "new")) == account.now + HOUR
    assert too_many(binds(account, session, "new")) == account.now + HOUR
    account.ask(LockSet(20), session)
    assert texts(account) == 0


def test_of_two_numbers_one_gets_the_last() -> None:
    """A challenge that either of two numbers may answer sends no more texts than are left."""
    account, session = grown(PASSWORD, SMS, SMS)
    for hours in range(1, 5):
        account.ask(LockSet(hours), session)
        assert texts(account) == 2
    account.wait(minutes=1)
    assert isinstance(account.ask(ContactAdd(Channel.SMS, sealed("new")), session, *PROOFS), Allow)
    account.ask(LockSet(9), session)
    assert texts(account) == 1


@pytest.mark.parametrize("left", [0, 1])
def test_a_doubted_sign_in_takes_no_text_that_is_not_there(left: int) -> None:
    """A code to a contact's number counts as well; where none is left, the refusal says when, and is told of."""
    account = regular(policy_with(**{"step_up.codes_per_h": 1}), Channel.SMS)
    if not left:
        assert isinstance(names(account, account.sign_in(), "new"), Allow)
    account.seen = AWAY
    answer = enter(account)
    if not left:
        assert too_many(answer) == account.now + HOUR
        assert any(isinstance(one, ev.SignInScored) and one.raised for one in account.last_events())
        return
    assert isinstance(answer, StepUp)
    assert texts(account) == 1
    contact = account.head.challenges[answer.challenge].contact
    assert kind_of(enter(account, challenge=answer.challenge)) == "step_up"
    assert codes(enter(account, *PROOFS, contact, challenge=answer.challenge)) == [Reason.PROVED]


@pytest.mark.parametrize(("most", "sent"), [(1, 1), (2, 2)])
def test_a_contact_and_a_factor_share_what_is_left(most: int, sent: int) -> None:
    """A challenge that sends a code to a contact's number leaves one less for the numbers that prove."""
    account, session = grown(PASSWORD, SMS, contacts=(Channel.SMS,))
    contact = account.ask(ContactAdd(Channel.SMS, sealed("a second telephone")), session, *PROOFS)
    assert isinstance(contact, Allow)
    account.ask(ContactConfirm(contact.id), session, contact.id)
    account.settle(days=9)
    session = account.any_session()
    action = ExitRelease(held_id(account.pay("900000", "home", session, *PROOFS)))
    account.policy = policy_with(**{"step_up.codes_per_h": most})
    assert kind_of(account.ask(action, session)) == "step_up"
    assert texts(account) == sent
    assert account.head.texted_at == (account.now,) * sent


def test_strangers_who_recover_leave_half() -> None:
    """Whoever opens a recovery has five texts sent in an hour; the owner's own are still to come."""
    account, session = grown(PASSWORD, SMS, contacts=(Channel.EMAIL, Channel.SMS))
    one, action = Claimant(account), RecoveryEvidence("contact_code", Channel.SMS)
    assert isinstance(one.opens(), Allow)
    began = account.now
    for _ in range(5):
        assert isinstance(account.ask(action, one.by), StepUp)
        account.wait(minutes=2)
    assert too_many(account.ask(action, one.by)) == began + HOUR
    assert isinstance(account.ask(RecoveryEvidence("contact_code"), one.by), StepUp)
    used_up(account, session, 5)
    account.ask(LockSet(20), session)
    assert texts(account) == 0
