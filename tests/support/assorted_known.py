"""Where sessions of the assorted suite differ, and why. An entry that is not needed any more fails the comparison."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Known = Mapping[tuple[str, str], str]
"""Reasons, by item and field."""

WRAPPERS = "pytest shows all its own frames where an error is its own, and so those of every plugin's hook wrapper"
LATE = (
    "a wider fixture's tear-down is a report of its own, since the order of trials is not known when the last one ends"
)
UNCAUGHT = "what a wider fixture prints and logs in its late tear-down comes after the report that would have it"
AT_ONCE = "pytest logs subtests itself, at once; inline, the set-up's report is held back until the trial has ended"
PLAIN_TEXT = "reports are serialized, as those of pytest-xdist; pytest then knows no shorter form of this error than its first line"
TWICE = "pytest's own: SubtestContext takes the repr of the arguments again when it is read from JSON"
PARENTS = (
    "pytest counts a test with failed subtests before it calls it failed, but for a report that comes from a worker"
)
NO_FILE = "workers write no junit file, as pytest-xdist's do not; pytest documents it for record_testsuite_property"


def _each(items: Iterable[str], fields: Iterable[str], reason: str) -> dict[tuple[str, str], str]:
    return {(item, field): reason for item in items for field in fields}


_SUBTESTS = [
    f"test_passing.py::test_subtests[n={n}]" for n in ("passes", "fails", "prints", "skips", "xfails", "body", "nested")
]
_LATE = ["test_late_error.py::test_late[n=1]", "test_zz_last.py::test_last[n=1]"]

INLINE: Known = {
    **_each(["test_failing.py::test_tear_down_breaks_twice[n=1]"], ("tracebacks", "junit"), WRAPPERS),
    **_each(_SUBTESTS, ["order"], AT_ONCE),
    **_each(_LATE, ("order", "outcomes", "extras", "junit"), LATE),
    **_each(["test_late.py::test_late[n=1]"], ("sections", "junit"), UNCAUGHT),
    **_each(["test_late_error.py::test_late[n=1]"], ["sections"], UNCAUGHT),
    ("test_failing.py::test_lookup[n=1]", "summary"): PLAIN_TEXT,
    ("junit's suites", "junit"): LATE,
    ("count of not shown", "counts"): LATE,
}
"""Sweeps inline, against ordinary tests."""

WORKERS: Known = {
    **_each(_SUBTESTS, ["order"], AT_ONCE),
    **_each(_SUBTESTS, ["subtests"], TWICE),
    ("test_passing.py::test_subtests[n=fails]", "summary"): TWICE,
    ("test_passing.py::test_xml_attribute[n=1]", "junit"): NO_FILE,
    ("junit's properties", "junit"): NO_FILE,
    ("count of not_passed", "counts"): PARENTS,
}
"""Sweeps in processes or on Ray, against sweeps inline."""
