"""What is done for open files when a process exits without a search for all garbage. Knows no pytest."""

from __future__ import annotations

import contextlib
import gc
import io

_FILES = frozenset((io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom))


def flush_open_files() -> None:
    """Write what is in the buffers of open files, of those that the garbage collector has not been told to pass over.

    Python itself does that when it finalizes a file. A file that only a cycle of frozen objects holds, such as the value of a fixture, is
    not finalized.
    """
    for each in gc.get_objects():
        if type(each) in _FILES:
            with contextlib.suppress(OSError, ValueError):  # Nobody reads it any more, or it is closed.
                each.flush()
