"""Workers run the values that the driver has collected, whatever order or values their own collection finds."""

from __future__ import annotations

import json

import pytest

from .project import Project, output

PROCESSES = ("--sweep-executor=processes", "--sweep-max-concurrent=2")

# Writes down what the driver has collected.
CONFTEST = """
    import json

    def told(value):
        return value.n if hasattr(value, "n") else value() if callable(value) else value

    def pytest_collection_finish(session):
        if not hasattr(session.config, "workerinput"):
            specs = {item.name: item.callspec.params for item in session.items}
            values = {name: told(params["v"]) for name, params in specs.items()}
            session.config.rootpath.joinpath("driver.json").write_text(json.dumps(values))
"""
CLASSES = """
    import random, threading

    def told(value):
        return value.n if hasattr(value, "n") else value() if callable(value) else value

    class Thing:
        def __init__(self, n):
            self.n = n

    class Locked(Thing):
        def __init__(self, n):
            super().__init__(n)
            self.lock = threading.Lock()

    def shuffled(values):
        return random.sample(values, len(values))
"""


def _assert_same_values(project: Project) -> None:
    """Assert that each trial had the value that the driver has collected under its name."""
    collected = json.loads((project.path / "driver.json").read_text())
    found = {result.name: (result.metrics or {})["value"] for result in project.grid()}
    assert found == collected


@pytest.mark.parametrize(
    "parametrize",
    [
        "('v', {Thing(n) for n in 'abcdef'})",
        "('v', shuffled([Thing(n) for n in 'abcdef']))",
        "('v', shuffled([lambda n=n: n for n in 'abcdef']))",
        "('v', shuffled([Locked(n) for n in 'abcdef']))",
        "('v', [random.random() for _ in range(6)])",
        "('v', [Thing(random.random()) for _ in range(6)])",
        "('v', [pytest.param(Thing(random.random()), id=n) for n in 'abcdef'])",
        "('v', [Thing(random.random()) for _ in range(6)], indirect=True)",
        "('v', [Thing(n) for n in 'abcdef' if n < 'e' or not hasattr(threading, 'in_driver')])",
    ],
)
def test_the_value_is_the_drivers(project: Project, parametrize: str) -> None:
    """A set, a shuffled list or values drawn at import: each trial has the value that the driver has under its name."""
    project.write(CONFTEST, "conftest.py")
    project.write(f"""{CLASSES}
    @pytest.fixture
    def v(request):
        return request.param

    @sweep(grid={{"k": [1, 2]}})
    @pytest.mark.parametrize{parametrize}
    def train(k, v):
        return {{"value": told(v)}}
    """)
    result = project.sweep(*PROCESSES)
    assert result.ret == 0, output(result)
    _assert_same_values(project)


def test_parameters_of_fixtures_and_classes(project: Project) -> None:
    """A parametrized fixture, and a parametrize on a class, are looked up by value, too."""
    project.write(CONFTEST, "conftest.py")
    project.write(f"""{CLASSES}
    @pytest.fixture(params={{Thing(n) for n in "abcdef"}}, scope="module")
    def v(request):
        return request.param

    @pytest.mark.parametrize("other", {{Thing(n) for n in "abcdef"}})
    class TestAll:
        @sweep(grid={{"k": [1]}})
        def train(self, k, v, other, request):
            assert request.node.callspec.params["v"] is v
            return {{"value": v.n, "other": other.n}}
    """)
    result = project.sweep(*PROCESSES)
    assert result.ret == 0, output(result)
    _assert_same_values(project)
    pairs = {(r.metrics["value"], r.metrics["other"]) for r in project.grid() if r.metrics}
    assert len(pairs) == 36


def test_marks_go_with_every_replicate(project: Project) -> None:
    """A value's marks are those of the first trial and of further repeats: each is skipped, or expected to fail."""
    project.write("""
        VALUES = [
            1,
            pytest.param(2, marks=pytest.mark.xfail(reason="known", strict=True)),
            pytest.param(3, marks=pytest.mark.skip),
        ]

        @sweep(grid={"n": VALUES}, repeats=3)
        def train(n):
            assert n == 1
    """)
    result = project.sweep()
    assert result.ret == 0, output(result)
    result.assert_outcomes(passed=3, xfailed=3, skipped=3)


def test_marks_go_with_their_value(project: Project) -> None:
    """A mark of pytest.param stays with its value, where the order differs."""
    project.write(f"""{CLASSES}
    VALUES = [pytest.param(Thing("good")), *(pytest.param(Thing(n), marks=pytest.mark.skip) for n in range(5))]

    @sweep(grid={{"k": [1, 2]}})
    @pytest.mark.parametrize("v", shuffled(VALUES))
    def train(k, v):
        assert v.n == "good"
    """)
    result = project.sweep(*PROCESSES)
    assert result.ret == 0, output(result)
    result.assert_outcomes(passed=2, skipped=10)


def test_an_object_stays_the_one_of_its_module(project: Project) -> None:
    """Where both have equal values, the trial gets the object that its module knows, and a fixture is built once for it."""
    project.write(f"""{CLASSES}
    KNOWN = shuffled([Thing("a"), Thing("b"), Locked("c")])
    BUILT = []

    @pytest.fixture(scope="module")
    def v(request):
        BUILT.append(request.param)
        return request.param

    @sweep(grid={{"k": list(range(4))}})
    @pytest.mark.parametrize("v", KNOWN, indirect=True)
    def train(k, v):
        assert any(v is known for known in KNOWN)
        return {{"built": len(BUILT)}}
    """)
    result = project.sweep("--sweep-executor=processes", "--sweep-max-concurrent=1")
    assert result.ret == 0, output(result)
    assert max(r.metrics["built"] for r in project.grid() if r.metrics) <= 12


def test_values_with_nothing_to_tell_them_by(project: Project) -> None:
    """Objects that show only an address, mocks, locks, generators work: their order is all there is to go by."""
    project.write(f"""{CLASSES}
    from unittest.mock import Mock

    @sweep(grid={{"k": [1, 2]}})
    @pytest.mark.parametrize("v", [object(), threading.Lock(), Mock(), Mock(name="y"), (n for n in "abc"), Locked(object())])
    def train(k, v):
        return {{"type": type(v).__name__}}
    """)
    result = project.sweep(*PROCESSES)
    assert result.ret == 0, output(result)
    found = [r.metrics["type"] for r in project.grid() if r.metrics]
    assert found == ["object", "lock", "Mock", "Mock", "generator", "Locked"] * 2


@pytest.mark.parametrize(
    ("value", "problem"),
    [("Connection()", "cannot be pickled"), ("random.randbytes(8) * 250_000", "too large to travel")],
)
def test_a_value_that_cannot_be_had_ends_the_run(project: Project, value: str, problem: str) -> None:
    """A value that differs in the worker and cannot be sent ends the run, with a sentence that shows both."""
    project.write(f"""{CLASSES}
    class Connection(Thing):
        def __init__(self):
            super().__init__(random.random())
        def __reduce__(self):
            raise TypeError("it is open")
        def __repr__(self):
            return f"<Connection {{self.n}}>"

    @sweep(grid={{"k": [1, 2]}})
    @pytest.mark.parametrize("v", [pytest.param({value}, id="it")])
    def train(k, v):
        pass
    """)
    result = project.sweep("--sweep-executor=processes", "--sweep-max-concurrent=1")
    assert result.ret == pytest.ExitCode.INTERRUPTED, output(result)
    text = output(result)
    assert "different values were collected for test_models.py::train[k=1-it]: 'v' is " in text
    assert "on the driver and" in text
    assert problem in text
    assert "train[k=2-it]" in text  # Not run.
