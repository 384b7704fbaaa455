"""What the process that looks at faces is told, and what it answers. Needs none of the libraries that it needs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec


class Quality(StrEnum):
    """Whether pictures can be judged, and why not."""

    GOOD = "good"
    UNREADABLE = "unreadable"
    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    SMALL = "small"
    BLURRED = "blurred"
    DARK = "dark"
    BRIGHT = "bright"
    NO_BACKGROUND = "no_background"


class Least(msgspec.Struct, frozen=True):
    """What pictures must at least be to be judged, and how late a face may follow."""

    width_px: int
    sharpness: int
    level_min: int
    level_max: int
    lag_ms_most: int


class Job(msgspec.Struct, frozen=True):
    """Pictures (JPEG) with the times they were taken at, and the colours with the times from which they were shown.

    `reference` is a picture of who it should be, empty if there is none. The models are ONNX files, `spoof` the
    operator's, if there is one.
    """

    pictures: tuple[bytes, ...]
    times_ms: tuple[int, ...]
    shown_ms: tuple[int, ...]
    colours: tuple[int, ...]
    decoys: tuple[tuple[int, ...], ...]
    least: Least
    reference: bytes = b""
    detector: bytes = b""
    recogniser: bytes = b""
    spoof: bytes = b""


Cosine = Annotated[float, msgspec.Meta(ge=-1.01, le=1.01)]


class Reading(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was measured. It was among hostile bytes, so its numbers are bounded, too.

    `z`: by how many standard deviations the face follows the colours rather than decoys, with `lag_ms` behind them.
    `share`: how much of the face's change its background shows. `match`: how like the reference the face is (cosine),
    None without one; `same`: how like itself throughout. `live`: the operator's model's lowest score, None without one.
    """

    quality: Quality
    z: Annotated[float, msgspec.Meta(ge=-100, le=100)] = 0.0
    share: Annotated[float, msgspec.Meta(ge=0, le=10)] = 9.0
    lag_ms: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 0
    match: Cosine | None = None
    same: Cosine = 0.0
    live: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
