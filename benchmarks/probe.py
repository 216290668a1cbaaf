"""A plugin of pytest that notes when things happened in the driver, for the benchmarks: ``-p benchmarks.probe``.

It costs a function call a report. Times are seconds since the epoch, memory is in bytes.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import pytest


class Probe:
    """Notes the time of the last report, and the memory that the driver has needed."""

    def __init__(self) -> None:
        self._last = 0.0
        self._collected = 0.0

    def pytest_collection_finish(self) -> None:
        """Note when pytest has collected."""
        self._collected = time.time()

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self) -> None:
        """Note when a report was shown; the last one counts."""
        self._last = time.time()

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Write what was noted."""
        scale = 1 if sys.platform == "darwin" else 1024
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
        noted = {"last": self._last, "collected": self._collected, "memory": memory}
        Path("probe.json").write_text(json.dumps(noted), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    """Register the probe in the driver, not in workers, whose folder is the same."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Probe(), "benchmarks-probe")
