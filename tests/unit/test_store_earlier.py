"""Copying what an earlier run has stored into a new one, and what can be asked of earlier runs."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sweep import store
from pytest_sweep.errors import SchemaError, StoreError
from pytest_sweep.model import Trial, TrialState
from pytest_sweep.model.events import TrialFinished, TrialNotRun, TrialRetried
from pytest_sweep.model.source import FixtureSource, Source
from pytest_sweep.store import (
    LastRun,
    RunReader,
    RunStore,
    Start,
    StoredTrial,
    ends,
    last_run,
    made_as,
    made_in,
    origins,
    outcomes,
    starts,
)
from pytest_sweep.store.folders import NOTHING_STORED
from pytest_sweep.testing.samples import SWEEP, finished, make_trial, reported, started

FIXTURE = {"data": FixtureSource("d", "conftest.py")}
THEN, NOW = Source("f", "m", FIXTURE, {"a.py": "a"}), Source("F", "m", FIXTURE, {"a.py": "A"})


def make_store(folder: Path, resumed_from: Path | None = None) -> RunStore:
    """Return a new store in `folder`."""
    return RunStore.create(
        folder, seed=7, command="", executor="", rootdir=folder, versions={}, git=None, resumed_from=resumed_from
    )


def of(store: RunStore, trial: Trial) -> StoredTrial:
    """Return what is stored of a trial."""
    (found,) = RunReader(store.path).trials(keys=[trial.key])
    return found


class TestCopying:
    @pytest.fixture
    def trials(self) -> list[Trial]:
        """Five trials: that ended well, were skipped, failed, were cut off, and were not begun."""
        return [make_trial(number) for number in range(5)]

    @pytest.fixture
    def old(self, tmp_path: Path, trials: list[Trial]) -> RunStore:
        """The store of the earlier run, which was not closed: its driver was killed."""
        well, skipped, failed, cut, _ = trials
        store = make_store(tmp_path)
        store.add_trials(trials, {SWEEP.id: THEN})
        checkpoint = str(store.path / cut.path_name / "checkpoints" / "000002-1")
        store.record(
            [
                started(well), reported(well, 1, loss=2.0), finished(well, metrics={"loss": 1.0}),
                started(skipped), finished(skipped, TrialState.SKIPPED, {"loss": 3.0}, "xfailed"),
                started(failed), TrialRetried(finished(failed, TrialState.ERROR, error="once")),
                started(failed, 2), finished(failed, TrialState.ERROR, error="twice", attempt=2),
                started(cut), reported(cut, 1), reported(cut, 2, checkpoint=checkpoint), reported(cut, 3),
            ]
        )  # fmt: skip
        return store

    @pytest.fixture
    def new(self, tmp_path: Path, trials: list[Trial], old: RunStore) -> RunStore:
        """The store of the new run, whose trials are in another order."""
        store = make_store(tmp_path, old.path)
        store.add_trials(reversed(trials), {SWEEP.id: THEN})
        return store

    def test_what_is_taken(self, old: RunStore, new: RunStore, trials: list[Trial]) -> None:
        """Well ended and skipped ones are CACHED, failed ones stay so; each with its attempts, reports, and files where they are."""
        well, skipped, failed, *_ = trials
        new.copy_trials(old.path, [well.key, skipped.key, failed.key], [])
        found = of(new, well)
        assert (found.state, found.metrics, found.attempts, found.duration) == (
            TrialState.CACHED,
            {"loss": 1.0},
            1,
            2.0,
        )
        assert Path(found.folder) == old.path / well.path_name
        assert RunReader(new.path).history(well.key) == RunReader(old.path).history(well.key) != []
        assert RunReader(new.path).attempts(well.key) == RunReader(old.path).attempts(well.key) != []
        assert (of(new, skipped).state, of(new, skipped).metrics, of(new, skipped).error) == (
            TrialState.CACHED,
            None,
            None,
        )
        assert of(new, skipped).reason == f"it was skipped in {old.path.name}"
        assert (of(new, failed).state, of(new, failed).error, of(new, failed).attempts) == (
            TrialState.ERROR,
            "twice",
            2,
        )
        assert [end.key for end in ends(new.path, [well.key, failed.key])] == [failed.key, well.key]

    def test_what_goes_on(self, old: RunStore, new: RunStore, trials: list[Trial]) -> None:
        """Unfinished ones wait with their attempts and their checkpoint, in full; what was running is INTERRUPTED."""
        _, _, failed, cut, _ = trials
        new.copy_trials(old.path, [], [failed.key, cut.key])
        checkpoint = str(old.path / cut.path_name / "checkpoints" / "000002-1")
        assert (of(new, cut).state, of(new, cut).attempts, of(new, cut).checkpoint) == (
            TrialState.PENDING,
            1,
            checkpoint,
        )
        assert [(its.number, its.state) for its in RunReader(new.path).attempts(cut.key)] == [(1, "INTERRUPTED")]
        assert (of(new, failed).state, of(new, failed).error, of(new, failed).metrics) == (
            TrialState.PENDING,
            None,
            None,
        )
        assert starts(new.path, [failed.key, cut.key]) == {
            cut.key: Start(2, checkpoint, 2, (1, 3), ("the attempt was INTERRUPTED",), {"training_iteration": 3}),
            failed.key: Start(3, errors=("once", "twice")),
        }

    def test_the_folder_of_what_goes_on(
        self, old: RunStore, new: RunStore, trials: list[Trial], tmp_path: Path
    ) -> None:
        """It is where its files are: the earlier run's, also where its scheduler ends it without running it, and its own once it runs."""
        _, _, failed, cut, _ = trials
        new.copy_trials(old.path, [], [failed.key, cut.key])
        new.record([replace(finished(cut, TrialState.STOPPED), duration=0.0)])
        assert Path(of(new, cut).folder) == old.path / cut.path_name
        new.record([started(failed, 3)])
        assert of(new, failed).folder == failed.path_name
        lost = make_store(tmp_path, old.path)
        lost.add_trials(trials, {SWEEP.id: THEN})
        lost.copy_trials(old.path, [], [cut.key])
        lost.record([finished(cut, TrialState.ERROR, error="its start was lost", attempt=2)])
        assert of(lost, cut).folder == cut.path_name

    def test_the_history_has_no_hole(self, old: RunStore, new: RunStore, trials: list[Trial]) -> None:
        """What comes after the checkpoint in the earlier run gives way to what the next attempt reports."""
        cut = trials[3]
        new.copy_trials(old.path, [], [cut.key])
        new.record([started(cut, 2), reported(cut, 3, 2), reported(cut, 4, 2), finished(cut, attempt=2)])
        assert [its["training_iteration"] for its in RunReader(new.path).history(cut.key)] == [1, 2, 3, 4]

    def test_what_is_not_run_again(self, old: RunStore, new: RunStore, trials: list[Trial]) -> None:
        """A trial that goes on, and is not run after all, keeps what it had for the next time."""
        cut = trials[3]
        new.copy_trials(old.path, [], [cut.key])
        new.record([TrialNotRun(cut.key, "interrupted")])
        (found,) = outcomes(new.path, [cut.key])
        assert (found.state, found.attempts) == (TrialState.NOT_RUN, 1)

    def test_others_are_left_alone(self, old: RunStore, new: RunStore, trials: list[Trial]) -> None:
        """Trials that are not named stay as they are, in both."""
        before = (old.path / "run.db").read_bytes(), RunReader(old.path).trials()
        new.copy_trials(old.path, [trials[0].key], [])
        assert {of(new, trial).state for trial in trials[1:]} == {TrialState.PENDING}
        assert before == ((old.path / "run.db").read_bytes(), RunReader(old.path).trials())

    def test_from_run_to_run(self, old: RunStore, new: RunStore, trials: list[Trial], tmp_path: Path) -> None:
        """What was taken is taken on: paths stay whole, and why it was skipped stays known."""
        well, skipped, *_ = trials
        new.copy_trials(old.path, [well.key, skipped.key], [])
        third = make_store(tmp_path, new.path)
        third.add_trials([well, skipped])
        third.copy_trials(new.path, [well.key, skipped.key], [])
        assert Path(of(third, well).folder) == old.path / well.path_name
        assert of(third, skipped).reason == f"it was skipped in {old.path.name}"
        assert [its.was_skipped for its in outcomes(third.path, [well.key, skipped.key])] == [False, True]
        assert [folder for folder, _ in origins(third.path)] == [third.path, new.path, old.path]

    def test_urls_stay(self, tmp_path: Path) -> None:
        """A checkpoint that lies elsewhere has the same URL in the new run."""
        old, trial = make_store(tmp_path), make_trial(1)
        old.add_trials([trial])
        old.record([started(trial), reported(trial, 1, checkpoint="s3://bucket/it")])
        new = make_store(tmp_path)
        new.add_trials([trial])
        new.copy_trials(old.path, [], [trial.key])
        assert (of(new, trial).checkpoint, starts(new.path, [trial.key])[trial.key].iteration) == ("s3://bucket/it", 1)

    def test_a_copy_is_whole_or_absent(self, old: RunStore, new: RunStore, trials: list[Trial]) -> None:
        """Where a part of it fails, nothing is copied, and the new store can be used."""
        new.record([started(trials[0])])  # An attempt with this number is there already.
        with pytest.raises(StoreError, match="cannot be"):
            new.copy_trials(old.path, [trials[0].key, trials[1].key], [])
        assert of(new, trials[1]).state is TrialState.PENDING
        new.copy_trials(old.path, [trials[1].key], [])
        assert of(new, trials[1]).state is TrialState.CACHED

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_from_read_only_media(self, old: RunStore, new: RunStore, trials: list[Trial]) -> None:
        """A run that cannot be written to is no worse to go on from."""
        old.close()
        old.path.chmod(0o500)
        try:
            new.copy_trials(old.path, [trials[0].key], [])
        finally:
            old.path.chmod(0o700)
        assert of(new, trials[0]).state is TrialState.CACHED

    def test_the_code_that_made_it(self, old: RunStore, trials: list[Trial], tmp_path: Path) -> None:
        """What is taken or goes on from a checkpoint is known to be made by the code then, also in the run after."""
        well, _, failed, cut, _ = trials
        keys = [well.key, failed.key, cut.key]
        second = make_store(tmp_path)
        second.add_trials(trials, {SWEEP.id: NOW})
        second.copy_trials(old.path, [well.key], [failed.key, cut.key])
        assert {its.key: its.source for its in outcomes(second.path, keys)} == {
            well.key: THEN,
            failed.key: NOW,
            cut.key: THEN,
        }
        third = make_store(tmp_path)
        third.add_trials(trials, {SWEEP.id: THEN})
        third.copy_trials(second.path, [well.key], [])
        assert [its.source for its in outcomes(third.path, [well.key])] == [THEN]

    def test_unknown_code_stays_unknown(self, trials: list[Trial], tmp_path: Path) -> None:
        """Results of code that is not known do not become those of the new run's."""
        unknown = make_store(tmp_path)
        unknown.add_trials(trials)
        unknown.record([started(trials[0]), finished(trials[0])])
        new = make_store(tmp_path)
        new.add_trials(trials, {SWEEP.id: NOW})
        new.copy_trials(unknown.path, [trials[0].key], [])
        assert [its.source for its in outcomes(new.path, [trials[0].key])] == [Source(None, None)]


class TestMadeIn:
    """In which run a result was made that later runs have taken."""

    def test_the_run_that_made_it(self, tmp_path: Path) -> None:
        """It is followed through the runs that took it; what a run has made itself is its own, also a failure of a trial that went on."""
        trials = [make_trial(number) for number in range(4)]
        well, failed, cut, new = trials
        first = make_store(tmp_path)
        first.add_trials(trials)
        first.record(
            [
                started(well), finished(well, metrics={"loss": 1.0}),
                started(failed), finished(failed, TrialState.ERROR, error="no"),
                started(cut), reported(cut, 1),
            ]
        )  # fmt: skip
        second = make_store(tmp_path, first.path)
        second.add_trials(trials)
        second.copy_trials(first.path, [well.key, failed.key], [cut.key])
        later = RunReader(second.path).run().started + 5
        again = TrialFinished(cut.key, 2, TrialState.ERROR, None, "no", 1.0, later)
        second.record([started(cut, 2, later), again, started(new, time=later), finished(new)])
        third = make_store(tmp_path, second.path)
        third.add_trials(trials)
        third.copy_trials(second.path, [trial.key for trial in trials], [])
        keys = [trial.key for trial in trials]
        assert made_in(first.path, keys) == dict.fromkeys(keys, first.path)
        assert made_in(second.path, keys) == dict(
            zip(keys, [first.path, first.path, second.path, second.path], strict=True)
        )
        with closing(sqlite3.connect(third.path / "run.db")) as connection, connection:
            connection.execute("UPDATE run SET started = ?", (later + 5,))
        assert made_in(third.path, keys) == dict(
            zip(keys, [first.path, first.path, second.path, second.path], strict=True)
        )
        assert made_in(third.path, keys[:1]) == {keys[0]: first.path}

    def test_a_run_that_was_deleted(self, tmp_path: Path) -> None:
        """The folder of a run is named also where it is not there any more."""
        trial = make_trial(1)
        first = make_store(tmp_path)
        first.add_trials([trial])
        first.record([started(trial), finished(trial)])
        second = make_store(tmp_path, first.path)
        second.add_trials([trial])
        second.copy_trials(first.path, [trial.key], [])
        (first.path / "run.db").unlink()
        assert made_in(second.path, [trial.key]) == {trial.key: first.path}


def test_names_of_the_package() -> None:
    """Each name of the store can be had, though most are imported when they are first used; another one is an AttributeError."""
    assert all(getattr(store, name) is not None for name in store.__all__)
    assert set(store.__all__) == set(store._HOMES)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        store.nothing  # noqa: B018


def test_as_what_a_taken_trial_ended(tmp_path: Path) -> None:
    """A result that was taken twice has the state in which the trial ended where it ran; without that run, what is decided tells it."""
    well, stopped = make_trial(0), make_trial(1)
    keys = [well.key, stopped.key]
    first = make_store(tmp_path)
    first.add_trials([well, stopped])
    ended = finished(stopped, metrics={"loss": 1.0}, state=TrialState.STOPPED)
    first.record([started(well), finished(well, metrics={"loss": 1.0}), started(stopped), ended])
    first.close()
    runs = [first]
    for _ in range(2):
        store = make_store(tmp_path, resumed_from=runs[-1].path)
        store.add_trials([well, stopped])
        store.copy_trials(runs[-1].path, keys, [])
        store.close()
        runs.append(store)
    assert of(runs[-1], stopped).state is TrialState.CACHED
    assert made_as(runs[-1].path, keys) == {well.key: TrialState.TERMINATED, stopped.key: TrialState.STOPPED}
    shutil.rmtree(first.path)
    assert made_as(runs[-1].path, keys) == {}


class TestRuns:
    def test_the_last_run(self, tmp_path: Path) -> None:
        """It is the newest one that has begun: a killed one without tables or without its row is passed over."""
        store = make_store(tmp_path)
        without_row = make_store(tmp_path)
        without_row.close()
        with closing(sqlite3.connect(without_row.path / "run.db")) as connection, connection:
            connection.execute("DELETE FROM run")
        assert last_run(tmp_path) == LastRun(without_row.path)  # It is not passed over: whoever reads it is told.
        with pytest.raises(StoreError, match="nothing of what the run had stored can be read"):
            RunReader(without_row.path).run()
        (without_row.path / NOTHING_STORED).touch()  # As before its row is stored.
        without_tables = tmp_path / "9999-01-01_00-00-00_0000"
        without_tables.mkdir()
        (without_tables / "run.db").touch()
        (without_tables / NOTHING_STORED).touch()
        assert last_run(tmp_path) == LastRun(store.path, (without_tables, without_row.path))

    def test_a_run_that_begins(self, tmp_path: Path) -> None:
        """A run whose driver lives is the last one although it has no tables yet; when the driver is dead, it is passed over."""
        store = make_store(tmp_path)
        begun = tmp_path / "9999-01-01_00-00-00_0000"
        begun.mkdir()
        (begun / "run.db").touch()
        source = (
            "import sys; from pathlib import Path; from pytest_sweep.store.running import RunLock\n"
            "lock = RunLock(Path(sys.argv[1])); print('locked', flush=True); sys.stdin.read()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", source, begun], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as driver:
            assert driver.stdout is not None
            assert driver.stdout.readline() == "locked\n"
            assert last_run(tmp_path) == LastRun(begun)
            driver.kill()
        assert last_run(tmp_path) == LastRun(store.path, (begun,))

    def test_no_run(self, tmp_path: Path) -> None:
        """Where there is none, there is nothing to go on from."""
        assert last_run(tmp_path) == last_run(tmp_path / "absent") == LastRun(None)

    def test_another_schema(self, tmp_path: Path) -> None:
        """The newest run is not passed over because another version has written it."""
        store = make_store(tmp_path)
        store.close()
        with closing(sqlite3.connect(store.path / "run.db")) as connection:
            connection.execute("PRAGMA user_version=999")
        assert last_run(tmp_path) == LastRun(store.path)
        with pytest.raises(SchemaError, match="newer"):
            RunReader(store.path).run()

    def test_origins_end(self, tmp_path: Path) -> None:
        """The way back ends where a run is gone, and does not go round in circles."""
        first = make_store(tmp_path)
        second = make_store(tmp_path, first.path)
        assert [(folder.name, run.resumed_from) for folder, run in origins(second.path)] == [
            (second.path.name, first.path.name),
            (first.path.name, None),
        ]
        gone = make_store(tmp_path, tmp_path / "gone")
        assert [folder for folder, _ in origins(gone.path)] == [gone.path]
        circle = make_store(tmp_path / "elsewhere", tmp_path / "elsewhere" / "x")
        with closing(sqlite3.connect(circle.path / "run.db")) as connection, connection:
            connection.execute("UPDATE run SET resumed_from = name")
        assert [folder for folder, _ in origins(circle.path)] == [circle.path]

    def test_a_run_elsewhere_is_named_by_its_path(self, tmp_path: Path) -> None:
        """A run in another folder for results is found from the new one."""
        first = make_store(tmp_path / "a")
        second = make_store(tmp_path / "b", first.path)
        assert [folder for folder, _ in origins(second.path)] == [second.path, first.path]
