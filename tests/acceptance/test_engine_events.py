"""What the engine records beside the outcomes of trials: shown in the session, and no obstacle to storing the run."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest

from pytest_sweep.engine.controller import Controller
from pytest_sweep.model import commands, events

from .project import Project, output

FAKE = """
    from pytest_sweep.testing.fake_executor import FakeExecutor

    def pytest_sweep_make_executor(options):
        return FakeExecutor()
"""

TRAIN = """
    @sweep(grid={"n": [1, 2]})
    def train(n): pass
"""

ERROR = "Thread 0x1 (most recent call first):\n  in db\nTimeoutError: the tear-down of db (session scope) took more than 3 s"


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[str], events.Accepted]], None]:
    """Return a function that has the engine record, after the end of each trial, what is made of the trial's key."""

    def record(made: Callable[[str], events.Accepted]) -> None:
        handle = Controller.handle

        def handle_and_record(self: Controller, event: events.Event) -> list[commands.Command]:
            decided = handle(self, event)
            more = [commands.Record(made(event.key))] if isinstance(event, events.TrialFinished) else []
            return [*decided, *more]

        monkeypatch.setattr(Controller, "handle", handle_and_record)

    return record


def test_a_teardown_that_took_too_long(
    project: Project, recorded: Callable[[Callable[[str], events.Accepted]], None]
) -> None:
    """It is an error of the trial's tear-down, in the output and in junit, and fails the session; the trial stays what it was."""
    project.write(FAKE, "conftest.py")
    project.write(TRAIN)
    recorded(lambda key: events.TeardownTimedOut(key, "db (session scope)", ERROR))
    result = project.plain("--sweep", "--junitxml=junit.xml")
    result.assert_outcomes(passed=2, errors=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "ERROR at teardown of train[n=1]" in output(result)
    assert "ERROR test_models.py::train[n=1] - TimeoutError: the tear-down of db" in output(result)
    assert "  in db" in output(result)
    assert [str(trial.state) for trial in project.grid()] == ["TERMINATED", "TERMINATED"]
    suite = ET.parse(project.path / "junit.xml").getroot()[0]
    assert suite.attrib["errors"] == "2"


def test_a_node_that_is_not_used(
    project: Project, recorded: Callable[[Callable[[str], events.Accepted]], None]
) -> None:
    """It is told of once while the run goes on, and again in the summary, with the cause; the run is none the worse."""
    project.write(FAKE, "conftest.py")
    project.write(TRAIN)
    recorded(lambda _: events.NodeExcluded("10.0.0.2", "it has pytest 8.0, and the driver 9.2"))
    result = project.plain("--sweep")
    result.assert_outcomes(passed=2)
    assert result.ret == 0
    before, _, summary = output(result).partition("= sweep results =")
    line = "node 10.0.0.2 is not used: it has pytest 8.0, and the driver 9.2"
    assert (before.count(line), summary.count(line)) == (1, 1)
