"""Sweeps, trials and their states, as frozen records. Knows neither pytest nor Ray."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from pytest_sweep.model.parameters import Parameters
from pytest_sweep.model.placement import Placement
from pytest_sweep.model.record import Record
from pytest_sweep.model.resources import Resources
from pytest_sweep.model.retry import RetryOn
from pytest_sweep.model.shared import SharedFixture
from pytest_sweep.model.states import TrialState as TrialState  # noqa: PLC0414 - for all who know it from here
from pytest_sweep.model.stop import StopRule
from pytest_sweep.model.study import Milestones, Objective

_UNSAFE = re.compile(r"[^a-zA-Z0-9._=-]")


@dataclass(frozen=True, slots=True)
class Sweep(Record):
    """A decorated function, as everything but pytest knows it.

    Attributes:
        id: the node id of the function, relative to rootdir: ``test_models.py::train_model``.
        name: the function's name: ``train_model``.
        metric: the metric that trials are judged by, or None.
        mode: ``"min"`` or ``"max"``.
        stop: rules of which the first one met ends a trial early.
        retries: how often a trial that failed is tried again.
        retry_on: after which failures it is.
        backoff: how long it waits before that, in seconds; doubled each time.
        worker_retries: how often it is tried again because its worker died, or its node ran out of memory, each counted apart.
        timeout: how long an attempt may take, in seconds; None is no limit.
        tolerate: how many trials may fail before the session does: a number, or a share below 1 of all trials that ran. A share is
            exact, since 0.29 * 100 is less than 29.
        fresh_process: whether every trial gets a process of its own; None leaves it to the resources (a GPU: yes).
        keep_checkpoints: how many checkpoints of a trial are kept; None leaves it to the run.
        keep_best: the metric by which those are chosen, with `mode`; None keeps the newest ones.
        varying: the flattened keys of the configuration that take more than one value, in order.
        average_over: the parameters whose values are replicates of one configuration: names of stacked ``parametrize`` arguments, of
            parametrized fixtures, or flattened keys of the configuration.
        objectives: all metrics that trials are judged by, where there are several; `metric` and `mode` are the first of them.
        feasible: the conditions on metrics that a trial must meet to be the best: ``memory < 8e9``.
        search: the name of the searcher that chooses configurations while the sweep runs; "" where they are known at collection.
        scheduler: the name of the scheduler that stops and pauses trials; "" where there is none.
        max_t: at how many iterations a trial is done, for the scheduler; None without one.
    """

    id: str
    name: str
    metric: str | None = None
    mode: str = "max"
    stop: tuple[StopRule, ...] = ()
    retries: int = 0
    retry_on: RetryOn = field(default_factory=RetryOn)
    backoff: float = 0.0
    worker_retries: int = 1
    timeout: float | None = None
    tolerate: int | Fraction = 0
    fresh_process: bool | None = None
    keep_checkpoints: int | None = None
    keep_best: str | None = None
    varying: tuple[str, ...] = ()
    average_over: tuple[str, ...] = ()
    objectives: tuple[Objective, ...] = ()
    feasible: tuple[str, ...] = ()
    search: str = ""
    scheduler: str = ""
    max_t: int | None = None

    @property
    def goals(self) -> tuple[Objective, ...]:
        """What trials are judged by: one objective, several, or none."""
        if self.objectives or self.metric is None:
            return self.objectives
        return (Objective(self.metric, self.mode),)

    def tolerates(self, failed: int, ran: int) -> bool:
        """Say whether `failed` of its `ran` trials may fail without failing the session."""
        return failed <= (self.tolerate if self.tolerate >= 1 else self.tolerate * ran)


@dataclass(frozen=True, slots=True)
class Trial(Record):
    """One collected item: a sweep at one configuration.

    Attributes:
        key: 16 hexadecimal digits; equal in every run and on every machine for an equal trial.
        id: its pytest node id.
        name: the last part of the node id: ``train_model[lr=0.001-depth=2]``.
        sweep: the sweep that it belongs to.
        config: the whole configuration, as the function receives it.
        resources: what it holds while it runs; in a gang, what each worker holds.
        seed: a number below 2**32 that is a stable function of the run's seed and the key.
        label: the part of its name that stands for the configuration: ``lr=0.001-depth=2``.
        marks: pytest's marks at this point of the space; nothing but pytest looks into them.
        replicate: which of equal configurations it is, from 0.
        group: what it shares with its replicates and with no other trial: the key of the first of them, or in a sweep with
            `Sweep.average_over` a key without what the sweep averages over; "" means its own key.
        placement: where it may run, and on how many workers.
        shared: the shared fixtures that it uses, each after those that it uses itself.
        parameters: what parametrizes it besides its sweep, for workers; None where nothing does, or it runs in this process.
        params: the same by argument, in the form in which it is stored.
        configuration: the name of its configuration if the sweep averages over something; "" otherwise.
        study: the id of the study that it belongs to: its sweep and its other parameters; "" without a searcher and a scheduler.
        slot: its number in the study, from 0; None where its configuration is known at collection.
        point_key: of a slot, the key that a trial of its configuration would have; "" until it has one.
    """

    key: str
    id: str
    name: str
    sweep: Sweep
    config: Mapping[str, Any] = field(hash=False)
    resources: Resources = Resources()
    seed: int = 0
    label: str = ""
    marks: tuple[Any, ...] = field(default=(), hash=False)
    replicate: int = 0
    group: str = ""
    placement: Placement = Placement()
    shared: tuple[SharedFixture, ...] = field(default=(), hash=False)
    parameters: Parameters | None = field(default=None, hash=False)
    params: Mapping[str, Any] = field(default_factory=dict, hash=False)
    configuration: str = ""
    study: str = ""
    slot: int | None = None
    point_key: str = ""

    @property
    def ident(self) -> str:
        """The part of its name that its sweep has given: its label, or for a slot ``trial=07``."""
        if self.slot is None:
            return self.label
        found = re.search(r"\[(trial=\d+)", self.name)
        return self.label if found is None else found[1]

    @property
    def is_blank(self) -> bool:
        """Whether it is a slot that has no configuration yet."""
        return self.slot is not None and not self.point_key

    @property
    def holds(self) -> Resources:
        """What it holds while it runs, all workers of its gang together."""
        return self.resources.times(self.placement.bundles)

    @property
    def group_key(self) -> str:
        """What it shares with its replicates and with no other trial."""
        return self.group or self.key

    @property
    def configuration_name(self) -> str:
        """The name that its replicates have in common: ``train[lr=1]`` for ``train[lr=1#2]``."""
        return self.configuration or name_without_replicate(self.name, self.replicate)

    @property
    def fresh_process(self) -> bool:
        """Whether it needs a process of its own: CUDA and its memory do not survive a change of owner."""
        asked = self.sweep.fresh_process
        # In a gang it is the workers that hold GPUs, and their processes end with the trial.
        return self.resources.gpu > 0 and self.placement.workers is None if asked is None else asked

    @property
    def path_name(self) -> str:
        """The name of its folder: readable, safe on every file system, unique by the key."""
        safe = _UNSAFE.sub("_", self.name)
        # The whole key: names are cut, and eight digits of it are not enough to tell a hundred thousand trials apart.
        return f"{safe[:80]}-{self.key}"


def name_without_replicate(name: str, replicate: int) -> str:
    """Return the name or node id that a trial has in common with its replicates: ``train[lr=1]`` for ``train[lr=1#2]``.

    Args:
        name: the trial's name or node id.
        replicate: which of equal configurations the trial is, from 0; the first one has no number in its name.
    """
    if not replicate:
        return name
    # Stacked parametrize may follow after a dash. Of several the last: a value may read like a number, but stands before it.
    return re.sub(rf"(.*)#{replicate + 1}(?=[\]-])", r"\1", name, count=1, flags=re.DOTALL)


@dataclass(frozen=True, slots=True)
class Task(Record):
    """What a worker is handed to run a trial once.

    Attributes:
        trial: the trial.
        attempt: which execution of it, from 1. What an older attempt still sends is refused.
        directory: where the trial may keep files; made only when something is written.
        checkpoint: the path or URL of the newest checkpoint of an earlier attempt that the driver knows of, or None.
        iteration: the ``training_iteration`` that `checkpoint` was reported at.
        checkpoints: the path or URL of the folder for the trial's checkpoints; "" is one in `directory`.
        keep_checkpoints: how many of them are kept; None is all.
        reported: the attempt and the ``training_iteration`` of the newest report that the driver knows of.
        unseen: run folder, if the worker's machine cannot see it; `directory` is then a local folder. "" elsewhere.
        lease: the number of the call in which a worker is handed it: what it sends under another one is refused.
        milestones: at which iterations the trial is judged; None where it never is.
        pause_at: the iteration at which the attempt pauses, if it reports a checkpoint with it; None where it does not.
        is_lent: whether `checkpoint` is another trial's, from which it starts even where its own ones are newer.
    """

    trial: Trial
    attempt: int
    directory: str
    checkpoint: str | None = None
    iteration: int = 0
    checkpoints: str = ""
    keep_checkpoints: int | None = None
    reported: tuple[int, int] = (0, 0)
    unseen: str = ""
    lease: int = 0
    milestones: Milestones | None = None
    pause_at: int | None = None
    is_lent: bool = False

    @property
    def is_continued(self) -> bool:
        """Whether an earlier attempt, of this run or another one, may have left a checkpoint."""
        return self.attempt > 1 or self.checkpoint is not None


@dataclass(frozen=True, slots=True)
class Run:
    """One ``pytest --sweep`` invocation: what hooks are told of it when it begins, and `list_runs` later.

    Attributes:
        name: the name of its folder: the time of its start in UTC and a random suffix. ``load_results`` takes it.
        path: the folder.
        seed: the seed of the run; None where its database cannot be read.
        command: the command line.
        started: when it began, in seconds since the epoch.
        executor: where the trials run: ``ray``, ``processes``, ``inline``, or the name of one that a plugin has made.
        finished: when it ended, in seconds since the epoch; None while it runs, and for ever where it was killed.
        exit_status: pytest's exit status; None likewise.
        is_running: whether it still goes on: its driver lives.
        commit: the git commit that was checked out, or None. None for hooks, too.
        dirty: whether tracked files differed from it, or None.
        versions: of ``python``, of the ``platform`` and of all installed packages, by name; empty for hooks.
        resumed_from: the name of the run that it went on from, or its folder where that is elsewhere; or None.
        note: why its database cannot be read, or what of it is lost; or None. Of what cannot be read there is only `name`, `path`,
            `started` and what could be read.

    Example:
        >>> for run in list_runs():
        ...     print(run.name, run.seed, run.exit_status, run.versions.get("torch"))
    """

    name: str
    path: str
    seed: int | None
    command: str
    started: float
    executor: str
    finished: float | None = None
    exit_status: int | None = None
    is_running: bool = False
    commit: str | None = None
    dirty: bool | None = None
    versions: Mapping[str, str] = field(default_factory=dict, hash=False)
    resumed_from: str | None = None
    note: str | None = None
