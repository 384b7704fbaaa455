"""The operator's price feed: what Holdback values exits by (law 8), so absurd prices are refused whole.

A feed that is wrong by orders of magnitude would open or close every exit at once. A table is refused, and nothing of
it kept, if a price is zero, negative or above a billion dollars, if it is from the future, too old to price anything or
older than what is kept, or if it is more than ten times or less than a tenth of the price kept before and `confirm`
does not name its asset.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from holdback.core.events import MINUTE
from holdback.core.policy import MICRO
from holdback.intake import BadRequest
from holdback.ports import Price, Wanted
from holdback.web.bodies import table
from holdback.web.problems import ABSURD_PRICE, Problem
from holdback.wording.words import instant_text

if TYPE_CHECKING:
    from holdback.core.events import Instant
    from holdback.core.policy import Signals
    from holdback.ports import Loaded, Store

HIGHEST_USD: Final = 10**9
JUMP: Final = 10
PLACES: Final = 18

Asset = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,32}\Z")]
PriceText = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,10}(\.[0-9]{1,18})?\Z")]


class PriceTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """USD for one whole unit of each asset, as of `at`. `confirm` names assets whose price did jump that far."""

    at: Annotated[datetime, msgspec.Meta(tz=True)]
    prices: Annotated[dict[Asset, PriceText], msgspec.Meta(min_length=1, max_length=1_000)]
    confirm: Annotated[tuple[Asset, ...], msgspec.Meta(max_length=1_000)] = ()


_TABLE: Final = msgspec.json.Decoder(PriceTable)


def read_table(body: bytes) -> PriceTable:
    """Read a table. Raises BadRequest naming the field that is wrong."""
    return table(_TABLE, body)


async def keep(store: Store, table: PriceTable, signals: Signals) -> None:
    """Keep every price of a table, or none. Raises BadRequest or Problem."""
    loaded = await store.read([Wanted("", assets=tuple(table.prices))])
    at = instant_of(table.at, loaded, signals)
    if at < loaded.now - signals.price_age_m * MINUTE:
        raise BadRequest(f"prices older than {signals.price_age_m} minutes price nothing", "/at")
    made = [Price(asset, _micro_usd(asset, text), at) for asset, text in table.prices.items()]
    for price in made:
        before = loaded.prices.get(price.asset)
        if before is not None and price.asset not in table.confirm and jumped(before.micro_usd, price.micro_usd):
            raise Problem(
                ABSURD_PRICE,
                f"more than {JUMP} times, or less than a {JUMP}th, of the price kept before; "
                "name the asset in `confirm` if that is so",
                pointer=f"/prices/{price.asset}",
            )
    await store.put_prices(made)


def instant_of(said: datetime, loaded: Loaded, signals: Signals) -> Instant:
    """When a table is of. Raises BadRequest if that is to come, or if something newer of what it names is kept.

    A feed whose table would change nothing must learn it: else its clock goes wrong, and nobody sees why prices age.
    """
    at = int(said.timestamp() * 1000)
    if at > loaded.now + signals.clock_tolerance_s * 1000:
        raise BadRequest("a table cannot be from the future", "/at")
    for one in loaded.prices.values():
        if at < one.at:
            raise BadRequest(
                f"{one.asset} is kept as of {instant_text(one.at)}, which is later; nothing was taken", "/at"
            )
    return at


def _micro_usd(asset: str, text: str) -> int:
    """Micro-USD, rounded up: a price too low would let more leave."""
    whole, _, part = text.partition(".")
    scaled = int(whole) * 10**PLACES + int(part.ljust(PLACES, "0") or 0)
    micro = -(-scaled * MICRO // 10**PLACES)
    if micro == 0:
        raise BadRequest("a price of zero would let everything leave", f"/prices/{asset}")
    if micro > HIGHEST_USD * MICRO:
        raise BadRequest(f"a price above {HIGHEST_USD} USD is not believed", f"/prices/{asset}")
    return micro


def jumped(before: int, after: int) -> bool:
    """Whether a price is more than ten times, or less than a tenth, of the one before."""
    return after > before * JUMP or after * JUMP < before
