"""How amounts of resources and the workers that hold them are put into words."""

from __future__ import annotations

import pytest

from pytest_sweep.engine.holders import amount_text, amounts_text, holding, joined, missing, named, seconds_text
from pytest_sweep.engine.worker import Shape, Worker, WorkerState
from pytest_sweep.model import Resources
from tests.support.driven import ONE_CPU


def workers(count: int, state: WorkerState, *, since: float = 0.0, is_granted: bool = True) -> list[Worker]:
    """Return so many workers of one CPU on node-1."""
    return [
        Worker(
            f"worker-{number}",
            Shape(ONE_CPU),
            ("node-1",),
            {"node-1": ONE_CPU},
            state,
            since=since + number,
            is_granted=is_granted,
        )
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("name", "amount", "total", "text"),
    [
        ("cpu", 1, None, "1 CPU"),
        ("cpu", 2, None, "2 CPUs"),
        ("cpu", 0.5, None, "0.5 CPU"),
        ("gpu", 2, None, "2 GPUs"),
        ("gpu", 1, 4, "1 of 4 GPUs"),
        ("cpu", 0, 1, "0 of 1 CPU"),
        ("memory", 3 * 2**30, None, "3 GiB memory"),
        ("memory", 2**30, 2**33, "1 of 8 GiB memory"),
        ("tape", 2, None, "2 tape"),
        ("tape", 1, 2, "1 of 2 tape"),
    ],
)
def test_amounts(name: str, amount: float, total: float | None, text: str) -> None:
    """An amount has its unit, memory in GiB; CPUs and GPUs have a plural, by the total where there is one."""
    assert amount_text(name, amount, total) == text


def test_lists() -> None:
    """Several are joined as people do; none of them is nothing."""
    assert [joined([]), joined(["a"]), joined(["a", "b"]), joined(["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert amounts_text({"cpu": 2, "gpu": 1}) == "2 CPUs and 1 GPU"
    assert amounts_text({}) == "nothing"


def test_times() -> None:
    """Seconds are whole, and never less than none."""
    assert [seconds_text(seconds) for seconds in (-3.0, 0.4, 0.6, 70.2)] == ["0 s", "0 s", "1 s", "1 min 10 s"]


def test_what_is_missing() -> None:
    """Only what there is too little of is missing, all that is asked for of it; a ten-thousandth does not count."""
    request = Resources(cpu=2, gpu=1, custom=(("tape", 1.0),))
    assert missing(request, Resources(cpu=2, gpu=0.5)) == {"gpu": 1, "tape": 1.0}
    assert missing(Resources(cpu=1), Resources(cpu=0.9999)) == {}
    assert missing(Resources(cpu=1), Resources(cpu=0.9998)) == {"cpu": 1}


@pytest.mark.parametrize(
    ("state", "one", "two"),
    [
        (WorkerState.STARTING, "a worker that has been starting for 5 s", "2 workers that have been starting for 5 s"),
        (WorkerState.IDLE, "a worker without work", "2 workers without work"),
        (WorkerState.BUSY, "a worker that is about to begin", "2 workers that are about to begin"),
        (WorkerState.KILLED, "a worker that is being killed", "2 workers that are being killed"),
        (WorkerState.STOPPING, "a worker that has been stopping for 5 s", "2 workers that have been stopping for 5 s"),
    ],
)
def test_workers_without_a_trial(state: WorkerState, one: str, two: str) -> None:
    """They are counted by what they do, for as long as the first of them has done it."""
    assert named(workers(1, state), 5.0, lambda _: "") == one
    assert named(workers(2, state), 5.0, lambda _: "") == two


def test_workers_that_are_not_granted() -> None:
    """What the cluster has not granted is told from what starts."""
    waiting = workers(2, WorkerState.STARTING, is_granted=False)
    starting = workers(1, WorkerState.STARTING)
    assert named([*waiting, *starting], 7.0, lambda _: "") == (
        "2 workers that have waited for the cluster for 7 s and a worker that has been starting for 7 s"
    )


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "nobody known"), (1, "t0"), (3, "t0, t1 and t2"), (4, "t0, t1, t2 and 1 more trial"), (6, "t0, t1, t2 and 3 more trials")],
)  # fmt: skip
def test_trials_are_named(count: int, text: str) -> None:
    """Three trials are named, the others counted."""
    assert named(workers(count, WorkerState.BUSY), 0.0, lambda worker: f"t{worker.id[-1]}") == text


def test_who_holds_it() -> None:
    """Who holds most comes first, who holds nothing of it not at all; what others hold comes last."""
    small, large = workers(2, WorkerState.BUSY)
    large.holds = {"node-1": Resources(cpu=3, gpu=1), "node-2": Resources(cpu=5)}
    both, nodes = [small, large], {"node-1"}
    assert holding(both, nodes, {"cpu"}, 0.0, lambda worker: worker.id, {}) == (
        "worker-1 (3 CPUs) and worker-0 (1 CPU) hold"
    )
    assert holding(both, nodes, {"gpu"}, 0.0, lambda worker: worker.id, {}) == "worker-1 (1 GPU) holds"
    assert holding(both, {"node-2"}, {"cpu"}, 0.0, lambda worker: worker.id, {"cpu": 2}) == (
        "worker-1 (5 CPUs) and what is not of this run (2 CPUs) hold"
    )
    assert holding(both, {"node-3"}, {"cpu"}, 0.0, lambda worker: worker.id, {"cpu": 1}) == (
        "what is not of this run (1 CPU) holds"
    )
    assert holding(both, {"node-3"}, {"cpu"}, 0.0, lambda worker: worker.id, {}) == "nobody known holds"
