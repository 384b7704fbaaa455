-- oldest-reader: 1
--
-- What several customers meet (core/sharing.py), and lists of addresses that nobody is paid at. A program that does not
-- know these tables decides without them: upgrade all before you rely on them.  The program needs SELECT on all, INSERT on
-- all, UPDATE on lists and DELETE on listed.
CREATE TABLE sightings (
    key     bytea NOT NULL,
    day     bigint NOT NULL,
    account text COLLATE "C" NOT NULL,
    PRIMARY KEY (key, day, account)
);
CREATE TYPE given_sighting AS (key bytea, account text, day bigint);

-- Of a list the rows of one generation count: the next one is written beside it, and takes its place in one step.
CREATE TABLE lists (
    name       text COLLATE "C" PRIMARY KEY,
    version    text NOT NULL,
    at         bigint NOT NULL,
    key_id     integer NOT NULL,
    entries    bigint NOT NULL,
    generation uuid NOT NULL
);
CREATE TABLE listed (
    key        bytea NOT NULL,
    list       text COLLATE "C" NOT NULL,
    generation uuid NOT NULL,
    PRIMARY KEY (key, list, generation)
);
CREATE INDEX listed_generation ON listed (list, generation);
