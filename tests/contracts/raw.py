"""A way past a store to its database, as an operator or an intruder has it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from tests.contracts.conftest import Place


async def execute(place: Place, sql: str) -> None:
    """Run one statement and commit it."""
    if place.kind == "postgres":
        connection = await asyncpg.connect(place.at)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()
    else:
        with closing(sqlite3.connect(place.at, isolation_level=None)) as database:
            database.execute(sql)
