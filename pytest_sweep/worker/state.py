"""What a trial may change of its process and must not leave to the next one: kept and put back. Knows no pytest.

As in pytest, what fixtures of wider scope change stays as long as they do: it is noted while they are set up and torn down, and is no
change of the trial that happens to build them.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

_environ: Any = getattr(os.environ, "_data", os.environ)
"""The environment as it is kept in CPython: `os.environ` itself decodes each variable that it is asked for, 20 µs for all."""

_signal_handler: Callable[[int], Any] = import_module("_signal").getsignal
"""As `signal.getsignal`, which makes enums of its answers, and so takes ten times as long."""

_SIGNALS = tuple(
    int(number)
    for number in signal.valid_signals()
    if isinstance(number, signal.Signals) and number.name not in ("SIGKILL", "SIGSTOP")
)


@dataclass(slots=True)
class _State:
    """A state of the process. Handlers of signals are in the order of `_SIGNALS`, None where Python has not set them."""

    argv: list[str]
    argv_content: list[str]
    folder: str | None
    environ: dict[Any, Any]
    handlers: tuple[Any, ...]


class ProcessState:
    """Keeps the state that each trial starts with. All calls come from the thread that runs trials."""

    def __init__(self) -> None:
        self._keeps_filters = False
        self._filters: list[Any] = []
        self._start: _State | None = None
        self._random: Any = None
        self._numpy: Any = None

    def begin(self, *, keeps_filters: bool) -> None:
        """A trial begins: note what there is, and give it the random numbers that each trial begins with.

        Args:
            keeps_filters: whether the filters of warnings are kept, too: where pytest does not do it.
        """
        self._start, self._keeps_filters = _state(), keeps_filters
        if self._keeps_filters:
            self._filters = list(warnings.filters)
        if self._random is None:
            self._random = random.getstate()
        else:
            random.setstate(self._random)
        generator = _numpy_random()
        if generator is not None:
            if self._numpy is None:
                self._numpy = generator.get_state()
            else:
                generator.set_state(self._numpy)

    def end(self) -> None:
        """A trial has ended: put back what it has changed."""
        start, self._start = self._start, None
        if start is None:
            return
        _restore(start)
        if self._keeps_filters and warnings.filters != self._filters:
            warnings.resetwarnings()  # The public way to have it noticed that they change.
            warnings.filters[:] = self._filters  # type: ignore[index]
        if self._numpy is None and (generator := _numpy_random()) is not None:
            # The trial has imported it, and may have seeded it: the others begin with numbers of their own.
            generator.seed()
            self._numpy = generator.get_state()

    @contextlib.contextmanager
    def lasting(self) -> Iterator[None]:
        """Take what the block changes as part of what trials start with: a fixture of wider scope is set up, or torn down."""
        noted = self.note()
        try:
            yield
        finally:
            self.adopt(noted)

    def note(self) -> object:
        """Return what `adopt` compares with."""
        if self._start is None:
            return None  # Between two trials: the next one notes what it finds.
        generator = _numpy_random()
        return _state(), random.getstate(), None if generator is None else generator.get_state(), list(warnings.filters)

    def adopt(self, noted: Any) -> None:
        """Take what has changed since `noted` as part of what trials start with."""
        start = self._start
        if noted is None or start is None:
            return
        before, numbers, numpy_numbers, filters = noted
        after = _state()
        if after.argv is not before.argv or after.argv_content != before.argv_content:
            start.argv, start.argv_content = after.argv, after.argv_content
        if after.folder != before.folder:
            start.folder = after.folder
        _transfer(before.environ, after.environ, start.environ)
        start.handlers = tuple(
            now if now != was else handler
            for was, now, handler in zip(before.handlers, after.handlers, start.handlers, strict=True)
        )
        if self._keeps_filters and warnings.filters != filters:
            self._filters = list(warnings.filters)
        if (now := random.getstate()) != numbers:
            self._random = now
        generator = _numpy_random()
        if generator is not None and not _same_numbers(numpy_numbers, now := generator.get_state()):
            self._numpy = now


def _state() -> _State:
    folder = None
    with contextlib.suppress(OSError):  # It may have been deleted.
        folder = os.getcwd()  # noqa: PTH109 - once a trial
    return _State(sys.argv, list(sys.argv), folder, dict(_environ), tuple(map(_signal_handler, _SIGNALS)))


def _restore(start: _State) -> None:
    if sys.argv is not start.argv or start.argv != start.argv_content:
        sys.argv = start.argv
        sys.argv[:] = start.argv_content
    folder = None
    with contextlib.suppress(OSError):
        folder = os.getcwd()  # noqa: PTH109 - once a trial
    if folder != start.folder and start.folder is not None:
        with contextlib.suppress(OSError):
            os.chdir(start.folder)
    if _environ != start.environ:
        _restore_environ(start.environ)
    if tuple(map(_signal_handler, _SIGNALS)) != start.handlers:
        _restore_handlers(start.handlers)


def _restore_environ(wanted: Mapping[Any, Any]) -> None:
    if _environ is os.environ:
        decode: Callable[[Any], str] = str
    else:
        decode = os.environ.decodekey
    for name in [name for name in _environ if name not in wanted]:
        del os.environ[decode(name)]
    for name, value in wanted.items():
        if _environ.get(name) != value:
            os.environ[decode(name)] = decode(value)


def _restore_handlers(wanted: tuple[Any, ...]) -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    for number, handler in zip(_SIGNALS, wanted, strict=True):
        if handler is None or _signal_handler(number) == handler:
            continue
        if number == getattr(signal, "SIGALRM", None):
            signal.setitimer(signal.ITIMER_REAL, 0)  # An alarm of the trial's would end the process now.
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, handler)


def _transfer(before: Mapping[Any, Any], after: Mapping[Any, Any], target: dict[Any, Any]) -> None:
    """Change `target` in what differs between `before` and `after`."""
    if before == after:
        return
    for name in before.keys() - after.keys():
        target.pop(name, None)
    target.update({name: value for name, value in after.items() if name not in before or before[name] != value})


def _numpy_random() -> Any:
    """Return ``numpy.random``, if somebody has imported it."""
    return sys.modules.get("numpy.random")


def _same_numbers(one: Any, other: Any) -> bool:
    return one is not None and all(
        bool((a == b).all()) if hasattr(a, "all") else a == b for a, b in zip(one, other, strict=True)
    )
