"""What searchers and schedulers are told, and what they answer, as frozen records. Knows neither how they decide nor when."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_sweep.model.record import Record
from pytest_sweep.model.states import TrialState


class Outcome(str, enum.Enum):
    """What an observation says of its trial."""

    REPORTED = "REPORTED"
    """The trial reported at a milestone, and goes on unless it is told otherwise."""
    COMPLETED = "COMPLETED"
    """It ran to its own end; a stop rule that is met counts as one."""
    STOPPED = "STOPPED"
    """The scheduler has ended it early: the value is that of an unfinished training."""
    FAILED = "FAILED"
    """It ended with an error, its retries included."""
    SKIPPED = "SKIPPED"
    """It was skipped, or failed as a mark said: neither good nor bad."""

    @property
    def is_end(self) -> bool:
        """Whether nothing more will be observed of the trial."""
        return self is not Outcome.REPORTED


OUTCOMES: Mapping[TrialState, Outcome] = {
    TrialState.TERMINATED: Outcome.COMPLETED,
    TrialState.CACHED: Outcome.COMPLETED,
    TrialState.STOPPED: Outcome.STOPPED,
    TrialState.ERROR: Outcome.FAILED,
    TrialState.SKIPPED: Outcome.SKIPPED,
}
"""What an observation says of a trial that has ended in such a state; of those in other states nothing was observed."""


@dataclass(frozen=True, slots=True)
class Observation(Record):
    """What is seen of a trial at one iteration.

    Attributes:
        key: the trial.
        iteration: its ``training_iteration``; 0 where it never reported.
        values: the sweep's metrics at that iteration, in the order of its objectives, as they were reported; NaN where one was not
            reported, or is no number.
        outcome: whether the trial goes on, and if not how it ended.
        constraints: how far each condition of ``feasible=`` is from being met: at most 0 where it is.
    """

    key: str
    iteration: int
    values: tuple[float, ...]
    outcome: Outcome = Outcome.REPORTED
    constraints: tuple[float, ...] = ()


class VerdictKind(str, enum.Enum):
    """What a scheduler decides on a trial that has reported."""

    CONTINUE = "CONTINUE"
    STOP = "STOP"
    PAUSE = "PAUSE"


@dataclass(frozen=True, slots=True)
class Verdict(Record):
    """A scheduler's decision on a trial, with its reason for people: ``asha: 0.51 at iteration 3, needed 0.42 of 9``."""

    kind: VerdictKind
    reason: str = ""


GO_ON = Verdict(VerdictKind.CONTINUE)


@dataclass(frozen=True, slots=True)
class Milestones(Record):
    """At which iterations a trial is judged.

    Attributes:
        at: these iterations, ascending.
        every: and each multiple of this number; 0 is none.
        waits: whether `report` waits for the verdict there, for a second at the most; else the trial obeys at a later report.
    """

    at: tuple[int, ...] = ()
    every: int = 0
    waits: bool = True

    def include(self, iteration: int) -> bool:
        """Say whether a trial is judged at `iteration`."""
        return iteration in self.at or (self.every > 0 and iteration % self.every == 0)


@dataclass(frozen=True, slots=True)
class Resumption(Record):
    """A paused trial is to go on.

    Attributes:
        key: the trial.
        pause_at: the iteration at which it is paused again; None lets it run to its end.
        donor: the trial whose newest checkpoint it starts from; "" is its own. (PBT's exploit.)
        config: the configuration with which it goes on; None is the one that it has. (PBT's explore.)
        reason: for people.
    """

    key: str
    pause_at: int | None = None
    donor: str = ""
    config: Mapping[str, Any] | None = field(default=None, hash=False)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Objective(Record):
    """A metric, and which of its values are better: ``"min"`` or ``"max"``."""

    metric: str
    mode: str
