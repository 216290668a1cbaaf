"""What reads the writing of others understands it or refuses it, whatever it is."""

from __future__ import annotations

import pytest

from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_target(name: str) -> None:
    """Nothing that somebody writes ends in an error that is not meant for it."""
    TARGETS[name]()
