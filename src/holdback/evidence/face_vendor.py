"""Face checks by any vendor that posts a signed message when there is news, and is then asked for the result.

Three calls, which a vendor offers or the operator translates (docs/explanation/face.md): `POST {url}/checks` makes one,
`POST {url}/checks/{id}/result` with the reference picture as its body gives what was found, and the vendor's message is
`{"check": id}` with the hexadecimal HMAC-SHA256 of its raw bytes in a header. What the message says besides is not
looked at: whoever has its secret can cause a question, and no answer.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import httpx
import msgspec

from holdback.core.events import Instant
from holdback.ports import (
    CaptureAssurance,
    FaceFinding,
    FaceRefused,
    FaceResult,
    FaceStep,
    FaceUnavailable,
    FaceVerdict,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdback.ports import FaceGiven

DEADLINE_S: Final = 10.0
ANSWER_BYTES: Final = 16 * 1024
MESSAGE_BYTES: Final = 64 * 1024
SECRET_BYTES_LEAST: Final = 16
SIGNATURE: Final = "x-hmac-signature"
_ID: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")
_HEX: Final = re.compile(r"[0-9a-fA-F]{64}")
GONE: Final = 404

Word = Annotated[str, msgspec.Meta(max_length=64)]


class _State(msgspec.Struct, frozen=True, array_like=True):
    check: str
    began: Instant


class _Made(msgspec.Struct):
    check: Annotated[str, msgspec.Meta(pattern=_ID.pattern + r"\Z")]
    page: Annotated[str, msgspec.Meta(max_length=512)]


class _Finding(msgspec.Struct, frozen=True):
    verdict: FaceVerdict = FaceVerdict.NOT_EVALUATED
    score: Annotated[float, msgspec.Meta(ge=-1e6, le=1e6)] = 0.0
    scale: Word = ""
    threshold: Annotated[float, msgspec.Meta(ge=-1e6, le=1e6)] = 0.0
    method: Word = ""
    version: Word = ""
    why: Word = ""


class _Said(msgspec.Struct):
    """A vendor's answer. Whatever it calls the capture, to Holdback it is a vendor's word."""

    status: Literal["pending", "done"]
    match: _Finding = _Finding()
    pad: _Finding = _Finding()
    challenge: _Finding = _Finding()
    injection: _Finding = _Finding()


class _Message(msgspec.Struct):
    check: Annotated[str, msgspec.Meta(pattern=_ID.pattern + r"\Z")]


_STATE: Final = msgspec.msgpack.Decoder(_State)
_SAID: Final = msgspec.json.Decoder(_Said)
_MADE: Final = msgspec.json.Decoder(_Made)
_MESSAGE: Final = msgspec.json.Decoder(_Message)


class VendorFace:
    """See ports.FaceCheck. `key` authenticates Holdback to the vendor, `secret` the vendor's messages to Holdback.

    Example: `VendorFace("https://face.vendor.example/v1", "key", "a secret of 32 bytes")`.
    """

    name = "vendor"

    def __init__(self, url: str, key: str, secret: str, *, header: str = SIGNATURE) -> None:
        """Connects to nothing yet. Raises ValueError on a weak secret, or a URL that is neither https nor loopback."""
        parsed = urlsplit(url)
        local = parsed.scheme == "http" and parsed.hostname in {"127.0.0.1", "::1", "localhost"}
        if not (parsed.scheme == "https" or local) or not parsed.hostname or parsed.query or parsed.fragment:
            raise ValueError("the vendor's URL must be https, but for this machine")
        if len(secret.encode()) < SECRET_BYTES_LEAST:
            raise ValueError(f"the secret of the vendor's messages must have {SECRET_BYTES_LEAST} bytes")
        self._url, self._secret, self._header = url.rstrip("/"), secret.encode(), header.lower()
        headers = {"Authorization": f"Bearer {key}"}
        self._client = httpx.AsyncClient(timeout=DEADLINE_S, headers=headers, follow_redirects=False, trust_env=False)

    async def start(self, now: Instant, *, gentle: bool) -> FaceStep:
        """See ports.FaceCheck."""
        answer = await self._asked("/checks", msgspec.json.encode({"gentle": gentle}), "application/json")
        try:
            made = _MADE.decode(answer)
        except msgspec.MsgspecError:
            raise FaceUnavailable("the vendor's answer is not of its form") from None
        if urlsplit(made.page).scheme != "https":
            raise FaceUnavailable("the vendor's page is not https")
        shown: dict[str, Any] = {"wanted": "vendor", "vendor": self.name, "session": made.check, "page": made.page}
        return FaceStep(msgspec.msgpack.encode(_State(made.check, now)), shown)

    async def ingest(self, state: bytes, given: FaceGiven, reference: bytes, now: Instant) -> FaceStep:  # noqa: ARG002 - the port's
        """See ports.FaceCheck."""
        _read(state)
        return FaceStep(state, {}, done=True)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> str | None:
        """See ports.FaceCheck."""
        given = next((value for name, value in headers.items() if name.lower() == self._header), "")
        if len(body) > MESSAGE_BYTES or not _HEX.fullmatch(given):
            return None
        if not hmac.compare_digest(hmac.digest(self._secret, body, hashlib.sha256), bytes.fromhex(given)):
            return None
        try:
            return _MESSAGE.decode(body).check
        except (msgspec.MsgspecError, RecursionError):
            return None

    async def fetch(self, state: bytes, reference: bytes, now: Instant) -> FaceResult | None:  # noqa: ARG002 - the port's
        """See ports.FaceCheck."""
        check = _read(state)
        answer = await self._asked(f"/checks/{check.check}/result", reference, "application/octet-stream")
        try:
            said = _SAID.decode(answer)
        except msgspec.MsgspecError:
            raise FaceUnavailable("the vendor's answer is not of its form") from None
        if said.status == "pending":
            return None
        match = _finding(said.match) if reference else FaceFinding(why="no_reference")
        pad, challenge, injection = (_finding(one) for one in (said.pad, said.challenge, said.injection))
        return FaceResult(match, pad, challenge, injection, CaptureAssurance.VENDOR_SDK)

    async def close(self) -> None:
        """See ports.FaceCheck."""
        await self._client.aclose()

    async def _asked(self, path: str, body: bytes, kind: str) -> bytes:
        """Post, and read an answer of bounded length. Raises FaceUnavailable or FaceRefused."""
        found = bytearray()
        try:
            async with self._client.stream(
                "POST", self._url + path, content=body, headers={"Content-Type": kind}
            ) as answer:
                if answer.status_code == GONE and path != "/checks":
                    raise FaceRefused("there is no such check")
                if not answer.is_success:
                    raise FaceUnavailable(f"the vendor answered {answer.status_code}")
                async for piece in answer.aiter_bytes():
                    found += piece
                    if len(found) > ANSWER_BYTES:
                        raise FaceUnavailable("the vendor's answer is too long")
        except httpx.HTTPError as error:
            raise FaceUnavailable(f"the vendor cannot be reached: {type(error).__name__}") from None
        return bytes(found)


def _finding(said: _Finding) -> FaceFinding:
    return FaceFinding(said.verdict, said.score, said.scale, said.threshold, said.method, said.version, said.why)


def _read(state: bytes) -> _State:
    try:
        found = _STATE.decode(state)
    except msgspec.MsgspecError:
        raise FaceRefused("there is no such check") from None
    if not _ID.fullmatch(found.check):
        raise FaceRefused("there is no such check")
    return found
