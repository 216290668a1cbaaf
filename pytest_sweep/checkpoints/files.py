"""Single files beside the checkpoints, such as a copy of a run's database: replaced in one step, on a disk or in a store of objects."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from pytest_sweep.checkpoints.places import local_path
from pytest_sweep.checkpoints.remote import open_filesystem
from pytest_sweep.errors import SweepError


def put_file(source: Path, location: str, name: str) -> None:
    """Copy a file to ``location/name``; whoever reads there finds the old one or the new one, whole.

    Raises:
        SweepError: the copy failed.
    """
    try:
        folder = local_path(location)
        if folder is None:
            files, path = open_filesystem(location)
            files.makedirs(str(PurePosixPath(path, name).parent), exist_ok=True)
            files.put_file(str(source), f"{path}/{name}")  # A store of objects shows it when it is complete.
            return
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            shutil.copyfile(source, temporary)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except SweepError:
        raise
    except Exception as error:  # The packages behind fsspec raise what they like.
        raise SweepError(f"{source.name} could not be copied to {location}: {error}") from error


def get_file(location: str, name: str, target: Path) -> None:
    """Copy ``location/name`` to `target`, whose folder is made.

    Raises:
        SweepError: it is not there, or the copy failed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        folder = local_path(location)
        if folder is None:
            files, path = open_filesystem(location)
            files.get_file(f"{path}/{name}", str(temporary))
        else:
            shutil.copyfile(folder / name, temporary)
        temporary.replace(target)
    except Exception as error:
        temporary.unlink(missing_ok=True)
        raise SweepError(f"{name} could not be copied from {location}: {error}") from error


def folders_with(location: str, name: str) -> Sequence[str]:
    """Return the names of the folders at `location` that hold a file called `name`, sorted.

    Raises:
        SweepError: the location cannot be read.
    """
    try:
        folder = local_path(location)
        if folder is not None:
            return sorted(path.parent.name for path in folder.glob(f"*/{name}"))
        files, path = open_filesystem(location)
        files.invalidate_cache()
        return sorted(PurePosixPath(found).parent.name for found in files.glob(f"{path}/*/{name}"))
    except SweepError:
        raise
    except Exception as error:
        raise SweepError(f"--sweep-storage={location} cannot be read: {error}") from error
