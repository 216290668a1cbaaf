"""The executor ray, as the engine sees it. Imports no Ray; the conductor's thread does."""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from pytest_sweep import clock
from pytest_sweep.executors.phases import CUT_OFF_SECONDS
from pytest_sweep.executors.ray.cluster.importing import let_loggers_be_listed
from pytest_sweep.executors.ray.code.visibility import PROBE_SECONDS
from pytest_sweep.executors.ray.conductor import Conductor
from pytest_sweep.executors.ray.options import RayOptions
from pytest_sweep.model import commands, events
from pytest_sweep.model.events import Event
from pytest_sweep.model.resources import Resources
from pytest_sweep.model.trials import Task
from pytest_sweep.wire.spec import SessionSpec

GRANTED = frozenset({
    "ASCEND_RT_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "HABANA_VISIBLE_MODULES", "HIP_VISIBLE_DEVICES", "NEURON_RT_VISIBLE_CORES",
    "ONEAPI_DEVICE_SELECTOR", "TPU_VISIBLE_CHIPS", "ZE_AFFINITY_MASK",
})  # fmt: skip
"""The variables by which Ray tells a process which accelerators it was granted: the driver's own would undo that."""

WAIT_SECONDS = 0.5
"""How long this thread waits at a time."""

POLL_SECONDS = 0.05
"""Likewise, for what takes tenths of a second."""


class RayExecutor:
    """Runs trials in actors of Ray, each in a placement group that is kept for the next trial of the same shape.

    Args:
        options: how Ray is started or joined.
    """

    name = "ray"
    can_kill = True
    can_gang = True
    starts_slowly = True
    max_concurrent: int | None = None
    advice = ""

    def __init__(self, options: RayOptions) -> None:
        self._options = options
        self._conductor = Conductor(options)
        self._started = False

    def prepare(self) -> None:
        """Begin to start Ray, or to join the cluster, in the background."""
        if not self._started:
            self._started = True
            let_loggers_be_listed()
            self._conductor.start()

    def starting(self) -> str:
        """Return ``Starting Ray...``, or which cluster is joined; empty when that is done, and if this process has a Ray already."""
        # Another thread may be importing it: then it has not all of its names.
        is_there = getattr(sys.modules.get("ray"), "is_initialized", bool)
        if self._conductor.ready.is_set() or is_there():
            return ""
        address = self._options.address
        return "Starting Ray..." if address is None else f"Joining the Ray cluster at {address}..."

    def nodes(self) -> Sequence[events.Node]:
        """Wait until Ray is up and return its nodes."""
        self.prepare()
        while not self._conductor.ready.wait(WAIT_SECONDS):
            pass  # In steps, so that Ctrl-C ends it everywhere.
        if self._conductor.failure is not None:
            raise self._conductor.failure
        return self._conductor.nodes

    def expected_nodes(self) -> Sequence[Resources]:
        """Return this machine for a Ray that is started for the run; GPUs only as many as the options say, since Ray finds them later."""
        if self._options.address is not None:
            return ()
        cpus = self._options.num_cpus or os.cpu_count() or 1
        return [Resources(float(cpus), float(self._options.num_gpus or 0), psutil.virtual_memory().total)]

    def future_nodes(self) -> Sequence[Resources]:
        """Return the node types of the cluster's autoscaler; none for a local Ray."""
        self.nodes()
        return self._conductor.future_nodes

    def unshared(self, path: str) -> Sequence[str]:
        """Ask every node, where there are several."""
        if len(self.nodes()) < 2:
            return ()
        answer: queue.SimpleQueue[Sequence[str]] = queue.SimpleQueue()
        self._conductor.tell(self._conductor.find_blind_nodes, Path(path), answer.put)
        try:
            return answer.get(timeout=2 * PROBE_SECONDS)
        except queue.Empty:  # Ray does not answer: that is heard of elsewhere.
            return ()

    def open(self, spec: SessionSpec, items: Mapping[str, Any]) -> None:  # noqa: ARG002 - workers collect their own
        """Take the spec of the hosted sessions."""
        self.nodes()
        environ = {name: value for name, value in spec.environ.items() if name not in GRANTED}
        self._conductor.tell(self._conductor.open, replace(spec, environ=environ))

    def judge_by(self, decide: Callable[[], None]) -> None:
        """Do nothing: what trials report arrives while they run."""

    def execute(self, command: commands.ExecutorCommand, tasks: Sequence[Task] = ()) -> None:
        """Pass a command on to the conductor."""
        self._conductor.tell(self._conductor.execute, command, tasks)

    def events(self, timeout: float) -> Sequence[events.Event]:
        """Return what the conductor has heard."""
        first = self._conductor.take(timeout)
        return [] if first is None else [first, *self.arrived()]

    def arrived(self) -> Sequence[Event]:
        """Return what the conductor has heard by now."""
        arrived: list[Event] = []
        while (event := self._conductor.take()) is not None:
            arrived.append(event)
        return arrived

    def cut_off(self) -> Sequence[Event]:
        """Have the conductor end the processes that run trials, and return what they have said by then."""
        done = threading.Event()
        self._conductor.tell(self._conductor.cut_off, done.set)
        deadline = clock.monotonic() + CUT_OFF_SECONDS
        said: list[Event] = []
        while self._conductor.is_alive() and clock.monotonic() < deadline and not done.wait(POLL_SECONDS):
            said += self.arrived()  # Else no more mail would be fetched, where there is much of it.
        return [*said, *self.arrived()]

    def shutdown(self, *, force: bool) -> None:
        """Have the conductor leave Ray; with `force`, after ending every worker."""
        if self._started:
            self._conductor.tell(self._conductor.leave, force)

    def join(self) -> None:
        """Wait until Ray has ended, or the connection to it.

        Not where its head is lost, nor while it is still being started or joined, which may take Ray minutes: that ends with this process.
        """
        if not self._started:
            return
        conductor = self._conductor
        if not conductor.ready.is_set():
            conductor.abandon()
        while conductor.is_alive() and conductor.ready.is_set() and not conductor.has_lost_head:
            conductor.join(WAIT_SECONDS)

    def describe(self) -> str:
        """Return what the status block says of it: ``ray, 2 nodes at 10.0.0.1:6379``."""
        count = len(self._conductor.nodes)
        where = "started for this run" if self._options.address is None else f"at {self._options.address}"
        what = f"ray, {count} node{'' if count == 1 else 's'} ({where})"
        return "; ".join(filter(None, [what, self._conductor.note]))
