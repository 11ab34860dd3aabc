from __future__ import annotations

from tests.audit.machine import machine

__all__ = ["machine"]
