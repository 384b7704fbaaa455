"""A lease: for a moment the platform answers for small orders itself, out of budget that was drawn beforehand.

Nothing is believed that was not said by Holdback: an order of another pair, one that gives away more than is left, or
any order after the end is not answered, and must be asked about. Not for use by several threads at once.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

from holdback.client.calls import LEASE
from holdback.client.errors import NotUnderstood

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MICRO: Final = 1_000_000
SIDES: Final = frozenset({"buy", "sell"})


def lease_action(pair: str, *, settles: str | None = None, used_usd: str | None = None) -> dict[str, object]:
    """What a lease is asked by, and what a program signs that asks for one with an API key.

    `settles` is the `id` of a lease that is over, and `used_usd` what its `close` said was used of it.
    """
    said = {"settles": settles, "used_usd": used_usd}
    return {"action": LEASE, "pair": pair, **{name: value for name, value in said.items() if value is not None}}


def granted(answer: Mapping[str, object], asked_at: float, clock: Callable[[], float]) -> TradeLease | None:
    """The lease of an answer, None if none was granted. Raises NotUnderstood."""
    try:
        return TradeLease.of(answer, asked_at, clock)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise NotUnderstood("this lease cannot be read") from None


class TradeLease:
    """What may be given away without asking, until it ends. `TradeLease.of(answer, asked_at)` makes one.

    Example: `if lease.allows("BTC/USDT", "buy", 64010.0, 0.5): match()`, else ask about the order.
    """

    __slots__ = ("_clock", "_ends_at", "_left", "_quote_micro", "_reference", "id", "pair", "used_micro_usd")

    def __init__(  # noqa: PLR0913 - the lease's members
        self,
        *,
        id: str,  # noqa: A002 - the lease's own word
        pair: str,
        micro_usd: int,
        reference: float,
        quote_usd: float,
        ends_at: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what was granted. `ends_at` is by `clock`, and never later than Holdback's own end."""
        self.id, self.pair = id, pair
        self._left, self._reference, self._quote_micro = micro_usd, reference, quote_usd * MICRO
        self._ends_at, self._clock = ends_at, clock
        self.used_micro_usd = 0

    @classmethod
    def of(
        cls, answer: Mapping[str, object], asked_at: float, clock: Callable[[], float] = time.monotonic
    ) -> TradeLease | None:
        """The lease of an answer as JSON; None if none was granted. `asked_at` is when it was asked for, by `clock`.

        Its time runs from then: however long the answer took, the lease ends no later than Holdback says.
        """
        said = answer.get("lease")
        if answer.get("decision") != "allow" or not isinstance(said, dict):
            return None
        return cls(
            id=str(answer["id"]),
            pair=str(said["pair"]),
            micro_usd=int(float(said["usd"]) * MICRO),
            reference=float(said["reference"]),
            quote_usd=float(said["quote_usd"]),
            ends_at=asked_at + float(said["seconds"]),
            clock=clock,
        )

    def allows(self, pair: str, side: str, price: float, amount: float) -> bool:
        """Whether an order may be matched without asking: what it gives away is then used up, all of it."""
        if self._clock() >= self._ends_at or pair != self.pair or side not in SIDES or not amount > 0 or not price > 0:
            return False
        gap = price - self._reference if side == "buy" else self._reference - price
        cost = gap * amount * self._quote_micro * (1 + 1e-9) if gap > 0 else 0.0
        if not cost <= self._left:  # also of what is too large for a number, or is none
            return False
        used = math.ceil(cost)
        self._left -= used
        self.used_micro_usd += used
        return True

    def close(self) -> str:
        """End it now, and say in USD what was used of it, for the next one to settle."""
        self._ends_at = -math.inf
        return f"{self.used_micro_usd // MICRO}.{self.used_micro_usd % MICRO:06}"
