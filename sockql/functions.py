"""The SQL functions, each declared once: the Python function is name, arguments and documentation.

All of them answer NULL when an argument is NULL, and raise :class:`QueryError` for an argument
that can only be a mistake.
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_pton
from functools import lru_cache

from sockql.errors import QueryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable
    from typing import Any, Final, TypeVar

    import apsw

    from sockql.schema import Value

    Call = TypeVar("Call", bound=Callable[..., Any])

_MAPPED: Final = 0xFFFF << 32  # ::ffff:0:0, RFC 4291 section 2.5.5.2
_QUOTED: Final = 80  # characters of a wrong argument in its message
_UIDS: Final = range((1 << 32) - 1)  # (uid_t) -1 is "no user"

#: Where the names of services are; openSUSE keeps the vendor's file in /usr/etc.
SERVICES: Final = ("/etc/services", "/usr/etc/services")


_VARIADIC: Final = 4  # CO_VARARGS of inspect, which itself is too dear to import


class Function:
    """A scalar SQL function: how it is called, what it says of itself, and an example.

    ``example`` is a whole statement, ``result`` the value it gives everywhere.  The arguments
    after the first ``least`` may be left out; ``variadic`` says that any number may follow them.
    """

    __slots__ = ("arguments", "call", "doc", "example", "least", "name", "result", "variadic")

    def __init__(self, call: Callable[..., Value], example: str, result: Value) -> None:
        code = call.__code__
        self.call = call
        self.name = call.__name__
        self.arguments: tuple[str, ...] = code.co_varnames[: code.co_argcount]
        self.least = code.co_argcount - len(call.__defaults__ or ())
        self.variadic = bool(code.co_flags & _VARIADIC)
        self.doc = (call.__doc__ or "").strip()
        self.example = example
        self.result = result

    @property
    def signature(self) -> str:
        """The function as one calls it: ``inet_in(address, prefix)``."""
        optional = "".join([f"[, {argument}" for argument in self.arguments[self.least :]])
        closing = "]" * (len(self.arguments) - self.least)
        more = ", ..." if self.variadic else ""
        return f"{self.name}({', '.join(self.arguments[: self.least])}{optional}{closing}{more})"


#: Every function, by name.
FUNCTIONS: Final[dict[str, Function]] = {}


def declaring(
    functions: dict[str, Function],
) -> Callable[[str, Value], Callable[[Call], Call]]:
    """The decorator that declares a function in ``functions``: ``@function(example, result)``."""

    def function(example: str, result: Value) -> Callable[[Call], Call]:
        def declare(call: Call) -> Call:
            functions[call.__name__] = Function(call, example, result)
            return call

        return declare

    return function


_function = declaring(FUNCTIONS)


def register(connection: apsw.Connection, functions: Iterable[Function] | None = None) -> None:
    """Make ``functions``, or every function of this module, known to ``connection``.

    They are declared deterministic, so that SQLite calls them once where the arguments are
    constant: names of users and services do not change while a statement runs.
    """
    from apsw import SQLITE_INNOCUOUS

    for function in FUNCTIONS.values() if functions is None else functions:
        most = len(function.arguments)
        for count in (-1,) if function.variadic else range(function.least, most + 1):
            connection.create_scalar_function(
                function.name,
                function.call,
                count,
                deterministic=True,
                flags=SQLITE_INNOCUOUS,
            )


@_function("select capabilities('0000000000003000')", "cap_net_admin,cap_net_raw")
def capabilities(mask: Value) -> str | None:
    """Names of the capabilities in a mask as ``processes.cap_effective`` has it, joined by commas.

    The names are those of capabilities(7), in order of their numbers; one that has no name yet is
    shown as its number.  NULL for none.
    """
    if mask is None:
        return None
    if not isinstance(mask, str) or not mask or len(mask) > 16 or mask.strip(_HEXADECIMAL):
        raise QueryError(f"capabilities: {_quoted(mask)} is not a hexadecimal mask")
    bits = int(mask, 16)
    return ",".join(_capability(n) for n in range(64) if bits >> n & 1) or None


@_function("select inet_in('10.1.2.3', '10.0.0.0/8')", 1)
def inet_in(address: Value, prefix: Value) -> int | None:
    """1 when the IP address lies in the CIDR prefix, else 0.

    The prefix may be a single address; bits of it beyond its length are ignored.  What is no
    address (the path of a unix socket) lies in no prefix.  An IPv4-mapped address
    (``::ffff:10.0.0.1``) lies in IPv4 prefixes, as the kernel's own filter has it, and in IPv6
    prefixes as it is written; an IPv4 address lies in no IPv6 prefix.
    """
    if address is None or prefix is None:
        return None
    try:
        family, shift, network = _prefix(prefix)
    except ValueError as error:
        raise QueryError(str(error)) from None
    number, own = _address(address)
    if family == own:
        return 1 if number >> shift == network else 0
    if family == AF_INET and number >> 32 == 0xFFFF:
        return 1 if (number ^ _MAPPED) >> shift == network else 0
    return 0


@_function("select regexp('^/run/', '/run/user/1000/bus')", 1)
def regexp(pattern: Value, text: Value) -> int | None:
    r"""1 when the regular expression is found anywhere in the text, else 0; also ``X regexp Y``.

    The syntax is that of Python's ``re``: ``(?i)`` ignores case, ``^`` and ``$`` anchor.
    Numbers are searched as text; bytes that are not UTF-8 are searched as ``\xNN``.
    """
    if pattern is None or text is None:
        return None
    return 1 if _compile(pattern)(text if text.__class__ is str else _text(text)) else 0


@_function("select service(53, 'udp')", "domain")
def service(port: Value, protocol: Value) -> str | None:
    """Name of the service that is registered for the port, from services(5).

    The protocol is ``tcp``, ``udp``, ``sctp`` or ``dccp``; ``mptcp`` has the names of tcp,
    ``udplite`` those of udp.  NULL when the port has no name there.
    """
    if port is None or protocol is None:
        return None
    number = _whole(port, "service", "port")
    if protocol.__class__ is not str:
        raise QueryError(f"service: {_quoted(protocol)} is not the name of a protocol")
    name = protocol.lower()
    return services().get((number, _REGISTERED_AS.get(name, name)))


@_function("select tcp_state('estab')", "ESTABLISHED")
def tcp_state(text: Value) -> str | None:
    """The spelling of ``sockets.state`` for a state as other programs spell it.

    Takes the words of ss (``ESTAB``, ``fin-wait-1``, ``listening``, ``unconnected``), of netstat
    and of RFC 9293 (``SYN-RECEIVED``, ``CLOSED``), in any case.
    """
    if text is None:
        return None
    if text.__class__ is str:
        key = text.translate(_SEPARATORS).upper()
        state = _STATES.get(_STATE_ALIASES.get(key, key))
        if state is not None:
            return state
    known = ", ".join(_STATES.values())
    raise QueryError(f"tcp_state: {_quoted(text)} is not a state; the states are {known}")


@_function("select username(0)", "root")
def username(uid: Value) -> str | None:
    """Name of the user, from passwd(5) or what nsswitch.conf(5) names; NULL when there is none."""
    if uid is None:
        return None
    return _username(_whole(uid, "username", "uid"))


# -- addresses ----------------------------------------------------------------------------------


def parse_cidr(text: str) -> tuple[int, bytes, int]:
    """Family, network address and prefix length of ``10.0.0.0/8``, ``::1`` and the like.

    The network is 4 or 16 bytes in network order, its host bits cleared; a lone address has the
    whole length.

    :raises ValueError: with the message that :func:`inet_in` gives.
    """
    family, shift, network = _prefix(text)
    bits = 32 if family == AF_INET else 128
    return family, (network << shift).to_bytes(bits // 8, "big"), bits - shift


@lru_cache(maxsize=256)
def _prefix(text: Value) -> tuple[int, int, int]:
    """Family, number of host bits, and the number that the bits before them make."""
    if isinstance(text, str):
        address, slash, length = text.partition("/")
        number, family = _address(address)
        bits = 32 if family == AF_INET else 128
        if family and "%" not in address:
            if not slash:
                return family, 0, number
            if length.isascii() and length.isdigit() and len(length) <= 3 and int(length) <= bits:
                return family, bits - int(length), number >> (bits - int(length))
    raise ValueError(f"inet_in: {_quoted(text)} is not an address or CIDR prefix")


@lru_cache(maxsize=4096)
def _address(text: Value) -> tuple[int, int]:
    """The address as a number, and its family; family 0 for what is no address."""
    if text.__class__ is not str:
        return 0, 0
    family = AF_INET6 if ":" in text else AF_INET
    try:
        return int.from_bytes(inet_pton(family, text), "big"), family
    except (OSError, ValueError):
        pass
    address, percent, _zone = text.partition("%")
    if percent and family == AF_INET6:  # fe80::1%eth0, RFC 4007 section 11
        return _address(address)
    return 0, 0


# -- regular expressions ------------------------------------------------------------------------


@lru_cache(maxsize=256, typed=True)  # 1 and 1.0 are equal, their texts are not
def _compile(pattern: Value) -> Callable[[str], re.Match[str] | None]:
    import re
    import warnings

    source = _text(pattern)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Python may take differently one day
            return re.compile(source).search
    except re.error as error:
        where = "" if error.pos is None else f" at position {error.pos}"
        raise QueryError(f"regexp: {error.msg}{where} in {_quoted(source)}") from None
    except (OverflowError, RecursionError) as error:
        raise QueryError(f"regexp: {error} in {_quoted(source)}") from None


def _text(value: Value) -> str:
    """A cell as text, bytes that are not UTF-8 by ``backslashreplace``."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)


# -- names --------------------------------------------------------------------------------------

#: Protocols that share the ports of another: RFC 8684 section 3, RFC 3828 section 6.
_REGISTERED_AS: Final = {"mptcp": "tcp", "udplite": "udp"}


@lru_cache(maxsize=1)
def services() -> dict[tuple[int, str], str]:
    """Names by (port, protocol) as the system's file of services has them, read once."""
    for path in SERVICES:
        try:
            with open(path, "rb") as file:
                return parse_services(file.read())
        except OSError:
            continue
    return {}


def parse_services(data: bytes) -> dict[tuple[int, str], str]:
    """Names by (port, protocol) from services(5); the first name of a port counts.

    Lines that are not ``name port/protocol …`` are skipped, as getservbyport(3) skips them.
    """
    names: dict[tuple[int, str], str] = {}
    for line in data.decode("utf-8", "backslashreplace").split("\n"):
        words = line.partition("#")[0].split()
        if len(words) < 2:
            continue
        port, slash, protocol = words[1].partition("/")
        if slash and port.isascii() and port.isdigit() and len(port) <= 5:
            names.setdefault((int(port), protocol.lower()), words[0])
    return names


@lru_cache(maxsize=4096)
def _username(uid: int) -> str | None:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name if uid in _UIDS else None
    except KeyError:
        return None


def _whole(value: Value, function: str, argument: str) -> int:
    """The whole number that an argument is, also when it is written as text or as 80.0."""
    if isinstance(value, int):
        return value
    try:
        if isinstance(value, str) and value.isascii() and "_" not in value:
            return int(value)
        if isinstance(value, float) and value.is_integer():
            return int(value)
    except ValueError:
        pass
    raise QueryError(f"{function}: {_quoted(value)} is not a {argument}")


def _quoted(value: Value) -> str:
    """A wrong argument as the message shows it."""
    shown = repr(value)
    return shown if len(shown) <= _QUOTED else shown[:_QUOTED] + "…"


# -- capabilities -------------------------------------------------------------------------------

_HEXADECIMAL: Final = "0123456789abcdefABCDEF"
#: By number.  Source: include/uapi/linux/capability.h
_CAPABILITIES: Final = (
    *("chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid"),
    *("setpcap", "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw"),
    *("ipc_lock", "ipc_owner", "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct"),
    *("sys_admin", "sys_boot", "sys_nice", "sys_resource", "sys_time", "sys_tty_config", "mknod"),
    *("lease", "audit_write", "audit_control", "setfcap", "mac_override", "mac_admin", "syslog"),
    *("wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf", "checkpoint_restore"),
)


def _capability(number: int) -> str:
    return f"cap_{_CAPABILITIES[number]}" if number < len(_CAPABILITIES) else str(number)


# -- states -------------------------------------------------------------------------------------

_SEPARATORS: Final = {ord(separator): None for separator in "-_ "}
_STATES: Final = {
    state.replace("_", ""): state
    for state in (
        *("ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE"),
        *("CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "BOUND_INACTIVE", "UNCONN"),
    )
}
_STATE_ALIASES: Final = {
    "CLOSED": "CLOSE",
    "ESTAB": "ESTABLISHED",
    "LISTENING": "LISTEN",
    "NEWSYNRECV": "SYNRECV",
    "SYNRCVD": "SYNRECV",
    "SYNRECEIVED": "SYNRECV",
    "UNCONNECTED": "UNCONN",
}
