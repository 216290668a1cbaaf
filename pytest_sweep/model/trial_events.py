"""What happens to trials: messages from workers to the engine, and from there to the store and to pytest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pytest_sweep.model.code import Used
from pytest_sweep.model.record import Record
from pytest_sweep.model.trials import TrialState


@dataclass(frozen=True, slots=True)
class TrialStarted(Record):
    """A worker has begun an attempt.

    Attributes:
        time: when, in seconds since the epoch.
        location: ``ip:pid`` of the worker.
        gpus: the worker's ``CUDA_VISIBLE_DEVICES``; "" where there is none.
        threads: its ``OMP_NUM_THREADS``, likewise.
        lease: under which the worker has it.
    """

    key: str
    attempt: int
    time: float
    location: str
    gpus: str = ""
    threads: str = ""
    lease: int = 0


@dataclass(frozen=True, slots=True)
class TrialReported(Record):
    """A running trial has reported `metrics`, which include Tune's automatic ones.

    `checkpoint` is the path or URL of a complete checkpoint that was reported with them, or None; `kept` are those that the trial
    has then, where older ones were deleted, and None where all are kept.
    """

    key: str
    attempt: int
    metrics: dict[str, Any]
    checkpoint: str | None = None
    kept: tuple[str, ...] | None = None
    lease: int = 0


@dataclass(frozen=True, slots=True)
class TrialFinished(Record):
    """An attempt has ended.

    Attributes:
        state: TERMINATED, ERROR, SKIPPED or STOPPED; PAUSED where the trial may go on later, from its newest checkpoint.
        metrics: the final metrics: those of the last report, completed by the return value; None where there are none.
        error: the text of the failure, its last line the shortest form of it; None where there is none.
        duration: seconds, set-up and tear-down included.
        time: when it ended, in seconds since the epoch.
        reports: pytest's serialized reports of its phases; empty when the worker died.
        may_retry: whether the failure is one after which the sweep wants to try again.
        building: how many of the seconds went into fixtures of wider scope than the function's, which a kept process would still have.
        lease: under which the worker had it.
        used: what it has used of the project beyond what the driver knows; None for nothing.
        sections: what pytest had captured by then, where its process died: names and contents, as in `reports`.
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
    lease: int = 0
    used: Used | None = None
    sections: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class TrialLeft:
    """A trial has ended the session, or the session was interrupted in it: the attempt has no end of its own.

    Attributes:
        sections: what pytest had captured by then: names and contents.
        lease: under which the worker had it.
    """

    key: str
    attempt: int
    sections: tuple[tuple[str, str], ...]
    lease: int = 0


@dataclass(frozen=True, slots=True)
class TrialReturned:
    """A worker gives back a trial that it has not begun: the one before it takes long, or a shared fixture is not there any more.

    Attributes:
        lost: the id of that fixture; "" where there is none.
        lease: under which the worker had it.
    """

    key: str
    attempt: int
    lost: str = ""
    lease: int = 0


@dataclass(frozen=True, slots=True)
class TrialRetried:
    """An attempt has failed and the trial will be tried again. Made by the engine; `failed` is the attempt's end."""

    failed: TrialFinished


@dataclass(frozen=True, slots=True)
class TrialNotRun:
    """A trial was never begun; `reason` says why. Made by the engine."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class TrialInterrupted:
    """A trial was begun, and cut off. Made by the engine.

    Attributes:
        attempt: the newest attempt that was begun.
        reason: why it was cut off.
        metrics: those of its last report; None where there was none.
        sections: what pytest had captured by then: names and contents.
        duration: for how many seconds that attempt had run; None where it had ended, and another one was to follow.
        time: when it was cut off, in seconds since the epoch; None likewise.
    """

    key: str
    attempt: int
    reason: str
    metrics: dict[str, Any] | None = None
    sections: tuple[tuple[str, str], ...] = ()
    duration: float | None = None
    time: float | None = None


@dataclass(frozen=True, slots=True)
class TeardownTimedOut:
    """The fixtures of a trial that has ended took too long to be torn down, and the process was ended.

    Made by the engine, or, at the end of a worker, by its executor.

    Attributes:
        key: the trial.
        fixture: the fixture that hung, for people.
        error: the text of the failure, its last line the shortest form of it.
    """

    key: str
    fixture: str
    error: str


TrialEvent = TrialStarted | TrialReported | TrialFinished | TrialLeft | TrialReturned
