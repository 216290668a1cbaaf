"""Ray Tune as the oracle: one space, written for both libraries, gives the same combinations, bounds and distributions."""

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
from scipy import stats

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


CONTINUOUS = [
    ("uniform", (0.0, 1.0)),
    ("uniform", (-3.5, 1e-3)),
    ("uniform", (1e6, 1e6 + 1e-3)),
    ("loguniform", (1e-5, 1e-1)),
    ("loguniform", (0.9, 1.1)),
    ("loguniform", (1e-3, 1e6)),
    ("randn", ()),
    ("randn", (10.0, 0.01)),
    ("randn", (-1.0, 300.0)),
]
DISCRETE = [
    ("choice", (["a", "b", "c"],)),
    ("choice", (list(range(30)),)),
    ("quniform", (0.0, 1.0, 0.25)),
    ("quniform", (-2.0, 3.0, 0.1)),
    ("quniform", (0, 8, 2)),
    ("qloguniform", (0.5, 8.0, 0.5)),
    ("qloguniform", (1e-4, 1e-1, 1e-4)),
    ("randint", (0, 2)),
    ("randint", (-7, 30)),
    ("lograndint", (1, 10)),
    ("lograndint", (3, 5000)),
    ("qrandint", (0, 10, 2)),
    ("qrandint", (-5, 28, 3)),
    ("qrandint", (0, 5, 1)),
    ("qlograndint", (1, 40, 4)),
    ("qlograndint", (64, 1024, 64)),
    ("qlograndint", (2, 50, 1)),
    ("qrandn", (0.0, 1.0, 0.5)),
    ("qrandn", (5.0, 20.0, 0.25)),
]
OUR_DRAWS, THEIR_DRAWS = 5_000, 50_000
LEAST_P = 1e-4
"""Seeds are fixed, so a test passes always or never. With new draws, of another numpy, one of the thirty would fail once in 300 times."""


def our_draws(name: str, arguments: tuple[Any, ...], seed: int = 1) -> list[Any]:
    """Return the values that as many samples of a space with this domain have."""
    space = {"x": getattr(pytest_sweep, name)(*arguments)}
    return [point.config["x"] for point in expand(space, seed=seed, num_samples=OUR_DRAWS).points]


def their_draws(name: str, arguments: tuple[Any, ...]) -> list[Any]:
    """Return what Tune's own sampler draws."""
    return list(getattr(tune(), name)(*arguments).sample(size=THEIR_DRAWS, random_state=1))


def p_of_continuous(ours: list[float], theirs: list[float]) -> float:
    """Return the p-value of the Kolmogorov-Smirnov test: how likely such a difference is if both are of one distribution."""
    return float(stats.ks_2samp(ours, theirs, method="asymp").pvalue)


def p_of_discrete(ours: list[Any], theirs: list[Any]) -> float:
    """Return the p-value of the chi-squared test; neighbouring rare values are counted together."""
    mine, its = Counter(ours), Counter(round(value, 9) if isinstance(value, float) else value for value in theirs)
    mine = Counter({round(value, 9) if isinstance(value, float) else value: number for value, number in mine.items()})
    bins, rest = [], [0, 0]
    for value in sorted(mine.keys() | its.keys()):
        rest = [rest[0] + mine[value], rest[1] + its[value]]
        if sum(rest) * OUR_DRAWS / (OUR_DRAWS + THEIR_DRAWS) >= 10:  # Of our draws so many are expected.
            bins.append(rest)
            rest = [0, 0]
    bins[-1] = [bins[-1][0] + rest[0], bins[-1][1] + rest[1]]
    return float(stats.chi2_contingency(list(zip(*bins, strict=True))).pvalue)


@pytest.mark.parametrize(("name", "arguments"), CONTINUOUS)
def test_the_same_continuous_distributions_as_tune(name: str, arguments: tuple[Any, ...]) -> None:
    """Floats are distributed as Tune's, by a Kolmogorov-Smirnov test."""
    assert p_of_continuous(our_draws(name, arguments), their_draws(name, arguments)) > LEAST_P


@pytest.mark.parametrize(("name", "arguments"), DISCRETE)
def test_the_same_discrete_distributions_as_tune(name: str, arguments: tuple[Any, ...]) -> None:
    """Integers, multiples and categories are each drawn as often as by Tune, by a chi-squared test."""
    assert p_of_discrete(our_draws(name, arguments), their_draws(name, arguments)) > LEAST_P


def test_every_domain_of_tune_is_compared() -> None:
    """No domain is left out of the comparison but `sample_from`, which draws nothing."""
    sample = tune().search.sample
    names = {name for name in dir(sample) if name.islower() and getattr(tune(), name, None) is getattr(sample, name)}
    drawn = {name for name in names if not name.startswith("_")} - {"sample_from"}
    assert {name for name, _ in (*CONTINUOUS, *DISCRETE)} == drawn


@pytest.mark.parametrize(
    ("compared", "mine", "other"),
    [
        (p_of_continuous, ("uniform", (0.0, 1.0)), ("uniform", (0.0, 1.1))),
        (p_of_continuous, ("loguniform", (0.5, 2.0)), ("uniform", (0.5, 2.0))),
        (p_of_continuous, ("randn", (0.0, 1.0)), ("randn", (0.1, 1.0))),
        (p_of_continuous, ("randn", (0.0, 1.0)), ("randn", (0.0, 1.2))),
        (p_of_discrete, ("quniform", (0.0, 1.0, 0.1)), ("quniform", (0.0, 1.1, 0.1))),
        (p_of_discrete, ("qrandint", (0, 10, 2)), ("quniform", (0, 10, 2))),  # Tune's ends of quniform are half as likely.
        (p_of_discrete, ("randint", (0, 10)), ("randint", (0, 11))),
        (p_of_discrete, ("lograndint", (1, 10)), ("randint", (1, 10))),
        (p_of_discrete, ("choice", ([1, 2, 3],)), ("choice", ([1, 2, 3, 3],))),
    ],
)  # fmt: skip
def test_other_distributions_are_told_apart(compared: Callable[..., float], mine: Any, other: Any) -> None:
    """The comparison has the power that it needs: it fails for distributions that differ a little."""
    assert compared(our_draws(*mine), their_draws(*other)) < LEAST_P / 1000


@pytest.mark.parametrize("seed", [1, 2])
def test_draws_are_independent(seed: int) -> None:
    """What is drawn for one key, sample or seed says nothing of what is drawn for another."""
    space = {key: pytest_sweep.uniform(0.0, 1.0) for key in ("x", "y")}
    points = [point.config for point in expand(space, seed=seed, num_samples=OUR_DRAWS).points]
    x, y = ([config[key] for config in points] for key in ("x", "y"))
    other = our_draws("uniform", (0.0, 1.0), seed + 1)
    for one, two in ((x, y), (x[:-1], x[1:]), (x, other)):
        assert stats.spearmanr(one, two).pvalue > LEAST_P


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
