"""From a stored run to the data of the page, with few of its trials in memory at once. Knows nothing of HTML."""

from __future__ import annotations

import contextlib
import os
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pytest_sweep.cli.bests import Best, best_judged, goals_of
from pytest_sweep.cli.marks import marks_of
from pytest_sweep.cli.trial_rows import TrialView
from pytest_sweep.cli.trials import best_first
from pytest_sweep.model import TrialState
from pytest_sweep.page.columns import Columns, number_json, rounded
from pytest_sweep.page.failures import Failures
from pytest_sweep.page.histories import CurveReader
from pytest_sweep.reporting.text import counted
from pytest_sweep.store import DATABASE, RunScan, StoredSweep, TrialRow, snapshot

MOST_TRIALS = 100_000
"""How many trials of a sweep the page has at the most."""

MOST_CURVES = 10_000
"""How many trials of a sweep have learning curves: half of them the best ones, the others drawn at random."""

_LONGEST_NAME = 300
_KEY = 12
"""How many digits of a key are on the page."""

_OWN = ("best", "feasible", "replicate", "configuration", "attempts", "duration", "reason", "checkpoint", "taken_from")
_JUDGED = "judged"


@contextlib.contextmanager
def settled(folder: Path) -> Iterator[RunScan]:
    """Read a run that does not change meanwhile: one that goes on is copied first.

    Raises:
        SchemaError, StoreError: it cannot be read.
    """
    with RunScan(folder) as scan:
        if not scan.goes_on:
            yield scan
            return
    with tempfile.TemporaryDirectory(prefix="pytest-sweep-") as scratch:
        database = Path(scratch, DATABASE)
        snapshot(folder / DATABASE, database)
        with RunScan(folder, database) as copy:
            yield copy


class SweepReader:
    """Reads one sweep.

    Args:
        scan: reads the run.
        sweep: the sweep.
        counts: how many trials it has in each state.
        share: which share of the trials of the run it has, and so of the points of curves.

    Attributes:
        rows: the places of its trials on the page, by their ordinals.
    """

    def __init__(self, scan: RunScan, sweep: StoredSweep, counts: Counter[TrialState], share: float) -> None:
        self._scan, self._sweep, self._counts, self._share = scan, sweep, counts, share
        self._goals = goals_of(sweep)
        self._judged = [scan.judged(sweep.id, goal) for goal in self._goals]
        self._marks = marks_of(scan, sweep, self._judged)
        self.rows: dict[int, int] = {}
        self._chosen: frozenset[int] | None = None
        self._chosen = self._choose(MOST_TRIALS)
        self._notes: list[str] = []

    def document(self, folders: frozenset[str]) -> tuple[dict[str, Any], bytes]:
        """Return the data of the sweep, and the bytes of its curves.

        Args:
            folders: the names of the folders of trials that exist.
        """
        columns, failures = Columns(min(self._counts.total(), MOST_TRIALS)), Failures()
        names: list[str] = []
        keys: list[str] = []
        states: list[str] = []
        its_folders: list[str | None] = []
        groups = _Numbers()
        curved: list[TrialRow] = []
        with_curves = self._choose(MOST_CURVES)
        for row in self._trials():
            place = self.rows[row.ordinal] = len(names)
            view = TrialView(row, self._marks)
            names.append(row.name[:_LONGEST_NAME])
            keys.append(row.key)
            states.append(row.state.value)
            its_folders.append(row.folder if row.folder in folders else None)
            groups.add(row.group_key)
            columns.add(self._values(view))
            failures.add(place, row)
            if with_curves is None or row.ordinal in with_curves:
                curved.append(row)
        reader = CurveReader(self._scan, self._goals, self.rows)
        directory, curves = reader.read(curved, self._counts.total(), self._share)
        self._notes += reader.notes
        document = {
            **self._about(),
            "names": names,
            "keys": _short(keys),
            "states": states,
            "folders": its_folders,
            "columns": columns.document(),
            "failures": failures.document(),
            "curves": directory,
            "groups": groups.of_all if groups.are_shared else None,
            **self._verdicts(),
        }
        if columns.left_out:
            self._notes.append(
                f"{counted(len(columns.left_out), 'column')} of {len(columns.left_out) + len(document['columns'])} left out: "
                f"{', '.join([*columns.left_out][:5])}{', ...' if len(columns.left_out) > 5 else ''}"
            )
        document["notes"] = self._notes
        return document, curves

    def _about(self) -> dict[str, Any]:
        sweep = self._sweep
        return {
            "id": sweep.id,
            "name": sweep.name,
            "objectives": [[goal.metric, goal.mode] for goal in self._goals],
            "feasible": list(sweep.feasible),
            "search": sweep.search or "",
            "scheduler": sweep.scheduler or "",
            "average_over": list(sweep.average_over),
            "varying": [f"config/{name.replace('.', '/')}" for name in sweep.varying],
            "counts": {state.value: count for state, count in self._counts.items() if count},
            "total": self._counts.total(),
        }

    def _verdicts(self) -> dict[str, Any]:
        """Return what trials are judged by: for each objective a value for each trial, the best one, replicates and the Pareto front."""
        if not self._goals:
            return {_JUDGED: [], "best": None, "front": []}
        first = self._judged[0]
        best = best_judged(first, self._goals[0], whole=bool(self._sweep.average_over))
        judged = []
        for its in self._judged:
            values: list[Any] = [None] * len(self.rows)
            for one in its:
                if one.ordinal in self.rows and one.value is not None:
                    values[self.rows[one.ordinal]] = number_json(rounded(one.value))
            judged.append(values)
        return {
            _JUDGED: judged,
            "best": self._best(best),
            "front": [self.rows[ordinal] for ordinal in self._front() if ordinal in self.rows],
        }

    def _best(self, best: Best | None) -> dict[str, Any] | None:
        if best is None or best.ordinal not in self.rows:
            return None
        return {"value": number_json(best.value), "row": self.rows[best.ordinal], "trials": best.trials}

    def _front(self) -> list[int]:
        """Return the ordinals of the trials of the configurations than which no other is better in all objectives."""
        return sorted(ordinal for group in self._marks.front or () for ordinal in group)

    def _trials(self) -> Iterator[TrialRow]:
        for row in self._scan.trials(self._sweep.id):
            if self._chosen is None or row.ordinal in self._chosen:
                yield row

    def _values(self, view: TrialView) -> dict[str, dict[str, Any]]:
        own = {name: view.value(view.resolve(name) or name) for name in _OWN if name not in view.metric_columns}
        if view.row.replicate == 0 and not self._sweep.average_over:
            own.pop("configuration", None)
        if view.row.attempts <= 1:
            own.pop("attempts", None)
        own["replicate"] = view.row.replicate or None
        return {
            "param": view.parameters,
            "metric": {column: view.value(column) for column in view.metric_columns},
            "own": own,
        }

    def _choose(self, most: int) -> frozenset[int] | None:
        """Return the ordinals of at most so many of the trials of the page: the best ones, and as many at random; None for all."""
        total = self._counts.total() if self._chosen is None else len(self._chosen)
        if total <= most:
            return self._chosen
        ordinals = (
            [one.ordinal for one in self._judged[0]]
            if self._judged
            else [row.ordinal for row in self._scan.trials(self._sweep.id)]
        )
        if self._chosen is not None:
            ordinals = [ordinal for ordinal in ordinals if ordinal in self._chosen]
        best = best_first(self._judged[0], self._goals[0], most // 2) if self._judged else []
        chosen = {ordinal for ordinal in best if self._chosen is None or ordinal in self._chosen}
        rest = [ordinal for ordinal in ordinals if ordinal not in chosen]
        chosen.update(random.Random(0).sample(rest, min(most - len(chosen), len(rest))))
        return frozenset(chosen)


def _short(keys: list[str]) -> list[str]:
    """Return the first digits of keys; all of them where two begin alike."""
    short = [key[:_KEY] for key in keys]
    return short if len(set(short)) == len(keys) else keys


class _Numbers:
    """Numbers texts in the order of their first appearance."""

    def __init__(self) -> None:
        self.of_all: list[int] = []
        self._of_each: dict[str, int] = {}

    def add(self, text: str) -> None:
        self.of_all.append(self._of_each.setdefault(text, len(self._of_each)))

    @property
    def are_shared(self) -> bool:
        return len(self._of_each) < len(self.of_all)


def existing_folders(folder: Path) -> frozenset[str]:
    """Return the names of the folders in the folder of a run."""
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return frozenset()
