"""What others hold on nodes, as told from what Ray says of totals and of what is available; without Ray."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_sweep.executors.ray.cluster.usage import ClusterUsage, ForeignUse, to_resources
from pytest_sweep.model.resources import Resources

Amounts = Mapping[str, float]


def looks(*seen: tuple[Amounts, Amounts], ours: str = "") -> list[Resources]:
    """Return what others hold on one node by each of several looks at its total and available amounts."""
    use = ForeignUse(lambda group: group == ours)
    return [use.look(ClusterUsage({"n1": amounts}))["n1"] for amounts in seen]


NOTHING = Resources(cpu=0.0)


def test_what_is_neither_available_nor_ours() -> None:
    """What is neither available nor in a group of ours is held by others: CPUs, GPUs, memory and custom resources."""
    total = {"CPU": 8.0, "GPU": 4.0, "memory": 1000.0, "tape": 2.0, "CPU_group_aa": 3.0, "CPU_group_0_aa": 3.0}
    available = {"CPU": 3.0, "GPU": 3.0, "memory": 900.0, "tape": 1.0}
    assert looks((total, available), ours="aa") == [Resources(2.0, 1.0, 100, (("tape", 1.0),))]
    assert looks((total, available)) == [Resources(5.0, 1.0, 100, (("tape", 1.0),))]


def test_of_ray_itself() -> None:
    """What Ray needs for itself, and what tasks lend while they wait, is held by nobody."""
    total = {"CPU": 4.0, "object_store_memory": 100.0, "node:10.0.0.1": 1.0}
    assert looks((total, {"CPU": 5.0})) == [NOTHING]


def test_a_group_that_is_being_granted() -> None:
    """Resources that one look finds missing, and the next one in a group of ours, were never held by others."""
    free = {"CPU": 2.0}, {"CPU": 2.0}
    between = {"CPU": 2.0}, {"CPU": 1.0}
    granted = {"CPU": 2.0, "CPU_group_aa": 1.0}, {"CPU": 1.0}
    assert looks(free, between, granted, between, free, ours="aa") == [NOTHING] * 5


def test_what_two_looks_agree_on() -> None:
    """What others have taken counts from the second look on, what they have given back from the first one."""
    one, two, none = ({"CPU": 4.0}, {"CPU": 3.0}), ({"CPU": 4.0}, {"CPU": 2.0}), ({"CPU": 4.0}, {"CPU": 4.0})
    held = looks(one, two, two, none)
    assert [resources.cpu for resources in held] == [1.0, 1.0, 2.0, 0.0]


def test_a_node_that_has_joined() -> None:
    """A node that joins counts as free at the first look, since a group of ours may already be on its way there."""
    use = ForeignUse(lambda _: False)
    use.look(ClusterUsage({"n1": ({"CPU": 1.0}, {"CPU": 1.0})}))
    joined = ClusterUsage({"n2": ({"CPU": 1.0}, {"CPU": 0.0})})
    assert [use.look(joined)["n2"].cpu, use.look(joined)["n2"].cpu] == [0.0, 1.0]


def test_amounts_in_ray_s_words() -> None:
    """Fractions are rounded as Ray counts them, so that crumbs are no change."""
    assert to_resources({"CPU": 0.30000000000000004, "tape": 0.1 + 0.2}) == Resources(0.3, 0.0, 0, (("tape", 0.3),))
