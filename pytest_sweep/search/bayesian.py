"""What users write for Bayesian optimization, as small frozen settings. Imports neither the searcher nor numpy before one is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pytest_sweep.errors import DefinitionError, MissingExtraError
from pytest_sweep.model.study import Objective
from pytest_sweep.search.checks import check_count, check_number
from pytest_sweep.search.protocols import Searcher
from pytest_sweep.search.space import SearchSpace


@dataclass(frozen=True)
class GpSettings:
    """Settings of `gp`; its docstring says what they mean."""

    n_startup_trials: int = 12
    random_fraction: float = 0.25
    batch: int = 1

    name: ClassVar[str] = "gp"
    needs_slots: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_count("gp()", "n_startup_trials", self.n_startup_trials)
        check_number("gp()", "random_fraction", self.random_fraction, 0.0, 1.0)
        check_count("gp()", "batch", self.batch)

    def make(self, space: SearchSpace, objectives: tuple[Objective, ...], seed: int, num_samples: int) -> Searcher:  # noqa: ARG002
        """Return the searcher of one study; see `SearcherSettings`."""
        if len(objectives) > 1:
            names = ", ".join(objective.metric for objective in objectives)
            raise DefinitionError(
                f"gp() improves one metric, and there are {len(objectives)} ({names}): write search=tpe(), or one metric"
            )
        try:
            import numpy  # noqa: F401 - only whether it is there
        except ImportError as error:
            raise MissingExtraError("numpy", "gp", "gp()") from error
        from pytest_sweep.search.batches import in_batches
        from pytest_sweep.search.gp import GpSearcher, Options

        options = Options(self.n_startup_trials, self.random_fraction)
        return in_batches(GpSearcher(space, objectives[0], seed, options), self.batch)


def gp(*, n_startup_trials: int = 12, random_fraction: float = 0.25, batch: int = 1) -> GpSettings:
    """Choose by Bayesian optimization: a Gaussian process learns from all results, those of unfinished trials, too.

    The model knows how far each training was. So it uses the many values at early iterations, and learns how much they say about the last
    ones. It chooses what is expected to improve most on the best whole training (expected improvement; Jones, Schonlau and Welch 1998),
    and takes what runs to end as expected, so that several workers do not try the same place. Numbers in ascending order within a
    ``choice`` are taken as ordered. A trial that failed, is infeasible, or whose metric is NaN, counts as the worst. For one metric, and up
    to about 20 parameters. A choice takes tens of milliseconds. Needs numpy: ``pip install 'pytest-sweep[gp]'``.

    Args:
        n_startup_trials: of how many trials something must be known before the model is asked; until then choices are random. Optuna's
            name.
        random_fraction: which share of the choices stays random afterwards, from 0 to 1: insurance against early results that mislead.
            HpBandSter's name.
        batch: as for `tpe`.

    Raises:
        DefinitionError: an argument is not of these.

    Example:
        >>> @sweep(space={"lr": loguniform(1e-4, 1e-1), "depth": randint(2, 9)}, num_samples=60, search=gp(),
        ...        scheduler=asha(max_t=81), metric="loss", mode="min")
        ... def train(lr, depth, trial): ...
    """
    return GpSettings(n_startup_trials, random_fraction, batch)
