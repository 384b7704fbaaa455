"""Proofs that a request comes from a device's key (DPoP, RFC 9449): read, checked and turned into a fact.

A proof is a compact JWS of type `dpop+jwt` whose header carries the public key. Two algorithms, a closed header and a
bounded length leave nothing to negotiate: no symmetric key, no private one, no `none`. Whether the proof is fresh, was
used before and comes from the right key is for the core to judge, under the lock. What the claims are is said in
docs/how-to/bind-sessions.md.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Annotated, Final, Literal, NamedTuple
from urllib.parse import urlsplit

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from holdback.core.decision import DeviceProof

LONGEST: Final = 2_048
"""The longest proof that is looked at, in characters."""

_COORDINATE: Final = 32
_ID_BYTES: Final = 8
"""How much of the hash of a proof's name is kept: it tells one customer's proofs of a minute apart."""
_PORTS: Final = {"http": 80, "https": 443}


class Expected(NamedTuple):
    """What a proof must be for: the request as the platform saw it, the session's token and the exact action.

    `token` is the SHA-256 of the token and `action` the action's digest, both empty where they are not looked at.
    """

    method: str
    url: str
    token: bytes = b""
    action: bytes = b""


class _Jwk(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A public key's required members, which are all it may have, in the order that RFC 7638 hashes them in."""

    crv: Literal["P-256", "Ed25519"]
    kty: Literal["EC", "OKP"]
    x: str
    y: str = ""


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    typ: Literal["dpop+jwt"]
    alg: Literal["ES256", "Ed25519"]
    jwk: _Jwk


class _Claims(msgspec.Struct, frozen=True):
    jti: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    htm: str
    htu: str
    iat: Annotated[int, msgspec.Meta(ge=0, le=2**40)]
    ath: str = ""
    act: str = ""


_HEADER: Final = msgspec.json.Decoder(_Header)
_CLAIMS: Final = msgspec.json.Decoder(_Claims)


def read(proof: str, expected: Expected) -> DeviceProof:
    """The proof as a fact; `wrong` names what does not fit first. Whatever it is, it raises nothing."""
    try:
        thumbprint, claims = _verified(proof)
        iat_ms = claims.iat * 1000
    except (ValueError, InvalidSignature, RecursionError):  # msgspec's and binascii's errors are ValueErrors
        return DeviceProof(b"", b"", 0, "dpop")
    name = hashlib.sha256(thumbprint + claims.jti.encode()).digest()[:_ID_BYTES]
    return DeviceProof(thumbprint, name, iat_ms, _misfit(claims, expected))


def digest_text(digest: bytes) -> str:
    """A digest as a claim holds it: base64url without padding."""
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def token_text(token: str) -> str:
    """What the claim `ath` holds of a session's token."""
    return digest_text(token_digest(token))


def token_digest(token: str) -> bytes:
    """The digest of a session's token, whose first half names the session."""
    return hashlib.sha256(token.encode()).digest()


def place(url: str) -> tuple[str, str, int, str]:
    """What two addresses of one route have in common: scheme, host, port and path. Raises ValueError on no such one."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
        raise ValueError("not the address of a route")
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme], parts.path or "/"


def _verified(proof: str) -> tuple[bytes, _Claims]:
    """The key's thumbprint and the claims. Raises ValueError or InvalidSignature on anything but a well-made proof."""
    if len(proof) > LONGEST:
        raise ValueError("too long")
    head, payload, signature = (part.encode("ascii") for part in proof.split("."))
    header = _HEADER.decode(_bytes(head))
    claims = _CLAIMS.decode(_bytes(payload))
    jwk, signed, shown = header.jwk, head + b"." + payload, _bytes(signature)
    if (header.alg, jwk.kty, jwk.crv) == ("ES256", "EC", "P-256"):
        _verify_es256(jwk, signed, shown)
    elif (header.alg, jwk.kty, jwk.crv, jwk.y) == ("Ed25519", "OKP", "Ed25519", ""):
        Ed25519PublicKey.from_public_bytes(_bytes(jwk.x.encode("ascii"))).verify(shown, signed)
    else:
        raise ValueError("algorithm and key do not fit together")
    return hashlib.sha256(msgspec.json.encode(jwk)).digest(), claims


def _verify_es256(jwk: _Jwk, signed: bytes, shown: bytes) -> None:
    """Raises ValueError on a key off the curve or numbers of a wrong length, InvalidSignature on a bad signature."""
    x, y = (_bytes(one.encode("ascii")) for one in (jwk.x, jwk.y))
    if (len(x), len(y), len(shown)) != (_COORDINATE, _COORDINATE, 2 * _COORDINATE):
        raise ValueError("numbers of a wrong length")
    key = EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), SECP256R1()).public_key()
    r, s = shown[:_COORDINATE], shown[_COORDINATE:]
    key.verify(encode_dss_signature(int.from_bytes(r), int.from_bytes(s)), signed, ECDSA(SHA256()))


def _bytes(text: bytes) -> bytes:
    """Decode base64url without padding, in its one spelling: a key with two would have two thumbprints."""
    decoded = base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if digest_text(decoded).encode() != text:
        raise binascii.Error("not the one spelling of these bytes")
    return decoded


def _misfit(claims: _Claims, expected: Expected) -> str:
    if claims.htm != expected.method:
        return "htm"
    try:
        elsewhere = place(claims.htu) != place(expected.url)
    except ValueError:
        elsewhere = True
    if elsewhere:
        return "htu"
    for name, said, digest in (("ath", claims.ath, expected.token), ("act", claims.act, expected.action)):
        if digest and not hmac.compare_digest(said.encode(), digest_text(digest).encode()):
            return name
    return ""
