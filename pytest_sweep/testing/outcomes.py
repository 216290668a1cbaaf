"""What an attempt does on a `FakeExecutor`, and what a worker would say of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_sweep.items.private import report_as_data
from pytest_sweep.model import events
from pytest_sweep.model.events import Event
from pytest_sweep.model.trials import Task, TrialState


@dataclass(frozen=True)
class Outcome:
    """What one attempt does.

    Attributes:
        state: how it ends.
        reports: the metrics that it reports, in order; ``training_iteration`` is added.
        final: the metrics that its body returns, or None.
        error: the text of its failure, or None.
        duration: how long it says that it took, in seconds.
        polls: how many calls of `FakeExecutor.events` it runs for; more than one leaves time to `FakeExecutor.kill` its worker.
        dies: why its worker's process dies in the middle of it, or None.
        checkpoints: the iterations of which it saves checkpoints; True is all of them.
    """

    state: TrialState = TrialState.TERMINATED
    reports: Sequence[Mapping[str, Any]] = ()
    final: Mapping[str, Any] | None = None
    error: str | None = None
    duration: float = 1.0
    polls: int = 1
    dies: str | None = None
    checkpoints: Collection[int] | bool = ()

    def reported(self, task: Task) -> list[events.TrialReported]:
        """Return its reports, as a worker sends them."""
        return [
            events.TrialReported(
                task.trial.key,
                task.attempt,
                {"training_iteration": number, **metrics},
                self._checkpoint(task, number),
                lease=task.lease,
            )
            for number, metrics in enumerate(self.reports, task.iteration + 1)
        ]

    def ended(self, task: Task, time: float) -> list[Event]:
        """Return its reports and its end, as a worker sends them; it ends at `time`, in seconds since the epoch."""
        return [*self.reported(task), self.end(task, time)]

    def end(self, task: Task, time: float) -> events.TrialFinished:
        """Return its end, as a worker sends it, at `time`, in seconds since the epoch."""
        last = dict(self.reports[-1]) if self.reports else {}
        metrics = {**last, **(self.final or {})} if self.reports or self.final is not None else None
        return events.TrialFinished(
            task.trial.key,
            task.attempt,
            self.state,
            metrics,
            self.error,
            self.duration,
            time,
            self._pytest_reports(task.trial.id),
            lease=task.lease,
        )

    def _checkpoint(self, task: Task, iteration: int) -> str | None:
        """Return the path of the checkpoint of an iteration, which is never made; None where there is none."""
        saves = self.checkpoints if isinstance(self.checkpoints, bool) else iteration in self.checkpoints
        return f"{task.directory}/checkpoints/{task.attempt}-{iteration}" if saves else None

    def _pytest_reports(self, node_id: str) -> tuple[dict[str, Any], ...]:
        """Return pytest's reports of the three phases of a trial that ended so, as a worker sends them."""
        location = (node_id.partition("::")[0], 0, node_id.rpartition("::")[2])
        made = []
        for when in ("setup", "call", "teardown"):
            result, text = ("passed", None)
            if when == "call" and self.state is TrialState.ERROR:
                result, text = "failed", self.error or "the trial failed"
            duration = self.duration if when == "call" else 0.0
            longrepr: Any = text
            if when == "call" and self.state is TrialState.SKIPPED:
                result, longrepr = "skipped", (location[0], 1, f"Skipped: {self.error or 'by the test'}")
            report = pytest.TestReport(node_id, location, {}, result, longrepr, when, duration=duration)  # type: ignore[arg-type]
            made.append(report_as_data(report))
        return tuple(made)


Script = Callable[[Task], "Outcome | Sequence[events.Event]"]
"""Says what an attempt does: an Outcome, or its events after TrialStarted, word for word."""
