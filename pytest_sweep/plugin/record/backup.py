"""Copies of the run's database where ``--sweep-storage`` says, so that another machine can resume the run."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Collection
from collections.abc import Set as AbstractSet
from pathlib import Path

from pytest_sweep import clock
from pytest_sweep.checkpoints import folders_with, get_file, put_file
from pytest_sweep.errors import SweepError
from pytest_sweep.store import DATABASE, NotBegunError, RunReader, has_database, newest_runs, snapshot, started
from pytest_sweep.store.folders import NOTHING_STORED
from pytest_sweep.store.order import RUN_NAME, named_start

EVERY_SECONDS = 60.0
FETCHED = "fetched"
"""The file that tells a run that was brought here from one that was made here."""


class Backup:
    """Copies the database every minute, in a thread of its own, and once at the end.

    Args:
        folder: the run's folder.
        location: where the copies go: a path or a URL.
        tell: tells people of a trouble, at once; called in the main thread.

    Attributes:
        trouble: why the last copy could not be made, or None.
    """

    def __init__(self, folder: Path, location: str, tell: Callable[[str], None]) -> None:
        self.trouble: str | None = None
        self._folder = folder
        self._location = location
        self._tell = tell
        self._has_told = False
        self._last = clock.monotonic()
        self._thread: threading.Thread | None = None

    def tick(self) -> None:
        """Begin a copy, if it is time and the last one is done."""
        if self._thread is not None and not self._thread.is_alive():
            self._thread = None
            self._complain()
        if self._thread is None and clock.monotonic() - self._last >= EVERY_SECONDS:
            self._last = clock.monotonic()
            self._thread = threading.Thread(target=self._copy, name="sweep-backup", daemon=True)
            self._thread.start()

    def finish(self) -> None:
        """Copy what there is now."""
        if self._thread is not None:
            self._thread.join()
        self._copy()
        self._complain()

    def _copy(self) -> None:
        try:
            with tempfile.TemporaryDirectory(prefix="pytest-sweep-") as scratch:
                copy = Path(scratch, DATABASE)
                snapshot(self._folder / DATABASE, copy)
                put_file(copy, self._location, f"{self._folder.name}/{DATABASE}")
            self.trouble = None
        except (SweepError, OSError) as error:
            self.trouble = f"the results are not copied to {self._location}: {error}"

    def _complain(self) -> None:
        if self.trouble is not None and not self._has_told:
            self._has_told = True
            self._tell(f"{self.trouble}. The trials go on, and the copy is tried again every minute")


def fetch_run(location: str, results_dir: Path, name: str | None) -> None:
    """Bring the copy of a run to this machine, and of those that it went on from.

    What was made here is left as it is; what was brought before is brought anew, for it may have gone on since.

    Args:
        location: where the copies are: a path or a URL.
        results_dir: this machine's folder for results.
        name: the run, or a part of its name that no other run there has; None is the one that began last, if no run here began later.

    Raises:
        SweepError: the copies cannot be read.
    """
    stored = set(folders_with(location, DATABASE))
    wanted = _newest_there(location, results_dir, stored) if name is None else _named(name, stored)
    while wanted in stored:
        stored.remove(wanted)
        folder = results_dir / wanted
        if (folder / FETCHED).exists() or not has_database(folder, DATABASE):
            folder.mkdir(parents=True, exist_ok=True)
            # If this is cut short, nothing is lost here.
            marker = folder / NOTHING_STORED
            marker.touch()
            get_file(location, f"{wanted}/{DATABASE}", folder / DATABASE)
            marker.unlink(missing_ok=True)
            (folder / FETCHED).write_text(f"from {location}\n", encoding="utf-8")
        wanted = _origin(folder)


def _named(name: str, stored: Collection[str]) -> str | None:
    if name in stored:
        return name
    found = [one for one in stored if name and name in one]
    return found[0] if len(found) == 1 else None


def _newest_there(location: str, results_dir: Path, stored: AbstractSet[str]) -> str | None:
    """Return the run that began last of those whose copies are `stored`; None if one here began later.

    The name of a run says when it began. Of a copy that somebody has renamed, the database is brought to be asked.
    """
    began = {name: named_start(Path(name)) for name in stored if RUN_NAME.fullmatch(name)}
    with tempfile.TemporaryDirectory(prefix="pytest-sweep-") as scratch:
        for name in stored - began.keys():
            get_file(location, f"{name}/{DATABASE}", Path(scratch, name, DATABASE))
            began[name] = started(Path(scratch, name))
    newest = max(stored, key=lambda name: (int(began[name]), name), default=None)
    here = next(newest_runs(results_dir), None)
    return None if newest is None or (here is not None and int(started(here)) > int(began[newest])) else newest


def _origin(folder: Path) -> str | None:
    """Return the name of the run that the run in `folder` went on from; None where there is none."""
    try:
        return RunReader(folder).run().resumed_from
    except NotBegunError:
        return None
