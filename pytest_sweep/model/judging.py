"""How trials are judged by a metric, and which is best: one definition for terminal, results and junit files. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_sweep.model.spread import Spread, is_finite, is_nan, judged_number
from pytest_sweep.model.trials import TrialState

_ENDED_WELL = frozenset({TrialState.TERMINATED, TrialState.STOPPED, TrialState.CACHED})
"""The states of trials that finished well; `ended_well` tells which CACHED ones did not."""

_FAILED = frozenset({TrialState.ERROR, TrialState.SKIPPED})
"""The states of trials that ran to an end and failed; SKIPPED covers expected failures (xfail)."""

SCOPES = ("last", "avg", "last-5-avg", "last-10-avg", "all")
"""Which values of a trial's history count. The names are Ray Tune's (``ExperimentAnalysis.get_best_trial``)."""

_KINDS: dict[type, str] = {str: "a string"}

_LAST_FEW = {"last-5-avg": 5, "last-10-avg": 10}


def was_skipped(state: TrialState, reason: str | None) -> bool:
    """Return whether a trial was skipped, or failed as expected, in this run or in the one that its result was taken from.

    Args:
        state: the trial's state.
        reason: why the trial was not run. A result that was taken (CACHED) has a reason only if the trial was skipped.
    """
    return state is TrialState.SKIPPED or (state is TrialState.CACHED and reason is not None)


def ended_well(state: TrialState, reason: str | None) -> bool:
    """Return whether a trial with this state and reason finished well."""
    return state in _ENDED_WELL and not was_skipped(state, reason)


def has_failed(state: TrialState, reason: str | None) -> bool:
    """Return whether a trial with this state and reason ran to an end and failed, also as expected."""
    return state in _FAILED or was_skipped(state, reason)


@dataclass(frozen=True, slots=True)
class Goal:
    """What makes a trial better than another.

    Attributes:
        metric: the metric; slashes lead into nested dicts.
        mode: ``"min"`` or ``"max"``.
        scope: one of `SCOPES`.
        filter_nan_and_inf: whether a trial whose value is NaN or infinite is never the best.
        include_failed: whether trials that failed, also as expected, are candidates.
        feasible: the conditions on metrics that the best one meets; who judges knows how they are read.
    """

    metric: str
    mode: str
    scope: str = "last"
    filter_nan_and_inf: bool = True
    include_failed: bool = False
    feasible: tuple[str, ...] = ()

    def considers(self, state: TrialState, reason: str | None = None) -> bool:
        """Return whether a trial with this state and reason is a candidate; one that runs, was cut off or did not run never is."""
        return ended_well(state, reason) or (self.include_failed and has_failed(state, reason))

    def value(self, reported: Sequence[object]) -> float | None:
        """Return the value that a trial is judged by; None if it has no number.

        With the scope ``last`` it is the last finite value, with ``all`` the best finite one, and NaN or an infinity only if there is no
        finite one. A mean of values among which NaN is, is NaN, as in Tune.

        Args:
            reported: the trial's values of the metric, in the order in which they were reported.
        """
        numbers = [number for value in reported if (number := judged_number(value)) is not None]
        if not numbers:
            return None
        if self.scope == "avg" or self.scope in _LAST_FEW:
            return float(Spread.of(numbers[-_LAST_FEW.get(self.scope, 0) :]))
        if self.filter_nan_and_inf:
            numbers = [value for value in numbers if is_finite(value)] or numbers
        return numbers[-1] if self.scope == "last" else min(numbers, key=self.rank)

    def accepts(self, value: float | None) -> bool:
        """Return whether something with this value can be the best."""
        return value is not None and (not self.filter_nan_and_inf or is_finite(value))

    def rank(self, value: float) -> tuple[bool, float]:
        """Return a sort key: the best value has the lowest one, NaN the highest."""
        if is_nan(value):
            return (True, 0.0)
        return (False, value if self.mode == "min" else -value)

    def best(self, values: Iterable[float | None]) -> int | None:
        """Return the index of the best of `values`, of equal ones the first; None if none is acceptable."""
        ranked = [
            (self.rank(value), index) for index, value in enumerate(values) if value is not None and self.accepts(value)
        ]
        return min(ranked)[1] if ranked else None


def pareto_front(values: Sequence[Sequence[float] | None], modes: Sequence[str]) -> list[int]:
    """Return the indexes of the values than which no other is better: as good in all objectives, and better in one.

    Args:
        values: for each candidate its value of each objective; None for one that cannot be judged. NaN counts as that, too.
        modes: ``"min"`` or ``"max"`` for each objective.
    """
    signs = [1.0 if mode == "min" else -1.0 for mode in modes]
    ranked = sorted(
        (tuple(sign * value for sign, value in zip(signs, its, strict=True)), index)
        for index, its in enumerate(values)
        if its is not None and not any(map(is_nan, its))
    )
    front: list[tuple[tuple[float, ...], int]] = []
    for costs, index in ranked:  # Whoever is better than another one comes before it in this order.
        if not any(_dominates(other, costs) for other, _ in front):
            front.append((costs, index))
    return sorted(index for _, index in front)


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def mean_value(values: Iterable[float | None], *, whole: bool = False) -> float | None:
    """Return what replicates with these values are judged by together: their mean, a `Spread` if there are several.

    A replicate without a value is left out; NaN and infinities are not, so that one replicate that diverged is not hidden by the others.

    Args:
        values: of the replicates; None for one without a value.
        whole: whether there is no mean unless all have a value: without its hardest fold, a cross-validation looks better than it is.
    """
    given = list(values)
    numbers = [value for value in given if value is not None]
    if whole and len(numbers) < len(given):
        return None
    if len(numbers) < 2:
        return numbers[0] if numbers else None
    return Spread.of(numbers)


def no_number_text(value: object) -> str:
    """Return what was reported that cannot be judged: ``a list``; "" for a number, true or false, and a dict, whose numbers have names."""
    if judged_number(value) is not None or (isinstance(value, Mapping) and value):
        return ""
    return "None" if value is None else _KINDS.get(type(value), f"a {type(value).__name__}")


def last_value(before: float | None, value: object) -> float | None:
    """Return what a trial is judged by (scope ``last``) when it has reported `value` after it was judged by `before`."""
    number = judged_number(value)
    if number is None:
        return before
    return number if before is None or is_finite(number) or not is_finite(before) else before
