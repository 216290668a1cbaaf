"""Other plugins in a worker: makes it look like a pytest-xdist worker, and undoes what their driver's side has decided already.

What the driver's side of a plugin tells its worker's side, pytest-xdist's ``workerinput``, comes with the spec of the session. What it
answers, ``workeroutput``, leaves as an event when the session ends.
"""

from __future__ import annotations

import io
import os
import socket
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

import execnet
import pytest

from pytest_sweep import clock
from pytest_sweep.items import private
from pytest_sweep.model.events import SessionStarted, WorkerOutput
from pytest_sweep.wire.spec import SessionSpec
from pytest_sweep.worker.runner import Emit

_DELIVERY_SECONDS = 0.5

_DECIDED_BY_DRIVER: dict[str, Any] = {
    "benchmark_autosave": False, "benchmark_compare": None, "benchmark_json": None, "benchmark_save": None,
    "clean_alluredir": False,  # Else each worker that starts would delete what the others have written.
    "fail_on_flaky": False, "force_reruns": None, "max_suite_reruns": None, "reruns": None,
    "splits": None, "store_durations": False,
}  # fmt: skip


def look_like_xdist(spec: SessionSpec, worker: str) -> dict[str, Any]:
    """Set the environment variables by which plugins know a worker of pytest-xdist, and return the driver's input for it."""
    given = {"workercount": 0, **spec.workerinput, "workerid": worker, "testrunuid": spec.run, "sweep": True}
    os.environ["PYTEST_XDIST_WORKER"] = worker
    if given["workercount"]:  # Else nobody knows how many there will be.
        os.environ["PYTEST_XDIST_WORKER_COUNT"] = str(given["workercount"])
    os.environ["PYTEST_XDIST_TESTRUNUID"] = spec.run
    # All nodes share the folder that the run is started in: pytest-cov leaves its data there, and the driver combines them.
    given |= {"cov_master_host": socket.gethostname(), "cov_master_topdir": os.getcwd()}  # noqa: PTH109 - as pytest-cov asks
    return given


class Guests:
    """A plugin of a hosted session that helps the other plugins.

    Args:
        spec: what the session is to be like.
        worker: the worker's id.
        location: ``ip:pid`` of this process.
        emit: takes events.
        sync_output: waits until what the process has written is emitted.
    """

    def __init__(
        self, spec: SessionSpec, worker: str, location: str, emit: Emit, sync_output: Callable[[], None]
    ) -> None:
        self._worker = worker
        self._location = location
        self._emit = emit
        self._input = look_like_xdist(spec, worker)
        self._sync_output = sync_output
        self._showwarning = warnings.showwarning
        self._only_benchmarks = False

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_load_initial_conftests(self, early_config: pytest.Config) -> Any:
        """Keep pytest-cov from erasing what other workers have measured."""
        if hasattr(early_config.known_args_namespace, "cov_append"):
            early_config.known_args_namespace.cov_append = True
        return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        """Make the session a worker's."""
        # By these, too, plugins know a worker: junitxml, cacheprovider, stepwise, pytest-cov and others.
        config.workerinput = self._input  # type: ignore[attr-defined]
        config.slaveinput = self._input  # type: ignore[attr-defined]  # The old name, which pytest-sugar goes by.
        config.workeroutput = {}  # type: ignore[attr-defined]
        for name, value in _DECIDED_BY_DRIVER.items():
            if hasattr(config.option, name):
                setattr(config.option, name, value)
        # It refuses this together with workers, where it measures nothing; but which trials are skipped depends on it.
        self._only_benchmarks = getattr(config.option, "benchmark_only", False)
        if self._only_benchmarks:
            config.option.benchmark_only = False
        _remove_reruns(config)
        # Until the session starts, nobody records warnings, and the driver has shown the same ones.
        warnings.showwarning = _show_nothing

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Silence the terminal's reporter, whichever plugin it is of; others need it, and so does addopts."""
        # What a trial says is lost if it ends its process at once; this is not, for the driver hears it before it sends a trial.
        self._emit(SessionStarted(self._worker, self._location))
        warnings.showwarning = self._showwarning
        _accept_no_coverage()
        if self._only_benchmarks:
            session.config._benchmarksession.only = True  # type: ignore[attr-defined]
        manager = session.config.pluginmanager
        reporter = manager.unregister(name="terminalreporter")
        if reporter is not None:
            private.set_terminal(reporter, session.config, _Silence(self._sync_output))
            manager.register(_StandIn(reporter, session.config), "terminalreporter")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Any:
        """Hand over the output, after all plugins have added to it."""
        result = yield
        said: dict[str, Any] = session.config.workeroutput  # type: ignore[attr-defined]
        values = {name: value for name, value in said.items() if _can_be_sent(value)}
        self._emit(WorkerOutput(self._worker, self._location, values))
        return result


class _StandIn:
    """Stands in for the terminal's reporter, which is there for who asks for it, and is told nothing.

    It would keep every report that this process makes, for a summary that nobody sees.

    Args:
        reporter: the reporter.
        config: the session's configuration.
    """

    def __init__(self, reporter: object, config: pytest.Config) -> None:
        self._reporter = reporter
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Ask how the report would be shown: in the answer pytest decides that a test with failed subtests has failed."""
        self._config.hook.pytest_report_teststatus(report=report, config=self._config)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reporter, name)


class _Silence(io.StringIO):
    """A file for the terminal's reporter that passes on only what other threads than the main one write.

    That is pytest-timeout, which shows where the trial hangs before it ends the process.
    """

    def __init__(self, sync_output: Callable[[], None]) -> None:
        super().__init__()
        self._sync_output = sync_output

    def write(self, text: str) -> int:
        if threading.current_thread() is not threading.main_thread():
            os.write(2, text.encode(errors="replace"))
        return len(text)

    def flush(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            self._sync_output()
            clock.pause(_DELIVERY_SECONDS)  # The process ends next, and what it says is sent by another thread.


def _can_be_sent(value: object) -> bool:
    try:
        execnet.dumps(value)
    except execnet.DumpError:
        return False
    return True


def _show_nothing(*_: Any, **__: Any) -> None:
    """Take the place of `warnings.showwarning`."""


def _accept_no_coverage() -> None:
    """Have coverage say nothing where a worker came too late for a trial. Whether all together have measured nothing, the driver says."""
    coverage = sys.modules.get("coverage.exceptions")  # There if it measures.
    if coverage is not None:
        warnings.filterwarnings("ignore", "No data was collected", category=coverage.CoverageWarning)


def _remove_reruns(config: pytest.Config) -> None:
    """Take pytest-rerunfailures out: it would run the body several times in one attempt. The engine tries again."""
    manager = config.pluginmanager
    for plugin in manager.get_plugins():
        if getattr(plugin, "__name__", "") == "pytest_rerunfailures":
            manager.unregister(plugin)
            config.addinivalue_line("markers", "flaky(reruns=1): registered by pytest-rerunfailures")
