"""The conductor as those see it who work in its thread. Knows none of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from pytest_sweep.model.events import Event, Node


class Desk(Protocol):
    """Where everything that is done in the conductor's thread is asked for, and where its outcome is told."""

    nodes: tuple[Node, ...]
    """The nodes that there are."""

    @property
    def is_full(self) -> bool:
        """Whether so much waits to be read by the driver's main thread that no more is to be fetched."""

    def say(self, event: Event, size: int = 0) -> None:
        """Tell the engine of an event, which came as so many bytes."""

    def tell(self, message: Callable[..., None], *arguments: Any) -> None:
        """Have `message` called in the conductor's thread, with these arguments."""

    def when_done(self, reference: Any, message: Callable[..., None], *arguments: Any) -> None:
        """Have `message` called in the conductor's thread with the result and the error of `reference`, one of them None."""
