"""Passkeys (W3C Web Authentication, Level 3): registered once, then asked to sign the challenge of one action.

User verification is always required, so one passkey is two factors: the device that holds the key, and whoever unlocks
it. Attestation is neither asked for nor judged. What is kept of a passkey is no secret, yet it is kept like one, for a
credential's id names its owner wherever it turns up.
"""

from __future__ import annotations

import hmac
import os
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    base64url_to_bytes,
    bytes_to_base64url,
    decode_credential_public_key,
    options_to_json_dict,
    parse_authentication_credential_json,
    parse_registration_credential_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from holdback.core.events import MINUTE, Instant
from holdback.ports import Enrolment, KeyProof

if TYPE_CHECKING:
    from collections.abc import Sequence

CREATION_MS: Final = 10 * MINUTE
"""How long a registration may take from its options to its confirmation."""
CHALLENGE_BYTES: Final = 32
RESPONSE_MOST: Final = 8192
"""Characters of the longest response that is looked at; a credential's id of 1023 bytes stands in it three times."""
ID_BYTES: Final = range(16, 1024)
KEY_BYTES_MOST: Final = 600
"""Of a public key: RSA of 4096 bits fits. What is longer could not be read back, and would be slow to check against."""
ALGORITHMS: Final = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
"""What nearly every authenticator speaks, best first."""
_TRANSPORTS: Final = {one.value: one for one in AuthenticatorTransport}

Text = Annotated[str, msgspec.Meta(max_length=2048)]


class Begun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A registration that waits for the browser: its challenge, its end, and the user handle it was asked for."""

    challenge: str
    until: Instant
    user: str


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is kept of a passkey. Bytes are base64url; the counter and `backed_up` are those of the beginning.

    `backup_eligible` never changes in a passkey's life; None if whoever handed it over did not say. A `discoverable`
    one is found by the browser without being named.
    """

    id: Text
    public_key: Text
    sign_count: int = 0
    backup_eligible: bool | None = None
    backed_up: bool = False
    transports: Annotated[tuple[Text, ...], msgspec.Meta(max_length=8)] = ()
    aaguid: Annotated[str, msgspec.Meta(max_length=36)] = ""
    user: Annotated[str, msgspec.Meta(max_length=88)] = ""
    discoverable: bool = False


class _ClientData(msgspec.Struct, frozen=True, rename="camel"):
    """What the library leaves to us of what the browser signed."""

    challenge: str
    cross_origin: bool = False
    top_origin: str | None = None


_BEGUN: Final = msgspec.json.Decoder(Begun)
_KEPT: Final = msgspec.json.Decoder(Kept)
_CLIENT_DATA: Final = msgspec.json.Decoder(_ClientData)


class Passkeys:
    """Registers and verifies passkeys of one relying party: its id (a domain), the origins of its pages, its name.

    Example: `Passkeys("example.com", ["https://www.example.com"], "Example")`.
    """

    def __init__(self, rp_id: str, origins: Sequence[str], name: str) -> None:
        """Speak for this relying party."""
        self._rp_id = rp_id
        self._origins = list(origins)
        self._name = name

    def creation(self, user: bytes, name: str, held: Sequence[str], now: Instant) -> Enrolment:
        """See ports.PasskeyCeremonies."""
        challenge = os.urandom(CHALLENGE_BYTES)
        options = generate_registration_options(
            rp_id=self._rp_id,
            rp_name=self._name,
            user_id=user,
            user_name=name,
            challenge=challenge,
            timeout=CREATION_MS,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                require_resident_key=True,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=_descriptors(held),
            supported_pub_key_algs=ALGORITHMS,
        )
        begun = Begun(bytes_to_base64url(challenge), now + CREATION_MS, bytes_to_base64url(user))
        return Enrolment(_text(begun), {"passkey": options_to_json_dict(options)})

    def registered(self, begun: str, response: str, held: Sequence[str], now: Instant) -> KeyProof | None:
        """See ports.PasskeyCeremonies."""
        try:
            waiting = _BEGUN.decode(begun)
            given = parse_registration_credential_json(_bounded(response))
            challenge = _signed(given.response.client_data_json, [base64url_to_bytes(waiting.challenge)])
            if challenge is None or now >= waiting.until:
                return None
            made = verify_registration_response(
                credential=given,
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=self._origins,
                require_user_verification=True,
                supported_pub_key_algs=ALGORITHMS,
            )
        except Exception:  # noqa: BLE001 - whatever a response broke in being read, it proved nothing
            return None
        name = bytes_to_base64url(made.credential_id)
        if made.credential_id != given.raw_id or name in {_KEPT.decode(one).id for one in held}:
            return None
        if not _fits(made.credential_id, made.credential_public_key):
            return None
        kept = Kept(
            id=name,
            public_key=bytes_to_base64url(made.credential_public_key),
            sign_count=made.sign_count,
            backup_eligible=_eligible(made.credential_device_type),
            backed_up=made.credential_backed_up,
            transports=tuple(dict.fromkeys(one.value for one in given.response.transports or ())),
            aaguid=made.aaguid,
            user=waiting.user,
            discoverable=True,
        )
        return KeyProof(made.sign_count, made.credential_backed_up, _text(kept))

    def request(self, challenge: bytes, held: Sequence[str], timeout_ms: int, *, named: bool) -> dict[str, Any]:
        """See ports.PasskeyCeremonies."""
        kept = [_KEPT.decode(one) for one in held]
        unnamed = not named and all(one.discoverable for one in kept)
        options = generate_authentication_options(
            rp_id=self._rp_id,
            challenge=challenge,
            timeout=timeout_ms,
            allow_credentials=[] if unnamed else _descriptors(held, transports=named),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return options_to_json_dict(options)

    def proved(self, credential: str, response: str, challenges: Sequence[bytes]) -> KeyProof | None:
        """See ports.PasskeyCeremonies."""
        try:
            kept = _KEPT.decode(credential)
            given = parse_authentication_credential_json(_bounded(response))
            challenge = _signed(given.response.client_data_json, challenges)
            if challenge is None or given.raw_id != base64url_to_bytes(kept.id):
                return None
            user = given.response.user_handle
            if user and kept.user and user != base64url_to_bytes(kept.user):
                return None
            found = verify_authentication_response(
                credential=given,
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=self._origins,
                credential_public_key=base64url_to_bytes(kept.public_key),
                credential_current_sign_count=0,  # whether it grows is the core's to say, under the lock
                require_user_verification=True,
            )
        except Exception:  # noqa: BLE001 - whatever a response broke in being read, it proved nothing
            return None
        if kept.backup_eligible not in {None, _eligible(found.credential_device_type)}:
            return None
        return KeyProof(found.new_sign_count, found.credential_backed_up)

    def imported(self, given: str) -> str:
        """See ports.PasskeyCeremonies."""
        try:
            kept = _KEPT.decode(given)
            name, key = base64url_to_bytes(kept.id), base64url_to_bytes(kept.public_key)
            decoded = decode_credential_public_key(key)
        except Exception:  # noqa: BLE001 - whatever it broke in being read, it is no passkey
            raise ValueError("a passkey is handed over as JSON with `id` and `public_key` (COSE), base64url") from None
        if not _fits(name, key) or decoded.alg not in ALGORITHMS:
            raise ValueError(
                "a passkey needs an id of 16 to 1023 bytes and a key for ES256, EdDSA or RS256 of at most 600 bytes"
            )
        transports = tuple(one for one in kept.transports if one in _TRANSPORTS)
        return _text(msgspec.structs.replace(kept, id=bytes_to_base64url(name), transports=transports))


def _bounded(response: str) -> str:
    if len(response) > RESPONSE_MOST:
        raise ValueError("the response is longer than any passkey's")
    return response


def _fits(name: bytes, key: bytes) -> bool:
    """Whether an id and a key can be kept: one too long to be read back would break every step-up it is asked in."""
    return len(name) in ID_BYTES and len(key) <= KEY_BYTES_MOST


def _text(form: Begun | Kept) -> str:
    return msgspec.json.encode(form).decode()


def _eligible(device: CredentialDeviceType) -> bool:
    """Whether a passkey may be kept in more places than one."""
    return device is CredentialDeviceType.MULTI_DEVICE


def _descriptors(held: Sequence[str], *, transports: bool = True) -> list[PublicKeyCredentialDescriptor]:
    """Passkeys by their ids. To strangers without `transports`, which would tell what kind of device somebody has."""
    kept = [_KEPT.decode(one) for one in held]
    return [
        PublicKeyCredentialDescriptor(
            id=base64url_to_bytes(one.id),
            transports=[_TRANSPORTS[name] for name in one.transports if transports] or None,
        )
        for one in kept
    ]


def _signed(client_data: bytes, challenges: Sequence[bytes]) -> bytes | None:
    """Which of the challenges a browser signed, on a page that was not embedded in another's; None for any other."""
    said = _CLIENT_DATA.decode(client_data)
    if said.cross_origin or said.top_origin is not None:
        return None
    given = base64url_to_bytes(said.challenge)
    return next((one for one in challenges if hmac.compare_digest(one, given)), None)
