"""With replicates the final table has a row for each configuration, and the best one is judged by its mean."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from pytest_sweep.model import Sweep, Trial, TrialState
from pytest_sweep.model.events import TrialFinished, TrialNotRun, TrialStarted
from pytest_sweep.model.metrics import metric_value
from pytest_sweep.model.spread import Spread
from pytest_sweep.reporting import Column, Progress, best_lines, default_columns, error_lines, final_table, gaps_lines
from pytest_sweep.reporting.leading import Leaders
from pytest_sweep.reporting.text import cell_text, text_width

SWEEP = Sweep("t.py::train", "train", "loss", "min", varying=("lr",))
WELL = TrialState.TERMINATED


def replicates(lr: float, count: int, sweep: Sweep = SWEEP) -> list[Trial]:
    first = Trial(f"{sweep.id}{lr}", f"{sweep.id}[lr={lr}]", f"{sweep.name}[lr={lr}]", sweep, {"lr": lr})
    return [first] + [
        replace(
            first, key=f"{first.key}#{n}", id=f"{first.id[:-1]}#{n + 1}]", name=f"{first.name[:-1]}#{n + 1}]",
            replicate=n, group=first.key,
        )
        for n in range(1, count)
    ]  # fmt: skip


def end(progress: Progress, one: Trial, metrics: dict[str, Any] | None, state: TrialState = WELL) -> None:
    progress.update(TrialStarted(one.key, 1, 1.0, "127.0.0.1:42"))
    error = "ValueError: bad" if state is TrialState.ERROR else None
    progress.update(TrialFinished(one.key, 1, state, metrics, error, 2.0, 3.0))


def ended(*groups: tuple[list[Trial], list[Any]]) -> Progress:
    """Return the progress of trials that ended well with these losses; None is a failure."""
    progress = Progress([trial for trials, _ in groups for trial in trials])
    for trials, losses in groups:
        for trial, loss in zip(trials, losses, strict=False):
            if loss is None:
                end(progress, trial, None, TrialState.ERROR)
            else:
                end(progress, trial, {"loss": loss, "training_iteration": 10})
    return progress


def rows_of(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[0] == "|"]


def metric_column(name: str) -> Column:
    return Column(name, lambda entry: metric_value(entry.metrics, name))


def test_a_row_a_configuration() -> None:
    """Name without number, states counted, no place, means of time and iterations, and mean ± deviation of the metric."""
    progress = ended((replicates(0.1, 3), [0.25, 0.5, 0.75]), (replicates(0.2, 3), [1.0, 2.0, None]))
    assert rows_of(final_table(progress)) == [
        ["Trial name", "lr", "status", "iter", "total time (s)", "loss"],
        ["train[lr=0.1]", "0.1", "3 TERMINATED", "10", "2", "0.5 ± 0.25"],
        ["train[lr=0.2]", "0.2", "2 TERMINATED, 1 ERROR", "10", "2", "1.5 ± 0.71"],
    ]
    assert error_lines(progress) == ["train[lr=0.2#3]: ValueError: bad"]


def test_a_single_trial_is_shown_as_ever() -> None:
    """Beside configurations with replicates, one without keeps its state, place and plain value."""
    progress = ended((replicates(0.1, 2), [0.5, 1.5]), (replicates(0.2, 1), [2]))
    assert rows_of(final_table(progress))[1:] == [
        ["train[lr=0.1]", "0.1", "2 TERMINATED", "", "10", "2", "1 ± 0.71"],
        ["train[lr=0.2]", "0.2", "TERMINATED", "127.0.0.1:42", "10", "2", "2"],
    ]


def test_a_lone_value_has_no_deviation() -> None:
    """Where one of several replicates ended well its values are shown as they are."""
    progress = ended((replicates(0.1, 3), [12345678, None, None]))
    assert rows_of(final_table(progress))[1][2] == "1 TERMINATED, 2 ERROR"
    assert rows_of(final_table(progress))[1][-1] == "12345678"


def test_means_of_iterations_and_times() -> None:
    """Only replicates that ended well take part in the means."""
    trials = replicates(0.1, 3)
    progress = Progress(trials)
    end(progress, trials[0], {"training_iteration": 10, "time_total_s": 1.0})
    end(progress, trials[1], {"training_iteration": 13, "time_total_s": 2.0}, TrialState.STOPPED)
    end(progress, trials[2], {"training_iteration": 99, "time_total_s": 99.0}, TrialState.ERROR)
    assert rows_of(final_table(progress))[1][3:] == ["11.5", "1.5"]


def test_metrics_that_are_no_numbers() -> None:
    """Text and truth values are shown where all replicates agree; nested metrics are averaged where they are."""
    trials = replicates(0.1, 2)
    progress = Progress(trials)
    end(progress, trials[0], {"phase": "a", "same": "x", "flag": True, "val": {"loss": 1.0}, "mixed": "x"})
    end(progress, trials[1], {"phase": "b", "same": "x", "flag": True, "val": {"loss": 2.0}, "mixed": 3})
    names = ["phase", "same", "flag", "mixed", "val/loss"]
    columns = [Column("Trial name", lambda entry: progress.label(entry.trial), 100), *map(metric_column, names)]
    assert rows_of(final_table(progress, None, lambda _: columns)) == [
        ["Trial name", "same", "flag", "mixed", "val/loss"],
        ["train[lr=0.1]", "x", "True", "3", "1.5 ± 0.71"],
    ]


def test_columns_of_a_hook_get_the_mean() -> None:
    """A column that computes with a metric computes with its mean, and finds what every trial has."""
    progress = ended((replicates(0.1, 2), [1.0, 2.0]))
    columns = [
        *default_columns(progress)[:1],
        Column("percent", lambda entry: f"{entry.metrics['loss']:.0%}" if entry.metrics else None),
        Column("twice", lambda entry: 2 * entry.metrics["loss"] if entry.metrics else None),
        Column("state", lambda entry: entry.state.value),
        Column("attempt", lambda entry: entry.attempt),
        Column("started", lambda entry: entry.started),
    ]
    assert rows_of(final_table(progress, None, lambda _: columns))[1] == [
        "train[lr=0.1]", "150%", "3", "TERMINATED", "1", "1",
    ]  # fmt: skip


@pytest.mark.parametrize(("mode", "order"), [("min", [2, 1, 0, 4, 3]), ("max", [0, 1, 2, 4, 3])])
def test_the_best_mean_stands_first(mode: str, order: list[int]) -> None:
    """Means rank, not the best replicates; NaN does not, and configurations that failed stand before the rest."""
    sweep = replace(SWEEP, mode=mode)
    losses: list[list[float | None]] = [[0.0, 9.0], [3.0, 4.0], [1.0, 2.0], [0.5, math.nan], [None, None]]
    progress = ended(*((replicates(lr, 2, sweep), values) for lr, values in enumerate(losses)))
    rows = rows_of(final_table(progress))[1:]
    assert [row[0] for row in rows] == [f"train[lr={lr}]" for lr in order]
    assert [row[-1] for row in rows][-2:] == ["", "nan"]


@pytest.mark.parametrize("width", [48, 60, 70, 80, 90, 100])
def test_numbers_that_are_judged_are_not_cut(width: int) -> None:
    """On a narrow terminal deviations and parameters go before a digit of the metric does."""
    keys = ("model", "max_depth", "min_samples_leaf", "C", "fit_intercept")
    sweep = replace(SWEEP, varying=keys)
    values = dict.fromkeys(keys, "LogisticRegression")
    groups = [[replace(one, config=values) for one in replicates(lr, 3, sweep)] for lr in (0.1, 0.2)]
    progress = ended((groups[0], [0.976667, 0.9767, 0.9767]), (groups[1], [0.971667, 0.9716, 0.9716]))
    table = final_table(progress, width)
    assert max(map(text_width, table.splitlines()[:-1])) <= width
    assert [row[-1].partition(" ")[0] for row in rows_of(table) if row[-1].startswith("0.9")] == [
        "0.971622",
        "0.976689",
    ]


def test_the_limit_counts_configurations() -> None:
    """Twenty configurations are shown, and the line below says how many more and what became of their trials."""
    progress = ended(*((replicates(lr, 3), [lr, lr, None if lr == 24 else lr]) for lr in range(25)))
    table = final_table(progress, 80)
    assert len(rows_of(table)) == 21
    assert table.endswith("... 5 more configurations not shown (15 trials: 15 TERMINATED)")


def test_the_limit_counts_what_has_not_ended() -> None:
    """Replicates that wait or were not run are counted like the others."""
    trials = [replicates(lr, 2) for lr in range(21)]
    progress = Progress([trial for group in trials for trial in group])
    progress.update(TrialNotRun(trials[20][0].key, "interrupted"))
    assert final_table(progress).endswith("... 1 more configuration not shown (2 trials: 1 PENDING, 1 NOT_RUN)")


def test_the_first_replicate_may_be_missing() -> None:
    """Further replicates that were selected alone are a configuration, whose name has no number."""
    progress = ended((replicates(0.1, 3)[1:], [1.0, 2.0]))
    assert rows_of(final_table(progress))[1][0] == "train[lr=0.1]"
    assert best_lines(progress)[0].startswith("Best configuration of train: train[lr=0.1] with loss=1.5 ± 0.71 (min,")


def test_a_lone_further_replicate_keeps_its_name() -> None:
    """A row that stands for one trial shows that trial, so that it can be selected by what is shown."""
    progress = ended((replicates(0.1, 2)[1:], [1.0]), (replicates(0.2, 2), [2.0, 3.0]))
    assert [row[0] for row in rows_of(final_table(progress))[1:]] == ["train[lr=0.1#2]", "train[lr=0.2]"]


def test_sweeps_of_one_name_are_told_apart() -> None:
    """Node ids stand in for names that two sweeps share, without number too."""
    other = replace(SWEEP, id="u.py::train")
    progress = ended((replicates(0.1, 3)[1:], [1.0, 1.0]), (replicates(0.1, 2, other), [2.0, 3.0]))
    assert [row[0] for row in rows_of(final_table(progress))[1:]] == ["t.py::train[lr=0.1]", "u.py::train[lr=0.1]"]


@pytest.mark.parametrize(
    ("losses", "line"),
    [
        ([0.5, 1.0, 1.5], "train[lr=0.1] with loss=1 ± 0.5 (min, mean of 3 trials); config: lr=0.1"),
        ([0.5, 1.5, None], "train[lr=0.1] with loss=1 ± 0.71 (min, mean of 2 of 3 trials); config: lr=0.1"),
        ([0.5, None, None], "train[lr=0.1] with loss=0.5 (min, 1 of 3 trials); config: lr=0.1"),
        ([0.5, 0.5, "low"], "train[lr=0.1] with loss=0.5 ± 0 (min, mean of 2 of 3 trials); config: lr=0.1"),
    ],
)
def test_the_best_configuration(losses: list[Any], line: str) -> None:
    """The line tells mean, deviation, and how many trials they are of."""
    progress = ended((replicates(0.1, 3), losses), (replicates(0.2, 3), [0.0, 2.0, 9.0]))
    assert best_lines(progress) == [f"Best configuration of train: {line}"]


def test_a_single_trial_may_be_the_best_configuration() -> None:
    """A configuration without replicates competes with those that have some, in the same words."""
    progress = ended((replicates(0.1, 2), [1.0, 2.0]), (replicates(0.2, 1), [0.5]))
    assert best_lines(progress) == [
        "Best configuration of train: train[lr=0.2] with loss=0.5 (min, 1 trial); config: lr=0.2"
    ]


@pytest.mark.parametrize("losses", [[0.1, math.nan], [0.1, math.inf], [None, None]])
def test_what_never_is_the_best_configuration(losses: list[Any]) -> None:
    """A mean that is NaN or infinite does not win, nor does a configuration of which nothing ended well."""
    line = "Best configuration of train: none, because no configuration has a finite mean of loss over its trials that ended well"
    assert best_lines(ended((replicates(0.1, 2), losses))) == [line]
    better = ended((replicates(0.1, 2), losses), (replicates(0.2, 2), [8.0, 9.0]))
    assert best_lines(better)[0].startswith("Best configuration of train: train[lr=0.2] with")


FEASIBLE = replace(SWEEP, feasible=("memory < 9",))


def test_the_best_of_the_feasible_ones() -> None:
    """A mean is over the replicates that meet feasible=; a configuration without one of them is never the best, however good."""
    good, mixed, none = (replicates(lr, 2, FEASIBLE) for lr in (0.1, 0.2, 0.3))
    progress = Progress([*good, *mixed, *none])
    for trials, losses, memories in (
        (good, (2.0, 2.0), (1, 1)),
        (mixed, (1.0, 0.1), (1, 10)),
        (none, (0.0, 0.0), (10, 10)),
    ):
        for trial, loss, memory in zip(trials, losses, memories, strict=True):
            end(progress, trial, {"loss": loss, "memory": memory, "training_iteration": 1})
    assert best_lines(progress)[0].startswith(
        "Best configuration of train: train[lr=0.2] with loss=1 (min, 1 of 2 trials)"
    )


def test_no_feasible_configuration() -> None:
    """Where none meets the conditions the line says so, and names them."""
    trials = replicates(0.1, 2, FEASIBLE)
    progress = Progress(trials)
    for trial in trials:
        end(progress, trial, {"loss": 0.5, "memory": 10, "training_iteration": 1})
    (line,) = best_lines(progress)
    assert "over its trials that meet memory < 9 and ended well" in line


FOLDS = replace(SWEEP, average_over=("fold",))


@pytest.mark.parametrize("lost", [None, "low"])
def test_a_configuration_that_lost_a_fold(lost: Any) -> None:
    """It is not judged, its cell is empty, and a line says how many of its folds have a value."""
    progress = ended((replicates(0.1, 3, FOLDS), [0.1, 0.1, lost]), (replicates(0.2, 3, FOLDS), [1.0, 1.0, 1.0]))
    assert best_lines(progress)[0].startswith("Best configuration of train: train[lr=0.2] with loss=1 ")
    assert [row[-1] for row in rows_of(final_table(progress))[1:]] == ["1 ± 0", ""]
    assert gaps_lines(progress) == [
        "train: 1 configuration not judged, because not all trials ended well with a value of loss: train[lr=0.1] (2 of 3)"
    ]


def test_no_configuration_has_all_folds() -> None:
    """The line on the best configuration says that all trials of one have to have a value."""
    progress = ended((replicates(0.1, 2, FOLDS), [0.1, None]))
    assert best_lines(progress) == [
        "Best configuration of train: none, because no configuration has a finite mean of loss over all its trials"
    ]


def test_the_best_so_far_has_all_folds() -> None:
    """While the run goes on, a configuration whose hard folds are still to come does not lead."""
    one, two = replicates(0.1, 2, FOLDS), replicates(0.2, 2, FOLDS)
    progress = Progress([*one, *two])
    leaders = Leaders(progress)
    for trial, loss in ((one[0], 0.1), (two[0], 0.5)):
        end(progress, trial, {"loss": loss})
    assert leaders.best() == []
    end(progress, two[1], {"loss": 0.5})
    assert [entry.trial.name for _, entry in leaders.best()] == ["train[lr=0.2]"]


def test_a_nested_metric_is_judged_by_its_mean() -> None:
    """A metric that is named with slashes is found in the dicts of each replicate."""
    sweep = replace(SWEEP, metric="val/loss")
    groups = [replicates(lr, 2, sweep) for lr in (1, 2)]
    progress = Progress([trial for group in groups for trial in group])
    for number, trial in enumerate(group_trial for group in groups for group_trial in group):
        end(progress, trial, {"val": {"loss": 4.0 - number}, "other": 1})
    assert best_lines(progress)[0].startswith("Best configuration of train: train[lr=2] with val/loss=1.5 ± 0.71 (min,")
    assert rows_of(final_table(progress))[1][-2:] == ["1.5 ± 0.71", "1 ± 0"]


def test_a_sweep_without_replicates_keeps_its_line() -> None:
    """Replicates of one sweep change nothing in the line on another."""
    progress = ended(
        (replicates(0.1, 2), [1.0, 2.0]), (replicates(0.2, 1, Sweep("t.py::f", "f", "loss", "min")), [3.0])
    )
    assert best_lines(progress)[1] == "Best trial of f: f[lr=0.2] with loss=3 (min) after 10 iterations"


@pytest.mark.parametrize("width", [12, 20, 30, 40, 60, 79, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    """With ± in its cells the table fits any width, and all its lines are equally long."""
    progress = ended(*((replicates(lr / 3, 5), [lr / 7, lr / 11, lr / 13, None, lr]) for lr in range(1, 6)))
    lines = [line for line in final_table(progress, width).splitlines() if line[0] in "+|"]
    assert len({text_width(line) for line in lines}) == 1
    assert text_width(lines[0]) <= width


def test_eighty_columns_keep_the_metric() -> None:
    """On a narrow terminal states and the metric stay whole."""
    progress = ended(*((replicates(lr, 5), [lr / 7, lr / 11, lr / 13, None, lr / 17]) for lr in (0.1, 0.2)))
    header, row = rows_of(final_table(progress, 80))[:2]
    assert (*header[:3], header[-1]) == ("Trial name", "lr", "status", "loss")
    assert row[:3] == ["train[lr=0.1]", "0.1", "4 TERMINATED, 1 ERROR"]
    assert "±" in row[-1]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([0.1234567, 0.1274567], "0.125457 ± 0.0028"),
        ([1.0], "1"),
        ([1.0, math.nan], "nan"),
        ([1.0, math.inf], "inf"),
        ([2, 2], "2 ± 0"),
    ],
)
def test_a_mean_in_a_cell(values: list[float], text: str) -> None:
    """Six digits of the mean and two of the deviation, which is not shown where there is none."""
    assert cell_text(Spread.of(values)) == text
