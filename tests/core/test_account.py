"""The account as a whole: import, the owner's stop, and taking it off."""

from __future__ import annotations

import pytest
from tests.core.histories import (
    EMAIL,
    PASSWORD,
    PLATFORM,
    SMS,
    START,
    TOTP,
    USD,
    Account,
    bitcoin,
    codes,
    destination,
    grown,
    kind_of,
    long_standing,
    policy_with,
    sealed,
)

from holdback.core import events as ev
from holdback.core.decision import Allow, Hold, Reason
from holdback.core.events import DAY, HOUR, Actor, ActorKind, Channel
from holdback.core.rules.account import (
    AccountFreeze,
    AccountImport,
    AccountUnfreeze,
    ImportedAuthenticator,
    ImportedBeneficiary,
    ImportedContact,
)
from holdback.core.rules.authenticator import AuthenticatorSuspend
from holdback.core.rules.contact import ContactAdd, ContactConfirm, ContactReportRecycled
from holdback.core.rules.exit import ExitRequest
from holdback.core.rules.session import SessionEnd
from holdback.core.rules.setting import AllowlistSet
from holdback.core.seniority import beneficiary_is_senior

LINK = Actor(ActorKind.LINK, contact="c1-1")


class TestImport:
    """Coming under protection."""

    BOOK = (
        ImportedBeneficiary(sealed("home"), "bitcoin", destination("home")),
        ImportedBeneficiary(sealed("market"), "p2p"),
    )

    def test_everything_imported_waits_as_new(self) -> None:
        """Law 6: stated ages loosen nothing: everything that is imported is senior after the wait of a new one."""
        account = Account()
        answer = account.open(PASSWORD, SMS, EMAIL, book=self.BOOK, subs=("savings",), equity="12.5")
        assert isinstance(answer, Allow)
        assert (answer.id, answer.usable_from) == ("alice", START + 3 * DAY)
        head = account.head
        assert (head.sub_accounts, head.equity) == (("savings",), {START // DAY: 12_500_000})
        waits = [one.ripens for one in head.authenticators.values()] + [one.ripens for one in head.contacts.values()]
        waits += [account.beneficiary(name).ripens for name in (bitcoin("home"), "p2p")]
        assert {(one.until, one.heard) for one in waits} == {(START + 3 * DAY, True)}
        home = account.beneficiary(bitcoin("home"))
        assert not beneficiary_is_senior(head, home, START + 3 * DAY - 1)
        assert beneficiary_is_senior(head, home, START + 3 * DAY)
        assert home.verified_until == START

    def test_holders_are_told_apart(self) -> None:
        """What is sent somewhere rests on that mailbox or number, all else on itself."""
        account = Account()
        account.open(PASSWORD, SMS)
        one, two = account.head.authenticators.values()
        assert one.holder == b"a1-1"
        assert two.holder == account.head.contacts["c1-2"].address.mac

    def test_later_ids_never_meet_imported_ones(self) -> None:
        """What is bound or added later has an id of its own, however many were imported."""
        account = Account()
        account.open(*[TOTP] * 16, contacts=(Channel.EMAIL,) * 8)
        names = set(account.head.authenticators) | set(account.head.contacts)
        assert len(names) == 24
        assert all(name[2] == "-" for name in names)

    @pytest.mark.parametrize(
        ("channels", "fine"),
        [((Channel.PUSH,), False), ((Channel.PUSH, Channel.SMS), True), ((Channel.EMAIL,), True)],
        ids=str,
    )
    def test_someone_must_be_told_outside_the_platform(self, channels: tuple[Channel, ...], *, fine: bool) -> None:
        """Law 5: an account whose every notice would pass through the platform is refused, and nothing is written."""
        account = Account()
        contacts = tuple(ImportedContact(channel, sealed(channel)) for channel in channels)
        answer = account.ask(AccountImport(sealed("alice"), (ImportedAuthenticator(PASSWORD),), contacts))
        assert (kind_of(answer) == "allow") is fine
        if not fine:
            assert (codes(answer), answer.findings[0].about) == ([Reason.BAD_FIELD], "contacts")
            assert answer.findings[0].satisfied_by == ("email", "sms")
            assert account.log == []

    def test_the_owner_is_told(self) -> None:
        """An import is news, to every contact."""
        account = Account()
        account.open()
        told = [one for one in account.log if isinstance(one, ev.NoticeDue)]
        assert [(one.cause, one.contacts) for one in told] == [("account.imported", ("c1-1", "c1-2"))]


class TestFreeze:
    """The owner's stop: one press, no proof."""

    @pytest.mark.parametrize("by", ["link", "session", "session of a stranger's device"])
    def test_it_costs_nothing(self, by: str) -> None:
        """A link in a notice suffices, and so does any session, whatever else is wrong with the account."""
        account, session = grown()
        account.clock_agrees = False
        account.ask(AuthenticatorSuspend("a1-2"), session)
        answer = account.ask(AccountFreeze(), LINK if by == "link" else session)
        assert (kind_of(answer), codes(answer)) == ("allow", [Reason.TIGHTENING])
        assert answer.findings[0].satisfied_by == ("account.unfreeze",)
        assert account.head.frozen_at == account.now

    @pytest.mark.parametrize("which", ["unknown", "not confirmed", "given to someone else"])
    def test_not_every_link_freezes(self, which: str) -> None:
        """A contact nobody confirmed, that is not there or was given away may not stop the account."""
        account, session = grown()
        name = "nobody"
        if which == "not confirmed":
            answer = account.ask(ContactAdd(Channel.SMS, sealed("new")), session, "a1-1", "a1-2")
            assert isinstance(answer, Allow)
            name = answer.id
        if which == "given to someone else":
            name = "c1-2"
            account.ask(ContactReportRecycled(name), PLATFORM)
        answer = account.ask(AccountFreeze(), Actor(ActorKind.LINK, contact=name))
        assert codes(answer) == [Reason.FREEZE_RIGHT_LOST]

    def test_it_stops_everything_that_waits(self) -> None:
        """Held exits and waiting loosenings are stopped with it, those of the whole family."""
        account, session = grown(subs=("savings",))
        account.pay("900000", "home", session, account="alice.savings")
        account.ask(AllowlistSet(on=True), session, "a1-1", "a1-2")
        account.ask(AllowlistSet(on=False), session, "a1-1", "a1-2")
        assert account.head.exits
        assert account.head.changes
        account.ask(AccountFreeze(), LINK)
        assert (account.head.exits, account.head.changes) == ({}, {})
        for name in ("alice", "alice.savings"):
            assert codes(account.pay("1", "home", session, account=name)) == [Reason.FROZEN]

    @pytest.mark.parametrize("kind", ["withdrawal", "sweep", "card", "gift"])
    def test_nothing_leaves(self, kind: str) -> None:
        """Every exit is shut, sweeps too; nothing is held either."""
        account, session = grown(subs=("savings",))
        account.ask(AccountFreeze(), session)
        action = ExitRequest(kind, "USD", "1", counterparty=destination("savings"))
        assert codes(account.ask(action, session, "a1-2", counterparty="savings")) == [Reason.FROZEN]

    def test_freezing_again_stops_an_unfreezing(self) -> None:
        """What began to wait since, an unfreezing among it, is stopped by pressing again."""
        account, session = grown()
        account.ask(AccountFreeze(), LINK)
        account.ask(AccountUnfreeze(), session, "a1-2")
        account.ask(AccountFreeze(), LINK)
        assert account.head.changes == {}
        account.settle(days=30)
        account.ask(SessionEnd(), account.sign_in())
        assert account.head.frozen_at

    @pytest.mark.parametrize(
        ("minutes", "waits", "told"),
        [(14.9, False, False), (15, False, True), (1, True, True)],
        ids=["soon", "later", "something waited"],
    )
    def test_pressing_again_is_no_news(self, minutes: float, *, waits: bool, told: bool) -> None:
        """A press that stops nothing new is told of only after a while, and moves what it disputes all the same."""
        account, session = grown()
        account.ask(AccountFreeze(), LINK)
        if waits:
            account.ask(AccountUnfreeze(), session, "a1-2")
        account.wait(minutes=minutes)
        account.ask(AccountFreeze(), LINK)
        causes = [one.cause for one in account.last_events() if isinstance(one, ev.NoticeDue)]
        assert ("account.frozen" in causes) is told
        assert account.head.freezes[-1].pressed_at == account.now

    def test_a_hundred_presses_are_one_notice(self) -> None:
        """Whoever holds a link floods nobody with it."""
        account, _ = grown()
        for _ in range(100):
            account.ask(AccountFreeze(), LINK)
            account.wait(minutes=2)
        assert sum(isinstance(one, ev.Frozen) for one in account.log) == 100
        assert sum(isinstance(one, ev.NoticeDue) and one.cause == "account.frozen" for one in account.log) == 1


class TestUnfreeze:
    """Taking the stop off: the strongest senior proof, and a wait."""

    def test_there_must_be_one(self) -> None:
        """An account that is not frozen is not unfrozen."""
        account, session = grown()
        answer = account.ask(AccountUnfreeze(), session, "a1-2")
        assert (codes(answer), answer.findings[0].about) == ([Reason.NOT_FOUND], "freeze")

    @pytest.mark.parametrize(("device", "hours"), [("laptop", 24), ("new phone", 72)])
    def test_it_waits(self, device: str, hours: int) -> None:
        """24 h, or 72 h if anything changed lately; not before the owner was told of the asking."""
        account, _ = grown()
        account.deliver()
        account.wait(days=4)
        session = account.sign_in(device=device)
        account.ask(AccountFreeze(), session)
        asked_at = account.now
        answer = account.ask(AccountUnfreeze(), session, "a1-2")
        assert isinstance(answer, Hold)
        assert answer.release_at == account.now + hours * HOUR
        account.wait(hours=5)
        account.deliver()
        for later in (hours + 4.9, hours + 5):
            account.now = asked_at + int(later * HOUR)
            account.ask(SessionEnd(), account.any_session())
            assert bool(account.head.frozen_at) is (later < hours + 5)

    def test_asking_twice_is_one_wait(self) -> None:
        """Whether the freeze was mistaken or not, one unfreezing waits."""
        account, session = grown()
        account.ask(AccountFreeze(), LINK)
        first = account.ask(AccountUnfreeze(), session, "a1-2")
        account.wait(minutes=1)
        assert account.ask(AccountUnfreeze(mistaken=True), session, "a1-2") == first

    def test_loosenings_wait_for_the_thaw(self) -> None:
        """Under a freeze nothing but the unfreezing itself comes due; the rest follows after it."""
        account, session = grown()
        account.ask(AllowlistSet(on=True), session, "a1-1", "a1-2")
        account.ask(AccountFreeze(), LINK)
        account.ask(AllowlistSet(on=False), session, "a1-1", "a1-2")
        account.settle()
        account.ask(SessionEnd(), account.sign_in())
        assert len(account.head.changes) == 1
        account.ask(AccountUnfreeze(), account.sign_in(), "a1-1", "a1-2")
        account.settle()
        account.sign_in()
        assert not account.head.frozen_at
        account.sign_in()
        assert account.head.changes == {}

    def test_a_mistaken_freeze_costs_the_right(self) -> None:
        """Law 10: the contact that froze wrongly may not freeze again until it is confirmed; others may."""
        account, session = grown()
        account.ask(AccountFreeze(), LINK)
        account.ask(AccountUnfreeze(mistaken=True), session, "a1-2")
        account.settle()
        session = account.sign_in()
        answer = account.ask(AccountFreeze(), LINK)
        assert (codes(answer), answer.findings[0].satisfied_by) == ([Reason.FREEZE_RIGHT_LOST], ("contact.confirm",))
        account.ask(ContactAdd(Channel.EMAIL, sealed("alice email")), session, "a1-1", "a1-2")
        assert codes(account.ask(ContactConfirm("c1-1"), session, "c1-1")) == [Reason.PROVED]
        assert kind_of(account.ask(AccountFreeze(), LINK)) == "allow"

    def test_others_keep_the_right(self) -> None:
        """Another contact and the owner's session may freeze all the same."""
        account, session = grown()
        account.ask(AccountFreeze(), LINK)
        account.ask(AccountUnfreeze(mistaken=True), session, "a1-2")
        account.settle()
        assert kind_of(account.ask(AccountFreeze(), Actor(ActorKind.LINK, contact="c1-2"))) == "allow"
        assert kind_of(account.ask(AccountFreeze(), account.sign_in())) == "allow"


def test_the_thief_of_story_c_gets_nothing() -> None:
    """Incident C: new device, new address, withdrawal by a code; the owner presses the link in the first notice."""
    account, _ = long_standing(equity="50000", policy=policy_with(name="story C"))
    thief = account.sign_in(device="burner")
    account.add("thief", thief)
    assert kind_of(account.pay("2000", "thief", thief)) == "hold"
    account.deliver()
    account.ask(AccountFreeze(), LINK)
    account.settle(days=30)
    assert codes(account.pay("2000", "thief", account.sign_in())) == [Reason.FROZEN]
    assert not any(isinstance(one, ev.ExitAllowed) and one.micro_usd > 100 * USD for one in account.log)
