"""The tutorial's pictures are what its script takes when it does what the tutorial says."""

from __future__ import annotations

import asyncio
import re
import runpy
from pathlib import Path
from typing import Final

TUTORIAL: Final = Path(__file__).parents[2] / "docs" / "tutorial"
SHOWN: Final = set(re.findall(r"\(pictures/([a-z-]+\.png)\)", (TUTORIAL / "ten-minutes.md").read_text()))
KB_MOST: Final = 150


def test_each_picture_is_shown_and_small() -> None:
    """The tutorial shows just the pictures that lie beside it, each with words for those who do not see it."""
    kept = {one.name: one.stat().st_size for one in (TUTORIAL / "pictures").iterdir()}
    assert kept.keys() == SHOWN
    assert max(kept.values()) <= KB_MOST * 1000
    assert "![](" not in (TUTORIAL / "ten-minutes.md").read_text()


def test_the_script_follows_the_tutorial(tmp_path: Path) -> None:
    """Whoever does what the tutorial says meets every page that it shows."""
    script = runpy.run_path(str(TUTORIAL / "pictures.py"))

    asyncio.run(script["take"](tmp_path))

    assert {one.name for one in tmp_path.iterdir()} == SHOWN
