-- oldest-reader: 1
--
-- What several customers met is forgotten once it is old (`shared.kept_d`), in some rows at a time: they are found by this.
CREATE INDEX sightings_day ON sightings (day);
