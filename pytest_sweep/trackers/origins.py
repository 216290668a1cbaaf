"""With which run a chain of resumed runs began, and which of them was last sent to a tracker. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pytest_sweep.errors import StoreError
from pytest_sweep.store import DATABASE, has_database, row_of_run
from pytest_sweep.store.cursors import tracked_as

_MOST = 10_000
"""More runs than any chain has."""


class Origin(NamedTuple):
    """Where a tracker goes on.

    Attributes:
        name: the run with which the chain began.
        earlier: the folder of the run in the chain whose cursors count; None where there is none.
    """

    name: str
    earlier: Path | None


def origin_of(folder: Path, tracker: str) -> Origin:
    """Return where a tracker goes on that has had nothing of the run in `folder` yet.

    Args:
        folder: the run's folder.
        tracker: the tracker, by the id of its cursors.
    """
    name = folder.name
    for name, earlier in _earlier(folder):  # noqa: B007 - the last one counts
        origin = None if earlier is None else _tracked(earlier, tracker)
        if origin is not None:
            return Origin(origin, earlier)
    return Origin(name, None)


def _earlier(folder: Path) -> Iterator[tuple[str, Path | None]]:
    """Yield the runs that the run in `folder` resumes, the newest first: names, and folders where they are still there."""
    seen = {folder.resolve()}
    for _ in range(_MOST):
        text = _resumed_from(folder)
        if text is None:
            return
        found = folder.parent / text  # An absolute path stays as it is.
        if found.resolve() in seen or not has_database(found, DATABASE):
            yield found.name, None
            return
        seen.add(found.resolve())
        folder = found
        yield folder.name, folder


def _resumed_from(folder: Path) -> str | None:
    try:
        text = row_of_run(folder / DATABASE, any_version=True).get("resumed_from")
    except StoreError:
        return None
    return text if isinstance(text, str) and text and "\0" not in text else None


def _tracked(folder: Path, tracker: str) -> str | None:
    try:
        return tracked_as(folder, tracker)
    except StoreError:  # What is damaged there is sent once more.
        return None
