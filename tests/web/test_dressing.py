"""Pages in every language: nothing is left untranslated, and what is translated fits its sentence."""

from __future__ import annotations

import re

import pytest

from holdback.web.dressing import ENGLISH, LANGUAGES, TONGUES, spoken

_PLACES = re.compile(r"%\((\w+)\)[sd]|%%")


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {ENGLISH}))
def test_every_sentence_is_translated(language: str) -> None:
    """Each sentence of the pages is in each catalogue, with the same places in it, and no other is."""
    said = {one: TONGUES[language].say(one) for one in TONGUES[ENGLISH].sentences()}
    assert not [one for one, other in said.items() if one == other]
    assert TONGUES[language].known() == set(said)
    for one, other in said.items():
        assert sorted(_PLACES.findall(one)) == sorted(_PLACES.findall(other)), one


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        ("zh", "en", "zh"),
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("", "de,en-GB;q=0.7", "en"),
        ("xx", "", "en"),
        ("", "fr", "en"),
    ],
)
def test_the_language_is_the_readers(chosen: str, accepted: str, language: str) -> None:
    """What the reader chose is spoken, else what his browser asks for, else English."""
    assert spoken(chosen, accepted).language == language


def test_numbers_and_dates_are_the_readers() -> None:
    """Numbers have the language's separators without losing a digit, and instants are written as people write them."""
    assert TONGUES["en"].money("1234567.00000001") == "1,234,567.00000001"
    assert "2026年11月22日" in TONGUES["zh"].instant("2026-11-22T03:15:00.000Z")
    assert "Nov 22, 2026" in TONGUES["en"].instant("2026-11-22T03:15:00.000Z")
