"""SIGTERM and SIGHUP end a run as Ctrl-C does."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing

import psutil
import pytest

from tests.support.sessions import Session, wait_for

from .project import Project

SLOW = """
    import subprocess, sys, time

    @sweep(grid={"n": list(range(30))})
    def train(n, trial):
        if n >= 4:
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            time.sleep(600)
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_it_is_an_interrupt(project: Project, start: Callable[..., Session], executor: str, name: str) -> None:
    """The signal ends the run with status 2 and its tables; what was finished is stored, the rest not run, no process is left."""
    project.write(SLOW)
    session = start(f"--sweep-executor={executor}", "--sweep-max-concurrent=2", "-v")
    wait_for(lambda: len(session.finished()) == 4, "four finished trials")
    wait_for(lambda: any("sleep" in " ".join(child.cmdline()) for child in session.family()), "a trial that sleeps")
    family = session.family()
    os.kill(session.process.pid, getattr(signal, name))
    assert session.wait() == 2
    assert f"interrupted by {name}" in session.output
    assert re.search(r"Number of trials: [56]/30 \(4 TERMINATED, [12] INTERRUPTED, 2[45] NOT_RUN\)", session.output)
    states = [str(result.state) for result in session.results()["train"]]
    assert states.count("TERMINATED") == 4
    assert 1 <= states.count("INTERRUPTED") <= 2
    assert states.count("INTERRUPTED") + states.count("NOT_RUN") == 26
    if executor == "processes":  # Inline they are the trial's own, as with any test.
        assert psutil.wait_procs(family, timeout=10)[1] == []
    else:
        for child in family:
            child.kill()


def test_nohup_is_respected(project: Project, start: Callable[..., Session]) -> None:
    """A run that was started with nohup goes on after SIGHUP."""
    project.write("""
        import time

        @sweep(grid={"n": [1]})
        def train(n, trial):
            import signal
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    """)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        session = start("--sweep-executor=inline")
    finally:
        signal.signal(signal.SIGHUP, before)
    assert session.wait() == 0


REPORTING = """
    import time

    @sweep(grid={"n": list(range(5))})
    def train(n, trial):
        open("runs", "w").close()
        for i in range(6000):
            trial.report({"i": i})
            time.sleep(0.1)
"""


def stored(session: Session, what: str) -> list[tuple[object, ...]]:
    """Return what a query of the run's database yields."""
    (database,) = session.folder.glob("sweep_results/*/run.db")
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(what).fetchall()


@pytest.mark.parametrize(("name", "gap"), [("SIGINT", 0.0002), ("SIGINT", 0.002), ("SIGINT", 0.3), ("SIGTERM", 0.002)])
@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_two_signals_are_one_interrupt(
    project: Project, start: Callable[..., Session], executor: str, name: str, gap: float
) -> None:
    """Two signals shortly after one another: nothing is stored as running or pending, the table is there, the status is 2."""
    project.write(REPORTING)
    session = start(f"--sweep-executor={executor}", "--sweep-max-concurrent=2")
    wait_for((session.folder / "runs").exists, "the first trial")
    family = session.family()
    for _ in range(2):
        os.kill(session.process.pid, getattr(signal, name))
        time.sleep(gap)  # It is what is tested.
    assert session.wait() == 2
    assert re.search(r"Number of trials: \d/5 \(", session.output)
    assert "Traceback" not in session.output
    states = stored(session, "select state from trial")
    assert set(states) <= {("INTERRUPTED",), ("NOT_RUN",)}
    assert states.count(("INTERRUPTED",)) <= 2
    assert stored(session, "select distinct state from attempt") in ([("INTERRUPTED",)], [])
    assert stored(session, "select exit_status from run") == [(2,)]
    assert psutil.wait_procs(family, timeout=10)[1] == []


def test_what_had_arrived_is_shown(project: Project, start: Callable[..., Session]) -> None:
    """Ctrl-C in a slow hook: the trials that have ended meanwhile are stored, and shown as well."""
    project.write("""
        import time

        @sweep(grid={"n": list(range(30))})
        def train(n):
            if n >= 8:
                time.sleep(600)
    """)
    project.write(
        """
        import time
        from pathlib import Path

        def pytest_sweep_trial_finish(trial):
            if not Path("slow").exists():
                Path("slow").touch()
                time.sleep(600)
        """,
        "conftest.py",
    )
    session = start("--sweep-executor=processes", "--sweep-max-concurrent=2", "-v")
    wait_for((session.folder / "slow").exists, "the hook")
    time.sleep(1.0)  # In which the workers go on; whatever they do, it is to be shown.
    session.interrupt()
    assert session.wait() == 2
    ended = [result.name for result in session.results()["train"] if str(result.state) == "TERMINATED"]
    assert sorted(session.finished()) == sorted(ended)
    assert len(ended) >= 1
    assert f"{len(ended)} passed" in session.output


def test_a_hook_that_hangs_at_the_end(project: Project, start: Callable[..., Session]) -> None:
    """A third Ctrl-C ends a hook of the end that hangs; the tables are written all the same, and the status is 2."""
    project.write(SLOW)
    project.write(
        """
        import time
        from pathlib import Path

        def pytest_sweep_run_finish():
            Path("hangs").touch()
            time.sleep(600)
        """,
        "conftest.py",
    )
    session = start("--sweep-executor=processes", "--sweep-max-concurrent=2", "-v")
    wait_for(lambda: len(session.finished()) == 4, "four finished trials")
    session.interrupt()
    wait_for((session.folder / "hangs").exists, "the hook")
    for _ in range(2):
        time.sleep(1.2)  # Else it is the same.
        session.interrupt()
    assert session.wait() == 2
    assert re.search(r"Number of trials: \d/30 \(4 TERMINATED, ", session.output)
    assert stored(session, "select exit_status from run") == [(2,)]


CATCHES = """
    import time
    from pathlib import Path

    def caught(x):
        try:
            Path(f"began{x}").touch()
            time.sleep(60)
        except KeyboardInterrupt:
            Path(f"caught{x}").touch()
            time.sleep(60)

    @sweep(grid={"x": [1, 2]})
    def train(x, trial):
        trial.report({"x": x})
        caught(x)
"""


def test_a_second_one_where_the_trial_has_caught_the_first(project: Project, start: Callable[..., Session]) -> None:
    """A trial that catches Ctrl-C is interrupted by a second one within the second, and the session ends as plain pytest's does."""
    project.write(CATCHES)
    session = start("--sweep-executor=inline")
    wait_for((session.folder / "began1").exists, "the first trial")
    os.kill(session.process.pid, signal.SIGINT)
    wait_for((session.folder / "caught1").exists, "the first trial's handler")
    time.sleep(0.3)  # Shorter is a doubled signal.
    os.kill(session.process.pid, signal.SIGINT)
    assert session.wait() == 2
    assert not (session.folder / "began2").exists()
    assert [str(result.state) for result in session.results()["train"]] == ["INTERRUPTED", "NOT_RUN"]
