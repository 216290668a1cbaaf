"""Trackio: its local database and its own server, both read back by its own storage; servers that are broken."""

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import sys
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
from pytest_sweep.trackers.trackio import TrackioTracker
from tests.support.runs import begin_run, trial
from tests.trackers.playing import BEGAN, SWEEP, Played, broken, refused, report, run_of, values_of

trackio = pytest.importorskip("trackio")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Trackio's databases are in the test's folder: it reads TRACKIO_DIR when it is imported."""
    monkeypatch.setattr("trackio.sqlite_storage.TRACKIO_DIR", tmp_path / "trackio")
    return tmp_path / "trackio"


def played(folder: Path, reports: list[Any]) -> Played:
    """Return a run of one trial that has reported this, and goes on."""
    store = begin_run(folder / "results", [], trials=[trial(0, SWEEP)])
    store.record([TrialStarted(trial(0).key, 1, BEGAN, "host:1"), *reports])
    store.close()
    return Played(store.path)


def rows_of(run_id: str, project: str = "mine") -> list[dict[str, Any]]:
    return list(trackio.SQLiteStorage.get_logs(project, run_id=run_id))


class TestLocal:
    def test_read_back(self, tmp_path: Path) -> None:
        """Each trial is a run with all its reports at their own times, in the group of the session."""
        run = Played(run_of(tmp_path / "results", 5, 100))
        run.play(TrackioTracker(), {"project": "mine"})
        assert {one["name"] for one in trackio.SQLiteStorage.get_run_records("mine")} == {
            one.name for one in run.trials()
        }
        for one in run.trials():
            *rows, last = rows_of(one.id)
            stored = run.reports[one.key]
            assert {row["step"]: row["loss"] for row in rows} == values_of(stored, "loss")
            assert [row["val/acc"] for row in rows] == [i / 100 for i in range(1, 101)]
            assert rows[0]["timestamp"].startswith("2023-11-14T22:13:21")
            assert (last["sweep/state"], last["step"]) == ("TERMINATED", 100)
            config = trackio.SQLiteStorage.get_run_config("mine", one.name, run_id=one.id)
            assert (config["lr"], config["sweep/key"], config["_Group"]) == (
                one.stored.config["lr"], one.key, run.run.origin,
            )  # fmt: skip

    def test_twice_is_once(self, tmp_path: Path) -> None:
        """What a new process sends once more is there once; a repeated iteration of another attempt is there, too."""
        run = played(tmp_path, [report(0, i, loss=float(i)) for i in range(1, 11)])
        [one], reports = run.trials(), run.reports[trial(0).key]
        for part in (reports[:6], reports[3:]):
            tracker = TrackioTracker()
            tracker.open(run.run, {"project": "mine"})
            remote = tracker.begin(one, None)
            tracker.log(remote, part)
        tracker.restart(remote, 9)
        tracker.log(remote, [replace(its, attempt=2) for its in reports[8:]])
        assert sorted(row["step"] for row in rows_of(one.id)) == [*range(1, 10), 9, 10, 10]

    def test_values(self, tmp_path: Path) -> None:
        """NaN, infinities, strange names and huge integers arrive; texts are in the last row, with how it ended."""
        values: dict[str, Any] = {
            "nan": math.nan,
            "inf": math.inf,
            "huge": 10**400,
            "yes": True,
            "": 8.0,
            "half\ud800": 9.0,
            "x": {"y": 1.0},
        }
        run = played(tmp_path, [report(0, 1, **values)])
        [one], tracker = run.trials(), TrackioTracker()
        tracker.open(run.run, {"project": "mine"})
        remote = tracker.begin(replace(one, stored=replace(one.stored, config={"_a": 10**30, "b": "\ud800"})), None)
        tracker.log(remote, run.reports[one.key])
        failed = replace(one.stored, state=TrialState.ERROR, error="ValueError: boom", metrics={"text": "a"})
        tracker.end(remote, replace(one, stored=failed))
        row, last = rows_of(one.id)
        assert math.isnan(row["nan"])
        assert row["inf"] == row["huge"] == math.inf
        assert (row["yes"], row[""], row["half\\ud800"], row["x/y"]) == (1, 8, 9, 1)
        assert (last["text"], last["sweep/state"], last["sweep/error"]) == ("a", "ERROR", "ValueError: boom")

    def test_a_folder_that_cannot_be_written(self, tmp_path: Path, own_folder: Path) -> None:
        """A database that cannot be written is tried again."""
        own_folder.write_text("no folder")
        run = played(tmp_path, [report(0, 1, loss=1.0)])
        [one], tracker = run.trials(), TrackioTracker()
        tracker.open(run.run, {"project": "mine"})
        with pytest.raises(TrackerDown, match="cannot be written"):
            tracker.log(tracker.begin(one, None), run.reports[one.key])

    def test_settings(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Settings are checked before the run."""
        with pytest.raises(SweepError, match="no setting 'projekt'"):
            TrackioTracker.check({"projekt": "x"})
        with pytest.raises(SweepError, match="begins with http"):
            TrackioTracker.check({"server": "host:7860"})
        monkeypatch.setenv("TRACKIO_SPACE_ID", "me/space")
        with pytest.raises(SweepError, match="trackio sync"):
            TrackioTracker.check({})


@pytest.fixture
def server(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Trackio's own server, on the same databases."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = (
        "import os, sys, uvicorn, trackio; app, token = trackio.build_starlette_app_only()[:2]; "
        "print('TOKEN', token, flush=True); uvicorn.run(app, host='127.0.0.1', port=int(sys.argv[1]), log_level='warning')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(port)],
        env={**os.environ, "TRACKIO_DIR": str(own_folder), "TRACKIO_WRITE_TOKEN": "token"},
        stdout=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.2)
    monkeypatch.setenv("TRACKIO_WRITE_TOKEN", "token")
    yield f"http://127.0.0.1:{port}"
    process.send_signal(signal.SIGKILL)
    process.communicate()


class TestServer:
    def test_its_own_server(self, server: str, tmp_path: Path) -> None:
        """A Trackio server gets all reports, and each once."""
        run = Played(run_of(tmp_path / "results", 2, 50))
        for _ in range(2):
            run.play(TrackioTracker(), {"project": "mine", "server": server})
        for one in run.trials():
            *rows, last = rows_of(one.id)
            assert {row["step"]: row["loss"] for row in rows} == values_of(run.reports[one.key], "loss")
            assert (len(rows), last["sweep/state"]) == (50, "TERMINATED")

    @pytest.mark.parametrize("mode", ["hang", "drop", "429", "500", "503"])
    def test_a_broken_server(self, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The start, and each report, say within seconds that the server is down."""
        monkeypatch.setattr("pytest_sweep.trackers.trackio._SECONDS", 1.0)
        run = played(tmp_path, [report(0, 1, loss=1.0)])
        [one], tracker = run.trials(), TrackioTracker()
        with broken(mode) as server:
            began = time.monotonic()
            with pytest.raises(TrackerDown, match="cannot be used now"):
                tracker.open(run.run, {"server": server.url})
            remote = tracker.begin(one, None)
            for call in (lambda: tracker.log(remote, run.reports[one.key]), lambda: tracker.end(remote, one)):
                with pytest.raises(TrackerDown, match="cannot be used now"):
                    call()  # type: ignore[no-untyped-call]
            assert time.monotonic() - began < 30

    def test_no_server(self, tmp_path: Path) -> None:
        """An address where nobody listens is a server that is down."""
        with pytest.raises(TrackerDown, match="refused"):
            TrackioTracker().open(played(tmp_path, []).run, {"server": refused()})
