"""Trials of one configuration as one row of the final table. Knows nothing of columns and widths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pytest_sweep.model import Trial, TrialState
from pytest_sweep.model.judging import mean_value
from pytest_sweep.model.spread import Spread, is_number, merged
from pytest_sweep.reporting.entry import TrialProgress
from pytest_sweep.reporting.progress import Progress
from pytest_sweep.space import without


@dataclass(slots=True, eq=False)
class ConfigurationProgress(TrialProgress):
    """What is known of the replicates of one configuration together, as if they were one trial.

    Replicates are trials with different seeds (``repeats=``), and trials that differ in what the sweep averages over.
    A column made for trials shows something sensible of it: `iteration`, `total_time`, `judged` and the numbers among `metrics` are
    means over those that ended well (`Spread`), of which `judged` is None if the sweep averages over something and not all trials
    have a value; other metrics are there where all agree. `state` is that of the first that ended
    well, else of the first that failed, else of the first; `attempt` the highest, `started` the earliest, `error` and `reason` the
    first there is; `gpus` and `threads` are those that all agree on; `location` is None. `trial` is the first one, with the name and the
    key of the configuration, and without the parameters that the sweep averages over.

    Attributes:
        replicates: the trials, in collection order.
    """

    replicates: tuple[TrialProgress, ...] = ()

    @property
    def states(self) -> tuple[TrialState, ...]:
        """The state of each of the trials."""
        return tuple(entry.state for entry in self.replicates)

    @property
    def ended_well(self) -> bool:
        """Whether any of the trials finished well."""
        return any(entry.ended_well for entry in self.replicates)

    @property
    def is_feasible(self) -> bool:
        """True: a trial that does not meet the conditions has no part in `judged`."""
        return True

    @classmethod
    def of(cls, replicates: Sequence[TrialProgress], *, with_metrics: bool = True) -> ConfigurationProgress:
        """Return what is known of `replicates`, of which there is at least one.

        Args:
            replicates: the trials of the configuration.
            with_metrics: whether all metrics are wanted, or only the value that it is judged by, which is quicker.
        """
        well = [entry for entry in replicates if entry.ended_well]
        failed = [entry for entry in replicates if entry.state is TrialState.ERROR]
        first = replicates[0]
        metrics = merged([entry.metrics for entry in well if entry.metrics is not None]) if with_metrics else {}
        return cls(
            trial=_configuration(first.trial),
            index=first.index,
            state=(*well, *failed, first)[0].state,
            iteration=_mean(entry.iteration for entry in well),
            total_time=_mean(entry.total_time for entry in well),
            metrics=metrics or None,
            error=next((entry.error for entry in replicates if entry.error is not None), None),
            reason=next((entry.reason for entry in replicates if entry.reason is not None), None),
            attempt=max(entry.attempt for entry in replicates),
            gpus=_same(entry.gpus for entry in replicates),
            threads=_same(entry.threads for entry in replicates),
            started=min((entry.started for entry in replicates if entry.started is not None), default=None),
            judged=mean_value(
                (entry.judged if entry.ended_well and entry.is_feasible else None for entry in replicates),
                whole=bool(first.trial.sweep.average_over),
            ),
            others=_others(replicates),
            replicates=tuple(replicates),
        )


def configurations(progress: Progress) -> list[TrialProgress]:
    """Return what each configuration is judged by, in order of first appearance; `complete` adds the metrics.

    One of several trials is a `ConfigurationProgress`, and so is each of a sweep that averages over something: its name is without that.
    One of a single trial of another sweep is that trial.
    """
    groups: dict[str, list[TrialProgress]] = {}
    for entry in progress:
        groups.setdefault(entry.trial.group_key, []).append(entry)
    if len(groups) == len(progress) and not any(sweep.average_over for sweep in progress.sweeps()):
        return list(progress)
    return [
        group[0]
        if len(group) == 1 and not group[0].trial.sweep.average_over
        else ConfigurationProgress.of(group, with_metrics=False)
        for group in groups.values()
    ]


def has_gaps(entry: TrialProgress) -> bool:
    """Return whether it is a configuration that is not judged because only some of the trials that it averages over have a value."""
    if not isinstance(entry, ConfigurationProgress) or not entry.trial.sweep.average_over or entry.judged is not None:
        return False
    return with_value(entry) > 0


def with_value(entry: ConfigurationProgress) -> int:
    """Return how many trials of a configuration ended well with a value of the metric."""
    return sum(one.ended_well and one.judged is not None for one in entry.replicates)


def complete(entry: TrialProgress) -> TrialProgress:
    """Return all that is known of a configuration. Of thousands that are ranked, it is asked for the few that are shown."""
    return ConfigurationProgress.of(entry.replicates) if isinstance(entry, ConfigurationProgress) else entry


def _configuration(trial: Trial) -> Trial:
    name, over = trial.configuration_name, trial.sweep.average_over
    if name == trial.name and not over:
        return trial
    config = without(trial.config, over) if over else trial.config
    return replace(trial, key=trial.group_key, name=name, id=f"{trial.id[: -len(trial.name)]}{name}", config=config)


def _others(replicates: Sequence[TrialProgress]) -> tuple[float | None, ...]:
    sweep = replicates[0].trial.sweep
    candidates = [entry.others if entry.ended_well and entry.is_feasible else () for entry in replicates]
    return tuple(
        mean_value((others[place] if others else None for others in candidates), whole=bool(sweep.average_over))
        for place in range(len(sweep.objectives[1:]))
    )


def _same(texts: Iterable[str]) -> str:
    found = set(texts)
    return found.pop() if len(found) == 1 else ""


def _mean(values: Iterable[object]) -> float | None:
    numbers = [value for value in values if is_number(value)]
    # What is the same for all stays as it is: a mean would make an integer a float.
    return numbers[0] if len(set(numbers)) == 1 else float(Spread.of(numbers)) if numbers else None
