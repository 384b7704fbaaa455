"""How long to go on asking. Every question carries an idempotency key, so asking again never acts twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """At most `tries`, no try begun or waited for past `deadline_s`, each phase of one cut off after `try_s`.

    Between tries comes a pause: what the server asked for by Retry-After, and up to `pause_s` more, doubled each time
    and drawn by chance so that many clients do not return at once.
    """

    tries: int = 4
    deadline_s: float = 10.0
    try_s: float = 5.0
    pause_s: float = 0.1


class Tries:
    """One question's tries. `clock` counts seconds and never goes back; `chance` draws from 0 to 1."""

    def __init__(self, patience: Patience, clock: Callable[[], float], chance: Callable[[], float]) -> None:
        """Start the deadline."""
        self._patience = patience
        self._clock = clock
        self._chance = chance
        self._ends_at = clock() + patience.deadline_s
        self._made = 0

    def timeout(self) -> float:
        """Seconds that each phase of the next try may take."""
        return max(0.001, min(self._patience.try_s, self._ends_at - self._clock()))

    def pause(self, asked_s: float = 0.0) -> float | None:
        """Seconds to wait before the next try, after one that brought no answer; None if that was the last."""
        pause = asked_s + self._chance() * self._patience.pause_s * 2.0**self._made
        self._made += 1
        if self._made >= self._patience.tries or self._clock() + pause >= self._ends_at:
            return None
        return pause
