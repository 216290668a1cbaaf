"""What has become of each trial, and which of them wait for which shape of worker. Knows of workers only their batches."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from pytest_sweep.engine.capacity import Shape, Worker
from pytest_sweep.engine.shared import Change, SharedFixtures
from pytest_sweep.model import commands, events
from pytest_sweep.model.retry import backoff_seconds
from pytest_sweep.model.shared import SharedEvent
from pytest_sweep.model.trials import Trial, TrialState


@dataclass(slots=True)
class Entry:
    """What is known of a trial.

    Attributes:
        trial: the trial.
        shape: the shape of worker that it needs now.
        state: what has become of it so far.
        attempt: the attempt that counts.
        failures: how often it has failed by itself.
        crashes: how often its worker has died under it.
        memory_kills: how often its worker was killed because the node had no memory left.
        excused: whether a worker has died with it that may have been dead before.
        alone: whether it travels in a call of its own, since a worker died with it.
        worker: who has it, or None.
    """

    trial: Trial
    shape: Shape
    state: TrialState = TrialState.PENDING
    attempt: int = 1
    failures: int = 0
    crashes: int = 0
    memory_kills: int = 0
    excused: bool = False
    alone: bool = False
    worker: Worker | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is still to be finished."""
        return self.state in (TrialState.PENDING, TrialState.RUNNING)


class Ledger:
    """Keeps the entries, the queues and what is to be recorded.

    Attributes:
        queues: the keys of the trials that wait, by the shape of worker that they need.
        unfinished: how many trials are neither finished nor given up.
        closed_because: why nothing new may begin; None while it may.
        has_timeouts: whether the sweep of any trial says how long an attempt may take.
        shared: the shared fixtures; who waits for one is in no queue.
    """

    def __init__(self) -> None:
        self.shared = SharedFixtures()
        self._held_back: dict[str, Entry] = {}
        self.queues: dict[Shape, deque[str]] = {}
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

    def add(self, trials: Iterable[Trial], attempts: Mapping[str, int], now: float = 0.0) -> None:
        """Take in trials that wait; those of which `attempts` knows a number begin with that attempt."""
        for trial in trials:
            self.shared.add(trial.shared, now)
            shape = Shape(trial.resources, trial.fresh_process, placement=trial.placement)
            shape = self._shapes.setdefault(shape, shape)  # One for all that are equal: there may be a million trials.
            entry = self._entries[trial.key] = Entry(trial, shape, attempt=attempts.get(trial.key, 1))
            self._queue(entry)
            self.unfinished += 1
            self.has_timeouts = self.has_timeouts or trial.sweep.timeout is not None

    def __getitem__(self, key: str) -> Entry:
        return self._entries[key]

    def current(self, key: str, attempt: int) -> Entry | None:
        """Return the entry if the event belongs to the attempt that counts; what comes from an older one is refused.

        So is what a worker says of a trial that no worker has: it is finished, or waits for another one.
        """
        entry = self._entries.get(key)
        if entry is None or entry.attempt != attempt or entry.worker is None:
            return None
        return entry

    def start(self, entry: Entry, event: events.TrialStarted) -> None:
        """Note that a worker has begun it."""
        entry.state = TrialState.RUNNING
        self.record(event)

    def requeue(self, entry: Entry) -> None:
        """Let it wait again, before all others."""
        self._leave_worker(entry)
        entry.state = TrialState.PENDING
        if self.closed_because is not None:
            self.give_up(entry, self.closed_because)
        else:
            self._queue(entry, first=True)

    def retry(self, entry: Entry, failed: events.TrialFinished, now: float = 0.0, wait: float = 0.0) -> None:
        """Record a failed attempt and let the trial wait for the next one: `wait` seconds from `now`, at least."""
        self.record(events.TrialRetried(failed))
        entry.attempt += 1
        if wait > 0 and self.closed_because is None:
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
                if entry.state is TrialState.PENDING:
                    self._queue(entry)
        elif change is Change.LOST:
            for queue in self.queues.values():
                keys = list(queue)
                queue.clear()
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
        self.record(finished)

    def give_up(self, entry: Entry, reason: str) -> None:
        """Record that the trial is not run, or is cut off."""
        self._leave_worker(entry)
        entry.state = TrialState.NOT_RUN
        self.unfinished -= 1
        self.record(events.TrialNotRun(entry.trial.key, reason))

    def close(self, reason: str) -> None:
        """Let nothing new begin: what waits is given up."""
        self.closed_because = reason
        self.give_up_waiting(reason)

    def end(self, reason: str) -> None:
        """Give up everything, also what runs."""
        self.closed_because = reason
        for queue in self.queues.values():
            queue.clear()
        for entry in list(self.open()):
            self.give_up(entry, reason)

    def give_up_waiting(self, reason: str, sweep: str | None = None) -> None:
        """Give up what no worker has: all of it, or one sweep's."""
        for queue in self.queues.values():
            rest = [key for key in queue if sweep is not None and self._entries[key].trial.sweep.id != sweep]
            queue.clear()
            queue.extend(rest)
        for entry in list(self.open()):
            if entry.worker is None and (sweep is None or entry.trial.sweep.id == sweep):
                self.give_up(entry, reason)

    def open(self) -> Iterator[Entry]:
        """Iterate over the trials that are neither finished nor given up."""
        return (entry for entry in self._entries.values() if entry.is_open)

    def _queue(self, entry: Entry, *, first: bool = False) -> None:
        if self.shared.missing(entry.trial.shared) is not None:
            self._held_back[entry.trial.key] = entry
            return
        queue = self.queues.setdefault(entry.shape, deque())
        (queue.appendleft if first else queue.append)(entry.trial.key)

    def _leave_worker(self, entry: Entry) -> None:
        if entry.worker is not None:
            entry.worker.batch.pop(entry.trial.key, None)
            entry.worker = None
