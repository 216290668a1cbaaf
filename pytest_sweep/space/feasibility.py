"""Conditions on metrics that a trial must meet to be the best, such as ``memory < 8e9``. Knows neither trials nor who asks."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from pytest_sweep.errors import SpaceError
from pytest_sweep.space.expression_nodes import AbsentError, Builder
from pytest_sweep.space.expressions import Condition, parse_condition

_LEAST = 1e-9
"""By how much a condition is missed that is not met although nothing says how far off it is, as ``x < 1`` where x is 1."""

Margin = Callable[[Mapping[str, Any]], float]


class Feasibility:
    """Conditions on the metrics of a trial, all of which it must meet.

    Args:
        conditions: the conditions, in the language of ``where=``; parts joined by ``and`` count each for itself.

    Raises:
        SpaceError: one is no condition.

    Example:
        >>> Feasibility(["memory < 8e9 and latency <= 20"]).violations({"memory": 9e9, "latency": 15})
        (1000000000.0, -5.0)
    """

    def __init__(self, conditions: Sequence[str]) -> None:
        clauses = [clause for text in conditions for clause in parse_condition(text).clauses()]
        self._clauses = [(clause, _margin(clause)) for clause in clauses]

    @property
    def names(self) -> frozenset[str]:
        """The metrics that are looked at, dotted where they are nested."""
        return frozenset(name for clause, _ in self._clauses for name in clause.names)

    def holds(self, metrics: Mapping[str, Any] | None) -> bool:
        """Say whether all conditions are met; one that lacks a metric, or cannot compare it, is not."""
        return all(_holds(clause, metrics or {}) for clause, _ in self._clauses)

    def violations(self, metrics: Mapping[str, Any] | None) -> tuple[float, ...]:
        """Return for each condition how far it is from being met: at most 0 where it is, infinity where that cannot be told."""
        found = metrics or {}
        return tuple(_violation(clause, margin, found) for clause, margin in self._clauses)


@cache
def feasibility(conditions: tuple[str, ...]) -> Feasibility:
    """Return the conditions that a sweep has, read once."""
    return Feasibility(conditions)


def _holds(clause: Condition, metrics: Mapping[str, Any]) -> bool:
    try:
        return clause.holds(metrics)
    except (AbsentError, SpaceError):
        return False


def _violation(clause: Condition, margin: Margin | None, metrics: Mapping[str, Any]) -> float:
    is_met = _holds(clause, metrics)
    try:
        value = 0.0 if margin is None else float(margin(metrics))
    except (AbsentError, SpaceError, TypeError, ValueError, OverflowError):
        value = math.nan
    if math.isnan(value):
        return -_LEAST if is_met else math.inf
    if margin is None:
        return -1.0 if is_met else 1.0
    return min(value, 0.0) if is_met else max(value, _LEAST)


def _margin(clause: Condition) -> Margin | None:
    """Return what says by how much a comparison is missed; None for a condition that is either met or not."""
    source = clause.text.strip()
    tree = ast.parse(source, mode="eval").body
    if not isinstance(tree, ast.Compare) or len(tree.ops) != 1:
        return None
    is_upper = isinstance(tree.ops[0], (ast.Lt, ast.LtE))
    if not is_upper and not isinstance(tree.ops[0], (ast.Gt, ast.GtE)):
        return None
    builder = Builder(source)
    left, right = builder.build(tree.left), builder.build(tree.comparators[0])
    less, more = (left, right) if is_upper else (right, left)
    return lambda metrics: less(metrics) - more(metrics)
