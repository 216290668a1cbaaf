"""What ``@pytest.mark.resources`` asks for, read strictly. Knows neither pytest nor Ray."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_sweep.errors import ResourcesError
from pytest_sweep.model.placement import Placement
from pytest_sweep.model.resources import Resources

_NAMES = ("cpu", "gpu", "memory", "custom", "labels", "workers", "strategy", "nodes")


@dataclass(frozen=True, slots=True)
class Request:
    """What a trial asks for.

    Attributes:
        resources: the amounts; in a gang, those of each worker.
        placement: where it may run, and on how many workers.
    """

    resources: Resources = Resources()
    placement: Placement = Placement()

    @classmethod
    def parse(cls, arguments: Mapping[str, object]) -> Request:
        """Return what ``@pytest.mark.resources(**arguments)`` asks for.

        Raises:
            ResourcesError: a name that does not exist, an amount that is negative or cannot be parsed, a gang that cannot be; all of
                them at once.
        """
        problems = [_unknown(str(name)) for name in arguments if name not in _NAMES]
        resources = Resources.parse(arguments, problems)
        placement = Placement.parse(arguments, problems)
        if problems:
            raise ResourcesError("; ".join(problems))
        return cls(resources, placement)


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, _NAMES, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(_NAMES)}; others go into custom={{...}}"
    return f"{name!r} is not a resource: {hint}"
