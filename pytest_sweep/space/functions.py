"""Values that a function works out from the rest of the configuration, and in which order the functions are called."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from pytest_sweep.errors import SpaceError
from pytest_sweep.space.axes import Path, dotted
from pytest_sweep.space.display import shown
from pytest_sweep.space.domains import Function
from pytest_sweep.space.entropy import Entropy
from pytest_sweep.space.nesting import flatten
from pytest_sweep.space.points import Choice
from pytest_sweep.space.templates import check_drawn


def sample_from(function: Callable[..., Any]) -> Function:
    """Draw a value with a function of your own. As ``tune.sample_from``.

    Args:
        function: takes nothing, the configuration, or the configuration and a ``random.Random``; returns the value. The
            configuration holds the listed values, what was drawn, and what other functions of ``sample_from`` return, in whatever
            order they need each other; not yet what is derived.

    The draw is repeatable: the ``random.Random`` is seeded for it, and so are the module ``random`` and, where it is imported,
    ``numpy.random`` while the function runs.

    Raises:
        SpaceError: it is no function, or takes other arguments.
    """
    arguments = _arguments("sample_from", function, (1, 0, 2))
    return Function(function, arguments)


def derived(function: Callable[[Mapping[str, Any]], Any]) -> Function:
    """Work a value out from the rest of the configuration, after everything else is known.

    Args:
        function: takes the configuration, as a nested dict, and returns the value. It may look at other derived values, if they do
            not depend on it.

    Raises:
        SpaceError: it is no function of one argument. That it depends on itself is told when the sweep is collected.
    """
    return Function(function, _arguments("derived", function, (1,)), last=True)


def work_out(
    functions: Sequence[tuple[Path, Function]], config: Mapping[str, Any], entropy: Callable[[Path], Entropy]
) -> dict[Path, Any]:
    """Return what the functions return, by path; `config` has everything else.

    Raises:
        SpaceError: functions that need each other, or one that fails.
    """
    found: dict[Path, Any] = {}
    stages = [[pair for pair in functions if pair[1].last is last] for last in (False, True)]
    unknown = dict.fromkeys(path for path, _ in functions)  # no set, whose order differs between processes
    for stage in filter(None, stages):
        waiting = dict(stage)
        while waiting:
            needed: dict[Path, Path] = {}
            before = len(found)
            for path, function in list(waiting.items()):
                partial = _partial(config, found, unknown, waiting.keys() - {path})
                try:
                    found[path] = _called(path, function, partial, entropy(path))
                except _UnknownYetError as error:
                    needed[path] = error.path
                    continue
                del waiting[path]
                del unknown[path]
            if len(found) == before:
                raise SpaceError(_knot(needed))
    return found


class _UnknownYetError(BaseException):
    """A function looked at a value that is not worked out yet. No Exception: ``except Exception`` in the function lets it pass."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path


class _Partial(dict[str, Any]):
    """A level of a configuration in which some values are still unknown: whoever looks at one has to wait for it."""

    def __init__(self, known: Mapping[str, Any]) -> None:
        super().__init__(known)
        self.unknown: dict[str, Path] = {}
        self.waits: list[Path] = []  # the unknown ones for which also those wait who look at all of the level

    def __missing__(self, key: str) -> Any:
        if key in self.unknown:
            raise _UnknownYetError(self.unknown[key])
        raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return key in self.unknown or super().__contains__(key)

    def __iter__(self) -> Iterator[str]:
        if self.waits:
            raise _UnknownYetError(self.waits[0])
        return super().__iter__()

    def get(self, key: str, default: Any = None) -> Any:
        return self[key] if key in self else default  # noqa: SIM401 - this is that method

    def keys(self) -> Any:
        iter(self)
        return super().keys()

    def values(self) -> Any:
        iter(self)
        return super().values()

    def items(self) -> Any:
        iter(self)
        return super().items()


def _partial(
    config: Mapping[str, Any], found: Mapping[Path, Any], unknown: Collection[Path], waits: Collection[Path]
) -> _Partial:
    partial = _Partial(config)
    for path in (*found, *unknown):
        level = partial
        for key in path[:-1]:
            if not isinstance(dict.get(level, key), _Partial):
                level[key] = _Partial(dict.get(level, key, {}))
            level = level[key]
        if path in found:
            value = found[path]
            level[path[-1]] = value.value if isinstance(value, Choice) else value
        else:
            level.unknown[path[-1]] = path
            level.waits += [path] if path in waits else []
    return partial


def _called(path: Path, function: Function, config: _Partial, entropy: Entropy) -> Any:
    try:
        value = function.call(config, entropy)
    except Exception as error:
        there = ", ".join(sorted({*flatten(dict.copy(config)), *config.unknown}))
        raise SpaceError(
            f"the function of {dotted(path)!r} failed: {type(error).__name__}: {error}; the configuration has {there}"
        ) from error
    try:
        check_drawn(value.value if isinstance(value, Choice) else value)
    except SpaceError as error:
        raise SpaceError(f"what the function of {dotted(path)!r} returned: {error}") from error
    return value


def _knot(needed: Mapping[Path, Path]) -> str:
    path, other = next(iter(needed.items()))
    name = dotted(path)
    if other == path:
        return f"the function of {name!r} looks at {name!r} itself: a value cannot be worked out from itself"
    if other not in needed:
        return (
            f"the function of {name!r} looks at {dotted(other)!r}, which is derived and so worked out last: "
            f"make {name!r} derived, too"
        )
    told = ", and ".join(f"that of {dotted(one)!r} looks at {dotted(two)!r}" for one, two in needed.items())
    return f"these functions wait for each other: {told}. One of them must do without the other"


def _arguments(name: str, function: object, allowed: Sequence[int]) -> int:
    if not callable(function):
        raise SpaceError(f"{name}() takes a function such as lambda config: 2 * config['depth'], not {shown(function)}")
    signature = inspect.signature(function)
    for count in allowed:
        try:
            signature.bind(*range(count))
        except TypeError:
            continue
        return count
    wanted = (
        "nothing, the configuration, or the configuration and a random.Random" if 2 in allowed else "the configuration"
    )
    raise SpaceError(f"{name}() takes a function of {wanted}, not {shown(function)}, whose arguments are {signature}")
