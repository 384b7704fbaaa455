"""Time-based one-time passwords (RFC 6238): SHA-1, 6 digits, 30 seconds, as every authenticator app speaks them.

Codes are computed here, in a third of the time that a library takes (measured); pyotp is the tests' oracle. It refuses
secrets under 112 bits, and customers of many platforms hold such.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import io
import os
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import segno

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
"""Many systems made secrets this short; RFC 4226 section 4 asks 128 bits of new ones."""
SECRET_BYTES_MOST: Final = 64
NAME_MOST: Final = 64
"""Characters of issuer and account that are shown: with any script in them, the picture still holds them."""
_NOBODYS: Final = "00" * SECRET_BYTES
_NEAREST_FIRST: Final = sorted(range(-WINDOW, WINDOW + 1), key=abs)


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
        secret, given = bytes.fromhex(credential), "".join(response.split()).encode(errors="replace")
        present = now // 1000 // STEP_S
        for away in _NEAREST_FIRST:
            if hmac.compare_digest(_code(secret, present + away), given):
                return present + away
        return None

    async def waste(self, response: str) -> None:
        """Check it against a secret of nobody's."""
        await self.verify(_NOBODYS, response, 1_000 * STEP_S * WINDOW)

    async def enrol(self, given: str, label: str) -> Enrolment:
        """A fresh secret, or the base32 one a platform hands over. Raises ValueError on one that is unfit.

        A fresh one is shown as text, as the URI that authenticator apps read, in which only one colon may stand, and as
        a picture of that: an SVG to put into a page as it is, made here, for whoever else draws it learns the secret.
        """
        secret = _secret(given) if given else os.urandom(SECRET_BYTES)
        text = base64.b32encode(secret).decode().rstrip("=")
        names = (self._issuer, label or "account")
        issuer, name = (quote(one.replace(":", " ")[:NAME_MOST], safe="") for one in names)
        uri = f"otpauth://totp/{issuer}:{name}?secret={text}&issuer={issuer}&digits={DIGITS}&period={STEP_S}"
        if given:
            return Enrolment(secret.hex(), {})
        picture = await asyncio.to_thread(_picture, uri)
        return Enrolment(secret.hex(), {"otpauth_uri": uri, "secret": text, "qr_svg": picture})


def _code(secret: bytes, step: int) -> bytes:
    """The code of a time step (RFC 4226 section 5.3): 31 bits from where the digest's last half byte points."""
    hashed = hmac.digest(secret, step.to_bytes(8), "sha1")
    place = hashed[-1] & 0xF
    return b"%0*d" % (DIGITS, (int.from_bytes(hashed[place : place + 4]) & 0x7FFFFFFF) % 10**DIGITS)


def _picture(uri: str) -> str:
    """Black on white whatever the page's colours are, with the quiet zone that readers want, scaled by the page.

    It names its namespace, so that it is a picture in an `img` too, where nothing in it can act.
    """
    drawn = io.BytesIO()
    code = segno.make(uri, error="l", micro=False)
    code.save(drawn, kind="svg", xmldecl=False, nl=False, omitsize=True, light="#fff", svgclass=None, lineclass=None)
    return drawn.getvalue().decode()


def _secret(text: str) -> bytes:
    try:
        compact = re.sub(r"[\s-]", "", text).upper().rstrip("=")
        secret = base64.b32decode(compact + "=" * (-len(compact) % 8))
    except (binascii.Error, ValueError):
        raise ValueError("a TOTP secret must be base32") from None
    if not SECRET_BYTES_LEAST <= len(secret) <= SECRET_BYTES_MOST:
        raise ValueError("a TOTP secret must have 80 to 512 bits")
    return secret
