-- oldest-reader: 1
--
-- What a batch hands over of each table, a row each: one array of rows costs the program a quarter of what an array for
-- each column does. They are types of their own, so that a column which a table gains later is none of an older
-- program's business; never alter one, add another. Everybody may use them, which is PostgreSQL's default.

CREATE TYPE given_customer AS (
    account text, expected bigint, version integer, seq bigint, link bytea, head bytea, mac bytea, key bytea
);
CREATE TYPE given_entry AS (account text, seq bigint, body bytea, link bytea);
CREATE TYPE given_part AS (account text, kind text, name text, alike bytea, body bytea, mac bytea);
CREATE TYPE given_notice AS (
    id text, account text, seq bigint, notice text, contact text, due_at bigint, tries integer, error text
);
CREATE TYPE given_answer AS (caller text, key text, body_digest bytea, answer bytea, at bigint);
CREATE TYPE given_name AS (name bytea, account text);
CREATE TYPE wanted_part AS (account text, kind text, name text);
CREATE TYPE wanted_alike AS (account text, alike bytea);
CREATE TYPE wanted_answer AS (caller text, key text);
