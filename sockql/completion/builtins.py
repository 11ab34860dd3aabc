"""What SQLite itself brings along, as completion and highlighting know it.

Functions with their arguments and one line each, table-valued functions, pragmas that only read,
keywords.  A test compares the names with those that SQLite reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

SCALAR: Final = "scalar"
AGGREGATE: Final = "aggregate"  # not allowed in WHERE, ON and GROUP BY
WINDOW: Final = "window"  # the same, and an OVER has to follow


@dataclass(frozen=True)
class Builtin:
    """A function of SQLite: how it is called, one line about it, where it may stand."""

    signature: str
    doc: str
    group: str = SCALAR

    @property
    def name(self) -> str:
        """The name alone."""
        return self.signature.partition("(")[0]


def _functions(group: str, lines: str) -> Iterator[Builtin]:
    for line in lines.strip().splitlines():
        signature, _, doc = line.partition("  ")
        yield Builtin(signature.strip(), doc.strip(), group)


# https://www.sqlite.org/lang_aggfunc.html
_AGGREGATES: Final = """
count(*)                          Number of rows.
count(X)                          Number of rows in which X is not NULL.
sum(X)                            Sum of the values that are not NULL; NULL for none.
avg(X)                            Mean of the values that are not NULL.
min(X)                            The smallest value; of several arguments, the smallest of them.
max(X)                            The largest value; of several arguments, the largest of them.
group_concat(X, separator)        The values joined to one text, by a comma unless told otherwise.
total(X)                          Sum as a REAL; 0.0 for no rows.
string_agg(X, separator)          The values joined to one text.
json_group_array(X)               A JSON array of the values.
json_group_object(name, X)        A JSON object of name and value pairs.
median(X)                         The value in the middle.
percentile(X, P)                  The value below which P percent of the values are.
"""

# https://www.sqlite.org/windowfunctions.html#built_in_window_functions
_WINDOWS: Final = """
row_number()                      Number of the row in its partition, from 1.
rank()                            Rank of the row, with gaps after equals.
dense_rank()                      Rank of the row, without gaps.
percent_rank()                    Rank as a fraction from 0.0 to 1.0.
cume_dist()                       Fraction of the partition up to this row and its equals.
ntile(N)                          Number of the N equal parts that the row is in.
lag(X, offset, default)           X in an earlier row of the partition.
lead(X, offset, default)          X in a later row of the partition.
first_value(X)                    X in the first row of the frame.
last_value(X)                     X in the last row of the frame.
nth_value(X, N)                   X in the N-th row of the frame.
"""

# https://www.sqlite.org/lang_corefunc.html, lang_datefunc.html, lang_mathfunc.html, json1.html
_SCALARS: Final = """
abs(X)                            Absolute value.
coalesce(X, Y, ...)               The first argument that is not NULL.
ifnull(X, Y)                      X, or Y where X is NULL.
nullif(X, Y)                      X, or NULL where X equals Y.
iif(condition, X, Y)              X where the condition holds, else Y.
length(X)                         Characters of a text, bytes of a blob.
lower(X)                          The text with its ASCII letters in lower case.
upper(X)                          The text with its ASCII letters in upper case.
substr(X, start, length)          Part of a text; the first character is number 1.
substring(X, start, length)       The same as substr.
instr(X, Y)                       Where Y is first found in X, from 1; 0 when it is not.
replace(X, old, new)              X with every old replaced by new.
trim(X, characters)               X without blanks, or the given characters, at both ends.
ltrim(X, characters)              X without blanks, or the given characters, at its start.
rtrim(X, characters)              X without blanks, or the given characters, at its end.
round(X, digits)                  The number rounded to so many digits after the point.
printf(format, ...)               Formatted text, as printf(3) does it.
format(format, ...)               Formatted text, as printf(3) does it.
concat(X, ...)                    The arguments as one text, NULL as nothing.
concat_ws(separator, X, ...)      The arguments joined, NULLs left out.
typeof(X)                         integer, real, text, blob or null.
quote(X)                          The value as an SQL literal.
hex(X)                            The bytes of X in hexadecimal.
unhex(X, ignored)                 The bytes that hexadecimal digits stand for.
char(X, ...)                      Text of the characters with these Unicode numbers.
unicode(X)                        Unicode number of the first character.
octet_length(X)                   Bytes of the value as text.
glob(pattern, X)                  1 when X matches the pattern with * and ?; also X GLOB pattern.
like(pattern, X, escape)          1 when X matches the pattern with % and _; also X LIKE pattern.
random()                          A random 64-bit integer.
sign(X)                           -1, 0 or 1.
ceil(X)                           The next whole number above.
floor(X)                          The next whole number below.
trunc(X)                          The whole number towards zero.
mod(X, Y)                         Remainder of X divided by Y.
pow(X, Y)                         X to the power Y.
sqrt(X)                           Square root.
exp(X)                            e to the power X.
ln(X)                             Natural logarithm.
log(base, X)                      Logarithm, to base 10 with one argument.
log2(X)                           Logarithm to base 2.
log10(X)                          Logarithm to base 10.
pi()                              The number pi.
date(time, modifier, ...)         The date as YYYY-MM-DD.
time(time, modifier, ...)         The time as HH:MM:SS.
datetime(time, modifier, ...)     Date and time; datetime(X, 'unixepoch') for seconds.
julianday(time, modifier, ...)    Days since 4714 B.C., with a fraction.
unixepoch(time, modifier, ...)    Seconds since the epoch.
strftime(format, time, ...)       The time in a format of one's own.
timediff(X, Y)                    The time between, as +YYYY-MM-DD HH:MM:SS.SSS.
json(X)                           The JSON text without needless blanks; checks that it is JSON.
json_array(X, ...)                A JSON array of the arguments.
json_array_length(X, path)        Number of elements.
json_extract(X, path, ...)        The value at a path such as '$.name'; also X ->> path.
json_object(name, X, ...)         A JSON object of name and value pairs.
json_pretty(X)                    The JSON text over several lines.
json_quote(X)                     The value as JSON.
json_type(X, path)                Type of the value at the path.
json_valid(X)                     1 when X is JSON.
likely(X)                         X; tells the planner that it is mostly true.
unlikely(X)                       X; tells the planner that it is mostly false.
likelihood(X, probability)        X; tells the planner how often it is true.
sqlite_version()                  The version of SQLite.
"""

#: Functions of SQLite that make sense here, in the order they are offered.
FUNCTIONS: Final[tuple[Builtin, ...]] = (
    *_functions(AGGREGATE, _AGGREGATES),
    *_functions(SCALAR, _SCALARS),
    *_functions(WINDOW, _WINDOWS),
)

#: https://www.sqlite.org/json1.html#table_valued_functions_for_parsing_json
TABLE_FUNCTIONS: Final = {
    "json_each": "json_each(X, path): one row for each element of a JSON array or object",
    "json_tree": "json_tree(X, path): one row for each value inside of a JSON text",
}
#: Their columns, and what they say.
JSON_COLUMNS: Final = {
    "key": "Index in the array or name in the object.",
    "value": "The element as an SQL value; JSON text for an array or object.",
    "type": "null, true, false, integer, real, text, array or object.",
    "atom": "The value; NULL for an array or object.",
    "id": "Number of the element in this JSON text.",
    "parent": "The id of what contains the element.",
    "fullkey": "Path of the element.",
    "path": "Path of what contains the element.",
}

#: Pragmas that an authorizer lets through: they only read.
PRAGMAS: Final = (
    *("collation_list", "compile_options", "database_list", "encoding", "function_list"),
    *("index_info", "index_list", "index_xinfo", "module_list", "pragma_list", "table_info"),
    *("table_list", "table_xinfo"),
)

#: Names of types that CAST and CREATE TABLE take.
TYPES: Final = ("integer", "text", "real", "blob", "numeric")

#: Keywords that are not taken for a name, or not everywhere, without quotes.
#: Source: https://www.sqlite.org/lang_keywords.html, and the %fallback of SQLite's grammar
_RESERVED: Final = """
add all alter and as autoincrement between case cast check collate commit constraint create
cross current_date current_time current_timestamp default deferrable delete distinct drop
else escape except exists foreign from full group having in index inner insert intersect
into is isnull join left limit natural not nothing notnull null on or order outer primary
raise references returning right select set table then to transaction union unique update
using values when where
"""
RESERVED: Final = frozenset(_RESERVED.split())

_OTHERS: Final = """
abort action after always analyze asc attach before begin by cascade column conflict current
database deferred desc detach do each end exclude exclusive explain fail filter first
following for generated glob groups if ignore immediate indexed initially instead key last
like match materialized no nulls of offset others over partition plan pragma preceding query
range recursive regexp reindex release rename replace restrict rollback row rows savepoint
temp temporary ties trigger unbounded vacuum view virtual window with without
"""
#: Every keyword of SQLite, in lower case.
KEYWORDS: Final = RESERVED | frozenset(_OTHERS.split())
