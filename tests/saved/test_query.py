"""Query files are read strictly: what they say, and the line of what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sockql.errors import UsageError
from sockql.saved import header
from sockql.saved.query import KEYS, SEVERITIES, HeaderError, Param, Query, parse, read

FULL = """\
-- Copyright somebody

-- title: Listeners on a port
-- description: |
--   Sockets that listen.
--
--   On one port only.
-- tags: [network, tcp-ip]
-- severity: high
-- kind: audit
-- params:
--   port: {type: integer, default: 22, description: Port to look for}
--   share: {type: real, default: 0.5}
--   name: {type: text}
--   allowed:
--     type: table
--     columns: [port, protocol]
--     default: [[22, tcp], [0x35, null]]
-- expect: no rows
-- references:
--   - https://example.com/a
--   - "b: c"
-- false positives: Jump hosts.
-- keys: [src, sport]
-- live: true
-- timeout: 2.5

select src, sport, :share from sockets where sport = :port and src = :name;
"""


def facts(query: Query) -> dict[str, object]:
    found = {k: v for k, v in vars(query).items() if k != "params"}
    names = Param.__slots__
    found["params"] = [{n: getattr(p, n) for n in names} for p in query.params.values()]
    return found


def param(name: str, type: str, **more: object) -> dict[str, object]:
    base = {"default": None, "description": "", "required": True, "columns": (), "line": 0}
    return {"name": name, "type": type, **base, **more}


def test_a_header_says_everything_that_there_is_to_say() -> None:
    assert facts(parse(FULL, "/q/on_port.sql")) == {
        "name": "on_port",
        "path": "/q/on_port.sql",
        "sql": FULL,
        "title": "Listeners on a port",
        "description": "Sockets that listen.\n\nOn one port only.",
        "tags": ("network", "tcp-ip"),
        "severity": "high",
        "kind": "audit",
        "params": [
            param(
                "port",
                "integer",
                default=22,
                description="Port to look for",
                required=False,
                line=12,
            ),
            param("share", "real", default=0.5, required=False, line=13),
            param("name", "text", line=14),
            param(
                "allowed",
                "table",
                default=((22, "tcp"), (0x35, None)),
                required=False,
                columns=("port", "protocol"),
                line=15,
            ),
        ],
        "expect": "no rows",
        "references": ("https://example.com/a", "b: c"),
        "false_positives": ("Jump hosts.",),
        "keys": ("src", "sport"),
        "live": True,
        "timeout": 2.5,
        "lines": dict(zip(KEYS, (3, 4, 8, 9, 10, 11, 19, 20, 23, 24, 25, 26), strict=True)),
    }


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("select 1", ""),
        ("select 1 -- title: no", ""),
        ("-- Adds one.\n-- Really.\nselect 1", "Adds one."),
        ("\n--\n\n----\n-- Note: adds one.\r\nselect 1;\n", "Note: adds one."),
        ("/* title: no */ select 1", ""),
        # Words that are near a key, in what is no mapping.
        ("-- Kinds of sockets: all.\n-- Tag: none\nselect 1", "Kinds of sockets: all."),
        ("-- Tag: a word\n-- and more of it\nselect 1", "Tag: a word"),
        ("-- See: https://example.org/tags:a\nselect 1", "See: https://example.org/tags:a"),
        ("-- Time:22\nselect 1", "Time:22"),
    ],
)
def test_a_query_without_a_header_is_a_report(text: str, title: str) -> None:
    query = parse(text, "a.sql")
    assert facts(query) == facts(Query("a", "a.sql", text, title=title))
    assert (query.kind, query.lines) == ("report", {})


def test_a_header_that_an_empty_line_cuts_in_two_is_an_error() -> None:
    text = "-- title: T\n-- tags: [a]\n\n-- Why\n-- kind: audit\nselect 1"
    with pytest.raises(HeaderError) as caught:
        parse(text, "q.sql")
    assert str(caught.value) == (
        "q.sql:5: the header ends at an empty line before this; begin that line with --"
    )
    assert parse(text.replace("kind:", "kind"), "q.sql").tags == ("a",)
    assert parse("\n  -- title: T\n\t-- tags: [a]\n  select 1", "q.sql").lines == {
        "title": 2,
        "tags": 3,
    }


def test_parameters_that_only_the_sql_names_are_of_any_type() -> None:
    text = "-- title: T\n-- params: {a: {type: text}}\nselect :b, @c, $a, ':d' -- :e"
    assert facts(parse(text, "q.sql"))["params"] == [
        param("a", "text", line=2),
        param("b", "any"),
        param("c", "any"),
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        # keys
        ("titel: T\ntags: [a]", "1: the header has no key 'titel'; did you mean title?"),
        ("title: T\nxyz: 1", f"2: the header has no key 'xyz'; it has {', '.join(KEYS)}"),
        ("tags: [a]", "1: the header has no title"),
        ("Title: T", "1: the header has no key 'Title'; did you mean title?"),
        # the only key that there is, or the first of others that are as wrong
        ("tittle: T", "1: the header has no key 'tittle'; did you mean title?"),
        ("\ndescripton: >\n  words\n  more: words", "2: the header has no key 'descripton'; did"),
        ("# first\nTag: [a]\nseverty: low", "2: the header has no key 'Tag'; did you mean tags?"),
        ("false positive: x", "1: the header has no key 'false positive'; did you mean false posi"),
        ("TITLE : T", "1: the header has no key 'TITLE'; did you mean title?"),
        ("title: T\ntags: [a]\ntitle: U", "3: title is given twice"),
        ("title: T\n1: U", "2: a key of the header: text is wanted, not an integer 1; put it in"),
        ("title: T\n? [a]\n: b", "2: a key of the header: text is wanted, not a list"),
        # types
        ("title: 2024", "1: title: text is wanted, not an integer 2024; put it in quotes"),
        ("title: yes", "1: title: text is wanted, not true or false yes; put it in quotes"),
        ("title:", "1: title: text is wanted, not nothing"),
        ("title: ''", "1: title: the text is empty"),
        ("title: |\n  a\n  b", "1: title: one line is wanted"),
        ("title: T\ntags: a", "2: tags: a list is wanted, not text a"),
        ("title: T\ntags: [a, {b: c}]", "2: tags: text is wanted, not a mapping; a text with"),
        ("title: T\ntags: [a,\n A]", "3: tags: 'A': a tag has small letters"),
        ("title: T\ntags: [a, a]", "2: tags: a is given twice"),
        ("title: T\nreferences:\n  - a: b", "3: references: text is wanted, not a mapping; a text"),
        ("title: T\nseverity: urgent", "2: severity: one of info, low, medium, high, critical is"),
        ("title: T\nkind: |\n  a\n  b", "2: kind: one of report, audit is wanted, not text a b"),
        ("title: T\nkind: [audit]", "2: kind: one of report, audit is wanted, not a list"),
        ("title: T\nkind: audit", "1: an audit needs a severity: one of info, low"),
        ("title: T\nexpect: rows", "2: expect: only an audit expects something (kind: audit)"),
        ("title: T\nexpect: no row", "2: expect: one of no rows, rows is wanted, not text no row"),
        ("title: T\nlive: maybe", "2: live: true or false is wanted, not text maybe"),
        ("title: T\nlive: 1", "2: live: true or false is wanted, not an integer 1"),
        ("title: T\ntimeout: 0", "2: timeout: 0: not a positive number of seconds"),
        ("title: T\ntimeout: -1.5", "2: timeout: -1.5: not a positive number of seconds"),
        ("title: T\ntimeout: .inf", "2: timeout: a number is wanted, not a number .inf"),
        ("title: T\ntimeout: soon", "2: timeout: a number is wanted, not text soon"),
        ("title: T\ntimeout: 1:30", "2: timeout: an integer is wanted, not an integer 1:30"),
        ("title: !!python/name:os.system T", "1: title: text is wanted, not tag:yaml.org,2002:"),
        # parameters
        ("title: T\nparams: [a]", "2: params: a mapping is wanted, not a list"),
        ("title: T\nparams:\n  a: integer", "3: params: a: a mapping is wanted, not text integer"),
        ("title: T\nparams:\n  a: {}", "3: params: a has no type; there are integer, real, text,"),
        ("title: T\nparams:\n  a-b: {type: text}", "3: params: 'a-b': a name has letters"),
        ("title: T\nparams: {a: {type: int}}", "2: a: type: one of integer, real, text, table is"),
        ("title: T\nparams: {a: {typ: int}}", "2: params: a has no key 'typ'; did you mean type?"),
        (
            "title: T\nparams:\n  a:\n    type: integer\n    default: '1'",
            "5: a: default: an integer is wanted, not text 1",
        ),
        ("title: T\nparams: {a: {type: integer, default: 1.5}}", "2: a: default: an integer is"),
        ("title: T\nparams: {a: {type: integer, default: 010}}", "2: a: default: an integer is"),
        (
            f"title: T\nparams: {{a: {{type: integer, default: {2**63}}}}}",
            f"2: a: default: {2**63}: an integer of SQLite has 64 bits",
        ),
        (
            "title: T\nparams: {a: {type: text, default: 1}}",
            "2: a: default: text is wanted, not an integer 1; put it in quotes",
        ),
        ("title: T\nparams: {a: {type: text, columns: [b]}}", "2: a: only a table has columns"),
        ("title: T\nparams: {a: {type: table}}", "2: params: the table a needs its columns"),
        ("title: T\nparams: {a: {type: table, columns: []}}", "2: a: columns: the list is empty"),
        (
            "title: T\nparams: {fds: {type: table, columns: [a]}}",
            "2: params: there is a table fds already",
        ),
        (
            "title: T\nparams:\n  a: {type: table, columns: [b],\n    default: [[1], [1, 2]]}",
            "4: a: default: a row of 2 cells for 1 columns",
        ),
        # no YAML
        ("tags: [a\ntitle: T", "2: the header is not YAML: "),
        ("title: a: b", "1: the header is not YAML: mapping values are not allowed"),
        (
            "Finds things.\ntags: [a]",
            "1: this comment has keys of a header, and does not begin with",
        ),
        ("\n - x\ntags: [a]", "2: this comment has keys of a header, and does not begin with one"),
        ("title: T\nFinds things.\ntags: [a]", "3: the header is not YAML: "),
        ("title: T\n\tx: y", "2: the header is not YAML: "),
        ("title: T\ntags: *a", "2: the header is not YAML: found undefined alias"),
        ("title: 'T", "1: the header is not YAML: found unexpected end of stream"),
        ("title: T\ntags: [a, \x1b]", "2: the header is not YAML: "),
        ("title: T\n---\ntitle: U", "2: the header is not YAML: but found another document"),
        ("title: T\ntags: " + "[" * 5000, "the header is not YAML: "),
        ("title: T\nkeys: &a [*a]", "2: keys: text is wanted, not a list"),
    ],
)
@pytest.mark.parametrize("loader", [header._LOADER, yaml.SafeLoader])
def test_a_broken_header_is_one_line_that_says_where(
    lines: str, message: str, loader: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(header, "_LOADER", loader)
    text = "".join(f"-- {line}\n" for line in lines.split("\n")) + "select 1"
    with pytest.raises(HeaderError) as caught:
        parse(text, "a b.sql")
    said = str(caught.value)
    assert message in said
    assert said.startswith("a b.sql:")
    assert said.count("\n") == 0
    assert caught.value.status == 2


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("", "q.sql:1: there is no statement in it"),
        ("-- title: T\n;\n", "q.sql:1: there is no statement in it"),
        ("select 1;\n\n; select 2", "q.sql:3: a second statement; a saved query is one"),
        ("\nselect ?", "q.sql:2: parameters need a name: write :name, not ?"),
        ("\nselect ?12", "q.sql:2: parameters need a name: write :name, not ?12"),
        ("select 1\n, '\0'", "q.sql:2: there is a NUL character"),
        ("-- x\ndelete from sockets", "q.sql:2: delete: a saved query only reads: it begins with"),
        ("create temp table a(b)", "q.sql:1: create: a saved query only reads"),
        ("with a as (select 1)\ninsert into b select * from a", "q.sql:2: insert: a saved query"),
        ("with a as (select 1) replace into b select * from a", "q.sql:1: replace: a saved query"),
        ("with a as (select 1) UPDATE b set c = 1", "q.sql:1: UPDATE: a saved query only reads"),
        ("pragma table_info(sockets)", "q.sql:1: pragma: a saved query only reads"),
        ("explain select 1", "q.sql:1: explain: a saved query only reads"),
        ("'a\nb' c", "q.sql:1: 'a: a saved query only reads"),
    ],
)
def test_a_query_is_one_statement_that_reads(sql: str, message: str) -> None:
    with pytest.raises(HeaderError) as caught:
        parse(sql, "q.sql")
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "sql",
    [
        "values (1), (2)",
        "; select 1 ; ; -- the end\n /* really */",
        "with replace as (select 'delete from x' as a) select a from replace",
        "with x(replace) as (select 1), y as (select replace(a, 'b', 'c') from x) select * from y",
        'with "insert" as (select 1) select * from "insert"',
    ],
)
def test_a_statement_that_reads_is_taken(sql: str) -> None:
    assert parse(sql, "q.sql").sql == sql


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    (tmp_path / "latin.sql").write_bytes(b"-- title: T\n-- tags: [\xe9]\nselect 1")
    (tmp_path / "long.sql").write_bytes(b"select 1 --" + b"x" * (1 << 20))
    (tmp_path / "bom.sql").write_bytes(b"\xef\xbb\xbf-- title: T\r\n-- tags: [a]\r\nselect 1\r\n")
    for name, message in (
        ("none.sql", ": No such file or directory"),
        (".", ": Is a directory"),
        ("latin.sql", ":2: not UTF-8 text"),
        ("long.sql", ":1: more than 1,048,576 bytes are no saved query"),
    ):
        with pytest.raises(UsageError) as caught:
            read(f"{tmp_path}/{name}")
        assert str(caught.value) == f"{tmp_path}/{name}{message}"
    assert read(f"{tmp_path}/bom.sql").tags == ("a",)


def test_every_key_of_a_header_is_read_and_kept() -> None:
    assert tuple(header.READERS) == tuple(KEYS)
    assert {key.replace(" ", "_") for key in KEYS} <= set(vars(Query("a", "a.sql", "select 1")))


@given(st.text(), st.sampled_from(["", "-- title: T\n-- tags: "]))
def test_any_text_is_a_query_or_a_header_error(text: str, start: str) -> None:
    said = None
    try:
        kept = parse(start + text, "q.sql").sql
    except HeaderError as error:
        said = str(error)
        kept = start + text
    assert kept == start + text
    assert said is None or said.startswith("q.sql:")


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1).filter(
    lambda text: bool(text.strip()) and text == text.strip()
)
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
HEADERS = st.fixed_dictionaries(
    {"title": TEXTS},
    optional={
        "description": TEXTS,
        "tags": st.lists(st.from_regex(r"[a-z0-9._-]+", fullmatch=True), unique=True),
        "severity": st.sampled_from(SEVERITIES),
        "keys": st.lists(TEXTS, unique=True),
        "references": st.lists(TEXTS),
        "live": st.booleans(),
        "timeout": st.floats(0.001, 1e6),
        "params": st.dictionaries(
            NAMES,
            st.one_of(
                st.fixed_dictionaries(
                    {"type": st.just("integer")},
                    optional={"default": st.integers(-(2**63), 2**63 - 1) | st.none()},
                ),
                st.fixed_dictionaries(
                    {"type": st.just("text")},
                    optional={"default": st.text(st.characters(codec="ascii")) | st.none()},
                ),
            ),
            max_size=3,
        ),
    },
)


@given(HEADERS)
def test_what_another_program_writes_as_yaml_is_read_as_it_was(said: dict[str, Any]) -> None:
    text = yaml.safe_dump(said, allow_unicode=True, width=60)
    lines = "".join(f"-- {line}\n" for line in text.split("\n"))
    query = parse(f"{lines}\nselect 1", "q.sql")
    params = said.pop("params", {})
    for key, value in said.items():
        found = getattr(query, key)
        assert (list(found) if isinstance(found, tuple) else found) == value
    assert {
        name: {"type": p.type, **({} if p.required else {"default": p.default})}
        for name, p in query.params.items()
    } == params
