"""What is found out before the first trial runs: whether the executor can do what the trials ask for."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import pytest

from pytest_sweep.checkpoints import local_path
from pytest_sweep.engine.fleet import Policy
from pytest_sweep.engine.pool import check_feasible
from pytest_sweep.errors import ExecutorError
from pytest_sweep.executors.base import Executor
from pytest_sweep.model.trials import Trial
from pytest_sweep.plugin.options import SweepOptions


def check_executor(
    executor: Executor, config: pytest.Config, options: SweepOptions, policy: Policy, trials: Sequence[Trial]
) -> None:
    """Find out whether the executor, which is up, can run `trials`, and warn of what it cannot do.

    Raises:
        InfeasibleError: a trial asks for more than any node has.
        ExecutorError: not all nodes see where checkpoints go.
    """
    sizes = [*(node.resources for node in executor.nodes()), *executor.future_nodes()]
    check_feasible(trials, sizes, executor.advice)
    if not executor.can_kill and any(policy.timeout or trial.sweep.timeout for trial in trials):
        _warn(config, f"the executor {executor.name} is this process, and ends no trial at its timeout: -n 1 would")
    folder = options.results_dir if options.storage is None else local_path(options.storage)
    blind = () if folder is None else executor.unshared(str(folder.absolute()))
    if blind:
        raise ExecutorError(
            f"checkpoints would go to {folder}, which {', '.join(sorted(set(blind)))} of the cluster's nodes does not see: a trial that "
            "is tried again on another node would not find its own. Name a place that all nodes reach: --sweep-storage=s3://bucket/sweeps, "
            "or a path of a file system that they share"
        )


def _warn(config: pytest.Config, text: str) -> None:
    # Not by `warnings.warn`, which `-W error` would turn into an abort of the session.
    message = warnings.WarningMessage(text, pytest.PytestWarning, str(config.rootpath), 0)
    config.hook.pytest_warning_recorded.call_historic(
        kwargs={"warning_message": message, "when": "config", "nodeid": "", "location": None}
    )
