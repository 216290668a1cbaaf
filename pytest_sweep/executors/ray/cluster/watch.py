"""Watches the cluster: which nodes there are, and whether the head answers at all.

Without a head Ray ends this process after a minute, from C++, with nothing said; and whoever asks it something meanwhile waits for
that minute. So the asking is done here, in threads of its own, and given up well before.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from pytest_sweep import clock
from pytest_sweep.executors.ray.cluster.probe import probe
from pytest_sweep.model.events import Node

LOOK_SECONDS = 2.0
"""How often it is asked: a node that joins is to be used within ten seconds, most of which its first process takes to start."""

PROBE_SECONDS = 5.0
"""How long an answer is waited for."""

LOST_SECONDS = 25.0
"""After how long without an answer the head is given up, so that there is time to store and show what there is."""


class ClusterWatch(threading.Thread):
    """Asks the head every few seconds.

    Args:
        address: of the head's control store.
        list_nodes: asks it for the nodes; may wait long, in a thread that nobody waits for.
        on_nodes: called in that thread with the nodes, each time.
        on_loss: called once, in this thread, with how many seconds the head has not answered.
    """

    def __init__(
        self,
        address: str,
        list_nodes: Callable[[], tuple[Node, ...]],
        on_nodes: Callable[[tuple[Node, ...]], None],
        on_loss: Callable[[float], None],
    ) -> None:
        super().__init__(name="sweep-ray-watch", daemon=True)
        self._address = address
        self._list_nodes = list_nodes
        self._on_nodes = on_nodes
        self._on_loss = on_loss
        self._stopped = threading.Event()
        self._asking: threading.Thread | None = None

    def stop(self) -> None:
        """Watch no more."""
        self._stopped.set()

    def run(self) -> None:
        """Ask until it is stopped, or the head is lost."""
        answered = clock.monotonic()
        while not self._stopped.wait(LOOK_SECONDS):
            if self._answers():
                answered = clock.monotonic()
                self._ask_for_nodes()
            elif clock.monotonic() - answered >= LOST_SECONDS and not self._stopped.is_set():
                self._on_loss(clock.monotonic() - answered)
                return

    def _ask_for_nodes(self) -> None:
        # The head may die between its answer to the probe and this question, which would then be waited for: one at a time.
        if self._asking is None or not self._asking.is_alive():
            self._asking = threading.Thread(target=self._tell_nodes, daemon=True, name="sweep-ray-nodes")
            self._asking.start()

    def _tell_nodes(self) -> None:
        # Where the head has gone meanwhile, or we leave, the next question tells.
        with contextlib.suppress(Exception):
            self._on_nodes(self._list_nodes())

    def _answers(self) -> bool:
        with contextlib.suppress(Exception):
            probe(self._address, PROBE_SECONDS)
            return True
        return False
