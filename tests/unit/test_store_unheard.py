"""What a trial in the driver's own process has said and nobody has stored: its file, and how readers see it."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sweep.errors import StoreError
from pytest_sweep.model import TrialState
from pytest_sweep.model.events import TrialRetried
from pytest_sweep.store import RunReader, RunStore, starts
from pytest_sweep.store.unheard import FILE, UnheardFile, read_unheard
from pytest_sweep.testing.samples import finished, make_trial, reported, started
from tests.support.stored import store_run

TRIAL = make_trial(1)


@pytest.fixture
def unheard(tmp_path: Path) -> UnheardFile:
    file = UnheardFile()
    file.open(str(tmp_path))
    return file


def test_events_are_read_as_they_were_written(unheard: UnheardFile, tmp_path: Path) -> None:
    """Starts and reports are read again, in order and in full; other events are not kept."""
    report = reported(TRIAL, 1, loss=math.inf, name="é\ud800", deep={"a": [1, None]}, big=10**5000)
    for event in (started(TRIAL), report, finished(TRIAL), reported(TRIAL, 2, checkpoint="s3://b/1-2")):
        unheard.write(event)
    first, second, third = read_unheard(tmp_path)
    assert (first, second, third) == (started(TRIAL), report, reported(TRIAL, 2, checkpoint="s3://b/1-2"))


def test_what_is_stored_is_forgotten(unheard: UnheardFile, tmp_path: Path) -> None:
    """`clear` empties the file, and `close` deletes it."""
    unheard.write(started(TRIAL))
    unheard.clear()
    assert read_unheard(tmp_path) == []
    unheard.write(started(TRIAL, attempt=2))
    assert read_unheard(tmp_path) == [started(TRIAL, attempt=2)]
    descriptor = unheard._file
    unheard.close()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    unheard.write(started(TRIAL))
    unheard.close()


def test_a_forked_child_writes_nothing(unheard: UnheardFile, tmp_path: Path) -> None:
    """What a process says that the trial has forked is not the trial's, and its end deletes nothing."""
    child = os.fork()
    if child == 0:
        unheard.write(started(TRIAL))
        unheard.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert (tmp_path / FILE).read_bytes() == b""


def test_a_full_disk(unheard: UnheardFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a line that had no room nothing is written, until the file was emptied: reports are read without a gap."""
    unheard.write(reported(TRIAL, 1))
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda *_: 3)
        unheard.write(reported(TRIAL, 2))
    unheard.write(reported(TRIAL, 3))
    assert read_unheard(tmp_path) == [reported(TRIAL, 1)]
    unheard.clear()
    unheard.write(reported(TRIAL, 4))
    assert read_unheard(tmp_path) == [reported(TRIAL, 4)]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """That the file cannot be made is said with the name of the folder."""
    with pytest.raises(StoreError, match=r"results cannot be written to .*none: No such file or directory"):
        UnheardFile().open(str(tmp_path / "none"))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[",
        "[" * 100_000,
        "[]",
        "{}",
        '["start", "k", 1, 2.0]',
        '["start", 5, 1, 2.0, "host:1"]',
        '["start", "k", "1", 2.0, "host:1"]',
        '["report", "k", 1, [], null, null]',
        '["report", "k", 1, {}, 5, null]',
        '["report", "k", 1, {}, null, [5]]',
        '["report", "k", 1, {}, null, null, 7]',
        '["end", "k", 1]',
        "\xff",
    ],
)
def test_a_line_that_is_none_of_ours(unheard: UnheardFile, tmp_path: Path, line: str) -> None:
    """What anybody may have written there ends what is read, and raises nothing."""
    unheard.write(started(TRIAL))
    with (tmp_path / FILE).open("a", encoding="latin-1") as file:
        file.write(f"{line}\n")
    unheard.write(reported(TRIAL, 1))
    assert read_unheard(tmp_path) == [started(TRIAL)]


def test_a_line_that_was_cut_short(unheard: UnheardFile, tmp_path: Path) -> None:
    """The line that a process was killed in is left out."""
    unheard.write(started(TRIAL))
    unheard.write(reported(TRIAL, 1))
    content = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(content[:-1])
    assert read_unheard(tmp_path) == [started(TRIAL)]


def test_no_more_is_read_than_a_trial_says(
    unheard: UnheardFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of any size takes a limited amount of memory."""
    for iteration in range(1, 11):
        unheard.write(reported(TRIAL, iteration))
    size = (tmp_path / FILE).stat().st_size
    monkeypatch.setattr("pytest_sweep.store.unheard.MOST_BYTES", size // 2)
    assert 3 <= len(read_unheard(tmp_path)) <= 5


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_file(tmp_path: Path, kind: str) -> None:
    """A link is not followed, and a pipe not waited for."""
    path = tmp_path / FILE
    if kind == "link":
        other = UnheardFile()
        (tmp_path / "other").mkdir()
        other.open(str(tmp_path / "other"))
        other.write(started(TRIAL))
        path.symlink_to(tmp_path / "other" / FILE)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    assert read_unheard(tmp_path) == []


class TestReading:
    """A run whose driver was killed while a trial ran in its process."""

    def killed(self, results_dir: Path, *said: object, stored: tuple[object, ...] = ()) -> Path:
        folder = store_run(results_dir, [TRIAL, make_trial(2)], stored)  # type: ignore[arg-type]
        unheard = UnheardFile()
        unheard.open(str(folder))
        for event in said:
            unheard.write(event)
        return folder

    def test_the_trial_is_interrupted(self, tmp_path: Path) -> None:
        """The trial is INTERRUPTED with its reports and the metrics of the last, and the file of the database is as it was."""
        folder = self.killed(tmp_path, started(TRIAL), reported(TRIAL, 1, loss=2.0), reported(TRIAL, 2, loss=1.0))
        before = (folder / "run.db").read_bytes()
        reader = RunReader(folder)
        trial, other = reader.trials()
        assert (trial.state, trial.attempts, trial.location) == (TrialState.INTERRUPTED, 1, "10.0.0.1:42")
        assert trial.metrics == {"loss": 1.0, "training_iteration": 2}
        assert [report["loss"] for report in reader.history(TRIAL.key)] == [2.0, 1.0]
        (attempt,) = reader.attempts(TRIAL.key)
        assert (attempt.state, attempt.started) == ("INTERRUPTED", 100.0)
        assert other.state is TrialState.NOT_RUN
        assert (folder / "run.db").read_bytes() == before

    def test_its_checkpoints_are_found(self, tmp_path: Path) -> None:
        """A trial goes on from its newest checkpoint, also if the folder of the run has moved; those that were deleted are not named."""
        folder = self.killed(tmp_path / "here")
        unheard = UnheardFile()
        unheard.open(str(folder))
        places = [str(folder / "t1" / "checkpoints" / f"1-{number}") for number in (1, 2)]
        unheard.write(started(TRIAL))
        for number, place in enumerate(places, 1):
            unheard.write(replace(reported(TRIAL, number, checkpoint=place), kept=(place,)))
        unheard.write(reported(TRIAL, 3))
        (tmp_path / "here").rename(tmp_path / "there")
        folder = tmp_path / "there" / folder.name
        start = starts(folder, [TRIAL.key])[TRIAL.key]
        assert (start.attempt, start.checkpoint, start.iteration, start.reported) == (
            2,
            str(folder / "t1/checkpoints/1-2"),
            2,
            (1, 3),
        )
        assert [path for path, _ in RunReader(folder).checkpoints(TRIAL.key)] == [str(folder / "t1/checkpoints/1-2")]

    def test_a_later_run_takes_it(self, tmp_path: Path) -> None:
        """What is copied into the run that goes on from it has the reports, too."""
        folder = self.killed(tmp_path, started(TRIAL), reported(TRIAL, 1, loss=2.0))
        store = RunStore.create(tmp_path, seed=1, command="", executor="", rootdir=tmp_path, versions={}, git=None)
        store.add_trials([TRIAL])
        store.copy_trials(folder, [], [TRIAL.key])
        store.close()
        assert RunReader(store.path).history(TRIAL.key) == [{"loss": 2.0, "training_iteration": 1}]
        assert [attempt.state for attempt in RunReader(store.path).attempts(TRIAL.key)] == ["INTERRUPTED"]

    def test_what_has_ended_meanwhile(self, tmp_path: Path) -> None:
        """What the database has is not changed: a driver may be killed after it has stored an end, and before it has emptied the file."""
        ended = finished(TRIAL, metrics={"loss": 1.0})
        said = (started(TRIAL), reported(TRIAL, 1))
        folder = self.killed(tmp_path, *said, stored=(*said, ended))
        assert RunReader(folder).trials()[0].state is TrialState.TERMINATED
        failed = TrialRetried(finished(TRIAL, TrialState.ERROR, error="no"))
        folder = self.killed(tmp_path, *said, stored=(*said, failed))
        trial = RunReader(folder).trials()[0]
        assert (trial.state, trial.attempts) == (TrialState.INTERRUPTED, 1)
        assert [attempt.state for attempt in RunReader(folder).attempts(TRIAL.key)] == ["ERROR"]

    def test_a_second_attempt(self, tmp_path: Path) -> None:
        """An attempt after one that has failed counts as begun."""
        failed = TrialRetried(finished(TRIAL, TrialState.ERROR, error="no"))
        again = (started(TRIAL, attempt=2), reported(TRIAL, 1, attempt=2, loss=3.0))
        folder = self.killed(tmp_path, *again, stored=(started(TRIAL), failed))
        assert RunReader(folder).trials()[0].attempts == 2
        assert [attempt.state for attempt in RunReader(folder).attempts(TRIAL.key)] == ["ERROR", "INTERRUPTED"]

    def test_a_trial_of_another_run(self, tmp_path: Path) -> None:
        """What is said of a trial that the run does not have is passed over."""
        folder = self.killed(tmp_path, started(make_trial(9)), started(TRIAL), reported(TRIAL, 1, loss=1.0))
        assert [trial.attempts for trial in RunReader(folder).trials()] == [1, 0]
