"""Reads what ``@pytest.mark.resources`` asks for at each item."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from pytest_sweep.errors import ResourcesError
from pytest_sweep.items.parametrization import point_of
from pytest_sweep.model.request import Request
from pytest_sweep.space import own_containers


class RequestReader:
    """Reads the requests of items; a mark that many of them share is parsed once."""

    def __init__(self) -> None:
        self._parsed: dict[int, Request] = {}

    def read(self, item: pytest.Function) -> Request:
        """Return what the nearest mark asks for: at the point of the space, then function, class, module.

        Raises:
            ResourcesError: it cannot be; the text names the item.
        """
        point = point_of(item)
        marks = [getattr(mark, "mark", mark) for mark in point.marks]
        mark = next((mark for mark in marks if mark.name == "resources"), None) or item.get_closest_marker("resources")
        if mark is None:
            return Request()
        try:
            if mark.args and point.is_blank:
                raise ResourcesError(
                    "its function asks for the configuration, which a searcher chooses only when a worker is there already: give amounts, "
                    "such as resources(cpu=2, gpu=1), or leave out search="
                )
            if mark.args:
                return Request.parse({**mark.kwargs, **_computed(mark, point.config)})
            if id(mark) not in self._parsed:
                self._parsed[id(mark)] = Request.parse(mark.kwargs)
            return self._parsed[id(mark)]
        except ResourcesError as error:
            raise ResourcesError(f"@pytest.mark.resources of {item.name}: {error}") from error


def _computed(mark: pytest.Mark, config: Mapping[str, object]) -> Mapping[str, object]:
    """Return what the function in the mark wants for this configuration."""
    function: Callable[..., object] | object = mark.args[0]
    if len(mark.args) > 1 or not callable(function):
        raise ResourcesError(
            f"its arguments are named, such as resources(cpu=1, gpu=0.5), or one function of the configuration: "
            f"{', '.join(map(repr, mark.args))} {'is' if len(mark.args) == 1 else 'are'} neither"
        )
    try:
        wanted = function(own_containers(config))
    except Exception as error:
        raise ResourcesError(f"its function raised {type(error).__name__}: {error}") from error
    if not isinstance(wanted, Mapping):
        raise ResourcesError(f"its function returned {wanted!r}, not a dict such as {{'cpu': 2}}")
    return wanted
