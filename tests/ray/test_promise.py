"""What docs/pytest.md promises of trials on Ray, on the one Ray that the tests share."""

from __future__ import annotations

import psutil

from tests.promise.base import OnRay
from tests.promise.caching import Caching
from tests.promise.debugging import Debugging
from tests.promise.endings import HostedEndings
from tests.promise.fixtures import Fixtures
from tests.promise.judged import Judged
from tests.promise.judging import Judging
from tests.promise.searching import Searching
from tests.promise.seeing import Seeing
from tests.promise.selecting import Selecting
from tests.promise.stopping import Stopping, noted_processes
from tests.promise.values import Values
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


class TestJudgingOnRay(OnRay, Judging):
    """What is judged, of trials on Ray."""


class TestValuesOnRay(OnRay, Values):
    """Configurations on Ray."""


class TestCachingOnRay(OnRay, Caching):
    """Edits and --sweep-cache on Ray: those that its workers have a say in, and some of the others."""

    edits = (
        "a helper",
        "a base class",
        "a fixture",
        "a fixture that is asked for",
        "a lazily imported module",
        "a module imported by a computed name",
        "an editable install",
        "a package's version",
        "an unrelated file",
        "a comment",
    )


class TestSearchingOnRay(OnRay, Searching):
    """Searches and schedules."""


class TestJudgedOnRay(OnRay, Judged):
    """Trials that a scheduler judges, on Ray."""
