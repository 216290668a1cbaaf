"""Checkpoints on whatever fsspec knows, such as S3. There is no rename: the manifest, written last, decides what is complete."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from pytest_sweep.checkpoints.disk import compare, copied, walk
from pytest_sweep.checkpoints.manifest import SUFFIX, Contents, DamagedError, FileRecord, Manifest, Name
from pytest_sweep.errors import MissingExtraError, SweepError


def open_filesystem(url: str) -> tuple[Any, str]:
    """Return fsspec's file system for a URL, and the path in it.

    Raises:
        SweepError: fsspec is not installed, or what it needs for this URL, or it does not know such URLs.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise MissingExtraError("fsspec", "storage", f"--sweep-storage={url}") from error
    try:
        filesystem, path = url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise SweepError(f"--sweep-storage={url}: {error}") from error
    except Exception as error:  # Whatever the file system's own package raises.
        raise SweepError(f"--sweep-storage={url} cannot be used: {type(error).__name__}: {error}") from error
    return filesystem, path


class RemotePlace:
    """A folder at a URL."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._files, self._path = open_filesystem(self._url)

    def address(self, name: str) -> str:
        """Return its URL."""
        return f"{self._url}/{name}"

    def names(self) -> Sequence[str]:
        """Return those with a manifest, as the store lists them now."""
        return [name.removesuffix(SUFFIX) for name in self._listed() if name.endswith(SUFFIX)]

    def read_manifest(self, name: str) -> bytes:
        """Return its text."""
        data: bytes = self._files.cat_file(f"{self._path}/{name}{SUFFIX}")
        return data

    def put(self, source: Path, name: str) -> Contents:
        """Upload the files, one after the other."""
        try:
            self.delete(name)
            return self._upload(source, f"{self._path}/{name}")
        except Exception as error:  # The packages behind fsspec raise what they like.
            raise SweepError(f"the checkpoint {source} could not be kept at {self._url}: {error}") from error

    def put_manifest(self, name: str, data: bytes) -> None:
        """Write it in one piece."""
        try:
            self._files.pipe_file(f"{self._path}/{name}{SUFFIX}", data)
        except Exception as error:
            raise SweepError(f"the checkpoint {self.address(name)} could not be completed: {error}") from error

    def fetch(self, manifest: Manifest, scratch: Path) -> Path:
        """Download the files, and check them on their way."""
        target = scratch / str(manifest.name)
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for folder in manifest.contents.folders:
            (target / folder).mkdir(parents=True, exist_ok=True)
        for file in manifest.contents.files:
            self._download(f"{self._path}/{manifest.name}/{file.path}", target / file.path, file)
        return target

    def delete(self, name: str) -> None:
        """Delete the manifest first: what is half deleted is not there."""
        for path in (f"{self._path}/{name}{SUFFIX}", f"{self._path}/{name}"):
            with contextlib.suppress(FileNotFoundError):
                self._files.rm(path, recursive=True)

    def delete_incomplete(self, attempts_before: int) -> None:
        """Delete folders without manifest; an attempt that still runs elsewhere is younger."""
        listed = self._listed()
        for text in listed:
            name = Name.parse(text)
            if name is not None and name.attempt < attempts_before and f"{text}{SUFFIX}" not in listed:
                self.delete(text)

    def _listed(self) -> list[str]:
        self._files.invalidate_cache()  # Other nodes write here too.
        try:
            return [PurePosixPath(path).name for path in self._files.ls(self._path, detail=False)]
        except FileNotFoundError:
            return []

    def _upload(self, source: Path, target: str) -> Contents:
        files, folders = walk(source)
        for folder in ("", *(f"/{folder}" for folder in folders)):
            self._files.makedirs(f"{target}{folder}", exist_ok=True)
        records = []
        for path, name in files:
            with path.open("rb") as reading, self._files.open(f"{target}/{name}", "wb") as writing:
                records.append(copied(reading, writing, name))
        return Contents(tuple(records), tuple(folders))

    def _download(self, source: str, target: Path, wanted: FileRecord) -> None:
        try:
            with self._files.open(source, "rb") as reading, target.open("wb") as writing:
                found = copied(reading, writing, wanted.path)
        except FileNotFoundError:
            raise DamagedError(f"{wanted.path} is missing") from None
        except ValueError as error:  # Of a name that no file system here can have.
            raise DamagedError(f"{wanted.path!r} cannot be read ({error})") from error
        compare(found, wanted)
