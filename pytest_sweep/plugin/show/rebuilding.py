"""Finds the sweeps that would gain from `fresh_process=False`: their trials hold GPUs, and build large fixtures each anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pytest_sweep.model.events import TrialFinished
from pytest_sweep.model.trials import Trial

LEAST_SECONDS = 1.0
LEAST_SHARE = 0.1


class RebuildingWatch:
    """Looks at the ends of trials, and says once for each sweep what is worth a warning.

    Args:
        trials: all trials of the run: of a sweep with a single one, nothing is built twice.
    """

    def __init__(self, trials: Iterable[Trial]) -> None:
        self._trials = Counter(trial.sweep.id for trial in trials)
        self._told: set[str] = set()

    def note(self, trial: Trial, finished: TrialFinished) -> str | None:
        """Return what is to be said after this end, or None."""
        sweep = trial.sweep
        if sweep.fresh_process is not None or not trial.fresh_process or sweep.id in self._told:
            return None
        seconds, duration = finished.building, finished.duration
        if self._trials[sweep.id] < 2 or seconds < LEAST_SECONDS or seconds <= LEAST_SHARE * duration:
            return None
        self._told.add(sweep.id)
        return (
            f"{trial.name} spent {seconds:.1f} of its {duration:.1f} s on fixtures of wider scope than the function's, and so does every "
            f"trial of {sweep.name}: each gets a process of its own, because it holds a GPU. @sweep(fresh_process=False) keeps the "
            f"process, and the fixtures in it, where trials free the memory of the GPU by themselves"
        )
