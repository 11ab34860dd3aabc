"""The options, declared once; the commands are in :mod:`sockql.command.commands`.

:data:`OPTIONS` is read twice.  :func:`sockql.command.options.parse_plain` takes the command lines
that people type, at the cost of a few dictionary look-ups; argparse, which takes longer to import
than SQLite, is built from the same table (:mod:`sockql.command.option_parser`) for everything
else: wrong usage, abbreviations, clustered flags.  Where both understand a command line they
understand the same; a test holds them to it.  Help, manual page and completion are made from it.

An option that only some commands have names them with ``commands=``; its attribute is declared in
:class:`sockql.command.options.Options`.
"""

from __future__ import annotations

from sockql.command.declare import ADD, TAKE, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: What ``--stat`` may say.
STAT: Final = ("cached", "fresh", "never")


def _format(name: str, help: str) -> Option:
    return Option(f"--{name}", attribute="format", constant=name, group="output", help=help)


OPTIONS: Final = (
    _format("table", "aligned columns, for people; NULL is empty (the default)"),
    _format("json", "an array of objects for each statement, one object a line; NULL is null"),
    _format("jsonl", "one object a line"),
    _format("csv", "comma-separated, quoted as in RFC 4180, lines end in a newline"),
    _format("tsv", r"tab-separated; tabs, line ends and \ in a cell are \t, \n, \r and \\"),
    _format("line", "one 'column = value' a line"),
    _format("markdown", "a Markdown table"),
    _format("html", "an HTML table"),
    Option(
        "--format",
        kind=TAKE,
        metavar="NAME",
        group="output",
        help="one of these by name, or any format of tabulate (grid, psql, rst, latex, ...)",
    ),
    Option(
        "--no-header",
        attribute="header",
        constant=False,
        group="output",
        help="leave out the line of column names",
    ),
    Option(
        "-o",
        "--output",
        kind=TAKE,
        metavar="FILE",
        group="output",
        help="write to FILE, which appears when it is complete",
    ),
    Option("-f", "--file", kind=TAKE, metavar="FILE", group="input", help="read the SQL from FILE"),
    Option(
        "-p",
        "--parameter",
        attribute="parameters",
        kind=ADD,
        metavar="NAME=VALUE",
        group="input",
        help="bind :NAME; a VALUE spelled as a number is one, NAME:text=VALUE is always text",
    ),
    Option(
        "--osquery",
        group="input",
        help="osquery's tables, functions and quotes, where they differ from sockql's",
    ),
    Option(
        "--query",
        kind=TAKE,
        metavar="NAME",
        group="packs",
        commands=("pack",),
        help="run the query NAME, or PACK/NAME, of the pack only, and write its rows",
    ),
    Option(
        "--proc", kind=TAKE, metavar="DIR", group="input", help="procfs to read instead of /proc"
    ),
    Option(
        "--netns",
        kind=TAKE,
        metavar="all|self|NAME|PID",
        group="input",
        help="network namespaces to look into (default all)",
    ),
    Option(
        "--from",
        attribute="archive",
        kind=TAKE,
        metavar="FILE",
        group="input",
        help="answer from a snapshot in FILE instead of the host",
    ),
    Option(
        "--at",
        kind=TAKE,
        metavar="TIME",
        group="input",
        help="of several snapshots the newest that is not younger than TIME: 2026-11-25T15:12, "
        "2h (ago), oldest, #ID (default newest)",
    ),
    Option(
        "--load",
        kind=ADD,
        metavar="NAME=FILE",
        group="input",
        help="make the list in a CSV, TSV, JSON or JSON Lines file the table NAME",
    ),
    Option(
        "--attach",
        kind=ADD,
        metavar="NAME=FILE",
        group="input",
        help="let SQL read the tables of an SQLite database as NAME.TABLE",
    ),
    Option(
        "--stat",
        kind=TAKE,
        metavar="|".join(STAT),
        group="input",
        help="of files: what the kernel knows (default), what their server says, or nothing",
    ),
    Option(
        "-n",
        "--interval",
        kind=TAKE,
        metavar="SECONDS",
        group="watching",
        commands=("watch",),
        help="seconds from one round of watch to the next (default 2)",
    ),
    Option(
        "--count",
        kind=TAKE,
        metavar="ROUNDS",
        group="watching",
        commands=("watch",),
        help="end watch after so many rounds",
    ),
    Option(
        "--tag",
        attribute="tags",
        kind=ADD,
        metavar="TAG",
        group="saved queries",
        commands=("queries", "audit"),
        help="only queries that have TAG; of several, one will do",
    ),
    Option(
        "--severity",
        kind=TAKE,
        metavar="SEVERITY",
        group="saved queries",
        commands=("queries", "audit"),
        help="only queries that are at least so severe: info, low, medium, high, critical",
    ),
    Option(
        "--search",
        kind=TAKE,
        metavar="WORDS",
        group="saved queries",
        commands=("queries",),
        help="only queries whose name, title, description or tags have all WORDS",
    ),
    Option(
        "--fail-on",
        kind=TAKE,
        metavar="SEVERITY",
        group="auditing",
        commands=("audit",),
        help="status 1 only for findings that are at least so severe (default info: for all)",
    ),
    Option(
        "--budget",
        kind=TAKE,
        metavar="SECONDS",
        group="auditing",
        commands=("audit",),
        help="what all audits together may take; --timeout is for each of them",
    ),
    Option(
        "--baseline",
        kind=TAKE,
        metavar="FILE",
        group="auditing",
        commands=("audit",),
        help="accept the rows that FILE has",
    ),
    Option(
        "--update-baseline",
        group="auditing",
        commands=("audit",),
        help="write what is found into the FILE of --baseline, and what is gone out of it",
    ),
    Option(
        "--reason",
        kind=TAKE,
        metavar="TEXT",
        group="auditing",
        commands=("audit",),
        help="why --update-baseline accepts what is new",
    ),
    Option(
        "--junit",
        kind=TAKE,
        metavar="FILE",
        group="auditing",
        commands=("audit",),
        help="write the verdicts to FILE as JUnit's XML as well",
    ),
    Option(
        "--sarif",
        kind=TAKE,
        metavar="FILE",
        group="auditing",
        commands=("audit",),
        help="write the findings to FILE as SARIF 2.1.0 as well",
    ),
    Option(
        "--tables",
        kind=TAKE,
        metavar="TABLE,...",
        group="snapshots",
        commands=("snapshot",),
        help="capture these tables, or all (default all but process_envs)",
    ),
    Option(
        "--sql",
        attribute="statements",
        kind=ADD,
        metavar="SQL",
        group="snapshots",
        commands=("snapshot",),
        help="capture the result of a statement as well, as the table that --as names",
    ),
    Option(
        "--as",
        attribute="names",
        kind=ADD,
        metavar="NAME",
        group="snapshots",
        commands=("snapshot",),
        help="the name of the table for --sql",
    ),
    Option(
        "--append",
        group="snapshots",
        commands=("snapshot",),
        help="keep the snapshots that FILE has",
    ),
    Option(
        "--parquet",
        kind=TAKE,
        metavar="DIR",
        group="snapshots",
        commands=("snapshot",),
        help="write Parquet files below DIR, in folders by table, host and time",
    ),
    Option(
        "--hidden",
        group="snapshots",
        commands=("diff",),
        help="compare hidden columns as well",
    ),
    Option(
        "--ignore",
        kind=TAKE,
        metavar="COLUMN,...",
        group="snapshots",
        commands=("diff",),
        help="columns that may differ",
    ),
    Option(
        "--timeout",
        kind=TAKE,
        metavar="SECONDS",
        group="behaviour",
        help="give up on a statement after SECONDS, with status 124",
    ),
    Option("--strict", group="behaviour", help="status 3 when something could not be read"),
    Option("--timing", group="behaviour", help="say how long each statement took"),
    Option("--debug", group="behaviour", help="show the traceback of an error"),
    Option("--version", group="behaviour", help="show the version"),
    Option("-h", "--help", group="behaviour", help="show this help"),
)

BY_FLAG: Final = {flag: option for option in OPTIONS for flag in option.flags}

#: The exit statuses and what they mean; 124 is that of timeout(1), the last two are what a shell
#: says of a program that SIGINT or SIGPIPE ended.
STATUSES: Final = (
    (0, "done"),
    (1, "an audit found something as severe as --fail-on says, or a policy of a pack has no row"),
    (2, "wrong usage, wrong SQL, or output that cannot be written"),
    (3, "the data could not be had, or an audit failed; with --strict, also when some could not"),
    (124, "a statement took longer than --timeout"),
    (130, "interrupted"),
    (141, "the reader of a pipe went away, as head does"),
)
