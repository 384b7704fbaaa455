"""Stores: one file a database, numbered SQL migrations, and one contract-test suite for all (design section 6)."""
