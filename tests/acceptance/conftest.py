"""The fixtures of the acceptance tests."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(f"{__package__}.project")

from .project import Project  # noqa: E402 - its assertions are to be rewritten before


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty project."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    return Project(pytester)
