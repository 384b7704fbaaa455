-- oldest-reader: 1
--
-- What waits for people, across customers: a read model of the heads (core/waiting.py), in no back-up. A program that does not
-- know this table leaves it behind; `holdback desk rebuild` makes it anew. The program needs SELECT, INSERT, UPDATE and
-- DELETE on this table.
CREATE TABLE desk (
    account   text COLLATE "C" NOT NULL,
    kind      text COLLATE "C" NOT NULL,
    id        text COLLATE "C" NOT NULL,
    opened_at bigint NOT NULL,
    due_at    bigint NOT NULL,
    wake_at   bigint NOT NULL,
    waits_for text COLLATE "C" NOT NULL,
    role      text COLLATE "C" NOT NULL,
    PRIMARY KEY (account, kind, id)
);
CREATE INDEX desk_queue ON desk (opened_at, account, kind, id);
CREATE INDEX desk_wake ON desk (wake_at) WHERE wake_at > 0;
CREATE TYPE given_waiting AS (
    account text, kind text, id text, opened_at bigint, due_at bigint, wake_at bigint, waits_for text, role text
);
CREATE TYPE given_done AS (account text, kind text, id text);
