"""The operator's feed of pairs: what orders are compared with (law 3), from an index outside the platform.

A reference that is wrong by orders of magnitude would let an account be traded empty, or close every pair at once. So
a table is refused, and nothing of it kept, by the rules of the prices' own: zero, from the future, older than what is
kept, or a jump of more than ten times that `confirm` does not name. The half-range of each minute is kept for an hour;
orders may be off by a multiple of the median.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from holdback.core.events import MINUTE
from holdback.core.rules.asking import Amount, Pair, units
from holdback.intake import BadRequest
from holdback.pair_index import PairIndex
from holdback.ports import Wanted
from holdback.web.bodies import table
from holdback.web.prices import instant_of, jumped
from holdback.web.problems import ABSURD_PRICE, Problem

if TYPE_CHECKING:
    from holdback.core.policy import Signals
    from holdback.ports import Store


class PairReference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Units of the pair's second asset for one of its first, by an outside index.

    `half_range_ppm` is half of the spread between highest and lowest price in the last minute, in millionths of the
    reference.
    """

    reference: Amount
    half_range_ppm: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class PairTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """References as of `at`. `confirm` names pairs whose reference did jump by more than ten times."""

    at: Annotated[datetime, msgspec.Meta(tz=True)]
    pairs: Annotated[dict[Pair, PairReference], msgspec.Meta(min_length=1, max_length=1_000)]
    confirm: Annotated[tuple[Pair, ...], msgspec.Meta(max_length=1_000)] = ()


_TABLE: Final = msgspec.json.Decoder(PairTable)


def read_table(body: bytes) -> PairTable:
    """Read a table. Raises BadRequest naming the field that is wrong."""
    return table(_TABLE, body)


async def keep(store: Store, table: PairTable, signals: Signals) -> None:
    """Keep every reference of a table, or none. Raises BadRequest or Problem."""
    loaded = await store.read([Wanted("", assets=tuple(table.pairs))])
    at = instant_of(table.at, loaded, signals)
    made: list[PairIndex] = []
    for pair, said in table.pairs.items():
        if not units(said.reference):
            raise BadRequest("a reference of zero is none", f"/pairs/{_escaped(pair)}/reference")
        new = PairIndex(pair, said.reference, at, ((at // MINUTE, said.half_range_ppm),))
        row = loaded.prices.get(pair)
        before = PairIndex.of(row) if row is not None else None
        if before is not None and pair not in table.confirm and jumped(units(before.reference), units(said.reference)):
            raise Problem(
                ABSURD_PRICE,
                "more than ten times, or less than a tenth, of the reference kept before; name the pair in `confirm` "
                "if that is so",
                pointer=f"/pairs/{_escaped(pair)}",
            )
        made.append(new if before is None else before.after(new))
    await store.put_prices([one.row() for one in made])


def _escaped(pair: str) -> str:
    """A pair as part of a JSON pointer (RFC 6901)."""
    return pair.replace("/", "~1")
