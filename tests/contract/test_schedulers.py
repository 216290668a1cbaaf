"""Every scheduler of ours keeps the contract of schedulers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pytest_sweep.model.study import Objective
from pytest_sweep.search.protocols import Scheduler
from pytest_sweep.search.settings import SchedulerSettings, asha, hyperband, median, pbt
from pytest_sweep.space.sampling import uniform
from pytest_sweep.testing.scheduler_contract import SchedulerContract


class _Ours(SchedulerContract):
    settings: ClassVar[SchedulerSettings]

    def make(self, objectives: tuple[Objective, ...], seed: int, trials: Mapping[str, Mapping[str, Any]]) -> Scheduler:
        return self.settings.make(objectives, seed, 27, trials)


class TestAsha(_Ours):
    settings = asha(reduction_factor=3)


class TestAshaStrict(_Ours):
    settings = asha(reduction_factor=3, rule="strict", pause="never")


class TestAshaWithBrackets(_Ours):
    settings = asha(max_t=27, reduction_factor=2, brackets=3)


class TestMedian(_Ours):
    settings = median(grace_period=2)


class TestHyperband(_Ours):
    settings = hyperband()


class TestPbt(_Ours):
    settings = pbt({"lr": uniform(0, 1)}, perturbation_interval=3)
    compares = False
