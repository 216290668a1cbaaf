"""What a worker needs to run a trial: where it keeps its files, and from which checkpoint it goes on."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace

from pytest_sweep.checkpoints import Name
from pytest_sweep.engine.study import Leg
from pytest_sweep.model import Run
from pytest_sweep.model.search_events import Proposed
from pytest_sweep.model.trials import Task, Trial


class TaskMaker:
    """Makes the task of each attempt of a trial.

    Args:
        run: the run.
        trials: its trials.
        storage: where checkpoints go, a path or a URL; None leaves them in the run's folder.
        keep_checkpoints: how many of a trial are kept, where its sweep does not say it; None keeps all.
        remembers: whether the last task of each trial is kept, to be run again.

    Attributes:
        run: the run.
        checkpoints: the newest checkpoint of each trial, by key, with the iteration that it was reported at.
        reported: the attempt and the iteration of the newest report of each trial, by key.
        remembered: the last task of each trial, by key.
    """

    def __init__(
        self, run: Run, trials: Iterable[Trial], *, storage: str | None, keep_checkpoints: int | None, remembers: bool
    ) -> None:
        self.checkpoints: dict[str, tuple[str | None, int]] = {}
        self.reported: dict[str, tuple[int, int]] = {}
        self.remembered: dict[str, Task] = {}
        self.remembers = remembers
        self.run = run
        self._trials = {trial.key: trial for trial in trials}
        self._storage = storage
        self._keep_checkpoints = keep_checkpoints

    def make(self, key: str, attempt: int, lease: int = 0, leg: Leg | None = None) -> Task:
        """Return the task of an attempt of the trial `key`, which a worker is handed under `lease`; `leg` says what its study wants."""
        trial = self._trials[key]
        checkpoint, iteration = self.checkpoints.get(key, (None, 0))
        folder = os.path.join(self.run.path, trial.path_name)  # noqa: PTH118 - ten times as fast, once a trial
        task = Task(
            trial,
            attempt,
            folder,
            checkpoint,
            iteration,
            checkpoints=self._location(trial) or os.path.join(folder, "checkpoints"),  # noqa: PTH118 - likewise
            keep_checkpoints=trial.sweep.keep_checkpoints or self._keep_checkpoints,
            reported=self.reported.get(key, (0, 0)),
            lease=lease,
        )
        if leg is not None:
            task = replace(task, milestones=leg.milestones, pause_at=leg.pause_at)
            lent, at = self._lent(leg, checkpoint)
            if lent is not None:
                task = replace(task, checkpoint=lent, iteration=at, is_lent=True)
        if self.remembers:
            self.remembered[key] = task
        return task

    def _lent(self, leg: Leg, checkpoint: str | None) -> tuple[str | None, int]:
        """Return the checkpoint that another trial lends, and its iteration; None where its own is newer."""
        own = None if checkpoint is None else Name.parse(checkpoint.rpartition("/")[2])
        if not leg.donor or (own is not None and own.attempt > leg.paused_in):
            return None, 0
        return self.checkpoints.get(leg.donor, (None, 0))

    def configure(self, proposed: Proposed) -> None:
        """Take note of the configuration that was chosen for a slot."""
        trial = self._trials.get(proposed.key)
        if trial is not None:
            self._trials[proposed.key] = proposed.applied_to(trial)

    def _location(self, trial: Trial) -> str:
        """Return where the trial's checkpoints go, if not into its own folder."""
        if self._storage is None:
            return ""
        return f"{self._storage.rstrip('/')}/{self.run.name}/{trial.path_name}/checkpoints"
