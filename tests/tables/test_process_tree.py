"""The view process_tree over a directory laid out like /proc."""

from __future__ import annotations

from pathlib import Path

from sockql.engine import Engine
from sockql.host import Host
from tests.fakeproc import Tree, proc_tree, stat


def test_a_process_comes_before_its_children(tmp_path: Path) -> None:
    tree: Tree = {
        "1/stat": stat(1, b"init", parent=0, start=1),
        "2/stat": stat(2, b"kthreadd", parent=0, start=1),
        "300/stat": stat(300, b"sh", parent=1, start=50),
        "40/stat": stat(40, b"a) b", parent=1, start=60),
        "41/stat": stat(41, b"", parent=300, start=70),
        "42/stat": stat(42, b"leaf", parent=41, start=70),
        "43/stat": stat(43, b"worker", parent=2, start=80),
        # Its parent has ended, and a younger process has got the number.
        "50/stat": stat(50, b"orphan", parent=42, start=60),
        "51/stat": stat(51, b"lost", parent=999, start=60),
    }
    with Engine(Host(str(proc_tree(tree, tmp_path)))) as engine:
        assert engine.query("select * from process_tree") == [
            (1, None, "init", 0, "init", "[]", "init"),
            (40, 1, "a) b", 1, "init > a) b", "[1]", "  a) b"),
            (300, 1, "sh", 1, "init > sh", "[1]", "  sh"),
            (41, 300, "", 2, "init > sh > ", "[1,300]", "    "),
            (42, 41, "leaf", 3, "init > sh >  > leaf", "[1,300,41]", "      leaf"),
            (2, None, "kthreadd", 0, "kthreadd", "[]", "kthreadd"),
            (43, 2, "worker", 1, "kthreadd > worker", "[2]", "  worker"),
            (50, 42, "orphan", 0, "orphan", "[]", "orphan"),
            (51, 999, "lost", 0, "lost", "[]", "lost"),
        ]
        assert engine.query(
            "select pid from process_tree"
            " where exists (select 1 from json_each(ancestors) where value = 300)"
        ) == [(41,), (42,)]
