"""A process that writes until it is killed, and prints a line for each commit that was acknowledged to it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.contracts.conftest import Place
from tests.contracts.rows import of, step


async def main(kind: str, at: str) -> None:
    """Write to the account "a" for ever."""
    store = Place(kind, at).store()
    while True:
        async with store.transaction() as transaction:
            heads = (await transaction.load(of("a"))).snapshots
            seq = heads["a"].seq + 1 if heads else 1
            await transaction.write(step("a", seq))
        sys.stdout.write(f"{seq}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
