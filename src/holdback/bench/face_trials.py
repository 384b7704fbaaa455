"""One trial of `holdback bench face`: a portrait, a scene, a page, and what the check says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import cv2
import msgspec
import numpy as np

from holdback import wiring
from holdback.bench import relit
from holdback.bench.face import LIMITED, LIVE, STATED, Outcome
from holdback.bench.relit import Scene
from holdback.evidence.face import PICTURES, judged, least
from holdback.evidence.face_colours import chosen, decoys
from holdback.evidence.face_job import Job
from holdback.evidence.face_models import models
from holdback.evidence.face_reading import Models, read
from holdback.ports import FaceVerdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from holdback.bench.relit import Picture
    from holdback.evidence.face_models import ModelFiles

NUMBERS: Final = wiring.load_policy("default").face
TINTS: Final = tuple(f"{how} in {space}" for how in ("multiplied", "mixed") for space in ("numbers", "light"))
SIDE: Final = 480
"""Portraits are made this long before they are hung."""


class Portrait(NamedTuple):
    """A photograph, where its face is, and another one of the same person if there is one."""

    picture: Picture
    finding: NDArray[np.float32]
    other: bytes


@dataclass
class _Room:
    """What a worker needs once."""

    models: Models
    portraits: list[Portrait]


_ROOMS: Final[list[_Room]] = []


def prepare(files: ModelFiles, faces: Mapping[str, bytes]) -> None:
    """Load the networks and look at every portrait."""
    cv2.setNumThreads(1)
    eyes = Models(*files)
    _ROOMS[:] = [_Room(eyes, [_portrait(eyes, name, faces) for name in faces])]


def _portrait(eyes: Models, name: str, faces: Mapping[str, bytes]) -> Portrait:
    found = cv2.imdecode(np.frombuffer(faces[name], np.uint8), cv2.IMREAD_COLOR)
    assert found is not None  # noqa: S101 - its digest was checked
    scale = SIDE / max(found.shape[:2])
    picture = np.asarray(cv2.resize(found, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    pair = {"1": "2", "2": "1"}
    stem, _, end = name.partition(".")
    other = f"{stem[:-1]}{pair.get(stem[-1], '')}.{end}" if stem.startswith("person") else name
    small = cv2.resize(picture, None, fx=0.8, fy=0.8) if other == name else _decoded(faces[other])
    return Portrait(picture, eyes.face(picture).finding, _jpeg(np.asarray(small, dtype=np.uint8)))


def _decoded(data: bytes) -> Picture:
    """A reference as it was enrolled: no larger than it must be."""
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert found is not None  # noqa: S101 - its digest was checked
    scale = SIDE / max(found.shape[:2])
    return np.asarray(cv2.resize(found, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _jpeg(picture: Picture) -> bytes:
    made, data = cv2.imencode(".jpg", picture)
    assert made  # noqa: S101 - a picture of ours can be written
    return data.tobytes()


def tried(species: str, numbers: list[int], seed: int) -> list[Outcome]:
    """Some trials of one species."""
    return [_tried(species, number, seed) for number in numbers]


def _tried(species: str, number: int, seed: int) -> Outcome:
    place = (*LIMITED, *STATED, *LIVE).index(species)
    chance = np.random.default_rng((seed, place, number))
    whose = species in {"live", "swap_over_live"}
    reading = read(_job(species, chance), _ROOMS[0].models, whose=whose)
    found = judged(reading, NUMBERS)
    why = found.challenge.why
    face = found.match.verdict is FaceVerdict.PASS
    return Outcome(species, found.challenge.verdict is FaceVerdict.PASS, face, why)


def _job(species: str, chance: np.random.Generator) -> Job:
    """A page that asked, and somebody or something before its camera."""
    people, count = _ROOMS[0].portraits, NUMBERS.colours
    claimed = people[int(chance.integers(len(people)))]
    picture, finding = claimed.picture, claimed.finding
    if species == "swap_over_live":
        others = [one for one in people if one is not claimed]
        thief = others[int(chance.integers(len(others)))]
        picture, finding = relit.swapped((picture, finding), (thief.picture, thief.finding)), thief.finding
    who = relit.sitter(picture, finding, chance)
    nonce = chance.bytes(32)
    asked = answered = chosen(nonce, count)
    if species == "other_nonce":
        answered = chosen(chance.bytes(32), count)
    times = relit.pace(count, NUMBERS.hold_ms, PICTURES, chance)
    film = tuple(relit.filmed(who, _scene(species, chance), times, answered, chance))
    order = decoys(nonce, count)
    return Job(film, times.times_ms, times.shown_ms, asked, order, least(NUMBERS), claimed.other)


def _scene(species: str, chance: np.random.Generator) -> Scene:
    """Live light is from 0.2 on: darker rooms are easier, and in bright daylight the check is not evaluated."""
    k, lag = float(chance.uniform(0.2, 0.6)), float(chance.uniform(40, 300))
    tint = TINTS[int(chance.integers(len(TINTS)))]
    match species:
        case "static":
            return Scene(0.0, lag)
        case "late_relay":
            return Scene(k, float(chance.uniform(700, 3_000)))
        case "whole_tint":
            return Scene(0.0, lag, tint, float(chance.uniform(0.05, 0.6)))
        case "face_tint":
            return Scene(0.0, lag, tint, float(chance.uniform(0.1, 0.5)), "face")
        case _:
            return Scene(k, lag)


def sample_jobs(seed: int) -> list[bytes]:
    """A few whole jobs of live people, as they go to the process."""
    files = models()
    few = [_job("live", np.random.default_rng((seed, 99, number))) for number in range(6)]
    return [msgspec.msgpack.encode(msgspec.structs.replace(one, detector=files[0], recogniser=files[1])) for one in few]


def filmed_s(seed: int) -> float:
    """How long a check's film is."""
    times = relit.pace(NUMBERS.colours, NUMBERS.hold_ms, PICTURES, np.random.default_rng((seed, 98)))
    return times.times_ms[-1] / 1000
