"""Envelopes that only an agency opens: age (age-encryption.org), by pyrage. See ports.Envelopes.

Only the key that stands in the registry is used, never one that came with a paper.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import Final

RECIPIENT: Final = re.compile(r"age1[02-9ac-hj-np-z]{58}\Z")
"""An X25519 recipient as age writes it (Bech32)."""
_EXTRA: Final = "sealing for agencies needs the extra `documents`: pip install 'holdback[documents]'"


class AgeEnvelopes:
    """Seals for agencies. Example: `AgeEnvelopes().seal("age1...", b"...")`."""

    def __init__(self) -> None:
        """Raises ModuleNotFoundError without the extra `documents`."""
        if find_spec("pyrage") is None:
            raise ModuleNotFoundError(_EXTRA, name="pyrage")

    def fits(self, recipient: str) -> bool:
        """See ports.Envelopes."""
        import pyrage  # noqa: PLC0415 - an extra

        if not RECIPIENT.match(recipient):
            return False
        try:
            pyrage.x25519.Recipient.from_str(recipient)
        except pyrage.RecipientError:
            return False
        return True

    def seal(self, recipient: str, data: bytes) -> str:
        """See ports.Envelopes."""
        import pyrage  # noqa: PLC0415 - an extra

        if not self.fits(recipient):
            raise ValueError("not an age recipient")
        return str(pyrage.encrypt(data, [pyrage.x25519.Recipient.from_str(recipient)], armored=True).decode())
