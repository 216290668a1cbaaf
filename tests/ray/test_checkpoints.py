"""Checkpoints on Ray: what a killed worker had no time to send, and nodes that share no disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_sweep import load_results
from pytest_sweep.executors.ray.code.visibility import find_blind_nodes
from pytest_sweep.model import Resources
from pytest_sweep.model.events import Node
from tests.conftest import import_ray

pytestmark = pytest.mark.usefixtures("shared_ray")


def test_a_report_that_died_with_its_worker_is_recovered(
    pytester: pytest.Pytester, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A worker is killed right after a checkpoint was written: its reports are recovered, without a hole and each once."""
    pytester.makepyfile(
        """
        import os, signal
        from pytest_sweep import sweep

        @sweep(grid={"lr": [0.1]}, keep_checkpoints=2)
        def train(trial, tmp_path):
            begin = 0 if trial.checkpoint is None else int((trial.checkpoint / "step").read_text())
            for step in range(begin + 1, 6):
                (tmp_path / "step").write_text(str(step))
                trial.report({"step": step, "attempt": trial.attempt}, checkpoint=tmp_path / "step" if step % 2 else None)
                if (trial.attempt, step) == (1, 3):
                    os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    # fsspec's own name for a disk, which is then treated as a store of objects.
    storage = f"local://{tmp_path_factory.mktemp('storage')}"
    result = pytester.runpytest_inprocess("--sweep", f"--sweep-storage={storage}")
    result.assert_outcomes(passed=1)
    (trial,) = load_results(dir=pytester.path / "sweep_results")["train"]
    assert trial.attempts == 2
    assert [(metrics["step"], metrics["attempt"]) for metrics in trial.metrics_history] == [
        (1, 1),
        (2, 1),
        (3, 1),
        (4, 2),
        (5, 2),
    ]
    assert [metrics["step"] for _, metrics in trial.best_checkpoints] == [3, 5]
    assert str(trial.checkpoint).startswith(storage)
    assert str(trial.checkpoint).endswith("2-000005")


def test_nodes_are_asked_whether_they_see_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that sees what the driver writes is not named, one that does not is; nothing is left in the folder."""
    (here,) = import_ray().nodes()
    node = Node(here["NodeID"], "10.0.0.2", Resources())

    def ask(folder: Path) -> list[str]:
        answers: list[list[str]] = []
        find_blind_nodes([node], folder, answers.append)
        (answer,) = answers
        return answer

    assert ask(tmp_path / "shared") == []
    # As a node of another disk does: it finds nothing there.
    monkeypatch.setattr("pytest_sweep.executors.ray.code.visibility._sees", lambda _: False)
    assert ask(tmp_path / "shared") == ["10.0.0.2"]
    assert list((tmp_path / "shared").iterdir()) == []
