"""What a random domain draws: within its bounds, spread as it says, the same for the same entropy; and which domains are refused."""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sweep.errors import SpaceError
from pytest_sweep.space.domains import RandomDomain
from pytest_sweep.space.entropy import Entropy
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

TEXTS = st.text(max_size=10)
FLOATS = st.floats(-1e300, 1e300)
POSITIVE = st.floats(1e-300, 1e300)
QUANTA = st.sampled_from([0.1, 0.3, 0.05, 1e-4, 2.5, 1.0, 7.0])


def draws(domain: RandomDomain, count: int = 2000) -> list[Any]:
    return [domain.draw(Entropy(str(number))) for number in range(count)]


@given(FLOATS, FLOATS, TEXTS)
def test_uniform_bounds(one: float, two: float, text: str) -> None:
    """Any range of floats includes its lower bound and excludes its upper one."""
    if one != two:
        assert min(one, two) <= uniform(min(one, two), max(one, two)).draw(Entropy(text)) < max(one, two)


@given(POSITIVE, POSITIVE, TEXTS)
def test_loguniform_bounds(one: float, two: float, text: str) -> None:
    """So does any range on a logarithmic scale."""
    if one != two:
        assert min(one, two) <= loguniform(min(one, two), max(one, two)).draw(Entropy(text)) < max(one, two)


@given(st.integers(), st.integers(1), TEXTS)
def test_randint_bounds(lower: int, size: int, text: str) -> None:
    """So does any range of integers, of any size."""
    value = randint(lower, lower + size).draw(Entropy(text))
    assert type(value) is int
    assert lower <= value < lower + size


@given(st.integers(1, 2**60), st.integers(1, 2**60), TEXTS)
def test_lograndint_bounds(lower: int, size: int, text: str) -> None:
    """So does any range of integers on a logarithmic scale."""
    value = lograndint(lower, lower + size).draw(Entropy(text))
    assert type(value) is int
    assert lower <= value < lower + size


@given(st.integers(-1000, 1000), st.integers(1, 1000), QUANTA, TEXTS)
def test_quniform_rounding(first: int, steps: int, q: float, text: str) -> None:
    """A quantized float is the multiple of q as one would write it, and both bounds are possible."""
    lower, upper = first * q, (first + steps) * q
    value = quniform(lower, upper, q).draw(Entropy(text))
    multiple = Decimal(repr(value)) / Decimal(repr(q))
    assert multiple == multiple.to_integral_value()
    assert first <= multiple <= first + steps


@given(st.integers(1, 1000), st.integers(1, 1000), QUANTA, TEXTS)
def test_qloguniform_rounding(first: int, steps: int, q: float, text: str) -> None:
    """So is one on a logarithmic scale."""
    value = qloguniform(first * q, (first + steps) * q, q).draw(Entropy(text))
    multiple = Decimal(repr(value)) / Decimal(repr(q))
    assert multiple == multiple.to_integral_value()
    assert first <= multiple <= first + steps


@given(st.integers(1, 10**6), st.integers(2, 10**6), st.integers(2, 1000), TEXTS)
def test_quantized_integers(lower: int, size: int, q: int, text: str) -> None:
    """A quantized integer is a multiple of q within both bounds, the upper one included."""
    upper = lower + max(size, 2 * q)
    for domain in (qrandint(lower, upper, q), qlograndint(lower, upper, q)):
        value = domain.draw(Entropy(text))
        assert value % q == 0
        assert lower <= value <= upper


@pytest.mark.parametrize(
    ("domain", "values"),
    [
        (randint(-1, 2), [-1, 0, 1]),
        (qrandint(0, 4), [0, 1, 2, 3]),
        (qrandint(0, 4, 2), [0, 2, 4]),
        (qrandint(1, 11, 5), [5, 10]),
        (choice(["a", "b", "c"]), ["a", "b", "c"]),
        (choice(np.arange(3)), [0, 1, 2]),
    ],
)
def test_each_value_is_as_likely(domain: RandomDomain, values: list[Any]) -> None:
    """Integers and choices are drawn evenly, and all of them."""
    count = Counter(draws(domain))
    assert sorted(count) == values
    assert max(count.values()) < 1.2 * min(count.values())


@pytest.mark.parametrize(
    ("lower", "upper", "q", "values"),
    [
        (0.3, 0.7, 0.1, [0.3, 0.4, 0.5, 0.6, 0.7]),
        (0.25, 0.71, 0.1, [0.3, 0.4, 0.5, 0.6, 0.7]),
        (0.31, 0.69, 0.1, [0.4, 0.5, 0.6]),
        (1, 10, 3, [3.0, 6.0, 9.0]),
        (-10, -1, 4, [-8.0, -4.0]),
        (-0.9, 0.9, 0.5, [-0.5, 0.0, 0.5]),
    ],
)
def test_bounds_that_are_no_multiples(lower: float, upper: float, q: float, values: list[float]) -> None:
    """A bound that is no multiple moves inwards to the next one; one that is a multiple but for its last bits stays."""
    assert sorted(set(draws(quniform(lower, upper, q), 500))) == values
    if lower > 0:
        assert sorted(set(draws(qloguniform(lower, upper, q), 500))) == values


def test_ends_of_a_quantized_range() -> None:
    """The first and the last multiple are half as likely as those between, since half as much is rounded to them."""
    count = Counter(draws(quniform(0, 1, 0.25), 8000))
    assert sorted(count) == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert [round(count[value] / 1000) for value in sorted(count)] == [1, 2, 2, 2, 1]


def test_uniform_is_even() -> None:
    """Quarters of the range get a quarter of the draws each."""
    count = Counter(int(4 * value) for value in draws(uniform(0, 1)))
    assert all(450 < count[quarter] < 550 for quarter in range(4))


@pytest.mark.parametrize("domain", [loguniform(1e-4, 1), lograndint(1, 10_000)])
def test_each_magnitude_is_as_likely(domain: RandomDomain) -> None:
    """On a logarithmic scale every power of ten gets as many draws."""
    count = Counter(math.floor(math.log10(value)) for value in draws(domain))
    assert len(count) == 4
    assert all(400 < number < 600 for number in count.values())


def test_randn_has_mean_and_deviation() -> None:
    """Draws of a normal distribution have its mean and its standard deviation."""
    values = draws(randn(10, 2))
    assert statistics.fmean(values) == pytest.approx(10, abs=0.2)
    assert statistics.stdev(values) == pytest.approx(2, abs=0.1)


def test_qrandn_is_the_nearest_multiple() -> None:
    """A quantized normal draw is the multiple that is nearest to the unquantized one."""
    for number in range(200):
        exact, rounded = randn(0, 1).draw(Entropy(str(number))), qrandn(0, 1, 0.1).draw(Entropy(str(number)))
        assert abs(rounded - exact) < 0.05 + 1e-5
        assert len(repr(rounded)) <= 4


@pytest.mark.parametrize(
    ("domain", "digits"),
    [(uniform(0, 1), 8), (loguniform(1e-3, 1), 9), (randn(), 9), (uniform(1e-6, 2e-6), 15)],
)
def test_floats_are_short(domain: RandomDomain, digits: int) -> None:
    """A float has no more decimals than tell a millionth of the range, so that a node id can say it exactly."""
    assert all(
        len(format(value, "f" if value > 1e-3 else ".15f").rstrip("0")) <= digits + 4 for value in draws(domain, 200)
    )
    assert len(set(draws(domain, 200))) > 190


@pytest.mark.parametrize("make", [lambda: uniform(5, 5 + 1e-15), lambda: loguniform(1, 1 + 1e-15)])
def test_narrow_ranges_are_kept(make: Callable[[], RandomDomain]) -> None:
    """A range of a few floats is not left by shortening them."""
    domain: Any = make()
    assert all(domain.lower <= value < domain.upper for value in draws(domain, 50))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: uniform(1, 1), "uniform(1, 1): the range is empty, since both bounds are equal: give [1.0] for a constant"),
        (lambda: uniform(2, 1), "uniform(2, 1): the range is reversed: the lower bound comes first"),
        (lambda: uniform(0, math.inf), "uniform(0, inf): upper is inf (float), not a finite number"),
        (lambda: uniform(-1e308, 1e308), "the range is wider than the largest float"),
        (lambda: uniform("0", 1), "uniform('0', 1): lower is '0' (str), not a finite number"),  # type: ignore[arg-type]
        (lambda: uniform(False, 1), "lower is False (bool), not a finite number"),
        (lambda: loguniform(0, 1), "loguniform(0, 1): a logarithmic range is above 0, and the lower bound is 0"),
        (lambda: loguniform(-1, 1), "a logarithmic range is above 0, and the lower bound is -1"),
        (lambda: quniform(0, 1, 2), "quniform(0, 1, 2): q=2 is larger than the range: give one of at most 1"),
        (lambda: quniform(0, 1, 0), "quniform(0, 1, 0): q=0 is not above 0"),
        (lambda: qloguniform(0, 1, 0.1), "qloguniform(0, 1, 0.1): a logarithmic range is above 0"),
        (lambda: randint(3, 3), "randint(3, 3): the range is empty"),
        (lambda: randint(4, 3), "randint(4, 3): the range is reversed"),
        (lambda: randint(0, 2.0), "randint(0, 2.0): upper is 2.0 (float), not an integer"),  # type: ignore[arg-type]
        (lambda: randint(True, 3), "lower is True (bool), not an integer"),
        (lambda: qrandint(0, 3, 4), "qrandint(0, 3, 4): q=4 is larger than the range: give one of at most 3"),
        (lambda: qrandint(0, 3, 0), "qrandint(0, 3, 0): q=0 is not above 0"),
        (lambda: qrandint(6, 9, 2.5), "qrandint(6, 9, 2.5): q is 2.5 (float), not an integer"),  # type: ignore[arg-type]
        (lambda: lograndint(0, 3), "lograndint(0, 3): a logarithmic range is above 0, and the lower bound is 0"),
        (lambda: qlograndint(-2, 8, 2), "qlograndint(-2, 8, 2): a logarithmic range is above 0"),
        (lambda: randn(0, 0), "randn(0, 0): the standard deviation sd=0 is not above 0"),
        (lambda: randn(math.nan, 1), "randn(nan, 1): mean is nan (float), not a finite number"),
        (lambda: qrandn(0, 1, -1), "qrandn(0, 1, -1): q=-1 is not above 0"),
        (lambda: choice([]), "choice([]) has nothing to choose from: list at least one value"),
        (lambda: choice("abc"), "choice() takes a list of values, not 'abc' (str)"),
        (lambda: choice({1, 2}), "choice() takes a list of values, not {1, 2} (set)"),
    ],
)  # fmt: skip
def test_what_is_refused(make: Callable[[], RandomDomain], text: str) -> None:
    """A domain that makes no sense says so where it is written, as it is written."""
    with pytest.raises(SpaceError, match=re.escape(text)):
        make()


@pytest.mark.parametrize(
    ("domain", "text"),
    [
        (uniform(0, 1), "uniform(0.0, 1.0)"),
        (qloguniform(0.1, 1, 0.1), "qloguniform(0.1, 1.0, 0.1)"),
        (lograndint(1, 9), "lograndint(1, 9)"),
        (qrandint(0, 8, 2), "qrandint(0, 8, 2)"),
        (randn(), "randn(0.0, 1.0)"),
        (choice([1, 2]), "choice([1, 2])"),
    ],
)
def test_domains_print_as_they_are_written(domain: RandomDomain, text: str) -> None:
    """A domain prints as the call that makes it."""
    assert repr(domain) == text


def test_entropy_is_a_function_of_its_text() -> None:
    """Entropy of equal texts is equal, on every machine and in every version of Python, and of others it is not."""
    assert Entropy("a").number == int("ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb", 16)
    assert Entropy("a").unit() == 0.7913742705223815
    assert Entropy("a").bytes(4) == Entropy("a").bytes(8)[:4] != Entropy("b").bytes(4)


@pytest.mark.parametrize("number", [0, 2**256 - 1])
def test_the_ends_of_entropy(number: int) -> None:
    """Whatever the numbers are, a float of them is above 0 and below 1, and an index below the count."""
    entropy = Entropy("")
    entropy.number = number
    assert 0 < entropy.unit() < 1
    assert 0 <= entropy.below(3) < 3
    assert uniform(0, 1).draw(entropy) < 1
    assert randn().draw(entropy) == pytest.approx(0, abs=9)
