"""What can never run is refused before the run, with what is missing and what there is."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

import pytest

from pytest_sweep.engine.feasible import check_feasible, most_at_once
from pytest_sweep.engine.worker import Shape
from pytest_sweep.errors import InfeasibleError
from pytest_sweep.model import Resources, events
from pytest_sweep.model.placement import Placement
from tests.support.driven import ONE_CPU, make_trials, node

TAPE = Resources(cpu=4, custom=(("Lens", 2.0), ("tape", 1.0)))


def refusal(
    resources: Resources,
    nodes: Sequence[events.Node],
    placement: Placement = Placement(),
    future: Sequence[Resources] = (),
) -> str:
    """Return what is said to a trial that asks for this."""
    with pytest.raises(InfeasibleError) as raised:
        check_feasible(make_trials(1, resources, placement=placement), nodes, future, "The end.")
    text = str(raised.value)
    assert text.startswith("test_models.py::train_model[a=0] asks for ")
    assert text.endswith(" The end.")
    return text


def custom(**amounts: float) -> Resources:
    return Resources(cpu=1, custom=tuple(sorted(amounts.items())))


class TestCustomResources:
    NODES = (node(1, 2), events.Node("node-2", "10.0.0.2", TAPE))

    @pytest.mark.parametrize(
        ("name", "meant"), [("taep", "tape"), ("TAPE", "tape"), ("lens", "Lens"), ("tapes", "tape")]
    )
    def test_a_misspelt_name(self, name: str, meant: str) -> None:
        """A name that no node has is told apart from too little of it, and the nearest one is suggested."""
        text = refusal(custom(**{name: 1.0}), self.NODES)
        assert f"asks for 1 {name}, and no node has a custom resource of this name: did you mean '{meant}'?" in text

    def test_a_name_like_no_other(self) -> None:
        """Where none is near, all that there are are listed."""
        assert "of this name: there are Lens, tape. The end." in refusal(custom(fpga=1.0), self.NODES)

    def test_a_cluster_without_any(self) -> None:
        """Where no node has any, that is said, and how one gets some."""
        assert "no node has any (ray start --resources gives some)." in refusal(custom(tape=1.0), [node()])

    def test_the_unknown_one_is_named(self) -> None:
        """Of two custom resources the one is named that nobody has."""
        assert "asks for 3 taep, and" in refusal(custom(Lens=1.0, taep=3.0), self.NODES)

    def test_one_that_only_a_new_node_has(self) -> None:
        """What an autoscaler's nodes will have is known."""
        check_feasible(make_trials(1, custom(tape=1.0)), [node()], [TAPE])

    def test_nothing_of_it(self) -> None:
        """Zero of something that does not exist is no request."""
        check_feasible(make_trials(1, custom(taep=0.0)), [node()])

    def test_too_much(self) -> None:
        """More than there is of one that exists is another matter."""
        assert "no node can ever run it" in refusal(custom(tape=2.0), self.NODES)


class TestNodes:
    def test_too_large(self) -> None:
        """The largest node is named beside what was asked for."""
        assert "asks for 3 CPU, and the largest node has 2 CPU: no node can ever run it" in refusal(
            Resources(cpu=3), [node()]
        )

    def test_beyond_the_largest_node_type(self) -> None:
        """With an autoscaler, what its largest node type holds is let in, and nothing beyond."""
        check_feasible(make_trials(1, Resources(cpu=8)), [node()], [Resources(cpu=8)])
        assert "the largest node has 8 CPU" in refusal(Resources(cpu=9), [node()], future=[Resources(cpu=8)])

    def test_labels(self) -> None:
        """A label that no node has is named with those that there are, without Ray's own."""
        zone = dataclasses.replace(node(), labels={"zone": "a", "ray.io/node-id": "x"})
        text = refusal(ONE_CPU, [zone], Placement(labels=(("zone", "b"),)))
        assert re.search(r"a node with the label zone=b, and no node has that: there are zone=a\. ", text)

    def test_a_gang_larger_than_the_cluster(self) -> None:
        """A gang that the empty cluster could not hold says for how many workers there is room."""
        text = refusal(ONE_CPU, [node(1, 2), node(2, 1)], Placement(workers=4))
        assert (
            "4 workers (PACK) with 1 CPU each, and the whole cluster, empty, has room for 3 such workers on 2 nodes"
            in text
        )

    def test_a_gang_that_needs_no_cpu(self) -> None:
        """Workers that ask for nothing fit a node any number of times; a gang that wants a node for each is still refused."""
        text = refusal(Resources(cpu=0.0), [node()], Placement(workers=3, strategy="STRICT_SPREAD"))
        assert "3 workers (STRICT_SPREAD) with no resources each" in text


def test_how_many_run_at_once() -> None:
    """Small ones are counted first, each as often as it is there."""
    requests = {Shape(Resources(cpu=3)): 5, Shape(ONE_CPU): 2}
    assert most_at_once(requests, [node(1, 4), node(2, 4)]) == 3


@pytest.mark.parametrize(
    "placement",
    [Placement(workers=5, strategy="STRICT_SPREAD"), Placement(workers=1_000_000), Placement(workers=9, nodes=3)],
)
@pytest.mark.parametrize("resources", [Resources(cpu=0), Resources(cpu=1e17), Resources(cpu=1, memory=10**17)])
def test_sizes_without_bounds(resources: Resources, placement: Placement) -> None:
    """A gang that asks for nothing at all, or for more than could be counted, is refused with a sentence."""
    (trial,) = make_trials(1, resources, placement=placement)
    with pytest.raises(InfeasibleError, match="asks for"):
        check_feasible([trial], [node(1), node(2)])
