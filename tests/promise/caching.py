"""What docs/resuming.md promises of --sweep-cache: after each edit, the sweeps run whose results may be others, and no others."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Collection
from pathlib import Path
from typing import ClassVar

import pytest

from tests.acceptance.project import Project

from .base import Done, Executor
from .edits import BY_PATH, BY_PATH_EDITS, BY_PATH_FILES, EDITS, FILES


class Caching(Executor):
    """Edits, and what runs because of them."""

    edits: ClassVar[Collection[str]] = EDITS

    @pytest.fixture(scope="class")
    @classmethod
    def template(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A folder for the project and its first run, which all tests of the class begin with."""
        return tmp_path_factory.mktemp("template")

    @pytest.fixture
    def ran(self, template: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
        """The project, whose sweeps have run once."""
        # Two edits within a second may leave a file that Python does not read again.
        monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
        monkeypatch.setattr("sys.dont_write_bytecode", True)
        root = pytester.path / "project"
        root.mkdir()
        for folder in ("site-packages", "outside"):
            monkeypatch.syspath_prepend(str(pytester.path / folder))
        pytester.chdir()
        project = Project(pytester)
        project.path = root
        if not any(template.iterdir()):
            for name, text in FILES.items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(textwrap.dedent(text).lstrip())
            monkeypatch.chdir(root)
            done = self.run(project)
            assert done.status == 0, done.text
            for folder in ("project", "outside", "site-packages"):
                shutil.copytree(pytester.path / folder, template / folder)
        else:
            shutil.copytree(template, pytester.path, dirs_exist_ok=True)
            monkeypatch.chdir(root)
        return project

    def cached(self, project: Project) -> Done:
        """Run the project's sweeps with ``--sweep-cache``."""
        done = self.run(project, "--sweep-cache")
        assert done.status in (0, 1), done.text
        return done

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Have a test for each edit."""
        if "name" in metafunc.fixturenames:
            metafunc.parametrize("name", list(self.edits))

    def test_edits(self, ran: Project, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """After an edit, those sweeps run whose results may be others, and what has changed is named; the rest is CACHED."""
        its = EDITS[name]
        its.apply(ran.path, monkeypatch)
        done = self.cached(ran)
        assert done.run_again == its.runs, done.text
        lines = [line for line in done.lines if line.startswith("cache: ")]
        assert its.says in "\n".join(line for line in lines if " run, " in line), lines
        if not its.runs:
            assert len(lines) == 1, lines

    @pytest.mark.parametrize("way", BY_PATH)
    def test_files_that_are_run_by_their_paths(
        self, project: Project, way: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A file that code runs by a computed path counts for the trials that do, with what it imports, whoever has run it first."""
        for name, text in BY_PATH_FILES.items():
            project.write(textwrap.dedent(text), name)
        loader = project.path / "conftest.py"
        loader.write_text(loader.read_text().replace("WAY", BY_PATH[way]))
        assert self.run(project).status == 0
        for edit in BY_PATH_EDITS.values():
            edit.apply(project.path, monkeypatch)
            done = self.cached(project)
            assert edit.says in done.text, done.text
            assert done.run_again >= edit.runs, done.text
            assert edit.runs or not done.run_again, done.text

    def test_an_inherited_sweep(self, project: Project) -> None:
        """A sweep that a class inherits is made of its own file, the file that it inherits from, and what fixtures and helpers say."""
        project.write(
            "class Base:\n    @sweep(grid={'a': [1]})\n    def train(self, a):\n        return {'x': a * self.factor}\n",
            "base.py",
        )
        project.write("FACTOR = 100\n", "helper.py")
        project.write("@pytest.fixture\ndef dyn():\n    return 100\n", "conftest.py")
        project.write("from base import Base\nclass TestA(Base):\n    factor = 100\n", "test_inherited.py")
        project.write("""
            import helper

            @sweep(grid={"a": [1]})
            def with_helper(a):
                return {"x": a * helper.FACTOR}

            @sweep(grid={"a": [1]})
            def with_dyn(a, request):
                return {"x": request.getfixturevalue("dyn")}
        """)
        assert self.run(project).status == 0
        for name, old, new, runs, says in (
            ("test_inherited.py", "100", "200", {"train"}, "test_inherited.py has changed since"),
            ("base.py", "a * self", "a + self", {"train"}, "TestA::train has changed, base.py has changed since"),
            ("helper.py", "100", "200", {"with_helper", "with_dyn"}, "helper.py has changed since"),
            ("conftest.py", "100", "200", {"with_dyn"}, "the fixture dyn in conftest.py has changed since"),
            ("helper.py", "200", "300", {"with_helper", "with_dyn"}, "helper.py has changed since"),
        ):
            path = project.path / name
            path.write_text(path.read_text().replace(old, new))
            done = self.cached(project)
            assert done.run_again == runs
            assert says in done.text, done.text

    def test_an_edit_while_it_runs(self, project: Project) -> None:
        """A result is that of the files as its trial has imported them, not as they were when the session began."""
        project.write("VALUE = 1\n", "lazy_one.py")
        project.write("""
            from pathlib import Path

            @sweep(grid={"n": [1, 2]})
            def train(n):
                (Path(__file__).parent / "lazy_one.py").write_text("VALUE = 2222\\n")
                import lazy_one
                return {"x": lazy_one.VALUE}
        """)
        assert self.run(project).status == 0
        assert self.cached(project).states() == ["CACHED", "CACHED"]
        project.write("VALUE = 1\n", "lazy_one.py")
        done = self.cached(project)
        assert done.states() == ["TERMINATED", "TERMINATED"]
        assert "run, because lazy_one.py has changed since" in done.text

    def test_a_fixture_that_another_trial_has_built(self, project: Project) -> None:
        """What a fixture of wide scope has asked for counts for each trial that uses it, not only for the one that has built it."""
        conftest = """
            import importlib

            @pytest.fixture(scope="session")
            def wide(request):
                name = "lazy_two"
                return request.getfixturevalue("dyn") + importlib.import_module(name).VALUE

            @pytest.fixture(scope="session")
            def dyn():
                return 1
        """
        project.write("VALUE = 1\n", "lazy_two.py")
        project.write(conftest, "conftest.py")
        project.write("""
            @sweep(grid={"n": [1, 2]})
            def train(n, wide): ...

            @sweep(grid={"n": [1]})
            def other(n): ...
        """)
        assert self.run(project).status == 0
        for name, text, says in (
            ("lazy_two.py", "VALUE = 2\n", "lazy_two.py has changed"),
            ("conftest.py", conftest.replace("return 1", "return 2"), "fixture dyn in conftest.py"),
        ):
            assert self.cached(project).states() == ["CACHED", "CACHED"]
            project.write(text, name)
            done = self.cached(project)
            assert says in done.text
            assert done.states() == ["TERMINATED", "TERMINATED"]
            assert done.states("other") == ["CACHED"]
