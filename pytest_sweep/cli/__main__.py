"""``python -m pytest_sweep.cli`` is ``pytest-sweep``."""

from __future__ import annotations

import sys

from pytest_sweep.cli.main import entry_point

if __name__ == "__main__":
    sys.exit(entry_point())
