"""What a worker has said and nobody has heard yet, in files that outlive its process. Knows no pytest.

What is written here is in the kernel's page cache when `Spool.write` returns: it survives the death of the process, whatever the cause, and
is lost with the machine only.
"""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import TypeGuard

from pytest_sweep.wire.messages import Packed

Numbered = tuple[int, Packed]
"""An event as bytes and its number, which counts from 1 in each worker process."""

_NAMES = ("events-0", "events-1")


class Spool:
    """Two files, written in turns: while the content of one is on its way to the driver, events go to the other.

    Args:
        folder: the folder of this process; it exists.
    """

    def __init__(self, folder: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        self._files = [os.open(folder / name, flags, 0o600) for name in _NAMES]
        self._sizes = [0, 0]
        self._current = 0
        self._pid = os.getpid()
        self._is_full = False

    def write(self, numbered: Numbered) -> None:
        """Append an event; does nothing in a forked child, and after the disk was full."""
        if self._is_full or os.getpid() != self._pid:
            return
        record = pickle.dumps(numbered, pickle.HIGHEST_PROTOCOL)
        try:
            written = os.write(self._files[self._current], record)
        except OSError:
            written = 0
        self._sizes[self._current] += len(record)
        # After an incomplete record nothing can be read: a gap is no use, since events are told in order.
        self._is_full = written != len(record)

    def turn(self) -> None:
        """Everything written so far is about to be sent: write to the other file, unless some of that one has not arrived."""
        other = 1 - self._current
        if not self._sizes[other]:
            self._current = other

    def arrived(self) -> None:
        """Everything written before the last `turn` has arrived: drop it."""
        other = 1 - self._current
        if self._sizes[other]:
            os.ftruncate(self._files[other], 0)
            self._sizes[other] = 0


def _is_packed(record: object) -> TypeGuard[Packed]:
    """Say whether a record that was read has the shape of an event: where the disk was damaged, it may be anything."""
    kinds = (bytes, str, int, int)
    return isinstance(record, tuple) and len(record) == len(kinds) and all(map(isinstance, record, kinds))


def read_spool(folder: Path) -> list[Numbered]:
    """Return the events in the folder of a dead process, in order; an incomplete last record is left out."""
    found: dict[int, Packed] = {}
    for name in _NAMES:
        try:
            file = (folder / name).open("rb")
        except OSError:
            continue
        with file:
            while True:
                try:
                    number, packed = pickle.load(file)
                except Exception:  # The end of the file, or a record that the process was killed in.
                    break
                if not isinstance(number, int) or not _is_packed(packed):
                    break
                found.setdefault(number, packed)
    return sorted(found.items())
