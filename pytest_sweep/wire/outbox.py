"""What a worker says, on its way out: numbered, thread-safe, sent by a thread of its own while calls run. Knows no pytest."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence

from pytest_sweep import clock
from pytest_sweep.wire.messages import Packed, pack, warning
from pytest_sweep.wire.spool import Numbered, Spool

__all__ = ["FLUSH_SECONDS", "MOST_BYTES", "Numbered", "Outbox", "OutboxFullError", "in_parts"]

FLUSH_SECONDS = 0.1
"""How long events are gathered before they are sent: well under the second in which a report is to be seen."""

MOST_BYTES = 16 * 2**20
"""How many bytes may wait to be sent. A trial that says more than is taken waits: it is slowed down, and nothing is lost."""


PART_BYTES = 64 * 1024
"""How many bytes travel at once, but for an event that is longer: the driver hears each worker in turn, part by part."""


class OutboxFullError(Exception):
    """Whoever carries the events takes no more for now: they are sent again later."""


class Outbox:
    """Numbers events and sends them in order.

    `put` does not wait for a network while fewer than `MOST_BYTES` wait. A sender thread calls `send` with what has gathered; what it has
    not taken when a call ends is taken by `take` and travels with the call's result. The receiver puts both together by the numbers.

    With a spool (`keep_in`), an event survives the death of the process once `put` has returned.

    Args:
        send: delivers events; may take its time, may raise anything.
        on_beat: called by the sender thread at least every `FLUSH_SECONDS` while a call runs; may raise anything.
    """

    def __init__(self, send: Callable[[Sequence[Numbered]], None], on_beat: Callable[[], None] = lambda: None) -> None:
        self._send = send
        self._on_beat = on_beat
        self._lock = threading.Lock()
        self._has_room = threading.Condition(self._lock)
        self._sending = threading.Lock()
        self._waiting: list[Numbered] = []
        self._bytes = 0
        self._last = 0
        self._behind_since: float | None = None
        self._has_warned = False
        self._spool: Spool | None = None
        self._in_call = threading.Event()
        self._hurried = threading.Event()
        self._sender = threading.Thread(target=self._run, name="sweep-outbox", daemon=True)
        self._sender.start()

    def keep_in(self, spool: Spool) -> None:
        """Write each event to `spool` before `put` returns, and drop it there when it has arrived."""
        self._spool = spool

    def put(self, event: object) -> None:
        """Add an event, from any thread; wait where too much waits to be sent."""
        packed = pack(event)
        with self._lock:
            if self._bytes > MOST_BYTES:
                self._wait_for_room()
            self._add(packed)

    def hurry(self) -> None:
        """Have the sender thread send at once what has gathered, from any thread; nothing is waited for."""
        self._hurried.set()

    @property
    def behind(self) -> float:
        """For how many seconds something has been waiting to be sent, or has been on its way; 0 where all has arrived."""
        since = self._behind_since
        return 0.0 if since is None else clock.monotonic() - since

    def begin_call(self) -> None:
        """Let the sender thread work, until `take`. What the last call has taken has arrived: the driver has had its result."""
        with self._lock:
            if self._spool is not None:
                self._spool.arrived()
        self._in_call.set()

    def take(self) -> tuple[int, list[Numbered]]:
        """End a call: return the last number, and the events that the sender thread has not sent.

        Waits for what is being sent right now: should that fail, it travels with the call's result, its last way out.
        """
        self._in_call.clear()
        with self._sending, self._lock:
            waiting, self._waiting, self._behind_since = self._waiting, [], None
            self._bytes = 0
            self._has_room.notify_all()
            if self._spool is not None:
                self._spool.turn()
            return self._last, waiting

    def _add(self, packed: Packed) -> None:
        self._last += 1
        numbered = self._last, packed
        if self._spool is not None:
            self._spool.write(numbered)
        self._waiting.append(numbered)
        self._bytes += len(packed[0])
        if self._behind_since is None:
            self._behind_since = clock.monotonic()

    def _wait_for_room(self) -> None:
        # The sender itself never waits: nobody else would make room. Nor does anybody between two calls, when nothing is sent.
        if threading.current_thread() is self._sender:
            return
        if not self._has_warned:
            self._has_warned = True
            self._add(pack(_TOO_MUCH))
        self._has_room.wait_for(lambda: self._bytes <= MOST_BYTES or not self._in_call.is_set())

    def _run(self) -> None:
        while self._in_call.wait():
            self._hurried.wait(FLUSH_SECONDS)
            self._hurried.clear()
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
            if batch and self._spool is not None:
                self._spool.turn()
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
                self._bytes -= sum(len(packed[0]) for _, packed in batch)
                self._behind_since = began if self._waiting else None
                self._has_room.notify_all()
                if self._spool is not None:
                    self._spool.arrived()


def in_parts(numbered: Sequence[Numbered]) -> list[Sequence[Numbered]]:
    """Return events in parts of about `PART_BYTES` each, in order."""
    parts: list[Sequence[Numbered]] = []
    start = size = 0
    for place, (_, packed) in enumerate(numbered):
        if size and size + len(packed[0]) > PART_BYTES:
            parts.append(numbered[start:place])
            start, size = place, 0
        size += len(packed[0])
    if len(numbered) > start:
        parts.append(numbered[start:])
    return parts


_TOO_MUCH = warning(
    f"trials say more than the driver takes: {MOST_BYTES // 2**20} MiB of reports and output wait in a worker, and trials there are slowed "
    f"down until the driver has caught up; report and print less, or less often"
)
