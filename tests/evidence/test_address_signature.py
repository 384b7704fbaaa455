"""Signatures by the keys of addresses, against what wallets and the projects that define them have published."""

from __future__ import annotations

import base64

import pytest
from coincurve import PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from holdback.evidence.address_signature import WalletSignatures

SIGNATURES = WalletSignatures()
LONG = "VeryLongMessage!" * 64

BITCOIN = [
    # btclib, tests/ecc/test_bms.py, as made by Bitcoin Core and Electrum
    (
        "1HUBHMij46Hae75JPdWjeZ5Q7KaL7EFRSD",
        "test message",
        "G/iew/NhHV9V9MdUEn/LFOftaTy1ivGPKPKyMlr8OSokNC755fAxpSThNRivwTNsyY9vPUDTRYBPc2cmGd5d4y4=",
    ),
    (
        "14dD6ygPi5WXdwwBTt1FBZK3aD8uDem1FY",
        "test message",
        "H/iew/NhHV9V9MdUEn/LFOftaTy1ivGPKPKyMlr8OSokNC755fAxpSThNRivwTNsyY9vPUDTRYBPc2cmGd5d4y4=",
    ),
    # trezor-firmware, tests/device_tests/test_msg_signmessage.py
    (
        "1JAd7XCBzGudGpJQSDSfpmJhiygtLQWaGL",
        "This is an example of a signed message.",
        "IP2PL321I4/N0HfVIEw+aUnCYdcAJpzvwdnS3O9rlQI2MO5hf2yKz560DI7dcEycp06kr8OT9D81tOiVgyTL3Rw=",
    ),
    (
        "bc1qannfxke2tfd4l7vhepehpvt05y83v3qsf6nfkk",
        "This is an example of a signed message.",
        "KLVddgDZ6afipJFV3fPP2455bCB/qrgzAQ+kH7eCiIm8R89iNIp6qgkjwIMqWJ+rVB6PEutU+3EckOIwfw9msZQ=",
    ),
    (
        "bc1qannfxke2tfd4l7vhepehpvt05y83v3qsf6nfkk",
        LONG,
        "KMb4biVeqnaMRH1jXZHaAWMaxUryI8LBgtT6NnbP7K5KGZrTOnT+BPtGw5QyrLjYPedNqQ9fARI7O32LwlK8f3E=",
    ),
    (
        "3L6TyTisPBmrDAj6RoKmDzNnj4eQi54gD2",
        "This is an example of a signed message.",
        "I3RN5FFvrFwUCAgBVmRRajL+rZTeiXdc7H4k28JP4TMHWsCTAcTMjhl76ktkgWYdW46b8Z2Le4o4Ls21PC7gdQ0=",
    ),
    # bitcoinjs-message, issue 20: the same by Electrum and by a Trezor
    (
        "3LbZqMMHu371r5Fjve9qNhSQzuNi7EzqUR",
        "test123",
        "H2ehXowFWMZohHrJN+1IRdDwqN/UILqVmhIOHpeBdS4BYDCQpfDL1tTH7mNg6eeypno+Is8ApgWinkPnnz1NEq8=",
    ),
    (
        "3LbZqMMHu371r5Fjve9qNhSQzuNi7EzqUR",
        "test123",
        "I2ehXowFWMZohHrJN+1IRdDwqN/UILqVmhIOHpeBdS4BYDCQpfDL1tTH7mNg6eeypno+Is8ApgWinkPnnz1NEq8=",
    ),
    # BitonicNL/verify-signed-message, as made by Coinomi
    (
        "bc1q0utxws6ptfdfcvaz29y4st065t5ku6vcqd364f",
        "Test message!",
        "H+G7Fz3EVxX02kIker4HPgnP8Mlf3bT52p81hnNAahTOGJ8ANSaU0bF5RsprgTH6LXLx/PmCka48Ov7OrPw2bms=",
    ),
]

ETHEREUM = [
    # eth-account, the documentation of recover_message
    (
        "0x5ce9454909639D2D17A3F753ce7d93fa0b9aB12E",
        "I\N{BLACK HEART SUIT}SF",
        (
            "0xe6ca9bba58c88611fad66a6ce8f996908195593807c4b38bd528d2cff09d4eb3"
            "3e5bfbbf4d3e39b1a2fd816a7680c19ebebaf3a141b239934ad43cb33fcec8ce1c"
        ),
    ),
    # ex_web3_ec_recover, the documentation of recover_personal_signature, as made by MetaMask
    (
        "0xb117a8bc3ecf2c3f006b89da6826e49b4193977a",
        "hello world",
        (
            "1dd3657c91d95f350ab25f17ee7cbcdbccd3f5bc52976bfd4dd03bd6bc29d2ac"
            "23e656bee509ca33b921e0e6b53eb64082be1bb3c69c3a4adccd993b1d667f8d1b"
        ),
    ),
]


@pytest.mark.parametrize(("address", "text", "signature"), [*BITCOIN, *ETHEREUM])
def test_what_wallets_sign_is_right(address: str, text: str, signature: str) -> None:
    """Signatures that wallets made are right for their address and text, and for no other of either."""
    assert SIGNATURES.signed(address, text, signature)
    assert not SIGNATURES.signed(address, text + ".", signature)
    others = {one for one, _, _ in (*BITCOIN, *ETHEREUM)} - {address}
    assert not any(SIGNATURES.signed(other, text, signature) for other in others)


@pytest.mark.parametrize(
    ("address", "signature"),
    [
        ("1C9CRMGBYrGKKQ6eEpwm4dzMqkRZxPB5xa", ""),
        # verify-signed-message: a signature from which no key can be told
        (
            "1C9CRMGBYrGKKQ6eEpwm4dzMqkRZxPB5xa",
            "IQt3ycjmA6LCbcTiFcj7o6odqX5PKeYPmL+dwcblLc/Xor1E2szTlEZKtHdzSrSz78PbYQUlX5a5VuDeSJLrEr0=",
        ),
        ("1C9CRMGBYrGKKQ6eEpwm4dzMqkRZxPB5xa", "VGhpcyBpcyBub3QgdmFsaWQ="),
        ("1C9CRMGBYrGKKQ6eEpwm4dzMqkRZxPB5xa", base64.b64encode(b"\xcc" + b"\1" * 64).decode()),
        ("0x5ce9454909639D2D17A3F753ce7d93fa0b9aB12E", "0x"),
        ("0x5ce9454909639D2D17A3F753ce7d93fa0b9aB12E", "00" * 65),
        ("0x5ce9454909639D2D17A3F753ce7d93fa0b9aB12E", "01" * 64 + "ff"),
        ("", "00" * 65),
    ],
)
def test_what_cannot_be_read_is_wrong(address: str, signature: str) -> None:
    """A signature that is none, or that no key could have made, is wrong for every address."""
    assert not SIGNATURES.signed(address, "test", signature)


def test_a_signature_says_which_kind_of_address_it_is_for() -> None:
    """BIP-137: a signature for a native address does not stand for the nested or the old one of the same key."""
    address, text, signature = BITCOIN[3]
    made = bytearray(base64.b64decode(signature))
    assert SIGNATURES.signed(address, text, base64.b64encode(bytes(made)).decode())
    made[0] -= 4
    assert not SIGNATURES.signed(address, text, base64.b64encode(bytes(made)).decode())


@given(st.text(max_size=100), st.text(max_size=200), st.text(max_size=200))
def test_no_input_breaks_it(address: str, text: str, signature: str) -> None:
    """Whatever is shown gives an answer, which is no."""
    assert not SIGNATURES.signed(address, text, signature)


@given(st.binary(min_size=65, max_size=65), st.text(max_size=300))
def test_no_signature_is_made_by_chance(made: bytes, text: str) -> None:
    """Random bytes are nobody's signature, in either form."""
    for address, shown in ((ETHEREUM[0][0], made.hex()), (BITCOIN[0][0], base64.b64encode(made).decode())):
        assert not SIGNATURES.signed(address, text, shown)


def test_a_key_of_our_own_signs_as_wallets_do() -> None:
    """A fresh key's signature is right for its own address, whether the last byte counts from 0 or from 27."""
    from Crypto.Hash import keccak  # noqa: PLC0415 - only here is a signature made

    key, text = PrivateKey(b"\7" * 32), "case r1"
    prefix = f"\x19Ethereum Signed Message:\n{len(text)}{text}".encode()
    made = key.sign_recoverable(keccak.new(digest_bits=256, data=prefix).digest(), hasher=None)
    public = key.public_key.format(compressed=False)[1:]
    address = "0x" + keccak.new(digest_bits=256, data=public).digest()[12:].hex()
    assert SIGNATURES.signed(address, text, made.hex())
    assert SIGNATURES.signed(address, text, (made[:64] + bytes((made[64] + 27,))).hex())
