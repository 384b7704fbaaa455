-- oldest-reader: 1
--
-- Counters that only have to outlive their pause: they are in no back-up, and nothing is lost but a delay.

CREATE TABLE attempts (
    key       BLOB PRIMARY KEY,
    failures  INTEGER NOT NULL,
    since     INTEGER NOT NULL,
    failed_at INTEGER NOT NULL,
    until     INTEGER NOT NULL,
    networks  INTEGER NOT NULL,
    account   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX attempts_until ON attempts (until) WHERE account = '';
CREATE INDEX attempts_due ON attempts (until) WHERE account <> '';
