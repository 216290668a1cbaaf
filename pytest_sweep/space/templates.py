"""Values with domains in them: where domains may be, and how such a value is drawn. Knows neither axes nor configurations."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from pytest_sweep.errors import SpaceError
from pytest_sweep.space.display import shown
from pytest_sweep.space.domains import Categorical, Domain, Function, RandomDomain, Written
from pytest_sweep.space.entropy import Entropy
from pytest_sweep.space.foreign import foreign_domain, is_grid_search
from pytest_sweep.space.points import Choice
from pytest_sweep.space.strategies import StrategyDomain, is_strategy

_SCALARS = frozenset({str, int, float, bool, bytes, complex, type(None)})
_PLAIN = _SCALARS | {list, tuple, dict, range}

Draw = Callable[[Domain, str], Any]
"""Gets a domain and the place of it within a value, and returns what is drawn there."""


def as_domain(written: object) -> Domain | None:
    """Return the domain that is written here, a strategy of hypothesis and a domain of Ray Tune included; None for anything else.

    Raises:
        SpaceError: a distribution of a library whose distributions are not taken.
    """
    if type(written) in _PLAIN:
        return None
    if isinstance(written, Domain):
        return written
    return StrategyDomain(written) if is_strategy(written) else foreign_domain(written)


def drawable(written: object) -> Domain | None:
    """Return the domain from which `written`, a value or a `Choice`, is drawn as a whole; None where nothing in it is drawn.

    Raises:
        SpaceError: it holds a domain where none can be drawn, or something else that belongs around a value.
    """
    value = written.value if isinstance(written, Choice) else written
    if type(value) in _SCALARS:
        return None
    found = list(_domains(value, ""))
    if not found:
        return None
    if len(found) == 1 and (domain := as_domain(written)) is not None:
        return domain
    with_functions = any(isinstance(domain, Function) for domain in found)
    return FilledFunction.of(written, found) if with_functions else Template(written)


def check_no_grid_search(value: object) -> None:
    """Raise SpaceError if a value is what ``tune.grid_search`` returns, which is an axis."""
    if is_grid_search(value):
        raise SpaceError(
            f"{shown(value)} is a grid_search of Ray Tune within a value: give it as an axis, grid={{'lr': tune.grid_search([...])}}, "
            "or write the values out"
        )


def check_drawn(value: object) -> None:
    """Raise SpaceError if there is a domain in a value that a trial would get."""
    if type(value) not in _SCALARS:
        for domain in _domains(value, ""):
            raise SpaceError(f"{shown(value)} is, or holds, {domain!r}: return a value, not what to draw it from")


@dataclass(frozen=True, repr=False)
class Template(RandomDomain):
    """A value, or a `Choice`, in which domains are drawn."""

    written: Any

    def draw(self, entropy: Entropy) -> Any:
        """Return the value with what was drawn."""
        return _filled(self.written, lambda domain, place: _drawn(domain, entropy.part(place)))

    @property
    def skeleton(self) -> Any:
        """What tells the value from others, whatever its domains are."""
        return _filled(self.written, lambda *_: ("drawn",))

    def __repr__(self) -> str:
        return repr(self.written)


@dataclass(frozen=True, repr=False)
class FilledFunction(Function):
    """The same for a value in which a function is called as well."""

    written: Any = None

    @classmethod
    def of(cls, written: Any, domains: list[Domain]) -> FilledFunction:
        """Return it for a value that holds these `domains`."""
        return cls(id, 1, any(isinstance(domain, Function) and domain.last for domain in domains), written)

    def call(self, config: Mapping[str, Any], entropy: Entropy) -> Any:
        """Return the value with what was drawn, and what functions made of the configuration."""

        def draw(domain: Domain, place: str) -> Any:
            part = entropy.part(place)
            return domain.call(config, part) if isinstance(domain, Function) else _drawn(domain, part)

        return _filled(self.written, draw)

    @property
    def skeleton(self) -> Any:
        """As for a `Template`."""
        return _filled(self.written, lambda *_: ("drawn",))

    def __repr__(self) -> str:
        return repr(self.written)


def _drawn(domain: Domain, entropy: Entropy) -> Any:
    assert isinstance(domain, RandomDomain)
    return domain.draw(entropy)


def _filled(value: Any, draw: Draw, place: str = "") -> Any:
    if isinstance(value, Choice):
        return dataclasses.replace(value, value=_filled(value.value, draw, place))
    if type(value) in _SCALARS:
        return value
    domain = as_domain(value)
    if domain is not None:
        found = draw(domain, place)
        # What is chosen of several may hold domains itself.
        return _filled(found, draw, f"{place}/chosen") if isinstance(domain, Categorical) else found
    if type(value) is dict:
        return {key: _filled(entry, draw, f"{place}/{key!r}") for key, entry in value.items()}
    if isinstance(value, (list, tuple)) and _is_walked(value):
        entries = [_filled(entry, draw, f"{place}/{index}") for index, entry in enumerate(value)]
        return value._make(entries) if hasattr(value, "_make") else type(value)(entries)
    return value


def _is_walked(value: object) -> bool:
    """Say whether domains are drawn in a container: a dict, a list, a tuple or a named tuple."""
    return type(value) in (dict, list, tuple) or (isinstance(value, tuple) and hasattr(value, "_make"))


def _domains(value: Any, place: str) -> Iterator[Domain]:
    """Yield the domains in a value, those in what a domain chooses from included.

    Raises:
        SpaceError: a domain or the like is where it cannot be drawn.
    """
    if type(value) in _SCALARS:
        return
    domain = as_domain(value)
    if domain is not None:
        yield domain
        if isinstance(domain, Categorical):
            for category in domain.categories:
                yield from _domains(category.value if isinstance(category, Choice) else category, place)
        return
    where = f" at {place.lstrip('.')!r}" if place else ""
    check_no_grid_search(value)
    if isinstance(value, (Written, Choice)):
        raise SpaceError(
            f"a value holds {shown(value)}{where}, which is no value: join grids with + and *, and list values in an axis"
        )
    walked = _is_walked(value)
    for step, entry in _entries(value):
        for found in _domains(entry, f"{place}.{step}"):
            if not walked:
                kind = type(value).__name__
                raise SpaceError(
                    f"{shown(value)}{where} holds {found!r}: values are drawn in dicts, lists and tuples, not in a {kind}. Draw the "
                    f"parts, and make the {kind} of them with sample_from() or in the trial"
                )
            yield found


def _entries(value: Any) -> Iterator[tuple[object, Any]]:
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, (list, tuple)):
        yield from enumerate(value)
    elif isinstance(value, AbstractSet):
        yield from ((type(entry).__name__, entry) for entry in value)
    elif isinstance(value, functools.partial):
        yield from enumerate(value.args)
        yield from value.keywords.items()
    elif not isinstance(value, type) and (dataclasses.is_dataclass(value) or hasattr(type(value), "__attrs_attrs__")):
        yield from getattr(value, "__dict__", {}).items()
