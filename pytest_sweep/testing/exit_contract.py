"""The contract of how worker processes end: by themselves, so that what a process leaves to its end is done.

Subclass `ExitContract`, name the executor, and let pytest collect it. What the processes of a sweep leave is compared with what those of
pytest-xdist leave that do the same in ordinary tests.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import psutil
import pytest

from pytest_sweep.testing.sessions import FinishedSession, run_session

THINGS = """
import atexit, os, subprocess, sys, tempfile
from multiprocessing import shared_memory
from pathlib import Path

OUT = Path(__file__).parent / "out"
kept = {}

def leave(who):
    OUT.mkdir(exist_ok=True)
    if kept:
        kept["log"].write(f"{who}\\n")
        return
    pid = os.getpid()
    (OUT / f"pid-{pid}").touch()
    kept["log"] = (OUT / f"log-{pid}").open("w")
    kept["log"].write(f"{who}\\n")
    folder = kept["folder"] = tempfile.TemporaryDirectory(dir=OUT, prefix=f"folder-{pid}-")
    memory = kept["memory"] = shared_memory.SharedMemory(name=f"sweep-exit-{pid}", create=True, size=10)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])

    def at_exit():
        found = [Path(folder.name).is_dir(), memory.size >= 10, child.poll() is None]
        (OUT / f"atexit-{pid}").write_text(f"{found}")
        print(f"said at exit by {pid}", flush=True)
        child.kill()
        child.wait()

    atexit.register(at_exit)
"""

POOLED = """
import joblib
import numpy as np

def leave_a_pool(who):
    leave(who)
    if "sums" not in kept:
        data = np.ones(300_000)  # Large enough for joblib to share it with its pool by files.
        kept["sums"] = joblib.Parallel(n_jobs=2, max_nbytes=1000)(joblib.delayed(np.sum)(data) for _ in range(2))
"""

SWEEPS = """
import pytest
from pytest_sweep import shared, sweep
from things import leave, leave_a_pool

@shared
@pytest.fixture(scope="session")
def data():
    leave("data")
    yield 3

@sweep(grid={"n": [1, 2, 3]})
def kept(n, data):
    leave_a_pool("kept")

@sweep(grid={"n": [1, 2]}, fresh_process=True)
def fresh(n):
    leave("fresh")
"""

TESTS = """
import pytest
from things import leave, leave_a_pool

@pytest.mark.parametrize("n", [1, 2, 3])
def test_kept(n):
    leave_a_pool("kept")
"""


# Orders of the engine that it gives in emergencies only: a time for each end, kills where nothing runs.
ORDERED = """
import importlib
from dataclasses import replace
from pytest_sweep.model.commands import BuildShared, KillWorker, RestartWorker, StartWorker, StopShared, StopWorker

module, _, name = {executor!r}.partition(":")
Executor = getattr(importlib.import_module(module), name)
execute = Executor.execute
killed = []

def limited(self, command, tasks=()):
    if isinstance(command, (BuildShared, RestartWorker, StopShared, StopWorker)):
        command = replace(command, within=2.0)
    execute(self, command, tasks)

def killing(self, command, tasks=()):
    execute(self, command, tasks)
    if isinstance(command, StopWorker) or (isinstance(command, StartWorker) and not killed):
        killed.append(command)
        execute(self, KillWorker(command.worker))

Executor.execute = {how}
"""

HANGING = """
import time
import pytest
from pytest_sweep import shared, sweep

@pytest.fixture(scope="session")
def db():
    yield
    time.sleep(1000)

@shared
@pytest.fixture(scope="session")
def table():
    yield 1
    time.sleep(1000)

@shared
@pytest.fixture(scope="session")
def download():
    time.sleep(1000)

@sweep(grid={"n": [1, 2]})
def kept(n, db):
    return n

@sweep(grid={"n": [1, 2]}, fresh_process=True)
def fresh(n, db):
    return n

@sweep(configs=[{}])
def reads(table):
    return table

@sweep(configs=[{}])
def waits(download):
    return 1
"""


def left(folder: Path) -> list[str]:
    """Return what is left of processes, without their numbers: in their folder, in shared memory, and of processes."""
    pids = [int(path.name.partition("-")[2]) for path in (folder / "out").glob("pid-*")]
    found = {re.sub(r"\d+", "PID", path.name).partition("-PID-")[0] for path in (folder / "out").iterdir()}
    places = [path for path in (Path("/dev/shm"), Path("/tmp")) if path.is_dir()]
    for place in places:
        for path in place.iterdir():
            if (
                any(re.search(rf"\b{pid}\b", path.name.replace("_", " ")) for pid in pids)
                and path.suffix != ".lastwords"
            ):
                found.add(re.sub(r"\d+", "PID", path.name))
    return sorted(found)


class ExitContract:
    """How the processes of every executor that has some end. The session runs once for the class.

    Attributes:
        arguments: what to run pytest with, besides ``--sweep``.
        executor: the module and the class of the executor: ``package.module:Class``.
    """

    arguments: ClassVar[Sequence[str]]
    executor: ClassVar[str]

    @pytest.fixture(scope="class")
    @classmethod
    def ends(cls, tmp_path_factory: pytest.TempPathFactory) -> FinishedSession:
        """The session whose processes leave things to their ends."""
        pytest.importorskip("joblib")
        files = {"pytest.ini": "[pytest]\n", "things.py": THINGS + POOLED, "sweep_ends.py": SWEEPS}
        session = run_session(tmp_path_factory.mktemp("ends"), files, [*cls.arguments, "-s"])
        assert session.status == 0, session.output
        return session

    def test_as_under_xdist(self, ends: FinishedSession, tmp_path: Path) -> None:
        """Files, temporary folders, shared memory, semaphores: what is left is what pytest-xdist's processes leave."""
        files = {"pytest.ini": "[pytest]\n", "things.py": THINGS + POOLED, "test_ends.py": TESTS}
        for name, content in files.items():
            (tmp_path / name).write_text(content)
        command = [sys.executable, "-m", "pytest", "-n2", "-p", "no:cacheprovider"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=120)
        assert left(ends.folder) == left(tmp_path)

    def test_exit_handlers(self, ends: FinishedSession) -> None:
        """Every process runs its exit handlers, while its folder, its memory and its children are still there."""
        pids = [path.name.partition("-")[2] for path in (ends.folder / "out").glob("pid-*")]
        assert len(pids) >= 4  # One that is kept, two fresh ones, one builder.
        for pid in pids:
            assert (ends.folder / "out" / f"atexit-{pid}").read_text() == "[True, True, True]"

    def test_open_files(self, ends: FinishedSession) -> None:
        """What was written into a file that nobody closed is in it."""
        lines = [line for path in (ends.folder / "out").glob("log-*") for line in path.read_text().splitlines()]
        assert sorted(lines) == ["data", "fresh", "fresh", "kept", "kept", "kept"]

    def test_no_process_is_left(self, ends: FinishedSession) -> None:
        """No process is left, neither ours nor what they have started."""
        deadline = time.monotonic() + 10
        while family := list(_run_in(ends.folder)):
            assert time.monotonic() < deadline, family
            time.sleep(0.1)

    def test_nothing_was_killed(self, ends: FinishedSession) -> None:
        """A good end takes no force, and there is nothing to warn of."""
        for text in ("its process was ended", "died while"):
            assert text not in ends.output

    def test_one_that_does_not_exit(self, tmp_path: Path) -> None:
        """A process that hangs in an exit handler is killed at the limit, with a warning that shows where it hung; the run ends well."""
        files = {
            "pytest.ini": "[pytest]\nsweep_exit_timeout = 1s\n",
            "sweep_stuck.py": """
import atexit, time
from pytest_sweep import sweep

def uploads_for_ever():
    time.sleep(1000)

@sweep(configs=[{}])
def train():
    atexit.register(uploads_for_ever)
""",
        }
        began = time.monotonic()
        session = run_session(tmp_path, files, self.arguments)
        assert session.status == 0, session.output
        assert time.monotonic() - began < 60
        assert "did not exit in time after its session had ended, and its process was ended" in session.output
        assert re.search(r'sweep_stuck.py", line \d+ in uploads_for_ever', session.output)
        assert not list(_run_in(tmp_path))

    def test_tear_downs_that_hang(self, tmp_path: Path) -> None:
        """Fixtures that hang in their tear-down, or while they are built, are ended at their limits and shown; all other trials pass."""
        conftest = ORDERED.format(executor=self.executor, how="limited")
        files = {"pytest.ini": "[pytest]\n", "conftest.py": conftest, "sweep_hanging.py": HANGING}
        session = run_session(tmp_path, files, self.arguments)
        states = {name: str(result.state) for name, result in session.trials.items()}
        assert states.pop("waits[{}]") == "ERROR", session.output
        assert set(states.values()) == {"TERMINATED"}, session.output
        assert "TimeoutError: building it took longer than 2 s" in str(session.trials["waits[{}]"].error)
        assert "TimeoutError: the teardown of db" in session.output
        assert "took too long to tear down" in session.output
        for fixture in ("db", "table", "download"):
            assert re.search(rf'sweep_hanging.py", line \d+ in {fixture}\b', session.output), fixture
        assert not list(_run_in(tmp_path))

    def test_kills_of_what_starts_and_of_what_stops(self, tmp_path: Path) -> None:
        """A worker that is killed while it starts, or while it stops, answers; the run goes on, and ends well."""
        conftest = ORDERED.format(executor=self.executor, how="killing")
        text = "from pytest_sweep import sweep\n\n@sweep(grid={'n': [1, 2, 3]})\ndef train(n): ...\n"
        files = {"pytest.ini": "[pytest]\n", "conftest.py": conftest, "sweep_it.py": text}
        session = run_session(tmp_path, files, self.arguments)
        assert session.status == 0, session.output
        assert not list(_run_in(tmp_path))


def _run_in(folder: Path) -> Iterator[psutil.Process]:
    """Find the processes whose working directory is `folder`."""
    for process in psutil.process_iter(["cwd", "status"]):
        if process.info["cwd"] == str(folder) and process.info["status"] != psutil.STATUS_ZOMBIE:
            yield process
