"""What an executor lends to the session in one of its workers. Knows no Ray."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from pytest_sweep.errors import SweepError
from pytest_sweep.model.trials import Trial

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
    """Lends what a session needs of its executor; this one has nothing."""

    def gang(self, trial: Trial) -> Gang:
        """Return the gang of a trial that begins now.

        Raises:
            SweepError: it has none.
        """
        __tracebackhide__ = True
        raise SweepError(f"{trial.name} has no gang: ask for one with @pytest.mark.resources(workers=4)")
