"""What trials on Ray are granted, and how differently sized ones share it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from pytest_sweep import load_results
from pytest_sweep.engine.policy import Policy
from tests.support.sessions import Session


def test_gpus_are_those_that_were_granted(
    pytester: pytest.Pytester, start: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of two trials at once sees another GPU, though the driver sees both; the table shows which, and a warning what it cost."""
    pytester.makepyfile(
        """
        import os, time, pytest
        from pytest_sweep import sweep

        @pytest.fixture(scope="session")
        def data():
            time.sleep(1.1)

        @sweep(grid={"n": [1, 2]}, metric="omp", mode="max")
        @pytest.mark.resources(cpu=2, gpu=1)
        def train(n, data):
            limit = time.time() + 30
            open(f"here-{n}", "w").close()
            while not os.path.exists(f"here-{3 - n}") and time.time() < limit:
                time.sleep(0.05)
            return {"gpu": os.environ["CUDA_VISIBLE_DEVICES"], "omp": int(os.environ["OMP_NUM_THREADS"])}
        """
    )
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)  # Who sets it wants it.
    arguments = ("--sweep-num-cpus=4", "--sweep-num-gpus=2")
    session = start(*arguments, RAY_ADDRESS="", CUDA_VISIBLE_DEVICES="5,7", COLUMNS="200")
    assert session.wait() == 0, session.output
    metrics = [result.metrics or {} for result in session.results()["train"]]
    assert {one["gpu"] for one in metrics} == {"5", "7"}
    rows = [[cell.strip() for cell in line.split("|")] for line in session.output.splitlines() if line.startswith("| ")]
    columns = rows[0].index("gpus"), rows[0].index("threads")
    assert {tuple(row[column] for column in columns) for row in rows[1:]} == {("5", "2"), ("7", "2")}
    assert session.output.count("@sweep(fresh_process=False) keeps the process") == 1


@pytest.mark.usefixtures("shared_ray")
def test_a_large_trial_is_not_starved_and_small_ones_fill_the_gaps(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trial for the whole node begins after its patience, before the many small ones are through; until then these run in pairs."""
    monkeypatch.setattr("pytest_sweep.plugin.assembly.Policy", partial(Policy, patience=3.0))
    pytester.makepyfile(
        """
        import time, pytest
        from pytest_sweep import sweep

        def span(seconds):
            began = time.time()
            time.sleep(seconds)
            return {"began": began, "ended": time.time()}

        @sweep(grid={"n": list(range(30))})
        def small(n):
            return span(0.5)

        @sweep(grid={"n": [1]})
        @pytest.mark.resources(cpu=2)
        def large(n):
            return span(0.5)
        """
    )
    pytester.runpytest_inprocess("--sweep").assert_outcomes(passed=31)
    results = load_results(dir=pytester.path / "sweep_results")
    (large,) = [result.metrics or {} for result in results["large"]]
    small = sorted(((result.metrics or {}) for result in results["small"]), key=lambda span: span["began"])
    assert not any(span["began"] < large["ended"] and large["began"] < span["ended"] for span in small)
    before = [span for span in small if span["ended"] <= large["began"]]
    assert 2 <= len(before) <= 26
    pairs = sum(
        any(span is not other and span["began"] < other["ended"] and other["began"] < span["ended"] for other in before)
        for span in before
    )
    assert pairs >= len(before) - 4
