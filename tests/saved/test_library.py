"""Where queries are found, and which one a name means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sockql.errors import UsageError
from sockql.saved.library import (
    Library,
    files_in,
    search_path,
    selected,
    shipped_directory,
    user_directory,
)
from sockql.saved.query import Query

ROOT = Path(__file__).resolve().parent.parent.parent


def write(directory: Path, **queries: str) -> str:
    directory.mkdir(exist_ok=True)
    for name, text in queries.items():
        (directory / f"{name}.sql").write_text(text)
    return str(directory)


def test_the_search_path_is_the_environment_then_the_user_then_the_shipped_ones() -> None:
    shipped = shipped_directory()
    assert Path(shipped).resolve() == ROOT / "queries"
    assert search_path({"SOCKQL_QUERIES": "/a::b", "XDG_CONFIG_HOME": "/c"}) == [
        "/a",
        "b",
        "/c/sockql/queries",
        shipped,
    ]
    home = os.path.expanduser("~")
    for environment in ({}, {"XDG_CONFIG_HOME": "relative"}):
        assert user_directory(environment) == f"{home}/.config/sockql/queries"


def test_the_first_of_two_queries_counts_and_the_other_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", f"{tmp_path}/none")
    first = write(tmp_path / "first", both="select 1", one="select 3")
    second = write(tmp_path / "second", both="select 2", two="select 4")
    library = Library([first, second, user_directory(), first])
    assert [(q.name, q.path, q.sql) for q in library.all()] == [
        ("both", f"{first}/both.sql", "select 1"),
        ("one", f"{first}/one.sql", "select 3"),
        ("two", f"{second}/two.sql", "select 4"),
    ]
    notice = f"{first}/both.sql is used, not {second}/both.sql"
    assert library.notices == [notice]
    library = Library([second, first])
    assert library.find("one").sql == "select 3"
    assert library.notices == []
    assert library.find("both").sql == "select 2"
    assert library.notices == [f"{second}/both.sql is used, not {first}/both.sql"]


def test_files_that_are_no_queries_do_not_hide_the_others(tmp_path: Path) -> None:
    path = write(tmp_path / "q", good="select 1", empty="", **{".hidden": "select 2"})
    write(tmp_path / "q", **{"a b": "select 3", "$(reboot)": "select 4", "x.sql": "select 5"})
    (tmp_path / "q" / "README.md").write_text("no query")
    (tmp_path / "q" / "folder.sql").mkdir()
    (tmp_path / "q" / "dangling.sql").symlink_to("nowhere")
    os.mkfifo(tmp_path / "q" / "fifo.sql")
    library = Library([path, f"{path}/good.sql", f"{path}/none"])
    assert [query.name for query in library.all()] == ["good"]
    about = "not the name of a query, which has letters, digits, _, - and dots"
    assert sorted(library.notices) == sorted(
        [
            f"{path}/$(reboot).sql: {about}",
            f"{path}/a b.sql: {about}",
            f"{path}/x.sql.sql: {about}",
            f"{path}/dangling.sql: not a file",
            f"{path}/fifo.sql: not a file",
            f"{path}/empty.sql:1: there is no statement in it",
            f"{path}/folder.sql: not a file",
            f"{path}/good.sql: Not a directory",
            f"{path}/none: No such file or directory",
        ]
    )


def test_a_query_is_found_by_name_or_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, listening="select 1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", path)
    library = Library([path])
    for name in ("listening", "./listening.sql", "~/listening.sql", f"{path}/listening.sql"):
        assert library.find(name).name == "listening"
    for name, said in (
        ("listenin", "no saved query listenin; did you mean listening?"),
        ("lis", "no saved query lis; did you mean listening?"),
        ("xyz", "no saved query xyz; sockql queries lists them"),
        ("./xyz.sql", "./xyz.sql: No such file or directory"),
    ):
        with pytest.raises(UsageError) as caught:
            library.find(name)
        assert str(caught.value) == said
    (tmp_path / "42").touch()
    with pytest.raises(UsageError, match=r"a file is named by a path: ./42"):
        library.find("42")


def test_queries_are_selected_by_tag_severity_and_words() -> None:
    queries = [
        Query("a", "a.sql", "", title="Sockets", tags=["net", "x"], severity="high"),
        Query("b", "b.sql", "", title="Files of Sockets", tags=["disk"], severity="low"),
        Query("c", "c.sql", "", description="A socket\nof files.", tags=["net"]),
    ]

    def names(**conditions: object) -> str:
        return "".join(q.name for q in selected(queries, **conditions))  # type: ignore[arg-type]

    assert names() == "abc"
    assert names(tags=["net"]) == "ac"
    assert names(tags=["x", "disk"]) == "ab"
    assert names(severity="info") == "ab"
    assert names(severity="medium") == "a"
    assert names(words="FILES socket") == "bc"
    assert names(words="net") == "ac"
    assert names(words="net", severity="low", tags=["x"]) == "a"
    for tag, said in (("nett", "did you mean net?"), ("q", "there are disk, net, x")):
        with pytest.raises(UsageError) as caught:
            names(tags=["net", tag])
        assert str(caught.value) == f"--tag {tag}: no query has it; {said}"
    with pytest.raises(UsageError, match=r"^--severity urgent: not one of info, low, medium"):
        names(severity="urgent")


def test_directories_stand_for_the_query_files_in_them(tmp_path: Path) -> None:
    path = write(tmp_path / "q", b="", a="", **{".c": ""})
    assert files_in(["x.sql", path]) == ["x.sql", f"{path}/a.sql", f"{path}/b.sql"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError) as caught:
        files_in([f"{tmp_path}/empty"])
    assert str(caught.value) == f"{tmp_path}/empty: there are no .sql files in this directory"
