"""People before each provider of face checks, for the one suite that all of them pass."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from tests.contracts.far_faces import SECRET, FarRekognition, FarVendor
from tests.face import sitters
from tests.service.house import NOW

from holdback import wiring
from holdback.evidence.face import PICTURES, EmbeddedFace
from holdback.evidence.face_colours import WORDS
from holdback.evidence.face_models import models
from holdback.evidence.face_rekognition import RekognitionFace
from holdback.evidence.face_vendor import VendorFace
from holdback.ports import FaceGiven

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from tests.contracts.far_faces import Stub

    from holdback.bench.relit import Scene
    from holdback.core.events import Instant
    from holdback.ports import FaceCheck, FaceResult, FaceStep

NUMBERS = wiring.load_policy("default").face


class Booth(Protocol):
    """A provider, and somebody who sits before it: the astronaut, who is there and lit by the screen."""

    @property
    def check(self) -> FaceCheck:
        """The provider."""
        ...

    async def sat(self, reference: bytes) -> tuple[FaceStep, Instant]:
        """Go through a check up to where its result can be fetched, and say when that is."""
        ...


class Sat(NamedTuple):
    """How a check at the embedded provider went: what was committed to, and what is still to be sent."""

    step: FaceStep
    given: FaceGiven
    now: Instant


class Embedded:
    """The provider of this machine, with a person who is computed."""

    def __init__(self, scene: Scene = sitters.LIVE) -> None:
        self.entropy = wiring.SystemEntropy()
        self.check: EmbeddedFace = EmbeddedFace(models(), NUMBERS, self.entropy)
        self.scene = scene

    async def to_the_last(self, *, gentle: bool = False) -> Sat:
        """Commit to all pictures. A camera that is a computation knows the colours once they are told, as all do."""
        times = sitters.showing(NUMBERS.colours)
        camera = sitters.before_a_camera(sitters.astronaut(), self.scene)
        step, now = await self.check.start(NOW, gentle=gentle), NOW
        told: list[int] = []
        pictures: list[bytes] = []
        for place in range(NUMBERS.colours):
            told.append(WORDS.index(step.shown["word"]))
            here = times.times_ms[place * PICTURES : (place + 1) * PICTURES]
            pictures += [camera.picture(at, times.shown_ms[: place + 1], told) for at in here]
            now = NOW + here[-1] + 20
            step = await self.check.ingest(step.state, sitters.committed(times, pictures, place), b"", now)
        return Sat(step, sitters.sent(times, pictures), now + 500)

    async def sat(self, reference: bytes) -> tuple[FaceStep, Instant]:
        """See Booth."""
        sat = await self.to_the_last()
        return await self.check.ingest(sat.step.state, sat.given, reference, sat.now), sat.now


async def seen(booth: Booth, reference: bytes) -> FaceResult:
    """The result of a check that was gone through."""
    step, now = await booth.sat(reference)
    result = await booth.check.fetch(step.state, reference, now)
    assert result is not None
    return result


class AtVendor:
    """A vendor's stub, with its component gone through by the page."""

    def __init__(self, stub: Stub, check: FaceCheck) -> None:
        self.stub, self._check = stub, check

    @property
    def check(self) -> FaceCheck:
        """See Booth."""
        return self._check

    async def sat(self, reference: bytes) -> tuple[FaceStep, Instant]:
        """See Booth."""
        begun = await self._check.start(NOW, gentle=False)
        self.stub.finished.add(begun.shown["session"])
        return await self._check.ingest(begun.state, FaceGiven(), reference, NOW + 20_000), NOW + 20_000


@asynccontextmanager
async def embedded() -> AsyncIterator[Booth]:
    """This machine's own."""
    yield Embedded()


@asynccontextmanager
async def rekognition() -> AsyncIterator[AtVendor]:
    """Amazon's, before a stub of its endpoint."""
    with FarRekognition() as stub:
        check = RekognitionFace("eu-west-1", NUMBERS, endpoint=stub.url)
        yield AtVendor(stub, check)
        await check.close()


@asynccontextmanager
async def vendor() -> AsyncIterator[AtVendor]:
    """One that posts messages, before a stub of it."""
    with FarVendor() as stub:
        check = VendorFace(stub.url, "key", SECRET)
        yield AtVendor(stub, check)
        await check.close()


BOOTHS: Final[dict[str, Callable[[], AbstractAsyncContextManager[Booth]]]] = {
    "embedded": embedded,
    "rekognition": rekognition,
    "vendor": vendor,
}
"""Every provider there is."""
