"""What has changed since an earlier run, as `cli.comparison` pairs the trials and `cli.verdicts` judges them. Draws nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_sweep.cli.bests import Best
from pytest_sweep.cli.comparison import SweepComparison, compare_sweeps
from pytest_sweep.cli.made_by import made_by
from pytest_sweep.cli.run_rows import RunRow
from pytest_sweep.cli.verdicts import BASIS, judge, not_compared
from pytest_sweep.page.columns import number_json
from pytest_sweep.store import RunScan

_MOST_LOST = 1000


def against_document(base: RunScan, run: RunScan, places: Mapping[int, tuple[int, int]]) -> dict[str, Any]:
    """Return the comparison for the page.

    Args:
        base: reads the earlier run.
        run: reads the run of the page.
        places: the sweep and the row of each trial on the page, by its ordinal.
    """
    sweeps = list(compare_sweeps(base, run, None, None))
    made, verdict, row = made_by(base, run, sweeps), judge(sweeps), RunRow(base.folder)
    return {
        "name": base.folder.name,
        "status": row.status,
        "verdict": verdict.word,
        "reasons": list(verdict.reasons),
        "basis": BASIS,
        "changes": made.lines(),
        "sweeps": [_sweep(its, places) for its in sweeps],
    }


def _sweep(its: SweepComparison, places: Mapping[int, tuple[int, int]]) -> dict[str, Any]:
    counts: dict[str, int] = {}
    pairs: list[list[Any]] = []
    lost: list[list[Any]] = []
    for pair in its.pairs:
        counts[pair.status] = counts.get(pair.status, 0) + 1
        before, now = (None if value is None else number_json(value) for value in (pair.before, pair.value))
        if pair.now is None:
            lost.append([pair.view.row.name, pair.view.row.state.value, before])
        elif pair.now.row.ordinal in places:
            state = None if pair.base is None else pair.base.row.state.value
            pairs.append([places[pair.now.row.ordinal][1], pair.status, before, now, state])
    return {
        "id": its.sweep.id,
        "name": its.sweep.name,
        "metric": None if its.goal is None else its.goal.metric,
        "mode": None if its.goal is None else its.goal.mode,
        "counts": counts,
        "note": not_compared(its),
        "best": _values([its.best_before, its.best]),
        "pairs": pairs,
        "lost": lost[:_MOST_LOST],
    }


def _values(bests: Sequence[Best | None]) -> list[float | str | None]:
    return [None if best is None else number_json(best.value) for best in bests]
