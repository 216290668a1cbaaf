"""Shared fixtures on Ray: built once, read in place, torn down at the end, and built again when their node dies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_sweep import TrialState, load_results
from tests.conftest import import_ray
from tests.support.sessions import Session, wait_for

CONFTEST = """
    import os
    from pathlib import Path
    import numpy as np
    import pytest
    import ray
    from pytest_sweep import shared

    LOG = Path(__file__).with_name("log.txt")

    def note(what):
        with LOG.open("a") as file:
            print(what, os.getpid(), file=file)

    @pytest.fixture(scope="session")
    def source():
        note("source")
        return 3.0

    @shared(cpu=2)
    @pytest.fixture(scope="session")
    def data(source):
        note("data")
        assert os.environ["OMP_NUM_THREADS"] == "2"
        yield {"numbers": np.full(1_000_000, source), "plain": [{"a": 1}]}
        note("end of data")

    @pytest.fixture(scope="session")
    @shared
    def total(data):
        note("total")
        yield float(data["numbers"].sum())
        note("end of total")

    @shared
    @pytest.fixture(scope="session")
    def broken():
        note("broken")
        print("before it broke")
        raise RuntimeError("no such table")

    @shared
    @pytest.fixture(scope="session")
    def unpicklable():
        return (number for number in range(3))
"""
TESTS = """
    import os
    from pytest_sweep import sweep

    @sweep(grid={"n": list(range(6))})
    def train(n, data, total):
        numbers = data["numbers"]
        assert not numbers.flags.writeable
        assert data["plain"] == [{"a": 1}]
        return {"total": total, "sum": float(numbers.sum()), "owns": bool(numbers.flags.owndata), "pid": os.getpid()}

    @sweep(grid={"n": [1, 2]}, retries=2)
    def breaks(n, broken):
        pass

    @sweep(grid={"n": [1]})
    def cannot(n, unpicklable):
        pass
"""


def lines(folder: Path) -> list[str]:
    """Return what the fixtures have noted, without their processes."""
    return [line.rpartition(" ")[0] for line in (folder / "log.txt").read_text().splitlines()]


@pytest.mark.usefixtures("shared_ray")
def test_built_once_for_all_trials(pytester: pytest.Pytester) -> None:
    """A shared fixture is built once, with what it asks for, and read in place; one that fails is told to all, with its own traceback."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_inprocess("--sweep")
    result.assert_outcomes(passed=6, errors=3)
    results = load_results(dir=pytester.path / "sweep_results")
    for trial in results["train"]:
        assert trial.metrics is not None
        assert (trial.metrics["total"], trial.metrics["sum"], trial.metrics["owns"]) == (3e6, 3e6, False)
    noted = lines(pytester.path)
    assert sorted(noted) == ["broken", "data", "end of data", "end of total", "source", "total"]
    assert noted.index("data") < noted.index("total") < noted.index("end of total") < noted.index("end of data")
    (cannot,) = results["cannot"]
    assert cannot.error is not None
    assert "the value of the shared fixture 'unpicklable' of conftest.py cannot be pickled" in cannot.error
    for trial in results["breaks"]:
        assert trial.attempts == 1  # Another attempt would meet the same.
        assert trial.error is not None
        assert "conftest.py:" in trial.error
        assert trial.error.endswith("RuntimeError: no such table")
        assert "pytest_sweep" not in trial.error
    result.stdout.fnmatch_lines(["*ERROR at setup of breaks?n=1?*", "*Captured stdout setup*", "before it broke"])


LOST = """
    import os, time
    from pathlib import Path
    import numpy as np
    import pytest
    import ray
    from pytest_sweep import shared, sweep

    HERE = Path(__file__).parent

    @shared(custom={"place": 1})
    @pytest.fixture(scope="session")
    def data():
        node = ray.get_runtime_context().get_node_id()
        (HERE / f"built-{time.time_ns()}").write_text(node)
        return node, np.ones(1_000_000)

    @sweep(grid={"n": list(range(6))}, worker_retries=0, fresh_process=True)
    @pytest.mark.resources(custom={"slot": 1})
    def train(n, data):
        node, numbers = data
        (HERE / f"began-{n}").touch()
        while not (HERE / "go").exists():
            time.sleep(0.05)
        return {"node": node, "sum": float(numbers.sum())}
"""


TOKEN = Path.home() / ".ray" / "auth_token"
"""Where Ray's token is, before pytester gives each test a HOME of its own."""


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A Ray whose head runs two trials at once and builds nothing, on this machine."""
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(TOKEN))
    import_ray()
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 2, "resources": {"slot": 2}, "include_dashboard": False}
    made: Any = Cluster(initialize_head=True, head_node_args=head)
    try:
        yield made
    finally:
        made.shutdown()


@pytest.mark.slow
def test_a_lost_node_has_it_built_again(pytester: pytest.Pytester, start: Callable[..., Session], cluster: Any) -> None:
    """When the node dies that has built it, it is built again elsewhere; trials that have it go on, those that follow get the new one."""
    nodes = [cluster.add_node(num_cpus=1, resources={"place": 1}) for _ in range(2)]
    pytester.makepyfile(LOST)
    pytester.makeini("[pytest]\n")
    session = start("-v", f"--sweep-address={cluster.address}")
    wait_for(lambda: len(list(pytester.path.glob("began-*"))) == 2, "the first trials")
    (note,) = pytester.path.glob("built-*")
    first = note.read_text()
    (home,) = [node for node in nodes if node.node_id == first]
    home.kill_raylet()
    wait_for(lambda: len(list(pytester.path.glob("built-*"))) == 2, "the second building")
    second = max(pytester.path.glob("built-*")).read_text()
    (pytester.path / "go").touch()
    assert session.wait() == 0, session.output
    results = list(session.results()["train"])
    found = [result.metrics["node"] for result in results if result.metrics is not None]
    assert sorted(found) == sorted([first] * 2 + [second] * 4), session.output
    assert first != second
    assert all(result.attempts == 1 for result in results)


MEASURED = """
    import os
    from pathlib import Path
    import numpy as np
    import psutil
    import pytest
    from pytest_sweep import shared, sweep

    HERE = Path(__file__).parent

    def private():
        # What is neither a file nor shared memory, whose pages count as somebody's own while nobody else has looked at them.
        memory = psutil.Process().memory_info()
        return (memory.rss - memory.shared) / 1e6

    @shared
    @pytest.fixture(scope="session")
    def data():
        before = private()
        yield np.ones(50_000_000)
        (HERE / f"builder-{os.getpid()}").write_text(str(private() - before))

    @sweep(grid={"n": list(range(40))})
    def before(n):
        np.ones(1000).sum()
        return {"pid": os.getpid(), "private": private()}

    @sweep(grid={"n": list(range(200))})
    def train(n, data):
        assert data.nbytes == 400_000_000
        assert data.sum() == 50_000_000
        return {"pid": os.getpid(), "private": private()}
"""


@pytest.mark.slow
def test_two_hundred_trials_share_an_array(pytester: pytest.Pytester, start: Callable[..., Session]) -> None:
    """200 trials that read one array of 400 MB: all processes together grow by less than 450 MB, the array included; it is made once."""
    pytester.makepyfile(MEASURED)
    pytester.makeini("[pytest]\n")
    session = start("--sweep-num-cpus=4", "--sweep-executor=ray", RAY_ADDRESS="")
    assert session.wait() == 0, session.output
    results = session.results()
    start_of, end_of = dict[int, float](), dict[int, float]()
    for result in results["before"]:
        assert result.metrics is not None
        start_of[result.metrics["pid"]] = result.metrics["private"]
    for result in results["train"]:
        assert result.state is TrialState.TERMINATED
        assert result.metrics is not None
        end_of[result.metrics["pid"]] = max(result.metrics["private"], end_of.get(result.metrics["pid"], 0.0))
    usual = min(start_of.values())
    grown = sum(end - start_of.get(pid, usual) for pid, end in end_of.items())
    (builder,) = pytester.path.glob("builder-*")
    kept = float(builder.read_text())
    print(f"{len(end_of)} workers grew by {grown:.0f} MB, the builder by {kept:.0f} MB, beside 400 MB of shared memory")
    assert 400 + grown + kept < 450
