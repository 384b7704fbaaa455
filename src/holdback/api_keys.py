"""Reading what a program signed with an API key, and from where: HMAC-SHA-256 or Ed25519 over the exact action.

What is signed are eight lines: `holdback api key 2`, what this Holdback calls itself (`HOLDBACK_ISSUER`), the account
and the key that ask, the time in milliseconds since the epoch, the nonce, `ask` or for a dry run `dry_run`, and the
action's digest in hex. So what was signed for a dry run, or for another Holdback, asks for nothing here in earnest. A
signature over a platform's own request would not do: it says nothing of what Holdback is asked (law 6).
"""

from __future__ import annotations

import base64
import binascii
import hmac
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDEST: Final = {4: 16, 6: 32}
"""The shortest prefix a network may have: a list that half of the internet is on protects nobody."""

_HMAC: Final = "hmac:"
_ED25519: Final = "ed25519:"

_SIGN: Final = 2**255
_PRIME: Final = 2**255 - 19
_ORDER_8: Final = 2707385501144840649318225287225658788936804267575313519463743609750303402022
_SMALL_ORDER: Final = frozenset({0, 1, _PRIME - 1, _PRIME, _PRIME + 1, _ORDER_8, _PRIME - _ORDER_8})
"""The y of every point of order 1 to 8, as it may be written: under such a key one signature fits every text.

(RFC 8032 section 5.1.7 lets them verify; who made one has no private key, and whoever reads it signs as he does.)
"""

Nonce = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
"""An integer that every JSON reader takes for itself (RFC 7493 section 2.2)."""
Signature = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{43}([A-Za-z0-9_-]{43})?\Z")]
"""The 32 bytes of an HMAC-SHA-256 or the 64 of an Ed25519 signature, in base64url without padding."""


def signed_text(  # noqa: PLR0913 - what is signed
    account: str, key: str, timestamp: int, nonce: int, digest: bytes, *, issuer: str, dry_run: bool
) -> bytes:
    """What a program signs; `timestamp` is in milliseconds since the epoch, `digest` the action's SHA-256."""
    how = "dry_run" if dry_run else "ask"
    lines = ("holdback api key 2", issuer, account, key, timestamp, nonce, how, digest.hex())
    return "\n".join(map(str, lines)).encode()


def credential(secret: str, public_key: str | None) -> str:
    """What is kept of a key: the public half of its program's pair, or the secret that both know."""
    return _ED25519 + public_key if public_key is not None else _HMAC + secret


def public_key_fault(text: str) -> str:
    """Why a public key in base64url can be none; "" if it can."""
    try:
        given = _bytes(text)
        Ed25519PublicKey.from_public_bytes(given)
    except (ValueError, binascii.Error):
        return "must be the 32 bytes of an Ed25519 public key in base64url without padding"
    if int.from_bytes(given, "little") % _SIGN in _SMALL_ORDER:
        return "must be a public key that has a private one: this is a point of small order"
    return ""


def is_signed(kept: str, text: bytes, signature: str) -> bool:
    """Whether a signature is the kept credential's over this text. An HMAC is compared in constant time."""
    try:
        given = _bytes(signature)
        if kept.startswith(_HMAC):
            return hmac.compare_digest(hmac.digest(kept.removeprefix(_HMAC).encode(), text, "sha256"), given)
        Ed25519PublicKey.from_public_bytes(_bytes(kept.removeprefix(_ED25519))).verify(given, text)
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True


def network_spelled(text: str) -> str:
    """One address or network of a list in its one spelling. Raises ValueError saying what is wrong with it."""
    network = _network(text)
    if network is None:
        raise ValueError("must be an IPv4 or IPv6 address, or a network such as 203.0.113.0/24")
    if network.prefixlen < WIDEST[network.version]:
        raise ValueError(f"must be no wider than /{WIDEST[network.version]}")
    return str(network)


def is_listed(networks: Sequence[str], address: str | None) -> bool:
    """Whether an address is on a list; on an empty list is every one, and none is on any other if nobody said it."""
    if not networks:
        return True
    try:
        asked_from = ip_address(address or "")
    except ValueError:
        return False
    mapped = getattr(asked_from, "ipv4_mapped", None) or asked_from
    return any(mapped in network for network in map(_network, networks) if network is not None)


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text)
    except ValueError:
        return None


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
