"""Judges trials in the place of the engine, as a script says: for tests of executors, which must not depend on a scheduler."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from pytest_sweep import clock
from pytest_sweep.engine.port import Executor
from pytest_sweep.model import commands
from pytest_sweep.model.events import Event, TrialEvent, TrialFinished, TrialReported
from pytest_sweep.model.study import Milestones, Verdict, VerdictKind
from pytest_sweep.model.trials import Task, TrialState


class Script(Protocol):
    """What a `JudgingExecutor` does."""

    def judged(self, task: Task) -> tuple[Milestones | None, int | None]:
        """Return at which iterations a trial is judged, and where it pauses by its task."""

    def verdicts(self, worker: str, task: Task, event: TrialEvent) -> Sequence[tuple[float, commands.Tell]]:
        """Return what to tell after an event of a trial, and in how many seconds; `told` makes the verdict of a report."""

    def paused(self, event: TrialFinished) -> None:
        """Take note that an attempt was paused."""


def told(worker: str, event: TrialReported, kind: VerdictKind = VerdictKind.CONTINUE) -> commands.Tell:
    """Return the verdict on a report."""
    iteration = event.metrics["training_iteration"]
    return commands.Tell(worker, event.key, event.attempt, event.lease, iteration, Verdict(kind, "so the script says"))


class JudgingExecutor:
    """An executor that has another one run the trials, and that judges them. To the engine no trial is judged or paused.

    Args:
        inner: runs the trials.
        script: says how they are judged.
    """

    def __init__(self, inner: Executor, script: Script) -> None:
        self._inner = inner
        self._script = script
        self._tasks: dict[int, tuple[str, list[Task]]] = {}
        self._later: list[tuple[float, commands.Tell]] = []
        self._kept: list[Event] = []
        inner.judge_by(self._decide)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def judge_by(self, decide: Callable[[], None]) -> None:
        """Do nothing: this object decides."""

    def execute(self, command: commands.ExecutorCommand, tasks: Sequence[Task] = ()) -> None:
        """Have the other executor carry out an order; tasks get their milestones."""
        if isinstance(command, commands.RunTrials):
            tasks = [self._judged(task) for task in tasks]
            self._tasks[command.lease] = command.worker, list(tasks)
        self._inner.execute(command, tasks)

    def events(self, timeout: float) -> Sequence[Event]:
        """Return what has happened, after it was judged."""
        self._tell_later()
        happened = self._look(self._inner.events(min(timeout, 0.05) if self._later else timeout))
        kept, self._kept = self._kept, []
        return [*kept, *happened]

    def arrived(self) -> Sequence[Event]:
        """Return what has happened by now."""
        kept, self._kept = self._kept, []
        return [*kept, *self._look(self._inner.arrived())]

    def cut_off(self) -> Sequence[Event]:
        """Return what was said by the end of the run."""
        kept, self._kept = self._kept, []
        return [*kept, *self._look(self._inner.cut_off())]

    def _judged(self, task: Task) -> Task:
        milestones, pause_at = self._script.judged(task)
        return replace(task, milestones=milestones, pause_at=pause_at)

    def _decide(self) -> None:
        self._tell_later()
        for event in self._inner.arrived():
            self._kept.append(self._judge(event))

    def _look(self, happened: Sequence[Event]) -> list[Event]:
        return [self._judge(event) for event in happened]

    def _judge(self, event: Event) -> Event:
        if not isinstance(event, TrialEvent):
            return event
        worker, tasks = self._tasks.get(event.lease, ("", []))
        for task in tasks:
            if task.trial.key == event.key:
                orders = self._script.verdicts(worker, task, event)
                self._later += [(clock.monotonic() + delay, order) for delay, order in orders]
        self._tell_later()
        if isinstance(event, TrialFinished) and event.state is TrialState.PAUSED:
            self._script.paused(event)
            return replace(event, state=TrialState.TERMINATED)
        return event

    def _tell_later(self) -> None:
        now = clock.monotonic()
        for due, order in list(self._later):
            if due <= now:
                self._later.remove((due, order))
                self._inner.execute(order)
