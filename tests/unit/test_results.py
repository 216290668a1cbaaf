"""Results are found by run and by sweep; what is missing is said."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pytest_sweep.errors import NoResultsError, SchemaError
from pytest_sweep.model import Sweep, TrialState
from pytest_sweep.model.events import Accepted, TrialNotRun
from pytest_sweep.results import SweepResults, UnknownSweepError, load_results, newest_results
from pytest_sweep.store import RunStore
from pytest_sweep.testing.samples import SWEEP, finished, make_replicates, make_trial, reported, started
from tests.support.stored import store_run

OTHER = Sweep("test_other.py::TestTune::tune", "tune")


def test_a_result_has_what_was_stored(tmp_path: Path) -> None:
    """Every attribute of a result is what the run recorded."""
    trial = make_trial(1, lr=0.5, model=TrialState)
    events: list[Accepted] = [
        started(trial),
        reported(trial, 1, checkpoint="/c/1", loss=2),
        finished(trial, metrics={"loss": 2}),
    ]
    (result,) = load_results(store_run(tmp_path, [trial], events))["train_model"]
    assert (result.trial_id, result.key, result.name) == (trial.id, trial.key, trial.name)
    assert (result.state, result.metrics, result.error) == (TrialState.TERMINATED, {"loss": 2}, None)
    assert (result.attempts, result.duration, result.seed, result.checkpoint) == (1, 2.0, 7, Path("/c/1"))
    assert (result.replicate, result.group) == (0, trial.key)
    assert result.config["lr"] == 0.5
    assert result.config["model"] is TrialState
    assert result.metrics_history == [{"loss": 2, "training_iteration": 1}]


def test_a_result_knows_its_replicates(tmp_path: Path) -> None:
    """Results of one configuration share a group, the key of the first, and are numbered."""
    trials = make_replicates(1, 3)
    grid = load_results(store_run(tmp_path, trials))["train_model"]
    assert [(result.replicate, result.group) for result in grid] == [(number, trials[0].key) for number in range(3)]


def test_the_path_of_a_result(tmp_path: Path) -> None:
    """It is the trial's own folder once that was written, before that the run's."""
    trial = make_trial(1)
    run = store_run(tmp_path, [trial])
    (result,) = load_results(run)["train_model"]
    assert result.path == run
    (run / trial.path_name).mkdir()
    assert result.path == run / trial.path_name


def test_a_result_prints_well(tmp_path: Path) -> None:
    """Printed, a result shows its trial, state, metrics, configuration, the last line of its error and its path."""
    trial = make_trial(1)
    run = store_run(
        tmp_path, [trial], [finished(trial, TrialState.ERROR, error="def f():\nE  boom\nValueError: boom\n")]
    )
    assert str(load_results(run)["train_model"][0]) == (
        "Result(\n"
        f"  trial_id='{trial.id}',\n"
        "  state=ERROR,\n"
        "  metrics=None,\n"
        "  config={'lr': 1},\n"
        "  error='ValueError: boom',\n"
        f"  path='{run}',\n"
        ")"
    )


def test_a_checkpoint_moves_with_its_run(tmp_path: Path) -> None:
    """A run that was moved still knows its checkpoints."""
    trial = make_trial(1)
    store = RunStore.create(tmp_path / "a", seed=1, command="", executor="", rootdir=tmp_path, versions={}, git=None)
    store.add_trials([trial])
    store.record([reported(trial, 1, checkpoint=str(store.path / "trial" / "c1"))])
    store.close()
    shutil.move(store.path, tmp_path / "moved")
    assert load_results(tmp_path / "moved")["train_model"][0].checkpoint == tmp_path / "moved" / "trial" / "c1"


def test_sweeps_by_name_and_by_id(tmp_path: Path) -> None:
    """A sweep is found by its name and by its node id; iteration yields names."""
    results = load_results(store_run(tmp_path, [make_trial(1), make_trial(2, OTHER)]))
    assert list(results) == ["train_model", "tune"]
    assert results["tune"] is results[OTHER.id]
    assert ("tune" in results, OTHER.id in results, "nothing" in results) == (True, True, False)
    assert (results.run, results.path, len(results)) == (results.path.name, results.path, 2)
    assert repr(results).endswith(
        "1 trial, 1 NOT_RUN, min loss>\n  <ResultGrid test_other.py::TestTune::tune: 1 trial, 1 NOT_RUN>>"
    )


def test_an_ambiguous_name(tmp_path: Path) -> None:
    """A name that two sweeps have is refused with both node ids, which iteration yields in its place."""
    twin = Sweep("test_twin.py::train_model", "train_model")
    results = load_results(store_run(tmp_path, [make_trial(1), make_trial(2, twin), make_trial(3, OTHER)]))
    with pytest.raises(UnknownSweepError, match=r"^2 sweeps are called 'train_model': take one of '") as caught:
        results["train_model"]
    assert SWEEP.id in str(caught.value)
    assert twin.id in str(caught.value)
    assert list(results) == [SWEEP.id, twin.id, "tune"]
    assert len(results[twin.id]) == 1
    assert "train_model" not in results


def test_an_unknown_sweep(tmp_path: Path) -> None:
    """A misspelt name is a KeyError that reads as a sentence, with the names there are and the nearest."""
    results = load_results(store_run(tmp_path, [make_trial(1), make_trial(2, OTHER)]))
    with pytest.raises(KeyError) as caught:
        results["train_modle"]
    assert str(caught.value) == (
        "there are no results of 'train_modle': there are 'train_model', 'tune'; did you mean 'train_model'?"
    )
    assert results.get("train_modle") is None
    with pytest.raises(NoResultsError, match="nor of any sweep"):
        SweepResults({}, run="r", path=tmp_path)["tune"]


def test_the_last_run_of_the_nearest_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without arguments the last run is loaded, from the nearest results folder above."""
    store_run(tmp_path / "sweep_results", [make_trial(1)])
    last = store_run(tmp_path / "sweep_results", [make_trial(1)])
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert load_results().path == last
    assert load_results().run == last.name


def test_a_run_by_name_or_path(tmp_path: Path) -> None:
    """A run is found by its name in a folder, or by its own path wherever that is."""
    run = store_run(tmp_path / "other", [make_trial(1)])
    store_run(tmp_path / "other", [make_trial(1)])
    assert load_results(run.name, dir=tmp_path / "other").path == run
    assert load_results(str(run)).path == run


def test_results_outlive_a_change_of_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was written and loaded by relative paths is still found after `os.chdir`."""
    monkeypatch.chdir(tmp_path)
    assert store_run(Path("results"), [make_trial(1)]).is_absolute()
    results = load_results(dir="results")
    monkeypatch.chdir("/")
    assert results["train_model"][0].metrics_history == []


def test_no_run_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not found is said, with what there is or the command that makes it."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoResultsError, match=r"no folder 'sweep_results' in .* make one with pytest --sweep"):
        load_results()
    with pytest.raises(NoResultsError, match=r"there is no run in .*absent: make one with pytest --sweep"):
        load_results(dir="absent")
    runs = [store_run(tmp_path / "sweep_results", []) for _ in range(2)]
    with pytest.raises(
        NoResultsError, match=f"there is no run 'nope' in .*: the newest are {runs[1].name}, {runs[0].name}"
    ):
        load_results("nope")


def test_the_newest_result_of_each_trial(tmp_path: Path) -> None:
    """Each trial's newest end counts, whichever run it was in; what was cut off does not hide an older result."""
    one, two, three = trials = [make_trial(number) for number in (1, 2, 3)]
    store_run(tmp_path, trials, [finished(trial, metrics={"loss": 1}) for trial in trials])
    store_run(tmp_path, trials, [finished(one, metrics={"loss": 2}), finished(two, TrialState.ERROR, error="boom")])
    store_run(tmp_path, trials, [started(three), TrialNotRun(three.key, "interrupted")])
    results = newest_results(tmp_path, {SWEEP.id: [three, one, two]})
    grid = results["train_model"]
    assert [(result.name, result.metrics) for result in grid] == [
        (three.name, {"loss": 1}),
        (one.name, {"loss": 2}),
        (two.name, None),
    ]
    assert (grid.metric, grid.mode, grid.num_errors, results.missing, results.notes) == ("loss", "min", 1, {}, ())
    assert (results.run, results.path) == (None, tmp_path)


def test_only_collected_trials_count(tmp_path: Path) -> None:
    """What other sessions ran beside the trials of this one is not among the results."""
    trials = [make_trial(1), make_trial(2)]
    store_run(tmp_path, trials, [finished(trial) for trial in trials])
    assert len(newest_results(tmp_path, {SWEEP.id: trials[:1]})["train_model"]) == 1


def test_missing_results(tmp_path: Path) -> None:
    """A sweep with a trial that has no result is an error that counts and names them, unless a part will do."""
    trials = [make_trial(number) for number in range(6)]
    store_run(tmp_path, trials, [finished(trial) for trial in trials[:2]])
    results = newest_results(tmp_path, {SWEEP.id: trials, OTHER.id: []})
    with pytest.raises(NoResultsError) as caught:
        results["train_model"]
    assert str(caught.value) == (
        "4 of 6 trials of train_model have no stored result (train_model[lr=2], train_model[lr=3], train_model[lr=4], ...):"
        " run them with pytest --sweep, or take what there is with sweep_results.get_results('train_model', partial=True)"
    )
    assert len(results.get_results("train_model", partial=True)) == 2
    assert len(results["tune"]) == 0
    assert results.missing == {SWEEP.id: tuple(trial.name for trial in trials[2:])}
    assert "train_model" in results


def test_no_results_at_all(tmp_path: Path) -> None:
    """A results folder that does not exist is one in which everything is missing."""
    results = newest_results(tmp_path / "absent", {SWEEP.id: [make_trial(1)]})
    with pytest.raises(NoResultsError, match="1 of 1 trials of train_model have no stored result"):
        results["train_model"]


def test_runs_that_cannot_be_read_are_noted(tmp_path: Path) -> None:
    """A damaged run, an older and a newer version are passed over with a note each; the others still count."""
    trial = make_trial(1)
    store_run(tmp_path, [trial], [finished(trial, metrics={"loss": 1})])
    older = store_run(tmp_path, [trial])
    with closing(sqlite3.connect(older / "run.db")) as connection:
        connection.execute("PRAGMA user_version=1")
    newer = store_run(tmp_path, [trial])
    with closing(sqlite3.connect(newer / "run.db")) as connection:
        connection.execute("PRAGMA user_version=99")
    damaged = store_run(tmp_path, [trial])
    (damaged / "run.db").write_bytes(b"no database at all" * 100)
    results = newest_results(tmp_path, {SWEEP.id: [trial]})
    assert results["train_model"][0].metrics == {"loss": 1}
    assert len(results.notes) == 3
    assert str(damaged / "run.db") in results.notes[0]
    assert "upgrade pytest-sweep" in results.notes[1]
    assert "run the sweep again" in results.notes[2]
    for refused in (newer, older):
        with pytest.raises(SchemaError):
            load_results(refused)


def test_older_runs_are_not_opened_in_vain(tmp_path: Path) -> None:
    """Once every trial has a result, older runs are left alone, damaged or not."""
    trial = make_trial(1)
    damaged = store_run(tmp_path, [trial])
    (damaged / "run.db").write_bytes(b"no database at all")
    store_run(tmp_path, [trial], [finished(trial)])
    assert newest_results(tmp_path, {SWEEP.id: [trial]}).notes == ()
