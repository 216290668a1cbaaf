"""The median rule, Hyperband and population based training beyond the contract of schedulers."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import pytest

from pytest_sweep.errors import DefinitionError
from pytest_sweep.model.study import Milestones, Objective, Observation, Outcome, VerdictKind
from pytest_sweep.search.hyperband import _dealt
from pytest_sweep.search.mutations import read_mutations
from pytest_sweep.search.protocols import Scheduler
from pytest_sweep.search.settings import hyperband, median, pbt
from pytest_sweep.space.sampling import (
    choice,
    lograndint,
    loguniform,
    qrandint,
    qrandn,
    quniform,
    randint,
    randn,
    uniform,
)
from pytest_sweep.testing.played_study import PlayedStudy, random_curves, states

LOSS = (Objective("loss", "min"),)


def kind(scheduler: Scheduler, key: str, iteration: int, value: float, *, can_pause: bool = True) -> str:
    return scheduler.judge(Observation(key, iteration, (value,)), can_pause=can_pause).kind.value


class TestMedian:
    def test_it_does_not_wait(self) -> None:
        """Trials are judged at each report, which does not wait for the verdict; with max_t also there."""
        assert median().make(LOSS, 0, None, {}).milestones("a") == Milestones((), 1, waits=False)
        assert median(interval=5).make(LOSS, 0, 12, {}).milestones("a") == Milestones((12,), 5, waits=False)

    def test_the_rule(self) -> None:
        """A trial stops whose best value so far is worse than the median of the others' means."""
        scheduler = median(min_samples_required=3).make(LOSS, 0, None, {})
        for key, values in (("a", (1.0, 0.6)), ("b", (0.9, 0.5)), ("c", (0.8, 0.4))):
            assert [kind(scheduler, key, n + 1, value) for n, value in enumerate(values)] == ["CONTINUE"] * 2
        # Their means after two iterations are 0.8, 0.7 and 0.6.
        assert kind(scheduler, "d", 1, 0.71) == "CONTINUE"
        verdict = scheduler.judge(Observation("d", 2, (0.9,)), can_pause=False)
        assert verdict.kind is VerdictKind.STOP
        assert verdict.reason == "median: the best loss, 0.71, is worse at iteration 2, the median of 3 others is 0.7"

    def test_not_before(self) -> None:
        """Nobody is stopped before the grace period, nor with too few others."""
        scheduler = median(grace_period=3, min_samples_required=2).make(LOSS, 0, None, {})
        for iteration in (1, 2, 3):
            for key, value in (("a", 0.1), ("b", 0.1)):
                kind(scheduler, key, iteration, value)
        assert [kind(scheduler, "c", iteration, 0.9) for iteration in (1, 2, 3)] == ["CONTINUE", "CONTINUE", "STOP"]
        few = median(min_samples_required=2).make(LOSS, 0, None, {})
        assert [kind(few, key, 1, value) for key, value in (("a", 0.1), ("b", 0.9))] == ["CONTINUE"] * 2

    def test_nan(self) -> None:
        """NaN neither spoils the median of the others, nor goes on itself (ray-project/ray#24809)."""
        scheduler = median(min_samples_required=2).make(LOSS, 0, None, {})
        for key, value in (("a", 0.4), ("b", math.nan), ("c", 0.6)):
            kind(scheduler, key, 1, value)
        assert kind(scheduler, "d", 1, 0.9) == "STOP"
        verdict = scheduler.judge(Observation("e", 1, (math.nan,)), can_pause=False)
        assert verdict.reason == "median: loss is NaN at iteration 1, the median of 3 others is 0.6"

    def test_max_t(self) -> None:
        """A trial ends at max_t, of its own argument or of stop=."""
        assert kind(median(max_t=5).make(LOSS, 0, 9, {}), "a", 5, 0.1) == "STOP"
        assert kind(median().make(LOSS, 0, 9, {}), "a", 9, 0.1) == "STOP"


class TestHyperband:
    def test_sizes(self) -> None:
        """Brackets have Hyperband's sizes (Li et al. 2018, table 1), or their shares of fewer trials; each trial is in one."""
        assert _dealt(143, 5, Fraction(3)) == [(81, 0), (34, 1), (15, 2), (8, 3), (5, 4)]
        for count in range(400):
            assert sum(size for size, _ in _dealt(count, 5, Fraction(3))) == count
        assert [first for _, first in _dealt(20, 5, Fraction(3))] == [0, 1, 2, 3, 4]

    @pytest.mark.parametrize("workers", [1, 2, 7])
    @pytest.mark.parametrize("seed", range(4))
    def test_the_order_does_not_matter(self, workers: int, seed: int) -> None:
        """The same values give the same ends, with any number of workers and whoever reports first."""
        keys = [str(number) for number in range(30)]
        found = []
        for one_at_once, order in ((1, 0), (workers, seed)):
            scheduler = hyperband(max_t=27).make(LOSS, 0, None, {key: {} for key in keys})
            study = PlayedStudy(scheduler, keys, random_curves(7), length=27, workers=one_at_once, seed=order)
            study.run()
            found.append(states(study))
        assert found[0] == found[1]

    def test_the_best_of_a_complete_rung_go_on(self) -> None:
        """When all of a bracket are at the rung, the best third goes on, best first; the others are dropped."""
        keys = [str(number) for number in range(9)]
        scheduler = hyperband(max_t=9, grace_period=1).make(LOSS, 0, None, {key: {} for key in keys})
        first = [key for key in keys if scheduler.milestones(key).at[0] == 1]
        for number, key in enumerate(first):
            assert scheduler.resume(is_last=False) is None
            assert kind(scheduler, key, 1, 0.5 - number / 100) == "PAUSE"
        found = scheduler.resume(is_last=False)
        assert found is not None
        assert (found.key, found.pause_at) == (first[-1], 3)
        assert len(scheduler.dropped()) == len(first) - max(1, len(first) // 3)

    def test_a_deselected_trial(self) -> None:
        """Trials that never come do not hold up the end: the others go on without them."""
        keys = [str(number) for number in range(20)]
        scheduler = hyperband(max_t=27).make(LOSS, 0, None, {key: {} for key in keys})
        study = PlayedStudy(scheduler, keys[3:], random_curves(7), length=27)
        study.run()
        assert max(iteration for _, iteration in states(study).values()) == 27

    def test_an_unknown_trial(self) -> None:
        """A trial that was not known beforehand is in a bracket of its own kind."""
        scheduler = hyperband(max_t=9).make(LOSS, 0, None, {})
        assert scheduler.pause_at("new") == 1
        assert kind(scheduler, "new", 1, 0.5) == "PAUSE"
        assert scheduler.resume(is_last=True).key == "new"  # type: ignore[union-attr]


CONFIG = {"lr": 0.01, "depth": 4, "model": {"drop": 0.2, "kind": "b"}, "units": 32}
MUTATIONS = {
    "lr": loguniform(1e-4, 1e-1),
    "depth": randint(2, 6),
    "model": {"drop": quniform(0, 0.5, 0.1)},
    "model.kind": choice(["a", "b", "c"]),
    "units": [16, 32, 64],
}


class TestMutations:
    @pytest.mark.parametrize("value", [100, -3, 0, 5.5, 1e308, -1e308, 10**200, Fraction(7, 2)])
    @pytest.mark.parametrize("factor", [1.2, 0.8, 1e10])
    def test_values_outside_of_the_domain(self, value: Any, factor: float) -> None:
        """A number that is not in the domain, as a space may have it, is changed into one that is."""
        domains = {
            "a": randint(2, 9),
            "b": qrandint(2, 10, 2),
            "c": quniform(0, 1, 0.1),
            "d": uniform(0, 1),
            "e": lograndint(1, 50),
        }
        changed = read_mutations(domains, 0.0, (factor, factor)).explored(dict.fromkeys(domains, value), "1")
        assert changed["a"] in range(2, 9)
        assert changed["b"] in range(2, 11, 2)
        assert changed["c"] in [round(0.1 * step, 1) for step in range(11)]
        assert 0 <= changed["d"] < 1
        assert changed["e"] in range(1, 50)

    def test_a_normal_distribution(self) -> None:
        """It has no bounds; a quantized one keeps its steps, unless a number is too large for them."""
        mutations = read_mutations({"a": randn(), "b": qrandn(0, 1, 0.5)}, 0.0, (1.2, 1.2))
        assert mutations.explored({"a": 10.0, "b": 2.0}, "1") == {"a": 12.0, "b": 2.5}
        assert math.isfinite(mutations.explored({"a": 1.7e308, "b": 1.7e308}, "1")["b"])

    @pytest.mark.parametrize("value", ["big", None, True, math.nan, math.inf, 10**400, [1]])
    def test_what_cannot_be_multiplied(self, value: Any) -> None:
        """A configuration that has no number there is refused before the run."""
        mutations = read_mutations({"model": {"depth": randint(2, 9)}}, 0.0, (1.2, 0.8))
        with pytest.raises(
            DefinitionError, match=r"multiplies numbers of randint\(2, 9\), and 'model.depth' is .* in a configuration"
        ):
            mutations.check({"model": {"depth": value}})
        read_mutations({"model": {"depth": [1, 2]}}, 0.0, (1.2, 0.8)).check({"model": {"depth": value}})

    def test_within_the_domain(self) -> None:
        """However often a configuration is changed, it stays within its domains, and what is not listed stays as it is."""
        mutations = read_mutations({**MUTATIONS, "shift": randn()}, 0.25, (1.2, 0.8))
        config: dict[str, Any] = {**CONFIG, "shift": 0.5, "other": "as it is"}
        for step in range(300):
            config = mutations.explored(config, str(step))
            assert 1e-4 <= config["lr"] < 1e-1
            assert config["depth"] in range(2, 6)
            assert config["model"]["drop"] in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
            assert config["model"]["kind"] in ("a", "b", "c")
            assert config["units"] in (16, 32, 64)
            assert config["other"] == "as it is"

    def test_equal_texts_change_equally(self) -> None:
        """What is drawn depends on the text only, and the configuration that was given is left alone."""
        mutations = read_mutations(MUTATIONS, 0.25, (1.2, 0.8))
        before = str(CONFIG)
        assert mutations.explored(CONFIG, "a") == mutations.explored(CONFIG, "a") != mutations.explored(CONFIG, "b")
        assert str(CONFIG) == before

    def test_neighbours(self) -> None:
        """Without drawing anew a number is multiplied, a whole number moves by one at least, and a list goes to a neighbour."""
        mutations = read_mutations({"lr": uniform(0, 1), "n": randint(0, 9), "units": [16, 32, 64]}, 0.0, (1.2, 0.8))
        seen = [mutations.explored({"lr": 0.5, "n": 2, "units": 32}, str(step)) for step in range(40)]
        assert {config["lr"] for config in seen} == {0.6, 0.4}
        assert {config["n"] for config in seen} == {1, 3}
        assert {config["units"] for config in seen} == {16, 64}

    def test_bad_mutations(self) -> None:
        """What is neither a domain nor a list, and a key that no configuration has, are errors."""
        with pytest.raises(DefinitionError, match=r"hyperparam_mutations\['lr'\] is 0.1 \(float\): give a domain"):
            read_mutations({"lr": 0.1}, 0.25, (1.2, 0.8))
        with pytest.raises(DefinitionError, match="hyperparam_mutations has 'lrr', which is no key"):
            pbt({"lrr": [1, 2]}).make(LOSS, 0, None, {"a": CONFIG})
        with pytest.raises(DefinitionError, match="cannot do so beside a searcher"):
            pbt({"lr": [1, 2]}).make(LOSS, 0, None, {"a": {}})


class TestPbt:
    def make(self, count: int = 8, seed: int = 0, **options: Any) -> Scheduler:
        settings = pbt({"lr": loguniform(1e-4, 1e-1)}, perturbation_interval=2, **options)
        return settings.make(LOSS, seed, None, {str(number): {"lr": 0.01 * (number + 1)} for number in range(count)})

    def report_all(self, scheduler: Scheduler, iteration: int, *, can_pause: bool = True) -> list[str]:
        return [kind(scheduler, str(number), iteration, number / 10, can_pause=can_pause) for number in range(8)]

    def test_the_worst_take_over_the_best(self) -> None:
        """A trial of the worst quarter goes on from one of the best quarter, with a changed configuration."""
        scheduler = self.make()
        kinds = self.report_all(scheduler, 2)
        assert kinds[-2:] == ["PAUSE", "PAUSE"]
        found = scheduler.resume(is_last=False)
        while (following := scheduler.resume(is_last=False)) is not None:
            found = following
        assert found is not None
        assert (found.key, found.donor in {"0", "1"}) == ("7", True)
        assert found.config is not None
        donor = 0.01 * (int(found.donor) + 1)
        assert found.config["lr"] != donor
        assert found.reason.startswith("pbt: 0.7 at iteration 2, goes on from ")

    def test_not_without_a_checkpoint(self) -> None:
        """Without checkpoints nobody is exploited."""
        scheduler = self.make()
        assert set(self.report_all(scheduler, 2, can_pause=False)) == {"CONTINUE"}
        assert scheduler.resume(is_last=True) is None

    def test_burn_in(self) -> None:
        """Before burn_in_period nothing is exploited."""
        scheduler = self.make(burn_in_period=4)
        assert set(self.report_all(scheduler, 2)) == {"CONTINUE"}
        assert "PAUSE" in self.report_all(scheduler, 4)

    def test_nan_is_replaced(self) -> None:
        """A trial that is NaN is among the worst."""
        scheduler = self.make()
        for number in range(7):
            kind(scheduler, str(number), 2, 0.5 - number / 100)
        assert kind(scheduler, "7", 2, math.nan) == "PAUSE"

    def test_the_seed(self) -> None:
        """The same seed gives the same donors and configurations, another one others."""

        def run(seed: int) -> list[Any]:
            scheduler = self.make(seed=seed)
            for iteration in (2, 4, 6, 8):
                self.report_all(scheduler, iteration)
            found = iter(lambda: scheduler.resume(is_last=False), None)
            return [(one.key, one.donor, one.config) for one in itertools.islice(found, 20) if one is not None]

        assert run(0) == run(0) != run(1)

    def test_ended_trials_are_no_donors(self) -> None:
        """A trial that has ended is not exploited any more."""
        scheduler = self.make()
        for number in (0, 1):
            kind(scheduler, str(number), 2, number / 10)
            scheduler.end(Observation(str(number), 2, (number / 10,), Outcome.COMPLETED))
        for number in range(2, 8):
            kind(scheduler, str(number), 2, number / 10)
        donors = {one.donor for one in iter(lambda: scheduler.resume(is_last=False), None) if one is not None}
        assert donors <= {"2", "3"}
