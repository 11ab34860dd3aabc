"""Baselines: rows that audits find and that somebody has accepted.

A file of JSON, made to be kept under version control: audits and entries are sorted, an entry is
a line::

    {
      "sockql_baseline": 1,
      "audits": {
        "scratch-executable": {
          "keys": ["user", "path"],
          "accepted": [
            {"row": {"user": "ci", "path": "/tmp/run"}, "reason": "The runner's.", "expires": "2027-01-31"}
          ]
        }
      }
    }

``keys`` are the columns that tell rows apart: the keys of the query, or all of its columns.
"""

from __future__ import annotations

import json
from datetime import date, datetime, timezone

from sockql.audit.outcome import cell
from sockql.command.terminal import counted
from sockql.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, Final

    from sockql.audit.outcome import Outcome, Row

_MARK: Final = "sockql_baseline"
_VERSION: Final = 1
#: Files that are longer are no baselines.
_MOST: Final = 1 << 26


class Entry:
    """A row that was accepted: its keys, why, and until when (the day included, in UTC)."""

    __slots__ = ("expires", "reason", "row", "used")

    def __init__(self, row: dict[str, Any], reason: str = "", expires: date | None = None) -> None:
        self.row = row
        self.reason = reason
        self.expires = expires
        self.used = False

    def expired(self, today: date) -> bool:
        """Whether the entry accepts nothing any more."""
        return self.expires is not None and self.expires < today

    def text(self) -> str:
        """The entry as its line in the file has it."""
        found: dict[str, Any] = {"row": self.row, "reason": self.reason}
        if self.expires is not None:
            found["expires"] = self.expires.isoformat()
        return _dumps(found)


class _Accepted:
    """The entries of one audit."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = tuple(keys)
        self.entries: dict[str, Entry] = {}


class Baseline:
    """The accepted rows of audits; ``path`` is the file they are from, or will be in.

    ``updating`` says that it will be written, so that what does not fit the queries may go.
    """

    def __init__(self, path: str, *, updating: bool = False) -> None:
        self.path = path
        self.updating = updating
        self.today = datetime.now(timezone.utc).date()
        self.audits: dict[str, _Accepted] = {}

    @classmethod
    def read(cls, path: str, *, updating: bool = False) -> Baseline:
        """The baseline in a file.

        :raises UsageError: when it cannot be read, or is none.
        """
        try:
            with open(path, "rb") as file:
                data = file.read(_MOST + 1)
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from None
        if len(data) > _MOST:
            raise UsageError(f"{path}: more than {_MOST:,} bytes are no baseline")
        try:
            text = data.decode("utf-8")
            found = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
        except UnicodeDecodeError as error:
            raise UsageError(f"{path}: not UTF-8 text at byte {error.start}") from None
        except json.JSONDecodeError as error:
            raise UsageError(f"{path}:{error.lineno}: not JSON: {error.msg}") from None
        except (RecursionError, ValueError) as error:
            raise UsageError(f"{path}: not a baseline: {error}") from None
        baseline = cls(path, updating=updating)
        baseline._fill(found, text)
        return baseline

    # -- reading ----------------------------------------------------------------------------

    def _fill(self, found: Any, text: str) -> None:
        if not isinstance(found, dict) or _MARK not in found:
            raise UsageError(f"{self.path}: not a baseline: there is no {_MARK!r} in it")
        if found[_MARK] != _VERSION:
            raise UsageError(
                f"{self.path}: a baseline of version {_dumps(found[_MARK])}; "
                f"this sockql reads version {_VERSION}"
            )
        self._keys(found, "the file", {_MARK, "audits"})
        audits = self._typed(found["audits"], dict, "audits").items()
        for place, (name, audit) in enumerate(audits):
            self._keys(self._typed(audit, dict, name), name, {"keys", "accepted"})
            keys = self._typed(audit["keys"], list, f"{name}: keys")
            accepted = _Accepted([self._typed(key, str, f"{name}: keys") for key in keys])
            for number, entry in enumerate(
                self._typed(audit["accepted"], list, f"{name}: accepted"), 1
            ):
                try:
                    self._entry(accepted, entry, f"{name}: entry {number}")
                except UsageError as error:
                    line = _line(text, place, number)
                    said = str(error).removeprefix(self.path)
                    raise UsageError(f"{self.path}:{line}{said}") from None
            self.audits[name] = accepted

    def _entry(self, accepted: _Accepted, found: Any, where: str) -> None:
        self._keys(self._typed(found, dict, where), where, {"row", "reason"}, {"expires"})
        row = self._typed(found["row"], dict, f"{where}: row")
        if set(row) != set(accepted.keys):
            raise UsageError(
                f"{self.path}: {where}: its row has {', '.join(row) or 'nothing'}, "
                f"the keys are {', '.join(accepted.keys) or 'none'}"
            )
        for key, value in row.items():
            if isinstance(value, (dict, list, bool)):
                raise UsageError(f"{self.path}: {where}: {key}: {_dumps(value)} is no cell")
        reason = self._typed(found["reason"], str, f"{where}: reason")
        expires = None
        if "expires" in found:
            day = self._typed(found["expires"], str, f"{where}: expires")
            try:
                expires = date.fromisoformat(day if len(day) == 10 else "")
            except ValueError:
                raise UsageError(
                    f"{self.path}: {where}: expires: {day!r} is no day as in 2027-01-31"
                ) from None
        row = {key: row[key] for key in accepted.keys}
        entry = accepted.entries.setdefault(_dumps(list(row.values())), Entry(row, reason, expires))
        if entry.row is not row:
            raise UsageError(f"{self.path}: {where}: the row is accepted twice")

    def _typed(self, value: Any, kind: type, where: str) -> Any:
        if not isinstance(value, kind):
            wanted = "an object" if kind is dict else "an array" if kind is list else "text"
            raise UsageError(f"{self.path}: {where}: {wanted} is wanted")
        return value

    def _keys(
        self, found: dict[str, Any], where: str, needed: set[str], others: set[str] | None = None
    ) -> None:
        for key in found.keys() - needed - (others or set()):
            raise UsageError(f"{self.path}: {where}: there is no such key as {key!r}")
        for key in sorted(needed - found.keys()):
            raise UsageError(f"{self.path}: {where}: {key!r} is missing")

    # -- use --------------------------------------------------------------------------------

    def check(self, known: Iterable[str]) -> None:
        """Refuse a baseline that has nothing to do with the audits that are ``known``.

        It may be for others than those that are run now: one baseline serves all of them.

        :raises UsageError: when there are entries, none of them of these audits.
        """
        there = {name for name, accepted in self.audits.items() if accepted.entries}
        if there and there.isdisjoint(known) and not self.updating:
            others = ", ".join(sorted(there)[:3]) + (", …" if len(there) > 3 else "")
            raise UsageError(f"{self.path}: a baseline of unknown audits: {others}")

    def check_keys(self, name: str, keys: Sequence[str]) -> None:
        """Refuse entries whose keys are not those of the query ``name``.

        :raises UsageError: they were made by another query, or by an older one.
        """
        accepted = self.audits.get(name)
        if accepted is None or not accepted.entries or accepted.keys == tuple(keys):
            return
        if not self.updating:
            raise UsageError(
                f"{self.path}: {name}: the entries are of another query: its rows are told apart "
                f"by {', '.join(keys) or 'nothing'}, the entries by "
                f"{', '.join(accepted.keys) or 'nothing'}; --update-baseline writes them anew"
            )
        del self.audits[name]

    def apply(self, outcome: Outcome) -> None:
        """Take the accepted rows out of the findings."""
        accepted = self.audits.get(outcome.query.name)
        if accepted is None:
            return
        found = [*outcome.rows, *(row for row, _ in outcome.accepted)]
        outcome.rows, outcome.accepted = [], []
        for identity, row in _identified(outcome, found):
            entry = accepted.entries.get(identity)
            if entry is None:
                outcome.rows.append(row)
                continue
            entry.used = True
            if entry.expired(self.today):
                outcome.rows.append(row)
            else:
                outcome.accepted.append((row, entry))

    def expired(self, outcomes: Iterable[Outcome]) -> list[tuple[str, Entry]]:
        """Entries of these audits whose time is over, whether there is such a row or not."""
        return [(n, e) for n, e in self._entries(outcomes) if e.expired(self.today)]

    def unused(self, outcomes: Iterable[Outcome]) -> list[tuple[str, Entry]]:
        """Entries that accept nothing, of audits that have seen all there is."""
        seen = [o for o in outcomes if o.error is None and not o.notices]
        return [
            (name, entry)
            for name, entry in self._entries(seen)
            if not entry.used and not entry.expired(self.today)
        ]

    def unknown(self, known: Iterable[str]) -> list[tuple[str, Entry]]:
        """Entries of audits that are not among ``known``: gone, or called something else now."""
        gone = sorted(self.audits.keys() - set(known))
        return [(name, entry) for name in gone for entry in self.audits[name].entries.values()]

    def _entries(self, outcomes: Iterable[Outcome]) -> list[tuple[str, Entry]]:
        found = []
        for name in sorted(outcome.query.name for outcome in outcomes):
            if name in self.audits:
                found += [(name, entry) for entry in self.audits[name].entries.values()]
        return found

    # -- updating ---------------------------------------------------------------------------

    def update(self, outcome: Outcome, reason: str) -> tuple[int, int]:
        """Accept what an audit found and forget what it no longer finds.

        What is not known to be gone (the audit has no answer, or has not seen everything) is kept, and
        so is an expired entry, as it is: somebody has to give it another day.  Returns how many
        entries are new and how many are gone.
        """
        if outcome.error is not None or not outcome.answered:
            return 0, 0
        before = self.audits.get(outcome.query.name)
        after = _Accepted(outcome.keys)
        known = before.entries if before is not None and before.keys == after.keys else {}
        rows = [*outcome.rows, *(row for row, _ in outcome.accepted)]
        added = 0
        for identity, row in _identified(outcome, rows):
            if identity in after.entries:
                continue
            entry = known.get(identity)
            if entry is None:
                cells = dict(zip(outcome.columns, row))
                entry = Entry({key: cell(cells[key]) for key in outcome.keys}, reason)
                added += 1
            entry.used = True
            after.entries[identity] = entry
        if outcome.notices:
            for identity, entry in known.items():
                after.entries.setdefault(identity, entry)
        self.audits[outcome.query.name] = after
        gone = len(before.entries) if before is not None else 0
        return added, gone - (len(after.entries) - added)

    def text(self) -> str:
        """The file: audits and entries sorted, a line for each entry."""
        audits = []
        for name, accepted in sorted(self.audits.items()):
            if accepted.entries:
                lines = [f"        {entry.text()}" for _, entry in sorted(accepted.entries.items())]
                audits.append(
                    f"    {_dumps(name)}: {{\n"
                    f'      "keys": {_dumps(list(accepted.keys))},\n'
                    '      "accepted": [\n' + ",\n".join(lines) + "\n      ]\n    }"
                )
        body = "{\n" + ",\n".join(audits) + "\n  }" if audits else "{}"
        return f'{{\n  "{_MARK}": {_VERSION},\n  "audits": {body}\n}}\n'


def described(name: str, entry: Entry) -> str:
    """An entry in one line, for people: its audit, its row, its reason."""
    row = ", ".join(f"{key} = {_dumps(value)}" for key, value in entry.row.items())
    reason = f" ({entry.reason})" if entry.reason else ""
    return f"{name}: {row or 'no rows'}{reason}"


def changes(added: int, gone: int) -> str:
    """What an update did, for people."""
    return f"{counted(added, 'row')} accepted, {counted(gone, 'row')} forgotten"


def _line(text: str, place: int, number: int) -> int:
    """The line on which an entry begins: of the audit at ``place`` in the file, the ``number``th."""
    import re

    at = [found.end() for found in re.finditer(r'"accepted"\s*:\s*\[', text)][place]
    between = re.compile(r"[\s,]*")
    decoder = json.JSONDecoder()
    start = at
    for _ in range(number):
        found = between.match(text, at)
        start = found.end() if found else at
        at = decoder.raw_decode(text, start)[1]
    return text.count("\n", 0, start) + 1


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is there twice")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _dumps(value: Any) -> str:
    """``value`` on one line of JSON that a terminal may show."""
    from sockql.command.terminal import escape_json

    return escape_json(json.dumps(value, ensure_ascii=False))


def _identified(outcome: Outcome, rows: Iterable[Row]) -> list[tuple[str, Row]]:
    """Each of the outcome's rows with what it is known by: the JSON of its keys."""
    places = [outcome.columns.index(key) for key in outcome.keys]
    return [(_dumps([cell(row[place]) for place in places]), row) for row in rows]
