"""The status block and its one-line form."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from datetime import datetime
from random import Random
from typing import Any

import pytest

from pytest_sweep.model import Resources, Sweep, Trial, TrialState
from pytest_sweep.model.events import TrialFinished, TrialNotRun, TrialReported, TrialStarted
from pytest_sweep.model.trials import name_without_replicate
from pytest_sweep.reporting import (
    Column,
    FailureReasons,
    Leaders,
    Progress,
    StatusView,
    best_lines,
    best_so_far,
    default_columns,
    failure_lines,
    final_table,
    status_block,
    summary_line,
)
from pytest_sweep.reporting.entry import TrialProgress
from pytest_sweep.reporting.remaining import remaining_seconds, remaining_text
from pytest_sweep.reporting.rows import fair_shares
from pytest_sweep.reporting.text import text_width
from pytest_sweep.space import digest

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
        made.append(Trial(digest(full, 16), f"test_m.py::{full}", full, sweep, config))
    return made


def start(progress: Progress, some: Sequence[Trial]) -> None:
    for one in some:
        progress.update(TrialStarted(one.key, 1, 1.0, "10.0.0.1:4242"))


def end(progress: Progress, some: Sequence[Trial], state: TrialState, metrics: dict[str, Any] | None = None) -> None:
    for one in some:
        progress.update(TrialFinished(one.key, 1, state, metrics, None, 2.0, 3.0))


def column_of(block: str, name: str) -> list[str]:
    """The cells below this name in the table of a block."""
    header, *rows = table_of(block)
    return [row[header.index(name)] for row in rows]


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
        "Number of trials: 2/4 (1 TERMINATED, 1 RUNNING, 2 PENDING)",
        "+-----------------------------+-----+-------+------------+---------------+------+----------------+------+",
        "| Trial name                  |  lr | depth | status     | loc           | iter | total time (s) | loss |",
        "+-----------------------------+-----+-------+------------+---------------+------+----------------+------+",
        "| train_model[lr=0.1-depth=4] | 0.1 |     4 | RUNNING    | 10.0.0.1:4242 |      |                |      |",
        "| train_model[lr=0.1-depth=2] | 0.1 |     2 | TERMINATED | 10.0.0.1:4242 |   10 |        1.23457 | 0.25 |",
        "| train_model[lr=0.2-depth=2] | 0.2 |     2 | PENDING    |               |      |                |      |",
        "| train_model[lr=0.2-depth=4] | 0.2 |     4 | PENDING    |               |      |                |      |",
        "+-----------------------------+-----+-------+------------+---------------+------+----------------+------+",
    ]


def test_a_run_without_trials_has_no_table() -> None:
    """No trials are a block without a table and without brackets."""
    block = status_block(Progress([]), VIEW, width=80)
    assert block.endswith("Number of trials: 0/0")


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


def headers_of(block: str) -> list[list[str]]:
    """The headers of the tables in a block."""
    lines = block.splitlines()
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for before, line in itertools.pairwise(lines)
        if before.startswith("+") and line.startswith("| Trial name")
    ]


def test_sweeps_of_different_kinds_have_tables_of_their_own() -> None:
    """Sweeps with other parameters, another metric or mode have another table, with columns of their own and a line that names them."""
    first, second, third = (
        trials("train", lr=[1, 2]),
        trials("forest", "score", depth=[3, 4]),
        trials("fit", "score", lr=[1, 2]),
    )
    progress = Progress([*first, *second, *third])
    end(progress, first, TrialState.TERMINATED, {"noise": 1, "loss": 0.5})
    end(progress, second, TrialState.TERMINATED, {"score": 0.7})
    end(progress, third[:1], TrialState.ERROR)
    block = status_block(progress, VIEW)
    assert headers_of(block) == [
        ["Trial name", "lr", "status", "total time (s)", "loss", "noise"],
        ["Trial name", "depth", "status", "total time (s)", "score"],
        ["Trial name", "lr", "status", "total time (s)"],
    ]
    for line in (
        "train: 2 trials (2 TERMINATED)",
        "forest: 2 trials (2 TERMINATED)",
        "fit: 2 trials (1 ERROR, 1 PENDING)",
    ):
        assert line in block.splitlines()


def test_sweeps_of_one_kind_share_a_table() -> None:
    """Sweeps that vary the same parameters and are judged alike, or report the same without a metric, stand in one table."""
    first, second = trials("train", lr=[1, 2], depth=[1, 2]), trials("fit", depth=[1, 2], lr=[1, 2])
    others = [trials(name, None, n=[1, 2]) for name in ("a", "b", "c", "d", "e")]
    progress = Progress([*first, *second, *itertools.chain.from_iterable(others)])
    for some in others[:4]:
        end(progress, some, TrialState.TERMINATED, {"score": 1})
    block = status_block(progress, VIEW)
    assert len(headers_of(block)) == 3
    assert "train, fit: 8 trials (8 PENDING)" in block
    assert "a, b, c and 1 more sweep: 8 trials (8 TERMINATED)" in block
    assert "\ne: 2 trials (2 PENDING)" in block


def test_names_in_a_shared_table_name_their_sweeps() -> None:
    """Where several sweeps share a narrow table, the sweep's name stands before the digits that stand for a name."""
    first, second = (trials(name, first=["x" * 30, "y" * 30], second=[1]) for name in ("train", "fit"))
    progress = Progress([*first, *second])
    names = column_of(status_block(progress, VIEW, width=50), "Trial name")
    assert names == [f"{one.sweep.name}_{one.key[:8]}" for one in (*first, *second)]


def test_constants_have_no_column() -> None:
    """What does not vary is not in a table."""
    block = status_block(Progress(trials(lr=[1, 2], dataset=["cifar10"])), VIEW)
    assert "dataset" not in block
    assert "cifar10" not in block


def test_keys_that_begin_alike_are_shown_in_full() -> None:
    """Eight digits that two trials share would not tell which is meant."""
    sweep = Sweep("t.py::f", "f", varying=("word",))
    keys = ["0123456789abcdef", "0123456700000000", "89abcdef00000000"]
    some = [Trial(key, f"t.py::f[{n}]", f"f[{n}]" + "x" * 60, sweep, {"word": n}) for n, key in enumerate(keys)]
    names = column_of(status_block(Progress(some), VIEW, width=50), "Trial name")
    assert names == [*keys[:2], keys[2][:8]]


SIX: dict[str, list[Any]] = {
    "learning_rate": [0.0001, 0.001], "hidden_layer_size": [128], "optimizer": ["adam", "sgd"], "dropout": [0.1, 0.25],
    "activation_function": ["relu", "gelu"], "weight_decay": [0.0, 0.01], "batch_size": [32, 64],
}  # fmt: skip


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_six_axes_with_long_names_keep_their_columns(width: int) -> None:
    """All parameters that vary are shown with their whole names, if need be on several lines, before state and metric."""
    some = trials("train_classifier", "validation_accuracy", **SIX)  # type: ignore[arg-type]
    progress = Progress(some)
    end(progress, some, TrialState.TERMINATED, {"validation_accuracy": 0.5, "train_loss": 0.1})
    table = [line for line in status_block(progress, VIEW, width=width).splitlines() if line[0] in "+|"]
    assert all(text_width(line) <= width for line in table)
    rules = [index for index, line in enumerate(table) if line[0] == "+"]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[rules[0] + 1 : rules[1]]]
    header = ["".join(parts) for parts in zip(*lines, strict=True)]
    varying = [name for name, values in SIX.items() if len(values) > 1]
    assert header[1:7] == varying
    assert {"status", "validation_accuracy"} <= set(header[7:])
    assert "0.001" in table[rules[1] + 20]


def test_nested_parameters_have_dotted_names() -> None:
    """A value inside a nested dict is found under its dotted name."""
    sweep = Sweep("t.py::f", "f", varying=("optimizer.lr",))
    some = [Trial(str(n), f"t.py::f[{n}]", f"f[{n}]", sweep, {"optimizer": {"lr": n}}) for n in (1, 2)]
    assert table_of(status_block(Progress(some), VIEW))[:2] == [
        ["Trial name", "optimizer.lr", "status"],
        ["f[1]", "1", "PENDING"],
    ]


def test_twenty_rows_show_what_matters() -> None:
    """Failed, running and ended trials share the rows; what is left out is counted by kind."""
    some = trials(lr=list(range(100)))
    progress = Progress(some)
    start(progress, some[:65])
    end(progress, some[:3], TrialState.ERROR)
    end(progress, some[3:63], TrialState.TERMINATED)
    block = status_block(progress, VIEW, width=100)
    states = column_of(block, "status")
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
    states = column_of(status_block(progress, VIEW), "status")
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
    assert column_of(block, "status") == [
        "ERROR", "RUNNING", "TERMINATED", "STOPPED", "CACHED", "SKIPPED", "PENDING", "NOT_RUN",
    ]  # fmt: skip
    counts = "1 TERMINATED, 1 STOPPED, 1 CACHED, 1 SKIPPED, 1 ERROR, 1 RUNNING, 1 PENDING, 1 NOT_RUN"
    assert f"Number of trials: 6/8 ({counts})" in block


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
    """On a narrow terminal digits of keys stand for long names; parameters keep their names and their columns."""
    progress = realistic()
    rows = table_of(status_block(progress, VIEW, width=80))
    assert rows[0] == ["Trial name", "lr", "depth", "dropout", "activation", "status", "loss"]
    assert {row[0] for row in rows[1:]} == {entry.trial.key[:8] for entry in progress}


def test_short_names_stay_whole_at_eighty_columns() -> None:
    """A name that fits is shown whole; place, time and further metrics go."""
    some = trials(lr=[0.001, 0.01], depth=[2, 4])
    progress = Progress(some)
    start(progress, some)
    end(progress, some, TrialState.TERMINATED, {"loss": 1 / 3, "accuracy": 2 / 3, "training_iteration": 10})
    rows = table_of(status_block(progress, VIEW, width=80))
    assert rows[0] == ["Trial name", "lr", "depth", "status", "iter", "loss"]
    assert rows[1][0] == "train_model[lr=0.001-depth=2]"


def test_two_hundred_columns_show_everything() -> None:
    """On a wide terminal nothing is left out."""
    header = table_of(status_block(realistic(), VIEW, width=200))[0]
    assert header[1:7] == ["lr", "depth", "dropout", "activation", "status", "loc"]
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
    rows = table_of(status_block(progress, VIEW, lambda _: columns))
    assert rows[0] == ["Trial name", "status", "attempt", "broken"]
    assert rows[1] == ["train_model[lr=1]", "PENDING", "1", "<ZeroDivisionError>"]
    assert "Trial name" not in status_block(progress, VIEW, lambda _: [])


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
    block = status_block(progress, VIEW, lambda _: columns, 120)
    assert block.endswith("... 9980 more trials not shown (4980 TERMINATED, 5000 PENDING)")
    assert len(looked) == 20
    looked.clear()
    final_table(progress, 120, lambda _: columns)
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
    assert summary_line(progress, 60, 100.0) == (
        "sweep: 3/10 done (2 TERMINATED, 1 ERROR), 3 RUNNING, 4 PENDING, running for 00:01:00; "
        "latest train_model[lr=3] loss=0.25"
    )
    progress.update(TrialNotRun(some[9].key, "interrupted"))
    end(progress, some[4:5], TrialState.ERROR)
    assert summary_line(progress, 60, 100.0).endswith("1 NOT_RUN, running for 00:01:00; latest train_model[lr=4] ERROR")


def test_the_line_of_a_run_that_has_not_begun() -> None:
    """Nothing done is no brackets and nothing latest; a trial without metrics shows its name."""
    assert summary_line(Progress([]), 0, 100.0) == "sweep: 0/0 done, running for 00:00:00"
    some = trials(lr=[1, 2])
    progress = Progress(some)
    end(progress, some[:1], TrialState.SKIPPED)
    assert summary_line(progress, 1, 100.0).endswith("latest train_model[lr=1]")


class TestWhileTheRunGoesOn:
    """The best so far, why trials failed, and how much time is left."""

    def test_the_block(self) -> None:
        """Best trials stand above the table, failures by reason below it."""
        some = trials(lr=[1, 2, 3, 4])
        progress = Progress(some)
        leaders, failures = Leaders(progress), FailureReasons(progress)
        end(progress, some[:1], TrialState.TERMINATED, {"loss": 0.5})
        for one in some[1:3]:
            progress.update(TrialFinished(one.key, 1, TrialState.ERROR, None, "x\nValueError: bad", 2.0, 3.0))
        view = dataclasses.replace(VIEW, best=best_so_far(progress, leaders), failures=failures.all())
        lines = status_block(progress, view).splitlines()
        assert lines[7] == "Best so far: train_model[lr=1] with loss=0.5 (min)"
        assert lines[-1] == "ERROR train_model[lr=3] and 1 more: ValueError: bad"

    def test_the_line(self) -> None:
        """A line tells the best trials, by digits of the key where a name is long."""
        some = trials(lr=["x" * 80, "y" * 80])[:1]
        progress = Progress(some)
        end(progress, some, TrialState.TERMINATED, {"loss": 0.5})
        best = best_so_far(progress, Leaders(progress), 60)
        assert f"; best train_model_{some[0].key[:8]} with loss=0.5 (min); latest" in summary_line(
            progress, 1, 2.0, best
        )

    def test_the_best_changes(self) -> None:
        """It is found anew at each look; failures, NaN and what reports no metric do not count."""
        some = trials(lr=list(range(8)))
        progress = Progress(some)
        leaders = Leaders(progress)
        assert leaders.best() == []
        for one, (loss, state) in zip(
            some,
            [
                (0.5, "TERMINATED"),
                (0.7, "TERMINATED"),
                (0.1, "ERROR"),
                (math.nan, "TERMINATED"),
                (0.2, "SKIPPED"),
                (0.4, "STOPPED"),
            ],
            strict=False,
        ):
            end(progress, [one], TrialState(state), {"loss": loss})
            if one is some[1]:
                assert [entry.trial for _, entry in leaders.best()] == [some[0]]
        end(progress, some[6:7], TrialState.TERMINATED, {"other": 1})
        assert [entry.trial for _, entry in leaders.best()] == [some[5]]

    @pytest.mark.parametrize("mode", ["min", "max"])
    def test_the_best_so_far_is_the_best_in_the_end(self, mode: str) -> None:
        """When all have ended, it is what the summary calls the best, with replicates too, whatever the order of the ends."""
        random = Random(mode)
        sweep = Sweep("t.py::f", "f", "loss", mode)
        names = {(n, k): f"f[{n}#{k + 1}]" if k else f"f[{n}]" for n in range(20) for k in range(3)}
        some = [
            Trial(f"{n}-{k}", f"t.py::{name}", name, sweep, {}, replicate=k, group=f"{n}-0" if k else "")
            for (n, k), name in names.items()
        ]
        progress = Progress(some)
        leaders = Leaders(progress)
        for one in random.sample(some, len(some)):
            end(progress, [one], random.choice(list(TrialState)[2:7]), {"loss": random.random()})
            if random.random() < 0.3:
                leaders.best()
        ((_, best),) = leaders.best()
        name = name_without_replicate(best.trial.name, best.trial.replicate)
        assert best_lines(progress)[0].startswith(f"Best configuration of f: {name} with")

    def test_failures_by_reason(self) -> None:
        """The most frequent reasons come first; of very many reasons the rest is counted. New ones are told once."""
        some = trials(lr=list(range(12)))
        progress = Progress(some)
        failures = FailureReasons(progress)
        for one, reason in zip(some, [*"abbcccdefgh", ""], strict=True):
            progress.update(TrialFinished(one.key, 1, TrialState.ERROR, None, reason, 2.0, 3.0))
            if one is some[2]:
                assert failure_lines(progress, failures.new()) == [
                    "ERROR train_model[lr=2] and 1 more: b",
                    "ERROR train_model[lr=0]: a",
                ]
        assert "ERROR train_model[lr=5] and 2 more: c" in failure_lines(progress, failures.new())
        assert failures.new() == {}
        lines = failure_lines(progress, failures.all())
        assert lines[:2] == ["ERROR train_model[lr=5] and 2 more: c", "ERROR train_model[lr=2] and 1 more: b"]
        assert lines[5] == "... 4 more failed trials for 4 other reasons"

    def test_a_long_name_leaves_room_for_the_reason(self) -> None:
        """Digits of the key stand for a name that fills the line, and no line is wider than the terminal."""
        one, _ = trials(lr=["x" * 100, "y" * 100])
        progress = Progress([one])
        progress.update(TrialFinished(one.key, 1, TrialState.ERROR, None, "ValueError: " + "y" * 100, 2.0, 3.0))
        (line,) = failure_lines(progress, FailureReasons(progress).all(), 80)
        assert line.startswith(f"ERROR train_model_{one.key[:8]}: ValueError: yyy")
        assert text_width(line) == 80


def after(
    ended: Sequence[float], left: int, *, at_once: int = 2, now: float | None = None, other: int = 0
) -> float | None:
    """Return the time that is left when trials of these lengths have ended, `at_once` at a time; `other` trials of another sweep wait."""
    some = trials(n=list(range(len(ended) + left)))
    progress = Progress([*some, *trials("other", n=list(range(other)))])
    free = [0.0] * at_once
    for one, length in zip(some, ended, strict=False):
        slot = free.index(min(free))
        progress.update(TrialStarted(one.key, 1, free[slot], "here"))
        progress.update(TrialFinished(one.key, 1, TrialState.TERMINATED, None, None, length, free[slot] + length))
        free[slot] += length
    for slot, one in enumerate(some[len(ended) : len(ended) + at_once]):
        progress.update(TrialStarted(one.key, 1, free[slot % at_once], "here"))
    return remaining_seconds(progress, max(free) if now is None else now)


class TestRemainingTime:
    """It is told when it is known, and nothing is said before."""

    def test_trials_of_one_length(self) -> None:
        """With trials of 10 s, two at once, 90 that are left take 450 s."""
        assert after([10.0] * 10, 90) == pytest.approx(450, rel=0.02)

    def test_too_few(self) -> None:
        """Nothing is said of two trials, nor before as many have ended as run at once."""
        assert after([10.0] * 2, 90) is None
        assert after([10.0] * 16, 90, at_once=32, now=10.0) is None
        assert remaining_seconds(Progress(trials(n=[1, 2])), 100.0) is None

    def test_trials_of_very_different_lengths(self) -> None:
        """Where lengths differ by much, it takes more of them before something is said."""
        lengths = [1.0, 100.0, 2.0, 50.0, 1.0, 1.0]
        assert after(lengths, 90) is None
        assert after(lengths * 10, 90) == pytest.approx(90 * sum(lengths) / 6 / 2, rel=0.1)

    def test_longer_trials_still_run(self) -> None:
        """Where many run that are much longer than those that ended, nothing is said: what ended was not typical."""
        assert after([1.0] * 4, 90, now=60.0) is None

    def test_another_sweep(self) -> None:
        """Nothing is said of the whole while nothing is known of a sweep that has not begun."""
        assert after([10.0] * 10, 90, other=2) is None

    def test_the_end(self) -> None:
        """Nothing is left when nothing waits or runs."""
        assert after([10.0] * 10, 0) is None

    def test_what_was_taken_tells_nothing(self) -> None:
        """Results of earlier runs have no length in this one."""
        some = trials(n=list(range(10)))
        progress = Progress(some)
        end(progress, some[:8], TrialState.CACHED)
        start(progress, some[8:])
        assert remaining_seconds(progress, 100.0) is None

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(None, ""), (1.0, "about 5 s left"), (58.0, "about 1 min left"), (95.0, "about 1 min 30 s left"), (2000.0, "about 33 min left"),
         (7300.0, "about 2 h left"), (1e5, "about 28 h left")],
    )  # fmt: skip
    def test_it_is_rounded(self, seconds: float | None, text: str) -> None:
        """Nothing finer is shown than what can be known."""
        assert remaining_text(seconds) == text
