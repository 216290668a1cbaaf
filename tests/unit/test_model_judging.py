"""One definition of best: which values count, which trials are candidates, and what replicates are worth together."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sweep.model import TrialState
from pytest_sweep.model.judging import SCOPES, Goal, last_value, mean_value, no_number_text, pareto_front
from pytest_sweep.model.spread import is_finite

HUGE = 10**400
"""An integer that no float can hold."""

NUMBERS = st.one_of(st.floats(), st.integers(), st.just(HUGE), st.just(-HUGE))
VALUES = st.lists(st.one_of(NUMBERS, st.none(), st.booleans(), st.text(max_size=2)), max_size=15)


@pytest.mark.parametrize(
    ("scope", "value"),
    [("last", 12.0), ("avg", 6.5), ("last-5-avg", 10.0), ("last-10-avg", 7.5), ("all", 1.0)],
)
def test_scopes(scope: str, value: float) -> None:
    """Each scope takes the values that Ray Tune takes under its name."""
    assert Goal("loss", "min", scope).value([float(number) for number in range(1, 13)]) == value


@pytest.mark.parametrize(
    ("reported", "value"),
    [
        ([], None),
        ([None, "0.5", [True]], None),
        ([False, True, None], 1),
        ([True, False], 0),
        ([1.0, 2.0, None], 2.0),
        ([1.0, 2.0, math.nan], 2.0),
        ([1.0, math.inf, "x"], 1.0),
        ([3, HUGE], HUGE),
    ],
)
def test_the_last_finite_value(reported: list[object], value: float | None) -> None:
    """The last finite number counts; what is reported after it and is none, does not."""
    assert Goal("loss", "min").value(reported) == value


def test_without_a_finite_value() -> None:
    """A trial that only reported NaN has that value, so that it is not taken for one that reported nothing; it cannot be the best."""
    value = Goal("loss", "min").value([math.inf, math.nan])
    assert value is not None
    assert math.isnan(value)
    assert Goal("loss", "min").best([value, None]) is None


def test_nan_spoils_a_mean() -> None:
    """A mean over NaN is NaN, as in Tune."""
    for scope in ("avg", "last-5-avg", "last-10-avg"):
        value = Goal("loss", "min", scope).value([1.0, math.nan, 2.0])
        assert value is not None
        assert math.isnan(value)


def test_infinities_count_when_they_are_not_filtered() -> None:
    """With filter_nan_and_inf=False an infinity is the number that it is, and NaN comes last of all."""
    for mode, best in (("min", 2), ("max", 1)):
        goal = Goal("loss", mode, filter_nan_and_inf=False)
        assert goal.best([math.nan, math.inf, -math.inf, 3.0]) == best
        assert goal.best([math.nan, None]) == 0
        assert goal.value([1.0, math.inf]) == math.inf


def test_of_equals_the_first() -> None:
    """Of equal values the first one is best, and None is no value."""
    assert Goal("loss", "min").best([None, 2, 1, 1.0]) == 2
    assert Goal("loss", "max").best([None, 2, 1, 2.0]) == 1
    assert Goal("loss", "max").best([]) is None
    assert Goal("loss", "max").best([HUGE, 1.0, -HUGE]) == 0


def test_candidates() -> None:
    """Only what ended well is a candidate; failures are with include_failed, what did not end never is."""
    well = {TrialState.TERMINATED, TrialState.STOPPED, TrialState.CACHED}
    assert {state for state in TrialState if Goal("loss", "min").considers(state)} == well
    failed = {state for state in TrialState if Goal("loss", "min", include_failed=True).considers(state)}
    assert failed == well | {TrialState.ERROR, TrialState.SKIPPED}


def test_a_result_that_was_taken_of_a_skipped_trial() -> None:
    """A CACHED trial with a reason was skipped when it ran: it is a candidate only if failures are."""
    reason = "it was skipped in an earlier run"
    assert not Goal("loss", "min").considers(TrialState.CACHED, reason)
    assert Goal("loss", "min", include_failed=True).considers(TrialState.CACHED, reason)


@given(values=VALUES)
def test_the_value_so_far_is_that_of_the_whole(values: list[object]) -> None:
    """What the terminal keeps up report by report is what results find out from the history."""
    so_far: float | None = None
    for value in values:
        so_far = last_value(so_far, value)
    assert repr(so_far) == repr(Goal("loss", "min").value(values))


@given(values=VALUES, scope=st.sampled_from(SCOPES), mode=st.sampled_from(["min", "max"]), filtered=st.booleans())
def test_no_value_breaks_it(values: list[object], scope: str, mode: str, filtered: bool) -> None:
    """Whatever is reported, there is a number or None, and what is best is acceptable."""
    goal = Goal("loss", mode, scope, filter_nan_and_inf=filtered)
    judged = [goal.value(values), goal.value(values[:3]), None]
    best = goal.best(judged)
    assert best is None or goal.accepts(judged[best])
    assert (best is None) == (not any(map(goal.accepts, judged)))


def test_the_mean_of_replicates() -> None:
    """Replicates without a value are left out, NaN is not; a lone value stays as it is, and so do equal ones."""
    assert mean_value([]) is None
    assert mean_value([None, 3]) == 3
    assert mean_value([0.8, 0.8, 0.8, None]) == 0.8
    assert mean_value([1.0, 2.0, 6.0]) == 3.0
    diverged = mean_value([1.0, math.nan])
    assert diverged is not None
    assert not is_finite(diverged)


class TestParetoFront:
    """What none of the others beats."""

    def test_what_is_better_in_one_objective_is_on_the_front(self) -> None:
        """A candidate that another one equals or beats in all objectives, and beats in one, is not on it."""
        values = [(1.0, 5.0), (2.0, 4.0), (2.0, 6.0), (3.0, 3.0), (3.0, 4.0)]
        assert pareto_front(values, ["min", "min"]) == [0, 1, 3]
        assert pareto_front(values, ["max", "max"]) == [2, 4]
        assert pareto_front(values, ["min", "max"]) == [0, 2]

    def test_equals_are_all_on_it(self) -> None:
        """Of equal candidates none beats the other."""
        assert pareto_front([(1.0,), (1.0,), (2.0,)], ["min"]) == [0, 1]

    def test_what_cannot_be_judged_is_not(self) -> None:
        """Candidates without a value, or with NaN, neither are on it nor keep others from it."""
        assert pareto_front([None, (math.nan, 0.0), (1.0, 1.0)], ["min", "min"]) == [2]
        assert pareto_front([], ["min"]) == []

    @given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4)), max_size=12))
    def test_as_by_its_definition(self, values: list[tuple[int, int, int]]) -> None:
        """It is what a comparison of each with each finds."""
        signs = (1, -1, 1)
        costs = [tuple(sign * value for sign, value in zip(signs, its, strict=True)) for its in values]
        expected = [
            index
            for index, its in enumerate(costs)
            if not any(other != its and all(a <= b for a, b in zip(other, its, strict=True)) for other in costs)
        ]
        assert pareto_front(values, ["min", "max", "min"]) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [(1, ""), (True, ""), ({"a": 1}, ""), ({}, "a dict"), (None, "None"), ("x", "a string"), ([1], "a list")],
)
def test_what_cannot_be_judged(value: object, text: str) -> None:
    """It is named by its kind; a number, true or false, and a dict with something in it can be."""
    assert no_number_text(value) == text
