"""Deletes folders of runs and checkpoints: renamed first, so that nobody sees half of one. Decides nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from pytest_sweep.checkpoints import is_real
from pytest_sweep.checkpoints.manifest import SUFFIX
from pytest_sweep.cli.errors import CommandError
from pytest_sweep.store import who_runs

_DELETED = ".deleted"
"""The folder, in a folder for results or in a run's, that holds what is being deleted.

What an interrupted deletion has left there goes with the next one.
"""


def remove_run(folder: Path) -> None:
    """Delete the folder of a run, of which nothing is seen any more from the start.

    Raises:
        CommandError: the run has begun to go on, or the folder cannot be deleted.
    """
    if who_runs(folder) is not None:
        raise CommandError(f"the run {folder.name} goes on: it was not deleted")
    if folder.is_symlink():
        raise CommandError(f"{folder} is a link: it was not deleted")
    try:
        _remove(folder, folder.parent / _DELETED, folder.name)
    except OSError as error:
        raise CommandError(f"{folder} cannot be deleted: {error.strerror or error}") from error


def remove_checkpoints(folder: Path, checkpoints: Sequence[Path]) -> None:
    """Delete checkpoints in the folder of a run; the manifest of each goes first, so that what is half deleted is not there.

    Raises:
        CommandError: the run has begun to go on, or one cannot be deleted.
    """
    if who_runs(folder) is not None:
        raise CommandError(f"the run {folder.name} goes on: its checkpoints were not deleted")
    sweep_out(folder)
    for checkpoint in checkpoints:
        if not is_real(str(folder), str(checkpoint.relative_to(folder))):
            raise CommandError(f"{checkpoint} is behind a link: it was not deleted")
        try:
            checkpoint.with_name(f"{checkpoint.name}{SUFFIX}").unlink(missing_ok=True)
            _remove(checkpoint, folder / _DELETED, checkpoint.name)
        except OSError as error:
            raise CommandError(f"{checkpoint} cannot be deleted: {error.strerror or error}") from error


def sweep_out(folder: Path) -> None:
    """Delete what an earlier deletion in `folder` has left half done."""
    left = folder / _DELETED
    if left.is_symlink() or not left.is_dir():
        return
    with contextlib.suppress(OSError):
        shutil.rmtree(left)


def _remove(path: Path, place: Path, name: str) -> None:
    if place.is_symlink():
        raise OSError(f"{place} is a link")
    place.mkdir(exist_ok=True)
    target = place / f"{name}.{os.getpid()}"
    path.rename(target)
    shutil.rmtree(target)  # It follows no links.
    with contextlib.suppress(OSError):  # Another deletion is at work in it.
        place.rmdir()
