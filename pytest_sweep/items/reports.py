"""Turns what pytest says of a trial into plain data: its state, its error, its warnings. Uses pytest's own serialization."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import pytest

from pytest_sweep.model.events import WarningRecorded
from pytest_sweep.model.trials import TrialState

LOCATION = "sweep_location"
"""The attribute of a trial's report that says where it ran, as ``ip:pid``."""

CAME_OUT = "sweep_came_out"
"""The attribute of a trial's report that says with ``-v`` what came out of it: its metric, or why it failed."""

CONFIGURATION = "sweep_configuration"
"""The attribute of a trial's report that says with ``-v`` which configuration was chosen for its slot."""

CACHED = "sweep_cached"
"""The attribute of the report of a trial whose stored result was taken."""

INTERRUPTED = "sweep_interrupted"
"""The attribute of the report of a trial that was cut off."""

MOST_OUTPUT = 1_000_000
"""How many characters of each section of its output a report keeps: it travels, and a trial may print a hundred megabytes."""

MOST_ERROR = 200_000
"""How many characters of each part of a traceback a report keeps, and of an error's text: a message may be thirty megabytes."""

MOST_LAST_LINE = 10_000
"""How many characters the last line of an error's text has at the most: the short form that tables show a part of."""

MOST_LINES = 10_000
"""How many lines, or entries, of a traceback a report keeps."""

_USUAL = frozenset({
    "$report_type", "duration", "keywords", "location", "longrepr", "nodeid", "outcome", "sections", "start", "stop", "user_properties",
    "when",
})  # fmt: skip
"""What pytest itself puts into a serialized report, plain as it is."""

_IN_COMMON = ("nodeid", "location", "keywords")


def trial_state(reports: Sequence[pytest.TestReport], well: TrialState) -> TrialState:
    """Return what became of a trial whose phases gave `reports`, and which is `well` if nothing failed.

    Skipped, and failed as an xfail mark expects, are SKIPPED; whatever failed in any phase is ERROR.
    """
    if any(report.failed for report in reports):
        return TrialState.ERROR
    if any(report.skipped for report in reports):
        return TrialState.SKIPPED
    return well


def forget_xpass(report: pytest.TestReport) -> None:
    """Take back that a trial which is only paused has passed, though its mark says that it fails (xfail): it has not ended yet."""
    text = report.longrepr
    if report.failed and isinstance(text, str) and text.startswith("[XPASS(strict)]"):
        report.outcome, report.longrepr = "passed", None
    if report.passed and hasattr(report, "wasxfail"):
        del report.wasxfail


def error_text(reports: Sequence[pytest.TestReport]) -> str | None:
    """Return the text of the first failure, ending, as Python's own tracebacks do, with the exception and its message."""
    for report in reports:
        if report.failed or hasattr(report, "wasxfail"):
            text = report.longreprtext.rstrip()
            crash = getattr(report.longrepr, "reprcrash", None)
            text = _cut(text, MOST_ERROR)
            return f"{text}\n{_first_line(crash.message)}" if crash is not None else text or None
    return None


def _first_line(message: str) -> str:
    line = message.partition("\n")[0].splitlines()[0] if message.strip() else ""
    missing = len(line) - MOST_LAST_LINE
    return line if missing <= 0 else f"{line[:MOST_LAST_LINE]}... ({missing} more characters are cut here)"


def serialized(item: pytest.Item, report: pytest.TestReport) -> dict[str, Any]:
    """Return `report` as plain data, by the hook that plugins extend for reports of their own (subtests).

    What a user or a plugin has put into it, and cannot travel, becomes text.
    """
    data: dict[str, Any] = item.config.hook.pytest_report_to_serializable(config=item.config, report=report)
    data["longrepr"] = _cut_all(data.get("longrepr"))
    data["sections"] = [(name, _cut(content, MOST_OUTPUT)) for name, content in data.get("sections", ())]
    data["user_properties"] = [(_printable(name), _portable(value)) for name, value in data.get("user_properties", ())]
    for name in data.keys() - _USUAL:
        data[name] = _portable(data[name])
    return data


def alike(reports: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Return serialized reports of one trial with what they have in common as one object, which travels once and is kept once.

    pytest keeps all reports to the end of the session.
    """
    for report in reports[1:]:
        for name in _IN_COMMON:
            if name in report and report[name] == reports[0].get(name):
                report[name] = reports[0][name]
    return tuple(reports)


def _cut(content: str, most: int) -> str:
    """Return the start and the end of a long text, and how much is missing between them."""
    missing = len(content) - most
    if missing <= 0:
        return content
    half = most // 2
    return f"{content[:half]}\n... {missing} characters are cut here ...\n{content[-half:]}"


def _cut_all(traceback: Any) -> Any:
    """Return a serialized traceback with its long texts and lists cut."""
    if isinstance(traceback, str):
        return _cut(traceback, MOST_ERROR)
    if isinstance(traceback, dict):
        return {name: _cut_all(value) for name, value in traceback.items()}
    if isinstance(traceback, (list, tuple)):
        missing, parts = len(traceback) - MOST_LINES, traceback
        if missing > 0:
            half = MOST_LINES // 2
            # Lines of text get a line that says so; entries have no such form.
            mark = [f"... {missing} lines are cut here ..."] if isinstance(traceback[0], str) else []
            parts = [*traceback[:half], *mark, *traceback[-half:]]
        return type(traceback)(map(_cut_all, parts))
    return traceback


def _printable(name: object) -> object:
    """Return the name of a property as XML can hold it: pytest escapes values only."""
    if not isinstance(name, str) or name.isprintable():
        return name
    return "".join(char if char.isprintable() else f"#x{ord(char):02X}" for char in name)


def _portable(value: object) -> object:
    if type(value) in (str, int, float, bool, type(None)):
        return value
    try:
        pickle.dumps(value)
    except Exception:  # Whatever a class of the user's raises.
        return str(value)
    return value


def plain_warning(
    message: warnings.WarningMessage, when: str, nodeid: str, location: tuple[str, int, str] | None
) -> WarningRecorded:
    """Return a recorded warning as plain data."""
    category = message.category
    name = f"{category.__module__}:{category.__qualname__}"
    return WarningRecorded(str(message.message), name, message.filename, message.lineno, when, nodeid, location)


def warning_of(item: pytest.Item, text: str) -> WarningRecorded:
    """Return a warning of ours about `item`, at the line of its function."""
    path, line, domain = item.location
    number = (line or 0) + 1  # Items count lines from 0, warnings from 1.
    where = (path, number, domain)
    return WarningRecorded(text, "pytest:PytestWarning", path, number, "runtest", item.nodeid, where)


def rebuild_warning(event: WarningRecorded) -> warnings.WarningMessage:
    """Return the warning that `plain_warning` made plain; of class UserWarning where its own cannot be imported here."""
    module, _, name = event.category.partition(":")
    try:
        category = getattr(import_module(module), name)
    except (ImportError, AttributeError):
        category = UserWarning
    message: Warning | str = event.message
    try:
        made = category(event.message)
        message = made if str(made) == event.message else message
    except Exception:  # Its class wants other arguments than its text.
        message = event.message
    return warnings.WarningMessage(message, category, event.filename, event.lineno)
