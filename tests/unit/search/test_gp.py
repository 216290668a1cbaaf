"""Bayesian optimization beyond its contract: what gp() learns from, its model, and how values become numbers."""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from pytest_sweep.errors import DefinitionError, MissingExtraError
from pytest_sweep.model.study import Objective, Observation, Outcome
from pytest_sweep.search.protocols import Values
from pytest_sweep.search.settings import gp
from pytest_sweep.search.space import SearchSpace
from pytest_sweep.space.composition import grid
from pytest_sweep.space.sampling import choice, lograndint, loguniform, randint, uniform
from pytest_sweep.testing.searcher_contract import MIXED, branching
from tests.support.searching import LOSS, asked, completed

np = pytest.importorskip("numpy")

SPACE: Mapping[str, Any] = {"x": uniform(-2, 2), "y": uniform(-2, 2)}


def bowl(values: Values) -> float:
    return float(values["x"] ** 2 + (values["y"] - 1) ** 2)


class TestGp:
    def test_it_learns(self) -> None:
        """After 30 trials it chooses far better places than at the beginning, and gets close to the best one."""
        searcher = gp(random_fraction=0.0).make(SearchSpace(SPACE, seed=1), LOSS, 1, 40)
        losses = []
        for slot in range(40):
            losses.append(bowl(asked(searcher, slot)))
            searcher.tell(completed(slot, losses[-1]))
        assert statistics.median(losses[25:]) < 0.2 * statistics.median(losses[:12])
        assert min(losses) < 0.01

    def test_the_greater_the_better(self) -> None:
        """With mode="max" it looks for great values."""
        searcher = gp(random_fraction=0.0).make(SearchSpace(SPACE, seed=1), (Objective("score", "max"),), 1, 30)
        for slot in range(30):
            searcher.tell(completed(slot, -bowl(asked(searcher, slot))))
        assert bowl(asked(searcher, 30)) < 1

    def test_the_start_is_that_of_random(self) -> None:
        """Its first choices are those of random()."""
        space = SearchSpace(SPACE, seed=1)
        searcher = gp().make(space, LOSS, 1, 60)
        assert [asked(searcher, slot) for slot in range(5)] == [space.random(slot) for slot in range(5)]

    def test_random_fraction(self) -> None:
        """With random_fraction=1 all choices are those of random()."""
        space = SearchSpace(SPACE, seed=1)
        searcher = gp(random_fraction=1.0).make(space, LOSS, 1, 60)
        for slot in range(20):
            assert asked(searcher, slot) == space.random(slot)
            searcher.tell(completed(slot, 1.0))

    def test_what_is_early_helps(self) -> None:
        """Values of an early iteration are enough to begin with: nothing has to be run to its end."""
        searcher = gp(random_fraction=0.0).make(SearchSpace(SPACE, seed=1), LOSS, 1, 60)
        chosen = []
        for slot in range(30):
            chosen.append(bowl(asked(searcher, slot)))
            searcher.tell(Observation(str(slot), 1, (chosen[-1],)))
        assert statistics.median(chosen[20:]) < 0.5 * statistics.median(chosen[:12])

    def test_early_values_do_not_mislead_for_long(self) -> None:
        """Where early values say the opposite of late ones, it goes where the late ones are good."""
        searcher = gp(n_startup_trials=8, random_fraction=0.0).make(
            SearchSpace({"x": uniform(0, 1)}, seed=1), LOSS, 1, 60
        )
        late = []
        for slot in range(40):
            x = asked(searcher, slot)["x"]
            searcher.tell(Observation(str(slot), 1, (10 + x,)))  # The less the better, at first ...
            if slot % 2 == 0:
                searcher.tell(Observation(str(slot), 81, (1 - x,)))  # ... and the more, in the end.
            late.append(x)
        assert statistics.median(late[24:]) > 0.7

    def test_running_trials_are_known(self) -> None:
        """Several choices without a result in between are not the same place."""
        searcher = gp(random_fraction=0.0).make(SearchSpace(SPACE, seed=1), LOSS, 1, 60)
        for slot in range(16):
            searcher.tell(completed(slot, bowl(asked(searcher, slot))))
        chosen = [asked(searcher, slot) for slot in range(16, 22)]
        apart = [
            abs(one["x"] - two["x"]) + abs(one["y"] - two["y"]) for one in chosen for two in chosen if one is not two
        ]
        assert min(apart) > 0.001
        assert max(apart) > 0.1

    @pytest.mark.parametrize("how", ["failed", "nan", "infeasible"])
    def test_the_worst_is_avoided(self, how: str) -> None:
        """Where trials fail, are NaN or infeasible it does not stay, however good the metric is there."""
        searcher = gp(random_fraction=0.0).make(SearchSpace({"x": uniform(0, 1)}, seed=1), LOSS, 1, 60)
        chosen = []
        for slot in range(40):
            x = asked(searcher, slot)["x"]
            chosen.append(x)
            bad = {
                "failed": Observation(str(slot), 0, (math.nan,), Outcome.FAILED),
                "nan": completed(slot, math.nan),
                "infeasible": Observation(str(slot), 9, (-x,), Outcome.COMPLETED, (x - 0.5,)),
            }[how]
            searcher.tell(bad if x > 0.5 else completed(slot, abs(x - 0.3)))
        assert statistics.mean(x > 0.5 for x in chosen[20:]) < 0.4

    def test_skipped_trials_say_nothing(self) -> None:
        """A trial that was skipped is neither good nor bad, and is no longer one that runs."""
        searcher: Any = gp().make(SearchSpace(SPACE, seed=1), LOSS, 1, 60)
        asked(searcher, 0)
        searcher.tell(Observation("0", 0, (math.nan,), Outcome.SKIPPED))
        assert not searcher._running
        assert not searcher._seen

    def test_nothing_is_tried_twice(self) -> None:
        """In a space of few configurations it tries others before it repeats one."""
        space = SearchSpace({"a": choice(["p", "q", "r"]), "b": randint(0, 10)}, seed=1)
        searcher = gp(n_startup_trials=3, random_fraction=0.0).make(space, LOSS, 1, 60)
        chosen = []
        for slot in range(20):
            values = asked(searcher, slot)
            chosen.append((values["a"], values["b"]))
            searcher.tell(completed(slot, values["b"] + (values["a"] != "q")))
        assert len(set(chosen[3:])) == 17
        assert ("q", 0) in chosen

    def test_many_trials(self) -> None:
        """With more trials than the model sees, it still goes to the best place; and a trial that reports often is one trial."""
        searcher: Any = gp(random_fraction=0.0).make(SearchSpace(SPACE, seed=1), LOSS, 1, 999)
        space = SearchSpace(SPACE, seed=2)
        for slot in range(320):
            values = space.random(slot)
            searcher.restore(str(slot), slot, values)
            for iteration in (1, 2):
                searcher.tell(Observation(str(slot), iteration, (bowl(values),)))
        assert len(searcher._seen) == 320
        assert statistics.median(bowl(asked(searcher, slot)) for slot in range(320, 322)) < 0.1

    def test_warm_start(self) -> None:
        """What another run has found is enough to begin with: there is no random start."""
        searcher: Any = gp(random_fraction=0.0).make(SearchSpace({"x": uniform(0, 1)}, seed=1), LOSS, 1, 60)
        for number in range(30):
            searcher.recall({"x": number / 30}, completed(number, abs(number / 30 - 0.8)))
        chosen = [asked(searcher, slot)["x"] for slot in range(4)]
        assert statistics.median(abs(x - 0.8) for x in chosen) < 0.1

    def test_where_leaves_little(self) -> None:
        """Where where= forbids the best places, it still finds allowed ones."""
        searcher = gp().make(SearchSpace(SPACE, seed=1, where="x > 1.5"), LOSS, 1, 60)
        for slot in range(25):
            x = asked(searcher, slot)["x"]
            assert x > 1.5
            searcher.tell(completed(slot, x))

    def test_two_metrics(self) -> None:
        """Two metrics are an error that says what to write."""
        with pytest.raises(
            DefinitionError, match=r"improves one metric, and there are 2 \(loss, size\): write search=tpe"
        ):
            gp().make(SearchSpace(SPACE), (*LOSS, Objective("size", "min")), 0, 9)

    def test_without_numpy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without numpy a sentence says what to install."""
        monkeypatch.setitem(sys.modules, "numpy", None)
        with pytest.raises(MissingExtraError, match=r"gp\(\) needs numpy: pip install 'pytest-sweep\[gp\]'"):
            gp().make(SearchSpace(SPACE), LOSS, 0, 9)


class TestModel:
    def test_the_gradient(self) -> None:
        """The gradient of the posterior density is that of finite differences."""
        from pytest_sweep.search.surrogate import Surrogate

        chance = np.random.default_rng(1)
        rows, progress, scores = chance.random((20, 3)), chance.random(20), chance.standard_normal(20)
        rows[:, 2] = np.floor(rows[:, 2] * 3)
        model = Surrogate([0, 0, 3])
        logs = model._expected + chance.standard_normal(8) * 0.3
        features = model._features(rows)
        _, slope = model._badness(logs, features, progress, scores)
        for index in range(8):
            step = np.eye(8)[index] * 1e-5
            up, down = (model._badness(logs + sign * step, features, progress, scores)[0] for sign in (1, -1))
            assert slope[index] == pytest.approx((up - down) / 2e-5, rel=1e-4, abs=1e-5)

    def test_what_does_not_matter(self) -> None:
        """A column that the scores do not depend on gets a greater length than one that they do."""
        from pytest_sweep.search.surrogate import Surrogate

        rows = np.random.default_rng(1).random((40, 2))
        model = Surrogate([0, 0])
        model.fit(rows, np.ones(40), np.sin(6 * rows[:, 0]))
        assert model._logs[1] > model._logs[0] + 1


class TestCube:
    @pytest.mark.parametrize(
        "written",
        [
            MIXED,
            branching(),
            grid(a=[{"k": 1}, {"k": 2}, {"k": 3}], b=uniform(0, 1)),
            {"n": lograndint(1, 500), "lr": loguniform(1e-6, 1), "width": choice([16, 32, 64]), "fixed": choice([1])},
        ],
    )
    def test_values_and_rows(self, written: Any) -> None:
        """Rows that are drawn, or near others, stand for values of the space, and values for rows."""
        from pytest_sweep.search.cube import Cube

        space = SearchSpace(written, seed=1)
        cube, chance = Cube(space.dimensions), np.random.default_rng(1)
        rows = cube.drawn(chance, 50)
        for row in [*rows, *cube.near(rows, chance)]:
            values = cube.values(row)
            found = space.complete(values, 0)
            assert found is not None
            again = cube.values(cube.row(found.values))
            assert list(again) == list(found.values)
            assert all(
                one == two or one == pytest.approx(two, rel=1e-6)
                for one, two in zip(again.values(), found.values.values(), strict=True)
            )

    def test_what_has_an_order(self) -> None:
        """Ascending numbers have one; words, two values and branches have none."""
        from pytest_sweep.search.cube import Cube

        space = SearchSpace(
            {
                "a": choice([16, 32, 64]),
                "b": choice(["p", "q", "r"]),
                "c": choice([3, 1, 2]),
                "d": choice([False, True]),
            }
        )
        assert Cube(space.dimensions).choices == [0, 3, 3, 2]
        three = grid(x=uniform(0, 1)) + grid(y=uniform(0, 1)) + grid(z=uniform(0, 1))
        assert Cube(SearchSpace(three).dimensions).choices == [3, 0, 0, 0]
