"""Base64 and digests of a text.

Source: osquery/sql/sqlite_encoding.cpp, osquery/sql/sqlite_hashing.cpp
"""

from __future__ import annotations

from sockql.functions import declaring
from sockql.osquery.functions.values import as_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from sockql.functions import Function
    from sockql.schema import Value

FUNCTIONS: Final[dict[str, Function]] = {}

_function = declaring(FUNCTIONS)

_PRINTABLE: Final = frozenset(range(0x20, 0x7F))


def _bytes(value: Value) -> bytes:
    return value if isinstance(value, bytes) else as_text(value).encode("utf-8", "surrogatepass")


@_function("select to_base64('sockql')", "c29ja3Fs")
def to_base64(value: Value) -> str | None:
    """The value in Base64, on one line; NULL for NULL."""
    if value is None:
        return None
    from binascii import b2a_base64

    return b2a_base64(_bytes(value), newline=False).decode()


@_function("select from_base64('c29ja3Fs')", "sockql")
def from_base64(text: Value) -> str | bytes | None:
    """What the Base64 stands for: text, or a blob where that is not UTF-8.

    Line ends in it are passed over, and ``=`` may be missing at its end.  What is not Base64 gives
    an empty text; NULL gives NULL.
    """
    if text is None:
        return None
    from binascii import Error, a2b_base64

    encoded = _bytes(text).replace(b"\r", b"").replace(b"\n", b"").rstrip(b"=")
    try:
        if encoded.translate(None, _ALPHABET):
            return ""
        decoded = a2b_base64(encoded + b"=" * (-len(encoded) % 4))
    except Error:
        return ""
    try:
        return decoded.decode()
    except UnicodeDecodeError:
        return decoded


_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


@_function("select conditional_to_base64('zürich')", "esO8cmljaA==")
def conditional_to_base64(value: Value) -> str | None:
    """The value in Base64 if any of its bytes is not a printable ASCII character, else as it is.

    NULL for NULL.
    """
    if value is None:
        return None
    return as_text(value) if _PRINTABLE.issuperset(_bytes(value)) else to_base64(value)


def _digest(algorithm: str, value: Value) -> str | None:
    if value is None:
        return None
    import hashlib

    return hashlib.new(algorithm, _bytes(value), usedforsecurity=False).hexdigest()


@_function("select md5('sockql')", "df9a8b338bb9258ea93b5e66c96f3684")
def md5(value: Value) -> str | None:
    """The MD5 digest of the value, in hexadecimal digits; NULL for NULL."""
    return _digest("md5", value)


@_function("select sha1('sockql')", "9726d0132dbb9cce61eb1cf2ba42971bec2f0205")
def sha1(value: Value) -> str | None:
    """The SHA-1 digest of the value, in hexadecimal digits; NULL for NULL."""
    return _digest("sha1", value)


@_function(
    "select sha256('sockql')", "dcc86200cddc524bc1b3058ab427936664b603ce3eb5d84c0c43ae7e30444d64"
)
def sha256(value: Value) -> str | None:
    """The SHA-256 digest of the value, in hexadecimal digits; NULL for NULL."""
    return _digest("sha256", value)
