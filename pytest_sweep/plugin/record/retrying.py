"""Keeps a run going while its store cannot be written: what happens is kept in memory, and written when that is possible again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from pytest_sweep import clock
from pytest_sweep.errors import StoreError
from pytest_sweep.model.events import Accepted
from pytest_sweep.store import RunStore

T = TypeVar("T")

RETRY_SECONDS = 5.0
"""How long a store that could not be written is left alone."""


class RetryingStore:
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
        self._is_unfinished = False
        self._told = 0

    @property
    def is_behind(self) -> bool:
        """Whether something has not been stored, or is stored no more."""
        return bool(self._waiting) or self._is_unfinished

    @property
    def is_damaged(self) -> bool:
        """Whether the store does not hold what was stored, and could not be repaired."""
        return self._store.is_damaged

    def record(self, events: Sequence[Accepted]) -> None:
        """Store `events` after what waits, or have them wait too."""
        if clock.monotonic() < self._next_try:
            self._waiting += events
        else:
            self._store_all([*self._waiting, *events])

    def flush(self) -> None:
        """Try to store what waits."""
        self._store_all(self._waiting)

    def verify(self) -> None:
        """See whether the store holds what was stored, so that others may read it; repair it if not.

        Raises:
            StoreError: it cannot be repaired.
        """
        try:
            self._store.verify()
        finally:
            self._tell_of_repairs()

    def _store_all(self, batch: list[Accepted]) -> None:
        # What waits changes only when it is known what became of the batch: an interrupt leaves it with who has handed it in.
        if not batch:
            return
        try:
            self._store.record(batch)
        except StoreError as error:
            self._waiting, self._next_try = batch, clock.monotonic() + RETRY_SECONDS
            if self.trouble is None:
                self._tell(f"{error}. The trials go on, and their results are kept in memory until they can be stored")
            self.trouble = str(error)
        else:
            self._waiting, self._next_try = [], 0.0
        self._tell_of_repairs()

    def read(self, reading: Callable[[], T]) -> T:
        """Return what `reading` reads of the store; where that fails the store is repaired, and read again.

        Raises:
            StoreError: it cannot be read.
        """
        try:
            return reading()
        except StoreError:
            self.verify()
            return reading()

    def finish(self, status: Callable[[], int]) -> None:
        """Store what waits, and how the run has ended, if that is possible now; verify the store and close it.

        Args:
            status: returns pytest's exit status, which may depend on whether all is stored.
        """
        self.flush()
        try:
            try:
                self._store.finish(status())
            finally:
                self._store.close()
        except StoreError as error:
            self.trouble, self._is_unfinished = str(error), True
        self._told = len(self._store.repairs)  # The summary says them.

    def summary(self) -> str:
        """Return what is to be said at the end: nothing, if everything was stored at once."""
        lines = list(self._store.repairs)
        if self.trouble is not None and self.is_behind:
            # Of a database that is damaged it is said beside this what was written to a new one.
            rest = "" if self.is_damaged else ": what happened since then is not stored, and is shown here only"
            lines.append(f"{self.trouble}{rest}")
        elif self.trouble is not None:
            lines.append(f"{self.trouble}, for a while: everything is stored now")
        return "\n".join(lines)

    def _tell_of_repairs(self) -> None:
        for repair in self._store.repairs[self._told :]:
            self._tell(repair)
        self._told = len(self._store.repairs)
