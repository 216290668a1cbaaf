"""What ``--sweep-runtime-env`` asks for: looked at before it is used, and tried before a worker needs it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import ray
from ray.runtime_env import RuntimeEnv

from pytest_sweep.errors import ExecutorError

_LINES_SHOWN = 12


def check_environment(environment: Mapping[str, Any]) -> None:
    """Refuse what Ray would only warn of, or say in other words.

    Raises:
        ExecutorError: a field that Ray does not know, or a value that it cannot use.
    """
    for name in environment:
        if name not in RuntimeEnv.known_fields:
            near = difflib.get_close_matches(name, RuntimeEnv.known_fields, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(RuntimeEnv.known_fields))}"
            raise ExecutorError(f"--sweep-runtime-env: {name!r} is not a field of Ray's runtime environments: {hint}")
    try:
        RuntimeEnv(**environment)
    except Exception as error:  # Ray raises a ValueError, a TypeError, or what its validators meet.
        raise ExecutorError(f"--sweep-runtime-env: {error}") from error


def try_environment() -> None:
    """Have a process started in the environment, which may take minutes: workers that cannot be started say little.

    Raises:
        ExecutorError: it cannot be made; the text has the end of what pip, uv or conda said.
    """
    try:
        ray.get(ray.remote(_do_nothing).options(num_cpus=0).remote())
    except Exception as error:
        raise ExecutorError(f"--sweep-runtime-env cannot be set up on the nodes:\n{_cause(str(error))}") from error


def _do_nothing() -> None:
    """Return."""


def _cause(text: str) -> str:
    """Return the end of what Ray says, without the frames of its own code."""
    lines = [line for line in text.rpartition("Traceback (most recent call last):")[2].splitlines() if line.strip()]
    start = next((place for place, line in enumerate(lines) if not line.startswith("  ")), 0)
    return "\n".join(lines[start:][-_LINES_SHOWN:])
