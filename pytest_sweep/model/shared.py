"""A fixture that is built once for all trials of a run. Knows neither pytest nor Ray."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_sweep.errors import ResourcesError
from pytest_sweep.model.placement import Placement
from pytest_sweep.model.request import Request
from pytest_sweep.model.resources import Resources

_FORBIDDEN = {
    "gpu": "its value travels through memory, where no GPU is: let each trial move it to its own",
    "workers": "one process builds it",
    "strategy": "one process builds it",
    "nodes": "one process builds it",
}


@dataclass(frozen=True, slots=True)
class SharedFixture:
    """A fixture with ``@shared`` that trials use.

    Attributes:
        id: tells it from all others, the same in the driver and in workers.
        name: what trials ask for it by.
        place: where it is written: ``conftest.py``.
        sweep: the node id of a sweep that sees it.
        resources: what is held while it is built.
        placement: the labels that its node must have.
        needs: the ids of the shared fixtures that it uses itself.
    """

    id: str
    name: str
    place: str
    sweep: str
    resources: Resources = Resources()
    placement: Placement = Placement()
    needs: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"the shared fixture {self.name!r} of {self.place}"


def shared_request(arguments: Mapping[str, object]) -> Request:
    """Return what ``@shared(**arguments)`` asks for.

    Raises:
        ResourcesError: a name that does not exist or makes no sense here, or an amount that cannot be.
    """
    for name, why in _FORBIDDEN.items():
        if name in arguments:
            raise ResourcesError(f"{name}={arguments[name]!r} is not for a shared fixture: {why}")
    return Request.parse(arguments)


@dataclass(frozen=True, slots=True)
class FailedFixture:
    """A shared fixture that could not be built: what every trial that uses it is told.

    Attributes:
        text: why, in words.
        report: pytest's serialized report of its set-up, pickled; None where the text says all.
        is_skip: whether it was skipped instead.
    """

    text: str
    report: bytes | None = None
    is_skip: bool = False


@dataclass(frozen=True, slots=True)
class SharedBuilding:
    """A shared fixture is being built: its resources are granted. `place` is the address of its node."""

    fixture: str
    place: str


@dataclass(frozen=True, slots=True)
class SharedReady:
    """A shared fixture can be had; or has failed for good, which trials that use it are told."""

    fixture: str


@dataclass(frozen=True, slots=True)
class SharedLost:
    """The node of a shared fixture is gone, or what it was to be built from: it has to be built again.

    Attributes:
        is_built: whether it is known only that it had been built: it may be on its way again.
    """

    fixture: str
    is_built: bool = False


@dataclass(frozen=True, slots=True)
class SharedStopped:
    """A shared fixture was torn down as asked, and its process is gone."""

    fixture: str


SharedEvent = SharedBuilding | SharedReady | SharedLost | SharedStopped
