"""Plays a study in memory: workers that take turns, reports, checkpoints, failures. What a scheduler decides is obeyed, and checked."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_sweep.model.study import Observation, Outcome, Resumption, Verdict, VerdictKind
from pytest_sweep.search.protocols import Scheduler

Curve = Callable[[str, int], float]
"""Gets a trial and an iteration, and returns the value of the metric there."""


@dataclass
class PlayedTrial:
    """A trial of a played study.

    Attributes:
        iteration: of its last report.
        pause_at: where it pauses by itself if it has a checkpoint.
        state: ``waiting``, ``running``, ``paused``, or how it ended.
        verdicts: what was decided on it, by iteration.
    """

    iteration: int = 0
    pause_at: int | None = None
    state: str = "waiting"
    verdicts: dict[int, Verdict] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """A call that changes a scheduler, as a run stores it, with its answer."""

    method: str
    observation: Observation | None
    can_pause: bool
    answer: Verdict | Resumption | None

    def repeat(self, scheduler: Scheduler) -> Verdict | Resumption | None:
        """Make the call of another scheduler, and return its answer."""
        if self.method == "resume":
            return scheduler.resume(is_last=False) or scheduler.resume(is_last=True)
        assert self.observation is not None
        if self.method == "end":
            scheduler.end(self.observation)
            return None
        return scheduler.judge(self.observation, can_pause=self.can_pause)


class PlayedStudy:
    """Runs the trials of a study to their ends, with a scheduler.

    Args:
        scheduler: what decides.
        keys: the trials, in the order in which they begin.
        curve: their values.
        length: at which iteration a trial ends by itself.
        workers: how many run at once.
        seed: says who is next to report, who fails, and who has a checkpoint.
        checkpoints: the share of reports with a checkpoint; 1 is all.
        failures: the share of turns in which a trial fails.

    Attributes:
        trials: by key.
        calls: what the scheduler was called for, in order.
        iterations: how many iterations ran.
    """

    def __init__(  # noqa: PLR0913 - what there is to vary
        self,
        scheduler: Scheduler,
        keys: Sequence[str],
        curve: Curve,
        *,
        length: int,
        workers: int = 2,
        seed: int = 0,
        checkpoints: float = 1.0,
        failures: float = 0.0,
    ) -> None:
        self.trials = {key: PlayedTrial() for key in keys}
        self.calls: list[Call] = []
        self.iterations = 0
        self._scheduler, self._curve, self._length, self._workers = scheduler, curve, length, workers
        self._random = random.Random(seed)  # noqa: S311 - a play
        self._checkpoints, self._failures = checkpoints, failures
        for key in keys:
            scheduler.milestones(key)
            self.trials[key].pause_at = scheduler.pause_at(key)

    def run(self) -> None:
        """Run to the end.

        Raises:
            AssertionError: the scheduler broke a rule, or forgot a trial.
        """
        while True:
            while len(self._in("running")) < self._workers and self._begin_one():
                pass
            running = self._in("running")
            if not running:
                break
            self._turn(self._random.choice(running))
            self._drop()
        self._drop()
        forgotten = self._in("paused")
        assert not forgotten, f"these trials were paused, and neither resumed nor dropped: {forgotten}"

    def _in(self, state: str) -> list[str]:
        return [key for key, trial in self.trials.items() if trial.state == state]

    def _begin_one(self) -> bool:
        waiting = self._in("waiting")
        is_last = not waiting and not self._in("running")
        found = self._scheduler.resume(is_last=is_last)
        if found is not None:
            self.calls.append(Call("resume", None, False, found))
            self._resume(found)
        elif waiting:
            self.trials[waiting[0]].state = "running"
        return found is not None or bool(waiting)

    def _resume(self, found: Resumption) -> None:
        trial = self.trials[found.key]
        assert trial.state == "paused", f"{found.key} was resumed while it was {trial.state}"
        assert found.pause_at is None or found.pause_at > trial.iteration, "a trial was to pause where it already was"
        if found.donor:
            trial.iteration = max(self.trials[found.donor].verdicts)
        trial.state, trial.pause_at = "running", found.pause_at

    def _turn(self, key: str) -> None:
        """Let a trial run to its next milestone, to its end, or fail on the way."""
        trial, milestones = self.trials[key], self._scheduler.milestones(key)
        if self._random.random() < self._failures:
            self._end(key, Outcome.FAILED, math.nan)
            return
        while True:
            trial.iteration += 1
            self.iterations += 1
            assert trial.iteration <= self._length, f"{key} ran beyond its end"
            judged = milestones.include(trial.iteration) and trial.iteration not in trial.verdicts
            if judged and not self._judge(key, trial):
                return
            if trial.iteration == self._length:
                self._end(key, Outcome.COMPLETED, self._curve(key, trial.iteration))
                return
            if judged:
                return

    def _judge(self, key: str, trial: PlayedTrial) -> bool:
        """Have a report judged, and say whether the trial goes on."""
        can_pause = self._scheduler.pauses and self._random.random() < self._checkpoints
        seen = Observation(key, trial.iteration, (self._curve(key, trial.iteration),))
        verdict = self._scheduler.judge(seen, can_pause=can_pause)
        self.calls.append(Call("judge", seen, can_pause, verdict))
        trial.verdicts[trial.iteration] = verdict
        if verdict.kind is VerdictKind.PAUSE:
            assert can_pause, f"{key} was paused without a checkpoint"
            trial.state = "paused"
        elif verdict.kind is VerdictKind.STOP:
            assert verdict.reason, f"{key} was stopped without a reason"
            self._end(key, Outcome.STOPPED, seen.values[0])
        else:
            paused_by_task = can_pause and trial.pause_at == trial.iteration
            assert not paused_by_task, (
                f"{key} has paused at iteration {trial.iteration}, as its task says, but is to go on"
            )
        return verdict.kind is VerdictKind.CONTINUE

    def _end(self, key: str, outcome: Outcome, value: float) -> None:
        trial = self.trials[key]
        trial.state = outcome.value
        seen = Observation(key, trial.iteration, (value,), outcome)
        self._scheduler.end(seen)
        self.calls.append(Call("end", seen, False, None))

    def _drop(self) -> None:
        for key, reason in self._scheduler.dropped().items():
            assert self.trials[key].state == "paused", f"{key} was dropped while it was {self.trials[key].state}"
            assert reason, f"{key} was dropped without a reason"
            self._end(key, Outcome.STOPPED, self._curve(key, self.trials[key].iteration))


def random_curves(seed: int, *, nans: float = 0.0) -> Curve:
    """Return curves that fall towards a value of their own, and cross; a share of them is NaN from some iteration on."""
    known: dict[str, tuple[float, float, int]] = {}

    def value(key: str, iteration: int) -> float:
        if key not in known:
            chance = random.Random(f"{seed}/{key}")  # noqa: S311 - a play
            first = chance.randint(1, 9) if chance.random() < nans else 10**9
            known[key] = chance.random(), chance.uniform(0.2, 2.0), first
        end, speed, first = known[key]
        return math.nan if iteration >= first else end + float(iteration) ** -speed

    return value


def states(study: PlayedStudy) -> Mapping[str, tuple[str, int]]:
    """Return how each trial ended, and at which iteration."""
    return {key: (trial.state, trial.iteration) for key, trial in study.trials.items()}
