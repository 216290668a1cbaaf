"""Every searcher of ours keeps the contract of searchers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from pytest_sweep.model.study import Objective
from pytest_sweep.search.protocols import Searcher
from pytest_sweep.search.settings import SearcherSettings, gp, optuna, qmc, random, stop_after, tpe
from pytest_sweep.search.space import SearchSpace
from pytest_sweep.testing.searcher_contract import TWO, SearcherContract


class _Ours(SearcherContract):
    settings: ClassVar[Callable[[], SearcherSettings]]

    def make(self, space: SearchSpace, objectives: tuple[Objective, ...], seed: int, num_samples: int) -> Searcher:
        return type(self).settings().make(space, objectives, seed, num_samples)


class TestRandom(_Ours):
    settings = staticmethod(random)


class TestQmc(_Ours):
    settings = staticmethod(qmc)


class TestGp(_Ours):
    settings = staticmethod(lambda: gp(n_startup_trials=8))

    @pytest.fixture(autouse=True)
    @staticmethod
    def needs_numpy() -> None:
        """It is an extra."""
        pytest.importorskip("numpy")


class _OfOptuna(_Ours):
    @pytest.fixture(autouse=True)
    @staticmethod
    def needs_optuna() -> None:
        """Optuna is an extra."""
        pytest.importorskip("optuna", minversion="5.0")


class TestTpe(_OfOptuna):
    settings = staticmethod(lambda: tpe(n_startup_trials=8))


class TestTpeWithRandomChoices(_OfOptuna):
    settings = staticmethod(lambda: tpe(n_startup_trials=5, random_fraction=0.3, multivariate=False))


class TestTpeOfTwoObjectives(_OfOptuna):
    settings = staticmethod(lambda: tpe(n_startup_trials=8))
    objectives = TWO


class TestStopAfter(_OfOptuna):
    settings = staticmethod(lambda: stop_after(tpe(n_startup_trials=8), no_better=1000))


def _sampler(name: str, **options: Any) -> Any:
    return getattr(pytest.importorskip("optuna").samplers, name)(**options)


class TestSamplerOfTpe(_OfOptuna):
    settings = staticmethod(lambda: optuna(_sampler("TPESampler", n_startup_trials=5)))


class TestSamplerOfNsga2(_OfOptuna):
    settings = staticmethod(lambda: optuna(_sampler("NSGAIISampler", population_size=6)))
    objectives = TWO


class TestSamplerThatAFunctionMakes(_OfOptuna):
    settings = staticmethod(lambda: optuna(lambda seed: _sampler("RandomSampler", seed=seed)))
