"""Reading JSON bodies. Whatever cannot be read is a BadRequest, never more than that."""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeVar

import msgspec

from holdback.intake import BadRequest, DeviceKeyProof, WireContext, WireProof, bad_request

T = TypeVar("T")

_ANY: Final = msgspec.json.Decoder()

UNREADABLE: Final = "the body is not JSON in UTF-8, nests too deeply, or holds a number out of range"


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Start a session by sign-in name; asked, proved and answered like any action."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
    context: WireContext = WireContext()
    proofs: Annotated[tuple[WireProof, ...], msgspec.Meta(max_length=8)] = ()
    challenge: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,64}\Z")] | None = None
    dry_run: bool = False
    dpop: DeviceKeyProof | None = None


def table(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """A body as a decoder reads it. Raises BadRequest naming the field that is wrong."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise bad_request(str(error)) from None
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise BadRequest(UNREADABLE) from None


def json_object(body: bytes) -> dict[str, Any]:
    """A body as an object. Raises BadRequest."""
    try:
        decoded = _ANY.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise BadRequest(UNREADABLE) from None
    if not isinstance(decoded, dict):
        raise BadRequest("the body must be a JSON object")
    return decoded


def read_sign_in(body: dict[str, Any]) -> SignIn:
    """A sign-in from its decoded body. Raises BadRequest."""
    try:
        return msgspec.convert(body, SignIn)
    except msgspec.ValidationError as error:
        raise bad_request(str(error)) from None
