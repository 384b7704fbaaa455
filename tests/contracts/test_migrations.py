"""The numbered migrations: complete, in the package, and honest about who may read what they leave behind."""

from __future__ import annotations

import pytest

from holdback.ports import NewerDatabase, StoreUnavailable
from holdback.store import migrations


@pytest.mark.parametrize("database", ["postgres", "sqlite"])
def test_numbers(database: str) -> None:
    """Migrations count from one without a gap, and none lets in fewer programs than the one before it let in."""
    steps = migrations.migrations(database)
    assert [step.version for step in steps] == list(range(1, len(steps) + 1))
    assert all(1 <= step.oldest_reader <= step.version for step in steps)
    assert [step.oldest_reader for step in steps] == sorted(step.oldest_reader for step in steps)
    assert migrations.newest(database) == len(steps)


@pytest.mark.parametrize("database", ["postgres", "sqlite"])
def test_admission(database: str) -> None:
    """A program works with a newer schema that admits it, with none that does not, and never with an older one."""
    newest = migrations.newest(database)
    migrations.up_to_date(database, newest, newest)
    migrations.up_to_date(database, newest + 5, newest)
    with pytest.raises(NewerDatabase, match="upgrade"):
        migrations.up_to_date(database, newest + 5, newest + 1)
    with pytest.raises(StoreUnavailable, match="migrate"):
        migrations.up_to_date(database, newest - 1, 1)
