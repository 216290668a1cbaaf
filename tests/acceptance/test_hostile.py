"""Content that nobody expects stays what it is, where it belongs, and breaks nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from .project import Project, output

PASSWORD = "hunter2-hunter2"


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_a_secret_is_nowhere(project: Project, executor: str) -> None:
    """A secret reaches the trial; no terminal, junit file, database or temporary file of ours has it, even where the trial fails."""
    # Not as one word: the tracebacks of a failure show the source.
    project.write(f"""
        from pytest_sweep import secret

        WORD = {PASSWORD[:7]!r}

        @sweep(grid={{"token": [secret(WORD + "-" + WORD, name="api")], "n": [1, 2]}})
        def train(config, token, n, trial):
            assert len(token.get_secret_value()) == 15
            trial.report({{"n": n}})
            assert n == 1
    """)
    result = project.plain("--sweep", f"--sweep-executor={executor}", "-l", "-vv", "-rA", "--junitxml=junit.xml")
    result.assert_outcomes(passed=1, failed=1)
    assert PASSWORD not in output(result)
    assert "secret(name='api')" in output(result)
    for path in project.path.rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            assert PASSWORD.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_ids_that_are_paths(project: Project, executor: str) -> None:
    """Values with slashes, dots, newlines and ten thousand characters become ids and folders that leave nothing outside the run."""
    project.write(r"""
        @sweep(grid={"x": ["../../up", "/etc/passwd", "a\nb", "..", ".", "x" * 10_000, "\x00\x1b[31m", "\ud800", ""]})
        def train(x, trial):
            (trial.dir / "file").write_text("x")
            trial.report({"length": len(x)}, checkpoint=trial.dir / "file")
    """)
    outside = {path for path in project.path.parent.rglob("*") if "sweep_results" not in path.parts}
    result = project.plain("--sweep", f"--sweep-executor={executor}")
    result.assert_outcomes(passed=9)
    (run,) = project.runs()
    grid = project.grid()
    assert len({trial.path for trial in grid}) == 9
    for trial in grid:
        assert trial.path.parent == run
        assert trial.checkpoint is not None
        assert Path(trial.checkpoint).resolve().is_relative_to(run)
    left = {path for path in project.path.parent.rglob("*") if "sweep_results" not in path.parts}
    assert not {path.name for path in left - outside} & {"up", "passwd", "file"}


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_much_output(project: Project, executor: str) -> None:
    """Of a hundred megabytes of output the start and the end are kept, with the cut marked."""
    project.write("""
        @sweep(grid={"n": [1]})
        def train(n):
            for _ in range(100):
                print("x" * 999_999)
            print("the end")
            assert False
    """)
    result = project.plain("--sweep", f"--sweep-executor={executor}", "--tb=short")
    text = output(result)
    assert "characters are cut here" in text
    assert "the end" in text
    assert len(text) < 3_000_000
    (attempt,) = project.only().attempt_history
    assert attempt.output is not None
    assert attempt.output.endswith("the end\n")
    assert len(attempt.output) < 200_000


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_binary_output(project: Project, executor: str) -> None:
    """Bytes that are no text, escapes and halves of letters in output, metrics and errors arrive as well as they can be shown."""
    project.write(r"""
        import os, sys

        @sweep(grid={"n": [1]})
        def train(n, trial):
            os.write(1, b"\xff\xfe\x00binary\x80\n")
            trial.report({"text": "\ud800 and \x00"})
            raise ValueError("half \ud800 a letter")
    """)
    result = project.plain("--sweep", f"--sweep-executor={executor}", "--junitxml=junit.xml")
    result.assert_outcomes(failed=1)
    assert "binary" in output(result)
    trial = project.only()
    assert trial.metrics is not None
    assert "ValueError" in str(trial.error)


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_large_metrics(project: Project, executor: str) -> None:
    """Metrics of ten megabytes arrive as they are."""
    project.write("""
        @sweep(grid={"n": [1]})
        def train(n, trial):
            trial.report({"curve": [0.5] * 1_000_000, "text": "x" * 5_000_000})
    """)
    assert project.plain("--sweep", f"--sweep-executor={executor}").ret == 0
    metrics = project.only().metrics
    assert metrics is not None
    assert (len(metrics["curve"]), len(metrics["text"])) == (1_000_000, 5_000_000)


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_many_reports(project: Project, executor: str) -> None:
    """Of twenty thousand reports none is lost and none is doubled."""
    project.write("""
        @sweep(grid={"n": [1, 2]})
        def train(n, trial):
            for step in range(10_000):
                trial.report({"step": step})
    """)
    assert project.plain("--sweep", f"--sweep-executor={executor}").ret == 0
    for trial in project.grid():
        assert [report["step"] for report in trial.metrics_history] == list(range(10_000))
