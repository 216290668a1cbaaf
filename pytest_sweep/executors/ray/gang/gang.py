"""The gang of a running trial: an actor in each bundle of the placement group that its session's process is in."""

from __future__ import annotations

import importlib.machinery
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import cloudpickle
import ray
from ray.util.placement_group import get_current_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from pytest_sweep import clock
from pytest_sweep.errors import GangError
from pytest_sweep.executors.ray.gang.member import CallOutcome, GangMember
from pytest_sweep.executors.ray.gang.ranks import environments
from pytest_sweep.executors.ray.workers.errors import brief
from pytest_sweep.executors.ray.workers.remote import ActorClasses
from pytest_sweep.model.trials import Trial
from pytest_sweep.wire.parcel import Parcel
from pytest_sweep.wire.spec import SessionSpec
from pytest_sweep.wire.threads import thread_variables
from pytest_sweep.worker.lending import Gang, Lender

T = TypeVar("T")

LOST_NODE_SECONDS = 60.0
"""How long a trial that has lost the node of one of its gang waits for the driver to end it: that is not the trial's own failure."""


class RayLender(Lender):
    """Lends a session on Ray what the cluster has.

    Args:
        spec: what the driver has said of sessions.
    """

    def __init__(self, spec: SessionSpec) -> None:
        super().__init__()
        self._spec = spec
        self._classes = ActorClasses()

    def gang(self, trial: Trial) -> Gang:
        """Return the gang of a trial that begins now.

        Raises:
            SweepError: it has none.
        """
        __tracebackhide__ = True
        return RayGang(trial, self._spec, self._classes) if trial.placement.workers is not None else super().gang(trial)

    def fetch(self, offer: Any) -> Parcel | None:
        """Return the value of a shared fixture, of which `offer` has Ray's reference; None where it is lost."""
        try:
            parcel = ray.get(offer[0])
        except ray.exceptions.ObjectLostError:
            return None
        assert isinstance(parcel, Parcel)
        return parcel


class RayGang:
    """See `pytest_sweep.worker.lending.Gang`.

    Args:
        trial: the trial that holds it.
        spec: what the driver has said of sessions.
        classes: makes the actor class of its workers.
    """

    def __init__(self, trial: Trial, spec: SessionSpec, classes: ActorClasses) -> None:
        self._spec = spec
        self._classes = classes
        self._resources = trial.resources
        self.world_size = trial.placement.bundles
        self._members: list[Any] = []
        self._places: list[tuple[str, str]] = []

    def run(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> list[T]:
        """Call ``function(rank, world_size, *args, **kwargs)`` on every worker; see `Gang.run`."""
        __tracebackhide__ = True
        packed = _pack(function, args, kwargs)
        try:
            self._start()
            port = ray.get(self._members[0].free_port.remote())
        except ray.exceptions.RayError as error:
            self.close()
            raise GangError(f"the workers of the gang did not start: {brief(error)}") from None
        shared = ray.put(packed)  # Once for all workers of a node.
        calls = {
            member.call.remote(shared, rank, self.world_size, environ): rank
            for rank, (member, environ) in enumerate(zip(self._members, environments(self._places, port), strict=True))
        }
        outcomes = self._wait(calls)
        return [cloudpickle.loads(outcomes[rank].returned) for rank in range(self.world_size)]

    def close(self) -> None:
        """End the workers, whatever they do."""
        for member in self._members:
            ray.kill(member)
        self._members = []

    def _start(self) -> None:
        if self._members:
            return
        group = get_current_placement_group()
        assert group is not None
        # Of the environment of this process, into which fixtures and Ray write, too, only what was granted is for the others.
        variables, cwd = thread_variables(self._spec.environ, max(1, int(self._resources.cpu))), str(Path.cwd())
        actor = self._classes.get(GangMember, variables)
        for bundle in range(self.world_size):
            # They hold no CPU, as the trial's own process: that is for the Ray tasks that they may start, in the same group.
            strategy = PlacementGroupSchedulingStrategy(group, bundle, placement_group_capture_child_tasks=True)
            options = {"num_cpus": 0, "num_gpus": self._resources.gpu, "scheduling_strategy": strategy}
            self._members.append(actor.options(**options).remote(self._spec, cwd, variables))
        self._places = ray.get([member.where.remote() for member in self._members])

    def _wait(self, calls: dict[Any, int]) -> dict[int, CallOutcome]:
        """Wait for all calls; end the gang at the first that fails, and raise what it raised."""
        __tracebackhide__ = True
        outcomes: dict[int, CallOutcome] = {}
        while calls:
            (reference,), _ = ray.wait(list(calls))
            rank = calls.pop(reference)
            try:
                outcome = ray.get(reference)
            except ray.exceptions.RayError as error:
                self._show(outcomes)
                self._lose(rank, error)
            outcomes[rank] = outcome
            if outcome.returned is None:
                self.close()
                self._show(outcomes)
                _raise(f"{self._name(rank)} failed", outcome)
        self._show(outcomes)
        return outcomes

    def _lose(self, rank: int, error: Exception) -> None:
        """End the gang that has lost a worker: with an error, or with this process if its node was lost."""
        __tracebackhide__ = True
        self.close()
        limit = clock.monotonic() + LOST_NODE_SECONDS
        while self._is_lost(self._places[rank][0]) and clock.monotonic() < limit:
            clock.pause(0.5)
        raise GangError(f"{self._name(rank)} died: {brief(error)}") from None

    def _is_lost(self, node: str) -> bool:
        return not any(its["Alive"] for its in ray.nodes() if its["NodeID"] == node)  # type: ignore[no-untyped-call]

    def _name(self, rank: int) -> str:
        return f"worker {rank} of {self.world_size} of the gang, on {self._places[rank][1]},"

    def _show(self, outcomes: dict[int, CallOutcome]) -> None:
        for rank in sorted(outcomes):
            for line in outcomes[rank].output.splitlines():
                print(f"[{rank}] {line}")


def _pack(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    """Pickle a call; by value where the workers could not import the function's module, as in pytest's import mode ``importlib``."""
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    top = "" if module is None else module.__name__.partition(".")[0]
    by_value = module is not None and top != "__main__" and importlib.machinery.PathFinder.find_spec(top) is None
    if by_value:
        cloudpickle.register_pickle_by_value(module)
    try:
        return bytes(cloudpickle.dumps((function, args, kwargs)))
    except Exception as error:
        raise GangError(
            f"what the gang is to run cannot be pickled ({type(error).__name__}: {error}): hand it plain values and functions of a module"
        ) from error
    finally:
        if by_value:
            cloudpickle.unregister_pickle_by_value(module)


def _raise(what: str, outcome: CallOutcome) -> None:
    __tracebackhide__ = True
    where = GangError(f"{what}:\n\n{outcome.trace}")
    if outcome.error is None:
        raise where
    try:
        error = cloudpickle.loads(outcome.error)
    except Exception:  # An exception whose constructor wants other arguments than it keeps.
        raise where from None
    raise error from where
