"""Trials of equal configurations as one row of the final table. Knows nothing of columns and widths."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_sweep.model import Trial, TrialState
from pytest_sweep.model.spread import Spread, is_number
from pytest_sweep.model.trials import name_without_replicate
from pytest_sweep.reporting.progress import Progress, TrialProgress
from pytest_sweep.reporting.rows import JUDGED


@dataclass(slots=True, eq=False)
class ConfigurationProgress(TrialProgress):
    """What is known of the replicates of one configuration together, as if they were one trial.

    So that a column made for trials shows something sensible of it: `iteration`, `total_time` and the numbers among `metrics` are
    means over those that ended well (`Spread`), other metrics are there where all agree. `state` is that of the first that ended
    well, else of the first that failed, else of the first; `attempt` the highest, `started` the earliest, `error` and `reason` the
    first there is; `gpus` and `threads` are those that all agree on; `location` is None.

    Attributes:
        replicates: the trials, in collection order.
    """

    replicates: tuple[TrialProgress, ...] = ()

    @property
    def states(self) -> tuple[TrialState, ...]:
        """The state of each of the trials."""
        return tuple(entry.state for entry in self.replicates)

    @classmethod
    def of(cls, replicates: Sequence[TrialProgress], only: Collection[str] | None = None) -> ConfigurationProgress:
        """Return what is known of `replicates`, of which there is at least one; of the metrics only these, if any are named."""
        well = [entry for entry in replicates if entry.state in JUDGED]
        failed = [entry for entry in replicates if entry.state is TrialState.ERROR]
        first = replicates[0]
        return cls(
            trial=_unnumbered(first.trial),
            index=first.index,
            state=(*well, *failed, first)[0].state,
            iteration=_mean(entry.iteration for entry in well),
            total_time=_mean(entry.total_time for entry in well),
            metrics=_merged([entry.metrics for entry in well if entry.metrics is not None], only) or None,
            error=next((entry.error for entry in replicates if entry.error is not None), None),
            reason=next((entry.reason for entry in replicates if entry.reason is not None), None),
            attempt=max(entry.attempt for entry in replicates),
            gpus=_same(entry.gpus for entry in replicates),
            threads=_same(entry.threads for entry in replicates),
            started=min((entry.started for entry in replicates if entry.started is not None), default=None),
            replicates=tuple(replicates),
        )


def configurations(progress: Progress) -> list[TrialProgress]:
    """Return what each configuration is judged by, in order of first appearance; `complete` adds the other metrics.

    One of several trials is a `ConfigurationProgress`, one of a single trial is that trial; without any replicates these are the trials.
    """
    groups: dict[str, list[TrialProgress]] = {}
    for entry in progress:
        groups.setdefault(entry.trial.group_key, []).append(entry)
    if len(groups) == len(progress):
        return list(progress)
    return [_entry_of(group) for group in groups.values()]


def complete(entry: TrialProgress) -> TrialProgress:
    """Return all that is known of a configuration. Of thousands that are ranked, it is asked for the few that are shown."""
    return ConfigurationProgress.of(entry.replicates) if isinstance(entry, ConfigurationProgress) else entry


def _entry_of(group: Sequence[TrialProgress]) -> TrialProgress:
    if len(group) == 1:
        return group[0]
    metric = group[0].trial.sweep.metric or ""
    # The first part of a nested metric's name leads to the dict that it is in.
    return ConfigurationProgress.of(group, (metric, metric.partition("/")[0]))


def _unnumbered(trial: Trial) -> Trial:
    name, node_id = (name_without_replicate(text, trial.replicate) for text in (trial.name, trial.id))
    return trial if name == trial.name else replace(trial, name=name, id=node_id)


def _same(texts: Iterable[str]) -> str:
    found = set(texts)
    return found.pop() if len(found) == 1 else ""


def _mean(values: Iterable[object]) -> float | None:
    numbers = [value for value in values if is_number(value)]
    # What is the same for all stays as it is: a mean would make an integer a float.
    return numbers[0] if len(set(numbers)) == 1 else float(Spread.of(numbers)) if numbers else None


def _merged(metrics: Sequence[Mapping[str, Any]], only: Collection[str] | None = None) -> dict[str, Any]:
    names = dict.fromkeys(name for one in metrics for name in one if only is None or name in only)
    return {name: _together([one[name] for one in metrics if name in one]) for name in names}


def _together(values: Sequence[Any]) -> Any:
    if numbers := [value for value in values if is_number(value)]:
        return numbers[0] if len(numbers) == 1 else Spread.of(numbers)
    if nested := [value for value in values if isinstance(value, Mapping)]:
        return _merged(nested)
    return values[0] if all(value == values[0] for value in values) else None
