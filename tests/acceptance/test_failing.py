"""When a sweep fails as a whole, when failures are tolerated, and when the time is up."""

from __future__ import annotations

import pytest

from pytest_sweep import TrialState

from .project import Project, output


@pytest.mark.parametrize(
    ("tolerate", "status", "verdict"),
    [
        ("2", 0, "train: 2 of 20 trials failed, which is tolerated (tolerate=2)"),
        ("'10%'", 0, "train: 2 of 20 trials failed, which is tolerated (tolerate=10%)"),
        ("1", 1, "train: 2 of 20 trials failed, more than tolerate=1"),
        ("'9.9%'", 1, "train: 2 of 20 trials failed, more than tolerate=9.9%"),
    ],
)
def test_tolerated_failures(project: Project, tolerate: str, status: int, verdict: str) -> None:
    """A sweep that tolerates its failures passes, and shows them in every report; one more, and it does not."""
    project.write(f"""
        @sweep(grid={{"n": list(range(20))}}, tolerate={tolerate})
        def train(n):
            assert n > 1
    """)
    result = project.sweep("--junitxml=junit.xml")
    assert result.ret == status
    assert verdict in output(result)
    result.assert_outcomes(passed=18, failed=2)
    assert (project.path / "junit.xml").read_text().count("<failure") == 2


def test_what_is_not_tolerated(project: Project) -> None:
    """What a sweep tolerates excuses neither another sweep's failures nor those of tests."""
    project.write("""
        @sweep(grid={"n": [1]}, tolerate=5)
        def tolerant(n):
            assert False

        def test_ordinary():
            assert False
    """)
    assert project.sweep().ret == 1
    assert project.sweep("-k", "tolerant").ret == 0


def test_a_sweep_that_only_fails(project: Project) -> None:
    """A sweep whose first trials fail with the same error is given up, with the reason; the other sweeps are not."""
    project.write("""
        @sweep(grid={"n": list(range(12))})
        def broken(n):
            raise OSError(f"no data for {n}")

        @sweep(grid={"n": list(range(12))})
        def fine(n):
            return n
    """)
    result = project.sweep("--sweep-abort-after=3")
    assert result.ret == 1
    assert "the first 3 trials of broken all failed with: OSError: no data for 2" in output(result)
    states = [trial.state for trial in project.grid("broken")]
    assert states.count(TrialState.ERROR) < 12
    assert states.count(TrialState.ERROR) + states.count(TrialState.NOT_RUN) == 12
    assert {trial.state for trial in project.grid("fine")} == {TrialState.TERMINATED}
    project.sweep("--sweep-abort-after=0").assert_outcomes(passed=12, failed=12)


BUDGETS = (3, 6, 12, 24, 48)
"""Seconds: a test takes the first in which a trial begins. How long the start of a process takes is the machine's affair."""


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_a_budget(project: Project, executor: str) -> None:
    """When the budget is spent nothing new starts, what runs ends, the rest is NOT_RUN, and the exit status is 6."""
    project.write("""
        import time

        @sweep(grid={"n": list(range(500))})
        def train(n, trial):
            time.sleep(0.5)
    """)
    options = ("--sweep", f"--sweep-executor={executor}", "--sweep-max-concurrent=1")
    for budget in BUDGETS:
        result = project.plain(*options, f"--sweep-budget={budget}s")
        assert result.ret == 6
        states = [trial.state for trial in project.grid()]
        if TrialState.TERMINATED in states:
            break
    assert set(states) == {TrialState.TERMINATED, TrialState.NOT_RUN}
    assert states == sorted(states, key=lambda state: state is TrialState.NOT_RUN)
    assert f"not run: the budget of {budget} s is spent" in output(result)


def test_a_budget_that_is_enough(project: Project) -> None:
    """A run that ends within its budget is complete."""
    project.write("@sweep(grid={'n': [1, 2]})\ndef train(n): ...\n")
    assert project.sweep("--sweep-budget=1h").ret == 0


@pytest.mark.parametrize("checkpoint", [True, False])
def test_the_time_of_grace(project: Project, checkpoint: bool) -> None:
    """After the budget a trial goes on until it has kept a checkpoint, or the grace is over; its attempt is INTERRUPTED."""
    project.write(f"""
        import time

        @sweep(grid={{"n": [1]}})
        def train(n, trial):
            for step in range(1000):
                (trial.dir / "state").write_text(str(step))
                trial.report({{"step": step}}, checkpoint=trial.dir / "state" if {checkpoint} and step % 10 == 9 else None)
                time.sleep(0.05)
    """)
    options = ("--sweep", "--sweep-executor=processes", f"--sweep-grace={'60s' if checkpoint else '1s'}")
    for budget in BUDGETS:
        assert project.plain(*options, f"--sweep-budget={budget}s").ret == 6
        trial = project.only()
        if trial.attempts:
            break
    assert trial.state is TrialState.INTERRUPTED
    assert trial.metrics is not None
    assert trial.metrics == trial.metrics_history[-1]
    assert [attempt.state for attempt in trial.attempt_history] == ["INTERRUPTED"]
    assert (trial.checkpoint is not None) is checkpoint


def test_a_timeout_inline(project: Project) -> None:
    """The executor inline, which nobody can end from outside, warns that it keeps no timeout."""
    project.write("""
        @sweep(grid={"n": [1, 2]}, timeout=5)
        def train(n): ...
    """)
    result = project.sweep()
    assert result.ret == 0
    assert (
        output(result).count("the executor inline is this process, and ends no trial at its timeout: -n 1 would") == 1
    )


def test_a_metric_that_no_trial_reported(project: Project) -> None:
    """A sweep whose metric nobody reports, a misspelt one for example, fails the session and says what was reported."""
    project.write("""
        @sweep(grid={"n": [1, 2]}, metric="accuracy", mode="max")
        def train(n):
            return {"acc": n}
    """)
    result = project.sweep()
    assert result.ret == 1
    result.assert_outcomes(passed=2)
    assert "train: no trial reported 'accuracy'; reported: acc" in output(result)
    assert "Best trial of" not in output(result)


def test_a_metric_that_is_no_number(project: Project) -> None:
    """A sweep whose metric is only reported as a list or a string fails the session, also when it is resumed; NaN is a number."""
    project.write("""
        @sweep(grid={"n": [1, 2]}, metric="acc", mode="max")
        def train(n):
            report({"acc": [n]})
            report({"other": n})

        @sweep(grid={"n": [1]}, metric="acc", mode="max")
        def diverge(n):
            return {"acc": float("nan")}
    """)
    for resume in ([], ["--sweep-resume"]):
        result = project.sweep(*resume)
        assert result.ret == 1
        assert "train: no trial reported a number as 'acc': it was a list" in output(result)
        assert "Best trial of train" not in output(result)
    assert project.sweep("-k", "diverge").ret == 0


@pytest.mark.parametrize(
    ("share", "total", "failed", "status"),
    [("29%", 100, 29, 0), ("29%", 100, 30, 1), ("57%", 100, 57, 0), ("0.7%", 1000, 7, 0), ("33.3%", 3, 1, 1)],
)
def test_exact_shares(project: Project, share: str, total: int, failed: int, status: int) -> None:
    """A share of all trials is exact: 29% of 100 are 29, although 0.29 * 100 is less."""
    project.write(f"""
        @sweep(grid={{"n": list(range({total}))}}, tolerate="{share}")
        def train(n):
            assert n < {total - failed}
    """)
    assert project.sweep("--tb=no", "-q").ret == status
