"""Reads a sweep as it is written: the marker's arguments, checked all at once, and turned into a search space."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import pytest

from pytest_sweep.durations import parse_duration
from pytest_sweep.errors import DefinitionError, SpaceError
from pytest_sweep.model.retry import RetryOn
from pytest_sweep.model.stop import StopRule
from pytest_sweep.model.trials import Sweep
from pytest_sweep.space import OTHER_ARGUMENTS, Categorical, Choice, Listed, Space, as_space

ARGUMENTS = (
    "average_over", "backoff", "config_arg", "configs", "fresh_process", "grid", "ids", "keep_best", "keep_checkpoints", "metric", "mode",
    "num_samples", "repeats", "retries", "retry_on", "seed", "space", "stop", "timeout", "tolerate", "where", "worker_retries",
)  # fmt: skip

_ParameterSet = type(pytest.param(None))


@dataclass(frozen=True)
class SweepDefinition:
    """A sweep before it is expanded. `arguments` are those of the marker, by name."""

    function: Callable[..., Any]
    arguments: Mapping[str, Any] = field(repr=False)

    @property
    def config_arg(self) -> str:
        """The argument that gets the whole configuration."""
        return str(self.arguments.get("config_arg", "config"))

    @property
    def seed(self) -> int | None:
        """The seed of the sweep; None leaves it to the run."""
        return self.arguments.get("seed")

    @property
    def keep_best(self) -> str | None:
        """The metric by which checkpoints are kept, or None."""
        given = self.arguments.get("keep_best")
        metric = self.arguments.get("metric") if given is True else given
        return metric if isinstance(metric, str) else None

    def space(self) -> Space:
        """Return the search space, with each ``pytest.param`` in it as a Choice.

        Raises:
            SpaceError: a ``pytest.param`` of several values; the text does not name the sweep.
        """
        given = self.arguments
        if "configs" in given:
            configs = given["configs"]
            return Listed([_choice(config) for config in configs] if isinstance(configs, (list, tuple)) else configs)
        parts = [as_space(given[name]) for name in ("grid", "space") if name in given]
        whole = parts[0] * parts[1] if len(parts) > 1 else parts[0]
        return whole.changed(lambda _, axis: _choices(axis))

    def expansion(self) -> dict[str, Any]:
        """Return the arguments of `space.expand` that the sweep itself gives."""
        given = {
            name: self.arguments[name] for name in ("ids", "num_samples", "repeats", "where") if name in self.arguments
        }
        return {**given, "reserved": (*OTHER_ARGUMENTS, self.config_arg)}

    def sweep(self, node_id: str, varying: tuple[str, ...] = ()) -> Sweep:
        """Return the record of this sweep."""
        given = self.arguments
        return Sweep(
            id=node_id,
            name=node_id.rpartition("::")[2],  # Not the function's own: a module may know it by another one.
            metric=given.get("metric"),
            mode=given.get("mode") or "max",
            stop=tuple(StopRule.parse(metric, rule) for metric, rule in (given.get("stop") or {}).items()),
            retries=given.get("retries", 0),
            retry_on=RetryOn() if given.get("retry_on") is None else RetryOn.parse(given["retry_on"]),
            backoff=parse_duration(given.get("backoff", 0)),
            worker_retries=given.get("worker_retries", 1),
            timeout=None if given.get("timeout") is None else parse_duration(given["timeout"]),
            tolerate=_share(given.get("tolerate", 0)) or 0,
            fresh_process=given.get("fresh_process"),
            keep_checkpoints=given.get("keep_checkpoints"),
            keep_best=self.keep_best,
            varying=varying,
            average_over=_names(given.get("average_over")),
        )


def unwrapped(candidate: Any) -> Any:
    """Return the function in a static method or a class method, as pytest does; anything else as it is."""
    return candidate.__func__ if isinstance(candidate, (staticmethod, classmethod)) else candidate


def is_sweep(candidate: object) -> bool:
    """Say whether `candidate` is a function with the mark of a sweep."""
    candidate = unwrapped(candidate)
    # Only then its marks: `mock.call` and the like have every attribute, and a true one.
    if not inspect.isfunction(candidate):
        return False
    return any(mark.name == "sweep" for mark in _own_marks(candidate))


def read_definition(function: Callable[..., Any]) -> SweepDefinition:
    """Return the sweep that is written on `function`.

    Raises:
        DefinitionError: unknown or contradictory arguments, or two sweeps; the text does not name the function.
    """
    marks = [mark for mark in _own_marks(function) if mark.name == "sweep"]
    if len(marks) > 1:
        raise DefinitionError(
            "it has two @sweep decorators: a function is one sweep. Join the grids into one, or add the second dimension "
            "with @pytest.mark.parametrize"
        )
    arguments = dict(marks[0].kwargs)
    if len(marks[0].args) > 1 or (marks[0].args and "grid" in arguments):
        raise DefinitionError("sweep() takes one positional argument, the grid; the others are named")
    if marks[0].args:
        arguments["grid"] = marks[0].args[0]
    problems = _problems(arguments)
    if problems:
        raise DefinitionError("; ".join(problems))
    return SweepDefinition(function, arguments)


def _problems(arguments: Mapping[str, Any]) -> list[str]:
    problems = []
    for name in sorted(set(arguments) - set(ARGUMENTS)):
        near = difflib.get_close_matches(name, ARGUMENTS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(ARGUMENTS)}"
        problems.append(f"sweep() has no argument {name!r}: {hint}")
    spaces = [name for name in ("grid", "space") if name in arguments]
    if "configs" in arguments and spaces:
        problems.append(f"{spaces[0]}= and configs= contradict each other: give one of them")
    if "configs" not in arguments and not spaces and not problems:
        problems.append("it has nothing to try: give grid={...}, space={...} or configs=[{...}, ...]")
    if arguments.get("keep_best") is True and arguments.get("metric") is None:
        problems.append(
            "keep_best=True means the sweep's metric, and it has none: give metric=, or name one in keep_best="
        )
    problems += _goal_problems(arguments)
    for name, (accepts, wanted) in _CHECKS.items():
        if name in arguments and not accepts(arguments[name]):
            problems.append(f"{name}={arguments[name]!r} is not {wanted}")
    return problems


def _goal_problems(arguments: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with ``metric``, ``mode`` and ``keep_best`` together: no mode is meant by silence, as in Tune."""
    metric, mode, keep_best = (arguments.get(name) for name in ("metric", "mode", "keep_best"))
    named = next((name for name in ("metric", "keep_best") if isinstance(arguments.get(name), str)), None)
    if named is not None and mode is None:
        what = f"{named}={arguments[named]!r}"
        return [f"{what} needs mode=: give mode='min' if lower values are better, or mode='max' if higher ones are"]
    if mode is not None and metric is None and keep_best is None:
        return [
            f"mode={mode!r} says which value of a metric is best, and there is no metric: give metric=, or leave out mode="
        ]
    return []


def _names(value: Any) -> tuple[str, ...]:
    """Return the names that ``average_over=`` gives: a list of them, or a single one."""
    return () if value is None else (value,) if isinstance(value, str) else tuple(dict.fromkeys(value))


def _are_names(value: Any) -> bool:
    return (
        value is None
        or isinstance(value, str)
        or (isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value))
    )


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 1


def _is_number(value: Any) -> bool:
    return type(value) is int and value >= 0


_DURATION = "a number of seconds or a text such as '10s' or '5m'"


def _is_duration(value: Any) -> bool:
    try:
        parse_duration(value)
    except ValueError:
        return False
    return True


def _share(value: Any) -> int | Fraction | None:
    """Return how many failures ``tolerate=value`` allows: a count, or a share below 1; None where it makes no sense."""
    if type(value) is int and value >= 0:
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", value) if isinstance(value, str) else None
    # Not a float, of which 0.29 * 100 is less than 29.
    share = None if match is None else Fraction(match[1]) / 100
    return share if share is None or share < 1 else None


_CHECKS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "average_over": (_are_names, "a list of names such as ['fold']"),
    "metric": (lambda value: value is None or isinstance(value, str), "the name of a metric"),
    "mode": (lambda value: value in (None, "min", "max"), "'min' or 'max'"),
    "stop": (lambda value: value is None or isinstance(value, Mapping), "a dict such as {'loss': '< 0.1'}"),
    "num_samples": (_is_count, "a number of samples, 1 or more"),
    "repeats": (_is_count, "a number of repeats, 1 or more"),
    "seed": (lambda value: value is None or type(value) is int, "a whole number, or None for the run's seed"),
    "retries": (_is_number, "a number of retries, 0 or more"),
    "backoff": (_is_duration, _DURATION),
    "worker_retries": (_is_number, "a number of retries, 0 or more"),
    "timeout": (
        lambda value: value is None or (_is_duration(value) and parse_duration(value) > 0),
        f"{_DURATION} above 0, or None",
    ),
    "tolerate": (
        lambda value: _share(value) is not None,
        "a number of trials such as 3, or a share of them such as '5%'",
    ),
    "fresh_process": (lambda value: value is None or isinstance(value, bool), "True, False or None"),
    "keep_checkpoints": (
        lambda value: value is None or _is_count(value),
        "a number of checkpoints, 1 or more, or None",
    ),
    "keep_best": (
        lambda value: value is None or isinstance(value, (bool, str)),
        "the name of a metric, True for the sweep's, or None",
    ),
    "config_arg": (lambda value: isinstance(value, str) and value.isidentifier(), "the name of an argument"),
}


def _own_marks(function: Callable[..., Any]) -> list[pytest.Mark]:
    marks = getattr(function, "pytestmark", [])
    found = [getattr(mark, "mark", mark) for mark in (marks if isinstance(marks, list) else [marks])]
    return [mark for mark in found if isinstance(mark, pytest.Mark)]


def _choices(axis: Any) -> Any:
    """Return an axis with each ``pytest.param`` in its list as a Choice."""
    if isinstance(axis, Categorical):
        return replace(axis, categories=tuple(map(_choice, axis.categories)))
    if isinstance(axis, _ParameterSet):
        return _choice(axis)  # A tuple itself, which would pass for an axis of three values.
    return [_choice(value) for value in axis] if isinstance(axis, (list, tuple)) else axis


def _choice(value: Any) -> Any:
    if not isinstance(value, _ParameterSet):
        _refuse_parameter_sets(value)
        return value
    for part in value.values:
        _refuse_parameter_sets(part)
    if len(value.values) != 1:
        raise SpaceError(f"{value!r} has {len(value.values)} values: pytest.param takes one in a search space")
    return Choice(value.values[0], value.id if isinstance(value.id, str) else None, tuple(value.marks))


def _refuse_parameter_sets(value: Any) -> None:
    """Raise SpaceError if a ``pytest.param`` is within a value, where it would reach the trial as it is."""
    entries: Any = ()
    if isinstance(value, Mapping):
        entries = value.values()
    elif isinstance(value, (list, tuple)):
        entries = value
    elif isinstance(value, Categorical):
        entries = value.categories
    for entry in entries:
        if isinstance(entry, _ParameterSet):
            raise SpaceError(
                f"{entry!r} is within the value {value!r}: put pytest.param around a whole value of an axis, or around a whole "
                "configuration"
            )
        _refuse_parameter_sets(entry)
