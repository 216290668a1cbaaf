"""What people and machines see of a run: progress, the final block, exit status, junit, failures."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from .project import Project, output

MIXED = """
    @sweep(grid={"lr": [0.3, 0.1, 0.2]}, metric="loss", mode="min")
    def train(lr):
        if lr == 0.2:
            raise ValueError("diverged\\nat once")
        return {"loss": lr * 2}
"""


def block(result: pytest.RunResult) -> list[str]:
    """Return the lines of the final block."""
    lines = result.outlines
    start = next(index for index, line in enumerate(lines) if "= sweep results =" in line)
    return lines[start + 1 : next((i for i, line in enumerate(lines) if i > start and line.startswith("====")), None)]


def rows(result: pytest.RunResult) -> list[list[str]]:
    """Return the cells of the final table, the header first, whose lines are put together."""
    header: list[list[str]] = []
    body: list[list[str]] = []
    rules = 0
    for line in block(result):
        rules += line.startswith("+-")
        if line.startswith("| "):
            (header if rules == 1 else body).append([cell.strip() for cell in line.strip("|").split("|")])
    return [["".join(parts) for parts in zip(*header, strict=True)], *body]


def test_the_final_block_tells_what_came_out(project: Project) -> None:
    """Time, memory, executor, resources, place of the results, counts, table and best trial, in this order; failures are pytest's."""
    project.write(MIXED)
    result = project.sweep()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    (run,) = project.runs()
    text = "\n".join(block(result))
    result.stdout.fnmatch_lines([
        "*= sweep results =*",
        "== Status ==",
        "Current time: ????-??-?? ??:??:?? (running for 00:00:0*)",
        "Memory usage on this node: */* GiB",
        "Executor: inline (this process)",
        "Resources in use: 0/* CPUs, 0/* GPUs, 0.0/* GiB heap",
        f"Results: {run}",
        "Number of trials: 3/3 (2 TERMINATED, 1 ERROR)",
        "+---*",
        "| Trial name *| status *| *loss |",
        "[|+]---*",
        "| train[[]lr=0.1[]] | 0.1 | TERMINATED | *| *1 | *0.2 |",
        "| train[[]lr=0.3[]] | 0.3 | TERMINATED | *| *1 | *0.6 |",
        "| train[[]lr=0.2[]] | 0.2 | ERROR *",
        "+---*",
        "Best trial of train: train[[]lr=0.1[]] with loss=0.2 (min) after 1 iteration; config: lr=0.1",
        "*= short test summary info =*",
        "FAILED test_models.py::train[[]lr=0.2[]] - ValueError: diverged*",
        "*1 failed, 2 passed in *",
    ])  # fmt: skip
    assert "not run" not in text


@pytest.mark.parametrize(("mode", "order"), [("min", [1, 2, 3]), ("max", [3, 2, 1])])
def test_the_table_is_sorted_by_the_metric(project: Project, mode: str, order: list[int]) -> None:
    """The best trial of a sweep comes first, whatever order they were run in."""
    project.write(f"""
        @sweep(grid={{"n": [2, 3, 1]}}, metric="loss", mode="{mode}")
        def train(n):
            return n
    """)
    assert [row[0] for row in rows(project.sweep())[1:]] == [f"train[n={n}]" for n in order]


def test_without_a_metric_the_table_is_in_order_of_collection(project: Project) -> None:
    """Nothing is sorted by a metric that nobody named, and no trial is called the best."""
    project.write("@sweep(grid={'n': [2, 3, 1]})\ndef train(n):\n    return n\n")
    result = project.sweep()
    assert [row[0] for row in rows(result)[1:]] == ["train[n=2]", "train[n=3]", "train[n=1]"]
    assert "Best trial" not in output(result)


def test_at_most_twenty_rows(project: Project) -> None:
    """A large sweep shows 20 rows and says how many are left out, and of what kind."""
    project.write("""
        @sweep(grid={"n": list(range(30))}, metric="loss", mode="min")
        def train(n):
            assert n != 7, "unlucky"
            return n
    """)
    result = project.sweep()
    table = rows(result)
    assert len(table) == 21
    assert "... 10 more trials not shown (10 TERMINATED)" in block(result)


def test_eighty_columns_are_enough(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line of table or failures is wider than 80 columns, and the names still tell trials apart."""
    monkeypatch.setenv("COLUMNS", "80")
    project.write("""
        @sweep(grid={
            "learning_rate": [0.1, 0.01], "hidden_layer_size": [128, 256], "optimizer": ["adam", "a_very_long_name"],
        }, metric="validation_accuracy", mode="max")
        def train_classifier(config):
            if config["optimizer"] == "adam" and config["learning_rate"] == 0.1:
                raise RuntimeError("a long message that goes on and on, " * 5)
            return {"validation_accuracy": 0.5, "validation_loss": 0.1, "train_loss": 0.2}
    """)
    result = project.sweep()
    lines = [line for line in block(result) if line.startswith(("|", "+"))]
    assert len(lines) >= 8 + 4
    assert max(map(len, lines)) <= 80
    header, *shown = rows(result)
    assert header[1:4] == ["learning_rate", "hidden_layer_size", "optimizer"]
    assert header[-1] == "validation_accuracy"
    assert len({row[0] for row in shown}) == 8
    assert f"-k {shown[0][0]} selects" in output(result)
    project.sweep("-k", shown[0][0]).assert_outcomes(passed=1, deselected=7)


def test_one_line_summaries_where_output_is_no_terminal(project: Project) -> None:
    """In a log there is one line from time to time, and the block every ten of them."""
    project.write("""
        import time

        @sweep(grid={"n": list(range(12))})
        def train(n):
            time.sleep(0.002)
            return n
    """)
    result = project.sweep("--sweep-status-interval=0.001")
    summaries = [line for line in result.outlines if line.startswith("sweep: ") and " done" in line]
    assert len(summaries) >= 9
    line = r"sweep: 1/12 done \(1 TERMINATED\), 11 PENDING, running for 00:00:\d\d; latest train\[n=0\] value=0"
    assert any(re.fullmatch(line, summary) for summary in summaries), summaries
    assert result.outlines.count("== Status ==") == 2


def test_no_summaries_with_an_interval_of_zero(project: Project) -> None:
    """--sweep-status-interval=0 leaves only the last block."""
    project.write("@sweep(grid={'n': [1, 2]})\ndef train(n):\n    return n\n")
    result = project.sweep("--sweep-status-interval=0")
    assert not [line for line in result.outlines if line.startswith("sweep: ") and " done" in line]
    assert result.outlines.count("== Status ==") == 1


def test_quiet_keeps_what_counts(project: Project) -> None:
    """-q drops header and interim lines; the results of the sweep and the failures stay."""
    project.write(MIXED)
    result = project.sweep("-q", "--sweep-status-interval=0.001")
    text = output(result)
    assert "test session starts" not in text
    assert "sweep: executor" not in text
    assert not [line for line in result.outlines if line.startswith("sweep: ") and " done" in line]
    assert "Best trial of train: train[lr=0.1] with loss=0.2 (min)" in text
    assert "FAILED test_models.py::train[lr=0.2]" in text


def test_verbose_names_every_trial(project: Project) -> None:
    """-v shows a line for each trial, as for tests."""
    project.write(MIXED)
    result = project.sweep("-v")
    result.stdout.fnmatch_lines([
        "test_models.py::train[[]lr=0.3[]] PASSED *33%*",
        "test_models.py::train[[]lr=0.1[]] PASSED *66%*",
        "test_models.py::train[[]lr=0.2[]] FAILED *100%*",
    ])  # fmt: skip


def test_the_exit_status(project: Project) -> None:
    """0 where all went well, 1 where a trial failed, 5 where nothing was collected, 2 where collection failed."""
    assert project.sweep().ret == pytest.ExitCode.NO_TESTS_COLLECTED
    path = project.write("@sweep(grid={'n': [1]})\ndef train(n): ...\n")
    assert project.sweep().ret == pytest.ExitCode.OK
    path.write_text(path.read_text() + "\n@sweep(grid={'n': [1]})\ndef fails(n): assert 0\n")
    assert project.sweep().ret == pytest.ExitCode.TESTS_FAILED
    path.write_text(path.read_text() + "\n1 / 0  # An error of collection.\n")
    assert project.sweep().ret == pytest.ExitCode.INTERRUPTED
    assert project.sweep("-k", "nothing_is_called_so", "test_models.py").ret != pytest.ExitCode.OK


def test_an_interrupt_in_a_trial_ends_the_run(project: Project) -> None:
    """Ctrl-C during an inline trial interrupts the session as in pytest; nothing that was not run counts as done."""
    project.write("""
        @sweep(grid={"n": [1, 2, 3]})
        def train(n):
            if n == 2:
                raise KeyboardInterrupt
    """)
    result = project.sweep()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    states = [str(stored.state) for stored in project.grid()]
    assert states[0] == "TERMINATED"
    assert states[2] == "NOT_RUN"
    assert states[1] == "INTERRUPTED"
    assert "KeyboardInterrupt" in output(result)


JUNIT = """
    @sweep(grid={"model": {"depth": [1, 2]}, "name": ["a\\x00b"]}, metric="loss", mode="max")
    def train(config, trial):
        trial.report({"loss": 0.5})
        assert config["model"]["depth"] == 1, "bad \\x1b[31m bytes"

    @sweep(grid={"n": [pytest.param(1, marks=pytest.mark.skip), pytest.param(2, marks=pytest.mark.xfail)]})
    def other(n):
        assert 0

    @pytest.fixture
    def broken():
        raise RuntimeError("no data")

    @sweep(grid={"n": [1]}, retries=1)
    def setup(n, broken): ...

    @sweep(grid={"n": [1]}, retries=1)
    def retried(trial):
        assert trial.attempt == 2
        return {"score": {"val": 3}}

    def test_ordinary(): ...
"""


def test_junit_has_a_case_for_each_trial(project: Project) -> None:
    """Valid XML with one test case a trial, whatever became of it, and its configuration, metrics, state and run as properties."""
    project.write(JUNIT)
    project.sweep("--junitxml=junit.xml")
    (run,) = project.runs()
    suite = ElementTree.parse(project.path / "junit.xml").getroot().find("testsuite")
    assert suite is not None
    cases = {case.attrib["name"]: case for case in suite.findall("testcase")}
    assert len(cases) == len(suite.findall("testcase")) == 7
    counts = {name: int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": 7, "failures": 1, "errors": 1, "skipped": 2}

    def properties(name: str) -> dict[str, str]:
        found = [(one.attrib["name"], one.attrib["value"]) for one in cases[name].iter("property")]
        assert len(dict(found)) == len(found), f"{name} has a property twice"
        return dict(found)

    depths = {name: properties(name) for name in cases if name.startswith("train")}
    assert [(one["config.model.depth"], one["sweep.state"]) for one in depths.values()] == [
        ("1", "TERMINATED"),
        ("2", "ERROR"),
    ]
    for one in depths.values():
        assert one["metric.loss"] == "0.5"
        assert one["metric.training_iteration"] == "1"
        assert one["sweep.run"] == run.name
    assert properties("other[n=1]")["sweep.state"] == "SKIPPED"
    assert properties("other[n=2]")["sweep.state"] == "SKIPPED"
    assert properties("setup[n=1]")["sweep.state"] == "ERROR"
    assert properties("retried[n=1]")["metric.score.val"] == "3"
    assert properties("test_ordinary") == {}
    assert all(properties(name)["sweep.run"] == run.name for name in cases if name != "test_ordinary")


def test_a_failing_trial_reports_as_a_failing_test(project: Project) -> None:
    """The introspected diff, the trial's stdout, stderr and log, and the line that failed, and nothing of ours between."""
    project.write("""
        import logging, sys

        @sweep(grid={"lr": [0.1]})
        def train(lr):
            print("epoch 1")
            print("careful", file=sys.stderr)
            logging.getLogger("model").warning("loss is rising")
            assert {"lr": lr, "depth": 1} == {"lr": lr, "depth": 2}
    """)
    result = project.sweep()
    result.stdout.fnmatch_lines([
        "*= FAILURES =*",
        "*_ train[[]lr=0.1[]] _*",
        ">*assert {\"lr\": lr, \"depth\": 1} == {\"lr\": lr, \"depth\": 2}",
        "E*AssertionError: assert *",
        "E*Differing items:",
        "E*{'depth': 1} != {'depth': 2}",
        "test_models.py:11: AssertionError",
        "*- Captured stdout call -*",
        "epoch 1",
        "*- Captured stderr call -*",
        "careful",
        "*- Captured log call -*",
        "WARNING  model:test_models.py:10 loss is rising",
    ])  # fmt: skip
    assert "pytest_sweep/" not in output(result)


def test_output_of_a_trial_that_passed_is_kept_away(project: Project) -> None:
    """As in pytest, output shows where something failed, and with -rP or -s."""
    project.write("@sweep(grid={'n': [1]})\ndef train(n):\n    print('hello from the trial')\n")
    assert "hello from the trial" not in output(project.sweep())
    assert "hello from the trial" in output(project.sweep("-s"))
    project.sweep("-rP").stdout.fnmatch_lines(["*PASSES*", "*train[[]n=1[]]*", "hello from the trial"])


def test_warnings_of_trials_are_in_the_summary(project: Project) -> None:
    """A warning of a trial is shown with its trial, once, and counted."""
    project.write("""
        import warnings

        @sweep(grid={"n": [1]})
        def train(n):
            warnings.warn("old API", DeprecationWarning)
    """)
    result = project.sweep()
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(
        ["*warnings summary*", "test_models.py::train[[]n=1[]]", "*DeprecationWarning: old API"]
    )
    assert project.sweep("-W", "error").ret == 1


def test_two_sweeps_of_one_name_are_told_apart(project: Project) -> None:
    """Where two files have a sweep of one name, the table shows node ids, and each has a best trial."""
    for name in ("test_a.py", "test_b.py"):
        project.write("@sweep(grid={'n': [1, 2]}, metric='value', mode='max')\ndef train(n):\n    return n\n", name)
    result = project.sweep()
    text = output(result)
    for name in ("test_a.py", "test_b.py"):
        assert f"Best trial of {name}::train: {name}::train[n=2] with value=2 (max)" in text


def test_a_sweep_without_a_usable_metric_says_so(project: Project) -> None:
    """Where all trials fail, or report NaN, the line about the best trial says that there is none."""
    project.write("@sweep(grid={'n': [1]}, metric='loss', mode='max')\ndef train(n):\n    return float('nan')\n")
    text = output(project.sweep())
    assert "Best trial of train: none, because no trial ended well with a finite loss" in text
    assert "nan" in text


def test_no_block_where_no_trial_was_selected(project: Project) -> None:
    """A session with --sweep that runs no trial shows no results and makes no folder."""
    project.write(MIXED + "\n    def test_ordinary(): ...\n")
    result = project.sweep("-k", "ordinary")
    result.assert_outcomes(passed=1, deselected=3)
    assert "sweep results =" not in output(result)
    assert project.runs() == []


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_verbose_says_where_a_trial_ran(project: Project, executor: str) -> None:
    """With -v the address of its process stands beside a trial's outcome, whatever that is; not beside a test's, nor without -v."""
    project.write("""
        @sweep(grid={"n": [1, 2, 3]})
        def train(n):
            if n == 3:
                pytest.skip("too large")
            assert n == 1

        def test_ordinary(): ...
    """)
    text = output(project.plain("--sweep", f"--sweep-executor={executor}", "-v"))
    assert re.search(r"train\[n=1\] PASSED \(\S+:\d+\)", text)
    assert re.search(r"train\[n=2\] FAILED \(\S+:\d+\)", text)
    assert re.search(r"train\[n=3\] SKIPPED \(\S+:\d+\)", text)
    assert re.search(r"test_ordinary PASSED +\[", text)
    assert (
        ":"
        not in output(project.plain("--sweep", f"--sweep-executor={executor}"))
        .split("test_models.py ")[1]
        .splitlines()[0]
    )
