"""Which metric a question to results is about, and what is wrong with the question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pytest_sweep.results.best import metrics_there_are
from pytest_sweep.results.errors import QueryError

if TYPE_CHECKING:
    from pytest_sweep.results.grid import ResultGrid

__tracebackhide__ = True  # What a user reported or asked wrongly is shown at the line that did so.


Mode = Literal["min", "max"]
Scope = Literal["last", "avg", "last-5-avg", "last-10-avg", "all"]
By = Literal["configuration", "replicate"]


def asked_goal(grid: ResultGrid, metric: str | None, mode: str | None) -> tuple[str, str]:
    """Return the metric and the mode of a question to `grid`; None is the sweep's.

    Raises:
        QueryError: there is none, or it is not clear which is meant.
    """
    modes = dict(grid.objectives)
    if metric is None and len(modes) > 1:
        names = ", ".join(map(repr, modes))
        raise QueryError(
            f"{grid.sweep} has several metrics ({names}), and no result need be the best by all: get_best_results() returns those that "
            f"none beats; or name a metric: get_best_result({grid.objectives[0][0]!r})"
        )
    name = grid.metric if metric is None else metric
    if name is None:
        raise QueryError(f"{grid.sweep} has no metric of its own, so name one: {metrics_there_are(grid)}")
    if mode is None and name not in modes:
        # The sweep's mode is no help: the best accuracy is the highest, the best loss the lowest.
        raise QueryError(f"{name!r} is not the metric of {grid.sweep}, so say mode='min' or mode='max'")
    chosen = mode or modes[name]
    if chosen not in ("min", "max"):
        raise QueryError(f"mode={chosen!r}: choose 'min' or 'max'")
    return name, chosen


def check_by(by: str) -> None:
    """Raise QueryError if `by` is not what ``by=`` takes."""
    if by not in ("configuration", "replicate"):
        raise QueryError(f"by={by!r}: choose 'configuration' or 'replicate'")


def either(choices: Sequence[str]) -> str:
    """Return how several choices read in a sentence."""
    return f"{', '.join(map(repr, choices[:-1]))} or {choices[-1]!r}"
