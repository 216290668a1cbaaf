"""Reads a sweep as it is written: the marker's arguments, checked all at once, and turned into a search space."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sweep.durations import parse_duration
from pytest_sweep.errors import DefinitionError, SpaceError
from pytest_sweep.items.argument_values import CHECKS, names_of, share_of
from pytest_sweep.items.goals import conditions_of, goal_problems, objectives_of
from pytest_sweep.items.searching import max_t_of, scheduler_of, searcher_of
from pytest_sweep.model.retry import RetryOn
from pytest_sweep.model.stop import StopRule
from pytest_sweep.model.trials import Sweep
from pytest_sweep.space import OTHER_ARGUMENTS, Categorical, Choice, Listed, Space, as_space

if TYPE_CHECKING:
    from pytest_sweep.search.settings import SchedulerSettings, SearcherSettings

ARGUMENTS = (
    "average_over", "backoff", "config_arg", "configs", "feasible", "fresh_process", "grid", "ids", "keep_best", "keep_checkpoints",
    "metric", "mode", "num_samples", "points_to_evaluate", "repeats", "retries", "retry_on", "scheduler", "search", "seed", "space", "stop",
    "timeout", "tolerate", "where", "worker_retries",
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
        if given is True:
            objectives = objectives_of(self.arguments)
            return objectives[0].metric if objectives else None
        return given if isinstance(given, str) else None

    @property
    def stop(self) -> tuple[StopRule, ...]:
        """The rules that end a trial early."""
        return tuple(StopRule.parse(metric, rule) for metric, rule in (self.arguments.get("stop") or {}).items())

    @property
    def search(self) -> SearcherSettings | None:
        """What chooses configurations; None where the space alone says what is tried."""
        return searcher_of(self.arguments.get("search"))

    @property
    def scheduler(self) -> SchedulerSettings | None:
        """What stops and pauses trials; None where nothing does."""
        return scheduler_of(self.arguments.get("scheduler"))

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
        if self.search is not None and self.search.name == "qmc":
            given["quasi_random"] = True
        return {**given, "reserved": (*OTHER_ARGUMENTS, self.config_arg)}

    def sweep(self, node_id: str, varying: tuple[str, ...] = ()) -> Sweep:
        """Return the record of this sweep."""
        given, objectives = self.arguments, objectives_of(self.arguments)
        return Sweep(
            id=node_id,
            name=node_id.rpartition("::")[2],  # Not the function's own: a module may know it by another one.
            metric=objectives[0].metric if objectives else None,
            mode=objectives[0].mode if objectives else given.get("mode") or "max",
            stop=self.stop,
            retries=given.get("retries", 0),
            retry_on=RetryOn() if given.get("retry_on") is None else RetryOn.parse(given["retry_on"]),
            backoff=parse_duration(given.get("backoff", 0)),
            worker_retries=given.get("worker_retries", 1),
            timeout=None if given.get("timeout") is None else parse_duration(given["timeout"]),
            tolerate=share_of(given.get("tolerate", 0)) or 0,
            fresh_process=given.get("fresh_process"),
            keep_checkpoints=given.get("keep_checkpoints"),
            keep_best=self.keep_best,
            varying=varying,
            average_over=names_of(given.get("average_over")),
            objectives=objectives if len(objectives) > 1 else (),
            feasible=conditions_of(given),
            search="" if self.search is None or not self.search.needs_slots else self.search.name,
            scheduler="" if self.scheduler is None else self.scheduler.name,
            max_t=max_t_of(self.scheduler, self.stop),
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
    problems += goal_problems(arguments)
    for name, (accepts, wanted) in CHECKS.items():
        if name in arguments and not accepts(arguments[name]):
            problems.append(f"{name}={arguments[name]!r} is not {wanted}")
    return problems


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
