"""The workers of a `FakeExecutor`, and their trials: one that is judged says its reports step by step, and obeys verdicts as a real one."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pytest_sweep.model.commands import Tell
from pytest_sweep.model.events import TrialReported
from pytest_sweep.model.resources import Resources
from pytest_sweep.model.trials import Task, TrialState
from pytest_sweep.testing.outcomes import Outcome
from pytest_sweep.worker.judgement import Judgement

PATIENCE_STEPS = 10
"""For how many steps a report at a milestone waits for its verdict."""


class FakeTrial:
    """One attempt. Where nothing is to be judged it is over in one step.

    Args:
        task: what the worker was handed.
        outcome: what the attempt does if it is not ended early.
    """

    def __init__(self, task: Task, outcome: Outcome) -> None:
        self._task = task
        self._outcome = outcome
        self._judgement = Judgement(task)
        self._reports = outcome.reported(task)
        self._said = 0
        self._waits_for = 0
        self._patience = 0

    def take(self, order: Tell) -> None:
        """Take a verdict; one that is for another trial, attempt or lease is ignored."""
        self._judgement.take(order)

    def step(self) -> tuple[Sequence[TrialReported], Outcome | None]:
        """Go on to the next milestone, or to the end; return what is reported meanwhile, and what became of the attempt if it has ended."""
        if self._task.milestones is None and self._task.pause_at is None:
            return self._reports, self._outcome
        if self._task.iteration and self._task.iteration == self._task.pause_at:
            return (), self._ended(TrialState.PAUSED)
        if self._waits_for and not self._judgement.is_answered(self._waits_for) and self._patience:
            self._patience -= 1
            return (), None
        if self._waits_for and self._judgement.should_stop:
            return (), self._ended(self._judgement.state)
        return self._report()

    def _report(self) -> tuple[Sequence[TrialReported], Outcome | None]:
        milestones = self._task.milestones
        first, self._waits_for = self._said, 0
        for report in self._reports[first:]:
            self._said += 1
            asks = self._judgement.judge(report.metrics, has_checkpoint=report.checkpoint is not None)
            if self._judgement.should_stop:
                return self._reports[first : self._said], self._ended(self._judgement.state)
            if asks and milestones is not None:
                if milestones.waits:
                    self._waits_for, self._patience = report.metrics["training_iteration"], PATIENCE_STEPS
                return self._reports[first : self._said], None
        return self._reports[first:], self._outcome

    def _ended(self, state: TrialState) -> Outcome:
        """Return the outcome of an attempt that was ended early."""
        reports = self._outcome.reports[: self._said]
        last = {"training_iteration": self._task.iteration + self._said} if reports else None
        return replace(self._outcome, state=state, reports=reports, final=last, error=None, dies=None)


@dataclass
class FakeWorker:
    """A worker: `waiting` are the tasks that it was handed; the first one has begun if `polls_left` is set, and reports if `running` is."""

    id: str
    resources: Resources
    nodes: tuple[str, ...]
    polls_to_start: int
    waiting: deque[Task] = field(default_factory=deque)
    polls_left: int | None = None
    running: FakeTrial | None = None
    is_alive: bool = True
