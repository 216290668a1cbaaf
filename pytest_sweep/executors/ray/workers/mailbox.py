"""The actor between workers and driver. Its process starts with the run's first trials: it imports next to nothing.

What is in a message it does not know: events are bytes here.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Sequence

Message = tuple[str, Sequence[tuple[int, tuple[bytes, str, int, int]]]]
"""What a worker process has sent: its name, and numbered events as bytes, each with key, attempt and lease of its trial."""

MOST_BYTES = 64 * 2**20
"""How many bytes are held until the driver takes them. More is refused, and workers send it again later."""

MOST_OF_ONE = 16 * 2**20
"""How many bytes of one worker's process are held, so that there is room for others."""

MOST_TAKEN = 512 * 1024
"""After how many bytes the driver has its turn."""


class Mailbox:
    """Holds what workers have said until the driver takes it: what has arrived here survives the worker's death."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[Message]] = OrderedDict()
        self._bytes: Counter[str] = Counter()
        self._arrived = asyncio.Event()

    async def put(self, message: Message) -> bool:
        """Leave a message; return whether there was room for it."""
        name = message[0]
        if self._bytes.total() >= MOST_BYTES or self._bytes[name] >= MOST_OF_ONE:
            return False
        self._waiting.setdefault(name, deque()).append(message)
        self._bytes[name] += _size(message)
        self._arrived.set()
        return True

    async def take(self, wait: float) -> tuple[list[Message], frozenset[str]]:
        """Return messages, of each process in turn, and the names of those that have more; wait at most `wait` seconds for one."""
        try:
            await asyncio.wait_for(self._arrived.wait(), wait)
        except asyncio.TimeoutError:
            return [], frozenset()
        taken: list[Message] = []
        size = 0
        while self._waiting and size < MOST_TAKEN:
            name, messages = self._waiting.popitem(last=False)
            taken.append(messages.popleft())
            size += _size(taken[-1])
            self._bytes[name] -= _size(taken[-1])
            if messages:
                self._waiting[name] = messages  # Behind the others.
            else:
                del self._bytes[name]
        if not self._waiting:
            self._arrived.clear()
        return taken, frozenset(self._waiting)


def _size(message: Message) -> int:
    return sum(len(packed[0]) for _, packed in message[1])
