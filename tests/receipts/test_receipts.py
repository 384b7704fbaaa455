"""What receipts promise: any implementation verifies them, none but ours can make them, and keys rotate."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.errors import BadSignatureError
from joserfc.jwk import KeySet, OKPKey

from holdback.receipts import Receipt, ReceiptForged, ReceiptKeys

KEYS = ReceiptKeys.generate()
RECEIPT = Receipt(
    issuer="https://holdback.example",
    account="acct-1",
    action_digest=bytes(range(32)),
    decision="allow",
    policy=bytes(16),
    head=bytes(range(32, 64)),
    issued_at=1_700_000_000,
    expires_at=1_700_000_060,
    id="r-1",
)

texts = st.text(st.characters(codec="utf-8"), max_size=20)
receipts = st.builds(
    Receipt,
    issuer=texts,
    account=texts,
    action_digest=st.binary(max_size=40),
    decision=texts,
    policy=st.binary(max_size=40),
    head=st.binary(max_size=40),
    issued_at=st.integers(0, 2**40),
    expires_at=st.integers(0, 2**40),
    id=texts,
    kind=texts,
    usd=texts,
)


def part(token: str, place: int) -> dict[str, object]:
    """One part of a compact JWS as JSON."""
    encoded = token.split(".")[place]
    decoded: dict[str, object] = json.loads(base64.urlsafe_b64decode(encoded + "=="))
    return decoded


def joserfc_keys(keys: ReceiptKeys) -> KeySet:
    """The published keys, as another implementation reads them."""
    return KeySet([OKPKey.import_key({**jwk}) for jwk in keys.jwks()["keys"]])


@given(receipts)
def test_joserfc_verifies_ours(receipt: Receipt) -> None:
    """Another implementation verifies our receipts with nothing but the published keys."""
    token = KEYS.sign(receipt)
    verified = jws.deserialize_compact(token, joserfc_keys(KEYS), algorithms=["Ed25519"])

    assert json.loads(verified.payload or b"") == part(token, 1)
    with pytest.raises(BadSignatureError):
        jws.deserialize_compact(token, joserfc_keys(ReceiptKeys.generate()).keys[0], algorithms=["Ed25519"])


@given(receipts)
def test_joserfc_signs_the_same(receipt: Receipt) -> None:
    """Another implementation with our key signs the same bytes, and we read what it signs."""
    ours = KEYS.sign(receipt)
    secret = OKPKey.import_key(json.loads(KEYS.to_json())["keys"][0])
    raw = base64.urlsafe_b64decode(ours.split(".")[1] + "==")
    theirs = jws.serialize_compact(part(ours, 0), raw, secret, algorithms=["Ed25519"])

    assert theirs == ours
    assert KEYS.read(theirs) == receipt


def test_the_header_is_fixed() -> None:
    """The algorithm is named fully (RFC 9864), the type is ours, and the key's name is its thumbprint (RFC 7638)."""
    thumbprint = OKPKey.import_key({**KEYS.jwks()["keys"][0]}).thumbprint()

    assert part(KEYS.sign(RECEIPT), 0) == {"alg": "Ed25519", "kid": thumbprint, "typ": "holdback-receipt+jwt"}


def test_the_claims() -> None:
    """A receipt says what was decided, about what, and for how long, in whole seconds."""
    assert part(KEYS.sign(RECEIPT), 1) == {
        "iss": "https://holdback.example",
        "sub": "acct-1",
        "act": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        "dec": "allow",
        "pol": "AAAAAAAAAAAAAAAAAAAAAA",
        "head": "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8",
        "iat": 1_700_000_000,
        "exp": 1_700_000_060,
        "jti": "r-1",
    }


@given(receipts)
def test_what_was_signed_is_read(receipt: Receipt) -> None:
    """A receipt reads back as it was signed, long after it expired, and after its key was retired."""
    rotated = KEYS.rotated()

    assert KEYS.read(KEYS.sign(receipt)) == receipt
    assert rotated.read(KEYS.sign(receipt)) == receipt
    assert rotated.read(rotated.sign(receipt)) == receipt


TOKEN = KEYS.sign(RECEIPT)


@given(st.integers(0, len(TOKEN) - 1), st.characters())
def test_altered_receipts_are_refused(place: int, char: str) -> None:
    """A receipt with any one character changed is none."""
    altered = TOKEN[:place] + char + TOKEN[place + 1 :]
    if altered == TOKEN:
        return

    with pytest.raises(ReceiptForged):
        KEYS.read(altered)


@given(st.text() | st.integers(0, len(TOKEN) - 1).map(lambda kept: TOKEN[:kept]) | st.just(TOKEN + "."))
def test_nonsense_is_no_receipt(token: str) -> None:
    """What was never a receipt, or only its beginning, is refused in the same way."""
    with pytest.raises(ReceiptForged):
        KEYS.read(token)


def test_others_sign_for_themselves() -> None:
    """A receipt by another key is refused, also by the key that came before ours."""
    with pytest.raises(ReceiptForged):
        KEYS.read(ReceiptKeys.generate().sign(RECEIPT))
    with pytest.raises(ReceiptForged):
        KEYS.read(KEYS.rotated().sign(RECEIPT))


def test_keys_survive_being_stored() -> None:
    """Keys written and read again sign the same receipts and still know the retired ones."""
    keys = KEYS.rotated().rotated()
    again = ReceiptKeys.parse(keys.to_json())

    assert again.sign(RECEIPT) == keys.sign(RECEIPT)
    assert again.jwks() == keys.jwks()
    assert again.read(TOKEN) == RECEIPT


def test_secrets_stay_where_they_belong() -> None:
    """Only the stored form holds a secret part, and only that of the current key."""
    keys = KEYS.rotated()
    stored = json.loads(keys.to_json())["keys"]

    assert [sorted(key) for key in keys.jwks()["keys"]] == [["alg", "crv", "kid", "kty", "use", "x"]] * 2
    assert ["d" in key for key in stored] == [True, False]
    assert stored[0]["d"] not in repr(keys)


STORED = json.loads(KEYS.to_json())["keys"][0]
OTHER = ReceiptKeys.generate().jwks()["keys"][0]


@pytest.mark.parametrize(
    "keys",
    [
        [],
        [OTHER],
        [STORED | {"d": STORED["d"][:-2]}],
        [STORED | {"x": OTHER["x"]}],
        [STORED, STORED],
        [STORED, OTHER, OTHER],
        [STORED, OTHER | {"x": "AA"}],
        [STORED, OTHER | {"x": "++//"}],
        ["a key"],
    ],
)
def test_broken_keys_are_refused(keys: list[object]) -> None:
    """Keys that were damaged or put together wrongly are refused, without repeating a secret in the message."""
    with pytest.raises(ValueError, match="receipt key") as refused:
        ReceiptKeys.parse(json.dumps({"keys": keys}))

    assert STORED["d"][:8] not in str(refused.value)
