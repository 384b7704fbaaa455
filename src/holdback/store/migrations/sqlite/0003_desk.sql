-- oldest-reader: 1
--
-- What waits for people, across customers: a read model of the heads (core/waiting.py), in no back-up. A program that does not
-- know this table leaves it behind; `holdback desk rebuild` makes it anew.

CREATE TABLE desk (
    account   TEXT NOT NULL,
    kind      TEXT NOT NULL,
    id        TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    due_at    INTEGER NOT NULL,
    wake_at   INTEGER NOT NULL,
    waits_for TEXT NOT NULL,
    role      TEXT NOT NULL,
    PRIMARY KEY (account, kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX desk_queue ON desk (opened_at, account, kind, id);
CREATE INDEX desk_wake ON desk (wake_at) WHERE wake_at > 0;
