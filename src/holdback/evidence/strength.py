"""How hard a password is to guess: zxcvbn's estimate, in bounded time and in Holdback's own words.

The estimate's work grows faster than the password, and explodes with its spellings in digits and signs (32 characters
cost 1.4 s on one core, 72 cost 17 s). So only so many characters are looked at, and signs that may stand for letters
are taken as they are where they could stand for too many. What is left takes a tenth of a second at most.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Final, NamedTuple

from zxcvbn import matching, scoring, time_estimates

if TYPE_CHECKING:
    from collections.abc import Iterable

LOOKED_AT: Final = 40
"""Characters of a password that are judged at a time. A longer one is as strong as the stronger of its two ends."""
SPELLINGS_MOST: Final = 8
ABOUT_MOST: Final = 64
"""Words about the owner that are held against a password."""

_SIGNS: Final = str.maketrans(dict.fromkeys("@({[<!|$+%", "~"))
"""Signs that are read as letters, and one that is not."""

_NAMES: Final = frozenset({"male_names", "female_names", "surnames"})


class Strength(NamedTuple):
    """`score` on zxcvbn's scale, 0 (known to all) to 4 (ten to the tenth guesses), and why it is not higher."""

    score: int
    why: str


def strength(password: str, about: Iterable[str]) -> Strength:
    """Estimate a password; `about` are words that whoever guesses will try first: the owner's name and addresses.

    Example: `strength("alice1990", ["alice@example.com"])` is of score 1.
    """
    words = _words(about)
    ends = [password] if len(password) <= LOOKED_AT else [password[:LOOKED_AT], password[-LOOKED_AT:]]
    return max((_judged(one, words) for one in ends), key=lambda one: one.score)


def _words(about: Iterable[str]) -> list[str]:
    """Each of the words, and what is before and after the sign in an address."""
    found: dict[str, None] = {}
    for word in about:
        for part in (word, *word.partition("@")[::2]):
            if len(part) > 1:
                found[part.lower()[:LOOKED_AT]] = None
    return list(found)[:ABOUT_MOST]


def _judged(text: str, words: list[str]) -> Strength:
    if not text:
        return Strength(0, "it is empty")
    # zxcvbn's own entry writes the words into a table that all threads share.
    known = matching.RANKED_DICTIONARIES | {"user_inputs": matching.build_ranked_dict(words)}
    spellings = matching.relevant_l33t_subtable(text, matching.L33T_TABLE)
    if prod(len(signs) for signs in spellings.values()) > SPELLINGS_MOST:
        text = text.translate(_SIGNS)
    found = scoring.most_guessable_match_sequence(text, matching.omnimatch(text, known))
    longest = max(found["sequence"], key=lambda one: one["j"] - one["i"])
    return Strength(time_estimates.guesses_to_score(found["guesses"]), _why(longest))


def _why(match: dict[str, str]) -> str:
    """What the longest part of a password gives away, in words that repeat nothing of it."""
    dictionary = match.get("dictionary_name", "")
    match match["pattern"]:
        case "dictionary" if dictionary == "user_inputs":
            return "it holds your own name or address"
        case "dictionary" if dictionary == "passwords":
            return "it is close to one that many people use"
        case "dictionary" if dictionary in _NAMES:
            return "it is mostly a name"
        case "dictionary":
            return "it is mostly a common word"
        case "spatial":
            return "it follows neighbouring keys"
        case "repeat":
            return "it repeats itself"
        case "sequence":
            return "it counts or spells in order"
        case "regex" | "date":
            return "it is mostly a date"
        case _:
            return "it is too short for what it is made of"
