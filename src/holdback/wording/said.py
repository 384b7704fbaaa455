"""Words that can be said again in another language.

A sentence is made in English, whole, from a template and what stands in its places. As a str it is that sentence, and
whoever wants no other need not know more. It also keeps how it was made, so a page says the same in its reader's
language, with that language's order of words, numbers and dates:

    text = said("Signed in with {proofs}, until {until} at the latest.", proofs=together(kinds), until=day_text(until))
    in_words(text, chinese)
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Protocol, Self

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from holdback.core.events import Instant


class Tongue(Protocol):
    """A language, and how it writes what is not words."""

    def say(self, sentence: str) -> str:
        """A template or a word of ours by its English; the English itself where this language lacks it."""

    def moment(self, at: Instant) -> str:
        """An instant, a whole minute, as people write it, in UTC."""

    def dollars(self, cents: int) -> str:
        """An amount of US dollars to the cent."""


class Said(str):
    """Words in English that know how to be said in another language. Encoders want `str()` of them."""

    __slots__ = ("again",)
    again: Callable[[Tongue], str]

    def __new__(cls, english: str, again: Callable[[Tongue], str]) -> Self:
        """The English, and what says the same in a language."""
        made = super().__new__(cls, english)
        made.again = again
        return made


def said(template: str, /, **values: object) -> Said:
    """A sentence, or a piece of one: the template is looked up in a catalogue, the values are said by themselves."""
    if not values:
        return term(template)

    def again(tongue: Tongue) -> str:
        return tongue.say(template).format(**{name: in_words(one, tongue) for name, one in values.items()})

    return Said(template.format(**values), again)


def term(word: str) -> Said:
    """A word that stands for itself: the English name of one of a closed set of things."""
    return Said(word, lambda tongue: tongue.say(word))


def listed(parts: Iterable[str], between: str = ", ") -> Said:
    """Several things side by side, with what a language puts between them."""
    kept = tuple(parts)
    return Said(between.join(kept), lambda tongue: tongue.say(between).join(in_words(one, tongue) for one in kept))


def sentences(*texts: str) -> Said:
    """Whole sentences one after the other; empty ones leave no gap."""
    return listed((text for text in texts if text), " ")


def capital(text: str) -> str:
    """The text as a sentence begins."""
    if isinstance(text, Said):
        inner = text.again
        return Said(text[:1].upper() + text[1:], lambda tongue: capital(inner(tongue)))
    return text[:1].upper() + text[1:]


def in_words(text: object, tongue: Tongue) -> str:
    """The same in a language: what was said by `said` anew, anything else as it is."""
    return text.again(tongue) if isinstance(text, Said) else str(text)


def catalogue(language: str) -> dict[str, str]:
    """What a language has for each template and word, by its English."""
    text = (resources.files("holdback.wording") / "locale" / f"{language}.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, str])
