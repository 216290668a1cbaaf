"""Ends the processes of a Ray that this process has begun to start. Imports no Ray."""

from __future__ import annotations

import contextlib

import psutil

SERVERS = ("gcs_server", "raylet")
"""Ray's own children of a process that starts it; its agents and workers are children of the raylet."""


def end_processes() -> None:
    """Kill all that a Ray has by now whose start was begun in this process.

    Ray's servers end with this process by themselves, but agents that a raylet has just started go on for a minute.
    """
    found: dict[int, psutil.Process] = {}
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if child.name().startswith(SERVERS):
                child.suspend()  # It must not start any more of them meanwhile.
                found |= {process.pid: process for process in (*child.children(recursive=True), child)}
    for process in found.values():
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
