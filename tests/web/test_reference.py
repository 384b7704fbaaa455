"""The reference pages say what the registries say."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Final

import pytest

REFERENCE: Final = Path(__file__).parents[2] / "docs" / "reference"


def written() -> dict[str, str]:
    """What the generator would write."""
    spec = spec_from_file_location("generate", REFERENCE / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = module_from_spec(spec)
    spec.loader.exec_module(generate)
    pages: dict[str, str] = generate.pages()
    return pages


@pytest.mark.parametrize("name", ["actions.md", "exits.md", "http.md", "problems.md", "reasons.md", "settings.md"])
def test_each_page_is_current(name: str) -> None:
    """A page that is checked in is what `docs/reference/generate.py` writes."""
    assert (REFERENCE / name).read_text() == written()[name], "run docs/reference/generate.py"


def test_every_page_is_checked() -> None:
    """The generator writes no page that nobody looks at."""
    assert {path.name for path in REFERENCE.glob("*.md")} == written().keys()
