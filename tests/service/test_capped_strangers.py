"""Where strangers are paid each is capped a day, however the platform writes him."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.service.house import House, settled

from holdback.core.events import HOUR
from holdback.intake import BadRequest

if TYPE_CHECKING:
    from tests.service.house import Customer, Hands

    from holdback.ports import Store


@pytest.fixture
async def alice(store: Store, clock: Hands) -> Customer:
    """A customer who opened p2p and card days ago; bob, another one, has one sub-account, `trading`."""
    house = House(store, clock)
    alice, _ = await settled(house, "alice", "bob")
    for kind in ("p2p", "card"):
        await alice.ask(alice.body("address.add", name=kind, network=kind, proofs=alice.proofs()))
    await house.deliver()
    clock.at += 73 * HOUR
    await alice.sign_in()
    await house.deliver()
    await house.priced()
    return alice


async def refused(alice: Customer, kind: str, whom: str) -> str:
    """Why eight thousand dollars are refused; "" if they are not."""
    fields: dict[str, Any] = {"kind": kind, "asset": "USDT", "amount": "8000", "usd": "8000", "counterparty": whom}
    answer = await alice.ask(alice.body("exit.request", proofs=alice.proofs(), **fields))
    return str(answer["reasons"][0]["code"]) if answer["decision"] == "deny" else ""


async def test_a_customer_is_capped_with_all_his_sub_accounts(alice: Customer) -> None:
    """Whichever account of his a buyer names, it is he who is paid; one that he does not have is nobody's."""
    assert await refused(alice, "p2p_sale", "bob.nosuch") == "counterparty_unknown"
    assert not await refused(alice, "p2p_sale", "bob.trading")
    for name in ("bob", "bob.trading"):
        assert await refused(alice, "p2p_sale", name) == "stranger_cap"
    assert len((await alice.house.head("alice")).strangers) == 1


async def test_a_sub_account_that_there_is_not_is_not_paid_elsewhere(alice: Customer) -> None:
    """A transfer to a sub-account arrives, or is refused before anything is drawn."""
    assert await refused(alice, "internal_transfer", "bob.nosuch") == "counterparty_unknown"
    assert not await refused(alice, "internal_transfer", "bob.trading")


async def test_a_merchant_is_capped_however_he_is_written(alice: Customer) -> None:
    """Case, width, spaces and what cannot be seen make no other merchant; no letter at all makes none."""
    assert not await refused(alice, "card", "Corner Shop")
    for name in ("corner shop", " Corner  Shop ", "\uff23orner Shop", "Cor\u200bner Shop", "CORNER SHOP"):
        assert await refused(alice, "card", name) == "stranger_cap"
    assert not await refused(alice, "card", "Other Shop")
    with pytest.raises(BadRequest, match="merchant") as caught:
        await refused(alice, "card", " \u200b ")
    assert caught.value.pointer == "/counterparty"
