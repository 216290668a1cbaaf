"""The functions by which random domains are written, with Ray Tune's names and bounds: they check what they are given."""

from __future__ import annotations

import math
import operator
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from pytest_sweep.errors import SpaceError
from pytest_sweep.model.metrics import plain_scalar
from pytest_sweep.space.display import shown
from pytest_sweep.space.domains import Categorical, Float, Integer, Normal, call_text


def choice(categories: Collection[Any]) -> Categorical:
    """Draw one of `categories`, each as likely as the others. As ``tune.choice``.

    Args:
        categories: a list of values, of any kind; ``pytest.param(value, id=...)`` too.

    Raises:
        SpaceError: it is empty, or no list.
    """
    if isinstance(categories, (str, bytes, Mapping, AbstractSet)) or not isinstance(categories, Collection):
        raise SpaceError(f"choice() takes a list of values, not {shown(categories)}")
    if not len(categories):
        raise SpaceError("choice([]) has nothing to choose from: list at least one value")
    return Categorical(tuple(categories))


def uniform(lower: float, upper: float) -> Float:
    """Draw a float, uniform in ``[lower, upper)``: `lower` is possible, `upper` is not. As ``tune.uniform``.

    The float has as many decimals as tell a millionth of ``upper - lower``.

    Raises:
        SpaceError: a bound is not a finite number, or the range is empty or reversed.
    """
    return _float_range(lower, upper)


def loguniform(lower: float, upper: float) -> Float:
    """Draw a float whose logarithm is uniform, in ``[lower, upper)``. As ``tune.loguniform``.

    The base of the logarithm makes no difference. The float has 6 to 7 significant digits (more where the range is narrower than that).

    Raises:
        SpaceError: a bound is not a finite number above 0, or the range is empty or reversed.
    """
    return _float_range(lower, upper, log=True)


def quniform(lower: float, upper: float, q: float) -> Float:
    """Draw a multiple of `q` in ``[lower, upper]``, both ends possible. As ``tune.quniform``.

    A uniform float is rounded to the nearest multiple, so that the first and the last are half as likely as the others. A bound
    that is no multiple moves inwards to the next one, where Tune refuses it. The multiple is exact in decimals: 0.3, not
    0.30000000000000004.

    Raises:
        SpaceError: as for `uniform`; `q` is not above 0, or larger than the range (else at least one multiple lies in it).
    """
    return _float_range(lower, upper, q=q)


def qloguniform(lower: float, upper: float, q: float) -> Float:
    """Draw a multiple of `q` in ``[lower, upper]``, both ends possible, log-uniform before rounding. As ``tune.qloguniform``.

    Rounding is as for `quniform`.

    Raises:
        SpaceError: as for `quniform`, or a bound is not above 0.
    """
    return _float_range(lower, upper, log=True, q=q)


def randint(lower: int, upper: int) -> Integer:
    """Draw an integer, uniform in ``lower, ..., upper - 1``. As ``tune.randint``.

    Raises:
        SpaceError: a bound is not an integer, or the range is empty or reversed.
    """
    return _integer_range(lower, upper)


def qrandint(lower: int, upper: int, q: int = 1) -> Integer:
    """Draw a multiple of `q`, uniform among those in ``[lower, upper]``; with ``q=1``, `upper` is not possible. As ``tune.qrandint``.

    Raises:
        SpaceError: as for `randint`; `q` is not an integer above 0, or larger than the range.
    """
    return _integer_range(lower, upper, q=q)


def lograndint(lower: int, upper: int) -> Integer:
    """Draw an integer in ``lower, ..., upper - 1``: a log-uniform float of ``[lower, upper)``, rounded down. As ``tune.lograndint``.

    Raises:
        SpaceError: as for `randint`, or a bound is not above 0.
    """
    return _integer_range(lower, upper, log=True)


def qlograndint(lower: int, upper: int, q: int) -> Integer:
    """Draw a multiple of `q` in ``[lower, upper]``, whose index is drawn as by `lograndint`; with ``q=1``, `upper` is not possible.

    As ``tune.qlograndint``.

    Raises:
        SpaceError: as for `qrandint`, or a bound is not above 0.
    """
    return _integer_range(lower, upper, log=True, q=q)


def randn(mean: float = 0.0, sd: float = 1.0) -> Normal:
    """Draw a float of the normal distribution with `mean` and standard deviation `sd`. As ``tune.randn``.

    The float has as many decimals as tell a millionth of `sd`.

    Raises:
        SpaceError: `mean` or `sd` is not a finite number, or `sd` is not above 0.
    """
    return Normal(*_normal(mean, sd))


def qrandn(mean: float, sd: float, q: float) -> Normal:
    """Draw the multiple of `q` that is nearest to a draw of `randn`. As ``tune.qrandn``.

    Raises:
        SpaceError: as for `randn`, or `q` is not above 0.
    """
    return Normal(*_normal(mean, sd, q), _quantum(call_text("randn", False, mean, sd, q), q))


def _float_range(lower: float, upper: float, log: bool = False, q: float | None = None) -> Float:
    call = call_text("uniform", log, lower, upper, q)
    low, high = _finite(call, "lower", lower), _finite(call, "upper", upper)
    _check_range(call, low, high, log)
    if not math.isfinite(high - low):
        raise SpaceError(f"{call}: the range is wider than the largest float")
    if q is None:
        return Float(low, high, log)
    step = _quantum(call, q)
    if step > high - low and not math.isclose(step, high - low):
        raise SpaceError(f"{call}: q={q!r} is larger than the range: give one of at most {high - low:.6g}")
    return Float(low, high, log, step)


def _integer_range(lower: int, upper: int, log: bool = False, q: int | None = None) -> Integer:
    call = call_text("randint", log, lower, upper, q)
    low, high = _integer(call, "lower", lower), _integer(call, "upper", upper)
    step = 1 if q is None else _integer(call, "q", q)
    _check_range(call, low, high, log)
    if step < 1:
        raise SpaceError(f"{call}: q={q!r} is not above 0")
    if step > high - low:
        raise SpaceError(f"{call}: q={q!r} is larger than the range: give one of at most {high - low}")
    return Integer(low, high, log, step)


def _normal(mean: float, sd: float, q: float | None = None) -> tuple[float, float]:
    call = call_text("randn", False, mean, sd, q)
    if _finite(call, "sd", sd) <= 0:
        raise SpaceError(f"{call}: the standard deviation sd={sd!r} is not above 0")
    return _finite(call, "mean", mean), float(sd)


def _check_range(call: str, low: float, high: float, log: bool) -> None:
    if low == high:
        raise SpaceError(f"{call}: the range is empty, since both bounds are equal: give [{low!r}] for a constant")
    if low > high:
        raise SpaceError(f"{call}: the range is reversed: the lower bound comes first")
    if log and low <= 0:
        raise SpaceError(f"{call}: a logarithmic range is above 0, and the lower bound is {low!r}")


def _finite(call: str, name: str, value: Any) -> float:
    plain = plain_scalar(value)
    if isinstance(plain, bool) or not isinstance(plain, (int, float)) or not math.isfinite(plain):
        raise SpaceError(f"{call}: {name} is {shown(value)}, not a finite number")
    return float(plain)


def _integer(call: str, name: str, value: Any) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise SpaceError(f"{call}: {name} is {shown(value)}, not an integer") from None


def _quantum(call: str, q: Any) -> float:
    step = _finite(call, "q", q)
    if step <= 0:
        raise SpaceError(f"{call}: q={q!r} is not above 0")
    return step
