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

    #: Gives what the function returns, and errno.
    Function = Callable[..., "tuple[int, int]"]


@lru_cache
def function(name: str) -> Function | None:
    """The function ``name``, which returns an int; None where there is none.

    It takes integers of 32 bits, bytes, and what :func:`buffer` makes.
    """
    try:
        import _ctypes

        class Function(_ctypes.CFuncPtr):
            _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
            _restype_ = _simple("i")

        library: Any = None  # all that this program is linked with
        address = _ctypes.dlsym(_ctypes.dlopen(library, os.RTLD_NOW), name)
        made: Any = Function(address)
        errno = _ctypes.get_errno
    except (ImportError, AttributeError, OSError):
        return None

    def call(*arguments: Any) -> tuple[int, int]:
        result: int = made(*arguments)
        return result, errno() if result < 0 else 0

    return call


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
