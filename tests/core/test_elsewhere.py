"""What is known of a destination beyond the account: lists, other customers, dust."""

from __future__ import annotations

from typing import Final

import pytest
from tests.core.histories import (
    PLATFORM,
    START,
    Account,
    bitcoin,
    codes,
    destination,
    grow,
    grown,
    held_id,
    kind_of,
    policy_with,
    sealed,
)

from holdback.core import events as ev
from holdback.core.decision import Allow, Deny, Hold, ListFact, Reason, SharedFact, StepUp
from holdback.core.events import DAY, HOUR
from holdback.core.rules.address import AddressAdd
from holdback.core.rules.exit import ExitRelease, ExitRequest
from holdback.core.rules.setting import LockSet

STRICT: Final = {"lists.required": ["ofac", "own"]}


def listed(account: Account, name: str = "ofac") -> tuple[ListFact, ...]:
    """A list that names the destination."""
    return (ListFact(name, "7", account.now, listed=True),)


def young(account: Account, *names: str) -> tuple[ListFact, ...]:
    """Lists that were imported now, and name nobody."""
    return tuple(ListFact(name, "7", account.now) for name in names)


def crowd(account: Account, *, accounts: int = 3, days: int = 0) -> tuple[SharedFact, ...]:
    """So many others that met the address, the first so many days ago."""
    return (SharedFact("address", account.now // DAY - days, accounts, accounts + 1),)


def adding(account: Account, session: bytes, name: str = "new") -> Allow | Deny:
    """Enter an address."""
    action = AddressAdd(sealed(name), "bitcoin", destination(name))
    answer = account.ask(action, session, *account.head.authenticators)
    assert isinstance(answer, Allow | Deny)
    return answer


class TestLists:
    """Lists of addresses that nobody is paid at."""

    def test_a_listed_address_is_neither_entered_nor_paid(self) -> None:
        """Law 8: whoever is on a list is denied, in the book or not, and the answer does not say which list."""
        account, session = grown()
        account.lists = listed(account)
        for answer in (adding(account, session), account.pay("5", "home", session), account.pay("5", "x", session)):
            assert codes(answer) == [Reason.DESTINATION_LISTED]
            assert "ofac" not in str(answer)
        assert b"ofac" in account.decided().facts

    def test_a_session_alone_learns_nothing_of_lists(self) -> None:
        """Without proof nobody is told whether an address is listed."""
        account, session = grown()
        account.lists = listed(account)
        action = ExitRequest("withdrawal", "USD", "5", address=destination("x"), network="bitcoin")
        assert kind_of(account.ask(action, session)) == "step_up"

    def test_a_held_exit_is_looked_for_again(self) -> None:
        """An address that comes onto a list while an exit waits is not paid at its end."""
        account, session = grown()
        which = held_id(account.pay("5000", "stranger", session))
        held = account.head.exits[which]
        assert held.destination == destination("stranger")
        account.settle(days=4)
        account.lists = listed(account)
        assert codes(account.ask(ExitRelease(which), PLATFORM)) == [Reason.DESTINATION_LISTED]
        assert ev.ExitCancelled(account.now, which, listed=True) in account.last_events()
        assert account.head.exits == {}
        account.lists = young(account, "ofac")
        assert codes(account.ask(ExitRelease(which), PLATFORM)) == [Reason.NOT_FOUND]

    def test_only_who_proves_it_is_him_learns_of_it_early(self) -> None:
        """The owner who would end such a hold early shows first that it is he, and it ends for good."""
        account, session = grown()
        which = held_id(account.pay("900000", "home", session))
        account.deliver()
        account.lists = listed(account)
        first = account.ask(ExitRelease(which), session)
        assert isinstance(first, StepUp)
        shown = (*account.head.authenticators, account.head.challenges[first.challenge].contact)
        answer = account.ask(ExitRelease(which), session, *shown, challenge=first.challenge)
        assert codes(answer) == [Reason.DESTINATION_LISTED]
        assert account.head.exits == {}

    @pytest.mark.parametrize("missing", ["hold", "deny"])
    @pytest.mark.parametrize("state", ["none", "one", "old"])
    def test_a_list_that_must_be_there_and_is_not_has_the_outcome_of_the_policy(self, missing: str, state: str) -> None:
        """Law 8: without a required list, or with one that is too old, exits to the outside are held or denied."""
        account = Account(policy_with(**STRICT, **{"lists.missing": missing}))
        account.lists = (ListFact("ofac", "1", START + 900 * DAY), ListFact("own", "1", START + 900 * DAY))
        session = grow(account)
        assert isinstance(account.pay("5", "home", session), Allow)
        old = ListFact("own", "6", account.now - 14 * DAY)
        account.lists = {"none": (), "one": young(account, "ofac"), "old": (*young(account, "ofac"), old)}[state]
        answer = account.pay("5", "home", session)
        assert isinstance(answer, Hold if missing == "hold" else Deny)
        first = answer.findings[0]
        assert (first.code, first.until) == (Reason.LIST_MISSING, None)
        assert first.about == ("ofac" if state == "none" else "own")
        entered = adding(account, session)
        assert isinstance(entered, Allow if missing == "hold" else Deny)
        inside = ExitRequest("internal_transfer", "USD", "5", counterparty=destination("bob"))
        answer = account.ask(inside, session, *account.head.authenticators, counterparty="bob")
        assert Reason.LIST_MISSING not in codes(answer)


class TestCrowd:
    """Addresses that several accounts enter within days while they are new to the platform."""

    def test_a_mules_address_waits_longer(self) -> None:
        """The third account that enters a new address waits a week, and is told why and until when."""
        account, session = grown()
        account.shared = crowd(account, accounts=2)
        answer = adding(account, session)
        assert isinstance(answer, Allow)
        assert codes(answer) == [Reason.DESTINATION_SHARED]
        assert answer.usable_from == answer.findings[0].until == account.now + 168 * HOUR
        account.shared = crowd(account, accounts=1)
        answer = adding(account, session, "other")
        assert codes(answer) == [Reason.RIPENS_LATER]

    def test_whoever_entered_it_before_waits_as_long(self) -> None:
        """An entry that was made before the others came is not paid sooner, not even little, and says until when."""
        account, session = grown()
        adding(account, session)
        added_at = account.beneficiary(bitcoin("new")).added_at
        account.settle(days=4)
        session = account.sign_in()
        assert isinstance(account.pay("5", "new", session), Allow)
        account.shared = crowd(account, accounts=3, days=4)
        answer = account.pay("5", "new", session)
        assert isinstance(answer, Hold)
        assert (answer.findings[0].code, answer.release_at) == (Reason.DESTINATION_SHARED, added_at + 168 * HOUR)
        account.settle(days=3)
        assert isinstance(account.pay("5", "new", account.sign_in()), Allow)

    def test_a_stranger_whom_many_pay_waits_as_long(self) -> None:
        """An exit to an address outside the book waits like the entries of it, and no small lane is open to it."""
        account, session = grown()
        account.shared = crowd(account, accounts=2)
        answer = account.pay("5", "mule", session)
        assert isinstance(answer, Hold)
        assert codes(answer) == [Reason.DESTINATION_SHARED, Reason.DESTINATION_NEW]
        assert answer.release_at == account.now + 168 * HOUR
        account.settle(days=4)
        which = answer.id
        again = account.ask(ExitRelease(which), PLATFORM)
        assert codes(again) == [Reason.DESTINATION_SHARED, Reason.DESTINATION_NEW, Reason.NOT_YET_DUE]
        account.settle(days=3)
        assert isinstance(account.ask(ExitRelease(which), PLATFORM), Allow)

    def test_a_stranger_who_got_a_crowd_while_an_exit_waited_waits_longer(self) -> None:
        """A hold to an address that others begin to pay meanwhile ends later, counted from its own beginning."""
        account, session = grown()
        answer = account.pay("500", "mule", session)
        assert isinstance(answer, Hold)
        began = account.now
        account.settle(days=3.1)
        account.shared = crowd(account, accounts=3, days=3)
        again = account.ask(ExitRelease(answer.id), PLATFORM)
        assert isinstance(again, Hold)
        assert (codes(again), again.release_at) == ([Reason.DESTINATION_SHARED], began + 168 * HOUR)

    @pytest.mark.parametrize(("days", "waits"), [(29, True), (30, False)])
    def test_an_old_address_may_have_many(self, days: int, *, waits: bool) -> None:
        """What the platform has known for long, an exchange's or a shop's, may be paid by everybody."""
        account, session = grown()
        account.shared = crowd(account, accounts=60, days=days)
        assert (codes(adding(account, session)) == [Reason.DESTINATION_SHARED]) is waits

    def test_other_kinds_say_nothing_of_an_address(self) -> None:
        """How many accounts a device is met in lengthens no address's wait."""
        account, session = grown()
        account.shared = (SharedFact("device", account.now // DAY, 60, 60),)
        assert codes(adding(account, session)) == [Reason.RIPENS_LATER]

    def test_the_owners_longer_lock_counts(self) -> None:
        """A wait that the owner chose is never shortened by this one."""
        account, session = grown()
        account.ask(LockSet(240), session, *account.head.authenticators)
        account.shared = crowd(account)
        answer = adding(account, session)
        assert isinstance(answer, Allow)
        assert answer.usable_from == account.now + 240 * HOUR


class TestDust:
    """Small deposits that are sent to be copied (address poisoning)."""

    def test_what_looks_like_its_sender_is_refused(self) -> None:
        """An address that looks like a recent sender of dust is neither entered nor paid, and is until when is said."""
        account, session = grown()
        account.dust_day = account.now // DAY
        until = (account.dust_day + 30) * DAY
        for answer in (adding(account, session), account.pay("5", "x", session)):
            assert isinstance(answer, Deny)
            assert codes(answer) == [Reason.LOOK_ALIKE_DEPOSIT]
            assert answer.findings[0].until == until

    def test_an_entry_of_the_book_is_paid(self) -> None:
        """Whoever is in the book is paid, whatever he or somebody who looks like him sends."""
        account, session = grown()
        account.dust_day = account.now // DAY
        assert isinstance(account.pay("5", "home", session), Allow)

    def test_it_is_forgotten(self) -> None:
        """After its time a deposit says nothing any more."""
        account, session = grown()
        account.dust_day = account.now // DAY - 30
        assert codes(adding(account, session)) == [Reason.RIPENS_LATER]
