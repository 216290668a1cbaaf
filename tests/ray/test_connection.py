"""Trials, fixtures and gangs that call ray.init() and ray.shutdown() as a script would: their workers stay connected."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.usefixtures("shared_ray")

PROJECT = """
    import os
    import pytest
    import ray
    from ray import shutdown
    from ray._private.worker import shutdown as private_shutdown
    from pytest_sweep import sweep

    def round_trip(value):
        return ray.get(ray.put(value))

    @sweep(grid={"x": range(6)})
    def as_tune_users_do(x, trial):
        with ray.init(num_cpus=1, ignore_reinit_error=True) as context:
            assert context.address_info["gcs_address"] == ray.get_runtime_context().gcs_address
            trial.report({"y": round_trip(x)})
        for end in (ray.shutdown, shutdown, private_shutdown):
            end()
            assert ray.is_initialized()
        ray.init(address="ray://10.0.0.1:10001", num_cpus=4)
        context.disconnect()
        return {"y": round_trip(x), "pid": os.getpid()}

    def by_member(rank, world_size):
        ray.shutdown()
        ray.init()
        return round_trip(rank)

    @sweep(grid={"x": [1]})
    @pytest.mark.resources(workers=2)
    def in_a_gang(x, trial):
        assert trial.gang.run(by_member) == [0, 1]
        assert trial.gang.run(by_member) == [0, 1]
"""


def test_trials_cannot_disconnect_their_worker(pytester: pytest.Pytester) -> None:
    """Both calls do nothing, whoever has imported them how, are warned of once a process, and the worker runs the next trials."""
    pytester.makepyfile(PROJECT)
    result = pytester.runpytest_inprocess("--sweep", "--sweep-executor=ray", "--sweep-max-concurrent=1")
    result.assert_outcomes(passed=7, warnings=2)
    text = result.stdout.str()
    assert text.count("ray.shutdown() does nothing in a trial") == 1
    assert text.count("ray.init() in a trial returns the connection that its worker has") == 1
    # Each warning shows the line of the trial that it is about.
    result.stdout.fnmatch_lines(
        ["*.py:*: UserWarning: ray.shutdown() does nothing*", "    with ray.init(num_cpus=1*"], consecutive=True
    )
