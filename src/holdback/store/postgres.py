"""The production store: PostgreSQL 15 or newer through asyncpg, with hand-written SQL.

Load and write are one statement each whatever the size of the batch. A batch costs two round trips when nobody else
writes its customers meanwhile: a load without locks, and a write that commits by itself if no head has moved since. One
that has met somebody takes locks and costs four, two of which hold them.
"""

# ruff: noqa: S608 - what is put into statements are this file's own constants; values are always bound

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

import asyncpg

from holdback.core.events import HOUR
from holdback.core.ledger import Entry
from holdback.ports import (
    SIGHTINGS_MOST,
    SMALL_BOOK,
    STALE_MS,
    Answer,
    Attempts,
    Conflict,
    DeskRow,
    FlowRow,
    KeyRow,
    ListedRow,
    ListRow,
    Loaded,
    NoticeRow,
    PartRow,
    Price,
    Sighting,
    Snapshot,
    StoreUnavailable,
    WebhookRow,
    Writes,
)
from holdback.store import migrations
from holdback.store.attempt import Attempt
from holdback.store.connections import Connections
from holdback.store.records import (
    ALIKE_LIMIT,
    FORMAT,
    Header,
    Hook,
    Letter,
    Name,
    Packer,
    Unpacker,
    ages,
    grouped,
    named,
    newest_prices,
    plan,
    seen,
    settled,
    small_books,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence

    from holdback.core.events import Instant
    from holdback.ports import Transaction, Wanted
    from holdback.store.connections import Connection
    from holdback.store.records import Row


_DRIVERS_ERRORS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)

_MIGRATING: Final = 0x486F6C646261636B
"""The advisory lock of migrations: "Holdback" as a number."""

_FILL_ROWS: Final = 2_000
"""Rows sent at once while a back-up is restored."""

_FORGET_ROWS: Final = 2_000
"""Stored answers deleted in one transaction: a day's arrears must not be one long one."""

_TIMEOUTS: Final = ("statement_timeout", "idle_in_transaction_session_timeout")

_MS: Final = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

_NEVER: Final = 2**63 - 1
"""An instant that no clock reaches."""

_CUSTOMER, _PART, _PRICE, _ANSWER, _STATUS, _BOOK, _SIGHTING, _LISTED, _LIST = range(9)


_SHARED: Final = f"""UNION ALL
SELECT {_SIGHTING}, s.account, NULL, NULL, s.day, s.first_day, NULL, w.key, NULL, NULL, NULL
  FROM unnest($7::bytea[]) w (key) CROSS JOIN LATERAL (
    SELECT f.day AS first_day, n.day, n.account
      FROM (SELECT day FROM sightings WHERE key = w.key ORDER BY day, account LIMIT 1) f,
           (SELECT day, account FROM sightings WHERE key = w.key ORDER BY day DESC, account DESC
             LIMIT {SIGHTINGS_MOST}) n) s
UNION ALL
SELECT {_LISTED}, l.name, NULL, NULL, NULL, NULL, NULL, w.key, NULL, NULL, NULL
  FROM unnest($7::bytea[]) w (key) CROSS JOIN lists l CROSS JOIN LATERAL (
    SELECT FROM listed d WHERE d.key = w.key AND d.list = l.name AND d.generation = l.generation LIMIT 1) d
UNION ALL
SELECT {_LIST}, l.name, l.version, NULL, l.at, l.entries, l.key_id, NULL, NULL, NULL, NULL
  FROM lists l WHERE cardinality($7::bytea[]) > 0
"""
"""What several customers meet, and lists: the part of a load that is not about the customers in it."""


def _load(lock: str) -> str:
    """One statement for all that a batch wants; the first column says what a row is.

    `seen.seq` is what this statement's snapshot holds of a row that may have been waited for. The clock is read
    last, for it must not be earlier than the transactions that were waited for. A LIMIT in a lateral part keeps the
    planner from turning the join round, as it would if it met the table empty.
    """
    return f"""
WITH customer AS MATERIALIZED (
    SELECT * FROM customers WHERE account = ANY($1::text[]) ORDER BY account {lock}
)
SELECT {_CUSTOMER}, c.account, NULL::text, NULL::text, c.version::bigint, c.seq, seen.seq,
       c.link, c.head, c.mac, c.key
  FROM customer c CROSS JOIN LATERAL (SELECT seq FROM customers s WHERE s.account = c.account LIMIT 1) seen
UNION ALL
SELECT {_PART}, p.account, p.kind, p.name, NULL, NULL, NULL, p.alike, p.body, p.mac, NULL
  FROM unnest($2::wanted_part[]) w CROSS JOIN LATERAL (
    SELECT * FROM parts p WHERE p.account = w.account AND p.kind = w.kind AND p.name = w.name LIMIT 1) p
UNION ALL
SELECT {_PART}, p.account, p.kind, p.name, NULL, NULL, NULL, p.alike, p.body, p.mac, NULL
  FROM unnest($3::wanted_alike[]) w CROSS JOIN LATERAL (
    SELECT * FROM parts p WHERE p.account = w.account AND p.alike = w.alike AND p.alike <> ''
     ORDER BY p.name LIMIT {ALIKE_LIMIT}) p
UNION ALL
SELECT {_PRICE}, p.asset, p.detail, NULL, p.micro_usd, p.at, NULL, NULL, NULL, NULL, NULL
  FROM prices p WHERE p.asset = ANY($4::text[])
UNION ALL
SELECT {_ANSWER}, a.caller, a.key, NULL, a.at, NULL, NULL, a.body_digest, a.answer, NULL, NULL
  FROM unnest($5::wanted_answer[]) w CROSS JOIN LATERAL (
    SELECT * FROM answers a WHERE a.caller = w.caller AND a.key = w.key LIMIT 1) a
UNION ALL
SELECT {_BOOK}, p.account, p.kind, p.name, NULL, NULL, NULL, p.alike, p.body, p.mac, NULL
  FROM unnest($6::text[]) w (account) CROSS JOIN LATERAL (
    SELECT * FROM parts p WHERE p.account = w.account LIMIT {SMALL_BOOK + 1}) p
{_SHARED}UNION ALL
SELECT {_STATUS}, s.tripped_at::text, s.hooked_at::text, s.looked_at::text, {_MS}, s.reconciling::int, v.oldest_reader,
       NULL, NULL, NULL, NULL
  FROM (SELECT count(*) FROM customer) locked, status s,
       (SELECT max(oldest_reader) AS oldest_reader FROM schema_version) v
"""


_READ: Final = _load("")
_LOCK: Final = _load("FOR NO KEY UPDATE")

_WRITING: Final = f"""
WITH given AS MATERIALIZED (
    SELECT * FROM unnest($1::given_customer[])
), moved AS (
    UPDATE customers c
       SET version = g.version, seq = g.seq, link = g.link, head = g.head, mac = g.mac, key = g.key
      FROM given g CROSS JOIN LATERAL (
        SELECT ctid FROM customers s WHERE s.account = g.account AND s.seq = g.expected LIMIT 1) s
     WHERE c.ctid = s.ctid AND c.seq = g.expected AND g.expected > 0
    RETURNING 1
), made AS (
    INSERT INTO customers (account, version, seq, link, head, mac, key)
    SELECT account, version, seq, link, head, mac, key FROM given WHERE expected = 0
    ON CONFLICT DO NOTHING RETURNING 1
), entry AS (
    INSERT INTO entries (account, seq, body, link) SELECT * FROM unnest($2::given_entry[])
), part AS (
    INSERT INTO parts (account, kind, name, alike, body, mac) SELECT * FROM unnest($3::given_part[])
    ON CONFLICT (account, kind, name) DO UPDATE
       SET alike = excluded.alike, body = excluded.body, mac = excluded.mac
), notice AS (
    INSERT INTO notices (id, account, seq, notice, contact, due_at, tries, error)
    SELECT * FROM unnest($4::given_notice[])
), answer AS (
    INSERT INTO answers (caller, key, body_digest, answer, at) SELECT * FROM unnest($5::given_answer[])
), named AS (
    INSERT INTO names AS n (name, account) SELECT * FROM unnest($6::given_name[])
    ON CONFLICT (name) DO UPDATE SET account = n.account WHERE n.account = excluded.account
    RETURNING 1
), gone AS (
    DELETE FROM notices WHERE id = ANY($7::text[])
){{more}}
SELECT CASE WHEN (SELECT count(*) FROM moved) + (SELECT count(*) FROM made) < cardinality($1::given_customer[])
            THEN refuse_as_conflict('a head moved, or an account exists already')
            WHEN (SELECT count(*) FROM named) < cardinality($6::given_name[])
            THEN refuse_as_conflict('a sign-in name belongs to another account')
            WHEN $8::bigint < coalesce($9::bigint, {_MS})
            THEN refuse_as_conflict('what it was judged by is too old') END
"""

_WRITE: Final = _WRITING.replace("{more}", "")
_WRITE_MORE: Final = _WRITING.replace(
    "{more}",
    """, waits AS (
    INSERT INTO desk (account, kind, id, opened_at, due_at, wake_at, waits_for, role)
    SELECT * FROM unnest($10::given_waiting[])
    ON CONFLICT (account, kind, id) DO UPDATE
       SET opened_at = excluded.opened_at, due_at = excluded.due_at, wake_at = excluded.wake_at,
           waits_for = excluded.waits_for, role = excluded.role
), waits_no_more AS (
    DELETE FROM desk d USING unnest($11::given_done[]) g
     WHERE d.account = g.account AND d.kind = g.kind AND d.id = g.id
), hook AS (
    INSERT INTO webhooks (id, account, place, kind, which, until, due_at, tries, error, try_at)
    SELECT g.*, g.due_at FROM unnest($12::given_webhook[]) g
), seen AS (
    INSERT INTO sightings (key, account, day) SELECT * FROM unnest($13::given_sighting[])
    ON CONFLICT DO NOTHING
), flow AS (
    INSERT INTO flows (at, new_micro_usd, changed_micro_usd) SELECT * FROM unnest($14::given_flow[])
), breaker AS (
    UPDATE status SET tripped_at = $15 WHERE $15::bigint IS NOT NULL
)""",
)
"""The same with what waits for people, what the platform is told, and what several customers meet: few writes do."""

_DESK: Final = "account, kind, id, opened_at, due_at, wake_at, waits_for, role"
_WEBHOOK: Final = "id, account, place, kind, which, until, due_at, tries, error"
_NOTICE: Final = "id, account, seq, notice, contact, due_at, tries, error"

_CLAIM: Final = f"""
WITH clock AS MATERIALIZED (SELECT coalesce($3::bigint, {_MS}) AS now), due AS (
    SELECT id FROM notices
     WHERE dead_at IS NULL AND due_at <= (SELECT now FROM clock) AND leased_until <= (SELECT now FROM clock)
     ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE notices SET leased_until = (SELECT now FROM clock) + $2 WHERE id = ANY(ARRAY(SELECT id FROM due))
RETURNING {_NOTICE}
"""

_CLAIM_WEBHOOKS: Final = f"""
WITH clock AS MATERIALIZED (SELECT coalesce($3::bigint, {_MS}) AS now), due AS (
    SELECT w.id FROM webhooks w
     WHERE w.dead_at IS NULL AND w.try_at <= (SELECT now FROM clock) AND w.leased_until <= (SELECT now FROM clock)
       AND NOT EXISTS (SELECT FROM webhooks e WHERE e.account = w.account AND e.dead_at IS NULL
                          AND (e.due_at, e.place) < (w.due_at, w.place))
     ORDER BY w.try_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE webhooks SET leased_until = (SELECT now FROM clock) + $2 WHERE id = ANY(ARRAY(SELECT id FROM due))
RETURNING {_WEBHOOK}
"""

_FORGET_SIGHTINGS: Final = """
WITH gone AS (
    DELETE FROM sightings WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM sightings WHERE day >= $1 AND day < $2 LIMIT $3 FOR UPDATE SKIP LOCKED)) RETURNING 1
)
SELECT count(*) FROM gone
"""

_FOLD_FLOWS: Final = f"""
WITH gone AS (
    DELETE FROM flows WHERE at >= $1 AND at < $2 RETURNING *
)
INSERT INTO flows (at, new_micro_usd, changed_micro_usd)
SELECT at - at % {HOUR}, sum(new_micro_usd)::bigint, sum(changed_micro_usd)::bigint FROM gone GROUP BY 1
"""

_ATTEMPTS: Final = "key, failures, since, failed_at, until, networks, account"

_LOCK_ATTEMPTS: Final = f"""
INSERT INTO attempts AS a ({_ATTEMPTS}) SELECT k, 0, 0, 0, 0, 0, '' FROM unnest($1::bytea[]) k ORDER BY k
ON CONFLICT (key) DO UPDATE SET failures = a.failures
RETURNING {_ATTEMPTS}, coalesce($2::bigint, {_MS})
"""
"""Locks rows by writing them, so that one that is not there yet is locked too; a row of zeros stands for none."""

_PUT_ATTEMPTS: Final = f"""
WITH given AS MATERIALIZED (
    SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[])
                  g ({_ATTEMPTS})
), gone AS (
    DELETE FROM attempts a WHERE a.key = ANY($8::bytea[])
)
UPDATE attempts a SET failures = g.failures, since = g.since, failed_at = g.failed_at, until = g.until,
       networks = g.networks, account = g.account
  FROM given g WHERE a.key = g.key
"""

_PRICES: Final = """
INSERT INTO prices AS p (asset, micro_usd, at, detail)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[])
ON CONFLICT (asset) DO UPDATE SET micro_usd = excluded.micro_usd, at = excluded.at, detail = excluded.detail
 WHERE p.at <= excluded.at
"""

_KEYS: Final = "SELECT id, digest, scopes, created_at, retired_at FROM platform_keys ORDER BY id"
_KEY: Final = """
INSERT INTO platform_keys (id, digest, scopes, created_at, retired_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (id) DO UPDATE SET digest = excluded.digest, scopes = excluded.scopes, created_at = excluded.created_at,
    retired_at = excluded.retired_at
"""

_ADD_LISTED: Final = """
INSERT INTO listed (key, list, generation) SELECT k, $2, $3 FROM unnest($1::bytea[]) k ON CONFLICT DO NOTHING
"""
_LOCK_LIST: Final = "SELECT generation FROM lists WHERE name = $1 FOR UPDATE"
_PUT_LIST: Final = f"""
INSERT INTO lists (name, version, at, key_id, generation, entries)
SELECT $1, $2, coalesce($3::bigint, {_MS}), $4, $5, count(*) FROM listed WHERE list = $1 AND generation = $5
ON CONFLICT (name) DO UPDATE SET version = excluded.version, at = excluded.at, key_id = excluded.key_id,
       generation = excluded.generation, entries = excluded.entries
RETURNING name, version, at, key_id, entries
"""
_DROP_LISTED: Final = "DELETE FROM listed WHERE list = $1 AND generation = $2"

_LISTED_NOW: Final = """
SELECT d.key, d.list FROM listed d JOIN lists l ON l.name = d.list AND l.generation = d.generation
 ORDER BY d.key, d.list
"""

_DUMPS: Final[tuple[tuple[str, Callable[..., Row]], ...]] = (
    ("SELECT account, version, seq, link, head, mac, key FROM customers ORDER BY account", Snapshot),
    ("SELECT account, seq, body, link FROM entries ORDER BY account, seq", Entry),
    ("SELECT account, kind, name, alike, body, mac FROM parts ORDER BY account, kind, name", PartRow),
    (f"SELECT {_NOTICE}, dead_at FROM notices ORDER BY id", lambda *row: Letter(NoticeRow(*row[:-1]), row[-1])),
    ("SELECT caller, key, body_digest, answer, at FROM answers ORDER BY caller, key", Answer),
    ("SELECT name, account FROM names ORDER BY name", Name),
    ("SELECT asset, micro_usd, at, detail FROM prices ORDER BY asset", Price),
    (_KEYS, lambda *row: _key(row)),
    (
        f"SELECT {_WEBHOOK}, try_at, dead_at FROM webhooks ORDER BY id",
        lambda *row: Hook(WebhookRow(*row[:-2]), row[-2], row[-1]),
    ),
    ("SELECT name, version, at, key_id, entries FROM lists ORDER BY name", ListRow),
    (_LISTED_NOW, ListedRow),
    ("SELECT key, account, day FROM sightings ORDER BY key, account, day", Sighting),
)

_TABLES: Final[dict[type, tuple[str, tuple[str, ...]]]] = {
    Snapshot: ("customers", Snapshot._fields),
    Entry: ("entries", Entry._fields),
    PartRow: ("parts", PartRow._fields),
    Letter: ("notices", (*NoticeRow._fields, "dead_at")),
    Answer: ("answers", Answer._fields),
    Name: ("names", Name._fields),
    Price: ("prices", Price._fields),
    KeyRow: ("platform_keys", KeyRow._fields),
    Hook: ("webhooks", (*WebhookRow._fields, "try_at", "dead_at")),
    ListRow: ("lists", (*ListRow._fields, "generation")),
    ListedRow: ("listed", (*ListedRow._fields, "generation")),
    Sighting: ("sightings", Sighting._fields),
}

_RESTORED: Final = UUID(int=0)
"""The generation of every list in a restored store: there is one of each."""


class _Translated:
    """Turns the driver's errors into the port's; leaves bugs (a wrong statement, a wrong type) as they are."""

    def __enter__(self) -> None:
        """Nothing is to be made ready."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Raise the port's error in place of the driver's."""
        if isinstance(error, asyncpg.PostgresError):
            state = error.sqlstate or ""
            if state in {"23505", "40001", "40P01"}:
                # Without the driver's detail line, which names the key: who asks and what of may be personal.
                raise Conflict(error.args[0]) from error
            if state == "42P01":
                raise StoreUnavailable("the schema is missing: run `holdback migrate`") from error
            if state[:2] in {"08", "25", "28", "3D", "53", "55", "57", "58", "XX"}:
                raise StoreUnavailable(str(error)) from error
        elif isinstance(error, _DRIVERS_ERRORS) and not isinstance(error, asyncpg.DataError):
            raise StoreUnavailable(str(error) or type(error).__name__) from error


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[tuple[Any, ...]]:
    """Rows turned into the arrays that `unnest` wants."""
    return list(zip(*rows, strict=True)) if rows else [()] * width


def _key(row: Sequence[Any] | asyncpg.Record) -> KeyRow:
    """A platform key; the driver gives an array as a list."""
    return KeyRow(row[0], row[1], tuple(row[2]), row[3], row[4])


_WHOLE: Final = 5
"""Which of the arguments are the accounts that are read as a whole."""


def _arguments(wanted: Sequence[Wanted]) -> list[Sequence[Any]]:
    """The arguments of the load statement."""
    wants = plan(wanted)
    return [wants.accounts, wants.parts, wants.alikes, wants.assets, wants.answers, wants.whole, wants.shared]


def _loaded(rows: list[asyncpg.Record], whole: Iterable[str], clock: Callable[[], Instant] | None) -> Loaded | None:
    """Sort a load's rows. None if a row was waited for, so that the rest of the statement saw what was before it."""
    snapshots, parts, books, prices, answers = {}, [], [], {}, {}
    sightings, firsts, listed, lists, now, reconciling, since = [], {}, [], [], 0, 0, (0, 0, 0)
    for row in rows:
        kind, a, b, c, i, j, k, w, x, y, z = row
        if kind == _CUSTOMER:
            if j != k:
                return None
            snapshots[a] = Snapshot(a, i, j, w, x, y, z)
        elif kind == _PART:
            parts.append(PartRow(a, b, c, w, x, y))
        elif kind == _BOOK:
            books.append(PartRow(a, b, c, w, x, y))
        elif kind == _PRICE:
            prices[a] = Price(a, i, j, b)
        elif kind == _ANSWER:
            answers[a, b] = Answer(a, b, w, x, i)
        elif kind == _SIGHTING:
            sightings.append(Sighting(w, a, i))
            firsts[w] = j
        elif kind == _LISTED:
            listed.append((w, a))
        elif kind == _LIST:
            lists.append(ListRow(a, b, i, k, j))
        else:
            now, reconciling, since = i, j, (int(a), int(b), int(c))
            migrations.admit("postgres", k or 0)
    return Loaded(
        clock() if clock else now,
        snapshots,
        grouped([*books, *parts]),
        prices,
        answers,
        bool(reconciling),
        small_books(whole, books),
        seen(sightings, firsts),
        named(listed),
        tuple(sorted(lists)),
        *since,
    )


class _Transaction:
    """A transaction on one connection. `failed` is the first error, after which nothing may be committed."""

    def __init__(self, connection: Connection, clock: Callable[[], Instant] | None) -> None:
        self._connection = connection
        self._clock = clock
        self.failed: Exception | None = None

    async def load(self, wanted: Sequence[Wanted]) -> Loaded:
        """See ports.Transaction."""
        arguments = _arguments(wanted)
        with self._noting_failure():
            # In READ COMMITTED a statement that waits for a row lock gets that row's newest version, but sees the rest
            # as it was when it began. It holds the locks now, so a second one sees all of it as it is.
            loaded = None
            while loaded is None:
                loaded = _loaded(await self._connection.fetch(_LOCK, *arguments), arguments[_WHOLE], self._clock)
            return loaded

    async def write(self, writes: Writes) -> None:
        """See ports.Transaction."""
        with self._noting_failure():
            await _write(self._connection, settled(writes), until=_NEVER, now=0)

    def check(self) -> None:
        """Raise what failed before, also where the block has swallowed it."""
        if self.failed is not None:
            raise self.failed

    @contextmanager
    def _noting_failure(self) -> Iterator[None]:
        self.check()
        try:
            with _Translated():
                yield
        except Exception as error:
            self.failed = self.failed or error
            raise


async def _read(connection: Connection, clock: Callable[[], Instant] | None, wanted: Sequence[Wanted]) -> Loaded:
    """What a batch wants, as one snapshot."""
    arguments = _arguments(wanted)
    with _Translated():
        rows = await connection.fetch(_READ, *arguments)
    loaded = _loaded(rows, arguments[_WHOLE], clock)
    if loaded is None:  # pragma: no cover - both sides come from one snapshot
        raise AssertionError("a read saw two snapshots")
    return loaded


async def _write(connection: Connection, rows: Writes, *, until: Instant, now: Instant | None) -> None:
    """Write settled rows in one statement, which raises Conflict and keeps nothing if anybody came first.

    It does so too after `until` by the database's clock, or by `now` in place of it.
    """
    heads = [(s.account, expected, *s[1:]) for expected, s in rows.snapshots]
    given = (heads, rows.entries, rows.parts, rows.notices, rows.answers, rows.names)
    more = (rows.desk, rows.off_desk, rows.webhooks, rows.sightings, rows.flows)
    if any(more) or rows.tripped_at:
        tripped_at = rows.tripped_at[-1] if rows.tripped_at else None
        await connection.execute(_WRITE_MORE, *given, rows.sent, until, now, *more, tripped_at)
    else:
        await connection.execute(_WRITE, *given, rows.sent, until, now)


async def _write_alone(connection: Connection, clock: Callable[[], Instant] | None, rows: Writes) -> None:
    """Write settled rows as a transaction. Raises StoreUnavailable if it is not known to be durable."""
    try:
        with _Translated():
            until = rows.as_of + STALE_MS if rows.as_of else _NEVER
            await _write(connection, rows, until=until, now=clock() if clock else None)
    except Conflict:
        raise
    except BaseException:
        _abandon(connection)
        raise


class PostgresStore:
    """A store in one PostgreSQL database; as many processes as there are connections may share it.

    `dsn` is a libpq URI; unknown query parameters become settings of the session (`?search_path=tenant`). At most
    `pool_size` connections are held, two more while a back-up runs. `statement_timeout_ms` bounds each statement, the
    wait for a free connection, and how long a stalled program may keep its locks. `clock` (ms) replaces the
    database's. `lossy` accepts a server that acknowledges before it writes: for tests.
    """

    def __init__(
        self,
        dsn: str,
        pool_size: int = 10,
        statement_timeout_ms: int = 5_000,
        clock: Callable[[], Instant] | None = None,
        *,
        lossy: bool = False,
    ) -> None:
        """Connect to nothing yet."""
        self._lossy = lossy
        self._dsn = dsn
        self._timeout_s = statement_timeout_ms / 1000
        self._clock = clock
        self._connections = Connections(self._connect, pool_size, self._timeout_s)
        self._settings = {
            "application_name": "holdback",
            **dict.fromkeys(_TIMEOUTS, str(statement_timeout_ms)),
            # The statements are of one shape whatever the batch: a plan made once, by index, stays right, while one
            # made when a table was empty would scan it. Compiling them would cost more than running them.
            "plan_cache_mode": "force_generic_plan",
            "enable_seqscan": "off",
            "enable_hashjoin": "off",
            "enable_mergejoin": "off",
            "jit": "off",
        }

    async def migrate(self) -> int:
        """See ports.Store."""
        async with self._alone() as connection:
            with _Translated():
                async with connection.transaction():
                    return await _migrated(connection)

    async def check_schema(self) -> None:
        """See ports.Store."""
        rows = await self._fetch("SELECT max(version), max(oldest_reader) FROM schema_version")
        migrations.up_to_date("postgres", *rows[0])

    async def ready(self) -> None:
        """See ports.Store. A read-only standby is not ready, nor is one that acknowledges before it writes."""
        rows = await self._fetch(
            "SELECT max(version), max(oldest_reader), current_setting('transaction_read_only'),"
            " current_setting('synchronous_commit'), current_setting('fsync') FROM schema_version"
        )
        version, oldest, read_only, *durable = rows[0]
        migrations.up_to_date("postgres", version, oldest)
        if read_only == "on":
            raise StoreUnavailable("the database is read-only")
        if "off" in durable and not self._lossy:
            raise StoreUnavailable("synchronous_commit or fsync is off: what is acknowledged can be lost")

    @asynccontextmanager
    async def transaction(self, *, locks: bool = True) -> AsyncGenerator[Transaction]:
        """See ports.Store."""
        async with self._connection() as connection:
            if not locks:
                attempt = Attempt(
                    partial(_read, connection, self._clock), partial(_write_alone, connection, self._clock)
                )
                yield attempt
                await attempt.end()
                return
            with _Translated():
                await connection.execute("BEGIN")
            transaction = _Transaction(connection, self._clock)
            try:
                yield transaction
                transaction.check()
            except BaseException:
                await _roll_back(connection)
                raise
            await _commit(connection)

    async def read(self, wanted: Sequence[Wanted]) -> Loaded:
        """See ports.Store."""
        async with self._connection() as connection:
            return await _read(connection, self._clock, wanted)

    async def account_of(self, name: bytes) -> str | None:
        """See ports.Store."""
        rows = await self._fetch("SELECT account FROM names WHERE name = $1", name)
        return rows[0][0] if rows else None

    async def accounts(self, after: str, limit: int) -> list[str]:
        """See ports.Store."""
        sql = "SELECT account FROM customers WHERE account > $1 ORDER BY account LIMIT $2"
        return [row[0] for row in await self._fetch(sql, after, limit)]

    async def entries(self, account: str, after: int, limit: int) -> list[Entry]:
        """See ports.Store."""
        rows = await self._fetch(
            "SELECT account, seq, body, link FROM entries WHERE account = $1 AND seq > $2 ORDER BY seq LIMIT $3",
            account,
            after,
            limit,
        )
        return [Entry(*row) for row in rows]

    async def parts(self, account: str) -> list[PartRow]:
        """See ports.Store."""
        rows = await self._fetch(
            "SELECT account, kind, name, alike, body, mac FROM parts WHERE account = $1 ORDER BY kind, name", account
        )
        return [PartRow(*row) for row in rows]

    async def claim(self, limit: int, lease_ms: int) -> list[NoticeRow]:
        """See ports.Store."""
        rows = await self._fetch(_CLAIM, limit, lease_ms, self._now())
        return sorted((NoticeRow(*row) for row in rows), key=lambda notice: (notice.due_at, notice.id))

    async def postpone(self, id: str, due_at: Instant, error: str) -> None:  # noqa: A002 - the row's own name
        """See ports.Store."""
        await self._fetch(
            "UPDATE notices SET due_at = $2, error = $3, tries = tries + 1, leased_until = 0 WHERE id = $1",
            id,
            due_at,
            error,
        )

    async def bury(self, id: str, error: str) -> None:  # noqa: A002 - the row's own name
        """See ports.Store."""
        await self._fetch(
            "UPDATE notices SET error = $2, tries = tries + 1, leased_until = 0,"
            f" dead_at = coalesce($3::bigint, {_MS}) WHERE id = $1",
            id,
            error,
            self._now(),
        )

    async def dead_letters(self, limit: int) -> list[NoticeRow]:
        """See ports.Store."""
        rows = await self._fetch(
            f"SELECT {_NOTICE} FROM notices WHERE dead_at IS NOT NULL ORDER BY dead_at DESC, id DESC LIMIT $1", limit
        )
        return [NoticeRow(*row) for row in rows]

    async def revive(self, id: str) -> bool:  # noqa: A002 - the row's own name
        """See ports.Store."""
        rows = await self._fetch(
            f"UPDATE notices SET dead_at = NULL, tries = 0, due_at = coalesce($2::bigint, {_MS})"
            " WHERE id = $1 AND dead_at IS NOT NULL RETURNING 1",
            id,
            self._now(),
        )
        return bool(rows)

    async def claim_webhooks(self, limit: int, lease_ms: int) -> list[WebhookRow]:
        """See ports.Store."""
        rows = await self._fetch(_CLAIM_WEBHOOKS, limit, lease_ms, self._now())
        return sorted((WebhookRow(*row) for row in rows), key=attrgetter("due_at", "id"))

    async def webhook_sent(self, id: str) -> None:  # noqa: A002 - the row's own name
        """See ports.Store."""
        await self._fetch("DELETE FROM webhooks WHERE id = $1", id)

    async def postpone_webhook(self, id: str, try_at: Instant, error: str) -> None:  # noqa: A002 - the row's own name
        """See ports.Store."""
        sql = "UPDATE webhooks SET try_at = $2, error = $3, tries = tries + 1, leased_until = 0 WHERE id = $1"
        await self._fetch(sql, id, try_at, error)

    async def bury_webhook(self, id: str, error: str) -> None:  # noqa: A002 - the row's own name
        """See ports.Store."""
        sql = (
            "UPDATE webhooks SET error = $2, tries = tries + 1, leased_until = 0,"
            f" dead_at = coalesce($3::bigint, {_MS}) WHERE id = $1"
        )
        await self._fetch(sql, id, error, self._now())

    async def dead_webhooks(self, limit: int) -> list[WebhookRow]:
        """See ports.Store."""
        sql = f"SELECT {_WEBHOOK} FROM webhooks WHERE dead_at IS NOT NULL ORDER BY dead_at DESC, id DESC LIMIT $1"
        return [WebhookRow(*row) for row in await self._fetch(sql, limit)]

    async def revive_webhook(self, id: str) -> bool:  # noqa: A002 - the row's own name
        """See ports.Store."""
        sql = (
            f"UPDATE webhooks SET dead_at = NULL, tries = 0, try_at = coalesce($2::bigint, {_MS})"
            " WHERE id = $1 AND dead_at IS NOT NULL RETURNING 1"
        )
        return bool(await self._fetch(sql, id, self._now()))

    async def webhook_backlog(self) -> tuple[int, Instant]:
        """See ports.Store."""
        sql = (
            "SELECT count(*), coalesce(min(due_at), 0) FROM webhooks"
            f" WHERE dead_at IS NULL AND due_at <= coalesce($1::bigint, {_MS})"
        )
        rows = await self._fetch(sql, self._now())
        return rows[0][0], rows[0][1]

    async def say_hooked(self) -> None:
        """See ports.Store."""
        sql = f"UPDATE status SET hooked_at = greatest(hooked_at, coalesce($1::bigint, {_MS}))"
        await self._fetch(sql, self._now())

    async def say_looked(self) -> None:
        """See ports.Store."""
        await self._fetch(f"UPDATE status SET looked_at = coalesce($1::bigint, {_MS})", self._now())

    async def flows(self, since: Instant) -> list[FlowRow]:
        """See ports.Store."""
        rows = await self._fetch("SELECT at, new_micro_usd, changed_micro_usd FROM flows WHERE at >= $1", since)
        return [FlowRow(*row) for row in rows]

    async def flow_sums(self, since: Instant, step_ms: int) -> list[FlowRow]:
        """See ports.Store."""
        sql = (
            "SELECT at - at % $2::bigint, sum(new_micro_usd)::bigint, sum(changed_micro_usd)::bigint FROM flows"
            " WHERE at >= $1 GROUP BY 1 ORDER BY 1"
        )
        return [FlowRow(*row) for row in await self._fetch(sql, since, step_ms)]

    async def fold_flows(self, since: Instant, before: Instant) -> None:
        """See ports.Store."""
        await self._fetch(_FOLD_FLOWS, since, before)

    async def forget_flows(self, before: Instant) -> None:
        """See ports.Store."""
        await self._fetch("DELETE FROM flows WHERE at < $1", before)

    async def desk(self, role: str, after: tuple[Instant, str, str, str], limit: int) -> list[DeskRow]:
        """See ports.Store."""
        sql = (
            f"SELECT {_DESK} FROM desk WHERE (opened_at, account, kind, id) > ($1, $2, $3, $4)"
            " AND (role = $5 OR $5 = '') ORDER BY opened_at, account, kind, id LIMIT $6"
        )
        return [DeskRow(*row) for row in await self._fetch(sql, *after, role, limit)]

    async def ahead(self, row: DeskRow) -> int:
        """See ports.Store."""
        sql = (
            "SELECT count(*) FROM desk WHERE (opened_at, account, kind, id) < ($1, $2, $3, $4)"
            " AND kind = $5 AND waits_for = $6 AND role = $7"
        )
        rows = await self._fetch(sql, *row.place, row.kind, row.waits_for, row.role)
        return int(rows[0][0])

    async def desk_due(self, limit: int) -> list[DeskRow]:
        """See ports.Store."""
        sql = (
            f"SELECT {_DESK} FROM desk WHERE wake_at > 0 AND wake_at <= coalesce($1::bigint, {_MS})"
            " ORDER BY wake_at, account LIMIT $2"
        )
        return [DeskRow(*row) for row in await self._fetch(sql, self._now(), limit)]

    async def backlog(self) -> tuple[int, Instant]:
        """See ports.Store."""
        rows = await self._fetch(
            f"SELECT count(*), coalesce(min(due_at) FILTER (WHERE due_at <= coalesce($1::bigint, {_MS})), 0)"
            " FROM notices WHERE dead_at IS NULL",
            self._now(),
        )
        return rows[0][0], rows[0][1]

    async def put_prices(self, prices: Sequence[Price]) -> None:
        """See ports.Store."""
        await self._fetch(_PRICES, *_columns(newest_prices(prices), 4))

    async def put_sightings(self, sightings: Sequence[Sighting]) -> None:
        """See ports.Store."""
        await self._fetch(
            "INSERT INTO sightings (key, account, day) SELECT * FROM unnest($1::given_sighting[])"
            " ON CONFLICT DO NOTHING",
            sorted(set(sightings)),
        )

    async def forget_sightings(self, before: Instant, limit: int) -> int:
        """See ports.Store."""
        gone = 0
        for first, end in ages(before):
            gone += (await self._fetch(_FORGET_SIGHTINGS, first, end, limit - gone))[0][0]
        return gone

    async def put_list(self, row: ListRow, keys: AsyncIterator[Sequence[bytes]]) -> ListRow:
        """See ports.Store."""
        generation = uuid4()
        async with self._alone() as connection:
            try:
                async for some in keys:
                    with _Translated():
                        await connection.execute(_ADD_LISTED, sorted(set(some)), row.name, generation)
            except BaseException:
                with suppress(*_DRIVERS_ERRORS):
                    await connection.execute(_DROP_LISTED, row.name, generation)
                raise
            with _Translated():
                async with connection.transaction():
                    old = await connection.fetchval(_LOCK_LIST, row.name)
                    put = (row.name, row.version, self._now(), row.key_id, generation)
                    found = await connection.fetchrow(_PUT_LIST, *put)
                await connection.execute(_DROP_LISTED, row.name, old)
        return ListRow(*found or ())

    async def lists(self) -> list[ListRow]:
        """See ports.Store."""
        sql = "SELECT name, version, at, key_id, entries FROM lists ORDER BY name"
        return [ListRow(*row) for row in await self._fetch(sql)]

    async def keys(self) -> list[KeyRow]:
        """See ports.Store."""
        return [_key(row) for row in await self._fetch(_KEYS)]

    async def put_key(self, key: KeyRow) -> None:
        """See ports.Store."""
        await self._fetch(_KEY, *key)

    async def count_attempts(
        self, keys: Sequence[bytes], count: Callable[[Instant, Mapping[bytes, Attempts]], Sequence[Attempts]]
    ) -> None:
        """See ports.Store."""
        async with self._connection() as connection:
            with _Translated():
                await connection.execute("BEGIN")
            try:
                with _Translated():
                    asked = sorted(set(keys))
                    found = await connection.fetch(_LOCK_ATTEMPTS, asked, self._now())
                    rows = {row[0]: Attempts(*row[:7]) for row in found if row["failures"]}
                    counted = {row.key: row for row in count(max((row[7] for row in found), default=0), rows)}
                    kept = [row for row in counted.values() if row.failures]
                    gone = set(asked) - {row.key for row in kept} - (rows.keys() - counted.keys())
                    await connection.execute(_PUT_ATTEMPTS, *_columns(kept, 7), sorted(gone))
            except BaseException:
                await _roll_back(connection)
                raise
            await _commit(connection)

    async def attempts_due(self, limit: int) -> list[Attempts]:
        """See ports.Store."""
        sql = (
            f"SELECT {_ATTEMPTS} FROM attempts WHERE account <> '' AND until <= coalesce($1::bigint, {_MS})"
            " ORDER BY until, key LIMIT $2"
        )
        return [Attempts(*row) for row in await self._fetch(sql, self._now(), limit)]

    async def forget_attempts(self) -> int:
        """See ports.Store."""
        sql = f"DELETE FROM attempts WHERE account = '' AND until <= coalesce($1::bigint, {_MS}) RETURNING 1"
        return len(await self._fetch(sql, self._now()))

    async def forget_answers(self, before: Instant) -> int:
        """See ports.Store."""
        sql = "DELETE FROM answers WHERE ctid = ANY(ARRAY(SELECT ctid FROM answers WHERE at < $1 LIMIT $2))"
        gone, count = 0, _FORGET_ROWS
        async with self._alone() as connection:
            while count == _FORGET_ROWS:
                with _Translated():
                    done = await connection.execute(sql, before, _FORGET_ROWS)
                count = int(done.rpartition(" ")[2])
                gone += count
        return gone

    async def dump(self) -> AsyncIterator[bytes]:
        """See ports.Store."""
        packer = Packer()
        async with self._alone() as connection:
            with _Translated():
                await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                at = await connection.fetchval(f"SELECT coalesce($1::bigint, {_MS})", self._now())
            yield packer.pack(Header(FORMAT, at))
            for sql, made in _DUMPS:
                with _Translated():
                    cursor = await connection.cursor(sql)
                while True:
                    with _Translated():
                        rows = await cursor.fetch(_FILL_ROWS)
                    if not rows:
                        break
                    for found in rows:
                        yield packer.pack(made(*found))
            yield packer.end()

    async def fill(self, records: AsyncIterator[bytes]) -> int:
        """See ports.Store."""
        unpacker = Unpacker()
        async with self._alone() as connection:
            with _Translated():
                await connection.execute("BEGIN")
                await _empty(connection)
            waiting: list[Row] = []
            async for record in records:
                row = unpacker.unpack(record)
                if row is not None:
                    waiting.append(row)
                if len(waiting) == _FILL_ROWS:
                    await _copy(connection, waiting)
                    waiting.clear()
            await _copy(connection, waiting)
            rows = unpacker.finish()
            with _Translated():
                await connection.execute("UPDATE status SET reconciling = true")
            await _commit(connection)
            return rows

    async def set_reconciling(self, on: bool) -> None:  # noqa: FBT001 - the port's one flag
        """See ports.Store."""
        await self._fetch("UPDATE status SET reconciling = $1", on)

    async def close(self) -> None:
        """See ports.Store."""
        with _Translated():
            await self._connections.close()

    def _now(self) -> Instant | None:
        """What takes the place of the database's clock, if anything does."""
        return self._clock() if self._clock else None

    async def _fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """Run one statement, which commits by itself."""
        async with self._connection() as connection:
            with _Translated():
                return await connection.fetch(sql, *arguments)

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[Connection]:
        """A connection of those that are kept; one that an error may have left in the midst of something is not."""
        with _Translated():
            connection = await self._connections.take()
        sound = False
        try:
            yield connection
            sound = True
        except Conflict:
            sound = True
            raise
        finally:
            self._connections.give_back(connection, sound=sound)

    async def _connect(self) -> Connection:
        return await asyncpg.connect(
            self._dsn,
            timeout=self._timeout_s,
            command_timeout=2 * self._timeout_s,
            max_cached_statement_lifetime=0,
            server_settings=self._settings,
        )

    @asynccontextmanager
    async def _alone(self) -> AsyncGenerator[Connection]:
        """A connection of its own for rare and long work, bound by no time-out."""
        settings = {"application_name": "holdback", **dict.fromkeys(_TIMEOUTS, "0")}
        with _Translated():
            connection = await asyncpg.connect(self._dsn, timeout=self._timeout_s, server_settings=settings)
        try:
            yield connection
        finally:
            with suppress(*_DRIVERS_ERRORS):
                await connection.close(timeout=self._timeout_s)


async def _migrated(connection: Connection) -> int:
    """Apply what is missing, once however many processes try, and say which version that gives."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _MIGRATING)
    version = 0
    if await connection.fetchval("SELECT to_regclass('schema_version')"):
        row = await connection.fetchrow("SELECT max(version), max(oldest_reader) FROM schema_version")
        version, oldest = row or (0, 0)
        migrations.admit("postgres", oldest)
    for step in migrations.migrations("postgres")[version:]:
        await connection.execute(step.sql)
        await connection.execute(
            "INSERT INTO schema_version (version, oldest_reader) VALUES ($1, $2)", step.version, step.oldest_reader
        )
        version = step.version
    return version


async def _commit(connection: Connection) -> None:
    """Raises StoreUnavailable if the transaction is not known to be durable."""
    try:
        with _Translated():
            done = await connection.execute("COMMIT")
    except BaseException:
        _abandon(connection)
        raise
    if done != "COMMIT":
        raise StoreUnavailable("the server rolled the transaction back")


async def _roll_back(connection: Connection) -> None:
    """Give up a transaction; the error that is being raised matters more than one of the driver's here."""
    try:
        await connection.execute("ROLLBACK")
    except BaseException as error:
        _abandon(connection)
        if not isinstance(error, _DRIVERS_ERRORS):
            raise


def _abandon(connection: Connection) -> None:
    """Close a connection of which nothing is known; the server then ends its transaction."""
    connection.terminate()


async def _empty(connection: Connection) -> None:
    """Keep everybody else from writing. Raises ValueError if there is a row."""
    tables = [table for table, _ in _TABLES.values()]
    await connection.execute(f"LOCK TABLE {', '.join(tables)} IN EXCLUSIVE MODE")
    for table in tables:
        if await connection.fetchval(f"SELECT EXISTS (SELECT FROM {table})"):
            raise ValueError(f"the store is not empty: {table} has rows")


async def _copy(connection: Connection, rows: list[Row]) -> None:
    """Add rows of a back-up by COPY."""
    for kind, (table, columns) in _TABLES.items():
        given = [_values(row) for row in rows if isinstance(row, kind)]
        if given:
            with _Translated():
                await connection.copy_records_to_table(table, records=given, columns=columns)


def _values(row: Row) -> tuple[Any, ...]:
    """A row of a back-up as the values of its table's columns."""
    if isinstance(row, Hook):
        return (*row.message, row.try_at, row.dead_at)
    if isinstance(row, ListRow | ListedRow):
        return (*row, _RESTORED)
    return (*row.notice, row.dead_at) if isinstance(row, Letter) else row
