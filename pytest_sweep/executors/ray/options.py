"""The settings of the executor ray."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RayOptions:
    """How Ray is started or joined.

    Attributes:
        address: ``host:port`` or ``auto``; None starts a local Ray for the run.
        num_cpus: CPUs of the local Ray; None takes the machine's.
        num_gpus: GPUs of the local Ray; None takes the machine's.
    """

    address: str | None = None
    num_cpus: int | None = None
    num_gpus: int | None = None
