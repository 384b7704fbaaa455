"""Destinations: wrong addresses stop at the door, and two spellings of one address are one beneficiary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.service.house import HOME, PLATFORM, STRANGER, Customer, House, settled

from holdback.intake import BadRequest

if TYPE_CHECKING:
    from collections.abc import Callable

EVM: Final = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
WRONG: Final[dict[str, tuple[str, str]]] = {
    "a Bech32 address with a slip": ("bitcoin", STRANGER[:-1] + "5"),
    "one of another network": ("bitcoin", "ltc1q94c3vs4hy6cygqtz0j5lhtpj7hy9xra35jqzmw"),
    "one of Bitcoin on Tron": ("tron", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
    "a letter in the wrong case": ("ethereum", EVM.replace("aA", "aa")),
    "a short one": ("solana", "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5"),
    "no Base58": ("dogecoin", "D9HNRJwrVQSiQMWc3JSw3bYaL6DVUzwB0O"),
    "a space behind it": ("ripple", "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh "),
}


async def alone(house: House) -> Customer:
    """One customer, whose book is ripe."""
    alice, _ = await settled(house, "alice", "bob")
    return alice


@pytest.mark.parametrize(("network", "address"), WRONG.values(), ids=WRONG)
async def test_a_wrong_address_stops_at_the_door(house: House, network: str, address: str) -> None:
    """An address that is not written as its network writes them is a problem of `/address`, and leaves no trace."""
    alice = Customer(house, "alice")
    await alice.ask(alice.importing())
    before = await house.head("alice")
    bodies: tuple[dict[str, Any], ...] = (
        alice.body("address.add", name="shop", network=network, address=address),
        alice.body("address.renew", network=network, address=address),
        alice.body("exit.request", kind="withdrawal", asset="USDT", amount="1", network=network, address=address),
        alice.body("recovery.finish", kind="withdrawal", asset="USDT", amount="1", network=network, address=address),
    )
    for body in bodies:
        with pytest.raises(BadRequest) as refused:
            await alice.ask(body)
        assert refused.value.pointer == "/address"
        assert address not in refused.value.detail
    assert await house.head("alice") == before


async def test_an_import_names_the_entry_that_is_wrong(house: House) -> None:
    """Of a whole book the wrong entry is named."""
    alice = Customer(house, "alice")
    body = alice.importing()
    body["address_book"].append({"name": "slip", "network": "bitcoin", "address": f"{HOME[:-1]}x"})
    with pytest.raises(BadRequest) as refused:
        await alice.ask(body)
    assert refused.value.pointer == "/address_book/2/address"
    body["address_book"][-1] = {"name": "elsewhere", "network": "monero", "address": "4" * 95}
    answer = await alice.ask(body)
    assert [one["code"] for one in answer["reasons"]] == ["network_closed"]


async def test_a_network_that_is_not_listed_is_closed(house: House) -> None:
    """Of a network that the policy does not list nobody could say what an address is."""
    alice = await alone(house)
    for body in (
        alice.body("address.add", name="x", network="monero", address="4" * 95),
        alice.body("exit.request", kind="withdrawal", asset="USDT", amount="1", network="monero", address="4" * 95),
    ):
        answer = await alice.ask(body)
        assert (answer["decision"], answer["reasons"][0]["code"]) == ("deny", "network_closed")


SPELLINGS: Final[dict[str, tuple[str, str, Callable[[str], str]]]] = {
    "Bech32 in capitals": ("bitcoin", STRANGER, str.upper),
    "hexadecimal in small letters": ("ethereum", EVM, str.lower),
    "hexadecimal in capitals": ("ethereum", EVM, lambda text: f"0x{text[2:].upper()}"),
}


@pytest.mark.parametrize(("network", "address", "other"), SPELLINGS.values(), ids=SPELLINGS)
async def test_two_spellings_are_one_beneficiary(
    house: House, network: str, address: str, other: Callable[[str], str]
) -> None:
    """Whoever is in the book in one spelling is there in all: he is not entered twice, and paid as himself."""
    alice = await alone(house)
    fields = {"network": network, "address": address}
    entered = await alice.ask(alice.body("address.add", name="shop", proofs=alice.proofs(), **fields))
    assert entered["decision"] == "allow", entered
    fields["address"] = other(address)
    again = await alice.ask(alice.body("address.add", name="shop", proofs=alice.proofs(), **fields))
    assert again["reasons"][0]["code"] == "already_exists"
    await house.deliver()
    house.clock.at += 73 * 3_600_000
    await house.priced()
    await alice.sign_in()
    paid = {"kind": "withdrawal", "asset": "USDT", "amount": "500", "usd": "500", **fields}
    answer = await alice.ask(alice.body("exit.request", proofs=alice.proofs(), **paid))
    assert answer["decision"] == "allow", answer


async def test_what_was_once_taken_can_be_taken_out(house: House) -> None:
    """An entry from before its network was read so is removed by what it was written as."""
    alice = await alone(house)
    answer = await alice.ask(alice.body("address.remove", network="bitcoin", address="bc1qold"))
    assert answer["reasons"][0]["code"] == "not_found"


async def test_nobody_learns_more_of_an_account_that_is_not_there(house: House) -> None:
    """A wrong address is told in the same way for an account that does not exist."""
    body = {"action": "address.add", "actor": PLATFORM, "name": "x", "network": "bitcoin", "address": "bc1qx"}
    with pytest.raises(BadRequest) as refused:
        await house.ask("nobody-here", body)
    assert refused.value.pointer == "/address"
