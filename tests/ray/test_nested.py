"""What the own Ray code of trials asks for, and leaves behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_sweep.model import TrialState
from tests.support.sessions import Session

LEFT_BEHIND = """
    import time
    import pytest, ray
    from pytest_sweep import sweep

    @sweep(grid={"n": [1]}, timeout="5s")
    @pytest.mark.resources(cpu=2)
    def a_leaves(n):
        for _ in range(2):
            ray.util.placement_group([{"CPU": 1}])
        time.sleep(60)

    @sweep(grid={"n": [1]})
    @pytest.mark.resources(cpu=0)
    def b_follows(n):
        pass
"""


def test_placement_groups_of_a_killed_trial(pytester: pytest.Pytester, start: Callable[..., Session]) -> None:
    """What a trial that was ended has asked for is given back: the next trial finds room."""
    pytester.makepyfile(LEFT_BEHIND)
    session = start("--sweep-num-cpus=2", RAY_ADDRESS="")
    assert session.wait() == 1, session.output
    results = session.results()
    assert [result.state for result in results["a_leaves"]] == [TrialState.ERROR]
    assert [result.state for result in results["b_follows"]] == [TrialState.TERMINATED]


WAITS = """
    import pytest, ray
    from pytest_sweep import sweep

    @sweep(grid={"n": [1]}, timeout="55s")
    @pytest.mark.resources(cpu=2)
    def by_group(n):
        ray.get(ray.util.placement_group([{"CPU": 1}]).ready())

    @sweep(grid={"n": [1]}, timeout="55s")
    @pytest.mark.resources(cpu=2)
    def by_task(n):
        ray.get(ray.remote(lambda: 1).options(num_cpus=1, scheduling_strategy="SPREAD").remote())
"""


@pytest.mark.slow
def test_trials_that_wait_for_themselves(pytester: pytest.Pytester, start: Callable[..., Session]) -> None:
    """A trial that waits for CPUs that it holds itself is named before a timeout of a minute ends it, with what it waits for."""
    pytester.makepyfile(WAITS)
    session = start("--sweep-num-cpus=2", RAY_ADDRESS="", COLUMNS="400")
    assert session.process.wait(200) == 1, session.output
    by_group = "by_group[n=1] waits for Ray resources that it or other trials hold: it has asked for a placement group of 1 CPU"
    by_task = "a Ray task or actor with 1 CPU cannot start beside what trials hold (by_task[n=1])"
    for said in (by_group, by_task):
        assert session.output.count(said) == 2, session.output  # At once, and as a warning.
