"""Durable decisions a second, over HTTP, beside what the database itself can do with the same rows.

Server, load and database are processes of their own on one machine. Accounts carry a year of history. Of twenty
questions twelve are confirmed withdrawals to an old address (allowed, with a receipt), two confirmed ones to a
stranger (held) and six first asks (stepped up); every answer is durable before it is given: entry, state, parts,
notices and stored answer. A last run asks for orders, one decision each, as they are where nobody holds a lease.

The yardstick is `pgbench` in the same database and run: one statement a transaction that locks and reads the same rows
and writes rows of the same sizes. For SQLite it is a loop over the same rows in plain SQL, one transaction a question.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import asyncpg
import httpx
import msgspec

from holdback import wiring
from holdback.bench import accounts
from holdback.bench.load import PAIR, Plan, Seen
from holdback.bench.postgres import throwaway_cluster
from holdback.core.decide import advance
from holdback.core.decision import Context, Facts, PriceFact, Proof
from holdback.core.events import MINUTE, Actor, ActorKind
from holdback.core.policy import MICRO
from holdback.core.rules.asking import Request
from holdback.core.rules.exit import ExitRequest
from holdback.pair_index import PairIndex
from holdback.ports import Price, Wanted
from holdback.receipts import ReceiptKeys
from holdback.sealing import MasterKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from holdback.bench.postgres import Cluster
    from holdback.judging import Tools
    from holdback.ports import Store
    from holdback.wiring import Settings

CONNECTIONS: Final = 96
HALF_CONNECTIONS: Final = 32
CORE_ROUNDS: Final = 4_000
LOG_MB: Final = 768
"""How much of the database's log is written before its files are reused."""


class Size(NamedTuple):
    """How many accounts, and how long each run lasts, in seconds."""

    accounts: int
    warm_s: float
    run_s: float
    pgbench_s: int


FULL: Final = Size(100_000, 4, 15, 15)
QUICK: Final = Size(50_000, 2, 8, 6)


def measure(store: str, quick: bool, tell: Callable[[str], None]) -> dict[str, object]:  # noqa: FBT001 - the bench's one switch
    """Run the bench on one store; the figures of the issue's table, and what they rest on."""
    size = QUICK if quick else FULL
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="holdback-bench-")))
        cluster = stack.enter_context(throwaway_cluster()) if store == "postgres" else None
        url = cluster.create_database("bench") if cluster else f"sqlite:{place / 'bench.db'}"
        tell(f"measuring on {cluster or sqlite3.sqlite_version}")
        settings = wiring.settings_from(environment(url))
        tools = wiring.tools(settings)
        model = asyncio.run(prepared(settings, tools, size, tell))
        if cluster:
            asyncio.run(_worn_in(url))
        key = asked_of(url, settings, "keys", "add", "bench", "--scope", "ask")
        core_us = _core_us(tools, model)
        with server_on(url, settings, place) as port:
            tell("warming up")
            run = Run(port, key, size)
            run.load(size.warm_s, CONNECTIONS, 0)
            tell("at full load")
            full = run.load(size.run_s, CONNECTIONS, 0)
            rate = _rate(full)
            tell(f"{rate:.0f}/s; at half of that")
            half = run.load(size.run_s, HALF_CONNECTIONS, rate / 2)
            tell("orders, one decision each")
            asyncio.run(_fed(settings))
            runs = _Runs(full, half, run.load(size.run_s, CONNECTIONS, 0, orders=True))
        tell("the yardstick")
        widths = asyncio.run(_widths(settings))
        yardstick = _pgbench(cluster, url, size, widths) if cluster else _plain_sqlite(place, size, widths)
    return _figures(store, runs, yardstick, core_us, size)


class _Runs(NamedTuple):
    """What was measured at full load and at half of it, and with orders at full load."""

    full: Seen
    half: Seen
    orders: Seen


def _rate(seen: Seen) -> float:
    """Durable decisions a second."""
    return sum(seen.decisions.values()) / seen.seconds


def _figures(store: str, runs: _Runs, yardstick: float, core_us: float, size: Size) -> dict[str, object]:
    full, half, rate = runs.full, runs.half, _rate(runs.full)
    ordered = sorted(half.latencies_ms)
    return {
        "store": store,
        "decisions_per_s": round(rate),
        "p50_ms": ordered[len(ordered) // 2],
        "p99_ms": ordered[len(ordered) * 99 // 100],
        "pgbench_per_s" if store == "postgres" else "plain_sqlite_per_s": round(yardstick),
        "ratio": round(rate / yardstick, 3),
        "core_us_median": round(core_us, 1),
        "accounts": size.accounts,
        "decisions": full.decisions,
        "failures": full.failures + half.failures + runs.orders.failures,
        "half_load_per_s": round(len(half.latencies_ms) / half.seconds),
        "orders_per_s": round(_rate(runs.orders)),
        "orders_to_decisions": round(_rate(runs.orders) / rate, 3),
        "orders": runs.orders.decisions,
    }


def environment(url: str) -> dict[str, str]:
    """What a server of a bench is set up by: keys of its own, and everything else as it is by default."""
    return {
        "HOLDBACK_STORE": url,
        "HOLDBACK_MASTER_KEYS": MasterKeys.new_setting(),
        "HOLDBACK_RECEIPT_KEYS": ReceiptKeys.generate().to_json(),
    }


async def prepared(settings: Settings, tools: Tools, size: Size, tell: Callable[[str], None]) -> accounts.Model:
    """A filled store."""
    store = wiring.open_store(settings)
    try:
        await store.migrate()
        model = await accounts.fill(store, tools, size.accounts, lambda done: _milestone(done, tell))
    finally:
        await store.close()
    return model


_FILL_LOG: Final = (
    "SELECT count(pg_logical_emit_message(false, 'bench', repeat('x', 1000000))) FROM generate_series(1, $1)"
)


async def _fed(settings: Settings) -> None:
    """Let the feed say what orders are compared with, now."""
    store = wiring.open_store(settings)
    try:
        now = (await store.read([])).now
        index = PairIndex(PAIR, "60000", now, ((now // MINUTE, 500),))
        await store.put_prices([Price("BTC", accounts.PRICE, now), Price("USDT", MICRO, now), index.row()])
    finally:
        await store.close()


async def _worn_in(url: str) -> None:
    """Bring a new database to where one is that has run for days: tables vacuumed, files of its log there to be reused.

    A new log file is filled with zeros and synced before its first use, which holds up everybody for 0.1 s.
    """
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("VACUUM ANALYZE")
        await connection.execute(_FILL_LOG, LOG_MB)
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


def _milestone(done: int, tell: Callable[[str], None]) -> None:
    if done % 20_000 == 0:
        tell(f"{done} accounts written")


def _core_us(tools: Tools, model: accounts.Model) -> float:
    """The median of one allowed withdrawal through the core alone: judged, with consequences and the next state."""
    head = model.customer.head
    assert head is not None  # noqa: S101 - the model was lived
    now = head.at + 1000
    session = next(iter(head.sessions))
    action = ExitRequest("withdrawal", "BTC", "0.0004", None, model.key.seal_destination(accounts.ADDRESS), "bitcoin")
    context = Context(model.key.mac(f"device-{accounts.NAME}", field="device").hex())
    request = Request(action, accounts.NAME, Actor(ActorKind.OWNER, session=session), context)
    price = PriceFact("BTC", accounts.PRICE, now)
    took = []
    for step in range(CORE_ROUNDS):
        proof = Proof("totp", "a1-2", 1, 10**6 + step, b"d", now, right=True)
        facts = Facts(b"d", (proof,), price, clock_agrees=True, looked_at=now)
        began = time.perf_counter_ns()
        advance(model.customer, request, facts, tools.policy, now)
        took.append(time.perf_counter_ns() - began)
    return statistics.median(took) / 1000


def _command(url: str, settings: Settings) -> tuple[list[str], dict[str, str]]:
    """How to call the `holdback` command on this store, and its environment."""
    ours = {
        "HOLDBACK_STORE": url,
        "HOLDBACK_MASTER_KEYS": settings.master_keys,
        "HOLDBACK_RECEIPT_KEYS": settings.receipt_keys,
        "HOLDBACK_CHANNELS": "none",
        "HOLDBACK_CENTER_URL": settings.center_url,
    }
    theirs = {key: value for key, value in os.environ.items() if not key.startswith("HOLDBACK_")}
    return [sys.executable, "-m", "holdback"], theirs | ours


def asked_of(url: str, settings: Settings, *words: str) -> str:
    """What a `holdback` command prints."""
    command, environment = _command(url, settings)
    done = subprocess.run([*command, *words], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@contextmanager
def server_on(url: str, settings: Settings, place: Path) -> Iterator[int]:
    """A server process of its own, on a free port; it ends with the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command, environment = _command(url, settings)
    command += ["serve", "--port", str(port), *(["--workers", "2"] if url.startswith("postgres") else [])]
    with (place / "server.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            _wait_ready(server, port, place / "server.log")
            yield port
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait_ready(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + 30
    while server.poll() is None and time.monotonic() < until:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise RuntimeError(f"the server did not become ready:\n{log.read_text()[-2000:]}")


class Run:
    """Loads one server, each time with accounts that were not asked for lately."""

    def __init__(self, port: int, key: str, size: Size) -> None:
        """Load nothing yet."""
        self.port, self.key, self.size = port, key, size
        self.name, self.first = secrets.token_hex(4), 0

    def load(
        self, seconds: float, connections: int, rate: float, *, sign_ins: bool = False, orders: bool = False
    ) -> Seen:
        """One run of the load process; with sign-ins instead of decisions, its accounts are not used up."""
        plan = Plan(
            "127.0.0.1",
            self.port,
            self.key,
            self.name,
            self.size.accounts,
            self.first,
            connections,
            seconds,
            rate,
            accounts.SECRET,
            accounts.ADDRESS,
            sign_ins=sign_ins,
            orders=orders,
        )
        command = [sys.executable, "-m", "holdback.bench.load"]
        done = subprocess.run(command, input=msgspec.json.encode(plan), capture_output=True, check=True)
        seen = msgspec.json.decode(done.stdout, type=Seen)
        if not sign_ins:
            self.first = seen.next_account
        return seen


class _Widths(NamedTuple):
    """The sizes in bytes of what a decision writes, as the load has left it."""

    head: int
    entry: int
    answer: int
    part: int


async def _widths(settings: Settings) -> _Widths:
    store = wiring.open_store(settings)
    try:
        loaded = await store.read([Wanted("u0000000")])
        head = len(loaded.snapshots["u0000000"].head)
        entry = (await _last_entries(store))[-1]
        part = next(one for one in await store.parts("u0000000") if one.kind == "beneficiary")
    finally:
        await store.close()
    return _Widths(head, entry, 1_400, len(part.body))


async def _last_entries(store: Store) -> list[int]:
    return sorted(len(one.body) for one in await store.entries("u0000000", 0, 100))


_STATEMENT: Final = """\
\\set a random(0, {last})
\\set k random(1, 1000000000000)
WITH customer AS MATERIALIZED (
    SELECT * FROM customers WHERE account = 'u' || lpad((:a)::text, 7, '0') FOR NO KEY UPDATE
), part AS (
    SELECT p.* FROM parts p, customer c WHERE p.account = c.account AND p.kind = 'beneficiary'
), price AS (
    SELECT * FROM prices WHERE asset = 'BTC'
), answered AS (
    SELECT * FROM answers WHERE caller = 'pgbench' AND key = (:k)::text
), entry AS (
    INSERT INTO entries SELECT c.account, c.seq + 1, decode(repeat('ab', {entry}), 'hex'), c.link FROM customer c
), moved AS (
    UPDATE customers u SET seq = c.seq + 1, head = decode(repeat('cd', {head}), 'hex'), link = c.link, mac = c.mac
      FROM customer c WHERE u.account = c.account
), renewed AS (
    UPDATE parts u SET body = decode(repeat('ef', {part}), 'hex'), mac = p.mac
      FROM part p WHERE u.account = p.account AND u.kind = p.kind AND u.name = p.name
)
INSERT INTO answers
VALUES ('pgbench', (:k)::text, decode(repeat('01', 32), 'hex'), decode(repeat('02', {answer}), 'hex'), :a);
"""


def _pgbench(cluster: Cluster, url: str, size: Size, widths: _Widths) -> float:
    """Transactions a second of pgbench doing the same rows, one statement each, prepared, with as many clients."""
    with tempfile.TemporaryDirectory(prefix="holdback-pgbench-") as place:
        script = Path(place) / "decide.sql"
        script.write_text(_STATEMENT.format(last=size.accounts - 1, **widths._asdict()))
        command = [str(cluster.bin_dir / "pgbench"), "-n", "-M", "prepared", "-c", "32", "-j", "1"]
        command += ["-T", str(size.pgbench_s), "-f", str(script), url]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    line = next(one for one in done.stdout.splitlines() if one.startswith("tps"))
    return float(line.split("=")[1].split()[0])


def _plain_sqlite(place: Path, size: Size, widths: _Widths) -> float:
    """Transactions a second of plain SQL on the same file and rows: WAL, synchronous FULL, one question each."""
    connection = sqlite3.connect(place / "bench.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    until, done = time.monotonic() + size.pgbench_s, 0
    head, entry, answer = os.urandom(widths.head), os.urandom(widths.entry), os.urandom(widths.answer)
    began = time.monotonic()
    while time.monotonic() < until:
        account = f"u{done * 7919 % size.accounts:07}"
        connection.execute("BEGIN IMMEDIATE")
        row = connection.execute("SELECT seq, link, head FROM customers WHERE account = ?", (account,)).fetchone()
        connection.execute("SELECT * FROM parts WHERE account = ? AND kind = 'beneficiary'", (account,)).fetchall()
        connection.execute("SELECT * FROM prices WHERE asset = 'BTC'").fetchall()
        connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?)", (account, row[0] + 1, entry, row[1]))
        connection.execute("UPDATE customers SET seq = seq + 1, head = ? WHERE account = ?", (head, account))
        connection.execute(
            "UPDATE parts SET body = ? WHERE account = ? AND kind = 'beneficiary'", (head[: widths.part], account)
        )
        connection.execute("INSERT INTO answers VALUES ('plain', ?, ?, ?, ?)", (str(done), head[:32], answer, done))
        connection.execute("COMMIT")
        done += 1
    connection.close()
    return done / (time.monotonic() - began)
