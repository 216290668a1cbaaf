"""What happens to workers: messages from executors to the engine."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Literal

ExitKind = Literal["exit", "stop", "fail"]
"""How a trial ends the whole run, by pytest's means."""


@dataclass(frozen=True, slots=True)
class WorkerStarting:
    """A worker's process is being started; or cannot be yet, because the cluster has not granted what it is to hold.

    Sent by executors that ask a cluster, before WorkerStarted; people are told of it while they wait.
    """

    worker: str
    is_granted: bool


@dataclass(frozen=True, slots=True)
class WorkerStarted:
    """A worker is ready for trials. `location` is ``ip:pid``; `nodes` are those of its bundles, as it was ordered."""

    worker: str
    location: str
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkerFailed:
    """A worker could not be started, or its session could not collect the files.

    Attributes:
        worker: the worker.
        cause: why, in words.
        nodes: those on which nothing can be started; empty where nothing can be started anywhere, which is fatal for the run.
    """

    worker: str
    cause: str
    nodes: tuple[str, ...] = ()


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
        sections: what pytest had captured of the trial that ran: names and contents.
    """

    worker: str
    cause: str
    time: float
    kind: Death = Death.CRASH
    stacks: str = ""
    sections: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class WorkerStopped:
    """A worker was stopped as asked, and its resources are free again."""

    worker: str


@dataclass(frozen=True, slots=True)
class SessionExited:
    """A trial ended its worker's session, and with it the run. How the trial itself ended was said before, if it did.

    Attributes:
        worker: the worker.
        reason: the text that it gave.
        status: the exit status that plain pytest has then.
        kind: how it was ended: "exit" by ``pytest.exit``, "stop" by ``session.shouldstop``, "fail" by ``session.shouldfail``.
    """

    worker: str
    reason: str
    status: int
    kind: ExitKind = "exit"


@dataclass(frozen=True, slots=True)
class BatchDone:
    """A worker is free again: it has ended or returned everything that it was handed under this lease."""

    worker: str
    lease: int = 0


@dataclass(frozen=True, slots=True)
class TeardownStarted:
    """A worker tears down fixtures that outlive a trial; it goes on until its next event, or its end.

    Attributes:
        worker: the worker.
        key: the trial whose fixtures they are, the last one that ran there.
        fixture: the fixture that is torn down now, for people: ``db (session scope, test_a.py)``.
    """

    worker: str
    key: str
    fixture: str


WorkerEvent = (
    WorkerStarting
    | WorkerStarted
    | WorkerFailed
    | WorkerDied
    | WorkerStopped
    | SessionExited
    | BatchDone
    | TeardownStarted
)
