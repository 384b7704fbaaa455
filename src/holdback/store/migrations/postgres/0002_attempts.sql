-- oldest-reader: 1
--
-- Counters that only have to outlive their pause: they are in no back-up, and nothing is lost but a delay. The program
-- needs SELECT, INSERT, UPDATE and DELETE on this table.

CREATE TABLE attempts (
    key       bytea PRIMARY KEY,
    failures  bigint NOT NULL,
    since     bigint NOT NULL,
    failed_at bigint NOT NULL,
    until     bigint NOT NULL,
    networks  bigint NOT NULL,
    account   text COLLATE "C" NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX attempts_until ON attempts (until) WHERE account = '';
CREATE INDEX attempts_due ON attempts (until) WHERE account <> '';
