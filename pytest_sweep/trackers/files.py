"""Trackers that write files as Ray Tune does: ``result.json`` with a line a report, ``progress.csv``, and ``params.json``."""

from __future__ import annotations

import csv
import io
import json
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, TextIO

from pytest_sweep.errors import SweepError
from pytest_sweep.model.exact_json import MOST_BITS
from pytest_sweep.model.metrics import flattened
from pytest_sweep.store.records import StoredReport
from pytest_sweep.trackers.base import TrackedRun, TrackedTrial, TrackerDown, check_settings, parameters

RESULT, PROGRESS, PARAMS = "result.json", "progress.csv", "params.json"
"""Ray Tune's names."""

KEY, ATTEMPT, RETURNED = "trial_id", "attempt", "returned"
_OWN = "sweep/"
"""Before the names of our own entries, which no metric should have."""

_SETTINGS = {"dir": "the folder for all trials; default the folder of each trial in that of the run"}


class Places:
    """Where the files of trials go.

    Args:
        run: the run.
        settings: the tracker's settings.
    """

    def __init__(self, run: TrackedRun, settings: Mapping[str, str]) -> None:
        given = settings.get("dir")
        self._folder = run.folder if given is None else Path(given).expanduser().absolute() / run.origin
        self._within = self._folder.parent.resolve()

    def of(self, trial: TrackedTrial, remote: str | None) -> Path:
        """Return the folder of a trial, which is made: where it was before, if that is still there, among the runs.

        Raises:
            TrackerDown: it cannot be made, as on a full disk.
        """
        # What a database says may come from anyone: a path that leads elsewhere is not written to.
        if remote is not None and os.path.isdir(remote) and Path(remote).resolve().is_relative_to(self._within):  # noqa: PTH112
            return Path(remote)
        name = Path(trial.stored.folder).name
        folder = self._folder / (name if name not in ("", "..") and "\0" not in name else trial.key)
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return folder


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the operating system complains of into TrackerDown: a disk that is full has room again later."""
    try:
        yield
    except OSError as error:
        raise TrackerDown(f"{error.filename or path} cannot be written: {error.strerror or error}") from error


class _FileTracker(ABC):
    """A file for each trial, in which each iteration that counts is once: what a restarted attempt repeats is taken out of it."""

    name: ClassVar[str]
    file: ClassVar[str]

    @classmethod
    def check(cls, settings: Mapping[str, str]) -> None:
        """Refuse settings that it does not have."""
        check_settings(cls.name, settings, _SETTINGS)
        if settings.get("dir") == "":
            raise SweepError(f"the tracker {cls.name}: dir= names no folder")

    def open(self, run: TrackedRun, settings: Mapping[str, str]) -> None:
        """Take note of where files go."""
        self._places = Places(run, settings)
        self._written: dict[str, set[tuple[int, int, bool]]] = {}

    def begin(self, trial: TrackedTrial, remote: str | None) -> str:
        """Make the trial's folder, write its parameters, and read what is there."""
        folder = self._places.of(trial, remote)
        with writing(folder):
            if (folder / self.file).is_symlink():  # Likewise.
                (folder / self.file).unlink()
            replace_file(folder / PARAMS, f"{json.dumps(parameters(trial), indent=2)}\n")
            self._written[str(folder)] = self._repair(folder / self.file)
        return str(folder)

    def log(self, remote: str, reports: Sequence[StoredReport]) -> None:
        """Append the reports that are not there yet."""
        written = self._written[remote]
        new = [report for report in reports if _mark(report) not in written]
        if new:
            with writing(Path(remote)):
                self._append(Path(remote, self.file), [(report, _entry(report)) for report in new])
            written.update(map(_mark, new))

    def restart(self, remote: str, iteration: int) -> None:
        """Take out what does not count any more."""
        with writing(Path(remote)):
            self._take_out(Path(remote, self.file), iteration)
        self._written[remote] = {mark for mark in self._written[remote] if mark[1] < iteration}

    def end(self, remote: str, trial: TrackedTrial) -> None:  # noqa: ARG002 - the protocol's
        """Forget the trial."""
        self._written.pop(remote, None)

    def close(self, run: TrackedRun) -> None:  # noqa: B027 - there is nothing to do
        """Do nothing: no file is open."""

    @abstractmethod
    def _repair(self, path: Path) -> set[tuple[int, int, bool]]:
        """Take out a last line that is incomplete, and return what is there."""

    @abstractmethod
    def _append(self, path: Path, entries: Sequence[tuple[StoredReport, dict[str, Any]]]) -> None:
        """Append entries."""

    @abstractmethod
    def _take_out(self, path: Path, iteration: int) -> None:
        """Take out what has this iteration or a later one."""


class JsonlTracker(_FileTracker):
    """``result.json``: a line of JSON for each report, as Ray Tune writes it. NaN and infinities are as Python writes them."""

    name = "jsonl"
    file = RESULT

    def _repair(self, path: Path) -> set[tuple[int, int, bool]]:
        lines = _lines(path)
        whole = [line for line in lines if line.endswith("\n")]
        if len(whole) < len(lines):
            replace_file(path, "".join(whole))
        return {_mark_of(json.loads(line)) for line in whole}

    def _append(self, path: Path, entries: Sequence[tuple[StoredReport, dict[str, Any]]]) -> None:
        _append(path, "".join(f"{json.dumps(entry)}\n" for _, entry in entries))

    def _take_out(self, path: Path, iteration: int) -> None:
        replace_file(path, "".join(line for line in _lines(path) if _mark_of(json.loads(line))[1] < iteration))


class CsvTracker(_FileTracker):
    """``progress.csv``: a row for each report; nested metrics have slashes in their names. A new metric adds a column to all rows."""

    name = "csv"
    file = PROGRESS

    def open(self, run: TrackedRun, settings: Mapping[str, str]) -> None:
        """Take note of where files go."""
        super().open(run, settings)
        self._columns: dict[str, list[str]] = {}

    def end(self, remote: str, trial: TrackedTrial) -> None:
        """Forget the trial."""
        super().end(remote, trial)
        self._columns.pop(str(Path(remote, self.file)), None)

    def _repair(self, path: Path) -> set[tuple[int, int, bool]]:
        text = "".join(_lines(path))
        columns, rows = _parsed(text)
        self._columns[str(path)] = columns
        if _is_torn(text):
            rows = rows[:-1]
            self._write(path, columns if rows else [], rows)
        return {_mark_of(row) for row in rows}

    def _append(self, path: Path, entries: Sequence[tuple[StoredReport, dict[str, Any]]]) -> None:
        columns = self._columns[str(path)]
        rows = [_csv_row(entry) for _, entry in entries]
        new = [name for name in dict.fromkeys(name for row in rows for name in row) if name not in columns]
        if new:
            self._write(path, [*columns, *new], [*_parsed("".join(_lines(path)))[1], *rows])
        else:
            _append(path, _csv_text(columns, rows))

    def _take_out(self, path: Path, iteration: int) -> None:
        columns, rows = _parsed("".join(_lines(path)))
        self._write(path, columns, [row for row in rows if _mark_of(row)[1] < iteration])

    def _write(self, path: Path, columns: list[str], rows: Iterable[Mapping[str, str]]) -> None:
        header = [dict(zip(columns, columns, strict=True))] if columns else []
        replace_file(path, _csv_text(columns, [*header, *rows]))
        self._columns[str(path)] = columns


def _entry(report: StoredReport) -> dict[str, Any]:
    own = {f"{_OWN}{KEY}": report.trial_key, f"{_OWN}{ATTEMPT}": report.attempt}
    more: dict[str, Any] = {f"{_OWN}{RETURNED}": True} if report.id == 0 else {}
    if report.checkpoint is not None:
        more[f"{_OWN}checkpoint"] = report.checkpoint
    return {**_writable(report.metrics), "training_iteration": report.iteration, **own, **more}


def _mark(report: StoredReport) -> tuple[int, int, bool]:
    return report.attempt, report.iteration, report.id == 0


def _mark_of(entry: Mapping[str, Any]) -> tuple[int, int, bool]:
    attempt, iteration = int(entry[f"{_OWN}{ATTEMPT}"]), int(entry["training_iteration"])
    return attempt, iteration, entry.get(f"{_OWN}{RETURNED}") in (True, "True")


def _csv_row(entry: Mapping[str, Any]) -> dict[str, str]:
    return {name: _csv_cell(value) for name, value in flattened(entry).items()}


def _csv_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return repr(value) if isinstance(value, (bool, int, float)) else json.dumps(value)


def _csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> str:
    out = io.StringIO()
    plain = csv.writer(out, lineterminator="\n")
    # A carriage return alone is not quoted by Python, and ends a line for whoever reads it.
    quoting = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in rows:
        cells = [row.get(column, "") for column in columns]
        (quoting if any("\r" in cell for cell in cells) else plain).writerow(cells)
    return out.getvalue()


def _parsed(text: str) -> tuple[list[str], list[dict[str, str]]]:
    rows = list(csv.reader(io.StringIO(text, newline="")))
    columns = rows[0] if rows else []
    return columns, [dict(zip(columns, row, strict=False)) for row in rows[1:]]


def _is_torn(text: str) -> bool:
    """Say whether the last row of a file is incomplete: its writer was killed."""
    return bool(text) and (not text.endswith("\n") or text.count('"') % 2 == 1)


def _writable(value: Any) -> Any:
    """Return a value with integers that Python does not write, since they have thousands of digits, as hexadecimal texts."""
    if isinstance(value, dict):
        return {key: _writable(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_writable(entry) for entry in value]
    return hex(value) if isinstance(value, int) and value.bit_length() > MOST_BITS else value


def _lines(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(file)
    except FileNotFoundError:
        return []


def _append(path: Path, text: str) -> None:
    file: TextIO
    with path.open("a", encoding="utf-8", errors="backslashreplace", newline="") as file:
        file.write(text)


def replace_file(path: Path, text: str) -> None:
    """Write a file so that whoever reads it sees all of it or what was there before."""
    # Several trackers, each in a thread, write params.json of the same trial.
    new = path.with_name(f".{path.name}.new{threading.get_ident()}")
    with new.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        file.write(text)
    new.replace(path)
