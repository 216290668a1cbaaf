"""Puts a warning of ours into pytest's summary of warnings. Knows no reason for one."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Literal

import pytest

from pytest_sweep.space import printable


def warn(
    config: pytest.Config, text: str, *, when: Literal["config", "runtest"] = "config", place: Path | None = None
) -> None:
    """Show a warning, of the class PytestWarning, at the end of the session.

    Args:
        config: the session's configuration.
        text: what to say.
        when: what pytest is doing, in its words.
        place: the file or folder that the warning is about; None is the session's root.
    """
    # Not by `warnings.warn`, which `-W error` would turn into an error of the test that runs, or into an abort of the session.
    shown = "\n".join(map(printable, text.split("\n")))
    message = warnings.WarningMessage(shown, pytest.PytestWarning, str(place or config.rootpath), 0)
    config.hook.pytest_warning_recorded.call_historic(
        kwargs={"warning_message": message, "when": when, "nodeid": "", "location": None}
    )
