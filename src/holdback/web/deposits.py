"""The operator's feed of deposits: who sent how little, so that nobody pays who only looks like somebody known.

In address poisoning a thief sends a worthless amount from an address with the edges of one that the victim pays, and
waits for it to be copied from the history. Of each deposit that is worth so little, only a keyed hash of its sender's
edges is kept, with the account and the day; all others are not looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from holdback.addresses import spelled
from holdback.core.events import DAY
from holdback.core.policy import MICRO
from holdback.core.rules.asking import Money, Network, micro_usd
from holdback.intake import ACCOUNT_ID, BadRequest, Short
from holdback.ports import Sighting
from holdback.sharing import dust_keys
from holdback.web.bodies import table

if TYPE_CHECKING:
    from holdback.core.events import Instant
    from holdback.judging import Tools
    from holdback.ports import Store


class Deposit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `account` received, worth so much, from an address on a network."""

    account: Annotated[str, msgspec.Meta(min_length=1, max_length=129)]
    network: Network
    address: Short
    usd: Money


class DepositTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Deposits that arrived since the last table. One that is told twice counts once."""

    deposits: Annotated[tuple[Deposit, ...], msgspec.Meta(min_length=1, max_length=500)]


_TABLE: Final = msgspec.json.Decoder(DepositTable)


def read_table(body: bytes) -> DepositTable:
    """Read a table. Raises BadRequest naming the field that is wrong."""
    return table(_TABLE, body)


async def keep(store: Store, tools: Tools, table: DepositTable, now: Instant) -> None:
    """Keep the edges of those who sent dust, of all deposits or of none. Raises BadRequest."""
    rows = [
        row
        for place, one in enumerate(table.deposits)
        if (row := _dust(tools, one, now, f"/deposits/{place}")) is not None
    ]
    if rows:
        await store.put_sightings(rows)


def _dust(tools: Tools, one: Deposit, now: Instant, pointer: str) -> Sighting | None:
    if not ACCOUNT_ID.fullmatch(one.account):
        raise BadRequest("this is not an account id", f"{pointer}/account")
    try:
        sender = spelled(tools.policy.networks, one.network, one.address)
    except ValueError as error:
        raise BadRequest(f"the address {error}", f"{pointer}/address") from None
    if micro_usd(one.usd) > tools.policy.book.dust_usd * MICRO:
        return None
    account = one.account.partition(".")[0]
    return Sighting(dust_keys(tools.masters, account, sender.compared).keys[0], account, now // DAY)
