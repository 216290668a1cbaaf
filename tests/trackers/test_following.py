"""Whole sessions with MLflow, W&B and Trackio, whose follower is killed ten times, and MLflow's server once."""

from __future__ import annotations

import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from pytest_sweep.store import RunReader
from pytest_sweep.store.records import StoredTrial
from pytest_sweep.trackers.base import stable_id
from tests.acceptance.project import Project
from tests.acceptance.test_tracking import followers, new_follower, written
from tests.support.sessions import Session, kill, wait_for
from tests.trackers.conftest import MLflowServer
from tests.trackers.fake_wandb import offline_runs

TRIALS, REPORTS, KILLS = 100, 100, 10


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty project."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    return Project(pytester)


class Place(NamedTuple):
    """Where a run is: the project, the run's name, its trials, and MLflow's server."""

    path: Path
    run: str
    trials: list[StoredTrial]
    server: MLflowServer | None


class Work:
    """Says when the follower has worked for a while, or has nothing more to do.

    Args:
        session: the session.
        killed: the followers that were killed.
        seconds: how long it shall work.
    """

    def __init__(self, session: Session, killed: set[int], seconds: float) -> None:
        self._session, self._killed, self._seconds = session, killed, seconds
        self._worked, self._since = 0.0, time.monotonic()

    def is_done(self) -> bool:
        """Look how long it has worked."""
        worked = sum(_worked(one) for one in followers(self._session) if one.pid not in self._killed)
        if worked != self._worked:
            self._worked, self._since = worked, time.monotonic()
        return worked > self._seconds or time.monotonic() > self._since + 5


def _worked(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def losses(history: dict[int, float]) -> list[tuple[int, float]]:
    return sorted(history.items())


class TestKilled:
    @pytest.mark.parametrize("name", ["mlflow", "wandb", "trackio"])
    def test_a_follower_that_is_killed(self, name: str, project: Project, request: pytest.FixtureRequest) -> None:
        """The follower is killed ten times, and MLflow's server once: every report is there, and once where the service can tell."""
        server: MLflowServer | None = request.getfixturevalue("mlflow_server") if name == "mlflow" else None
        environ: dict[str, Any] = {
            **written(project, TRIALS, REPORTS, KILLS),
            "MLFLOW_TRACKING_URI": server.url if server else "",
            "MLFLOW_EXPERIMENT_NAME": f"killed-{name}",
            "TRACKIO_DIR": str(project.path / "trackio"),
            "TRACKIO_PROJECT": "mine",
            "WANDB_MODE": "offline",
            "WANDB_DIR": str(project.path),
        }
        arguments = ["-p", "no:xdist", "--sweep-executor=processes", "--sweep-max-concurrent=2"]
        with closing(
            Session(project.path, *arguments, f"--sweep-track={name}", "--sweep-track-wait=1h", **environ)
        ) as session:
            killed: set[int] = set()
            for number in range(KILLS):
                wait_for(partial(new_follower, session, killed), f"follower {number}")
                # Somewhere in what it does: the imports take some of that.
                wait_for(Work(session, killed, 1.5 + number / 4).is_done, f"follower {number} to work")
                for follower in followers(session):
                    killed.add(follower.pid)
                    kill(follower.pid)
                if number == 5 and server is not None:
                    server.kill()
                    server.start()
                (project.path / f"go{number}").touch()
            assert session.process.wait(1200) == 0, session.output
        folder = project.runs()[-1]
        reader = RunReader(folder)
        trials = reader.trials()
        assert len(trials) == TRIALS
        histories = reader.histories([trial.key for trial in trials])
        read = {"mlflow": self.of_mlflow, "wandb": self.of_wandb, "trackio": self.of_trackio}[name]
        found = read(Place(project.path, folder.name, trials, server))
        for trial in trials:
            stored = [(its["training_iteration"], its["loss"]) for its in histories[trial.key]]
            assert len(stored) == REPORTS
            assert found[trial.key] == stored, trial.name

    def of_mlflow(self, place: Place) -> dict[str, list[tuple[int, float]]]:
        from mlflow import MlflowClient

        assert place.server is not None
        client = MlflowClient(place.server.url)
        experiment = client.get_experiment_by_name("killed-mlflow")
        assert experiment is not None
        runs = [one for one in client.search_runs([experiment.experiment_id]) if "sweep.key" in one.data.tags]
        assert len(runs) == len(place.trials)
        return {
            one.data.tags["sweep.key"]: [
                (point.step, point.value) for point in client.get_metric_history(one.info.run_id, "loss")
            ]
            for one in runs
        }

    def of_wandb(self, place: Place) -> dict[str, list[tuple[int, float]]]:
        found = offline_runs(place.path)
        assert len(found) == len(place.trials)
        # Offline W&B cannot tell what comes again, but says so: it has the same step.
        return {
            one.key: losses({row["_step"]: row["loss"] for row in found[stable_id(place.run, one.key)].history})
            for one in place.trials
        }

    def of_trackio(self, place: Place) -> dict[str, list[tuple[int, float]]]:
        import trackio

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("trackio.sqlite_storage.TRACKIO_DIR", place.path / "trackio")
            assert len(trackio.SQLiteStorage.get_run_records("mine")) == len(place.trials)
            return {
                one.key: [
                    (row["step"], row["loss"])
                    for row in trackio.SQLiteStorage.get_logs("mine", run_id=stable_id(place.run, one.key))
                    if "loss" in row
                ]
                for one in place.trials
            }
