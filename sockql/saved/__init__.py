"""Saved queries: SQL in files, each with a header that says what it is for."""
