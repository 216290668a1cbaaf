"""Rows that are read by sqlite3 alone say what `RunReader` and `ResultGrid` say."""

from __future__ import annotations

import math
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_sweep import load_results
from pytest_sweep.cli.bests import best_of
from pytest_sweep.errors import NoResultsError, StoreError
from pytest_sweep.model import Sweep, TrialState
from pytest_sweep.model.events import Accepted, TrialFinished, TrialInterrupted, TrialReported, TrialStarted
from pytest_sweep.model.judging import Goal
from pytest_sweep.model.study import Objective
from pytest_sweep.results.best import values_of
from pytest_sweep.store import DATABASE, RunReader, RunScan
from tests.support.runs import TRAIN, begin_run, make_run, trial

OLD = Path(__file__).parents[1] / "store_0_1_0" / "2026-11-26_06-12-04_5gnt"
NAN, INF = math.nan, math.inf


def same_rows(folder: Path) -> None:
    """Assert that a scan has the trials that the reader has."""
    with RunScan(folder) as scan:
        found = list(scan.trials())
    stored = RunReader(folder).trials()
    assert len(found) == len(stored)
    names = ("key", "sweep_id", "node_id", "name", "config", "seed", "folder", "replicate", "group_key", "state", "attempts", "metrics",
             "error", "reason", "location", "started", "finished", "duration", "checkpoint", "configuration")  # fmt: skip
    for row, one in zip(found, stored, strict=True):
        assert {name: repr(getattr(row, name)) for name in names} == {name: repr(getattr(one, name)) for name in names}
        assert row.params == (one.params or {})


def reported(key: str, *values: Any) -> list[Accepted]:
    """Return the course of a trial that reports these losses, None for a report without one, and ends with the last."""
    metrics = [
        {"training_iteration": n, **({} if value is None else {"loss": value})} for n, value in enumerate(values, 1)
    ]
    return [
        TrialStarted(key, 1, 1.0, "host:1"),
        *(TrialReported(key, 1, one) for one in metrics),
        TrialFinished(key, 1, TrialState.TERMINATED, metrics[-1], None, 1.0, 2.0),
    ]


class TestRows:
    def test_trials_of_all_kinds(self, tmp_path: Path) -> None:
        """Ended, failed, cut off with and without a report, not begun, with values that JSON has not."""
        config = {"lr": (1, 2), "path": Path("x"), "nested": {"a": NAN, "b": 2**70}}
        trials = [trial(n, config=config) for n in range(6)]
        keys = [one.key for one in trials]
        folder = make_run(
            tmp_path, [0.5, None, {"loss": NAN, "big": 2**3000, "list": [1, INF]}], trials=trials,
            events=[
                TrialStarted(keys[3], 1, 1.0, "host:1"), TrialReported(keys[3], 1, {"loss": 3.0, "training_iteration": 1}),
                TrialInterrupted(keys[3], 1, "Ctrl-C", None), TrialStarted(keys[4], 1, 1.0, "host:1"),
            ],
        )  # fmt: skip
        same_rows(folder)

    def test_of_an_older_schema(self, tmp_path: Path) -> None:
        """A run of 0.1.0 has the same rows, too."""
        same_rows(shutil.copytree(OLD, tmp_path / "run"))

    def test_counts_are_those_of_the_rows(self, tmp_path: Path) -> None:
        """What was open when its driver ended is counted as what its row says."""
        folder = make_run(tmp_path, [0.5, None], trials=[trial(n) for n in range(4)], exit_status=None)
        with RunScan(folder) as scan:
            assert scan.counts() == {TRAIN.id: {TrialState.TERMINATED: 1, TrialState.ERROR: 1, TrialState.NOT_RUN: 2}}

    def test_a_run_that_goes_on(self, tmp_path: Path) -> None:
        """Its trials are open."""
        store = begin_run(tmp_path, [0.5], trials=[trial(0), trial(1)])
        with RunScan(store.path) as scan:
            assert [row.state for row in scan.trials()] == [TrialState.TERMINATED, TrialState.PENDING]
        store.close()

    def test_chunks(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """More trials than are read at once all come, in order."""
        monkeypatch.setattr("pytest_sweep.store.scanning._CHUNK", 3)
        folder = make_run(tmp_path, [0.1] * 10)
        with RunScan(folder) as scan:
            assert [row.ordinal for row in scan.trials()] == list(range(10))
            assert [row.ordinal for row in scan.trials(TRAIN.id)] == list(range(10))
            assert [row.ordinal for row in scan.trials_at([7, 2])] == [7, 2]

    @pytest.mark.parametrize(
        ("column", "value"), [("metrics", "{"), ("config", "nonsense"), ("state", "NONSENSE"), ("metrics", b"\xff\xfe")]
    )
    def test_damage_is_an_error(self, tmp_path: Path, column: str, value: object) -> None:
        """A row that is no JSON, or no state, is a StoreError, whatever is read of it."""
        folder = make_run(tmp_path, [0.5])
        with closing(sqlite3.connect(folder / DATABASE)) as connection, connection:
            connection.execute(f"UPDATE trial SET {column} = ?", [value])  # noqa: S608 - a name of this file
        with pytest.raises(StoreError), RunScan(folder) as scan:  # noqa: PT012 - each of the readers may be the one
            scan.judged(TRAIN.id, Goal("loss", "min"))
            for row in scan.trials():
                _ = row.metrics, row.config


class TestJudging:
    @pytest.mark.parametrize(
        "curves",
        [
            [[0.5], [0.25], [0.75]],
            [[0.5, NAN], [NAN, NAN], [INF, 0.1, NAN]],
            [[0.5, None], [None], [0.1, None, None]],
            [[1], [2**60], [True]],
            [["text"], [[1.0]], [None]],
            [[-INF], [INF], [NAN]],
        ],
    )
    def test_as_results_do(self, tmp_path: Path, curves: list[list[Any]]) -> None:
        """Each trial has the value that results judge it by, and the best one is theirs."""
        trials = [trial(n) for n in range(3)]
        events = [event for one, values in zip(trials, curves, strict=True) for event in reported(one.key, *values)]
        folder = make_run(tmp_path, [], trials=trials, events=events)
        grid, goal = load_results(folder)["train"], Goal("loss", "min")
        with RunScan(folder) as scan:
            assert [repr(one.value) for one in scan.judged(TRAIN.id, goal)] == [
                repr(value) for value in values_of(grid, goal)
            ]
            best = best_of(scan, scan.sweeps[0])
        try:
            expected = grid.best_value
        except NoResultsError:
            assert best is None
        else:
            assert best is not None
            assert best.value == expected

    @pytest.mark.parametrize(
        "name", ["val/loss", "a.b", "ä", "it's", 'a "quoted" name', "x\\y", "$type", "a/b/c", "val", "%"]
    )
    def test_names_of_metrics(self, tmp_path: Path, name: str) -> None:
        """A metric of any name is found, also one that is nested, or that SQL would take for something else."""
        sweep = replace(TRAIN, metric=name)
        nested: dict[str, Any] = {}
        level = nested
        for part in name.split("/")[:-1]:
            level = level.setdefault(part, {})
        level[name.rpartition("/")[2]] = 0.5
        folder = make_run(tmp_path, [nested, {name: 0.25}], trials=[trial(0, sweep), trial(1, sweep)])
        with RunScan(folder) as scan:
            assert [one.value for one in scan.judged(sweep.id, Goal(name, "min"))] == [0.5, 0.25]
            assert (best := best_of(scan, scan.sweeps[0])) is not None
            assert best.value == load_results(folder)["train"].best_value == 0.25

    @pytest.mark.parametrize("average_over", [(), ("fold",)])
    def test_replicates(self, tmp_path: Path, average_over: tuple[str, ...]) -> None:
        """A configuration is judged by its mean, and with average_over= only if all its trials have a value."""
        sweep = replace(TRAIN, average_over=average_over)
        trials = [trial(n, sweep, {"lr": n // 2}, replicate=n % 2, group=f"{n // 2:016x}") for n in range(4)]
        folder = make_run(tmp_path, [0.1, None, 0.4, 0.2], trials=trials)
        with RunScan(folder) as scan:
            best = best_of(scan, scan.sweeps[0])
        assert best is not None
        assert best.value == pytest.approx(load_results(folder)["train"].best_value)

    def test_conditions(self, tmp_path: Path) -> None:
        """The best one meets the conditions of its sweep, and those that do not have no value, as in results."""
        sweep = replace(TRAIN, feasible=("memory < 8",))
        values = [{"loss": 0.1, "memory": 9}, {"loss": 0.3, "memory": 1}, {"loss": 0.2}]
        folder = make_run(tmp_path, values, trials=[trial(n, sweep) for n in range(3)])
        grid, goal = load_results(folder)["train"], Goal("loss", "min", feasible=sweep.feasible)
        with RunScan(folder) as scan:
            assert [one.value for one in scan.judged(sweep.id, goal)] == values_of(grid, goal) == [None, 0.3, None]
            assert (best := best_of(scan, scan.sweeps[0])) is not None
            assert best.value == grid.best_value == 0.3

    def test_a_searched_sweep(self, tmp_path: Path) -> None:
        """What is stored of searching and of several metrics is read as `RunReader` reads it."""
        objectives = (Objective("loss", "min"), Objective("acc", "max"))
        sweep = replace(TRAIN, objectives=objectives, search="tpe()", scheduler="asha()")
        folder = make_run(tmp_path, [0.5], trials=[trial(0, sweep)])
        with RunScan(folder) as scan:
            assert scan.sweeps == RunReader(folder).sweeps()

    def test_two_sweeps(self, tmp_path: Path) -> None:
        """Each sweep is judged by its own metric, and they are in the order of their trials."""
        other = Sweep("test_a.py::other", "other", "acc", "max")
        folder = make_run(tmp_path, [{"loss": 1.0, "acc": 0.1}, {"loss": 0.5, "acc": 0.9}, {"acc": 0.2}],
                          trials=[trial(0), trial(1, other), trial(2, other)])  # fmt: skip
        with RunScan(folder) as scan:
            assert [sweep.id for sweep in scan.sweeps] == [TRAIN.id, other.id]
            assert [best.value for sweep in scan.sweeps if (best := best_of(scan, sweep))] == [1.0, 0.9]
