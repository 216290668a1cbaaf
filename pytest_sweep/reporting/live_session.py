"""What a live view shows of a run that goes on in this process. Has no clock of its own."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence

from pytest_sweep.model import TrialState
from pytest_sweep.model.waiting import Waiting
from pytest_sweep.reporting.best import judged_value
from pytest_sweep.reporting.entry import TrialProgress
from pytest_sweep.reporting.failures import FailureReasons
from pytest_sweep.reporting.leading import Leaders
from pytest_sweep.reporting.live import (
    LEAST_ENDED,
    MOST_REASONS,
    MOST_SWEEPS,
    LiveView,
    NamedLine,
    best_named,
    metric_text,
    running_named,
)
from pytest_sweep.reporting.progress import Progress
from pytest_sweep.reporting.remaining import remaining_seconds
from pytest_sweep.reporting.waits import waiting_lines


class SessionView:
    """Looks at a run. A look costs as much as trials have ended since the last one, and as run now.

    Args:
        progress: what is known of the trials.
        leaders: finds the best ones.
        failures: groups those that failed.
    """

    def __init__(self, progress: Progress, leaders: Leaders, failures: FailureReasons) -> None:
        self._progress = progress
        self._leaders = leaders
        self._failures = failures

    def look(
        self, now: float, elapsed: float, waiting: Waiting | None, trackers: Sequence[str] = (), most: int = 100
    ) -> LiveView:
        """Return what is to be shown.

        Args:
            now: seconds since the epoch.
            elapsed: seconds since the run began.
            waiting: what waits, and for what; None where nobody was asked.
            trackers: how far behind trackers are, a line each.
            most: how many running trials are returned at the most.
        """
        progress = self._progress
        running = itertools.islice(progress.in_state(TrialState.RUNNING), most)
        has_ended = len(progress.ended) >= LEAST_ENDED
        return LiveView(
            counts=progress.counts(),
            elapsed=elapsed,
            remaining=remaining_seconds(progress, now) if has_ended else None,
            best=[
                best_named(sweep.metric, judged_value(entry), sweep.mode, self._named(entry), len(entry.states))
                for sweep, entry in self._leaders.best()[:MOST_SWEEPS]
            ],
            failures=self._failed(),
            waiting=[] if waiting is None else waiting_lines(waiting),
            trackers=trackers,
            running=[self._running(entry, now) for entry in running],
        )

    def _failed(self) -> list[NamedLine]:
        most = heapq.nlargest(MOST_REASONS, self._failures.all().items(), key=lambda item: item[1][0])
        lines = []
        for reason, (count, entry) in most:
            more = f" and {count - 1} more" if count > 1 else ""
            name = self._named(entry)
            lines.append(NamedLine(f"ERROR {name.before}", name.name, name.short, f"{more}: {reason}"))
        return lines

    def _running(self, entry: TrialProgress, now: float) -> NamedLine:
        sweep = entry.trial.sweep
        names = [sweep.metric, *itertools.islice(self._progress.tally_of(sweep).metric_names, 1)]
        seconds = None if entry.started is None else max(now - entry.started, 0.0)
        return running_named(self._named(entry), seconds, entry.iteration, metric_text(entry.metrics or {}, names))

    def _named(self, entry: TrialProgress) -> NamedLine:
        """Return the name of a trial; of a slot with its configuration."""
        trial = entry.trial
        chosen = f" {{{trial.label}}}" if trial.point_key else ""
        return NamedLine("", f"{self._progress.label(trial)}{chosen}", self._progress.short_name(trial))
