"""What is known of every trial right now, kept up event by event. Knows no clock and nothing of how it is shown."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_sweep.model import Resources, Sweep, Trial, TrialState
from pytest_sweep.model.events import (
    Accepted,
    TrialConfigured,
    TrialFinished,
    TrialInterrupted,
    TrialJudged,
    TrialNotRun,
    TrialReported,
    TrialResumed,
    TrialRetried,
    TrialStarted,
)
from pytest_sweep.model.judging import last_value
from pytest_sweep.model.metrics import AUTO_METRICS, metric_value
from pytest_sweep.model.spread import judged_float
from pytest_sweep.model.study import VerdictKind
from pytest_sweep.reporting.entry import TrialProgress
from pytest_sweep.reporting.tally import Tally
from pytest_sweep.space import escaped

_LONGEST_TEXT_METRIC = 20
_DIGITS = 8


class Progress:
    """What is known of each trial of a run right now.

    Every event costs the same however many trials there are, and so does each answer but iteration.

    Attributes:
        latest: the trial that reported or ended last, or None.
        ended: the trials that have ended, in that order.
        began: when the first trial began, in seconds since the epoch; None before it does.
        asks_for_more: whether any trial asks for GPUs, or for more or less than one CPU.
    """

    def __init__(self, trials: Sequence[Trial] = ()) -> None:
        self.latest: TrialProgress | None = None
        self.ended: list[TrialProgress] = []
        self.began: float | None = None
        self.asks_for_more = False
        self._entries: dict[str, TrialProgress] = {}
        self._by_state: dict[TrialState, dict[str, TrialProgress]] = {state: {} for state in TrialState}
        self._sweeps: dict[str, Sweep] = {}
        self._sweep_names: dict[str, set[str]] = {}
        self._tallies: dict[str, Tally] = {}
        self._by_digits: dict[str, str] = {}
        self._crowded: set[str] = set()
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
                self._sweeps[trial.sweep.id] = trial.sweep
                self._tallies[trial.sweep.id] = Tally()
                self._sweep_names.setdefault(trial.sweep.name, set()).add(trial.sweep.id)
            tally = self._tallies[trial.sweep.id]
            tally.counts[TrialState.PENDING] += 1
            if trial.params:
                tally.note_params(trial)
            for key in {trial.key, trial.group_key}:
                if self._by_digits.setdefault(key[:_DIGITS], key) != key:
                    self._crowded.add(key[:_DIGITS])

    def go_on(self, attempts: Mapping[str, int]) -> None:
        """Take note of the attempts with which trials go on that an earlier run has begun, by their keys."""
        for key, attempt in attempts.items():
            entry = self._entries[key]
            entry.attempt = entry.first_attempt = attempt

    def recall(self, key: str, reports: Iterable[Mapping[str, Any]], checkpoint: int | None = None) -> None:
        """Take in by what an earlier run has reported a trial is judged, unless its final metrics tell it.

        Args:
            key: the trial.
            reports: the metrics that it reported, in order.
            checkpoint: the ``training_iteration`` of the checkpoint that it continues from: only reports up to it count.
        """
        entry, judged = self._entries[key], None
        others: tuple[float | None, ...] = ()
        for metrics in reports:
            if checkpoint is None or metrics.get("training_iteration", 0) <= checkpoint:
                judged = last_value(judged, metric_value(metrics, entry.trial.sweep.metric or ""))
                if judged is None:
                    entry.note_no_number(metrics)
                others = entry.others_after(others, metrics)
        entry.judged = last_value(judged, entry.judged)
        entry.others = entry.others_after(others, entry.metrics or {})
        if checkpoint is not None:
            entry.kept = checkpoint, entry.judged, entry.others

    def note_skipped(self, key: str, run: str) -> None:
        """Take note that a trial whose result is taken from `run` was skipped there, or failed as expected: it did not end well."""
        self._entries[key].reason = f"it was skipped in {run}"

    def update(self, event: Accepted) -> None:  # noqa: C901 - a case for each kind of event
        """Take in an event; one that is not about a trial's course changes nothing.

        Raises:
            KeyError: the event is about a trial that was never added.
        """
        match event:
            case TrialStarted():
                self._start(event)
            case TrialReported():
                self.latest = entry = self._entries[event.key]
                entry.take_report(event)
                self._note_metrics(entry, event.metrics)
            case TrialFinished():
                self._finish(event)
            case TrialRetried():
                self._retry(event.failed)
            case TrialInterrupted():
                entry = self._entries[event.key]
                entry.reason, entry.duration = event.reason, event.duration or 0.0
                entry.take_metrics(event.metrics)
                self._move(entry, TrialState.INTERRUPTED)
            case TrialNotRun():
                entry = self._entries[event.key]
                entry.reason = event.reason
                self._move(entry, TrialState.NOT_RUN)
            case TrialConfigured():
                entry = self._entries[event.key]
                entry.trial = event.proposed.applied_to(entry.trial)
            case TrialResumed() if event.resumption.config is not None:
                entry = self._entries[event.key]
                entry.trial = replace(entry.trial, config=event.resumption.config)
            case TrialJudged():
                if event.verdict is not None and event.verdict.kind is VerdictKind.STOP:
                    self._entries[event.key].stopped_by = event.verdict.reason

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
        return list(self._sweeps.values())

    def counts_by_sweep(self) -> list[tuple[Sweep, dict[TrialState, int]]]:
        """Return how many trials of each sweep are in each state, without the states that none is in."""
        return [(sweep, dict(+self._tallies[sweep.id].counts)) for sweep in self.sweeps()]

    def tally_of(self, sweep: Sweep) -> Tally:
        """Return what is known of the trials of a sweep together."""
        return self._tallies[sweep.id]

    def metric_names(self, most: int, sweeps: Sequence[Sweep] | None = None) -> list[str]:
        """Return the names of up to `most` metrics that fit into a cell: those the sweeps are judged by, then the first reported.

        Not among them are Tune's automatic ones, and those that are lists, dicts, long strings or None.

        Args:
            most: how many.
            sweeps: whose metrics; None takes all sweeps.
        """
        sweeps = self.sweeps() if sweeps is None else sweeps
        reported = {name: None for sweep in sweeps for name in self._tallies[sweep.id].metric_names}
        metrics = [goal.metric for sweep in sweeps for goal in sweep.goals]
        judged = dict.fromkeys(name for name in metrics if name in reported or "/" in name)
        names = itertools.chain(judged, (name for name in reported if name not in judged))
        return list(itertools.islice(names, most))

    def label(self, trial: Trial) -> str:
        """Return the trial's name; its node id where another sweep of the run has the same name."""
        # An id begins with the path of a file, which may be called anything.
        return trial.name if len(self._sweep_names.get(trial.sweep.name, ())) < 2 else escaped(trial.id)

    def short_label(self, trial: Trial) -> str:
        """Return the first 8 digits of the trial's key, all 16 where another trial's begin alike; ``-k`` takes them."""
        digits = trial.key[:_DIGITS]
        return trial.key if digits in self._crowded else digits

    def short_name(self, trial: Trial) -> str:
        """Return the sweep's name and the first digits of the trial's key, ``train_1242e7e6``; ``-k`` takes it."""
        return f"{trial.sweep.name}_{self.short_label(trial)}"

    def sweep_label(self, sweep: Sweep) -> str:
        """Return the sweep's name; its node id where another sweep of the run has the same name."""
        return sweep.name if len(self._sweep_names.get(sweep.name, ())) < 2 else escaped(sweep.id)

    def _start(self, event: TrialStarted) -> None:
        entry = self._entries[event.key]
        entry.attempt, entry.started, entry.location = event.attempt, event.time, event.location
        entry.gpus, entry.threads = event.gpus, event.threads
        if self.began is None:
            self.began = event.time
        self._move(entry, TrialState.RUNNING)

    def _finish(self, event: TrialFinished) -> None:
        self.latest = entry = self._entries[event.key]
        entry.duration = event.duration
        if event.state is TrialState.PAUSED:
            self._pause(entry, event)
            return
        self.ended.append(entry)
        entry.take_metrics(event.metrics)
        if event.state is not TrialState.ERROR and event.error is not None:  # The engine has ended it, and says why.
            entry.reason = event.error if event.state is TrialState.SKIPPED else entry.reason
            entry.stopped_by = event.error if event.state is TrialState.STOPPED else entry.stopped_by
        else:
            entry.attempt, entry.error = event.attempt, event.error
            if entry.total_time is None or event.state is TrialState.ERROR:
                # It may have failed long after its last report, which may count the time of earlier legs.
                entry.total_time = max(event.duration, judged_float(entry.total_time))
        if entry.started is not None:  # What was taken from an earlier run tells nothing of how long this one takes.
            self._tallies[entry.trial.sweep.id].lengths.add(event.duration)
        self._note_metrics(entry, event.metrics or {})
        self._move(entry, event.state)

    def _pause(self, entry: TrialProgress, event: TrialFinished) -> None:
        entry.take_metrics(event.metrics)
        # The next leg is no second try, and its time adds to that of this one.
        entry.attempt, entry.first_attempt, entry.started = event.attempt, entry.first_attempt + 1, None
        self._tallies[entry.trial.sweep.id].lengths.lose(event.duration)
        self._move(entry, TrialState.PAUSED)

    def _retry(self, failed: TrialFinished) -> None:
        entry = self._entries[failed.key]
        entry.attempt, entry.error = failed.attempt + 1, failed.error
        self._tallies[entry.trial.sweep.id].lengths.lose(failed.duration)
        # The next attempt shows its own numbers: beside those of a failed one, nobody could tell whose they are.
        entry.location = entry.iteration = entry.total_time = entry.metrics = entry.started = None
        entry.gpus = entry.threads = ""
        _, entry.judged, entry.others = entry.kept or (0, None, ())
        self._move(entry, TrialState.PENDING)

    def _move(self, entry: TrialProgress, state: TrialState) -> None:
        key, resources = entry.trial.key, entry.trial.holds
        if entry.state is TrialState.RUNNING:
            self._in_use = self._in_use.minus(resources)
        if state is TrialState.RUNNING:
            self._in_use = self._in_use.plus(resources)
        del self._by_state[entry.state][key]
        counts = self._tallies[entry.trial.sweep.id].counts
        counts[entry.state] -= 1
        counts[state] += 1
        entry.state = state
        self._by_state[state][key] = entry

    def _note_metrics(self, entry: TrialProgress, metrics: Mapping[str, Any]) -> None:
        names = self._tallies[entry.trial.sweep.id].metric_names
        for name, value in metrics.items():
            if name not in names and name not in AUTO_METRICS and _fits_a_cell(value):
                names[name] = None


def failed_of(counts: Mapping[TrialState, int]) -> tuple[int, int]:
    """Return how many trials have failed, and how many have run to an end."""
    return counts.get(TrialState.ERROR, 0), sum(number for state, number in counts.items() if state.is_finished)


def _fits_a_cell(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= _LONGEST_TEXT_METRIC
    return isinstance(value, (bool, int, float))
