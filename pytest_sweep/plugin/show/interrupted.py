"""Shows what trials had printed by the time they were cut off, as pytest does it for failures."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pytest_sweep.space import printable

MOST_TRIALS = 10
MOST_LINES = 100
"""How many lines of a section are shown, its end: a trial that was cut off may have printed for days."""

Section = tuple[str, str]


def write_interrupted(reporter: pytest.TerminalReporter, outputs: Sequence[tuple[str, Sequence[Section]]]) -> None:
    """Write the captured sections of trials that were cut off, as ``--show-capture`` wants it.

    Args:
        reporter: where to.
        outputs: the names of trials, and the sections of each.
    """
    wanted: str = reporter.config.getoption("showcapture", "all")
    shown = [
        (name, [(title, text) for title, text in sections if wanted == "all" or wanted in title])
        for name, sections in outputs
    ]
    shown = [(name, sections) for name, sections in shown if sections]
    if not shown or wanted == "no":
        return
    reporter.write_sep("=", "INTERRUPTED")
    for name, sections in shown[:MOST_TRIALS]:
        reporter.write_sep("_", printable(name), yellow=True, bold=True)
        for title, text in sections:
            reporter.write_sep("-", printable(title))
            lines = text.rstrip("\n").splitlines()
            if len(lines) > MOST_LINES:
                reporter.write_line(f"... the first {len(lines) - MOST_LINES} lines are not shown ...")
            for line in lines[-MOST_LINES:]:  # As it was printed: so does pytest.
                reporter.write_line(line)
    if len(shown) > MOST_TRIALS:
        reporter.write_line(f"... and the output of {len(shown) - MOST_TRIALS} more, which is stored")
