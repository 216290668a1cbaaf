"""What users write at ``scheduler=pbt(...)``, as small frozen settings. Imports no scheduler before one is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pytest_sweep.errors import DefinitionError
from pytest_sweep.search.checks import check_count, check_number, check_optional_count, check_time_attr
from pytest_sweep.search.protocols import Scheduler
from pytest_sweep.search.schedulers import Objectives, Trials, exact
from pytest_sweep.space.display import shown


@dataclass(frozen=True)
class PbtSettings:
    """Settings of `pbt`; its docstring says what they mean."""

    hyperparam_mutations: Mapping[str, Any] = field(hash=False)
    perturbation_interval: int = 4
    burn_in_period: int = 0
    quantile_fraction: float = 0.25
    resample_probability: float = 0.25
    perturbation_factors: tuple[float, float] = (1.2, 0.8)
    max_t: int | None = None

    name: ClassVar[str] = "pbt"
    needs_max_t: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not isinstance(self.hyperparam_mutations, Mapping) or not self.hyperparam_mutations:
            raise DefinitionError(
                f"pbt(): hyperparam_mutations={shown(self.hyperparam_mutations)} is not a dict from key to domain or list, such as "
                "{'lr': loguniform(1e-4, 1e-1)}"
            )
        check_count("pbt()", "perturbation_interval", self.perturbation_interval)
        check_count("pbt()", "burn_in_period", self.burn_in_period, 0)
        check_number("pbt()", "quantile_fraction", self.quantile_fraction, 0, 0.5)
        check_number("pbt()", "resample_probability", self.resample_probability, 0, 1)
        factors = self.perturbation_factors
        if not isinstance(factors, (tuple, list)) or len(factors) != 2:
            raise DefinitionError(
                f"pbt(): perturbation_factors={shown(factors)} is not a pair of numbers such as (1.2, 0.8)"
            )
        for factor in factors:
            check_number("pbt()", "perturbation_factors", factor, 0, above=True)
        check_optional_count("pbt()", "max_t", self.max_t)

    def make(self, objectives: Objectives, seed: int, max_t: int | None, trials: Trials) -> Scheduler:  # noqa: D102
        from pytest_sweep.search.mutations import read_mutations
        from pytest_sweep.search.pbt import Pbt

        if any(not config for config in trials.values()):
            raise DefinitionError(
                "pbt() changes configurations itself, and cannot do so beside a searcher whose configurations are chosen later: use "
                "search=random() or qmc(), or another scheduler"
            )
        mutations = read_mutations(
            self.hyperparam_mutations, self.resample_probability, tuple(map(float, self.perturbation_factors))
        )
        last = self.max_t if self.max_t is not None else max_t
        interval, burn_in = self.perturbation_interval, self.burn_in_period
        return Pbt(
            objectives[0], seed, mutations, interval, burn_in, exact(self.quantile_fraction), last, trials=trials
        )


def pbt(  # noqa: PLR0913 - Tune's arguments
    hyperparam_mutations: Mapping[str, Any],
    *,
    perturbation_interval: int = 4,
    burn_in_period: int = 0,
    quantile_fraction: float = 0.25,
    resample_probability: float = 0.25,
    perturbation_factors: tuple[float, float] = (1.2, 0.8),
    max_t: int | None = None,
    time_attr: str = "training_iteration",
) -> PbtSettings:
    """Let bad trials go on from the checkpoints of good ones, with changed parameters: Population Based Training (Jaderberg et al. 2017).

    As ``tune.schedulers.PopulationBasedTraining``. Every `perturbation_interval` iterations, a trial among the worst takes over a
    checkpoint of one among the best (exploit), and the parameters in `hyperparam_mutations` are changed (explore). What is drawn depends on
    the seed of the sweep. With fewer workers than trials these take turns: at each interval a trial pauses while others wait that are no
    further, and keeps its place among those that are compared (Tune's ``synch=False``). Not together with `tpe` or `optuna`.

    Args:
        hyperparam_mutations: what may change: dotted key -> domain such as ``loguniform(1e-4, 1e-1)``, or a list of values. Changed numbers
            stay within the domain; in a list, the next value is taken.
        perturbation_interval: how many iterations lie between two decisions on a trial.
        burn_in_period: before so many iterations nothing is exploited.
        quantile_fraction: which share counts as the best and as the worst, from 0 to 0.5.
        resample_probability: how often a parameter is drawn anew instead of being changed.
        perturbation_factors: what numbers are multiplied with, either one.
        max_t: the iteration at which every trial ends; default: ``stop={"training_iteration": N}``, or where trials end by themselves.
        time_attr: ``"training_iteration"``, which counts reports. Tune's name; nothing else is taken.

    Raises:
        DefinitionError: an argument is not of these.

    Example:
        >>> @sweep(space={"lr": loguniform(1e-4, 1e-1)}, num_samples=8, metric="loss", mode="min", stop={"training_iteration": 100},
        ...        scheduler=pbt({"lr": loguniform(1e-4, 1e-1)}, perturbation_interval=5))
        ... def train(lr, trial): ...
    """
    check_time_attr("pbt()", time_attr)
    return PbtSettings(
        hyperparam_mutations,
        perturbation_interval,
        burn_in_period,
        quantile_fraction,
        resample_probability,
        perturbation_factors,
        max_t,
    )
