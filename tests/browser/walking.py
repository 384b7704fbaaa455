"""Walking through a site as people do, by its links, and looking at each page for what would keep somebody out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urldefrag

from axe_playwright_python.async_playwright import Axe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Page

GRAVE: Final = {"serious", "critical"}
PAGES_MOST: Final = 60
WIDTHS: Final = (360, 1280)
SCHEMES: Final = ("light", "dark")

_AXE: Final = Axe()
_LINKS: Final = "(place) => [...document.querySelectorAll(place)].map((one) => one.href)"
_OVERFLOWS: Final = "document.documentElement.scrollWidth > innerWidth"


async def pages(page: Page, home: str) -> AsyncIterator[str]:
    """Go to `home` and to every page under it that links lead to, each once, whatever follows the question mark."""
    waiting, met = [home], {home}
    while waiting:
        address = waiting.pop(0)
        await page.goto(address, wait_until="networkidle")
        yield address
        for found in await page.evaluate(_LINKS, "a[href]:not([download])"):
            plain = urldefrag(found).url.partition("?")[0]
            if plain.startswith(home) and plain not in met:
                met.add(plain)
                waiting.append(plain)
        assert len(met) <= PAGES_MOST, "the site has no end"


async def faults(page: Page) -> list[str]:
    """What is grave by axe-core's rules or wider than the screen, in each width and colour scheme."""
    found: list[str] = []
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 800})
            if await page.evaluate(_OVERFLOWS):
                found.append(f"wider than {width} px")
        found += [
            f"{scheme}: {_named(one)}"
            for one in (await _AXE.run(page)).response["violations"]
            if one["impact"] in GRAVE
        ]
    return found


def _named(violation: dict[str, Any]) -> str:
    places = ", ".join(node["html"][:160] for node in violation["nodes"][:3])
    return f"{violation['id']} ({violation['impact']}) at {places}"
