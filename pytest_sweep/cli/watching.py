"""What ``watch`` shows of a run, from its database only. Writes nothing, and has no loop."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_sweep import clock
from pytest_sweep.cli.bests import Best, best_judged, goal_of
from pytest_sweep.cli.trial_rows import TrialView
from pytest_sweep.model import TrialState
from pytest_sweep.model.metrics import AUTO_METRICS
from pytest_sweep.reporting.failures import reason_of
from pytest_sweep.reporting.live import (
    LEAST_ENDED,
    MOST_REASONS,
    MOST_SWEEPS,
    LiveView,
    NamedLine,
    best_named,
    metric_text,
    running_named,
)
from pytest_sweep.reporting.remaining import Load, remaining_of
from pytest_sweep.reporting.tally import Lengths
from pytest_sweep.reporting.text import counted
from pytest_sweep.space import displayable, restored
from pytest_sweep.store import LiveScan, NotBegunError, RunningRow, StoredSweep, who_runs

_DIGITS = 8
_LEAST_FREE = 10
"""Of its time, finding the best trials takes at most one part in so many: that looks at every trial."""

_NOTHING = LiveView({}, 0.0)


class WatchedRun:
    """Looks at a run again and again. Between looks it keeps a few lines, however many trials there are.

    Args:
        folder: the run's folder.

    Attributes:
        folder: the run's folder.
        goes_on: whether the driver of the run lived at the last look.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.goes_on = True
        self._best: list[NamedLine] = []
        self._failures: list[NamedLine] = []
        self._counted: tuple[int, int] | None = None
        self._next = 0.0

    def look(self, most: int) -> LiveView:
        """Return what there is to be shown.

        Args:
            most: how many running trials are shown at the most.

        Raises:
            SchemaError, StoreError: the database cannot be read.
        """
        try:
            with LiveScan(self.folder) as scan:
                return self._look(scan, most)
        except NotBegunError:
            if who_runs(self.folder) is None:
                raise
            return _NOTHING

    def _look(self, scan: LiveScan, most: int) -> LiveView:
        self.goes_on = scan.goes_on
        now = scan.run["finished"] if scan.run["finished"] is not None else clock.wall()
        by_sweep = scan.counts()
        counts: dict[TrialState, int] = {}
        for of_sweep in by_sweep.values():
            for state, number in of_sweep.items():
                counts[state] = counts.get(state, 0) + number
        self._judge(scan, counts)
        sweeps = {sweep.id: sweep for sweep in scan.sweeps}
        retries = scan.retries()
        return LiveView(
            counts=counts,
            elapsed=max(now - scan.run["started"], 0.0),
            remaining=_remaining(scan, by_sweep, now) if self.goes_on else None,
            best=self._best,
            failures=self._failures,
            waiting=[f"Waiting: {counted(retries, 'trial')} for another attempt"] if retries else [],
            running=[_running(row, sweeps[row.sweep_id], now) for row in scan.running(most)],
        )

    def _judge(self, scan: LiveScan, counts: Mapping[TrialState, int]) -> None:
        """Find the best trials and the reasons of failures anew, if trials have ended, and not too often."""
        failed = counts.get(TrialState.ERROR, 0)
        ended = sum(number for state, number in counts.items() if state.is_finished)
        before = clock.monotonic()
        if self._counted == (ended, failed) or (self.goes_on and before < self._next):
            return
        if self._counted is None or failed != self._counted[1]:
            self._failures = _failed(scan)
        found = ((sweep, _best_of(scan, sweep)) for sweep in scan.sweeps)
        self._best = []
        for sweep, best in found:
            if best is not None and len(self._best) < MOST_SWEEPS:
                (row,) = scan.trials_at([best.ordinal])
                name = row.name if best.trials == 1 else str(TrialView(row).value("configuration"))
                chosen = _chosen(row.config) if sweep.search else ""
                named = NamedLine("", f"{name}{chosen}", f"{sweep.name}_{row.key[:_DIGITS]}")
                self._best.append(best_named(sweep.metric, best.value, sweep.mode, named, best.trials))
        self._counted = ended, failed
        took = clock.monotonic() - before
        self._next = before + took + min(_LEAST_FREE * took, 60.0)


def _best_of(scan: LiveScan, sweep: StoredSweep) -> Best | None:
    """Return what `bests.best_of` returns, with few trials in memory at once."""
    goal = goal_of(sweep)
    best, first = None, 0
    for judged in () if goal is None else scan.judged_in_parts(sweep.id, goal):
        assert goal is not None
        found = best_judged(judged, goal, whole=bool(sweep.average_over))
        if found is None:
            continue
        group = next(one.group for one in judged if one.ordinal == found.ordinal)
        begins = next(one.ordinal for one in judged if one.group == group)
        is_equal = best is not None and found.value == best.value
        if best is None or (begins < first if is_equal else goal.best([best.value, found.value]) == 1):
            best, first = found, begins
    return best


def _failed(scan: LiveScan) -> list[NamedLine]:
    reasons: dict[str, tuple[int, int]] = {}
    for ordinal, end in scan.error_ends():
        reason = reason_of(end)
        reasons[reason] = reasons.get(reason, (0, 0))[0] + 1, ordinal
    most = heapq.nlargest(MOST_REASONS, reasons.items(), key=lambda item: item[1][0])
    rows = {row.ordinal: row for row in scan.trials_at([ordinal for _, (_, ordinal) in most])}
    names = {sweep.id: sweep.name for sweep in scan.sweeps}
    lines = []
    for reason, (count, ordinal) in most:
        more = f" and {count - 1} more" if count > 1 else ""
        row = rows[ordinal]
        lines.append(NamedLine("ERROR ", row.name, f"{names[row.sweep_id]}_{row.key[:_DIGITS]}", f"{more}: {reason}"))
    return lines


def _running(row: RunningRow, sweep: StoredSweep, now: float) -> NamedLine:
    metrics = row.metrics or {}
    first = next((name for name in metrics if name not in AUTO_METRICS), None)
    seconds = None if row.started is None else max(now - row.started, 0.0)
    named = NamedLine("", f"{row.name}{_chosen(row.config)}", f"{sweep.name}_{row.key[:_DIGITS]}")
    return running_named(named, seconds, metrics.get("training_iteration"), metric_text(metrics, [sweep.metric, first]))


def _chosen(stored: Mapping[str, Any] | None) -> str:
    """Return the configuration that a searcher has chosen; "" where it has not."""
    config = restored(dict(stored)) if stored else None
    if not isinstance(config, dict):
        return ""
    return f" {{{'-'.join(f'{name}={displayable(value)}' for name, value in config.items())}}}"


def _remaining(scan: LiveScan, counts: Mapping[str, Mapping[TrialState, int]], now: float) -> float | None:
    lengths = {sweep: Lengths(count, seconds, squares) for sweep, count, seconds, squares in scan.lengths()}
    began = scan.began()
    if began is None or sum(one.count for one in lengths.values()) < LEAST_ENDED:
        return None
    running: dict[str, list[float]] = {}
    for sweep, started in scan.running_since():
        running.setdefault(sweep, []).append(max(now - started, 0.0))
    loads = [
        Load(of.get(TrialState.PENDING, 0), running.get(sweep, ()), lengths.get(sweep, Lengths()))
        for sweep, of in counts.items()
    ]
    return remaining_of(loads, now - began)
