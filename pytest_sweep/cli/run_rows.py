"""Runs as rows: what a list of runs can show, sort and select by. Opens a database when one of its values is asked for."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_sweep import clock
from pytest_sweep.cli.bests import SweepSummary, best_of
from pytest_sweep.cli.times import moment, time_text
from pytest_sweep.errors import StoreError
from pytest_sweep.model import TrialState
from pytest_sweep.reporting.rows import COUNT_ORDER, counts_text
from pytest_sweep.reporting.text import duration_text
from pytest_sweep.sizes import size_words
from pytest_sweep.store import (
    DATABASE,
    RunScan,
    is_running,
    peek,
    row_of_run,
    said_of_losses,
    started,
    this_driver,
)

_NONE = type(None)
_TYPES: Mapping[str, tuple[type, ...]] = {
    "seed": (int, str), "command": (str,), "executor": (str,), "started": (float, int), "finished": (float, int, _NONE),
    "exit_status": (int, _NONE), "git_commit": (str, _NONE), "git_dirty": (int, _NONE), "resumed_from": (str, _NONE),
    "driver": (str, _NONE),
}  # fmt: skip
"""What the columns of the row of a run hold."""

_HEX = re.compile(r"-?0x[0-9a-f]{1,4000}")
_LATEST = 1e11
"""Seconds since the epoch: more than three thousand years."""

_EXIT_STATUS = {0: "passed", 1: "failed", 2: "interrupted"}


class RunRow:
    """One run.

    Attributes:
        folder: the folder of the run.
        tags: its tags.
    """

    def __init__(self, folder: Path, tags: Sequence[str] = ()) -> None:
        self.folder = folder
        self.tags = list(tags)

    @cached_property
    def note(self) -> str | None:
        """Why it cannot be read, or None."""
        return None if isinstance(self._row, dict) else str(self._row)

    @property
    def problem(self) -> StoreError | None:
        """The error with which it could not be opened, or None."""
        return None if isinstance(self._row, dict) else self._row

    @cached_property
    def row(self) -> Mapping[str, Any]:
        """The row of the run as it is stored; what there is of it where it cannot be read."""
        if isinstance(self._row, dict):
            return self._row
        return {name: value for name, value in peek(self.folder / DATABASE).items() if _is_sound(name, value)}

    @cached_property
    def _row(self) -> dict[str, Any] | StoreError:
        try:
            row = row_of_run(self.folder / DATABASE)
        except StoreError as error:
            return error
        if not all(_is_sound(name, row.get(name)) for name in _TYPES):
            from pytest_sweep.store.nonsense import stored_run  # SQLAlchemy, which a sound run is listed without.

            try:
                stored_run(self.folder / DATABASE)
            except StoreError as error:
                return error
        return row

    @cached_property
    def losses(self) -> str | None:
        """What has been lost of it since it was killed, or None."""
        was_killed = self.problem is None and self.row.get("finished") is None and not self.is_running
        return said_of_losses(self.folder) if was_killed and self.row.get("driver") != this_driver() else None

    @property
    def remark(self) -> str | None:
        """What is wrong with it: what has been lost, or why it cannot be read; None if nothing is."""
        return self.losses or self.note

    @cached_property
    def started(self) -> float:
        """When it began, in seconds since the epoch."""
        found = self.row.get("started")
        return float(found) if isinstance(found, (float, int)) else started(self.folder)

    @cached_property
    def is_running(self) -> bool:
        """Whether its driver lives."""
        if self.row.get("finished") is not None:
            return False
        try:
            return is_running(self.folder, self.row.get("driver"))
        except StoreError:
            return False

    @property
    def status(self) -> str:
        """How it has ended, in a word: its exit status, or ``running``, ``killed``, ``unreadable``."""
        if self.is_running:
            return "running"
        if self.note is not None:
            return "unreadable"
        ended = self.row["exit_status"]
        return "killed" if ended is None else _EXIT_STATUS.get(ended, f"exit {ended}")

    @property
    def duration(self) -> float | None:
        """How many seconds it took, or has taken so far; None where nobody knows."""
        finished = self.row.get("finished")
        if finished is None:
            return clock.wall() - self.started if self.is_running else None
        return float(finished - self.started)

    @cached_property
    def sweeps(self) -> list[SweepSummary]:
        """What became of each of its sweeps; empty where it cannot be read."""
        if "_row" in vars(self) and self.problem is not None:
            return []
        try:
            with RunScan(self.folder) as scan:
                if "_row" not in vars(self) and all(_is_sound(name, scan.run.get(name)) for name in _TYPES):
                    vars(self)["_row"] = dict(scan.run)  # Opened once for both, where this is asked for first.
                counts = scan.counts()
                return [SweepSummary(sweep, counts[sweep.id], best_of(scan, sweep)) for sweep in scan.sweeps]
        except StoreError as error:
            vars(self).setdefault("_row", error)
            self.note = str(error)  # Its trials cannot be read.
            return []

    @cached_property
    def counts(self) -> Counter[TrialState]:
        """How many trials are in each state."""
        return sum((sweep.counts for sweep in self.sweeps), Counter())

    @cached_property
    def size(self) -> int:
        """How many bytes are in its folder; links are not followed."""
        return folder_size(self.folder)

    def columns(self) -> Sequence[str]:
        """Return the names of its columns."""
        return [*_COLUMNS, *(state.value for state in TrialState)]

    def value(self, column: str) -> Any:
        """Return the value of a column."""
        if column in _COLUMNS:
            return _COLUMNS[column](self)
        return self.counts[TrialState(column)] if column in TrialState.__members__ else None

    def resolve(self, name: str) -> str | None:
        """Return the column of this name."""
        return name if name in _COLUMNS or name in TrialState.__members__ else None

    def get(self, name: str, default: Any) -> Any:
        """Return the value of a column, for a condition."""
        if self.resolve(name) is None:
            return default
        value = self.value(name)
        return moment(value) if name in ("started", "finished") else value

    def as_json(self) -> dict[str, Any]:
        """Return it as a record of the JSON schema."""
        sweeps = self.sweeps
        names = ("name", "path", "status", "started", "finished", "duration", "exit_status", "seed", "executor", "command", "commit",
                 "dirty", "resumed_from", "tags", "size", "note")  # fmt: skip
        record = {name: self.value(name) for name in names}
        return {**record, "sweeps": [sweep.as_json() for sweep in sweeps]}


def folder_size(folder: Path) -> int:
    """Return how many bytes the files in a folder have; links are not followed, and what cannot be read counts as nothing."""
    return sum(_sizes(str(folder)))


def _sizes(folder: str) -> Iterator[int]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _sizes(entry.path)
                else:
                    yield entry.stat(follow_symlinks=False).st_size
    except OSError:
        return


def _is_sound(name: str, value: object) -> bool:
    """Return whether a column of the row of a run holds what may be stored there, roughly: a database may come from anyone."""
    if type(value) not in _TYPES.get(name, (type(value),)):
        return False
    if name == "seed" and isinstance(value, str):  # In hexadecimal digits, where SQLite has no integer so large.
        return _HEX.fullmatch(value) is not None
    return not (name in ("started", "finished") and value is not None) or abs(value) < _LATEST  # type: ignore[arg-type]


def seed_of(stored: int | str | None) -> int | None:
    """Return a seed, of what is stored of it: hexadecimal digits where SQLite has no integer so large."""
    return int(stored, 0) if isinstance(stored, str) else stored


def _best(row: RunRow) -> float | None:
    return next((sweep.best.value for sweep in row.sweeps if sweep.best is not None), None)


def _dirty(row: RunRow) -> bool | None:
    found = row.row.get("git_dirty")
    return None if found is None else bool(found)


_COLUMNS: Mapping[str, Callable[[RunRow], Any]] = {
    "name": lambda row: row.folder.name,
    "tags": lambda row: row.tags,
    "status": lambda row: row.status,
    "started": lambda row: row.started,
    "finished": lambda row: row.row.get("finished"),
    "duration": lambda row: row.duration,
    "trials": lambda row: row.counts.total(),
    "failed": lambda row: row.counts[TrialState.ERROR],
    "states": lambda row: counts_text(row.counts, COUNT_ORDER),
    "metric": lambda row: next((sweep.sweep.metric for sweep in row.sweeps if sweep.best is not None), None),
    "best": _best,
    "sweeps": lambda row: [sweep.sweep.name for sweep in row.sweeps],
    "command": lambda row: row.row.get("command"),
    "commit": lambda row: row.row.get("git_commit"),
    "dirty": _dirty,
    "seed": lambda row: seed_of(row.row.get("seed")),
    "executor": lambda row: row.row.get("executor"),
    "exit_status": lambda row: row.row.get("exit_status"),
    "resumed_from": lambda row: row.row.get("resumed_from"),
    "size": lambda row: row.size,
    "note": lambda row: row.remark,
    "path": lambda row: str(row.folder),
}

SHOWN: Mapping[str, Callable[[Any], Any]] = {
    "tags": lambda tags: ", ".join(tags) or None,
    "sweeps": ", ".join,
    "started": time_text,
    "finished": time_text,
    "duration": lambda seconds: None if seconds is None else duration_text(seconds),
    "commit": lambda commit: commit and commit[:8],
    "size": size_words,
    "states": lambda text: text or None,
}
"""How the values of columns are shown; others are shown as they are."""

# Of the terminal's table, by importance; `size` has all files of a run looked at, and the path says no more than the name.
PRIORITIES: Mapping[str, int] = {
    "name": 100, "tags": 86, "status": 90, "started": 52, "duration": 64, "trials": 80, "failed": 82, "states": 46, "metric": 68,
    "best": 84, "sweeps": 56, "command": 44, "commit": 40, "seed": 36, "executor": 34, "exit_status": 20, "resumed_from": 32, "note": 60,
}  # fmt: skip
