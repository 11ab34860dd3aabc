"""Functions of the C library that Python has no name for.

Importing ctypes takes longer than many a query (3 to 11 ms), so they are called by what lies
below it (0.7 ms).
"""

from __future__ import annotations

import os
from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Function = Callable[..., int]


@lru_cache
def function(name: str) -> Function | None:
    """The function ``name``, which returns an int; None where there is none.

    It takes integers of 32 bits, bytes, and what :func:`buffer` makes; see :func:`errno`.
    """
    try:
        import _ctypes

        class Function(_ctypes.CFuncPtr):
            _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
            _restype_ = _simple("i")

        library: Any = None  # all that this program is linked with
        made: Any = Function(_ctypes.dlsym(_ctypes.dlopen(library, os.RTLD_NOW), name))
    except (ImportError, AttributeError, OSError):
        return None
    return made  # type: ignore[no-any-return]


def errno() -> int:
    """The error of the last call that failed."""
    import _ctypes

    return _ctypes.get_errno()


def buffer(size: int) -> Any:
    """``size`` bytes for a function to write to; a buffer object."""
    import _ctypes

    class Buffer(_ctypes.Array):  # type: ignore[type-arg]
        _type_ = _simple("c")
        _length_ = size

    return Buffer()


def _simple(code: str) -> Any:
    """The type of one C value, as ctypes.c_int is ``i``."""
    import _ctypes

    base: Any = _ctypes._SimpleCData  # noqa: SLF001 (ctypes itself makes its types of this one)
    return type(base)(code, (base,), {"_type_": code})
