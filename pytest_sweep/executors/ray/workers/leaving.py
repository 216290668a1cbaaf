"""Does in a worker's process on Ray what Python does when it exits, while the process still has its children.

Ray kills the children of a process before that runs a single exit handler. So shared memory would stay (its tracker is a child), pools of
processes would break, and handlers would wait for children that are dead. The private functions of the standard library that are called
here are those that multiprocessing itself calls at the end of its own processes.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
from typing import Any

from pytest_sweep.executors.groups import GRACE_SECONDS, end_others
from pytest_sweep.executors.ray import private

_TRACKERS = (
    "multiprocessing.resource_tracker",
    "joblib.externals.loky.backend.resource_tracker",
    "loky.backend.resource_tracker",
)
"""Modules that may have a process which unlinks what its makers leave, once they are gone."""


def run_exit_handlers() -> None:
    """Wait for threads, run exit handlers, end what this process has started, and have what it leaves unlinked."""
    shutdown: Any = getattr(threading, "_shutdown", None)
    if shutdown is not None:
        shutdown()  # Those of concurrent.futures and loky are run by this, too.
    with private.without_exit_handler():
        run: Any = getattr(atexit, "_run_exitfuncs", None)
        if run is not None:
            with contextlib.suppress(Exception):  # Python has printed it, and goes on.
                run()
    end_others(os.getpid(), GRACE_SECONDS)
    for name in _TRACKERS:
        tracker: Any = getattr(sys.modules.get(name), "_resource_tracker", None)
        with contextlib.suppress(AttributeError, OSError):
            tracker._stop()
