"""Makes Ray's actor classes, each once: Ray stores every class that it is given in the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ray

from pytest_sweep.wire.threads import ThreadSetting


class ActorClasses:
    """The actor classes of a run, or of a process of it."""

    def __init__(self) -> None:
        self._made: dict[tuple[type, ThreadSetting], Any] = {}

    def get(self, cls: type, variables: Mapping[str, str]) -> Any:
        """Return `cls` as an actor class whose processes have `variables` before they import anything but `cls`.

        Ray unpickles the class first, then the arguments of the constructor: for these it may import pyarrow, and with it numpy, which
        reads the number of its threads then. So the class carries the variables.
        """
        setting = ThreadSetting(tuple(sorted(variables.items())))
        if (cls, setting) not in self._made:
            members = {"__module__": cls.__module__, "__doc__": cls.__doc__, "thread_variables": setting}
            self._made[cls, setting] = ray.remote(type(cls.__name__, (cls,), members))
        return self._made[cls, setting]
