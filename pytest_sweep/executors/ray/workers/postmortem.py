"""Finds out how a worker of Ray's died, with a helper on its node. Lives in the conductor's thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_sweep.executors.groups import end_group
from pytest_sweep.executors.ray.desk import Desk
from pytest_sweep.executors.ray.workers.errors import brief, is_unavailable
from pytest_sweep.executors.ray.workers.process import RayProcess
from pytest_sweep.model.events import Death
from pytest_sweep.wire.lastwords import Ending, Found, examine

if TYPE_CHECKING:  # Imports Ray.
    from pytest_sweep.executors.ray.workers.spawn import Spawner

HELPER_SECONDS = 20.0
"""How long a helper is waited for: its process has to start, on a node that may be gone."""

NODE_LOST = Ending("its node was lost", Death.NODE_LOST)

_SIGNALS = {
    "Segmentation fault": "SIGSEGV",
    "Aborted": "SIGABRT",
    "Bus error": "SIGBUS",
    "Illegal instruction": "SIGILL",
    "Floating": "SIGFPE",
}


class Postmortem:
    """Asks the helpers, which are started where one is needed: most runs need none.

    Args:
        desk: the conductor.
        spawner: starts and ends helpers.
        folder: the run's folder for temporary files on this machine.
    """

    def __init__(self, desk: Desk, spawner: Spawner, folder: str) -> None:
        self._folder = folder
        self._desk = desk
        self._spawner = spawner
        self._helpers: dict[str, Any] = {}

    def request_stacks(self, worker: RayProcess, then: Callable[[], None]) -> None:
        """Have a worker that is stuck show its stacks, then do `then`, in any case."""
        self._ask(worker, "request_stacks", lambda _: then())

    def examine(self, worker: RayProcess, error: Exception | None, then: Callable[[Ending], None]) -> None:
        """Find out how a worker died whose call ended with `error`, and pass it to `then`."""

        def examined(found: Found | None) -> None:
            # Where Ray only says that it does not reach the process, and nobody answers on its node, it is the node that is gone:
            # Ray itself is sure of that a minute later.
            if found is None and (is_unavailable(error) or not self._has_node(worker)):
                then(NODE_LOST)
            else:
                known = found or Found()
                then(replace(_ending(error, known), unheard=known.unheard, sections=known.sections))

        if "node has died" in str(error) or not self._has_node(worker):
            then(NODE_LOST)
        elif worker.home == self._spawner.here:
            # On this machine no helper is needed, whose process would have to be started.
            threading.Thread(target=self._examine_here, args=(worker.pid, examined), daemon=True).start()
        else:
            self._ask(worker, "examine", examined)

    def _examine_here(self, pid: int, then: Callable[[Found | None], None]) -> None:
        end_group(pid)
        self._desk.tell(then, examine(self._folder, pid))

    def leave(self) -> None:
        """End the helpers."""
        for helper in self._helpers.values():
            self._spawner.kill(helper)
        self._helpers.clear()

    def _has_node(self, worker: RayProcess) -> bool:
        return any(node.id == worker.home for node in self._desk.nodes)

    def _ask(self, worker: RayProcess, question: str, then: Callable[[Any], None]) -> None:
        """Ask the helper of the worker's node, and go on without an answer where none comes."""
        if worker.home not in self._helpers:
            self._helpers[worker.home] = self._spawner.start_helper(worker.home)
        waiting = [then]

        def answered(answer: Any, error: Exception | None = None) -> None:
            if error is not None:
                # It has died, or could not start: the next question gets another one.
                self._helpers.pop(worker.home, None)
            timer.cancel()
            if waiting:
                waiting.pop()(answer)

        timer = threading.Timer(HELPER_SECONDS, self._desk.tell, [answered, None])
        timer.daemon = True
        timer.start()
        reference = getattr(self._helpers[worker.home], question).remote(worker.pid)
        self._desk.when_done(reference, answered)


def _ending(error: Exception | None, found: Found) -> Ending:
    """Put together what Ray knows, what faulthandler wrote, and what the kernel says."""
    stacks = found.stacks
    if error is None:  # By us.
        return Ending("killed", stacks=stacks)
    if type(error).__name__ == "OutOfMemoryError":
        return Ending(brief(error), Death.OUT_OF_MEMORY, stacks)
    for words, name in _SIGNALS.items():
        if f"Fatal Python error: {words}" in stacks:
            return Ending(f"killed by {name}", stacks=stacks)
    if type(error).__name__ == "ActorDiedError":
        return found.killed("killed" if found.was_out_of_memory else brief(error))
    return Ending(brief(error), stacks=stacks)
