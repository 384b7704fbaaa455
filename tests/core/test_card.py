"""Card payments: a margin is set aside, a charge corrects what is drawn, and what is beyond it is drawn and told."""

from __future__ import annotations

from typing import Final

import pytest
from tests.core.histories import PLATFORM, USD, Account, codes, destination, grow, held_id, policy_with, sealed

from holdback.core import events as ev
from holdback.core.decision import Allow, Deny, Reason, why
from holdback.core.events import DAY, Lane
from holdback.core.rules.address import AddressAdd
from holdback.core.rules.exit import ExitRelease, ExitRequest, ExitSettle

PROOFS: Final = ("a1-1", "a1-2")
SHOP: Final = destination("shop")


def cardholder(**changed: object) -> tuple[Account, bytes]:
    """An account of a million that opened cards long ago, and its owner's session."""
    account = Account(policy_with(**changed))
    session = grow(account)
    account.ask(AddressAdd(sealed("anybody"), "card"), session, *PROOFS)
    account.settle(days=40)
    return account, account.sign_in()


def paid(account: Account, session: bytes, usd: str = "1000") -> str:
    """Pay a shop; the exit's id."""
    answer = account.ask(ExitRequest("card", "USD", usd, counterparty=SHOP), session, *PROOFS)
    assert isinstance(answer, Allow), answer
    assert answer.id is not None
    return answer.id


def charged(account: Account, which: str, usd: str) -> list[str]:
    """The platform says what it came to; the codes of the answer."""
    return codes(account.ask(ExitSettle(which, "slip", usd=usd), PLATFORM))


def drawn(account: Account) -> int:
    """What is drawn on the lane of others, and by the shop, in USD; both must be one."""
    lane = sum(account.head.meters[Lane.OTHERS].hours.values()) // USD
    (shop,) = account.head.strangers.values()
    assert sum(shop.values()) // USD == lane
    return lane


def test_a_margin_is_set_aside() -> None:
    """A card payment draws a stated part more than it is for, in the budget and in the cap on strangers."""
    account, session = cardholder()
    paid(account, session)
    assert drawn(account) == 1200
    answer = account.ask(ExitRequest("card", "USD", "7400", counterparty=SHOP), session, *PROOFS)
    assert codes(answer) == [Reason.STRANGER_CAP]


@pytest.mark.parametrize(
    ("usd", "left", "said"),
    [
        ("0", 1000, "no_harm"),
        ("1000", 1000, "no_harm"),
        ("1100", 1100, "no_harm"),
        ("1200", 1200, "no_harm"),
        ("1500", 1500, "charged_more"),
    ],
)
def test_a_charge_corrects_what_is_drawn(usd: str, left: int, said: str) -> None:
    """What was set aside beyond the charge comes free, never more than the margin; what is beyond it is drawn now."""
    account, session = cardholder()
    assert charged(account, paid(account, session), usd) == [said]
    assert drawn(account) == left
    told = [one for one in account.log if isinstance(one, ev.NoticeDue) and one.cause == "exit.exceeded"]
    assert bool(told) == (said == "charged_more")


def test_a_second_charge_is_drawn_whole() -> None:
    """What was set aside serves once; whatever else is charged for it is drawn as it comes."""
    account, session = cardholder()
    which = paid(account, session)
    charged(account, which, "1200")
    assert charged(account, which, "300") == ["charged_more"]
    assert sum(account.head.meters[Lane.OTHERS].hours.values()) == 1500 * USD
    assert charged(account, which, "0") == ["no_harm"]


def test_an_authorisation_expires() -> None:
    """After its time a charge is drawn in full, for nothing of what was set aside is left in the window."""
    account, session = cardholder()
    which = paid(account, session)
    account.wait(days=7)
    assert charged(account, which, "1000") == ["charged_more"]
    assert [one.micro_usd for one in account.log if isinstance(one, ev.ExitExceeded)] == [1000 * USD]


def test_only_so_many_are_kept() -> None:
    """Of the last 64 card payments the charge may be said; of an older one its receipt is to be reconciled."""
    account, session = cardholder()
    first, second = paid(account, session, "1"), paid(account, session, "1")
    for _ in range(63):
        paid(account, session, "1")
    assert len(account.head.cards) == 64
    assert charged(account, second, "1") == ["no_harm"]
    assert account.ask(ExitSettle(first, "slip", usd="1"), PLATFORM) == Deny(
        (why(Reason.NOT_FOUND, "exit.reconcile", about="which"),)
    )


def test_what_waited_keeps_its_margin() -> None:
    """A held card payment draws its margin when it goes."""
    account, session = cardholder(**{"outflow.stranger_day_usd": 1_000_000})
    held = account.ask(ExitRequest("card", "USD", "45000", counterparty=SHOP), session, *PROOFS)
    assert "over_budget" in codes(held)
    account.deliver()
    account.now += 4 * DAY
    gone = account.ask(ExitRelease(held_id(held)), PLATFORM)
    assert isinstance(gone, Allow), gone
    (allowed,) = (one for one in account.last_events() if isinstance(one, ev.ExitAllowed))
    assert (allowed.micro_usd, allowed.margin_micro_usd) == (54_000 * USD, 9_000 * USD)


def test_only_cards_are_charged() -> None:
    """Of anything but a card payment no charge is taken, nor with the stage of a sale."""
    account, session = cardholder()
    which = paid(account, session)
    assert codes(account.ask(ExitSettle(which, "slip", "paid", "1"), PLATFORM)) == [Reason.BAD_FIELD]
    gone = account.ask(
        ExitRequest("withdrawal", "USD", "10", address=destination("cold"), network="bitcoin"), session, *PROOFS
    )
    assert isinstance(gone, Allow), gone
    assert gone.id is not None
    assert charged(account, gone.id, "1") == [Reason.BAD_FIELD]
