"""The tables, one file each; a file is imported when a statement first names it."""
