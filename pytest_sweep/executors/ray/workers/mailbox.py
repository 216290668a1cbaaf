"""The actor between workers and driver. Its process starts with the run's first trials: it imports next to nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

Message = tuple[str, Sequence[tuple[int, Any]]]
"""What a worker process has sent: its name and numbered events."""


class Mailbox:
    """Holds what workers have said until the driver takes it: what has arrived here survives the worker's death."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._arrived = asyncio.Event()

    async def put(self, message: Message) -> None:
        """Leave a message."""
        self._messages.append(message)
        self._arrived.set()

    async def take(self, wait: float) -> list[Message]:
        """Return all messages, or wait at most `wait` seconds for one."""
        try:
            await asyncio.wait_for(self._arrived.wait(), wait)
        except asyncio.TimeoutError:
            return []
        self._arrived.clear()
        messages, self._messages = self._messages, []
        return messages
