"""Portraits relit by a screen: the light model of `holdback bench face`, and the attacks that are tried with it.

A picture of the camera is `sRGB(gain x white x A x (1 + drift + k x n x S(t - lag)))`, per channel, in light:

- `A`: the portrait as light, that is what the daylight makes of face and background; `drift` is how daylight changes
  (two slow sines, 5 % together) and `gain`, `white` are the camera's exposure and white balance, which follow the
  picture's mean and colour by a part, a second late.
- `S`: the screen's colour as light (white = 1), `lag` after it was shown, mixed over the exposure time.
- `k`: how bright a white screen is on the face beside daylight. `n`: how much of it a place gets: 1 in the middle of
  the face, falling off over an ellipse around head and shoulders to `spill` (0 to 0.25) on the background.
- the head moves and turns a little (3 px, 2 degrees, 2 %), the sensor adds noise (0.6 to 2 % of full scale, more where
  it is bright), and every picture is a JPEG of quality 70 to 85 and 320 x 240 pixels.

What the model leaves out: hair and skin that shine, glasses that mirror the screen, faces that turn away, rolling
shutters, phones that beautify. So it says how the check behaves, not how often it is wrong with your customers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import cv2
import numpy as np

from holdback.evidence.face_colours import COLOURS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Light = NDArray[np.float32]
    Picture = NDArray[np.uint8]

WIDTH, HEIGHT = 320, 240
FACE_PX: Final = 92
_STEPS: Final = 4096


def _curve(light: Light) -> Light:
    """Light from 0 to 1 as the numbers of a picture (IEC 61966-2-1)."""
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055).astype(  # noqa: PLR2004 - the standard's
        np.float32
    )


_TO_BYTE: Final = (_curve(np.linspace(0, 1, _STEPS, dtype=np.float32)) * 255).astype(np.float32)
_FROM_BYTE: Final = np.array(
    [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in np.arange(256) / 255],  # noqa: PLR2004 - the standard's
    dtype=np.float32,
)
_SCREEN: Final = np.array([[_FROM_BYTE[one] for one in reversed(colour)] for colour in COLOURS], dtype=np.float32)


_ROUGH: Final = np.random.default_rng(0).standard_normal((8, HEIGHT, WIDTH, 3), dtype=np.float32)
"""Noise, some fields of it: it is rolled to another place for each picture, for to make it anew takes longest."""


class Sitter(NamedTuple):
    """A portrait as it hangs before the camera: its light, where its face is, and how much of the screen it gets."""

    light: Light
    face: NDArray[np.float32]
    near: Light


class Showing(NamedTuple):
    """When which colour was on the screen, and when pictures were taken."""

    shown_ms: tuple[int, ...]
    times_ms: tuple[int, ...]


class Scene(NamedTuple):
    """What stands before the camera, or in its place.

    `k` is the screen's share of light, `lag_ms` how late it comes. `tint` is laid over each picture afterwards: how,
    how strongly and where (`whole` or `face`).
    """

    k: float
    lag_ms: float
    tint: str = ""
    strength: float = 0.0
    where: str = "whole"


def sitter(portrait: Picture, finding: NDArray[np.float32], chance: np.random.Generator) -> Sitter:
    """Hang a portrait before a room of some colour, its face so wide as one before a laptop."""
    scale = FACE_PX / float(finding[2]) * chance.uniform(0.9, 1.15)
    x, y = finding[0] + finding[2] / 2, finding[1] + finding[3] / 2
    to = np.array([[scale, 0, WIDTH / 2 - scale * x], [0, scale, HEIGHT * 0.48 - scale * y]])
    room = _room(chance)
    shape = (WIDTH, HEIGHT)
    small = cv2.warpAffine(portrait, to, shape, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_CONSTANT)
    there = cv2.warpAffine(np.full(portrait.shape[:2], 1, np.float32), to, shape)
    there = cv2.GaussianBlur(cv2.erode(there, np.ones((5, 5))), (0, 0), 2)[..., None]
    light = _FROM_BYTE[small] * there + room * (1 - there)
    face = finding.copy()
    face[:14:2] = scale * (finding[:14:2]) + to[0, 2]
    face[1:14:2] = scale * (finding[1:14:2]) + to[1, 2]
    face[2:4] = scale * finding[2:4]
    return Sitter(light.astype(np.float32), face, _near(face, float(chance.uniform(0, 0.25))))


def _room(chance: np.random.Generator) -> Light:
    """A wall with something on it."""
    colour = chance.uniform(0.08, 0.6, 3).astype(np.float32)
    rough = cv2.GaussianBlur(chance.normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), 9)
    room: Light = np.clip(colour * (1 + 0.25 * rough / rough.std())[..., None], 0.02, 0.9).astype(np.float32)
    return room


def _near(face: NDArray[np.float32], spill: float) -> Light:
    """How much of the screen's light each place gets."""
    ys, xs = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    cx, cy, w, h = face[0] + face[2] / 2, face[1] + face[3] / 2, face[2], face[3]
    head = ((xs - cx) / (0.62 * w)) ** 2 + ((ys - cy) / (0.62 * h)) ** 2
    trunk = ((xs - cx) / (1.1 * w)) ** 2 + ((ys - cy - 1.2 * h) / (0.7 * h)) ** 2
    edge = [np.exp(np.minimum(6 * (one - 1.1), 30)) for one in (head, trunk)]
    inside = np.maximum(1 / (1 + edge[0]), 0.6 / (1 + edge[1]))
    shade = 1 - 0.25 * np.clip(head, 0, 1)
    near: Light = (spill + (1 - spill) * inside * shade).astype(np.float32)[..., None]
    return near


def pace(count: int, hold_ms: int, each: int, chance: np.random.Generator) -> Showing:
    """When a page shows its colours and takes its pictures, over a network of 30 to 200 ms there and back."""
    shown, times, now, trip = [], [], 0.0, chance.uniform(30, 200)
    for _ in range(count):
        shown.append(round(now))
        taken = [now + hold_ms * (place + 1) / each + chance.uniform(-15, 15) for place in range(each)]
        times += [round(one) for one in taken]
        now = max(now + hold_ms, taken[-1]) + trip * chance.uniform(0.8, 1.6)
    return Showing(tuple(shown), tuple(times))


class Camera:
    """Takes pictures, one after the other: what it does with one depends on those before."""

    def __init__(self, who: Sitter, scene: Scene, chance: np.random.Generator) -> None:
        """Look at somebody."""
        self._who, self._scene, self._chance = who, scene, chance
        self._noise = chance.uniform(0.006, 0.02)
        self._quality = int(chance.integers(70, 86))
        self._phase = chance.uniform(0, 6.28, (3, 2))
        self._follows = chance.uniform(0.2, 0.7)
        self._wander, self._gain = np.zeros(4), np.ones(3)
        self._base: NDArray[np.float64] | None = None
        self._before = 0

    def picture(self, at: int, shown_ms: Sequence[int], colours: Sequence[int]) -> bytes:
        """One picture, of the colours that were shown by then."""
        scene, chance = self._scene, self._chance
        self._wander = 0.9 * self._wander + chance.normal(0, 1, 4) * (0.45, 0.45, 0.2, 0.002)
        screen = _screen(at - scene.lag_ms, shown_ms, colours)
        seen = self._lit(at, np.zeros(3) if scene.tint else screen)
        places = (seen * (self._gain * (_STEPS - 1)).astype(np.float32)).astype(np.uint16)
        picture: Light = _TO_BYTE[np.minimum(places, _STEPS - 1)]
        if scene.tint:
            picture = _tinted(picture, scene, self._who, self._wander, screen)
        rough = np.roll(_ROUGH[chance.integers(len(_ROUGH))], int(chance.integers(_ROUGH[0].size)))
        rough = picture + rough * (self._noise * (153 + 0.6 * picture))
        ready = np.clip(rough, 0, 255).astype(np.uint8)
        made, data = cv2.imencode(".jpg", ready, [cv2.IMWRITE_JPEG_QUALITY, self._quality])
        assert made  # noqa: S101 - a picture of ours can be written
        return data.tobytes()

    def _lit(self, at: int, screen: NDArray[np.float64]) -> Light:
        """What falls into the lens, and how the camera answers to it, a second late."""
        light, near = _moved(self._who.light, self._wander), _moved(self._who.near, self._wander)
        drift = 0.03 * np.sin(at / 5200 + self._phase[:, 0]) + 0.02 * np.sin(at / 2100 + self._phase[:, 1])
        seen: Light = light * (1 + drift + self._scene.k * near * screen).astype(np.float32)
        mean = seen.mean(axis=(0, 1), dtype=np.float64)
        self._base = mean if self._base is None else self._base
        late = 1 - np.exp(-(at - self._before) / 1000)
        self._gain, self._before = self._gain + late * ((self._base / mean) ** self._follows - self._gain), at
        return seen


def filmed(
    who: Sitter, scene: Scene, showing: Showing, colours: Sequence[int], chance: np.random.Generator
) -> list[bytes]:
    """The pictures that a camera takes."""
    camera = Camera(who, scene, chance)
    return [camera.picture(at, showing.shown_ms, colours) for at in showing.times_ms]


def _screen(at: float, shown_ms: Sequence[int], colours: Sequence[int]) -> NDArray[np.float64]:
    """The screen's light as a camera gathers it over 30 ms."""
    places = [int(np.searchsorted(shown_ms, at - part, side="right")) - 1 for part in (0, 10, 20)]
    gathered = [_SCREEN[colours[max(0, min(place, len(colours) - 1))]] for place in places]
    return np.asarray(np.mean(gathered, axis=0), dtype=np.float64)


def _moved(light: Light, wander: NDArray[np.float64]) -> Light:
    """The same a little moved, turned and larger."""
    turn = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), float(wander[2]), 1 + float(wander[3]))
    to = np.asarray(turn, dtype=np.float64)
    to[:, 2] += wander[:2]
    moved = cv2.warpAffine(light, to, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved if light.shape[2] > 1 else moved[..., None], dtype=np.float32)


def _tinted(
    picture: Light, scene: Scene, who: Sitter, wander: NDArray[np.float64], screen: NDArray[np.float64]
) -> Light:
    """A colour laid over a picture: multiplied or mixed in, in the file's numbers or in light."""
    colour: Light = screen.astype(np.float32)
    how, space = scene.tint.split(" in ")
    values: Light = (picture / 255).astype(np.float32)
    if space == "numbers":
        colour = _curve(colour)
    else:
        values = _FROM_BYTE[np.clip(picture, 0, 255).astype(np.uint8)]
    amount = np.full((1, 1, 1), scene.strength, np.float32)
    if scene.where == "face":
        amount = amount * _moved(_near(who.face, 0), wander)
    laid = values * (1 - amount + amount * colour) if how == "multiplied" else values * (1 - amount) + amount * colour
    done: Light = laid * 255 if space == "numbers" else _curve(np.clip(laid, 0, 1).astype(np.float32)) * 255
    return done


def swapped(whose: tuple[Picture, NDArray[np.float32]], onto: tuple[Picture, NDArray[np.float32]]) -> Picture:
    """One portrait's face on another's: five points laid over five points, colours matched, the edge blended."""
    (face, found), (head, place) = whose, onto
    to, _ = cv2.estimateAffinePartial2D(found[4:14].reshape(5, 2), place[4:14].reshape(5, 2))
    size = (head.shape[1], head.shape[0])
    laid = cv2.warpAffine(face, to, size, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    ys, xs = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float32)
    x, y, w, h = place[:4]
    oval = ((xs - x - w / 2) / (0.45 * w)) ** 2 + ((ys - y - h * 0.52) / (0.46 * h)) ** 2
    mask = (1 / (1 + np.exp(np.minimum(12 * (oval - 1), 30))))[..., None].astype(np.float32)
    inside = oval < 0.8  # noqa: PLR2004 - the middle of the face
    for channel in range(3):
        ours, theirs = laid[..., channel][inside], head[..., channel][inside].astype(np.float32)
        laid[..., channel] = (laid[..., channel] - ours.mean()) * (theirs.std() / max(ours.std(), 1)) + theirs.mean()
    return np.asarray(np.clip(laid * mask + head * (1 - mask), 0, 255), dtype=np.uint8)
