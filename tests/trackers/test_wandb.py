"""W&B: offline files, read back; a server that stands for W&B; servers that are broken."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_sweep.errors import SweepError
from pytest_sweep.model import TrialState
from pytest_sweep.model.events import TrialStarted
from pytest_sweep.trackers.base import TrackerDown
from pytest_sweep.trackers.wandb import _QUIET, WandbTracker
from tests.support.runs import begin_run, trial
from tests.trackers.fake_wandb import FakeWandb, offline_runs
from tests.trackers.playing import BEGAN, SWEEP, Played, broken, refused, report, run_of, values_of

wandb = pytest.importorskip("wandb")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Wandb writes to the test's folder, and its process ends with the test."""
    folder = tmp_path / "w"
    folder.mkdir()
    monkeypatch.setenv("WANDB_DIR", str(folder))
    monkeypatch.setattr("pytest_sweep.trackers.wandb._SECONDS", 3)
    yield folder
    wandb.teardown()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeWandb]:
    """A server that wandb takes for W&B, in online mode."""
    found = FakeWandb()
    online(monkeypatch, found.url)
    yield found
    found.close()


def online(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    assert url.startswith("http://127.0.0.1:")
    wandb.teardown()
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_BASE_URL", url)
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)


def played(folder: Path, reports: list[Any]) -> Played:
    """Return a run of one trial that has reported this, and goes on."""
    store = begin_run(folder / "results", [], trials=[trial(0, SWEEP)])
    store.record([TrialStarted(trial(0).key, 1, BEGAN, "host:1"), *reports])
    store.close()
    return Played(store.path)


def steps(history: list[dict[str, Any]]) -> list[tuple[int, float]]:
    return [(row["training_iteration"], row["loss"]) for row in history]


class TestOffline:
    def test_read_back(self, tmp_path: Path, own_folder: Path) -> None:
        """Each trial is a W&B run with all its reports at their own times, in the group of the session, all from one process."""
        run = Played(run_of(tmp_path / "results", 10, 100))
        run.play(WandbTracker(), {"project": "mine"})
        found = offline_runs(own_folder)
        assert set(found) == {one.id for one in run.trials()}
        for one in run.trials():
            its, stored = found[one.id], run.reports[one.key]
            assert {row["training_iteration"]: row["loss"] for row in its.history} == values_of(stored, "loss")
            assert {row["training_iteration"]: row["val/acc"] for row in its.history} == {
                i: i / 100 for i in range(1, 101)
            }
            assert {row["training_iteration"]: row["_timestamp"] for row in its.history} == values_of(
                stored, "timestamp"
            )
            assert [row["_step"] for row in its.history] == [*range(1, 101)]
            [about] = its.started
            assert (about.display_name, about.run_group, about.job_type, about.project) == (
                one.name, run.run.origin, "train", "mine",
            )  # fmt: skip
            config = its.config()
            assert (config["lr"], config["pytest_sweep"]["key"]) == (one.stored.config["lr"], one.key)
            assert (its.exit_codes, its.summary["sweep/state"]) == ([0], "TERMINATED")

    def test_resumed(self, tmp_path: Path, own_folder: Path) -> None:
        """A trial that goes on in another process or run is the same W&B run, with the rest of it in a second folder."""
        run = played(tmp_path, [report(0, i, loss=float(i)) for i in range(1, 11)])
        [one], reports = run.trials(), run.reports[trial(0).key]
        for logged, part in ((0, reports[:6]), (6, reports[6:])):
            tracker = WandbTracker()
            tracker.open(run.run, {})
            remote = tracker.begin(replace(one, logged=logged), one.id if logged else None)
            tracker.log(remote, part)
            tracker.end(remote, replace(one, stored=replace(one.stored, state=TrialState.INTERRUPTED)))
            tracker.close(run.run)
        assert len(list(own_folder.glob("wandb/offline-run-*"))) == 2
        [its] = offline_runs(own_folder).values()
        assert steps(its.history) == [(i, float(i)) for i in range(1, 11)]
        assert [row["_step"] for row in its.history] == [*range(1, 11)]
        assert its.exit_codes == [255, 255]

    def test_a_restarted_attempt(self, tmp_path: Path, own_folder: Path) -> None:
        """Iterations that come once more are there once more, and none is dropped for its step; what is returned comes last."""
        run = played(tmp_path, [report(0, i, loss=float(i)) for i in range(1, 6)])
        [one], tracker, reports = run.trials(), WandbTracker(), run.reports[trial(0).key]
        tracker.open(run.run, {})
        remote = tracker.begin(one, None)
        tracker.log(remote, reports)
        tracker.restart(remote, 3)
        tracker.log(remote, [replace(its, attempt=2) for its in reports[2:]])
        tracker.log(remote, [replace(reports[-1], id=0, metrics={"best": 7.0})])
        tracker.end(remote, one)
        tracker.close(run.run)
        [its] = offline_runs(own_folder).values()
        assert [row["training_iteration"] for row in its.history] == [1, 2, 3, 4, 5, 3, 4, 5, 5]
        assert its.history[-1]["best"] == 7.0

    def test_values(self, tmp_path: Path, own_folder: Path) -> None:
        """NaN, infinities and names that W&B keeps for itself arrive; texts and how it ended are in the summary."""
        values: dict[str, Any] = {
            "nan": math.nan,
            "inf": math.inf,
            "huge": 10**400,
            "yes": True,
            "_step": 7.0,
            "": 8.0,
            "ü\ud800": 9.0,
            "x": {"y": 1.0},
        }
        run = played(tmp_path, [report(0, 1, **values)])
        [one], tracker = run.trials(), WandbTracker()
        tracker.open(run.run, {})
        remote = tracker.begin(one, None)
        tracker.log(remote, run.reports[one.key])
        failed = replace(
            one.stored, state=TrialState.ERROR, error="ValueError: boom", metrics={"text": "a", "list": [1]}
        )
        tracker.end(remote, replace(one, stored=failed))
        tracker.close(run.run)
        [its] = offline_runs(own_folder).values()
        [row] = its.history
        assert math.isnan(float(row["nan"]))
        assert float(row["inf"]) == float(row["huge"]) == math.inf
        assert (row["yes"], row["metrics/_step"], row["metrics/"], row["ü\\ud800"], row["x/y"], row["_step"]) == (
            1,
            7,
            8,
            9,
            1,
            1,
        )
        assert (its.summary["text"], its.summary["list"], its.summary["sweep/error"]) == (
            "a",
            "[1]",
            "ValueError: boom",
        )
        assert its.exit_codes == [1]

    def test_other_runs_in_the_environment(
        self, tmp_path: Path, own_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What a W&B agent sets for its own run is not taken for ours."""
        monkeypatch.setenv("WANDB_RUN_ID", "other")
        monkeypatch.setenv("WANDB_SWEEP_ID", "sweep")
        monkeypatch.setenv("WANDB_RUN_GROUP", "group")
        run = Played(run_of(tmp_path / "results", 2, 1))
        run.play(WandbTracker())
        found = offline_runs(own_folder)
        assert set(found) == {one.id for one in run.trials()}
        assert {(its.started[0].run_group, its.started[0].sweep_id) for its in found.values()} == {(run.run.origin, "")}


class TestOnline:
    def test_uploaded(self, server: FakeWandb, tmp_path: Path) -> None:
        """Online, everything is with W&B when a trial has ended."""
        run = Played(run_of(tmp_path / "results", 3, 50))
        run.play(WandbTracker())
        for one in run.trials():
            assert {row["training_iteration"]: row["loss"] for row in server.runs[one.id].history} == values_of(
                run.reports[one.key], "loss"
            )
            assert server.runs[one.id].exit_codes == [0]
            first = server.runs[one.id].upserts[0]
            assert (first["groupName"], first["jobType"], first["displayName"]) == (run.run.origin, "train", one.name)

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # Of runs that nobody finishes.
    def test_another_process(self, server: FakeWandb, tmp_path: Path) -> None:
        """What a process that was killed had not uploaded comes again, restarts included, and what it had is not there twice."""
        again = [report(0, i, 2, loss=float(i)) for i in range(5, 21)]
        run = played(tmp_path, [*(report(0, i, loss=float(i)) for i in range(1, 21)), *again])
        [one], reports = run.trials(), run.reports[trial(0).key]
        for logged, part in ((0, reports[:10]), (10, reports[10:24]), (8, reports[24:])):
            wandb.teardown()
            tracker = WandbTracker()
            tracker.open(run.run, {})
            remote = tracker.begin(replace(one, logged=logged), one.id if logged else None)
            tracker.log(remote, part)
        tracker.end(remote, one)
        assert [row["training_iteration"] for row in server.runs[one.id].history] == [*range(1, 21), *range(5, 21)]

    @pytest.mark.parametrize("mode", ["hang", "drop", "500", "429"])
    def test_down_while_a_trial_runs(self, mode: str, server: FakeWandb, tmp_path: Path) -> None:
        """When uploads fail, the end of a trial says that W&B is down, until W&B has everything; logging does not wait."""
        run = played(tmp_path, [report(0, i, loss=float(i)) for i in range(1, 21)])
        [one], tracker = run.trials(), WandbTracker()
        tracker.open(run.run, {})
        remote = tracker.begin(one, None)
        server.upload = mode
        began = time.monotonic()
        tracker.log(remote, run.reports[one.key])
        assert time.monotonic() - began < 2
        began = time.monotonic()
        with pytest.raises(TrackerDown, match="has not taken all of train"):
            tracker.end(remote, one)
        assert time.monotonic() - began < 10
        server.upload = None
        server.closing.set()
        for _ in range(20):
            try:
                tracker.end(remote, one)
                break
            except TrackerDown:
                continue
        assert steps(server.runs[one.id].history) == [(i, float(i)) for i in range(1, 21)]


class TestFaults:
    @pytest.mark.parametrize("mode", ["hang", "drop", "429", "500", "503"])
    def test_a_broken_server(self, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The begin of a trial says within seconds that W&B is down, and leaves no folder behind."""
        monkeypatch.setitem(_QUIET, "init_timeout", 3)
        run = played(tmp_path, [])
        with broken(mode) as server:
            online(monkeypatch, server.url)
            tracker = WandbTracker()
            tracker.open(run.run, {})
            began = time.monotonic()
            with pytest.raises(TrackerDown, match="W&B cannot be used now"):
                tracker.begin(run.trials()[0], None)
            assert time.monotonic() - began < 15
            wandb.teardown()

    def test_no_server_and_no_right(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """An address where nobody listens is down; credentials that are refused, or not there, are no reason to try again."""
        monkeypatch.setitem(_QUIET, "init_timeout", 3)
        run = played(tmp_path, [])
        [one], tracker = run.trials(), WandbTracker()
        tracker.open(run.run, {})
        online(monkeypatch, refused())
        with pytest.raises(TrackerDown, match="refused"):
            tracker.begin(one, None)
        with broken("401") as server:
            online(monkeypatch, server.url)
            with pytest.raises(SweepError, match="refuses the run of train") as caught:
                tracker.begin(one, None)
            assert not isinstance(caught.value, TrackerDown)
            wandb.teardown()
        monkeypatch.delenv("WANDB_API_KEY")
        monkeypatch.setenv("NETRC", str(tmp_path / "none"))
        with pytest.raises(SweepError, match="WANDB_API_KEY"):
            tracker.begin(one, None)

    def test_settings(self) -> None:
        """Settings are checked before the run."""
        with pytest.raises(SweepError, match="no mode 'off'"):
            WandbTracker.check({"mode": "off"})
        with pytest.raises(SweepError, match="no setting 'projekt'"):
            WandbTracker.check({"projekt": "x"})
