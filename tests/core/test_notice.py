"""Law 5: a wait runs only once a notice was accepted on a senior channel outside the platform's own systems."""

from __future__ import annotations

import pytest
from tests.core.histories import (
    BACKUP_CODE,
    PASSWORD,
    PLATFORM,
    POLICY,
    SYSTEM,
    TOTP,
    Account,
    codes,
    grown,
    held_id,
    sealed,
)

from holdback.core import events as ev
from holdback.core.decision import Allow, Reason
from holdback.core.events import DAY, Channel
from holdback.core.rules.account import AccountFreeze
from holdback.core.rules.authenticator import AuthenticatorBind, AuthenticatorRemove
from holdback.core.rules.change import ChangeCancel
from holdback.core.rules.contact import ContactAdd, ContactConfirm, ContactReportRecycled
from holdback.core.rules.exit import ExitCancel
from holdback.core.rules.notice import NoticeOutcome, counts_as_told
from holdback.core.state import evolve

PROOFS = ("a1-1", "a1-2")
ALL = (Channel.EMAIL, Channel.SMS, Channel.PUSH)


class TestWhoCounts:
    """Acceptance starts waits at a senior contact outside the platform."""

    def test_channels(self) -> None:
        """Mail and texts count, the platform's own app does not, and nobody unknown."""
        account, _ = grown(contacts=ALL)
        told = {name: counts_as_told(account.head, name, POLICY, account.now) for name in (*account.head.contacts, "x")}
        assert told == {"c1-1": True, "c1-2": True, "c1-3": False, "x": False}

    def test_a_junior_one_does_not(self) -> None:
        """A contact a thief added tells nobody, though notices go there, too."""
        account, session = grown()
        answer = account.ask(ContactAdd(Channel.SMS, sealed("thief")), session, *PROOFS)
        assert isinstance(answer, Allow)
        account.ask(ContactConfirm(answer.id), session, answer.id)
        assert not counts_as_told(account.head, answer.id, POLICY, account.now)
        account.deliver(answer.id)
        assert account.undelivered()

    @pytest.mark.parametrize("state", ["confirmed", "not confirmed", "recycled"])
    def test_while_an_account_is_young_any_confirmed_one_does(self, state: str) -> None:
        """Nobody predates a contact that came with the import; one not confirmed or given away tells nobody."""
        account = Account()
        account.open(contacts=ALL)
        name = "c1-1"
        if state == "not confirmed":
            answer = account.ask(ContactAdd(Channel.SMS, sealed("x")), account.sign_in(), *PROOFS)
            assert isinstance(answer, Allow)
            name = answer.id
        if state == "recycled":
            account.ask(ContactReportRecycled(name), PLATFORM)
        assert counts_as_told(account.head, name, POLICY, account.now) is (state == "confirmed")

    def test_once_one_was_senior_the_account_is_young_no_more(self) -> None:
        """When the only senior contact is given away, a junior one does not take its place."""
        account, session = grown(contacts=(Channel.EMAIL,))
        answer = account.ask(ContactAdd(Channel.SMS, sealed("x")), session, *PROOFS)
        assert isinstance(answer, Allow)
        account.ask(ContactConfirm(answer.id), session, answer.id)
        account.ask(ContactReportRecycled("c1-1"), PLATFORM)
        account.deliver()
        assert account.undelivered()


class TestOutcome:
    """What a report writes."""

    def test_the_first_that_counts_starts_the_wait(self) -> None:
        """Counted from that instant, once; later reports change nothing."""
        account, session = grown()
        name = account.add("new", session)
        (notice,) = account.undelivered()
        account.wait(hours=5)
        assert codes(account.outcome(notice, "c1-2")) == [Reason.NO_HARM]
        assert account.beneficiary(name).ripens.until == account.now + 3 * DAY
        account.wait(hours=5)
        account.outcome(notice, "c1-1")
        assert [type(one) for one in account.last_events()] == [ev.Decided]

    def test_a_failure_is_written(self) -> None:
        """That every try to reach a contact failed is in the log, and starts nothing."""
        account, session = grown()
        account.add("new", session)
        (notice,) = account.undelivered()
        account.outcome(notice, "c1-1", accepted=False)
        assert [type(one) for one in account.last_events()] == [ev.Decided, ev.NoticeFailed]
        assert account.undelivered() == [notice]

    def test_what_nothing_waits_for(self) -> None:
        """An unknown notice, or one nothing depends on, moves nothing."""
        account, _ = grown()
        assert codes(account.ask(NoticeOutcome("unknown", "c1-1", accepted=True), SYSTEM)) == [Reason.NO_HARM]
        assert [type(one) for one in account.last_events()] == [ev.Decided]

    def test_everything_that_waits_is_moved(self) -> None:
        """Authenticators, contacts, beneficiaries, changes, exits and cool-offs all run from the acceptance."""
        account, session = grown(PASSWORD, TOTP, BACKUP_CODE)
        account.ask(AuthenticatorBind(BACKUP_CODE, sealed("s")), session, *PROOFS)
        answer = account.ask(ContactAdd(Channel.SMS, sealed("x")), session, *PROOFS)
        assert isinstance(answer, Allow)
        account.ask(ContactConfirm(answer.id), session, answer.id)
        account.add("new", session, *PROOFS)
        account.ask(AuthenticatorRemove("a1-3"), session, *PROOFS)
        account.pay("900000", "home", session, *PROOFS)
        account.wait(hours=9)
        account.deliver("c1-1")
        moved = [one for one in account.log if isinstance(one, ev.WaitMoved) and one.at == account.now]
        kinds = {one.about.kind for one in moved}
        assert kinds == {"authenticator", "contact", "beneficiary", "change", "exit", "cool_off"}
        assert all(one.until >= account.now + DAY for one in moved)

    def test_what_is_gone_is_not_moved(self) -> None:
        """What was stopped before its notice was accepted waits for nothing any more."""
        account, session = grown(PASSWORD, TOTP, BACKUP_CODE)
        change = held_id(account.ask(AuthenticatorRemove("a1-3"), session, *PROOFS))
        held = held_id(account.pay("900000", "home", session, *PROOFS))
        account.ask(ChangeCancel(change), session)
        account.ask(ExitCancel(held), session)
        account.deliver("c1-1")
        moved = [one.about.kind for one in account.log if isinstance(one, ev.WaitMoved) and one.at == account.now]
        assert moved == ["cool_off"]

    @pytest.mark.parametrize("kind", ["authenticator", "contact", "change", "exit", "cool_off", "beneficiary"])
    def test_things_nobody_knows_move_nothing(self, kind: str) -> None:
        """A notice about something that is not there is accepted, and that is all."""
        account, _ = grown()
        about = ev.About(kind, "nothing")
        due = ev.NoticeDue(account.now, "n1", "cause", ev.Severity.MILD, ("c1-1",), (about,))
        account.state = evolve(account.everything(), due).head
        account.ask(NoticeOutcome("n1", "c1-1", accepted=True, about=(about,)), SYSTEM)
        assert [type(one) for one in account.last_events()] == [ev.Decided, ev.NoticeAccepted]


def test_a_freeze_is_told_everyone() -> None:
    """The owner's stop is severe news to every contact."""
    account, session = grown(contacts=ALL)
    account.ask(AccountFreeze(), session)
    (told,) = (one for one in account.last_events() if isinstance(one, ev.NoticeDue))
    assert (told.cause, told.contacts) == ("account.frozen", ("c1-1", "c1-2", "c1-3"))
