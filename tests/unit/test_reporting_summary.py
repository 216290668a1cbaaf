"""What is said at the end of a run, and what goes into a junit file."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from pytest_sweep.model import Sweep, Trial, TrialState
from pytest_sweep.model.events import TrialFinished, TrialNotRun
from pytest_sweep.reporting import (
    Column,
    Progress,
    best_lines,
    error_lines,
    final_table,
    junit_properties,
    not_run_line,
)
from pytest_sweep.reporting.table import trial_table
from pytest_sweep.reporting.text import text_width
from pytest_sweep.space import stored


def trials(count: int, name: str = "train", metric: str | None = "loss", mode: str = "min") -> list[Trial]:
    sweep = Sweep(f"t.py::{name}", name, metric, mode, varying=("lr", "opt.depth"))
    return [
        Trial(f"{name}{n}", f"t.py::{name}[lr={n}]", f"{name}[lr={n}]", sweep, {"lr": n, "opt": {"depth": 2}, "fix": 1})
        for n in range(count)
    ]


def end(
    progress: Progress,
    one: Trial,
    metrics: dict[str, Any] | None,
    state: TrialState = TrialState.TERMINATED,
    error: str | None = None,
    attempt: int = 1,
) -> None:
    progress.update(TrialFinished(one.key, attempt, state, metrics, error, 2.0, 3.0))


def names(table: str) -> list[str]:
    return [
        line.split(" | ")[0][2:].strip()
        for line in table.splitlines()
        if line.startswith("| ") and not line.startswith("| Trial name")
    ]


@pytest.mark.parametrize(
    ("mode", "order"), [("min", [2, 0, 4, 3, 1, 5]), ("max", [4, 0, 2, 3, 1, 5])], ids=["min", "max"]
)
def test_the_best_trials_stand_first(mode: str, order: list[int]) -> None:
    """The metric orders the table by its mode; what has no usable one comes last, failures before the rest."""
    some = trials(6, mode=mode)
    progress = Progress(some)
    for one, loss in zip(some, [0.5, math.nan, 0.1, 0.0, 0.9], strict=False):
        end(progress, one, {"loss": loss}, TrialState.ERROR if one is some[3] else TrialState.TERMINATED)
    assert names(final_table(progress)) == [f"train[lr={number}]" for number in order]


def test_without_a_metric_failures_stand_first() -> None:
    """A sweep without a metric shows what failed, then collection order."""
    some = trials(4, metric=None)
    progress = Progress(some)
    for one in some:
        end(progress, one, None, TrialState.ERROR if one is some[2] else TrialState.TERMINATED)
    assert names(final_table(progress, 80)) == [f"train[lr={number}]" for number in (2, 0, 1, 3)]


def test_the_final_table_counts_what_it_leaves_out() -> None:
    """Twenty rows are shared by the sweeps, one after the other; the last line tells of the rest."""
    some, other = trials(30), trials(3, "forest", None)
    progress = Progress([*some, *other])
    for number, one in enumerate([*some, *other]):
        end(progress, one, {"loss": 30 - number})
    table = final_table(progress, 100)
    expected = [f"train[lr={number}]" for number in range(29, 12, -1)] + [f"forest[lr={number}]" for number in range(3)]
    assert names(table) == expected
    assert table.endswith("... 13 more trials not shown (13 TERMINATED)")
    assert final_table(Progress([])) == ""


@pytest.mark.parametrize(("failed", "shown"), [(1, 1), (5, 5), (9, 5)])
def test_rows_are_kept_for_what_failed(failed: int, shown: int) -> None:
    """However many trials ended well, up to five of the rows are for those that failed, below the best ones."""
    some = trials(30)
    progress = Progress(some)
    for number, one in enumerate(some):
        end(progress, one, {"loss": number}, TrialState.ERROR if number >= 30 - failed else TrialState.TERMINATED)
    rows = names(final_table(progress))
    best = [f"train[lr={number}]" for number in range(20 - shown)]
    assert rows == [*best, *(f"train[lr={number}]" for number in range(30 - failed, 30 - failed + shown))]


def test_the_failed_trial_of_one_of_many_sweeps_is_shown() -> None:
    """Where more sweeps than there are rows share the table, the trial that failed is still there."""
    some = [one for number in range(30) for one in trials(2, f"train{number}")]
    progress = Progress(some)
    for one in some:
        end(progress, one, {"loss": 1}, TrialState.ERROR if one is some[-1] else TrialState.TERMINATED)
    assert "train29[lr=1]" in final_table(progress)


def test_the_best_trial_is_told_with_its_configuration() -> None:
    """Each sweep that has a metric gets a line, with name, value, mode, iterations and what varies."""
    some, other = trials(3), trials(2, "forest", "score", "max")
    progress = Progress([*some, *other, *trials(1, "plain", None)])
    for one, loss in zip(some, [0.5, 0.25, math.inf], strict=True):
        end(progress, one, {"loss": loss, "training_iteration": 10})
    for one, score in zip(other, [0.5, 0.75], strict=True):
        end(progress, one, {"score": score})
    assert best_lines(progress) == [
        "Best trial of train: train[lr=1] with loss=0.25 (min) after 10 iterations; config: lr=1, opt.depth=2",
        "Best trial of forest: forest[lr=1] with score=0.75 (max); config: lr=1, opt.depth=2",
    ]


def test_no_best_trial_is_said_and_not_guessed() -> None:
    """A metric that no trial that ended well has makes no trial the best one."""
    some = trials(4)
    progress = Progress(some)
    end(progress, some[0], {"loss": 0.1}, TrialState.ERROR)
    end(progress, some[1], {"loss": "low"})
    end(progress, some[2], {"loss": 0.1}, TrialState.SKIPPED)
    line = "Best trial of train: none, because no trial ended well with a finite loss"
    assert best_lines(progress) == [line]
    assert best_lines(Progress([])) == []


def test_of_equally_good_trials_the_first_is_the_best() -> None:
    """Ties go to collection order, whatever the order in which trials end."""
    some = trials(3)
    progress = Progress(some)
    for one in reversed(some):
        end(progress, one, {"loss": 0.5, "training_iteration": 1})
    assert best_lines(progress)[0].startswith("Best trial of train: train[lr=0] with loss=0.5 (min) after 1 iteration;")


def test_failures_are_told_by_the_last_line_of_their_error() -> None:
    """A failed trial is one line, with its attempts where it had several."""
    some = trials(4)
    progress = Progress(some)
    end(progress, some[1], None, TrialState.ERROR, "Traceback\n  x\nValueError: bad\n\n", attempt=3)
    end(progress, some[0], None, TrialState.ERROR, "KeyError: 'a'")
    end(progress, some[2], None, TrialState.ERROR)
    assert error_lines(progress) == [
        "train[lr=0]: KeyError: 'a'",
        "train[lr=1] (3 attempts): ValueError: bad",
        "train[lr=2]: failed, and left no message",
    ]


def test_many_failures_are_counted() -> None:
    """Twenty failures are told, and how many more there are."""
    some = trials(22)
    progress = Progress(some)
    for one in some[:21]:
        end(progress, one, None, TrialState.ERROR, "bad")
    assert len(error_lines(progress)) == 21
    assert error_lines(progress)[-1] == "... 1 more failed trial not shown"
    end(progress, some[21], None, TrialState.ERROR, "bad")
    assert error_lines(progress)[-1] == "... 2 more failed trials not shown"


def test_a_long_name_leaves_room_for_its_error() -> None:
    """Digits of the key stand for a name that fills the line; the line is cut to the width."""
    sweep = Sweep("t.py::train", "train")
    one = Trial("k", "t.py::train", f"train[{'x' * 200}]", sweep, {})
    progress = Progress([one])
    end(progress, one, None, TrialState.ERROR, f"ValueError: {'y' * 200}")
    line = error_lines(progress, 80)[0]
    assert text_width(line) == 80
    assert line.startswith("train_k: ValueError: yyy")


def test_what_was_not_run_is_told_with_its_reasons() -> None:
    """One reason stands alone, several are counted, and of very many the most common are told."""
    some = trials(20)
    progress = Progress(some)
    assert not_run_line(progress) == ""
    progress.update(TrialNotRun(some[0].key, "interrupted"))
    assert not_run_line(progress) == "1 trial was not run: interrupted"
    progress.update(TrialNotRun(some[1].key, "interrupted"))
    progress.update(TrialNotRun(some[2].key, "the budget is used up"))
    assert not_run_line(progress) == "3 trials were not run: interrupted (2), the budget is used up (1)"
    for one in some[3:]:
        progress.update(TrialNotRun(one.key, f"reason {one.config['lr']}"))
    assert not_run_line(progress).endswith(", reason 5 (1), and 14 other reasons")


def test_junit_properties_are_flat_text() -> None:
    """Configuration and metrics are flattened, and every value is text."""
    one = trials(1)[0]
    metrics = {"loss": 0.1234567, "done": True, "per": {"class": math.nan}}
    assert junit_properties(one, TrialState.TERMINATED, metrics, "2026_k3f9") == [
        ("sweep.run", "2026_k3f9"),
        ("sweep.key", "train0"),
        ("sweep.state", "TERMINATED"),
        ("config.lr", "0"),
        ("config.opt.depth", "2"),
        ("config.fix", "1"),
        ("metric.loss", "0.1234567"),
        ("metric.done", "True"),
        ("metric.per.class", "nan"),
    ]
    assert len(junit_properties(one, TrialState.ERROR, None, "run")) == 6


def stacked(*values: object, average_over: tuple[str, ...] = ()) -> list[Trial]:
    """Return trials of one sweep, at two rates each, with these values of a stacked parametrize."""
    sweep = replace(trials(1)[0].sweep, varying=("lr",), average_over=average_over)
    return [
        Trial(f"{lr}{n}", f"t.py::train[lr={lr}-{n}]", f"train[lr={lr}-{n}]", sweep, {"lr": lr},
            params={"depth": stored(value), "fixed": 1}, group=f"g{lr}" if average_over else "",
            configuration=f"train[lr={lr}]" if average_over else "")
        for lr in (0.1, 0.2)
        for n, value in enumerate(values)
    ]  # fmt: skip


def ended(some: list[Trial]) -> Progress:
    progress = Progress(some)
    for number, one in enumerate(some):
        end(progress, one, {"loss": number})
    return progress


def test_stacked_values_that_vary_have_a_column() -> None:
    """A stacked value that varies has a column under its name, after the configuration's; one that does not has none."""
    lines = final_table(ended(stacked(2, math.sqrt))).splitlines()
    header, first, second = lines[1], lines[3], lines[4]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in (header, first, second)]
    assert [row[1:3] for row in cells] == [["lr", "depth"], ["0.1", "2"], ["0.1", "sqrt"]]
    assert "fixed" not in header


def test_stacked_values_that_vary_are_told_of_the_best_trial() -> None:
    """The line on the best trial has stacked values in its configuration."""
    assert best_lines(ended(stacked(2, "x")))[0].endswith("; config: lr=0.1, depth=2")


def test_stacked_values_that_are_averaged_over_are_not_shown() -> None:
    """What the sweep averages over has no column, and is not told of the best configuration."""
    progress = ended(stacked(2, 3, average_over=("depth",)))
    assert "depth" not in final_table(progress)
    assert best_lines(progress)[0].endswith("; config: lr=0.1")


def test_sweeps_with_other_stacked_values_have_their_own_table() -> None:
    """A sweep whose stacked values vary does not share a table with one that has none."""
    others = trials(2, "other", metric="loss")
    others = [replace(one, sweep=replace(one.sweep, varying=("lr",))) for one in others]
    assert final_table(ended([*stacked(2, 3), *others])).count("Trial name") == 2


def test_hundreds_of_columns() -> None:
    """A table of hundreds of columns, some with names of many thousand characters, is drawn at once, and fits."""
    progress = Progress(trials(1))
    columns = [Column("Trial name", lambda entry: progress.label(entry.trial), 100)]
    columns += [Column(f"{'n' * (10_000 if number % 2 else 3)}{number}", lambda _: 1, 85) for number in range(300)]
    for width in (20, 80):
        lines = trial_table(list(progress), columns, width).splitlines()
        assert max(map(len, lines)) <= width
        assert "train" in "".join(lines)


def test_names_and_values_are_on_one_line() -> None:
    """Names of metrics and parameters are escaped in the line on the best trial, and long ones are cut."""
    metric = "a\nb\x1b[2J" + "x" * 1_000_000
    (trial,) = trials(1, metric=metric)
    sweep = replace(trial.sweep, varying=("l\nr",))
    trial = replace(trial, sweep=sweep, config={"l\nr": "v\nw" + "y" * 1_000_000})
    progress = Progress([trial])
    end(progress, trial, {metric: 0.5})
    (line,) = best_lines(progress)
    assert line.isprintable()
    assert "a\\nb\\x1b[2Jxxx" in line
    assert "l\\nr=v w" in line
    assert len(line) < 2_000
