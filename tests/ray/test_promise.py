"""What docs/pytest.md promises of trials on Ray, on the one Ray that the tests share."""

from __future__ import annotations

import psutil

from tests.promise.base import OnRay
from tests.promise.debugging import Debugging
from tests.promise.endings import HostedEndings
from tests.promise.fixtures import Fixtures
from tests.promise.seeing import Seeing
from tests.promise.selecting import Selecting
from tests.promise.stopping import Stopping, noted_processes
from tests.support.sessions import Session


class TestSelectingOnRay(OnRay, Selecting):
    """Selection on Ray."""


class TestStoppingOnRay(OnRay, Stopping):
    """Ending on Ray."""

    death = "killed or crashed, signal unknown"
    # A Ray of its own, whose end is to be seen.
    session_options = ("--sweep-num-cpus=1",)
    session_environ = {"RAY_ADDRESS": ""}  # noqa: RUF012

    def mortal(self, session: Session) -> list[psutil.Process]:
        """Return the workers, and Ray itself; not its agents, which end by themselves a minute later."""
        names = ("ray::Session", "raylet", "gcs_server")
        mortal = [process for process in session.family() if process.name().startswith(names)]
        assert len(mortal) >= 3
        return [*mortal, *noted_processes(session)]


class TestEndingsOnRay(OnRay, HostedEndings):
    """What is kept of trials on Ray."""

    session_options = ("--sweep-num-cpus=1",)
    session_environ = {"RAY_ADDRESS": ""}  # noqa: RUF012


class TestSeeingOnRay(OnRay, Seeing):
    """Output on Ray."""


class TestDebuggingOnRay(OnRay, Debugging):
    """Debuggers on Ray."""


class TestFixturesOnRay(OnRay, Fixtures):
    """Fixtures on Ray."""
