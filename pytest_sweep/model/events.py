"""What happens: messages from executors and workers to the engine, and from there to the store and to pytest.

Each is a frozen record of plain data. A trial's events carry its key, its attempt and the lease under which a worker has it: what does
not belong to the current lease is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_sweep.model.resources import Resources
from pytest_sweep.model.search_events import (
    Decision,
    ProposalDeferred,
    ProposalEvent,
    ProposalFailed,
    ProposalsEnded,
    Proposed,
    StudyNoted,
    TrialConfigured,
    TrialJudged,
    TrialResumed,
)
from pytest_sweep.model.session_events import (
    CheckpointDamaged,
    HookFailed,
    LateReport,
    LogWritten,
    OutputWritten,
    SessionEvent,
    SessionStarted,
    WarningRecorded,
    WorkerOutput,
)
from pytest_sweep.model.shared import SharedEvent
from pytest_sweep.model.trial_events import (
    TeardownTimedOut,
    TrialEvent,
    TrialFinished,
    TrialInterrupted,
    TrialLeft,
    TrialNotRun,
    TrialReported,
    TrialRetried,
    TrialReturned,
    TrialStarted,
)
from pytest_sweep.model.trials import Trial
from pytest_sweep.model.worker_events import (
    BatchDone,
    Death,
    ExitKind,
    SessionExited,
    TeardownStarted,
    WorkerDied,
    WorkerEvent,
    WorkerFailed,
    WorkerStarted,
    WorkerStarting,
    WorkerStopped,
)

__all__ = [
    "Accepted",
    "Advanced",
    "BatchDone",
    "CheckpointDamaged",
    "Death",
    "Decision",
    "Event",
    "ExitKind",
    "HookFailed",
    "LateReport",
    "LogWritten",
    "Node",
    "NodeExcluded",
    "NodesChanged",
    "OutputWritten",
    "ProposalDeferred",
    "ProposalEvent",
    "ProposalFailed",
    "ProposalsEnded",
    "Proposed",
    "RunEnding",
    "SessionEvent",
    "SessionExited",
    "SessionStarted",
    "StudyNoted",
    "TeardownStarted",
    "TeardownTimedOut",
    "Tick",
    "TrialConfigured",
    "TrialEvent",
    "TrialFinished",
    "TrialInterrupted",
    "TrialJudged",
    "TrialLeft",
    "TrialNotRun",
    "TrialReported",
    "TrialResumed",
    "TrialRetried",
    "TrialReturned",
    "TrialStarted",
    "TrialsAdded",
    "WarningRecorded",
    "WorkerDied",
    "WorkerEvent",
    "WorkerFailed",
    "WorkerOutput",
    "WorkerStarted",
    "WorkerStarting",
    "WorkerStopped",
]


@dataclass(frozen=True, slots=True)
class Node:
    """A machine.

    Attributes:
        id: the executor's own name for it.
        address: under which people know it.
        resources: all that it has.
        labels: what it is, by name: ``{"zone": "a"}``.
        taken: what of it others hold, who are not of this run: nothing of ours fits there.
        is_leaving: whether it will be gone soon: nothing new begins there, and what runs goes on elsewhere after its next checkpoint.
            Who says so leaves it away some seconds before it is gone, so that what still runs there can be ended.
    """

    id: str
    address: str
    resources: Resources
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    is_leaving: bool = False
    taken: Resources = Resources(cpu=0.0)


@dataclass(frozen=True, slots=True)
class TrialsAdded:
    """There is more to do.

    Attributes:
        trials: the trials.
        attempts: with which attempt those go on that were begun in an earlier run, by key.
        decisions: what the searchers and schedulers of that run have decided, in order.
        metrics: what paused ones of that run have last reported, by key.
        time: when, in seconds since the epoch.
    """

    trials: tuple[Trial, ...]
    attempts: Mapping[str, int] = field(default_factory=dict, hash=False)
    decisions: tuple[Decision, ...] = ()
    metrics: Mapping[str, dict[str, Any]] = field(default_factory=dict, hash=False)
    time: float = 0.0


@dataclass(frozen=True, slots=True)
class NodesChanged:
    """The machines that there are now, all of them."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Advanced:
    """It is `now`, in seconds of a clock that never goes back; told before the events that have happened by then.

    No limit is checked yet: what has arrived meanwhile may say that a trial has ended in time.
    """

    now: float


@dataclass(frozen=True, slots=True)
class Tick:
    """It is `now`, and all that had happened by then was told: limits are checked."""

    now: float


@dataclass(frozen=True, slots=True)
class RunEnding:
    """Nothing new starts any more.

    Attributes:
        reason: why.
        dead: the workers that were ended for that while they ran trials.
        now: the time, as of `Tick`; 0 where nobody has looked at the clock since the last one.
    """

    reason: str
    dead: tuple[WorkerDied, ...] = ()
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class NodeExcluded:
    """No worker can be started on a node: nothing more is begun there, and the run goes on elsewhere. Made by the engine.

    Attributes:
        address: of the node.
        cause: why, in words.
    """

    address: str
    cause: str


Event = (
    TrialEvent
    | TeardownTimedOut
    | SessionEvent
    | WorkerEvent
    | SharedEvent
    | ProposalEvent
    | TrialsAdded
    | NodesChanged
    | Advanced
    | Tick
    | RunEnding
)
"""What the engine takes."""

Accepted = (
    TrialStarted
    | TrialReported
    | TrialFinished
    | TrialRetried
    | TrialInterrupted
    | TrialNotRun
    | TeardownTimedOut
    | NodeExcluded
    | StudyNoted
    | SessionEvent
    | Decision
)
"""What the engine has let pass, to be stored and shown."""
