"""The results of one sweep, and questions to them: which is best, all as a table. Knows nothing of runs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal, overload

from pytest_sweep.errors import MissingExtraError, NoResultsError
from pytest_sweep.model import TrialState
from pytest_sweep.model.spread import is_number
from pytest_sweep.results.aggregate import aggregated
from pytest_sweep.results.result import DONE, QueryError, Result, flattened, histories

__tracebackhide__ = True  # What a user reported or asked wrongly is shown at the line that did so.

if TYPE_CHECKING:
    import pandas as pd

Mode = Literal["min", "max"]
Scope = Literal["last", "all", "avg"]


class ResultGrid(Sequence[Result]):
    """The results of one sweep's trials, in the order of their collection. The names are Ray Tune's (``tune.ResultGrid``).

    A sequence: ``len(grid)``, ``grid[0]``, ``for result in grid``; a slice is a ResultGrid too. It can be copied and pickled, as
    each `Result` can.

    Attributes:
        sweep: the node id of the sweep.
        metric: the metric that its trials are judged by, or None.
        mode: ``"min"`` or ``"max"``: which value of the metric is best.
    """

    def __init__(self, results: Iterable[Result], *, sweep: str, metric: str | None = None, mode: str = "max") -> None:
        self._results = tuple(results)
        self.sweep = sweep
        self.metric = metric
        self.mode = mode

    def __len__(self) -> int:
        return len(self._results)

    @overload
    def __getitem__(self, index: int) -> Result: ...

    @overload
    def __getitem__(self, index: slice) -> ResultGrid: ...

    def __getitem__(self, index: int | slice) -> Result | ResultGrid:
        if isinstance(index, slice):
            return ResultGrid(self._results[index], sweep=self.sweep, metric=self.metric, mode=self.mode)
        return self._results[index]

    def __repr__(self) -> str:
        states = Counter(str(result.state) for result in self)
        counts = "".join(f", {count} {state}" for state, count in states.most_common())
        goal = "" if self.metric is None else f", {self.mode} {self.metric}"
        return f"<ResultGrid {self.sweep}: {len(self)} {'trial' if len(self) == 1 else 'trials'}{counts}{goal}>"

    @property
    def experiment_path(self) -> Path | None:
        """The folder of the run that its results are from, or of all runs where they are from several; None where there is none."""
        runs = {result.run_path for result in self}
        folders = runs if len(runs) == 1 else {path.parent for path in runs}
        return folders.pop() if len(folders) == 1 else None

    @property
    def errors(self) -> list[str]:
        """The texts of the failures of the trials that failed, in order."""
        return [result.error or "" for result in self if result.state is TrialState.ERROR]

    @property
    def num_errors(self) -> int:
        """How many trials failed."""
        return sum(result.state is TrialState.ERROR for result in self)

    @property
    def num_terminated(self) -> int:
        """How many trials finished well: those that a stop rule ended and those whose stored result was taken included."""
        return sum(result.state in DONE for result in self)

    def get_best_result(self, metric: str | None = None, mode: Mode | None = None, scope: Scope = "last") -> Result:
        """Return the result that is best by a metric; of equals, the first.

        As in Tune, a trial without the metric never wins, nor one whose value is NaN, infinite or not a number, while one
        that failed after it had final metrics can. A trial that was not run to its end has no final metrics, so it cannot.

        Args:
            metric: the metric; default the sweep's. A nested one is named with slashes: ``"val/loss"``.
            mode: ``"min"`` or ``"max"``; default the sweep's, if `metric` is the sweep's.
            scope: which value of a trial counts: ``"last"`` its final one, ``"all"`` the best of its history, ``"avg"`` the
                mean of its history.

        Raises:
            QueryError: the sweep has no metric and none was given, no mode for another metric, or a misspelt argument.
            NoResultsError: no trial has such a value.
            StoreError: the history cannot be read.
        """
        name, goal = self._goal(metric, mode)
        if scope not in ("last", "all", "avg"):
            raise QueryError(f"scope={scope!r}: choose 'last', 'all' or 'avg'")
        done = [result for result in self if result.metrics is not None]
        scores = [_score(values, goal, scope) for values in self._values(done, name, scope)]
        better = min if goal == "min" else max
        ranked = [(score, index) for index, score in enumerate(scores) if score is not None]
        if not ranked:
            raise NoResultsError(
                f"no trial of {self.sweep} has a finite number as {name!r}: {self._metrics_there_are()}"
            )
        best = better(score for score, _ in ranked)
        return done[next(index for score, index in ranked if score == best)]

    def aggregate(self) -> list[dict[str, Any]]:
        """Return one record for each configuration, over its replicates, in order of first appearance.

        Replicates are trials of equal configurations, which differ in their seed. The records are flat dicts, so that
        ``pandas.DataFrame(grid.aggregate())`` is a table. Each has, in this order:

        * ``name``: the name of the trial, without the ``#2`` of a further replicate.
        * ``trials``: how many replicates there are among these results.
        * ``done``: how many of them finished well, as `num_terminated` counts them. Only these are in what follows.
        * ``<metric>/mean`` and ``<metric>/std`` for each final metric that is a number; nested ones are joined by slashes, as in
          `get_dataframe`. The mean is the arithmetic one (``statistics.fmean``), the standard deviation that of a sample, with
          n - 1 in its denominator (``statistics.stdev``), None for a single value. A replicate without the metric, or with
          one that is no number, is left out of it. A NaN makes both NaN; an infinity makes the deviation NaN. Of Tune's
          automatic metrics there are ``training_iteration`` and ``time_total_s``.
        * ``config/<name>``: the configuration in its stored form, that of the first replicate.

        A configuration of which no replicate finished well has a record without metrics.
        """
        return aggregated(self)

    def get_dataframe(self, filter_metric: str | None = None, filter_mode: Mode | None = None) -> pd.DataFrame:
        """Return a pandas data frame with one row a trial, in order.

        Its columns are ``trial_id``, ``state``, the metrics, and the configuration as ``config/lr``; nested names are joined
        by slashes. A trial without metrics has a row too.

        Args:
            filter_metric: take each trial's metrics from the report that was best by this metric; default its final metrics.
            filter_mode: ``"min"`` or ``"max"``; default the sweep's, if `filter_metric` is the sweep's.

        Raises:
            MissingExtraError: pandas is not installed.
            QueryError: as for `get_best_result`.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingExtraError("pandas", "pandas", "get_dataframe()") from error
        metrics = [flattened(result.metrics or {}) for result in self]
        if filter_metric is not None or filter_mode is not None:
            name, mode = self._goal(filter_metric, filter_mode)
            metrics = [_best_report(reports, name, mode) for reports in _reports(list(self))]
        return pd.DataFrame(
            [
                {"trial_id": result.trial_id, "state": str(result.state), **row, **flattened(result.config, "config/")}
                for result, row in zip(self, metrics, strict=True)
            ]
        )

    def _goal(self, metric: str | None, mode: str | None) -> tuple[str, str]:
        name = self.metric if metric is None else metric
        if name is None:
            raise QueryError(f"{self.sweep} has no metric of its own, so name one: {self._metrics_there_are()}")
        if mode is None and name != self.metric:
            # The sweep's mode is no help: the best accuracy is the highest, the best loss the lowest.
            raise QueryError(f"{name!r} is not the metric of {self.sweep}, so say mode='min' or mode='max'")
        mode = mode or self.mode
        if mode not in ("min", "max"):
            raise QueryError(f"mode={mode!r}: choose 'min' or 'max'")
        return name, mode

    def _values(self, done: list[Result], metric: str, scope: str) -> list[list[Any]]:
        if scope == "last":
            return [[flattened(result.metrics or {}).get(metric)] for result in done]
        return [[report[metric] for report in reports if metric in report] for reports in _reports(done)]

    def _metrics_there_are(self) -> str:
        names = sorted({name for result in self for name in flattened(result.metrics or {})})
        return f"there are {', '.join(map(repr, names))}" if names else "no trial has metrics"


def _reports(results: list[Result]) -> list[list[dict[str, Any]]]:
    """Return the flattened reports of each result, of which the last one is completed by the final metrics."""
    found = []
    for result, history in zip(results, histories(results), strict=True):
        reports = [flattened(report) for report in history]
        final = flattened(result.metrics or {})
        if final:
            # What the function returned completes its last report, unless it counted on from it.
            if reports and reports[-1].get("training_iteration") == final.get("training_iteration"):
                reports.pop()
            reports.append(final)
        found.append(reports)
    return found


def _score(values: list[Any], mode: str, scope: str) -> float | None:
    if scope == "avg":
        numbers = [float(value) for value in values if is_number(value)]
        # One NaN spoils the mean, as in Tune; what is not a number does not take part.
        values = [fmean(numbers)] if numbers else []
    finite: list[float] = [value for value in values if is_number(value) and math.isfinite(value)]
    if not finite:
        return None
    return min(finite) if mode == "min" else max(finite)


def _best_report(reports: list[dict[str, Any]], metric: str, mode: str) -> dict[str, Any]:
    ranked = [report for report in reports if _score([report.get(metric)], mode, "last") is not None]
    if not ranked:
        return reports[-1] if reports else {}
    better = min if mode == "min" else max
    return better(ranked, key=lambda report: report[metric])
