"""A software authenticator and the browser around it, enough of both to register and to sign as WebAuthn says.

What it makes is made by these tests and proves that the parts fit; that they fit the world is for the specification's
own vectors (`test_vectors.py`) and for a real browser.
"""

from __future__ import annotations

import hashlib
import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from webauthn.helpers import encode_cbor

RP_ID: Final = "example.com"
ORIGIN: Final = "https://www.example.com"
UP, UV, BE, BS, AT = 0x01, 0x04, 0x08, 0x10, 0x40

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def b64(data: bytes) -> str:
    """Base64url without padding, as WebAuthn writes bytes into JSON."""
    return urlsafe_b64encode(data).decode().rstrip("=")


def unb64(text: str) -> bytes:
    """The bytes again."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class SoftKey:
    """One passkey. `counts` says whether it counts its uses; `flags` are what it states besides presence."""

    key: Key = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    name: bytes = field(default_factory=lambda: os.urandom(32))
    counter: int = 0
    counts: bool = True
    flags: int = UV
    user: bytes = b""

    def create(self, options: dict[str, Any], origin: str = ORIGIN, **said: Any) -> str:  # noqa: ANN401 - client data
        """Answer creation options, as `JSON.stringify(credential)` would."""
        self.user = unb64(options["user"]["id"])
        attested = bytes(16) + len(self.name).to_bytes(2) + self.name + encode_cbor(self.cose())
        data = self._data(options["rp"]["id"], self.flags | AT) + attested
        attestation = encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})
        client = _client("webauthn.create", options["challenge"], origin, said)
        response = {"clientDataJSON": b64(client), "attestationObject": b64(attestation), "transports": ["internal"]}
        return self._credential(response)

    def get(self, options: dict[str, Any], origin: str = ORIGIN, **said: Any) -> str:  # noqa: ANN401 - client data
        """Answer request options: sign them as they are."""
        data = self._data(options["rpId"], self.flags)
        client = _client("webauthn.get", options["challenge"], origin, said)
        signature = self._sign(data + hashlib.sha256(client).digest())
        response = {"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature)}
        return self._credential(response | {"userHandle": b64(self.user)})

    def handed_over(self, **said: Any) -> str:  # noqa: ANN401 - any JSON
        """As a platform would import it."""
        return json.dumps({"id": b64(self.name), "public_key": b64(encode_cbor(self.cose())), **said})

    def cose(self) -> dict[int, object]:
        """The public key (RFC 9052)."""
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return {1: 1, 3: -8, -1: 6, -2: self.key.public_key().public_bytes_raw()}
        if isinstance(self.key, rsa.RSAPrivateKey):
            public = self.key.public_key().public_numbers()
            return {1: 3, 3: -257, -1: public.n.to_bytes(256), -2: public.e.to_bytes(3)}
        point = self.key.public_key().public_numbers()
        return {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32), -3: point.y.to_bytes(32)}

    def _sign(self, data: bytes) -> bytes:
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(data)
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self.key.sign(data, ec.ECDSA(hashes.SHA256()))

    def _data(self, rp_id: str, flags: int) -> bytes:
        self.counter += self.counts
        return hashlib.sha256(rp_id.encode()).digest() + bytes((UP | flags,)) + self.counter.to_bytes(4)

    def _credential(self, response: dict[str, Any]) -> str:
        name = b64(self.name)
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response})


def _client(kind: str, challenge: str, origin: str, said: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": False} | said).encode()
