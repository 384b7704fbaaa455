"""Addresses are read as their networks write them: the networks' own vectors, and ten thousand slips of the hand."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdback import wiring
from holdback.addresses import BASE58, CHECKSUM_FREE, LONGEST, base58, invented, normal, normals, spelled, unbase58
from holdback.core.policy import Network

if TYPE_CHECKING:
    from collections.abc import Callable

NETWORKS: Final = wiring.load_policy("default").networks
TESTNET: Final = Network("segwit", hrp="tb", versions=(111, 196))

SEGWIT: Final = (
    "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
    "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
    "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
    "BC1SW50QGDZ25J",
    "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs",
    "tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy",
    "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
)
"""BIP-350's valid addresses; those of version 0 are BIP-173's."""

NO_SEGWIT: Final = {
    "another network": "tc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq5zuyut",
    "Bech32 for version 1": "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",
    "Bech32 for version 2": "tb1z0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqglt7rf",
    "Bech32 for version 16": "BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL",
    "Bech32m for version 0": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh",
    "Bech32m for version 0, long": "tb1q0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq24jc47",
    "no character of it": "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4",
    "version 17": "BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R",
    "one byte": "bc1pw5dgrnzv",
    "41 bytes": "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav",
    "16 bytes for version 0": "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P",
    "both cases": "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47Zagq",
    "a word too many": "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf",
    "padding that says something": "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vpggkg4j",
    "nothing": "bc1gmk9yu",
}
"""BIP-350's invalid addresses."""

EIP55: Final = (
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
)
"""EIP-55's test cases: all capitals, all small, and both."""

BASE58CHECK: Final = {
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa": "bitcoin",
    "16UwLL9Risc3QfPqBUvKofHmBQ7wMtjvM": "bitcoin",
    "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2": "bitcoin",
    "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy": "bitcoin",
    "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t": "tron",
    "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8": "tron",
}


def which(address: str) -> Network:
    """Bitcoin's main network or its test network."""
    return TESTNET if address.lower().startswith("tb1") else NETWORKS["bitcoin"]


@pytest.mark.parametrize("address", SEGWIT)
def test_segwit_vectors_pass(address: str) -> None:
    """Every valid address of BIP-173 and BIP-350 is taken, and compared in small letters."""
    assert normal(which(address), address) == address.lower()
    assert normal(which(address), address.lower()) == normal(which(address), address.upper())


@pytest.mark.parametrize("address", NO_SEGWIT.values(), ids=NO_SEGWIT)
def test_segwit_vectors_that_are_wrong_are_refused(address: str) -> None:
    """Every invalid address of BIP-350 is refused, and nothing of it is said back."""
    with pytest.raises(ValueError, match=r"^(has|is|must) ") as refused:
        normal(which(address), address)
    assert address not in str(refused.value)


@pytest.mark.parametrize("address", EIP55)
def test_eip_55_vectors_pass(address: str) -> None:
    """EIP-55's addresses are taken in their case, and in one case as such without a checksum; all are one address."""
    forms = {address, address.lower(), f"0x{address[2:].upper()}"}
    assert {normal(NETWORKS["ethereum"], one) for one in forms} == {address.lower()}


@pytest.mark.parametrize("address", [one for one in EIP55 if one[2:].upper() != one[2:] and one.lower() != one])
def test_a_letter_in_the_other_case_breaks_eip_55(address: str) -> None:
    """An address of both cases is refused as soon as one letter has the wrong one."""
    for place in range(2, len(address)):
        if address[place].isalpha():
            with pytest.raises(ValueError, match="EIP-55"):
                normal(NETWORKS["polygon"], address[:place] + address[place].swapcase() + address[place + 1 :])


@pytest.mark.parametrize(("address", "network"), BASE58CHECK.items())
def test_base58check_vectors_pass(address: str, network: str) -> None:
    """Addresses of Bitcoin and Tron that everybody knows are taken on their network and on no other."""
    assert normal(NETWORKS[network], address) == address
    with pytest.raises(ValueError, match="another network"):
        normal(NETWORKS["dogecoin"], address)


@pytest.mark.parametrize(
    "address", ["So11111111111111111111111111111111111111112", "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"]
)
def test_solana_is_32_bytes(address: str) -> None:
    """Solana's addresses are 32 bytes in Base58, and have no checksum."""
    assert normal(NETWORKS["solana"], address) == address
    with pytest.raises(ValueError, match="too short or too long"):
        normal(NETWORKS["solana"], address[:-2])


@pytest.mark.parametrize(
    ("network", "address"),
    [("ripple", "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"), ("cosmos", "cosmos1vqpjljwsynsn58dugz0w8ut7kun7t8ls2qkmsq")],
)
def test_other_networks_are_known_by_checksum_or_pattern(network: str, address: str) -> None:
    """A network of another family is read by its Bech32 prefix or by its pattern."""
    assert normal(NETWORKS[network], address) == address
    for wrong in (address[:-1] + "!", address[:10], f"{address}{address}"):
        with pytest.raises(ValueError, match=r"^(has|is|must) "):
            normal(NETWORKS[network], wrong)


def test_a_q_before_the_last_p_is_found() -> None:
    """Bech32 alone misses a `q` that is put in, or left out, before a last `p`; the length tells it."""
    ending = next(one for number in range(1_000) if (one := invented(NETWORKS["cosmos"], str(number))).endswith("p"))
    with pytest.raises(ValueError, match="too short or too long"):
        normal(NETWORKS["cosmos"], f"{ending[:-1]}qp")


def slips(address: str, chance: random.Random) -> str:
    """An address in which the hand slipped: wrong characters, two in the wrong order, one lost or doubled."""
    place = chance.randrange(len(address))
    other: tuple[Callable[[], str], ...] = (
        lambda: address[:place] + chance.choice(BASE58) + address[place + 1 :],
        lambda: address[:place] + address[place : place + 2][::-1] + address[place + 2 :],
        lambda: address[:place] + address[place + 1 :],
        lambda: address[:place] + address[place] + address[place:],
        lambda: address[:place] + address[place].swapcase() + address[place + 1 :],
        lambda: slips(address[:place] + chance.choice("0123456789abcdef") + address[place + 1 :], chance),
    )
    return chance.choice(other)()


def test_ten_thousand_slips_are_found() -> None:
    """A mistyped address is refused; only in families without a checksum may it be somebody else's."""
    # EIP-55's checksum has as many bits as the address has letters: by the EIP itself one slip in four thousand passes.
    chance = random.Random(20_261_121)
    slipped, passed = Counter[str](), Counter[str]()
    while slipped.total() < 10_000:
        name = chance.choice(list(NETWORKS))
        address = invented(NETWORKS[name], f"{chance.random()}")
        typed = slips(address, chance)
        if typed == address:
            continue
        slipped[NETWORKS[name].family] += 1
        try:
            compared = normal(NETWORKS[name], typed)
        except ValueError:
            continue
        # The same address in another spelling is no slip.
        passed[NETWORKS[name].family] += compared != normal(NETWORKS[name], address)
    assert passed["segwit"] == passed["bech32"] == passed["base58check"] == 0
    assert passed["evm"] <= slipped["evm"] / 1_000
    assert {family for family, times in passed.items() if times} - {"evm"} <= CHECKSUM_FREE
    assert passed["base58"] > 0, "Solana's addresses have no checksum: this is what that means"


@pytest.mark.parametrize("name", NETWORKS)
def test_an_invented_address_is_one(name: str) -> None:
    """An address made for a story is one of its network, always the same, and of no other family."""
    made = invented(NETWORKS[name], "mule")
    assert normal(NETWORKS[name], made) == normal(NETWORKS[name], invented(NETWORKS[name], "mule"))
    assert made != invented(NETWORKS[name], "other")
    assert normals(NETWORKS.values(), made) == {normal(NETWORKS[name], made)}


def test_a_customer_here_is_named_as_he_is_and_an_account_number_in_any_form() -> None:
    """Spaces, hyphens and case tell no account numbers apart; they may tell customers apart."""
    assert spelled(NETWORKS, "bank", "de89 3704-0044").compared == spelled(NETWORKS, "bank", "DE8937040044").compared
    assert spelled(NETWORKS, "bank", " - ").compared == " - "
    assert spelled(NETWORKS, "internal", "Bob 1").compared == "Bob 1"


@given(st.sampled_from(sorted(NETWORKS)), st.text(max_size=2 * LONGEST))
def test_whatever_is_typed_is_taken_or_refused(name: str, text: str) -> None:
    """No text is more than refused, and what is taken is taken again in its one spelling."""
    try:
        compared = normal(NETWORKS[name], text)
    except ValueError:
        return
    assert normal(NETWORKS[name], compared) == compared


@given(st.binary(max_size=64))
def test_base58_is_undone(data: bytes) -> None:
    """Bytes come back as they were."""
    assert unbase58(base58(data)) == data
