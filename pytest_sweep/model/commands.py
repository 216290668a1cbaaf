"""What the engine decides: orders to the executor, and events that it lets pass on to the store and to pytest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_sweep.model.events import Accepted
from pytest_sweep.model.placement import Placement
from pytest_sweep.model.resources import Resources
from pytest_sweep.model.shared import SharedFixture
from pytest_sweep.model.study import Observation, Verdict


@dataclass(frozen=True, slots=True)
class StartWorker:
    """Start a worker.

    Attributes:
        worker: its id.
        resources: what it holds; for a gang, what each of its bundles holds.
        nodes: the node of each bundle; the worker itself is on the first one. Never empty.
        placement: how many bundles there are, and how they are laid out.
    """

    worker: str
    resources: Resources
    nodes: tuple[str, ...]
    placement: Placement = Placement()


@dataclass(frozen=True, slots=True)
class RestartWorker:
    """Replace the process of a worker, which keeps its resources: its trial was to have it alone, or it has died.

    `within` is how many seconds its session may take to end, fixtures torn down; None is no limit.
    """

    worker: str
    within: float | None = None


@dataclass(frozen=True, slots=True)
class StopWorker:
    """End a worker's session, so that its fixtures are torn down, then its process; answered by WorkerStopped.

    `within` is how many seconds its session may take to end; then its process is killed, and a warning says what it did. None is no limit.
    """

    worker: str
    within: float | None = None


@dataclass(frozen=True, slots=True)
class KillWorker:
    """End a worker's process and all that it has started, at once, whatever it does.

    Answered by WorkerDied, with the stacks of its threads; or by BatchDone, where the worker has ended its batch just before. A worker
    that was to stop answers with WorkerStopped.
    """

    worker: str


@dataclass(frozen=True, slots=True)
class RunTrials:
    """Run these trials on a worker, one after the other, in one call.

    Attributes:
        worker: the worker.
        trials: pairs of key and attempt.
        lease: a number of this call alone: what the worker says of these trials carries it.
    """

    worker: str
    trials: tuple[tuple[str, int], ...]
    lease: int = 0


@dataclass(frozen=True, slots=True)
class BuildShared:
    """Build a shared fixture, those that it needs being there; answered by SharedReady or SharedLost. It lives on until it is stopped.

    `within` is how many seconds the building may take, without the start of its process; then the fixture has failed, with a TimeoutError
    that trials which use it are told. None is no limit.
    """

    fixture: SharedFixture
    within: float | None = None


@dataclass(frozen=True, slots=True)
class StopShared:
    """Tear a shared fixture down, or end its building, and end its process; answered by SharedStopped.

    `within` is how many seconds that may take; then the process is killed, and a warning says so. None is no limit.
    """

    fixture: str
    within: float | None = None


@dataclass(frozen=True, slots=True)
class RequestResources:
    """Tell the cluster's autoscaler how much the run could use: what its workers hold already, and what waits.

    It is the size that the cluster should have for this run, not what is missing, as `ray.autoscaler.sdk.request_resources` wants it; what
    others hold is not in it. Each request replaces the one before, and holds until the next one; an empty one withdraws it. At most some
    hundred waiting trials are in it: as these get workers, more are asked for. Executors without an autoscaler are never told.

    Attributes:
        bundles: pairs of resources that fit on one node, and how many of them there should be room for at once.
    """

    bundles: tuple[tuple[Resources, int], ...]


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell a running trial what was decided on the report of `iteration`, as soon as possible; it has no answer.

    A worker ignores what is for another trial, attempt or lease. A verdict that comes late is obeyed at the next report.
    """

    worker: str
    key: str
    attempt: int
    lease: int
    iteration: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class ReturnTrials:
    """Have a worker give back those trials of a call that it has not begun, as soon as possible: they are not to be run any more.

    Each is answered by TrialReturned; one that the worker has begun meanwhile goes on. A worker that has another call by now does nothing.
    """

    worker: str
    lease: int


@dataclass(frozen=True, slots=True)
class Propose:
    """Have a study's searcher choose the configuration of a slot; answered by one of `pytest_sweep.model.search_events.ProposalEvent`.

    Attributes:
        study: the id of the study.
        key: the slot's trial.
        slot: its number in the study, from 0.
    """

    study: str
    key: str
    slot: int


@dataclass(frozen=True, slots=True)
class Inform:
    """Tell a study's searcher an observation, before it is asked anything that is ordered later; it has no answer."""

    study: str
    observation: Observation


@dataclass(frozen=True, slots=True)
class Recall:
    """Have a study's searcher choose once more what it has chosen in an earlier run, so that it has the state that it had; no answer."""

    study: str
    key: str
    slot: int
    values: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Record:
    """Store this event, then show it."""

    event: Accepted


@dataclass(frozen=True, slots=True)
class EndRun:
    """The run cannot go on: `reason` is shown; `status` is the exit status that a trial asked for by ``pytest.exit``.

    `kind` says in which way a trial has ended the session, as `pytest_sweep.model.events.SessionExited` does.
    """

    reason: str
    status: int | None = None
    kind: str = "exit"


WithinCall = Tell | ReturnTrials
"""What reaches a worker while it carries out a call; lost where that has ended."""

WorkerCommand = StartWorker | RestartWorker | StopWorker | KillWorker | RunTrials | WithinCall
SharedCommand = BuildShared | StopShared
ExecutorCommand = WorkerCommand | SharedCommand | RequestResources
"""What executors carry out."""

SearchCommand = Propose | Inform | Recall
"""What the thread that asks searchers carries out."""

Command = ExecutorCommand | SearchCommand | Record | EndRun
