"""Trials of different sizes share a cluster: a large one is not starved, and small ones fill the gaps. Held by simulated runs."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pytest

from pytest_sweep.engine.controller import Controller
from pytest_sweep.engine.policy import Policy
from pytest_sweep.model import Resources, Trial, TrialState, commands, events
from pytest_sweep.model.placement import Placement
from tests.support.driven import ONE_CPU, make_trials, node

TICK = 0.5
START_SECONDS = 3.0
STOP_SECONDS = 0.5
PATIENCE = Policy().patience


@dataclass(frozen=True)
class Span:
    """When a trial ran, in seconds since the start of the run, and where: the node of each of its workers."""

    began: float
    ended: float
    nodes: tuple[str, ...]


class Simulation:
    """Runs trials to their ends on a clock of its own: workers take 3 s to start and half a second to stop.

    Args:
        nodes: the machines.
        durations: how many seconds each trial takes, by key.
    """

    def __init__(self, nodes: Sequence[events.Node], durations: Mapping[str, float]) -> None:
        self.spans: dict[str, Span] = {}
        self._durations = durations
        self._controller = Controller()
        self._nodes: dict[str, tuple[str, ...]] = {}
        self._agenda: list[tuple[float, int, events.Event]] = []
        self._numbers = itertools.count()
        self._now = 0.0
        self._tell(events.Tick(0.0), events.NodesChanged(tuple(nodes)))

    def run(self, trials: Iterable[Trial]) -> Mapping[str, Span]:
        """Run the trials, and return when and where each ran, by key."""
        self._tell(events.TrialsAdded(tuple(trials)))
        self._at(TICK, events.Tick(TICK))
        while not self._controller.done:
            self._now, _, event = heapq.heappop(self._agenda)
            assert self._now < 10_000, "the run hangs"
            if isinstance(event, events.Tick):
                self._at(self._now + TICK, events.Tick(self._now + TICK))
            self._tell(event)
        return self.spans

    def _tell(self, *happened: events.Event) -> None:
        for event in happened:
            for command in self._controller.handle(event):
                self._obey(command)

    def _at(self, time: float, event: events.Event) -> None:
        heapq.heappush(self._agenda, (time, next(self._numbers), event))

    def _obey(self, command: commands.Command) -> None:
        if isinstance(command, commands.StartWorker):
            self._nodes[command.worker] = command.nodes
            self._at(self._now + START_SECONDS, events.WorkerStarted(command.worker, "10.0.0.1:1", command.nodes))
        elif isinstance(command, commands.StopWorker):
            self._at(self._now + STOP_SECONDS, events.WorkerStopped(command.worker))
        elif isinstance(command, commands.RunTrials):
            time = self._now
            for key, attempt in command.trials:
                lease = command.lease
                self._at(time, events.TrialStarted(key, attempt, time, "10.0.0.1:1", lease=lease))
                began, time = time, time + self._durations[key]
                self.spans[key] = Span(began, time, self._nodes[command.worker])
                duration = self._durations[key]
                state = TrialState.TERMINATED
                self._at(time, events.TrialFinished(key, attempt, state, None, None, duration, time, lease=lease))
            self._at(time, events.BatchDone(command.worker, command.lease))


def simulate(nodes: Sequence[events.Node], *kinds: tuple[Sequence[Trial], float]) -> list[list[Span]]:
    """Run trials of several kinds, each with the seconds that one takes; return the spans of each kind."""
    durations = {trial.key: seconds for trials, seconds in kinds for trial in trials}
    spans = Simulation(nodes, durations).run([trial for trials, _ in kinds for trial in trials])
    return [[spans[trial.key] for trial in trials] for trials, _ in kinds]


def cpus_in_use(spans: Iterable[tuple[Span, float]], time: float, on: str | None = None) -> float:
    """Return how many CPUs these trials held at a time, each with what it holds on every one of its nodes; on one node, if named."""
    return sum(
        cpus * (len(span.nodes) if on is None else span.nodes.count(on))
        for span, cpus in spans
        if span.began <= time < span.ended
    )


def mean_use(spans: Sequence[tuple[Span, float]], began: float, ended: float, on: str | None = None) -> float:
    """Return how many CPUs were in use on the average, sampled ten times a second."""
    times = [began + step / 10 for step in range(int(10 * (ended - began)))]
    return sum(cpus_in_use(spans, time, on) for time in times) / len(times)


SMALL = make_trials(400, ONE_CPU)


@pytest.mark.parametrize(
    ("resources", "placement"),
    [
        (Resources(cpu=4), Placement()),
        (Resources(cpu=3), Placement()),
        (Resources(cpu=1), Placement(workers=8)),
        (Resources(cpu=2), Placement(workers=2, strategy="STRICT_SPREAD")),
    ],
    ids=["a whole node", "most of a node", "a gang of all that there is", "a gang on two nodes"],
)
def test_a_large_one_is_not_starved(resources: Resources, placement: Placement) -> None:
    """Behind hundreds of small trials a large one begins when its patience is over, what runs has ended, and its worker has started."""
    large = make_trials(1, resources, first=1000, placement=placement)
    small, (span,) = simulate([node(1, 4), node(2, 4)], (SMALL, 5.0), (large, 20.0))
    assert span.began <= PATIENCE + TICK + 5.0 + STOP_SECONDS + START_SECONDS
    # Half of the small ones were still to come, so that it was patience which let it in.
    assert sum(other.began > span.began for other in small) > 200


def test_small_ones_fill_the_gaps() -> None:
    """Until patience is over small trials use all; while a node is emptied the other one stays full; beside the large one, too."""
    large = make_trials(1, Resources(cpu=3), first=1000)
    small, (span,) = simulate([node(1, 4), node(2, 4)], (SMALL, 5.0), (large, 60.0))
    (emptied,) = span.nodes
    (other,) = {"node-1", "node-2"} - {emptied}
    used = [(one, 1.0) for one in small]
    assert mean_use(used, START_SECONDS, PATIENCE) > 7.9
    assert mean_use(used, START_SECONDS, span.ended, other) > 3.9
    # It holds 3 of 4 CPUs: on the fourth a small one runs, but for the time that its worker takes to start.
    assert mean_use(used, span.began + START_SECONDS, span.ended, emptied) > 0.9
    assert mean_use(used, span.ended + START_SECONDS + STOP_SECONDS, span.ended + 30) > 7.9


def test_large_ones_do_not_starve_small_ones() -> None:
    """It holds the other way round: one small trial behind many that each take a node begins in time."""
    large = make_trials(40, Resources(cpu=4), first=1000)
    _, (span,) = simulate([node(1, 4), node(2, 4)], (large, 20.0), (make_trials(1), 5.0))
    assert span.began <= PATIENCE + TICK + 20.0 + STOP_SECONDS + START_SECONDS


def test_many_of_both() -> None:
    """Of equally much work in small and in large trials the cluster is nearly always busy, and both begin early."""
    large = make_trials(30, Resources(cpu=4), first=1000)
    small, big = simulate([node(1, 4), node(2, 4)], (SMALL[:240], 10.0), (large, 20.0))
    used = [*((span, 1.0) for span in small), *((span, 4.0) for span in big)]
    end = max(span.ended for span, _ in used)
    assert mean_use(used, 0.0, end) > 0.9 * 8
    assert min(span.began for span in big) < PATIENCE + 20
    assert min(span.began for span in small) < PATIENCE + 20


def test_gangs_beside_single_trials() -> None:
    """Twenty gangs of 4 beside a hundred single trials on 8 CPUs all end, and each gang had all of its workers at once."""
    gangs = make_trials(20, ONE_CPU, first=1000, placement=Placement(workers=4))
    single, ganged = simulate([node(1, 4), node(2, 4)], (SMALL[:100], 3.0), (gangs, 3.0))
    assert all(len(span.nodes) == 4 for span in ganged)
    used = [(span, 1.0) for span in (*single, *ganged)]
    assert max(cpus_in_use(used, span.began) for span, _ in used) <= 8
