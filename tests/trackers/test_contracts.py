"""The contract of trackers, with MLflow, W&B and Trackio: read back by their own readers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_sweep.model import TrialState
from pytest_sweep.model.metrics import AUTO_METRICS
from pytest_sweep.store import RunReader
from pytest_sweep.testing.tracked_runs import make_run, resume
from pytest_sweep.testing.tracker_contract import TrackerContract, remotes
from pytest_sweep.trackers.base import Tracker, numbers
from pytest_sweep.trackers.mlflow import MLflowTracker
from pytest_sweep.trackers.trackio import TrackioTracker
from pytest_sweep.trackers.wandb import WandbTracker
from tests.trackers.conftest import MLflowServer
from tests.trackers.fake_wandb import FakeWandb


def own(values: Mapping[str, object]) -> dict[str, float]:
    return {name: value for name, value in numbers(values).items() if name not in AUTO_METRICS}


class NothingIsDeleted(TrackerContract):
    """Of a service that deletes nothing: what was thrown away stays."""

    can_forget = False

    def test_a_resumed_run(self, tmp_path: Path) -> None:
        """A run that resumes another one goes on with its trials where they are; what it has reported is there beside what was before."""
        first = make_run(tmp_path)
        self._send(first, tmp_path)
        before = remotes(first)
        again = resume(first)
        self._send(again, tmp_path)
        after = remotes(again)
        assert {key: after[key] for key in before} == before
        for key, history in RunReader(again).histories(list(after)).items():
            there = self.received(after[key])
            for metrics in history:
                points = [values for iteration, values in there if iteration == metrics["training_iteration"]]
                assert metrics["loss"] in [pytest.approx(values.get("loss")) for values in points]
        for stored in RunReader(again).trials():
            assert self.ended(after[stored.key]) == self.expected_end(stored.state)


class TestMLflow(NothingIsDeleted):
    @pytest.fixture(autouse=True)
    def use_server(self, mlflow_server: MLflowServer) -> None:
        """Use the server."""
        from mlflow import MlflowClient

        self.url = mlflow_server.url
        self.client = MlflowClient(self.url)

    def make_tracker(self) -> Tracker:
        return MLflowTracker()

    def settings(self, folder: Path) -> Mapping[str, str]:
        return {"uri": self.url, "experiment": str(folder)}

    def received(self, remote: str) -> Sequence[tuple[int, Mapping[str, float]]]:
        points = [
            point
            for name in self.client.get_run(remote).data.metrics
            for point in self.client.get_metric_history(remote, name)
            if name not in AUTO_METRICS
        ]
        points.sort(key=lambda point: (point.timestamp, point.step))
        return [(point.step, {point.key: point.value}) for point in points]

    def ended(self, remote: str) -> str | None:
        return str(self.client.get_run(remote).info.status)

    def expected_end(self, state: TrialState) -> str | None:
        return {TrialState.ERROR: "FAILED", TrialState.INTERRUPTED: "KILLED"}.get(state, "FINISHED")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # Of runs that nobody finishes.
class TestWandb(NothingIsDeleted):
    """Online, with what stands for W&B."""

    # A hundred starts of wandb's process: test_following.py kills the real follower instead.
    test_death_at_every_call = None  # type: ignore[assignment]
    test_down_at_every_call = None  # type: ignore[assignment]

    @pytest.fixture(autouse=True)
    def use_server(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Have a server that wandb takes for W&B."""
        import wandb

        wandb.teardown()
        self.server = FakeWandb()
        for name, value in {
            "WANDB_MODE": "online",
            "WANDB_BASE_URL": self.server.url,
            "WANDB_API_KEY": "a" * 40,
            "WANDB_DIR": str(tmp_path),
        }.items():
            monkeypatch.setenv(name, value)
        yield
        wandb.teardown()
        self.server.close()

    def make_tracker(self) -> Tracker:
        import wandb

        wandb.teardown()  # It dies with the process that is killed.
        return WandbTracker()

    def settings(self, folder: Path) -> Mapping[str, str]:  # noqa: ARG002 - the suite's
        return {"project": "contract"}

    def received(self, remote: str) -> Sequence[tuple[int, Mapping[str, float]]]:
        its = self.server.runs[remote].history
        assert [row["_step"] for row in its] == sorted({row["_step"] for row in its})
        return [
            (row["training_iteration"], {k: float(v) for k, v in row.items() if k not in AUTO_METRICS and k[:1] != "_"})
            for row in its
        ]

    def ended(self, remote: str) -> str | None:
        return str(self.server.runs[remote].exit_codes[-1])

    def expected_end(self, state: TrialState) -> str | None:
        return {TrialState.ERROR: "1", TrialState.INTERRUPTED: "255"}.get(state, "0")


class TestTrackio(NothingIsDeleted):
    @pytest.fixture(autouse=True)
    def use_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have the databases in the test's folder."""
        monkeypatch.setattr("trackio.sqlite_storage.TRACKIO_DIR", tmp_path / "trackio")

    def make_tracker(self) -> Tracker:
        return TrackioTracker()

    def settings(self, folder: Path) -> Mapping[str, str]:
        self.project = folder.name
        return {"project": self.project}

    def received(self, remote: str) -> Sequence[tuple[int, Mapping[str, float]]]:
        rows = self._rows(remote)
        return [
            (row["step"], own({k: v for k, v in row.items() if k != "step"}))
            for row in rows
            if "sweep/state" not in row
        ]

    def ended(self, remote: str) -> str | None:
        return str([row["sweep/state"] for row in self._rows(remote) if "sweep/state" in row][-1])

    def expected_end(self, state: TrialState) -> str | None:
        return "TERMINATED" if state is TrialState.CACHED else state.value  # Which is not sent again.

    def _rows(self, remote: str) -> list[dict[str, Any]]:
        import trackio

        return list(trackio.SQLiteStorage.get_logs(self.project, run_id=remote))
