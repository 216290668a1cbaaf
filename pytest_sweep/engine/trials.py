"""What has become of each trial, and which of them wait for which shape of worker. Knows of workers only their batches."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import takewhile
from typing import Any

from pytest_sweep.engine.entry import Entry, completed, interrupted
from pytest_sweep.engine.judging import StudyRun
from pytest_sweep.engine.shared import Change, SharedFixtures
from pytest_sweep.engine.worker import Shape
from pytest_sweep.model import commands, events
from pytest_sweep.model.retry import backoff_seconds
from pytest_sweep.model.shared import SharedEvent
from pytest_sweep.model.study import VerdictKind
from pytest_sweep.model.trials import Trial, TrialState


class Ledger:
    """Keeps the entries, the queues and what is to be recorded.

    Attributes:
        queues: the keys of the trials that wait, by the shape of worker that they need; none of them is empty.
        grown: the shapes whose queue has become longer since that was last looked at.
        unfinished: how many trials are neither finished nor given up.
        closed_because: why nothing new may begin; None while it may.
        has_timeouts: whether the sweep of any trial says how long an attempt may take.
        shared: the shared fixtures; who waits for one is in no queue.
        studies: the studies that trials may belong to, by their ids.
    """

    def __init__(self) -> None:
        self.shared = SharedFixtures()
        self.studies: dict[str, StudyRun] = {}
        self._deferred: dict[str, Entry] = {}
        self._held_back: dict[str, Entry] = {}
        self.queues: dict[Shape, deque[str]] = {}
        self.grown: dict[Shape, None] = {}
        self._given_up: dict[str, str] = {}
        self.unfinished = 0
        self.closed_because: str | None = None
        self.has_timeouts = False
        self._shapes: dict[Shape, Shape] = {}
        self._entries: dict[str, Entry] = {}
        self._delayed: list[tuple[float, str, int]] = []
        self._records: list[commands.Record] = []

    def take_records(self) -> list[commands.Record]:
        """Return what is to be recorded since the last call."""
        records, self._records = self._records, []
        return records

    def record(self, event: events.Accepted) -> None:
        """Have `event` stored and shown."""
        self._records.append(commands.Record(event))

    def add(
        self,
        trials: Iterable[Trial],
        attempts: Mapping[str, int],
        now: float = 0.0,
        metrics: Mapping[str, dict[str, Any]] | None = None,
    ) -> None:
        """Take in trials that wait; those of which `attempts` knows a number begin with that attempt, and have last reported `metrics`."""
        for trial in trials:
            self.shared.add(trial.shared, now)
            shape = Shape(trial.resources, trial.fresh_process, placement=trial.placement)
            shape = self._shapes.setdefault(shape, shape)  # One for all that are equal: there may be a million trials.
            entry = self._entries[trial.key] = Entry(trial, shape, attempt=attempts.get(trial.key, 1))
            self.unfinished += 1
            self.has_timeouts = self.has_timeouts or trial.sweep.timeout is not None
            if trial.study and (study := self.studies.get(trial.study)) is not None:
                entry.course, entry.alone = study.join(trial.key), True
                entry.metrics = entry.saved = None if metrics is None else metrics.get(trial.key)
            self._wait(entry)

    def __getitem__(self, key: str) -> Entry:
        return self._entries[key]

    def get(self, key: str) -> Entry | None:
        """Return the entry of this key; None where there is none."""
        return self._entries.get(key)

    def current(self, key: str, attempt: int, lease: int) -> Entry | None:
        """Return the entry if the event belongs to the hand-out that counts; what comes from an older one is refused.

        So is what a worker says of a trial that no worker has: it is finished, or waits for another one.
        """
        entry = self._entries.get(key)
        if entry is None or entry.worker is None or entry.attempt != attempt or entry.lease != lease:
            return None
        return entry

    def has_waiting(self, entry: Entry, iteration: int) -> bool:
        """Say whether another trial of its study waits for such a worker that is no further than `iteration`."""
        study, waiting = entry.trial.study, map(self._entries.__getitem__, self.queues.get(entry.shape, ()))
        return any(one.trial.study == study and not one.is_beyond(study, iteration) for one in waiting)

    def pop(self, shape: Shape) -> Entry:
        """Return the first trial that waits for a worker of `shape`; it waits no more."""
        queue = self.queues[shape]
        entry = self._entries[queue.popleft()]
        if not queue:
            del self.queues[shape]
        return entry

    def start(self, entry: Entry, event: events.TrialStarted) -> None:
        """Note that a worker has begun it."""
        entry.state = TrialState.RUNNING
        self.record(event)

    def requeue(self, entry: Entry) -> None:
        """Let it wait again, before all others."""
        self._leave_worker(entry)
        entry.state = TrialState.PENDING
        self._wait(entry, first=True)

    def pause(self, entry: Entry, finished: events.TrialFinished) -> None:
        """Record that an attempt has paused; the next one waits at once where its scheduler has let the trial go on.

        One that was not to pause waits behind the others, so that no member of a population runs ahead.
        """
        self.record(completed(finished, entry))
        entry.attempt += 1
        entry.metrics, entry.sections = entry.saved, ()
        self._leave_worker(entry)
        entry.state = TrialState.PENDING
        self._wait(entry, first=entry.course is not None and entry.course.verdict.kind is VerdictKind.PAUSE)

    def defer(self, entries: Iterable[Entry]) -> None:
        """Let slots wait until their searcher has more results."""
        deferred = {entry.trial.key: entry for entry in entries}
        self.withdraw(deferred)
        self._deferred.update(deferred)

    def deferred(self) -> Iterator[Entry]:
        """Iterate over the slots whose searcher waits for results."""
        return (entry for entry in self._deferred.values() if entry.state is TrialState.PENDING)

    def call_back(self, study: str) -> None:
        """Let the deferred slots of a study wait for workers again: behind trials that are let go on, before all others."""
        for entry in [entry for entry in self.deferred() if entry.trial.study == study]:
            del self._deferred[entry.trial.key]
            ahead = takewhile(lambda key: self._entries[key].course is not None, self.queues.get(entry.shape, ()))
            self._queue(entry, sum(1 for _ in ahead))

    def retry(self, entry: Entry, failed: events.TrialFinished, now: float = 0.0, wait: float = 0.0) -> None:
        """Record a failed attempt and let the trial wait for the next one: `wait` seconds from `now`, at least."""
        self.record(events.TrialRetried(completed(failed, entry)))
        entry.attempt += 1
        entry.metrics, entry.sections = entry.saved, ()
        if wait > 0 and self._refusal(entry) is None:
            self._leave_worker(entry)
            entry.state = TrialState.PENDING
            heapq.heappush(self._delayed, (now + wait, entry.trial.key, entry.attempt))
        else:
            self.requeue(entry)

    def retry_after_failure(self, entry: Entry, failed: events.TrialFinished, now: float) -> bool:
        """Have a trial that failed by itself tried again, if its sweep wants that; say whether it does."""
        sweep = entry.trial.sweep
        if failed.state is not TrialState.ERROR or not failed.may_retry or entry.failures >= sweep.retries:
            return False
        entry.failures += 1
        self.retry(entry, failed, now, backoff_seconds(sweep.backoff, entry.failures, entry.trial.key))
        return True

    def release_delayed(self, now: float) -> bool:
        """Queue the trials that have waited long enough after a failure; say whether there are any."""
        released = False
        while self._delayed and self._delayed[0][0] <= now:
            _, key, attempt = heapq.heappop(self._delayed)
            entry = self._entries[key]
            if entry.state is TrialState.PENDING and entry.attempt == attempt:
                self.requeue(entry)
                released = True
        return released

    def delayed(self) -> Iterator[tuple[float, Entry]]:
        """Iterate over the trials that wait for a time after a failure, with that time, in no order."""
        for until, key, attempt in self._delayed:
            entry = self._entries[key]
            if entry.state is TrialState.PENDING and entry.attempt == attempt:
                yield until, entry

    def note_shared(self, event: SharedEvent, now: float) -> bool:
        """Take what is said of a shared fixture; say whether trials can go on that have waited for it."""
        change = self.shared.take(event, now)
        if change is Change.READY:
            held, self._held_back = self._held_back, {}
            for entry in held.values():
                if entry.state is TrialState.PENDING and entry.trial.key not in self._deferred:
                    self._queue(entry)
        elif change is Change.LOST:
            keys = [key for queue in self.queues.values() for key in queue]
            self.queues.clear()  # The same dict: others hold it, too.
            for key in keys:
                self._queue(self._entries[key])
        return change is Change.READY

    def held_back(self) -> Iterator[Entry]:
        """Iterate over the trials that wait for a shared fixture."""
        return (entry for entry in self._held_back.values() if entry.state is TrialState.PENDING)

    def require_empty_node(self, entry: Entry) -> None:
        """Have the next attempts run alone on their node."""
        entry.shape = replace(entry.shape, exclusive=True)

    def finish(self, entry: Entry, finished: events.TrialFinished) -> None:
        """Record how the trial has ended."""
        self._leave_worker(entry)
        entry.state = finished.state
        self.unfinished -= 1
        self.record(completed(finished, entry))
        entry.metrics = entry.saved = None

    def give_up(self, entry: Entry, reason: str, now: float = 0.0) -> None:
        """Record that the trial is not run or, if it was begun in this run or an earlier one, that it is cut off, at `now`."""
        event = interrupted(entry, reason, now)
        self._leave_worker(entry)
        self.unfinished -= 1
        entry.state = TrialState.NOT_RUN if event is None else TrialState.INTERRUPTED
        self.record(events.TrialNotRun(entry.trial.key, reason) if event is None else event)
        entry.metrics, entry.saved, entry.sections = None, None, ()

    def end(self, reason: str, now: float) -> None:
        """Give up everything, also what runs."""
        self.closed_because = reason
        self.queues.clear()
        for entry in list(self.open()):
            self.give_up(entry, reason, now)

    def give_up_waiting(self, reason: str, sweep: str | None = None) -> set[str]:
        """Give up what no worker has, all of it or one sweep's, and let nothing of that begin any more.

        Returns:
            The keys of trials that workers have and have not begun; they are given up when they are given back.
        """
        left = [entry for entry in self.open() if sweep is None or entry.trial.sweep.id == sweep]
        waiting = [entry for entry in left if entry.worker is None]
        if sweep is None:
            self.closed_because = reason
            self.queues.clear()
        else:
            self._given_up[sweep] = reason
            self.withdraw({entry.trial.key for entry in waiting})
        for entry in waiting:
            self.give_up(entry, reason)
        return {entry.trial.key for entry in left if entry.worker is not None and entry.state is TrialState.PENDING}

    def withdraw(self, keys: Container[str]) -> None:
        """Take trials out of their queues."""
        for shape, queue in list(self.queues.items()):
            rest = [key for key in queue if key not in keys]
            if rest:
                self.queues[shape] = deque(rest)
            else:
                del self.queues[shape]

    def _refusal(self, entry: Entry) -> str | None:
        """Return why a trial may not begin any more; None where it may."""
        if self.closed_because is not None:
            return self.closed_because
        return self._given_up.get(entry.trial.sweep.id)

    def open(self) -> Iterator[Entry]:
        """Iterate over the trials that are neither finished nor given up."""
        return (entry for entry in self._entries.values() if entry.is_open)

    def _wait(self, entry: Entry, *, first: bool = False) -> None:
        """Let a trial wait for a worker, or for its scheduler; give it up where it may not begin any more."""
        reason = self._refusal(entry)
        if reason is not None:
            self.give_up(entry, reason)
        elif entry.course is not None and entry.course.is_held:
            entry.state = TrialState.PAUSED
            self.studies[entry.trial.study].park(entry.course)
        else:
            self._queue(entry, 0 if first else None)

    def _queue(self, entry: Entry, place: int | None = None) -> None:
        if self.shared.missing(entry.trial.shared) is not None:
            self._held_back[entry.trial.key] = entry
            return
        queue = self.queues.setdefault(entry.shape, deque())
        if entry.course is not None and self.studies[entry.trial.study].takes_turns:
            study, judged = entry.trial.study, entry.course.judged
            place = next((n for n, key in enumerate(queue) if self._entries[key].is_beyond(study, judged)), None)
        queue.insert(len(queue) if place is None else place, entry.trial.key)
        self.grown[entry.shape] = None

    def _leave_worker(self, entry: Entry) -> None:
        if entry.worker is not None:
            entry.worker.batch.pop(entry.trial.key, None)
            entry.worker = None
