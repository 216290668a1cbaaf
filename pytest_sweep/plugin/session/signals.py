"""Ctrl-C, SIGTERM and SIGHUP end a session with everything stored and shown: they interrupt it only where nothing can be lost."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator
from types import FrameType
from typing import Any

import pytest

from pytest_sweep.clock import monotonic

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")

SAME_SECONDS = 1.0
"""Signals within this time are one: a process manager signals a process and then its group, and tox forwards the Ctrl-C it gets."""

DOUBLED_SECONDS = 0.1
"""The same while code of the user runs, which may have caught the first one: nobody presses Ctrl-C twice within this time."""

PATIENCE_SECONDS = 5.0
"""How long after the first signal a further one is still held."""

FORCING = 3
"""Which signal, counted without those that are the same, is not held."""


class Interrupts:
    """Turns signals into KeyboardInterrupt. Also the plugin that knows when the session begins to end.

    A signal raises at once while code of the user runs. While the engine takes, stores and hands out events it is held, and `check` raises
    it between two steps. Once the session has begun to end, signals are held until that is done, so that results are stored and tables
    written. Holding is bounded: the third signal, and one that comes five seconds after the first, raises wherever the program is.

    Code of the user may catch Ctrl-C, as in plain pytest: then the session goes on, and a further Ctrl-C raises there at once, too. SIGTERM
    or SIGHUP that was caught is raised again after the trial: without us it would have ended the process.

    A signal that is ignored (``nohup``) or has somebody else's handler is left alone. In a thread other than the main one nothing is done.

    Args:
        clock: seconds of a clock that never goes back; kept here, because a trial may freeze the one in `time`.

    Attributes:
        is_held: whether a signal waits for the next `check`.
        may_be_lost: whether nobody may catch the interrupt that a signal raises now.
        may_be_caught: whether code of the user runs that may.
        is_lost: whether one was raised so and has not left its block yet: `check` raises it again.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._pid = os.getpid()
        self._before: dict[int, Any] = {}
        self.is_held = False
        self._is_ending = False
        self.may_be_lost = self.may_be_caught = False
        self._is_waiting = self.is_lost = False
        self._name = ""
        self._last: float | None = None
        self._first = 0.0
        self._count = 0

    @property
    def is_waiting(self) -> bool:
        """Whether a signal is held that has not been raised."""
        return self._is_waiting

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Handle the signals until the session is over."""
        if threading.current_thread() is threading.main_thread():
            self._take()
            session.config.add_cleanup(self._give_back)

    @contextlib.contextmanager
    def left_alone(self) -> Iterator[None]:
        """Handle no signal while the block runs: ordinary tests find the handlers that they find without us."""
        taken = bool(self._before)
        self._give_back()
        try:
            yield
        except BaseException:
            self.end()
            raise
        finally:
            if taken:
                self._take()

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Take a signal."""
        __tracebackhide__ = True
        if os.getpid() != self._pid:  # A process that code of the user has forked: no session runs there.
            _pass_on(self._before.get(number, signal.SIG_DFL), number, frame)
            return
        now = self._clock()
        is_in_code = self.may_be_caught and not self._is_ending
        if self._last is not None and now - self._last < (DOUBLED_SECONDS if is_in_code else SAME_SECONDS):
            return
        self._last = now
        if is_in_code:
            self._count = 0  # Those before have been caught, or this code could not run any more.
        if self._count == 0:
            self._first = now
        self._count += 1
        self._name = "" if number == signal.SIGINT else signal.Signals(number).name
        is_patient = self._count < FORCING and now - self._first < PATIENCE_SECONDS
        if (self.is_held or self._is_ending) and is_patient:
            self._is_waiting = True
        else:
            self.is_lost = self.may_be_lost or (is_in_code and number != signal.SIGINT)
            self._raise()

    def check(self) -> None:
        """Raise the signal that is held, or whose interrupt was lost (in a finalizer, say), unless the session has begun to end.

        Raises:
            KeyboardInterrupt: there is one.
        """
        __tracebackhide__ = True
        if (self._is_waiting or self.is_lost) and not self._is_ending:
            self._raise()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold signals while the block runs, but for `check` and `allowed`. Left by an exception they stay held: the session ends."""
        self.is_held = True
        yield
        self.is_held = False
        self.check()

    def allowed(self, *, may_catch: bool = True) -> contextlib.AbstractContextManager[None]:
        """Let signals raise at once while a block runs: it calls code of the user, which may take its time.

        `may_catch` says whether that code may catch Ctrl-C; else an interrupt that does not leave the block is raised by the next `check`.
        """
        return _Allowed(self, may_catch=may_catch)

    def forget(self) -> None:
        """Count signals from one again: code of the user has caught those that were raised."""
        if not self._is_waiting:
            self._count = 0

    def forget_held(self) -> None:
        """Forget a signal that is held: it was taken note of."""
        self._is_waiting = False

    def end(self) -> None:
        """Take note that the session has begun to end."""
        self._is_ending = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self) -> None:
        """Take note of an interrupt outside the trials, too."""
        self.end()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Hold signals to the end; one that is raised all the same ends what hangs, and never pytest itself."""
        self.end()
        try:
            return (yield)
        except KeyboardInterrupt:
            session.exitstatus = pytest.ExitCode.INTERRUPTED
            return None

    @pytest.hookimpl(wrapper=True, trylast=True, specname="pytest_sessionfinish")
    def pytest_sessionfinish_last(self, session: pytest.Session) -> Generator[None, object, object]:
        """Likewise, within the terminal's wrapper: the summary is written whichever plugin was interrupted."""
        try:
            return (yield)
        except KeyboardInterrupt:
            session.exitstatus = pytest.ExitCode.INTERRUPTED
            return None

    def _raise(self) -> None:
        __tracebackhide__ = True
        self._is_waiting = False
        raise KeyboardInterrupt(*filter(None, [self._name]))

    def _take(self) -> None:
        for number in (getattr(signal, name) for name in NAMES if hasattr(signal, name)):
            before: Any = signal.getsignal(number)
            # Ours are those of a session that runs this one.
            if before in (signal.SIG_DFL, signal.default_int_handler) or isinstance(before, (Interrupts, _Afterwards)):
                self._before[number] = before
                signal.signal(number, self)

    def _give_back(self) -> None:
        for number, before in self._before.items():
            current: object = signal.getsignal(number)
            if current is self:
                signal.signal(number, before if self._last is None else _Afterwards(before, self._last, self._clock))
        self._before.clear()


class _Allowed:
    """A class, because every event that is shown enters one."""

    __slots__ = ("_before", "_caught", "_interrupts", "_lost", "_may_catch")

    def __init__(self, interrupts: Interrupts, *, may_catch: bool) -> None:
        self._interrupts = interrupts
        self._may_catch = may_catch
        self._before, self._lost, self._caught = interrupts.is_held, interrupts.may_be_lost, interrupts.may_be_caught

    def __enter__(self) -> None:
        __tracebackhide__ = True
        try:
            self._interrupts.may_be_lost, self._interrupts.may_be_caught = not self._may_catch, self._may_catch
            self._interrupts.is_held = False
            self._interrupts.check()  # Last: what came between it and the block would wait until the block is over.
        except BaseException:
            self._restore()
            raise

    def _restore(self) -> None:
        self._interrupts.is_held, self._interrupts.may_be_lost = self._before, self._lost
        self._interrupts.may_be_caught = self._caught

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self._restore()
        if error is not None:
            self._interrupts.is_lost = False
        elif self._may_catch:
            self._interrupts.forget()


class _Afterwards:
    """Handles a signal after a session that was interrupted, as `before` does; but not the same once more, while the process exits.

    Args:
        before: the handler that was there before the session.
        last: when the last signal came.
        clock: the clock.
    """

    def __init__(self, before: Any, last: float, clock: Callable[[], float]) -> None:
        self._before: Any = before._before if isinstance(before, _Afterwards) else before
        self._until = last + SAME_SECONDS
        self._clock = clock
        atexit.register(self._exit)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self._clock() < self._until:
            return
        _pass_on(self._before, number, frame)

    def _exit(self) -> None:
        """Python gives handlers up before it is done, and a signal would then decide the exit status."""
        if self._clock() < self._until:
            for number in (getattr(signal, name) for name in NAMES if hasattr(signal, name)):
                current: object = signal.getsignal(number)
                if current is self:
                    signal.signal(number, signal.SIG_IGN)


def _pass_on(handler: Any, number: int, frame: FrameType | None) -> None:
    """Do with a signal what `handler` does, which may be Python's number for what the system does."""
    __tracebackhide__ = True
    if callable(handler):
        handler(number, frame)
    else:
        signal.signal(number, handler)
        os.kill(os.getpid(), number)
