"""The whole output of a session as people read it: narrow and wide, quiet and verbose, while it goes on and in the end."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from tests.support.sessions import Session, wait_for

from .project import Project, output

HARD = """
    @sweep(
        grid={
            "learning_rate": [0.0001, 0.001], "hidden_layer_size": [128, 256], "optimizer": ["adam", "sgd"], "dropout": [0.1],
            "activation_function": ["relu", "a name of several words (long)"], "weight_decay": [0.0, 0.01], "warm_up": [True, False],
            "dataset": ["cifar10"],
        },
        metric="validation_accuracy", mode="max", retries=1,
    )
    def train_classifier(config, trial):
        if config["optimizer"] == "sgd" and config["learning_rate"] == 0.001:
            raise RuntimeError("CUDA out of memory: " + "x" * 100)
        if trial.attempt == 1 and config["warm_up"] and config["weight_decay"]:
            raise OSError("connection reset")
        return {"validation_accuracy": config["learning_rate"] * 100 + config["hidden_layer_size"] / 1000, "train_loss": 0.1}

    @sweep(grid={"depth": [2, 4, 8], "layers": [[64, 32], [128]]}, metric="rmse", mode="min")
    def fit_forest(depth, layers):
        assert depth != 8, "too deep"
        return {"rmse": 1 / depth + len(layers)}

    @sweep(grid={"text": ["日本語", "emoji🎉", "a b", "it's", "x" * 150]})
    def tokenise(text):
        return len(text)
"""
AXES = ["learning_rate", "hidden_layer_size", "optimizer", "activation_function", "weight_decay", "warm_up"]


def tables(text: str) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Yield the header, its lines put together, and the rows of each table in the final block."""
    lines = text.partition("= sweep results =")[2].splitlines()
    rules = [index for index, line in enumerate(lines) if line.startswith("+-")]
    for top, middle, bottom in zip(*[iter(rules)] * 3, strict=True):
        header, rows = (
            [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[start + 1 : end]]
            for start, end in ((top, middle), (middle, bottom))
        )
        yield ["".join(parts) for parts in zip(*header, strict=True)], rows


@pytest.mark.parametrize("width", [80, 200])
def test_hard_tables(project: Project, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """Each sweep has its table, where what varies comes first, by name; each name in it selects exactly its trial."""
    monkeypatch.setenv("COLUMNS", str(width))
    project.write(HARD)
    text = output(project.sweep("--tb=no", "-rN"))
    found = list(tables(text))
    assert [header[1:-1][: len(AXES)] for header, _ in found[:1]] == [AXES]
    assert [header[1:3] for header, _ in found[1:]] == [["depth", "layers"], ["text", "status"]]
    assert [header[-1] for header, _ in found if header[-1] != "train_loss"][-2:] == ["rmse", "value"]
    assert "validation_accuracy" in found[0][0]
    assert "cifar10" not in text.partition("Best trial")[0]
    assert all(len(line) <= width for line in text.splitlines() if line.startswith(("+-", "| train", "train_")))
    for (header, rows), name in zip(found, ["train_classifier", "fit_forest", "tokenise"], strict=True):
        trials = {(one.key[:8], one.name): one.config for one in project.grid(name)}
        for row in [rows[0], rows[-1]]:
            ((_, config),) = [item for item in trials.items() if row[0] in item[0]]
            (selected,) = project.ids("-k", row[0])
            assert selected.partition("::")[2] in {full for (_, full) in trials if trials[_, full] == config}
            axis = header[1]
            assert row[1].rstrip("…") in str(config[axis])


def test_the_run_as_it_goes_on(project: Project) -> None:
    """In a pipe the lines tell the best trial so far, and each failure with its reason once, soon after it has failed."""
    project.write("""
        import time

        @sweep(grid={"n": list(range(12))}, metric="loss", mode="min")
        def train(n):
            time.sleep(0.01)
            if n in (3, 7):
                raise ValueError(f"bad n: {n}")
            return {"loss": 20 - n}
    """)
    result = project.sweep("--sweep-status-interval=0.001")
    lines = result.outlines
    failed = [index for index, line in enumerate(lines) if line == "ERROR train[n=3]: ValueError: bad n: 3"]
    assert failed
    assert re.match(
        r"sweep: 4/12 done \(3 TERMINATED, 1 ERROR\), .*; best train\[n=2\] with loss=18 \(min\); latest",
        lines[failed[0] - 1],
    )
    block = lines.index("== Status ==")
    assert re.match(r"Number of trials: 1\d/12 \(.* TERMINATED, .*PENDING\)", lines[block + 6])
    assert re.match(r"Best so far: train\[n=\d+\] with loss=1\d \(min\)", lines[block + 7])


def test_verbose(project: Project) -> None:
    """With -v the metric stands beside an outcome, or the reason of a failure; the metric of the sweep before others."""
    project.write("""
        @sweep(grid={"n": [1, 2, 3, 4]}, metric="loss", mode="min", retries=1, retry_on=OSError)
        def train(n, trial):
            if n == 2:
                raise ValueError("bad")
            if n == 3 and trial.attempt == 1:
                raise OSError("gone")
            if n == 4:
                pytest.skip("too large")
            return {"accuracy": 1, "loss": n / 4}

        @sweep(grid={"n": [1]})
        def other(n):
            return {"rmse": 0.5}

        def test_ordinary(): ...
    """)
    lines = project.sweep("-v").outlines
    shown = [line.partition(" ")[2] for line in lines if "::" in line and line.startswith("test_models")]
    beside = [re.sub(r" +\[ *\d+%\]$", "", re.sub(r"\(\S+:\d+\)", "(here)", line)) for line in shown]
    assert beside == [
        "PASSED",
        "PASSED (here) loss=0.25",
        "FAILED (here) - ValueError: bad",
        "RERUN - OSError: gone",
        "PASSED (here) loss=0.75",
        "SKIPPED (here) (too large)",
        "PASSED (here) rmse=0.5",
    ]


FAILING = "@sweep(grid={'n': [1, 2]})\ndef train(n):\n    if n == 2:\n        raise ValueError('bad ' + 'luck')\n"


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        ((), ["E           ValueError: bad luck", "FAILED test_models.py::train[n=2] - ValueError: bad luck"]),
        (("-rN",), ["E           ValueError: bad luck"]),
        (("--tb=no",), ["FAILED test_models.py::train[n=2] - ValueError: bad luck"]),
        (("--tb=no", "-rN"), ["train[n=2]: ValueError: bad luck"]),
    ],
)
def test_a_failure_is_reported_once(project: Project, arguments: tuple[str, ...], lines: list[str]) -> None:
    """The section of failures has all of it, the short summary the cause; we repeat it only if pytest is told to show neither."""
    project.write(FAILING)
    assert [line for line in project.sweep(*arguments).outlines if "bad luck" in line] == lines


def test_a_reason_that_has_no_room(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the short summary has no room for reasons, and nothing else tells them, we do; on a CI it is not cut."""
    monkeypatch.setenv("COLUMNS", "80")
    project.write(FAILING.replace("[1, 2]", "['x' * 60, 2]").replace("n == 2", "n != 2"))
    assert "ValueError: bad luck" in output(project.sweep("--tb=no")).partition("sweep results =")[2]
    monkeypatch.setenv("CI", "1")
    assert output(project.sweep("--tb=no")).count("ValueError: bad luck") == 1


@pytest.mark.parametrize("ci", ["", "1"])
def test_the_failure_of_a_killed_trial_is_reported_once(
    project: Project, monkeypatch: pytest.MonkeyPatch, ci: str
) -> None:
    """The stacks and the cause stand in pytest's section once, in its style, and the short summary has the cause alone."""
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("COLUMNS", "140")
    project.write("""
        import time

        @sweep(grid={"n": [1]}, timeout=1)
        def train(n):
            time.sleep(60)
    """)
    result = project.plain("--sweep", "--sweep-executor=processes")
    cause = "TimeoutError: the attempt took longer than 1 s, and its process was ended"
    assert [line for line in result.outlines if cause in line] == [
        f"E   {cause}",
        f"FAILED test_models.py::train[n=1] - {cause}",
    ]
    assert output(result).count("most recent call first") == 1
    assert "test_models.py:6: in train" in result.outlines


@pytest.mark.parametrize(
    "arguments", [("-q",), ("-qq",), ("--no-summary",), ("--color=no",), ("--no-header", "-v"), ("-vv", "--tb=line")]
)
def test_quiet_and_plain(project: Project, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
    """Nothing breaks, and nothing is coloured, where little is to be shown."""
    monkeypatch.setenv("COLUMNS", "40")
    project.write(HARD)
    result = project.sweep(*arguments, "-k", "fit_forest or tokenise")
    text = output(result)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "\x1b[" not in text
    assert "INTERNALERROR" not in text
    assert ("= sweep results =" in text) is ("--no-summary" not in arguments)


def test_no_color(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR is obeyed, and without it what is best is green."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    project.write(HARD)
    assert "\x1b[32mBest trial of fit_forest" in output(project.sweep("--color=yes", "-k", "fit_forest"))
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in output(project.sweep("-k", "fit_forest"))


def test_plugins_without_names(project: Project) -> None:
    """A plugin whose hook fails is told by its name; one without a name by its class and file."""
    project.write("@sweep(grid={'n': [1, 2]})\ndef train(n):\n    return n\n")
    path = project.write(
        """
        class Watcher:
            def pytest_sweep_trial_finish(self, trial, result):
                raise ValueError("broken")

        def pytest_configure(config):
            config.pluginmanager.register(Watcher())
            config.pluginmanager.register(Watcher(), "named")
        """,
        "conftest.py",
    )
    text = output(project.sweep())
    assert f"warning: pytest_sweep_trial_finish of Watcher ({path}) failed (2 times):" in text
    assert "warning: pytest_sweep_trial_finish of named failed (2 times):" in text


def test_the_status_reaches_a_pipe_at_once(project: Project, start: Callable[..., Session]) -> None:
    """A line of status is in a log while no trial ends, though Python buffers what goes to a pipe."""
    project.write("""
        import time

        @sweep(grid={"n": [1, 2]})
        def train(n):
            time.sleep(0 if n == 1 else 600)
    """)
    session = start("--sweep-executor=processes", "--sweep-max-concurrent=1", "--sweep-status-interval=0.5")
    wait_for(lambda: "sweep: 1/2 done" in session.output, "a line of status")
