"""Imports Ray in a thread, while another runs the session."""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from typing import Any


class _Listed(dict[str, Any]):
    """A dict that may grow while somebody iterates over it: each view is one of what was there."""

    def keys(self) -> Any:
        return dict.copy(self).keys()

    def values(self) -> Any:
        return dict.copy(self).values()

    def items(self) -> Any:
        return dict.copy(self).items()


def let_loggers_be_listed() -> None:
    """Let others iterate over all loggers while the import of Ray makes new ones.

    pytest does at the start of each phase, and would end with an INTERNALERROR (``dictionary changed size during iteration``). To be called
    before the thread that imports Ray starts.
    """
    manager = logging.getLogger().manager
    if not isinstance(manager.loggerDict, _Listed):
        manager.loggerDict = _Listed(manager.loggerDict)


def import_ray() -> Any:
    """Import Ray and return it.

    Another thread may meanwhile take what it imports out of ``sys.modules``: coverage does, each time that the import path has changed,
    with all that is new there. Python says so with a KeyError. Then what is left of Ray is not whole, and all of it is imported once more.
    """
    try:
        return import_module("ray")
    except KeyError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "ray"]:
            del sys.modules[name]
        return import_module("ray")
