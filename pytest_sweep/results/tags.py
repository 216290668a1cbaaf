"""Names that people give to runs: one small file in the folder for results, since a run's database has one writer, its driver."""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pytest_sweep.results.errors import QueryError, TagsError
from pytest_sweep.store.order import RUN_NAME

if sys.platform != "win32":
    import fcntl

FILE = "tags.json"
_SCHEMA = 1
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}")
_RESERVED = re.compile(r"last(~\d+)?|running", re.IGNORECASE)
_LARGEST = 10_000_000


class Tags:
    """The tags of the runs in a folder for results: the name of a run by each tag.

    Args:
        results_dir: the folder.
    """

    def __init__(self, results_dir: Path) -> None:
        self._folder = results_dir
        self._file = results_dir / FILE

    def read(self) -> dict[str, str]:
        """Return the names of runs by their tags; nothing where there are none.

        Raises:
            TagsError: the file cannot be read; the text says what to do.
        """
        try:
            status = self._file.stat()
            if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
                raise ValueError("it is no file, or larger than 10 MB")  # A pipe would be waited for.
            found = json.loads(self._file.read_text(encoding="utf-8"))
            tags = found["tags"]
            if not all(isinstance(run, str) for run in tags.values()):
                raise ValueError("it has tags that are no names of runs")
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise TagsError(
                f"the tags in {self._file} cannot be read: {error}; repair the file, or delete it"
            ) from error
        return dict(tags)

    def of(self, run: str) -> list[str]:
        """Return the tags of a run, sorted."""
        return sorted(tag for tag, name in self.read().items() if name == run)

    def by_run(self) -> dict[str, list[str]]:
        """Return the tags of each run that has any, sorted, by the name of the run."""
        found: dict[str, list[str]] = {}
        for tag, name in sorted(self.read().items()):
            found.setdefault(name, []).append(tag)
        return found

    def add(self, tag: str, run: str) -> str | None:
        """Give a tag to a run, and return the name of the run that had it before, or None.

        Raises:
            QueryError: it is no name for a tag.
            TagsError: the file cannot be read or written.
        """
        if not _NAME.fullmatch(tag) or _RESERVED.fullmatch(tag):
            raise QueryError(
                f"{tag!r} cannot be a tag: write letters, digits and `_.+-`, up to 100 of them, and neither `last` nor `running`"
            )
        if RUN_NAME.fullmatch(tag) or os.path.lexists(self._folder / tag):
            raise QueryError(
                f"{tag!r} cannot be a tag: it is the name of a run, or of something else in {self._folder}"
            )
        with self._changing() as tags:
            before = tags.get(tag)
            tags[tag] = run
        return before

    def remove(self, tag: str) -> str | None:
        """Take a tag away, and return the name of the run that had it, or None.

        Raises:
            TagsError: the file cannot be read or written.
        """
        with self._changing() as tags:
            return tags.pop(tag, None)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, str]]:
        try:
            with _locked(self._folder):
                tags = self.read()
                yield tags
                self._write(tags)
        except OSError as error:
            raise TagsError(f"the tags in {self._file} cannot be written: {error.strerror or error}") from error

    def _write(self, tags: dict[str, str]) -> None:
        # In the place of what is there, so that a reader sees all of the old or all of the new; a link is replaced, not followed.
        handle, name = tempfile.mkstemp(prefix=f".{FILE}-", dir=self._folder)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump({"schema": _SCHEMA, "tags": dict(sorted(tags.items()))}, file, indent=1)
                file.write("\n")
            Path(name).chmod(0o644)
            Path(name).replace(self._file)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Have others wait who change the tags of the same folder; the lock is that of the folder itself, and needs no file."""
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # A file system without locks: the last one wins.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
