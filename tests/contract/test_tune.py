"""Ray Tune's own variant generator as the oracle: the same space, written for both, gives the same combinations and bounds."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pytest_sweep
from pytest_sweep.model.judging import Goal
from pytest_sweep.space import expand, flatten
from tests.conftest import import_ray


@cache
def tune() -> Any:
    """Return the module ``ray.tune``; skip the test where it is not installed."""
    import_ray()  # First, and not as this file is collected: it decides how every Ray of this process is protected.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # What Tune's own dependencies warn of as they are imported.
        return pytest.importorskip("ray.tune", reason="pip install 'ray[tune]'", exc_type=ImportError)


@dataclass(frozen=True)
class Drawn:
    """A domain that both libraries know by one name.

    Attributes:
        name: the function that makes it.
        arguments: its arguments.
        holds: whether a value is one of the domain's, as Tune's documentation has it.
    """

    name: str
    arguments: tuple[Any, ...]
    holds: Callable[[Any], bool]

    def of(self, library: ModuleType) -> Any:
        return getattr(library, self.name)(*self.arguments)


def _is_multiple(value: float, q: float) -> bool:
    return math.isclose(value / q, round(value / q), abs_tol=1e-9)


def _floats(name: str, lower: float, upper: float) -> Drawn:
    return Drawn(name, (lower, upper), lambda value: type(value) is float and lower <= value < upper)


def _quantized_floats(name: str, first: int, steps: int, q: float) -> Drawn:
    lower, upper = first * q, (first + steps) * q
    near = 1e-9 * max(abs(lower), abs(upper))
    return Drawn(
        name,
        (lower, upper, q),
        lambda value: type(value) is float and lower - near <= value <= upper + near and _is_multiple(value, q),
    )


def _integers(name: str, lower: int, size: int) -> Drawn:
    return Drawn(name, (lower, lower + size), lambda value: type(value) is int and lower <= value < lower + size)


def _quantized_integers(name: str, lower: int, size: int, q: int) -> Drawn:
    upper = lower + size
    return Drawn(
        name,
        (lower, upper, q),
        lambda value: type(value) is int and lower <= value <= upper - (q == 1) and value % q == 0,
    )


QUANTA = st.sampled_from([0.1, 0.25, 0.5, 2.0, 1e-3])
SMALL = st.floats(1e-6, 10)
DOMAINS = st.one_of(
    st.builds(
        lambda values: Drawn("choice", (values,), values.__contains__), st.lists(st.integers(), min_size=1, max_size=4)
    ),
    st.builds(lambda low, width: _floats("uniform", low, low + width), st.floats(-10, 10), SMALL),
    st.builds(lambda low, factor: _floats("loguniform", low, low * factor), SMALL, st.floats(1.01, 1e4)),
    st.builds(lambda *args: _quantized_floats("quniform", *args), st.integers(-20, 20), st.integers(1, 20), QUANTA),
    st.builds(lambda *args: _quantized_floats("qloguniform", *args), st.integers(1, 20), st.integers(1, 20), QUANTA),
    st.builds(lambda *args: _integers("randint", *args), st.integers(-50, 50), st.integers(1, 50)),
    st.builds(lambda *args: _integers("lograndint", *args), st.integers(1, 50), st.integers(1, 50)),
    st.builds(lambda *args: _quantized_integers("qrandint", *args), st.integers(-50, 50), st.integers(10, 50), st.integers(1, 5)),
    st.builds(lambda *args: _quantized_integers("qlograndint", *args), st.integers(1, 50), st.integers(10, 50), st.integers(1, 5)),
    st.builds(lambda *args: Drawn("randn", args, lambda value: type(value) is float), st.floats(-5, 5), SMALL),
    st.builds(
        lambda mean, sd, q: Drawn("qrandn", (mean, sd, q), lambda value: _is_multiple(value, q)), st.floats(-5, 5), SMALL, QUANTA
    ),
)  # fmt: skip
AXES = st.lists(st.one_of(st.integers(), st.text(max_size=3)), min_size=1, max_size=3)
KEYS = st.text("abcd", min_size=1, max_size=2)
SPACES = st.recursive(
    st.dictionaries(KEYS, st.one_of(AXES, DOMAINS), min_size=1, max_size=3),
    lambda inner: st.dictionaries(KEYS, st.one_of(AXES, DOMAINS, inner), min_size=1, max_size=3),
    max_leaves=4,
)


def ours(space: dict[str, Any]) -> dict[str, Any]:
    """Write the space for this library."""
    return {
        key: ours(value) if isinstance(value, dict) else value.of(pytest_sweep) if isinstance(value, Drawn) else value
        for key, value in space.items()
    }


def theirs(space: dict[str, Any]) -> dict[str, Any]:
    """Write the space for Tune."""
    return {
        key: theirs(value)
        if isinstance(value, dict)
        else value.of(tune())
        if isinstance(value, Drawn)
        else tune().grid_search(value)
        for key, value in space.items()
    }


def variants(space: dict[str, Any], num_samples: int) -> list[dict[str, Any]]:
    """Return the configurations that Tune makes of a space."""
    spec = {"config": theirs(space)}
    return [
        made["config"]
        for _ in range(num_samples)
        for _, made in tune().search.variant_generator.generate_variants(spec, random_state=1)
    ]


@given(SPACES, st.integers(1, 3))
def test_the_same_combinations_as_tune(space: dict[str, Any], num_samples: int) -> None:
    """The listed values combine as in Tune, each combination as often, and the configurations are as many."""
    listed = [key for key, value in flatten(space).items() if isinstance(value, list)]
    expanded = [flatten(point.config) for point in expand(ours(space), num_samples=num_samples).points]
    expected = [flatten(config) for config in variants(space, num_samples)]
    assert len(expanded) == len(expected)
    assert Counter(tuple(map(one.get, listed)) for one in expanded) == Counter(
        tuple(map(one.get, listed)) for one in expected
    )
    assert all(one.keys() == other.keys() for one, other in zip(expanded, expected, strict=True))


@given(SPACES, st.integers(0, 2**32))
def test_the_same_bounds_as_tune(space: dict[str, Any], seed: int) -> None:
    """Whatever is drawn, here as there, is within the bounds of the domain and of the same type; Tune finds ours valid."""
    domains = {key: value for key, value in flatten(space).items() if isinstance(value, Drawn)}
    for point, other in zip(expand(ours(space), seed=seed, num_samples=3).points, variants(space, 3), strict=True):
        mine, its = flatten(point.config), flatten(other)
        for key, domain in domains.items():
            assert domain.holds(mine[key]), (domain, mine[key])
            assert domain.holds(its[key]), (domain, its[key])
            # To the last bits: 3 * 0.1 is not 0.3 to Tune.
            near = 1e-9 * max(1.0, abs(mine[key])) if isinstance(mine[key], float) else 0
            assert any(domain.of(tune()).is_valid(mine[key] + shift) for shift in (0, near, -near))


@pytest.mark.parametrize(
    ("name", "arguments", "values"),
    [
        ("randint", (1, 4), {1, 2, 3}),
        ("qrandint", (0, 6, 2), {0, 2, 4, 6}),
        ("qrandint", (0, 3, 1), {0, 1, 2}),
        ("qrandint", (1, 10, 4), {4, 8}),
        ("lograndint", (1, 4), {1, 2, 3}),
        ("qlograndint", (2, 9, 3), {3, 6, 9}),
        ("quniform", (0, 1, 0.25), {0.0, 0.25, 0.5, 0.75, 1.0}),
        ("qloguniform", (0.5, 1.5, 0.5), {0.5, 1.0, 1.5}),
        ("choice", (["a", "b"],), {"a", "b"}),
    ],
)
def test_the_same_values_as_tune(name: str, arguments: tuple[Any, ...], values: set[Any]) -> None:
    """All values of a small domain are drawn, here as there, and no others."""
    domain = Drawn(name, arguments, values.__contains__)
    assert {point.config["x"] for point in expand(ours({"x": domain}), num_samples=300).points} == values
    assert {
        made["x"]
        for _ in range(300)
        for _, made in tune().search.variant_generator.generate_variants({"x": domain.of(tune())})
    } == values


def test_the_page_for_users_of_tune_shows_every_domain() -> None:
    """docs/tune.md has each of Tune's domains beside ours."""
    page = (Path(__file__).parents[2] / "docs" / "tune.md").read_text("utf-8")
    sample = tune().search.sample
    names = [name for name in dir(sample) if name.islower() and getattr(tune(), name, None) is getattr(sample, name)]
    names = [name for name in names if not name.startswith("_")]
    assert {"choice", "uniform", "qlograndint", "sample_from"} <= set(names)
    assert [name for name in names if f"| `tune.{name}(" not in page or f"| `{name}(" not in page] == []


@given(
    values=st.lists(st.floats(-1e6, 1e6) | st.integers(-1000, 1000), min_size=1, max_size=25),
    scope=st.sampled_from(["last", "avg", "last-5-avg", "last-10-avg", "all"]),
    mode=st.sampled_from(["min", "max"]),
)
def test_scopes_are_tunes(values: list[float], scope: str, mode: str) -> None:
    """Each scope of `get_best_result` gives the value by which Tune judges a trial that reported the same."""
    tune()
    from ray.tune.trainable.metadata import _TrainingRunMetadata

    metadata: Any = _TrainingRunMetadata()
    for step, value in enumerate(values, 1):
        metadata.update_metric("loss", value, step=step)
    expected = metadata.metric_analysis["loss"][mode if scope == "all" else scope]
    assert Goal("loss", mode, scope).value(values) == pytest.approx(expected, rel=1e-9, abs=1e-6)
