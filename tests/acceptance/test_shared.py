"""Shared fixtures: built once for all trials, inline and in processes; what cannot be shared is refused by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import pytest

from pytest_sweep.testing.sessions import FinishedSession, run_session

from .project import Project, output

PROCESSES = ("--sweep-executor=processes", "--sweep-max-concurrent=2")
CONFTEST = """
import os
from pathlib import Path
import numpy as np
import pytest
from pytest_sweep import shared

LOG = Path(__file__).with_name("log.txt")

def note(what):
    with LOG.open("a") as file:
        print(what, os.getpid(), file=file)

@pytest.fixture(scope="session")
def source():
    note("source")
    return 3.0

@shared
@pytest.fixture(scope="session")
def data(source):
    note("data")
    print("from the fixture")
    yield {"numbers": np.full(100_000, source), "plain": [{"a": 1}]}
    note("end of data")

@pytest.fixture(scope="session")
@shared(cpu=1)
def total(data):
    note("total")
    yield float(data["numbers"].sum())
    note("end of total")

@shared
@pytest.fixture(scope="session")
def nothing():
    note("nothing")

@shared
@pytest.fixture(scope="session")
def broken():
    note("broken")
    print("before it broke")
    table = {}
    return table["rows"]

@shared
@pytest.fixture(scope="session")
def not_here():
    pytest.skip("there is no data here")

@shared
@pytest.fixture(scope="session")
def unpicklable():
    return (number for number in range(3))

@shared
@pytest.fixture(scope="session")
def ends_badly():
    yield 1
    raise RuntimeError("it cannot be torn down")
"""
MODELS = """
import os
import pytest
from pytest_sweep import sweep

@sweep(grid={"n": list(range(6))})
def train(n, data, total, nothing):
    assert nothing is None
    assert data["plain"] == [{"a": 1}]
    assert not data["numbers"].flags.writeable
    return {"total": total, "sum": float(data["numbers"].sum())}

@pytest.fixture
def data_of_its_own(data):
    return {"numbers": data["numbers"][:10]}

class TestOverridden:
    @pytest.fixture(scope="session")
    def total(self, total):
        return -total

    @sweep(grid={"n": [1]})
    def overridden(self, n, data_of_its_own, total):
        return {"size": data_of_its_own["numbers"].size, "total": total}

@sweep(grid={"n": [1, 2, 3]}, retries=2)
def breaks(n, broken):
    pass

@sweep(grid={"n": [1, 2]})
def skips(n, not_here):
    pass

@sweep(grid={"n": [1]})
def cannot(n, unpicklable):
    pass

@sweep(grid={"n": [1]})
def late(n, ends_badly):
    return {"x": ends_badly}

def test_ordinary(nothing):
    assert nothing is None
"""


class SharedContract:
    """What holds for every executor. One session is looked at by all tests.

    Attributes:
        arguments: those of pytest.
    """

    arguments: ClassVar[Sequence[str]]

    @pytest.fixture(scope="class")
    @classmethod
    def session(cls, tmp_path_factory: pytest.TempPathFactory) -> FinishedSession:
        """The session, and in `log` what its fixtures have noted."""
        files = {"conftest.py": CONFTEST, "test_models.py": MODELS}
        return run_session(tmp_path_factory.mktemp("shared"), files, cls.arguments)

    def noted(self, session: FinishedSession) -> list[list[str]]:
        """Return what fixtures have noted, each with its process."""
        return [line.rsplit(" ", 1) for line in (session.folder / "log.txt").read_text().splitlines()]

    def test_built_once(self, session: FinishedSession) -> None:
        """Each is built once, what it uses only where it is, and torn down at the end, in its own process, before what it uses."""
        noted = self.noted(session)
        what = [word for word, _ in noted]
        assert sorted(set(what)) == ["broken", "data", "end of data", "end of total", "nothing", "source", "total"]
        assert {word: what.count(word) for word in what if word != "nothing"} == dict.fromkeys(
            set(what) - {"nothing"}, 1
        )
        pids = dict(noted)
        assert pids["source"] == pids["data"] == pids["end of data"]
        assert pids["total"] == pids["end of total"]
        assert what.index("end of total") < what.index("end of data")

    def test_values(self, session: FinishedSession) -> None:
        """All trials have the value, also one that is None, and one that a fixture of a class overrides and uses."""
        for result in session.results["train"]:
            assert result.metrics is not None
            assert (result.metrics["total"], result.metrics["sum"]) == (300_000.0, 300_000.0)
        overridden = session.trials["overridden[n=1]"].metrics
        assert overridden is not None
        assert (overridden["size"], overridden["total"]) == (10, -300_000.0)

    def test_one_that_fails(self, session: FinishedSession) -> None:
        """Every trial that uses it is an error of set-up with its own traceback and output; none is tried again."""
        for result in session.results["breaks"]:
            assert result.attempts == 1
            assert result.error is not None
            assert result.error.endswith("KeyError: 'rows'")
            assert 'return table["rows"]' in result.error
            assert "conftest.py:" in result.error
            assert "pytest_sweep" not in result.error
        assert "ERROR at setup of breaks[n=1]" in session.output
        assert "before it broke" in session.output

    def test_one_that_skips(self, session: FinishedSession) -> None:
        """Trials that use it are skipped, with its reason."""
        assert [result.state.name for result in session.results["skips"]] == ["SKIPPED", "SKIPPED"]
        assert "there is no data here" in session.output

    def test_one_that_cannot_be_pickled(self, session: FinishedSession) -> None:
        """The error names it."""
        (cannot,) = session.results["cannot"]
        assert cannot.error is not None
        assert "the value of the shared fixture 'unpicklable' of conftest.py cannot be pickled" in cannot.error
        assert "cannot pickle 'generator' object" in cannot.error

    def test_one_that_cannot_be_torn_down(self, session: FinishedSession) -> None:
        """It is an error of the session, which is not lost although all trials have ended."""
        assert session.trials["late[n=1]"].state.name == "TERMINATED"
        assert "RuntimeError: it cannot be torn down" in session.output
        assert session.status == 1


class TestSharedInline(SharedContract):
    arguments = ("--sweep-executor=inline",)


class TestSharedInProcesses(SharedContract):
    arguments = PROCESSES


class TestRefused:
    @pytest.mark.parametrize(
        ("above", "marker", "message"),
        [
            ("@shared", "pytest.fixture", "the shared fixture 'data' of conftest.py has the scope 'function'"),
            ("@shared", "pytest.fixture(scope='module')", "the shared fixture 'data' of conftest.py has the scope 'module'"),
            ("@shared", "pytest.fixture(scope='session', params=[1, 2])", "the shared fixture 'data' of conftest.py is parametrized"),
            ("@shared(cpus=1)", "pytest.fixture(scope='session')", "'cpus' is not a resource: did you mean 'cpu'?"),
            ("@shared(memory='4 gigs')", "pytest.fixture(scope='session')", "'4 gigs' cannot be parsed"),
            ("@shared(gpu=1)", "pytest.fixture(scope='session')", "gpu=1 is not for a shared fixture"),
            ("@shared(workers=2)", "pytest.fixture(scope='session')", "workers=2 is not for a shared fixture"),
        ],
    )  # fmt: skip
    def test_at_collection(self, project: Project, above: str, marker: str, message: str) -> None:
        """What cannot be shared is an error of collection that names the fixture."""
        project.write(
            f"from pytest_sweep import shared\n\n{above}\n@{marker}\ndef data():\n    return 1\n", "conftest.py"
        )
        project.write("@sweep(grid={'n': [1]})\ndef train(n, data): ...\n")
        result = project.sweep()
        assert result.ret == 2
        assert message in output(result)
        assert "'data' of conftest.py" in output(result)

    def test_more_than_there_is(self, project: Project) -> None:
        """One that asks for more than any node has is refused before anything runs."""
        project.write("""
            from pytest_sweep import shared

            @shared(cpu=1000)
            @pytest.fixture(scope="session")
            def data():
                return 1

            @sweep(grid={"n": [1]})
            def train(n, data): ...
        """)
        result = project.sweep()
        assert result.ret == 4
        assert "the shared fixture 'data' of test_models.py asks for 1000 CPU" in output(result)
        assert "Ask for less with @shared(...)" in output(result)

    def test_what_is_no_fixture(self, project: Project) -> None:
        """On something else than a function it is an error where it stands."""
        project.write("from pytest_sweep import shared\n\nshared(3)\n")
        result = project.sweep()
        assert "@shared decorates a fixture, not 3" in output(result)

    def test_asked_for_too_late(self, project: Project) -> None:
        """A trial in another process that asks for it by getfixturevalue is told to name it."""
        project.write("""
            from pytest_sweep import shared

            @shared
            @pytest.fixture(scope="session")
            def data():
                return 1

            @sweep(grid={"n": [1]})
            def train(n, request):
                request.getfixturevalue("data")
        """)
        result = project.plain("--sweep", *PROCESSES)
        result.assert_outcomes(failed=1)
        assert "request.getfixturevalue('data') comes too late" in output(result)


def test_without_sweep_it_is_an_ordinary_fixture(project: Project) -> None:
    """Without --sweep, tests use it as any fixture: writable, and of any scope."""
    project.write("""
        import numpy as np
        from pytest_sweep import shared

        @shared(cpu=4)
        @pytest.fixture
        def data():
            return np.zeros(3)

        def test_data(data):
            data[0] = 1
    """)
    project.plain().assert_outcomes(passed=1)


def test_a_builder_that_dies(project: Project) -> None:
    """A process that dies of building it is replaced once; then all trials that use it fail, and others run."""
    project.write("""
        import os, signal
        from pathlib import Path
        from pytest_sweep import shared

        @shared
        @pytest.fixture(scope="session")
        def data():
            with Path("tries.txt").open("a") as file:
                file.write("x")
            os.kill(os.getpid(), signal.SIGKILL)

        @sweep(grid={"n": [1, 2]})
        def train(n, data): ...

        @sweep(grid={"n": [1]})
        def other(n): ...
    """)
    result = project.plain("--sweep", *PROCESSES)
    result.assert_outcomes(passed=1, errors=2)
    assert (
        "the shared fixture 'data' of test_models.py cannot be had: the process that built it died: killed by SIGKILL"
        in output(result)
    )
    assert (project.path / "tries.txt").read_text() == "xx"


def test_a_large_value_without_buffers(project: Project) -> None:
    """Each worker gets a copy of it, which is warned of; where there are no workers, nobody does."""
    project.write("""
        from pytest_sweep import shared

        @shared
        @pytest.fixture(scope="session")
        def data():
            return [bytes([1]) * 1_000_000 for number in range(60)]

        @sweep(grid={"n": [1]})
        def train(n, data):
            return len(data)
    """)
    result = project.plain("--sweep", *PROCESSES)
    result.assert_outcomes(passed=1, warnings=1)
    assert "the shared fixture 'data' of test_models.py has 57 MiB that each worker gets a copy of" in output(result)
