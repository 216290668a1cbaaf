"""What a run is in MLflow: an experiment for each sweep, a parent run for the session, a child run for each trial."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_sweep.errors import SweepError
from pytest_sweep.model import TrialState
from pytest_sweep.model.metrics import flattened
from pytest_sweep.store.records import StoredReport, StoredSweep
from pytest_sweep.trackers.base import (
    TrackedRun,
    TrackedTrial,
    check_settings,
    numbers,
    parameters,
    require,
    time_of,
)
from pytest_sweep.trackers.mlflow.limits import MOST_TAG

if TYPE_CHECKING:
    from pytest_sweep.trackers.mlflow.server import Server

SETTINGS = {
    "experiment": "the experiment for all sweeps; default MLFLOW_EXPERIMENT_NAME, or an experiment for each sweep, of its name",
    "uri": "the address of the server; default MLFLOW_TRACKING_URI",
}
_ADDRESS, _EXPERIMENT = "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DATABRICKS_ENDPOINT_HTTP_RETRY_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""What may be set otherwise."""

_OURS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
"""What may not: the follower repeats what has failed, and prints what there is to say."""

_ENDS = {TrialState.ERROR: "FAILED", TrialState.INTERRUPTED: "KILLED", TrialState.NOT_RUN: "KILLED"}
_INTERRUPTED = 2
_LAST_TIME = 2**63 - 1
_WITH_THE_POINT = ("training_iteration", "timestamp")
"""The metrics that are MLflow's step and time of the others."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the trials of a sweep go: the ids of an experiment, and of the parent run in it."""

    experiment: str
    parent: str


class MLflowTracker:
    """Sends runs to an MLflow tracking server. `docs/trackers.md` says what is where there."""

    def __init__(self) -> None:
        self._server: Server
        self._run: TrackedRun
        self._experiment: str | None = None
        self._places: dict[str, _Place] = {}
        self._times: dict[str, int] = {}  # Of the newest report of each trial that goes on.

    @classmethod
    def check(cls, settings: Mapping[str, str]) -> None:
        """Raise MissingExtraError without MLflow, SweepError without the address of a server or with unknown settings."""
        require("mlflow", "mlflow", "mlflow")
        check_settings("mlflow", settings, SETTINGS)
        if not (settings.get("uri") or os.environ.get(_ADDRESS)):
            raise SweepError(
                f"the tracker mlflow does not know its server: set {_ADDRESS}, or write mlflow:uri=http://HOST:5000"
            )

    def open(self, run: TrackedRun, settings: Mapping[str, str]) -> None:
        """Find or make the experiments and the parent runs."""
        self.check(settings)
        os.environ.update({name: os.environ.get(name, value) for name, value in _ENVIRONMENT.items()} | _OURS)
        from pytest_sweep.trackers.mlflow.server import Server

        self._run = run
        self._server = Server(settings.get("uri") or os.environ[_ADDRESS])
        self._experiment = settings.get("experiment") or os.environ.get(_EXPERIMENT)
        self._places.clear()
        for sweep in run.sweeps:
            self._place(sweep)

    def begin(self, trial: TrackedTrial, remote: str | None) -> str:
        """Find or make the child run of a trial, with its parameters."""
        place = self._place(trial.sweep)
        if remote is None and trial.may_exist:
            remote = self._server.find(place.experiment, trial.id)
        if remote is None or not self._server.resume(remote):
            remote = self._server.create(
                place.experiment, trial.id, trial.name, _milliseconds(trial.stored.started), self._tags(trial, place)
            )
        self._server.add_params(remote, parameters(trial))
        self._times[remote] = _milliseconds(trial.stored.started) or _milliseconds(self._run.stored.started) or 0
        return remote

    def log(self, remote: str, reports: Sequence[StoredReport]) -> None:
        """Send all metrics that are numbers, with the iteration as the step."""
        points = []
        for report in reports:
            values = numbers(report.metrics, automatic=True)
            for name in _WITH_THE_POINT:
                values.pop(name, None)
            time = _milliseconds(time_of(report))
            time = self._times[remote] = self._times.get(remote, 0) if time is None else time
            points.append((values, time, report.iteration))
        self._server.add_metrics(remote, points)

    def restart(self, remote: str, iteration: int) -> None:
        """Say at which iteration the newest attempt has begun; MLflow deletes no metrics, so those of before stay."""
        self._server.add_tags(remote, {"sweep.restarted_at": iteration})

    def end(self, remote: str, trial: TrackedTrial) -> None:
        """Set the status, and tags for what is no metric."""
        stored = trial.stored
        others = {
            f"sweep.result.{name}": value
            for name, value in flattened(stored.metrics or {}).items()
            if not isinstance(value, (bool, int, float))
        }
        self._server.add_tags(
            remote,
            {
                **others,
                "sweep.state": stored.state.value,
                "sweep.attempts": stored.attempts,
                "sweep.error": (stored.error or "")[-MOST_TAG:] or None,  # Its end says most.
                "sweep.reason": stored.reason,
                "sweep.checkpoint": stored.checkpoint,
            },
        )
        self._server.end(remote, _ENDS.get(stored.state, "FINISHED"), _milliseconds(stored.finished))
        self._times.pop(remote, None)

    def close(self, run: TrackedRun) -> None:
        """Set how the session has ended."""
        status = run.stored.exit_status
        how = "KILLED" if status in (None, _INTERRUPTED) else "FAILED" if status else "FINISHED"
        for parent in {place.parent for place in self._places.values()}:
            self._server.end(parent, how, _milliseconds(run.stored.finished))

    def _place(self, sweep: StoredSweep) -> _Place:
        name = self._experiment or sweep.name
        if name not in self._places:
            experiment = self._server.experiment(name)
            self._places[name] = _Place(experiment, self._parent(experiment, name))
        return self._places[name]

    def _parent(self, experiment: str, name: str) -> str:
        run, stable_id = self._run.stored, self._run.id_of(name)
        found = self._server.find(experiment, stable_id)
        if found is not None and self._server.resume(found):
            return found
        tags = {
            "sweep.run": self._run.origin,
            "sweep.command": run.command,
            "sweep.executor": run.executor,
            "mlflow.source.name": run.rootdir,
            "mlflow.source.git.commit": run.git_commit,
        }
        return self._server.create(experiment, stable_id, self._run.origin, _milliseconds(run.started), tags)

    def _tags(self, trial: TrackedTrial, place: _Place) -> dict[str, Any]:
        stored, sweep = trial.stored, trial.sweep
        return {
            "mlflow.parentRunId": place.parent,
            "mlflow.source.name": stored.node_id,
            "mlflow.source.git.commit": self._run.stored.git_commit,
            "sweep.run": self._run.origin,
            "sweep.name": sweep.name,
            "sweep.key": stored.key,
            "sweep.group": stored.group_key,
            "sweep.seed": stored.seed,
            "sweep.metric": sweep.metric,
            "sweep.mode": sweep.mode if sweep.metric else None,
        }


def _milliseconds(time: float | None) -> int | None:
    """Return a time in seconds since the epoch in milliseconds; None for one that MLflow has no room for."""
    if time is None or not 0 <= time * 1000 < _LAST_TIME:
        return None
    return int(time * 1000)
