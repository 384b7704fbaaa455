"""The score of Freeman et al., *Who Are You? A Statistical Approach to Measuring User Authenticity* (NDSS 2016).

`S = p(u | thief) / p(u | owner) * prod_k p(x_k) / p(x_k | u)`, where thieves are taken to come from wherever anybody
does and to choose victims evenly. Address and user agent are interpolated over their levels, from the whole value to
the coarsest; the weights are those Wiefling et al. (2021, 2022) found for these features. A value the customer never
showed is smoothed by one made-up sign-in that is spread as everybody's are. Whole histories are kept, nothing fades and
nothing waits: that is the model as it was published.
"""

from __future__ import annotations

from collections import Counter
from math import log
from typing import TYPE_CHECKING, Final

from holdback.core.profile import LEVELS

if TYPE_CHECKING:
    from holdback.bench.signins import SignIn

ADDRESS_WEIGHTS: Final = (0.1, 0.3, 0.0, 0.6)
"""Country, network (ASN), none for the block, address."""
BROWSER_WEIGHTS: Final = (0.19, 0.27, 0.54)
"""System, version, the whole string."""


class Freeman:
    """Counts every sign-in it is shown. Example: `model.score(one)`, then `model.learn(one)` if it was the owner's."""

    def __init__(self) -> None:
        """Know nothing."""
        self._all: tuple[Counter[int], ...] = tuple(Counter() for _ in LEVELS)
        self._users: dict[int, tuple[Counter[int], ...]] = {}
        self._signed_in: Counter[int] = Counter()
        self._total = 0

    def score(self, one: SignIn) -> float:
        """The log of the ratio: more is more likely a thief."""
        known = self._users.get(one.user)
        count = self._signed_in[one.user]
        if known is None:
            return 0.0
        values = (*one.address, *one.browser)
        ratio = log((self._total / len(self._users)) / count)
        split = len(ADDRESS_WEIGHTS)
        for first, weights in ((0, ADDRESS_WEIGHTS), (split, BROWSER_WEIGHTS)):
            anybody = user = 0.0
            for place, weight in enumerate(weights, first):
                value = values[place]
                share = (self._all[place][value] + 1) / (self._total + len(self._all[place]) + 1)
                anybody += weight * share
                user += weight * (known[place][value] + share) / (count + 1)
            ratio += log(anybody / user)
        return ratio

    def learn(self, one: SignIn) -> None:
        """Count an owner's sign-in."""
        known = self._users.setdefault(one.user, tuple(Counter() for _ in LEVELS))
        for place, value in enumerate((*one.address, *one.browser)):
            self._all[place][value] += 1
            known[place][value] += 1
        self._signed_in[one.user] += 1
        self._total += 1
