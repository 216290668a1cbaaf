"""A suite of all kinds of items says on Ray what it says inline."""

from __future__ import annotations

import pytest

from tests.support.assorted import FIELDS, AssortedSession, assert_alike, run_assorted
from tests.support.assorted_known import WORKERS


@pytest.fixture(scope="module")
def sessions(shared_ray: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[AssortedSession, AssortedSession]:
    """A session inline, and one on Ray."""
    folder = tmp_path_factory.mktemp("assorted")
    return run_assorted(folder / "inline", "inline"), run_assorted(folder / "ray", "ray")


@pytest.mark.parametrize("field", FIELDS)
def test_ray_is_like_inline(sessions: tuple[AssortedSession, AssortedSession], field: str) -> None:
    """Trials on Ray say, field by field, what they say inline."""
    inline, ray = sessions
    assert inline.size == ray.size
    assert_alike(inline, ray, field, WORKERS)
