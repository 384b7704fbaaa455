"""The wallet signer: it pays what a receipt says, once, and nothing else whoever asks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest
from tests.exchange.till import BITCOIN, HELD, NOW, WITHDRAWAL, Till

from holdback.client import (
    KeyUnknown,
    ReceiptExpired,
    ReceiptForged,
    ReceiptMismatch,
    ReceiptRefused,
    ReceiptUsed,
    action_digest,
)
from holdback.exchange.books import NotCovered
from holdback.exchange.signer import NotPayable, units
from holdback.receipts import ReceiptKeys

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = Path(__file__).parents[2]
THIEF: Final = "bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3"


@pytest.fixture
def till(tmp_path: Path) -> Till:
    """Alice's money, and a signer over it."""
    return Till(tmp_path / "books.db")


def test_it_pays_what_the_receipt_says(till: Till) -> None:
    """A receipt for exactly this action lets exactly its amount go."""
    payment = till.signer.pay("alice", WITHDRAWAL, till.receipt())

    assert payment == ("alice/7", "alice", "withdrawal", "BTC", BITCOIN // 4, WITHDRAWAL["address"])
    assert till.books.balances("alice") == HELD | {"BTC": HELD["BTC"] - BITCOIN // 4}
    assert till.books.payments("alice") == [payment]
    assert till.spent() == ["alice/7"]


def test_it_pays_with_the_memo_that_the_receipt_names(till: Till) -> None:
    """Where one address serves many, the memo is part of whom is paid; with another one, or none, nothing moves."""
    order = WITHDRAWAL | {"memo": "104772"}
    receipt = till.receipt(order)
    for other in (WITHDRAWAL, WITHDRAWAL | {"memo": "990041"}):
        with pytest.raises(ReceiptMismatch):
            till.signer.pay("alice", other, receipt)

    assert till.signer.pay("alice", order, receipt).payee == f"{WITHDRAWAL['address']}?memo=104772"


@pytest.mark.parametrize("kind", ["internal_transfer", "p2p_sale"])
def test_value_that_stays_inside_arrives(till: Till, kind: str) -> None:
    """What another customer of the exchange is paid is on his balance in the same transaction."""
    action: dict[str, object] = {"action": "exit.request", "kind": kind, "asset": "BTC", "amount": "1"}
    action |= {"counterparty": "bob"}
    with pytest.raises(NotPayable):  # nobody is there yet: it would be whose who comes next under that name
        till.signer.pay("alice", action, till.receipt(action))
    assert till.untouched()
    till.books.open_account("bob", "bob@example.org", {})

    till.signer.pay("alice", action, till.receipt(action))

    assert till.books.balances("alice")["BTC"] == HELD["BTC"] - BITCOIN
    assert till.books.balances("bob") == {"BTC": BITCOIN}


class Trick(NamedTuple):
    """A way to fool the signer, `how` it is told, and what refuses it."""

    refusal: type[ReceiptRefused | NotPayable]
    receipt: Mapping[str, object] = {}
    action: Mapping[str, object] = {}
    account: str = "alice"
    at: float = NOW


TRICKS: Final = {
    "another amount": Trick(ReceiptMismatch, action={"amount": "2.5"}),
    "another spelling of the amount": Trick(ReceiptMismatch, action={"amount": "0.250"}),
    "another address": Trick(ReceiptMismatch, action={"address": THIEF}),
    "another network": Trick(ReceiptMismatch, action={"network": "lightning"}),
    "another asset": Trick(ReceiptMismatch, action={"asset": "USDT"}),
    "another kind": Trick(ReceiptMismatch, action={"kind": "internal_transfer", "counterparty": "mallory"}),
    "one field more": Trick(ReceiptMismatch, action={"memo": "mallory"}),
    "another account pays": Trick(ReceiptMismatch, account="bob"),
    "another account's receipt": Trick(ReceiptMismatch, receipt={"account": "mallory"}),
    "another account's digest": Trick(ReceiptMismatch, receipt={"action_digest": action_digest("mallory", WITHDRAWAL)}),
    "a hold": Trick(ReceiptMismatch, receipt={"decision": "hold"}),
    "a denial": Trick(ReceiptMismatch, receipt={"decision": "deny"}),
    "its last second over": Trick(ReceiptExpired, at=NOW + 60),
    "a day late": Trick(ReceiptExpired, at=NOW + 86_400),
    "issued in the future": Trick(ReceiptExpired, at=NOW - 1),
    "a clock that is no number": Trick(ReceiptExpired, at=float("nan")),
}
"""What is signed by Holdback, yet not for this, or not now."""


@pytest.mark.parametrize("name", TRICKS)
def test_it_refuses_what_was_not_allowed(till: Till, name: str) -> None:
    """A genuine receipt pays for nothing but its own action, of its own account, in its own minute."""
    trick = TRICKS[name]
    till.now = trick.at

    with pytest.raises(trick.refusal):
        till.signer.pay(trick.account, {**WITHDRAWAL, **trick.action}, till.receipt(**trick.receipt))

    assert till.untouched()


def test_it_refuses_a_thiefs_own_key(till: Till, tmp_path: Path) -> None:
    """A receipt that is right in every word but signed by another key is refused."""
    thief = Till(tmp_path / "other.db")

    with pytest.raises(KeyUnknown):
        till.signer.pay("alice", WITHDRAWAL, thief.receipt())

    assert till.untouched()


def test_it_refuses_an_altered_receipt(till: Till) -> None:
    """A receipt of which any part was changed, cut off or replaced is refused."""
    genuine = till.receipt()
    header, payload, signature = genuine.split(".")
    _, other_payload, other_signature = till.receipt(id="alice/8").split(".")
    altered = {
        f"{header}.{other_payload}.{signature}",
        f"{header}.{payload}.{other_signature}",
        f"{header}.{payload}.",
        f"{header}..{signature}",
        f".{payload}.{signature}",
        genuine[:-1],
        genuine + "=",
        "",
    }

    for receipt in altered:
        with pytest.raises(ReceiptForged):
            till.signer.pay("alice", WITHDRAWAL, receipt)

    assert till.untouched()


UNPAYABLE: Final[dict[str, dict[str, object]]] = {
    "a sign-in": {"action": "session.start"},
    "a new address": {"action": "address.add"},
    "a release, which names no amount of its own": {"action": "exit.release", "which": "x7"},
    "a kind this signer does not pay": {"kind": "card"},
    "nobody to pay": {"address": None},
    "a memo that is no text": {"memo": 7},
    "a number for an amount": {"amount": 1},
    "nothing": {"amount": "0.00000000"},
    "less than nothing": {"amount": "-0.25"},
    "no number": {"amount": "NaN"},
    "digits of another script": {"amount": "\u0661"},
    "an exponent": {"amount": "1e3"},
    "more places than the asset has": {"amount": "0.000000001"},
    "more than all there is": {"amount": "99999999999"},
}
"""What no receipt makes payable."""


@pytest.mark.parametrize("name", UNPAYABLE)
def test_it_pays_orders_only(till: Till, name: str) -> None:
    """A genuine receipt for anything but a well-formed exit pays nothing."""
    action = WITHDRAWAL | UNPAYABLE[name]

    with pytest.raises(NotPayable):
        till.signer.pay("alice", action, till.receipt(action))

    assert till.untouched()


def test_what_is_not_covered_spends_no_receipt(till: Till) -> None:
    """An order for more than the account holds moves nothing and leaves its receipt good."""
    action = WITHDRAWAL | {"amount": "3.00000001"}

    with pytest.raises(NotCovered):
        till.signer.pay("alice", action, till.receipt(action))

    assert till.untouched()


def test_amounts_are_exact() -> None:
    """An amount becomes smallest units without rounding."""
    assert units("0.00000001") == 1
    assert units("1") == BITCOIN
    assert units("1234567890.12345678") == 123_456_789_012_345_678


def test_a_replayed_receipt_pays_nothing(till: Till) -> None:
    """A receipt that paid once pays no second time, nor does a fresh signature over the same id."""
    till.signer.pay("alice", WITHDRAWAL, till.receipt())
    after = till.books.balances("alice")

    for again in (till.receipt(), till.receipt(expires_at=NOW + 59)):
        with pytest.raises(ReceiptUsed):
            till.signer.pay("alice", WITHDRAWAL, again)

    assert till.books.balances("alice") == after
    assert len(till.books.payments("alice")) == 1


def test_two_payouts_of_one_receipt_at_once(till: Till) -> None:
    """Of many signers that pay one receipt at the same moment, one pays."""
    signers = 8
    receipt, barrier = till.receipt(), Barrier(signers)

    def pay(_: int) -> bool:
        barrier.wait()
        try:
            till.signer.pay("alice", WITHDRAWAL, receipt)
        except ReceiptUsed:
            return False
        return True

    with ThreadPoolExecutor(signers) as threads:
        paid = list(threads.map(pay, range(signers)))

    assert sum(paid) == 1
    assert till.books.balances("alice")["BTC"] == HELD["BTC"] - BITCOIN // 4
    assert len(till.books.payments("alice")) == 1


def test_two_receipts_never_overdraw(till: Till) -> None:
    """Two payouts at once that the balance covers only one of move the money once."""
    action = WITHDRAWAL | {"amount": "2"}
    barrier = Barrier(2)

    def pay(name: str) -> bool:
        barrier.wait()
        try:
            till.signer.pay("alice", action, till.receipt(action, id=name))
        except NotCovered:
            return False
        return True

    with ThreadPoolExecutor(2) as threads:
        paid = list(threads.map(pay, ("alice/7", "alice/8")))

    assert sorted(paid) == [False, True]
    assert till.books.balances("alice")["BTC"] == HELD["BTC"] - 2 * BITCOIN
    assert len(till.spent()) == 1


@pytest.mark.parametrize("moment", ["consume", "debit", "write_payment", "committed"])
def test_a_payout_and_its_receipt_are_one_transaction(till: Till, tmp_path: Path, moment: str) -> None:
    """A signer that is killed at any moment of a payout has moved the money and spent the receipt, or neither."""
    (tmp_path / "keys.json").write_text(till.keys.to_json())
    receipt = till.receipt()
    program = [sys.executable, "-m", "tests.exchange.dying_signer"]
    given = [str(tmp_path / "books.db"), str(tmp_path / "keys.json"), receipt, moment]

    died = subprocess.run([*program, *given], cwd=ROOT, env=os.environ | {"PYTHONPATH": "."}, check=False)

    assert died.returncode == -signal.SIGKILL
    paid = moment == "committed"
    assert till.untouched() is not paid
    assert (till.spent(), len(till.books.payments("alice"))) == ((["alice/7"], 1) if paid else ([], 0))
    if paid:
        with pytest.raises(ReceiptUsed):
            till.signer.pay("alice", WITHDRAWAL, receipt)
    else:
        till.signer.pay("alice", WITHDRAWAL, receipt)
    assert till.books.balances("alice")["BTC"] == HELD["BTC"] - BITCOIN // 4


def test_keys_rotate_under_a_running_signer(till: Till) -> None:
    """A receipt under a key that was rotated away is still paid while the key is published."""
    receipt = till.receipt()
    rotated = till.keys.rotated()
    signer = Till(till.books.path, ReceiptKeys.parse(rotated.to_json())).signer

    with pytest.raises(ReceiptExpired):
        signer.pay("alice", WITHDRAWAL, till.receipt(expires_at=NOW))
    assert signer.pay("alice", WITHDRAWAL, receipt).units == BITCOIN // 4
