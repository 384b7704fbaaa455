"""Which program speaks, by its user agent."""

from __future__ import annotations

from typing import Final

import pytest

from holdback.evidence.browser import READ_MOST, Browsers

CHROME: Final = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{} Safari/537.36"
WINDOWS: Final = "Windows NT 10.0; Win64; x64"


def test_an_update_changes_only_the_finer_levels() -> None:
    """System, family and major version stay over a patch; a new major version keeps the system."""
    program = Browsers().program
    old, patched = program(CHROME.format(WINDOWS, "126.0.1.0")), program(CHROME.format(WINDOWS, "126.0.2.0"))
    assert old[:2] == patched[:2] == ("Windows", "Chrome 126")
    assert old[2] != patched[2]
    assert program(CHROME.format(WINDOWS, "127.0.0.0"))[:2] == ("Windows", "Chrome 127")


@pytest.mark.parametrize("text", ["", "curl", "\x00", "x" * 5_000, "Mozilla/5.0 (" * 300], ids=len)
def test_anything_may_be_sent(text: str) -> None:
    """What tells nothing is a program without a system and a version, cut to its bound."""
    system, version, whole = Browsers().program(text)
    assert (system, whole) == ("", text[:READ_MOST])
    assert len(version) < READ_MOST
