"""Searches and schedules: what workers report becomes observations, and those become decisions, which are numbered and recorded.

Asks schedulers at once, since they answer in microseconds. Searchers are ordered to choose and to take observations.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from pytest_sweep.engine.capacity import Capacity
from pytest_sweep.engine.course import Course
from pytest_sweep.engine.entry import Entry
from pytest_sweep.engine.guarding import Guarded
from pytest_sweep.engine.judging import StudyRun
from pytest_sweep.engine.slots import Slots
from pytest_sweep.engine.study import Leg, Study
from pytest_sweep.engine.trials import Ledger
from pytest_sweep.model import commands, events
from pytest_sweep.model.search_events import Decision, StudyNoted, TrialConfigured, TrialJudged, TrialResumed
from pytest_sweep.model.study import GO_ON, Observation, Resumption, Verdict, VerdictKind
from pytest_sweep.model.trials import TrialState
from pytest_sweep.search.protocols import Scheduler

Order = Callable[[commands.Command], None]

MAKE_ROOM = Verdict(VerdictKind.PAUSE, "others of the population wait for a worker")


class Studies:
    """All studies of a run.

    Args:
        studies: the studies.
        ledger: the trials.
        capacity: the workers.
        order: gives an order.

    Attributes:
        slots: the slots without a configuration.
        news: the studies in which something has changed: `settle` decides who goes on then.
    """

    def __init__(self, studies: Iterable[Study], ledger: Ledger, capacity: Capacity, order: Order) -> None:
        self.news: dict[str, StudyRun] = {}
        self._order = order
        ledger.studies |= {study.id: StudyRun(self._guarded(study), self.news) for study in studies}
        self.slots = Slots(ledger, capacity, order)
        self._ledger = ledger
        self._number = 0
        self._time = 0.0

    def begin(self, decisions: Iterable[Decision], time: float) -> None:
        """Get the state back that the decisions of an earlier run have led to; called before the trials are added.

        Args:
            decisions: the decisions, in order.
            time: when that is, in seconds since the epoch.
        """
        self._time = time
        for study in self._ledger.studies.values():
            for key in study.study.keys:
                study.course(key)
        decided: dict[str, list[Decision]] = {}
        for decision in decisions:
            self._number = max(self._number, decision.number)
            run = self._ledger.studies.get(decision.study)
            if run is None:
                continue
            if not run.replay(decision):
                self._note_difference(run)
            decided.setdefault(run.study.id, []).append(decision)
        for name, its in decided.items():
            if self._ledger.studies[name].study.searcher is not None:
                for command in recalled(name, its):
                    self._order(command)

    @property
    def are_awaited(self) -> bool:
        """Whether workers idle until a searcher has chosen a configuration."""
        return self.slots.are_awaited

    def leg(self, key: str) -> Leg | None:
        """Return what the next attempt of a trial is told of its study; None where it belongs to none."""
        course = self._ledger[key].course
        return None if course is None else course.leg

    # What is observed

    def reported(self, entry: Entry, course: Course, event: events.TrialReported) -> None:
        """Judge a trial that has reported, where it has passed a milestone."""
        iteration = event.metrics["training_iteration"]
        if iteration < course.next:
            if iteration <= course.judged:
                self._tell(entry, course, iteration, GO_ON)  # An attempt before it was cut off.
            elif course.is_stopped and not course.is_over:
                self._tell(entry, course, iteration, course.verdict)  # It has not heard of it.
            return
        run, verdict, has_checkpoint = self._ledger.studies[entry.trial.study], None, event.checkpoint is not None
        is_pause = iteration == course.pause_at
        for seen, verdict, can_pause in run.report(course, event.metrics, has_checkpoint=has_checkpoint):
            if verdict.kind is VerdictKind.PAUSE:
                course.paused_in = entry.attempt
            self._decide(TrialJudged(self._next(), entry.attempt, seen, verdict, can_pause, run.study.id))
            self._inform(run, seen)
        if verdict is None:
            self._note_missing(run, entry)
        elif is_pause and not has_checkpoint:
            self._note_stopping(run, entry)
        if is_pause and has_checkpoint:
            return  # Its attempt has ended, as its task said.
        if verdict == GO_ON and has_checkpoint and run.takes_turns and self._ledger.has_waiting(entry, iteration):
            verdict = MAKE_ROOM  # Nothing is decided on the trial, so nothing is stored: it waits behind those that are not as far.
        self._tell(entry, course, iteration, verdict or GO_ON)

    def paused(self, entry: Entry, course: Course, event: events.TrialFinished) -> events.TrialFinished | None:
        """Take an attempt that has paused; return the trial's end where its scheduler has stopped it."""
        self._time = max(self._time, event.time)
        if course.is_stopped:
            return replace(event, state=TrialState.STOPPED)
        metrics = entry.metrics if event.metrics is None else event.metrics
        if (metrics or {}).get("training_iteration") == course.pause_at:
            course.pause_at = None  # It has paused there: the next attempt would do so at once, again and again.
        self._ledger.pause(entry, event)
        return None

    def ended(self, entry: Entry, course: Course, event: events.TrialFinished) -> None:
        """Take the end of a trial."""
        self._time = max(self._time, event.time)
        if course.is_over:  # It had failed in an earlier run, and was run again: nobody is told a second end.
            return
        run, number = self._ledger.studies[entry.trial.study], self._next()
        metrics = entry.metrics if event.metrics is None else event.metrics
        seen = run.end(course, event.state, metrics)
        is_stopped = event.state is TrialState.STOPPED and course.is_stopped
        verdict = course.verdict if is_stopped else None
        self._decide(TrialJudged(number, entry.attempt, seen, verdict, study=run.study.id))
        self._inform(run, seen)

    def answered(self, event: events.ProposalEvent) -> None:
        """Take what a searcher says."""
        if isinstance(event, events.Proposed):
            entry = self.slots.take(event)
            if entry is not None:
                after = 0 if entry.course is None else entry.course.asked_after
                self._decide(TrialConfigured(self._next(), event, entry.trial.study, after))
                self._take_known(entry)
        elif isinstance(event, events.ProposalDeferred):
            self.slots.defer(event)
        elif isinstance(event, events.ProposalsEnded):
            self.slots.end(event, self._time)
        else:
            self._order(commands.EndRun(event.error))

    def _take_known(self, entry: Entry) -> None:
        """End a slot as CACHED whose configuration an earlier run has tried."""
        metrics = self._ledger.studies[entry.trial.study].study.known.get(entry.trial.point_key)
        if metrics is None or entry.course is None:
            return
        self._ledger.withdraw({entry.trial.key})
        end = events.TrialFinished(entry.trial.key, 0, TrialState.CACHED, dict(metrics), None, 0.0, self._time)
        self.ended(entry, entry.course, end)
        self._ledger.finish(entry, end)

    # Who goes on

    def settle(self) -> None:
        """Ask the schedulers of studies in which something has changed who goes on, and end what nobody will let go on."""
        while self.news:
            run = self.news.pop(next(iter(self.news)))
            if self._ledger.closed_because is None:
                self._settle(run)

    def _settle(self, run: StudyRun) -> None:
        scheduler = run.study.scheduler
        while run.ending:
            key = run.ending.pop()
            if (entry := self._ledger.get(key)) is not None and entry.state is TrialState.PAUSED:
                self._stop(entry, run.courses[key])
        if scheduler is not None:
            while self._resume(run, scheduler, is_last=False):
                pass
            self._drop(run, scheduler.dropped())
            if run.is_idle and run.paused and not self._resume(run, scheduler, is_last=True):
                reasons = scheduler.dropped()
                rest = {key: f"not let go on after iteration {run.courses[key].judged}" for key in run.paused}
                self._drop(run, {**rest, **reasons})
        if run.deferred and run.is_idle and run.study.id not in self.news:
            reason = "the searcher waits for results, and no trial is left that could have some"
            self.slots.end(events.ProposalsEnded(run.study.id, reason), self._time)

    def _resume(self, run: StudyRun, scheduler: Scheduler, *, is_last: bool) -> bool:
        """Let the trial go on that the scheduler names; say whether there is one."""
        resumption = scheduler.resume(is_last=is_last)
        course = None if resumption is None else run.go_on(resumption)
        if resumption is None or course is None:
            return False
        self._decide(TrialResumed(self._next(), resumption, run.study.id))
        entry = self._ledger.get(resumption.key)
        if entry is not None and entry.is_open:
            _explore(entry, resumption)
            if entry.state is TrialState.PAUSED:
                self._ledger.requeue(entry)
        return True

    def _drop(self, run: StudyRun, reasons: Mapping[str, str]) -> None:
        """End paused trials that never go on."""
        for key, reason in reasons.items():
            course, entry = run.courses.get(key), self._ledger.get(key)
            if course is None or not course.is_paused:
                continue
            run.drop(course, reason)
            if entry is not None and entry.state is TrialState.PAUSED:
                self._stop(entry, course)
            # Else it is still being torn down, and is stopped as soon as it has paused.

    def _stop(self, entry: Entry, course: Course) -> None:
        """End a trial that its scheduler has stopped while no worker has it."""
        key, attempt, reason = course.key, max(entry.attempt - 1, 1), course.verdict.reason
        end = events.TrialFinished(key, attempt, TrialState.STOPPED, entry.metrics, reason, 0.0, self._time)
        self.ended(entry, course, end)
        self._ledger.finish(entry, end)

    # Recording and telling

    def _guarded(self, study: Study) -> Study:
        if study.scheduler is None:
            return study
        guarded = Guarded(study.scheduler, study.name, lambda text: self._order(commands.EndRun(text)))
        return replace(study, scheduler=guarded)

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _decide(self, decision: Decision) -> None:
        self._ledger.record(decision)

    def _inform(self, run: StudyRun, seen: Observation) -> None:
        self.slots.call_back(run)
        if run.study.searcher is not None:
            self._order(commands.Inform(run.study.id, seen))

    def _tell(self, entry: Entry, course: Course, iteration: int, verdict: Verdict) -> None:
        is_awaited = course.milestones is not None and course.milestones.include(iteration)
        if entry.worker is not None and (is_awaited or verdict.kind is not VerdictKind.CONTINUE):
            worker = entry.worker.id
            self._order(commands.Tell(worker, entry.trial.key, entry.attempt, entry.lease, iteration, verdict))

    def _note_difference(self, run: StudyRun) -> None:
        """Say that a scheduler is not what it was in the run that is resumed; what was decided there stays."""
        if not run.is_difference_told:
            run.is_difference_told = True
            text = (
                f"the scheduler of {run.study.name} decides otherwise than in the run that is resumed, with the same results: it was "
                "changed, or is not deterministic. What was decided there stays, and it goes on from there"
            )
            self._ledger.record(StudyNoted(run.study.id, text))

    def _note_missing(self, run: StudyRun, entry: Entry) -> None:
        if not run.is_missing_told:
            run.is_missing_told = True
            metric, name = run.study.objectives[0].metric, entry.trial.name
            text = f"{name} has not reported {metric!r} where {run.study.name} is judged: it is judged when it does"
            self._ledger.record(StudyNoted(run.study.id, text))

    def _note_stopping(self, run: StudyRun, entry: Entry) -> None:
        if not run.is_stopping_told:
            run.is_stopping_told = True
            name = entry.trial.name
            text = (
                f"trials of {run.study.name} are stopped early, and none goes on later, since {name} has saved no checkpoint where it "
                "could have paused: report(..., checkpoint=path) saves one"
            )
            self._ledger.record(StudyNoted(run.study.id, text))


def recalled(study: str, decisions: Iterable[Decision]) -> Iterator[commands.SearchCommand]:
    """Yield the orders that a searcher has carried out, in the order in which it did: it may choose while results come in."""
    told, asked = 0, deque[TrialConfigured]()
    seen = deque[Observation]()
    for decision in decisions:
        if isinstance(decision, TrialConfigured):
            asked.append(decision)
        elif isinstance(decision, TrialJudged):
            seen.append(decision.observation)
    while asked or seen:
        if asked and (asked[0].asked_after <= told or not seen):
            its = asked.popleft().proposed
            yield commands.Recall(study, its.key, its.slot, its.values)
        else:
            told += 1
            yield commands.Inform(study, seen.popleft())


def _explore(entry: Entry, resumption: Resumption) -> None:
    if resumption.config is not None:
        entry.trial = replace(entry.trial, config=resumption.config)
