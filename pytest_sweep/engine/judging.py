"""One study while it runs: its trials are judged at milestones, paused, and let go on. Without a clock and threads.

The scheduler decides; this keeps what the scheduler need not: which milestones were judged, and what a repeated one is answered.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_sweep.engine.course import Course, next_milestone
from pytest_sweep.engine.study import Study
from pytest_sweep.model.metrics import metric_value
from pytest_sweep.model.search_events import Decision, TrialJudged, TrialResumed
from pytest_sweep.model.spread import judged_float
from pytest_sweep.model.study import GO_ON, OUTCOMES, Observation, Outcome, Resumption, Verdict, VerdictKind
from pytest_sweep.model.trials import TrialState


@dataclass(slots=True)
class StudyRun:
    """A study while it runs.

    Attributes:
        study: what it is.
        news: the studies of which something has changed since that was last looked at, by their ids; this one puts itself there.
        courses: its trials, by their keys.
        live: how many trials of this session run or wait for their turn, slots without a configuration included.
        paused: the keys of those that are paused.
        ending: the keys of those that were stopped, and are on no worker any more though none has said how they ended.
        deferred: how many of them are slots that wait until the searcher has more results.
        observations: how many observations there were.
        is_missing_told: whether it was said that a trial has not reported its metric at a milestone.
        is_difference_told: whether it was said that the scheduler decides otherwise than in the run that is resumed.
        is_stopping_told: whether it was said that trials are stopped, not paused, because they save no checkpoints.
    """

    study: Study
    news: dict[str, StudyRun] = field(default_factory=dict)
    courses: dict[str, Course] = field(default_factory=dict)
    live: int = 0
    paused: dict[str, None] = field(default_factory=dict)
    ending: list[str] = field(default_factory=list)
    deferred: int = 0
    observations: int = 0
    is_missing_told: bool = False
    is_difference_told: bool = False
    is_stopping_told: bool = False

    def course(self, key: str) -> Course:
        """Return what is known of a trial; asked for the first time for each in the order of collection."""
        course = self.courses.get(key)
        if course is None:
            course = self.courses[key] = Course(key)
            if (scheduler := self.study.scheduler) is not None:
                course.milestones, course.pause_at = scheduler.milestones(key), scheduler.pause_at(key)
                course.next = next_milestone(course.milestones, 0)
        return course

    def join(self, key: str) -> Course:
        """Return the course of a trial that is to run in this session."""
        course = self.course(key)
        course.is_here, course.is_parked = True, course.is_held
        if course.is_stopped and course.is_parked:
            self.ending.append(key)
        if not course.is_parked and not course.is_over:
            self.live += 1
        self.changed()
        return course

    def park(self, course: Course) -> None:
        """Take note that a paused trial is on no worker any more, or one that was stopped and had not ended."""
        if not course.is_parked:
            course.is_parked = True
            self.live -= 1
            if course.is_stopped:
                self.ending.append(course.key)
            self.changed()

    @property
    def takes_turns(self) -> bool:
        """Whether a trial makes room for others of the study where it is judged, as its scheduler wants it."""
        return getattr(self.study.scheduler, "takes_turns", False)

    @property
    def is_idle(self) -> bool:
        """Whether nothing more will be observed unless a paused trial goes on, or the searcher proposes without."""
        return self.live == self.deferred

    # What is observed

    def report(
        self, course: Course, metrics: Mapping[str, Any], *, has_checkpoint: bool
    ) -> Iterator[tuple[Observation, Verdict, bool]]:
        """Judge a trial at each milestone that it has passed: yield what was seen, the verdict, and whether it could pause.

        A milestone at which the metric is missing is judged with the next report that has it.
        """
        scheduler, iteration = self.study.scheduler, metrics["training_iteration"]
        pauses_now = has_checkpoint and iteration == course.pause_at
        if scheduler is None or course.is_over or course.is_stopped:
            return
        if self.study.objectives and metric_value(metrics, self.study.objectives[0].metric) is None:
            if pauses_now:  # It has ended its attempt without a word on how good it is: it just goes on.
                course.pause_at = None
            return
        for milestone in course.passed(iteration):
            can_pause = has_checkpoint and milestone == iteration
            seen = self._observation(course, milestone, metrics)
            verdict = scheduler.judge(seen, can_pause=can_pause)
            if verdict.kind is VerdictKind.PAUSE and not can_pause:
                verdict = GO_ON
            self._note(course, milestone, verdict, can_pause=can_pause)
            self.observations += 1
            self.changed()
            yield seen, verdict, can_pause
            if verdict.kind is not VerdictKind.CONTINUE:
                return

    def end(self, course: Course, state: TrialState, metrics: Mapping[str, Any] | None) -> Observation:
        """Take the end of a trial, and tell the scheduler."""
        reported = (metrics or {}).get("training_iteration")
        iteration = reported if isinstance(reported, int) else course.judged
        is_complete = self.study.max_t is not None and iteration >= self.study.max_t
        if state is TrialState.STOPPED and (is_complete or not course.is_stopped):
            state = TrialState.TERMINATED  # Or a stop rule was met.
        seen = self._observation(course, iteration, metrics, OUTCOMES[state])
        self.observations += 1
        self._close(course)
        if self.study.scheduler is not None:
            self.study.scheduler.end(seen)
        return seen

    def leave(self, course: Course) -> None:
        """Take note that a slot is not needed any more."""
        self._close(course)

    def go_on(self, resumption: Resumption) -> Course | None:
        """Let a paused trial go on; return None where it is not paused."""
        course = self.courses.get(resumption.key)
        if course is None or not course.is_paused:
            return None
        self.live += course.is_parked
        course.is_paused = course.is_parked = False
        del self.paused[course.key]
        course.pause_at, course.donor = resumption.pause_at, resumption.donor
        if not course.donor and course.pause_at is not None and course.pause_at <= course.judged:
            course.pause_at = None  # It would pause where it is, again and again.
        return course

    def drop(self, course: Course, reason: str) -> None:
        """Take note that a paused trial never goes on."""
        course.verdict = Verdict(VerdictKind.STOP, reason)
        course.is_paused = False
        del self.paused[course.key]

    def replay(self, decision: Decision) -> bool:
        """Make the calls again that have led to a decision of an earlier run; say whether the scheduler decides the same.

        Configurations are the searcher's business.
        """
        course, scheduler = self.course(decision.key), self.study.scheduler
        if isinstance(decision, TrialJudged):
            return self._replay_judged(course, decision)
        if isinstance(decision, TrialResumed):
            self.go_on(decision.resumption)
            resumed = None
            if scheduler is not None:
                resumed = scheduler.resume(is_last=False) or scheduler.resume(is_last=True)
            return resumed is not None and resumed.key == decision.key
        return True

    def _replay_judged(self, course: Course, decision: TrialJudged) -> bool:
        seen, scheduler = decision.observation, self.study.scheduler
        self.observations += 1
        if seen.outcome.is_end:
            course.is_paused, course.is_over, course.next = False, True, math.inf
            self.paused.pop(course.key, None)
            if scheduler is not None:
                scheduler.end(seen)
        elif decision.verdict is not None and scheduler is not None:
            again = scheduler.judge(seen, can_pause=decision.can_pause)
            self._note(course, seen.iteration, decision.verdict, can_pause=decision.can_pause)
            if decision.verdict.kind is VerdictKind.PAUSE:
                course.paused_in = decision.attempt
            # One that cannot pause goes on, and so it was stored.
            return again.kind is decision.verdict.kind or again.kind is VerdictKind.PAUSE
        return True

    def _note(self, course: Course, milestone: int, verdict: Verdict, *, can_pause: bool) -> None:
        course.judge(milestone, verdict)
        if verdict.kind is VerdictKind.PAUSE:
            course.is_paused = True
            self.paused[course.key] = None
        elif (
            can_pause and milestone == course.pause_at
        ):  # Its attempt has paused all the same: the next one pauses at the next milestone.
            course.pause_at = None if course.next == math.inf else int(course.next)

    def _close(self, course: Course) -> None:
        if course.is_here and not course.is_parked and not course.is_over:
            self.live -= 1
        self.paused.pop(course.key, None)
        course.is_paused = course.is_parked = False
        course.is_over, course.next = True, math.inf
        self.changed()

    def changed(self) -> None:
        """Take note that others may go on now."""
        self.news[self.study.id] = self

    def _observation(
        self,
        course: Course,
        iteration: int,
        metrics: Mapping[str, Any] | None,
        outcome: Outcome = Outcome.REPORTED,
    ) -> Observation:
        values = tuple(judged_float(metric_value(metrics, objective.metric)) for objective in self.study.objectives)
        return Observation(course.key, iteration, values, outcome, self.study.constraints(metrics or {}))
