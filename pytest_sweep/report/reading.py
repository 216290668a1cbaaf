"""From a stored run to the data of the page, with few of its trials in memory at once. Knows nothing of HTML."""

from __future__ import annotations

import contextlib
import os
import random
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from pytest_sweep.cli.bests import Best, best_judged, goal_of
from pytest_sweep.cli.trial_rows import TrialView
from pytest_sweep.cli.trials import best_first
from pytest_sweep.model import TrialState
from pytest_sweep.model.exact_json import from_json
from pytest_sweep.model.judging import Goal, mean_value, pareto_front
from pytest_sweep.model.metrics import AUTO_METRICS, flattened
from pytest_sweep.model.spread import is_finite, is_number
from pytest_sweep.report.columns import Columns, number_json, rounded
from pytest_sweep.report.curves import CurveWriter
from pytest_sweep.report.failures import Failures
from pytest_sweep.reporting.text import counted
from pytest_sweep.store import DATABASE, Judged, RunScan, StoredSweep, TrialRow, snapshot

MOST_TRIALS = 100_000
"""How many trials of a sweep the page has at the most."""

MOST_CURVES = 10_000
"""How many trials of a sweep have learning curves: half of them the best ones, the others drawn at random."""

MOST_POINTS = 1_000_000
"""How many points all curves of a page have together."""

_POINTS_EACH = 200
_FEW_POINTS = 200_000
_LONGEST_CURVE, _SHORTEST_CURVE = 300, 40
_MOST_METRICS = 12
_CHUNK = 250
_LOOKED_AT = 200
_READ_OF_EACH = 500
_LONGEST_NAME = 300
_KEY = 12
"""How many digits of a key are on the page."""

_OWN = ("replicate", "configuration", "attempts", "duration", "reason", "checkpoint", "taken_from")
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
        self._goals = _goals(sweep)
        self._judged = [scan.judged(sweep.id, goal) for goal in self._goals]
        self.rows: dict[int, int] = {}
        self._chosen = self._choose(MOST_TRIALS)
        self._notes: list[str] = []

    def document(self, folders: frozenset[str]) -> tuple[dict[str, Any], bytes]:
        """Return the data of the sweep, and the bytes of its curves.

        Args:
            folders: the names of the folders of trials that exist.
        """
        columns, failures = Columns(min(self._counts.total(), MOST_TRIALS)), Failures()
        names, keys, states, its_folders = [], [], [], []
        curved: list[TrialRow] = []
        with_curves = self._choose(MOST_CURVES)
        for row in self._trials():
            place = self.rows[row.ordinal] = len(names)
            view = TrialView(row)
            names.append(row.name[:_LONGEST_NAME])
            keys.append(row.key[:_KEY])
            states.append(row.state.value)
            its_folders.append(row.folder if row.folder in folders else None)
            columns.add(self._values(view))
            failures.add(place, row)
            if with_curves is None or row.ordinal in with_curves:
                curved.append(row)
        directory, curves = self._curves(curved)
        document = {
            **self._about(),
            "names": names,
            "keys": keys,
            "states": states,
            "folders": its_folders,
            "columns": columns.document(),
            "failures": failures.document(),
            "curves": directory,
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
            return {_JUDGED: [], "best": None, "front": [], "groups": self._groups()}
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
            "groups": self._groups(),
        }

    def _best(self, best: Best | None) -> dict[str, Any] | None:
        if best is None or best.ordinal not in self.rows:
            return None
        return {"value": number_json(best.value), "row": self.rows[best.ordinal], "trials": best.trials}

    def _front(self) -> list[int]:
        """Return the ordinals of the trials of the configurations than which no other is better in all objectives."""
        if len(self._goals) < 2:
            return []
        groups: dict[str, list[int]] = {}
        for place, one in enumerate(self._judged[0]):
            groups.setdefault(one.group, []).append(place)
        whole = bool(self._sweep.average_over)
        values = []
        for places in groups.values():
            means = [mean_value((its[place].value for place in places), whole=whole) for its in self._judged]
            known = [mean for mean in means if is_number(mean) and is_finite(mean)]
            values.append(known if len(known) == len(means) else None)
        front = pareto_front(values, [goal.mode for goal in self._goals])
        of_group = list(groups.values())
        return sorted(self._judged[0][place].ordinal for index in front for place in of_group[index])

    def _groups(self) -> list[int] | None:
        """Return for each trial the number of its configuration; None where each is one of its own."""
        found: dict[str, int] = {}
        numbers = []
        for row in self._trials():
            numbers.append(found.setdefault(row.group_key, len(found)))
        return numbers if len(found) < len(numbers) else None

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

    # Which trials, and which of their reports

    def _choose(self, most: int) -> set[int] | None:
        """Return the ordinals of at most so many trials: the best ones, and as many at random; None for all."""
        total = self._counts.total()
        if total <= most:
            return None
        ordinals = (
            [one.ordinal for one in self._judged[0]]
            if self._judged
            else [row.ordinal for row in self._scan.trials(self._sweep.id)]
        )
        chosen: set[int] = set()
        if self._judged:
            chosen.update(best_first(self._judged[0], self._goals[0], most // 2))
        rest = [ordinal for ordinal in ordinals if ordinal not in chosen]
        chosen.update(random.Random(0).sample(rest, min(most - len(chosen), len(rest))))  # noqa: S311 - no secret
        return chosen

    def _curves(self, rows: Sequence[TrialRow]) -> tuple[dict[str, Any], bytes]:
        metrics, mean = self._reported(rows)
        metrics, points = self._room(metrics, len(rows), mean)
        writer = CurveWriter(metrics, points)
        if not metrics:
            return {**writer.document()[0], "of": 0, "trials": 0}, b""
        trials = 0
        for chunk in _chunks(rows, _CHUNK):
            for key, texts in self._scan.report_texts(chunk).items():
                if not texts:
                    continue
                trials += 1
                row = next(its for its in chunk if its.key == key)
                writer.add(self.rows[row.ordinal], [from_json(text) for text in spread(texts, _READ_OF_EACH)])
        directory, content = writer.document()
        return {**directory, "of": self._counts.total(), "trials": trials, "most": points}, content

    def _reported(self, rows: Sequence[TrialRow]) -> tuple[list[str], float]:
        """Return the metrics that are numbers, those that the sweep is judged by first, and how many reports a trial has."""
        names: dict[str, None] = {}
        count, looked = 0, [row for row in rows if row.attempts][:: max(1, len(rows) // _LOOKED_AT)]
        for texts in self._scan.report_texts(looked).values():
            count += len(texts)
            for text in (*texts[:2], *texts[-1:]):
                report = from_json(text)
                names |= dict.fromkeys(name for name, value in flattened(report).items() if is_number(value))
        goals = [goal.metric for goal in self._goals if goal.metric in names]
        others = [name for name in names if name not in goals and name not in AUTO_METRICS]
        return [*goals, *others][:_MOST_METRICS], count / max(len(looked), 1)

    def _room(self, metrics: list[str], trials: int, mean: float) -> tuple[list[str], int]:
        """Return for which metrics there are curves, and how many points each has at the most."""
        room = self._share * min(max(_POINTS_EACH * trials / max(self._share, 1e-9), _FEW_POINTS), MOST_POINTS)
        kept = list(metrics)
        while len(kept) > max(len(self._goals), 1) and trials * len(kept) * min(mean, _SHORTEST_CURVE) > room:
            kept.pop()
        if len(kept) < len(metrics):
            self._notes.append(
                f"Learning curves of {counted(len(kept), 'metric')} of {len(metrics)}: left out are {', '.join(metrics[len(kept) :])}"
            )
        each = room / max(trials * len(kept), 1)
        if mean <= each:
            return kept, _LONGEST_CURVE
        return kept, int(min(max(each, _SHORTEST_CURVE / 2), _LONGEST_CURVE))


def existing_folders(folder: Path) -> frozenset[str]:
    """Return the names of the folders in the folder of a run."""
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return frozenset()


def spread(texts: Sequence[str], most: int) -> Sequence[str]:
    """Return at most so many reports, evenly spread, each at a random place of its part: what is reported every tenth time is met, too."""
    if len(texts) <= most:
        return texts
    drawn, size = random.Random(len(texts)), (len(texts) - 2) / (most - 2)  # noqa: S311 - no secret
    inner = [texts[1 + int((part + drawn.random()) * size)] for part in range(most - 2)]
    return [texts[0], *inner, texts[-1]]


def _goals(sweep: StoredSweep) -> list[Goal]:
    if sweep.objectives:
        return [Goal(metric, mode, feasible=sweep.feasible) for metric, mode in sweep.objectives]
    goal = goal_of(sweep)
    return [] if goal is None else [goal]


def _chunks(rows: Iterable[TrialRow], size: int) -> Iterator[list[TrialRow]]:
    left = iter(rows)
    while chunk := list(islice(left, size)):
        yield chunk
