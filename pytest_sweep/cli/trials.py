"""Which trials of a run are meant, and in which order they come. Prints nothing."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from pytest_sweep.cli.bests import goal_of
from pytest_sweep.cli.conditions import Where, sorted_rows
from pytest_sweep.cli.errors import NoSuchRunError, UsageError
from pytest_sweep.cli.marks import NO_MARKS, Marks
from pytest_sweep.cli.trial_rows import TrialView
from pytest_sweep.model import TrialState
from pytest_sweep.model.judging import Goal
from pytest_sweep.store import Judged, RunScan, StoredSweep, TrialRow

_MOST_NAMES = 5


def find_trial(scan: RunScan, text: str) -> TrialRow:
    """Return the trial that is meant by a text: its name or a part of it, its node id, or the first digits of its key.

    Raises:
        NoSuchRunError: there is none.
        UsageError: there are several.
    """
    found = scan.trials_named(text) if text else []
    if not found:
        raise NoSuchRunError(f"no trial of the run {scan.folder.name} is called {text!r}")
    if len(found) > 1:
        names = ", ".join(f"{row.name} ({row.key[:8]})" for row in found[:_MOST_NAMES])
        raise UsageError(
            f"{len(found)} trials of the run {scan.folder.name} are meant by {text!r}: {names}{', ...' if len(found) > _MOST_NAMES else ''}"
        )
    return found[0]


def find_sweeps(scan: RunScan, wanted: Sequence[str] | None) -> list[StoredSweep]:
    """Return the sweeps with these names or node ids, all where none is given.

    Raises:
        NoSuchRunError: there is none of such a name.
    """
    if not wanted:
        return scan.sweeps
    for name in wanted:
        if not any(name in (sweep.id, sweep.name) for sweep in scan.sweeps):
            there_are = ", ".join(sweep.name for sweep in scan.sweeps) or "none"
            raise NoSuchRunError(f"the run {scan.folder.name} has no sweep {name!r}: there are {there_are}")
    return [sweep for sweep in scan.sweeps if sweep.id in wanted or sweep.name in wanted]


def views(
    rows: Iterable[TrialRow], where: Where | None, failed: bool, marks: Mapping[str, Marks] | None = None
) -> Iterator[TrialView]:
    """Yield the trials that meet a condition, and of those that failed, where only these are wanted.

    Args:
        rows: all trials.
        where: the condition, or None.
        failed: whether only those that failed are wanted.
        marks: what is known of the trials of each sweep together, by the id of the sweep.
    """
    known = marks or {}
    chosen = (
        TrialView(row, known.get(row.sweep_id, NO_MARKS)) for row in rows if not failed or row.state is TrialState.ERROR
    )
    return where.select(chosen) if where is not None else chosen


def best_first(
    judged: Sequence[Judged], goal: Goal, limit: int | None = None, *, front: frozenset[int] = frozenset()
) -> list[int]:
    """Return the ordinals of a sweep's trials, up to a limit: the best first, those without a value last and failed ones before others.

    Args:
        judged: the trials.
        goal: what makes one better than another.
        limit: how many are wanted; None for all.
        front: the ordinals of those that come before all others: the Pareto front of a sweep with several metrics.
    """

    def order(one: Judged) -> tuple[int, float, int]:
        if one.value is not None and goal.accepts(one.value):
            return -(one.ordinal in front), goal.rank(one.value)[1], one.ordinal
        return (1 if one.state is TrialState.ERROR else 2), 0.0, one.ordinal

    few = sorted(judged, key=order) if limit is None else heapq.nsmallest(limit, judged, order)
    return [one.ordinal for one in few]


@dataclass(frozen=True)
class Selection:
    """Which trials are wanted, and in which order.

    Attributes:
        marks: what is known of the trials of each sweep together, by the id of the sweep.
        condition: a condition that they meet, or None.
        order: the column that they are sorted by, as for `sorted_rows`; None for the best of each sweep first.
        failed: whether only those that failed are wanted.
        limit: how many of each sweep are wanted; None for all.
    """

    marks: Mapping[str, Marks]
    condition: str | None = None
    order: str | None = None
    failed: bool = False
    limit: int | None = None


@dataclass(frozen=True)
class Selected:
    """Trials of a sweep: those that are shown, in their order, and how many there would be without a limit."""

    sweep: StoredSweep
    shown: list[TrialView]
    count: int


def select(
    scan: RunScan, sweeps: Sequence[StoredSweep], judged: Mapping[str, Sequence[Judged]], chosen: Selection
) -> list[Selected]:
    """Return the trials of each of these sweeps that are wanted.

    Args:
        scan: reads the run.
        sweeps: the sweeps.
        judged: what the trials of those that have a metric are judged by, by the id of the sweep.
        chosen: which trials.

    Raises:
        UsageError: the condition or the column names what no trial has.
    """
    if chosen.condition is None and chosen.order is None and not chosen.failed:
        return [_best(scan, sweep, judged.get(sweep.id), chosen) for sweep in sweeps]
    where = None if chosen.condition is None else Where(chosen.condition)
    ids = {sweep.id for sweep in sweeps}
    found = list(views((row for row in scan.trials() if row.sweep_id in ids), where, chosen.failed, chosen.marks))
    if chosen.order is not None:
        found = sorted_rows(found, chosen.order)
    of_sweep: dict[str, list[TrialView]] = {sweep.id: [] for sweep in sweeps}
    for view in found:
        of_sweep[view.row.sweep_id].append(view)
    for sweep in sweeps if chosen.order is None else ():
        if sweep.id in judged and (goal := goal_of(sweep)) is not None:
            ordered = best_first(judged[sweep.id], goal, front=_front(chosen.marks[sweep.id]))
            places = {ordinal: place for place, ordinal in enumerate(ordered)}
            of_sweep[sweep.id].sort(key=lambda view, places=places: places.get(view.row.ordinal, len(places)))  # type: ignore[misc]
    return [Selected(sweep, of_sweep[sweep.id][: chosen.limit], len(of_sweep[sweep.id])) for sweep in sweeps]


def _best(scan: RunScan, sweep: StoredSweep, judged: Sequence[Judged] | None, chosen: Selection) -> Selected:
    goal, marks = goal_of(sweep), chosen.marks[sweep.id]
    if judged is None or goal is None:
        rows = islice(scan.trials(sweep.id), chosen.limit)
        return Selected(sweep, [TrialView(row, marks) for row in rows], scan.counts()[sweep.id].total())
    # Only those that are shown are read as a whole.
    ordinals = best_first(judged, goal, chosen.limit, front=_front(marks))
    return Selected(sweep, [TrialView(row, marks) for row in scan.trials_at(ordinals)], len(judged))


def _front(marks: Marks) -> frozenset[int]:
    return frozenset(ordinal for group in marks.front or () for ordinal in group)
