"""How long the rest of a run will take, where that can be told. Knows no clock of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pytest_sweep.durations import duration_words
from pytest_sweep.model import TrialState
from pytest_sweep.reporting.progress import Progress
from pytest_sweep.reporting.tally import Lengths

_LEAST_ENDED = 3
_MOST_ERROR = 0.25
_STEPS = ((60, 5), (600, 30), (3600, 60), (6 * 3600, 300), (float("inf"), 1800))
"""Up to how many seconds the answer is rounded to how many: it is no more exact than that."""


class Load(NamedTuple):
    """What is known of the trials of a sweep for how long they take.

    Attributes:
        pending: how many wait.
        running: for how many seconds those run that run now.
        lengths: how long those took that have ended.
    """

    pending: int
    running: Sequence[float]
    lengths: Lengths


def remaining_seconds(progress: Progress, now: float) -> float | None:
    """Return how many seconds the rest will take if it goes on as before; None if too little is known to say so, see `remaining_of`.

    Args:
        progress: what is known of the trials.
        now: seconds since the epoch.
    """
    if progress.began is None:
        return None
    ran: dict[str, list[float]] = {}
    for entry in progress.in_state(TrialState.RUNNING):
        if entry.started is not None:
            ran.setdefault(entry.trial.sweep.id, []).append(max(now - entry.started, 0.0))
    loads = [
        Load(counts.get(TrialState.PENDING, 0), ran.get(sweep.id, ()), progress.tally_of(sweep).lengths)
        for sweep, counts in progress.counts_by_sweep()
    ]
    return remaining_of(loads, now - progress.began)


def remaining_of(loads: Iterable[Load], elapsed: float) -> float | None:
    """Return how many seconds the rest will take if it goes on as before; None if too little is known to say so.

    The mean of each sweep's trials counts by itself, so that short trials tell nothing of another sweep's long ones. Something is known
    of a sweep when three of its trials have ended and at least as many as run now (the first to end are the shortest), and when the mean of
    their lengths is known to a quarter (its standard error). Trials that run already longer than the mean raise it.

    Args:
        loads: what is known of each sweep.
        elapsed: seconds since the first trial began.
    """
    work = busy = 0.0
    for pending, running, lengths in loads:
        busy += lengths.seconds + sum(running)
        if left := pending + len(running):
            mean = _mean(lengths, running)
            if mean is None:
                return None
            work += max(left * mean - sum(min(seconds, mean) for seconds in running), 0.0)
    return work * elapsed / busy if busy and work else None


def remaining_text(seconds: float | None) -> str:
    """Return ``about 4 min left``, rounded to what can be told; empty for None."""
    if seconds is None:
        return ""
    step = next(step for limit, step in _STEPS if seconds < limit)
    return f"about {duration_words(max(round(seconds / step), 1) * step)} left"


def _mean(lengths: Lengths, running: Sequence[float]) -> float | None:
    if lengths.count < max(_LEAST_ENDED, len(running)) or lengths.variation() > _MOST_ERROR * lengths.count**0.5:
        return None
    mean = lengths.seconds / lengths.count
    late = [seconds for seconds in running if seconds > mean]
    if late and max(late) > 2 * mean and len(late) * 4 > lengths.count:
        return None  # Many run much longer than those that ended: what ended was not typical.
    return (lengths.seconds + sum(late)) / (lengths.count + len(late))
