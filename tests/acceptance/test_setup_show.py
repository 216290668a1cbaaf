"""``--setup-show`` of trials: in workers what it shows comes live, each line with its trial."""

from __future__ import annotations

import re

import pytest

from .project import Project, output

SOURCE = """
    from pathlib import Path

    @pytest.fixture(scope="session")
    def data():
        Path("built").touch()

    @pytest.fixture
    def model(data): ...

    @sweep(grid={"n": [1]})
    def train(n, model):
        Path("ran").touch()
"""
LINES = (
    "SETUP    S data",
    "        SETUP    F n[1]",
    "        SETUP    F model (fixtures used: data)",
    "        test_models.py::train[n=1] (fixtures used: data, model, n)",
    "        TEARDOWN F model",
    "        TEARDOWN F n[1]",
    "TEARDOWN S data",
)


@pytest.fixture(params=["inline", "processes"])
def executor(request: pytest.FixtureRequest) -> str:
    """The executor that runs the trials."""
    name: str = request.param
    return name


def shown(text: str) -> list[tuple[str, str]]:
    """Return the lines of ``--setup-show`` in `text`, as pairs of what stands in brackets before them and the line itself."""
    lines = re.findall(r"^(?:\[([^ ]+)\] )?( *(?:SETUP    |TEARDOWN |test_models.py::).*?)\.? *$", text, re.MULTILINE)
    return list(lines)


def test_fixtures_are_shown_where_they_are(project: Project, executor: str) -> None:
    """The same lines in the same order; in a worker with the trial that runs, and between trials with the worker."""
    project.write(SOURCE)
    result = project.plain("--sweep", f"--sweep-executor={executor}", "--sweep-max-concurrent=1", "--setup-show")
    lines = shown(output(result))
    assert tuple(line for _, line in lines) == LINES
    names = ["", ""] if executor == "inline" else ["train[n=1]", "worker"]
    assert [before for before, _ in lines] == [*names[:1] * 6, names[1]]
    for name in ("built", "ran"):
        assert (project.path / name).exists()


def test_nothing_is_shown_unasked(project: Project) -> None:
    """Without the option a worker shows nothing of its fixtures."""
    project.write(SOURCE)
    result = project.plain("--sweep", "--sweep-executor=processes", "--sweep-max-concurrent=1")
    result.assert_outcomes(passed=1)
    assert shown(output(result)) == []
