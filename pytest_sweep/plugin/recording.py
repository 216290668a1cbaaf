"""Keeps a run going while its store cannot be written: what happens is kept in memory, and written when that is possible again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from pytest_sweep.errors import StoreError
from pytest_sweep.model.events import Accepted
from pytest_sweep.store import RunStore

RETRY_SECONDS = 5.0
"""How long a store that could not be written is left alone."""


class Recorder:
    """Writes to a store, patiently.

    Args:
        store: where events are stored.
        tell: tells people of a trouble, at once.

    Attributes:
        trouble: why the store could not be written at some time in the run, or None.
    """

    def __init__(self, store: RunStore, tell: Callable[[str], None]) -> None:
        self.trouble: str | None = None
        self._store = store
        self._tell = tell
        self._waiting: list[Accepted] = []
        self._next_try = 0.0

    @property
    def is_behind(self) -> bool:
        """Whether something has not been stored yet."""
        return bool(self._waiting)

    def record(self, events: Sequence[Accepted]) -> None:
        """Store `events` after what waits, or have them wait too."""
        self._waiting += events
        if time.monotonic() >= self._next_try:
            self.flush()

    def flush(self) -> None:
        """Try to store what waits."""
        if not self._waiting:
            return
        try:
            self._store.record(self._waiting)
        except StoreError as error:
            self._next_try = time.monotonic() + RETRY_SECONDS
            if self.trouble is None:
                self._tell(f"{error}. The trials go on, and their results are kept in memory until they can be stored")
            self.trouble = str(error)
        else:
            self._waiting.clear()
            self._next_try = 0.0

    def finish(self, status: int) -> None:
        """Store what waits, and how the run has ended, if that is possible now; close the store."""
        self.flush()
        try:
            self._store.finish(status)
            self._store.close()
        except StoreError as error:
            self.trouble = str(error)

    def summary(self) -> str:
        """Return what is to be said at the end: nothing, if everything was stored at once."""
        if self.trouble is None:
            return ""
        if self._waiting:
            return f"{self.trouble}: what happened since then is not stored, and is shown here only"
        return f"{self.trouble}, for a while: everything is stored now"
