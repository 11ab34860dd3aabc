from __future__ import annotations

import csv
import io
import json
import math
import unicodedata
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from typing import Any

import pytest
import tabulate
from hypothesis import given
from hypothesis import strategies as st

from sockql.command.terminal import ESCAPED, display
from sockql.errors import DataError, UsageError
from sockql.render import writers as render_module
from sockql.render.writers import render, writer_class

OURS = ["table", "json", "jsonl", "csv", "tsv", "line", "markdown", "html"]
STREAMED = ["json", "jsonl", "csv", "tsv", "line", "html"]
FOR_EYES = ["table", "line", "markdown", "html", "psql", "grid", "simple"]

Row = tuple[Any, ...]


class Pieces(list[str]):
    """Remembers each write."""

    def write(self, text: str) -> None:
        self.append(text)


def text_of(
    name: str,
    columns: Sequence[str],
    rows: Sequence[Row],
    *,
    header: bool = True,
    terminal: bool = False,
) -> str:
    out = Pieces()
    writer = writer_class(name)(columns, header=header, terminal=terminal)
    assert render(writer, rows, out) == len(rows)
    return "".join(out)


# -- what each format looks like ----------------------------------------------------------------

COLUMNS = ("pid", "name", "load", "key")
ROWS: list[Row] = [
    (1, "init", 0.5, None),
    (30000, 'a|b <c>, "d" *e*', None, b"\x00\xff"),
    (None, "日本\n\\x\t", -12.25, ""),
]

EXPECTED = {
    "table": (
        "  pid  name                load  key\n"
        "-----  ----------------  ------  ----\n"
        "    1  init                 0.5\n"
        '30000  a|b <c>, "d" *e*          00ff\n'
        "       日本\\n\\x\\t        -12.25\n"
    ),
    "json": (
        "[\n"
        '{"pid": 1, "name": "init", "load": 0.5, "key": null},\n'
        '{"pid": 30000, "name": "a|b <c>, \\"d\\" *e*", "load": null, "key": "00ff"},\n'
        '{"pid": null, "name": "日本\\n\\\\x\\t", "load": -12.25, "key": ""}\n'
        "]\n"
    ),
    "jsonl": (
        '{"pid": 1, "name": "init", "load": 0.5, "key": null}\n'
        '{"pid": 30000, "name": "a|b <c>, \\"d\\" *e*", "load": null, "key": "00ff"}\n'
        '{"pid": null, "name": "日本\\n\\\\x\\t", "load": -12.25, "key": ""}\n'
    ),
    "csv": (
        'pid,name,load,key\n1,init,0.5,\n30000,"a|b <c>, ""d"" *e*",,00ff\n,"日本\n\\x\t",-12.25,\n'
    ),
    "tsv": (
        "pid\tname\tload\tkey\n"
        "1\tinit\t0.5\t\n"
        '30000\ta|b <c>, "d" *e*\t\t00ff\n'
        "\t日本\\n\\\\x\\t\t-12.25\t\n"
    ),
    "line": (
        " pid = 1\n"
        "name = init\n"
        "load = 0.5\n"
        " key = \n"
        "\n"
        " pid = 30000\n"
        'name = a|b <c>, "d" *e*\n'
        "load = \n"
        " key = 00ff\n"
        "\n"
        " pid = \n"
        "name = 日本\\n\\x\\t\n"
        "load = -12.25\n"
        " key = \n"
    ),
    "markdown": (
        "|   pid | name                 |   load | key  |\n"
        "| ----: | -------------------- | -----: | ---- |\n"
        "|     1 | init                 |    0.5 |      |\n"
        '| 30000 | a\\|b \\<c>, "d" \\*e\\* |        | 00ff |\n'
        "|       | 日本\\n\\\\x\\t          | -12.25 |      |\n"
    ),
    "html": (
        "<table>\n"
        "<thead>\n"
        "<tr><th>pid</th><th>name</th><th>load</th><th>key</th></tr>\n"
        "</thead>\n"
        "<tbody>\n"
        "<tr><td>1</td><td>init</td><td>0.5</td><td></td></tr>\n"
        "<tr><td>30000</td><td>a|b &lt;c&gt;, &quot;d&quot; *e*</td><td></td><td>00ff</td></tr>\n"
        "<tr><td></td><td>日本\\n\\x\\t</td><td>-12.25</td><td></td></tr>\n"
        "</tbody>\n"
        "</table>\n"
    ),
}


@pytest.mark.parametrize("name", OURS)
def test_a_format_looks_as_documented(name: str) -> None:
    assert text_of(name, COLUMNS, ROWS) == EXPECTED[name]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("table", "1  x\n"),
        ("json", '[\n{"a": 1, "b": "x"}\n]\n'),
        ("jsonl", '{"a": 1, "b": "x"}\n'),
        ("csv", "1,x\n"),
        ("tsv", "1\tx\n"),
        ("line", "a = 1\nb = x\n"),
        ("markdown", "|   1 | x   |\n"),
        ("html", "<table>\n<tbody>\n<tr><td>1</td><td>x</td></tr>\n</tbody>\n</table>\n"),
        ("plain", "1  x\n"),
    ],
)
def test_without_a_header_only_the_names_are_missing(name: str, expected: str) -> None:
    assert text_of(name, ("a", "b"), [(1, "x")], header=False) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("table", "a  bc\n-  --\n"),
        ("json", "[]\n"),
        ("jsonl", ""),
        ("csv", "a,bc\n"),
        ("tsv", "a\tbc\n"),
        ("line", ""),
        ("markdown", "| a   | bc  |\n| --- | --- |\n"),
        (
            "html",
            "<table>\n<thead>\n<tr><th>a</th><th>bc</th></tr>\n</thead>\n<tbody>\n</tbody>\n</table>\n",
        ),
        ("psql", "+-----+------+\n| a   | bc   |\n|-----+------|\n+-----+------+\n"),
    ],
)
def test_no_rows_still_say_which_columns(name: str, expected: str) -> None:
    assert text_of(name, ("a", "bc"), []) == expected


def test_formats_of_tabulate_get_their_numbers_as_they_are() -> None:
    assert text_of("psql", ("n", "x"), [(1234567, "1e3"), (None, "07")]) == (
        "+---------+-----+\n"
        "|       n | x   |\n"
        "|---------+-----|\n"
        "| 1234567 | 1e3 |\n"
        "|         | 07  |\n"
        "+---------+-----+\n"
    )


def test_an_unknown_format_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        writer_class("markdwon")
    assert str(caught.value) == "--format markdwon: no such format, did you mean markdown?"


# -- reading back -------------------------------------------------------------------------------

INTEGERS = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text() | st.text(st.sampled_from("ab,\"'|\\\t\r\n\x00\x1b\x85\u2028é日"))
CELLS = st.none() | INTEGERS | st.floats(allow_nan=False) | TEXT | st.binary(max_size=4)


@st.composite
def results(
    draw: st.DrawFn,
    cells: st.SearchStrategy[Any] = CELLS,
    names: st.SearchStrategy[str] = TEXT,
) -> tuple[Row, list[Row]]:
    columns = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    row = st.tuples(*[cells] * len(columns))
    return tuple(columns), draw(st.lists(row, max_size=12))


def as_json(cell: Any) -> Any:
    return cell.hex() if isinstance(cell, bytes) else cell


def as_text(cell: Any) -> str:
    return "" if cell is None else cell.hex() if isinstance(cell, bytes) else str(cell)


def exactly(value: Any) -> Any:
    """Keeps 1, 1.0 and -0.0 apart."""
    return (type(value).__name__, repr(value))


@given(results(), st.booleans())
def test_json_reads_back_exactly(result: tuple[Row, list[Row]], terminal: bool) -> None:
    columns, rows = result
    expected = [[(c, exactly(as_json(cell))) for c, cell in zip(columns, row)] for row in rows]
    for name in ("json", "jsonl"):
        out = text_of(name, columns, rows, terminal=terminal)
        found = json.loads(out) if name == "json" else [json.loads(x) for x in out.split("\n")[:-1]]
        assert [[(c, exactly(v)) for c, v in row.items()] for row in found] == expected


@given(st.characters(categories=["Cs"]), st.booleans())
def test_json_keeps_a_lone_surrogate(surrogate: str, terminal: bool) -> None:
    out = text_of("json", ("a",), [("x" + surrogate,)], terminal=terminal)
    stored = out.encode("utf-8", "backslashreplace")
    assert json.loads(stored) == [{"a": "x" + surrogate}]


@pytest.mark.parametrize(("number", "spelled"), [(math.inf, "1e999"), (-math.inf, "-1e999")])
def test_infinity_is_a_number_in_json(number: float, spelled: str) -> None:
    out = text_of("jsonl", ("a",), [(number,)])
    assert out == f'{{"a": {spelled}}}\n'
    assert json.loads(out) == {"a": number}


def _readable_by_csv(text: Any) -> bool:
    """The reader of Python 3.10 stops at NUL."""
    return not (isinstance(text, str) and "\0" in text)


@given(results(CELLS.filter(_readable_by_csv)))
def test_csv_reads_back_exactly(result: tuple[Row, list[Row]]) -> None:
    columns, rows = result
    columns = tuple(column.replace("\0", "0") for column in columns)
    out = text_of("csv", columns, rows)
    assert list(csv.reader(io.StringIO(out, newline=""), strict=True)) == [
        list(columns),
        *[[as_text(cell) for cell in row] for row in rows],
    ]


_UNESCAPED = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}


def read_tsv_cell(text: str) -> str:
    head, *rest = text.split("\\", 1)
    if not rest:
        return head
    return head + _UNESCAPED[rest[0][0]] + read_tsv_cell(rest[0][1:])


@given(results())
def test_tsv_reads_back_exactly_and_a_row_is_a_line(result: tuple[Row, list[Row]]) -> None:
    columns, rows = result
    out = text_of("tsv", columns, rows)
    assert "\r" not in out
    lines = out.split("\n")
    assert lines.pop() == ""
    assert [[read_tsv_cell(cell) for cell in line.split("\t")] for line in lines] == [
        list(columns),
        *[[as_text(cell) for cell in row] for row in rows],
    ]


class Cells(HTMLParser):
    """The texts of th and td."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if data.strip("\n"):
            self.cells[-1] += data


@given(results())
def test_html_reads_back_and_no_cell_becomes_markup(result: tuple[Row, list[Row]]) -> None:
    columns, rows = result
    parser = Cells()
    parser.feed(text_of("html", columns, rows))
    parser.close()
    assert parser.cells == [display(cell) for row in (columns, *rows) for cell in row]
    assert parser.tags <= {"table", "thead", "tbody", "tr", "th", "td"}


@given(results())
def test_markdown_has_as_many_cells_in_each_row(result: tuple[Row, list[Row]]) -> None:
    columns, rows = result
    lines = text_of("markdown", columns, rows).split("\n")[:-1]
    assert len(lines) == len(rows) + 2
    for line in lines:
        bare = line.replace("\\\\", "").replace("\\|", "")
        assert bare.count("|") == len(columns) + 1


# -- the table ----------------------------------------------------------------------------------


SIMPLE = st.text(st.sampled_from("abc日é\n\x1b'\""))


@given(results(st.none() | INTEGERS | SIMPLE, SIMPLE))
def test_the_table_is_that_of_tabulate(result: tuple[Row, list[Row]]) -> None:
    columns, rows = result
    numeric = [
        bool(kinds) and kinds <= {int, float}
        for kinds in ({type(cell) for cell in column} - {type(None)} for column in zip(*rows))
    ]
    if any(display(cell) != display(cell).strip() for row in (columns, *rows) for cell in row):
        return  # tabulate strips cells
    padding, tabulate.MIN_PADDING = tabulate.MIN_PADDING, 0
    try:
        expected = tabulate.tabulate(
            [[display(cell) for cell in row] for row in rows],
            headers=[display(column) for column in columns],
            tablefmt="simple",
            disable_numparse=True,
            colalign=["right" if is_numeric else "left" for is_numeric in numeric] or None,
        )
    finally:
        tabulate.MIN_PADDING = padding
    found = text_of("table", columns, rows)
    assert [x.rstrip() for x in found.split("\n")] == [
        x.rstrip() for x in (expected + "\n").split("\n")
    ]


def test_a_long_cell_pushes_only_its_own_row() -> None:
    out = text_of("table", ("a", "b"), [("x" * 10_000_000, 1), ("y", 2)])
    assert out == (
        "a" + " " * 101 + "b\n" + "-" * 100 + "  -\n" + "x" * 10_000_000 + "  1\n"
        "y" + " " * 101 + "2\n"
    )


def test_rows_beyond_those_that_gave_the_widths_look_the_same() -> None:
    rows: list[Row] = [(i, "x", None) for i in range(2500)]
    lines = text_of("table", ("n", "name", "none"), rows).split("\n")
    assert lines[:3] == ["  n  name  none", "---  ----  ----", "  0  x"]
    assert lines[1001:1004] == ["999  x", "1000  x", "1001  x"]
    assert len(lines) == 2503


# -- hostile cells ------------------------------------------------------------------------------


@given(results(CELLS | st.text(st.characters())), st.sampled_from([*OURS, "psql", "grid"]))
def test_nothing_a_terminal_obeys_reaches_it(result: tuple[Row, list[Row]], name: str) -> None:
    columns, rows = result
    out = text_of(name, columns, rows, terminal=True)
    assert {
        unicodedata.category(c) for c in out.replace("\n", "").replace("\t", "")
    } & ESCAPED == set()
    if name != "tsv":
        assert "\t" not in out


@given(results(CELLS | st.text(st.characters())), st.sampled_from(FOR_EYES))
def test_formats_for_eyes_are_the_same_on_a_terminal_and_off(
    result: tuple[Row, list[Row]], name: str
) -> None:
    assert text_of(name, *result, terminal=True) == text_of(name, *result, terminal=False)


@given(results(), st.sampled_from(["csv", "tsv", "jsonl", "table"]))
def test_a_row_is_a_line_on_a_terminal(result: tuple[Row, list[Row]], name: str) -> None:
    columns, rows = result
    header = {"csv": 1, "tsv": 1, "jsonl": 0, "table": 2}[name]
    assert text_of(name, columns, rows, terminal=True).count("\n") == len(rows) + header


@pytest.mark.parametrize("name", OURS)
def test_two_thousand_columns_are_rendered(name: str) -> None:
    columns = [f"c{i}" for i in range(2000)]
    out = text_of(name, columns, [tuple(range(2000)), (None,) * 2000])
    assert "1999" in out


@pytest.mark.parametrize("name", [*OURS, "psql"])
def test_a_result_without_columns_is_no_accident(name: str) -> None:
    text_of(name, (), [])


@pytest.mark.parametrize("name", OURS)
def test_a_huge_cell_is_not_cut(name: str) -> None:
    cell = "x" * 10_000_000
    assert cell in text_of(name, ("a",), [(cell,)])


@pytest.mark.parametrize("name", ["csv", "tsv"])
def test_one_careful_row_does_not_change_its_neighbours(name: str) -> None:
    rows: list[Row] = [(i, "x") for i in range(3000)]
    rows[1500] = (1500, "a\rb")
    plain = text_of(name, ("n", "x"), [row for row in rows if row[0] != 1500])
    careful = {"csv": '1500,"a\rb"\n', "tsv": "1500\ta\\rb\n"}[name]
    assert text_of(name, ("n", "x"), rows).replace(careful, "") == plain


@pytest.mark.parametrize("cell", [b"'", b'"', b"'\"", b"", b"\\x00"])
def test_bytes_are_hexadecimal_whatever_is_in_them(cell: bytes) -> None:
    rows: list[Row] = [(cell, "a")]
    assert text_of("csv", ("k", "n"), rows, header=False) == f"{cell.hex()},a\n"
    assert text_of("tsv", ("k", "n"), rows, header=False) == f"{cell.hex()}\ta\n"
    assert text_of("table", ("k", "n"), rows).split("\n")[2].split() == [*cell.hex().split(), "a"]


# -- streaming ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "seen"), [*((name, 1) for name in STREAMED), ("table", 1000)])
def test_the_first_rows_of_a_long_result_appear_at_once(name: str, seen: int) -> None:
    out = Pieces()
    taken_at_first_write: list[int] = []

    def source() -> Iterator[Row]:
        for number in range(20_000):
            if out and not taken_at_first_write:
                taken_at_first_write.append(number)
            yield (number, "x")

    writer = writer_class(name)(("n", "x"), header=True, terminal=False)
    assert render(writer, source(), out) == 20_000
    assert taken_at_first_write == [seen]
    assert len(out) < 50


def test_slow_rows_are_written_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(render_module, "perf_counter", lambda: clock[0])
    out = Pieces()

    def source() -> Iterator[Row]:
        for number in range(400):
            if number >= 200:  # fast at first, then an eighth of a second each
                clock[0] += 0.125
            yield (number,)

    render(writer_class("csv")(("n",), header=False, terminal=False), source(), out)
    assert "".join(out) == "".join(f"{number}\n" for number in range(400))
    assert [piece.count("\n") for piece in out[-100:]] == [1] * 100


@pytest.mark.parametrize("name", [*OURS, "psql"])
def test_a_result_that_fails_at_once_leaves_nothing(name: str) -> None:
    def fail() -> Row:
        raise DataError("refused")

    out = Pieces()
    with pytest.raises(DataError):
        render(writer_class(name)(("a",), header=True, terminal=False), iter(fail, None), out)
    assert out == []


@pytest.mark.parametrize("name", STREAMED)
def test_rows_before_a_failure_are_written(name: str) -> None:
    def source() -> Iterator[Row]:
        yield (42,)
        raise DataError("refused")

    out = Pieces()
    with pytest.raises(DataError):
        render(writer_class(name)(("a",), header=True, terminal=False), source(), out)
    assert "42" in "".join(out)
