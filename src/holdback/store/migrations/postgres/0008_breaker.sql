-- oldest-reader: 1
--
-- The circuit breaker: what left to new destinations and from changed accounts (core/breaker.py), a row a transaction and later
-- a row an hour, in no back-up; and since when it holds exits. A program that does not know it neither counts nor holds. The
-- program needs SELECT, INSERT and DELETE on the table.

CREATE TABLE flows (
    at                bigint NOT NULL,
    new_micro_usd     bigint NOT NULL,
    changed_micro_usd bigint NOT NULL
);
CREATE INDEX flows_at ON flows (at);
CREATE TYPE given_flow AS (at bigint, new_micro_usd bigint, changed_micro_usd bigint);
ALTER TABLE status ADD COLUMN tripped_at bigint NOT NULL DEFAULT 0;
