"""Packs of queries, as osquery and Fleet write them: read, judged whether they apply, and run."""
