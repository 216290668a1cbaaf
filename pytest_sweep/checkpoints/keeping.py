"""Which checkpoints of a trial are kept. Knows no files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_sweep.checkpoints.manifest import Name
from pytest_sweep.model.metrics import metric_value
from pytest_sweep.model.spread import is_nan


@dataclass(frozen=True, slots=True)
class Keeping:
    """A rule.

    Attributes:
        count: how many are kept; None is all.
        metric: those are kept that are best by this metric, and the newest one besides; None keeps the newest ones.
        mode: ``"min"`` or ``"max"``: which value of the metric is best.
    """

    count: int | None = None
    metric: str | None = None
    mode: str = "max"

    def kept(self, metrics: Mapping[Name, Mapping[str, Any]]) -> set[Name]:
        """Return which of the checkpoints with these `metrics` are kept; the newest one always is."""
        if self.count is None or not metrics:
            return set(metrics)
        ranked = sorted(metrics, key=lambda name: (self._score(metrics[name]), name), reverse=True)
        return {*ranked[: self.count], max(metrics)}

    def _score(self, metrics: Mapping[str, Any]) -> float:
        if self.metric is None:
            return 0.0
        value = metric_value(metrics, self.metric)
        if not isinstance(value, (int, float)) or is_nan(value):
            return -math.inf  # What has no number is worst.
        return -value if self.mode == "min" else value
