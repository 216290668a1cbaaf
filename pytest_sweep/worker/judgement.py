"""What ends an attempt early: a stop rule that is met, a verdict of the engine, or the iteration at which its task pauses it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from pytest_sweep import clock
from pytest_sweep.model.commands import Tell
from pytest_sweep.model.metrics import metric_value
from pytest_sweep.model.stop import StopRule
from pytest_sweep.model.study import Verdict, VerdictKind
from pytest_sweep.model.trials import Task, TrialState

PATIENCE_SECONDS = 1.0
"""How long `report` waits at a milestone for the verdict. It takes some milliseconds; a driver that is busy or gone is not waited for."""


class TrialStopped(BaseException):
    """Ends the body of a trial that is stopped early. Not an Exception, so that ``except Exception`` lets it pass."""


class TrialPaused(TrialStopped):
    """Ends the body of a trial that is paused: it may go on later, from its checkpoint."""


class Judgement:
    """Judges one attempt. A verdict may come in any thread; reports may be made in any thread.

    Args:
        task: what the worker was handed.
        hurry: has what was emitted sent at once; may bring the verdict before it returns.
        patience: how many seconds a report at a milestone waits for its verdict at the most.

    Attributes:
        stopped_by: the first stop rule that was met, or None.
    """

    def __init__(self, task: Task, hurry: Callable[[], None] = lambda: None, patience: float = 0.0) -> None:
        self.stopped_by: StopRule | None = None
        self._rules = task.trial.sweep.stop
        self._unjudged = dict.fromkeys(rule.metric for rule in self._rules)
        self._milestones = task.milestones
        self._pause_at = task.pause_at
        self._verdict: Verdict | None = None
        self._is_obeyed = False
        if self._milestones is not None:  # Most trials have none, and need no lock.
            self._address = task.trial.key, task.attempt, task.lease
            self._hurry = hurry
            self._patience = patience
            self._answered = 0
            self._told = threading.Condition()

    @property
    def should_stop(self) -> bool:
        """Whether the attempt is to end now. Who is told so is taken to obey."""
        if self._verdict is not None:
            self._is_obeyed = True
        return self._is_over

    @property
    def state(self) -> TrialState:
        """What becomes of the attempt if nothing fails in it. One that had ended before it knew of its verdict has run to its own end."""
        if self.stopped_by is not None:
            return TrialState.STOPPED
        if self._verdict is None or not self._is_obeyed:
            return TrialState.TERMINATED
        return TrialState.PAUSED if self._verdict.kind is VerdictKind.PAUSE else TrialState.STOPPED

    @property
    def unknown_metrics(self) -> list[str]:
        """The metrics that stop rules name and that no report has had."""
        return list(self._unjudged)

    def begin(self, iteration: int) -> None:
        """Take note that the body begins, restored from a checkpoint of `iteration`; 0 is no checkpoint.

        Raises:
            TrialPaused: the attempt before this one died when it had saved the checkpoint that it was to pause with.
        """
        __tracebackhide__ = True
        if iteration and iteration == self._pause_at:
            self._pause()
            self.obey()

    def judge(self, metrics: Mapping[str, Any], *, has_checkpoint: bool) -> bool:
        """Judge a report by the stop rules and the task; return whether `ask` is to ask for its verdict."""
        for name in [name for name in self._unjudged if metric_value(metrics, name) is not None]:
            del self._unjudged[name]
        if self.stopped_by is None:
            self.stopped_by = next((rule for rule in self._rules if rule.met(metrics)), None)
        if self._milestones is None and self._pause_at is None:
            return False
        iteration = metrics["training_iteration"]
        if iteration == self._pause_at and has_checkpoint:
            self._pause()
        if self._is_over or self._milestones is None:
            return False
        return iteration == self._pause_at or self._milestones.include(iteration)

    def ask(self, iteration: int) -> None:
        """Have the report of a milestone sent at once, and wait for its verdict where the milestones say so."""
        __tracebackhide__ = True
        assert self._milestones is not None
        self._hurry()
        if not self._milestones.waits:
            return
        deadline = clock.monotonic() + self._patience
        with self._told:
            while not self.is_answered(iteration) and (rest := deadline - clock.monotonic()) > 0:
                self._told.wait(rest)

    def take(self, order: Tell) -> None:
        """Take a verdict, unless it is for another trial, attempt or lease. The first one that ends the attempt counts."""
        if self._milestones is None or (order.key, order.attempt, order.lease) != self._address:
            return
        with self._told:
            self._answered = max(self._answered, order.iteration)
            if order.verdict.kind is not VerdictKind.CONTINUE and self._verdict is None:
                self._verdict = order.verdict
            self._told.notify_all()

    def obey(self) -> None:
        """End the body, if the attempt is over and this is the main thread: a body on another thread looks at `should_stop`.

        Raises:
            TrialPaused: it is to pause.
            TrialStopped: a stop rule is met, or the verdict is to stop.
        """
        __tracebackhide__ = True
        if not self._is_over or threading.current_thread() is not threading.main_thread():
            return
        self._is_obeyed = True
        if self.stopped_by is not None or self._verdict is None:
            raise TrialStopped(str(self.stopped_by))
        raise (TrialPaused if self._verdict.kind is VerdictKind.PAUSE else TrialStopped)(self._verdict.reason)

    def is_answered(self, iteration: int) -> bool:
        """Say whether the report of `iteration`, a milestone, waits for nothing more."""
        return self._is_over or self._answered >= iteration

    @property
    def _is_over(self) -> bool:
        return self.stopped_by is not None or self._verdict is not None

    def _pause(self) -> None:
        if not self._is_over:
            self._verdict = Verdict(VerdictKind.PAUSE)
