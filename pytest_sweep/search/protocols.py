"""What a searcher and a scheduler must do. Both are pure: the same calls in the same order give the same answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pytest_sweep.model.study import Milestones, Observation, Resumption, Verdict


@dataclass(frozen=True, slots=True)
class Wait:
    """A searcher's answer where it needs more results before it proposes the next configuration."""


@dataclass(frozen=True, slots=True)
class Done:
    """A searcher's answer where it has nothing more to propose; `reason` is shown with the slots that are left."""

    reason: str


Values = Mapping[str, Any]
"""Chosen values by name of dimension, such as ``{"lr": 0.01, "model.depth": 4}``: see `pytest_sweep.search.space.SearchSpace`. What is
left out is drawn as `random` draws it."""


class Searcher(Protocol):
    """Chooses configurations.

    It is called in a thread of its own, one call at a time. It must be deterministic: a resumed run makes the same calls again, in the
    same order, to get the state back. So it takes its randomness from the seed that it was made with and from the slot.
    """

    def ask(self, key: str, slot: int) -> Values | Wait | Done:
        """Return what the trial `key` in slot number `slot`, from 0, is to run; or that results are needed first, or that it is done."""

    def tell(self, observation: Observation) -> None:
        """Take what was seen of a trial: at each milestone, and once at its end.

        A trial that its scheduler stops at ``max_t`` has COMPLETED.
        """


class Recalling(Searcher, Protocol):
    """A searcher that is also told of choices that it need not make any more. Both methods are optional, each for itself."""

    def restore(self, key: str, slot: int, values: Values) -> None:
        """Take what it has chosen for the trial `key` in the run that is resumed; without it, it is asked again."""

    def recall(self, values: Values, observation: Observation) -> None:
        """Take what another run has seen of a trial with these values (``--sweep-warm``): all its observations, before the first ask."""


class Scheduler(Protocol):
    """Decides which trials go on. Called on the driver's main thread between other events: it must answer in microseconds.

    It must be deterministic, as a `Searcher`. A trial that failed, or whose value is NaN, is the worst of its rung. A resumed run makes the
    calls of `judge` and `end` again, and those of `resume` that returned a trial: one that returns None changes nothing. `milestones` and
    `pause_at` depend on the key only, or on the order in which they were first asked for keys, which is that of collection.

    A scheduler that compares trials which are to keep step may have a further attribute, ``takes_turns = True``: then a trial that is to go
    on, has a checkpoint, and meets others of the study that wait for a worker and are no further, pauses and lets them run first. It is
    not asked about that.
    """

    pauses: bool
    """Whether it pauses trials that have checkpoints, and lets the best ones go on later; else it only stops them."""

    def milestones(self, key: str) -> Milestones:
        """Return at which iterations the trial is judged."""

    def pause_at(self, key: str) -> int | None:
        """Return the iteration at which a trial that has not begun yet pauses, if it saves checkpoints; None where it never does."""

    def judge(self, observation: Observation, *, can_pause: bool) -> Verdict:
        """Decide on a trial that has reported at a milestone, once for each of them.

        Args:
            observation: what it has reported.
            can_pause: whether the trial has a checkpoint of this iteration; PAUSE is no answer where it has none.
        """

    def end(self, observation: Observation) -> None:
        """Take the end of a trial: it completed, failed, was skipped, or was stopped by this scheduler or by somebody else."""

    def resume(self, *, is_last: bool) -> Resumption | None:
        """Return the paused trial that goes on next; None where none is to now.

        Args:
            is_last: whether no trial is running or waiting for its first turn any more, so that no further observation will come
                unless one goes on.
        """

    def dropped(self) -> Mapping[str, str]:
        """Return the paused trials that will never go on, each with the reason, since this was last asked."""
