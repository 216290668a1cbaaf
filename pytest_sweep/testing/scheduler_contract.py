"""The contract of a scheduler, as a suite: subclass `SchedulerContract`, make the scheduler, and let pytest collect it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from pytest_sweep.model.study import Objective, Outcome, VerdictKind
from pytest_sweep.search.protocols import Scheduler
from pytest_sweep.testing.played_study import Call, PlayedStudy, random_curves, states

KEYS = tuple(f"{number:02}" for number in range(25))
MIN, MAX = (Objective("loss", "min"),), (Objective("loss", "max"),)


class SchedulerContract:
    """What every scheduler does, in studies of 25 trials of up to 27 iterations.

    Attributes:
        length: after how many iterations trials end by themselves; ``max_t`` of the scheduler.
        compares: whether it stops or pauses trials that are worse than others.
        is_relative: whether only the order of values counts, not how far they are apart.
    """

    length: ClassVar[int] = 27
    compares: ClassVar[bool] = True
    is_relative: ClassVar[bool] = True

    def make(self, objectives: tuple[Objective, ...], seed: int, trials: Mapping[str, Mapping[str, Any]]) -> Scheduler:
        """Return a scheduler with ``max_t=27``."""
        raise NotImplementedError

    def scheduler(self, objectives: tuple[Objective, ...] = MIN, seed: int = 0) -> Scheduler:
        """Return a scheduler for the 25 trials."""
        return self.make(objectives, seed, {key: {"lr": 0.1} for key in KEYS})

    def played(self, scheduler: Scheduler | None = None, **options: Any) -> PlayedStudy:
        """Return a study that was played to its end."""
        curve = options.pop("curve", None) or random_curves(options.get("seed", 0), nans=options.pop("nans", 0.0))
        study = PlayedStudy(scheduler or self.scheduler(), KEYS, curve, length=self.length, **options)
        study.run()
        return study

    def test_milestones(self) -> None:
        """Milestones are ascending, and a trial that has not begun pauses at one of them."""
        scheduler = self.scheduler()
        for key in KEYS:
            milestones, pause_at = scheduler.milestones(key), scheduler.pause_at(key)
            assert list(milestones.at) == sorted(set(milestones.at))
            assert milestones.at or milestones.every
            assert pause_at is None or (scheduler.pauses and milestones.include(pause_at))

    @pytest.mark.parametrize("checkpoints", [1.0, 0.0, 0.5])
    @pytest.mark.parametrize("workers", [1, 4])
    @pytest.mark.parametrize("seed", range(5))
    def test_every_trial_ends(self, seed: int, workers: int, checkpoints: float) -> None:
        """Every trial ends, none pauses without a checkpoint, none is forgotten: with failures, NaN, and few or many checkpoints."""
        study = self.played(seed=seed, workers=workers, checkpoints=checkpoints, failures=0.05, nans=0.2)
        assert {trial.state for trial in study.trials.values()} <= {"COMPLETED", "STOPPED", "FAILED"}

    @pytest.mark.parametrize("checkpoints", [1.0, 0.0])
    def test_one_reaches_the_end(self, checkpoints: float) -> None:
        """At least one trial runs to the end."""
        study = self.played(checkpoints=checkpoints)
        assert max(trial.iteration for trial in study.trials.values()) == self.length

    @pytest.mark.parametrize("checkpoints", [1.0, 0.0])
    def test_ties(self, checkpoints: float) -> None:
        """Of trials whose values are all equal, at least one runs to the end."""
        study = self.played(curve=lambda _, iteration: 1 / iteration, checkpoints=checkpoints)
        assert max(trial.iteration for trial in study.trials.values()) == self.length

    @pytest.mark.parametrize("checkpoints", [1.0, 0.0])
    def test_it_saves(self, checkpoints: float) -> None:
        """It spends less than all trials would take."""
        if self.compares:
            assert self.played(checkpoints=checkpoints, workers=4).iterations < 0.9 * len(KEYS) * self.length

    @pytest.mark.parametrize("checkpoints", [1.0, 0.0])
    def test_nan_is_the_worst(self, checkpoints: float) -> None:
        """A trial whose metric is NaN does not go on where others are better."""
        if not self.compares:
            return
        curve = random_curves(3)
        study = self.played(
            curve=lambda key, iteration: float("nan") if key in KEYS[12:18] else curve(key, iteration),
            checkpoints=checkpoints,
            workers=1,
        )
        assert all(study.trials[key].iteration < self.length for key in KEYS[12:18])

    def test_modes_mirror_each_other(self) -> None:
        """With ``mode="max"`` and opposite values the decisions are the same."""
        curve = random_curves(1)
        least = self.played(curve=curve)
        most = self.played(self.scheduler(MAX), curve=lambda key, iteration: -curve(key, iteration))
        assert states(least) == states(most)

    @pytest.mark.parametrize("checkpoints", [1.0, 0.5, 0.0])
    @pytest.mark.parametrize("seed", range(3))
    def test_a_replay_restores_the_state(self, seed: int, checkpoints: float) -> None:
        """The stored calls, up to any of them, give a new scheduler the same state: it then answers as the first one did."""
        calls = self.played(seed=seed, workers=3, checkpoints=checkpoints, failures=0.05, nans=0.1).calls
        for prefix in {0, len(calls) // 3, len(calls) // 2, len(calls) - 1}:
            scheduler = self.scheduler()
            for key in KEYS:
                scheduler.milestones(key)
            for call in calls[:prefix]:
                call.repeat(scheduler)
            assert [call.repeat(scheduler) for call in calls[prefix:]] == [call.answer for call in calls[prefix:]]

    def test_a_rung_is_judged_once(self) -> None:
        """A report of the same iteration that is judged again changes nothing: the trial goes on."""
        study = self.played(checkpoints=0.0)
        calls = [call for call in study.calls if call.method == "judge" and call.answer is not None]
        scheduler = self.scheduler()
        for call in study.calls:
            call.repeat(scheduler)
            if call in calls and _went_on(call):
                assert call.observation is not None
                again = scheduler.judge(call.observation, can_pause=False)
                assert again.kind is VerdictKind.CONTINUE

    def test_skipped_trials_count_for_nothing(self) -> None:
        """A trial that is skipped changes no decision on the others."""
        first, second = self.scheduler(), self.scheduler()
        for scheduler in (first, second):
            for key in KEYS:
                scheduler.milestones(key)
        study = PlayedStudy(first, KEYS[1:], random_curves(2), length=self.length)
        study.run()
        other = PlayedStudy(second, KEYS[1:], random_curves(2), length=self.length)
        seen = study.calls[-1].observation
        assert seen is not None
        second.end(type(seen)(KEYS[0], 0, (float("nan"),), Outcome.SKIPPED))
        other.run()
        assert states(study) == states(other)

    def test_decisions_are_fast(self) -> None:
        """A call takes less than a millisecond, also on a busy machine."""
        study = self.played(workers=4)
        scheduler = self.scheduler()
        before = time.process_time()
        for call in study.calls:
            call.repeat(scheduler)
        assert time.process_time() - before < 1e-3 * len(study.calls) + 0.05


def _went_on(call: Call) -> bool:
    return getattr(call.answer, "kind", None) is VerdictKind.CONTINUE
