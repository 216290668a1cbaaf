"""The states of a trial, as words. Knows nothing of how it comes into one."""

from __future__ import annotations

import enum


class TrialState(str, enum.Enum):
    """What became of a trial so far; the first four are Ray Tune's words."""

    PENDING = "PENDING"
    """It waits for its turn or for resources."""
    RUNNING = "RUNNING"
    """A worker has begun it."""
    PAUSED = "PAUSED"
    """Its scheduler has paused it at a checkpoint; it may go on later. Nothing ends as PAUSED."""
    TERMINATED = "TERMINATED"
    """It finished well."""
    ERROR = "ERROR"
    """It failed; pytest's exit status is 1."""
    SKIPPED = "SKIPPED"
    """It was skipped, or failed as a mark said it would (xfail)."""
    STOPPED = "STOPPED"
    """A stop rule or a scheduler ended it early, which counts as passed."""
    CACHED = "CACHED"
    """A stored result was taken instead of running it."""
    INTERRUPTED = "INTERRUPTED"
    """It was begun, and cut off: by an interrupt, a fail-fast or a budget. What it reported is kept; never confused with done."""
    NOT_RUN = "NOT_RUN"
    """It was never begun: because of an interrupt, a fail-fast or a budget."""

    @property
    def is_finished(self) -> bool:
        """Whether the trial has a result: it ran to an end, or one was taken from the store."""
        return self not in _UNFINISHED

    def __str__(self) -> str:
        return self.value


_UNFINISHED = (
    TrialState.PENDING,
    TrialState.RUNNING,
    TrialState.PAUSED,
    TrialState.INTERRUPTED,
    TrialState.NOT_RUN,
)
