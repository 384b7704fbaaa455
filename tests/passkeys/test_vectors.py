"""The test vectors of W3C Web Authentication Level 3, section 16, as published; the values are in the file beside this.

Five of its examples are here. Holdback is stricter than the specification: it wants the user verified each time and
takes nothing from an embedded page. So some vectors must be refused, and it is shown that only for that reason.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from tests.passkeys.software import b64, unb64
from webauthn import verify_authentication_response, verify_registration_response

from holdback.evidence.passkey import Begun, Passkeys

SPEC: Final[dict[str, Any]] = json.loads(Path(__file__).with_name("webauthn-3-vectors.json").read_text())
RP_ID: Final = "example.org"
ORIGIN: Final = "https://example.org"
OURS: Final = Passkeys(RP_ID, [ORIGIN], "Example")
REGISTERED: Final = {"packed-self.ES256": True, "none.ES256": False, "none.ES256.crossOrigin": False}
PROVED: Final = {
    "packed.ES256": True,
    "none.ES256.long-credential-id": True,
    "none.ES256": False,
    "packed-self.ES256": False,
    "none.ES256.crossOrigin": False,
}


def named(vector: str) -> bytes:
    """The credential's id: as printed, or derived as the specification says where it would fill a page."""
    one = SPEC[vector]
    if "credential_id" in one:
        return bytes.fromhex(one["credential_id"])
    derived = HKDF(SHA256(), 1023, b"\x04", vector.encode()).derive(b"WebAuthn test vectors")
    assert derived.hex().startswith(one["credential_id_begins"])
    return derived


def credential(vector: str, ceremony: str) -> str:
    """What a browser would have sent."""
    name = b64(named(vector))
    fields = {key: b64(bytes.fromhex(value)) for key, value in SPEC[vector][ceremony].items() if key != "challenge"}
    return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": fields})


def challenge(vector: str, ceremony: str) -> bytes:
    """What was to be signed."""
    return bytes.fromhex(SPEC[vector][ceremony]["challenge"])


def public_key(vector: str) -> bytes:
    """The key in COSE form: as printed, or as the specification's registration gives it."""
    if "public_key" in SPEC[vector]:
        return bytes.fromhex(SPEC[vector]["public_key"])
    return verify_registration_response(
        credential=credential(vector, "registration"),
        expected_challenge=challenge(vector, "registration"),
        expected_rp_id=RP_ID,
        expected_origin=ORIGIN,
    ).credential_public_key


@pytest.mark.parametrize("vector", REGISTERED)
def test_a_registration(vector: str) -> None:
    """A registration of the specification is taken as it is printed, if its user was verified on a page of ours."""
    assert public_key(vector)
    begun = Begun(b64(challenge(vector, "registration")), 1, "")
    waiting = json.dumps({"challenge": begun.challenge, "until": begun.until, "user": begun.user})
    made = OURS.registered(waiting, credential(vector, "registration"), (), 0)
    assert (made is not None) is REGISTERED[vector]
    if made is not None:
        kept = json.loads(made.credential)
        assert unb64(kept["id"]) == named(vector)
        assert kept["aaguid"].replace("-", "") == SPEC[vector]["aaguid"]
        assert (kept["backup_eligible"], kept["backed_up"], made.counter) == (True, True, 0)


@pytest.mark.parametrize("vector", PROVED)
def test_an_authentication(vector: str) -> None:
    """An assertion of the specification proves as it is printed, if its user was verified on a page of ours."""
    response, signed = credential(vector, "authentication"), challenge(vector, "authentication")
    verify_authentication_response(  # raises if it is not right
        credential=response,
        expected_challenge=signed,
        expected_rp_id=RP_ID,
        expected_origin=ORIGIN,
        credential_public_key=public_key(vector),
        credential_current_sign_count=0,
    )
    kept = OURS.imported(json.dumps({"id": b64(named(vector)), "public_key": b64(public_key(vector))}))
    assert (OURS.proved(kept, response, [signed]) is not None) is PROVED[vector]
    assert OURS.proved(kept, response, [b"x" * 32]) is None
