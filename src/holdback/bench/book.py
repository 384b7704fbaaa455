"""What a look-alike in a large address book costs to find, and what reading an address does.

One customer has 2,000 entries in his book. He enters addresses that nobody has, and as many that have the edges of an
entry. Timed is what that adds to a decision: the entries that the store finds by their looks, their MACs, and the
core's comparison. Beside it stands the read that the decision needs anyway.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from holdback import wiring
from holdback.addresses import eip55, invented, normal
from holdback.bench.decide import environment
from holdback.bench.postgres import throwaway_cluster
from holdback.core.events import Actor, ActorKind
from holdback.core.rules.address import beneficiary_name, looking_like
from holdback.core.state import Beneficiary, Wait
from holdback.ports import Snapshot, Wanted, Writes

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdback.judging import Tools
    from holdback.ports import PartRow, Store
    from holdback.sealing import CustomerKey

ENTRIES: Final = 2_000
ASKED: Final = 2_000
ASKED_QUICK: Final = 500
MS_MOST: Final = 1.0
ACCOUNT: Final = "collector"
NETWORK: Final = "ethereum"


def measure(store: str, quick: bool, tell: Callable[[str], None]) -> dict[str, object]:  # noqa: FBT001 - as every bench takes it
    """Run it; times in milliseconds, and of reading an address in microseconds."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="holdback-bench-")))
        cluster = stack.enter_context(throwaway_cluster()) if store == "postgres" else None
        url = cluster.create_database("bench") if cluster else f"sqlite:{place / 'bench.db'}"
        settings = wiring.settings_from(environment(url))
        tools = wiring.tools(settings)
        tell(f"a book of {ENTRIES} entries on {store}")
        found = asyncio.run(_measured(wiring.open_store(settings), tools, ASKED_QUICK if quick else ASKED))
    misses = [] if found["look_alike_ms"] < MS_MOST else [f"a look-alike is not found within {MS_MOST} ms"]
    return {"bench": "book", "misses": misses, "store": store, "entries": ENTRIES, **found, **_reading(tools)}


async def _measured(store: Store, tools: Tools, asked: int) -> dict[str, float]:
    try:
        await store.migrate()
        key = tools.masters.unwrap(wrapped := tools.masters.new_key())
        entries = [invented(tools.policy.networks[NETWORK], str(number)) for number in range(ENTRIES)]
        rows = [_entry(tools, key, one) for one in entries]
        async with store.transaction() as transaction:
            await transaction.write(
                Writes(snapshots=[(0, Snapshot(ACCOUNT, 1, 1, b"", b"head", b"mac", wrapped))], parts=rows)
            )
        alone, with_alike, found = [], [], 0
        for number in range(asked):
            like = entries[number % ENTRIES]
            text = eip55(f"{like[2:6]}{number:032x}{like[-4:]}".lower()) if number % 2 else f"0x{number:040x}"
            place = key.seal_destination(text, compared=text.lower())
            part_name = ("beneficiary", beneficiary_name(NETWORK, place))
            began = time.perf_counter()
            await store.read([Wanted(ACCOUNT, (part_name,))])
            between = time.perf_counter()
            loaded = await store.read([Wanted(ACCOUNT, (part_name,), place.alike)])
            parts = [tools.snapshots.part(row) for row in loaded.parts.get(ACCOUNT, ())]
            found += any(looking_like(part, place) for part in parts)
            with_alike.append(time.perf_counter() - between)
            alone.append(between - began)
    finally:
        await store.close()
    read, check = statistics.median(alone), statistics.median(with_alike)
    return {
        "look_alike_ms": round(check * 1_000, 3),
        "look_alike_p99_ms": round(sorted(with_alike)[asked * 99 // 100] * 1_000, 3),
        "read_alone_ms": round(read * 1_000, 3),
        "ratio": round(check / read, 2),
        "found": found,
        "of_which_there_were": asked // 2,
    }


def _entry(tools: Tools, key: CustomerKey, address: str) -> PartRow:
    """An entry of the book."""
    place = key.seal_destination(address, compared=address.lower())
    part = Beneficiary(key.seal("x"), NETWORK, place, 0, Wait(0, 0, heard=True), 0, Actor(ActorKind.OWNER), "", "")
    return tools.snapshots.part_row(ACCOUNT, ("beneficiary", beneficiary_name(NETWORK, place)), part)


def _reading(tools: Tools) -> dict[str, object]:
    """How long it takes to read an address of each network, in microseconds."""
    told = {}
    for name, network in tools.policy.networks.items():
        text = invented(network, name)
        began = time.perf_counter()
        for _ in range(1_000):
            normal(network, text)
        told[name] = round((time.perf_counter() - began) * 1_000, 1)
    return {"reading_us": told}
