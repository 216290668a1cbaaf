"""Tells searchers what an earlier run has found, before they choose anything (``--sweep-warm``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sweep.errors import SpaceError, SweepError
from pytest_sweep.model.metrics import metric_value
from pytest_sweep.model.spread import judged_float
from pytest_sweep.model.study import OUTCOMES, Milestones, Observation, Outcome
from pytest_sweep.model.trials import Trial, TrialState

if TYPE_CHECKING:  # Imports the database, which only a session that is warmed needs that early.
    from pytest_sweep.engine.study import Study
    from pytest_sweep.results import Result, SweepResults
    from pytest_sweep.search.space import SearchSpace


class WarmStart:
    """The results of an earlier run, for searchers.

    Args:
        run: the name or the folder of the run, or ``"last"``.
        results_dir: the folder for results.

    Raises:
        pytest.UsageError: there is no such run, or it cannot be read.
    """

    def __init__(self, run: str, results_dir: Path) -> None:
        from pytest_sweep.results import load_results
        from pytest_sweep.results.finding import find_run

        try:
            folder = find_run(run, results_dir)
            self._results: SweepResults = load_results(folder)
        except SweepError as error:
            raise pytest.UsageError(f"--sweep-warm: {error}") from error
        self._run = folder.name

    def tell(self, study: Study, trial: Trial, space: SearchSpace) -> str:
        """Tell the searcher of a study the trials of the run that the study could have had; return what is to be said of it.

        Args:
            study: the study.
            trial: one of its trials.
            space: what there is to choose.

        Raises:
            pytest.UsageError: the run has no such sweep, or the searcher cannot take it.
        """
        recall: Callable[[Mapping[str, Any], Observation], None] | None = getattr(study.searcher, "recall", None)
        if recall is None:
            raise pytest.UsageError(
                f"--sweep-warm: the searcher {trial.sweep.search} of {study.name} takes no earlier results: it has no method recall(). "
                "Choose another one with --sweep-search, or leave out --sweep-warm"
            )
        try:
            results = self._results[trial.sweep.id]
        except SweepError as error:
            raise pytest.UsageError(f"--sweep-warm: the run {self._run}: {error}") from error
        told = left_out = 0
        made_as = self._made_as(results)
        for result in results:
            if result.stored_params != dict(trial.params) or result.state not in OUTCOMES:
                continue
            try:
                values = space.values_of(result.config)
            except SpaceError:  # The space was another one then.
                left_out += 1
                continue
            for observation in _observations(result, study, made_as.get(result.key, result.state)):
                recall(values, observation)
            told += 1
        rest = f", without {left_out} whose values the space does not have" if left_out else ""
        return f"sweep: {study.name}: {trial.sweep.search} is told {told} {'trial' if told == 1 else 'trials'} of the run {self._run}{rest}"

    def _made_as(self, results: Sequence[Result]) -> Mapping[str, TrialState]:
        """Return as what those trials ended where they ran whose results the run has only taken."""
        from pytest_sweep.store import made_as

        cached = [result for result in results if result.state is TrialState.CACHED]
        found = {result.key: TrialState.SKIPPED for result in cached if result.reason is not None}
        for folder in {result.run_path for result in cached}:
            found |= made_as(
                folder, [result.key for result in cached if result.run_path == folder and result.reason is None]
            )
        return found


def _observations(result: Result, study: Study, state: TrialState) -> Iterator[Observation]:
    """Yield what the study would have observed of a trial that ended in a state: at each milestone, and at its end."""
    # Not the key of today's trial in the same slot, which is another one.
    key = f"{result.run_path.name}/{result.key}"
    reports = result.metrics_history
    milestones = _milestones(study)
    for metrics in reports[:-1]:
        if milestones is not None and milestones.include(metrics.get("training_iteration", 0)):
            yield _observation(key, metrics, study, Outcome.REPORTED)
    outcome = OUTCOMES[state]
    last = reports[-1] if reports else {}
    is_whole = study.max_t is not None and last.get("training_iteration", 0) >= study.max_t
    yield _observation(key, last, study, Outcome.COMPLETED if outcome is Outcome.STOPPED and is_whole else outcome)


def _milestones(study: Study) -> Milestones | None:
    if study.scheduler is None or not study.keys:
        return None
    return study.scheduler.milestones(study.keys[0])


def _observation(key: str, metrics: Mapping[str, Any], study: Study, outcome: Outcome) -> Observation:
    values = tuple(judged_float(metric_value(metrics, goal.metric)) for goal in study.objectives)
    iteration = metrics.get("training_iteration", 0)
    return Observation(key, iteration, values, outcome, study.constraints(metrics))


def warm_searchers(
    run: str, results_dir: Path, studies: Sequence[tuple[Study, Trial, SearchSpace | None]], tell: Callable[[str], None]
) -> None:
    """Tell the searchers of these studies what the run has found.

    Args:
        run: the name or the folder of the run, or ``"last"``.
        results_dir: the folder for results.
        studies: each study with one of its trials, and with what there is to choose, if anything is.
        tell: takes a line for people.

    Raises:
        pytest.UsageError: it cannot be.
    """
    searched = [(study, trial, space) for study, trial, space in studies if space is not None]
    if not searched:
        raise pytest.UsageError(
            "--sweep-warm is for sweeps whose configurations are chosen while they run, and none is selected: add search=tpe() to one, or "
            "--sweep-search=tpe"
        )
    warm = WarmStart(run, results_dir)
    for study, trial, space in searched:
        tell(warm.tell(study, trial, space))
