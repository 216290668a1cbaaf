"""Which trial a piece of code belongs to, in any thread: `current_trial`, and `report` without the fixture. Knows no pytest.

A thread belongs to the trial that started it, what runs in a ThreadPoolExecutor to the trial that submitted it, and an asyncio task to the
trial that made it, also when that trial has ended: its reports are refused then, for they are not the next trial's. A thread that no trial
has started (at import, by a fixture of wider scope, by C code) belongs to the trial that runs, one after the other.
"""

from __future__ import annotations

import _thread
import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

from pytest_sweep.errors import SweepError
from pytest_sweep.worker.trial import ActiveTrial

_OWNER = "_sweep_trial"
"""The attribute of a thread that names the trial which started it."""


class _Nobody:
    """Stands for a trial where fixtures of wider scope are set up: threads and tasks that they start belong to no trial."""


class _Process:
    """What is known of this process; an object, since it is changed."""

    def __init__(self) -> None:
        self.trial: ActiveTrial | None = None
        self.owner: ContextVar[ActiveTrial | _Nobody | None] = ContextVar("sweep_trial", default=None)

    def starter(self) -> ActiveTrial | None:
        """Return the trial that a thread which is started now belongs to."""
        owner = self.owner.get()
        if isinstance(owner, _Nobody):
            return None
        return owner or vars(threading.current_thread()).get(_OWNER) or self.trial

    def current(self) -> ActiveTrial | None:
        """Return the trial that the calling code belongs to."""
        owner = self.starter()
        return owner or self.trial


_process = _Process()


@contextlib.contextmanager
def activated(trial: ActiveTrial) -> Iterator[ActiveTrial]:
    """Make `trial` the one that `current_trial` returns, in every thread that belongs to no other."""
    previous, _process.trial = _process.trial, trial
    token = _process.owner.set(trial)
    try:
        with _threads_owned():
            yield trial
    finally:
        trial.end()
        _process.owner.reset(token)
        _process.trial = previous


@contextlib.contextmanager
def unowned() -> Iterator[None]:
    """Let the threads and tasks that are started in the block belong to no trial."""
    token = _process.owner.set(_Nobody())
    try:
        yield
    finally:
        _process.owner.reset(token)


def called_by(trial: ActiveTrial, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call `function` as part of `trial`, in any thread."""
    __tracebackhide__ = True
    token = _process.owner.set(trial)
    try:
        return function(*args, **kwargs)
    finally:
        _process.owner.reset(token)


async def awaited_by(trial: ActiveTrial, function: Callable[..., Any], /, **kwargs: Any) -> Any:
    """Await what `function` returns as part of `trial`: its loop may be older than the trial, and so the context of its task."""
    __tracebackhide__ = True
    token = _process.owner.set(trial)
    try:
        return await function(**kwargs)
    finally:
        _process.owner.reset(token)


@contextlib.contextmanager
def _threads_owned() -> Iterator[None]:
    """Have threads know who has started them, and what is submitted to an executor by whom, while a trial runs."""
    start, submit, start_raw = threading.Thread.start, ThreadPoolExecutor.submit, _thread.start_new_thread
    if hasattr(
        start, _OWNER
    ):  # A fixture of wider scope has put ours back, which it had replaced during an earlier trial.
        yield
        return

    start_owned, submit_owned = _owning(start, submit)
    start_raw_owned = _owning_raw(start_raw)
    threading.Thread.start = start_owned  # type: ignore[method-assign]
    ThreadPoolExecutor.submit = submit_owned  # type: ignore[method-assign]
    # `threading` has its own reference: what is replaced here is what others call.
    _thread.start_new_thread = start_raw_owned
    try:
        yield
    finally:
        if threading.Thread.start is start_owned:
            threading.Thread.start = start  # type: ignore[method-assign]
        if ThreadPoolExecutor.submit is submit_owned:
            ThreadPoolExecutor.submit = submit  # type: ignore[method-assign]
        if _thread.start_new_thread is start_raw_owned:
            _thread.start_new_thread = start_raw


@functools.lru_cache(maxsize=1)  # They are the same for nearly all trials of a process.
def _owning(start: Callable[..., Any], submit: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return what takes the place of ``Thread.start`` and ``ThreadPoolExecutor.submit``, and calls these."""

    @functools.wraps(start)
    def start_owned(self: threading.Thread) -> None:
        vars(self)[_OWNER] = _process.starter()
        start(self)

    @functools.wraps(submit)
    def submit_owned(self: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        trial = _process.starter()
        if trial is None:
            return submit(self, fn, *args, **kwargs)
        return submit(self, called_by, trial, fn, *args, **kwargs)

    setattr(start_owned, _OWNER, True)
    return start_owned, submit_owned


@functools.lru_cache(maxsize=1)
def _owning_raw(start_raw: Callable[..., int]) -> Callable[..., int]:
    """Return what takes the place of ``_thread.start_new_thread``, and calls it."""

    @functools.wraps(start_raw)
    def start_raw_owned(function: Callable[..., Any], args: tuple[Any, ...], *kwargs: dict[str, Any]) -> int:
        trial = _process.starter()
        if trial is None or not callable(function) or not isinstance(args, tuple):
            return start_raw(function, args, *kwargs)
        return start_raw(called_by, (trial, function, *args), *kwargs)

    return start_raw_owned


def current_trial() -> ActiveTrial:
    """Return the trial that the calling code belongs to, in any thread of its process.

    Raises:
        SweepError: no trial is running here.
    """
    trial = _process.current()
    if trial is None:
        raise SweepError(
            "no trial is running in this process: report() and current_trial() work within a sweep's trials"
        )
    trial.check_process()
    return trial


def report(metrics: Mapping[str, Any], checkpoint: str | os.PathLike[str] | None = None) -> None:
    """Report metrics of the trial that the calling code belongs to: ``current_trial().report(metrics, checkpoint)``."""
    __tracebackhide__ = True
    current_trial().report(metrics, checkpoint)
