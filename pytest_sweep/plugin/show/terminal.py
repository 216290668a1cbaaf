"""When and how the status of the trials is written to the terminal, or to what is none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

import pytest

from pytest_sweep import clock
from pytest_sweep.engine.port import Executor
from pytest_sweep.model import Run, Sweep, TrialState
from pytest_sweep.model.waiting import Waiting
from pytest_sweep.plugin.options import SweepOptions
from pytest_sweep.plugin.record.hooks import HookCaller
from pytest_sweep.plugin.show.live import is_ci
from pytest_sweep.plugin.show.stalls import Engine, StallWatch
from pytest_sweep.reporting import (
    Column,
    ColumnsOf,
    FailureReasons,
    Leaders,
    Progress,
    StatusView,
    best_lines,
    best_so_far,
    default_columns,
    error_lines,
    failure_lines,
    final_table,
    flaky_line,
    gaps_lines,
    interrupted_line,
    missing_metric_lines,
    not_run_line,
    status_block,
    status_header,
    summary_line,
    text_width,
    tolerated_lines,
)
from pytest_sweep.space import printable

BLOCK_ON_TERMINAL = 30.0
LINE_ELSEWHERE = 60.0
LINES_A_BLOCK = 10
LONGEST_NAME = 60
"""How long the name of the best trial may be in a line; in a block it is always shown."""

LEAST_REASON = 20
"""How many characters of the reason of a failure have to be shown."""


def write_below(reporter: pytest.TerminalReporter, text: str) -> None:
    """Write `text` on lines of its own, below the progress that pytest has written so far; at once, also to a pipe."""
    begin_below(reporter)
    write_lines(reporter, text)
    reporter.flush()


def begin_below(reporter: pytest.TerminalReporter) -> None:
    """Begin a line below the progress that pytest has written so far."""
    writer = reporter.config.get_terminal_writer()
    reporter.ensure_newline()
    if writer.width_of_current_line:
        writer.line()


def write_lines(reporter: pytest.TerminalReporter, text: str, **markup: bool) -> None:
    """Write `text` line by line: where a terminal cannot encode a letter, pytest escapes all that it is given at once.

    What could move the cursor or colour the terminal is escaped: names, values and errors are in such texts, and may come from anyone.
    """
    for line in text.splitlines():
        reporter.write_line(printable(line), **markup)


class StatusPrinter:
    """Writes a status block from time to time: on a terminal only blocks, elsewhere lines with a block every ten.

    Where no block tells of it soon, a line says that nothing happens, and who waits for what. With a live view, which says all that,
    nothing is written unless an interval was asked for.

    Attributes:
        exit: what the hook for columns has raised to end the session while the last table was written, or None.
    """

    def __init__(  # noqa: PLR0913 - all that a run consists of
        self,
        config: pytest.Config,
        options: SweepOptions,
        executor: Executor,
        progress: Progress,
        hooks: HookCaller,
        run: Run,
        engine: Engine | None,
        *,
        is_live: bool = False,
    ) -> None:
        self.exit: BaseException | None = None
        self._reporter: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
        self._is_quiet = config.get_verbosity() < 0
        self._executor = executor
        self._progress = progress
        self._hooks = hooks
        self._results = run.path
        self._engine = engine
        self._stalls = StallWatch()
        self._leaders = Leaders(progress)
        self._failures = FailureReasons(progress)
        # The first trials have been handed out before there was something to write of them.
        self._began = self._last = clock.monotonic() - (clock.wall() - run.started)
        self._elapsed = 0.0
        self._lines = 0
        self._on_terminal = self._reporter is not None and self._reporter.isatty
        self._is_live = is_live
        usual = 0.0 if is_live else BLOCK_ON_TERMINAL if self._on_terminal else LINE_ELSEWHERE
        self._interval = usual if options.status_interval is None else options.status_interval

    def tick(self) -> None:
        """Write, if it is time."""
        if self._reporter is None or self._is_quiet:
            return
        now = clock.monotonic()
        if self._interval and now - self._last >= self._interval:
            self._last = now
            self._lines += 1
            write_below(self._reporter, self._status(self._reporter, now))
        if self._engine is not None and not self._has_blocks:
            for line in self._stalls.lines(self._engine, now):
                write_below(self._reporter, line)

    def finish(self) -> None:
        """Stop the clock."""
        self._elapsed = clock.monotonic() - self._began

    def final_block(self, width: int) -> str:
        """Return the block that ends the run: all trials, the best of each sweep first."""
        columns_of = self._columns_of()

        def columns_or_default(sweeps: Sequence[Sweep]) -> Sequence[Column]:
            try:
                return columns_of(sweeps)
            except pytest.exit.Exception as wanted:  # The table is written all the same.
                self.exit = wanted
                return default_columns(self._progress, None, sweeps)

        table = final_table(self._progress, width, columns_or_default)
        return "\n".join(filter(None, [status_header(self._progress, self._view()), table]))

    @property
    def _has_blocks(self) -> bool:
        """Whether what waits is seen in a block, or in the live view, soon enough."""
        return self._is_live or (self._on_terminal and 0 < self._interval <= LINE_ELSEWHERE)

    def _status(self, reporter: pytest.TerminalReporter, now: float) -> str:
        width = reporter.config.get_terminal_writer().fullwidth
        new_failures = self._failures.new()
        if not self._on_terminal and self._lines % LINES_A_BLOCK:
            best = best_so_far(self._progress, self._leaders, LONGEST_NAME)
            line = summary_line(self._progress, now - self._began, clock.wall(), best)
            return "\n".join([line, *failure_lines(self._progress, new_failures, width)])
        waiting = None if self._engine is None else self._engine.waiting()
        best = best_so_far(self._progress, self._leaders)
        view = replace(self._view(waiting), best=best, failures=self._failures.all())
        return status_block(self._progress, view, self._columns_of(waiting), width)

    def _view(self, waiting: Waiting | None = None) -> StatusView:
        total = None if self._engine is None else self._engine.resources
        elapsed = self._elapsed or clock.monotonic() - self._began
        return StatusView(
            datetime.fromtimestamp(clock.wall()), elapsed, self._executor.describe(), total, self._results, waiting
        )

    def _columns_of(self, waiting: Waiting | None = None) -> ColumnsOf:
        """Return what makes the columns of a table, as the hook ``pytest_sweep_status_columns`` leaves them."""

        def columns_of(sweeps: Sequence[Sweep]) -> list[Column]:
            columns = default_columns(self._progress, waiting, sweeps)
            self._hooks.call("pytest_sweep_status_columns", columns=columns)
            return columns

        return columns_of


def write_summary(
    reporter: pytest.TerminalReporter,
    progress: Progress,
    status: StatusPrinter,
    hooks: HookCaller,
    troubles: Iterable[str | None],
) -> None:
    """Write the last status block, the best trials, the failures, and what went wrong beside the trials."""
    width = reporter.config.get_terminal_writer().fullwidth
    reporter.write_sep("=", "sweep results")
    write_lines(reporter, status.final_block(width))
    for line in best_lines(progress):
        write_lines(reporter, line, green=True)
    for line in error_lines(progress, width) if _hides_failures(reporter, progress, width) else ():
        write_lines(reporter, line, red=True)
    for line in filter(None, [*gaps_lines(progress), *tolerated_lines(progress), flaky_line(progress, width)]):
        write_lines(reporter, line, yellow=True)
    told = [*missing_metric_lines(progress), interrupted_line(progress), not_run_line(progress), *troubles]
    for line in filter(None, told):
        write_lines(reporter, line, red=True)
    for failure in hooks.failures:  # Asked for now: the table above has called a hook.
        times = "" if failure.count == 1 else f" ({failure.count} times)"
        write_lines(reporter, f"warning: {failure.hook} of {failure.plugin} failed{times}:", yellow=True)
        write_lines(reporter, failure.error)
    if status.exit is not None:
        raise status.exit


def _hides_failures(reporter: pytest.TerminalReporter, progress: Progress, width: int) -> bool:
    """Return whether pytest does not tell why trials failed, so that we have to.

    It does so completely in its section of failures. With ``--tb=no`` it does in the short test summary, if that is wanted, and if its
    lines have room for more than the node id.
    """
    if reporter.config.getoption("tbstyle") != "no":
        return False
    if not reporter.hasopt("f"):
        return True
    ids = [text_width(f"FAILED {entry.trial.id} - ") for entry in progress.in_state(TrialState.ERROR)]
    return not is_ci() and max(ids, default=0) + LEAST_REASON > width
