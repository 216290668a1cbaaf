"""Decides which workers are started, which make room for others, and which are withdrawn. Knows of trials only how many wait.

The policy: a worker that is warm gets the next trial of its own shape; one without work makes room for another shape at once; a
shape that has had no worker for `Policy.patience` seconds gets a node emptied for it, as far as it needs, while the others go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

from pytest_sweep.engine.clearing import Clearing
from pytest_sweep.engine.demand import Demand
from pytest_sweep.engine.policy import Policy
from pytest_sweep.engine.reserving import Reservations
from pytest_sweep.engine.sketch import Sketch
from pytest_sweep.engine.trials import Ledger
from pytest_sweep.engine.worker import Shape, Worker, WorkerState
from pytest_sweep.engine.workers import Workers
from pytest_sweep.model.events import Node
from pytest_sweep.wire.messages import warning

MOST_FAILED = 5
"""On how many nodes that an autoscaler has added no worker may start before no more are asked for."""


def _is_added(worker: Worker, first: frozenset[str] | None) -> bool:
    """Say whether a worker is on a node that was not there at the start."""
    return not set(worker.nodes) <= (first or frozenset())


class Staffing:
    """Sees that every shape in demand has workers.

    Args:
        policy: the engine's settings.
        ledger: knows what waits for each shape of worker.
        workers: orders the workers.

    Attributes:
        workers: the workers.
        demand: the shapes that are wanted.
        reservations: the nodes that are being emptied for one of them.
    """

    def __init__(self, policy: Policy, ledger: Ledger, workers: Workers) -> None:
        self.workers = workers
        self.capacity = workers.capacity
        self.demand = Demand(ledger.queues, workers.capacity)
        self.reservations = Reservations(policy, ledger, workers, self.demand)
        self._clearing = Clearing(ledger, workers, self.demand, self.reservations)
        self._policy = policy
        self._ledger = ledger
        self._first_nodes: frozenset[str] | None = None

    # Nodes and time

    def set_nodes(self, nodes: Iterable[Node]) -> None:
        """Take note of the nodes that there are now: what waits for one that is gone, waits no more."""
        drained = {node for node in self.capacity.node_ids if self.capacity.is_leaving(node)}
        self.capacity.set_nodes(nodes)
        if self._first_nodes is None:
            self._first_nodes = frozenset(self.capacity.node_ids)
        self.reservations.check()
        for worker in list(self.capacity.workers.values()):
            if worker.state is WorkerState.BUSY:
                # Its process may live on: behind a cut link, on a node that was drained, or with one of its gang on a lost one.
                if self.workers.is_stranded(worker):
                    self.workers.kill(worker, moves=not drained.isdisjoint(worker.nodes))
            elif worker.state in (WorkerState.STARTING, WorkerState.IDLE) and (
                self.workers.is_stranded(worker) or self.workers.is_leaving(worker)
            ):
                self.workers.stop(worker)

    def exclude(self, node: str, cause: str) -> None:
        """Begin nothing on `node` any more; what runs there goes on."""
        self.capacity.exclude(node, cause)
        self.reservations.check()
        for worker in self.capacity.in_state(WorkerState.STARTING):
            if node in worker.nodes:
                self.workers.stop(worker)
        self._stop_scaling()

    def _stop_scaling(self) -> None:
        """Ask for no more nodes where no worker starts on any that was added: the next ones would be like them."""
        added = self.capacity.excluded.keys() - (self._first_nodes or ())
        works = (w for state in (WorkerState.IDLE, WorkerState.BUSY) for w in self.capacity.in_state(state))
        if not self.capacity.future or len(added) < MOST_FAILED or any(_is_added(w, self._first_nodes) for w in works):
            return
        self.capacity.future = ()
        self._ledger.record(
            warning(
                f"the autoscaler is asked for no more nodes: no worker could be started on the {len(added)} that it has added. The first "
                f"cause: {next(cause for node, cause in self.capacity.excluded.items() if node in added)}"
            )
        )

    def tick(self, horizon: float) -> bool:
        """Release workers that have idled too long, withdraw those that are not granted, empty a node for who has waited too long.

        Args:
            horizon: the time up to which all that has happened was told.

        Returns:
            Whether there may be more room for others than before.
        """
        for worker in self.capacity.in_state(WorkerState.IDLE):
            # Where something waits for it, that is a slot whose configuration is being chosen.
            has_idled_long = (
                horizon - worker.since >= self._policy.idle_release and worker.shape not in self._ledger.queues
            )
            if has_idled_long or self.reservations.must_yield(worker):
                self.workers.stop(worker)
        has_changed = self._withdraw(horizon)
        return self.reservations.tick() or has_changed

    def note_start(self, worker: Worker, *, is_granted: bool) -> None:
        """Note whether the cluster has granted what a starting worker holds."""
        if worker.is_granted != is_granted:
            worker.is_granted, worker.since = is_granted, self.workers.now
        if is_granted:
            self.capacity.refuse(worker.nodes, is_refused=False)

    # Starting

    def meet_demand(self, idle: Iterable[Worker] = ()) -> None:
        """Start workers for what waits, or clear idle ones away to make room; `idle` are those that have just become so."""
        for changed in (self._ledger.grown, self.workers.changed):
            for shape in changed:
                self.demand.note(shape, self.workers.now)
            changed.clear()
        gained = list(self.capacity.gained)
        if self._serve_fresh():
            self._serve_gained()
        if self.demand:
            self._clearing.make_room(idle, gained)
        self.capacity.due.clear()

    def _serve_fresh(self) -> bool:
        """Start workers of the shapes that are new; return whether more may be started."""
        if self.reservations.is_full:
            return False
        demand, roof = self.demand, None
        are_all_new = len(demand.fresh) == len(demand)
        for shape in list(demand.fresh):
            if roof is None or shape.resources.fits(roof):
                if not self._serve(shape):
                    return False
                if demand.lacking(shape) > 0:
                    roof = self.capacity.most_free()  # The next ones may ask for more than any node has.
            demand.fresh.pop(shape, None)
        if are_all_new:
            self.capacity.gained.clear()
        return not self.reservations.is_full

    def _serve_gained(self) -> None:
        """Start workers on the nodes that have gained room."""
        gained, before = self.capacity.gained, None
        while self.demand and gained and before != (before := (len(self.demand), len(self.capacity.workers))):
            nodes, count = self.capacity.with_room(gained, self.demand.least_cpu), len(self.capacity.workers)
            # First those that the room was made for.
            for shape in chain(list(self.capacity.due), self.demand.candidates()):
                if len(self.capacity.workers) != count:
                    nodes, count = self.capacity.with_room(gained, self.demand.least_cpu), len(self.capacity.workers)
                if not nodes:
                    break
                # A gang may need a node that has had room for some time, too.
                if not self._serve(shape, nodes if shape.placement.bundles == 1 else None):
                    return
        gained.clear()

    def _serve(self, shape: Shape, nodes: Sequence[str] | None = None) -> bool:
        """Start as many workers of `shape` as are wanted and find room; return False where the policy allows no more."""
        while self.demand.lacking(shape) > 0:
            if self.reservations.is_full:
                return False
            where = self.reservations.place(shape, nodes)
            if where is None:
                return True
            if self.reservations.reserved is not None and self.reservations.reserved[1] == shape:
                self.reservations.release()
            self.demand.served(shape)
            self.workers.start(shape, where)
        self.demand.drop(shape)
        return True

    def go_on(self, worker: Worker) -> None:
        """Give `worker` a new process, if there is work for it; stop it otherwise."""
        is_wanted = worker.shape in self._ledger.queues and all(map(self.capacity.may_use, worker.nodes))
        if is_wanted and not self.reservations.must_yield(worker):
            self.workers.restart(worker)
        else:
            self.workers.stop(worker)

    # What is not granted

    def _withdraw(self, horizon: float) -> bool:
        """Withdraw starting workers that the cluster does not grant, where they stand in the way; return whether there are any.

        Others hold what `Node.taken` did not say. A worker that could be nowhere else stays where it is, and waits.
        """
        late = [
            worker
            for worker in self.capacity.in_state(WorkerState.STARTING)
            if not worker.is_granted and horizon - worker.since >= self._policy.grant_patience
        ]
        sketch, without_room = Sketch(self.capacity), set[Shape]()
        for worker in late:
            if not worker.is_stuck:
                self.capacity.stick(worker)
                self.capacity.refuse(worker.nodes)
                self.demand.note(worker.shape, self.workers.now)
        for worker in late:
            if worker.shape not in without_room:
                others = [n for n in self.reservations.allowed(worker.shape) if n not in self.capacity.refused]
                where = sketch.place(worker.shape, others)
                if where is not None:
                    sketch.hold(worker.shape, where)
                    self.workers.stop(worker)
                    continue
                without_room.add(worker.shape)
            if any(map(self.capacity.is_overfull, worker.nodes)) or self._blocks_others(worker):
                self.workers.stop(worker)
        return bool(late)

    def _blocks_others(self, worker: Worker) -> bool:
        """Say whether another shape could have a worker if `worker` were not counted."""
        return self.reservations.is_full and any(
            self.reservations.place(shape) is not None for shape in self.demand.oldest() if shape != worker.shape
        )
