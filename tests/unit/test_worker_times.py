"""``time_total_s`` goes on from the checkpoint, whoever had reported it; each leg has its own clock for the rest."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_sweep.checkpoints.manifest import Contents, Manifest, Name
from pytest_sweep.model import Resources, StopRule, Sweep, Task, Trial
from pytest_sweep.worker.judgement import TrialPaused, TrialStopped
from pytest_sweep.worker.trial import ActiveTrial


class Clock:
    """A clock that stands still, unless it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("pytest_sweep.worker.trial.clock", SimpleNamespace(monotonic=clock.monotonic, wall=clock.wall))
    return clock


class Leg:
    """An attempt, 100 seconds after the one before it; its fixtures take 10 seconds."""

    def __init__(self, clock: Clock, folder: Path, attempt: int = 1, *, stop: float | None = None, **task: Any) -> None:
        rules = () if stop is None else (StopRule("time_total_s", ">=", stop),)
        sweep = Sweep("test_models.py::train", "train", stop=rules)
        trial = Trial("0" * 16, "test_models.py::train[a=1]", "train[a=1]", sweep, {"a": 1}, Resources(), seed=7)
        self.clock, self.state = clock, folder.parent / "state"
        self.emitted: list[Any] = []
        self.trial = ActiveTrial(Task(trial, attempt, str(folder), **task), self.emitted.append)
        clock.now += 100
        self.trial.restore(folder.parent / "scratch")
        clock.now += 10
        self.trial.begin()

    def report(self, seconds: float, *, keeps: bool = False, **metrics: Any) -> tuple[Any, float]:
        """Report after so many seconds; return the total time and that of the iteration."""
        self.clock.now += seconds
        if keeps:
            self.state.parent.mkdir(exist_ok=True)
            self.state.touch()
        self.trial.report(metrics, self.state if keeps else None)
        said = self.trial.metrics or {}
        return said["time_total_s"], said["time_this_iter_s"]

    @property
    def kept(self) -> str:
        """The address of the newest checkpoint."""
        return str([event.checkpoint for event in self.emitted if event.checkpoint is not None][-1])


def test_a_first_attempt_begins_at_0(clock: Clock, tmp_path: Path) -> None:
    """Its time is that of its body."""
    leg = Leg(clock, tmp_path / "trial")
    assert [leg.report(2), leg.report(3)] == [(2, 2), (5, 3)]


def test_a_retry_goes_on_from_the_checkpoint(clock: Clock, tmp_path: Path) -> None:
    """What was reported after the checkpoint is done again, and counts once; so it does over several attempts."""
    first = Leg(clock, tmp_path / "trial")
    first.report(2)
    first.report(3, keeps=True)
    first.report(40)
    second = Leg(clock, tmp_path / "trial", 2, checkpoint=first.kept, iteration=2, reported=(1, 3))
    assert [second.report(4), second.report(1, keeps=True)] == [(9, 4), (10, 1)]
    third = Leg(clock, tmp_path / "trial", 3, checkpoint=second.kept, iteration=4, reported=(2, 4))
    assert third.report(7) == (17, 7)


def test_a_checkpoint_that_the_driver_has_not_heard_of(clock: Clock, tmp_path: Path) -> None:
    """The reports that are recovered keep their times, and the next one follows them."""
    first = Leg(clock, tmp_path / "trial")
    first.report(2)
    first.report(3, keeps=True)
    second = Leg(clock, tmp_path / "trial", 2)
    second.report(4)
    assert [event.metrics["time_total_s"] for event in second.emitted] == [2, 5, 9]


def test_a_retry_without_a_checkpoint_begins_at_0(clock: Clock, tmp_path: Path) -> None:
    """So it does where the only one is damaged: its iterations begin again, too."""
    first = Leg(clock, tmp_path / "trial")
    first.report(2)
    assert Leg(clock, tmp_path / "trial", 2, reported=(1, 1)).report(3) == (3, 3)
    kept = Leg(clock, tmp_path / "other")
    kept.report(2, keeps=True)
    (Path(kept.kept) / "state").unlink()
    again = Leg(clock, tmp_path / "other", 2, checkpoint=kept.kept, iteration=1, reported=(1, 1))
    assert again.report(3) == (3, 3)


def test_a_paused_trial_goes_on(clock: Clock, tmp_path: Path) -> None:
    """The time of the pause does not count."""
    first = Leg(clock, tmp_path / "trial", pause_at=1)
    with pytest.raises(TrialPaused):
        first.report(6, keeps=True)
    second = Leg(clock, tmp_path / "trial", 2, checkpoint=first.kept, iteration=1, reported=(1, 1))
    assert second.report(5) == (11, 5)


def test_a_resumed_trial_goes_on(clock: Clock, tmp_path: Path) -> None:
    """The checkpoint of an earlier run lies in that run's folder."""
    first = Leg(clock, tmp_path / "earlier" / "trial")
    first.report(6, keeps=True)
    second = Leg(clock, tmp_path / "later" / "trial", 2, checkpoint=first.kept, iteration=1)
    assert second.report(5) == (11, 5)


def test_a_clone_goes_on_from_its_donor(clock: Clock, tmp_path: Path) -> None:
    """A checkpoint that another trial lends brings the time that it took, as in Tune."""
    donor = Leg(clock, tmp_path / "donor")
    donor.report(60, keeps=True)
    own = Leg(clock, tmp_path / "trial")
    own.report(7, keeps=True)
    clone = Leg(clock, tmp_path / "trial", 2, checkpoint=donor.kept, iteration=1, reported=(1, 1), is_lent=True)
    assert clone.report(5) == (65, 5)


def test_a_limit_means_all_legs(clock: Clock, tmp_path: Path) -> None:
    """``stop={"time_total_s": 10}`` ends a trial when all its legs together took that long."""
    first = Leg(clock, tmp_path / "trial", stop=10)
    first.report(6, keeps=True)
    second = Leg(clock, tmp_path / "trial", 2, stop=10, checkpoint=first.kept, iteration=1, reported=(1, 1))
    second.report(3)
    with pytest.raises(TrialStopped, match="time_total_s >= 10"):
        second.report(1)


@pytest.mark.parametrize("own", ["long", None, float("nan"), float("inf"), -1, pytest.param(10**400, id="huge"), [1]])
def test_a_time_of_the_trials_own_that_is_none(own: object) -> None:
    """A body may report anything by that name; what is no time counts as 0."""
    assert Manifest(Name(1, 1), Contents((), ()), {"time_total_s": own}).seconds == 0
    assert Manifest(Name(1, 1), Contents((), ()), {}).seconds == 0
    assert Manifest(Name(1, 1), Contents((), ()), {"time_total_s": 3}).seconds == 3
