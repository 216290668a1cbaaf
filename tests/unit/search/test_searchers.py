"""Searchers beyond their contract: what tpe() learns from, batches, the end of a study, samplers of Optuna, sequences."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from typing import Any

import pytest

from pytest_sweep.errors import DefinitionError, SpaceError
from pytest_sweep.model.study import Objective, Observation, Outcome
from pytest_sweep.search.protocols import Done, Values, Wait
from pytest_sweep.search.settings import optuna, qmc, random, stop_after, tpe
from pytest_sweep.search.space import SearchSpace
from pytest_sweep.space import expand
from pytest_sweep.space.sampling import choice, loguniform, uniform
from pytest_sweep.space.sequences import Halton
from tests.support.searching import LOSS, asked, completed

SPACE: Mapping[str, Any] = {"x": uniform(-2, 2), "y": uniform(-2, 2)}


@pytest.mark.usefixtures("needs_optuna")
class TestTpe:
    @pytest.fixture
    @staticmethod
    def needs_optuna() -> None:
        pytest.importorskip("optuna", minversion="5.0")

    def test_it_learns(self) -> None:
        """After 30 trials it chooses better places than at the beginning."""
        space = SearchSpace(SPACE, seed=1)
        searcher = tpe().make(space, LOSS, 1, 60)
        losses = []
        for slot in range(60):
            values = asked(searcher, slot)
            losses.append(values["x"] ** 2 + (values["y"] - 1) ** 2)
            searcher.tell(completed(slot, losses[-1]))
        assert statistics.median(losses[30:]) < 0.3 * statistics.median(losses[:12])

    def test_the_start_is_that_of_random(self) -> None:
        """Its first choices are those of random()."""
        space = SearchSpace(SPACE, seed=1)
        searcher = tpe().make(space, LOSS, 1, 60)
        assert [asked(searcher, slot) for slot in range(5)] == [space.random(slot) for slot in range(5)]

    def test_like_is_compared_with_like(self) -> None:
        """Values of a low rung do not mislead, once a higher rung has enough: the same place may be good there and bad here."""
        space = SearchSpace({"x": uniform(0, 1)}, seed=1)
        searcher = tpe(n_startup_trials=8).make(space, LOSS, 1, 60)
        late = []
        for slot in range(40):
            x = asked(searcher, slot)["x"]
            searcher.tell(Observation(str(slot), 1, (x,)))  # The less the better, at first ...
            if slot % 2 == 0:
                searcher.tell(Observation(str(slot), 9, (1 - x,)))  # ... and the more, in the end.
            late.append(x)
        assert statistics.median(late[24:]) > 0.7

    def test_running_trials_are_known(self) -> None:
        """Several choices without a result in between are not the same place."""
        space = SearchSpace({"x": uniform(0, 1)}, seed=1)
        searcher = tpe(n_startup_trials=8).make(space, LOSS, 1, 60)
        for slot in range(20):
            searcher.tell(completed(slot, abs(asked(searcher, slot)["x"] - 0.5)))
        chosen = [asked(searcher, slot)["x"] for slot in range(20, 26)]
        assert max(chosen) - min(chosen) > 0.05
        assert len(set(chosen)) == 6

    def test_the_worst_is_avoided(self) -> None:
        """Where trials fail or are NaN it does not go, though nobody says how bad it is."""
        space = SearchSpace({"x": uniform(0, 1)}, seed=1)
        searcher = tpe().make(space, LOSS, 1, 60)
        chosen = []
        for slot in range(50):
            x = asked(searcher, slot)["x"]
            chosen.append(x)
            bad = Outcome.FAILED if slot % 2 else Outcome.COMPLETED
            seen = Observation(str(slot), 1, (math.nan,), bad) if x > 0.5 else completed(slot, abs(x - 0.3))
            searcher.tell(seen)
        assert statistics.mean(x > 0.5 for x in chosen[25:]) < 0.3

    def test_infeasible_is_avoided(self) -> None:
        """Where constraints are violated it does not stay, however good the metric is there."""
        space = SearchSpace({"x": uniform(0, 1)}, seed=1)
        searcher = tpe().make(space, LOSS, 1, 60)
        chosen = []
        for slot in range(50):
            x = asked(searcher, slot)["x"]
            chosen.append(x)
            searcher.tell(Observation(str(slot), 1, (1 - x,), Outcome.COMPLETED, (x - 0.5,)))
        assert statistics.mean(x > 0.55 for x in chosen[30:]) < 0.4

    def test_reports_at_each_iteration(self) -> None:
        """A scheduler that judges at each report does not make a study of each iteration."""
        space = SearchSpace({"x": uniform(0, 1)}, seed=1)
        searcher: Any = tpe().make(space, LOSS, 1, 60)
        asked(searcher, 0)
        for iteration in range(1, 200):
            searcher.tell(Observation("0", iteration, (1.0,)))
        assert len(searcher._studies) < 16

    def test_warm_start(self) -> None:
        """What another run has found is enough to begin with: there is no random start."""
        space = SearchSpace({"x": uniform(0, 1)}, seed=1)
        searcher: Any = tpe().make(space, LOSS, 1, 60)
        for number in range(30):
            searcher.recall({"x": number / 30}, completed(number, abs(number / 30 - 0.8)))
        chosen = [asked(searcher, slot)["x"] for slot in range(8)]
        assert statistics.median(abs(x - 0.8) for x in chosen) < 0.1

    def test_random_fraction(self) -> None:
        """With random_fraction=1 all choices are those of random()."""
        space = SearchSpace(SPACE, seed=1)
        searcher = tpe(random_fraction=1.0).make(space, LOSS, 1, 60)
        for slot in range(20):
            assert asked(searcher, slot) == space.random(slot)
            searcher.tell(completed(slot, 1.0))

    def test_where_leaves_little(self) -> None:
        """Where where= forbids the best places, it still finds allowed ones."""
        space = SearchSpace(SPACE, seed=1, where="x > 1.5")
        searcher = tpe().make(space, LOSS, 1, 60)
        for slot in range(30):
            x = asked(searcher, slot)["x"]
            assert x > 1.5
            searcher.tell(completed(slot, x))

    def test_where_leaves_nothing(self) -> None:
        """Where where= forbids all, a sentence says so."""
        searcher = tpe().make(SearchSpace(SPACE, where="x > 3"), LOSS, 1, 60)
        with pytest.raises(SpaceError, match="forbids 1000 configurations in a row"):
            searcher.ask("a", 0)

    def test_batches_do_not_depend_on_the_order(self) -> None:
        """With batch=4 the order in which results arrive does not matter."""

        def run(order: tuple[int, ...]) -> list[Values]:
            searcher = tpe(n_startup_trials=4, batch=4).make(SearchSpace(SPACE, seed=1), LOSS, 1, 60)
            chosen: list[Values] = []
            for first in range(0, 24, 4):
                batch = [asked(searcher, first + number) for number in range(4)]
                assert isinstance(searcher.ask("next", first + 4), Wait)
                for number in order:
                    searcher.tell(completed(first + number, batch[number]["x"] ** 2))
                chosen += batch
            return chosen

        assert run((0, 1, 2, 3)) == run((3, 1, 0, 2))

    def test_a_batch_waits_for_the_first_rung_only(self) -> None:
        """A trial that is paused at its first rung does not hold up the batch."""
        searcher = tpe(batch=2).make(SearchSpace(SPACE, seed=1), LOSS, 1, 60)
        asked(searcher, 0)
        asked(searcher, 1)
        searcher.tell(Observation("0", 1, (0.5,)))
        assert isinstance(searcher.ask("2", 2), Wait)
        searcher.tell(Observation("1", 0, (math.nan,), Outcome.FAILED))
        assert asked(searcher, 2)


@pytest.mark.usefixtures("needs_optuna")
class TestSamplers:
    @pytest.fixture
    @staticmethod
    def needs_optuna() -> None:
        pytest.importorskip("optuna", minversion="5.0")

    def test_names(self) -> None:
        """The name of the settings is that of the sampler."""
        samplers: Any = pytest.importorskip("optuna").samplers
        assert [optuna(one).name for one in (samplers.NSGAIISampler(), samplers.RandomSampler, lambda seed: seed)] == [
            "nsgaii", "random", "optuna",
        ]  # fmt: skip

    def test_what_is_no_sampler(self) -> None:
        """A function that returns no sampler is an error."""
        with pytest.raises(DefinitionError, match=r"returned 0 \(int\), which is no sampler of Optuna"):
            optuna(lambda seed: seed).make(SearchSpace(SPACE), LOSS, 0, 3)

    def test_outcomes(self) -> None:
        """Trials are told as Optuna tells them: COMPLETE, PRUNED where they were stopped early, FAIL where they failed or are NaN."""
        samplers: Any = pytest.importorskip("optuna").samplers
        searcher: Any = optuna(samplers.RandomSampler()).make(SearchSpace(SPACE), LOSS, 0, 9)
        outcomes = [Outcome.COMPLETED, Outcome.STOPPED, Outcome.FAILED, Outcome.SKIPPED]
        for slot, outcome in enumerate(outcomes):
            searcher.ask(str(slot), slot)
            searcher.tell(Observation(str(slot), 3, (0.5,)))
            searcher.tell(Observation(str(slot), 3, (0.5,), outcome))
        searcher.ask("4", 4)
        searcher.tell(Observation("4", 3, (math.nan,), Outcome.COMPLETED))
        states = [trial.state.name for trial in searcher._study.trials]
        assert states == ["COMPLETE", "PRUNED", "FAIL", "FAIL", "FAIL"]
        assert searcher._study.trials[1].intermediate_values == {3: 0.5}

    def test_the_sampler_of_the_user_is_not_changed(self) -> None:
        """The sampler that was given is copied: two studies do not share it."""
        samplers: Any = pytest.importorskip("optuna").samplers
        given = samplers.RandomSampler(seed=5)
        before = given._rng.rng.get_state()[1].tolist()
        space = SearchSpace(SPACE)
        one, two = (optuna(given).make(space, LOSS, 0, 9) for _ in range(2))
        assert one.ask("a", 0) == two.ask("a", 0)
        assert given._rng.rng.get_state()[1].tolist() == before


class TestStopAfter:
    def run(self, losses: list[float], **options: Any) -> tuple[int, str]:
        searcher = stop_after(random(), **options).make(SearchSpace(SPACE), LOSS, 0, 99)
        for slot, loss in enumerate(losses):
            answer = searcher.ask(str(slot), slot)
            if isinstance(answer, Done):
                return slot, answer.reason
            outcome = Outcome.FAILED if math.isnan(loss) else Outcome.COMPLETED
            searcher.tell(Observation(str(slot), 1, (loss,), outcome))
        return len(losses), ""

    def test_no_better(self) -> None:
        """The study ends when so many trials in a row were no better; equal is not better, and failures count."""
        losses = [0.5, 0.4, 0.4, math.nan, 0.3, 0.3, 0.6, 0.4, 0.1]
        assert self.run(losses, no_better=3) == (8, "stop_after: 3 trials have not improved on loss = 0.3")

    def test_goal(self) -> None:
        """It ends when the goal is reached."""
        assert self.run([0.5, 0.4, 0.05, 0.3], goal=0.1) == (3, "stop_after: loss = 0.05 reaches the goal 0.1")

    def test_skipped_trials_do_not_count(self) -> None:
        """A trial that was skipped says nothing."""
        searcher = stop_after(random(), no_better=1).make(SearchSpace(SPACE), LOSS, 0, 99)
        searcher.tell(Observation("a", 0, (math.nan,), Outcome.SKIPPED))
        assert not isinstance(searcher.ask("b", 1), Done)

    def test_an_improvement_on_the_way_counts(self) -> None:
        """A better value at a rung is an improvement, too."""
        searcher = stop_after(random(), no_better=2).make(SearchSpace(SPACE), LOSS, 0, 99)
        for slot, loss in enumerate([0.5, 0.6]):
            searcher.tell(Observation(str(slot), 9, (loss,), Outcome.COMPLETED))
        searcher.tell(Observation("2", 3, (0.4,)))
        searcher.tell(Observation("3", 9, (0.6,), Outcome.COMPLETED))
        assert not isinstance(searcher.ask("x", 4), Done)

    def test_several_objectives(self) -> None:
        """With two objectives a trial improves that no other one is better than in both."""
        two = (Objective("loss", "min"), Objective("score", "max"))
        searcher = stop_after(random(), no_better=2).make(SearchSpace(SPACE), two, 0, 99)
        for slot, values in enumerate([(0.5, 0.5), (0.4, 0.4), (0.6, 0.6), (0.7, 0.3), (0.6, 0.5)]):
            assert not isinstance(searcher.ask(str(slot), slot), Done)
            searcher.tell(Observation(str(slot), 9, values, Outcome.COMPLETED))
        assert isinstance(searcher.ask("x", 9), Done)

    def test_what_is_infeasible_is_no_improvement(self) -> None:
        """A trial that violates a constraint does not count as better."""
        searcher = stop_after(random(), no_better=2).make(SearchSpace(SPACE), LOSS, 0, 99)
        for slot, (loss, violation) in enumerate([(0.5, 0.0), (0.1, 1.0), (0.2, math.nan)]):
            searcher.tell(Observation(str(slot), 9, (loss,), Outcome.COMPLETED, (violation,)))
        assert isinstance(searcher.ask("x", 9), Done)


class TestQuasiRandom:
    def test_halton(self) -> None:
        """Of 2 ** k points of the first dimension one is in each of as many equal parts; likewise for the next prime."""
        sequence = Halton("any")
        assert sorted(int(sequence.at(number, 0) * 64) for number in range(64)) == list(range(64))
        assert sorted(int(sequence.at(number, 1) * 27) for number in range(27)) == list(range(27))
        assert sorted(int(sequence.at(number, 4) * 11) for number in range(11)) == list(range(11))

    def test_two_dimensions(self) -> None:
        """Points of two dimensions are in all cells of a grid of the two primes."""
        sequence = Halton("any")
        cells = {(int(sequence.at(n, 0) * 8), int(sequence.at(n, 1) * 9)) for n in range(72)}
        assert len(cells) == 72

    def test_at_collection(self) -> None:
        """As samples of a space they fill it evenly, say for each sample the same, and differ with the seed."""
        written = {"lr": loguniform(1e-4, 1), "drop": uniform(0, 1), "kind": choice(["a", "b", "c"])}
        points = expand(written, num_samples=64, seed=1, quasi_random=True).points
        assert sorted(int(math.log10(point.config["lr"] / 1e-4) / 4 * 64) for point in points) == list(range(64))
        assert all(21 <= count <= 22 for count in _counts([point.config["kind"] for point in points]))
        longer = expand(written, num_samples=65, seed=1, quasi_random=True).points
        assert [point.label for point in longer[:64]] == [point.label for point in points]
        other = expand(written, num_samples=64, seed=2, quasi_random=True).points
        assert {point.label for point in other} != {point.label for point in points}

    def test_as_a_searcher(self) -> None:
        """Wherever it has slots it fills the space evenly, too."""
        searcher = qmc().make(SearchSpace({"x": uniform(0, 1), "y": uniform(0, 1)}), LOSS, 3, 64)
        assert sorted(int(asked(searcher, slot)["x"] * 64) for slot in range(64)) == list(range(64))


def _counts(values: list[str]) -> list[int]:
    return [values.count(value) for value in set(values)]
