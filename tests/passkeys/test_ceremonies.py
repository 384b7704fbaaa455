"""Passkeys: what is registered, what proves, and everything that does not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st
from tests.passkeys.software import AT, BE, BS, ORIGIN, RP_ID, UV, SoftKey, b64, unb64

from holdback.evidence.passkey import CREATION_MS, RESPONSE_MOST, Kept, Passkeys

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_795_258_055_123
CHALLENGE = bytes(range(32))
USER = b"sixteen bytes of"
OURS = Passkeys(RP_ID, [ORIGIN, "android:apk-key-hash:" + "a" * 43], "Example")


def begun(held: tuple[str, ...] = ()) -> tuple[str, dict[str, Any]]:
    """A registration that was begun: what is kept of it, and the options for the browser."""
    enrolment = OURS.creation(USER, "alice@example.com", held, NOW)
    options: Any = enrolment.shown["passkey"]
    return enrolment.credential, options


def kept(key: SoftKey) -> str:
    """A key that was registered, as it is kept."""
    waiting, options = begun()
    made = OURS.registered(waiting, key.create(options), (), NOW)
    assert made is not None
    return made.credential


def request(challenge: bytes = CHALLENGE) -> dict[str, Any]:
    """Request options for a challenge."""
    return OURS.request(challenge, [], 60_000, named=True)


def test_what_a_browser_is_asked_to_make() -> None:
    """User verification and discoverability are required, attestation is not asked for, held ones are excluded."""
    one = kept(SoftKey(name=b"a name of 16 byt"))
    _, options = begun((one,))
    assert options["rp"] == {"id": RP_ID, "name": "Example"}
    assert options["user"] == {"id": b64(USER), "name": "alice@example.com", "displayName": "alice@example.com"}
    chosen = options["authenticatorSelection"]
    assert (chosen["userVerification"], chosen["residentKey"], options["attestation"]) == (
        "required",
        "required",
        "none",
    )
    assert [one["alg"] for one in options["pubKeyCredParams"]] == [-7, -8, -257]
    assert options["excludeCredentials"] == [
        {"id": b64(b"a name of 16 byt"), "type": "public-key", "transports": ["internal"]}
    ]
    assert options["timeout"] == CREATION_MS
    assert len(unb64(options["challenge"])) == 32
    assert options["challenge"] != begun()[1]["challenge"]


def test_what_is_kept() -> None:
    """Id, key, counter, backup eligibility and state, transports and model are kept of a passkey."""
    key = SoftKey(counter=41, flags=UV | BE | BS)
    waiting, options = begun()
    made = OURS.registered(waiting, key.create(options), (), NOW)
    assert made is not None
    assert (made.counter, made.backed_up) == (42, True)
    found = json.loads(made.credential)
    assert (unb64(found["id"]), found["sign_count"], found["backup_eligible"], found["backed_up"]) == (
        key.name,
        42,
        True,
        True,
    )
    assert (found["transports"], found["discoverable"], unb64(found["user"])) == (["internal"], True, USER)
    assert found["aaguid"] == "00000000-0000-0000-0000-000000000000"


def altered(response: str, **said: Any) -> str:  # noqa: ANN401 - any JSON
    """A credential with other fields."""
    found = json.loads(response)
    found["response"] |= {name: value for name, value in said.items() if name in found["response"]}
    return json.dumps(found | {name: value for name, value in said.items() if name not in found["response"]})


NOT_REGISTERED: dict[str, Callable[[SoftKey, dict[str, Any]], str]] = {
    "another challenge": lambda key, options: key.create(options | {"challenge": b64(CHALLENGE)}),
    "another origin": lambda key, options: key.create(options, "https://example.com.evil.example"),
    "another domain": lambda key, options: key.create(options | {"rp": {"id": "evil.example"}}),
    "an assertion": lambda key, options: key.get({"rpId": RP_ID, "challenge": options["challenge"]}),
    "of another type": lambda key, options: key.create(options, type="webauthn.get"),
    "in a frame": lambda key, options: key.create(options, crossOrigin=True),
    "under another page": lambda key, options: key.create(options, topOrigin="https://evil.example"),
    "another id": lambda key, options: altered(key.create(options), id=b64(b"x" * 32), rawId=b64(b"x" * 32)),
    "no key": lambda key, options: altered(key.create(options), attestationObject=b64(b"\xa0")),
    "nested": lambda key, options: altered(key.create(options), attestationObject=b64(b"\x81" * 4000)),
    "too long": lambda key, options: key.create(options) + " " * RESPONSE_MOST + "x",
}


@pytest.mark.parametrize("how", NOT_REGISTERED)
def test_what_is_not_registered(how: str) -> None:
    """What was made for another challenge, page, domain or purpose makes no passkey."""
    waiting, options = begun()
    response = NOT_REGISTERED[how](SoftKey(), options)
    assert OURS.registered(waiting, response, (), NOW) is None


def test_without_user_verification_nothing_is_registered() -> None:
    """A passkey that nobody unlocked would be one factor."""
    waiting, options = begun()
    assert OURS.registered(waiting, SoftKey(flags=0).create(options), (), NOW) is None


def test_a_registration_ends() -> None:
    """It is confirmed in ten minutes or begun again."""
    waiting, options = begun()
    response = SoftKey().create(options)
    assert OURS.registered(waiting, response, (), NOW + CREATION_MS) is None
    assert OURS.registered(waiting, response, (), NOW + CREATION_MS - 1) is not None


def test_one_that_is_held_is_not_registered_again() -> None:
    """The browser is told, and what comes back is looked at."""
    key = SoftKey()
    one = kept(key)
    waiting, options = begun((one,))
    assert OURS.registered(waiting, key.create(options), (one,), NOW) is None


@pytest.mark.parametrize(
    ("id_bytes", "key_bytes", "fits"), [(32, 512, True), (32, 1600, False), (1023, 256, True), (1024, 256, False)]
)
def test_what_could_not_be_read_back_is_not_registered(id_bytes: int, key_bytes: int, *, fits: bool) -> None:
    """A passkey of a thief's own making, too large to be kept, would shut its owner out of every step-up."""
    key = SoftKey(name=b"x" * id_bytes)
    cose = {1: 3, 3: -257, -1: b"\xff" * key_bytes, -2: b"\x01\x00\x01"}
    key.cose = lambda: cose  # type: ignore[method-assign]  # a key of another size
    waiting, options = begun()
    made = OURS.registered(waiting, key.create(options), (), NOW)
    assert (made is not None) is fits
    if made is not None:
        assert OURS.request(CHALLENGE, [made.credential], 60_000, named=True)["allowCredentials"]
    else:
        with pytest.raises(ValueError, match="a passkey"):
            OURS.imported(key.handed_over())


KEYS: dict[str, Callable[[], SoftKey]] = {
    "ES256": SoftKey,
    "EdDSA": lambda: SoftKey(ed25519.Ed25519PrivateKey.generate()),
    "RS256": lambda: SoftKey(rsa.generate_private_key(65537, 2048)),
}


@pytest.mark.parametrize("algorithm", KEYS)
def test_what_proves(algorithm: str) -> None:
    """A registered passkey that signs the challenge proves, and tells its counter and whether it is backed up."""
    key = KEYS[algorithm]()
    key.flags = UV | BE
    one = kept(key)
    key.flags |= BS
    proved = OURS.proved(one, key.get(request()), [b"another", CHALLENGE])
    assert proved is not None
    assert (proved.counter, proved.backed_up, proved.credential) == (2, True, "")


NOT_PROVED: dict[str, Callable[[SoftKey], str]] = {
    "another challenge": lambda key: key.get(request(b"x" * 32)),
    "another origin": lambda key: key.get(request(), "https://evil.example"),
    "another domain": lambda key: key.get(request() | {"rpId": "evil.example"}),
    "plain http": lambda key: key.get(request(), "http://www.example.com"),
    "of another type": lambda key: key.get(request(), type="webauthn.create"),
    "payment": lambda key: key.get(request(), type="payment.get"),
    "in a frame": lambda key: key.get(request(), crossOrigin=True),
    "under another page": lambda key: key.get(request(), topOrigin="https://evil.example"),
    "another key": lambda key: SoftKey(name=key.name, user=key.user).get(request()),
    "another id": lambda key: SoftKey(key.key, user=key.user).get(request()),
    "another user": lambda key: SoftKey(key.key, key.name, user=b"somebody else").get(request()),
    "not verified": lambda key: SoftKey(key.key, key.name, flags=0, user=key.user).get(request()),
    "now eligible": lambda key: SoftKey(key.key, key.name, flags=UV | BE, user=key.user).get(request()),
    "backed up in one place": lambda key: SoftKey(key.key, key.name, flags=UV | BS, user=key.user).get(request()),
    "with a key in it": lambda key: SoftKey(key.key, key.name, flags=UV | AT, user=key.user).get(request()),
    "signature of nothing": lambda key: altered(key.get(request()), signature=""),
    "no json": lambda _key: "{",
    "deep": lambda _key: "[" * RESPONSE_MOST,
    "not an object": lambda _key: "[]",
    "empty": lambda _key: "",
    "surrogate": lambda _key: "\ud800",
    "wrong types": lambda key: altered(key.get(request()), clientDataJSON=7),
}


@pytest.mark.parametrize("how", NOT_PROVED)
def test_what_does_not_prove(how: str) -> None:
    """Another challenge, page, domain, key, user or purpose proves nothing, nor does what nobody unlocked."""
    key = SoftKey()
    one = kept(key)
    assert OURS.proved(one, NOT_PROVED[how](key), [CHALLENGE]) is None
    assert OURS.proved(one, key.get(request()), [CHALLENGE]) is not None


def test_what_waits_to_be_registered_proves_nothing() -> None:
    """A key counts from its confirmation on."""
    waiting, _ = begun()
    assert OURS.proved(waiting, SoftKey().get(request()), [CHALLENGE]) is None


@given(st.data())
def test_an_altered_response_proves_nothing(data: st.DataObject) -> None:
    """No change of a byte that is signed, nor of the signature, is taken for right, and none raises."""
    key = SoftKey(ed25519.Ed25519PrivateKey.from_private_bytes(CHALLENGE), CHALLENGE)
    one, response = kept(key), json.loads(key.get(request()))
    field = data.draw(st.sampled_from(["clientDataJSON", "authenticatorData", "signature"]))
    raw = bytearray(unb64(response["response"][field]))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    response["response"][field] = b64(bytes(raw))
    assert OURS.proved(one, json.dumps(response), [CHALLENGE]) is None


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda raw: json.dumps({"id": b64(raw), "rawId": b64(raw)})))
def test_no_response_raises(response: str) -> None:
    """Whatever is sent is wrong or right, and never an error."""
    waiting, _ = begun()
    assert OURS.registered(waiting, response, (), NOW) is None
    assert OURS.proved(kept(SoftKey()), response, [CHALLENGE]) is None


def test_passkeys_are_named_once_somebody_is_known() -> None:
    """Signed in, a browser is told which passkeys; at a sign-in only those that it would not find by itself."""
    found_by_itself, not_found = kept(SoftKey()), OURS.imported(SoftKey().handed_over())
    named = OURS.request(CHALLENGE, [found_by_itself], 60_000, named=True)
    assert [one["id"] for one in named["allowCredentials"]] == [json.loads(found_by_itself)["id"]]
    assert (named["userVerification"], named["timeout"], named["rpId"]) == ("required", 60_000, RP_ID)
    assert unb64(named["challenge"]) == CHALLENGE
    assert OURS.request(CHALLENGE, [found_by_itself], 60_000, named=False)["allowCredentials"] == []
    both = OURS.request(CHALLENGE, [found_by_itself, not_found], 60_000, named=False)
    assert len(both["allowCredentials"]) == 2


class TestImported:
    """Passkeys that were registered with the platform."""

    def test_it_proves(self) -> None:
        """Id and public key suffice; what was not said cannot be compared."""
        key = SoftKey(flags=UV | BE)
        one = OURS.imported(key.handed_over(transports=["usb", "carrier-pigeon"], backed_up=True))
        assert json.loads(one)["transports"] == ["usb"]
        assert OURS.proved(one, key.get(request()), [CHALLENGE]) is not None

    @pytest.mark.parametrize("eligible", [True, False])
    def test_what_was_said_is_held_against_it(self, *, eligible: bool) -> None:
        """Backup eligibility never changes in a passkey's life."""
        key = SoftKey(flags=UV)
        one = OURS.imported(key.handed_over(backup_eligible=eligible))
        assert (OURS.proved(one, key.get(request()), [CHALLENGE]) is None) is eligible

    @pytest.mark.parametrize(
        "given",
        [
            "",
            "{}",
            "[]",
            "{" * 4000,
            json.dumps({"id": b64(bytes(32)), "public_key": ""}),
            json.dumps({"id": b64(bytes(32)), "public_key": b64(b"\xa0")}),
            SoftKey(name=b"short").handed_over(),
            SoftKey(name=b"x" * 1024).handed_over(),
            SoftKey().handed_over(unknown=1),
            SoftKey().handed_over(id=7),
        ],
    )
    def test_what_is_not_one(self, given: str) -> None:
        """A key or id that could not be right is refused at once, rather than never proving."""
        with pytest.raises(ValueError, match="a passkey"):
            OURS.imported(given)

    def test_a_weak_algorithm_is_refused(self) -> None:
        """Only what registration would accept is taken over."""
        weak = SoftKey(rsa.generate_private_key(65537, 2048))
        cose = weak.cose() | {3: -65535}
        weak.cose = lambda: cose  # type: ignore[method-assign]  # a key that claims SHA-1
        with pytest.raises(ValueError, match="ES256"):
            OURS.imported(weak.handed_over())


def test_what_is_kept_can_be_read_back() -> None:
    """Defaults are left out, and come back."""
    assert Kept("a", "b").discoverable is False
