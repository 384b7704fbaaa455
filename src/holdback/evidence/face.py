"""The face check that needs nobody else: colours on the screen, pictures of the face, two networks on this machine.

A check goes in steps. Each shows one colour; the page takes pictures, and to learn the next colour it must name their
SHA-256. At the end it sends the pictures themselves. So nothing can be drawn once it is known what will be asked, and
a slow line delays nobody: only the names must come in time. What a check knows travels in its state, which is of one
size however far it is. Pictures are looked at in a process of their own (`face_reading.py`), and kept by nobody.

What this cannot stop is in docs/explanation/face.md. In short: whoever tints a false face while the colours are shown.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final

import msgspec

from holdback.core.events import Instant
from holdback.evidence.cell import MIB, Bounds, Cell, Silenced
from holdback.evidence.face_colours import COLOURS, NONCE_BYTES, WORDS, chosen, decoys
from holdback.evidence.face_job import Job, Least, Quality, Reading
from holdback.evidence.face_models import VERSION
from holdback.ports import (
    CaptureAssurance,
    FaceFinding,
    FaceRefused,
    FaceResult,
    FaceStep,
    FaceUnavailable,
    FaceVerdict,
    ReaderUnavailable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdback.core.policy import Face as FaceNumbers
    from holdback.evidence.face_models import ModelFiles
    from holdback.ports import Entropy, FaceGiven

PICTURES: Final = 3
"""Pictures of each colour."""
PICTURE_BYTES: Final = 48 * 1024
"""The largest picture; one of 320 x 240 has a third of that."""
BOUNDS: Final = Bounds(memory_bytes=768 * MIB, cpu_s=20, answer_bytes=4096, answer_s=30, waiting_most=8)
"""Address space, of which a third is really used: `holdback bench face` tells how much."""
SAME_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""The process may start no other."""
SKEW_MS: Final = 250
"""How much further than Holdback's clock a page's own may be."""
_LIGHT: Final = "colour-challenge-1"


class State(msgspec.Struct, frozen=True, array_like=True):
    """All that a check knows. `chain` covers what was committed to; `began` and `told` are Holdback's own times."""

    nonce: bytes
    hold_ms: int
    began: Instant
    told: Instant
    step: int = 0
    chain: bytes = b""
    result: FaceResult | None = None


_STATE: Final = msgspec.msgpack.Decoder(State)
_READING: Final = msgspec.msgpack.Decoder(Reading)


class EmbeddedFace:
    """See ports.FaceCheck. `numbers` are the policy's; `spoof` is the operator's model and its name, if there is one.

    Example: `EmbeddedFace(models(), policy.face, entropy)`.
    """

    name = "embedded"

    def __init__(
        self,
        models: ModelFiles,
        numbers: FaceNumbers,
        entropy: Entropy,
        spoof: tuple[bytes, str] = (b"", ""),
        cell: Cell | None = None,
    ) -> None:
        self._models, self._numbers, self._entropy, self._spoof = models, numbers, entropy, spoof
        self._cell = cell or Cell("holdback.evidence.face_reading", BOUNDS, environ=SAME_THREAD)

    async def start(self, now: Instant, *, gentle: bool) -> FaceStep:
        """See ports.FaceCheck."""
        hold_ms = self._numbers.gentle_hold_ms if gentle else self._numbers.hold_ms
        return self._told(State(self._entropy.token(NONCE_BYTES), hold_ms, now, now))

    async def ingest(self, state: bytes, given: FaceGiven, reference: bytes, now: Instant) -> FaceStep:
        """See ports.FaceCheck."""
        check = _read(state)
        if check.result is not None:
            raise FaceRefused("the check is over")
        if now > check.began + self._numbers.check_s * 1000:
            raise FaceRefused("the check took too long")
        if check.step < self._numbers.colours:
            return self._told(self._committed(check, given, now))
        result = await self._looked_at(check, given, reference)
        return FaceStep(_packed(msgspec.structs.replace(check, result=result)), {}, done=True)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> str | None:  # noqa: ARG002 - the port's; there is no vendor
        """See ports.FaceCheck."""
        return None

    async def fetch(self, state: bytes, reference: bytes, now: Instant) -> FaceResult | None:  # noqa: ARG002 - the port's
        """See ports.FaceCheck."""
        return _read(state).result

    async def close(self) -> None:
        """See ports.FaceCheck."""

    def _told(self, check: State) -> FaceStep:
        """The next colour, or that the pictures are wanted now."""
        if check.step == self._numbers.colours:
            return FaceStep(_packed(check), {"wanted": "pictures"})
        place = chosen(check.nonce, check.step + 1)[-1]
        shown = {
            "wanted": "digests",
            "colour": list(COLOURS[place]),
            "word": WORDS[place],
            "hold_ms": check.hold_ms,
            "pictures": PICTURES,
            "left": self._numbers.colours - check.step - 1,
        }
        return FaceStep(_packed(check), shown)

    def _committed(self, check: State, given: FaceGiven, now: Instant) -> State:
        """The check one step further. Raises FaceRefused on what is late, early, or not of this step.

        The page's clock says when pictures were taken, and Holdback's how far from the truth that can be.
        """
        if len(given.digests) != PICTURES or len(given.times_ms) != PICTURES or len(given.shown_ms) != 1:
            raise FaceRefused("a step takes one time of showing, and a digest and a time of each picture")
        if any(len(one) != hashlib.sha256().digest_size for one in given.digests):
            raise FaceRefused("a digest is not of SHA-256")
        passed, late = now - check.told, self._numbers.late_ms
        if passed < check.hold_ms - SKEW_MS or passed > check.hold_ms + late:
            raise FaceRefused("the step came too early or too late")
        times = (*given.shown_ms, *given.times_ms)
        least = check.told - check.began - late
        most = now - check.began + SKEW_MS
        if list(times) != sorted(times) or not least <= times[0] <= times[-1] <= most:
            raise FaceRefused("the times of the step cannot be")
        chain = _linked(check.chain, times, given.digests)
        return msgspec.structs.replace(check, step=check.step + 1, chain=chain, told=now)

    async def _looked_at(self, check: State, given: FaceGiven, reference: bytes) -> FaceResult:
        """Judge pictures that are those committed to. Raises FaceRefused or FaceUnavailable."""
        job = self._job(check, given, reference)
        try:
            async with self._cell.talk() as talk:
                reading = _READING.decode(await talk.say(msgspec.msgpack.encode(job)))
        except ReaderUnavailable as error:
            raise FaceUnavailable(str(error)) from None
        except (Silenced, msgspec.MsgspecError):
            reading = Reading(Quality.UNREADABLE)
        return judged(reading, self._numbers, self._spoof[1])

    def _job(self, check: State, given: FaceGiven, reference: bytes) -> Job:
        count = self._numbers.colours
        if len(given.pictures) != count * PICTURES or max(map(len, given.pictures)) > PICTURE_BYTES:
            raise FaceRefused("there are too few or too many pictures, or one is too large")
        if len(given.times_ms) != count * PICTURES or len(given.shown_ms) != count:
            raise FaceRefused("the times are not those of the pictures")
        chain = b""
        for step in range(count):
            here = slice(step * PICTURES, (step + 1) * PICTURES)
            digests = [hashlib.sha256(one).digest() for one in given.pictures[here]]
            chain = _linked(chain, (given.shown_ms[step], *given.times_ms[here]), digests)
        if not hmac.compare_digest(chain, check.chain):
            raise FaceRefused("the pictures are not those that were committed to")
        return Job(
            given.pictures,
            given.times_ms,
            given.shown_ms,
            chosen(check.nonce, count),
            decoys(check.nonce, count),
            least(self._numbers),
            reference,
            *self._models,
            self._spoof[0],
        )


def least(numbers: FaceNumbers) -> Least:
    """The policy's numbers that a job needs."""
    return Least(numbers.width_px_min, numbers.sharpness_min, numbers.level_min, numbers.level_max, numbers.lag_ms_most)


def judged(reading: Reading, numbers: FaceNumbers, spoof: str = "") -> FaceResult:
    """What a reading means under the policy."""
    if reading.quality is not Quality.GOOD:
        # Neither for nor against: anybody can hold a hand before a camera, and everybody's light is bad sometimes.
        unfit = FaceFinding(why=reading.quality.value)
        return FaceResult(unfit, unfit, unfit)
    return FaceResult(
        _match(reading, numbers),
        _pad(reading, numbers, spoof),
        _challenge(reading, numbers),
        FaceFinding(why="no_way_to_tell"),
        CaptureAssurance.UNATTESTED,
    )


def _match(reading: Reading, numbers: FaceNumbers) -> FaceFinding:
    wanted, person = numbers.match_permille / 1000, numbers.person_permille / 1000
    by = ("cosine", wanted, "sface-2021dec", VERSION)
    same = numbers.same_permille / 1000
    if reading.same < same:
        return FaceFinding(FaceVerdict.FAIL, round(reading.same, 3), "cosine", same, *by[2:], "faces_change")
    if reading.match is None:
        return FaceFinding(why="no_reference")
    verdict = FaceVerdict.PASS if reading.match >= wanted else FaceVerdict.UNSURE
    if reading.match < person:
        verdict = FaceVerdict.FAIL
    return FaceFinding(verdict, round(reading.match, 3), *by)


def _pad(reading: Reading, numbers: FaceNumbers, spoof: str) -> FaceFinding:
    """The operator's model may refuse. That it does not proves nothing."""
    if reading.live is None:
        return FaceFinding(why="no_model")
    wanted = numbers.spoof_permille / 1000
    verdict = FaceVerdict.FAIL if reading.live < wanted else FaceVerdict.NOT_EVALUATED
    return FaceFinding(verdict, round(reading.live, 3), "probability", wanted, "operator", spoof)


def _challenge(reading: Reading, numbers: FaceNumbers) -> FaceFinding:
    wanted = numbers.challenge_z_centi / 100
    why = ""
    if reading.z < wanted:
        why = "late" if reading.lag_ms > numbers.lag_ms_most else "does_not_follow"
    elif reading.share * 100 > numbers.background_percent_most:
        why = "whole_picture"
    verdict = FaceVerdict.FAIL if why else FaceVerdict.PASS
    return FaceFinding(verdict, round(reading.z, 2), "deviations", wanted, _LIGHT, "1", why)


def _read(state: bytes) -> State:
    try:
        return _STATE.decode(state)
    except msgspec.MsgspecError:
        raise FaceRefused("there is no such check") from None


def _packed(check: State) -> bytes:
    return msgspec.msgpack.encode(check)


def _linked(chain: bytes, times: tuple[int, ...], digests: tuple[bytes, ...] | list[bytes]) -> bytes:
    """A digest over what was committed to so far."""
    return hashlib.sha256(chain + msgspec.msgpack.encode((times, list(digests)))).digest()
