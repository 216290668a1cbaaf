"""What the session of a worker has to say beside its trials: passed on to the store and to pytest as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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
