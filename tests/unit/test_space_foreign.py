"""Search spaces of other libraries: Ray Tune's are taken, those of others are refused with what to write."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_sweep import grid
from pytest_sweep import space as spaces
from pytest_sweep.errors import SpaceError
from pytest_sweep.space import Listed, axis_keys, expand
from pytest_sweep.space.foreign import foreign_domain


def _object(module: str, name: str, **attributes: Any) -> Any:
    """Return an object as a library that need not be installed would make it."""
    return type(name, (), {"__module__": module, "__repr__": lambda _: name, **attributes})()


class TestGridSearch:
    """``tune.grid_search([...])`` is a dict, and an axis."""

    def test_it_is_an_axis(self) -> None:
        """At any depth, and in one with our own axes, each of its values is tried."""
        space = {"lr": {"grid_search": [0.1, 0.01]}, "opt": {"name": {"grid_search": ["adam", "sgd"]}, "depth": [2]}}
        found = [point.config for point in expand(space).points]
        assert found == [
            {"lr": lr, "opt": {"name": name, "depth": 2}} for lr in (0.1, 0.01) for name in ("adam", "sgd")
        ]
        assert axis_keys(grid(space)) == ["lr", "opt.name", "opt.depth"]

    def test_in_a_value_it_is_refused(self) -> None:
        """Where no axis can be, the error says where it belongs."""
        for space in ({"v": [{"a": [{"grid_search": [1]}]}]}, Listed([{"v": {"grid_search": [1]}}])):
            with pytest.raises(SpaceError, match="is a grid_search of Ray Tune within a value: give it as an axis"):
                expand(space)

    def test_a_key_of_that_name(self) -> None:
        """A key of the space may have that name."""
        assert [point.config for point in expand({"grid_search": [1, 2]}).points] == [
            {"grid_search": 1},
            {"grid_search": 2},
        ]


def _tune(name: str, sampler: str, q: float | None = None, **attributes: Any) -> Any:
    module = "ray.tune.search.sample"
    inner = _object(module, f"_{sampler}", **{key: attributes.pop(key) for key in ("mean", "sd") if key in attributes})
    given = inner if q is None else _object(module, "Quantized", q=q, get_sampler=lambda _: inner)
    return _object(module, name, get_sampler=lambda _: given, **attributes)


@pytest.mark.parametrize(
    ("domain", "ours"),
    [
        (_tune("Float", "Uniform", lower=0.0, upper=1.0), "uniform(0.0, 1.0)"),
        (_tune("Float", "Uniform", 0.5, lower=0.0, upper=1.0), "quniform(0.0, 1.0, 0.5)"),
        (_tune("Float", "LogUniform", lower=0.1, upper=1.0), "loguniform(0.1, 1.0)"),
        (_tune("Float", "LogUniform", 0.1, lower=0.1, upper=1.0), "qloguniform(0.1, 1.0, 0.1)"),
        (_tune("Float", "Normal", mean=1.0, sd=2.0, lower=None, upper=None), "randn(1.0, 2.0)"),
        (_tune("Float", "Normal", 0.5, mean=1.0, sd=2.0, lower=None, upper=None), "qrandn(1.0, 2.0, 0.5)"),
        (_tune("Integer", "Uniform", lower=2, upper=9), "randint(2, 9)"),
        (_tune("Integer", "Uniform", 2, lower=2, upper=8), "qrandint(2, 8, 2)"),
        (_tune("Integer", "LogUniform", lower=1, upper=9), "lograndint(1, 9)"),
        (_tune("Integer", "LogUniform", 2, lower=2, upper=8), "qlograndint(2, 8, 2)"),
        (_object("ray.tune.search.sample", "Categorical", categories=["a", "b"]), "choice(['a', 'b'])"),
    ],
)
def test_domains_of_tune_are_taken(domain: Any, ours: str) -> None:
    """Each domain of Tune draws as ours of that name does."""
    assert repr(foreign_domain(domain)) == ours
    (one,), (two,) = (expand({"x": axis}).points for axis in (domain, foreign_domain(domain)))
    assert one == two


def test_functions_of_tune_are_taken() -> None:
    """sample_from of Tune gets the configuration, or nothing."""
    with_config = _object(
        "ray.tune.search.sample", "Function", func=lambda _, config: config["a"] + 1, pass_config=True
    )
    without = _object("ray.tune.search.sample", "Function", func=lambda _: 7, pass_config=False)
    (point,) = expand({"a": [1], "b": with_config, "c": without}).points
    assert point.config == {"a": 1, "b": 2, "c": 7}


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (
            ("FloatDistribution", {"low": 0.0, "high": 1.0, "log": False, "step": None}),
            "write uniform(0.0, 1.0), after `from pytest_sweep import uniform`",
        ),
        (("FloatDistribution", {"low": 0.1, "high": 1.0, "log": True, "step": None}), "write loguniform(0.1, 1.0)"),
        (("FloatDistribution", {"low": 0.0, "high": 1.0, "log": False, "step": 0.1}), "write quniform(0.0, 1.0, 0.1)"),
        (("IntDistribution", {"low": 1, "high": 3, "log": False, "step": 1}), "write randint(1, 4)"),
        (("IntDistribution", {"low": 2, "high": 8, "log": False, "step": 2}), "write qrandint(2, 8, 2)"),
        (("CategoricalDistribution", {"choices": ("a", 1)}), "write choice(['a', 1])"),
        (("Other", {}), "write uniform, loguniform, randint, choice and others, after `from pytest_sweep import ...`"),
    ],
)
def test_distributions_of_optuna_are_refused(written: tuple[str, dict[str, Any]], text: str) -> None:
    """As an axis, in a list and in a configuration, a distribution of Optuna is an error with our equivalent and its import."""
    name, attributes = written
    distribution = _object("optuna.distributions", name)
    vars(distribution).update(attributes)
    for space in (
        {"x": distribution},
        {"x": [distribution]},
        {"x": [{"a": [distribution]}]},
        Listed([{"x": distribution}]),
    ):
        with pytest.raises(SpaceError, match="is a distribution of optuna: .*" + re.escape(text)):
            expand(space)


def test_objects_of_users_are_values() -> None:
    """A class of the user's that happens to have such a name is a value."""
    value = SimpleNamespace(low=1, high=2)
    assert foreign_domain(value) is None
    assert spaces.expand({"x": [value]}).points[0].config == {"x": value}
