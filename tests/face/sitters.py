"""Faces before a camera that is a computation: scikit-image's astronaut, relit as `holdback bench face` does it."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from holdback.bench import relit
from holdback.evidence import face_reading
from holdback.evidence.face import PICTURES
from holdback.evidence.face_models import models
from holdback.ports import FaceGiven

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdback.bench.relit import Picture, Scene, Showing, Sitter

LIVE: Final = relit.Scene(k=0.4, lag_ms=120)
STILL: Final = relit.Scene(k=0.0, lag_ms=120)


@cache
def eyes() -> face_reading.Models:
    """The networks, loaded once."""
    return face_reading.Models(*models())


def _data() -> Path:
    """Where scikit-image keeps its pictures. It is not imported."""
    found = find_spec("skimage")
    assert found is not None
    assert found.submodule_search_locations
    return Path(found.submodule_search_locations[0]) / "data"


@cache
def astronaut() -> Picture:
    """Somebody."""
    picture = cv2.imread(str(_data() / "astronaut.png"))
    assert picture is not None
    return np.asarray(picture[0:400, 20:440], dtype=np.uint8)


@cache
def somebody_else() -> Picture:
    """A face that is not the astronaut's: of the 25 pixels a side that scikit-image has of others, made larger."""
    faces = np.load(_data() / "lfw_subset.npy")
    small = np.clip(faces[3] * 255, 0, 255).astype(np.uint8)
    large = cv2.copyMakeBorder(cv2.resize(small, (150, 150)), 80, 80, 80, 80, cv2.BORDER_REPLICATE)
    return np.asarray(cv2.cvtColor(large, cv2.COLOR_GRAY2BGR), dtype=np.uint8)


def jpeg(picture: Picture) -> bytes:
    """A picture as a camera sends it."""
    made, data = cv2.imencode(".jpg", picture)
    assert made
    return data.tobytes()


def seated(portrait: Picture, seed: int = 1) -> Sitter:
    """A portrait before the camera."""
    return relit.sitter(portrait, eyes().face(portrait).finding, np.random.default_rng(seed))


def before_a_camera(portrait: Picture, scene: Scene, seed: int = 1) -> relit.Camera:
    """The same, looked at by one."""
    return relit.Camera(seated(portrait, seed), scene, np.random.default_rng(seed))


def showing(colours: int = 26, seed: int = 1) -> Showing:
    """A page's times."""
    return relit.pace(colours, 400, PICTURES, np.random.default_rng(seed))


def filmed(who: Sitter, scene: Scene, times: Showing, colours: Sequence[int], seed: int = 1) -> tuple[bytes, ...]:
    """What the camera took."""
    return tuple(relit.filmed(who, scene, times, colours, np.random.default_rng(seed)))


def committed(times: Showing, pictures: Sequence[bytes], step: int) -> FaceGiven:
    """What a page says of one step."""
    here = slice(step * PICTURES, (step + 1) * PICTURES)
    digests = tuple(hashlib.sha256(one).digest() for one in pictures[here])
    return FaceGiven((times.shown_ms[step],), times.times_ms[here], digests)


def sent(times: Showing, pictures: Sequence[bytes]) -> FaceGiven:
    """What a page sends in the end."""
    return FaceGiven(times.shown_ms, times.times_ms, (), tuple(pictures))


def pixels(picture: bytes) -> Picture:
    """A camera's picture as numbers."""
    found = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    assert found is not None
    return np.asarray(found, dtype=np.uint8)
