"""Following a run: its reports by their numbers, and what has become of its trials since the last look."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from pytest_sweep.errors import StoreError
from pytest_sweep.model import TrialState
from pytest_sweep.model.events import Accepted, TrialFinished, TrialReported, TrialRetried, TrialStarted
from pytest_sweep.store import DATABASE, RunReader, TrialChanges
from tests.support.runs import begin_run, ended, make_run, trial

OLD = Path(__file__).parents[1] / "store_0_1_0" / "2026-11-26_06-12-04_5gnt"


def reports(key: str, count: int, first: int = 1) -> list[Accepted]:
    return [TrialReported(key, 1, {"loss": float(n), "training_iteration": n}) for n in range(first, first + count)]


class TestReports:
    def test_each_report_once_and_in_order(self, tmp_path: Path) -> None:
        """Whoever asks again with the last number gets each report once, in the order of the commits."""
        store = begin_run(tmp_path, [], trials=[trial(0), trial(1)])
        reader, cursor, seen = RunReader(store.path), 0, []
        for number in range(1, 6):
            store.record([*reports(trial(0).key, 1, number), *reports(trial(1).key, 1, number)])
            while found := reader.reports_after(cursor, 3):
                seen += found
                cursor = found[-1].id
        assert [(one.trial_key, one.iteration, one.metrics["loss"]) for one in seen] == [
            (trial(which).key, number, float(number)) for number in range(1, 6) for which in (0, 1)
        ]
        assert [one.id for one in seen] == sorted({one.id for one in seen})
        assert reader.reports_after(cursor) == []
        store.close()

    def test_the_limit(self, tmp_path: Path) -> None:
        """No more than the limit are returned, and the stream returns all of them in lists of that length."""
        folder = make_run(tmp_path, [], trials=[trial(0)], events=reports(trial(0).key, 10))
        reader = RunReader(folder)
        assert [one.iteration for one in reader.reports_after(0, 4)] == [1, 2, 3, 4]
        assert [len(batch) for batch in reader.stream_reports(batch=4)] == [4, 4, 2]
        assert [len(batch) for batch in reader.stream_reports(after=reader.reports_after(0, 7)[-1].id, batch=4)] == [3]

    def test_the_writer_does_not_wait_for_a_stream(self, tmp_path: Path) -> None:
        """While a stream is open between two lists, the writer commits, also where there is no write-ahead log; the stream sees it."""
        store = begin_run(tmp_path, [], trials=[trial(0)])
        driver = store._database._connection.connection.driver_connection
        driver.execute("PRAGMA journal_mode=DELETE").fetchall()  # type: ignore[union-attr]
        store.record(reports(trial(0).key, 4))
        stream = RunReader(store.path).stream_reports(batch=2)
        first = next(stream)
        store.record(reports(trial(0).key, 2, 5))
        assert [one.iteration for batch in (first, *stream) for one in batch] == [1, 2, 3, 4, 5, 6]
        store.close()

    def test_paths_of_checkpoints_are_complete(self, tmp_path: Path) -> None:
        """A checkpoint in the run's folder is stored relative to it, and returned as a whole path; a URL stays one."""
        store = begin_run(tmp_path, [], trials=[trial(0)])
        inside = str(store.path / "trial" / "checkpoint_1")
        store.record([
            TrialReported(trial(0).key, 1, {"training_iteration": 1}, inside),
            TrialReported(trial(0).key, 1, {"training_iteration": 2}, "s3://bucket/checkpoint_2"),
        ])  # fmt: skip
        store.close()
        found = RunReader(store.path).reports_after(0)
        assert [one.checkpoint for one in found] == [inside, "s3://bucket/checkpoint_2"]

    def test_of_an_older_schema(self, tmp_path: Path) -> None:
        """A run of 0.1.0 is streamed, too, and its file stays as it is."""
        folder = shutil.copytree(OLD, tmp_path / "run")
        before = (folder / DATABASE).read_bytes()
        found = [one for batch in RunReader(folder).stream_reports(batch=1) for one in batch]
        assert found
        assert found == RunReader(folder).reports_after(0)
        assert (folder / DATABASE).read_bytes() == before

    @pytest.mark.parametrize("text", ["{", "[1,", '"'])
    def test_what_is_no_json(self, tmp_path: Path, text: str) -> None:
        """A row that is damaged is a StoreError, which names the database and the row."""
        folder = make_run(tmp_path, [0.5])
        with closing(sqlite3.connect(folder / DATABASE)) as connection, connection:
            connection.execute("UPDATE report SET metrics = ?", [text])
        with pytest.raises(
            StoreError, match=r"run\.db holds what pytest-sweep never stores: report 1 of trial 0+: metrics is "
        ):
            RunReader(folder).reports_after(0)

    def test_a_damaged_file(self, tmp_path: Path) -> None:
        """A file whose pages are overwritten is a StoreError."""
        folder = make_run(tmp_path, [0.5] * 50)
        data = bytearray((folder / DATABASE).read_bytes())
        data[4096:] = b"\xff" * (len(data) - 4096)
        (folder / DATABASE).write_bytes(data)
        with pytest.raises(StoreError):
            list(RunReader(folder).stream_reports())


class TestChanges:
    def test_what_has_changed(self, tmp_path: Path) -> None:
        """A look returns trials that are new or in another state, and nothing that was seen before."""
        store = begin_run(tmp_path, [], trials=[trial(0), trial(1)])
        changes = TrialChanges(RunReader(store.path))
        assert [one.state for one in changes.look().trials] == [TrialState.PENDING] * 2
        assert changes.look().trials == []
        store.record([TrialStarted(trial(1).key, 1, 1.0, "host:1")])
        assert [(one.key, one.state) for one in changes.look().trials] == [(trial(1).key, TrialState.RUNNING)]
        store.record(ended(trial(0).key, 0.5))
        store.add_trials([trial(2)])
        assert [(one.key, one.state) for one in changes.look().trials] == [
            (trial(0).key, TrialState.TERMINATED),
            (trial(2).key, TrialState.PENDING),
        ]
        store.close()

    def test_another_attempt(self, tmp_path: Path) -> None:
        """A trial that runs again is seen again, though it runs as it did at the last look."""
        store = begin_run(tmp_path, [], trials=[trial(0)])
        changes, key = TrialChanges(RunReader(store.path)), trial(0).key
        store.record([TrialStarted(key, 1, 1.0, "host:1")])
        changes.look()
        store.record([
            TrialRetried(TrialFinished(key, 1, TrialState.ERROR, None, "boom", 1.0, 2.0)),
            TrialStarted(key, 2, 3.0, "host:1"),
        ])  # fmt: skip
        assert [(one.state, one.attempts) for one in changes.look().trials] == [(TrialState.RUNNING, 2)]
        store.close()

    def test_the_limit(self, tmp_path: Path) -> None:
        """More than the limit come with the next looks, each once."""
        folder = make_run(tmp_path, [0.1] * 7)
        changes = TrialChanges(RunReader(folder))
        looks = [changes.look(3) for _ in range(4)]
        assert [len(look.trials) for look in looks] == [3, 3, 1, 0]
        assert [look.has_more for look in looks] == [True, True, False, False]
        assert len({one.key for look in looks for one in look.trials}) == 7

    def test_reports_of_what_has_ended(self, tmp_path: Path) -> None:
        """All reports of a trial that is seen as ended are up to the number that comes with the look."""
        store = begin_run(tmp_path, [], trials=[trial(0)])
        changes, key = TrialChanges(RunReader(store.path)), trial(0).key
        assert changes.look().last_report == 0
        store.record([TrialStarted(key, 1, 1.0, "host:1"), *reports(key, 5)])
        store.record([TrialFinished(key, 1, TrialState.TERMINATED, {"loss": 5.0}, None, 1.0, 2.0)])
        look = changes.look()
        assert [one.state for one in look.trials] == [TrialState.TERMINATED]
        assert look.last_report == RunReader(store.path).reports_after(0)[-1].id
        store.close()

    def test_a_driver_that_dies(self, tmp_path: Path) -> None:
        """What was open when the driver was killed is seen once more, as cut off or not begun."""
        code = (
            "import os, sys\nfrom pathlib import Path\n"
            "from tests.support.runs import begin_run, trial\nfrom pytest_sweep.model.events import TrialStarted\n"
            "store = begin_run(Path(sys.argv[1]), [], trials=[trial(0), trial(1)])\n"
            "store.record([TrialStarted(trial(0).key, 1, 1.0, 'host:1')])\n"
            "print(store.path, flush=True)\nsys.stdin.read()\nos._exit(9)\n"
        )
        driver = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            cwd=Path(__file__).parents[2],
        )  # fmt: skip
        assert driver.stdin is not None
        assert driver.stdout is not None
        folder = Path(driver.stdout.readline().strip())
        changes = TrialChanges(RunReader(folder))
        assert [one.state for one in changes.look().trials] == [TrialState.RUNNING, TrialState.PENDING]
        driver.stdin.close()
        driver.wait(30)
        driver.stdout.close()
        assert [one.state for one in changes.look().trials] == [TrialState.INTERRUPTED, TrialState.NOT_RUN]
        assert changes.look().trials == []

    def test_of_an_older_schema(self, tmp_path: Path) -> None:
        """A run of 0.1.0 can be followed, though it will not change."""
        folder = shutil.copytree(OLD, tmp_path / "run")
        changes = TrialChanges(RunReader(folder))
        assert len(changes.look().trials) == len(RunReader(folder).trials())
        assert changes.look().trials == []

    def test_a_state_that_nobody_knows(self, tmp_path: Path) -> None:
        """A word that is no state is a StoreError."""
        folder = make_run(tmp_path, [0.5])
        with closing(sqlite3.connect(folder / DATABASE)) as connection, connection:
            connection.execute("UPDATE trial SET state = 'NONSENSE'")
        with pytest.raises(StoreError, match="NONSENSE"):
            TrialChanges(RunReader(folder)).look()


def test_a_driver_that_ends_while_its_trials_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial that was read as running a moment before its driver wrote its end and was gone is not taken for cut off."""
    store = begin_run(tmp_path, [], trials=[trial(0)])
    store.record([TrialStarted(trial(0).key, 1, 1.0, "host:1")])

    def gone(_: RunReader) -> bool:
        if not ended_already:
            store.record(ended(trial(0).key, 0.5))
            store.close()
            ended_already.append(True)
        return False

    ended_already: list[bool] = []
    monkeypatch.setattr(RunReader, "goes_on", gone)
    assert [one.state for one in RunReader(store.path).trials()] == [TrialState.TERMINATED]
