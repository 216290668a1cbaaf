"""Functions that the driver's main thread is to call, one for each message of a process; processes take turns. Thread-safe."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable


class Told:
    """Functions that wait for the main thread. Those of one source are taken in order, and sources by turns: none delays the others."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[object, deque[Callable[[], None]]] = OrderedDict()
        self._has_some = threading.Condition()

    def put(self, what: Callable[[], None], source: object = None) -> None:
        """Add a function, of the process `source`; from any thread."""
        with self._has_some:
            self._waiting.setdefault(source, deque()).append(what)
            self._has_some.notify()

    def take(self, timeout: float = 0.0) -> Callable[[], None] | None:
        """Return the next one; wait at most `timeout` seconds for it, and return None where there is none."""
        with self._has_some:
            if not self._waiting and (timeout <= 0 or not self._has_some.wait_for(lambda: self._waiting, timeout)):
                return None
            source, queue = self._waiting.popitem(last=False)
            what = queue.popleft()
            if queue:
                self._waiting[source] = queue  # Behind the others.
            return what
