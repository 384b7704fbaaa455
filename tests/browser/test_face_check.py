"""The page of a face check in a real browser, whose camera is a file: what it shows, says and sends."""

from __future__ import annotations

import asyncio
import base64
import re
import shutil
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

import cv2
import msgspec
import pytest
import uvicorn
from playwright.async_api import async_playwright, expect
from tests.browser.conftest import SWITCHES
from tests.contracts.faces import NUMBERS
from tests.face import sitters
from tests.service.house import Customer, Hands, House, settings
from tests.service.test_face import PORTRAIT
from tests.service.test_recovery import Claim

from holdback.core import events as ev
from holdback.core.events import DAY
from holdback.store.sqlite import SqliteStore
from holdback.web import api
from holdback.web.face import CSP

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Page

CHECK_MS: Final = 120_000
"""The most that a check takes on a busy machine."""


class Ticking(Hands):
    """A clock that goes, from whatever time it is set to."""

    def __init__(self) -> None:
        super().__init__(int(time.time() * 1000))
        self._began = time.monotonic()

    def now(self) -> ev.Instant:
        """What time it is."""
        return self.at + int((time.monotonic() - self._began) * 1000)


class Room(NamedTuple):
    """A Holdback, a recovery of alice's, and a browser before a camera."""

    house: House
    claim: Claim
    page: Page
    url: str
    troubles: list[str]


@asynccontextmanager
async def served(house: House) -> AsyncIterator[str]:
    """The API on a port of its own."""
    config = uvicorn.Config(api.application(house.service), port=0, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn tells it by no event
        await asyncio.sleep(0)
    yield f"http://localhost:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await serving


def film(path: Path) -> Path:
    """A camera's picture of alice's portrait, held before it: what a thief has who has a photograph."""
    portrait = sitters.astronaut()[0:260, 60:330]
    frames = []
    for place in range(30):
        edge = cv2.copyMakeBorder(portrait, 20, 20, 70 + place % 3, 70, cv2.BORDER_CONSTANT, value=(120, 110, 90))
        frames.append(sitters.jpeg(cv2.resize(edge, (640, 480))))  # type: ignore[arg-type] # OpenCV's stubs say Mat
    path.write_bytes(b"".join(frames))
    return path


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    """Alice came with her portrait 40 days ago; somebody opened a recovery, and sits at a browser."""
    clock = Ticking()
    store = SqliteStore(tmp_path / "holdback.db", clock=clock.now)
    await store.migrate()
    house = House(store, clock, given=msgspec.structs.replace(settings(), face="embedded"))
    alice = Customer(house, "alice")
    clock.at -= 40 * DAY
    assert (await alice.ask(alice.importing() | {"face": PORTRAIT}))["decision"] == "allow"
    await house.deliver()
    clock.at += 40 * DAY
    claim = Claim(alice)
    assert (await claim.opens())["decision"] == "allow"
    camera = (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film(tmp_path / 'camera.mjpeg')}",
    )
    program = shutil.which("chromium")
    assert program is not None, "install Debian's package `chromium`"
    async with async_playwright() as playwright, served(house) as url:
        browser = await playwright.chromium.launch(executable_path=program, args=[*SWITCHES, *camera])
        page = await browser.new_page()
        troubles: list[str] = []
        page.on("console", lambda said: troubles.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        yield Room(house, claim, page, url, troubles)
        await browser.close()
    await store.close()


async def opened(room: Room, token: str = "") -> None:
    """Come to the page as somebody who was given the key of a recovery."""
    await room.page.goto(f"{room.url}/face")
    await room.page.get_by_label("Account").fill("alice")
    await room.page.get_by_label("Key of your recovery").fill(token or room.claim.token)
    await room.page.get_by_role("button", name="Continue").press("Enter")
    await expect(room.page.get_by_role("button", name="Start")).to_be_visible()


async def test_a_photograph_before_the_camera_is_rejected(room: Room) -> None:
    """A picture of the owner, held before the camera, is seen as hers and does not follow the colours: rejected."""
    await opened(room)
    await room.page.get_by_role("button", name="Start").press("Enter")
    seen: set[str] = set()
    screen = room.page.locator("#screen")
    await expect(screen).to_be_visible(timeout=CHECK_MS)

    def saw(colour: str) -> None:
        seen.add(colour)

    await room.page.expose_function("changed", saw)
    await room.page.evaluate(
        "new MutationObserver(() => changed(document.getElementById('screen').style.backgroundColor))"
        ".observe(document.getElementById('screen'), { attributes: true })"
    )
    await expect(screen).to_be_hidden(timeout=CHECK_MS)
    await expect(room.page.get_by_role("status")).to_contain_text("did not pass", timeout=CHECK_MS)
    assert len(seen) >= 4
    (doubt,) = await room.house.happened("alice", ev.RecoveryDoubted)
    assert re.search(r"match pass 0\.\d+ .*challenge fail", doubt.judged_by)
    assert room.troubles == []


async def test_whoever_cannot_is_told_how_to_go_on(room: Room) -> None:
    """The page says that nobody needs it, offers the slow way, and Escape stops it, by the keyboard alone."""
    await opened(room)
    await expect(room.page.get_by_role("heading", name="Without a camera")).to_be_visible()
    await room.page.get_by_label(re.compile("Slow colours")).press("Space")
    await expect(room.page.get_by_label(re.compile("Slow colours"))).to_be_checked()
    await room.page.get_by_role("button", name="Start").press("Enter")
    await expect(room.page.locator("#word")).to_contain_text("left", timeout=CHECK_MS)
    await room.page.keyboard.press("Escape")
    await expect(room.page.get_by_role("status")).to_contain_text("You stopped the check", timeout=CHECK_MS)
    await expect(room.page.get_by_role("button", name="Start")).to_be_focused()
    assert not await room.house.happened("alice", ev.RecoveryDoubted)
    assert room.troubles == []


async def test_without_the_key_there_is_no_case(room: Room) -> None:
    """Somebody with another key learns that there is no such recovery, and no picture leaves his browser."""
    await opened(room, "0" * 64)
    await room.page.get_by_role("button", name="Start").click()
    await expect(room.page.get_by_role("status")).to_contain_text("No recovery of this account", timeout=CHECK_MS)
    assert [one for one in room.troubles if "404" not in one] == []


async def test_the_page_loads_nothing(room: Room) -> None:
    """The page is one file that admits its own style and script only, and holds its key in no address."""
    asked: list[str] = []
    room.page.on("request", lambda request: asked.append(request.url))
    await opened(room)
    assert set(asked) <= {f"{room.url}/face", f"{room.url}/favicon.ico"}
    assert room.claim.token not in room.page.url
    assert b"unsafe" not in CSP
    assert NUMBERS.hold_ms >= 334
    assert base64.b64decode(PORTRAIT)[:2] == b"\xff\xd8"
