"""--pdb, --trace, breakpoint() and faulthandler: a debugger at the failure of a trial, wherever it ran."""

from __future__ import annotations

from typing import ClassVar

import pytest

from tests.acceptance.project import Project

from .base import NOTE, Done, Executor

FAILS_ON_TWO = """
    @pytest.fixture(scope="session")
    def model():
        return "the model"

    @sweep(grid={"n": [1, 2, 3]})
    def train(n, trial, model):
        secret = f"{model} of {n} with {trial.seed}"
        if not trial.checkpoint:
            (trial.dir / "weights").write_text(f"weights of {n}")
            trial.report({"loss": n}, checkpoint=trial.dir / "weights")
        assert n != 2
"""
BREAKS = """
    @sweep(grid={"n": [1]})
    def stop(n):
        secret = n * 111
        breakpoint()
        return secret

    @sweep(grid={"n": [1]})
    def traced(n):
        import pdb
        secret = n * 222
        pdb.set_trace()
        return secret
"""
LONG = """
    @sweep(grid={"n": [1]})
    def long(n):
        import time
        time.sleep(0.8)
"""
ELSEWHERE = f"""{NOTE}
    @sweep(grid={{"n": [1]}})
    def elsewhere(n):
        assert not IN_WORKER
"""


class Debugging(Executor):
    """The promises of debuggers."""

    @pytest.fixture
    def debugged(self, project: Project, ended: dict[object, Done]) -> Done:
        """A session with --pdb in which a trial has failed, two have reached breakpoints, and one fails in workers only."""
        project.write(FAILS_ON_TWO + BREAKS + ELSEWHERE)
        return self.shared(
            ended, "debugged", lambda: self.type_into(project, "p secret\nc\n" * 3, *self.options(), "--pdb")
        )

    def test_pdb(self, debugged: Done) -> None:
        """--pdb opens the debugger at the failing line, with the trial's own configuration, seed and fixtures; counted once."""
        (failed,) = [result for result in debugged.grid() if result.error]
        assert f"'the model of 2 with {failed.seed}'" in debugged.text
        assert "-> assert n != 2" in debugged.text
        assert ("train[n=2] failed: running it again in this process" in debugged.text) is self.hosted
        assert debugged.status == pytest.ExitCode.TESTS_FAILED
        assert debugged.outcomes == ({"failed": 4, "passed": 2} if self.hosted else {"failed": 1, "passed": 5})

    def test_breakpoint(self, debugged: Done) -> None:
        """breakpoint() and pdb.set_trace() open the debugger: where they are reached, or in the second run in this process."""
        assert debugged.text.count("(Pdb) 111") == 1
        assert debugged.text.count("(Pdb) 222") == 1

    @pytest.fixture
    def unattended(self, project: Project, ended: dict[object, Done]) -> Done:
        """A session without --pdb in which two trials reach breakpoints, and one takes longer than faulthandler_timeout."""
        project.write(BREAKS + LONG)
        typed = "" if self.hosted else "p secret\nc\n" * 2
        arguments = (*self.options(), "-o", "faulthandler_timeout=0.3")
        return self.shared(ended, "unattended", lambda: self.type_into(project, typed, *arguments))

    def test_breakpoint_without_pdb(self, unattended: Done) -> None:
        """breakpoint() ends the attempt of a trial that has no terminal, and says where to go."""
        said = "BreakpointReached: breakpoint() was reached in a worker, which has no terminal. With --pdb the trial is run again"
        assert len([line for line in unattended.lines if line.startswith("E  ") and said in line]) == 2
        assert unattended.outcomes == {"failed": 2, "passed": 1}

    def test_faulthandler_timeout(self, unattended: Done) -> None:
        """faulthandler_timeout dumps the stacks of a trial that takes too long, and lets it go on."""
        prefix = "[long[n=1]] " if self.hosted else ""
        assert f"{prefix}Timeout (0:00:00.300000)!" in unattended.lines
        assert any(line.startswith(f'{prefix}  File "') and line.endswith(" in long") for line in unattended.lines)

    def test_no_failure_here(self, debugged: Done) -> None:
        """With --pdb a trial that fails in its worker only is said not to have failed again here, and stays failed."""
        assert ("elsewhere[n=1] did not fail again in this process" in debugged.text) is self.hosted
        assert [str(result.state) for result in debugged.grid("elsewhere")] == [
            "ERROR" if self.hosted else "TERMINATED"
        ]

    trace_options: ClassVar[tuple[str, ...]] = ("--sweep",)

    def test_trace(self, project: Project) -> None:
        """--trace stops at the first line of each trial, in this process."""
        project.write(FAILS_ON_TWO.replace("n != 2", "n"))
        done = self.type_into(project, "p n * 111\nc\n" * 3, *self.trace_options, "--trace")
        assert all(str(n * 111) in done.text for n in (1, 2, 3))
        assert "Executor: inline" in done.text
        assert done.status == pytest.ExitCode.OK


class DebuggingInline(Debugging):
    """What is different in the session's own process."""

    trace_options: ClassVar = ("--sweep", "--sweep-executor=inline")

    def test_breakpoint_without_pdb(self, unattended: Done) -> None:
        """Without --pdb, too, breakpoint() opens the debugger of a trial in this process."""
        assert unattended.text.count("(Pdb) 111") == 1
        assert unattended.text.count("(Pdb) 222") == 1
        assert unattended.outcomes == {"passed": 3}


class Quitting(Executor):
    """What comes of leaving the debugger; the same code for all workers."""

    def test_quit(self, project: Project) -> None:
        """Quit in the debugger ends the session; what ran before is shown and stored, the rest is not run."""
        project.write(FAILS_ON_TWO)
        done = self.type_into(project, "q\n", *self.options(), "--pdb")
        assert done.status == pytest.ExitCode.INTERRUPTED
        assert "Quitting debugger" in done.text
        assert "== Status ==" in done.text
        # Inline the attempt itself is cut off.
        assert done.states()[:2] == ["TERMINATED", "ERROR" if self.hosted else "INTERRUPTED"]
