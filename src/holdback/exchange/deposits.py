"""Where a customer pays coins in: an address of his own. These lie on bitcoin's test network, so no real coin is lost.

A platform derives them from its wallet's keys; here nobody has a key, and nothing ever arrives.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_ALPHABET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATORS: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
TEST: Final = "tb"
"""The prefix of addresses on the test network."""
_HASH_BYTES: Final = 20


def deposit_address(account: str, prefix: str = TEST) -> str:
    """The address of an account: version 0, of a key's hash (BIP 173)."""
    named = hashlib.sha256(f"deposits of {account}".encode()).digest()[:_HASH_BYTES]
    bits = int.from_bytes(named)
    words = [0, *((bits >> shift) & 31 for shift in range(_HASH_BYTES * 8 - 5, -1, -5))]
    expanded = [*(ord(one) >> 5 for one in prefix), 0, *(ord(one) & 31 for one in prefix)]
    rest = _remainder([*expanded, *words, *(0,) * 6]) ^ 1
    check = [(rest >> 5 * (5 - place)) & 31 for place in range(6)]
    return f"{prefix}1{''.join(_ALPHABET[word] for word in (*words, *check))}"


def _remainder(words: Iterable[int]) -> int:
    """The checksum's division (BIP 173, `polymod`)."""
    found = 1
    for word in words:
        top = found >> 25
        found = (found & 0x1FFFFFF) << 5 ^ word
        for place, generator in enumerate(_GENERATORS):
            found ^= generator if top >> place & 1 else 0
    return found
