"""What is written beside each checkpoint, last of all: what it holds, and the metrics that it was reported with. Reads no files.

It is JSON, and ends with a digest of all that is before it. A damaged one is never read for half of what it says.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from pytest_sweep.model.exact_json import exact, from_json
from pytest_sweep.model.spread import judged_float

VERSION = 2
"""Version 1, of earlier releases, has no digest."""

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
        match = re.fullmatch(r"([0-9]{1,18})-([0-9]{6,18})", text)
        found = None if match is None else cls(int(match[1]), int(match[2]))
        return found if str(found) == text else None  # With more zeros it is none of ours.


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

    @property
    def seconds(self) -> float:
        """The ``time_total_s`` that it was reported with; 0 where a trial has reported something else by that name."""
        seconds = judged_float(self.metrics.get("time_total_s"))
        return seconds if math.isfinite(seconds) and seconds >= 0 else 0.0

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
        return _signed(json.dumps(data, indent=1, allow_nan=False))

    @classmethod
    def decode(cls, data: bytes) -> Manifest:
        """Return what `encode` has written, also that of a release that wrote no digest.

        Raises:
            DamagedError: it is something else.
        """
        try:
            given = _entry(from_json(data), dict, "the whole")
            found, version = cls._of(given), _number(given, "version")
            if version not in (1, VERSION):
                raise ValueError(f"version {version} is not known")
        except (ValueError, TypeError, RecursionError) as error:
            raise DamagedError(f"its manifest cannot be read ({type(error).__name__}: {error})") from error
        if version == VERSION:
            _check_digest(data)
        return found

    @classmethod
    def _of(cls, given: Mapping[str, Any]) -> Manifest:
        files = tuple(_file(_entry(file, dict, "a file")) for file in _entry(given.get("files"), list, "files"))
        folders = tuple(_entry(folder, str, "a folder") for folder in _entry(given.get("folders"), list, "folders"))
        name = Name(_number(given, "attempt"), _number(given, "training_iteration"))
        recent = tuple(
            Recent(
                _entry(_entry(report, dict, "a report").get("metrics"), dict, "the metrics of a report"),
                None if report.get("checkpoint") is None else _entry(report["checkpoint"], str, "a checkpoint"),
            )
            for report in _entry(given.get("recent"), list, "recent")
        )
        _check_paths([file.path for file in files], folders)
        return cls(name, Contents(files, folders), _entry(given.get("metrics"), dict, "metrics"), recent)


_Kind = TypeVar("_Kind")


def _entry(value: Any, kind: type[_Kind], what: str) -> _Kind:
    if type(value) is not kind:
        raise TypeError(f"{what}: {type(value).__name__} instead of {kind.__name__}")
    return value


def _number(given: Mapping[str, Any], name: str) -> int:
    number = _entry(given.get(name), int, name)
    if not 0 <= number < 10**18:
        raise ValueError(f"{name} is out of range")
    return number


def _file(given: Mapping[str, Any]) -> FileRecord:
    path, digest = _entry(given.get("path"), str, "a path"), _entry(given.get("sha256"), str, "a sha256")
    return FileRecord(path, _number(given, "size"), digest)


def _check_paths(files: Sequence[str], folders: Sequence[str]) -> None:
    """Raise DamagedError unless all are paths within a folder, which can be there beside each other.

    They are written by us, but lie where others may write: nothing leaves the folder that it is restored to.
    """
    for path in (*files, *folders):
        parts = path.split("/")
        if "\\" in path or "\0" in path or not {"", ".", ".."}.isdisjoint(parts) or re.match("[A-Za-z]:", path):
            raise DamagedError(f"its manifest names {path!r}, which is outside of it")
    taken = set(files)
    above = {path.rpartition("/")[0] for path in (*files, *folders)}
    if len(taken) != len(files) or not taken.isdisjoint(folders) or not taken.isdisjoint(above):
        raise DamagedError("its manifest names a path twice")


_DIGEST = re.compile(rb',\n "sha256": "([0-9a-f]{64})"\n\}\Z')


def _signed(text: str) -> bytes:
    """Return a JSON object with its own digest as the last entry."""
    data = text.encode()
    return data.removesuffix(b"\n}") + f',\n "sha256": "{hashlib.sha256(data).hexdigest()}"\n}}'.encode()


def _check_digest(data: bytes) -> None:
    match = _DIGEST.search(data, max(len(data) - 100, 0))
    if match is None or hashlib.sha256(data[: match.start()] + b"\n}").hexdigest() != match[1].decode():
        raise DamagedError("its manifest has been changed: its sha256 is another one")
