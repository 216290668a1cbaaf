"""``--trace`` for a trial: the debugger at the first line of its body."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
from _pytest.debugging import pytestPDB

PYTESTS_OWN = "pdbtrace"
"""The name of pytest's plugin for this. It would stop in what we call the body with, and lose what the body returns."""


def traced(function: Callable[..., Any], config: pytest.Config) -> Callable[..., Any]:
    """Return `function`, with ``--trace`` so that the debugger is opened at its first line."""
    if not config.getoption("trace", False):
        return function

    @functools.wraps(function)
    def stopping(**arguments: Any) -> Any:
        return pytestPDB._init_pdb("runcall").runcall(function, **arguments)  # type: ignore[no-untyped-call]

    return stopping
