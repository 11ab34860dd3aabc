"""Snapshots: tables of one instant in a file, queries over them, and what differs between two."""
