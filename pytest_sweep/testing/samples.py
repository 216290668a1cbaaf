"""Trials and events to feed to a store or an engine, short to write."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pytest_sweep.model import Resources, Sweep, Trial, TrialState
from pytest_sweep.model.events import TrialFinished, TrialReported, TrialStarted

SWEEP = Sweep("test_models.py::train_model", "train_model", metric="loss", mode="min", varying=("lr",))


def make_trial(number: int, sweep: Sweep = SWEEP, **config: Any) -> Trial:
    """Return a trial of `sweep` whose key is `number`."""
    name = f"{sweep.name}[lr={number}]"
    node_id = f"{sweep.id}[lr={number}]"
    return Trial(f"{number:016x}", node_id, name, sweep, config or {"lr": number}, Resources(cpu=2), seed=7)


def make_replicates(number: int, count: int, sweep: Sweep = SWEEP, **config: Any) -> list[Trial]:
    """Return `count` trials of one configuration, the first of which is `make_trial(number)`."""
    first = make_trial(number, sweep, **config)
    further = [
        replace(
            first,
            key=f"{replicate:08x}{number:08x}",
            id=f"{first.id[:-1]}#{replicate + 1}]",
            name=f"{first.name[:-1]}#{replicate + 1}]",
            replicate=replicate,
            group=first.key,
        )
        for replicate in range(1, count)
    ]
    return [first, *further]


def started(trial: Trial, attempt: int = 1, time: float = 100.0) -> TrialStarted:
    """Return the event that begins an attempt."""
    return TrialStarted(trial.key, attempt, time, "10.0.0.1:42")


def reported(
    trial: Trial, iteration: int, attempt: int = 1, checkpoint: str | None = None, **metrics: Any
) -> TrialReported:
    """Return a report."""
    return TrialReported(trial.key, attempt, {**metrics, "training_iteration": iteration}, checkpoint)


def finished(
    trial: Trial,
    state: TrialState = TrialState.TERMINATED,
    metrics: dict[str, Any] | None = None,
    error: str | None = None,
    attempt: int = 1,
) -> TrialFinished:
    """Return the event that ends an attempt, at 102 after 2 seconds."""
    return TrialFinished(trial.key, attempt, state, metrics, error, 2.0, 102.0)
