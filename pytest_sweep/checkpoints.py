"""Files of a trial: complete or absent. Used by workers; knows neither pytest, nor Ray, nor the database."""

from __future__ import annotations

import shutil
from pathlib import Path

from pytest_sweep.errors import SweepError


def save_checkpoint(source: Path, folder: Path, name: str) -> Path:
    """Copy a file or folder to ``folder / name`` and return that path.

    It is copied under a temporary name and then renamed, so that ``folder / name`` is complete whenever it exists.

    Raises:
        SweepError: `source` does not exist, or the copy failed.
    """
    if not source.exists():
        raise SweepError(f"checkpoint={str(source)!r} does not exist: write the file or folder before you report it")
    if source.is_dir() and folder.resolve().is_relative_to(source.resolve()):
        raise SweepError(
            f"checkpoint={str(source)!r} is a folder that holds the checkpoints themselves: report one in it, with the checkpoint only"
        )
    target, temporary = folder / name, folder / f".{name}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove(temporary)
        if source.is_dir():
            shutil.copytree(source, temporary)
        else:
            temporary.mkdir()
            shutil.copy2(source, temporary / source.name)
        _remove(target)
        temporary.rename(target)
    except OSError as error:
        raise SweepError(f"the checkpoint {source} could not be kept in {folder}: {error}") from error
    return target


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
