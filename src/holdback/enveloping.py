"""Envelopes that only an agency opens: age (age-encryption.org), by pyrage. See ports.Envelopes.

Only the key that stands in the registry is used, never one that came with a paper.
"""

from __future__ import annotations

import re
from functools import reduce
from importlib.util import find_spec
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from holdback.addresses import PLAIN, unbech32

RECIPIENT: Final = re.compile(r"age1[02-9ac-hj-np-z]{58}\Z")
"""An X25519 recipient as age writes it (Bech32): 32 bytes, four bits that are zero, and a checksum."""
_EXTRA: Final = "sealing for agencies needs the extra `documents`: pip install 'holdback[documents]'"


def is_recipient(text: str) -> bool:
    """Whether a text is an age key that something can be sealed for: whole, as its checksum says, and of full strength.

    It takes no extra, so that whoever enters a key hears of a slip of the pen at once.
    """
    if not RECIPIENT.match(text):
        return False
    words, rest = unbech32(text, "age")
    if rest != PLAIN:
        return False
    number = reduce(lambda high, word: high << 5 | word, words, 0)
    if number & 0xF:
        return False
    try:
        # With a point of small order everybody shares the same secret, whatever the other key is.
        X25519PrivateKey.from_private_bytes(bytes(32)).exchange(
            X25519PublicKey.from_public_bytes((number >> 4).to_bytes(32))
        )
    except ValueError:
        return False
    return True


class AgeEnvelopes:
    """Seals for agencies. Example: `AgeEnvelopes().seal("age1...", b"...")`."""

    def __init__(self) -> None:
        """Raises ModuleNotFoundError without the extra `documents`."""
        if find_spec("pyrage") is None:
            raise ModuleNotFoundError(_EXTRA, name="pyrage")

    def fits(self, recipient: str) -> bool:
        """See ports.Envelopes."""
        return is_recipient(recipient)

    def seal(self, recipient: str, data: bytes) -> str:
        """See ports.Envelopes."""
        import pyrage  # noqa: PLC0415 - an extra

        if not self.fits(recipient):
            raise ValueError("not an age recipient")
        return str(pyrage.encrypt(data, [pyrage.x25519.Recipient.from_str(recipient)], armored=True).decode())
