"""Sessions on a real Ray."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.ray.sessions import Session


@pytest.fixture
def start(pytester: pytest.Pytester) -> Iterator[Callable[..., Session]]:
    """Return a function that starts a session in the test's folder with the given arguments."""
    sessions: list[Session] = []

    def start_session(*args: str, **environ: str) -> Session:
        sessions.append(Session(pytester.path, *args, **environ))
        return sessions[-1]

    yield start_session
    for session in sessions:
        session.close()
