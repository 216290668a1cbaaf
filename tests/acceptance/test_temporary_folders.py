"""The temporary folders of trials are kept as pytest keeps them, however many processes a worker has had."""

from __future__ import annotations

from pathlib import Path

import pytest

from .project import Project, output


@pytest.mark.parametrize(("policy", "kept"), [("all", {0, 1, 2, 3}), ("failed", {0, 2})], ids=["all", "failed"])
def test_they_outlive_their_process(project: Project, policy: str, kept: set[int], tmp_path: Path) -> None:
    """What a failed trial has left in its tmp_path is there after the next process of its worker, and after the session."""
    project.write(f"[pytest]\ntmp_path_retention_policy = {policy}\n", "pytest.ini")
    project.write("""
        @sweep(grid={"n": [0, 1, 2, 3]}, fresh_process=True)
        def train(n, tmp_path, trial):
            trial.report({"folder": str(tmp_path)})
            (tmp_path / "evidence").write_text(str(n))
            assert n % 2
    """)
    root = tmp_path / "root"
    result = project.sweep("--sweep-executor=processes", "--sweep-max-concurrent=1", f"--basetemp={root}")
    result.assert_outcomes(passed=2, failed=2)
    folders = {r.config["n"]: r.metrics["folder"] for r in project.grid() if r.metrics}
    assert len(set(folders.values())) == 4
    assert all(Path(folder).is_relative_to(root) for folder in folders.values()), output(result)
    assert {n for n, folder in folders.items() if Path(folder, "evidence").exists()} == kept
