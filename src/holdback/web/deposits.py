"""The operator's feed of deposits: where what accounts received came from.

In address poisoning a thief sends a worthless amount from an address with the edges of one that the victim pays, and
waits for it to be copied from the history. Of each deposit that is worth so little, only a keyed hash of its sender's
edges is kept, with the account and the day, so that nobody pays who only looks like somebody known.

Of those that are worth enough, the sender's address ties the accounts that it funds (`core/rules/clusters.py`): a keyed
hash of it, again, and nothing of what lies between.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from holdback.addresses import spelled
from holdback.core.events import DAY
from holdback.core.policy import MICRO
from holdback.core.rules.asking import Money, Network, micro_usd
from holdback.core.rules.deposit import DepositReceive
from holdback.intake import ACCOUNT_ID, BadRequest, Short
from holdback.ports import Sighting
from holdback.sharing import dust_keys, source_keys
from holdback.web.bodies import table

if TYPE_CHECKING:
    from holdback.core.events import Instant
    from holdback.judging import Tools
    from holdback.service import Service


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


async def keep(service: Service, table: DepositTable, now: Instant) -> None:
    """Keep the edges of those who sent dust, and note where what is no dust came from. Raises BadRequest.

    A table that is wrong anywhere is not taken at all. One whose answer was lost may be sent again: what is noted twice
    counts once, though of an address that just one account too many shares each telling is an entry.
    """
    tools, policy = service.tools, service.tools.policy
    told = [
        (one.account.partition(".")[0], _sender(tools, one, f"/deposits/{place}"), micro_usd(one.usd))
        for place, one in enumerate(table.deposits)
    ]
    rows = [
        Sighting(dust_keys(tools.masters, account, sender).keys[0], account, now // DAY)
        for account, sender, worth in told
        if worth <= policy.book.dust_usd * MICRO
    ]
    if rows:
        await service.store.put_sightings(rows)
    least = policy.outflow.received_floor_usd * MICRO
    sources = dict.fromkeys((account, sender) for account, sender, worth in told if worth >= least)
    await asyncio.gather(
        *(
            service.record(account, DepositReceive(), shared=(source_keys(tools.masters, sender),))
            for account, sender in sources
        )
    )


def _sender(tools: Tools, one: Deposit, pointer: str) -> str:
    """Who sent it, in the spelling that addresses are compared by."""
    if not ACCOUNT_ID.fullmatch(one.account):
        raise BadRequest("this is not an account id", f"{pointer}/account")
    try:
        return spelled(tools.policy.networks, one.network, one.address).compared
    except ValueError as error:
        raise BadRequest(f"the address {error}", f"{pointer}/address") from None
