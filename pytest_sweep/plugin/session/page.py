"""The report page that ``--sweep-report`` asks for, written when the run has been stored. What goes wrong with it is a line, no more."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from pytest_sweep.errors import SweepError


class _Reporter(Protocol):
    def write_line(self, line: str, **markup: bool) -> None: ...


class ReportPage:
    """Writes the page, once.

    Args:
        target: the file; None for no page.
    """

    def __init__(self, target: Path | None) -> None:
        self._target = target
        self._line = ""
        self._is_written = False

    def write(self, folder: Path) -> None:
        """Write the page of the run in `folder`, whose database is closed. Nothing is raised: the run has ended, and its status stays."""
        if self._target is None:
            return
        try:
            from pytest_sweep.page.build import build, write

            write(build(folder, target=self._target), self._target)
        except KeyboardInterrupt:
            problem = "it was interrupted"
        except SweepError as error:
            problem = str(error)
        except Exception as error:  # A defect of the page is none of the run.
            problem = f"{type(error).__name__}: {error}"
        else:
            self._line, self._is_written = f"Report page: {self._target}", True
            return
        self._line = f"The report page was not written: {problem}. To write it: pytest-sweep report {folder}"

    def tell(self, reporter: _Reporter) -> None:
        """Say where the page is, or why there is none."""
        if self._line:
            reporter.write_line(self._line, **({} if self._is_written else {"red": True}))
            self._line = ""
