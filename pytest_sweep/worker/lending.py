"""What an executor lends to the session in one of its workers. Knows no Ray."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from pytest_sweep.errors import SweepError
from pytest_sweep.model.events import WarningRecorded
from pytest_sweep.model.shared import FailedFixture, SharedFixture
from pytest_sweep.model.trials import Trial
from pytest_sweep.wire.parcel import Parcel

T = TypeVar("T")


class Gang(Protocol):
    """The workers that a trial with ``@pytest.mark.resources(workers=4)`` holds: what ``trial.gang`` gives.

    They are processes of their own, new for each attempt, which start at the first call of `run` and end with the trial.
    """

    @property
    def world_size(self) -> int:
        """How many workers there are."""

    def run(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> list[T]:
        """Call ``function(rank, world_size, *args, **kwargs)`` on every worker at the same time.

        The environment is what torch.distributed expects (https://docs.pytorch.org/docs/stable/elastic/run.html): ``RANK``,
        ``LOCAL_RANK``, ``WORLD_SIZE``, ``LOCAL_WORLD_SIZE``, ``NODE_RANK``, ``MASTER_ADDR`` and ``MASTER_PORT``, which is free on the
        machine of rank 0 and a new one in each call. ``OMP_NUM_THREADS`` and ``CUDA_VISIBLE_DEVICES`` are what the worker was granted.

        What the workers print is printed by the trial when they have ended, each line after its rank.

        Args:
            function: what is called; it, its arguments and what it returns are pickled (cloudpickle).
            args: passed on.
            kwargs: passed on.

        Returns:
            what the calls have returned, in the order of the ranks.

        Raises:
            Exception: what the first call to fail has raised, from a GangError that says where. The other workers are ended.
            GangError: a worker has died.
        """

    def close(self) -> None:
        """End the workers."""


class Lender:
    """Lends what a session needs of its executor; this one has no gangs, and shared fixtures only as parcels."""

    def __init__(self) -> None:
        self._offers: dict[str, Any] = {}
        self._fetched: dict[str, Parcel] = {}

    def offer(self, offers: Mapping[str, Any]) -> None:
        """Take shared fixtures, by id: where their values are, as the executor names it, or how they have failed."""
        self._offers.update(offers)

    def prepare(self, fixtures: Iterable[str]) -> str:
        """Fetch the shared fixtures of a trial that is about to begin; return the id of the first that is lost, or ""."""
        for ident in fixtures:
            offer = self._offers.get(ident)
            if offer is None:
                return ident
            # What the session has once it keeps, also where it was built again.
            if ident not in self._fetched and not isinstance(offer, FailedFixture):
                parcel = self.fetch(offer)
                if parcel is None:
                    return ident
                self._fetched[ident] = parcel
        return ""

    def fetch(self, offer: Any) -> Parcel | None:
        """Return the value that an offer names; None where it is lost."""
        assert isinstance(offer, Parcel)
        return offer

    def shared(self, fixture: str) -> Parcel | FailedFixture | None:
        """Return the value of a shared fixture, or how it has failed; None where no trial that names it has begun here."""
        offer = self._offers.get(fixture)
        return offer if isinstance(offer, FailedFixture) else self._fetched.get(fixture)

    def gang(self, trial: Trial) -> Gang:
        """Return the gang of a trial that begins now.

        Raises:
            SweepError: it has none.
        """
        __tracebackhide__ = True
        raise SweepError(f"{trial.name} has no gang: ask for one with @pytest.mark.resources(workers=4)")


def death_of_builder(fixture: SharedFixture, cause: str, stacks: str) -> FailedFixture:
    """Return what trials are told of a shared fixture whose process has died of building it."""
    shown = f"{stacks}\n" if stacks else ""
    return FailedFixture(f"{shown}{fixture} cannot be had: the process that built it died: {cause}")


def unwatched_death(fixture: SharedFixture, cause: str) -> WarningRecorded:
    """Return what is said of a shared fixture whose process has died after it had built it: its value is there, and used."""
    text = f"the process that had built {fixture} died ({cause}): it is not torn down"
    return WarningRecorded(text, "pytest:PytestWarning", fixture.place, 0, "runtest", fixture.sweep, None)
