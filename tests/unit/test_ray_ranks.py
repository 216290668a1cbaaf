"""What the workers of a gang find in their environment."""

from __future__ import annotations

from pytest_sweep.executors.ray.gang.ranks import environments


def column(found: list[dict[str, str]], name: str) -> list[str]:
    """Return one variable of all ranks."""
    return [environ[name] for environ in found]


def test_on_one_node() -> None:
    """There local ranks are ranks, and the master is the node itself."""
    found = environments([("a", "10.0.0.1")] * 3, 4567)
    assert column(found, "RANK") == column(found, "LOCAL_RANK") == ["0", "1", "2"]
    assert column(found, "WORLD_SIZE") == column(found, "LOCAL_WORLD_SIZE") == ["3"] * 3
    assert column(found, "NODE_RANK") == ["0"] * 3
    assert column(found, "MASTER_ADDR") == ["10.0.0.1"] * 3
    assert column(found, "MASTER_PORT") == ["4567"] * 3


def test_on_several_nodes_by_turns() -> None:
    """Local ranks count on each node by itself, whatever the order, and the master is where rank 0 is."""
    found = environments([("b", "10.0.0.2"), ("a", "10.0.0.1"), ("b", "10.0.0.2")], 1)
    assert column(found, "LOCAL_RANK") == ["0", "0", "1"]
    assert column(found, "LOCAL_WORLD_SIZE") == ["2", "1", "2"]
    assert column(found, "NODE_RANK") == column(found, "GROUP_RANK") == ["0", "1", "0"]
    assert set(column(found, "MASTER_ADDR")) == {"10.0.0.2"}
