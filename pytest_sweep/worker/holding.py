"""Runs an item's whole protocol, as other plugins want it run, in a session that is shown the reports later."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Protocol

import pytest

_HELD = ("pytest_runtest_logstart", "pytest_runtest_logreport", "pytest_runtest_logfinish")
_RERUNS = "pytest_rerunfailures"
"""Would run a trial several times in one attempt. The engine tries again."""


class Take(Protocol):
    """Takes a report."""

    def __call__(self, report: pytest.TestReport, *, is_shown: bool) -> None:
        """Take a report, which has been shown already or has not."""


def run_protocol(item: pytest.Item, nextitem: Any, take: Take) -> None:
    """Call ``pytest_runtest_protocol``; the reports that it logs of the item go to `take`, and to no plugin."""
    with _held_back(item.config, take):
        _protocol(item)(item=item, nextitem=nextitem)


@contextlib.contextmanager
def _held_back(config: pytest.Config, take: Take) -> Iterator[None]:
    """Put our own in the place of the hooks that log. There is no way for a plugin to keep a call from the others."""
    relay, manager = config.hook, config.pluginmanager
    callers = {name: getattr(relay, name) for name in _HELD}
    held = {
        name: _Held(caller, take if name == "pytest_runtest_logreport" else None) for name, caller in callers.items()
    }
    of_subset = manager.subset_hook_caller

    def subset_hook_caller(name: str, remove_plugins: Any) -> Any:
        # By this, items get hooks without those of conftest files of other folders.
        return held[name] if name in held else of_subset(name, remove_plugins)

    for name, ours in held.items():
        setattr(relay, name, ours)
    manager.subset_hook_caller = subset_hook_caller  # type: ignore[method-assign]
    try:
        yield
    finally:
        del manager.subset_hook_caller
        for name, caller in callers.items():
            setattr(relay, name, caller)


class _Held:
    """Looks like the caller of a hook, and calls nobody, but for reports of subtests: pytest's own lose a part when they travel.

    Args:
        caller: what it stands for.
        take: takes the report, if it is given one.
    """

    def __init__(self, caller: Any, take: Take | None) -> None:
        self._caller = caller
        self._take = take

    def __call__(self, **arguments: Any) -> Any:
        if self._take is None:
            return []
        report = arguments["report"]
        is_held = type(report) is pytest.TestReport
        self._take(report, is_shown=not is_held)
        return [] if is_held else self._caller(**arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._caller, name)


def _protocol(item: pytest.Item) -> Callable[..., Any]:
    """Return what calls ``pytest_runtest_protocol`` of all plugins but pytest-rerunfailures."""
    manager, caller = item.config.pluginmanager, item.ihook.pytest_runtest_protocol
    reruns = [impl.plugin for impl in caller.get_hookimpls() if getattr(impl.plugin, "__name__", "") == _RERUNS]
    if not reruns:
        return caller
    meant = [impl.plugin for impl in caller.get_hookimpls()]
    others = [
        impl.plugin for impl in item.config.hook.pytest_runtest_protocol.get_hookimpls() if impl.plugin not in meant
    ]
    return partial(manager.subset_hook_caller("pytest_runtest_protocol", [*reruns, *others]))
