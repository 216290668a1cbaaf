"""Ray Tune's ASHA as the oracle: on the same sequence of results the same trials are stopped, but for the defects that have tests."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sweep.model.study import Objective, Observation, VerdictKind
from pytest_sweep.search.settings import asha
from tests.contract.test_tune import tune

VALUES = st.floats(-1e3, 1e3, allow_nan=False)


def bracket(grace_period: int, max_t: int, factor: int) -> Any:
    """Return a bracket of Tune's."""
    tune()
    return pytest.importorskip("ray.tune.schedulers.async_hyperband")._Bracket(grace_period, max_t, factor, 0)


@given(
    st.lists(st.tuples(st.integers(0, 15), VALUES), min_size=1, max_size=80),
    st.sampled_from([(1, 27, 3), (1, 16, 2), (2, 32, 4), (1, 64, 4)]),
)
def test_the_same_trials_are_stopped(results: list[tuple[int, float]], shape: tuple[int, int, int]) -> None:
    """At each rung below max_t: whoever Tune stops is stopped, once there are as many trials as reduction_factor."""
    grace, max_t, factor = shape
    theirs = bracket(grace, max_t, factor)
    ours = asha(max_t=max_t, grace_period=grace, reduction_factor=factor, pause="never").make(
        (Objective("score", "max"),), 0, None, {}
    )
    rungs = ours.milestones("").at[:-1]
    reached = dict.fromkeys(map(str, range(16)), 0)
    for number, value in results:
        key = str(number)
        if reached[key] == len(rungs):
            continue
        rung = rungs[reached[key]]
        reached[key] += 1
        recorded = next(values for milestone, values in theirs._rungs if milestone == rung)
        before, cutoff = len(recorded), theirs.cutoff(recorded)
        stopped = theirs.on_result(SimpleNamespace(trial_id=key), rung, value) == "STOP"
        verdict = ours.judge(Observation(key, rung, (value,)), can_pause=False)
        if before + 1 < factor:
            assert verdict.kind is VerdictKind.CONTINUE
        elif abs(value - cutoff) > 1e-9 * max(1.0, abs(cutoff)):  # The last bits of numpy's interpolation are its own.
            assert (verdict.kind is VerdictKind.STOP) is stopped


def test_the_rungs() -> None:
    """Where Tune's logarithms are exact, its rungs are ours."""
    theirs = bracket(1, 27, 3)
    ours = asha(max_t=27, reduction_factor=3).make((Objective("score", "max"),), 0, None, {})
    assert sorted(milestone for milestone, _ in theirs._rungs) == list(ours.milestones("").at)
