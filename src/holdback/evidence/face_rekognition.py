"""Face checks by Amazon Rekognition Face Liveness (extra `face-aws`): its SDK films in the browser, its service judges.

The page hands the session to Amazon's own component, which talks to Amazon alone. Holdback asks for the result, and has
Amazon's best picture compared with the reference by `CompareFaces`. Amazon forgets a session three minutes after it was
made, so a result is to be fetched soon. It names no kind of attack: one confidence stands for `pad` and `challenge`.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

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
    from collections.abc import Callable, Mapping

    from holdback.core.policy import Face as FaceNumbers
    from holdback.ports import FaceGiven

DEADLINE_S: Final = 10
ENDS_MS: Final = 180_000
"""After this Amazon knows nothing of a session any more."""
_SESSION: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_LIVENESS: Final = "FaceMovementAndLightChallenge"
_NO_FACE: Final = frozenset({"InvalidParameterException", "InvalidImageFormatException", "ImageTooLargeException"})
_STATUS: Final = {
    "CREATED": "unfinished",
    "IN_PROGRESS": "unfinished",
    "SUCCEEDED": "",
    "FAILED": "failed",
    "EXPIRED": "expired",
}
_UNKNOWN: Final = "SessionNotFoundException"


class _State(msgspec.Struct, frozen=True, array_like=True):
    session: str
    began: Instant


_STATE: Final = msgspec.msgpack.Decoder(_State)


class RekognitionFace:
    """See ports.FaceCheck. Keys come as boto3 finds them: a role, or the environment; `endpoint` is for tests.

    Example: `RekognitionFace("eu-west-1", policy.face)`.
    """

    name = "rekognition"

    def __init__(self, region: str, numbers: FaceNumbers, *, endpoint: str | None = None) -> None:
        """Connects to nothing yet."""
        self._region, self._numbers = region, numbers
        waits = Config(connect_timeout=DEADLINE_S, read_timeout=DEADLINE_S, retries={"total_max_attempts": 2})
        self._client: Any = boto3.client("rekognition", region_name=region, endpoint_url=endpoint, config=waits)

    async def start(self, now: Instant, *, gentle: bool) -> FaceStep:
        """See ports.FaceCheck. The gentle one asks for movement and shows no colours."""
        kind = "FaceMovementChallenge" if gentle else _LIVENESS
        settings = {"AuditImagesLimit": 0, "ChallengePreferences": [{"Type": kind}]}
        made = await self._asked(self._client.create_face_liveness_session, Settings=settings)
        session = str(made.get("SessionId", ""))
        if not _SESSION.fullmatch(session):
            raise FaceUnavailable("Rekognition named no session")
        shown = {"wanted": "vendor", "vendor": self.name, "session": session, "region": self._region}
        return FaceStep(msgspec.msgpack.encode(_State(session, now)), shown)

    async def ingest(self, state: bytes, given: FaceGiven, reference: bytes, now: Instant) -> FaceStep:  # noqa: ARG002 - the port's
        """See ports.FaceCheck. The page says that Amazon's component is done; nothing else it says is looked at."""
        _read(state)
        return FaceStep(state, {}, done=True)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> str | None:  # noqa: ARG002 - the port's; Amazon sends none
        """See ports.FaceCheck."""
        return None

    async def fetch(self, state: bytes, reference: bytes, now: Instant) -> FaceResult | None:
        """See ports.FaceCheck."""
        check = _read(state)
        found = await self._asked(self._client.get_face_liveness_session_results, SessionId=check.session)
        status = found.get("Status")
        if status not in _STATUS:
            raise FaceUnavailable("Rekognition's answer is not of its form")
        if status in {"CREATED", "IN_PROGRESS"} and now < check.began + ENDS_MS:
            return None
        if status != "SUCCEEDED":
            # It did not come to an end. That is no spoof: those have a confidence, and a low one.
            unfit = FaceFinding(why=_STATUS[status])
            return FaceResult(unfit, unfit, unfit, capture_assurance=CaptureAssurance.VENDOR_SDK)
        live = self._live(found)
        match = await self._match(found.get("ReferenceImage", {}).get("Bytes", b""), reference)
        none = FaceFinding(why="not_told")
        return FaceResult(match, live, live, none, CaptureAssurance.VENDOR_SDK)

    async def close(self) -> None:
        """See ports.FaceCheck."""
        await asyncio.to_thread(self._client.close)

    def _live(self, found: Mapping[str, Any]) -> FaceFinding:
        least = float(self._numbers.vendor_percent_min)
        confidence = found.get("Confidence")
        if not isinstance(confidence, int | float):
            return FaceFinding(why="not_told")
        told = found.get("Challenge", {})
        verdict = FaceVerdict.PASS if confidence >= least else FaceVerdict.FAIL
        method = str(told.get("Type", _LIVENESS))[:64]
        return FaceFinding(
            verdict, float(confidence), "percent", least, method, str(told.get("Version", "unknown"))[:16]
        )

    async def _match(self, picture: bytes, reference: bytes) -> FaceFinding:
        """How like the reference Amazon's best picture is."""
        if not reference or not picture:
            return FaceFinding(why="no_reference")
        images = {"SourceImage": {"Bytes": reference}, "TargetImage": {"Bytes": picture}}
        try:
            said = await self._asked(self._client.compare_faces, **images, SimilarityThreshold=0, QualityFilter="AUTO")
        except _NoFace:
            return FaceFinding(why="no_face")
        found = [float(one.get("Similarity", 0)) for one in said.get("FaceMatches", [])]
        least, person = (
            float(one) for one in (self._numbers.vendor_match_percent_min, self._numbers.vendor_person_percent_min)
        )
        score = max(found, default=0.0)
        verdict = FaceVerdict.PASS if score >= least else FaceVerdict.UNSURE if score >= person else FaceVerdict.FAIL
        return FaceFinding(verdict, round(score, 2), "percent", least, "CompareFaces", "2016-06-27")

    async def _asked(self, call: Callable[..., dict[str, Any]], **fields: object) -> dict[str, Any]:
        """Ask Amazon in a thread. Raises FaceUnavailable, FaceRefused or _NoFace; none repeats what Amazon said."""
        try:
            return await asyncio.to_thread(call, **fields)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code == _UNKNOWN:
                raise FaceRefused("there is no such check") from None
            if code in _NO_FACE:
                raise _NoFace from None
            raise FaceUnavailable(f"Rekognition answered {code[:64] or 'an error'}") from None
        except BotoCoreError as error:
            raise FaceUnavailable(f"Rekognition cannot be reached: {type(error).__name__}") from None


class _NoFace(FaceUnavailable):
    """Amazon finds no face in what it was given."""


def _read(state: bytes) -> _State:
    try:
        found = _STATE.decode(state)
    except msgspec.MsgspecError:
        raise FaceRefused("there is no such check") from None
    if not _SESSION.fullmatch(found.session):
        raise FaceRefused("there is no such check")
    return found
