"""Keeps the captured output of trials in a file once it has been shown, for pytest keeps all reports to the end. Knows no trial."""

from __future__ import annotations

import contextlib
import os
import tempfile
import weakref
from collections.abc import Iterable, MutableSequence
from pathlib import Path
from typing import Any, NamedTuple, cast, overload

import pytest

Section = tuple[str, str]
"""A section of a report, as pytest names it: ``("Captured stdout call", "...")``."""

LEAST_CHARACTERS = 500
"""Reports whose sections are shorter keep them in memory: a place in the file takes about as much."""


class Place(NamedTuple):
    """Where a text is in the file: its first byte, and how many there are."""

    start: int
    size: int


class OutputFile:
    """Takes the sections out of reports, and gives them back to who asks for them.

    The file has no name, so that nobody else can open it, and is gone with this process. It is made when there is something to keep.
    Where it cannot be written, reports keep their sections.

    Args:
        folder: where the file is made: on the disk that has room for the results.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None
        self._end = 0

    def take(self, reports: Iterable[pytest.TestReport]) -> None:
        """Replace the sections of reports that have been shown; a text that several of them have is written once."""
        places: dict[str, Place] = {}
        for report in reports:
            sections = report.sections
            if sections and _length(sections) >= LEAST_CHARACTERS:
                with contextlib.suppress(OSError):
                    kept = [(name, self._write(content, places)) for name, content in sections]
                    report.sections = cast("list[Section]", KeptSections(self, kept))

    def read(self, place: Place) -> str:
        """Return the text at a place; a sentence that says so where it cannot be read."""
        assert self._descriptor is not None
        parts, start, left = [], place.start, place.size
        try:
            while left:
                os.lseek(self._descriptor, start, os.SEEK_SET)
                part = os.read(self._descriptor, left)
                if not part:
                    raise OSError("it is shorter than what was written")
                parts.append(part)
                start, left = start + len(part), left - len(part)
        except OSError as error:
            return f"this output was kept in a file, which cannot be read: {error}\n"
        return b"".join(parts).decode("utf-8", "surrogatepass")

    def _write(self, text: str, places: dict[str, Place]) -> Place:
        place = places.get(text)
        if place is None:
            content = text.encode("utf-8", "surrogatepass")
            if self._descriptor is None:
                self._descriptor = self._opened()
            os.lseek(self._descriptor, self._end, os.SEEK_SET)
            left = memoryview(content)
            while left:
                left = left[os.write(self._descriptor, left) :]
            place = places[text] = Place(self._end, len(content))
            self._end += len(content)
        return place

    def _opened(self) -> int:
        with tempfile.TemporaryFile(dir=self._folder, buffering=0) as file:
            descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, descriptor)
        return descriptor


class KeptSections(MutableSequence[Section]):
    """The sections of a report, read from the file whenever somebody looks at them; a list in memory again when they are changed.

    Args:
        file: where they are.
        kept: their names, and where their texts are.
    """

    def __init__(self, file: OutputFile, kept: list[tuple[str, Place]]) -> None:
        self._file = file
        self._kept: list[tuple[str, Place]] | None = kept
        self._changed: list[Section] = []

    def _sections(self) -> list[Section]:
        if self._kept is None:
            return self._changed
        return [(name, self._file.read(place)) for name, place in self._kept]

    def _own(self) -> list[Section]:
        if self._kept is not None:
            self._changed, self._kept = self._sections(), None
        return self._changed

    @overload
    def __getitem__(self, index: int) -> Section: ...
    @overload
    def __getitem__(self, index: slice) -> list[Section]: ...
    def __getitem__(self, index: int | slice) -> Section | list[Section]:
        return self._sections()[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        self._own()[index] = value

    def __delitem__(self, index: int | slice) -> None:
        del self._own()[index]

    def __len__(self) -> int:
        return len(self._changed if self._kept is None else self._kept)

    def insert(self, index: int, value: Section) -> None:
        """Insert a section, as in a list."""
        self._own().insert(index, value)

    def __eq__(self, other: object) -> bool:
        return self._sections() == (other._sections() if isinstance(other, KeptSections) else other)

    __hash__ = None  # type: ignore[assignment]

    def __add__(self, other: Iterable[Section]) -> list[Section]:
        return [*self._sections(), *other]

    def __radd__(self, other: Iterable[Section]) -> list[Section]:
        return [*other, *self._sections()]

    def __repr__(self) -> str:
        return repr(self._sections())

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel, and be copied, as a list."""
        return list, (self._sections(),)


def _length(sections: Iterable[Section]) -> int:
    """Return how long the texts are; 0 where a plugin has put something else among them."""
    texts = [content for _, content in sections]
    return sum(map(len, texts)) if all(type(text) is str for text in texts) else 0
