"""Faults, injected for real: dead workers, a dead driver, interrupts, addresses that nobody answers at."""

from __future__ import annotations

import http.server
import re
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from pytest_sweep import TrialState, load_results
from tests.conftest import import_ray
from tests.support.sessions import Session, wait_for

SLOW = """
    import time
    from pytest_sweep import sweep

    @sweep(grid={"n": list(range(200))})
    def train(n):
        time.sleep(0.1)
        return n
"""


@pytest.mark.usefixtures("shared_ray")
def test_what_was_shown_as_finished_survives_the_death_of_the_driver(
    pytester: pytest.Pytester, start: Callable[..., Session]
) -> None:
    """After kill -9 of the driver in mid-run, every trial that had been shown as passed is in load_results()."""
    pytester.makepyfile(SLOW)
    session = start("-v")
    wait_for(lambda: len(session.finished()) >= 20, "twenty finished trials")
    session.process.kill()
    session.wait()
    shown = session.finished()
    stored = {result.name for result in session.results()["train"] if result.state is TrialState.TERMINATED}
    assert 20 <= len(shown) < 200
    assert set(shown) <= stored


@pytest.mark.usefixtures("shared_ray")
def test_a_crash_is_blamed_on_the_trial_that_crashed(pytester: pytest.Pytester, start: Callable[..., Session]) -> None:
    """A trial that kills its worker is tried once more and then fails; every other trial passes."""
    pytester.makepyfile(
        """
        import os, signal
        from pytest_sweep import sweep

        @sweep(grid={"n": list(range(40))})
        def train(n):
            if n == 23:
                os.kill(os.getpid(), signal.SIGKILL)
            return n
        """
    )
    session = start()
    assert session.wait() == 1
    results = session.results()["train"]
    assert [run.config["n"] for run in results if run.state is not TrialState.TERMINATED] == [23]
    assert results[23].attempts >= 2
    assert "the worker died while it ran the trial: killed or crashed, signal unknown" in str(results[23].error)
    pytest.LineMatcher(session.output.splitlines()).fnmatch_lines(
        ["*the worker died while it ran the trial*", "*1 failed, 39 passed*"]
    )
    assert "(raylet)" not in session.output


@pytest.mark.usefixtures("shared_ray")
def test_leaving_the_interpreter_fails_the_trial_only(pytester: pytest.Pytester) -> None:
    """sys.exit in a trial is an ordinary failure, KeyboardInterrupt a failure on a worker that is replaced."""
    pytester.makepyfile(
        """
        import sys
        from pytest_sweep import sweep

        @sweep(grid={"n": [1, 2, 3]})
        def train(n):
            if n == 1:
                sys.exit("goodbye")
            if n == 2:
                raise KeyboardInterrupt
            return n
        """
    )
    pytester.runpytest_inprocess("--sweep").assert_outcomes(passed=1, failed=2)
    first, second, third = load_results(dir=pytester.path / "sweep_results")["train"]
    assert str(first.error).endswith("SystemExit: goodbye")
    assert "KeyboardInterrupt" in str(second.error)
    assert third.state is TrialState.TERMINATED


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:1", "*nothing answers at 127.0.0.1:1*is the Ray cluster up*"),
        ("nonsense", "*--sweep-address='nonsense' is no address: write host:port*"),
        ("ray://127.0.0.1:10001", "*ray job submit*"),
    ],
)
def test_a_wrong_address_is_a_usage_error(
    start: Callable[..., Session], pytester: pytest.Pytester, address: str, message: str
) -> None:
    """An address that cannot be used is a usage error that says what to do, within 15 seconds."""
    pytester.makepyfile(SLOW)
    began = time.monotonic()
    session = start(f"--sweep-address={address}")
    assert session.wait() == pytest.ExitCode.USAGE_ERROR
    assert time.monotonic() - began < 15
    pytest.LineMatcher(session.output.splitlines()).fnmatch_lines([f"ERROR: {message}"])


def test_what_is_no_ray_is_a_usage_error(start: Callable[..., Session], pytester: pytest.Pytester) -> None:
    """A server that is no Ray is named as such within 15 seconds."""
    pytester.makepyfile(SLOW)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    began = time.monotonic()
    session = start(f"--sweep-address=127.0.0.1:{server.server_port}")
    status = session.wait()
    took = time.monotonic() - began
    server.shutdown()
    server.server_close()
    assert status == pytest.ExitCode.USAGE_ERROR
    assert took < 15
    assert "is no Ray cluster that we can use" in session.output


@pytest.mark.parametrize("mode", ["disabled", "token"])
def test_a_protected_cluster_says_what_it_wants(
    shared_ray: str, start: Callable[..., Session], pytester: pytest.Pytester, mode: str
) -> None:
    """Without the token of a cluster the error says where to put it, whether authentication was turned on or not."""
    pytester.makepyfile(SLOW)
    without = {"HOME": str(pytester.path), "RAY_AUTH_TOKEN_PATH": str(pytester.path / "none"), "RAY_AUTH_MODE": mode}
    session = start(f"--sweep-address={shared_ray}", **without)
    assert session.wait() == pytest.ExitCode.USAGE_ERROR
    assert "wants a token that we do not have" in session.output


@pytest.mark.usefixtures("shared_ray")
def test_a_request_that_no_node_can_meet_is_an_error_before_the_first_trial(pytester: pytest.Pytester) -> None:
    """A trial that is too large for every node is named with the largest node, and nothing is run."""
    pytester.makepyfile(
        """
        import pytest
        from pytest_sweep import sweep

        @sweep(grid={"n": [1, pytest.param(2, marks=pytest.mark.resources(cpu=64))]})
        def train(n):
            open("ran", "w")
        """
    )
    result = pytester.runpytest_inprocess("--sweep")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: *::train?n=2? asks for 64 CPU, and the largest node has 2 CPU*no node can ever run it*"]
    )
    assert not (pytester.path / "ran").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("shared_ray")
def test_what_the_cluster_does_not_grant(pytester: pytest.Pytester, start: Callable[..., Session]) -> None:
    """A worker whose resources somebody else holds says for how long the cluster has not granted them; it starts when it does."""
    from ray.util.placement_group import placement_group, remove_placement_group

    ray = import_ray()
    held: Any = placement_group([{"CPU": 2}])
    ray.get(held.ready())
    pytester.makepyfile("from pytest_sweep import sweep\n@sweep(grid={'n': [1]})\ndef train(n): ...\n")
    session = start("--sweep-status-interval=1")
    said = re.compile(r"the cluster was asked for it on node \S+ [\dmins ]+ ago and has not granted it")
    wait_for(lambda: said.search(session.output), "the explanation")
    remove_placement_group(held)
    assert session.wait() == 0, session.output


@pytest.mark.parametrize("option", ["--co", "--fixtures", "--help"])
def test_looking_starts_no_ray(start: Callable[..., Session], pytester: pytest.Pytester, option: str) -> None:
    """--co, --fixtures and --help import no Ray and start none."""
    pytester.makepyfile(SLOW)
    pytester.makeconftest(
        """
        import sys

        def pytest_unconfigure():
            print("ray imported:", "ray" in sys.modules)
        """
    )
    session = start(option, "-s", RAY_ADDRESS="")
    assert session.wait() == 0
    assert "ray imported: False" in session.output
