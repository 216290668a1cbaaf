"""Keeps what was collected out of the garbage collector's way: it lives to the end, and would be walked through again and again."""

from __future__ import annotations

import atexit
import gc
import sys

import pytest

from pytest_sweep.worker.exiting import flush_open_files


class Freezer:
    """Has the garbage collector pass over what there is at a moment, until the session has ended.

    Made while pytest is being configured: what is cleaned up last was asked for first, and pytest's own look for garbage at its end is
    to be over by then. It still finds what came after the moment. What others have frozen is thawed, too, which costs them time at most.
    If the process ends with the session, it does so without looking for garbage: that takes 0.2 s where Ray is imported, and a second with
    10,000 trials.

    Args:
        config: the session's configuration.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._has_frozen = False
        config.add_cleanup(self._unfreeze)

    def freeze(self) -> None:
        """Pass over all that there is now."""
        gc.freeze()
        self._has_frozen = True

    def _unfreeze(self) -> None:
        if self._has_frozen:
            gc.unfreeze()  # The process may go on: a notebook, a test of plugins.
            atexit.unregister(_end_without_looking)  # Once is enough for all sessions of a process.
            atexit.register(_end_without_looking)


def _end_without_looking() -> None:
    """Spare Python the last search for garbage. What its finalizers would do that somebody may count on is done nevertheless.

    Python promises none to what lives as long as the process. Objects that nothing but a cycle holds get none here; files among them are
    written. Those that a module names are let go of when Python empties the modules, which it does for those that are still there.
    """
    flush_open_files()
    modules: list[object] = list(sys.modules.values())
    modules.append(modules)  # Which nothing takes apart any more.
    gc.freeze()
