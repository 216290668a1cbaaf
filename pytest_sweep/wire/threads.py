"""How many threads numerical libraries of a worker may use. They read it once, when they are imported."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
"""OpenMP's, and those by which libraries overrule it."""


def thread_variables(environ: Mapping[str, str], count: int) -> dict[str, str]:
    """Return the variables of a worker that holds `count` CPUs.

    Args:
        environ: what the user has set, which stays: ``OMP_NUM_THREADS`` there holds for all libraries.
        count: how many threads, at least 1.
    """
    default = environ.get("OMP_NUM_THREADS", str(count))
    return {name: environ.get(name, default) for name in VARIABLES}


def apply_threads(variables: Mapping[str, str]) -> None:
    """Set `variables` in this process, and in the libraries that it has loaded by now, where threadpoolctl is installed."""
    os.environ.update(variables)
    count = variables.get("OMP_NUM_THREADS", "")
    if "numpy" in sys.modules and count.isdigit():
        with contextlib.suppress(ImportError):
            import threadpoolctl

            threadpoolctl.threadpool_limits(int(count))


@dataclass(frozen=True, slots=True)
class ThreadSetting:
    """Applies the variables in the process that unpickles it, in whose place it leaves them.

    Args:
        variables: as of `thread_variables`.
    """

    variables: tuple[tuple[str, str], ...]

    def __reduce__(self) -> Any:
        return _apply, (self.variables,)


def _apply(variables: tuple[tuple[str, str], ...]) -> dict[str, str]:
    applied = dict(variables)
    apply_threads(applied)
    return applied
