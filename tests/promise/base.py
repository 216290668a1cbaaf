"""What the tests of a promise share: the executors, and sessions that several tests look at."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from pytest_sweep import ResultGrid, load_results
from tests.acceptance.project import Project, output
from tests.support.sessions import Session

INI = "[pytest]\nmarkers =\n    slow\nfilterwarnings = default\n"
"""Every project's; what the session around it makes of warnings is not for the one in it."""

NOTE = '''
    import os
    from pathlib import Path

    # As pytest-xdist names its workers, but those are called gw0: this session may be one of them itself.
    IN_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "").startswith("worker")

    def note(text):
        """Say in a file that all processes of a session share that something was reached."""
        with Path(__file__).with_name("notes").open("a") as notes:
            notes.write(f"{text}\\n")
'''
"""The start of a file whose trials say where they have been."""


@dataclass(frozen=True)
class Done:
    """A session that has ended."""

    status: int
    text: str
    path: Path

    @property
    def lines(self) -> list[str]:
        """The lines of its output."""
        return self.text.splitlines()

    @property
    def outcomes(self) -> Mapping[str, int]:
        """How many items passed, failed and so on."""
        return pytest.RunResult.parse_summary_nouns(self.lines)

    @property
    def notes(self) -> list[str]:
        """What its trials have noted, in order; emptied before each session."""
        notes = self.path / "notes"
        return notes.read_text().split() if notes.exists() else []

    def grid(self, sweep: str = "train") -> ResultGrid:
        """Return what it has stored of a sweep."""
        return load_results(dir=self.path / "sweep_results")[sweep]

    @property
    def run_again(self) -> set[str]:
        """The names of the sweeps whose results were not all taken from an earlier run."""
        stored = load_results(dir=self.path / "sweep_results")
        taken = {sweep: {str(result.state) for result in grid} == {"CACHED"} for sweep, grid in stored.items()}
        return {sweep.rpartition("::")[2] for sweep, is_taken in taken.items() if not is_taken}

    def states(self, sweep: str = "train") -> list[str]:
        """Return the states of a sweep's trials, in order."""
        return [str(result.state) for result in self.grid(sweep)]


Run = Callable[..., Done]
Start = Callable[..., Session]


class Executor:
    """Where the trials of a class's tests run.

    Attributes:
        executor: its name.
        hosted: whether trials run in processes of their own.
    """

    executor: ClassVar[str]
    hosted: ClassVar[bool] = True

    @pytest.fixture(autouse=True)
    def environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Keep the options of the session around the test away from those in it, and another's Ray."""
        monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
        if self.executor != "ray":
            monkeypatch.delenv("RAY_ADDRESS", raising=False)

    @pytest.fixture
    def project(self, pytester: pytest.Pytester) -> Project:
        """An empty project."""
        project = Project(pytester)
        project.write(INI, "pytest.ini")
        return project

    def options(self, at_once: int = 1) -> tuple[str, ...]:
        """Return the arguments that choose the executor, and how many trials run at once where it is for us to say."""
        limit = (f"--sweep-max-concurrent={at_once}",) if self.hosted else ()
        return ("--sweep", f"--sweep-executor={self.executor}", *limit)

    def run(self, project: Project, *arguments: str, at_once: int = 1) -> Done:
        """Run a session in this process, whose trials run on the executor."""
        (project.path / "notes").unlink(missing_ok=True)
        result = project.plain(*self.options(at_once), *arguments)
        return Done(int(result.ret), output(result), project.path)

    def type_into(self, project: Project, typed: str, *arguments: str) -> Done:
        """Run a session in a process of its own, and type into its debugger."""
        command = [sys.executable, "-m", "pytest", "-p", "no:hypothesispytest", *arguments]
        done = subprocess.run(
            command, cwd=project.path, input=typed, capture_output=True, text=True, timeout=90, check=False
        )
        return Done(done.returncode, done.stdout + done.stderr, project.path)

    def shared(self, ended: dict[object, Done], name: object, run: Callable[[], Done]) -> Done:
        """Return the class's session called `name`; the first test that wants it runs it."""
        if name not in ended:
            ended[name] = run()
        return ended[name]


class Inline(Executor):
    """Trials run in the session's own process."""

    executor = "inline"
    hosted = False


class InProcesses(Executor):
    """Trials run in processes of this machine."""

    executor = "processes"


class OnRay(Executor):
    """Trials run in actors of the Ray that the tests share; sessions that are killed get one of their own."""

    executor = "ray"

    @pytest.fixture(autouse=True)
    def ray(self, shared_ray: str) -> None:
        """Have the shared Ray run."""
