"""Bad input: a clear error that names the sweep, the value and the mend; no traceback of ours, and never a hang."""

from __future__ import annotations

import math
import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import numpy as np
import pytest

from pytest_sweep import load_results

from .project import Project, assert_says, output

IN_TRAIN = "sweep train in test_models.py: "


def test_an_empty_grid_is_refused(project: Project) -> None:
    """An empty grid says that it needs an axis."""
    project.write("""
        @sweep(grid={})
        def train(config): ...
    """)
    assert_says(
        project.sweep(), f"{IN_TRAIN}the grid is empty: give it at least one axis such as {{'lr': [0.1, 0.01]}}"
    )


def test_an_empty_axis_is_refused(project: Project) -> None:
    """An axis without values is named."""
    project.write("""
        @sweep(grid={"lr": [0.1], "depth": []})
        def train(config): ...
    """)
    assert_says(
        project.sweep(), f"{IN_TRAIN}the axis 'depth' has no values: give it at least one, or leave the key out"
    )


def test_a_string_where_a_list_belongs_is_refused(project: Project) -> None:
    """A string in place of an axis is not taken apart into letters."""
    project.write("""
        @sweep(grid={"model": "resnet"})
        def train(config): ...
    """)
    assert_says(
        project.sweep(),
        f"{IN_TRAIN}the axis 'model' is the string 'resnet': an axis is a list of values, write ['resnet']",
    )


def test_an_unknown_argument_suggests_the_nearest(project: Project) -> None:
    """A misspelt argument of sweep gets the name that was meant."""
    project.write("""
        @sweep(grdi={"lr": [0.1]})
        def train(config): ...
    """)
    assert_says(project.sweep(), f"{IN_TRAIN}sweep() has no argument 'grdi': did you mean 'grid'?")


def test_several_bad_arguments_are_told_at_once(project: Project) -> None:
    """Nobody has to run pytest three times to learn of three mistakes."""
    project.write("""
        @sweep(grid={"lr": [0.1]}, mode="minimum", retries=-1, metric=5, banana=1)
        def train(config): ...
    """)
    assert_says(
        project.sweep(),
        IN_TRAIN,
        "sweep() has no argument 'banana': there are average_over, backoff, config_arg, configs, ",
        "mode='minimum' is not 'min' or 'max'",
        "retries=-1 is not a number of retries, 0 or more",
        "metric=5 is not the name of a metric",
    )


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("retry_on=5", "retry_on=5: 5 is neither an exception class nor a text such as 'CUDA out of memory'"),
        ("backoff='soon'", "backoff='soon' is not a number of seconds or a text such as '10s' or '5m'"),
        ("timeout=0", "timeout=0 is not a number of seconds or a text such as '10s' or '5m' above 0, or None"),
        ("worker_retries=-1", "worker_retries=-1 is not a number of retries, 0 or more"),
        ("tolerate='100%'", "tolerate='100%' is not a number of trials such as 3, or a share of them such as '5%'"),
        ("tolerate=0.05", "tolerate=0.05 is not a number of trials such as 3, or a share of them such as '5%'"),
    ],
)
def test_a_bad_rule_for_failures_is_refused(project: Project, argument: str, message: str) -> None:
    """What is wrong in the rules for failures is told at collection, with the value and what to write."""
    project.write(f"""
        @sweep(grid={{"lr": [0.1]}}, {argument})
        def train(config): ...
    """)
    assert_says(project.sweep(), f"{IN_TRAIN}{message}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "metric='loss'",
            "metric='loss' needs mode=: give mode='min' if lower values are better, or mode='max' if higher ones are",
        ),
        ("keep_best='loss'", "keep_best='loss' needs mode=: give mode='min' if lower"),
        (
            "mode='min'",
            "mode='min' says which value of a metric is best, and there is no metric: give metric=, or leave out mode=",
        ),
        ("average_over=3", "average_over=3 is not a list of names such as ['fold']"),
        (
            "average_over=['fodl']",
            "average_over='fodl' is neither an argument of a stacked parametrize, nor a parametrized fixture, nor a key of the space: did",
        ),
    ],
)
def test_what_a_sweep_is_judged_by_is_said_completely(project: Project, arguments: str, message: str) -> None:
    """No mode is meant by silence, as in Tune, and what is averaged over must be there."""
    project.write(f"""
        @sweep(grid={{"net": {{"lr": [0.1]}}, "seed": [1]}}, {arguments})
        @pytest.mark.parametrize("fold", [0, 1])
        def train(config, fold): ...
    """)
    assert_says(project.sweep(), f"{IN_TRAIN}{message}")


def test_names_to_average_over_are_listed(project: Project) -> None:
    """An unknown name is told together with the nearest one, and all that there are."""
    project.write("""
        @sweep(grid={"net": {"lr": [0.1]}, "seed": [1]}, average_over=["fodl"])
        @pytest.mark.parametrize("fold", [0, 1])
        def train(config, fold): ...
    """)
    assert_says(project.sweep(), "did you mean 'fold'? There are 'fold', 'net.lr', 'seed'")


def test_grid_and_configs_together_are_refused(project: Project) -> None:
    """A grid and a list of configurations contradict each other."""
    project.write("""
        @sweep(grid={"lr": [0.1]}, configs=[{"lr": 0.1}])
        def train(config): ...
    """)
    assert_says(project.sweep(), f"{IN_TRAIN}grid= and configs= contradict each other: give one of them")


def test_neither_grid_nor_configs_is_refused(project: Project) -> None:
    """A sweep over nothing says what it needs, also when the brackets were forgotten."""
    project.write("""
        @sweep()
        def train(config): ...
    """)
    assert_says(
        project.sweep(), f"{IN_TRAIN}it has nothing to try: give grid={{...}}, space={{...}} or configs=[{{...}}, ...]"
    )


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("grid={1: [0.1]}", "the grid has the key 1 (int): keys are strings, write '1'"),
        ("configs=[{None: 0.1}]", "configs[0] has the key None (NoneType): keys are strings, write 'None'"),
        ("grid={'model': {2: [0.1]}}", "'model' has the key 2 (int): keys are strings, write '2'"),
    ],
)
def test_a_key_that_is_no_string_is_refused(project: Project, written: str, said: str) -> None:
    """Keys are strings, at every depth of a grid and in configurations."""
    project.write(f"""
        @sweep({written})
        def train(config): ...
    """)
    assert_says(project.sweep(), IN_TRAIN + said)


def test_an_argument_that_nothing_provides_is_refused(project: Project) -> None:
    """An argument that is neither key, fixture nor config is named, with the keys that there are."""
    project.write("""
        @sweep(grid={"lr": [0.1], "depth": [2]})
        def train(lr, dept): ...
    """)
    assert_says(
        project.sweep(),
        f"{IN_TRAIN}its argument 'dept' is neither a key of the space (lr, depth), nor a fixture, nor 'config'",
    )


def test_two_sweeps_on_one_function_are_refused(project: Project) -> None:
    """Of two decorators neither is dropped silently."""
    project.write("""
        @sweep(grid={"lr": [0.1]})
        @sweep(grid={"depth": [2]})
        def train(config): ...
    """)
    assert_says(
        project.sweep(),
        f"{IN_TRAIN}it has two @sweep decorators: a function is one sweep. Join the grids into one, or add the second "
        "dimension with @pytest.mark.parametrize",
    )


@pytest.mark.parametrize("key", ["config", "trial", "request"])
def test_a_reserved_key_is_refused(project: Project, key: str) -> None:
    """A key called like an argument of trials gets another name proposed."""
    project.write(f"""
        @sweep(grid={{"{key}": [0.1]}})
        def train(lr=1): ...
    """)
    assert_says(
        project.sweep(),
        f"{IN_TRAIN}the space has the key '{key}', which is the name of a fixture or an argument of trials: "
        f"rename the key, for example to 'my_{key}'",
    )


@pytest.mark.parametrize("scope", ["function", "module", "session"])
def test_a_fixture_called_like_a_key_is_refused(project: Project, scope: str) -> None:
    """A fixture of any scope that has the name of a key is a collection error that names both."""
    project.write(f"""
        @pytest.fixture(scope="{scope}")
        def lr():
            return 1
    """, "conftest.py")  # fmt: skip
    project.write("""
        @sweep(grid={"lr": [0.1]})
        def train(lr): ...
    """)
    assert_says(
        project.sweep(),
        f"{IN_TRAIN}its argument 'lr' is both a key of the space and the {scope}-scoped fixture 'lr' of ",
        "rename one of them",
    )


def test_a_fixture_called_config_names_the_way_out(project: Project) -> None:
    """A project that has a fixture called config is told of config_arg."""
    project.write("""
        @pytest.fixture(scope="session")
        def config():
            return 1

        @sweep(grid={"lr": [0.1]})
        def train(config): ...
    """)
    assert_says(
        project.sweep(),
        f"{IN_TRAIN}its argument 'config' is both the configuration and the session-scoped fixture 'config' of "
        "test_models.py: rename the fixture, or name another argument for the configuration with "
        "@sweep(..., config_arg='cfg')",
    )


def test_a_wider_fixture_that_takes_a_key_is_refused(project: Project) -> None:
    """A session fixture cannot depend on a key, which changes from trial to trial; pytest's message names fixture and key."""
    project.write("""
        @pytest.fixture(scope="session")
        def data(lr):
            return lr

        @sweep(grid={"lr": [0.1, 0.2]})
        def train(data): ...
    """)
    assert_says(project.sweep(), "ScopeMismatch", "fixture lr with a session scoped request", "def data(lr)")


def test_a_configuration_that_cannot_be_pickled_names_the_key(project: Project) -> None:
    """What no worker can get is an error of collection, before anything is started."""
    project.write("""
        import threading

        @sweep(grid={"lr": [0.1], "lock": [pytest.param(threading.Lock(), id="lock")]})
        def train(config): ...
    """)
    assert_says(
        project.plain("--sweep", "--sweep-executor=ray", "--collect-only"),
        IN_TRAIN,
        "of 'lock' cannot be pickled (cannot pickle '_thread.lock' object), so that no worker can get it: make it in the trial "
        "from plain values, or run with --sweep-executor=inline",
    )


def test_what_cannot_be_pickled_runs_inline(project: Project) -> None:
    """The way out that the message names works."""
    project.write("""
        import threading

        @sweep(grid={"lock": [pytest.param(threading.Lock(), id="lock")]})
        def train(lock):
            with lock:
                return 1
    """)
    result = project.sweep()
    assert result.ret == 0, output(result)
    assert project.only().metrics["value"] == 1  # type: ignore[index]


def test_a_value_that_cannot_be_told_from_others_is_refused(project: Project) -> None:
    """A value without content cannot be the identity of a trial; it is named, with the way to name it."""
    project.write("""
        import threading

        @sweep(grid={"lock": [threading.Lock()]})
        def train(lock): ...
    """)
    assert_says(
        project.sweep(),
        f"{IN_TRAIN}the axis 'lock': <unlocked _thread.lock object at ",
        "cannot be told from other values: ",
        "give it a name of its own: pytest.param(value, id='...')",
    )


def test_arrays_as_metrics(project: Project) -> None:
    """A small array is stored as a list; a large one is refused where it is reported, with the advice to save a checkpoint."""
    project.write("""
        import numpy

        @sweep(grid={"how": ["small", "report", "return"]})
        def train(how):
            if how == "small":
                return {"per_class": numpy.array([0.5, 0.25])}
            if how == "return":
                return {"weights": numpy.zeros((50, 50))}
            report({"weights": numpy.zeros((50, 50))})
            raise AssertionError("reached")
    """)
    result = project.sweep()
    result.assert_outcomes(passed=1, failed=2)
    metrics = project.grid()[0].metrics
    assert metrics is not None
    assert metrics["per_class"] == [0.5, 0.25]
    advice = "save the array as a checkpoint: trial.report(metrics, checkpoint=path)"
    assert "reached" not in (project.grid()[1].error or "reached")
    assert all(advice in (one.error or "") for one in project.grid()[1:])


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("object()", "metric 'loss' is <object object at "),
        ("[1, {'deep': {1, 2}}]", "metric 'loss[1].deep' is {1, 2} (set)"),
        ("b'1'", "metric 'loss' is b'1' (bytes)"),
    ],
)
def test_a_metric_that_is_not_plain_fails_the_trial(project: Project, written: str, said: str) -> None:
    """A report with a value that cannot be stored names the metric, the value and what can be."""
    project.write(f"""
        @sweep(grid={{"lr": [0.1]}})
        def train(trial):
            return {{"loss": {written}}}
    """)
    assert_says(
        project.sweep(),
        f"train[lr=0.1] returned what is not metrics: {said}",
        "report numbers, strings, booleans, None, or lists and dicts of them",
    )
    assert project.only().state == "ERROR"


def test_a_report_that_is_not_plain_shows_the_users_line(project: Project) -> None:
    """report() raises in the line of the user that called it, and shows nothing of ours above."""
    project.write("""
        @sweep(grid={"lr": [0.1]})
        def train(trial):
            trial.report({"loss": {1, 2}})
    """)
    result = project.sweep()
    assert_says(
        result, '>       trial.report({"loss": {1, 2}})', "metric 'loss' is {1, 2} (set): report numbers, strings"
    )


def test_plain_scalars_of_libraries_are_converted(project: Project) -> None:
    """Numpy's scalars and zero-dimensional arrays are stored as the numbers that they hold; NaN and infinities stay."""
    project.write("""
        import numpy as np

        @sweep(grid={"lr": [0.1]})
        def train(trial):
            trial.report({"loss": np.float32(0.5), "count": np.int64(3), "array": np.array(2.5), "flag": np.bool_(True)})
            return {"nan": float("nan"), "most": float("inf"), "least": -np.inf, "list": [np.float64(1), None, "text"]}
    """)
    result = project.sweep()
    assert result.ret == 0, output(result)
    metrics = project.only().metrics
    assert metrics is not None
    assert math.isnan(metrics.pop("nan"))
    names = ("loss", "count", "array", "flag", "most", "least", "list")
    assert {name: metrics[name] for name in names} == {
        "loss": 0.5, "count": 3, "array": 2.5, "flag": True, "most": math.inf, "least": -math.inf, "list": [1.0, None, "text"],
    }  # fmt: skip
    assert not any(isinstance(value, np.generic) for value in metrics.values())
    assert isinstance(metrics["flag"], bool)


@pytest.mark.parametrize(
    ("returned", "shown"), [("'done'", "'done' (str)"), ("True", "True (bool)"), ("[1]", "[1] (list)")]
)
def test_a_body_that_returns_something_else_fails(project: Project, returned: str, shown: str) -> None:
    """A body that returns neither metrics, a number nor None is a failure that says what it returned."""
    project.write(f"""
        @sweep(grid={{"lr": [0.1]}})
        def train(lr):
            return {returned}
    """)
    assert_says(
        project.sweep(),
        f"train[lr=0.1] returned what is not metrics: metrics are a dict such as {{'loss': 0.1}}, not {shown}. "
        "A body returns a dict of metrics, a number or None",
    )
    assert project.only().state == "ERROR"


def test_a_generator_that_yields_something_else_fails(project: Project) -> None:
    """What a generator yields is a report; anything else is named."""
    project.write("""
        @sweep(grid={"lr": [0.1]})
        def train(lr):
            yield "epoch 1"
    """)
    assert_says(
        project.sweep(),
        "train[lr=0.1] yielded what is not a report: metrics are a dict such as {'loss': 0.1}, not 'epoch 1' (str)",
    )


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("cpu=-1", "cpu=-1 is negative"),
        ("gpus=1", "'gpus' is not a resource: did you mean 'gpu'?"),
        ("tpu_v9=1", "'tpu_v9' is not a resource: "),
        ("memory='4 bananas'", "memory='4 bananas' cannot be parsed: write bytes, or a number and a unit such as '4GiB' or '500MB'"),
        ("memory='4 gigs'", "memory='4 gigs' cannot be parsed: write bytes, or a number and a unit such as '4GiB' or '500MB'"),
        ("cpu='two'", "cpu='two' is not a number"),
        ("workers=0", "workers=0 is less than one"),
        ("workers=-4", "workers=-4 is less than one"),
        ("workers=4, strategy='PAKC'", "strategy='PAKC' does not exist: did you mean 'PACK'?"),
        ("labels={'zone': 1}", "labels={'zone': 1}: names and values are texts"),
        ("lambda config: {'gpus': 1}", "'gpus' is not a resource: did you mean 'gpu'?"),
        ("lambda config: {'gpu': config['tp']}", "its function raised KeyError: 'tp'"),
        ("lambda config: 4", "its function returned 4, not a dict such as {'cpu': 2}"),
        ("custom={'license': -2}", "custom['license']=-2 is negative"),
        ("cpu=float('inf')", "cpu=inf is not a number"),
        ("gpu=float('nan')", "gpu=nan is not a number"),
        ("memory=10**400", "memory=10**400 is more than any node has"),
        ("custom={'a': float('inf')}", "custom['a']=inf is not a number"),
        ("workers=10**9", "workers=1000000000 is more than 100000, the most that a gang can have"),
        ("lambda config: {'memory': float('inf')}", "memory=inf is not a number"),
        ("lambda config: {'cpu': 1e300}", "cpu=1e+300 is more than any node has"),
        ("custom=['license']", "custom=['license'] is not a dict of names and amounts"),
    ],
)  # fmt: skip
def test_bad_resources_are_refused(project: Project, written: str, said: str) -> None:
    """Resources that are negative, misspelt or unparsable are an error of collection that names trial and value."""
    project.write(f"""
        @pytest.mark.resources({written})
        @sweep(grid={{"lr": [0.1]}})
        def train(lr): ...
    """)
    assert_says(project.sweep(), f"{IN_TRAIN}@pytest.mark.resources of train[lr=0.1]: {said}")


def test_positional_resources_are_refused(project: Project) -> None:
    """resources(2) could mean anything."""
    project.write("""
        @pytest.mark.resources(2)
        @sweep(grid={"lr": [0.1]})
        def train(lr): ...
    """)
    said = (
        "its arguments are named, such as resources(cpu=1, gpu=0.5), or one function of the configuration: 2 is neither"
    )
    assert_says(project.sweep(), IN_TRAIN, said)


def test_a_request_larger_than_the_machine_is_refused(project: Project) -> None:
    """What no node can ever give is an error before the first trial; it names the trial and the largest node."""
    project.write("""
        from pathlib import Path

        @sweep(grid={"n": [1, pytest.param(2, marks=pytest.mark.resources(cpu=4096))]})
        def train(n):
            Path("ran").touch()
    """)
    assert_says(project.sweep(), "train[n=2]", "4096 CPU", "largest node")
    assert not (project.path / "ran").exists()


def test_a_gang_without_ray_is_refused(project: Project) -> None:
    """An executor that has one process for a trial says so before the first trial, and which one has more."""
    project.write("""
        @pytest.mark.resources(workers=2)
        @sweep(grid={"n": [1]})
        def train(n): ...
    """)
    assert_says(
        project.sweep(),
        "train[n=1] asks for 2 workers (PACK), and the executor inline gives a trial one process: run it with --sweep-executor=ray",
    )


@pytest.mark.parametrize("names", ["*", "HF_HOME **", "?*"])
def test_the_whole_environment_is_refused(project: Project, names: str) -> None:
    """A pattern that every variable fits is an error: there are secrets among them that no trial needs."""
    result = project.plain("--sweep", f"--sweep-env={names}")
    assert_says(result, f"--sweep-env={names}: never the whole environment: name the variables that trials need")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_an_unknown_executor_is_refused(project: Project) -> None:
    """An executor that does not exist is a usage error that names those that do."""
    result = project.plain("--sweep", "--sweep-executor=dask")
    assert_says(result, "--sweep-executor=dask: there is no such executor; there are ray, processes, inline")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


ONE_TRIAL = """
    @sweep(grid={"lr": [0.1]})
    def train(lr):
        return {"loss": lr}
"""


@pytest.mark.parametrize("folder", ["blocked", "blocked/deeper"])
def test_a_results_folder_that_cannot_be_written_is_refused(project: Project, folder: str) -> None:
    """A file in the way of the results is named, with the option that chooses another place; no trial runs."""
    project.write(ONE_TRIAL)
    (project.path / "blocked").write_text("a file")
    result = project.sweep(f"--sweep-dir={folder}")
    assert_says(
        result, f"results cannot be written to {project.path / folder}", "choose another folder with --sweep-dir"
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "test_models.py ." not in output(result)


def test_a_newer_database_is_left_untouched(project: Project) -> None:
    """A run of a newer version is neither changed nor in the way of new runs; reading it says what to do."""
    project.write(ONE_TRIAL)
    assert project.sweep().ret == 0
    (database,) = (project.path / "sweep_results").glob("*/run.db")
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    before = database.read_bytes()
    said = f"{database} was written by a newer pytest-sweep: it has schema 99"
    with pytest.raises(Exception, match="newer pytest-sweep: it has schema 99") as caught:
        load_results()
    assert said in str(caught.value)
    assert "upgrade pytest-sweep to read it" in str(caught.value)

    project.write(
        """
        def test_judge(sweep_results):
            assert len(sweep_results["train"]) == 1
        """,
        "test_judge.py",
    )
    for strictness in ((), ("-W", "error")):
        judged = project.sweep("-k", "judge", *strictness)
        judged.assert_outcomes(failed=1, deselected=1, warnings=1)
        assert "1 of 1 trials of train have no stored result" in output(judged)
        assert f"PytestWarning: passed over: {said}" in output(judged)
    again = project.sweep()
    assert again.ret == 0, output(again)
    assert project.only().metrics["loss"] == 0.1  # type: ignore[index]
    assert database.read_bytes() == before


def test_two_runs_at_once_in_one_folder_both_work(project: Project) -> None:
    """Two sessions that write results at the same time have a run folder each, complete."""
    project.write("""
        import os, time
        from pathlib import Path

        @sweep(grid={"n": list(range(5))})
        def train(n):
            me, other = os.environ["ME"], os.environ["OTHER"]
            Path(f"{me}-{n}").touch()
            while not Path(f"{other}-{n}").exists():  # Side by side, trial for trial.
                time.sleep(0.005)
            return {"me": me}
    """)
    command = [sys.executable, "-m", "pytest", "--sweep", "--sweep-executor=inline", "-p", "no:cacheprovider"]
    sessions = [
        subprocess.Popen(
            command,
            cwd=project.path,
            env={**os.environ, "ME": me, "OTHER": other},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for me, other in (("a", "b"), ("b", "a"))
    ]
    texts = [session.communicate(timeout=60)[0] for session in sessions]
    assert [session.returncode for session in sessions] == [0, 0], texts
    runs = [load_results(folder.parent) for folder in (project.path / "sweep_results").glob("*/run.db")]
    writers = [{result.metrics["me"] for result in run["train"] if result.metrics} for run in runs]
    assert sorted(map(sorted, writers)) == [["a"], ["b"]]
    assert [run["train"].num_terminated for run in runs] == [5, 5]


def test_a_sweep_on_a_class_is_refused(project: Project) -> None:
    """@sweep decorates functions; on a class it says so."""
    project.write("""
        @sweep(grid={"lr": [0.1]})
        class TestModels:
            def test_it(self): ...
    """)
    assert_says(project.sweep(), "TestModels in test_models.py: @sweep decorates a function or a method, not a class")


@pytest.mark.parametrize("argument", ["config", "lr"])
def test_a_default_value_is_refused(project: Project, argument: str) -> None:
    """A default of an argument that the space gives would hide the configuration."""
    project.write(f"""
        @sweep(grid={{"lr": [0.1]}})
        def train({argument}=None): ...
    """)
    assert_says(
        project.sweep(),
        f"{IN_TRAIN}its argument '{argument}' has a default value, which pytest would take instead of the space's: "
        "remove the default",
    )


@pytest.mark.parametrize(
    ("stop", "said"),
    [
        ("{'loss': 'less than 1'}", "stop={'loss': 'less than 1'}: write a number (at least that) or a comparison such as "),
        ("{'loss': '< small'}", "stop={'loss': '< small'}: write a number (at least that) or a comparison such as "),
        ("{3: 1}", "stop={3: ...}: the name of a metric is a string"),
        ("0.1", "stop=0.1 is not a dict such as {'loss': '< 0.1'}"),
    ],
)  # fmt: skip
def test_a_bad_stop_rule_is_refused(project: Project, stop: str, said: str) -> None:
    """A stop rule that cannot be read is an error of collection with an example."""
    project.write(f"""
        @sweep(grid={{"lr": [0.1]}}, stop={stop})
        def train(lr): ...
    """)
    assert_says(project.sweep(), IN_TRAIN + said)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--sweep-num-cpus=0", "--sweep-num-cpus=0: 0 is less than 1"),
        ("--sweep-num-gpus=-1", "--sweep-num-gpus=-1: -1 is negative"),
        ("--sweep-max-concurrent=many", "--sweep-max-concurrent=many: 'many' is not a whole number"),
        (
            "--sweep-status-interval=x",
            "--sweep-status-interval=x: 'x' is not a span of time: write seconds, or 10s, 5m, 2h, 1h30m",
        ),
        ("--sweep-timeout=0", "--sweep-timeout=0: 0 is no time at all"),
        (
            "--sweep-budget=soon",
            "--sweep-budget=soon: 'soon' is not a span of time: write seconds, or 10s, 5m, 2h, 1h30m",
        ),
        ("--sweep-abort-after=-1", "--sweep-abort-after=-1: -1 is negative"),
        (
            "--sweep-status-interval=-1",
            "--sweep-status-interval=-1: '-1' is not a span of time: write seconds, or 10s, 5m, 2h, 1h30m",
        ),
        ("--sweep-seed=lucky", "--sweep-seed=lucky: 'lucky' is not a whole number"),
    ],
)
def test_a_bad_option_value_is_a_usage_error(project: Project, option: str, said: str) -> None:
    """A value that an option cannot take is named together with the option, in words."""
    result = project.sweep(option)
    assert_says(result, said)
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_a_bad_ini_value_names_its_key(project: Project) -> None:
    """A bad value in the ini file is not blamed on the command line."""
    project.write("[pytest]\nsweep_num_cpus = 0\n", "pytest.ini")
    result = project.sweep()
    assert_says(result, "the ini key sweep_num_cpus=0: 0 is less than 1")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_a_misspelt_option_is_a_usage_error(project: Project) -> None:
    """An option that does not exist is refused by pytest itself."""
    assert project.sweep("--sweep-excutor=ray").ret == pytest.ExitCode.USAGE_ERROR


def test_a_bad_sweep_does_not_hide_where_it_is(project: Project) -> None:
    """A method's error names its class and its file."""
    project.write("""
        class Models:
            @sweep(grid={})
            def train(self, config): ...
    """)
    assert_says(project.sweep(), "sweep train in test_models.py::Models: the grid is empty")


def test_an_imported_bad_sweep_is_told_once(project: Project) -> None:
    """A sweep that two files import is in error where it is defined, and only there."""
    project.write("""
        @sweep(grid={})
        def train(config): ...
    """)
    project.write("from test_models import train\n", "test_other.py")
    result = project.sweep()
    assert_says(result, "the grid is empty")
    result.assert_outcomes(errors=1)


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_a_long_argument(project: Project, executor: str) -> None:
    """A condition that is longer than any path, in an argument of its own, is a condition, also to workers."""
    project.write(ONE_TRIAL)
    condition = " or ".join(["lr < 1"] * 500)
    assert project.plain("--sweep", f"--sweep-executor={executor}", "--sweep-where", condition).ret == 0


@pytest.mark.parametrize("option", ["--sweep-dir", "--sweep-storage"])
def test_the_folder_of_nobody(project: Project, option: str) -> None:
    """A folder that begins like the home of a user who does not exist is a folder of this name."""
    project.write(ONE_TRIAL)
    assert project.sweep(f"{option}=~nobody-here/a").ret == 0
    assert (project.path / "~nobody-here" / "a").is_dir()


@pytest.mark.parametrize("name", ["a" * 300, "a/" * 3000, "x\ny", "\x1b[2J"])
def test_the_name_of_no_run(project: Project, name: str) -> None:
    """A name that no run can have is answered like one that no run has, on lines without control characters."""
    project.write(ONE_TRIAL)
    assert project.sweep().ret == 0
    result = project.sweep(f"--sweep-resume={name}")
    assert_says(result, "there is no run")
    assert [line for line in result.errlines if not line.isprintable()] == []
