"""What trials print is shown as pytest shows it, and does not stay in the driver's memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from .project import Project, output

SWEEP = """
    import sys

    @pytest.fixture
    def torn():
        yield
        print("torn down " * 100)

    @sweep(grid={"n": [1, 2, 3, 4]}, retries=1)
    def train(n, torn, trial):
        print(f"printed by {n}, attempt {trial.attempt} " * 100)
        print("complained " * 100, file=sys.stderr)
        assert n != 3
        assert n != 4 or trial.attempt == 2
"""
CONFTEST = """
    def pytest_terminal_summary(terminalreporter):
        for category in ("passed", "failed"):
            for report in terminalreporter.stats[category]:
                names = ", ".join(name for name, _ in report.sections)
                terminalreporter.write_line(f"{category} {report.nodeid}: {len(report.capstdout)} {len(report.capstderr)} in {names}")
"""


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_it_is_shown_as_ever(project: Project, executor: str) -> None:
    """``-rA``, failures, junit files and hooks that look at reports in the end have all of it."""
    project.write(SWEEP)
    project.write(CONFTEST, "conftest.py")
    result = project.plain(
        "--sweep", f"--sweep-executor={executor}", "-rA", "-ojunit_logging=all", "--junitxml=junit.xml"
    )
    result.assert_outcomes(passed=3, failed=1)
    text = output(result)
    for n, attempt in ((1, 1), (2, 1), (3, 2), (4, 2)):
        assert text.count(f"printed by {n}, attempt {attempt} ") == 100
    assert text.count("torn down ") == 400
    assert text.count("complained complained ") == 200  # Not the source in the traceback.
    assert text.count("Captured stdout teardown") == 4
    for n in (1, 2):
        assert f"passed test_models.py::train[n={n}]: 2401 1101 in Captured stdout call, Captured stderr call" in text
    cases = {case.attrib["name"]: case for case in ElementTree.parse(project.path / "junit.xml").iter("testcase")}
    for n, attempt in ((1, 1), (2, 1), (3, 2), (4, 2)):
        (printed,) = cases[f"train[n={n}]"].findall("system-out")
        assert printed.text is not None
        assert printed.text.count(f"printed by {n}, attempt {attempt} ") == 100


PRINTING = """
    import os

    @sweep(grid={"n": range(300)})
    def train(n):
        print(f"{n} " * int(os.environ["COUNT"]))
"""
MEASURING = """
    import resource
    from pathlib import Path

    def pytest_unconfigure(config):
        if not hasattr(config, "workerinput"):
            Path("memory").write_text(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
"""


def memory(project: Project, executor: str, count: int) -> float:
    """Return how many MiB the driver has taken at the most."""
    environ = {**os.environ, "COUNT": str(count)}
    command = [sys.executable, "-m", "pytest", "-p", "no:hypothesispytest", "--sweep", f"--sweep-executor={executor}"]
    subprocess.run(command, cwd=project.path, env=environ, check=True, capture_output=True, timeout=120)
    return int(Path(project.path, "memory").read_text()) / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="maxrss is in KiB on Linux")
@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_the_driver_forgets_it(project: Project, executor: str) -> None:
    """300 trials that print 200 KB each, 60 MB in all, take a few MiB more than 300 that print nothing."""
    project.write(PRINTING)
    project.write(MEASURING, "conftest.py")
    assert memory(project, executor, 50_000) - memory(project, executor, 0) < 15
