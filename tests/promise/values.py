"""The configuration belongs to the user: each attempt has its own, and what was tried is what is stored and given back."""

from __future__ import annotations

import json
import math
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

from tests.acceptance.project import Project
from tests.support import kinds
from tests.support.kinds import KINDS

from .base import Executor

CHANGING = """
    import threading
    import numpy as np

    LOCK = threading.Lock()

    @sweep(grid={"layers": [[64]], "lr": [1, 2, 3], "opt": [{"name": "adam", "betas": (0.9, [1])}]}, retries=1)
    def train(config, layers, trial):
        assert config["layers"] is layers
        rate = config.pop("lr")
        layers.append(10)
        config["opt"]["betas"][1].append(rate)
        config["opt"]["name"] = "sgd"
        config["new"] = 1
        assert trial.config["lr"] == rate and "new" not in trial.config and trial.config["layers"] == [64]
        if trial.attempt == 1:
            raise OSError("try again")
        return {"layers": len(layers), "betas": len(config["opt"]["betas"][1])}

    @sweep(grid={"data": [np.zeros(3)], "k": [1, 2]}, retries=1)
    def arrays(data, k, trial):
        assert data.sum() == 0
        data += k
        if trial.attempt == 1:
            raise OSError("try again")

    def test_results(sweep_results):
        for result, rate in zip(sweep_results["train"], (1, 2, 3), strict=True):
            assert result.config == {"layers": [64], "lr": rate, "opt": {"name": "adam", "betas": (0.9, [1])}}
            assert (result.metrics["layers"], result.metrics["betas"]) == (2, 2)
        assert [result.config["data"].tolist() for result in sweep_results["arrays"]] == [[0, 0, 0]] * 2
"""

ALL_KINDS = """
    from kinds import KINDS, PARTIAL, numpy_kinds, same

    VALUES = {**KINDS, **numpy_kinds()}

    @sweep(configs=[{"kind": kind, "value": value} for kind, value in VALUES.items()])
    def train(kind, value):
        assert same(value, VALUES[kind])

    @sweep(configs=[{"function": PARTIAL}])
    def partial(function):
        assert function() == 1.0

    def test_same(sweep_results):
        found = [result.config for result in sweep_results["train"]]
        wrong = [config for config in found if not same(config, {"kind": config["kind"], "value": VALUES[config["kind"]]})]
        assert not wrong
        (result,) = sweep_results["partial"]
        assert result.config["function"].func is PARTIAL.func and result.config["function"].keywords == {"x": 1.0}
"""

HUGE = """
    import math

    @sweep(grid={"n": [10**5000, -(2**70), 2**63], "more": [[10**5000, {1: 10**5000}]]}, metric="m", mode="max", repeats=2)
    def train(n, more, trial):
        trial.report({"m": n, "list": [n, math.nan]})
        return {"m": n, "huge": 10**400}

    @sweep(grid={"n": [1, 2, 3]}, metric="m", mode="min")
    def odd(n):
        return {"m": [math.nan, math.inf, 0.5][n - 1], "less": -math.inf}

    @sweep(grid={"n": [10**30, "x", -1, None, 3]})
    def iterations(n):
        return {"training_iteration": n}

    def test_results(sweep_results):
        results = sweep_results["train"]
        assert [r.config["n"] for r in results] == [10**5000, -(2**70), 2**63] * 2
        assert all(r.metrics["m"] == r.config["n"] and r.metrics["huge"] == 10**400 for r in results)
        assert all(math.isnan(r.metrics_history[0]["list"][1]) for r in results)
        assert repr(results[0])
        nan, infinite, plain = (r.metrics for r in sweep_results["odd"])
        assert math.isnan(nan["m"]) and infinite["m"] == math.inf and plain["less"] == -math.inf
"""

DRAWN = """
    from pytest_sweep import choice, sample_from, uniform

    @sweep(space={"act": choice([{"name": "relu", "mult": uniform(1, 2)}])}, num_samples=2)
    def in_choice(act):
        assert 1 <= act["mult"] < 2

    @sweep(grid={"opt": [{"name": "adam", "lr": uniform(0, 1)}, {"name": "sgd"}], "n": [[sample_from(lambda config: 3)]]})
    def in_list(opt, n):
        assert isinstance(opt.get("lr", 0.1), float) and n == [3]

    @sweep(grid={"lr": {"grid_search": [0.1, 0.01]}})
    def of_tune(config):
        assert isinstance(config["lr"], float)
"""

LIBRARY = """
    import functools

    def train(config):
        return {"loss": config["lr"]}

    def scaled(config, factor):
        return {"loss": config["lr"] * factor}

    async def later(config):
        return {"loss": config["lr"]}

    class Trainer:
        def __call__(self, lr):
            return {"loss": lr}

        def fit(self, lr):
            return lr

    def logged(function):
        def call(config):
            return function(config)
        return call
"""

WRAPPED = """
    import functools
    import library
    from library import train as imported

    GRID = {"lr": [0.1, 0.2]}

    wrapped = sweep(grid=GRID, metric="loss", mode="min")(library.train)
    again = sweep({"lr": [0.3]})(library.train)
    partial = sweep(grid=GRID)(functools.partial(library.scaled, factor=2))
    shorter = sweep(grid=GRID, metric="loss", mode="min")(lambda lr: lr)
    called = sweep(grid=GRID)(library.Trainer())
    method = sweep(grid=GRID, metric="loss", mode="min")(library.Trainer().fit)
    cached = sweep(grid=GRID)(functools.lru_cache(lambda lr: {"loss": lr}))

    def local(lr):
        return {"loss": lr}

    one = sweep(grid=GRID)(local)
    two = sweep(grid=GRID)(local)

    @sweep(grid=GRID)
    @library.logged
    def decorated(config):
        return {"loss": config["lr"]}

    @sweep(GRID)
    def positional(lr):
        return {"loss": lr}

    class TestAll:
        within = staticmethod(sweep(grid=GRID)(library.train))

    def test_results(sweep_results):
        names = ["wrapped", "partial", "shorter", "called", "method", "cached", "one", "two", "decorated", "positional", "TestAll::within"]
        for name in names:
            found = [r.metrics.get("loss", r.metrics.get("value")) for r in sweep_results[f"test_models.py::{name}"]]
            assert found == ([0.2, 0.4] if name == "partial" else [0.1, 0.2]), name
        assert [r.metrics["loss"] for r in sweep_results["again"]] == [0.3]
"""


class Values(Executor):
    """Configurations and metrics of every kind."""

    def test_each_attempt_has_a_configuration_of_its_own(self, project: Project) -> None:
        """A body that changes its configuration changes neither the retry, nor other trials, nor trial.config, nor what is stored."""
        project.write(CHANGING)
        done = self.run(project)
        assert done.status == 0, done.text
        assert done.outcomes == {"passed": 6, "rerun": 5}

    def test_what_was_tried_is_given_back(self, project: Project) -> None:
        """More than sixty kinds of values reach the trial as they are, and are Result.config."""
        assert len(KINDS) >= 60
        (project.path / "kinds.py").write_text(Path(kinds.__file__).read_text("utf-8"), "utf-8")
        project.write(ALL_KINDS)
        done = self.run(project)
        assert done.status == 0, done.text
        _assert_strict(project)

    def test_numbers_of_any_size(self, project: Project) -> None:
        """Integers of 5,001 digits and beyond 64 bits, NaN and infinities are taken; a bad training_iteration is its trial's error."""
        project.write(HUGE)
        done = self.run(project, f"--sweep-seed=-{10**40}", "--junitxml=junit.xml")
        assert "INTERNALERROR" not in done.text
        assert done.outcomes == {"passed": 11, "failed": 4}, done.text
        assert done.text.count("it counts the reports, and is a whole number below 2**63") >= 4
        assert f"seed -{10**40}" in done.text
        _assert_strict(project)

    def test_domains_are_drawn_where_they_are(self, project: Project) -> None:
        """A domain in what choice() chooses from, in a list or in a dict reaches the trial as a number."""
        project.write(DRAWN)
        done = self.run(project)
        assert (done.status, done.outcomes) == (0, {"passed": 6}), done.text

    def test_functions_that_are_there_already(self, project: Project) -> None:
        """Functions of other modules, partials, lambdas, objects and decorated functions are sweeps, several of one function too."""
        project.write(LIBRARY, "library.py")
        project.write(WRAPPED)
        done = self.run(project)
        assert (done.status, done.outcomes) == (0, {"passed": 24}), done.text


def _assert_strict(project: Project) -> None:
    """Assert that all JSON in the database is JSON for every parser."""

    def refuse(token: str) -> NoReturn:
        raise AssertionError(f"{token} is no JSON")

    (database,) = (project.path / "sweep_results").glob("*/run.db")
    with closing(sqlite3.connect(database)) as connection, connection:
        tables: dict[str, tuple[str, ...]] = {"trial": ("config", "metrics", "resources"), "report": ("metrics",)}
        for table, columns in tables.items():
            for column in columns:
                texts: list[Any] = connection.execute(
                    f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL"  # noqa: S608 - our own names
                ).fetchall()
                assert texts or column == "metrics"
                for (text,) in texts:
                    found = json.loads(
                        text, parse_constant=refuse, parse_int=lambda digits: math.inf if len(digits) > 700 else 0
                    )
                    assert found is not None
    connection.close()
