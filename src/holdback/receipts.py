"""Receipts: what the platform's signer checks, by itself and offline, before value moves (design section 6).

A receipt is a compact JWS (RFC 7515) with algorithm `Ed25519` (RFC 9864) over the account, the digest of the exact
action, the decision, the policy, the head of the account's chain, an expiry and a one-time id. `holdback.client` has
the other half. Both write their JWS by hand: one algorithm, one type and a fixed header leave nothing to negotiate, and
signing costs little more than the signature itself. The tests hold both against joserfc.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

if TYPE_CHECKING:
    from collections.abc import Sequence

ALGORITHM: Final = "Ed25519"
TYPE: Final = "holdback-receipt+jwt"

RETURNED: Final = "exit.returned"
"""The `kind` of a receipt by which what an exit sent to another customer goes back. No kind of exit has a dot."""


class ReceiptForged(Exception):
    """What was shown is no receipt that any key here has signed."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """That `decision` was given for one action of `account`.

    `action_digest` is the action's SHA-256, `policy` the policy's digest, `head` the link of the chain's last entry,
    `id` what the signer consumes once. `issued_at` and `expires_at` are seconds since the epoch, as RFC 7519 wants
    them. `kind`, `usd` and `to`, the customer here who received it, are for whoever reconciles after a restore; `seq`
    is the number of that entry.
    """

    issuer: str
    account: str
    action_digest: bytes
    decision: str
    policy: bytes
    head: bytes
    issued_at: int
    expires_at: int
    id: str
    kind: str = ""
    usd: str = ""
    to: str = ""
    seq: int = 0


class _Claims(msgspec.Struct, frozen=True, omit_defaults=True):
    """The payload: bytes are base64url."""

    iss: str
    sub: str
    act: str
    dec: str
    pol: str
    head: str
    iat: int
    exp: int
    jti: str
    kind: str = ""
    usd: str = ""
    to: str = ""
    seq: int = 0


class _Jwk(msgspec.Struct, frozen=True):
    """What tells one Ed25519 key from another (RFC 8037 section 2); `d` only where it may still sign."""

    x: str
    d: str = ""


class _JwkSet(msgspec.Struct, frozen=True):
    keys: list[_Jwk]


_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_JSON: Final = msgspec.json.Encoder()
_CLAIMS: Final = msgspec.json.Decoder(_Claims)
_KEYS: Final = msgspec.json.Decoder(_JwkSet)


class ReceiptKeys:
    """The key that signs receipts, and those that did before, which only verify.

    Example: `ReceiptKeys.parse(settings.receipt_keys).sign(receipt)`.
    """

    def __init__(self, current: Ed25519PrivateKey, retired: Sequence[Ed25519PublicKey] = ()) -> None:
        """Sign with `current`; say that `retired` keys were ours too."""
        self._current = current
        self._public = {_kid(key): key for key in (current.public_key(), *retired)}
        self._headers = {_header(kid): key for kid, key in self._public.items()}
        self._start = next(iter(self._headers)) + "."

    def __repr__(self) -> str:
        """Name the keys and show none."""
        return f"ReceiptKeys({', '.join(self._public)})"

    @classmethod
    def generate(cls) -> ReceiptKeys:
        """A fresh key and no retired ones."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def parse(cls, text: str | bytes) -> ReceiptKeys:
        """Read what `to_json` wrote. Raises ValueError, showing nothing of it."""
        try:
            current, *others = _KEYS.decode(text).keys
            private = Ed25519PrivateKey.from_private_bytes(_decoded(current.d))
            keys = cls(private, [Ed25519PublicKey.from_public_bytes(_decoded(key.x)) for key in others])
        except ValueError:
            raise ValueError("these are not receipt keys as `to_json` writes them") from None
        if [key["x"] for key in keys.jwks()["keys"]] != [key.x for key in (current, *others)]:
            raise ValueError("a receipt key's two parts do not belong together, or a key is there twice")
        return keys

    def to_json(self) -> str:
        """A JWK set whose first key holds its secret part: keep it as one keeps a password."""
        secret = _encoded(self._current.private_bytes_raw())
        first, *others = self.jwks()["keys"]
        return _JSON.encode({"keys": [first | {"d": secret}, *others]}).decode()

    def rotated(self) -> ReceiptKeys:
        """A fresh key in front; the one before it verifies from here on and its secret part is forgotten.

        Signers learn the new key when they meet it, at the earliest a minute after they last asked.
        """
        return ReceiptKeys(Ed25519PrivateKey.generate(), tuple(self._public.values()))

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public keys, the current one first, as `/.well-known/jwks.json` shows them (RFC 7517 section 5)."""
        return {
            "keys": [
                {
                    "kty": "OKP",
                    "crv": ALGORITHM,
                    "alg": ALGORITHM,
                    "use": "sig",
                    "kid": kid,
                    "x": _encoded(key.public_bytes_raw()),
                }
                for kid, key in self._public.items()
            ]
        }

    def sign(self, receipt: Receipt) -> str:
        """The receipt as a compact JWS."""
        claims = _Claims(
            iss=receipt.issuer,
            sub=receipt.account,
            act=_encoded(receipt.action_digest),
            dec=receipt.decision,
            pol=_encoded(receipt.policy),
            head=_encoded(receipt.head),
            iat=receipt.issued_at,
            exp=receipt.expires_at,
            jti=receipt.id,
            kind=receipt.kind,
            usd=receipt.usd,
            to=receipt.to,
            seq=receipt.seq,
        )
        signed = self._start + _encoded(_JSON.encode(claims))
        return f"{signed}.{_encoded(self._current.sign(signed.encode()))}"

    def read(self, jws: str) -> Receipt:
        """A receipt that one of these keys signed, however long ago, to reconcile by. Raises ReceiptForged."""
        signed, _, signature = jws.rpartition(".")
        header, _, payload = signed.partition(".")
        try:
            self._headers[header].verify(_decoded(signature), signed.encode())
            return _receipt(_CLAIMS.decode(_decoded(payload)))
        except (InvalidSignature, KeyError, ValueError):
            raise ReceiptForged("no key here has signed this") from None


def _receipt(claims: _Claims) -> Receipt:
    return Receipt(
        issuer=claims.iss,
        account=claims.sub,
        action_digest=_decoded(claims.act),
        decision=claims.dec,
        policy=_decoded(claims.pol),
        head=_decoded(claims.head),
        issued_at=claims.iat,
        expires_at=claims.exp,
        id=claims.jti,
        kind=claims.kind,
        usd=claims.usd,
        to=claims.to,
        seq=claims.seq or _numbered(claims.jti),
    )


def _numbered(name: str) -> int:
    """The entry's number as earlier receipts had it, in their id; 0 where there is none."""
    number = name.split("/")[1:2]
    return int(number[0]) if number and number[0].isdecimal() else 0


def _kid(key: Ed25519PublicKey) -> str:
    """The key's thumbprint, by which any implementation would name it (RFC 7638, RFC 8037 section 2)."""
    members = {"crv": ALGORITHM, "kty": "OKP", "x": _encoded(key.public_bytes_raw())}
    return _encoded(hashlib.sha256(_JSON.encode(members)).digest())


def _header(kid: str) -> str:
    return _encoded(_JSON.encode({"alg": ALGORITHM, "kid": kid, "typ": TYPE}))


def _encoded(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).rstrip(b"=").translate(_URL_SAFE).decode()


def _decoded(text: str) -> bytes:
    """Raises ValueError unless the text is base64url as `_encoded` writes it."""
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _encoded(data) != text:
        raise ValueError("this is not base64url as it was written")
    return data
