"""What every test gets: no network beyond this machine, chance that repeats itself, and a PostgreSQL if asked for."""

from __future__ import annotations

import ipaddress
import sys
from itertools import count
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import settings

from holdback.bench.postgres import throwaway_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdback.bench.postgres import Cluster

# No deadline: the machine may be shared, and slowness is for benchmarks to judge. `pytest --hypothesis-profile=long`
# searches where no run has searched before; what it finds becomes an @example.
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("long", max_examples=10_000, deadline=None, print_blob=True)
settings.load_profile("ci")

NAMES_OF_THIS_MACHINE: Final = {None, "", "localhost"}


def _no_network(event: str, details: tuple[object, ...]) -> None:
    """Refuse every connection and look-up that leaves this machine, before a packet is sent.

    An audit hook, as it also sees what libraries do underneath. uvloop's own sockets escape it.
    """
    if event == "socket.getaddrinfo":
        host = details[0]
    elif event in {"socket.connect", "socket.sendto"} and isinstance(details[1], tuple):
        host = details[1][0]
    else:
        return
    if isinstance(host, bytes):
        host = host.decode(errors="replace")
    if host in NAMES_OF_THIS_MACHINE:
        return
    try:
        here = ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        here = False
    if not here:
        message = f"a test reached for {host!r}; only this machine may be spoken to"
        raise PermissionError(message)


sys.addaudithook(_no_network)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server, started when the first test asks for it."""
    with throwaway_cluster(fsync=False) as started:
        yield started


_numbers = count(1)


@pytest.fixture
def postgres_dsn(cluster: Cluster) -> str:
    """The address of a new, empty database."""
    return cluster.create_database(f"test_{next(_numbers)}")
