"""A value on its way to other processes: pickled, with its buffers beside it, so that they need not be copied. Knows no pytest."""

from __future__ import annotations

import mmap
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle

_ALIGNMENT = 64
"""Where buffers begin in a file, in bytes: what numerical libraries like."""


@dataclass(frozen=True)
class Parcel:
    """A value as parts: first the pickled one, then its buffers, which were not copied yet. They are read-only when it is opened."""

    parts: Sequence[Any]

    @classmethod
    def pack(cls, value: object) -> Parcel:
        """Return `value` as parts; raises whatever pickling raises."""
        buffers: list[pickle.PickleBuffer] = []
        pickled = cloudpickle.dumps(value, protocol=5, buffer_callback=buffers.append)
        # A buffer, too: what carries it need not copy it either.
        return cls([pickle.PickleBuffer(pickled), *buffers])

    @property
    def copied(self) -> int:
        """How many bytes of the value everybody who opens it gets a copy of."""
        return memoryview(self.parts[0]).nbytes

    def open(self) -> Any:
        """Return the value, made anew; its buffers are those of the parts."""
        pickled, *buffers = (memoryview(part).toreadonly() for part in self.parts)
        return pickle.loads(pickled, buffers=buffers)

    def write(self, path: Path) -> None:
        """Write it into a new file, which `read` reads."""
        views = [pickle.PickleBuffer(part).raw() for part in self.parts]
        with path.open("xb") as file:
            pickle.dump([view.nbytes for view in views], file)
            for view in views:
                file.write(b"\0" * (-file.tell() % _ALIGNMENT))
                file.write(view)

    @classmethod
    def read(cls, path: Path) -> Parcel:
        """Return what was written into a file, whose pages are not copied, either."""
        with path.open("rb") as file:
            sizes, start = pickle.load(file), file.tell()
            content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        parts = []
        for size in sizes:
            start += -start % _ALIGNMENT
            parts.append(content[start : start + size])
            start += size
        return cls(parts)
