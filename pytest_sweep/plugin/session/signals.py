"""SIGTERM and SIGHUP end a run as Ctrl-C does: with what there is stored and shown, and no process left behind."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

NAMES = ("SIGTERM", "SIGHUP")


@contextlib.contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Have the signals raise KeyboardInterrupt while the block runs; what somebody has decided to ignore (``nohup``) stays ignored."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (getattr(signal, name) for name in NAMES if hasattr(signal, name)):
            if signal.getsignal(number) is signal.SIG_DFL:  # A handler of somebody else's knows why.
                before[number] = signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, _: object) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)
