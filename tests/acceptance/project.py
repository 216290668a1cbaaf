"""A project in a temporary folder, in which whole sessions of pytest run."""

from __future__ import annotations

import itertools
import textwrap
from pathlib import Path

import numpy  # noqa: F401 - has compiled parts, which cannot be loaded twice
import pytest

# Imported once: pytester takes what a session has imported out of sys.modules again, and SQLAlchemy takes a third of a second.
import pytest_sweep.plugin.assembly
import pytest_sweep.plugin.record.recorder  # noqa: F401
from pytest_sweep import Result, ResultGrid, load_results

PREAMBLE = "import pytest\nfrom pytest_sweep import current_trial, report, sweep\n"


class Project:
    """A folder with test files; its sessions run in this process, their trials too."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.path = pytester.path
        self.write("[pytest]\n", "pytest.ini")

    def write(self, source: str, name: str = "test_models.py") -> Path:
        """Write a file; a Python file has pytest and our names imported."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        preamble = PREAMBLE if path.suffix == ".py" else ""
        path.write_text(preamble + textwrap.dedent(source), encoding="utf-8")
        return path

    def plain(self, *arguments: str) -> pytest.RunResult:
        """Run pytest as it is, without hypothesis, which would be imported anew by each session: 2 s."""
        return self.pytester.runpytest_inprocess("-p", "no:hypothesispytest", *arguments, no_reraise_ctrlc=True)

    def sweep(self, *arguments: str) -> pytest.RunResult:
        """Run pytest with ``--sweep`` and the executor inline."""
        return self.plain("--sweep", "--sweep-executor=inline", *arguments)

    def ids(self, *arguments: str) -> list[str]:
        """Return the node ids that ``--sweep --co -q`` lists."""
        listed = self.sweep("--collect-only", "-q", *arguments)
        assert listed.ret == 0, listed.stdout.str()
        ids = itertools.takewhile(lambda line: "sweep dry run" not in line, listed.outlines)
        return [line for line in ids if "::" in line]

    def grid(self, sweep: str = "train") -> ResultGrid:
        """Return what the last run has stored of a sweep."""
        return load_results(dir=self.path / "sweep_results")[sweep]

    def runs(self) -> list[Path]:
        """Return the folders of runs, oldest first."""
        return sorted(path.parent for path in (self.path / "sweep_results").glob("*/run.db"))

    def only(self, sweep: str = "train") -> Result:
        """Return the result of the last run's sweep of a single trial."""
        (result,) = self.grid(sweep)
        return result


def output(result: pytest.RunResult) -> str:
    """Return all that a session has written."""
    return f"{result.stdout.str()}\n{result.stderr.str()}"


def assert_says(result: pytest.RunResult, *fragments: str) -> None:
    """Assert that a session failed with a message that has all of `fragments`, and that no traceback of ours is shown."""
    text = output(result)
    assert result.ret != 0, text
    for fragment in fragments:
        assert fragment in text
    assert "pytest_sweep/" not in text
    assert "Traceback" not in text
    assert "INTERNALERROR" not in text
