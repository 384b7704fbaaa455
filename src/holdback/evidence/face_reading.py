"""What runs in the process that looks at pictures of a face: whose it is, and whether the screen's colours fall on it.

Run by `cell.py` as a program. It measures and judges nothing: `face.py` compares what it says with the policy. The
models come with the job, as bytes whose digests were checked, for the process can open no file.

**The colours.** In each picture the mean colour of the face's middle stands against that of what is beside the head.
The difference, freed of what changes slowly, is correlated with the colours that were on the screen up to 0.6 s ago,
and the same is done with 40 orders that were not shown; the score says by how many standard deviations the shown one
stands out. A tint laid over the whole picture moves face and background alike, in some space: as much if it was
mixed in, in the same ratio if it was multiplied, in the numbers of the file or in light. So the difference is taken in
all four ways, the weakest score counts, and `share` says how much of the face's change the background shows at worst.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import cv2
import msgspec
import numpy as np
import numpy.ma

from holdback.evidence.confined import serve
from holdback.evidence.face_colours import COLOURS
from holdback.evidence.face_job import Job, Quality, Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]
    Numbers = NDArray[np.float64]

PIXELS_MOST: Final = 800 * 800
"""The largest picture that is looked at."""
LOOKED_AT_PX: Final = 320
"""Faces are looked for in pictures of this width."""
EVERY: Final = 3
"""Faces are looked for in one picture of so many; in between they stand where a straight line has them."""
SURE: Final = 0.7
"""From which score on the detector's finding is a face."""
SECOND: Final = 0.25
"""A second face counts if it is so much of the first one's width; smaller ones hang on walls."""
SAMPLES: Final = 5
"""Pictures in which it is asked whose face it is."""
LAG_STEP_MS: Final = 100
LAG_MOST_MS: Final = 3_000
"""Lags that are tried. Who follows best beyond those that a screen and a camera have is a relay, or chance."""
SEEN: Final = 0.5
"""From which correlation on it is told that a face follows late; chance seldom gets there."""
SLOW_MS: Final = 4_000
"""What changes slower than this is daylight and the camera's own doing."""
SPOOF_PX: Final = 80
SPOOF_SCALE: Final = 2.7
"""How an anti-spoof model wants its face (Silent-Face-Anti-Spoofing): 80 pixels, with so much around it."""

_LIGHT: Final = np.array(
    [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in np.arange(256) / 255],  # noqa: PLR2004 - IEC 61966-2-1
    dtype=np.float32,
)
"""What a byte of a picture is as light."""
_SHOWN: Final = np.array([[_LIGHT[one] for one in reversed(colour)] for colour in COLOURS], dtype=np.float64)
"""The colours as light, blue first as in pictures."""


class Unfit(Exception):
    """The pictures cannot be judged. `quality` says why."""

    def __init__(self, quality: Quality) -> None:
        super().__init__(quality.value)
        self.quality = quality


class Face(NamedTuple):
    """Where a face is: its box, and the detector's whole finding, in a picture's own pixels."""

    box: Numbers
    finding: NDArray[np.float32]


class Models:
    """The networks, made from bytes."""

    def __init__(self, detector: bytes, recogniser: bytes, spoof: bytes = b"") -> None:
        """Load them. On one thread: the process may start none."""
        cv2.setNumThreads(1)
        nothing = np.zeros(0, np.uint8)
        self._finds = cv2.FaceDetectorYN.create("onnx", _bytes(detector), nothing, (LOOKED_AT_PX, LOOKED_AT_PX), SURE)
        self._knows = cv2.FaceRecognizerSF.create("onnx", _bytes(recogniser), nothing)
        self._spoof = cv2.dnn.readNetFromONNX(_bytes(spoof)) if spoof else None

    def face(self, picture: Picture) -> Face:
        """The one face in a picture. Raises Unfit."""
        scale = LOOKED_AT_PX / picture.shape[1]
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale != 1 else picture
        self._finds.setInputSize((small.shape[1], small.shape[0]))
        _, found = self._finds.detect(small)
        faces = np.zeros((0, 15), np.float32) if found is None else np.asarray(found, dtype=np.float32)  # type: ignore[redundant-expr]  # there are none
        if not len(faces):
            raise Unfit(Quality.NO_FACE)
        largest = faces[np.argsort(-faces[:, 2])]
        if len(largest) > 1 and largest[1][2] > SECOND * largest[0][2]:
            raise Unfit(Quality.SEVERAL_FACES)
        finding = largest[0].copy()
        finding[:14] /= scale
        return Face(finding[:4].astype(np.float64), finding)

    def likeness(self, picture: Picture, face: Face) -> Numbers:
        """128 numbers of length 1 that say whose face it is."""
        aligned = self._knows.alignCrop(picture, face.finding)
        numbers = np.asarray(self._knows.feature(aligned), dtype=np.float64).reshape(-1)
        return numbers / max(float(np.linalg.norm(numbers)), 1e-9)

    def live(self, picture: Picture, face: Face) -> float | None:
        """How sure the operator's model is that it sees a person, from 0 to 1; None without a model."""
        if self._spoof is None:
            return None
        x, y, w, h = face.box
        side = SPOOF_SCALE * max(w, h)
        warp = np.array([[SPOOF_PX / side, 0, 0], [0, SPOOF_PX / side, 0]], dtype=np.float64)
        warp[:, 2] = SPOOF_PX / 2 - warp[:, :2] @ np.array([x + w / 2, y + h / 2])
        crop = cv2.warpAffine(picture, warp, (SPOOF_PX, SPOOF_PX), borderMode=cv2.BORDER_REFLECT)
        self._spoof.setInput(cv2.dnn.blobFromImage(crop.astype(np.float32)))
        said = np.asarray(self._spoof.forward(), dtype=np.float64).reshape(-1)
        chances = np.exp(said - said.max())
        return float(chances[1] / chances.sum())


def _bytes(model: bytes) -> Picture:
    return np.frombuffer(model, np.uint8)


def read(job: Job, models: Models | None = None, *, whose: bool = True) -> Reading:
    """Look at all pictures. Unless `whose`, it is not asked whose face they show."""
    models = models or Models(job.detector, job.recogniser, job.spoof)
    try:
        pictures = [_picture(one) for one in job.pictures]
        faces = _faces(pictures, models)
        _check_quality(job, pictures, faces)
        colours = follows(pictures, [one.box for one in faces], job)
    except Unfit as unfit:
        return Reading(unfit.quality)
    if not whose:
        return Reading(Quality.GOOD, *colours, same=1.0)
    middle = range(0, len(pictures), EVERY)
    asked = [middle[round(place)] for place in np.linspace(0, len(middle) - 1, SAMPLES)]
    scores = [one for one in (models.live(pictures[at], faces[at]) for at in asked) if one is not None]
    match, same = _whose(job, [models.likeness(pictures[at], faces[at]) for at in asked], models)
    return Reading(Quality.GOOD, *colours, match, same, min(scores) if scores else None)


def _picture(data: bytes) -> Picture:
    """A JPEG as pixels. Raises Unfit."""
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if found is None or found.shape[0] * found.shape[1] > PIXELS_MOST or min(found.shape[:2]) < SPOOF_PX:
        raise Unfit(Quality.UNREADABLE)
    return np.asarray(found, dtype=np.uint8)


def _faces(pictures: Sequence[Picture], models: Models) -> list[Face]:
    """The face in every picture. All pictures are of one size, or they are not of one camera."""
    if len({one.shape for one in pictures}) != 1:
        raise Unfit(Quality.UNREADABLE)
    seen = {place: models.face(pictures[place]) for place in range(0, len(pictures), EVERY)}
    last = max(seen)
    found = []
    for place in range(len(pictures)):
        before, after = seen[place - place % EVERY], seen[min(place - place % EVERY + EVERY, last)]
        part = place % EVERY / EVERY
        found.append(Face((1 - part) * before.box + part * after.box, before.finding))
    return found


def _check_quality(job: Job, pictures: Sequence[Picture], faces: Sequence[Face]) -> None:
    """Refuse what is too small, blurred, dark or bright to be judged. Raises Unfit."""
    width = float(np.median([one.box[2] for one in faces]))
    if width < job.least.width_px:
        raise Unfit(Quality.SMALL)
    grey = [cv2.cvtColor(_cut(one, face.box), cv2.COLOR_BGR2GRAY) for one, face in zip(pictures, faces, strict=True)]
    grey = [cv2.resize(one, (96, 96), interpolation=cv2.INTER_AREA) for one in grey[::EVERY]]
    level = float(np.median([one.mean() for one in grey]))
    if level < job.least.level_min:
        raise Unfit(Quality.DARK)
    if level > job.least.level_max:
        raise Unfit(Quality.BRIGHT)
    if np.median([cv2.Laplacian(one, cv2.CV_64F).var() for one in grey]) < job.least.sharpness:
        raise Unfit(Quality.BLURRED)


def _cut(picture: Picture, box: Numbers) -> Picture:
    """What is inside a box. Raises Unfit if nothing is."""
    x, y, w, h = (int(one) for one in box)
    inside = picture[max(y, 0) : max(y + h, 0), max(x, 0) : max(x + w, 0)]
    if not inside.size:
        raise Unfit(Quality.NO_FACE)
    return inside


def _whose(job: Job, seen: Sequence[Numbers], models: Models) -> tuple[float | None, float]:
    """How like the reference the face is, and how like itself all the time; None where the reference shows no face."""
    one = np.mean(seen, axis=0)
    same = min(float(like @ one / max(float(np.linalg.norm(one)), 1e-9)) for like in seen)
    if not job.reference:
        return None, same
    try:
        reference = _picture(job.reference)
        known = models.likeness(reference, models.face(reference))
    except (Unfit, cv2.error):
        return None, same
    return float(np.median([like @ known for like in seen])), same


class Colours(NamedTuple):
    """How a face follows the colours: deviations above the decoys, what the background shows of it, and how late."""

    z: float
    share: float
    lag_ms: int


def follows(pictures: Sequence[Picture], boxes: Sequence[Numbers], job: Job) -> Colours:
    """Correlate what the face shows and its background does not with the colours on the screen. Raises Unfit."""
    means = np.array([_means(picture, box) for picture, box in zip(pictures, boxes, strict=True)])
    times = np.array(job.times_ms, dtype=np.float64)
    slow = _slow(times)
    still: Callable[[Numbers], Numbers] = lambda series: series - slow @ series  # noqa: E731 - one line, used thrice
    lags = range(0, job.least.lag_ms_most + 1, LAG_STEP_MS)
    tried = range(0, LAG_MOST_MS + 1, LAG_STEP_MS)
    lit = {lag: still(_on_screen(times - lag, job.shown_ms, np.array(job.colours))) for lag in tried}
    others = [[still(_on_screen(times - lag, job.shown_ms, np.array(one))) for lag in lags] for one in job.decoys]
    scores, shares, best = [], [], 0
    for way in range(means.shape[1]):
        face, behind = still(means[:, way, 0]), still(means[:, way, 1])
        own = {lag: _alike(face - behind, shown) for lag, shown in lit.items()}
        lag = max(own, key=own.__getitem__)
        if lag not in lags:
            return Colours(0.0, 1.0, lag if own[lag] > SEEN else 0)
        # Fisher's transformation: near 1 a correlation has little room left to say how much better it is.
        chance = np.arctanh([max(_alike(face - behind, one) for one in decoy) for decoy in others])
        scores.append((np.arctanh(own[lag]) - np.mean(chance)) / max(float(np.std(chance)), 1e-6))
        shares.append(_gain(behind, lit[lag]) / max(_gain(face, lit[lag]), 1e-9))
        best = max(best, lag)
    return Colours(float(min(scores)), float(min(max(*shares, 0.0), 9.0)), int(best))


def _means(picture: Picture, box: Numbers) -> Numbers:
    """The mean colours of the face's middle and of what is beside the head, in four ways: (way, place, channel)."""
    x, y, w, h = box
    height, width = picture.shape[:2]
    face = picture[_span(y + 0.25 * h, y + 0.9 * h, height), _span(x + 0.2 * w, x + 0.8 * w, width)]
    top = _span(0, y + 0.8 * h, height)
    left, right = picture[top, _span(0, x - 0.4 * w, width)], picture[top, _span(x + 1.4 * w, width, width)]
    places = [_unclipped(_thinned(face)), _unclipped(np.concatenate((_thinned(left), _thinned(right))))]
    raw = np.array([one.mean(axis=0) for one in places]) / 255
    light = np.array([_LIGHT[one].mean(axis=0) for one in places])
    return np.stack([raw, light, np.log(raw + 1e-3), np.log(light + 1e-4)])


def _span(start: float, end: float, most: int) -> slice:
    return slice(int(np.clip(start, 0, most)), int(np.clip(end, 0, most)))


def _thinned(place: Picture) -> Picture:
    """Every other pixel of every other row: JPEG keeps colours no finer than that."""
    return np.asarray(place[::2, ::2].reshape(-1, 3), dtype=np.uint8)


def _unclipped(pixels: Picture) -> Picture:
    """Pixels that are neither black nor white in any channel: those do not follow what falls on them. Raises Unfit."""
    found: Picture = pixels[(pixels.max(axis=1) < 252) & (pixels.min(axis=1) > 3)]  # noqa: PLR2004 - the ends of a byte
    if len(found) < max(100, len(pixels) // 10):
        raise Unfit(Quality.NO_BACKGROUND)
    return found


def _slow(times: Numbers) -> Numbers:
    """What takes a series to its slow part: a mean over the time around, weighed as a bell is."""
    near = np.exp(-0.5 * ((times[:, None] - times[None, :]) / (SLOW_MS / 2.355)) ** 2)
    smooth: Numbers = near / near.sum(axis=1, keepdims=True)
    return smooth


def _on_screen(times: Numbers, shown_ms: Sequence[int], colours: NDArray[np.int_]) -> Numbers:
    """The light of the screen at each time: (time, channel). Before the first colour it is taken as the first."""
    at = np.searchsorted(np.array(shown_ms), times, side="right") - 1
    light: Numbers = _SHOWN[colours[np.clip(at, 0, len(colours) - 1)]]
    return light


def _alike(series: Numbers, shown: Numbers) -> float:
    """Correlation over time and channels together."""
    length = float(np.linalg.norm(series) * np.linalg.norm(shown))
    return min(float((series * shown).sum()) / length, 0.9999) if length > 1e-9 else 0.0  # noqa: PLR2004 - nothing moves


def _gain(series: Numbers, shown: Numbers) -> float:
    """How much of the screen's light a series shows."""
    return float((series * shown).sum() / (shown**2).sum())


def _converse(said: bytes, _ask: Callable[[bytes], bytes]) -> bytes:
    job = msgspec.msgpack.decode(said, type=Job)
    try:
        return msgspec.msgpack.encode(read(job))
    except cv2.error:
        return msgspec.msgpack.encode(Reading(Quality.UNREADABLE))


if __name__ == "__main__":
    serve(_converse)
