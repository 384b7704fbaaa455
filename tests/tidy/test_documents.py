"""What the documents show of the code is so."""

from __future__ import annotations

import builtins
import dis
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from holdback.core.trading import ODD, UNLEASED

if TYPE_CHECKING:
    import pytest

ROOT: Final = Path(__file__).parents[2]
WORD: Final = re.compile(r"[a-z]+")


def layers(contract: str) -> list[set[str]]:
    """The rows of a contract of import-linter."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (rows,) = (one["layers"] for one in contracts if one["id"] == contract)
    return [set(WORD.findall(row)) for row in rows]


def block(document: str, opening: str) -> str:
    """The one fenced block of a document that begins so."""
    (found,) = re.findall(rf"^{re.escape(opening)}(.*?)^```$", (ROOT / document).read_text(), re.DOTALL | re.MULTILINE)
    return str(found)


def test_the_picture_of_the_house_is_the_house() -> None:
    """ARCHITECTURE.md shows every layer that `make check` holds the code to, in order."""
    house, _, core = block("ARCHITECTURE.md", "```\ncli\n").partition("core:")
    rows = [set(WORD.findall(row.partition("  ")[0])) for row in house.splitlines()]
    held = [row for row in layers("house") if not row & {"main", "cli", "core"}]
    assert rows == held
    assert [set(WORD.findall(row)) for row in core.split(">")] == layers("core-house")


def test_the_example_to_paste_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program in README.md imports what it uses: all it lacks is what sends money."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"platform_key": "hb_backend_0"}
    exec(compile(block("README.md", "```python\n"), "README.md", "exec"), names)  # noqa: S102 - our own page
    used = {
        one.argval
        for kind in ("withdraw", "pay")
        for one in dis.get_instructions(names[kind])
        if "GLOBAL" in one.opname
    }
    assert used - names.keys() - vars(builtins).keys() == {"send"}
    names["wallet"].close()
    names["holdback"].close()


def test_what_is_odd_is_listed() -> None:
    """Whatever may be odd about an order stands in the page to which the answer's reason is looked up."""
    page = (ROOT / "docs/explanation/trades.md").read_text()
    listed = re.findall(r"^\| `([a-z_]+)` \|", page.partition("## What is odd")[2].partition("\n## ")[0], re.MULTILINE)
    assert listed == [*ODD, *UNLEASED]
