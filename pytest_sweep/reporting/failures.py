"""Why trials failed, a line for each trial or for each reason. Knows nothing of tracebacks, which pytest shows."""

from __future__ import annotations

import heapq

from pytest_sweep.model import TrialState
from pytest_sweep.reporting.entry import TrialProgress
from pytest_sweep.reporting.progress import Progress
from pytest_sweep.reporting.text import cell_text, counted, cut_end, text_width

_MOST_ERRORS = 20
_MOST_REASONS = 5
_LONGEST = 500
_UNKNOWN = "failed, and left no message"

Reasons = dict[str, tuple[int, TrialProgress]]
"""How many trials failed for each reason, and the last of them."""


def reason_of(error: str | None) -> str:
    """Return the last line of an error, on which Python's tracebacks have the exception and its message; cut after 500 characters."""
    return cell_text((error or "").rstrip().rpartition("\n")[2].strip()[:_LONGEST]) or _UNKNOWN


def short_reason(error: str | None) -> str:
    """Return the last line of an error in at most 60 characters, to stand beside an outcome."""
    return cut_end(reason_of(error), 60)


def error_lines(progress: Progress, width: int | None = None) -> list[str]:
    """Return a line for each of the first 20 trials that failed, with the last line of its error; and how many more there are."""
    failed = heapq.nsmallest(_MOST_ERRORS, progress.in_state(TrialState.ERROR), key=lambda entry: entry.index)
    lines = [_line(progress, entry, _attempts(entry), reason_of(entry.error), width) for entry in failed]
    more = progress.counts().get(TrialState.ERROR, 0) - len(failed)
    return [*lines, f"... {counted(more, 'more failed trial')} not shown"] if more else lines


class FailureReasons:
    """Groups failures by their reason while the run goes on. A look costs as much as trials have ended since the last one.

    Args:
        progress: what is known of the trials.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._seen = 0
        self._all: Reasons = {}

    def new(self) -> Reasons:
        """Return why trials failed since the last look."""
        ended = self._progress.ended
        new: Reasons = {}
        for entry in ended[self._seen :]:
            if entry.state is TrialState.ERROR:
                reason = reason_of(entry.error)
                for reasons in (new, self._all):
                    count = reasons[reason][0] if reason in reasons else 0
                    reasons[reason] = (count + 1, entry)
        self._seen = len(ended)
        return new

    def all(self) -> Reasons:
        """Return why trials failed since the run began."""
        self.new()
        return self._all


def failure_lines(progress: Progress, reasons: Reasons, width: int | None = None) -> list[str]:
    """Return a line for each of up to 5 reasons, with the trial that failed last; the most frequent reason first.

    Args:
        progress: what is known of the trials.
        reasons: why trials failed.
        width: of the terminal, in characters; None is no limit.
    """
    most = heapq.nlargest(_MOST_REASONS, reasons.items(), key=lambda item: item[1][0])
    lines = [
        _line(progress, entry, f" and {count - 1} more" if count > 1 else "", reason, width, "ERROR ")
        for reason, (count, entry) in most
    ]
    if len(reasons) <= _MOST_REASONS:
        return lines
    rest = sum(count for count, _ in reasons.values()) - sum(count for _, (count, _) in most)
    return [*lines, f"... {counted(rest, 'more failed trial')} for {counted(len(reasons) - len(most), 'other reason')}"]


def _attempts(entry: TrialProgress) -> str:
    return f" ({entry.attempt} attempts)" if entry.attempt > 1 else ""


def _line(
    progress: Progress, entry: TrialProgress, after: str, reason: str, width: int | None, before: str = ""
) -> str:
    text = f"{before}{progress.label(entry.trial)}{after}: {reason}"
    if width is None or text_width(text) <= width:
        return text
    # A long name would leave no room for the reason. The short one can be pasted into -k, too; a name that is cut could not.
    short = f"{before}{progress.short_name(entry.trial)}{after}: {reason}"
    return cut_end(short if text_width(short) < text_width(text) else text, width)
