"""Where runs live: the folder for results, and a folder a run in it. Knows nothing of what is in a database."""

from __future__ import annotations

import contextlib
import errno
import secrets
import time
from pathlib import Path

from pytest_sweep import clock
from pytest_sweep.errors import NoResultsError, StoreError
from pytest_sweep.model import Run

RESULTS_DIR = "sweep_results"
DATABASE = "run.db"
NOTHING_STORED = "nothing_stored"
"""A file that is in the folder of a run while it has no database: if its driver is killed then, nothing is lost."""

SIGN = ".shared-"
"""How the names of files begin that executors leave here for a while, to ask other machines whether they see them."""

# Crockford's base 32: readable, and in the order in which names are sorted.
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_SUFFIXES = len(_DIGITS) ** 4
_STAMP_LENGTH = len("2026-11-23_19-01-19")


def begin_run(results_dir: Path, *, seed: int, command: str, executor: str, now: float | None = None) -> Run:
    """Make a folder for a new run in `results_dir` and return the run. It is not stored yet.

    Args:
        results_dir: made where it is absent.
        seed: the seed of the run.
        command: the command line.
        executor: where the trials run.
        now: when the run began, in seconds since the epoch; default the current time.

    Raises:
        StoreError: the folder cannot be made.
    """
    started = clock.wall() if now is None else now
    folder = make_run_folder(results_dir.absolute(), started)
    return Run(folder.name, str(folder), seed, command, started, executor, is_running=True)


def make_run_folder(results_dir: Path, now: float) -> Path:
    """Make a folder for a run that begins at `now`, named ``2026-11-23_19-01-19_k3f9`` (in UTC), and return it.

    `results_dir` is made where it is absent, and then ignores itself in git. Two runs that begin at once get two folders. The folder has
    the file `NOTHING_STORED` from the moment that it is there: a folder with neither this file nor a database has lost its database.

    Raises:
        StoreError: the folder cannot be made; the text names it, the reason and ``--sweep-dir``.
    """
    try:
        results_dir.mkdir(parents=True, exist_ok=True)
        if not any(path for path in results_dir.iterdir() if not path.name.startswith(SIGN)):
            # Only in an empty folder: with `--sweep-dir .` it would hide a whole project from git.
            (results_dir / ".gitignore").write_text("*\n", encoding="utf-8")
        while True:
            folder = results_dir / _new_name(results_dir, now)
            if _make_folder(folder):
                return folder
    except OSError as error:
        raise StoreError(
            f"results cannot be written to {results_dir}: {error.strerror or error}; choose another folder with --sweep-dir"
        ) from error


def run_name(folder: Path, results_dir: Path) -> str:
    """Return by what a run in `folder` is found from `results_dir`: its name there, or its path."""
    return folder.name if folder.parent == results_dir else str(folder)


def path_in_run(folder: Path, path: str) -> str:
    """Return a path in the folder of a run relative to it, because a run can be copied and moved; another path and a URL as they are."""
    if "://" in path:
        return path
    try:
        return Path(path).relative_to(folder).as_posix()
    except ValueError:
        return path


def find_results_dir(start: Path) -> Path:
    """Return the nearest ``sweep_results`` in `start` or in a folder above it.

    Raises:
        NoResultsError: there is none.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / RESULTS_DIR).is_dir():
            return folder / RESULTS_DIR
    raise NoResultsError(
        f"there is no folder {RESULTS_DIR!r} in {start} or in a folder above it: make one with pytest --sweep, or say where"
        " the results are with dir=..."
    )


def _make_folder(folder: Path) -> bool:
    """Make a folder that has the file `NOTHING_STORED`, both at once; return whether no other run was quicker."""
    unfinished = folder.with_name(f".{folder.name}")
    try:
        unfinished.mkdir()
    except FileExistsError:
        return False
    marker = unfinished / NOTHING_STORED
    try:
        marker.touch()
        if not folder.exists():  # An empty one would be replaced.
            unfinished.rename(folder)
            return True
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
    with contextlib.suppress(OSError):
        marker.unlink()
        unfinished.rmdir()
    return False


def _new_name(results_dir: Path, now: float) -> str:
    """Return a name that sorts after those of the same second, so that a list of files shows runs in their order."""
    stamp = time.strftime("%Y-%m-%d_%H-%M-%S", time.gmtime(now))
    taken = [_number(path.name[_STAMP_LENGTH + 1 :]) for path in results_dir.glob(f"{stamp}_????")]
    lowest = max(taken, default=-1) + 1
    if lowest == _SUFFIXES:
        return _new_name(results_dir, now + 1)
    # Among a part of what is left, so that there is room for the next runs.
    number = lowest + secrets.randbelow(((_SUFFIXES - lowest) // 8 or 1) if taken else _SUFFIXES // 2)
    digits = ""
    for _ in range(4):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return f"{stamp}_{digits}"


def _number(suffix: str) -> int:
    number = 0
    for char in suffix:
        # A folder that someone renamed may have other letters, which count as the lowest digit.
        number = number * len(_DIGITS) + max(_DIGITS.find(char), 0)
    return number
