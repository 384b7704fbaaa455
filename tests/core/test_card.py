"""Card payments: a margin is set aside, a charge corrects what is drawn, and what is beyond it is drawn and told."""

from __future__ import annotations

from typing import Final

import pytest
from msgspec.structs import replace
from tests.core.histories import PLATFORM, USD, Account, codes, destination, grow, held_id, policy_with, sealed

from holdback.core import breaker
from holdback.core import events as ev
from holdback.core.decision import Allow, Reason
from holdback.core.events import DAY, Lane
from holdback.core.rules.address import AddressAdd
from holdback.core.rules.exit import ExitRelease, ExitRequest, ExitSettle
from holdback.core.state import Customer

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


def charged(account: Account, which: str, usd: str, slip: str = "slip") -> list[str]:
    """The platform says what it came to; the codes of the answer."""
    return codes(account.ask(ExitSettle(which, slip, usd=usd), PLATFORM))


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
    assert charged(account, which, "300", "slip 2") == ["charged_more"]
    assert drawn(account) == 1500
    assert charged(account, which, "0", "slip 3") == ["no_harm"]


def test_one_charge_said_twice_is_one() -> None:
    """The same name for a charge is the same charge, whatever is said of it: nothing more is drawn or written."""
    account, session = cardholder()
    which = paid(account, session)
    for _ in range(2):
        charged(account, which, "1500")
    assert drawn(account) == 1500
    assert not [one for one in account.last_events() if isinstance(one, ev.ExitSettled | ev.ExitExceeded)]


def test_cents_bury_nothing() -> None:
    """The owner is told each time that what is charged beyond it has doubled, so of anything large at once."""
    account, session = cardholder()
    which = paid(account, session)
    charged(account, which, "1200", "first")
    for number in range(100):
        charged(account, which, "0.01", f"cent {number}")
    charged(account, which, "500", "large")
    told = [one for one in account.log if isinstance(one, ev.NoticeDue) and one.cause == "exit.exceeded"]
    assert len(told) == 8
    assert told[-1].at == account.now


def test_nothing_comes_back_in_doubt() -> None:
    """While the clock is in doubt, or a restore is worked through, a charge frees nothing of the margin."""
    for doubt in ({"clock_agrees": False}, {"reconciling": True}):
        account, session = cardholder()
        which = paid(account, session)
        for name, value in doubt.items():
            setattr(account, name, value)
        assert charged(account, which, "1000") == ["no_harm"]
        assert drawn(account) == 1200


def test_an_authorisation_expires() -> None:
    """After its time a charge is drawn in full, for nothing of what was set aside is left in the window."""
    account, session = cardholder()
    which = paid(account, session)
    account.wait(days=7)
    assert charged(account, which, "1000") == ["charged_more"]
    assert [one.micro_usd for one in account.log if isinstance(one, ev.ExitExceeded)] == [1000 * USD]
    paid(account, account.sign_in(), "1")
    assert which not in account.head.cards
    assert charged(account, which, "1000", "again") == ["charged_more"]


def test_pushed_out_is_charged_all_the_same() -> None:
    """Only 64 payments are kept; what an older one is charged is drawn in full and told, so that many hide none."""
    account, session = cardholder()
    first, second = paid(account, session, "1"), paid(account, session, "1")
    for _ in range(63):
        paid(account, session, "1")
    assert len(account.head.cards) == 64
    assert charged(account, second, "1") == ["no_harm"]
    before = sum(account.head.meters[Lane.OTHERS].hours.values())
    assert charged(account, first, "9000") == ["charged_more"]
    assert sum(account.head.meters[Lane.OTHERS].hours.values()) == before + 9000 * USD
    assert [one.cause for one in account.last_events() if isinstance(one, ev.NoticeDue)] == ["exit.exceeded"]


@pytest.mark.parametrize("which", ["x99999", "7", "xx", "x", "c1"])
def test_what_never_was_is_not_charged(which: str) -> None:
    """A name that no exit can have had draws nothing."""
    account, session = cardholder()
    paid(account, session)
    assert charged(account, which, "5") == [Reason.NOT_FOUND]


def test_overcharges_count_for_the_breaker() -> None:
    """What is charged beyond authorisations leaves to somebody new: a mass theft of it trips the breaker."""
    account, session = cardholder()
    charged(account, paid(account, session), "1500")
    (exceeded,) = (one for one in account.last_events() if isinstance(one, ev.ExitExceeded))
    assert isinstance(exceeded, breaker.COUNTED)
    customer = Customer(account.head, {})
    assert breaker.flow_of(customer, exceeded, account.policy) == breaker.Flow(300 * USD, 0)
    changed = Customer(replace(account.head, changed_at=account.now), {})
    assert breaker.flow_of(changed, exceeded, account.policy) == breaker.Flow(300 * USD, 300 * USD)


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
    """Of anything but a card payment no charge is taken, nor with the stage of a sale, nor one beyond all reason."""
    account, session = cardholder()
    which = paid(account, session)
    assert codes(account.ask(ExitSettle(which, "slip", "paid", "1"), PLATFORM)) == [Reason.BAD_FIELD]
    assert charged(account, which, "1000000001") == [Reason.BAD_FIELD]
    gone = account.ask(
        ExitRequest("withdrawal", "USD", "10", address=destination("cold"), network="bitcoin"), session, *PROOFS
    )
    assert isinstance(gone, Allow), gone
    assert gone.id is not None
    assert charged(account, gone.id, "1") == [Reason.BAD_FIELD]
    held = account.ask(ExitRequest("card", "USD", "200000", counterparty=SHOP), session, *PROOFS)
    assert codes(held) == [Reason.STRANGER_CAP]
    waits = held_id(
        account.ask(
            ExitRequest("withdrawal", "USD", "900000", address=destination("cold"), network="bitcoin"), session, *PROOFS
        )
    )
    assert charged(account, waits, "1") == [Reason.STILL_HELD]
