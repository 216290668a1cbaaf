"""Names the process that a trial runs in, for people to find it."""

from __future__ import annotations

import os
import socket


def own_location(machine: str | None = None) -> str:
    """Return ``ip:pid`` of this process if `machine` is the address of its machine, or ``host:pid`` if it is None."""
    return f"{machine or socket.gethostname()}:{os.getpid()}"
