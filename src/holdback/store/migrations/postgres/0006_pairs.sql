-- oldest-reader: 1
--
-- Pairs are kept beside the prices of assets: their reference and how far they swing.
ALTER TABLE prices ADD COLUMN detail text NOT NULL DEFAULT '';
