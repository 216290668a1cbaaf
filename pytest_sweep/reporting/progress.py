"""What is known of every trial right now, kept up event by event. Knows no clock and nothing of how it is shown."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_sweep.model import Resources, Sweep, Trial, TrialState
from pytest_sweep.model.events import (
    Accepted,
    TrialFinished,
    TrialInterrupted,
    TrialNotRun,
    TrialReported,
    TrialRetried,
    TrialStarted,
)
from pytest_sweep.model.metrics import AUTO_METRICS

_LONGEST_TEXT_METRIC = 20


@dataclass(slots=True, eq=False)
class TrialProgress:
    """What is known of one trial right now.

    Attributes:
        trial: the trial.
        index: its place in collection order, from 0.
        state: what became of it so far.
        location: ``ip:pid`` of the worker that runs or ran it; None before it starts.
        iteration: the ``training_iteration`` of its last report, or None.
        total_time: seconds: the ``time_total_s`` of its last report; at the end the duration where there is none.
        metrics: what it reported last, in the end its final metrics; None while there are none.
        error: the text of its last failure, that of an attempt that is tried again included; or None.
        reason: why it was not run, or None.
        attempt: which execution of it this is, from 1.
        first_attempt: the first one of this run: more than 1 where an earlier run has begun it.
        gpus: the ``CUDA_VISIBLE_DEVICES`` that its worker has; "" where it has none, and before it starts.
        threads: its worker's ``OMP_NUM_THREADS``, likewise.
        started: when this attempt began, in seconds since the epoch; None before it does.
    """

    trial: Trial
    index: int
    state: TrialState = TrialState.PENDING
    location: str | None = None
    iteration: float | None = None
    total_time: float | None = None
    metrics: dict[str, Any] | None = None
    error: str | None = None
    reason: str | None = None
    attempt: int = 1
    started: float | None = None
    first_attempt: int = 1
    gpus: str = ""
    threads: str = ""

    @property
    def states(self) -> tuple[TrialState, ...]:
        """The state of each trial that it stands for: its own."""
        return (self.state,)

    def take_metrics(self, metrics: dict[str, Any] | None) -> None:
        """Replace the metrics, and the iteration and the time that they tell; None leaves all as it is."""
        if metrics is None:
            return
        self.metrics = metrics
        self.iteration = metrics.get("training_iteration", self.iteration)
        self.total_time = metrics.get("time_total_s", self.total_time)


class Progress:
    """What is known of each trial of a run right now.

    Every event costs the same however many trials there are, and so does each answer but iteration.

    Attributes:
        latest: the trial that reported or ended last, or None.
        asks_for_more: whether any trial asks for GPUs, or for more or less than one CPU.
    """

    def __init__(self, trials: Sequence[Trial] = ()) -> None:
        self.latest: TrialProgress | None = None
        self.asks_for_more = False
        self._entries: dict[str, TrialProgress] = {}
        self._by_state: dict[TrialState, dict[str, TrialProgress]] = {state: {} for state in TrialState}
        self._sweeps: dict[str, tuple[Sweep, TrialProgress]] = {}
        self._sweep_names: dict[str, set[str]] = {}
        self._metric_names: dict[str, None] = {}
        self._in_use = Resources(cpu=0.0)
        self.add(trials)

    def add(self, trials: Iterable[Trial]) -> None:
        """Take in more trials, as PENDING; one that is known already stays as it is."""
        for trial in trials:
            if trial.key in self._entries:
                continue
            entry = TrialProgress(trial, len(self._entries))
            self._entries[trial.key] = self._by_state[TrialState.PENDING][trial.key] = entry
            self.asks_for_more |= trial.resources.gpu > 0 or trial.resources.cpu != 1
            if trial.sweep.id not in self._sweeps:
                self._sweeps[trial.sweep.id] = (trial.sweep, entry)
                self._sweep_names.setdefault(trial.sweep.name, set()).add(trial.sweep.id)

    def go_on(self, attempts: Mapping[str, int]) -> None:
        """Take note of the attempts with which trials go on that an earlier run has begun, by their keys."""
        for key, attempt in attempts.items():
            entry = self._entries[key]
            entry.attempt = entry.first_attempt = attempt

    def update(self, event: Accepted) -> None:
        """Take in an event; one that is not about a trial's course changes nothing.

        Raises:
            KeyError: the event is about a trial that was never added.
        """
        match event:
            case TrialStarted():
                self._start(event)
            case TrialReported():
                self.latest = entry = self._entries[event.key]
                entry.take_metrics(event.metrics)
                self._note_metrics(event.metrics)
            case TrialFinished():
                self._finish(event)
            case TrialRetried():
                self._retry(event.failed)
            case TrialInterrupted():
                entry = self._entries[event.key]
                entry.reason = event.reason
                entry.take_metrics(event.metrics)
                self._move(entry, TrialState.INTERRUPTED)
            case TrialNotRun():
                entry = self._entries[event.key]
                entry.reason = event.reason
                self._move(entry, TrialState.NOT_RUN)

    def of(self, key: str) -> TrialProgress:
        """Return what is known of the trial with this key; KeyError where there is none."""
        return self._entries[key]

    def __iter__(self) -> Iterator[TrialProgress]:
        """Iterate over all trials in collection order."""
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def counts(self) -> dict[TrialState, int]:
        """Return how many trials are in each state, without the states that no trial is in."""
        return {state: len(entries) for state, entries in self._by_state.items() if entries}

    def running(self) -> list[TrialProgress]:
        """Return the trials that run now, the one that runs longest first."""
        return list(self.in_state(TrialState.RUNNING))

    def in_state(self, state: TrialState) -> Iterator[TrialProgress]:
        """Iterate over the trials in a state, the one that came to it first before the others."""
        return iter(self._by_state[state].values())

    def newest_in_state(self, state: TrialState) -> Iterator[TrialProgress]:
        """Iterate over the trials in a state, the one that came to it last before the others."""
        return reversed(self._by_state[state].values())

    def resources_in_use(self) -> Resources:
        """Return the sum of what the running trials hold."""
        return self._in_use

    def sweeps(self) -> list[Sweep]:
        """Return the sweeps of the run, in collection order."""
        return [sweep for sweep, _ in self._sweeps.values()]

    def counts_by_sweep(self) -> list[tuple[Sweep, dict[TrialState, int]]]:
        """Return how many trials of each sweep are in each state; looks at every trial."""
        counts: dict[str, Counter[TrialState]] = {sweep_id: Counter() for sweep_id in self._sweeps}
        for entry in self:
            counts[entry.trial.sweep.id][entry.state] += 1
        return [(sweep, dict(counts[sweep.id])) for sweep in self.sweeps()]

    def example_of(self, sweep: Sweep) -> TrialProgress:
        """Return the first trial of a sweep."""
        return self._sweeps[sweep.id][1]

    def metric_names(self, most: int) -> list[str]:
        """Return the names of up to `most` metrics that fit into a cell: those the sweeps are judged by, then the first reported.

        Not among them are Tune's automatic ones, and those that are lists, dicts, long strings or None.
        """
        metrics = [sweep.metric for sweep in self.sweeps() if sweep.metric is not None]
        judged = dict.fromkeys(name for name in metrics if name in self._metric_names or "/" in name)
        names = itertools.chain(judged, (name for name in self._metric_names if name not in judged))
        return list(itertools.islice(names, most))

    def label(self, trial: Trial) -> str:
        """Return the trial's name; its node id where another sweep of the run has the same name."""
        return trial.name if len(self._sweep_names.get(trial.sweep.name, ())) < 2 else trial.id

    def sweep_label(self, sweep: Sweep) -> str:
        """Return the sweep's name; its node id where another sweep of the run has the same name."""
        return sweep.name if len(self._sweep_names.get(sweep.name, ())) < 2 else sweep.id

    def _start(self, event: TrialStarted) -> None:
        entry = self._entries[event.key]
        entry.attempt, entry.started, entry.location = event.attempt, event.time, event.location
        entry.gpus, entry.threads = event.gpus, event.threads
        self._move(entry, TrialState.RUNNING)

    def _finish(self, event: TrialFinished) -> None:
        self.latest = entry = self._entries[event.key]
        entry.attempt, entry.error = event.attempt, event.error
        entry.take_metrics(event.metrics)
        if entry.total_time is None:
            entry.total_time = event.duration
        self._note_metrics(event.metrics or {})
        self._move(entry, event.state)

    def _retry(self, failed: TrialFinished) -> None:
        entry = self._entries[failed.key]
        entry.attempt, entry.error = failed.attempt + 1, failed.error
        # The next attempt shows its own numbers: beside those of a failed one, nobody could tell whose they are.
        entry.location = entry.iteration = entry.total_time = entry.metrics = entry.started = None
        entry.gpus = entry.threads = ""
        self._move(entry, TrialState.PENDING)

    def _move(self, entry: TrialProgress, state: TrialState) -> None:
        key, resources = entry.trial.key, entry.trial.holds
        if entry.state is TrialState.RUNNING:
            self._in_use = self._in_use.minus(resources)
        if state is TrialState.RUNNING:
            self._in_use = self._in_use.plus(resources)
        del self._by_state[entry.state][key]
        entry.state = state
        self._by_state[state][key] = entry

    def _note_metrics(self, metrics: Mapping[str, Any]) -> None:
        for name, value in metrics.items():
            if name not in self._metric_names and name not in AUTO_METRICS and _fits_a_cell(value):
                self._metric_names[name] = None


def failed_of(counts: Mapping[TrialState, int]) -> tuple[int, int]:
    """Return how many trials have failed, and how many have run to an end."""
    return counts.get(TrialState.ERROR, 0), sum(number for state, number in counts.items() if state.is_finished)


def _fits_a_cell(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= _LONGEST_TEXT_METRIC
    return isinstance(value, (bool, int, float))
