"""The address book (incidents C, G, I)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.core.histories import PLATFORM, bitcoin, codes, destination, grown, held_id, kind_of, sealed

from holdback.core import decide
from holdback.core import events as ev
from holdback.core.decision import Allow, Hold, Reason, StepUp
from holdback.core.events import DAY, HOUR, ActorKind
from holdback.core.rules.address import AddressAdd, AddressRemove, AddressRenew, beneficiary_name
from holdback.core.rules.exit import ExitRelease, ExitRequest
from holdback.core.rules.setting import LockSet


def add(name: str, network: str = "bitcoin", *, looks_like: str = "") -> AddressAdd:
    """Enter a beneficiary."""
    return AddressAdd(sealed(name), network, destination(name, looks_like))


class TestAdd:
    """Entering a beneficiary."""

    def test_it_waits_and_is_verified(self) -> None:
        """It ripens after 72 h and is verified for 30 days; the answer says from when it can be used."""
        account, session = grown()
        answer = account.ask(add("new"), session, "a1-1", "a1-2")
        assert isinstance(answer, Allow)
        assert (answer.id, answer.usable_from) == (bitcoin("new"), account.now + 3 * DAY)
        assert codes(answer) == [Reason.RIPENS_LATER]
        assert account.beneficiary(bitcoin("new")).verified_until == account.now + 30 * DAY

    @pytest.mark.parametrize(("lock", "hours"), [(24, 72), (240, 240)], ids=["a short lock", "a long lock"])
    def test_the_owners_lock_lengthens_its_wait(self, lock: int, hours: int) -> None:
        """Law 1: a new beneficiary, in the book or not, waits for at least as long as the owner locked himself."""
        account, session = grown()
        account.ask(LockSet(lock), session, "a1-1", "a1-2")
        answer = account.ask(add("new"), session, "a1-1", "a1-2")
        assert isinstance(answer, Allow)
        assert answer.usable_from == account.now + hours * HOUR
        stranger = account.pay("101", "stranger", session)
        assert isinstance(stranger, Hold)
        assert stranger.release_at == account.now + hours * HOUR
        assert kind_of(account.pay("50", "home", session)) == "allow"

    def test_its_wait_runs_while_a_cool_off_is_untold(self) -> None:
        """What the owner was told of waits from then on, whatever notice of another change is still under way."""
        account, session = grown()
        account.ask(LockSet(100), session, "a1-1", "a1-2")
        session = account.sign_in(device="burner")
        unheard = account.undelivered()
        account.add("new", session)
        for notice in account.undelivered():
            if notice not in unheard:
                account.outcome(notice, "c1-1")
        told = account.now
        account.wait(minutes=30)
        answer = account.pay("50", "new", session)
        assert isinstance(answer, Hold)
        assert answer.release_at == told + 100 * HOUR

    def test_its_provenance_is_kept(self) -> None:
        """Who, when, from which session, device and proof is known of each entry (incident G)."""
        account, session = grown()
        account.ask(add("new"), session, "a1-1", "a1-2")
        entry = account.beneficiary(bitcoin("new"))
        assert (entry.actor.kind, entry.actor.session) == (ActorKind.OWNER, session)
        assert (entry.device, entry.authenticator, entry.added_at) == ("laptop", "a1-2", account.now)

    @pytest.mark.parametrize(
        ("network", "named", "fine"),
        [
            ("bitcoin", True, True),
            ("bank", True, True),
            ("internal", True, True),
            ("p2p", False, True),
            ("card", False, True),
            ("bitcoin", False, False),
            ("internal", False, False),
            ("p2p", True, False),
            ("card", True, False),
        ],
    )
    def test_only_opened_kinds_have_no_address(self, network: str, *, named: bool, fine: bool) -> None:
        """Strangers are normal on p2p and card, so those are opened as a kind; all else names someone."""
        account, session = grown()
        action = AddressAdd(sealed("x"), network, destination("x") if named else None)
        answer = account.ask(action, session, "a1-1", "a1-2")
        assert (kind_of(answer) == "allow") is fine
        if not fine:
            assert (codes(answer), answer.findings[0].about) == ([Reason.BAD_FIELD], "address")

    def test_an_entry_is_made_once(self) -> None:
        """What is in the book is renewed, not added again; on another network it is another entry."""
        account, session = grown()
        answer = account.ask(add("home"), session, "a1-1", "a1-2")
        assert (codes(answer), answer.findings[0].satisfied_by) == ([Reason.ALREADY_EXISTS], ("address.renew",))
        assert kind_of(account.ask(add("home", "litecoin"), session, "a1-1", "a1-2")) == "allow"

    def test_a_look_alike_is_refused_by_name(self) -> None:
        """Law of the book: an address that the eye confuses with an entry is refused, and the entry is named."""
        account, session = grown()
        answer = account.ask(add("h0me", looks_like="home"), session, "a1-1", "a1-2")
        assert (codes(answer), answer.findings[0].about) == ([Reason.LOOK_ALIKE], bitcoin("home"))
        account.ask(AddressRemove("bitcoin", destination("home")), session)
        assert kind_of(account.ask(add("h0me", looks_like="home"), session, "a1-1", "a1-2")) == "allow"

    @pytest.mark.parametrize(
        ("action", "reason"),
        [
            (add("home"), Reason.ALREADY_EXISTS),
            (add("h0me", looks_like="home"), Reason.LOOK_ALIKE),
            (AddressRenew("bitcoin", destination("x")), Reason.NOT_FOUND),
        ],
        ids=["in the book", "looks like an entry", "not in the book"],
    )
    def test_a_session_alone_learns_nothing_of_the_book(
        self, action: AddressAdd | AddressRenew, reason: Reason
    ) -> None:
        """What is in it is told after proof, which is spent once; without it the answer is the same for any address."""
        account, session = grown()
        account.wait(minutes=20)
        first = account.ask(action, session)
        assert isinstance(first, StepUp)
        assert codes(first) == [Reason.PROOF_REQUIRED]
        answer = account.ask(action, session, "a1-1", "a1-2", challenge=first.challenge)
        assert codes(answer) == [reason]
        written = [type(one) for one in account.last_events() if not isinstance(one, ev.SessionSeen)]
        assert written == [ev.Decided, ev.ProofUsed, ev.ChallengeClosed]

    def test_other_parts_look_like_nothing(self) -> None:
        """Entries without an address, and parts that are none, are not compared."""
        account, session = grown()
        account.ask(AddressAdd(sealed("p2p"), "p2p"), session, "a1-1", "a1-2")
        request = account.request(add("h0me", looks_like="home"), session)
        facts = account.facts(request, ("a1-1", "a1-2"))
        step = decide.advance(account.everything(), request, facts, account.policy, account.now)
        assert step.decision.findings[0].about == bitcoin("home")


class TestRenew:
    """Confirming a beneficiary again."""

    def test_it_keeps_its_seniority(self) -> None:
        """Senior proof renews the verification at once, and the wait is as it was."""
        account, session = grown()
        before = account.beneficiary(bitcoin("home"))
        answer = account.ask(AddressRenew("bitcoin", destination("home")), session, "a1-2")
        after = account.beneficiary(bitcoin("home"))
        assert (kind_of(answer), codes(answer)) == ("allow", [Reason.PROVED])
        assert after.verified_until == account.now + 30 * DAY
        assert (after.ripens, after.added_at) == (before.ripens, before.added_at)

    def test_a_payment_confirmed_by_senior_proof_renews(self) -> None:
        """So does asking for an exit, whether it goes or is held."""
        account, session = grown()
        account.wait(minutes=30)
        for usd in ("5", "900000"):
            account.wait(minutes=5)
            account.pay(usd, "home", session)
            assert account.beneficiary(bitcoin("home")).verified_until == account.now + 30 * DAY

    def test_what_expires_while_it_waits_is_not_paid(self) -> None:
        """An exit whose entry nobody confirmed for 30 days waits until senior proof confirms it."""
        account, session = grown()
        which = held_id(account.pay("900000", "home", session))
        account.deliver()
        account.now = account.beneficiary(bitcoin("home")).verified_until
        answer = account.ask(ExitRelease(which), PLATFORM)
        assert (kind_of(answer), codes(answer)) == ("hold", [Reason.VERIFICATION_EXPIRED])
        assert answer.findings[0].satisfied_by == ("address.renew",)
        renewed = account.ask(AddressRenew("bitcoin", destination("home")), account.sign_in(), "a1-1", "a1-2")
        assert kind_of(renewed) == "allow"
        assert kind_of(account.ask(ExitRelease(which), PLATFORM)) == "allow"

    def test_asking_has_renewed_what_then_waits(self) -> None:
        """Until the very end of the 30 days a held exit goes when its time has come."""
        account, session = grown()
        account.now = account.beneficiary(bitcoin("home")).verified_until + 40 * DAY
        session = account.sign_in()
        which = held_id(account.pay("900000", "home", session))
        account.deliver()
        account.wait(days=29.9)
        before = account.beneficiary(bitcoin("home"))
        assert kind_of(account.ask(ExitRelease(which), PLATFORM)) == "allow"
        assert account.beneficiary(bitcoin("home")) == replace(before, paid_at=account.now)

    def test_senior_proof_pays_what_expired_and_renews_it(self) -> None:
        """A payment confirmed by senior proof needs no other; nor does its early release, which renews as well."""
        account, session = grown()
        account.wait(days=40)
        session = account.sign_in()
        assert kind_of(account.pay("5", "home", session)) == "allow"
        action = ExitRelease(held_id(account.pay("900000", "home", session)))
        account.deliver()
        account.now = account.beneficiary(bitcoin("home")).verified_until
        session = account.sign_in()
        first = account.ask(action, session, "a1-1", "a1-2")
        assert isinstance(first, StepUp)
        assert kind_of(account.ask(action, session, "a1-1", "a1-2", "c1-1", challenge=first.challenge)) == "allow"
        assert account.beneficiary(bitcoin("home")).verified_until == account.now + 30 * DAY

    def test_what_is_not_in_the_book_is_not_renewed(self) -> None:
        """A stranger is paid without entering the book."""
        account, session = grown()
        assert codes(account.ask(AddressRenew("bitcoin", destination("x")), session, "a1-2")) == [Reason.NOT_FOUND]
        assert kind_of(account.pay("5", "x", session)) == "allow"
        assert ("beneficiary", bitcoin("x")) not in account.parts


class TestRemove:
    """Taking a beneficiary out."""

    def test_it_is_free_and_at_once(self) -> None:
        """Removing needs no proof; what waited for it is stopped, other exits wait on."""
        account, session = grown()
        first = held_id(account.pay("900000", "home", session))
        other = held_id(account.pay("900000", "elsewhere", session))
        answer = account.ask(AddressRemove("bitcoin", destination("home")), session)
        assert (kind_of(answer), codes(answer)) == ("allow", [Reason.TIGHTENING])
        assert first not in account.head.exits
        assert other in account.head.exits
        assert codes(account.ask(AddressRemove("bitcoin", destination("home")), session)) == [Reason.NOT_FOUND]

    def test_adding_it_again_waits_again(self) -> None:
        """An entry that was taken out comes back as new, and only its own notice starts its wait."""
        account, session = grown()
        account.ask(add("new"), session, "a1-1", "a1-2")
        (first,) = account.undelivered()
        account.wait(minutes=5)
        account.ask(AddressRemove("bitcoin", destination("new")), session)
        account.ask(add("new"), session, "a1-1", "a1-2")
        account.outcome(first, "c1-1")
        assert not account.beneficiary(bitcoin("new")).ripens.heard
        account.deliver()
        assert account.beneficiary(bitcoin("new")).ripens.until == account.now + 3 * DAY


def test_names_of_entries() -> None:
    """An entry is named by network and hash, an opened kind by itself."""
    assert beneficiary_name("bank", destination("iban")) == f"bank.{destination('iban').mac.hex()}"
    assert beneficiary_name("p2p", None) == "p2p"


def test_an_opened_kind_ripens_like_any_entry() -> None:
    """Opening p2p waits 72 h; then strangers may be paid as strangers."""
    account, session = grown()
    account.ask(AddressAdd(sealed("p2p"), "p2p"), session, "a1-1", "a1-2")
    sale = ExitRequest("p2p_sale", "USD", "500", counterparty=destination("bob"))
    held = account.ask(sale, session, "a1-2", counterparty="bob")
    assert codes(held) == [Reason.DESTINATION_NEW]
    account.settle()
    answer = account.ask(sale, account.sign_in(), "a1-2", counterparty="bob")
    assert codes(answer) == [Reason.SALE_LOCKED]
    (locked,) = (one for one in account.last_events() if isinstance(one, ev.ExitLocked))
    assert (locked.lane, locked.beneficiary) == (ev.Lane.OTHERS, "p2p")
