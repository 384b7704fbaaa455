"""Addresses are read as their networks write them: the networks' own vectors, and ten thousand slips of the hand."""

from __future__ import annotations

import random
import tomllib
from collections import Counter
from importlib import resources
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdback import wiring
from holdback.addresses import (
    BASE58,
    BECH32M,
    CHECKSUM_FREE,
    LONGEST,
    PLAIN,
    base58,
    base58check,
    invented,
    normal,
    normals,
    segwit,
    spelled,
    unbase58,
    unbech32,
)
from holdback.core.policy import Network, Policy, PolicyError
from holdback.spelling import Spelled

if TYPE_CHECKING:
    from collections.abc import Callable

NETWORKS: Final = wiring.load_policy("default").networks
TESTNET: Final = Network("segwit", hrp="tb", versions=(111, 196))

SEGWIT: Final = {
    # BIP-350, "Test vectors for v0-v16 native segregated witness addresses"; those of version 0 are BIP-173's as well.
    "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4": "0014751e76e8199196d454941c45d1b3a323f1433bd6",
    "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7": (
        "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262"
    ),
    "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y": (
        "5128751e76e8199196d454941c45d1b3a323f1433bd6751e76e8199196d454941c45d1b3a323f1433bd6"
    ),
    "BC1SW50QGDZ25J": "6002751e",
    "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs": "5210751e76e8199196d454941c45d1b3a323",
    "tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy": (
        "0020000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433"
    ),
    "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c": (
        "5120000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433"
    ),
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0": (
        "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    ),
    # Bitcoin Core, src/test/data/key_io_valid.json, those with a Bech32 or Bech32m address of "main" and "testnet4".
    "bc1qvyq0cc6rahyvsazfdje0twl7ez82ndmuac2lhv": "00146100fc6343edc8c874496cb2f5bbfec88ea9b77c",
    "bc1qyucykdlhp62tezs0hagqury402qwhk589q80tqs5myh3rxq34nwqhkdhv7": (
        "002027304b37f70e94bc8a0fbf500e0c957a80ebda87280ef58214d92f119811acdc"
    ),
    "bc1p83n3au0rjylefxq2nc2xh2y4jzz4pm6zxj4mw5pagdjjr2a9f36s6jjnnu": (
        "51203c671ef1e3913f94980a9e146ba895908550ef4234abb7503d436521aba54c75"
    ),
    "bc1z2rksukkjr8": "520250ed",
    "tb1qcrh3yqn4nlleplcez2yndq2ry8h9ncg3qh7n54": "0014c0ef1202759fff90ff19128936814321ee59e111",
    "tb1rgv5m6uvdk3kc7qsuz0c79v88ycr5w4wa": "53104329bd718db46d8f021c13f1e2b0e726",
}
"""Valid addresses, and the scripts that they stand for."""

NO_SEGWIT: Final = {
    # BIP-350, the invalid segwit addresses.
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
    # BIP-173's own. Those from version 1 on that it calls valid are refused since BIP-350: they are written in Bech32.
    "BIP-173, another network": "tc1qw508d6qejxtdg4y5r3zarvary0c5xw7kg3g4ty",
    "BIP-173, a wrong character": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
    "BIP-173, version 17": "BC13W508D6QEJXTDG4Y5R3ZARVARY0C5XW7KN40WF2",
    "BIP-173, one byte": "bc1rw5uspcuh",
    "BIP-173, 41 bytes": "bc10w508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kw5rljs90",
    "BIP-173, both cases": "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sL5k7",
    "BIP-173, a word too many": "bc1zw508d6qejxtdg4y5r3zarvaryvqyzf3du",
    "BIP-173, padding that says something": "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3pjxtptv",
    "BIP-173, once valid, version 1": "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7k7grplx",
    "BIP-173, once valid, version 16": "BC1SW50QA3JX3S",
    "BIP-173, once valid, version 2": "bc1zw508d6qejxtdg4y5r3zarvaryvg6kdaj",
    # Bitcoin Core, src/test/data/key_io_invalid.json: right in all but one thing each.
    "Core, another network": "bt1pq65rzej5glw3ra79gav6fqnx4haa0z257qr3mc8cggkefahmgvyseufhc0",
    "Core, version 17": "tb13hty4qmumlwpp6chxjvcyzza4duqgtmxw3xhm3u9ahj4nyhtwz8eq7ynrj4",
    "Core, 41 bytes": "bc10uexgzna2dpfk0vjt35srz6a27ps6m0l89jweznt83n2sqn2fx4hvn9ym5af8wut34sfrqhk3",
    "Core, 16 bytes for version 0": "tb1qum6uh0pt4q253qaf520929737v63w5gf",
    "Core, a word too many": "bc1qdsuzmn04k2z8vryw8l4dj8m5ygqgnne5n",
    "Core, padding that says something": "tb1qlj8es50nc8j8r8xshrjgzmw5azx89efghmw8ju6zcqla0g6xcnrstsjz7k",
    "Core, a wrong character": "bc1qpu6d26mrulzetu4jqhd7rsunv9aqru26f5c4j8",
    "Core, Bech32 for version 1": "bc1p702xksx4z3uqf0u2phllxkfe5cgu0adxptqs0uelx0tqt8e885sqryes2l",
    "Core, nothing": "tb1ly0q7p",
}

BECH32_TEXTS: Final = {
    # BIP-173, "valid Bech32".
    "A12UEL5L": PLAIN,
    "a12uel5l": PLAIN,
    "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs": PLAIN,
    "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw": PLAIN,
    "11qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqc8247j": PLAIN,
    "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w": PLAIN,
    "?1ezyfcl": PLAIN,
    # BIP-350, "valid Bech32m".
    "A1LQFN3A": BECH32M,
    "a1lqfn3a": BECH32M,
    "an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6": BECH32M,
    "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx": BECH32M,
    "11llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllludsr8": BECH32M,
    "split1checkupstagehandshakeupstreamerranterredcaperredlc445v": BECH32M,
    "?1v759aa": BECH32M,
}
"""Valid texts, and what their checksum leaves."""

NO_BECH32: Final = (
    # BIP-173, "not valid Bech32".
    "an84characterslonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1569pvx",
    "pzry9x0s0muk",
    "x1b4n0q5v",
    "li1dgmt3",
    "de1lg7wt\xff",
    "A1G7SGD8",
    # BIP-350, "not valid Bech32m".
    "an84characterslonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11d6pts4",
    "qyrz8wqd2c9m",
    "y1b0jsk6g",
    "lt1igcx5c0",
    "in1muywd",
    "mm1crxm3i",
    "au1s5cgom",
    "M1VUXWEZ",
)
"""Texts that are refused whatever network they are asked of."""

NO_PREFIX: Final = (
    *("\x201nwldj5", "\x7f1axkwrx", "\x801eym55h", "1pzry9x0s0muk", "10a06t8", "1qzzfhee"),  # BIP-173
    *("\x201xj0phk", "\x7f1g6xzxy", "\x801vctc34", "1qyrz8wqd2c9m", "16plkw9", "1p2gdwpf"),  # BIP-350
)
"""Texts of both BIPs that are refused for what stands before their last `1`: nothing, or what nobody can read."""

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
"""EIP-55's test cases, all of them (ethereum/ERCs, ERCS/erc-55.md): all capitals, all small, and both."""

BASE58CHECK: Final = {
    # Bitcoin Core, src/test/data/key_io_valid.json: the hashes in their scripts, behind the network's version byte.
    "1FsSia9rv4NeEwvJ2GvXrX7LyxYspbN2mo": ("bitcoin", "00a31c06bd463e3923bc1aadbde48b16976c080717"),
    "36j4NfKv6Akva9amjWrLG6MuSQym1GuEmm": ("bitcoin", "05373b819a068f32b7a6b38b6b38729647cfde01c2"),
    "1FjL87pn8ky6Vbavd1ZHeChRXtoxwRGCRd": ("bitcoin", "00a19331b7b2627e663e25a7b001e4c0dcc5e21bc7"),
    "3BZECeAH8gSKkjrTx8PwMrNQBLG18yHpvf": ("bitcoin", "056c382dcdf5b284760c8e3fead91f7422cd76aa87"),
    # bip-utils, tests/addr/test_trx_addr.py.
    "TDvr6Jpwfp1wDiV7PhaB19YMsMHRSXmY7p": ("tron", "412b6e3782fbedade9e4c05078f46a9e29841f0bbe"),
    "TXJ2Z9VAwDpQ4W6zwTpXxRUpwFVDetPQuC": ("tron", "41e9e9d3001799a9fa785bed8cf3a7995e8aebb8bd"),
    "TNdfXv6WTTyS2ohkTu8YA62WmLTNWqK46i": ("tron", "418ae776b9997f92f90a25a156423918e751496db5"),
    "TF7cowibxyJdMyGtjP2yP7oyN5ZmSMPnWd": ("tron", "41386fd4b1ad845ca6495e45544acf2b32f25f45d2"),
    "TYQPvAG6AuzQed8RPuH62pcbZBKj9TkPk1": ("tron", "41f616473322599b7cb664e438e7264dbb06996336"),
    # The contract of Tether's dollar.
    "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t": ("tron", "41a614f803b6fd780986a42c78ec9c7f77e6ded13c"),
}
"""Valid addresses, and the bytes that they stand for."""

NO_BASE58CHECK: Final = {
    # Bitcoin Core, src/test/data/key_io_invalid.json.
    "": "bitcoin",
    "x": "bitcoin",
    "1GAdfviErV2Ew95FPtZyikz2qGP3gyCB6Hyu94sedAkPpA523m3fQwps9YKUZkKgQckGPKhRsFR": "bitcoin",
    "37G2kMDLpmWVhimxRdzwNfE8JFvWXnJYnVcXeeGrek2qumdJuK7XArcVVpRtLLjRra3t64BEPF2": "bitcoin",
    "giymtio7u7oqWtmC9YnvAEKkLF3JQpAdkEFkVJKYrVDfaLbhaDpX1ihfF2vZmya1i61fwLPC3YQ": "bitcoin",
    "8iVk9nLM3nYwRuwypjy9NK5rsuZH7BbrQRZ1pgcQmvMnjAgRXD": "bitcoin",
    "2UVPFpGYnLHJezFzjUo42our6PMEoozzRdM": "bitcoin",
    "2MygHQjE1U33q3LSC53p69YqFjP8PihumJAF": "bitcoin",
    "KzNbAQ4mexfAxa6RKBzHQqfoTycaeWpv2p": "bitcoin",
    "39TKsUQ5QpEL1wowc6GMUqak94ijirPuP69ooV3xsFmiKQX2dau": "bitcoin",
    "AZEah8d1EK362okRBS66e8SvdtYkrE8tsX": "bitcoin",
    # The same, key_io_valid.json: the test network's, and private keys, which nobody is paid at.
    "mzK2FFDEhxqHcmrJw1ysqFkVyhUULo45hZ": "bitcoin",
    "2NC2hEhe28ULKAJkW5MjZ3jtTMJdvXmByvK": "bitcoin",
    "5JuW2AMDYu4xVwRG9DZW18VbzQrGcd5RCgb99sS6ehJsNQXu5b9": "bitcoin",
    "L5nJeqKmpHp4P7F8ZYyjwc5a7P4d8EabuGAzfGJk7yC1BJyzNaEd": "bitcoin",
    # bip-utils, tests/addr/test_trx_addr.py: another version, a wrong character, a byte too few, one too many.
    "T94nw3xoTjXXqBzLNUwmYhLovg4nNVZKB6": "tron",
    "TLc6WnRN9DxA4uygPrHGr9A1DhVMxx2w45": "tron",
    "6w9cP3taF7zAsCtmViHprBoiiK68GnrsC": "tron",
    "319DKUdrbDY8tXmD2xWfQW5aJ3akX7ytypnG": "tron",
}

BASE58_TEXTS: Final = {
    # Bitcoin Core, src/test/data/base58_encode_decode.json, all but the text of 256 bytes.
    "": "",
    "2g": "61",
    "a3gV": "626262",
    "aPEr": "636363",
    "2cFupjhnEsSn59qHXstmK2ffpLv2": "73696d706c792061206c6f6e6720737472696e67",
    "1NS17iag9jJgTHD1VXjvLCEnZuQ3rJDE9L": "00eb15231dfceb60925886b67d065299925915aeb172c06647",
    "ABnLTmg": "516b6fcd0f",
    "3SEo3LWLoPntC": "bf4f89001e670274dd",
    "3EFU7m": "572e4794",
    "EJDM8drfXA6uyA": "ecac89cad93923c02321",
    "Rt5zm": "10c8511e",
    "1111111111": "00000000000000000000",
    "1111111111111111111111111111111111111111": "00" * 40,
    "1111111111111111111111111111111111111112": "00" * 39 + "01",
    f"{'1' * 83}5TYzLYH1udmLdzCLM": "00" * 83 + "ec39d04c37e71e5d591881f6",
    BASE58: "000111d38e5fc9071ffcd20b4a763cc9ae4f252bb4e48fd66a835e252ada93ff480d6dd43dc62a641155a5",
    "zzzzy": "271f359e",
    "zzzzz": "271f359f",
    "211111": "271f35a0",
    "211112": "271f35a1",
}

SOLANA: Final = {
    # bip-utils, tests/addr/test_sol_addr.py.
    "GjJyeC1r2RgkuoCWMyPYkCWSGSGLcz266EaAkLA27AhL": "e9b6062841bb977ad21de71ec961900633c26f21384e015b014a637a61499547",
    "ANf3TEKFL6jPWjzkndo4CbnNdUNkBk4KHPggJs2nu8Xi": "8b4564d4b6be05d6ead16d246c5e30773da9459040370284b57c944a3d0a1481",
    "G5DnnAkA9jV3WZ25xh1Z6FcH3vtSyLi6p9nmPpr6dQMX": "dff41688eadfb8574c8fbfeb8707e07ecf571e96e929c395cc506839cc3ef832",
    "GS8RquhotKk9sDguxzjg5sJPM8RhfmKXWNEW61Jzjvvu": "e54f392e5ffd3ca8802d3dbaa052667f82f8ff559a9cb23eda39cd386639c6ea",
    "7UVttrLkRkZFn4FsTuihX5zCJ1ounF5Ts8CkSqPGN2Dh": "6031798a9f0f4939c3335d313848437fe72aefbe0d700de3268a2d45cebedc7c",
    # The programs of the network and of its tokens.
    "11111111111111111111111111111111": "00" * 32,
    "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA": "06ddf6e1d765a193d9cbe146ceeb79ac1cb485ed5f5b37913a8cf5857eff00a9",
}
"""Valid addresses, and the bytes that they stand for."""


def which(address: str) -> Network:
    """Bitcoin's main network or its test network."""
    return TESTNET if address.lower().startswith("tb1") else NETWORKS["bitcoin"]


@pytest.mark.parametrize(("address", "script"), SEGWIT.items())
def test_segwit_vectors_pass(address: str, script: str) -> None:
    """Every valid address of BIP-350 is taken, compared in small letters, and is what its script is written as."""
    assert normal(which(address), address) == address.lower()
    assert normal(which(address), address.lower()) == normal(which(address), address.upper())
    operation, program = int(script[:2], 16), bytes.fromhex(script[4:])
    # BIP-141: the first version is written as zero, the others from 0x51 on.
    assert segwit(which(address).hrp, operation and operation - 0x50, program) == address.lower()


@pytest.mark.parametrize("address", NO_SEGWIT.values(), ids=NO_SEGWIT)
def test_segwit_vectors_that_are_wrong_are_refused(address: str) -> None:
    """Every invalid address of BIP-173 and BIP-350 is refused, and nothing of it is said back."""
    with pytest.raises(ValueError, match=r"^(has|is|must) ") as refused:
        normal(which(address), address)
    assert address not in str(refused.value)


@pytest.mark.parametrize(("text", "rest"), BECH32_TEXTS.items())
def test_bech32_vectors_leave_what_they_must(text: str, rest: int) -> None:
    """Every valid text of BIP-173 leaves 1, every one of BIP-350 leaves the number of Bech32m."""
    assert unbech32(text, text.lower().rpartition("1")[0])[1] == rest


@pytest.mark.parametrize("text", NO_BECH32)
def test_bech32_vectors_that_are_wrong_leave_nothing(text: str) -> None:
    """Every invalid text of both BIPs is refused, or leaves what neither checksum does, under every listed prefix."""
    asked = {text.lower().rpartition("1")[0]} | {network.hrp for network in NETWORKS.values() if network.hrp}
    for prefix in asked:
        try:
            _, rest = unbech32(text, prefix)
        except ValueError:
            continue
        assert rest not in {PLAIN, BECH32M}


@pytest.mark.parametrize("text", NO_PREFIX)
def test_what_bech32_allows_before_nothing_no_policy_can_ask_for(text: str) -> None:
    """No network has a prefix that is empty or that nobody can read, and none that is listed takes such a text."""
    packaged = tomllib.loads((resources.files("holdback") / "policies" / "default.toml").read_text())
    packaged["networks"]["odd"] = {"family": "bech32", "hrp": text.rpartition("1")[0]}
    with pytest.raises(PolicyError, match=r"hrp|networks"):
        Policy.parse(packaged)
    assert normals([network for network in NETWORKS.values() if network.hrp], text) == frozenset()


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


@pytest.mark.parametrize(("address", "says"), BASE58CHECK.items())
def test_base58check_vectors_pass(address: str, says: tuple[str, str]) -> None:
    """Addresses of Bitcoin Core's vectors and of Tron are taken on their network alone, and say their bytes."""
    network, data = says
    assert normal(NETWORKS[network], address) == address == base58check(bytes.fromhex(data))
    with pytest.raises(ValueError, match="another network"):
        normal(NETWORKS["dogecoin"], address)


@pytest.mark.parametrize(("address", "network"), NO_BASE58CHECK.items())
def test_base58check_vectors_that_are_wrong_are_refused(address: str, network: str) -> None:
    """Texts whose checksum, length or version is not that of an address of the network are refused."""
    with pytest.raises(ValueError, match=r"^(has|is|must) "):
        normal(NETWORKS[network], address)


@pytest.mark.parametrize(("text", "data"), BASE58_TEXTS.items())
def test_base58_vectors_pass(text: str, data: str) -> None:
    """Bitcoin Core's vectors of Base58 are read and written, zeros in front among them."""
    assert unbase58(text) == bytes.fromhex(data)
    assert base58(bytes.fromhex(data)) == text


@pytest.mark.parametrize(("address", "data"), SOLANA.items())
def test_solana_is_32_bytes(address: str, data: str) -> None:
    """Solana's addresses are 32 bytes in Base58, and have no checksum; a byte more or less is refused."""
    assert normal(NETWORKS["solana"], address) == address == base58(bytes.fromhex(data))
    for wrong in (address[:-2], f"1{address}", address + "11"):
        with pytest.raises(ValueError, match="too short or too long"):
            normal(NETWORKS["solana"], wrong)


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


def asked(chance: random.Random) -> tuple[str, str]:
    """A network, and an address of it: one that is invented, or one of the vectors', in every form that it takes."""
    vectors = [("bitcoin", one) for one in SEGWIT if which(one) is not TESTNET]
    vectors += [(network, one) for one, (network, _) in BASE58CHECK.items()]
    vectors += [("ethereum", one) for one in EIP55]
    if chance.random() < 0.5:
        return chance.choice(vectors)
    name = chance.choice(list(NETWORKS))
    return name, invented(NETWORKS[name], f"{chance.random()}")


def test_ten_thousand_slips_are_found() -> None:
    """A mistyped address is refused; only in families without a checksum may it be somebody else's."""
    # EIP-55's checksum has as many bits as the address has letters: by the EIP itself one slip in four thousand passes,
    # and an address written in one case has no checksum at all.
    chance = random.Random(20_261_121)
    slipped, passed = Counter[str](), Counter[str]()
    while slipped.total() < 10_000:
        name, address = asked(chance)
        typed = slips(address, chance)
        if typed == address:
            continue
        one_case = address[2:] in {address[2:].lower(), address[2:].upper()}
        family = "evm in one case" if NETWORKS[name].family == "evm" and one_case else NETWORKS[name].family
        slipped[family] += 1
        try:
            compared = normal(NETWORKS[name], typed)
        except ValueError:
            continue
        # The same address in another spelling is no slip.
        passed[family] += compared != normal(NETWORKS[name], address)
    assert min(slipped.values()) > 100, "every family was mistyped often enough to say something"
    assert passed["segwit"] == passed["bech32"] == passed["base58check"] == 0
    assert passed["evm"] <= slipped["evm"] / 1_000
    assert {family for family, times in passed.items() if times} - {"evm"} <= CHECKSUM_FREE | {"evm in one case"}
    assert passed["base58"] > 0, "Solana's addresses have no checksum: this is what that means"
    assert passed["evm in one case"] > 0, "and this is what one case means"


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("bitcoin", "bc1[02-9ac-hj-np-z]{38}"),
        ("cosmos", "cosmos1[02-9ac-hj-np-z]{38}"),
        ("tron", "T[1-9A-HJ-NP-Za-km-z]{33}"),
        ("ethereum", "0x[0-9a-fA-F]{40}"),
    ],
)
def test_it_is_the_checksum_that_finds_slips(name: str, shape: str) -> None:
    """Known by its shape alone, a network would take the mistyped addresses that its checksum refuses."""
    chance = random.Random(20_261_122)
    found = 0
    for _ in range(1_000):
        typed = slips(invented(NETWORKS[name], f"{chance.random()}"), chance)
        found += bool(normals([Network("pattern", pattern=shape)], typed)) and not normals([NETWORKS[name]], typed)
    assert found > 100


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


IBAN: Final = "DE89370400440532013000"


@pytest.mark.parametrize(
    "written",
    [
        "DE89 3704 0044 0532 0130 00",
        "de89-3704-0044-0532-0130-00",
        "DE89.3704.0044.0532.0130.00",
        "DE89/3704/0044/0532/0130/00",
        "IBAN DE89 3704 0044 0532 0130 00",
        "iban DE89370400440532013000",
        "\uff24\uff25\uff18\uff19370400440532013000",
    ],
)
def test_one_bank_account_has_one_spelling(written: str) -> None:
    """However an account number is written, it is compared as the same one, and kept as it was written."""
    assert spelled(NETWORKS, "bank", written) == Spelled(written, IBAN)


@pytest.mark.parametrize("iban", [IBAN, "GB82WEST12345698765432", "NO9386011117947", "BR1500000000000010932840814P2"])
def test_a_slip_in_an_iban_is_found(iban: str) -> None:
    """The check digits of an IBAN find every wrong digit; other account numbers have none."""
    assert spelled(NETWORKS, "bank", iban).compared == iban
    for place in range(4, len(iban)):
        slip = "7" if iban[place] != "7" else "8"
        with pytest.raises(ValueError, match="check digits"):
            spelled(NETWORKS, "bank", iban[:place] + slip + iban[place + 1 :])
    assert spelled(NETWORKS, "bank", "4711 0815").compared == "47110815"


@pytest.mark.parametrize(
    "text", ["DE89\u200b370400440532013000", "DE89370400440532013000?", "\u0414E893704", " - ", ""]
)
def test_what_nobody_sees_in_an_account_number_is_refused(text: str) -> None:
    """Invisible characters and letters of other scripts are no part of an account number."""
    with pytest.raises(ValueError, match="letters and digits"):
        spelled(NETWORKS, "bank", text)


@pytest.mark.parametrize(
    "address",
    ["rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh", "rrrrrrrrrrrrrrrrrrrrrhoLvTp", "rrrrrrrrrrrrrrrrrrrrBZbvji"],
    ids=["genesis", "ACCOUNT_ZERO", "ACCOUNT_ONE"],
)
def test_a_slip_on_ripple_is_found(address: str) -> None:
    """Addresses of the XRP Ledger are Base58Check in an order of their own, and its special accounts pass."""
    ripple = NETWORKS["ripple"]
    assert normal(ripple, address) == address
    for place in range(1, len(address)):
        slip = "z" if address[place] != "z" else "x"
        with pytest.raises(ValueError, match=r"checksum|too short or too long"):
            normal(ripple, address[:place] + slip + address[place + 1 :])
    with pytest.raises(ValueError, match=r"checksum|too short"):
        normal(ripple, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa")
