"""Shows what is no end of a trial: notes, warnings, output, logs, nodes that are not used, hooks that failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from pytest_sweep.items.private import write_log_file
from pytest_sweep.items.reports import rebuild_warning
from pytest_sweep.model import events
from pytest_sweep.plugin.record.hooks import HookCaller
from pytest_sweep.plugin.record.reports import failure_of, made_report, rebuilt
from pytest_sweep.plugin.show.terminal import begin_below, write_below
from pytest_sweep.reporting import excluded_line
from pytest_sweep.reporting.rewritten import RewrittenLines
from pytest_sweep.space import printable


class Beside:
    """What is shown beside the trials' reports.

    Args:
        config: the session's configuration.
        items: the items of the trials, by key.
        hooks: takes note of hooks that failed.

    Attributes:
        excluded: why nodes are not used, by their addresses.
    """

    def __init__(self, config: pytest.Config, items: Mapping[str, pytest.Item], hooks: HookCaller) -> None:
        self.excluded: dict[str, str] = {}
        self._config, self._items, self._hooks = config, items, hooks
        self._rewritten: dict[str | None, RewrittenLines] = {}

    def note(self, event: events.StudyNoted) -> None:
        """Show what is to be said of a study."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and self._config.get_verbosity() >= 0:
            write_below(reporter, f"sweep: {event.text}")

    def excluded_node(self, event: events.NodeExcluded) -> None:
        """Say that a node is not used, once."""
        is_new = event.address not in self.excluded
        self.excluded[event.address] = event.cause
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if is_new and reporter is not None:
            write_below(reporter, excluded_line(event.address, event.cause))

    def warning(self, event: events.WarningRecorded) -> None:
        """Hand a warning to pytest."""
        self._config.hook.pytest_warning_recorded.call_historic(
            kwargs={
                "warning_message": rebuild_warning(event),
                "when": event.when,
                "nodeid": event.nodeid,
                "location": event.location,
            }
        )

    def hook_failure(self, event: events.HookFailed) -> None:
        """Take note of a hook that failed in a worker."""
        self._hooks.note_failure(event.hook, event.plugin, event.error)

    def output(self, event: events.OutputWritten) -> None:
        """Show what a worker has written past pytest's capture; what is rewritten, as a progress bar is, when it stays as it is."""
        lines = self._rewritten.get(event.key)
        if lines is None:
            lines = RewrittenLines()
            self._rewritten[event.key] = lines
        self._write(event.key, lines.feed(event.text))

    def end_output(self, key: str | None) -> None:
        """Show what was not shown yet of the output of a trial that has ended."""
        lines = self._rewritten.pop(key, None)
        if lines is not None:
            self._write(key, lines.end())

    def end_outputs(self) -> None:
        """Show what was not shown yet of all output: of workers between trials, or of a trial after its end."""
        for key in list(self._rewritten):
            self.end_output(key)

    def progress_bars(self) -> list[str]:
        """Return the lines that trials rewrite now, as they are."""
        if not self._rewritten:
            return []
        return [f"[{self._name(key)}] {line}" for key, lines in self._rewritten.items() for line in lines.held]

    def _write(self, key: str | None, lines: Sequence[str]) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and lines:
            name = self._name(key)
            begin_below(reporter)
            # As it was written: with -s, pytest leaves it alone, too.
            for line in lines:
                for part in line.splitlines() or [""]:
                    reporter.write_line(f"[{name}] {part}")
            reporter.flush()

    def _name(self, key: str | None) -> str:
        return "worker" if key is None else printable(self._items[key].name)

    def late_report(self, event: events.LateReport) -> None:
        """Hand a report to pytest that came after its trial had ended."""
        self._config.hook.pytest_runtest_logreport(report=rebuilt(self._config, event.report))

    def teardown(self, event: events.TeardownTimedOut) -> None:
        """Show that fixtures of a trial, which has ended, could not be torn down: an error of its tear-down, as a late report is."""
        item = self._items[event.key]
        report = made_report(item, "failed", failure_of(item, event.error), 0.0, when="teardown")
        item.ihook.pytest_runtest_logreport(report=report)

    def log(self, event: events.LogWritten) -> None:
        """Write to the file of ``--log-file``."""
        logging_plugin = self._config.pluginmanager.get_plugin("logging-plugin")
        if logging_plugin is not None:
            write_log_file(logging_plugin, event.text)
