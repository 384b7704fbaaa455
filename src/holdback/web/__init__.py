"""Holdback over HTTP: what a platform asks and reads, and the page behind a notice's freeze link."""
