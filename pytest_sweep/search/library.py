"""Optuna, where it is installed: studies in memory, trials of a space, samplers with a seed of ours. The only place that imports it."""

from __future__ import annotations

import copy
import hashlib
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_sweep.errors import DefinitionError, MissingExtraError
from pytest_sweep.model.spread import is_nan
from pytest_sweep.model.study import Objective
from pytest_sweep.search.dimensions import CategoricalDimension, Dimension, FloatDimension, IntegerDimension, Plain
from pytest_sweep.space.display import shown

if TYPE_CHECKING:
    from types import ModuleType

    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

_OLDEST = 5


def import_optuna(call: str) -> ModuleType:
    """Return the module ``optuna``, for which `call` asks.

    Raises:
        MissingExtraError: it is not installed.
        DefinitionError: it is too old.
    """
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError("optuna", "optuna", call) from error
    if int(optuna.__version__.partition(".")[0]) < _OLDEST:
        raise DefinitionError(
            f"{call} needs optuna {_OLDEST} or later, and {optuna.__version__} is installed: "
            "pip install --upgrade 'pytest-sweep[optuna]'"
        )
    return optuna


def new_study(optuna: ModuleType, objectives: Sequence[Objective], sampler: BaseSampler) -> Study:
    """Return an empty study in memory; Optuna does not log that."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        directions = ["maximize" if objective.mode == "max" else "minimize" for objective in objectives]
        study: Study = optuna.create_study(directions=directions, sampler=sampler)
        return study
    finally:
        optuna.logging.set_verbosity(verbosity)


def quietly(make: Callable[[], Any]) -> Any:
    """Return what `make` makes, without what Optuna warns of features that are experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make()


def distribution(optuna: ModuleType, dimension: Dimension) -> BaseDistribution:
    """Return the distribution of the codes of a dimension."""
    distributions: Any = optuna.distributions
    made: BaseDistribution
    if isinstance(dimension, FloatDimension):
        made = distributions.FloatDistribution(dimension.low, dimension.high, log=dimension.log)
    elif isinstance(dimension, IntegerDimension):
        made = distributions.IntDistribution(dimension.low, dimension.high, log=dimension.log)
    else:
        assert isinstance(dimension, CategoricalDimension)
        made = distributions.CategoricalDistribution(list(range(len(dimension.choices))))
    return made


def suggested(trial: Trial, dimensions: Mapping[str, Dimension]) -> dict[str, Plain]:
    """Return the values that Optuna suggests for a trial: one for each dimension that its branches have."""
    values: dict[str, Plain] = {}
    for name, dimension in dimensions.items():
        if any(values.get(other) != value for other, value in dimension.when):
            continue
        code: float
        if isinstance(dimension, FloatDimension):
            code = trial.suggest_float(name, dimension.low, dimension.high, log=dimension.log)
        elif isinstance(dimension, IntegerDimension):
            code = trial.suggest_int(name, dimension.low, dimension.high, log=dimension.log)
        else:
            assert isinstance(dimension, CategoricalDimension)
            code = trial.suggest_categorical(name, list(range(len(dimension.choices))))
        values[name] = dimension.value(code)
    return values


class TrialMaker:
    """Makes trials of Optuna of values and what was seen of them.

    Args:
        optuna: the module.
        dimensions: of the space.
        objectives: of the sweep.
    """

    def __init__(
        self, optuna: ModuleType, dimensions: Mapping[str, Dimension], objectives: Sequence[Objective]
    ) -> None:
        self._optuna, self._dimensions = optuna, dimensions
        self._distributions = {name: distribution(optuna, dimension) for name, dimension in dimensions.items()}
        self._worst = tuple(-math.inf if objective.mode == "max" else math.inf for objective in objectives)

    def complete(
        self, values: Mapping[str, Any], seen: Sequence[float] | None, constraints: Sequence[float] = ()
    ) -> FrozenTrial:
        """Return a trial that has got values; NaN, and None for all of them, count as the worst."""
        metrics = self._worst if seen is None else tuple(map(_finite_or, seen, self._worst))
        state = self._optuna.trial.TrialState.COMPLETE
        return self._trial(state, values, list(metrics), constraints)

    def running(self, values: Mapping[str, Any]) -> FrozenTrial:
        """Return a trial that runs."""
        return self._trial(self._optuna.trial.TrialState.RUNNING, values)

    def _trial(
        self,
        state: Any,
        values: Mapping[str, Any],
        metrics: list[float] | None = None,
        constraints: Sequence[float] = (),
    ) -> FrozenTrial:
        known = {name: value for name, value in values.items() if name in self._dimensions}
        made: FrozenTrial = self._optuna.trial.create_trial(
            state=state,
            values=metrics,
            params={name: self._dimensions[name].code(value) for name, value in known.items()},
            distributions={name: self._distributions[name] for name in known},
            constraints=violations(constraints),
        )
        return made


def violations(constraints: Sequence[float]) -> dict[str, float] | None:
    """Return constraints as Optuna takes them: by name; None where there are none. NaN is not met."""
    named = {str(number): math.inf if is_nan(value) else value for number, value in enumerate(constraints)}
    return named or None


def fresh_sampler(written: Any) -> BaseSampler:
    """Return a sampler of our own: a copy of a sampler, or what a class or a function makes of a seed.

    Raises:
        DefinitionError: what is made is no sampler.
    """
    if not isinstance(written, type) and hasattr(written, "sample_relative"):
        copied: BaseSampler = copy.deepcopy(written)
        return copied
    made = quietly(lambda: written(seed=0))
    if not hasattr(made, "sample_relative"):
        raise DefinitionError(f"optuna(): {shown(written)} returned {shown(made)}, which is no sampler of Optuna")
    sampler: BaseSampler = made
    return sampler


def reseed(sampler: BaseSampler, text: str) -> None:
    """Seed a sampler, and those within it, by a text. Optuna's own `reseed_rng` takes no seed."""
    number = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)
    waiting, seen = [sampler], set[int]()
    while waiting:
        part: Any = waiting.pop()
        seen.add(id(part))
        for attribute in vars(part).values():
            if callable(getattr(getattr(attribute, "rng", None), "seed", None)):
                attribute.rng.seed(number)
            elif hasattr(attribute, "sample_relative") and id(attribute) not in seen:
                waiting.append(attribute)


def _finite_or(value: float, worst: float) -> float:
    return worst if is_nan(value) else float(value)
