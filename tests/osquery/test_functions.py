"""osquery's SQL functions, asked through SQLite.

What is expected comes from hashlib, base64, ipaddress and SQLite's own casts, from published test
vectors, and from what osquery's documentation and tests say that they answer.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockql.errors import QueryError
from sockql.functions import Function
from sockql.osquery import functions
from sockql.osquery.functions.values import as_integer, as_real, as_text

Ask = Callable[..., Any]

_SETTINGS = settings(deadline=None, database=None)
MODULES = sorted({*functions.EVERYWHERE, *functions.OSQUERY})
DECLARED = {name: f for module in MODULES for name, f in functions.declared(module).items()}

#: What osquery answers for NULL in an argument where that is not NULL.
NULL_IS_AN_ERROR = {
    *("community_id_v1_strict", "find_file_path_in_cmd", "in_cidr_block"),
    *("is_path_deterministic", "parent_directory", "version_compare"),
}


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """``ask(expression, *parameters)``: its value, as SQLite has it."""
    connection = apsw.Connection(":memory:")
    for module in MODULES:
        functions.register(connection, module)

    def value(expression: str, *parameters: Any) -> Any:
        ((answer,),) = connection.execute(f"select {expression}", parameters).fetchall()
        return answer

    yield value
    connection.close()


# -- declarations -------------------------------------------------------------------------------


@pytest.mark.parametrize("module", MODULES)
def test_the_names_that_are_listed_are_those_that_a_module_declares(module: str) -> None:
    listed = (functions.EVERYWHERE | functions.OSQUERY)[module]
    found, collations = functions._load(module)
    assert sorted(listed) == sorted([*found, *collations])


def test_the_functions_are_called_so() -> None:
    assert sorted(function.signature for function in DECLARED.values()) == [
        "acos(x)",
        "asin(x)",
        "atan(x)",
        "ceil(x)",
        "community_id_v1(source, destination, sport, dport, protocol[, seed])",
        "community_id_v1_strict(source, destination, sport, dport, protocol[, seed])",
        "concat_ws(separator, ...)",
        "conditional_to_base64(value)",
        "cos(x)",
        "cot(x)",
        "degrees(x)",
        "exp(x)",
        "find_file_path_in_cmd(command[, quoting[, escape]])",
        "floor(x)",
        "from_base64(text)",
        "in_cidr_block(prefix, address)",
        "inet_aton(address)",
        "is_path_deterministic(command[, quoting[, escape]])",
        "log(x)",
        "log10(x)",
        "md5(value)",
        "parent_directory(path)",
        "pi()",
        "power(x, y)",
        "radians(x)",
        "regex_match(text, pattern, group)",
        "regex_split(text, pattern, index)",
        "sha1(value)",
        "sha256(value)",
        "sin(x)",
        "split(text, characters, index)",
        "sqrt(x)",
        "tan(x)",
        "to_base64(value)",
        "version_compare(left, operator, right[, epoch[, delimiters[, remainder[, numeric]]]])",
    ]


@pytest.mark.parametrize("function", DECLARED.values(), ids=lambda function: function.name)
def test_every_function_has_a_sentence_and_an_example_that_gives_what_it_says(
    ask: Ask, function: Function
) -> None:
    assert function.doc.split("\n\n")[0].endswith(".")
    assert ask(function.example.removeprefix("select ")) == function.result


def _with_null(function: Function, place: int) -> tuple[str, list[Any]]:
    count = len(function.arguments)
    values = [None if n == place else "1" for n in range(count)]
    return f"{function.name}({', '.join('?' * count)})", values


@pytest.mark.parametrize("name", sorted({*DECLARED} - {"concat_ws", "pi"} - NULL_IS_AN_ERROR))
def test_null_in_any_argument_gives_null(ask: Ask, name: str) -> None:
    function = DECLARED[name]
    for place in range(len(function.arguments)):
        expression, values = _with_null(function, place)
        assert ask(expression, *values) is None


@pytest.mark.parametrize("name", sorted(NULL_IS_AN_ERROR))
def test_null_is_an_error_where_osquery_has_it_so(ask: Ask, name: str) -> None:
    expression, values = _with_null(DECLARED[name], 0)
    with pytest.raises(QueryError, match=f"^{name.removesuffix('_strict')}: "):
        ask(expression, *values)


def test_those_in_every_connection_change_nothing_that_sqlite_has() -> None:
    connection = apsw.Connection(":memory:")
    builtin = {row[0] for row in connection.execute("select name from pragma_function_list")}
    connection.close()
    assert {*functions.modules(osquery=False)} & builtin == set()
    replaced = {*functions.modules(osquery=True)} & builtin
    assert replaced == {
        *("acos", "asin", "atan", "ceil", "concat_ws", "cos", "degrees", "exp", "floor", "log"),
        *("log10", "pi", "power", "radians", "sin", "sqrt", "tan"),
    }


def test_the_list_of_names_imports_nothing_that_start_up_would_pay_for() -> None:
    program = (
        "import sys; sys.path[:0] = sys.argv[1:];"
        "from sockql.osquery import functions; functions.modules(osquery=True); print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", program, *filter(None, sys.path)],
        capture_output=True,
        text=True,
        check=True,
    )
    costly = {"re", "socket", "ipaddress", "hashlib", "typing", "math", "binascii"}
    assert costly & set(done.stdout.split()) == set()


# -- values -------------------------------------------------------------------------------------

VALUES = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    # Of others SQLite's versions spell 15 digits, or 17.
    st.integers(-(10**9), 10**9).map(lambda eighths: eighths / 8),
    st.sampled_from([1.5e300, -1.5e300, 1e-9, math.inf, -math.inf]),
    st.text(st.sampled_from("0123456789+-.eE \tx"), max_size=8),
    st.binary(max_size=4).filter(lambda data: data.isascii() and b"\0" not in data),
)


@given(VALUES)
@_SETTINGS
def test_values_are_taken_as_sqlite_takes_them(value: Any) -> None:
    connection = apsw.Connection(":memory:")
    cast = "cast(? as integer), cast(? as real), cast(? as text)"
    ((integer, real, text),) = connection.execute(f"select {cast}", (value,) * 3).fetchall()
    connection.close()
    assert (as_integer(value), as_real(value), as_text(value)) == (integer, real, text)


# -- pieces of a text ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (("192.168.0.1", ".", 0), "192"),
        (("192.168.0.1", ".0", 2), "1"),  # osquery: any of the characters
        (("/usr//bin/", "/", 1), "bin"),  # empty pieces do not count
        ((" a , b ,", ",", 1), "b"),
        (("a, ,b", ",", 1), ""),  # of blanks only: it counts, and is empty
        (("a,b", ",", 2), None),
        (("a,b", ",", -1), None),
        (("", ",", 0), None),
        ((500, 1, 0), "500"),  # the example of osquery's documentation
        ((1001, 1, 0), "00"),
        (("a-b]c^d", "^]-", 3), "d"),
        (("a,b", ",", "1"), "b"),
        ((b"a,b", b",", 1.9), "b"),
    ],
)
def test_split(ask: Ask, arguments: tuple[Any, ...], answer: str | None) -> None:
    assert ask("split(?, ?, ?)", *arguments) == answer


def test_split_at_nothing_is_an_error(ask: Ask) -> None:
    with pytest.raises(QueryError, match=r"^split: there are no characters to split at$"):
        ask("split('a', '', 0)")


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (("/foo/bar", "/", 0), ""),  # osquery's own test of it
        (("/foo/bar", "/", 1), "foo"),
        (("/foo/bar", "/", 2), "bar"),
        (("/foo/bar", "/", 3), None),
        (("foo/", "/", 1), None),  # an empty one at the end does not count
        (("a//b", "/", 1), ""),
        (("abc", "x", 0), "abc"),
        (("", "x", 0), ""),
        (("a1b22c", "([0-9])+", 2), "c"),  # groups are not among the pieces
        (("a b\tc", "[[:space:]]", 2), "c"),
        (("/Users/x/osquery.zip", "(.*/)|", 2), "o"),  # an empty match ends as well
    ],
)
def test_regex_split(ask: Ask, arguments: tuple[Any, ...], answer: str | None) -> None:
    assert ask("regex_split(?, ?, ?)", *arguments) == answer


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (("hello world. Goodbye", r"(\w+) \w+", 0), "hello world"),
        (("hello world. Goodbye", r"(\w+) \w+", 1), "hello"),
        (("hello world", r"(\w+) \w+", 2), None),
        (("hello", "x", 0), None),
        (("ab", "a(x)?b", 1), ""),
        (("line\n", "line$", 0), None),  # $ is the very end
        (("a$", "[$]$", 0), "$"),
        (("a$b", r"\$b", 0), "$b"),
        (("Ab1-", "[[:alpha:][:digit:]]+", 0), "Ab1"),
        (("x[:alpha:]", r"\[:alpha:", 0), "[:alpha:"),
        (("é", r"\w", 0), None),
        (("7", "[^[:digit:]]", 0), None),
        (("a", "", 0), ""),
    ],
)
def test_regex_match(ask: Ask, arguments: tuple[Any, ...], answer: str | None) -> None:
    assert ask("regex_match(?, ?, ?)", *arguments) == answer


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (
            "regex_match('a', '(', 0)",
            r"^regex_match: missing \), unterminated subpattern in the regular expression '\('$",
        ),
        (
            "regex_split('a', '', 0)",
            "^regex_split: nothing to split at in the regular expression ''$",
        ),
    ],
)
def test_a_wrong_regular_expression_is_an_error(ask: Ask, expression: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        ask(expression)


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        ((" ", "hello", None, "world"), "hello world"),
        ((None, "a", "b"), "ab"),
        (("-", "a", None), "a-"),
        (("-", None, "a"), "a"),
        (("-", None), ""),
        (("-", 1, 2.5, b"x"), "1-2.5-x"),
        (("-",), None),
    ],
)
def test_concat_ws(ask: Ask, arguments: tuple[Any, ...], answer: str | None) -> None:
    marks = ", ".join("?" * len(arguments))
    assert ask(f"concat_ws({marks})", *arguments) == answer


# -- encoding -----------------------------------------------------------------------------------


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
@_SETTINGS
def test_base64_and_digests_are_those_of_the_standard_library(text: str) -> None:
    connection = apsw.Connection(":memory:")
    functions.register(connection, "encoding")
    names = ("to_base64", "md5", "sha1", "sha256")
    asked = ", ".join(f"{name}(?1)" for name in names) + ", from_base64(to_base64(?1))"
    (row,) = connection.execute(f"select {asked}", (text,)).fetchall()
    connection.close()
    data = text.encode()
    assert row == (
        base64.b64encode(data).decode(),
        hashlib.md5(data).hexdigest(),
        hashlib.sha1(data).hexdigest(),
        hashlib.sha256(data).hexdigest(),
        text,
    )


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("YQ==", "a"),
        ("YQ", "a"),
        ("Y\r\nQ=\n=", "a"),
        ("", ""),
        ("=", ""),
        ("Y", ""),  # 6 bits are no byte
        ("Y-_=", ""),
        ("ö", ""),
        ("/w==", b"\xff"),
        (12345678, base64.b64decode("12345678")),
    ],
)
def test_from_base64(ask: Ask, text: Any, answer: str | bytes) -> None:
    assert ask("from_base64(?)", text) == answer


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        ("CPU0 ~", "CPU0 ~"),
        ("a\nb", base64.b64encode(b"a\nb").decode()),
        ("\x7f", "fw=="),
        ("é", base64.b64encode("é".encode()).decode()),
        (7, "7"),
    ],
)
def test_conditional_to_base64(ask: Ask, value: Any, answer: str) -> None:
    assert ask("conditional_to_base64(?)", value) == answer


# -- addresses ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "answer"),
    [
        ("1.0.1.5", 16777477),
        ("255.255.255.255", 2**32 - 1),
        ("::1", None),
        ("1.2.3", None),
        ("", None),
        ("01.2.3.4", None),
        (7, None),
    ],
)
def test_inet_aton(ask: Ask, address: Any, answer: int | None) -> None:
    assert ask("inet_aton(?)", address) == answer


@pytest.mark.parametrize(
    ("prefix", "address", "answer"),
    [
        ("10.0.0.0/26", "10.0.0.24", 1),
        ("198.51.100.14/24", "198.51.100.14", 1),
        ("2a00:a040:019e:f12a:0000:0000:0000:0000/64", "2a00:a040:19e:f12a:658b:3589:b2ba:71a3", 1),
        ("2001:db8::/48", "2001:db8:0:ffff:ffff:ffff:ffff:ffff", 1),
        ("2001:db8::/48", "2001:db8::", 1),
        ("2001:db8::/48", "2001:db9::", 0),
        ("::1/128", "::1", 1),
        ("10.0.0.0/24", "10.0.0.0", 0),  # the network
        ("10.0.0.0/24", "10.0.0.255", 0),  # broadcast
        ("10.0.0.0/31", "10.0.0.0", 0),
        ("10.0.0.0/31", "10.0.0.1", 0),
        ("10.0.0.7/32", "10.0.0.7", 1),
        ("0.0.0.0/0", "9.9.9.9", 1),
        ("fe80::/10", "fe80::1%eth0", 1),
    ],
)
def test_in_cidr_block(ask: Ask, prefix: str, address: str, answer: int) -> None:
    assert ask("in_cidr_block(?, ?)", prefix, address) == answer


@given(st.integers(0, 2**32 - 1), st.integers(0, 30), st.integers(0, 2**32 - 1), st.booleans())
@_SETTINGS
def test_in_cidr_block_is_about_the_hosts_of_the_network(
    base: int, length: int, other: int, inside: bool
) -> None:
    network = ipaddress.ip_network((base, length), strict=False)
    if inside:
        other = int(network.network_address) + other % network.num_addresses
    address = ipaddress.IPv4Address(other)
    ends = {network.network_address, network.broadcast_address}
    from sockql.osquery.functions.network import in_cidr_block

    assert in_cidr_block(f"{ipaddress.IPv4Address(base)}/{length}", str(address)) == int(
        address in network and address not in ends
    )


@pytest.mark.parametrize(
    ("prefix", "address", "message"),
    [
        ("10.0.0.0/8", "", "in_cidr_block: '' is not an address"),
        ("10.0.0.0/8", "/run/bus", "in_cidr_block: '/run/bus' is not an address"),
        ("10.0.0.0", "10.0.0.1", "'10.0.0.0' is not a prefix of IPv4, as '10.0.0.1' is"),
        ("10.0.0.0/33", "10.0.0.1", "'10.0.0.0/33' is not a prefix of IPv4, as '10.0.0.1' is"),
        ("10.0.0.0/8", "::1", "'10.0.0.0/8' is not a prefix of IPv6, as '::1' is"),
        ("10.0.0.0/8", 1, "the prefix and the address have to be texts"),
    ],
)
def test_in_cidr_block_refuses_what_osquery_refuses(
    ask: Ask, prefix: str, address: Any, message: str
) -> None:
    with pytest.raises(QueryError) as caught:
        ask("in_cidr_block(?, ?)", prefix, address)
    assert message in str(caught.value)


#: Protocol, the two ends, the ID, and the ID with seed 1: the flows of the specification's
#: datasets baseline/baseline_deflt.json and baseline_seed1.json.
FLOWS = [
    (
        *(58, "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 135, 136),
        *("1:dGHyGvjMfljg6Bppwm3bg0LO8TY=", "1:kHa1FhMYIT6Ym2Vm2AOtoOARDzY="),
    ),
    (
        *(58, "3ffe:501:1800:2345::2", "3ffe:507:0:1:200:86ff:fe05:80da", 3, 0),
        *("1:2ObVBgIn28oZvibYZhZMBgh7WdQ=", "1:lVEtCZpYu84Xqaa++3lXFyuu2n4="),
    ),
    (
        *(1, "192.168.0.89", "192.168.0.1", 8, 0),
        *("1:X0snYXpgwiv9TZtqg64sgzUn6Dk=", "1:03g6IloqVBdcZlPyX8r0hgoE7kA="),
    ),
    (
        *(6, "2001:470:e5bf:dead:4957:2174:e82c:4887", "2607:f8b0:400c:c03::1a", 63943, 25),
        *("1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=", "1:eJYTW6AOzFLlSUoESovMjnu7rMw="),
    ),
    (
        *(132, "192.168.170.8", "192.168.170.56", 7, 7),
        *("1:MP2EtRCAUIZvTw6MxJHLV7N7JDs=", "1:5w3ZRjeKBzqT3zsaEECDGjUbYeg="),
    ),
    (
        *(6, "128.232.110.120", "66.35.250.204", 34855, 80),
        *("1:LQU9qZlK+B5F3KDmev6m5PMibrg=", "1:3V71V58M3Ksw/yuFALMcW0LAHvc="),
    ),
    (
        *(17, "192.168.1.52", "8.8.8.8", 54585, 53),
        *("1:d/FP5EW3wiY1vCndhwleRRKHowQ=", "1:Q9We8WO3piVF8yEQBNJF4uiSVrI="),
    ),
]


@pytest.mark.parametrize(
    ("protocol", "source", "destination", "sport", "dport", "plain", "seeded"), FLOWS
)
def test_community_ids_are_those_of_the_specification(
    ask: Ask,
    protocol: int,
    source: str,
    destination: str,
    sport: int,
    dport: int,
    plain: str,
    seeded: str,
) -> None:
    there = (source, destination, sport, dport, protocol)
    back = (destination, source, dport, sport, protocol)
    for flow in (there, back):
        for name in ("community_id_v1", "community_id_v1_strict"):
            assert ask(f"{name}(?, ?, ?, ?, ?)", *flow) == plain
            assert ask(f"{name}(?, ?, ?, ?, ?, 1)", *flow) == seeded


def test_the_ends_of_a_community_id_may_be_of_two_families(ask: Ask) -> None:
    """The example of osquery's documentation."""
    ends = "'66.35.250.204', '2001:0:3238:DFE1:63::FEFB', 80, 2347, 6"
    assert ask(f"community_id_v1({ends})") == "1:rxU6O+b2d9kbSWjRmVDoBbowx6g="
    assert ask(f"community_id_v1({ends}, 37)") == "1:jmJ2ORP31di4mtsQPIKzyoEb3yo="


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("'192.168.1.52', 'foo', 10, 53, 17", "the destination 'foo' is not an address"),
        ("'', '::1', 10, 53, 17", "the source '' is not an address"),
        ("7, '::1', 10, 53, 17", "the source 7 is not an address"),
        ("'::1', '::1', '10', 53, 17", "the sport '10' is not an integer from 0 to 65535"),
        ("'::1', '::1', 10, 65536, 17", "the dport 65536 is not an integer from 0 to 65535"),
        ("'::1', '::1', 10, 53, 256", "the protocol 256 is not an integer from 0 to 255"),
        ("'::1', '::1', 1, 1, 6, 32768", "the seed 32768 is not an integer from -32768 to 32767"),
    ],
)
def test_what_makes_no_connection_has_no_community_id(
    ask: Ask, arguments: str, message: str
) -> None:
    assert ask(f"community_id_v1({arguments})") is None
    with pytest.raises(QueryError) as caught:
        ask(f"community_id_v1_strict({arguments})")
    assert str(caught.value) == f"community_id_v1: {message}"


# -- paths --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "answer"),
    [("/usr/bin/ls", "/usr/bin"), ("/etc", ""), ("ls", None), ("", None), ("a/", "a")],
)
def test_parent_directory(ask: Ask, path: str, answer: str | None) -> None:
    assert ask("parent_directory(?)", path) == answer


def test_which_file_a_command_line_starts(ask: Ask, tmp_path: Path) -> None:
    for name in ("my", "my tool", "other tool"):
        (tmp_path / name).touch()
    (tmp_path / "directory").mkdir()

    def found(line: str, *more: object) -> tuple[str, int]:
        marks = ", ".join("?" * (1 + len(more)))
        path = ask(f"find_file_path_in_cmd({marks})", line, *more)
        return path, ask(f"is_path_deterministic({marks})", line, *more)

    my, tool, other = (str(tmp_path / name) for name in ("my", "my tool", "other tool"))
    assert found(f"  {my} tool --verbose") == (my, 0)
    assert found(f"{other} --verbose") == (other, 1)
    assert found(f"{my}\\ tool --verbose") == (tool, 1)
    assert found(f'"{tool}" --verbose') == ("", 1)
    assert found(f'"{tool}" --verbose', 1) == (tool, 1)
    assert found(f"{my}^ tool --verbose", 0, "^") == (tool, 1)
    assert found(f"{tmp_path}/directory x") == ("", 1)
    assert found("") == ("", 1)
    with pytest.raises(QueryError, match="one character"):
        found(my, 0, "")


# -- versions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right", "order"),
    [
        ("1.2.10", "1.2.9", 1),
        ("1.2", "1.2", 0),
        ("1.2", "1.2.1", -1),
        ("1.10", "1.9", 1),
        ("2.0", "10.0", -1),
        ("1.a", "1.b", -1),
        ("", "1", -1),
        ("", "", 0),
        ("1-2", "1.2", 0),
    ],
)
def test_versions_are_compared_in_segments(ask: Ask, left: str, right: str, order: int) -> None:
    holds = {-1: ("<", "<="), 0: ("<=", "=", ">="), 1: (">", ">=")}
    for sign, one, other in ((order, left, right), (-order, right, left)):
        for operator in ("<", "<=", "=", ">=", ">"):
            expected = int(operator in holds[sign])
            assert ask("version_compare(?, ?, ?)", one, operator, other) == expected


@pytest.mark.parametrize(
    ("left", "right", "version", "arch", "dpkg", "rhel"),
    [
        ("1:1.0", "2.0", -1, 1, 1, 1),
        ("1.0~rc1", "1.0", 1, -1, 1, -1),
        ("1.0^git1", "1.0", 1, 1, 1, 1),
        ("1.0-1", "1.0", 1, 0, 1, 0),
        ("1.0-2", "1.0.2", 0, 0, -1, -1),
        ("1.0a", "1.0b1", -1, -1, -1, -1),
        ("1.1", "1.02", -1, -1, -1, 1),
    ],
)
def test_each_collation_has_its_rules(
    left: str, right: str, version: int, arch: int, dpkg: int, rhel: int
) -> None:
    connection = apsw.Connection(":memory:")
    functions.register(connection, "versions")
    wanted = (("version", version), ("version_arch", arch), ("version_dpkg", dpkg))
    for name, order in (*wanted, ("version_rhel", rhel)):
        for sign, pair in ((order, (left, right)), (-order, (right, left))):
            sql = f"select (?1 > ?2 collate {name}) - (?1 < ?2 collate {name})"
            assert (name, connection.execute(sql, pair).get) == (name, sign)
    connection.close()


def test_the_switches_of_version_compare_are_the_rules_of_the_collations(ask: Ask) -> None:
    assert ask("version_compare('1.0~rc1', '<', '1.0', 0, 0, 1)") == 1
    assert ask("version_compare('1.0~rc1', '<', '1.0', NULL, NULL, NULL, NULL)") == 0
    assert ask("version_compare('1:1.0', '>', '2.0', 1)") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("'1', '!=', '2'", "'!=' is not an operator; there are <, <=, =, >=, >"),
        ("1, '=', '2'", "two versions and an operator are wanted, as texts"),
        ("'1', '=', '2', 'yes'", "a switch is 0, 1 or NULL, not ('yes', 0, 0, 0)"),
    ],
)
def test_version_compare_refuses_what_osquery_refuses(
    ask: Ask, arguments: str, message: str
) -> None:
    with pytest.raises(QueryError) as caught:
        ask(f"version_compare({arguments})")
    assert str(caught.value) == f"version_compare: {message}"


# -- numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        # The examples of osquery's documentation.
        ("sqrt(107372805120)", 327677.898430761),
        ("log(107372805120)", 25.3995727757846),
        ("log10(107372805120)", 11.0308942992233),
        ("sin(30)", -0.988031624092862),
        ("cos(30)", 0.154251449887584),
        ("tan(30)", -6.40533119664628),
        ("cot(30)", -0.156119952161659),
        ("asin(.5)", 0.523598775598299),
        ("acos(.5)", 1.0471975511966),
        ("atan(.5)", 0.463647609000806),
        ("radians(60)", 1.0471975511966),
        ("degrees(1.3)", 74.484513367007),
        ("power('2 and more', 3)", 8.0),
    ],
)
def test_numbers(ask: Ask, expression: str, answer: float) -> None:
    assert math.isclose(ask(expression), answer, rel_tol=1e-13)


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("ceil(107372805120)", 107372805120),
        ("ceil(-1.5)", -1),
        ("floor(-1.5)", -2),
        ("floor('1.5')", 1),
        ("ceil('x')", 0),
        ("floor(9223372036854775807)", 2**63 - 1),
    ],
)
def test_ceil_and_floor_give_integers(ask: Ask, expression: str, answer: int) -> None:
    found = ask(expression)
    assert (found, type(found)) == (answer, int)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("sqrt(-1)", "sqrt(-1): there is no such number"),
        ("log(0)", "log(0): there is no such number"),
        ("exp(1000)", "exp(1000): there is no such number"),
        ("power(0, -1)", "power(0, -1): there is no such number"),
        ("ceil(1e300)", "ceil(1e+300): there is no such integer"),
    ],
)
def test_what_has_no_answer_is_an_error(ask: Ask, expression: str, message: str) -> None:
    with pytest.raises(QueryError) as caught:
        ask(expression)
    assert str(caught.value) == message
