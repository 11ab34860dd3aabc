"""Saved queries, one .sql file each."""
