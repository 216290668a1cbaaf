"""A second user of this machine, as an attacker: only root can take another user's place."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

STRANGER = 54321
"""The id of a user that owns nothing here."""

needs_second_user = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can act as a second user"
)


def as_stranger(script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script as a user who is in no group of ours."""
    return subprocess.run(
        ["/bin/sh", "-c", script],
        user=STRANGER,
        group=STRANGER,
        extra_groups=[],
        cwd="/",
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
