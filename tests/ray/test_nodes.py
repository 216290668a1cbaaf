"""Nodes of a cluster die in mid-run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import import_ray
from tests.sessions import Session, wait_for

PROJECT = """
import time
from pathlib import Path
import ray
from pytest_sweep import sweep

HERE = Path(__file__).parent

@sweep(grid={"n": [1, 2]}, worker_retries=0)
def train(n, trial):
    first = int((trial.checkpoint / "step").read_text()) + 1 if trial.checkpoint else 1
    for step in range(first, 4):
        (trial.dir / "step").write_text(str(step))
        trial.report({"step": step}, checkpoint=trial.dir / "step")
        if step == 2:
            (HERE / f"on-{trial.attempt}-{n}").write_text(ray.get_runtime_context().get_node_id())
            while not (HERE / "go").exists():
                time.sleep(0.05)
    return {"node": ray.get_runtime_context().get_node_id()}
"""


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A Ray of two nodes with one CPU each, on this machine."""
    import_ray()
    from ray.cluster_utils import Cluster

    made: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        yield made
    finally:
        made.shutdown()


@pytest.mark.slow
def test_a_lost_node(pytester: pytest.Pytester, start: Callable[..., Session], cluster: Any) -> None:
    """A trial whose node is lost goes on from its checkpoint on another one, whatever its retries; the others are not disturbed."""
    node = cluster.add_node(num_cpus=1)
    pytester.makepyfile(PROJECT)
    pytester.makeini("[pytest]\n")
    session = start("-v", f"--sweep-address={cluster.address}")
    notes = [pytester.path / f"on-1-{n}" for n in (1, 2)]
    wait_for(lambda: all(note.exists() and note.read_text() for note in notes), "both trials")
    (lost,) = [n for n in (1, 2) if notes[n - 1].read_text() == node.node_id]
    node.kill_raylet()
    (pytester.path / "go").touch()
    began = time.monotonic()
    assert session.wait() == 0, session.output
    assert time.monotonic() - began < 85
    results = {result.config["n"]: result for result in session.results()["train"]}
    first, second = results[lost].attempt_history
    assert first.error is not None
    assert "its node was lost" in first.error
    assert second.state == "TERMINATED"
    assert [report["step"] for report in results[lost].metrics_history] == [1, 2, 3]
    assert results[3 - lost].attempts == 1
