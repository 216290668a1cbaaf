"""The status block and its one-line form."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from pytest_sweep.model import Resources, Sweep, Trial, TrialState
from pytest_sweep.model.events import TrialFinished, TrialNotRun, TrialReported, TrialStarted
from pytest_sweep.reporting import (
    Column,
    Progress,
    StatusView,
    default_columns,
    final_table,
    status_block,
    summary_line,
)
from pytest_sweep.reporting.progress import TrialProgress
from pytest_sweep.reporting.rows import fair_shares
from pytest_sweep.reporting.text import text_width

TOTAL = Resources(8, 2, 16 * 2**30, (("accelerator", 4.0),))
VIEW = StatusView(datetime(2026, 11, 23, 19, 1, 19), 5.12, "ray, 1 node (local)", TOTAL, "/runs/k3f9")


def trials(
    name: str = "train_model", metric: str | None = "loss", most: int = 10**6, **space: list[Any]
) -> list[Trial]:
    varying = tuple(key for key, values in space.items() if len(values) > 1)
    sweep = Sweep(f"test_m.py::{name}", name, metric, "min", varying=varying)
    made = []
    for values in itertools.islice(itertools.product(*space.values()), most):
        config = dict(zip(space, values, strict=True))
        label = "-".join(f"{key}={config[key]}" for key in varying)
        full = f"{name}[{label}]" if label else name
        made.append(Trial(full, f"test_m.py::{full}", full, sweep, config))
    return made


def start(progress: Progress, some: Sequence[Trial]) -> None:
    for one in some:
        progress.update(TrialStarted(one.key, 1, 1.0, "10.0.0.1:4242"))


def end(progress: Progress, some: Sequence[Trial], state: TrialState, metrics: dict[str, Any] | None = None) -> None:
    for one in some:
        progress.update(TrialFinished(one.key, 1, state, metrics, None, 2.0, 3.0))


def table_of(block: str) -> list[list[str]]:
    """The cells of the table in a block, header first."""
    lines = [line for line in block.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_the_block_reads_as_ray_tune_s_does() -> None:
    """Times, resources, results and counts stand above a table of trials."""
    some = trials(lr=[0.1, 0.2], depth=[2, 4])
    progress = Progress(some)
    start(progress, some[:2])
    metrics = {"loss": 0.25, "training_iteration": 10, "time_total_s": 1.23456789}
    end(progress, some[:1], TrialState.TERMINATED, metrics)
    lines = status_block(progress, VIEW).splitlines()
    assert lines[:2] == ["== Status ==", "Current time: 2026-11-23 19:01:19 (running for 00:00:05.12)"]
    assert lines[2].startswith("Memory usage on this node: ")
    assert lines[2].endswith(" GiB")
    assert lines[3:] == [
        "Executor: ray, 1 node (local)",
        "Resources in use: 1/8 CPUs, 0/2 GPUs, 0.0/16.0 GiB heap, 0/4 accelerator",
        "Results: /runs/k3f9",
        "Number of trials: 4 (1 RUNNING, 2 PENDING, 1 TERMINATED)",
        "+-----------------------------+------------+---------------+-----+-------+------+----------------+------+",
        "| Trial name                  | status     | loc           |  lr | depth | iter | total time (s) | loss |",
        "+-----------------------------+------------+---------------+-----+-------+------+----------------+------+",
        "| train_model[lr=0.1-depth=4] | RUNNING    | 10.0.0.1:4242 | 0.1 |     4 |      |                |      |",
        "| train_model[lr=0.1-depth=2] | TERMINATED | 10.0.0.1:4242 | 0.1 |     2 |   10 |        1.23457 | 0.25 |",
        "| train_model[lr=0.2-depth=2] | PENDING    |               | 0.2 |     2 |      |                |      |",
        "| train_model[lr=0.2-depth=4] | PENDING    |               | 0.2 |     4 |      |                |      |",
        "+-----------------------------+------------+---------------+-----+-------+------+----------------+------+",
    ]


def test_a_run_without_trials_has_no_table() -> None:
    """No trials are a block without a table and without brackets."""
    block = status_block(Progress([]), VIEW, width=80)
    assert block.endswith("Number of trials: 0")


def test_unknown_totals_are_not_shown() -> None:
    """Where the nodes are not known, only what is in use is shown."""
    view = StatusView(VIEW.now, 1.0, "inline", None, "/runs")
    some = trials(lr=[1, 2])
    progress = Progress(some)
    start(progress, some)
    assert "Resources in use: 2 CPUs, 0 GPUs\n" in status_block(progress, view)


def test_a_sweep_without_varying_parameters_has_no_parameter_columns() -> None:
    """A sweep of one trial shows its name and its state."""
    rows = table_of(status_block(Progress(trials(lr=[0.1])), VIEW))
    assert rows == [["Trial name", "status"], ["train_model", "PENDING"]]


def test_each_sweep_fills_its_own_parameters() -> None:
    """Columns are the union of what varies; a trial without a parameter has an empty cell; so with metrics."""
    first, second = trials("train", lr=[1, 2]), trials("forest", "score", depth=[3, 4])
    progress = Progress([*first, *second])
    end(progress, first, TrialState.TERMINATED, {"noise": 1, "loss": 0.5})
    end(progress, second, TrialState.TERMINATED, {"score": 0.7})
    rows = table_of(status_block(progress, VIEW))
    assert rows[0] == ["Trial name", "status", "lr", "depth", "total time (s)", "loss", "score", "noise"]
    assert rows[1] == ["train[lr=1]", "TERMINATED", "1", "", "2", "0.5", "", "1"]
    assert rows[3] == ["forest[depth=3]", "TERMINATED", "", "3", "2", "", "0.7", ""]


def test_nested_parameters_have_dotted_names() -> None:
    """A value inside a nested dict is found under its dotted name."""
    sweep = Sweep("t.py::f", "f", varying=("optimizer.lr",))
    some = [Trial(str(n), f"t.py::f[{n}]", f"f[{n}]", sweep, {"optimizer": {"lr": n}}) for n in (1, 2)]
    assert table_of(status_block(Progress(some), VIEW))[:2] == [
        ["Trial name", "status", "optimizer.lr"],
        ["f[1]", "PENDING", "1"],
    ]


def test_twenty_rows_show_what_matters() -> None:
    """Failed, running and ended trials share the rows; what is left out is counted by kind."""
    some = trials(lr=list(range(100)))
    progress = Progress(some)
    start(progress, some[:65])
    end(progress, some[:3], TrialState.ERROR)
    end(progress, some[3:63], TrialState.TERMINATED)
    block = status_block(progress, VIEW, width=100)
    states = [row[1] for row in table_of(block)[1:]]
    assert states == ["ERROR"] * 3 + ["RUNNING"] * 2 + ["TERMINATED"] * 15
    assert "train_model[lr=62]" in block
    assert block.splitlines()[-1] == "... 80 more trials not shown (45 TERMINATED, 35 PENDING)"


def test_many_failures_do_not_hide_what_runs() -> None:
    """However many trials failed, some of those that run and of those that ended stay in sight."""
    some = trials(lr=list(range(100)))
    progress = Progress(some)
    start(progress, some[:90])
    end(progress, some[:40], TrialState.ERROR)
    end(progress, some[40:80], TrialState.TERMINATED)
    states = [row[1] for row in table_of(status_block(progress, VIEW))[1:]]
    assert [states.count(state) for state in ("ERROR", "RUNNING", "TERMINATED")] == [7, 6, 7]


def test_every_state_has_its_place() -> None:
    """All states are shown, in an order from what needs attention to what does not."""
    some = trials(lr=list(range(8)))
    progress = Progress(some)
    start(progress, some[:1])
    ends = [TrialState.SKIPPED, TrialState.CACHED, TrialState.STOPPED, TrialState.TERMINATED, TrialState.ERROR]
    for one, state in zip(some[1:], ends, strict=False):
        end(progress, [one], state)
    progress.update(TrialNotRun(some[6].key, "interrupted"))
    block = status_block(progress, VIEW)
    assert [row[1] for row in table_of(block)[1:]] == [
        "ERROR", "RUNNING", "TERMINATED", "STOPPED", "CACHED", "SKIPPED", "PENDING", "NOT_RUN",
    ]  # fmt: skip
    counts = "1 RUNNING, 1 PENDING, 1 TERMINATED, 1 STOPPED, 1 CACHED, 1 SKIPPED, 1 ERROR, 1 NOT_RUN"
    assert f"Number of trials: 8 ({counts})" in block


def realistic() -> Progress:
    some = trials(lr=[0.0001, 0.001], depth=[2, 16], dropout=[0.1, 0.25], activation=["relu", "gelu"])
    progress = Progress(some)
    start(progress, some[:12])
    metrics = {"loss": 1 / 3, "accuracy": 2 / 3, "val_loss": 0.1, "training_iteration": 10, "time_total_s": 12.3456}
    end(progress, some[:10], TrialState.TERMINATED, metrics)
    return progress


@pytest.mark.parametrize("width", [12, 20, 30, 40, 60, 79, 80, 100, 120, 160, 200, 300])
def test_no_line_of_a_table_is_wider_than_the_terminal(width: int) -> None:
    """The table fits any width, all its lines are equally long, and the trial's name never goes."""
    lines = [line for line in status_block(realistic(), VIEW, width=width).splitlines() if line[0] in "+|"]
    assert len({text_width(line) for line in lines}) == 1
    assert text_width(lines[0]) <= width
    assert lines[1].startswith("| Trial n")


@pytest.mark.parametrize("width", [1, 2, 5, 8])
def test_an_absurdly_narrow_terminal_is_no_error(width: int) -> None:
    """Where no table can stand, its lines are cut."""
    block = status_block(realistic(), VIEW, width=width).splitlines()
    assert all(text_width(line) <= width for line in block[7:-1])


def test_eighty_columns_keep_the_metric_and_tell_trials_apart() -> None:
    """On a narrow terminal long names lose the names of their parameters, rather than what tells trials apart."""
    rows = table_of(status_block(realistic(), VIEW, width=80))
    assert rows[0] == ["Trial name", "status", "iter", "loss"]
    assert rows[1][0] == "train_model[0.001-2-0.25-relu]"
    assert len({row[0] for row in rows}) == len(rows)


def test_short_names_stay_whole_at_eighty_columns() -> None:
    """A name that fits is shown whole, and parameters that only repeat it go."""
    some = trials(lr=[0.001, 0.01], depth=[2, 4])
    progress = Progress(some)
    start(progress, some)
    end(progress, some, TrialState.TERMINATED, {"loss": 1 / 3, "accuracy": 2 / 3, "training_iteration": 10})
    rows = table_of(status_block(progress, VIEW, width=80))
    assert rows[0] == ["Trial name", "status", "iter", "loss"]
    assert rows[1][0] == "train_model[lr=0.001-depth=2]"


def test_two_hundred_columns_show_everything() -> None:
    """On a wide terminal nothing is left out."""
    header = table_of(status_block(realistic(), VIEW, width=200))[0]
    assert header[2:7] == ["loc", "lr", "depth", "dropout", "activation"]
    assert header[7:] == ["iter", "total time (s)", "loss", "accuracy", "val_loss"]


@pytest.mark.parametrize("text", ["x" * 200, "模型" * 100, "e\u0301" * 100, "line\nbreak"])
def test_long_and_unicode_names_keep_the_table_straight(text: str) -> None:
    """All lines take the same number of terminal cells, and none more than there are."""
    sweep = Sweep("t.py::f", "f", varying=("word",))
    some = [Trial(str(n), f"t.py::f[{text}{n}]", f"f[{text}{n}]", sweep, {"word": f"{text}{n}"}) for n in (1, 2)]
    for width in (80, None):
        lines = [line for line in status_block(Progress(some), VIEW, width=width).splitlines() if line[0] in "+|"]
        assert len({text_width(line) for line in lines}) == 1
        assert len(lines) == 6
        assert width is None or text_width(lines[0]) <= width


def test_metrics_that_are_missing_or_nan_are_shown_as_such() -> None:
    """NaN reads nan; a trial without metrics has empty cells."""
    some = trials(lr=[1, 2])
    progress = Progress(some)
    start(progress, some)
    progress.update(TrialReported(some[0].key, 1, {"loss": float("nan"), "flag": True}))
    rows = table_of(status_block(progress, VIEW))
    assert [row[-2:] for row in rows] == [["loss", "flag"], ["nan", "True"], ["", ""]]


def test_columns_are_data() -> None:
    """A hook may add, change and remove columns; one that raises names its exception and ends nothing."""
    progress = Progress(trials(lr=[1, 2]))
    columns = default_columns(progress)
    columns[:] = [column for column in columns if column.name != "lr"]
    columns.append(Column("attempt", lambda entry: entry.attempt))
    columns.append(Column("broken", lambda _: 1 // 0))
    rows = table_of(status_block(progress, VIEW, columns))
    assert rows[0] == ["Trial name", "status", "attempt", "broken"]
    assert rows[1] == ["train_model[lr=1]", "PENDING", "1", "<ZeroDivisionError>"]
    assert "Trial name" not in status_block(progress, VIEW, [])


def test_a_block_looks_only_at_the_trials_that_it_shows() -> None:
    """However many trials there are, the values of a column are asked for as many as have a row."""
    some = trials(lr=list(range(10_000)))
    progress = Progress(some)
    start(progress, some[:5_000])
    end(progress, some[:4_990], TrialState.TERMINATED, {"loss": 0.5})
    looked: set[str] = set()

    def name(entry: TrialProgress) -> str:
        looked.add(entry.trial.name)
        return entry.trial.name

    columns = [Column("Trial name", name)]
    block = status_block(progress, VIEW, columns, 120)
    assert block.endswith("... 9980 more trials not shown (4980 TERMINATED, 5000 PENDING)")
    assert len(looked) == 20
    looked.clear()
    final_table(progress, 120, columns)
    assert len(looked) == 20


@pytest.mark.parametrize(
    ("sizes", "shares"),
    [([0, 0], [0, 0]), ([3, 2, 60], [3, 2, 15]), ([40, 10, 40], [6, 7, 7]), ([1], [1]), ([30], [20])],
)
def test_rows_are_shared_fairly(sizes: list[int], shares: list[int]) -> None:
    """A small group is shown whole, and what it does not need goes to the others."""
    assert sorted(fair_shares(sizes, 20)) == sorted(shares)


def test_one_line_for_output_that_is_no_terminal() -> None:
    """A line says what is done, what runs and waits, and what came last."""
    some = trials(lr=list(range(10)))
    progress = Progress(some)
    start(progress, some[:6])
    end(progress, some[1:2], TrialState.ERROR)
    end(progress, some[2:4], TrialState.TERMINATED, {"accuracy": 1, "loss": 0.25})
    assert summary_line(progress, 60) == (
        "sweep: 3/10 done (2 TERMINATED, 1 ERROR), 3 RUNNING, 4 PENDING, running for 00:01:00; "
        "latest train_model[lr=3] loss=0.25"
    )
    progress.update(TrialNotRun(some[9].key, "interrupted"))
    end(progress, some[4:5], TrialState.ERROR)
    assert summary_line(progress, 60).endswith("1 NOT_RUN, running for 00:01:00; latest train_model[lr=4] ERROR")


def test_the_line_of_a_run_that_has_not_begun() -> None:
    """Nothing done is no brackets and nothing latest; a trial without metrics shows its name."""
    assert summary_line(Progress([]), 0) == "sweep: 0/0 done, running for 00:00:00"
    some = trials(lr=[1, 2])
    progress = Progress(some)
    end(progress, some[:1], TrialState.SKIPPED)
    assert summary_line(progress, 1).endswith("latest train_model[lr=1]")
