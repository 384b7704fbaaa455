"""How much a browser has to load before somebody on a slow telephone can press the button."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tests.web.browsing import PAGES

if TYPE_CHECKING:
    from tests.web.browsing import Browser
    from tests.web.platform_side import Web

MOST: Final = 150_000
"""Bytes over the wire, files and all."""


async def test_a_first_page_is_light(web: Web, browser: Browser) -> None:
    """Each page with all its files, as sent, is within 150 kB; the files are kept for good."""
    await browser.sign_in()
    for page in PAGES:
        text = (await browser.get(page)).text
        size = len(text.encode())
        for file in set(re.findall(r'(?:src|href)="(/static/[^"]+)"', text)) | imported(text):
            answer = await web.http.get(file, headers={"Accept-Encoding": "gzip"})
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
            size += int(answer.headers["content-length"])
        assert size <= MOST, page


def imported(text: str) -> set[str]:
    """The modules that the page's own script imports, which lie beside it."""
    found = re.search(r"(/static/[0-9a-f]+)/", text)
    assert found is not None
    return {f"{found.group(1)}/{name}.js" for name in ("device-key", "digest", "keeping", "passkeys")}
