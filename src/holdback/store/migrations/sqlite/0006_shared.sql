-- oldest-reader: 1
--
-- What several customers meet (core/sharing.py), and lists of addresses that nobody is paid at. A program that does not
-- know these tables decides without them: upgrade all before you rely on them.

CREATE TABLE sightings (
    key     BLOB NOT NULL,
    day     INTEGER NOT NULL,
    account TEXT NOT NULL,
    PRIMARY KEY (key, day, account)
) STRICT, WITHOUT ROWID;

-- Of a list the rows of one generation count: the next one is written beside it, and takes its place in one step.
CREATE TABLE lists (
    name       TEXT PRIMARY KEY,
    version    TEXT NOT NULL,
    at         INTEGER NOT NULL,
    key_id     INTEGER NOT NULL,
    entries    INTEGER NOT NULL,
    generation TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE listed (
    key        BLOB NOT NULL,
    list       TEXT NOT NULL,
    generation TEXT NOT NULL,
    PRIMARY KEY (key, list, generation)
) STRICT, WITHOUT ROWID;
CREATE INDEX listed_generation ON listed (list, generation);
