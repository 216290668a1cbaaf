"""MLflow: read back by its own client from ``mlflow server`` with SQLite, which is killed and started again; servers that are broken."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_sweep.errors import SweepError
from pytest_sweep.model import Sweep, TrialState
from pytest_sweep.model.events import TrialFinished, TrialStarted
from pytest_sweep.trackers.base import TrackerDown
from pytest_sweep.trackers.mlflow import MLflowTracker
from tests.support.runs import begin_run, trial
from tests.trackers.conftest import MLflowServer
from tests.trackers.playing import BEGAN, SWEEP, Played, broken, refused, report, run_of, values_of

pytest.importorskip("mlflow")

from mlflow import MlflowClient
from mlflow.entities import Run


@pytest.fixture
def client(mlflow_server: MLflowServer, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server.url)
    return MlflowClient(mlflow_server.url)


def runs_of(client: MlflowClient, experiment: str) -> dict[str, Run]:
    found = client.get_experiment_by_name(experiment)
    return {} if found is None else {run.info.run_name: run for run in client.search_runs([found.experiment_id])}


def history(client: MlflowClient, run: str, name: str) -> list[tuple[int, float]]:
    return [(one.step, one.value) for one in client.get_metric_history(run, name)]


def played(folder: Path, name: str, reports: list[Any], config: dict[str, Any] | None = None) -> Played:
    """Return a run of one trial of an own sweep that has reported this, and goes on."""
    sweep = replace(SWEEP, id=f"test_models.py::{name}", name=name)
    store = begin_run(folder, [], trials=[trial(0, sweep, config)])
    store.record([TrialStarted(trial(0).key, 1, BEGAN, "host:1"), *reports])
    store.close()
    return Played(store.path)


class TestRuns:
    def test_experiment_parent_and_children(self, client: MlflowClient, tmp_path: Path) -> None:
        """A sweep is an experiment, the session a parent run, each trial a child run with all its reports at their own times."""
        run = Played(run_of(tmp_path, 3, 50))
        remotes = run.play(MLflowTracker())
        runs = runs_of(client, "train")
        parent = runs.pop(run.run.origin)
        assert set(runs) == {"train[lr=0]", "train[lr=1]", "train[lr=2]"}
        for one in run.trials():
            child = runs[one.name]
            assert child.info.run_id == remotes[one.key]
            assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
            assert child.data.params == {"lr": str(one.stored.config["lr"])}
            assert child.info.status == "FINISHED"
            assert (child.info.start_time, child.info.end_time) == (1_700_000_000_000, 1_700_000_050_000)
            stored = run.reports[one.key]
            points = client.get_metric_history(child.info.run_id, "loss")
            assert {point.step: point.value for point in points} == values_of(stored, "loss")
            assert {point.step: point.timestamp for point in points} == {
                step: int(at * 1000) for step, at in values_of(stored, "timestamp").items()
            }
            assert len(points) == len(client.get_metric_history(child.info.run_id, "val/acc")) == 50
        assert set(child.data.metrics) == {"loss", "val/acc", "time_total_s", "time_this_iter_s"}

    def test_twice_is_once(self, client: MlflowClient, tmp_path: Path) -> None:
        """A new process finds the experiment, the parent and the children again, and what it sends once more is there once."""
        run = played(tmp_path, "twice", [report(0, i, loss=i / 7) for i in range(1, 31)])
        remotes = run.play(MLflowTracker())
        second = MLflowTracker()
        second.open(run.run, {})
        [one] = run.trials(may_exist=True)
        assert second.begin(one, None) == remotes[one.key]
        second.log(remotes[one.key], run.reports[one.key])
        third = MLflowTracker()
        third.open(run.run, {})
        assert third.begin(one, remotes[one.key]) == remotes[one.key]
        third.log(remotes[one.key], run.reports[one.key][10:])
        assert history(client, remotes[one.key], "loss") == [(i, i / 7) for i in range(1, 31)]
        runs = runs_of(client, "twice")
        assert len(runs) == 2
        assert {run.info.status for run in runs.values()} == {"RUNNING"}

    def test_how_trials_and_sessions_end(self, client: MlflowClient, tmp_path: Path) -> None:
        """A failure is FAILED with the end of its text, what was cut off is KILLED, and the parent tells of the session."""
        sweep = replace(SWEEP, name="ends")
        store = begin_run(tmp_path, [], trials=[trial(number, sweep) for number in range(3)])
        error = "x" * 9000 + "\nValueError: boom"
        store.record([TrialStarted(trial(number).key, 1, BEGAN, "host:1") for number in range(3)])
        store.record([
            TrialFinished(trial(0).key, 1, TrialState.ERROR, None, error, 1.0, BEGAN + 1),
            TrialFinished(trial(1).key, 1, TrialState.TERMINATED, {"loss": 1.0, "best": "a", "sizes": [1, 2]}, None, 1.0, BEGAN),
        ])  # fmt: skip
        store.finish(1, BEGAN + 10)
        store.close()
        run = Played(store.path)
        run.play(MLflowTracker())
        runs = runs_of(client, "ends")
        ends = {name: (one.info.status, one.data.tags["sweep.state"]) for name, one in runs.items() if "[" in name}
        assert ends == {
            "ends[lr=0]": ("FAILED", "ERROR"),
            "ends[lr=1]": ("FINISHED", "TERMINATED"),
            "ends[lr=2]": ("KILLED", "INTERRUPTED"),
        }
        failed = runs["ends[lr=0]"]
        assert failed.data.tags["sweep.error"].endswith("ValueError: boom")
        tags = runs["ends[lr=1]"].data.tags
        assert (tags["sweep.result.best"], tags["sweep.result.sizes"]) == ("a", "[1, 2]")
        parent = runs[run.run.origin].info
        assert (parent.status, parent.end_time) == ("FAILED", 1_700_000_010_000)
        tracker = MLflowTracker()
        tracker.open(run.run, {})
        tracker.begin(run.trials()[0], failed.info.run_id)
        assert "sweep.error" not in client.get_run(failed.info.run_id).data.tags

    def test_a_restarted_attempt(self, client: MlflowClient, tmp_path: Path) -> None:
        """What an attempt that was thrown away has logged stays, and a tag says where the next one began."""
        run = played(tmp_path, "again", [])
        [one], tracker = run.trials(), MLflowTracker()
        tracker.open(run.run, {})
        remote = tracker.begin(one, None)
        stored = Played(run_of(tmp_path / "other", 1, 5)).reports[trial(0).key]
        tracker.log(remote, stored)
        tracker.restart(remote, 3)
        later = [
            replace(one, attempt=2, metrics={**one.metrics, "loss": 9.0, "timestamp": BEGAN + 50}) for one in stored
        ]
        tracker.log(remote, later[2:])
        assert sorted(step for step, _ in history(client, remote, "loss")) == [1, 2, 3, 3, 4, 4, 5, 5]
        found = client.get_run(remote)
        assert found.data.tags["sweep.restarted_at"] == "3"
        assert found.data.metrics["loss"] == 9.0

    def test_one_experiment_for_all(self, client: MlflowClient, tmp_path: Path) -> None:
        """With experiment= all sweeps are there, below one parent."""
        other = Sweep("test_models.py::other", "other")
        store = begin_run(tmp_path, [], trials=[trial(0, SWEEP), trial(1, other)])
        store.record([TrialStarted(trial(number).key, 1, BEGAN, "host:1") for number in (0, 1)])
        store.close()
        run = Played(store.path)
        run.play(MLflowTracker(), {"experiment": "nightly"})
        assert set(runs_of(client, "nightly")) == {run.run.origin, "train[lr=0]", "other[lr=1]"}

    def test_environment_and_deleted_things(
        self, client: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """MLFLOW_EXPERIMENT_NAME is taken, MLFLOW_RUN_ID is not; a deleted run is made anew; a deleted experiment is a sentence."""
        monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
        monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)
        run = played(tmp_path, "deleted", [report(0, 1, loss=1.0)])
        [remote] = run.play(MLflowTracker()).values()
        assert len(runs_of(client, "mine")) == 2
        client.delete_run(remote)
        tracker = MLflowTracker()
        tracker.open(run.run, {})
        [one] = run.trials()
        again = tracker.begin(one, remote)
        assert again != remote
        assert tracker.begin(one, "f" * 32) not in (again, remote)
        found = client.get_experiment_by_name("mine")
        assert found is not None
        client.delete_experiment(found.experiment_id)
        with pytest.raises(SweepError, match=r"'mine' .* is deleted: restore it"):
            MLflowTracker().open(run.run, {})


class TestValues:
    def test_what_numbers_there_are(self, client: MlflowClient, tmp_path: Path) -> None:
        """NaN, infinities, huge integers and booleans are there, too, and names that MLflow refuses get others."""
        values: dict[str, Any] = {
            "nan": math.nan, "inf": math.inf, "huge": 10**400, "yes": True, "acc@1": 1.0, "p<": 2.0, "p>": 3.0, "/a//b": 4.0,
            "..": 5.0, "": 6.0, "ünïcode": 7.0, "long" * 100: 8.0, "text": "x",
            "none": None, "half\ud800": 9.0, "list": [1.0], "x": {"y": 10.0},
        }  # fmt: skip
        run = played(tmp_path, "values", [report(0, 1, **values)])
        [remote] = run.play(MLflowTracker()).values()
        metrics = client.get_run(remote).data.metrics
        del metrics["time_total_s"], metrics["time_this_iter_s"]
        assert math.isnan(metrics.pop("nan"))
        assert metrics.pop("inf") > 1e300
        assert metrics.pop("huge") > 1e300
        assert (metrics["yes"], metrics["acc_1"], metrics["ünïcode"], metrics["x/y"]) == (1.0, 1.0, 7.0, 10.0)
        assert sorted(metrics.values()) == [1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]

    def test_parameters(self, client: MlflowClient, tmp_path: Path) -> None:
        """Nested configurations are flat, long values are cut, 300 of them are not too many, and none is lost for its name."""
        config = {
            "lr": 0.1, "optimizer": {"name": "adam", "betas": [0.9, 0.999]}, "none": None, "long": "ü" * 50_000, "nul": "a\0b",
            "a(b": 1, "a)b": 2, **{f"p{number}": "💥" * 6000 for number in range(300)},
        }  # fmt: skip
        run = played(tmp_path, "params", [], config)
        [remote] = run.play(MLflowTracker()).values()
        params = client.get_run(remote).data.params
        assert len(params) == 308
        assert (params["lr"], params["optimizer/name"], params["optimizer/betas"]) == ("0.1", "adam", "[0.9, 0.999]")
        assert (len(params["long"]), params["nul"], params["none"]) == (6000, "a\\x00b", "None")
        assert {value for name, value in params.items() if name.startswith("a_b")} == {"1", "2"}

    def test_changed_parameters(self, client: MlflowClient, tmp_path: Path) -> None:
        """A value that MLflow has another one for stays there, the new one is a tag, and the others are added."""
        run = played(tmp_path, "changed", [], {"lr": 0.1})
        [one], tracker = run.trials(), MLflowTracker()
        tracker.open(run.run, {})
        remote = tracker.begin(one, None)
        other = replace(one, stored=replace(one.stored, config={"lr": 0.2, "new": 1}))
        assert tracker.begin(other, remote) == remote
        data = client.get_run(remote).data
        assert (data.params, data.tags["sweep.changed.lr"]) == ({"lr": "0.1", "new": "1"}, "0.2")

    def test_more_metrics_than_a_request_takes(self, client: MlflowClient, tmp_path: Path) -> None:
        """A report of 2,500 metrics with long names arrives as a whole."""
        metrics: dict[str, Any] = {f"{'n' * 240}{i:04}": float(i) for i in range(2500)}
        run = played(tmp_path, "many", [report(0, 1, **metrics)])
        [remote] = run.play(MLflowTracker()).values()
        assert len(client.get_run(remote).data.metrics) == 2502


class TestFaults:
    @pytest.mark.parametrize("mode", ["hang", "drop", "429", "500", "502", "503", "200"])
    def test_a_broken_server(self, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each call says within seconds that the server is down, and raises nothing else; the text has no password in it."""
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
        run = played(tmp_path, "broken", [report(0, 1, loss=1.0)])
        with broken(mode) as server:
            tracker = MLflowTracker()
            began = time.monotonic()
            with pytest.raises(TrackerDown) as caught:
                tracker.open(run.run, {"uri": server.url.replace("//", "//me:secret@")})
            assert time.monotonic() - began < 30  # MLflow's import is in it.
            assert "secret" not in str(caught.value)
            [one] = run.trials()
            began = time.monotonic()
            for call in (
                lambda: tracker.begin(one, None),
                lambda: tracker.begin(one, "a" * 32),
                lambda: tracker.log("a" * 32, run.reports[one.key]),
                lambda: tracker.restart("a" * 32, 1),
                lambda: tracker.end("a" * 32, one),
            ):
                with pytest.raises(TrackerDown):
                    call()
            assert time.monotonic() - began < 10
            assert server.requests == 6

    def test_no_server(self, tmp_path: Path) -> None:
        """An address where nobody listens is a server that is down."""
        run = played(tmp_path, "nobody", [])
        with pytest.raises(TrackerDown, match=r"cannot be used now: .*refused"):
            MLflowTracker().open(run.run, {"uri": refused()})

    def test_credentials(self, tmp_path: Path) -> None:
        """Credentials that are refused are not tried again and again."""
        run = played(tmp_path, "nobody", [])
        with broken("401") as server, pytest.raises(SweepError, match="MLFLOW_TRACKING_TOKEN") as caught:
            MLflowTracker().open(run.run, {"uri": server.url})
        assert not isinstance(caught.value, TrackerDown)

    def test_killed_and_started_again(self, mlflow_server: MLflowServer, client: MlflowClient, tmp_path: Path) -> None:
        """A server that is killed in the middle says so at once, and what is repeated afterwards is there once."""
        run = played(tmp_path, "killed", [report(0, i, loss=float(i)) for i in range(1, 21)])
        [one], tracker = run.trials(), MLflowTracker()
        tracker.open(run.run, {})
        remote = tracker.begin(one, None)
        tracker.log(remote, run.reports[one.key][:10])
        mlflow_server.kill()
        began = time.monotonic()
        with pytest.raises(TrackerDown):
            tracker.log(remote, run.reports[one.key][5:])
        assert time.monotonic() - began < 5
        mlflow_server.start()
        tracker.log(remote, run.reports[one.key][5:])
        tracker.end(remote, one)
        assert history(client, remote, "loss") == [(i, float(i)) for i in range(1, 21)]
