"""Fixtures of every kind and scope, pytest's own, those of conftest files and of classes, and their tear-down."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.acceptance.project import Project

from .base import NOTE, Done, Executor

CONFTEST = """
    @pytest.fixture(scope="package")
    def shared():
        return "of the folder"

    @pytest.fixture
    def late():
        return "late"
"""
MODELS = f"""{NOTE}
    import asyncio, logging, warnings

    BUILT = []

    @pytest.fixture(scope="module")
    def modular():
        BUILT.append("module")
        return len(BUILT)

    @pytest.fixture(autouse=True)
    def automatic():
        os.environ["AUTOMATIC"] = "on"
        yield
        del os.environ["AUTOMATIC"]

    @pytest.fixture(params=["adam", "sgd"])
    def optimizer(request):
        return request.param

    @pytest.fixture
    def doubled(request):
        return 2 * request.param

    class TestModels:
        def setup_method(self):
            self.ready = True

        @pytest.fixture(scope="class")
        def of_class(self, request):
            return request.cls.__name__

        @sweep(grid={{"n": [1]}})
        def fit(self, n, request, shared, of_class):
            assert self.ready and request.cls is TestModels and of_class == "TestModels" and shared == "of the folder"

    @sweep(grid={{"n": [1, 2]}})
    def scopes(n, modular, shared, request):
        assert modular == 1 and shared == "of the folder" and os.environ["AUTOMATIC"] == "on"
        assert request.getfixturevalue("late") == "late"
        assert request.node.name == f"scopes[n={{n}}]" and request.node.get_closest_marker("sweep")

    @sweep(grid={{"n": [1]}})
    def parametrized(n, optimizer):
        note(optimizer)

    @pytest.mark.parametrize("doubled", [1, 2], indirect=True)
    @sweep(grid={{"n": [1]}})
    def indirect(n, doubled):
        note(doubled)

    @sweep(grid={{"n": [1]}})
    def of_pytest(n, request, monkeypatch, capsys, tmp_path, tmp_path_factory, pytestconfig, recwarn, cache):
        monkeypatch.setenv("SOME", "thing")
        assert os.environ["SOME"] == "thing"
        print("caught")
        assert capsys.readouterr().out == "caught\\n"
        (tmp_path / "file").write_text("x")
        note(tmp_path)
        assert tmp_path_factory.mktemp("more").is_dir()
        assert pytestconfig.getoption("sweep") and request.config is pytestconfig
        warnings.warn("noted")
        assert len(recwarn) == 1
        cache.set("of/trial", 1)
        assert cache.get("of/trial", 0) == 1

    @sweep(grid={{"n": [1]}})
    def descriptors(n, capfd, caplog):
        os.write(1, b"caught\\n")
        assert capfd.readouterr().out == "caught\\n"
        with caplog.at_level("INFO"):
            logging.getLogger("models").info("noted")
        assert caplog.messages == ["noted"]

    @sweep(grid={{"n": [1]}})
    def parts(n, subtests):
        for part in range(3):
            with subtests.test(part=part):
                assert part != 1
"""
WIDE = f"""{NOTE}
    import time

    @pytest.fixture(scope="session")
    def model():
        note(f"built {{os.getpid()}}")
        yield os.getpid()
        note(f"torn {{os.getpid()}}")

    @sweep(grid={{"n": list(range(40))}})
    def train(n, model):
        assert model == os.getpid()
        note(f"ran {{os.getpid()}}")
        time.sleep(0.02)
"""
BROKEN = """
    @pytest.fixture(scope="{scope}")
    def broken():
        yield
        raise RuntimeError("the {scope}'s cannot be torn down")

    @sweep(grid={{"n": [1]}})
    def train_{scope}(n, broken): ...
"""
KEPT = f"""{NOTE}
    @sweep(grid={{"n": [1, 2]}})
    def train(n, tmp_path):
        (tmp_path / "file").touch()
        note(tmp_path)
        assert n == 1
"""
TEST_CASE = """
    import unittest

    class TestModels(unittest.TestCase):
        @sweep(grid={"n": [1]})
        def test_fit(self, n): ...

        def test_ordinary(self): ...
"""


class Fixtures(Executor):
    """The promises of fixtures.

    Attributes:
        processes: in how many processes trials run where two may at once.
    """

    processes: ClassVar = 2

    @pytest.fixture
    def models(self, project: Project, ended: dict[object, Done]) -> Done:
        """A session with fixtures of many kinds, each in a sweep of its own."""

        def run() -> Done:
            project.write("", "pack/__init__.py")
            project.write(CONFTEST, "pack/conftest.py")
            project.write("", "pack/deep/__init__.py")
            project.write(
                "@pytest.fixture\ndef shared(shared):\n    return f'{shared}, and deeper'\n", "pack/deep/conftest.py"
            )
            project.write(
                "@sweep(grid={'n': [1]})\ndef deep(n, shared):\n    assert shared == 'of the folder, and deeper'\n",
                "pack/deep/test_deep.py",
            )
            project.write(MODELS, "pack/test_fixtures.py")
            done = self.run(project, "pack", "-v", "-o", "tmp_path_retention_policy=none")
            return Done(done.status, done.text, project.path / "pack")

        return self.shared(ended, "models", run)

    def test_scopes(self, models: Done) -> None:
        """Fixtures of function, class, module and package, autouse ones, and getfixturevalue work in a trial."""
        for name in ("scopes[n=1]", "scopes[n=2]"):
            assert f"{name} PASSED" in models.text

    def test_parametrized(self, models: Done) -> None:
        """A parametrized fixture, and an indirect parametrize, multiply the trials."""
        assert models.notes[:4] == ["adam", "sgd", "2", "4"]

    def test_classes(self, models: Done) -> None:
        """A sweep in a class has its setup_method and its class's fixtures."""
        assert "TestModels::fit[n=1] PASSED" in models.text

    def test_conftest(self, models: Done) -> None:
        """The conftest files of each level are there."""
        assert "deep[n=1] PASSED" in models.text

    def test_of_pytest(self, models: Done) -> None:
        """tmp_path, tmp_path_factory, capsys, monkeypatch, recwarn, cache and pytestconfig; capfd and caplog work in a trial."""
        assert "of_pytest[n=1] PASSED" in models.text
        assert "descriptors[n=1] PASSED" in models.text

    def test_subtests(self, models: Done) -> None:
        """A subtest that fails is shown with its parameters, the others beside it as passed, and its trial fails."""
        assert re.search(r"^SUBFAILED\(part='?1'?\).*::parts\[n=1\] - ", models.text, re.MULTILINE)
        assert re.search(r"\b2 subtests passed", models.text)
        assert [str(result.state) for result in self._grid(models, "parts")] == ["ERROR"]

    def _grid(self, done: Done, sweep: str) -> Any:
        return Done(done.status, done.text, done.path.parent).grid(sweep)

    def test_session_scope(self, project: Project) -> None:
        """A session fixture is built once in each process, shared by its trials, and torn down once after them."""
        project.write(WIDE)
        assert self.run(project, at_once=2).outcomes == {"passed": 40}
        said = (project.path / "notes").read_text().splitlines()
        pids = {line.split()[1] for line in said}
        assert len(pids) == self.processes
        for pid in pids:
            mine = [line.split()[0] for line in said if line.split()[1] == pid]
            assert (mine[0], mine[-1], set(mine[1:-1])) == ("built", "torn", {"ran"})

    def test_errors_in_tear_down(self, project: Project) -> None:
        """An error in the tear-down of a fixture of any scope is reported as one of a trial, also when it comes late."""
        scopes = ("function", "module", "session")
        for scope in scopes:
            project.write(BROKEN.format(scope=scope), f"test_{scope}.py")
        done = self.run(project)
        assert done.outcomes == {"passed": 3, "errors": 3}
        assert done.status == pytest.ExitCode.TESTS_FAILED
        for scope in scopes:
            assert f"ERROR at teardown of train_{scope}[n=1]" in done.text
            assert f"E       RuntimeError: the {scope}'s cannot be torn down" in done.text

    def test_retention(self, project: Project, models: Done) -> None:
        """The retention policy of tmp_path holds for trials: nothing is kept, or what failed."""
        (path,) = [note for note in models.notes if note.startswith("/")]
        assert not Path(path).exists()
        project.write(KEPT)
        done = self.run(project, "-o", "tmp_path_retention_policy=failed")
        assert [Path(path).exists() for path in done.notes] == [False, True]

    def test_unittest(self, project: Project) -> None:
        """A sweep in a unittest.TestCase is refused in words."""
        project.write(TEST_CASE)
        done = self.run(project)
        assert done.status == pytest.ExitCode.INTERRUPTED
        said = "sweep test_fit in test_models.py::TestModels: a sweep is a function, or a method of a plain class, not of a unittest"
        assert said in done.text
