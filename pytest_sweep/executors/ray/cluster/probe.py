"""Asks whether a Ray answers at an address, and waits no longer for that than it is told."""

from __future__ import annotations

import queue
import socket
import threading

from pytest_sweep.executors.ray import private


class NobodyThereError(OSError):
    """Nothing listens at an address, or it cannot be reached."""


def probe(address: str, seconds: float) -> None:
    """Return if a Ray that lets us in answers at `address`, which is ``host:port``.

    Args:
        address: of the head's control store.
        seconds: how long each of two steps may take: to connect, and to be answered.

    Raises:
        NobodyThereError: it cannot be connected to.
        TimeoutError: it does not answer as Ray does.
        Exception: whatever Ray says, where it does not let us in.
    """
    host, _, port = address.rpartition(":")
    try:
        # One that is dead refuses at once, where Ray's client would try for twenty seconds.
        socket.create_connection((host, int(port)), timeout=seconds).close()
    except OSError as error:
        raise NobodyThereError(str(error)) from error
    # Ray's client waits 40 s for what is no Ray and takes no limit for that, so it waits in a thread that nobody waits for.
    answers: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
    threading.Thread(target=_ask, args=(address, seconds, answers), daemon=True, name="sweep-ray-probe").start()
    try:
        failure = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"it did not answer as Ray does within {seconds:g} s") from None
    if failure is not None:
        raise failure


def _ask(address: str, seconds: float, answers: queue.SimpleQueue[Exception | None]) -> None:
    try:
        private.check_alive(address, seconds)
    except Exception as error:  # Whatever it is, the caller says it.
        answers.put(error)
    else:
        answers.put(None)
