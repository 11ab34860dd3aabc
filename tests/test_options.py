from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockql.command.commands import COMMANDS
from sockql.command.declarations import OPTIONS
from sockql.command.declare import SET
from sockql.command.option_parser import parse_fully
from sockql.command.options import Options, parse, parse_plain, text, typed
from sockql.errors import UsageError

FLAGS = [flag for option in OPTIONS for flag in option.flags]
VALUES = ["-", "x", "a=b", "json", "1.5", "-1", "", "select 1", "-x y", "--json", "é", "a=b=c"]
WORDS = [
    "select 1",
    "tables",
    "schema",
    "plan",
    "-",
    "",
    "-- note\nselect 1",
    "-1",
    "fds",
    "--",
    "-é",
]
VALID_VALUES = st.sampled_from(["-", "x", "a=b", "1.5", "", "select 1", "é", "a = b"])


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """Words, options with and without values in all spellings, and some nonsense."""
    words: list[str] = []
    for _ in range(draw(st.integers(0, 6))):
        match draw(st.integers(0, 9)):
            case 0 | 1 | 2:
                words.append(draw(st.sampled_from(WORDS)))
            case 3 | 4 | 5:
                option = draw(st.sampled_from(OPTIONS))
                words.append(draw(st.sampled_from(option.flags)))
                if option.kind != SET:
                    words.append(draw(st.sampled_from(VALUES)))
            case 6:
                words.append(draw(st.sampled_from(FLAGS)) + "=" + draw(st.sampled_from(VALUES)))
            case 7:
                words.append(draw(st.sampled_from(FLAGS)) + draw(st.sampled_from(VALUES)))
            case 8:
                flag = draw(st.sampled_from(FLAGS))
                words.append(flag[: draw(st.integers(2, len(flag)))])
            case _:
                words.append(
                    draw(st.sampled_from(["--nonsense", "-hx", "-z", "--=", "---", "-op"]))
                )
    return words


@given(command_lines())
def test_what_the_small_parser_takes_argparse_takes_in_the_same_way(words: list[str]) -> None:
    plain = parse_plain(words)
    if plain is not None:
        assert plain == parse_fully(words)


@st.composite
def plain_lines(draw: st.DrawFn) -> list[str]:
    """What people type."""
    words: list[str] = []
    for option in draw(st.lists(st.sampled_from(OPTIONS), max_size=5)):
        flag = draw(st.sampled_from(option.flags))
        if option.kind == SET:
            words.append(flag)
        elif flag.startswith("--") and draw(st.booleans()):
            words.append(f"{flag}={draw(VALID_VALUES)}")
        else:
            words += [flag, draw(VALID_VALUES)]
        if draw(st.booleans()):
            words.append(draw(st.sampled_from(["select 1", "tables", "-", "fds"])))
    return words


@given(plain_lines())
def test_ordinary_command_lines_do_without_argparse(words: list[str]) -> None:
    assert parse_plain(words) is not None


def options(**attributes: object) -> Options:
    made = Options()
    vars(made).update(attributes)
    return made


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], options()),
        (["select 1"], options(words=["select 1"])),
        (["--json", "select 1", "--csv"], options(words=["select 1"], format="csv")),
        (["-p", "a=1", "--parameter=b=2"], options(parameters=["a=1", "b=2"])),
        (["-pa=1"], options(parameters=["a=1"])),
        (["--no-header", "-o", "-"], options(header=False, output="-")),
        (["--timeout", "-1"], options(timeout="-1")),
        (["--timeo=5"], options(timeout="5")),
        (["watch", "-n5", "x"], options(words=["watch", "x"], interval="5")),
        (["-n", "0.5", "--count=3"], options(interval="0.5", count="3")),
        (["--", "--json"], options(words=["--json"])),
        (["a", "--", "-x", "--"], options(words=["a", "-x", "--"])),
        (["-- note\nselect 1", "--tsv"], options(words=["-- note\nselect 1"], format="tsv")),
    ],
)
def test_a_command_line_is_understood(words: list[str], expected: Options) -> None:
    assert parse(words) == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--jsn"], "unknown option --jsn, did you mean --json?; see sockql --help"),
        (["-z"], "unknown option -z; see sockql --help"),
        (["-f"], "argument -f/--file: expected one argument; see sockql --help"),
        (["--tim"], "ambiguous option: --tim could match --timeout, --timing; see sockql --help"),
        (["--json=1"], "argument --json: ignored explicit argument '1'; see sockql --help"),
    ],
)
def test_wrong_usage_is_one_line(words: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(words)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("words", "command", "arguments"),
    [
        ([], None, []),
        (["select 1"], None, ["select 1"]),
        (["tables"], "tables", []),
        (["schema"], "schema", []),
        (["schema", "fds", "sockets"], "schema", ["fds", "sockets"]),
        (["plan", "select 1"], "plan", ["select 1"]),
        (["plan"], "plan", []),
        (["watch", "select 1"], "watch", ["select 1"]),
        (["completion", "bash"], "completion", ["bash"]),
    ],
)
def test_a_first_word_is_a_command_or_sql(
    words: list[str], command: str | None, arguments: list[str]
) -> None:
    parsed = parse(words)
    assert parsed.command is (COMMANDS[command] if command else None)
    assert parsed.arguments == arguments


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["select", "1"], "the SQL has to be one argument, but there are 2; put it in quotes"),
        (["tables", "fds"], "tables takes no argument 'fds'"),
        (["completion", "bash", "zsh"], "completion takes no argument 'zsh'"),
        (["watch", "select", "1"], "watch takes one SQL argument; put it in quotes"),
        (["plan", "select", "1"], "plan takes one SQL argument; put it in quotes"),
    ],
)
def test_too_many_words_are_refused(words: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        _ = parse(words).arguments
    assert str(caught.value) == message


@pytest.mark.parametrize(("given", "seconds"), [("5", 5.0), ("0.25", 0.25), ("1e3", 1000.0)])
def test_a_timeout_is_a_positive_number_of_seconds(given: str, seconds: float) -> None:
    assert parse(["--timeout", given]).seconds == seconds


@pytest.mark.parametrize("given", ["0", "-1", "nan", "inf", "-inf", "five", "", "5s", "0x5"])
def test_any_other_timeout_is_refused(given: str) -> None:
    with pytest.raises(UsageError) as caught:
        _ = parse([f"--timeout={given}"]).seconds
    assert str(caught.value) == f"--timeout {given}: not a positive number of seconds"


@pytest.mark.parametrize("given", ["cached", "fresh", "never"])
def test_files_are_examined_in_one_of_three_ways(given: str) -> None:
    assert parse(["--stat", given, "x"]).examination == given


def test_files_are_examined_without_waiting_unless_told() -> None:
    assert parse(["x"]).examination == "cached"


def test_another_way_to_examine_files_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        _ = parse(["--stat", "often", "x"]).examination
    assert str(caught.value) == "--stat often: not one of cached, fresh, never"


def test_no_timeout_is_none() -> None:
    assert parse([]).seconds is None


def test_watch_has_two_seconds_between_rounds_and_no_end_unless_told() -> None:
    assert (parse([]).every, parse([]).rounds) == (2.0, None)
    assert (parse(["-n", ".5", "--count", "12"]).every, parse(["--count=012"]).rounds) == (0.5, 12)


@pytest.mark.parametrize("given", ["0", "-1", "nan", "inf", "soon", ""])
def test_any_other_interval_is_refused(given: str) -> None:
    with pytest.raises(UsageError) as caught:
        _ = parse([f"--interval={given}"]).every
    assert str(caught.value) == f"--interval {given}: not a positive number of seconds"


@pytest.mark.parametrize("given", ["0", "-1", "1.5", "1e3", "٣", "", "9" * 30])
def test_any_other_count_is_refused(given: str) -> None:
    with pytest.raises(UsageError) as caught:
        _ = parse([f"--count={given}"]).rounds
    assert str(caught.value) == f"--count {given}: not a positive number of rounds"


def test_parameters_are_bound_by_name_and_the_last_one_counts() -> None:
    given = ["a=1", ":b=x=y", "@c=", "d:text=7", "a=2.5"]
    words = [word for parameter in given for word in ("-p", parameter)]
    assert parse(words).bindings == {"a": 2.5, "b": "x=y", "c": "", "d": "7"}


@pytest.mark.parametrize("given", ["a", "=1", "", ":=1", "a:int=1", ":"])
def test_a_parameter_that_is_not_name_and_value_is_refused(given: str) -> None:
    with pytest.raises(UsageError) as caught:
        _ = parse(["-p", given]).bindings
    assert str(caught.value) == f"-p {given}: not NAME=VALUE or NAME:text=VALUE"


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("0", 0),
        ("443", 443),
        ("-1", -1),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("9223372036854775808", "9223372036854775808"),
        ("1.5", 1.5),
        ("-0.25", -0.25),
        ("1e+20", 1e20),
        *((same, same) for same in ("007", "+1", "-0", "1.50", "1.10", "1e3", "1.", ".5", "1_0")),
        *((same, same) for same in ("nan", "inf", "-inf", "", " 1", "1 ", "٣", "x", "1,5")),
    ],
)
def test_a_value_is_a_number_only_where_nothing_is_lost(given: str, value: object) -> None:
    found = typed(given)
    assert (type(found), found) == (type(value), value)


@given(st.text())
def test_a_typed_value_is_written_as_it_was_given(given: str) -> None:
    assert str(typed(given)) == given


def test_an_argument_that_is_not_utf8_is_spelled_as_tables_spell_it() -> None:
    assert text("/tmp/\udcff\udc80é") == "/tmp/\\xff\\x80é"


def test_no_two_options_share_a_flag() -> None:
    assert len(FLAGS) == len(set(FLAGS))


def test_every_option_sets_an_attribute_that_options_have() -> None:
    assert {option.attribute for option in OPTIONS} | {"words"} == set(vars(Options()))
