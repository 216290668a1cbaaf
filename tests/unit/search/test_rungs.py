"""Scores at the edges of floats: infinities, NaN, and numbers so large that their difference is no float."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import pytest

from pytest_sweep.model.study import Objective, Observation, VerdictKind
from pytest_sweep.search.protocols import Scheduler
from pytest_sweep.search.rungs import Rung, shown_score
from pytest_sweep.search.settings import asha, median, pbt
from pytest_sweep.space.sampling import uniform

LOSS, SCORE = Objective("loss", "min"), Objective("score", "max")


def rung_of(scores: Sequence[float], factor: Fraction = Fraction(3)) -> Rung:
    rung = Rung(1, factor)
    for number, score in enumerate(scores):
        rung.add(str(number), score)
    return rung


@pytest.mark.parametrize(
    "scores", [[0.0, math.inf], [0.0, 1.0, 2.0, math.inf], [-math.inf, 0.0], [-math.inf, math.inf]]
)
def test_a_percentile_beside_an_infinity(scores: list[float]) -> None:
    """Between a number and an infinity nothing is interpolated: the percentile is the lower score, never NaN."""
    found = rung_of(scores).percentile()
    assert found is not None
    assert found in scores
    assert found < math.inf


@pytest.mark.parametrize("factor", [Fraction(2), Fraction(3), Fraction(4), Fraction(10)])
def test_a_percentile_of_large_numbers(factor: Fraction) -> None:
    """Where the difference of two scores is no float, what lies between them still is."""
    found = rung_of([-1.7e308, 1.7e308], factor).percentile()
    assert found is not None
    assert -1.7e308 <= found <= 1.7e308


@pytest.mark.parametrize("objective", [LOSS, SCORE])
def test_a_trial_beside_infinities(objective: Objective) -> None:
    """A trial whose value is good is not stopped because others have infinite ones, good or bad."""
    sign = 1 if objective is SCORE else -1
    scheduler = asha(max_t=9, reduction_factor=3, pause="never").make((objective,), 0, None, {})
    for number, value in enumerate((0.1, 0.2, 0.3, math.inf)):
        scheduler.judge(Observation(str(number), 1, (sign * value,)), can_pause=False)
    assert scheduler.judge(Observation("new", 1, (sign * 0.4,)), can_pause=False).kind is VerdictKind.CONTINUE


def test_a_median_of_large_numbers() -> None:
    """The median of two numbers whose sum is no float lies between them."""
    scheduler = median(min_samples_required=2).make((SCORE,), 0, None, {})
    for key in "ab":
        scheduler.judge(Observation(key, 1, (1.5e308,)), can_pause=False)
    assert scheduler.judge(Observation("c", 1, (1.6e308,)), can_pause=False).kind is VerdictKind.CONTINUE


@pytest.mark.parametrize(
    ("objective", "score", "text"),
    [
        (LOSS, -0.5, "0.5"),
        (SCORE, 0.5, "0.5"),
        (LOSS, -math.inf, "inf"),
        (SCORE, -math.inf, "-inf"),
        (LOSS, None, "NaN"),
    ],
)
def test_how_a_score_is_shown(objective: Objective, score: float | None, text: str) -> None:
    """As the value that was reported: infinities are no NaN."""
    assert shown_score(objective, score) == text


@pytest.mark.parametrize(("value", "text"), [(math.inf, "inf"), (math.nan, "NaN"), (0.75, "0.75")])
def test_reasons_show_what_was_reported(value: float, text: str) -> None:
    """Of a trial that pauses, with pbt() and with asha()."""
    population: Scheduler = pbt({"lr": uniform(0, 1)}, perturbation_interval=1).make(
        (LOSS,), 0, None, {"a": {"lr": 0.1}, "b": {"lr": 0.2}}
    )
    population.judge(Observation("a", 1, (0.5,)), can_pause=True)
    verdict = population.judge(Observation("b", 1, (value,)), can_pause=True)
    assert verdict.reason == f"pbt: {text} at iteration 1, goes on from 0.5 at 1"
    halving = asha(max_t=9).make((LOSS,), 0, None, {})
    assert halving.judge(Observation("a", 1, (value,)), can_pause=True).reason == f"asha: {text} at iteration 1"
