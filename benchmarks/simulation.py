"""The controller with simulated workers: ``python -m benchmarks.simulation NODES TRIALS [SHAPES [asha]]`` writes simulation.json."""

from __future__ import annotations

import heapq
import json
import sys
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import psutil

from pytest_sweep import asha
from pytest_sweep.engine.controller import Controller
from pytest_sweep.engine.study import Study
from pytest_sweep.model import Resources, Sweep, Trial, TrialState, commands, events
from pytest_sweep.model.study import Objective

CPUS = 8
TICKS_EVERY = 1000
_LONGEST = 81
"""At which iteration a trial that is judged is complete."""

_SECONDS = 0.2
"""How long a trial lasts: some a call, as the pacing has it."""


class Simulation:
    """Runs trials to their ends on workers that are as fast as they say; measures the controller only.

    Args:
        nodes: how many, of `CPUS` each.
        trials: how many, of one CPU each, or of up to four where there are many shapes.
        shapes: how many different amounts of resources they ask for, in turn.
        is_judged: whether ASHA pauses them and lets the best go on.
    """

    def __init__(self, nodes: int, trials: int, shapes: int = 1, *, is_judged: bool = False) -> None:
        sweep = Sweep("test_it.py::train", "train")
        study = sweep.id if is_judged else ""
        self.trials = [
            Trial(
                f"{n:016x}", f"test_it.py::train[{n}]", f"train[{n}]", sweep, {"n": n}, _size(n % shapes), study=study
            )
            for n in range(trials)
        ]
        self._nodes = tuple(
            events.Node(f"node-{n}", f"10.0.{n // 250}.{n % 250}", Resources(float(CPUS), memory=2**40))
            for n in range(nodes)
        )
        self.controller = Controller(studies=[self._study(sweep)] if is_judged else ())
        self.events = 0
        self.seconds = 0.0
        self._now = 0.0
        self._due: list[tuple[float, int, events.Event]] = []
        self._count = 0

    def run(self) -> None:
        """Run them."""
        self._tell(events.Tick(0.0))
        self._tell(events.NodesChanged(self._nodes))
        self._tell(events.TrialsAdded(tuple(self.trials)))
        while not self.controller.done:
            self._now, _, event = heapq.heappop(self._due)
            self._tell(event)
            if self.events % TICKS_EVERY == 0:
                self._tell(events.Tick(self._now))

    def _tell(self, event: events.Event) -> None:
        before = time.process_time()  # Of the CPU: what others do meanwhile is not measured.
        decided = self.controller.handle(event)
        self.seconds += time.process_time() - before
        self.events += 1
        self._obey(decided)

    def _obey(self, decided: Iterable[commands.Command]) -> None:
        for command in decided:
            if isinstance(command, commands.StartWorker):
                self._later(1.0, events.WorkerStarted(command.worker, "10.0.0.1:1", command.nodes))
            elif isinstance(command, commands.StopWorker):
                self._later(0.1, events.WorkerStopped(command.worker))
            elif isinstance(command, commands.RunTrials):
                self._run(command)

    def _run(self, command: commands.RunTrials) -> None:
        delay = 0.0
        for key, attempt in command.trials:
            began = self._now + delay
            self._later(delay, events.TrialStarted(key, attempt, began, "10.0.0.1:1", lease=command.lease))
            delay += _SECONDS
            state, ended = TrialState.TERMINATED, self._now + delay
            if (leg := self.controller.studies.leg(key)) is not None:
                state = TrialState.TERMINATED if leg.pause_at is None else TrialState.PAUSED
                metrics = {"training_iteration": leg.pause_at or _LONGEST, "loss": int(key, 16) * 0.618 % 1.0}
                self._later(delay, events.TrialReported(key, attempt, metrics, "checkpoint", lease=command.lease))
            end = events.TrialFinished(key, attempt, state, {"value": 1}, None, _SECONDS, ended, lease=command.lease)
            self._later(delay, end)
        self._later(delay, events.BatchDone(command.worker, command.lease))

    def _study(self, sweep: Sweep) -> Study:
        objectives = (Objective("loss", "min"),)
        scheduler = asha(max_t=_LONGEST).make(objectives, 1, _LONGEST, {})
        keys = tuple(trial.key for trial in self.trials)
        return Study(sweep.id, sweep.name, objectives, scheduler=scheduler, max_t=_LONGEST, keys=keys)

    def _later(self, delay: float, event: events.Event) -> None:
        self._count += 1
        heapq.heappush(self._due, (self._now + delay, self._count, event))


@cache
def _size(shape: int) -> Resources:
    return Resources(cpu=1.0 + shape % 4, memory=shape * 2**20)


def main(nodes: int, trials: int, shapes: int = 1, *, is_judged: bool = False) -> None:
    """Simulate, and write what it took."""
    simulation = Simulation(nodes, trials, shapes, is_judged=is_judged)
    before = psutil.Process().memory_info().rss
    simulation.run()
    result = {
        "microseconds": simulation.seconds / simulation.events * 1e6,
        "events": simulation.events,
        "bytes_a_trial": (psutil.Process().memory_info().rss - before) / trials,
    }
    Path("simulation.json").write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]), is_judged="asha" in sys.argv)
