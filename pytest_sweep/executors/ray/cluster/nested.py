"""Notices trials whose own code waits for Ray resources that the trials hold: Tune, Ray Data, tasks with a strategy of their own.

Imports no Ray.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from pytest_sweep.clock import monotonic
from pytest_sweep.executors.ray.cluster.usage import Amounts, ClusterUsage, PendingTasks, to_resources
from pytest_sweep.model.resources import Resources

STUCK_SECONDS = 30.0
"""After how long without a change it is told: well before a timeout of a minute ends the trial."""


@dataclass(frozen=True, slots=True)
class NestedWait:
    """What waits for what the run holds.

    Attributes:
        what: what is asked for, and by what, in words.
        actor: the id of the actor that has asked for it; "" where Ray does not tell.
    """

    what: str
    actor: str = ""


class NestedRequests:
    """Compares what waits at each look with the look before; tells of each thing once.

    Args:
        is_ours: says whether a placement group, by its id, is one that the run itself has asked for.
        clock: the time in seconds.
    """

    def __init__(self, is_ours: Callable[[str], bool], clock: Callable[[], float] = monotonic) -> None:
        self._is_ours = is_ours
        self._clock = clock
        self._state: object = None
        self._since = 0.0
        self._told = False

    def look(self, usage: ClusterUsage, taken: Mapping[str, Resources], job: str) -> list[NestedWait]:
        """Return what has waited for STUCK_SECONDS while nothing in the cluster has changed.

        Args:
            usage: what Ray says.
            taken: what others hold on each node, trials' own tasks included.
            job: the id of our job.
        """
        groups = [group for group in usage.groups if group.job == job and not self._is_ours(group.id)]
        tasks = [task for task in usage.tasks if task.count and self._is_blocked_by_us(task.amounts, usage, taken)]
        state = (
            [group.id for group in groups],
            [(sorted(task.amounts.items()), task.count) for task in tasks],
            taken,
            sorted(name for total, _ in usage.nodes.values() for name in total if name.startswith("bundle_group_")),
        )
        if state != self._state or not (groups or tasks):
            self._state, self._since, self._told = state, self._clock(), False
        if self._told or self._clock() - self._since < STUCK_SECONDS:
            return []
        self._told = True
        waits = {
            group.actor: NestedWait(f"a placement group of {_sum(group.bundles)}", group.actor) for group in groups
        }
        return [*waits.values(), *(NestedWait(_tasks(task)) for task in tasks)]

    def _is_blocked_by_us(self, amounts: Amounts, usage: ClusterUsage, taken: Mapping[str, Resources]) -> bool:
        """Say whether a node would have room for `amounts` if our trials held nothing there; never for what goes into a group."""
        if any("_group_" in name for name in amounts):
            return False
        asked = to_resources(amounts)
        nothing = Resources(cpu=0.0)
        return any(
            asked.fits(_plain(total).minus(taken.get(node, nothing))) and not asked.fits(to_resources(available))
            for node, (total, available) in usage.nodes.items()
        )


def has_foreign_groups(usage: ClusterUsage, job: str, is_ours: Callable[[str], bool]) -> bool:
    """Say whether there may be placement groups that code of trials has asked for: the id of a group ends with that of its job."""
    there = {name.rpartition("_group_")[2] for total, _ in usage.nodes.values() for name in total if "_group_" in name}
    waiting = {group.id for group in usage.groups if group.job == job}
    return any(not is_ours(group) for group in waiting | {group for group in there if group.endswith(job)})


def sentence(wait: NestedWait, trials: Collection[str]) -> str:
    """Return what is said to people; `trials` are those that have asked for it, or, where nobody knows, all that run."""
    names = ", ".join(list(trials)[:3]) + (", ..." if len(trials) > 3 else "")
    if wait.actor:
        who = f"{names} waits for Ray resources that it or other trials hold: it has asked for {wait.what} outside of what it holds"
    else:
        who = f"{wait.what} cannot start beside what trials hold ({names}): if one of these waits for that, it waits for itself"
    return (
        f"{who}; nothing has changed for {STUCK_SECONDS:.0f} s. Give the trial less, so that its own Ray code finds room: "
        f"@pytest.mark.resources(cpu=0), or run with more CPUs"
    )


def _plain(total: Amounts) -> Resources:
    return to_resources({name: amount for name, amount in total.items() if "_group_" not in name})


def _tasks(task: PendingTasks) -> str:
    amounts = to_resources(task.amounts)
    return (
        f"a Ray task or actor with {amounts}"
        if task.count == 1
        else f"{task.count} Ray tasks or actors with {amounts} each"
    )


def _sum(bundles: Collection[Amounts]) -> str:
    whole = Resources(cpu=0.0)
    for bundle in bundles:
        whole = whole.plus(to_resources(bundle))
    return str(whole)
