"""What users write at ``search=``, as small frozen settings. Imports neither searchers nor their libraries before one is made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from pytest_sweep.errors import DefinitionError
from pytest_sweep.model.study import Objective
from pytest_sweep.search.checks import check_count, check_flag, check_number
from pytest_sweep.search.protocols import Searcher
from pytest_sweep.search.space import SearchSpace
from pytest_sweep.space.display import shown

Objectives = tuple[Objective, ...]


class SearcherSettings(Protocol):
    """What makes a searcher for each study.

    Attributes:
        name: the word for it: ``"tpe"``.
        needs_slots: whether its choices depend on results, so that trials get their configurations while the sweep runs.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - see the class

    @property
    def needs_slots(self) -> bool: ...  # noqa: D102 - see the class

    def make(self, space: SearchSpace, objectives: Objectives, seed: int, num_samples: int) -> Searcher:
        """Return the searcher of one study.

        Args:
            space: what it chooses from.
            objectives: the metrics of the sweep, the first one first; at least one.
            seed: equal seeds and equal observations give equal choices.
            num_samples: how many slots there are, at most.

        Raises:
            DefinitionError: the settings do not suit the space or the objectives.
            MissingExtraError: a library is not installed.
        """


@dataclass(frozen=True)
class RandomSettings:
    """Settings of `random`."""

    name: ClassVar[str] = "random"
    needs_slots: ClassVar[bool] = False

    def make(self, space: SearchSpace, objectives: Objectives, seed: int, num_samples: int) -> Searcher:  # noqa: ARG002, D102
        from pytest_sweep.search.drawn import DrawnSearcher

        return DrawnSearcher(space)


@dataclass(frozen=True)
class QmcSettings:
    """Settings of `qmc`."""

    name: ClassVar[str] = "qmc"
    needs_slots: ClassVar[bool] = False

    def make(self, space: SearchSpace, objectives: Objectives, seed: int, num_samples: int) -> Searcher:  # noqa: ARG002, D102
        from pytest_sweep.search.drawn import QuasiRandomSearcher

        return QuasiRandomSearcher(space, seed)


@dataclass(frozen=True)
class TpeSettings:
    """Settings of `tpe`; its docstring says what they mean."""

    n_startup_trials: int = 12
    random_fraction: float = 0.0
    n_ei_candidates: int = 24
    multivariate: bool = True
    batch: int = 1

    name: ClassVar[str] = "tpe"
    needs_slots: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_count("tpe()", "n_startup_trials", self.n_startup_trials)
        check_number("tpe()", "random_fraction", self.random_fraction, 0.0, 1.0)
        check_count("tpe()", "n_ei_candidates", self.n_ei_candidates)
        check_flag("tpe()", "multivariate", self.multivariate)
        check_count("tpe()", "batch", self.batch)

    def make(self, space: SearchSpace, objectives: Objectives, seed: int, num_samples: int) -> Searcher:  # noqa: ARG002, D102
        from pytest_sweep.search.batches import in_batches
        from pytest_sweep.search.tpe import Options, RungSearcher

        options = Options(self.n_startup_trials, self.random_fraction, self.n_ei_candidates, self.multivariate)
        return in_batches(RungSearcher(space, objectives, seed, options), self.batch)


@dataclass(frozen=True)
class OptunaSettings:
    """Settings of `optuna`."""

    sampler: Any
    batch: int = 1

    needs_slots: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_count("optuna()", "batch", self.batch)
        if not callable(self.sampler) and not hasattr(self.sampler, "sample_relative"):
            raise DefinitionError(
                f"optuna(): {shown(self.sampler)} is neither a sampler of Optuna nor a function of a seed that returns one: write "
                "optuna(GPSampler()) or optuna(lambda seed: GPSampler(seed=seed)), after `from optuna.samplers import GPSampler`"
            )

    @property
    def name(self) -> str:
        """The name of the sampler's class, in lower case and without its last word: ``gp``."""
        if isinstance(self.sampler, type):
            kind = self.sampler.__name__
        elif hasattr(self.sampler, "sample_relative"):
            kind = type(self.sampler).__name__
        else:
            return "optuna"
        return kind.removesuffix("Sampler").lower() or "optuna"

    def make(self, space: SearchSpace, objectives: Objectives, seed: int, num_samples: int) -> Searcher:  # noqa: ARG002, D102
        from pytest_sweep.search.batches import in_batches
        from pytest_sweep.search.sampler import SamplerSearcher

        return in_batches(SamplerSearcher(space, objectives, seed, self.sampler), self.batch)


@dataclass(frozen=True)
class StopAfterSettings:
    """Settings of `stop_after`."""

    search: SearcherSettings
    no_better: int | None = None
    goal: float | None = None

    needs_slots: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.no_better is None and self.goal is None:
            raise DefinitionError("stop_after() has no condition: give no_better=20, goal=0.05, or both")
        if self.no_better is not None:
            check_count("stop_after()", "no_better", self.no_better)
        if self.goal is not None:
            check_number("stop_after()", "goal", self.goal, -math.inf)

    @property
    def name(self) -> str:
        """The name of the searcher whose study it ends."""
        return self.search.name

    def make(self, space: SearchSpace, objectives: Objectives, seed: int, num_samples: int) -> Searcher:  # noqa: D102
        from pytest_sweep.search.stopping import StoppingSearcher

        searcher = self.search.make(space, objectives, seed, num_samples)
        return StoppingSearcher(searcher, objectives, no_better=self.no_better, goal=self.goal)


def random() -> RandomSettings:
    """Choose at random: what ``num_samples=`` does without ``search=``, with the same draws, ids and keys.

    The configurations do not depend on results, so they are known at collection.

    Example:
        >>> @sweep(space={"lr": loguniform(1e-4, 1e-1)}, num_samples=20, search=random(), scheduler=asha(max_t=27),
        ...        metric="loss", mode="min")
        ... def train(lr, trial): ...
    """
    return RandomSettings()


def qmc() -> QmcSettings:
    """Choose quasi-randomly: points that fill the space more evenly than random ones, known at collection.

    Sample n is point n of a scrambled Halton sequence (Halton 1960; scrambling by a permutation of the digits, Braaten and Weller 1979),
    and depends on the seed and on n only. As ``optuna.samplers.QMCSampler(qmc_type="halton", scramble=True)``. Functions and strategies of
    hypothesis draw as they do with `random`. The gain is largest with up to about ten dimensions.

    Example:
        >>> @sweep(space={"lr": loguniform(1e-4, 1e-1), "depth": randint(2, 9)}, num_samples=32, search=qmc())
        ... def train(lr, depth): ...
    """
    return QmcSettings()


def tpe(
    *,
    n_startup_trials: int = 12,
    random_fraction: float = 0.0,
    n_ei_candidates: int = 24,
    multivariate: bool = True,
    batch: int = 1,
) -> TpeSettings:
    """Choose by the tree-structured Parzen estimator of Optuna (``optuna.samplers.TPESampler``), which learns from results.

    With a scheduler there is one study for each of its rungs: values at iteration 3 are compared with values at iteration 3 only, and the
    highest rung with `n_startup_trials` values is asked (as BOHB does; Falkner, Klein and Hutter 2018). A trial that failed, or whose
    metric is NaN, counts as the worst. Trials that run and have not reached a rung count as bad ones, so that several workers do not try
    the same place. Needs ``pip install 'pytest-sweep[optuna]'``.

    Args:
        n_startup_trials: how many values are needed before the estimator is asked; until then choices are random. Optuna's name.
        random_fraction: which share of the choices stays random afterwards, from 0 to 1. HpBandSter's name.
        n_ei_candidates: how many candidates the estimator compares for each choice. Optuna's name.
        multivariate: whether it looks at the parameters together; Optuna's name and, for one objective, its default.
        batch: how many choices are made before any result of them is looked at. All results of a batch are awaited, and told in the order
            of the slots: without a scheduler, the same seed then gives the same configurations with any number of workers. With one, the
            first rung of each trial is awaited instead of its end, and what comes later is told as it comes.

    Raises:
        DefinitionError: an argument is not of these.

    Example:
        >>> @sweep(space={"lr": loguniform(1e-4, 1e-1), "depth": randint(2, 9)}, num_samples=60, search=tpe(),
        ...        scheduler=asha(max_t=81), metric="loss", mode="min")
        ... def train(lr, depth, trial): ...
    """
    return TpeSettings(n_startup_trials, random_fraction, n_ei_candidates, multivariate, batch)


def optuna(sampler: Any, *, batch: int = 1) -> OptunaSettings:
    """Choose by any sampler of Optuna 5, such as ``GPSampler``, ``CmaEsSampler`` or ``NSGAIISampler``.

    There is one study. A trial that a scheduler stops early is told as PRUNED, one that failed as FAIL, as Optuna itself does.
    Needs ``pip install 'pytest-sweep[optuna]'`` and whatever the sampler needs.

    Args:
        sampler: a sampler; or a class of samplers or a function that takes ``seed=`` and returns one. Either way each choice is made by a
            fresh copy, seeded from the seed of the sweep and the slot, so that a resumed sweep goes on exactly. A seed that the sampler
            was given is not used.
        batch: as for `tpe`.

    Raises:
        DefinitionError: it is no sampler.

    Example:
        >>> from optuna.samplers import GPSampler
        >>> @sweep(space={"lr": loguniform(1e-4, 1e-1)}, num_samples=40, search=optuna(GPSampler()), metric="loss", mode="min")
        ... def train(lr): ...
    """
    return OptunaSettings(sampler, batch)
