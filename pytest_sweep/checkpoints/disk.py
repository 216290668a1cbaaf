"""Checkpoints on a disk: copied under a temporary name, then renamed. Knows nothing of fsspec."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from pytest_sweep.checkpoints.manifest import SUFFIX, Contents, DamagedError, FileRecord, Manifest, Name
from pytest_sweep.errors import SweepError

CHUNK = 1 << 20


class DiskPlace:
    """A folder of this machine, or of a file system that it shares with others."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def address(self, name: str) -> str:
        """Return its path."""
        return str(self._folder / name)

    def names(self) -> Sequence[str]:
        """Return those with a manifest."""
        try:
            return [name.removesuffix(SUFFIX) for name in os.listdir(self._folder) if name.endswith(SUFFIX)]  # noqa: PTH208
        except FileNotFoundError:
            return []

    def read_manifest(self, name: str) -> bytes:
        """Return its text."""
        try:
            with open_regular(self._manifest(name)) as file:
                return file.read()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise DamagedError(f"its manifest cannot be read ({error.strerror or error})") from error

    def put(self, source: Path, name: str) -> Contents:
        """Copy under a temporary name, and rename."""
        if source.is_dir() and self._folder.resolve().is_relative_to(source.resolve()):
            raise SweepError(
                f"checkpoint={str(source)!r} is a folder that holds the checkpoints themselves: report one in it, with the checkpoint only"
            )
        target, temporary = self._folder / name, self._folder / f".{name}.tmp"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self.delete(name)
            _remove(temporary)
            contents = _copy(source, temporary)
            temporary.rename(target)
        except OSError as error:
            with contextlib.suppress(OSError):
                _remove(temporary)  # A full disk needs the room.
            raise SweepError(f"the checkpoint {source} could not be kept in {self._folder}: {error}") from error
        return contents

    def put_manifest(self, name: str, data: bytes) -> None:
        """Write it under a temporary name, and rename."""
        temporary = self._folder / f".{name}.tmp"
        try:
            temporary.write_bytes(data)
            temporary.replace(self._manifest(name))
        except OSError as error:
            raise SweepError(f"the checkpoint {self.address(name)} could not be completed: {error}") from error

    def fetch(self, manifest: Manifest, scratch: Path) -> Path:  # noqa: ARG002 - it is here already
        """Read all files once, to check them where they lie."""
        folder = self._folder / str(manifest.name)
        real = os.path.realpath(folder)
        if real != os.path.join(os.path.realpath(self._folder), str(manifest.name)):  # noqa: PTH118 - beside realpath
            raise DamagedError("it is a link, which checkpoints never are")
        for file in manifest.contents.files:
            try:
                # The checkpoint has copies of files, and no links: one leads to something else.
                if os.path.realpath(folder / file.path) != os.path.join(real, *file.path.split("/")):  # noqa: PTH118
                    raise DamagedError(f"{file.path} is a link, which files of checkpoints never are")
            except ValueError as error:
                raise DamagedError(f"{file.path!r} cannot be the name of a file ({error})") from error
            check_file(folder / file.path, file)
        return folder

    def delete(self, name: str) -> None:
        """Delete the manifest first: what is half deleted is not there."""
        self._manifest(name).unlink(missing_ok=True)
        _remove(self._folder / name)

    def delete_incomplete(self, attempts_before: int) -> None:
        """Delete temporary names, and folders without manifest; an attempt that still runs elsewhere is younger."""
        complete = set(self.names())
        for path in self._folder.iterdir() if self._folder.is_dir() else ():
            name = Name.parse(path.name.removeprefix(".").removesuffix(".tmp"))
            if name is not None and name.attempt < attempts_before and path.name not in complete:
                _remove(path)

    def _manifest(self, name: str) -> Path:
        return self._folder / f"{name}{SUFFIX}"


def open_regular(path: Path) -> BinaryIO:
    """Open a file to read it; a link, and a pipe, which may have no end, are not opened.

    Raises:
        OSError: it is not there, cannot be read, or is something else.
    """
    # A pipe would be waited for, and a link be followed. Windows has neither flag.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def check_file(path: Path, wanted: FileRecord) -> None:
    """Raise DamagedError unless the file at `path` is the one that is `wanted`."""
    try:
        with open_regular(path) as file:
            found = copied(file, None, wanted.path)
    except (FileNotFoundError, NotADirectoryError):
        raise DamagedError(f"{wanted.path} is missing") from None
    except OSError as error:
        raise DamagedError(f"{wanted.path} cannot be read ({error})") from error
    compare(found, wanted)


def compare(found: FileRecord, wanted: FileRecord) -> None:
    """Raise DamagedError unless a file is as it is `wanted`."""
    if found.size != wanted.size:
        raise DamagedError(f"{wanted.path} has {found.size} bytes instead of {wanted.size}")
    if found.sha256 != wanted.sha256:
        raise DamagedError(f"{wanted.path} has been changed: its sha256 is another one")


def copied(source: BinaryIO, target: BinaryIO | None, path: str) -> FileRecord:
    """Read `source` to its end, write it to `target` if there is one, and return the record of a file at `path`."""
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(CHUNK):
        digest.update(chunk)
        size += len(chunk)
        if target is not None:
            target.write(chunk)
    return FileRecord(path, size, digest.hexdigest())


def walk(source: Path) -> tuple[list[tuple[Path, str]], list[str]]:
    """Return the files of a checkpoint, each with its path in it, and its folders; of a file, that alone."""
    if not source.is_dir():
        return [(source, source.name)], []
    files, folders = [], []
    for above, below, names in os.walk(source, followlinks=True, onerror=_raise):
        here = Path(above).relative_to(source)
        if len(here.parts) > 100:
            raise OSError(f"{above} is too deep: is there a link to a folder above it?")
        folders += [(here / name).as_posix() for name in below]
        files += [(Path(above) / name, (here / name).as_posix()) for name in names]
    for path, _ in files:
        if not path.is_file():  # A pipe would never end.
            raise OSError(f"{path} is no file that could be copied")
    return files, folders


def _copy(source: Path, target: Path) -> Contents:
    files, folders = walk(source)
    target.mkdir()
    for folder in folders:
        (target / folder).mkdir()
    records = []
    for path, name in files:
        with path.open("rb") as reading, (target / name).open("wb") as writing:
            records.append(copied(reading, writing, name))
        shutil.copystat(path, target / name)
    return Contents(tuple(records), tuple(folders))


def _raise(error: OSError) -> None:
    raise error


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        # An attempt that lives on behind a cut link may rename it just now.
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
