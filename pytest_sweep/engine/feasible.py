"""What can never run on the nodes that there are or could be, and how much can run on them at once."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence

from pytest_sweep.engine.capacity import Capacity
from pytest_sweep.engine.worker import Shape, cores, room_for
from pytest_sweep.errors import InfeasibleError
from pytest_sweep.model.events import Node
from pytest_sweep.model.placement import Placement
from pytest_sweep.model.resources import Resources
from pytest_sweep.model.shared import SharedFixture
from pytest_sweep.model.trials import Trial


def check_feasible(
    trials: Iterable[Trial | SharedFixture], nodes: Sequence[Node], future: Sequence[Resources] = (), advice: str = ""
) -> None:
    """Raise InfeasibleError if one of `trials` asks for more than the empty cluster has.

    Args:
        trials: the trials, or shared fixtures.
        nodes: the nodes that there are.
        future: the node types that an autoscaler could add, as many as are needed.
        advice: ends the text of the error: what the executor has not.
    """
    capacity = Capacity(future)
    capacity.set_nodes(nodes)
    checked: set[Shape] = set()
    for trial in trials:
        shape = Shape(trial.resources, placement=trial.placement)
        if shape in checked:
            continue
        checked.add(shape)
        if capacity.place_when_empty(shape) is None and not capacity.could_scale_to(shape):
            who, how = (trial.id, "@pytest.mark.resources") if isinstance(trial, Trial) else (str(trial), "@shared")
            raise InfeasibleError(f"{who} asks for {_problem(shape, nodes, future, how)} {advice}".rstrip())


def most_at_once(requests: Mapping[Shape, int], nodes: Sequence[Node]) -> int:
    """Return how many of `requests`, each there that many times, fit on `nodes` at once, small ones first."""
    capacity = Capacity()
    capacity.set_nodes(nodes)
    for shape, count in sorted(requests.items(), key=lambda pair: _size(pair[0].resources)):
        for _ in range(count):
            place = capacity.place(shape)
            if place is None:
                break
            capacity.add(shape, place)
    return len(capacity.workers)


def _problem(shape: Shape, nodes: Sequence[Node], future: Sequence[Resources], how: str) -> str:
    placement = shape.placement
    known = {name for size in (*(node.resources for node in nodes), *future) for name, _ in size.custom}
    unknown = next(((name, amount) for name, amount in shape.resources.custom if amount and name not in known), None)
    if unknown is not None:
        return (
            f"{unknown[1]:g} {unknown[0]}, and no node has a custom resource of this name: {_hint(unknown[0], known)}"
        )
    if placement.labels and not any(placement.suits(node.labels) for node in nodes):
        there = sorted(
            {f"{name}={value}" for node in nodes for name, value in node.labels.items() if "ray.io/" not in name}
        )
        return (
            f"a node with the {Placement(placement.labels)}, and no node has that: "
            f"{'there are ' + ', '.join(there) if there else 'no node has any label'}. Give one the label "
            f"(ray start --labels), or ask for another one."
        )
    sizes = [*(node.resources for node in nodes if placement.suits(node.labels)), *future]
    largest = max(sizes, key=_size, default=Resources(cpu=0.0))
    if placement.bundles == 1 or not any(shape.resources.fits(size) for size in sizes):
        return (
            f"{shape.resources}, and the largest node{' with its labels' if placement.labels else ''} has {largest}: no node can ever run "
            f"it. Ask for less with {how}(...), or run where there is more."
        )
    room = sum(
        int(min(shape.request.how_often(room_for(shape, size, cores(size))), placement.bundles)) for size in sizes
    )
    return (
        f"{placement} with {shape.resources} each, and the whole cluster, empty, has room for {room} such workers on "
        f"{len(sizes)} node{'' if len(sizes) == 1 else 's'}: it can never have them all at once. Ask for fewer, for another "
        f"strategy, or run where there is more."
    )


def _hint(name: str, known: Collection[str]) -> str:
    by_lower = {one.lower(): one for one in sorted(known)}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1)
    if near:
        return f"did you mean {by_lower[near[0]]!r}?"
    return f"there are {', '.join(sorted(known))}." if known else "no node has any (ray start --resources gives some)."


def _size(resources: Resources) -> tuple[float, float, int]:
    return resources.gpu, resources.cpu, resources.memory
