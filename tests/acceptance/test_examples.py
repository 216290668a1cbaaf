"""Each example, as a user would run it. In a process of its own: numpy does not survive to be imported twice in one."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from pytest_sweep import TrialState, load_results

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

# Not importorskip, which would import it here, where pytester makes it forgotten after the test.
needs_sklearn = pytest.mark.skipif(find_spec("sklearn") is None, reason="scikit-learn is not installed")


def run_example(pytester: pytest.Pytester, name: str, *arguments: str) -> pytest.RunResult:
    """Run a copy of the example `name`, each of its trials in the process of pytest."""
    shutil.copytree(EXAMPLES / name, pytester.path / name, ignore=shutil.ignore_patterns("__pycache__"))
    pytester.makeini("[pytest]")
    return pytester.runpytest_subprocess("--sweep", "--sweep-executor=inline", name, *arguments, timeout=120)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # Two threads of BLAS on two busy cores are slower than one.


def test_the_folder_holds_the_examples_that_are_tested_here() -> None:
    """No example without a test."""
    found = {folder.name for folder in EXAMPLES.iterdir() if any(folder.glob("*.py"))}
    assert found == {"callback", "digits", "early_stopping", "gang", "quickstart", "search", "tracker"}


def test_quickstart(pytester: pytest.Pytester) -> None:
    """A hundred trials end well, and their metrics are stored."""
    result = run_example(pytester, "quickstart")
    result.assert_outcomes(passed=100)
    result.stdout.fnmatch_lines(["Number of trials: 100/100 (100 TERMINATED)"])
    grid = load_results(dir=pytester.path / "sweep_results")["train_model"]
    assert [trial.metrics["score"] for trial in grid if trial.metrics] == [f"model_{i}" for i in range(100)]


@needs_sklearn
def test_digits(pytester: pytest.Pytester) -> None:
    """Sixteen models are trained, the two tests judge them, and the fixture's data was loaded once."""
    result = run_example(pytester, "digits", "--setup-show")
    result.assert_outcomes(passed=18)
    assert str(result.stdout).count("SETUP    S digits") == 1
    grid = load_results(dir=pytester.path / "sweep_results")["train_classifier"]
    best = grid.get_best_result()
    assert len(grid) == 16
    assert best.metrics is not None
    assert best.metrics["accuracy"] >= 0.97


@needs_sklearn
def test_the_gate_of_digits_closes_on_a_worse_model(pytester: pytest.Pytester) -> None:
    """What the regression gate is for: where the good models are gone, the session fails, and says by how much."""
    folder = pytester.path / "digits"
    shutil.copytree(EXAMPLES / "digits", folder)
    source = (folder / "test_digits.py").read_text(encoding="utf-8")
    kept = [line for line in source.splitlines() if '{"model"' not in line or "GaussianNB" in line]
    (folder / "test_digits.py").write_text("\n".join(kept), encoding="utf-8")
    result = pytester.runpytest_subprocess("--sweep", "--sweep-executor=inline", "digits", "-W", "ignore", timeout=120)
    result.assert_outcomes(passed=5, failed=1)
    result.stdout.fnmatch_lines(["E       assert 0.9* >= 0.97"])


def test_early_stopping(pytester: pytest.Pytester) -> None:
    """Every trial is stopped by a rule; the one that breaks down goes on from its checkpoint."""
    result = run_example(pytester, "early_stopping")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*= 9 passed, 1 rerun in *"])
    grid = load_results(dir=pytester.path / "sweep_results")["fit_line"]
    assert {trial.state for trial in grid} == {TrialState.STOPPED}
    retried = grid[1]
    assert retried.attempts == 2
    assert retried.checkpoint is not None
    assert [report["attempt"] for report in retried.metrics_history[:6]] == [1, 1, 1, 1, 1, 2]


def test_callback(pytester: pytest.Pytester) -> None:
    """The hooks of its conftest.py hear of every report and of every change in the lead."""
    result = run_example(pytester, "callback")
    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(["ring?frequency=1-damping=0.1? takes the lead with 0.3704"])
    assert result.stdout.str().count("takes the lead") == 4
    (log,) = pytester.path.glob("sweep_results/*/reports.jsonl")
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == 60
    assert lines[0]["trial"] == "ring[frequency=3-damping=0.5]"
    assert [line["training_iteration"] for line in lines[:10]] == list(range(1, 11))


@pytest.mark.skipif(find_spec("torch") is not None, reason="torch is installed: tests/ray/test_gangs.py runs it")
def test_gang_without_torch(pytester: pytest.Pytester) -> None:
    """Where torch is not installed it is skipped, and says why."""
    result = run_example(pytester, "gang", "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED * torch is not installed: pip install torch"])


@pytest.mark.parametrize(("name", "library"), [("nevergrad", "nevergrad"), ("smac", "smac"), ("ax", "ax")])
def test_search(pytester: pytest.Pytester, name: str, library: str) -> None:
    """A searcher over another library chooses the configurations of twelve trials."""
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    shutil.copy(EXAMPLES / "search" / f"test_{name}.py", pytester.path)
    pytester.makeini("[pytest]")
    result = pytester.runpytest_subprocess("--sweep", "--sweep-executor=inline", "-W", "ignore", timeout=240)
    result.assert_outcomes(passed=12)
    results = load_results()["train"]
    assert len({(result.config["lr"], result.config["depth"]) for result in results}) == 12


def test_tracker(pytester: pytest.Pytester) -> None:
    """The tracker of one's own keeps the contract of trackers."""
    run_example(pytester, "tracker", "-k", "not every_call").assert_outcomes(passed=5, deselected=4)
