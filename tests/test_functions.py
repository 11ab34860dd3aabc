"""The SQL functions, asked through SQLite; ipaddress, getservbyport and pwd are the oracles."""

from __future__ import annotations

import ipaddress
import math
import pwd
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockql import functions
from sockql.engine import Engine
from sockql.errors import QueryError
from sockql.host import Host
from sockql.named import OURS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Ask = Callable[..., Any]

_SETTINGS = settings(deadline=None, database=None)


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """``ask(expression, *parameters)``: its value, as SQLite has it."""
    connection = apsw.Connection(":memory:")
    functions.register(connection)

    def value(expression: str, *parameters: Any) -> Any:
        ((answer,),) = connection.execute(f"select {expression}", parameters).fetchall()
        return answer

    yield value
    connection.close()


# -- declarations -------------------------------------------------------------------------------


def test_the_functions_are_these() -> None:
    assert [function.signature for function in functions.FUNCTIONS.values()] == [
        "capabilities(mask)",
        "inet_in(address, prefix)",
        "regexp(pattern, text)",
        "service(port, protocol)",
        "tcp_state(text)",
        "username(uid)",
    ]
    assert tuple(functions.FUNCTIONS) == OURS


def test_a_connection_has_a_function_once_a_statement_names_it() -> None:
    with Engine(Host()) as engine:
        has = "select count(*) from pragma_function_list where name = 'tcp_state'"
        assert list(engine.trusted(has)) == [(0,)]
        assert engine.query("select TCP_State('estab')") == [("ESTABLISHED",)]
        assert list(engine.trusted(has)) == [(1,)]
        assert engine.query("select 'abc' regexp 'b', 'abc' REGEXP 'x'") == [(1, 0)]
        assert list(engine.connection.execute("select inet_in('10.1.2.3', '10.0.0.0/8')")) == [(1,)]


@pytest.mark.parametrize("name", functions.FUNCTIONS)
def test_every_function_has_a_sentence_and_an_example_that_gives_what_it_says(
    ask: Ask, name: str
) -> None:
    function = functions.FUNCTIONS[name]
    assert function.doc.split("\n")[0].endswith((".", "``."))
    assert ask(function.example.removeprefix("select ")) == function.result


@pytest.mark.parametrize("name", functions.FUNCTIONS)
def test_null_in_any_argument_gives_null(ask: Ask, name: str) -> None:
    function = functions.FUNCTIONS[name]
    count = len(function.arguments)
    answers = [
        ask(f"{name}({', '.join('?' * count)})", *(None if i == n else 1 for i in range(count)))
        for n in range(count)
    ]
    assert answers == [None] * count


def test_constant_arguments_are_asked_once_in_a_statement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []

    def call(uid: Any) -> str:
        calls.append(uid)
        return "somebody"

    declared = {"call": functions.Function(call, "", None)}
    monkeypatch.setattr(functions, "FUNCTIONS", declared)
    connection = apsw.Connection(":memory:")
    functions.register(connection)
    numbers = "with recursive n(i) as (values(1) union all select i + 1 from n where i < 100)"
    connection.execute(f"{numbers} select count(*) from n where call(7) = 'x'").fetchall()
    connection.close()
    assert calls == [7]


def test_registering_imports_nothing_that_start_up_would_pay_for() -> None:
    program = (
        "import sys; sys.path[:0] = sys.argv[1:]; import apsw; from sockql import functions;"
        "functions.register(apsw.Connection(':memory:')); print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", program, *filter(None, sys.path)],
        capture_output=True,
        text=True,
        check=True,
    )
    costly = {"re", "socket", "ipaddress", "pwd", "typing", "dataclasses", "enum", "warnings"}
    assert costly & set(done.stdout.split()) == set()


# -- capabilities -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mask", "names"),
    [
        ("0000000000000000", None),
        ("1", "cap_chown"),
        ("0000018000000000", "cap_bpf,cap_checkpoint_restore"),
        ("8000020000000000", "41,63"),
        ("C0", "cap_setgid,cap_setuid"),
    ],
)
def test_capabilities_are_named_bit_by_bit(ask: Ask, mask: str, names: str | None) -> None:
    assert ask("capabilities(?)", mask) == names


def test_capabilities_have_the_names_of_the_kernels_header(ask: Ask) -> None:
    header = Path("/usr/include/linux/capability.h")
    if not header.exists():
        pytest.skip("no headers of the kernel (ENOENT)")
    defined = re.findall(r"^#define (CAP_\w+)\s+(\d+)$", header.read_text(), re.MULTILINE)
    assert len(defined) >= 38
    for name, number in defined:
        assert ask("capabilities(?)", f"{1 << int(number):x}") == name.lower()


@pytest.mark.parametrize(
    "mask", ["", "xyz", "-1", "0x10", "1_0", "\u0661", " 1", "f" * 17, 7, 1.5, b"7"]
)
def test_what_is_no_mask_is_refused(ask: Ask, mask: Any) -> None:
    with pytest.raises(QueryError, match=r"^capabilities: .* is not a hexadecimal mask$"):
        ask("capabilities(?)", mask)


# -- inet_in ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "prefix", "answer"),
    [
        ("10.1.2.3", "10.0.0.0/8", 1),
        ("11.0.0.0", "10.0.0.0/8", 0),
        ("10.1.2.3", "10.1.2.3/8", 1),
        ("10.9.9.9", "10.1.2.3/8", 1),
        ("10.1.2.3", "10.1.2.3", 1),
        ("10.1.2.4", "10.1.2.3", 0),
        ("10.1.2.3", "10.1.2.3/32", 1),
        ("255.255.255.255", "0.0.0.0/0", 1),
        ("2001:db8::1", "2001:db8::/32", 1),
        ("2001:db9::1", "2001:db8::/32", 0),
        ("2001:0DB8:0::1", "2001:db8::1/128", 1),
        ("::", "::/0", 1),
        ("fe80::1%eth0", "fe80::/10", 1),
        # The two families.
        ("10.0.0.1", "::/0", 0),
        ("10.0.0.1", "::ffff:0:0/96", 0),
        ("::1", "0.0.0.0/0", 0),
        ("::ffff:10.0.0.1", "10.0.0.0/8", 1),
        ("::ffff:11.0.0.1", "10.0.0.0/8", 0),
        ("::ffff:10.0.0.1", "0.0.0.0/0", 1),
        ("::ffff:10.0.0.1", "10.0.0.1", 1),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.0/104", 1),
        ("::10.0.0.1", "10.0.0.0/8", 0),
        # No addresses.
        ("/run/dbus/system_bus_socket", "0.0.0.0/0", 0),
        ("@/tmp/.X11-unix/X0", "::/0", 0),
        ("/run/a:b", "::/0", 0),
        ("", "0.0.0.0/0", 0),
        ("10.0.0", "10.0.0.0/8", 0),
        ("10.0.0.1/8", "10.0.0.0/8", 0),
        ("10.0.0.1%eth0", "10.0.0.0/8", 0),
        ("%", "::/0", 0),
        ("a\0b", "::/0", 0),
        (b"10.0.0.1", "10.0.0.0/8", 0),
        (167772161, "10.0.0.0/8", 0),
        (1.5, "10.0.0.0/8", 0),
    ],
)
def test_inet_in(ask: Ask, address: Any, prefix: str, answer: int) -> None:
    assert ask("inet_in(?, ?)", address, prefix) == answer


@pytest.mark.parametrize(
    ("prefix", "shown"),
    [
        ("foo", "'foo'"),
        ("", "''"),
        ("/8", "'/8'"),
        ("10.0.0.0/", "'10.0.0.0/'"),
        ("10.0.0.0/33", "'10.0.0.0/33'"),
        ("10.0.0.0/-1", "'10.0.0.0/-1'"),
        ("10.0.0.0/ 8", "'10.0.0.0/ 8'"),
        ("10.0.0.0/8/8", "'10.0.0.0/8/8'"),
        ("10.0.0.0/255.0.0.0", "'10.0.0.0/255.0.0.0'"),
        ("10.0.0.0/²", "'10.0.0.0/²'"),
        ("10/8", "'10/8'"),
        ("::/129", "'::/129'"),
        ("fe80::%eth0/10", "'fe80::%eth0/10'"),
        (" 10.0.0.0/8", "' 10.0.0.0/8'"),
        (8, "8"),
        (b"::/0", "b'::/0'"),
        ("x" * 200, "'" + "x" * 79 + "…"),
    ],
)
def test_what_is_no_prefix_is_an_error_that_quotes_it(ask: Ask, prefix: Any, shown: str) -> None:
    with pytest.raises(QueryError) as caught:
        ask("inet_in('10.0.0.1', ?)", prefix)
    assert str(caught.value) == f"inet_in: {shown} is not an address or CIDR prefix"


_IPV4 = st.ip_addresses(v=4)
_IPV6 = st.ip_addresses(v=6) | _IPV4.map(lambda a: ipaddress.IPv6Address(f"::ffff:{a}"))


@_SETTINGS
@given(st.data())
def test_inet_in_agrees_with_ipaddress(data: st.DataObject) -> None:
    address = data.draw(_IPV4 | _IPV6)
    base = data.draw(_IPV4 | _IPV6 | st.just(address))
    length = data.draw(st.integers(0, base.max_prefixlen))
    network = ipaddress.ip_network((base, length), strict=False)
    mapped = getattr(address, "ipv4_mapped", None)
    expected = address in network or (mapped is not None and mapped in network)
    assert functions.inet_in(str(address), f"{base}/{length}") == int(expected)
    assert functions.inet_in(address.exploded, str(network)) == int(expected)


@_SETTINGS
@given(_IPV4 | _IPV6, st.data())
def test_parse_cidr_agrees_with_ipaddress(
    base: ipaddress.IPv4Address | ipaddress.IPv6Address, data: st.DataObject
) -> None:
    length = data.draw(st.integers(0, base.max_prefixlen))
    network = ipaddress.ip_network((base, length), strict=False)
    family = socket.AF_INET if base.version == 4 else socket.AF_INET6
    expected = family, network.network_address.packed, length
    assert functions.parse_cidr(f"{base}/{length}") == expected
    assert functions.parse_cidr(str(base)) == (family, base.packed, base.max_prefixlen)


@_SETTINGS
@given(st.text())
def test_parse_cidr_raises_nothing_but_value_error(text: str) -> None:
    try:
        family, network, length = functions.parse_cidr(text)
    except ValueError:
        return
    assert ipaddress.ip_network((network, length)).version == {2: 4, 10: 6}[family]


# -- regexp -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pattern", "answer"),
    [
        ("/run/user/1000/bus", "user/[0-9]+", 1),
        ("nginx", "^nginx$", 1),
        ("nginx: worker", "^nginx$", 0),
        ("NGINX", "nginx", 0),
        ("NGINX", "(?i)nginx", 1),
        ("Ärger", "^.rger$", 1),
        ("", "^$", 1),
        ("a\0b", "a\0b", 1),
        (8080, "80$", 1),
        (-1, "^-1$", 1),
        (1.5, r"^1\.5$", 1),
        (1.0, r"^1\.0$", 1),
        ("12", 12, 1),
        ("x1.0", 1.0, 1),
        ("x1", 1.0, 0),
        (b"caf\xe9", r"^caf\\xe9$", 1),
        ("café", "café".encode(), 1),
        ("[", "[[]", 1),
    ],
)
def test_regexp(ask: Ask, text: Any, pattern: Any, answer: int) -> None:
    assert ask("? regexp ?", text, pattern) == answer
    assert ask("regexp(?, ?)", pattern, text) == answer
    assert ask("? not regexp ?", text, pattern) == 1 - answer


def test_patterns_that_compare_equal_are_told_apart(ask: Ask) -> None:
    assert [ask("'1' regexp ?", pattern) for pattern in (1, 1.0, 1)] == [1, 0, 1]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("a(b", "regexp: missing ), unterminated subpattern at position 1 in 'a(b'"),
        ("*", "regexp: nothing to repeat at position 0 in '*'"),
        ("[z-a]", "regexp: bad character range z-a at position 1 in '[z-a]'"),
        ("a{9999999999999}", "regexp: the repetition number is too large in 'a{9999999999999}'"),
    ],
)
def test_a_wrong_pattern_is_an_error_that_says_where(ask: Ask, pattern: str, message: str) -> None:
    with pytest.raises(QueryError) as caught:
        ask("'x' regexp ?", pattern)
    assert str(caught.value) == message


@_SETTINGS
@given(st.text(alphabet="ab(){}[]*+?|^$\\.-1,:<>=!P#", max_size=12), st.text(max_size=5))
def test_regexp_raises_nothing_but_query_error(pattern: str, text: str) -> None:
    try:
        answer = functions.regexp(pattern, text)
    except QueryError:
        return
    assert answer in (0, 1)


# -- service ------------------------------------------------------------------------------------

_SERVICES = b"""\
# a comment
ssh\t\t22/tcp\t\t\t\t# Secure shell
domain\t\t53/tcp
domain\t\t53/udp\tnameserver
http\t\t80/tcp\t\twww
www2            80/tcp
upper 81/TCP
caf\xe9 82/tcp
  indented  83/tcp
broken
broken2 tcp
broken3 x/tcp
broken4 84
broken5 -1/tcp
broken6 \xc2\xb2/tcp
#off 85/tcp
last 86/sctp"""


def test_services_are_parsed_as_services_5_says() -> None:
    assert functions.parse_services(_SERVICES) == {
        (22, "tcp"): "ssh",
        (53, "tcp"): "domain",
        (53, "udp"): "domain",
        (80, "tcp"): "http",
        (81, "tcp"): "upper",
        (82, "tcp"): r"caf\xe9",
        (83, "tcp"): "indented",
        (86, "sctp"): "last",
    }


@_SETTINGS
@given(st.binary())
def test_any_file_of_services_can_be_read(data: bytes) -> None:
    for (port, protocol), name in functions.parse_services(data).items():
        assert (port >= 0, protocol == protocol.lower(), name != "") == (True, True, True)


def test_service_agrees_with_getservbyport(ask: Ask) -> None:
    def known(port: int, protocol: str) -> str | None:
        try:
            return socket.getservbyport(port, protocol)
        except OSError:
            return None

    asked = [(port, protocol) for port in range(1100) for protocol in ("tcp", "udp")]
    expected = [known(*pair) for pair in asked]
    if not any(expected):
        pytest.skip("no services are known to getservbyport (no /etc/services)")
    assert [ask("service(?, ?)", *pair) for pair in asked] == expected


def test_service_without_a_file_knows_no_name(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(functions, "SERVICES", (str(tmp_path / "services"),))
    functions.services.cache_clear()
    try:
        assert ask("service(80, 'tcp')") is None
    finally:
        functions.services.cache_clear()


def test_service_takes_ports_and_protocols_as_tables_have_them(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    file = tmp_path / "services"
    file.write_bytes(_SERVICES)
    monkeypatch.setattr(functions, "SERVICES", (str(tmp_path / "absent"), str(file)))
    functions.services.cache_clear()
    try:
        answers = [
            ask("service(?, ?)", port, protocol)
            for port, protocol in [
                (80, "tcp"),
                ("80", "TCP"),
                (80.0, "mptcp"),
                (53, "udplite"),
                (86, "sctp"),
                (80, "udp"),
                (80, "no such protocol"),
                (0, "tcp"),
                (-1, "tcp"),
                (2**62, "tcp"),
            ]
        ]
    finally:
        functions.services.cache_clear()
    assert answers == ["http", "http", "http", "domain", "last", None, None, None, None, None]


@pytest.mark.parametrize(
    ("port", "protocol", "message"),
    [
        ("http", "tcp", "service: 'http' is not a port"),
        ("8_0", "tcp", "service: '8_0' is not a port"),
        (80.5, "tcp", "service: 80.5 is not a port"),
        (math.inf, "tcp", "service: inf is not a port"),
        (b"80", "tcp", "service: b'80' is not a port"),
        (80, 6, "service: 6 is not the name of a protocol"),
    ],
)
def test_service_refuses_what_is_no_port_or_protocol(
    ask: Ask, port: Any, protocol: Any, message: str
) -> None:
    with pytest.raises(QueryError) as caught:
        ask("service(?, ?)", port, protocol)
    assert str(caught.value) == message


# -- username -----------------------------------------------------------------------------------


def test_username_agrees_with_pwd(ask: Ask) -> None:
    users = {user.pw_uid: user.pw_name for user in reversed(pwd.getpwall())}
    assert {uid: ask("username(?)", uid) for uid in users} == users


def test_username_of_nobody_is_null(ask: Ask) -> None:
    unused = next(uid for uid in range(60000, 1 << 31) if not _has_name(uid))
    strange = (unused, -1, 2**32 - 1, 2**32, 2**62)
    assert [ask("username(?)", uid) for uid in strange] == [None] * len(strange)


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


@pytest.mark.parametrize("uid", ["root", 0.5, b"0"])
def test_username_refuses_what_is_no_uid(ask: Ask, uid: Any) -> None:
    with pytest.raises(QueryError) as caught:
        ask("username(?)", uid)
    assert str(caught.value) == f"username: {uid!r} is not a uid"


# -- tcp_state ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "spellings"),
    [
        ("ESTABLISHED", "ESTAB established"),
        ("SYN_SENT", "SYN-SENT syn-sent SYN_SENT"),
        ("SYN_RECV", "SYN-RECV syn-recv SYN_RECV SYN-RECEIVED SYN_RCVD new-syn-recv"),
        ("FIN_WAIT1", "FIN-WAIT-1 fin-wait-1 FIN_WAIT1 FIN_WAIT_1"),
        ("FIN_WAIT2", "FIN-WAIT-2 fin-wait-2 FIN_WAIT2"),
        ("TIME_WAIT", "TIME-WAIT time-wait TIME_WAIT"),
        ("CLOSE", "CLOSED closed close"),
        ("CLOSE_WAIT", "CLOSE-WAIT close-wait"),
        ("LAST_ACK", "LAST-ACK last-ack"),
        ("LISTEN", "LISTEN listening listen"),
        ("CLOSING", "CLOSING closing"),
        ("UNCONN", "UNCONN unconnected"),
        ("BOUND_INACTIVE", "bound-inactive BOUND-INACTIVE"),
    ],
)
def test_tcp_state_takes_the_words_of_other_programs(ask: Ask, state: str, spellings: str) -> None:
    words = [state, state.lower(), *spellings.split()]
    assert [ask("tcp_state(?)", word) for word in words] == [state] * len(words)


@pytest.mark.parametrize("word", ["", "estb", "connected", 1, b"LISTEN"])
def test_tcp_state_refuses_other_words_and_names_the_states(ask: Ask, word: Any) -> None:
    with pytest.raises(QueryError) as caught:
        ask("tcp_state(?)", word)
    assert str(caught.value) == (
        f"tcp_state: {word!r} is not a state; the states are ESTABLISHED, SYN_SENT, SYN_RECV, "
        "FIN_WAIT1, FIN_WAIT2, TIME_WAIT, CLOSE, CLOSE_WAIT, LAST_ACK, LISTEN, CLOSING, "
        "BOUND_INACTIVE, UNCONN"
    )
