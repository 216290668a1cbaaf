"""Activates the plugin for a session with ``--sweep``: reads the options, then lets the executor begin before all else is imported."""

from __future__ import annotations

import pytest

from pytest_sweep.errors import SweepError
from pytest_sweep.items.lifetimes import FixtureKeeper
from pytest_sweep.model.integers import parse_integer
from pytest_sweep.plugin.executor import make_executor
from pytest_sweep.plugin.options import SweepOptions, read_options
from pytest_sweep.plugin.session.signals import Interrupts
from pytest_sweep.plugin.shadowed import ShadowedModules


def activate(config: pytest.Config) -> None:
    """Register the driver's plugins.

    Raises:
        pytest.UsageError: options that make no sense, or an executor that does not exist.
    """
    options = read_options(config)
    if options.starts_something:
        _look_for_shadows(config, options.executor)
    if options.storage is not None:
        _check_storage(options.storage)
    if options.track:
        _check_trackers(options)
    resumption = None
    if options.may_take:
        from pytest_sweep.plugin.session.resuming import resumption as find_resumption

        options, resumption = find_resumption(options, _given_seed(config), config.get_verbosity())
    keeper = FixtureKeeper(_log_late_report)
    interrupts = Interrupts()
    executor = make_executor(config, options, keeper, interrupts)
    # Takes a quarter of a second, in which a first process imports what it needs.
    from pytest_sweep.plugin.assembly import assemble

    assemble(config, options, resumption, executor, keeper, interrupts)


def _look_for_shadows(config: pytest.Config, executor: str) -> None:
    modules = ShadowedModules(executor)
    config.pluginmanager.register(modules, "sweep-shadowed-modules")
    for folder in {config.rootpath, config.invocation_params.dir}:
        modules.look(folder)


def _check_storage(location: str) -> None:
    from pytest_sweep.checkpoints import check_place

    try:
        check_place(location)
    except SweepError as error:
        raise pytest.UsageError(str(error)) from error


def _check_trackers(options: SweepOptions) -> None:
    from pytest_sweep.trackers.registry import check_tracker, parse_trackers

    try:
        for tracked in parse_trackers(options.track):
            check_tracker(tracked)
    except SweepError as error:
        raise pytest.UsageError(f"--sweep-track: {error}") from error


def _given_seed(config: pytest.Config) -> int | None:
    """Return the seed that the command line names, or None."""
    given = config.getoption("sweep_seed")
    return None if given is None else parse_integer(given)


def _log_late_report(item: pytest.Item, report: pytest.TestReport) -> None:
    item.ihook.pytest_runtest_logreport(report=report)
