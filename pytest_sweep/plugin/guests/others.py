"""Other plugins on the driver: lets those that know pytest-xdist's workers know ours, and warns of what cannot work."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Mapping
from types import MethodType, SimpleNamespace
from typing import Any

import execnet
import pytest

from pytest_sweep.hookcalls import call_each
from pytest_sweep.model.events import Accepted, SessionStarted, WorkerOutput
from pytest_sweep.plugin.collect.sweeps import PARAMETERS, TRIAL
from pytest_sweep.plugin.options import SweepOptions
from pytest_sweep.plugin.show.warned import warn


class Replacements:
    """A plugin that keeps trials trials where another plugin puts an item of its own in the place of ours, as pytest-asyncio does."""

    def __init__(self) -> None:
        self._made: Mapping[str, pytest.Item] = {}

    @pytest.hookimpl(wrapper=True, trylast=True, specname="pytest_pycollect_makeitem")
    def pytest_pycollect_makeitem_remember(self) -> Generator[None, Any, Any]:
        """Take note of the items, before other plugins see them."""
        made = yield
        self._made = {item.name: item for item in made if TRIAL in item.stash} if isinstance(made, list) else {}
        return made

    @pytest.hookimpl(wrapper=True, tryfirst=True, specname="pytest_pycollect_makeitem")
    def pytest_pycollect_makeitem_carry_over(self) -> Generator[None, Any, Any]:
        """Give what has been replaced the trial's record, after other plugins have seen it."""
        result = yield
        for item in result if self._made and isinstance(result, list) else ():
            original = self._made.get(item.name, item)
            if original is not item:
                item.stash[TRIAL], item.stash[PARAMETERS] = original.stash[TRIAL], original.stash[PARAMETERS]
        return result


_XDISTS_OWN = "terminaldistreporter"
"""The plugin by which pytest-xdist writes what becomes of its workers; of ours, the table and the failures tell."""


class Guests:
    """A plugin that plays pytest-xdist for the other plugins, where trials run in workers.

    Their ``pytest_configure_node`` is called once, before the first worker starts, and what it adds to ``workerinput`` is given to
    all of them; ``pytest_testnodedown`` is called for each of their sessions when all trials have ended, also early.

    Args:
        config: the session's configuration.
        options: the plugin's options.
    """

    def __init__(self, config: pytest.Config, options: SweepOptions) -> None:
        self._config = config
        self._options = options
        self._input: dict[str, Any] = {}
        self._sessions: dict[str, tuple[str, dict[str, Any] | None]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Prepare those that need more than hooks."""
        if not any(TRIAL in item.stash for item in session.items) or self._config.option.collectonly:
            return (yield)
        self._warn_of_benchmarks(session)
        _prepare_cov(self._config)
        _prepare_syrupy(self._config)
        try:
            return (yield)
        finally:
            _complete_syrupy(self._config)

    def note(self, batch: Iterable[Accepted]) -> None:
        """Take note of the sessions that have started, and of what those that have ended left for the other plugins.

        Not shown at once: what an interrupted run does not show any more is noted all the same.
        """
        for event in batch:
            if isinstance(event, SessionStarted):
                self._sessions[event.location] = (event.worker, None)
            elif isinstance(event, WorkerOutput):
                self._sessions[event.location] = (event.worker, event.values)

    def pytest_sweep_run_finish(self) -> None:
        """Hand the other plugins what their workers' sides have left."""
        lost = []
        for location, (worker, values) in self._sessions.items():
            if values is None:
                lost.append(location)
            node = self._node(location, {**self._input, "workerid": worker}, workeroutput=values or {})
            self._call("pytest_testnodedown", node=node, error="Not properly terminated" if values is None else None)
        if lost:
            self._forgo_unused_snapshots(lost)

    def workerinput(self) -> Mapping[str, Any]:
        """Ask the other plugins what their workers' sides need, and return it: plain values."""
        node = self._node("sweep", {})
        self._call("pytest_configure_node", node=node)
        seed = self._config.getoption("randomly_seed", None)
        if seed is not None:  # Without pytest-xdist, pytest-randomly does not pass it on by itself.
            node.workerinput.setdefault("randomly_seed", seed)
        try:
            execnet.dumps(node.workerinput)
        except execnet.DumpError as error:
            warn(self._config, f"workerinput does not reach the workers of trials: {error}")
            node.workerinput = {}
        node.workerinput["workercount"] = self._options.max_concurrent or self._options.processes or 0
        self._input = node.workerinput
        return self._input

    def _node(self, name: str, workerinput: dict[str, Any], **attributes: Any) -> Any:
        """Return what stands for a worker in pytest-xdist's hooks, with what plugins are known to look at."""
        info = SimpleNamespace(platform=sys.platform, version_info=tuple(sys.version_info), executable=sys.executable)
        gateway = SimpleNamespace(id=name, spec=SimpleNamespace(popen=True), _rinfo=lambda: info)
        manager = SimpleNamespace(roots=[], config=self._config, testrunuid="sweep")
        known = {"config": self._config, "gateway": gateway, "nodemanager": manager, "workerinput": workerinput}
        return SimpleNamespace(**known, workerinfo={}, **attributes)

    def _call(self, name: str, **arguments: Any) -> None:
        if not hasattr(self._config.hook, name):
            return
        for plugin, error in call_each(self._config.hook, name, without=_XDISTS_OWN, **arguments):
            warn(self._config, f"{name} of {plugin} failed for the workers of trials:\n{error}")

    def _warn_of_benchmarks(self, session: pytest.Session) -> None:
        benchmarks = getattr(self._config, "_benchmarksession", None)
        if benchmarks is None or benchmarks.skip or self._config.getoption("benchmark_disable"):
            return
        names = {
            item.stash[TRIAL].sweep.name
            for item in session.items
            if TRIAL in item.stash and "benchmark" in getattr(item, "fixturenames", ())
        }
        if names:
            warn(
                self._config,
                f"pytest-benchmark measures nothing in {', '.join(sorted(names))}: where trials run side by side, times would mislead. "
                f"Each body runs once. Run with --sweep-executor=inline to measure",
            )

    def _forgo_unused_snapshots(self, lost: list[str]) -> None:
        """Keep syrupy from taking the snapshots that a killed worker has looked at for unused, and from deleting them."""
        if hasattr(self._config, "_syrupy"):
            self._config.option.disable_unused_snapshots = True
            warn(self._config, f"syrupy cannot tell which snapshots are unused: {', '.join(lost)} ended without a word")


def _prepare_cov(config: pytest.Config) -> None:
    """Make pytest-cov ready for data of workers: without pytest-xdist's options it expects none."""
    controller = getattr(config.pluginmanager.get_plugin("_cov"), "cov_controller", None)
    if controller is None or hasattr(controller, "testnodedown"):
        return
    distributed = sys.modules[type(controller).__module__].DistMaster
    for name in ("configure_node", "testnodedown"):
        setattr(controller, name, MethodType(getattr(distributed, name), controller))
    # What trials import and run, this process need not.
    for name in ("_warn_no_data", "_warn_unimported_source", "_warn_preimported_source"):
        setattr(controller.cov, name, False)


def _prepare_syrupy(config: pytest.Config) -> None:
    """Have syrupy take its workers' reports, which it does only where pytest-xdist is installed."""
    manager = config.pluginmanager
    if hasattr(config, "_syrupy") and not manager.hasplugin("xdist"):
        manager.register(sys.modules["syrupy"].DeferXDist())


def _complete_syrupy(config: pytest.Config) -> None:
    """Tell syrupy which items have run: it relies on its workers for that as soon as they report, and ours collect one at a time."""
    snapshots = getattr(config, "_syrupy", None)
    if snapshots is not None and snapshots._worker_reports:
        selected = {node_id: status.value for node_id, status in snapshots._selected_items.items()}
        snapshots.add_worker_report({"collections": {}, "num_xfails": 0, "selected": selected})
