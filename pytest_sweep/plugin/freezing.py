"""Keeps what was collected out of the garbage collector's way: it lives to the end, and would be walked through again and again."""

from __future__ import annotations

import gc

import pytest


class Freezer:
    """Has the garbage collector pass over what there is at a moment, until the session has ended.

    Made while pytest is being configured: what is cleaned up last was asked for first, and pytest's own look for garbage at its end is
    to be over by then. It still finds what came after the moment. What others have frozen is thawed, too, which costs them time at most.

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
            gc.unfreeze()
