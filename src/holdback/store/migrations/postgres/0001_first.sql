-- oldest-reader: 1
--
-- Text keys compare by bytes (COLLATE "C"): cheaper, the same order as SQLite's and Python's, and untouched by an
-- upgrade of the system's locale data. Binary columns hold sealed or hashed bytes that do not compress, so they are
-- EXTERNAL: no time is spent on trying.
--
-- Who may do what: the program needs SELECT on all tables; INSERT on all but schema_version; UPDATE on customers,
-- parts, notices, names, prices, platform_keys and status; DELETE on notices and answers. Let another role own the
-- tables and run `holdback migrate`, so that the program's role can neither change an entry nor drop the trigger below.

CREATE TABLE schema_version (
    version       integer PRIMARY KEY,
    oldest_reader integer NOT NULL,
    applied_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE status (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    reconciling boolean NOT NULL DEFAULT false
);
INSERT INTO status DEFAULT VALUES;

-- How the one writing statement fails as a whole when it finds that somebody else came first.
CREATE FUNCTION refuse_as_conflict(why text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RAISE serialization_failure USING MESSAGE = why;
END
$$;

-- A head of a few kB is rewritten by every decision. By default a row over 2 kB moves its head to the TOAST table, which
-- costs two more rows and an index entry each time; with this target it stays in the row up to a page. The fill factor
-- leaves room for the next version on the same page, which spares the index (a HOT update).
CREATE TABLE customers (
    account text COLLATE "C" PRIMARY KEY,
    version integer NOT NULL,
    seq     bigint NOT NULL,
    link    bytea NOT NULL,
    head    bytea NOT NULL,
    mac     bytea NOT NULL,
    key     bytea NOT NULL
) WITH (fillfactor = 60, toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE customers
    ALTER COLUMN link SET STORAGE PLAIN, ALTER COLUMN mac SET STORAGE PLAIN,
    ALTER COLUMN key SET STORAGE EXTERNAL, ALTER COLUMN head SET STORAGE EXTERNAL;

CREATE TABLE entries (
    account text COLLATE "C" NOT NULL,
    seq     bigint NOT NULL,
    body    bytea NOT NULL,
    link    bytea NOT NULL,
    PRIMARY KEY (account, seq)
);
ALTER TABLE entries
    ALTER COLUMN link SET STORAGE PLAIN, ALTER COLUMN body SET STORAGE EXTERNAL;

-- A statement trigger: an INSERT does not pay for it.
CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'entries are append-only';
END $$;
CREATE TRIGGER entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();

CREATE TABLE parts (
    account text COLLATE "C" NOT NULL,
    kind    text COLLATE "C" NOT NULL,
    name    text COLLATE "C" NOT NULL,
    alike   bytea NOT NULL,
    body    bytea NOT NULL,
    mac     bytea NOT NULL,
    PRIMARY KEY (account, kind, name)
) WITH (fillfactor = 80);
ALTER TABLE parts ALTER COLUMN mac SET STORAGE PLAIN, ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX parts_alike ON parts (account, alike, name) WHERE alike <> '';

CREATE TABLE notices (
    id           text COLLATE "C" PRIMARY KEY,
    account      text COLLATE "C" NOT NULL,
    seq          bigint NOT NULL,
    notice       text NOT NULL,
    contact      text NOT NULL,
    due_at       bigint NOT NULL,
    tries        integer NOT NULL,
    error        text NOT NULL,
    leased_until bigint NOT NULL DEFAULT 0,
    dead_at      bigint
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX notices_due ON notices (due_at) WHERE dead_at IS NULL;
CREATE INDEX notices_dead ON notices (dead_at) WHERE dead_at IS NOT NULL;

CREATE TABLE answers (
    caller      text COLLATE "C" NOT NULL,
    key         text COLLATE "C" NOT NULL,
    body_digest bytea NOT NULL,
    answer      bytea NOT NULL,
    at          bigint NOT NULL,
    PRIMARY KEY (caller, key)
);
ALTER TABLE answers ALTER COLUMN body_digest SET STORAGE PLAIN, ALTER COLUMN answer SET STORAGE EXTERNAL;
-- Rows arrive in order of time, so a summary of each page range finds the old ones at nearly no cost an insert.
CREATE INDEX answers_at ON answers USING brin (at) WITH (pages_per_range = 32, autosummarize = on);

CREATE TABLE names (
    name    bytea PRIMARY KEY,
    account text COLLATE "C" NOT NULL
);

CREATE TABLE prices (
    asset     text COLLATE "C" PRIMARY KEY,
    micro_usd bigint NOT NULL,
    at        bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE platform_keys (
    id         text COLLATE "C" PRIMARY KEY,
    digest     bytea NOT NULL,
    scopes     text[] NOT NULL,
    created_at bigint NOT NULL,
    retired_at bigint NOT NULL
);
