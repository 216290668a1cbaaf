"""What is known of one trial of a study: which milestones were judged, and whether it is paused. A record and some arithmetic."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass

from pytest_sweep.engine.study import Leg
from pytest_sweep.model.study import GO_ON, Milestones, Verdict, VerdictKind


@dataclass(slots=True)
class Course:
    """What is known of one trial of a study.

    Attributes:
        key: the trial.
        milestones: at which iterations it is judged; None where it never is.
        next: the first of them that was not judged yet; infinite where there is none.
        pause_at: the iteration at which the attempt pauses if it reports a checkpoint.
        judged: the last milestone that was judged; 0 before the first.
        verdict: what was decided there.
        donor: the trial whose checkpoint it goes on from after its last pause; "" is its own.
        paused_in: the attempt that has paused last; 0 before the first.
        is_paused: whether the scheduler has paused it and not let it go on.
        is_parked: whether no worker has it any more, where it is paused.
        is_over: whether it has ended.
        is_here: whether it is to be run in this session.
        is_asked: whether the searcher was asked for its configuration.
        asked_after: how many observations the searcher had been told then.
    """

    key: str
    milestones: Milestones | None = None
    next: float = math.inf
    pause_at: int | None = None
    judged: int = 0
    verdict: Verdict = GO_ON
    donor: str = ""
    paused_in: int = 0
    is_paused: bool = False
    is_parked: bool = False
    is_over: bool = False
    is_here: bool = False
    is_asked: bool = False
    asked_after: int = 0

    @property
    def is_stopped(self) -> bool:
        """Whether the scheduler has decided that it ends."""
        return self.verdict.kind is VerdictKind.STOP

    @property
    def is_held(self) -> bool:
        """Whether no attempt of it may begin: it is paused, or was stopped and its worker has died before it had ended."""
        return self.is_paused or (self.is_stopped and not self.is_over)

    @property
    def leg(self) -> Leg:
        """What the next attempt is told; a trial that has ended in an earlier run, and is run again, is judged no more."""
        milestones, pause_at = (None, None) if self.is_over else (self.milestones, self.pause_at)
        return Leg(milestones, pause_at, self.donor, self.paused_in)

    def passed(self, iteration: int) -> list[int]:
        """Return the milestones up to `iteration` that were not judged; of regular ones only the last."""
        if self.milestones is None:
            return []
        due = [at for at in self.milestones.at if self.judged < at <= iteration]
        if every := self.milestones.every:
            last = iteration // every * every
            if last > self.judged and last not in due:
                due = sorted([*due, last])
        return due

    def judge(self, milestone: int, verdict: Verdict) -> None:
        """Take note of what was decided at a milestone."""
        self.judged, self.verdict, self.next = milestone, verdict, math.inf
        if self.milestones is not None and not self.is_stopped:
            self.next = next_milestone(self.milestones, milestone)


def next_milestone(milestones: Milestones, after: int) -> float:
    """Return the first milestone after an iteration; infinite where there is none."""
    place = bisect_right(milestones.at, after)
    upcoming: float = milestones.at[place] if place < len(milestones.at) else math.inf
    every = milestones.every
    return min(upcoming, (after // every + 1) * every) if every else upcoming
