"""Imports Ray in a thread, while another runs the session."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any


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
