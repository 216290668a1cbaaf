"""Stop rules: when a trial has done enough. Judged in the worker, so that every executor stops at the same iteration."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_sweep.errors import DefinitionError
from pytest_sweep.model.metrics import metric_value

_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_RULE = re.compile(r"\s*(<=|>=|<|>)\s*(\S+)\s*")


@dataclass(frozen=True, slots=True)
class StopRule:
    """Ends a trial at the first report in which `metric` compares so with `limit`."""

    metric: str
    comparison: str
    limit: float

    @classmethod
    def parse(cls, metric: object, condition: object) -> StopRule:
        """Return the rule for one entry of ``stop={metric: condition}``.

        A bare number means "at least", as in Ray Tune (``tune.RunConfig(stop=...)``); a string compares: ``"< 0.1"``.

        Raises:
            DefinitionError: the condition is neither.
        """
        if not isinstance(metric, str):
            raise DefinitionError(f"stop={{{metric!r}: ...}}: the name of a metric is a string")
        if isinstance(condition, (int, float)) and not isinstance(condition, bool) and not math.isnan(condition):
            return cls(metric, ">=", float(condition))
        match = _RULE.fullmatch(condition) if isinstance(condition, str) else None
        if match is not None:
            try:
                limit = float(match[2])
            except ValueError:
                limit = math.nan  # Not a number: the sentence below says so.
            if not math.isnan(limit):
                return cls(metric, match[1], limit)
        raise DefinitionError(
            f"stop={{{metric!r}: {condition!r}}}: write a number (at least that) or a comparison such as '< 0.1' or '>= 5'"
        )

    def met(self, metrics: Mapping[str, Any]) -> bool:
        """Say whether this report meets the rule; a metric that is missing, NaN or not a number never does."""
        value = metric_value(metrics, self.metric)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        return _COMPARISONS[self.comparison](value, self.limit)

    def __str__(self) -> str:
        return f"{self.metric} {self.comparison} {self.limit:g}"
