"""--pdb, --trace and breakpoint(): a debugger at the failure of a trial, wherever it ran."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pytest_sweep import load_results

from .project import Project

FAILS_ON_TWO = """
    @pytest.fixture(scope="session")
    def model():
        return "the model"

    @sweep(grid={"n": [1, 2, 3]})
    def train(n, trial, model):
        secret = f"{model} of {n} with {trial.seed}"
        assert n != 2
"""
EXECUTORS = ["inline", "processes"]


def debug(project: Project, typed: str, *arguments: str) -> tuple[int, str]:
    """Run a session, type into its debugger, and return status and output."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--sweep",
            "--sweep-max-concurrent=1",
            "-p",
            "no:hypothesispytest",
            *arguments,
        ],
        cwd=project.path,
        input=typed,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("executor", EXECUTORS)
def test_pdb_opens_at_the_failure(project: Project, executor: str) -> None:
    """With --pdb the debugger is opened at the failing line, with the trial's own configuration, seed and fixtures; counted once."""
    project.write(FAILS_ON_TWO)
    status, text = debug(project, "p secret\nc\n", "--pdb", f"--sweep-executor={executor}")
    (failed,) = [result for result in load_results(dir=project.path / "sweep_results")["train"] if result.error]
    assert f"'the model of 2 with {failed.seed}'" in text
    assert "-> assert n != 2" in text
    assert "1 failed, 2 passed" in text
    assert ("running it again in this process" in text) is (executor != "inline")
    assert status == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize("executor", EXECUTORS)
def test_quitting_ends_the_session(project: Project, executor: str) -> None:
    """Quit in the debugger ends the session; what ran before is shown and stored, the rest is not run."""
    project.write(FAILS_ON_TWO)
    status, text = debug(project, "q\n", "--pdb", f"--sweep-executor={executor}")
    assert status == pytest.ExitCode.INTERRUPTED
    assert "Quitting debugger" in text
    assert "== Status ==" in text
    states = [str(result.state) for result in load_results(dir=project.path / "sweep_results")["train"]]
    # Inline the attempt itself is cut off.
    assert states[:2] in (["TERMINATED", "ERROR"], ["TERMINATED", "NOT_RUN"])


def test_what_does_not_fail_here_says_so(project: Project) -> None:
    """A trial that fails in its own process only is said not to have failed again, and stays failed."""
    project.write("""
        import os

        @sweep(grid={"n": [1]})
        def train(n):
            assert os.getpid() == int(os.environ["PYTEST_DRIVER"])
    """)
    project.write("import os\nos.environ.setdefault('PYTEST_DRIVER', str(os.getpid()))\n", "conftest.py")
    status, text = debug(project, "", "--pdb", "--sweep-executor=processes")
    assert "train[n=1] did not fail again in this process" in text
    assert "1 failed" in text
    assert status == pytest.ExitCode.TESTS_FAILED


def test_trace_stops_at_the_start(project: Project) -> None:
    """--trace stops at the start of each trial, in this process."""
    project.write(FAILS_ON_TWO.replace("n != 2", "n"))
    status, text = debug(project, "p n * 111\nc\n" * 3, "--trace")
    assert all(str(n * 111) in text for n in (1, 2, 3))
    assert "Executor: inline" in text
    assert status == pytest.ExitCode.OK


BREAKS = """
    @sweep(grid={"n": [1]})
    def train(n):
        secret = n * 111
        breakpoint()
        return secret
"""


def test_a_breakpoint_in_a_worker_says_where_to_go(project: Project) -> None:
    """Where there is no debugger breakpoint() fails the trial, and says how to stop there."""
    project.write(BREAKS)
    status, text = debug(project, "", "--sweep-executor=processes")
    assert "BreakpointReached: breakpoint() was reached in a worker, which has no terminal. With --pdb" in text
    assert status == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize(
    ("arguments", "count"), [(["--sweep-executor=inline"], 1), (["--sweep-executor=processes", "--pdb"], 1)]
)
def test_a_breakpoint_opens_the_debugger(project: Project, arguments: list[str], count: int) -> None:
    """breakpoint() opens the debugger: inline where it is reached, and with --pdb in the second run in this process."""
    project.write(BREAKS)
    _, text = debug(project, "p secret\nc\n", *arguments)
    assert text.count("(Pdb) 111") == count
