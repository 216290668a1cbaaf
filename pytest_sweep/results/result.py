"""One trial's result. Knows the store, and nothing of the other trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_sweep.model import TrialState
from pytest_sweep.store import RunReader, StoredAttempt, StoredTrial

DONE = (TrialState.TERMINATED, TrialState.STOPPED, TrialState.CACHED)
"""The states of trials that finished well."""


@dataclass(frozen=True, eq=False)
class Result:
    """What is stored of one trial. The names are Ray Tune's (``ray.tune.Result``) where Tune has one.

    Attributes:
        metrics: the final metrics: those of the last report, completed by what the function returned, and with Tune's
            ``training_iteration`` and so on; None where there are none, as for a trial that was not run.
        config: the configuration in its stored form, which is JSON: a function or an object is there as readable text.
        error: the text of the failure, its last line the shortest form of it; None where there is none.
        checkpoint: the newest complete checkpoint, or None.
        state: what became of the trial.
        trial_id: its pytest node id.
        key: 16 hexadecimal digits, equal in every run for an equal trial.
        name: the last part of the node id: ``train_model[lr=0.001-depth=2]``.
        attempts: how often it was begun; 1 where nothing was tried again, 0 where it was not run.
        duration: seconds that the last attempt took, set-up and tear-down included; None where it has not ended.
        seed: the trial's seed.
        replicate: which of equal configurations it is, from 0.
        group: the key of the first of its replicates, which all of them share; its own where it has none.
    """

    metrics: dict[str, Any] | None
    config: dict[str, Any]
    error: str | None
    checkpoint: Path | None
    state: TrialState
    trial_id: str
    key: str
    name: str
    attempts: int
    duration: float | None
    seed: int
    replicate: int
    group: str
    _folder: str = field(repr=False)
    _reader: RunReader = field(repr=False)

    @classmethod
    def from_store(cls, trial: StoredTrial, reader: RunReader) -> Result:
        """Return the result of a stored trial, whose history `reader` will read when it is asked for."""
        return cls(
            metrics=trial.metrics,
            config=trial.config,
            error=trial.error,
            checkpoint=None if trial.checkpoint is None else Path(trial.checkpoint),
            state=trial.state,
            trial_id=trial.node_id,
            key=trial.key,
            name=trial.name,
            attempts=trial.attempts,
            duration=trial.duration,
            seed=trial.seed,
            replicate=trial.replicate,
            group=trial.group_key,
            _folder=trial.folder,
            _reader=reader,
        )

    @property
    def path(self) -> Path:
        """The trial's own folder where it wrote one, else the folder of its run."""
        folder = self._reader.path / self._folder
        return folder if folder.is_dir() else self._reader.path

    @property
    def metrics_history(self) -> list[dict[str, Any]]:
        """All reports of the trial in order, a dict each; empty where it reported nothing. Read anew at every access.

        Where a trial was tried again, each iteration is there once: an attempt that was restored from a checkpoint goes on
        counting, and what came after that checkpoint in the failed attempt is left out.

        Raises:
            StoreError: the run's database cannot be read any more.
        """
        return self._reader.history(self.key)

    @property
    def attempt_history(self) -> list[StoredAttempt]:
        """The attempts of the trial in order: number, state, location, started, finished, duration, error, output. Read at every access.

        Raises:
            StoreError: the run's database cannot be read any more.
        """
        return self._reader.attempts(self.key)

    def __repr__(self) -> str:
        lines = [
            f"trial_id={self.trial_id!r}",
            f"state={self.state}",
            f"metrics={self.metrics!r}",
            f"config={self.config!r}",
            f"error={self.error!r}" if self.error is None else f"error={_last_line(self.error)!r}",
            f"path={str(self.path)!r}",
        ]
        return "Result(\n" + "".join(f"  {line},\n" for line in lines) + ")"


def histories(results: list[Result]) -> list[list[dict[str, Any]]]:
    """Return the `metrics_history` of each of `results`, in their order; each run is opened once."""
    by_reader: dict[RunReader, list[str]] = {}
    for result in results:
        by_reader.setdefault(result._reader, []).append(result.key)
    found = {reader: reader.histories(keys) for reader, keys in by_reader.items()}
    return [found[result._reader][result.key] for result in results]


def flattened(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested dicts as one, their keys joined by slashes, as Tune does in its data frames; an empty dict stays."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            flat.update(flattened(value, f"{prefix}{key}/"))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _last_line(text: str) -> str:
    return text.rstrip().rpartition("\n")[2]
