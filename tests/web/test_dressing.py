"""Pages in every language: nothing is left untranslated, and what is translated fits its sentence."""

from __future__ import annotations

import re
from typing import Final

import pytest

from holdback.core.decision import Reason
from holdback.web.dressing import ENGLISH, LANGUAGES, TONGUES, spoken
from holdback.wording.reasons import sentence
from holdback.wording.said import said
from holdback.wording.words import day_text, money

AT: Final = 1_795_258_055_123

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


def test_what_happened_is_said_in_the_readers_language() -> None:
    """A sentence of the log and a reason are said in the page's language, with its dates and amounts; English as is."""
    counts = said("It counts in full from {until} at the earliest.", until=day_text(AT))
    assert TONGUES["zh"].words(counts) == "最早自 2026年11月21日 10:48 UTC 起完全生效。"
    assert TONGUES["en"].words(counts) == "It counts in full from 21 Nov 2026, 10:48 UTC at the earliest."
    assert TONGUES["zh"].words(money(15_000_495_000)) == "US$15,000.50"
    assert TONGUES["zh"].words(sentence(Reason.SESSION_REQUIRED)) == "请先登录。"
    assert TONGUES["en"].words(sentence(Reason.SESSION_REQUIRED)) == "Sign in first."


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_words_of_others_stay_text_in_every_language(language: str) -> None:
    """A name that an owner gave, or a thief, is escaped on a page whatever language says the sentence around it."""
    reasons = ({"code": "frozen", "text": said("remove {name}", name="<b>{x}</b>")},)
    answer = {"decision": "deny", "reasons": reasons, "hold": None, "usable_from": None}
    shown = {"said": answer, "account": None, "visitor": None, "home": "/center", "key": ""}
    page = TONGUES[language].page("center/answer.html", shown).decode()
    assert "&lt;b&gt;{x}&lt;/b&gt;" in page
    assert "<b>{x}" not in page
