"""A trial that wants to end the session ends it as a test does in plain pytest: same status, same line, nothing more is run."""

from __future__ import annotations

import re

import pytest

from .project import Project, output

EXECUTORS = ("--sweep-executor=inline", "-n2")

FAKE = """
    from pytest_sweep.model.events import SessionExited
    from pytest_sweep.model.trials import TrialState
    from pytest_sweep.testing.fake_executor import FakeExecutor, Outcome

    def script(task):
        if task.trial.config["n"] != 1:
            return Outcome(polls=10_000)
        outcome = Outcome(TrialState.ERROR, error="assert 0") if {fails} else Outcome()
        exited = SessionExited("worker-1", "enough", {status}, {kind!r})
        return [exited] if {kind!r} == "exit" else [*outcome.ended(task, 2.0), exited]

    def pytest_sweep_make_executor(options):
        return FakeExecutor(script=script)
"""

TESTS = """
    import pytest

    @sweep(grid={"n": [0, 1, 2, 3]})
    def train(n): pass

    def test_judges(sweep_results): pass
"""

WAYS = {
    "stop": "request.session.shouldstop = 'enough'",
    "fail": "request.session.shouldfail = 'enough'",
    "stop and failure": "request.session.shouldstop = 'enough'; assert 0",
    "fail and failure": "request.session.shouldfail = 'enough'; assert 0",
    "exit": "pytest.exit('enough')",
    "exit with a status": "pytest.exit('enough', 7)",
}


def banners(result: pytest.RunResult) -> list[str]:
    """Return what is said between exclamation marks."""
    return re.findall(r"^!+ (.*) !+$", output(result), re.MULTILINE)


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("way", WAYS)
def test_as_plain_pytest(project: Project, executor: str, way: str) -> None:
    """Status, line and counts are those of plain pytest; the trial keeps its outcome, and nothing after it runs."""
    body = f"    {WAYS[way]}\n" if way.startswith("exit") else f"    if n == 1: {WAYS[way]}\n"
    project.write(
        f"@pytest.mark.parametrize('n', [1, 2, 3])\ndef test_plain(n, request):\n{body}\ndef test_after(): pass\n",
        "test_plain.py",
    )
    project.write(
        f"@sweep(grid={{'n': [1, 2, 3]}})\ndef train(n, request):\n{body}\ndef test_judges(sweep_results): pass\n"
    )
    plain = project.plain("test_plain.py")
    swept = project.plain("--sweep", executor, "--sweep-max-concurrent=1", "test_models.py")
    assert (swept.ret, banners(swept)) == (plain.ret, banners(plain))
    counts = swept.parseoutcomes()
    # Plain pytest does not count a test that ends the session by pytest.exit.
    assert counts.pop("interrupted", 0) == way.startswith("exit")
    assert counts == plain.parseoutcomes()
    first = "INTERRUPTED" if way.startswith("exit") else "ERROR" if "failure" in way else "TERMINATED"
    assert [str(result.state) for result in project.grid()] == [first, "NOT_RUN", "NOT_RUN"]
    assert "2 trials were not run" in output(swept) or way.startswith("exit")


@pytest.mark.parametrize(
    ("kind", "asked", "status", "banner"),
    [
        ("stop", 2, 2, "Interrupted: enough"),
        ("fail", 1, 1, "enough"),
        ("exit", 2, 2, "_pytest.outcomes.Exit: enough"),
        ("exit", 7, 7, "_pytest.outcomes.Exit: enough"),
    ],
)
@pytest.mark.parametrize("fails", [False, True])
def test_in_another_process(project: Project, kind: str, asked: int, status: int, banner: str, fails: bool) -> None:
    """What a worker says of the end of its session ends this one alike; what still ran elsewhere was not run."""
    project.write(FAKE.format(kind=kind, status=asked, fails=fails), "conftest.py")
    project.write(TESTS)
    result = project.plain("--sweep")
    assert (result.ret, banners(result)) == (status, [banner])
    own = "INTERRUPTED" if kind == "exit" else "ERROR" if fails else "TERMINATED"
    assert [str(stored.state) for stored in project.grid()] == ["INTERRUPTED", own, "NOT_RUN", "NOT_RUN"]
    outcomes = {"interrupted": 2} if kind == "exit" else {"interrupted": 1, "failed" if fails else "passed": 1}
    assert result.parseoutcomes() == outcomes
