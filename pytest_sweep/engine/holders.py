"""Words for amounts of resources, and for the workers that hold them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from pytest_sweep.durations import duration_words
from pytest_sweep.engine.worker import Worker, WorkerState
from pytest_sweep.model.resources import Resources

MOST_NAMES = 3
_UNITS = {"cpu": "CPU", "gpu": "GPU", "memory": "GiB memory"}
_NOT_GRANTED = "that {have} waited for the cluster for {time}"
_DOING = {
    WorkerState.STARTING: "that {have} been starting for {time}",
    WorkerState.IDLE: "without work",
    WorkerState.BUSY: "that {be} about to begin",
    WorkerState.KILLED: "that {be} being killed",
    WorkerState.STOPPING: "that {have} been stopping for {time}",
}


def amount_text(name: str, amount: float, total: float | None = None) -> str:
    """Return ``2 CPUs``, ``0.5 GPU``, ``4 GiB memory`` or ``1 tape``; with a total, ``1 of 4 CPUs``."""
    scale = 2.0**30 if name == "memory" else 1.0
    unit, counts = _UNITS.get(name, name), (amount if total is None else total) / scale
    plural = "s" if name in ("cpu", "gpu") and counts > 1 else ""
    of = "" if total is None else f" of {total / scale:.4g}"
    return f"{amount / scale:.4g}{of} {unit}{plural}"


def amounts_text(amounts: Mapping[str, float]) -> str:
    """Return ``2 CPUs and 1 GPU``; "nothing" where there are none."""
    return joined([amount_text(name, amount) for name, amount in amounts.items()]) or "nothing"


def joined(parts: Iterable[str]) -> str:
    """Return ``a, b and c``."""
    *most, last = [*parts] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def seconds_text(seconds: float) -> str:
    """Return a time in whole seconds, as it would be written: ``12 s``, ``1 min 10 s``."""
    return duration_words(round(max(seconds, 0.0)))


def missing(request: Resources, free: Resources) -> dict[str, float]:
    """Return that part of a request that is not free, by name: each as much as is asked for."""
    there = free.as_dict()
    return {name: amount for name, amount in request.as_dict().items() if amount > there.get(name, 0.0) + 1e-4}


def holding(
    workers: Collection[Worker],
    nodes: Collection[str],
    kinds: Collection[str],
    now: float,
    name: Callable[[Worker], str],
    others: Mapping[str, float],
) -> str:
    """Return who holds something of these kinds on these nodes, and the verb: ``train[lr=1] (3 CPUs) and 12 more trials hold``.

    Args:
        workers: all there are.
        nodes: the ids of the nodes.
        kinds: names of resources.
        now: the time, on the clock of `Worker.since`.
        name: the name of the trial that a worker has, or "".
        others: what is held there that is not of this run.
    """
    amounts = {worker.id: _held(worker, nodes, kinds) for worker in workers}
    holders = [worker for worker in workers if amounts[worker.id]]
    holders.sort(key=lambda worker: -sum(amounts[worker.id].values()))
    text = named(
        holders, now, lambda worker: (trial := name(worker)) and f"{trial} ({amounts_text(amounts[worker.id])})"
    )
    if others:
        foreign = f"what is not of this run ({amounts_text(others)})"
        return f"{joined([text, foreign])} hold" if holders else f"{foreign} holds"
    return f"{text} {'hold' if len(holders) > 1 else 'holds'}"


def named(workers: Sequence[Worker], now: float, name: Callable[[Worker], str]) -> str:
    """Return the first of these workers by the names of their trials, and how many more; those without one are counted by what they do."""
    trials = [text for worker in workers if (text := name(worker))]
    parts = trials[:MOST_NAMES]
    if (more := len(trials) - MOST_NAMES) > 0:
        parts.append(f"{more} more trial{'' if more == 1 else 's'}")
    others: dict[str, list[Worker]] = {}
    for worker in workers:
        if not name(worker):
            others.setdefault(_DOING[worker.state] if worker.is_granted else _NOT_GRANTED, []).append(worker)
    parts += [_counted(doing, some, now) for doing, some in others.items()]
    return joined(parts) or "nobody known"


def _held(worker: Worker, nodes: Collection[str], kinds: Collection[str]) -> dict[str, float]:
    held = Resources(cpu=0.0)
    for node, amount in worker.holds.items():
        if node in nodes:
            held = held.plus(amount)
    return {name: amount for name, amount in held.as_dict().items() if name in kinds}


def _counted(doing: str, workers: list[Worker], now: float) -> str:
    time = seconds_text(now - min(worker.since for worker in workers))
    one = len(workers) == 1
    doing = doing.format(be="is" if one else "are", have="has" if one else "have", time=time)
    return f"a worker {doing}" if one else f"{len(workers)} workers {doing}"
