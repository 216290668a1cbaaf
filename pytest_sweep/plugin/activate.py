"""Puts together what a session with ``--sweep`` needs. The one place that imports it."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from pytest_sweep.checkpoints import check_place
from pytest_sweep.engine.policy import Policy
from pytest_sweep.errors import SpaceError, SweepError
from pytest_sweep.executors.base import Executor
from pytest_sweep.executors.inline import InlineExecutor
from pytest_sweep.executors.processes.executor import ProcessesExecutor
from pytest_sweep.executors.ray.executor import RayExecutor
from pytest_sweep.executors.ray.options import CodeOptions, RayOptions
from pytest_sweep.plugin.collection import SweepCollector
from pytest_sweep.plugin.dryrun import DryRun
from pytest_sweep.plugin.keywords import ExactKeywords, asks_for_values
from pytest_sweep.plugin.neighbours import Neighbours, Replacements
from pytest_sweep.plugin.options import EXECUTORS, SweepOptions, read_options
from pytest_sweep.plugin.reruns import Reruns
from pytest_sweep.plugin.run import SweepRun
from pytest_sweep.plugin.runtime_env import read_runtime_env, refuse_runtime_env
from pytest_sweep.plugin.selection import TrialSelection
from pytest_sweep.plugin.spaces import SpaceExpander
from pytest_sweep.space import MAX_POINTS, parse_condition, parse_override
from pytest_sweep.worker.allure import AllureParameters
from pytest_sweep.worker.keeper import FixtureKeeper

T = TypeVar("T")


def activate(config: pytest.Config) -> None:
    """Register the driver's plugins.

    Raises:
        pytest.UsageError: options that make no sense, or an executor that does not exist.
    """
    options = read_options(config)
    if options.storage is not None:
        _check_storage(options.storage)
    resumption = None
    if options.may_take:
        from pytest_sweep.plugin.resuming import resumption as find_resumption

        options, resumption = find_resumption(options, _given_seed(config), config.get_verbosity())
    run = SweepRun(config, options, resumption)
    executor = _make_executor(config, options, run.keeper)
    run.use(executor, _policy(options, executor))
    spaces = _spaces(options)
    reruns = Reruns(config.pluginmanager)
    collector = SweepCollector(
        spaces=spaces,
        reruns=reruns,
        must_pickle=not isinstance(executor, InlineExecutor),
        on_sweep=partial(_prepare, executor, options),
    )
    run.collector = collector
    config.pluginmanager.register(collector, "sweep-collector")
    config.pluginmanager.register(run, "sweep-run")
    config.pluginmanager.register(run.spread, "sweep-spread")
    config.pluginmanager.register(Replacements(), "sweep-replacements")
    config.pluginmanager.register(reruns, "sweep-reruns")
    config.pluginmanager.register(AllureParameters(), "sweep-allure")
    if not isinstance(executor, InlineExecutor):
        config.pluginmanager.register(Neighbours(config, options), "sweep-neighbours")
    if asks_for_values(config):
        config.pluginmanager.register(ExactKeywords(config), "sweep-keywords")
    if options.where is not None:
        config.pluginmanager.register(
            TrialSelection(_read("--sweep-where", parse_condition, options.where)), "sweep-selection"
        )
    if config.option.collectonly:
        config.pluginmanager.register(DryRun(executor, options.max_concurrent, spaces), "sweep-dry-run")


def _given_seed(config: pytest.Config) -> int | None:
    """Return the seed that the command line names, or None."""
    given = config.getoption("sweep_seed")
    return None if given is None else int(given)


def _policy(options: SweepOptions, executor: Executor) -> Policy:
    limits = [limit for limit in (options.max_concurrent, executor.max_concurrent) if limit is not None]
    return Policy(
        max_concurrent=min(limits, default=None),
        timeout=options.timeout,
        abort_after=options.abort_after,
        budget=options.budget,
        grace=options.grace,
    )


def _spaces(options: SweepOptions) -> SpaceExpander:
    overrides = [_read("--sweep-set", parse_override, text) for text in options.sets]
    return SpaceExpander(options.seed, options.max_trials or MAX_POINTS, overrides)


def _check_storage(location: str) -> None:
    try:
        check_place(location)
    except SweepError as error:
        raise pytest.UsageError(str(error)) from error


def _read(flag: str, parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except SpaceError as error:
        raise pytest.UsageError(f"{flag}: {error}") from error


def _prepare(executor: Executor, options: SweepOptions) -> None:
    """Begin to start the executor as soon as there is something to run, so that it starts while pytest collects."""
    if not options.starts_nothing and not options.may_take:
        executor.prepare()


def _make_executor(config: pytest.Config, options: SweepOptions, keeper: FixtureKeeper) -> Executor:
    try:
        made: Executor | None = config.hook.pytest_sweep_make_executor(options=options)
    except SweepError as error:
        raise pytest.UsageError(str(error)) from error
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        raise pytest.UsageError(
            f"pytest_sweep_make_executor failed at {where.filename}:{where.lineno}: {type(error).__name__}: {error}"
        ) from error
    if made is not None:
        return made
    if options.executor == "ray":
        return RayExecutor(_ray_options(config, options))
    refuse_runtime_env(config, options.executor)
    if options.executor == "inline":
        return InlineExecutor(config, keeper)
    if options.executor == "processes":
        count = options.processes or options.num_cpus or os.cpu_count() or 1
        return ProcessesExecutor(min(count, options.max_concurrent or count))
    raise pytest.UsageError(
        f"--sweep-executor={options.executor}: there is no such executor; there are {', '.join(EXECUTORS)}"
    )


def _ray_options(config: pytest.Config, options: SweepOptions) -> RayOptions:
    cache: pytest.Cache | None = getattr(config, "cache", None)  # Not there with -p no:cacheprovider.
    code = CodeOptions(
        config.rootpath,
        options.results_dir,
        left_out=() if cache is None else (Path(cache._cachedir),),
        include=options.include,
    )
    if options.code_limit is not None:
        code = replace(code, limit=options.code_limit)
    environment = {} if options.runtime_env is None else read_runtime_env(options.runtime_env, config.rootpath)
    return RayOptions(options.address, options.num_cpus, options.num_gpus, environment, code)
