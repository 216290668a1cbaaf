"""The executor processes: without Ray, and nothing lost when its processes die."""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from pytest_sweep import TrialState
from pytest_sweep.executors.processes.executor import ProcessesExecutor
from pytest_sweep.model import commands, events
from pytest_sweep.model.resources import Resources
from tests.support.sessions import Session, wait_for

from .project import Project, assert_says, output

PROCESSES = ("--sweep-executor=processes", "--sweep-max-concurrent=2")
SLOW = """
    import subprocess, sys, time

    @sweep(grid={"n": list(range(200))})
    def train(n, trial):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        trial.report({"child": child.pid})
        time.sleep(0.1 if n < 20 else 600)
        child.kill()
        child.wait()
"""


def alive(family: list[psutil.Process]) -> list[psutil.Process]:
    """Return those that have not ended within ten seconds."""
    return list(psutil.wait_procs(family, timeout=10)[1])


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "killed by SIGSEGV"),
        ("os.kill(os.getpid(), signal.SIGRTMIN + 1)", f"killed by signal {signal.SIGRTMIN + 1}"),
        ("os._exit(3)", "it exited with status 3"),
        ("os.abort()", "killed by SIGABRT"),
    ],
)
def test_a_death_is_named_and_blamed_on_its_trial(project: Project, how: str, cause: str) -> None:
    """A trial whose process dies fails with the signal or the status; what it had reported is kept, and the others run."""
    project.write(f"""
        import os, signal, time

        @sweep(grid={{"n": list(range(6))}})
        def train(n, trial):
            trial.report({{"n": n}})
            if n == 2:
                time.sleep(0.5)  # What was said half a second before the death has arrived.
                {how}
    """)
    result = project.plain("--sweep", *PROCESSES)
    result.assert_outcomes(passed=5, failed=1)
    by_name = {trial.name: trial for trial in project.grid()}
    dead = by_name["train[n=2]"]
    assert dead.state is TrialState.ERROR
    assert f"the worker died while it ran the trial: {cause}" in str(dead.error)
    assert [report["n"] for report in dead.metrics_history] == [2]
    assert sum(trial.state is TrialState.TERMINATED for trial in by_name.values()) == 5


def test_a_second_interrupt_ends_at_once(project: Project, start: Callable[..., Session]) -> None:
    """Ctrl-C twice ends the session at once, and leaves no process either."""
    project.write(SLOW)
    session = start(*PROCESSES, "-v")
    wait_for(lambda: len(session.finished()) >= 20, "twenty finished trials")
    family = session.family()
    session.interrupt()
    session.interrupt()
    began = time.monotonic()
    assert session.wait() != 0
    assert time.monotonic() - began < 10
    assert alive(family) == []


@pytest.mark.parametrize("request_", ["gpu=1", "memory='1GiB'", "custom={'tpu': 1}", "cpu=1000"])
def test_what_needs_ray_is_an_error_that_says_so(project: Project, request_: str) -> None:
    """A request that only Ray can meet is an error before the first trial, and names the way out."""
    project.write(f"""
        @sweep(grid={{"n": [1]}})
        @pytest.mark.resources({request_})
        def train(n): ...
    """)
    result = project.plain("--sweep", *PROCESSES)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "GPUs, memory, custom resources and labels need --sweep-executor=ray." in result.stderr.str()


def test_a_process_that_cannot_collect_says_why(project: Project) -> None:
    """A file that fails in a worker only is an error that shows the worker's own."""
    project.write("""
        import os

        if os.environ.get("PYTEST_XDIST_WORKER") or os.getpid() != int(os.environ["DRIVER"]):
            raise RuntimeError("not in a worker")

        @sweep(grid={"n": [1]})
        def train(n): ...
    """)
    project.pytester._monkeypatch.setenv("DRIVER", str(psutil.Process().pid))
    result = project.plain("--sweep", *PROCESSES)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "RuntimeError: not in a worker" in output(result)


def test_a_worker_that_is_stopped_while_it_starts_leaves_no_process() -> None:
    """A process whose worker is not wanted any more by the time it is there ends at once, and not with the driver."""
    executor = ProcessesExecutor(1)
    unread: Any = None  # Nothing is said to a process that is not wanted any more.
    executor.open(unread, {})
    before, cost = set(psutil.Process().children()), _cost_of_ended_children()
    executor.execute(commands.StartWorker("w1", Resources(), nodes=()))
    executor.execute(commands.StopWorker("w1"))
    assert executor.events(timeout=10) == [events.WorkerStopped("w1")]
    # It may come and go between two looks at the list of processes; what it cost stays.
    wait_for(lambda: _cost_of_ended_children() > cost, "the end of the process")
    assert not alive(list(set(psutil.Process().children()) - before))
    executor.shutdown(force=False)
    executor.join()


def _cost_of_ended_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@pytest.mark.parametrize("argument", ["--sweep-where=n <", "--sweep-dir=test_models.py", "-k=nothing"])
def test_a_session_that_comes_to_no_trial_leaves_no_process(project: Project, argument: str) -> None:
    """The process that was started ahead of collection is ended when the session is."""
    project.write("""
        @sweep(grid={"n": [1]})
        def train(n): ...
    """)
    before = set(psutil.Process().children())
    result = project.plain("--sweep", *PROCESSES, argument)
    assert result.ret in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED)
    assert not alive(list(set(psutil.Process().children()) - before))


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_a_database_that_cannot_be_made_ends_the_run(project: Project, executor: str) -> None:
    """The first trial has been handed out by then: it is cut off, the error names the file, and no process is left."""
    project.write(
        """
        from pathlib import Path

        def pytest_sweep_run_start(run):
            Path(run.path, "run.db").mkdir()
        """,
        "conftest.py",
    )
    project.write("""
        import os, time

        @sweep(grid={"n": [1, 2]})
        def train(n):
            time.sleep(600 if os.environ.get("PYTEST_XDIST_WORKER", "").startswith("worker") and n == 1 else 0)
    """)
    before = set(psutil.Process().children())
    result = project.plain("--sweep", f"--sweep-executor={executor}", "--sweep-max-concurrent=1")
    assert_says(result, "the results database", "run.db cannot be written: unable to open database file")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert not alive(list(set(psutil.Process().children()) - before))


def test_trials_that_say_more_than_the_driver_takes_are_slowed_down(project: Project) -> None:
    """While the driver does not read, a trial waits when 16 MiB wait in its worker; all of it arrives, and one warning says so."""
    project.write(
        """
        import time

        heard = []

        def pytest_sweep_trial_report(trial, metrics):
            if not heard:
                time.sleep(2)
            heard.append(metrics["i"])

        def pytest_sweep_run_finish(run):
            print("all heard:", heard == list(range(60)))
        """,
        "conftest.py",
    )
    project.write("""
        @sweep(configs=[{}])
        def train(trial):
            for number in range(60):
                trial.report({"i": number, "text": "x" * 1_000_000})
            return {"text": ""}
    """)
    result = project.plain("--sweep", *PROCESSES, "-s")
    result.assert_outcomes(passed=1, warnings=1)
    assert "all heard: True" in output(result)
    assert "16 MiB of reports and output wait in a worker, and trials there are slowed down" in output(result)
