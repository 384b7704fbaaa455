-- oldest-reader: 1
--
-- When a server that tells the platform of holds last said so: all programs write its messages then, whatever their own
-- settings. A program that does not know it goes by its own.
ALTER TABLE status ADD COLUMN hooked_at bigint NOT NULL DEFAULT 0;
