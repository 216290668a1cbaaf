"""What people are told of trials that wait, and of what running ones were granted."""

from __future__ import annotations

from functools import partial

import pytest

from pytest_sweep.engine.policy import Policy
from pytest_sweep.plugin.show.terminal import StatusPrinter

from .project import Project, output

SLOW = """
    import time

    @sweep(grid={"n": [1, 2, 3]})
    def train(n):
        time.sleep(3 if n == 1 else 0)
"""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run stalls after a second and a half, and is looked at often."""
    monkeypatch.setattr("pytest_sweep.plugin.assembly.Policy", partial(Policy, stall=1.5))
    monkeypatch.setattr("pytest_sweep.plugin.show.stalls.LOOK_SECONDS", 0.1)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("interval", [(), ("--sweep-status-interval=0",)], ids=["lines", "no status"])
def test_a_stall_is_told_once(project: Project, interval: tuple[str, ...]) -> None:
    """Where nothing happens, one line says who waits, for what, and who has it; also where no status is wanted."""
    project.write(SLOW.replace("[1,", "[0, 1,"))
    result = project.plain("--sweep", "--sweep-executor=processes", "--sweep-num-cpus=1", *interval)
    assert result.ret == 0
    # A busy machine may take longer to start the worker, and says so before the first trial has ended.
    lines = [line for line in result.outlines if line.startswith("Waiting, ") and line.endswith(": train[n=1]")]
    why = "as many run as --sweep-max-concurrent or the executor allows, 1: train[n=1]"
    assert lines == [f"Waiting, without progress for 1 s: 2 trials of train wait for other trials to end: {why}"]


@pytest.mark.usefixtures("impatient")
def test_quiet_is_quiet(project: Project) -> None:
    """With -q nothing is told."""
    project.write(SLOW)
    assert "Waiting" not in output(project.plain("--sweep", "--sweep-executor=processes", "-n1", "-q"))


def test_the_block_says_what_trials_wait_for(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the block has a column and a line on what waits."""
    monkeypatch.setattr(StatusPrinter, "_has_blocks", True)
    monkeypatch.setattr("pytest_sweep.plugin.show.terminal.LINES_A_BLOCK", 1)
    project.write(SLOW)
    result = project.plain("--sweep", "--sweep-executor=processes", "--sweep-num-cpus=1", "--sweep-status-interval=1.5")
    text = output(result)
    assert "Waiting: 2 trials for other trials to end" in text
    assert "| train[n=2] | 2 | PENDING | other trials to end |" in text


def test_threads_that_were_granted(project: Project) -> None:
    """Where a trial asks for several CPUs the final table shows how many threads its worker has; else it does not."""
    project.write("""
        import os

        @sweep(grid={"n": [1]}, metric="omp", mode="max")
        @pytest.mark.resources(cpu=2)
        def train(n):
            return {"omp": int(os.environ["OMP_NUM_THREADS"])}
    """)
    arguments = ("--sweep", "--sweep-executor=processes", "--sweep-num-cpus=2")
    text = output(project.plain(*arguments))
    omp = project.only().metrics["omp"]  # type: ignore[index]
    (header, row) = [line for line in text.splitlines() if line.startswith(("| T", "| train"))]
    columns = [cell.strip() for cell in header.split("|")]
    assert [cell.strip() for cell in row.split("|")][columns.index("threads")] == str(omp)
    assert "gpus" not in columns
    project.write(SLOW)
    assert "| threads |" not in output(project.plain(*arguments))
