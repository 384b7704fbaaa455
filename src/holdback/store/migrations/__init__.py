"""Numbered SQL migrations, one folder a database, and the rule of who may open what.

A file is named `NNNN_word.sql` and begins with `-- oldest-reader: N`: the oldest program, named by its own newest
migration, that reads and writes a database so migrated without harm. In a rolling upgrade the old program goes on while
N allows it; raise N only with a change that an old program would damage, once none is left.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from holdback.ports import NewerDatabase, StoreUnavailable


class Migration(NamedTuple):
    """One step of a schema; `oldest_reader` is what it leaves behind."""

    version: int
    oldest_reader: int
    sql: str


@cache
def migrations(database: str) -> tuple[Migration, ...]:
    """The steps for `postgres` or `sqlite` in order. Raises ValueError if a number is missing or a header is wrong."""
    found: list[Migration] = []
    folder = files(__name__).joinpath(database)
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        if not file.name.endswith(".sql"):
            continue
        sql = file.read_text("utf-8")
        header = re.match(r"-- oldest-reader: (\d+)\n", sql)
        number = re.match(r"(\d{4})_", file.name)
        if header is None or number is None or int(number[1]) != len(found) + 1:
            raise ValueError(f"{file.name} is not the next migration, or its first line is not '-- oldest-reader: N'")
        found.append(Migration(int(number[1]), int(header[1]), sql))
    return tuple(found)


def newest(database: str) -> int:
    """The schema version this program writes."""
    return migrations(database)[-1].version


def admit(database: str, oldest_reader: int) -> None:
    """Raises NewerDatabase if the database admits no program as old as this one."""
    if oldest_reader > newest(database):
        raise NewerDatabase(
            f"the database admits programs from schema {oldest_reader} on, this one knows {newest(database)}: upgrade"
        )


def up_to_date(database: str, version: int, oldest_reader: int) -> None:
    """Raises StoreUnavailable if the schema is older than this program needs, NewerDatabase if too new for it."""
    admit(database, oldest_reader)
    if version < newest(database):
        raise StoreUnavailable(
            f"the schema has version {version}, this program needs {newest(database)}: run `holdback migrate`"
        )
