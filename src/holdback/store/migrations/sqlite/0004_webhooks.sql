-- oldest-reader: 1
--
-- What the platform is told of holds (core/hold_life.py). A program that does not know this table writes nothing into it:
-- what it holds meanwhile is found by polling.

CREATE TABLE webhooks (
    id           TEXT PRIMARY KEY,
    account      TEXT NOT NULL,
    place        INTEGER NOT NULL,
    kind         TEXT NOT NULL,
    which        TEXT NOT NULL,
    until        INTEGER NOT NULL,
    due_at       INTEGER NOT NULL,
    tries        INTEGER NOT NULL,
    error        TEXT NOT NULL,
    try_at       INTEGER NOT NULL,
    leased_until INTEGER NOT NULL DEFAULT 0,
    dead_at      INTEGER
) STRICT;
CREATE INDEX webhooks_due ON webhooks (try_at) WHERE dead_at IS NULL;
CREATE INDEX webhooks_order ON webhooks (account, due_at, place) WHERE dead_at IS NULL;
CREATE INDEX webhooks_dead ON webhooks (dead_at) WHERE dead_at IS NOT NULL;
