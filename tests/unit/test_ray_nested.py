"""Trials whose own code waits for what the trials hold are noticed, others are left in peace; without Ray and without time."""

from __future__ import annotations

from pytest_sweep.executors.ray.cluster.nested import NestedRequests, NestedWait, has_foreign_groups, sentence
from pytest_sweep.executors.ray.cluster.usage import Amounts, ClusterUsage, PendingGroup, PendingTasks
from pytest_sweep.model.resources import Resources

FULL: tuple[Amounts, Amounts] = {"CPU": 2.0, "CPU_group_aa": 2.0}, {"CPU": 0.0, "CPU_group_aa": 2.0}
TUNE = PendingGroup("t1", "job", "actor-7", ({"CPU": 1.0}, {"CPU": 2.0}))
DATA = PendingTasks({"CPU": 1.0}, 3)


class Looks:
    """Looks every two seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self.requests = NestedRequests(lambda group: group == "aa", lambda: self.now)

    def look(self, usage: ClusterUsage, seconds: float, taken: Resources = Resources(cpu=0.0)) -> list[NestedWait]:
        """Return what is told while `seconds` pass."""
        told: list[NestedWait] = []
        for _ in range(int(seconds / 2)):
            told += self.requests.look(usage, {"n1": taken}, "job")
            self.now += 2.0
        return told


def test_a_group_that_a_trial_has_asked_for() -> None:
    """A placement group of a trial's that is not granted is told once after half a minute, with what it asks for, and who has."""
    looks, usage = Looks(), ClusterUsage({"n1": FULL}, (TUNE,))
    assert looks.look(usage, 30) == []
    assert looks.look(usage, 200) == [NestedWait("a placement group of 3 CPU", "actor-7")]


def test_tasks_that_wait_for_our_trials() -> None:
    """Tasks that would have room if our trials held nothing are told of, whoever has started them."""
    assert Looks().look(ClusterUsage({"n1": FULL}, tasks=(DATA,)), 70) == [
        NestedWait("3 Ray tasks or actors with 1 CPU each")
    ]
    one = PendingTasks({"CPU": 1.0}, 1)
    assert Looks().look(ClusterUsage({"n1": FULL}, tasks=(one,)), 70) == [NestedWait("a Ray task or actor with 1 CPU")]


def test_what_is_not_of_our_trials() -> None:
    """Groups of other jobs and of the run itself, tasks within a group, and what others alone stand in the way of, are not told."""
    other = PendingGroup("t2", "another job", "actor-9", ({"CPU": 1.0},))
    own = PendingGroup("aa", "job", "", ({"CPU": 1.0},))
    within = PendingTasks({"CPU_group_aa": 1.0, "bundle_group_aa": 0.001}, 1)
    assert Looks().look(ClusterUsage({"n1": FULL}, (other, own), (within,)), 200) == []
    held = {"CPU": 2.0}, {"CPU": 0.0}
    assert Looks().look(ClusterUsage({"n1": held}, tasks=(DATA,)), 200, taken=Resources(cpu=2.0)) == []


def test_what_goes_on() -> None:
    """As long as something changes, Tune's next trial or the number of tasks, nothing is told; afterwards it is, once more."""
    looks = Looks()
    for number in range(10):
        assert looks.look(ClusterUsage({"n1": FULL}, tasks=(PendingTasks({"CPU": 1.0}, number + 1),)), 20) == []
    assert len(looks.look(ClusterUsage({"n1": FULL}, tasks=(DATA,)), 70)) == 1
    assert looks.look(ClusterUsage({"n1": FULL}), 70) == []
    assert len(looks.look(ClusterUsage({"n1": FULL}, tasks=(DATA,)), 70)) == 1


def test_groups_of_trials() -> None:
    """Groups of our job that the run has not asked for are those of trials, granted or not; only then Ray is asked for more."""
    own, theirs = {"CPU": 2.0, "CPU_group_aajob": 1.0}, {"CPU": 2.0, "CPU_group_0_bbjob": 1.0, "CPU_group_bbjob": 1.0}
    foreign = {"CPU": 2.0, "CPU_group_ccother": 1.0}
    found = [
        has_foreign_groups(usage, "job", lambda group: group == "aajob")
        for usage in (
            ClusterUsage({"n1": (own, {}), "n2": (foreign, {})}),
            ClusterUsage({"n1": (own, {}), "n2": (theirs, {})}),
            ClusterUsage({"n1": (own, {})}, (TUNE,)),
        )
    ]
    assert found == [False, True, True]


def test_what_is_said() -> None:
    """The sentence names the trial, what it waits for, and what to do."""
    said = sentence(NestedWait("a placement group of 3 CPU", "actor-7"), ["train[x=1]"])
    assert said == (
        "train[x=1] waits for Ray resources that it or other trials hold: it has asked for a placement group of 3 CPU outside of what it "
        "holds; nothing has changed for 30 s. Give the trial less, so that its own Ray code finds room: "
        "@pytest.mark.resources(cpu=0), or run with more CPUs"
    )
    assert "(a, b, c, ...)" in sentence(NestedWait("3 Ray tasks or actors with 1 CPU each"), ["a", "b", "c", "d"])
