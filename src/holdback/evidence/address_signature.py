"""Messages signed by the key of an address: Bitcoin's signed messages (BIP-137) and Ethereum's personal_sign (EIP-191).

In both the signature tells which key made it, and the key which addresses are its own. So nothing has to be known of an
address beforehand: those of the key are written out, and the one in question must be among them. Needs the extra
`signatures`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from typing import Final

from coincurve import PublicKey
from Crypto.Hash import RIPEMD160, keccak

from holdback.addresses import base58check, segwit

SIGNATURE_BYTES: Final = 65
"""A header or recovery byte, and two numbers of 32 bytes."""

_ETHEREUM: Final = re.compile(r"0x[0-9a-fA-F]{40}")
_HEX: Final = re.compile(r"(0x)?[0-9a-fA-F]{130}")

_UNCOMPRESSED: Final = range(27, 31)
_COMPRESSED: Final = range(31, 35)
"""Of an old address by the standard; many wallets use it for every kind."""
_NESTED: Final = range(35, 39)
_NATIVE: Final = range(39, 43)


class WalletSignatures:
    """Verifies what wallets sign. Example: `WalletSignatures().signed("bc1q...", "I am ...", "H0f...")`."""

    def signed(self, address: str, text: str, signature: str) -> bool:
        """Whether the key of this address signed this text. False for whatever cannot be read."""
        if _ETHEREUM.fullmatch(address):
            return _same(address.lower(), _ethereum_signer(text.encode(), signature))
        return any(_same(address, one) for one in _bitcoin_signers(text.encode(), signature))


def _same(one: str, other: str) -> bool:
    return bool(other) and hmac.compare_digest(one.encode(), other.encode())


def _recovered(signature: bytes, digest: bytes, *, compressed: bool) -> bytes:
    """The public key that made a signature (64 bytes and which of the keys it could be), empty if none did."""
    try:
        return PublicKey.from_signature_and_message(signature, digest, hasher=None).format(compressed=compressed)
    except ValueError:
        return b""


def _ethereum_signer(text: bytes, signature: str) -> str:
    """The address whose key signed a text by EIP-191, "" if none did."""
    if not _HEX.fullmatch(signature):
        return ""
    made = bytes.fromhex(signature.removeprefix("0x"))
    which = made[64] - 27 if made[64] >= _UNCOMPRESSED.start else made[64]
    if which not in {0, 1}:
        return ""
    prefix = f"\x19Ethereum Signed Message:\n{len(text)}".encode()
    key = _recovered(made[:64] + bytes((which,)), _keccak(prefix + text), compressed=False)
    return f"0x{_keccak(key[1:])[12:].hex()}" if key else ""


def _bitcoin_signers(text: bytes, signature: str) -> list[str]:
    """The addresses of the key that signed a text by BIP-137, of the kind that the signature says it is for."""
    try:
        made = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return []
    if len(made) != SIGNATURE_BYTES or not _UNCOMPRESSED.start <= made[0] < _NATIVE.stop:
        return []
    which = (made[0] - _UNCOMPRESSED.start) & 3
    magic = b"\x18Bitcoin Signed Message:\n" + _length(len(text)) + text
    digest = hashlib.sha256(hashlib.sha256(magic).digest()).digest()
    key = _recovered(made[1:] + bytes((which,)), digest, compressed=made[0] not in _UNCOMPRESSED)
    if not key:
        return []
    named = _hash160(key)
    old = base58check(b"\x00" + named)
    nested, native = base58check(b"\x05" + _hash160(b"\x00\x14" + named)), segwit("bc", 0, named)
    if made[0] in _UNCOMPRESSED:
        return [old]
    if made[0] in _COMPRESSED:
        return [old, nested, native]
    return [nested] if made[0] in _NESTED else [native]


def _length(size: int) -> bytes:
    """Bitcoin's variable length, of which a message here needs two forms."""
    return bytes((size,)) if size < 0xFD else b"\xfd" + size.to_bytes(2, "little")  # noqa: PLR2004 - the format's mark


def _keccak(data: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=data).digest()


def _hash160(data: bytes) -> bytes:
    return RIPEMD160.new(hashlib.sha256(data).digest()).digest()
