"""Search spaces of other libraries: Ray Tune's are taken, others are refused with what to write. Imports none of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pytest_sweep.errors import SpaceError
from pytest_sweep.space import sampling
from pytest_sweep.space.display import shown
from pytest_sweep.space.domains import Domain, Function

_OTHERS = ("ConfigSpace", "hyperopt", "nevergrad", "optuna", "skopt")
_OURS = "uniform, loguniform, randint, choice and others"


def is_grid_search(written: object) -> bool:
    """Say whether `written` is what ``tune.grid_search([...])`` returns: ``{"grid_search": [...]}``."""
    return type(written) is dict and len(written) == 1 and isinstance(written.get("grid_search"), (list, tuple))


def foreign_domain(written: object) -> Domain | None:
    """Return the domain that one of Ray Tune's stands for; None for what is no domain of another library.

    Raises:
        SpaceError: a domain of another library, or one of Tune's that has no equivalent.
    """
    kind = type(written)
    library = kind.__module__.partition(".")[0]
    if library == "ray" and kind.__module__ == "ray.tune.search.sample":
        return _of_tune(written)
    if library in _OTHERS or (library == "scipy" and kind.__name__.startswith("rv_")):
        raise SpaceError(f"{shown(written)} is a distribution of {library}: {_advice(written)}")
    return None


def _of_tune(written: Any) -> Domain:
    kind = type(written).__name__
    if kind == "Categorical":
        return sampling.choice(list(written.categories))
    if kind == "Function":
        return Function(written.func, 1 if written.pass_config else 0)
    sampler = written.get_sampler()
    quantized = type(sampler).__name__ == "Quantized"
    inner = type(sampler.get_sampler() if quantized else sampler).__name__.lstrip("_")
    names = {
        ("Float", "Uniform"): "uniform",
        ("Float", "LogUniform"): "loguniform",
        ("Float", "Normal"): "randn",
        ("Integer", "Uniform"): "randint",
        ("Integer", "LogUniform"): "lograndint",
    }
    name = names.get((kind, inner))
    if name is None:
        raise SpaceError(
            f"{shown(written)} of Ray Tune has no equivalent: write {_OURS}, after `from pytest_sweep import ...`"
        )
    normal = sampler.get_sampler() if quantized else sampler
    bounds = (normal.mean, normal.sd) if inner == "Normal" else (written.lower, written.upper)
    make: Callable[..., Domain] = getattr(sampling, f"q{name}" if quantized else name)
    return make(*bounds, *((sampler.q,) if quantized else ()))


def _advice(written: Any) -> str:
    call = _call(written)
    if call is None:
        return f"write {_OURS}, after `from pytest_sweep import ...`"
    return f"write {call}, after `from pytest_sweep import {call.partition('(')[0]}`"


def _call(written: Any) -> str | None:
    """Return the call of ours that draws as a distribution of Optuna does; None where there is none."""
    kind, given = type(written).__name__, getattr(written, "__dict__", {})
    get: Mapping[str, Any] = {name.lstrip("_"): value for name, value in given.items()}
    if kind == "CategoricalDistribution":
        return f"choice({list(get['choices'])!r})"
    if not {"low", "high", "log", "step"} <= get.keys():
        return None
    low, high, log, step = get["low"], get["high"], "log" if get["log"] else "", get["step"]
    if kind == "IntDistribution":
        return f"q{log}randint({low!r}, {high!r}, {step!r})" if step != 1 else f"{log}randint({low!r}, {high + 1!r})"
    if kind == "FloatDistribution":
        return f"{log}uniform({low!r}, {high!r})" if step is None else f"q{log}uniform({low!r}, {high!r}, {step!r})"
    return None
