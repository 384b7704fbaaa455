-- oldest-reader: 1
--
-- One file has one owner: protect it, its -wal and its -shm with the permissions of the file (0600) and its folder.

CREATE TABLE schema_version (
    version       INTEGER PRIMARY KEY,
    oldest_reader INTEGER NOT NULL,
    applied_at    TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
) STRICT;

CREATE TABLE status (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    reconciling INTEGER NOT NULL
) STRICT;
INSERT INTO status VALUES (1, 0);

CREATE TABLE customers (
    account TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    link    BLOB NOT NULL,
    head    BLOB NOT NULL,
    mac     BLOB NOT NULL,
    key     BLOB NOT NULL
) STRICT;

CREATE TABLE entries (
    account TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    body    BLOB NOT NULL,
    link    BLOB NOT NULL,
    PRIMARY KEY (account, seq)
) STRICT;
CREATE TRIGGER entries_not_changed BEFORE UPDATE ON entries
BEGIN
    SELECT RAISE(ABORT, 'entries are append-only');
END;
CREATE TRIGGER entries_not_deleted BEFORE DELETE ON entries
BEGIN
    SELECT RAISE(ABORT, 'entries are append-only');
END;

CREATE TABLE parts (
    account TEXT NOT NULL,
    kind    TEXT NOT NULL,
    name    TEXT NOT NULL,
    alike   BLOB NOT NULL,
    body    BLOB NOT NULL,
    mac     BLOB NOT NULL,
    PRIMARY KEY (account, kind, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX parts_alike ON parts (account, alike, name) WHERE alike <> x'';

CREATE TABLE notices (
    id           TEXT PRIMARY KEY,
    account      TEXT NOT NULL,
    seq          INTEGER NOT NULL,
    notice       TEXT NOT NULL,
    contact      TEXT NOT NULL,
    due_at       INTEGER NOT NULL,
    tries        INTEGER NOT NULL,
    error        TEXT NOT NULL,
    leased_until INTEGER NOT NULL DEFAULT 0,
    dead_at      INTEGER
) STRICT;
CREATE INDEX notices_due ON notices (due_at) WHERE dead_at IS NULL;
CREATE INDEX notices_dead ON notices (dead_at) WHERE dead_at IS NOT NULL;

CREATE TABLE answers (
    caller      TEXT NOT NULL,
    key         TEXT NOT NULL,
    body_digest BLOB NOT NULL,
    answer      BLOB NOT NULL,
    at          INTEGER NOT NULL,
    PRIMARY KEY (caller, key)
) STRICT;
CREATE INDEX answers_at ON answers (at);

CREATE TABLE names (
    name    BLOB PRIMARY KEY,
    account TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE prices (
    asset     TEXT PRIMARY KEY,
    micro_usd INTEGER NOT NULL,
    at        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE platform_keys (
    id         TEXT PRIMARY KEY,
    digest     BLOB NOT NULL,
    scopes     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    retired_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
