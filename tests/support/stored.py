"""Runs that tests store without a session, to read them back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pytest_sweep.model import Trial
from pytest_sweep.model.events import Accepted
from pytest_sweep.store import RunStore


def store_run(results_dir: Path, trials: Sequence[Trial], events: Sequence[Accepted] = ()) -> Path:
    """Store a run of `trials` to which `events` have happened; return its folder."""
    store = RunStore.create(
        results_dir, seed=1, command="", executor="inline", rootdir=results_dir, versions={}, git=None
    )
    store.add_trials(trials)
    store.record(events)
    store.close()
    return store.path
