"""Trials that build large fixtures anew because they hold a GPU are found, once for each sweep."""

from __future__ import annotations

import dataclasses
import time

import pytest

from pytest_sweep.model import Resources, Sweep, Trial, TrialState
from pytest_sweep.model.events import TrialFinished
from pytest_sweep.model.placement import Placement
from pytest_sweep.plugin.show.rebuilding import RebuildingWatch
from pytest_sweep.testing.samples import SWEEP
from pytest_sweep.worker.buildtime import BuildingClock
from tests.support.driven import make_trials

GPU = Resources(gpu=1)


def ended(trial: Trial, building: float, duration: float = 10.0) -> TrialFinished:
    return TrialFinished(trial.key, 1, TrialState.TERMINATED, None, None, duration, 100.0, building=building)


def told(trials: list[Trial], building: float, duration: float = 10.0) -> list[str]:
    watch = RebuildingWatch(trials)
    return [text for trial in trials if (text := watch.note(trial, ended(trial, building, duration))) is not None]


def test_once_a_sweep() -> None:
    """The first such trial of a sweep is named, with its seconds and with what would spare them; another sweep's, too."""
    other = Sweep("test_other.py::tune", "tune")
    first, second = told([*make_trials(3, GPU), *make_trials(2, GPU, other, first=3)], 1.5)
    assert first.startswith("train[a=0] spent 1.5 of its 10.0 s on fixtures of wider scope than the function's")
    assert "@sweep(fresh_process=False)" in first
    assert "every trial of tune" in second


@pytest.mark.parametrize(("building", "duration"), [(0.9, 2.0), (5.0, 50.0), (0.0, 0.0)])
def test_little(building: float, duration: float) -> None:
    """Less than a second, or no more than a tenth of the trial, is not worth a word."""
    assert told(make_trials(3, GPU), building, duration) == []


@pytest.mark.parametrize(
    "trials",
    [
        make_trials(3),
        make_trials(1, GPU),
        make_trials(3, GPU, dataclasses.replace(SWEEP, fresh_process=True)),
        make_trials(3, GPU, dataclasses.replace(SWEEP, fresh_process=False)),
        make_trials(3, GPU, placement=Placement(workers=2)),
    ],
    ids=["no GPU", "a single trial", "asked for", "not fresh", "a gang"],
)
def test_no_process_of_its_own_for_the_gpu(trials: list[Trial]) -> None:
    """Nothing is said where it was asked for, where the process is kept, and where nothing is built twice."""
    assert told(trials, 5.0) == []


def test_the_clock_counts_nothing_twice() -> None:
    """A fixture that is built while another one is, is part of that."""
    clock = BuildingClock()
    began = time.monotonic()
    with clock.running(), clock.running():
        time.sleep(0.02)
    assert 0.02 <= clock.seconds <= time.monotonic() - began
    clock.reset()
    assert clock.seconds == 0.0


def test_the_clock_stops_when_a_fixture_fails() -> None:
    """A fixture that raises is measured, and the next one, too."""
    clock = BuildingClock()

    def build() -> None:
        with clock.running():
            time.sleep(0.01)
            raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            build()
    assert clock.seconds >= 0.02
