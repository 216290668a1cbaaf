"""Results of several runs as one, and results that travel."""

from __future__ import annotations

import copy
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pytest_sweep import Result, ResultGrid, TrialState, list_runs, load_results
from pytest_sweep.errors import MissingExtraError, StoreError
from pytest_sweep.model import Sweep, Trial
from pytest_sweep.model.events import Accepted, TrialNotRun
from pytest_sweep.results import SweepResults, newest_results
from pytest_sweep.store import RunStore
from pytest_sweep.testing.samples import SWEEP, finished, make_trial, reported, started

OTHER = Sweep("test_other.py::tune", "tune")


def store_run(
    results_dir: Path, trials: Sequence[Trial], events: Sequence[Accepted] = (), began: float | None = None
) -> Path:
    """Store a run that has ended; return its folder."""
    store = RunStore.create(
        results_dir, seed=1, command="", executor="inline", rootdir=results_dir, versions={}, git=None, now=began
    )
    store.add_trials(trials)
    store.record(events)
    store.finish(0)
    store.close()
    return store.path


def losses(grid: ResultGrid) -> list[float | None]:
    """Return the losses of a grid's results."""
    return [(result.metrics or {}).get("loss") for result in grid]


class TestMerging:
    @pytest.fixture
    def runs(self, tmp_path: Path) -> list[Path]:
        """Three runs, oldest first: of two trials, of the second alone, and of all three, in which the first did not run."""
        one, two, three = (make_trial(number) for number in (1, 2, 3))
        return [
            store_run(
                tmp_path,
                [one, two, make_trial(9, OTHER)],
                [finished(one, metrics={"loss": 0.1}), finished(two, metrics={"loss": 0.2})],
                began=1e9,
            ),
            store_run(tmp_path, [two], [finished(two, TrialState.ERROR, error="it broke")], began=1e9 + 10),
            store_run(
                tmp_path,
                [three, one],
                [finished(three, metrics={"loss": 0.3}), TrialNotRun(one.key, "interrupted")],
                began=1e9 + 20,
            ),
        ]

    def test_the_newest_result_of_each_trial(self, runs: list[Path]) -> None:
        """A trial's result is that of the newest run in which it ended, whatever its outcome; each trial is there once."""
        results = load_results([runs[2], runs[0], runs[1]])
        grid = results["train_model"]
        assert losses(grid) == [0.3, 0.1, None]
        assert [result.run_path for result in grid] == [runs[2], runs[0], runs[1]]
        assert grid[2].state is TrialState.ERROR
        assert list(results) == ["train_model", "tune"]
        assert (results.run, results.path) == (None, runs[0].parent)

    def test_a_trial_that_ended_nowhere(self, runs: list[Path]) -> None:
        """It is there too, as the newest run has it."""
        (result,) = load_results([runs[0], runs[1]])["tune"]
        assert result.state is TrialState.NOT_RUN

    def test_names_paths_and_runs(self, runs: list[Path]) -> None:
        """Runs are named as one is: by name, path or Run; the order in which they are named does not count."""
        folder = runs[0].parent
        everything = load_results(list_runs(folder))
        assert losses(everything["train_model"]) == [0.3, 0.1, None]
        two = load_results([runs[0].name, str(runs[1])], dir=folder)["train_model"]
        assert {result.name: result.run_path for result in two} == {
            make_trial(1).name: runs[0],
            make_trial(2).name: runs[1],
        }
        assert everything["train_model"].experiment_path == folder

    def test_no_run_at_all(self, tmp_path: Path) -> None:
        """Of no runs there are no results."""
        assert len(load_results([], dir=tmp_path)) == 0


class TestOwnFirst:
    def test_this_session_counts(self, tmp_path: Path) -> None:
        """A session's own result is taken, also where another run began later; what it has not, is taken from there."""
        one, two = make_trial(1), make_trial(2)
        own = store_run(tmp_path, [one], [finished(one, metrics={"loss": 1.0})], began=1e9)
        later = store_run(
            tmp_path,
            [one, two],
            [finished(one, metrics={"loss": 5.0}), finished(two, metrics={"loss": 6.0})],
            began=1e9 + 100,
        )
        grid = newest_results(tmp_path, {SWEEP.id: [one, two]}, own)["train_model"]
        assert [result.run_path for result in grid] == [own, later]
        assert losses(grid) == [1.0, 6.0]

    def test_a_failure_counts(self, tmp_path: Path) -> None:
        """A trial that failed in this session is not replaced by an older success."""
        trial = make_trial(1)
        store_run(tmp_path, [trial], [finished(trial, metrics={"loss": 1.0})], began=1e9)
        own = store_run(tmp_path, [trial], [finished(trial, TrialState.ERROR, error="it broke")], began=1e9 + 1)
        (result,) = newest_results(tmp_path, {SWEEP.id: [trial]}, own)["train_model"]
        assert result.state is TrialState.ERROR

    def test_a_run_that_goes_on(self, tmp_path: Path) -> None:
        """A run that another process still drives is passed over, and named."""
        code = (
            "import sys, time; from pathlib import Path; from tests.unit.test_results_several import *\n"
            "store = RunStore.create(Path(sys.argv[1]), seed=1, command='', executor='', rootdir=Path('.'), versions={}, git=None)\n"
            "store.add_trials([make_trial(1)]); store.record([finished(make_trial(1), metrics={'loss': 9.0})])\n"
            "print(store.path.name, flush=True); sys.stdin.read()"
        )
        trial = make_trial(1)
        ended = store_run(tmp_path, [trial], [finished(trial, metrics={"loss": 1.0})])
        command = [sys.executable, "-c", code, str(tmp_path)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
        ) as driver:
            assert driver.stdout is not None
            name = driver.stdout.readline().strip()
            results = newest_results(tmp_path, {SWEEP.id: [trial]})
            assert results["train_model"][0].run_path == ended
            assert results.notes[0].startswith(f"passed over: the run {name} still goes on (process {driver.pid} on ")
            driver.communicate("")
        assert losses(newest_results(tmp_path, {SWEEP.id: [trial]})["train_model"]) == [9.0]


def by_pickle(thing: object) -> object:
    """Return what arrives in another process."""
    return pickle.loads(pickle.dumps(thing))


class TestTravelling:
    @pytest.fixture
    def results(self, tmp_path: Path) -> SweepResults:
        """The results of a run with a history."""
        trial = make_trial(1, lr=0.5)
        run = store_run(
            tmp_path,
            [trial],
            [started(trial), reported(trial, 1, loss=2.0, nested={"a": 1}), finished(trial, metrics={"loss": 2.0})],
        )
        return load_results(run)

    @pytest.mark.parametrize("travel", [by_pickle, copy.copy, copy.deepcopy])
    def test_it_is_the_same(self, results: SweepResults, travel: Callable[[object], object]) -> None:
        """A result and a grid that were copied or pickled have what the original has, its history too."""
        grid = results["train_model"]
        again = travel(grid)
        assert isinstance(again, ResultGrid)
        assert repr(again) == repr(grid)
        assert again.get_best_result("loss", "min").metrics_history == grid[0].metrics_history != []
        assert (again.metric, again.mode, again.sweep, again.experiment_path) == (
            grid.metric,
            grid.mode,
            grid.sweep,
            grid.experiment_path,
        )
        result = travel(grid[0])
        assert isinstance(result, Result)
        assert repr(result) == repr(grid[0])
        assert result.attempt_history == grid[0].attempt_history
        everything = travel(results)
        assert isinstance(everything, SweepResults)
        assert list(everything) == list(results)

    def test_without_the_folder(self, results: SweepResults) -> None:
        """Where the run's folder is not there, what was read stays, and the history is an error that names the database."""
        result = results["train_model"][0]
        sent = pickle.dumps(result)
        shutil.rmtree(results.path)
        arrived = pickle.loads(sent)
        assert (arrived.metrics, arrived.config) == ({"loss": 2.0}, {"lr": 0.5})
        with pytest.raises(StoreError, match=f"there is no results database {results.path / 'run.db'}"):
            _ = arrived.metrics_history

    @pytest.mark.usefixtures("results")
    def test_of_a_session(self, tmp_path: Path) -> None:
        """What the fixture sweep_results is can be sent too."""
        session = newest_results(tmp_path, {SWEEP.id: [make_trial(1, lr=0.5)]})
        arrived = pickle.loads(pickle.dumps(session))
        assert losses(arrived["train_model"]) == [2.0]


class TestAttributes:
    def test_times_place_and_reason(self, tmp_path: Path) -> None:
        """A result says when and where its last attempt ran, and why it was not run."""
        ran, left = make_trial(1), make_trial(2)
        run = store_run(
            tmp_path, [ran, left], [started(ran), finished(ran), TrialNotRun(left.key, "the budget was spent")]
        )
        first, second = load_results(run)["train_model"]
        assert (first.started, first.finished, first.location, first.reason) == (100.0, 102.0, "10.0.0.1:42", None)
        assert (second.started, second.finished, second.location) == (None, None, None)
        assert second.reason == "the budget was spent"

    def test_the_path_of_a_grid(self, tmp_path: Path) -> None:
        """A grid of one run has the run's folder; an empty one has none."""
        run = store_run(tmp_path, [make_trial(1)])
        grid = load_results(run)["train_model"]
        assert grid.experiment_path == run
        assert grid[:0].experiment_path is None

    def test_the_curve_as_a_data_frame(self, tmp_path: Path) -> None:
        """One row a report, nested metrics joined by slashes; no row where nothing was reported."""
        pytest.importorskip("pandas")
        trial, silent = make_trial(1), make_trial(2)
        run = store_run(
            tmp_path,
            [trial, silent],
            [started(trial), *(reported(trial, n, loss=1 / n, val={"acc": n}) for n in (1, 2)), finished(trial)],
        )
        curve = load_results(run)["train_model"][0].metrics_dataframe
        assert list(curve["loss"]) == [1.0, 0.5]
        assert list(curve["val/acc"]) == [1, 2]
        assert len(load_results(run)["train_model"][1].metrics_dataframe) == 0

    def test_without_pandas(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where pandas is not installed, the error says how to install it."""
        run = store_run(tmp_path, [make_trial(1)])
        monkeypatch.setitem(sys.modules, "pandas", None)
        with pytest.raises(MissingExtraError, match=r"pip install 'pytest-sweep\[pandas\]'"):
            _ = load_results(run)["train_model"][0].metrics_dataframe
