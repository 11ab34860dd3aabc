"""Output files that appear when they are complete."""

from __future__ import annotations

import os

from sockql import unfinished
from sockql.errors import UsageError
from sockql.render.output import Output


class WholeFile(Output):
    """A regular file that has its old content, or none, until the new one is complete."""

    def __init__(self, name: str, target: str, before: os.stat_result | None) -> None:
        self._target = target
        # Beside the target: a rename is only atomic within a file system.
        folder = os.path.dirname(target)
        unfinished.sweep(folder)
        self._temporary = unfinished.name(folder)
        descriptor = unfinished.make_file(self._temporary, 0o666)
        self._lock = os.dup(descriptor)  # held beyond the end of writing
        super().__init__(descriptor, name, owned=True)
        if before is not None:
            os.fchmod(descriptor, before.st_mode & 0o777)
            self._give(descriptor, before)

    def _give(self, descriptor: int, before: os.stat_result) -> None:
        """Leave the file with its owner, if we may: only root can give files away."""
        try:
            os.fchown(descriptor, before.st_uid, before.st_gid)
        except OSError:
            return

    def finish(self) -> None:
        if not self._owned:
            return  # it is there already
        try:
            super().finish()
            os.rename(self._temporary, self._target)
        except (OSError, UsageError) as error:
            unfinished.discard(self._temporary)
            if isinstance(error, OSError):
                raise UsageError(f"{self.name}: {error.strerror}") from None
            raise
        finally:
            self._unlock()

    def abandon(self) -> None:
        if self._owned:
            super().abandon()
            unfinished.discard(self._temporary)
            self._unlock()

    def _unlock(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
