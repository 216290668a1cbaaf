"""Whether a run is worse than another one. Without statistics as yet: `ResultGrid.compare` will take the place of `judge`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_sweep.cli.bests import Best
from pytest_sweep.cli.comparison import COMPARED, Pair, SweepComparison, direction
from pytest_sweep.model import TrialState
from pytest_sweep.model.judging import Goal, ended_well
from pytest_sweep.reporting.text import cell_text, counted

BASE, RUN = "BASE", "RUN"
BASIS = "Judged by trials that failed newly and by the best value of each metric of a sweep; how far values scatter is not considered."
"""What the verdict goes by, as it is said below it."""


@dataclass(frozen=True)
class Verdict:
    """What came out of a comparison.

    Attributes:
        word: ``worse``, ``better``, ``same``, or ``not compared`` where neither trials nor the best of a search could be compared.
        reasons: why it is worse, or why nothing was compared, a sentence each; empty otherwise.
        compared: how many trials were compared.
        trials: how many there are in either run.
    """

    word: str
    reasons: tuple[str, ...]
    compared: int
    trials: int


def judge(sweeps: Sequence[SweepComparison]) -> Verdict:
    """Return whether the later run is worse: a trial fails that did not, or the best value of a sweep is worse."""
    compared, trials = sum(its.compared for its in sweeps), sum(len(its.pairs) for its in sweeps)
    reasons = [reason for its in sweeps for reason in _reasons(its)]
    if reasons:
        return Verdict("worse", tuple(reasons), compared, trials)
    if not compared and not any(its.is_judged_by_best for its in sweeps):
        return Verdict("not compared", (_nothing(sweeps),), 0, trials)
    is_better = any(_of_best(its, *bests) == "better" for its in sweeps for bests in its.bests)
    return Verdict("better" if is_better else "same", (), compared, trials)


def not_compared(its: SweepComparison) -> str | None:
    """Return how many trials of a sweep were not compared, and why; None if all were."""
    counts = Counter(_why(pair) for pair in its.pairs if pair.status not in COMPARED)
    if not counts:
        return None
    why = "; ".join(f"{count} {what}" for what, count in counts.items())
    instead = ""
    if its.is_judged_by_best:
        best = "the best value of each of its metrics" if len(its.bests) > 1 else "its best value"
        instead = f"; the sweep is judged by {best}"
    return f"Not compared: {counts.total()} of {counted(len(its.pairs), 'trial')} ({why}){instead}"


def _why(pair: Pair) -> str:
    """Return why a trial was not compared."""
    views = (pair.base, pair.now)
    if pair.base is None or pair.now is None:
        return f"only in {RUN if pair.base is None else BASE}"
    if pair.is_other and pair.base.row.point_key and pair.now.row.point_key:
        return "other configuration"
    if all(view is not None and view.row.state is TrialState.ERROR for view in views):
        return "failed in both"
    if not all(view is not None and ended_well(view.row.state, view.row.reason) for view in views):
        return "did not end well in one of them"
    return (
        "not feasible in one of them"
        if any(view.value("feasible") is False for view in views if view)
        else "without a value"
    )


def _nothing(sweeps: Sequence[SweepComparison]) -> str:
    if not any(its.pairs for its in sweeps):
        return "neither run has trials"
    if all(pair.now is None or pair.base is None for its in sweeps for pair in its.pairs):
        return "no trial is in both runs"
    if any(its.others for its in sweeps):
        return "no trial of equal configuration ended in both runs, and no search has a best value to compare"
    return "no trial ended in both runs with something to compare"


def _reasons(its: SweepComparison) -> Iterator[str]:
    if failed := its.of_status("newly failed"):
        verb = "fails" if len(failed) == 1 else "fail"
        yield f"{its.sweep.name}: {counted(len(failed), 'trial')} {verb} that did not fail before"
    for goal, before, best in its.bests:
        if before is not None and _of_best(its, goal, before, best) == "worse":
            now = "none" if best is None else cell_text(best.value)
            yield f"{its.sweep.name}: the best {goal.metric} was {cell_text(before.value)} and is {now} ({goal.mode})"


def _of_best(its: SweepComparison, goal: Goal, before: Best | None, best: Best | None) -> str:
    if before is None or not (its.compared or its.is_judged_by_best):
        return "same"  # There was nothing to be worse than, or nothing that can be.
    return "worse" if best is None else direction(before.value, best.value, goal)
