"""Makes the executor that the options ask for. Imports that one only: the first trial waits for it."""

from __future__ import annotations

import os
import traceback
from dataclasses import replace
from functools import partial

import pytest

from pytest_sweep.engine.port import Executor
from pytest_sweep.errors import SweepError
from pytest_sweep.items.lifetimes import FixtureKeeper
from pytest_sweep.items.private import cache_folder
from pytest_sweep.plugin.options import EXECUTORS, SweepOptions
from pytest_sweep.plugin.runtime_env import read_runtime_env, refuse_runtime_env
from pytest_sweep.plugin.session.signals import Interrupts


def make_executor(
    config: pytest.Config, options: SweepOptions, keeper: FixtureKeeper, interrupts: Interrupts
) -> Executor:
    """Return the executor, which has started nothing but, perhaps, a process ahead.

    Args:
        config: the session's configuration.
        options: the options.
        keeper: keeps the fixtures of this session between items.
        interrupts: lets signals interrupt trials that run in this session.

    Raises:
        pytest.UsageError: there is no such executor, or the hook for it failed.
        pytest.exit.Exception: the hook ends the session.
    """
    config.pluginmanager.register(OwnExecutors(config, keeper, interrupts), "sweep-executors")
    try:
        made: Executor | None = config.hook.pytest_sweep_make_executor(options=options)
    except (pytest.exit.Exception, pytest.UsageError, KeyboardInterrupt):
        raise
    except SweepError as error:
        raise pytest.UsageError(str(error)) from error
    except (
        BaseException
    ) as error:  # Also sys.exit and pytest.fail, which are no Exception, and would be an internal error.
        where = traceback.extract_tb(error.__traceback__)[-1]
        raise pytest.UsageError(
            f"pytest_sweep_make_executor failed at {where.filename}:{where.lineno}: {type(error).__name__}: {error}"
        ) from error
    if made is None:
        raise pytest.UsageError(
            f"--sweep-executor={options.executor}: there is no such executor; there are {', '.join(EXECUTORS)}"
        )
    return made


class OwnExecutors:
    """Makes the executors of this package, after other plugins had their say; a wrapper of the hook sees them, too.

    Args:
        config: as of `make_executor`.
        keeper: likewise.
        interrupts: likewise.
    """

    def __init__(self, config: pytest.Config, keeper: FixtureKeeper, interrupts: Interrupts) -> None:
        self._config = config
        self._keeper = keeper
        self._interrupts = interrupts

    @pytest.hookimpl(trylast=True)
    def pytest_sweep_make_executor(self, options: SweepOptions) -> Executor | None:
        """Return the executor that the options name; None where there is none of this name."""
        if options.executor == "ray":
            return _ray(self._config, options)
        refuse_runtime_env(self._config, options.executor)
        if options.executor == "inline":
            from pytest_sweep.executors.inline import InlineExecutor
            from pytest_sweep.store.unheard import UnheardFile

            interrupts = self._interrupts
            return InlineExecutor(self._config, self._keeper, interrupts.allowed, interrupts.held, UnheardFile())
        return _processes(self._config, options) if options.executor == "processes" else None


def _processes(config: pytest.Config, options: SweepOptions) -> Executor:
    from pytest_sweep.executors.phases import Limits
    from pytest_sweep.executors.processes.executor import MOST_STARTS, ProcessesExecutor

    count = options.processes or options.num_cpus or os.cpu_count() or 1
    limits = Limits(exit=options.exit_timeout, starts=MOST_STARTS)
    executor = ProcessesExecutor(min(count, options.max_concurrent or count), limits)
    if options.starts_something:
        # One only, for nobody knows yet whether there is a trial; and none is left if it comes to no session.
        config.add_cleanup(executor.join)
        config.add_cleanup(partial(executor.shutdown, force=True))
        executor.start_ahead(1)
    return executor


def _ray(config: pytest.Config, options: SweepOptions) -> Executor:
    from pytest_sweep.executors.phases import Limits
    from pytest_sweep.executors.ray.executor import RayExecutor
    from pytest_sweep.executors.ray.options import CodeOptions, RayOptions

    cache = cache_folder(config)
    code = CodeOptions(
        config.rootpath,
        options.results_dir,
        left_out=() if cache is None else (cache,),
        include=options.include,
    )
    if options.code_limit is not None:
        code = replace(code, limit=options.code_limit)
    environment = {} if options.runtime_env is None else read_runtime_env(options.runtime_env, config.rootpath)
    limits = Limits(exit=options.exit_timeout)
    return RayExecutor(RayOptions(options.address, options.num_cpus, options.num_gpus, environment, code, limits))
