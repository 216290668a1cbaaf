"""Has the configurations of slots chosen, as many at a time as workers are free for them. Knows nothing of how."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pytest_sweep.engine.capacity import Capacity
from pytest_sweep.engine.entry import Entry
from pytest_sweep.engine.judging import StudyRun
from pytest_sweep.engine.trials import Ledger
from pytest_sweep.engine.worker import Worker
from pytest_sweep.model.commands import Command, Propose
from pytest_sweep.model.events import ProposalDeferred, ProposalsEnded, Proposed, TrialFinished
from pytest_sweep.model.trials import TrialState


class Slots:
    """The slots that have no configuration yet.

    They wait in the ledger's queues as all trials, so that workers are started for them; but no worker gets one. An idle worker that
    comes upon one asks for its configuration, and idles until it is there.

    Args:
        ledger: the trials.
        capacity: knows how many workers idle.
        order: gives an order.
    """

    def __init__(self, ledger: Ledger, capacity: Capacity, order: Callable[[Command], None]) -> None:
        self._ledger = ledger
        self._capacity = capacity
        self._order = order
        self._asked: dict[str, str] = {}

    @property
    def are_awaited(self) -> bool:
        """Whether a searcher was asked for a configuration that is not there yet."""
        return bool(self._asked)

    def next_for(self, worker: Worker, queue: Iterable[str]) -> Entry | None:
        """Return the trial that an idle worker may have; None where it has to wait for a configuration, which is ordered then.

        Each slot whose configuration was asked for has one of the idle workers for itself.
        """
        free = self._capacity.idling(worker.shape)
        for key in queue:
            entry = self._ledger[key]
            course = entry.course
            if course is None or not entry.trial.is_blank:
                return entry if free > 0 else None
            if free <= 0:
                return None
            if not course.is_asked:
                study = self._ledger.studies[entry.trial.study]
                course.is_asked, course.asked_after = True, study.observations
                self._asked[key] = entry.trial.study
                self._order(Propose(entry.trial.study, key, entry.trial.slot or 0))
                return None
            free -= 1
        return None

    def take(self, event: Proposed) -> Entry | None:
        """Give a slot its configuration; return None where it is not to run any more."""
        self._asked.pop(event.key, None)
        entry = self._ledger.get(event.key)
        if entry is None:
            return None
        self._look_again(entry)
        if entry.course is None or not entry.is_open or not entry.trial.is_blank:
            return None
        entry.trial = event.applied_to(entry.trial)
        return entry

    def defer(self, event: ProposalDeferred) -> None:
        """Let the slots of a study wait for its next observation, unless there was one since the searcher was asked."""
        self._asked.pop(event.key, None)
        entry, study = self._ledger.get(event.key), self._ledger.studies.get(event.study)
        if entry is None or entry.course is None or study is None:
            return
        entry.course.is_asked = False
        self._look_again(entry)
        if study.observations > entry.course.asked_after:
            return
        blank = self._blank(study)
        study.deferred = len(blank)
        self._ledger.defer(blank)
        study.changed()

    def call_back(self, study: StudyRun) -> None:
        """Let the slots of a study wait for workers again."""
        if study.deferred:
            study.deferred = 0
            self._ledger.call_back(study.study.id)

    def end(self, event: ProposalsEnded, time: float) -> None:
        """End the slots of a study that have no configuration, as SKIPPED, at `time` since the epoch: they are not needed."""
        self._forget(event.study)
        study = self._ledger.studies.get(event.study)
        if study is None:
            return
        study.deferred = 0
        left = self._blank(study)
        self._ledger.withdraw({entry.trial.key for entry in left})
        for entry in left:
            assert entry.course is not None
            study.leave(entry.course)
            end = TrialFinished(entry.trial.key, 0, TrialState.SKIPPED, None, event.reason, 0.0, time)
            self._ledger.finish(entry, end)
            self._look_again(entry)

    def _look_again(self, entry: Entry) -> None:
        """Have what waits behind a slot given to the workers that have idled until the searcher answered."""
        self._ledger.grown[entry.shape] = None

    def _blank(self, study: StudyRun) -> list[Entry]:
        """Return the slots of a study that wait and have no configuration, but for those that it was asked for."""
        courses = (course for course in study.courses.values() if course.is_here and not course.is_asked)
        entries = (self._ledger[course.key] for course in courses)
        return [entry for entry in entries if entry.state is TrialState.PENDING and entry.trial.is_blank]

    def _forget(self, study: str) -> None:
        """Take note that the searcher has answered the oldest question about a study: in the order in which it was asked."""
        key = next((key for key, its in self._asked.items() if its == study), None)
        if key is not None:
            del self._asked[key]
            course = self._ledger[key].course
            if course is not None:
                course.is_asked = False
