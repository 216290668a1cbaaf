"""Says what waits, for what, and who has it. Looks at the engine when somebody asks; changes nothing, and is told of nothing."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import islice

from pytest_sweep.engine.entry import Entry
from pytest_sweep.engine.holders import amount_text, amounts_text, holding, joined, missing, named, seconds_text
from pytest_sweep.engine.policy import Policy
from pytest_sweep.engine.shared import SharedEntry
from pytest_sweep.engine.staffing import Staffing
from pytest_sweep.engine.trials import Ledger
from pytest_sweep.engine.worker import Shape, Worker, WorkerState
from pytest_sweep.model.resources import Resources
from pytest_sweep.model.trials import TrialState
from pytest_sweep.model.waiting import Wait, Waiting, WaitingGroup

MOST_LOOKED_AT = 10_000
"""How many trials of one shape are looked at for the names of their sweeps: a million of them would take a second."""

_NO_WORKER = Wait("a worker that is starting", "its worker is asked for next")
_CHOICE = Wait("its configuration", "its searcher was asked for it, and has not answered yet")
_RESULTS = Wait("results of other trials", "its searcher wants more of them before it chooses a configuration")
_BEHIND = Wait("the trial before it", "its worker has it already, and runs another one before it")


class Explainer:
    """Explains one moment: what it is asked for twice it finds out once.

    Args:
        ledger: the trials.
        staffing: the workers, and which are wanted.
        policy: the engine's settings.
    """

    def __init__(self, ledger: Ledger, staffing: Staffing, policy: Policy) -> None:
        self._ledger = ledger
        self._reservations = staffing.reservations
        self._workers = staffing.workers
        self._capacity = staffing.capacity
        self._policy = policy
        self._of_shape: dict[Shape, Wait] = {}
        self._delayed = {entry.trial.key: until for until, entry in ledger.delayed()}
        self._deferred = {entry.trial.key: entry for entry in ledger.deferred()}

    def waiting(self, stalled: float | None) -> Waiting:
        """Return all that waits, with the seconds for which nothing has happened."""
        counts: dict[Wait, int] = defaultdict(int)
        sweeps: dict[Wait, dict[str, None]] = defaultdict(dict)
        for wait, keys, number in self._queued():
            counts[wait] += number
            sweeps[wait].update(dict.fromkeys(self._ledger[key].trial.sweep.name for key in keys))
        groups = [WaitingGroup(wait, number, tuple(sweeps[wait])) for wait, number in counts.items()]
        return Waiting(tuple(sorted(groups, key=lambda group: -group.trials)), stalled, self.of)

    def of(self, key: str) -> Wait | None:
        """Return what the trial of this key waits for; None where it does not."""
        entry = self._ledger[key]
        if entry.state is not TrialState.PENDING:
            return None
        if entry.worker is not None:
            return self._handed(entry, entry.worker)
        if (missing := self._ledger.shared.missing(entry.trial.shared)) is not None:
            return self._shared(missing)
        if key in self._delayed:
            rest = seconds_text(self._delayed[key] - self._workers.now)
            return Wait(f"a retry in {rest}", f"it has failed, and is tried again in {rest}")
        if entry.trial.is_blank and (choice := self._choice(entry)) is not None:
            return choice
        first, wait = self._first(entry.shape)
        return wait if key in first and wait is not None else self._shape(entry.shape)

    def _choice(self, entry: Entry) -> Wait | None:
        """Return what a slot without configuration waits for, if that is its searcher."""
        if entry.trial.key in self._deferred:
            return _RESULTS
        return _CHOICE if entry.course is not None and entry.course.is_asked else None

    def _queued(self) -> Iterable[tuple[Wait, Iterable[str], int]]:
        for shape in self._ledger.queues:
            queue, asked = self._of_queue(shape)
            if asked:
                yield _CHOICE, asked, len(asked)
            first, wait = self._first(shape)
            if wait is not None:
                yield wait, first, len(first)
            if more := len(queue) - len(first):
                yield self._shape(shape), islice(queue, len(first), None) if more <= MOST_LOOKED_AT else (), more
        if self._deferred:
            yield _RESULTS, self._deferred, len(self._deferred)
        if self._delayed:
            rest = seconds_text(min(self._delayed.values()) - self._workers.now)
            who = "it has failed, and" if len(self._delayed) == 1 else "they have failed; the first of them"
            yield Wait("another attempt", f"{who} is tried again in {rest}"), self._delayed, len(self._delayed)
        yield from self._held_back()
        for worker in self._capacity.workers.values():
            for key in worker.batch:
                entry = self._ledger[key]
                if entry.state is TrialState.PENDING:
                    yield self._handed(entry, worker), (key,), 1

    def _of_queue(self, shape: Shape) -> tuple[Sequence[str], Sequence[str]]:
        """Return what waits for a worker of `shape`, and the slots whose searcher was asked for their configurations."""
        queue = self._ledger.queues.get(shape, ())
        if not self._ledger.studies:  # There may be a million of them.
            return queue, ()
        asked = [
            key for key in queue if self._ledger[key].trial.is_blank and self._choice(self._ledger[key]) is _CHOICE
        ]
        return [key for key in queue if key not in asked], asked

    def _held_back(self) -> Iterable[tuple[Wait, Iterable[str], int]]:
        lacking: dict[str, tuple[Wait, list[str]]] = {}
        for entry in self._ledger.held_back():
            if (absent := self._ledger.shared.missing(entry.trial.shared)) is not None:
                lacking.setdefault(absent.fixture.id, (self._shared(absent), []))[1].append(entry.trial.key)
        for wait, keys in lacking.values():
            yield wait, keys, len(keys)

    def _shared(self, missing: SharedEntry) -> Wait:
        since, fixture = seconds_text(self._workers.now - missing.since), missing.fixture
        if missing.place:
            why = f"it is being built on node {missing.place}, for {since}"
        else:
            amounts = amounts_text(fixture.resources.as_dict())
            why = f"{amounts} {'was' if amounts.startswith('1 ') else 'were'} asked for {since} ago, to build it with"
        return Wait(f"the shared fixture {fixture.name}", why)

    def _handed(self, entry: Entry, worker: Worker) -> Wait:
        if next(iter(worker.batch)) != entry.trial.key:
            return _BEHIND
        since = seconds_text(self._workers.now - worker.since)
        return Wait(
            "its worker", f"the worker on {self._addresses(worker.nodes)} has had it for {since}, and has not begun it"
        )

    def _first(self, shape: Shape) -> tuple[Sequence[str], Wait | None]:
        """Return the keys of those that will have the workers of `shape` which are starting, and what they wait for."""
        starting = self._capacity.in_state(WorkerState.STARTING, shape)
        keys = list(islice(self._of_queue(shape)[0], len(starting)))
        return keys, self._starting(min(starting, key=lambda worker: worker.since)) if keys else None

    def _shape(self, shape: Shape) -> Wait:
        if shape not in self._of_shape:
            self._of_shape[shape] = self._explain(shape)
        return self._of_shape[shape]

    def _explain(self, shape: Shape) -> Wait:
        if self._reservations.is_full:
            workers = named(list(self._capacity.workers.values()), self._workers.now, self._trial_of)
            why = f"as many run as --sweep-max-concurrent or the executor allows, {self._policy.max_concurrent}: {workers}"
            return Wait("other trials to end", why)
        if self._capacity.place_when_empty(shape) is None:
            return self._too_large(shape)
        if self._reservations.place(shape) is not None:
            return _NO_WORKER
        reserved = self._reservations.reserved
        if reserved is not None and reserved[1] != shape and self._capacity.place(shape) is not None:
            nodes, owner = reserved
            trial = (
                self._ledger[self._ledger.queues[owner][0]].trial.name
                if self._ledger.queues.get(owner)
                else "another one"
            )
            why = f"{self._addresses(nodes)} is being emptied for {trial} ({_request(owner)}), which has waited for longer"
            return Wait(_request(shape), why)
        return self._held(shape)

    def _starting(self, worker: Worker) -> Wait:
        since, request = seconds_text(self._workers.now - worker.since), _request(worker.shape)
        where = self._addresses(worker.nodes)
        if not worker.is_granted:
            why = f"the cluster was asked for it on {where} {since} ago and has not granted it: what is not of this run may hold it"
            return Wait(request, why)
        return Wait("a worker that is starting", f"its worker on {where} has been starting for {since}")

    def _too_large(self, shape: Shape) -> Wait:
        """Explain a shape that no node that is there could hold: it was let in, so that one must be missing."""
        if not self._capacity.could_scale_to(shape):
            leaving = [node for node in self._capacity.node_ids if self._capacity.is_leaving(node)]
            excluded = [node for node in self._capacity.node_ids if node in self._capacity.excluded]
            drained = f" ({self._addresses(leaving)} is drained)" if leaving else ""
            broken = f" (no worker can be started on {self._addresses(excluded)})" if excluded else ""
            empty = ", even if empty" if self._capacity.suitable(shape) else ""
            why = f"no node that is there can hold it{empty}{drained}{broken}: it waits for one to join"
            return Wait(_request(shape), why)
        return Wait(
            "a node of the autoscaler",
            f"no node that is there can hold {_request(shape)}: the autoscaler was asked for one",
        )

    def _held(self, shape: Shape) -> Wait:
        """Explain a shape for which there is no room: which resource is missing where, and who holds it."""
        free = self._capacity.suitable(shape)
        if self._reservations.reserved is not None and self._reservations.reserved[1] == shape:
            free = {node: room for node, room in free.items() if node in self._reservations.reserved[0]}
        whole = {node: self._whole(node) for node in free}
        free = {node: room for node, room in free.items() if shape.resources.fits(whole[node])}
        if not free:
            return _NO_WORKER
        if shape.exclusive:
            node = min(free, key=self._load)
            why = f"a node ran out of memory with it; {self._holding([node], whole[node].as_dict())} part of {self._addresses([node])}"
            return Wait("a node for itself", why)
        if shape.placement.workers is not None:
            return self._gang_held(shape, free)
        node = min(free, key=lambda node: _distance(shape.resources, free[node]))
        lacking = missing(shape.resources, free[node])
        if not lacking and shape.needs_slot:
            why = f"{self._addresses([node])} runs as many trials without CPUs as it has CPUs"
            return Wait("a trial without CPUs to end", why)
        has, there = free[node].as_dict(), whole[node].as_dict()
        parts = joined(amount_text(name, max(has.get(name, 0.0), 0.0), there.get(name, 0.0)) for name in lacking)
        most = "" if len(free) == 1 else f", the most of {len(free)} nodes"
        why = f"{self._addresses([node])} has {parts} free{most}; {self._holding([node], lacking)} the rest"
        return Wait(_request(shape, lacking), why)

    def _gang_held(self, shape: Shape, free: dict[str, Resources]) -> Wait:
        count = shape.placement.bundles
        room = sum(int(min(max(shape.resources.how_often(size), 0), count)) for size in free.values())
        lacking = shape.resources.as_dict()
        if room < count:
            found = f"{room} of them would find room now"
        else:
            found = f"there is room for {room} of them now, but not as it is to be laid out"
        return Wait(_request(shape), f"{found}; {self._holding(free, lacking)} the rest")

    def _holding(self, nodes: Iterable[str], kinds: Iterable[str]) -> str:
        among, kinds = set(nodes), set(kinds)
        known = [node for node in map(self._capacity.node, among) if node is not None]
        others = Resources(cpu=0.0)
        for node in known:
            others = others.plus(node.taken)
        taken = {name: amount for name, amount in others.as_dict().items() if name in kinds and amount > 0}
        return holding(self._capacity.workers.values(), among, kinds, self._workers.now, self._trial_of, taken)

    def _trial_of(self, worker: Worker) -> str:
        key = next(iter(worker.batch), None)
        return "" if key is None else self._ledger[key].trial.name

    def _load(self, node: str) -> int:
        return self._capacity.load(node)

    def _whole(self, node: str) -> Resources:
        known = self._capacity.node(node)
        return Resources(cpu=0.0) if known is None else known.resources

    def _addresses(self, nodes: Iterable[str]) -> str:
        known = [self._capacity.node(node) for node in dict.fromkeys(nodes)]
        names = [node.address for node in known if node is not None]
        return f"node{'' if len(names) == 1 else 's'} {joined(names)}" if names else "a node that is gone"


def _request(shape: Shape, amounts: dict[str, float] | None = None) -> str:
    """Return what a worker of `shape` asks for; where `amounts` are given, of its resources only those."""
    text, placement = amounts_text(shape.resources.as_dict() if amounts is None else amounts), shape.placement
    if placement.workers is not None:
        return f"{placement} with {text} each"
    return f"{text} ({placement})" if placement.labels else text


def _distance(request: Resources, free: Resources) -> float:
    """Return how far `free` is from holding `request`: 0 where it does, 1 for each resource of which there is nothing."""
    there = free.as_dict()
    shares = (there.get(name, 0.0) / amount for name, amount in missing(request, free).items())
    return math.fsum(1 - max(share, 0.0) for share in shares)
