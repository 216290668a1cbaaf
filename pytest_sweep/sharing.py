"""The decorator ``@shared``: a note on a fixture's function. Checks nothing; collection does, where it knows the fixture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, overload

from pytest_sweep.errors import DefinitionError

if TYPE_CHECKING:
    from typing_extensions import Unpack

F = TypeVar("F", bound=Callable[..., Any])

_NOTE = "_sweep_shared"


class SharedArguments(TypedDict, total=False):
    """The arguments of `shared`."""

    cpu: float
    memory: int | str
    custom: Mapping[str, float]
    labels: Mapping[str, str]


@overload
def shared(fixture: F, /) -> F: ...


@overload
def shared(**resources: Unpack[SharedArguments]) -> Callable[[F], F]: ...


def shared(fixture: Any = None, /, **resources: Unpack[SharedArguments]) -> Any:
    """Have a session-scoped fixture built once for the whole run, for all trials that use it; above or below ``@pytest.fixture``.

    It is built in a process of its own, which lives on until the last trial has ended, and then tears it down. Trials get its value
    through shared memory, where it is made of buffers (numpy arrays, which are read-only; Arrow tables), and else as a copy for
    each worker. Without ``--sweep``, and for ordinary tests, it is a fixture like any other.

    Args:
        fixture: the fixture, where nothing is asked for.
        resources: what its process holds while it builds the value, and gives back then: ``cpu`` (default 1), ``memory``, ``custom``,
            ``labels``, as in ``@pytest.mark.resources``.

    A fixture of another scope, one that is parametrized, and resources that cannot be are errors of collection, which name the fixture.

    Raises:
        DefinitionError: it does not decorate a function or a fixture.
    """

    def decorate(decorated: Any) -> Any:
        __tracebackhide__ = True
        # What pytest.fixture returns wraps the function, which is what pytest itself keeps.
        function = decorated if _is_function(decorated) else getattr(decorated, "__wrapped__", None)
        if not _is_function(function):
            raise DefinitionError(
                f"@shared decorates a fixture, not {decorated!r}: write it above @pytest.fixture(scope='session')"
            )
        setattr(function, _NOTE, dict(resources))
        return decorated

    return decorate if fixture is None else decorate(fixture)


def shared_arguments(function: object) -> Mapping[str, Any] | None:
    """Return what `shared` was given for a fixture's function; None where the fixture is not shared."""
    note = getattr(function, _NOTE, None)
    return note if isinstance(note, dict) else None


def _is_function(it: object) -> bool:
    return hasattr(it, "__code__")
