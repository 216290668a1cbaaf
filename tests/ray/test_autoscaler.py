"""An autoscaler, by Ray's provider of fake nodes: the cluster grows from nothing to its maximum, and shrinks when it idles."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.ray.hosts import AUTHENTICATION, PORT, Host, machines
from tests.support.sessions import Session, wait_for

pytestmark = pytest.mark.slow

MOST_NODES, CPUS, TRIALS = 3, 2, 200

LISTS = (
    "initialization_commands",
    "setup_commands",
    "head_setup_commands",
    "worker_setup_commands",
    "head_start_ray_commands",
    "worker_start_ray_commands",
    "cluster_synced_files",
    "rsync_exclude",
    "rsync_filter",
)
"""What Ray wants to find in a configuration, however empty."""

CONFIG: dict[str, Any] = {
    "cluster_name": "fake",
    "max_workers": 8,
    "provider": {
        # "fake_multinode" itself wants a file that Ray's wheels do not have.
        "type": "external",
        "module": "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider",
        "use_node_id_as_ip": True,
        "disable_node_updaters": True,
        "disable_launch_config_check": True,
    },
    "available_node_types": {
        "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
        "small": {
            "resources": {"CPU": CPUS, "object_store_memory": 100_000_000},
            "node_config": {},
            "min_workers": 0,
            "max_workers": MOST_NODES,
        },
    },
    "head_node_type": "ray.head.default",
    "upscaling_speed": 1.0,
    "idle_timeout_minutes": 0.1,
    **{name: {} for name in ("auth", "docker", "file_mounts")},
    **{name: [] for name in LISTS},
    "file_mounts_sync_continuously": False,
}

PROJECT = f"""
import os, time
import ray
from pytest_sweep import sweep

@sweep(grid={{"n": list(range({TRIALS}))}})
def train(n):
    began = time.time()
    time.sleep(0.5)
    node = ray.get_runtime_context().get_node_id()
    return {{"node": node, "pid": os.getpid(), "began": began, "ended": time.time()}}
"""

COUNT = """
import ray
ray.init(address="auto", log_to_driver=False, logging_level="ERROR")
print("nodes:", sum(node["Alive"] for node in ray.nodes()) - 1)
"""


@pytest.fixture
def head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A head without CPUs, with the autoscaler: it has a network and processes of its own."""
    monkeypatch.setenv("RAY_FAKE_CLUSTER", "1")
    monkeypatch.setenv("AUTOSCALER_UPDATE_INTERVAL_S", "1")
    (tmp_path / "autoscaler.json").write_text(json.dumps(CONFIG))
    with machines() as hosts:
        host = hosts.add()
        host.start_ray(num_cpus=0, autoscaling_config=tmp_path / "autoscaler.json")
        yield host


def count(head: Host) -> int:
    """Return how many nodes there are beside the head."""
    return int(re.findall(r"nodes: (\d+)", head.run(sys.executable, "-c", COUNT))[-1])


def test_from_nothing_to_the_maximum_and_back(head: Host, tmp_path: Path) -> None:
    """200 trials that find no node have the cluster grow to its maximum; no node gets more than fits, all pass, and the nodes go."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_it.py").write_text(PROJECT)
    on = partial(head.command, "env", f"--chdir={folder}")
    session = Session(folder, f"--sweep-address={head.address}:{PORT}", on=on, **AUTHENTICATION)
    try:
        assert session.process.wait(300) == 0, session.output
    finally:
        session.close()
    results = [dict(result.metrics or {}) for result in session.results()["train"]]
    assert len(results) == TRIALS
    assert len({result["node"] for result in results}) == MOST_NODES
    for result in results:
        beside = {
            other["pid"]
            for other in results
            if other["node"] == result["node"] and other["began"] < result["ended"] and result["began"] < other["ended"]
        }
        assert len(beside) <= CPUS
    began = time.monotonic()
    wait_for(lambda: count(head) == 0, "the nodes to go")
    print(f"the nodes were gone {time.monotonic() - began:.0f} s after the end of the run")
