"""``python -m sockql``."""

from __future__ import annotations

from sockql.cli import run

run()
