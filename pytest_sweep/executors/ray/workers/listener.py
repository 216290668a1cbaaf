"""Brings orders from the mailbox to the session that runs trials, in a thread of the worker's process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import ray
from ray.actor import ActorHandle

from pytest_sweep import clock
from pytest_sweep.executors.ray.workers.mailbox import Mailbox
from pytest_sweep.model.commands import WithinCall
from pytest_sweep.wire.messages import unpickled

LISTEN_SECONDS = 20.0
"""How long the mailbox keeps a question open for which it has no answer."""

RETRY_SECONDS = 1.0
"""After how long a mailbox that could not be reached is asked again."""

END_SECONDS = 1.0
"""How long the end of the process waits for the thread, which has nothing to do."""


class Listener:
    """Asks the mailbox for orders, from the first call that may be told some to the end of the process.

    Args:
        mailbox: the mailbox of the run.
        name: the name of this process there.
        hear: is told each order, in the thread.
    """

    def __init__(self, mailbox: ActorHandle[Mailbox], name: str, hear: Callable[[WithinCall], None]) -> None:
        self._mailbox: Any = mailbox
        self._name = name
        self._hear = hear
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="sweep-listener", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread, so that it does not wait for Ray while the process exits."""
        self._is_over = True
        self._mailbox.tell.remote(self._name, b"")
        self._thread.join(END_SECONDS)

    def _run(self) -> None:
        while not self._is_over:
            try:
                orders = ray.get(self._mailbox.listen.remote(self._name, LISTEN_SECONDS))
            except ray.exceptions.ActorDiedError:  # The run has ended, and this process ends, too.
                return
            except ray.exceptions.RayError:
                clock.pause(RETRY_SECONDS)
                continue
            for order in map(unpickled, filter(None, orders)):
                if isinstance(order, WithinCall):
                    self._hear(order)
