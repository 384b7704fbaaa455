-- oldest-reader: 1
--
-- What the platform is told of holds (core/hold_life.py). A program that does not know this table writes nothing into it:
-- what it holds meanwhile is found by polling. The program needs SELECT, INSERT, UPDATE and DELETE on it.

CREATE TABLE webhooks (
    id           text COLLATE "C" PRIMARY KEY,
    account      text COLLATE "C" NOT NULL,
    place        bigint NOT NULL,
    kind         text NOT NULL,
    which        text NOT NULL,
    until        bigint NOT NULL,
    due_at       bigint NOT NULL,
    tries        integer NOT NULL,
    error        text NOT NULL,
    try_at       bigint NOT NULL,
    leased_until bigint NOT NULL DEFAULT 0,
    dead_at      bigint
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX webhooks_due ON webhooks (try_at) WHERE dead_at IS NULL;
CREATE INDEX webhooks_order ON webhooks (account, due_at, place) WHERE dead_at IS NULL;
CREATE INDEX webhooks_dead ON webhooks (dead_at) WHERE dead_at IS NOT NULL;
CREATE TYPE given_webhook AS (
    id text, account text, place bigint, kind text, which text, until bigint, due_at bigint, tries integer,
    error text
);
