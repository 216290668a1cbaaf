"""The pytest plugin. Loading it costs next to nothing: what a run needs is imported when ``--sweep`` asks for it."""

from __future__ import annotations

from copy import copy

import pytest

from pytest_sweep.plugin.fixtures import sweep_results, trial
from pytest_sweep.plugin.guests.nodehooks import add_node_hooks
from pytest_sweep.plugin.options import add_options, results_dir, separate_files

__all__ = ["sweep_results", "trial"]  # Fixtures, which pytest finds in the plugin's module.


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser, args: list[str]) -> None:
    """Read ``--sweep-resume test_models.py`` as it is meant: a name of a run is written with ``=``."""
    if separate_files(args):
        early_config.known_args_namespace = parser.parse_known_args(args, namespace=copy(early_config.option))


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the hooks."""
    from pytest_sweep import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    """Register what the session needs: the driver's plugins with ``--sweep``, else the one that leaves sweeps out."""
    add_node_hooks(config.pluginmanager)
    config.addinivalue_line(
        "markers", "sweep(grid=..., configs=..., ...): run the function as a trial for each configuration, with --sweep"
    )
    config.addinivalue_line(
        "markers",
        "resources(function=None, *, cpu=1, gpu=0, memory='4GiB', custom={...}, labels={...}, workers=None, strategy='PACK', nodes=None): "
        "what a trial of a sweep holds while it runs; a function of the configuration returns further ones of these",
    )
    if config.getoption("sweep"):
        from pytest_sweep.plugin.collect.leftout import FILES

        for pattern in FILES:
            config.addinivalue_line("python_files", pattern)
    workerinput = getattr(config, "workerinput", None)
    if workerinput is not None and workerinput.get("sweep"):
        return  # A worker's session of ours: its own plugin sees to everything.
    if workerinput is not None:
        from pytest_sweep.plugin.collect.leftout import LeftToController

        config.pluginmanager.register(LeftToController(config), "sweep-left-out")
    elif config.getoption("sweep"):
        from pytest_sweep.plugin.activate import activate

        activate(config)
    else:
        from pytest_sweep.plugin.collect.leftout import LeftOut

        config.pluginmanager.register(LeftOut(config), "sweep-left-out")


def pytest_ignore_collect(collection_path: object, config: pytest.Config) -> bool | None:
    """Keep collection out of the results: ten thousand trial folders take it seconds to walk through."""
    return True if collection_path == results_dir(config) else None
