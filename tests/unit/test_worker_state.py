"""What a trial changes of its process is undone; what fixtures of wider scope change lasts."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.random  # Imported late by numpy itself.
import pytest

from pytest_sweep.worker.state import ProcessState

SIGNALS = (signal.SIGINT, signal.SIGALRM, signal.SIGUSR1)


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Leave the process as it was, whatever a failing test does."""
    argv, folder, environ = [*sys.argv], Path.cwd(), dict(os.environ)
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    with warnings.catch_warnings():
        yield
    sys.argv = argv
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def seen() -> dict[str, object]:
    """Return the state of the process."""
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    return {
        "argv": list(sys.argv), "folder": str(Path.cwd()), "environ": dict(os.environ), "handlers": handlers,
        "filters": list(warnings.filters), "random": random.getstate(), "numpy": repr(np.random.get_state()),
    }  # fmt: skip


def _handler(*_: object) -> None:
    """Handle a signal."""


def _replace_argv() -> None:
    sys.argv = ["other"]


def _chdir_to_what_is_deleted() -> None:
    folder = Path("gone")
    folder.mkdir()
    os.chdir(folder)
    Path.cwd().rmdir()


CHANGES: dict[str, Callable[[], object]] = {
    "argv": lambda: sys.argv.append("--more"),
    "argv replaced": _replace_argv,
    "folder": lambda: os.chdir("/"),
    "folder deleted": _chdir_to_what_is_deleted,
    "variable set": lambda: os.environ.update(SWEEP_TEST="1"),
    "variable changed": lambda: os.environ.update(PATH="/nowhere"),
    "variable deleted": lambda: os.environ.pop("PATH"),
    "environment cleared": os.environ.clear,
    "handler": lambda: signal.signal(signal.SIGUSR1, _handler),
    "handler ignored": lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    "filters": lambda: warnings.simplefilter("ignore"),
    "random": lambda: random.seed(1),
    "random drawn": lambda: random.gauss(0, 1),
    "numpy": lambda: np.random.seed(1),
    "numpy drawn": np.random.normal,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_undone(change: Callable[[], object], tmp_path: Path) -> None:
    """The next trial starts with what this one started with."""
    os.chdir(tmp_path)
    random.seed(2)  # Not what a change sets, whatever ran before in this process.
    np.random.seed(2)
    state = ProcessState()
    state.begin(keeps_filters=True)
    before = seen()
    change()
    if change is not _chdir_to_what_is_deleted:
        assert seen() != before
    state.end()
    state.begin(keeps_filters=True)
    assert seen() == before


@pytest.mark.parametrize(("name", "change"), CHANGES.items(), ids=CHANGES)
def test_lasting(name: str, change: Callable[[], object], tmp_path: Path) -> None:
    """What a fixture of wider scope changes stays, what the trial changes before and after that does not."""
    if name == "folder deleted":
        pytest.skip("nothing can start there")
    os.chdir(tmp_path)
    state = ProcessState()
    state.begin(keeps_filters=True)
    os.environ["OF_THE_TRIAL"] = "1"
    with state.lasting():
        change()
    after = seen()
    os.environ["OF_THE_TRIAL_TOO"] = "1"
    os.environ.pop("SWEEP_TEST", None)
    random.random()
    state.end()
    for _ in range(2):
        state.begin(keeps_filters=True)
        found = seen()
        assert found["environ"] == {k: v for k, v in dict(after["environ"]).items() if k != "OF_THE_TRIAL"}  # type: ignore[call-overload]
        assert {**found, "environ": None} == {**after, "environ": None}
        state.end()


def test_undone_by_the_fixture() -> None:
    """What a fixture of wider scope puts back while a trial runs is not brought back at the trial's end."""
    state = ProcessState()
    state.begin(keeps_filters=False)
    with state.lasting():
        os.environ["OF_A_FIXTURE"] = "a"
    state.end()
    assert os.environ["OF_A_FIXTURE"] == "a"
    state.begin(keeps_filters=False)
    noted = state.note()
    del os.environ["OF_A_FIXTURE"]
    state.adopt(noted)
    state.end()
    assert "OF_A_FIXTURE" not in os.environ


def test_an_alarm_ends_with_its_trial() -> None:
    """An alarm whose handler is taken away would end the process: it is turned off, too."""
    state = ProcessState()
    state.begin(keeps_filters=False)
    signal.signal(signal.SIGALRM, _handler)
    signal.alarm(1000)
    state.end()
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_in_another_thread() -> None:
    """Where trials do not run in the main thread, handlers cannot be set, and nothing fails."""
    state = ProcessState()
    state.begin(keeps_filters=False)
    signal.signal(signal.SIGALRM, _handler)
    failed: list[BaseException] = []

    def end() -> None:
        try:
            state.end()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=end)
    thread.start()
    thread.join()
    assert failed == []
