"""Sends one run to one tracker: its reports in order, the starts and ends of its trials. Runs in a thread of its own; starts none."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from pytest_sweep import clock
from pytest_sweep.errors import StoreError
from pytest_sweep.model import TrialState
from pytest_sweep.model.metrics import AUTO_METRICS
from pytest_sweep.store.cursors import TrackerCursors, TrackingLock, TrialCursor
from pytest_sweep.store.network import on_network
from pytest_sweep.store.outgoing import Outgoing
from pytest_sweep.store.records import StoredReport, StoredTrial, is_open
from pytest_sweep.trackers.base import TrackedRun, TrackedTrial, Tracker, stable_id
from pytest_sweep.trackers.origins import origin_of
from pytest_sweep.trackers.patience import Patience, Stop

BATCH = 1000
"""How many reports, or trials that have changed, are in memory at once."""

POLL_SECONDS = 0.5
NETWORK_POLL_SECONDS = 10.0
"""On a file system that machines share, readers and the writer wait for each other."""

_SHARE = 20
"""A look may take this part of the time at the most."""

_MOST_FAILURES, _MOST_OF_OVER = 20, 4
"""How often a database is tried that cannot be read: of a run that is over nobody writes it, so that it gets no better."""

_LOCK_SECONDS = 60.0
_DRIVER_SECONDS = 5.0


class Sender:
    """Sends one run to one tracker.

    Args:
        folder: the run's folder.
        name: the id of the tracker's cursors.
        tracker: the tracker.
        settings: its settings.
        stop: says when the run is over, and when the time is up.
        await_driver: whether, when the run is over, it is waited for the end of its driver.

    Attributes:
        patience: says whether the tracker is down.
        lag: how many reports wait, as far as is known.
        sent: how many reports were sent.
        is_done: whether all was sent, and the tracker closed.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        tracker: Tracker,
        settings: Mapping[str, str],
        stop: Stop,
        *,
        await_driver: bool = True,
    ) -> None:
        self.patience = Patience(stop)
        self.lag = self.sent = 0
        self.is_done = False
        self._folder, self._name, self._tracker, self._settings, self._stop = folder, name, tracker, settings, stop
        self._interval = NETWORK_POLL_SECONDS if on_network(folder) else POLL_SECONDS
        self._awaits_driver = await_driver
        self._open: dict[str, str] = {}

    def send(self) -> None:
        """Send all that there is, and all that comes until the run is over.

        Raises:
            GivenUp: the time is up before.
            StoreError: the run cannot be read, or the cursors not be written.
            Exception: what the tracker raises, but for TrackerDown.
        """
        self._outgoing = Outgoing(self._folder)
        with TrackerCursors(self._folder) as self._cursors:
            self._with_retries(self._begin_run)
            while True:
                is_over = self._stop.is_over
                if is_over and self._awaits_driver:
                    self._await_driver()
                began = clock.monotonic()
                is_busy = self._with_retries(self._round)
                if is_over and not is_busy:
                    break
                if not is_busy:
                    pause = max(self._interval, _SHARE * (clock.monotonic() - began))
                    self._stop.wait(min(pause, 10 * NETWORK_POLL_SECONDS), over_wakes=True)
            self.patience.call(self._tracker.close, replace(self._run, stored=self._outgoing.run()))
            self.is_done = True

    def _await_driver(self) -> None:
        """Wait until the driver has really gone, whose pipe may be closed a moment before: what ran then runs no more."""
        end = clock.monotonic() + _DRIVER_SECONDS
        while self._outgoing.goes_on():
            if clock.monotonic() > end:
                return
            time.sleep(0.05)
        self._outgoing.see_all()

    def _with_retries(self, step: Callable[[], bool]) -> bool:
        """Do a step; a database that cannot be read for a moment, as one that is locked, is read again."""
        failures = 0
        while True:
            try:
                return step()
            except StoreError:  # noqa: PERF203 - to repeat it is what it is for
                failures += 1
                if failures >= (_MOST_OF_OVER if self._stop.is_over else _MOST_FAILURES) or self._stop.is_given_up:
                    raise
                self._stop.wait(min(0.2 * failures, 2.0), over_wakes=False)

    def _begin_run(self) -> bool:
        origin = self._cursors.origin(self._name)
        if origin is None:
            origin, earlier = origin_of(self._folder, self._name)
            if earlier is not None:
                with suppress(StoreError):  # A folder that may not be written: nobody sends that run.
                    TrackingLock(earlier, _LOCK_SECONDS).release()  # Whoever sends the rest of it is done then.
            self._cursors.add(self._name, origin, earlier)
        self._last = self._cursors.last_report(self._name)
        sweeps = self._outgoing.sweeps()
        self._sweeps = {sweep.id: sweep for sweep in sweeps}
        self._run = TrackedRun(self._outgoing.run(), self._folder, origin, sweeps)
        self.patience.call(self._tracker.open, self._run, self._settings)
        return False

    def _round(self) -> bool:
        """Send what there is now; return whether a further round finds more at once."""
        changes = self._outgoing.look(BATCH)
        while self._last < changes.last_report:
            self.lag = changes.last_report - self._last
            self._send_batch(changes.last_report)
        self.lag = 0
        cursors = self._cursors.of(self._name, [trial.key for trial in changes.trials])
        self._begin_running(changes.trials, cursors)
        self._end(changes.trials, cursors)
        return changes.has_more

    # Reports

    def _send_batch(self, newest: int) -> None:
        reports = self._outgoing.reports_after(self._last, BATCH)
        if not reports:  # They were deleted meanwhile.
            self._last = newest
            return
        by_trial: dict[str, list[StoredReport]] = {}
        for report in reports:
            by_trial.setdefault(report.trial_key, []).append(report)
        trials = {trial.key: trial for trial in self._outgoing.trials(by_trial)}
        cursors = self._cursors.of(self._name, by_trial)
        for key, its in by_trial.items():
            if key in trials:
                self._send(trials[key], its, cursors.get(key))
        last = reports[-1].id
        # At once, so that of a run that is sent afterwards few trials are begun at a time.
        self._end(self._complete(trials.values(), last), self._cursors.of(self._name, by_trial))
        self._cursors.move(self._name, last)
        self._last = last

    def _send(self, trial: StoredTrial, reports: Sequence[StoredReport], cursor: TrialCursor | None) -> None:
        unsent = reports if cursor is None else [report for report in reports if not _was_sent(report, trial, cursor)]
        if not unsent:
            return
        remote, cursor = self._begun(trial, cursor)
        for iteration, together in _unbroken(unsent, cursor.iteration):
            if iteration is not None:
                self.patience.call(self._tracker.restart, remote, iteration)
            self.patience.call(self._tracker.log, remote, together)
            last = together[-1]
            cursor = replace(cursor, attempt=last.attempt, iteration=last.iteration, last_report=last.id, copied=False)
            self._cursors.save(self._name, cursor)
            self.sent += len(together)

    def _complete(self, trials: Iterable[StoredTrial], last: int) -> list[StoredTrial]:
        """Return the trials that have ended and whose reports have no higher number than `last`."""
        ended = {trial.key: trial for trial in trials if not is_open(trial.state)}
        newest = self._outgoing.last_reports(ended) if ended else {}
        return [trial for key, trial in ended.items() if key not in newest or newest[key].id <= last]

    # Starts and ends

    def _begin_running(self, trials: Iterable[StoredTrial], cursors: Mapping[str, TrialCursor]) -> None:
        for trial in trials:
            if trial.state in (TrialState.RUNNING, TrialState.PAUSED):
                self._begun(trial, cursors.get(trial.key))

    def _begun(self, trial: StoredTrial, cursor: TrialCursor | None) -> tuple[str, TrialCursor]:
        """Return the remote id of a trial, which is begun unless this process has done so."""
        if trial.key in self._open and cursor is not None:
            return self._open[trial.key], cursor
        may_exist = cursor is not None and cursor.remote is None
        if cursor is None:
            # Another machine may have sent the run that this one resumes.
            may_exist = trial.taken_from is not None and self._run.stored.resumed_from is not None
            cursor = TrialCursor(trial.key)
            self._cursors.save(self._name, cursor)
        logged, remote = cursor.iteration, cursor.remote

        def begin() -> str:
            nonlocal may_exist
            tracked = self._tracked(trial, may_exist=may_exist, logged=logged)
            may_exist = True
            return self._tracker.begin(tracked, remote)

        made = self.patience.call(begin)
        if not isinstance(made, str):
            raise TypeError(f"begin() returned {made!r}, and not a text by which the tracker finds the trial again")
        cursor = replace(cursor, remote=made, ended=None)
        self._cursors.save(self._name, cursor)
        self._open[trial.key] = made
        return made, cursor

    def _end(self, trials: Iterable[StoredTrial], cursors: Mapping[str, TrialCursor]) -> None:
        due = [trial for trial in trials if _is_to_end(trial, cursors.get(trial.key))]
        reported = self._outgoing.last_reports([trial.key for trial in due]) if due else {}
        for trial in due:
            remote, cursor = self._begun(trial, cursors.get(trial.key))
            final = _final_report(trial, reported.get(trial.key))
            if final is not None:
                self.patience.call(self._tracker.log, remote, [final])
            self.patience.call(self._tracker.end, remote, self._tracked(trial, logged=cursor.iteration))
            self._cursors.save(self._name, replace(cursor, ended=_end_of(trial), copied=False))
            del self._open[trial.key]

    def _tracked(self, trial: StoredTrial, *, may_exist: bool = False, logged: int = 0) -> TrackedTrial:
        return TrackedTrial(
            trial, self._sweeps[trial.sweep_id], stable_id(self._run.origin, trial.key), may_exist, logged
        )


def _was_sent(report: StoredReport, trial: StoredTrial, cursor: TrialCursor) -> bool:
    if cursor.last_report:
        return report.id <= cursor.last_report
    # What an earlier run has sent: there its reports had other numbers. A trial that was begun anew has none of them.
    is_copy = cursor.copied and trial.taken_from is not None
    return is_copy and report.iteration > 0 and (report.attempt, report.iteration) <= (cursor.attempt, cursor.iteration)


def _unbroken(reports: Iterable[StoredReport], last: int) -> Iterator[tuple[int | None, list[StoredReport]]]:
    """Yield reports in parts that follow on each other; before each the iteration from which on it repeats some, or None.

    Args:
        reports: reports of one trial.
        last: the iteration of the last one that was sent.
    """
    for _, group in groupby(reports, key=lambda report: report.attempt):
        together = list(group)
        first = together[0].iteration
        yield (first if 0 < first <= last else None), together
        last = together[-1].iteration


def _is_to_end(trial: StoredTrial, cursor: TrialCursor | None) -> bool:
    if is_open(trial.state):
        return False
    if cursor is None:  # One that never began, such as a slot that was not needed, is shown nowhere.
        return trial.state is TrialState.CACHED or (trial.attempts > 0 and trial.state is not TrialState.NOT_RUN)
    if cursor.copied and trial.taken_from is None:
        return trial.state is not TrialState.NOT_RUN
    if trial.state is TrialState.NOT_RUN:  # It stays as an earlier run has left it.
        return cursor.ended is None or abs(cursor.ended) != trial.attempts
    return cursor.ended != _end_of(trial)


def _end_of(trial: StoredTrial) -> int:
    """Return what the cursor keeps of a trial's end: one that was cut off may end in another way without another attempt."""
    return -trial.attempts if trial.state in (TrialState.INTERRUPTED, TrialState.NOT_RUN) else trial.attempts


def _final_report(trial: StoredTrial, last: StoredReport | None) -> StoredReport | None:
    """Return what a trial has returned beside its reports, as a last report; None where there is nothing of that kind."""
    metrics = trial.metrics or {}
    before = {} if last is None else last.metrics
    new = {name: value for name, value in metrics.items() if name not in before or repr(before[name]) != repr(value)}
    if not new.keys() - set(AUTO_METRICS):
        return None
    iteration = metrics.get("training_iteration", 1 if last is None else last.iteration)
    automatic = {name: metrics[name] for name in AUTO_METRICS if name in metrics}
    return StoredReport(
        0, trial.key, trial.attempts, iteration if isinstance(iteration, int) else 0, {**automatic, **new}, None
    )
