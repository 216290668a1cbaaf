"""One trial's result. Knows the store, and nothing of the other trials."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pytest_sweep.errors import MissingExtraError, NoResultsError
from pytest_sweep.model import TrialState
from pytest_sweep.model.judging import ended_well
from pytest_sweep.model.metrics import flattened, metric_value
from pytest_sweep.model.spread import is_nan, judged_number
from pytest_sweep.model.trials import name_without_replicate
from pytest_sweep.results.curves import completed, plain_copy
from pytest_sweep.results.errors import QueryError
from pytest_sweep.space import restored
from pytest_sweep.space.display import safe_repr
from pytest_sweep.store import RunReader, StoredAttempt, StoredTrial

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Result:
    """What is stored of one trial. The names are Ray Tune's (``ray.tune.Result``) where Tune has one.

    Each access to `metrics`, `config` and `params` returns a copy: changing it changes neither this result nor what others say of it.

    It can be copied, pickled and sent to other processes. Its histories and checkpoints are read from the folder of the run, if that
    is there.

    Attributes:
        metrics: the final metrics: those of the last report, completed by what the function returned, and with Tune's
            ``training_iteration`` and so on; None where there are none, as for a trial that was not run.
        config: the configuration that was tried, its values as they were: tuples, enums, paths, dataclasses, classes, functions, small
            arrays and others. Classes, functions, enums and dataclasses are looked up in the modules that this process has imported. A
            value that cannot be restored is an `Unrestored`: its text, with the reason as an attribute. See docs/space.md.
        error: the text of the failure, its last line the shortest form of it; None where there is none.
        checkpoint: the newest good checkpoint, or None: the path of a folder, or its URL where ``--sweep-storage`` is not on a disk.
        state: what became of the trial.
        trial_id: its pytest node id.
        key: 16 hexadecimal digits, equal in every run for an equal trial.
        name: the last part of the node id: ``train_model[lr=0.001-depth=2]``.
        attempts: how often it was begun; 1 where nothing was tried again, 0 where it was not run.
        duration: seconds that the last attempt took, set-up and tear-down included; None where it has not ended.
        seed: the trial's seed.
        replicate: which of equal configurations it is, from 0.
        group: what its replicates share, and no other trial: the key of the first of them, or in a sweep with ``average_over=`` a key
            without what the sweep averages over; its own key where it has no replicates.
        started: when the last attempt began, in seconds since the epoch; None where the trial was not run.
        finished: when it ended; None where it has not.
        location: the process that ran it, or None: ``ip:pid`` on Ray, ``host:pid`` in processes of this machine and inline.
        reason: why the trial was not run, or None. A CACHED trial has a reason if it was skipped in the run that it was taken from.
        params: the values that stacked ``parametrize`` marks and parametrized fixtures gave it, by argument, restored like `config`; empty
            where there are none, and for results of version 0.1.0.
        configuration: the name that its replicates have in common: ``train_model[lr=0.001]`` for ``train_model[lr=0.001#2]``.
    """

    metrics: dict[str, Any] | None
    config: dict[str, Any]
    error: str | None
    checkpoint: Path | str | None
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
    started: float | None = None
    finished: float | None = None
    location: str | None = None
    reason: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    configuration: str = ""
    _replicates: tuple[Result, ...] = field(default=(), repr=False)

    @classmethod
    def from_store(cls, trial: StoredTrial, reader: RunReader) -> Result:
        """Return the result of a stored trial, whose history `reader` will read when it is asked for."""
        return cls(
            metrics=trial.metrics,
            config=trial.config,
            error=trial.error,
            checkpoint=None if trial.checkpoint is None else path_or_url(trial.checkpoint),
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
            params=trial.params or {},
            configuration=trial.configuration or name_without_replicate(trial.name, trial.replicate),
            started=trial.started,
            finished=trial.finished,
            location=trial.location,
            reason=trial.reason,
        )

    def changed(self, **changes: Any) -> Result:
        """Return a copy with other values of some fields; `config` and `params` are given, and copied, in their stored form."""
        return replace(self, **{"config": self.stored_config, "params": self.stored_params, **changes})

    @property
    def stored_config(self) -> dict[str, Any]:
        """The stored form of `config`: what JSON holds."""
        form: dict[str, Any] = self.__dict__["_stored_config"]
        return form

    @property
    def stored_params(self) -> dict[str, Any]:
        """The stored form of `params`: what JSON holds."""
        form: dict[str, Any] = self.__dict__["_stored_params"]
        return form

    @property
    def ended_well(self) -> bool:
        """Whether the trial finished well. A stored result that was taken did so if the trial was not skipped when it ran."""
        return ended_well(self.state, self.reason)

    @property
    def replicates(self) -> tuple[Result, ...]:
        """All results of the configuration that `ResultGrid.get_best_result` returned, in order; of a single trial itself."""
        return self._replicates or (self,)

    @property
    def path(self) -> Path:
        """The trial's own folder where it wrote one, else the folder of its run."""
        folder = self._reader.path / self._folder
        # A database may come from anyone, and name what can be no path: pathlib raises then.
        return folder if os.path.isdir(folder) else self._reader.path  # noqa: PTH112

    @property
    def metrics_history(self) -> list[dict[str, Any]]:
        """All reports of the trial in order, a dict each; empty where it has no metrics. Read anew at every access.

        What the function returned completes the last report, as in `metrics`. If it has another value for a metric of that report,
        another ``training_iteration``, or nothing was reported, it is an entry of its own.

        Where a trial was tried again, each iteration is there once: an attempt that was restored from a checkpoint goes on
        counting, and what came after that checkpoint in the failed attempt is left out.

        Raises:
            StoreError: the run's database cannot be read any more.
        """
        return histories([self])[0]

    @property
    def metrics_dataframe(self) -> pd.DataFrame:
        """The `metrics_history` as a pandas data frame: one row a report, one column a metric, nested names joined by slashes.

        Without rows where the trial reported nothing. Read anew at every access.

        Raises:
            MissingExtraError: pandas is not installed.
            StoreError: the run's database cannot be read any more.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingExtraError("pandas", "pandas", "metrics_dataframe") from error
        return pd.DataFrame([flattened(report) for report in self.metrics_history])

    @property
    def run_path(self) -> Path:
        """The folder of the run that stores this result."""
        return self._reader.path

    @property
    def attempt_history(self) -> list[StoredAttempt]:
        """The attempts of the trial in order: number, state, location, started, finished, duration, error, output. Read at every access.

        Raises:
            StoreError: the run's database cannot be read any more.
        """
        return self._reader.attempts(self.key)

    @property
    def best_checkpoints(self) -> list[tuple[Path | str, dict[str, Any]]]:
        """The checkpoints that were kept, the oldest one first, each with the metrics that it was reported with. Read anew at every access.

        A path of a folder, or a URL where ``--sweep-storage`` is not on a disk; of folders only those that are still there.

        Raises:
            StoreError: the run's database cannot be read any more.
        """
        found = [(path_or_url(address), metrics) for address, metrics in self._reader.checkpoints(self.key)]
        return [(place, metrics) for place, metrics in found if isinstance(place, str) or os.path.isdir(place)]  # noqa: PTH112

    def get_best_checkpoint(self, metric: str, mode: Literal["min", "max"]) -> Path | str:
        """Return the checkpoint that was reported with the best value of a metric; of equals, the oldest one.

        As in Tune, a checkpoint that was reported without the metric does not take part; nor does one whose value is NaN.

        Args:
            metric: the metric; a nested one is named with slashes: ``"val/loss"``.
            mode: ``"min"`` or ``"max"``.

        Raises:
            QueryError: another mode.
            NoResultsError: the trial has no checkpoint, or none with such a value.
            StoreError: the run's database cannot be read any more.
        """
        if mode not in ("min", "max"):
            raise QueryError(f"mode={mode!r}: choose 'min' or 'max'")
        checkpoints = self.best_checkpoints
        if not checkpoints:
            raise NoResultsError(f"{self.name} has no checkpoint")
        scored = [(place, judged_number(metric_value(metrics, metric))) for place, metrics in checkpoints]
        ranked = [(place, value) for place, value in scored if value is not None and not is_nan(value)]
        if not ranked:
            names = sorted({name for _, metrics in checkpoints for name in flattened(metrics)})
            raise NoResultsError(
                f"no checkpoint of {self.name} was reported with a number as {metric!r}: there are {', '.join(map(repr, names))}"
            )
        better = min if mode == "min" else max
        return better(ranked, key=lambda pair: pair[1])[0]

    def __repr__(self) -> str:
        if self._replicates:  # Means, of which no single trial's id, state or folder says anything.
            done = sum(one.ended_well for one in self._replicates)
            count = len(self._replicates)
            first = [
                f"name={self.name!r}",
                f"replicates={count}" if done == count else f"replicates={count} ({done} done)",
            ]
        else:
            first = [f"trial_id={self.trial_id!r}", f"state={self.state}"]
        lines = [
            *first,
            f"metrics={safe_repr(self.metrics)}",
            f"config={safe_repr(self.config)}",
            *([f"params={safe_repr(self.params)}"] if self.params else []),
        ]
        if not self._replicates:
            error = self.error if self.error is None else _last_line(self.error)
            lines += [f"error={error!r}", f"path={str(self.path)!r}"]
        return "Result(\n" + "".join(f"  {line},\n" for line in lines) + ")"


class _Copied:
    """A field of a `Result` that is stored once: each access makes a copy, so that changing one changes no result."""

    def __init__(self, name: str, copy: Callable[[Any], Any]) -> None:
        self._stored, self._copy = f"_stored_{name}", copy

    def __get__(self, result: Result, owner: type) -> Any:
        return self._copy(result.__dict__[self._stored])

    def __set__(self, result: Result, stored: Mapping[str, Any] | None) -> None:
        result.__dict__[self._stored] = stored


# Not in the class, where a dataclass would take them for the default values of fields.
Result.metrics = _Copied("metrics", plain_copy)  # type: ignore[assignment]
Result.config = _Copied("config", restored)  # type: ignore[assignment]
Result.params = _Copied("params", restored)  # type: ignore[assignment]


def path_or_url(address: str) -> Path | str:
    """Return the address of a checkpoint as a path, or as the URL that it is."""
    return address if "://" in address else Path(address)


def histories(results: Sequence[Result]) -> list[list[dict[str, Any]]]:
    """Return the `metrics_history` of each of `results`, in their order; each run is opened once.

    Raises:
        StoreError: the database of a run cannot be read.
    """
    by_reader: dict[RunReader, list[str]] = {}
    for result in results:
        by_reader.setdefault(result._reader, []).append(result.key)
    found = {reader: reader.histories(keys) for reader, keys in by_reader.items()}
    return [completed(found[result._reader][result.key], _final(result)) for result in results]


def _final(result: Result) -> dict[str, Any] | None:
    # A result that stands for several has the mean of their metrics: the reports are those of one.
    return next((one for one in result.replicates if one.key == result.key), result).metrics


def _last_line(text: str) -> str:
    return text.rstrip().rpartition("\n")[2]
