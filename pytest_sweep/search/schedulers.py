"""What users write at ``scheduler=``, as small frozen settings. Imports no scheduler before one is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Protocol

from pytest_sweep.errors import DefinitionError
from pytest_sweep.model.study import Objective
from pytest_sweep.search.checks import (
    check_count,
    check_number,
    check_one_of,
    check_optional_count,
    check_time_attr,
)
from pytest_sweep.search.protocols import Scheduler

Objectives = tuple[Objective, ...]
Trials = Mapping[str, Mapping[str, Any]]
"""The trials of a study in the order in which they begin: key -> configuration, empty for a slot."""


class SchedulerSettings(Protocol):
    """What makes a scheduler for each study.

    Attributes:
        name: the word for it: ``"asha"``.
        max_t: the iteration at which trials end, where it is written; else ``stop={"training_iteration": N}`` says it.
        needs_max_t: whether one of the two is needed.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - see the class

    @property
    def max_t(self) -> int | None: ...  # noqa: D102 - see the class

    @property
    def needs_max_t(self) -> bool: ...  # noqa: D102 - see the class

    def make(self, objectives: Objectives, seed: int, max_t: int | None, trials: Trials) -> Scheduler:
        """Return the scheduler of one study.

        Args:
            objectives: the metrics of the sweep; trials are judged by the first one.
            seed: what is drawn depends on it.
            max_t: the iteration at which trials end, from ``stop=``; `max_t` of the settings comes first.
            trials: the trials of the study.

        Raises:
            DefinitionError: there is no ``max_t`` where one is needed, or the settings do not suit the trials.
        """


@dataclass(frozen=True)
class AshaSettings:
    """Settings of `asha`; its docstring says what they mean."""

    max_t: int | None = None
    grace_period: int = 1
    reduction_factor: float = 4
    brackets: int = 1
    rule: str = "tune"
    pause: str = "auto"

    name: ClassVar[str] = "asha"
    needs_max_t: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_optional_count("asha()", "max_t", self.max_t)
        check_count("asha()", "grace_period", self.grace_period)
        check_number("asha()", "reduction_factor", self.reduction_factor, 1, above=True)
        check_count("asha()", "brackets", self.brackets)
        check_one_of("asha()", "rule", self.rule, ("tune", "strict"))
        check_one_of("asha()", "pause", self.pause, ("auto", "never"))

    def make(self, objectives: Objectives, seed: int, max_t: int | None, trials: Trials) -> Scheduler:  # noqa: ARG002, D102
        last = _last_iteration("asha()", self.max_t, max_t, self.grace_period)
        from pytest_sweep.search.asha import Asha
        from pytest_sweep.search.rungs import brackets_of

        brackets = brackets_of(self.grace_period, last, exact(self.reduction_factor), self.brackets)
        return Asha(
            objectives[0],
            seed,
            brackets,
            exact(self.reduction_factor),
            is_strict=self.rule == "strict",
            pauses=self.pause == "auto",
        )


@dataclass(frozen=True)
class MedianSettings:
    """Settings of `median`; its docstring says what they mean."""

    grace_period: int = 1
    min_samples_required: int = 3
    interval: int = 1
    max_t: int | None = None

    name: ClassVar[str] = "median"
    needs_max_t: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_count("median()", "grace_period", self.grace_period, 0)
        check_count("median()", "min_samples_required", self.min_samples_required)
        check_count("median()", "interval", self.interval)
        check_optional_count("median()", "max_t", self.max_t)

    def make(self, objectives: Objectives, seed: int, max_t: int | None, trials: Trials) -> Scheduler:  # noqa: ARG002, D102
        from pytest_sweep.search.median import Median

        last = self.max_t if self.max_t is not None else max_t
        return Median(objectives[0], self.grace_period, self.min_samples_required, self.interval, last)


@dataclass(frozen=True)
class HyperbandSettings:
    """Settings of `hyperband`; its docstring says what they mean."""

    max_t: int | None = None
    grace_period: int = 1
    reduction_factor: float = 3

    name: ClassVar[str] = "hyperband"
    needs_max_t: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_optional_count("hyperband()", "max_t", self.max_t)
        check_count("hyperband()", "grace_period", self.grace_period)
        check_number("hyperband()", "reduction_factor", self.reduction_factor, 1, above=True)

    def make(self, objectives: Objectives, seed: int, max_t: int | None, trials: Trials) -> Scheduler:  # noqa: ARG002, D102
        last = _last_iteration("hyperband()", self.max_t, max_t, self.grace_period)
        from pytest_sweep.search.hyperband import Hyperband

        return Hyperband(objectives[0], self.grace_period, last, exact(self.reduction_factor), tuple(trials))


def asha(
    *,
    max_t: int | None = None,
    grace_period: int = 1,
    reduction_factor: float = 4,
    brackets: int = 1,
    rule: str = "tune",
    pause: str = "auto",
    time_attr: str = "training_iteration",
) -> AshaSettings:
    """Stop or pause trials early by the Asynchronous Successive Halving Algorithm (Li et al. 2020), as ``tune.schedulers.ASHAScheduler``.

    Trials are judged at rungs: the iterations ``grace_period * reduction_factor ** k``, and `max_t`. Where trials save checkpoints with
    their reports, each pauses at a rung, and goes on when it is among the best ``1 / reduction_factor`` of those that have reached it
    (promotion; Tune has only stopping). Where a trial has none, it is stopped at a rung unless it is good enough. A trial that failed, or
    whose metric is NaN, is the worst of its rung. With several objectives the first one counts.

    Args:
        max_t: the iteration at which every trial ends; default: ``stop={"training_iteration": N}``.
        grace_period: the first rung: how many iterations each trial has.
        reduction_factor: one of so many goes on to the next rung; above 1.
        brackets: how many series of rungs there are, the s-th of which begins at ``grace_period * reduction_factor ** s``. Trials are dealt
            to them at random, from the seed of the sweep, with Tune's probabilities.
        rule: who is stopped at a rung, where trials do not pause. ``"tune"``: whoever is worse than the percentile
            ``1 - 1 / reduction_factor`` of those before. ``"strict"``: whoever is not among the best ``max(1, n // reduction_factor)`` of
            the n there, oneself included. Strict saves more, and errs more where the first iterations mislead.
        pause: ``"auto"`` pauses trials that have checkpoints; ``"never"`` only stops.
        time_attr: ``"training_iteration"``, which counts reports. Tune's name; nothing else is taken.

    Raises:
        DefinitionError: an argument is not of these.

    Example:
        >>> @sweep(space={"lr": loguniform(1e-4, 1e-1)}, num_samples=60, metric="loss", mode="min",
        ...        scheduler=asha(max_t=81, grace_period=1, reduction_factor=3))
        ... def train(lr, trial): ...
    """
    check_time_attr("asha()", time_attr)
    return AshaSettings(max_t, grace_period, reduction_factor, brackets, rule, pause)


def median(
    *,
    grace_period: int = 1,
    min_samples_required: int = 3,
    interval: int = 1,
    max_t: int | None = None,
    time_attr: str = "training_iteration",
) -> MedianSettings:
    """Stop a trial whose best value is worse than the median of the others' running averages at the same iteration.

    As ``tune.schedulers.MedianStoppingRule`` (Golovin et al. 2017, Google Vizier). Reports do not wait for the verdict: the trial stops at
    a later one. It stops less than `asha`, and no trial before `grace_period`.

    Args:
        grace_period: how many iterations each trial has before it may be stopped.
        min_samples_required: how many other trials must have reached the iteration.
        interval: trials are judged at each so many iterations.
        max_t: the iteration at which every trial ends; default: ``stop={"training_iteration": N}``, or where trials end by themselves.
        time_attr: ``"training_iteration"``, which counts reports. Tune's name; nothing else is taken.

    Raises:
        DefinitionError: an argument is not of these.
    """
    check_time_attr("median()", time_attr)
    return MedianSettings(grace_period, min_samples_required, interval, max_t)


def hyperband(
    *,
    max_t: int | None = None,
    grace_period: int = 1,
    reduction_factor: float = 3,
    time_attr: str = "training_iteration",
) -> HyperbandSettings:
    """Pause trials at rungs until all of their bracket are there, then let the best go on (Hyperband, Li et al. 2018).

    As ``tune.schedulers.HyperBandScheduler``. Which trials share a bracket is known beforehand, so the same values give the same verdicts
    with any number of workers and on every executor. Needs checkpoints; a trial without one is stopped as by ``asha(rule="strict")``.

    Args:
        max_t: the iteration at which every trial ends; default: ``stop={"training_iteration": N}``.
        grace_period: the first rung of the bracket that stops soonest.
        reduction_factor: one of so many goes on to the next rung; above 1.
        time_attr: ``"training_iteration"``, which counts reports. Tune's name; nothing else is taken.

    Raises:
        DefinitionError: an argument is not of these.
    """
    check_time_attr("hyperband()", time_attr)
    return HyperbandSettings(max_t, grace_period, reduction_factor)


def exact(number: float) -> Fraction:
    """Return the number as it is written: 0.1 is a tenth."""
    return Fraction(repr(number))


def _last_iteration(call: str, own: int | None, stop: int | None, grace_period: int) -> int:
    last = own if own is not None else stop
    if last is None:
        raise DefinitionError(
            f'{call} needs to know how long a trial lasts: give max_t=, or stop={{"training_iteration": N}} of @sweep'
        )
    if grace_period > last:
        raise DefinitionError(
            f"{call}: grace_period={grace_period} is more than max_t={last}: give one of at most max_t"
        )
    return last
