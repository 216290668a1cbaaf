"""The actor between workers and driver. Its process starts with the run's first trials: it imports next to nothing.

What is in a message it does not know: events are bytes here.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Sequence

Message = tuple[str, Sequence[tuple[int, tuple[bytes, str, int, int]]]]
"""What a worker process has sent: its name, and numbered events as bytes, each with key, attempt and lease of its trial."""

MOST_BYTES = 64 * 2**20
"""How many bytes are held until the driver takes them. More is refused, and workers send it again later."""

MOST_OF_ONE = 16 * 2**20
"""How many bytes of one worker's process are held, so that there is room for others."""

MOST_TAKEN = 512 * 1024
"""After how many bytes the driver has its turn."""


MOST_ORDERS = 100
"""How many orders are held for a process that does not ask for them: it is dead, or ends. Older ones are of no use to it."""


class Mailbox:
    """Holds what workers have said until the driver takes it: what has arrived here survives the worker's death.

    In the other direction it holds orders for workers until they ask for them.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[Message]] = OrderedDict()
        self._bytes: Counter[str] = Counter()
        self._arrived = asyncio.Event()
        self._orders: defaultdict[str, _Orders] = defaultdict(_Orders)

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

    async def tell(self, name: str, order: bytes) -> None:
        """Leave an order for the process `name`."""
        self._orders[name].put(order)

    async def listen(self, name: str, wait: float) -> list[bytes]:
        """Return the orders for the process `name`, or wait at most `wait` seconds for one."""
        return await self._orders[name].take(wait)


class _Orders:
    """What one process is to be told, in order."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._arrived = asyncio.Event()

    def put(self, order: bytes) -> None:
        """Add an order."""
        self._waiting = [*self._waiting[1 - MOST_ORDERS :], order]
        self._arrived.set()

    async def take(self, wait: float) -> list[bytes]:
        """Return all orders, or wait at most `wait` seconds for one."""
        try:
            await asyncio.wait_for(self._arrived.wait(), wait)
        except asyncio.TimeoutError:
            return []
        self._arrived.clear()
        taken, self._waiting = self._waiting, []
        return taken


def _size(message: Message) -> int:
    return sum(len(packed[0]) for _, packed in message[1])
