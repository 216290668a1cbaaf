"""Makes the page of a run, and writes it: what the command and the end of a session call. Decides nothing about exit statuses."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from pathlib import Path
from typing import Any

from pytest_sweep import clock
from pytest_sweep.cli.errors import CommandError
from pytest_sweep.cli.run_rows import RunRow
from pytest_sweep.page.against import against_document
from pytest_sweep.page.document import page
from pytest_sweep.page.reading import SweepReader, existing_folders, settled
from pytest_sweep.page.run_facts import run_document, timeline_document
from pytest_sweep.store import RunScan

FORMAT = 1
"""The version of the data in the page, which is read by nothing but the page's own script."""


def build(
    folder: Path, against: Path | None = None, *, tags: list[str] | None = None, target: Path | None = None
) -> str:
    """Return the page of a run.

    Args:
        folder: the folder of the run.
        against: the folder of the run that it is compared with, or None.
        tags: the tags of the run.
        target: the file that the page is written to, from which links to the folders of trials lead; None for no links.

    Raises:
        SchemaError, StoreError: a run cannot be read.
    """
    now = clock.wall()
    row = RunRow(folder, tags or [])
    with settled(folder) as scan:
        document: dict[str, Any] = {
            "format": FORMAT,
            "run": run_document(row, now),
            "root": _root(folder, target),
        }
        places, document["sweeps"], curves = _sweeps(scan, folder)
        document["timeline"] = timeline_document(scan, places, scan.run["finished"] or now)
        if against is not None:
            with settled(against) as base:
                document["against"] = against_document(base, scan, places)
    return page(document, curves, f"{folder.name} - pytest-sweep")


def write(text: str, target: Path) -> None:
    """Write a page; it is there under its name when it is complete.

    Raises:
        CommandError: it cannot be written.
    """
    path = Path(os.path.realpath(target))
    try:
        if path.exists() and not path.is_file():  # A pipe or a device: nothing can be put in its place.
            _write_into(path, text)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    except (OSError, ValueError) as error:
        raise _not_written(target, error) from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise _not_written(target, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _sweeps(scan: RunScan, folder: Path) -> tuple[dict[int, tuple[int, int]], list[dict[str, Any]], bytes]:
    counts = scan.counts()
    total = max(sum(its.total() for its in counts.values()), 1)
    folders = existing_folders(folder)
    places: dict[int, tuple[int, int]] = {}
    documents: list[dict[str, Any]] = []
    parts: list[bytes] = []
    for number, sweep in enumerate(scan.sweeps):
        reader = SweepReader(scan, sweep, counts[sweep.id], counts[sweep.id].total() / total)
        document, curves = reader.document(folders)
        document["curves"]["begin"] = sum(map(len, parts))
        places.update((ordinal, (number, row)) for ordinal, row in reader.rows.items())
        documents.append(document)
        parts.append(curves)
    return places, documents, b"".join(parts)


def _root(folder: Path, target: Path | None) -> str | None:
    """Return how a link leads from the page to the folder of the run; None where none does."""
    if target is None:
        return None
    try:
        return Path(os.path.relpath(folder, os.path.realpath(target.parent))).as_posix()
    except ValueError:  # On another drive.
        return folder.as_uri()


def _write_into(path: Path, text: str) -> None:
    """Write into a pipe or a device; a pipe that nobody reads would be waited for without end."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        raise OSError(error.errno, "nobody reads this pipe") if error.errno == errno.ENXIO else error from None
    os.set_blocking(handle, True)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)


def _not_written(target: Path, error: OSError | ValueError) -> CommandError:
    reason = getattr(error, "strerror", None) or error
    return CommandError(f"{target} cannot be written: {reason}")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
