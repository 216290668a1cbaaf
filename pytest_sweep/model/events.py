"""What happens: messages from executors and workers to the engine, and from there to the store and to pytest.

Each is a frozen record of plain data. A trial's events carry its key and its attempt; what belongs to an older attempt is refused.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_sweep.model.resources import Resources
from pytest_sweep.model.shared import SharedEvent
from pytest_sweep.model.trials import Trial, TrialState


@dataclass(frozen=True, slots=True)
class Node:
    """A machine.

    Attributes:
        id: the executor's own name for it.
        address: under which people know it.
        resources: all that it has.
        labels: what it is, by name: ``{"zone": "a"}``.
        is_leaving: whether it will be gone soon: nothing new begins there, and what runs goes on elsewhere after its next checkpoint.
            Who says so leaves it away some seconds before it is gone, so that what still runs there can be ended.
    """

    id: str
    address: str
    resources: Resources
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    is_leaving: bool = False


@dataclass(frozen=True, slots=True)
class TrialsAdded:
    """There is more to do. `attempts` says, by key, with which attempt a trial goes on that was begun in an earlier run."""

    trials: tuple[Trial, ...]
    attempts: Mapping[str, int] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class NodesChanged:
    """The machines that there are now, all of them."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; `now` is in seconds of a clock that never goes back."""

    now: float


@dataclass(frozen=True, slots=True)
class RunEnding:
    """Nothing new starts any more: `reason` is why."""

    reason: str


@dataclass(frozen=True, slots=True)
class WorkerStarting:
    """A worker's process is being started; or cannot be yet, because the cluster has not granted what it is to hold.

    Sent by executors that ask a cluster, before WorkerStarted; people are told of it while they wait.
    """

    worker: str
    is_granted: bool


@dataclass(frozen=True, slots=True)
class WorkerStarted:
    """A worker is ready for trials. `location` is ``ip:pid``; `nodes` are those of its bundles, for one whose nodes the cluster chose."""

    worker: str
    location: str
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkerFailed:
    """A worker could not be started, or its session could not collect the files: `cause` says which. Fatal for the run."""

    worker: str
    cause: str


class Death(enum.Enum):
    """Why a worker's process ended, as far as it matters for what is done next."""

    CRASH = enum.auto()
    OUT_OF_MEMORY = enum.auto()
    NODE_LOST = enum.auto()


@dataclass(frozen=True, slots=True)
class WorkerDied:
    """A worker's process ended without being asked to, or was killed because the engine said so.

    Attributes:
        worker: the worker.
        cause: what ended it, in words.
        time: when, in seconds since the epoch.
        kind: what sort of death it was.
        stacks: what the threads of the process did, as faulthandler writes it; "" where nobody knows.
    """

    worker: str
    cause: str
    time: float
    kind: Death = Death.CRASH
    stacks: str = ""


@dataclass(frozen=True, slots=True)
class WorkerStopped:
    """A worker was stopped as asked, and its resources are free again."""

    worker: str


@dataclass(frozen=True, slots=True)
class SessionExited:
    """A trial called ``pytest.exit``: the run ends with its status."""

    worker: str
    reason: str
    status: int


@dataclass(frozen=True, slots=True)
class BatchDone:
    """A worker is free again: it has ended or returned everything that it was handed."""

    worker: str


@dataclass(frozen=True, slots=True)
class TrialStarted:
    """A worker has begun an attempt.

    Attributes:
        time: when, in seconds since the epoch.
        location: ``ip:pid`` of the worker.
        gpus: the worker's ``CUDA_VISIBLE_DEVICES``; "" where there is none.
        threads: its ``OMP_NUM_THREADS``, likewise.
    """

    key: str
    attempt: int
    time: float
    location: str
    gpus: str = ""
    threads: str = ""


@dataclass(frozen=True, slots=True)
class TrialReported:
    """A running trial has reported `metrics`, which include Tune's automatic ones.

    `checkpoint` is the path or URL of a complete checkpoint that was reported with them, or None; `kept` are those that the trial
    has then, where older ones were deleted, and None where all are kept.
    """

    key: str
    attempt: int
    metrics: dict[str, Any]
    checkpoint: str | None = None
    kept: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class TrialFinished:
    """An attempt has ended.

    Attributes:
        state: TERMINATED, ERROR, SKIPPED or STOPPED.
        metrics: the final metrics: those of the last report, completed by the return value; None where there are none.
        error: the text of the failure, its last line the shortest form of it; None where there is none.
        duration: seconds, set-up and tear-down included.
        time: when it ended, in seconds since the epoch.
        reports: pytest's serialized reports of its phases; empty when the worker died.
        may_retry: whether the failure is one after which the sweep wants to try again.
        building: how many of the seconds went into fixtures of wider scope than the function's, which a kept process would still have.
    """

    key: str
    attempt: int
    state: TrialState
    metrics: dict[str, Any] | None
    error: str | None
    duration: float
    time: float
    reports: tuple[dict[str, Any], ...] = ()
    may_retry: bool = True
    building: float = 0.0


@dataclass(frozen=True, slots=True)
class TrialReturned:
    """A worker gives back a trial that it has not begun: the one before it takes long, or a shared fixture is not there any more.

    Attributes:
        lost: the id of that fixture; "" where there is none.
    """

    key: str
    attempt: int
    lost: str = ""


@dataclass(frozen=True, slots=True)
class TrialRetried:
    """An attempt has failed and the trial will be tried again. Made by the engine; `failed` is the attempt's end."""

    failed: TrialFinished


@dataclass(frozen=True, slots=True)
class TrialNotRun:
    """A trial was not run, or was cut off while it ran; `reason` says why. Made by the engine."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class LateReport:
    """A report of pytest's that came after its trial had ended: a module or session fixture failed in its tear-down."""

    report: dict[str, Any]


@dataclass(frozen=True, slots=True)
class WarningRecorded:
    """A warning that a worker's session recorded, as plain data, with pytest's `when`, `nodeid` and `location`."""

    message: str
    category: str
    filename: str
    lineno: int
    when: str
    nodeid: str
    location: tuple[str, int, str] | None


@dataclass(frozen=True, slots=True)
class CheckpointDamaged:
    """A checkpoint of a trial is not what was reported: it is none any more.

    `restored` is what the attempt that has found it goes on from, at `iteration`; None and 0 where there is nothing.
    """

    key: str
    checkpoint: str
    restored: str | None
    iteration: int


@dataclass(frozen=True, slots=True)
class OutputWritten:
    """What a worker wrote past pytest's capture (``-s``, child processes, C code). `key` is the trial that ran, or None."""

    key: str | None
    text: str


@dataclass(frozen=True, slots=True)
class LogWritten:
    """What a worker has to say for the file of ``--log-file``, formatted."""

    text: str


@dataclass(frozen=True, slots=True)
class HookFailed:
    """An implementation of one of our hooks raised in a worker; the run goes on."""

    hook: str
    plugin: str
    error: str


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """A worker's process, at `location` (``ip:pid``), has started its session: it arrives before any trial does there."""

    worker: str
    location: str


@dataclass(frozen=True, slots=True)
class WorkerOutput:
    """What the plugins of a worker's session have left for the driver at its end, as pytest-xdist's ``workeroutput``.

    `location` is ``ip:pid``; `values` are plain. A session that has started and is not heard of in this way was killed.
    """

    worker: str
    location: str
    values: dict[str, Any]


TrialEvent = TrialStarted | TrialReported | TrialFinished | TrialReturned
SessionEvent = (
    LateReport
    | WarningRecorded
    | OutputWritten
    | LogWritten
    | HookFailed
    | SessionStarted
    | WorkerOutput
    | CheckpointDamaged
)
WorkerEvent = WorkerStarting | WorkerStarted | WorkerFailed | WorkerDied | WorkerStopped | SessionExited | BatchDone
Event = TrialEvent | SessionEvent | WorkerEvent | SharedEvent | TrialsAdded | NodesChanged | Tick | RunEnding
"""What the engine takes."""

Accepted = TrialStarted | TrialReported | TrialFinished | TrialRetried | TrialNotRun | SessionEvent
"""What the engine has let pass, to be stored and shown."""
