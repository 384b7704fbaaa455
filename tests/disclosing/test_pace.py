"""How much one key hands in."""

from __future__ import annotations

import pytest

from holdback.papers import HOUR_S, Pace, TooOften


def test_a_key_hands_in_so_much_an_hour() -> None:
    """The hour is a sliding one; what is refused is not counted, and another key has its own."""
    pace = Pace(2)
    pace.take("a", 0.0)
    pace.take("a", 1800.0)
    for at, wait in ((1800.5, 1800), (HOUR_S - 0.5, 1)):
        with pytest.raises(TooOften) as error:
            pace.take("a", at)
        assert error.value.retry_after_s == wait
    pace.take("b", HOUR_S - 0.5)
    pace.take("a", HOUR_S)
    with pytest.raises(TooOften):
        pace.take("a", HOUR_S)
