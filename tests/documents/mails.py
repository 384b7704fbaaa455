"""Mails for the tests: a domain's keys and what it signs with them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

import dkim
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from holdback.ports import RecordsUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

DOMAIN: Final = "court.example"
SELECTOR: Final = "s1"
RECORD: Final = f"{SELECTOR}._domainkey.{DOMAIN}"
MAIL: Final = (
    b"From: Dana Clerk <clerk@court.example>\r\n"
    b"To: legal@exchange.example\r\n"
    b"Subject: Order 7 of 2026\r\n"
    b"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\n"
    b"Message-ID: <1042@court.example>\r\n"
    b"\r\n"
    b"Please disclose the account of customer 1042.\r\n"
)
HEADERS: Final = ("from", "to", "subject", "date", "message-id")
RSA: Final = rsa.generate_private_key(65537, 2048)
ED25519: Final = ed25519.Ed25519PrivateKey.generate()


def signed(  # noqa: PLR0913 - each is what one test is about
    mail: bytes = MAIL,
    *,
    key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey = RSA,
    domain: str = DOMAIN,
    headers: Sequence[str] = HEADERS,
    algorithm: str = "rsa-sha256",
    length: bool = False,
) -> bytes:
    """A mail with a signature on top of it."""
    if isinstance(key, rsa.RSAPrivateKey):
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    else:
        secret = base64.b64encode(key.private_bytes_raw())
    line: bytes = dkim.sign(
        mail,
        SELECTOR.encode(),
        domain.encode(),
        secret,
        include_headers=[one.encode() for one in headers],
        signature_algorithm=algorithm.encode(),
        length=length,
    )
    return line + mail


def record(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey = RSA, more: str = "") -> bytes:
    """What the domain publishes of a key."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        shown = base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
        return b"v=DKIM1; k=rsa; " + more.encode() + b"p=" + shown
    return b"v=DKIM1; k=ed25519; " + more.encode() + b"p=" + base64.b64encode(public.public_bytes_raw())


class Published:
    """Records that are what the test says; names without any have none, and those with None cannot be asked for."""

    def __init__(self, records: dict[str, tuple[bytes, ...] | None]) -> None:
        """Publish these."""
        self._records = records
        self.asked: list[str] = []

    async def txt(self, name: str) -> tuple[bytes, ...]:
        """See ports.TextRecords."""
        self.asked.append(name)
        records = self._records.get(name, ())
        if records is None:
            raise RecordsUnavailable
        return records
