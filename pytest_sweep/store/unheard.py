"""What the trial that runs in the driver's own process has said, in a file beside the database that outlives the process.

The driver stores what such a trial says when it has ended, since both share a thread. Until then it is here, a line of JSON each: in the
kernel's page cache when `UnheardFile.write` returns. A file may come from anyone, and is read with that in mind.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from pytest_sweep.errors import StoreError
from pytest_sweep.model.events import TrialReported, TrialStarted
from pytest_sweep.model.exact_json import from_json, to_json
from pytest_sweep.store.folders import path_in_run
from pytest_sweep.store.running import open_regular

FILE = "unheard.jsonl"

MOST_BYTES = 256 * 2**20
"""How much is read: the reports of one trial, which its process had in memory, too."""

Said = TrialStarted | TrialReported


class UnheardFile:
    """The driver's side: it writes what the running trial says, and forgets it when that is stored."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._file = -1
        self._is_empty, self._is_full = True, False
        self._pid = 0

    def open(self, folder: str) -> None:
        """Make the file in the folder of a run.

        Raises:
            StoreError: it cannot be made.
        """
        self._path = Path(folder, FILE)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        try:
            self._file = os.open(self._path, flags, 0o644)
        except OSError as error:
            raise StoreError(f"results cannot be written to {folder}: {error.strerror or error}") from error
        self._pid = os.getpid()

    def write(self, event: object) -> None:
        """Append an event, if it is the start of a trial or a report; nothing in a forked child, and after the disk was full."""
        if self._file < 0 or self._is_full or os.getpid() != self._pid:
            return
        row: list[Any]
        if isinstance(event, TrialReported):
            row = ["report", event.key, event.attempt, event.metrics, *self._stored(event)]
        elif isinstance(event, TrialStarted):
            row = ["start", event.key, event.attempt, event.time, event.location]
        else:
            return
        line = f"{to_json(row)}\n".encode("utf-8", "backslashreplace")
        self._is_empty = False
        try:
            written = os.write(self._file, line)
        except OSError:
            written = 0
        # After an incomplete line nothing is read: a gap is no use, since reports are told in order.
        self._is_full = written != len(line)

    def clear(self) -> None:
        """Forget what was written: it is stored."""
        if not self._is_empty:
            os.ftruncate(self._file, 0)
            self._is_empty, self._is_full = True, False

    def close(self) -> None:
        """Delete the file: nothing runs any more, and all that was said is stored."""
        if self._path is not None and os.getpid() == self._pid:
            os.close(self._file)
            with contextlib.suppress(OSError):  # Nobody may write there any more, or somebody has deleted it.
                self._path.unlink()
            self._path, self._file = None, -1

    def _stored(self, event: TrialReported) -> tuple[str | None, list[str] | None]:
        if self._path is None or event.checkpoint is None:
            return None, None
        folder = self._path.parent
        kept = None if event.kept is None else [path_in_run(folder, path) for path in event.kept]
        return path_in_run(folder, event.checkpoint), kept


def read_unheard(folder: Path) -> list[Said]:
    """Return what is in the file of the run in `folder`, in order, up to a line that is incomplete or none of ours.

    Paths of checkpoints are as the database has them: relative to the folder, where they lie in it.
    """
    try:
        file = open_regular(folder / FILE)
    except OSError:
        return []
    with file:
        return list(_lines(file))


def _lines(file: BinaryIO) -> Iterator[Said]:
    left = MOST_BYTES
    while (line := file.readline(left)).endswith(b"\n"):
        left -= len(line)
        try:
            said = _event(from_json(line))
        except (ValueError, RecursionError):
            return
        if said is None:
            return
        yield said


def _event(row: Any) -> Said | None:
    match row:
        case ["start", str(key), int(attempt), float(time), str(location)]:
            return TrialStarted(key, attempt, time, location)
        case ["report", str(key), int(attempt), dict(metrics), (str() | None) as checkpoint, (list() | None) as kept]:
            if kept is None or all(isinstance(path, str) for path in kept):
                return TrialReported(key, attempt, metrics, checkpoint, None if kept is None else tuple(kept))
    return None
