"""What a worker says, on its way out: numbered, thread-safe, sent by a thread of its own while trials run. Knows no pytest."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Any

from pytest_sweep import clock

Numbered = tuple[int, Any]
"""An event and its number, which counts from 1 in each worker process."""

FLUSH_SECONDS = 0.1
"""How long events are gathered before they are sent: well under the second in which a report is to be seen."""


class Outbox:
    """Numbers events and sends them in order.

    `put` never waits for a network. A sender thread calls `send` with what has gathered; what it has not taken when a call ends
    is taken by `take` and travels with the call's result. The receiver puts both together by the numbers.

    Args:
        send: delivers events; may take its time, may raise anything.
        on_beat: called by the sender thread every `FLUSH_SECONDS` while a call runs; may raise anything.
    """

    def __init__(self, send: Callable[[Sequence[Numbered]], None], on_beat: Callable[[], None] = lambda: None) -> None:
        self._send = send
        self._on_beat = on_beat
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._waiting: list[Numbered] = []
        self._last = 0
        self._behind_since: float | None = None
        self._in_call = threading.Event()
        threading.Thread(target=self._run, name="sweep-outbox", daemon=True).start()

    def put(self, event: object) -> None:
        """Add an event, from any thread."""
        with self._lock:
            self._last += 1
            self._waiting.append((self._last, event))
            if self._behind_since is None:
                self._behind_since = clock.monotonic()

    @property
    def behind(self) -> float:
        """For how many seconds something has been waiting to be sent, or has been on its way; 0 where all has arrived."""
        since = self._behind_since
        return 0.0 if since is None else clock.monotonic() - since

    def begin_call(self) -> None:
        """Let the sender thread work, until `take`."""
        self._in_call.set()

    def take(self) -> tuple[int, list[Numbered]]:
        """End a call: return the last number, and the events that the sender thread has not sent.

        Waits for what is being sent right now: should that fail, it travels with the call's result, its last way out.
        """
        self._in_call.clear()
        with self._sending, self._lock:
            waiting, self._waiting, self._behind_since = self._waiting, [], None
            return self._last, waiting

    def _run(self) -> None:
        pause = threading.Event()
        while self._in_call.wait():
            pause.wait(FLUSH_SECONDS)
            if not self._in_call.is_set():
                continue
            # Whatever it raises: what is said must get out. It is called again with the next beat.
            with contextlib.suppress(BaseException):
                self._on_beat()
            with self._sending:
                self._send_or_keep()

    def _send_or_keep(self) -> None:
        began = clock.monotonic()
        with self._lock:
            batch, self._waiting = self._waiting, []
        if not batch:
            return
        try:
            self._send(batch)
        except BaseException:
            # The way out is closed for now: nothing is lost, the events travel with the next batch or the call's result.
            with self._lock:
                self._waiting[:0] = batch
        else:
            with self._lock:
                self._behind_since = began if self._waiting else None
