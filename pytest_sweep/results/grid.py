"""The results of one sweep, and questions to them: which is best, all as a table. Knows nothing of runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from pytest_sweep.errors import MissingExtraError, NoResultsError
from pytest_sweep.model import TrialState
from pytest_sweep.model.judging import SCOPES, Goal
from pytest_sweep.results.aggregate import aggregated
from pytest_sweep.results.asking import By, Mode, Scope, asked_goal, check_by, either
from pytest_sweep.results.best import Best, best_of, configuration_results, front_of, no_best_text
from pytest_sweep.results.errors import QueryError
from pytest_sweep.results.frame import best_report_rows, configuration_rows, report_rows, trial_rows
from pytest_sweep.results.result import Result
from pytest_sweep.space import escaped

__tracebackhide__ = True  # What a user reported or asked wrongly is shown at the line that did so.

if TYPE_CHECKING:
    import pandas as pd


class ResultGrid(Sequence[Result]):
    """The results of one sweep's trials, in the order of their collection. The names are Ray Tune's (``tune.ResultGrid``).

    A sequence: ``len(grid)``, ``grid[0]``, ``for result in grid``; a slice is a ResultGrid too. It can be copied and pickled, as
    each `Result` can.

    Attributes:
        sweep: the node id of the sweep.
        metric: the metric that its trials are judged by, or None.
        mode: ``"min"`` or ``"max"``: which value of the metric is best.
        average_over: the parameters that the sweep averages over, for cross-validation and the like; empty where it has none.
        objectives: pairs of metric and mode: all that its trials are judged by. Empty where it has no metric.
        feasible: the conditions that a trial must meet to be the best: ``("memory < 8e9",)``.
    """

    def __init__(
        self,
        results: Iterable[Result],
        *,
        sweep: str,
        metric: str | None = None,
        mode: str = "max",
        average_over: Sequence[str] = (),
        objectives: Sequence[tuple[str, str]] = (),
        feasible: Sequence[str] = (),
    ) -> None:
        self._results = tuple(results)
        self.average_over = tuple(average_over)
        self.sweep = sweep
        self.metric = metric
        self.mode = mode
        own = () if metric is None else ((metric, mode),)
        self.objectives = tuple((name, how) for name, how in objectives) or own
        self.feasible = tuple(feasible)

    def __len__(self) -> int:
        return len(self._results)

    @overload
    def __getitem__(self, index: int) -> Result: ...

    @overload
    def __getitem__(self, index: slice) -> ResultGrid: ...

    def __getitem__(self, index: int | slice) -> Result | ResultGrid:
        if isinstance(index, slice):
            return ResultGrid(
                self._results[index],
                sweep=self.sweep,
                metric=self.metric,
                mode=self.mode,
                average_over=self.average_over,
                objectives=self.objectives,
                feasible=self.feasible,
            )
        return self._results[index]

    def __repr__(self) -> str:
        states = Counter(str(result.state) for result in self)
        counts = "".join(f", {count} {state}" for state, count in states.most_common())
        goal = "" if self.metric is None else f", {self.mode} {escaped(self.metric)}"
        noun = "trial" if len(self) == 1 else "trials"
        return f"<ResultGrid {escaped(self.sweep)}: {len(self)} {noun}{counts}{goal}>"

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
        return sum(result.ended_well for result in self)

    def get_best_result(
        self,
        metric: str | None = None,
        mode: Mode | None = None,
        scope: Scope = "last",
        filter_nan_and_inf: bool = True,
        *,
        by: By = "configuration",
        include_failed: bool = False,
    ) -> Result:
        """Return the result that is best by a metric; of equals, the first.

        Candidates are trials that ended well: TERMINATED, STOPPED or CACHED. One that failed, also as a mark expected it to (xfail), is
        a candidate only with `include_failed`, also where its result was taken by ``--sweep-resume``; one that is still running, was cut
        off or did not run never is.

        In a sweep with ``average_over=``, a configuration is a candidate only if all its trials ended well and have a value, as in
        scikit-learn's ``GridSearchCV``; with `include_failed` it is one by what there is.

        If a configuration has several trials (``repeats=``, ``average_over=``), it is judged by the mean over its candidates, and
        is returned as one result: `metrics` are the means over the candidates (a value that is no number is there if all agree, else
        None), `name` and `config` are those of the configuration, and `replicates` are all its results. What only a single trial has,
        such as `checkpoint`, `path`, `seed`, `key`, `trial_id` and `metrics_history`, is that of its best replicate.

        Args:
            metric: the metric; default the sweep's. A nested one is named with slashes: ``"val/loss"``.
            mode: ``"min"`` or ``"max"``; default the sweep's, if `metric` is the sweep's.
            scope: which values of a trial count, as in Tune: ``"last"`` (the default) the last finite one that it reported, also if
                later reports lack the metric; ``"avg"`` the mean of all; ``"last-5-avg"`` and ``"last-10-avg"`` the mean of the
                last 5 or 10; ``"all"`` the best one.
            filter_nan_and_inf: whether what is judged by NaN or an infinity is never the best; default True. With False infinities count
                as the numbers that they are, and NaN is best only if there is nothing else.
            by: ``"configuration"`` (the default), or ``"replicate"`` to judge each trial by itself and return the best single one.
            include_failed: whether trials that failed are candidates; default False.

        Raises:
            QueryError: the sweep has no metric and none was given, no mode for another metric, or a misspelt argument.
            NoResultsError: no candidate has such a value.
            StoreError: the history cannot be read.

        Example::

            best = sweep_results["train_model"].get_best_result("val/loss", "min", scope="last-5-avg")
            print(best.config, best.metrics["val"]["loss"], len(best.replicates))
        """
        name, how = self._goal(metric, mode)
        if scope not in SCOPES:
            raise QueryError(f"scope={scope!r}: choose {either(SCOPES)}")
        goal = Goal(name, how, scope, filter_nan_and_inf, include_failed, self.feasible)
        return self._best(goal, by).result

    def get_best_results(self) -> list[Result]:
        """Return the Pareto front: the results than which no other is as good in all metrics of the sweep and better in one.

        With a single metric these are the best result and its equals. Candidates are as for `get_best_result`: trials that ended well, with
        a finite value of each metric, that meet ``feasible=``; replicates are judged by their means, and returned as one result.

        Returns:
            The results, in the order of their collection. Never empty.

        Raises:
            QueryError: the sweep has no metric.
            NoResultsError: there is no candidate.
            StoreError: the history cannot be read.

        Example::

            for result in load_results()["train_model"].get_best_results():
                print(result.config, result.metrics["loss"], result.metrics["latency"])
        """
        if not self.objectives:
            raise QueryError(f"{self.sweep} has no metric, so no result is better than another: give metric= and mode=")
        front = front_of(self._results, self.objectives, self.average_over, self.feasible)
        if not front:
            goals = [Goal(*objective, feasible=self.feasible) for objective in self.objectives]
            missing = (goal for goal in goals if best_of(self._results, goal, self.average_over) is None)
            raise NoResultsError(no_best_text(self._results, next(missing, goals[0]), self.sweep, self.average_over))
        return front

    @property
    def best_params(self) -> dict[str, Any]:
        """The parameters of the best configuration: its `config` and its `params`. The name is Optuna's (``study.best_params``).

        Raises:
            QueryError, NoResultsError, StoreError: as for `get_best_result`.
        """
        best = self.get_best_result()
        return {**best.config, **best.params}

    @property
    def best_value(self) -> float:
        """The value that the best configuration is judged by, a mean if it has replicates. The name is Optuna's (``study.best_value``).

        Raises:
            QueryError, NoResultsError, StoreError: as for `get_best_result`.
        """
        return self._best(Goal(*self._goal(None, None), feasible=self.feasible), "configuration").value

    def aggregate(self) -> list[dict[str, Any]]:
        """Return one record for each configuration, over its replicates, in order of first appearance.

        Replicates are trials of equal configurations, which differ in their seed (``repeats=``) or in what the sweep averages over
        (``average_over=``). The records are flat dicts, so that ``pandas.DataFrame(grid.aggregate())`` is a table. Each has, in this order:

        * ``name``: the name of the configuration: that of its trials, without the ``#2`` of a further replicate.
        * ``trials``: how many replicates there are among these results.
        * ``done``: how many of them finished well, as `num_terminated` counts them. Only these are in what follows.
        * ``<metric>/mean`` and ``<metric>/std`` for each final metric that is a number; nested ones are joined by slashes, as in
          `get_dataframe`. The mean is the arithmetic one (``statistics.fmean``), the standard deviation that of a sample, with
          n - 1 in its denominator (``statistics.stdev``), None for a single value. A replicate without the metric, or with
          one that is no number, is left out of it. A NaN makes both NaN; an infinity makes the deviation NaN. Of the sweep's own metric
          it is the values that `get_best_result` judges by. Of Tune's automatic metrics there are ``training_iteration`` and
          ``time_total_s``.
        * ``config/<name>``: the configuration, and ``params/<name>``: the values of stacked ``parametrize`` and parametrized fixtures;
          both without what the sweep averages over.

        A configuration of which no replicate finished well has a record without metrics. In a sweep with ``average_over=``, the mean
        and the deviation of the sweep's metric are None unless all trials of the configuration finished well and have a value.

        Raises:
            StoreError: a history that is needed cannot be read.
        """
        goal = None if self.metric is None else Goal(self.metric, self.mode)
        return aggregated(self, self.average_over, goal)

    def get_dataframe(
        self,
        filter_metric: str | None = None,
        filter_mode: Mode | None = None,
        *,
        all_reports: bool = False,
        by: By | None = None,
    ) -> pd.DataFrame:
        """Return a pandas data frame with one row a trial, in order.

        Its columns are ``trial_id``, ``name``, ``state``, ``seed``, ``replicate``, the metrics, the configuration as ``config/lr``, and as
        ``params/fold`` the values of stacked ``parametrize`` and of parametrized fixtures; nested names are joined by slashes. A trial
        without metrics has a row too. A metric with the name of another column becomes ``metrics/<name>``.

        If the sweep has ``average_over=``, or with ``by="configuration"``, there is one row a configuration, with the means that
        `get_best_result` returns: ``name``, ``state``, ``replicates`` (how many), ``done`` (how many of them finished well), the metrics,
        the configuration. With ``average_over=`` the sweep's metric is missing where not all trials finished well with a value of it.

        Args:
            filter_metric: take each trial's metrics from the report that was best by this metric; default its final metrics.
            filter_mode: ``"min"`` or ``"max"``; default the sweep's, if `filter_metric` is the sweep's.
            all_reports: one row for each report of each trial, in order, instead of one for each trial; default False.
            by: ``"replicate"``, one row a trial, or ``"configuration"``. Default None: ``"configuration"`` if the sweep has
                ``average_over=`` and neither a filter nor `all_reports` is given, else ``"replicate"``.

        Raises:
            MissingExtraError: pandas is not installed.
            QueryError: as for `get_best_result`; or `all_reports` with a filter, or one of them with ``by="configuration"``.
            StoreError: a history that is needed cannot be read.

        Example::

            curves = load_results()["train_model"].get_dataframe(all_reports=True)
            curves.pivot(index="training_iteration", columns="name", values="loss").plot()
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingExtraError("pandas", "pandas", "get_dataframe()") from error
        is_filtered = filter_metric is not None or filter_mode is not None
        if all_reports and is_filtered:
            raise QueryError("all_reports=True and filter_metric= contradict each other: give one of them")
        if by == "configuration" and (all_reports or is_filtered):
            raise QueryError("by='configuration' averages final metrics: leave out all_reports= and filter_metric=")
        check_by(by or "replicate")
        if all_reports:
            return pd.DataFrame(report_rows(self))
        if is_filtered:
            return pd.DataFrame(best_report_rows(self, Goal(*self._goal(filter_metric, filter_mode))))
        if by == "configuration" or (by is None and self.average_over):
            goal = None if self.metric is None else Goal(self.metric, self.mode)
            return pd.DataFrame(configuration_rows(configuration_results(self._results, self.average_over, goal)))
        return pd.DataFrame(trial_rows(self))

    def _best(self, goal: Goal, by: str) -> Best:
        check_by(by)
        best = best_of(self._results, goal, self.average_over, each=by == "replicate")
        if best is None:
            raise NoResultsError(no_best_text(self._results, goal, self.sweep, self.average_over))
        return best

    def _goal(self, metric: str | None, mode: str | None) -> tuple[str, str]:
        return asked_goal(self, metric, mode)
