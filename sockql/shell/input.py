"""Keys from the terminal: what comes too fast to be typed is taken in pieces, not by keys.

A terminal without bracketed paste, or a user who typed while a statement ran, sends text as keys,
and each key costs prompt-toolkit a tenth of a millisecond, more in a long input: a paste of a
megabyte would take hours.
"""

from __future__ import annotations

from prompt_toolkit.application.current import get_app
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.input.typeahead import get_typeahead, store_typeahead
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.key_binding.key_processor import KeyPress
from prompt_toolkit.key_binding.vi_state import InputMode
from prompt_toolkit.keys import Keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Final

#: So many characters in a row were not typed one by one.
_RUN: Final = 32

#: So many keys at once are a paste, in which Enter is the end of a line; else it runs the input.
_FLOOD: Final = 512

#: Reads that a paste is collected from before it is shown.
_READS: Final = 64

_LINE_ENDS: Final[dict[str, str]] = {Keys.ControlM: "\n", Keys.ControlJ: "\n", Keys.ControlI: "\t"}


class Keyed(Vt100Input):
    """Standard input, its floods as pastes."""

    def read_keys(self) -> list[KeyPress]:
        """The keys that are there."""
        keys = super().read_keys()
        if len(keys) < _RUN or _commanding():
            return keys
        if len(keys) >= _FLOOD:
            for _ in range(_READS):
                more = super().read_keys()
                keys += more
                if not more:
                    break
        return list(merged(keys))

    def interrupted(self) -> bool:
        """Whether Ctrl-C was pressed after Enter, before the terminal made signals of it again.

        What was typed after it, or all if it was not, is kept for the next prompt.
        """
        keys = get_typeahead(self) + self.read_keys()
        places = [i for i, key in enumerate(keys) if key.key == Keys.ControlC]
        store_typeahead(self, keys[places[-1] + 1 :] if places else keys)
        return bool(places)


def merged(keys: Sequence[KeyPress]) -> Iterator[KeyPress]:
    """The same keys, runs of characters as one paste."""
    inside = 0  # keys among which Enter is the end of a line; behind all of them it is Enter
    if len(keys) >= _FLOOD:
        inside = len(keys)
        while inside and keys[inside - 1].key in _LINE_ENDS:
            inside -= 1
    run: list[KeyPress] = []
    for i, key in enumerate(keys):
        if key.key == key.data or (i < inside and key.key in _LINE_ENDS):
            run.append(key)
            continue
        yield from _pasted(run)
        run = []
        yield key
    yield from _pasted(run)


def _pasted(run: list[KeyPress]) -> list[KeyPress]:
    if len(run) < _RUN:
        return run
    texts = [_LINE_ENDS.get(key.key, key.data) for key in run]
    return [KeyPress(Keys.BracketedPaste, "".join(texts))]


def _commanding() -> bool:
    """Whether characters are commands of vi rather than text."""
    app = get_app()
    return app.editing_mode == EditingMode.VI and app.vi_state.input_mode not in (
        InputMode.INSERT,
        InputMode.INSERT_MULTIPLE,
        InputMode.REPLACE,
    )
