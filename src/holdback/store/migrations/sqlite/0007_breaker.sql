-- oldest-reader: 1
--
-- The circuit breaker: what left to new destinations and from changed accounts (core/breaker.py), a row a transaction and later
-- a row an hour, in no back-up; and since when it holds exits. A program that does not know it neither counts nor holds.

CREATE TABLE flows (
    at                INTEGER NOT NULL,
    new_micro_usd     INTEGER NOT NULL,
    changed_micro_usd INTEGER NOT NULL
) STRICT;
CREATE INDEX flows_at ON flows (at);
ALTER TABLE status ADD COLUMN tripped_at INTEGER NOT NULL DEFAULT 0;
