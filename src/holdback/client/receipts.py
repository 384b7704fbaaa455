"""Verifying receipts, offline: the signer's own check that Holdback allowed exactly this, a moment ago."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from holdback.client.digest import action_digest
from holdback.client.errors import KeyUnknown, NotUnderstood, ReceiptExpired, ReceiptForged, ReceiptMismatch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ALGORITHM: Final = "Ed25519"
TYPE: Final = "holdback-receipt+jwt"
ISSUER: Final = "holdback"
"""What a Holdback calls itself in receipts until its setting `HOLDBACK_ISSUER` says otherwise."""
LEEWAY_MAX_S: Final = 60
"""The most that clocks may be said to differ; more would outlive what a receipt is worth."""
_LARGEST: Final = 8192


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """A verified receipt: `id` is to be consumed once. Instants are seconds since the epoch, digests are bytes.

    `jws` is the receipt as it came, to be kept with the payment and shown to Holdback after a restore.
    """

    id: str
    issuer: str
    account: str
    action_digest: bytes
    decision: str
    policy: bytes
    head: bytes
    issued_at: int
    expires_at: int
    kind: str
    usd: str
    jws: str = field(repr=False)


class _Header(msgspec.Struct, frozen=True):
    alg: str
    kid: str
    typ: str
    crit: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Claims(msgspec.Struct, frozen=True):
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


class _Jwk(msgspec.Struct, frozen=True):
    kty: str = ""
    crv: str = ""
    use: str = "sig"
    alg: str = ALGORITHM
    kid: str = ""
    x: str = ""


class _JwkSet(msgspec.Struct, frozen=True):
    keys: tuple[_Jwk, ...]


_HEADERS: Final = msgspec.json.Decoder(_Header)
_CLAIMS: Final = msgspec.json.Decoder(_Claims)
_KEYS: Final = msgspec.json.Decoder(_JwkSet)


class Keys:
    """Holdback's public keys, by name. Keys for anything but Ed25519 signatures are passed over.

    Example: `Keys.parse(Path("jwks.json").read_bytes())`.
    """

    def __init__(self, keys: Mapping[str, Ed25519PublicKey]) -> None:
        """Trust these keys and no others."""
        self._keys = dict(keys)

    def __contains__(self, kid: object) -> bool:
        """Whether there is a key of this name."""
        return kid in self._keys

    @classmethod
    def parse(cls, jwks: bytes | str) -> Keys:
        """Read a JWK set, the body of `/.well-known/jwks.json`. Raises NotUnderstood."""
        try:
            wanted = [
                key
                for key in _KEYS.decode(jwks).keys
                if (key.kty, key.crv, key.use, key.alg) == ("OKP", ALGORITHM, "sig", ALGORITHM) and key.kid
            ]
            keys = {key.kid: Ed25519PublicKey.from_public_bytes(_decoded(key.x)) for key in wanted}
        except ValueError as error:
            raise NotUnderstood(f"this is no set of keys: {error}") from None
        if len(keys) != len(wanted):
            raise NotUnderstood("two keys have one name")
        return cls(keys)

    def verify(self, kid: str, signature: bytes, signed: bytes) -> None:
        """Return if the key of this name made this signature. Raises KeyUnknown or ReceiptForged."""
        key = self._keys.get(kid)
        if key is None:
            raise KeyUnknown("the receipt names a key that is not known")
        try:
            key.verify(signature, signed)
        except InvalidSignature:
            raise ReceiptForged("the signature is not Holdback's") from None


def verify_receipt(  # noqa: PLR0913 - each is a question of its own
    jws: str, *, issuer: str, account: str, action: Mapping[str, object], keys: Keys, now: float, leeway: float = 0
) -> Receipt:
    """Return only if this Holdback allowed exactly this action of this account, and it may still be acted upon.

    `issuer` is what that deployment calls itself (its setting `HOLDBACK_ISSUER`); one that shares its key, such as a
    copy for trials, is another. `action` is what was asked, field by field as it was sent (an exit released later is
    verified against the request that was held). `now` is in seconds since the epoch, `leeway` how many seconds the two
    clocks may differ, at most 60. Raises ReceiptRefused in one of its kinds, NotCanonical, or ValueError for a leeway
    out of range. The id is not spent by this: `consume` it.
    """
    if not 0 <= leeway <= LEEWAY_MAX_S:
        raise ValueError(f"the leeway must be from 0 to {LEEWAY_MAX_S} seconds")
    receipt = _verified(jws, keys)
    if receipt.issuer != issuer:
        raise ReceiptMismatch("the receipt is another Holdback's")
    if receipt.account != account:
        raise ReceiptMismatch("the receipt is for another account")
    if not hmac.compare_digest(receipt.action_digest, action_digest(account, action)):
        raise ReceiptMismatch("the receipt is for another action")
    if receipt.decision != "allow":
        raise ReceiptMismatch("the receipt is not for an allow")
    # Written so that a `now` that is not a number is refused as well.
    if not receipt.issued_at - leeway <= now < receipt.expires_at + leeway:
        raise ReceiptExpired("the receipt is not good at this time")
    return receipt


def key_named(jws: str) -> str:
    """The name of the key that a receipt claims to be signed with. Raises ReceiptForged if it is none at all."""
    return _header(jws.partition(".")[0]).kid


def _verified(jws: str, keys: Keys) -> Receipt:
    if len(jws) > _LARGEST or jws.count(".") != 2:  # noqa: PLR2004 - header, payload and signature (RFC 7515 section 3.1)
        raise ReceiptForged("this is no compact JWS")
    signed, _, signature = jws.rpartition(".")
    header, _, payload = signed.partition(".")
    kid = _header(header).kid
    try:
        keys.verify(kid, _decoded(signature), signed.encode())
        claims = _CLAIMS.decode(_decoded(payload))
        return Receipt(
            id=claims.jti,
            issuer=claims.iss,
            account=claims.sub,
            action_digest=_decoded(claims.act),
            decision=claims.dec,
            policy=_decoded(claims.pol),
            head=_decoded(claims.head),
            issued_at=claims.iat,
            expires_at=claims.exp,
            kind=claims.kind,
            usd=claims.usd,
            jws=jws,
        )
    except ValueError:
        raise ReceiptForged("this is no receipt") from None


def _header(encoded: str) -> _Header:
    """Read a header that says exactly what a receipt's must; nothing in it chooses how to verify."""
    try:
        header = _HEADERS.decode(_decoded(encoded))
    except ValueError:
        raise ReceiptForged("this is no receipt") from None
    if header.alg != ALGORITHM or header.typ != TYPE or header.crit is not msgspec.UNSET:
        raise ReceiptForged("this is signed for something else, or in another way")
    return header


def _decoded(text: str) -> bytes:
    """Raises ValueError unless the text is base64url without padding, in its one spelling (RFC 7515 section 2)."""
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=") != text.encode():
        raise ValueError("not base64url")
    return data


REFRESH_S: Final = 60
"""How soon an unknown key may be asked for again, so that forged receipts cannot make us flood Holdback."""
TRUSTED_S: Final = 3600
"""How long fetched keys are trusted before they are fetched again, so that a withdrawn key stops counting."""


class KeyCache:
    """When to fetch the keys, and what was fetched. `clock` counts seconds and never goes back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Start without keys."""
        self._clock = clock
        self._keys = Keys({})
        self._trusted_until = float("-inf")
        self._asked_at = float("-inf")

    @property
    def keys(self) -> Keys:
        """What was fetched last."""
        return self._keys

    def due(self, kid: str | None) -> bool:
        """Whether to fetch before using the keys: they are old, or lack this one and nobody asked within a minute."""
        now = self._clock()
        if now >= self._trusted_until:
            return True
        return kid is not None and kid not in self._keys and now >= self._asked_at + REFRESH_S

    def asking(self) -> None:
        """Note that they are being fetched."""
        self._asked_at = self._clock()

    def keep(self, keys: Keys) -> Keys:
        """Take what was fetched."""
        self._keys = keys
        self._trusted_until = self._clock() + TRUSTED_S
        return keys
