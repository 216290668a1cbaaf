"""What the session hands the engine of a study, and what an attempt is told of it. Records only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_sweep.model.search_events import Proposed
from pytest_sweep.model.study import Milestones, Objective
from pytest_sweep.search.protocols import Scheduler, Searcher, Values

Complete = Callable[[str, int, Values, int], Proposed | None]
Constraints = Callable[[Mapping[str, Any]], tuple[float, ...]]


def _no_constraints(metrics: Mapping[str, Any]) -> tuple[float, ...]:  # noqa: ARG001 - there are none
    return ()


@dataclass(frozen=True)
class Study:
    """A sweep with one set of its other parameters, and a searcher, a scheduler or both.

    Attributes:
        id: its id, which its trials have as `Trial.study`.
        name: the name of its sweep, for people.
        objectives: what its trials are judged by; the first one is what they wait for at a milestone.
        searcher: chooses the configurations of slots; None where all are known at collection.
        scheduler: decides which trials go on; None lets all run to their ends.
        complete: makes the whole configuration for a slot (key and number) of the values that the searcher has chosen; None where that is
            forbidden by ``where=``, which has refused as many before as the last argument says. Called in the thread of the searcher.
        constraints: returns how far each condition of ``feasible=`` is from being met by some metrics.
        max_t: the iteration at which a trial is complete, though its scheduler ends it there; None where no such is named.
        known: the final metrics of configurations that an earlier run has tried, by the keys of their points: a slot that gets such a
            configuration is CACHED (``--sweep-cache``).
        keys: of all its trials, in the order of collection, also of those that are not run.
    """

    id: str
    name: str
    objectives: tuple[Objective, ...]
    searcher: Searcher | None = None
    scheduler: Scheduler | None = None
    complete: Complete | None = None
    constraints: Constraints = _no_constraints
    max_t: int | None = None
    known: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Leg:
    """What an attempt is told of its study.

    Attributes:
        milestones: at which iterations it is judged; None where it never is.
        pause_at: the iteration at which it pauses if it reports a checkpoint; None where it does not.
        donor: the trial whose newest checkpoint it starts from; "" is its own.
        paused_in: the attempt that has paused last: a checkpoint of a later one is newer than what the donor lends.
    """

    milestones: Milestones | None = None
    pause_at: int | None = None
    donor: str = ""
    paused_in: int = 0
