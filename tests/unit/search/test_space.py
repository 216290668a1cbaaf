"""The space of a search: dimensions, and configurations made of chosen values."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sweep.errors import SpaceError
from pytest_sweep.search.dimensions import CategoricalDimension, Dimension, FloatDimension, IntegerDimension
from pytest_sweep.search.space import SearchSpace
from pytest_sweep.space import Choice, Listed, expand, grid, trial_key, zip_
from pytest_sweep.space.functions import derived, sample_from
from pytest_sweep.space.sampling import (
    choice,
    lograndint,
    loguniform,
    qlograndint,
    qloguniform,
    qrandint,
    qrandn,
    quniform,
    randint,
    randn,
    uniform,
)

DOMAINS = {
    "uniform": uniform(-1, 3),
    "loguniform": loguniform(1e-5, 10),
    "quniform": quniform(0, 1, 0.1),
    "qloguniform": qloguniform(0.1, 10, 0.1),
    "randint": randint(-3, 9),
    "qrandint": qrandint(0, 100, 5),
    "lograndint": lograndint(1, 1000),
    "qlograndint": qlograndint(10, 1000, 10),
    "randn": randn(2, 0.5),
    "qrandn": qrandn(0, 1, 0.25),
    "choice": choice(["a", "b", "c"]),
}
EVERY: dict[str, Any] = {
    **DOMAINS,
    "model": {"depth": randint(2, 9)},
    "objects": choice([[64, 32], Choice([128], "one", ("a mark",)), None, True, 1]),
    "double": derived(lambda config: 2 * config["randint"]),
    "drawn": sample_from(lambda config: config["model"]["depth"] + 1),
}


def space(written: Any, **options: Any) -> SearchSpace:
    return SearchSpace(written, **{"seed": 3, **options})


class TestDrawing:
    def test_what_is_missing_is_drawn_as_random_draws(self) -> None:
        """Without any value, slot n gets the configuration, label, marks and key of sample n of ``num_samples=``."""
        search = space(EVERY)
        for slot, point in enumerate(expand(EVERY, seed=3, num_samples=40).points):
            found = search.complete({}, slot)
            assert found is not None
            assert (found.config, found.label, found.marks) == (point.config, point.label, point.marks)
            assert trial_key("x", found.identity, {}, 0) == trial_key("x", point.identity, {}, 0)

    def test_some_are_given(self) -> None:
        """Given values stand, the others are drawn as if none were given; functions see what was given."""
        search = space(EVERY)
        drawn, found = search.complete({}, 7), search.complete({"randint": 5, "model.depth": 4}, 7)
        assert drawn is not None
        assert found is not None
        assert {**drawn.config, "randint": 5, "model": {"depth": 4}, "double": 10, "drawn": 5} == found.config

    @given(st.integers(0, 1000))
    def test_values_come_back(self, slot: int) -> None:
        """The values of a configuration give the same configuration for any slot, and are found in it again."""
        search = space(EVERY)
        found = search.complete({}, slot)
        assert found is not None
        again = search.complete(found.values, slot + 1)
        assert again is not None
        assert {**again.config, "drawn": 0} == {**found.config, "drawn": 0}
        assert {**search.values_of(found.config), "drawn": 0} == {**found.values, "drawn": 0}

    def test_values_are_rounded(self) -> None:
        """A value with more digits than a draw has is rounded as a draw is; what runs is in `values`."""
        found = space({"lr": loguniform(1e-4, 1)}).complete({"lr": 0.012345678901234}, 0)
        assert found is not None
        assert (found.config, found.values, found.label) == ({"lr": 0.01234568}, {"lr": 0.01234568}, "lr=0.01234568")

    def test_another_attempt_draws_others(self) -> None:
        """Another attempt for a slot draws other values."""
        search = space({"lr": uniform(0, 1)})
        one, other = search.complete({}, 0), search.complete({}, 0, 1)
        assert one is not None
        assert other is not None
        assert one.config != other.config

    def test_objects_are_chosen_by_label(self) -> None:
        """What no scalar is goes by its label; so does a list with 1 and True, which are equal."""
        search = space(EVERY)
        dimension = search.dimensions["objects"]
        assert isinstance(dimension, CategoricalDimension)
        assert dimension.choices == ("[64,32]", "one", "None", "True", "1")
        found = search.complete({"objects": "one"}, 0)
        assert found is not None
        assert (found.config["objects"], found.marks) == ([128], ("a mark",))
        assert search.values_of({"objects": [64, 32]}) == {"objects": "[64,32]"}


class TestDimensions:
    def test_kinds(self) -> None:
        """Each domain is a float, an integer (also where it is a multiple of something) or categorical."""
        dimensions = space(DOMAINS).dimensions
        kinds = {name: dimension.kind for name, dimension in dimensions.items()}
        floats = dict.fromkeys(["uniform", "loguniform", "randn", "qrandn"], "float")
        integers = dict.fromkeys(
            ["quniform", "qloguniform", "randint", "qrandint", "lograndint", "qlograndint"], "integer"
        )
        assert kinds == {**floats, **integers, "choice": "categorical"}
        logs = {
            name for name, one in dimensions.items() if isinstance(one, (FloatDimension, IntegerDimension)) and one.log
        }
        assert logs == {"loguniform", "qloguniform", "lograndint", "qlograndint"}

    @pytest.mark.parametrize("name", DOMAINS)
    @given(unit=st.floats(0, 1))
    def test_codes_and_values(self, name: str, unit: float) -> None:
        """Each value has a code that gives it back, within the bounds; the whole unit interval gives values."""
        dimension = space({name: DOMAINS[name]}).dimensions[name]
        value = dimension.at(unit)
        code = dimension.code(value)
        assert dimension.value(code) == value
        if isinstance(dimension, (FloatDimension, IntegerDimension)):
            assert dimension.low <= code <= dimension.high

    @pytest.mark.parametrize("name", ["uniform", "loguniform", "quniform", "randint", "qrandint", "lograndint"])
    def test_codes_beyond_the_bounds(self, name: str) -> None:
        """A code beyond the bounds is the bound; an upper bound that is not possible becomes what is just below it."""
        dimension = space({name: DOMAINS[name]}).dimensions[name]
        assert dimension.value(-1e9) == pytest.approx(dimension.at(0.0))
        assert dimension.value(1e9) == pytest.approx(dimension.at(1.0))

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("uniform", 3.5), ("uniform", math.nan), ("uniform", "x"), ("uniform", True), ("loguniform", 0.0),
            ("quniform", 0.15), ("quniform", 1.1), ("randint", 9), ("randint", 2.5), ("choice", "d"), ("randn", math.inf),
        ],
    )  # fmt: skip
    def test_values_that_are_none(self, name: str, value: Any) -> None:
        """A value outside of its dimension is an error that names the dimension and what it is drawn from."""
        with pytest.raises(SpaceError, match=f"^'{name}' cannot be .*: it is (drawn from|one of) "):
            space({name: DOMAINS[name]}).complete({name: value}, 0)

    def test_listed_values(self) -> None:
        """Ordered numbers in a list are integers over their index, other lists categorical; one value alone is no dimension."""
        search = space(
            {"lr": uniform(0, 1), "units": [16, 32, 64], "kind": ["a", "b"], "fixed": [1], "mixed": [3, 1, 2]}
        )
        kinds = {name: (type(one), one.kind) for name, one in search.dimensions.items()}
        assert kinds["units"] == (IntegerDimension, "integer")
        assert kinds["kind"][0] is kinds["mixed"][0] is CategoricalDimension
        assert "fixed" not in kinds
        assert [search.dimensions["units"].value(code) for code in range(3)] == [16, 32, 64]
        assert search.varying == ("lr", "units", "kind", "mixed")
        assert search.keys == ("lr", "units", "kind", "fixed", "mixed")

    def test_pairs(self) -> None:
        """What zip_ pairs is one dimension, of rows."""
        search = space(zip_(a=[1, 2], b=["x", "y"]) * grid(lr=uniform(0, 1)))
        assert list(search.dimensions) == ["a,b", "lr"]
        found = search.complete({"a,b": "a=2-b=y"}, 0)
        assert found is not None
        assert (found.config["a"], found.config["b"]) == (2, "y")
        assert search.values_of({"a": 2}) == {"a,b": "a=2-b=y"}

    def test_branches(self) -> None:
        """A sum is a choice of a branch, and the parameters of each branch depend on it."""
        search = space(grid(a=uniform(0, 1)) + grid(a=uniform(5, 6), b=randint(0, 3)) + grid(c=uniform(0, 1)))
        when = {name: dimension.when for name, dimension in search.dimensions.items()}
        assert when == {
            "branch": (),
            "branch=0/a": (("branch", 0),),
            "branch=1/a": (("branch", 1),),
            "branch=1/b": (("branch", 1),),
            "branch=2/c": (("branch", 2),),
        }
        found = search.complete({"branch": 1, "branch=1/b": 2}, 0)
        assert found is not None
        assert set(found.values) == {"branch", "branch=1/a", "branch=1/b"}
        assert search.values_of({"a": 5.5, "b": 1}) == {"branch": 1, "branch=1/a": 5.5, "branch=1/b": 1}
        assert search.values_of({"c": 0.5}) == {"branch": 2, "branch=2/c": 0.5}

    def test_listed_configurations(self) -> None:
        """A list of configurations is a choice of one of them."""
        search = space(Listed([{"a": uniform(0, 1)}, Choice({"a": 2, "b": 1}, "second")]))
        assert [dimension.kind for dimension in search.dimensions.values()] == ["categorical"]
        found = search.complete({"a,b": "second"}, 0)
        assert found is not None
        assert (found.config, found.label) == ({"a": 2, "b": 1}, "second")

    def test_what_is_not_searched(self) -> None:
        """What functions, strategies and values with domains in them give is drawn, and told; derived values are not."""
        search = space(
            {
                "lr": uniform(0, 1),
                "f": sample_from(lambda: 1),
                "t": [[uniform(0, 1), 2]],
                "d": derived(lambda c: c["lr"]),
            }
        )
        assert list(search.dimensions) == ["lr"]
        assert search.unsearched == ("f", "t")


class TestConditions:
    def test_where(self) -> None:
        """What where= forbids is None; random values for a slot are never forbidden ones."""
        search = space({"lr": uniform(0, 1)}, where="lr > 0.5")
        assert search.complete({"lr": 0.4}, 0) is None
        assert search.complete({"lr": 0.6}, 0) is not None
        assert all(search.random(slot)["lr"] > 0.5 for slot in range(50))  # type: ignore[operator]

    def test_where_forbids_nearly_all(self) -> None:
        """If 1000 configurations in a row are forbidden, a sentence says so."""
        search = space({"lr": uniform(0, 1)}, where="lr > 1")
        with pytest.raises(SpaceError, match=r"where \('lr > 1'\) forbids 1000 configurations in a row: loosen"):
            search.random(0)

    def test_ids(self) -> None:
        """A function of the configuration gives labels; a list cannot."""
        found = space({"lr": uniform(0, 1)}, ids=lambda config: f"lr is {config['lr']:.1f}").complete({"lr": 0.52}, 0)
        assert found is not None
        assert found.label == "lr is 0.5"
        with pytest.raises(SpaceError, match="configurations that are chosen while the sweep runs cannot be named"):
            space({"lr": uniform(0, 1)}, ids=["a"])


class TestPoints:
    def test_points(self) -> None:
        """Points to evaluate may be partial, nested or dotted, and hold the objects themselves."""
        points = [{"model": {"depth": 4}}, {"model.depth": 5, "objects": [128]}]
        assert space(EVERY, points_to_evaluate=points).points_to_evaluate == (
            {"model.depth": 4},
            {"model.depth": 5, "objects": "one"},
        )

    @pytest.mark.parametrize(
        ("points", "said"),
        [
            ({"lr": 1}, r"points_to_evaluate is a list of dicts such as \[\{'lr': 0.1\}\], not"),
            ([3], r"points_to_evaluate\[0\] is 3 \(int\): each point is a dict"),
            ([{}, {"lrr": 1}], r"points_to_evaluate\[1\]: there is no 'lrr': did you mean 'lr'\?"),
            ([{"lr": 7}], r"points_to_evaluate\[0\]: 'lr' cannot be 7 \(int\): it is drawn from uniform\(0.0, 1.0\)"),
            ([{"lr": 0.2}], r"points_to_evaluate\[0\] is .*, which where= forbids"),
        ],
    )
    def test_bad_points(self, points: object, said: str) -> None:
        """A point that the space cannot give is an error that says which, and why."""
        with pytest.raises(SpaceError, match=said):
            space({"lr": uniform(0, 1)}, where="lr > 0.5", points_to_evaluate=points)


class TestErrors:
    @pytest.mark.parametrize(
        ("written", "options", "said"),
        [
            ({"a": [1, 2]}, {}, "has nothing to search, only listed values: write a domain such as"),
            ({"trial": uniform(0, 1)}, {}, "the name of a fixture or an argument of trials"),
            ({"a": uniform(0, 1)}, {"where": "b > 1"}, "there is no 'b'"),
            (grid(a=uniform(0, 1)) * grid(a=[1]), {}, "a product has the key 'a' on both sides"),
            ({}, {}, "is empty"),
        ],
    )
    def test_bad_spaces(self, written: Any, options: dict[str, Any], said: str) -> None:
        """A space that is not well written, or lists all, is an error that says what to write."""
        with pytest.raises(SpaceError, match=said):
            space(written, **options)

    def test_unknown_names(self) -> None:
        """A value for a name that the space has not is an error."""
        with pytest.raises(SpaceError, match="there is no 'lrr': did you mean 'lr'"):
            space({"lr": uniform(0, 1)}).complete({"lrr": 1}, 0)

    def test_dimensions_are_abstract(self) -> None:
        """Every dimension has a kind."""
        assert {cls.kind for cls in Dimension.__subclasses__()} == {"float", "integer", "categorical"}
