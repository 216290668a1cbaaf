"""What docs/pytest.md promises of trials with the executor processes."""

from __future__ import annotations

from tests.promise.base import InProcesses
from tests.promise.caching import Caching
from tests.promise.debugging import Debugging, Quitting
from tests.promise.endings import HostedEndings
from tests.promise.fixtures import Fixtures
from tests.promise.judged import Judged
from tests.promise.judging import Judging
from tests.promise.searching import Searching
from tests.promise.seeing import Seeing
from tests.promise.selecting import Selecting
from tests.promise.stopping import Stopping
from tests.promise.values import Values


class TestSelectingInProcesses(InProcesses, Selecting):
    """Selection in processes."""


class TestStoppingInProcesses(InProcesses, Stopping):
    """Ending in processes."""

    death = "killed by SIGKILL"


class TestEndingsInProcesses(InProcesses, HostedEndings):
    """What is kept of trials in processes."""


class TestSeeingInProcesses(InProcesses, Seeing):
    """Output in processes."""


class TestDebuggingInProcesses(InProcesses, Debugging):
    """Debuggers in processes."""

    trace_options = ("--sweep", "-n", "1")


class TestFixturesInProcesses(InProcesses, Fixtures):
    """Fixtures in processes."""


class TestQuittingInProcesses(InProcesses, Quitting):
    """Leaving the debugger."""


class TestJudgingInProcesses(InProcesses, Judging):
    """What is judged, of trials in processes."""


class TestValuesProcesses(InProcesses, Values):
    """Configurations in processes of this machine."""


class TestCachingInProcesses(InProcesses, Caching):
    """Edits and --sweep-cache."""


class TestSearchingInProcesses(InProcesses, Searching):
    """Searches and schedules."""


class TestJudgedInProcesses(InProcesses, Judged):
    """Trials that a scheduler judges, in processes."""
