"""What is known of the trials of one sweep together, kept up event by event. Knows nothing of single trials."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from pytest_sweep.model import Trial, TrialState


@dataclass(slots=True)
class Lengths:
    """How long trials took that ended in this run.

    Attributes:
        count: how many ended.
        seconds: how long these took together, with failed attempts before the last one.
        squares: the sum of the squares of their lengths.
    """

    count: int = 0
    seconds: float = 0.0
    squares: float = 0.0

    def add(self, seconds: float) -> None:
        """Count a trial that has ended."""
        self.count += 1
        self.seconds += seconds
        self.squares += seconds * seconds

    def lose(self, seconds: float) -> None:
        """Count the time of an attempt that is tried again."""
        self.seconds += seconds

    def variation(self) -> float:
        """Return the standard deviation of the lengths as a share of their mean; infinity if fewer than two ended."""
        if self.count < 2:
            return math.inf
        mean = self.seconds / self.count
        variance = max(self.squares / self.count - mean * mean, 0.0) * self.count / (self.count - 1)
        return math.sqrt(variance) / mean if mean else 0.0


@dataclass(slots=True)
class Tally:
    """Counts of one sweep.

    Attributes:
        counts: how many of its trials are in each state.
        metric_names: the names of the metrics that its trials have reported and that fit into a cell, in order.
        lengths: how long its trials took.
        params: the first value of each stacked ``parametrize`` argument and parametrized fixture, in the form in which it is stored.
        varying: the names among those that take more than one value, and that the sweep does not average over, in order.
    """

    counts: Counter[TrialState] = field(default_factory=Counter)
    metric_names: dict[str, None] = field(default_factory=dict)
    lengths: Lengths = field(default_factory=Lengths)
    params: dict[str, Any] = field(default_factory=dict)
    varying: dict[str, None] = field(default_factory=dict)

    def note_params(self, trial: Trial) -> None:
        """Take note of what parametrizes a trial besides its sweep."""
        for name, form in trial.params.items():
            varies = name not in self.varying and self.params.setdefault(name, form) != form
            if varies and name not in trial.sweep.average_over:
                self.varying[name] = None
