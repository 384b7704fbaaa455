"""The market: what a receipt allows is matched once, at the best price, and only what is there changes hands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.exchange.till import BITCOIN, HELD, NOW, Till, offline

from holdback.client import ReceiptMismatch, ReceiptUsed, action_digest
from holdback.exchange.books import NotCovered
from holdback.exchange.market import Market
from holdback.exchange.signer import NotPayable

if TYPE_CHECKING:
    from pathlib import Path

PRICE: Final = 100
ORDER: Final[dict[str, object]] = {
    "action": "order.place",
    "order": "o1",
    "pair": "BTC/USDT",
    "side": "buy",
    "price": "100",
    "amount": "2",
}


class Stall:
    """A market in which Alice and Bob trade, and the desk quotes a bitcoin at 100 dollars."""

    def __init__(self, path: Path) -> None:
        """Open it."""
        self.till = Till(path)
        self.till.books.open_account("bob", "bob@example.org", HELD)
        self.open_desk()
        self.market = Market(self.till.books, offline(self.till.keys), clock=lambda: self.till.now)
        self._receipts = 0

    def open_desk(self, *, trades: bool = True) -> None:
        """Have the desk quote, and trade or not."""
        self.till.books.quote("BTC/USDT", PRICE * BITCOIN, desk=trades)

    def match(self, account: str, *, rests: bool = False, **other: object) -> list[tuple[int, int, str]]:
        """Match an order that Holdback allowed; price, amount and counterparty of each fill of this account's."""
        action = ORDER | other
        fills = self.market.match(account, action, self.receipt(account, action), rests=rests)
        return [
            (one.price // BITCOIN, one.amount // BITCOIN, one.counterparty) for one in fills if one.account == account
        ]

    def receipt(self, account: str, action: dict[str, Any]) -> str:
        """Holdback's receipt for an order."""
        self._receipts += 1
        digest = action_digest(account, action)
        said = {"account": account, "action_digest": digest, "id": f"{account}/{self._receipts}"}
        return self.till.receipt(action, **said, issued_at=NOW)

    def holds(self, account: str) -> tuple[int, int]:
        """Bitcoins and dollars of an account."""
        held = self.till.books.balances(account)
        return held["BTC"] // BITCOIN, held["USDT"] // BITCOIN


@pytest.fixture
def stall(tmp_path: Path) -> Stall:
    """A market before anybody has come."""
    return Stall(tmp_path / "books.db")


def test_an_order_is_matched_at_the_best_price_first(stall: Stall) -> None:
    """A cheaper offer of a customer's comes before the desk's quote, and both sides are paid."""
    stall.open_desk(trades=False)
    assert stall.match("bob", rests=True, order="b1", side="sell", price="90", amount="1") == []
    assert stall.holds("bob") == (2, 500)

    stall.open_desk()
    assert stall.match("alice") == [(90, 1, "bob"), (100, 1, "")]

    assert stall.holds("alice") == (5, 310)
    assert stall.holds("bob") == (2, 590)
    assert [one.counterparty for one in stall.market.fills("bob", "b1")] == ["alice"]


def test_nobody_trades_beyond_his_worst_price(stall: Stall) -> None:
    """What nobody offers at the price or better is not matched, and lapses unless it was to rest."""
    assert stall.match("alice", price="99") == []
    assert stall.match("alice", order="o2", side="sell", price="101") == []
    assert stall.match("bob", order="b1", side="sell", price="101") == []
    assert stall.match("alice", order="o3", price="101", amount="1") == [(100, 1, "")]
    assert stall.holds("alice") == (4, 400)


def test_what_rests_is_paid_in_and_taken_back(stall: Stall) -> None:
    """An offer's price is set aside as it is made, is nobody else's to take back, and comes back whole."""
    stall.match("alice", rests=True, price="50")
    assert stall.holds("alice") == (3, 400)

    assert not stall.market.withdraw("bob", "o1")
    assert stall.market.withdraw("alice", "o1")

    assert stall.holds("alice") == (3, 500)
    assert not stall.market.withdraw("alice", "o1")


def test_nobody_trades_with_himself(stall: Stall) -> None:
    """An account's order is never matched with its own offer."""
    stall.open_desk(trades=False)
    stall.match("alice", rests=True, order="o1", side="sell", price="80", amount="1")

    assert stall.match("alice", order="o2", price="80") == []


def test_many_parts_move_no_more_than_the_whole(stall: Stall) -> None:
    """However an offer to buy is taken apart, and whatever is taken back, nobody has what was nobody's before."""
    stall.open_desk(trades=False)
    bid = {"side": "buy", "price": "0.00000001", "amount": "0.00000010"}
    stall.match("alice", rests=True, order="o1", **bid)
    for number in range(7):
        stall.match("bob", order=f"b{number}", side="sell", price="0.00000001", amount="0.00000001")
    assert stall.market.withdraw("alice", "o1")
    sums = [sum(stall.till.books.balances(one)[asset] for one in ("alice", "bob")) for asset in ("BTC", "USDT")]
    assert sums == [2 * HELD["BTC"], 2 * HELD["USDT"]]


def test_the_desk_gives_nothing_for_less_than_nothing(stall: Stall) -> None:
    """What is sold to the desk in many parts brings no more than the same at once."""
    stall.till.books.quote("BTC/USDT", BITCOIN // 2, desk=True)
    for number in range(9):
        stall.match("alice", order=f"o{number}", side="sell", price="0.1", amount="0.00000001")
    assert stall.till.books.balances("alice") == {"BTC": HELD["BTC"] - 9, "USDT": HELD["USDT"]}


def test_a_name_rests_once(stall: Stall) -> None:
    """A second order under the name of one that rests is refused, and sets nothing aside."""
    stall.open_desk(trades=False)
    stall.match("alice", rests=True, price="50")
    held = stall.holds("alice")
    with pytest.raises(NotPayable):
        stall.match("alice", rests=True, price="40")
    assert stall.holds("alice") == held


def test_an_order_is_matched_against_its_own_receipt_once(stall: Stall) -> None:
    """A receipt for another order, another account or a second time matches nothing."""
    receipt = stall.receipt("alice", ORDER)
    with pytest.raises(ReceiptMismatch):
        stall.market.match("alice", ORDER | {"price": "1000"}, receipt)
    with pytest.raises(ReceiptMismatch):
        stall.market.match("bob", ORDER, receipt)
    stall.market.match("alice", ORDER, receipt)

    with pytest.raises(ReceiptUsed):
        stall.market.match("alice", ORDER, receipt)

    assert stall.holds("alice") == (5, 300)


def test_what_is_not_held_is_not_traded(stall: Stall) -> None:
    """An order that its account cannot pay for moves nothing, and spends no receipt."""
    with pytest.raises(NotCovered):
        stall.match("alice", amount="9")
    with pytest.raises(NotCovered):
        stall.match("alice", order="o2", rests=True, price="9999999999", amount="9999999999")

    assert stall.till.untouched()


@pytest.mark.parametrize("wrong", [{"side": "give"}, {"pair": "BTC"}, {"amount": "0"}, {"price": "-1"}, {"order": ""}])
def test_what_is_no_order_is_refused(stall: Stall, wrong: dict[str, Any]) -> None:
    """A receipt for something that is no order matches nothing, whoever allowed it."""
    with pytest.raises(NotPayable):
        stall.match("alice", **wrong)
