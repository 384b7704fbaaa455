-- oldest-reader: 1
--
-- When a server last added up what leaves, for the circuit breaker: decisions go by its age. A program that does not know it
-- decides as the breaker stood, and its looks count for none.
ALTER TABLE status ADD COLUMN looked_at INTEGER NOT NULL DEFAULT 0;
