"""What is found out before the first trial runs: whether the executor can do what the trials ask for."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pytest_sweep.checkpoints import local_path
from pytest_sweep.engine.feasible import check_feasible
from pytest_sweep.engine.policy import Policy
from pytest_sweep.engine.port import Executor
from pytest_sweep.errors import ExecutorError, InfeasibleError
from pytest_sweep.model.trials import Trial
from pytest_sweep.plugin.options import SweepOptions
from pytest_sweep.plugin.show.warned import warn


def check_executor(
    executor: Executor, config: pytest.Config, options: SweepOptions, policy: Policy, trials: Sequence[Trial]
) -> None:
    """Find out whether the executor, which is up, can run `trials`, and warn of what it cannot do.

    Raises:
        InfeasibleError: a trial asks for more than any node has.
        ExecutorError: not all nodes see where checkpoints go.
    """
    gang = None if executor.can_gang else next((trial for trial in trials if trial.placement.workers is not None), None)
    if gang is not None:
        raise InfeasibleError(
            f"{gang.id} asks for {gang.placement}, and the executor {executor.name} gives a trial one process: run it with "
            "--sweep-executor=ray"
        )
    check_feasible(trials, executor.nodes(), executor.future_nodes(), executor.advice)
    shared = {fixture.id: fixture for trial in trials for fixture in trial.shared}
    check_feasible(shared.values(), executor.nodes(), executor.future_nodes(), executor.advice)
    if not executor.can_kill and any(policy.timeout or trial.sweep.timeout for trial in trials):
        warn(config, f"the executor {executor.name} is this process, and ends no trial at its timeout: -n 1 would")
    folder = options.results_dir if options.storage is None else local_path(options.storage)
    blind = () if folder is None else executor.unshared(str(folder.absolute()))
    if blind:
        who, verb = ", ".join(sorted(set(blind))), "does" if len(set(blind)) == 1 else "do"
        _refuse_place(config, options, f"{folder}, which {who} of the cluster's nodes {verb} not see", trials)


def _refuse_place(config: pytest.Config, options: SweepOptions, place: str, trials: Sequence[Trial]) -> None:
    """Refuse a place for checkpoints that not all nodes see, or warn of it where nothing says that there will be any."""
    way_out = "Name a place that all nodes reach: --sweep-storage=s3://bucket/sweeps, or a path of a file system that they share"
    says_so = any(trial.sweep.keep_checkpoints or trial.sweep.keep_best for trial in trials)
    if says_so or options.storage is not None or options.keep_checkpoints or options.resume is not None:
        raise ExecutorError(
            f"checkpoints would go to {place}: a trial that is tried again on another node would not find its own. {way_out}"
        )
    warn(config, f"results go to {place}: no trial there can keep checkpoints, nor files in trial.dir. {way_out}")
