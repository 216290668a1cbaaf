"""Imported first in a worker's process on Ray: imports all that it needs before a file of the user's can take the place of a part.

Ray puts the driver's working directory before the standard library; a ``queue.py`` beside the tests would keep a worker from starting.
"""

from __future__ import annotations

from importlib import import_module

import ray

from pytest_sweep.wire.shadowing import standard_first

NEEDED = ("pytest_sweep.executors.ray.gang.gang", "pytest_sweep.worker.host")

if ray.is_initialized() and ray.get_runtime_context().get_actor_id():
    # Not in the driver, where another thread imports the user's files meanwhile.
    with standard_first():
        for _name in NEEDED:
            import_module(_name)
