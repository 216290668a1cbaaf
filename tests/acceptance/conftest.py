"""The fixtures of the acceptance tests."""

from __future__ import annotations

import pytest

from .project import Project


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty project."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    return Project(pytester)
