"""What driver and workers tell each other of the project's code. Reads no file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file as the driver has read it: its digest, when it was written, and its size."""

    digest: str | None
    written_ns: int
    size: int


@dataclass(frozen=True, slots=True)
class KnownSweep:
    """The files of a sweep, by their keys, and whether it imports modules whose names are not in its text."""

    files: frozenset[str]
    by_name: bool = False


@dataclass(frozen=True, slots=True)
class KnownCode:
    """What the driver knows of the code of all sweeps before a trial runs.

    Attributes:
        files: all files of the sweeps, by their keys: paths relative to rootdir.
        sweeps: the sweeps, by their ids.
        tests: the keys of the files that were collected; no other file imports one by name.
    """

    files: Mapping[str, KnownFile] = field(default_factory=dict)
    sweeps: Mapping[str, KnownSweep] = field(default_factory=dict)
    tests: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Used:
    """What a trial has used beyond what the driver knows of its sweep.

    Attributes:
        files: keys of files and digests of what was imported of them; None where that is not known any more.
        fixtures: names of fixtures that it has asked for while it ran, each with a digest and the key of its file.
    """

    files: tuple[tuple[str, str | None], ...] = ()
    fixtures: tuple[tuple[str, str | None, str], ...] = ()
