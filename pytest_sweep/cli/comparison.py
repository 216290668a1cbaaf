"""Two runs beside each other, trial by trial. Says what has changed; `cli.verdicts` judges it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pytest_sweep.cli.bests import Best, best_judged, goals_of
from pytest_sweep.cli.conditions import no_such_column
from pytest_sweep.cli.errors import UsageError
from pytest_sweep.cli.marks import NO_MARKS, Marks, marks_of
from pytest_sweep.cli.trial_rows import TrialView, cell
from pytest_sweep.model import TrialState
from pytest_sweep.model.judging import Goal, ended_well
from pytest_sweep.model.metrics import AUTO_METRICS, flattened, metric_value
from pytest_sweep.model.spread import is_finite
from pytest_sweep.store import Judged, RunScan, StoredSweep

COMPARED = ("newly failed", "worse", "fixed", "better", "same")
"""The statuses of trials that were compared."""

_SAME = 1e-9
"""Up to which share of a value a change counts as none: sums of floats are not exact."""


@dataclass
class Pair:
    """A trial in both runs, or in one of them. A row, whose further columns are those of the trial in the later run.

    Attributes:
        base: the trial in the earlier run, or None.
        now: the trial in the later run, or None.
        before: what it was judged by then; None where it had no value, or another configuration.
        value: what it is judged by now.
        goal: by what; None in a sweep without a metric.
    """

    base: TrialView | None
    now: TrialView | None
    before: float | None
    value: float | None
    goal: Goal | None

    @property
    def view(self) -> TrialView:
        """The trial in the later run, or else in the earlier one."""
        found = self.now or self.base
        assert found is not None
        return found

    @property
    def is_other(self) -> bool:
        """Whether it is a slot of a search that has another configuration in each run: the same number, and nothing else in common."""
        return self.base is not None and self.now is not None and self.base.row.point_key != self.now.row.point_key

    @cached_property
    def status(self) -> str:
        """What has become of it: ``worse``, ``better``, ``same``, ``new``, ``lost``, ``newly failed``, ``fixed``, ``not compared``."""
        if self.base is None or self.now is None or self.is_other:
            return "new" if self.base is None else "lost" if self.now is None else "not compared"
        was, its = self.base.row, self.now.row
        if its.state is TrialState.ERROR:
            return (
                "newly failed"
                if ended_well(was.state, was.reason) or was.state is TrialState.SKIPPED
                else "not compared"
            )
        if not ended_well(its.state, its.reason):
            return "not compared"
        if was.state is TrialState.ERROR:
            return "fixed"
        if self.goal is None:
            return "same" if ended_well(was.state, was.reason) else "not compared"
        return (
            "not compared"
            if self.before is None or self.value is None
            else direction(self.before, self.value, self.goal)
        )

    @property
    def change(self) -> float | None:
        """By how much its value is another one, with the sign of the difference; None where it was not compared."""
        return None if self.before is None or self.value is None else self.value - self.before

    @property
    def percent(self) -> float | None:
        """The change in percent of the value then; None where there is none, and where that was 0."""
        try:
            return None if self.change is None or not self.before else 100 * self.change / abs(self.before)
        except OverflowError:  # Integers may be more than floats hold.
            return None

    def columns(self) -> Sequence[str]:
        """Return its own columns, then those of the trial."""
        return [*_COLUMNS, *(name for name in self.view.columns() if name not in _COLUMNS)]

    def value_in(self, column: str) -> Any:
        """Return the value of one of its own columns, or else of the trial's."""
        return _COLUMNS[column](self) if column in _COLUMNS else self.view.value(column)

    def as_json(self) -> dict[str, Any]:
        """Return it as a record of the JSON schema."""
        return {"sweep": self.view.row.sweep_id, **{name: value(self) for name, value in _COLUMNS.items()}}


_COLUMNS: Mapping[str, Callable[[Pair], Any]] = {
    "name": lambda pair: pair.view.row.name,
    "key": lambda pair: pair.view.row.key,
    "status": lambda pair: pair.status,
    "base_state": lambda pair: None if pair.base is None else pair.base.row.state.value,
    "state": lambda pair: None if pair.now is None else pair.now.row.state.value,
    "base": lambda pair: pair.before,
    "run": lambda pair: pair.value,
    "change": lambda pair: pair.change,
    "change_percent": lambda pair: pair.percent,
}


class PairRow:
    """A pair as a row of a table."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair

    def columns(self) -> Sequence[str]:
        """Return the names of its columns."""
        return self.pair.columns()

    def value(self, column: str) -> Any:
        """Return the value of a column."""
        return self.pair.value_in(column)

    def cell(self, column: str) -> Any:
        """Return how the value of a column is shown in a table."""
        return _COLUMNS[column](self.pair) if column in _COLUMNS else cell(self.pair.view, column)

    def resolve(self, name: str) -> str | None:
        """Return the column that is meant by a name."""
        return name if name in _COLUMNS else self.pair.view.resolve(name)

    def get(self, name: str, default: Any) -> Any:
        """Return what a name stands for in a condition."""
        return _COLUMNS[name](self.pair) if name in _COLUMNS else self.pair.view.get(name, default)


@dataclass(frozen=True)
class SweepComparison:
    """A sweep of two runs.

    Attributes:
        sweep: the sweep, as the later run has it where it has it.
        goal: by what it is judged; None without a metric.
        pairs: its trials, in the order of the later run; those of the earlier one alone come last.
        bests: for each metric that it is judged by the best of the earlier run and of the later one, or None.
        marks: what is known of its trials together, in the earlier run and in the later one.
    """

    sweep: StoredSweep
    goal: Goal | None
    pairs: Sequence[Pair]
    bests: Sequence[tuple[Goal, Best | None, Best | None]]
    marks: tuple[Marks, Marks] = (NO_MARKS, NO_MARKS)

    @property
    def best_before(self) -> Best | None:
        """The best of the earlier run by its first metric, or None."""
        return self.bests[0][1] if self.bests else None

    @property
    def best(self) -> Best | None:
        """The best of the later run by its first metric, or None."""
        return self.bests[0][2] if self.bests else None

    @property
    def compared(self) -> int:
        """How many of its trials were compared."""
        return sum(pair.status in COMPARED for pair in self.pairs)

    @property
    def others(self) -> int:
        """How many of its trials are slots that have another configuration in each run."""
        return sum(pair.is_other for pair in self.pairs)

    @property
    def is_judged_by_best(self) -> bool:
        """Whether its best is compared although its trials are not: it is searched, had a best, and some trial ended in the later run."""
        return any(before is not None for _, before, _ in self.bests) and any(
            pair.is_other and pair.now is not None and _ended(pair.now) for pair in self.pairs
        )

    def of_status(self, status: str) -> list[Pair]:
        """Return the pairs of a status."""
        return [pair for pair in self.pairs if pair.status == status]


def compare_sweeps(base: RunScan, run: RunScan, metric: str | None, mode: str | None) -> Iterator[SweepComparison]:
    """Yield the comparison of each sweep that is in either run.

    Args:
        base: the earlier run.
        run: the later one.
        metric: a metric; None for that of each sweep.
        mode: ``"min"`` or ``"max"``, for `metric`.

    Raises:
        UsageError: no trial of either run has `metric`.
    """
    then, now = ({sweep.id: sweep for sweep in scan.sweeps} for scan in (base, run))
    for sweep_id in dict.fromkeys([*now, *then]):
        sweep = now.get(sweep_id) or then[sweep_id]
        goals = goals_of(sweep) if metric is None or mode is None else (Goal(metric, mode, feasible=sweep.feasible),)
        judged = [
            [scan.judged(sweep_id, goal) if sweep_id in its else [] for scan, its in ((base, then), (run, now))]
            for goal in goals
        ]
        whole = bool(sweep.average_over)
        bests = [
            (goal, best_judged(before, goal, whole=whole), best_judged(value, goal, whole=whole))
            for goal, (before, value) in zip(goals, judged, strict=True)
        ]
        marks = (
            marks_of(base, then[sweep_id]) if sweep_id in then else NO_MARKS,
            marks_of(run, now[sweep_id]) if sweep_id in now else NO_MARKS,
        )
        before, value = judged[0] if judged else ([], [])
        goal = goals[0] if goals else None
        yield SweepComparison(sweep, goal, _pairs((base, run), sweep_id, goal, (before, value), marks), bests, marks)


def check_metric(base: RunScan, run: RunScan, metric: str) -> None:
    """Check that some trial of either run has a metric.

    Raises:
        UsageError: none has; the text says which metrics there are.
    """
    known: dict[str, None] = {}
    has_trials = False
    for row in itertools.chain(base.trials(), run.trials()):
        has_trials = True
        if metric_value(row.metrics, metric) is not None:
            return
        known |= dict.fromkeys(flattened(row.metrics or {}))
    if has_trials:
        names = [name for name in known if name not in AUTO_METRICS]
        there_are = no_such_column(metric, names) if names else "no trial has metrics"
        raise UsageError(f"--metric {metric}: no trial of either run has it: {there_are}")


def _ended(view: TrialView) -> bool:
    return view.row.state is TrialState.ERROR or ended_well(view.row.state, view.row.reason)


def _are_close(one: float, two: float) -> bool:
    try:
        return abs(two - one) <= _SAME * max(abs(one), abs(two))
    except OverflowError:  # Integers may be more than floats hold.
        return False


def direction(before: float, value: float, goal: Goal) -> str:
    """Return whether a value is ``better`` than another, ``worse`` or the ``same``; what is not finite is worse than what is."""
    if before == value or (before != before and value != value):  # noqa: PLR0124 - NaN
        return "same"
    if is_finite(before) and is_finite(value) and _are_close(before, value):
        return "same"
    if is_finite(before) is not is_finite(value):
        return "better" if is_finite(value) else "worse"
    return "better" if goal.rank(value) < goal.rank(before) else "worse"


def _pairs(
    scans: tuple[RunScan, RunScan],
    sweep_id: str,
    goal: Goal | None,
    judged: tuple[Sequence[Judged], Sequence[Judged]],
    marks: tuple[Marks, Marks],
) -> list[Pair]:
    values_then, values_now = ({one.ordinal: one.value for one in its} for its in judged)
    then = {row.key: TrialView(row, marks[0]) for row in scans[0].trials(sweep_id)}
    pairs = []
    for row in scans[1].trials(sweep_id):
        old = then.pop(row.key, None)
        pair = Pair(old, TrialView(row, marks[1]), None, values_now.get(row.ordinal), goal)
        if old is not None and not pair.is_other:
            pair.before = values_then.get(old.row.ordinal)
        pairs.append(pair)
    return [*pairs, *(Pair(old, None, values_then.get(old.row.ordinal), None, goal) for old in then.values())]
