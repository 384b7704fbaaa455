"""Backup codes: ten codes of 80 bits, shown once, each good once (NIST SP 800-63B-4 section 3.1.2 asks for 64).

They are kept as salted SHA-256: a slow hash protects guessable secrets, and 80 random bits are not.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
from typing import TYPE_CHECKING, Final

from holdback.core.assurance import BACKUP_CODES
from holdback.core.events import AuthenticatorKind
from holdback.ports import Enrolment

if TYPE_CHECKING:
    from holdback.core.events import Instant

CODE_BYTES: Final = 10
SALT_BYTES: Final = 16
GROUP: Final = 4
READ_MOST: Final = 64
"""Characters of a response that are looked at, hyphens and spaces among them."""
_NOBODYS: Final = ".".join(["00" * SALT_BYTES, *["00" * 32] * BACKUP_CODES])
_MISREAD: Final = str.maketrans("08", "OB")
"""Digits that base32 has not and that are read for letters; 1 could be either of two."""


class BackupCodes:
    """Verifies and enrols a set of backup codes.

    Example: `await BackupCodes().enrol("", "")` shows ten codes and gives what to keep of them.
    """

    kind = AuthenticatorKind.BACKUP_CODE

    async def verify(self, credential: str, response: str, now: Instant) -> int | None:  # noqa: ARG002 - the port's shape
        """The number of the code in its set, from 0, or None. All are compared, whichever fits."""
        salt, *kept = credential.split(".")
        given = _hashed(bytes.fromhex(salt), re.sub(r"[\s-]", "", response[:READ_MOST]).upper().translate(_MISREAD))
        found = None
        for number, one in enumerate(kept):
            if hmac.compare_digest(one, given):
                found = number
        return found

    async def waste(self, response: str) -> None:
        """Check it against a set of nobody's."""
        await self.verify(_NOBODYS, response, 0)

    async def enrol(self, given: str, label: str) -> Enrolment:  # noqa: ARG002 - the port's shape
        """A fresh set. Raises ValueError if one is given: nobody else's codes are taken over."""
        if given:
            raise ValueError("backup codes are made by Holdback and never handed over")
        codes = [base64.b32encode(os.urandom(CODE_BYTES)).decode() for _ in range(BACKUP_CODES)]
        salt = os.urandom(SALT_BYTES)
        credential = ".".join([salt.hex(), *(_hashed(salt, code) for code in codes)])
        shown = ["-".join(code[at : at + GROUP] for at in range(0, len(code), GROUP)) for code in codes]
        return Enrolment(credential, {"codes": shown})


def _hashed(salt: bytes, code: str) -> str:
    return hashlib.sha256(salt + code.encode(errors="surrogatepass")).hexdigest()
