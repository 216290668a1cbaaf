"""What trials leave in a junit file, as properties of their test cases and of the whole suite. Knows nothing of how it is written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_sweep.model import Trial, TrialState
from pytest_sweep.model.metrics import free_name
from pytest_sweep.reporting.best import best_entries, judged_value
from pytest_sweep.reporting.front import fronts
from pytest_sweep.reporting.progress import Progress
from pytest_sweep.space import displayable, flat_items, restored

_PREFIX = "sweep."
"""What a name gets that is another property's already; so both are kept by who reads them into a dict."""

# What pytest escapes in values: characters that XML 1.0 does not have, and DEL.
_ILLEGAL = re.compile("[^\t\n\r\x20-\x7e\x80-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_properties(
    trial: Trial,
    state: TrialState,
    metrics: Mapping[str, Any] | None,
    run_name: str,
    failed: Sequence[str] = (),
    taken: Iterable[str] = (),
    stopped_by: str = "",
) -> list[tuple[str, str]]:
    """Return the properties of a trial's test case: names and values.

    Args:
        trial: the trial.
        state: what became of it.
        metrics: its final metrics; None where there are none.
        run_name: the name of the run, which ``load_results`` takes.
        failed: the errors of the attempts before the last one, in order.
        taken: the names of properties that the test case has already.
        stopped_by: why its scheduler has stopped it; "" where it has not.

    Returns:
        ``sweep.run``, ``sweep.key``, ``sweep.state``; ``sweep.stopped_by`` where its scheduler has stopped it; where it was tried again
        ``sweep.attempts``, their number, and ``attempt.1`` and so on with the errors of those that failed; then ``config.<name>``,
        ``params.<name>`` (stacked ``parametrize`` and parametrized fixtures) and ``metric.<name>`` with dotted names for what is nested.
        Numbers are written in full. A name that another property has gets the prefix ``sweep.``. In names, characters that XML does not
        have are escaped as pytest does in values: ``#x1B``.
    """
    properties = [
        ("sweep.run", run_name),
        ("sweep.key", trial.key),
        ("sweep.state", state.value),
        *([("sweep.stopped_by", stopped_by)] if stopped_by else []),
        *([("sweep.attempts", str(len(failed) + 1))] if failed else []),
        *((f"attempt.{number}", error) for number, error in enumerate(failed, 1)),
        *((f"config.{name}", _text(displayable(value))) for name, value in flat_items(trial.config)),
        *((f"params.{name}", _text(displayable(value))) for name, value in flat_items(_params(trial))),
        *((f"metric.{name}", _text(displayable(value))) for name, value in flat_items(metrics or {})),
    ]
    return _distinct(properties, taken)


def junit_suite_properties(progress: Progress) -> list[tuple[str, str]]:
    """Return the properties of the whole suite: the best trial or configuration of each sweep that has one.

    Returns:
        For each sweep ``sweep.best.<sweep>``, the name of its best trial or configuration, and ``sweep.best_value.<sweep>``, the value that
        this is judged by; the same as ``ResultGrid.get_best_result()`` says. Of a sweep with several metrics ``sweep.best.<sweep>`` names
        all trials that none beats.
    """
    properties, several = [], fronts(progress)
    for sweep, entry, _ in best_entries(progress):
        if sweep.id in several:
            names = ", ".join(progress.label(one.trial) for one in several[sweep.id])
            properties.append((f"sweep.best.{progress.sweep_label(sweep)}", names))
        elif entry is not None:
            label = progress.sweep_label(sweep)
            properties += [
                (f"sweep.best.{label}", progress.label(entry.trial)),
                (f"sweep.best_value.{label}", _text(judged_value(entry))),
            ]
    return _distinct(properties, ())


def _params(trial: Trial) -> dict[str, Any]:
    return {name: restored(form) for name, form in trial.params.items()}


def _text(value: object) -> str:
    # A mean of replicates is a float of a class of its own.
    return str(float(value)) if isinstance(value, float) else str(value)


def _distinct(properties: Iterable[tuple[str, str]], taken: Iterable[str]) -> list[tuple[str, str]]:
    given = list(properties)
    names = set(taken)
    unlike = {name for name, _ in given}
    # Nearly always: nothing to escape, and no name twice. Each trial has a dozen.
    if (
        len(unlike) == len(given)
        and unlike.isdisjoint(names)
        and (joined := "".join(unlike)).isascii()
        and joined.isprintable()
    ):
        return given
    found = []
    for name, value in given:
        free = free_name(_ILLEGAL.sub(_escape, name), names, _PREFIX)
        names.add(free)
        found.append((free, value))
    return found


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"#x{code:02X}" if code <= 0xFF else f"#x{code:04X}"
