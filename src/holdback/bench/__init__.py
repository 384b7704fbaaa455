"""Benchmarks: one file each, each printing a ratio to something known, because bare numbers belong to one machine."""
