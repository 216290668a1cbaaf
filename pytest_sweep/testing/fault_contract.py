"""The contract of an executor whose workers are processes: what becomes of trials when those die, hang or are cut off.

Subclass `FaultContract`, name the executor, and let pytest collect it. The faults are real: signals, C loops, children that live on.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import psutil
import pytest

from pytest_sweep.testing.sessions import FinishedSession, run_session

FAULTS = """
import ctypes, os, pathlib, signal, subprocess, sys, time
import pytest
from pytest_sweep import sweep

HERE = pathlib.Path(__file__).parent

@sweep(configs=[{}], worker_retries=0)
def segfaults():
    ctypes.string_at(0)

@sweep(configs=[{}], worker_retries=0)
def is_killed():
    os.kill(os.getpid(), signal.SIGKILL)

@sweep(configs=[{}], worker_retries=2)
def dies_twice(trial):
    if trial.attempt < 3:
        os._exit(3)
    return {"x": trial.attempt}

@pytest.fixture
def deadly_setup(trial):
    if trial.attempt == 1:
        os._exit(4)

@pytest.fixture
def deadly_teardown(trial):
    yield
    if trial.attempt == 1:
        os._exit(4)

@sweep(configs=[{}])
def dies_in_setup(deadly_setup):
    return 1

@sweep(configs=[{}])
def dies_in_teardown(deadly_teardown):
    return 1

@pytest.fixture(scope="module")
def deadly_between():
    yield
    os._exit(5)

@sweep(configs=[{}])
@pytest.mark.resources(cpu=2)
def ends_before_a_death(deadly_between):
    return 1

@sweep(configs=[{}], timeout="2s")
def hangs_in_c():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    (HERE / "child.pid").write_text(str(child.pid))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sum(range(10**13))

@sweep(configs=[{}], timeout=1.5, retries=1, retry_on=TimeoutError)
def hangs_once(trial):
    trial.report({"x": trial.attempt})
    if trial.attempt == 1:
        time.sleep(1000)

@sweep(configs=[{}], retries=3, retry_on=OSError)
def fails_otherwise():
    raise ValueError("not worth a second try")

@sweep(configs=[{}], retries=3, retry_on=(OSError, "out of memory"), backoff=0.2)
def recovers(trial):
    print(f"printed by attempt {trial.attempt}")
    if trial.attempt == 1:
        raise RuntimeError("CUDA out of memory")
    if trial.attempt == 2:
        raise FileNotFoundError("gone")
"""

# Two CPUs each, so that one worker has both, one after the other: it dies between the modules.
FAULTS_BETWEEN = """
import pytest
from pytest_sweep import sweep

@sweep(configs=[{}])
@pytest.mark.resources(cpu=2)
def comes_after_it():
    return 1
"""

IDLE = """
import os, pathlib, subprocess, sys
from pytest_sweep import sweep

HERE = pathlib.Path(__file__).parent
KILL = "import os, sys, time; time.sleep(0.5); os.kill(int(sys.argv[1]), 9); open('idle.killed', 'w').close()"

@sweep(configs=[{}], retries=1, backoff=4, worker_retries=0)
def had_an_idle_worker(trial):
    if trial.attempt == 1:
        subprocess.Popen([sys.executable, "-c", KILL, str(os.getpid())], cwd=HERE, start_new_session=True)
        raise OSError("fails once")
    assert (HERE / "idle.killed").exists()
"""


class FaultContract:
    """What every executor with processes does about faults. The session runs once for the class.

    Attributes:
        arguments: what to run pytest with, besides ``--sweep``.
        knows_signals: whether it can tell the exit status or the signal of any death; all tell those that faulthandler sees.
    """

    arguments: ClassVar[Sequence[str]]
    knows_signals: ClassVar[bool] = True

    @pytest.fixture(scope="class")
    @classmethod
    def faults(cls, tmp_path_factory: pytest.TempPathFactory) -> FinishedSession:
        """The session with all the faults."""
        files = {"pytest.ini": "[pytest]\n", "sweep_faults.py": FAULTS, "sweep_faults_between.py": FAULTS_BETWEEN}
        return run_session(tmp_path_factory.mktemp("faults"), files, [*cls.arguments, "-rA"])

    def error(self, session: FinishedSession, name: str) -> str:
        """Return the error of the only trial of a sweep."""
        error = session.trials[f"{name}[{{}}]"].error
        assert error is not None
        return error

    def test_states(self, faults: FinishedSession) -> None:
        """Each trial ends as its faults and its retries say, and no other trial suffers."""
        assert {
            name.partition("[")[0]: (str(result.state), result.attempts) for name, result in faults.trials.items()
        } == {
            "segfaults": ("ERROR", 1),
            "is_killed": ("ERROR", 1),
            "dies_twice": ("TERMINATED", 3),
            "dies_in_setup": ("TERMINATED", 2),
            "dies_in_teardown": ("TERMINATED", 2),
            "ends_before_a_death": ("TERMINATED", 1),
            "comes_after_it": ("TERMINATED", 2),
            "hangs_in_c": ("ERROR", 1),
            "hangs_once": ("TERMINATED", 2),
            "fails_otherwise": ("ERROR", 1),
            "recovers": ("TERMINATED", 3),
        }
        assert faults.status == 1

    def test_a_segmentation_fault(self, faults: FinishedSession) -> None:
        """A segmentation fault is named, and the line of the trial that it was in is shown."""
        error = self.error(faults, "segfaults")
        assert error.endswith("the worker died while it ran the trial: killed by SIGSEGV")
        assert re.search(r'sweep_faults.py", line \d+ in segfaults', error)

    def test_a_kill(self, faults: FinishedSession) -> None:
        """A kill from outside is named as far as it can be known."""
        cause = "killed by SIGKILL" if self.knows_signals else "killed or crashed, signal unknown"
        assert self.error(faults, "is_killed") == f"the worker died while it ran the trial: {cause}"

    def test_a_timeout_in_c(self, faults: FinishedSession) -> None:
        """A trial in a C loop that ignores signals is ended at its limit, and shows where it was."""
        error = self.error(faults, "hangs_in_c")
        assert error.endswith("TimeoutError: the attempt took longer than 2 s, and its process was ended")
        assert re.search(r'sweep_faults.py", line \d+ in hangs_in_c', error)
        duration = faults.trials["hangs_in_c[{}]"].duration
        assert duration is not None
        assert 2 <= duration < 30

    def test_its_children_end_with_it(self, faults: FinishedSession) -> None:
        """What a trial has started ends with its process."""
        child = int((faults.folder / "child.pid").read_text())
        limit = time.monotonic() + 10
        while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < limit, f"process {child} lives on"
            time.sleep(0.05)

    def test_a_timeout_is_a_failure_of_the_trial(self, faults: FinishedSession) -> None:
        """A trial that took too long is tried again as its retries say; what it had reported is kept with its attempt."""
        assert faults.history("hangs_once[{}]", "x") == [2]
        first, second = faults.trials["hangs_once[{}]"].attempt_history
        assert (first.state, second.state) == ("ERROR", "TERMINATED")
        assert first.error is not None
        assert "TimeoutError" in first.error

    def test_attempts_are_kept(self, faults: FinishedSession) -> None:
        """Of each attempt its error, its output, its worker and its time are kept."""
        attempts = faults.trials["recovers[{}]"].attempt_history
        assert [attempt.error.splitlines()[-1] if attempt.error else None for attempt in attempts] == [
            "RuntimeError: CUDA out of memory",
            "FileNotFoundError: gone",
            None,
        ]
        for number, attempt in enumerate(attempts, 1):
            assert f"printed by attempt {number}\n" in (attempt.output or "")
            assert attempt.location is not None
            assert attempt.started is not None
            assert attempt.finished is not None

    def test_what_is_shown(self, faults: FinishedSession) -> None:
        """Attempts that are tried again are reruns, and trials that passed at last are flaky; junit has each attempt."""
        assert "8 rerun" in faults.output
        assert "6 flaky trials, passed at a later attempt: " in faults.output
        (case,) = faults.cases["recovers[{}]"]
        properties = {entry.attrib["name"]: entry.attrib["value"] for entry in case.iter("property")}
        assert properties["sweep.attempts"] == "3"
        assert properties["attempt.2"].endswith("FileNotFoundError: gone")
        assert re.search(r"FAILED .*is_killed\[\{\}\] - the ", faults.output)

    def test_an_idle_worker(self, tmp_path: Path) -> None:
        """A worker that is killed while it has nothing to do is nobody's fault, and gets its next trial as any new one does."""
        session = run_session(tmp_path, {"pytest.ini": "[pytest]\n", "sweep_idle.py": IDLE}, self.arguments)
        trial = session.trials["had_an_idle_worker[{}]"]
        assert (str(trial.state), trial.attempts) == ("TERMINATED", 2), session.output
        assert session.status == 0
