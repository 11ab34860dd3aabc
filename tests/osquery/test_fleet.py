"""Fleet's files of which a part cannot be used, and its files of GitOps; every sample is written here."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sockql.errors import UsageError
from sockql.osquery.packs import gitops
from sockql.osquery.packs.config import read
from sockql.osquery.packs.nodes import PackError
from sockql.osquery.packs.pack import PackFile
from tests.test_cli import run

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """``write(name, text)``: a file with this text, its path."""

    def make(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return make


def queries(file: PackFile) -> list[tuple[str, str, str, str | None, bool]]:
    """``(pack, query, SQL, why it is not run, whether that is a mistake)``."""
    return [(p.name, q.name, q.sql, q.skip, q.wrong) for p in file.packs for q in p.queries]


def beside(path: Path, lines: list[str]) -> list[str]:
    """Messages with the directory of ``path`` left out."""
    return [line.replace(f"{path.parent}/", "") for line in lines]


# -- documents ----------------------------------------------------------------------------------

MIXED = """\
apiVersion: v1
kind: query
spec: {name: good, query: select 1}
---
apiVersion: v2
kind: policy
spec: {name: later, query: select 2}
---
apiVersion: v1
kind: lable
spec: {name: misspelt, query: select 3}
---
apiVersion: v1
kind: query
spec: {query: select 4}
---
just words
---
apiVersion: v1
kind: Policy
spec: {name: fine, query: select 5, critical: true, resolution: Mend it.}
---
apiVersion: v1
kind: label
spec: {name: mine, query: select 6}
---
apiVersion: v1
kind: pack
spec:
  name: bundle
  queries:
    - {query: good}
    - {query: lost}
    - {interval: 60}
---
apiVersion: v2
kind: pack
spec: {name: newer, queries: [{query: good}]}
---
apiVersion: v1
kind: pack
spec: {name: idle, disabled: true, queries: [{query: good}]}
"""


def test_a_document_that_cannot_be_used_leaves_the_others(write: Write) -> None:
    path = write("fleet.yml", MIXED)
    file = read(str(path))
    version = f"{path}:5: its apiVersion is v2, and the one that is known here is v1"
    assert queries(file) == [
        ("bundle", "good", "select 1", None, False),
        ("bundle", "lost", "", f"{path}:33: there is no query 'lost' in this file", True),
        ("idle", "good", "select 1", None, False),
        ("policies", "later", "select 2", version, True),
        ("policies", "fine", "select 5", None, False),
    ]
    assert [pack.skip for pack in file.packs] == [None, "it is disabled", None]
    assert [q.critical for q in file.packs[-1].queries] == [False, True]
    assert beside(path, file.mistakes) == [
        "fleet.yml:10: the kind lable is not one of report, query, policy, pack",
        "fleet.yml:15: the query has no `name`",
        "fleet.yml:17: a document has to be an object, not a text",
        "fleet.yml:36: its apiVersion is v2, and the one that is known here is v1",
        "fleet.yml:34: a query of a pack has to name a `query` of this file",
    ]
    assert beside(path, file.notices) == ["fleet.yml:23: a document of the kind label is no query"]


def test_what_comes_of_such_a_file(write: Write) -> None:
    path = write("fleet.yml", MIXED)
    status, said, complained = run("pack", str(path), "--tsv", "--netns", "self")
    rows = [line.split("\t") for line in said.splitlines()[1:]]
    assert [(row[0], row[1], row[2]) for row in rows] == [
        ("bundle", "good", "ran"),
        ("bundle", "lost", "error"),
        ("idle", "good", "skipped"),
        ("policies", "later", "error"),
        ("policies", "fine", "passed"),
    ]
    assert status == 2
    assert beside(path, complained.splitlines()) == [
        f"sockql: {line}" for line in beside(path, [*read(str(path)).mistakes])
    ] + ["sockql: fleet.yml:23: a document of the kind label is no query"]


def test_a_mistake_elsewhere_is_none_of_a_query_that_is_named(write: Write) -> None:
    path = write("fleet.yml", MIXED)
    status, said, complained = run("pack", str(path), "--query", "fine", "--csv")
    assert (status, said) == (0, "5\n5\n")
    assert "the kind lable" in complained


def test_a_mistake_alone_makes_the_status(write: Write) -> None:
    text = MIXED.split("---\n")
    path = write("fleet.yml", "---\n".join([text[0], text[4]]))
    status, said, complained = run("pack", str(path), "--json")
    assert (status, '"good"' in said) == (2, True)
    expected = "sockql: fleet.yml:5: a document has to be an object, not a text"
    assert beside(path, complained.splitlines()) == [expected]


def test_a_critical_policy_says_so(write: Write) -> None:
    text = "apiVersion: v1\nkind: policy\nspec: {name: p, critical: true, query: select 1 where 0"
    status, said, _ = run("pack", str(write("a.yml", text + ", resolution: Mend it.}")))
    assert (status, said.splitlines()[:2]) == (1, ["policies", "  p  failed (critical); Mend it."])
    status, said, _ = run("pack", str(write("b.yml", text + "}")))
    assert (status, said.splitlines()[:2]) == (1, ["policies", "  p  failed (critical)"])


def test_of_two_queries_of_one_name_the_last_counts(write: Write) -> None:
    path = write(
        "fleet.yml",
        "apiVersion: v1\nkind: report\nspec: {name: a, query: select 1}\n"
        "---\napiVersion: v1\nkind: query\nspec: {name: a, query: select 2}\n"
        "---\napiVersion: v1\nkind: policy\nspec: {name: a, query: select 3}\n",
    )
    other = f"the one at {path}:7 has its name, and the last one counts"
    assert queries(read(str(path))) == [
        ("reports", "a", "select 1", other, False),
        ("queries", "a", "select 2", None, False),
        ("policies", "a", "select 3", None, False),
    ]


def test_every_version_of_osquery_is_a_late_enough_one_for_all(write: Write) -> None:
    text = "apiVersion: v1\nkind: query\nspec: {name: a, query: select 1, min_osquery_version: %s}"
    assert queries(read(str(write("a.yml", text % "all")))) == [
        ("queries", "a", "select 1", None, False)
    ]
    later = "it needs osquery 99.0, and what is here answers as osquery 5.23.1"
    assert queries(read(str(write("b.yml", text % "'99.0'")))) == [
        ("queries", "a", "select 1", later, False)
    ]


def test_names_of_yaml_that_are_there_twice_and_what_is_merged(write: Write) -> None:
    path = write(
        "fleet.yml",
        "apiVersion: v1\nkind: query\nspec: &one\n  name: a\n  query: select 1\n  query: select 2\n"
        "---\napiVersion: v1\nkind: query\nspec:\n  <<: &two {name: b, query: select 3}\n  name: c\n"
        "---\napiVersion: v1\nkind: query\nspec:\n  <<: [{name: d}, {query: select 4}]\n",
    )
    file = read(str(path))
    assert queries(file) == [
        ("queries", "a", "select 2", None, False),
        ("queries", "c", "select 3", None, False),
        ("queries", "d", "select 4", None, False),
    ]
    assert beside(path, file.notices) == ["fleet.yml:6: 'query' is there twice; this one counts"]


# -- GitOps -------------------------------------------------------------------------------------

TEAM = r"""name: Servers
team_settings:
  secrets: [{secret: hidden}]
agent_options:
  path: nowhere.yml
controls:
reports:
  - name: Everything
    query: select 1 as one
    interval: 0
    platform: darwin,linux,windows,chrome
    min_osquery_version: all
    observer_can_run: false
    automations_enabled: true
    logging: snapshot
  - path: lib/programs.reports.yml
  - path: lib/lost.yml
  - paths: lib/**/*.{queries,reports}.yml
  - paths: none/*.yml
  - paths: lib/programs.reports.yml
  - path: lib/*.yml
  - path: a
    paths: b*
  - 7
  - name: Everything
    query: select 2
  - query: select 3
  - name: Mine
    query: select 4
    labels_include_any: [Web, Database]
policies:
  - path: lib/linux.policies.yml
  - name: Priced
    query: select '\$5' where 'a$' <> 'b'
    critical: true
    resolution: Nothing.
  - name: Elsewhere
    query: select 1 where '$FLEET_VAR_HOST' = 'a' or '${HOME}' = 'b'
  - name: Patched
    type: patch
    fleet_maintained_app_slug: zoom/darwin
  - name: Screen
    platform: darwin
    query: select 1 from screenlock
software:
"""


def test_a_file_of_gitops(write: Write, tmp_path: Path) -> None:
    path = write("teams/servers.yml", TEAM)
    write("teams/lib/programs.reports.yml", "- name: Programs\n  query: select 5\n- {}\n-\n")
    write("teams/lib/deep/er/more.queries.yml", "- name: More\n  query: select 6\n")
    write("teams/lib/deep/other.yml", "- name: Other\n  query: select 7\n")
    write("teams/lib/.hidden/x.queries.yml", "- name: Hidden\n  query: select 8\n")
    write(
        "teams/lib/linux.policies.yml",
        "- name: Linux\n  query: select 9\n  platform: linux\n- path: further.yml\n",
    )
    (tmp_path / "teams/lib/deep/back").symlink_to(tmp_path / "teams/lib")
    file = read(str(path))
    lib = tmp_path / "teams/lib"
    assert queries(file) == [
        ("policies", "Linux", "select 9", None, False),
        ("policies", "Priced", "select '$5' where 'a$' <> 'b'", None, False),
        (
            *("policies", "Elsewhere"),
            "select 1 where '$FLEET_VAR_HOST' = 'a' or '${HOME}' = 'b'",
            "it needs the variable $FLEET_VAR_HOST, which Fleet would fill in",
            False,
        ),
        (
            *("policies", "Patched", ""),
            "it is a patch policy, of which Fleet makes the query",
            False,
        ),
        (
            *("policies", "Screen", "select 1 from screenlock"),
            *("it is for the platform darwin", False),
        ),
        ("reports", "Everything", "select 1 as one", None, False),
        ("reports", "Programs", "select 5", None, False),
        ("reports", "More", "select 6", None, False),
        (
            *("reports", "Programs", "select 5"),
            f"{lib}/programs.reports.yml:2: the one at {lib}/programs.reports.yml:2 has its name",
            True,
        ),
        (
            *("reports", "Everything", "select 2"),
            f"{path}:26: the one at {path}:9 has its name",
            True,
        ),
        ("reports", "Mine", "select 4", None, False),
    ]
    assert [(q.policy, q.critical) for q in file.packs[0].queries[:2]] == [
        (True, False),
        (True, True),
    ]
    nameless = "lib/programs.reports.yml:3: each of `reports` has to have a `name`"
    assert beside(path, file.mistakes) == [
        "lib/linux.policies.yml:4: a list that a `path` leads to cannot name further files",
        nameless,
        "servers.yml:17: lib/lost.yml: No such file or directory",
        nameless,
        "servers.yml:20: lib/programs.reports.yml: one file is given by `path`",
        "servers.yml:21: lib/*.yml: a pattern of files is given by `paths`",
        "servers.yml:22: it has both `path` and `paths`",
        "servers.yml:24: each of `reports` has to be an object, not a number",
        "servers.yml:27: each of `reports` has to have a `name`",
    ]
    assert beside(path, file.notices) == [
        "servers.yml:19: no file is called like none/*.yml",
        (
            "servers.yml:30: Mine: which hosts have a label only Fleet knows: "
            "`labels_include_any` counts for nothing here"
        ),
    ]


def test_the_older_name_of_reports_and_a_list_by_itself(write: Write) -> None:
    path = write(
        "default.yml", "org_settings:\nqueries:\n- {name: a, query: select 1}\npolicies:\n"
    )
    assert queries(read(str(path))) == [("queries", "a", "select 1", None, False)]
    some = "- name: a\n  query: select 1\n"
    for name, text, pack in (
        ("x.reports.yml", some, "reports"),
        ("x.policies.yml", some, "policies"),
        ("x.yml", some + "  resolution: Mend it.\n", "policies"),
    ):
        file = read(str(write(name, text)))
        assert (queries(file), file.packs[0].queries[0].policy) == (
            [(pack, "a", "select 1", None, False)],
            pack == "policies",
        )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("policies: {a: b}", "default.yml:1: `policies` has to be a list, not an object"),
        ("controls:\n  scripts: []", "default.yml:1: this is none of Fleet's documents"),
        ("policies:\n- path: .", "default.yml:2: DIR/.: it is no regular file"),
        ("policies:\n- path: fifo", "default.yml:2: DIR/fifo: it is no regular file"),
        ("policies:\n- path: loop", "default.yml:2: DIR/loop: Too many levels of symbolic links"),
        ("policies:\n- path: [x]", "default.yml:2: `path` has to be a text, not a list"),
        ('policies:\n- path: "a\\0b"', r"default.yml:2: 'DIR/a\x00b' is no path"),
        ("policies:\n- path: words", "words:1: a file that a `path` leads to has to be a list"),
        ("policies:\n- path: broken", "broken:2: "),
        ("policies:\n- path: empty", None),
    ],
)
def test_what_is_wrong_with_a_file_of_gitops(write: Write, text: str, message: str | None) -> None:
    path = write("default.yml", text)
    write("words", "just words")
    write("broken", "- name: a\n  query: b: c\n")
    write("empty", "")
    os.mkfifo(path.parent / "fifo")
    (path.parent / "loop").symlink_to("loop")
    if message is None:
        assert queries(read(str(path))) == []
        return
    with pytest.raises(PackError) as caught:
        read(str(path))
    (said,) = beside(path, [str(caught.value)])
    assert said.startswith(message.replace("DIR/", ""))


def test_a_yaml_error_is_one_of_the_whole_file(write: Write) -> None:
    path = write("default.yml", "reports:\n- name: a\n  query: select 1\n- name: b: c\n")
    with pytest.raises(UsageError, match=f"^{path}:4: "):
        read(str(path))


def test_dollar_signs_are_as_fleet_reads_them() -> None:
    assert gitops._filled(r"a$ \$b \\\$c \\$d $1 $'") == (r"a$ $b \$c \\$d $1 $'", "$d")
    assert gitops._filled("${x}y $z") == ("${x}y $z", "$x")
    assert gitops._filled(r"\${x} 'e$'") == ("${x} 'e$'", None)
