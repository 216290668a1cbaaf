"""What there is to choose in a space: which of its axes are drawn from. Knows no searcher."""

from __future__ import annotations

from typing import Any

from pytest_sweep.space.axes import Path, dotted
from pytest_sweep.space.composition import Space
from pytest_sweep.space.domains import Function, RandomDomain
from pytest_sweep.space.templates import as_domain, drawable


def searched_axes(space: Space) -> list[str]:
    """Return the dotted keys of the axes whose values are drawn, each once; what functions work out is not among them."""
    found: dict[str, None] = {}

    def note(path: Path, axis: Any) -> Any:
        if _is_drawn(axis):
            found[dotted(path)] = None
        return axis

    space.changed(note)
    return list(found)


def _is_drawn(axis: Any) -> bool:
    domain = as_domain(axis)
    if domain is not None:
        return not isinstance(domain, Function)
    if not isinstance(axis, (list, tuple)):
        return False
    drawn = (drawable(value) for value in axis)
    return any(isinstance(domain, RandomDomain) for domain in drawn)
