"""What trials find on Ray, on the one Ray that the tests share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from pytest_sweep import Result, TrialState, load_results

pytestmark = pytest.mark.usefixtures("shared_ray")


def test_a_failing_assertion_arrives_as_if_it_had_run_here(pytester: pytest.Pytester) -> None:
    """A failed comparison shows pytest's introspected diff, the trial's output and its log."""
    pytester.makepyfile(
        """
        import logging
        from pytest_sweep import sweep

        @sweep(grid={"n": [1]})
        def train(n):
            print("this was printed")
            logging.getLogger("model").warning("this was logged")
            model, expected = {"weights": [1, 2, 3]}, {"weights": [1, 2, 4]}
            assert model == expected
        """
    )
    result = pytester.runpytest_inprocess("--sweep")
    result.assert_outcomes(failed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "*train?n=1?*",
            ">       assert model == expected",
            "E       AssertionError: assert {'weights': [1, 2, 3]} == {'weights': [1, 2, 4]}",
            "*Differing items:",
            "test_a_failing_assertion_arrives_as_if_it_had_run_here.py:9: AssertionError",
            "*Captured stdout call*",
            "this was printed",
            "*Captured log call*",
            "WARNING  model:*this was logged",
        ]
    )


def test_resources_bound_how_many_run_at_once(pytester: pytest.Pytester) -> None:
    """Of trials that hold a whole node of two CPUs one runs at a time; of those with one CPU two."""
    pytester.makepyfile(
        """
        import time, pytest
        from pytest_sweep import sweep

        def span(seconds=0.3):
            began = time.time()
            time.sleep(seconds)
            return {"began": began, "ended": time.time()}

        @sweep(grid={"n": [1, 2, 3]})
        @pytest.mark.resources(cpu=2)
        def large(n):
            return span()

        @sweep(grid={"n": [1, 2, 3, pytest.param(4, marks=pytest.mark.resources(cpu=2))]})
        def small(n):
            return span(2)  # A second worker must have started by then.
        """
    )
    pytester.runpytest_inprocess("--sweep").assert_outcomes(passed=7)
    results = load_results(dir=pytester.path / "sweep_results")
    large, small = list(results["large"]), list(results["small"])
    assert _most_at_once([*large, small[3]]) == 1
    assert _most_at_once(small[:3]) == 2
    assert _most_at_once([*large, *small]) == 2


def test_max_concurrent_bounds_how_many_run_at_once(pytester: pytest.Pytester) -> None:
    """With --sweep-max-concurrent=1 the trials run one after the other."""
    pytester.makepyfile(
        """
        import time
        from pytest_sweep import sweep

        @sweep(grid={"n": list(range(4))})
        def train(n):
            began = time.time()
            time.sleep(0.1)
            return {"began": began, "ended": time.time()}
        """
    )
    pytester.runpytest_inprocess("--sweep", "--sweep-max-concurrent=1").assert_outcomes(passed=4)
    assert _most_at_once(list(load_results(dir=pytester.path / "sweep_results")["train"])) == 1


def test_the_working_directory_and_the_threads_are_what_the_trial_expects(pytester: pytest.Pytester) -> None:
    """A trial runs in the driver's working directory, on the main thread, with as many OpenMP threads as CPUs."""
    pytester.makepyfile(
        """
        import os, threading, pytest
        from pytest_sweep import sweep

        @sweep(grid={"n": [1]})
        @pytest.mark.resources(cpu=2)
        def train(n, tmp_path, trial):
            (tmp_path / "file").write_text("x")
            (trial.dir / "kept").write_text("x")
            return {
                "cwd": os.getcwd(),
                "omp": os.environ["OMP_NUM_THREADS"],
                "main": threading.current_thread() is threading.main_thread(),
            }
        """
    )
    pytester.runpytest_inprocess("--sweep").assert_outcomes(passed=1)
    result = load_results(dir=pytester.path / "sweep_results")["train"][0]
    assert result.metrics is not None
    assert (result.metrics["cwd"], result.metrics["omp"], result.metrics["main"]) == (str(Path.cwd()), "2", True)
    assert (result.path / "kept").read_text() == "x"


def test_reports_are_seen_while_the_trial_runs(pytester: pytest.Pytester) -> None:
    """A report reaches the driver's hook within a second, while the trial goes on."""
    pytester.makeconftest(
        """
        import time

        SEEN = []

        def pytest_sweep_trial_report(trial, metrics):
            SEEN.append(time.time() - metrics["timestamp"])

        def pytest_terminal_summary(terminalreporter):
            terminalreporter.write_line(f"latest report came after {max(SEEN):.3f} s, of {len(SEEN)}")
        """
    )
    pytester.makepyfile(
        """
        import time
        from pytest_sweep import sweep, report

        @sweep(grid={"n": [1, 2]})
        def train(n):
            for epoch in range(10):
                report({"loss": 1 / (epoch + 1)})
                time.sleep(0.15)
        """
    )
    result = pytester.runpytest_inprocess("--sweep")
    result.assert_outcomes(passed=2)
    result.stdout.re_match_lines([r"latest report came after 0\.\d+ s, of 20"])


def test_a_stop_rule_ends_a_trial_at_its_iteration(pytester: pytest.Pytester) -> None:
    """A trial ends as STOPPED at the report that meets the rule, and counts as passed."""
    pytester.makepyfile(
        """
        from pytest_sweep import sweep

        @sweep(grid={"rate": [0.5, 0.1]}, stop={"loss": "< 0.2", "training_iteration": 6})
        def train(rate, trial):
            loss = 1.0
            while True:
                loss *= 1 - rate
                trial.report({"loss": loss})
        """
    )
    result = pytester.runpytest_inprocess("--sweep")
    result.assert_outcomes(passed=2)
    fast, slow = load_results(dir=pytester.path / "sweep_results")["train"]
    assert [fast.state, slow.state] == [TrialState.STOPPED, TrialState.STOPPED]
    assert [len(fast.metrics_history), len(slow.metrics_history)] == [3, 6]


def test_classes_of_the_test_file_and_lambdas_travel(pytester: pytest.Pytester) -> None:
    """A configuration may hold classes and functions of its own file, nested, and lambdas."""
    pytester.makepyfile(
        """
        from pytest_sweep import sweep

        class Net:
            size = 3

        def twice(x):
            return 2 * x

        @sweep(grid={"model": {"kind": [Net], "scale": [twice, lambda x: 3 * x]}})
        def train(config):
            assert config["model"]["kind"] is Net
            return config["model"]["scale"](Net().size)
        """
    )
    pytester.runpytest_inprocess("--sweep").assert_outcomes(passed=2)
    values = [
        result.metrics["value"]
        for result in load_results(dir=pytester.path / "sweep_results")["train"]
        if result.metrics
    ]
    assert values == [6, 9]


def test_trials_behind_a_long_one_are_given_back(pytester: pytest.Pytester) -> None:
    """Trials that travelled with one that takes long do not wait for it: another worker runs them."""
    pytester.makepyfile(
        """
        import time
        from pytest_sweep import sweep

        @sweep(grid={"n": list(range(60))})
        def train(n):
            if n == 20:
                time.sleep(6)
            return {"ended": time.time()}
        """
    )
    pytester.runpytest_inprocess("--sweep").assert_outcomes(passed=60)
    ended = {
        result.config["n"]: result.metrics["ended"]
        for result in load_results(dir=pytester.path / "sweep_results")["train"]
        if result.metrics
    }
    assert max(ended, key=lambda n: ended[n]) == 20


def _most_at_once(results: Sequence[Result]) -> int:
    """Return the largest number of trials whose spans of time overlap."""
    spans = [result.metrics or {} for result in results]
    return max(sum(bool(other["began"] <= span["began"] < other["ended"]) for other in spans) for span in spans)
