"""What runs in a worker process: it hosts a session for the driver at the other end of a channel. Knows no driver's code."""

from __future__ import annotations

import os
import pickle
import queue
import shutil
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_sweep.wire.lastwords import last_words_folder
from pytest_sweep.wire.location import own_location
from pytest_sweep.wire.outbox import Numbered, in_parts
from pytest_sweep.wire.parcel import Parcel
from pytest_sweep.worker.host import SessionHost
from pytest_sweep.worker.lending import Lender


def serve(channel: Any) -> None:
    """Say who this is, then answer orders until the driver says no more, or is gone.

    The channel is read in a thread of execnet's, so that verdicts reach a trial while it has the main thread.

    Args:
        channel: of execnet. Orders are pairs of a word and bytes; answers are ``("up", pid)`` and, for each order, ``("answer", bytes)``
            after any number of ``("events", bytes)``. What is told within a call, ``("tell", bytes)``, has no answer.
    """
    driver = os.getppid()
    folders: list[str] = []
    if hasattr(os, "setpgid"):
        # A group of its own: Ctrl-C on the terminal is the driver's to judge, and what trials start ends with this process.
        os.setpgid(0, 0)
    channel.send(("up", os.getpid()))

    def end_with_driver() -> None:
        if os.getppid() != driver:
            _end_group(folders)

    host: SessionHost | None = None
    orders: queue.SimpleQueue[tuple[str, bytes] | None] = queue.SimpleQueue()

    def take(message: tuple[str, bytes] | None) -> None:
        if message is None or message[0] != "tell":
            orders.put(message)
        elif host is not None:
            host.tell(pickle.loads(message[1]))

    channel.setcallback(take, endmarker=None)
    try:
        while (message := orders.get()) is not None:
            word, value = message[0], pickle.loads(message[1])
            if word == "start":
                worker, spec, threads = value
                folders.append(spec.basetemp)
                host = SessionHost(
                    worker, spec, own_location(), threads, _sender(channel), end_with_driver, _FileLender()
                )
            assert host is not None
            answer = _answer(host, word, value)
            channel.send(("answer", pickle.dumps((word, _without_most(channel, word, answer)))))
    finally:
        if os.getppid() != driver:
            _end_group(folders)


def _answer(host: SessionHost, word: str, value: Any) -> Any:
    if word == "run":
        return host.run(*value)
    if word == "build":
        fixture, offers, path = value
        result, built = host.build(fixture, offers)
        if isinstance(built, Parcel):
            built.write(Path(path))
            return result, path
        return result, built
    return host.start() if word == "start" else host.finish()


class _FileLender(Lender):
    """Lends the values of shared fixtures, which are in files."""

    def fetch(self, offer: str) -> Parcel:
        """Return what is in the file."""
        return Parcel.read(Path(offer))


def _sender(channel: Any) -> Callable[[Sequence[Numbered]], None]:
    def send(messages: Sequence[Numbered]) -> None:
        for part in in_parts(messages):
            channel.send(("events", pickle.dumps(part)))

    return send


def _without_most(channel: Any, word: str, answer: Any) -> Any:
    """Send what a call's result has to tell, where that is much, as events before it: the driver hears others in between."""
    call = answer[0] if word == "build" else answer
    *most, rest = in_parts(call.rest) or [()]
    if not most:
        return answer
    for part in most:
        channel.send(("events", pickle.dumps(part)))
    call = replace(call, rest=rest)
    return (call, *answer[1:]) if word == "build" else call


def _end_group(folders: Sequence[str]) -> None:
    """End this process and what its trials have started, and delete what it would leave behind: nobody is left to do it."""
    for folder in folders:
        shutil.rmtree(last_words_folder(folder, os.getpid()), ignore_errors=True)
    if hasattr(os, "killpg"):
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)
