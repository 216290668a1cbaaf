"""What the slots of workers can do on Ray: placement groups, and actors in them. Lives in the conductor's thread; imports no Ray."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from pytest_sweep import clock
from pytest_sweep.executors.lifecycle import Slot
from pytest_sweep.executors.ray.workers.errors import brief, could_not_begin
from pytest_sweep.executors.ray.workers.process import RayProcess, when_ended
from pytest_sweep.executors.ray.workers.reservations import Bundle, Reservation, bundles_of, strategy_of
from pytest_sweep.executors.ray.workers.tools import RayTools
from pytest_sweep.executors.workers import note
from pytest_sweep.model import commands, events
from pytest_sweep.model.events import Death
from pytest_sweep.model.placement import Placement
from pytest_sweep.model.resources import Resources
from pytest_sweep.wire.calls import CallResult
from pytest_sweep.wire.lastwords import Ending


class RayPort:
    """The process of a worker, and what it holds.

    Args:
        tools: what all ports use.
        id: the worker's id.
        resources: what it holds, on each of its bundles.
        placement: how many bundles it has.
        bundles: the bundles of its placement group.
        strategy: how Ray lays them out.

    Attributes:
        home: the id of the node that its process is on, or was last; "" before that is known.
    """

    slot: Slot
    is_planned = True
    """Whether the engine knows what it holds, and where."""

    def __init__(
        self,
        tools: RayTools,
        id: str,  # noqa: A002
        resources: Resources,
        placement: Placement,
        bundles: Sequence[Bundle],
        strategy: str,
    ) -> None:
        self.home = ""
        self.resources = resources
        self.placement = placement
        self.reservation: Reservation | None = None
        self._tools = tools
        self._id = id
        self._bundles = bundles
        self._strategy = strategy
        self._asked = clock.monotonic()
        self._process: RayProcess | None = None

    @property
    def actor(self) -> Any:
        """Ray's handle of its process, or None."""
        return None if self._process is None else self._process.actor

    @property
    def nodes(self) -> tuple[str, ...]:
        """The node of each of its bundles."""
        return () if self.reservation is None else self._tools.groups.nodes_of(self.reservation)

    @property
    def unfit_nodes(self) -> tuple[str, ...]:
        """The node that its process was on, or was to be on."""
        return (self.home,) if self.home else ()

    def sentence(self, cause: str) -> str:
        """Return why it could not be started, with what was asked for."""
        waited = clock.monotonic() - self._asked
        return f"a worker ({self.resources}, asked for {waited:.0f} s ago) did not start: {cause}{self._tools.hint}"

    # What the slot asks for

    def reserve(self) -> None:
        """Ask for a placement group."""
        self._asked = clock.monotonic()
        self.reservation = self._tools.groups.reserve(
            self._bundles, self._strategy, self._on_reserved, is_planned=self.is_planned
        )

    def release(self) -> None:
        """Give the placement group back."""
        reservation, self.reservation = self.reservation, None
        if reservation is not None:
            self._tools.groups.release(reservation)

    def prepare(self) -> None:
        """Do nothing: a new process cannot have the GPUs of the old one before that has ended."""

    def spawn(self, birth: int) -> None:
        """Start an actor."""
        process = self._process = RayProcess(f"{self._id}#{birth}", partial(note, self.slot))
        self._tools.messages.expect(process)
        process.actor = self.start_actor(process)
        self._call(process.actor.up.remote(), self._on_up, process, birth)

    def start_actor(self, process: RayProcess) -> Any:
        """Return a new actor in the placement group."""
        assert self.reservation is not None
        return self._tools.spawner.start_in_group(process.name, self.reservation, self.resources, self.placement)

    def start(self) -> None:
        """Have it start its session."""
        process, birth = self._living()
        self._call(process.actor.start.remote(), self._on_started, process, birth)

    def send(self, order: Any) -> None:
        """Hand it trials."""
        process, birth = self._living()
        _, (batch, offers) = order
        self._call(process.actor.run.remote(batch, offers), self._on_ran, process, birth)

    def tell(self, order: commands.WithinCall) -> None:
        """Leave an order in the mailbox, where a thread of the process asks for it: its main thread is busy."""
        self._tools.messages.tell(self._living()[0], order)

    def finish(self) -> None:
        """Have it end its session."""
        process, birth = self._living()
        self._call(process.actor.finish.remote(), self._on_finished, process, birth)

    def exit(self) -> None:
        """Have it run its exit handlers, then end."""
        process, birth = self._living()
        self._call(process.actor.leave.remote(), self._on_left, process, birth)

    def kill(self, *, shows_stacks: bool = True) -> None:
        """Have it show its stacks, if wanted, then kill it."""
        process, birth = self._living()

        def end() -> None:
            self._tools.spawner.kill(process.actor)
            # Nothing else may tell of its end, where no call is under way.
            self._die(process, birth, None)

        if shows_stacks and process.pid and any(node.id == process.home for node in self._tools.desk.nodes):
            self._tools.postmortem.request_stacks(process, end)
        else:  # Nobody there can be asked.
            end()

    def drop(self) -> None:
        """Kill it at once."""
        process, self._process = self._process, None
        if process is not None:
            self._tools.messages.forget(process)
            self._tools.spawner.kill(process.actor)

    # What Ray answers

    def _on_reserved(self, error: Exception | None) -> None:
        if error is not None:
            self.slot.on_not_reserved(f"Ray did not grant what it asks for: {error}")
            return
        self.on_granted()
        self.slot.on_reserved()

    def on_granted(self) -> None:
        """Take note of where the placement group is."""
        self.home = self.nodes[0]
        self._tools.desk.say(events.WorkerStarting(self._id, is_granted=True))

    def _on_up(self, process: RayProcess, birth: int, answer: tuple[int, str] | None, error: Exception | None) -> None:
        if answer is None:
            self._not_up(birth, error)
        else:
            process.pid, process.home = answer
            self.home = process.home
            self.slot.on_up(birth, self._tools.clock.now)

    def _not_up(self, birth: int, error: Exception | None) -> None:
        is_lost = "node has died" in str(error) or all(node.id != self.home for node in self._tools.desk.nodes)
        cause = "killed" if error is None else brief(error)
        ending = Ending(cause, Death.NODE_LOST if is_lost else Death.CRASH)
        self.slot.on_gone(birth, ending, may_retry=not could_not_begin(error))

    def _on_started(self, process: RayProcess, birth: int, result: CallResult | None, error: Exception | None) -> None:
        if result is None:
            self._die(process, birth, error)
        else:
            self._tools.messages.complete(process, result, partial(self.slot.on_started, birth, result))

    def _on_ran(self, process: RayProcess, birth: int, result: CallResult | None, error: Exception | None) -> None:
        if result is None:
            self._die(process, birth, error)
        else:
            self._tools.messages.complete(process, result, partial(self.slot.on_answer, birth, result))

    def _on_finished(self, process: RayProcess, birth: int, result: CallResult | None, error: Exception | None) -> None:
        if result is None:
            self._die(process, birth, error)
        else:
            then = partial(self._finished, birth)
            self._tools.messages.complete(process, result, then)

    def _finished(self, birth: int) -> None:
        self.slot.on_finished(birth, self._tools.clock.now)

    def _on_left(self, process: RayProcess, birth: int, result: CallResult | None, error: Exception | None) -> None:
        if result is None:
            self._die(process, birth, error)
        else:
            self._tools.messages.complete(process, result, partial(self._exit, process, birth))

    def _exit(self, process: RayProcess, birth: int) -> None:
        self._call(process.actor.exit.remote(), self._on_exited, process, birth)

    def _on_exited(self, process: RayProcess, birth: int, _: object, __: Exception | None) -> None:
        """Ray has let go of the process, which flushes its files now; where Ray is ours, it would be killed if Ray ended meanwhile."""
        gone = partial(self._tools.desk.tell, self.slot.on_gone, birth, Ending("it exited"))
        if process.home != self._tools.spawner.here:
            gone()
        elif self.slot.is_stopping and not self.resources.gpu:
            # Its exit handlers have run and its files are written. While Python and Ray tidy up in it, the run goes on to its end.
            self._tools.exiting.add(process.pid)
            self._tools.messages.forget(process)
            self._process = None
            gone()
        else:
            threading.Thread(target=when_ended, args=(process.pid, gone), daemon=True).start()

    # Inside

    def _living(self) -> tuple[RayProcess, int]:
        assert self._process is not None
        return self._process, self.slot.birth

    def _call(self, reference: Any, message: Callable[..., None], process: RayProcess, birth: int) -> None:
        self._tools.desk.when_done(reference, message, process, birth)

    def _die(self, process: RayProcess, birth: int, error: Exception | None) -> None:
        """Find out how a process died, once, and tell it when all that it had said has been passed on."""
        if process.is_dying or birth != self.slot.birth:
            return
        process.is_dying = True
        if not process.pid:
            self._not_up(birth, error)
            return

        def examined(ending: Ending) -> None:
            then = partial(self.slot.on_gone, birth, ending)
            self._tools.messages.after_death(process, ending.unheard, then)

        self._tools.postmortem.examine(process, error, examined)


class WorkerRayPort(RayPort):
    """The process of a worker that the engine knows of."""

    @classmethod
    def of(cls, tools: RayTools, command: commands.StartWorker) -> WorkerRayPort:
        """Return the port of a worker that the engine wants."""
        bundles, strategy = bundles_of(command), strategy_of(command)
        return cls(tools, command.worker, command.resources, command.placement, bundles, strategy)

    def reserve(self) -> None:
        """Ask for a placement group; people are told while it is not granted."""
        self._tools.desk.say(events.WorkerStarting(self._id, is_granted=False))
        super().reserve()
