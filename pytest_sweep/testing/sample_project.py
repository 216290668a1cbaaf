"""The project that `pytest_sweep.testing.executor_contract` runs: small sweeps that do all that trials may do."""

from __future__ import annotations

from collections.abc import Mapping

CONFTEST = """
import os
from pathlib import Path
import pytest

LOG = Path(__file__).parent / "log"

def note(text):
    with LOG.open("a") as log:  # Appended in one write, so that lines of several processes do not mix.
        log.write(f"{os.getpid()} {text}\\n")

@pytest.fixture(scope="session")
def server():
    note("server up")
    yield "server"
    note("server down")

@pytest.fixture(scope="module")
def data():
    note("data up")
    yield "data"
    note("data down")

@pytest.fixture
def model(trial):
    note(f"model up {trial.name}")
    yield "model"
    note(f"model down {trial.name}")

@pytest.fixture
def broken():
    raise RuntimeError("cannot be built")

@pytest.fixture
def leaking():
    yield
    raise RuntimeError("cannot be torn down")

def pytest_sweep_trial_setup(trial):
    note(f"setup {trial.name}")

def pytest_sweep_trial_teardown(trial):
    note(f"teardown {trial.name}")

def pytest_sweep_run_start(run):
    note("run starts")

def pytest_sweep_trial_start(trial, attempt):
    note(f"starts {trial.name} {attempt}")

def pytest_sweep_trial_report(trial, metrics):
    note(f"reports {trial.name} {metrics['training_iteration']}")

def pytest_sweep_trial_checkpoint(trial, checkpoint):
    note(f"checkpoint {trial.name} {checkpoint.exists()}")

def pytest_sweep_trial_retry(trial, error):
    note(f"retry {trial.name} {error.splitlines()[-1]}")

def pytest_sweep_trial_finish(trial, result):
    note(f"finishes {trial.name} {result.state}")

def pytest_sweep_run_finish(run, results):
    note("run finishes")
"""

MODELS = """
import logging
import sys
import threading
import warnings
import pytest
from pytest_sweep import current_trial, report, sweep

class Net:
    def __init__(self, size):
        self.size = size
    def __repr__(self):
        return f"Net({self.size})"

@sweep(grid={"lr": [0.5, 0.25], "depth": [1, 2]}, metric="loss", mode="min")
def train(config, trial, server, data, model):
    for epoch in (1, 2, 3):
        trial.report({"loss": config["lr"] / epoch, "depth": config["depth"]})
    return {"size": 10 * config["depth"]}

@sweep(grid={"a": [1, 2]})
def generator(a):
    yield {"x": a}
    yield {"x": 2 * a}
    return {"y": a}

@sweep(grid={"a": [0, 3]}, metric="score", mode="max")
def number(a):
    return a

@sweep(configs=[{}])
def nothing():
    pass

@sweep(configs=[{}])
def empty():
    return {}

@sweep(configs=[{"net": Net(3)}])
def unpicklable_by_name(net):
    return net.size

class Models:
    scale = 10
    @sweep(grid={"a": [1, 2]})
    def method(self, a, tmp_path):
        (tmp_path / "file").write_text("x")
        return self.scale * a

@pytest.mark.parametrize("data_set", ["cats", "dogs"])
@sweep(grid={"a": [1, 2]})
def stacked(a, data_set):
    return {"legs": 4 * a, "data": data_set}

@sweep(grid={"a": [pytest.param(1, marks=pytest.mark.skip(reason="too slow")), 2,
                   pytest.param(3, marks=pytest.mark.xfail(reason="known")), pytest.param(4, marks=pytest.mark.xfail)]})
def marked(a):
    if a == 2:
        pytest.skip("not here")
    assert a == 4

@sweep(grid={"how": ["assertion", "error", "exit", "return", "yields"]})
def fails(how):
    print("printed by", how)
    print("complained by", how, file=sys.stderr)
    logging.getLogger("models").warning("logged by %s", how)
    report({"x": 1})
    if how == "assertion":
        assert how == "something else", "not as it should be"
    if how == "error":
        raise ValueError("two\\nlines")
    if how == "exit":
        sys.exit(3)
    return "text" if how == "return" else ({"x": x} for x in ("a", {1}))

@sweep(configs=[{}])
def setup_error(broken):
    pass

@sweep(configs=[{}])
def teardown_error(leaking):
    return 1

@sweep(grid={"start": [4, 8]}, stop={"loss": "< 1.5"})
def stopped(start, trial):
    for epoch in range(100):
        trial.report({"loss": start / 2**epoch})

@sweep(configs=[{}], stop={"training_iteration": 3})
def stopped_generator():
    for epoch in range(100):
        yield {"epoch": epoch}

@sweep(configs=[{}], stop={"los": 3})
def misspelt():
    return {"loss": 1}

@sweep(configs=[{}], retries=2)
def recovers(trial, tmp_path):
    trial.report({"x": trial.attempt})
    assert trial.attempt == 3, "too early"
    return {"y": 1}

@sweep(configs=[{}], retries=1)
def never_recovers(trial):
    raise ValueError(f"attempt {trial.attempt}")

@sweep(configs=[{}], retries=1)
def resumes(trial):
    begin = 0 if trial.checkpoint is None else int((trial.checkpoint / "step").read_text())
    for step in range(begin + 1, 5):
        path = trial.dir / "step"
        path.write_text(str(step))
        trial.report({"step": step}, checkpoint=path if step == 2 else None)
        if trial.attempt == 1 and step == 3:
            raise RuntimeError("power cut")

@sweep(configs=[{}])
def warns():
    warnings.warn("mind the gap")

@sweep(configs=[{}])
def threads():
    workers = [threading.Thread(target=report, args=({"x": 1},)) for _ in range(5)]
    for worker in workers:
        worker.start()
        worker.join()
    return {"name": current_trial().name}

@sweep(configs=[{}])
def properties(record_property, trial):
    record_property("own", "property")
    (trial.dir / "notes.txt").write_text(f"seed {trial.seed}")
    return {"seed": trial.seed}

@sweep(configs=[{}])
def subtests_fail(subtests):
    with subtests.test("one"):
        assert True
    with subtests.test("two"):
        assert False, "the second is wrong"
"""

LATE = """
import pytest
from pytest_sweep import sweep

@pytest.fixture(scope="module")
def late():
    yield
    raise RuntimeError("failed at last")

@sweep(configs=[{}])
def uses_late(late):
    return 1
"""

TESTS = """
def test_ordinary(server):
    pass

def test_judge(sweep_results):
    grid = sweep_results["train"]
    assert grid.get_best_result().config == {"lr": 0.25, "depth": 1}
    assert len(grid) == 4
"""

EXIT = """
import pytest
from pytest_sweep import sweep

@sweep(grid={"a": [1, 2, 3]})
def train(a, trial):
    trial.report({"x": a})
    pytest.exit("enough of it", 7)
"""

FAILFAST = """
from pytest_sweep import sweep

@sweep(grid={"a": list(range(30))})
def train(a):
    assert a != 0
"""

MAIN: Mapping[str, str] = {
    "pytest.ini": "[pytest]\n",
    "conftest.py": CONFTEST,
    "sweep_models.py": MODELS,
    "sweep_late.py": LATE,
    "test_results.py": TESTS,
}
"""A file name and its content for the project that all but the endings are read from."""
