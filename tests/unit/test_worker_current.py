"""Code belongs to the trial that started it, in threads, executors, tasks and processes."""

from __future__ import annotations

import _thread
import asyncio
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pytest_sweep.errors import SweepError
from pytest_sweep.model import Sweep, Task, Trial
from pytest_sweep.model.events import TrialReported
from pytest_sweep.worker.current import activated, current_trial, report, unowned
from pytest_sweep.worker.trial import ActiveTrial

LIMIT = 20.0


@contextmanager
def running(number: int, said: list[Any]) -> Iterator[ActiveTrial]:
    """Run a trial; `said` gets the numbers of the trials whose reports were taken."""
    sweep = Sweep("test_models.py::train", "train")
    trial = Trial(f"{number:016x}", f"test_models.py::train[{number}]", f"train[{number}]", sweep, {})

    def emit(event: object) -> None:
        said.append(int(event.key, 16) if isinstance(event, TrialReported) else event)

    with activated(ActiveTrial(Task(trial, 1, "/nowhere"), emit)) as active:
        yield active


class Late:
    """A thread that reports when it is told to."""

    def __init__(self) -> None:
        self._go = threading.Event()
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        assert self._go.wait(LIMIT)
        try:
            report({"x": 1})
        except SweepError as error:
            self.error = error

    def report(self) -> BaseException | None:
        """Let it report, and return what it was told."""
        self._go.set()
        self.thread.join(LIMIT)
        return self.error


def test_a_thread_that_outlives_its_trial() -> None:
    """A thread of an earlier trial is refused, between trials too, and the next trial's history stays its own."""
    said: list[Any] = []
    late, later = Late(), Late()
    with running(1, said):
        late.thread.start()
        later.thread.start()
    assert "train[1] has ended" in str(late.report())
    with running(2, said):
        assert "train[1] has ended" in str(later.report())
    assert said == []


def test_a_thread_of_a_thread() -> None:
    """What a late thread starts belongs to its trial, too."""
    said: list[Any] = []
    go, found = threading.Event(), Late()

    def start() -> None:
        assert go.wait(LIMIT)
        found.thread.start()

    starter = threading.Thread(target=start)
    with running(1, said):
        starter.start()
    with running(2, said):
        go.set()
        starter.join(LIMIT)
        assert "train[1] has ended" in str(found.report())


@pytest.mark.parametrize("origin", ["before", "wide", "between"])
def test_a_thread_of_no_trial(origin: str) -> None:
    """A thread that was started at import, by a fixture of wider scope or between trials reports for the trial that runs."""
    said: list[Any] = []
    late = Late()
    if origin == "before":
        late.thread.start()
    with running(1, said):
        if origin == "wide":
            with unowned():
                late.thread.start()
    if origin == "between":
        late.thread.start()
    with running(2, said):
        assert late.report() is None
    assert said == [2]


@pytest.mark.parametrize("way", ["late", "in time", "keywords"])
def test_a_thread_without_threading(way: str) -> None:
    """A thread of ``_thread``, as C-like code starts them, belongs to the trial that started it, too."""
    said: list[Any] = []
    go, done = threading.Event(), threading.Event()
    raised: list[BaseException] = []

    def work(number: int, *, more: int = 0) -> None:
        try:
            assert go.wait(LIMIT)
            report({"x": number + more})
        except SweepError as error:
            raised.append(error)
        finally:
            done.set()

    with running(1, said):
        _thread.start_new_thread(work, (1,), *([{"more": 1}] if way == "keywords" else []))
        if way != "late":
            go.set()
            assert done.wait(LIMIT)
    with running(2, said):
        go.set()
        assert done.wait(LIMIT)
    assert said == ([] if way == "late" else [1])
    assert [str(error).partition(",")[0] for error in raised] == (["train[1] has ended"] if way == "late" else [])


def test_what_is_no_thread() -> None:
    """A wrong call raises what Python raises."""
    with running(1, []):
        wrong: list[Any] = [(1, ()), (print, [])]
        for arguments in wrong:
            with pytest.raises(TypeError):
                _thread.start_new_thread(*arguments)


def test_an_executor_that_is_used_again() -> None:
    """In threads that live on, what a trial has submitted belongs to it."""
    said: list[Any] = []
    go = threading.Event()

    def wait_and_report() -> None:
        assert go.wait(LIMIT)
        report({"x": 2})

    with ThreadPoolExecutor(2) as executor:
        with running(1, said):
            executor.submit(report, {"x": 1}).result(LIMIT)
            late: Future[None] = executor.submit(wait_and_report)
        with running(2, said):
            executor.submit(report, {"x": 1}).result(LIMIT)
            list(executor.map(report, [{"x": 1}]))
            go.set()
            with pytest.raises(SweepError, match=r"train\[1\] has ended"):
                late.result(LIMIT)
    assert said == [1, 2, 2]


def test_a_loop_in_a_thread() -> None:
    """In an event loop that lives on, a task belongs to the trial that made it."""
    said: list[Any] = []
    loop = asyncio.new_event_loop()

    async def say() -> None:
        report({"x": 1})

    async def say_late(go: threading.Event) -> None:
        while not go.is_set():
            await asyncio.sleep(0.001)
        report({"x": 1})

    go = threading.Event()
    with running(1, said):
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        asyncio.run_coroutine_threadsafe(say(), loop).result(LIMIT)
        late = asyncio.run_coroutine_threadsafe(say_late(go), loop)
    with running(2, said):
        asyncio.run_coroutine_threadsafe(say(), loop).result(LIMIT)
        go.set()
        with pytest.raises(SweepError, match=r"train\[1\] has ended"):
            late.result(LIMIT)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(LIMIT)
    loop.close()
    assert said == [1, 2]


def test_threading_is_left_as_it_was() -> None:
    """Between trials nothing of Python's is replaced; and what a trial leaves replaced is left to whoever did it."""
    start, submit, raw = threading.Thread.start, ThreadPoolExecutor.submit, _thread.start_new_thread
    with running(1, []):
        assert threading.Thread.start is not start
        assert _thread.start_new_thread is not raw
        with running(2, []):
            pass
    assert (threading.Thread.start, ThreadPoolExecutor.submit) == (start, submit)
    assert _thread.start_new_thread is raw


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("way", ["report", "current_trial", "the trial itself"])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child(way: str, tmp_path: Path) -> None:
    """A forked process is told that no trial runs in it, also while a lock of the trial's is held; its status is 1."""
    said: list[Any] = []
    with running(1, said) as trial, trial._lock:
        ways: dict[str, Callable[[], object]] = {
            "report": lambda: report({"x": 1}),
            "current_trial": current_trial,
            "the trial itself": lambda: trial.report({"x": 1}),
        }

        def child() -> None:
            try:
                ways[way]()
            except SweepError as error:
                (tmp_path / "error").write_text(str(error))
                raise SystemExit(1) from None

        process = multiprocessing.get_context("fork").Process(target=child)
        process.start()
        process.join(LIMIT)
        assert process.exitcode == 1
    assert "no trial is running in this process, which train[1] has forked" in (tmp_path / "error").read_text()
    assert said == []
