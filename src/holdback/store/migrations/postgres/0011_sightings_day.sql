-- oldest-reader: 1
--
-- What several customers met is forgotten once it is old (`shared.kept_d`), in some rows at a time: they are found by this. The
-- program needs DELETE on the table. To make the index keeps writers waiting; on a large table make it first, by this
-- name, with CREATE INDEX CONCURRENTLY.
CREATE INDEX IF NOT EXISTS sightings_day ON sightings (day);
