"""One study in virtual time: workers that need one unit for each epoch, a searcher and a scheduler that are obeyed at once."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.searching.peers import TunesAsha, TunesOptunaSearch
from benchmarks.searching.problems import LENGTH, Problem
from pytest_sweep.model.study import Objective, Observation, Outcome, VerdictKind
from pytest_sweep.search.protocols import Done, Scheduler, Searcher, Values, Wait
from pytest_sweep.search.rungs import rungs_of
from pytest_sweep.search.searchers import SearcherSettings
from pytest_sweep.search.settings import asha, gp, random, tpe
from pytest_sweep.search.space import SearchSpace

LOSS = (Objective("loss", "min"),)
WORKERS = 4
FULL_TRIALS = 20
"""The budget, in trials that run to their ends."""

FACTOR = 3
POINTS = 100
"""At how many times the regret is noted."""

Make = Callable[[SearchSpace, int], "tuple[Searcher, Scheduler | None]"]


@dataclass
class _Running:
    key: str
    values: Values
    curve: tuple[float, ...]
    iteration: int = 0


def _random(space: SearchSpace, seed: int) -> Searcher:
    return random().make(space, LOSS, seed, 10**6)


def _tunes_asha() -> Scheduler:
    return TunesAsha(rungs_of(1, LENGTH, FACTOR), FACTOR)  # type: ignore[arg-type]


def _ours(settings: SearcherSettings) -> Make:
    def make(space: SearchSpace, seed: int) -> tuple[Searcher, Scheduler]:
        scheduler = asha(max_t=LENGTH, reduction_factor=FACTOR).make(LOSS, seed, None, {})
        return settings.make(space, LOSS, seed, 10**6), scheduler

    return make


CONTESTANTS: dict[str, Make] = {
    "random": lambda space, seed: (_random(space, seed), None),
    "random, Tune's ASHA": lambda space, seed: (_random(space, seed), _tunes_asha()),
    "OptunaSearch, Tune's ASHA": lambda space, seed: (TunesOptunaSearch(space, LOSS, seed), _tunes_asha()),
    "gp(), asha()": _ours(gp()),
    "tpe(), asha()": _ours(tpe()),
}
PEER, OURS = "OptunaSearch, Tune's ASHA", "tpe(), asha()"


class Play:
    """One contestant on one problem.

    Args:
        problem: what is to be minimized.
        make: makes the searcher and the scheduler of a space and a seed.
        seed: of all that is drawn.
        budget: after how many epochs it ends, all workers together.
    """

    def __init__(self, problem: Problem, make: Make, seed: int, budget: int = FULL_TRIALS * LENGTH) -> None:
        self._problem, self._space = problem, problem.space(seed)
        self._searcher, self._scheduler = make(self._space, seed)
        self._end = budget / WORKERS
        self._trials: dict[str, _Running] = {}
        self._due: list[tuple[int, int, str]] = []
        self._count = 0
        self._best = math.inf
        self._regret = math.inf
        self._changes: list[tuple[float, float]] = []

    def run(self) -> list[float]:
        """Return the regret of the best configuration so far, at `POINTS` equally distant times; it is the one with the best value."""
        for _ in range(WORKERS):
            self._begin(0)
        while self._due and self._due[0][0] <= self._end:
            now, _, key = heapq.heappop(self._due)
            self._reported(now, key)
        regrets, at = [], 0
        found = math.inf
        for point in range(1, POINTS + 1):
            while at < len(self._changes) and self._changes[at][0] <= self._end * point / POINTS:
                found = self._changes[at][1]
                at += 1
            regrets.append(found)
        return regrets

    def _begin(self, now: int) -> None:
        """Give an idle worker what is next: a paused trial, or a new one."""
        resumption = self._scheduler.resume(is_last=False) if self._scheduler is not None else None
        if resumption is not None:
            self._later(now + 1, resumption.key)
            return
        slot = len(self._trials)
        key = str(slot)
        asked = self._searcher.ask(key, slot)
        assert not isinstance(asked, (Wait, Done))
        completed = self._space.complete(asked, slot)
        assert completed is not None
        values = completed.values
        self._trials[key] = _Running(key, values, tuple(self._problem.curve(values)))
        self._later(now + 1, key)

    def _later(self, when: int, key: str) -> None:
        self._count += 1
        heapq.heappush(self._due, (when, self._count, key))

    def _reported(self, now: int, key: str) -> None:
        trial = self._trials[key]
        value = trial.curve[trial.iteration]
        trial.iteration += 1
        if value < self._best:
            self._best, regret = value, self._problem.regret(trial.values)
            self._changes.append((now, regret))
        if self._goes_on(trial, value):
            self._later(now + 1, key)
        else:
            self._begin(now)

    def _goes_on(self, trial: _Running, value: float) -> bool:
        is_end = trial.iteration == LENGTH
        scheduler = self._scheduler
        if scheduler is not None and scheduler.milestones(trial.key).include(trial.iteration):
            seen = Observation(trial.key, trial.iteration, (value,))
            self._searcher.tell(seen)
            verdict = scheduler.judge(seen, can_pause=scheduler.pauses)
            if verdict.kind is VerdictKind.PAUSE:
                return False
            if verdict.kind is VerdictKind.STOP:
                self._ended(trial, value, Outcome.COMPLETED if is_end else Outcome.STOPPED)
                return False
        if is_end:
            self._ended(trial, value, Outcome.COMPLETED)
        return not is_end

    def _ended(self, trial: _Running, value: float, outcome: Outcome) -> None:
        seen = Observation(trial.key, trial.iteration, (value,), outcome)
        self._searcher.tell(seen)
        if self._scheduler is not None:
            self._scheduler.end(seen)
