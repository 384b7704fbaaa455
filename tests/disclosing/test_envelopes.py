"""Keys of agencies: read by their own checksum, before anything is sealed for one."""

from __future__ import annotations

import pytest
from pyrage import RecipientError, x25519

from holdback.enveloping import AgeEnvelopes, is_recipient

KEY = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
"""The key of age's own documentation."""


def known(text: str) -> bool:
    """Whether age itself reads it."""
    try:
        x25519.Recipient.from_str(text)
    except RecipientError:
        return False
    return True


def test_real_keys_are_keys() -> None:
    """What age makes and reads is accepted, and can be sealed for."""
    for key in (KEY, *(str(x25519.Identity.generate().to_public()) for _ in range(50))):
        assert is_recipient(key)
        assert known(key)
        assert AgeEnvelopes().seal(key, b"x").startswith("-----BEGIN AGE ENCRYPTED FILE-----")


@pytest.mark.parametrize("place", range(4, len(KEY)))
def test_one_wrong_digit_is_seen(place: int) -> None:
    """A slip of the pen anywhere, or two digits that changed places, make it no key; age agrees."""
    wrong = KEY[:place] + ("q" if KEY[place] != "q" else "p") + KEY[place + 1 :]
    swapped = KEY[: place - 1] + KEY[place] + KEY[place - 1] + KEY[place + 1 :]
    for text in (wrong, swapped) if place > 4 else (wrong,):
        assert is_recipient(text) is known(text) is (text == KEY)


@pytest.mark.parametrize(
    "text",
    ["", KEY.upper(), KEY + "\n", KEY[:-1], "ssh-ed25519 AAAA", "age1" + "q" * 58],
    ids=["none", "capitals", "a line's end", "cut", "another kind", "a form"],
)
def test_what_is_no_key_is_none(text: str) -> None:
    """Only what age writes is a key."""
    assert not is_recipient(text)
    assert not AgeEnvelopes().fits(text)


@pytest.mark.parametrize(
    "text",
    [
        "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z",
        "age1qyqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqj7vrya",
    ],
)
def test_a_key_that_everybody_shares_is_none(text: str) -> None:
    """The points of small order have a right checksum, and hide nothing from anybody: age itself breaks on them."""
    assert not is_recipient(text)
