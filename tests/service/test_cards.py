"""Card payments through the real service: authorised with a margin, charged, and charged once more."""

from __future__ import annotations

from tests.service.house import PLATFORM, House, settled

from holdback.core import events as ev
from holdback.core.events import HOUR

SHOP = {"kind": "card", "asset": "USDT", "amount": "1000", "usd": "1000", "counterparty": "Shop"}


async def test_a_merchant_charges(house: House) -> None:
    """What is left of the margin comes free; what is charged again is drawn, told, and never refused."""
    (alice,) = await settled(house, "alice")
    opened = await alice.ask(alice.body("address.add", proofs=alice.proofs(), name="anybody", network="card"))
    assert opened["decision"] == "allow", opened
    await house.deliver()
    house.clock.at += 73 * HOUR
    await alice.sign_in(alice.next_code())
    await house.priced()
    authorised = await alice.ask(alice.body("exit.request", proofs=alice.proofs(), **SHOP))
    assert authorised["receipt"], authorised
    (gone,) = await house.happened("alice", ev.ExitAllowed)
    assert (gone.micro_usd, gone.margin_micro_usd) == (1_200_000_000, 200_000_000)

    said = {"action": "exit.settle", "which": gone.exit, "reference": "slip 1", "usd": "1150", "actor": PLATFORM}
    for usd, slip, code in (("1150", "1", "no_harm"), ("90", "2", "charged_more"), ("90", "2", "no_harm")):
        answer = await house.ask("alice", said | {"usd": usd, "reference": f"slip {slip}"})
        assert (answer["decision"], [one["code"] for one in answer["reasons"]]) == ("allow", [code])
    (cleared,), (exceeded,) = [await house.happened("alice", kind) for kind in (ev.ExitCleared, ev.ExitExceeded)]
    assert (cleared.refund_micro_usd, exceeded.micro_usd) == (50_000_000, 90_000_000)
