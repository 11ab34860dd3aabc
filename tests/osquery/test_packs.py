"""Packs and configurations as files say them; every sample is written here."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sockql.errors import UsageError
from sockql.osquery.packs import rules
from sockql.osquery.packs.config import read
from sockql.osquery.packs.json_text import Stripped, parse
from sockql.osquery.packs.nodes import Node, PackError
from sockql.osquery.packs.pack import PackFile, PackQuery

_SETTINGS = settings(deadline=None, database=None)

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """``write(text, name)``: a file with this text, its path."""

    def make(text: str | bytes, name: str = "sample.conf") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return make


def failure(path: Path | str) -> str:
    """What is wrong with a file, its directory left out."""
    with pytest.raises(UsageError) as caught:
        read(str(path))
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{Path(path).parent}/")


def plain(node: Node) -> Any:
    """The value of a node without its lines."""
    if isinstance(node.value, dict):
        return {key: plain(value) for key, value in node.value.items()}
    if isinstance(node.value, list):
        return [plain(value) for value in node.value]
    return node.value


def only(file: PackFile) -> PackQuery:
    """The one query of a file."""
    ((query,),) = [pack.queries for pack in file.packs]
    return query


def pack_of(query: dict[str, Any], **more: Any) -> str:
    """A pack of one query, which is ``q``."""
    return json.dumps({"queries": {"q": query}, **more})


# -- JSON ---------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # An unpaired surrogate is no text that a file could have.
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=20,
)


@given(VALUES, st.sampled_from([None, 1, 4]), st.booleans())
@_SETTINGS
def test_json_is_what_the_standard_library_reads(value: Any, indent: int | None, raw: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=raw)
    # A line of a text that a backslash ends, or that looks like a comment, is another matter.
    notices: list[str] = []
    assert plain(parse(text, "x", notices)) == json.loads(text)
    assert notices == []


def test_comments_and_continued_lines_are_taken_out() -> None:
    text = (
        '// one\n  # two\n{"a": "select \\\n  1, # no comment\\\n // nor this", \\\r\n"b": 2}\r\n'
    )
    assert plain(parse(text, "x", [])) == {
        "a": "select   1, # no comment // nor this",
        "b": 2,
    }


def test_a_comment_that_ends_in_a_backslash_goes_on() -> None:
    assert plain(parse('# one \\\n"not": this\n{}\n', "x", [])) == {}


def test_a_place_is_found_in_the_line_that_it_was_in() -> None:
    text = "# one\n{\n// three\n  a \\\n b\n\n}"
    stripped = Stripped(text)
    places = {character: stripped.line(stripped.text.index(character)) for character in "{ab}"}
    assert places == {"{": 2, "a": 4, "b": 5, "}": 7}


def test_lines_are_those_of_the_file() -> None:
    node = parse('\n{"a":\n [1,\n\n 2],\n# c\n "b": "x \\\n y"}', "f", [])
    assert (node.where, node.value["a"].where, node.value["a"].value[1].where) == (
        *("f:2", "f:3"),
        "f:5",
    )
    assert node.value["b"].where == "f:7"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1,\n}', "f:1: there is a comma before }, where nothing follows it"),
        ('{"a": [1,\n2,\n\n]}', "f:2: there is a comma before ], where nothing follows it"),
        ('{"a": 1\n "b": 2}', "f:1: a comma or } is expected, not '\"'"),
        ('{"a": 1', "f:1: a comma or } is expected, not the end of the file"),
        ('{"a": [\n', "f:1: a value is expected, not the end of the file"),
        ('{"a" 1}', "f:1: a colon is expected after 'a', not '1'"),
        ("{a: 1}", "f:1: a name in double quotes is expected, not 'a'"),
        ("{'a': 1}", 'f:1: a name in double quotes is expected, not "\'"'),
        ('{"a":\n yes}', "f:2: a value is expected, not 'yes'"),
        ('{"a": 01}', "f:1: a comma or } is expected, not '1'"),
        (
            '{"a":\n"select 1\n from x"}',
            'f:2: a text is not closed by "; one that goes on needs \\ at the line end',
        ),
        ('{"a": "b\\q"}', "f:1: invalid \\escape"),
        ('{"a": "\tb"}', "f:1: invalid control character"),
        ('{}\n"x"', "f:2: '\"' after the end of an object"),
        ("", "f:1: a value is expected, not the end of the file"),
        ("[" * 200, "f:1: more than 100 brackets are open"),
    ],
)
def test_what_is_no_json_is_said_with_its_line(text: str, message: str) -> None:
    with pytest.raises(PackError) as caught:
        parse(text, "f", [])
    assert str(caught.value) == message


def test_of_a_name_that_is_there_twice_the_first_counts() -> None:
    notices: list[str] = []
    assert plain(parse('{"a": 1,\n"a": 2}', "f", notices)) == {"a": 1}
    assert notices == ["f:2: 'a' is there twice; the one in line 1 counts"]


# -- rules --------------------------------------------------------------------------------------


def node(value: Any) -> Node:
    return Node(value, "f", 3)


@pytest.mark.parametrize(
    "platform",
    [
        *("linux", "all", "any", "posix", "ubuntu", "centos", "darwin,linux", "linux, windows"),
        *("", "null", "allthethings", 7, None, ["darwin"], True),
    ],
)
def test_platforms_that_are_this_one(platform: Any) -> None:
    assert rules.other_platform(node(platform)) is None


@pytest.mark.parametrize("platform", ["darwin", "windows", "freebsd", "darwin,windows", "Linux"])
def test_platforms_that_are_others(platform: str) -> None:
    assert rules.other_platform(node(platform)) == f"it is for the platform {platform}"


@pytest.mark.parametrize(
    ("needed", "mine", "enough"),
    [
        ("5.23.1", "5.23.1", True),
        ("5.23.2", "5.23.1", False),
        ("5.9.0", "5.23.1", True),
        ("6", "5.23.1", False),
        ("5", "5.23.1", True),
        ("5.23.1.1", "5.23.1", True),  # osquery stops at the end of its own
        ("1.4.5", "5.23.1", True),
        ("0.0.0", "5.23.1", True),
        ("5.23.1-12-gabcdef", "5.23.1", True),
        ("5.x", "5.23.1", False),  # of what is no number the texts are compared
        ("5.!", "5.23.1", True),
    ],
)
def test_versions(needed: str, mine: str, enough: bool) -> None:
    assert rules.at_least(needed, mine) is enough
    reason = f"it needs osquery {needed}, and what is here answers as osquery {mine}"
    assert rules.newer_version(node(needed), mine) == (None if enough else reason)


@pytest.mark.parametrize("version", ["", "null", 99, None, ["99"]])
def test_versions_that_are_none(version: Any) -> None:
    assert rules.newer_version(node(version)) is None


def test_a_host_is_in_one_shard() -> None:
    for host in ("web-1", "web-2", "db.example.org"):
        first = int(hashlib.sha1(host.encode()).hexdigest()[:2], 16)
        assert rules.shard(host) == first * 100 // 255
    mine = rules.shard("web-1")
    assert rules.other_shard(node(mine), "web-1") is None
    assert rules.other_shard(node(str(mine)), "web-1") is None
    assert rules.other_shard(node(0), "web-1") is None
    assert rules.other_shard(node("some"), "web-1") is None
    assert rules.other_shard(node(mine - 1), "web-1") == (
        f"it is for shard {mine - 1}, and this host is in shard {mine}"
    )


@pytest.mark.parametrize("interval", [1, 3600, 604800, "60"])
def test_intervals(interval: Any) -> None:
    assert rules.wrong_interval(node(interval)) is None


@pytest.mark.parametrize("interval", [0, -1, 604801, "", "1h", 1.5, "99999999999999999999"])
def test_wrong_intervals(interval: Any) -> None:
    assert rules.wrong_interval(node(interval)) == (
        f"f:3: its interval is {interval}, not 1 to 604800 seconds"
    )


# -- packs --------------------------------------------------------------------------------------


def test_a_pack(write: Write) -> None:
    path = write(
        """\
# Who is there?
{
  "platform": "linux",
  "version": "1.4.5",
  "discovery": ["select 1 from processes where pid = 1"],
  "queries": {
    "second": {
      "query": "select pid, name \\
                from processes",
      "interval": "60",
      "snapshot": true,
      "description": "Programs.",
      "value": "ignored"
    },
    "first": {"query": "select 1 as one;", "interval": 60},
    "early": {"query": "select 2", "interval": 60, "startup_priority": 1}
  }
}
""",
        "who.conf",
    )
    file = read(str(path))
    (pack,) = file.packs
    assert (pack.name, pack.discovery, pack.skip, file.notices) == (
        *("who", ["select 1 from processes where pid = 1"]),
        *(None, []),
    )
    assert [(q.name, q.scheduled, q.sql, q.where, q.description, q.skip) for q in pack.queries] == [
        ("early", "pack_who_early", "select 2", f"{path}:16", "", None),
        ("first", "pack_who_first", "select 1 as one;", f"{path}:15", "", None),
        (
            *("second", "pack_who_second", "select pid, name                 from processes"),
            *(f"{path}:8", "Programs.", None),
        ),
    ]


@pytest.mark.parametrize(
    ("query", "skip", "wrong"),
    [
        ({"query": "select 1", "platform": "darwin"}, "it is for the platform darwin", False),
        (
            {"query": "select 1", "version": "99.1"},
            "it needs osquery 99.1, and what is here answers as osquery 5.23.1",
            False,
        ),
        ({"interval": 1}, "FILE:1: it has no `query`", True),
        ({"query": 7}, "FILE:1: `query` has to be a text, not a number", True),
        ({"query": " "}, "FILE:1: `query` is empty", True),
        (
            {"query": "select 1", "interval": 0},
            "FILE:1: its interval is 0, not 1 to 604800 seconds",
            True,
        ),
        # What is not for this host is not looked at any further.
        ({"platform": "windows"}, "it is for the platform windows", False),
    ],
)
def test_why_a_query_is_not_run(
    write: Write, query: dict[str, Any], skip: str, wrong: bool
) -> None:
    path = write(pack_of(query))
    found = only(read(str(path)))
    assert (found.skip, found.wrong) == (skip.replace("FILE", str(path)), wrong)


def test_a_query_that_is_no_object_is_wrong_and_the_others_are_not(write: Write) -> None:
    path = write('{"queries": {"a": "select 1",\n"b": {"query": "select 2"}}}')
    (pack,) = read(str(path)).packs
    assert [(q.name, q.skip, q.wrong) for q in pack.queries] == [
        ("a", f"{path}:1: a query has to be an object, not a text", True),
        ("b", None, False),
    ]


@pytest.mark.parametrize("name", ["query.x", "cache.x", "config_views.x", "my_epoch", "xcounter"])
def test_names_that_osquery_keeps(write: Write, name: str) -> None:
    path = write(json.dumps({"queries": {name: {"query": "select 1"}}}))
    reason = "osquery keeps names that begin or end like this for itself"
    assert only(read(str(path))).skip == f"{path}:1: {reason}"


@pytest.mark.parametrize(
    ("more", "skip"),
    [
        ({"platform": "windows"}, "it is for the platform windows"),
        (
            {"version": "99"},
            "it needs osquery 99, and what is here answers as osquery 5.23.1",
        ),
    ],
)
def test_why_a_pack_is_not_run(write: Write, more: dict[str, Any], skip: str) -> None:
    (pack,) = read(str(write(pack_of({"query": "select 1"}, **more)))).packs
    assert (pack.skip, [query.skip for query in pack.queries]) == (skip, [None])


def test_restrictions_of_another_type_count_for_nothing_and_it_is_said(write: Write) -> None:
    path = write(
        '{"queries": {"q": {"query": "select 1",\n "platform": ["darwin"]}},\n'
        '"version": 9, "discovery": "select 1"}'
    )
    file = read(str(path))
    assert only(file).skip is None
    assert file.notices == [
        f"{path}:3: `version` is a number, not a text: it counts for nothing in osquery",
        f"{path}:3: `discovery` is a text, not a list: it counts for nothing in osquery",
        f"{path}:2: `platform` is a list, not a text: it counts for nothing in osquery",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "1: a pack has to be an object, not a list"),
        (
            '\n{"query": "select 1"}',
            "2: this is neither a pack, which has `queries`, nor a configuration of osquery",
        ),
        ('{"queries":\n []}', "2: `queries` has to be an object, not a list"),
        ('{"schedule":\n "x"}', "2: `schedule` has to be an object, not a text"),
        (
            '{"packs": {\n"a": 1}}',
            "2: the pack `a` has to be an object or the path of a file, not a number",
        ),
        ('{"views": {"a":\n 1}}', "2: the view `a` has to be a text, not a number"),
        (
            '{"decorators": {"load":\n "select 1"}}',
            "2: the decorators `load` has to be a list, not a text",
        ),
        (
            '{"decorators": {"load": [\n1]}}',
            "2: each of the decorators `load` has to be a text, not a number",
        ),
        (
            '{"queries": {}, "discovery": [\n1]}',
            "2: each of the queries under `discovery` has to be a text, not a number",
        ),
        ('{"queries": {},}', "1: there is a comma before }, where nothing follows it"),
        ('{"packs": {"a":\n "none.conf"}}', "2: DIR/none.conf: No such file or directory"),
    ],
)
def test_what_is_no_pack_is_said_with_its_line(write: Write, text: str, message: str) -> None:
    path = write(text)
    assert failure(path) == f"sample.conf:{message}".replace("DIR", str(path.parent))


def test_files_that_cannot_be_read(write: Write, tmp_path: Path) -> None:
    assert failure(tmp_path / "none.conf") == "none.conf: No such file or directory"
    assert failure(tmp_path) == f"{tmp_path.name}: there is no file *.conf or *.sql in it"
    assert failure(write(b'{"a": "\xff"}')) == "sample.conf: not UTF-8 text at byte 7"


# -- configurations -----------------------------------------------------------------------------


def test_a_configuration(write: Write) -> None:
    one = write(pack_of({"query": "select 'one'"}), "packs/one.conf")
    write(pack_of({"query": "select 'two'"}), "packs/more/two.conf")
    write(pack_of({"query": "select 'three'"}), "packs/more/three.conf")
    path = write(
        json.dumps(
            {
                "options": {"pack_delimiter": "/"},
                "schedule": {"now": {"query": "select 0"}},
                "packs": {
                    "here": {"queries": {"q": {"query": "select 'here'"}}},
                    "absolute": str(one),
                    "beside": "packs/one.conf",
                    "*": "packs/more/%.conf",
                },
                "views": {"v": "select 1"},
                "decorators": {
                    "load": ["select 1 as a"],
                    "always": ["select 2 as b"],
                    "interval": {"3600": ["select 3 as c"], "61": ["select 4"]},
                },
                "file_paths": {"etc": ["/etc/%%"]},
            }
        )
    )
    file = read(str(path))
    assert [(pack.name, q.scheduled, q.sql) for pack in file.packs for q in pack.queries] == [
        ("main", "now", "select 0"),
        ("here", "pack/here/q", "select 'here'"),
        ("absolute", "pack/absolute/q", "select 'one'"),
        ("beside", "pack/beside/q", "select 'one'"),
        ("three", "pack/three/q", "select 'three'"),
        ("two", "pack/two/q", "select 'two'"),
    ]
    assert file.views == {"v": ("select 1", f"{path}:1")}
    assert file.decorators == ["select 1 as a", "select 2 as b", "select 3 as c"]
    assert file.notices == [f"{path}:1: the interval 61 is no multiple of 60"]


def test_a_pattern_that_no_file_is_like_is_a_notice(write: Write) -> None:
    path = write('{"packs": {"*":\n "none/*.conf"}}')
    file = read(str(path))
    assert (file.packs, file.notices) == ([], [f"{path}:2: no file is called like none/*.conf"])


def test_a_pack_in_a_file_says_what_is_wrong_with_it(write: Write, tmp_path: Path) -> None:
    write('{\n"queries": {},\n}', "broken.conf")
    path = write('{"packs": {"a": "broken.conf"}}')
    assert failure(path) == "broken.conf:2: there is a comma before }, where nothing follows it"


def test_what_cannot_be_used_of_a_configuration_leaves_the_rest(
    write: Write, tmp_path: Path
) -> None:
    write(pack_of({"query": "select 'a'"}), "packs/a.conf")
    write('{"queries": {},}', "packs/comma.conf")
    os.mkfifo(tmp_path / "packs/fifo")
    (tmp_path / "packs/loop").symlink_to("loop")
    path = write(
        """{"packs": {
"lost": "packs/lost.conf",
"fifo": "packs/fifo",
"loop": "packs/loop",
"comma": "packs/comma.conf",
"number": 1,
"wrong": {"queries": 1},
"*": "packs/%.conf",
"here": {"queries": {"q": {"query": "select 'here'"}}, "discovery": [1, "select 1"]}
},
"schedule": [],
"views": {"v": 1, "w": "select 1"},
"decorators": {"load": 1, "always": [1, "select 1 as one"]}}"""
    )
    file = read(str(path))
    assert [(p.name, q.name, q.sql, q.skip) for p in file.packs for q in p.queries] == [
        ("a", "q", "select 'a'", None),
        ("here", "q", "select 'here'", None),
    ]
    assert file.packs[-1].discovery == ["select 1"]
    assert (file.views, file.decorators) == (
        {"w": ("select 1", f"{path}:12")},
        ["select 1 as one"],
    )
    assert [line.replace(f"{tmp_path}/", "") for line in file.mistakes] == [
        "sample.conf:11: `schedule` has to be an object, not a list",
        "sample.conf:2: packs/lost.conf: No such file or directory",
        "sample.conf:3: packs/fifo: it is no regular file",
        "sample.conf:4: packs/loop: Too many levels of symbolic links",
        "packs/comma.conf:1: there is a comma before }, where nothing follows it",
        "sample.conf:6: the pack `number` has to be an object or the path of a file, not a number",
        "sample.conf:7: `queries` has to be an object, not a number",
        "packs/comma.conf:1: there is a comma before }, where nothing follows it",
        "sample.conf:9: each of the queries under `discovery` has to be a text, not a number",
        "sample.conf:12: the view `v` has to be a text, not a number",
        "sample.conf:13: the decorators `load` has to be a list, not a number",
        "sample.conf:13: each of the decorators `always` has to be a text, not a number",
    ]


def test_the_files_beside_a_configuration_belong_to_it(write: Write) -> None:
    main = {"schedule": {"one": {"query": "select 1"}}}
    path = write(json.dumps(main), "osquery.conf")
    write(json.dumps({"schedule": {"two": {"query": "select 2"}}}), "osquery.conf.d/b.conf")
    write(json.dumps({"packs": {"p": "three.conf"}}), "osquery.conf.d/a.conf")
    write(pack_of({"query": "select 3"}), "osquery.conf.d/three.conf")
    write("{", "osquery.conf.d/c.conf")
    write("{", "osquery.conf.d/c.txt")
    file = read(str(path))
    assert [(p.name, q.scheduled, q.sql) for p in file.packs for q in p.queries] == [
        ("main", "one", "select 1"),
        ("p", "pack_p_q", "select 3"),
        ("main", "two", "select 2"),
    ]
    assert [line.partition("conf.d/")[2] for line in file.mistakes] == [
        "c.conf:1: a name in double quotes is expected, not the end of the file"
    ]


@pytest.mark.parametrize("pattern", ["", "/", ".", "\0", "packs", "/none/%%", "[", "packs/[!a]"])
def test_patterns_that_stand_for_nothing(
    write: Write, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    path = write(json.dumps({"packs": {"*": pattern}}), "here/sample.conf")
    write("{}", "here/packs/a")
    monkeypatch.chdir(path.parent)
    file = read("sample.conf")
    assert (file.packs, file.notices) == ([], [f"sample.conf:1: no file is called like {pattern}"])


def test_the_name_of_a_directory_is_no_pattern(write: Write) -> None:
    write(pack_of({"query": "select 1"}), "kit[1]*/packs/one.conf")
    path = write('{"packs": {"*": "packs/%.conf"}}', "kit[1]*/sample.conf")
    assert [pack.name for pack in read(str(path)).packs] == ["one"]


def test_links_that_lead_back_do_not_hold_a_pattern_up(write: Write, tmp_path: Path) -> None:
    write(pack_of({"query": "select 1"}), "packs/deep/er/one.conf")
    write(pack_of({"query": "select 2"}), "packs/two.conf")
    for name in ("a", "b", "c"):
        (tmp_path / "packs/deep" / name).symlink_to(tmp_path / "packs")
    path = write('{"packs": {"*": "packs/%%"}}')
    assert [pack.name for pack in read(str(path)).packs] == ["two", "one"]


def test_a_file_may_begin_with_a_mark_of_its_encoding(write: Write) -> None:
    assert only(read(str(write(b"\xef\xbb\xbf" + pack_of({"query": "select 1"}).encode())))).sql


def test_a_large_pack_is_read_in_no_time(write: Write) -> None:
    """Ten megabytes in 5,000 queries: a matter of a second, were it not for a slow machine."""
    packed = {f"q{i}": {"query": f"select {i}", "description": "x" * 2000} for i in range(5000)}
    started = process_time()
    (pack,) = read(str(write(json.dumps({"queries": packed}, indent=1)))).packs
    assert len(pack.queries) == 5000
    assert process_time() - started < 10


def test_a_pack_without_queries_is_a_notice(write: Write) -> None:
    path = write('{"packs": {"a": {"platform": "linux"}}}')
    assert read(str(path)).notices == [f"{path}:1: the pack `a` has no `queries`"]


# -- files of SQL -------------------------------------------------------------------------------

SQL = """\
-- Who listens
--   on any address?
--
-- It may be meant so.
-- references:
--   * https://example.org
-- false positives: servers
-- platform: PLATFORM
-- tags: state
SELECT 1 -- platform: windows
"""


def test_a_file_of_sql_is_a_query(write: Write) -> None:
    path = write(SQL.replace("PLATFORM", "posix"), "listening/any.sql")
    file = read(str(path))
    query = only(file)
    assert (file.packs[0].name, query.name, query.scheduled, query.where, query.skip) == (
        *("listening", "any", "pack_listening_any", f"{path}:1", None),
    )
    assert query.description == "Who listens on any address?"
    assert query.sql == path.read_text()
    path = write(SQL.replace("PLATFORM", "darwin"), "listening/mac.sql")
    assert only(read(str(path))).skip == "it is for the platform darwin"
    assert failure(path.parent / "none.sql") == "none.sql: No such file or directory"


def test_a_directory_is_all_packs_in_it(write: Write, tmp_path: Path) -> None:
    write("select 1", "kit*/a/one.sql")
    write("select 2", "kit*/a/two.sql")
    write("select 3", "kit*/b/deep/three.sql")
    write(b"\xff", "kit*/b/bad.sql")
    write(pack_of({"query": "select 4"}), "kit*/four.conf")
    write("{", "kit*/bad.conf")
    write(b"\xff", "kit*/worse.conf")
    write("select 5", "kits/five.sql")
    (tmp_path / "kit*/a/back").symlink_to(tmp_path / "kit*")
    file = read(str(tmp_path / "kit*"))
    assert [(p.name, q.name, q.sql) for p in file.packs for q in p.queries] == [
        ("four", "q", "select 4"),
        ("a", "one", "select 1"),
        ("a", "two", "select 2"),
        ("deep", "three", "select 3"),
    ]
    assert [line.removeprefix(f"{tmp_path}/kit*/") for line in file.mistakes] == [
        "bad.conf:1: a name in double quotes is expected, not the end of the file",
        "worse.conf: not UTF-8 text at byte 0",
        "b/bad.sql: not UTF-8 text at byte 0",
    ]


# -- anything -----------------------------------------------------------------------------------

_NAMES = st.sampled_from(
    [
        *("queries", "query", "packs", "schedule", "views", "decorators", "options", "discovery"),
        *("platform", "version", "shard", "interval", "load", "always", "*", "description"),
        *("apiVersion", "kind", "spec", "name", "pack_delimiter", "startup_priority", "resolution"),
        *("policies", "reports", "path", "type", "critical", "labels_include_any", "disabled"),
    ]
)
_TEXTS = st.sampled_from(
    [
        "linux",
        "darwin",
        "5.1",
        "v1",
        "query",
        "policy",
        "pack",
        "select 1",
        "60",
        "²",
        "",
        "9" * 5000,
    ]
) | st.text(max_size=5)
_DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 10**30) | st.floats() | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES | _TEXTS, inner, max_size=5),
    max_leaves=30,
)


@given(st.dictionaries(_NAMES, _DOCUMENTS, max_size=6), st.booleans())
@settings(_SETTINGS, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_in_a_file_it_is_read_or_refused_in_one_line(
    tmp_path: Path, document: dict[str, Any], as_yaml: bool
) -> None:
    path = tmp_path / "any"
    # YAML that is JSON, behind what makes it YAML.
    text = ("---\n" if as_yaml else "") + json.dumps(document).replace("Infinity", "1e999")
    path.write_text(text.replace("NaN", "null"))
    file, said = PackFile(), str(tmp_path)
    try:
        file = read(str(path))
    except UsageError as error:
        said = str(error)
    assert said.startswith(str(tmp_path))
    for pack in file.packs:
        assert [q for q in pack.queries if not (q.sql.strip() or q.skip)] == []


@given(st.text())
@settings(_SETTINGS, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_text_of_a_file_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "any"
    path.write_text(text)
    with pytest.raises(UsageError, match=f"^{path}:"):
        read(str(path))


# -- Fleet --------------------------------------------------------------------------------------

FLEET = """\
apiVersion: v1
kind: policy
spec:
  name: Something listens
  platform: linux,darwin
  description: |
    Of the services
    one at least.
  resolution: Start it.
  query: SELECT 1 FROM listening_ports;
  tags: compliance
---
apiVersion: v1
kind: report
spec:
  name: Programs
  query: >-
    SELECT pid
    FROM processes
---
# An old name of the same thing.
apiVersion: v1
kind: query
spec:
  name: Elsewhere
  platform: windows
  query: SELECT 1
  min_osquery_version: 1.0
---
apiVersion: v1
kind: query
spec: {name: Tomorrow, query: SELECT 2, min_osquery_version: "99.0"}
---
"""


def test_fleets_documents(write: Write) -> None:
    path = write(FLEET, "fleet.yml")
    file = read(str(path))
    found = [
        (pack.name, q.name, q.sql, q.where, q.policy, q.skip, q.description, q.resolution)
        for pack in file.packs
        for q in pack.queries
    ]
    later = "it needs osquery 99.0, and what is here answers as osquery 5.23.1"
    listens = "SELECT 1 FROM listening_ports;"
    assert found == [
        (
            *("policies", "Something listens", listens, f"{path}:10", True, None),
            *("Of the services\none at least.", "Start it."),
        ),
        (
            *("reports", "Programs", "SELECT pid FROM processes", f"{path}:17", False, None),
            *("", ""),
        ),
        (
            *("queries", "Elsewhere", "SELECT 1", f"{path}:27", False),
            *("it is for the platform windows", "", ""),
        ),
        ("queries", "Tomorrow", "SELECT 2", f"{path}:32", False, later, "", ""),
    ]
    assert file.notices == []


def test_fleets_packs_name_queries_of_the_file(write: Write) -> None:
    text = """\
apiVersion: v1
kind: pack
spec:
  name: mine
  queries:
    - {query: a, interval: 60, platform: darwin}
    - {query: b, interval: 60}
---
apiVersion: v1
kind: query
spec: {name: a, query: select 1}
---
apiVersion: v1
kind: query
spec: {name: b, query: select 2}
---
apiVersion: v1
kind: query
spec: {name: c, query: select 3}
"""
    file = read(str(write(text, "fleet.yml")))
    assert [
        (pack.name, q.name, q.scheduled, q.sql, q.skip) for pack in file.packs for q in pack.queries
    ] == [
        ("mine", "a", "pack/mine/a", "select 1", "it is for the platform darwin"),
        ("mine", "b", "pack/mine/b", "select 2", None),
        ("queries", "c", "c", "select 3", None),
    ]


def test_fleets_documents_may_be_json(write: Write) -> None:
    text = '{"apiVersion": "v1", "kind": "policy", "spec": {"name": "p", "query": "select 1"}}'
    query = only(read(str(write(text))))
    assert (query.name, query.sql, query.policy) == ("p", "select 1", True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1: there is nothing in it"),
        ("just words", "1: a document has to be an object, not a text"),
        (
            "---\n- name: x",
            "2: a document has to be an object, not a list",
        ),
        (
            "name: x",
            (
                "1: this is none of Fleet's documents, which have `apiVersion` and `kind`, "
                "or `policies` or `reports`"
            ),
        ),
        (
            "apiVersion: v1\nkind: lable",
            "2: the kind lable is not one of report, query, policy, pack",
        ),
        ("apiVersion: v1\nkind: label", "1: there is no query in it"),
        ("apiVersion: v1\nkind: 7", "2: `kind` has to be a text, not a number"),
        ("apiVersion: v1\nkind: query", "1: the query has no `spec`"),
        ("apiVersion: v1\nkind: query\nspec: x", "3: `spec` has to be an object, not a text"),
        ("apiVersion: v1\nkind: query\nspec:\n  query: x", "4: the query has no `name`"),
        (
            "apiVersion: v1\nkind: query\nspec:\n  name: 1",
            "4: `name` has to be a text, not a number",
        ),
        (
            "apiVersion: v1\nkind: pack\nspec:\n  name: a\n  queries: [{interval: 1}]",
            "5: a query of a pack has to name a `query` of this file",
        ),
        ("? [1]\n: 2", "1: a name has to be a text"),
    ],
)
def test_what_is_none_of_fleets_is_said_with_its_line(
    write: Write, text: str, message: str
) -> None:
    assert failure(write(text, "fleet.yml")) == f"fleet.yml:{message}"


@pytest.mark.parametrize(
    ("text", "line"), [("x: 1\na: b: c", 2), ("a: [1,\n", 2), ("a: \x00", 1), ("a: 'b\n", 2)]
)
def test_what_is_no_yaml_is_said_with_its_line(write: Write, text: str, line: int) -> None:
    """The words are those of PyYAML's parser, or of libyaml's."""
    assert failure(write(text, "fleet.yml")).startswith(f"fleet.yml:{line}: ")


def test_a_query_of_fleets_without_sql_is_wrong(write: Write) -> None:
    path = write("apiVersion: v1\nkind: report\nspec:\n  name: a\n  query: [1]", "fleet.yml")
    query = only(read(str(path)))
    assert (query.skip, query.wrong) == (f"{path}:4: it has a list for a `query`", True)


def test_a_document_without_a_query_is_refused_as_json_too(write: Write) -> None:
    path = write('{"apiVersion": "v1", "kind": "label", "spec": {"name": "a"}}')
    assert failure(path) == "sample.conf:1: there is no query in it"


def test_aliases_do_not_grow(write: Write) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 30)]
    text = "apiVersion: v1\nkind: lable\n" + "\n".join(lines)
    assert failure(write(text, "fleet.yml")).startswith("fleet.yml:2: the kind lable")
    endless = "apiVersion: v1\nkind: lable\nspec: &a [*a, *a]"
    assert failure(write(endless, "fleet.yml")).endswith("nested too deeply")
