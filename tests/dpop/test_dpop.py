"""Proofs of a device's key: what is taken, and everything that is not (RFC 9449 section 4.3)."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey
from tests.dpop.device import ROUTE, Browser

from holdback import dpop
from holdback.dpop import Expected

if TYPE_CHECKING:
    from collections.abc import Callable

NOW: Final = 1_700_000_000_000
BODY: Final = {"action": "exit.request", "amount": "1", "actor": {}}
TOKEN: Final = "t" * 64
ACT: Final = hashlib.sha256(b'alice\n{"action":"exit.request","amount":"1"}').digest()
HERE: Final = Expected("POST", ROUTE, hashlib.sha256(TOKEN.encode()).digest(), ACT)

RFC_9449: Final = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJo"
    "RjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJq"
    "dGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0Ijox"
    "NTYyMjY1Mjk2fQ.pAqut2IRDm_De6PR93SYmGBPXpwrAk90e8cP2hjiaG5QsGSuKDYW7_X620BxqhvYC8ynrrvZLTk41mSRroapUA"
)
"""The example of section 4.2; its key's thumbprint is the `jkt` of section 6.1."""


def test_the_example_of_rfc_9449() -> None:
    """The proof that the RFC shows is right, and its key has the thumbprint that the RFC shows."""
    found = dpop.read(RFC_9449, Expected("POST", "https://server.example.com/token"))
    assert (found.wrong, found.at) == ("", 1_562_265_296_000)
    assert dpop.digest_text(found.thumbprint) == "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


@pytest.mark.parametrize("kind", ["ES256", "Ed25519"])
def test_a_right_proof(kind: str) -> None:
    """Both algorithms serve, and the key is known by its RFC 7638 thumbprint."""
    browser = Browser(kind)
    found = dpop.read(browser.proof(NOW, "alice", BODY, TOKEN), HERE)
    assert (found.wrong, found.at) == ("", NOW)
    assert dpop.digest_text(found.thumbprint) == browser.key.thumbprint()
    assert dpop.read(browser.proof(NOW, "alice", BODY, TOKEN), HERE).id != found.id


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"htm": "GET"}, "htm"),
        ({"htm": "post"}, "htm"),
        ({"htu": "https://exchange.example/deposit"}, "htu"),
        ({"htu": "https://exchange.example.evil/withdraw"}, "htu"),
        ({"htu": "http://exchange.example/withdraw"}, "htu"),
        ({"htu": "/withdraw"}, "htu"),
        ({"htu": "https://[exchange.example/withdraw"}, "htu"),
        ({"htu": "https://me@exchange.example/withdraw"}, "htu"),
        ({"htu": "HTTPS://Exchange.example:443/withdraw?of=1#here"}, ""),
        ({"ath": "another"}, "ath"),
        ({"ath": None}, "ath"),
        ({"ath": "\u20ac"}, "ath"),
        ({"act": "another"}, "act"),
        ({"act": None}, "act"),
        ({"jti": ""}, "dpop"),
        ({"jti": "j" * 129}, "dpop"),
        ({"jti": None}, "dpop"),
        ({"jti": 5}, "dpop"),
        ({"iat": None}, "dpop"),
        ({"iat": -1}, "dpop"),
        ({"iat": 2**60}, "dpop"),
        ({"iat": "now"}, "dpop"),
        ({"iat": 1.5}, "dpop"),
        ({"htu": 5}, "dpop"),
        ({"nonce": "not looked at"}, ""),
    ],
    ids=str,
)
def test_every_claim_is_compared(changed: dict[str, Any], wrong: str) -> None:
    """A proof for another route, token or action, or without a name or a time, names the claim that does not fit."""
    assert dpop.read(Browser().proof(NOW, "alice", BODY, TOKEN, **changed), HERE).wrong == wrong


def test_what_is_not_expected_is_not_compared() -> None:
    """A proof that signs in is for no token and no action yet."""
    assert not dpop.read(Browser().proof(NOW), Expected("POST", ROUTE)).wrong


def _swapped(proof: str, place: int, part: str) -> str:
    parts = proof.split(".")
    parts[place] = part
    return ".".join(parts)


_OCT: Final = OctKey.import_key("secret" * 8)

BAD: Final[dict[str, Callable[[Browser], str]]] = {
    "nothing": lambda _: "",
    "no JWS": lambda _: "proof",
    "four parts": lambda one: one.proof(NOW) + ".x",
    "not ASCII": lambda one: one.proof(NOW) + "\u20ac",
    "not base64": lambda one: _swapped(one.proof(NOW), 0, "!!!"),
    "padded": lambda one: one.proof(NOW) + "==",
    "another spelling": lambda one: _respelled(one.proof(NOW)),
    "too long": lambda one: one.proof(NOW, extra="x" * 2048),
    "no object": lambda one: one.signed(one.header(), []),
    "deep": lambda one: _swapped(one.proof(NOW), 1, base64.urlsafe_b64encode(b"[" * 1200).decode().rstrip("=")),
    "another type": lambda one: one.signed(one.header(typ="JWT"), one.claims(NOW)),
    "critical": lambda one: _header(one, crit=["exp"]),
    "key id": lambda one: one.signed(one.header(kid="k"), one.claims(NOW)),
    "alg none": lambda one: _header(one, alg="none").rpartition(".")[0] + ".",
    "symmetric": lambda one: one.signed(
        {"typ": "dpop+jwt", "alg": "HS256", "jwk": {"kty": "oct", "k": "c2VjcmV0"}}, one.claims(NOW), _OCT
    ),
    "private": lambda one: one.signed(one.header(jwk=_private(one)), one.claims(NOW)),
    "another curve": lambda one: _header(one, jwk=_jwk(ECKey.generate_key("P-384"))),
    "RSA": lambda one: _header(one, jwk=_jwk(RSAKey.generate_key(2048))),
    "off the curve": lambda one: _header(one, jwk=one.jwk | {"x": one.jwk["y"]}),
    "short": lambda one: _header(one, jwk=one.jwk | {"x": "AA"}),
    "no y": lambda one: _header(one, jwk={name: x for name, x in one.jwk.items() if name != "y"}),
    "kinds mixed": lambda one: one.signed(one.header(jwk=Browser("Ed25519").jwk), one.claims(NOW)),
    "another's key": lambda one: one.signed(one.header(jwk=Browser().jwk), one.claims(NOW)),
    "claims changed": lambda one: _swapped(one.proof(NOW), 1, one.proof(NOW).split(".")[1]),
    "no signature": lambda one: _swapped(one.proof(NOW), 2, ""),
    "DER signature": lambda one: _swapped(one.proof(NOW), 2, "MEUCIQ"),
    "empty signature numbers": lambda one: _swapped(one.proof(NOW), 2, "A" * 86),
}


def _respelled(proof: str) -> str:
    """The same bytes: the last character holds four bits that none of them has."""
    return proof[:-1] + {"A": "B", "Q": "R", "g": "h", "w": "x"}[proof[-1]]


def _header(one: Browser, **changed: Any) -> str:  # noqa: ANN401 - any JSON
    """A proof under another header, which its signature does not cover."""
    header = msgspec.json.encode(one.header(**changed))
    return _swapped(one.proof(NOW), 0, base64.urlsafe_b64encode(header).decode().rstrip("="))


def _private(one: Browser) -> dict[str, Any]:
    return dict(one.key.as_dict(private=True))


def _jwk(key: Any) -> dict[str, Any]:  # noqa: ANN401 - any key
    return {name: x for name, x in key.as_dict(private=False).items() if name != "kid"}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_proof(name: str) -> None:
    """Anything but a well-made proof by a public key of a listed kind is wrong as a whole, and names no key."""
    found = dpop.read(BAD[name](Browser()), Expected("POST", ROUTE))
    assert (found.wrong, found.thumbprint, found.id) == ("dpop", b"", b"")


def test_an_ed25519_key_has_one_spelling() -> None:
    """A key with a member too many would have a second thumbprint."""
    one = Browser("Ed25519")
    found = dpop.read(one.signed(one.header(jwk=one.jwk | {"y": "AA"}), one.claims(NOW)), Expected("POST", ROUTE))
    assert found.wrong == "dpop"
