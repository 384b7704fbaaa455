"""Clusters: what ties accounts together, and what follows for those who trade with them (law 3)."""

from __future__ import annotations

from typing import Any, Final

import pytest
from msgspec.structs import replace
from tests.core.histories import PLATFORM, POLICY, SYSTEM, USD, Account, codes, destination, grown, sealed
from tests.core.members import Colleague
from tests.core.test_trading import aged, found, order, place, report, settled

from holdback.core import events as ev
from holdback.core.decision import Allow, Hold, LossFact, SharedFact
from holdback.core.events import DAY, HOUR, Role
from holdback.core.rules.address import AddressAdd
from holdback.core.rules.clusters import DEVICE, SOURCE, are_kin, ties_of
from holdback.core.rules.deposit import DepositReceive
from holdback.core.rules.elsewhere import ADDRESS
from holdback.core.rules.exit import ExitRelease, ExitRequest
from holdback.core.rules.setting import LimitSet
from holdback.core.ties import TIES_KEPT, Tie, met

PHONE: Final = b"a phone"
MULE: Final = b"a mule's address"
MOST: Final = POLICY.trades.cluster_accounts


def device(key: bytes = PHONE, accounts: int = 2) -> SharedFact:
    """A device from which so many accounts signed in."""
    return SharedFact(DEVICE, 0, accounts, accounts, key, accounts)


WALLET: Final = b"a wallet outside"


def funded(account: Account, accounts: int = 2, key: bytes = WALLET) -> set[bytes]:
    """The ties of an account after a deposit from an address that funds so many."""
    account.funded_from = (SharedFact(SOURCE, 0, accounts, accounts, key, accounts),)
    account.ask(DepositReceive(), SYSTEM)
    return ties(account)


def funded_again(account: Account) -> bool:
    """Whether another deposit from there is written down."""
    before = account.head.seq
    funded(account)
    return account.head.seq > before


def ties(account: Account) -> set[bytes]:
    """The ties an account has."""
    return set(ties_of(account.head, POLICY, account.now))


class TestTies:
    """What ties an account, and for how long."""

    def test_a_device_ties(self) -> None:
        """Whoever signs in from a device is tied to it; from one that so many use that it says nothing, he is not."""
        account, _ = grown()
        account.from_device = (device(accounts=MOST + 1),)
        account.sign_in()
        assert not ties(account)
        account.from_device = (device(accounts=MOST),)
        account.sign_in()
        assert ties(account) == {PHONE}
        account.from_device = (device(accounts=MOST + 1),)
        account.sign_in()
        assert not ties(account)

    def test_an_address_ties(self) -> None:
        """Whoever enters an address is tied to it."""
        account, session = grown()
        account.shared = (SharedFact(ADDRESS, 0, 1, 1, MULE, 2),)
        account.ask(AddressAdd(sealed("mule"), "bitcoin", destination("mule")), session, *account.head.authenticators)
        assert ties(account) == {MULE}

    def test_what_is_refused_ties_nobody(self) -> None:
        """An address that nobody proved to want, and a device from which nobody came in, tie nobody."""
        account, session = grown()
        account.shared = (SharedFact(ADDRESS, 0, 1, 1, MULE, 2),)
        account.ask(AddressAdd(sealed("mule"), "bitcoin", destination("mule")), session)
        assert not ties(account)

    def test_a_tie_is_written_once_a_day(self) -> None:
        """A tie that is met again within a day is not written again, and keeps its beginning when it is."""
        account, _ = grown()
        account.from_device = (device(),)
        account.sign_in()
        first = account.now
        account.wait(hours=23)
        account.sign_in()
        assert not found(account, ev.Tied)
        account.wait(hours=1)
        account.sign_in()
        assert account.head.ties[PHONE] == Tie(first, account.now)

    def test_a_tie_is_forgotten(self) -> None:
        """A device that was not met for the policy's days ties no more."""
        account, _ = grown()
        account.from_device = (device(),)
        account.sign_in()
        account.wait(days=POLICY.trades.cluster_d)
        assert not ties(account)

    def test_ties_are_few(self) -> None:
        """Of many ties those that were met last are kept."""
        kept: dict[bytes, Tie] = {}
        for number in range(TIES_KEPT + 2):
            kept = met(kept, ev.Tied(number, bytes([number])))
        assert list(kept) == [bytes([number]) for number in range(2, TIES_KEPT + 2)]

    def test_a_source_of_deposits_ties(self) -> None:
        """Where a deposit came from ties, once a day, unless too many are funded from there: then that is no tie."""
        account, _ = grown()
        assert funded(account) == {WALLET}
        assert not funded_again(account)
        account.wait(hours=24)
        assert funded_again(account)
        assert account.head.ties[WALLET] == Tie(account.now - DAY, account.now, funds=True)
        assert not funded(account, MOST + 1)
        assert not funded(account, MOST + 2)

    def test_the_first_too_many_is_written_down(self) -> None:
        """The first account too many is noted, for those before it; the ones after leave no trace."""
        account, _ = grown()
        before = account.head.seq
        assert not funded(account, MOST + 2)
        assert account.head.seq == before
        assert not funded(account, MOST + 1)
        (tied,) = found(account, ev.Tied)
        assert (tied.counts, tied.funds, account.head.seq) == (False, True, before + 1)
        head = account.head
        assert not funded(account, MOST + 1)
        assert (account.head.ties, account.head.seq) == (head.ties, head.seq + 1), "told again it is one more entry"
        assert not funded(account, MOST + 2)
        assert account.head.seq == head.seq + 1

    def test_deposits_push_out_no_device(self) -> None:
        """Of what deposits came from those met last are kept, beside the devices and addresses, not in their place."""
        account, _ = grown()
        account.from_device = (device(),)
        account.sign_in()
        for number in range(TIES_KEPT + 2):
            funded(account, key=bytes([number]))
        assert ties(account) == {PHONE, *(bytes([number]) for number in range(2, TIES_KEPT + 2))}

    def test_nobody_is_made_kin_by_a_deposit(self) -> None:
        """Anybody may send something to anybody: an old source in common excuses nothing, whoever's tie it is."""
        base, now = grown()[0].head, 60 * DAY
        one, other = (replace(base, ties={WALLET: Tie(0, now, funds=funds)}) for funds in (True, False))
        assert not are_kin(one, one, POLICY, now)
        assert not are_kin(one, other, POLICY, now)
        assert not are_kin(other, one, POLICY, now)
        assert are_kin(other, other, POLICY, now)

    def test_the_staff_has_none(self) -> None:
        """A colleague's device, which customers may have used, ties him to nobody."""
        rita = Colleague("rita", Role.SUPPORT).stream
        rita.from_device = (device(),)
        rita.sign_in()
        assert found(rita, ev.SessionStarted)
        assert not rita.head.ties

    def test_kin_are_so_for_long(self) -> None:
        """Accounts are kin by what both have had for as long as a victim must be old; a thief's device is new."""
        long_ago, lately, now = 0, 30 * DAY + 1, 60 * DAY
        base = grown()[0].head
        old, new = (replace(base, ties={PHONE: Tie(since, now)}) for since in (long_ago, lately))
        assert are_kin(old, old, POLICY, now)
        assert not are_kin(old, new, POLICY, now)
        assert not are_kin(new, old, POLICY, now)
        assert not are_kin(old, replace(old, ties={MULE: Tie(0, now)}), POLICY, now)


def robbed(seller: Account, *names: str) -> None:
    """So many who look robbed lose five hundred dollars each to a seller, who may not let them leave for a day."""
    for name in names:
        until = (-(-seller.now // HOUR) + 24) * HOUR
        mark = ev.ValueReceived(seller.now, 500 * USD, until, name, until + 2 * DAY)
        seller.received((mark, ev.ProceedsSeen(seller.now, name, 500 * USD)))
    seller.stopped |= dict.fromkeys(names, ())


def pays(seller: Account, usd: str = "5") -> Any:  # noqa: ANN401 - a decision
    """The seller asks to let value leave."""
    action = ExitRequest("withdrawal", "USD", usd, address=destination("home"), network="bitcoin")
    return seller.ask(action, seller.sign_in(), *seller.head.authenticators)


def a_seller() -> Account:
    """A seller with a tie, who owns little but what he gained."""
    seller, _ = grown(equity="500")
    seller.from_device = (device(),)
    seller.sign_in()
    return seller


def lost(seller: Account, *names: str, hours: float = 0, accounts: int = 3) -> None:
    """So many lost something to others of the seller's cluster, that much later."""
    at = int(seller.now + hours * HOUR) // HOUR * HOUR
    seller.losses = {PHONE: LossFact(PHONE, accounts, tuple((name, at) for name in names))}


def held(seller: Account) -> list[int]:
    """What was held by clusters or by the seller's own victims."""
    return [one.micro_usd for one in seller.log if isinstance(one, ev.ProceedsHeld)]


class TestProceeds:
    """Three victims, three accounts of one thief."""

    def test_three_victims_of_a_cluster_hold_the_proceeds(self) -> None:
        """What one victim gave stays for three days, if two more gave to others who share the device."""
        seller = a_seller()
        robbed(seller, "v1")
        hour = seller.now // HOUR
        lost(seller, "v1", "v2", "v3")
        seller.wait(hours=26)
        answer = pays(seller)
        assert isinstance(answer, Hold)
        assert codes(answer) == ["received_lately"]
        assert answer.release_at == (hour + 1 + 72) * HOUR
        assert held(seller) == [500 * USD]
        assert "received_lately" in codes(pays(seller))
        assert held(seller) == [500 * USD]

    def test_a_release_asks_too(self) -> None:
        """An exit that was held meanwhile is weighed by it as well."""
        seller = a_seller()
        seller.reconciling = True
        waits = pays(seller)
        seller.reconciling = False
        robbed(seller, "v1")
        lost(seller, "v2", "v3")
        seller.wait(hours=25)
        answer = seller.ask(ExitRelease(waits.id), PLATFORM)
        assert "received_lately" in codes(answer)
        assert held(seller) == [500 * USD]

    @pytest.mark.parametrize(
        ("names", "hours", "accounts"),
        [
            (("v2",), 0, 3),
            (("v1", "v2"), 0, 3),
            (("v2", "v3"), 3, 3),
            (("v2", "v3"), -3, 3),
            (("v2", "v3"), 0, MOST + 1),
        ],
    )
    def test_fewer_or_later_or_strangers_hold_nothing(self, names: tuple[str, ...], hours: int, accounts: int) -> None:
        """Two victims, three who were hours apart, and a tie that too many share, hold nothing."""
        seller = a_seller()
        robbed(seller, "v1")
        lost(seller, *names, hours=hours, accounts=accounts)
        seller.wait(hours=26)
        assert isinstance(pays(seller), Allow)
        assert not held(seller)

    def test_an_honest_market_maker_is_left_alone(self) -> None:
        """Whoever trades with many gains by many: what robbed ones gave him over a day is no theft of his."""
        maker = a_seller()
        for number in range(12):
            robbed(maker, f"v{number}")
            maker.wait(minutes=45)
        maker.wait(hours=24)
        assert isinstance(pays(maker), Allow)
        assert not held(maker)

    def test_what_was_not_read_is_held(self) -> None:
        """A cluster that could not be read counts as one of many victims, once nothing else keeps what was given."""
        seller = a_seller()
        robbed(seller, "v1")
        seller.losses = {PHONE: None}
        assert "received_lately" in codes(pays(seller))
        assert not held(seller)
        hour = seller.now // HOUR
        seller.wait(hours=26)
        assert pays(seller).release_at == (hour + 1 + 72) * HOUR
        assert held(seller) == [500 * USD]

    def test_without_a_victim_nothing_is_asked(self) -> None:
        """Whoever gained nothing of a victim is held by no cluster, nor whose victims are three days old."""
        seller = a_seller()
        lost(seller, "v1", "v2", "v3")
        assert isinstance(pays(seller), Allow)
        robbed(seller, "v1")
        seller.wait(hours=73)
        lost(seller, "v1", "v2", "v3", hours=-73)
        assert isinstance(pays(seller), Allow)
        assert not held(seller)

    def test_among_kin_nobody_is_a_victim(self) -> None:
        """What goes between two accounts that have long been one's own stays a day, and counts for nothing."""
        account, session = settled()
        session = account.sign_in()
        place(account, session, order(1, "1.1"), "bob")
        assert account.last is not None
        assert [type(one) for one in account.last.elsewhere] == [ev.ValueReceived, ev.ProceedsSeen]
        account.kin = True
        place(account, session, order(2, "1.1"), "bob")
        assert [type(one) for one in account.last.elsewhere] == [ev.ValueReceived]


class TestClosing:
    """Whoever is closed for a victim is closed with his cluster."""

    def test_a_cluster_closes_as_one(self) -> None:
        """After an order that gave too much to one account, others that share a tie with it are closed as it is."""
        account, session = settled()
        account.counterparty_ties = (PHONE, MULE)
        assert codes(place(account, session, order(1, "1.5", "100000"), "thief")) == ["over_trade_limit"]
        elsewhere = {"pair": "ETH/USDT"}
        assert codes(place(account, session, order(2, **elsewhere), "thief")) == ["trading_closed"]
        account.counterparty_ties = (MULE,)
        answer = place(account, session, order(3, **elsewhere), "another")
        assert (codes(answer), answer.findings[0].about) == (["trading_closed"], "counterparty thief")
        account.counterparty_ties = (b"else",)
        assert isinstance(place(account, session, order(4, **elsewhere), "honest"), Allow)

    def test_it_opens_by_the_name_that_closed(self) -> None:
        """Opening the counterparty that was closed opens its cluster with it, after the wait."""
        account, session = settled()
        account.counterparty_ties = (PHONE,)
        place(account, session, order(1, "1.5", "100000"), "thief")
        account.ask(LimitSet(trades="counterparty thief"), session, *account.head.authenticators)
        account.deliver()
        account.settle(days=8)
        session = aged(account, account.sign_in())
        assert isinstance(place(account, session, order(2, pair="ETH/USDT"), "another"), Allow)
        assert account.head.closed_ties == {}

    def test_a_report_closes_it_too(self) -> None:
        """What a report brings to light beyond every window closes the cluster of whom it names."""
        account, session = settled()
        account.counterparty_ties = (PHONE,)
        place(account, session, order(1, "1"), "thief")
        report(account, 1, "50", "1000", other="thief")
        assert account.head.closed_ties == {"counterparty thief": (PHONE,)}
        assert codes(place(account, session, order(2, pair="ETH/USDT"), "another")) == ["trading_closed"]

    def test_a_pair_alone_has_no_cluster(self) -> None:
        """An order that names nobody closes its pair and nobody."""
        account, session = settled()
        account.counterparty_ties = (PHONE,)
        place(account, session, order(1, "1.5", "100000"))
        assert account.head.closed_ties == {}
