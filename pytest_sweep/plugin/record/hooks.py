"""Calls our hooks on the driver and remembers which implementations failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_sweep.hookcalls import call_each


@dataclass(frozen=True)
class HookFailure:
    """An implementation that raised: the hook, the plugin, the first traceback, and how often."""

    hook: str
    plugin: str
    error: str
    count: int


class HookCaller:
    """Calls hooks so that one implementation that raises stops neither the others nor the run.

    Args:
        config: the session's configuration.
        interruptible: what an implementation runs in, so that Ctrl-C interrupts one that takes long.
    """

    def __init__(
        self, config: pytest.Config, interruptible: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> None:
        self._config = config
        self._interruptible = interruptible
        self._failures: dict[tuple[str, str], HookFailure] = {}

    @property
    def failures(self) -> list[HookFailure]:
        """What failed, each hook and plugin once."""
        return list(self._failures.values())

    def call(self, name: str, item: pytest.Item | None = None, **arguments: Any) -> None:
        """Call the hook `name`; with an item, only the ``conftest.py`` files that are in force for it."""
        if not self.is_implemented(name):
            return  # Three hooks a trial that nobody listens to: which files are in force for it need not be found out.
        relay = self._config.hook if item is None else item.ihook
        with self._interruptible():
            failed = call_each(relay, name, **arguments)
        for plugin, error in failed:
            self.note_failure(name, plugin, error)

    def is_implemented(self, name: str) -> bool:
        """Say whether anybody implements the hook `name`: what it needs is else not worth preparing."""
        return bool(getattr(self._config.hook, name).get_hookimpls())

    def is_asked_for(self, name: str, argument: str) -> bool:
        """Say whether anybody who implements the hook `name` takes this argument of it."""
        return any(argument in its.argnames for its in getattr(self._config.hook, name).get_hookimpls())

    def note_failure(self, hook: str, plugin: str, error: str) -> None:
        """Take note of a failure, here or in a worker; the first traceback of each hook and plugin is kept."""
        known: Mapping[tuple[str, str], HookFailure] = self._failures
        before = known.get((hook, plugin))
        first, count = (error, 1) if before is None else (before.error, before.count + 1)
        self._failures[hook, plugin] = HookFailure(hook, plugin, first, count)
