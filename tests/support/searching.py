"""Searchers and schedulers whose decisions a test can foresee, and studies made of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_sweep.engine.study import Study
from pytest_sweep.model import Resources, Sweep, Trial
from pytest_sweep.model.search_events import Proposed
from pytest_sweep.model.study import (
    GO_ON,
    Milestones,
    Objective,
    Observation,
    Outcome,
    Resumption,
    Verdict,
    VerdictKind,
)
from pytest_sweep.search.protocols import Done, Searcher, Values, Wait
from pytest_sweep.testing.samples import SWEEP

ONE_CPU = Resources(cpu=1.0)
LOSS = (Objective("loss", "min"),)
STUDY = SWEEP.id


def asked(searcher: Searcher, slot: int) -> Values:
    """Return what a searcher chooses for a slot."""
    values = searcher.ask(str(slot), slot)
    assert not isinstance(values, (Wait, Done))
    return values


def completed(slot: int, *values: float) -> Observation:
    """Return what is seen of the trial in a slot that ended at iteration 9."""
    return Observation(str(slot), 9, values, Outcome.COMPLETED)


@dataclass
class Chain:
    """A searcher that proposes what follows from all that it was told: a result that is missed or told twice changes all later ones.

    Attributes:
        batch: asks again only when as many have ended as were asked for, in groups of so many; 0 never waits.
        most: after how many proposals it is done; None never is.
        told: what it was told, in order.
    """

    batch: int = 0
    most: int | None = None
    told: list[Observation] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    _ended: int = 0
    _proposed: int = 0

    def ask(self, key: str, slot: int) -> Values | Wait | Done:
        """Return a number that depends on the slot and on all results."""
        self.asked.append(key)
        if self.most is not None and self._proposed >= self.most:
            return Done("all is found")
        if self.batch and self._proposed - self._ended >= self.batch:
            return Wait()
        self._proposed += 1
        known = sum(
            (seen.iteration + 1) * (0.0 if math.isnan(seen.values[0]) else seen.values[0]) for seen in self.told
        )
        return {"x": round((0.37 * (slot + 1) + known) % 1.0, 9)}

    def tell(self, observation: Observation) -> None:
        """Take a result."""
        self.told.append(observation)
        self._ended += observation.outcome.is_end


@dataclass
class Halving:
    """A scheduler as simple as can be: at each rung the best half of those that are there goes on, paused or stopped.

    Attributes:
        rungs: at which iterations it judges.
        pauses: whether it pauses trials.
    """

    rungs: tuple[int, ...] = (1, 2, 4)
    pauses: bool = True
    values: dict[int, dict[str, float]] = field(default_factory=dict)
    promoted: dict[int, set[str]] = field(default_factory=dict)
    over: set[str] = field(default_factory=set)
    gone: dict[str, str] = field(default_factory=dict)
    judged: list[tuple[str, int]] = field(default_factory=list)

    def milestones(self, key: str) -> Milestones:  # noqa: ARG002 - the same for all
        """Return the rungs."""
        return Milestones(self.rungs)

    def pause_at(self, key: str) -> int | None:  # noqa: ARG002 - likewise
        """Return the first rung."""
        return self.rungs[0] if self.pauses else None

    def judge(self, observation: Observation, *, can_pause: bool) -> Verdict:
        """Pause where that is possible, stop the worse half where it is not."""
        key, rung = observation.key, observation.iteration
        self.judged.append((key, rung))
        value = math.inf if math.isnan(observation.values[0]) else observation.values[0]
        there = self.values.setdefault(rung, {})
        there[key] = value
        if can_pause and self.pauses:
            return Verdict(VerdictKind.PAUSE, f"paused at {rung}")
        self.promoted.setdefault(rung, set()).add(key)
        rank = sorted(there, key=lambda its: (there[its], its)).index(key)
        if len(there) > 1 and rank >= max(len(there) // 2, 1):
            return Verdict(VerdictKind.STOP, f"halving: {value:g} at iteration {rung}")
        return GO_ON

    def end(self, observation: Observation) -> None:
        """Take note that a trial has ended."""
        self.over.add(observation.key)

    def resume(self, *, is_last: bool) -> Resumption | None:
        """Let the best of the highest rung go on that is among its better half."""
        for place in reversed(range(len(self.rungs))):
            rung = self.rungs[place]
            there, promoted = self.values.get(rung, {}), self.promoted.setdefault(rung, set())
            ranked = sorted(there, key=lambda its: (there[its], its))
            for key in ranked[: len(ranked) // 2]:
                if key not in promoted and key not in self.over:
                    promoted.add(key)
                    later = self.rungs[place + 1] if place + 1 < len(self.rungs) else None
                    return Resumption(key, later, reason=f"promoted from {rung}")
        if is_last:
            self.gone |= dict.fromkeys(self._paused(), "halving: not among the better half")
        return None

    def dropped(self) -> Mapping[str, str]:
        """Return those that never go on."""
        gone, self.gone = self.gone, {}
        return gone

    def _paused(self) -> list[str]:
        return [
            key
            for rung, there in self.values.items()
            for key in there
            if key not in self.promoted.setdefault(rung, set()) and key not in self.over
        ]


def make_slots(count: int, sweep: Sweep = SWEEP, resources: Resources = ONE_CPU, first: int = 0) -> list[Trial]:
    """Return slots of one study, whose id is that of the sweep."""
    return [
        Trial(
            f"{number:016x}",
            f"{sweep.id}[trial={number}]",
            f"train[trial={number}]",
            sweep,
            {},
            resources,
            study=sweep.id,
            slot=number,
        )
        for number in range(first, first + count)
    ]


def in_study(trials: Sequence[Trial]) -> list[Trial]:
    """Return trials whose configurations are known as those of a study, whose id is that of their sweep."""
    return [dataclasses.replace(trial, study=trial.sweep.id) for trial in trials]


def complete(key: str, slot: int, values: Values, refused: int = 0) -> Proposed | None:
    """Return the values as the whole configuration."""
    config: dict[str, Any] = dict(values)
    label = "-".join(f"{name}={value}" for name, value in config.items())
    return Proposed(key, config, label, f"point-{label}", values, slot=slot)


def make_study(trials: Sequence[Trial], searcher: Any = None, scheduler: Any = None, max_t: int | None = None) -> Study:
    """Return the study that these trials belong to."""
    keys = tuple(trial.key for trial in trials)
    return Study(trials[0].study, "train", LOSS, searcher, scheduler, complete, max_t=max_t, keys=keys)
