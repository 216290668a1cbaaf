"""Runs to send to a tracker, stored without a session: one with all that may happen to trials, and one that resumes it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_sweep.model import Sweep, Trial, TrialState
from pytest_sweep.model.events import Accepted, TrialFinished, TrialReported, TrialRetried, TrialStarted
from pytest_sweep.store import RunStore

SWEEP = Sweep("test_models.py::train", "train", "loss", "min", varying=("lr",))
BEGAN = 1.7e9

HOSTILE: Sequence[Mapping[str, Any]] = (
    {"loss": math.nan, "up": math.inf, "down": -math.inf},
    {"loss": 0.5, "nothing": None, "text": "a,b\n\"c\"\r\u2028", "many": [1.0, 2.0], "yes": True},
    {"loss": 1e300, "huge": 10**400, "ünï ↯/code": 1.0, "<b>": 2.0},
    {"nested": {"deep": {"x": 1.0}}, "a/b": 1.0, "": 3.0},
    {"text": "no number at all"},
)  # fmt: skip


def trial(number: int, **more: Any) -> Trial:
    """Return a trial, whose key is its number."""
    return Trial(
        f"{number:016x}", f"{SWEEP.id}[lr={number}]", f"train[lr={number}]", SWEEP, {"lr": number}, seed=number, **more
    )


def begin_run(results_dir: Path, trials: Sequence[Trial] = (), resumed_from: Path | None = None) -> RunStore:
    """Return the store of a run that goes on, with some trials, by default those of `EVENTS`."""
    store = RunStore.create(
        results_dir, seed=7, command="pytest --sweep", executor="inline", rootdir=results_dir, versions={"python": "3.13"},
        git=None, resumed_from=resumed_from, now=BEGAN,
    )  # fmt: skip
    store.add_trials(list(trials) or [trial(number) for number in range(3)])
    return store


def make_run(results_dir: Path) -> Path:
    """Store a run that has ended, and return its folder: `EVENTS`."""
    store = begin_run(results_dir)
    store.record(EVENTS)
    store.finish(1, BEGAN + 100)
    store.close()
    return store.path


def resume(first: Path) -> Path:
    """Store a run that has resumed that of `make_run`: one trial was taken, one goes on, and one began anew."""
    keys = [trial(number).key for number in range(3)]
    store = begin_run(first.parent, resumed_from=first)
    store.copy_trials(first, [keys[0]], [keys[1]])
    store.record([TrialStarted(keys[1], 3, BEGAN, "host:1"), *reports(keys[1], 3, [{"loss": 0.1}], first=6)])
    store.record(ended(keys[1], 3, TrialState.TERMINATED, {"loss": 0.1, "training_iteration": 6}))
    store.record([TrialStarted(keys[2], 1, BEGAN, "host:1"), *reports(keys[2], 1, [{"loss": 7.0}, {"loss": 8.0}])])
    store.record(ended(keys[2], 1, TrialState.STOPPED, {"loss": 8.0, "training_iteration": 2}))
    store.finish(0, BEGAN + 200)
    store.close()
    return store.path


def reports(key: str, attempt: int, metrics: Sequence[Mapping[str, Any]], first: int = 1) -> list[Accepted]:
    """Return reports of an attempt, whose iterations count from `first`."""
    return [
        TrialReported(key, attempt, {"training_iteration": number, "timestamp": BEGAN + number, **its})
        for number, its in enumerate(metrics, first)
    ]


def ended(key: str, attempt: int, state: TrialState, metrics: dict[str, Any] | None, error: str = "") -> list[Accepted]:
    """Return the end of an attempt."""
    return [TrialFinished(key, attempt, state, metrics, error or None, 1.0, BEGAN + 50)]


def _events() -> list[Accepted]:
    first, second, third = (trial(number).key for number in range(3))
    losses = [{"loss": 1 / number, "n": float(number)} for number in range(1, 7)]
    failed = TrialFinished(second, 1, TrialState.ERROR, None, "OSError: gone", 1.0, BEGAN + 20)
    return [
        TrialStarted(first, 1, BEGAN, "host:1"),
        TrialStarted(second, 1, BEGAN, "host:2"),
        *reports(first, 1, losses[:3]),
        *reports(second, 1, losses[:4]),
        # Goes on behind the second report.
        TrialRetried(failed),
        TrialStarted(second, 2, BEGAN + 25, "host:1"),
        *reports(second, 2, [{**one, "loss": one["loss"] + 1} for one in losses[2:5]], first=3),
        *ended(first, 1, TrialState.TERMINATED, {**losses[2], "training_iteration": 3, "best": 5.0}),
        *ended(second, 2, TrialState.TERMINATED, {**losses[4], "loss": losses[4]["loss"] + 1, "training_iteration": 5}),
        TrialStarted(third, 1, BEGAN, "host:2"),
        *reports(third, 1, losses),
        *ended(third, 1, TrialState.ERROR, None, "Traceback\nValueError: boom"),
    ]


EVENTS = _events()
"""What happens in the run: a trial that returns something, one whose second attempt repeats two iterations, and one that fails."""
