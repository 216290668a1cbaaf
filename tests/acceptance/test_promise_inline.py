"""What docs/pytest.md promises of trials with the executor inline."""

from __future__ import annotations

from tests.promise.base import Inline
from tests.promise.caching import Caching
from tests.promise.debugging import DebuggingInline, Quitting
from tests.promise.endings import Endings
from tests.promise.fixtures import Fixtures
from tests.promise.judged import Judged
from tests.promise.judging import Judging
from tests.promise.searching import Searching
from tests.promise.seeing import Seeing
from tests.promise.selecting import Selecting
from tests.promise.stopping import StoppingInline
from tests.promise.values import Values


class TestSelectingInline(Inline, Selecting):
    """Selection in this process."""


class TestStoppingInline(Inline, StoppingInline):
    """Ending in this process."""


class TestEndingsInline(Inline, Endings):
    """What is kept in this process."""


class TestSeeingInline(Inline, Seeing):
    """Output in this process."""


class TestDebuggingInline(Inline, DebuggingInline):
    """Debuggers in this process."""


class TestFixturesInline(Inline, Fixtures):
    """Fixtures in this process."""

    processes = 1


class TestQuittingInline(Inline, Quitting):
    """Leaving the debugger."""


class TestJudgingInline(Inline, Judging):
    """What is judged, of trials in this process."""


class TestValuesInline(Inline, Values):
    """Configurations in this process."""


class TestCachingInline(Inline, Caching):
    """Edits and --sweep-cache."""


class TestSearchingInline(Inline, Searching):
    """Searches and schedules."""


class TestJudgedInline(Inline, Judged):
    """Trials that a scheduler judges, in this process."""
