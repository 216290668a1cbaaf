"""The settings of the executor ray."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_sweep.executors.phases import Limits


@dataclass(frozen=True, slots=True)
class CodeOptions:
    """What is shipped to nodes that do not see it.

    Attributes:
        root: pytest's rootdir.
        results: the folder for results.
        left_out: further folders that are not shipped.
        include: patterns, as in ``.gitignore``, of what is shipped though something there, or we, would leave it out.
        limit: how many bytes may be shipped.
    """

    root: Path
    results: Path
    left_out: tuple[Path, ...] = ()
    include: tuple[str, ...] = ()
    limit: int = 100 * 2**20


@dataclass(frozen=True, slots=True)
class RayOptions:
    """How Ray is started or joined.

    Attributes:
        address: ``host:port`` or ``auto``; None starts a local Ray for the run.
        num_cpus: CPUs of the local Ray; None takes the machine's.
        num_gpus: GPUs of the local Ray; None takes the machine's.
        runtime_env: what the processes of workers are to have, in Ray's words: ``pip``, ``py_modules`` and others.
        code: what is shipped to nodes of a cluster; None ships nothing.
        limits: how long each phase of a worker's process may take.
    """

    address: str | None = None
    num_cpus: int | None = None
    num_gpus: int | None = None
    runtime_env: Mapping[str, Any] = field(default_factory=dict)
    code: CodeOptions | None = None
    limits: Limits = field(default_factory=Limits)
