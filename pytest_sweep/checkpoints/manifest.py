"""What is written beside each checkpoint, last of all: what it holds, and the metrics that it was reported with. Reads no files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pytest_sweep.model.exact_json import exact, from_json

VERSION = 1
SUFFIX = ".json"


class DamagedError(Exception):
    """A checkpoint is not what its manifest says; the text says what is wrong with it."""


class Name(NamedTuple):
    """Names a checkpoint of a trial; of two, the greater one is the newer one.

    Attributes:
        attempt: the attempt that wrote it.
        iteration: its ``training_iteration``.
    """

    attempt: int
    iteration: int

    def __str__(self) -> str:
        return f"{self.attempt}-{self.iteration:06d}"

    @classmethod
    def parse(cls, text: str) -> Name | None:
        """Return the name that `text` is, or None."""
        match = re.fullmatch(r"(\d+)-(\d{6,})", text)
        return None if match is None else cls(int(match[1]), int(match[2]))


class FileRecord(NamedTuple):
    """A file of a checkpoint: its path in it with slashes, its size in bytes, and its sha256 in hexadecimal digits."""

    path: str
    size: int
    sha256: str


class Contents(NamedTuple):
    """What a checkpoint holds; `folders` are there for those that are empty."""

    files: tuple[FileRecord, ...]
    folders: tuple[str, ...]


class Recent(NamedTuple):
    """A report: its full metrics, and the name of its checkpoint or None."""

    metrics: Mapping[str, Any]
    checkpoint: str | None


@dataclass(frozen=True, slots=True)
class Manifest:
    """Says that a checkpoint is complete, and what it is.

    Attributes:
        name: its attempt and iteration.
        contents: its files and folders.
        metrics: the full metrics that it was reported with.
        recent: the reports just before it, which may have died with the worker too; the oldest one first.
    """

    name: Name
    contents: Contents
    metrics: Mapping[str, Any]
    recent: Sequence[Recent] = ()

    def encode(self) -> bytes:
        """Return it as JSON."""
        data = {
            "version": VERSION,
            "attempt": self.name.attempt,
            "training_iteration": self.name.iteration,
            "files": [file._asdict() for file in self.contents.files],
            "folders": self.contents.folders,
            "metrics": exact(self.metrics),
            "recent": [{"metrics": exact(report.metrics), "checkpoint": report.checkpoint} for report in self.recent],
        }
        return json.dumps(data, indent=1, allow_nan=False).encode()

    @classmethod
    def decode(cls, data: bytes) -> Manifest:
        """Return what `encode` has written.

        Raises:
            DamagedError: it is something else.
        """
        try:
            given = from_json(data)
            files = tuple(FileRecord(**file) for file in given["files"])
            name = Name(given["attempt"], given["training_iteration"])
            recent = tuple(Recent(**report) for report in given["recent"])
            found = cls(name, Contents(files, tuple(given["folders"])), given["metrics"], recent)
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedError(f"its manifest cannot be read ({type(error).__name__}: {error})") from error
        for path in (*(file.path for file in files), *found.contents.folders):
            # It is written by us, but lies where others may write: nothing leaves the folder that it is restored to.
            if path.startswith("/") or "\\" in path or ".." in path.split("/"):
                raise DamagedError(f"its manifest names {path!r}, which is outside of it")
        return found
