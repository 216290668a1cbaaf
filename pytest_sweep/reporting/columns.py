"""The columns of the trial tables, as data that a hook may change. Knows nothing of widths and lines."""

from __future__ import annotations

import collections
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_sweep.model import Sweep, Trial, TrialState
from pytest_sweep.model.metrics import metric_value
from pytest_sweep.model.waiting import Waiting
from pytest_sweep.reporting.entry import TrialProgress
from pytest_sweep.reporting.front import fronts
from pytest_sweep.reporting.progress import Progress
from pytest_sweep.reporting.replicates import has_gaps
from pytest_sweep.reporting.rows import ENDED_WELL, counts_text
from pytest_sweep.space import flatten, restored

_MOST_METRICS = 4
_STATUS_ORDER = (*ENDED_WELL, *(state for state in TrialState if state not in ENDED_WELL))


@dataclass
class Column:
    """One column of the tables of trials.

    `pytest_sweep_status_columns(columns)` gets the list of them, for each table, and may change it in place, for example in a
    ``conftest.py``::

        def pytest_sweep_status_columns(columns):
            columns.append(Column("attempt", lambda progress: progress.attempt))
            columns[:] = [column for column in columns if column.name != "loc"]

    Attributes:
        name: what stands above it.
        value: gets what is known of a trial (`TrialProgress`) and returns what its cell shows. Floats are shown with 6 significant
            digits, None as an empty cell; where it raises, the cell names the exception. A column of empty cells is left out.
            In the final table of a run with replicates it gets what is known of a configuration, in the same shape: numbers are
            means over the trials that ended well, and those among the metrics have a ``std`` and are shown with it.
        priority: on a narrow terminal the column with the lowest one goes first, of equal ones the rightmost. The column with the
            highest one stays; `short` makes it fit. The defaults are: trial name 100, status 90, metrics that a sweep is judged by
            and the first one 88, varying parameters 85, iter 70, total time 60, gpus 45, what a trial waits for 43, threads 42,
            loc 40, other metrics 30. Columns up to 60 go before names of trials are replaced by `short`.
        short: like `value`, for where the table is too wide; asked only for the column with the highest priority. None has no
            shorter form.
    """

    name: str
    value: Callable[[TrialProgress], object]
    priority: int = 50
    short: Callable[[TrialProgress], object] | None = None


def default_columns(
    progress: Progress, waiting: Waiting | None = None, sweeps: Sequence[Sweep] | None = None
) -> list[Column]:
    """Return the columns that fit these trials: name, parameters that vary, status, loc, iteration, time and up to 4 metrics.

    Parameters are those of the configuration, then those of stacked ``parametrize`` and parametrized fixtures.
    Where trials ask for GPUs, or for other than one CPU, also what was granted. In sweeps with several metrics the column ``best`` has
    a star for each trial that none beats.

    Args:
        progress: what is known of the trials.
        waiting: what the trials wait for that wait; None leaves this column out.
        sweeps: the sweeps of the table; None takes all.
    """
    sweeps = progress.sweeps() if sweeps is None else sweeps
    judged = {goal.metric for sweep in sweeps for goal in sweep.goals}
    return [
        Column("Trial name", lambda entry: progress.label(entry.trial), 100, _short_name(progress, sweeps)),
        *_front_columns(progress, sweeps),
        *(Column(key, _parameter(key), 85) for key in _varying(progress, sweeps)),
        Column("status", status_text, 90),
        *([] if waiting is None else [Column("waits for", _wait(waiting), 43)]),
        Column("loc", lambda entry: entry.location, 40),
        *(_grant_columns() if progress.asks_for_more else []),
        Column("iter", lambda entry: entry.iteration, 70),
        Column("total time (s)", _time, 60),
        *(
            Column(name, _metric(name), 88 if name in judged or not position else 30)
            for position, name in enumerate(progress.metric_names(_MOST_METRICS, sweeps))
        ),
    ]


def _front_columns(progress: Progress, sweeps: Sequence[Sweep]) -> list[Column]:
    found = fronts(progress, sweeps)
    if not found:
        return []
    keys = {entry.trial.key for front in found.values() for entry in front}
    return [Column("best", lambda entry: "*" if entry.trial.key in keys else None, 87)]


def status_text(entry: TrialProgress) -> str:
    """Return the state of a trial, or how many trials of a configuration are in which: ``4 TERMINATED, 1 ERROR``."""
    states = entry.states
    return entry.state.value if len(states) == 1 else counts_text(collections.Counter(states), _STATUS_ORDER)


def _time(entry: TrialProgress) -> float | None:
    # Below a second nobody reads digits beyond the tenth of a millisecond: 0.0001, not 0.000104277.
    time = entry.total_time
    return time if time is None or time >= 1 else round(time, 4)


def _short_name(progress: Progress, sweeps: Sequence[Sweep]) -> Callable[[TrialProgress], str]:
    """Return what stands for a name that does not fit: digits of the key, which ``-k`` takes, after the sweep's name if needed."""
    if len(sweeps) == 1:
        return lambda entry: progress.short_label(entry.trial)
    return lambda entry: progress.short_name(entry.trial)


def _wait(waiting: Waiting) -> Callable[[TrialProgress], object]:
    def value(entry: TrialProgress) -> object:
        wait = waiting.of(entry.trial.key)
        return None if wait is None else wait.what

    return value


def _grant_columns() -> list[Column]:
    return [
        # Where no GPU was asked for, the variable says nothing of what was granted.
        Column("gpus", lambda entry: entry.gpus or None if entry.trial.resources.gpu else None, 45),
        Column("threads", lambda entry: int(entry.threads) if entry.threads.isdigit() else entry.threads or None, 42),
    ]


def varying_params(progress: Progress, trial: Trial) -> dict[str, Any]:
    """Return those values of stacked ``parametrize`` and parametrized fixtures that vary within the trial's sweep."""
    names = progress.tally_of(trial.sweep).varying
    return {name: restored(trial.params[name]) for name in names if name in trial.params}


def _varying(progress: Progress, sweeps: Sequence[Sweep]) -> list[str]:
    keys = [key for sweep in sweeps for key in sweep.varying]
    return list(dict.fromkeys([*keys, *(name for sweep in sweeps for name in progress.tally_of(sweep).varying)]))


def _parameter(key: str) -> Callable[[TrialProgress], object]:
    def value(entry: TrialProgress) -> object:
        config = flatten(entry.trial.config)
        if key in config or key not in entry.trial.params:
            return config.get(key)
        return restored(entry.trial.params[key])

    return value


def _metric(name: str) -> Callable[[TrialProgress], object]:
    def value(entry: TrialProgress) -> object:
        # The last report may lack what the trial is judged by, and the table should show what the best one was chosen by.
        if name == entry.trial.sweep.metric and (entry.judged is not None or has_gaps(entry)):
            return entry.judged
        for goal, value in zip(entry.trial.sweep.objectives[1:], entry.others, strict=False):
            if goal.metric == name and value is not None:
                return value
        return metric_value(entry.metrics, name)

    return value
