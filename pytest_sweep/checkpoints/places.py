"""Where checkpoints lie: a folder of a disk, or of whatever fsspec knows. Says which is meant; each is in its own module."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from pytest_sweep.checkpoints.disk import DiskPlace
from pytest_sweep.checkpoints.manifest import Contents, Manifest
from pytest_sweep.checkpoints.remote import RemotePlace, open_filesystem
from pytest_sweep.errors import SweepError


class Place(Protocol):
    """Holds the checkpoints of a trial. One is complete if its manifest is there, which is written last and deleted first."""

    def address(self, name: str) -> str:
        """Return the path or the URL of a checkpoint."""

    def names(self) -> Sequence[str]:
        """Return the names of all that are complete."""

    def read_manifest(self, name: str) -> bytes:
        """Return the manifest of a checkpoint.

        Raises:
            FileNotFoundError: there is none.
        """

    def put(self, source: Path, name: str) -> Contents:
        """Copy a file or a folder; replaces what is there. It is not complete before its manifest is written.

        Raises:
            SweepError: the copy failed.
        """

    def put_manifest(self, name: str, data: bytes) -> None:
        """Make a checkpoint complete.

        Raises:
            SweepError: it cannot be written.
        """

    def fetch(self, manifest: Manifest, scratch: Path) -> Path:
        """Return a folder of this machine with the contents of a checkpoint, checked; `scratch` is there for a copy.

        Raises:
            DamagedError: they are not what the manifest says.
        """

    def delete(self, name: str) -> None:
        """Delete a checkpoint; one that is not there is none to delete."""

    def delete_incomplete(self, attempts_before: int) -> None:
        """Delete what earlier attempts have left half done."""


def local_path(location: str) -> Path | None:
    """Return the path that a location is, also written as ``file:///...``; None where it is another URL.

    Raises:
        SweepError: a ``file://`` URL that names a machine, or no path.
    """
    if "://" not in location:
        return Path(location)
    parts = urlsplit(location)
    if parts.scheme != "file":
        return None
    if parts.netloc not in ("", "localhost") or not parts.path:
        raise SweepError(f"--sweep-storage={location}: a URL of a path has three slashes, as file:///data/sweeps")
    return Path(unquote(parts.path))


def place_of(location: str) -> Place:
    """Return the place at a path or a URL.

    Raises:
        SweepError: fsspec, or what it needs for this URL, is not installed.
    """
    path = local_path(location)
    return RemotePlace(location) if path is None else DiskPlace(path)


def check_place(location: str) -> None:
    """Find out whether a location could be used, without touching it.

    Raises:
        SweepError: fsspec, or what it needs for this URL, is not installed; the text says what to install.
    """
    if local_path(location) is None:
        open_filesystem(location)
