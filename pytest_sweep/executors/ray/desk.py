"""The conductor as those see it who work in its thread. Knows none of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from pytest_sweep.model.events import Event, Node


class Desk(Protocol):
    """Where everything that is done in the conductor's thread is asked for, and where its outcome is told."""

    nodes: tuple[Node, ...]
    """The nodes that there are."""

    def say(self, event: Event) -> None:
        """Tell the engine of an event."""

    def tell(self, message: Callable[..., None], *arguments: Any) -> None:
        """Have `message` called in the conductor's thread, with these arguments."""

    def when_done(self, reference: Any, message: Callable[..., None], *arguments: Any) -> None:
        """Have `message` called in the conductor's thread with the result and the error of `reference`, one of them None."""
