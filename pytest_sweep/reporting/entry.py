"""What is known of one trial right now. Knows nothing of other trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_sweep.model import Trial, TrialState
from pytest_sweep.model.events import TrialReported
from pytest_sweep.model.judging import ended_well, last_value, no_number_text
from pytest_sweep.model.metrics import metric_value
from pytest_sweep.model.spread import is_finite
from pytest_sweep.space import feasibility


@dataclass(slots=True, eq=False)
class TrialProgress:
    """What is known of one trial right now.

    Attributes:
        trial: the trial.
        index: its place in collection order, from 0.
        state: what became of it so far.
        location: the worker that runs or ran it: ``ip:pid`` on Ray, else ``host:pid``; None before it starts.
        iteration: the ``training_iteration`` of its last report, or None.
        total_time: seconds: the ``time_total_s`` of its last report; at the end the duration where there is none.
        duration: how many seconds its last attempt took; 0 until one has ended.
        metrics: what it reported last, in the end its final metrics; None while there are none.
        error: the text of its last failure, that of an attempt that is tried again included; or None.
        reason: why it was not run, or None. If its result was taken, a reason says that it was skipped when it ran.
        attempt: which execution of it this is, from 1.
        first_attempt: the first one of this run: more than 1 where an earlier run has begun it.
        gpus: the ``CUDA_VISIBLE_DEVICES`` that its worker has; "" where it has none, and before it starts.
        threads: its worker's ``OMP_NUM_THREADS``, likewise.
        judged: the value of its sweep's metric that it is judged by: the last finite one that it reported, else the last number; or None.
        others: likewise the values of its sweep's further metrics; empty where the sweep has none, or nothing was reported yet.
        no_number: what it reported last as that metric that is no number: ``a list``; "" where it reported nothing like that.
        kept: the ``training_iteration`` of its newest checkpoint, with `judged` and `others` at that time; None without a checkpoint.
        started: when this attempt began, in seconds since the epoch; None before it does.
        stopped_by: why its scheduler has stopped it: ``asha: 0.51 at iteration 3, needed 0.42 of 9``; "" where it has not.
    """

    trial: Trial
    index: int
    state: TrialState = TrialState.PENDING
    location: str | None = None
    iteration: float | None = None
    total_time: float | None = None
    duration: float = 0.0
    metrics: dict[str, Any] | None = None
    error: str | None = None
    reason: str | None = None
    attempt: int = 1
    started: float | None = None
    first_attempt: int = 1
    gpus: str = ""
    threads: str = ""
    judged: float | None = None
    others: tuple[float | None, ...] = ()
    no_number: str = ""
    kept: tuple[int, float | None, tuple[float | None, ...]] | None = None
    stopped_by: str = ""

    @property
    def states(self) -> tuple[TrialState, ...]:
        """The state of each trial that it stands for: its own."""
        return (self.state,)

    @property
    def ended_well(self) -> bool:
        """Whether it finished well."""
        return ended_well(self.state, self.reason)

    @property
    def is_judged(self) -> bool:
        """Whether it has a finite value of all that it is judged by."""
        return len(self.others) == max(len(self.trial.sweep.objectives) - 1, 0) and all(
            value is not None and is_finite(value) for value in (self.judged, *self.others)
        )

    @property
    def is_feasible(self) -> bool:
        """Whether it meets the conditions that its sweep has for the best trial."""
        conditions = self.trial.sweep.feasible
        return not conditions or feasibility(conditions).holds(self.metrics)

    def take_metrics(self, metrics: dict[str, Any] | None) -> None:
        """Replace the metrics, and the iteration and the time that they tell; None leaves all as it is."""
        if metrics is None:
            return
        self.metrics = metrics
        self.iteration = metrics.get("training_iteration", self.iteration)
        self.total_time = metrics.get("time_total_s", self.total_time)
        metric = self.trial.sweep.metric
        if metric is not None:
            self.judged = last_value(self.judged, metric_value(metrics, metric))
            if self.judged is None:
                self.note_no_number(metrics)
        if self.trial.sweep.objectives[1:]:
            self.others = self.others_after(self.others, metrics)

    def others_after(self, before: tuple[float | None, ...], metrics: Mapping[str, Any]) -> tuple[float | None, ...]:
        """Return what it is judged by by the further metrics when it has reported `metrics` after it was judged by `before`."""
        goals = self.trial.sweep.objectives[1:]
        values = before or (None,) * len(goals)
        return tuple(
            last_value(value, metric_value(metrics, goal.metric)) for value, goal in zip(values, goals, strict=True)
        )

    def note_no_number(self, metrics: Mapping[str, Any]) -> None:
        """Take note of what its sweep's metric is in `metrics` if it is there and no number."""
        metric = self.trial.sweep.metric
        if metric is not None and ((value := metric_value(metrics, metric)) is not None or metric in metrics):
            self.no_number = no_number_text(value)

    def take_report(self, report: TrialReported) -> None:
        """Take in a report. An attempt that starts from the beginning is not judged by what earlier attempts reported."""
        iteration = report.metrics.get("training_iteration", 0)
        if self.iteration is None and self.kept is not None and iteration <= self.kept[0]:
            self.judged = self.kept = None
            self.others = ()
        self.take_metrics(report.metrics)
        if report.checkpoint is not None:
            self.kept = iteration, self.judged, self.others
