"""Files that queries are joined with: lists as temporary tables, databases attached for reading."""
